//! Foreign objects: host things that WebAssembly can hold.

use super::r#ref::wasm_ref_t;
use super::store::wasm_store_t;
use crate::c_api::answer;
use crate::c_api::families::reference::{casts, reference};
use crate::c_api::ffi::{Argument, give_handle};
use crate::runtime::core::object::{Body, Object};

reference!(
    /// An object that has only its identity and its host info, to be passed to WebAssembly as an
    /// externref.
    ///
    /// Functions: `wasm_foreign_new`, and those of every reference. Must eventually be passed to
    /// `wasm_foreign_delete`.
    foreign,
    "a foreign object",
    (),
    |object: &Object| matches!(object.body, Body::Foreign).then_some(())
);
casts!(foreign, "a foreign object", r#ref, wasm_ref_t);

/// Creates a foreign object, own. Returns NULL and sets the last error for NULL. [Foreign Objects]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_foreign_new(store: Option<&mut wasm_store_t>) -> *mut wasm_foreign_t {
    answer("wasm_foreign_new", std::ptr::null_mut(), || {
        Ok(give_handle(Object::create(store.required()?, Body::Foreign)))
    })
}
