//! Value types.

use crate::c_api::families::vector::{Element, Owned, vector};
use crate::runtime::base::error::Error;
use crate::runtime::base::types::{ValKind, ValType, ValTypeInfo};

/// The type of a value.
///
/// There is one immutable object per type, which lives for ever: deleting one is allowed and does nothing.
///
/// Functions: `wasm_valtype_new`, `_delete`, `_copy`, `_kind`, and those of its vector.
pub struct wasm_valtype_t {
    _type: ValTypeInfo,
}

// SAFETY: value types are static.
unsafe impl Owned for wasm_valtype_t {
    unsafe fn duplicate(this: *const Self) -> *mut Self {
        this.cast_mut()
    }
    unsafe fn release(_this: *mut Self) {}
}

/// A kind of value; the numbers are those of `wasm_valkind_enum`, and `WASMRT_V128` of wasmrt.h.
pub type wasm_valkind_t = u8;

/// The kinds of values.
#[repr(C)]
pub enum wasm_valkind_enum {
    WASM_I32 = 0,
    WASM_I64 = 1,
    WASM_F32 = 2,
    WASM_F64 = 3,
    WASM_EXTERNREF = 128,
    WASM_FUNCREF = 129,
}

/// A value type, own. [Value Types]
///
/// NULL and a last error if `kind` is no kind of value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_valtype_new(kind: wasm_valkind_t) -> *mut wasm_valtype_t {
    crate::c_api::answer("wasm_valtype_new", std::ptr::null_mut(), || match ValKind::from_number(kind) {
        Some(ValKind::AnyRef | ValKind::ExnRef) | None => {
            Err(Error::misuse(format!("{kind} is no kind of value; expected a constant of wasm_valkind_enum")))
        }
        Some(kind) => Ok(ValType::new(kind).as_ptr().cast_mut().cast()),
    })
}

/// Deletes a value type: nothing happens, see `wasm_valtype_t`. [Value Types]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_valtype_delete(ty: *mut wasm_valtype_t) {
    let _ = ty;
}

/// A copy of a value type, own; the same object, see `wasm_valtype_t`. NULL gives NULL. [Value Types]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_valtype_copy(ty: *const wasm_valtype_t) -> *mut wasm_valtype_t {
    // SAFETY: nothing is looked at.
    unsafe { ty.cast_mut().duplicate() }
}

/// The kind of a value type. NULL: `WASM_I32` (0) and a last error. [Value Types]
///
/// Types that the standard has no constant for are reflected as `WASMRT_V128`, `WASMRT_ANYREF` or `WASMRT_EXNREF` of
/// wasmrt.h; narrower references, such as `(ref func)`, as the kind they are part of.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_valtype_kind(ty: *const wasm_valtype_t) -> wasm_valkind_t {
    // SAFETY: the caller's, or NULL.
    crate::c_api::answer("wasm_valtype_kind", 0, || unsafe {
        Ok(crate::c_api::required::<_, ValTypeInfo>(ty, "a value type")?.kind as u8)
    })
}

vector!(valtype, *mut wasm_valtype_t, "value types");

/// The type behind a pointer of C's.
///
/// # Safety
/// The pointer is NULL or came from the library.
pub unsafe fn from_c(ty: *const wasm_valtype_t) -> Option<ValType> {
    // SAFETY: as promised by the caller; all such objects are static.
    let info: &'static ValTypeInfo = unsafe { crate::c_api::borrow(ty)? };
    Some(ValType::with(info.kind, info.nullable, info.exact))
}
