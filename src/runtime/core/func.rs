//! Function objects, and calls of host callbacks. Calls from C are in [`super::entry`].

use super::caller::Link;
use super::engine_traits::Entity;
use super::module::Module;
use super::object::{Body, Handle, Object, Retained, Typed};
use super::store::Store;
use super::value::{Raw, Val, ValVec, free_data, with_room};
use crate::runtime::base::error::{Error, ErrorKind, Result};
use crate::runtime::base::float_mode;
use crate::runtime::base::host_data::HostData;
use crate::runtime::base::options::Proposal;
use crate::runtime::base::types::{FuncType, Heap, ValKind, ValType};
use std::cell::OnceCell;
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

pub type CallbackPlain = unsafe extern "C" fn(*const ValVec, *mut ValVec) -> *mut Object;
pub type CallbackWithEnv = unsafe extern "C" fn(*mut c_void, *const ValVec, *mut ValVec) -> *mut Object;

/// A host function that gets its arguments, and leaves its results, as they are.
pub type CallbackRaw = unsafe extern "C" fn(*mut c_void, *mut Raw) -> *mut Object;

/// The largest number of parameters, and of results, of a function: the limit that engines and the web agree on.
const MAX_ARITY: usize = 1000;

/// The number of kinds that are stored in a `Func` itself, where a call finds them without following a pointer.
const KINDS_AT_HAND: usize = 8;

pub enum Callback {
    Plain(CallbackPlain),
    WithEnv(CallbackWithEnv),
    /// The environment begins with an [`Importable`].
    Importable(CallbackWithEnv),
    /// The callback is told of its caller, see [`super::caller`].
    WithCaller(CallbackWithEnv),
    /// The environment is a [`Link`].
    Linked(CallbackWithEnv),
}

/// The beginning of the environment of a function that wants to know which instances import it.
pub struct Importable {
    /// Called with itself before an instance that imports the function is made, which it may refuse, and again afterwards.
    pub imported: unsafe fn(this: NonNull<Importable>, linking: &Linking) -> Result<()>,
}

/// An instantiation, as imported functions hear of it.
pub struct Linking<'a> {
    pub module: &'a Module,
    pub imports: &'a [Retained],
    /// Once there is one.
    pub instance: Option<&'a Object>,
}

pub struct Func {
    /// The first kinds: of the results, then of the parameters. For most functions that is all of them.
    kinds: [ValKind; KINDS_AT_HAND],
    pub ty: FuncType,
    /// The engine's function. A host function gets one when WebAssembly first sees it.
    pub entity: OnceCell<Entity>,
    implementation: Implementation,
}

/// Where the function's code is.
enum Implementation {
    Host(Callback, HostData),
    RawHost(CallbackRaw, HostData),
    Engine(Origin),
}

/// For an exported function: the instance that defines it, and its index there.
pub type Origin = Option<(NonNull<Object>, u32)>;

impl Func {
    /// Makes a function whose code is in the engine.
    pub fn of_engine(ty: FuncType, entity: Entity, origin: Origin) -> Func {
        let kinds = first_kinds(&ty);
        Func { kinds, ty, entity: OnceCell::from(entity), implementation: Implementation::Engine(origin) }
    }

    pub fn is_host(&self) -> bool {
        !matches!(self.implementation, Implementation::Engine(_))
    }

    pub fn is_raw_host(&self) -> bool {
        matches!(self.implementation, Implementation::RawHost(..))
    }

    /// What wants to know which instances import the function.
    pub fn importable(&self) -> Option<NonNull<Importable>> {
        match &self.implementation {
            Implementation::Host(Callback::Importable(_), env) => NonNull::new(env.pointer.cast()),
            _ => None,
        }
    }

    /// Whether the callback wants to know which instance calls it.
    pub fn knows_caller(&self) -> bool {
        matches!(self.implementation, Implementation::Host(Callback::WithCaller(_), _))
    }

    /// The function that this one is another form of.
    pub fn link(&self) -> Option<&Link> {
        match &self.implementation {
            // SAFETY: functions with this callback are made with this environment, which lives as long as they do.
            Implementation::Host(Callback::Linked(_), env) => Some(unsafe { &*env.pointer.cast::<Link>() }),
            _ => None,
        }
    }

    /// A host function's environment.
    pub fn environment(&self) -> Option<NonNull<c_void>> {
        match &self.implementation {
            Implementation::Host(_, env) | Implementation::RawHost(_, env) => NonNull::new(env.pointer),
            Implementation::Engine(_) => None,
        }
    }

    pub fn origin(&self) -> Origin {
        match self.implementation {
            Implementation::Host(..) | Implementation::RawHost(..) => None,
            Implementation::Engine(origin) => origin,
        }
    }

    /// Returns the kind of a result, without a look at the type if that is known to be `only_i32`.
    ///
    /// # Safety
    /// The function has a result at this position.
    #[inline(always)]
    pub unsafe fn result_kind(&self, position: usize, only_i32: bool) -> ValKind {
        match self.kinds.get(position) {
            _ if only_i32 => ValKind::I32,
            Some(kind) => *kind,
            // SAFETY: the contract says that there is a result at this position.
            None => unsafe { *self.ty.result_kinds.get_unchecked(position) },
        }
    }

    /// Returns the kind of a parameter, as [`Func::result_kind`] does for a result.
    ///
    /// # Safety
    /// The function has `results` results, and a parameter at this position.
    #[inline(always)]
    pub unsafe fn param_kind(&self, results: usize, position: usize, only_i32: bool) -> ValKind {
        match self.kinds.get(results + position) {
            _ if only_i32 => ValKind::I32,
            Some(kind) => *kind,
            // SAFETY: the contract says that there is a parameter at this position.
            None => unsafe { *self.ty.param_kinds.get_unchecked(position) },
        }
    }

    /// Makes a host function, which owns `env`.
    pub fn new_host(store: &Store, ty: FuncType, callback: Callback, env: HostData) -> Result<Handle> {
        if let Some(ty) = ty.uncarried() {
            let message =
                format!("a host function cannot receive or return values of type {ty}: wasm_val_t cannot carry them");
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        if !ty.numeric {
            check_func_type(store, &ty)?;
        }
        Func::new_host_of(store, ty, Implementation::Host(callback, env))
    }

    /// Makes a host function that gets raw values and owns `env`. Its type has no references.
    pub fn new_raw_host(store: &Store, ty: FuncType, callback: CallbackRaw, env: HostData) -> Result<Handle> {
        check_raw(&ty)?;
        check_func_type(store, &ty)?;
        Func::new_host_of(store, ty, Implementation::RawHost(callback, env))
    }

    fn new_host_of(store: &Store, ty: FuncType, implementation: Implementation) -> Result<Handle> {
        if ty.params.len().max(ty.results.len()) > MAX_ARITY {
            let (params, results) = (ty.params.len(), ty.results.len());
            let message = format!(
                "a function can have at most {MAX_ARITY} parameters and as many results, not {params} and {results}"
            );
            return Err(Error::new(ErrorKind::Limit, message));
        }
        let kinds = first_kinds(&ty);
        let func = Func { kinds, ty, entity: OnceCell::new(), implementation };
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
    ty.kind != ValKind::V128
}

/// Fails if the store's engine does not have a type that the host makes something of.
pub fn check_type(store: &Store, ty: ValType) -> Result<()> {
    if ty.is_plain() { Ok(()) } else { check_special_type(store, ty) }
}

#[cold]
fn check_special_type(store: &Store, ty: ValType) -> Result<()> {
    let Some(heap) = ty.heap else { return Ok(()) };
    let proposal = match heap {
        Heap::Exn | Heap::NoExn => Proposal::Exceptions,
        Heap::Func | Heap::Extern => Proposal::FunctionReferences,
        _ => Proposal::Gc,
    };
    store.engine().check_has(proposal, &format_args!("value of type {ty}"))?;
    match ty.defined {
        Some(defined) => store.backend().check_defined(defined, &format!("the type {ty}")),
        None => Ok(()),
    }
}

/// Fails if the store's engine does not have a function type.
pub fn check_func_type(store: &Store, ty: &FuncType) -> Result<()> {
    ty.types().try_for_each(|ty| check_type(store, ty))?;
    match ty.defined {
        Some(defined) => store.backend().check_defined(defined, &format!("the type {ty}")),
        None => Ok(()),
    }
}

/// Fails if a type has references, which have no raw form.
#[inline]
pub fn check_raw(ty: &FuncType) -> Result<()> {
    if ty.numeric { Ok(()) } else { check_no_references(ty) }
}

#[cold]
fn check_no_references(ty: &FuncType) -> Result<()> {
    let Some(ty) = ty.params.iter().chain(ty.results.iter()).find(|ty| ty.kind.is_reference()) else { return Ok(()) };
    let message =
        format!("the function's type has a {ty}: references cannot be passed unchecked, only numbers and vectors");
    Err(Error::new(ErrorKind::Unsupported, message))
}

/// Fails if values of a type cannot pass through C as a `wasm_val_t`.
pub fn check_carried(ty: ValType, what: &str) -> Result<()> {
    if carried(ty) {
        return Ok(());
    }
    let message = format!("{what} of type {ty} cannot be created or written so: wasm_val_t cannot carry its values");
    Err(Error::new(ErrorKind::Unsupported, message))
}

impl<'a> Typed<'a, &'a Func> {
    /// Returns the engine's function. A host function gets one here if it has none yet.
    #[inline(always)]
    pub fn in_engine(self) -> Entity {
        *self.body.entity.get().unwrap_or_else(|| self.make_in_engine())
    }

    #[cold]
    fn make_in_engine(self) -> &'a Entity {
        self.body.entity.get_or_init(|| {
            let store = self.store();
            // From now on the engine may call the function at any time, so it has to live as long as the store.
            let object = Retained::new(self.object);
            // SAFETY: the store retains the object below, and drops it only after the backend's store, see
            // `Store::close`.
            let entity = unsafe { store.backend().new_func(object.as_ptr(), &self.ty) };
            store.retain(object);
            entity
        })
    }
}

/// Checks that a value may be used where `expected` is required, in this store.
///
/// # Safety
/// If the value is of a reference kind, it holds null or a live handle.
pub unsafe fn check_value(store: &Store, value: &Val, expected: ValType, role: impl Fn() -> String) -> Result<()> {
    // SAFETY: the contract says that a reference is null or a live handle.
    let object = unsafe { value.reference() };
    // SAFETY: the contract says that a reference is null or a live handle.
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
        Some(object) if !expected.exact => check_narrow(store, object, expected, role),
        _ => Ok(()),
    }
}

/// Checks a reference of the right kind against a type that does not have all of that kind.
#[cold]
fn check_narrow(store: &Store, object: &Object, expected: ValType, role: impl Fn() -> String) -> Result<()> {
    // SAFETY: the caller has checked that the object is of this store, and of the type's kind.
    match unsafe { store.backend().admits(expected, object) }? {
        true => Ok(()),
        false => {
            let ty = match (object.as_func(), object.as_gc()) {
                (Some(func), _) => format!(" {}", func.ty),
                // SAFETY: the caller has checked that the object is of this store.
                (_, Some(gc)) => unsafe { store.backend().gc_type(gc) }.map_or(String::new(), |ty| format!(" {ty}")),
                _ => String::new(),
            };
            let name = object.body.name();
            Err(Error::misuse(format!("{}: expected {expected}, got a reference to a {name}{ty}", role())))
        }
    }
}

/// Calls the host function `object` on behalf of WebAssembly. The caller keeps its arguments; the results are
/// initialised on success. On failure the trap becomes the store's pending one.
///
/// # Safety
/// `object` is a host function, the arguments fit its type, and `results` has room for exactly its results. `NUMERIC`
/// and `only_i32` may only be true if all of its types are numbers, or i32; `NUMERIC` also not if it gets raw values.
#[inline(always)]
pub unsafe fn invoke_host<const NUMERIC: bool>(
    object: &Object,
    args: &[Val],
    results: &mut [MaybeUninit<Val>],
    only_i32: bool,
) -> Result<(), HostTrapped> {
    let host_float_mode = &object.store().host_float_mode;
    float_mode::for_host(host_float_mode);
    // SAFETY: `object` is a host function, so it is a function; the rest of the contract is that of `invoke`.
    let answer = unsafe {
        let func = object.as_func().unwrap_unchecked();
        func.invoke::<NUMERIC>(object, &ValVec::of(args), results, only_i32)
    };
    // The callback may have changed the mode.
    float_mode::for_guest(host_float_mode);
    answer.map_err(|trap| {
        object.store().set_pending_trap(trap);
        HostTrapped
    })
}

/// Calls a host function that gets raw values on behalf of WebAssembly. On failure the trap becomes the store's pending
/// one.
///
/// # Safety
/// `object` is such a function, and `values` has its arguments and room for its results.
#[inline(always)]
pub unsafe fn invoke_raw_host(object: &Object, values: *mut Raw) -> Result<(), HostTrapped> {
    let host_float_mode = &object.store().host_float_mode;
    let changes = float_mode::is_kept(host_float_mode);
    float_mode::for_host(host_float_mode);
    // SAFETY: `object` is a function, and the rest of the contract is that of `invoke_raw`.
    let answer = unsafe { object.as_func().unwrap_unchecked().invoke_raw(object, values) };
    // The callback has left the mode as it was.
    if changes {
        float_mode::for_guest(host_float_mode);
    }
    answer.map_err(|trap| {
        object.store().set_pending_trap(trap);
        HostTrapped
    })
}

/// A host function trapped. Its trap is the store's pending one.
#[derive(Debug)]
pub struct HostTrapped;

impl std::fmt::Display for HostTrapped {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("a host function trapped")
    }
}

impl std::error::Error for HostTrapped {}

impl Func {
    /// Calls the host function `object`, which gets raw values.
    ///
    /// # Safety
    /// `object` is the object whose body is `self`; otherwise the contract of [`invoke_raw_host`].
    #[inline(always)]
    pub unsafe fn invoke_raw(&self, object: &Object, values: *mut Raw) -> Result<(), Handle> {
        // SAFETY: the contract says that this is such a function.
        let Implementation::RawHost(callback, env) = &self.implementation else {
            unsafe { std::hint::unreachable_unchecked() }
        };
        // SAFETY: C passed the callback when it made the function, and says that it keeps to the type.
        match NonNull::new(unsafe { callback(env.pointer, values) }) {
            None => Ok(()),
            // SAFETY: the callback has given up the trap's handle.
            Some(trap) => Err(unsafe { taken_trap(object.store(), &self.ty, &mut [], trap) }),
        }
    }

    /// Calls the host function `object`, which gets raw values, with arguments that have their kinds.
    ///
    /// # Safety
    /// As for [`Func::invoke`].
    #[inline(never)]
    unsafe fn invoke_raw_by_values(
        &self,
        object: &Object,
        args: &ValVec,
        results: &mut [MaybeUninit<Val>],
    ) -> Result<(), Handle> {
        with_room(args.size.max(results.len()), |values| {
            // SAFETY: the arguments fit the function's type, whose types are numbers if there are such values, so their
            // bits can be read; `values` has a place for each of them and each result.
            unsafe {
                for ((slot, arg), kind) in values.iter_mut().zip(args.values()).zip(&self.ty.param_kinds) {
                    slot.write(Raw::of_bits(*kind, arg.bits(false)));
                }
                // What the callback does not write is zero.
                values[args.size..].iter_mut().for_each(|slot| _ = slot.write(Raw { u64: 0 }));
                self.invoke_raw(object, values.as_mut_ptr().cast())?;
                for ((slot, value), kind) in results.iter_mut().zip(values).zip(&self.ty.result_kinds) {
                    Val::write_bits(slot, *kind, value.assume_init_ref().bits(*kind));
                }
            }
            Ok(())
        })
    }

    /// Calls the host function `object`.
    ///
    /// # Safety
    /// `object` is the object whose body is `self`; otherwise the contract of [`invoke_host`].
    #[inline(always)]
    pub(super) unsafe fn invoke<const NUMERIC: bool>(
        &self,
        object: &Object,
        args: &ValVec,
        results: &mut [MaybeUninit<Val>],
        only_i32: bool,
    ) -> Result<(), Handle> {
        if !NUMERIC && self.is_raw_host() {
            // SAFETY: the contract is the same.
            return unsafe { self.invoke_raw_by_values(object, args, results) };
        }
        // SAFETY: the contract says that this is a host function, and of which kind.
        let Implementation::Host(callback, env) = &self.implementation else {
            unsafe { std::hint::unreachable_unchecked() }
        };
        // SAFETY: `results` has a place for each result and no more, and only such positions are asked for.
        let kind = |position: usize| unsafe { self.result_kind(position, only_i32) };
        // Results that the callback does not write are zero.
        for (position, slot) in results.iter_mut().enumerate() {
            slot.write(Val::zero(kind(position)));
        }
        let room = results.as_mut_ptr().cast();
        let mut given = ValVec { size: results.len(), data: room };
        // SAFETY: C passed a callback of this type when it made the function. `args` is a valid vector of arguments
        // that fit, and `given` has an initialised place for each result.
        let trap = unsafe {
            match callback {
                Callback::Plain(callback) => callback(args, &mut given),
                Callback::WithEnv(callback)
                | Callback::Importable(callback)
                | Callback::WithCaller(callback)
                | Callback::Linked(callback) => callback(env.pointer, args, &mut given),
            }
        };
        // SAFETY: the loop above has initialised all results.
        let results = unsafe { &mut *(std::ptr::from_mut(results) as *mut [Val]) };
        if given.data != room {
            // SAFETY: the callback has put a vector of its own there, or one without an array, and has given up
            // ownership of it.
            unsafe { take_replaced(&self.ty, results, given) };
        }
        if let Some(trap) = NonNull::new(trap) {
            // SAFETY: results of a reference kind are null, or handles that the callback has given up.
            return Err(unsafe { taken_trap(object.store(), &self.ty, results, trap) });
        }
        if NUMERIC && results.iter().enumerate().all(|(position, value)| value.kind == kind(position) as u8) {
            return Ok(());
        }
        // SAFETY: results of a reference kind are null, or handles that the callback has given up.
        unsafe { check_results(object.store(), &self.ty, results) }
    }
}

/// Takes the results from the vector that a callback has put in the place of the one that it was given. Some language
/// bindings do that, because they make vectors only with `wasm_val_vec_new`.
///
/// # Safety
/// The vector is valid by the rules of `wasm.h`, and owned. Values of a reference kind, in it and in `results`, are
/// null or owned handles.
#[cold]
#[inline(never)]
unsafe fn take_replaced(ty: &FuncType, results: &mut [Val], given: ValVec) {
    // Where no values are, C may have any address.
    let values = match given.size == 0 || given.data.is_null() {
        true => &mut [],
        // SAFETY: in a valid vector `data` points to `size` initialised values then.
        false => unsafe { std::slice::from_raw_parts_mut(given.data, given.size) },
    };
    let (values, surplus) = values.split_at_mut(values.len().min(results.len()));
    for (position, result) in results.iter_mut().enumerate() {
        // SAFETY: the contract says that references in `results` are null or owned handles.
        unsafe { result.release() };
        *result = values.get(position).copied().unwrap_or(Val::zero(ty.result_kinds[position]));
    }
    // SAFETY: the surplus values own their references, the others were moved to `results`; the array was allocated as
    // C allocates vectors, and nothing uses it any more.
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
        // SAFETY: the contract says that references in `results` are null or owned handles.
        results.iter_mut().for_each(|value| unsafe { value.release() });
    }
    // SAFETY: the callback gave up a handle. If it has deleted that as well, then during this call, so the memory is
    // still in quarantine.
    let object = unsafe { trap.as_ref() };
    if object.is_deleted() {
        return store.error_trap(Error::misuse("the host function returned a trap that it had deleted"));
    }
    // SAFETY: the object is not deleted, so the handle that the callback gave up still counts.
    unsafe { Handle::from_raw(object) }
}

/// # Safety
/// Results of a reference kind hold null or owned handles.
#[inline(never)]
unsafe fn check_results(store: &Store, ty: &FuncType, results: &mut [Val]) -> Result<(), Handle> {
    let check = results.iter().zip(ty.results.iter()).enumerate().try_for_each(|(position, (value, ty))| {
        // SAFETY: the contract says that references in `results` are null or owned handles.
        unsafe { check_value(store, value, *ty, || format!("result {} of the host function", position + 1)) }
    });
    match check {
        Ok(()) => {
            // A reference may have been passed as one of another kind, see `Val::fits`.
            for (value, ty) in results.iter_mut().zip(ty.results.iter()) {
                value.kind = ty.kind as u8;
            }
            Ok(())
        }
        Err(error) => {
            // SAFETY: the contract says that references in `results` are null or owned handles.
            results.iter_mut().for_each(|value| unsafe { value.release() });
            Err(store.error_trap(error))
        }
    }
}
