//! Globals.

use super::engine_traits::Entity;
use super::func::{check_carried, check_value};
use super::object::{Body, Handle, Object, Typed};
use super::store::Store;
use super::value::Val;
use crate::runtime::base::error::{Error, Result};
use crate::runtime::base::types::GlobalType;
use std::mem::MaybeUninit;

pub struct Global {
    pub entity: Entity,
    pub ty: GlobalType,
}

impl Global {
    /// # Safety
    /// If the value is of a reference kind, it holds null or a live handle.
    pub unsafe fn create(store: &Store, ty: &GlobalType, value: &Val) -> Result<Handle> {
        check_carried(ty.content, "a global")?;
        // SAFETY: the contract says that a reference is null or a live handle.
        unsafe { check_value(store, value, ty.content, || "initial value of the global".to_string())? };
        // SAFETY: `check_value` has checked that the value fits and belongs to this store.
        let entity = unsafe { store.backend().new_global(ty, value)? };
        Ok(Object::create(store, Body::Global(Global { entity, ty: ty.clone() })))
    }
}

impl Typed<'_, &Global> {
    /// Writes the value to `out`, but only on success.
    #[inline(always)]
    pub fn get(self, out: &mut MaybeUninit<Val>) -> Result<()> {
        // SAFETY: the entity belongs to the object's store.
        unsafe { self.store().backend().global_get(&self.entity, &self.ty, out) }
    }

    /// # Safety
    /// As for [`Global::create`].
    #[inline(always)]
    pub unsafe fn set(self, value: &Val) -> Result<()> {
        let kind = self.ty.content.kind;
        if self.ty.mutable && kind.is_number() && value.kind == kind as u8 {
            // SAFETY: the entity belongs to the object's store, and the value is a number of the global's type.
            return unsafe { self.store().backend().global_set(&self.entity, &self.ty, value) };
        }
        // SAFETY: the contract says that a reference is null or a live handle.
        unsafe { self.set_any(value) }
    }

    /// # Safety
    /// As for [`Global::create`].
    #[inline(never)]
    unsafe fn set_any(self, value: &Val) -> Result<()> {
        if !self.ty.mutable {
            return Err(Error::misuse("the global is constant; nothing was written"));
        }
        check_carried(self.ty.content, "a global")?;
        // SAFETY: the contract says that a reference is null or a live handle.
        unsafe { check_value(self.store(), value, self.ty.content, || "new value of the global".to_string())? };
        // SAFETY: the entity belongs to the object's store, and `check_value` has checked the value.
        unsafe { self.store().backend().global_set(&self.entity, &self.ty, value) }?;
        self.store().settle();
        Ok(())
    }
}
