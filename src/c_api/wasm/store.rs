//! Stores.

use super::engine::{self, wasm_engine_t};
use crate::runtime::base::error::{Error, Result};
use crate::runtime::core::store::Store;

/// A store: instances and all that belongs to them.
///
/// A store, and everything in it, is used by one thread at a time; it may move between threads. Objects of different stores
/// do not mix. Deleting handles is allowed from any thread. Must eventually be passed to `wasm_store_delete`.
pub struct wasm_store_t {
    _store: Store,
}

/// An empty store, own. NULL for the engine gives NULL and a last error. [Store]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_store_new(engine: *mut wasm_engine_t) -> *mut wasm_store_t {
    // SAFETY: the caller's engine, or NULL.
    crate::c_api::answer("wasm_store_new", std::ptr::null_mut(), || unsafe {
        Ok(Store::create(engine::from_c(engine)?)?.into_raw().cast())
    })
}

/// Deletes a store. Takes ownership. NULL: nothing happens. [Store]
///
/// What is in it lives on while there are handles to any of it, and goes with the last of them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_store_delete(store: *mut wasm_store_t) {
    crate::c_api::guard((), || {
        // SAFETY: the caller's own, or NULL.
        if let Some(store) = unsafe { crate::c_api::borrow::<_, Store>(store) } {
            // SAFETY: the caller gives up a handle.
            unsafe { store.release_handle() };
        }
    })
}

/// # Safety
/// The pointer is NULL or the caller's store.
pub unsafe fn from_c<'a>(store: *const wasm_store_t) -> Result<&'a Store> {
    // SAFETY: as promised by the caller.
    let store: &Store = unsafe { crate::c_api::required(store, "a store")? };
    if store.is_closed() { Err(Error::misuse("the store was deleted")) } else { Ok(store) }
}
