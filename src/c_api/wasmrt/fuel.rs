//! Fuel
//!
//! Fuel bounds how much work the guests of a store do. These functions fail for a store whose engine
//! was not configured with `wasmrt_config_set_fuel`. They may be called from host functions.
//!
//! An instruction costs about one unit. The exact cost depends on the backend, but is the same on
//! every run. When the fuel runs out, the guest traps with `WASMRT_TRAP_OUT_OF_FUEL`; the store
//! remains usable, and calls succeed again once it has fuel.
//!
//! On wasmtime an instruction costs 1; `nop`, `drop`, `block` and `loop` cost nothing. Instructions
//! that copy, fill or initialise memories, tables or arrays, and `table.grow`, cost about 10, and 1
//! more for every 64 bytes or elements that they moved. That part is charged afterwards: the last
//! instruction before the fuel runs out may move more than there was fuel for, and one that traps or
//! gives -1 is not charged for it. With native debug information it is not charged at all. With
//! interruption, a guest that waits for another thread (`memory.atomic.wait32` and `wait64`) costs
//! more for every 10 milliseconds that it waits: only there the cost may differ between runs.
//!
//! On an engine that was loaded, modules are rewritten so that they count, and costs are those of
//! wasmtime. Instructions are paid for together, up to the next branch, call or end of a block.
//!
//! On wasmi instructions that copy, fill or grow cost 1 more for every 64 bytes, or 16 elements of a
//! table, unless they trap or give -1. Instructions that access or grow a table cost 4 more. A
//! remainder that does not suffice for the next step may be left when the fuel runs out.

use super::get;
use crate::c_api::answer;
use crate::c_api::ffi::Argument;
use crate::c_api::wasm::store::wasm_store_t;
use std::mem::MaybeUninit;

/// Sets the fuel of a store. A new store has none, and instantiation may need some even without a
/// start function.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_store_set_fuel(store: Option<&mut wasm_store_t>, fuel: u64) -> bool {
    answer("wasmrt_store_set_fuel", false, || store.required()?.set_fuel(fuel).map(|()| true))
}

/// Adds to the fuel of a store, up to `UINT64_MAX`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_store_add_fuel(store: Option<&mut wasm_store_t>, fuel: u64) -> bool {
    answer("wasmrt_store_add_fuel", false, || {
        let store = store.required()?;
        store.set_fuel(store.fuel()?.saturating_add(fuel)).map(|()| true)
    })
}

/// Gets the fuel that a store has left.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_store_fuel(store: Option<&wasm_store_t>, out: Option<&mut MaybeUninit<u64>>) -> bool {
    get("wasmrt_store_fuel", out, || store.required()?.fuel())
}

/// Gets the fuel that was consumed in a store since it was made.
///
/// On wasmtime, what a function consumed since it last called another function is not counted if it
/// traps or is interrupted, unless the fuel ran out; on an engine that was loaded, what it consumed
/// since its last branch or call if it traps.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_store_fuel_consumed(
    store: Option<&wasm_store_t>,
    out: Option<&mut MaybeUninit<u64>>,
) -> bool {
    get("wasmrt_store_fuel_consumed", out, || store.required()?.fuel_consumed())
}
