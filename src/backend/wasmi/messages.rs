//! Information that the engine gives only in words. Each phrase on which something depends has a test, here unless
//! noted otherwise, which fails with a version of the engine that words it differently.

use crate::runtime::base::error::{Error, ErrorKind, Result};
use crate::runtime::binary::code::Code;
use wasmparser::{Parser, Payload};

/// The error for a function that has more parameters and locals than the engine accepts.
const TOO_MANY_LOCALS: &str = "encountered function with too many function parameters";

/// The error for a function that needs more room than the engine can address.
const TOO_MANY_SLOTS: &str = "translation requires more registers for a function than available";

/// The end of an error, which gives its place in the module.
const PLACE: &str = " (at offset";

/// A word in errors about imports that do not fit a module.
const IMPORTS: &str = "import";

/// Converts errors of the engine to errors of a kind, in the engine's own words.
#[inline]
pub fn in_words<E: std::fmt::Display>(kind: ErrorKind) -> impl Fn(E) -> Error {
    move |error| Error::new(kind, error.to_string().trim_end())
}

/// Whether an instantiation failed because of its imports.
pub fn is_about_imports(message: &str) -> bool {
    message.contains(IMPORTS)
}

/// Rewords an error about a valid module that the engine does not translate.
pub fn untranslatable(wasm: &[u8], mut error: Error) -> Error {
    match error.message.as_str() {
        TOO_MANY_LOCALS => {
            error.message =
                format!("more than {MAX_LOCALS} parameters and locals, the largest number that wasmi accepts");
            error.offset = too_many_locals(wasm).ok().flatten().map(|body| body as u64);
        }
        TOO_MANY_SLOTS => {
            error.message = "a function needs more slots for its locals and operands than the 65535 that wasmi has; \
                             a v128 takes two"
                .to_string();
        }
        _ => {}
    }
    error
}

/// Removes the place from an error about a rewritten module, where it would be wrong.
pub fn without_place(mut error: Error) -> Error {
    if let Some(end) = error.message.find(PLACE) {
        error.message.truncate(end);
    }
    error
}

/// The largest number of parameters and locals that the engine accepts.
const MAX_LOCALS: u64 = 30_000;

/// Finds where the first function's body begins that has more.
fn too_many_locals(wasm: &[u8]) -> wasmparser::Result<Option<usize>> {
    let (mut types, mut functions) = (Vec::new(), Vec::new().into_iter());
    for payload in Parser::new(0).parse_all(wasm) {
        match payload? {
            Payload::TypeSection(section) => {
                types =
                    section.into_iter_err_on_gc_types().map(|ty| Ok(ty?.params().len())).collect::<Result<_, _>>()?;
            }
            Payload::FunctionSection(section) => {
                functions = section.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter()
            }
            Payload::CodeSectionEntry(body) => {
                let params = functions.next().and_then(|ty| types.get(ty as usize)).copied().unwrap_or(0);
                if params as u64 + Code::of(&body)?.locals > MAX_LOCALS {
                    return Ok(Some(body.range().start));
                }
            }
            _ => {}
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compiled(engine: &wasmi::Engine, text: &str) -> Result<wasmi::Module> {
        wasmi::Module::new(engine, wat::parse_str(text).expect("valid text")).map_err(in_words(ErrorKind::Compile))
    }

    fn refused(text: &str) -> Error {
        let mut config = wasmi::Config::default();
        config.compilation_mode(wasmi::CompilationMode::Eager);
        compiled(&wasmi::Engine::new(&config), text).map(drop).expect_err("the engine refuses it")
    }

    #[test]
    fn too_many_locals_and_slots() {
        let error = refused(&format!("(module (func (local {})))", "i32 ".repeat(MAX_LOCALS as usize + 1)));
        assert!(error.message.starts_with(TOO_MANY_LOCALS), "{error}");
        let operands = ["local.get 0 ".repeat(40_000), "drop ".repeat(40_000)].concat();
        let error = refused(&format!("(module (func (local {}) {operands}))", "i32 ".repeat(29_000)));
        assert!(error.message.starts_with(TOO_MANY_SLOTS), "{error}");
    }

    #[test]
    fn the_place_of_an_error() {
        let error = refused("(module (func (result i32)))");
        assert!(error.message.contains(PLACE), "{error}");
        assert!(!without_place(error).message.contains("offset"));
    }

    #[test]
    fn an_import_that_does_not_fit() {
        let engine = wasmi::Engine::default();
        let module = compiled(&engine, r#"(module (import "m" "f" (func)))"#).expect("a valid module");
        let mut store = wasmi::Store::new(&engine, ());
        let global = wasmi::Global::new(&mut store, wasmi::Val::I32(0), wasmi::Mutability::Const);
        for imports in [&[][..], &[global.into()]] {
            let error = wasmi::Instance::new(&mut store, &module, imports).expect_err("no instance");
            assert!(is_about_imports(&error.to_string()), "{error}");
        }
    }
}
