//! Limits the length of constant expressions, which wasmi 2.0.0 evaluates and frees by recursion: long ones would
//! overflow the host's stack before any guest runs. This limit also applies if the one of the configuration was
//! lifted.

use crate::runtime::base::error::{Error, ErrorKind, Result};
use crate::runtime::binary::sections::Payloads;
use wasmparser::{ConstExpr, DataKind, ElementItems, ElementKind, Payload, TableInit};

/// The most terms in a constant expression. Those that compilers emit have one or two, and a stack of 256 KiB is
/// enough for more than this.
const MAX_TERMS: usize = 1000;

/// Fails if a constant expression of `wasm` is too long. Leaves it to the engine to report malformed modules.
pub fn check(wasm: &[u8]) -> Result<()> {
    for payload in Payloads::of(wasm).without_code() {
        match payload {
            Payload::TableSection(section) => {
                for table in section.into_iter().flatten() {
                    if let TableInit::Expr(expression) = &table.init {
                        admit("a table's initializer", expression)?;
                    }
                }
            }
            Payload::GlobalSection(section) => {
                section
                    .into_iter()
                    .flatten()
                    .try_for_each(|global| admit("a global's initializer", &global.init_expr))?;
            }
            Payload::ElementSection(section) => {
                for element in section.into_iter().flatten() {
                    if let ElementKind::Active { offset_expr, .. } = &element.kind {
                        admit("the offset of elements", offset_expr)?;
                    }
                    if let ElementItems::Expressions(_, items) = element.items {
                        items.into_iter().flatten().try_for_each(|item| admit("an element", &item))?;
                    }
                }
            }
            Payload::DataSection(section) => {
                for data in section.into_iter().flatten() {
                    if let DataKind::Active { offset_expr, .. } = &data.kind {
                        admit("the offset of data", offset_expr)?;
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn admit(what: &str, expression: &ConstExpr) -> Result<()> {
    // A term takes at least one byte.
    if expression.get_binary_reader().bytes_remaining() <= MAX_TERMS {
        return Ok(());
    }
    let mut operators = expression.get_operators_reader();
    let mut terms = 0;
    while !operators.is_end_then_eof() && operators.read().is_ok() {
        terms += 1;
    }
    if terms <= MAX_TERMS {
        return Ok(());
    }
    let message = format!(
        "{what} is a constant expression of {terms} terms, but the wasmi backend accepts at most {MAX_TERMS}, whatever \
         the engine's configuration allows; another backend may accept it"
    );
    Err(Error::new(ErrorKind::Limit, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long(terms: usize) -> String {
        format!("(i32.const 0) {}", "(i32.const 1) i32.add ".repeat(terms / 2))
    }

    #[test]
    fn constant_expressions_are_bounded_wherever_they_stand() {
        for place in [
            "(module (global i32 EXPRESSION))",
            "(module (memory 1) (data (offset EXPRESSION) \"x\"))",
            "(module (func $f) (table 1 funcref) (elem (offset EXPRESSION) $f))",
        ] {
            for (terms, kept) in [(MAX_TERMS - 1, true), (MAX_TERMS + 1, false), (100_000, false)] {
                let wasm = wat::parse_str(place.replace("EXPRESSION", &long(terms))).expect("valid text");
                let error = check(&wasm).err();
                assert_eq!(error.is_none(), kept, "{place} {terms}");
                assert!(error.is_none_or(|error| error.kind == ErrorKind::Limit && error.message.contains("1000")));
            }
        }
        assert!(check(b"\0asm\x01\0\0\0\x06\x09").is_ok());
    }
}
