//! Finds what the engine accepts as valid but does not compile. Validation checks it, so that the two agree.

use crate::runtime::base::error::{Error, ErrorKind, Result};
use crate::runtime::binary::code::each_uncommon;
use wasmparser::{FunctionBody, Operator, Parser, Payload};

/// The largest number of targets of a `br_table` that the engine compiles.
const MAX_TARGETS: u32 = 65_520;

/// Custom sections that the engine refuses because of their names.
const FORMER_PROPOSALS: [&str; 2] = ["webidl-bindings", "wasm-interface-types"];

/// Fails if the engine will not compile the valid module `wasm`.
pub fn check(wasm: &[u8]) -> Result<()> {
    for payload in Parser::new(0).parse_all(wasm) {
        let Ok(payload) = payload else { break };
        match payload {
            // Each target takes at least one byte.
            Payload::CodeSectionEntry(body) if body.range().len() > MAX_TARGETS as usize => check_body(&body)?,
            Payload::CustomSection(section) if FORMER_PROPOSALS.contains(&section.name()) => {
                let message = format!(
                    "wasmtime does not accept a module with a custom section \"{}\"; remove it",
                    section.name()
                );
                return Err(refusal(message, section.range().start));
            }
            _ => {}
        }
    }
    Ok(())
}

fn check_body(body: &FunctionBody) -> Result<()> {
    let mut found = None;
    // An error means that the module is invalid, which the engine reports with a better message.
    let _ = each_uncommon(body, |operator, offset| match operator {
        Operator::BrTable { targets } if targets.len() > MAX_TARGETS && found.is_none() => {
            found = Some((targets.len(), offset));
        }
        _ => {}
    });
    let Some((targets, offset)) = found else { return Ok(()) };
    let message = format!("br_table with {targets} targets, but wasmtime accepts at most {MAX_TARGETS}");
    Err(refusal(message, offset))
}

fn refusal(message: String, offset: usize) -> Error {
    let mut error = Error::new(ErrorKind::Compile, message);
    error.offset = Some(offset as u64);
    error
}
