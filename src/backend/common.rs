//! What backends share: the engine's contexts, the pointers to the runtime that the engine holds for them, and the
//! number of processors.

use crate::runtime::base::error::{Error, ErrorKind, Result};
use crate::runtime::base::trap_code::TrapCode;
use crate::runtime::core::object::Object;
use crate::runtime::core::store::Store as RuntimeStore;
use crate::runtime::core::value::Val;
use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The data of an engine's store: a pointer to the store of the runtime.
#[derive(Clone, Copy)]
pub struct Owner(pub NonNull<RuntimeStore>);

// SAFETY: `wasm.h` allows a store, and everything in it, to be used by one thread at a time. Engines require Send and
// Sync because their own interfaces cannot know that.
unsafe impl Send for Owner {}
unsafe impl Sync for Owner {}

impl Owner {
    pub fn get(&self) -> &RuntimeStore {
        // SAFETY: the store stays at its address until the backend's store is gone, see `Engine::new_store`.
        unsafe { self.0.as_ref() }
    }
}

/// The object of a host function, in the form in which the engine's closure holds it.
#[derive(Clone, Copy)]
pub struct HostObject(pub NonNull<Object>);

// SAFETY: the engine calls the closure only on the thread that uses the store, as for `Owner`.
unsafe impl Send for HostObject {}
unsafe impl Sync for HostObject {}

impl HostObject {
    #[inline(always)]
    pub fn get(&self) -> &Object {
        // SAFETY: `Store::new_func` gets objects that outlive the engine's store, and so its closures.
        unsafe { self.0.as_ref() }
    }
}

/// A trap of the runtime that passes through the engine.
#[derive(Debug)]
pub struct Stopped(pub TrapCode);

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(self.0.message())
    }
}

impl std::error::Error for Stopped {}

/// Lets an engine work on a module. If it panics, which is a bug in the engine, the module is refused. After a panic
/// the engine has to be as usable as after an error.
pub fn on_module<R>(engine: &str, work: impl FnOnce() -> Result<R>) -> Result<R> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let message = format!(
            "{engine} panicked while compiling this module, which is a bug in {engine}; another backend may compile it"
        );
        Err(Error::new(ErrorKind::Compile, message))
    })
}

/// The innermost of an engine's contexts: that of the running host function, or else the store's own. `C` is a unique
/// reference to the engine's store whose lifetime was erased.
pub struct Contexts<C>(UnsafeCell<C>);

impl<C> Contexts<C> {
    /// # Safety
    /// `own` is valid as long as this is used, and is the only way to the engine's store except for the contexts that
    /// the engine itself gives to host functions.
    pub unsafe fn new(own: C) -> Contexts<C> {
        Contexts(UnsafeCell::new(own))
    }

    /// Returns the context, for one operation.
    #[inline(always)]
    pub fn innermost(&self) -> C {
        // SAFETY: this copies a unique reference, but the original is not used during the one operation for which the
        // copy is. The original is either the store's own context or that of the host function that calls the
        // operation. If the operation calls a host function in turn, the engine derives a new context from the copy,
        // which becomes the innermost one, and the copy is not used until that host function returns.
        unsafe { std::ptr::read(self.0.get()) }
    }

    /// Makes a host function's context the innermost until the answer is dropped, which also happens if there is a
    /// panic.
    ///
    /// # Safety
    /// The context is valid until then, and meanwhile used only through this.
    #[inline(always)]
    pub unsafe fn nest(&self, context: C) -> Nested<'_, C> {
        // SAFETY: no reference into the cell exists, because `innermost` only copies its contents.
        let former = unsafe { std::ptr::replace(self.0.get(), context) };
        Nested { contexts: self, former: MaybeUninit::new(former) }
    }
}

pub struct Nested<'a, C> {
    contexts: &'a Contexts<C>,
    former: MaybeUninit<C>,
}

impl<C> Drop for Nested<'_, C> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: `nest` has initialised `former`, and it is moved out only here.
        unsafe { self.contexts.0.get().write(self.former.assume_init_read()) };
    }
}

/// The arguments of a callback. The callback borrows them, so their references are released here when it is over.
pub struct Arguments<'a>(&'a mut [Val]);

impl<'a> Arguments<'a> {
    /// Fills `room` with the values that `convert` makes of `values`. Both have the same length.
    #[inline(always)]
    pub fn fill<T, E>(
        room: &'a mut [MaybeUninit<Val>],
        values: &[T],
        mut convert: impl FnMut(&T) -> Result<Val, E>,
    ) -> Result<Arguments<'a>, E> {
        // All places are numbers at first, so that a failure in the middle only releases references that exist.
        for slot in room.iter_mut() {
            slot.write(Val::i32(0));
        }
        // SAFETY: the loop above has initialised all places.
        let arguments = Arguments(unsafe { &mut *(std::ptr::from_mut(room) as *mut [Val]) });
        for (slot, value) in arguments.0.iter_mut().zip(values) {
            *slot = convert(value)?;
        }
        Ok(arguments)
    }

    pub fn as_slice(&self) -> &[Val] {
        self.0
    }
}

impl Drop for Arguments<'_> {
    fn drop(&mut self) {
        // SAFETY: the contents of `convert`'s answers are owned, and are not used after this.
        self.0.iter_mut().for_each(|value| unsafe { value.release() });
    }
}

/// Returns the number of processors that this process may use. The system is asked only once, because it has to read
/// files for this.
pub fn processors() -> usize {
    static PROCESSORS: AtomicUsize = AtomicUsize::new(0);
    match PROCESSORS.load(Ordering::Relaxed) {
        0 => {
            let processors = std::thread::available_parallelism().map_or(1, usize::from);
            PROCESSORS.store(processors, Ordering::Relaxed);
            processors
        }
        processors => processors,
    }
}
