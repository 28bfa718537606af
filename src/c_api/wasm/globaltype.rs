//! Global types.

use super::externtype::wrong_type;
use super::valtype::wasm_valtype_t;
use crate::c_api::answer;
use crate::c_api::families::boxed::boxed;
use crate::c_api::ffi::{Argument, give};
use crate::runtime::base::error::Error;
use crate::runtime::base::types::{ExternType, GlobalType};

boxed!(
    /// The type of a global: the type of its content, and whether it can be changed.
    ///
    /// Functions: `wasm_globaltype_new`, `_delete`, `_copy`, `_content`, `_mutability`, those of its
    /// vector, and the casts from and to `wasm_externtype_t`. Must eventually be passed to
    /// `wasm_globaltype_delete` if owned.
    globaltype, ty, "Global Types", "a global type", "global types", ExternType, &'a GlobalType, |ty| match ty {
        ExternType::Global(ty) => Ok(ty),
        other => Err(wrong_type(other, "a global type")),
    }
);

/// The mutability of a global: a constant of `wasm_mutability_enum`.
pub type wasm_mutability_t = u8;

/// Whether a global can be changed.
#[repr(C)]
pub enum wasm_mutability_enum {
    /// It cannot be changed.
    WASM_CONST,
    /// It can be changed.
    WASM_VAR,
}

/// Creates a global type, own. Takes `content`. [Global Types]
///
/// Returns NULL and sets the last error if `content` is NULL, or if `mutability` is neither
/// `WASM_CONST` nor `WASM_VAR`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_globaltype_new(
    content: Option<&mut wasm_valtype_t>,
    mutability: wasm_mutability_t,
) -> Option<Box<wasm_globaltype_t>> {
    answer("wasm_globaltype_new", None, || {
        let content = content.required()?;
        if mutability > wasm_mutability_enum::WASM_VAR as u8 {
            let message = format!("expected WASM_CONST (0) or WASM_VAR (1) for the mutability, got {mutability}");
            return Err(Error::misuse(message));
        }
        Ok(give(ExternType::Global(GlobalType { content, mutable: mutability != 0 })))
    })
}

/// Returns the type of a global's content, borrowed. Returns NULL and sets the last error for NULL.
/// [Global Types]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_globaltype_content(ty: Option<&wasm_globaltype_t>) -> *const wasm_valtype_t {
    answer("wasm_globaltype_content", std::ptr::null(), || Ok(ty.required()?.content.as_ptr().cast()))
}

/// Returns whether a global can be changed: a constant of `wasm_mutability_enum`. [Global Types]
///
/// Returns `WASM_CONST` (0) and sets the last error for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_globaltype_mutability(ty: Option<&wasm_globaltype_t>) -> wasm_mutability_t {
    answer("wasm_globaltype_mutability", 0, || Ok(ty.required()?.mutable.into()))
}
