//! `wasm_extern_t`: whatever can be imported or exported.

use super::externtype::{wasm_externkind_t, wasm_externtype_t};
use super::r#ref::wasm_ref_t;
use crate::c_api::families::reference::{casts, object, reference, wrong_kind};
use crate::c_api::families::vector::vector;

reference!(
    r#extern,
    "an extern",
    "Something that can be imported or exported: a function, global, table, memory or tag.\n\nA view of, or viewed as, the object of that kind. Functions: `wasm_extern_kind`, `_type`, the casts, those of\nevery reference, and those of its vector. Must eventually be passed to `wasm_extern_delete` if owned."
);
casts!(r#extern, "an extern", r#ref, wasm_ref_t, |object| object.body.extern_kind().is_some());
vector!(r#extern, *mut wasm_extern_t, "externs");

/// The kind of an extern. NULL: `WASM_EXTERN_FUNC` (0) and a last error. [Externals]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_extern_kind(r#extern: *const wasm_extern_t) -> wasm_externkind_t {
    // SAFETY: the caller's extern, or NULL.
    crate::c_api::answer("wasm_extern_kind", 0, || unsafe {
        let object = object(r#extern, "an extern")?;
        Ok(object.body.extern_kind().ok_or_else(|| wrong_kind(object, "an extern"))? as u8)
    })
}

/// The type of an extern, own. NULL gives NULL and a last error. Must be passed to `wasm_externtype_delete`. [Externals]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_extern_type(r#extern: *const wasm_extern_t) -> *mut wasm_externtype_t {
    // SAFETY: the caller's extern, or NULL.
    crate::c_api::answer("wasm_extern_type", std::ptr::null_mut(), || unsafe {
        let object = object(r#extern, "an extern")?;
        Ok(crate::c_api::give_box(object.extern_type().ok_or_else(|| wrong_kind(object, "an extern"))?))
    })
}
