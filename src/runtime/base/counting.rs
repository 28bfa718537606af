//! For tests: how many objects and stores are alive, of those that this thread made and freed.

use std::cell::Cell;
use std::thread::LocalKey;

/// One for each thread, since tests run side by side.
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
