//! Gives the shared library its SONAME, keeps it loaded, and knows where engines can be loaded.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let target = |what: &str| std::env::var(format!("CARGO_CFG_TARGET_{what}")).unwrap_or_default();
    let os = target("OS");
    println!("cargo:rustc-check-cfg=cfg(loads_engines)");
    if std::env::var_os("CARGO_FEATURE_LOADED").is_some() {
        // On Linux the calls of libraries are corrected, which is a matter of the machine.
        if os == "macos" || os == "linux" && ["x86_64", "aarch64"].contains(&target("ARCH").as_str()) {
            println!("cargo:rustc-cfg=loads_engines");
        } else {
            println!("cargo:warning=the feature \"loaded\" is without effect: engines are not loaded on this system");
        }
    }
    if os == "linux" {
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
