//! Instances.

use super::r#extern::wasm_extern_vec_t;
use super::module::wasm_module_t;
use super::r#ref::wasm_ref_t;
use super::store::wasm_store_t;
use super::trap::wasm_trap_t;
use crate::c_api::answer;
use crate::c_api::families::reference::{casts, reference};
use crate::c_api::families::vector::Vector;
use crate::c_api::ffi::{Argument, give_handle};
use crate::runtime::base::error::Result;
use crate::runtime::core::instance::{self, Instance};
use crate::runtime::core::object::{Handle, Object};
use std::mem::MaybeUninit;

reference!(
    /// An instance of a module: its state, with its imports bound.
    ///
    /// Functions: `wasm_instance_new`, `_exports`, and those of every reference. Must eventually be
    /// passed to `wasm_instance_delete`. What an instance holds is freed with its store.
    instance,
    "an instance",
    &'a Instance,
    Object::as_instance
);
casts!(instance, "an instance", r#ref, wasm_ref_t);

/// Instantiates a module and runs its start function. Returns the instance, own. [Module Instances]
///
/// `imports` are what the module imports, in declared order. They are not taken; NULL means none.
/// Sets `*trap`, unless `trap` is NULL.
///
/// On success `*trap` is NULL. On failure the result is NULL, the last error is set, and `*trap` is
/// a trap, own: the one that the start function or a segment caused, or one whose message names the
/// import that is missing or has the wrong type, with the type it has and the one it should have. If
/// `store` or `module` is NULL, `*trap` is NULL too.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_instance_new(
    store: Option<&mut wasm_store_t>,
    module: Option<&wasm_module_t>,
    imports: *const wasm_extern_vec_t,
    trap: *mut *mut wasm_trap_t,
) -> *mut wasm_instance_t {
    let instance = || {
        let (store, module) = (store.required()?, module.required()?.body);
        // SAFETY: NULL or C's vector, which is read before the start function can change it.
        let imports = unsafe { imports.as_ref() }.map_or(&[][..], Vector::elements);
        // SAFETY: an element is NULL or a handle, which is the address of an object.
        let imports = unsafe { &*(std::ptr::from_ref(imports) as *const [Option<&Object>]) };
        Ok(instance::instantiate(store, module, imports))
    };
    // SAFETY: `trap` is NULL or C's to write to.
    unsafe { instantiate("wasm_instance_new", trap, instance) }
}

/// Makes an instance, and writes the trap or NULL to `trap`.
///
/// # Safety
/// `trap` is NULL or writable. It is no reference: the start function may look at what is there.
pub unsafe fn instantiate(
    function: &str,
    trap: *mut *mut wasm_trap_t,
    instance: impl FnOnce() -> Result<Result<Handle, Handle>>,
) -> *mut wasm_instance_t {
    let mut failure = std::ptr::null_mut();
    let instance = answer(function, std::ptr::null_mut(), || match instance()? {
        Ok(instance) => Ok(give_handle(instance)),
        Err(error) => {
            // Without a place for it, it is deleted here.
            if !trap.is_null() {
                failure = give_handle(error);
            }
            Ok(std::ptr::null_mut())
        }
    });
    if !trap.is_null() {
        // SAFETY: not NULL, and so writable.
        unsafe { trap.write(failure) };
    }
    instance
}

/// Sets `*out` to the exports of an instance, own, in the order in which its module declares them.
/// [Module Instances]
///
/// They are the same objects each time. The vector must eventually be passed to
/// `wasm_extern_vec_delete`. If `instance` is NULL, it is empty and the last error is set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_instance_exports(
    instance: Option<&wasm_instance_t>,
    out: Option<&mut MaybeUninit<wasm_extern_vec_t>>,
) {
    let exports = answer("wasm_instance_exports", wasm_extern_vec_t::empty(), || {
        let instance = instance.required()?;
        Ok(wasm_extern_vec_t::of_exports(instance))
    });
    exports.write(out)
}
