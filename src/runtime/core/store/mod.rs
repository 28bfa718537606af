//! Stores: what they keep, and until when.
//!
//! A store lives as long as C has a handle to it or to anything in it. It retains everything that its engine can
//! return at any time (instances, their exports, functions that WebAssembly has seen), so that identity and host info
//! persist. Other objects end with their last handle.

mod fuel;
mod index;
mod lifetime;
mod traps;

use self::index::Index;
use self::lifetime::Lifetime;
pub use self::lifetime::{Running, StoreHandle};
use super::batch;
use super::caller::Calling;
use super::engine::Engine;
use super::engine_traits::{self, Entity};
use super::entry::{RawEntry, enter_raw_any};
use super::gc;
use super::instance::Birth;
use super::interruption::{Supervised, Supervisor};
use super::object::{Handle, Object, Retained};
use crate::runtime::base::error::{Error, ErrorKind, Result};
use crate::runtime::base::float_mode;
use crate::runtime::base::host_data::HostData;
use crate::runtime::base::limits::StoreLimits;
use crate::runtime::base::trap_code::TrapCode;
use std::cell::{Cell, RefCell, UnsafeCell};
use std::ffi::c_void;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::ptr::NonNull;
use std::sync::Arc;

/// In an `UnsafeCell` for the same reason as an [`Object`]'s data.
pub struct Store(UnsafeCell<StoreData>);

pub struct StoreData {
    /// Dropped first, by [`Store::close`].
    backend: ManuallyDrop<Box<dyn engine_traits::Store>>,
    engine: Arc<Engine>,
    lifetime: Lifetime,
    retained: RefCell<Vec<Retained>>,
    index: Index,
    pub(super) known_gc: gc::Known,
    pending_trap: Cell<Option<Handle>>,
    /// Who is about to call a host function that knows its caller.
    calling: Cell<Option<NonNull<Calling>>>,
    /// The innermost instantiation that is under way.
    pub(super) births: Cell<Option<NonNull<Birth<'static>>>>,
    data: Cell<HostData>,
    limits: StoreLimits,
    /// Only for stores whose engine has interruption.
    supervisor: Option<Box<Supervisor>>,
    /// How C calls functions with raw values.
    pub(super) raw_entry: RawEntry,
    fuel: fuel::Account,
    pub(super) call_loops: batch::StoreLoops,
    /// A number that changes whenever a memory may have grown.
    pub(super) memory_growths: Cell<usize>,
    /// The host's floating-point mode while a guest runs in another mode; otherwise the default mode.
    pub(super) host_float_mode: Cell<float_mode::Mode>,
}

impl std::ops::Deref for Store {
    type Target = StoreData;
    #[inline(always)]
    fn deref(&self) -> &StoreData {
        // SAFETY: a `&Store` is only made for a store that is allocated, and its data is only written when it is
        // closed.
        unsafe { &*self.0.get() }
    }
}

impl Store {
    pub fn create(engine: Arc<Engine>) -> Result<StoreHandle> {
        let supervisor = engine.options.interruption.then(|| Box::new(Supervisor::new(&engine)));
        let address = lifetime::room();
        // SAFETY: the store stays at `address`: it is freed in `close`, after its backend, or below if this fails.
        let backend = match unsafe { engine.inner.new_store(address) } {
            Ok(backend) => ManuallyDrop::new(backend),
            Err(error) => {
                // SAFETY: it came from a box above, and the backend is gone, which alone knew the address.
                drop(unsafe { Box::from_raw(address.as_ptr().cast::<MaybeUninit<Store>>()) });
                return Err(error);
            }
        };
        let raw_entry = if supervisor.is_some() { enter_raw_any } else { backend.raw_entry() };
        let data = StoreData {
            backend,
            engine,
            lifetime: Lifetime::default(),
            retained: RefCell::default(),
            index: Index::default(),
            known_gc: gc::Known::default(),
            pending_trap: Cell::new(None),
            calling: Cell::new(None),
            births: Cell::new(None),
            data: Cell::new(HostData::NONE),
            limits: StoreLimits::default(),
            supervisor,
            raw_entry,
            fuel: fuel::Account::default(),
            call_loops: batch::StoreLoops::default(),
            memory_growths: Cell::new(0),
            host_float_mode: Cell::default(),
        };
        // SAFETY: `address` is memory for a store, which the backend has not read.
        unsafe { address.write(Store(UnsafeCell::new(data))) };
        #[cfg(test)]
        crate::runtime::base::counting::add(&crate::runtime::base::counting::STORES);
        // SAFETY: `Lifetime::default` counts one handle, which is this one.
        Ok(unsafe { StoreHandle::first(address) })
    }

    #[inline(always)]
    pub fn backend(&self) -> &dyn engine_traits::Store {
        &**self.backend
    }

    /// Returns the backend's store as its own type.
    ///
    /// # Safety
    /// The backend's store is an `S`.
    #[inline(always)]
    pub unsafe fn backend_as<S: engine_traits::Store>(&self) -> &S {
        debug_assert_eq!(self.backend().type_name(), std::any::type_name::<S>());
        // SAFETY: the contract says that the backend's store is an `S`.
        unsafe { &*(&raw const **self.backend).cast::<S>() }
    }

    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Returns the engine, to make a module for this store with it.
    pub fn engine_for_module(&self) -> Arc<Engine> {
        self.backend().begin_module();
        self.engine.clone()
    }

    #[inline]
    pub fn is(&self, other: &Store) -> bool {
        std::ptr::eq(self, other)
    }

    /// Keeps an object alive until the store ends.
    pub fn retain(&self, object: Retained) {
        self.retained.borrow_mut().push(object);
    }

    /// Makes a call of a host function that knows its caller, and says who calls, if that is known.
    #[inline(always)]
    pub fn called_by<R>(&self, calling: Option<&Calling>, call: impl FnOnce() -> R) -> R {
        struct Told<'a>(&'a Store);
        impl Drop for Told<'_> {
            #[inline(always)]
            fn drop(&mut self) {
                // The call may have failed before it came to the function.
                self.0.calling.set(None);
            }
        }
        self.calling.set(calling.map(NonNull::from));
        let _told = Told(self);
        call()
    }

    #[inline(always)]
    pub(super) fn take_calling(&self) -> Option<NonNull<Calling>> {
        self.calling.take()
    }

    /// Must be called by an engine that does not tell callers when an instance is complete, but before its start function runs,
    /// if the module has imports.
    pub fn before_start(&self, instance: Entity) -> Result<()> {
        Birth::before_start(self, instance)
    }

    /// Whether an instantiation is under way.
    #[inline(always)]
    pub fn is_instantiating(&self) -> bool {
        self.births.get().is_some()
    }

    /// Must be called by an engine that tells callers, while an instantiation is under way, when an instance calls any host
    /// function.
    #[cold]
    pub fn while_instantiating(&self, key: usize, instance: Entity) -> Result<()> {
        Birth::while_starting(self, key, instance)
    }

    /// Replaces the host's data, and runs the finalizer of the former data.
    pub fn set_data(&self, data: HostData) {
        drop(self.data.replace(data));
    }

    pub fn data(&self) -> *mut c_void {
        // SAFETY: nothing refers to the data while it is read.
        unsafe { (*self.data.as_ptr()).pointer }
    }

    /// Collects what guests no longer refer to, and runs the finalizers of what is freed.
    pub fn collect_garbage(&self) -> Result<()> {
        self.run(|store| store.backend().collect_garbage())
    }

    pub fn limits(&self) -> &StoreLimits {
        &self.limits
    }

    /// Runs an operation that needs memory or table elements. If the store's limits forbid it, returns the error that
    /// says so.
    pub fn within_limits<R>(&self, body: impl FnOnce() -> Result<R>) -> Result<R> {
        self.limits.watch();
        let before = self.limits.snapshot();
        body().map_err(|error| {
            // Not every engine reports that it could not allocate what was granted to it.
            self.limits.restore(before);
            self.limits.denied().map_or(error, |(_, refusal)| refusal)
        })
    }

    /// Returns what may stop guests of this store, if its engine has interruption.
    #[inline(always)]
    pub fn supervisor(&self) -> Option<&Supervisor> {
        self.supervisor.as_deref()
    }

    /// Begins a call, which ends when the answer is dropped. Fails if it would have to stop at once.
    #[inline]
    pub fn begin_call(&self) -> Result<Option<Supervised<'_>>, TrapCode> {
        self.supervisor().map(|supervisor| supervisor.begin_call(&self.host_float_mode)).transpose()
    }

    /// Returns why WebAssembly in this store has to stop now, if it does.
    pub fn must_stop(&self) -> Option<TrapCode> {
        self.supervisor()?.check(&self.host_float_mode)
    }

    /// Makes the addresses of memories that were looked up invalid. Must be called before any memory grows.
    pub fn memory_will_grow(&self) {
        self.memory_growths.set(self.memory_growths.get().wrapping_add(1));
    }

    /// Checks that `object` belongs to this store.
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
