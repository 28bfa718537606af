//! Store limits
//!
//! A store has limits on what is in it, whether a guest or the host made it. What a store holds is
//! freed with the store, not before: that includes an instance whose start function trapped and, on
//! wasmi, what was made for an instance before it was refused.
//!
//! Beyond a limit, a guest's `memory.grow` and `table.grow` give -1, or trap if that is chosen, and
//! functions of wasm.h fail with an error of kind `WASMRT_ERROR_LIMIT` that names the limit. The
//! trap of `wasm_instance_new` has the same message.
//!
//! On an engine that was loaded, the heap for structures and arrays is not counted.

use super::{get, value};
use crate::c_api::answer;
use crate::c_api::ffi::Argument;
use crate::c_api::wasm::store::wasm_store_t;
use crate::runtime::base::error::Result;
use crate::runtime::base::limits::Resource;
use std::mem::MaybeUninit;

/// A value of `wasmrt_store_limit_enum`.
pub type wasmrt_store_limit_t = u32;

/// Limits on a store. `WASMRT_UNLIMITED` by default.
#[repr(C)]
pub enum wasmrt_store_limit_enum {
    /// Bytes of all linear memories together, for shared ones their maximum; on wasmtime also of the
    /// heap for structures and arrays. An instruction that needs more heap than the limit allows traps
    /// with `WASMRT_TRAP_MEMORY_LIMIT`.
    WASMRT_STORE_LIMIT_MEMORY_BYTES = 0,
    /// Elements of all tables together. One table never has more than 10,000,000.
    WASMRT_STORE_LIMIT_TABLE_ELEMENTS = 1,
    /// Instances.
    WASMRT_STORE_LIMIT_INSTANCES = 2,
    /// Tables, of instances and of the host.
    WASMRT_STORE_LIMIT_TABLES = 3,
    /// Memories, of instances and of the host.
    WASMRT_STORE_LIMIT_MEMORIES = 4,
}

/// Sets a limit of a store: `value` is the most that is allowed. A limit below what is in use takes
/// nothing away; it only prevents more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_store_set_limit(
    store: Option<&mut wasm_store_t>,
    limit: wasmrt_store_limit_t,
    value: u64,
) -> bool {
    answer("wasmrt_store_set_limit", false, || {
        store.required()?.limits().set(resource(limit)?, value);
        Ok(true)
    })
}

/// Gets a limit of a store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_store_limit(
    store: Option<&wasm_store_t>,
    limit: wasmrt_store_limit_t,
    out: Option<&mut MaybeUninit<u64>>,
) -> bool {
    get("wasmrt_store_limit", out, || Ok(store.required()?.limits().get(resource(limit)?)))
}

/// Gets how much of a limit is in use.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_store_usage(
    store: Option<&wasm_store_t>,
    limit: wasmrt_store_limit_t,
    out: Option<&mut MaybeUninit<u64>>,
) -> bool {
    get("wasmrt_store_usage", out, || Ok(store.required()?.limits().used(resource(limit)?)))
}

/// Sets whether a guest's `memory.grow` or `table.grow` beyond a limit of the store traps, with
/// `WASMRT_TRAP_MEMORY_LIMIT` or `WASMRT_TRAP_TABLE_LIMIT`, instead of giving -1. Off by default.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_store_set_growth_trap(store: Option<&mut wasm_store_t>, enabled: bool) -> bool {
    answer("wasmrt_store_set_growth_trap", false, || {
        store.required()?.limits().growth_traps.set(enabled);
        Ok(true)
    })
}

fn resource(limit: wasmrt_store_limit_t) -> Result<Resource> {
    value(limit, "wasmrt_store_limit_enum", Resource::from_number)
}
