//! References of the garbage-collection proposal, and to exceptions, in the hands of C.
//!
//! Each is an object with a root that keeps what it refers to in the engine's heap. The store knows the objects by what
//! the engine tells references apart with, so that there is one for each thing that C has a reference to. The object ends
//! with the last handle, and so does the root: from then on the engine may collect the thing.

use super::func::{check_type, check_value};
use super::object::{Body, Handle, Object, Typed, wrong_kind};
use super::store::Store;
use super::value::Val;
use crate::runtime::base::error::{Error, ErrorKind, Result};
use crate::runtime::base::options::Proposal;
use crate::runtime::base::types::{Heap, ValType};
use rustc_hash::FxHashMap;
use std::any::Any;
use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What keeps something in an engine's heap. May be dropped on any thread, also after the engine's store.
pub type Root = Box<dyn Any + Send + Sync>;

pub struct Gc {
    pub root: Root,
    /// What tells the thing from the others in its store, as long as the root is there.
    key: u64,
    /// `I31`, `Struct`, `Array` or `Exn`.
    pub heap: Heap,
}

impl Gc {
    /// With \"a\" before it.
    pub fn name(&self) -> &'static str {
        match self.heap {
            Heap::I31 => "small integer (i31)",
            Heap::Struct => "garbage-collected struct",
            Heap::Array => "garbage-collected array",
            _ => "caught exception",
        }
    }
}

/// The objects by their keys. Behind a lock, because the last handle may be deleted on any thread.
#[derive(Default)]
pub struct Known(Mutex<FxHashMap<u64, NonNull<Object>>>);

impl Known {
    fn lock(&self) -> MutexGuard<'_, FxHashMap<u64, NonNull<Object>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// Returns a handle to the object for a reference that came out of WebAssembly. It is made if there is none.
    pub fn gc_reference(&self, key: u64, heap: Heap, root: impl FnOnce() -> Result<Root>) -> Result<Handle> {
        // SAFETY: an object takes itself out of the list before it is freed, which needs the lock.
        let known = |object: &NonNull<Object>| Handle::revive(unsafe { object.as_ref() });
        if let Some(handle) = self.known_gc.lock().get(&key).and_then(known) {
            return Ok(handle);
        }
        let handle = Object::create(self, Body::Gc(Box::new(Gc { root: root()?, key, heap })));
        self.known_gc.lock().insert(key, NonNull::from(&*handle));
        Ok(handle)
    }

    /// Must be called before an object is freed. It may have been replaced in the list since its last handle was given up.
    pub(super) fn forget_gc(&self, gc: &Gc, object: NonNull<Object>) {
        let mut known = self.known_gc.lock();
        if known.get(&gc.key) == Some(&object) {
            known.remove(&gc.key);
        }
    }

    pub fn new_i31(&self, value: i32) -> Result<Handle> {
        if value < -(1 << 30) {
            return Err(Error::misuse(format!("{value} does not fit in 31 bits, -1073741824 is the least that does")));
        }
        check_type(self, ValType::reference(Heap::I31, true))?;
        self.backend().new_i31(value)
    }

    /// # Safety
    /// References in the values are null or live handles.
    pub unsafe fn new_struct(&self, ty: ValType, fields: Option<&[Val]>) -> Result<Handle> {
        self.check_creatable(ty, Heap::Struct)?;
        // SAFETY: the type is a struct's of this engine, and the contract is the same.
        self.within_limits(|| unsafe { self.backend().new_struct(ty, fields) })
    }

    /// # Safety
    /// A reference in the value is null or a live handle.
    pub unsafe fn new_array(&self, ty: ValType, length: u32, element: Option<&Val>) -> Result<Handle> {
        self.check_creatable(ty, Heap::Array)?;
        // SAFETY: the type is an array's of this engine, and the contract is the same.
        self.within_limits(|| unsafe { self.backend().new_array(ty, length, element) })
    }

    fn check_creatable(&self, ty: ValType, heap: Heap) -> Result<()> {
        self.engine().check_has(Proposal::Gc, &format_args!("value of type {ty}"))?;
        match ty.defined {
            Some(defined) if ty.heap == Some(heap) => self.backend().check_defined(defined, &format!("the type {ty}")),
            _ => Err(Error::misuse(format!("expected the type of a {} that a module defines, got {ty}", heap.name()))),
        }
    }
}

/// Fails if the object is not a reference of the kind `heap`.
pub fn of_heap(object: &Object, heap: Heap) -> Result<Typed<'_, &Gc>> {
    match Typed::of(object, Object::as_gc) {
        Some(gc) if gc.heap == heap => Ok(gc),
        _ => Err(wrong_kind(object, &format!("a reference to a {}", heap.name()))),
    }
}

/// What an object is as a reference.
pub fn heap(object: &Object) -> Heap {
    match &object.body {
        Body::Func(_) => Heap::Func,
        Body::Gc(gc) => gc.heap,
        _ => Heap::Extern,
    }
}

/// The narrowest type of a reference to an object.
pub fn ty(object: &Object) -> Result<ValType> {
    let backend = object.store().backend();
    // SAFETY: the object is of that store.
    unsafe {
        match (Typed::of(object, Object::as_func), object.as_gc()) {
            (Some(func), _) => backend.func_ref_type(func),
            (_, Some(gc)) => backend.gc_type(gc),
            _ => Ok(ValType::reference(Heap::Extern, false)),
        }
    }
}

impl Typed<'_, &Gc> {
    pub fn i31(self) -> Result<i32> {
        // SAFETY: the root is of the object's store.
        unsafe { self.store().backend().i31(&self) }
    }

    /// The number of a struct's fields, or of an array's elements.
    pub fn length(self) -> Result<u32> {
        // SAFETY: the root is of the object's store.
        unsafe { self.store().backend().gc_length(&self) }
    }

    /// Returns a field or an element; its reference is owned.
    pub fn get(self, index: usize, signed: bool) -> Result<Val> {
        let index = self.check_index(index)?;
        // SAFETY: the root is of the object's store, and there is a part at the index.
        unsafe { self.store().backend().gc_get(&self, index, signed) }
    }

    /// # Safety
    /// A reference in the value is null or a live handle.
    pub unsafe fn set(self, index: usize, value: &Val) -> Result<()> {
        let index = self.check_index(index)?;
        // SAFETY: the root is of the object's store, there is a part at the index, and the contract is the same.
        unsafe { self.store().backend().gc_set(&self, index, value) }?;
        self.store().settle();
        Ok(())
    }

    fn check_index(self, index: usize) -> Result<u32> {
        let length = self.length()?;
        match u32::try_from(index) {
            Ok(index) if index < length => Ok(index),
            _ => {
                let (name, parts) = (self.heap.name(), if self.heap == Heap::Array { "elements" } else { "fields" });
                Err(Error::misuse(format!("index {index} is beyond the {length} {parts} of the {name}")))
            }
        }
    }
}

/// Checks a value that is to be a field of a struct or an element of an array.
///
/// # Safety
/// A reference in the value is null or a live handle.
pub unsafe fn check_part(store: &Store, value: &Val, ty: ValType, role: impl Fn() -> String) -> Result<()> {
    super::func::check_carried(ty, "a field or an element")?;
    // SAFETY: the contract is the same.
    unsafe { check_value(store, value, ty, role) }
}

/// The error of backends that have no such references.
pub fn unsupported() -> Error {
    Error::new(ErrorKind::Unsupported, "this backend has no garbage-collected objects")
}
