//! Configuration: pool of instances
//!
//! With pooling, an engine sets room for instances aside when it is made and reuses it. Instances
//! are made faster then, and the limits of the pool hold for all stores of the engine together.
//! Address space for the whole pool is reserved at once. Off by default. Not supported by wasmi.

use super::set;
use crate::c_api::wasm::config::wasm_config_t;
use crate::c_api::wasmrt;
use crate::runtime::base::options::{Pooling, Setting};

/// Turns pooling on or off. Limits that are not set have the engine's defaults; turning pooling off
/// discards all limits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_config_set_pooling(config: Option<&mut wasm_config_t>, enabled: bool) -> bool {
    set("wasmrt_config_set_pooling", config, Setting::Pooling, |config| {
        let pooling = &mut config.options.pooling;
        *pooling = enabled.then(|| pooling.unwrap_or_default());
        Ok(())
    })
}

/// A value of `wasmrt_pool_limit_enum`.
pub type wasmrt_pool_limit_t = u32;

/// Limits of a pool.
#[derive(Clone, Copy)]
#[repr(C)]
pub enum wasmrt_pool_limit_enum {
    /// Instances in all stores. By default 1000, at most 1,000,000.
    WASMRT_POOL_LIMIT_INSTANCES = 0,
    /// Memories in all stores. By default 1000, at most 1,000,000.
    WASMRT_POOL_LIMIT_MEMORIES = 1,
    /// Tables in all stores. By default 1000, at most 1,000,000.
    WASMRT_POOL_LIMIT_TABLES = 2,
    /// The size of each memory in bytes. By default 4 GiB.
    WASMRT_POOL_LIMIT_MEMORY_BYTES = 3,
    /// The elements of each table. By default 20,000.
    WASMRT_POOL_LIMIT_TABLE_ELEMENTS = 4,
}

/// Sets a limit of the pool, and turns pooling on. 0 means the engine's default.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_config_set_pool_limit(
    config: Option<&mut wasm_config_t>,
    limit: wasmrt_pool_limit_t,
    value: u64,
) -> bool {
    set("wasmrt_config_set_pool_limit", config, Setting::Pooling, |config| {
        let set = wasmrt::value(limit, "wasmrt_pool_limit_enum", setter)?;
        set(config.options.pooling.get_or_insert_default(), value);
        Ok(())
    })
}

/// What sets a limit. A count that is too large for the field is too large for the engine as well, which refuses it.
fn setter(limit: u32) -> Option<fn(&mut Pooling, u64)> {
    use wasmrt_pool_limit_enum::*;
    type Setter = fn(&mut Pooling, u64);
    let setters: [(wasmrt_pool_limit_enum, Setter); 5] = [
        (WASMRT_POOL_LIMIT_INSTANCES, |pool, value| pool.instances = count(value)),
        (WASMRT_POOL_LIMIT_MEMORIES, |pool, value| pool.memories = count(value)),
        (WASMRT_POOL_LIMIT_TABLES, |pool, value| pool.tables = count(value)),
        (WASMRT_POOL_LIMIT_MEMORY_BYTES, |pool, value| pool.memory_bytes = size(value)),
        (WASMRT_POOL_LIMIT_TABLE_ELEMENTS, |pool, value| pool.table_elements = size(value)),
    ];
    setters.into_iter().find(|(number, _)| *number as u32 == limit).map(|(_, setter)| setter)
}

fn count(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

fn size(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}
