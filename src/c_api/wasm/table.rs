//! Tables.

use super::r#extern::wasm_extern_t;
use super::r#ref::wasm_ref_t;
use super::store::wasm_store_t;
use super::tabletype::wasm_tabletype_t;
use crate::c_api::answer;
use crate::c_api::families::reference::{casts, reference};
use crate::c_api::ffi::{Argument, CType, give, give_handle};
use crate::runtime::base::types::saturate;
use crate::runtime::core::object::Object;
use crate::runtime::core::table::Table;

reference!(
    /// A table of references.
    ///
    /// Functions: `wasm_table_new`, `_type`, `_get`, `_set`, `_size`, `_grow`, and those of every
    /// reference and extern. Must eventually be passed to `wasm_table_delete` if owned.
    table,
    "a table",
    &'a Table,
    Object::as_table
);
casts!(table, "a table", r#ref, wasm_ref_t);
casts!(table, "a table", r#extern, wasm_extern_t);

/// A number of elements of a table, or an index into one.
pub type wasm_table_size_t = u32;

/// Creates a table whose elements are all `init`, own. Does not take `ty` or `init`.
/// [Table Instances]
///
/// NULL for `init` is the null reference. Returns NULL and sets the last error if another argument
/// is NULL, if `init` is not of the elements' type or is of another store, or if the engine does not
/// have a proposal that the type needs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_table_new(
    store: Option<&mut wasm_store_t>,
    ty: Option<&wasm_tabletype_t>,
    init: Option<&mut wasm_ref_t>,
) -> *mut wasm_table_t {
    answer("wasm_table_new", std::ptr::null_mut(), || {
        Ok(give_handle(Table::create(store.required()?, ty.required()?, object(init))?))
    })
}

/// Returns the type of a table, own; its minimum is the current size. [Table Instances]
///
/// Returns NULL and sets the last error for NULL. The type must eventually be passed to
/// `wasm_tabletype_delete`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_table_type(table: Option<&wasm_table_t>) -> Option<Box<wasm_tabletype_t>> {
    answer("wasm_table_type", None, || Ok(table.required()?.object.extern_type().and_then(give)))
}

/// Returns the element of a table at `index`, own; NULL if it is the null reference.
/// [Table Instances]
///
/// Returns NULL and sets the last error if the index is beyond the end, or if `table` is NULL. The
/// reference must eventually be passed to `wasm_ref_delete`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_table_get(table: Option<&wasm_table_t>, index: wasm_table_size_t) -> *mut wasm_ref_t {
    answer("wasm_table_get", std::ptr::null_mut(), || {
        let element = table.required()?.get(index.into())?;
        Ok(element.map_or(std::ptr::null_mut(), give_handle))
    })
}

/// Sets the element of a table at `index`. Does not take `value`; NULL is the null reference.
/// [Table Instances]
///
/// Returns true on success. Returns false and sets the last error if the index is beyond the end, if
/// the reference is not of the elements' type or is of another store, or if `table` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_table_set(
    table: Option<&mut wasm_table_t>,
    index: wasm_table_size_t,
    value: Option<&mut wasm_ref_t>,
) -> bool {
    answer("wasm_table_set", false, || table.required()?.set(index.into(), self::object(value)).map(|()| true))
}

/// Returns the size of a table in elements. Returns 0 and sets the last error for NULL.
/// [Table Instances]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_table_size(table: Option<&wasm_table_t>) -> wasm_table_size_t {
    answer("wasm_table_size", 0, || Ok(saturate(table.required()?.size())))
}

/// Adds `delta` elements to a table, all of them `init`. Does not take `init`; NULL is the null
/// reference. [Table Instances]
///
/// Returns true on success. Returns false and sets the last error if the table would exceed its
/// maximum, if there is too little memory, if `init` is not of the elements' type or is of another
/// store, or if `table` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_table_grow(
    table: Option<&mut wasm_table_t>,
    delta: wasm_table_size_t,
    init: Option<&mut wasm_ref_t>,
) -> bool {
    answer("wasm_table_grow", false, || table.required()?.grow(delta.into(), self::object(init)).map(|_| true))
}

/// The object that is to be an element; whether it may be one is for the runtime to check.
fn object(element: Option<&mut wasm_ref_t>) -> Option<&Object> {
    element.map(|element| element.rust())
}
