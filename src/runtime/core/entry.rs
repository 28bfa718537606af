//! How C calls functions, be they the host's or the engine's.

use super::arity::{ByArity, by_arity};
use super::engine_traits::{CallNumeric, Failure};
use super::func::{Func, check_value};
use super::interruption::Supervisor;
use super::object::{Body, Handle, Object, wrong_kind};
use super::store::{Running, Store};
use super::trap::{Cause, Trap};
use super::value::{ExactValues, LentRoom, Val, ValVec, heap_room, with_lent_room};
use crate::runtime::base::error::{Error, ErrorKind, Result};
use crate::runtime::base::types::{FuncType, ValKind};
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How C calls an object: one of the functions below. Arguments stay the caller's, results are written without
/// looking at what was there, and those beyond the room for them are released. A trap is returned, owned, and then nothing
/// is written.
///
/// To be called with the object that it is the entry of; the vectors are null or valid, and values of a reference kind hold
/// null or live handles.
pub type Entry = unsafe extern "C" fn(&Object, *const ValVec, *mut ValVec) -> *mut Object;

/// The entry of an object of `store`.
pub fn entry(store: &Store, body: &Body) -> Entry {
    match body {
        Body::Func(func) if func.is_host() => host_entry(&func.ty),
        Body::Func(_) if store.supervisor().is_some() => enter_any,
        Body::Func(func) => store.backend().entry(&func.ty),
        _ => enter_nothing,
    }
}

/// The entry of what is no function. A deleted object has no store for a trap to belong to any more.
#[cold]
pub extern "C" fn enter_nothing(object: &Object, _: *const ValVec, _: *mut ValVec) -> *mut Object {
    let error = wrong_kind(object, "a function");
    if object.is_deleted() {
        crate::runtime::base::error::record(&error);
        return std::ptr::null_mut();
    }
    guarded(object, |store| Err(store.error_trap(error)), |_, trap| trap)
}

/// The entry of functions of a type in an engine whose stores are `S`.
pub fn engine_entry<S: CallNumeric>(ty: &FuncType) -> Entry {
    struct EngineEntry<S>(PhantomData<S>);
    impl<S: CallNumeric> ByArity for EngineEntry<S> {
        type Out = Entry;
        fn make<const ONLY_I32: bool, const PARAMS: usize, const RESULTS: usize>(self) -> Entry {
            enter_engine::<S, ONLY_I32, PARAMS, RESULTS>
        }
    }
    by_arity(ty, EngineEntry::<S>(PhantomData)).unwrap_or(enter_any)
}

fn host_entry(ty: &FuncType) -> Entry {
    struct HostEntry;
    impl ByArity for HostEntry {
        type Out = Entry;
        fn make<const ONLY_I32: bool, const PARAMS: usize, const RESULTS: usize>(self) -> Entry {
            enter_host::<ONLY_I32, PARAMS, RESULTS>
        }
    }
    by_arity(ty, HostEntry).unwrap_or(enter_any)
}

unsafe extern "C" fn enter_engine<S: CallNumeric, const ONLY_I32: bool, const PARAMS: usize, const RESULTS: usize>(
    object: &Object,
    args: *const ValVec,
    results: *mut ValVec,
) -> *mut Object {
    let call = |store: &Store, func: &Func, (_, args): ExactValues<PARAMS>, results: &mut [MaybeUninit<Val>]| {
        // SAFETY: this is the entry of functions of the engine, whose stores are of this type. The arguments fit.
        unsafe { store.backend_as::<S>().call_numeric(func, args, results, ONLY_I32) }
    };
    // SAFETY: as promised by the caller.
    unsafe { enter::<ONLY_I32, PARAMS, RESULTS, _>(object, args, results, call, engine_trap::<S>) }
}

/// The trap for what the engine says. It finds its way anew from the object, so that calls keep nothing at hand for it.
fn engine_trap<S: CallNumeric>(object: &Object, error: S::Error) -> Handle {
    let store = object.store();
    // SAFETY: the stores of the object's engine are of this type.
    let failure = unsafe { store.backend_as::<S>() }.explain(error);
    store.trap(failure, object.as_func().and_then(Func::origin))
}

unsafe extern "C" fn enter_host<const ONLY_I32: bool, const PARAMS: usize, const RESULTS: usize>(
    object: &Object,
    args: *const ValVec,
    results: *mut ValVec,
) -> *mut Object {
    let call = |_: &Store, func: &Func, (args, _): ExactValues<PARAMS>, results: &mut [MaybeUninit<Val>]| {
        // Arguments and results may be the same memory, as the caller likes; the callback's own are not.
        let mut room = LentRoom::<RESULTS>::UNINIT;
        let room = room.as_mut();
        // SAFETY: this is the entry of host functions. The arguments fit.
        unsafe { func.invoke::<true>(object, args, room, ONLY_I32) }?;
        results.copy_from_slice(room);
        Ok(())
    };
    // SAFETY: as promised by the caller.
    unsafe { enter::<ONLY_I32, PARAMS, RESULTS, _>(object, args, results, call, host_trap) }
}

/// The trap for what a host function returned.
fn host_trap(object: &Object, trap: Handle) -> Handle {
    object.store().pass_on(trap, |_| ())
}

/// Enters a function that takes and gives so many numbers, by `call`; with anything amiss it is entered as any other.
///
/// # Safety
/// As for [`Entry`], of which this is the part that does not depend on who executes the function.
#[inline(always)]
unsafe fn enter<const ONLY_I32: bool, const PARAMS: usize, const RESULTS: usize, E>(
    object: &Object,
    args: *const ValVec,
    results: *mut ValVec,
    call: impl FnOnce(&Store, &Func, ExactValues<PARAMS>, &mut [MaybeUninit<Val>]) -> Result<(), E>,
    trap: impl FnOnce(&Object, E) -> Handle,
) -> *mut Object {
    // SAFETY: the entry of functions, called with one. Vectors are valid or null, and looked at no further than they reach.
    unsafe {
        let func = object.as_func().unwrap_unchecked();
        let Some(given) = ValVec::exactly::<PARAMS>(args) else { return enter_any(object, args, results) };
        let Some(room) = ValVec::room::<RESULTS>(results) else { return enter_any(object, args, results) };
        let fit = |position: usize| given.1[position].kind == func.param_kind(RESULTS, position, ONLY_I32) as u8;
        if !(0..PARAMS).all(fit) {
            return enter_any(object, args, results);
        }
        guarded(object, |store| call(store, func, given, room), trap)
    }
}

/// The entry of functions of any type.
///
/// # Safety
/// As for [`Entry`].
pub unsafe extern "C" fn enter_any(object: &Object, args: *const ValVec, results: *mut ValVec) -> *mut Object {
    // SAFETY: as promised by the caller; results are written and not read.
    let call = |_: &Store| unsafe {
        let args = args.as_ref().map_or(&[][..], |args| args.values());
        let results = match results.as_mut() {
            Some(results) if !results.data.is_null() => {
                std::slice::from_raw_parts_mut(results.data.cast(), results.size)
            }
            _ => &mut [],
        };
        call_any(object, args, results)
    };
    guarded(object, call, |_, trap| trap)
}

/// Runs `call` in the object's store. What it fails with becomes a trap by `trap`, and a panic does, too: that a call did not come
/// to its end must not look as if it did.
#[inline(always)]
fn guarded<E>(
    object: &Object,
    call: impl FnOnce(&Store) -> Result<(), E>,
    trap: impl FnOnce(&Object, E) -> Handle,
) -> *mut Object {
    let store = object.store();
    let running = store.start();
    match catch_unwind(AssertUnwindSafe(|| call(store))) {
        Ok(Ok(())) => std::ptr::null_mut(),
        Ok(Err(error)) => stopped(object, running, || trap(object, error)),
        Err(panic) => stopped(object, running, || trap_of_panic(object.store(), panic)),
    }
}

/// Ends a call with a trap; without only if not even the trap of a panic can be made.
#[cold]
#[inline(never)]
fn stopped(object: &Object, running: Running, trap: impl FnOnce() -> Handle) -> *mut Object {
    let trap = catch_unwind(AssertUnwindSafe(trap))
        .or_else(|panic| catch_unwind(AssertUnwindSafe(|| trap_of_panic(object.store(), panic))))
        .map_err(crate::runtime::base::error::record_panic);
    drop(running);
    trap.map_or(std::ptr::null_mut(), Handle::into_raw)
}

fn trap_of_panic(store: &Store, panic: Box<dyn std::any::Any + Send>) -> Handle {
    crate::runtime::base::error::record_panic(panic);
    let message = b"internal error; the last error says more".to_vec();
    Trap::new(Cause::Error(ErrorKind::Internal), message).into_handle(store)
}

/// # Safety
/// Values in `args` that are of a reference kind hold null or live handles.
unsafe fn call_any(object: &Object, args: &[Val], results: &mut [MaybeUninit<Val>]) -> Result<(), Handle> {
    let store = object.store();
    let Some(func) = object.as_func() else { return Err(without_body(store)) };
    // SAFETY: as promised by the caller.
    if let Err(error) = unsafe { check_args(store, &func.ty, args) } {
        return Err(store.error_trap(error));
    }
    match results.get_mut(..func.ty.result_kinds.len()) {
        // SAFETY: the arguments were checked, and there is room for all results.
        Some(results) => unsafe { call_checked(object, func, args, results) },
        // SAFETY: the arguments were checked.
        None => unsafe { call_dropping_results(object, func, args, results) },
    }
}

/// Calls with more results than the caller has room for.
///
/// # Safety
/// The arguments fit the function's type.
#[cold]
unsafe fn call_dropping_results(
    object: &Object,
    func: &Func,
    args: &[Val],
    results: &mut [MaybeUninit<Val>],
) -> Result<(), Handle> {
    let mut room = heap_room(func.ty.result_kinds.len());
    // SAFETY: the arguments were checked, and there is room for all results.
    unsafe { call_checked(object, func, args, &mut room) }?;
    let (kept, dropped) = room.split_at_mut(results.len());
    results.copy_from_slice(kept);
    // SAFETY: the call has written all of them, and nobody else has those beyond the caller's room.
    dropped.iter_mut().for_each(|value| unsafe { value.assume_init_mut().release() });
    Ok(())
}

/// # Safety
/// The arguments fit the function's type; there is exactly room for its results.
unsafe fn call_checked(
    object: &Object,
    func: &Func,
    args: &[Val],
    results: &mut [MaybeUninit<Val>],
) -> Result<(), Handle> {
    let store = object.store();
    if func.is_host() {
        // Not directly into `results`: see `enter_host`.
        return with_lent_room(results.len(), |room| {
            // SAFETY: the arguments were checked, and there is room for the results.
            unsafe { func.invoke::<false>(object, &ValVec::of(args), room, false) }
                .map_err(|trap| host_trap(object, trap))?;
            results.copy_from_slice(room);
            Ok(())
        });
    }
    if func.entity.get().is_none() {
        return Err(without_body(store));
    }
    // SAFETY: the function is this store's, and the values were checked.
    let mut call = || unsafe { store.backend().call(func, args, results) };
    let answer = match store.supervisor().map(Supervisor::begin_call) {
        None => call(),
        Some(Ok(_supervised)) => call(),
        Some(Err(code)) => Err(Box::new(Failure::Trap(code, Vec::new()))),
    };
    answer.map_err(|failure| store.trap(*failure, func.origin()))
}

#[cold]
fn without_body(store: &Store) -> Handle {
    store.error_trap(Error::new(ErrorKind::Internal, "a function is neither the host's nor the engine's"))
}

/// # Safety
/// As for [`call_any`].
unsafe fn check_args(store: &Store, ty: &FuncType, args: &[Val]) -> Result<()> {
    let fits = ty.numeric && args.len() == ty.param_kinds.len() && are_of_kinds(args, &ty.param_kinds);
    // SAFETY: as promised by the caller.
    if fits { Ok(()) } else { unsafe { check_args_fully(store, ty, args) } }
}

fn are_of_kinds(values: &[Val], kinds: &[ValKind]) -> bool {
    values.iter().zip(kinds).all(|(value, kind)| value.kind == *kind as u8)
}

/// The whole check: references, and what exactly is wrong.
///
/// # Safety
/// As for [`call_any`].
#[inline(never)]
unsafe fn check_args_fully(store: &Store, ty: &FuncType, args: &[Val]) -> Result<()> {
    if let Some(ty) = ty.uncarried() {
        let message = format!("the function's type has a {ty}, which wasm_val_t cannot carry");
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    if args.len() != ty.params.len() {
        let (expected, got) = (ty.params.len(), args.len());
        let params = &ty.params;
        return Err(Error::misuse(format!("expected {expected} arguments {params}, got {got}")));
    }
    for (position, (arg, param)) in args.iter().zip(ty.params.iter()).enumerate() {
        // SAFETY: as promised by the caller.
        unsafe { check_value(store, arg, *param, || format!("argument {}", position + 1))? };
    }
    Ok(())
}
