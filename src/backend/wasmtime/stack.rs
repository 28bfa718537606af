//! Tells the engine how much of the stack a guest may use.
//!
//! The engine computes its limit from where its store was first entered, regardless of how much of that stack is
//! left, and even if another stack is in use by then. But it leaves a limit alone that it finds in its place. So the
//! runtime's limit is put there at each entry.

use super::WasmtimeEngine;
use crate::backend::common::{Owner, Stopped};
use crate::runtime::base::trap_code::TrapCode;
use crate::runtime::core::guest::{Guest, StackLimit, stack_pointer};
use std::any::Any;
use std::cell::Cell;
use std::ptr::NonNull;
use std::sync::OnceLock;
use wasmtime::{Func, Instance, Module, StoreContextMut};
use wasmtime_environ::{HostPtr, PtrSize, VMCONTEXT_MAGIC};

/// The most stack that guests may use if the program does not set it.
pub const DEFAULT_STACK: usize = 512 << 10;

/// The place where the engine keeps the stack limit of a store. Not known at first.
#[derive(Default)]
pub struct LimitPlace {
    known: Cell<Option<NonNull<Cell<usize>>>>,
    /// A substitute for the place, where the engine's own limit is good enough.
    unused: Cell<usize>,
}

/// A small module, from whose instances the place can be found.
#[derive(Default)]
pub struct Probe(OnceLock<Module>);

impl Probe {
    fn module(&self, engine: &wasmtime::Engine) -> Option<&Module> {
        /// `(module (func (export "")))`
        const WASM: &[u8] =
            b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x07\x04\x01\0\0\0\x0a\x04\x01\x02\0\x0b";
        if self.0.get().is_none() {
            // If this fails now, it may work the next time.
            let _ = self.0.set(super::pool::run(0, || Module::from_binary(engine, WASM)).ok()?);
        }
        self.0.get()
    }
}

/// A running guest whose limit is in place until this is dropped.
pub struct LimitedGuest<'a> {
    _guest: Guest<'a>,
    place: NonNull<Cell<usize>>,
    former: usize,
}

impl<'a> LimitedGuest<'a> {
    /// # Safety
    /// The place belongs to the store that the guest runs in.
    #[inline(always)]
    pub unsafe fn new((guest, stack): (Guest<'a>, StackLimit), place: NonNull<Cell<usize>>) -> LimitedGuest<'a> {
        // SAFETY: the store, and with it this place, outlives the guest that runs in it. The engine also treats the
        // place as a cell.
        let former = unsafe { place.as_ref() }.replace(stack.limit);
        LimitedGuest { _guest: guest, place, former }
    }
}

impl Drop for LimitedGuest<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: `new` requires that the place belongs to the guest's store, which outlives the guest.
        unsafe { self.place.as_ref() }.set(self.former);
    }
}

impl LimitPlace {
    /// Returns the place for a call of a WebAssembly function.
    #[inline(always)]
    pub fn of_call(&self, context: StoreContextMut<'_, Owner>, func: Func) -> Result<NonNull<Cell<usize>>, Stopped> {
        match self.known.get() {
            Some(place) => Ok(place),
            None => self.find(context, func),
        }
    }

    /// Returns the place for the instantiation of a module.
    pub fn of_instance(
        &self,
        context: StoreContextMut<'_, Owner>,
        most: usize,
        stack: &StackLimit,
        has_start: bool,
    ) -> Result<NonNull<Cell<usize>>, Stopped> {
        match self.known.get() {
            Some(place) => Ok(place),
            // Without a start function only code of the engine itself runs, which needs little stack. With one, if no
            // call is running, there is no limit in the place yet, and the limit that the engine will put there lies
            // on this stack. So guests can get too much stack only once: further guests are not let in beyond their
            // own limit.
            None if !has_start
                || !context.data().get().is_nested() && stack_pointer().saturating_sub(most) >= stack.floor =>
            {
                Ok(NonNull::from(&self.unused))
            }
            None => self.find_by_probe(context),
        }
    }

    /// Finds the place from a function: its record refers to its instance, which refers to the engine's data of the
    /// store.
    #[cold]
    #[inline(never)]
    fn find(&self, context: StoreContextMut<'_, Owner>, func: Func) -> Result<NonNull<Cell<usize>>, Stopped> {
        let record = func.to_raw(context).cast::<u8>();
        // SAFETY: the record lives as long as the store, and so does everything that it leads to. The offsets come
        // from the engine itself, in the same version, because the two crates' versions are tied. These fields never
        // change.
        let place = unsafe {
            let instance = record.add(HostPtr.vm_func_ref().vmctx().into()).cast::<*mut u8>().read();
            // Host functions have something else at this offset.
            if instance.add(HostPtr.vmctx_magic().into()).cast::<u32>().read() != VMCONTEXT_MAGIC {
                return Err(Stopped(TrapCode::StackExhausted));
            }
            let kept = instance.add(HostPtr.vmctx_store_context().into()).cast::<*mut u8>().read();
            NonNull::new_unchecked(kept.add(HostPtr.vm_store_context().stack_limit().into())).cast()
        };
        self.known.set(Some(place));
        Ok(place)
    }

    /// Finds the place before the store has run anything, from an instance of the small module.
    #[cold]
    fn find_by_probe(&self, mut context: StoreContextMut<'_, Owner>) -> Result<NonNull<Cell<usize>>, Stopped> {
        let owner = *context.data();
        let engine = (&*owner.get().engine().inner as &dyn Any).downcast_ref::<WasmtimeEngine>();
        let probe = engine.and_then(|engine| engine.probe.module(&engine.engine));
        let instance = probe.and_then(|probe| Instance::new(&mut context, probe, &[]).ok());
        let func = instance.and_then(|instance| instance.get_func(&mut context, ""));
        match func {
            Some(func) => self.find(context, func),
            None => Err(Stopped(TrapCode::StackExhausted)),
        }
    }
}
