//! Entry points through which C calls functions: the host's own and the engine's.

use super::arity::{ByArity, by_arity};
use super::engine_traits::{CallNumeric, Failure, with_numbers};
use super::func::{Func, check_raw, check_value};
use super::object::{Body, Handle, Object, wrong_kind};
use super::store::{Running, Store};
use super::trap::{Cause, Trap};
use super::value::{ExactValues, LentRoom, Raw, Val, ValVec, heap_room, with_lent_room};
use crate::runtime::base::error::{Error, ErrorKind, Result};
use crate::runtime::base::types::{FuncType, ValKind};
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

/// How C calls an object: one of the functions below. The caller keeps its arguments. Results are written over
/// whatever was there; those for which there is no room are released. If the call traps, the trap is returned, owned,
/// and no result is written.
///
/// The object must be the one that this is the entry of. Each vector is null or valid, and its values of a reference
/// kind hold null or live handles.
pub type Entry = unsafe extern "C" fn(&Object, *const ValVec, *mut ValVec) -> *mut Object;

/// Chooses the entry of an object of `store`.
pub fn entry(store: &Store, body: &Body) -> Entry {
    match body {
        Body::Func(func) if func.is_raw_host() => enter_any,
        Body::Func(func) if func.is_host() => host_entry(&func.ty),
        Body::Func(_) if store.supervisor().is_some() => enter_any,
        Body::Func(func) => store.backend().entry(&func.ty),
        _ => enter_nothing,
    }
}

/// The entry of objects that are not functions. A deleted object no longer has a store that a trap could belong to.
#[cold]
pub extern "C" fn enter_nothing(object: &Object, _: *const ValVec, _: *mut ValVec) -> *mut Object {
    let error = wrong_kind(object, "a function");
    if object.is_deleted() {
        crate::runtime::base::error::record(&error);
        return std::ptr::null_mut();
    }
    guarded(object, |store| Err(store.error_trap(error)), |_, trap| trap)
}

/// Chooses the entry of functions of type `ty` in an engine whose stores are of type `S`.
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
        // SAFETY: only functions of the engine whose stores are `S` have this entry. `enter` has checked the
        // arguments and the room.
        unsafe { store.backend_as::<S>().call_numeric(func, args, results, ONLY_I32) }
    };
    // SAFETY: the caller keeps the contract of `Entry`, which is `enter`'s.
    unsafe { enter::<ONLY_I32, PARAMS, RESULTS, _>(object, args, results, call, engine_trap::<S>) }
}

/// Turns an engine's error into a trap. Looks the store up again from `object`, so that the fast path need not keep
/// it at hand.
fn engine_trap<S: CallNumeric>(object: &Object, error: S::Error) -> Handle {
    let store = object.store();
    // SAFETY: only functions of the engine whose stores are `S` have the entry that calls this.
    let failure = unsafe { store.backend_as::<S>() }.explain(error);
    store.trap(failure, object.as_func().and_then(Func::origin))
}

unsafe extern "C" fn enter_host<const ONLY_I32: bool, const PARAMS: usize, const RESULTS: usize>(
    object: &Object,
    args: *const ValVec,
    results: *mut ValVec,
) -> *mut Object {
    let call = |_: &Store, func: &Func, (args, _): ExactValues<PARAMS>, results: &mut [MaybeUninit<Val>]| {
        // Arguments and results may share memory if the caller wants that, so the callback writes to room of its own.
        let mut room = LentRoom::<RESULTS>::UNINIT;
        let room = room.as_mut();
        // SAFETY: only host functions have this entry. `enter` has checked the arguments, and the room has a place
        // for each result.
        unsafe { func.invoke::<true>(object, args, room, ONLY_I32) }?;
        results.copy_from_slice(room);
        Ok(())
    };
    // SAFETY: the caller keeps the contract of `Entry`, which is `enter`'s.
    unsafe { enter::<ONLY_I32, PARAMS, RESULTS, _>(object, args, results, call, host_trap) }
}

/// Turns the trap that a host function returned into the call's trap.
fn host_trap(object: &Object, trap: Handle) -> Handle {
    object.store().pass_on(trap, |_| ())
}

/// Calls a numeric function with PARAMS parameters and RESULTS results through `call`. If the vectors do not match,
/// falls back to `enter_any`, which reports the error.
///
/// # Safety
/// As for [`Entry`]; and `object` is a function.
#[inline(always)]
unsafe fn enter<const ONLY_I32: bool, const PARAMS: usize, const RESULTS: usize, E>(
    object: &Object,
    args: *const ValVec,
    results: *mut ValVec,
    call: impl FnOnce(&Store, &Func, ExactValues<PARAMS>, &mut [MaybeUninit<Val>]) -> Result<(), E>,
    trap: impl FnOnce(&Object, E) -> Handle,
) -> *mut Object {
    // SAFETY: functions only have entries that call this, so `object` is one. The vectors are null or valid, and
    // nothing is read beyond their sizes.
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
    // SAFETY: the vectors are null or valid. Results are written through `MaybeUninit`, and not read.
    let call = |_: &Store| unsafe {
        let args = args.as_ref().map_or(&[][..], |args| args.values());
        let results = match results.as_mut() {
            Some(results) if results.size > 0 && !results.data.is_null() => {
                std::slice::from_raw_parts_mut(results.data.cast(), results.size)
            }
            _ => &mut [],
        };
        call_any(object, args, results)
    };
    guarded(object, call, |_, trap| trap)
}

/// How C calls functions of a store with raw values: one of the two below. The arguments are in `values`, and the results
/// are written there. If the call traps, the trap is returned, owned.
///
/// The object must be a function, and `values` has an argument of its kind for each parameter, and room for each result.
pub type RawEntry = unsafe extern "C" fn(&Object, NonNull<Raw>) -> *mut Object;

/// Calls an object with raw values, if it is a function.
///
/// # Safety
/// As for [`RawEntry`], except that it may be any object.
#[inline(always)]
pub unsafe fn enter_raw(object: &Object, values: NonNull<Raw>) -> *mut Object {
    match object.as_func() {
        // SAFETY: the object is a function of this store, and the rest is the contract.
        Some(_) => unsafe { (object.store().raw_entry)(object, values) },
        None => enter_nothing(object, std::ptr::null(), std::ptr::null_mut()),
    }
}

/// The entry in stores of type `S` whose guests are not subject to interruption.
///
/// # Safety
/// As for [`RawEntry`].
pub unsafe extern "C" fn enter_raw_engine<S: CallNumeric>(object: &Object, values: NonNull<Raw>) -> *mut Object {
    // SAFETY: the object is a function.
    let func = unsafe { object.as_func().unwrap_unchecked() };
    if func.is_host() || !S::has_raw_numeric(&func.ty) {
        // SAFETY: the contract is the same.
        return unsafe { enter_raw_any(object, values) };
    }
    // SAFETY: the function is of an engine whose stores are `S`, and of a type that they can call so.
    let call = |store: &Store| unsafe { store.backend_as::<S>().call_raw_numeric(func, values) };
    guarded(object, call, engine_trap::<S>)
}

/// The entry in all other stores.
///
/// # Safety
/// As for [`RawEntry`].
pub unsafe extern "C" fn enter_raw_any(object: &Object, values: NonNull<Raw>) -> *mut Object {
    let call = |store: &Store| {
        // SAFETY: the object is a function.
        let func = unsafe { object.as_func().unwrap_unchecked() };
        check_raw(&func.ty).map_err(|error| store.error_trap(error))?;
        // SAFETY: there are no references, and the rest is the contract.
        unsafe { call_raw(object, func, values) }
    };
    guarded(object, call, |_, trap| trap)
}

/// Calls a function whose type has no references.
///
/// # Safety
/// As for [`RawEntry`]; and `func` is the object's body.
pub(super) unsafe fn call_raw(object: &Object, func: &Func, values: NonNull<Raw>) -> Result<(), Handle> {
    let store = object.store();
    if func.is_raw_host() {
        // SAFETY: it is such a function, and the values are as the contract says.
        return unsafe { func.invoke_raw(object, values.as_ptr()) }.map_err(|trap| host_trap(object, trap));
    }
    if func.is_host() {
        // SAFETY: there is a value for each parameter and room for each result; other host functions than those above
        // have no vectors.
        return unsafe { with_numbers(func, values, |args, results| call_checked(object, func, args, results)) };
    }
    let supervised = store.begin_call();
    let answer = match supervised {
        // SAFETY: the function is of this store's engine, and the values are as the contract says.
        Ok(_supervised) => unsafe { store.backend().call_raw(func, values) },
        Err(code) => Err(Box::new(Failure::Trap(code, Vec::new()))),
    };
    answer.map_err(|failure| store.trap(*failure, func.origin()))
}

/// Runs `call` in the object's store. An error becomes a trap through `trap`. A panic becomes a trap as well: a call
/// that did not finish must not look as if it had.
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

/// Ends a call with a trap. Returns null only if making the trap for a panic panicked as well.
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
/// Values of a reference kind in `args` hold null or live handles.
pub(super) unsafe fn call_any(object: &Object, args: &[Val], results: &mut [MaybeUninit<Val>]) -> Result<(), Handle> {
    let store = object.store();
    let Some(func) = object.as_func() else { return Err(without_body(store)) };
    // SAFETY: references in `args` are null or live, as the contract says.
    if let Err(error) = unsafe { check_args(store, &func.ty, args) } {
        return Err(store.error_trap(error));
    }
    match results.get_mut(..func.ty.result_kinds.len()) {
        // SAFETY: the arguments were checked, and `results` was cut to the number of results.
        Some(results) => unsafe { call_checked(object, func, args, results) },
        // SAFETY: the arguments were checked.
        None => unsafe { call_dropping_results(object, func, args, results) },
    }
}

/// Calls a function that has more results than the caller has room for.
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
    // SAFETY: the caller has checked the arguments, and there is room for exactly the results.
    unsafe { call_checked(object, func, args, &mut room) }?;
    let (kept, dropped) = room.split_at_mut(results.len());
    results.copy_from_slice(kept);
    // SAFETY: the call has initialised all results, and nothing else refers to those beyond the caller's room.
    dropped.iter_mut().for_each(|value| unsafe { value.assume_init_mut().release() });
    Ok(())
}

/// # Safety
/// The arguments fit the function's type, and there is room for exactly its results.
unsafe fn call_checked(
    object: &Object,
    func: &Func,
    args: &[Val],
    results: &mut [MaybeUninit<Val>],
) -> Result<(), Handle> {
    let store = object.store();
    if func.is_host() {
        // Results are not written directly to `results`: see `enter_host`.
        return with_lent_room(results.len(), |room| {
            // SAFETY: the arguments were checked, and the room has a place for each result.
            unsafe { func.invoke::<false>(object, &ValVec::of(args), room, false) }
                .map_err(|trap| host_trap(object, trap))?;
            results.copy_from_slice(room);
            Ok(())
        });
    }
    if func.entity.get().is_none() {
        return Err(without_body(store));
    }
    // SAFETY: the function has an entity, so it is one of this store's engine; the arguments were checked and there
    // is room for the results.
    let mut call = || unsafe { store.backend().call(func, args, results) };
    let answer = match store.begin_call() {
        Ok(_supervised) => call(),
        Err(code) => Err(Box::new(Failure::Trap(code, Vec::new()))),
    };
    answer.map_err(|failure| store.trap(*failure, func.origin()))
}

#[cold]
fn without_body(store: &Store) -> Handle {
    store.error_trap(Error::new(ErrorKind::Internal, "a function has neither a callback nor a body in the engine"))
}

/// # Safety
/// As for [`call_any`].
unsafe fn check_args(store: &Store, ty: &FuncType, args: &[Val]) -> Result<()> {
    let fits = ty.numeric && args.len() == ty.param_kinds.len() && are_of_kinds(args, &ty.param_kinds);
    // SAFETY: references in `args` are null or live, as the contract says.
    if fits { Ok(()) } else { unsafe { check_args_fully(store, ty, args) } }
}

fn are_of_kinds(values: &[Val], kinds: &[ValKind]) -> bool {
    values.iter().zip(kinds).all(|(value, kind)| value.kind == *kind as u8)
}

/// Makes the whole check, including references, and reports what is wrong.
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
        // SAFETY: if `arg` is a reference, it is null or live, as the contract says.
        unsafe { check_value(store, arg, *param, || format!("argument {}", position + 1))? };
    }
    Ok(())
}
