//! The `wasmtime` backend: compiles WebAssembly to machine code.

mod config;
mod store;
mod types;

use super::{Backend, Engine, Module, Store};
use crate::runtime::config::{Options, Setting};
use crate::runtime::error::{Error, ErrorKind, Result};
use crate::runtime::store::Store as RuntimeStore;
use crate::runtime::trap_sites::TrapSites;
use std::borrow::Cow;
use std::ffi::CStr;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ptr::NonNull;
use std::sync::{Arc, OnceLock};

pub struct Wasmtime;

impl Backend for Wasmtime {
    fn name(&self) -> &'static CStr {
        c"wasmtime"
    }

    fn can(&self, _setting: Setting) -> bool {
        true
    }

    fn new_engine(&self, options: &Options) -> Result<Box<dyn Engine>> {
        let mut config = wasmtime::Config::new();
        config::translate(self, options, &mut config)?;
        let engine = wasmtime::Engine::new(&config).map_err(|error| config::refusal(options, &error))?;
        let may_be_foreign = options.target.is_some() || !options.cpu_features.is_empty();
        let foreign =
            may_be_foreign && config::is_foreign(&engine).map_err(|error| config::refusal(options, &error))?;
        Ok(Box::new(WasmtimeEngine { engine, interruption: options.interruption, foreign }))
    }
}

struct WasmtimeEngine {
    engine: wasmtime::Engine,
    interruption: bool,
    /// Whether it compiles for machines that this one is not.
    foreign: bool,
}

struct WasmtimeModule {
    code: Code,
    trap_sites: Arc<TrapSites>,
}

enum Code {
    Module(wasmtime::Module),
    /// The engine's artifact, for another machine.
    Foreign(Vec<u8>),
}

impl Engine for WasmtimeEngine {
    fn settings(&self) -> String {
        // The engine's own artifacts say what they were compiled for and with, and it refuses what does not fit; but of its
        // version it looks at the first number alone.
        let mut hasher = DefaultHasher::new();
        wasmtime::ModuleVersionStrategy::WasmtimeVersion.hash(&mut hasher);
        format!("wasmtime {:016x}", hasher.finish())
    }

    fn compile(&self, wasm: &[u8]) -> Result<Box<dyn Module>> {
        let compile = || match self.foreign {
            false => wasmtime::Module::from_binary(&self.engine, wasm).map(Code::Module),
            true => self.engine.precompile_module(wasm).map(Code::Foreign),
        };
        let code = with_pool(compile)?;
        // Of an invalid module, validation speaks more plainly than compilation.
        let code =
            code.map_err(|error| self.validate(wasm).err().unwrap_or_else(|| in_words(ErrorKind::Compile, &error)))?;
        Ok(Box::new(WasmtimeModule { code, trap_sites: Arc::new(TrapSites::of(wasm)) }))
    }

    fn validate(&self, wasm: &[u8]) -> Result<()> {
        let validate = || wasmtime::Module::validate(&self.engine, wasm);
        with_pool(validate)?.map_err(|error| in_words(ErrorKind::Compile, &error))
    }

    unsafe fn deserialize(&self, artifact: &[u8]) -> Result<Box<dyn Module>> {
        let damaged = || Error::new(ErrorKind::Artifact, "the serialized module is damaged");
        let (length, rest) = artifact.split_first_chunk::<4>().ok_or_else(damaged)?;
        let (sites, code) = rest.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or_else(damaged)?;
        let trap_sites = Arc::new(TrapSites::from_bytes(sites).ok_or_else(damaged)?);
        // SAFETY: as promised by the caller.
        let module = unsafe { wasmtime::Module::deserialize(&self.engine, code) }
            .map_err(|error| in_words(ErrorKind::Artifact, &error))?;
        Ok(Box::new(WasmtimeModule { code: Code::Module(module), trap_sites }))
    }

    unsafe fn new_store(&self, owner: NonNull<RuntimeStore>) -> Result<Box<dyn Store>> {
        Ok(Box::new(store::WasmtimeStore::new(&self.engine, owner, self.interruption)))
    }

    fn compiles(&self) -> bool {
        true
    }

    fn ticks(&self) -> bool {
        true
    }

    fn tick(&self) {
        self.engine.increment_epoch();
    }
}

/// Runs `body`, which compiles or validates, with a pool of threads that works.
fn with_pool<R: Send>(body: impl FnOnce() -> R + Send) -> Result<R> {
    if in_compiling_process() { Ok(body()) } else { in_this_thread(body) }
}

/// Whether this is the process that compiled first. The engine compiles in a pool of threads, which a fork leaves behind.
fn in_compiling_process() -> bool {
    static PROCESS: OnceLock<u32> = OnceLock::new();
    let process = std::process::id();
    *PROCESS.get_or_init(|| process) == process
}

/// Runs `body` with this thread for a pool, which it stays once it is one.
fn in_this_thread<R: Send>(body: impl FnOnce() -> R + Send) -> Result<R> {
    if rayon::current_thread_index().is_some() {
        return Ok(body());
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build();
    let pool = pool.map_err(|error| Error::new(ErrorKind::Limit, error.to_string()))?;
    let pool = std::mem::ManuallyDrop::new(pool);
    Ok(pool.install(body))
}

impl Module for WasmtimeModule {
    /// The trap sites, preceded by their length, then the engine's artifact.
    fn serialize(&self) -> Result<[Cow<'_, [u8]>; 2]> {
        let code = match &self.code {
            Code::Module(module) => image(module),
            Code::Foreign(artifact) => artifact,
        };
        let sites = self.trap_sites.to_bytes();
        let sites = [&(sites.len() as u32).to_le_bytes()[..], &sites].concat();
        Ok([sites.into(), code.into()])
    }

    fn identity(&self) -> usize {
        match &self.code {
            Code::Module(module) => identity(module),
            // It has no frames, since it does not run.
            Code::Foreign(_) => 0,
        }
    }
}

/// The engine's artifact where it is: `serialize` would copy it.
fn image(module: &wasmtime::Module) -> &[u8] {
    let range = module.image_range();
    // SAFETY: the module keeps it, and nobody writes to it.
    unsafe { std::slice::from_raw_parts(range.start, range.end.addr() - range.start.addr()) }
}

/// The address of a module's code: no other living module has it.
fn identity(module: &wasmtime::Module) -> usize {
    module.image_range().start as usize
}

/// An engine's error with its causes, in one line.
fn in_words(kind: ErrorKind, error: &wasmtime::Error) -> Error {
    Error::new(kind, format!("{error:#}"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_image_is_what_the_engine_serializes() {
        let wasm = wat::parse_str("(module (func) (memory 1) (data (i32.const 9) \"some\"))").expect("valid text");
        let module = wasmtime::Module::new(&wasmtime::Engine::default(), wasm).expect("a valid module");
        assert_eq!(super::image(&module), module.serialize().expect("an artifact"));
    }
}
