//! Gives the shared library its SONAME, and keeps it loaded.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libwasmrt.so.{}", abi_version());
        // Engines install signal handlers and start threads, which must not point into nothing after dlclose.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}

/// The number of the ABI, which programs are linked with: see docs/abi.md. cmake/WasmrtLibrary.cmake has the same.
fn abi_version() -> String {
    let part = |name: &str| std::env::var(format!("CARGO_PKG_VERSION_{name}")).unwrap_or_default();
    let (major, minor) = (part("MAJOR"), part("MINOR"));
    assert!(
        major == "0",
        "version 1.0 makes the ABI lasting: do what docs/release.md says under \"Version 1.0\", then remove this line"
    );
    format!("{major}.{minor}")
}
