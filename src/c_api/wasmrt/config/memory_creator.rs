//! Configuration: memories of the host

use super::set;
use crate::c_api::ffi::null;
use crate::c_api::wasm::config::wasm_config_t;
use crate::runtime::base::host_data::HostData;
use crate::runtime::base::options::{MemoryCreator, Setting};
use std::ffi::c_void;
use std::sync::Arc;

/// Returns the address of a memory, which begins with a page: `size` bytes that are all zeros, then
/// address space for which each access faults, up to `reserved + guard` bytes from the address.
/// Returns NULL if there is no room; making the memory fails then.
pub type wasmrt_memory_reserve_callback_t =
    Option<unsafe extern "C" fn(env: *mut c_void, size: usize, reserved: usize, guard: usize) -> *mut c_void>;

/// Makes a memory of `size` bytes one of `new_size` bytes, of which the new ones are zeros. Returns
/// its address, which has to be the former one unless `new_size` is more than `reserved`; then it
/// has to have `new_size + guard` bytes of address space, and the former memory is gone. Returns
/// NULL to leave the memory as it is; growing it fails then.
pub type wasmrt_memory_grow_callback_t = Option<
    unsafe extern "C" fn(
        env: *mut c_void,
        memory: *mut c_void,
        size: usize,
        new_size: usize,
        reserved: usize,
        guard: usize,
    ) -> *mut c_void,
>;

/// Frees a memory, which is not used any more. `reserved` is what it was reserved with, or its size
/// if it has outgrown that.
pub type wasmrt_memory_free_callback_t =
    Option<unsafe extern "C" fn(env: *mut c_void, memory: *mut c_void, size: usize, reserved: usize, guard: usize)>;

/// Functions of the host that provide memories. All are needed. They are called with the `env` of
/// `wasmrt_config_set_memory_creator` on any thread, several at once, and must not call the
/// library.
#[repr(C)]
pub struct wasmrt_memory_creator_t {
    /// Makes a memory.
    pub reserve: wasmrt_memory_reserve_callback_t,
    /// Makes a memory larger.
    pub grow: wasmrt_memory_grow_callback_t,
    /// Frees a memory.
    pub free: wasmrt_memory_free_callback_t,
}

/// Lets the host provide the memories that modules define, and the heaps of garbage-collected
/// values of guests that have such: to place them, to count them, or to share them with something
/// else. Not supported by wasmi, and not together with pooling or copy-on-write. What
/// `wasm_memory_new` makes is the engine's.
///
/// The host must be exact: a guest's accesses are kept within its memory by what `reserve` and
/// `grow` promise. The numbers follow from `wasmrt_config_set_memory_reservation` and
/// `wasmrt_config_set_memory_guard_size`. Data is copied into such memories, not mapped. If `grow`
/// moves a memory that must not move, an error is logged and the process is aborted. Takes a copy
/// of `*creator`. A second call replaces the first.
///
/// `finalizer`, unless NULL, is called once with `env` when the configuration, the engine and all
/// its memories are gone; at once if this fails.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_config_set_memory_creator(
    config: Option<&mut wasm_config_t>,
    creator: Option<&wasmrt_memory_creator_t>,
    env: *mut c_void,
    finalizer: Option<unsafe extern "C" fn(env: *mut c_void)>,
) -> bool {
    let env = HostData { pointer: env, finalizer };
    let mut former = None;
    let set = set("wasmrt_config_set_memory_creator", config, Setting::MemoryCreator, |config| {
        let creator = creator.ok_or_else(|| null("a memory creator"))?;
        let missing = || null("a function of the memory creator");
        let (reserve, grow) = (creator.reserve.ok_or_else(missing)?, creator.grow.ok_or_else(missing)?);
        let free = creator.free.ok_or_else(missing)?;
        // The finalizer of a former one runs when there is no reference to the configuration.
        former = config.options.memory_creator.replace(Arc::new(MemoryCreator { reserve, grow, free, env }));
        Ok(())
    });
    drop(former);
    set
}
