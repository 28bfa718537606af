//! For tests: counts the objects and stores that this thread has made and not freed.

use std::cell::Cell;
use std::thread::LocalKey;

/// One for each thread, because tests run side by side.
pub type Counter = LocalKey<Cell<isize>>;

thread_local! {
    pub static OBJECTS: Cell<isize> = const { Cell::new(0) };
    pub static STORES: Cell<isize> = const { Cell::new(0) };
}

pub fn add(counter: &'static Counter) {
    counter.set(counter.get() + 1);
}

pub fn remove(counter: &'static Counter) {
    counter.set(counter.get() - 1);
}
