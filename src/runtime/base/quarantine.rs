//! The memory of deleted objects. C programs delete things twice: the memory is kept for a while, so that a late second delete
//! finds a deleted object and not somebody else's memory.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::Mutex;
use std::thread::LocalKey;

/// What was deleted last. Each thread has a quarantine of its own, since threads that make and delete a lot would wait for each
/// other. What is in it when the thread ends goes to one that all threads share.
pub struct Quarantine<T: 'static> {
    kept: VecDeque<NonNull<T>>,
    room: usize,
    shared: Option<&'static Mutex<Quarantine<T>>>,
}

// SAFETY: nobody reads or writes what is kept, see `keep`.
unsafe impl<T> Send for Quarantine<T> {}

impl<T> Quarantine<T> {
    pub const fn shared(room: usize) -> Mutex<Quarantine<T>> {
        Mutex::new(Quarantine { kept: VecDeque::new(), room, shared: None })
    }

    pub const fn of_thread(room: usize, shared: &'static Mutex<Quarantine<T>>) -> RefCell<Quarantine<T>> {
        RefCell::new(Quarantine { kept: VecDeque::new(), room, shared: Some(shared) })
    }

    fn add(&mut self, deleted: NonNull<T>) {
        if self.kept.len() == self.room
            && let Some(oldest) = self.kept.pop_front()
        {
            free(oldest);
        }
        self.kept.push_back(deleted);
    }
}

impl<T> Drop for Quarantine<T> {
    fn drop(&mut self) {
        // The shared one is a static and is never dropped.
        if let Some(shared) = self.shared {
            hand_over(shared, self.kept.drain(..));
        }
    }
}

/// Keeps the memory of `deleted` until some others were deleted after it.
///
/// # Safety
/// It came from a `Box`, nothing in it needs to be dropped any more, and nobody has a right to look at it.
pub unsafe fn keep<T>(
    deleted: NonNull<T>,
    own: &'static LocalKey<RefCell<Quarantine<T>>>,
    shared: &'static Mutex<Quarantine<T>>,
) {
    if own.try_with(|quarantine| quarantine.borrow_mut().add(deleted)).is_err() {
        // The thread is ending, and its own quarantine is gone.
        hand_over(shared, std::iter::once(deleted));
    }
}

fn hand_over<T>(shared: &Mutex<Quarantine<T>>, deleted: impl Iterator<Item = NonNull<T>>) {
    match shared.try_lock() {
        Ok(mut shared) => deleted.for_each(|deleted| shared.add(deleted)),
        // Another thread holds the lock; in a forked child it may hold it for ever.
        Err(_) => deleted.for_each(free),
    }
}

fn free<T>(deleted: NonNull<T>) {
    // SAFETY: `keep` was given memory of a `Box`, in which nothing needs to be dropped; both types have the same layout.
    drop(unsafe { Box::from_raw(deleted.as_ptr().cast::<MaybeUninit<T>>()) });
}
