//! Tag types.

use super::functype::wasm_functype_t;
use crate::c_api::families::boxed::type_object;
use crate::runtime::base::error::Error;
use crate::runtime::base::types::ExternType;

type_object!(
    tagtype,
    ExternType,
    "a tag type",
    "tag types",
    "The type of a tag (of the exception handling proposal): a function type whose parameters are what it carries.\n\nFunctions: `wasm_tagtype_new`, `_delete`, `_copy`, `_functype`, those of its vector, and the casts from and to\n`wasm_externtype_t`. Must eventually be passed to `wasm_tagtype_delete` if owned."
);

/// A tag type, own. Takes `ty`. NULL and a last error if that is NULL. [Tag Types]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_tagtype_new(ty: *mut wasm_functype_t) -> *mut wasm_tagtype_t {
    // SAFETY: the caller's own, or NULL.
    crate::c_api::answer("wasm_tagtype_new", std::ptr::null_mut(), || unsafe {
        let ty: Box<ExternType> = crate::c_api::take_box(ty).ok_or_else(|| crate::c_api::null("a function type"))?;
        match *ty {
            ExternType::Func(_) => Ok(crate::c_api::give_box(ExternType::Tag(ty))),
            other => Err(Error::misuse(format!("expected a function type, got the type of a {}", other.kind().name()))),
        }
    })
}

/// The function type of a tag: borrowed, valid as long as the tag type. NULL gives NULL and a last error. [Tag Types]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_tagtype_functype(ty: *const wasm_tagtype_t) -> *const wasm_functype_t {
    // SAFETY: the caller's, or NULL.
    crate::c_api::answer("wasm_tagtype_functype", std::ptr::null(), || {
        match unsafe { crate::c_api::required(ty, "a tag type")? } {
            ExternType::Tag(ty) => Ok(std::ptr::from_ref::<ExternType>(ty).cast()),
            other => Err(Error::misuse(format!("expected a tag type, got the type of a {}", other.kind().name()))),
        }
    })
}
