//! Stores: who keeps what, and until when.
//!
//! A store lives as long as C has a handle to it or to anything in it. It retains what its engine can hand back at any
//! time (instances, their exports, functions that WebAssembly has seen), so that identity and host info persist; the
//! rest goes with its last handle.

use super::engine::Engine;
use super::error::{Error, ErrorKind, Result};
use super::func::Func;
use super::object::{Body, Handle, Object, Retained};
use super::trap::Trap;
use super::types::FuncType;
use crate::backend::{self, Entity, FuncKey};
use rustc_hash::FxHashMap;
use std::cell::{Cell, RefCell};
use std::mem::{ManuallyDrop, MaybeUninit};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

pub struct Store {
    /// Taken down first, by [`Store::close`].
    backend: ManuallyDrop<Box<dyn backend::Store>>,
    engine: Arc<Engine>,
    /// C handles to the store itself, plus the objects that have any. Counted from any thread, see [`Handle`].
    handles: AtomicUsize,
    retained: RefCell<Vec<Retained>>,
    functions: RefCell<Functions>,
    instances: RefCell<Vec<NonNull<Object>>>,
    /// See [`Store::release_later`].
    released: RefCell<Vec<Retained>>,
    any_released: Cell<bool>,
    pending_trap: Cell<Option<Handle>>,
}

/// The most elements a table may have, on every backend: the limit that browsers agreed on. Engines would try to find the
/// memory for four billion.
const MAX_TABLE_ELEMENTS: usize = 10_000_000;

/// The objects of functions that an engine knows, all retained by the store, by what the engine calls them. Most programs
/// never look one up, so they are only entered when that happens.
#[derive(Default)]
struct Functions {
    entered: FxHashMap<FuncKey, NonNull<Object>>,
    waiting: Vec<NonNull<Object>>,
}

impl Store {
    pub fn create(engine: Arc<Engine>) -> Result<StoreHandle> {
        let place = Box::leak(Box::new(MaybeUninit::<Store>::uninit()));
        let address = NonNull::from(&mut *place).cast::<Store>();
        // SAFETY: the store stays at `address`; it is freed in `close` after its backend, or right here on failure.
        let backend = match unsafe { engine.inner.new_store(address) } {
            Ok(backend) => ManuallyDrop::new(backend),
            Err(error) => {
                // SAFETY: leaked above, and the backend, which alone knew the address, is gone.
                drop(unsafe { Box::from_raw(place) });
                return Err(error);
            }
        };
        place.write(Store {
            backend,
            engine,
            handles: AtomicUsize::new(1),
            retained: RefCell::default(),
            functions: RefCell::default(),
            instances: RefCell::default(),
            released: RefCell::default(),
            any_released: Cell::new(false),
            pending_trap: Cell::new(None),
        });
        Ok(StoreHandle(address))
    }

    #[inline(always)]
    pub fn backend(&self) -> &dyn backend::Store {
        &**self.backend
    }

    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    #[inline]
    pub fn is(&self, other: &Store) -> bool {
        std::ptr::eq(self, other)
    }

    pub(super) fn add_handle(&self) {
        self.handles.fetch_add(1, Ordering::Relaxed);
    }

    /// # Safety
    /// Pairs with an [`Store::add_handle`]; `this` is not used afterwards on its behalf.
    pub(super) unsafe fn remove_handle(this: NonNull<Store>) {
        // SAFETY: the handle kept the store until now.
        if unsafe { this.as_ref() }.handles.fetch_sub(1, Ordering::AcqRel) == 1 {
            // SAFETY: no handle is left.
            unsafe { Store::close(this) };
        }
    }

    /// Takes the store down: the engine's part first, then what was retained for it, whose finalizers run.
    ///
    /// # Safety
    /// There are no handles, neither to the store nor to anything in it.
    unsafe fn close(this: NonNull<Store>) {
        // Finalizers run below; should one get hold of a handle for a moment, this must not start all over.
        // SAFETY: the store lives until the end of this function.
        unsafe { this.as_ref() }.handles.store(1, Ordering::Relaxed);
        // SAFETY: nothing else refers to the backend any more: it is dropped here and only here.
        unsafe { ManuallyDrop::drop(&mut (*this.as_ptr()).backend) };
        // SAFETY: as above.
        let store = unsafe { this.as_ref() };
        loop {
            let mut rest = store.retained.take();
            rest.append(&mut store.released.take());
            if rest.is_empty() {
                break;
            }
        }
        // SAFETY: made by `Box::leak` in `create`; all objects are gone, so nothing points here any more.
        drop(unsafe { Box::from_raw(this.as_ptr()) });
    }

    /// Keeps an object until the store ends.
    pub fn retain(&self, object: Retained) {
        self.retained.borrow_mut().push(object);
    }

    /// Lets go of an object at the next [`Store::settle`]: the engine is at work, and a finalizer may call anything.
    pub fn release_later(&self, object: Retained) {
        self.released.borrow_mut().push(object);
        self.any_released.set(true);
    }

    /// To be called after operations in which the engine may have dropped references.
    #[inline(always)]
    pub fn settle(&self) {
        if self.any_released.get() {
            self.any_released.set(false);
            drop(self.released.take());
        }
    }

    /// Enters a function that the engine may hand back later. The store retains it.
    pub fn enter_function(&self, function: Retained) {
        self.functions.borrow_mut().waiting.push(function.as_ptr());
        self.retain(function);
    }

    /// Finds the object of a function that the engine handed out, or makes one, and lets `take` have it.
    fn with_function<R>(&self, entity: &Entity, make: impl FnOnce() -> Func, take: impl FnOnce(&Object) -> R) -> R {
        let mut functions = self.functions.borrow_mut();
        let functions = &mut *functions;
        let backend = self.backend();
        for object in functions.waiting.drain(..) {
            // SAFETY: retained by the store.
            if let Some(known) = unsafe { object.as_ref() }.as_func().and_then(|func| func.entity.get()) {
                // SAFETY: an entity of this store.
                functions.entered.insert(unsafe { backend.func_key(known) }, object);
            }
        }
        // SAFETY: an entity of this store.
        let key = unsafe { backend.func_key(entity) };
        let object = *functions.entered.entry(key).or_insert_with(|| {
            let object = Object::create(self, Body::Func(make()));
            let address = object.as_ptr();
            self.retain(object);
            address
        });
        // SAFETY: retained by the store.
        take(unsafe { object.as_ref() })
    }

    /// The object of an exported function, without entering anything if nothing was ever looked up.
    pub fn exported_function(&self, entity: Entity, make: impl FnOnce() -> Func) -> Retained {
        if !self.functions.borrow().entered.is_empty() {
            return self.with_function(&entity, make, Retained::new);
        }
        let object = Object::create(self, Body::Func(make()));
        self.functions.borrow_mut().waiting.push(object.as_ptr());
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
        self.with_function(&entity, || Func::in_engine(ty(), entity, None), Handle::new)
    }

    pub fn add_instance(&self, instance: Retained) {
        self.instances.borrow_mut().push(instance.as_ptr());
        self.retain(instance);
    }

    /// Runs `visit` over the store's instances until it says that is enough.
    pub(super) fn visit_instances(&self, mut visit: impl FnMut(&Object) -> bool) {
        for instance in self.instances.borrow().iter() {
            // SAFETY: retained by the store.
            if !visit(unsafe { instance.as_ref() }) {
                break;
            }
        }
    }

    /// Whether a table may have so many elements, when it is made and when it grows.
    pub fn admits_table(&self, elements: usize) -> bool {
        elements <= MAX_TABLE_ELEMENTS
    }

    pub fn set_pending_trap(&self, trap: Handle) {
        self.pending_trap.set(Some(trap));
    }

    pub fn take_pending_trap(&self) -> Option<Handle> {
        self.pending_trap.take()
    }

    /// A trap for something that went wrong outside WebAssembly; also the thread's last error.
    #[cold]
    pub fn error_trap(&self, error: Error) -> Handle {
        super::error::record(&error);
        Object::create(self, Body::Trap(Trap::new(error.message.clone().into_bytes()))).into_handle()
    }

    /// Fails unless `object` belongs to this store.
    #[inline]
    pub fn check_own(&self, object: &Object, role: &str) -> Result<()> {
        if self.is(object.store()) { Ok(()) } else { Err(foreign(object, role)) }
    }
}

#[cold]
fn foreign(object: &Object, role: &str) -> Error {
    Error::new(
        ErrorKind::Misuse,
        format!("{role} is a {} of another store; objects cannot cross stores", object.body.name()),
    )
}

/// A counted reference to a store: C's `wasm_store_t*`, and what keeps a store for things that are no objects.
pub struct StoreHandle(NonNull<Store>);

impl StoreHandle {
    pub fn new(store: &Store) -> StoreHandle {
        store.add_handle();
        StoreHandle(NonNull::from(store))
    }

    pub fn into_raw(self) -> *mut Store {
        ManuallyDrop::new(self).0.as_ptr()
    }

    /// # Safety
    /// `store` came from [`StoreHandle::into_raw`], and its owner gives that one up.
    pub unsafe fn from_raw(store: &Store) -> StoreHandle {
        StoreHandle(NonNull::from(store))
    }
}

impl std::ops::Deref for StoreHandle {
    type Target = Store;
    fn deref(&self) -> &Store {
        // SAFETY: a handle keeps its store.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for StoreHandle {
    fn drop(&mut self) {
        // SAFETY: this handle was counted.
        unsafe { Store::remove_handle(self.0) };
    }
}
