//! Globals.

use super::engine_traits::Entity;
use super::func::{check_carried, check_type, check_value};
use super::object::{Body, Handle, Object, Typed};
use super::store::Store;
use super::value::{Raw, Val};
use crate::runtime::base::error::{Error, ErrorKind, Result};
use crate::runtime::base::options::Proposal;
use crate::runtime::base::types::{ExternType, GlobalType, ValKind};
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
        check_type(store, ty.content)?;
        // SAFETY: the contract says that a reference is null or a live handle.
        unsafe { check_value(store, value, ty.content, || "initial value of the global".to_string())? };
        // SAFETY: `check_value` has checked that the value fits and belongs to this store.
        let entity = unsafe { store.backend().new_global(ty, value)? };
        Ok(Object::create(store, Body::Global(Global { entity, ty: ty.clone() })))
    }

    /// Makes a global of a number or a vector.
    ///
    /// # Safety
    /// The value is of the type.
    pub unsafe fn create_raw(store: &Store, ty: &GlobalType, value: &Raw) -> Result<Handle> {
        check_not_reference(ty)?;
        // SAFETY: the value is of the type.
        unsafe {
            if ty.content.kind != ValKind::V128 {
                return Global::create(store, ty, &value.to_val(ty.content.kind));
            }
            store.engine().check_has(Proposal::Simd, &ExternType::Global(ty.clone()))?;
            let entity = store.backend().new_vector_global(ty.mutable, value.v128)?;
            Ok(Object::create(store, Body::Global(Global { entity, ty: ty.clone() })))
        }
    }
}

/// Fails if a global's values have no raw form.
fn check_not_reference(ty: &GlobalType) -> Result<()> {
    if !ty.content.kind.is_reference() {
        return Ok(());
    }
    let message = format!("the global's type is {}: references have no raw form, only numbers and vectors", ty.content);
    Err(Error::new(ErrorKind::Unsupported, message))
}

impl Typed<'_, &Global> {
    pub fn get_raw(self) -> Result<Raw> {
        check_not_reference(&self.ty)?;
        let kind = self.ty.content.kind;
        // SAFETY: the entity belongs to the object's store, and its value is of the global's type.
        unsafe {
            if kind == ValKind::V128 {
                return self.store().backend().vector_global_get(&self.entity).map(|v128| Raw { v128 });
            }
            let mut value = MaybeUninit::uninit();
            self.get(&mut value)?;
            Ok(Raw::of_bits(kind, value.assume_init().bits(false)))
        }
    }

    /// # Safety
    /// The value is of the global's type.
    pub unsafe fn set_raw(self, value: &Raw) -> Result<()> {
        check_not_reference(&self.ty)?;
        let kind = self.ty.content.kind;
        // SAFETY: the entity belongs to the object's store, and the value is of the global's type.
        unsafe {
            if kind != ValKind::V128 || !self.ty.mutable {
                return self.set(&value.to_val(kind));
            }
            self.store().backend().vector_global_set(&self.entity, value.v128)
        }
    }

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
