//! How long a store lives: as long as C has handles to it or to anything in it, and not shorter than the call that is running.

use super::Store;
use crate::runtime::base::error::{self, Error};
use crate::runtime::base::log;
use crate::runtime::base::quarantine::{self, Quarantine};
use crate::runtime::core::object::{Object, Retained};
use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Who keeps a store, and what waits for the end of the call that is running.
pub(super) struct Lifetime {
    /// C handles to the store itself, plus the objects that have any. Counted from any thread, see
    /// [`Handle`](crate::runtime::core::object::Handle).
    handles: AtomicUsize,
    /// See [`Store::release_later`].
    released: RefCell<Vec<Retained>>,
    /// The number of calls and instantiations that are running inside each other. Written by the store's thread alone.
    running: AtomicU32,
    /// What was deleted meanwhile, see [`Store::run`].
    deferred: Mutex<Deferred>,
    /// Set when the end of the running call has work to do: something was released or deferred, or C deleted a handle.
    untidy: AtomicBool,
    closed: AtomicBool,
    /// Whether C has not deleted the store itself yet.
    in_c: AtomicBool,
}

impl Default for Lifetime {
    fn default() -> Lifetime {
        Lifetime {
            handles: AtomicUsize::new(1),
            released: RefCell::default(),
            running: AtomicU32::new(0),
            deferred: Mutex::default(),
            untidy: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            in_c: AtomicBool::new(false),
        }
    }
}

/// What is freed when the outermost call is over.
#[derive(Default)]
struct Deferred {
    objects: Vec<NonNull<Object>>,
    /// Whether the last of the store's handles was given up. It still counts.
    last_handle: bool,
}

impl Store {
    /// Whether the store is gone, and only its memory is left for programs that delete twice.
    pub fn is_closed(&self) -> bool {
        self.lifetime.closed.load(Ordering::Relaxed)
    }

    pub(in crate::runtime::core) fn add_handle(&self) {
        self.lifetime.handles.fetch_add(1, Ordering::Relaxed);
    }

    /// # Safety
    /// Pairs with an [`Store::add_handle`]; `this` is not used afterwards on its behalf.
    pub(in crate::runtime::core) unsafe fn remove_handle(this: NonNull<Store>) {
        // SAFETY: the handle keeps the store until it is subtracted.
        let store = unsafe { this.as_ref() };
        // While a call is running, the count does not reach zero, whichever thread gives up the last handle: the call still needs
        // the store. `end_untidy_call` subtracts it.
        let more = |handles| (handles > 1).then(|| handles - 1);
        if store.lifetime.handles.try_update(Ordering::AcqRel, Ordering::Acquire, more).is_err()
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
        unsafe { this.as_ref() }.lifetime.handles.store(1, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { this.as_ref() }.lifetime.closed.store(true, Ordering::Relaxed);
        // SAFETY: nothing else refers to the backend any more: it is taken out and dropped here and only here. It is not dropped in
        // its place, because what it releases looks at the store around it.
        drop(unsafe { std::ptr::read(&raw const *this.as_ref().backend) });
        // SAFETY: as above.
        let store = unsafe { this.as_ref() };
        loop {
            let (retained, released) = (store.retained.take(), store.lifetime.released.take());
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

    /// Runs `body`, which calls WebAssembly or the host. At its end, what the engine dropped meanwhile is released. What C deleted,
    /// which may be the function that is running or the store, is freed at the end of the outermost call.
    #[inline(always)]
    pub fn run<R>(&self, body: impl FnOnce(&Store) -> R) -> R {
        let _running = self.start();
        body(self)
    }

    /// As [`Store::run`], until the answer is dropped.
    #[inline(always)]
    pub(in crate::runtime::core) fn start(&self) -> Running {
        self.lifetime.running.store(self.lifetime.running.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        Running(NonNull::from(self))
    }

    /// If this is false, everything that the calls did has happened before.
    #[inline]
    pub(in crate::runtime::core) fn is_running(&self) -> bool {
        self.lifetime.running.load(Ordering::Acquire) != 0
    }

    /// Whether a call is running inside another.
    pub fn is_nested(&self) -> bool {
        self.lifetime.running.load(Ordering::Relaxed) > 1
    }

    /// To be called before C gives up a handle. It may be the handle that the running call was made with. Then the end of the call
    /// must take the lock, because other threads may give up the others.
    #[inline]
    pub(in crate::runtime::core) fn before_release(&self) {
        if self.is_running() {
            self.lifetime.untidy.store(true, Ordering::Release);
        }
    }

    /// Notes what has to wait until the outermost call is over; `false` if none is running after all.
    #[cold]
    fn defer(&self, note: impl FnOnce(&mut Deferred)) -> bool {
        let mut deferred = self.lock_deferred();
        self.lifetime.untidy.store(true, Ordering::Release);
        let running = self.is_running();
        if running {
            note(&mut deferred);
        }
        running
    }

    fn lock_deferred(&self) -> MutexGuard<'_, Deferred> {
        self.lifetime.deferred.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes an object that nobody refers to any more, to be freed later; `false` if it can be freed now.
    pub(in crate::runtime::core) fn free_later(&self, object: NonNull<Object>) -> bool {
        self.is_running() && self.defer(|deferred| deferred.objects.push(object))
    }

    /// Ends a call that has work to do at its end: releases what the engine dropped. If it was the outermost call, frees what was
    /// deleted during calls, and the store itself if it was deleted. Until then the call counts as running, so that no other
    /// thread frees the store. Does not unwind.
    ///
    /// # Safety
    /// `this` is not used afterwards on behalf of the call.
    #[cold]
    unsafe fn end_untidy_call(this: NonNull<Store>) {
        loop {
            // SAFETY: while a call is running, the last handle is subtracted nowhere but below.
            let store = unsafe { this.as_ref() };
            // What goes is in part the engine's to free, and finalizers run.
            undisturbed(|| drop(store.lifetime.released.take()));
            let outer = store.lifetime.running.load(Ordering::Relaxed) - 1;
            if outer != 0 {
                return store.lifetime.running.store(outer, Ordering::Relaxed);
            }
            let Deferred { objects, last_handle } = {
                let mut deferred = store.lock_deferred();
                if deferred.objects.is_empty() && !deferred.last_handle && store.lifetime.released.borrow().is_empty() {
                    store.lifetime.untidy.store(false, Ordering::Relaxed);
                    store.lifetime.running.store(0, Ordering::Release);
                    return;
                }
                std::mem::take(&mut *deferred)
            };
            // SAFETY: objects of this store that wait to be freed.
            undisturbed(|| unsafe { free_unused(objects) });
            if last_handle && store.lifetime.handles.fetch_sub(1, Ordering::AcqRel) == 1 {
                store.lifetime.running.store(0, Ordering::Release);
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
        if self.lifetime.in_c.swap(false, Ordering::Relaxed) {
            self.before_release();
            drop(StoreHandle(NonNull::from(self)));
        } else {
            log::warn("a store was deleted that had been deleted before");
            error::record(&Error::misuse("the store was deleted before"));
        }
    }

    /// Lets go of an object at the end of the call or at the next [`Store::settle`]: the engine is at work, and a finalizer may
    /// call anything.
    pub fn release_later(&self, object: Retained) {
        self.lifetime.released.borrow_mut().push(object);
        self.lifetime.untidy.store(true, Ordering::Relaxed);
    }

    /// To be called after operations in which the engine may have dropped references.
    #[inline(always)]
    pub fn settle(&self) {
        if self.lifetime.untidy.load(Ordering::Relaxed) {
            // As in a call: should a finalizer delete the store, the others still find it.
            self.run(|_| ());
        }
    }
}

/// A call or an instantiation under way.
pub struct Running(NonNull<Store>);

impl Drop for Running {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: the store is not closed while a call is running.
        let store = unsafe { self.0.as_ref() };
        if store.lifetime.untidy.load(Ordering::Acquire) {
            // SAFETY: the call is over.
            return unsafe { Store::end_untidy_call(self.0) };
        }
        // A call in which C gave up no handle ends here, without a lock: its own handle is still there, so what another thread
        // notes at this moment is never the last handle, and objects may wait for the next call. From here on, if this was the
        // outermost, another thread may take the store away.
        store.lifetime.running.store(store.lifetime.running.load(Ordering::Relaxed) - 1, Ordering::Release);
    }
}

/// Runs `body` to the end of a call, which has to come also if something panics there.
fn undisturbed(body: impl FnOnce()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(body)) {
        error::record_panic(panic);
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
        (&raw mut (*data).lifetime.closed).write(AtomicBool::new(true));
        (&raw mut (*data).lifetime.in_c).write(AtomicBool::new(false));
    }
    // SAFETY: made by `create`, and nothing is left in it.
    unsafe { quarantine::keep(store, &OWN, &SHARED) };
}

/// A counted reference to a store: C's `wasm_store_t*`, and what keeps the store of things that are not objects.
pub struct StoreHandle(NonNull<Store>);

impl StoreHandle {
    /// # Safety
    /// The store is counted as having this handle.
    pub(super) unsafe fn first(store: NonNull<Store>) -> StoreHandle {
        StoreHandle(store)
    }

    pub fn new(store: &Store) -> StoreHandle {
        store.add_handle();
        StoreHandle(NonNull::from(store))
    }

    /// Gives the store to C, which may delete it once.
    pub fn into_raw(self) -> *mut Store {
        self.lifetime.in_c.store(true, Ordering::Relaxed);
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
