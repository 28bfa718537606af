//! The memory of what was deleted. C programs delete things twice: it is kept for a while, so that a late second delete finds
//! something dead instead of somebody else's memory.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::Mutex;
use std::thread::LocalKey;

/// What was buried last. Each thread has one of its own, since threads that make and delete a lot would wait for each other; what
/// a thread leaves behind goes to one that all share.
pub struct Graveyard<T: 'static> {
    graves: VecDeque<NonNull<T>>,
    room: usize,
    heir: Option<&'static Mutex<Graveyard<T>>>,
}

// SAFETY: what is buried is inert; see `bury`.
unsafe impl<T> Send for Graveyard<T> {}

impl<T> Graveyard<T> {
    pub const fn shared(room: usize) -> Mutex<Graveyard<T>> {
        Mutex::new(Graveyard { graves: VecDeque::new(), room, heir: None })
    }

    pub const fn of_thread(room: usize, heir: &'static Mutex<Graveyard<T>>) -> RefCell<Graveyard<T>> {
        RefCell::new(Graveyard { graves: VecDeque::new(), room, heir: Some(heir) })
    }

    fn add(&mut self, body: NonNull<T>) {
        if self.graves.len() == self.room
            && let Some(oldest) = self.graves.pop_front()
        {
            free(oldest);
        }
        self.graves.push_back(body);
    }
}

impl<T> Drop for Graveyard<T> {
    fn drop(&mut self) {
        // The shared one, which has no heir, is a static and stays.
        if let Some(heir) = self.heir {
            leave(heir, self.graves.drain(..));
        }
    }
}

/// Keeps the memory of `body` until some others were buried after it.
///
/// # Safety
/// It came from a `Box`, nothing in it needs to be dropped any more, and nobody has a right to look at it.
pub unsafe fn bury<T>(
    body: NonNull<T>,
    own: &'static LocalKey<RefCell<Graveyard<T>>>,
    shared: &'static Mutex<Graveyard<T>>,
) {
    if own.try_with(|graveyard| graveyard.borrow_mut().add(body)).is_err() {
        // A thread that is going away has no graveyard any more.
        leave(shared, std::iter::once(body));
    }
}

fn leave<T>(heir: &Mutex<Graveyard<T>>, bodies: impl Iterator<Item = NonNull<T>>) {
    match heir.try_lock() {
        Ok(mut heir) => bodies.for_each(|body| heir.add(body)),
        // Under contention; and in a child forked at a bad moment nobody would ever let go of the lock.
        Err(_) => bodies.for_each(free),
    }
}

/// Gives back the memory of what was buried.
fn free<T>(body: NonNull<T>) {
    // SAFETY: as promised to `bury`; both have the same layout.
    drop(unsafe { Box::from_raw(body.as_ptr().cast::<MaybeUninit<T>>()) });
}
