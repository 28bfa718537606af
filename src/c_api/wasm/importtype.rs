//! Import types.

use super::byte::{Name, wasm_name_t};
use super::externtype::wasm_externtype_t;
use crate::c_api::answer;
use crate::c_api::families::boxed::boxed;
use crate::c_api::families::vector::Vector;
use crate::c_api::ffi::{Argument, give};
use crate::runtime::base::types::ExternType;

#[derive(Clone)]
pub struct ImportType {
    pub module: Name,
    pub name: Name,
    pub ty: ExternType,
}

boxed!(
    /// An import of a module: the names of a module and of something in it, and the type of that.
    ///
    /// Functions: `wasm_importtype_new`, `_delete`, `_copy`, `_module`, `_name`, `_type`, and those of
    /// its vector. Must eventually be passed to `wasm_importtype_delete` if owned.
    importtype, ty, "Import Types", "an import type", "import types", ImportType
);

/// Creates an import type, own. Takes all three arguments and leaves the names empty. [Import Types]
///
/// One terminating zero of each name is removed, if there is any. NULL for a name means an empty
/// one. Returns NULL and sets the last error if `ty` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_importtype_new(
    module: *mut wasm_name_t,
    name: *mut wasm_name_t,
    ty: Option<Box<wasm_externtype_t>>,
) -> Option<Box<wasm_importtype_t>> {
    answer("wasm_importtype_new", None, || {
        // SAFETY: NULL, or C's vectors, which may be the same.
        let (module, name) = unsafe { (Vector::take(module), Vector::take(name)) };
        Ok(give(ImportType { ty: ty.required()?, module: Name::from_c(&module), name: Name::from_c(&name) }))
    })
}

/// Returns the name of the module that an import is from: borrowed, valid as long as the import
/// type. [Import Types]
///
/// Returns NULL and sets the last error for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_importtype_module(ty: Option<&wasm_importtype_t>) -> *const wasm_name_t {
    answer("wasm_importtype_module", std::ptr::null(), || Ok(ty.required()?.module.as_c()))
}

/// Returns the name of an import in its module: borrowed, valid as long as the import type.
/// [Import Types]
///
/// Returns NULL and sets the last error for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_importtype_name(ty: Option<&wasm_importtype_t>) -> *const wasm_name_t {
    answer("wasm_importtype_name", std::ptr::null(), || Ok(ty.required()?.name.as_c()))
}

/// Returns the type of an import: borrowed, valid as long as the import type. [Import Types]
///
/// Returns NULL and sets the last error for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_importtype_type(ty: Option<&wasm_importtype_t>) -> *const wasm_externtype_t {
    answer("wasm_importtype_type", std::ptr::null(), || Ok(std::ptr::from_ref(&ty.required()?.ty).cast()))
}
