//! Instances: linking, and what an instance exports.

use super::declarations::{Export, Import, Source};
use super::error::{Error, ErrorKind, Result};
use super::func::Func;
use super::module::Module;
use super::object::{Body, Global, Handle, Memory, Object, Retained, Table, Tag};
use super::store::Store;
use super::types::{ExternKind, ExternType};
use crate::backend::Entity;
use std::cell::OnceCell;
use std::ptr::NonNull;
use std::sync::Arc;

pub struct Instance {
    pub module: Arc<Module>,
    pub imports: Box<[Retained]>,
    entity: Entity,
    /// Made when first asked for, in the order of the module's exports.
    exports: Box<[OnceCell<Retained>]>,
}

/// Instantiates `module`. What goes wrong comes back as a trap.
pub fn instantiate(store: &Store, module: &Arc<Module>, imports: &[Option<&Object>]) -> Result<Handle, Handle> {
    // What runs below may delete the module that it was made from.
    let module = module.clone();
    store.run(|store| instantiate_running(store, module, imports))
}

fn instantiate_running(store: &Store, module: Arc<Module>, imports: &[Option<&Object>]) -> Result<Handle, Handle> {
    let (imports, entities) = match link(store, &module, imports) {
        Ok(linked) => linked,
        Err(error) => return Err(store.error_trap(error)),
    };
    // SAFETY: the imports are of this store, and as many and of the kinds as the module wants.
    let entity = unsafe { store.backend().instantiate(&*module.inner, &entities) };
    let entity = match entity {
        Ok(entity) => entity,
        Err(failure) => {
            let trap = store.trap(*failure, None);
            store.settle();
            return Err(trap);
        }
    };
    let exports = module.declarations.exports.iter().map(|_| OnceCell::new()).collect();
    let instance = Instance { module, imports, entity, exports };
    let object = Object::create(store, Body::Instance(instance));
    let handle = Handle::new(&object);
    store.add_instance(object);
    store.settle();
    Ok(handle)
}

/// An import as the engine gets it.
type Linked = (ExternKind, Entity);

/// Checks the imports against what the module asks for; what the instance keeps of them, and what the engine gets.
fn link(store: &Store, module: &Module, imports: &[Option<&Object>]) -> Result<(Box<[Retained]>, Vec<Linked>)> {
    let link_error = |message| Err(Error::new(ErrorKind::Link, message));
    if !Arc::ptr_eq(&module.engine, store.engine()) {
        return Err(Error::misuse("the module belongs to another engine than the store"));
    }
    if module.declarations.shares_memory {
        let message = "the module has a memory that threads share, which this library does not support";
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    let wanted = &module.declarations.imports;
    let mut entities = Vec::with_capacity(wanted.len());
    for (position, want) in wanted.iter().enumerate() {
        let Some(object) = imports.get(position).copied().flatten() else {
            let (total, given) = (wanted.len(), imports.len());
            let why = match given > position {
                true => "NULL was given".to_string(),
                false => format!("only {given} of {total} imports were given"),
            };
            return link_error(format!("{}: {why}", describe(position, want)));
        };
        let Some(entity) = extern_entity(object) else {
            let got = object.body.name();
            return link_error(format!("{}: a {got} was given", describe(position, want)));
        };
        if let Err(error) = store.check_own(object, "what was given") {
            return link_error(format!("{}: {}", describe(position, want), error.message));
        }
        // The type of a function is at hand; that of other externs has to be asked for, and is described on failure.
        let fits = match (&object.body, &want.ty) {
            (Body::Func(func), ExternType::Func(ty)) if func.ty == *ty => true,
            _ => object.extern_type().is_some_and(|given| given.matches(&want.ty) != Some(false)),
        };
        if !fits {
            let given = object.extern_type().map_or(String::new(), |given| given.to_string());
            return link_error(format!("{}: a {given} was given", describe(position, want)));
        }
        entities.push(entity);
    }
    if imports.len() > wanted.len() {
        let (wanted, given) = (wanted.len(), imports.len());
        return link_error(format!("the module has {wanted} imports, but {given} were given"));
    }
    let retained = imports.iter().flatten().map(|object| Retained::new(object)).collect();
    Ok((retained, entities))
}

fn describe(position: usize, want: &Import) -> String {
    let Import { module, name, ty } = want;
    format!("import {} \"{module}\" \"{name}\": expected a {ty}", position + 1)
}

fn extern_entity(object: &Object) -> Option<Linked> {
    let entity = match &object.body {
        Body::Func(func) => object.func_entity(func),
        Body::Global(global) => global.entity,
        Body::Table(table) => table.entity,
        Body::Memory(memory) => memory.entity,
        Body::Tag(tag) => tag.entity,
        _ => return None,
    };
    object.body.extern_kind().map(|kind| (kind, entity))
}

impl Instance {
    pub fn export_count(&self) -> usize {
        self.exports.len()
    }

    /// The object of the export at `position`. `object` is the instance's own.
    pub fn export(&self, object: &Object, position: usize) -> Handle {
        let exports = &self.module.declarations.exports;
        match exports[position].source {
            Source::Import(import) => Handle::new(&self.imports[import]),
            Source::Own(first) => {
                Handle::new(self.exports[first].get_or_init(|| self.make_export(object, &exports[first])))
            }
        }
    }

    fn make_export(&self, object: &Object, export: &Export) -> Retained {
        let store = object.store();
        let Export { name, ty, index, .. } = export;
        // SAFETY: the instance is of this store and of this module, which has such an export.
        let entity = unsafe { store.backend().export(&self.entity, &*self.module.inner, name, ty.kind()) };
        let body = match ty.clone() {
            ExternType::Func(ty) => {
                let origin = Some((NonNull::from(object), *index));
                return store.exported_function(entity, || Func::in_engine(ty, entity, origin));
            }
            ExternType::Global(ty) => Body::Global(Global { entity, ty }),
            ExternType::Table(ty) => Body::Table(Table { entity, ty }),
            ExternType::Memory(ty) => Body::Memory(Memory::new(entity, ty)),
            ty @ ExternType::Tag(_) => Body::Tag(Tag { entity, ty }),
        };
        Object::create(store, body)
    }
}
