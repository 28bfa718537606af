//! What every reference of `wasm.h` points to: one allocation per object, however many handles there are.
//!
//! A C pointer (`wasm_func_t*`, `wasm_extern_t*`, `wasm_ref_t*`, ...) is the address of an [`Object`]; casting between
//! them is a check of its kind, copying one counts up. So all handles of an object are the same pointer, and host info is
//! a field.
//!
//! Two counts keep an object: its *handles*, which belong to C and keep the store alive as well, and the times it is
//! *retained* by the runtime or by WebAssembly itself, which does not: what a store retains must not keep that store.
//! Handles may be copied and deleted from any thread, also while another one uses the store: garbage-collected languages
//! delete from a thread of their own.
//!
//! A deleted object is emptied at once, but its memory is kept for a while, see [`quarantine`].

use super::engine_traits::Entity;
use super::entry::{self, Entry};
use super::func::Func;
use super::global::Global;
use super::instance::Instance;
use super::memory::Memory;
use super::module::Module;
use super::store::Store;
use super::table::Table;
use super::trap::Trap;
use crate::runtime::base::error::{self, Error};
use crate::runtime::base::host_data::Finalizer;
use crate::runtime::base::log;
use crate::runtime::base::quarantine::{self, Quarantine};
use crate::runtime::base::types::{ExternKind, ExternType, Limits, MemoryType, TableType};
use std::cell::{Cell, RefCell, UnsafeCell};
use std::ffi::c_void;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Memory that is freed while references to it are still about: the last handle goes in the middle of its own methods. A
/// reference to an UnsafeCell promises nothing about what is in it, so that all of the object is.
pub struct Object(UnsafeCell<ObjectData>);

pub struct ObjectData {
    /// How C calls it.
    pub entry: Entry,
    pub body: Body,
    store: NonNull<Store>,
    /// Both counts, so that exactly one of those who let go sees both at zero: [`HANDLE`]s and [`RETENTION`]s.
    counts: AtomicU64,
    host_info: Cell<*mut c_void>,
    finalizer: Cell<Finalizer>,
}

// 120 bytes is the largest request that glibc serves from its fast bins; most objects are functions and instances, by the
// thousands. Debug builds keep more in each.
const _: () = assert!(cfg!(debug_assertions) || size_of::<usize>() != 8 || size_of::<Object>() <= 120);

pub enum Body {
    Func(Func),
    Global(Global),
    Table(Table),
    Memory(Memory),
    Tag(Tag),
    Instance(Instance),
    Module(Arc<Module>),
    Trap(Box<Trap>),
    Foreign,
    /// What is left of a deleted object. Its store may be gone.
    Deleted,
}

const HANDLE: u64 = 1;
const RETENTION: u64 = 1 << 32;
/// The part of the counts that counts handles.
const HANDLES: u64 = RETENTION - 1;

pub struct Tag {
    pub entity: Entity,
    pub ty: ExternType,
}

impl Deref for Object {
    type Target = ObjectData;
    #[inline(always)]
    fn deref(&self) -> &ObjectData {
        // SAFETY: the object is there, and only written to when it is freed.
        unsafe { &*self.0.get() }
    }
}

impl Body {
    pub fn name(&self) -> &'static str {
        match self {
            Body::Func(_) => "function",
            Body::Global(_) => "global",
            Body::Table(_) => "table",
            Body::Memory(_) => "memory",
            Body::Tag(_) => "tag",
            Body::Instance(_) => "instance",
            Body::Module(_) => "module",
            Body::Trap(_) => "trap",
            Body::Foreign => "foreign object",
            Body::Deleted => "deleted object",
        }
    }

    pub fn extern_kind(&self) -> Option<ExternKind> {
        Some(match self {
            Body::Func(_) => ExternKind::Func,
            Body::Global(_) => ExternKind::Global,
            Body::Table(_) => ExternKind::Table,
            Body::Memory(_) => ExternKind::Memory,
            Body::Tag(_) => ExternKind::Tag,
            _ => return None,
        })
    }
}

macro_rules! downcasts {
    ($($name:ident $variant:ident $target:ty;)*) => {
        impl Object {
            $(
                #[inline(always)]
                pub fn $name(&self) -> Option<&$target> {
                    match &self.body {
                        Body::$variant(target) => Some(target),
                        _ => None,
                    }
                }
            )*
        }
    };
}
downcasts! {
    as_func Func Func;
    as_global Global Global;
    as_table Table Table;
    as_memory Memory Memory;
    as_instance Instance Instance;
    as_module Module Arc<Module>;
    as_trap Trap Trap;
}

/// An object together with its body, or what else is known of it: `Typed<&Global>` is one that is a global.
#[derive(Clone, Copy)]
pub struct Typed<'a, B> {
    pub object: &'a Object,
    pub body: B,
}

impl<'a, B> Typed<'a, B> {
    /// `None` if the object is something else.
    #[inline(always)]
    pub fn of(object: &'a Object, downcast: impl FnOnce(&'a Object) -> Option<B>) -> Option<Typed<'a, B>> {
        downcast(object).map(|body| Typed { object, body })
    }

    #[inline(always)]
    pub fn store(&self) -> &'a Store {
        self.object.store()
    }
}

impl<B> Deref for Typed<'_, B> {
    type Target = B;
    #[inline(always)]
    fn deref(&self) -> &B {
        &self.body
    }
}

impl Object {
    /// Makes an object of `store`, for C.
    pub fn create(store: &Store, body: Body) -> Handle {
        let object = Object::allocate(store, body, HANDLE);
        store.add_handle();
        Handle(object)
    }

    /// Makes an object of `store`, for the runtime or the engine.
    pub fn create_retained(store: &Store, body: Body) -> Retained {
        Retained(Object::allocate(store, body, RETENTION))
    }

    fn allocate(store: &Store, body: Body, counts: u64) -> NonNull<Object> {
        let object = Box::new(Object(UnsafeCell::new(ObjectData {
            entry: entry::entry(store, &body),
            body,
            store: NonNull::from(store),
            counts: AtomicU64::new(counts),
            host_info: Cell::new(std::ptr::null_mut()),
            finalizer: Cell::new(None),
        })));
        #[cfg(test)]
        crate::runtime::base::counting::add(&crate::runtime::base::counting::OBJECTS);
        NonNull::from(Box::leak(object))
    }

    #[inline(always)]
    pub fn store(&self) -> &Store {
        // SAFETY: handles keep the store alive, and what is retained without a handle belongs to the store, which lets go
        // of it before it goes itself.
        unsafe { self.store.as_ref() }
    }

    /// The type of an extern; a table's or memory's minimum is its current size. `None` for other objects.
    pub fn extern_type(&self) -> Option<ExternType> {
        let from = |size, limits: &Limits| Limits { min: Limits::new(size, None).min, ..*limits };
        Some(match &self.body {
            Body::Func(func) => ExternType::Func(func.ty.clone()),
            Body::Global(global) => ExternType::Global(global.ty.clone()),
            Body::Table(table) => {
                let size = Typed { object: self, body: table }.size();
                ExternType::Table(TableType { limits: from(size, &table.ty.limits), ..table.ty.clone() })
            }
            Body::Memory(memory) => {
                let size = Typed { object: self, body: memory }.pages();
                ExternType::Memory(MemoryType { limits: from(size, &memory.ty.limits), ..memory.ty.clone() })
            }
            Body::Tag(tag) => tag.ty.clone(),
            _ => return None,
        })
    }

    pub fn host_info(&self) -> *mut c_void {
        self.host_info.get()
    }

    /// Replaces the host info; the finalizer of the former one runs.
    pub fn set_host_info(&self, info: *mut c_void, finalizer: Finalizer) {
        let former = self.host_info.replace(info);
        if let Some(former_finalizer) = self.finalizer.replace(finalizer) {
            // SAFETY: C gave this function for this pointer, and it is called once, having just been replaced.
            unsafe { former_finalizer(former) };
        }
    }

    /// Gives up a handle of C's. Without one this is a second delete, which does nothing.
    ///
    /// # Safety
    /// The caller owned a handle, or gave it up not long ago.
    #[inline(always)]
    pub unsafe fn release_handle(&self) {
        if self.counts.load(Ordering::Relaxed) & HANDLES == 0 {
            return deleted_before();
        }
        self.store().before_release();
        // SAFETY: there are handles, and the caller gives up one.
        drop(unsafe { Handle::from_raw(self) });
    }

    pub fn is_deleted(&self) -> bool {
        matches!(self.body, Body::Deleted)
    }

    /// Whether nobody refers to an object that is not freed yet. One that waits to be freed may have been retained again, by a
    /// program that imports what it deleted.
    pub(super) fn is_unused(&self) -> bool {
        !self.is_deleted() && self.counts.load(Ordering::Relaxed) == 0
    }

    /// Empties the object at `this`.
    ///
    /// # Safety
    /// `this` came from [`Object::allocate`], both counts have just become zero, and it is not used afterwards.
    #[cold]
    pub(super) unsafe fn free(this: NonNull<Object>) {
        // SAFETY: the object is there until it is in quarantine.
        let object = unsafe { this.as_ref() };
        // A function may be deleted by its own callback, a module by its start function: whoever runs them still looks at them.
        if matches!(object.body, Body::Func(_) | Body::Module(_)) && object.store().free_later(this) {
            return;
        }
        // SAFETY: as promised by the caller.
        unsafe { Object::free_now(this) };
    }

    /// As [`Object::free`], whether or not a call is running.
    ///
    /// # Safety
    /// Likewise, and no call looks at the object.
    pub(super) unsafe fn free_now(this: NonNull<Object>) {
        // The finalizer may look at the object's neighbours, not at the object: nobody has a handle to it.
        // SAFETY: the object is there until it is in quarantine.
        let object = unsafe { this.as_ref() };
        object.set_host_info(std::ptr::null_mut(), None);
        // SAFETY: nobody else looks at the body any more.
        unsafe {
            let data = object.0.get();
            (&raw mut (*data).entry).write(entry::enter_nothing);
            drop(std::ptr::replace(&raw mut (*data).body, Body::Deleted));
        }
        #[cfg(test)]
        crate::runtime::base::counting::remove(&crate::runtime::base::counting::OBJECTS);
        quarantine(this);
    }
}

/// For an object that was expected to be something else.
#[cold]
pub fn wrong_kind(object: &Object, what: &str) -> Error {
    Error::misuse(format!("expected {what}, got a {}", object.body.name()))
}

#[cold]
fn deleted_before() {
    log::warn("an object was deleted that had been deleted before");
    error::record(&Error::misuse("the object was deleted before"));
}

/// Keeps a deleted object's memory until many others have been deleted after it.
fn quarantine(object: NonNull<Object>) {
    const ROOM: usize = 256;
    static SHARED: Mutex<Quarantine<Object>> = Quarantine::shared(ROOM);
    thread_local! {
        static OWN: RefCell<Quarantine<Object>> = const { Quarantine::of_thread(ROOM, &SHARED) };
    }
    // SAFETY: made by `Object::allocate`; what is kept is a deleted body, no host info, and a pointer nobody follows.
    unsafe { quarantine::keep(object, &OWN, &SHARED) };
}

/// A C handle: owned by C as a raw pointer, by Rust as this. It keeps the object and its store.
pub struct Handle(NonNull<Object>);

impl Handle {
    #[inline]
    pub fn new(object: &Object) -> Handle {
        if object.counts.fetch_add(HANDLE, Ordering::Relaxed) & HANDLES == 0 {
            object.store().add_handle();
        }
        Handle(NonNull::from(object))
    }

    /// Another handle for C, unless the object is deleted, or about to be.
    pub fn duplicate(object: &Object) -> Option<Handle> {
        let gone = object.is_deleted() || object.is_unused();
        (!gone).then(|| Handle::new(object))
    }

    pub fn into_raw(self) -> *mut Object {
        std::mem::ManuallyDrop::new(self).0.as_ptr()
    }

    /// Takes back a handle that C owned.
    ///
    /// # Safety
    /// `object` came from [`Handle::into_raw`], and its owner gives that one up.
    pub unsafe fn from_raw(object: &Object) -> Handle {
        Handle(NonNull::from(object))
    }
}

impl Deref for Handle {
    type Target = Object;
    fn deref(&self) -> &Object {
        // SAFETY: a handle keeps its object.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for Handle {
    #[inline]
    fn drop(&mut self) {
        // Read first: from then on another thread may free the object.
        let store = self.store;
        let former = self.counts.fetch_sub(HANDLE, Ordering::AcqRel);
        if former & HANDLES == HANDLE {
            if former == HANDLE {
                // SAFETY: both counts are zero, and `self` is not used any more.
                unsafe { Object::free(self.0) };
            }
            // SAFETY: the object counted as one of the store's handles until now.
            unsafe { Store::remove_handle(store) };
        }
    }
}

/// A reference of the runtime's own, or of WebAssembly's: it keeps the object, but not the store.
pub struct Retained(NonNull<Object>);

impl Retained {
    pub fn new(object: &Object) -> Retained {
        object.counts.fetch_add(RETENTION, Ordering::Relaxed);
        Retained(NonNull::from(object))
    }

    pub fn as_ptr(&self) -> NonNull<Object> {
        self.0
    }
}

impl Clone for Retained {
    fn clone(&self) -> Retained {
        Retained::new(self)
    }
}

impl Deref for Retained {
    type Target = Object;
    fn deref(&self) -> &Object {
        // SAFETY: what is retained lives.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for Retained {
    fn drop(&mut self) {
        if self.counts.fetch_sub(RETENTION, Ordering::AcqRel) == RETENTION {
            // SAFETY: both counts are zero, and `self` is not used any more.
            unsafe { Object::free(self.0) };
        }
    }
}

/// What the host data of an externref inside an engine holds: the object that C passed in. The engine may drop it in the
/// middle of an operation (when it collects garbage), where no finalizer may run: the store lets go of the object later.
pub struct ExternPayload(NonNull<Object>);

// SAFETY: engines want their host data to be Send and Sync, because their stores are. Ours is only ever touched from the
// thread that uses the store, which is the contract of `wasm.h` for a store and everything in it.
unsafe impl Send for ExternPayload {}
unsafe impl Sync for ExternPayload {}

impl ExternPayload {
    pub fn new(object: &Object) -> ExternPayload {
        ExternPayload(std::mem::ManuallyDrop::new(Retained::new(object)).0)
    }

    pub fn object(&self) -> &Object {
        // SAFETY: the payload retains the object.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for ExternPayload {
    fn drop(&mut self) {
        self.object().store().release_later(Retained(self.0));
    }
}
