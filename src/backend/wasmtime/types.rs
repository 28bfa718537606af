//! Types and values between the runtime and wasmtime.

use super::messages::in_words;
use crate::runtime::base::error::{Error, ErrorKind, Result};
use crate::runtime::base::types::{FuncType, ValKind, ValType};
use crate::runtime::core::engine_traits::Entity;
use crate::runtime::core::object::{Body, ExternPayload, Handle, Object, Typed};
use crate::runtime::core::store::Store as RuntimeStore;
use crate::runtime::core::value::Val;
use wasmtime::{AsContextMut, Extern, ExternRef, HeapType, Ref, RefType};

/// The engine's form of a type that C can name; only exact types of such kinds get here.
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

/// Gives the engine a reference to an object; the caller's handle stays the caller's.
///
/// # Safety
/// The object is of the context's store, and a function where one is expected.
pub unsafe fn to_ref(mut context: impl AsContextMut, kind: ValKind, object: Option<&Object>) -> Result<Ref> {
    Ok(match (kind, object) {
        (ValKind::FuncRef, None) => Ref::Func(None),
        (ValKind::FuncRef, Some(object)) => match object.as_func() {
            // SAFETY: this store's entities of functions are made from a Func.
            Some(func) => Ref::Func(Some(unsafe { Typed { object, body: func }.in_engine().get::<wasmtime::Func>() })),
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
/// As for [`to_ref`]: the value fits the kind.
pub unsafe fn to_engine(context: impl AsContextMut, kind: ValKind, value: &Val) -> Result<wasmtime::Val> {
    // SAFETY: the value is of the kind.
    unsafe {
        match kind.is_reference() {
            true => Ok(to_ref(context, kind, value.reference())?.into()),
            false => Ok(to_number(kind, value)),
        }
    }
}

/// # Safety
/// As for [`to_engine`], for a number.
#[inline(always)]
pub unsafe fn to_number(kind: ValKind, value: &Val) -> wasmtime::Val {
    // SAFETY: the value is of the kind; floats go by their bits.
    unsafe {
        match kind {
            ValKind::I32 => wasmtime::Val::I32(value.of.i32),
            ValKind::F32 => wasmtime::Val::F32(value.of.i32 as u32),
            ValKind::F64 => wasmtime::Val::F64(value.of.i64 as u64),
            _ => wasmtime::Val::I64(value.of.i64),
        }
    }
}

/// A value from the engine; a reference in it is an owned handle.
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

/// A number from the engine: its kind and bits.
#[inline(always)]
pub fn from_number(value: &wasmtime::Val) -> Result<(ValKind, u64)> {
    // The common ones are told apart without a table of jumps.
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

/// A reference to a function, as an owned handle.
#[inline(always)]
pub fn from_func(owner: &RuntimeStore, func: Option<wasmtime::Func>) -> Option<Handle> {
    // SAFETY: functions come here from the owner's own engine store.
    func.map(|func| unsafe { owner.function_reference(Entity::new(func)) })
}

/// A reference from the engine, as an owned handle.
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
    Error::new(ErrorKind::Unsupported, format!("{what} cannot be carried by wasm_val_t"))
}

/// The engine's form of an extern; `None` for other objects.
///
/// # Safety
/// The object is of a store of this backend.
pub unsafe fn to_extern(object: &Object) -> Option<Extern> {
    // SAFETY: this backend makes entities from these types, see `from_extern`.
    unsafe {
        Some(match &object.body {
            Body::Func(func) => Extern::Func(Typed { object, body: func }.in_engine().get()),
            Body::Global(global) => Extern::Global(global.entity.get()),
            Body::Table(table) => Extern::Table(table.entity.get()),
            Body::Memory(memory) => Extern::Memory(memory.entity.get()),
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
        Extern::Memory(memory) => Entity::new(memory),
        Extern::Tag(tag) => Entity::new(tag),
        // The runtime instantiates no module with one.
        Extern::SharedMemory(_) => return None,
    })
}
