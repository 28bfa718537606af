//! Tags and exceptions
//!
//! Exceptions (of the proposal of that name) pass between guests and the host as traps. A guest that
//! does not catch an exception ends with a trap of code `WASMRT_TRAP_UNCAUGHT_EXCEPTION`, of which
//! the host reads the tag and the values. A host function that returns such a trap throws the
//! exception in the guest that called it, which may catch it: one that it made with
//! `wasmrt_exception_new`, or one that a guest has left to it, which it passes on.
//!
//! A tag is an extern of the kind `WASM_EXTERN_TAG`, to be exported and imported like others. There
//! is one object for each tag of a store, so `wasm_extern_same` compares tags.

use crate::c_api::answer;
use crate::c_api::families::vector::{Parts, Vector};
use crate::c_api::ffi::{Argument, give_handle, null};
use crate::c_api::wasm::r#extern::wasm_extern_t;
use crate::c_api::wasm::store::wasm_store_t;
use crate::c_api::wasm::tagtype::wasm_tagtype_t;
use crate::c_api::wasm::trap::wasm_trap_t;
use crate::c_api::wasm::val::wasm_val_vec_t;
use crate::runtime::core::exception::{self, Exception};
use crate::runtime::core::object::Handle;
use crate::runtime::core::trap::Trap;
use std::mem::MaybeUninit;

/// Creates a tag, own. Does not take `ty`, whose parameters are the values of its exceptions.
///
/// Returns NULL and sets the last error if the engine does not have the proposal exceptions, if the
/// type has results or parameters that a `wasm_val_t` cannot carry, and for NULL. It must eventually
/// be passed to `wasm_extern_delete`; the store keeps it until it ends.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_tag_new(
    store: Option<&mut wasm_store_t>,
    ty: Option<&wasm_tagtype_t>,
) -> *mut wasm_extern_t {
    answer("wasmrt_tag_new", std::ptr::null_mut(), || {
        Ok(give_handle(exception::create_tag(store.required()?, ty.required()?)?))
    })
}

/// Creates an exception as a trap, own, for a host function to return. Does not take `tag` or
/// `values`, whose number and kinds must be those of the tag; NULL for `values` means none.
///
/// Returns NULL and sets the last error if the values do not fit, if something is of another store,
/// and for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_exception_new(
    store: Option<&mut wasm_store_t>,
    tag: Option<&wasm_extern_t>,
    values: Option<&wasm_val_vec_t>,
) -> *mut wasm_trap_t {
    answer("wasmrt_exception_new", std::ptr::null_mut(), || {
        let store = store.required()?;
        let tag = tag.required()?.object;
        // SAFETY: C's vector is valid, so that references in it are null or handles.
        let exception = unsafe { Exception::create(store, tag, values.map_or(&[], |values| values.elements())) }?;
        Ok(give_handle(Trap::of_exception(Some(exception)).into_handle(store)))
    })
}

/// Returns the tag of the exception that a trap is, own. Returns NULL for any other trap. Returns
/// NULL and sets the last error for NULL. It must eventually be passed to `wasm_extern_delete`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_trap_exception_tag(trap: Option<&wasm_trap_t>) -> *mut wasm_extern_t {
    answer("wasmrt_trap_exception_tag", std::ptr::null_mut(), || {
        let exception = trap.required()?.body.exception();
        Ok(exception.map_or(std::ptr::null_mut(), |exception| give_handle(Handle::new(&exception.tag))))
    })
}

/// Sets `*out` to the values of the exception that a trap is, own. They must eventually be passed to
/// `wasm_val_vec_delete`.
///
/// Returns false and leaves `*out` alone for any other trap. Returns false and sets the last error
/// if a `wasm_val_t` cannot carry one of the values, and for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_trap_exception_values(
    trap: Option<&wasm_trap_t>,
    out: Option<&mut MaybeUninit<wasm_val_vec_t>>,
) -> bool {
    answer("wasmrt_trap_exception_values", false, || {
        let (trap, out) = (trap.required()?, out.ok_or_else(|| null("a place to write to"))?);
        let Some(exception) = trap.body.exception() else { return Ok(false) };
        // SAFETY: the exception keeps what its values refer to.
        let values: Vec<_> = exception.values()?.iter().map(|value| unsafe { value.duplicate() }).collect();
        // SAFETY: the values own their references.
        wasm_val_vec_t::from_parts(unsafe { Parts::from_slice(&values) }).write(Some(out));
        Ok(true)
    })
}
