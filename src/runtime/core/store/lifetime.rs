//! The lifetime of a store: it ends when C has no handle to it or to anything in it, but not before the end of a
//! running call.

use super::Store;
use crate::runtime::base::error::{self, Error};
use crate::runtime::base::host_data::HostData;
use crate::runtime::base::log;
use crate::runtime::base::quarantine::{self, Quarantine};
use crate::runtime::core::object::{Object, Retained};
use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What keeps a store alive, and what waits for the end of the running call.
pub(super) struct Lifetime {
    /// C handles to the store itself, plus the objects that have any. Counted from any thread, see
    /// [`Handle`](crate::runtime::core::object::Handle).
    handles: AtomicUsize,
    /// Objects to release later, see [`Store::release_later`].
    released: RefCell<Vec<Retained>>,
    /// The number of calls and instantiations that are running, which are nested. Written only by the store's thread.
    running: AtomicU32,
    /// What was deleted during calls, see [`Store::run`].
    deferred: Mutex<Deferred>,
    /// Set when the end of the running call has work to do: something was released or deferred, or C deleted a handle.
    untidy: AtomicBool,
    closed: AtomicBool,
    /// Whether C has the store's own handle, and has not deleted it yet.
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

/// What is to be freed when the outermost call ends.
#[derive(Default)]
struct Deferred {
    objects: Vec<NonNull<Object>>,
    /// Whether the last of the store's handles was given up. It is still counted.
    last_handle: bool,
}

impl Store {
    /// Whether the store is closed, and only its memory is left, for programs that delete it twice.
    pub fn is_closed(&self) -> bool {
        self.lifetime.closed.load(Ordering::Relaxed)
    }

    pub(in crate::runtime::core) fn add_handles(&self, count: usize) {
        self.lifetime.handles.fetch_add(count, Ordering::Relaxed);
    }

    /// # Safety
    /// The handles, at least one, were counted by [`Store::add_handles`] or are the store's first, and `this` is not used
    /// on their behalf afterwards.
    pub(in crate::runtime::core) unsafe fn remove_handles(this: NonNull<Store>, count: usize) {
        // SAFETY: a handle keeps the store alive until it is subtracted.
        let store = unsafe { this.as_ref() };
        if count > 1 {
            store.lifetime.handles.fetch_sub(count - 1, Ordering::AcqRel);
        }
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

    /// Closes the store: drops the engine's part first, then what was retained for it. Their finalizers run.
    ///
    /// # Safety
    /// There are no handles, neither to the store nor to anything in it.
    unsafe fn close(this: NonNull<Store>) {
        // Finalizers run below. The count is set to one, so that a finalizer that makes a handle and deletes it does
        // not close the store again.
        // SAFETY: the store's memory is kept until the end of this function.
        unsafe { this.as_ref() }.lifetime.handles.store(1, Ordering::Relaxed);
        // SAFETY: the store's memory is kept until the end of this function.
        unsafe { this.as_ref() }.lifetime.closed.store(true, Ordering::Relaxed);
        // SAFETY: this takes the backend out of its `ManuallyDrop`, here and only here, and nothing uses it
        // afterwards. It is not dropped in place, because what it releases reads the store around it.
        drop(unsafe { std::ptr::read(&raw const *this.as_ref().backend) });
        // SAFETY: the store's memory is kept until the end of this function.
        let store = unsafe { this.as_ref() };
        loop {
            let retained = store.retained.take();
            // Nothing else waits in a store that is tidy.
            let (released, deferred) = match store.lifetime.untidy.load(Ordering::Acquire) {
                true => (store.lifetime.released.take(), std::mem::take(&mut *store.lock_deferred())),
                false => Default::default(),
            };
            if retained.is_empty() && released.is_empty() && deferred.objects.is_empty() {
                break;
            }
            // Before the others, which may retain some of these.
            // SAFETY: these are objects of this store that wait to be freed, and no call is running.
            unsafe { free_unused(deferred.objects) };
            retained.into_iter().chain(released).for_each(Retained::end);
        }
        // Last: the finalizers of what was in the store may use it.
        store.set_data(HostData::NONE);
        #[cfg(test)]
        crate::runtime::base::counting::remove(&crate::runtime::base::counting::STORES);
        // SAFETY: `Store::create` made it, and the backend and all objects are gone, so at most a second delete still
        // uses the address.
        unsafe { quarantine(this) };
    }

    /// Runs `body`, which calls WebAssembly or the host. At the end, releases what the engine has dropped in the
    /// meantime. What C deletes during a call, which may be the running function or the store itself, is freed at the
    /// end of the outermost call.
    #[inline(always)]
    pub fn run<R>(&self, body: impl FnOnce(&Store) -> R) -> R {
        let _running = self.start();
        body(self)
    }

    /// Begins what [`Store::run`] does; it ends when the answer is dropped.
    #[inline(always)]
    pub(in crate::runtime::core) fn start(&self) -> Running {
        self.lifetime.running.store(self.lifetime.running.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        Running(NonNull::from(self))
    }

    /// Whether a call is running. If not, the caller also sees everything that earlier calls have done.
    #[inline]
    pub(in crate::runtime::core) fn is_running(&self) -> bool {
        self.lifetime.running.load(Ordering::Acquire) != 0
    }

    /// Whether a call is running inside another.
    pub fn is_nested(&self) -> bool {
        self.lifetime.running.load(Ordering::Relaxed) > 1
    }

    /// Must be called before C gives up a handle. It may be the handle with which the running call was made. Then the
    /// end of the call has to take the lock, because other threads may give up the remaining handles.
    #[inline]
    pub(in crate::runtime::core) fn before_release(&self) {
        if self.is_running() {
            self.lifetime.untidy.store(true, Ordering::Release);
        }
    }

    /// Notes something that has to wait until the outermost call ends. Returns false if no call is running after all.
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

    /// Notes an unused object, to be freed later. Returns false if it can be freed now.
    pub(in crate::runtime::core) fn free_later(&self, object: NonNull<Object>) -> bool {
        self.is_running() && self.defer(|deferred| deferred.objects.push(object))
    }

    /// Ends a call that has work to do at its end: releases what the engine has dropped. If it is the outermost call,
    /// also frees what was deleted during calls, and the store itself if that was deleted. Until then the call counts
    /// as running, so that no other thread frees the store. Does not unwind.
    ///
    /// # Safety
    /// `this` is not used afterwards on behalf of the call.
    #[cold]
    unsafe fn end_untidy_call(this: NonNull<Store>) {
        loop {
            // SAFETY: while a call is running, the last handle is subtracted only in this function, below.
            let store = unsafe { this.as_ref() };
            // This frees memory of the engine, and runs finalizers.
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
            // SAFETY: these are objects of this store that waited for the end of the outermost call, which is now.
            undisturbed(|| unsafe { free_unused(objects) });
            if last_handle && store.lifetime.handles.fetch_sub(1, Ordering::AcqRel) == 1 {
                store.lifetime.running.store(0, Ordering::Release);
                // SAFETY: the last handle was subtracted just now, and the call counts as over.
                return undisturbed(|| unsafe { Store::close(this) });
            }
        }
    }

    /// Gives up C's handle to the store itself. The second time does nothing but record an error.
    ///
    /// # Safety
    /// The store came from [`StoreHandle::into_raw`]. If it is closed, then so recently that its memory is still in
    /// quarantine.
    pub unsafe fn release_handle(&self) {
        if self.lifetime.in_c.swap(false, Ordering::Relaxed) {
            self.before_release();
            drop(StoreHandle(NonNull::from(self)));
        } else {
            log::warn("a store was deleted a second time; nothing was done");
            error::record(&Error::misuse("the store was deleted before"));
        }
    }

    /// Releases an object at the end of the call or at the next [`Store::settle`], because the engine is in the
    /// middle of an operation and a finalizer may call anything.
    pub fn release_later(&self, object: Retained) {
        self.lifetime.released.borrow_mut().push(object);
        self.lifetime.untidy.store(true, Ordering::Relaxed);
    }

    /// Must be called after operations in which the engine may have dropped references.
    #[inline(always)]
    pub fn settle(&self) {
        if self.lifetime.untidy.load(Ordering::Relaxed) {
            // This counts as a call, so that the store still exists for the other finalizers if one of them deletes
            // it.
            self.run(|_| ());
        }
    }
}

/// A call or an instantiation that is running.
pub struct Running(NonNull<Store>);

impl Drop for Running {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: the store is not closed while a call is running.
        let store = unsafe { self.0.as_ref() };
        if store.lifetime.untidy.load(Ordering::Acquire) {
            // SAFETY: the call is over, so nothing uses the store on its behalf afterwards.
            return unsafe { Store::end_untidy_call(self.0) };
        }
        // A call in which C gave up no handle ends here, without the lock. Its own handle still exists, so what
        // another thread notes at this moment is never the last handle, and objects may wait for the next call. If
        // this was the outermost call, another thread may close the store from here on.
        store.lifetime.running.store(store.lifetime.running.load(Ordering::Relaxed) - 1, Ordering::Release);
    }
}

/// Runs a part of the end of a call. A panic in it is only recorded, because the call has to end.
fn undisturbed(body: impl FnOnce()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(body)) {
        error::record_panic(panic);
    }
}

/// Frees those of the objects that are still unused.
///
/// # Safety
/// They are objects of one store that wait to be freed, the store is not freed yet, and none of its calls uses them.
unsafe fn free_unused(mut objects: Vec<NonNull<Object>>) {
    // An object that was used again and became unused again is in the list twice.
    objects.sort_unstable();
    objects.dedup();
    for object in objects {
        // SAFETY: an object that waits to be freed stays allocated until it is.
        if unsafe { object.as_ref() }.is_unused() {
            // SAFETY: both counts are zero, and the contract says that no call uses the object.
            unsafe { Object::free_now(object) };
        }
    }
}

const QUARANTINED: usize = 16;
static SHARED: Mutex<Quarantine<Store>> = Quarantine::shared(QUARANTINED);
thread_local! {
    static OWN: RefCell<Quarantine<Store>> = const { Quarantine::of_thread(QUARANTINED, &SHARED) };
}

/// Returns memory for a store.
pub(super) fn room() -> NonNull<Store> {
    NonNull::from(Box::leak(quarantine::room(&OWN))).cast()
}

/// Keeps the memory of a closed store until some others have been closed after it.
///
/// # Safety
/// The store came from [`Store::create`], its backend is gone, and at most a second delete still uses the address.
unsafe fn quarantine(store: NonNull<Store>) {
    // Drops what a closed store still owns, and keeps the two flags that a second delete reads.
    // SAFETY: nothing else refers to the store's data, and it is dropped only here. The flags are plain bytes, which
    // may be written to memory whose contents were dropped.
    unsafe {
        let data = (*store.as_ptr()).0.get();
        std::ptr::drop_in_place(data);
        (&raw mut (*data).lifetime.closed).write(AtomicBool::new(true));
        (&raw mut (*data).lifetime.in_c).write(AtomicBool::new(false));
    }
    // SAFETY: `Store::create` made it, and its contents are dropped.
    unsafe { quarantine::keep(store, &OWN, &SHARED) };
}

/// A counted reference to a store: C's `wasm_store_t*`, and what keeps the store alive for things that are not
/// objects.
pub struct StoreHandle(NonNull<Store>);

impl StoreHandle {
    /// # Safety
    /// The store's count of handles includes this one.
    pub(super) unsafe fn first(store: NonNull<Store>) -> StoreHandle {
        StoreHandle(store)
    }

    pub fn new(store: &Store) -> StoreHandle {
        store.add_handles(1);
        StoreHandle(NonNull::from(store))
    }

    /// Passes the store to C, which may delete it once.
    pub fn into_raw(self) -> *mut Store {
        self.lifetime.in_c.store(true, Ordering::Relaxed);
        ManuallyDrop::new(self).0.as_ptr()
    }
}

impl std::ops::Deref for StoreHandle {
    type Target = Store;
    fn deref(&self) -> &Store {
        // SAFETY: a handle keeps its store alive.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for StoreHandle {
    fn drop(&mut self) {
        // SAFETY: this handle is counted, and not used afterwards.
        unsafe { Store::remove_handles(self.0, 1) };
    }
}
