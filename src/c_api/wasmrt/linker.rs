//! Linking by name
//!
//! A `wasmrt_linker_t` maps names to externs. An import is found by the name of its module and its
//! own name. It belongs to a store, and is used and deleted on the thread that uses the store. It
//! keeps the store and what is defined in it: what deletes a linker must not be a finalizer of
//! something that is defined in it.
//!
//! Names are given as bytes and their number, in UTF-8, without a terminating zero. The functions
//! that return bool return true on success. Otherwise they return false, set the last error,
//! and leave the linker unchanged.

use super::caller::{callback_with_caller, wasmrt_func_callback_with_caller_t};
use super::value;
use crate::c_api::ffi::{Argument, c_type, give, give_handle, null};
use crate::c_api::wasm::r#extern::wasm_extern_t;
use crate::c_api::wasm::func::wasm_func_callback_with_env_t;
use crate::c_api::wasm::functype::wasm_functype_t;
use crate::c_api::wasm::instance::{instantiate, wasm_instance_t};
use crate::c_api::wasm::module::wasm_module_t;
use crate::c_api::wasm::store::wasm_store_t;
use crate::c_api::wasm::trap::wasm_trap_t;
use crate::c_api::{answer, guard};
use crate::runtime::base::error::{Error, Result};
use crate::runtime::base::host_data::HostData;
use crate::runtime::core::func::Func;
use crate::runtime::core::linker::{Linker, Prepared, Unknown};
use std::ffi::{c_char, c_void};
use std::rc::Rc;

c_type!(
    /// Definitions by name, for the imports of modules.
    ///
    /// Functions: `wasmrt_linker_new`, `_define`, `_define_func`, `_define_func_with_caller`,
    /// `_define_instance`, `_alias`, `_get`, `_set_shadowing`, `_set_unknown`, `_set_next`,
    /// `_instantiate`, `_prepare`, `_delete`. Must eventually be passed to `wasmrt_linker_delete`.
    wasmrt_linker_t,
    "a linker",
    Boxed,
    Rc<Linker>
);

c_type!(
    /// A module whose imports have been found and checked, to be instantiated often.
    ///
    /// Functions: `wasmrt_linker_prepare`, `wasmrt_instance_pre_instantiate`, `_delete`. Keeps the
    /// module, the imports and their store. Must eventually be passed to `wasmrt_instance_pre_delete`.
    wasmrt_instance_pre_t,
    "a prepared instance",
    Boxed,
    Rc<Prepared>
);

/// A value of `wasmrt_unknown_imports_enum`.
pub type wasmrt_unknown_imports_t = u32;

/// What happens with imports that are not defined.
#[repr(C)]
pub enum wasmrt_unknown_imports_enum {
    /// Instantiation fails: the default.
    WASMRT_UNKNOWN_IMPORTS_REFUSE = 0,
    /// A function traps when it is called, with a message that names it. Other imports are refused.
    WASMRT_UNKNOWN_IMPORTS_TRAP = 1,
    /// A function returns zeros and nulls. A global is zero or null; a table or memory has its
    /// smallest size, which the module chooses. A tag, and what `wasm.h` cannot create, is refused.
    /// They are made anew for each instantiation, and live as long as the store.
    WASMRT_UNKNOWN_IMPORTS_DEFAULT = 2,
}

/// Creates an empty linker for a store, own. Returns NULL and sets the last error for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_linker_new(store: Option<&mut wasm_store_t>) -> Option<Box<wasmrt_linker_t>> {
    answer("wasmrt_linker_new", None, || Ok(give(Rc::new(Linker::new(store.required()?)))))
}

/// Deletes a linker. Takes ownership. Linkers that have it as the next one keep what it defines.
/// Must be called on the thread that uses the store. Does nothing for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_linker_delete(linker: Option<Box<wasmrt_linker_t>>) {
    guard((), || drop(linker))
}

/// Defines an extern. Does not take it.
///
/// Fails if the name is defined in this linker already and shadowing is not allowed, or if the
/// extern belongs to another store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_linker_define(
    linker: Option<&mut wasmrt_linker_t>,
    module: *const c_char,
    module_length: usize,
    name: *const c_char,
    name_length: usize,
    r#extern: Option<&wasm_extern_t>,
) -> bool {
    answer("wasmrt_linker_define", false, || {
        // SAFETY: each is NULL or as many bytes as C says, which stay as they are during this call.
        let (module, name) = unsafe { (text(module, module_length)?, text(name, name_length)?) };
        linker.required()?.clone().define(module, name, r#extern.required()?.object).map(|()| true)
    })
}

/// Defines a new host function. Takes `env`, but not `ty`, as `wasm_func_new_with_env` does: if
/// `wasmrt_linker_define_func` fails, `finalizer` is called at once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_linker_define_func(
    linker: Option<&mut wasmrt_linker_t>,
    module: *const c_char,
    module_length: usize,
    name: *const c_char,
    name_length: usize,
    ty: Option<&wasm_functype_t>,
    callback: wasm_func_callback_with_env_t,
    env: *mut c_void,
    finalizer: Option<unsafe extern "C" fn(arg1: *mut c_void)>,
) -> bool {
    answer("wasmrt_linker_define_func", false, || {
        let env = HostData { pointer: env, finalizer };
        // SAFETY: each is NULL or as many bytes as C says, which stay as they are during this call.
        let (module, name) = unsafe { (text(module, module_length)?, text(name, name_length)?) };
        let callback = crate::c_api::wasm::func::callback_with_env(callback).ok_or_else(|| null("a callback"))?;
        let (linker, ty) = (linker.required()?.clone(), ty.required()?.clone());
        linker.define_func(module, name, |store| Func::new_host(store, ty, callback, env)).map(|()| true)
    })
}

/// Defines a new host function that knows its caller, see `wasmrt_func_new_with_caller`. Otherwise
/// the same as `wasmrt_linker_define_func`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_linker_define_func_with_caller(
    linker: Option<&mut wasmrt_linker_t>,
    module: *const c_char,
    module_length: usize,
    name: *const c_char,
    name_length: usize,
    ty: Option<&wasm_functype_t>,
    callback: wasmrt_func_callback_with_caller_t,
    env: *mut c_void,
    finalizer: Option<unsafe extern "C" fn(arg1: *mut c_void)>,
) -> bool {
    answer("wasmrt_linker_define_func_with_caller", false, || {
        let env = HostData { pointer: env, finalizer };
        // SAFETY: each is NULL or as many bytes as C says, which stay as they are during this call.
        let (module, name) = unsafe { (text(module, module_length)?, text(name, name_length)?) };
        let callback = callback_with_caller(callback)?;
        let (linker, ty) = (linker.required()?.clone(), ty.required()?.clone());
        linker.define_func(module, name, |store| Func::new_with_caller(store, ty, callback, env)).map(|()| true)
    })
}

/// Defines all exports of an instance, each by its own name, in the module `module`; with metering,
/// not the two that it adds. Does not take the instance.
///
/// Fails if one of the names is defined in this linker already and shadowing is not allowed, or if
/// the instance belongs to another store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_linker_define_instance(
    linker: Option<&mut wasmrt_linker_t>,
    module: *const c_char,
    module_length: usize,
    instance: Option<&wasm_instance_t>,
) -> bool {
    answer("wasmrt_linker_define_instance", false, || {
        // SAFETY: NULL or as many bytes as C says, which stay as they are during this call.
        let module = unsafe { text(module, module_length)? };
        linker.required()?.clone().define_instance(module, instance.required()?.object).map(|()| true)
    })
}

/// Gives a definition a second name.
///
/// Fails if `module` and `name` are not defined, or if the new name is taken and shadowing is not
/// allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_linker_alias(
    linker: Option<&mut wasmrt_linker_t>,
    module: *const c_char,
    module_length: usize,
    name: *const c_char,
    name_length: usize,
    new_module: *const c_char,
    new_module_length: usize,
    new_name: *const c_char,
    new_name_length: usize,
) -> bool {
    answer("wasmrt_linker_alias", false, || {
        // SAFETY: each is NULL or as many bytes as C says, which stay as they are during this call.
        let (module, name) = unsafe { (text(module, module_length)?, text(name, name_length)?) };
        // SAFETY: each is NULL or as many bytes as C says, which stay as they are during this call.
        let (new_module, new_name) =
            unsafe { (text(new_module, new_module_length)?, text(new_name, new_name_length)?) };
        linker.required()?.clone().alias(module, name, new_module, new_name).map(|()| true)
    })
}

/// Returns a definition, own; NULL if there is none. Returns NULL and sets the last error if an
/// argument is NULL or a name is not UTF-8.
///
/// The extern must eventually be passed to `wasm_extern_delete`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_linker_get(
    linker: Option<&wasmrt_linker_t>,
    module: *const c_char,
    module_length: usize,
    name: *const c_char,
    name_length: usize,
) -> *mut wasm_extern_t {
    answer("wasmrt_linker_get", std::ptr::null_mut(), || {
        // SAFETY: each is NULL or as many bytes as C says, which stay as they are during this call.
        let (module, name) = unsafe { (text(module, module_length)?, text(name, name_length)?) };
        Ok(linker.required()?.get(module, name).map_or(std::ptr::null_mut(), give_handle))
    })
}

/// Sets whether a definition may take the place of an earlier one. Not allowed by default.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_linker_set_shadowing(linker: Option<&mut wasmrt_linker_t>, allowed: bool) -> bool {
    answer("wasmrt_linker_set_shadowing", false, || {
        linker.required()?.allows_shadowing.set(allowed);
        Ok(true)
    })
}

/// Sets what is done about imports that are not defined.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_linker_set_unknown(
    linker: Option<&mut wasmrt_linker_t>,
    unknown: wasmrt_unknown_imports_t,
) -> bool {
    answer("wasmrt_linker_set_unknown", false, || {
        let unknown = value(unknown, "wasmrt_unknown_imports_enum", |number| {
            [Unknown::Refused, Unknown::Traps, Unknown::Defaults].get(number as usize).copied()
        })?;
        linker.required()?.unknown.set(unknown);
        Ok(true)
    })
}

/// Sets the linker that is asked for what this one does not define; NULL for none. Does not take it.
///
/// Fails if it belongs to another store, or if the linkers would ask each other in a circle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_linker_set_next(
    linker: Option<&mut wasmrt_linker_t>,
    next: Option<&wasmrt_linker_t>,
) -> bool {
    answer("wasmrt_linker_set_next", false, || {
        let next = next.map(|next| Some(next).required()).transpose()?;
        linker.required()?.clone().set_next(next.cloned()).map(|()| true)
    })
}

/// Instantiates a module, whose imports are found in the linker. Returns the instance, own.
///
/// Sets `*trap`, unless `trap` is NULL, and fails as `wasm_instance_new` does. The message has a
/// line for each import that is not defined or does not fit; for the first ones it names a similar
/// definition.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_linker_instantiate(
    linker: Option<&wasmrt_linker_t>,
    module: Option<&wasm_module_t>,
    trap: *mut *mut wasm_trap_t,
) -> *mut wasm_instance_t {
    let instance = || {
        let (linker, module) = (linker.required()?.clone(), module.required()?.body.clone());
        Ok(linker.instantiate(&module))
    };
    // SAFETY: `trap` is NULL or C's to write to.
    unsafe { instantiate("wasmrt_linker_instantiate", trap, instance) }
}

/// Finds and checks the imports of a module. Returns the prepared instance, own. Later definitions
/// do not change it.
///
/// Returns NULL and sets the last error on failure; it is of kind `WASMRT_ERROR_LINK` if imports are
/// not defined or do not fit.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_linker_prepare(
    linker: Option<&wasmrt_linker_t>,
    module: Option<&wasm_module_t>,
) -> Option<Box<wasmrt_instance_pre_t>> {
    answer("wasmrt_linker_prepare", None, || Ok(give(Rc::new(linker.required()?.prepare(module.required()?.body)?))))
}

/// Instantiates the module of a prepared instance. Returns the instance, own. Sets `*trap`, and
/// fails, as `wasm_instance_new` does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_instance_pre_instantiate(
    pre: Option<&wasmrt_instance_pre_t>,
    trap: *mut *mut wasm_trap_t,
) -> *mut wasm_instance_t {
    // SAFETY: `trap` is NULL or C's to write to.
    unsafe { instantiate("wasmrt_instance_pre_instantiate", trap, || Ok(pre.required()?.clone().instantiate())) }
}

/// Deletes a prepared instance. Takes ownership. Must be called on the thread that uses the store.
/// Does nothing for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_instance_pre_delete(pre: Option<Box<wasmrt_instance_pre_t>>) {
    guard((), || drop(pre))
}

/// # Safety
/// The pointer is NULL, or there are `length` bytes, which do not change while the answer is used.
unsafe fn text<'a>(bytes: *const c_char, length: usize) -> Result<&'a str> {
    if bytes.is_null() {
        return Err(null("a name"));
    }
    // SAFETY: there are `length` bytes, as the caller says.
    let bytes = unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), length) };
    std::str::from_utf8(bytes).map_err(|_| Error::misuse("a name is not UTF-8"))
}
