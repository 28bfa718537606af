//! Callbacks that know which instance calls them.
//!
//! An engine that tells says so at each call ([`Store::called_by`]). For an engine that does not, each instance gets a
//! function of its own for such an import, see [`Link`].

use super::engine_traits::Entity;
use super::func::{Callback, Func};
use super::instance::Birth;
use super::object::{Handle, Object, Retained, Typed};
use super::store::Store;
use super::value::ValVec;
use crate::runtime::base::error::{self, Error, Result};
use crate::runtime::base::host_data::HostData;
use crate::runtime::base::types::FuncType;
use crate::runtime::binary::declarations::Source;
use std::cell::Cell;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

pub type CallbackWithCaller =
    unsafe extern "C" fn(*mut c_void, *const Caller, *const ValVec, *mut ValVec) -> *mut Object;

/// The instance that is about to call a callback.
pub enum Calling {
    /// In the engine's form, and what tells it from the others of its store.
    Engine(usize, Entity),
    Instance(NonNull<Object>),
}

/// What a callback is told of its caller. It is at the same address for all calls of a function.
pub struct Caller {
    store: NonNull<Store>,
    call: Cell<Call>,
}

/// The innermost call of the function.
#[derive(Clone, Copy)]
enum Call {
    /// None is running.
    Over,
    /// By the instance, if there is one and it is known.
    Of(Option<NonNull<Object>>),
}

impl Caller {
    /// Fails if the callback has returned.
    pub fn check(&self) -> Result<&Caller> {
        self.call().map(|_| self)
    }

    fn call(&self) -> Result<Option<NonNull<Object>>> {
        match self.call.get() {
            Call::Of(instance) => Ok(instance),
            Call::Over => Err(Error::misuse("the callback that this caller was given to has returned")),
        }
    }

    /// Returns the store, which lives while the callback runs.
    pub fn store(&self) -> Result<NonNull<Store>> {
        self.call().map(|_| self.store)
    }

    /// Returns the instance that calls.
    pub fn instance(&self) -> Result<&Object> {
        let instance = self.call()?.ok_or_else(unknown)?;
        // SAFETY: the store retains its instances, and a store does not end while a callback runs.
        Ok(unsafe { instance.as_ref() })
    }

    /// Returns the bytes of the memory that the calling instance exports as "memory". Valid until a memory grows.
    #[inline(always)]
    pub fn memory(&self) -> Result<*mut [u8]> {
        let memory = self.instance()?.as_instance().and_then(|instance| instance.memory());
        match memory {
            // SAFETY: the instance retains its exports.
            Some(memory) => match Typed::of(unsafe { memory.as_ref() }, Object::as_memory) {
                Some(memory) => Ok(memory.bytes()),
                None => Err(no_memory()),
            },
            None => self.find_memory(),
        }
    }

    #[cold]
    fn find_memory(&self) -> Result<*mut [u8]> {
        let instance = Typed::of(self.instance()?, Object::as_instance).ok_or_else(unknown)?;
        let source = instance.module.declarations.memory.ok_or_else(no_memory)?;
        let export = match source {
            Source::Own(position) => Some(instance.export(position)),
            Source::Import(_) => None,
        };
        let memory = export.as_deref().and_then(|export| Typed::of(export, Object::as_memory));
        memory.map(Typed::bytes).ok_or_else(no_memory)
    }
}

#[cold]
fn unknown() -> Error {
    Error::misuse("no instance is known to call: the host calls the function itself, or a reference to it is called")
}

#[cold]
fn no_memory() -> Error {
    Error::misuse("the calling instance has no memory that is exported as \"memory\"")
}

/// The environment of a function whose callback knows its caller.
struct WithCaller {
    caller: Caller,
    callback: CallbackWithCaller,
    env: HostData,
    /// The instance that called last, and the engine's key for it.
    last: Cell<Option<(usize, NonNull<Object>)>>,
}

impl Func {
    /// Makes a host function, which owns `env`, and whose callback knows its caller.
    pub fn new_with_caller(store: &Store, ty: FuncType, callback: CallbackWithCaller, env: HostData) -> Result<Handle> {
        let caller = Caller { store: NonNull::from(store), call: Cell::new(Call::Over) };
        let with_caller = Box::new(WithCaller { caller, callback, env, last: Cell::new(None) });
        let env = HostData { pointer: Box::into_raw(with_caller).cast(), finalizer: Some(drop_with_caller) };
        Func::new_host(store, ty, Callback::WithCaller(call_with_caller), env)
    }
}

unsafe extern "C" fn drop_with_caller(env: *mut c_void) {
    // SAFETY: the environment is the box that `new_with_caller` gave away; finalizers run once.
    drop(unsafe { Box::from_raw(env.cast::<WithCaller>()) });
}

unsafe extern "C" fn call_with_caller(env: *mut c_void, args: *const ValVec, results: *mut ValVec) -> *mut Object {
    // SAFETY: the environment lives as long as the function, and the function and its store while it runs.
    let (this, store) = unsafe {
        let this = &*env.cast::<WithCaller>();
        (this, this.caller.store.as_ref())
    };
    // SAFETY: `Store::called_by` takes it back before it ends.
    let instance = match store.take_calling().map(|calling| unsafe { calling.as_ref() }) {
        None => None,
        Some(Calling::Instance(instance)) => Some(*instance),
        Some(Calling::Engine(key, entity)) => match this.last.get() {
            Some((last, instance)) if last == *key => Some(instance),
            _ => this.find(store, *key, *entity),
        },
    };
    let outer = this.caller.call.replace(Call::Of(instance));
    // SAFETY: C passed a callback of this type; the rest is the contract of a callback.
    let trap = unsafe { (this.callback)(this.env.pointer, &this.caller, args, results) };
    this.caller.call.set(outer);
    trap
}

impl WithCaller {
    #[cold]
    #[inline(never)]
    fn find(&self, store: &Store, key: usize, entity: Entity) -> Option<NonNull<Object>> {
        let find =
            AssertUnwindSafe(|| store.instance_of_key(key).or_else(|| Birth::object_of_calling(store, key, entity)));
        // This is called by C's convention, which a panic may not pass.
        let instance = catch_unwind(find).unwrap_or_else(|panic| {
            error::record_panic(panic);
            None
        })?;
        self.last.set(Some((key, instance)));
        Some(instance)
    }
}

/// The environment of a function that one instance imports in place of another, whose callback knows its caller.
pub struct Link {
    original: Retained,
    instance: Cell<Option<NonNull<Object>>>,
}

impl Link {
    /// Makes the function that an instance to be made gets for an import; `None` if it gets the import itself.
    pub fn make(store: &Store, import: &Object) -> Option<Retained> {
        let func = import.as_func().filter(|func| func.knows_caller())?;
        let link = Box::new(Link { original: Retained::new(import), instance: Cell::new(None) });
        let env = HostData { pointer: Box::into_raw(link).cast(), finalizer: Some(drop_link) };
        let linked = Func::new_host(store, func.ty.clone(), Callback::Linked(call_linked), env);
        // The original has the same type, so this does not fail.
        linked.ok().map(|linked| Retained::new(&linked))
    }

    pub fn original(&self) -> &Object {
        &self.original
    }

    pub fn bind(&self, instance: NonNull<Object>) {
        self.instance.set(Some(instance));
    }
}

unsafe extern "C" fn drop_link(env: *mut c_void) {
    // SAFETY: the environment is the box that `make` gave away; finalizers run once.
    drop(unsafe { Box::from_raw(env.cast::<Link>()) });
}

unsafe extern "C" fn call_linked(env: *mut c_void, args: *const ValVec, results: *mut ValVec) -> *mut Object {
    // SAFETY: the environment lives as long as the function.
    let link = unsafe { &*env.cast::<Link>() };
    let Some(env) = link.original.as_func().and_then(Func::environment) else { return std::ptr::null_mut() };
    let calling = link.instance.get().map(Calling::Instance);
    // SAFETY: a link is made for functions of `new_with_caller` only, whose environment this is.
    link.original.store().called_by(calling.as_ref(), || unsafe { call_with_caller(env.as_ptr(), args, results) })
}
