//! Keeps the memory of deleted objects for a while. C programs sometimes delete an object twice: a late second delete
//! then finds a deleted object, rather than memory that something else uses by now. Some of what was deleted still earlier
//! is kept for new objects: `malloc` is quick only with blocks that were freed just before.

use std::cell::RefCell;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::Mutex;
use std::thread::LocalKey;

/// The most recently deleted objects. Each thread has its own quarantine, because threads that create and delete many
/// objects would otherwise wait for each other. When a thread ends, its contents go to one that all threads share.
pub struct Quarantine<T: 'static> {
    kept: Vec<NonNull<T>>,
    /// Where the oldest is once there are `room`.
    oldest: usize,
    room: usize,
    /// Memory of older ones, for new objects.
    spare: Vec<NonNull<T>>,
    shared: Option<&'static Mutex<Quarantine<T>>>,
}

// SAFETY: what is kept is neither read nor written, see `keep`.
unsafe impl<T> Send for Quarantine<T> {}

impl<T> Quarantine<T> {
    pub const fn shared(room: usize) -> Mutex<Quarantine<T>> {
        Mutex::new(Quarantine { kept: Vec::new(), oldest: 0, room, spare: Vec::new(), shared: None })
    }

    pub const fn of_thread(room: usize, shared: &'static Mutex<Quarantine<T>>) -> RefCell<Quarantine<T>> {
        RefCell::new(Quarantine { kept: Vec::new(), oldest: 0, room, spare: Vec::new(), shared: Some(shared) })
    }

    fn add(&mut self, deleted: NonNull<T>) {
        if self.kept.len() < self.room {
            return self.kept.push(deleted);
        }
        let oldest = std::mem::replace(&mut self.kept[self.oldest], deleted);
        // What fuzzers look for is found where memory is freed.
        if self.spare.len() < self.room / 2 && !cfg!(fuzzing) {
            self.spare.push(oldest);
        } else {
            free(oldest);
        }
        self.oldest = if self.oldest + 1 == self.room { 0 } else { self.oldest + 1 };
    }
}

impl<T> Drop for Quarantine<T> {
    fn drop(&mut self) {
        // The shared quarantine is a static, so it is never dropped.
        if let Some(shared) = self.shared {
            self.kept.rotate_left(self.oldest);
            hand_over(shared, self.kept.drain(..));
            self.spare.drain(..).for_each(free);
        }
    }
}

/// Keeps the memory of `deleted` until some others have been deleted after it.
///
/// # Safety
/// It came from a `Box`, nothing in it needs to be dropped any more, and no valid reference to it exists.
pub unsafe fn keep<T>(
    deleted: NonNull<T>,
    own: &'static LocalKey<RefCell<Quarantine<T>>>,
    shared: &'static Mutex<Quarantine<T>>,
) {
    if own.try_with(|quarantine| quarantine.borrow_mut().add(deleted)).is_err() {
        // The thread is ending, and its own quarantine is already gone.
        hand_over(shared, std::iter::once(deleted));
    }
}

/// Returns memory for a new object: of one that was deleted long ago, where there is such memory.
#[inline]
pub fn room<T>(own: &'static LocalKey<RefCell<Quarantine<T>>>) -> Box<MaybeUninit<T>> {
    match own.try_with(|quarantine| quarantine.borrow_mut().spare.pop()) {
        // SAFETY: `keep` got memory of a `Box`, in which nothing needs to be dropped. Both types have the same layout.
        Ok(Some(spare)) => unsafe { Box::from_raw(spare.as_ptr().cast()) },
        _ => Box::new_uninit(),
    }
}

fn hand_over<T>(shared: &Mutex<Quarantine<T>>, deleted: impl Iterator<Item = NonNull<T>>) {
    match shared.try_lock() {
        Ok(mut shared) => deleted.for_each(|deleted| shared.add(deleted)),
        // Another thread holds the lock. In a forked child it might hold it for ever, so this does not wait.
        Err(_) => deleted.for_each(free),
    }
}

fn free<T>(deleted: NonNull<T>) {
    // SAFETY: `keep` got memory of a `Box`, in which nothing needs to be dropped. Both types have the same layout.
    drop(unsafe { Box::from_raw(deleted.as_ptr().cast::<MaybeUninit<T>>()) });
}
