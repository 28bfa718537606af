//! Finding the objects of functions that the engine hands out, and of the instances in a trap's frames.

use super::Store;
use crate::runtime::base::types::FuncType;
use crate::runtime::core::engine_traits::{Entity, FuncKey};
use crate::runtime::core::func::Func;
use crate::runtime::core::object::{Body, Handle, Object, Retained};
use rustc_hash::FxHashMap;
use std::cell::RefMut;
use std::ptr::NonNull;

/// What the store retains, by the keys of the engine. Most programs never look anything up, so objects are indexed only when that
/// happens.
#[derive(Default)]
pub(super) struct Index {
    /// The number of retained objects that are indexed.
    indexed: usize,
    functions: FxHashMap<FuncKey, NonNull<Object>>,
    /// By the identity of their module.
    instances: FxHashMap<usize, Vec<NonNull<Object>>>,
}

impl Store {
    /// The index, with all that is retained.
    fn index(&self) -> RefMut<'_, Index> {
        let mut index = self.index.borrow_mut();
        if index.indexed != self.retained.borrow().len() {
            self.index_retained(&mut index);
        }
        index
    }

    #[cold]
    fn index_retained(&self, index: &mut Index) {
        let retained = self.retained.borrow();
        for object in &retained[index.indexed..] {
            if let Some(known) = object.as_func().and_then(|func| func.entity.get()) {
                // SAFETY: an entity of this store.
                index.functions.insert(unsafe { self.backend().func_key(known) }, object.as_ptr());
            } else if let Some(instance) = object.as_instance() {
                index.instances.entry(instance.module.inner.identity()).or_default().push(object.as_ptr());
            }
        }
        index.indexed = retained.len();
    }

    /// Finds the object of a function that the engine handed out, or makes one, and lets `take` have it.
    #[inline]
    fn with_function<R>(&self, entity: &Entity, make: impl FnOnce() -> Func, take: impl FnOnce(&Object) -> R) -> R {
        // SAFETY: an entity of this store.
        let key = unsafe { self.backend().func_key(entity) };
        let known = self.index().functions.get(&key).copied();
        let object = known.unwrap_or_else(|| {
            let object = Object::create_retained(self, Body::Func(make()));
            let address = object.as_ptr();
            self.retain(object);
            address
        });
        // SAFETY: retained by the store.
        take(unsafe { object.as_ref() })
    }

    /// The object of an exported function. Indexes nothing if nothing was ever looked up.
    pub fn exported_function(&self, entity: Entity, make: impl FnOnce() -> Func) -> Retained {
        if self.index.borrow().indexed != 0 {
            return self.with_function(&entity, make, Retained::new);
        }
        let object = Object::create_retained(self, Body::Func(make()));
        self.retain(object.clone());
        object
    }

    /// A handle for a function that came out of WebAssembly as a reference.
    ///
    /// # Safety
    /// `entity` is a function of this store.
    pub unsafe fn function_reference(&self, entity: Entity) -> Handle {
        // SAFETY: as promised by the caller.
        let ty = || -> FuncType { unsafe { self.backend().func_type(&entity) } };
        self.with_function(&entity, || Func::of_engine(ty(), entity, None), Handle::new)
    }

    /// The only instance of a module in this store; `None` if there are several, or none.
    pub(in crate::runtime::core) fn only_instance(&self, module: usize) -> Option<NonNull<Object>> {
        match self.index().instances.get(&module)?[..] {
            [only] => Some(only),
            _ => None,
        }
    }
}
