//! The `wasmtime` backend: compiles WebAssembly to machine code.

mod beyond;
mod config;
mod creator;
mod images;
mod messages;
mod pool;
mod stack;
mod store;
mod types;

use self::images::Image;
use crate::backend::common::on_module;
use crate::runtime::base::error::{Error, ErrorKind, Result};
use crate::runtime::base::options::{Options, Proposal, Setting};
use crate::runtime::base::types::{ExternType, Limits, MemoryType};
use crate::runtime::binary::artifact::Payload;
use crate::runtime::binary::bulk::{self, Places, Replaced};
use crate::runtime::binary::sections::Payloads;
use crate::runtime::binary::trap_sites::TrapSites;
use crate::runtime::core::engine_traits::{Backend, Engine, Module, Store};
use crate::runtime::core::store::Store as RuntimeStore;
use messages::in_words;
use std::ffi::CStr;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ptr::NonNull;
use std::sync::Arc;

pub struct Wasmtime;

/// The engine's version, which the crate of its compiler exports; the two are released together.
const VERSION: &CStr = {
    const TEXT: &str = wasmtime_environ::VERSION;
    const BYTES: &[u8] = &{
        let mut bytes = [0; TEXT.len() + 1];
        bytes.split_at_mut(TEXT.len()).0.copy_from_slice(TEXT.as_bytes());
        bytes
    };
    match CStr::from_bytes_with_nul(BYTES) {
        Ok(version) => version,
        Err(_) => panic!("the version has a zero in it"),
    }
};

impl Backend for Wasmtime {
    fn name(&self) -> &'static CStr {
        c"wasmtime"
    }

    fn can(&self, setting: Setting) -> bool {
        // Named one by one, so that a new setting is not ignored: `config::translate` has to apply each of these.
        match setting {
            Setting::Compiler
            | Setting::Optimization
            | Setting::Fuel
            | Setting::Interruption
            | Setting::MaxWasmStack
            | Setting::MemoryReservation
            | Setting::MemoryGuard
            | Setting::CopyOnWrite
            | Setting::Pooling
            | Setting::ParallelCompilation
            | Setting::DebugInfo
            | Setting::Profiling
            | Setting::Deterministic
            | Setting::Target
            | Setting::CpuFeatures
            | Setting::MemoryCreator => true,
        }
    }

    fn version(&self) -> &'static CStr {
        VERSION
    }

    fn has(&self, _proposal: Proposal) -> bool {
        true
    }

    fn new_engine(&self, options: &Options) -> Result<Box<dyn Engine>> {
        let mut config = wasmtime::Config::new();
        config::translate(self, options, &mut config)?;
        let engine = wasmtime::Engine::new(&config).map_err(|error| config::refusal(options, &error))?;
        let may_be_foreign = options.target.is_some() || !options.cpu_features.is_empty();
        let foreign = may_be_foreign
            && pool::run(0, || config::is_foreign(&engine)).map_err(|error| config::refusal(options, &error))?;
        // The workaround in `images` needs this proposal.
        let avoidable = !options.proposals.contains(&(Proposal::ExtendedConst, false));
        let types = Arc::new(types::Types::new(&engine));
        Ok(Box::new(WasmtimeEngine {
            engine,
            types,
            fuel: options.fuel,
            // The positions in debug info would be wrong after a rewriting.
            replaced: Replaced {
                bulk: options.fuel && !options.debug_info,
                waits: options.interruption && !options.debug_info,
            },
            interruption: options.interruption,
            stack: options.max_wasm_stack.unwrap_or(stack::DEFAULT_STACK),
            probe: stack::Probe::default(),
            foreign,
            parallel: options.parallel_compilation != Some(false),
            images: !foreign && options.copy_on_write != Some(false) && options.memory_creator.is_none() && avoidable,
        }))
    }
}

struct WasmtimeEngine {
    engine: wasmtime::Engine,
    types: Arc<types::Types>,
    fuel: bool,
    /// The instructions that calls take the place of.
    replaced: Replaced,
    interruption: bool,
    /// The most stack that guests may use.
    stack: usize,
    probe: stack::Probe,
    /// Whether it compiles for another machine than this one.
    foreign: bool,
    /// Whether it compiles on several threads.
    parallel: bool,
    /// Whether it makes images of the data in modules, and can be kept from making one.
    images: bool,
}

impl WasmtimeEngine {
    /// Runs `body` on threads where it can use the engine's parallelism. It takes as long as compiling `bytes` bytes
    /// of a module.
    fn work<R: Send>(&self, bytes: usize, body: impl FnOnce() -> R + Send) -> R {
        if self.parallel { pool::run(bytes, body) } else { body() }
    }

    /// Compiles a valid module for this machine.
    fn compile_here(&self, wasm: &[u8]) -> wasmtime::Result<wasmtime::Module> {
        let Some(image) = self.images.then(|| Image::of(wasm)).flatten() else {
            return wasmtime::Module::from_binary(&self.engine, wasm);
        };
        if !images::descriptor_to_spare() {
            return wasmtime::Module::from_binary(&self.engine, &image.avoided(wasm));
        }
        let module = wasmtime::Module::from_binary(&self.engine, wasm)?;
        // Makes the image now, so that the next module knows whether a descriptor is left for its own. If this fails,
        // another thread has taken the last one, and the engine tries again when the module is instantiated.
        let _ = module.initialize_copy_on_write_image();
        Ok(module)
    }

    fn check(&self, wasm: &[u8]) -> Result<()> {
        wasmtime::Module::validate(&self.engine, wasm).map_err(|error| in_words(ErrorKind::Compile, &error))?;
        beyond::check(wasm)
    }
}

struct WasmtimeModule {
    code: Code,
    types: Arc<types::Types>,
    sites: Arc<Sites>,
}

/// Information on places in a module's code.
#[derive(Default)]
struct Sites {
    places: Places,
    traps: TrapSites,
    has_start: bool,
}

impl Sites {
    fn is_empty(&self) -> bool {
        self.places.is_empty() && self.traps.is_empty()
    }
}

enum Code {
    /// A module, and the length of its image. What is mapped from a file may be longer.
    Module(wasmtime::Module, usize),
    /// The engine's artifact for another machine.
    Foreign(Vec<u8>),
}

impl Engine for WasmtimeEngine {
    fn settings(&self) -> String {
        // The engine's artifacts contain what they were compiled for and with, and the engine refuses those that do
        // not fit. But of its version it only compares the first number, and it has words of its own for fuel and
        // interruption.
        let mut hasher = DefaultHasher::new();
        wasmtime::ModuleVersionStrategy::WasmtimeVersion.hash(&mut hasher);
        let fuel = if self.fuel { ", fuel" } else { "" };
        let interruption = if self.interruption { ", interruption" } else { "" };
        format!("wasmtime {:016x}{fuel}{interruption}", hasher.finish())
    }

    fn compile(&self, wasm: &[u8]) -> Result<Box<dyn Module>> {
        // After a panic the engine is as usable as after an error: it forgets what it was compiling.
        let (code, places) = on_module("wasmtime", || {
            self.work(wasm.len(), || {
                // Checks the whole module before any of it is compiled. Otherwise the engine would find an invalid
                // function only when it compiles it.
                self.check(wasm)?;
                let metered = bulk::rewrite(wasm, self.replaced)?.done();
                let (binary, places) = match &metered {
                    Some(metered) => (&metered.wasm[..], metered.places.clone()),
                    None => (wasm, Places::default()),
                };
                let code = match self.foreign {
                    false => self.compile_here(binary).map(|module| {
                        let length = mapped(&module).len();
                        Code::Module(module, length)
                    }),
                    true => self.engine.precompile_module(binary).map(Code::Foreign),
                };
                Ok((code.map_err(|error| in_words(ErrorKind::Compile, &error))?, places))
            })
        })?;
        let sites = Sites { places, traps: TrapSites::of(wasm), has_start: has_start(wasm) };
        Ok(Box::new(WasmtimeModule { code, types: self.types.clone(), sites: Arc::new(sites) }))
    }

    fn validate(&self, wasm: &[u8]) -> Result<()> {
        // Compiling takes a hundred times as long as validating.
        self.work(wasm.len() / 100, || self.check(wasm))
    }

    unsafe fn deserialize(&self, image: &[u8], rest: &[u8]) -> Result<Box<dyn Module>> {
        // SAFETY: the contract says that an engine of the same version and settings made the artifact.
        let module = unsafe { wasmtime::Module::deserialize(&self.engine, image) };
        deserialized(module, &self.types, image, rest)
    }

    unsafe fn deserialize_file(&self, file: &File, image: &[u8], rest: &[u8]) -> Result<Box<dyn Module>> {
        // A module from a file keeps it open.
        let file = if images::descriptor_to_spare() { file.try_clone().ok() } else { None };
        let module = match file {
            // SAFETY: as for `deserialize`, and the contract says that the file stays as it is.
            Some(file) => unsafe { wasmtime::Module::deserialize_open_file(&self.engine, file) },
            // SAFETY: as for `deserialize`.
            None => unsafe { wasmtime::Module::deserialize(&self.engine, image) },
        };
        deserialized(module, &self.types, image, rest)
    }

    fn runs_here(&self) -> bool {
        !self.foreign
    }

    unsafe fn new_store(&self, owner: NonNull<RuntimeStore>) -> Result<Box<dyn Store>> {
        let WasmtimeEngine { engine, types, fuel, interruption, stack, .. } = self;
        Ok(Box::new(store::WasmtimeStore::new(engine, types, owner, *fuel, *interruption, *stack)))
    }

    fn compiles(&self) -> bool {
        true
    }

    fn code_settings(&self) -> Option<String> {
        // What is compiled for another machine cannot be loaded here.
        (!self.foreign).then(|| {
            let mut hasher = DefaultHasher::new();
            self.engine.precompile_compatibility_hash().hash(&mut hasher);
            format!("{:016x} {:?} {}", hasher.finish(), self.replaced, self.images)
        })
    }

    fn ticks(&self) -> bool {
        true
    }

    fn tick(&self) {
        self.engine.increment_epoch();
    }
}

impl Module for WasmtimeModule {
    /// Returns the engine's artifact as the image. The rest is the places, the trap sites and whether there is a start
    /// function, each with its length before it.
    fn serialize(&self) -> Result<Payload<'_>> {
        let image = match &self.code {
            Code::Module(module, length) => &mapped(module)[..*length],
            Code::Foreign(artifact) => artifact,
        };
        let mut sites = Vec::new();
        for part in [self.sites.places.to_bytes(), self.sites.traps.to_bytes(), vec![self.sites.has_start.into()]] {
            sites.extend((part.len() as u32).to_le_bytes());
            sites.extend(part);
        }
        Ok(Payload { image: image.into(), rest: sites.into() })
    }

    fn code_bytes(&self) -> usize {
        match &self.code {
            Code::Module(_, length) => *length,
            Code::Foreign(artifact) => artifact.len(),
        }
    }

    fn identity(&self) -> usize {
        match &self.code {
            Code::Module(module, _) => identity(module),
            // A module that does not run has no frames.
            Code::Foreign(_) => 0,
        }
    }

    fn import_types(&self) -> Option<Vec<ExternType>> {
        let Code::Module(module, _) = &self.code else { return None };
        // Memories stay as they were declared.
        let memory = || ExternType::Memory(MemoryType::new(Limits::new(0, None)));
        let types = module.imports().map(|import| self.types.runtime_extern_type(&import.ty()).unwrap_or_else(memory));
        Some(types.collect())
    }

    fn export_type(&self, name: &str) -> Option<ExternType> {
        let Code::Module(module, _) = &self.code else { return None };
        self.types.runtime_extern_type(&module.get_export(name)?)
    }
}

fn has_start(wasm: &[u8]) -> bool {
    Payloads::of(wasm).without_code().any(|payload| matches!(payload, wasmparser::Payload::StartSection { .. }))
}

/// Returns a module from what the engine made of its image.
fn deserialized(
    module: wasmtime::Result<wasmtime::Module>,
    types: &Arc<types::Types>,
    image: &[u8],
    rest: &[u8],
) -> Result<Box<dyn Module>> {
    let damaged = || Error::new(ErrorKind::Artifact, "the serialized module is damaged");
    let (places, rest) = split_part(rest).ok_or_else(damaged)?;
    let (traps, rest) = split_part(rest).ok_or_else(damaged)?;
    let (has_start, _) = split_part(rest).ok_or_else(damaged)?;
    let places = Places::from_bytes(places).ok_or_else(damaged)?;
    let traps = TrapSites::from_bytes(traps).ok_or_else(damaged)?;
    let sites = Arc::new(Sites { places, traps, has_start: has_start == [1] });
    let module = module.map_err(|error| in_words(ErrorKind::Artifact, &error))?;
    Ok(Box::new(WasmtimeModule { code: Code::Module(module, image.len()), types: types.clone(), sites }))
}

/// Splits off a part that has its length before it. Returns the part and the rest.
fn split_part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}

/// Returns the memory of a module's image, which `serialize` would copy.
fn mapped(module: &wasmtime::Module) -> &[u8] {
    let range = module.image_range();
    // SAFETY: the module keeps this memory, and nothing writes to it.
    unsafe { std::slice::from_raw_parts(range.start, range.end.addr() - range.start.addr()) }
}

/// Returns the address of a module's code, which no other live module has.
fn identity(module: &wasmtime::Module) -> usize {
    module.image_range().start as usize
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_image_is_what_the_engine_serializes() {
        let wasm = wat::parse_str("(module (func) (memory 1) (data (i32.const 9) \"some\"))").expect("valid text");
        let module = wasmtime::Module::new(&wasmtime::Engine::default(), wasm).expect("a valid module");
        assert_eq!(super::mapped(&module), module.serialize().expect("an artifact"));
    }
}
