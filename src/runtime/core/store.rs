//! Stores: who keeps what, and until when.
//!
//! A store lives as long as C has a handle to it or to anything in it. It retains what its engine can hand back at any
//! time (instances, their exports, functions that WebAssembly has seen), so that identity and host info persist; the
//! rest goes with its last handle.

use super::engine::Engine;
use super::engine_traits::{self, Entity, FuncKey};
use super::func::Func;
use super::interruption::Supervisor;
use super::object::{Body, Handle, Object, Retained};
use super::trap::{Cause, Trap};
use crate::runtime::base::error::{Advice, Error, ErrorKind, Result};
use crate::runtime::base::float_mode;
use crate::runtime::base::limits::Limits;
use crate::runtime::base::quarantine::{self, Quarantine};
use crate::runtime::base::types::FuncType;
use rustc_hash::FxHashMap;
use std::cell::{Cell, RefCell, RefMut, UnsafeCell};
use std::mem::{ManuallyDrop, MaybeUninit};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// All in an UnsafeCell, as an [`Object`] is and for the same reason.
pub struct Store(UnsafeCell<StoreData>);

pub struct StoreData {
    /// Taken down first, by [`Store::close`].
    backend: ManuallyDrop<Box<dyn engine_traits::Store>>,
    engine: Arc<Engine>,
    /// C handles to the store itself, plus the objects that have any. Counted from any thread, see [`Handle`].
    handles: AtomicUsize,
    retained: RefCell<Vec<Retained>>,
    index: RefCell<Index>,
    /// See [`Store::release_later`].
    released: RefCell<Vec<Retained>>,
    /// Calls and instantiations under way, one inside the other. Written by the store's thread alone.
    running: AtomicU32,
    /// What was deleted meanwhile, see [`Store::run`].
    deferred: Mutex<Deferred>,
    /// Whether anything was released or deferred, or C gave up a handle during a call: its end has to see to that.
    untidy: AtomicBool,
    closed: AtomicBool,
    /// Whether C has not deleted the store itself yet.
    in_c: AtomicBool,
    pending_trap: Cell<Option<Handle>>,
    limits: Limits,
    /// Of stores whose engine has interruption.
    supervisor: Option<Box<Supervisor>>,
    /// The fuel that was consumed until it was set last, and what it was set to.
    fuel_before: Cell<u64>,
    fuel_set: Cell<u64>,
    /// How often memories may have grown.
    pub(super) memory_growths: Cell<usize>,
    /// The host's floating-point mode while a guest runs in another; the default one otherwise.
    pub(super) host_float_mode: Cell<float_mode::Mode>,
}

/// What goes when the outermost call is over.
#[derive(Default)]
struct Deferred {
    objects: Vec<NonNull<Object>>,
    /// Whether the last of the store's handles was given up. It still counts.
    last_handle: bool,
}

/// What the store retains, by what the engine calls it. Most programs never look anything up, so it is only entered when that
/// happens.
#[derive(Default)]
struct Index {
    /// How many of the retained objects are entered.
    entered: usize,
    functions: FxHashMap<FuncKey, NonNull<Object>>,
    /// By the identity of their module.
    instances: FxHashMap<usize, Vec<NonNull<Object>>>,
}

impl std::ops::Deref for Store {
    type Target = StoreData;
    #[inline(always)]
    fn deref(&self) -> &StoreData {
        // SAFETY: the store is there, and what is in it is only written to when it is closed.
        unsafe { &*self.0.get() }
    }
}

impl Store {
    pub fn create(engine: Arc<Engine>) -> Result<StoreHandle> {
        let supervisor = engine.options.interruption.then(|| Box::new(Supervisor::new(&engine)));
        let place = NonNull::from(Box::leak(Box::new(MaybeUninit::<Store>::uninit())));
        let address = place.cast::<Store>();
        // SAFETY: the store stays at `address`; it is freed in `close` after its backend, or right here on failure.
        let backend = match unsafe { engine.inner.new_store(address) } {
            Ok(backend) => ManuallyDrop::new(backend),
            Err(error) => {
                // SAFETY: leaked above, and the backend, which alone knew the address, is gone.
                drop(unsafe { Box::from_raw(place.as_ptr()) });
                return Err(error);
            }
        };
        let data = StoreData {
            backend,
            engine,
            handles: AtomicUsize::new(1),
            retained: RefCell::default(),
            index: RefCell::default(),
            released: RefCell::default(),
            running: AtomicU32::new(0),
            deferred: Mutex::default(),
            untidy: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            in_c: AtomicBool::new(false),
            pending_trap: Cell::new(None),
            limits: Limits::default(),
            supervisor,
            fuel_before: Cell::new(0),
            fuel_set: Cell::new(0),
            memory_growths: Cell::new(0),
            host_float_mode: Cell::default(),
        };
        // SAFETY: memory for a store, that the backend has not looked at.
        unsafe { address.write(Store(UnsafeCell::new(data))) };
        #[cfg(test)]
        crate::runtime::base::counting::add(&crate::runtime::base::counting::STORES);
        Ok(StoreHandle(address))
    }

    #[inline(always)]
    pub fn backend(&self) -> &dyn engine_traits::Store {
        &**self.backend
    }

    /// The backend's store as what it is.
    ///
    /// # Safety
    /// It is an `S`.
    #[inline(always)]
    pub unsafe fn backend_as<S: engine_traits::Store>(&self) -> &S {
        debug_assert_eq!(self.backend().type_name(), std::any::type_name::<S>());
        // SAFETY: the backend's store is an `S`.
        unsafe { &*(&raw const **self.backend).cast::<S>() }
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
        // SAFETY: the handle keeps the store until it is subtracted.
        let store = unsafe { this.as_ref() };
        // The last one is not subtracted while a call is running, whichever thread comes with it: the call has to find back.
        let more = |handles| (handles > 1).then(|| handles - 1);
        if store.handles.try_update(Ordering::AcqRel, Ordering::Acquire, more).is_err()
            && !(store.is_running() && store.defer(|deferred| deferred.last_handle = true))
        {
            // SAFETY: the last handle was the caller's, and no call is running.
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
        // SAFETY: as above.
        unsafe { this.as_ref() }.closed.store(true, Ordering::Relaxed);
        // SAFETY: nothing else refers to the backend any more: it is taken out and dropped here and only here. It is not dropped in
        // its place, because what it releases looks at the store around it.
        drop(unsafe { std::ptr::read(&raw const *this.as_ref().backend) });
        // SAFETY: as above.
        let store = unsafe { this.as_ref() };
        loop {
            let (retained, released) = (store.retained.take(), store.released.take());
            let deferred = std::mem::take(&mut *store.lock_deferred());
            if retained.is_empty() && released.is_empty() && deferred.objects.is_empty() {
                break;
            }
            // Before the others, which may keep some of them.
            // SAFETY: objects of this store that wait to be freed.
            unsafe { free_unused(deferred.objects) };
            drop((retained, released));
        }
        #[cfg(test)]
        crate::runtime::base::counting::remove(&crate::runtime::base::counting::STORES);
        // SAFETY: made by `create`; all objects are gone, so nobody but a second delete comes here any more.
        unsafe { quarantine(this) };
    }

    /// Runs `body`, which calls out to WebAssembly or the host. What the engine let go of meanwhile goes when it is over, and what
    /// C deleted, be it what is running or the store, when the outermost call is.
    #[inline(always)]
    pub fn run<R>(&self, body: impl FnOnce(&Store) -> R) -> R {
        let _running = self.start();
        body(self)
    }

    /// As [`Store::run`], until the answer is dropped.
    #[inline(always)]
    pub(super) fn start(&self) -> Running {
        self.running.store(self.running.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        Running(NonNull::from(self))
    }

    /// If the answer is no, then what the calls did happened before.
    #[inline]
    pub(super) fn is_running(&self) -> bool {
        self.running.load(Ordering::Acquire) != 0
    }

    /// Whether a call is running inside another.
    pub fn is_nested(&self) -> bool {
        self.running.load(Ordering::Relaxed) > 1
    }

    /// To be called before C gives up a handle: if a call is running, it may be the one that the call was made with, and then the
    /// call's end has to be settled with other threads that give up theirs.
    #[inline]
    pub(super) fn before_release(&self) {
        if self.is_running() {
            self.untidy.store(true, Ordering::Release);
        }
    }

    /// Notes what has to wait until the outermost call is over; `false` if none is running after all.
    #[cold]
    fn defer(&self, note: impl FnOnce(&mut Deferred)) -> bool {
        let mut deferred = self.lock_deferred();
        self.untidy.store(true, Ordering::Release);
        let running = self.is_running();
        if running {
            note(&mut deferred);
        }
        running
    }

    fn lock_deferred(&self) -> MutexGuard<'_, Deferred> {
        self.deferred.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes an object that nobody refers to any more, to be freed later; `false` if it can be freed now.
    pub(super) fn free_later(&self, object: NonNull<Object>) -> bool {
        self.is_running() && self.defer(|deferred| deferred.objects.push(object))
    }

    /// Ends a call after which there is something to tidy up: lets go of what the engine did, and if it was the outermost call,
    /// frees what was deleted during calls, and the store itself if that was. Until all that is done the call counts as
    /// running, so that no other thread takes the store away. Does not unwind.
    ///
    /// # Safety
    /// `this` is not used afterwards on behalf of the call.
    #[cold]
    unsafe fn end_untidy_call(this: NonNull<Store>) {
        loop {
            // SAFETY: while a call is running, the last handle is subtracted nowhere but below.
            let store = unsafe { this.as_ref() };
            // What goes is in part the engine's to free, and finalizers run.
            undisturbed(|| drop(store.released.take()));
            let outer = store.running.load(Ordering::Relaxed) - 1;
            if outer != 0 {
                return store.running.store(outer, Ordering::Relaxed);
            }
            let Deferred { objects, last_handle } = {
                let mut deferred = store.lock_deferred();
                if deferred.objects.is_empty() && !deferred.last_handle && store.released.borrow().is_empty() {
                    store.untidy.store(false, Ordering::Relaxed);
                    store.running.store(0, Ordering::Release);
                    return;
                }
                std::mem::take(&mut *deferred)
            };
            // SAFETY: objects of this store that wait to be freed.
            undisturbed(|| unsafe { free_unused(objects) });
            if last_handle && store.handles.fetch_sub(1, Ordering::AcqRel) == 1 {
                store.running.store(0, Ordering::Release);
                // SAFETY: no handle is left.
                return undisturbed(|| unsafe { Store::close(this) });
            }
        }
    }

    /// Gives up C's handle to the store itself. A second time nothing happens.
    ///
    /// # Safety
    /// The store came from [`StoreHandle::into_raw`], and if it is closed, then not long ago.
    pub unsafe fn release_handle(&self) {
        if self.in_c.swap(false, Ordering::Relaxed) {
            self.before_release();
            drop(StoreHandle(NonNull::from(self)));
        } else {
            crate::runtime::base::log::warn("a store was deleted that had been deleted before");
            crate::runtime::base::error::record(&Error::misuse("the store was deleted before"));
        }
    }

    /// Whether the store is gone, and only its memory is left for programs that delete twice.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Keeps an object until the store ends.
    pub fn retain(&self, object: Retained) {
        self.retained.borrow_mut().push(object);
    }

    /// Lets go of an object at the end of the call or at the next [`Store::settle`]: the engine is at work, and a finalizer may
    /// call anything.
    pub fn release_later(&self, object: Retained) {
        self.released.borrow_mut().push(object);
        self.untidy.store(true, Ordering::Relaxed);
    }

    /// To be called after operations in which the engine may have dropped references.
    #[inline(always)]
    pub fn settle(&self) {
        if self.untidy.load(Ordering::Relaxed) {
            // As in a call: should a finalizer delete the store, the others still find it.
            self.run(|_| ());
        }
    }

    /// The index, with all that is retained.
    fn index(&self) -> RefMut<'_, Index> {
        let mut index = self.index.borrow_mut();
        if index.entered != self.retained.borrow().len() {
            self.enter_retained(&mut index);
        }
        index
    }

    #[cold]
    fn enter_retained(&self, index: &mut Index) {
        let retained = self.retained.borrow();
        for object in &retained[index.entered..] {
            if let Some(known) = object.as_func().and_then(|func| func.entity.get()) {
                // SAFETY: an entity of this store.
                index.functions.insert(unsafe { self.backend().func_key(known) }, object.as_ptr());
            } else if let Some(instance) = object.as_instance() {
                index.instances.entry(instance.module.inner.identity()).or_default().push(object.as_ptr());
            }
        }
        index.entered = retained.len();
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

    /// The object of an exported function, without entering anything if nothing was ever looked up.
    pub fn exported_function(&self, entity: Entity, make: impl FnOnce() -> Func) -> Retained {
        if self.index.borrow().entered != 0 {
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
        self.with_function(&entity, || Func::in_engine(ty(), entity, None), Handle::new)
    }

    /// The only instance of a module in this store; `None` if there are several, or none.
    pub(super) fn only_instance(&self, module: usize) -> Option<NonNull<Object>> {
        match self.index().instances.get(&module)?[..] {
            [only] => Some(only),
            _ => None,
        }
    }

    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What may stop guests of this store, if its engine has interruption.
    #[inline(always)]
    pub fn supervisor(&self) -> Option<&Supervisor> {
        self.supervisor.as_deref()
    }

    /// How much fuel is left.
    pub fn fuel(&self) -> Result<u64> {
        self.check_has_fuel()?;
        Ok(self.backend().fuel())
    }

    pub fn set_fuel(&self, fuel: u64) -> Result<()> {
        let consumed = self.fuel_consumed()?;
        self.backend().set_fuel(fuel);
        self.fuel_before.set(consumed);
        self.fuel_set.set(fuel);
        Ok(())
    }

    /// How much fuel was used up since the store was made.
    pub fn fuel_consumed(&self) -> Result<u64> {
        let since = self.fuel_set.get().saturating_sub(self.fuel()?);
        Ok(self.fuel_before.get().saturating_add(since))
    }

    fn check_has_fuel(&self) -> Result<()> {
        if self.engine.options.fuel {
            return Ok(());
        }
        let message = "the store's engine was configured without fuel";
        Err(Error::misuse(message).with_advice(Advice::ConfigureFuel))
    }

    /// To be called before a memory grows, by whomever: what is known of memories' bytes holds no longer.
    pub fn memory_grows(&self) {
        self.memory_growths.set(self.memory_growths.get().wrapping_add(1));
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
        crate::runtime::base::error::record(&error);
        let cause = if error.kind == ErrorKind::Trap { Cause::Other } else { Cause::Error(error.kind) };
        Trap::new(cause, error.message.clone().into_bytes()).into_handle(self)
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

/// A call or an instantiation under way.
pub(super) struct Running(NonNull<Store>);

impl Drop for Running {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: the store is not closed while a call is running.
        let store = unsafe { self.0.as_ref() };
        if store.untidy.load(Ordering::Acquire) {
            // SAFETY: the call is over.
            return unsafe { Store::end_untidy_call(self.0) };
        }
        // A call in which C gave up no handle ends here, without a lock: its own handle is still there, so what another thread
        // notes at this moment is never the last handle, and objects may wait for the next call. From here on, if this was the
        // outermost, another thread may take the store away.
        store.running.store(store.running.load(Ordering::Relaxed) - 1, Ordering::Release);
    }
}

/// Runs `body` to the end of a call, which has to come also if something panics there.
fn undisturbed(body: impl FnOnce()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(body)) {
        crate::runtime::base::error::record_panic(panic);
    }
}

/// Frees those of the objects that nobody has referred to again.
///
/// # Safety
/// They are objects that were to be freed, of a store that is there, and no call of it looks at them.
unsafe fn free_unused(mut objects: Vec<NonNull<Object>>) {
    // One that was used again in between waits twice.
    objects.sort_unstable();
    objects.dedup();
    for object in objects {
        // SAFETY: an object waiting to be freed is there until it is.
        if unsafe { object.as_ref() }.is_unused() {
            // SAFETY: both counts are zero.
            unsafe { Object::free_now(object) };
        }
    }
}

/// Keeps the memory of a closed store until others have been closed after it.
///
/// # Safety
/// The store came from [`Store::create`], its backend is gone, and nobody comes here any more but a second delete.
unsafe fn quarantine(store: NonNull<Store>) {
    const ROOM: usize = 16;
    static SHARED: Mutex<Quarantine<Store>> = Quarantine::shared(ROOM);
    thread_local! {
        static OWN: RefCell<Quarantine<Store>> = const { Quarantine::of_thread(ROOM, &SHARED) };
    }
    // What a closed store still owns goes now; its flags stay.
    // SAFETY: the store is dropped here once.
    unsafe {
        let data = (*store.as_ptr()).0.get();
        std::ptr::drop_in_place(data);
        (&raw mut (*data).closed).write(AtomicBool::new(true));
        (&raw mut (*data).in_c).write(AtomicBool::new(false));
    }
    // SAFETY: made by `create`, and nothing is left in it.
    unsafe { quarantine::keep(store, &OWN, &SHARED) };
}

/// A counted reference to a store: C's `wasm_store_t*`, and what keeps a store for things that are no objects.
pub struct StoreHandle(NonNull<Store>);

impl StoreHandle {
    pub fn new(store: &Store) -> StoreHandle {
        store.add_handle();
        StoreHandle(NonNull::from(store))
    }

    /// Gives the store to C, which may delete it once.
    pub fn into_raw(self) -> *mut Store {
        self.in_c.store(true, Ordering::Relaxed);
        ManuallyDrop::new(self).0.as_ptr()
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
