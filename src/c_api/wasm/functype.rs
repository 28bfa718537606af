//! Function types.

use super::valtype::{self, wasm_valtype_vec_t};
use crate::c_api::families::boxed::type_object;
use crate::c_api::families::vector::Vector;
use crate::runtime::base::error::{Error, Result};
use crate::runtime::base::types::{ExternType, FuncType, ValType};

type_object!(
    functype,
    ExternType,
    "a function type",
    "function types",
    "The type of a function: the types of its parameters and of its results.\n\nFunctions: `wasm_functype_new`, `_delete`, `_copy`, `_params`, `_results`, those of its vector, and the\ncasts from and to `wasm_externtype_t`. Must eventually be passed to `wasm_functype_delete` if owned."
);

/// A function type, own. [Function Types]
///
/// Takes both vectors and leaves them empty, so that deleting them later is harmless. NULL for a vector means empty. NULL
/// and a last error if an element is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_functype_new(
    params: *mut wasm_valtype_vec_t,
    results: *mut wasm_valtype_vec_t,
) -> *mut wasm_functype_t {
    // SAFETY: the caller's vectors, or NULL.
    crate::c_api::answer("wasm_functype_new", std::ptr::null_mut(), || unsafe {
        let (params, results) = (Vector::take(params), Vector::take(results));
        let ty = FuncType::new(types(params.elements(), "parameter")?, types(results.elements(), "result")?);
        Ok(crate::c_api::give_box(ExternType::Func(ty)))
    })
}

/// # Safety
/// The elements are NULL or came from the library.
unsafe fn types(elements: &[*mut valtype::wasm_valtype_t], role: &str) -> Result<Vec<ValType>> {
    let ty = |(position, element): (usize, &*mut _)| {
        // SAFETY: as promised by the caller.
        let ty = unsafe { valtype::from_c(*element) };
        ty.ok_or_else(|| Error::misuse(format!("expected a value type for {role} {}, got NULL", position + 1)))
    };
    elements.iter().enumerate().map(ty).collect()
}

/// The types of a function type's parameters: borrowed, valid as long as the function type. [Function Types]
///
/// NULL gives NULL and a last error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_functype_params(ty: *const wasm_functype_t) -> *const wasm_valtype_vec_t {
    // SAFETY: the caller's, or NULL.
    crate::c_api::answer("wasm_functype_params", std::ptr::null(), || unsafe {
        Ok(std::ptr::from_ref(&from_c(ty)?.params).cast())
    })
}

/// The types of a function type's results: borrowed, valid as long as the function type. [Function Types]
///
/// NULL gives NULL and a last error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_functype_results(ty: *const wasm_functype_t) -> *const wasm_valtype_vec_t {
    // SAFETY: the caller's, or NULL.
    crate::c_api::answer("wasm_functype_results", std::ptr::null(), || unsafe {
        Ok(std::ptr::from_ref(&from_c(ty)?.results).cast())
    })
}

/// # Safety
/// The pointer is NULL or came from the library.
pub unsafe fn from_c<'a>(ty: *const wasm_functype_t) -> Result<&'a FuncType> {
    // SAFETY: as promised by the caller.
    match unsafe { crate::c_api::required(ty, "a function type")? } {
        ExternType::Func(ty) => Ok(ty),
        other => Err(Error::misuse(format!("expected a function type, got the type of a {}", other.kind().name()))),
    }
}
