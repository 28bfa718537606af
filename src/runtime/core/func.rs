//! Functions, and calls of the host's. How C calls either is in [`super::entry`].

use super::engine_traits::Entity;
use super::object::{Body, Handle, Object, Retained, Typed};
use super::store::Store;
use super::value::{Val, ValVec, free_data};
use crate::runtime::base::error::{Error, ErrorKind, Result};
use crate::runtime::base::float_mode;
use crate::runtime::base::host_data::HostData;
use crate::runtime::base::types::{FuncType, ValKind, ValType};
use std::cell::OnceCell;
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

pub type CallbackPlain = unsafe extern "C" fn(*const ValVec, *mut ValVec) -> *mut Object;
pub type CallbackWithEnv = unsafe extern "C" fn(*mut c_void, *const ValVec, *mut ValVec) -> *mut Object;

/// What engines and the web agree on as the most parameters, and the most results, a function may have.
const MAX_ARITY: usize = 1000;

/// The number of kinds that a function has in itself, where a call finds them without following a pointer.
const KINDS_AT_HAND: usize = 8;

pub enum Callback {
    Plain(CallbackPlain),
    WithEnv(CallbackWithEnv),
}

pub struct Func {
    /// The first kinds of the results and then the parameters, where calls of most functions find all of them.
    kinds: [ValKind; KINDS_AT_HAND],
    pub ty: FuncType,
    /// The engine's function. A host function gets one when WebAssembly first sees it.
    pub entity: OnceCell<Entity>,
    implementation: Implementation,
}

/// Whose function it is.
enum Implementation {
    Host(Callback, HostData),
    Engine(Origin),
}

/// Of an exported function: the instance that defines it, and its index there.
pub type Origin = Option<(NonNull<Object>, u32)>;

impl Func {
    /// A function that the engine has.
    pub fn of_engine(ty: FuncType, entity: Entity, origin: Origin) -> Func {
        let kinds = first_kinds(&ty);
        Func { kinds, ty, entity: OnceCell::from(entity), implementation: Implementation::Engine(origin) }
    }

    pub fn is_host(&self) -> bool {
        matches!(self.implementation, Implementation::Host(..))
    }

    pub fn origin(&self) -> Origin {
        match self.implementation {
            Implementation::Host(..) => None,
            Implementation::Engine(origin) => origin,
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
        let func = Func { kinds, ty, entity: OnceCell::new(), implementation: Implementation::Host(callback, env) };
        Ok(Object::create(store, Body::Func(func)))
    }
}

fn first_kinds(ty: &FuncType) -> [ValKind; KINDS_AT_HAND] {
    let mut kinds = [ValKind::I32; KINDS_AT_HAND];
    kinds.iter_mut().zip(ty.result_kinds.iter().chain(&ty.param_kinds)).for_each(|(slot, kind)| *slot = *kind);
    kinds
}

/// Whether `wasm_val_t` can carry every value of a type.
pub fn carried(ty: ValType) -> bool {
    use crate::runtime::base::types::ValKind::*;
    ty.exact && matches!(ty.kind, I32 | I64 | F32 | F64 | ExternRef | FuncRef)
}

/// Fails unless values of a type can go through C.
pub fn check_carried(ty: ValType, what: &str) -> Result<()> {
    if carried(ty) {
        return Ok(());
    }
    let message = format!("{what} of type {ty} cannot be made or written through wasm_val_t and wasm_ref_t");
    Err(Error::new(ErrorKind::Unsupported, message))
}

impl Typed<'_, &Func> {
    /// The engine's function. A host function gets one here, if it has none yet.
    #[inline]
    pub fn in_engine(self) -> Entity {
        *self.entity.get_or_init(|| {
            let store = self.store();
            // From here on the engine may call it at any time: it lives as long as the store.
            let object = Retained::new(self.object);
            // SAFETY: the object outlives the backend's store, see `Store::close`.
            let entity = unsafe { store.backend().new_func(object.as_ptr(), &self.ty) };
            store.retain(object);
            entity
        })
    }
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
    let host_float_mode = &object.store().host_float_mode;
    float_mode::for_host(host_float_mode);
    // SAFETY: as promised by the caller.
    let answer = unsafe {
        let func = object.as_func().unwrap_unchecked();
        func.invoke::<NUMERIC>(object, &ValVec::of(args), results, only_i32)
    };
    // The callback may have set another.
    float_mode::for_guest(host_float_mode);
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
    pub(super) unsafe fn invoke<const NUMERIC: bool>(
        &self,
        object: &Object,
        args: &ValVec,
        results: &mut [MaybeUninit<Val>],
        only_i32: bool,
    ) -> Result<(), Handle> {
        // SAFETY: as promised by the caller.
        let Implementation::Host(callback, env) = &self.implementation else {
            unsafe { std::hint::unreachable_unchecked() }
        };
        // SAFETY: there are as many.
        let kind = |position: usize| unsafe { self.result_kind(position, only_i32) };
        // What the callback does not write is zero.
        for (position, slot) in results.iter_mut().enumerate() {
            slot.write(Val::zero(kind(position)));
        }
        let room = results.as_mut_ptr().cast();
        let mut given = ValVec { size: results.len(), data: room };
        // SAFETY: C promised a callback of this shape when it made the function.
        let trap = unsafe {
            match callback {
                Callback::Plain(callback) => callback(args, &mut given),
                Callback::WithEnv(callback) => callback(env.pointer, args, &mut given),
            }
        };
        // SAFETY: written above, and by the callback.
        let results = unsafe { &mut *(std::ptr::from_mut(results) as *mut [Val]) };
        if given.data != room {
            // SAFETY: the callback has put a vector of its own there, or none.
            unsafe { take_replaced(&self.ty, results, given) };
        }
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

/// Takes the results from the vector that a callback has put in the place of the one that it was given. Bindings do so that make
/// vectors with `wasm_val_vec_new` alone.
///
/// # Safety
/// The vector is valid, as C understands it, and owned; results of a reference kind hold null or owned handles.
#[cold]
#[inline(never)]
unsafe fn take_replaced(ty: &FuncType, results: &mut [Val], given: ValVec) {
    // SAFETY: as promised by the caller.
    let values =
        if given.data.is_null() { &mut [] } else { unsafe { std::slice::from_raw_parts_mut(given.data, given.size) } };
    let (values, surplus) = values.split_at_mut(values.len().min(results.len()));
    for (position, result) in results.iter_mut().enumerate() {
        // SAFETY: as promised by the caller.
        unsafe { result.release() };
        *result = values.get(position).copied().unwrap_or(Val::zero(ty.result_kinds[position]));
    }
    // SAFETY: as promised by the caller; those that were not surplus have just been taken.
    unsafe {
        surplus.iter_mut().for_each(|value| value.release());
        free_data(given.data);
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
