//! Modules: compiled code and what it declares. Immutable, shared by stores and threads.

use super::artifact;
use super::compile_error::located;
use super::declarations::Declarations;
use super::engine::Engine;
use super::error::{Error, ErrorKind, Result};
use crate::backend;
use std::borrow::Cow;
use std::sync::Arc;

pub struct Module {
    pub engine: Arc<Engine>,
    pub inner: Box<dyn backend::Module>,
    pub declarations: Declarations,
}

impl Module {
    pub fn compile(engine: &Arc<Engine>, wasm: &[u8]) -> Result<Arc<Module>> {
        check_is_binary(wasm)?;
        engine.module_limits.check(wasm, engine.inner.compiles())?;
        let inner = engine.inner.compile(wasm).map_err(|error| located(wasm, error))?;
        let declarations = Declarations::parse(wasm)?;
        Ok(Module::new(engine, inner, declarations))
    }

    fn new(engine: &Arc<Engine>, inner: Box<dyn backend::Module>, declarations: Declarations) -> Arc<Module> {
        engine.module_made();
        Arc::new(Module { engine: engine.clone(), inner, declarations })
    }

    pub fn validate(engine: &Engine, wasm: &[u8]) -> Result<()> {
        check_is_binary(wasm)?;
        engine.module_limits.check(wasm, engine.inner.compiles())?;
        engine.inner.validate(wasm).map_err(|error| located(wasm, error))?;
        Declarations::parse(wasm).map(drop)
    }

    /// In two pieces, which are one after the other what [`Module::deserialize`] reads.
    pub fn serialize(&self) -> Result<[Cow<'_, [u8]>; 2]> {
        Ok(artifact::write(&self.engine, &self.declarations.outline, self.inner.serialize()?))
    }

    /// # Safety
    /// `bytes` came from [`Module::serialize`], or at least from somebody as trustworthy as the program itself: an
    /// artifact holds machine code, and its checksum guards against damage, not against intent.
    pub unsafe fn deserialize(engine: &Arc<Engine>, bytes: &[u8]) -> Result<Arc<Module>> {
        let (outline, payload) = artifact::read(engine, bytes)?;
        // SAFETY: the envelope was written by this version of the library for this engine's settings.
        let inner = unsafe { engine.inner.deserialize(payload)? };
        let declarations = Declarations::parse(inner.wasm().unwrap_or(outline))?;
        Ok(Module::new(engine, inner, declarations))
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        self.engine.module_gone();
    }
}

/// Engines have their own words, and some take text as well; `wasm.h` takes binaries.
fn check_is_binary(wasm: &[u8]) -> Result<()> {
    let problem = if wasm.starts_with(b"\0asm") {
        return Ok(());
    } else if wasm.is_empty() {
        "no bytes at all".to_string()
    } else if wasm.starts_with(b"(") || wasm.starts_with(b";;") {
        "text; convert it with wasmrt_wat2wasm first".to_string()
    } else if artifact::is_artifact(wasm) {
        "a serialized module; give it to wasm_module_deserialize".to_string()
    } else {
        let start: Vec<_> = wasm.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        format!("bytes that start with {}", start.join(" "))
    };
    let message = format!("expected a WebAssembly binary, which starts with 00 61 73 6d (\\0asm), got {problem}");
    Err(Error::new(ErrorKind::Compile, message))
}
