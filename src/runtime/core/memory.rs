//! Memories.

use super::engine_traits::Entity;
use super::object::{Body, Handle, Object, Typed};
use super::store::Store;
use crate::runtime::base::error::Result;
use crate::runtime::base::limits::Resource;
use crate::runtime::base::types::{ExternType, MemoryType};
use std::cell::Cell;

pub struct Memory {
    pub entity: Entity,
    /// As declared. The engine knows the current size.
    pub ty: Box<MemoryType>,
    /// The address and length of the bytes when they were last looked up, and the store's `memory_growths` at that
    /// time.
    bytes: Cell<(*mut [u8], usize)>,
}

impl Memory {
    pub fn new(entity: Entity, ty: MemoryType) -> Memory {
        let none = std::ptr::slice_from_raw_parts_mut(std::ptr::null_mut(), 0);
        Memory { entity, ty: Box::new(ty), bytes: Cell::new((none, usize::MAX)) }
    }

    pub fn create(store: &Store, ty: &MemoryType) -> Result<Handle> {
        for proposal in ty.proposals() {
            store.engine().check_has(proposal, &ExternType::Memory(ty.clone()))?;
        }
        store.limits().check(Resource::Memories, 1)?;
        // SAFETY: a memory type refers to nothing that belongs to a store.
        let entity = store.within_limits(|| unsafe { store.backend().new_memory(ty) })?;
        store.limits().add(Resource::Memories, 1);
        Ok(Object::create(store, Body::Memory(Memory::new(entity, ty.clone()))))
    }
}

impl Typed<'_, &Memory> {
    /// Returns the address and length of the bytes, which are valid until a memory grows.
    #[inline(always)]
    pub fn bytes(self) -> *mut [u8] {
        let (bytes, growths) = self.bytes.get();
        if growths == self.store().memory_growths.get() { bytes } else { self.find_bytes() }
    }

    #[cold]
    fn find_bytes(self) -> *mut [u8] {
        // SAFETY: the entity belongs to the object's store.
        let bytes = unsafe { self.store().backend().memory_bytes(&self.entity) };
        self.bytes.set((bytes, self.store().memory_growths.get()));
        bytes
    }

    /// Returns the size in pages.
    pub fn pages(self) -> u64 {
        // SAFETY: the entity belongs to the object's store.
        unsafe { self.store().backend().memory_size(&self.entity) }
    }

    /// Returns the former size in pages.
    pub fn grow(self, delta: u64) -> Result<u64> {
        let store = self.store();
        // SAFETY: the entity belongs to the object's store.
        store.within_limits(|| unsafe { store.backend().memory_grow(&self.entity, delta) })
    }
}
