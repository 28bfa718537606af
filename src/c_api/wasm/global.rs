//! Globals.

use super::r#extern::wasm_extern_t;
use super::globaltype::wasm_globaltype_t;
use super::r#ref::wasm_ref_t;
use super::store::wasm_store_t;
use crate::c_api::answer;
use crate::c_api::families::reference::{casts, reference};
use crate::c_api::ffi::{Argument, give, give_handle, null};
use crate::runtime::base::types::{ExternType, ValKind};
use crate::runtime::core::global::Global;
use crate::runtime::core::object::Object;
use crate::runtime::core::value::Val;
use std::mem::MaybeUninit;

reference!(
    /// A global: a value that instances and the host share.
    ///
    /// Functions: `wasm_global_new`, `_type`, `_get`, `_set`, and those of every reference and extern.
    /// Must eventually be passed to `wasm_global_delete` if owned.
    global,
    "a global",
    &'a Global,
    Object::as_global
);
casts!(global, "a global", r#ref, wasm_ref_t);
casts!(global, "a global", r#extern, wasm_extern_t);

/// Creates a global with an initial value, own. Does not take `ty` or `value`. [Global Instances]
///
/// Returns NULL and sets the last error if an argument is NULL, if the value is not of the type, or
/// if it refers to an object of another store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_global_new(
    store: Option<&mut wasm_store_t>,
    ty: Option<&wasm_globaltype_t>,
    value: Option<&Val>,
) -> *mut wasm_global_t {
    answer("wasm_global_new", std::ptr::null_mut(), || {
        let (store, ty) = (store.required()?, ty.required()?);
        let value = value.ok_or_else(|| null("a value"))?;
        // SAFETY: a reference in a value from C is NULL or a handle.
        Ok(give_handle(unsafe { Global::create(store, ty, value)? }))
    })
}

/// Returns the type of a global, own. Returns NULL and sets the last error for NULL.
/// [Global Instances]
///
/// The type must eventually be passed to `wasm_globaltype_delete`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_global_type(global: Option<&wasm_global_t>) -> Option<Box<wasm_globaltype_t>> {
    answer("wasm_global_type", None, || Ok(give(ExternType::Global(global.required()?.ty.clone()))))
}

/// Sets `*out` to the value of a global, own. [Global Instances]
///
/// A reference in the value must eventually be released, by `wasm_val_delete` for instance. On
/// failure the value is a null reference, and the last error is set: if `global` is NULL, or has a
/// value that `wasm_val_t` cannot carry. Does nothing if `out` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_global_get(global: Option<&wasm_global_t>, out: Option<&mut MaybeUninit<Val>>) {
    let Some(out) = out else { return };
    let written = answer("wasm_global_get", false, || global.required()?.get(out).map(|()| true));
    if !written {
        out.write(Val::null(ValKind::ExternRef));
    }
}

/// Sets the value of a global. Does not take `value`; a reference in it is copied.
/// [Global Instances]
///
/// The global is unchanged, and the last error is set, if it is constant, if the value is not of its
/// type or refers to an object of another store, or if an argument is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_global_set(global: Option<&mut wasm_global_t>, value: Option<&Val>) {
    answer("wasm_global_set", (), || {
        let global = global.required()?;
        let value = value.ok_or_else(|| null("a value"))?;
        // SAFETY: a reference in a value from C is NULL or a handle.
        unsafe { global.set(value) }
    })
}
