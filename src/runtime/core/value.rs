//! Values in the form in which they cross the C boundary.

use super::object::{Handle, Object};
use crate::runtime::base::types::{Heap, ValKind, ValType};
use std::mem::MaybeUninit;
use std::ptr::NonNull;

/// A value: a kind, and the value of that kind in a union. An owned value owns its reference, which
/// may be null.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Val {
    /// A constant of `wasm_valkind_enum`.
    pub kind: u8,
    /// The value.
    pub of: ValUnion,
}

/// The value of a `wasm_val_t`.
#[derive(Clone, Copy)]
#[repr(C)]
pub union ValUnion {
    /// For the kind `WASM_I32`.
    pub i32: i32,
    /// For `WASM_I64`.
    pub i64: i64,
    /// For `WASM_F32`.
    pub f32: f32,
    /// For `WASM_F64`.
    pub f64: f64,
    /// For every kind of references; may be null.
    pub r#ref: *mut Object,
}

impl Val {
    pub fn null(kind: ValKind) -> Val {
        Val { kind: kind as u8, of: ValUnion { r#ref: std::ptr::null_mut() } }
    }

    pub fn i32(value: i32) -> Val {
        Val { kind: ValKind::I32 as u8, of: ValUnion { i32: value } }
    }

    pub fn i64(value: i64) -> Val {
        Val { kind: ValKind::I64 as u8, of: ValUnion { i64: value } }
    }

    /// Makes a value that takes ownership of `object`'s handle.
    pub fn owned(kind: ValKind, object: Option<Handle>) -> Val {
        Val { kind: kind as u8, of: ValUnion { r#ref: pointer(object) } }
    }

    /// Returns zero or null of a kind.
    pub fn zero(kind: ValKind) -> Val {
        Val { kind: kind as u8, of: ValUnion { i64: 0 } }
    }

    /// Returns the bits of a number, reading only the width that C wrote: a wider load would have to wait until the
    /// narrower store has left the store buffer. If the number is known to be `narrow`, that is 32 bits wide, its
    /// kind is not read.
    ///
    /// # Safety
    /// The kind is a number's, and the union's field for it is initialised.
    #[inline(always)]
    pub unsafe fn bits(&self, narrow: bool) -> u64 {
        // SAFETY: the contract says that the field of this kind is initialised; the other fields of the same width
        // share its bytes.
        unsafe {
            match narrow || self.kind == ValKind::I32 as u8 || self.kind == ValKind::F32 as u8 {
                true => self.of.i32 as u32 as u64,
                false => self.of.i64 as u64,
            }
        }
    }

    /// Writes a numeric value of `kind`, always in full width: a later narrower load need not wait for a wider store.
    /// The counterpart of [`Val::bits`].
    #[inline(always)]
    pub fn write_bits(slot: &mut MaybeUninit<Val>, kind: ValKind, bits: u64) {
        let slot = slot.as_mut_ptr();
        // SAFETY: `slot` is writable memory for a `Val`, and the fields are written without reading what was there.
        unsafe {
            (&raw mut (*slot).kind).write(kind as u8);
            (&raw mut (*slot).of.i64).write(bits as i64);
        }
    }

    /// Returns the object that a value of a reference kind refers to, if any.
    ///
    /// # Safety
    /// If the kind is a reference's, the pointer is null or a live handle.
    pub unsafe fn reference<'a>(&self) -> Option<&'a Object> {
        match ValKind::from_number(self.kind) {
            // SAFETY: the contract says that a reference is null or a live handle.
            Some(kind) if kind.is_reference() => unsafe { self.of.r#ref.as_ref() },
            _ => None,
        }
    }

    /// Returns a copy of this value that owns a reference of its own.
    ///
    /// # Safety
    /// As for [`Val::reference`].
    pub unsafe fn duplicate(&self) -> Val {
        // SAFETY: a reference is null or a live handle, as the contract says.
        match unsafe { self.reference() } {
            Some(object) => Val { of: ValUnion { r#ref: pointer(Handle::duplicate(object)) }, ..*self },
            None => *self,
        }
    }

    /// Releases the reference that this value owns, if any, and leaves null.
    ///
    /// # Safety
    /// As for [`Val::reference`], and the value owns its reference.
    pub unsafe fn release(&mut self) {
        // SAFETY: the contract is the same.
        if let Some(object) = unsafe { self.take_reference() } {
            // SAFETY: this value owned the handle, and no longer refers to it.
            unsafe { object.release_handle() };
        }
    }

    /// Takes the reference out of this value, and leaves null. The caller gets the handle that the value owned.
    ///
    /// # Safety
    /// As for [`Val::release`].
    pub unsafe fn take_reference<'a>(&mut self) -> Option<&'a Object> {
        // SAFETY: a reference is null or a live handle, as the contract says.
        let object = unsafe { self.reference() }?;
        self.of.r#ref = std::ptr::null_mut();
        Some(object)
    }

    /// Whether this value may be passed where `expected` is required, judged by its kind and its object. A reference
    /// may have either reference kind: C's macro for references makes values of kind externref, also where a function
    /// is meant.
    ///
    /// # Safety
    /// As for [`Val::reference`].
    pub unsafe fn fits(&self, expected: ValType) -> bool {
        if !expected.kind.is_reference() {
            return self.kind == expected.kind as u8;
        }
        // SAFETY: a reference is null or a live handle, as the contract says.
        match unsafe { self.reference() } {
            Some(object) => expected.kind.admits(object),
            None => expected.nullable && ValKind::from_number(self.kind).is_some_and(ValKind::is_reference),
        }
    }

    /// Returns the name of the kind or, for a number that is not a kind, a description with the number.
    pub fn kind_name(&self) -> String {
        match ValKind::from_number(self.kind) {
            Some(kind) => kind.name().to_string(),
            None => format!("a value of unknown kind {}", self.kind),
        }
    }
}

fn pointer(object: Option<Handle>) -> *mut Object {
    object.map_or(std::ptr::null_mut(), Handle::into_raw)
}

/// A value without its kind, in the layout of `wasmrt_raw_t`. A vector is in little-endian order, a narrower value at the
/// beginning.
#[derive(Clone, Copy)]
#[repr(C)]
pub union Raw {
    pub u32: u32,
    pub u64: u64,
    pub v128: [u8; 16],
}

impl Raw {
    #[inline(always)]
    pub fn of_bits(kind: ValKind, bits: u64) -> Raw {
        if kind.is_narrow() && cfg!(target_endian = "big") { Raw { u32: bits as u32 } } else { Raw { u64: bits } }
    }

    /// # Safety
    /// The value is of this kind. Of a vector, the answer has the kind only.
    pub unsafe fn to_val(self, kind: ValKind) -> Val {
        // SAFETY: the contract is the same.
        let bits = if kind.is_number() { unsafe { self.bits(kind) } } else { 0 };
        Val { kind: kind as u8, ..Val::i64(bits as i64) }
    }

    /// # Safety
    /// The value is of this kind, which is a number's.
    #[inline(always)]
    pub unsafe fn bits(&self, kind: ValKind) -> u64 {
        // SAFETY: the contract says which field was written.
        unsafe { if kind.is_narrow() { self.u32.into() } else { self.u64 } }
    }
}

/// A `wasm_val_vec_t`: the arguments and results of callbacks.
#[repr(C)]
pub struct ValVec {
    pub size: usize,
    pub data: *mut Val,
}

impl ValVec {
    pub fn of(values: &[Val]) -> ValVec {
        ValVec { size: values.len(), data: values.as_ptr().cast_mut() }
    }

    /// Returns the values, or none if there is no array.
    ///
    /// # Safety
    /// The vector is valid by the rules of `wasm.h`: if `data` is not null, it points to `size` initialised values.
    #[inline(always)]
    pub unsafe fn values(&self) -> &[Val] {
        // Where no values are, C may have any address.
        if self.size == 0 || self.data.is_null() {
            return &[];
        }
        // SAFETY: `data` points to `size` initialised values, as the contract says.
        unsafe { std::slice::from_raw_parts(self.data, self.size) }
    }

    /// Returns the vector if it has exactly COUNT values. A vector without an array has none.
    ///
    /// # Safety
    /// The pointer is null or points to a valid vector.
    #[inline(always)]
    pub unsafe fn exactly<'a, const COUNT: usize>(this: *const ValVec) -> Option<ExactValues<'a, COUNT>> {
        const EMPTY: ValVec = ValVec { size: 0, data: std::ptr::null_mut() };
        // SAFETY: the contract says that the pointer is null or valid.
        match unsafe { this.as_ref() } {
            // SAFETY: an array of no values may be at any aligned address.
            None => (COUNT == 0).then(|| (&EMPTY, unsafe { NonNull::dangling().as_ref() })),
            Some(vector) if vector.size != COUNT => None,
            // SAFETY: an array of no values may be at any aligned address.
            Some(vector) if COUNT == 0 => Some((vector, unsafe { NonNull::dangling().as_ref() })),
            // SAFETY: the vector is valid and its size is COUNT, so `data` is null or points to COUNT values.
            Some(vector) => unsafe { vector.data.cast::<[Val; COUNT]>().as_ref() }.map(|values| (vector, values)),
        }
    }

    /// Returns the first COUNT places of the vector, if it has that many.
    ///
    /// # Safety
    /// The pointer is null or points to a valid vector, and nothing else uses its values while the answer is used.
    #[inline(always)]
    pub unsafe fn room<'a, const COUNT: usize>(this: *mut ValVec) -> Option<&'a mut [MaybeUninit<Val>]> {
        // SAFETY: the contract says that the pointer is null or valid.
        match unsafe { this.as_ref() } {
            _ if COUNT == 0 => Some(&mut []),
            // SAFETY: the vector is valid and has at least COUNT places, and nothing else uses them.
            Some(vector) if vector.size >= COUNT && !vector.data.is_null() => {
                Some(unsafe { std::slice::from_raw_parts_mut(vector.data.cast(), COUNT) })
            }
            _ => None,
        }
    }
}

/// The alignment of what `malloc` returns.
pub const MALLOC_ALIGNMENT: usize = 2 * size_of::<usize>();

/// Frees the data of a vector of C. Data that cannot have come from `malloc`, judged by its alignment, is left alone:
/// a [`LentRoom`], and names that some clients pass from inside a larger allocation of their own.
///
/// # Safety
/// The data is null, allocated by `malloc` and given up by its owner, or not aligned as `malloc` aligns.
pub unsafe fn free_data<T>(data: *mut T) {
    if data.addr().is_multiple_of(MALLOC_ALIGNMENT) {
        // SAFETY: it is aligned as `malloc` aligns, so it is null or was allocated by `malloc` and given up.
        unsafe { libc::free(data.cast()) };
    }
}

/// A vector of exactly COUNT values, and these values.
pub type ExactValues<'a, const COUNT: usize> = (&'a ValVec, &'a [Val; COUNT]);

impl ValKind {
    /// Whether a number of this kind has 32 bits rather than 64.
    #[inline(always)]
    pub fn is_narrow(self) -> bool {
        matches!(self, ValKind::I32 | ValKind::F32)
    }

    /// Whether a non-null reference to `object` is a value of this kind.
    #[inline(always)]
    pub fn admits(self, object: &Object) -> bool {
        match self {
            // Whatever the host has is of the kind anyref, too, after a conversion.
            ValKind::ExternRef | ValKind::AnyRef => !object.is_deleted(),
            ValKind::FuncRef => object.as_func().is_some(),
            ValKind::ExnRef => object.as_gc().is_some_and(|gc| gc.heap == Heap::Exn),
            _ => false,
        }
    }
}

/// The largest number of values for which a call uses room on the stack; longer lists go to the heap.
const INLINE_VALUES: usize = 16;

/// Uninitialised room on the stack for the values of a call. The values are not dropped.
pub struct Room<T>([MaybeUninit<T>; INLINE_VALUES]);

impl<T> Room<T> {
    #[inline(always)]
    pub fn uninitialised() -> Room<T> {
        const { assert!(!std::mem::needs_drop::<T>()) };
        Room([const { MaybeUninit::uninit() }; INLINE_VALUES])
    }

    /// Returns room for exactly `count` elements: in `self` if it is large enough, else on the heap, owned by `many`.
    #[inline(always)]
    pub fn get<'a>(
        &'a mut self,
        many: &'a mut Option<Box<[MaybeUninit<T>]>>,
        count: usize,
    ) -> &'a mut [MaybeUninit<T>] {
        match self.0.get_mut(..count) {
            Some(room) => room,
            None => many.insert(heap_room(count)),
        }
    }
}

/// Allocates room for `count` elements on the heap, for calls that need more than a [`Room`] has.
#[cold]
pub fn heap_room<T>(count: usize) -> Box<[MaybeUninit<T>]> {
    Box::new_uninit_slice(count)
}

/// Uninitialised room for the results of a callback, which gets it as a vector. It is at an address that `malloc`
/// never returns, so that a callback which deletes the vector frees nothing. (On 32-bit machines `malloc` may return
/// such addresses.)
#[repr(C, align(16))]
pub struct LentRoom<const COUNT: usize> {
    apart: MaybeUninit<u64>,
    values: [MaybeUninit<Val>; COUNT],
}

impl<const COUNT: usize> LentRoom<COUNT> {
    pub const UNINIT: LentRoom<COUNT> =
        LentRoom { apart: MaybeUninit::uninit(), values: [const { MaybeUninit::uninit() }; COUNT] };
}

impl<const COUNT: usize> AsMut<[MaybeUninit<Val>]> for LentRoom<COUNT> {
    #[inline(always)]
    fn as_mut(&mut self) -> &mut [MaybeUninit<Val>] {
        &mut self.values
    }
}

/// Runs `body` with room for the `count` results of a callback. The room has the property of [`LentRoom`].
#[inline(always)]
pub fn with_lent_room<R>(count: usize, body: impl FnOnce(&mut [MaybeUninit<Val>]) -> R) -> R {
    const { assert!(size_of::<Val>() == 2 * size_of::<u64>() && align_of::<Val>() <= align_of::<u64>()) };
    let mut few = LentRoom::<INLINE_VALUES>::UNINIT;
    if let Some(room) = few.values.get_mut(..count) {
        return body(room);
    }
    let mut many = heap_room::<u64>(2 * count + 1);
    let apart = usize::from(many.as_ptr().addr().is_multiple_of(MALLOC_ALIGNMENT));
    // SAFETY: a value is as large as two of these `u64` and needs no greater alignment, as asserted above. After
    // skipping at most one there are still two for each value.
    body(unsafe { std::slice::from_raw_parts_mut(many.as_mut_ptr().add(apart).cast(), count) })
}

/// Runs `body` with uninitialised room for `count` elements, on the stack if it is large enough.
#[inline(always)]
pub fn with_room<T, R>(count: usize, body: impl FnOnce(&mut [MaybeUninit<T>]) -> R) -> R {
    let (mut few, mut many) = (Room::uninitialised(), None);
    body(few.get(&mut many, count))
}
