//! Value types.

use crate::c_api::answer;
use crate::c_api::families::vector::vector;
use crate::c_api::ffi::{Argument, c_type};
use crate::runtime::base::error::Error;
use crate::runtime::base::types::{ValKind, ValType, ValTypeInfo};

c_type!(
    /// The type of a value.
    ///
    /// There is one immutable object per type, which lives forever: deleting it is allowed and does
    /// nothing.
    ///
    /// Functions: `wasm_valtype_new`, `_delete`, `_copy`, `_kind`, and those of its vector.
    wasm_valtype_t,
    "a value type",
    Static,
    ValTypeInfo,
    ValType,
    |ty| Ok(ValType::of(ty))
);

/// A kind of value: a constant of `wasm_valkind_enum`, or `WASMRT_V128` and its neighbours in
/// wasmrt.h.
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

/// Returns the value type of a kind, own. [Value Types]
///
/// Returns NULL and sets the last error if `kind` is neither a constant of `wasm_valkind_enum` nor
/// `WASMRT_V128`, `WASMRT_ANYREF` or `WASMRT_EXNREF` of wasmrt.h.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_valtype_new(kind: wasm_valkind_t) -> *mut wasm_valtype_t {
    answer("wasm_valtype_new", std::ptr::null_mut(), || match ValKind::from_number(kind) {
        None => Err(Error::misuse(format!("{kind} is not a kind of value; expected a constant of wasm_valkind_enum"))),
        Some(kind) => Ok(ValType::new(kind).as_ptr().cast_mut().cast()),
    })
}

/// Deletes a value type, which does nothing: see `wasm_valtype_t`. [Value Types]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_valtype_delete(ty: *mut wasm_valtype_t) {
    let _ = ty;
}

/// Copies a value type, own: returns the same object, see `wasm_valtype_t`. Returns NULL for NULL.
/// [Value Types]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_valtype_copy(ty: *const wasm_valtype_t) -> *mut wasm_valtype_t {
    ty.cast_mut()
}

/// Returns the kind of a value type. Returns `WASM_I32` (0) and sets the last error for NULL.
/// [Value Types]
///
/// Types that the standard has no constant for are reported as `WASMRT_V128`, `WASMRT_ANYREF` or
/// `WASMRT_EXNREF` of wasmrt.h; narrower reference types, such as `(ref func)`, as the kind that
/// they are part of: `wasmrt_valtype_heap` says more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_valtype_kind(ty: Option<&wasm_valtype_t>) -> wasm_valkind_t {
    answer("wasm_valtype_kind", 0, || Ok(ty.required()?.kind as u8))
}

vector!(valtype, *mut wasm_valtype_t, "value types");
