//! Imports and exports one by one
//!
//! What `wasm_module_imports`, `wasm_module_exports` and `wasm_instance_exports` return in vectors,
//! by its position there, which is the order in which the module declares it. An instance has an
//! export at the same position as its module, so a name need be looked up only once for all
//! instances.

use crate::c_api::answer;
use crate::c_api::ffi::{Argument, give, give_handle, null};
use crate::c_api::wasm::byte::Name;
use crate::c_api::wasm::exporttype::{ExportType, wasm_exporttype_t};
use crate::c_api::wasm::r#extern::wasm_extern_t;
use crate::c_api::wasm::importtype::{ImportType, wasm_importtype_t};
use crate::c_api::wasm::instance::wasm_instance_t;
use crate::c_api::wasm::module::wasm_module_t;
use crate::runtime::base::error::{Error, Result};
use std::ffi::c_char;
use std::mem::MaybeUninit;

/// Returns the number of a module's imports. Returns 0 and sets the last error for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_module_import_count(module: Option<&wasm_module_t>) -> usize {
    answer("wasmrt_module_import_count", 0, || Ok(module.required()?.declarations.imports.len()))
}

/// Returns the import of a module at a position, own. Returns NULL and sets the last error beyond
/// the last one, or for NULL. It must eventually be passed to `wasm_importtype_delete`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_module_import_at(
    module: Option<&wasm_module_t>,
    position: usize,
) -> Option<Box<wasm_importtype_t>> {
    answer("wasmrt_module_import_at", None, || {
        let import = at(&module.required()?.declarations.imports, position, "imports")?;
        let (module, name) = (Name::new(&import.module), Name::new(&import.name));
        Ok(give(ImportType { module, name, ty: import.ty.clone() }))
    })
}

/// Returns the number of a module's exports, which is that of each of its instances. Returns 0 and
/// sets the last error for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_module_export_count(module: Option<&wasm_module_t>) -> usize {
    answer("wasmrt_module_export_count", 0, || Ok(module.required()?.declarations.exports.len()))
}

/// Returns the export of a module at a position, own. Returns NULL and sets the last error beyond
/// the last one, or for NULL. It must eventually be passed to `wasm_exporttype_delete`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_module_export_at(
    module: Option<&wasm_module_t>,
    position: usize,
) -> Option<Box<wasm_exporttype_t>> {
    answer("wasmrt_module_export_at", None, || {
        let export = at(&module.required()?.declarations.exports, position, "exports")?;
        Ok(give(ExportType { name: Name::new(&export.name), ty: export.ty.clone() }))
    })
}

/// Gets the position of the export whose name is the `length` bytes at `name`.
///
/// Returns false and leaves `*out` alone if there is no such export. Sets the last error only if an
/// argument is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_module_export_index(
    module: Option<&wasm_module_t>,
    name: *const c_char,
    length: usize,
    out: Option<&mut MaybeUninit<usize>>,
) -> bool {
    answer("wasmrt_module_export_index", false, || {
        let (module, out) = (module.required()?, out.ok_or_else(|| null("a place to write to"))?);
        if name.is_null() {
            return Err(null("the name of an export"));
        }
        // SAFETY: there are `length` bytes at `name`, which stay as they are during this call.
        let name = unsafe { std::slice::from_raw_parts(name.cast::<u8>(), length) };
        Ok(module.declarations.export_named(name).map(|position| out.write(position)).is_some())
    })
}

/// Returns the number of an instance's exports. Returns 0 and sets the last error for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_instance_export_count(instance: Option<&wasm_instance_t>) -> usize {
    answer("wasmrt_instance_export_count", 0, || Ok(instance.required()?.export_count()))
}

/// Returns the export of an instance at a position, own. Returns NULL and sets the last error beyond
/// the last one, or for NULL.
///
/// It is the object that is among `wasm_instance_exports`, and must eventually be passed to
/// `wasm_extern_delete`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_instance_export_at(
    instance: Option<&wasm_instance_t>,
    position: usize,
) -> *mut wasm_extern_t {
    answer("wasmrt_instance_export_at", std::ptr::null_mut(), || {
        let instance = instance.required()?;
        at(&instance.module.declarations.exports, position, "exports")?;
        Ok(give_handle(instance.export(position)))
    })
}

fn at<'a, T>(list: &'a [T], position: usize, what: &str) -> Result<&'a T> {
    let beyond = || Error::misuse(format!("there are {} {what}, so none at position {position}", list.len()));
    list.get(position).ok_or_else(beyond)
}
