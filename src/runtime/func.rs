//! Functions and calls in both directions.

use super::error::{Error, ErrorKind, Result};
use super::interruption::Supervisor;
use super::object::{Body, Finalizer, Handle, Object, Retained};
use super::store::Store;
use super::types::{FuncType, ValKind, ValType};
use super::value::{Room, Val, each, heap_room};
use crate::backend::{Entity, Failure};
use std::cell::OnceCell;
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

/// A `wasm_val_vec_t`: what callbacks get and give.
#[repr(C)]
pub struct ValVec {
    pub size: usize,
    pub data: *mut Val,
}

pub type CallbackPlain = unsafe extern "C" fn(*const ValVec, *mut ValVec) -> *mut Object;
pub type CallbackWithEnv = unsafe extern "C" fn(*mut c_void, *const ValVec, *mut ValVec) -> *mut Object;

/// What engines and the web agree on as the most parameters, and the most results, a function may have.
const MAX_ARITY: usize = 1000;

pub enum Callback {
    Plain(CallbackPlain),
    WithEnv(CallbackWithEnv),
}

pub struct Func {
    pub ty: FuncType,
    /// The engine's function. A host function gets one when WebAssembly first sees it.
    pub entity: OnceCell<Entity>,
    pub host: Option<HostFunc>,
    /// For an export: the instance that defines it, and its index there.
    pub origin: Option<(NonNull<Object>, u32)>,
}

pub struct HostFunc {
    callback: Callback,
    env: *mut c_void,
    finalizer: Finalizer,
}

impl Drop for HostFunc {
    fn drop(&mut self) {
        if let Some(finalizer) = self.finalizer {
            // SAFETY: C gave this function for this environment, and the function that owned both is gone.
            unsafe { finalizer(self.env) };
        }
    }
}

impl Func {
    pub fn in_engine(ty: FuncType, entity: Entity, origin: Option<(NonNull<Object>, u32)>) -> Func {
        Func { ty, entity: OnceCell::from(entity), host: None, origin }
    }

    /// Makes a host function. The finalizer is called for `env` when the function is gone, or right here on failure.
    pub fn new_host(
        store: &Store,
        ty: FuncType,
        callback: Callback,
        env: *mut c_void,
        finalizer: Finalizer,
    ) -> Result<Handle> {
        let host = HostFunc { callback, env, finalizer };
        if ty.params.len().max(ty.results.len()) > MAX_ARITY {
            let (params, results) = (ty.params.len(), ty.results.len());
            let message =
                format!("a function has at most {MAX_ARITY} parameters and results, not {params} and {results}");
            return Err(Error::new(ErrorKind::Limit, message));
        }
        if let Some(ty) = ty.params.iter().chain(ty.results.iter()).find(|ty| !carried(**ty)) {
            let message = format!("a host function cannot take or give values of type {ty} through wasm_val_t");
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        let func = Func { ty, entity: OnceCell::new(), host: Some(host), origin: None };
        Ok(Object::create(store, Body::Func(func)).into_handle())
    }
}

/// Whether `wasm_val_t` can carry every value of a type.
pub fn carried(ty: ValType) -> bool {
    use super::types::ValKind::*;
    ty.exact && matches!(ty.kind, I32 | I64 | F32 | F64 | ExternRef | FuncRef)
}

impl Object {
    /// The engine's function for this function object.
    pub fn func_entity(&self, func: &Func) -> Entity {
        *func.entity.get_or_init(|| {
            let store = self.store();
            // From here on the engine may call it at any time: it lives as long as the store.
            let object = Retained::new(self);
            // SAFETY: the object outlives the backend's store, see `Store::close`.
            let entity = unsafe { store.backend().new_func(object.as_ptr(), &func.ty) };
            store.enter_function(object);
            entity
        })
    }
}

/// Calls a function from the host. Results beyond the room in `results` are released; on a trap, which is returned,
/// nothing is written.
///
/// # Safety
/// Values in `args` that are of a reference kind hold null or live handles.
#[inline(always)]
pub unsafe fn call(object: &Object, args: &[Val], results: &mut [MaybeUninit<Val>]) -> Option<Handle> {
    let Some(func) = object.as_func() else { return refuse_call(object) };
    let store = object.store();
    // SAFETY: as promised by the caller.
    if let Err(error) = unsafe { check_args(store, &func.ty, args) } {
        return Some(store.error_trap(error));
    }
    store.run(|store| {
        let arity = func.ty.result_kinds.len();
        let trap = match results.get_mut(..arity) {
            // SAFETY: the arguments were checked, and there is room for all results.
            Some(results) => unsafe { call_checked(object, func, args, results) },
            // SAFETY: the arguments were checked.
            None => unsafe { call_dropping_results(object, func, args, results) },
        };
        store.settle();
        trap
    })
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
) -> Option<Handle> {
    let mut room = heap_room(func.ty.result_kinds.len());
    // SAFETY: the arguments were checked, and there is room for all results.
    let trap = unsafe { call_checked(object, func, args, &mut room) };
    if trap.is_none() {
        let (kept, dropped) = room.split_at_mut(results.len());
        results.copy_from_slice(kept);
        // SAFETY: the call has written all of them, and nobody else has those beyond the caller's room.
        dropped.iter_mut().for_each(|value| unsafe { value.assume_init_mut().release() });
    }
    trap
}

/// # Safety
/// The arguments fit the function's type; there is exactly room for its results.
#[inline(always)]
unsafe fn call_checked(object: &Object, func: &Func, args: &[Val], results: &mut [MaybeUninit<Val>]) -> Option<Handle> {
    if let Some(host) = &func.host {
        // SAFETY: as promised by the caller.
        return unsafe { call_host(object.store(), host, &func.ty, args, results) };
    }
    let store = object.store();
    let Some(entity) = func.entity.get() else { return Some(without_body(store)) };
    if let Some(supervisor) = store.supervisor() {
        // SAFETY: as promised by the caller.
        return unsafe { call_supervised(store, supervisor, func, entity, args, results) };
    }
    // SAFETY: the entity is this store's, and the values were checked.
    match unsafe { store.backend().call(entity, &func.ty, args, results) } {
        Ok(()) => None,
        Err(failure) => Some(store.trap(*failure, func.origin)),
    }
}

/// Calls into WebAssembly that may be interrupted.
///
/// # Safety
/// The arguments fit the function's type; there is exactly room for its results. The entity is of the store.
#[inline(never)]
unsafe fn call_supervised(
    store: &Store,
    supervisor: &Supervisor,
    func: &Func,
    entity: &Entity,
    args: &[Val],
    results: &mut [MaybeUninit<Val>],
) -> Option<Handle> {
    let failure = match supervisor.enter() {
        // SAFETY: as promised by the caller.
        Ok(_supervised) => unsafe { store.backend().call(entity, &func.ty, args, results) }.err()?,
        Err(code) => Box::new(Failure::Trap(code, Vec::new())),
    };
    Some(store.trap(*failure, func.origin))
}

/// Calls a host function from the host, without the engine.
///
/// # Safety
/// The arguments fit the function's type; there is exactly room for its results.
#[inline(always)]
unsafe fn call_host(
    store: &Store,
    host: &HostFunc,
    ty: &FuncType,
    args: &[Val],
    results: &mut [MaybeUninit<Val>],
) -> Option<Handle> {
    // Arguments and results may be the same memory, as the caller likes; the callback's own are not.
    let mut room = Room::uninitialised();
    let mut heap;
    let room = match room.get(results.len()) {
        Some(room) => room,
        None => {
            heap = heap_room(results.len());
            &mut heap
        }
    };
    // SAFETY: the room is for as many results as the type has.
    match unsafe { host.invoke(store, ty, args, room) } {
        Ok(()) => {
            // SAFETY: the room is for as many.
            each(results.len(), |position| unsafe {
                *results.get_unchecked_mut(position) = *room.get_unchecked(position)
            });
            None
        }
        Err(trap) => Some(store.returned(trap, |_| ())),
    }
}

#[cold]
fn without_body(store: &Store) -> Handle {
    store.error_trap(Error::new(ErrorKind::Internal, "a function is neither the host's nor the engine's"))
}

/// Answers a call of what is no function. A deleted object has no store for a trap to belong to any more.
#[cold]
fn refuse_call(object: &Object) -> Option<Handle> {
    let error = wrong_kind(object);
    if object.is_deleted() {
        super::error::record(&error);
        return None;
    }
    Some(object.store().error_trap(error))
}

#[cold]
fn wrong_kind(object: &Object) -> Error {
    Error::misuse(format!("expected a function, got a {}", object.body.name()))
}

/// # Safety
/// As for [`call`].
#[inline(always)]
unsafe fn check_args(store: &Store, ty: &FuncType, args: &[Val]) -> Result<()> {
    let fits = ty.numeric && args.len() == ty.param_kinds.len() && are_of_kinds(args, &ty.param_kinds);
    // SAFETY: as promised by the caller.
    if fits { Ok(()) } else { unsafe { check_args_fully(store, ty, args) } }
}

#[inline(always)]
fn are_of_kinds(values: &[Val], kinds: &[ValKind]) -> bool {
    let mut same = true;
    // SAFETY: below both lengths.
    each(kinds.len().min(values.len()), |position| unsafe {
        same &= values.get_unchecked(position).kind == *kinds.get_unchecked(position) as u8;
    });
    same
}

/// The whole check: references, and what exactly is wrong.
///
/// # Safety
/// As for [`call`].
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

/// Checks that a value may stand where `expected` is asked for, in this store.
///
/// # Safety
/// If the value is of a reference kind, it holds null or a live handle.
pub unsafe fn check_value(store: &Store, value: &Val, expected: ValType, role: impl Fn() -> String) -> Result<()> {
    // SAFETY: as promised by the caller.
    let object = unsafe { value.reference() };
    // SAFETY: likewise.
    if !unsafe { value.fits(expected) } {
        let got = match object {
            Some(object) => format!("a reference to a {}", object.body.name()),
            None if ValKind::from_number(value.kind).is_some_and(ValKind::is_reference) => "null".to_string(),
            None => value.kind_name(),
        };
        return Err(Error::misuse(format!("{}: expected {expected}, got {got}", role())));
    }
    match object {
        Some(object) if !store.is(object.store()) => store.check_own(object, &role()),
        _ => Ok(()),
    }
}

/// Calls the host function `func` on behalf of WebAssembly. Arguments stay the caller's; results are initialised on
/// success. On failure the trap is the store's pending one.
///
/// # Safety
/// `func` is a host function, arguments fit its type and `results` has room for its results.
#[inline(always)]
pub unsafe fn invoke_host(object: &Object, args: &[Val], results: &mut [MaybeUninit<Val>]) -> Result<(), HostTrapped> {
    let store = object.store();
    let Some(Func { ty, host: Some(host), .. }) = object.as_func() else {
        store.set_pending_trap(store.error_trap(wrong_kind(object)));
        return Err(HostTrapped);
    };
    // SAFETY: as promised by the caller.
    unsafe { host.invoke(store, ty, args, results) }.map_err(|trap| {
        store.set_pending_trap(trap);
        HostTrapped
    })
}

/// A host function trapped; its trap is the store's pending one.
#[derive(Debug)]
pub struct HostTrapped;

impl std::fmt::Display for HostTrapped {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("a host function trapped")
    }
}

impl std::error::Error for HostTrapped {}

impl HostFunc {
    /// # Safety
    /// Arguments fit `ty`, and `results` has room for exactly its results.
    #[inline(always)]
    unsafe fn invoke(
        &self,
        store: &Store,
        ty: &FuncType,
        args: &[Val],
        results: &mut [MaybeUninit<Val>],
    ) -> Result<(), Handle> {
        // What the callback does not write is zero.
        let kinds = &ty.result_kinds;
        // SAFETY: below both lengths.
        each(results.len().min(kinds.len()), |position| unsafe {
            results.get_unchecked_mut(position).write(Val::zero(*kinds.get_unchecked(position)));
        });
        let args = ValVec { size: args.len(), data: args.as_ptr().cast_mut() };
        let mut given = ValVec { size: results.len(), data: results.as_mut_ptr().cast() };
        // SAFETY: C promised a callback of this shape when it made the function.
        let trap = unsafe {
            match self.callback {
                Callback::Plain(callback) => callback(&args, &mut given),
                Callback::WithEnv(callback) => callback(self.env, &args, &mut given),
            }
        };
        // SAFETY: written above, and by the callback.
        let results = unsafe { &mut *(std::ptr::from_mut(results) as *mut [Val]) };
        if let Some(trap) = NonNull::new(trap) {
            if !ty.numeric {
                // SAFETY: what the callback has written is ours.
                results.iter_mut().for_each(|value| unsafe { value.release() });
            }
            return Err(taken_trap(store, trap));
        }
        let fit = ty.numeric && results.iter().zip(ty.results.iter()).all(|(value, ty)| value.kind == ty.kind as u8);
        if fit {
            return Ok(());
        }
        // SAFETY: the callback leaves values as C understands them.
        unsafe { check_results(store, ty, results) }
    }
}

/// Takes over the trap that a callback returned.
#[cold]
fn taken_trap(store: &Store, trap: NonNull<Object>) -> Handle {
    // SAFETY: the callback gave up a handle; if it had deleted it before, then not long ago.
    let object = unsafe { trap.as_ref() };
    if object.is_deleted() {
        return store.error_trap(Error::misuse("the host function returned a trap that it had deleted"));
    }
    // SAFETY: as above.
    unsafe { Handle::from_raw(object) }
}

/// # Safety
/// Results of a reference kind hold null or owned handles.
#[inline(never)]
unsafe fn check_results(store: &Store, ty: &FuncType, results: &mut [Val]) -> Result<(), Handle> {
    let check = results.iter().zip(ty.results.iter()).enumerate().try_for_each(|(position, (value, ty))| {
        // SAFETY: as promised by the caller.
        unsafe { check_value(store, value, *ty, || format!("result {} of the host function", position + 1)) }
    });
    match check {
        Ok(()) => {
            // A reference may have come as one of another kind, see `Val::fits`.
            for (value, ty) in results.iter_mut().zip(ty.results.iter()) {
                value.kind = ty.kind as u8;
            }
            Ok(())
        }
        Err(error) => {
            // SAFETY: as promised by the caller.
            results.iter_mut().for_each(|value| unsafe { value.release() });
            Err(store.error_trap(error))
        }
    }
}
