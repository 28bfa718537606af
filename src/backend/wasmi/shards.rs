//! Lets threads call guests at the same time without waiting for each other.
//!
//! One engine of wasmi cannot: each call takes a lock of the engine twice, for the stack that it borrows, and counts its
//! references. So an engine of ours is several of wasmi, its shards. A store belongs to one of them from the moment
//! when something is first made in it. The shard is the one that the calling thread uses already, or one in which there
//! is no store, or a new one: so there is never more than one while only one thread uses the engine. When there are
//! as many as allowed, threads share them. A module is translated in each shard in which it is instantiated.

use super::memories::Spare;
use crate::backend::common::processors;
use std::cell::Cell;
use std::mem::MaybeUninit;
use std::ops::Deref;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Values of which each shard has its own.
pub struct PerShard<T: Send + Sync> {
    /// The shard that had one first, in place because there are seldom others.
    first: (usize, T),
    others: Slot<Box<[Slot<T>]>>,
}

impl<T: Send + Sync> PerShard<T> {
    pub fn new(shard: usize, value: T) -> PerShard<T> {
        PerShard { first: (shard, value), others: Slot::default() }
    }

    pub fn get(&self, shard: usize) -> Option<&T> {
        match &self.first {
            (first, value) if *first == shard => Some(value),
            _ => self.others.get()?.get(shard)?.get(),
        }
    }

    /// Returns a shard's value, which `make` makes the first time. `most` says how many shards there may be.
    pub fn get_or_make(&self, shard: usize, most: impl FnOnce() -> usize, make: impl FnOnce() -> T) -> &T {
        match &self.first {
            (first, value) if *first == shard => value,
            _ => {
                let others = || (0..most()).map(|_| Slot::default()).collect();
                self.others.get_or_make(others)[shard].get_or_make(make)
            }
        }
    }
}

/// A value that is made once. Like a `OnceLock`, except that ThreadSanitizer sees all of it: it cannot look into the standard
/// library.
struct Slot<T: Send + Sync> {
    value: AtomicPtr<T>,
    /// Held while it is made.
    making: Mutex<()>,
}

impl<T: Send + Sync> Default for Slot<T> {
    fn default() -> Slot<T> {
        Slot { value: AtomicPtr::new(null_mut()), making: Mutex::default() }
    }
}

impl<T: Send + Sync> Slot<T> {
    #[inline]
    fn get(&self) -> Option<&T> {
        // SAFETY: null, or a box that is complete when its address is seen and stays until the slot is dropped.
        unsafe { self.value.load(Ordering::Acquire).as_ref() }
    }

    #[inline]
    fn get_or_make(&self, make: impl FnOnce() -> T) -> &T {
        self.get().unwrap_or_else(|| self.make(make))
    }

    #[cold]
    fn make(&self, make: impl FnOnce() -> T) -> &T {
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        self.get().unwrap_or_else(|| {
            let value = Box::into_raw(Box::new(make()));
            self.value.store(value, Ordering::Release);
            // SAFETY: the box was made just now, and stays until the slot is dropped: it is stored only once, because
            // this is done under the lock.
            unsafe { &*value }
        })
    }
}

impl<T: Send + Sync> Drop for Slot<T> {
    fn drop(&mut self) {
        let value = *self.value.get_mut();
        if !value.is_null() {
            // SAFETY: it came from a box in `make`, and nothing refers to the slot any more.
            drop(unsafe { Box::from_raw(value) });
        }
    }
}

#[repr(C)]
pub struct Shard {
    pub index: usize,
    pub engine: wasmi::Engine,
    /// The number of stores, and in the upper half the thread that the shard was made or free for. Only decides where
    /// stores go, so nothing depends on the order of accesses.
    users: AtomicU64,
    /// Address space for memories of its stores.
    pub spare: Spare,
    /// Keeps what is allocated next, which other threads may use, out of the cache lines that this thread writes to. An
    /// alignment would do so as well, but takes `malloc` a thousand instructions.
    _apart: MaybeUninit<[u8; 128]>,
}

impl Shard {
    fn new(index: usize, engine: wasmi::Engine) -> Arc<Shard> {
        Arc::new(Shard {
            index,
            engine,
            users: AtomicU64::new(0),
            spare: Spare::default(),
            _apart: MaybeUninit::uninit(),
        })
    }

    fn is_of(users: u64, thread: u32) -> bool {
        users >> 32 == u64::from(thread)
    }

    fn with_thread(users: u64, thread: u32) -> u64 {
        u64::from(thread) << 32 | users & u64::from(u32::MAX)
    }

    fn is_free(users: u64) -> bool {
        users as u32 == 0
    }

    /// Counts one more store if the shard is the thread's or, where that is wanted, free.
    fn take(&self, thread: u32, or_free: bool) -> bool {
        let taken = |users| {
            let may = Shard::is_of(users, thread) || or_free && Shard::is_free(users);
            may.then(|| Shard::with_thread(users, thread) + 1)
        };
        self.users.try_update(Ordering::Relaxed, Ordering::Relaxed, taken).is_ok()
    }
}

/// A shard in which there is a store, until this is dropped.
pub struct Lease(Arc<Shard>);

impl Lease {
    /// Makes the shard the calling thread's, whose store this is now.
    pub fn claim(&self) {
        let (thread, _) = this_thread();
        let claimed = |users| (!Shard::is_of(users, thread)).then_some(Shard::with_thread(users, thread));
        let _ = self.users.try_update(Ordering::Relaxed, Ordering::Relaxed, claimed);
        LAST_SHARD.set(self.index);
    }
}

impl Deref for Lease {
    type Target = Shard;
    fn deref(&self) -> &Shard {
        &self.0
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.users.fetch_sub(1, Ordering::Relaxed);
    }
}

pub struct Shards {
    /// `None` for as many as there are processors.
    most: Option<usize>,
    shards: PerShard<Arc<Shard>>,
}

impl Shards {
    /// Begins with one shard.
    pub fn new(config: &wasmi::Config, most: Option<usize>) -> Shards {
        Shards { most, shards: PerShard::new(0, Shard::new(0, wasmi::Engine::new(config))) }
    }

    /// Returns how many shards there may be.
    pub fn most(&self) -> usize {
        self.most.unwrap_or_else(processors)
    }

    /// The engine whose configuration all have.
    pub fn first(&self) -> &wasmi::Engine {
        &self.shards.first.1.engine
    }

    fn made(&self) -> impl Iterator<Item = &Arc<Shard>> {
        (0..).map_while(|index| self.shards.get(index))
    }

    fn get_or_make(&self, index: usize) -> &Arc<Shard> {
        let make = || Shard::new(index, wasmi::Engine::new(self.first().config()));
        self.shards.get_or_make(index, || self.most(), make)
    }

    /// Chooses the shard of a store in which the calling thread begins to make something.
    pub fn lease(&self) -> Lease {
        let (thread, last) = this_thread();
        // The thread's own is usually the one that it had last.
        let mut own = self.shards.get(last).into_iter().chain(self.made());
        let own = own.find(|shard| shard.take(thread, false));
        // Those that are made come first: to ask how many there may be, the system has to read files.
        let free = || self.made().find(|shard| shard.take(thread, true));
        let new = || (0..self.most()).map(|index| self.get_or_make(index)).find(|shard| shard.take(thread, true));
        let shard = own.or_else(free).or_else(new).unwrap_or_else(|| {
            let shared = self.get_or_make(thread as usize % self.most());
            shared.users.fetch_add(1, Ordering::Relaxed);
            shared
        });
        LAST_SHARD.set(shard.index);
        Lease(shard.clone())
    }

    /// Returns a shard to translate a module in, of those that there are: the calling thread's, or one in which there is
    /// no store, or the first.
    pub fn nearest(&self) -> &Shard {
        let (thread, _) = this_thread();
        let users = |shard: &&Arc<Shard>| shard.users.load(Ordering::Relaxed);
        let own = self.made().find(|shard| Shard::is_of(users(shard), thread));
        let free = || self.made().find(|shard| Shard::is_free(users(shard)));
        own.or_else(free).unwrap_or(&self.shards.first.1)
    }
}

thread_local! {
    static THREAD: Cell<u32> = const { Cell::new(0) };
    /// The shard that the thread's latest store got, in whichever engine.
    static LAST_SHARD: Cell<usize> = const { Cell::new(0) };
}

/// Returns a number that no other thread has, and where to look for the thread's shard first.
fn this_thread() -> (u32, usize) {
    static THREADS: AtomicU32 = AtomicU32::new(0);
    if THREAD.get() == 0 {
        // After four thousand million threads numbers are given a second time: two threads may then share a shard.
        THREAD.set(THREADS.fetch_add(1, Ordering::Relaxed).wrapping_add(1).max(1));
    }
    (THREAD.get(), LAST_SHARD.get())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;
    use std::thread::scope;

    fn shards(most: usize) -> Shards {
        Shards::new(&wasmi::Config::default(), Some(most))
    }

    #[test]
    fn one_thread_has_one_shard() {
        let shards = shards(8);
        let leases: Vec<_> = (0..100).map(|_| shards.lease()).collect();
        drop(leases);
        assert_eq!((shards.lease().index, shards.nearest().index), (0, 0));
        assert_eq!(shards.made().count(), 1);
        assert!(shards.shards.others.get().is_none());
    }

    #[test]
    fn threads_one_after_the_other_have_one_shard() {
        let shards = shards(8);
        for _ in 0..4 {
            scope(|scope| _ = scope.spawn(|| assert_eq!((shards.nearest().index, shards.lease().index), (0, 0))));
        }
        assert_eq!(shards.made().count(), 1);
    }

    #[test]
    fn threads_at_the_same_time_have_their_own_up_to_the_limit() {
        for (most, threads) in [(1, 4), (3, 3), (3, 12), (16, 5)] {
            let (shards, all_have) = (shards(most), Barrier::new(threads));
            let mut indices: Vec<usize> = scope(|scope| {
                let run = || {
                    let lease = shards.lease();
                    all_have.wait();
                    let second = shards.lease();
                    assert!(threads > most || second.index == lease.index && shards.nearest().index == lease.index);
                    all_have.wait();
                    lease.index
                };
                let threads: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
                threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
            });
            indices.sort_unstable();
            indices.dedup();
            assert_eq!(indices.len(), most.min(threads), "every shard is used");
            assert_eq!(shards.made().count(), most.min(threads));
            assert!(shards.made().all(|shard| Shard::is_free(shard.users.load(Ordering::Relaxed))));
        }
    }

    #[test]
    fn a_module_goes_where_its_store_is() {
        let shards = shards(3);
        let here = shards.lease();
        scope(|scope| {
            scope.spawn(|| {
                // Without a store, a thread makes no shard.
                assert_eq!(shards.nearest().index, 0);
                assert_eq!(shards.made().count(), 1);
                let lease = shards.lease();
                assert_eq!((lease.index, shards.nearest().index), (1, 1));
                // A store of another thread.
                here.claim();
                drop(lease);
                assert_eq!(shards.nearest().index, 0);
            });
        });
        assert_eq!(shards.nearest().index, 1);
        here.claim();
        assert_eq!(shards.nearest().index, 0);
    }

    #[test]
    fn shards_do_not_wait_for_each_other() {
        let values = PerShard::new(0, 0);
        let made = values.get_or_make(2, || 3, || *values.get_or_make(1, || 3, || 1) + 1);
        assert_eq!((*made, values.get(1)), (2, Some(&1)));
    }

    #[test]
    fn each_shard_has_its_own_value() {
        let values = PerShard::new(2, "first");
        assert_eq!(values.get(0), None);
        assert_eq!(*values.get_or_make(2, || unreachable!(), || unreachable!()), "first");
        assert_eq!(*values.get_or_make(0, || 4, || "other"), "other");
        assert_eq!(*values.get_or_make(0, || unreachable!(), || unreachable!()), "other");
        assert_eq!((values.get(0), values.get(1), values.get(7)), (Some(&"other"), None, None));
    }
}
