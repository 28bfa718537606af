//! Foreign objects: things of the host's that WebAssembly can hold.

use super::r#ref::wasm_ref_t;
use super::store::{self, wasm_store_t};
use crate::c_api::families::reference::{casts, reference};
use crate::runtime::core::object::{Body, Object};

reference!(
    foreign,
    "a foreign object",
    "An object with no meaning but its identity and its host info, for passing to WebAssembly as an externref.\n\nFunctions: `wasm_foreign_new`, and those of every reference. Must eventually be passed to\n`wasm_foreign_delete`."
);
casts!(foreign, "a foreign object", r#ref, wasm_ref_t, |object| matches!(object.body, Body::Foreign));

/// A foreign object, own. NULL for the store gives NULL and a last error. [Foreign Objects]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_foreign_new(store: *mut wasm_store_t) -> *mut wasm_foreign_t {
    // SAFETY: the caller's store, or NULL.
    crate::c_api::answer("wasm_foreign_new", std::ptr::null_mut(), || unsafe {
        Ok(Object::create(store::from_c(store)?, Body::Foreign).into_raw().cast())
    })
}
