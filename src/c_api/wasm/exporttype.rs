//! Export types.

use super::externtype::wasm_externtype_t;
use super::importtype::Name;
use crate::c_api::families::boxed::type_object;
use crate::c_api::families::vector::{Vector, wasm_name_t};
use crate::runtime::base::types::ExternType;

#[derive(Clone)]
pub struct ExportType {
    pub name: Name,
    pub ty: ExternType,
}

type_object!(
    exporttype,
    ExportType,
    "an export type",
    "export types",
    "What a module offers: a name, and the type of what is exported under it.\n\nFunctions: `wasm_exporttype_new`, `_delete`, `_copy`, `_name`, `_type`, and those of its vector. Must eventually\nbe passed to `wasm_exporttype_delete` if owned."
);

/// An export type, own. Takes both; the name is left empty. [Export Types]
///
/// A terminating zero of the name is stripped, one of them. NULL for the name means empty; NULL for the type gives NULL
/// and a last error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_exporttype_new(
    name: *mut wasm_name_t,
    ty: *mut wasm_externtype_t,
) -> *mut wasm_exporttype_t {
    // SAFETY: the caller's own, or NULL.
    crate::c_api::answer("wasm_exporttype_new", std::ptr::null_mut(), || unsafe {
        let name = Vector::take(name);
        let ty: Box<ExternType> = crate::c_api::take_box(ty).ok_or_else(|| crate::c_api::null("an extern type"))?;
        Ok(crate::c_api::give_box(ExportType { name: Name::from_c(name), ty: *ty }))
    })
}

/// The name of an export: borrowed, valid as long as the export type. NULL gives NULL and a last error. [Export Types]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_exporttype_name(ty: *const wasm_exporttype_t) -> *const wasm_name_t {
    // SAFETY: the caller's, or NULL.
    crate::c_api::answer("wasm_exporttype_name", std::ptr::null(), || unsafe {
        Ok(crate::c_api::required::<_, ExportType>(ty, "an export type")?.name.as_c())
    })
}

/// The type of what is exported: borrowed, valid as long as the export type. NULL gives NULL and a last error.
/// [Export Types]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_exporttype_type(ty: *const wasm_exporttype_t) -> *const wasm_externtype_t {
    // SAFETY: the caller's, or NULL.
    crate::c_api::answer("wasm_exporttype_type", std::ptr::null(), || unsafe {
        Ok(std::ptr::from_ref(&crate::c_api::required::<_, ExportType>(ty, "an export type")?.ty).cast())
    })
}
