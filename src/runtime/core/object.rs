//! The objects that every reference of `wasm.h` points to: one allocation per object, however many handles it has.
//!
//! A C pointer (`wasm_func_t*`, `wasm_extern_t*`, `wasm_ref_t*`, ...) is the address of an [`Object`]. Casting
//! between these types checks the object's kind, and copying a pointer increments a count. So all handles of an
//! object are the same pointer, and host info is a field.
//!
//! An object is kept alive by two counts: by its *handles*, which belong to C and keep the store alive as well, and
//! by how often it is *retained* by the runtime or by WebAssembly. Retaining does not keep the store alive: the store
//! retains objects itself, and would never end. Handles may be copied and deleted from any thread, also while another
//! thread uses the store: garbage-collected languages delete from a thread of their own.
//!
//! A deleted object is emptied at once, but its memory is kept for a while, see [`quarantine`].

use super::engine_traits::Entity;
use super::entry::{self, Entry};
use super::func::Func;
use super::gc::Gc;
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
use crate::runtime::base::types::{ExternKind, ExternType, MemoryType, TableType};
use std::cell::{Cell, RefCell, UnsafeCell};
use std::ffi::c_void;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// A `&Object` may still be in use when the object is freed: a method of the object may give up the last handle.
/// Inside an `UnsafeCell` the compiler may not assume that the contents live as long as the reference. So all of the
/// object is in one.
pub struct Object(UnsafeCell<ObjectData>);

pub struct ObjectData {
    /// How C calls the object.
    pub entry: Entry,
    pub body: Body,
    store: NonNull<Store>,
    /// Both counts in one number, as multiples of [`HANDLE`] and of [`RETENTION`], so that exactly one of those who
    /// release the object sees both at zero.
    counts: AtomicU64,
    host_info: Cell<*mut c_void>,
    finalizer: Cell<Finalizer>,
}

// 120 bytes is the largest request that glibc serves from its fast bins. Most objects are functions and instances, of
// which there may be thousands. Debug builds keep more in each.
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
    Gc(Box<Gc>),
    Foreign,
    /// A deleted object. Its store may no longer exist.
    Deleted,
}

const HANDLE: u64 = 1;
const RETENTION: u64 = 1 << 32;
/// The bits of the counts that count handles.
const HANDLES: u64 = RETENTION - 1;

pub struct Tag {
    pub entity: Entity,
    pub ty: ExternType,
}

impl Deref for Object {
    type Target = ObjectData;
    #[inline(always)]
    fn deref(&self) -> &ObjectData {
        // SAFETY: a `&Object` is only made for an object that is allocated, and its data is only written when it is
        // freed.
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
            Body::Gc(gc) => gc.name(),
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
    as_tag Tag Tag;
    as_trap Trap Trap;
    as_gc Gc Gc;
}

/// An object together with its body, or with something else that is known of it: `Typed<&Global>` is an object that
/// is a global.
#[derive(Clone, Copy)]
pub struct Typed<'a, B> {
    pub object: &'a Object,
    pub body: B,
    /// Only [`Typed::of`] makes one, from the object's own body.
    _paired: (),
}

impl<'a, B> Typed<'a, B> {
    /// `None` if the object is something else.
    #[inline(always)]
    pub fn of(object: &'a Object, downcast: impl FnOnce(&'a Object) -> Option<B>) -> Option<Typed<'a, B>> {
        downcast(object).map(|body| Typed { object, body, _paired: () })
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
    /// Makes an object of `store`, with a handle for C.
    pub fn create(store: &Store, body: Body) -> Handle {
        let object = Object::allocate(store, body, HANDLE);
        store.add_handles(1);
        Handle(object)
    }

    /// Makes an object of `store` that the store retains until it ends, with a handle for C.
    pub fn create_kept(store: &Store, body: Body) -> Handle {
        let object = Object::allocate(store, body, HANDLE + RETENTION);
        store.add_handles(1);
        store.retain(Retained(object));
        Handle(object)
    }

    /// Makes an object of `store` that the runtime or the engine retains.
    pub fn create_retained(store: &Store, body: Body) -> Retained {
        Retained(Object::allocate(store, body, RETENTION))
    }

    fn allocate(store: &Store, body: Body, counts: u64) -> NonNull<Object> {
        let object = Object(UnsafeCell::new(ObjectData {
            entry: entry::entry(store, &body),
            body,
            store: NonNull::from(store),
            counts: AtomicU64::new(counts),
            host_info: Cell::new(std::ptr::null_mut()),
            finalizer: Cell::new(None),
        }));
        #[cfg(test)]
        crate::runtime::base::counting::add(&crate::runtime::base::counting::OBJECTS);
        NonNull::from(Box::leak(Box::write(quarantine::room(&OWN), object)))
    }

    #[inline(always)]
    pub fn store(&self) -> &Store {
        // SAFETY: handles keep the store alive. An object without a handle is retained by the store or something in
        // it, and the store drops all of that before it is freed.
        unsafe { self.store.as_ref() }
    }

    /// Returns the type of an extern. For a table or memory its minimum is the current size. `None` for other
    /// objects.
    pub fn extern_type(&self) -> Option<ExternType> {
        Some(match &self.body {
            Body::Func(func) => ExternType::Func(func.ty.clone()),
            Body::Global(global) => ExternType::Global(global.ty.clone()),
            Body::Table(table) => {
                let size = Typed { object: self, body: table, _paired: () }.size();
                ExternType::Table(TableType { limits: table.ty.limits.from(size), ..table.ty.clone() })
            }
            Body::Memory(memory) => {
                let size = Typed { object: self, body: memory, _paired: () }.pages();
                ExternType::Memory(MemoryType { limits: memory.ty.limits.from(size), ..*memory.ty })
            }
            Body::Tag(tag) => tag.ty.clone(),
            _ => return None,
        })
    }

    pub fn host_info(&self) -> *mut c_void {
        self.host_info.get()
    }

    /// Replaces the host info and runs the finalizer of the former one.
    pub fn set_host_info(&self, info: *mut c_void, finalizer: Finalizer) {
        let former = self.host_info.replace(info);
        if let Some(former_finalizer) = self.finalizer.replace(finalizer) {
            // SAFETY: C passed this finalizer for this pointer. It was replaced just now, so it runs once.
            unsafe { former_finalizer(former) };
        }
    }

    /// Gives up a handle that C owns. If C owns none, this is a second delete, which does nothing but record an
    /// error.
    ///
    /// # Safety
    /// The caller owned a handle, or gave it up so recently that the object's memory is still in quarantine.
    #[inline(always)]
    pub unsafe fn release_handle(&self) {
        if self.may_release_handle() {
            // SAFETY: C has handles, and the caller owns one and gives it up.
            drop(unsafe { Handle::from_raw(self) });
        }
    }

    /// Must be asked before C gives up a handle. Otherwise this is a second delete.
    #[inline(always)]
    fn may_release_handle(&self) -> bool {
        if self.counts.load(Ordering::Relaxed) & HANDLES == 0 {
            deleted_before();
            return false;
        }
        self.store().before_release();
        true
    }

    /// Subtracts a handle, and frees the object if nothing keeps it. Returns whether it was the last handle: then the
    /// store has one less.
    ///
    /// # Safety
    /// The caller owns a handle and gives it up.
    #[inline(always)]
    unsafe fn subtract_handle(this: NonNull<Object>) -> bool {
        // SAFETY: the handle keeps the object until it is subtracted.
        let former = unsafe { this.as_ref() }.counts.fetch_sub(HANDLE, Ordering::AcqRel);
        if former == HANDLE {
            // SAFETY: both counts have just become zero, and the object is not used afterwards.
            unsafe { Object::free(this) };
        }
        former & HANDLES == HANDLE
    }

    pub fn is_deleted(&self) -> bool {
        matches!(self.body, Body::Deleted)
    }

    /// Whether nothing refers to this object, which is not freed yet. While an object waits to be freed, it may be
    /// retained again: by a program that imports what it deleted.
    pub(super) fn is_unused(&self) -> bool {
        !self.is_deleted() && self.counts.load(Ordering::Relaxed) == 0
    }

    /// Frees the object at `this`, or notes that it has to be freed when the running call ends.
    ///
    /// # Safety
    /// `this` came from [`Object::allocate`], both counts have just become zero, and it is not used afterwards.
    #[cold]
    pub(super) unsafe fn free(this: NonNull<Object>) {
        // SAFETY: the object stays allocated until it is in quarantine.
        let object = unsafe { this.as_ref() };
        // A function may be deleted by its own callback, and a module by its start function, while code that runs
        // them still uses them.
        if matches!(object.body, Body::Func(_) | Body::Module(_)) && object.store().free_later(this) {
            return;
        }
        if let Some(gc) = object.as_gc() {
            object.store().forget_gc(gc, this);
        }
        // SAFETY: both counts are zero, and no running call uses the object.
        unsafe { Object::free_now(this) };
    }

    /// Frees the object as [`Object::free`] does, but at once, even if a call is running.
    ///
    /// # Safety
    /// As for [`Object::free`], and no call uses the object.
    pub(super) unsafe fn free_now(this: NonNull<Object>) {
        // The finalizer may use the objects around this one, but not this object, because no handle to it is left.
        // SAFETY: the object stays allocated until it is in quarantine.
        let object = unsafe { this.as_ref() };
        object.set_host_info(std::ptr::null_mut(), None);
        // SAFETY: no reference to the body is used after this: both counts are zero, and no call uses the object.
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

/// Returns the error for an object that was expected to be something else.
#[cold]
pub fn wrong_kind(object: &Object, what: &str) -> Error {
    Error::misuse(format!("expected {what}, got a {}", object.body.name()))
}

#[cold]
fn deleted_before() {
    log::warn("an object was deleted a second time; nothing was done");
    error::record(&Error::misuse("the object was deleted before"));
}

const QUARANTINED: usize = 256;
static SHARED: Mutex<Quarantine<Object>> = Quarantine::shared(QUARANTINED);
thread_local! {
    static OWN: RefCell<Quarantine<Object>> = const { Quarantine::of_thread(QUARANTINED, &SHARED) };
}

/// Keeps a deleted object's memory until many others have been deleted after it.
fn quarantine(object: NonNull<Object>) {
    // SAFETY: the object was made by `Object::allocate`. What is left in it needs no drop: a deleted body, no host
    // info, and a pointer that is no longer followed.
    unsafe { quarantine::keep(object, &OWN, &SHARED) };
}

/// A handle, which C owns as a raw pointer and Rust as this type. It keeps the object and its store alive.
pub struct Handle(NonNull<Object>);

impl Handle {
    #[inline]
    pub fn new(object: &Object) -> Handle {
        if object.counts.fetch_add(HANDLE, Ordering::Relaxed) & HANDLES == 0 {
            object.store().add_handles(1);
        }
        Handle(NonNull::from(object))
    }

    /// Makes another handle for C, unless the object is deleted or is about to be.
    pub fn duplicate(object: &Object) -> Option<Handle> {
        let gone = object.is_deleted() || object.is_unused();
        (!gone).then(|| Handle::new(object))
    }

    /// Makes another handle, unless the object is about to be freed, maybe by another thread.
    pub(super) fn revive(object: &Object) -> Option<Handle> {
        let another = |counts| (counts != 0).then(|| counts + HANDLE);
        let former = object.counts.try_update(Ordering::AcqRel, Ordering::Acquire, another).ok()?;
        if former & HANDLES == 0 {
            object.store().add_handles(1);
        }
        Some(Handle(NonNull::from(object)))
    }

    pub fn into_raw(self) -> *mut Object {
        std::mem::ManuallyDrop::new(self).0.as_ptr()
    }

    /// Takes back a handle that C owned.
    ///
    /// # Safety
    /// `object` came from [`Handle::into_raw`], and its owner gives up that handle.
    pub unsafe fn from_raw(object: &Object) -> Handle {
        Handle(NonNull::from(object))
    }
}

impl Deref for Handle {
    type Target = Object;
    fn deref(&self) -> &Object {
        // SAFETY: a handle keeps its object alive.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for Handle {
    #[inline]
    fn drop(&mut self) {
        // Read first: after the subtraction another thread may free the object.
        let store = self.store;
        // SAFETY: an object with handles counts as one handle of its store. If the last of them is gone, so is that.
        unsafe {
            if Object::subtract_handle(self.0) {
                Store::remove_handles(store, 1);
            }
        }
    }
}

/// Makes handles of many objects of one store. The store counts the most that there may be at once, and when this is dropped,
/// no longer those that were not needed.
pub struct NewHandles<'a> {
    store: &'a Store,
    /// The handles of the store that are not needed yet.
    left: usize,
}

impl NewHandles<'_> {
    pub fn of(store: &Store, most: usize) -> NewHandles<'_> {
        store.add_handles(most);
        NewHandles { store, left: most }
    }

    #[inline]
    pub fn add(&mut self, object: &Object) -> Handle {
        if object.counts.fetch_add(HANDLE, Ordering::Relaxed) & HANDLES == 0 {
            match self.left.checked_sub(1) {
                Some(left) if self.store.is(object.store()) => self.left = left,
                _ => object.store().add_handles(1),
            }
        }
        Handle(NonNull::from(object))
    }
}

impl Drop for NewHandles<'_> {
    fn drop(&mut self) {
        if self.left > 0 {
            // SAFETY: these were counted when this was made, and no object has got them.
            unsafe { Store::remove_handles(NonNull::from(self.store), self.left) };
        }
    }
}

/// Gives up handles that C owns, of many objects. Their store counts them at once; if that was the last handle, the
/// store ends when this is dropped or comes to an object of another store.
#[derive(Default)]
pub struct OldHandles {
    store: Option<NonNull<Store>>,
    /// The objects that have none any more.
    objects: usize,
}

impl OldHandles {
    /// # Safety
    /// As for [`Object::release_handle`].
    #[inline]
    pub unsafe fn release(&mut self, object: &Object) {
        if !object.may_release_handle() {
            return;
        }
        let store = object.store;
        // SAFETY: C has handles, and the caller owns one and gives it up.
        if unsafe { Object::subtract_handle(NonNull::from(object)) } {
            if self.store != Some(store) {
                self.subtract();
                self.store = Some(store);
            }
            self.objects += 1;
        }
    }

    fn subtract(&mut self) {
        if let (Some(store), objects @ 1..) = (self.store, std::mem::take(&mut self.objects)) {
            // SAFETY: each of the objects counted as one handle of the store.
            unsafe { Store::remove_handles(store, objects) };
        }
    }
}

impl Drop for OldHandles {
    fn drop(&mut self) {
        self.subtract();
    }
}

/// A reference that the runtime or WebAssembly holds: it keeps the object alive, but not the store.
pub struct Retained(NonNull<Object>);

impl Retained {
    pub fn new(object: &Object) -> Retained {
        object.counts.fetch_add(RETENTION, Ordering::Relaxed);
        Retained(NonNull::from(object))
    }

    pub fn as_ptr(&self) -> NonNull<Object> {
        self.0
    }

    /// Drops this when the store ends: no other thread can reach the object any more, so nothing has to be locked.
    pub(super) fn end(self) {
        if self.counts.load(Ordering::Acquire) != RETENTION {
            return drop(self);
        }
        let object = std::mem::ManuallyDrop::new(self).0;
        // SAFETY: this was all that kept the object, and it is not used afterwards.
        unsafe {
            object.as_ref().counts.store(0, Ordering::Relaxed);
            Object::free(object);
        }
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
        // SAFETY: a retained object is alive.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for Retained {
    fn drop(&mut self) {
        if self.counts.fetch_sub(RETENTION, Ordering::AcqRel) == RETENTION {
            // SAFETY: both counts have just become zero, and `self` is not used afterwards.
            unsafe { Object::free(self.0) };
        }
    }
}

/// What an externref inside an engine holds as its host data: the object that C passed. The engine may drop it in the
/// middle of an operation, when it collects garbage. No finalizer may run there, so the store releases the object
/// later.
pub struct ExternPayload(NonNull<Object>);

// SAFETY: engines require their host data to be Send and Sync, because their stores are. This data is only used on
// the thread that uses the store, as `wasm.h` requires for a store and everything in it.
unsafe impl Send for ExternPayload {}
unsafe impl Sync for ExternPayload {}

impl ExternPayload {
    pub fn new(object: &Object) -> ExternPayload {
        ExternPayload(std::mem::ManuallyDrop::new(Retained::new(object)).0)
    }

    pub fn object(&self) -> &Object {
        // SAFETY: the payload retains the object until it is dropped.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for ExternPayload {
    fn drop(&mut self) {
        self.object().store().release_later(Retained(self.0));
    }
}
