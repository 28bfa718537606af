//! Engines, stores, modules and instances

use super::trap::write_name;
use super::{get, static_text};
use crate::c_api::answer;
use crate::c_api::ffi::{Argument, give, give_handle, null};
use crate::c_api::wasm::byte::wasm_name_t;
use crate::c_api::wasm::engine::wasm_engine_t;
use crate::c_api::wasm::r#extern::wasm_extern_t;
use crate::c_api::wasm::instance::wasm_instance_t;
use crate::c_api::wasm::module::wasm_module_t;
use crate::c_api::wasm::store::wasm_store_t;
use std::ffi::c_char;
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

/// Sets `*out` to the name of a module, own: it must be passed to `wasm_byte_vec_delete`.
///
/// The name is that of the module's name section, empty if it has none. If `module` is NULL, it is
/// empty and the last error is set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_module_name(
    module: Option<&wasm_module_t>,
    out: Option<&mut MaybeUninit<wasm_name_t>>,
) {
    let name = answer("wasmrt_module_name", None, || Ok(module.required()?.body.declarations.name.as_deref()));
    write_name(name, out)
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
