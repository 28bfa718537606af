//! Globals, tables and memories, and the types of externs.

use super::func::{carried, check_value};
use super::object::{Body, Global, Handle, Memory, Object, Table};
use super::store::Store;
use super::value::Val;
use crate::runtime::base::error::{Error, ErrorKind, Result};
use crate::runtime::base::limits::Resource;
use crate::runtime::base::types::{ExternType, GlobalType, Limits, MemoryType, TableType, ValType};
use std::mem::MaybeUninit;

impl Object {
    /// The type of an extern; a table's or memory's minimum is its current size. `None` for what is no extern.
    pub fn extern_type(&self) -> Option<ExternType> {
        let backend = self.store().backend();
        Some(match &self.body {
            Body::Func(func) => ExternType::Func(func.ty.clone()),
            Body::Global(global) => ExternType::Global(global.ty.clone()),
            Body::Table(table) => {
                // SAFETY: an entity of this store.
                let size = unsafe { backend.table_size(&table.entity) };
                let limits = Limits { min: Limits::new(size, None).min, ..table.ty.limits };
                ExternType::Table(TableType { limits, ..table.ty.clone() })
            }
            Body::Memory(memory) => {
                // SAFETY: an entity of this store.
                let size = unsafe { backend.memory_size(&memory.entity) };
                let limits = Limits { min: Limits::new(size, None).min, ..memory.ty.limits };
                ExternType::Memory(MemoryType { limits, ..memory.ty.clone() })
            }
            Body::Tag(tag) => tag.ty.clone(),
            _ => return None,
        })
    }

    /// # Safety
    /// If the value is of a reference kind, it holds null or a live handle.
    pub unsafe fn new_global(store: &Store, ty: &GlobalType, value: &Val) -> Result<Handle> {
        check_carried(ty.content, "a global")?;
        // SAFETY: as promised by the caller.
        unsafe { check_value(store, value, ty.content, || "initial value of the global".to_string())? };
        // SAFETY: the value fits, and is of this store.
        let entity = unsafe { store.backend().new_global(ty, value)? };
        Ok(Object::create(store, Body::Global(Global { entity, ty: ty.clone() })))
    }

    /// Writes a global's value to `out`, on success only.
    #[inline(always)]
    pub fn global_get(&self, global: &Global, out: &mut MaybeUninit<Val>) -> Result<()> {
        // SAFETY: an entity of this store.
        unsafe { self.store().backend().global_get(&global.entity, &global.ty, out) }
    }

    /// # Safety
    /// As for [`Object::new_global`].
    #[inline(always)]
    pub unsafe fn global_set(&self, global: &Global, value: &Val) -> Result<()> {
        let kind = global.ty.content.kind;
        if global.ty.mutable && kind.is_number() && value.kind == kind as u8 {
            // SAFETY: the value fits.
            return unsafe { self.store().backend().global_set(&global.entity, &global.ty, value) };
        }
        // SAFETY: as promised by the caller.
        unsafe { self.global_set_any(global, value) }
    }

    /// # Safety
    /// As for [`Object::new_global`].
    #[inline(never)]
    unsafe fn global_set_any(&self, global: &Global, value: &Val) -> Result<()> {
        if !global.ty.mutable {
            return Err(Error::misuse("the global is constant; nothing was written"));
        }
        check_carried(global.ty.content, "a global")?;
        // SAFETY: as promised by the caller.
        unsafe {
            check_value(self.store(), value, global.ty.content, || "new value of the global".to_string())?;
        }
        // SAFETY: the value fits, and is of this store.
        unsafe { self.store().backend().global_set(&global.entity, &global.ty, value) }?;
        self.store().settle();
        Ok(())
    }

    pub fn new_table(store: &Store, ty: &TableType, init: Option<&Object>) -> Result<Handle> {
        check_carried(ty.element, "a table")?;
        if ty.wide {
            let message = format!("a {} cannot be made from C", ExternType::Table(ty.clone()));
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        check_element(store, ty, init)?;
        store.limits().check(Resource::Tables, 1)?;
        // SAFETY: the element fits, and is of this store.
        let entity = limited(store, || unsafe { store.backend().new_table(ty, init) })?;
        store.limits().add(Resource::Tables, 1);
        Ok(Object::create(store, Body::Table(Table { entity, ty: ty.clone() })))
    }

    /// The element at `index`, or `None` if it is null.
    #[inline(always)]
    pub fn table_get(&self, table: &Table, index: u32) -> Result<Option<Handle>> {
        // SAFETY: an entity of this store.
        let element = unsafe { self.store().backend().table_get(&table.entity, &table.ty, index.into()) };
        element.unwrap_or_else(|| Err(self.beyond(table, index)))
    }

    #[inline(always)]
    pub fn table_set(&self, table: &Table, index: u32, value: Option<&Object>) -> Result<()> {
        let store = self.store();
        check_element(store, &table.ty, value)?;
        // SAFETY: the element fits, and is of this store.
        let set = unsafe { store.backend().table_set(&table.entity, &table.ty, index.into(), value) };
        set.map_err(|error| self.refused(table, index, error))?;
        store.settle();
        Ok(())
    }

    /// Why an element could not be set.
    #[cold]
    fn refused(&self, table: &Table, index: u32, error: Error) -> Error {
        // SAFETY: an entity of this store.
        let size = unsafe { self.store().backend().table_size(&table.entity) };
        if u64::from(index) < size { error } else { self.beyond(table, index) }
    }

    pub fn table_grow(&self, table: &Table, delta: u32, init: Option<&Object>) -> Result<()> {
        let store = self.store();
        check_element(store, &table.ty, init)?;
        // SAFETY: the element fits, and is of this store.
        limited(store, || unsafe { store.backend().table_grow(&table.entity, &table.ty, delta.into(), init) })
    }

    #[cold]
    fn beyond(&self, table: &Table, index: u32) -> Error {
        // SAFETY: an entity of this store.
        let size = unsafe { self.store().backend().table_size(&table.entity) };
        Error::misuse(format!("index {index} is beyond the table's {size} elements"))
    }

    /// A memory's bytes, until it grows.
    #[inline(always)]
    pub fn memory_bytes(&self, memory: &Memory) -> *mut [u8] {
        let (bytes, growths) = memory.bytes.get();
        if growths == self.store().memory_growths.get() { bytes } else { self.find_memory_bytes(memory) }
    }

    #[cold]
    fn find_memory_bytes(&self, memory: &Memory) -> *mut [u8] {
        // SAFETY: an entity of this store.
        let bytes = unsafe { self.store().backend().memory_bytes(&memory.entity) };
        memory.bytes.set((bytes, self.store().memory_growths.get()));
        bytes
    }

    pub fn new_memory(store: &Store, ty: &MemoryType) -> Result<Handle> {
        if ty.wide || ty.shared || ty.page_size_log2 != 16 {
            let message = format!("a {} cannot be made from C", ExternType::Memory(ty.clone()));
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        store.limits().check(Resource::Memories, 1)?;
        // SAFETY: a type of no store in particular.
        let entity = limited(store, || unsafe { store.backend().new_memory(ty) })?;
        store.limits().add(Resource::Memories, 1);
        Ok(Object::create(store, Body::Memory(Memory::new(entity, ty.clone()))))
    }

    pub fn memory_grow(&self, memory: &Memory, delta: u32) -> Result<()> {
        let store = self.store();
        // SAFETY: an entity of this store.
        limited(store, || unsafe { store.backend().memory_grow(&memory.entity, delta.into()) })
    }
}

fn check_carried(ty: ValType, what: &str) -> Result<()> {
    if carried(ty) {
        return Ok(());
    }
    let message = format!("{what} of type {ty} cannot be made or written through wasm_val_t and wasm_ref_t");
    Err(Error::new(ErrorKind::Unsupported, message))
}

/// Runs what needs memory or table elements. If the store's limits forbid it, they say why.
fn limited<R>(store: &Store, body: impl FnOnce() -> Result<R>) -> Result<R> {
    let limits = store.limits();
    limits.watch();
    let before = limits.snapshot();
    body().map_err(|error| {
        // Not every engine says when it could not come by what it had asked for.
        limits.restore(before);
        limits.denied().map_or(error, |(_, refusal)| refusal)
    })
}

/// Checks that a reference may be an element of a table.
#[inline(always)]
fn check_element(store: &Store, ty: &TableType, object: Option<&Object>) -> Result<()> {
    let fits = match object {
        Some(object) => ty.element.exact && ty.element.kind.admits(object) && store.is(object.store()),
        None => ty.element.nullable,
    };
    if fits { Ok(()) } else { check_element_fully(store, ty, object) }
}

#[cold]
fn check_element_fully(store: &Store, ty: &TableType, object: Option<&Object>) -> Result<()> {
    let mut value = Val::null(ty.element.kind);
    value.of.r#ref = object.map_or(std::ptr::null_mut(), |object| std::ptr::from_ref(object).cast_mut());
    if !ty.element.exact && object.is_some() {
        check_carried(ty.element, "a table")?;
    }
    // SAFETY: a live object or null.
    unsafe { check_value(store, &value, ty.element, || "element of the table".to_string()) }
}
