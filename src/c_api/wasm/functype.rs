//! Function types.

use super::externtype::wrong_type;
use super::valtype::{wasm_valtype_t, wasm_valtype_vec_t};
use crate::c_api::answer;
use crate::c_api::families::boxed::boxed;
use crate::c_api::families::vector::Vector;
use crate::c_api::ffi::{Argument, give};
use crate::runtime::base::error::{Error, Result};
use crate::runtime::base::types::{ExternType, FuncType, ValType};

boxed!(
    /// The type of a function: the types of its parameters and of its results.
    ///
    /// Functions: `wasm_functype_new`, `_delete`, `_copy`, `_params`, `_results`, those of its vector,
    /// and the casts from and to `wasm_externtype_t`. Must eventually be passed to
    /// `wasm_functype_delete` if owned.
    functype, ty, "Function Types", "a function type", "function types", ExternType, &'a FuncType, |ty| match ty {
        ExternType::Func(ty) => Ok(ty),
        other => Err(wrong_type(other, "a function type")),
    }
);

/// Creates a function type, own. [Function Types]
///
/// Takes both vectors and leaves them empty, so that deleting them later does no harm. NULL for a
/// vector means an empty one. Returns NULL and sets the last error if an element is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_functype_new(
    params: *mut wasm_valtype_vec_t,
    results: *mut wasm_valtype_vec_t,
) -> Option<Box<wasm_functype_t>> {
    answer("wasm_functype_new", None, || {
        // SAFETY: NULL, or C's vectors, which may be the same.
        let (params, results) = unsafe { (Vector::take(params), Vector::take(results)) };
        let ty = FuncType::new(types(&params, "parameter")?, types(&results, "result")?);
        Ok(give(ExternType::Func(ty)))
    })
}

fn types(types: &wasm_valtype_vec_t, role: &str) -> Result<Vec<ValType>> {
    let ty = |(position, element): (usize, &*mut wasm_valtype_t)| {
        // SAFETY: an element is NULL or points to a value type, all of which are static.
        let ty = unsafe { element.as_ref() }.required();
        ty.map_err(|_| Error::misuse(format!("expected a value type for {role} {}, got NULL", position + 1)))
    };
    types.elements().iter().enumerate().map(ty).collect()
}

/// Returns the types of a function type's parameters: borrowed, valid as long as the function type.
/// [Function Types]
///
/// Returns NULL and sets the last error for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_functype_params(ty: Option<&wasm_functype_t>) -> *const wasm_valtype_vec_t {
    answer("wasm_functype_params", std::ptr::null(), || Ok(std::ptr::from_ref(&ty.required()?.params).cast()))
}

/// Returns the types of a function type's results: borrowed, valid as long as the function type.
/// [Function Types]
///
/// Returns NULL and sets the last error for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_functype_results(ty: Option<&wasm_functype_t>) -> *const wasm_valtype_vec_t {
    answer("wasm_functype_results", std::ptr::null(), || Ok(std::ptr::from_ref(&ty.required()?.results).cast()))
}
