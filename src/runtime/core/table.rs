//! Tables.

use super::engine_traits::Entity;
use super::func::{check_type, check_value};
use super::object::{Body, Handle, Object, Typed};
use super::store::Store;
use super::value::Val;
use crate::runtime::base::error::{Error, Result};
use crate::runtime::base::limits::Resource;
use crate::runtime::base::options::Proposal;
use crate::runtime::base::types::{ExternType, TableType};

pub struct Table {
    pub entity: Entity,
    /// As declared. The engine knows the current size.
    pub ty: TableType,
}

impl Table {
    pub fn create(store: &Store, ty: &TableType, init: Option<&Object>) -> Result<Handle> {
        check_type(store, ty.element)?;
        if ty.is_64_bit {
            store.engine().check_has(Proposal::Memory64, &ExternType::Table(ty.clone()))?;
        }
        check_element(store, ty, init)?;
        store.limits().check(Resource::Tables, 1)?;
        // SAFETY: `check_element` has checked that the element fits and belongs to this store.
        let entity = store.within_limits(|| unsafe { store.backend().new_table(ty, init) })?;
        store.limits().add(Resource::Tables, 1);
        Ok(Object::create(store, Body::Table(Table { entity, ty: ty.clone() })))
    }
}

impl Typed<'_, &Table> {
    /// Returns the element at `index`, or `None` if it is null.
    #[inline(always)]
    pub fn get(self, index: u64) -> Result<Option<Handle>> {
        // SAFETY: the entity belongs to the object's store.
        let element = unsafe { self.store().backend().table_get(&self.entity, &self.ty, index) };
        element.unwrap_or_else(|| Err(self.beyond(index)))
    }

    #[inline(always)]
    pub fn set(self, index: u64, value: Option<&Object>) -> Result<()> {
        let store = self.store();
        check_element(store, &self.ty, value)?;
        // SAFETY: the entity belongs to the object's store, and `check_element` has checked the element.
        let set = unsafe { store.backend().table_set(&self.entity, &self.ty, index, value) };
        set.map_err(|error| self.refused(index, error))?;
        store.settle();
        Ok(())
    }

    /// Returns the number of elements.
    pub fn size(self) -> u64 {
        // SAFETY: the entity belongs to the object's store.
        unsafe { self.store().backend().table_size(&self.entity) }
    }

    /// Returns the former size.
    pub fn grow(self, delta: u64, init: Option<&Object>) -> Result<u64> {
        let store = self.store();
        check_element(store, &self.ty, init)?;
        let former = self.size();
        // SAFETY: the entity belongs to the object's store, and `check_element` has checked the element.
        store.within_limits(|| unsafe { store.backend().table_grow(&self.entity, &self.ty, delta, init) })?;
        Ok(former)
    }

    /// Returns the reason why an element could not be set.
    #[cold]
    fn refused(self, index: u64, error: Error) -> Error {
        if index < self.size() { error } else { self.beyond(index) }
    }

    #[cold]
    fn beyond(self, index: u64) -> Error {
        Error::misuse(format!("index {index} is beyond the table's {} elements", self.size()))
    }
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
    // SAFETY: the reference is null or the address of `object`, which is alive.
    unsafe { check_value(store, &value, ty.element, || "element of the table".to_string()) }
}
