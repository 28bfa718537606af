//! Engines, stores and instances

use super::{get, static_text};
use crate::c_api::answer;
use crate::c_api::ffi::{Argument, give, give_handle, null};
use crate::c_api::wasm::engine::wasm_engine_t;
use crate::c_api::wasm::r#extern::wasm_extern_t;
use crate::c_api::wasm::instance::wasm_instance_t;
use crate::c_api::wasm::store::wasm_store_t;
use crate::runtime::base::host_data::HostData;
use std::ffi::{c_char, c_void};
use std::mem::MaybeUninit;

/// Returns the name of an engine's backend. Static. Returns NULL and sets the last error for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_engine_backend_name(engine: Option<&wasm_engine_t>) -> *const c_char {
    answer("wasmrt_engine_backend_name", std::ptr::null(), || Ok(static_text(Some(engine.required()?.backend.name()))))
}

/// Gets the number of an engine's modules: those that have not been deleted, and those that an
/// instance, a store or a shared module still needs. May be called from any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_engine_module_count(
    engine: Option<&wasm_engine_t>,
    out: Option<&mut MaybeUninit<usize>>,
) -> bool {
    get("wasmrt_engine_module_count", out, || Ok(engine.required()?.modules()))
}

/// Returns the engine of a store, own. Returns NULL and sets the last error for NULL.
///
/// It must eventually be passed to `wasm_engine_delete`, and outlives the store and every other
/// handle of the engine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_store_engine(store: Option<&wasm_store_t>) -> Option<Box<wasm_engine_t>> {
    answer("wasmrt_store_engine", None, || Ok(give(store.required()?.engine().clone())))
}

/// Sets the data of a store to any pointer, for the host's own use: callbacks reach it through
/// `wasmrt_caller_store` and `wasmrt_store_data`.
///
/// Takes `data`. `finalizer`, unless NULL, is called once with `data`: when other data is set, or
/// when the store is freed, as the last of the store's finalizers and on the thread that frees it.
/// If `store` is NULL or was deleted, it is called at once, and `wasmrt_store_set_data` returns
/// false and sets the last error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_store_set_data(
    store: Option<&mut wasm_store_t>,
    data: *mut c_void,
    finalizer: Option<unsafe extern "C" fn(arg1: *mut c_void)>,
) -> bool {
    answer("wasmrt_store_set_data", false, || {
        let data = HostData { pointer: data, finalizer };
        store.required()?.set_data(data);
        Ok(true)
    })
}

/// Returns the data of a store, borrowed; NULL if none was set. Returns NULL and sets the last error
/// for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_store_data(store: Option<&wasm_store_t>) -> *mut c_void {
    answer("wasmrt_store_data", std::ptr::null_mut(), || Ok(store.required()?.data()))
}

/// Collects garbage in a store now, rather than when the engine needs room: references that guests
/// no longer hold are released, and finalizers run of what that frees. May be called from a
/// callback.
///
/// wasmtime collects its heap of structures, arrays and externrefs. wasmi has no collector and keeps
/// externrefs as long as the store: there this does nothing, and returns true. Functions, instances
/// and what they export live as long as the store on every backend.
///
/// Returns false and sets the last error for NULL, or if the engine cannot allocate what it needs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_store_gc(store: Option<&mut wasm_store_t>) -> bool {
    answer("wasmrt_store_gc", false, || store.required()?.collect_garbage().map(|()| true))
}

/// Returns the export of an instance whose name is the `length` bytes at `name`, own. Returns NULL
/// if there is no such export. Sets the last error only if `instance` or `name` is NULL.
///
/// It is the object that is among `wasm_instance_exports`, and must eventually be passed to
/// `wasm_extern_delete`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_instance_export(
    instance: Option<&wasm_instance_t>,
    name: *const c_char,
    length: usize,
) -> *mut wasm_extern_t {
    answer("wasmrt_instance_export", std::ptr::null_mut(), || {
        let instance = instance.required()?;
        if name.is_null() {
            return Err(null("the name of an export"));
        }
        // SAFETY: there are `length` bytes at `name`, which stay as they are during this call.
        let name = unsafe { std::slice::from_raw_parts(name.cast::<u8>(), length) };
        let export = instance.module.declarations.export_named(name);
        Ok(export.map_or(std::ptr::null_mut(), |position| give_handle(instance.export(position))))
    })
}
