//! Finds the objects of functions that the engine returns, and of the instances in a trap's frames.

use super::Store;
use crate::runtime::base::types::FuncType;
use crate::runtime::core::engine_traits::{Entity, FuncKey};
use crate::runtime::core::func::Func;
use crate::runtime::core::object::{Body, Handle, Object, Retained};
use rustc_hash::{FxHashMap, FxHashSet};
use std::cell::{OnceCell, RefCell, RefMut};
use std::ptr::NonNull;

/// An index of retained objects by the engine's keys. Most programs never need it, so it is made, and objects are indexed,
/// only when something is first looked up.
#[derive(Default)]
pub(super) struct Index(OnceCell<Box<RefCell<Objects>>>);

#[derive(Default)]
struct Objects {
    /// The number of retained objects that are indexed.
    indexed: usize,
    functions: FxHashMap<FuncKey, NonNull<Object>>,
    tags: FxHashMap<u64, NonNull<Object>>,
    /// The instances, by the engine's keys.
    callers: FxHashMap<usize, NonNull<Object>>,
    /// The instances of each module, by the module's identity.
    instances: FxHashMap<usize, Vec<NonNull<Object>>>,
    /// Instances without an object, whose instantiation failed: by their keys, or by their modules where those are not known.
    failed: FxHashSet<Failed>,
}

#[derive(PartialEq, Eq, Hash)]
enum Failed {
    Key(usize),
    OfModule(usize),
}

impl Store {
    /// Returns the index, with every retained object in it.
    #[inline(always)]
    fn index(&self) -> RefMut<'_, Objects> {
        let index = self.index.0.get().unwrap_or_else(|| self.index.0.get_or_init(Box::default));
        let mut index = index.borrow_mut();
        if index.indexed != self.retained.borrow().len() {
            self.index_retained(&mut index);
        }
        index
    }

    #[cold]
    fn index_retained(&self, index: &mut Objects) {
        let retained = self.retained.borrow();
        for object in &retained[index.indexed..] {
            let func = object.as_func();
            if let Some(known) = func.and_then(|func| func.entity.get()) {
                let original = func.and_then(Func::link).map_or(object.as_ptr(), |link| NonNull::from(link.original()));
                // SAFETY: `known` is the entity of a function of this store, made by its backend.
                index.functions.insert(unsafe { self.backend().func_key(known) }, original);
            } else if let Some(tag) = object.as_tag() {
                // SAFETY: the tag is of this store.
                index.tags.insert(unsafe { self.backend().tag_key(&tag.entity) }, object.as_ptr());
            } else if let Some(instance) = object.as_instance() {
                index.callers.insert(instance.key(self), object.as_ptr());
                index.instances.entry(instance.module.inner.identity()).or_default().push(object.as_ptr());
            }
        }
        index.indexed = retained.len();
    }

    /// Finds the object of a function that the engine returned, or makes one, and passes it to `take`.
    ///
    /// # Safety
    /// `entity` is a function of this store.
    #[inline]
    unsafe fn with_function<R>(
        &self,
        entity: &Entity,
        make: impl FnOnce() -> Func,
        take: impl FnOnce(&Object) -> R,
    ) -> R {
        // SAFETY: the contract says that `entity` is a function of this store.
        let key = unsafe { self.backend().func_key(entity) };
        let known = self.index().functions.get(&key).copied();
        let object = known.unwrap_or_else(|| {
            let object = Object::create_retained(self, Body::Func(make()));
            let address = object.as_ptr();
            self.retain(object);
            address
        });
        // SAFETY: the store retains the object, because it is in the index or was added just now.
        take(unsafe { object.as_ref() })
    }

    /// Returns the object of an exported function. Indexes nothing if nothing was ever looked up.
    ///
    /// # Safety
    /// `entity` is a function of this store.
    pub unsafe fn exported_function(&self, entity: Entity, make: impl FnOnce() -> Func) -> Retained {
        if self.index.0.get().is_some() {
            // SAFETY: the contract says that `entity` is a function of this store.
            return unsafe { self.with_function(&entity, make, Retained::new) };
        }
        let object = Object::create_retained(self, Body::Func(make()));
        self.retain(object.clone());
        object
    }

    /// Returns a handle for a function that came out of WebAssembly as a reference.
    ///
    /// # Safety
    /// `entity` is a function of this store.
    pub unsafe fn function_reference(&self, entity: Entity) -> Handle {
        // SAFETY: the contract says that `entity` is a function of this store.
        let ty = || -> FuncType { unsafe { self.backend().func_type(&entity) } };
        // SAFETY: the contract says that `entity` is a function of this store.
        unsafe { self.with_function(&entity, || Func::of_engine(ty(), entity, None), Handle::new) }
    }

    /// Returns a tag by the engine's key.
    pub(in crate::runtime::core) fn tag_of_key(&self, key: u64) -> Option<NonNull<Object>> {
        self.index().tags.get(&key).copied()
    }

    pub(in crate::runtime::core) fn note_failed(&self, key: Option<usize>, module: usize) {
        self.index
            .0
            .get_or_init(Box::default)
            .borrow_mut()
            .failed
            .insert(key.map_or(Failed::OfModule(module), Failed::Key));
    }

    /// Whether an instance of a module is, or may be, one whose instantiation failed.
    pub(in crate::runtime::core) fn may_have_failed(&self, key: usize, module: usize) -> bool {
        self.index.0.get().is_some_and(|index| {
            let failed = &index.borrow().failed;
            failed.contains(&Failed::Key(key)) || failed.contains(&Failed::OfModule(module))
        })
    }

    /// Returns the instance of an engine that tells callers, by its key; `None` if it is not complete.
    pub(in crate::runtime::core) fn instance_of_key(&self, key: usize) -> Option<NonNull<Object>> {
        self.index().callers.get(&key).copied()
    }

    /// Returns the only instance of a module in this store; `None` if there are several or none.
    pub(in crate::runtime::core) fn only_instance(&self, module: usize) -> Option<NonNull<Object>> {
        match self.index().instances.get(&module)?[..] {
            [only] => Some(only),
            _ => None,
        }
    }
}
