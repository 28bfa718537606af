//! Unchecked calls
//!
//! The fastest way to call functions one by one, and to be called: values are passed as they are,
//! without their kinds, and nothing is checked. The caller is trusted to know the type; a value of
//! another kind, or an array that is too small, is undefined behaviour. The thread must be in the
//! floating-point mode in which threads begin. Traps, fuel, timeouts, the bounds of the stack and
//! what a host function may do are as with `wasm_func_call`.
//!
//! Types with references are refused. Vectors of the type v128 can be passed, and globals of that
//! type can be made, read and written here, as those of numbers.

use crate::c_api::answer;
use crate::c_api::ffi::{Argument, CType, give_handle, null};
use crate::c_api::wasm::func::wasm_func_t;
use crate::c_api::wasm::functype::wasm_functype_t;
use crate::c_api::wasm::global::wasm_global_t;
use crate::c_api::wasm::globaltype::wasm_globaltype_t;
use crate::c_api::wasm::store::wasm_store_t;
use crate::c_api::wasm::trap::wasm_trap_t;
use crate::runtime::base::error::{Error, Result};
use crate::runtime::base::host_data::HostData;
use crate::runtime::core::entry::enter_raw;
use crate::runtime::core::func::{CallbackRaw, Func};
use crate::runtime::core::global::Global;
use crate::runtime::core::value::Raw;
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

/// A value without its kind. The bytes of a narrower one that are not part of it have no meaning.
#[derive(Clone, Copy)]
#[repr(C)]
pub union wasmrt_raw_t {
    /// For the kind `WASM_I32`.
    pub i32: i32,
    /// For `WASM_I64`.
    pub i64: i64,
    /// For `WASM_F32`.
    pub f32: f32,
    /// For `WASM_F64`.
    pub f64: f64,
    /// In little-endian order on every machine.
    pub v128: [u8; 16],
}

// The runtime's type has the same layout.
const _: () = assert!(size_of::<wasmrt_raw_t>() == size_of::<Raw>() && align_of::<wasmrt_raw_t>() == align_of::<Raw>());

/// Calls a function. Returns NULL, or a trap, own.
///
/// `values` has the arguments, and room for the results, which are written over them: as many
/// elements as the type has parameters or results, whichever are more. It may be NULL if that is
/// none. After a trap it has no meaning.
///
/// If the type has references, returns a trap and nothing has run. If `func` is NULL or was deleted,
/// nothing runs either: returns NULL and sets the last error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_func_call_unchecked(
    func: Option<&wasm_func_t>,
    values: *mut wasmrt_raw_t,
) -> *mut wasm_trap_t {
    let Some(func) = func else { return refuse() };
    let values = NonNull::new(values).unwrap_or(NonNull::dangling());
    // SAFETY: C promises the arguments and room for the results.
    unsafe { enter_raw(func.rust(), values.cast()).cast() }
}

#[cold]
extern "C" fn refuse() -> *mut wasm_trap_t {
    answer("wasmrt_func_call_unchecked", std::ptr::null_mut(), || Err(null(wasm_func_t::NOUN)))
}

/// A host function that is trusted. Returns NULL, or an owned trap, which becomes the result of the
/// call.
///
/// `values` has the arguments, and room for the results, which must all be written over them. `env`
/// is what `wasmrt_func_new_unchecked` was given. What `wasm_func_callback_t` says about calls back
/// and about exceptions applies. The floating-point mode must be left as it was.
pub type wasmrt_func_unchecked_callback_t =
    Option<unsafe extern "C" fn(env: *mut c_void, values: *mut wasmrt_raw_t) -> *mut wasm_trap_t>;

/// Creates a host function that is trusted, own. Does not take `ty`.
///
/// Otherwise as `wasm_func_new_with_env`. Refuses types with references. The function can be called
/// and imported like any other.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_func_new_unchecked(
    store: Option<&mut wasm_store_t>,
    ty: Option<&wasm_functype_t>,
    callback: wasmrt_func_unchecked_callback_t,
    env: *mut c_void,
    finalizer: Option<unsafe extern "C" fn(arg1: *mut c_void)>,
) -> *mut wasm_func_t {
    answer("wasmrt_func_new_unchecked", std::ptr::null_mut(), || {
        let env = HostData { pointer: env, finalizer };
        let (store, ty) = (store.required()?, ty.required()?);
        let callback = callback.ok_or_else(|| null("a callback"))? as *const c_void;
        // SAFETY: the two types differ only in their names for the values and for the trap.
        let callback = unsafe { std::mem::transmute::<*const c_void, CallbackRaw>(callback) };
        Ok::<_, Error>(give_handle(Func::new_raw_host(store, ty.clone(), callback, env)?))
    })
}

/// Creates a global of a number or of a vector, own. Does not take `ty` or `value`, which must be of
/// the type.
///
/// Returns NULL and sets the last error if the type is a reference's, if the engine does not have
/// the proposal simd and the type is v128, and for NULL. It must eventually be passed to
/// `wasm_global_delete`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_global_new_raw(
    store: Option<&mut wasm_store_t>,
    ty: Option<&wasm_globaltype_t>,
    value: Option<&wasmrt_raw_t>,
) -> *mut wasm_global_t {
    answer("wasmrt_global_new_raw", std::ptr::null_mut(), || {
        let (store, ty) = (store.required()?, ty.required()?);
        // SAFETY: C promises a value of the type.
        Ok(give_handle(unsafe { Global::create_raw(store, ty, raw(value)?)? }))
    })
}

/// Sets `*out` to the value of a global. Returns false, sets the last error and leaves `*out` alone
/// if the global's type is a reference's, and for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_global_get_raw(
    global: Option<&wasm_global_t>,
    out: Option<&mut MaybeUninit<wasmrt_raw_t>>,
) -> bool {
    answer("wasmrt_global_get_raw", false, || {
        let (global, out) = (global.required()?, out.ok_or_else(|| null("a place to write to"))?);
        let value = global.get_raw()?;
        // SAFETY: the two types have the same layout.
        out.write(unsafe { std::mem::transmute::<Raw, wasmrt_raw_t>(value) });
        Ok(true)
    })
}

/// Sets the value of a global. `value` must be of its type.
///
/// Returns false and sets the last error if the global is constant, if its type is a reference's,
/// and for NULL. Nothing is written then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_global_set_raw(
    global: Option<&mut wasm_global_t>,
    value: Option<&wasmrt_raw_t>,
) -> bool {
    answer("wasmrt_global_set_raw", false, || {
        let global = global.required()?;
        // SAFETY: C promises a value of the type.
        unsafe { global.set_raw(raw(value)?) }.map(|()| true)
    })
}

fn raw(value: Option<&wasmrt_raw_t>) -> Result<&Raw> {
    let value = value.ok_or_else(|| null("a value"))?;
    // SAFETY: the two types have the same layout.
    Ok(unsafe { &*std::ptr::from_ref(value).cast() })
}
