//! Modules: compiled code and its declarations. Immutable, and shared by stores and threads.

use super::cache::Copy;
use super::engine::Engine;
use super::engine_traits;
use crate::runtime::base::error::{Error, Result};
use crate::runtime::base::file::{self, Mapped};
use crate::runtime::base::float_mode;
use crate::runtime::base::options::{Options, Proposal};
use crate::runtime::binary::artifact::{self, Contents, Maker};
use crate::runtime::binary::compile_error::located;
use crate::runtime::binary::declarations::Declarations;
use crate::runtime::binary::preamble;
use std::borrow::Cow;
use std::ops::Deref;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// A reference to what a module consists of. Each store that obtains a module has its own, so that its instances are
/// not counted in the same place as those of other threads.
pub struct Module(Arc<ModuleData>);

pub struct ModuleData {
    pub engine: Arc<Engine>,
    pub inner: Box<dyn engine_traits::Module>,
    pub declarations: Declarations,
    /// The name that the host gave it, or that it gave itself.
    name: Mutex<Option<Box<[u8]>>>,
}

/// Makes another module of a module's bytes, on any thread; `None` leaves it as it is.
pub type Transform = Box<dyn Fn(&[u8]) -> Result<Option<Vec<u8>>> + Send + Sync>;

impl Deref for Module {
    type Target = ModuleData;
    #[inline(always)]
    fn deref(&self) -> &ModuleData {
        &self.0
    }
}

impl Module {
    /// Returns another reference to the same module.
    pub fn another(&self) -> Arc<Module> {
        Arc::new(Module(self.0.clone()))
    }

    pub fn compile(engine: &Arc<Engine>, wasm: &[u8]) -> Result<Arc<Module>> {
        with_transformed(engine, wasm, |wasm| {
            let Some(metering) = &engine.metering else {
                return Module::compile_transformed(engine, wasm);
            };
            // What is wrong with a module is said of the original, and what metering adds does not make it right.
            check(engine, wasm)?;
            Module::compile_transformed(engine, &metering.apply(wasm)?).map_err(of_metered)
        })
    }

    fn compile_transformed(engine: &Arc<Engine>, wasm: &[u8]) -> Result<Arc<Module>> {
        preamble::check(wasm)?;
        let settings = if engine.cache.is_some() { engine.inner.code_settings() } else { None };
        let (Some(cache), Some(settings)) = (&engine.cache, settings) else {
            return Module::compile_bounded(engine, wasm);
        };
        let entry = cache.entry(engine, &settings, wasm);
        // SAFETY: the folder is one of the program's own, which nobody else may write to; the copy stays as it is.
        let load = |copy| unsafe {
            match copy {
                Copy::File(mapped) => Module::load(engine, &mapped),
                Copy::Bytes(bytes) => Module::deserialize(engine, &bytes),
            }
        };
        if let Some(module) = entry.load(load) {
            return Ok(module);
        }
        let module = Module::compile_bounded(engine, wasm)?;
        if let Ok([image, envelope]) = module.serialize() {
            entry.keep(&[&image, &envelope]);
        }
        Ok(module)
    }

    fn compile_bounded(engine: &Arc<Engine>, wasm: &[u8]) -> Result<Arc<Module>> {
        // Metered modules were checked before they became that.
        if engine.metering.is_none() {
            engine.module_limits.check(wasm, engine.inner.compiles())?;
        }
        Module::compile_unbounded(engine, wasm)
    }

    /// Compiles a module without checking the engine's limits of modules.
    pub(super) fn compile_unbounded(engine: &Arc<Engine>, wasm: &[u8]) -> Result<Arc<Module>> {
        // In the default floating-point mode, because compilers evaluate constants.
        let inner = float_mode::with_default(|| engine.inner.compile(wasm)).map_err(|error| located(wasm, error))?;
        let declarations = Declarations::parse(wasm)?;
        Ok(Module::new(engine, inner, declarations))
    }

    fn new(engine: &Arc<Engine>, inner: Box<dyn engine_traits::Module>, mut declarations: Declarations) -> Arc<Module> {
        if declarations.are_inexact() {
            declarations.refine(inner.import_types(), |name| inner.export_type(name));
        }
        engine.module_made();
        let name = Mutex::new(declarations.module_name().map(|name| name.as_bytes().into()));
        Arc::new(Module(Arc::new(ModuleData { engine: engine.clone(), inner, declarations, name })))
    }

    /// Returns the module's name, if it has one.
    pub fn name(&self) -> Option<Box<[u8]>> {
        self.name.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn set_name(&self, name: Option<&[u8]>) {
        *self.name.lock().unwrap_or_else(PoisonError::into_inner) = name.map(Box::from);
    }

    /// Returns a smallest set of the engine's proposals with which a module is valid.
    pub fn required_proposals(engine: &Engine, wasm: &[u8]) -> Result<Vec<Proposal>> {
        preamble::check(wasm)?;
        engine.module_limits.check(wasm, engine.inner.compiles())?;
        let mut options = Options::default();
        let all = || Proposal::all().filter(|proposal| engine.backend.has(*proposal));
        all().for_each(|proposal| options.set_proposal(proposal, true));
        let valid = |options: &Options| engine.backend.new_engine(options)?.validate(wasm);
        valid(&options).map_err(|error| located(wasm, error))?;
        let mut required = Vec::new();
        // Backwards, because later proposals are built on earlier ones. An engine that cannot do without one of these
        // while it has others cannot be made; then the module needs it for these.
        for proposal in all().collect::<Vec<_>>().into_iter().rev() {
            options.set_proposal(proposal, false);
            if valid(&options).is_err() {
                options.set_proposal(proposal, true);
                required.push(proposal);
            }
        }
        required.reverse();
        Ok(required)
    }

    pub fn validate(engine: &Engine, wasm: &[u8]) -> Result<()> {
        with_transformed(engine, wasm, |wasm| {
            check(engine, wasm)?;
            Declarations::parse(wasm)?;
            let Some(metering) = &engine.metering else { return Ok(()) };
            let wasm = metering.apply(wasm)?;
            engine.inner.validate(&wasm).map_err(|error| of_metered(located(&wasm, error)))
        })
    }

    /// Returns two pieces, which one after the other are what [`Module::deserialize`] reads.
    pub fn serialize(&self) -> Result<[Cow<'_, [u8]>; 2]> {
        Ok(artifact::write(&maker(&self.engine), &self.declarations.outline, self.inner.serialize()?))
    }

    /// # Safety
    /// `bytes` came from [`Module::serialize`], or at least from a source that is as trustworthy as the program
    /// itself: an artifact holds machine code, and its checksum protects against damage, not against malice.
    pub unsafe fn deserialize(engine: &Arc<Engine>, bytes: &[u8]) -> Result<Arc<Module>> {
        let Contents { outline, image, rest } = artifact::read(&maker(engine), bytes)?;
        // SAFETY: the contract says that the artifact can be trusted, and its envelope says that this version of the
        // library wrote it for an engine with these settings.
        let inner = float_mode::with_default(|| unsafe { engine.inner.deserialize(image, rest) })?;
        Module::loaded(engine, inner, outline)
    }

    /// Makes a module from a file that [`Module::serialize_to_file`] wrote, whose code is used in place where the
    /// engine can do so.
    ///
    /// # Safety
    /// As for [`Module::deserialize`]. Nothing changes the file while the module is in use; it may be replaced and
    /// removed.
    pub unsafe fn deserialize_file(engine: &Arc<Engine>, path: &Path) -> Result<Arc<Module>> {
        // SAFETY: the contract says that the file stays as it is.
        let mapped = unsafe { Mapped::open(path) }?;
        // SAFETY: the same contract.
        unsafe { Module::load(engine, &mapped) }.map_err(|error| in_file(error, path))
    }

    /// # Safety
    /// As for [`Module::deserialize_file`].
    unsafe fn load(engine: &Arc<Engine>, mapped: &Mapped) -> Result<Arc<Module>> {
        let Contents { outline, image, rest } = artifact::read(&maker(engine), mapped)?;
        // SAFETY: as for `deserialize`, and the contract says that the file stays as it is.
        let load = || unsafe { engine.inner.deserialize_file(&mapped.file, image, rest) };
        let inner = float_mode::with_default(load)?;
        Module::loaded(engine, inner, outline)
    }

    fn loaded(engine: &Arc<Engine>, inner: Box<dyn engine_traits::Module>, outline: &[u8]) -> Result<Arc<Module>> {
        Ok(Module::new(engine, inner, Declarations::parse(outline)?))
    }

    /// Compiles a module from a file.
    pub fn compile_file(engine: &Arc<Engine>, path: &Path) -> Result<Arc<Module>> {
        Module::compile(engine, &file::read(path)?).map_err(|error| in_file(error, path))
    }

    /// Writes a file that [`Module::deserialize_file`] reads, and also [`Module::deserialize`].
    pub fn serialize_to_file(&self, path: &Path) -> Result<()> {
        let [image, envelope] = self.serialize()?;
        file::write(path, 0o666, &[&image, &envelope])
    }
}

/// Calls `body` with what the engine's transforms make of a module.
fn with_transformed<T>(engine: &Engine, wasm: &[u8], body: impl FnOnce(&[u8]) -> Result<T>) -> Result<T> {
    let mut wasm = Cow::Borrowed(wasm);
    for transform in &engine.transforms {
        if let Some(changed) = transform(&wasm)? {
            wasm = Cow::Owned(changed);
        }
    }
    body(&wasm).map_err(|mut error| {
        if let Cow::Owned(_) = wasm {
            error.message.insert_str(0, "after the host's transformation of the module: ");
        }
        error
    })
}

/// Checks that a module is within the engine's limits and valid.
fn check(engine: &Engine, wasm: &[u8]) -> Result<()> {
    preamble::check(wasm)?;
    engine.module_limits.check(wasm, engine.inner.compiles())?;
    engine.inner.validate(wasm).map_err(|error| located(wasm, error))
}

fn of_metered(mut error: Error) -> Error {
    error.message.insert_str(0, "after the module was changed for metering: ");
    error
}

fn in_file(mut error: Error, path: &Path) -> Error {
    error.message.push_str(&format!(", in the file \"{}\"", path.display()));
    error
}

/// What a module of the engine says of where it comes from: it is not loaded where others are made.
pub(super) fn maker(engine: &Engine) -> Maker<'static> {
    let metering = if engine.metering.is_some() { ", metering" } else { "" };
    Maker { backend: engine.backend.name(), settings: engine.inner.settings() + metering }
}

impl Drop for ModuleData {
    fn drop(&mut self) {
        self.engine.module_gone();
    }
}
