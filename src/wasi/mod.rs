//! WASI preview 1, and `wasi_unstable` before it, as ordinary host functions: on every engine, none of which is known here.
//!
//! A [`Config`] says what guests are given. A [`Wasi`] is made from it for a store: descriptors, arguments, clocks. Its functions
//! ([`table`]) come in sets, one for each instance, because each works on its instance's memory ([`ImportSet`]).
//!
//! Nothing here waits without asking the store's supervisor now and then ([`io::wait`]), keeps a reference into a guest's memory
//! while anything else runs ([`memory`]), or resolves a path other than in [`sandbox`].

mod abi;
mod config;
mod context;
mod descriptors;
mod files;
mod io;
mod memory;
mod paths;
mod random;
mod sandbox;
mod system;
mod table;

pub use self::abi::Version;
pub use self::config::{Config, HostCallback, Random, Stream};
pub use self::context::{ImportSet, Wasi};
use crate::runtime::base::error::{Error, ErrorKind, Result};
use crate::runtime::base::types::{ExternKind, ExternType};
use crate::runtime::binary::declarations::Import;
use crate::runtime::core::linker::Provider;
use crate::runtime::core::module::Module;
use crate::runtime::core::object::{Handle, Object, Typed, wrong_kind};
use crate::runtime::core::store::Store;
use crate::runtime::core::trap::{Cause, Trap};
use std::sync::Arc;

/// What WASI a module wants: the newest version that it imports functions of.
pub fn wanted(module: &Module) -> Option<Version> {
    let versions = module.declarations.imports.iter().filter_map(|import| table::version(&import.module));
    versions.max_by_key(|version| *version as u8)
}

/// The function of WASI that an import names, if it names one.
fn function_of(import: &Import) -> Option<Result<&'static table::Row>> {
    let version = table::version(&import.module)?;
    if import.ty.kind() != ExternKind::Func {
        return None;
    }
    Some(table::row(version, &import.name).ok_or_else(|| unknown(&import.module, &import.name)))
}

fn unknown(module: &str, name: &str) -> Error {
    Error::new(ErrorKind::Link, format!("WASI has no function \"{name}\" in \"{module}\""))
}

/// Makes the functions that a module imports, in the order of its imports, and `None` for what is not WASI's.
pub fn imports(wasi: &Arc<Wasi>, store: &Store, module: &Module) -> Result<Vec<Option<Handle>>> {
    let set = ImportSet::new(wasi);
    let imports = module.declarations.imports.iter();
    imports.map(|import| function_of(import).map(|row| row?.function(store, &set)).transpose()).collect()
}

/// What a linker asks for the functions of a context.
pub struct Imports(pub Arc<Wasi>);

impl Provider for Imports {
    fn imports(&self, store: &Store, module: &Module) -> Result<Vec<Option<Handle>>> {
        let set = ImportSet::new(&self.0);
        let imports = module.declarations.imports.iter();
        let known = |import: &Import| function_of(import).and_then(Result::ok);
        imports.map(|import| known(import).map(|row| row.function(store, &set)).transpose()).collect()
    }
}

/// Makes one function, with a set of its own.
pub fn function(wasi: &Arc<Wasi>, store: &Store, module: &str, name: &str) -> Result<Handle> {
    let row = table::version(module).and_then(|version| table::row(version, name));
    row.ok_or_else(|| unknown(module, name))?.function(store, &ImportSet::new(wasi))
}

/// Runs an instance: its `_start`, or else its `_initialize`. The answer is the exit status, or a trap.
pub fn start(wasi: &Wasi, store: &Store, instance: &Object) -> Result<i32, Handle> {
    let failed = |error| store.error_trap(error);
    store.check_own(instance, "the instance").map_err(failed)?;
    let func = entry_point(instance).map_err(failed)?;
    wasi.set_exit_status(None);
    // SAFETY: the entry is this object's, and the function has neither parameters nor results.
    let trap = unsafe { (func.entry)(&func, std::ptr::null(), std::ptr::null_mut()) };
    let status = match std::ptr::NonNull::new(trap) {
        None => 0,
        Some(trap) => {
            // SAFETY: an entry returns an owned handle.
            let trap = unsafe { Handle::from_raw(trap.as_ref()) };
            match trap.as_trap().map(|trap: &Trap| trap.cause) {
                Some(Cause::Exit(status)) => status,
                _ => return Err(trap),
            }
        }
    };
    wasi.set_exit_status(Some(status));
    Ok(status)
}

fn entry_point(instance: &Object) -> Result<Handle> {
    let instance = Typed::of(instance, Object::as_instance).ok_or_else(|| wrong_kind(instance, "an instance"))?;
    let exports = &instance.module.declarations.exports;
    let find = |name: &str| exports.iter().position(|export| export.name == name);
    let Some(position) = find("_start").or_else(|| find("_initialize")) else {
        let message = "the instance exports neither _start nor _initialize; call what it exports with wasm_func_call";
        return Err(Error::misuse(message));
    };
    let is_plain =
        |ty: &ExternType| matches!(ty, ExternType::Func(ty) if ty.params.is_empty() && ty.results.is_empty());
    if !is_plain(&exports[position].ty) {
        let (name, ty) = (&exports[position].name, &exports[position].ty);
        return Err(Error::misuse(format!("{name} must be a function without parameters and results, not a {ty}")));
    }
    Ok(instance.export(position))
}
