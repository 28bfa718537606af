//! The `wasmi` backend: a portable interpreter, quick to start and small.

mod calls;
mod constants;
mod rewrite;
mod store;
mod types;

use super::{Backend, Engine, Module, Store};
use crate::runtime::config::{Compiler, Options, Proposal, Setting, unsupported};
use crate::runtime::error::{Error, ErrorKind, Result};
use crate::runtime::store::Store as RuntimeStore;
use std::borrow::Cow;
use std::ffi::CStr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use wasmi::{CompilationMode, CustomFuelCosts, OperatorCost};

pub struct Wasmi;

/// Bytes of the engine's stack for each call inside another, as many as by its default limits.
const STACK_PER_CALL: usize = 1000;

impl Backend for Wasmi {
    fn name(&self) -> &'static CStr {
        c"wasmi"
    }

    fn can(&self, setting: Setting) -> bool {
        matches!(setting, Setting::Compiler | Setting::Fuel | Setting::Interruption | Setting::MaxWasmStack)
    }

    fn new_engine(&self, options: &Options) -> Result<Box<dyn Engine>> {
        let mut config = wasmi::Config::default();
        config.wasm_wide_arithmetic(true);
        config.consume_fuel(options.fuel || options.interruption);
        config.compilation_mode(self.compilation_mode(options)?);
        if options.interruption {
            count_instructions(&mut config);
        }
        if let Some(bytes) = options.max_wasm_stack {
            config.set_min_stack_height(bytes.min(STACK_PER_CALL));
            config.set_max_stack_height(bytes);
            config.set_max_recursion_depth((bytes / STACK_PER_CALL).max(1));
        }
        for (proposal, enabled) in &options.proposals {
            self.set_proposal(&mut config, *proposal, *enabled)?;
        }
        let engine = wasmi::Engine::new(&config);
        Ok(Box::new(WasmiEngine { engine, fuel: options.fuel, interruption: options.interruption }))
    }
}

impl Wasmi {
    fn compilation_mode(&self, options: &Options) -> Result<CompilationMode> {
        let metered = options.fuel || options.interruption;
        Ok(match options.compiler {
            // Not the engine's own default, which is lazy: a defect of its translator, of which there are some, would show in the
            // middle of a call, where a panic ends the process.
            None | Some(Compiler::Eager) => CompilationMode::Eager,
            // Translation would be paid for with the guest's fuel, and in the middle of calls.
            Some(compiler) if metered && matches!(compiler, Compiler::Lazy | Compiler::LazyTranslation) => {
                let name = compiler.name();
                return Err(unsupported(self, &format!("the compiler \"{name}\" together with fuel or interruption")));
            }
            Some(Compiler::LazyTranslation) => CompilationMode::LazyTranslation,
            Some(Compiler::Lazy) => CompilationMode::Lazy,
            Some(other) => return Err(unsupported(self, &format!("the compiler \"{}\"", other.name()))),
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
            other if enabled => return Err(unsupported(self, &format!("the proposal \"{}\"", other.name()))),
            _ => config,
        };
        Ok(())
    }
}

/// Lets fuel count instructions alone, whatever they do. The engine cannot resume a `table.grow` that ran out of fuel, so what
/// instructions copy costs nothing; those that may copy much cost the most that an instruction can.
fn count_instructions(config: &mut wasmi::Config) {
    config.fuel_cost(CustomFuelCosts {
        bytes_copied_per_fuel: u32::MAX,
        fuel_per_bytes_translated: 0,
        fuel_per_bytes_validated: 0,
    });
    config.operator_cost(OperatorCost {
        memory_grow: u8::MAX,
        memory_fill: u8::MAX,
        memory_copy: u8::MAX,
        memory_init: u8::MAX,
        table_grow: u8::MAX,
        table_fill: u8::MAX,
        table_copy: u8::MAX,
        table_init: u8::MAX,
        ..OperatorCost::default()
    });
}

struct WasmiEngine {
    engine: wasmi::Engine,
    fuel: bool,
    interruption: bool,
}

struct WasmiModule {
    module: wasmi::Module,
    /// The module itself: the engine cannot give its code back, so this is what gets serialized.
    wasm: Box<[u8]>,
    /// The name under which the start function is exported, where it has to be, see [`rewrite`].
    start: Option<String>,
}

impl Engine for WasmiEngine {
    fn settings(&self) -> String {
        "wasmi".to_string()
    }

    fn compile(&self, wasm: &[u8]) -> Result<Box<dyn Module>> {
        constants::check(wasm)?;
        let rewritten = rewrite::rewrite(wasm, self.interruption).map_err(|unreadable| {
            let error = || Error::new(ErrorKind::Compile, unreadable.to_string());
            self.validate(wasm).err().unwrap_or_else(error)
        })?;
        let (module, start) = match rewritten {
            Some(rewritten) => {
                if rewritten.start.is_some() {
                    // Any function can be exported, but not any can be a start function.
                    self.validate(wasm)?;
                }
                // An invalid module is better refused as it is than as it was rewritten.
                let module = self.translate(&rewritten.wasm);
                let module =
                    module.map_err(|error| self.validate(wasm).err().unwrap_or_else(|| without_place(error)))?;
                (module, rewritten.start)
            }
            None => (self.translate(wasm).map_err(|error| self.validate(wasm).err().unwrap_or(error))?, None),
        };
        Ok(Box::new(WasmiModule { module, wasm: wasm.into(), start }))
    }

    fn validate(&self, wasm: &[u8]) -> Result<()> {
        constants::check(wasm)?;
        wasmi::Module::validate(&self.engine, wasm).map_err(in_words(ErrorKind::Compile))
    }

    unsafe fn deserialize(&self, artifact: &[u8]) -> Result<Box<dyn Module>> {
        self.compile(artifact)
    }

    unsafe fn new_store(&self, owner: NonNull<RuntimeStore>) -> Result<Box<dyn Store>> {
        let slices = self.interruption.then(|| store::Slices::new(self.fuel));
        Ok(Box::new(store::WasmiStore::new(&self.engine, owner, slices)))
    }
}

impl Module for WasmiModule {
    fn serialize(&self) -> Result<[Cow<'_, [u8]>; 2]> {
        Ok([Cow::Borrowed(&[]), Cow::Borrowed(&self.wasm)])
    }

    fn wasm(&self) -> Option<&[u8]> {
        Some(&self.wasm)
    }

    /// The engine keeps no frames.
    fn identity(&self) -> usize {
        0
    }
}

impl WasmiEngine {
    /// Has the engine translate a module, which is known to panic on some.
    fn translate(&self, wasm: &[u8]) -> Result<wasmi::Module> {
        // The engine is as usable afterwards as after an error: what it was translating is left out.
        match catch_unwind(AssertUnwindSafe(|| wasmi::Module::new(&self.engine, wasm))) {
            Ok(module) => module.map_err(in_words(ErrorKind::Compile)),
            Err(_) => {
                let message = "wasmi fails on this module, by a defect of its own; another backend may compile it";
                Err(Error::new(ErrorKind::Compile, message))
            }
        }
    }
}

/// An error in a rewritten module is not where it says.
fn without_place(mut error: Error) -> Error {
    if let Some(end) = error.message.find(" (at offset") {
        error.message.truncate(end);
    }
    error
}

fn in_words<E: std::fmt::Display>(kind: ErrorKind) -> impl Fn(E) -> Error {
    move |error| Error::new(kind, error.to_string().trim_end())
}
