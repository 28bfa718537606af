//! Memories.

use super::engine_traits::Entity;
use super::object::{Body, Handle, Object, Typed};
use super::store::Store;
use crate::runtime::base::error::{Error, ErrorKind, Result};
use crate::runtime::base::limits::Resource;
use crate::runtime::base::types::{ExternType, MemoryType};
use std::cell::Cell;

pub struct Memory {
    pub entity: Entity,
    /// As declared; the engine knows the current size.
    pub ty: MemoryType,
    /// Its bytes when they were last asked for, and how often memories of the store had grown by then.
    bytes: Cell<(*mut [u8], usize)>,
}

impl Memory {
    pub fn new(entity: Entity, ty: MemoryType) -> Memory {
        let none = std::ptr::slice_from_raw_parts_mut(std::ptr::null_mut(), 0);
        Memory { entity, ty, bytes: Cell::new((none, usize::MAX)) }
    }

    pub fn create(store: &Store, ty: &MemoryType) -> Result<Handle> {
        if ty.is_64_bit || ty.shared || ty.page_size_log2 != 16 {
            let message = format!("a {} cannot be made from C", ExternType::Memory(ty.clone()));
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        store.limits().check(Resource::Memories, 1)?;
        // SAFETY: a type is of no store in particular.
        let entity = store.within_limits(|| unsafe { store.backend().new_memory(ty) })?;
        store.limits().add(Resource::Memories, 1);
        Ok(Object::create(store, Body::Memory(Memory::new(entity, ty.clone()))))
    }
}

impl Typed<'_, &Memory> {
    /// Where the bytes are, until the memory grows.
    #[inline(always)]
    pub fn bytes(self) -> *mut [u8] {
        let (bytes, growths) = self.bytes.get();
        if growths == self.store().memory_growths.get() { bytes } else { self.find_bytes() }
    }

    #[cold]
    fn find_bytes(self) -> *mut [u8] {
        // SAFETY: an entity of this store.
        let bytes = unsafe { self.store().backend().memory_bytes(&self.entity) };
        self.bytes.set((bytes, self.store().memory_growths.get()));
        bytes
    }

    /// The size in pages.
    pub fn pages(self) -> u64 {
        // SAFETY: an entity of this store.
        unsafe { self.store().backend().memory_size(&self.entity) }
    }

    pub fn grow(self, delta: u32) -> Result<()> {
        let store = self.store();
        // SAFETY: an entity of this store.
        store.within_limits(|| unsafe { store.backend().memory_grow(&self.entity, delta.into()) })
    }
}
