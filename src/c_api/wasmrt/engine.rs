//! Engines, stores and instances

use super::get;
use crate::c_api::families::reference::{object, wrong_kind};
use crate::c_api::wasm::engine::wasm_engine_t;
use crate::c_api::wasm::r#extern::wasm_extern_t;
use crate::c_api::wasm::instance::wasm_instance_t;
use crate::c_api::wasm::store::{self, wasm_store_t};
use crate::c_api::{answer, null, required};
use crate::runtime::core::engine::Engine;
use std::ffi::c_char;
use std::sync::Arc;

/// Returns the name of an engine's backend. Static. NULL and a last error for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_engine_backend_name(engine: *const wasm_engine_t) -> *const c_char {
    // SAFETY: C passed an engine, or NULL.
    answer("wasmrt_engine_backend_name", std::ptr::null(), || unsafe {
        Ok(required::<_, Engine>(engine, "an engine")?.backend.name().as_ptr())
    })
}

/// Gets the number of an engine's modules: those that have not been deleted, and those that an
/// instance, a store or a shared module still needs. May be called from any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_engine_module_count(engine: *const wasm_engine_t, out: *mut usize) -> bool {
    // SAFETY: C passed an engine and a place to write to, or NULL.
    unsafe { get("wasmrt_engine_module_count", out, || Ok(required::<_, Engine>(engine, "an engine")?.modules())) }
}

/// Returns the engine of a store, own: it must be passed to `wasm_engine_delete`, and stays usable
/// when the handle that the store was made with, or the store, is deleted. NULL and a last error for
/// NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_store_engine(store: *const wasm_store_t) -> *mut wasm_engine_t {
    // SAFETY: C passed a store, or NULL.
    answer("wasmrt_store_engine", std::ptr::null_mut(), || unsafe {
        Ok(Arc::into_raw(store::from_c(store)?.engine().clone()).cast_mut().cast())
    })
}

/// Returns the export of an instance whose name is the `length` bytes at `name`, own: it must be
/// passed to `wasm_extern_delete`.
///
/// Every call for the same export returns a handle of the same object, as `wasm_instance_exports`
/// does. NULL without an error if there is no such export. NULL and a last error if the instance or
/// the name is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_instance_export(
    instance: *const wasm_instance_t,
    name: *const c_char,
    length: usize,
) -> *mut wasm_extern_t {
    answer("wasmrt_instance_export", std::ptr::null_mut(), || {
        // SAFETY: C passed an instance, or NULL.
        let object = unsafe { object(instance, "an instance") }?;
        let instance = object.as_instance().ok_or_else(|| wrong_kind(object, "an instance"))?;
        if name.is_null() {
            return Err(null("the name of an export"));
        }
        // SAFETY: C passed as many bytes.
        let name = unsafe { std::slice::from_raw_parts(name.cast::<u8>(), length) };
        let export = instance.module.declarations.export_named(name);
        Ok(export.map_or(std::ptr::null_mut(), |position| instance.export(object, position).into_raw().cast()))
    })
}
