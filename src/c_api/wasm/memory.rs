//! Memories.

use super::byte::wasm_byte_t;
use super::r#extern::wasm_extern_t;
use super::memorytype::wasm_memorytype_t;
use super::r#ref::wasm_ref_t;
use super::store::wasm_store_t;
use crate::c_api::answer;
use crate::c_api::families::reference::{casts, reference};
use crate::c_api::ffi::{Argument, give, give_handle};
use crate::runtime::base::types::saturate;
use crate::runtime::core::memory::Memory;
use crate::runtime::core::object::Object;

reference!(
    /// A linear memory.
    ///
    /// Functions: `wasm_memory_new`, `_type`, `_data`, `_data_size`, `_size`, `_grow`, and those of
    /// every reference and extern. Must eventually be passed to `wasm_memory_delete` if owned.
    memory,
    "a memory",
    &'a Memory,
    Object::as_memory
);
casts!(memory, "a memory", r#ref, wasm_ref_t);
casts!(memory, "a memory", r#extern, wasm_extern_t);

/// A number of pages of 65,536 bytes.
pub type wasm_memory_pages_t = u32;

/// Creates a memory of zeros, own. Does not take `ty`. [Memory Instances]
///
/// Returns NULL and sets the last error if an argument is NULL, if the memory cannot be allocated,
/// or if the engine does not have a proposal that the type needs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memory_new(
    store: Option<&mut wasm_store_t>,
    ty: Option<&wasm_memorytype_t>,
) -> *mut wasm_memory_t {
    answer("wasm_memory_new", std::ptr::null_mut(), || {
        Ok(give_handle(Memory::create(store.required()?, ty.required()?)?))
    })
}

/// Returns the type of a memory, own; its minimum is the current size. [Memory Instances]
///
/// Returns NULL and sets the last error for NULL. The type must eventually be passed to
/// `wasm_memorytype_delete`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memory_type(memory: Option<&wasm_memory_t>) -> Option<Box<wasm_memorytype_t>> {
    answer("wasm_memory_type", None, || Ok(memory.required()?.object.extern_type().and_then(give)))
}

/// Returns where the bytes of a memory are: borrowed, valid until the memory grows or its store is
/// freed. [Memory Instances]
///
/// Returns NULL and sets the last error for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memory_data(memory: Option<&mut wasm_memory_t>) -> *mut wasm_byte_t {
    answer("wasm_memory_data", std::ptr::null_mut(), || Ok(memory.required()?.bytes().cast()))
}

/// Returns the size of a memory in bytes. Returns 0 and sets the last error for NULL.
/// [Memory Instances]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memory_data_size(memory: Option<&wasm_memory_t>) -> usize {
    answer("wasm_memory_data_size", 0, || Ok(memory.required()?.bytes().len()))
}

/// Returns the size of a memory in pages. Returns 0 and sets the last error for NULL.
/// [Memory Instances]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memory_size(memory: Option<&wasm_memory_t>) -> wasm_memory_pages_t {
    answer("wasm_memory_size", 0, || Ok(saturate(memory.required()?.pages())))
}

/// Adds `delta` pages of zeros to a memory, whose bytes may move. Returns whether it has grown.
/// [Memory Instances]
///
/// Returns false and sets the last error if the memory would exceed its maximum, if there is too
/// little memory, and for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memory_grow(memory: Option<&mut wasm_memory_t>, delta: wasm_memory_pages_t) -> bool {
    answer("wasm_memory_grow", false, || memory.required()?.grow(delta.into()).map(|_| true))
}
