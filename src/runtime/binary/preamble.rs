//! Checks how bytes start that were passed as a module, and tells what they are if they are not one. Engines describe
//! that in their own words, and some accept text as well; `wasm.h` accepts binaries only.

use crate::runtime::base::error::{Advice, Error, ErrorKind, Result};

const MAGIC: &[u8] = b"\0asm";
/// The first bytes of every module.
pub const MODULE: &[u8] = b"\0asm\x01\0\0\0";
/// The first bytes of a serialized module, unless it starts with an engine's image.
pub const ARTIFACT: &[u8; 8] = b"\0wasmrt\x02";
/// The last bytes of every serialized module.
pub const ARTIFACT_END: &[u8; 8] = b"\x02wasmrt\0";
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

/// The error for components, which many compilers make by now.
const COMPONENT_REFUSED: &str = "expected a WebAssembly module, got a component, which wasm.h does not support; compile to a \
     core module instead (for Rust and C the target wasm32-wasip1 instead of wasm32-wasip2, without cargo-component or \
     componentize), or take the modules out of it with `wasm-tools component unbundle`";

/// What programs pass as a module by mistake, and what to do instead.
const FORMATS: [(&[u8], &str); 21] = [
    (b"\x1f\x8b", "data compressed with gzip; decompress it first"),
    (b"\x28\xb5\x2f\xfd", "data compressed with zstd; decompress it first"),
    (b"\xfd7zXZ\0", "data compressed with xz; decompress it first"),
    (b"BZh", "data compressed with bzip2; decompress it first"),
    (b"PK\x03\x04", "a zip archive; unpack it first"),
    (b"!<arch>\n", "an archive of object files; link them first"),
    (b"BC\xc0\xde", "LLVM bitcode; compile and link it first"),
    (b"\xde\xc0\x17\x0b", "LLVM bitcode; compile and link it first"),
    (b"\x7fELF", "an ELF file, which is for a processor; compile for WebAssembly instead"),
    (b"MZ", "a Windows program or library, which is for a processor; compile for WebAssembly instead"),
    (b"\xcf\xfa\xed\xfe", "a Mach-O file, which is for a processor; compile for WebAssembly instead"),
    (b"\xce\xfa\xed\xfe", "a Mach-O file, which is for a processor; compile for WebAssembly instead"),
    (b"\xca\xfe\xba\xbe", "a Mach-O or Java class file; compile for WebAssembly instead"),
    (b"\xff\xfe", "text in UTF-16; a module is binary"),
    (b"AGFzb", "a module in base64; decode it first"),
    (b"0061736d", "a module in hexadecimal digits; decode it first"),
    (b"data:", "a data URL; decode it first"),
    (b"version https://git-lfs", "a pointer of Git LFS in place of the file; run git lfs pull"),
    (b"<", "HTML or XML, perhaps a server's answer in place of the file"),
    (b"{", "JSON, perhaps a server's answer in place of the file"),
    (b"#!", "a script"),
];

/// The byte of an ELF file that says for which system it is, and its value in modules that were compiled ahead of
/// time (.cwasm).
const COMPILED_MODULE: (usize, u8) = (7, 200);

/// Fails unless `bytes` start as a WebAssembly module does.
pub fn check(bytes: &[u8]) -> Result<()> {
    if bytes.starts_with(MODULE) {
        return Ok(());
    }
    let (offset, message) = if MODULE.starts_with(bytes) || COMPONENT.starts_with(bytes) && bytes != COMPONENT {
        let what = if bytes.is_empty() { "no bytes at all" } else { "only the beginning of one" };
        (bytes.len(), expected_binary(what))
    } else if bytes.starts_with(COMPONENT) {
        (MAGIC.len(), COMPONENT_REFUSED.to_string())
    } else if let Some(version) = bytes.strip_prefix(MAGIC) {
        let version = in_hex(version);
        let message = format!("expected version 1 of WebAssembly's binary format, which is 01 00 00 00, got {version}");
        (MAGIC.len(), message)
    } else if let Some((what, advice)) = describe(bytes) {
        let mut error = Error::new(ErrorKind::Compile, expected_binary(what));
        (error.offset, error.advice) = (Some(0), advice);
        return Err(error);
    } else {
        (0, expected_binary(&format!("bytes that start with {}", in_hex(bytes))))
    };
    let mut error = Error::new(ErrorKind::Compile, message);
    error.offset = Some(offset as u64);
    Err(error)
}

fn expected_binary(got: &str) -> String {
    format!("expected a WebAssembly binary, which starts with 00 61 73 6d (\\0asm), got {got}")
}

fn in_hex(bytes: &[u8]) -> String {
    let start: Vec<_> = bytes.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    start.join(" ")
}

/// Tells what bytes are that are not a module, if they are recognised, and what to do with them.
pub fn describe(bytes: &[u8]) -> Option<(&'static str, Option<Advice>)> {
    let text = without_mark(bytes).trim_ascii_start();
    let is_text = text.starts_with(b"(") || text.starts_with(b";;");
    other_format(bytes).or(is_text.then_some(("text", Some(Advice::ConvertText))))
}

/// Tells what bytes are that are not WebAssembly text either, if they are recognised.
fn other_format(bytes: &[u8]) -> Option<(&'static str, Option<Advice>)> {
    if bytes.starts_with(ARTIFACT) || bytes.ends_with(ARTIFACT_END) {
        return Some(("a serialized module", Some(Advice::Deserialize)));
    }
    if is_compiled_elsewhere(bytes) {
        let what = "a module compiled ahead of time (.cwasm); use the module that it was made from";
        return Some((what, None));
    }
    let text = without_mark(bytes).trim_ascii_start();
    let is = |(magic, _): &&(&[u8], &str)| bytes.starts_with(magic) || text.starts_with(magic);
    FORMATS.iter().find(is).map(|(_, what)| (*what, None))
}

/// Whether bytes start as a module does that was compiled ahead of time (.cwasm).
pub fn is_compiled_elsewhere(bytes: &[u8]) -> bool {
    let (place, compiled) = COMPILED_MODULE;
    bytes.starts_with(b"\x7fELF") && bytes.get(place) == Some(&compiled)
}

/// Returns text without the byte order mark that some editors put before it.
pub fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

/// Returns the error for a module's text. If it is not the text of a module at all, the message says what it is.
#[cold]
pub fn text_error(text: &[u8], error: String) -> Error {
    let (message, advice) = match other_format(text) {
        // The library that reads text is built without support for components.
        _ if error.starts_with("support for parsing components disabled") => (COMPONENT_REFUSED.to_string(), None),
        Some((what, advice)) => (format!("expected WebAssembly text, got {what}"), advice),
        _ => (error, None),
    };
    let mut error = Error::new(ErrorKind::Compile, message);
    error.advice = advice;
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(bytes: &[u8]) -> (u64, String) {
        let error = check(bytes).expect_err("no module");
        assert_eq!(error.kind, ErrorKind::Compile);
        (error.offset.expect("an offset"), error.message.clone())
    }

    #[test]
    fn a_module_is_one() {
        assert!(check(MODULE).is_ok());
        assert!(check(b"\0asm\x01\0\0\0anything").is_ok());
    }

    #[test]
    fn what_it_is_instead_and_where() {
        for (bytes, offset, words) in [
            (&b""[..], 0, "no bytes"),
            (b"\0as", 3, "only the beginning"),
            (b"\0asm\x01\0\0", 7, "only the beginning"),
            (b"\0asm\x0d\0\x01", 7, "only the beginning"),
            (b"\0asm\x0d\0\x01\0", 4, "a component"),
            (b"\0asm\x0d\0\x01\0and more", 4, "a component"),
            (b"\0asm\x02\0\0\0", 4, "got 02 00 00 00"),
            (b"\0asn\x01\0\0\0", 0, "start with 00 61 73 6e"),
            (b"asm", 0, "start with 61 73 6d"),
            (b"(module)", 0, "got text"),
            (b"\xef\xbb\xbf\r\n  (module)", 0, "got text"),
            (b"\n;; text", 0, "got text"),
            (b"\x7fELF\x02\x01\x01\0", 0, "ELF"),
            (b"\x7fELF\x02\x01\x01\xc8", 0, ".cwasm"),
            (b"\x7fELF", 0, "ELF"),
            (b"<!DOCTYPE html>", 0, "HTML"),
            (b"\n<html>", 0, "HTML"),
            (b"\xef\xbb\xbf{ \"message\": \"Not Found\" }", 0, "JSON"),
            (b"AGFzbQEAAAA=", 0, "base64"),
            (b"\0wasmrt\x02", 0, "a serialized module"),
            (b"\x7fELF\x02\x01\x01\xc8 and more \x02wasmrt\0", 0, "a serialized module"),
        ] {
            let (found, message) = refusal(bytes);
            assert!(message.contains(words), "{message}");
            assert_eq!(found, offset, "{message}");
        }
        assert_eq!(text_error(b";; (", "expected `)`".to_string()).message, "expected `)`");
        assert!(text_error(b"(module", "expected `)`".to_string()).message.contains("expected `)`"));
        assert!(text_error(b"\x1f\x8b", "no utf-8".to_string()).message.contains("gzip"));
        let advice = |bytes| check(bytes).expect_err("no module").advice;
        assert_eq!(advice(b"(module)"), Some(Advice::ConvertText));
        assert_eq!(advice(b"\0wasmrt\x02"), Some(Advice::Deserialize));
        for (magic, what) in FORMATS {
            assert!(refusal(magic).1.ends_with(what), "{what}");
        }
    }
}
