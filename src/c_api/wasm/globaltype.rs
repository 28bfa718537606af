//! Global types.

use super::valtype::{self, wasm_valtype_t};
use crate::c_api::families::boxed::type_object;
use crate::runtime::base::error::{Error, Result};
use crate::runtime::base::types::{ExternType, GlobalType};

type_object!(
    globaltype,
    ExternType,
    "a global type",
    "global types",
    "The type of a global: the type of its content, and whether it can be changed.\n\nFunctions: `wasm_globaltype_new`, `_delete`, `_copy`, `_content`, `_mutability`, those of its vector, and the\ncasts from and to `wasm_externtype_t`. Must eventually be passed to `wasm_globaltype_delete` if owned."
);

/// Whether a global can be changed; the numbers are those of `wasm_mutability_enum`.
pub type wasm_mutability_t = u8;

/// Whether a global can be changed.
#[repr(C)]
pub enum wasm_mutability_enum {
    /// It cannot.
    WASM_CONST,
    /// It can.
    WASM_VAR,
}

/// A global type, own. Takes `content`. [Global Types]
///
/// NULL and a last error if `content` is NULL or `mutability` is neither `WASM_CONST` nor `WASM_VAR`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_globaltype_new(
    content: *mut wasm_valtype_t,
    mutability: wasm_mutability_t,
) -> *mut wasm_globaltype_t {
    // SAFETY: the caller's, or NULL.
    crate::c_api::answer("wasm_globaltype_new", std::ptr::null_mut(), || unsafe {
        let content = valtype::from_c(content).ok_or_else(|| crate::c_api::null("a value type"))?;
        if mutability > wasm_mutability_enum::WASM_VAR as u8 {
            let message = format!("expected WASM_CONST (0) or WASM_VAR (1) for the mutability, got {mutability}");
            return Err(Error::misuse(message));
        }
        Ok(crate::c_api::give_box(ExternType::Global(GlobalType { content, mutable: mutability != 0 })))
    })
}

/// The type of a global's content: borrowed. NULL gives NULL and a last error. [Global Types]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_globaltype_content(ty: *const wasm_globaltype_t) -> *const wasm_valtype_t {
    // SAFETY: the caller's, or NULL.
    crate::c_api::answer("wasm_globaltype_content", std::ptr::null(), || unsafe {
        Ok(from_c(ty)?.content.as_ptr().cast())
    })
}

/// Whether a global can be changed. NULL: `WASM_CONST` (0) and a last error. [Global Types]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_globaltype_mutability(ty: *const wasm_globaltype_t) -> wasm_mutability_t {
    // SAFETY: the caller's, or NULL.
    crate::c_api::answer("wasm_globaltype_mutability", 0, || unsafe { Ok(from_c(ty)?.mutable.into()) })
}

/// # Safety
/// The pointer is NULL or came from the library.
pub unsafe fn from_c<'a>(ty: *const wasm_globaltype_t) -> Result<&'a GlobalType> {
    // SAFETY: as promised by the caller.
    match unsafe { crate::c_api::required(ty, "a global type")? } {
        ExternType::Global(ty) => Ok(ty),
        other => Err(Error::misuse(format!("expected a global type, got the type of a {}", other.kind().name()))),
    }
}
