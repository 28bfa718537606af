//! Converts types and values between the runtime and wasmtime.

use super::messages::in_words;
use crate::runtime::base::error::{Error, ErrorKind, Result};
use crate::runtime::base::types::{FuncType, MemoryType, TableType, ValKind, ValType, saturate};
use crate::runtime::core::engine_traits::Entity;
use crate::runtime::core::object::{Body, ExternPayload, Handle, Object, Typed};
use crate::runtime::core::store::Store as RuntimeStore;
use crate::runtime::core::value::Val;
use std::ptr::NonNull;
use wasmtime::{AsContextMut, Extern, ExternRef, HeapType, Ref, RefType};

/// Converts a type that C can name. Only exact types of such kinds are passed here.
pub fn val_type(ty: ValType) -> wasmtime::ValType {
    let heap = match ty.kind {
        ValKind::I32 => return wasmtime::ValType::I32,
        ValKind::I64 => return wasmtime::ValType::I64,
        ValKind::F32 => return wasmtime::ValType::F32,
        ValKind::F64 => return wasmtime::ValType::F64,
        ValKind::V128 => return wasmtime::ValType::V128,
        ValKind::ExternRef => HeapType::Extern,
        ValKind::FuncRef => HeapType::Func,
        ValKind::AnyRef => HeapType::Any,
        ValKind::ExnRef => HeapType::Exn,
    };
    wasmtime::ValType::Ref(RefType::new(ty.nullable, heap))
}

pub fn ref_type(ty: ValType) -> RefType {
    let heap = if ty.kind == ValKind::FuncRef { HeapType::Func } else { HeapType::Extern };
    RefType::new(ty.nullable, heap)
}

pub fn table_type(ty: &TableType) -> wasmtime::TableType {
    let (element, limits) = (ref_type(ty.element), ty.limits);
    match ty.is_64_bit {
        true => wasmtime::TableType::new64(element, limits.min(), limits.max()),
        false => wasmtime::TableType::new(element, saturate(limits.min()), limits.max().map(saturate)),
    }
}

pub fn memory_type(ty: &MemoryType) -> wasmtime::Result<wasmtime::MemoryType> {
    let mut builder = wasmtime::MemoryTypeBuilder::new();
    builder.min(ty.limits.min()).max(ty.limits.max()).memory64(ty.is_64_bit).shared(ty.shared);
    builder.page_size_log2(ty.page_size_log2);
    builder.build()
}

pub fn func_type(engine: &wasmtime::Engine, ty: &FuncType) -> wasmtime::FuncType {
    let types = |types: &[ValType]| types.iter().map(|ty| val_type(*ty)).collect::<Vec<_>>();
    wasmtime::FuncType::new(engine, types(&ty.params), types(&ty.results))
}

pub fn from_func_type(ty: &wasmtime::FuncType) -> FuncType {
    let params: Vec<_> = ty.params().map(|ty| from_val_type(&ty)).collect();
    let results: Vec<_> = ty.results().map(|ty| from_val_type(&ty)).collect();
    FuncType::new(params, results)
}

fn from_val_type(ty: &wasmtime::ValType) -> ValType {
    let ty = match ty {
        wasmtime::ValType::I32 => return ValType::new(ValKind::I32),
        wasmtime::ValType::I64 => return ValType::new(ValKind::I64),
        wasmtime::ValType::F32 => return ValType::new(ValKind::F32),
        wasmtime::ValType::F64 => return ValType::new(ValKind::F64),
        wasmtime::ValType::V128 => return ValType::new(ValKind::V128),
        wasmtime::ValType::Ref(ty) => ty,
    };
    let kind = match ty.heap_type().top() {
        HeapType::Extern => ValKind::ExternRef,
        HeapType::Func => ValKind::FuncRef,
        HeapType::Exn => ValKind::ExnRef,
        _ => ValKind::AnyRef,
    };
    let exact = matches!(ty.heap_type(), HeapType::Extern | HeapType::Func);
    ValType::with(kind, ty.is_nullable(), exact)
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
        (ValKind::ExternRef, Some(object)) => {
            let reference = ExternRef::new(&mut context, ExternPayload::new(object));
            Ref::Extern(Some(reference.map_err(|error| in_words(ErrorKind::Limit, &error))?))
        }
        (ValKind::ExnRef, _) => Ref::Exn(None),
        _ => Ref::Any(None),
    })
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
pub fn from_ref(context: impl AsContextMut, owner: &RuntimeStore, value: Ref) -> Result<Option<Handle>> {
    match value {
        Ref::Func(func) => Ok(from_func(owner, func)),
        Ref::Extern(None) | Ref::Any(None) | Ref::Exn(None) => Ok(None),
        Ref::Extern(Some(reference)) => {
            let data = reference.data(&context).map_err(|error| in_words(ErrorKind::Internal, &error))?;
            match data.and_then(|data| data.downcast_ref::<ExternPayload>()) {
                Some(payload) => Ok(Some(Handle::new(payload.object()))),
                None => Err(not_carried("an externref that was converted from an internal reference")),
            }
        }
        Ref::Any(Some(_)) => Err(not_carried("a reference to a garbage-collected object")),
        Ref::Exn(Some(_)) => Err(not_carried("an exception reference")),
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
