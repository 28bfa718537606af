//! Configuration: limits on modules
//!
//! These bound what a module costs to compile. A module beyond a limit is refused before it is
//! compiled, by `wasm_module_new` and `wasm_module_validate` alike, with an error of kind
//! `WASMRT_ERROR_LIMIT` that says what there is too much of, in which function, and what is allowed.
//! Modules that are deserialized were compiled before and are not checked.
//!
//! By default types, nesting, both costs and constant terms are limited, so that a module takes at
//! most some 10 seconds and 1 GB per megabyte of its size. wasmi makes no machine code and takes
//! time in proportion to a module's size: there, the defaults of nesting and costs do not apply,
//! except those of costs to modules that have a signature with more than 64 values.

use super::change;
use crate::c_api::wasm::config::wasm_config_t;
use crate::c_api::wasmrt;
use crate::runtime::binary::module_limits::ModuleLimit;

/// No limit, where a number is the most that is allowed, and no maximum of a type.
pub const WASMRT_UNLIMITED: u64 = u64::MAX;

/// A value of `wasmrt_module_limit_enum`.
pub type wasmrt_module_limit_t = u32;

/// Limits on modules. `WASMRT_UNLIMITED` unless stated otherwise.
#[repr(C)]
pub enum wasmrt_module_limit_enum {
    /// The size of a binary in bytes. Never more than 1 GiB.
    WASMRT_MODULE_LIMIT_BYTES = 0,
    /// Functions, imported and defined. Never more than 1,000,000.
    WASMRT_MODULE_LIMIT_FUNCTIONS = 1,
    /// Types. By default 100,000, never more than 1,000,000. On wasmtime, different types are
    /// expensive: 100,000 of them take some 10 seconds and 1 GB.
    WASMRT_MODULE_LIMIT_TYPES = 2,
    /// Local variables of a function, parameters not counted. Never more than 50,000, or 30,000 on
    /// wasmi, parameters counted.
    WASMRT_MODULE_LIMIT_LOCALS = 3,
    /// The code of one function in bytes. Never more than 7,654,321. Compilation takes more than
    /// proportionally longer for larger functions.
    WASMRT_MODULE_LIMIT_FUNCTION_BYTES = 4,
    /// Blocks, loops and ifs inside each other in one function. By default 17,000.
    WASMRT_MODULE_LIMIT_NESTING = 5,
    /// The estimated cost of compiling one function, or the code that initialises an instance. A
    /// plain instruction costs 1, which is about 2 microseconds and 250 bytes of memory. More is added
    /// for locals that change in loops and branches, locals times blocks, values that blocks and
    /// branches carry, arguments and results of calls, exception handlers around calls, and fields of
    /// structures. By default 20,000,000.
    WASMRT_MODULE_LIMIT_FUNCTION_COST = 6,
    /// The estimated cost of compiling the whole module, per byte of its size. A module of less than
    /// 128 KiB counts as that large. By default 8; modules that compilers produce have 1 or 2.
    WASMRT_MODULE_LIMIT_COST_PER_BYTE = 7,
    /// Terms of one constant expression: an initial value of a global or table, an element, the offset
    /// of a segment. By default 20,000; never more than 1000 on wasmi.
    WASMRT_MODULE_LIMIT_CONSTANT_TERMS = 8,
}

/// Sets a limit on modules: `value` is the most that is allowed. `WASMRT_UNLIMITED` removes a limit,
/// also one that is on by default.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_config_set_module_limit(
    config: Option<&mut wasm_config_t>,
    limit: wasmrt_module_limit_t,
    value: u64,
) -> bool {
    change("wasmrt_config_set_module_limit", config, |config| {
        let limit = wasmrt::value(limit, "wasmrt_module_limit_enum", ModuleLimit::from_number)?;
        config.module_limits.set(limit, value);
        Ok(())
    })
}
