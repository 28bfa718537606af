//! How much of everything a store may have, and has.

use crate::c_api::wasm::engine::wasm_engine_t;
use crate::c_api::wasm::store::{self, wasm_store_t};
use crate::c_api::{answer, required};
use crate::runtime::base::error::{Error, Result};
use crate::runtime::base::limits::Resource;
use crate::runtime::core::engine::Engine;

/// Something that a store has a limit for; the numbers are those of `wasmrt_limit_enum`.
pub type wasmrt_limit_t = u8;

/// What a store can have too much of.
#[repr(C)]
pub enum wasmrt_limit_enum {
    /// Bytes of all linear memories together; on wasmtime also of the heap for structures and arrays.
    /// An instruction that needs more of that than the limit allows traps with
    /// `WASMRT_TRAP_MEMORY_LIMIT`.
    WASMRT_LIMIT_MEMORY_BYTES = 0,
    /// Elements of all tables together. One table has at most 10,000,000 in any case.
    WASMRT_LIMIT_TABLE_ELEMENTS = 1,
    /// Instances, also those whose start function trapped: the store keeps them.
    WASMRT_LIMIT_INSTANCES = 2,
    /// Tables, of instances and of the host.
    WASMRT_LIMIT_TABLES = 3,
    /// Memories, of instances and of the host.
    WASMRT_LIMIT_MEMORIES = 4,
}

/// Sets a limit of a store: `limit` is a constant of `wasmrt_limit_enum`, `value` the most that
/// there may be, `WASMRT_UNLIMITED` by default. What there is already stays, also beyond a new
/// limit.
///
/// What the host makes counts as well as what guests make. Beyond the limit, a guest's
/// `memory.grow` and `table.grow` give -1 (see `wasmrt_store_set_growth_trap`), and functions of
/// wasm.h fail with a last error of kind `WASMRT_ERROR_LIMIT` that names the limit; the trap of
/// `wasm_instance_new` has the same message. What a store holds is freed with the store, not
/// before: also an instance whose start function trapped, and on wasmi what was made for one before
/// it was refused. True; false and a last error for a number that is no limit, or for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_store_set_limit(store: *mut wasm_store_t, limit: wasmrt_limit_t, value: u64) -> bool {
    // SAFETY: the caller's store, or NULL.
    answer("wasmrt_store_set_limit", false, || unsafe {
        store::from_c(store)?.limits().set(resource(limit)?, value);
        Ok(true)
    })
}

/// A limit of a store: a constant of `wasmrt_limit_enum`. NULL, or a number that is no limit: 0 and
/// a last error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_store_limit(store: *const wasm_store_t, limit: wasmrt_limit_t) -> u64 {
    // SAFETY: the caller's store, or NULL.
    answer("wasmrt_store_limit", 0, || unsafe { Ok(store::from_c(store)?.limits().get(resource(limit)?)) })
}

/// How much of something that has a limit a store has now: a constant of `wasmrt_limit_enum`. NULL,
/// or a number that is no limit: 0 and a last error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_store_usage(store: *const wasm_store_t, limit: wasmrt_limit_t) -> u64 {
    // SAFETY: the caller's store, or NULL.
    answer("wasmrt_store_usage", 0, || unsafe { Ok(store::from_c(store)?.limits().used(resource(limit)?)) })
}

/// Whether a guest's `memory.grow` or `table.grow` beyond a limit of the store traps, with
/// `WASMRT_TRAP_MEMORY_LIMIT` or `WASMRT_TRAP_TABLE_LIMIT`, instead of giving -1. Off by default.
/// True; false and a last error for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_store_set_growth_trap(store: *mut wasm_store_t, enabled: bool) -> bool {
    // SAFETY: the caller's store, or NULL.
    answer("wasmrt_store_set_growth_trap", false, || unsafe {
        store::from_c(store)?.limits().growth_traps.set(enabled);
        Ok(true)
    })
}

/// How many modules an engine has: those that have not been deleted, and those that an instance, a
/// store or a shared module still needs. May be called from any thread. NULL: 0 and a last error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_engine_modules(engine: *const wasm_engine_t) -> usize {
    // SAFETY: the caller's engine, or NULL.
    answer("wasmrt_engine_modules", 0, || unsafe {
        Ok(required::<_, std::sync::Arc<Engine>>(engine, "an engine")?.modules())
    })
}

fn resource(number: wasmrt_limit_t) -> Result<Resource> {
    let unknown = || Error::misuse(format!("expected a limit of stores, got the number {number}, which is none"));
    Resource::from_number(number).ok_or_else(unknown)
}
