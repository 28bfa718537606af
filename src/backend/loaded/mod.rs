//! The `loaded` backends: engines that are not compiled in, but loaded at run time. Any shared library that has the
//! standard's functions will do.
//!
//! - [`load`] finds and loads a library, and makes sure that it calls itself.
//! - [`api`] is the table of its functions.
//! - [`dialect`] knows what libraries do differently, and what must not be asked of them.
//! - [`store`] does what the runtime asks for through these functions; [`values`] passes references, with [`helpers`]
//!   where the library has no functions for that; [`tables`] knows which functions are in tables.
//! - [`meter`] is asked by modules that were instrumented: for fuel, whether to stop, and whether something may grow.
//!
//! Everything that has an identity, such as host info, stays in the runtime; a library sees functions, numbers and
//! memories only.

mod api;
mod dialect;
mod growers;
mod helpers;
mod load;
mod meter;
mod module;
mod store;
mod tables;
mod values;

use crate::runtime::base::error::{Error, ErrorKind, Result};
use crate::runtime::base::options::{Compiler, Options, Proposal, Setting, unsupported};
use crate::runtime::base::types::ValKind;
use crate::runtime::binary::instrument::Instrumentation;
use crate::runtime::core::config::Loader;
use crate::runtime::core::engine_traits::{Backend, Engine, Module, Store};
use crate::runtime::core::store::Store as RuntimeStore;
use crate::runtime::core::value::Val;
use api::{Api, PeerConfig, PeerEngine, PeerStore, Vector};
use dialect::{Dialect, References};
use load::{Library, locate, refusal};
use module::LoadedModule;
use std::cell::RefCell;
use std::ffi::{CStr, CString};
use std::path::PathBuf;
use std::ptr::{NonNull, null_mut};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use wasmparser::{Validator, WasmFeatures};

/// A library that is loaded, and was found fit.
pub struct Peer {
    api: Api,
    dialect: &'static Dialect,
    /// What the file was called.
    path: PathBuf,
    version: CString,
    /// See [`Library::address`].
    address: usize,
    /// An engine that is never deleted, to try things with. One library ends everything with its last engine.
    engine: NonNull<PeerEngine>,
    /// The proposals that the library accepts by default, by number.
    proposals: OnceLock<Vec<Proposal>>,
    /// Whether garbage collection is among them, which is asked for each reference.
    has_gc: OnceLock<bool>,
}

/// What chooses a compiler.
struct Compilers {
    has: unsafe extern "C" fn(u32) -> bool,
    config: unsafe extern "C" fn() -> *mut PeerConfig,
    set: unsafe extern "C" fn(*mut PeerConfig, u32),
    make: unsafe extern "C" fn(*mut PeerConfig) -> *mut PeerEngine,
}

// SAFETY: the functions are a library's, which is never unloaded, and an engine may be used from any thread.
unsafe impl Send for Peer {}
unsafe impl Sync for Peer {}

/// A library under the name by which it was asked for.
struct Loaded {
    name: &'static CStr,
    peer: &'static Peer,
}

/// All backends that were loaded, in that order. They stay.
static LOADED: Mutex<Vec<&'static Loaded>> = Mutex::new(Vec::new());

fn loaded() -> MutexGuard<'static, Vec<&'static Loaded>> {
    LOADED.lock().unwrap_or_else(PoisonError::into_inner)
}

pub const LOADER: Loader = Loader { find, loaded: get, count };

/// Finds the backend of a name or path, which is loaded the first time. `None` if there is nothing of that name.
fn find(name: &str) -> Result<Option<&'static dyn Backend>> {
    if let Some(known) = known(&loaded(), name) {
        return Ok(Some(known));
    }
    let Some(path) = locate(name) else { return Ok(None) };
    let named = |mut error: Error| {
        if path.as_os_str() != name {
            error.message.insert_str(0, &format!("the backend \"{name}\": "));
        }
        error
    };
    let library = Library::open(&path).map_err(named)?;
    let text = CString::new(name).map_err(|_| Error::misuse("the name of a backend has a zero byte"))?;
    let same = same_library(&loaded(), &library);
    // No lock is held while the library runs: it may use this one.
    let made = match same {
        Some(_) => None,
        None => Some(Box::new(Peer::new(&library, path.clone()).map_err(named)?)),
    };
    let mut loaded = loaded();
    // Another thread may have been faster.
    if let Some(known) = known(&loaded, name) {
        return Ok(Some(known));
    }
    let peer = same_library(&loaded, &library).or_else(|| made.map(|made| &*Box::leak(made)));
    let peer = peer.expect("it is in the list or was made");
    let backend: &'static Loaded = Box::leak(Box::new(Loaded { name: Box::leak(text.into_boxed_c_str()), peer }));
    loaded.push(backend);
    Ok(Some(backend))
}

fn known(loaded: &[&'static Loaded], name: &str) -> Option<&'static dyn Backend> {
    let known = loaded.iter().find(|backend| backend.name.to_bytes() == name.as_bytes())?;
    Some(*known)
}

fn same_library(loaded: &[&'static Loaded], library: &Library) -> Option<&'static Peer> {
    loaded.iter().find(|backend| backend.peer.address == library.address()).map(|backend| backend.peer)
}

/// Returns a backend that was loaded, by its position.
fn get(position: usize) -> Option<&'static dyn Backend> {
    loaded().get(position).map(|backend| *backend as _)
}

fn count() -> usize {
    loaded().len()
}

/// A module with a function "f" that returns [`ANSWER`].
const TRIAL: &[u8] = b"\0asm\x01\0\0\0\
    \x01\x05\x01\x60\x00\x01\x7f\
    \x03\x02\x01\x00\
    \x07\x05\x01\x01f\x00\x00\
    \x0a\x06\x01\x04\x00\x41\x2a\x0b";
const ANSWER: i32 = 42;

impl Peer {
    fn new(library: &Library, path: PathBuf) -> Result<Peer> {
        let api = Api::find(|name| library.symbol(name)).map_err(|missing| {
            let (count, first) = (missing.len(), missing[0]);
            let home = CString::new(first).ok().and_then(|name| library.home_of(&name));
            let what = match (home, count == Api::NEEDED) {
                (Some(home), _) => format!("its function {first} is that of \"{home}\"; name that library"),
                (None, false) => {
                    let what = match count {
                        1 => format!("the function {first} of the standard"),
                        _ => format!("{count} functions of the standard, the first of them {first}"),
                    };
                    format!("it lacks {what}; a newer version of it may have what is missing")
                }
                (None, true) => "it has no functions of the WebAssembly C API".to_string(),
            };
            refusal(&path, what)
        })?;
        let dialect = Dialect::of(&api);
        let version = dialect::version(&api).unwrap_or_else(|| "unknown".to_string());
        let version = CString::new(version).unwrap_or_default();
        // SAFETY: the function takes nothing.
        let engine = NonNull::new(unsafe { (api.engine_new)() });
        let engine = engine.ok_or_else(|| refusal(&path, "it does not make an engine"))?;
        if let Some(set_level) = api.wasm_runtime_set_log_level {
            // What it reports would go to the program's standard output.
            // SAFETY: the function takes a number, of which 0 is the lowest.
            unsafe { set_level(0) };
        }
        let (address, proposals) = (library.address(), OnceLock::new());
        let has_gc = OnceLock::new();
        let peer = Peer { api, dialect, path, version, address, engine, proposals, has_gc };
        peer.enter_thread();
        match peer.with_store(|store| peer.trial(store)) {
            Some(Some(ANSWER)) => Ok(peer),
            _ => Err(refusal(
                &peer.path,
                "it does not run a module of one function; it may be of the time before the standard had vectors",
            )),
        }
    }

    /// Runs `body` with a store that is deleted afterwards. `None` if the library has none.
    fn with_store<R>(&self, body: impl FnOnce(*mut PeerStore) -> R) -> Option<R> {
        // SAFETY: the engine is the library's and lives for ever. The store is deleted once.
        unsafe {
            let store = NonNull::new((self.api.store_new)(self.engine.as_ptr()))?.as_ptr();
            let answer = body(store);
            (self.api.store_delete)(store);
            Some(answer)
        }
    }

    /// Runs a small module. Libraries that take arrays where the standard has vectors leave the result as it was.
    fn trial(&self, store: *mut PeerStore) -> Option<i32> {
        let api = &self.api;
        // SAFETY: what is passed is what the standard requires, and null is checked first; a library of the time before
        // vectors reads nothing of the empty ones, and writes the result over the vector itself, which has room for it.
        unsafe {
            let module = NonNull::new((api.module_new)(store, &Vector::of(TRIAL)))?.as_ptr();
            let mut trap = null_mut();
            let instance = self.instantiate(store, module, &Vector::empty(), &mut trap);
            let mut answer = None;
            if !instance.is_null() {
                let mut exports = Vector::empty();
                (api.instance_exports)(instance, &mut exports);
                if let [export] = exports.as_slice() {
                    let func = (api.extern_as_func)(*export);
                    let mut result = [Val::i32(0)];
                    let mut results = Vector::at(result.as_mut_ptr(), 1);
                    if !func.is_null() && (api.func_call)(func, &Vector::empty(), &mut results).is_null() {
                        answer = Some(result[0].of.i32);
                    }
                }
                (api.extern_vec_delete)(&mut exports);
                (api.instance_delete)(instance);
            }
            (api.module_delete)(module);
            answer
        }
    }

    /// Must be called on each thread before it uses the library.
    #[inline(always)]
    fn enter_thread(&self) {
        if let Some(enter) = self.api.wasm_runtime_init_thread_env {
            enter_once(self.address, enter, self.api.wasm_runtime_destroy_thread_env);
        }
    }

    fn name(&self) -> &'static str {
        self.dialect.name
    }

    /// What the library is called in messages.
    #[cold]
    fn label(&self) -> String {
        format!("\"{}\" ({})", self.path.display(), self.name())
    }

    /// What can be done with references of a kind.
    fn references(&self, kind: ValKind) -> References {
        match self.dialect.references(kind) {
            References::Boxed if !self.has_gc() => References::NullInTables,
            references => references,
        }
    }

    /// Whether values of a kind can be arguments, results and contents of globals.
    fn carries(&self, kind: ValKind) -> bool {
        let null_only = || matches!(self.references(kind), References::No | References::NullInTables);
        kind.is_number() || !null_only()
    }

    fn has_gc(&self) -> bool {
        *self.has_gc.get_or_init(|| self.proposals().contains(&Proposal::Gc))
    }

    /// The functions by which a compiler is chosen, if the library has all of them.
    fn compilers(&self) -> Option<Compilers> {
        let Api { config_new, config_set_backend, engine_new_with_config, wasmer_is_backend_available, .. } = self.api;
        Some(Compilers {
            has: wasmer_is_backend_available?,
            config: config_new?,
            set: config_set_backend?,
            make: engine_new_with_config?,
        })
    }

    fn has_tail_calls(&self) -> bool {
        self.proposals().contains(&Proposal::TailCall)
    }

    /// Returns the error for what the library cannot do.
    #[cold]
    fn lacks(&self, what: impl std::fmt::Display) -> Error {
        Error::new(ErrorKind::Unsupported, format!("{} {what}", self.label()))
    }

    fn proposals(&self) -> &[Proposal] {
        self.proposals.get_or_init(|| {
            self.enter_thread();
            let validates = |text: &str| {
                let wasm = wat::parse_str(text).unwrap_or_default();
                self.with_store(|store| self.validates(store, &wasm)) == Some(true)
            };
            Proposal::all().filter(|proposal| validates(probe(*proposal))).collect()
        })
    }

    fn validates(&self, store: *mut PeerStore, wasm: &[u8]) -> bool {
        // SAFETY: the store is the library's, and the bytes stay as they are during the call.
        unsafe { (self.api.module_validate)(store, &Vector::of(wasm)) }
    }
}

impl Drop for Peer {
    /// Only peers that are not used are dropped.
    fn drop(&mut self) {
        // SAFETY: the engine was made for this.
        unsafe { (self.api.engine_delete)(self.engine.as_ptr()) };
    }
}

/// Calls `enter` once in each thread for each library, and `leave` at the thread's end.
fn enter_once(library: usize, enter: unsafe extern "C" fn() -> bool, leave: Option<unsafe extern "C" fn()>) {
    /// The libraries that this thread has entered, each with what leaves it.
    struct Entered(RefCell<Vec<(usize, Option<unsafe extern "C" fn()>)>>);
    impl Drop for Entered {
        fn drop(&mut self) {
            for leave in self.0.take().into_iter().filter_map(|(_, leave)| leave) {
                // SAFETY: the thread has entered, and it takes nothing.
                unsafe { leave() };
            }
        }
    }
    thread_local! {
        static ENTERED: Entered = const { Entered(RefCell::new(Vec::new())) };
    }
    // At the very end of a thread there is no such list any more.
    _ = ENTERED.try_with(|entered| {
        if entered.0.borrow().iter().any(|(known, _)| *known == library) {
            return;
        }
        entered.0.borrow_mut().push((library, None));
        // SAFETY: the library requires this call on each thread, and it takes nothing.
        if unsafe { enter() } {
            let mut entered = entered.0.borrow_mut();
            if let Some(known) = entered.iter_mut().find(|(known, _)| *known == library) {
                known.1 = leave;
            }
        }
    });
}

/// A module that is valid only with a proposal.
fn probe(proposal: Proposal) -> &'static str {
    match proposal {
        Proposal::MutableGlobal => "(module (global (export \"\") (mut i32) (i32.const 0)))",
        Proposal::SignExtension => "(module (func (drop (i32.extend8_s (i32.const 0)))))",
        Proposal::SaturatingFloatToInt => "(module (func (drop (i32.trunc_sat_f32_s (f32.const 0)))))",
        Proposal::MultiValue => "(module (func (result i32 i32) (i32.const 0) (i32.const 0)))",
        Proposal::BulkMemory => "(module (memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 0))))",
        Proposal::ReferenceTypes => "(module (func (param externref)))",
        Proposal::Simd => "(module (func (param v128)))",
        Proposal::RelaxedSimd => {
            "(module (func (param v128) (drop (i8x16.relaxed_swizzle (local.get 0) (local.get 0)))))"
        }
        Proposal::TailCall => "(module (func (return_call 0)))",
        Proposal::ExtendedConst => "(module (global i32 (i32.add (i32.const 0) (i32.const 0))))",
        Proposal::MultiMemory => "(module (memory 0) (memory 0))",
        Proposal::Memory64 => "(module (memory i64 0))",
        Proposal::FunctionReferences => "(module (type $t (func)) (func (param (ref null $t))))",
        Proposal::Gc => "(module (type (struct)))",
        Proposal::Exceptions => "(module (tag))",
        Proposal::WideArithmetic => {
            "(module (func (param i64) (drop (drop (i64.mul_wide_s (local.get 0) (local.get 0))))))"
        }
        Proposal::CustomPageSizes => "(module (memory 0 (pagesize 1)))",
        Proposal::Threads => "(module (memory 0 1 shared))",
    }
}

impl Backend for Loaded {
    fn name(&self) -> &'static CStr {
        self.name
    }

    fn version(&self) -> &'static CStr {
        &self.peer.version
    }

    fn has(&self, proposal: Proposal) -> bool {
        self.peer.proposals().contains(&proposal)
    }

    /// The standard has no settings; a library may have a few of its own. What instrumented modules do needs none.
    fn can(&self, setting: Setting) -> bool {
        match setting {
            Setting::Fuel | Setting::Interruption => true,
            Setting::Compiler => self.peer.compilers().is_some(),
            _ => false,
        }
    }

    fn new_engine(&self, options: &Options) -> Result<Box<dyn Engine>> {
        // None can be turned on. What is off is off before the library sees a module.
        let mut off = Vec::new();
        for (proposal, enabled) in &options.proposals {
            match enabled {
                true if !self.has(*proposal) => {
                    return Err(unsupported(self.name(), &format!("the proposal \"{}\"", proposal.name())));
                }
                true => {}
                false => off.extend(Some(*proposal).filter(|proposal| self.has(*proposal))),
            }
        }
        let compiler = match options.compiler {
            None => None,
            Some(compiler) => Some(self.compiler(compiler)?),
        };
        let handle = Arc::new(PeerEngineHandle::new(self.peer, compiler, options)?);
        Ok(Box::new(LoadedEngine { handle, compiler: options.compiler, off }))
    }
}

impl Loaded {
    /// Returns the library's number for a compiler that it has.
    fn compiler(&self, compiler: Compiler) -> Result<u32> {
        let number = match compiler {
            Compiler::Cranelift => Some(0),
            Compiler::Llvm => Some(1),
            Compiler::Singlepass => Some(2),
            _ => None,
        };
        let compilers = self.peer.compilers();
        // SAFETY: the function takes a number that the library gives a meaning.
        let is_there = |number: &u32| compilers.as_ref().is_some_and(|compilers| unsafe { (compilers.has)(*number) });
        number
            .filter(is_there)
            .ok_or_else(|| unsupported(self.name(), &format!("the compiler \"{}\"", compiler.name())))
    }
}

fn features(proposal: Proposal) -> WasmFeatures {
    match proposal {
        Proposal::MutableGlobal => WasmFeatures::MUTABLE_GLOBAL,
        Proposal::SignExtension => WasmFeatures::SIGN_EXTENSION,
        Proposal::SaturatingFloatToInt => WasmFeatures::SATURATING_FLOAT_TO_INT,
        Proposal::MultiValue => WasmFeatures::MULTI_VALUE,
        Proposal::BulkMemory => WasmFeatures::BULK_MEMORY,
        Proposal::ReferenceTypes => WasmFeatures::REFERENCE_TYPES,
        Proposal::Simd => WasmFeatures::SIMD,
        Proposal::RelaxedSimd => WasmFeatures::RELAXED_SIMD,
        Proposal::TailCall => WasmFeatures::TAIL_CALL,
        Proposal::ExtendedConst => WasmFeatures::EXTENDED_CONST,
        Proposal::MultiMemory => WasmFeatures::MULTI_MEMORY,
        Proposal::Memory64 => WasmFeatures::MEMORY64,
        Proposal::FunctionReferences => WasmFeatures::FUNCTION_REFERENCES,
        Proposal::Gc => WasmFeatures::GC,
        Proposal::Exceptions => WasmFeatures::EXCEPTIONS.union(WasmFeatures::LEGACY_EXCEPTIONS),
        Proposal::WideArithmetic => WasmFeatures::WIDE_ARITHMETIC,
        Proposal::CustomPageSizes => WasmFeatures::CUSTOM_PAGE_SIZES,
        Proposal::Threads => WasmFeatures::THREADS,
    }
}

/// An engine of a library, which its stores and modules keep.
pub struct PeerEngineHandle {
    peer: &'static Peer,
    engine: NonNull<PeerEngine>,
    fuel: bool,
    interruption: bool,
}

// SAFETY: the standard says that an engine may be used from any thread.
unsafe impl Send for PeerEngineHandle {}
unsafe impl Sync for PeerEngineHandle {}

impl PeerEngineHandle {
    /// Makes an engine, with a compiler of the library's number.
    fn new(peer: &'static Peer, compiler: Option<u32>, options: &Options) -> Result<PeerEngineHandle> {
        let makes_none = |what| Error::new(ErrorKind::Limit, format!("{} makes no {what}", peer.label()));
        let engine = match compiler {
            // SAFETY: the function takes nothing.
            None => unsafe { (peer.api.engine_new)() },
            Some(compiler) => {
                let compilers = peer.compilers().ok_or_else(|| peer.lacks("has no compilers to choose from"))?;
                // SAFETY: the configuration is made for the engine, which takes it over; the library has a compiler of this
                // number.
                unsafe {
                    let config = NonNull::new((compilers.config)()).ok_or_else(|| makes_none("configuration"))?;
                    (compilers.set)(config.as_ptr(), compiler);
                    (compilers.make)(config.as_ptr())
                }
            }
        };
        let engine = NonNull::new(engine).ok_or_else(|| makes_none("engine"))?;
        peer.enter_thread();
        Ok(PeerEngineHandle { peer, engine, fuel: options.fuel, interruption: options.interruption })
    }

    /// What modules are instrumented for.
    fn instrumentation(&self) -> Instrumentation {
        Instrumentation { payments: self.fuel || self.interruption, waits: self.interruption }
    }

    fn new_store(&self) -> Result<NonNull<PeerStore>> {
        self.peer.enter_thread();
        // SAFETY: the engine is alive.
        let store = NonNull::new(unsafe { (self.peer.api.store_new)(self.engine.as_ptr()) });
        store.ok_or_else(|| Error::new(ErrorKind::Limit, format!("{} makes no store", self.peer.label())))
    }
}

impl Drop for PeerEngineHandle {
    fn drop(&mut self) {
        // SAFETY: nothing that was made with the engine is left, because it would have kept this.
        unsafe { (self.peer.api.engine_delete)(self.engine.as_ptr()) };
    }
}

struct LoadedEngine {
    handle: Arc<PeerEngineHandle>,
    compiler: Option<Compiler>,
    /// The proposals that modules may not use, though the library has them.
    off: Vec<Proposal>,
}

impl LoadedEngine {
    /// Refuses a module that uses what is off.
    fn check(&self, wasm: &[u8]) -> Result<()> {
        if self.off.is_empty() {
            return Ok(());
        }
        let allowed = self.off.iter().fold(WasmFeatures::all(), |allowed, off| allowed.difference(features(*off)));
        let refused = Validator::new_with_features(allowed).validate_all(wasm).err();
        refused.map_or(Ok(()), |error| {
            let off: Vec<_> = self.off.iter().map(|off| off.name()).collect();
            let (message, offset, off) = (error.message(), error.offset(), off.join(", "));
            let message = format!("{message}; these proposals are off: {off} (at offset {offset:#x})");
            Err(Error::new(ErrorKind::Compile, message))
        })
    }
}

impl Engine for LoadedEngine {
    /// An artifact is the module itself, but what another version accepts may differ.
    fn settings(&self) -> String {
        let compiler = self.compiler.map_or("", |compiler| compiler.name());
        format!("{} {} {compiler}", self.handle.peer.name(), self.handle.peer.version.to_string_lossy())
    }

    fn compile(&self, wasm: &[u8]) -> Result<Box<dyn Module>> {
        self.check(wasm)?;
        Ok(Box::new(LoadedModule::new(&self.handle, wasm)?))
    }

    fn validate(&self, wasm: &[u8]) -> Result<()> {
        self.check(wasm)?;
        module::validate(&self.handle, wasm)
    }

    unsafe fn deserialize(&self, _image: &[u8], rest: &[u8]) -> Result<Box<dyn Module>> {
        self.check(rest).map_err(|mut error| {
            error.kind = ErrorKind::Artifact;
            error
        })?;
        Ok(Box::new(LoadedModule::new(&self.handle, rest)?))
    }

    unsafe fn new_store(&self, owner: NonNull<RuntimeStore>) -> Result<Box<dyn Store>> {
        Ok(Box::new(store::LoadedStore::new(&self.handle, owner)?))
    }

    fn has_writable_fixed_tables(&self) -> bool {
        self.handle.peer.dialect.writes_fixed_tables
    }

    fn compiles(&self) -> bool {
        true
    }

    fn adds_payments(&self) -> bool {
        self.handle.instrumentation().payments
    }
}
