//! A store of wasmi, entered from the host and re-entered from host functions.

use super::memories::{self, Memories};
use super::messages::{in_words, is_about_imports};
use super::rewrite::{GROW_AGAIN, ROOM_MAXIMUM};
use super::shards::Lease;
use super::types::{
    from_engine, from_extern, from_func_type, from_raw, from_ref, func_type, number_bits, rank, table_type, to_extern,
    to_number, to_raw,
};
use super::{WasmiEngine, WasmiModule, calls};
use crate::backend::common::{Arguments, Contexts, HostObject, Nested, Owner, Stopped};
use crate::runtime::base::error::{Error, ErrorKind, Result};
use crate::runtime::base::limits::Growth;
use crate::runtime::base::trap_code::TrapCode;
use crate::runtime::base::types::{ExternKind, FuncType, GlobalType, MemoryType, TableType, ValKind};
use crate::runtime::core::engine_traits::{CallNumeric, Entity, Failure, FuncKey, Module, Prepared, Store};
use crate::runtime::core::entry::{Entry, RawEntry, engine_entry, enter_raw_engine};
use crate::runtime::core::func::{Func, HostTrapped, invoke_host, invoke_raw_host};
use crate::runtime::core::guest::{self, Guest};
use crate::runtime::core::object::{ExternPayload, Handle, Object, Retained, Typed};
use crate::runtime::core::store::Store as RuntimeStore;
use crate::runtime::core::value::{Raw, Val, with_lent_room, with_room};
use rustc_hash::FxHashMap;
use std::any::Any;
use std::cell::{Cell, OnceCell, RefCell};
use std::convert::Infallible;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::time::{Duration, Instant};
use wasmi::errors::{ErrorKind as EngineError, HostError, InstantiationError};
use wasmi::{AsContextMut, Caller, ExternRef, Nullable, Ref, ResumableCall, StoreContextMut};
use wasmi_core::LimiterError;

/// Lets the runtime decide how much a store may have, and lifts the engine's own limits on numbers.
impl wasmi::ResourceLimiter for Owner {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool, LimiterError> {
        let mut growth = self.get().limits().memory_growing(current, desired, maximum);
        self.get().memory_will_grow();
        // SAFETY: this is the limiter of a store of this backend.
        let store = unsafe { self.get().backend_as::<WasmiStore>() };
        if matches!(growth, Growth::Allowed) && !store.engine().memories.may_grow(current, desired, maximum) {
            self.get().limits().growth_failed();
            growth = Growth::Denied;
        }
        answer(growth)
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool, LimiterError> {
        if (current, desired, maximum) == (0, 1, Some(ROOM_MAXIMUM as usize)) {
            // Added to the module. If it is the guest's own, it gets an element more than it should.
            return Ok(true);
        }
        answer(self.get().limits().table_growing(current, desired, maximum))
    }

    fn memory_grow_failed(&mut self, _error: &wasmi::errors::MemoryError) -> Result<(), LimiterError> {
        self.get().limits().growth_failed();
        Ok(())
    }

    fn table_grow_failed(&mut self, error: &wasmi::errors::TableError) -> Result<(), LimiterError> {
        self.get().limits().growth_failed();
        if matches!(error, wasmi::errors::TableError::OutOfFuel { .. }) {
            // SAFETY: this is the limiter of a store of this backend.
            unsafe { self.get().backend_as::<WasmiStore>() }.grow_stopped.set(true);
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

fn answer(growth: Growth) -> Result<bool, LimiterError> {
    match growth {
        Growth::Allowed => Ok(true),
        Growth::Denied => Ok(false),
        Growth::Trap(_) => Err(LimiterError::ResourceLimiterDeniedAllocation),
    }
}

impl HostError for HostTrapped {}

impl HostError for Stopped {}

pub type Context = StoreContextMut<'static, Owner>;

/// The bytes of the machine's stack that calls from WebAssembly to the host and back may use before they trap: the engine
/// does not check that stack, which such calls use up. It is as much as wasmtime allows WebAssembly by default.
const MAX_NESTED_STACK: usize = 512 * 1024;

pub struct WasmiStore {
    /// Made when something is first made in the store, in the shard of the thread that does so: until then the store costs
    /// little and no shard is its.
    engine: OnceCell<EngineStore>,
    owner: Owner,
    /// The engine's reference for each object. It never frees one, so each object gets only one.
    references: RefCell<FxHashMap<NonNull<Object>, ExternRef>>,
    /// If WebAssembly may be interrupted: it runs in slices.
    slices: Option<Slices>,
    /// Whether it was a `table.grow` that ran out of fuel, see [`super::rewrite`].
    grow_stopped: Cell<bool>,
    /// For each instance that accesses tables: the global that is 1 while an access runs, see [`super::rewrite`].
    marks: RefCell<Vec<wasmi::Global>>,
    /// The function that is called before growth, see [`super::rewrite`].
    room: OnceCell<wasmi::Func>,
}

/// The engine's part of a store.
struct EngineStore {
    contexts: Contexts<Context>,
    /// Owns what `contexts` points to, and is not used otherwise.
    _store: Box<wasmi::Store<Owner>>,
    /// Outlives the engine's store, which uses what is in it. It has the shard, which counts as free after that.
    memories: Memories,
}

impl EngineStore {
    fn new(owner: Owner, shard: Lease) -> EngineStore {
        let mut store = Box::new(wasmi::Store::new(&shard.engine, owner));
        store.limiter(|owner| owner);
        // SAFETY: the engine's store is on the heap and does not move. From now on this context is the only way to
        // it, and is dropped together with it.
        let contexts = unsafe {
            Contexts::new(std::mem::transmute::<StoreContextMut<'_, Owner>, Context>(store.as_context_mut()))
        };
        EngineStore { contexts, _store: store, memories: Memories::new(shard) }
    }
}

impl WasmiStore {
    pub fn new(owner: NonNull<RuntimeStore>, slices: Option<Slices>) -> WasmiStore {
        WasmiStore {
            engine: OnceCell::new(),
            owner: Owner(owner),
            references: RefCell::default(),
            slices,
            grow_stopped: Cell::new(false),
            marks: RefCell::default(),
            room: OnceCell::new(),
        }
    }

    #[inline(always)]
    fn engine(&self) -> &EngineStore {
        match self.engine.get() {
            Some(engine) => engine,
            None => self.make_engine(),
        }
    }

    #[cold]
    #[inline(never)]
    fn make_engine(&self) -> &EngineStore {
        self.engine.get_or_init(|| EngineStore::new(self.owner, self.shards_engine().shards.lease()))
    }

    /// Returns the engine that has the shards.
    fn shards_engine(&self) -> &WasmiEngine {
        let engine = (&*self.owner().engine().inner as &dyn Any).downcast_ref();
        engine.expect("the store's engine is of this backend")
    }

    /// See [`Contexts::innermost`].
    #[inline(always)]
    pub fn context(&self) -> Context {
        self.engine().contexts.innermost()
    }

    fn owner(&self) -> &RuntimeStore {
        self.owner.get()
    }

    /// `data` is how many bytes are likely to be written to the memory at once.
    fn make_memory(&self, ty: &MemoryType, data: usize) -> Result<wasmi::Memory, wasmi::Error> {
        // SAFETY: the engine's store is dropped before `memories`.
        unsafe { memories::make(&self.engine().memories, self.context(), ty, data) }
    }

    /// Converts a value to the engine's form.
    ///
    /// # Safety
    /// The value fits the kind and belongs to this store.
    #[inline(always)]
    unsafe fn value(&self, kind: ValKind, value: &Val) -> wasmi::Val {
        if !kind.is_reference() {
            // SAFETY: the contract says that the value is of this kind.
            return unsafe { to_number(kind, value) };
        }
        // SAFETY: the contract says that a reference is null or alive, fits the kind and belongs to this store.
        match unsafe { self.reference(kind, value.reference()) } {
            Ref::Func(func) => wasmi::Val::FuncRef(func),
            Ref::Extern(reference) => wasmi::Val::ExternRef(reference),
        }
    }

    /// # Safety
    /// As for [`WasmiStore::value`].
    #[inline(always)]
    unsafe fn reference(&self, kind: ValKind, object: Option<&Object>) -> Ref {
        if kind == ValKind::FuncRef {
            let func = object.and_then(|object| Some(Typed::of(object, Object::as_func)?.in_engine()));
            // SAFETY: the function belongs to this store, as the contract says, and this backend makes entities of
            // functions from a `wasmi::Func`.
            return Ref::Func(func.map_or(Nullable::Null, |func| Nullable::Val(unsafe { func.get() })));
        }
        Ref::Extern(object.map_or(Nullable::Null, |object| Nullable::Val(self.host_reference(object))))
    }

    #[inline(never)]
    fn global_get_other(&self, global: wasmi::Global, kind: ValKind, out: &mut MaybeUninit<Val>) -> Result<()> {
        if kind == ValKind::V128 {
            return Err(Error::new(ErrorKind::Unsupported, "wasm_val_t cannot carry a v128"));
        }
        let context = self.context();
        out.write(from_engine(&context, self.owner(), &global.get(&context)));
        Ok(())
    }

    /// # Safety
    /// As for [`WasmiStore::value`].
    #[inline(never)]
    unsafe fn global_set_reference(&self, global: wasmi::Global, kind: ValKind, value: &Val) -> Result<()> {
        // SAFETY: the contract is the same.
        let value = unsafe { self.value(kind, value) };
        global.set(self.context(), value).map_err(in_words(ErrorKind::Misuse))
    }

    fn host_reference(&self, object: &Object) -> ExternRef {
        let mut references = self.references.borrow_mut();
        let reference = references.entry(NonNull::from(object));
        *reference.or_insert_with(|| ExternRef::new(self.context(), ExternPayload::new(object)))
    }

    /// Returns a function that traps if nothing of the stack is left.
    fn room(&self) -> wasmi::Func {
        let ask = || match guest::is_exhausted() {
            true => Err(stopped(TrapCode::StackExhausted)),
            false => Ok(()),
        };
        *self.room.get_or_init(|| wasmi::Func::wrap(self.context(), ask))
    }

    /// Must be called before WebAssembly runs, and its answer kept while it does.
    #[inline(always)]
    fn begin_guest(&self) -> Result<Guest<'_>, wasmi::Error> {
        let (guest, _) = Guest::begin(self.owner(), MAX_NESTED_STACK).map_err(stopped)?;
        Ok(guest)
    }
}

#[cold]
fn stopped(code: TrapCode) -> wasmi::Error {
    wasmi::Error::host(Stopped(code))
}

/// Returns the backend's store that an object belongs to.
#[inline(always)]
fn store_of(object: &Object) -> &WasmiStore {
    // SAFETY: only host functions that a store of this backend has made call this, with their own object, which
    // belongs to that store.
    unsafe { object.store().backend_as() }
}

/// # Safety
/// The function has an entity, and belongs to a store of this backend.
#[inline(always)]
pub unsafe fn engine_func(func: &Func) -> wasmi::Func {
    // SAFETY: the contract says that there is an entity, and this backend makes those of functions from a
    // `wasmi::Func`.
    unsafe { func.entity.get().unwrap_unchecked().get() }
}

fn call_host(
    object: &Object,
    mut caller: Caller<'_, Owner>,
    params: &[wasmi::Val],
    results: &mut [wasmi::Val],
) -> Result<(), wasmi::Error> {
    let owner = object.store();
    let Some(func) = object.as_func() else { return Err(wasmi::Error::host(HostTrapped)) };
    let store = store_of(object);
    let _nested = nest(object, &mut caller);
    with_room(params.len(), |args| {
        let convert = |param: &wasmi::Val| Ok::<_, Infallible>(from_engine(store.context(), owner, param));
        let Ok(args) = Arguments::fill(args, params, convert);
        with_lent_room(results.len(), |room| {
            // SAFETY: the engine checks that arguments fit the function's type, and the room has a place for each
            // result.
            unsafe { invoke_host::<false>(object, args.as_slice(), room, false) }.map_err(host_trapped)?;
            for ((slot, value), kind) in results.iter_mut().zip(room).zip(&func.ty.result_kinds) {
                // SAFETY: `invoke_host` succeeded, so the results are initialised, fit their types and own their
                // references.
                unsafe {
                    let value = value.assume_init_mut();
                    *slot = store.value(*kind, value);
                    value.release();
                }
            }
            match owner.must_stop() {
                Some(code) => Err(stopped(code)),
                None => Ok(()),
            }
        })
    })
}

/// Calls a host function that gets raw values, which are converted.
fn call_raw_host(
    object: &Object,
    mut caller: Caller<'_, Owner>,
    params: &[wasmi::Val],
    results: &mut [wasmi::Val],
) -> Result<(), wasmi::Error> {
    let Some(func) = object.as_func() else { return Err(wasmi::Error::host(HostTrapped)) };
    let _nested = nest(object, &mut caller);
    with_room(params.len().max(results.len()), |values| {
        // What the callback does not write is zero.
        values.iter_mut().for_each(|slot| _ = slot.write(Raw { v128: [0; 16] }));
        values.iter_mut().zip(params).for_each(|(slot, param)| _ = slot.write(to_raw(param)));
        // SAFETY: the engine gives arguments of the function's type, and `values` has a place for each result.
        unsafe { invoke_raw_host(object, values.as_mut_ptr().cast()) }.map_err(host_trapped)?;
        for ((slot, value), kind) in results.iter_mut().zip(values).zip(&func.ty.result_kinds) {
            // SAFETY: all values are initialised, and those of the results are of their kinds.
            *slot = unsafe { from_raw(*kind, value.assume_init_ref()) };
        }
        match object.store().must_stop() {
            Some(code) => Err(stopped(code)),
            None => Ok(()),
        }
    })
}

/// Makes a host function's context the innermost until the answer is dropped.
#[inline(always)]
fn nest<'a>(object: &'a Object, caller: &mut Caller<'_, Owner>) -> Nested<'a, Context> {
    // SAFETY: the caller's context outlives the answer: the functions that call this drop the answer before they use
    // `caller` again.
    unsafe {
        let context = std::mem::transmute::<StoreContextMut<'_, Owner>, Context>(caller.as_context_mut());
        store_of(object).engine().contexts.nest(context)
    }
}

/// Calls a host function with its context as the innermost.
///
/// # Safety
/// `object` is a host function of numeric type, the arguments fit it, and there is room for exactly its results.
#[inline(always)]
pub unsafe fn invoke(
    object: &Object,
    mut caller: Caller<'_, Owner>,
    args: &[Val],
    results: &mut [MaybeUninit<Val>],
) -> Result<(), wasmi::Error> {
    let _nested = nest(object, &mut caller);
    // SAFETY: the contract is that of `invoke_host` for a numeric type.
    unsafe { invoke_host::<true>(object, args, results, false) }.map_err(host_trapped)
}

/// Calls a host function that gets raw values, with its context as the innermost.
///
/// # Safety
/// `object` is such a function; `values` has its arguments, and room for its results.
#[inline(always)]
pub unsafe fn invoke_raw(object: &Object, mut caller: Caller<'_, Owner>, values: *mut Raw) -> Result<(), wasmi::Error> {
    let _nested = nest(object, &mut caller);
    // SAFETY: the contract is the same.
    unsafe { invoke_raw_host(object, values) }.map_err(host_trapped)
}

/// Returns the error of an instantiation whose memory cannot be made.
#[cold]
fn as_instantiation(error: wasmi::Error) -> wasmi::Error {
    match error.kind() {
        EngineError::Memory(error) => InstantiationError::FailedToInstantiateMemory(*error).into(),
        _ => error,
    }
}

/// Whether it is the error of an instantiation whose table cannot be made.
fn is_about_tables(error: &wasmi::Error) -> bool {
    matches!(error.kind(), EngineError::Instantiation(InstantiationError::FailedToInstantiateTable(_)))
}

#[cold]
fn host_trapped(error: HostTrapped) -> wasmi::Error {
    wasmi::Error::host(error)
}

impl Store for WasmiStore {
    fn begin_module(&self) {
        self.engine().memories.shard.claim();
    }

    unsafe fn instantiate(
        &self,
        module: &dyn Module,
        imports: &[Retained],
        _prepared: Option<&Prepared>,
    ) -> Result<Entity, Box<Failure>> {
        let Some(module) = (module as &dyn Any).downcast_ref::<WasmiModule>() else {
            return Err(Failure::NotInstantiated(Error::misuse("the module belongs to another backend")).into());
        };
        let translated = module.for_shard(&self.engine().memories.shard, || self.shards_engine());
        let translated = translated.map_err(|error| Box::new(Failure::NotInstantiated(error)))?;
        let refused = |error| Box::new(self.explain(error).of_instantiation(is_about_imports));
        let memories = &self.engine().memories;
        let count = memories.count();
        let instance = {
            let _guest = self.begin_guest().map_err(refused)?;
            let mut ordered = Vec::with_capacity(imports.len() + module.memories.types.len());
            // SAFETY: the contract of `Store` says that imports belong to this store.
            ordered.extend(imports.iter().filter_map(|import| unsafe { to_extern(import) }));
            for ty in &module.memories.types {
                let made = self.make_memory(ty, module.memories.data).map_err(|error| {
                    memories.give_back(count, self.owner().limits());
                    refused(as_instantiation(error))
                });
                ordered.push(wasmi::Extern::Memory(made?));
            }
            // The engine requires imports grouped by kind, and each group in the declared order. The module's own memories
            // follow those that it imports.
            ordered.sort_by_key(rank);
            wasmi::Instance::new(self.context(), translated, &ordered).map_err(|error| {
                // The instance has no tables yet that could refer to it.
                if is_about_tables(&error) {
                    memories.give_back(count, self.owner().limits());
                }
                // These traps come from the start function or from a segment.
                let ran = matches!(error.kind(), EngineError::TrapCode(_) | EngineError::Host(_));
                if ran { Box::new(self.explain(error)) } else { refused(error) }
            })?
        };
        if let Some(mark) = &module.names.mark {
            let mark = instance.get_global(self.context(), mark);
            self.marks.borrow_mut().push(mark.expect("the mark was exported under this name"));
        }
        if let Some(room) = &module.names.room {
            let table = instance.get_table(self.context(), room).expect("it was exported under this name");
            let room = Ref::Func(Nullable::Val(self.room()));
            table.set(self.context(), 0, room).expect("it has one element, which may be any function");
        }
        if let Some(init) = &module.names.init {
            self.run_free(instance.get_func(self.context(), init).expect("it was exported under this name"))?;
        }
        if let Some(start) = &module.names.start {
            let told = self.owner().before_start(Entity::new(instance));
            told.map_err(|error| Box::new(Failure::NotInstantiated(error)))?;
            let start =
                instance.get_func(self.context(), start).expect("the start function was exported under this name");
            // SAFETY: it is a function of this store, and start functions have neither parameters nor results.
            unsafe { self.call_any(start, &FuncType::new(vec![], vec![]), &[], &mut [])? };
        }
        Ok(Entity::new(instance))
    }

    unsafe fn export(&self, instance: &Entity, _module: &dyn Module, name: &str, _kind: ExternKind) -> Entity {
        // SAFETY: this backend makes entities of instances from a `wasmi::Instance`.
        let instance = unsafe { instance.get::<wasmi::Instance>() };
        let export = instance.get_export(self.context(), name);
        export.map(from_extern).expect("the module declares this export")
    }

    unsafe fn new_func(&self, func: NonNull<Object>, ty: &FuncType) -> Entity {
        let host = HostObject(func);
        let raw = host.get().as_func().is_some_and(Func::is_raw_host);
        // An interruptible guest must also be stopped after a slow host function, which slices do not measure: see
        // `call_host`.
        let typed = match raw {
            _ if self.slices.is_some() => None,
            true => calls::host_func::<true>(self.context(), host, ty),
            false => calls::host_func::<false>(self.context(), host, ty),
        };
        if let Some(func) = typed {
            return Entity::new(func);
        }
        if raw {
            return Entity::new(wasmi::Func::new(self.context(), func_type(ty), move |caller, params, results| {
                call_raw_host(host.get(), caller, params, results)
            }));
        }
        Entity::new(wasmi::Func::new(self.context(), func_type(ty), move |caller, params, results| {
            call_host(host.get(), caller, params, results)
        }))
    }

    unsafe fn func_key(&self, func: &Entity) -> FuncKey {
        // SAFETY: this backend makes entities of functions from a `wasmi::Func`, which consists of two 32-bit
        // numbers: its store's and its own.
        let [store, index] = unsafe { std::mem::transmute::<wasmi::Func, [u32; 2]>(func.get()) };
        // Read apart, as they were written just before: a processor waits where one read needs two writes.
        (store as usize, index as usize)
    }

    unsafe fn func_type(&self, func: &Entity) -> FuncType {
        // SAFETY: this backend makes entities of functions from a `wasmi::Func`.
        from_func_type(&unsafe { func.get::<wasmi::Func>() }.ty(self.context()))
    }

    fn entry(&self, ty: &FuncType) -> Entry {
        engine_entry::<WasmiStore>(ty)
    }

    unsafe fn call(&self, func: &Func, args: &[Val], results: &mut [MaybeUninit<Val>]) -> Result<(), Box<Failure>> {
        // SAFETY: the contract says that `func` is a function of this store's engine, so it has an entity, and that
        // the arguments and the room fit it.
        unsafe { self.call_any(engine_func(func), &func.ty, args, results) }
    }

    fn raw_entry(&self) -> RawEntry {
        enter_raw_engine::<WasmiStore>
    }

    unsafe fn call_raw(&self, func: &Func, values: NonNull<Raw>) -> Result<(), Box<Failure>> {
        with_room(func.ty.param_kinds.len(), |params| {
            with_room(func.ty.result_kinds.len(), |results| {
                for (position, (slot, kind)) in params.iter_mut().zip(&func.ty.param_kinds).enumerate() {
                    // SAFETY: the contract says that there is a value of its kind for each parameter.
                    slot.write(unsafe { from_raw(*kind, values.add(position).as_ref()) });
                }
                results.iter_mut().for_each(|slot| _ = slot.write(wasmi::Val::I32(0)));
                // SAFETY: both loops above have initialised all elements, and the contract says that the function is of
                // this store's engine.
                let (callee, params, results) = unsafe {
                    (
                        engine_func(func),
                        &*(std::ptr::from_ref::<[_]>(params) as *const [wasmi::Val]),
                        &mut *(std::ptr::from_mut::<[_]>(results) as *mut [wasmi::Val]),
                    )
                };
                self.call_values(callee, params, results)?;
                for (position, result) in results.iter().enumerate() {
                    // SAFETY: there is room for each result.
                    unsafe { values.add(position).write(to_raw(result)) };
                }
                Ok(())
            })
        })
    }

    unsafe fn new_global(&self, ty: &GlobalType, value: &Val) -> Result<Entity> {
        let mutability = if ty.mutable { wasmi::Mutability::Var } else { wasmi::Mutability::Const };
        // SAFETY: the contract says that the value fits the type and belongs to this store.
        let value = unsafe { self.value(ty.content.kind, value) };
        Ok(Entity::new(wasmi::Global::new(self.context(), value, mutability)))
    }

    unsafe fn global_get(&self, global: &Entity, ty: &GlobalType, out: &mut MaybeUninit<Val>) -> Result<()> {
        // SAFETY: this backend makes entities of globals from a `wasmi::Global`.
        let global = unsafe { global.get::<wasmi::Global>() };
        let kind = ty.content.kind;
        if !kind.is_number() {
            return self.global_get_other(global, kind, out);
        }
        Val::write_bits(out, kind, number_bits(&global.get(self.context())));
        Ok(())
    }

    unsafe fn global_set(&self, global: &Entity, ty: &GlobalType, value: &Val) -> Result<()> {
        // SAFETY: this backend makes entities of globals from a `wasmi::Global`.
        let global = unsafe { global.get::<wasmi::Global>() };
        let kind = ty.content.kind;
        // SAFETY: the contract says that the value fits the type and belongs to this store.
        let value = unsafe {
            if !kind.is_number() {
                return self.global_set_reference(global, kind, value);
            }
            to_number(kind, value)
        };
        global.set(self.context(), value).map_err(in_words(ErrorKind::Misuse))
    }

    fn new_vector_global(&self, mutable: bool, value: [u8; 16]) -> Result<Entity> {
        let mutability = if mutable { wasmi::Mutability::Var } else { wasmi::Mutability::Const };
        Ok(Entity::new(wasmi::Global::new(self.context(), vector(value), mutability)))
    }

    unsafe fn vector_global_get(&self, global: &Entity) -> Result<[u8; 16]> {
        // SAFETY: this backend makes entities of globals from a `wasmi::Global`.
        match unsafe { global.get::<wasmi::Global>() }.get(self.context()) {
            wasmi::Val::V128(value) => Ok(value.as_u128().to_le_bytes()),
            _ => Err(Error::misuse("the global is not of the type v128")),
        }
    }

    unsafe fn vector_global_set(&self, global: &Entity, value: [u8; 16]) -> Result<()> {
        // SAFETY: this backend makes entities of globals from a `wasmi::Global`.
        let global = unsafe { global.get::<wasmi::Global>() };
        global.set(self.context(), vector(value)).map_err(in_words(ErrorKind::Misuse))
    }

    unsafe fn new_table(&self, ty: &TableType, init: Option<&Object>) -> Result<Entity> {
        let engine_type = table_type(ty);
        // SAFETY: the contract says that the element fits the type and belongs to this store.
        let init = unsafe { self.reference(ty.element.kind, init) };
        let table = wasmi::Table::new(self.context(), engine_type, init);
        table.map(Entity::new).map_err(in_words(ErrorKind::Limit))
    }

    unsafe fn table_get(&self, table: &Entity, _ty: &TableType, index: u64) -> Option<Result<Option<Handle>>> {
        // SAFETY: this backend makes entities of tables from a `wasmi::Table`.
        let (table, context) = (unsafe { table.get::<wasmi::Table>() }, self.context());
        let element = table.get(&context, index)?;
        Some(Ok(from_ref(&context, self.owner(), element)))
    }

    unsafe fn table_set(&self, table: &Entity, ty: &TableType, index: u64, value: Option<&Object>) -> Result<()> {
        // SAFETY: the contract says that the element fits the type and belongs to this store, and this backend makes
        // entities of tables from a `wasmi::Table`.
        unsafe {
            let value = self.reference(ty.element.kind, value);
            table.get::<wasmi::Table>().set(self.context(), index, value).map_err(in_words(ErrorKind::Misuse))
        }
    }

    unsafe fn table_size(&self, table: &Entity) -> u64 {
        // SAFETY: this backend makes entities of tables from a `wasmi::Table`.
        unsafe { table.get::<wasmi::Table>() }.size(self.context())
    }

    unsafe fn table_grow(&self, table: &Entity, ty: &TableType, delta: u64, init: Option<&Object>) -> Result<()> {
        // SAFETY: the contract says that the element fits the type and belongs to this store, and this backend makes
        // entities of tables from a `wasmi::Table`.
        unsafe {
            let init = self.reference(ty.element.kind, init);
            let grown = table.get::<wasmi::Table>().grow(self.context(), delta, init);
            grown.map(drop).map_err(in_words(ErrorKind::Limit))
        }
    }

    unsafe fn new_memory(&self, ty: &MemoryType) -> Result<Entity> {
        self.make_memory(ty, 0).map(Entity::new).map_err(in_words(ErrorKind::Limit))
    }

    unsafe fn memory_bytes(&self, memory: &Entity) -> *mut [u8] {
        // SAFETY: this backend makes entities of memories from a `wasmi::Memory`.
        let memory = unsafe { memory.get::<wasmi::Memory>() };
        std::ptr::slice_from_raw_parts_mut(memory.data_ptr(self.context()), memory.data_size(self.context()))
    }

    unsafe fn memory_size(&self, memory: &Entity) -> u64 {
        // SAFETY: this backend makes entities of memories from a `wasmi::Memory`.
        unsafe { memory.get::<wasmi::Memory>() }.size(self.context())
    }

    unsafe fn memory_grow(&self, memory: &Entity, delta: u64) -> Result<u64> {
        // SAFETY: this backend makes entities of memories from a `wasmi::Memory`.
        let grown = unsafe { memory.get::<wasmi::Memory>() }.grow(self.context(), delta);
        grown.map_err(in_words(ErrorKind::Limit))
    }

    fn fuel(&self) -> u64 {
        let kept = self.slices.as_ref().map_or(0, |slices| slices.rest.get().unwrap_or(0));
        kept.saturating_add(self.engine_fuel())
    }

    fn set_fuel(&self, fuel: u64) {
        match &self.slices {
            Some(slices) => {
                slices.rest.set(Some(fuel));
                self.set_engine_fuel(0);
            }
            None => self.set_engine_fuel(fuel),
        }
    }
}

impl CallNumeric for WasmiStore {
    type Error = wasmi::Error;

    #[inline(always)]
    unsafe fn call_raw_numeric(&self, func: &Func, values: NonNull<Raw>) -> Result<(), wasmi::Error> {
        let (_guest, _) = Guest::begin_in_default_mode(self.owner(), MAX_NESTED_STACK).map_err(stopped)?;
        // SAFETY: the contract is that of `calls::call_raw`.
        unsafe { calls::call_raw(self, func, values) }
    }

    #[inline(always)]
    unsafe fn call_numeric(
        &self,
        func: &Func,
        args: &[Val],
        results: &mut [MaybeUninit<Val>],
        only_i32: bool,
    ) -> Result<(), wasmi::Error> {
        let _guest = self.begin_guest()?;
        // SAFETY: the contract is that of `calls::call`: a type that `by_arity` supports, arguments that fit, and
        // room for exactly the results.
        unsafe { calls::call(self, func, args, results, only_i32) }
    }

    fn explain(&self, error: wasmi::Error) -> Failure {
        use wasmi::TrapCode as Code;
        if error.downcast_ref::<HostTrapped>().is_some() {
            return Failure::Host(Vec::new());
        }
        if let Some(Stopped(code)) = error.downcast_ref() {
            return Failure::Trap(*code, Vec::new());
        }
        let code = match error.kind() {
            EngineError::Instantiation(InstantiationError::ElementSegmentDoesNotFit { .. }) => {
                TrapCode::TableOutOfBounds
            }
            kind => match kind.as_trap_code() {
                // This comes not from an instruction, but from a segment of a module that is being instantiated.
                Some(Code::TableOutOfBounds) if matches!(kind, EngineError::Table(_)) => TrapCode::TableOutOfBounds,
                Some(Code::UnreachableCodeReached) => TrapCode::Unreachable,
                Some(Code::MemoryOutOfBounds) => TrapCode::MemoryOutOfBounds,
                Some(Code::TableOutOfBounds) if self.take_mark() => TrapCode::TableOutOfBounds,
                Some(Code::TableOutOfBounds) => TrapCode::UndefinedElement,
                Some(Code::IndirectCallToNull) => TrapCode::UninitializedElement,
                Some(Code::IntegerDivisionByZero) => TrapCode::IntegerDivideByZero,
                Some(Code::IntegerOverflow) => TrapCode::IntegerOverflow,
                Some(Code::BadConversionToInteger) => TrapCode::InvalidConversion,
                Some(Code::StackOverflow) => TrapCode::StackExhausted,
                Some(Code::BadSignature) => TrapCode::IndirectCallTypeMismatch,
                Some(Code::OutOfFuel) => {
                    self.take_mark();
                    TrapCode::OutOfFuel
                }
                Some(Code::GrowthOperationLimited) => {
                    self.owner().limits().denied().map_or(TrapCode::MemoryLimit, |(code, _)| code)
                }
                _ => return Failure::Error(in_words(ErrorKind::Trap)(error)),
            },
        };
        Failure::Trap(code, Vec::new())
    }
}

/// Runs WebAssembly that may be interrupted: the engine gets fuel for a short time, and as long as the supervisor
/// agrees, the call is resumed with more.
pub struct Slices {
    /// The fuel that the store has in addition to what the engine has now; `None` if fuel is not counted.
    rest: Cell<Option<u64>>,
    /// The fuel for the next slice.
    next: Cell<u64>,
    /// When this slice began.
    began: Cell<Option<Instant>>,
}

/// The fuel for a slice: enough for some ten microseconds of simple instructions.
const SLICE: u64 = 10_000;

/// The smallest slice, for code whose instructions take long: enough for one instruction that copies memory.
const SHORT_SLICE: u64 = 300;

/// A slice that takes longer than this is followed by a shorter one.
const LONG: Duration = Duration::from_millis(4);

impl Slices {
    pub fn new(counted: bool) -> Slices {
        Slices { rest: Cell::new(counted.then_some(0)), next: Cell::new(SLICE), began: Cell::new(None) }
    }

    /// Returns the fuel for the next slice. The engine still has `left`, and needs at least `required`. `None` if
    /// there is not enough.
    fn take(&self, left: u64, required: u64) -> Option<u64> {
        let now = Instant::now();
        let slow = self.began.replace(Some(now)).is_some_and(|began| now - began > LONG);
        let next = if slow { self.next.get() / 8 } else { self.next.get() * 2 };
        self.next.set(next.clamp(SHORT_SLICE, SLICE));
        let wanted = self.next.get().max(required);
        let Some(rest) = self.rest.get() else { return Some(wanted) };
        let all = rest.saturating_add(left);
        let slice = wanted.min(all);
        if slice < required {
            return None;
        }
        self.rest.set(Some(all - slice));
        Some(slice)
    }
}

impl WasmiStore {
    /// Whether WebAssembly stopped at an access to a table. Resets the global that says so.
    #[cold]
    fn take_mark(&self) -> bool {
        // At most one global is set, because an access calls nothing.
        let marks = self.marks.borrow();
        let mark = marks.iter().rev().find(|mark| !matches!(mark.get(self.context()), wasmi::Val::I32(0)));
        mark.is_some_and(|mark| mark.set(self.context(), wasmi::Val::I32(0)).is_ok())
    }

    /// Runs a function that takes the place of a part of instantiation, at no cost in fuel. It calls nothing.
    fn run_free(&self, func: wasmi::Func) -> Result<(), Box<Failure>> {
        let _guest = self.begin_guest().map_err(|error| self.failure(error))?;
        let fuel = self.engine_fuel();
        self.set_engine_fuel(u64::MAX);
        let answer = func.call(self.context(), &[], &mut []);
        self.set_engine_fuel(fuel);
        answer.map_err(|error| match self.explain(error) {
            Failure::Trap(TrapCode::UndefinedElement, _) => {
                Failure::Trap(TrapCode::TableOutOfBounds, Vec::new()).into()
            }
            failure => failure.into(),
        })
    }

    fn engine_fuel(&self) -> u64 {
        self.context().get_fuel().unwrap_or(0)
    }

    fn set_engine_fuel(&self, fuel: u64) {
        // This only fails on engines without fuel, on which it does not matter.
        let _ = self.context().set_fuel(fuel);
    }

    /// Calls a function slice by slice.
    fn call_sliced(
        &self,
        slices: &Slices,
        func: wasmi::Func,
        params: &[wasmi::Val],
        results: &mut [wasmi::Val],
    ) -> Result<(), Box<Failure>> {
        slices.began.set(None);
        let mut call = func.call_resumable(self.context(), params, results);
        loop {
            match call.map_err(|error| self.failure(error))? {
                ResumableCall::Finished => return Ok(()),
                ResumableCall::HostTrap(trapped) => return Err(self.failure(trapped.into_host_error())),
                ResumableCall::OutOfFuel(paused) => {
                    // The instructions that run a second time are not charged again.
                    let again = if self.grow_stopped.take() { GROW_AGAIN } else { 0 };
                    let stop = match self.owner().must_stop() {
                        Some(code) => Some(code),
                        None => match slices.take(self.engine_fuel(), paused.required_fuel()) {
                            Some(fuel) => {
                                self.set_engine_fuel(fuel.saturating_add(again));
                                None
                            }
                            None => Some(TrapCode::OutOfFuel),
                        },
                    };
                    if let Some(code) = stop {
                        self.take_mark();
                        return Err(Failure::Trap(code, Vec::new()).into());
                    }
                    call = paused.resume(self.context(), results);
                }
            }
        }
    }

    /// Calls a function with values of the engine.
    fn call_values(
        &self,
        func: wasmi::Func,
        params: &[wasmi::Val],
        results: &mut [wasmi::Val],
    ) -> Result<(), Box<Failure>> {
        let _guest = self.begin_guest().map_err(|error| self.failure(error))?;
        match &self.slices {
            None => func.call(self.context(), params, results).map_err(|error| self.failure(error)),
            Some(slices) => self.call_sliced(slices, func, params, results),
        }
    }

    /// Calls a function of any type through the engine's untyped interface.
    ///
    /// # Safety
    /// As for [`Store::call`]; `func` is a function of this store, and `ty` is its type.
    #[inline(never)]
    unsafe fn call_any(
        &self,
        func: wasmi::Func,
        ty: &FuncType,
        args: &[Val],
        results: &mut [MaybeUninit<Val>],
    ) -> Result<(), Box<Failure>> {
        with_room(args.len(), |params| {
            for ((slot, arg), kind) in params.iter_mut().zip(args).zip(&ty.param_kinds) {
                // SAFETY: the contract says that the arguments fit the parameters.
                slot.write(unsafe {
                    match ty.only_i32 {
                        true => wasmi::Val::I32(arg.of.i32),
                        false => self.value(*kind, arg),
                    }
                });
            }
            with_room(results.len(), |values| {
                values.iter_mut().for_each(|slot| _ = slot.write(wasmi::Val::I32(0)));
                // SAFETY: both loops above have initialised all elements.
                let (params, values) = unsafe {
                    (
                        &*(std::ptr::from_ref(params) as *const [wasmi::Val]),
                        &mut *(std::ptr::from_mut(values) as *mut [wasmi::Val]),
                    )
                };
                self.call_values(func, params, values)?;
                for (slot, value) in results.iter_mut().zip(values) {
                    slot.write(from_engine(self.context(), self.owner(), value));
                }
                Ok(())
            })
        })
    }
}

fn vector(bytes: [u8; 16]) -> wasmi::Val {
    wasmi::Val::V128(u128::from_le_bytes(bytes).into())
}
