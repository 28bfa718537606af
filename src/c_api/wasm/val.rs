//! Values.

use crate::c_api::families::vector::vector;
use crate::runtime::core::value::Val;

/// Releases the reference that a value owns, if any, and leaves null. NULL: nothing happens. [Values]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_val_delete(value: *mut Val) {
    // SAFETY: the caller's value, or NULL.
    crate::c_api::guard((), || unsafe {
        if let Some(value) = value.as_mut() {
            value.release();
        }
    })
}

/// Writes a copy of a value to `out`, own, without looking at what was there; a reference is copied too. [Values]
///
/// NULL for `source`: a null reference is written. NULL for `out`: nothing happens.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_val_copy(out: *mut Val, source: *const Val) {
    // SAFETY: the caller's values, or NULL; `out` is writable.
    crate::c_api::guard((), || unsafe {
        if out.is_null() {
            return;
        }
        out.write(match source.as_ref() {
            Some(source) => Val::duplicate(source),
            None => Val::null(crate::runtime::base::types::ValKind::ExternRef),
        });
    })
}

vector!(val, Val, "values");
