//! Memories.

use super::r#extern::wasm_extern_t;
use super::memorytype::{self, wasm_memorytype_t};
use super::r#ref::wasm_ref_t;
use super::store::{self, wasm_store_t};
use crate::c_api::families::reference::{casts, object, reference, wrong_kind};
use crate::c_api::families::vector::wasm_byte_t;
use crate::runtime::base::error::Result;
use crate::runtime::base::types::Limits;
use crate::runtime::core::memory::Memory;
use crate::runtime::core::object::{Object, Typed};

reference!(
    memory,
    "a memory",
    "A linear memory.\n\nFunctions: `wasm_memory_new`, `_type`, `_data`, `_data_size`, `_size`, `_grow`, and those of every reference and\nextern. Must eventually be passed to `wasm_memory_delete` if owned."
);
casts!(memory, "a memory", r#ref, wasm_ref_t, |object| object.as_memory().is_some());
casts!(memory, "a memory", r#extern, wasm_extern_t, |object| object.as_memory().is_some());

/// A number of pages of 65,536 bytes.
pub type wasm_memory_pages_t = u32;

/// A memory of zeros, own. The type stays the caller's. [Memory Instances]
///
/// NULL and a last error if an argument is NULL, or if so much memory cannot be had.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memory_new(store: *mut wasm_store_t, ty: *const wasm_memorytype_t) -> *mut wasm_memory_t {
    // SAFETY: the caller's, or NULL.
    crate::c_api::answer("wasm_memory_new", std::ptr::null_mut(), || unsafe {
        let (store, ty) = (store::from_c(store)?, memorytype::from_c(ty)?);
        Ok(Memory::create(store, ty)?.into_raw().cast())
    })
}

/// The type of a memory, own; its minimum is the current size. NULL gives NULL and a last error. [Memory Instances]
///
/// Must be passed to `wasm_memorytype_delete`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memory_type(memory: *const wasm_memory_t) -> *mut wasm_memorytype_t {
    // SAFETY: the caller's memory, or NULL.
    crate::c_api::answer("wasm_memory_type", std::ptr::null_mut(), || unsafe {
        Ok(from_c(memory)?.object.extern_type().map_or(std::ptr::null_mut(), crate::c_api::give_box))
    })
}

/// Where a memory's bytes are: borrowed, until the memory grows or its store goes. [Memory Instances]
///
/// NULL gives NULL and a last error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memory_data(memory: *mut wasm_memory_t) -> *mut wasm_byte_t {
    // SAFETY: the caller's memory, or NULL.
    crate::c_api::answer("wasm_memory_data", std::ptr::null_mut(), || unsafe { Ok(from_c(memory)?.bytes().cast()) })
}

/// How many bytes a memory has. NULL: 0 and a last error. [Memory Instances]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memory_data_size(memory: *const wasm_memory_t) -> usize {
    // SAFETY: the caller's memory, or NULL.
    crate::c_api::answer("wasm_memory_data_size", 0, || unsafe { Ok(from_c(memory)?.bytes().len()) })
}

/// How many pages a memory has. NULL: 0 and a last error. [Memory Instances]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memory_size(memory: *const wasm_memory_t) -> wasm_memory_pages_t {
    // SAFETY: the caller's memory, or NULL.
    crate::c_api::answer("wasm_memory_size", 0, || unsafe { Ok(Limits::new(from_c(memory)?.pages(), None).min) })
}

/// Adds `delta` pages of zeros; the memory's bytes may move. [Memory Instances]
///
/// False and a last error if it would exceed its maximum or what there is memory for, or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memory_grow(memory: *mut wasm_memory_t, delta: wasm_memory_pages_t) -> bool {
    // SAFETY: the caller's memory, or NULL.
    crate::c_api::answer("wasm_memory_grow", false, || unsafe { from_c(memory)?.grow(delta).map(|()| true) })
}

/// # Safety
/// The pointer is NULL or the caller's handle.
#[inline(always)]
unsafe fn from_c<'a>(memory: *const wasm_memory_t) -> Result<Typed<'a, Memory>> {
    // SAFETY: as promised by the caller.
    let object = unsafe { object(memory, "a memory")? };
    Typed::of(object, Object::as_memory).ok_or_else(|| wrong_kind(object, "a memory"))
}
