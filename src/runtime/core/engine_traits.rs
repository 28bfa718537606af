//! What an engine has to do to serve as a backend.
//!
//! An implementation knows the types of the runtime and those of its engine, and nothing of C. What engines lack or do
//! differently (identity, host info, finalizers, foreign objects, link errors, artifacts' envelopes, texts of traps) is done
//! once in the runtime.

use super::entry::Entry;
use super::func::Func;
use super::object::{Handle, Object, Retained};
use super::store::Store as RuntimeStore;
use super::value::Val;
use crate::runtime::base::error::{Error, ErrorKind, Result};
use crate::runtime::base::options::{Options, Proposal, Setting};
use crate::runtime::base::trap_code::TrapCode;
use crate::runtime::base::types::{ExternKind, FuncType, GlobalType, MemoryType, TableType};
use std::any::Any;
use std::borrow::Cow;
use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

pub trait Backend: Sync {
    /// As C and the environment spell it.
    fn name(&self) -> &'static CStr;

    /// The version of the engine, as its crate has it.
    fn version(&self) -> &'static CStr;

    /// Whether it runs modules that use a proposal, with one of its compilers at least.
    fn has(&self, proposal: Proposal) -> bool;

    /// Whether it can do at all what a setting asks for. What exactly is asked for, [`Backend::new_engine`] judges.
    fn can(&self, setting: Setting) -> bool;

    fn new_engine(&self, options: &Options) -> Result<Box<dyn Engine>>;
}

pub trait Engine: Send + Sync {
    /// What an artifact depends on that the engine does not check itself. Artifacts of other settings are refused before the
    /// engine sees them.
    fn settings(&self) -> String;

    fn compile(&self, wasm: &[u8]) -> Result<Box<dyn Module>>;

    fn validate(&self, wasm: &[u8]) -> Result<()>;

    /// Makes a module from what [`Module::serialize`] gave.
    ///
    /// # Safety
    /// The engine may trust `artifact` blindly: it must be what an engine of the same settings made.
    unsafe fn deserialize(&self, artifact: &[u8]) -> Result<Box<dyn Module>>;

    /// Whether modules of this engine run on this machine; if not, they can only be serialized.
    fn runs_here(&self) -> bool {
        true
    }

    /// Makes an empty store for `owner`.
    ///
    /// # Safety
    /// `owner` stays at its address until after the store is dropped; it is not looked at before this returns.
    unsafe fn new_store(&self, owner: NonNull<RuntimeStore>) -> Result<Box<dyn Store>>;

    /// Whether it makes machine code, which takes more than in proportion to a module's size where the module is made for it.
    fn compiles(&self) -> bool {
        false
    }

    /// Whether a running guest asks its supervisor only after [`Engine::tick`], so that deadlines need ticks now and then.
    fn ticks(&self) -> bool {
        false
    }

    /// Has all guests of this engine that are running ask their supervisors whether to go on. Called from any thread.
    fn tick(&self) {}
}

pub trait Module: Any + Send + Sync {
    /// What [`Engine::deserialize`] makes the module from, in two pieces: large ones are not copied to be put together.
    fn serialize(&self) -> Result<[Cow<'_, [u8]>; 2]>;

    /// A number that tells this module from every other living one in frames of traps; 0 where there are no frames.
    fn identity(&self) -> usize;
}

/// A function, global, table, memory, tag or instance of an engine's store: a small copyable handle in whatever form the
/// engine has it. An engine whose handles are not `Copy` keeps them in a list and hands out positions.
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
        // SAFETY: T fits, as just asserted.
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
        // SAFETY: a `T` was written here by `new`.
        unsafe { self.handle.as_ptr().cast::<T>().read() }
    }
}

/// Tells functions of a store apart: two entities are the same function if their keys are equal.
pub type FuncKey = (usize, usize);

/// Why an operation that runs WebAssembly did not come to its end. Handed about in a box, to keep the answer of a call that
/// did in a register.
pub enum Failure {
    /// WebAssembly trapped.
    Trap(TrapCode, Vec<RawFrame>),
    /// A host function trapped; its trap is the store's pending one.
    Host(Vec<RawFrame>),
    /// The engine made no instance, and nothing has run.
    NotInstantiated(Error),
    /// The store's limits did not allow an instance: what would have trapped, and the error that says more.
    Limit(TrapCode, Error),
    /// The engine made no instance, for a reason that has the code of a trap, and nothing has run.
    Refused(TrapCode),
    /// Anything else.
    Error(Error),
}

impl Failure {
    /// Reclassifies the failure of an instantiation before any code ran. It is not a trap: it is about the imports, if the engine's
    /// message says so, or else about something that the engine lacks.
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

/// A frame of a backtrace, innermost first.
pub struct RawFrame {
    /// [`Module::identity`] of the frame's module.
    pub module: usize,
    pub func_index: u32,
    /// Bytes from the start of the function's body.
    pub func_offset: usize,
    /// Bytes from the start of the module.
    pub module_offset: usize,
    /// What the module calls the function, and itself.
    pub func_name: Option<String>,
    pub module_name: Option<String>,
}

/// A store of an engine. All methods take `&self`: a host function called by the engine calls back into its store, so the
/// backend keeps a stack of the engine's own contexts and uses the innermost.
///
/// # Safety
/// For all methods: entities belong to this store and are of the kind the method is for, types are theirs, values fit
/// their types (see [`Val::fits`]) and belong to this store. Values passed in stay the caller's; references in values
/// passed out are owned handles.
#[allow(clippy::missing_safety_doc)] // it is the same for all of them, and stands above
pub trait Store {
    /// Instantiates `module` and runs its start function. The imports are externs, as many and of the kinds as it wants.
    unsafe fn instantiate(&self, module: &dyn Module, imports: &[Retained]) -> Result<Entity, Box<Failure>>;

    /// What type of store this is; debug builds check it where the runtime knows.
    fn type_name(&self) -> &'static str {
        std::any::type_name::<Self>()
    }

    /// Whether what was made for an instance is freed when instantiation fails, rather than with the store.
    fn frees_failed_instances(&self) -> bool {
        false
    }

    unsafe fn export(&self, instance: &Entity, module: &dyn Module, name: &str, kind: ExternKind) -> Entity;

    /// Makes a function that calls [`super::func::invoke_host`] on `func`, a host function that outlives this
    /// store.
    unsafe fn new_func(&self, func: NonNull<Object>, ty: &FuncType) -> Entity;

    unsafe fn func_key(&self, func: &Entity) -> FuncKey;

    unsafe fn func_type(&self, func: &Entity) -> FuncType;

    /// How C calls functions of a type. A store that implements [`CallNumeric`] has [`super::entry::engine_entry`] of its own type,
    /// which makes calls with numbers only cheaper.
    fn entry(&self, _ty: &FuncType) -> Entry {
        super::entry::enter_any
    }

    /// Calls `func`, which is the engine's. `results` has room for exactly its results and is written only on success.
    unsafe fn call(&self, func: &Func, args: &[Val], results: &mut [MaybeUninit<Val>]) -> Result<(), Box<Failure>>;

    unsafe fn new_global(&self, ty: &GlobalType, value: &Val) -> Result<Entity>;
    /// Writes to `out` on success only.
    unsafe fn global_get(&self, global: &Entity, ty: &GlobalType, out: &mut MaybeUninit<Val>) -> Result<()>;
    unsafe fn global_set(&self, global: &Entity, ty: &GlobalType, value: &Val) -> Result<()>;

    // Elements are objects, still the caller's, or null.

    unsafe fn new_table(&self, ty: &TableType, init: Option<&Object>) -> Result<Entity>;
    /// The element at `index`, null or an owned handle; `None` beyond the end.
    unsafe fn table_get(&self, table: &Entity, ty: &TableType, index: u64) -> Option<Result<Option<Handle>>>;
    /// Fails beyond the end.
    unsafe fn table_set(&self, table: &Entity, ty: &TableType, index: u64, value: Option<&Object>) -> Result<()>;
    unsafe fn table_size(&self, table: &Entity) -> u64;
    unsafe fn table_grow(&self, table: &Entity, ty: &TableType, delta: u64, init: Option<&Object>) -> Result<()>;

    unsafe fn new_memory(&self, ty: &MemoryType) -> Result<Entity>;
    /// Where the memory's bytes are and how many, until it grows; that is always preceded by
    /// [`RuntimeStore::memory_will_grow`].
    unsafe fn memory_bytes(&self, memory: &Entity) -> *mut [u8];
    /// Size in pages.
    unsafe fn memory_size(&self, memory: &Entity) -> u64;
    unsafe fn memory_grow(&self, memory: &Entity, delta: u64) -> Result<()>;

    /// How much fuel is left. Only called on stores of engines with fuel, as is the next one.
    fn fuel(&self) -> u64;
    fn set_fuel(&self, fuel: u64);
}

/// How most functions are called: what [`super::entry::engine_entry`] makes part of each entry.
pub trait CallNumeric: Store {
    /// What the engine says when a call does not come to its end.
    type Error;

    /// Calls a function like [`Store::call`], if its type is one that [`super::arity::by_arity`] knows and guests are not interrupted. `only_i32`
    /// only if the type is so.
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

    fn explain(&self, error: Self::Error) -> Failure;

    #[cold]
    fn failure(&self, error: Self::Error) -> Box<Failure> {
        Box::new(self.explain(error))
    }
}
