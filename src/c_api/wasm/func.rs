//! Functions.

use super::r#extern::wasm_extern_t;
use super::functype::{self, wasm_functype_t};
use super::r#ref::wasm_ref_t;
use super::store::{self, wasm_store_t};
use super::trap::wasm_trap_t;
use super::val::wasm_val_vec_t;
use crate::c_api::families::reference::{casts, object, reference, wrong_kind};
use crate::runtime::base::error::Result;
use crate::runtime::base::host_data::HostData;
use crate::runtime::base::types::ExternType;
use crate::runtime::core::func::{Callback, CallbackPlain, CallbackWithEnv, Func};
use crate::runtime::core::object::Object;
use std::ffi::c_void;

reference!(
    func,
    "a function",
    "A function: an export of an instance, one that WebAssembly passed out as a reference, or one of the host's.\n\nFunctions: `wasm_func_new`, `wasm_func_new_with_env`, `wasm_func_call`, `_type`, `_param_arity`, `_result_arity`,\nand those of every reference and extern. Must eventually be passed to `wasm_func_delete` if owned."
);
casts!(func, "a function", r#ref, wasm_ref_t, |object| object.as_func().is_some());
casts!(func, "a function", r#extern, wasm_extern_t, |object| object.as_func().is_some());

/// A host function. `args` are the library's, borrowed for the call. `results` have room for as many values as the
/// function's type has, zero or null of their kinds; what is written there is owned by the library from then on. A vector
/// that is put in their place, from `wasm_val_vec_new`, is taken over: values that it lacks are zero or null, surplus
/// ones are released. Returns NULL, or an owned trap, which becomes the result of the call. May call back into the store
/// that calls it. Must not leave by an exception or `longjmp`.
pub type wasm_func_callback_t =
    Option<unsafe extern "C" fn(args: *const wasm_val_vec_t, results: *mut wasm_val_vec_t) -> *mut wasm_trap_t>;

/// As `wasm_func_callback_t`, with the environment that `wasm_func_new_with_env` was given.
pub type wasm_func_callback_with_env_t = Option<
    unsafe extern "C" fn(
        env: *mut c_void,
        args: *const wasm_val_vec_t,
        results: *mut wasm_val_vec_t,
    ) -> *mut wasm_trap_t,
>;

/// A host function, own. The type stays the caller's. [Function Instances]
///
/// NULL and a last error if an argument is NULL, or if the type has values that `wasm_val_t` cannot carry. Must be passed
/// to `wasm_func_delete`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_func_new(
    store: *mut wasm_store_t,
    ty: *const wasm_functype_t,
    callback: wasm_func_callback_t,
) -> *mut wasm_func_t {
    // SAFETY: the caller's, or NULL. The two spellings of the callback's type have the same layout.
    crate::c_api::answer("wasm_func_new", std::ptr::null_mut(), || unsafe {
        let callback = callback.ok_or_else(|| crate::c_api::null("a callback"))?;
        let callback = Callback::Plain(std::mem::transmute::<*const c_void, CallbackPlain>(callback as *const c_void));
        new(store, ty, Ok(callback), HostData::NONE)
    })
}

/// A host function, own, that is called with `env`. The type stays the caller's. [Function Instances]
///
/// `finalizer`, if not NULL, is called once with `env` when the function is gone, at the latest with its store, on the thread
/// that lets go of it; at once if this function fails. NULL for `env` is fine. NULL and a last error as for `wasm_func_new`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_func_new_with_env(
    store: *mut wasm_store_t,
    ty: *const wasm_functype_t,
    callback: wasm_func_callback_with_env_t,
    env: *mut c_void,
    finalizer: Option<unsafe extern "C" fn(arg1: *mut c_void)>,
) -> *mut wasm_func_t {
    // SAFETY: the caller's, or NULL. The two spellings of the callback's type have the same layout.
    crate::c_api::answer("wasm_func_new_with_env", std::ptr::null_mut(), || unsafe {
        let callback = callback.ok_or_else(|| crate::c_api::null("a callback"));
        let callback = callback.map(|callback| {
            Callback::WithEnv(std::mem::transmute::<*const c_void, CallbackWithEnv>(callback as *const c_void))
        });
        new(store, ty, callback, HostData { pointer: env, finalizer })
    })
}

/// # Safety
/// The pointers are NULL or the caller's.
unsafe fn new(
    store: *mut wasm_store_t,
    ty: *const wasm_functype_t,
    callback: Result<Callback>,
    env: HostData,
) -> Result<*mut wasm_func_t> {
    // SAFETY: as promised by the caller.
    let (store, ty) = unsafe { (store::from_c(store)?, functype::from_c(ty)?) };
    Ok(Func::new_host(store, ty.clone(), callback?, env)?.into_raw().cast())
}

/// The type of a function, own. NULL gives NULL and a last error. [Function Instances]
///
/// Must be passed to `wasm_functype_delete`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_func_type(func: *const wasm_func_t) -> *mut wasm_functype_t {
    // SAFETY: the caller's function, or NULL.
    crate::c_api::answer("wasm_func_type", std::ptr::null_mut(), || unsafe {
        Ok(crate::c_api::give_box(ExternType::Func(from_c(func)?.1.ty.clone())))
    })
}

/// How many parameters a function has. NULL: 0 and a last error. [Function Instances]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_func_param_arity(func: *const wasm_func_t) -> usize {
    // SAFETY: the caller's function, or NULL.
    crate::c_api::answer("wasm_func_param_arity", 0, || unsafe { Ok(from_c(func)?.1.ty.params.len()) })
}

/// How many results a function has. NULL: 0 and a last error. [Function Instances]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_func_result_arity(func: *const wasm_func_t) -> usize {
    // SAFETY: the caller's function, or NULL.
    crate::c_api::answer("wasm_func_result_arity", 0, || unsafe { Ok(from_c(func)?.1.ty.results.len()) })
}

/// Calls a function. [Function Instances]
///
/// Arguments stay the caller's, and must be as many and of the kinds as the type says. Results are written to `results`
/// without looking at what was there, own; those beyond the vector are dropped, and elements beyond the results are not
/// touched. NULL for a vector means empty. Returns NULL, or a trap, own, with nothing written: what WebAssembly or a host
/// function trapped with, or what is wrong with the arguments, in which case nothing has run. NULL for the function, or one
/// that was deleted: NULL, nothing happens, and there is a last error. May be called from host functions, also of the same
/// store. What they delete, be it this function or the store, goes when the call is over.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_func_call(
    func: *const wasm_func_t,
    args: *const wasm_val_vec_t,
    results: *mut wasm_val_vec_t,
) -> *mut wasm_trap_t {
    // SAFETY: the caller's function, or NULL.
    let Some(object) = (unsafe { crate::c_api::borrow::<_, Object>(func) }) else { return refuse() };
    // SAFETY: the entry is this object's; the caller's vectors, valid or NULL. The two spellings of the vectors' type have
    // the same layout.
    unsafe { (object.entry)(object, args.cast(), results.cast()).cast() }
}

/// Of the C convention, so that `wasm_func_call` ends by jumping there.
#[cold]
extern "C" fn refuse() -> *mut wasm_trap_t {
    crate::c_api::answer("wasm_func_call", std::ptr::null_mut(), || Err(crate::c_api::null("a function")))
}

/// # Safety
/// The pointer is NULL or the caller's handle.
unsafe fn from_c<'a>(func: *const wasm_func_t) -> Result<(&'a Object, &'a Func)> {
    // SAFETY: as promised by the caller.
    let object = unsafe { object(func, "a function")? };
    Ok((object, object.as_func().ok_or_else(|| wrong_kind(object, "a function"))?))
}
