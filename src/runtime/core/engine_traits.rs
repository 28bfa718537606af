//! What an engine has to implement to serve as a backend.
//!
//! An implementation knows the types of the runtime and those of its engine, but nothing of C. What engines lack or
//! do differently (identity, host info, finalizers, foreign objects, link errors, the envelope of artifacts, the
//! texts of traps) is done once, in the runtime.

use super::arity;
use super::entry::{Entry, RawEntry};
use super::exception::Carried;
use super::func::Func;
use super::gc::{self, Gc};
use super::object::{Handle, Object, Retained, Typed};
use super::store::Store as RuntimeStore;
use super::value::{Raw, Val, with_room};
use crate::runtime::base::error::{Error, ErrorKind, Result};
use crate::runtime::base::options::{Options, Proposal, Setting};
use crate::runtime::base::trap_code::TrapCode;
use crate::runtime::base::types::{
    Defined, ExternKind, ExternType, FuncType, GlobalType, Heap, MemoryType, TableType, ValType,
};
use crate::runtime::binary::artifact::Payload;
use crate::runtime::binary::declarations::Import;
use std::any::Any;
use std::ffi::CStr;
use std::fs::File;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

pub trait Backend: Sync {
    /// The name by which C and the environment select it.
    fn name(&self) -> &'static CStr;

    /// The version of the engine's crate.
    fn version(&self) -> &'static CStr;

    /// Whether the engine runs modules that use a proposal, with at least one of its compilers.
    fn has(&self, proposal: Proposal) -> bool;

    /// Whether the backend supports a setting at all. [`Backend::new_engine`] judges the value that was set.
    fn can(&self, setting: Setting) -> bool;

    fn new_engine(&self, options: &Options) -> Result<Box<dyn Engine>>;
}

pub trait Engine: Any + Send + Sync {
    /// The settings that an artifact depends on and that the engine does not check itself. Artifacts of other
    /// settings are refused before the engine sees them.
    fn settings(&self) -> String;

    fn compile(&self, wasm: &[u8]) -> Result<Box<dyn Module>>;

    fn validate(&self, wasm: &[u8]) -> Result<()>;

    /// Makes a module from what [`Module::serialize`] returned.
    ///
    /// # Safety
    /// An engine of the same version and settings made `image` and `rest`: the engine may trust them blindly.
    unsafe fn deserialize(&self, image: &[u8], rest: &[u8]) -> Result<Box<dyn Module>>;

    /// Makes a module like [`Engine::deserialize`] from a file that begins with the image, which an engine may use in
    /// place. `image` is a view of the file.
    ///
    /// # Safety
    /// As for [`Engine::deserialize`]. Nothing changes the file while a module that was made from it is in use.
    unsafe fn deserialize_file(&self, _file: &File, image: &[u8], rest: &[u8]) -> Result<Box<dyn Module>> {
        // SAFETY: the same contract.
        unsafe { self.deserialize(image, rest) }
    }

    /// Whether modules of this engine can run on this machine. If not, they can only be serialized.
    fn runs_here(&self) -> bool {
        true
    }

    /// Makes an empty store for `owner`.
    ///
    /// # Safety
    /// `owner` stays at its address until the store has been dropped. It is uninitialised, and not read, until this
    /// returns.
    unsafe fn new_store(&self, owner: NonNull<RuntimeStore>) -> Result<Box<dyn Store>>;

    /// Whether the engine makes machine code. For a module that is built to be expensive, that takes far more time
    /// and memory than its size suggests.
    fn compiles(&self) -> bool {
        false
    }

    /// Whether the engine compiles modules with payments added, as metering adds them.
    fn adds_payments(&self) -> bool {
        false
    }

    /// Returns a text that differs between engines whose code for the same module may differ. `None` if nothing is
    /// gained by keeping a module's artifact for the next time.
    fn code_settings(&self) -> Option<String> {
        None
    }

    /// Whether WebAssembly sees what the host writes to a table of its own that cannot grow.
    fn has_writable_fixed_tables(&self) -> bool {
        true
    }

    /// Whether a running guest asks its supervisor only after [`Engine::tick`], so that deadlines need regular ticks.
    fn ticks(&self) -> bool {
        false
    }

    /// Makes all running guests of this engine ask their supervisors whether to go on. Called from any thread.
    fn tick(&self) {}
}

pub trait Module: Any + Send + Sync {
    /// Returns what [`Engine::deserialize`] makes the module from.
    fn serialize(&self) -> Result<Payload<'_>>;

    /// Returns how many bytes the engine keeps to run the module: its code and what belongs to it.
    fn code_bytes(&self) -> usize;

    /// A number that tells this module from every other live one in the frames of traps; 0 if the engine has no
    /// frames.
    fn identity(&self) -> usize;

    /// Returns the types of the imports as the engine knows them, in the module's order. Only used for modules that import
    /// or export something whose type is not [exact](ExternType::is_exact).
    fn import_types(&self) -> Option<Vec<ExternType>> {
        None
    }

    /// Returns the type of an export as the engine knows it.
    fn export_type(&self, _name: &str) -> Option<ExternType> {
        None
    }
}

/// A function, global, table, memory, tag or instance in an engine's store: a small handle that can be copied, in the
/// engine's own form. An engine whose handles are not `Copy` keeps them in a list and uses positions in it.
#[derive(Clone, Copy)]
pub struct Entity {
    handle: [MaybeUninit<u64>; 3],
    #[cfg(debug_assertions)]
    type_name: &'static str,
}

impl Entity {
    pub fn new<T: Copy>(handle: T) -> Entity {
        type Room = [MaybeUninit<u64>; 3];
        const { assert!(size_of::<T>() <= size_of::<Room>() && align_of::<T>() <= align_of::<Room>()) };
        let mut room: Room = [MaybeUninit::uninit(); 3];
        // SAFETY: the assertion above says that a `T` fits, in size and alignment.
        unsafe { room.as_mut_ptr().cast::<T>().write(handle) };
        Entity {
            handle: room,
            #[cfg(debug_assertions)]
            type_name: std::any::type_name::<T>(),
        }
    }

    /// # Safety
    /// The entity was made from a `T`.
    #[inline(always)]
    pub unsafe fn get<T: Copy>(&self) -> T {
        #[cfg(debug_assertions)]
        assert_eq!(self.type_name, std::any::type_name::<T>());
        // SAFETY: `new` has written a `T` here, as the contract says.
        unsafe { self.handle.as_ptr().cast::<T>().read() }
    }
}

/// Identifies a function in a store: two entities are the same function if their keys are equal.
pub type FuncKey = (usize, usize);

/// Why an operation that runs WebAssembly did not finish. Passed in a box, so that the answer of a successful call
/// fits in a register.
pub enum Failure {
    /// WebAssembly trapped.
    Trap(TrapCode, Vec<RawFrame>),
    /// A host function trapped. Its trap is the store's pending one.
    Host(Vec<RawFrame>),
    /// The engine made no instance, and nothing has run.
    NotInstantiated(Error),
    /// The store's limits did not allow an instance: the code of the trap, and the error that says more.
    Limit(TrapCode, Error),
    /// The engine made no instance, for a reason that has a trap code, and nothing has run.
    Refused(TrapCode),
    /// WebAssembly did not catch an exception. `None` if the engine does not say which.
    Exception(Option<Thrown>, Vec<RawFrame>),
    /// Anything else.
    Error(Error),
}

impl Failure {
    /// Reclassifies the failure of an instantiation before any code ran. It is not a trap, but a link error if the
    /// engine's message says that it is about an import, and otherwise a limit of the engine.
    pub fn of_instantiation(self, is_about_imports: fn(&str) -> bool) -> Failure {
        match self {
            Failure::Error(mut error) => {
                if error.kind == ErrorKind::Trap {
                    let link = is_about_imports(&error.message);
                    error.kind = if link { ErrorKind::Link } else { ErrorKind::Limit };
                }
                Failure::NotInstantiated(error)
            }
            Failure::Trap(code @ (TrapCode::StackExhausted | TrapCode::MemoryLimit | TrapCode::TableLimit), _) => {
                Failure::Refused(code)
            }
            other => other,
        }
    }
}

/// An exception that left WebAssembly.
pub struct Thrown {
    pub tag: Entity,
    /// An error if a value cannot pass through C.
    pub payload: Result<Carried>,
}

/// A frame of a backtrace, innermost first.
pub struct RawFrame {
    /// [`Module::identity`] of the frame's module.
    pub module: usize,
    pub func_index: u32,
    /// Bytes from the start of the function's body.
    pub func_offset: usize,
    /// Bytes from the start of the module.
    pub module_offset: usize,
    /// The names of the function and of the module, if the module has them.
    pub func_name: Option<String>,
    pub module_name: Option<String>,
}

/// A memory that stores share, in the engine's form.
pub type SharedMemory = Box<dyn Any + Send + Sync>;

/// What an engine keeps of a module and its imports.
pub type Prepared = Box<dyn Any>;

/// A store of an engine. All methods take `&self`: a host function that the engine calls may call back into its
/// store, so the backend keeps the innermost of the contexts that the engine gave out, and uses that one.
///
/// # Safety
/// For all methods: entities belong to this store and are of the kind that the method is for; types are those of the
/// entities; values fit their types (see [`Val::fits`]) and belong to this store. The caller keeps the values that it
/// passes; references in values that are returned are owned handles.
#[allow(clippy::missing_safety_doc)] // the contract is the same for all of them, and is stated above
pub trait Store {
    /// Called before a module is made with this store, which is likely to be instantiated in it.
    fn begin_module(&self) {}

    /// Instantiates `module` and runs its start function. The imports are externs of the number and the kinds that it
    /// requires.
    ///
    /// `prepared` is what [`Store::prepare`] made of the same module and imports, if it has.
    unsafe fn instantiate(
        &self,
        module: &dyn Module,
        imports: &[Retained],
        prepared: Option<&Prepared>,
    ) -> Result<Entity, Box<Failure>>;

    /// Prepares to instantiate a module often with the same imports, if the engine is faster then.
    unsafe fn prepare(&self, _module: &dyn Module, _names: &[Import], _imports: &[Retained]) -> Option<Prepared> {
        None
    }

    /// Whether the engine tells which instance calls a host function that [knows its caller](Func::knows_caller): it
    /// makes such a call in [`RuntimeStore::called_by`]. Otherwise it calls [`RuntimeStore::before_start`].
    fn tells_callers(&self) -> bool {
        false
    }

    /// What tells an instance from the others of the store. Only used if the engine [tells callers](Store::tells_callers).
    unsafe fn instance_key(&self, _instance: &Entity) -> usize {
        0
    }

    /// Returns [`Module::identity`] of an instance's module. Only used if the engine tells callers.
    unsafe fn instance_module(&self, _instance: &Entity) -> usize {
        0
    }

    /// Collects what guests no longer refer to, if the engine has a heap for that.
    fn collect_garbage(&self) -> Result<()> {
        Ok(())
    }

    /// The name of the implementing type, which debug builds compare with the type that the runtime expects.
    fn type_name(&self) -> &'static str {
        std::any::type_name::<Self>()
    }

    /// Whether a failed instantiation frees what was made for the instance, rather than the store when it ends.
    fn frees_failed_instances(&self) -> bool {
        false
    }

    unsafe fn export(&self, instance: &Entity, module: &dyn Module, name: &str, kind: ExternKind) -> Entity;

    /// Makes a function that calls [`super::func::invoke_host`] with `func`, a host function that outlives this
    /// store.
    unsafe fn new_func(&self, func: NonNull<Object>, ty: &FuncType) -> Entity;

    unsafe fn func_key(&self, func: &Entity) -> FuncKey;

    unsafe fn func_type(&self, func: &Entity) -> FuncType;

    /// Chooses how C calls functions of a type. A store that implements [`CallNumeric`] returns
    /// [`super::entry::engine_entry`] of its own type, which makes calls with numbers only faster.
    fn entry(&self, _ty: &FuncType) -> Entry {
        super::entry::enter_any
    }

    /// Calls `func`, a function of the engine. `results` has room for exactly its results, and is written only on
    /// success.
    unsafe fn call(&self, func: &Func, args: &[Val], results: &mut [MaybeUninit<Val>]) -> Result<(), Box<Failure>>;

    /// Chooses how C calls functions with raw values, if guests are not subject to interruption. A store that implements
    /// [`CallNumeric`] returns [`super::entry::enter_raw_engine`] of its own type, which makes calls with numbers only
    /// faster.
    fn raw_entry(&self) -> RawEntry {
        super::entry::enter_raw_any
    }

    /// Calls `func`, a function of the engine whose type has no references: numbers, or vectors if the engine has them.
    /// The arguments are in `values`, and the results are written there. Types of numbers only do without an
    /// implementation.
    unsafe fn call_raw(&self, func: &Func, values: NonNull<Raw>) -> Result<(), Box<Failure>> {
        // SAFETY: the contract says that there is a value of its kind for each parameter, and room for each result.
        unsafe { call_as_numbers(self, func, values) }
    }

    unsafe fn new_global(&self, ty: &GlobalType, value: &Val) -> Result<Entity>;
    /// Writes to `out` on success only.
    unsafe fn global_get(&self, global: &Entity, ty: &GlobalType, out: &mut MaybeUninit<Val>) -> Result<()>;
    unsafe fn global_set(&self, global: &Entity, ty: &GlobalType, value: &Val) -> Result<()>;

    // For globals of the type v128: only called by an engine that has the proposal simd.

    /// The bytes of a vector are in little-endian order.
    fn new_vector_global(&self, _mutable: bool, _value: [u8; 16]) -> Result<Entity> {
        Err(no_vectors())
    }
    unsafe fn vector_global_get(&self, _global: &Entity) -> Result<[u8; 16]> {
        Err(no_vectors())
    }
    unsafe fn vector_global_set(&self, _global: &Entity, _value: [u8; 16]) -> Result<()> {
        Err(no_vectors())
    }

    // For tables: elements are objects or null. The caller keeps those that it passes.

    unsafe fn new_table(&self, ty: &TableType, init: Option<&Object>) -> Result<Entity>;
    /// Returns the element at `index`, null or an owned handle; `None` beyond the end.
    unsafe fn table_get(&self, table: &Entity, ty: &TableType, index: u64) -> Option<Result<Option<Handle>>>;
    /// Fails beyond the end.
    unsafe fn table_set(&self, table: &Entity, ty: &TableType, index: u64, value: Option<&Object>) -> Result<()>;
    unsafe fn table_size(&self, table: &Entity) -> u64;
    unsafe fn table_grow(&self, table: &Entity, ty: &TableType, delta: u64, init: Option<&Object>) -> Result<()>;

    unsafe fn new_memory(&self, ty: &MemoryType) -> Result<Entity>;
    /// Returns the address and the length of the memory's bytes. Both are valid until a memory grows, before which
    /// the backend calls [`RuntimeStore::memory_will_grow`].
    unsafe fn memory_bytes(&self, memory: &Entity) -> *mut [u8];
    /// Returns the size in pages.
    unsafe fn memory_size(&self, memory: &Entity) -> u64;
    /// Returns the former size in pages.
    unsafe fn memory_grow(&self, memory: &Entity, delta: u64) -> Result<u64>;

    // For tags: only called by an engine that has the proposal exceptions.

    /// Makes a tag for values of the type's parameters.
    fn new_tag(&self, _ty: &FuncType) -> Result<Entity> {
        Err(no_exceptions())
    }
    /// What tells a tag from the others of the store.
    unsafe fn tag_key(&self, _tag: &Entity) -> u64 {
        0
    }
    unsafe fn tag_type(&self, _tag: &Entity) -> Result<FuncType> {
        Err(no_exceptions())
    }

    // Only called for memories whose type is shared, by an engine that has the proposal threads.

    /// Returns what other stores of the engine make the same memory of.
    unsafe fn share_memory(&self, _memory: &Entity) -> Result<SharedMemory> {
        Err(no_shared_memories())
    }
    fn obtain_memory(&self, _memory: &SharedMemory) -> Result<Entity> {
        Err(no_shared_memories())
    }
    /// Wakes at most `count` guests that wait at an address. Returns how many.
    unsafe fn notify_memory(&self, _memory: &Entity, _address: u64, _count: u32) -> Result<u32> {
        Err(no_shared_memories())
    }

    /// Fails if a type that some module defines is not one of this engine. `what` names it.
    fn check_defined(&self, _defined: Defined, what: &str) -> Result<()> {
        Err(Error::new(
            ErrorKind::Unsupported,
            format!("{what} cannot be used in this store: the backend does not know it"),
        ))
    }

    /// Whether something of the type `given` may be imported as `expected`, if [`ExternType::matches`] cannot tell.
    fn matches(&self, _given: &ExternType, _expected: &ExternType) -> bool {
        false
    }

    /// Whether a reference to an object, which is of the type's kind, is of the type, which is narrower than that.
    unsafe fn admits(&self, _ty: ValType, _object: &Object) -> Result<bool> {
        Ok(false)
    }

    // For garbage-collected objects: only called by an engine that has the proposal gc.

    fn new_i31(&self, _value: i32) -> Result<Handle> {
        Err(gc::unsupported())
    }
    /// Makes a struct of a type that is one of this engine. The values have not been checked; without them, all are zero
    /// or null.
    unsafe fn new_struct(&self, _ty: ValType, _fields: Option<&[Val]>) -> Result<Handle> {
        Err(gc::unsupported())
    }
    /// Makes an array of a type that is one of this engine. The value has not been checked; without it, all elements are
    /// zero or null.
    unsafe fn new_array(&self, _ty: ValType, _length: u32, _element: Option<&Val>) -> Result<Handle> {
        Err(gc::unsupported())
    }
    /// Returns the narrowest type of a reference to an object.
    unsafe fn gc_type(&self, _gc: &Gc) -> Result<ValType> {
        Err(gc::unsupported())
    }
    /// Returns the narrowest type of a reference to a function.
    unsafe fn func_ref_type(&self, _func: Typed<'_, &Func>) -> Result<ValType> {
        Ok(ValType::reference(Heap::Func, false))
    }
    unsafe fn i31(&self, _gc: &Gc) -> Result<i32> {
        Err(gc::unsupported())
    }
    /// Returns the number of a struct's fields, or of an array's elements.
    unsafe fn gc_length(&self, _gc: &Gc) -> Result<u32> {
        Err(gc::unsupported())
    }
    /// Returns a field or an element, which exists. What is packed is extended with its sign if `signed`.
    unsafe fn gc_get(&self, _gc: &Gc, _index: u32, _signed: bool) -> Result<Val> {
        Err(gc::unsupported())
    }
    /// Sets a field or an element, which exists, to a value that has not been checked.
    unsafe fn gc_set(&self, _gc: &Gc, _index: u32, _value: &Val) -> Result<()> {
        Err(gc::unsupported())
    }

    /// Returns how much fuel is left. This and the next are only called on stores of engines with fuel.
    fn fuel(&self) -> u64;
    fn set_fuel(&self, fuel: u64);
}

fn no_exceptions() -> Error {
    Error::new(ErrorKind::Unsupported, "this backend has no exceptions")
}

fn no_vectors() -> Error {
    Error::new(ErrorKind::Unsupported, "this backend has no vectors")
}

fn no_shared_memories() -> Error {
    Error::new(ErrorKind::Unsupported, "this backend has no memories that threads share")
}

/// Converts the values of [`Store::call_raw`] for [`Store::call`], and back.
///
/// # Safety
/// As for [`Store::call_raw`].
pub unsafe fn call_as_numbers<S: Store + ?Sized>(
    store: &S,
    func: &Func,
    values: NonNull<Raw>,
) -> Result<(), Box<Failure>> {
    if let Some(ty) = func.ty.uncarried() {
        let message = format!("this backend cannot pass a {ty} between WebAssembly and the host");
        return Err(Box::new(Failure::Error(Error::new(ErrorKind::Unsupported, message))));
    }
    // SAFETY: the contract is the same, and the types are numbers.
    unsafe { with_numbers(func, values, |args, results| store.call(func, args, results)) }
}

/// Runs `call` with a function's raw arguments as values of their kinds, and with room for its results, which are made
/// raw again.
///
/// # Safety
/// `values` has an argument for each parameter, all of which are numbers, and room for each result. `call` initialises
/// the results on success.
pub unsafe fn with_numbers<E>(
    func: &Func,
    values: NonNull<Raw>,
    call: impl FnOnce(&[Val], &mut [MaybeUninit<Val>]) -> Result<(), E>,
) -> Result<(), E> {
    with_room(func.ty.param_kinds.len(), |args| {
        with_room(func.ty.result_kinds.len(), |results| {
            // SAFETY: the loop initialises all arguments before the call, which initialises all results.
            unsafe {
                for (position, (slot, kind)) in args.iter_mut().zip(&func.ty.param_kinds).enumerate() {
                    Val::write_bits(slot, *kind, values.add(position).as_ref().bits(*kind));
                }
                call(&*(std::ptr::from_ref::<[_]>(args) as *const [Val]), results)?;
                for (position, (result, kind)) in results.iter().zip(&func.ty.result_kinds).enumerate() {
                    values.add(position).write(Raw::of_bits(*kind, result.assume_init_ref().bits(false)));
                }
            }
            Ok(())
        })
    })
}

/// How functions of numeric types are called. [`super::entry::engine_entry`] compiles this into each entry.
pub trait CallNumeric: Store {
    /// The engine's answer when a call does not finish.
    type Error;

    /// Calls a function like [`Store::call`]. Its type must be one that [`super::arity::by_arity`] supports, guests
    /// of the store must not be subject to interruption, and `only_i32` may only be true if all types are i32.
    ///
    /// # Safety
    /// As for all methods of [`Store`].
    unsafe fn call_numeric(
        &self,
        func: &Func,
        args: &[Val],
        results: &mut [MaybeUninit<Val>],
        only_i32: bool,
    ) -> Result<(), Self::Error>;

    /// Whether [`CallNumeric::call_raw_numeric`] can call functions of a type.
    #[inline(always)]
    fn has_raw_numeric(ty: &FuncType) -> bool {
        arity::supports(ty)
    }

    /// Calls a function like [`Store::call_raw`]. The thread is in the default floating-point mode, and guests of the
    /// store must not be subject to interruption.
    ///
    /// # Safety
    /// As for all methods of [`Store`].
    unsafe fn call_raw_numeric(&self, func: &Func, values: NonNull<Raw>) -> Result<(), Self::Error> {
        // SAFETY: the contract is the same, and `has_raw_numeric` is true.
        unsafe { with_numbers(func, values, |args, results| self.call_numeric(func, args, results, false)) }
    }

    fn explain(&self, error: Self::Error) -> Failure;

    #[cold]
    fn failure(&self, error: Self::Error) -> Box<Failure> {
        Box::new(self.explain(error))
    }
}
