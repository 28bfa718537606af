//! A store of wasmtime, entered from the host and re-entered from host functions.

use super::messages::{self, in_words};
use super::stack::{self, LimitPlace};
use super::types::{
    MAX_TYPES, MemoryEntity, Types, any_root, from_engine, from_extern, from_func, from_number, from_ref, memory_type,
    to_engine, to_extern, to_number, to_ref, unrooted,
};
use super::{Code, Sites, WasmtimeModule, identity};
use crate::backend::common::{Arguments, Contexts, HostObject, Nested, Owner, Stopped};
use crate::runtime::base::error::{Error, ErrorKind, Result};
use crate::runtime::base::limits::Growth;
use crate::runtime::base::trap_code::TrapCode;
use crate::runtime::base::types::{
    Defined, ExternKind, ExternType, FuncType, GlobalType, Heap, MemoryType, TableType, ValKind, ValType,
};
use crate::runtime::binary::declarations::Import;
use crate::runtime::binary::trap_sites::TrapSites;
use crate::runtime::core::arity::{ByArity, by_arity};
use crate::runtime::core::caller::Calling;
use crate::runtime::core::engine_traits::{
    CallNumeric, Entity, Failure, FuncKey, Module, Prepared, RawFrame, SharedMemory, Store, Thrown, call_as_numbers,
};
use crate::runtime::core::entry::{Entry, RawEntry, engine_entry, enter_any, enter_raw_any, enter_raw_engine};
use crate::runtime::core::exception::Carried;
use crate::runtime::core::func::{Func, HostTrapped, invoke_host, invoke_raw_host};
use crate::runtime::core::gc::{self, Gc};
use crate::runtime::core::guest::Guest;
use crate::runtime::core::object::{Handle, Object, Retained, Tag, Typed};
use crate::runtime::core::store::Store as RuntimeStore;
use crate::runtime::core::value::{LentRoom, Raw, Room, Val, with_lent_room, with_room};
use rustc_hash::FxHashMap;
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::Arc;
use wasmtime::{
    AnyRef, ArrayRef, AsContext, AsContextMut, Caller, Extern, FieldType, GcHeapOutOfMemory, HeapType, I31,
    InstancePre, OutOfMemory, Ref, RefType, RootScope, Rooted, StorageType, StoreContextMut, StructRef, Trap,
    UpdateDeadline, ValRaw,
};
use wasmtime_environ::{HostPtr, PtrSize};

/// Lets the runtime decide how much a store may have, and lifts the engine's own limits on numbers.
impl wasmtime::ResourceLimiter for Owner {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let growth = self.get().limits().memory_growing(current, desired, maximum);
        self.get().memory_will_grow();
        answer(growth)
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let growth = self.get().limits().table_growing(current, desired, maximum);
        // Without this check the engine would end the guest with an error, instead of returning -1.
        if matches!(growth, Growth::Allowed) && !is_room_for_elements(current, desired) {
            self.get().limits().growth_failed();
            return Ok(false);
        }
        answer(growth)
    }

    /// The engine does not call this for tables whose growth was counted: it reports only sizes that it did not ask
    /// about before.
    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        // Nor for memories whose type forbids the size: the engine reports these without having asked.
        if !messages::is_beyond_type(&error) {
            self.get().limits().growth_failed();
        }
        Ok(())
    }

    fn instances(&self) -> usize {
        usize::MAX
    }

    fn tables(&self) -> usize {
        usize::MAX
    }

    fn memories(&self) -> usize {
        usize::MAX
    }
}

fn answer(growth: Growth) -> wasmtime::Result<bool> {
    match growth {
        Growth::Allowed => Ok(true),
        Growth::Denied => Ok(false),
        Growth::Trap(code) => Err(Stopped(code).into()),
    }
}

/// Whether there is enough memory for a table to grow, by the engine's way of allocating: it keeps the old elements
/// until all are copied, and allocates twice the former capacity, if that is more than is needed.
fn is_room_for_elements(current: usize, desired: usize) -> bool {
    let elements = desired.max(desired.saturating_mul(2).min(current.saturating_mul(4)));
    let mut room = Vec::<usize>::new();
    let found = room.try_reserve_exact(elements).is_ok();
    // Keeps the compiler from removing the allocation.
    std::hint::black_box(&mut room);
    found
}

/// Checks whether the guest may go on that called a host function, which may have taken long.
#[inline]
fn go_on_after(host: &Object) -> wasmtime::Result<()> {
    match host.store().must_stop() {
        Some(code) => Err(Stopped(code).into()),
        None => Ok(()),
    }
}

/// Checks whether a guest may go on, when the epoch has changed.
fn go_on(owner: &RuntimeStore) -> wasmtime::Result<UpdateDeadline> {
    match owner.must_stop() {
        Some(code) => Err(Stopped(code).into()),
        None => Ok(UpdateDeadline::Continue(1)),
    }
}

type Context = StoreContextMut<'static, Owner>;

pub struct WasmtimeStore {
    contexts: Contexts<Context>,
    owner: Owner,
    /// The most stack that guests may use, and the place where the engine reads how much is left.
    stack: usize,
    stack_limit: LimitPlace,
    /// For an engine with fuel: how much more fuel the engine's store has than the account.
    reserve: Option<Cell<u64>>,
    types: Arc<Types>,
    /// The sites of modules that were instantiated in this store, by the module's identity.
    sites: RefCell<FxHashMap<usize, Arc<Sites>>>,
    /// The shared memories that entities refer to.
    #[allow(clippy::vec_box)] // entities have their addresses
    shared: RefCell<Vec<Box<wasmtime::SharedMemory>>>,
    /// Owns what `contexts` points to, and is not used otherwise.
    _store: wasmtime::Store<Owner>,
}

impl WasmtimeStore {
    pub fn new(
        engine: &wasmtime::Engine,
        types: &Arc<Types>,
        owner: NonNull<RuntimeStore>,
        fuel: bool,
        interruption: bool,
        stack: usize,
    ) -> WasmtimeStore {
        let owner = Owner(owner);
        let mut store = wasmtime::Store::new(engine, owner);
        store.limiter(|owner| owner);
        if interruption {
            store.set_epoch_deadline(1);
            store.epoch_deadline_callback(|context| go_on(context.data().get()));
        }
        // SAFETY: the engine's store is on the heap and does not move. From now on this context is the only way to
        // it, and is dropped together with it.
        let contexts = unsafe {
            Contexts::new(std::mem::transmute::<StoreContextMut<'_, Owner>, Context>(store.as_context_mut()))
        };
        let reserve = fuel.then(Cell::default);
        let store = WasmtimeStore {
            contexts,
            owner,
            stack,
            stack_limit: LimitPlace::default(),
            reserve,
            types: types.clone(),
            sites: RefCell::default(),
            shared: RefCell::default(),
            _store: store,
        };
        if fuel {
            store.set_fuel(0);
        }
        store
    }

    /// See [`Contexts::innermost`].
    #[inline(always)]
    fn context(&self) -> Context {
        self.contexts.innermost()
    }

    fn owner(&self) -> &RuntimeStore {
        self.owner.get()
    }

    /// Must be called before `func` is, and its answer kept while `func` runs.
    // The mode is no function that is passed: all entries would share the code of that, instead of each having its own.
    #[inline(always)]
    fn begin_guest<const IN_DEFAULT_MODE: bool>(
        &self,
        func: wasmtime::Func,
    ) -> wasmtime::Result<stack::LimitedGuest<'_>> {
        let place = self.stack_limit.of_call(self.context(), func)?;
        let guest = match IN_DEFAULT_MODE {
            true => Guest::begin_in_default_mode(self.owner(), self.stack),
            false => Guest::begin(self.owner(), self.stack),
        }
        .map_err(Stopped)?;
        // SAFETY: the place belongs to this store, and the guest runs in it.
        Ok(unsafe { stack::LimitedGuest::new(guest, place) })
    }

    /// Makes a host function whose callback knows its caller.
    fn new_func_with_caller(&self, host: HostObject, engine_type: wasmtime::FuncType, ty: &FuncType) -> wasmtime::Func {
        if !ty.numeric {
            return wasmtime::Func::new(self.context(), engine_type, move |mut caller, params, results| {
                let (host, calling) = (host.get(), calling(&mut caller));
                host.store().called_by(calling.as_ref(), || call_reference_host(host, caller, params, results))
            });
        }
        let (params, results) = (ty.params.len(), ty.results.len());
        // SAFETY: the closure reads and writes raw values of the type that it is declared with.
        unsafe {
            wasmtime::Func::new_unchecked(self.context(), engine_type, move |mut caller, values| {
                let (host, calling) = (host.get(), calling(&mut caller));
                host.store().called_by(calling.as_ref(), || {
                    with_room(params, |args| {
                        with_lent_room(results, |results| {
                            call_numeric_host(host, caller, values, args, results, false)?;
                            go_on_after(host)
                        })
                    })
                })
            })
        }
    }

    /// Calls a function with values that are the engine's. DEFAULT_MODE says that the thread is in the default
    /// floating-point mode.
    ///
    /// # Safety
    /// As for [`Store::call_raw`].
    #[inline(always)]
    unsafe fn call_raw_in<const DEFAULT_MODE: bool>(&self, func: &Func, values: NonNull<Raw>) -> wasmtime::Result<()> {
        let room = func.ty.param_kinds.len().max(func.ty.result_kinds.len());
        let values = std::ptr::slice_from_raw_parts_mut(values.as_ptr().cast::<ValRaw>(), room);
        // SAFETY: the contract says that `func` is a function of this store's engine, that its type has no references,
        // which need rooting, and that there are values for the parameters and room for the results.
        unsafe {
            let callee = engine_func(func);
            let _guest = self.begin_guest::<DEFAULT_MODE>(callee)?;
            callee.call_unchecked(self.context(), values)
        }
    }

    /// Takes the exception that left WebAssembly out of the engine's store, which would never free it.
    fn take_thrown(&self) -> Option<Thrown> {
        let mut scope = RootScope::new(self.context());
        let exception = scope.as_context_mut().take_pending_exception()?;
        let tag = Entity::new(exception.tag(&mut scope).ok()?);
        let fields: Vec<_> = exception.fields(scope.as_context_mut()).ok()?.collect();
        let mut values = Vec::with_capacity(fields.len());
        let converted = fields.into_iter().try_for_each(|field| {
            values.push(from_engine(&mut scope, self.owner(), field)?);
            Ok(())
        });
        // SAFETY: the values own their references, which are given up here.
        let payload = unsafe {
            let payload = Carried::of(&values);
            values.iter_mut().for_each(|value| value.release());
            payload
        };
        Some(Thrown { tag, payload: converted.map(|()| payload) })
    }

    /// Checks what is to be a field or an element. Without a value, it is zero or null. No context may be in use.
    ///
    /// # Safety
    /// A reference in the value is null or a live handle.
    unsafe fn check_part(&self, field: &FieldType, value: Option<&Val>, role: impl Fn() -> String) -> Result<()> {
        let engine_type = field.element_type().unpack();
        match value {
            // SAFETY: the contract is the same.
            Some(value) => unsafe {
                gc::check_part(self.owner(), value, self.types.runtime_val_type(engine_type), role)
            },
            None if engine_type.default_value().is_some() => Ok(()),
            None => {
                let ty = self.types.runtime_val_type(engine_type);
                Err(Error::misuse(format!("{}: its type {ty} has no default", role())))
            }
        }
    }

    /// Converts what is to be a field or an element.
    ///
    /// # Safety
    /// It has been checked.
    unsafe fn part(&self, context: impl AsContextMut, field: &FieldType, value: Option<&Val>) -> Result<wasmtime::Val> {
        let engine_type = field.element_type().unpack();
        match value {
            // SAFETY: the value fits the type, and is of this store.
            Some(value) => unsafe { to_engine(context, Types::kind(engine_type), value) },
            None => engine_type.default_value().ok_or_else(gc::unsupported),
        }
    }

    /// Keeps a shared memory until the store ends.
    fn keep_shared(&self, memory: wasmtime::SharedMemory) -> Entity {
        let memory = Box::new(memory);
        let entity = Entity::new(MemoryEntity::Shared(NonNull::from(&*memory)));
        self.shared.borrow_mut().push(memory);
        entity
    }

    fn engine_fuel(&self) -> u64 {
        self.context().get_fuel().unwrap_or(0)
    }

    /// Whether WebAssembly has used more fuel than it had. The engine only checks at the start of functions and of loop
    /// iterations, and stops if nothing is left. So it has one unit more than the account, which only an overdraft uses.
    fn is_overdrawn(&self) -> bool {
        self.reserve.as_ref().is_some_and(|reserve| reserve.get() > self.engine_fuel())
    }

    #[inline(never)]
    fn global_get_reference(&self, global: wasmtime::Global, out: &mut MaybeUninit<Val>) -> Result<()> {
        let mut scope = RootScope::new(self.context());
        let value = global.get(&mut scope);
        out.write(from_engine(&mut scope, self.owner(), value)?);
        Ok(())
    }

    #[inline(never)]
    fn table_get_rooted(&self, table: wasmtime::Table, index: u64) -> Option<Result<Option<Handle>>> {
        let mut scope = RootScope::new(self.context());
        let element = table.get(&mut scope, index)?;
        Some(from_ref(&mut scope, self.owner(), element))
    }

    fn frames(&self, error: &wasmtime::Error) -> Vec<RawFrame> {
        let backtrace = error.downcast_ref::<wasmtime::WasmBacktrace>();
        let frames = backtrace.map_or(&[][..], |backtrace| backtrace.frames());
        frames.iter().filter_map(|frame| self.frame(frame)).collect()
    }

    /// Returns a frame as it is in the original module; `None` for functions that the original does not have.
    fn frame(&self, frame: &wasmtime::FrameInfo) -> Option<RawFrame> {
        let module = identity(frame.module());
        let (mut func_offset, mut module_offset) =
            (frame.func_offset().unwrap_or(0), frame.module_offset().unwrap_or(0));
        if let Some(Sites { places, .. }) = self.sites.borrow().get(&module).map(|sites| &**sites) {
            if places.is_added(frame.func_index()) {
                return None;
            }
            let start = places.original(module_offset.saturating_sub(func_offset));
            module_offset = places.original(module_offset);
            func_offset = module_offset.saturating_sub(start);
        }
        Some(RawFrame {
            module,
            func_index: frame.func_index(),
            func_offset,
            module_offset,
            func_name: frame.func_name().map(str::to_string),
            module_name: frame.module().name().map(str::to_string),
        })
    }

    /// Returns the code that the specification requires for a trap in `frame`. Without a frame, the trap is about a
    /// segment of a module that is being instantiated.
    fn refine(&self, code: TrapCode, frame: Option<&RawFrame>) -> TrapCode {
        let Some(frame) = frame else { return code };
        match self.sites.borrow().get(&frame.module) {
            Some(sites) => sites.traps.refine(code, frame.module_offset),
            None => TrapSites::default().refine(code, frame.module_offset),
        }
    }
}

/// A struct or an array.
enum Aggregate {
    Struct(Rooted<StructRef>),
    Array(Rooted<ArrayRef>),
}

impl Aggregate {
    fn of(mut context: impl AsContextMut, gc: &Gc) -> Result<Aggregate> {
        let any = any_root(gc).map(|root| root.to_rooted(&mut context)).ok_or_else(gc::unsupported)?;
        if let Some(value) = any.as_struct(&context).map_err(unrooted)? {
            return Ok(Aggregate::Struct(value));
        }
        any.as_array(&context).map_err(unrooted)?.map(Aggregate::Array).ok_or_else(gc::unsupported)
    }

    /// What it consists of, in messages.
    fn part(&self) -> &'static str {
        match self {
            Aggregate::Struct(_) => "field",
            Aggregate::Array(_) => "element",
        }
    }

    /// The type of a field that exists, or of the elements.
    fn field_type(&self, context: impl AsContext, index: u32) -> Result<FieldType> {
        match self {
            Aggregate::Struct(value) => {
                let ty = value.ty(context).map_err(unrooted)?;
                ty.field(index as usize).ok_or_else(|| Error::misuse("the struct has no such field"))
            }
            Aggregate::Array(value) => Ok(value.ty(context).map_err(unrooted)?.field_type()),
        }
    }
}

fn vector(bytes: [u8; 16]) -> wasmtime::Val {
    wasmtime::Val::V128(u128::from_le_bytes(bytes).into())
}

fn given(handle: Option<Handle>) -> Result<Handle> {
    handle.ok_or_else(|| Error::new(ErrorKind::Internal, "the engine made null"))
}

/// Why the engine could not make an object, whose parts have been checked.
#[cold]
fn no_room(error: wasmtime::Error) -> Error {
    in_words(ErrorKind::Limit, &error)
}

/// An error of the runtime that passes through the engine.
#[derive(Debug)]
struct RuntimeError(Error);

impl std::fmt::Display for RuntimeError {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for RuntimeError {}

/// Returns the backend's store that an object belongs to.
#[inline(always)]
fn store_of(object: &Object) -> &WasmtimeStore {
    // SAFETY: only host functions that a store of this backend has made call this, with their own object, which
    // belongs to that store.
    unsafe { object.store().backend_as() }
}

/// Whether the engine's raw values, which are in little-endian order, are the runtime's.
const SAME_RAW: bool = cfg!(target_endian = "little");
const _: () = assert!(size_of::<ValRaw>() == size_of::<Raw>() && align_of::<ValRaw>() == align_of::<Raw>());

/// Room for a value that is written later.
const UNINIT: MaybeUninit<Val> = MaybeUninit::uninit();

/// Makes a host function's context the innermost until the answer is dropped.
#[inline(always)]
fn nest<'a>(object: &'a Object, caller: &mut Caller<'_, Owner>) -> wasmtime::Result<Nested<'a, Context>> {
    let starting = if object.store().is_instantiating() { calling_instance(caller) } else { None };
    // SAFETY: the caller's context outlives the answer: the functions that call this drop the answer before they use
    // `caller` again.
    let nested = unsafe {
        let context = std::mem::transmute::<StoreContextMut<'_, Owner>, Context>(caller.as_context_mut());
        store_of(object).contexts.nest(context)
    };
    if let Some(instance) = starting {
        object.store().while_instantiating(instance_key(instance), Entity::new(instance)).map_err(RuntimeError)?;
    }
    Ok(nested)
}

/// Returns the error with which a host function ends that trapped. If its trap is an exception, it is thrown. The host
/// function's context must be the innermost.
#[cold]
#[inline(never)]
fn raise(object: &Object, trapped: HostTrapped) -> wasmtime::Error {
    let owner = object.store();
    let Some(pending) = owner.take_pending_trap() else { return trapped.into() };
    let exception = pending.as_trap().and_then(|trap| trap.exception()).filter(|_| owner.is(pending.store()));
    match exception.and_then(|exception| Some((exception.tag.as_tag()?, exception.values().ok()?))) {
        Some((tag, values)) => throw(store_of(object).context(), tag, values).err().unwrap_or_else(|| trapped.into()),
        None => {
            owner.set_pending_trap(pending);
            trapped.into()
        }
    }
}

/// Always fails: with the error that makes the engine look for who catches the exception, if it could be made.
fn throw(context: Context, tag: &Tag, values: &[Val]) -> wasmtime::Result<()> {
    let mut scope = RootScope::new(context);
    // SAFETY: this backend makes entities of tags from a `wasmtime::Tag`.
    let engine_tag = unsafe { tag.entity.get::<wasmtime::Tag>() };
    let ty = wasmtime::ExnType::from_tag_type(&engine_tag.ty(&scope))?;
    let mut fields = Vec::with_capacity(values.len());
    for value in values {
        let kind = ValKind::from_number(value.kind).ok_or(RuntimeError(Error::misuse("a value of an unknown kind")))?;
        // SAFETY: the values of an exception fit its tag, and are of its store, which keeps what they refer to.
        fields.push(unsafe { to_engine(&mut scope, kind, value) }.map_err(RuntimeError)?);
    }
    let allocator = wasmtime::ExnRefPre::new(&mut scope, ty);
    let exception = wasmtime::ExnRef::new(&mut scope, &allocator, &engine_tag, &fields)?;
    scope.as_context_mut().throw(exception)
}

/// Calls a host function of numeric type. The values are raw and on the stack, and the engine does not check them.
///
/// # Safety
/// `object` is a host function of numeric type. `args` and `results` have a place for each of its parameters and
/// results, and `values` for the larger number of the two. The engine has written the arguments there.
#[inline(always)]
unsafe fn call_numeric_host(
    object: &Object,
    mut caller: Caller<'_, Owner>,
    values: &mut [MaybeUninit<ValRaw>],
    args: &mut [MaybeUninit<Val>],
    results: &mut [MaybeUninit<Val>],
    only_i32: bool,
) -> wasmtime::Result<()> {
    // SAFETY: `object` is a function, and the engine has written an argument for each parameter, as the contract
    // says.
    unsafe {
        let func = object.as_func().unwrap_unchecked();
        for (position, arg) in args.iter_mut().enumerate() {
            let kind = func.param_kind(results.len(), position, only_i32);
            Val::write_bits(arg, kind, raw_bits(values.get_unchecked(position).assume_init_ref(), kind));
        }
    }
    {
        let _nested = nest(object, &mut caller)?;
        // SAFETY: the loop above has initialised the arguments, with the kinds of the function's parameters, and
        // `results` has a place for each result.
        unsafe { invoke_host::<true>(object, &*(std::ptr::from_ref(args) as *const [Val]), results, only_i32) }
            .map_err(|trapped| raise(object, trapped))?;
    }
    for (position, result) in results.iter().enumerate() {
        // SAFETY: `invoke_host` succeeded, so the results are initialised and of their kinds; `values` has a place
        // for each.
        unsafe {
            let raw = ValRaw::u64(result.assume_init_ref().bits(only_i32));
            values.get_unchecked_mut(position).write(raw);
        }
    }
    Ok(())
}

/// A host function of numeric type, which is made for the number of its parameters and results.
struct NumericHost<'a> {
    context: &'a mut Context,
    ty: &'a wasmtime::FuncType,
    host: HostObject,
}

impl ByArity for NumericHost<'_> {
    type Out = wasmtime::Func;
    fn make<const ONLY_I32: bool, const PARAMS: usize, const RESULTS: usize>(self) -> wasmtime::Func {
        let host = self.host;
        // SAFETY: the closure reads and writes raw values of the type that it is declared with, and `by_arity` has
        // chosen the numbers of parameters and results by that type.
        unsafe {
            wasmtime::Func::new_unchecked(self.context, self.ty.clone(), move |caller, values| {
                let (mut args, mut results) = ([UNINIT; PARAMS], LentRoom::<RESULTS>::UNINIT);
                call_numeric_host(host.get(), caller, values, &mut args, results.as_mut(), ONLY_I32)
            })
        }
    }
}

/// What the store is told of the instance that calls a host function.
#[inline(always)]
fn calling(caller: &mut Caller<'_, Owner>) -> Option<Calling> {
    let instance = calling_instance(caller)?;
    Some(Calling::Engine(instance_key(instance), Entity::new(instance)))
}

/// The number of an instance in its store.
#[inline(always)]
fn instance_key(instance: wasmtime::Instance) -> usize {
    // SAFETY: the engine declares for its C API that an instance is a store's number of 64 bits and then its own of 32
    // bits. Only the latter is read.
    unsafe { (&raw const instance).cast::<u32>().add(2).read() as usize }
}

/// Returns the instance that calls. The engine has it beside the reference to the store, but shows only its exports.
#[inline(always)]
fn calling_instance(caller: &mut Caller<'_, Owner>) -> Option<wasmtime::Instance> {
    const WORD: usize = size_of::<u64>();
    const { assert!(size_of::<wasmtime::Instance>() == 2 * WORD && size_of::<usize>() == WORD) };
    const { assert!(size_of::<Caller<'_, Owner>>() == 3 * WORD && size_of::<StoreContextMut<'_, Owner>>() == WORD) };
    // SAFETY: a context is a reference to the engine's store, as the assertion says.
    let store = unsafe { std::mem::transmute::<StoreContextMut<'_, Owner>, usize>(caller.as_context_mut()) };
    let fields = std::ptr::from_ref(caller).cast::<usize>();
    // SAFETY: a caller consists of the two, in the order that the compiler chose. Either may be first; the first word of an
    // instance is the number of its store, which is read as a word where the reference is not.
    unsafe {
        match () {
            () if fields.read() == store => Some(fields.add(1).cast::<wasmtime::Instance>().read()),
            () if fields.add(2).read() == store => Some(fields.cast::<wasmtime::Instance>().read()),
            () => None,
        }
    }
}

#[inline(always)]
fn raw_bits(raw: &ValRaw, kind: ValKind) -> u64 {
    match kind.is_narrow() {
        true => raw.get_u32().into(),
        false => raw.get_u64(),
    }
}

/// # Safety
/// The function has an entity, and belongs to a store of this backend.
#[inline(always)]
unsafe fn engine_func(func: &Func) -> wasmtime::Func {
    // SAFETY: the contract says that there is an entity, and this backend makes those of functions from a
    // `wasmtime::Func`.
    unsafe { func.entity.get().unwrap_unchecked().get() }
}

/// Returns the engine's memory, or the one that stores share.
///
/// # Safety
/// The entity is a memory of a store of this backend, which is alive.
unsafe fn engine_memory(memory: &Entity) -> Result<wasmtime::Memory, &wasmtime::SharedMemory> {
    // SAFETY: this backend makes entities of memories from a `MemoryEntity`, and the store has kept a shared memory since
    // then.
    unsafe {
        match memory.get() {
            MemoryEntity::Own(memory) => Ok(memory),
            MemoryEntity::Shared(memory) => Err(memory.as_ref()),
        }
    }
}

/// Calls a host function that gets raw values, which are the engine's.
///
/// # Safety
/// `object` is such a function, and the engine has written its arguments to `values`, which has room for its results.
#[inline(always)]
unsafe fn call_raw_host(
    object: &Object,
    mut caller: Caller<'_, Owner>,
    values: &mut [MaybeUninit<ValRaw>],
) -> wasmtime::Result<()> {
    {
        let _nested = nest(object, &mut caller)?;
        // SAFETY: the contract is the same.
        unsafe { invoke_raw_host(object, values.as_mut_ptr().cast()) }.map_err(|trapped| raise(object, trapped))?;
    }
    go_on_after(object)
}

/// Calls a host function whose type has references, through the engine's checked values.
fn call_reference_host(
    object: &Object,
    mut caller: Caller<'_, Owner>,
    params: &[wasmtime::Val],
    results: &mut [wasmtime::Val],
) -> wasmtime::Result<()> {
    let owner = object.store();
    let Some(func) = object.as_func() else { return Err(HostTrapped.into()) };
    let store = store_of(object);
    let _nested = nest(object, &mut caller)?;
    with_room(params.len(), |args| {
        let convert = |param: &wasmtime::Val| from_engine(store.context(), owner, *param).map_err(RuntimeError);
        let args = Arguments::fill(args, params, convert)?;
        with_lent_room(results.len(), |room| {
            // SAFETY: the engine checks that arguments fit the function's type, and the room has a place for each
            // result.
            unsafe { invoke_host::<false>(object, args.as_slice(), room, false) }
                .map_err(|trapped| raise(object, trapped))?;
            let mut outcome = Ok(());
            for ((value, slot), kind) in room.iter_mut().zip(results).zip(&func.ty.result_kinds) {
                // SAFETY: `invoke_host` succeeded, so the results are initialised, fit their types and own their
                // references.
                unsafe {
                    let value = value.assume_init_mut();
                    match to_engine(store.context(), *kind, value) {
                        Ok(engine_value) => *slot = engine_value,
                        Err(error) => outcome = Err(error),
                    }
                    value.release();
                }
            }
            outcome.map_err(RuntimeError)?;
            go_on_after(object)
        })
    })
}

impl Store for WasmtimeStore {
    unsafe fn instantiate(
        &self,
        module: &dyn Module,
        imports: &[Retained],
        prepared: Option<&Prepared>,
    ) -> Result<Entity, Box<Failure>> {
        let Some(module) = (module as &dyn Any).downcast_ref::<WasmtimeModule>() else {
            return Err(Failure::NotInstantiated(Error::misuse("the module belongs to another backend")).into());
        };
        let Code::Module(code, _) = &module.code else {
            let message = "the module was compiled for another machine; it can only be serialized here";
            return Err(Failure::NotInstantiated(Error::new(ErrorKind::Unsupported, message)).into());
        };
        if !module.sites.is_empty() {
            self.sites.borrow_mut().insert(identity(code), module.sites.clone());
        } else if !self.sites.borrow().is_empty() {
            self.sites.borrow_mut().remove(&identity(code));
        }
        let make = || match prepared.and_then(|prepared| prepared.downcast_ref::<InstancePre<Owner>>()) {
            Some(prepared) => prepared.instantiate(self.context()),
            None if imports.is_empty() => wasmtime::Instance::new(self.context(), code, &[]),
            None => {
                // SAFETY: the contract of `Store` says that imports belong to this store.
                let engine_form = |import: &Retained| unsafe { to_extern(import) }.expect("an extern");
                let imports: Vec<_> = imports.iter().map(engine_form).collect();
                wasmtime::Instance::new(self.context(), code, &imports)
            }
        };
        let begin = || {
            let (guest, limit) = Guest::begin(self.owner(), self.stack).map_err(Stopped)?;
            let place = self.stack_limit.of_instance(self.context(), self.stack, &limit, module.sites.has_start)?;
            // SAFETY: the place belongs to this store, and the instance is made in it.
            Ok::<_, Stopped>(unsafe { stack::LimitedGuest::new((guest, limit), place) })
        };
        let overdrawn = self.is_overdrawn();
        let instance = begin().map_err(wasmtime::Error::from).and_then(|_guest| make());
        match instance {
            Ok(_) if !overdrawn && self.is_overdrawn() => Err(Failure::Trap(TrapCode::OutOfFuel, Vec::new()).into()),
            Ok(instance) => Ok(Entity::new(instance)),
            Err(error) => {
                // An error with a backtrace means that the start function has run; the other two mean that at least
                // code that prepares the instance has.
                let ran = error.downcast_ref::<wasmtime::WasmBacktrace>().is_some()
                    || error.is::<Trap>()
                    || error.is::<wasmtime::GcHeapOutOfMemory<()>>();
                let failure = self.explain(error);
                Err(Box::new(if ran { failure } else { failure.of_instantiation(messages::is_about_imports) }))
            }
        }
    }

    unsafe fn prepare(&self, module: &dyn Module, names: &[Import], imports: &[Retained]) -> Option<Prepared> {
        let Code::Module(code, _) = &(module as &dyn Any).downcast_ref::<WasmtimeModule>()?.code else { return None };
        let mut linker = wasmtime::Linker::<Owner>::new(code.engine());
        // Of several imports with one name, the linker knows one thing only.
        let mut by_name = FxHashMap::default();
        for (Import { module, name, .. }, import) in names.iter().zip(imports) {
            if *by_name.entry((module, name)).or_insert(import.as_ptr()) != import.as_ptr() {
                return None;
            }
            // SAFETY: the contract of `Store` says that imports belong to this store.
            let item = unsafe { to_extern(import) }?;
            linker.allow_shadowing(true).define(self.context(), module, name, item).ok()?;
        }
        let prepared = linker.instantiate_pre(code).ok()?;
        Some(Box::new(prepared))
    }

    fn tells_callers(&self) -> bool {
        true
    }

    unsafe fn instance_key(&self, instance: &Entity) -> usize {
        // SAFETY: this backend makes entities of instances from a `wasmtime::Instance`.
        instance_key(unsafe { instance.get::<wasmtime::Instance>() })
    }

    unsafe fn instance_module(&self, instance: &Entity) -> usize {
        // SAFETY: this backend makes entities of instances from a `wasmtime::Instance`.
        identity(unsafe { instance.get::<wasmtime::Instance>() }.module(self.context()))
    }

    fn collect_garbage(&self) -> Result<()> {
        self.context().gc(None).map_err(|error| in_words(ErrorKind::Limit, &error))
    }

    fn frees_failed_instances(&self) -> bool {
        true
    }

    unsafe fn export(&self, instance: &Entity, _module: &dyn Module, name: &str, _kind: ExternKind) -> Entity {
        // SAFETY: this backend makes entities of instances from a `wasmtime::Instance`.
        let instance = unsafe { instance.get::<wasmtime::Instance>() };
        match instance.get_export(self.context(), name) {
            Some(Extern::SharedMemory(memory)) => self.keep_shared(memory),
            export => export.and_then(from_extern).expect("the module declares this export"),
        }
    }

    unsafe fn new_func(&self, func: NonNull<Object>, ty: &FuncType) -> Entity {
        let mut context = self.context();
        let engine_type = self.types.func_type(ty);
        let host = HostObject(func);
        // Apart from the others, which are not told and lose no time.
        if host.get().as_func().is_some_and(Func::knows_caller) {
            return Entity::new(self.new_func_with_caller(host, engine_type, ty));
        }
        let raw = host.get().as_func().is_some_and(Func::is_raw_host);
        if raw && SAME_RAW {
            // SAFETY: the closure reads and writes raw values of the type that it is declared with.
            return Entity::new(unsafe {
                wasmtime::Func::new_unchecked(&mut context, engine_type, move |caller, values| {
                    call_raw_host(host.get(), caller, values)
                })
            });
        }
        if raw || !ty.numeric {
            return Entity::new(wasmtime::Func::new(&mut context, engine_type, move |caller, params, results| {
                call_reference_host(host.get(), caller, params, results)
            }));
        }
        // SAFETY: the closures read and write raw values of the type that they are declared with.
        Entity::new(unsafe {
            let few = match self.owner().supervisor() {
                None => by_arity(ty, NumericHost { context: &mut context, ty: &engine_type, host }),
                // An interruptible guest must also be stopped after a slow host function, which the next closure
                // checks.
                Some(_) => None,
            };
            let (params, results) = (ty.params.len(), ty.results.len());
            few.unwrap_or_else(|| {
                wasmtime::Func::new_unchecked(&mut context, engine_type, move |caller, values| {
                    with_room(params, |args| {
                        with_lent_room(results, |results| {
                            call_numeric_host(host.get(), caller, values, args, results, false)?;
                            go_on_after(host.get())
                        })
                    })
                })
            })
        })
    }

    /// A function that is imported and then referred to by the importing module has a second record there, with the
    /// same contents: the code, and the instance or host function that it belongs to. So the contents are the key.
    unsafe fn func_key(&self, func: &Entity) -> FuncKey {
        // SAFETY: this backend makes entities of functions from a `wasmtime::Func`.
        let record = unsafe { func.get::<wasmtime::Func>() }.to_raw(self.context()).cast::<u8>();
        let (code, owner) = (HostPtr.vm_func_ref().array_call(), HostPtr.vm_func_ref().vmctx());
        // SAFETY: the record lives as long as the store. The offsets come from the engine itself, in the same
        // version, because the two crates' versions are tied. These two fields never change.
        unsafe {
            let read = |offset: u8| record.add(offset.into()).cast::<usize>().read();
            (read(code), read(owner))
        }
    }

    unsafe fn func_type(&self, func: &Entity) -> FuncType {
        // SAFETY: this backend makes entities of functions from a `wasmtime::Func`.
        self.types.runtime_func_type(&unsafe { func.get::<wasmtime::Func>() }.ty(self.context()))
    }

    fn entry(&self, ty: &FuncType) -> Entry {
        // With fuel, the account has to be checked after each call, which the fast entry does not do.
        if self.reserve.is_some() { enter_any } else { engine_entry::<WasmtimeStore>(ty) }
    }

    unsafe fn call(&self, func: &Func, args: &[Val], results: &mut [MaybeUninit<Val>]) -> Result<(), Box<Failure>> {
        if func.ty.numeric && self.reserve.is_none() {
            // SAFETY: the contract of `Store` is that of `call_numeric`, and the type is numeric.
            return unsafe { self.call_numeric(func, args, results, func.ty.only_i32) }
                .map_err(|error| self.failure(error));
        }
        // SAFETY: the contract says that `func` is a function of this store's engine, so it has an entity.
        let callee = unsafe { engine_func(func) };
        let mut scope = RootScope::new(self.context());
        with_room(args.len(), |params| {
            for ((slot, arg), kind) in params.iter_mut().zip(args).zip(&func.ty.param_kinds) {
                // SAFETY: the contract says that the arguments fit the parameters.
                slot.write(unsafe { to_engine(&mut scope, *kind, arg) }.map_err(Failure::Error)?);
            }
            with_room(results.len(), |values| {
                values.iter_mut().for_each(|slot| _ = slot.write(wasmtime::Val::I32(0)));
                // SAFETY: both loops above have initialised all elements.
                let (params, values) = unsafe {
                    (
                        &*(std::ptr::from_ref(params) as *const [wasmtime::Val]),
                        &mut *(std::ptr::from_mut(values) as *mut [wasmtime::Val]),
                    )
                };
                let guest = self.begin_guest::<false>(callee).map_err(|error| self.failure(error))?;
                callee.call(&mut scope, params, values).map_err(|error| self.failure(error))?;
                drop(guest);
                if self.is_overdrawn() {
                    return Err(Failure::Trap(TrapCode::OutOfFuel, Vec::new()).into());
                }
                for position in 0..results.len() {
                    match from_engine(&mut scope, self.owner(), values[position]) {
                        Ok(value) => _ = results[position].write(value),
                        Err(error) => {
                            // SAFETY: the results before this one were written, and own their references.
                            results[..position].iter_mut().for_each(|slot| unsafe { slot.assume_init_mut().release() });
                            return Err(Failure::Error(error).into());
                        }
                    }
                }
                Ok(())
            })
        })
    }

    fn raw_entry(&self) -> RawEntry {
        // As for `entry`.
        if self.reserve.is_some() || !SAME_RAW { enter_raw_any } else { enter_raw_engine::<WasmtimeStore> }
    }

    unsafe fn call_raw(&self, func: &Func, values: NonNull<Raw>) -> Result<(), Box<Failure>> {
        if !SAME_RAW {
            // SAFETY: the contract is the same.
            return unsafe { call_as_numbers(self, func, values) };
        }
        // SAFETY: the contract is the same.
        unsafe { self.call_raw_in::<false>(func, values) }.map_err(|error| self.failure(error))?;
        match self.is_overdrawn() {
            true => Err(Failure::Trap(TrapCode::OutOfFuel, Vec::new()).into()),
            false => Ok(()),
        }
    }

    unsafe fn new_global(&self, ty: &GlobalType, value: &Val) -> Result<Entity> {
        let mut scope = RootScope::new(self.context());
        let mutability = if ty.mutable { wasmtime::Mutability::Var } else { wasmtime::Mutability::Const };
        let engine_type = wasmtime::GlobalType::new(self.types.val_type(ty.content), mutability);
        // SAFETY: the contract says that the value fits the type.
        let value = unsafe { to_engine(&mut scope, ty.content.kind, value)? };
        let global = wasmtime::Global::new(&mut scope, engine_type, value);
        global.map(Entity::new).map_err(|error| in_words(ErrorKind::Limit, &error))
    }

    unsafe fn global_get(&self, global: &Entity, ty: &GlobalType, out: &mut MaybeUninit<Val>) -> Result<()> {
        // SAFETY: this backend makes entities of globals from a `wasmtime::Global`.
        let global = unsafe { global.get::<wasmtime::Global>() };
        if !ty.content.kind.is_reference() {
            let (kind, bits) = from_number(&global.get(self.context()))?;
            Val::write_bits(out, kind, bits);
            return Ok(());
        }
        self.global_get_reference(global, out)
    }

    unsafe fn global_set(&self, global: &Entity, ty: &GlobalType, value: &Val) -> Result<()> {
        // SAFETY: this backend makes entities of globals from a `wasmtime::Global`.
        let global = unsafe { global.get::<wasmtime::Global>() };
        let refused = |error| in_words(ErrorKind::Misuse, &error);
        if !ty.content.kind.is_reference() {
            // SAFETY: the contract says that the value fits the type, which is a number's.
            let value = unsafe { to_number(ty.content.kind, value) };
            return global.set(self.context(), value).map_err(refused);
        }
        let mut scope = RootScope::new(self.context());
        // SAFETY: the contract says that the value fits the type and belongs to this store.
        let value = unsafe { to_engine(&mut scope, ty.content.kind, value)? };
        global.set(&mut scope, value).map_err(refused)
    }

    unsafe fn new_table(&self, ty: &TableType, init: Option<&Object>) -> Result<Entity> {
        let mut scope = RootScope::new(self.context());
        let engine_type = self.types.table_type(ty);
        // SAFETY: the contract says that the element fits the type and belongs to this store.
        let init = unsafe { to_ref(&mut scope, ty.element.kind, init)? };
        let table = wasmtime::Table::new(&mut scope, engine_type, init);
        table.map(Entity::new).map_err(|error| in_words(ErrorKind::Limit, &error))
    }

    unsafe fn table_get(&self, table: &Entity, ty: &TableType, index: u64) -> Option<Result<Option<Handle>>> {
        // SAFETY: this backend makes entities of tables from a `wasmtime::Table`.
        let table = unsafe { table.get::<wasmtime::Table>() };
        // Functions are not garbage-collected, so they need no root scope.
        match ty.element.kind {
            ValKind::FuncRef => {
                let element = table.get(self.context(), index)?;
                Some(Ok(from_func(self.owner(), element.unwrap_func().copied())))
            }
            _ => self.table_get_rooted(table, index),
        }
    }

    unsafe fn table_set(&self, table: &Entity, ty: &TableType, index: u64, value: Option<&Object>) -> Result<()> {
        // SAFETY: this backend makes entities of tables from a `wasmtime::Table`.
        let table = unsafe { table.get::<wasmtime::Table>() };
        let refused = |error| in_words(ErrorKind::Misuse, &error);
        if ty.element.kind == ValKind::FuncRef {
            // SAFETY: the contract says that the element fits the type and belongs to this store.
            let value = unsafe { to_ref(self.context(), ValKind::FuncRef, value)? };
            return table.set(self.context(), index, value).map_err(refused);
        }
        let mut scope = RootScope::new(self.context());
        // SAFETY: the contract says that the element fits the type and belongs to this store.
        let value = unsafe { to_ref(&mut scope, ty.element.kind, value)? };
        table.set(&mut scope, index, value).map_err(refused)
    }

    unsafe fn table_size(&self, table: &Entity) -> u64 {
        // SAFETY: this backend makes entities of tables from a `wasmtime::Table`.
        unsafe { table.get::<wasmtime::Table>() }.size(self.context())
    }

    unsafe fn table_grow(&self, table: &Entity, ty: &TableType, delta: u64, init: Option<&Object>) -> Result<()> {
        // SAFETY: this backend makes entities of tables from a `wasmtime::Table`.
        let table = unsafe { table.get::<wasmtime::Table>() };
        let mut scope = RootScope::new(self.context());
        // SAFETY: the contract says that the element fits the type and belongs to this store.
        let init = unsafe { to_ref(&mut scope, ty.element.kind, init)? };
        let grown = table.grow(&mut scope, delta, init);
        grown.map(drop).map_err(|error| in_words(ErrorKind::Limit, &error))
    }

    unsafe fn new_memory(&self, ty: &MemoryType) -> Result<Entity> {
        let refused = |error| in_words(ErrorKind::Limit, &error);
        let engine_type = memory_type(ty).map_err(refused)?;
        if ty.shared {
            let memory = wasmtime::SharedMemory::new(self.context().engine(), engine_type);
            return memory.map(|memory| self.keep_shared(memory)).map_err(refused);
        }
        let memory = wasmtime::Memory::new(self.context(), engine_type);
        memory.map(|memory| Entity::new(MemoryEntity::Own(memory))).map_err(refused)
    }

    unsafe fn memory_bytes(&self, memory: &Entity) -> *mut [u8] {
        // SAFETY: the contract says that it is a memory of this store.
        match unsafe { engine_memory(memory) } {
            Ok(memory) => {
                std::ptr::slice_from_raw_parts_mut(memory.data_ptr(self.context()), memory.data_size(self.context()))
            }
            Err(shared) => {
                let bytes = shared.data();
                std::ptr::slice_from_raw_parts_mut(bytes.as_ptr().cast_mut().cast(), bytes.len())
            }
        }
    }

    unsafe fn memory_size(&self, memory: &Entity) -> u64 {
        // SAFETY: the contract says that it is a memory of this store.
        match unsafe { engine_memory(memory) } {
            Ok(memory) => memory.size(self.context()),
            Err(shared) => shared.size(),
        }
    }

    unsafe fn memory_grow(&self, memory: &Entity, delta: u64) -> Result<u64> {
        // SAFETY: the contract says that it is a memory of this store.
        let grown = match unsafe { engine_memory(memory) } {
            Ok(memory) => memory.grow(self.context(), delta),
            Err(shared) => shared.grow(delta),
        };
        grown.map_err(|error| in_words(ErrorKind::Limit, &error))
    }

    fn new_tag(&self, ty: &FuncType) -> Result<Entity> {
        let ty = wasmtime::TagType::new(self.types.func_type(ty));
        wasmtime::Tag::new(self.context(), &ty).map(Entity::new).map_err(|error| in_words(ErrorKind::Limit, &error))
    }

    unsafe fn tag_key(&self, tag: &Entity) -> u64 {
        const { assert!(size_of::<wasmtime::Tag>() == 24) };
        // SAFETY: this backend makes entities of tags from a `wasmtime::Tag`. The engine declares it as a store's number of 64
        // bits, that of an instance of 32 bits, 32 bits of padding, and its own number of 32 bits.
        unsafe {
            let tag = tag.get::<wasmtime::Tag>();
            let numbers = (&raw const tag).cast::<u32>();
            u64::from(numbers.add(2).read()) << 32 | u64::from(numbers.add(4).read())
        }
    }

    unsafe fn tag_type(&self, tag: &Entity) -> Result<FuncType> {
        // SAFETY: this backend makes entities of tags from a `wasmtime::Tag`.
        Ok(self.types.runtime_func_type(unsafe { tag.get::<wasmtime::Tag>() }.ty(self.context()).ty()))
    }

    unsafe fn share_memory(&self, memory: &Entity) -> Result<SharedMemory> {
        // SAFETY: the contract says that it is a shared memory of this store.
        let shared = unsafe { engine_memory(memory) }.err().ok_or_else(|| Error::misuse("the memory is not shared"))?;
        Ok(Box::new(shared.clone()))
    }

    fn obtain_memory(&self, memory: &SharedMemory) -> Result<Entity> {
        match memory.downcast_ref::<wasmtime::SharedMemory>() {
            Some(shared) => Ok(self.keep_shared(shared.clone())),
            None => Err(Error::misuse("the memory belongs to another backend")),
        }
    }

    unsafe fn notify_memory(&self, memory: &Entity, address: u64, count: u32) -> Result<u32> {
        // SAFETY: the contract says that it is a shared memory of this store.
        let shared = unsafe { engine_memory(memory) }.err().ok_or_else(|| Error::misuse("the memory is not shared"))?;
        let refused = |_| {
            let size = shared.data_size();
            Error::misuse(format!("address {address} is not that of 4 aligned bytes in the memory's {size} bytes"))
        };
        shared.atomic_notify(address, count).map_err(refused)
    }

    fn check_defined(&self, defined: Defined, what: &str) -> Result<()> {
        match self.types.of(defined) {
            Some(_) => Ok(()),
            None => Err(Error::misuse(format!("{what} is of a module of another engine"))),
        }
    }

    fn matches(&self, given: &ExternType, expected: &ExternType) -> bool {
        self.types.matches(given, expected)
    }

    unsafe fn admits(&self, ty: ValType, object: &Object) -> Result<bool> {
        if ty.defined.is_some_and(Types::is_beyond) {
            let message =
                format!("{ty} is a type beyond the {MAX_TYPES} of modules that the host can use in an engine");
            return Err(Error::new(ErrorKind::Limit, message));
        }
        if let Some(func) = Typed::of(object, Object::as_func).filter(|_| ty.kind == ValKind::FuncRef) {
            // SAFETY: this backend makes entities of functions from a `wasmtime::Func`.
            let func = unsafe { func.in_engine().get::<wasmtime::Func>() };
            return Ok(self.types.admits(ty, &func.ty(self.context())));
        }
        let mut scope = RootScope::new(self.context());
        // SAFETY: the contract says that the object belongs to this store and is of the type's kind.
        let reference = unsafe { to_ref(&mut scope, ty.kind, Some(object))? };
        let matches = reference.matches_ty(&scope, &self.types.ref_type(ty));
        matches.map_err(|error| in_words(ErrorKind::Internal, &error))
    }

    fn new_i31(&self, value: i32) -> Result<Handle> {
        let mut scope = RootScope::new(self.context());
        let any = AnyRef::from_i31(&mut scope, I31::wrapping_i32(value));
        given(from_ref(&mut scope, self.owner(), Ref::Any(Some(any)))?)
    }

    unsafe fn new_struct(&self, ty: ValType, fields: Option<&[Val]>) -> Result<Handle> {
        let Some(HeapType::ConcreteStruct(engine_type)) = ty.defined.and_then(|defined| self.types.of(defined)) else {
            return Err(Error::misuse(format!("{ty} is not the type of a struct")));
        };
        let expected = engine_type.fields().len();
        if let Some(given) = fields.map(<[Val]>::len)
            && given != expected
        {
            return Err(Error::misuse(format!("the struct has {expected} fields, but {given} values were given")));
        }
        let given_at = |position: usize| fields.map(|fields| &fields[position]);
        for (position, field) in engine_type.fields().enumerate() {
            // SAFETY: the contract is the same.
            unsafe { self.check_part(&field, given_at(position), || format!("field {position} of the struct")) }?;
        }
        let mut scope = RootScope::new(self.context());
        let mut values = Vec::with_capacity(expected);
        for (position, field) in engine_type.fields().enumerate() {
            // SAFETY: the loop above has checked it.
            values.push(unsafe { self.part(&mut scope, &field, given_at(position)) }?);
        }
        let allocator = wasmtime::StructRefPre::new(&mut scope, engine_type);
        let made = wasmtime::StructRef::new(&mut scope, &allocator, &values).map_err(no_room)?;
        given(from_ref(&mut scope, self.owner(), Ref::Any(Some(made.to_anyref())))?)
    }

    unsafe fn new_array(&self, ty: ValType, length: u32, element: Option<&Val>) -> Result<Handle> {
        let Some(HeapType::ConcreteArray(engine_type)) = ty.defined.and_then(|defined| self.types.of(defined)) else {
            return Err(Error::misuse(format!("{ty} is not the type of an array")));
        };
        let field = engine_type.field_type();
        // SAFETY: the contract is the same.
        unsafe { self.check_part(&field, element, || "element of the array".to_string()) }?;
        let mut scope = RootScope::new(self.context());
        // SAFETY: it has been checked.
        let element = unsafe { self.part(&mut scope, &field, element) }?;
        let allocator = wasmtime::ArrayRefPre::new(&mut scope, engine_type);
        let made = wasmtime::ArrayRef::new(&mut scope, &allocator, &element, length).map_err(no_room)?;
        given(from_ref(&mut scope, self.owner(), Ref::Any(Some(made.to_anyref())))?)
    }

    unsafe fn gc_type(&self, gc: &Gc) -> Result<ValType> {
        let mut scope = RootScope::new(self.context());
        Ok(match any_root(gc) {
            Some(root) => {
                let ty = root.to_rooted(&mut scope).ty(&scope).map_err(unrooted)?;
                self.types.runtime_ref_type(&RefType::new(false, ty))
            }
            None => ValType::reference(Heap::Exn, false),
        })
    }

    unsafe fn func_ref_type(&self, func: Typed<'_, &Func>) -> Result<ValType> {
        // SAFETY: this backend makes entities of functions from a `wasmtime::Func`.
        let ty = unsafe { func.in_engine().get::<wasmtime::Func>() }.ty(self.context());
        Ok(self.types.runtime_ref_type(&RefType::new(false, HeapType::ConcreteFunc(ty))))
    }

    unsafe fn i31(&self, gc: &Gc) -> Result<i32> {
        let value = any_root(gc).map(|root| root.as_i31(self.context())).transpose().map_err(unrooted)?;
        value.flatten().map(|value| value.get_i32()).ok_or_else(gc::unsupported)
    }

    unsafe fn gc_length(&self, gc: &Gc) -> Result<u32> {
        let mut scope = RootScope::new(self.context());
        match Aggregate::of(&mut scope, gc)? {
            Aggregate::Struct(value) => value.ty(&scope).map(|ty| ty.fields().len() as u32),
            Aggregate::Array(value) => value.len(&scope),
        }
        .map_err(unrooted)
    }

    unsafe fn gc_get(&self, gc: &Gc, index: u32, signed: bool) -> Result<Val> {
        let mut scope = RootScope::new(self.context());
        let aggregate = Aggregate::of(&mut scope, gc)?;
        let field = aggregate.field_type(&scope, index)?;
        let value = match aggregate {
            Aggregate::Struct(value) => value.field(&mut scope, index as usize),
            Aggregate::Array(value) => value.get(&mut scope, index),
        };
        let value = match (value.map_err(unrooted)?, field.element_type()) {
            (wasmtime::Val::I32(value), StorageType::I8) if signed => wasmtime::Val::I32((value as i8).into()),
            (wasmtime::Val::I32(value), StorageType::I16) if signed => wasmtime::Val::I32((value as i16).into()),
            (value, _) => value,
        };
        from_engine(&mut scope, self.owner(), value)
    }

    unsafe fn gc_set(&self, gc: &Gc, index: u32, value: &Val) -> Result<()> {
        let (field, part) = {
            let mut scope = RootScope::new(self.context());
            let aggregate = Aggregate::of(&mut scope, gc)?;
            (aggregate.field_type(&scope, index)?, aggregate.part())
        };
        let heap = gc.heap.name();
        if !field.mutability().is_var() {
            return Err(Error::misuse(format!("{part} {index} of the {heap} is constant; nothing was written")));
        }
        // SAFETY: the contract is the same.
        unsafe { self.check_part(&field, Some(value), || format!("new value of {part} {index} of the {heap}")) }?;
        let mut scope = RootScope::new(self.context());
        // SAFETY: it has been checked.
        let value = unsafe { self.part(&mut scope, &field, Some(value)) }?;
        match Aggregate::of(&mut scope, gc)? {
            Aggregate::Struct(aggregate) => aggregate.set_field(&mut scope, index as usize, value),
            Aggregate::Array(aggregate) => aggregate.set(&mut scope, index, value),
        }
        .map_err(|error| in_words(ErrorKind::Misuse, &error))
    }

    fn new_vector_global(&self, mutable: bool, value: [u8; 16]) -> Result<Entity> {
        let mutability = if mutable { wasmtime::Mutability::Var } else { wasmtime::Mutability::Const };
        let ty = wasmtime::GlobalType::new(wasmtime::ValType::V128, mutability);
        let global = wasmtime::Global::new(self.context(), ty, vector(value));
        global.map(Entity::new).map_err(|error| in_words(ErrorKind::Limit, &error))
    }

    unsafe fn vector_global_get(&self, global: &Entity) -> Result<[u8; 16]> {
        // SAFETY: this backend makes entities of globals from a `wasmtime::Global`.
        match unsafe { global.get::<wasmtime::Global>() }.get(self.context()) {
            wasmtime::Val::V128(value) => Ok(value.as_u128().to_le_bytes()),
            _ => Err(Error::misuse("the global is not of the type v128")),
        }
    }

    unsafe fn vector_global_set(&self, global: &Entity, value: [u8; 16]) -> Result<()> {
        // SAFETY: this backend makes entities of globals from a `wasmtime::Global`.
        let global = unsafe { global.get::<wasmtime::Global>() };
        global.set(self.context(), vector(value)).map_err(|error| in_words(ErrorKind::Misuse, &error))
    }

    fn fuel(&self) -> u64 {
        self.engine_fuel().saturating_sub(self.reserve.as_ref().map_or(0, Cell::get))
    }

    fn set_fuel(&self, fuel: u64) {
        if let Some(reserve) = &self.reserve {
            reserve.set(u64::from(fuel < u64::MAX));
            // This only fails on engines without fuel, which have no reserve.
            let _ = self.context().set_fuel(fuel.saturating_add(1));
        }
    }
}

impl CallNumeric for WasmtimeStore {
    type Error = wasmtime::Error;

    #[inline(always)]
    fn has_raw_numeric(ty: &FuncType) -> bool {
        ty.numeric
    }

    #[inline(always)]
    unsafe fn call_raw_numeric(&self, func: &Func, values: NonNull<Raw>) -> wasmtime::Result<()> {
        // SAFETY: the contract is the same.
        unsafe { self.call_raw_in::<true>(func, values) }
    }

    #[inline(always)]
    unsafe fn call_numeric(
        &self,
        func: &Func,
        args: &[Val],
        results: &mut [MaybeUninit<Val>],
        only_i32: bool,
    ) -> wasmtime::Result<()> {
        // Not through `with_room`: all entries would share the code of its body, instead of each having its own.
        let (mut few, mut many) = (Room::uninitialised(), None);
        let values = few.get(&mut many, args.len().max(results.len()));
        for (position, arg) in args.iter().enumerate() {
            // SAFETY: the contract says that the arguments are numbers, and the room has a place for each.
            unsafe { values.get_unchecked_mut(position).write(ValRaw::u64(arg.bits(only_i32))) };
        }
        // SAFETY: the arguments are written, and there is room for the results, which is what the engine requires of
        // `values`. Numbers need no rooting. The contract says that `func` is a function of this store's engine.
        unsafe {
            let values = std::ptr::from_mut(&mut *values) as *mut [ValRaw];
            let callee = engine_func(func);
            let _guest = self.begin_guest::<false>(callee)?;
            callee.call_unchecked(self.context(), values)?;
        }
        for (position, result) in results.iter_mut().enumerate() {
            // SAFETY: `results` has a place for each result of the type, and the call has written all of them.
            unsafe {
                let kind = func.result_kind(position, only_i32);
                Val::write_bits(result, kind, raw_bits(values.get_unchecked(position).assume_init_ref(), kind));
            }
        }
        Ok(())
    }

    fn explain(&self, error: wasmtime::Error) -> Failure {
        let frames = self.frames(&error);
        if error.is::<HostTrapped>() {
            return Failure::Host(frames);
        }
        if error.is::<wasmtime::ThrownException>() {
            return Failure::Exception(self.take_thrown(), frames);
        }
        if let Some(Stopped(code)) = error.downcast_ref() {
            return Failure::Trap(*code, frames);
        }
        // Instructions that make objects cannot return -1 when a limit denies them the memory.
        if error.is::<GcHeapOutOfMemory<()>>()
            && let Some((code, _)) = self.owner().limits().denied()
        {
            return Failure::Trap(code, frames);
        }
        // Another thread took the memory that was available when the table asked for it.
        if let Some(lacking) = error.downcast_ref::<OutOfMemory>() {
            self.owner().limits().elements_failed(lacking.requested_allocation_size());
        }
        let Some(trap) = error.downcast_ref::<Trap>() else {
            return match error.downcast::<RuntimeError>() {
                Ok(error) => Failure::Error(error.0),
                // The backtrace is not repeated in the message, because the frames have it.
                Err(error) if !frames.is_empty() => {
                    Failure::Error(Error::new(ErrorKind::Trap, error.root_cause().to_string()))
                }
                Err(error) => Failure::Error(in_words(ErrorKind::Trap, &error)),
            };
        };
        let code = match trap {
            Trap::StackOverflow => TrapCode::StackExhausted,
            Trap::MemoryOutOfBounds => TrapCode::MemoryOutOfBounds,
            Trap::HeapMisaligned => TrapCode::UnalignedAtomic,
            Trap::TableOutOfBounds => self.refine(TrapCode::TableOutOfBounds, frames.first()),
            Trap::IndirectCallToNull => TrapCode::UninitializedElement,
            Trap::BadSignature => TrapCode::IndirectCallTypeMismatch,
            Trap::IntegerOverflow => TrapCode::IntegerOverflow,
            Trap::IntegerDivisionByZero => TrapCode::IntegerDivideByZero,
            Trap::BadConversionToInteger => TrapCode::InvalidConversion,
            Trap::UnreachableCodeReached => TrapCode::Unreachable,
            Trap::Interrupt => TrapCode::Interrupted,
            Trap::OutOfFuel => TrapCode::OutOfFuel,
            Trap::NullReference => self.refine(TrapCode::NullReference, frames.first()),
            Trap::ArrayOutOfBounds => TrapCode::ArrayOutOfBounds,
            Trap::CastFailure => TrapCode::CastFailure,
            other => {
                let text = other.to_string();
                let text = text.strip_prefix("wasm trap: ").unwrap_or(&text);
                return Failure::Error(Error::new(ErrorKind::Trap, text));
            }
        };
        Failure::Trap(code, frames)
    }
}
