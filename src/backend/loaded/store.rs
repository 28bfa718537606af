//! A store of a loaded library.

use super::api::{
    Callback, PeerExtern, PeerForeign, PeerFrame, PeerFunc, PeerGlobal, PeerInstance, PeerMemory, PeerModule, PeerRef,
    PeerStore, PeerTable, PeerTrap, Vector,
};
use super::dialect::{Cause, References, without_prefix};
use super::helpers::Helpers;
use super::meter::Meters;
use super::module::{LoadedModule, ModuleData, Place, UNKNOWN_OFFSET, capped, last_cause};
use super::tables::Tables;
use super::{Peer, PeerEngineHandle};
use crate::backend::common::{Arguments, HostObject, Owner};
use crate::runtime::base::error::{Error, ErrorKind, Result, panic_text};
use crate::runtime::base::limits::Growth;
use crate::runtime::base::trap_code::TrapCode;
use crate::runtime::base::types::{ExternKind, FuncType, GlobalType, Limits, Limits32, MemoryType, TableType, ValKind};
use crate::runtime::core::engine_traits::{CallNumeric, Entity, Failure, FuncKey, Module, Prepared, RawFrame, Store};
use crate::runtime::core::entry::{Entry, RawEntry, engine_entry, enter_raw_engine};
use crate::runtime::core::func::{Func, HostTrapped, invoke_host};
use crate::runtime::core::guest::Guest;
use crate::runtime::core::object::{Body, Handle, Object, Retained, Typed};
use crate::runtime::core::store::Store as RuntimeStore;
use crate::runtime::core::value::{Val, with_lent_room, with_room};
use rustc_hash::FxHashMap;
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{NonNull, null_mut};
use std::sync::Arc;

/// The bytes of the machine's stack that calls from WebAssembly to the host and back may use before they trap. Libraries
/// bound what WebAssembly itself uses, but not all of them what such calls do.
const MAX_NESTED_STACK: usize = 512 * 1024;

/// The largest index or size that the standard's functions take.
const MAX_INDEX: u64 = u32::MAX as u64;

pub struct LoadedStore {
    pub(super) peer: &'static Peer,
    engine: Arc<PeerEngineHandle>,
    store: NonNull<PeerStore>,
    owner: Owner,
    /// Entities of instances are positions in this list.
    instances: RefCell<Vec<Instantiated>>,
    /// What was made for the host, and references that came out of WebAssembly: all of it stays as long as the store.
    owned: RefCell<Vec<Owned>>,
    /// The modules of all instances, by identity.
    modules: RefCell<FxHashMap<usize, Used>>,
    /// Whether a function may have a type that the library cannot describe. Some end the process if they are asked.
    has_beyond: Cell<bool>,
    /// For each function of another instance that was imported where the library cannot link it: one that calls it.
    forwards: RefCell<FxHashMap<*mut PeerFunc, *mut PeerFunc>>,
    /// Why there are no functions for some of the host. The store retains those.
    refused_funcs: RefCell<FxHashMap<NonNull<Object>, Error>>,
    pub(super) helpers: Helpers,
    pub(super) tables: Tables,
    /// References to objects of the library that stand for ours.
    pub(super) foreign: RefCell<FxHashMap<NonNull<Object>, *mut PeerRef>>,
    pub(super) meters: Meters,
    /// For memories that the host cannot make grow: the functions that do, and whether their memories have 64-bit addresses.
    growers: RefCell<FxHashMap<*mut PeerMemory, (*mut PeerFunc, bool)>>,
}

struct Instantiated {
    instance: NonNull<PeerInstance>,
    /// As the library gave them, which takes them back.
    exports: Vector<*mut PeerExtern>,
    /// In the order of the module's declarations; after them what was added: the account, the start function, and the
    /// functions that make memories grow.
    ordered: Vec<*mut PeerExtern>,
}

struct Used {
    data: Arc<ModuleData>,
    module: NonNull<PeerModule>,
    /// Whether the module is the one of all stores.
    shared: bool,
}

enum Owned {
    Func(NonNull<PeerFunc>),
    Global(NonNull<PeerGlobal>),
    Table(NonNull<PeerTable>),
    Memory(NonNull<PeerMemory>),
    Reference(NonNull<PeerRef>),
    Foreign(NonNull<PeerForeign>),
}

/// Why a call did not finish.
pub enum Stop {
    Trap(NonNull<PeerTrap>),
    Code(TrapCode),
}

impl LoadedStore {
    pub fn new(engine: &Arc<PeerEngineHandle>, owner: NonNull<RuntimeStore>) -> Result<LoadedStore> {
        Ok(LoadedStore {
            peer: engine.peer,
            engine: engine.clone(),
            store: engine.new_store()?,
            owner: Owner(owner),
            instances: RefCell::default(),
            owned: RefCell::default(),
            modules: RefCell::default(),
            has_beyond: Cell::new(false),
            forwards: RefCell::default(),
            refused_funcs: RefCell::default(),
            helpers: Helpers::default(),
            tables: Tables::default(),
            foreign: RefCell::default(),
            meters: Meters::new(engine.fuel, engine.interruption),
            growers: RefCell::default(),
        })
    }

    pub(super) fn owner(&self) -> &RuntimeStore {
        self.owner.get()
    }

    pub(super) fn keep_reference(&self, reference: NonNull<PeerRef>) {
        self.owned.borrow_mut().push(Owned::Reference(reference));
    }

    pub(super) fn keep_func(&self, func: NonNull<PeerFunc>) {
        self.owned.borrow_mut().push(Owned::Func(func));
    }

    pub(super) fn keep_foreign(&self, foreign: NonNull<PeerForeign>) {
        self.owned.borrow_mut().push(Owned::Foreign(foreign));
    }

    pub(super) fn peer_store(&self) -> *mut PeerStore {
        self.store.as_ptr()
    }

    /// Whether the library can describe every function in the store.
    pub(super) fn has_described_types(&self) -> bool {
        !self.has_beyond.get()
    }

    fn keep<T>(&self, made: *mut T, owned: fn(NonNull<T>) -> Owned, what: &str) -> Result<Entity> {
        let made = NonNull::new(made).ok_or_else(|| {
            let words = self.peer.last_error().map_or(String::new(), |words| format!(": {words}"));
            Error::new(ErrorKind::Limit, format!("{} did not make the {what}{words}", self.peer.label()))
        })?;
        self.owned.borrow_mut().push(owned(made));
        Ok(Entity::new(made.as_ptr()))
    }

    /// Must be called before WebAssembly runs, and its answer kept while it does.
    #[inline(always)]
    fn begin_guest(&self) -> Result<Guest<'_>, Stop> {
        self.peer.enter_thread();
        Guest::begin(self.owner(), MAX_NESTED_STACK).map(|(guest, _)| guest).map_err(Stop::Code)
    }

    /// Calls a function with values in the library's form. Results are only written on success.
    ///
    /// # Safety
    /// The function is of this store. The arguments fit it, and there is room for exactly its results, whose kinds `kind`
    /// returns by their positions.
    #[inline(always)]
    unsafe fn call_values(
        &self,
        func: *const PeerFunc,
        args: &[Val],
        results: &mut [MaybeUninit<Val>],
        kind: impl Fn(usize) -> ValKind,
    ) -> Result<(), Stop> {
        let _guest = self.begin_guest()?;
        with_room(results.len(), |room| {
            // Some libraries look at what is there.
            for (position, slot) in room.iter_mut().enumerate() {
                slot.write(Val::zero(kind(position)));
            }
            let mut vector = Vector::at(room.as_mut_ptr().cast::<Val>(), room.len());
            // SAFETY: the function is alive as long as the store; the rest is the contract.
            let trap = unsafe { (self.peer.api.func_call)(func, &Vector::of(args), &mut vector) };
            // The library does not say whether a memory has grown.
            self.owner().memory_will_grow();
            match NonNull::new(trap) {
                None => {
                    results.copy_from_slice(room);
                    Ok(())
                }
                Some(trap) => Err(Stop::Trap(trap)),
            }
        })
    }

    /// Notes the function that makes a memory grow.
    pub(super) fn add_grower(&self, memory: *mut PeerMemory, func: *mut PeerFunc, is_64_bit: bool) {
        self.growers.borrow_mut().insert(memory, (func, is_64_bit));
    }

    /// Lets a function make a memory grow, and returns whether it could.
    ///
    /// # Safety
    /// The function is of this store, and from a number to one: of 64 bits, or of 32.
    unsafe fn grow_by(&self, func: *const PeerFunc, is_64_bit: bool, delta: u64) -> bool {
        let (kind, delta) = match is_64_bit {
            true => (ValKind::I64, Val::i64(delta as i64)),
            false => (ValKind::I32, Val::i32(delta as i32)),
        };
        let mut former = [MaybeUninit::uninit()];
        // SAFETY: the contract says that the argument and the result fit.
        match unsafe { self.call_values(func, &[delta], &mut former, |_| kind) } {
            // SAFETY: the call has written the result, a number of this size.
            Ok(()) => unsafe {
                let former = former[0].assume_init();
                if is_64_bit { former.of.i64 != -1 } else { former.of.i32 != -1 }
            },
            Err(Stop::Trap(trap)) => {
                // SAFETY: the trap is given up.
                unsafe { (self.peer.api.trap_delete)(trap.as_ptr()) };
                false
            }
            Err(Stop::Code(_)) => false,
        }
    }

    /// Calls a function of any type.
    ///
    /// # Safety
    /// As for [`Store::call`]; `func` is a function of this store, and `ty` is its type.
    #[inline(never)]
    unsafe fn call_any(
        &self,
        func: *mut PeerFunc,
        ty: &FuncType,
        args: &[Val],
        results: &mut [MaybeUninit<Val>],
    ) -> Result<(), Box<Failure>> {
        if let Some(kind) = self.unpassable(ty) {
            let name = kind.name();
            let error = self.peer.lacks(format_args!("cannot pass a {name} between WebAssembly and the host"));
            return Err(Failure::Error(error).into());
        }
        // SAFETY: there is a kind for each result.
        let kind = |position: usize| unsafe { *ty.result_kinds.get_unchecked(position) };
        if ty.numeric {
            // SAFETY: the contract is the same.
            return unsafe { self.call_values(func, args, results, kind) }.map_err(|stop| self.failure(stop));
        }
        let func = match self.boxes_in(ty) {
            // SAFETY: the function is of this type.
            true => unsafe { self.unboxed(func, ty) }.map_err(Failure::Error)?,
            false => func,
        };
        with_room(args.len(), |params| {
            for ((slot, arg), kind) in params.iter_mut().zip(args).zip(&ty.param_kinds) {
                // SAFETY: the contract says that the arguments fit the parameters.
                slot.write(unsafe { self.to_peer(*kind, arg) }.map_err(Failure::Error)?);
            }
            with_room(results.len(), |room| {
                // SAFETY: the loop has initialised all of them; the rest is the contract.
                unsafe {
                    let params = &*(std::ptr::from_ref(params) as *const [Val]);
                    self.call_values(func, params, room, kind).map_err(|stop| self.failure(stop))?;
                }
                let mut refused = None;
                for (slot, kind) in room.iter_mut().zip(&ty.result_kinds) {
                    // SAFETY: the call has initialised all results, and the library gives them up.
                    match unsafe { self.receive(*kind, slot.assume_init_ref()) } {
                        Ok(value) => _ = slot.write(value),
                        Err(error) => {
                            slot.write(Val::zero(*kind));
                            refused = refused.or(Some(error));
                        }
                    }
                }
                match refused {
                    None => {
                        results.copy_from_slice(room);
                        Ok(())
                    }
                    Some(error) => {
                        // SAFETY: all results are initialised, and own their references.
                        room.iter_mut().for_each(|slot| unsafe { slot.assume_init_mut().release() });
                        Err(Failure::Error(error).into())
                    }
                }
            })
        })
    }

    /// Returns the module in the form that this store can use.
    fn module(&self, data: &Arc<ModuleData>) -> Result<NonNull<PeerModule>> {
        if let Some(used) = self.modules.borrow().get(&data.identity()) {
            return Ok(used.module);
        }
        // SAFETY: the runtime has checked that the module is of this store's engine.
        let (module, shared) = unsafe { data.in_store(self.store.as_ptr()) }?;
        self.has_beyond.set(self.has_beyond.get() || data.has_beyond);
        self.add_candidates(data);
        self.modules.borrow_mut().insert(data.identity(), Used { data: data.clone(), module, shared });
        Ok(module)
    }

    /// Converts an import to the library's form.
    ///
    /// # Safety
    /// The object is of this store.
    unsafe fn to_extern(&self, object: &Object) -> Result<*mut PeerExtern> {
        let (api, dialect) = (&self.peer.api, self.peer.dialect);
        // SAFETY: entities of this store are made from such pointers, each for its kind.
        unsafe {
            Ok(match &object.body {
                Body::Func(func) => {
                    let entity: *mut PeerFunc =
                        Typed::of(object, Object::as_func).map_or(null_mut(), |func| func.in_engine().get());
                    if entity.is_null() {
                        return Err(self.no_host_func(object, &func.ty));
                    }
                    let forward = !func.is_host() && !dialect.links_functions;
                    (api.func_as_extern)(if forward { self.forward(object, entity, &func.ty)? } else { entity })
                }
                Body::Global(global) => (api.global_as_extern)(global.entity.get()),
                Body::Table(_) | Body::Memory(_) if !dialect.links_memories => {
                    let what = object.body.name();
                    return Err(self.peer.lacks(format_args!(
                        "cannot give an instance a {what} of the host or of another instance; let the module define it"
                    )));
                }
                Body::Table(table) => (api.table_as_extern)(table.entity.get()),
                Body::Memory(memory) => (api.memory_as_extern)(memory.entity.get()),
                Body::Tag(tag) => tag.entity.get(),
                _ => return Err(Error::misuse("this cannot be imported")),
            })
        }
    }

    /// Returns a host function that calls a function of an instance.
    fn forward(&self, object: &Object, func: *mut PeerFunc, ty: &FuncType) -> Result<*mut PeerFunc> {
        if let Some(known) = self.forwards.borrow().get(&func) {
            return Ok(*known);
        }
        if let Some(kind) = self.unpassable(ty) {
            return Err(self
                .peer
                .lacks(format_args!("cannot import a function of another instance that has {}", kind.name())));
        }
        // SAFETY: the store keeps the object, see below, and the function is not called afterwards.
        let forward = unsafe { self.new_host_func(ty, call_host, std::ptr::from_ref(object).cast_mut().cast()) };
        let forward = NonNull::new(forward)
            .ok_or_else(|| Error::new(ErrorKind::Limit, format!("{} makes no host function", self.peer.label())))?;
        self.owner().retain(Retained::new(object));
        self.forwards.borrow_mut().insert(func, forward.as_ptr());
        Ok(forward.as_ptr())
    }

    /// Returns why there is no function of the library for one of the host.
    #[cold]
    pub(super) fn no_host_func(&self, object: &Object, ty: &FuncType) -> Error {
        let refused = self.refused_funcs.borrow();
        let known = refused.get(&NonNull::from(object)).map(|error| Error::new(error.kind, error.message.clone()));
        known.unwrap_or_else(|| self.peer.lacks(format_args!("cannot have a host function {ty}")))
    }

    /// Makes a function that calls one of ours. Null if the library makes none.
    fn host_func(&self, object: NonNull<Object>, ty: &FuncType) -> Result<*mut PeerFunc> {
        self.add_candidate(ty);
        let unboxed = self.unboxed_type(ty);
        // SAFETY: the object outlives the store, and the function is not called afterwards.
        let made = unsafe { self.new_host_func(unboxed.as_ref().unwrap_or(ty), call_host, object.as_ptr().cast()) };
        match unboxed {
            // SAFETY: the function was made with this type.
            Some(unboxed) if !made.is_null() => unsafe { self.adapted(made, &unboxed, ty) },
            _ => Ok(made),
        }
    }

    /// Makes a function of the host that is the store's.
    ///
    /// # Safety
    /// The callback may be called with this environment as long as the store lives.
    pub(super) unsafe fn new_host_func(&self, ty: &FuncType, callback: Callback, env: *mut c_void) -> *mut PeerFunc {
        // SAFETY: the store is alive, and the rest is the contract.
        let made = self.peer.with_func_type(ty, |ty| unsafe {
            (self.peer.api.func_new_with_env)(self.store.as_ptr(), ty, callback, env, None)
        });
        self.owned.borrow_mut().extend(NonNull::new(made).map(Owned::Func));
        made
    }

    /// Asks the store's limits for what an instance has from the beginning.
    fn ask_for(&self, data: &ModuleData) -> Result<(), Box<Failure>> {
        let size = |size: u64| usize::try_from(size).unwrap_or(usize::MAX);
        for (least, most) in &data.tables {
            let answer = self.owner().limits().table_growing(0, size(*least), most.map(size));
            allowed(answer).map_err(Failure::NotInstantiated)?;
        }
        for (least, most) in &data.memories {
            let answer = self.owner().limits().memory_growing(0, size(*least), most.map(size));
            allowed(answer).map_err(Failure::NotInstantiated)?;
        }
        Ok(())
    }

    /// Brings an instance's exports into the declared order, and checks that the library has made what the module declares:
    /// what comes out is used without further checks.
    ///
    /// # Safety
    /// The exports are those of an instance of the module.
    unsafe fn in_order(&self, data: &ModuleData, exports: &Vector<*mut PeerExtern>) -> Result<Vec<*mut PeerExtern>> {
        // SAFETY: the contract is the same.
        let ordered = data.in_order(unsafe { exports.as_slice() });
        let fits = |exports: &Vec<*mut PeerExtern>| {
            let kinds = data.exports.iter().map(|declared| (!declared.beyond).then_some(declared.kind));
            exports.iter().zip(kinds.chain(data.added_kinds().map(Some))).all(|(export, kind)| {
                // SAFETY: the exports are the instance's.
                kind.is_none_or(|kind| unsafe { (self.peer.api.extern_kind)(*export) } == kind as u8)
            })
        };
        let wrong = || self.peer.lacks("does not give an instance's exports as its module declares them");
        ordered.filter(fits).ok_or_else(wrong)
    }

    /// Explains why a call, or the making of an instance, did not finish.
    fn explain_stop(&self, stop: Stop, instantiates: bool) -> Failure {
        let trap = match stop {
            Stop::Code(code) => return Failure::Trap(code, Vec::new()),
            Stop::Trap(trap) => trap.as_ptr(),
        };
        // SAFETY: the trap is owned, of this library, and deleted once.
        let (frames, message, cause) = unsafe {
            let (frames, message) = (self.frames(trap), self.message(trap));
            let cause = self.peer.dialect.cause(&self.peer.api, trap, &message);
            (self.peer.api.trap_delete)(trap);
            (frames, message, cause)
        };
        if let Some(code) = self.meters.take_stopped() {
            return Failure::Trap(code, frames);
        }
        if let Some(pending) = self.owner().take_pending_trap() {
            self.owner().set_pending_trap(pending);
            return Failure::Host(frames);
        }
        match cause {
            Some(cause) => Failure::Trap(self.refined(cause, &frames, instantiates), frames),
            None => {
                let cause = last_cause(&message);
                match without_prefix(&cause) {
                    cause if self.peer.dialect.thrown == Some(cause) => Failure::Exception(None, frames),
                    cause => Failure::Error(Error::new(ErrorKind::Trap, cause)),
                }
            }
        }
    }

    #[cold]
    fn failure(&self, stop: Stop) -> Box<Failure> {
        Box::new(self.explain_stop(stop, false))
    }

    /// Tells traps apart that the library does not, by the instruction that trapped.
    fn refined(&self, Cause { code, unsure }: Cause, frames: &[RawFrame], instantiates: bool) -> TrapCode {
        if !unsure && code != TrapCode::NullReference {
            return code;
        }
        let modules = self.modules.borrow();
        let refined = frames.first().and_then(|frame| match modules.get(&frame.module) {
            Some(used) => Some(used.data.sites().refine(code, frame.module_offset)),
            // One of several, which may all say the same.
            None => {
                let RawFrame { func_index, func_offset, module_offset, .. } = *frame;
                let place = Place { func_index, func_offset, module_offset };
                let fitting = modules.values().filter(|used| used.data.has_place(&place));
                let mut answers = fitting.map(|used| used.data.sites().refine(code, module_offset));
                let first = answers.next()?;
                answers.all(|answer| answer == first).then_some(first)
            }
        });
        match refined {
            Some(code) => code,
            // A segment of a table that is too small.
            None if instantiates => code,
            None if unsure => TrapCode::UndefinedElement,
            None => code,
        }
    }

    /// # Safety
    /// The trap is alive.
    unsafe fn message(&self, trap: *const PeerTrap) -> String {
        let mut message = Vector::empty();
        // SAFETY: the trap is alive; the library allocates the vector, and frees it.
        unsafe {
            (self.peer.api.trap_message)(trap, &mut message);
            let text = String::from_utf8_lossy(message.as_slice()).trim_end_matches('\0').to_string();
            (self.peer.api.byte_vec_delete)(&mut message);
            text
        }
    }

    /// # Safety
    /// The trap is alive.
    unsafe fn frames(&self, trap: *const PeerTrap) -> Vec<RawFrame> {
        let api = &self.peer.api;
        let (true, Some(trace), Some(delete), Some(index), Some(func_offset), Some(module_offset)) = (
            self.peer.dialect.frames,
            api.trap_trace,
            api.frame_vec_delete,
            api.frame_func_index,
            api.frame_func_offset,
            api.frame_module_offset,
        ) else {
            return Vec::new();
        };
        let mut frames = Vector::empty();
        // SAFETY: the trap is alive; the frames are the library's, which frees them.
        unsafe {
            trace(trap, &mut frames);
            let described = frames.as_slice().iter().filter_map(|frame: &*mut PeerFrame| {
                let frame = *frame;
                self.describe(index(frame), func_offset(frame), module_offset(frame))
            });
            let described = described.collect();
            delete(&mut frames);
            described
        }
    }

    /// Finds the module of a frame: the only one that has a function of this index which begins there. Where several do, the
    /// frame has no module, and the place that it has in all of them. `None` if these differ, and for a frame of a function
    /// that was added to a module. Without a place, only one module may have such a function.
    fn describe(&self, func_index: u32, func_offset: usize, module_offset: usize) -> Option<RawFrame> {
        let modules = self.modules.borrow();
        if module_offset == UNKNOWN_OFFSET {
            let mut fitting = modules.values().map(|used| &used.data).filter(|data| data.defines(func_index));
            // The function may have been added, or be of a module of ours.
            let (Some(data), None, false) = (fitting.next(), fitting.next(), self.has_helpers()) else { return None };
            let func_index = data.original_index(func_index)?;
            return Some(frame_of(Some(data), Place { func_index, func_offset: 0, module_offset: 0 }));
        }
        let mut fitting = modules
            .values()
            .filter_map(|used| Some((&used.data, used.data.place(func_index, func_offset, module_offset)?)));
        Some(match (fitting.next(), fitting.next()) {
            (Some((module, place)), None) => frame_of(Some(module), place?),
            (Some((_, place)), Some((_, other))) => {
                let same = place == other && fitting.all(|(_, other)| place == other);
                frame_of(None, place.filter(|_| same)?)
            }
            (None, _) if self.has_helpers() => return None,
            (None, _) => frame_of(None, Place { func_index, func_offset, module_offset }),
        })
    }

    /// Instantiates a module without its start function.
    ///
    /// # Safety
    /// As for [`Store::instantiate`].
    unsafe fn make_instance(&self, data: &Arc<ModuleData>, imports: &[Retained]) -> Result<usize, Box<Failure>> {
        let not_made = |error| Box::new(Failure::NotInstantiated(error));
        let module = self.module(data).map_err(not_made)?;
        // SAFETY: the contract says that the imports are of this store.
        let externs = imports.iter().map(|import| unsafe { self.to_extern(import) });
        let mut externs = externs.collect::<Result<Vec<_>>>().map_err(not_made)?;
        let tables = self.tables_of(data, imports);
        let mut trap = null_mut();
        let (instance, meter) = {
            let _guest =
                self.begin_guest().map_err(|stop| self.explain_stop(stop, true).of_instantiation(|_| false))?;
            self.ask_for(data)?;
            // Stays as long as the store, so it is not made for what is refused.
            let meter =
                data.grown.as_ref().map(|grown| self.new_meter(grown, imports)).transpose().map_err(not_made)?;
            // SAFETY: the function was made just now.
            externs.extend(meter.map(|(_, func)| unsafe { (self.peer.api.func_as_extern)(func) }));
            let externs = data.import_order(externs);
            // SAFETY: the module is one for this store; the imports fit it, as the runtime has checked.
            let instance = unsafe {
                self.peer.instantiate(self.store.as_ptr(), module.as_ptr(), &Vector::of(&externs), &mut trap)
            };
            (instance, meter)
        };
        self.owner().memory_will_grow();
        let Some(instance) = NonNull::new(instance) else {
            self.forget_segments(data, &tables);
            let failure = match NonNull::new(trap) {
                Some(trap) => self.explain_stop(Stop::Trap(trap), true),
                None => Failure::Error(Error::new(ErrorKind::Trap, self.unexplained())),
            };
            return Err(failure.of_instantiation(|message| message.contains("import")).into());
        };
        let mut exports = Vector::empty();
        // SAFETY: the instance was made just now.
        let ordered = unsafe {
            (self.peer.api.instance_exports)(instance.as_ptr(), &mut exports);
            self.in_order(data, &exports)
        };
        let (ordered, refused) = match ordered {
            Ok(ordered) => (ordered, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        if let (Some((meter, _)), true, Some(account)) = (meter, data.has_account(), ordered.get(data.exports.len())) {
            // SAFETY: it is a global, as its kind was checked; and the meter is the store's.
            unsafe { meter.as_ref().set_account((self.peer.api.extern_as_global)(*account)) };
        }
        let added = ordered.get(data.first_grower()..).unwrap_or_default();
        for (grower, func) in data.growers.iter().zip(added) {
            // SAFETY: they are a memory and a function, as their kinds were checked.
            unsafe {
                let memory = (self.peer.api.extern_as_memory)(ordered[grower.export]);
                self.add_grower(memory, (self.peer.api.extern_as_func)(*func), grower.is_64_bit);
            }
        }
        self.instances.borrow_mut().push(Instantiated { instance, exports, ordered });
        let position = self.instances.borrow().len() - 1;
        match refused {
            None => {
                self.remember_segments(data, imports, tables, position);
                Ok(position)
            }
            Some(error) => {
                self.forget_segments(data, &tables);
                Err(not_made(error))
            }
        }
    }

    /// Makes an instance that nothing but the backend knows of, and returns what it exports, which stays as long as the
    /// store.
    ///
    /// # Safety
    /// The module is of this store and without a start function, and the imports are what it imports.
    pub(super) unsafe fn add_instance(
        &self,
        module: NonNull<PeerModule>,
        imports: &[*mut PeerExtern],
    ) -> Result<*const [*mut PeerExtern]> {
        let mut trap = null_mut();
        let mut exports = Vector::empty();
        // SAFETY: the contract is the same.
        unsafe {
            let instance = self.peer.instantiate(self.store.as_ptr(), module.as_ptr(), &Vector::of(imports), &mut trap);
            let Some(instance) = NonNull::new(instance) else {
                let words = match NonNull::new(trap) {
                    Some(trap) => {
                        let message = self.message(trap.as_ptr());
                        (self.peer.api.trap_delete)(trap.as_ptr());
                        last_cause(&message)
                    }
                    None => self.unexplained(),
                };
                let message = format!(
                    "{} made no instance of a module that does what its functions in C cannot: {words}",
                    self.peer.label()
                );
                return Err(Error::new(ErrorKind::Limit, message));
            };
            (self.peer.api.instance_exports)(instance.as_ptr(), &mut exports);
            let all = std::ptr::from_ref(exports.as_slice());
            self.instances.borrow_mut().push(Instantiated { instance, exports, ordered: Vec::new() });
            Ok(all)
        }
    }

    #[cold]
    fn unexplained(&self) -> String {
        let words = self.peer.last_error();
        words.unwrap_or_else(|| format!("{} made no instance, and does not say why", self.peer.label()))
    }

    /// Returns an export of an instance.
    pub(super) fn export_at(&self, instance: usize, position: usize) -> *mut PeerExtern {
        self.instances.borrow()[instance].ordered[position]
    }
}

impl Peer {
    /// # Safety
    /// The store is alive, the module is one for it, and the imports fit.
    pub(super) unsafe fn instantiate(
        &self,
        store: *mut PeerStore,
        module: *const PeerModule,
        imports: &Vector<*mut PeerExtern>,
        trap: &mut *mut PeerTrap,
    ) -> *mut PeerInstance {
        /// Bytes of the stack for WebAssembly, as much as the library's own default.
        const STACK: u32 = 512 * 1024;
        // SAFETY: the contract is the same.
        unsafe {
            match self.api.wasm_instance_new_with_args {
                // The other function would add a heap to the guest's memory.
                Some(new) => new(store, module, imports, trap, STACK, 0),
                None => (self.api.instance_new)(store, module, imports, trap),
            }
        }
    }
}

impl Drop for LoadedStore {
    fn drop(&mut self) {
        let api = &self.peer.api;
        self.peer.enter_thread();
        // SAFETY: all of this was made in the store, is deleted once, and not used afterwards: the runtime closes the store.
        unsafe {
            for Instantiated { instance, mut exports, .. } in self.instances.take() {
                (api.extern_vec_delete)(&mut exports);
                (api.instance_delete)(instance.as_ptr());
            }
            for owned in self.owned.take() {
                match owned {
                    Owned::Func(func) => (api.func_delete)(func.as_ptr()),
                    Owned::Global(global) => (api.global_delete)(global.as_ptr()),
                    Owned::Table(table) => (api.table_delete)(table.as_ptr()),
                    Owned::Memory(memory) => (api.memory_delete)(memory.as_ptr()),
                    Owned::Reference(reference) => {
                        if let Some(delete) = api.ref_delete {
                            delete(reference.as_ptr());
                        }
                    }
                    Owned::Foreign(foreign) => {
                        if let Some(delete) = api.foreign_delete {
                            delete(foreign.as_ptr());
                        }
                    }
                }
            }
            self.delete_helpers();
            for used in self.modules.take().into_values().filter(|used| !used.shared) {
                (api.module_delete)(used.module.as_ptr());
            }
            (api.store_delete)(self.store.as_ptr());
        }
    }
}

fn frame_of(module: Option<&Arc<ModuleData>>, place: Place) -> RawFrame {
    RawFrame {
        module: module.map_or(0, |module| module.identity()),
        func_index: place.func_index,
        func_offset: place.func_offset,
        module_offset: place.module_offset,
        func_name: module.and_then(|module| module.function_name(place.func_index)),
        module_name: module.and_then(|module| module.name()),
    }
}

fn allowed(growth: Growth) -> Result<()> {
    match growth {
        Growth::Allowed => Ok(()),
        // If it was a limit of the store, the runtime says which.
        Growth::Denied | Growth::Trap(_) => Err(Error::new(ErrorKind::Limit, "more than any machine has room for")),
    }
}

/// Called by the library: calls the host function, or the function to be forwarded to, that is the environment.
unsafe extern "C" fn call_host(env: *mut c_void, args: *const Vector<Val>, results: *mut Vector<Val>) -> *mut PeerTrap {
    let Some(object) = NonNull::new(env.cast::<Object>()).map(HostObject) else { return null_mut() };
    let object = object.get();
    // SAFETY: only functions of stores of this backend have this callback.
    let store = unsafe { object.store().backend_as::<LoadedStore>() };
    // The memory may have grown since the host last saw it.
    store.owner().memory_will_grow();
    // SAFETY: the library gives arguments of the function's type, and room for its results.
    let answer = catch_unwind(AssertUnwindSafe(|| unsafe { store.call_object(object, args, results) }));
    match answer {
        Ok(Ok(())) => null_mut(),
        Ok(Err(HostTrapped)) => store.placeholder(),
        Err(panic) => {
            let error = Error::new(ErrorKind::Internal, panic_text(&*panic));
            store.owner().set_pending_trap(store.owner().error_trap(error));
            store.placeholder()
        }
    }
}

impl LoadedStore {
    /// A trap of the library that stands for the store's pending one.
    #[cold]
    pub(super) fn placeholder(&self) -> *mut PeerTrap {
        // SAFETY: the store is alive, and the message is a string with its zero byte, which some libraries require.
        unsafe { (self.peer.api.trap_new)(self.store.as_ptr(), &Vector::of(b"the host function trapped\0")) }
    }

    #[cold]
    fn trapped(&self, error: Error) -> HostTrapped {
        self.owner().set_pending_trap(self.owner().error_trap(error));
        HostTrapped
    }

    /// # Safety
    /// The object is a function of this store, the arguments are of its type, and there is room for its results.
    #[inline(always)]
    unsafe fn call_object(
        &self,
        object: &Object,
        args: *const Vector<Val>,
        results: *mut Vector<Val>,
    ) -> Result<(), HostTrapped> {
        let Some(func) = object.as_func() else { return Err(HostTrapped) };
        let ty = &func.ty;
        let (arg_count, result_count) = (ty.param_kinds.len(), ty.result_kinds.len());
        // SAFETY: the contract says so much of the vectors, which may be null where they would be empty.
        let (args, out) = unsafe {
            let args = if arg_count == 0 { &[] } else { std::slice::from_raw_parts((*args).data, arg_count) };
            (args, if result_count == 0 { null_mut() } else { (*results).data })
        };
        with_lent_room(result_count, |room| {
            if ty.numeric && func.is_host() && !func.is_raw_host() {
                // SAFETY: it is such a function, and the arguments and the room fit it.
                unsafe { invoke_host::<true>(object, args, room, ty.only_i32) }?;
            } else if ty.numeric {
                // SAFETY: the same.
                unsafe { self.call_either(object, func, args, room) }?;
            } else {
                let kinds = ty.param_kinds.iter();
                let pairs: Vec<_> = args.iter().zip(kinds).collect();
                // SAFETY: the contract says that the arguments are of these kinds.
                let convert = |(value, kind): &(&Val, &ValKind)| unsafe { self.receive_borrowed(**kind, value) };
                with_room(arg_count, |params| {
                    let params = Arguments::fill(params, &pairs, convert).map_err(|error| self.trapped(error))?;
                    // SAFETY: the arguments and the room fit the function.
                    unsafe { self.call_either(object, func, params.as_slice(), room) }
                })?;
                // Before they are the library's, which would not release them.
                if self.stops_after_host() {
                    // SAFETY: the results are initialised, and own their references.
                    room.iter_mut().for_each(|slot| unsafe { slot.assume_init_mut().release() });
                    return Err(HostTrapped);
                }
                // SAFETY: the results are initialised, fit their kinds, and own their references.
                unsafe { self.give_results(room, &ty.result_kinds) }.map_err(|error| self.trapped(error))?;
            }
            if ty.numeric && self.stops_after_host() {
                return Err(HostTrapped);
            }
            for (position, value) in room.iter().enumerate() {
                // SAFETY: the results are initialised, and the library has room for them.
                unsafe { out.add(position).write(value.assume_init()) };
            }
            Ok(())
        })
    }

    /// Converts the results of a callback to the library's form, all of them or none. Either way they are given up.
    ///
    /// # Safety
    /// The results are initialised, fit these kinds, and own their references.
    unsafe fn give_results(&self, results: &mut [MaybeUninit<Val>], kinds: &[ValKind]) -> Result<()> {
        let mut refused = None;
        for (slot, kind) in results.iter_mut().zip(kinds) {
            // SAFETY: the contract is the same.
            let value = unsafe { slot.assume_init_mut() };
            // SAFETY: the same.
            let converted = unsafe { self.to_owned_peer(*kind, value) };
            // SAFETY: the same; the value is not used afterwards.
            unsafe { value.release() };
            *value = converted.unwrap_or_else(|error| {
                refused.get_or_insert(error);
                Val::zero(*kind)
            });
        }
        let Some(error) = refused else { return Ok(()) };
        for (slot, kind) in results.iter().zip(kinds) {
            // SAFETY: the loop above has converted all of them, or made them null.
            unsafe { self.delete_owned_peer(*kind, slot.assume_init_ref()) };
        }
        Err(error)
    }

    /// Calls a host function, or a function that is forwarded to.
    ///
    /// # Safety
    /// The object is such a function, the arguments are of its type, and there is room for exactly its results.
    unsafe fn call_either(
        &self,
        object: &Object,
        func: &Func,
        args: &[Val],
        room: &mut [MaybeUninit<Val>],
    ) -> Result<(), HostTrapped> {
        if func.is_host() {
            // SAFETY: the contract is the same.
            return unsafe { invoke_host::<false>(object, args, room, false) };
        }
        // SAFETY: the contract is the same.
        unsafe { self.call(func, args, room) }.map_err(|failure| {
            let trap = self.owner().trap(*failure, func.origin());
            self.owner().set_pending_trap(trap);
            HostTrapped
        })
    }
}

/// # Safety
/// The function has an entity, and belongs to a store of this backend.
#[inline(always)]
unsafe fn peer_func(func: &Func) -> *mut PeerFunc {
    // SAFETY: the contract says that there is an entity, and this backend makes those of functions from such a pointer.
    unsafe { func.entity.get().unwrap_unchecked().get() }
}

impl Store for LoadedStore {
    unsafe fn instantiate(
        &self,
        module: &dyn Module,
        imports: &[Retained],
        _prepared: Option<&Prepared>,
    ) -> Result<Entity, Box<Failure>> {
        let module = (module as &dyn Any).downcast_ref::<LoadedModule>();
        let Some(data) = module.map(|module| &module.data).filter(|data| data.belongs_to(&self.engine)) else {
            return Err(Failure::NotInstantiated(Error::misuse("the module belongs to another backend")).into());
        };
        // SAFETY: the contract is the same.
        let position = unsafe { self.make_instance(data, imports) }?;
        if data.has_start() {
            let told = self.owner().before_start(Entity::new(position));
            told.map_err(|error| Box::new(Failure::NotInstantiated(error)))?;
            let start = self.export_at(position, data.exports.len() + usize::from(data.has_account()));
            // SAFETY: it is a function of this store, as its kind was checked; start functions have neither parameters nor
            // results.
            unsafe {
                let start = (self.peer.api.extern_as_func)(start);
                self.call_any(start, &FuncType::new(vec![], vec![]), &[], &mut [])?;
            }
        }
        Ok(Entity::new(position))
    }

    unsafe fn export(&self, instance: &Entity, module: &dyn Module, name: &str, kind: ExternKind) -> Entity {
        let module = (module as &dyn Any).downcast_ref::<LoadedModule>().expect("a module of this backend");
        let position = module.data.position(name).expect("the module declares this export");
        // SAFETY: entities of instances are positions.
        let export = self.export_at(unsafe { instance.get() }, position);
        let api = &self.peer.api;
        // SAFETY: the kind was checked when the instance was made, and the export belongs to the instance.
        unsafe {
            match kind {
                ExternKind::Func => Entity::new((api.extern_as_func)(export)),
                ExternKind::Global => Entity::new((api.extern_as_global)(export)),
                ExternKind::Table => Entity::new((api.extern_as_table)(export)),
                ExternKind::Memory => Entity::new((api.extern_as_memory)(export)),
                ExternKind::Tag => Entity::new(export),
            }
        }
    }

    unsafe fn new_func(&self, func: NonNull<Object>, ty: &FuncType) -> Entity {
        if self.unpassable(ty).is_some() {
            return Entity::new(null_mut::<PeerFunc>());
        }
        Entity::new(self.host_func(func, ty).unwrap_or_else(|error| {
            self.refused_funcs.borrow_mut().insert(func, error);
            null_mut()
        }))
    }

    unsafe fn func_key(&self, func: &Entity) -> FuncKey {
        // SAFETY: entities of functions are made from such a pointer.
        (unsafe { func.get::<*mut PeerFunc>() }.addr(), 0)
    }

    unsafe fn func_type(&self, func: &Entity) -> FuncType {
        // SAFETY: entities of functions are made from such a pointer, and functions live as long as the store.
        let func = unsafe { func.get::<*mut PeerFunc>() };
        // SAFETY: the same.
        let ty = self.noted_type(func).or_else(|| unsafe { self.peer.func_type(func) });
        ty.expect("only functions whose type was read before come out of WebAssembly")
    }

    fn entry(&self, ty: &FuncType) -> Entry {
        engine_entry::<LoadedStore>(ty)
    }

    unsafe fn call(&self, func: &Func, args: &[Val], results: &mut [MaybeUninit<Val>]) -> Result<(), Box<Failure>> {
        // SAFETY: the contract says that `func` is a function of this store's engine, so it has an entity, and that the
        // arguments and the room fit it.
        unsafe { self.call_any(peer_func(func), &func.ty, args, results) }
    }

    fn raw_entry(&self) -> RawEntry {
        enter_raw_engine::<LoadedStore>
    }

    unsafe fn new_global(&self, ty: &GlobalType, value: &Val) -> Result<Entity> {
        let (api, kind) = (&self.peer.api, ty.content.kind);
        if !self.peer.carries(kind) {
            return Err(self.peer.lacks(format_args!("cannot make a global for a {}", kind.name())));
        }
        if self.boxes(kind) {
            // SAFETY: the contract says that the reference is null or alive.
            return self.new_boxed_global(ty, unsafe { value.reference() });
        }
        // SAFETY: the contract says that the value fits and belongs to this store; the type is deleted once.
        let made = unsafe {
            let value = self.to_peer(kind, value)?;
            let ty = (api.globaltype_new)(self.peer.val_type(kind), ty.mutable as u8);
            let made = (api.global_new)(self.store.as_ptr(), ty, &value);
            (api.globaltype_delete)(ty);
            made
        };
        self.keep(made, Owned::Global, "global")
    }

    unsafe fn global_get(&self, global: &Entity, ty: &GlobalType, out: &mut MaybeUninit<Val>) -> Result<()> {
        let kind = ty.content.kind;
        if !self.peer.carries(kind) {
            return Err(self.peer.lacks(format_args!("cannot read a global that has a {}", kind.name())));
        }
        if self.boxes(kind) {
            // SAFETY: entities of globals are made from such a pointer.
            out.write(unsafe { self.get_boxed_global(global.get(), ty) }?);
            return Ok(());
        }
        let mut value = Val::zero(kind);
        // SAFETY: entities of globals are made from such a pointer; the value is a local, and owned afterwards.
        unsafe {
            (self.peer.api.global_get)(global.get::<*mut PeerGlobal>(), &mut value);
            out.write(self.receive(kind, &value)?);
        }
        Ok(())
    }

    unsafe fn global_set(&self, global: &Entity, ty: &GlobalType, value: &Val) -> Result<()> {
        let kind = ty.content.kind;
        if !self.peer.carries(kind) {
            return Err(self.peer.lacks(format_args!("cannot write a global that has a {}", kind.name())));
        }
        if self.boxes(kind) {
            // SAFETY: entities of globals are made from such a pointer; the contract says that the value fits.
            return unsafe { self.set_boxed_global(global.get(), ty, value.reference()) };
        }
        // SAFETY: entities of globals are made from such a pointer; the contract says that the value fits.
        unsafe {
            let value = self.to_peer(kind, value)?;
            (self.peer.api.global_set)(global.get::<*mut PeerGlobal>(), &value);
        }
        Ok(())
    }

    unsafe fn new_table(&self, ty: &TableType, init: Option<&Object>) -> Result<Entity> {
        let (api, kind) = (&self.peer.api, ty.element.kind);
        if self.peer.references(kind) == References::No || !self.peer.dialect.links_memories {
            let what =
                format!("cannot make a {} for the host", crate::runtime::base::types::ExternType::Table(ty.clone()));
            return Err(self.peer.lacks(what));
        }
        let limits = ty.limits;
        allowed(self.owner().limits().table_growing(0, limits.min() as usize, limits.max().map(|max| max as usize)))?;
        // A guest may make it grow, and the library would try.
        let most = capped(limits.min(), limits.max());
        if self.boxes(kind) || ty.is_64_bit {
            // SAFETY: the contract says that the element fits and belongs to this store.
            let made = unsafe { self.new_table_by_module(ty, most, init) }?;
            self.remember_table(made, limits.min(), init);
            return Ok(Entity::new(made));
        }
        let capped = Limits::new(limits.min(), Some(most));
        // SAFETY: the contract says that the element fits and belongs to this store; the type is deleted once.
        let made = unsafe {
            let reference = self.reference_to(kind, init)?;
            let ty = (api.tabletype_new)(self.peer.val_type(kind), capped.in_c());
            let made = (api.table_new)(self.store.as_ptr(), ty, reference);
            (api.tabletype_delete)(ty);
            made
        };
        let table = self.keep(made, Owned::Table, "table")?;
        self.remember_table(made, limits.min(), init);
        Ok(table)
    }

    unsafe fn table_get(&self, table: &Entity, ty: &TableType, index: u64) -> Option<Result<Option<Handle>>> {
        // SAFETY: the contract is the same.
        if index >= unsafe { self.table_size(table) } {
            return None;
        }
        let kind = ty.element.kind;
        // SAFETY: entities of tables are made from such a pointer.
        let of: *mut PeerTable = unsafe { table.get() };
        // SAFETY: the table has this element.
        if let Some(known) = unsafe { self.known_element(of, index) } {
            return Some(known);
        }
        if self.peer.references(kind) == References::No {
            return Some(Err(self.peer.lacks(format_args!("cannot read a table of {}", kind.name()))));
        }
        if self.boxes(kind) {
            // SAFETY: the table has this element.
            return Some(unsafe { self.get_boxed_element(of, index) });
        }
        // SAFETY: entities of tables are made from such a pointer, the index is one of it, and the reference is owned.
        Some(unsafe {
            let element = (self.peer.api.table_get)(of, index as u32);
            self.reference_from(kind, element)
        })
    }

    unsafe fn table_set(&self, table: &Entity, ty: &TableType, index: u64, value: Option<&Object>) -> Result<()> {
        let beyond = || Error::misuse(format!("the table has no element {index}"));
        // SAFETY: the contract is the same.
        if index >= unsafe { self.table_size(table) } {
            return Err(beyond());
        }
        let kind = ty.element.kind;
        if self.peer.references(kind) == References::No {
            return Err(self.peer.lacks(format_args!("cannot write a table of {}", kind.name())));
        }
        // SAFETY: entities of tables are made from such a pointer.
        let of: *mut PeerTable = unsafe { table.get() };
        let is_fixed = kind == ValKind::FuncRef && ty.limits.max() == Some(ty.limits.min());
        if is_fixed && !self.peer.dialect.writes_fixed_tables && !self.is_of_host(of) {
            let what = "does not let an instance see what the host writes to a table of the instance that cannot grow";
            return Err(self.peer.lacks(format_args!("{what}; let the table have room for one more element")));
        }
        // SAFETY: entities of tables are made from such a pointer; the contract says that the element fits.
        let set = unsafe {
            let table: *mut PeerTable = table.get();
            if self.boxes(kind) {
                self.set_boxed_element(table, index, value)?;
                self.remember_element(table, index, value);
                return Ok(());
            }
            let reference = self.reference_to(kind, value)?;
            let set = (self.peer.api.table_set)(table, index as u32, reference);
            if set {
                self.remember_element(table, index, value);
            }
            set
        };
        if set { Ok(()) } else { Err(beyond()) }
    }

    unsafe fn table_size(&self, table: &Entity) -> u64 {
        // SAFETY: entities of tables are made from such a pointer.
        unsafe { (self.peer.api.table_size)(table.get::<*mut PeerTable>()) }.into()
    }

    unsafe fn table_grow(&self, table: &Entity, ty: &TableType, delta: u64, init: Option<&Object>) -> Result<()> {
        let kind = ty.element.kind;
        if !self.peer.dialect.grows || self.peer.references(kind) == References::No {
            return Err(self.peer.lacks("cannot let the host grow a table"));
        }
        // SAFETY: entities of tables are made from such a pointer.
        let size = unsafe { self.table_size(table) };
        let wanted = size.saturating_add(delta);
        if wanted > ty.limits.max().unwrap_or(MAX_INDEX).min(MAX_INDEX) {
            return Err(Error::new(ErrorKind::Limit, format!("the table's type does not allow {wanted} elements")));
        }
        let max = ty.limits.max().map(|max| max as usize);
        allowed(self.owner().limits().table_growing(size as usize, wanted as usize, max))?;
        // SAFETY: entities of tables are made from such a pointer; the contract says that the element fits.
        let grown = unsafe {
            let table: *mut PeerTable = table.get();
            let grown = match self.boxes(kind) {
                true => self.grow_boxed_table(table, delta, init)?,
                false => {
                    let init = self.reference_to(kind, init)?;
                    (self.peer.api.table_grow)(table, delta as u32, init)
                }
            };
            if grown {
                self.remember_growth(table, size, delta, init);
            }
            grown
        };
        if grown { Ok(()) } else { Err(Error::new(ErrorKind::Limit, "the table could not grow")) }
    }

    unsafe fn new_memory(&self, ty: &MemoryType) -> Result<Entity> {
        let api = &self.peer.api;
        let by_module = ty.proposals().next().is_some() || !self.peer.dialect.links_memories;
        if by_module && (ty.shared || !self.peer.dialect.keeps_order) {
            let what =
                format!("cannot make a {} for the host", crate::runtime::base::types::ExternType::Memory(ty.clone()));
            return Err(self.peer.lacks(what));
        }
        let bytes = |pages: u64| usize::try_from(u128::from(pages) << ty.page_size_log2.min(63)).unwrap_or(usize::MAX);
        let limits = ty.limits;
        allowed(self.owner().limits().memory_growing(0, bytes(limits.min()), limits.max().map(bytes)))?;
        if by_module {
            self.owner().memory_will_grow();
            return self.new_memory_by_module(ty).map(Entity::new);
        }
        let in_c: &Limits32 = limits.in_c();
        // SAFETY: the type is deleted once.
        let made = unsafe {
            let ty = (api.memorytype_new)(in_c);
            let made = (api.memory_new)(self.store.as_ptr(), ty);
            (api.memorytype_delete)(ty);
            made
        };
        self.owner().memory_will_grow();
        self.keep(made, Owned::Memory, "memory")
    }

    unsafe fn memory_bytes(&self, memory: &Entity) -> *mut [u8] {
        // SAFETY: entities of memories are made from such a pointer.
        unsafe {
            let memory = memory.get::<*mut PeerMemory>();
            let (data, size) = ((self.peer.api.memory_data)(memory), (self.peer.api.memory_data_size)(memory));
            // A memory without bytes may have no address.
            let data = NonNull::new(data).unwrap_or(NonNull::dangling());
            std::ptr::slice_from_raw_parts_mut(data.as_ptr(), size)
        }
    }

    unsafe fn memory_size(&self, memory: &Entity) -> u64 {
        // SAFETY: entities of memories are made from such a pointer.
        unsafe {
            let memory = memory.get::<*mut PeerMemory>();
            match self.peer.dialect.counts_pages {
                true => (self.peer.api.memory_size)(memory).into(),
                false => (self.peer.api.memory_data_size)(memory) as u64 >> 16,
            }
        }
    }

    unsafe fn memory_grow(&self, memory: &Entity, delta: u64) -> Result<u64> {
        // SAFETY: entities of memories are made from such a pointer.
        let peer_memory = unsafe { memory.get::<*mut PeerMemory>() };
        let grower = self.growers.borrow().get(&peer_memory).copied();
        if grower.is_none() && !self.peer.dialect.grows {
            return Err(self.peer.lacks("cannot let the host grow this memory"));
        }
        // SAFETY: the contract is the same.
        let former = unsafe { self.memory_size(memory) };
        let bytes = |pages: u64| usize::try_from(pages.saturating_mul(1 << 16)).unwrap_or(usize::MAX);
        let wanted = former.saturating_add(delta);
        if wanted > 1 << 16 {
            return Err(Error::new(ErrorKind::Limit, format!("a memory has at most 65536 pages, not {wanted}")));
        }
        allowed(self.owner().limits().memory_growing(bytes(former), bytes(wanted), None))?;
        // SAFETY: the memory is of this store, and so is the function, whose type says how large addresses are.
        let grown = unsafe {
            match grower {
                None => (self.peer.api.memory_grow)(peer_memory, delta as u32),
                Some((func, is_64_bit)) => self.grow_by(func, is_64_bit, delta),
            }
        };
        self.owner().memory_will_grow();
        if grown {
            return Ok(former);
        }
        self.owner().limits().growth_failed();
        Err(Error::new(ErrorKind::Limit, format!("the memory could not grow from {former} pages to {wanted}")))
    }

    unsafe fn tag_key(&self, tag: &Entity) -> u64 {
        // SAFETY: entities of tags are made from such a pointer.
        unsafe { tag.get::<*mut PeerExtern>() }.addr() as u64
    }

    fn fuel(&self) -> u64 {
        self.fuel_left()
    }

    fn set_fuel(&self, fuel: u64) {
        self.set_fuel_left(fuel);
    }
}

impl CallNumeric for LoadedStore {
    type Error = Stop;

    #[inline(always)]
    unsafe fn call_numeric(
        &self,
        func: &Func,
        args: &[Val],
        results: &mut [MaybeUninit<Val>],
        only_i32: bool,
    ) -> Result<(), Stop> {
        // SAFETY: the contract is the same, and the function is the engine's, so it has an entity.
        unsafe { self.call_values(peer_func(func), args, results, |position| func.result_kind(position, only_i32)) }
    }

    fn explain(&self, stop: Stop) -> Failure {
        self.explain_stop(stop, false)
    }
}
