//! Memories.

use super::engine::Engine;
use super::engine_traits::{Entity, SharedMemory};
use super::object::{Body, Handle, Object, Typed};
use super::store::Store;
use crate::runtime::base::error::{Error, Result};
use crate::runtime::base::limits::Resource;
use crate::runtime::base::types::{ExternType, MemoryType};
use std::cell::Cell;
use std::sync::Arc;

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
        let shared = if ty.shared { ty.room_to_grow_unseen().saturating_add(ty.minimum_bytes()) } else { 0 };
        store.limits().check(Resource::Memories, 1)?;
        store.limits().check(Resource::MemoryBytes, shared)?;
        // SAFETY: a memory type refers to nothing that belongs to a store.
        let entity = store.within_limits(|| unsafe { store.backend().new_memory(ty) })?;
        store.limits().add(Resource::Memories, 1);
        // Engines do not ask the store about these.
        store.limits().add(Resource::MemoryBytes, shared);
        Ok(Object::create(store, Body::Memory(Memory::new(entity, ty.clone()))))
    }
}

/// A memory that stores share, apart from all of them.
pub struct Shared {
    engine: Arc<Engine>,
    ty: MemoryType,
    inner: SharedMemory,
}

impl Shared {
    /// Makes an object of the memory in a store.
    pub fn obtain(&self, store: &Store) -> Result<Handle> {
        if !Arc::ptr_eq(&self.engine, store.engine()) {
            return Err(Error::misuse("the memory and the store belong to different engines"));
        }
        store.limits().check(Resource::Memories, 1)?;
        let entity = store.backend().obtain_memory(&self.inner)?;
        store.limits().add(Resource::Memories, 1);
        Ok(Object::create(store, Body::Memory(Memory::new(entity, self.ty.clone()))))
    }
}

impl Typed<'_, &Memory> {
    fn check_shared(self) -> Result<()> {
        match self.ty.shared {
            true => Ok(()),
            false => Err(Error::misuse(format!("a {} is not shared", ExternType::Memory((*self.ty).clone())))),
        }
    }

    pub fn share(self) -> Result<Shared> {
        self.check_shared()?;
        // SAFETY: the entity belongs to the object's store.
        let inner = unsafe { self.store().backend().share_memory(&self.entity) }?;
        Ok(Shared { engine: self.store().engine().clone(), ty: (*self.ty).clone(), inner })
    }

    /// Wakes at most `count` guests that wait at an address. Returns how many.
    pub fn notify(self, address: u64, count: u32) -> Result<u32> {
        self.check_shared()?;
        // SAFETY: the entity belongs to the object's store.
        unsafe { self.store().backend().notify_memory(&self.entity, address, count) }
    }

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
        // Other stores may grow a shared memory.
        if !self.ty.shared {
            self.bytes.set((bytes, self.store().memory_growths.get()));
        }
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
