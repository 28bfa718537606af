//! Bounds on what is compiled, checked before an engine sees it: compilers take time and memory that grow with these.

use super::declarations::import_kind;
use super::error::{Error, ErrorKind, Result};
use super::types::ExternKind;
use wasmparser::{FunctionBody, Parser, Payload};

/// What of a module can be bounded; numbers of `wasmrt.h`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum ModuleLimit {
    Bytes = 0,
    Functions = 1,
    Types = 2,
    Locals = 3,
    FunctionBytes = 4,
}

impl ModuleLimit {
    const ALL: [ModuleLimit; 5] = [
        ModuleLimit::Bytes,
        ModuleLimit::Functions,
        ModuleLimit::Types,
        ModuleLimit::Locals,
        ModuleLimit::FunctionBytes,
    ];

    pub fn from_number(number: u8) -> Option<ModuleLimit> {
        ModuleLimit::ALL.get(usize::from(number)).copied()
    }
}

pub struct ModuleLimits([u64; ModuleLimit::ALL.len()]);

/// The types that a module may have if nobody says otherwise: some times what compilers emit, and still compiled in seconds. A
/// compiler makes code for each.
const DEFAULT_TYPES: u64 = 100_000;

impl Default for ModuleLimits {
    fn default() -> ModuleLimits {
        let mut limits = ModuleLimits([u64::MAX; ModuleLimit::ALL.len()]);
        limits.set(ModuleLimit::Types, DEFAULT_TYPES);
        limits
    }
}

impl ModuleLimits {
    pub fn set(&mut self, limit: ModuleLimit, value: u64) {
        self.0[limit as usize] = value;
    }

    /// Fails if `wasm` is beyond a limit. What is malformed is left to the engine to say.
    pub fn check(&self, wasm: &[u8]) -> Result<()> {
        let bytes = wasm.len() as u64;
        // Nothing but locals can be more than there are bytes.
        if self.0[ModuleLimit::Locals as usize] == u64::MAX && self.0.iter().all(|allowed| bytes <= *allowed) {
            return Ok(());
        }
        self.admit(ModuleLimit::Bytes, bytes, || "the module has".to_string(), "bytes")?;
        // Types come first, and most configurations bound nothing that comes later.
        let types_alone = [ModuleLimit::Functions, ModuleLimit::Locals, ModuleLimit::FunctionBytes]
            .into_iter()
            .all(|limit| self.0[limit as usize] == u64::MAX);
        let mut functions = 0;
        let mut function = 0;
        let module = || "the module has".to_string();
        for payload in Parser::new(0).parse_all(wasm) {
            let Ok(payload) = payload else { break };
            match payload {
                Payload::TypeSection(section) => {
                    // Cheap to know, dear to read: the number of groups is at most that of types.
                    self.admit(ModuleLimit::Types, section.count().into(), module, "types")?;
                    let types = section.into_iter().flatten().map(|group| group.types().len() as u64).sum();
                    self.admit(ModuleLimit::Types, types, module, "types")?;
                    if types_alone {
                        break;
                    }
                }
                _ if types_alone && payload.as_section().is_some_and(|(id, _)| id != 0) => break,
                Payload::ImportSection(section) => {
                    for import in section.into_imports().flatten() {
                        functions += u64::from(import_kind(&import.ty) == ExternKind::Func);
                    }
                    function = functions;
                    self.admit(ModuleLimit::Functions, functions, module, "functions")?;
                }
                Payload::FunctionSection(section) => {
                    functions += u64::from(section.count());
                    self.admit(ModuleLimit::Functions, functions, module, "functions")?;
                }
                Payload::CodeSectionEntry(body) => {
                    let name = || format!("function {function} has");
                    self.admit(ModuleLimit::FunctionBytes, body.range().len() as u64, name, "bytes of code")?;
                    self.admit(ModuleLimit::Locals, locals(&body), name, "locals")?;
                    function += 1;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn admit(&self, limit: ModuleLimit, count: u64, who: impl Fn() -> String, what: &str) -> Result<()> {
        let allowed = self.0[limit as usize];
        if count <= allowed {
            return Ok(());
        }
        let message = format!("{} {count} {what}, where the engine's configuration allows {allowed}", who());
        Err(Error::new(ErrorKind::Limit, message))
    }
}

/// The locals of a function that are not parameters.
pub fn locals(body: &FunctionBody) -> u64 {
    let groups = body.get_locals_reader().into_iter().flatten().map_while(|group| group.ok());
    groups.fold(0, |sum, (count, _)| sum + u64::from(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "(module (import \"a\" \"b\" (func)) (type (func (param i32))) (func) (func (local i32 i64 f32) nop))";

    fn check(limit: ModuleLimit, value: u64) -> Result<()> {
        let mut limits = ModuleLimits::default();
        limits.set(limit, value);
        limits.check(&wat::parse_str(TEXT).expect("valid text"))
    }

    #[test]
    fn each_limit_is_kept() {
        for (limit, count) in [
            (ModuleLimit::Functions, 3),
            (ModuleLimit::Types, 2),
            (ModuleLimit::Locals, 3),
            (ModuleLimit::FunctionBytes, 9),
        ] {
            assert!(check(limit, count).is_ok(), "{limit:?}");
            let error = check(limit, count - 1).expect_err("beyond the limit");
            assert_eq!(error.kind, ErrorKind::Limit);
            assert!(error.message.contains(&format!("{count} ")), "{}", error.message);
        }
        assert!(check(ModuleLimit::Bytes, 8).is_err());
    }
}
