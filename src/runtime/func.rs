//! Functions and calls in both directions.

use super::error::{Error, ErrorKind, Result};
use super::interruption::Supervisor;
use super::object::{Body, Handle, HostData, Object, Retained};
use super::store::{Running, Store};
use super::trap::{Cause, Trap};
use super::types::{FuncType, ValKind, ValType};
use super::value::{Val, heap_room, with_room};
use crate::backend::{CallNumeric, Entity, Failure};
use std::cell::OnceCell;
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

/// A `wasm_val_vec_t`: what callbacks get and give.
#[repr(C)]
pub struct ValVec {
    pub size: usize,
    pub data: *mut Val,
}

impl ValVec {
    fn of(values: &[Val]) -> ValVec {
        ValVec { size: values.len(), data: values.as_ptr().cast_mut() }
    }

    /// The values; none if there is no array for them.
    ///
    /// # Safety
    /// The vector is valid, as C understands it.
    #[inline(always)]
    unsafe fn values(&self) -> &[Val] {
        // SAFETY: as promised by the caller.
        if self.data.is_null() { &[] } else { unsafe { std::slice::from_raw_parts(self.data, self.size) } }
    }

    /// The vector, if it has exactly so many values. One that has them in no array has none.
    ///
    /// # Safety
    /// The pointer is null or valid.
    #[inline(always)]
    unsafe fn exactly<'a, const COUNT: usize>(this: *const ValVec) -> Option<Exactly<'a, COUNT>> {
        const EMPTY: ValVec = ValVec { size: 0, data: std::ptr::null_mut() };
        // SAFETY: as promised by the caller.
        match unsafe { this.as_ref() } {
            // SAFETY: an array of none is anywhere.
            None => (COUNT == 0).then(|| (&EMPTY, unsafe { NonNull::dangling().as_ref() })),
            Some(vector) if vector.size != COUNT => None,
            // SAFETY: as above.
            Some(vector) if COUNT == 0 => Some((vector, unsafe { NonNull::dangling().as_ref() })),
            // SAFETY: the array is that long.
            Some(vector) => unsafe { vector.data.cast::<[Val; COUNT]>().as_ref() }.map(|values| (vector, values)),
        }
    }

    /// The first so many places of the vector, if it has them.
    ///
    /// # Safety
    /// The pointer is null or valid, and nobody else uses the values.
    #[inline(always)]
    unsafe fn room<'a, const COUNT: usize>(this: *mut ValVec) -> Option<&'a mut [MaybeUninit<Val>]> {
        // SAFETY: as promised by the caller.
        match unsafe { this.as_ref() } {
            _ if COUNT == 0 => Some(&mut []),
            // SAFETY: the vector is valid, and at least as long.
            Some(vector) if vector.size >= COUNT && !vector.data.is_null() => {
                Some(unsafe { std::slice::from_raw_parts_mut(vector.data.cast(), COUNT) })
            }
            _ => None,
        }
    }
}

pub type CallbackPlain = unsafe extern "C" fn(*const ValVec, *mut ValVec) -> *mut Object;
pub type CallbackWithEnv = unsafe extern "C" fn(*mut c_void, *const ValVec, *mut ValVec) -> *mut Object;

/// What engines and the web agree on as the most parameters, and the most results, a function may have.
const MAX_ARITY: usize = 1000;

/// How many kinds of values a function has at hand.
const FEW: usize = 8;

pub enum Callback {
    Plain(CallbackPlain),
    WithEnv(CallbackWithEnv),
}

pub struct Func {
    /// The first kinds of the results and then the parameters, where calls of most functions find all of them.
    kinds: [ValKind; FEW],
    pub ty: FuncType,
    /// The engine's function. A host function gets one when WebAssembly first sees it.
    pub entity: OnceCell<Entity>,
    source: Source,
}

/// Whose function it is.
enum Source {
    Host(Callback, HostData),
    Engine(Origin),
}

/// Of an exported function: the instance that defines it, and its index there.
pub type Origin = Option<(NonNull<Object>, u32)>;

impl Func {
    /// A function that the engine has.
    pub fn in_engine(ty: FuncType, entity: Entity, origin: Origin) -> Func {
        let kinds = first_kinds(&ty);
        Func { kinds, ty, entity: OnceCell::from(entity), source: Source::Engine(origin) }
    }

    pub fn is_host(&self) -> bool {
        matches!(self.source, Source::Host(..))
    }

    pub fn origin(&self) -> Origin {
        match self.source {
            Source::Host(..) => None,
            Source::Engine(origin) => origin,
        }
    }

    /// How C calls this function, which is one of `store`.
    fn entry(&self, store: &Store) -> Entry {
        match self.source {
            Source::Host(..) => host_entry(&self.ty),
            Source::Engine(_) if store.supervisor().is_some() => enter_any,
            Source::Engine(_) => store.backend().entry(&self.ty),
        }
    }

    /// The kind of a result. It is not looked up where the type is known to have `only_i32`.
    ///
    /// # Safety
    /// The function has a result at this position.
    #[inline(always)]
    pub unsafe fn result_kind(&self, position: usize, only_i32: bool) -> ValKind {
        match self.kinds.get(position) {
            _ if only_i32 => ValKind::I32,
            Some(kind) => *kind,
            // SAFETY: as promised by the caller.
            None => unsafe { *self.ty.result_kinds.get_unchecked(position) },
        }
    }

    /// The kind of a parameter, like [`Func::result_kind`].
    ///
    /// # Safety
    /// The function has so many results, and a parameter at this position.
    #[inline(always)]
    pub unsafe fn param_kind(&self, results: usize, position: usize, only_i32: bool) -> ValKind {
        match self.kinds.get(results + position) {
            _ if only_i32 => ValKind::I32,
            Some(kind) => *kind,
            // SAFETY: as promised by the caller.
            None => unsafe { *self.ty.param_kinds.get_unchecked(position) },
        }
    }

    /// Makes a host function, which owns its environment.
    pub fn new_host(store: &Store, ty: FuncType, callback: Callback, env: HostData) -> Result<Handle> {
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
        let kinds = first_kinds(&ty);
        let func = Func { kinds, ty, entity: OnceCell::new(), source: Source::Host(callback, env) };
        Ok(Object::create(store, Body::Func(func)))
    }
}

fn first_kinds(ty: &FuncType) -> [ValKind; FEW] {
    let mut kinds = [ValKind::I32; FEW];
    kinds.iter_mut().zip(ty.result_kinds.iter().chain(&ty.param_kinds)).for_each(|(slot, kind)| *slot = *kind);
    kinds
}

/// Whether `wasm_val_t` can carry every value of a type.
pub fn carried(ty: ValType) -> bool {
    use super::types::ValKind::*;
    ty.exact && matches!(ty.kind, I32 | I64 | F32 | F64 | ExternRef | FuncRef)
}

impl Object {
    /// The engine's function for this function object.
    #[inline]
    pub fn func_entity(&self, func: &Func) -> Entity {
        *func.entity.get_or_init(|| {
            let store = self.store();
            // From here on the engine may call it at any time: it lives as long as the store.
            let object = Retained::new(self);
            // SAFETY: the object outlives the backend's store, see `Store::close`.
            let entity = unsafe { store.backend().new_func(object.as_ptr(), &func.ty) };
            store.retain(object);
            entity
        })
    }
}

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
        Body::Func(func) => func.entry(store),
        _ => enter_nothing,
    }
}

/// The entry of what is no function. A deleted object has no store for a trap to belong to any more.
#[cold]
pub extern "C" fn enter_nothing(object: &Object, _: *const ValVec, _: *mut ValVec) -> *mut Object {
    let error = || Error::misuse(format!("wasm_func_call: expected a function, got a {}", object.body.name()));
    if object.is_deleted() {
        super::error::record(&error());
        return std::ptr::null_mut();
    }
    guarded(object, |store| Err(store.error_trap(error())), |_, trap| trap)
}

/// An expression for each small number of parameters and results, in which these are constants, `PARAMS` and `RESULTS`, and
/// so is whether all of them are of type i32, `ONLY_I32`: calls with numbers only then need no loops, and most of them need
/// not look up what is what. `None` for others.
macro_rules! by_arity {
    ($ty:expr, $expression:expr) => {
        crate::runtime::func::by_arity!($ty, $expression, 0 1 2 3 4 5 6)
    };
    ($ty:expr, $expression:expr, $($params:literal)*) => {
        match ($ty.numeric, $ty.only_i32, $ty.params.len(), $ty.results.len()) {
            $(
                (true, true, $params, 0) => crate::runtime::func::by_arity!(true, $params, 0, $expression),
                (true, true, $params, 1) => crate::runtime::func::by_arity!(true, $params, 1, $expression),
                (true, true, $params, 2) => crate::runtime::func::by_arity!(true, $params, 2, $expression),
                (true, false, $params, 0) => crate::runtime::func::by_arity!(false, $params, 0, $expression),
                (true, false, $params, 1) => crate::runtime::func::by_arity!(false, $params, 1, $expression),
                (true, false, $params, 2) => crate::runtime::func::by_arity!(false, $params, 2, $expression),
            )*
            _ => None,
        }
    };
    ($only_i32:literal, $params:literal, $results:literal, $expression:expr) => {
        Some({
            const ONLY_I32: bool = $only_i32;
            const PARAMS: usize = $params;
            const RESULTS: usize = $results;
            $expression
        })
    };
}
pub(crate) use by_arity;

/// The entry of functions of a type in an engine whose stores are `S`.
pub fn engine_entry<S: CallNumeric>(ty: &FuncType) -> Entry {
    by_arity!(ty, enter_engine::<S, ONLY_I32, PARAMS, RESULTS> as Entry).unwrap_or(enter_any)
}

fn host_entry(ty: &FuncType) -> Entry {
    by_arity!(ty, enter_host::<ONLY_I32, PARAMS, RESULTS> as Entry).unwrap_or(enter_any)
}

unsafe extern "C" fn enter_engine<S: CallNumeric, const ONLY_I32: bool, const PARAMS: usize, const RESULTS: usize>(
    object: &Object,
    args: *const ValVec,
    results: *mut ValVec,
) -> *mut Object {
    let call = |store: &Store, func: &Func, (_, args): Exactly<PARAMS>, results: &mut [MaybeUninit<Val>]| {
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
    let failure = unsafe { store.backend_as::<S>() }.failure(error);
    store.trap(*failure, object.as_func().and_then(Func::origin))
}

unsafe extern "C" fn enter_host<const ONLY_I32: bool, const PARAMS: usize, const RESULTS: usize>(
    object: &Object,
    args: *const ValVec,
    results: *mut ValVec,
) -> *mut Object {
    let call = |_: &Store, func: &Func, (args, _): Exactly<PARAMS>, results: &mut [MaybeUninit<Val>]| {
        // Arguments and results may be the same memory, as the caller likes; the callback's own are not.
        let mut room = [const { MaybeUninit::uninit() }; RESULTS];
        // SAFETY: this is the entry of host functions. The arguments fit.
        unsafe { func.invoke::<true>(object, args, &mut room, ONLY_I32) }?;
        results.copy_from_slice(&room);
        Ok(())
    };
    // SAFETY: as promised by the caller.
    unsafe { enter::<ONLY_I32, PARAMS, RESULTS, _>(object, args, results, call, host_trap) }
}

/// The trap for what a host function returned.
fn host_trap(object: &Object, trap: Handle) -> Handle {
    object.store().returned(trap, |_| ())
}

/// A vector of so many values, and these.
type Exactly<'a, const COUNT: usize> = (&'a ValVec, &'a [Val; COUNT]);

/// Enters a function that takes and gives so many numbers, by `call`; with anything amiss it is entered as any other.
///
/// # Safety
/// As for [`Entry`], of which this is the part that does not depend on who executes the function.
#[inline(always)]
unsafe fn enter<const ONLY_I32: bool, const PARAMS: usize, const RESULTS: usize, E>(
    object: &Object,
    args: *const ValVec,
    results: *mut ValVec,
    call: impl FnOnce(&Store, &Func, Exactly<PARAMS>, &mut [MaybeUninit<Val>]) -> Result<(), E>,
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
unsafe extern "C" fn enter_any(object: &Object, args: *const ValVec, results: *mut ValVec) -> *mut Object {
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
        Ok(Err(error)) => stopped(running, || trap(object, error)),
        Err(panic) => stopped(running, || trap_of_panic(object.store(), panic)),
    }
}

/// Ends a call with a trap, or without if making one panics.
#[cold]
#[inline(never)]
fn stopped(running: Running, trap: impl FnOnce() -> Handle) -> *mut Object {
    let trap = catch_unwind(AssertUnwindSafe(trap)).map_err(super::error::record_panic);
    drop(running);
    trap.map_or(std::ptr::null_mut(), Handle::into_raw)
}

fn trap_of_panic(store: &Store, panic: Box<dyn std::any::Any + Send>) -> Handle {
    super::error::record_panic(panic);
    let message = b"internal error; the last error says more".to_vec();
    Trap::new(Cause::Error(ErrorKind::Internal), message).into_handle(store)
}

/// # Safety
/// Values in `args` that are of a reference kind hold null or live handles.
unsafe fn call_any(object: &Object, args: &[Val], results: &mut [MaybeUninit<Val>]) -> Result<(), Handle> {
    let store = object.store();
    let Some(func) = object.as_func() else { return Ok(()) };
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
        return with_room(results.len(), |room| {
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
    let answer = match store.supervisor().map(Supervisor::enter) {
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

/// Calls the host function `object` on behalf of WebAssembly. Arguments stay the caller's; results are initialised on
/// success. On failure the trap is the store's pending one.
///
/// # Safety
/// `object` is a host function, arguments fit its type and `results` has room for exactly its results. `NUMERIC` and
/// `only_i32` only if its type is so.
#[inline(always)]
pub unsafe fn invoke_host<const NUMERIC: bool>(
    object: &Object,
    args: &[Val],
    results: &mut [MaybeUninit<Val>],
    only_i32: bool,
) -> Result<(), HostTrapped> {
    // SAFETY: as promised by the caller.
    let answer = unsafe {
        let func = object.as_func().unwrap_unchecked();
        func.invoke::<NUMERIC>(object, &ValVec::of(args), results, only_i32)
    };
    answer.map_err(|trap| {
        object.store().set_pending_trap(trap);
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

impl Func {
    /// Calls the host function `object`.
    ///
    /// # Safety
    /// It is this one. Otherwise as for [`invoke_host`].
    #[inline(always)]
    unsafe fn invoke<const NUMERIC: bool>(
        &self,
        object: &Object,
        args: &ValVec,
        results: &mut [MaybeUninit<Val>],
        only_i32: bool,
    ) -> Result<(), Handle> {
        // SAFETY: as promised by the caller.
        let Source::Host(callback, env) = &self.source else { unsafe { std::hint::unreachable_unchecked() } };
        // SAFETY: there are as many.
        let kind = |position: usize| unsafe { self.result_kind(position, only_i32) };
        // What the callback does not write is zero.
        for (position, slot) in results.iter_mut().enumerate() {
            slot.write(Val::zero(kind(position)));
        }
        let mut given = ValVec { size: results.len(), data: results.as_mut_ptr().cast() };
        // SAFETY: C promised a callback of this shape when it made the function.
        let trap = unsafe {
            match callback {
                Callback::Plain(callback) => callback(args, &mut given),
                Callback::WithEnv(callback) => callback(env.pointer, args, &mut given),
            }
        };
        // SAFETY: written above, and by the callback.
        let results = unsafe { &mut *(std::ptr::from_mut(results) as *mut [Val]) };
        if let Some(trap) = NonNull::new(trap) {
            // SAFETY: what the callback has written is ours.
            return Err(unsafe { taken_trap(object.store(), &self.ty, results, trap) });
        }
        if NUMERIC && results.iter().enumerate().all(|(position, value)| value.kind == kind(position) as u8) {
            return Ok(());
        }
        // SAFETY: the callback leaves values as C understands them.
        unsafe { check_results(object.store(), &self.ty, results) }
    }
}

/// Takes over the trap that a callback returned, and releases the results that it wrote.
///
/// # Safety
/// Results of a reference kind hold null or owned handles.
#[cold]
unsafe fn taken_trap(store: &Store, ty: &FuncType, results: &mut [Val], trap: NonNull<Object>) -> Handle {
    if !ty.numeric {
        // SAFETY: as promised by the caller.
        results.iter_mut().for_each(|value| unsafe { value.release() });
    }
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
