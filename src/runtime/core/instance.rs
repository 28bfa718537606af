//! Instances: linking, and their exports.

use super::engine_traits::{Entity, Failure};
use super::func::{Func, Linking};
use super::global::Global;
use super::memory::Memory;
use super::module::Module;
use super::object::{Body, Handle, Object, Retained, Tag};
use super::store::Store;
use super::table::Table;
use crate::runtime::base::error::{Error, ErrorKind, Result};
use crate::runtime::base::types::ExternType;
use crate::runtime::binary::declarations::{Export, Import, Source};
use std::cell::OnceCell;
use std::ptr::NonNull;
use std::sync::Arc;

pub struct Instance {
    pub module: Arc<Module>,
    pub imports: Box<[Retained]>,
    entity: Entity,
    /// The objects of the exports, in the order of the module's exports. Both the list and each object are made when
    /// they are first used.
    exports: OnceCell<Box<[OnceCell<Retained>]>>,
}

/// Imports of a module that were checked, in its order.
pub type Linked = Box<[Retained]>;

/// Instantiates `module`. If that fails, returns a trap.
pub fn instantiate(store: &Store, module: &Arc<Module>, imports: &[Option<&Object>]) -> Result<Handle, Handle> {
    let linked = check_room(store, module).and_then(|()| link_in_order(store, module, imports));
    start(store, module, linked.map_err(|error| store.error_trap(error))?)
}

/// Instantiates `module` with imports that [`link`] has checked for it.
pub fn instantiate_linked(store: &Store, module: &Arc<Module>, linked: &Linked) -> Result<Handle, Handle> {
    check_room(store, module).map_err(|error| store.error_trap(error))?;
    start(store, module, linked.clone())
}

fn start(store: &Store, module: &Arc<Module>, linked: Linked) -> Result<Handle, Handle> {
    // What runs below may delete the module object.
    let module = module.clone();
    store.run(|store| instantiate_running(store, module, linked))
}

fn instantiate_running(store: &Store, module: Arc<Module>, imports: Linked) -> Result<Handle, Handle> {
    announce(&Linking { module: &module, imports: &imports, instance: None })
        .map_err(|error| store.error_trap(error))?;
    let entity = instantiate_supervised(store, &module, &imports).map_err(|failure| {
        let trap = store.trap(*failure, None);
        store.settle();
        trap
    })?;
    let instance = Instance { module, imports, entity, exports: OnceCell::new() };
    let handle = Object::create(store, Body::Instance(instance));
    store.retain(Retained::new(&handle));
    let announced = match handle.as_instance() {
        Some(Instance { module, imports, .. }) => announce(&Linking { module, imports, instance: Some(&handle) }),
        None => Ok(()),
    };
    store.settle();
    announced.map(|()| handle).map_err(|error| store.error_trap(error))
}

/// Tells the functions that are imported which want to know; those that have their environment in common once.
fn announce(linking: &Linking) -> Result<()> {
    let mut told = None;
    for importable in linking.imports.iter().filter_map(|import| import.as_func()?.importable()) {
        if told.replace(importable) != Some(importable) {
            // SAFETY: the environment of an imported function begins with it, and lives as long as the function.
            unsafe { (importable.as_ref().imported)(importable, linking)? };
        }
    }
    Ok(())
}

/// Checks that the store's limits allow one more instance, with everything that the module defines.
fn check_room(store: &Store, module: &Module) -> Result<()> {
    module.declarations.resources().into_iter().try_for_each(|(resource, count)| store.limits().check(resource, count))
}

fn instantiate_supervised(store: &Store, module: &Module, imports: &[Retained]) -> Result<Entity, Box<Failure>> {
    let supervised = store.supervisor().map(|supervisor| supervisor.begin_call()).transpose();
    let _supervised = supervised.map_err(|code| Box::new(Failure::Trap(code, Vec::new())))?;
    let limits = store.limits();
    let before = limits.snapshot();
    limits.watch();
    // Counted before, because the start function may make instances as well. If that function traps, the store keeps
    // this instance.
    for (resource, count) in module.declarations.resources() {
        limits.add(resource, count);
    }
    // SAFETY: `link` has checked that the imports are of this store, and of the number and the kinds that the module
    // requires.
    let instance = unsafe { store.backend().instantiate(&*module.inner, imports) }.map_err(|failure| {
        let (refused, failure) = match *failure {
            Failure::NotInstantiated(error) => match limits.denied() {
                Some((code, refusal)) => (true, Failure::Limit(code, refusal)),
                None => (true, Failure::NotInstantiated(error)),
            },
            Failure::Refused(code) => (true, Failure::Trap(code, Vec::new())),
            failure => (false, failure),
        };
        if refused && store.backend().frees_failed_instances() {
            limits.restore(before);
        } else if refused {
            // Memories and tables that were made before the refusal remain in the store.
            for (resource, count) in module.declarations.resources() {
                limits.remove(resource, count.saturating_sub(limits.granted(resource)));
            }
        }
        Box::new(failure)
    })?;
    // Engines do not check for interruption while they allocate large memories and copy data, which takes a while.
    match store.supervisor().and_then(|supervisor| supervisor.check()) {
        Some(code) => Err(Box::new(Failure::Trap(code, Vec::new()))),
        None => Ok(instance),
    }
}

/// Checks imports that are given in the module's order.
fn link_in_order(store: &Store, module: &Module, imports: &[Option<&Object>]) -> Result<Linked> {
    let given = |position: usize, _: &Import| match imports.get(position) {
        Some(given) => Ok(*given),
        None => Err("nothing was given".to_string()),
    };
    let linked = link(store, module, given);
    let wanted = module.declarations.imports.len();
    if imports.len() == wanted {
        return linked;
    }
    let problem = format!("the module has {wanted} imports, but {} were given", imports.len());
    Err(match linked {
        Err(mut error) if error.kind == ErrorKind::Link => {
            error.message.push('\n');
            error.message.push_str(&problem);
            error
        }
        Err(error) => error,
        Ok(_) => Error::new(ErrorKind::Link, problem),
    })
}

/// Checks the imports against what the module requires. `given` returns what there is for an import, or why there is nothing. The
/// error has a line for each problem.
pub fn link<'a>(
    store: &Store,
    module: &Module,
    given: impl Fn(usize, &Import) -> Result<Option<&'a Object>, String>,
) -> Result<Linked> {
    if !Arc::ptr_eq(&module.engine, store.engine()) {
        return Err(Error::misuse("the module and the store belong to different engines"));
    }
    if module.declarations.shares_memory {
        let message = "the module has a memory that threads share, which this library does not support";
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    let wanted = &module.declarations.imports;
    let mut linked = Vec::with_capacity(wanted.len());
    let mut problems = Vec::new();
    for (position, want) in wanted.iter().enumerate() {
        let given = given(position, want);
        match given {
            Ok(Some(object)) if is_plainly(store, want, object) => linked.push(Retained::new(object)),
            _ => match check_import(store, want, given) {
                Ok(object) => linked.push(Retained::new(object)),
                Err(why) => {
                    let Import { module, name, ty } = want;
                    problems.push(format!("import {} \"{module}\" \"{name}\": expected a {ty}: {why}", position + 1));
                }
            },
        }
    }
    if !problems.is_empty() {
        return Err(Error::new(ErrorKind::Link, problems.join("\n")));
    }
    Ok(linked.into_boxed_slice())
}

/// Whether an object is of this store and, by a quick check, what a module requires.
#[inline(always)]
fn is_plainly(store: &Store, want: &Import, object: &Object) -> bool {
    match (&object.body, &want.ty) {
        (Body::Func(func), ExternType::Func(ty)) => store.is(object.store()) && func.ty == *ty,
        _ => false,
    }
}

/// Returns the object that was passed for one import, or what is wrong with it.
fn check_import<'a>(
    store: &Store,
    want: &Import,
    given: Result<Option<&'a Object>, String>,
) -> Result<&'a Object, String> {
    let object = given?.ok_or("NULL was given")?;
    store.check_own(object, "what was given").map_err(|error| error.message.clone())?;
    match object.extern_type() {
        Some(given) if given.matches(&want.ty) != Some(false) => Ok(object),
        Some(given) => Err(format!("a {given} was given")),
        None => Err(format!("a {} was given", object.body.name())),
    }
}

impl Instance {
    pub fn export_count(&self) -> usize {
        self.module.declarations.exports.len()
    }

    /// Returns the object of the export at `position`. `object` must be the instance's own object.
    pub fn export(&self, object: &Object, position: usize) -> Handle {
        let exports = &self.module.declarations.exports;
        match exports[position].source {
            Source::Import(import) => Handle::new(&self.imports[import]),
            Source::Own(first) => {
                let made = self.exports.get_or_init(|| exports.iter().map(|_| OnceCell::new()).collect());
                Handle::new(made[first].get_or_init(|| self.make_export(object, &exports[first])))
            }
        }
    }

    fn make_export(&self, object: &Object, export: &Export) -> Retained {
        let store = object.store();
        let Export { name, ty, index, .. } = export;
        // SAFETY: the instance is of this store and of this module, and the module has such an export.
        let entity = unsafe { store.backend().export(&self.entity, &*self.module.inner, name, ty.kind()) };
        let body = match ty.clone() {
            ExternType::Func(ty) => {
                let origin = Some((NonNull::from(object), *index));
                return store.exported_function(entity, || Func::of_engine(ty, entity, origin));
            }
            ExternType::Global(ty) => Body::Global(Global { entity, ty }),
            ExternType::Table(ty) => Body::Table(Table { entity, ty }),
            ExternType::Memory(ty) => Body::Memory(Memory::new(entity, ty)),
            ty @ ExternType::Tag(_) => Body::Tag(Tag { entity, ty }),
        };
        Object::create_retained(store, body)
    }
}
