//! Converts types and values between the runtime and wasmtime.

use super::messages::in_words;
use crate::runtime::base::error::{Error, ErrorKind, Result};
use crate::runtime::base::types::{
    Defined, ExternType, FuncType, GlobalType, Heap, Limits, MemoryType, TableType, ValKind, ValType, saturate,
};
use crate::runtime::core::engine_traits::Entity;
use crate::runtime::core::gc::{Gc, Root};
use crate::runtime::core::object::{Body, ExternPayload, Handle, Object, Typed};
use crate::runtime::core::store::Store as RuntimeStore;
use crate::runtime::core::value::Val;
use rustc_hash::{FxBuildHasher, FxHashMap};
use std::hash::{BuildHasher, Hasher};
use std::ptr::NonNull;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use wasmtime::{
    AnyRef, AsContextMut, ExnRef, Extern, ExternRef, HeapType, OwnedRooted, Ref, RefType, Rooted, StorageType,
};

/// The types that modules of an engine define, as far as the host has seen them. The engine keeps those for it.
pub struct Types {
    engine: wasmtime::Engine,
    /// [`Defined::engine`] of these.
    id: u64,
    known: RwLock<KnownTypes>,
}

#[derive(Default)]
struct KnownTypes {
    types: Vec<HeapType>,
    /// By the engine's hash of a type, which stays the same as long as it is kept: those that have it.
    positions: FxHashMap<u64, Vec<u32>>,
}

impl KnownTypes {
    fn find(&self, heap: &HeapType, hash: u64) -> Option<u32> {
        let mut positions = self.positions.get(&hash)?.iter();
        positions.find(|index| HeapType::eq(&self.types[**index as usize], heap)).copied()
    }
}

/// Descriptions of types are never freed. Guests define them, so their number is bounded; what is beyond that is refused.
pub const MAX_TYPES: usize = 1 << 14;
const BEYOND: Defined = Defined { engine: 0, index: u32::MAX };

impl Types {
    pub fn new(engine: &wasmtime::Engine) -> Types {
        Types { engine: engine.clone(), id: Defined::new_engine(), known: RwLock::default() }
    }

    /// Threads that look at types do not wait for each other.
    fn known(&self) -> RwLockReadGuard<'_, KnownTypes> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the identity of a type that a module defines.
    fn identity(&self, heap: &HeapType) -> Defined {
        let hash = FxBuildHasher.hash_one(heap);
        let known = self.known().find(heap, hash);
        match known.or_else(|| self.add(heap, hash)) {
            Some(index) => Defined { engine: self.id, index },
            None => BEYOND,
        }
    }

    /// `None` if there are too many.
    #[cold]
    fn add(&self, heap: &HeapType, hash: u64) -> Option<u32> {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have added it meanwhile.
        if let Some(index) = known.find(heap, hash) {
            return Some(index);
        }
        let index = known.types.len();
        (index < MAX_TYPES).then(|| {
            known.types.push(heap.clone());
            known.positions.entry(hash).or_default().push(index as u32);
            index as u32
        })
    }

    /// Whether a type is not known, because there are too many.
    pub fn is_beyond(defined: Defined) -> bool {
        defined == BEYOND
    }

    /// Returns the engine's type; `None` if it is of another engine.
    pub fn of(&self, defined: Defined) -> Option<HeapType> {
        (defined.engine == self.id).then(|| self.known().types.get(defined.index as usize).cloned()).flatten()
    }

    fn heap_type(&self, heap: Heap, defined: Option<Defined>) -> HeapType {
        let abstract_type = || match heap {
            Heap::Extern => HeapType::Extern,
            Heap::Func => HeapType::Func,
            Heap::Any => HeapType::Any,
            Heap::Exn => HeapType::Exn,
            Heap::Eq => HeapType::Eq,
            Heap::I31 => HeapType::I31,
            Heap::Struct => HeapType::Struct,
            Heap::Array => HeapType::Array,
            Heap::None => HeapType::None,
            Heap::NoExtern => HeapType::NoExtern,
            Heap::NoFunc => HeapType::NoFunc,
            Heap::NoExn => HeapType::NoExn,
        };
        defined.and_then(|defined| self.of(defined)).unwrap_or_else(abstract_type)
    }

    /// Converts a type. The runtime has checked that those which modules define are of this engine.
    pub fn val_type(&self, ty: ValType) -> wasmtime::ValType {
        match ty.kind {
            ValKind::I32 => wasmtime::ValType::I32,
            ValKind::I64 => wasmtime::ValType::I64,
            ValKind::F32 => wasmtime::ValType::F32,
            ValKind::F64 => wasmtime::ValType::F64,
            ValKind::V128 => wasmtime::ValType::V128,
            _ => wasmtime::ValType::Ref(self.ref_type(ty)),
        }
    }

    pub fn ref_type(&self, ty: ValType) -> RefType {
        RefType::new(ty.nullable, self.heap_type(ty.heap.unwrap_or(Heap::Extern), ty.defined))
    }

    pub fn table_type(&self, ty: &TableType) -> wasmtime::TableType {
        let (element, limits) = (self.ref_type(ty.element), ty.limits);
        match ty.is_64_bit {
            true => wasmtime::TableType::new64(element, limits.min(), limits.max()),
            false => wasmtime::TableType::new(element, saturate(limits.min()), limits.max().map(saturate)),
        }
    }

    pub fn func_type(&self, ty: &FuncType) -> wasmtime::FuncType {
        if let Some(HeapType::ConcreteFunc(defined)) = ty.defined.and_then(|defined| self.of(defined)) {
            return defined;
        }
        let types = |types: &[ValType]| types.iter().map(|ty| self.val_type(*ty)).collect::<Vec<_>>();
        wasmtime::FuncType::new(&self.engine, types(&ty.params), types(&ty.results))
    }

    pub fn runtime_func_type(&self, ty: &wasmtime::FuncType) -> FuncType {
        let params: Vec<_> = ty.params().map(|ty| self.runtime_val_type(&ty)).collect();
        let results: Vec<_> = ty.results().map(|ty| self.runtime_val_type(&ty)).collect();
        let alone = ty.finality().is_final() && ty.supertype().is_none() && {
            let alone = wasmtime::FuncType::new(&self.engine, ty.params(), ty.results());
            wasmtime::FuncType::eq(&alone, ty)
        };
        let defined = (!alone).then(|| self.identity(&HeapType::ConcreteFunc(ty.clone())));
        FuncType::defined(params, results, defined)
    }

    pub fn runtime_val_type(&self, ty: &wasmtime::ValType) -> ValType {
        match ty {
            wasmtime::ValType::I32 => ValType::new(ValKind::I32),
            wasmtime::ValType::I64 => ValType::new(ValKind::I64),
            wasmtime::ValType::F32 => ValType::new(ValKind::F32),
            wasmtime::ValType::F64 => ValType::new(ValKind::F64),
            wasmtime::ValType::V128 => ValType::new(ValKind::V128),
            wasmtime::ValType::Ref(ty) => self.runtime_ref_type(ty),
        }
    }

    pub fn runtime_ref_type(&self, ty: &RefType) -> ValType {
        let nullable = ty.is_nullable();
        let heap = ty.heap_type();
        match heap {
            HeapType::ConcreteFunc(_) | HeapType::ConcreteStruct(_) | HeapType::ConcreteArray(_) => {
                ValType::defined(runtime_heap(heap), nullable, self.identity(heap), || text_of(heap))
            }
            heap => ValType::reference(runtime_heap(heap), nullable),
        }
    }

    /// The kind of a type, without its identity.
    pub fn kind(ty: &wasmtime::ValType) -> ValKind {
        match ty {
            wasmtime::ValType::I32 => ValKind::I32,
            wasmtime::ValType::I64 => ValKind::I64,
            wasmtime::ValType::F32 => ValKind::F32,
            wasmtime::ValType::F64 => ValKind::F64,
            wasmtime::ValType::V128 => ValKind::V128,
            wasmtime::ValType::Ref(ty) => runtime_heap(ty.heap_type()).kind(),
        }
    }

    pub fn runtime_extern_type(&self, ty: &wasmtime::ExternType) -> Option<ExternType> {
        Some(match ty {
            wasmtime::ExternType::Func(ty) => ExternType::Func(self.runtime_func_type(ty)),
            wasmtime::ExternType::Global(ty) => ExternType::Global(GlobalType {
                content: self.runtime_val_type(ty.content()),
                mutable: ty.mutability().is_var(),
            }),
            wasmtime::ExternType::Table(ty) => ExternType::Table(TableType {
                element: self.runtime_ref_type(ty.element()),
                limits: Limits::new(ty.minimum(), ty.maximum()),
                is_64_bit: ty.is_64(),
            }),
            wasmtime::ExternType::Tag(ty) => ExternType::tag(self.runtime_func_type(ty.ty())),
            // Their types are always exact.
            wasmtime::ExternType::Memory(_) => return None,
        })
    }

    /// Whether something of the type `given` may be imported as `expected`.
    pub fn matches(&self, given: &ExternType, expected: &ExternType) -> bool {
        match (given, expected) {
            (ExternType::Func(given), ExternType::Func(expected)) => {
                is_subtype(&self.func_type(given), &self.func_type(expected))
            }
            (ExternType::Tag(given), ExternType::Tag(expected)) => match (&**given, &**expected) {
                (ExternType::Func(given), ExternType::Func(expected)) => {
                    wasmtime::FuncType::eq(&self.func_type(given), &self.func_type(expected))
                }
                _ => false,
            },
            (ExternType::Global(given), ExternType::Global(expected)) => {
                let fits = match given.mutable {
                    true => given.content == expected.content,
                    false => self.is_subtype(given.content, expected.content),
                };
                given.mutable == expected.mutable && fits
            }
            (ExternType::Table(given), ExternType::Table(expected)) => {
                given.element == expected.element
                    && given.is_64_bit == expected.is_64_bit
                    && given.limits.fit(&expected.limits)
            }
            _ => false,
        }
    }

    fn is_subtype(&self, given: ValType, expected: ValType) -> bool {
        if given.heap.is_none() || expected.heap.is_none() {
            return given == expected;
        }
        let (given, expected) = (self.ref_type(given), self.ref_type(expected));
        match (given.heap_type(), expected.heap_type()) {
            (HeapType::ConcreteFunc(one), HeapType::ConcreteFunc(other)) => {
                is_subtype(one, other) && (expected.is_nullable() || !given.is_nullable())
            }
            _ => given.matches(&expected),
        }
    }

    /// Whether a function is of a reference type, whose kind is funcref.
    pub fn admits(&self, ty: ValType, func: &wasmtime::FuncType) -> bool {
        match self.ref_type(ty).heap_type() {
            HeapType::Func => true,
            HeapType::ConcreteFunc(ty) => is_subtype(func, ty),
            _ => false,
        }
    }
}

/// Whether a function type is another or declares to be a subtype of it. The engine's own comparison looks at parameters and
/// results only.
fn is_subtype(given: &wasmtime::FuncType, expected: &wasmtime::FuncType) -> bool {
    let mut ancestors = std::iter::successors(Some(given.clone()), wasmtime::FuncType::supertype);
    ancestors.any(|ty| wasmtime::FuncType::eq(&ty, expected))
}

/// The heap type of WebAssembly's own; of those that a module defines, the narrowest that it is part of.
fn runtime_heap(heap: &HeapType) -> Heap {
    match heap {
        HeapType::Extern => Heap::Extern,
        HeapType::Func | HeapType::ConcreteFunc(_) => Heap::Func,
        HeapType::Exn => Heap::Exn,
        HeapType::Eq => Heap::Eq,
        HeapType::I31 => Heap::I31,
        HeapType::Struct | HeapType::ConcreteStruct(_) => Heap::Struct,
        HeapType::Array | HeapType::ConcreteArray(_) => Heap::Array,
        HeapType::None => Heap::None,
        HeapType::NoExtern => Heap::NoExtern,
        HeapType::NoFunc => Heap::NoFunc,
        HeapType::NoExn => Heap::NoExn,
        // Any, and those of proposals that the library does not turn on.
        _ => Heap::Any,
    }
}

/// Describes a type that a module defines, for messages.
fn text_of(heap: &HeapType) -> String {
    const FEW: usize = 8;
    let value = |ty: &wasmtime::ValType| match ty {
        wasmtime::ValType::Ref(ty) if ty.heap_type().is_concrete() => {
            let null = if ty.is_nullable() { "null " } else { "" };
            format!("(ref {null}{})", runtime_heap(ty.heap_type()).name())
        }
        ty => ty.to_string(),
    };
    let part = |field: wasmtime::FieldType| {
        let ty = match field.element_type() {
            StorageType::I8 => "i8".to_string(),
            StorageType::I16 => "i16".to_string(),
            StorageType::ValType(ty) => value(ty),
        };
        if field.mutability().is_var() { format!("(mut {ty})") } else { ty }
    };
    let list = |word: &str, parts: Vec<String>, all: usize| match (all, parts.join(" ")) {
        (0, _) => String::new(),
        (_, text) => format!(" ({word} {text}{})", if all > FEW { " ..." } else { "" }),
    };
    let values = |word: &str, types: &mut dyn ExactSizeIterator<Item = wasmtime::ValType>| {
        let all = types.len();
        list(word, types.take(FEW).map(|ty| value(&ty)).collect(), all)
    };
    match heap {
        HeapType::ConcreteFunc(ty) => {
            format!("(func{}{})", values("param", &mut ty.params()), values("result", &mut ty.results()))
        }
        HeapType::ConcreteStruct(ty) => {
            let fields = ty.fields();
            let all = fields.len();
            format!("(struct{})", list("field", fields.take(FEW).map(part).collect(), all))
        }
        HeapType::ConcreteArray(ty) => format!("(array {})", part(ty.field_type())),
        _ => String::new(),
    }
}

pub fn memory_type(ty: &MemoryType) -> wasmtime::Result<wasmtime::MemoryType> {
    let mut builder = wasmtime::MemoryTypeBuilder::new();
    builder.min(ty.limits.min()).max(ty.limits.max()).memory64(ty.is_64_bit).shared(ty.shared);
    builder.page_size_log2(ty.page_size_log2);
    builder.build()
}

/// Converts a reference to an object to the engine's form. The caller keeps its handle.
///
/// # Safety
/// The object belongs to the context's store, and is a function where one is expected.
pub unsafe fn to_ref(mut context: impl AsContextMut, kind: ValKind, object: Option<&Object>) -> Result<Ref> {
    Ok(match (kind, object) {
        (ValKind::FuncRef, None) => Ref::Func(None),
        (ValKind::FuncRef, Some(object)) => match Typed::of(object, Object::as_func) {
            // SAFETY: the function belongs to this store, and this backend makes entities of functions from a
            // `wasmtime::Func`.
            Some(func) => Ref::Func(Some(unsafe { func.in_engine().get::<wasmtime::Func>() })),
            None => return Err(Error::misuse(format!("expected a function, got a {}", object.body.name()))),
        },
        (ValKind::ExternRef, None) => Ref::Extern(None),
        (ValKind::ExternRef, Some(object)) => Ref::Extern(Some(to_host_reference(context, object)?)),
        (ValKind::ExnRef, object) => {
            let root = object.and_then(Object::as_gc).and_then(|gc| gc.root.downcast_ref::<OwnedRooted<ExnRef>>());
            Ref::Exn(root.map(|root| root.to_rooted(context)))
        }
        (_, None) => Ref::Any(None),
        (_, Some(object)) => Ref::Any(Some(match object.as_gc().and_then(any_root) {
            Some(root) => root.to_rooted(context),
            None => {
                let reference = to_host_reference(&mut context, object)?;
                AnyRef::convert_extern(context, reference).map_err(unrooted)?
            }
        })),
    })
}

/// The root of a struct, an array or a small integer.
pub fn any_root(gc: &Gc) -> Option<&OwnedRooted<AnyRef>> {
    gc.root.downcast_ref()
}

/// Converts an object to an externref. What is the engine's own becomes one as `extern.convert_any` makes it.
fn to_host_reference(mut context: impl AsContextMut, object: &Object) -> Result<Rooted<ExternRef>> {
    match object.as_gc().and_then(any_root) {
        Some(root) => {
            let any = root.to_rooted(&mut context);
            ExternRef::convert_any(context, any).map_err(unrooted)
        }
        None => ExternRef::new(context, ExternPayload::new(object)).map_err(|error| in_words(ErrorKind::Limit, &error)),
    }
}

#[cold]
pub fn unrooted(error: wasmtime::Error) -> Error {
    in_words(ErrorKind::Internal, &error)
}

/// # Safety
/// The value fits the kind, and a reference is null or alive and belongs to the context's store.
pub unsafe fn to_engine(context: impl AsContextMut, kind: ValKind, value: &Val) -> Result<wasmtime::Val> {
    // SAFETY: the contract says that the value is of this kind, and what `to_ref` requires of a reference.
    unsafe {
        match kind.is_reference() {
            true => Ok(to_ref(context, kind, value.reference())?.into()),
            false => Ok(to_number(kind, value)),
        }
    }
}

/// # Safety
/// The value is of the kind, which is a number's.
#[inline(always)]
pub unsafe fn to_number(kind: ValKind, value: &Val) -> wasmtime::Val {
    // SAFETY: the contract says that the field of this kind is initialised; floats are read as the integers of their
    // bits.
    unsafe {
        match kind {
            ValKind::I32 => wasmtime::Val::I32(value.of.i32),
            ValKind::F32 => wasmtime::Val::F32(value.of.i32 as u32),
            ValKind::F64 => wasmtime::Val::F64(value.of.i64 as u64),
            _ => wasmtime::Val::I64(value.of.i64),
        }
    }
}

/// Converts a value of the engine. A reference in the answer is an owned handle.
pub fn from_engine(context: impl AsContextMut, owner: &RuntimeStore, value: wasmtime::Val) -> Result<Val> {
    use wasmtime::Val as EngineVal;
    let (kind, reference) = match value {
        EngineVal::FuncRef(value) => (ValKind::FuncRef, Ref::Func(value)),
        EngineVal::ExternRef(value) => (ValKind::ExternRef, Ref::Extern(value)),
        EngineVal::AnyRef(value) => (ValKind::AnyRef, Ref::Any(value)),
        EngineVal::ExnRef(value) => (ValKind::ExnRef, Ref::Exn(value)),
        number => {
            let (kind, bits) = from_number(&number)?;
            return Ok(Val { kind: kind as u8, ..Val::i64(bits as i64) });
        }
    };
    Ok(Val::owned(kind, from_ref(context, owner, reference)?))
}

/// Converts a number of the engine to its kind and its bits.
#[inline(always)]
pub fn from_number(value: &wasmtime::Val) -> Result<(ValKind, u64)> {
    // The most common kinds are compared one by one, which avoids a jump table.
    match *value {
        wasmtime::Val::I32(value) => Ok((ValKind::I32, value as u32 as u64)),
        wasmtime::Val::I64(value) => Ok((ValKind::I64, value as u64)),
        ref value => from_other_number(value),
    }
}

#[inline(never)]
fn from_other_number(value: &wasmtime::Val) -> Result<(ValKind, u64)> {
    match *value {
        wasmtime::Val::F32(bits) => Ok((ValKind::F32, bits.into())),
        wasmtime::Val::F64(bits) => Ok((ValKind::F64, bits)),
        wasmtime::Val::V128(_) => Err(not_carried("a v128")),
        _ => Err(not_carried("a continuation")),
    }
}

/// Converts a reference to a function to an owned handle.
#[inline(always)]
pub fn from_func(owner: &RuntimeStore, func: Option<wasmtime::Func>) -> Option<Handle> {
    // SAFETY: functions that are passed here come from the engine's store of `owner`.
    func.map(|func| unsafe { owner.function_reference(Entity::new(func)) })
}

/// Converts a reference of the engine to an owned handle.
pub fn from_ref(mut context: impl AsContextMut, owner: &RuntimeStore, value: Ref) -> Result<Option<Handle>> {
    match value {
        Ref::Func(func) => Ok(from_func(owner, func)),
        Ref::Extern(None) | Ref::Any(None) | Ref::Exn(None) => Ok(None),
        Ref::Extern(Some(reference)) => match host_object(&mut context, reference)? {
            Some(object) => Ok(Some(object)),
            None => {
                let any = AnyRef::convert_extern(&mut context, reference).map_err(unrooted)?;
                from_any(context, owner, any).map(Some)
            }
        },
        Ref::Any(Some(reference)) => from_any(context, owner, reference).map(Some),
        Ref::Exn(Some(reference)) => {
            let key = key_of(|hasher| reference.ref_hash(&context, hasher))?;
            let root = || reference.to_owned_rooted(context).map(|root| Box::new(root) as Root).map_err(no_room);
            owner.gc_reference(key, Heap::Exn, root).map(Some)
        }
    }
}

/// The object that an externref holds; `None` if it is a reference of the engine's own.
fn host_object(context: impl AsContextMut, reference: Rooted<ExternRef>) -> Result<Option<Handle>> {
    let data = reference.data(&context).map_err(unrooted)?;
    let payload = data.and_then(|data| data.downcast_ref::<ExternPayload>());
    Ok(payload.map(|payload| Handle::new(payload.object())))
}

fn from_any(mut context: impl AsContextMut, owner: &RuntimeStore, any: Rooted<AnyRef>) -> Result<Handle> {
    let is = |answer: wasmtime::Result<bool>| answer.map_err(unrooted);
    let heap = match () {
        () if is(any.is_i31(&context))? => Heap::I31,
        () if is(any.is_struct(&context))? => Heap::Struct,
        () if is(any.is_array(&context))? => Heap::Array,
        () => {
            let reference = ExternRef::convert_any(&mut context, any).map_err(unrooted)?;
            return host_object(context, reference)?.ok_or_else(|| not_carried("a reference of an unknown kind"));
        }
    };
    let key = key_of(|hasher| any.ref_hash(&context, hasher))?;
    let root = || any.to_owned_rooted(context).map(|root| Box::new(root) as Root).map_err(no_room);
    owner.gc_reference(key, heap, root)
}

fn no_room(error: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Limit, error.to_string())
}

/// Returns what the engine tells references apart with: where something is in its heap, or a small integer. The engine's
/// collector does not move what is in the heap, see `config::translate`.
fn key_of(hash: impl FnOnce(&mut Key) -> wasmtime::Result<()>) -> Result<u64> {
    let mut key = Key(0);
    hash(&mut key).map_err(unrooted)?;
    Ok(key.0)
}

/// A hasher that loses nothing of the one number that it is given.
struct Key(u64);

impl Hasher for Key {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0 << 8 | u64::from(*byte));
    }
    fn finish(&self) -> u64 {
        self.0
    }
}

#[cold]
fn not_carried(what: &str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("wasm_val_t cannot carry {what}"))
}

/// Converts an extern to the engine's form; `None` for other objects.
///
/// # Safety
/// The object belongs to a store of this backend.
pub unsafe fn to_extern(object: &Object) -> Option<Extern> {
    // SAFETY: the object belongs to a store of this backend, which makes entities from exactly these types, see
    // `from_extern`.
    unsafe {
        Some(match &object.body {
            Body::Func(_) => Extern::Func(Typed::of(object, Object::as_func)?.in_engine().get()),
            Body::Global(global) => Extern::Global(global.entity.get()),
            Body::Table(table) => Extern::Table(table.entity.get()),
            Body::Memory(memory) => match memory.entity.get() {
                MemoryEntity::Own(memory) => Extern::Memory(memory),
                // SAFETY: the store has kept it since the entity was made.
                MemoryEntity::Shared(memory) => Extern::SharedMemory(memory.as_ref().clone()),
            },
            Body::Tag(tag) => Extern::Tag(tag.entity.get()),
            _ => return None,
        })
    }
}

pub fn from_extern(value: Extern) -> Option<Entity> {
    Some(match value {
        Extern::Func(func) => Entity::new(func),
        Extern::Global(global) => Entity::new(global),
        Extern::Table(table) => Entity::new(table),
        Extern::Memory(memory) => Entity::new(MemoryEntity::Own(memory)),
        Extern::Tag(tag) => Entity::new(tag),
        // The store has to keep it.
        Extern::SharedMemory(_) => return None,
    })
}

/// What entities of memories are made from.
#[derive(Clone, Copy)]
pub enum MemoryEntity {
    Own(wasmtime::Memory),
    /// Shared by stores. Each of them keeps it.
    Shared(NonNull<wasmtime::SharedMemory>),
}
