//! Modules: compiled by the library, and what the library does not tell of them.

use super::api::{Api, PeerError, PeerModule, PeerStore, Vector};
use super::dialect::Dialect;
use super::growers::{self, Grower};
use super::tables::TableUse;
use super::{Peer, PeerEngineHandle, features};
use crate::runtime::base::error::{Error, ErrorKind, Result};
use crate::runtime::base::limits::MAX_TABLE_ELEMENTS;
use crate::runtime::base::options::Proposal;
use crate::runtime::base::types::{ExternKind, ExternType, FuncType, ValKind, ValType};
use crate::runtime::binary::artifact::Payload as Artifact;
use crate::runtime::binary::declarations::{Declarations, Import, import_kind};
use crate::runtime::binary::instrument::{Grown, Origins, instrument};
use crate::runtime::binary::sections::{self, Entries, TABLES};
use crate::runtime::binary::trap_sites::TrapSites;
use crate::runtime::core::engine_traits::Module;
use rustc_hash::{FxHashMap, FxHashSet};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::ops::Range;
use std::ptr::{NonNull, null_mut};
use std::sync::{Arc, OnceLock};
use wasmparser::{
    BinaryReader, BinaryReaderError, CompositeInnerType, Element, ElementItems, ElementKind, ExportSectionReader,
    KnownCustom, Name, Operator, OperatorsReader, Parser, Payload, RefType, SubType, Table, TableInit,
    TableSectionReader, Validator, WasmFeatures,
};

pub struct LoadedModule {
    /// For stores, which may need it longer than the program.
    pub data: Arc<ModuleData>,
}

pub struct ModuleData {
    engine: Arc<PeerEngineHandle>,
    /// The module in a store of its own, if other stores can use it there.
    shared: Option<(NonNull<PeerStore>, NonNull<PeerModule>)>,
    /// The module as the program gave it.
    wasm: Box<[u8]>,
    pub exports: Vec<Declared>,
    positions: FxHashMap<Box<str>, usize>,
    /// For each export of the library's instances, which of the declared ones it is; after them come the account, the
    /// start function, and the functions that make memories grow. `None` if they are in that order.
    order: Option<Vec<usize>>,
    /// For each import in the library's order, its position in the module's. `None` if that is the same.
    import_order: Option<Vec<usize>>,
    /// The smallest and the largest sizes of the tables and memories that the module defines.
    pub tables: Vec<(u64, Option<u64>)>,
    pub memories: Vec<(u64, Option<u64>)>,
    /// If others can have its tables.
    pub table_use: Option<TableUse>,
    /// For each function that is exported: its first export, and its type. Only for modules that share tables.
    exported_funcs: FxHashMap<u32, (usize, FuncType)>,
    /// Whether there is a type of functions that the first version of the standard cannot describe.
    pub has_beyond: bool,
    /// What the library gets instead of the module.
    rewritten: Option<Rewritten>,
    /// Whether the module was instrumented, and what may grow in its instances.
    pub grown: Option<Vec<Grown>>,
    /// The name of the export that is an instance's account, if there is one.
    account: Option<String>,
    /// The memories that functions which were added make grow.
    pub growers: Vec<Grower>,
    code: OnceLock<Code>,
    /// The code that the library has.
    peer_code: OnceLock<Code>,
    /// What leads from places in that code to the module's. `None` if the code is the same.
    origins: OnceLock<Option<Origins>>,
    sites: OnceLock<TrapSites>,
    types: OnceLock<Types>,
}

/// The types of functions that the first versions of the standard can describe, and those of the functions.
#[derive(Default)]
struct Types {
    types: Vec<Option<FuncType>>,
    /// Of those that the module defines.
    funcs: Vec<u32>,
}

/// What is declared of an export.
pub struct Declared {
    pub kind: ExternKind,
    /// Whether the standard cannot describe it, so that a library may not either.
    pub beyond: bool,
}

/// A module whose tables cannot grow without end, because libraries would try, and whose start function is exported
/// instead, to be called when the instance exists. It may be instrumented, too, and have functions that make memories
/// grow.
struct Rewritten {
    wasm: Box<[u8]>,
    has_start: bool,
}

/// What a library says of an offset that it does not know, as wasmtime in a function whose stack did not suffice to begin.
/// Here that is 0.
pub const UNKNOWN_OFFSET: usize = usize::MAX;

/// A place in the code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub func_index: u32,
    pub func_offset: usize,
    pub module_offset: usize,
}

/// What frames of traps are described with.
#[derive(Default)]
struct Code {
    /// Where the body of each function begins that the module defines.
    bodies: Vec<usize>,
    imported: usize,
    name: Option<String>,
    names: FxHashMap<u32, String>,
}

// SAFETY: the module is not changed after it was made, and the standard lets any thread use it. Its store is used by
// nothing else.
unsafe impl Send for ModuleData {}
unsafe impl Sync for ModuleData {}

impl LoadedModule {
    pub fn new(engine: &Arc<PeerEngineHandle>, wasm: &[u8]) -> Result<LoadedModule> {
        // An invalid module is the library's to refuse, in its words.
        let instrumented =
            instrument(wasm, engine.instrumentation()).map_err(|error| match is_valid(engine, wasm) {
                Ok(true) | Err(_) => error,
                Ok(false) => refused(engine, wasm),
            })?;
        let outline = match &instrumented {
            None => Outline::read(wasm),
            Some(instrumented) => Outline::read(&instrumented.wasm).and_then(|mut outline| {
                // Segments name functions by their index in the original.
                if outline.table_use.is_shared() {
                    outline.table_use = Outline::read(wasm)?.table_use;
                }
                Ok(outline)
            }),
        };
        let mut data = ModuleData {
            engine: engine.clone(),
            shared: None,
            wasm: wasm.into(),
            exports: Vec::new(),
            positions: FxHashMap::default(),
            order: None,
            import_order: None,
            tables: Vec::new(),
            memories: Vec::new(),
            table_use: None,
            exported_funcs: FxHashMap::default(),
            has_beyond: false,
            rewritten: None,
            grown: None,
            account: None,
            growers: Vec::new(),
            code: OnceLock::new(),
            peer_code: OnceLock::new(),
            origins: OnceLock::new(),
            sites: OnceLock::new(),
            types: OnceLock::new(),
        };
        // Otherwise the module is invalid, and the library says so.
        if let Ok(outline) = outline {
            if let Some(lacking) = outline.lacking(engine.peer.dialect) {
                return Err(match is_valid(engine, wasm)? {
                    true => engine.peer.lacks(lacking),
                    false => refused(engine, wasm),
                });
            }
            (data.tables, data.memories) = (outline.tables, outline.memories);
            (data.has_beyond, data.rewritten) = (outline.has_beyond, outline.rewritten);
            data.table_use = Some(outline.table_use).filter(TableUse::is_shared);
        } else {
            data.has_beyond = true;
        }
        if let Some(instrumented) = instrumented {
            let wasm = instrumented.wasm.into();
            data.rewritten.get_or_insert(Rewritten { wasm, has_start: false });
            (data.grown, data.account) = (Some(instrumented.grown), instrumented.account);
        }
        let declarations = Declarations::parse(wasm);
        if let (Ok(declarations), false, true) =
            (&declarations, engine.peer.dialect.grows, engine.peer.dialect.keeps_order)
        {
            data.add_growers(declarations);
        }
        let store = engine.new_store()?;
        // SAFETY: the store was made just now, and is deleted once: here, or with the data.
        unsafe {
            // As an export a start function may have any type; and what is added must not be referred to.
            let has_added = data.has_start() || data.grown.is_some() || !data.growers.is_empty();
            if has_added && !engine.peer.validates(store.as_ptr(), wasm) {
                // Some libraries only say why when they shall make it.
                let made = (engine.peer.api.module_new)(store.as_ptr(), &Vector::of(wasm));
                let error = refused(engine, wasm);
                if !made.is_null() {
                    (engine.peer.api.module_delete)(made);
                }
                (engine.peer.api.store_delete)(store.as_ptr());
                return Err(error);
            }
            match data.made_in(store.as_ptr()) {
                Ok(module) if engine.peer.dialect.shares_modules => {
                    data.shared = Some((store, module));
                    data.declare(declarations?, module)?;
                }
                made => {
                    let declared = made.and_then(|module| {
                        let declared = declarations.and_then(|declarations| data.declare(declarations, module));
                        (engine.peer.api.module_delete)(module.as_ptr());
                        declared
                    });
                    (engine.peer.api.store_delete)(store.as_ptr());
                    declared?;
                }
            }
        }
        Ok(LoadedModule { data: Arc::new(data) })
    }
}

impl Declared {
    fn of(ty: &ExternType) -> Declared {
        let beyond = match ty {
            ExternType::Memory(ty) => ty.shared,
            ExternType::Tag(_) => true,
            _ => false,
        };
        Declared { kind: ty.kind(), beyond }
    }
}

/// Whether the standard's types of the first versions can describe something.
fn is_described(ty: &ExternType) -> bool {
    let carried = |ty: &ValType| ty.kind.is_number() || matches!(ty.kind, ValKind::ExternRef | ValKind::FuncRef);
    match ty {
        ExternType::Func(ty) => ty.params.iter().chain(ty.results.iter()).all(carried),
        ExternType::Global(ty) => carried(&ty.content),
        ExternType::Table(ty) => carried(&ty.element) && !ty.is_64_bit,
        ExternType::Memory(ty) => ty.proposals().next().is_none(),
        ExternType::Tag(_) => false,
    }
}

impl Module for LoadedModule {
    fn serialize(&self) -> Result<Artifact<'_>> {
        Ok(Artifact { image: Cow::Borrowed(&[]), rest: Cow::Borrowed(&self.data.wasm) })
    }

    fn code_bytes(&self) -> usize {
        self.data.wasm.len()
    }

    fn identity(&self) -> usize {
        self.data.identity()
    }
}

impl ModuleData {
    /// Adds the functions that make memories grow. What cannot be read is the library's to refuse.
    fn add_growers(&mut self, declarations: &Declarations) {
        let growers = growers::of(declarations);
        let wasm = self.rewritten.as_ref().map_or(&self.wasm, |rewritten| &rewritten.wasm);
        if growers.is_empty() {
            return;
        }
        if let Ok(wasm) = growers::add(wasm, &growers) {
            self.rewritten = Some(Rewritten { wasm: wasm.into(), has_start: self.has_start() });
            self.growers = growers;
        }
    }

    /// # Safety
    /// The module is this one in the library.
    unsafe fn declare(&mut self, declarations: Declarations, module: NonNull<PeerModule>) -> Result<()> {
        self.exports = declarations.exports.iter().map(|export| Declared::of(&export.ty)).collect();
        let peer = self.engine.peer;
        if self.exports.iter().any(|export| export.beyond && export.kind == ExternKind::Memory) {
            return Err(peer.lacks("cannot hand out a shared memory, which this module exports"));
        }
        if self.table_use.is_some() {
            for (position, export) in declarations.exports.iter().enumerate() {
                if let ExternType::Func(ty) = &export.ty {
                    self.exported_funcs.entry(export.index).or_insert_with(|| (position, ty.clone()));
                }
            }
        }
        let imports = declarations.imports.len() + usize::from(self.grown.is_some());
        if !peer.dialect.keeps_order
            && imports > 1
            && declarations.imports.iter().all(|import| is_described(&import.ty))
        {
            // SAFETY: the contract is the same.
            self.import_order = unsafe { self.import_order_in(module, &declarations.imports) };
        }
        let described = declarations.exports.iter().all(|export| is_described(&export.ty));
        let names = declarations.exports.into_iter().enumerate();
        self.positions = names.map(|(position, export)| (export.name.into(), position)).collect();
        // With fewer there is only one order.
        if !peer.dialect.keeps_order && self.export_count() > 1 {
            if !described {
                return Err(peer.lacks("cannot be relied on to describe what this module exports"));
            }
            // SAFETY: the contract is the same.
            self.order = unsafe { self.order_in(module) };
        }
        Ok(())
    }

    /// Asks the library for the names of its exports, in its order. `None` if it does not tell.
    ///
    /// # Safety
    /// As for [`ModuleData::declare`].
    unsafe fn order_in(&self, module: NonNull<PeerModule>) -> Option<Vec<usize>> {
        let api = &self.engine.peer.api;
        let (exports, name, delete) = (api.module_exports?, api.exporttype_name?, api.exporttype_vec_delete?);
        let mut types = Vector::empty();
        // SAFETY: the module is alive; the types are the library's, which frees them, and a name belongs to its type.
        unsafe {
            exports(module.as_ptr(), &mut types);
            let position = |ty: &*mut _| {
                let name = String::from_utf8_lossy((*name(*ty)).as_slice());
                let known = self.position(&name).or_else(|| self.position(name.strip_suffix('\0')?));
                let is_account = |account: &str| name.strip_suffix('\0').unwrap_or(&name) == account;
                match known {
                    Some(position) => position,
                    None if self.account.as_deref().is_some_and(is_account) => self.exports.len(),
                    // What is neither declared nor the account is the start function: a library that keeps no order lets
                    // the host make memories grow.
                    None => self.export_count() - 1,
                }
            };
            let order = types.as_slice().iter().map(position).collect();
            delete(&mut types);
            Some(order)
        }
    }

    /// Asks the library for the order of its imports. `None` if it does not tell.
    ///
    /// # Safety
    /// As for [`ModuleData::declare`].
    unsafe fn import_order_in(&self, module: NonNull<PeerModule>, declared: &[Import]) -> Option<Vec<usize>> {
        let api = &self.engine.peer.api;
        let (imports, delete, kind) = (api.module_imports?, api.importtype_vec_delete?, api.externtype_kind?);
        let (home, name, ty) = (api.importtype_module?, api.importtype_name?, api.importtype_type?);
        // Where imports are alike, their order is that of the module.
        let mut positions: FxHashMap<(String, String, u8), VecDeque<usize>> = FxHashMap::default();
        let keys = declared.iter().map(|import| (import.module.clone(), import.name.clone(), import.ty.kind() as u8));
        let host = self.grown.iter().map(|_| (String::new(), String::new(), ExternKind::Func as u8));
        for (position, key) in keys.chain(host).enumerate() {
            positions.entry(key).or_default().push_back(position);
        }
        let mut types = Vector::empty();
        // SAFETY: the module is alive; the types are the library's, which frees them, and names and types belong to them.
        unsafe {
            imports(module.as_ptr(), &mut types);
            let text = |text: *const Vector<u8>| String::from_utf8_lossy((*text).as_slice()).into_owned();
            // Some libraries count the zero that ends a name.
            let without_end = |text: String| text.strip_suffix('\0').unwrap_or(&text).to_string();
            let position = |import: &*mut _| {
                let (home, name, kind) = (text(home(*import)), text(name(*import)), kind(ty(*import)));
                let exact = positions.get_mut(&(home.clone(), name.clone(), kind)).and_then(VecDeque::pop_front);
                exact.or_else(|| positions.get_mut(&(without_end(home), without_end(name), kind))?.pop_front())
            };
            let order = types.as_slice().iter().map(position).collect();
            delete(&mut types);
            order
        }
    }

    /// Brings imports, which are in the module's order, into the library's.
    pub fn import_order<T: Copy>(&self, imports: Vec<T>) -> Vec<T> {
        match &self.import_order {
            Some(order) if order.len() == imports.len() => order.iter().map(|position| imports[*position]).collect(),
            _ => imports,
        }
    }

    /// Brings the exports of an instance into the declared order. `None` if there are others.
    pub fn in_order<T: Copy>(&self, exports: &[T]) -> Option<Vec<T>> {
        let mut ordered = vec![None; self.export_count()];
        for (position, export) in exports.iter().enumerate() {
            let place = self.order.as_ref().map_or(Some(position), |order| order.get(position).copied())?;
            *ordered.get_mut(place)? = Some(*export);
        }
        ordered.into_iter().collect()
    }

    /// Of this module, and of no other that is alive.
    pub fn identity(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    pub fn belongs_to(&self, engine: &PeerEngineHandle) -> bool {
        std::ptr::eq(&*self.engine, engine)
    }

    /// Returns the module for a store: the one that all share, or one that is made there.
    ///
    /// # Safety
    /// The store is of the module's engine.
    pub unsafe fn in_store(&self, store: *mut PeerStore) -> Result<(NonNull<PeerModule>, bool)> {
        match self.shared {
            Some((_, module)) => Ok((module, true)),
            // SAFETY: the contract is the same.
            None => unsafe { self.made_in(store) }.map(|module| (module, false)),
        }
    }

    /// # Safety
    /// The store is of the module's engine.
    unsafe fn made_in(&self, store: *mut PeerStore) -> Result<NonNull<PeerModule>> {
        let peer = self.engine.peer;
        let wasm = self.rewritten.as_ref().map_or(&self.wasm, |rewritten| &rewritten.wasm);
        // SAFETY: the store is alive, and the bytes stay as they are during the call.
        let module = unsafe { (peer.api.module_new)(store, &Vector::of(wasm)) };
        NonNull::new(module).ok_or_else(|| refused(&self.engine, &self.wasm))
    }

    /// Returns the position of an export.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.positions.get(name).copied()
    }

    /// How many exports the library's instances have.
    fn export_count(&self) -> usize {
        self.first_grower() + self.growers.len()
    }

    /// The kinds of the exports that the module does not declare.
    pub fn added_kinds(&self) -> impl Iterator<Item = ExternKind> {
        let account = self.has_account().then_some(ExternKind::Global);
        let funcs = usize::from(self.has_start()) + self.growers.len();
        account.into_iter().chain(std::iter::repeat_n(ExternKind::Func, funcs))
    }

    /// The position of the first export that makes a memory grow; the others follow, and nothing else.
    pub fn first_grower(&self) -> usize {
        self.exports.len() + usize::from(self.has_account()) + usize::from(self.has_start())
    }

    /// Whether the library's instances have an account, which is an export that comes after the declared ones.
    pub fn has_account(&self) -> bool {
        self.account.is_some()
    }

    /// Whether the library's instances have one more export, after those: the start function.
    pub fn has_start(&self) -> bool {
        self.rewritten.as_ref().is_some_and(|rewritten| rewritten.has_start)
    }

    /// Returns the type of a function that the module defines, and its first export if there is one. `None` if the type
    /// is one that the standard's first versions cannot describe.
    pub fn defined_func(&self, func: u32) -> Option<(Option<usize>, FuncType)> {
        if let Some((position, ty)) = self.exported_funcs.get(&func) {
            return Some((Some(*position), ty.clone()));
        }
        let Types { types, funcs } = self.types();
        let imported = self.table_use.as_ref()?.imported_funcs.len();
        let ty = types.get(*funcs.get((func as usize).checked_sub(imported)?)? as usize)?;
        Some((None, ty.clone()?))
    }

    /// The types of functions that the standard's first versions can describe.
    pub fn func_types(&self) -> impl Iterator<Item = FuncType> {
        self.types().types.iter().flatten().cloned()
    }

    fn types(&self) -> &Types {
        self.types.get_or_init(|| Types::read(&self.wasm).unwrap_or_default())
    }

    fn code(&self) -> &Code {
        self.code.get_or_init(|| Code::read(&self.wasm))
    }

    pub fn sites(&self) -> &TrapSites {
        self.sites.get_or_init(|| TrapSites::of(&self.wasm))
    }

    fn peer_code(&self) -> &Code {
        match &self.rewritten {
            Some(rewritten) => self.peer_code.get_or_init(|| Code::read(&rewritten.wasm)),
            None => self.code(),
        }
    }

    fn origins(&self) -> Option<&Origins> {
        self.grown.as_ref()?;
        // Translating is for traps; so what it needs is not kept from when the module was made.
        let again = || instrument(&self.wasm, self.engine.instrumentation()).ok().flatten();
        self.origins.get_or_init(|| again().map(|instrumented| instrumented.origins)).as_ref()
    }

    /// Translates a place in the module that the library has, if a function of this index begins there; `None` if it does
    /// not. `Some(None)` for a function that was added.
    pub fn place(&self, func_index: u32, func_offset: usize, module_offset: usize) -> Option<Option<Place>> {
        let code = self.peer_code();
        let body = *code.bodies.get((func_index as usize).checked_sub(code.imported)?)?;
        if body != module_offset.wrapping_sub(func_offset) {
            return None;
        }
        // It takes long, and most modules of a store are ruled out by now.
        let origins = self.origins();
        let place = module_offset.wrapping_sub(*code.bodies.first()?);
        let original = self.code();
        let first = *original.bodies.first()?;
        let (func_index, module_offset) = match origins {
            None => (func_index, first + place),
            Some(origins) => match origins.function(func_index) {
                Some(func_index) => (func_index, origins.place(place)),
                None => return Some(None),
            },
        };
        let body = *original.bodies.get((func_index as usize).checked_sub(original.imported)?)?;
        Some(Some(Place { func_index, func_offset: module_offset.wrapping_sub(body), module_offset }))
    }

    /// Whether the module that the library has defines a function of this index.
    pub fn defines(&self, func_index: u32) -> bool {
        let code = self.peer_code();
        (func_index as usize).checked_sub(code.imported).is_some_and(|position| position < code.bodies.len())
    }

    /// Returns the index that such a function has in the module. `None` for one that was added.
    pub fn original_index(&self, func_index: u32) -> Option<u32> {
        self.origins().map_or(Some(func_index), |origins| origins.function(func_index))
    }

    /// Whether a function of this index begins where a place in the module itself says.
    pub fn has_place(&self, place: &Place) -> bool {
        let code = self.code();
        let body = (place.func_index as usize).checked_sub(code.imported).and_then(|index| code.bodies.get(index));
        body.is_some_and(|body| *body == place.module_offset.wrapping_sub(place.func_offset))
    }

    pub fn name(&self) -> Option<String> {
        self.code().name.clone()
    }

    pub fn function_name(&self, func_index: u32) -> Option<String> {
        self.code().names.get(&func_index).cloned()
    }
}

impl Drop for ModuleData {
    fn drop(&mut self) {
        let peer = self.engine.peer;
        if let Some((store, module)) = self.shared {
            peer.enter_thread();
            // SAFETY: both were made for this, and nothing else uses them: stores keep the data of their modules.
            unsafe {
                (peer.api.module_delete)(module.as_ptr());
                (peer.api.store_delete)(store.as_ptr());
            }
        }
    }
}

/// Whether the library finds the module valid.
fn is_valid(engine: &PeerEngineHandle, wasm: &[u8]) -> Result<bool> {
    let store = engine.new_store()?;
    let valid = engine.peer.validates(store.as_ptr(), wasm);
    // SAFETY: the store was made for this, and is deleted once.
    unsafe { (engine.peer.api.store_delete)(store.as_ptr()) };
    Ok(valid)
}

pub fn validate(engine: &Arc<PeerEngineHandle>, wasm: &[u8]) -> Result<()> {
    if !is_valid(engine, wasm)? {
        return Err(refused(engine, wasm));
    }
    // The library may not compile every valid module.
    LoadedModule::new(engine, wasm).map(drop)
}

/// Returns the error for a module that the library refused, in its own words where it has some.
#[cold]
fn refused(engine: &PeerEngineHandle, wasm: &[u8]) -> Error {
    let words = reason(engine, wasm).or_else(|| malformation(wasm)).or_else(|| reason_of_compiler(engine, wasm));
    let message = words.or_else(|| invalidity(engine.peer, wasm)).unwrap_or_else(|| {
        let valid = is_valid(engine, wasm).unwrap_or(false);
        let what =
            if valid { "finds this module valid, but does not compile it" } else { "does not accept this module" };
        format!("{} {what}, and does not say why; another backend may say it", engine.peer.label())
    });
    Error::new(ErrorKind::Compile, message)
}

/// What is wrong with the form of a module, if something is.
fn malformation(wasm: &[u8]) -> Option<String> {
    Parser::new(0).parse_all(wasm).find_map(|payload| payload.err()).map(placed)
}

fn placed(error: BinaryReaderError) -> String {
    format!("{} (at offset {:#x})", error.message(), error.offset())
}

/// Why a module is invalid with all proposals; or which ones it needs that the library lacks.
fn invalidity(peer: &Peer, wasm: &[u8]) -> Option<String> {
    let error = |without: WasmFeatures| {
        Validator::new_with_features(WasmFeatures::all().difference(without)).validate_all(wasm).err()
    };
    if let Some(error) = error(WasmFeatures::empty()) {
        return Some(placed(error));
    }
    let lacking: Vec<_> = Proposal::all().filter(|proposal| !peer.proposals().contains(proposal)).collect();
    error(lacking.iter().fold(WasmFeatures::empty(), |all, proposal| all | features(*proposal)))?;
    // Each takes a validation more.
    const LARGE: usize = 1 << 20;
    let alone = |proposal: &Proposal| wasm.len() < LARGE && error(features(*proposal)).is_some();
    let needed: Vec<_> = lacking.iter().copied().filter(alone).collect();
    let (which, needed) = if needed.is_empty() { ("some of ", lacking) } else { ("", needed) };
    let names: Vec<_> = needed.into_iter().map(Proposal::name).collect();
    let (library, names) = (peer.label(), names.join(", "));
    Some(format!("{library} lacks what this module needs: {which}{names}; another backend may have it"))
}

fn reason(engine: &PeerEngineHandle, wasm: &[u8]) -> Option<String> {
    let peer: &Peer = engine.peer;
    let api = &peer.api;
    if let Some(validate) = api.wasmtime_module_validate {
        // SAFETY: the engine is alive, the bytes stay as they are, and the error is given up.
        return unsafe { words_of(api, validate(engine.engine.as_ptr(), wasm.as_ptr(), wasm.len())) };
    }
    peer.last_error()
}

/// Returns the cause that a library's error gives. `None` if there is no error, or the library has no words for it.
///
/// # Safety
/// The error is null, or alive and given up.
unsafe fn words_of(api: &Api, error: *mut PeerError) -> Option<String> {
    let (message, delete) = (api.wasmtime_error_message?, api.wasmtime_error_delete?);
    let error = NonNull::new(error)?.as_ptr();
    let mut text = Vector::empty();
    // SAFETY: the error is deleted once, after its message was copied, whose vector is the library's.
    unsafe {
        message(error, &mut text);
        let words = last_cause(&String::from_utf8_lossy(text.as_slice()));
        (api.byte_vec_delete)(&mut text);
        delete(error);
        Some(words)
    }
}

/// Lets the library compile a module that it has refused, for what it says then.
fn reason_of_compiler(engine: &PeerEngineHandle, wasm: &[u8]) -> Option<String> {
    let peer = engine.peer;
    let api = &peer.api;
    if let (Some(compile), Some(delete_module)) = (api.wasmtime_module_new, api.wasmtime_module_delete) {
        let mut module = null_mut();
        // SAFETY: the engine is alive, the bytes stay as they are, and what comes out is deleted once.
        return unsafe {
            let error = compile(engine.engine.as_ptr(), wasm.as_ptr(), wasm.len(), &mut module);
            NonNull::new(module).into_iter().for_each(|module| delete_module(module.as_ptr()));
            words_of(api, error)
        };
    }
    api.wasmer_last_error_length?;
    let store = engine.new_store().ok()?.as_ptr();
    // SAFETY: the store was made for this, the bytes stay as they are, and what comes out is deleted once.
    unsafe {
        let module = NonNull::new((api.module_new)(store, &Vector::of(wasm)));
        let words = peer.last_error().filter(|_| module.is_none());
        module.into_iter().for_each(|module| (api.module_delete)(module.as_ptr()));
        (api.store_delete)(store);
        words
    }
}

impl Peer {
    /// The library's own record of its last error on this thread.
    pub fn last_error(&self) -> Option<String> {
        let (length, message) = (self.api.wasmer_last_error_length?, self.api.wasmer_last_error_message?);
        // SAFETY: the first function takes nothing; the second one writes at most as many bytes as there is room for.
        unsafe {
            let mut text = vec![0; usize::try_from(length()).ok().filter(|length| *length > 0)?];
            message(text.as_mut_ptr().cast(), text.len() as i32);
            let text = String::from_utf8_lossy(&text);
            Some(text.trim_end_matches('\0').trim().to_string()).filter(|text| !text.is_empty())
        }
    }
}

/// Returns the innermost cause of a message that has one in each line, the outermost first.
pub fn last_cause(message: &str) -> String {
    // Which some add if the environment asks for it. In front of the causes are names, which a guest chooses.
    let message = match message.rsplit_once("\nStack backtrace:") {
        Some((message, trace)) if !trace.contains("\nCaused by:\n") => message,
        _ => message,
    };
    let last = message.trim_end_matches('\0').lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
    // Where there are several, they have numbers.
    match last.split_once(": ") {
        Some((number, cause)) if number.bytes().all(|digit| digit.is_ascii_digit()) => cause.to_string(),
        _ => last.to_string(),
    }
}

#[derive(Default)]
struct Outline {
    tables: Vec<(u64, Option<u64>)>,
    memories: Vec<(u64, Option<u64>)>,
    has_beyond: bool,
    rewritten: Option<Rewritten>,
    table_use: TableUse,
    /// How many elements all those tables of functions have together that cannot grow.
    fixed_funcs: u64,
    /// Whether instructions may initialise tables of something else than functions from segments.
    has_other_segments: bool,
}

impl Types {
    fn read(wasm: &[u8]) -> wasmparser::Result<Types> {
        let mut all = Types::default();
        for payload in Parser::new(0).parse_all(wasm) {
            match payload? {
                Payload::TypeSection(section) => {
                    for group in section {
                        let group = group?;
                        let alone = group.types().len() == 1;
                        all.types.extend(group.types().map(|ty| described(ty).filter(|_| alone)));
                    }
                }
                Payload::FunctionSection(section) => {
                    all.funcs = section.into_iter().collect::<wasmparser::Result<_>>()?;
                }
                Payload::CodeSectionStart { .. } => break,
                _ => {}
            }
        }
        Ok(all)
    }
}

/// Returns a type of functions, if the first versions of the standard can describe it.
fn described(ty: &SubType) -> Option<FuncType> {
    let CompositeInnerType::Func(func) = &ty.composite_type.inner else { return None };
    if !ty.is_final || ty.supertype_idx.is_some() || is_beyond(ty) {
        return None;
    }
    let kind = |ty: &wasmparser::ValType| match *ty {
        wasmparser::ValType::I32 => ValKind::I32,
        wasmparser::ValType::I64 => ValKind::I64,
        wasmparser::ValType::F32 => ValKind::F32,
        wasmparser::ValType::F64 => ValKind::F64,
        wasmparser::ValType::V128 => ValKind::V128,
        wasmparser::ValType::Ref(ty) if ty == RefType::FUNCREF => ValKind::FuncRef,
        wasmparser::ValType::Ref(_) => ValKind::ExternRef,
    };
    let types = |types: &[wasmparser::ValType]| -> Vec<_> { types.iter().map(kind).map(ValType::new).collect() };
    Some(FuncType::new(types(func.params()), types(func.results())))
}

impl Outline {
    /// What the module needs on which the library would end the process.
    fn lacking(&self, dialect: &Dialect) -> Option<String> {
        if !dialect.initialises_other_tables && self.has_other_segments {
            return Some("cannot have elements for table.init that are no functions".into());
        }
        // Such a library has these tables inside each instance, and cannot have instances of that size.
        (!dialect.writes_fixed_tables && self.fixed_funcs > MOST_ELEMENTS).then(|| {
            format!("cannot have tables of functions that cannot grow with more than {MOST_ELEMENTS} elements together")
        })
    }

    fn read(wasm: &[u8]) -> wasmparser::Result<Outline> {
        let mut outline = Outline::default();
        let (mut sections, mut tables, mut exports, mut start) = (Vec::new(), None, None, None);
        for payload in Parser::new(0).parse_all(wasm) {
            let payload = payload?;
            // The functions are in the section that was seen before.
            sections.extend(payload.as_section().filter(|_| !matches!(payload, Payload::CodeSectionEntry(_))));
            match payload {
                Payload::TypeSection(section) => {
                    for group in section {
                        outline.has_beyond |= group?.types().any(is_beyond);
                    }
                }
                Payload::TableSection(section) => {
                    for table in section.clone() {
                        let Table { ty, init } = table?;
                        outline.table_use.defined.push(matches!(init, TableInit::RefNull));
                        outline.tables.push((ty.initial, ty.maximum));
                        if ty.element_type.is_func_ref() && capped(ty.initial, ty.maximum) == ty.initial {
                            outline.fixed_funcs = outline.fixed_funcs.saturating_add(ty.initial);
                        }
                    }
                    tables = Some(section);
                }
                Payload::MemorySection(section) => {
                    for memory in section {
                        let ty = memory?;
                        let page = 1u64 << ty.page_size_log2.unwrap_or(16).min(32);
                        let bytes = |pages: u64| pages.saturating_mul(page);
                        outline.memories.push((bytes(ty.initial), ty.maximum.map(bytes)));
                    }
                }
                Payload::ImportSection(section) => {
                    for (position, import) in section.into_imports().enumerate() {
                        match import_kind(&import?.ty) {
                            ExternKind::Func => outline.table_use.imported_funcs.push(position),
                            ExternKind::Table => outline.table_use.imported_tables.push(position),
                            _ => {}
                        }
                    }
                }
                Payload::ExportSection(section) => {
                    for (position, export) in section.clone().into_iter().enumerate() {
                        let export = export?;
                        if export.kind == wasmparser::ExternalKind::Table {
                            outline.table_use.exported.push((position, export.index));
                        }
                    }
                    exports = Some(section);
                }
                Payload::ElementSection(section) => {
                    for Element { kind, items, .. } in section.clone().into_iter().map_while(|segment| segment.ok()) {
                        let is_other = match items {
                            ElementItems::Functions(_) => false,
                            ElementItems::Expressions(ty, items) => !ty.is_func_ref() && items.count() > 0,
                        };
                        outline.has_other_segments |= is_other && matches!(kind, ElementKind::Passive);
                    }
                    if outline.table_use.is_shared() {
                        outline.table_use.read_segments(section);
                    }
                }
                Payload::CodeSectionEntry(body) if outline.table_use.is_shared() => {
                    outline.table_use.read_body(&body);
                }
                Payload::StartSection { func, .. } => start = Some(func),
                _ => {}
            }
        }
        let tables =
            tables.filter(|_| outline.tables.iter().any(|(_, most)| most.is_none_or(|most| most > MOST_ELEMENTS)));
        if start.is_some() || tables.is_some() {
            outline.rewritten = Some(Rewritten::new(wasm, sections, tables, exports, start)?);
        }
        Ok(outline)
    }
}

fn is_beyond(ty: &SubType) -> bool {
    let is_known = |ty: &wasmparser::ValType| match *ty {
        wasmparser::ValType::Ref(ty) => ty == RefType::FUNCREF || ty == RefType::EXTERNREF,
        ty => ty != wasmparser::ValType::V128,
    };
    match &ty.composite_type.inner {
        CompositeInnerType::Func(ty) => !ty.params().iter().chain(ty.results()).all(is_known),
        _ => false,
    }
}

/// The largest number of elements in a table, on every backend.
const MOST_ELEMENTS: u64 = MAX_TABLE_ELEMENTS as u64;

/// Returns the maximum for a table that may grow to no more elements than on any backend. A table that can grow stays one,
/// because some libraries make the others differently; nobody lets it grow.
pub fn capped(initial: u64, maximum: Option<u64>) -> u64 {
    let more = if initial < u32::MAX.into() { initial + 1 } else { initial };
    maximum.unwrap_or(u64::MAX).min(MOST_ELEMENTS.max(more))
}

impl Rewritten {
    fn new(
        wasm: &[u8],
        sections: Vec<(u8, Range<usize>)>,
        tables: Option<TableSectionReader>,
        exports: Option<ExportSectionReader>,
        start: Option<u32>,
    ) -> wasmparser::Result<Rewritten> {
        let entries = exports.as_ref().map(|section| Entries::of(section, wasm)).unwrap_or_default();
        let taken = exports.into_iter().flatten().map(|export| Ok(export?.name));
        let taken = taken.collect::<wasmparser::Result<FxHashSet<_>>>()?;
        let name = sections::unused_name("start", |name| taken.contains(name));
        let export = start.map(|start| sections::export(&name, sections::A_FUNCTION, start as usize));
        let kept = sections.into_iter().filter(|(id, _)| *id != sections::START);
        let replaced = [tables.as_ref().map(|_| TABLES), export.as_ref().map(|_| sections::EXPORTS)];
        let replaced: Vec<_> = replaced.into_iter().flatten().collect();
        let out = sections::replace(wasm, kept, &replaced, |id, out| match (id, &tables) {
            (TABLES, Some(tables)) => write_tables(tables, wasm, out),
            _ => {
                entries.write(out, export.as_slice());
                Ok(())
            }
        })?;
        Ok(Rewritten { wasm: out.into(), has_start: start.is_some() })
    }
}

/// Writes a module's tables, each with a maximum.
fn write_tables(tables: &TableSectionReader, wasm: &[u8], out: &mut Vec<u8>) -> wasmparser::Result<()> {
    const HAS_INIT: u8 = 0x40;
    const HAS_MAXIMUM: u8 = 1;
    sections::write_leb128(out, tables.count() as usize);
    let mut tables = tables.clone().into_iter_with_offsets().peekable();
    while let Some(table) = tables.next() {
        let (begin, Table { ty, .. }) = table?;
        let end = tables.peek().map(|next| next.as_ref().map_or(0, |(offset, _)| *offset));
        let entry = &wasm[begin..end.unwrap_or(wasm.len())];
        let mut reader = BinaryReader::new(entry, 0);
        let has_init = entry.first() == Some(&HAS_INIT);
        if has_init {
            reader.read_bytes(2)?;
            out.extend_from_slice(&entry[..2]);
        }
        let before = reader.original_position();
        reader.read::<RefType>()?;
        out.extend_from_slice(&entry[before..reader.original_position()]);
        let flags = reader.read_u8()?;
        // What is too large for any table stays so, and invalid.
        let possible = ty.table64 || ty.maximum.is_none_or(|maximum| maximum <= u32::MAX.into());
        let most = if possible { capped(ty.initial, ty.maximum) } else { ty.maximum.unwrap_or_default() };
        // The others stay, because with one of them a table may be invalid.
        out.push(flags | HAS_MAXIMUM);
        sections::write_leb128(out, ty.initial as usize);
        sections::write_leb128(out, most as usize);
        if has_init {
            reader.read_var_u64()?;
            if ty.maximum.is_some() {
                reader.read_var_u64()?;
            }
            let init = reader.original_position();
            let mut operators = OperatorsReader::new(reader);
            while !matches!(operators.read()?, Operator::End) {}
            out.extend_from_slice(&entry[init..operators.original_position()]);
        }
    }
    Ok(())
}

impl Code {
    /// Reads what is there up to an error.
    fn read(wasm: &[u8]) -> Code {
        let mut code = Code::default();
        let payloads = Parser::new(0).parse_all(wasm);
        for payload in payloads.map_while(|payload| payload.ok()) {
            match payload {
                Payload::ImportSection(section) => {
                    let imports = section.into_imports().map_while(|import| import.ok());
                    let kinds = imports.map(|import| import_kind(&import.ty));
                    code.imported = kinds.filter(|kind| *kind == ExternKind::Func).count();
                }
                Payload::CodeSectionEntry(body) => code.bodies.push(body.range().start),
                Payload::CustomSection(section) if section.name() == "name" => {
                    if let KnownCustom::Name(names) = section.as_known() {
                        code.read_names(names);
                    }
                }
                _ => {}
            }
        }
        code
    }

    fn read_names(&mut self, names: wasmparser::NameSectionReader) {
        for part in names.into_iter().map_while(|part| part.ok()) {
            match part {
                Name::Module { name, .. } => self.name = Some(name.to_string()),
                Name::Function(names) => {
                    let names = names.into_iter().map_while(|naming| naming.ok());
                    self.names.extend(names.map(|naming| (naming.index, naming.name.to_string())));
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binary(text: &str) -> Vec<u8> {
        wat::parse_str(text).expect("valid text")
    }

    #[test]
    fn a_start_function_becomes_an_export_of_an_unused_name() {
        let wasm = binary(
            "(module (func $f) (export \"start\" (func $f)) (memory 3 9) (table 2 9 funcref) (start $f)
                (func $g (unreachable)) (data (i32.const 0) \"a\"))",
        );
        let outline = Outline::read(&wasm).expect("a valid module");
        assert_eq!(outline.memories, [(3 << 16, Some(9 << 16))]);
        assert_eq!(outline.tables, [(2, Some(9))]);
        let rewritten = outline.rewritten.expect("a start function");
        let declarations = Declarations::parse(&rewritten.wasm).expect("a valid module");
        let names: Vec<_> = declarations.exports.iter().map(|export| export.name.as_str()).collect();
        assert_eq!(names, ["start", "start'"]);
        assert!(Outline::read(&rewritten.wasm).expect("a valid module").rewritten.is_none());
        let (before, after) = (Code::read(&wasm), Code::read(&rewritten.wasm));
        let distance = |code: &Code| code.bodies.windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<_>>();
        assert_eq!(distance(&before), distance(&after));
        assert_eq!(before.names.get(&1).map(String::as_str), Some("g"));
    }

    #[test]
    fn tables_get_a_maximum() {
        let rewritten = |text: &str| Outline::read(&binary(text)).unwrap().rewritten;
        assert!(rewritten("(module (func) (table 1 7 funcref) (export \"start\" (func 0)))").is_none());
        let text = "(module (type $t (func)) (table $a 1 externref) (table $b 3 4294967295 (ref null $t))
            (table $c 2 (ref func) (ref.func $f)) (table $d i64 5 9 funcref) (table 9 anyref (ref.i31 (i32.const 1)))
            (func $f) (elem (table $a) (i32.const 0) externref (ref.null extern)) (export \"c\" (table $c)))";
        let Rewritten { wasm, has_start, .. } = rewritten(text).expect("tables without a maximum");
        assert!(!has_start);
        let types = |wasm: &[u8]| -> Vec<_> {
            let payloads = Parser::new(0).parse_all(wasm).map(|payload| payload.unwrap());
            let sections = payloads.filter_map(|payload| match payload {
                Payload::TableSection(section) => Some(section),
                _ => None,
            });
            sections.flatten().map(|table| table.unwrap().ty).collect()
        };
        let (before, after) = (types(&binary(text)), types(&wasm));
        assert_eq!(after.len(), 5);
        for (before, after) in before.iter().zip(&after) {
            assert_eq!(after.maximum, Some(before.maximum.unwrap_or(u64::MAX).min(MOST_ELEMENTS)));
            assert_eq!(wasmparser::TableType { maximum: before.maximum, ..*after }, *before);
        }
        Declarations::parse(&wasm).expect("a valid module");
    }

    #[test]
    fn tables_that_can_grow_stay_so() {
        assert_eq!(capped(7, None), MOST_ELEMENTS);
        assert_eq!(capped(7, Some(9)), 9);
        assert_eq!(capped(7, Some(7)), 7);
        for initial in [MOST_ELEMENTS, MOST_ELEMENTS + 7, u64::from(u32::MAX) - 1] {
            assert_eq!(capped(initial, None), initial + 1);
            assert_eq!(capped(initial, Some(initial)), initial);
        }
        assert_eq!(capped(u32::MAX.into(), None), u64::from(u32::MAX));
    }

    #[test]
    fn tables_of_functions_that_cannot_grow() {
        let fixed_funcs = |text: &str| Outline::read(&binary(text)).unwrap().fixed_funcs;
        let text = "(module (import \"\" \"\" (table 8 8 funcref)) (table 7 funcref) (table 3 9 funcref)
            (table 5 5 externref) (table 2 2 funcref) (table 4 4 funcref))";
        assert_eq!(fixed_funcs(text), 6);
        assert_eq!(fixed_funcs("(module (table 0xffff_ffff funcref))"), 0xffff_ffff);
    }

    #[test]
    fn segments_of_other_elements_than_functions() {
        let has_other = |text: &str| Outline::read(&binary(text)).unwrap().has_other_segments;
        let module = |segment: &str| format!("(module (table 1 externref) (func $f) {segment})");
        assert!(has_other(&module("(elem externref (ref.null extern))")));
        assert!(!has_other(&module("(elem externref) (elem (i32.const 0) externref (ref.null extern))")));
        assert!(!has_other(&module("(elem declare externref (ref.null extern))")));
        assert!(!has_other(&module("(elem funcref (ref.func $f) (ref.null func)) (elem func $f)")));
    }

    #[test]
    fn types_that_the_standard_cannot_describe() {
        let has_beyond = |text: &str| Outline::read(&binary(text)).unwrap().has_beyond;
        assert!(!has_beyond("(module (type (func (param i32 i64 f32 f64 funcref) (result externref))))"));
        assert!(!has_beyond("(module (type (struct (field v128))))"));
        assert!(has_beyond("(module (type (func)) (type (func (result v128))))"));
        assert!(has_beyond("(module (type (func (param anyref))))"));
        assert!(has_beyond("(module (rec (type (struct)) (type (func (param (ref func))))))"));
    }

    #[test]
    fn instructions_that_are_not_known_may_write_every_table() {
        let text = "(module (type (func (param v128))) (table (export \"t\") 1 funcref) (table 1 funcref) (func $f)
            (start $f) (elem (i32.const 0) $f) (func (i32.store8 (i32.const 77) (i32.const 78))) (memory 1))";
        let outline = |wasm: &[u8]| Outline::read(wasm).expect("a module of sections that are known");
        let mut wasm = binary(text);
        assert!(!outline(&wasm).table_use.writes());
        let replace = |wasm: &mut Vec<u8>, from: &[u8], to: u8| {
            let place = wasm.windows(from.len()).position(|window| window == from).expect("it is there");
            wasm[place] = to;
        };
        // Bytes that begin no instruction: in a function, and in the offset of a segment.
        let mut body = wasm.clone();
        replace(&mut body, &[0x3a, 0, 0], 0x27);
        replace(&mut wasm, &[0x41, 0, 0x0b], 0x27);
        for wasm in [body, wasm] {
            let outline = outline(&wasm);
            assert!(outline.table_use.writes() && outline.has_beyond);
            assert_eq!(outline.tables.len(), 2);
            assert!(outline.rewritten.is_some_and(|rewritten| rewritten.has_start));
        }
    }

    #[test]
    fn tables_that_are_too_large_stay_invalid_and_large_ones_valid() {
        let rewritten = |table: &str| {
            let text = format!("(module (table {table} funcref))");
            Outline::read(&binary(&text)).unwrap().rewritten.expect("a large table").wasm
        };
        let valid = |wasm: &[u8]| wasmparser::Validator::new().validate_all(wasm).is_ok();
        assert!(valid(&rewritten("0xffff_ffff")));
        assert!(valid(&rewritten("0xffff_fffe 0xffff_ffff")));
        assert!(valid(&rewritten("7 0xffff_ffff")));
        let mut wasm = binary("(module (table 0 0xffff_ffff funcref))");
        // Its maximum becomes one more than a 32-bit number.
        let end = wasm.len();
        wasm[end - 5..].copy_from_slice(&[0x80, 0x80, 0x80, 0x80, 0x10]);
        assert!(!valid(&wasm));
        assert!(!valid(&Outline::read(&wasm).unwrap().rewritten.expect("a large table").wasm));
    }

    #[test]
    fn tables_stay_shared() {
        for flags in 0..8 {
            let mut wasm = b"\0asm\x01\0\0\0\x04\x00\x01\x70".to_vec();
            wasm.extend_from_slice(&[flags, 1]);
            if flags & 1 != 0 {
                wasm.extend_from_slice(&[0xff, 0xff, 0xff, 0x7f]);
            }
            wasm[9] = (wasm.len() - 10) as u8;
            let rewritten = Outline::read(&wasm).expect("tables of these flags are read").rewritten;
            let Rewritten { wasm, .. } = rewritten.expect("there is no maximum, or a large one");
            assert_eq!(wasm[12], flags | 1);
        }
    }

    #[test]
    fn the_last_cause_of_a_message() {
        assert_eq!(last_cause("one thing"), "one thing");
        assert_eq!(
            last_cause("failed\n\nCaused by:\n    type mismatch (at offset 0x8)\0"),
            "type mismatch (at offset 0x8)"
        );
        assert_eq!(last_cause("failed\nCaused by:\n    0: one\n    1: two: three"), "two: three");
        assert_eq!(last_cause(""), "");
        assert_eq!(last_cause("failed\nCaused by:\n    one\n\nStack backtrace:\n   0: main"), "one");
        let chosen = "at: 0 - !a\nCaused by:\n  other\nStack backtrace:\n\nCaused by:\n    one";
        assert_eq!(last_cause(chosen), "one");
    }
}
