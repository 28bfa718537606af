//! Memory types.

use super::externtype::wrong_type;
use super::limits;
use crate::c_api::answer;
use crate::c_api::families::boxed::boxed;
use crate::c_api::ffi::{Argument, give};
use crate::runtime::base::error::Error;
use crate::runtime::base::types::{ExternType, Limits32, MemoryType};

boxed!(
    /// The type of a memory: the limits of its size.
    ///
    /// Functions: `wasm_memorytype_new`, `_delete`, `_copy`, `_limits`, those of its vector, and the
    /// casts from and to `wasm_externtype_t`. Must eventually be passed to `wasm_memorytype_delete` if
    /// owned.
    memorytype, ty, "Memory Types", "a memory type", "memory types", ExternType, &'a MemoryType, |ty| match ty {
        ExternType::Memory(ty) => Ok(ty),
        other => Err(wrong_type(other, "a memory type")),
    }
);

/// What 32-bit addresses reach.
const MAX_PAGES: u64 = 65_536;

/// Creates a memory type, own. Does not take `limits`, which are in pages of 65,536 bytes.
/// [Memory Types]
///
/// Returns NULL and sets the last error if `limits` is NULL, if the minimum is above the maximum, or
/// if either is above 65,536 pages.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memorytype_new(limits: Option<&Limits32>) -> Option<Box<wasm_memorytype_t>> {
    answer("wasm_memorytype_new", None, || {
        let limits = limits::from_c(limits)?;
        let largest = limits.max().unwrap_or(limits.min());
        if largest > MAX_PAGES {
            return Err(Error::misuse(format!("a memory has at most {MAX_PAGES} pages, not {largest}")));
        }
        Ok(give(ExternType::Memory(MemoryType::new(limits))))
    })
}

/// Returns the limits of a memory's size, in pages: borrowed, valid as long as the memory type.
/// [Memory Types]
///
/// Returns NULL and sets the last error for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memorytype_limits(ty: Option<&wasm_memorytype_t>) -> *const Limits32 {
    answer("wasm_memorytype_limits", std::ptr::null(), || Ok(std::ptr::from_ref(ty.required()?.limits.in_c())))
}
