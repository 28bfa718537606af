//! Modules.

use super::exporttype::{ExportType, wasm_exporttype_vec_t};
use super::importtype::{ImportType, Name, wasm_importtype_vec_t};
use super::r#ref::wasm_ref_t;
use super::store::{self, wasm_store_t};
use crate::c_api::families::reference::{casts, object, reference, wrong_kind};
use crate::c_api::families::vector::{Parts, Vector, wasm_byte_t, wasm_byte_vec_t};
use crate::runtime::base::error::{Error, Result};
use crate::runtime::core::module::Module;
use crate::runtime::core::object::{Body, Object};
use std::sync::Arc;

reference!(
    module,
    "a module",
    "A compiled module, for the store it was made with and for every other store of its engine.\n\nFunctions: `wasm_module_new`, `_validate`, `_imports`, `_exports`, `_serialize`, `_deserialize`, `_share`,\n`_obtain`, and those of every reference. Must eventually be passed to `wasm_module_delete`."
);
casts!(module, "a module", r#ref, wasm_ref_t, |object| object.as_module().is_some());

/// A module that can be taken to other threads, see `wasm_module_share`. Owned; must be passed to
/// `wasm_shared_module_delete`. Usable from any thread.
pub struct wasm_shared_module_t {
    _module: Module,
}

/// Compiles a module, own. [Modules]
///
/// `binary` stays the caller's. NULL and a last error, which says where and why, if it is malformed or invalid, or uses
/// what the engine lacks. Text is not accepted; see `wasmrt_wat2wasm`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_module_new(
    store: *mut wasm_store_t,
    binary: *const wasm_byte_vec_t,
) -> *mut wasm_module_t {
    // SAFETY: the caller's, or NULL.
    crate::c_api::answer("wasm_module_new", std::ptr::null_mut(), || unsafe {
        let store = store::from_c(store)?;
        let binary = bytes(binary)?;
        give(store, Module::compile(store.engine(), binary)?)
    })
}

/// Whether `binary` is a module that `wasm_module_new` would accept; if not, the last error says why. [Modules]
///
/// Keeps nothing. Takes far less time than `wasm_module_new` on an engine that is a compiler, and as long on an interpreter.
/// NULL for the store or the bytes: false.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_module_validate(store: *mut wasm_store_t, binary: *const wasm_byte_vec_t) -> bool {
    // SAFETY: the caller's, or NULL.
    crate::c_api::answer("wasm_module_validate", false, || unsafe {
        let store = store::from_c(store)?;
        Module::validate(store.engine(), bytes(binary)?).map(|()| true)
    })
}

/// Writes the types of a module's imports to `out`, own, in declared order. [Modules]
///
/// Must be passed to `wasm_importtype_vec_delete`. NULL for the module: `out` is empty, and there is a last error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_module_imports(module: *const wasm_module_t, out: *mut wasm_importtype_vec_t) {
    // SAFETY: the caller's module, or NULL; `out` is writable.
    let types = crate::c_api::answer("wasm_module_imports", wasm_importtype_vec_t::empty(), || unsafe {
        let imports = from_c(module)?.1.declarations.imports.iter();
        let types: Vec<_> = imports
            .map(|import| {
                crate::c_api::give_box(ImportType {
                    module: Name::new(&import.module),
                    name: Name::new(&import.name),
                    ty: import.ty.clone(),
                })
            })
            .collect();
        Ok(Vector::from_parts(Parts::from_slice(&types)))
    });
    // SAFETY: as above.
    unsafe { types.write(out) }
}

/// Writes the types of a module's exports to `out`, own, in declared order. [Modules]
///
/// Must be passed to `wasm_exporttype_vec_delete`. NULL for the module: `out` is empty, and there is a last error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_module_exports(module: *const wasm_module_t, out: *mut wasm_exporttype_vec_t) {
    // SAFETY: the caller's module, or NULL; `out` is writable.
    let types = crate::c_api::answer("wasm_module_exports", wasm_exporttype_vec_t::empty(), || unsafe {
        let exports = from_c(module)?.1.declarations.exports.iter();
        let types: Vec<_> = exports
            .map(|export| crate::c_api::give_box(ExportType { name: Name::new(&export.name), ty: export.ty.clone() }))
            .collect();
        Ok(Vector::from_parts(Parts::from_slice(&types)))
    });
    // SAFETY: as above.
    unsafe { types.write(out) }
}

/// Writes a module in a form that `wasm_module_deserialize` reads again without compiling to `out`, own. [Modules]
///
/// The bytes name the library's version, the backend and its settings, and carry a checksum. Must be passed to
/// `wasm_byte_vec_delete`. NULL for the module: `out` is empty, and there is a last error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_module_serialize(module: *const wasm_module_t, out: *mut wasm_byte_vec_t) {
    // SAFETY: the caller's module, or NULL; `out` is writable.
    let bytes = crate::c_api::answer("wasm_module_serialize", wasm_byte_vec_t::empty(), || unsafe {
        let [head, rest] = from_c(module)?.1.serialize()?;
        Ok(joined(&head, &rest))
    });
    // SAFETY: as above.
    unsafe { bytes.write(out) }
}

/// Makes a module, own, from the bytes of `wasm_module_serialize`, which stay the caller's. [Modules]
///
/// NULL and a last error if they are damaged, incomplete, or from another version, backend or configuration. The checksum
/// guards against accidents, not against malice: serialized modules may hold machine code, so read only your own.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_module_deserialize(
    store: *mut wasm_store_t,
    bytes: *const wasm_byte_vec_t,
) -> *mut wasm_module_t {
    // SAFETY: the caller's, or NULL; that the bytes are to be trusted is in the documentation.
    crate::c_api::answer("wasm_module_deserialize", std::ptr::null_mut(), || unsafe {
        let store = store::from_c(store)?;
        give(store, Module::deserialize(store.engine(), self::bytes(bytes)?)?)
    })
}

/// A form of a module that can be taken to other threads, own. NULL gives NULL and a last error. [Modules]
///
/// Nothing is copied or compiled again. Must be passed to `wasm_shared_module_delete`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_module_share(module: *const wasm_module_t) -> *mut wasm_shared_module_t {
    // SAFETY: the caller's module, or NULL.
    crate::c_api::answer("wasm_module_share", std::ptr::null_mut(), || unsafe {
        Ok(Arc::into_raw(from_c(module)?.1.clone()).cast_mut().cast())
    })
}

/// A module for `store` from a shared one, own. The shared one stays the caller's. [Modules]
///
/// NULL and a last error if either is NULL, or if the store is of another engine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_module_obtain(
    store: *mut wasm_store_t,
    shared: *const wasm_shared_module_t,
) -> *mut wasm_module_t {
    // SAFETY: the caller's, or NULL; a shared module is an `Arc`, whose count goes up here.
    crate::c_api::answer("wasm_module_obtain", std::ptr::null_mut(), || unsafe {
        let store = store::from_c(store)?;
        let module: &Module = crate::c_api::required(shared, "a shared module")?;
        if !Arc::ptr_eq(&module.engine, store.engine()) {
            return Err(Error::misuse("the module belongs to another engine than the store"));
        }
        // By the pointer from `Arc::into_raw`: a reference would not reach the count beside the module.
        let shared = shared.cast::<Module>();
        Arc::increment_strong_count(shared);
        give(store, Arc::from_raw(shared))
    })
}

/// Deletes a shared module. Takes ownership. NULL: nothing happens. May be called from any thread. [Modules]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_shared_module_delete(shared: *mut wasm_shared_module_t) {
    crate::c_api::guard((), || {
        if !shared.is_null() {
            // SAFETY: the caller's own, from `Arc::into_raw`.
            drop(unsafe { Arc::from_raw(shared.cast::<Module>()) });
        }
    })
}

fn give(store: &crate::runtime::core::store::Store, module: Arc<Module>) -> Result<*mut wasm_module_t> {
    Ok(Object::create(store, Body::Module(module)).into_raw().cast())
}

/// Two pieces in one vector.
fn joined(head: &[u8], rest: &[u8]) -> wasm_byte_vec_t {
    let size = head.len() + rest.len();
    let bytes = Parts::<wasm_byte_t>::unwritten(size);
    if bytes.size == size {
        let data = bytes.data.cast::<u8>();
        // SAFETY: there is room for both pieces.
        unsafe {
            data.copy_from_nonoverlapping(head.as_ptr(), head.len());
            data.add(head.len()).copy_from_nonoverlapping(rest.as_ptr(), rest.len());
        }
    }
    Vector::from_parts(bytes)
}

/// # Safety
/// The pointer is NULL or a valid vector.
unsafe fn bytes<'a>(vector: *const wasm_byte_vec_t) -> Result<&'a [u8]> {
    if vector.is_null() {
        return Err(crate::c_api::null("bytes"));
    }
    // SAFETY: as promised by the caller.
    Ok(unsafe { wasm_byte_vec_t::bytes(vector) })
}

/// # Safety
/// The pointer is NULL or the caller's handle.
pub unsafe fn from_c<'a>(module: *const wasm_module_t) -> Result<(&'a Object, &'a Arc<Module>)> {
    // SAFETY: as promised by the caller.
    let object = unsafe { object(module, "a module")? };
    Ok((object, object.as_module().ok_or_else(|| wrong_kind(object, "a module"))?))
}
