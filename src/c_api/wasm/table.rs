//! Tables.

use super::r#extern::wasm_extern_t;
use super::r#ref::wasm_ref_t;
use super::store::{self, wasm_store_t};
use super::tabletype::{self, wasm_tabletype_t};
use crate::c_api::families::reference::{casts, object, reference, wrong_kind};
use crate::runtime::base::error::Result;
use crate::runtime::base::types::Limits;
use crate::runtime::core::object::{Handle, Object, Typed};
use crate::runtime::core::table::Table;

reference!(
    table,
    "a table",
    "A table of references.\n\nFunctions: `wasm_table_new`, `_type`, `_get`, `_set`, `_size`, `_grow`, and those of every reference and extern.\nMust eventually be passed to `wasm_table_delete` if owned."
);
casts!(table, "a table", r#ref, wasm_ref_t, |object| object.as_table().is_some());
casts!(table, "a table", r#extern, wasm_extern_t, |object| object.as_table().is_some());

/// A number of elements of a table, or an index of one.
pub type wasm_table_size_t = u32;

/// A table whose elements are all `init`, own. The type and `init` stay the caller's. [Table Instances]
///
/// NULL for `init` is the null reference. NULL and a last error if another argument is NULL, or if `init` is not of the
/// elements' type or of another store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_table_new(
    store: *mut wasm_store_t,
    ty: *const wasm_tabletype_t,
    init: *mut wasm_ref_t,
) -> *mut wasm_table_t {
    // SAFETY: the caller's, or NULL.
    crate::c_api::answer("wasm_table_new", std::ptr::null_mut(), || unsafe {
        let (store, ty) = (store::from_c(store)?, tabletype::from_c(ty)?);
        Ok(Table::create(store, ty, crate::c_api::borrow(init))?.into_raw().cast())
    })
}

/// The type of a table, own; its minimum is the current size. NULL gives NULL and a last error. [Table Instances]
///
/// Must be passed to `wasm_tabletype_delete`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_table_type(table: *const wasm_table_t) -> *mut wasm_tabletype_t {
    // SAFETY: the caller's table, or NULL.
    crate::c_api::answer("wasm_table_type", std::ptr::null_mut(), || unsafe {
        Ok(from_c(table)?.object.extern_type().map_or(std::ptr::null_mut(), crate::c_api::give_box))
    })
}

/// The element at `index`, own; NULL if it is the null reference. [Table Instances]
///
/// NULL and a last error if the index is beyond the end, or the table NULL. Must be passed to `wasm_ref_delete`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_table_get(table: *const wasm_table_t, index: wasm_table_size_t) -> *mut wasm_ref_t {
    // SAFETY: the caller's table, or NULL.
    crate::c_api::answer("wasm_table_get", std::ptr::null_mut(), || unsafe {
        let element = from_c(table)?.get(index)?;
        Ok(element.map_or(std::ptr::null_mut(), Handle::into_raw).cast())
    })
}

/// Sets the element at `index`. The reference stays the caller's; NULL is the null reference. [Table Instances]
///
/// False and a last error if the index is beyond the end, the reference not of the elements' type or of another store, or
/// the table NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_table_set(
    table: *mut wasm_table_t,
    index: wasm_table_size_t,
    value: *mut wasm_ref_t,
) -> bool {
    // SAFETY: the caller's, or NULL.
    crate::c_api::answer("wasm_table_set", false, || unsafe {
        from_c(table)?.set(index, crate::c_api::borrow(value)).map(|()| true)
    })
}

/// How many elements a table has. NULL: 0 and a last error. [Table Instances]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_table_size(table: *const wasm_table_t) -> wasm_table_size_t {
    // SAFETY: the caller's table, or NULL.
    crate::c_api::answer("wasm_table_size", 0, || unsafe { Ok(Limits::new(from_c(table)?.size(), None).min) })
}

/// Adds `delta` elements that are all `init`. That stays the caller's; NULL is the null reference. [Table Instances]
///
/// False and a last error if the table would exceed its maximum or what there is memory for, if `init` is not of the
/// elements' type or of another store, or if the table is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_table_grow(
    table: *mut wasm_table_t,
    delta: wasm_table_size_t,
    init: *mut wasm_ref_t,
) -> bool {
    // SAFETY: the caller's, or NULL.
    crate::c_api::answer("wasm_table_grow", false, || unsafe {
        from_c(table)?.grow(delta, crate::c_api::borrow(init)).map(|()| true)
    })
}

/// # Safety
/// The pointer is NULL or the caller's handle.
unsafe fn from_c<'a>(table: *const wasm_table_t) -> Result<Typed<'a, Table>> {
    // SAFETY: as promised by the caller.
    let object = unsafe { object(table, "a table")? };
    Typed::of(object, Object::as_table).ok_or_else(|| wrong_kind(object, "a table"))
}
