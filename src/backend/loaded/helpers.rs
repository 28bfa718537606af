//! Small modules of our own, which do in WebAssembly what a library does not let the host do: put a function into a
//! table, call a function of which there is only a reference, carry external references.

use super::api::{PeerExtern, PeerFunc, PeerGlobal, PeerMemory, PeerModule, PeerRef, PeerTable, Vector};
use super::dialect::References;
use super::module::ModuleData;
use super::store::LoadedStore;
use crate::runtime::base::error::{Error, ErrorKind, Result};
use crate::runtime::base::types::{ExternType, FuncType, GlobalType, MemoryType, TableType, ValKind, ValType};
use crate::runtime::core::engine_traits::Entity;
use crate::runtime::core::object::{Handle, Object, Retained};
use crate::runtime::core::value::Val;
use rustc_hash::{FxHashMap, FxHashSet};
use std::cell::RefCell;
use std::fmt::Write;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::ptr::{NonNull, null_mut};
use std::sync::{Arc, LazyLock};

/// What a store has of these modules. Their instances are in the store's list.
#[derive(Default)]
pub struct Helpers {
    /// By their text.
    modules: RefCell<FxHashMap<String, NonNull<PeerModule>>>,
    /// References to functions, which the store owns.
    references: RefCell<FxHashMap<*mut PeerFunc, NonNull<PeerRef>>>,
    /// The types of functions that only references led to, or tables.
    types: RefCell<FxHashMap<*mut PeerFunc, FuncType>>,
    candidates: RefCell<Candidates>,
    /// By the text of a type: functions that call what is in a table.
    slots: RefCell<FxHashMap<String, Slots>>,
    boxes: RefCell<Boxes>,
    /// For each function that takes or returns external references, one that takes their numbers.
    unboxed: RefCell<FxHashMap<*mut PeerFunc, *mut PeerFunc>>,
    globals: RefCell<FxHashMap<*mut PeerGlobal, *const [*mut PeerExtern]>>,
    tables: RefCell<FxHashMap<*mut PeerTable, *const [*mut PeerExtern]>>,
}

/// The types that a function of the store may have.
#[derive(Default)]
struct Candidates {
    known: FxHashSet<String>,
    /// Modules, and types of the host, that were not looked at yet.
    modules: Vec<Arc<ModuleData>>,
    types: Vec<FuncType>,
    /// Types that are known, and no tester knows yet.
    untested: Vec<FuncType>,
    testers: Vec<Tester>,
}

/// A guest chooses how many types it has, and compilers take more than twice the time for a function of twice the length.
const MOST_CANDIDATES: usize = 4096;
const TYPES_PER_TESTER: usize = 256;

/// An instance with a table, and with a function for each of its elements that calls it: libraries have a limit of
/// instances.
struct Slots {
    /// The table, and the functions.
    exports: *const [*mut PeerExtern],
    used: usize,
}

/// The first instance has one slot, each further one twice as many as the last, up to this.
const MOST_SLOTS: usize = 256;

/// An instance that tells which of some types a function has.
struct Tester {
    types: Vec<FuncType>,
    table: *mut PeerTable,
    which: *mut PeerFunc,
}

/// The objects that WebAssembly has references to, and their numbers, from 1.
#[derive(Default)]
struct Boxes {
    numbers: FxHashMap<NonNull<Object>, i32>,
    objects: Vec<NonNull<Object>>,
}

fn text_of(types: &[ValType], what: &str) -> String {
    let names = types.iter().fold(String::new(), |names, ty| names + &format!(" {ty}"));
    if names.is_empty() { names } else { format!("({what}{names})") }
}

fn func_text(ty: &FuncType) -> String {
    format!("(func {}{})", text_of(&ty.params, "param"), text_of(&ty.results, "result"))
}

/// Whether a type can be written in these modules: it has what the first versions of the standard have.
pub fn is_plain(ty: &FuncType) -> bool {
    let plain =
        |ty: ValType| ty.kind.is_number() || ty.exact && matches!(ty.kind, ValKind::FuncRef | ValKind::ExternRef);
    ty.defined.is_none() && ty.types().all(plain)
}

fn local_gets(count: usize) -> String {
    (0..count).fold(String::new(), |text, local| text + &format!("(local.get {local})"))
}

/// The type of the things that external references refer to: a number, in a type that no other module can name, because it
/// belongs to a group with one that is chosen by chance.
static BOX: LazyLock<String> = LazyLock::new(|| {
    const FIELDS: [&str; 8] = ["i32", "i64", "f32", "f64", "(mut i32)", "(mut i64)", "(mut f32)", "(mut f64)"];
    let mut secret = String::new();
    for _ in 0..4 {
        let chance = RandomState::new().build_hasher().finish();
        for place in 0..21 {
            _ = write!(secret, "(field {})", FIELDS[(chance >> (3 * place)) as usize & 7]);
        }
    }
    format!(
        "(rec (type $box (struct (field i32))) (type (struct {secret})))
        (func $unbox (param externref) (result i32) (local $any anyref)
          (local.set $any (any.convert_extern (local.get 0)))
          (if (result i32) (ref.is_null (local.get $any)) (then (i32.const 0))
            (else (if (result i32) (ref.test (ref $box) (local.get $any))
              (then (struct.get $box 0 (ref.cast (ref $box) (local.get $any)))) (else (i32.const -1))))))
        (func $box (param i32) (result externref)
          (if (result externref) (i32.eqz (local.get 0)) (then (ref.null extern))
            (else (extern.convert_any (struct.new $box (local.get 0))))))"
    )
});

/// A function type with numbers instead of external references.
fn unboxed_type(ty: &FuncType) -> FuncType {
    let unboxed = |types: &[ValType]| -> Vec<ValType> {
        let unboxed = |ty: &ValType| if ty.kind == ValKind::ExternRef { ValType::new(ValKind::I32) } else { *ty };
        types.iter().map(unboxed).collect()
    };
    FuncType::new(unboxed(&ty.params), unboxed(&ty.results))
}

/// A module with a function "f" of one type that calls an imported one of another. They differ in external references
/// and numbers for them.
fn adapter(inner: &FuncType, outer: &FuncType) -> String {
    let convert = |from: &ValType, to: &ValType| match (from.kind, to.kind) {
        (ValKind::ExternRef, ValKind::I32) => "(call $unbox)",
        (ValKind::I32, ValKind::ExternRef) if to.nullable => "(call $box)",
        (ValKind::I32, ValKind::ExternRef) => "(call $box)(ref.as_non_null)",
        _ => "",
    };
    let mut body = String::new();
    for (position, (from, to)) in outer.params.iter().zip(inner.params.iter()).enumerate() {
        _ = write!(body, "(local.get {position}){}", convert(from, to));
    }
    body += "(call $f)";
    let count = outer.params.len();
    (0..inner.results.len()).rev().for_each(|position| _ = write!(body, "(local.set {})", count + position));
    for (position, (from, to)) in inner.results.iter().zip(outer.results.iter()).enumerate() {
        _ = write!(body, "(local.get {}){}", count + position, convert(from, to));
    }
    format!(
        "(module (import \"\" \"f\" (func $f {})) {} (func (export \"f\") {} {} {body}))",
        text_of(&inner.params, "param") + &text_of(&inner.results, "result"),
        *BOX,
        text_of(&outer.params, "param") + &text_of(&outer.results, "result"),
        text_of(&inner.results, "local"),
    )
}

impl LoadedStore {
    /// Makes an instance of a module of our own, and returns what it exports. It has no start function.
    fn helper(&self, text: String, imports: &[*mut PeerExtern]) -> Result<*const [*mut PeerExtern]> {
        self.peer.enter_thread();
        let known = self.helpers.modules.borrow().get(&text).copied();
        let module = match known {
            Some(module) => module,
            None => {
                let wasm = wat::parse_str(&text).map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
                // SAFETY: the store is alive, and the bytes stay as they are during the call.
                let module = unsafe { (self.peer.api.module_new)(self.peer_store(), &Vector::of(&wasm)) };
                let module = NonNull::new(module).ok_or_else(|| {
                    self.peer.lacks("does not compile a module that does what its functions in C cannot")
                })?;
                self.helpers.modules.borrow_mut().insert(text, module);
                module
            }
        };
        // SAFETY: the module is of this store, and the imports are what it imports.
        unsafe { self.add_instance(module, imports) }
    }

    /// Keeps the type of a function that comes out of WebAssembly, for when the runtime asks for it.
    pub fn note_type(&self, func: *mut PeerFunc, ty: FuncType) {
        self.helpers.types.borrow_mut().insert(func, ty);
    }

    pub fn noted_type(&self, func: *mut PeerFunc) -> Option<FuncType> {
        self.helpers.types.borrow().get(&func).cloned()
    }

    /// Returns a reference to a function, which stays the store's.
    ///
    /// # Safety
    /// The function is one of this store, of this type.
    pub unsafe fn reference_to_func(&self, func: *mut PeerFunc, ty: &FuncType, is_host: bool) -> Result<*mut PeerRef> {
        if let Some(known) = self.helpers.references.borrow().get(&func) {
            return Ok(known.as_ptr());
        }
        let made = match self.peer.api.func_as_ref {
            // SAFETY: the function is alive as long as the store.
            Some(as_ref) if self.peer.references(ValKind::FuncRef) == References::Functions && !is_host => unsafe {
                let made = NonNull::new(as_ref(func));
                made.filter(|_| self.peer.dialect.owns_casts).into_iter().for_each(|made| self.keep_reference(made));
                made
            },
            // SAFETY: the contract is the same.
            _ => unsafe { self.reference_by_table(func, ty) }?,
        };
        let made = made.ok_or_else(|| self.peer.lacks("does not make a reference to a function"))?;
        self.helpers.references.borrow_mut().insert(func, made);
        Ok(made.as_ptr())
    }

    /// # Safety
    /// As for [`LoadedStore::reference_to_func`].
    unsafe fn reference_by_table(&self, func: *mut PeerFunc, ty: &FuncType) -> Result<Option<NonNull<PeerRef>>> {
        if !is_plain(ty) {
            return Err(self.peer.lacks(format_args!("cannot take a function {ty} from the host as a value")));
        }
        // Some libraries have no references to host functions, only to those of WebAssembly.
        let text = format!(
            "(module (type $t {}) (import \"\" \"f\" (func $f (type $t))) (func $g (type $t) {} (call $f))
              (table (export \"t\") 1 funcref) (elem (i32.const 0) ${}))",
            func_text(ty),
            local_gets(ty.params.len()),
            if self.peer.dialect.refers_to_host_functions { "f" } else { "g" },
        );
        // SAFETY: the contract says that the function has this type; the module exports a table with one element.
        unsafe {
            let import = (self.peer.api.func_as_extern)(func);
            let exports = &*self.helper(text, &[import])?;
            let table = (self.peer.api.extern_as_table)(exports[0]);
            let reference = NonNull::new((self.peer.api.table_get)(table, 0));
            reference.into_iter().for_each(|reference| self.keep_reference(reference));
            Ok(reference)
        }
    }

    /// Makes a function that calls the one that a reference refers to.
    ///
    /// # Safety
    /// The reference is owned, from now on by the store, and refers to a function of this type.
    unsafe fn func_by_table(&self, reference: NonNull<PeerRef>, ty: &FuncType) -> Result<*mut PeerFunc> {
        self.keep_reference(reference);
        let (table, slot, func) = self.next_slot(ty)?;
        // SAFETY: they are a table with such an element, and a function.
        let func = unsafe {
            (self.peer.api.table_set)((self.peer.api.extern_as_table)(table), slot as u32, reference.as_ptr());
            (self.peer.api.extern_as_func)(func)
        };
        self.helpers.references.borrow_mut().insert(func, reference);
        self.note_type(func, ty.clone());
        Ok(func)
    }

    /// Returns a table, an element of it that is not in use, and a function of this type that calls that element.
    fn next_slot(&self, ty: &FuncType) -> Result<(*mut PeerExtern, usize, *mut PeerExtern)> {
        let ty_text = func_text(ty);
        let last = self.helpers.slots.borrow().get(&ty_text).map(|slots| (slots.exports.len() - 1, slots.used));
        if last.is_none_or(|(count, used)| used == count) {
            let count = last.map_or(1, |(count, _)| MOST_SLOTS.min(2 * count));
            let mut text = format!("(module (type $t {ty_text}) (table (export \"t\") {count} {count} funcref)");
            let args = local_gets(ty.params.len());
            let call = if self.peer.has_tail_calls() { "return_call_indirect" } else { "call_indirect" };
            for slot in 0..count {
                _ = write!(text, "(func (export \"{slot}\") (type $t) {args} ({call} (type $t) (i32.const {slot})))");
            }
            let slots = Slots { exports: self.helper(text + ")", &[])?, used: 0 };
            self.helpers.slots.borrow_mut().insert(ty_text.clone(), slots);
        }
        let mut all = self.helpers.slots.borrow_mut();
        let slots = all.get_mut(&ty_text).expect("it was there, or was made");
        // SAFETY: exports stay as long as the store.
        let exports = unsafe { &*slots.exports };
        slots.used += 1;
        Ok((exports[0], slots.used - 1, exports[slots.used]))
    }

    /// Returns the function that a reference refers to, if its type can be found. `ty` is its type, if that is known.
    ///
    /// # Safety
    /// The reference is owned, from now on by the store, and refers to a function.
    pub unsafe fn func_of_reference(
        &self,
        reference: NonNull<PeerRef>,
        ty: Option<&FuncType>,
    ) -> Result<Option<*mut PeerFunc>> {
        let found = match ty {
            Some(ty) if is_plain(ty) => Some(ty.clone()),
            Some(_) => None,
            // SAFETY: the contract is the same.
            None => unsafe { self.type_of(reference) }?,
        };
        match found {
            // SAFETY: the contract is the same.
            Some(ty) => unsafe { self.func_by_table(reference, &ty) }.map(Some),
            None => {
                self.keep_reference(reference);
                Ok(None)
            }
        }
    }

    /// Notes which types functions of a module may have.
    pub fn add_candidates(&self, module: &Arc<ModuleData>) {
        if self.peer.dialect.references(ValKind::FuncRef) == References::Opaque {
            self.helpers.candidates.borrow_mut().modules.push(module.clone());
        }
    }

    /// Notes which type a function of the host has.
    pub fn add_candidate(&self, ty: &FuncType) {
        if self.peer.dialect.references(ValKind::FuncRef) == References::Opaque {
            self.helpers.candidates.borrow_mut().types.push(ty.clone());
        }
    }

    /// Finds the type of a function.
    ///
    /// # Safety
    /// The reference is one of this store, to a function.
    unsafe fn type_of(&self, reference: NonNull<PeerRef>) -> Result<Option<FuncType>> {
        if !self.peer.has_gc() {
            return Ok(None);
        }
        self.make_testers()?;
        for Tester { types, table, which } in &self.helpers.candidates.borrow().testers {
            let mut result = [Val::i32(-1)];
            let mut results = Vector::at(result.as_mut_ptr(), 1);
            // SAFETY: the table has one element, and the function is one without parameters that returns an i32. It calls
            // nothing.
            let position = unsafe {
                (self.peer.api.table_set)(*table, 0, reference.as_ptr());
                let trap = (self.peer.api.func_call)(*which, &Vector::empty(), &mut results);
                NonNull::new(trap).into_iter().for_each(|trap| (self.peer.api.trap_delete)(trap.as_ptr()));
                (self.peer.api.table_set)(*table, 0, null_mut());
                result[0].of.i32
            };
            if let Some(ty) = usize::try_from(position).ok().and_then(|position| types.get(position)) {
                return Ok(Some(ty.clone()));
            }
        }
        Ok(None)
    }

    /// Makes testers for the types that none knows yet. Those for which it fails are left for the next time.
    fn make_testers(&self) -> Result<()> {
        {
            let Candidates { known, modules, types, untested, .. } = &mut *self.helpers.candidates.borrow_mut();
            let (modules, types) = (std::mem::take(modules), std::mem::take(types));
            let all = modules.iter().flat_map(|module| module.func_types()).chain(types);
            let is_new = |ty: &FuncType| known.len() < MOST_CANDIDATES && is_plain(ty) && known.insert(func_text(ty));
            untested.extend(all.filter(is_new));
        }
        loop {
            let types = {
                let untested = &self.helpers.candidates.borrow().untested;
                untested[untested.len().saturating_sub(TYPES_PER_TESTER)..].to_vec()
            };
            if types.is_empty() {
                return Ok(());
            }
            let tester = self.tester(types)?;
            let Candidates { untested, testers, .. } = &mut *self.helpers.candidates.borrow_mut();
            untested.truncate(untested.len() - tester.types.len());
            testers.push(tester);
        }
    }

    fn tester(&self, types: Vec<FuncType>) -> Result<Tester> {
        let mut text = String::from("(module (table (export \"t\") 1 funcref)");
        types.iter().enumerate().for_each(|(number, ty)| _ = write!(text, "(type $t{number} {})", func_text(ty)));
        text += "(func (export \"which\") (result i32) (local $f funcref) (local.set $f (table.get 0 (i32.const 0)))";
        for number in 0..types.len() {
            _ = write!(text, "(if (ref.test (ref $t{number}) (local.get $f)) (then (return (i32.const {number}))))");
        }
        text += "(i32.const -1)))";
        // SAFETY: the module exports these two.
        unsafe {
            let exports = &*self.helper(text, &[])?;
            let table = (self.peer.api.extern_as_table)(exports[0]);
            Ok(Tester { types, table, which: (self.peer.api.extern_as_func)(exports[1]) })
        }
    }

    /// Whether values of a kind pass as numbers.
    pub fn boxes(&self, kind: ValKind) -> bool {
        kind == ValKind::ExternRef && self.peer.references(kind) == References::Boxed
    }

    pub fn boxes_in(&self, ty: &FuncType) -> bool {
        !ty.numeric && ty.types().any(|ty| self.boxes(ty.kind))
    }

    /// Returns the number by which WebAssembly refers to an object, which stays as long as the store.
    pub fn number_of(&self, object: Option<&Object>) -> Val {
        let Some(object) = object else { return Val::i32(0) };
        let Boxes { numbers, objects } = &mut *self.helpers.boxes.borrow_mut();
        let number = *numbers.entry(NonNull::from(object)).or_insert_with(|| {
            self.owner().retain(Retained::new(object));
            objects.push(NonNull::from(object));
            objects.len() as i32
        });
        Val::i32(number)
    }

    /// Returns the object with a number that came from WebAssembly.
    pub fn object_of(&self, number: i32) -> Result<Option<Handle>> {
        let position = match number {
            0 => return Ok(None),
            number => usize::try_from(number).ok().and_then(|number| number.checked_sub(1)),
        };
        let object = position.and_then(|position| self.helpers.boxes.borrow().objects.get(position).copied());
        // SAFETY: the store retains every object that has a number.
        let object = object.map(|object| Handle::new(unsafe { object.as_ref() }));
        object.map(Some).ok_or_else(|| self.peer.lacks("cannot hand out a reference that is not the host's"))
    }

    /// Returns the type of a function as the library has to see it.
    pub fn unboxed_type(&self, ty: &FuncType) -> Option<FuncType> {
        self.boxes_in(ty).then(|| unboxed_type(ty))
    }

    /// Returns a function of another that takes numbers instead of external references.
    ///
    /// # Safety
    /// The function is one of this store, of this type.
    pub unsafe fn unboxed(&self, func: *mut PeerFunc, ty: &FuncType) -> Result<*mut PeerFunc> {
        if let Some(known) = self.helpers.unboxed.borrow().get(&func) {
            return Ok(*known);
        }
        // SAFETY: the contract is the same.
        let made = unsafe { self.adapted(func, ty, &unboxed_type(ty)) }?;
        self.helpers.unboxed.borrow_mut().insert(func, made);
        Ok(made)
    }

    /// Returns a function of type `outer` that calls one of type `inner`.
    ///
    /// # Safety
    /// The function is one of this store, of the type `inner`.
    pub unsafe fn adapted(&self, func: *mut PeerFunc, inner: &FuncType, outer: &FuncType) -> Result<*mut PeerFunc> {
        if !is_plain(inner) || !is_plain(outer) {
            return Err(self.peer.lacks(format_args!("cannot pass the values of a function {inner}")));
        }
        // SAFETY: the contract says that the function has this type; the module exports a function.
        unsafe {
            let import = (self.peer.api.func_as_extern)(func);
            let exports = &*self.helper(adapter(inner, outer), &[import])?;
            Ok((self.peer.api.extern_as_func)(exports[0]))
        }
    }

    /// Calls a function of a helper, which only returns numbers.
    ///
    /// # Safety
    /// The export is a function of this store that takes these numbers and returns as many as there is room for.
    unsafe fn call_helper<const N: usize>(&self, func: *mut PeerExtern, args: &[Val]) -> Result<[Val; N]> {
        let mut out = [Val::i32(0); N];
        let mut results = Vector::at(out.as_mut_ptr(), N);
        // SAFETY: the contract is the same.
        unsafe {
            let func = (self.peer.api.extern_as_func)(func);
            match NonNull::new((self.peer.api.func_call)(func, &Vector::of(args), &mut results)) {
                None => Ok(out),
                Some(trap) => {
                    (self.peer.api.trap_delete)(trap.as_ptr());
                    Err(Error::new(ErrorKind::Limit, format!("{} could not pass a reference", self.peer.label())))
                }
            }
        }
    }

    /// Makes a global for an external reference.
    pub fn new_boxed_global(&self, ty: &GlobalType, object: Option<&Object>) -> Result<Entity> {
        // The number is imported, so that the same module does for all of them.
        let init = match object {
            None => "(ref.null extern)",
            Some(_) => "(extern.convert_any (struct.new $box (global.get $n)))",
        };
        let text = format!(
            "(module (import \"\" \"n\" (global $n i32)) {} (global (export \"g\") {} {init}))",
            *BOX,
            global_text(ty)
        );
        let api = &self.peer.api;
        // SAFETY: the type and the global of the number are deleted once; the module exports a global.
        unsafe {
            let number_type = (api.globaltype_new)(self.peer.val_type(ValKind::I32), 0);
            let number = (api.global_new)(self.peer_store(), number_type, &self.number_of(object));
            (api.globaltype_delete)(number_type);
            let number = NonNull::new(number).ok_or_else(|| self.peer.lacks("makes no global for a number"))?;
            let exports = self.helper(text, &[(api.global_as_extern)(number.as_ptr())]);
            (api.global_delete)(number.as_ptr());
            Ok(Entity::new((api.extern_as_global)((&*exports?)[0])))
        }
    }

    /// Returns functions that read and write a global.
    ///
    /// # Safety
    /// The global is one of this store, of this type, for an external reference.
    unsafe fn global_helper(&self, global: *mut PeerGlobal, ty: &GlobalType) -> Result<&[*mut PeerExtern]> {
        let known = self.helpers.globals.borrow().get(&global).copied();
        let exports = match known {
            Some(known) => known,
            None => {
                let check = if ty.content.nullable { "" } else { "(ref.as_non_null)" };
                let set =
                    format!("(func (export \"set\") (param i32) (call $box (local.get 0)){check}(global.set $g))");
                let text = format!(
                    "(module (import \"\" \"g\" (global $g {})) {}
                      (func (export \"get\") (result i32) (call $unbox (global.get $g))) {})",
                    global_text(ty),
                    *BOX,
                    if ty.mutable { &set } else { "" },
                );
                // SAFETY: the contract says that the global has this type.
                let exports = self.helper(text, &[unsafe { (self.peer.api.global_as_extern)(global) }])?;
                self.helpers.globals.borrow_mut().insert(global, exports);
                exports
            }
        };
        // SAFETY: exports stay as long as the store.
        Ok(unsafe { &*exports })
    }

    /// # Safety
    /// As for [`LoadedStore::global_helper`].
    pub unsafe fn get_boxed_global(&self, global: *mut PeerGlobal, ty: &GlobalType) -> Result<Val> {
        // SAFETY: the contract is the same; the function returns a number.
        unsafe {
            let [number] = self.call_helper(self.global_helper(global, ty)?[0], &[])?;
            Ok(Val::owned(ValKind::ExternRef, self.object_of(number.of.i32)?))
        }
    }

    /// # Safety
    /// As for [`LoadedStore::global_helper`]; the global is mutable.
    pub unsafe fn set_boxed_global(
        &self,
        global: *mut PeerGlobal,
        ty: &GlobalType,
        object: Option<&Object>,
    ) -> Result<()> {
        // SAFETY: the contract is the same; the function takes a number.
        unsafe {
            let set = self.global_helper(global, ty)?[1];
            self.call_helper::<0>(set, &[self.number_of(object)]).map(|_| ())
        }
    }

    /// Makes a table that the library's own function cannot make. The limits have been looked at.
    ///
    /// # Safety
    /// The element fits, and belongs to this store.
    pub unsafe fn new_table_by_module(
        &self,
        ty: &TableType,
        most: u64,
        init: Option<&Object>,
    ) -> Result<*mut PeerTable> {
        let kind = ty.element.kind;
        if ty.is_64_bit && (self.boxes(kind) || !self.peer.dialect.keeps_order) {
            return Err(self.peer.lacks(format_args!("cannot make a {} for the host", ExternType::Table(ty.clone()))));
        }
        let (least, index) = (ty.limits.min(), if ty.is_64_bit { "i64" } else { "" });
        // With elements that are not null it grows first.
        let first = if init.is_some() { 0 } else { least };
        let text = format!("(module (table (export \"t\") {index} {first} {most} {}))", kind.name());
        // SAFETY: the module exports a table; the contract says that the element fits.
        unsafe {
            let exports = &*self.helper(text, &[])?;
            let table = (self.peer.api.extern_as_table)(exports[0]);
            let grown = match self.boxes(kind) {
                _ if init.is_none() => true,
                true => self.grow_boxed_table(table, least, init)?,
                false => (self.peer.api.table_grow)(table, least as u32, self.reference_to(kind, init)?),
            };
            match grown {
                true => Ok(table),
                false => Err(Error::new(ErrorKind::Limit, format!("{} did not make the table", self.peer.label()))),
            }
        }
    }

    /// Makes a memory that the library's own function cannot make, and that is not shared. The limits have been looked at.
    pub fn new_memory_by_module(&self, ty: &MemoryType) -> Result<*mut PeerMemory> {
        let (index, least) = (if ty.is_64_bit { "i64" } else { "i32" }, ty.limits.min());
        let most = ty.limits.max().map_or(String::new(), |most| most.to_string());
        let page = match ty.page_size_log2 {
            16 => String::new(),
            log2 => format!("(pagesize {})", 1u64 << log2.min(63)),
        };
        let grow = format!("(func (export \"g\") (param {index}) (result {index}) (memory.grow (local.get 0)))");
        let grow = if self.peer.dialect.grows { "" } else { &grow };
        let text = format!("(module (memory (export \"m\") {index} {least} {most} {page}) {grow})");
        // SAFETY: the module exports a memory, and perhaps a function that makes it grow.
        unsafe {
            let exports = &*self.helper(text, &[])?;
            let memory = (self.peer.api.extern_as_memory)(exports[0]);
            if let Some(grow) = exports.get(1) {
                self.add_grower(memory, (self.peer.api.extern_as_func)(*grow), ty.is_64_bit);
            }
            Ok(memory)
        }
    }

    /// Returns functions that read, write and grow a table.
    ///
    /// # Safety
    /// The table is one of this store, for external references.
    unsafe fn table_helper(&self, table: *mut PeerTable) -> Result<&[*mut PeerExtern]> {
        let known = self.helpers.tables.borrow().get(&table).copied();
        let exports = match known {
            Some(known) => known,
            None => {
                let text = format!(
                    "(module (import \"\" \"t\" (table $t 0 externref)) {}
                      (func (export \"get\") (param i32) (result i32) (call $unbox (table.get $t (local.get 0))))
                      (func (export \"set\") (param i32 i32) (table.set $t (local.get 0) (call $box (local.get 1))))
                      (func (export \"grow\") (param i32 i32) (result i32)
                        (table.grow $t (call $box (local.get 0)) (local.get 1))))",
                    *BOX
                );
                // SAFETY: the contract says that it is such a table.
                let exports = self.helper(text, &[unsafe { (self.peer.api.table_as_extern)(table) }])?;
                self.helpers.tables.borrow_mut().insert(table, exports);
                exports
            }
        };
        // SAFETY: exports stay as long as the store.
        Ok(unsafe { &*exports })
    }

    /// # Safety
    /// As for [`LoadedStore::table_helper`]; the table has such an element.
    pub unsafe fn get_boxed_element(&self, table: *mut PeerTable, index: u64) -> Result<Option<Handle>> {
        // SAFETY: the contract is the same; the function takes a number and returns one.
        unsafe {
            let [number] = self.call_helper(self.table_helper(table)?[0], &[Val::i32(index as u32 as i32)])?;
            self.object_of(number.of.i32)
        }
    }

    /// # Safety
    /// As for [`LoadedStore::get_boxed_element`].
    pub unsafe fn set_boxed_element(&self, table: *mut PeerTable, index: u64, object: Option<&Object>) -> Result<()> {
        // SAFETY: the contract is the same; the function takes two numbers.
        unsafe {
            let set = self.table_helper(table)?[1];
            self.call_helper::<0>(set, &[Val::i32(index as u32 as i32), self.number_of(object)]).map(|_| ())
        }
    }

    /// Returns whether the table has grown.
    ///
    /// # Safety
    /// As for [`LoadedStore::table_helper`].
    pub unsafe fn grow_boxed_table(&self, table: *mut PeerTable, delta: u64, init: Option<&Object>) -> Result<bool> {
        // SAFETY: the contract is the same; the function takes two numbers and returns one.
        unsafe {
            let args = [self.number_of(init), Val::i32(delta as u32 as i32)];
            let [former] = self.call_helper(self.table_helper(table)?[2], &args)?;
            Ok(former.of.i32 != -1)
        }
    }

    /// Deletes the modules.
    ///
    /// # Safety
    /// Their instances are gone, and the store is not.
    pub unsafe fn delete_helpers(&self) {
        for module in self.helpers.modules.take().into_values() {
            // SAFETY: the module was made for this.
            unsafe { (self.peer.api.module_delete)(module.as_ptr()) };
        }
    }

    /// Whether there are functions of our own, which may be in the frames of traps.
    pub fn has_helpers(&self) -> bool {
        !self.helpers.modules.borrow().is_empty()
    }
}

fn global_text(ty: &GlobalType) -> String {
    if ty.mutable { format!("(mut {})", ty.content) } else { ty.content.to_string() }
}
