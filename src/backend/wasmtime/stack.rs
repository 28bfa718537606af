//! How much of the stack a guest may use, told to the engine.
//!
//! The engine counts from where its store was entered first, whatever is left of that stack and even if another one is in use by
//! then. But a limit that it finds in its place it leaves alone. So the runtime's is put there at each entry.

use crate::backend::common::{Owner, Stopped};
use crate::runtime::base::trap_code::TrapCode;
use crate::runtime::core::guest::{Guest, StackLimit, stack_pointer};
use std::cell::Cell;
use std::ptr::NonNull;
use std::sync::{Arc, OnceLock};
use wasmtime::{Func, Instance, Module, StoreContextMut};
use wasmtime_environ::{HostPtr, PtrSize, VMCONTEXT_MAGIC};

/// The most stack that guests may use if nobody says otherwise.
pub const DEFAULT_STACK: usize = 512 << 10;

/// Where the engine keeps the limit of a store.
pub struct LimitPlace {
    known: Cell<Option<NonNull<Cell<usize>>>>,
    /// What stands for it where the engine's own limit will do.
    unused: Cell<usize>,
    probe: Arc<Probe>,
}

/// A small module of the engine's, whose instances lead to the place.
#[derive(Default)]
pub struct Probe(OnceLock<Module>);

impl Probe {
    fn module(&self, engine: &wasmtime::Engine) -> Option<&Module> {
        /// `(module (func (export "")))`
        const WASM: &[u8] =
            b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x07\x04\x01\0\0\0\x0a\x04\x01\x02\0\x0b";
        if self.0.get().is_none() {
            // What fails now may work the next time.
            let _ = self.0.set(super::pool::run(0, || Module::from_binary(engine, WASM)).ok()?);
        }
        self.0.get()
    }
}

/// A guest that runs, with its limit in place until this is dropped.
pub struct LimitedGuest<'a> {
    _guest: Guest<'a>,
    place: NonNull<Cell<usize>>,
    former: usize,
}

impl<'a> LimitedGuest<'a> {
    /// # Safety
    /// The place is one of the store that the guest runs in.
    #[inline(always)]
    pub unsafe fn new((guest, stack): (Guest<'a>, StackLimit), place: NonNull<Cell<usize>>) -> LimitedGuest<'a> {
        // SAFETY: the store, and with it this place, outlives the guest that runs in it; to the engine as well it is a cell.
        let former = unsafe { place.as_ref() }.replace(stack.limit);
        LimitedGuest { _guest: guest, place, former }
    }
}

impl Drop for LimitedGuest<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: as promised to `new`.
        unsafe { self.place.as_ref() }.set(self.former);
    }
}

impl LimitPlace {
    pub fn unknown(probe: &Arc<Probe>) -> LimitPlace {
        LimitPlace { known: Cell::new(None), unused: Cell::new(0), probe: probe.clone() }
    }

    /// For a call of a function of WebAssembly's.
    #[inline(always)]
    pub fn of_call(&self, context: StoreContextMut<'_, Owner>, func: Func) -> Result<NonNull<Cell<usize>>, Stopped> {
        match self.known.get() {
            Some(place) => Ok(place),
            None => self.find(context, func),
        }
    }

    /// For what an instance runs when it is made.
    pub fn of_instance(
        &self,
        context: StoreContextMut<'_, Owner>,
        most: usize,
        stack: &StackLimit,
        has_start: bool,
    ) -> Result<NonNull<Cell<usize>>, Stopped> {
        match self.known.get() {
            Some(place) => Ok(place),
            // Without a start function only code of the engine's runs, which needs little. Else nothing may be in its place yet, and what
            // the engine will put there is on this stack: guests get too much of it at most once, for further ones are not let in
            // beyond their own limit.
            None if !has_start
                || !context.data().get().is_nested() && stack_pointer().saturating_sub(most) >= stack.floor =>
            {
                Ok(NonNull::from(&self.unused))
            }
            None => self.find_by_probe(context),
        }
    }

    /// Finds the place from a function: its record names its instance, which names what the engine keeps of the store.
    #[cold]
    #[inline(never)]
    fn find(&self, context: StoreContextMut<'_, Owner>, func: Func) -> Result<NonNull<Cell<usize>>, Stopped> {
        let record = func.to_raw(context).cast::<u8>();
        // SAFETY: the record lives as long as the store, and so does what it leads to; the layouts are the engine's own account of
        // them, in the same version (the two crates' versions are tied), and these fields are never changed.
        let place = unsafe {
            let instance = record.add(HostPtr.vm_func_ref().vmctx().into()).cast::<*mut u8>().read();
            // Host functions have something else there.
            if instance.add(HostPtr.vmctx_magic().into()).cast::<u32>().read() != VMCONTEXT_MAGIC {
                return Err(Stopped(TrapCode::StackExhausted));
            }
            let kept = instance.add(HostPtr.vmctx_store_context().into()).cast::<*mut u8>().read();
            NonNull::new_unchecked(kept.add(HostPtr.vm_store_context().stack_limit().into())).cast()
        };
        self.known.set(Some(place));
        Ok(place)
    }

    /// Finds the place before the store has run anything, from a small instance of ours.
    #[cold]
    fn find_by_probe(&self, mut context: StoreContextMut<'_, Owner>) -> Result<NonNull<Cell<usize>>, Stopped> {
        let probe = self.probe.module(context.engine());
        let instance = probe.and_then(|probe| Instance::new(&mut context, probe, &[]).ok());
        let func = instance.and_then(|instance| instance.get_func(&mut context, ""));
        match func {
            Some(func) => self.find(context, func),
            None => Err(Stopped(TrapCode::StackExhausted)),
        }
    }
}
