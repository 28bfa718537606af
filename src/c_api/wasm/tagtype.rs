//! Tag types.

use super::externtype::wrong_type;
use super::functype::wasm_functype_t;
use crate::c_api::answer;
use crate::c_api::families::boxed::boxed;
use crate::c_api::ffi::{Argument, give};
use crate::runtime::base::types::ExternType;

boxed!(
    /// The type of a tag (of the exception handling proposal): a function type whose parameters are what
    /// it carries.
    ///
    /// Functions: `wasm_tagtype_new`, `_delete`, `_copy`, `_functype`, those of its vector, and the
    /// casts from and to `wasm_externtype_t`. Must eventually be passed to `wasm_tagtype_delete` if
    /// owned.
    tagtype, ty, "Tag Types", "a tag type", "tag types", ExternType, &'a ExternType, |ty| match ty {
        ExternType::Tag(ty) => Ok(ty),
        other => Err(wrong_type(other, "a tag type")),
    }
);

/// Creates a tag type, own. Takes `ty`. Returns NULL and sets the last error for NULL. [Tag Types]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_tagtype_new(ty: Option<Box<wasm_functype_t>>) -> Option<Box<wasm_tagtype_t>> {
    answer("wasm_tagtype_new", None, || Ok(give(ExternType::Tag(Box::new(ty.required()?)))))
}

/// Returns the function type of a tag: borrowed, valid as long as the tag type. [Tag Types]
///
/// Returns NULL and sets the last error for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_tagtype_functype(ty: Option<&wasm_tagtype_t>) -> *const wasm_functype_t {
    answer("wasm_tagtype_functype", std::ptr::null(), || Ok(std::ptr::from_ref(ty.required()?).cast()))
}
