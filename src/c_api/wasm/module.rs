//! Modules.

use super::byte::{Name, wasm_byte_vec_t};
use super::exporttype::{ExportType, wasm_exporttype_vec_t};
use super::importtype::{ImportType, wasm_importtype_vec_t};
use super::r#ref::wasm_ref_t;
use super::store::wasm_store_t;
use crate::c_api::families::reference::{casts, reference};
use crate::c_api::families::vector::Vector;
use crate::c_api::ffi::{Argument, c_type, give, give_handle, null};
use crate::c_api::{answer, guard};
use crate::runtime::base::error::{Error, Result};
use crate::runtime::core::engine::Engine;
use crate::runtime::core::module::Module;
use crate::runtime::core::object::{Body, Object};
use crate::runtime::core::store::Store;
use std::mem::MaybeUninit;
use std::sync::Arc;

reference!(
    /// A compiled module, for all stores of its engine. The handle belongs to one store;
    /// `wasm_module_share` makes a form for other threads.
    ///
    /// Functions: `wasm_module_new`, `_validate`, `_imports`, `_exports`, `_serialize`, `_deserialize`,
    /// `_share`, `_obtain`, and those of every reference. Must eventually be passed to
    /// `wasm_module_delete`.
    module,
    "a module",
    &'a Arc<Module>,
    Object::as_module
);
casts!(module, "a module", r#ref, wasm_ref_t);

c_type!(
    /// A module that can be taken to other threads, see `wasm_module_share`.
    ///
    /// May be used from any thread. Must eventually be passed to `wasm_shared_module_delete`.
    wasm_shared_module_t,
    "a shared module",
    Boxed,
    Arc<Module>
);

/// Compiles a module, own. Does not take `binary`. [Modules]
///
/// Returns NULL if the binary is malformed or invalid, or uses what the engine does not support; the
/// last error says where and why. Does not accept the text format: see `wasmrt_wat2wasm`. Returns
/// NULL and sets the last error for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_module_new(
    store: Option<&mut wasm_store_t>,
    binary: Option<&wasm_byte_vec_t>,
) -> *mut wasm_module_t {
    answer("wasm_module_new", std::ptr::null_mut(), || {
        let binary = bytes(binary)?;
        make_module(store.required()?, |engine| Module::compile(engine, binary))
    })
}

/// Returns whether `wasm_module_new` would accept `binary`; if not, the last error says why.
/// [Modules]
///
/// Nothing is kept. On an engine that compiles, this is much faster than `wasm_module_new`; on an
/// interpreter, it takes as long. Returns false and sets the last error for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_module_validate(
    store: Option<&mut wasm_store_t>,
    binary: Option<&wasm_byte_vec_t>,
) -> bool {
    answer("wasm_module_validate", false, || {
        let engine = store.required()?.engine().clone();
        Module::validate(&engine, bytes(binary)?).map(|()| true)
    })
}

/// Sets `*out` to the types of a module's imports, own, in declared order. [Modules]
///
/// The vector must eventually be passed to `wasm_importtype_vec_delete`. If `module` is NULL, it is
/// empty and the last error is set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_module_imports(
    module: Option<&wasm_module_t>,
    out: Option<&mut MaybeUninit<wasm_importtype_vec_t>>,
) {
    let types = answer("wasm_module_imports", wasm_importtype_vec_t::empty(), || {
        let imports = module.required()?.declarations.imports.iter();
        Ok(wasm_importtype_vec_t::given(imports.map(|import| ImportType {
            module: Name::new(&import.module),
            name: Name::new(&import.name),
            ty: import.ty.clone(),
        })))
    });
    types.write(out)
}

/// Sets `*out` to the types of a module's exports, own, in declared order. [Modules]
///
/// The vector must eventually be passed to `wasm_exporttype_vec_delete`. If `module` is NULL, it is
/// empty and the last error is set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_module_exports(
    module: Option<&wasm_module_t>,
    out: Option<&mut MaybeUninit<wasm_exporttype_vec_t>>,
) {
    let types = answer("wasm_module_exports", wasm_exporttype_vec_t::empty(), || {
        let exports = module.required()?.declarations.exports.iter();
        Ok(wasm_exporttype_vec_t::given(
            exports.map(|export| ExportType { name: Name::new(&export.name), ty: export.ty.clone() }),
        ))
    });
    types.write(out)
}

/// Serializes a module: sets `*out` to bytes, own, that `wasm_module_deserialize` reads without
/// compiling again. [Modules]
///
/// The bytes name the library's version, the backend and its settings, and carry a checksum. They
/// must eventually be passed to `wasm_byte_vec_delete`. On failure, or if `module` is NULL, it is
/// empty and the last error is set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_module_serialize(
    module: Option<&wasm_module_t>,
    out: Option<&mut MaybeUninit<wasm_byte_vec_t>>,
) {
    let bytes = answer("wasm_module_serialize", wasm_byte_vec_t::empty(), || {
        let [head, rest] = module.required()?.serialize()?;
        Ok(wasm_byte_vec_t::joined(&head, &rest))
    });
    bytes.write(out)
}

/// Creates a module, own, from the bytes of `wasm_module_serialize`. Does not take `bytes`.
/// [Modules]
///
/// Returns NULL and sets the last error if the bytes are damaged, incomplete, or from another
/// version, backend or configuration, and for NULL. The checksum detects accidents, not attacks:
/// serialized modules may hold machine code, so read only your own.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_module_deserialize(
    store: Option<&mut wasm_store_t>,
    bytes: Option<&wasm_byte_vec_t>,
) -> *mut wasm_module_t {
    answer("wasm_module_deserialize", std::ptr::null_mut(), || {
        let store = store.required()?;
        // SAFETY: the comment above says that only the library's own bytes are to be passed.
        let module = unsafe { Module::deserialize(store.engine(), self::bytes(bytes)?)? };
        Ok(give_module(store, module))
    })
}

/// Creates a form of a module, own, that can be taken to other threads. [Modules]
///
/// Nothing is copied or compiled again. Returns NULL and sets the last error for NULL. The result
/// must eventually be passed to `wasm_shared_module_delete`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_module_share(module: Option<&wasm_module_t>) -> Option<Box<wasm_shared_module_t>> {
    answer("wasm_module_share", None, || Ok(give(module.required()?.body.clone())))
}

/// Creates a module of `store`, own, from a shared one. Does not take `shared`. [Modules]
///
/// Returns NULL and sets the last error if the store belongs to another engine, and for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_module_obtain(
    store: Option<&mut wasm_store_t>,
    shared: Option<&wasm_shared_module_t>,
) -> *mut wasm_module_t {
    answer("wasm_module_obtain", std::ptr::null_mut(), || {
        let (store, module) = (store.required()?, shared.required()?);
        if !Arc::ptr_eq(&module.engine, store.engine()) {
            return Err(Error::misuse("the module and the store belong to different engines"));
        }
        Ok(give_module(store, module.another()))
    })
}

/// Deletes a shared module. Takes ownership. Does nothing for NULL. May be called from any thread.
/// [Modules]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_shared_module_delete(shared: Option<Box<wasm_shared_module_t>>) {
    guard((), || drop(shared))
}

/// Compiles a module. Functions of the host that change it may delete the store and the engine meanwhile.
pub fn make_module(
    store: &Store,
    compile: impl FnOnce(&Arc<Engine>) -> Result<Arc<Module>>,
) -> Result<*mut wasm_module_t> {
    let engine = store.engine_for_module();
    store.run(|store| Ok(give_module(store, compile(&engine)?)))
}

pub fn give_module(store: &Store, module: Arc<Module>) -> *mut wasm_module_t {
    give_handle(Object::create(store, Body::Module(module)))
}

pub fn bytes(vector: Option<&wasm_byte_vec_t>) -> Result<&[u8]> {
    vector.map(wasm_byte_vec_t::bytes).ok_or_else(|| null("bytes"))
}
