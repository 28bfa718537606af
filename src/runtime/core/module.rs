//! Modules: compiled code and its declarations. Immutable, and shared by stores and threads.

use super::engine::Engine;
use super::engine_traits;
use crate::runtime::base::error::{Error, ErrorKind, Result};
use crate::runtime::base::float_mode;
use crate::runtime::binary::artifact::{self, Maker};
use crate::runtime::binary::compile_error::located;
use crate::runtime::binary::declarations::Declarations;
use crate::runtime::binary::{metering, preamble};
use std::borrow::Cow;
use std::sync::Arc;

pub struct Module {
    pub engine: Arc<Engine>,
    pub inner: Box<dyn engine_traits::Module>,
    pub declarations: Declarations,
}

impl Module {
    pub fn compile(engine: &Arc<Engine>, wasm: &[u8]) -> Result<Arc<Module>> {
        let Some(metering) = &engine.metering else {
            preamble::check(wasm)?;
            engine.module_limits.check(wasm, engine.inner.compiles())?;
            return Module::compile_unbounded(engine, wasm);
        };
        // What is wrong with a module is said of the original.
        Module::validate(engine, wasm)?;
        let metered = metering.apply(wasm)?;
        engine.module_limits.check(&metered, engine.inner.compiles())?;
        Module::compile_unbounded(engine, &metered)
    }

    /// Compiles a module without checking the engine's limits of modules.
    pub(super) fn compile_unbounded(engine: &Arc<Engine>, wasm: &[u8]) -> Result<Arc<Module>> {
        // In the default floating-point mode, because compilers evaluate constants.
        let inner = float_mode::with_default(|| engine.inner.compile(wasm)).map_err(|error| located(wasm, error))?;
        let declarations = Declarations::parse(wasm)?;
        Ok(Module::new(engine, inner, declarations))
    }

    fn new(engine: &Arc<Engine>, inner: Box<dyn engine_traits::Module>, declarations: Declarations) -> Arc<Module> {
        engine.module_made();
        Arc::new(Module { engine: engine.clone(), inner, declarations })
    }

    pub fn validate(engine: &Engine, wasm: &[u8]) -> Result<()> {
        preamble::check(wasm)?;
        engine.module_limits.check(wasm, engine.inner.compiles())?;
        engine.inner.validate(wasm).map_err(|error| located(wasm, error))?;
        Declarations::parse(wasm).map(drop)
    }

    /// Returns two pieces, which one after the other are what [`Module::deserialize`] reads.
    pub fn serialize(&self) -> Result<[Cow<'_, [u8]>; 2]> {
        Ok(artifact::write(&maker(&self.engine), &self.declarations.outline, self.inner.serialize()?))
    }

    /// # Safety
    /// `bytes` came from [`Module::serialize`], or at least from a source that is as trustworthy as the program
    /// itself: an artifact holds machine code, and its checksum protects against damage, not against malice.
    pub unsafe fn deserialize(engine: &Arc<Engine>, bytes: &[u8]) -> Result<Arc<Module>> {
        let (outline, payload) = artifact::read(&maker(engine), bytes)?;
        // SAFETY: the contract says that the artifact can be trusted, and its envelope says that this version of the
        // library wrote it for an engine with these settings.
        let inner = float_mode::with_default(|| unsafe { engine.inner.deserialize(payload) })?;
        let declarations = Declarations::parse(outline)?;
        if engine.metering.is_some() && declarations.export_named(metering::POINTS.as_bytes()).is_none() {
            let message =
                "the module was compiled without metering, which this engine is configured with; compile it anew";
            return Err(Error::new(ErrorKind::Artifact, message));
        }
        Ok(Module::new(engine, inner, declarations))
    }
}

fn maker(engine: &Engine) -> Maker<'static> {
    Maker { backend: engine.backend.name(), settings: engine.inner.settings() }
}

impl Drop for Module {
    fn drop(&mut self) {
        self.engine.module_gone();
    }
}
