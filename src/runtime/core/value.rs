//! Values as they cross the C boundary.

use super::object::{Handle, Object};
use crate::runtime::base::types::{ValKind, ValType};
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
    pub i32: i32,
    pub i64: i64,
    pub f32: f32,
    pub f64: f64,
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

    /// A value that takes ownership of `object`'s handle.
    pub fn owned(kind: ValKind, object: Option<Handle>) -> Val {
        Val { kind: kind as u8, of: ValUnion { r#ref: pointer(object) } }
    }

    /// Zero or null of a kind.
    pub fn zero(kind: ValKind) -> Val {
        Val { kind: kind as u8, of: ValUnion { i64: 0 } }
    }

    /// The bits of a number, read with the width that C wrote it with (a wider load would wait for the narrower store to
    /// leave the store buffer). If it is known to be `narrow`, of 32 bits, its kind is not looked at.
    ///
    /// # Safety
    /// The kind is a number's, and the union's field for it is initialised.
    #[inline(always)]
    pub unsafe fn bits(&self, narrow: bool) -> u64 {
        // SAFETY: the caller vouches for the field; the other fields of the same width share its bytes.
        unsafe {
            match narrow || self.kind == ValKind::I32 as u8 || self.kind == ValKind::F32 as u8 {
                true => self.of.i32 as u32 as u64,
                false => self.of.i64 as u64,
            }
        }
    }

    /// Writes a numeric value of `kind`, whatever its width (a narrower load does not wait for the wider store); the
    /// counterpart of [`Val::bits`].
    #[inline(always)]
    pub fn write_bits(slot: &mut MaybeUninit<Val>, kind: ValKind, bits: u64) {
        let slot = slot.as_mut_ptr();
        // SAFETY: `slot` is writable memory for a Val; fields are written without reading what was there.
        unsafe {
            (&raw mut (*slot).kind).write(kind as u8);
            (&raw mut (*slot).of.i64).write(bits as i64);
        }
    }

    /// The object that a value of reference kind refers to, if any.
    ///
    /// # Safety
    /// If the kind is a reference's, the pointer is null or a live handle.
    pub unsafe fn reference<'a>(&self) -> Option<&'a Object> {
        match ValKind::from_number(self.kind) {
            // SAFETY: the caller vouches for the pointer.
            Some(kind) if kind.is_reference() => unsafe { self.of.r#ref.as_ref() },
            _ => None,
        }
    }

    /// Another value like this one, owning its own reference.
    ///
    /// # Safety
    /// As for [`Val::reference`].
    pub unsafe fn duplicate(&self) -> Val {
        // SAFETY: as promised by the caller.
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
        // SAFETY: as promised by the caller.
        if let Some(object) = unsafe { self.reference() } {
            self.of.r#ref = std::ptr::null_mut();
            // SAFETY: the value owned the handle, and has just forgotten it.
            unsafe { object.release_handle() };
        }
    }

    /// Whether this value may stand where `expected` is asked for, as far as its kind and its object tell. Any reference
    /// kind will do for a reference: C has a macro only for values of kind externref, also where a function is meant.
    ///
    /// # Safety
    /// As for [`Val::reference`].
    pub unsafe fn fits(&self, expected: ValType) -> bool {
        if !expected.kind.is_reference() {
            return self.kind == expected.kind as u8;
        }
        // SAFETY: as promised by the caller.
        match unsafe { self.reference() } {
            Some(object) => expected.kind.admits(object),
            None => expected.nullable && ValKind::from_number(self.kind).is_some_and(ValKind::is_reference),
        }
    }

    /// The name of the kind, or the number if it is none.
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

/// A `wasm_val_vec_t`: what callbacks get and give.
#[repr(C)]
pub struct ValVec {
    pub size: usize,
    pub data: *mut Val,
}

impl ValVec {
    pub fn of(values: &[Val]) -> ValVec {
        ValVec { size: values.len(), data: values.as_ptr().cast_mut() }
    }

    /// The values; none if there is no array for them.
    ///
    /// # Safety
    /// The vector is valid, as C understands it.
    #[inline(always)]
    pub unsafe fn values(&self) -> &[Val] {
        // SAFETY: as promised by the caller.
        if self.data.is_null() { &[] } else { unsafe { std::slice::from_raw_parts(self.data, self.size) } }
    }

    /// The vector, if it has exactly so many values. One that has them in no array has none.
    ///
    /// # Safety
    /// The pointer is null or valid.
    #[inline(always)]
    pub unsafe fn exactly<'a, const COUNT: usize>(this: *const ValVec) -> Option<ExactValues<'a, COUNT>> {
        const EMPTY: ValVec = ValVec { size: 0, data: std::ptr::null_mut() };
        // SAFETY: as promised by the caller.
        match unsafe { this.as_ref() } {
            // SAFETY: an array of none is anywhere.
            None => (COUNT == 0).then(|| (&EMPTY, unsafe { NonNull::dangling().as_ref() })),
            Some(vector) if vector.size != COUNT => None,
            // SAFETY: as above.
            Some(vector) if COUNT == 0 => Some((vector, unsafe { NonNull::dangling().as_ref() })),
            // SAFETY: the array is that long.
            Some(vector) => unsafe { vector.data.cast::<[Val; COUNT]>().as_ref() }.map(|values| (vector, values)),
        }
    }

    /// The first so many places of the vector, if it has them.
    ///
    /// # Safety
    /// The pointer is null or valid, and nobody else uses the values.
    #[inline(always)]
    pub unsafe fn room<'a, const COUNT: usize>(this: *mut ValVec) -> Option<&'a mut [MaybeUninit<Val>]> {
        // SAFETY: as promised by the caller.
        match unsafe { this.as_ref() } {
            _ if COUNT == 0 => Some(&mut []),
            // SAFETY: the vector is valid, and at least as long.
            Some(vector) if vector.size >= COUNT && !vector.data.is_null() => {
                Some(unsafe { std::slice::from_raw_parts_mut(vector.data.cast(), COUNT) })
            }
            _ => None,
        }
    }
}

/// What `malloc` aligns to.
pub const MALLOC_ALIGNMENT: usize = 2 * size_of::<usize>();

/// Frees the data of a vector of C. What `malloc` cannot have given is left alone: a [`LentRoom`], and names that some clients
/// give up inside of something of their own.
///
/// # Safety
/// The data is null, given up, or not aligned as `malloc` aligns.
pub unsafe fn free_data<T>(data: *mut T) {
    if data.addr().is_multiple_of(MALLOC_ALIGNMENT) {
        // SAFETY: as promised by the caller.
        unsafe { libc::free(data.cast()) };
    }
}

/// A vector of so many values, and these.
pub type ExactValues<'a, const COUNT: usize> = (&'a ValVec, &'a [Val; COUNT]);

impl ValKind {
    /// Whether a number of this kind has 32 bits, and not 64.
    #[inline(always)]
    pub fn is_narrow(self) -> bool {
        matches!(self, ValKind::I32 | ValKind::F32)
    }

    /// Whether a non-null reference to `object` is a value of this kind.
    #[inline(always)]
    pub fn admits(self, object: &Object) -> bool {
        match self {
            ValKind::ExternRef => !object.is_deleted(),
            ValKind::FuncRef => object.as_func().is_some(),
            _ => false,
        }
    }
}

/// Room for so many values is on the stack of a call; a longer list goes to the heap.
const INLINE_VALUES: usize = 16;

/// Uninitialised room on the stack for the values of a call, which nobody drops.
pub struct Room<T>([MaybeUninit<T>; INLINE_VALUES]);

impl<T> Room<T> {
    #[inline(always)]
    pub fn uninitialised() -> Room<T> {
        const { assert!(!std::mem::needs_drop::<T>()) };
        Room([const { MaybeUninit::uninit() }; INLINE_VALUES])
    }

    /// Room for exactly `count` elements: here if there is so much, else on the heap, owned by `many`.
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

/// Room for `count` elements on the heap, where [`Room`] has too little.
#[cold]
pub fn heap_room<T>(count: usize) -> Box<[MaybeUninit<T>]> {
    Box::new_uninit_slice(count)
}

/// Uninitialised room for the results of a callback, which gets it as a vector: where `malloc` gives nothing, so that a callback
/// which deletes the vector frees nothing. (On machines of 32 bits `malloc` may give such places.)
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

/// Runs `body` with room for the `count` results of a callback, as a [`LentRoom`] is.
#[inline(always)]
pub fn with_lent_room<R>(count: usize, body: impl FnOnce(&mut [MaybeUninit<Val>]) -> R) -> R {
    const { assert!(size_of::<Val>() == 2 * size_of::<u64>() && align_of::<Val>() <= align_of::<u64>()) };
    let mut few = LentRoom::<INLINE_VALUES>::UNINIT;
    if let Some(room) = few.values.get_mut(..count) {
        return body(room);
    }
    let mut many = heap_room::<u64>(2 * count + 1);
    let apart = usize::from(many.as_ptr().addr().is_multiple_of(MALLOC_ALIGNMENT));
    // SAFETY: values are as large as two of these, and no more aligned; with one left over there is room for all.
    body(unsafe { std::slice::from_raw_parts_mut(many.as_mut_ptr().add(apart).cast(), count) })
}

/// Runs `body` with uninitialised room for `count` elements, on the stack if there is enough.
#[inline(always)]
pub fn with_room<T, R>(count: usize, body: impl FnOnce(&mut [MaybeUninit<T>]) -> R) -> R {
    let (mut few, mut many) = (Room::uninitialised(), None);
    body(few.get(&mut many, count))
}
