//! Errors of compilation, with the place in the module: engines say at which byte, and some of them in which function.

use super::declarations::import_kind;
use super::error::{Error, ErrorKind};
use super::types::ExternKind;
use wasmparser::{KnownCustom, Name, Parser, Payload};

/// Adds to an engine's error where it is: the byte offset for programs, the function for people.
#[cold]
pub fn located(wasm: &[u8], mut error: Error) -> Error {
    if error.kind != ErrorKind::Compile {
        return error;
    }
    error.offset = error.offset.or_else(|| offset_in(&error.message));
    if let Some((index, name)) = error.offset.and_then(|offset| function_at(wasm, offset)) {
        let name = name.map_or(String::new(), |name| format!(" \"{name}\""));
        error.message.insert_str(0, &format!("function {index}{name}: "));
    }
    error
}

/// Both engines validate with the same library, whose errors end like this.
fn offset_in(message: &str) -> Option<u64> {
    let (_, rest) = message.rsplit_once("at offset 0x")?;
    let digits = rest.split(|digit: char| !digit.is_ascii_hexdigit()).next()?;
    u64::from_str_radix(digits, 16).ok()
}

/// The function whose code is at `offset`: its index, and the name that the module gives it.
fn function_at(wasm: &[u8], offset: u64) -> Option<(u32, Option<String>)> {
    let mut index = 0;
    let mut found = None;
    for payload in Parser::new(0).parse_all(wasm) {
        // What comes after the place may be malformed as well.
        let Ok(payload) = payload else { break };
        match payload {
            Payload::ImportSection(section) => {
                let functions = section.into_imports().flatten();
                index += functions.filter(|import| import_kind(&import.ty) == ExternKind::Func).count() as u32;
            }
            Payload::CodeSectionEntry(body) => {
                let range = body.range();
                // An error about the end of a body is one byte beyond it.
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
        // The body of the last function: its size, no locals, two nops, end.
        let at = wasm.windows(5).position(|bytes| bytes == [4, 0, 1, 1, 0x0b]).expect("the body") + 2;
        let error = located(&wasm, Error::new(ErrorKind::Compile, format!("bad (at offset {at:#x})")));
        assert_eq!(error.offset, Some(at as u64));
        assert_eq!(error.message, format!("function 2 \"twice\": bad (at offset {at:#x})"));
        let error = located(&wasm, Error::new(ErrorKind::Compile, "bad (at offset 0x1)"));
        assert_eq!((error.offset, error.message.as_str()), (Some(1), "bad (at offset 0x1)"));
        assert_eq!(located(&wasm, Error::new(ErrorKind::Compile, "bad")).offset, None);
    }
}
