//! Instances: linking, and their exports.

use super::caller::Link;
use super::engine_traits::{Entity, Failure, Prepared};
use super::func::{Func, Linking};
use super::global::Global;
use super::memory::Memory;
use super::module::Module;
use super::object::{Body, Handle, NewHandles, Object, Retained, Typed};
use super::store::Store;
use super::table::Table;
use crate::runtime::base::error::{Error, ErrorKind, Result};
use crate::runtime::base::types::ExternType;
use crate::runtime::binary::declarations::{Export, Import, Source};
use rustc_hash::FxHashSet;
use std::cell::{Cell, OnceCell};
use std::ops::Deref;
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::Arc;

pub struct Instance {
    pub module: Arc<Module>,
    pub imports: Imports,
    entity: Entity,
    /// The objects of the exports, in the order of the module's exports. Both the list and each object are made when
    /// they are first used.
    exports: OnceCell<Box<[OnceCell<Retained>]>>,
}

/// What an instance was made with, in the order of the module's imports. Prepared instances have it in common.
#[derive(Clone, Default)]
pub struct Imports(Option<Rc<[Retained]>>);

impl Imports {
    fn new(imports: Vec<Retained>) -> Imports {
        Imports((!imports.is_empty()).then(|| imports.into()))
    }
}

impl Deref for Imports {
    type Target = [Retained];
    fn deref(&self) -> &[Retained] {
        self.0.as_deref().unwrap_or_default()
    }
}

/// Imports of a module that were checked, in its order.
#[derive(Clone, Default)]
pub struct Linked {
    imports: Imports,
    /// Whether a function among them wants to know which instances import it.
    announced: bool,
    /// Whether a function among them is another one for each instance, see [`Link`].
    linked: bool,
}

impl Linked {
    fn new(store: &Store, imports: Vec<Retained>) -> Linked {
        let (mut announced, mut linked) = (false, false);
        for func in imports.iter().filter_map(|import| import.as_func()) {
            announced |= func.importable().is_some();
            linked |= func.knows_caller() && !store.backend().tells_callers();
        }
        Linked { imports: Imports::new(imports), announced, linked }
    }

    /// The same with other objects in some places.
    pub fn with(&self, store: &Store, others: impl Iterator<Item = (usize, Handle)>) -> Linked {
        let mut imports = self.imports.to_vec();
        others.for_each(|(position, object)| imports[position] = Retained::new(&object));
        Linked::new(store, imports)
    }

    /// What the engine prepares for instances with these imports, if each gets the same.
    pub fn prepare(&self, store: &Store, module: &Module) -> Option<Prepared> {
        if self.linked {
            return None;
        }
        // SAFETY: `link` has checked that the imports are of this store, and fit the module.
        unsafe { store.backend().prepare(&*module.inner, &module.declarations.imports, &self.imports) }
    }
}

/// Instantiates `module`. If that fails, returns a trap.
pub fn instantiate(store: &Store, module: &Arc<Module>, imports: &[Option<&Object>]) -> Result<Handle, Handle> {
    let linked = check_room(store, module).and_then(|()| link_in_order(store, module, imports));
    start(store, module, linked.map_err(|error| store.error_trap(error))?, None)
}

/// Instantiates `module` with imports that [`link`] has checked for it.
///
/// `prepared` is what [`Linked::prepare`] made of them.
pub fn instantiate_linked(
    store: &Store,
    module: &Arc<Module>,
    linked: Linked,
    prepared: Option<&Prepared>,
) -> Result<Handle, Handle> {
    check_room(store, module).map_err(|error| store.error_trap(error))?;
    start(store, module, linked, prepared)
}

fn start(store: &Store, module: &Arc<Module>, linked: Linked, prepared: Option<&Prepared>) -> Result<Handle, Handle> {
    // What runs below may delete the module object.
    let module = module.clone();
    store.run(|store| instantiate_running(store, module, linked, prepared))
}

fn instantiate_running(
    store: &Store,
    module: Arc<Module>,
    Linked { imports, announced, linked }: Linked,
    prepared: Option<&Prepared>,
) -> Result<Handle, Handle> {
    if announced {
        let linking = Linking { module: &module, imports: &imports, instance: None };
        announce(&linking).map_err(|error| store.error_trap(error))?;
    }
    // What the engine gets for the imports, where that differs.
    let links = linked.then(|| {
        let link = |import: &Retained| Link::make(store, import).unwrap_or_else(|| import.clone());
        imports.iter().map(link).collect::<Box<_>>()
    });
    let links = links.as_deref();
    let birth = Birth {
        module: &module,
        imports: &imports,
        links,
        instance: OnceCell::new(),
        announced: Cell::new(!announced),
        key: Cell::new(None),
        outer: Cell::new(None),
    };
    let begun = birth.begin(store);
    let entity = instantiate_supervised(store, &birth, links.unwrap_or(&imports), prepared);
    drop(begun);
    let entity = entity.map_err(|failure| {
        let trap = store.trap(*failure, None);
        store.settle();
        trap
    })?;
    let announced = birth.announced.get();
    let instance = match birth.instance.into_inner() {
        Some(born) => Handle::new(&born),
        None => create(store, module, imports, entity, links),
    };
    let announced = match instance.as_instance() {
        Some(Instance { module, imports, .. }) if !announced => {
            let linking = Linking { module, imports, instance: Some(&instance) };
            announce(&linking).map_err(|error| store.error_trap(error))
        }
        _ => Ok(()),
    };
    store.settle();
    announced.map(|()| instance)
}

/// Makes the object of a new instance. The engine got the `links` instead of the imports, if there are any.
fn create(store: &Store, module: Arc<Module>, imports: Imports, entity: Entity, links: Option<&[Retained]>) -> Handle {
    let instance = Instance { module, imports, entity, exports: OnceCell::new() };
    let object = Object::create_kept(store, Body::Instance(instance));
    let links = links.into_iter().flatten();
    links.filter_map(|link| link.as_func()?.link()).for_each(|link| link.bind(NonNull::from(&*object)));
    object
}

/// An instantiation that is under way. The instance has no object before it is complete, unless its start function calls a
/// function that knows its caller or wants to know who imports it.
pub struct Birth<'a> {
    module: &'a Arc<Module>,
    imports: &'a Imports,
    /// What the engine got instead of the imports.
    links: Option<&'a [Retained]>,
    instance: OnceCell<Retained>,
    /// Whether no imported function is still to be told of the instance.
    announced: Cell<bool>,
    /// What tells the instance from the others of its store, once it has called a host function of an engine that tells
    /// callers.
    key: Cell<Option<usize>>,
    outer: Cell<Option<NonNull<Birth<'static>>>>,
}

/// Takes an instantiation out of the store's list.
struct Begun<'s>(&'s Store, Option<NonNull<Birth<'static>>>);

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        self.0.births.set(self.1);
    }
}

impl Birth<'_> {
    /// Makes this the store's innermost instantiation until the answer is dropped.
    fn begin<'s>(&self, store: &'s Store) -> Begun<'s> {
        let outer = store.births.replace(Some(NonNull::from(self).cast()));
        self.outer.set(outer);
        Begun(store, outer)
    }

    /// Returns the instance's object, which is made the first time.
    fn instance(&self, store: &Store, entity: Entity) -> &Retained {
        let make = || Retained::new(&create(store, self.module.clone(), self.imports.clone(), entity, self.links));
        self.instance.get_or_init(make)
    }

    /// The instantiations that are under way, the innermost first.
    fn all(store: &Store) -> impl Iterator<Item = &Birth<'_>> {
        // SAFETY: an instantiation takes itself out of the list before it ends, and those inside it end before.
        let birth = |birth: Option<NonNull<Birth<'static>>>| birth.map(|birth| unsafe { birth.as_ref() });
        std::iter::successors(birth(store.births.get()), move |inner| birth(inner.outer.get()))
    }

    /// Finds the instantiation of the instance that calls a host function, if it is under way.
    ///
    /// An instance is known once it has called any host function ([`Birth::while_starting`]), and only by calling one can
    /// it begin another instantiation. So at most one is not known. An instance of the same module that failed may call as
    /// well, by way of a table: if it is not known, nobody is found.
    fn of_calling<'a>(store: &'a Store, key: usize, entity: &Entity) -> Option<&'a Birth<'a>> {
        if let Some(known) = Birth::all(store).find(|birth| birth.key.get() == Some(key)) {
            return Some(known);
        }
        // SAFETY: the entity is an instance of this store.
        let module = unsafe { store.backend().instance_module(entity) };
        let may_be = |birth: &&Birth| birth.key.get().is_none() && birth.module.inner.identity() == module;
        let birth = Birth::all(store).find(may_be)?;
        if store.instance_of_key(key).is_some() || store.may_have_failed(key, module) {
            return None;
        }
        birth.key.set(Some(key));
        Some(birth)
    }

    /// Returns the object of the calling instance, whose start function runs. It is made now if there is none.
    pub fn object_of_calling(store: &Store, key: usize, entity: Entity) -> Option<NonNull<Object>> {
        Some(Birth::of_calling(store, key, &entity)?.instance(store, entity).as_ptr())
    }

    /// Notes that the engine keeps the instance although its instantiation failed: it may still call, by way of a table.
    #[cold]
    fn fail(&self, store: &Store) {
        if self.instance.get().is_none() && store.backend().tells_callers() {
            store.note_failed(self.key.get(), self.module.inner.identity());
        }
    }

    /// Makes the object of the innermost instantiation's instance.
    pub fn before_start(store: &Store, entity: Entity) -> Result<()> {
        let Some(birth) = Birth::all(store).next() else { return Ok(()) };
        let instance = Handle::new(birth.instance(store, entity));
        birth.announce(&instance)
    }

    /// Tells the functions that the calling instance imports of it, if it is one whose start function runs.
    pub fn while_starting(store: &Store, key: usize, entity: Entity) -> Result<()> {
        match Birth::of_calling(store, key, &entity) {
            // Usually nobody waits, and the instance gets its object when it is complete.
            Some(birth) if !birth.announced.get() => birth.announce(&Handle::new(birth.instance(store, entity))),
            _ => Ok(()),
        }
    }

    fn announce(&self, instance: &Handle) -> Result<()> {
        if self.announced.replace(true) {
            return Ok(());
        }
        announce(&Linking { module: self.module, imports: self.imports, instance: Some(&**instance) })
    }
}

/// Tells the functions that are imported which want to know; those that have their environment in common once.
fn announce(linking: &Linking) -> Result<()> {
    let mut told = FxHashSet::default();
    for importable in linking.imports.iter().filter_map(|import| import.as_func()?.importable()) {
        if told.insert(importable) {
            // SAFETY: the environment of an imported function begins with it, and lives as long as the function.
            unsafe { (importable.as_ref().imported)(importable, linking)? };
        }
    }
    Ok(())
}

/// Checks that the store's limits allow one more instance, with everything that the module defines.
pub fn check_room(store: &Store, module: &Module) -> Result<()> {
    module.declarations.resources.iter().try_for_each(|(resource, count)| store.limits().check(*resource, *count))
}

fn instantiate_supervised(
    store: &Store,
    birth: &Birth,
    imports: &[Retained],
    prepared: Option<&Prepared>,
) -> Result<Entity, Box<Failure>> {
    let supervised = store.begin_call();
    let _supervised = supervised.map_err(|code| Box::new(Failure::Trap(code, Vec::new())))?;
    let (module, limits) = (&**birth.module, store.limits());
    let before = limits.snapshot();
    limits.watch();
    // Counted before, because the start function may make instances as well. If that function traps, the store keeps
    // this instance.
    for (resource, count) in &module.declarations.resources {
        limits.add(*resource, *count);
    }
    // SAFETY: `link` has checked that the imports are of this store, and of the number and the kinds that the module
    // requires.
    let instance = unsafe { store.backend().instantiate(&*module.inner, imports, prepared) }.map_err(|failure| {
        let (refused, failure) = match *failure {
            Failure::NotInstantiated(error) => match limits.denied() {
                Some((code, refusal)) => (true, Failure::Limit(code, refusal)),
                None => (true, Failure::NotInstantiated(error)),
            },
            Failure::Refused(code) => (true, Failure::Trap(code, Vec::new())),
            failure => (false, failure),
        };
        if !refused {
            birth.fail(store);
        }
        if refused && store.backend().frees_failed_instances() {
            limits.restore(before);
        } else if refused {
            // Memories and tables that were made before the refusal remain in the store.
            for (resource, count) in &module.declarations.resources {
                limits.remove(*resource, count.saturating_sub(limits.granted(*resource)));
            }
        }
        Box::new(failure)
    })?;
    // Engines do not check for interruption while they allocate large memories and copy data, which takes a while.
    match store.must_stop() {
        Some(code) => {
            birth.fail(store);
            Err(Box::new(Failure::Trap(code, Vec::new())))
        }
        None => Ok(instance),
    }
}

/// Checks imports that are given in the module's order.
fn link_in_order(store: &Store, module: &Module, imports: &[Option<&Object>]) -> Result<Linked> {
    let given = |position: usize, _: &Import| match imports.get(position) {
        Some(Some(object)) => Ok(Some(*object)),
        Some(None) => Err("NULL was given".to_string()),
        None => Err("nothing was given".to_string()),
    };
    let linked = link(store, module, given, |_| Err(Error::new(ErrorKind::Internal, "every import is given")));
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

/// Checks the imports against what the module requires. The error has a line for each problem.
///
/// `given` returns what there is for an import, `None` if something can be made for it, or why there is nothing. Only if there is
/// no problem with any import, `make` makes what has to be.
pub fn link<'a>(
    store: &Store,
    module: &Module,
    given: impl Fn(usize, &Import) -> Result<Option<&'a Object>, String>,
    mut make: impl FnMut(&Import) -> Result<Handle>,
) -> Result<Linked> {
    if !Arc::ptr_eq(&module.engine, store.engine()) {
        return Err(Error::misuse("the module and the store belong to different engines"));
    }
    let wanted = &module.declarations.imports;
    if wanted.is_empty() {
        return Ok(Linked::default());
    }
    let mut linked = Vec::with_capacity(wanted.len());
    let mut problems = Vec::new();
    for (position, want) in wanted.iter().enumerate() {
        match given(position, want) {
            Ok(Some(object)) if is_plainly(store, want, object) => linked.push(Some(Retained::new(object))),
            Ok(None) => linked.push(None),
            given => match given.and_then(|object| check_import(store, want, object)) {
                Ok(object) => linked.push(Some(Retained::new(object))),
                Err(why) => problems.push(format!("{}{why}", about(position, want))),
            },
        }
    }
    if !problems.is_empty() {
        return Err(Error::new(ErrorKind::Link, problems.join("\n")));
    }
    let made = linked.into_iter().zip(wanted).enumerate().map(|(position, (linked, want))| match linked {
        Some(object) => Ok(object),
        None => make(want).map(|object| Retained::new(&object)).map_err(|mut error| {
            error.message.insert_str(0, &about(position, want));
            error
        }),
    });
    made.collect::<Result<_>>().map(|imports| Linked::new(store, imports))
}

/// How the line about an import begins.
fn about(position: usize, Import { module, name, ty }: &Import) -> String {
    format!("import {} \"{module}\" \"{name}\": expected a {ty}: ", position + 1)
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
fn check_import<'a>(store: &Store, want: &Import, given: Option<&'a Object>) -> Result<&'a Object, String> {
    let object = given.ok_or("nothing was given")?;
    store.check_own(object, "what was given").map_err(|error| error.message.clone())?;
    match object.extern_type() {
        Some(given) if given.matches(&want.ty).unwrap_or_else(|| store.backend().matches(&given, &want.ty)) => {
            Ok(object)
        }
        Some(given) => Err(format!("a {given} was given")),
        None => Err(format!("a {} was given", object.body.name())),
    }
}

impl Instance {
    /// The engine's key for the instance, if the engine tells callers.
    pub fn key(&self, store: &Store) -> usize {
        // SAFETY: the store is the one that has the instance.
        unsafe { store.backend().instance_key(&self.entity) }
    }

    /// Returns the memory that is exported as "memory", if it was looked up before.
    #[inline(always)]
    pub fn memory(&self) -> Option<NonNull<Object>> {
        match self.module.declarations.memory? {
            Source::Import(import) => Some(self.imports[import].as_ptr()),
            Source::Own(first) => Some(self.exports.get()?[first].get()?.as_ptr()),
        }
    }
}

impl Typed<'_, &Instance> {
    pub fn export_count(self) -> usize {
        self.module.declarations.exports.len()
    }

    /// Returns the object of the export at `position`.
    pub fn export(self, position: usize) -> Handle {
        Handle::new(self.export_object(position))
    }

    /// Calls `take` with a handle to each export, in order.
    pub fn exports(self, mut take: impl FnMut(usize, Handle)) {
        let mut handles = NewHandles::of(self.store(), self.export_count());
        (0..self.export_count()).for_each(|position| take(position, handles.add(self.export_object(position))));
    }

    #[inline]
    fn export_object(&self, position: usize) -> &Object {
        let exports = &self.module.declarations.exports;
        match exports[position].source {
            Source::Import(import) => &self.imports[import],
            Source::Own(first) => {
                let made = self.exports.get_or_init(|| exports.iter().map(|_| OnceCell::new()).collect());
                match made[first].get() {
                    Some(export) => export,
                    None => made[first].get_or_init(|| self.make_export(&exports[first])),
                }
            }
        }
    }

    #[cold]
    fn make_export(self, export: &Export) -> Retained {
        let store = self.store();
        let Export { name, ty, index, .. } = export;
        // SAFETY: the instance is of this store and of this module, and the module has such an export.
        let entity = unsafe { store.backend().export(&self.entity, &*self.module.inner, name, ty.kind()) };
        let body = match ty.clone() {
            ExternType::Func(ty) => {
                let origin = Some((NonNull::from(self.object), *index));
                // SAFETY: the export is a function, and of this store as the instance is.
                return unsafe { store.exported_function(entity, || Func::of_engine(ty, entity, origin)) };
            }
            ExternType::Global(ty) => Body::Global(Global { entity, ty }),
            ExternType::Table(ty) => Body::Table(Table { entity, ty }),
            ExternType::Memory(ty) => Body::Memory(Memory::new(entity, ty)),
            // SAFETY: the export is a tag, and of this store as the instance is.
            ty @ ExternType::Tag(_) => return unsafe { store.tag(entity, || ty) },
        };
        Object::create_retained(store, body)
    }
}
