//! Memory types.

use super::tabletype::limits_from_c;
use crate::c_api::families::boxed::type_object;
use crate::runtime::base::error::{Error, Result};
use crate::runtime::base::types::{ExternType, Limits, MemoryType};

type_object!(
    memorytype,
    ExternType,
    "a memory type",
    "memory types",
    "The type of a memory: the limits of its size.\n\nFunctions: `wasm_memorytype_new`, `_delete`, `_copy`, `_limits`, those of its vector, and the casts from and to\n`wasm_externtype_t`. Must eventually be passed to `wasm_memorytype_delete` if owned."
);

/// What 32-bit addresses reach.
const MAX_PAGES: u32 = 65_536;

/// A memory type, own; `limits`, in pages of 65,536 bytes, stay the caller's. [Memory Types]
///
/// NULL and a last error if they are NULL, if the minimum is above the maximum, or either above 65,536 pages.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memorytype_new(limits: *const Limits) -> *mut wasm_memorytype_t {
    // SAFETY: the caller's, or NULL.
    crate::c_api::answer("wasm_memorytype_new", std::ptr::null_mut(), || unsafe {
        let limits = limits_from_c(limits)?;
        let largest = limits.max().unwrap_or(limits.min);
        if largest > MAX_PAGES {
            return Err(Error::misuse(format!("a memory has at most {MAX_PAGES} pages, not {largest}")));
        }
        Ok(crate::c_api::give_box(ExternType::Memory(MemoryType::new(limits))))
    })
}

/// The limits of a memory's size, in pages: borrowed, valid as long as the memory type. [Memory Types]
///
/// NULL gives NULL and a last error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memorytype_limits(ty: *const wasm_memorytype_t) -> *const Limits {
    // SAFETY: the caller's, or NULL.
    crate::c_api::answer("wasm_memorytype_limits", std::ptr::null(), || unsafe { Ok(&raw const from_c(ty)?.limits) })
}

/// # Safety
/// The pointer is NULL or came from the library.
pub unsafe fn from_c<'a>(ty: *const wasm_memorytype_t) -> Result<&'a MemoryType> {
    // SAFETY: as promised by the caller.
    match unsafe { crate::c_api::required(ty, "a memory type")? } {
        ExternType::Memory(ty) => Ok(ty),
        other => Err(Error::misuse(format!("expected a memory type, got the type of a {}", other.kind().name()))),
    }
}
