//! The memory of what was deleted. C programs delete things twice: it is kept for a while, so that a late second delete finds
//! something dead instead of somebody else's memory.

use std::collections::VecDeque;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

/// Those that a thread buried last. Each thread has its own: threads that make and delete a lot would wait for each other.
pub struct Graveyard<T> {
    graves: VecDeque<NonNull<T>>,
    room: usize,
}

impl<T> Graveyard<T> {
    pub const fn new(room: usize) -> Graveyard<T> {
        Graveyard { graves: VecDeque::new(), room }
    }

    /// Keeps the memory of `body` until so many others were buried after it, or the thread ends.
    ///
    /// # Safety
    /// As for [`free`], when that happens.
    pub unsafe fn bury(&mut self, body: NonNull<T>) {
        if self.graves.len() == self.room
            && let Some(oldest) = self.graves.pop_front()
        {
            // SAFETY: as promised by those who buried it.
            unsafe { free(oldest) };
        }
        self.graves.push_back(body);
    }
}

impl<T> Drop for Graveyard<T> {
    fn drop(&mut self) {
        // SAFETY: as promised by those who buried them.
        self.graves.drain(..).for_each(|body| unsafe { free(body) });
    }
}

/// Gives back the memory of something dead, of which nothing is dropped.
///
/// # Safety
/// It came from a `Box`, nothing in it needs to be dropped any more, and nobody has a right to look at it.
pub unsafe fn free<T>(body: NonNull<T>) {
    // SAFETY: as promised by the caller; both have the same layout.
    drop(unsafe { Box::from_raw(body.as_ptr().cast::<MaybeUninit<T>>()) });
}
