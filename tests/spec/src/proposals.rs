//! Why an assertion does not apply to an engine: it is about a proposal that the engine lacks, or has been superseded.

/// The proposal that an engine lacks, or that the library leaves switched off, by the words with which a module is refused.
pub fn lacking(message: &str) -> Option<&'static str> {
    let words: [(&str, &[&str]); 8] = [
        (
            "custom-descriptors",
            &[
                "custom descriptors proposal must be enabled",
                "custom descriptors required",
                "custom-descriptors proposal not implemented",
                "unsupported heap type Exact",
                // An engine that has never heard of it meets its codes for types and for imports.
                "invalid leading byte (0x4d) for type",
                "invalid leading byte (0x20) for external kind",
            ],
        ),
        ("custom-page-sizes: pages of wasm.h have 65,536 bytes", &["custom page sizes proposal must be enabled"]),
        (
            "exceptions",
            &[
                "exceptions proposal not enabled",
                "exceptions support is not enabled",
                "exception refs not supported without the exception handling feature",
            ],
        ),
        (
            "function-references",
            &[
                "function references required",
                "function references support is not enabled",
                "require the function-references proposal",
            ],
        ),
        (
            "gc",
            &[
                "without the gc feature",
                "gc proposal must be enabled",
                "rec group usage requires `gc` proposal",
                // Only this proposal lets constant expressions read more than imported globals.
                "global.get of locally defined global",
            ],
        ),
        // In the library's own words.
        (
            "what an engine that is loaded cannot pass through the functions of wasm.h",
            &["(plain) cannot", "(wamr) cannot", "(wasmer) cannot", "(wasmtime) cannot", "(wasmtime) does not say"],
        ),
        (
            "threads",
            &["shared memory support is disabled", "threads must be enabled", "threads support is not enabled"],
        ),
        ("wide-arithmetic", &["wide arithmetic support is not enabled"]),
    ];
    let found = words.into_iter().find(|(_, words)| words.iter().any(|words| message.contains(words)));
    found.map(|(proposal, _)| proposal)
}

/// Why a module is accepted today although an old script calls it malformed or invalid: chosen by the script's message.
pub fn superseded(message: &str) -> Option<&'static str> {
    match message {
        "multiple tables" => Some("superseded: WebAssembly 2.0 has several tables"),
        "multiple memories" => Some("superseded: WebAssembly 3.0 has several memories"),
        "zero byte expected" | "zero flag expected" => {
            Some("superseded: WebAssembly 3.0 has a memory index in place of a zero byte")
        }
        "integer representation too long" => {
            Some("superseded: WebAssembly 3.0 has 64-bit limits and offsets, which take more bytes")
        }
        _ => None,
    }
}
