//! Converts types and values between the runtime and wasmi.

use crate::runtime::base::types::{FuncType, MemoryType, TableType, ValKind, ValType, saturate};
use crate::runtime::core::engine_traits::Entity;
use crate::runtime::core::object::{Body, ExternPayload, Handle, Object, Typed};
use crate::runtime::core::store::Store as RuntimeStore;
use crate::runtime::core::value::{Raw, Val, ValUnion};
use wasmi::{AsContext, Extern, F32, F64, Nullable, Ref, RefType};

/// Converts a type to the engine's form. The engine has only these types, all of which are nullable and exact.
pub fn val_type(ty: ValType) -> wasmi::ValType {
    match ty.kind {
        ValKind::I32 => wasmi::ValType::I32,
        ValKind::I64 => wasmi::ValType::I64,
        ValKind::F32 => wasmi::ValType::F32,
        ValKind::F64 => wasmi::ValType::F64,
        ValKind::V128 => wasmi::ValType::V128,
        ValKind::FuncRef => wasmi::ValType::FuncRef,
        ValKind::ExternRef | ValKind::AnyRef | ValKind::ExnRef => wasmi::ValType::ExternRef,
    }
}

pub fn ref_type(ty: ValType) -> RefType {
    if ty.kind == ValKind::FuncRef { RefType::Func } else { RefType::Extern }
}

pub fn table_type(ty: &TableType) -> wasmi::TableType {
    let (element, limits) = (ref_type(ty.element), ty.limits);
    match ty.is_64_bit {
        true => wasmi::TableType::new64(element, limits.min(), limits.max()),
        false => wasmi::TableType::new(element, saturate(limits.min()), limits.max().map(saturate)),
    }
}

/// Returns the maximum that the engine may know. It has fewer bytes than a 64-bit number can count: the engine panics when a
/// memory grows whose maximum is all of the 64-bit address space. No memory gets near either.
pub fn engine_maximum(ty: &MemoryType) -> Option<u64> {
    let most = u64::MAX >> ty.page_size_log2.min(63);
    ty.limits.max().map(|max| max.min(most))
}

pub fn memory_type(ty: &MemoryType) -> Result<wasmi::MemoryType, wasmi::errors::MemoryError> {
    let mut builder = wasmi::MemoryType::builder();
    builder.memory64(ty.is_64_bit).min(ty.limits.min()).max(engine_maximum(ty)).page_size_log2(ty.page_size_log2);
    builder.build()
}

pub fn func_type(ty: &FuncType) -> wasmi::FuncType {
    let types = |types: &[ValType]| types.iter().map(|ty| val_type(*ty)).collect::<Vec<_>>();
    wasmi::FuncType::new(types(&ty.params), types(&ty.results))
}

pub fn from_func_type(ty: &wasmi::FuncType) -> FuncType {
    let types = |types: &[wasmi::ValType]| types.iter().map(|ty| from_val_type(*ty)).collect::<Vec<_>>();
    FuncType::new(types(ty.params()), types(ty.results()))
}

fn from_val_type(ty: wasmi::ValType) -> ValType {
    ValType::new(match ty {
        wasmi::ValType::I32 => ValKind::I32,
        wasmi::ValType::I64 => ValKind::I64,
        wasmi::ValType::F32 => ValKind::F32,
        wasmi::ValType::F64 => ValKind::F64,
        wasmi::ValType::V128 => ValKind::V128,
        wasmi::ValType::FuncRef => ValKind::FuncRef,
        wasmi::ValType::ExternRef => ValKind::ExternRef,
    })
}

/// Converts a number to the engine's form.
///
/// # Safety
/// The value is of the kind, which is a number's.
#[inline(always)]
pub unsafe fn to_number(kind: ValKind, value: &Val) -> wasmi::Val {
    // SAFETY: the contract says that the field of this kind is initialised; floats are read as the integers of their
    // bits.
    unsafe {
        match kind {
            ValKind::I32 => wasmi::Val::I32(value.of.i32),
            ValKind::F32 => wasmi::Val::F32(F32::from_bits(value.of.i32 as u32)),
            ValKind::F64 => wasmi::Val::F64(F64::from_bits(value.of.i64 as u64)),
            _ => wasmi::Val::I64(value.of.i64),
        }
    }
}

/// Returns the bits of a number of the engine.
#[inline(always)]
pub fn number_bits(value: &wasmi::Val) -> u64 {
    match value {
        wasmi::Val::I32(value) => *value as u32 as u64,
        wasmi::Val::I64(value) => *value as u64,
        wasmi::Val::F32(value) => value.to_bits() as u64,
        wasmi::Val::F64(value) => value.to_bits(),
        _ => 0,
    }
}

/// Converts a raw value to the engine's form.
///
/// # Safety
/// The value is of the kind, which is a number's or a vector's.
pub unsafe fn from_raw(kind: ValKind, value: &Raw) -> wasmi::Val {
    // SAFETY: the contract says which field was written.
    unsafe {
        match kind {
            ValKind::I32 => wasmi::Val::I32(value.u32 as i32),
            ValKind::F32 => wasmi::Val::F32(F32::from_bits(value.u32)),
            ValKind::F64 => wasmi::Val::F64(F64::from_bits(value.u64)),
            ValKind::V128 => wasmi::Val::V128(u128::from_le_bytes(value.v128).into()),
            _ => wasmi::Val::I64(value.u64 as i64),
        }
    }
}

/// Converts a number or a vector of the engine to a raw value.
pub fn to_raw(value: &wasmi::Val) -> Raw {
    match value {
        wasmi::Val::I32(value) => Raw { u32: *value as u32 },
        wasmi::Val::I64(value) => Raw { u64: *value as u64 },
        wasmi::Val::F32(value) => Raw { u32: value.to_bits() },
        wasmi::Val::F64(value) => Raw { u64: value.to_bits() },
        wasmi::Val::V128(value) => Raw { v128: value.as_u128().to_le_bytes() },
        _ => Raw { u64: 0 },
    }
}

/// Converts a value of the engine. A reference in the answer is an owned handle.
#[inline(always)]
pub fn from_engine(context: impl AsContext, owner: &RuntimeStore, value: &wasmi::Val) -> Val {
    let bits = |kind: ValKind, bits: u64| Val { kind: kind as u8, of: ValUnion { i64: bits as i64 } };
    match value {
        wasmi::Val::I32(value) => Val::i32(*value),
        wasmi::Val::I64(value) => Val::i64(*value),
        wasmi::Val::F32(value) => Val { kind: ValKind::F32 as u8, ..Val::i32(value.to_bits() as i32) },
        wasmi::Val::F64(value) => bits(ValKind::F64, value.to_bits()),
        // Not reached: the runtime refuses values of this type, because wasm_val_t has no room for them.
        wasmi::Val::V128(_) => bits(ValKind::V128, 0),
        wasmi::Val::FuncRef(value) => Val::owned(ValKind::FuncRef, from_ref(context, owner, Ref::Func(*value))),
        wasmi::Val::ExternRef(value) => Val::owned(ValKind::ExternRef, from_ref(context, owner, Ref::Extern(*value))),
    }
}

/// Converts a reference of the engine to an owned handle.
#[inline(always)]
pub fn from_ref(context: impl AsContext, owner: &RuntimeStore, value: Ref) -> Option<Handle> {
    match value {
        // SAFETY: functions that are passed here come from the engine's store of `owner`.
        Ref::Func(Nullable::Val(func)) => Some(unsafe { owner.function_reference(Entity::new(func)) }),
        Ref::Func(Nullable::Null) | Ref::Extern(Nullable::Null) => None,
        Ref::Extern(Nullable::Val(reference)) => {
            let payload = reference.data(context.as_context()).downcast_ref::<ExternPayload>();
            payload.map(|payload| Handle::new(payload.object()))
        }
    }
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
            Body::Memory(memory) => Extern::Memory(memory.entity.get()),
            // The engine has no tags, and refuses modules that import one.
            _ => return None,
        })
    }
}

/// Returns where the engine requires imports of this kind, among the others.
#[inline]
pub fn rank(import: &Extern) -> u8 {
    match import {
        Extern::Func(_) => 0,
        Extern::Table(_) => 1,
        Extern::Memory(_) => 2,
        Extern::Global(_) => 3,
    }
}

pub fn from_extern(value: Extern) -> Entity {
    match value {
        Extern::Func(func) => Entity::new(func),
        Extern::Global(global) => Entity::new(global),
        Extern::Table(table) => Entity::new(table),
        Extern::Memory(memory) => Entity::new(memory),
    }
}
