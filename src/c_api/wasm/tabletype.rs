//! Table types.

use super::externtype::wrong_type;
use super::limits;
use super::valtype::wasm_valtype_t;
use crate::c_api::answer;
use crate::c_api::families::boxed::boxed;
use crate::c_api::ffi::{Argument, give};
use crate::runtime::base::error::{Error, Result};
use crate::runtime::base::types::{ExternType, Limits32, TableType, ValType};

boxed!(
    /// The type of a table: the type of its elements, and the limits of its size.
    ///
    /// Functions: `wasm_tabletype_new`, `_delete`, `_copy`, `_element`, `_limits`, those of its vector,
    /// and the casts from and to `wasm_externtype_t`. Must eventually be passed to
    /// `wasm_tabletype_delete` if owned.
    tabletype, ty, "Table Types", "a table type", "table types", ExternType, &'a TableType, |ty| match ty {
        ExternType::Table(ty) => Ok(ty),
        other => Err(wrong_type(other, "a table type")),
    }
);

/// Creates a table type, own. Takes `element`, but not `limits`, which are in elements.
/// [Table Types]
///
/// Returns NULL and sets the last error if an argument is NULL, if `element` is not a reference
/// type, or if the minimum is above the maximum.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_tabletype_new(
    element: Option<&mut wasm_valtype_t>,
    limits: Option<&Limits32>,
) -> Option<Box<wasm_tabletype_t>> {
    answer("wasm_tabletype_new", None, || {
        let (element, limits) = (check_element(element)?, limits::from_c(limits)?);
        Ok(give(ExternType::Table(TableType { element, limits, is_64_bit: false })))
    })
}

/// The type of a table's elements, as C gave it.
pub fn check_element(element: Option<&mut wasm_valtype_t>) -> Result<ValType> {
    let element = element.required()?;
    match element.kind.is_reference() {
        true => Ok(element),
        false => Err(Error::misuse(format!("expected a reference type for the elements, got {element}"))),
    }
}

/// Returns the type of a table's elements, borrowed. Returns NULL and sets the last error for NULL.
/// [Table Types]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_tabletype_element(ty: Option<&wasm_tabletype_t>) -> *const wasm_valtype_t {
    answer("wasm_tabletype_element", std::ptr::null(), || Ok(ty.required()?.element.as_ptr().cast()))
}

/// Returns the limits of a table's size, in elements: borrowed, valid as long as the table type.
/// [Table Types]
///
/// Returns NULL and sets the last error for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_tabletype_limits(ty: Option<&wasm_tabletype_t>) -> *const Limits32 {
    answer("wasm_tabletype_limits", std::ptr::null(), || Ok(std::ptr::from_ref(ty.required()?.limits.in_c())))
}
