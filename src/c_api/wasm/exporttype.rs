//! Export types.

use super::byte::{Name, wasm_name_t};
use super::externtype::wasm_externtype_t;
use crate::c_api::answer;
use crate::c_api::families::boxed::boxed;
use crate::c_api::families::vector::Vector;
use crate::c_api::ffi::{Argument, give};
use crate::runtime::base::types::ExternType;

#[derive(Clone)]
pub struct ExportType {
    pub name: Name,
    pub ty: ExternType,
}

boxed!(
    /// An export of a module: its name and its type.
    ///
    /// Functions: `wasm_exporttype_new`, `_delete`, `_copy`, `_name`, `_type`, and those of its vector.
    /// Must eventually be passed to `wasm_exporttype_delete` if owned.
    exporttype, ty, "Export Types", "an export type", "export types", ExportType
);

/// Creates an export type, own. Takes both arguments and leaves the name empty. [Export Types]
///
/// One terminating zero of the name is removed, if there is any. NULL for the name means an empty
/// one. Returns NULL and sets the last error if `ty` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_exporttype_new(
    name: *mut wasm_name_t,
    ty: Option<Box<wasm_externtype_t>>,
) -> Option<Box<wasm_exporttype_t>> {
    answer("wasm_exporttype_new", None, || {
        // SAFETY: NULL or C's vector.
        let name = unsafe { Vector::take(name) };
        Ok(give(ExportType { ty: ty.required()?, name: Name::from_c(&name) }))
    })
}

/// Returns the name of an export: borrowed, valid as long as the export type. [Export Types]
///
/// Returns NULL and sets the last error for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_exporttype_name(ty: Option<&wasm_exporttype_t>) -> *const wasm_name_t {
    answer("wasm_exporttype_name", std::ptr::null(), || Ok(ty.required()?.name.as_c()))
}

/// Returns the type of an export: borrowed, valid as long as the export type. [Export Types]
///
/// Returns NULL and sets the last error for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_exporttype_type(ty: Option<&wasm_exporttype_t>) -> *const wasm_externtype_t {
    answer("wasm_exporttype_type", std::ptr::null(), || Ok(std::ptr::from_ref(&ty.required()?.ty).cast()))
}
