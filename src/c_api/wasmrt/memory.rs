//! Memories and tables of every kind
//!
//! wasm.h knows memories of pages of 65,536 bytes and tables, both with 32-bit indices. These
//! functions make and use those of the proposals memory64, custom-page-sizes and threads as well:
//! with sizes of 64 bits, with pages of one byte, and shared between threads. They do the same as
//! the functions of wasm.h for the memories and tables that these know, and functions of wasm.h
//! take every kind: `wasm_memory_new`, `wasm_memory_data`, `wasm_table_new` and so on. Only sizes
//! and limits that need more than 32 bits are 0xffffffff there.
//!
//! Making a memory or table fails if the engine does not have a proposal that its type needs, with
//! an error of kind `WASMRT_ERROR_UNSUPPORTED` that names the engine and the proposal. Types can be
//! made without an engine.

use super::config::module_limits::WASMRT_UNLIMITED;
use super::get;
use crate::c_api::ffi::{Argument, CType, c_type, give, give_handle};
use crate::c_api::wasm::memory::wasm_memory_t;
use crate::c_api::wasm::memorytype::wasm_memorytype_t;
use crate::c_api::wasm::r#ref::wasm_ref_t;
use crate::c_api::wasm::store::wasm_store_t;
use crate::c_api::wasm::table::wasm_table_t;
use crate::c_api::wasm::tabletype::{check_element, wasm_tabletype_t};
use crate::c_api::wasm::valtype::wasm_valtype_t;
use crate::c_api::{answer, guard};
use crate::runtime::base::error::{Error, Result};
use crate::runtime::base::types::{ExternType, Limits, MemoryType, TableType};
use crate::runtime::core::memory::Shared;
use std::mem::MaybeUninit;

/// Creates a memory type, own: of `minimum` to `maximum` pages, or `WASMRT_UNLIMITED` for no
/// maximum; with 64-bit addresses if `is_64`; shared between threads if `is_shared`; with pages of
/// `page_size` bytes, 65,536 or 1.
///
/// Returns NULL and sets the last error if the minimum is above the maximum, if either is more than
/// addresses reach, if a shared memory has no maximum, or for another page size. It must eventually
/// be passed to `wasm_memorytype_delete`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_memorytype_new(
    minimum: u64,
    maximum: u64,
    is_64: bool,
    is_shared: bool,
    page_size: u64,
) -> Option<Box<wasm_memorytype_t>> {
    answer("wasmrt_memorytype_new", None, || {
        let page_size_log2 = match page_size {
            65_536 => 16,
            1 => 0,
            _ => return Err(Error::misuse(format!("expected a page size of 65536 or 1 bytes, got {page_size}"))),
        };
        if is_shared && maximum == WASMRT_UNLIMITED {
            return Err(Error::misuse("a shared memory needs a maximum, because it cannot move when it grows"));
        }
        let most = u64::MAX >> page_size_log2 >> if is_64 { 0 } else { 32 };
        // All addresses but none beyond: as many pages as fit, and for small pages all addresses but the last.
        let most = if page_size_log2 == 0 { most } else { most + 1 };
        let limits = limits(minimum, maximum, most, "pages")?;
        Ok(give(ExternType::Memory(MemoryType { limits, is_64_bit: is_64, shared: is_shared, page_size_log2 })))
    })
}

/// Returns the minimum of a memory type, in pages; that of a memory's type is its current size.
/// Returns 0 and sets the last error for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_memorytype_minimum(ty: Option<&wasm_memorytype_t>) -> u64 {
    answer("wasmrt_memorytype_minimum", 0, || Ok(ty.required()?.limits.min()))
}

/// Returns the maximum of a memory type, in pages; `WASMRT_UNLIMITED` if it has none. Returns 0 and
/// sets the last error for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_memorytype_maximum(ty: Option<&wasm_memorytype_t>) -> u64 {
    answer("wasmrt_memorytype_maximum", 0, || Ok(ty.required()?.limits.max().unwrap_or(WASMRT_UNLIMITED)))
}

/// Returns whether memories of a type have 64-bit addresses. Returns false and sets the last error
/// for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_memorytype_is_64(ty: Option<&wasm_memorytype_t>) -> bool {
    answer("wasmrt_memorytype_is_64", false, || Ok(ty.required()?.is_64_bit))
}

/// Returns whether memories of a type are shared between threads. Returns false and sets the last
/// error for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_memorytype_is_shared(ty: Option<&wasm_memorytype_t>) -> bool {
    answer("wasmrt_memorytype_is_shared", false, || Ok(ty.required()?.shared))
}

/// Returns the bytes of a page of memories of a type. Returns 0 and sets the last error for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_memorytype_page_size(ty: Option<&wasm_memorytype_t>) -> u64 {
    answer("wasmrt_memorytype_page_size", 0, || Ok(1 << ty.required()?.page_size_log2))
}

/// Gets the size of a memory in pages of its type.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_memory_size(
    memory: Option<&wasm_memory_t>,
    out: Option<&mut MaybeUninit<u64>>,
) -> bool {
    get("wasmrt_memory_size", out, || Ok(memory.required()?.pages()))
}

/// Adds `delta` pages of zeros to a memory, whose bytes may move. Returns whether it has grown.
///
/// Sets `*former` to the size in pages that it had before; `former` may be NULL. Returns false,
/// leaves `*former` alone and sets the last error if the memory would exceed its maximum or a limit
/// of its store, if there is too little memory, and for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_memory_grow(
    memory: Option<&mut wasm_memory_t>,
    delta: u64,
    former: Option<&mut MaybeUninit<u64>>,
) -> bool {
    answer("wasmrt_memory_grow", false, || Ok(report(former, memory.required()?.grow(delta)?)))
}

c_type!(
    /// A memory that threads share, apart from any store.
    ///
    /// Functions: `wasmrt_memory_share`, `wasmrt_memory_obtain`, `wasmrt_shared_memory_delete`. May be
    /// used from any thread, and keeps the memory. Must eventually be passed to
    /// `wasmrt_shared_memory_delete`.
    wasmrt_shared_memory_t,
    "a shared memory",
    Boxed,
    Shared
);

/// Creates a form of a memory, own, that can be taken to other threads: of one whose type is shared,
/// whether the host made it with `wasm_memory_new` or an instance exports it. What shared modules
/// are to modules (`wasm_module_share`), shared memories are to memories. Nothing is copied.
///
/// Returns NULL and sets the last error if the memory is not shared, and for NULL.
///
/// All stores that obtain a memory, and their guests, use the same bytes at the same time. A host
/// reads and writes them (`wasm_memory_data`) with atomic operations, or while no guest uses them.
/// The bytes never move. They may become more at any time, when any guest grows the memory, so
/// `wasm_memory_data_size` is what they are at least.
///
/// A limit on the bytes of a store's memories counts a shared memory at its maximum, in the store
/// that made it; in those that obtain it, it counts as a memory of no bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_memory_share(memory: Option<&wasm_memory_t>) -> Option<Box<wasmrt_shared_memory_t>> {
    answer("wasmrt_memory_share", None, || Ok(give(memory.required()?.share()?)))
}

/// Creates a memory of `store`, own, from a shared one: to import it into the store's instances, for
/// example. Does not take `shared`.
///
/// Each call returns another object, even if the store has one of this memory. Returns NULL and sets
/// the last error if the store belongs to another engine, or may have no more memories, and for
/// NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_memory_obtain(
    store: Option<&mut wasm_store_t>,
    shared: Option<&wasmrt_shared_memory_t>,
) -> *mut wasm_memory_t {
    answer("wasmrt_memory_obtain", std::ptr::null_mut(), || {
        Ok(give_handle(shared.required()?.obtain(store.required()?)?))
    })
}

/// Deletes a shared memory. Takes ownership. Does nothing for NULL. May be called from any thread.
///
/// The memory itself lives on in the stores that have it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_shared_memory_delete(shared: Option<Box<wasmrt_shared_memory_t>>) {
    guard((), || drop(shared))
}

/// Wakes at most `count` guests that wait at an address of a shared memory, on any thread, as the
/// instruction `memory.atomic.notify` does. Sets `*woken` to their number, unless it is NULL.
///
/// Returns false, leaves `*woken` alone and sets the last error if the memory is not shared, if the
/// address is not a multiple of 4 or is beyond the end, and for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_memory_notify(
    memory: Option<&wasm_memory_t>,
    address: u64,
    count: u32,
    woken: Option<&mut MaybeUninit<u32>>,
) -> bool {
    answer("wasmrt_memory_notify", false, || Ok(report(woken, memory.required()?.notify(address, count)?)))
}

/// Creates a table type, own: of `minimum` to `maximum` elements, or `WASMRT_UNLIMITED` for no
/// maximum; with 64-bit indices if `is_64`. Takes `element`.
///
/// Returns NULL and sets the last error if `element` is NULL or not a reference type, if the minimum
/// is above the maximum, or if either is more than indices reach. It must eventually be passed to
/// `wasm_tabletype_delete`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_tabletype_new(
    element: Option<&mut wasm_valtype_t>,
    minimum: u64,
    maximum: u64,
    is_64: bool,
) -> Option<Box<wasm_tabletype_t>> {
    answer("wasmrt_tabletype_new", None, || {
        let element = check_element(element)?;
        let most = if is_64 { u64::MAX } else { u32::MAX.into() };
        let limits = limits(minimum, maximum, most, "elements")?;
        Ok(give(ExternType::Table(TableType { element, limits, is_64_bit: is_64 })))
    })
}

/// Returns the minimum of a table type, in elements; that of a table's type is its current size.
/// Returns 0 and sets the last error for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_tabletype_minimum(ty: Option<&wasm_tabletype_t>) -> u64 {
    answer("wasmrt_tabletype_minimum", 0, || Ok(ty.required()?.limits.min()))
}

/// Returns the maximum of a table type, in elements; `WASMRT_UNLIMITED` if it has none. Returns 0
/// and sets the last error for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_tabletype_maximum(ty: Option<&wasm_tabletype_t>) -> u64 {
    answer("wasmrt_tabletype_maximum", 0, || Ok(ty.required()?.limits.max().unwrap_or(WASMRT_UNLIMITED)))
}

/// Returns whether tables of a type have 64-bit indices. Returns false and sets the last error for
/// NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_tabletype_is_64(ty: Option<&wasm_tabletype_t>) -> bool {
    answer("wasmrt_tabletype_is_64", false, || Ok(ty.required()?.is_64_bit))
}

/// Returns the element of a table at `index`, own; NULL if it is the null reference.
///
/// Returns NULL and sets the last error if the index is beyond the end, or if `table` is NULL. The
/// reference must eventually be passed to `wasm_ref_delete`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_table_get(table: Option<&wasm_table_t>, index: u64) -> *mut wasm_ref_t {
    answer("wasmrt_table_get", std::ptr::null_mut(), || {
        Ok(table.required()?.get(index)?.map_or(std::ptr::null_mut(), give_handle))
    })
}

/// Sets the element of a table at `index`. Does not take `value`; NULL is the null reference.
///
/// Returns true on success. Returns false and sets the last error if the index is beyond the end, if
/// the reference is not of the elements' type or is of another store, or if `table` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_table_set(
    table: Option<&mut wasm_table_t>,
    index: u64,
    value: Option<&mut wasm_ref_t>,
) -> bool {
    answer("wasmrt_table_set", false, || {
        table.required()?.set(index, value.map(|value| value.rust()))?;
        Ok(true)
    })
}

/// Gets the size of a table in elements.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_table_size(table: Option<&wasm_table_t>, out: Option<&mut MaybeUninit<u64>>) -> bool {
    get("wasmrt_table_size", out, || Ok(table.required()?.size()))
}

/// Adds `delta` elements to a table, all of them `init`. Does not take `init`; NULL is the null
/// reference. Returns whether it has grown.
///
/// Sets `*former` to the size that it had before; `former` may be NULL. Returns false, leaves
/// `*former` alone and sets the last error if the table would exceed its maximum or a limit of its
/// store, if there is too little memory, if `init` is not of the elements' type or is of another
/// store, or if `table` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_table_grow(
    table: Option<&mut wasm_table_t>,
    delta: u64,
    init: Option<&mut wasm_ref_t>,
    former: Option<&mut MaybeUninit<u64>>,
) -> bool {
    answer("wasmrt_table_grow", false, || {
        Ok(report(former, table.required()?.grow(delta, init.map(|init| init.rust()))?))
    })
}

/// Limits as C gave them, checked: no more than `most`.
fn limits(minimum: u64, maximum: u64, most: u64, what: &str) -> Result<Limits> {
    if minimum > maximum {
        return Err(Error::misuse(format!("the minimum {minimum} is above the maximum {maximum}")));
    }
    let maximum = (maximum != WASMRT_UNLIMITED).then_some(maximum);
    let largest = maximum.unwrap_or(minimum);
    if largest > most {
        return Err(Error::misuse(format!("at most {most} {what} are possible, not {largest}")));
    }
    Ok(Limits::new(minimum, maximum))
}

/// Tells C a number, if C wants to know it.
fn report<T>(out: Option<&mut MaybeUninit<T>>, number: T) -> bool {
    if let Some(out) = out {
        out.write(number);
    }
    true
}
