//! Values.

use crate::c_api::families::vector::vector;
use crate::c_api::guard;
use crate::runtime::base::types::ValKind;
use crate::runtime::core::value::Val;

/// Releases the reference that a value owns, if any, and leaves a null reference. Does nothing for
/// NULL. [Values]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_val_delete(value: *mut Val) {
    guard((), || {
        // SAFETY: NULL or C's value, which owns its reference.
        let object = unsafe { value.as_mut().and_then(|value| value.take_reference()) };
        // Not while the value is borrowed: a finalizer that runs may look at it.
        if let Some(object) = object {
            // SAFETY: the handle was taken out of the value that owned it.
            unsafe { object.release_handle() };
        }
    })
}

/// Sets `*out` to a copy of a value, own; a reference is copied too. [Values]
///
/// If `source` is NULL, the copy is a null reference. Does nothing if `out` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_val_copy(out: *mut Val, source: *const Val) {
    // SAFETY: `source` is NULL or C's value, and `out`, which may be the same, NULL or writable.
    guard((), || unsafe {
        if out.is_null() {
            return;
        }
        out.write(match source.as_ref() {
            Some(source) => Val::duplicate(source),
            None => Val::null(ValKind::ExternRef),
        });
    })
}

vector!(val, Val, "values");
