//! Converts the runtime's options to the engine's configuration.

use super::creator::Creator;
use super::messages::in_words;
use crate::runtime::base::error::{Error, ErrorKind, Result};
use crate::runtime::base::options::{Compiler, Optimization, Options, Pooling, Profiling, Proposal, unsupported};
use crate::runtime::core::engine_traits::Backend;
use std::sync::Arc;
use wasmtime::{
    Collector, Config, OperatorCost, PoolingAllocationConfig, ProfilingStrategy, Strategy, VariableOperatorCost,
};
use wasmtime_environ::wasmparser::WasmFeatures;

/// The most frames in a backtrace: enough for a person to read, and a limit for unbounded recursion.
const MAX_FRAMES: usize = 64;

/// Applies the options to `config`, which is large: as a return value it would be copied several times.
pub fn translate(backend: &dyn Backend, options: &Options, config: &mut Config) -> Result<()> {
    // Each by its name: whoever adds one is asked what this backend does with it.
    let Options {
        compiler: _,
        optimization: _,
        proposals: _,
        fuel: _,
        interruption: _,
        max_wasm_stack: _,
        memory_reservation: _,
        memory_guard: _,
        copy_on_write: _,
        memory_creator: _,
        pooling: _,
        parallel_compilation: _,
        debug_info: _,
        profiling: _,
        deterministic: _,
        target: _,
        cpu_features: _,
        // Threads do not wait for each other in this engine.
        max_shards: _,
        origins: _,
    } = options;
    config.wasm_backtrace_max_frames(std::num::NonZeroUsize::new(MAX_FRAMES));
    // Whether there may be one depends on the proposal threads.
    config.shared_memory(true);
    choose_compiler(backend, options, config)?;
    for (proposal, enabled) in &options.proposals {
        config.wasm_features(features(*proposal), *enabled);
    }
    if options.fuel {
        config.consume_fuel(true).operator_cost(costs());
    }
    config.epoch_interruption(options.interruption).debug_info(options.debug_info);
    if let Some(bytes) = options.max_wasm_stack {
        check_stack(bytes)?;
        // `async_stack_size` is not used, but wasmtime requires it to be at least `max_wasm_stack`.
        config.max_wasm_stack(bytes).async_stack_size(bytes.max(2 << 20));
    }
    if let Some(bytes) = options.memory_reservation {
        config.memory_reservation(bytes);
    }
    if let Some(bytes) = options.memory_guard {
        config.memory_guard_size(bytes);
    }
    if let Some(enabled) = options.copy_on_write {
        config.memory_init_cow(enabled);
    }
    if let Some(enabled) = options.parallel_compilation {
        config.parallel_compilation(enabled);
    }
    if let Some(creator) = &options.memory_creator {
        if options.pooling.is_some() {
            return Err(unsupported(backend.name(), "memories of the host together with pooling"));
        }
        if options.copy_on_write == Some(true) {
            return Err(unsupported(backend.name(), "memories of the host together with copy-on-write initialisation"));
        }
        // The engine can only map images into memories of its own.
        config.memory_init_cow(false).with_host_memory(Arc::new(Creator(creator.clone())));
    }
    if let Some(pooling) = &options.pooling {
        config.allocation_strategy(pool(backend, pooling)?);
    }
    config.profiler(match options.profiling {
        None | Some(Profiling::None) => ProfilingStrategy::None,
        Some(Profiling::PerfMap) => ProfilingStrategy::PerfMap,
        Some(Profiling::JitDump) => ProfilingStrategy::JitDump,
    });
    Ok(())
}

/// One unit for each instruction. Instructions that move many bytes or elements are charged afterwards: if they were
/// charged before, one that is out of bounds would run out of fuel instead of trapping or returning -1.
fn costs() -> OperatorCost {
    let variable = VariableOperatorCost {
        memory_copy_per_byte: 0,
        memory_fill_per_byte: 0,
        memory_init_per_byte: 0,
        table_copy_per_element: 0,
        table_fill_per_element: 0,
        table_init_per_element: 0,
        table_grow_per_element: 0,
        memory_grow_per_page: 0,
        array_copy_per_element: 0,
        array_fill_per_element: 0,
        array_new_data_per_element: 0,
        array_init_data_per_element: 0,
        array_new_elem_per_element: 0,
        array_init_elem_per_element: 0,
        array_new_default_per_element: 0,
        array_new_per_element: 0,
    };
    OperatorCost { variable, ..OperatorCost::default() }
}

fn choose_compiler(backend: &dyn Backend, options: &Options, config: &mut Config) -> Result<()> {
    let compiler = options.compiler.unwrap_or(Compiler::Cranelift);
    let refused = |what: &str| Err(unsupported(backend.name(), what));
    match compiler {
        Compiler::Winch if options.optimization.is_some() => {
            return refused("an optimisation level together with the compiler \"winch\", which does not optimise");
        }
        Compiler::Winch if options.debug_info => {
            return refused("native debug info together with the compiler \"winch\"");
        }
        Compiler::Winch if options.deterministic => {
            return refused("deterministic mode together with the compiler \"winch\"");
        }
        // Winch has none of the proposals that this backend enables in addition to wasmtime's defaults.
        Compiler::Winch => {
            config.strategy(Strategy::Winch);
        }
        Compiler::Cranelift | Compiler::Pulley => {
            config
                .strategy(Strategy::Cranelift)
                .wasm_function_references(true)
                .wasm_gc(true)
                // Objects are known by where they are in the heap, so it must not move them.
                .collector(Collector::DeferredReferenceCounting)
                .wasm_exceptions(true)
                .wasm_wide_arithmetic(true);
            // Only set if asked for: they are off by default, and the engine looks up every flag of Cranelift that is
            // set, by its name.
            if options.deterministic {
                config.relaxed_simd_deterministic(true).cranelift_nan_canonicalization(true);
            }
        }
        other => return refused(&format!("the compiler \"{}\"", other.name())),
    }
    match (&options.target, compiler) {
        (Some(_), Compiler::Pulley) => return refused("a target together with the compiler \"pulley\""),
        (Some(target), _) => set_target(config, target)?,
        (None, Compiler::Pulley) => {
            set_target(config, if cfg!(target_endian = "big") { "pulley64be" } else { "pulley64" })?
        }
        (None, _) => {}
    }
    if let Some(level) = options.optimization {
        config.cranelift_opt_level(match level {
            Optimization::None => wasmtime::OptLevel::None,
            Optimization::Speed => wasmtime::OptLevel::Speed,
            Optimization::SpeedAndSize => wasmtime::OptLevel::SpeedAndSize,
        });
    }
    for feature in &options.cpu_features {
        // Other flags do not name a feature of the processor, but change what the compiled code does.
        if !feature.starts_with("has_") {
            let message = format!("\"{feature}\" is not the name of a CPU feature; expected a name such as has_avx2");
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        // SAFETY: the engine refuses features that this machine lacks, and refuses to run code for another machine.
        unsafe { config.cranelift_flag_enable(feature) };
    }
    Ok(())
}

fn set_target(config: &mut Config, target: &str) -> Result<()> {
    config.target(target).map(drop).map_err(|error| {
        let mut error = in_words(ErrorKind::Unsupported, &error);
        error.message.insert_str(0, &format!("target \"{target}\": "));
        error
    })
}

/// Fails if the operating system gives threads a smaller stack than `bytes`: a guest would crash before it traps.
fn check_stack(bytes: usize) -> Result<()> {
    /// A generous estimate of what the engine and this library use of the same stack.
    const OTHER_USE: u64 = 256 << 10;
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a local for the answer.
    if unsafe { libc::getrlimit(libc::RLIMIT_STACK, &mut limit) } != 0 || bytes as u64 + OTHER_USE <= limit.rlim_cur {
        return Ok(());
    }
    let message = format!(
        "a WebAssembly stack of {bytes} bytes is too large: threads have {} bytes of stack (ulimit -s), of which \
         the wasmtime backend needs {OTHER_USE}",
        limit.rlim_cur
    );
    Err(Error::new(ErrorKind::Unsupported, message))
}

fn pool(backend: &dyn Backend, pooling: &Pooling) -> Result<PoolingAllocationConfig> {
    /// More than any address space could hold. The engine allocates a list of this length, and aborts if it cannot.
    const MAX_COUNT: u32 = 1_000_000;
    let numbers = [pooling.instances, pooling.memories, pooling.tables];
    if numbers.iter().any(|number| *number > MAX_COUNT) {
        let [instances, memories, tables] = numbers;
        let what = format!(
            "pooling with {instances} instances, {memories} memories and {tables} tables; at most {MAX_COUNT} of each are possible"
        );
        return Err(unsupported(backend.name(), &what));
    }
    let mut pool = PoolingAllocationConfig::new();
    if pooling.instances != 0 {
        pool.total_core_instances(pooling.instances).total_gc_heaps(pooling.instances);
    }
    if pooling.memories != 0 {
        pool.total_memories(pooling.memories);
    }
    if pooling.tables != 0 {
        pool.total_tables(pooling.tables);
    }
    if pooling.memory_bytes != 0 {
        pool.max_memory_size(pooling.memory_bytes);
    }
    if pooling.table_elements != 0 {
        pool.table_elements(pooling.table_elements);
    }
    // A single module may use all of the pool.
    let (memories, tables) = (pool.get_total_memories(), pool.get_total_tables());
    pool.max_memories_per_module(memories).max_tables_per_module(tables);
    Ok(pool)
}

fn features(proposal: Proposal) -> WasmFeatures {
    match proposal {
        Proposal::MutableGlobal => WasmFeatures::MUTABLE_GLOBAL,
        Proposal::SignExtension => WasmFeatures::SIGN_EXTENSION,
        Proposal::SaturatingFloatToInt => WasmFeatures::SATURATING_FLOAT_TO_INT,
        Proposal::MultiValue => WasmFeatures::MULTI_VALUE,
        Proposal::BulkMemory => WasmFeatures::BULK_MEMORY,
        Proposal::ReferenceTypes => WasmFeatures::REFERENCE_TYPES,
        Proposal::Simd => WasmFeatures::SIMD,
        Proposal::RelaxedSimd => WasmFeatures::RELAXED_SIMD,
        Proposal::TailCall => WasmFeatures::TAIL_CALL,
        Proposal::ExtendedConst => WasmFeatures::EXTENDED_CONST,
        Proposal::MultiMemory => WasmFeatures::MULTI_MEMORY,
        Proposal::Memory64 => WasmFeatures::MEMORY64,
        Proposal::FunctionReferences => WasmFeatures::FUNCTION_REFERENCES,
        Proposal::Gc => WasmFeatures::GC,
        Proposal::Exceptions => WasmFeatures::EXCEPTIONS,
        Proposal::WideArithmetic => WasmFeatures::WIDE_ARITHMETIC,
        Proposal::CustomPageSizes => WasmFeatures::CUSTOM_PAGE_SIZES,
        Proposal::Threads => WasmFeatures::THREADS,
    }
}

/// Whether an engine compiles for other machines than this one. Fails if it cannot compile at all.
pub fn is_foreign(engine: &wasmtime::Engine) -> wasmtime::Result<bool> {
    const EMPTY: &[u8] = b"\0asm\x01\0\0\0";
    if wasmtime::Module::from_binary(engine, EMPTY).is_ok() {
        return Ok(false);
    }
    engine.precompile_module(EMPTY).map(|_| true)
}

/// Returns the engine's refusal of a configuration, with everything that was configured: the engine does not always
/// say what it is about.
pub fn refusal(options: &Options, error: &wasmtime::Error) -> Error {
    let message =
        format!("the wasmtime backend does not support this configuration ({}): {error:#}", options.in_words());
    Error::new(ErrorKind::Unsupported, message)
}
