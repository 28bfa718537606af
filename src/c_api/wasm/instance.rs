//! Instances.

use super::r#extern::{wasm_extern_t, wasm_extern_vec_t};
use super::module::{self, wasm_module_t};
use super::r#ref::wasm_ref_t;
use super::store::{self, wasm_store_t};
use super::trap::wasm_trap_t;
use crate::c_api::families::reference::{casts, object, reference, wrong_kind};
use crate::c_api::families::vector::{Parts, Vector};
use crate::runtime::core::instance;
use crate::runtime::core::object::Object;

reference!(
    instance,
    "an instance",
    "An instance of a module: its state, with imports bound.\n\nFunctions: `wasm_instance_new`, `_exports`, and those of every reference. Must eventually be passed to\n`wasm_instance_delete`. What an instance holds is freed with its store."
);
casts!(instance, "an instance", r#ref, wasm_ref_t, |object| object.as_instance().is_some());

/// Instantiates a module and runs its start function; the instance is own. [Module Instances]
///
/// `imports` are the module's imports in declared order; they stay the caller's; NULL means empty. On failure the answer is
/// NULL, there is a last error, and `*trap`, unless `trap` is NULL, is a trap, own: what the start function or a segment
/// trapped with, or a message that names the missing or mistyped import, the type it should have and the one it has. On
/// success `*trap` is NULL. With NULL for the store or the module there is no trap either.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_instance_new(
    store: *mut wasm_store_t,
    module: *const wasm_module_t,
    imports: *const wasm_extern_vec_t,
    trap: *mut *mut wasm_trap_t,
) -> *mut wasm_instance_t {
    // SAFETY: the caller's, or NULL; `trap` is writable.
    crate::c_api::answer("wasm_instance_new", std::ptr::null_mut(), || unsafe {
        if let Some(trap) = trap.as_mut() {
            *trap = std::ptr::null_mut();
        }
        let store = store::from_c(store)?;
        let (_, module) = module::from_c(module)?;
        let imports = imports.as_ref().map_or(&[][..], |imports| imports.parts().elements());
        // A pointer of C's is a reference to an object or NULL, which is what an optional reference is.
        let imports = &*(std::ptr::from_ref(imports) as *const [Option<&Object>]);
        match instance::instantiate(store, module, imports) {
            Ok(instance) => Ok(instance.into_raw().cast()),
            Err(error) => {
                if let Some(trap) = trap.as_mut() {
                    *trap = error.into_raw().cast();
                }
                Ok(std::ptr::null_mut())
            }
        }
    })
}

/// Writes an instance's exports to `out`, own, in the declared order of its module. [Module Instances]
///
/// Asked again, the same objects come out. Must be passed to `wasm_extern_vec_delete`. NULL for the instance: `out` is
/// empty, and there is a last error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_instance_exports(instance: *const wasm_instance_t, out: *mut wasm_extern_vec_t) {
    // SAFETY: the caller's instance, or NULL; `out` is writable.
    let exports = crate::c_api::answer("wasm_instance_exports", wasm_extern_vec_t::empty(), || unsafe {
        let object = object(instance, "an instance")?;
        let instance = object.as_instance().ok_or_else(|| wrong_kind(object, "an instance"))?;
        let exports = Parts::<*mut wasm_extern_t>::zeroed(instance.export_count());
        for position in 0..exports.size {
            exports.data.add(position).write(instance.export(object, position).into_raw().cast());
        }
        Ok(Vector::from_parts(exports))
    });
    // SAFETY: as above.
    unsafe { exports.write(out) }
}
