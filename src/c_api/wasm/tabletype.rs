//! Table types.

use super::valtype::{self, wasm_valtype_t};
use crate::c_api::families::boxed::type_object;
use crate::runtime::base::error::{Error, Result};
use crate::runtime::base::types::{ExternType, Limits, TableType};

type_object!(
    tabletype,
    ExternType,
    "a table type",
    "table types",
    "The type of a table: the type of its elements, and the limits of its size.\n\nFunctions: `wasm_tabletype_new`, `_delete`, `_copy`, `_element`, `_limits`, those of its vector, and the casts\nfrom and to `wasm_externtype_t`. Must eventually be passed to `wasm_tabletype_delete` if owned."
);

/// A table type, own. Takes `element`; `limits` stay the caller's. [Table Types]
///
/// NULL and a last error if either is NULL, if `element` is no reference type, or if the minimum is above the maximum.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_tabletype_new(
    element: *mut wasm_valtype_t,
    limits: *const Limits,
) -> *mut wasm_tabletype_t {
    // SAFETY: the caller's, or NULL.
    crate::c_api::answer("wasm_tabletype_new", std::ptr::null_mut(), || unsafe {
        let element = valtype::from_c(element).ok_or_else(|| crate::c_api::null("a value type"))?;
        let limits = limits_from_c(limits)?;
        if !element.kind.is_reference() {
            return Err(Error::misuse(format!("expected a reference type for the elements, got {element}")));
        }
        Ok(crate::c_api::give_box(ExternType::Table(TableType { element, limits, is_64_bit: false })))
    })
}

/// The type of a table's elements: borrowed. NULL gives NULL and a last error. [Table Types]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_tabletype_element(ty: *const wasm_tabletype_t) -> *const wasm_valtype_t {
    // SAFETY: the caller's, or NULL.
    crate::c_api::answer("wasm_tabletype_element", std::ptr::null(), || unsafe {
        Ok(from_c(ty)?.element.as_ptr().cast())
    })
}

/// The limits of a table's size, in elements: borrowed, valid as long as the table type. [Table Types]
///
/// NULL gives NULL and a last error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_tabletype_limits(ty: *const wasm_tabletype_t) -> *const Limits {
    // SAFETY: the caller's, or NULL.
    crate::c_api::answer("wasm_tabletype_limits", std::ptr::null(), || unsafe { Ok(&raw const from_c(ty)?.limits) })
}

/// # Safety
/// The pointer is NULL or came from the library.
pub unsafe fn from_c<'a>(ty: *const wasm_tabletype_t) -> Result<&'a TableType> {
    // SAFETY: as promised by the caller.
    match unsafe { crate::c_api::required(ty, "a table type")? } {
        ExternType::Table(ty) => Ok(ty),
        other => Err(Error::misuse(format!("expected a table type, got the type of a {}", other.kind().name()))),
    }
}

/// Limits as C gave them, checked.
///
/// # Safety
/// The pointer is NULL or valid.
pub unsafe fn limits_from_c(limits: *const Limits) -> Result<Limits> {
    // SAFETY: as promised by the caller.
    let limits: &Limits = unsafe { crate::c_api::required(limits, "limits")? };
    if limits.min > limits.max {
        let Limits { min, max } = limits;
        return Err(Error::misuse(format!("the limits' minimum {min} is above their maximum {max}")));
    }
    Ok(*limits)
}
