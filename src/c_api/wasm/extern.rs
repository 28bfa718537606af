//! `wasm_extern_t`: whatever can be imported or exported.

use super::externtype::{wasm_externkind_t, wasm_externtype_t};
use super::r#ref::wasm_ref_t;
use crate::c_api::answer;
use crate::c_api::families::reference::{casts, reference};
use crate::c_api::families::vector::vector;
use crate::c_api::ffi::{Argument, give};
use crate::runtime::base::types::ExternKind;
use crate::runtime::core::object::Object;

reference!(
    /// Something that can be imported or exported: a function, global, table, memory or tag.
    ///
    /// It is a view of the object of that kind. Functions: `wasm_extern_kind`, `_type`, the casts, those
    /// of every reference, and those of its vector. Must eventually be passed to `wasm_extern_delete` if
    /// owned.
    r#extern,
    "an extern",
    ExternKind,
    |object: &Object| object.body.extern_kind()
);
casts!(r#extern, "an extern", r#ref, wasm_ref_t);
vector!(r#extern, *mut wasm_extern_t, "externs");

/// Returns the kind of an extern. Returns `WASM_EXTERN_FUNC` (0) and sets the last error for NULL.
/// [Externals]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_extern_kind(r#extern: Option<&wasm_extern_t>) -> wasm_externkind_t {
    answer("wasm_extern_kind", 0, || Ok(r#extern.required()?.body as u8))
}

/// Returns the type of an extern, own. Returns NULL and sets the last error for NULL. [Externals]
///
/// The type must eventually be passed to `wasm_externtype_delete`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_extern_type(r#extern: Option<&wasm_extern_t>) -> Option<Box<wasm_externtype_t>> {
    answer("wasm_extern_type", None, || Ok(r#extern.required()?.object.extern_type().and_then(give)))
}
