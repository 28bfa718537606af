//! Reference types and garbage-collected objects
//!
//! References of the proposals function-references and gc are `wasm_ref_t`s and values like others:
//! they pass through calls, host functions, globals and tables. References to functions have the
//! kind `WASM_FUNCREF`, whatever their type is. References to structs, arrays and small integers
//! (i31) have the kind `WASMRT_ANYREF`; `WASM_EXTERNREF` where they pass as one, which converts them
//! as `extern.convert_any` does. In the other direction everything that can be an externref can be
//! an anyref.
//!
//! There is one object for each struct, array or small integer that the host has a handle to, so
//! `wasm_ref_same` compares them. It ends with its last handle; then its finalizer runs, and the
//! engine may collect what no guest refers to. Handles may be deleted on any thread, in any order
//! and after the store.
//!
//! Where a type is narrower than its kind, as `(ref $t)` or `i31ref` is, what does not fit is
//! refused as a value of another kind is. A type that a module defines belongs to the module's
//! engine. The host gets it from the types of imports and exports, or from a reference, and can make
//! functions, globals, tables, structs and arrays of it.

use super::{get, value};
use crate::c_api::answer;
use crate::c_api::families::reference::wrong_kind;
use crate::c_api::families::vector::Vector;
use crate::c_api::ffi::{Argument, give_handle, null};
use crate::c_api::wasm::r#ref::wasm_ref_t;
use crate::c_api::wasm::store::wasm_store_t;
use crate::c_api::wasm::val::wasm_val_vec_t;
use crate::c_api::wasm::valtype::wasm_valtype_t;
use crate::runtime::base::error::{Error, Result};
use crate::runtime::base::types::{Heap, ValType};
use crate::runtime::core::gc::{self, Gc, of_heap};
use crate::runtime::core::object::{Object, Typed};
use crate::runtime::core::value::Val;
use std::mem::MaybeUninit;

/// Which references a type has. For a type that a module defines, the narrowest of these that it is
/// part of.
#[repr(C)]
pub enum wasmrt_heap_enum {
    /// Everything of the host, and what guests have converted from anyref.
    WASMRT_HEAP_EXTERN = 0,
    /// Functions.
    WASMRT_HEAP_FUNC = 1,
    /// Structs, arrays and small integers, and what guests have converted from externref.
    WASMRT_HEAP_ANY = 2,
    /// Caught exceptions.
    WASMRT_HEAP_EXN = 3,
    /// Structs, arrays and small integers.
    WASMRT_HEAP_EQ = 4,
    /// Small integers: 31 bits, which take no memory.
    WASMRT_HEAP_I31 = 5,
    /// Structs.
    WASMRT_HEAP_STRUCT = 6,
    /// Arrays.
    WASMRT_HEAP_ARRAY = 7,
    /// Nothing: only null is of the type `nullref`.
    WASMRT_HEAP_NONE = 8,
    /// Nothing of the kind externref.
    WASMRT_HEAP_NOEXTERN = 9,
    /// Nothing of the kind funcref.
    WASMRT_HEAP_NOFUNC = 10,
    /// Nothing of the kind exnref.
    WASMRT_HEAP_NOEXN = 11,
}

/// A value of `wasmrt_heap_enum`.
pub type wasmrt_heap_t = u32;

/// Returns a reference type, own: with null among its values, as `(ref null any)`, or without it, as
/// `(ref any)`.
///
/// Returns NULL and sets the last error for another number. Whether an engine has the type is
/// checked where it is used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_valtype_new_ref(heap: wasmrt_heap_t, nullable: bool) -> *mut wasm_valtype_t {
    answer("wasmrt_valtype_new_ref", std::ptr::null_mut(), || {
        let heap = value(heap, "wasmrt_heap_enum", Heap::from_number)?;
        Ok(give_type(ValType::reference(heap, nullable)))
    })
}

/// Returns a reference type with or without null, own; otherwise the same as `ty`, also if a module
/// defines it. Returns NULL and sets the last error for the type of a number, and for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_valtype_with_null(ty: Option<&wasm_valtype_t>, nullable: bool) -> *mut wasm_valtype_t {
    answer("wasmrt_valtype_with_null", std::ptr::null_mut(), || {
        let ty = reference_type(ty)?;
        Ok(give_type(ty.with_null(nullable)))
    })
}

/// Sets `*out` to which references a type has, a constant of `wasmrt_heap_enum`. Returns false, sets
/// the last error and leaves `*out` alone for the type of a number, and for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_valtype_heap(
    ty: Option<&wasm_valtype_t>,
    out: Option<&mut MaybeUninit<wasmrt_heap_t>>,
) -> bool {
    get("wasmrt_valtype_heap", out, || Ok(reference_type(ty)?.heap.map_or(0, |heap| heap as u32)))
}

/// Returns whether null is a value of a reference type. Returns false for the type of a number.
/// Returns false and sets the last error for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_valtype_is_nullable(ty: Option<&wasm_valtype_t>) -> bool {
    answer("wasmrt_valtype_is_nullable", false, || {
        let ty = ty.required()?;
        Ok(ty.heap.is_some() && ty.nullable)
    })
}

/// Returns whether a module defines a type, as `(ref $t)`: then `wasmrt_valtype_heap` does not say
/// all of it. Returns false and sets the last error for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_valtype_is_defined(ty: Option<&wasm_valtype_t>) -> bool {
    answer("wasmrt_valtype_is_defined", false, || Ok(ty.required()?.defined.is_some()))
}

/// Sets `*out` to what a reference refers to: `WASMRT_HEAP_FUNC`, `_I31`, `_STRUCT`, `_ARRAY` or
/// `_EXN`; `WASMRT_HEAP_EXTERN` for everything else that the host has. Returns false, sets the last
/// error and leaves `*out` alone for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_ref_heap(
    reference: Option<&wasm_ref_t>,
    out: Option<&mut MaybeUninit<wasmrt_heap_t>>,
) -> bool {
    get("wasmrt_ref_heap", out, || Ok(gc::heap(reference.required()?.object) as u32))
}

/// Returns the narrowest type of a reference, own, such as `(ref $t)` for a struct or a function; it
/// does not have null. Returns NULL and sets the last error for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_ref_type(reference: Option<&wasm_ref_t>) -> *mut wasm_valtype_t {
    answer("wasmrt_ref_type", std::ptr::null_mut(), || Ok(give_type(gc::ty(reference.required()?.object)?)))
}

/// Returns a reference to a small integer, own. It has 31 bits: `value` is from -1073741824 on, and
/// what is beyond 1073741823 is read as unsigned.
///
/// Returns NULL and sets the last error if `value` is less, if the engine does not have the proposal
/// gc, and for NULL. The reference must eventually be passed to `wasm_ref_delete`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_i31_new(store: Option<&mut wasm_store_t>, value: i32) -> *mut wasm_ref_t {
    answer("wasmrt_i31_new", std::ptr::null_mut(), || Ok(give_handle(store.required()?.new_i31(value)?)))
}

/// Sets `*out` to a small integer with its sign: from -1073741824 to 1073741823. Returns false, sets
/// the last error and leaves `*out` alone if the reference is to something else, and for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_i31_signed(reference: Option<&wasm_ref_t>, out: Option<&mut MaybeUninit<i32>>) -> bool {
    get("wasmrt_i31_signed", out, || of_heap(reference.required()?.object, Heap::I31)?.i31())
}

/// Sets `*out` to a small integer without a sign: from 0 to 2147483647. Returns false, sets the last
/// error and leaves `*out` alone if the reference is to something else, and for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_i31_unsigned(
    reference: Option<&wasm_ref_t>,
    out: Option<&mut MaybeUninit<u32>>,
) -> bool {
    let read = || Ok(of_heap(reference.required()?.object, Heap::I31)?.i31()? as u32 & 0x7fff_ffff);
    get("wasmrt_i31_unsigned", out, read)
}

/// Creates a struct of a type that a module defines, own. Does not take `ty` or `fields`, which has
/// a value for each field: an i32 for a packed one, of which the lower bits are kept. NULL for
/// `fields` makes all of them zero or null.
///
/// Returns NULL and sets the last error if the type is not a struct's or is of another engine, if
/// the values do not fit, if a field has no default, if the engine's heap or the store's limits have
/// no room, and for NULL. The reference must eventually be passed to `wasm_ref_delete`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_struct_new(
    store: Option<&mut wasm_store_t>,
    ty: Option<&wasm_valtype_t>,
    fields: Option<&wasm_val_vec_t>,
) -> *mut wasm_ref_t {
    answer("wasmrt_struct_new", std::ptr::null_mut(), || {
        let (store, ty) = (store.required()?, ty.required()?);
        // SAFETY: C's vector is valid, so that references in it are NULL or handles.
        Ok(give_handle(unsafe { store.new_struct(ty, fields.map(|fields| fields.elements())) }?))
    })
}

/// Creates an array of a type that a module defines, own. Does not take `ty` or `element`, which
/// becomes the value of all elements, as a field's in `wasmrt_struct_new`. NULL for it makes them
/// zero or null.
///
/// Returns NULL and sets the last error as `wasmrt_struct_new` does. The reference must eventually
/// be passed to `wasm_ref_delete`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_array_new(
    store: Option<&mut wasm_store_t>,
    ty: Option<&wasm_valtype_t>,
    length: u32,
    element: Option<&Val>,
) -> *mut wasm_ref_t {
    answer("wasmrt_array_new", std::ptr::null_mut(), || {
        let (store, ty) = (store.required()?, ty.required()?);
        // SAFETY: a reference in a value from C is NULL or a handle.
        Ok(give_handle(unsafe { store.new_array(ty, length, element) }?))
    })
}

/// Sets `*out` to the number of a struct's fields or of an array's elements. Returns false, sets the
/// last error and leaves `*out` alone if the reference is to something else, and for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_ref_length(reference: Option<&wasm_ref_t>, out: Option<&mut MaybeUninit<u32>>) -> bool {
    get("wasmrt_ref_length", out, || aggregate(reference)?.length())
}

/// Sets `*out` to a field of a struct or an element of an array, own. What is packed becomes an i32,
/// with its sign if `is_signed`.
///
/// Returns false, sets the last error and leaves `*out` alone if the index is beyond the end, if a
/// `wasm_val_t` cannot carry the value, if the reference is to something else, and for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_ref_get(
    reference: Option<&wasm_ref_t>,
    index: usize,
    is_signed: bool,
    out: Option<&mut MaybeUninit<Val>>,
) -> bool {
    get("wasmrt_ref_get", out, || aggregate(reference)?.get(index, is_signed))
}

/// Sets a field of a struct or an element of an array. Does not take `value`; a reference in it is
/// copied. Of what is packed, the lower bits of an i32 are kept.
///
/// Returns false and sets the last error if the index is beyond the end, if the field is constant,
/// if the value does not fit or is of another store, if the reference is to something else, and for
/// NULL. Nothing is written then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_ref_set(reference: Option<&mut wasm_ref_t>, index: usize, value: Option<&Val>) -> bool {
    answer("wasmrt_ref_set", false, || {
        let aggregate = aggregate(reference.as_deref())?;
        // SAFETY: a reference in a value from C is NULL or a handle.
        unsafe { aggregate.set(index, value.ok_or_else(|| null("a value"))?) }.map(|()| true)
    })
}

/// A struct or an array.
fn aggregate(reference: Option<&wasm_ref_t>) -> Result<Typed<'_, &Gc>> {
    let object = reference.required()?.object;
    match Typed::of(object, Object::as_gc) {
        Some(gc) if matches!(gc.heap, Heap::Struct | Heap::Array) => Ok(gc),
        _ => Err(wrong_kind(object, "a reference to a struct or an array")),
    }
}

fn reference_type(ty: Option<&wasm_valtype_t>) -> Result<ValType> {
    let ty = ty.required()?;
    match ty.heap {
        Some(_) => Ok(ty),
        None => Err(Error::misuse(format!("expected a reference type, got {ty}"))),
    }
}

fn give_type(ty: ValType) -> *mut wasm_valtype_t {
    ty.as_ptr().cast_mut().cast()
}
