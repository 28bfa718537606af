//! Stores.

use super::engine::wasm_engine_t;
use crate::c_api::ffi::{Argument, CType, c_type};
use crate::c_api::{answer, guard};
use crate::runtime::base::error::Error;
use crate::runtime::core::store::Store;

c_type!(
    /// A store holds instances and everything that belongs to them. Objects of different stores do not
    /// mix.
    ///
    /// A store and everything in it may be used by one thread at a time, not always the same one;
    /// handles may be deleted from any thread. Must eventually be passed to `wasm_store_delete`.
    wasm_store_t,
    "a store",
    Counted,
    Store,
    &'a Store,
    |store| if store.is_closed() { Err(Error::misuse("the store was deleted")) } else { Ok(store) }
);

/// Creates an empty store, own. Returns NULL and sets the last error for NULL. [Store]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_store_new(engine: Option<&mut wasm_engine_t>) -> *mut wasm_store_t {
    answer("wasm_store_new", std::ptr::null_mut(), || Ok(Store::create(engine.required()?.clone())?.into_raw().cast()))
}

/// Deletes a store. Takes ownership. Does nothing for NULL. [Store]
///
/// What is in the store lives as long as there are handles to anything in it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_store_delete(store: Option<&mut wasm_store_t>) {
    guard((), || {
        if let Some(store) = store {
            // SAFETY: the store came from `StoreHandle::into_raw`; one that was deleted before is in quarantine.
            unsafe { store.rust().release_handle() };
        }
    })
}
