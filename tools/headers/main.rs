//! Makes the headers in `include/` from the sources, with cbindgen.
//!
//! `cargo run -p wasmrt-headers` writes them; `cargo test -p wasmrt-headers` fails when they are not what it would write.
//! A package of its own, because cbindgen's dependencies would change the engines' features and so compile them twice.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The C API with its macros expanded: cbindgen does not see functions that macros make, and expanding is a feature of the
/// compiler that is only stable to look at. Backends are left out, so that no engine has to be compiled for this.
fn expanded_c_api() -> Source {
    let output = Command::new(env!("CARGO"))
        .current_dir(root())
        .env("RUSTC_BOOTSTRAP", "1")
        .args(["rustc", "--quiet", "--package", "wasmrt", "--lib", "--no-default-features", "--target-dir"])
        .arg(work_directory())
        .args(["--", "-Zunpretty=expanded"])
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Source(String::from_utf8(output.stdout).expect("sources are UTF-8"))
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn work_directory() -> PathBuf {
    root().join("target/headers")
}

/// Expanded source, which is regularly indented.
struct Source(String);

impl Source {
    /// The text of the module whose `mod` line reads so, and the source without it.
    fn split_out(&self, line: &str) -> (String, String) {
        let lines: Vec<_> = self.0.lines().collect();
        let start = lines.iter().position(|text| text.trim_start() == line).expect(line);
        let indent = lines[start].len() - lines[start].trim_start().len();
        let end_line = format!("{}}}", " ".repeat(indent));
        let end = start + lines[start..].iter().position(|text| *text == end_line).expect("the module ends");
        let rest = [&lines[..start], &lines[end + 1..]].concat();
        (lines[start..=end].join("\n"), rest.join("\n"))
    }
}

fn generate(name: &str, source: &str) -> String {
    let directory = work_directory();
    let file = directory.join(format!("{name}.rs"));
    std::fs::write(&file, source).expect("the source can be written");
    let config = root().join(format!("tools/headers/{name}.toml"));
    let config = std::fs::read_to_string(config).expect("the configuration can be read");
    let config = config
        .replace("@VERSION@", env!("CARGO_PKG_VERSION"))
        .replace("@MAJOR@", env!("CARGO_PKG_VERSION_MAJOR"))
        .replace("@MINOR@", env!("CARGO_PKG_VERSION_MINOR"))
        .replace("@PATCH@", env!("CARGO_PKG_VERSION_PATCH"));
    let config_file = directory.join(format!("{name}.toml"));
    std::fs::write(&config_file, config).expect("the configuration can be written");
    let config =
        cbindgen::Config::from_file(config_file.to_str().expect("a path in UTF-8")).expect("a valid configuration");
    let bindings = cbindgen::Builder::new()
        .with_config(config)
        .with_src(file)
        .generate()
        .expect("cbindgen understands the source");
    let mut header = Vec::new();
    bindings.write(&mut header);
    String::from_utf8(header).expect("headers are UTF-8").trim_start().to_string()
}

/// Each header's file and what should be in it.
fn headers() -> Vec<(PathBuf, String)> {
    let (extension, standard) = expanded_c_api().split_out("pub mod wasmrt {");
    let header = |name: &str, source: &str| (root().join(format!("include/{name}.h")), generate(name, source));
    vec![header("wasm", &standard), header("wasmrt", &extension)]
}

fn main() {
    for (file, header) in headers() {
        std::fs::write(&file, header).expect("the header can be written");
        println!("{}", file.display());
    }
}

#[test]
fn headers_are_what_the_sources_give() {
    for (file, header) in headers() {
        let committed = std::fs::read_to_string(&file).unwrap_or_default();
        let mut lines = header.lines().zip(committed.lines());
        let line = lines
            .position(|(ours, theirs)| ours != theirs)
            .map_or("its end".to_string(), |line| format!("line {}", line + 1));
        assert!(
            header == committed,
            "{} differs from what the sources give, first in {line}; run: cargo run -p wasmrt-headers",
            file.display()
        );
    }
}
