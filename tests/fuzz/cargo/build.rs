//! Builds the library as cargo-fuzz builds this crate, with coverage and AddressSanitizer, and the fuzzers in C with it.
//!
//! The library's crate makes no Rust library that one could depend on. So it is compiled here, as the static library.

use std::env;
use std::path::Path;
use std::process::Command;

/// Engines to compile in: the interpreter alone builds in a minute, and shows the same layers above it. It goes from
/// instruction to instruction by tail calls otherwise, which instrumented code does not have: the stack would run out.
const DEFAULT_ENGINES: &str = "wasmi,wasmi/portable-dispatch";

fn main() {
    let here = env::var("CARGO_MANIFEST_DIR").expect("set by cargo");
    let root = Path::new(&here).join("../../..");
    let out = env::var("OUT_DIR").expect("set by cargo");
    let target = env::var("TARGET").expect("set by cargo");
    let engines = env::var("WASMRT_FUZZ_ENGINES").unwrap_or_else(|_| DEFAULT_ENGINES.to_string());

    let library = Path::new(&out).join("library");
    // Flags come with the environment: cargo hands on those that it was called with.
    let status = Command::new(env::var("CARGO").expect("set by cargo"))
        .args(["build", "--release", "--lib", "--no-default-features", "--features", &engines, "--target", &target])
        .arg("--manifest-path")
        .arg(root.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&library)
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "line-tables-only")
        .status()
        .expect("cargo runs");
    assert!(status.success(), "the library does not build");

    let sources = [
        "model", "types", "values", "funcs", "modules", "refs", "extension", "callers", "wasi", "batch", "kinds", "peer", "fuzz_api", "fuzz_bytes", "fuzz_wasi",
    ];
    let mut fuzzers = cc::Build::new();
    for source in sources {
        let file = root.join("tests/fuzz").join(source).with_extension("c");
        println!("cargo:rerun-if-changed={}", file.display());
        fuzzers.file(file);
    }
    fuzzers.include(root.join("include")).std("c11").opt_level(1).debug(true).flag("-fsanitize=address");
    fuzzers.define("FUZZ_DEPTH", "3");
    fuzzers.compile("fuzzers");

    let libraries = library.join(&target).join("release");
    println!("cargo:rustc-link-search=native={}", libraries.display());
    println!("cargo:rustc-link-lib=static:-bundle=wasmrt");
    // Both the library and this program bring the standard library: the same one.
    println!("cargo:rustc-link-arg=-Wl,--allow-multiple-definition");
    for path in ["src", "include", "tests/fuzz/fuzz.h", "Cargo.toml", "Cargo.lock"] {
        println!("cargo:rerun-if-changed={}", root.join(path).display());
    }
    println!("cargo:rerun-if-env-changed=WASMRT_FUZZ_ENGINES");
}
