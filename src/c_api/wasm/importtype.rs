//! Import types.

use super::externtype::wasm_externtype_t;
use crate::c_api::families::boxed::type_object;
use crate::c_api::families::vector::{Taken, Vector, wasm_byte_vec_t, wasm_name_t};
use crate::runtime::base::types::ExternType;

/// A name that a type object owns.
pub struct Name(wasm_byte_vec_t);

impl Name {
    pub fn new(name: &str) -> Name {
        Name(wasm_byte_vec_t::from_bytes(name.as_bytes()))
    }

    /// Takes a name that C gave. One terminating zero, as `wasm_name_new_from_string_nt` leaves, is not part of it.
    ///
    /// It is copied rather than kept: a vector that C made itself has no zero behind its end.
    pub fn from_c(name: Taken<wasm_name_t>) -> Name {
        // SAFETY: the vector is valid while `name` lives.
        let bytes = unsafe { wasm_byte_vec_t::bytes(&name.vector()) };
        Name(wasm_byte_vec_t::from_bytes(bytes.strip_suffix(b"\0").unwrap_or(bytes)))
    }

    pub fn as_c(&self) -> *const wasm_name_t {
        &self.0
    }
}

impl Clone for Name {
    fn clone(&self) -> Name {
        // SAFETY: a name is a valid vector.
        Name(wasm_byte_vec_t::from_parts(unsafe { self.0.parts().duplicate() }))
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        // SAFETY: a name owns its vector.
        unsafe { self.0.parts().release() }
    }
}

#[derive(Clone)]
pub struct ImportType {
    pub module: Name,
    pub name: Name,
    pub ty: ExternType,
}

type_object!(
    importtype,
    ImportType,
    "an import type",
    "import types",
    "What a module asks for: the names of a module and of something in it, and the type of that.\n\nFunctions: `wasm_importtype_new`, `_delete`, `_copy`, `_module`, `_name`, `_type`, and those of its vector. Must\neventually be passed to `wasm_importtype_delete` if owned."
);

/// An import type, own. Takes all three; the names are left empty. [Import Types]
///
/// A terminating zero of a name is stripped, one of them. NULL for a name means empty; NULL for the type gives NULL and a
/// last error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_importtype_new(
    module: *mut wasm_name_t,
    name: *mut wasm_name_t,
    ty: *mut wasm_externtype_t,
) -> *mut wasm_importtype_t {
    // SAFETY: the caller's own, or NULL.
    crate::c_api::answer("wasm_importtype_new", std::ptr::null_mut(), || unsafe {
        let (module, name) = (Vector::take(module), Vector::take(name));
        let ty: Box<ExternType> = crate::c_api::take_box(ty).ok_or_else(|| crate::c_api::null("an extern type"))?;
        Ok(crate::c_api::give_box(ImportType { module: Name::from_c(module), name: Name::from_c(name), ty: *ty }))
    })
}

/// The module name of an import: borrowed, valid as long as the import type. NULL gives NULL and a last error.
/// [Import Types]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_importtype_module(ty: *const wasm_importtype_t) -> *const wasm_name_t {
    // SAFETY: the caller's, or NULL.
    crate::c_api::answer("wasm_importtype_module", std::ptr::null(), || unsafe {
        Ok(crate::c_api::required::<_, ImportType>(ty, "an import type")?.module.as_c())
    })
}

/// The name of an import in its module: borrowed, valid as long as the import type. NULL gives NULL and a last error.
/// [Import Types]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_importtype_name(ty: *const wasm_importtype_t) -> *const wasm_name_t {
    // SAFETY: the caller's, or NULL.
    crate::c_api::answer("wasm_importtype_name", std::ptr::null(), || unsafe {
        Ok(crate::c_api::required::<_, ImportType>(ty, "an import type")?.name.as_c())
    })
}

/// The type of what is imported: borrowed, valid as long as the import type. NULL gives NULL and a last error.
/// [Import Types]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_importtype_type(ty: *const wasm_importtype_t) -> *const wasm_externtype_t {
    // SAFETY: the caller's, or NULL.
    crate::c_api::answer("wasm_importtype_type", std::ptr::null(), || unsafe {
        Ok(std::ptr::from_ref(&crate::c_api::required::<_, ImportType>(ty, "an import type")?.ty).cast())
    })
}
