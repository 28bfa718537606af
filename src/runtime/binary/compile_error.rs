//! Finds the place of a compilation error in the module. Engines report the byte, and some of them the function.

use super::declarations::import_kind;
use super::preamble::MODULE;
use crate::runtime::base::error::{Error, ErrorKind};
use crate::runtime::base::types::ExternKind;
use wasmparser::{BinaryReader, KnownCustom, Name, Parser, Payload};

/// Adds the place of an engine's error: the byte offset for programs, and the function for people.
#[cold]
pub fn located(wasm: &[u8], mut error: Error) -> Error {
    if error.kind != ErrorKind::Compile {
        return error;
    }
    if let Some(fault) = fault_of_sections(wasm) {
        return fault;
    }
    error.offset = error.offset.or_else(|| offset_in(&error.message));
    if let Some((index, name)) = error.offset.and_then(|offset| function_at(wasm, offset)) {
        let name = name.map_or(String::new(), |name| format!(" \"{name}\""));
        error.message.insert_str(0, &format!("function {index}{name}: "));
    }
    error
}

/// Finds the offset in a message. Both engines validate with the same library, whose messages end with it.
fn offset_in(message: &str) -> Option<u64> {
    let (_, rest) = message.rsplit_once("at offset 0x")?;
    let digits = rest.split(|digit: char| !digit.is_ascii_hexdigit()).next()?;
    u64::from_str_radix(digits, 16).ok()
}

/// The sections in the order in which they must come, each at most once, with their names.
const SECTIONS: [(u8, &str); 13] = [
    (1, "type"),
    (2, "import"),
    (3, "function"),
    (4, "table"),
    (5, "memory"),
    (13, "tag"),
    (6, "global"),
    (7, "export"),
    (8, "start"),
    (9, "element"),
    (12, "data count"),
    (10, "code"),
    (11, "data"),
];
const CUSTOM: u8 = 0;

/// Finds what is wrong with a module's sections themselves. Engines report all of this as an unexpected end, or with
/// the offset of a section's contents.
fn fault_of_sections(wasm: &[u8]) -> Option<Error> {
    let fault = |offset: usize, message: String| {
        let mut error = Error::new(ErrorKind::Compile, format!("{message} (at offset {offset:#x})"));
        error.offset = Some(offset as u64);
        Some(error)
    };
    let mut reader = BinaryReader::new(wasm, 0);
    reader.read_bytes(MODULE.len()).ok()?;
    let mut last = None;
    while !reader.eof() {
        let start = reader.original_position();
        if wasm[start..].starts_with(MODULE) {
            return fault(start, "expected a section, got another module; the file contains several".to_string());
        }
        let id = reader.read_u8().ok()?;
        let place = SECTIONS.iter().position(|(known, _)| *known == id);
        if place.is_none() && id != CUSTOM {
            return fault(start, format!("unknown section {id}"));
        }
        let name = place.map_or("custom", |place| SECTIONS[place].1);
        if place.is_some() && last >= place {
            let what = if last == place { "occurs twice" } else { "is out of order" };
            return fault(start, format!("the {name} section {what}"));
        }
        last = last.max(place);
        // If the size is malformed, the engine's message says so.
        let size = reader.read_var_u32().ok()?;
        let missing = (size as usize).saturating_sub(reader.bytes_remaining());
        if missing > 0 {
            return fault(wasm.len(), format!("unexpected end: {missing} bytes of the {name} section are missing"));
        }
        reader.read_bytes(size as usize).ok()?;
    }
    None
}

/// Finds the function whose code contains `offset`: its index, and its name in the module.
fn function_at(wasm: &[u8], offset: u64) -> Option<(u32, Option<String>)> {
    let mut index = 0;
    let mut found = None;
    for payload in Parser::new(0).parse_all(wasm) {
        // The rest of the module may be malformed as well.
        let Ok(payload) = payload else { break };
        match payload {
            Payload::ImportSection(section) => {
                let functions = section.into_imports().flatten();
                index += functions.filter(|import| import_kind(&import.ty) == ExternKind::Func).count() as u32;
            }
            Payload::CodeSectionEntry(body) => {
                let range = body.range();
                // An error about the end of a body is reported one byte beyond it.
                if found.is_none() && (range.start as u64..=range.end as u64).contains(&offset) {
                    found = Some(index);
                }
                index += 1;
            }
            Payload::CustomSection(section) => {
                let KnownCustom::Name(names) = section.as_known() else { continue };
                for name in names.into_iter().flatten() {
                    let (Name::Function(names), Some(function)) = (name, found) else { continue };
                    let named = names.into_iter().flatten().find(|named| named.index == function);
                    return Some((function, named.map(|named| named.name.to_string())));
                }
            }
            _ => {}
        }
    }
    found.map(|function| (function, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_found_and_functions_named() {
        let wasm = wat::parse_str("(module (import \"a\" \"b\" (func)) (func nop) (func $twice (param i32) nop nop))");
        let wasm = wasm.expect("valid text");
        // The body of the last function: its size, no locals, two `nop`s, `end`.
        let at = wasm.windows(5).position(|bytes| bytes == [4, 0, 1, 1, 0x0b]).expect("the body") + 2;
        let error = located(&wasm, Error::new(ErrorKind::Compile, format!("bad (at offset {at:#x})")));
        assert_eq!(error.offset, Some(at as u64));
        assert_eq!(error.message, format!("function 2 \"twice\": bad (at offset {at:#x})"));
        let error = located(&wasm, Error::new(ErrorKind::Compile, "bad (at offset 0x1)"));
        assert_eq!((error.offset, error.message.as_str()), (Some(1), "bad (at offset 0x1)"));
        assert_eq!(located(&wasm, Error::new(ErrorKind::Compile, "bad")).offset, None);
    }
    #[test]
    fn faults_of_sections_are_where_they_are() {
        for (sections, offset, words) in [
            (&b"\x0e\x01\0"[..], 8, "unknown section 14"),
            (b"\x01\x01\0\x8f\x05", 11, "unknown section 143"),
            (b"\0\x02\x01a\x20\x80", 12, "unknown section 32"),
            (b"\x03\x01\0\x01\x01\0", 11, "the type section is out of order"),
            (b"\x0c\x01\0\x09\x01\0", 11, "the element section is out of order"),
            (b"\x0d\x01\0\x05\x01\0", 11, "the memory section is out of order"),
            (b"\x01\x01\0\0\x01\0\x01\x01\0", 14, "the type section occurs twice"),
            (b"\0asm\x01\0\0\0", 8, "another module"),
            (b"\x01\x05\0", 11, "4 bytes of the type section are missing"),
            (b"\0\x7f\x01a", 12, "125 bytes of the custom section are missing"),
        ] {
            let wasm = [MODULE, sections].concat();
            let error = located(&wasm, Error::new(ErrorKind::Compile, "bad (at offset 0x1)"));
            assert!(error.message.contains(words), "{}", error.message);
            assert!(error.message.ends_with(&format!("(at offset {offset:#x})")), "{}", error.message);
            assert_eq!(error.offset, Some(offset));
        }
        for sections in
            [&b""[..], b"\x01\x01\0\x0d\x01\0\x06\x01\0\0\x01\0\x0b\x01\0", b"\x01", b"\x01\xff\xff\xff\xff\xff"]
        {
            assert!(fault_of_sections(&[MODULE, sections].concat()).is_none(), "{sections:?}");
        }
    }
}
