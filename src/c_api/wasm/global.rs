//! Globals.

use super::r#extern::wasm_extern_t;
use super::globaltype::{self, wasm_globaltype_t};
use super::r#ref::wasm_ref_t;
use super::store::{self, wasm_store_t};
use crate::c_api::families::reference::{casts, object, reference, wrong_kind};
use crate::runtime::base::error::Result;
use crate::runtime::base::types::{ExternType, ValKind};
use crate::runtime::core::global::Global;
use crate::runtime::core::object::{Object, Typed};
use crate::runtime::core::value::Val;
use std::mem::MaybeUninit;

reference!(
    global,
    "a global",
    "A global: a value that instances and the host share.\n\nFunctions: `wasm_global_new`, `_type`, `_get`, `_set`, and those of every reference and extern. Must eventually\nbe passed to `wasm_global_delete` if owned."
);
casts!(global, "a global", r#ref, wasm_ref_t, |object| object.as_global().is_some());
casts!(global, "a global", r#extern, wasm_extern_t, |object| object.as_global().is_some());

/// A global with an initial value, own. Type and value stay the caller's. [Global Instances]
///
/// NULL and a last error if an argument is NULL, or if the value is not of the type or refers to another store's object.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_global_new(
    store: *mut wasm_store_t,
    ty: *const wasm_globaltype_t,
    value: *const Val,
) -> *mut wasm_global_t {
    // SAFETY: the caller's, or NULL.
    crate::c_api::answer("wasm_global_new", std::ptr::null_mut(), || unsafe {
        let (store, ty) = (store::from_c(store)?, globaltype::from_c(ty)?);
        let value: &Val = crate::c_api::required(value, "a value")?;
        Ok(Global::create(store, ty, value)?.into_raw().cast())
    })
}

/// The type of a global, own. NULL gives NULL and a last error. Must be passed to `wasm_globaltype_delete`.
/// [Global Instances]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_global_type(global: *const wasm_global_t) -> *mut wasm_globaltype_t {
    // SAFETY: the caller's global, or NULL.
    crate::c_api::answer("wasm_global_type", std::ptr::null_mut(), || unsafe {
        Ok(crate::c_api::give_box(ExternType::Global(from_c(global)?.ty.clone())))
    })
}

/// Writes a global's value to `out`, own, without looking at what was there. [Global Instances]
///
/// A reference in it must be released, as by `wasm_val_delete`. On failure (NULL, or a value that `wasm_val_t` cannot
/// carry) a null reference is written, and there is a last error. NULL for `out`: nothing happens.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_global_get(global: *const wasm_global_t, out: *mut Val) {
    // SAFETY: the caller's, writable and not read, or NULL.
    let Some(out) = (unsafe { out.cast::<MaybeUninit<Val>>().as_mut() }) else { return };
    // SAFETY: the caller's global, or NULL.
    let written = crate::c_api::answer("wasm_global_get", false, || unsafe { from_c(global)?.get(out).map(|()| true) });
    if !written {
        out.write(Val::null(ValKind::ExternRef));
    }
}

/// Sets a global. The value stays the caller's; a reference in it is copied. [Global Instances]
///
/// If the global is constant, or the value not of its type or of another store, nothing is written and there is a last
/// error; likewise for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_global_set(global: *mut wasm_global_t, value: *const Val) {
    // SAFETY: the caller's, or NULL.
    crate::c_api::answer("wasm_global_set", (), || unsafe {
        from_c(global)?.set(crate::c_api::required(value, "a value")?)
    })
}

/// # Safety
/// The pointer is NULL or the caller's handle.
#[inline(always)]
unsafe fn from_c<'a>(global: *const wasm_global_t) -> Result<Typed<'a, Global>> {
    // SAFETY: as promised by the caller.
    let object = unsafe { object(global, "a global")? };
    Typed::of(object, Object::as_global).ok_or_else(|| wrong_kind(object, "a global"))
}
