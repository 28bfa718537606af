//! The `wasmi` backend: a portable interpreter, quick to start and small.

mod calls;
mod constants;
mod memories;
mod messages;
mod rewrite;
mod shards;
mod store;
mod types;
mod zeros;

use crate::backend::common::on_module;
use crate::runtime::base::error::{Error, ErrorKind, Result};
use crate::runtime::base::float_mode;
use crate::runtime::base::options::{Compiler, Options, Proposal, Setting, unsupported};
use crate::runtime::binary::artifact::Payload;
use crate::runtime::core::engine_traits::{Backend, Engine, Module, Store};
use crate::runtime::core::store::Store as RuntimeStore;
use messages::{in_words, untranslatable, without_place};
use rewrite::{Mode, Names, OwnMemories, Refusal};
use shards::{PerShard, Shard, Shards};
use std::borrow::Cow;
use std::ffi::CStr;
use std::ptr::NonNull;
use wasmi::CompilationMode;

pub struct Wasmi;

/// The engine's version, which its crate does not export.
const VERSION: &CStr = c"2.0.0";

/// Bytes of the engine's stack for each nested call; the ratio of its default limits.
const STACK_PER_CALL: usize = 1000;

impl Backend for Wasmi {
    fn name(&self) -> &'static CStr {
        c"wasmi"
    }

    fn can(&self, setting: Setting) -> bool {
        match setting {
            // `new_engine` has to apply each of these.
            Setting::Compiler | Setting::Fuel | Setting::Interruption | Setting::MaxWasmStack => true,
            Setting::Optimization
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
            | Setting::MemoryCreator => false,
        }
    }

    fn version(&self) -> &'static CStr {
        VERSION
    }

    fn has(&self, proposal: Proposal) -> bool {
        self.set_proposal(&mut wasmi::Config::default(), proposal, true).is_ok()
    }

    fn new_engine(&self, options: &Options) -> Result<Box<dyn Engine>> {
        let mut config = wasmi::Config::default();
        config.wasm_wide_arithmetic(true);
        config.consume_fuel(options.fuel || options.interruption);
        config.compilation_mode(self.compilation_mode(options)?);
        if let Some(bytes) = options.max_wasm_stack {
            config.set_min_stack_height(bytes.min(STACK_PER_CALL));
            config.set_max_stack_height(bytes);
            config.set_max_recursion_depth((bytes / STACK_PER_CALL).max(1));
        }
        for (proposal, enabled) in &options.proposals {
            self.set_proposal(&mut config, *proposal, *enabled)?;
        }
        // The code that is added to modules may use these.
        let used = [Proposal::MutableGlobal, Proposal::BulkMemory, Proposal::ReferenceTypes];
        let lacking = options.proposals.iter().any(|(proposal, enabled)| used.contains(proposal) && !enabled);
        let validator = lacking.then(|| wasmi::Engine::new(&config));
        config.wasm_mutable_global(true).wasm_bulk_memory(true).wasm_reference_types(true);
        let shards = Shards::new(&config, options.max_shards);
        let (fuel, interruption, proposals) = (options.fuel, options.interruption, Proposals::of(options));
        Ok(Box::new(WasmiEngine { shards, validator, fuel, interruption, proposals }))
    }
}

impl Wasmi {
    fn compilation_mode(&self, options: &Options) -> Result<CompilationMode> {
        let metered = options.fuel || options.interruption;
        Ok(match options.compiler {
            // Not the engine's own default, which is lazy. Its translator panics on some modules; in lazy mode it
            // would do so in the middle of a call, where a panic ends the process.
            None | Some(Compiler::Eager) => CompilationMode::Eager,
            // Lazy translation would happen in the middle of calls, and be charged to the guest's fuel.
            Some(compiler) if metered && matches!(compiler, Compiler::Lazy | Compiler::LazyTranslation) => {
                let name = compiler.name();
                return Err(unsupported(
                    self.name(),
                    &format!("the compiler \"{name}\" together with fuel or interruption"),
                ));
            }
            Some(Compiler::LazyTranslation) => CompilationMode::LazyTranslation,
            Some(Compiler::Lazy) => CompilationMode::Lazy,
            Some(other) => return Err(unsupported(self.name(), &format!("the compiler \"{}\"", other.name()))),
        })
    }

    fn set_proposal(&self, config: &mut wasmi::Config, proposal: Proposal, enabled: bool) -> Result<()> {
        match proposal {
            Proposal::MutableGlobal => config.wasm_mutable_global(enabled),
            Proposal::SignExtension => config.wasm_sign_extension(enabled),
            Proposal::SaturatingFloatToInt => config.wasm_saturating_float_to_int(enabled),
            Proposal::MultiValue => config.wasm_multi_value(enabled),
            Proposal::BulkMemory => config.wasm_bulk_memory(enabled),
            Proposal::ReferenceTypes => config.wasm_reference_types(enabled),
            Proposal::Simd => config.wasm_simd(enabled),
            Proposal::RelaxedSimd => config.wasm_relaxed_simd(enabled),
            Proposal::TailCall => config.wasm_tail_call(enabled),
            Proposal::ExtendedConst => config.wasm_extended_const(enabled),
            Proposal::MultiMemory => config.wasm_multi_memory(enabled),
            Proposal::Memory64 => config.wasm_memory64(enabled),
            Proposal::WideArithmetic => config.wasm_wide_arithmetic(enabled),
            Proposal::CustomPageSizes => config.wasm_custom_page_sizes(enabled),
            other if enabled => return Err(unsupported(self.name(), &format!("the proposal \"{}\"", other.name()))),
            _ => config,
        };
        Ok(())
    }
}

/// The proposals that modules may use, a bit for the number of each.
#[derive(Clone, Copy)]
struct Proposals(u32);

impl Proposals {
    fn of(options: &Options) -> Proposals {
        const OFF: [Proposal; 5] = [
            Proposal::CustomPageSizes,
            Proposal::Exceptions,
            Proposal::FunctionReferences,
            Proposal::Gc,
            Proposal::Threads,
        ];
        let mut proposals = Proposals(!0);
        OFF.iter().for_each(|proposal| proposals.set(*proposal, false));
        options.proposals.iter().for_each(|(proposal, enabled)| proposals.set(*proposal, *enabled));
        proposals
    }

    fn set(&mut self, proposal: Proposal, enabled: bool) {
        let bit = 1 << proposal as u32;
        self.0 = if enabled { self.0 | bit } else { self.0 & !bit };
    }

    fn contains(self, proposal: Proposal) -> bool {
        self.0 & 1 << proposal as u32 != 0
    }

    /// Returns their numbers.
    fn numbers(self) -> Vec<u8> {
        Proposal::all().filter(|proposal| self.contains(*proposal)).map(|proposal| proposal as u8).collect()
    }
}

struct WasmiEngine {
    shards: Shards,
    /// An engine to validate with, if those of the shards have to accept more than was configured.
    validator: Option<wasmi::Engine>,
    fuel: bool,
    interruption: bool,
    proposals: Proposals,
}

struct WasmiModule {
    translated: PerShard<Result<wasmi::Module>>,
    /// The module itself, which is what gets serialized, because the engine cannot return its code.
    wasm: Box<[u8]>,
    /// What the module may use.
    proposals: Proposals,
    /// The exports that were added to the module.
    names: Names,
    memories: OwnMemories,
}

impl Engine for WasmiEngine {
    fn settings(&self) -> String {
        let fuel = if self.fuel { ", fuel" } else { "" };
        let interruption = if self.interruption { ", interruption" } else { "" };
        format!("wasmi{fuel}{interruption}")
    }

    fn compile(&self, wasm: &[u8]) -> Result<Box<dyn Module>> {
        let shard = self.shards.nearest();
        let (module, names, memories) = self.translated(wasm, shard)?;
        let translated = PerShard::new(shard.index, Ok(module));
        Ok(Box::new(WasmiModule { translated, wasm: wasm.into(), proposals: self.proposals, names, memories }))
    }

    fn validate(&self, wasm: &[u8]) -> Result<()> {
        self.is_valid(wasm)?;
        // The engine does not translate every valid module.
        self.translated(wasm, self.shards.nearest()).map(drop)
    }

    unsafe fn deserialize(&self, _image: &[u8], rest: &[u8]) -> Result<Box<dyn Module>> {
        let damaged = || Error::new(ErrorKind::Artifact, "the serialized module is damaged");
        let (count, rest) = rest.split_first().ok_or_else(damaged)?;
        let (proposals, wasm) = rest.split_at_checked(usize::from(*count)).ok_or_else(damaged)?;
        let proposals = proposals.iter().map(|number| Proposal::from_number(u32::from(*number)));
        let has = |proposal: &Option<Proposal>| proposal.is_some_and(|proposal| self.proposals.contains(proposal));
        if let Some(missing) = proposals.into_iter().find(|proposal| !has(proposal)) {
            let name = missing.map_or("unknown", Proposal::name);
            let message = format!(
                "the serialized module was made with the proposal \"{name}\", which is disabled in this engine"
            );
            return Err(Error::new(ErrorKind::Artifact, message));
        }
        self.compile(wasm)
    }

    unsafe fn new_store(&self, owner: NonNull<RuntimeStore>) -> Result<Box<dyn Store>> {
        let slices = self.interruption.then(|| store::Slices::new(self.fuel));
        Ok(Box::new(store::WasmiStore::new(owner, slices)))
    }
}

impl Module for WasmiModule {
    fn serialize(&self) -> Result<Payload<'_>> {
        // The number of proposals, the proposals, then the module.
        let proposals = self.proposals.numbers();
        let rest = [&[proposals.len() as u8], &proposals[..], &self.wasm].concat();
        Ok(Payload { image: Cow::Borrowed(&[]), rest: rest.into() })
    }

    /// The engine does not tell the size of its own code, which grows with the module.
    fn code_bytes(&self) -> usize {
        self.wasm.len()
    }

    /// The engine reports no frames.
    fn identity(&self) -> usize {
        0
    }
}

impl WasmiModule {
    /// Returns the module for instances in a shard, in which it is translated the first time.
    fn for_shard<'e>(&self, shard: &Shard, engine: impl Fn() -> &'e WasmiEngine) -> Result<&wasmi::Module> {
        let translate = || {
            // In the default floating-point mode, as when the module was made.
            float_mode::with_default(|| engine().translated(&self.wasm, shard)).map(|(module, ..)| module)
        };
        let translated = self.translated.get_or_make(shard.index, || engine().shards.most(), translate);
        translated.as_ref().map_err(|error| Error::new(error.kind, &*error.message))
    }
}

impl WasmiEngine {
    fn is_valid(&self, wasm: &[u8]) -> Result<()> {
        let engine = self.validator.as_ref().unwrap_or(self.shards.first());
        wasmi::Module::validate(engine, wasm).map_err(in_words(ErrorKind::Compile))
    }

    /// Translates a module in a shard. Returns it in the form that the shard runs, the names of the exports that were
    /// added, and the memories that became imports.
    fn translated(&self, wasm: &[u8], shard: &Shard) -> Result<(wasmi::Module, Names, OwnMemories)> {
        constants::check(wasm)?;
        let mode = Mode { interruption: self.interruption, metered: self.fuel || self.interruption };
        let rewritten = rewrite::rewrite(wasm, mode).map_err(|refusal| {
            let error = || match &refusal {
                Refusal::Unreadable(error) => Error::new(ErrorKind::Compile, error.to_string()),
                Refusal::Imports => Error::new(
                    ErrorKind::Limit,
                    "the module has nearly a million imports, and a memory whose maximum is all of the 64-bit address space; \
                     give that memory a smaller maximum",
                ),
            };
            self.is_valid(wasm).err().unwrap_or_else(error)
        })?;
        if self.validator.is_some() || rewritten.as_ref().is_some_and(|rewritten| rewritten.has_more) {
            self.is_valid(wasm)?;
        }
        let (for_engine, names, memories) = match rewritten {
            Some(rewritten) => (Cow::Owned(rewritten.wasm), rewritten.names, rewritten.memories),
            None => (Cow::Borrowed(wasm), Names::default(), OwnMemories::default()),
        };
        // For an invalid module, the error about the original is better than the one about the rewritten module.
        let refusal = |error| self.is_valid(wasm).err().unwrap_or_else(|| untranslatable(wasm, without_place(error)));
        // The engine is known to panic on some modules. After a panic it is as usable as after an error: it forgets what
        // it was translating.
        let translate = || wasmi::Module::new(&shard.engine, &for_engine).map_err(in_words(ErrorKind::Compile));
        Ok((on_module("wasmi", translate).map_err(refusal)?, names, memories))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::core::config::Config;
    use crate::runtime::core::config::Registry;
    use crate::runtime::core::engine::Engine as RuntimeEngine;
    use crate::runtime::core::instance;
    use crate::runtime::core::module::Module as RuntimeModule;
    use std::any::Any;
    use std::sync::Arc;

    #[test]
    fn the_version_is_the_one_that_is_built() {
        let manifest = include_str!("../../../Cargo.toml");
        let dependency = manifest.split("[dependencies.wasmi]").nth(1).expect("the engine is a dependency");
        let version = format!("version = \"={}\"", VERSION.to_string_lossy());
        assert!(dependency.trim_start().starts_with(&version), "{dependency}");
    }
    fn instantiate(store: &RuntimeStore, module: &Arc<RuntimeModule>) {
        assert!(instance::instantiate(store, module, &[]).is_ok());
    }

    #[test]
    fn a_module_is_translated_once_for_each_thread_that_runs_it() {
        let mut config = Config::default();
        config.options.max_shards = Some(3);
        config.set_backend(&Wasmi);
        let engine = RuntimeEngine::new(config, Registry { built_in: &[&Wasmi], loader: None }).expect("an engine");
        let store = || RuntimeStore::create(engine.clone()).expect("a store");
        let module = RuntimeModule::compile(&engine, b"\0asm\x01\0\0\0").expect("a module");
        let shards = || {
            let module = (&*module.inner as &dyn Any).downcast_ref::<WasmiModule>().expect("it is of this backend");
            (0..3).filter(|shard| module.translated.get(*shard).is_some()).collect::<Vec<_>>()
        };
        // Stores in which nothing was made, and one thread after the other.
        let _idle = [store(), store()];
        for _ in 0..2 {
            std::thread::scope(|scope| _ = scope.spawn(|| instantiate(&store(), &module)));
        }
        let here = [store(), store()];
        here.iter().for_each(|store| instantiate(store, &module));
        assert_eq!(shards(), [0]);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let there = [store(), store()];
                there.iter().for_each(|store| instantiate(store, &module));
            });
        });
        assert_eq!(shards(), [0, 1]);
        assert_eq!(engine.modules(), 1);
    }
}
