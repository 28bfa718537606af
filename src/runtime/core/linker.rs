//! Linking by name: what a store has to offer to the imports of modules.

use super::engine_traits;
use super::func::{Callback, Func, carried};
use super::global::Global;
use super::instance::{self, Linked};
use super::memory::Memory;
use super::module::Module;
use super::object::{Handle, Object, Typed, wrong_kind};
use super::store::{Store, StoreHandle};
use super::table::Table;
use super::trap::{Cause, Trap};
use super::value::{Val, ValVec};
use crate::runtime::base::error::{Error, Result};
use crate::runtime::base::host_data::HostData;
use crate::runtime::base::types::{ExternType, FuncType, ValType};
use crate::runtime::binary::declarations::{Export, Import};
use crate::runtime::binary::metering;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ffi::c_void;
use std::rc::Rc;
use std::sync::Arc;

/// What is done about imports that nothing is defined for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Unknown {
    /// They are errors.
    #[default]
    Refused,
    /// A function is made that traps when it is called; other imports are errors.
    Traps,
    /// Something is made: a function that returns zeros and nulls, a global that is zero or null, a table or memory of the smallest
    /// size.
    Defaults,
}

/// What is defined in one module.
type Names = BTreeMap<Box<str>, Handle>;

/// Makes functions that are for one instance each, such as those of an interface that works on the instance's memory.
pub trait Provider {
    /// For each import of the module, in its order: a new function, or `None` if the import is none of the interface.
    fn imports(&self, store: &Store, module: &Module) -> Result<Vec<Option<Handle>>>;
}

/// Definitions by module and name. Belongs to a store, and keeps it and what is defined.
pub struct Linker {
    /// In order, so that messages do not depend on chance; and no hashes, since the names may be a guest's exports.
    definitions: RefCell<BTreeMap<Box<str>, Names>>,
    /// Asked for what is not defined here.
    next: RefCell<Option<Rc<Linker>>>,
    /// Asked for what is defined nowhere.
    provider: RefCell<Option<Rc<dyn Provider>>>,
    pub allows_shadowing: Cell<bool>,
    pub unknown: Cell<Unknown>,
    /// Dropped last: what is defined belongs to it.
    store: StoreHandle,
}

impl Linker {
    pub fn new(store: &Store) -> Linker {
        Linker {
            store: StoreHandle::new(store),
            definitions: RefCell::default(),
            next: RefCell::new(None),
            provider: RefCell::new(None),
            allows_shadowing: Cell::new(false),
            unknown: Cell::default(),
        }
    }

    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Defines an extern. Fails if the name is taken and shadowing is not allowed; it may be defined in the next linker.
    pub fn define(&self, module: &str, name: &str, object: &Object) -> Result<()> {
        if object.body.extern_kind().is_none() {
            return Err(wrong_kind(object, "an extern"));
        }
        self.store.check_own(object, "what is defined")?;
        self.check_free(module, name)?;
        drop(self.put(module, name, Handle::new(object)));
        Ok(())
    }

    /// Returns what was defined before, whose finalizer may use the linker, or delete it.
    fn put(&self, module: &str, name: &str, object: Handle) -> Option<Handle> {
        let mut definitions = self.definitions.borrow_mut();
        // Only a new name is copied.
        if !definitions.contains_key(module) {
            definitions.insert(module.into(), Names::new());
        }
        let names = definitions.get_mut(module)?;
        match names.get_mut(name) {
            Some(place) => Some(std::mem::replace(place, object)),
            None => names.insert(name.into(), object),
        }
    }

    fn check_free(&self, module: &str, name: &str) -> Result<()> {
        let definitions = self.definitions.borrow();
        let taken = definitions.get(module).is_some_and(|names| names.contains_key(name));
        if taken && !self.allows_shadowing.get() {
            return Err(Error::misuse(format!(
                "\"{module}\" \"{name}\" is defined already, and shadowing is not allowed"
            )));
        }
        Ok(())
    }

    /// Defines the host function that `make` makes, unless the name is taken.
    pub fn define_func(&self, module: &str, name: &str, make: impl FnOnce(&Store) -> Result<Handle>) -> Result<()> {
        self.check_free(module, name)?;
        let func = make(&self.store)?;
        self.define(module, name, &func)
    }

    /// Defines all exports of an instance under the name of a module: all of them, or none on failure. Those that metering
    /// added are not for other guests, which could set them.
    pub fn define_instance(&self, module: &str, object: &Object) -> Result<()> {
        let Some(instance) = Typed::of(object, Object::as_instance) else {
            return Err(wrong_kind(object, "an instance"));
        };
        self.store.check_own(object, "what is defined")?;
        let metered = instance.module.engine.metering.is_some();
        let exports = instance.module.declarations.exports.iter().enumerate();
        let exports = exports.filter(|(_, export)| !metered || !metering::adds(&export.name));
        exports.clone().try_for_each(|(_, export)| self.check_free(module, &export.name))?;
        let put = |(position, export): (usize, &Export)| self.put(module, &export.name, instance.export(position));
        // Dropped when all is defined, because a finalizer may use the linker.
        let former: Vec<_> = exports.filter_map(put).collect();
        drop(former);
        Ok(())
    }

    /// Defines another name for what is defined here or in the next linker.
    pub fn alias(&self, module: &str, name: &str, new_module: &str, new_name: &str) -> Result<()> {
        let Some(object) = self.get(module, name) else {
            return Err(Error::misuse(format!("\"{module}\" \"{name}\" is not defined{}", self.hint(module, name))));
        };
        self.define(new_module, new_name, &object)
    }

    /// What is defined here, or else in the next linker.
    pub fn get(&self, module: &str, name: &str) -> Option<Handle> {
        let own =
            self.definitions.borrow().get(module).and_then(|names| names.get(name)).map(|object| Handle::new(object));
        own.or_else(|| {
            // Linkers are chained without a circle, see `set_next`. Not by recursion: the chain may be long.
            let mut linker = self.next.borrow().clone();
            while let Some(next) = linker {
                if let Some(object) = next.definitions.borrow().get(module).and_then(|names| names.get(name)) {
                    return Some(Handle::new(object));
                }
                linker = next.next.borrow().clone();
            }
            None
        })
    }

    /// Has another linker of the same store asked for what is not defined here.
    pub fn set_next(self: &Rc<Linker>, next: Option<Rc<Linker>>) -> Result<()> {
        let mut linker = next.clone();
        while let Some(other) = linker {
            if !self.store.is(&other.store) {
                return Err(Error::misuse("the linkers belong to different stores"));
            }
            if Rc::ptr_eq(self, &other) {
                return Err(Error::misuse("the linkers would ask each other in a circle"));
            }
            linker = other.next.borrow().clone();
        }
        let former = self.next.replace(next);
        drop(former);
        Ok(())
    }

    /// Instantiates a module with what is defined. What goes wrong comes back as a trap; its message has a line for each import
    /// that is missing or does not fit.
    pub fn instantiate(&self, module: &Arc<Module>) -> Result<Handle, Handle> {
        let linked = instance::check_room(&self.store, module).and_then(|()| self.link(module));
        match linked {
            Ok((linked, _)) => instance::instantiate_linked(&self.store, module, linked, None),
            Err(error) => Err(self.store.error_trap(error)),
        }
    }

    /// Checks the imports of a module once, to instantiate it often.
    pub fn prepare(&self, module: &Arc<Module>) -> Result<Prepared> {
        let (linked, provided) = self.link(module)?;
        let engine = if provided.is_none() { linked.prepare(&self.store, module) } else { None };
        Ok(Prepared { linked, engine, provided, module: module.clone(), store: StoreHandle::new(&self.store) })
    }

    /// Sets what makes functions for imports that are defined nowhere.
    pub fn set_provider(&self, provider: Rc<dyn Provider>) {
        let former = self.provider.replace(Some(provider));
        // Its finalizers may use the linker.
        drop(former);
    }

    /// This linker's provider, or the next one's.
    fn provider(&self) -> Option<Rc<dyn Provider>> {
        let own = self.provider.borrow().clone();
        own.or_else(|| {
            let mut linker = self.next.borrow().clone();
            while let Some(next) = linker {
                if let Some(provider) = &*next.provider.borrow() {
                    return Some(provider.clone());
                }
                linker = next.next.borrow().clone();
            }
            None
        })
    }

    /// The imports, and what has to make some of them anew for each instance.
    fn link(&self, module: &Arc<Module>) -> Result<(Linked, Option<Provided>)> {
        let imports = module.declarations.imports.iter();
        let mut found: Vec<_> = imports.map(|import| self.get(&import.module, &import.name)).collect();
        let provided = self.provider().filter(|_| found.iter().any(Option::is_none)).map(|provider| {
            let mut positions = Vec::new();
            for (position, made) in provider.imports(&self.store, module)?.into_iter().enumerate() {
                if found[position].is_none() && made.is_some() {
                    found[position] = made;
                    positions.push(position);
                }
            }
            Ok(Provided { provider, positions })
        });
        let provided = provided.transpose()?.filter(|provided| !provided.positions.is_empty());
        let hints = Cell::new(MAX_HINTS);
        let given = |position: usize, import: &Import| match &found[position] {
            Some(object) => Ok(Some(&**object)),
            None if self.stands_in(&import.ty) => Ok(None),
            // Looking for similar names takes long; the first few say enough.
            None if hints.get() == 0 => Err("it is not defined".to_string()),
            None => {
                hints.set(hints.get() - 1);
                Err(format!("it is not defined{}", self.hint(&import.module, &import.name)))
            }
        };
        Ok((instance::link(&self.store, module, given, |import| self.stand_in(import))?, provided))
    }

    /// Whether something is made for an import of this type that is not defined.
    fn stands_in(&self, ty: &ExternType) -> bool {
        let null_or_zero = |ty: &ValType| carried(*ty) && (!ty.kind.is_reference() || ty.nullable);
        match (self.unknown.get(), ty) {
            (Unknown::Refused, _) | (_, ExternType::Tag(_)) => false,
            (Unknown::Traps, ty) => {
                matches!(ty, ExternType::Func(ty) if ty.params.iter().chain(ty.results.iter()).all(|ty| carried(*ty)))
            }
            (Unknown::Defaults, ExternType::Func(ty)) => {
                ty.params.iter().all(|ty| carried(*ty)) && ty.results.iter().all(null_or_zero)
            }
            (Unknown::Defaults, ExternType::Global(ty)) => null_or_zero(&ty.content),
            (Unknown::Defaults, ExternType::Table(ty)) => null_or_zero(&ty.element),
            (Unknown::Defaults, ExternType::Memory(_)) => true,
        }
    }

    /// Makes what stands for an import that is not defined. It lives as long as the store.
    fn stand_in(&self, import: &Import) -> Result<Handle> {
        let store = &self.store;
        match (self.unknown.get(), &import.ty) {
            (Unknown::Traps, ExternType::Func(ty)) => {
                let message = format!("the import \"{}\" \"{}\" is not defined", import.module, import.name);
                UnknownFunc { store: std::ptr::from_ref::<Store>(store), message }.into_func(store, ty.clone())
            }
            (_, ExternType::Func(ty)) => {
                // What a callback does not write is zero or null.
                Func::new_host(store, ty.clone(), Callback::Plain(return_defaults), HostData::NONE)
            }
            // SAFETY: a zero or null of this kind.
            (_, ExternType::Global(ty)) => unsafe { Global::create(store, ty, &Val::zero(ty.content.kind)) },
            (_, ExternType::Table(ty)) => Table::create(store, ty, None),
            (_, ExternType::Memory(ty)) => Memory::create(store, ty),
            (_, ExternType::Tag(_)) => Err(Error::misuse("a tag has no default")),
        }
    }

    /// The defined name that is most similar to one that is not, in words; empty if none is.
    fn hint(&self, module: &str, name: &str) -> String {
        let mut most_similar = (SIMILAR, String::new());
        let mut compared = 0;
        let mut visit = |definitions: &BTreeMap<Box<str>, Names>| {
            let all = definitions.iter().flat_map(|(module, names)| names.keys().map(move |name| (&**module, &**name)));
            for (other_module, other) in all.take(MAX_COMPARED - compared) {
                compared += 1;
                let long = [module, name, other_module, other].iter().any(|text| text.len() > MAX_COMPARED_LENGTH);
                let similarity = match long {
                    _ if name == other => 1.0,
                    true => 0.0,
                    false => strsim::jaro_winkler(module, other_module).min(strsim::jaro_winkler(name, other)),
                };
                if similarity > most_similar.0 {
                    most_similar = (similarity, format!("; did you mean \"{other_module}\" \"{other}\"?"));
                }
            }
        };
        visit(&self.definitions.borrow());
        let mut linker = self.next.borrow().clone();
        while let Some(next) = linker {
            visit(&next.definitions.borrow());
            linker = next.next.borrow().clone();
        }
        most_similar.1
    }
}

impl Drop for Linker {
    fn drop(&mut self) {
        // One after the other, not inside each other: the chain may be long.
        let mut linker = self.next.take();
        while let Some(next) = linker.and_then(|next| Rc::try_unwrap(next).ok()) {
            linker = next.next.take();
        }
    }
}

/// How many of a module's missing imports get a suggestion. A guest chooses their names and their number, so this and the next
/// two bound what an error costs.
const MAX_HINTS: usize = 10;
/// How many definitions a missing name is compared with.
const MAX_COMPARED: usize = 2_000;
/// The longest name that is compared, in bytes.
const MAX_COMPARED_LENGTH: usize = 80;
/// From 0, nothing in common, to 1, equal.
const SIMILAR: f64 = 0.8;

/// What makes the imports at some positions.
struct Provided {
    provider: Rc<dyn Provider>,
    positions: Vec<usize>,
}

/// A module whose imports have been found and checked.
pub struct Prepared {
    linked: Linked,
    /// What the engine has prepared.
    engine: Option<engine_traits::Prepared>,
    provided: Option<Provided>,
    module: Arc<Module>,
    /// Dropped last: what is linked belongs to it.
    store: StoreHandle,
}

impl Prepared {
    pub fn store(&self) -> &Store {
        &self.store
    }

    pub fn instantiate(&self) -> Result<Handle, Handle> {
        let Some(Provided { provider, positions }) = &self.provided else {
            let (linked, engine) = (self.linked.clone(), self.engine.as_ref());
            return instance::instantiate_linked(&self.store, &self.module, linked, engine);
        };
        let mut made = provider.imports(&self.store, &self.module).map_err(|error| self.store.error_trap(error))?;
        let made = positions.iter().filter_map(|position| Some((*position, made[*position].take()?)));
        instance::instantiate_linked(&self.store, &self.module, self.linked.with(&self.store, made), None)
    }
}

/// The environment of a function that stands for an import that is not defined.
struct UnknownFunc {
    /// The function's store, which is there while the function runs.
    store: *const Store,
    message: String,
}

impl UnknownFunc {
    fn into_func(self, store: &Store, ty: FuncType) -> Result<Handle> {
        let env = HostData { pointer: Box::into_raw(Box::new(self)).cast(), finalizer: Some(drop_unknown) };
        Func::new_host(store, ty, Callback::WithEnv(trap_unknown), env)
    }
}

unsafe extern "C" fn drop_unknown(env: *mut c_void) {
    // SAFETY: the environment is the box that `into_func` gave away; finalizers run once.
    drop(unsafe { Box::from_raw(env.cast::<UnknownFunc>()) });
}

unsafe extern "C" fn trap_unknown(env: *mut c_void, _: *const ValVec, _: *mut ValVec) -> *mut Object {
    // SAFETY: the environment lives as long as the function, and the function's store while it runs.
    let (unknown, store) = unsafe {
        let unknown = &*env.cast::<UnknownFunc>();
        (unknown, &*unknown.store)
    };
    Trap::new(Cause::Host, unknown.message.clone().into_bytes()).into_handle(store).into_raw()
}

unsafe extern "C" fn return_defaults(_: *const ValVec, _: *mut ValVec) -> *mut Object {
    std::ptr::null_mut()
}
