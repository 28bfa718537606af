//! What backends have in common: the engine's contexts, and what its closures hold of the runtime.

use crate::runtime::base::error::{Error, ErrorKind, Result};
use crate::runtime::base::trap_code::TrapCode;
use crate::runtime::core::object::Object;
use crate::runtime::core::store::Store as RuntimeStore;
use crate::runtime::core::value::Val;
use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

/// What an engine's store knows of the runtime's: its data, in the engine's terms.
#[derive(Clone, Copy)]
pub struct Owner(pub NonNull<RuntimeStore>);

// SAFETY: `wasm.h` lets a store be used from one thread at a time, and everything in it only from there; engines ask for Send
// and Sync because their own interfaces cannot know that.
unsafe impl Send for Owner {}
unsafe impl Sync for Owner {}

impl Owner {
    pub fn get(&self) -> &RuntimeStore {
        // SAFETY: the owner stays at its address until the backend's store is gone, see `Engine::new_store`.
        unsafe { self.0.as_ref() }
    }
}

/// The object of a host function, as its closure in the engine holds it.
#[derive(Clone, Copy)]
pub struct HostObject(pub NonNull<Object>);

// SAFETY: as for `Owner`.
unsafe impl Send for HostObject {}
unsafe impl Sync for HostObject {}

impl HostObject {
    #[inline(always)]
    pub fn get(&self) -> &Object {
        // SAFETY: `Store::new_func` is given objects that outlive the engine's store, and so its closures.
        unsafe { self.0.as_ref() }
    }
}

/// A trap of the runtime's on its way through the engine.
#[derive(Debug)]
pub struct Stopped(pub TrapCode);

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(self.0.message())
    }
}

impl std::error::Error for Stopped {}

/// Has an engine work on a module, which it may panic on by a defect of its own: then that is what is wrong with the module. The
/// engine has to be as usable afterwards as after an error.
pub fn on_module<R>(engine: &str, work: impl FnOnce() -> Result<R>) -> Result<R> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let message = format!("{engine} fails on this module, by a defect of its own; another backend may compile it");
        Err(Error::new(ErrorKind::Compile, message))
    })
}

/// The innermost of an engine's contexts: that of the host function that is running, or the store's own. `C` is a unique
/// reference to the engine's store, with its lifetime erased.
pub struct Contexts<C>(UnsafeCell<C>);

impl<C> Contexts<C> {
    /// # Safety
    /// `own` is valid as long as this is in use, and the only way to the engine's store but for the contexts that the engine
    /// itself hands out.
    pub unsafe fn new(own: C) -> Contexts<C> {
        Contexts(UnsafeCell::new(own))
    }

    /// The context for one operation.
    #[inline(always)]
    pub fn innermost(&self) -> C {
        // SAFETY: this copy of a unique reference is used for one operation, in which the original rests: it is either the
        // store's own, or that of the host function from which this operation is called. If the operation calls a host
        // function in turn, that one's context, made by the engine from this one, takes the place, and this one rests until
        // it returns.
        unsafe { std::ptr::read(self.0.get()) }
    }

    /// Puts a host function's context in place until the answer is dropped, also by a panic.
    ///
    /// # Safety
    /// The context is valid that long, and used by nobody else meanwhile.
    #[inline(always)]
    pub unsafe fn nest(&self, context: C) -> Nested<'_, C> {
        // SAFETY: nobody holds a reference into the cell, only copies of what is in it.
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
        // SAFETY: `former` was initialised by `nest`, and is given back once.
        unsafe { self.contexts.0.get().write(self.former.assume_init_read()) };
    }
}

/// Arguments of a callback, whose references are released when it is over: it only borrows them.
pub struct Arguments<'a>(&'a mut [Val]);

impl<'a> Arguments<'a> {
    /// Fills `room` with what `convert` makes of `values`, as many.
    #[inline(always)]
    pub fn fill<T, E>(
        room: &'a mut [MaybeUninit<Val>],
        values: &[T],
        mut convert: impl FnMut(&T) -> Result<Val, E>,
    ) -> Result<Arguments<'a>, E> {
        // All of them are numbers first, so that a failure in the middle releases what there is.
        for slot in room.iter_mut() {
            slot.write(Val::i32(0));
        }
        // SAFETY: just initialised.
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
        // SAFETY: these values own their references.
        self.0.iter_mut().for_each(|value| unsafe { value.release() });
    }
}
