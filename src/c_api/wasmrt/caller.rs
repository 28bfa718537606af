//! Callers
//!
//! A host function that is made with `wasmrt_func_new_with_caller` is told which instance calls it,
//! so that one function can serve many instances and work on the memory of each.
//!
//! On wasmtime that is the instance whose code makes the call, also in a start function and through
//! a table or a reference. wasmi does not tell: there it is the instance that imports the function,
//! however the function is reached through that import. A function that WebAssembly on wasmi got
//! from the host as a reference, in a table, a global or an argument, has no known caller. Nor has,
//! on every backend, one that the host calls itself, with `wasm_func_call`.
//!
//! A `wasmrt_caller_t` is valid until the callback returns. Afterwards, as long as the function
//! exists and none of its calls is running, these functions return NULL and set the last error.

use crate::c_api::answer;
use crate::c_api::ffi::{Argument, c_type, give_handle, null};
use crate::c_api::wasm::byte::wasm_byte_t;
use crate::c_api::wasm::func::wasm_func_t;
use crate::c_api::wasm::functype::wasm_functype_t;
use crate::c_api::wasm::instance::wasm_instance_t;
use crate::c_api::wasm::store::wasm_store_t;
use crate::c_api::wasm::trap::wasm_trap_t;
use crate::c_api::wasm::val::wasm_val_vec_t;
use crate::runtime::base::error::Result;
use crate::runtime::base::host_data::HostData;
use crate::runtime::core::caller::{CallbackWithCaller, Caller};
use crate::runtime::core::func::Func;
use std::ffi::c_void;
use std::mem::MaybeUninit;

c_type!(
    /// What a callback knows of its caller. Borrowed, and valid until the callback returns.
    ///
    /// Functions: `wasmrt_caller_instance`, `_memory`, `_store`.
    wasmrt_caller_t,
    "a caller",
    Static,
    Caller,
    &'a Caller,
    |caller| caller.check()
);

/// A host function with an environment that knows its caller. Otherwise the same as
/// `wasm_func_callback_with_env_t`.
pub type wasmrt_func_callback_with_caller_t = Option<
    unsafe extern "C" fn(
        env: *mut c_void,
        caller: *const wasmrt_caller_t,
        args: *const wasm_val_vec_t,
        results: *mut wasm_val_vec_t,
    ) -> *mut wasm_trap_t,
>;

/// Creates a host function, own, that is called with `env` and its caller. Takes `env`, but not
/// `ty`.
///
/// Otherwise the same as `wasm_func_new_with_env`. See also `wasmrt_linker_define_func_with_caller`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_func_new_with_caller(
    store: Option<&mut wasm_store_t>,
    ty: Option<&wasm_functype_t>,
    callback: wasmrt_func_callback_with_caller_t,
    env: *mut c_void,
    finalizer: Option<unsafe extern "C" fn(arg1: *mut c_void)>,
) -> *mut wasm_func_t {
    answer("wasmrt_func_new_with_caller", std::ptr::null_mut(), || {
        let env = HostData { pointer: env, finalizer };
        let (store, ty) = (store.required()?, ty.required()?);
        Ok(give_handle(Func::new_with_caller(store, ty.clone(), callback_with_caller(callback)?, env)?))
    })
}

/// Returns the calling instance, borrowed until the callback returns: `wasm_instance_copy` makes a
/// handle to keep. Returns NULL and sets the last error if none is known.
///
/// Its exports are found with `wasmrt_instance_export`, or `wasmrt_instance_export_at`. Those of an
/// instance whose start function is running are complete too.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_caller_instance(caller: Option<&wasmrt_caller_t>) -> *const wasm_instance_t {
    answer("wasmrt_caller_instance", std::ptr::null(), || Ok(std::ptr::from_ref(caller.required()?.instance()?).cast()))
}

/// Returns where the bytes of the memory are that the calling instance exports as "memory", and sets
/// `*size` to their number. Borrowed: valid until the memory grows, which it may whenever the
/// callback calls WebAssembly, or until the callback returns.
///
/// Nothing is searched for, so this may be called each time. Returns NULL, leaves `*size` alone and
/// sets the last error if no caller is known, if it exports no such memory, or if an argument is
/// NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_caller_memory(
    caller: Option<&wasmrt_caller_t>,
    size: Option<&mut MaybeUninit<usize>>,
) -> *mut wasm_byte_t {
    answer("wasmrt_caller_memory", std::ptr::null_mut(), || {
        let bytes = caller.required()?.memory()?;
        size.ok_or_else(|| null("a place to write to"))?.write(bytes.len());
        Ok(bytes.cast())
    })
}

/// Returns the store of the function that is called, borrowed until the callback returns: it must
/// not be deleted. It leads to the store's data (`wasmrt_store_data`) and to what fuel is left
/// (`wasmrt_store_fuel`). Returns NULL and sets the last error for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_caller_store(caller: Option<&wasmrt_caller_t>) -> *mut wasm_store_t {
    answer("wasmrt_caller_store", std::ptr::null_mut(), || Ok(caller.required()?.store()?.as_ptr().cast()))
}

/// The runtime's type for a callback.
pub fn callback_with_caller(callback: wasmrt_func_callback_with_caller_t) -> Result<CallbackWithCaller> {
    let callback = callback.ok_or_else(|| null("a callback"))? as *const c_void;
    // SAFETY: the two types differ only in their names for the caller, the vectors and the trap.
    Ok(unsafe { std::mem::transmute::<*const c_void, CallbackWithCaller>(callback) })
}
