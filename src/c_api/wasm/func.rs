//! Functions.

use super::r#extern::wasm_extern_t;
use super::functype::wasm_functype_t;
use super::r#ref::wasm_ref_t;
use super::store::wasm_store_t;
use super::trap::wasm_trap_t;
use super::val::wasm_val_vec_t;
use crate::c_api::answer;
use crate::c_api::families::reference::{casts, reference};
use crate::c_api::ffi::{Argument, CType, give, give_handle, null};
use crate::runtime::base::error::Result;
use crate::runtime::base::host_data::HostData;
use crate::runtime::base::types::ExternType;
use crate::runtime::core::func::{Callback, CallbackPlain, CallbackWithEnv, Func};
use crate::runtime::core::object::Object;
use std::ffi::c_void;

reference!(
    /// A function: an export of an instance, a host function, or one that WebAssembly passed out as a
    /// reference.
    ///
    /// Functions: `wasm_func_new`, `wasm_func_new_with_env`, `wasm_func_call`, `_type`, `_param_arity`,
    /// `_result_arity`, and those of every reference and extern. Must eventually be passed to
    /// `wasm_func_delete` if owned.
    func,
    "a function",
    &'a Func,
    Object::as_func
);
casts!(func, "a function", r#ref, wasm_ref_t);
casts!(func, "a function", r#extern, wasm_extern_t);

/// A host function. Returns NULL, or an owned trap, which becomes the result of the call.
///
/// `args` are borrowed for the call. `results` has as many elements as the function's type has
/// results, each zero or null; the library owns what is written to them. A vector from
/// `wasm_val_vec_new` that is put in its place is taken: missing values are zero or null, surplus
/// ones are released.
///
/// The function may call back into the store that calls it. It must not leave by an exception or
/// `longjmp`.
pub type wasm_func_callback_t =
    Option<unsafe extern "C" fn(args: *const wasm_val_vec_t, results: *mut wasm_val_vec_t) -> *mut wasm_trap_t>;

/// A host function with an environment: `env` is what `wasm_func_new_with_env` was given. Otherwise
/// the same as `wasm_func_callback_t`.
pub type wasm_func_callback_with_env_t = Option<
    unsafe extern "C" fn(
        env: *mut c_void,
        args: *const wasm_val_vec_t,
        results: *mut wasm_val_vec_t,
    ) -> *mut wasm_trap_t,
>;

/// Creates a host function, own. Does not take `ty`. [Function Instances]
///
/// Returns NULL and sets the last error if an argument is NULL, or if the type has values that
/// `wasm_val_t` cannot carry. The function must eventually be passed to `wasm_func_delete`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_func_new(
    store: Option<&mut wasm_store_t>,
    ty: Option<&wasm_functype_t>,
    callback: wasm_func_callback_t,
) -> *mut wasm_func_t {
    answer("wasm_func_new", std::ptr::null_mut(), || {
        let callback = callback.map(|callback| {
            // SAFETY: the two types differ only in their names for the vector and for the trap.
            Callback::Plain(unsafe { std::mem::transmute::<*const c_void, CallbackPlain>(callback as *const c_void) })
        });
        new(store, ty, callback, HostData::NONE)
    })
}

/// Creates a host function, own, that is called with `env`. Takes `env`, but not `ty`.
/// [Function Instances]
///
/// `finalizer`, unless NULL, is called once with `env` when the function is freed, at the latest
/// with its store, on the thread that frees it; at once if `wasm_func_new_with_env` fails. `env` may
/// be NULL. Fails as `wasm_func_new` does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_func_new_with_env(
    store: Option<&mut wasm_store_t>,
    ty: Option<&wasm_functype_t>,
    callback: wasm_func_callback_with_env_t,
    env: *mut c_void,
    finalizer: Option<unsafe extern "C" fn(arg1: *mut c_void)>,
) -> *mut wasm_func_t {
    answer("wasm_func_new_with_env", std::ptr::null_mut(), || {
        let env = HostData { pointer: env, finalizer };
        new(store, ty, callback_with_env(callback), env)
    })
}

/// The runtime's type for a callback.
pub fn callback_with_env(callback: wasm_func_callback_with_env_t) -> Option<Callback> {
    callback.map(|callback| {
        let callback = callback as *const c_void;
        // SAFETY: the two types differ only in their names for the vector and for the trap.
        Callback::WithEnv(unsafe { std::mem::transmute::<*const c_void, CallbackWithEnv>(callback) })
    })
}

fn new(
    store: Option<&mut wasm_store_t>,
    ty: Option<&wasm_functype_t>,
    callback: Option<Callback>,
    env: HostData,
) -> Result<*mut wasm_func_t> {
    let (store, ty) = (store.required()?, ty.required()?);
    let callback = callback.ok_or_else(|| null("a callback"))?;
    Ok(give_handle(Func::new_host(store, ty.clone(), callback, env)?))
}

/// Returns the type of a function, own. Returns NULL and sets the last error for NULL.
/// [Function Instances]
///
/// The type must eventually be passed to `wasm_functype_delete`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_func_type(func: Option<&wasm_func_t>) -> Option<Box<wasm_functype_t>> {
    answer("wasm_func_type", None, || Ok(give(ExternType::Func(func.required()?.ty.clone()))))
}

/// Returns the number of a function's parameters. Returns 0 and sets the last error for NULL.
/// [Function Instances]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_func_param_arity(func: Option<&wasm_func_t>) -> usize {
    answer("wasm_func_param_arity", 0, || Ok(func.required()?.ty.params.len()))
}

/// Returns the number of a function's results. Returns 0 and sets the last error for NULL.
/// [Function Instances]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_func_result_arity(func: Option<&wasm_func_t>) -> usize {
    answer("wasm_func_result_arity", 0, || Ok(func.required()?.ty.results.len()))
}

/// Calls a function. Returns NULL, or a trap, own. [Function Instances]
///
/// Does not take `args`, whose number and kinds must be those of the function's type. On success the
/// results are written to the elements of `results`, own. Surplus results are released, and surplus
/// elements are left as they are. Both vectors may have the same array. NULL for a vector means an
/// empty one.
///
/// On a trap nothing is written: WebAssembly or a host function trapped, or the arguments are wrong
/// and nothing has run. If `func` is NULL or was deleted, nothing runs either: returns NULL and sets
/// the last error.
///
/// Host functions may call this, also for the store that calls them. What they delete, even the
/// running function or its store, is freed when the call is over.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_func_call(
    func: Option<&wasm_func_t>,
    args: *const wasm_val_vec_t,
    results: *mut wasm_val_vec_t,
) -> *mut wasm_trap_t {
    let Some(func) = func else { return refuse() };
    let object = func.rust();
    // SAFETY: the entry is this object's. The vectors are NULL or C's; the runtime's type for them has the same layout.
    unsafe { (object.entry)(object, args.cast(), results.cast()).cast() }
}

/// With the C calling convention, so that `wasm_func_call` ends in a jump to it.
#[cold]
extern "C" fn refuse() -> *mut wasm_trap_t {
    answer("wasm_func_call", std::ptr::null_mut(), || Err(null(wasm_func_t::NOUN)))
}
