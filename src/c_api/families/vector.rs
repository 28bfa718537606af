//! Vectors: `{ size, data }` structs that own their elements.
//!
//! Their memory comes from `malloc`, so that data a C program allocated itself can be taken over and released here.

use crate::c_api::ffi::{Boxed, CType, Counted, Ownership, give, give_handle};
use crate::runtime::base::error::{self, Error, ErrorKind};
use crate::runtime::core::instance::Instance;
use crate::runtime::core::object::{Object, Typed};
use crate::runtime::core::value::{MALLOC_ALIGNMENT, Val, free_data};
use std::mem::MaybeUninit;
use std::ptr::NonNull;

/// What a vector holds: how to copy and release one element.
///
/// # Safety
/// Any element with all bytes zero is valid and owns nothing; elements are plain data.
pub unsafe trait Element: Copy {
    /// Zero bytes kept after the end, for readers that expect strings to end.
    const EXTRA: usize = 0;

    /// # Safety
    /// The element is valid.
    unsafe fn duplicate(&self) -> Self;

    /// Releases what the element owns. A value is null afterwards: the results of a callback are looked at again.
    ///
    /// # Safety
    /// The element is valid and owned; it is given up.
    unsafe fn release(&mut self);

    /// Releases `count` elements.
    ///
    /// # Safety
    /// They are at `elements`, valid and owned, and given up.
    unsafe fn release_all(elements: *mut Self, count: usize) {
        // SAFETY: the contract is the same.
        (0..count).for_each(|position| unsafe { (*elements.add(position)).release() });
    }
}

// SAFETY: bytes own nothing.
unsafe impl Element for std::ffi::c_char {
    const EXTRA: usize = 1;
    unsafe fn duplicate(&self) -> Self {
        *self
    }
    unsafe fn release(&mut self) {}
}

// SAFETY: a zeroed value is an i32.
unsafe impl Element for Val {
    unsafe fn duplicate(&self) -> Self {
        // SAFETY: a reference in a valid value is NULL or a handle.
        unsafe { Val::duplicate(self) }
    }
    unsafe fn release(&mut self) {
        // SAFETY: a reference in a valid value is NULL or a handle; the value owns it.
        unsafe { Val::release(self) }
    }
}

// SAFETY: a zeroed pointer is NULL and owns nothing.
unsafe impl<T: CType<Ownership: Ownership<T>>> Element for *mut T {
    unsafe fn duplicate(&self) -> Self {
        // SAFETY: a valid element is NULL or a pointer that C owns.
        unsafe { self.as_ref() }.map_or(std::ptr::null_mut(), T::Ownership::copy)
    }
    unsafe fn release(&mut self) {
        if let Some(this) = NonNull::new(*self) {
            // SAFETY: C owned the pointer and gives it up.
            unsafe { T::Ownership::release(this) }
        }
    }
    unsafe fn release_all(elements: *mut Self, count: usize) {
        // SAFETY: the contract says that there are so many, and each is NULL or a pointer that C owned and gives up.
        unsafe { T::Ownership::release_all((0..count).filter_map(|position| NonNull::new(*elements.add(position)))) };
    }
}

/// The two fields of every vector type.
pub struct Parts<T> {
    pub size: usize,
    pub data: *mut T,
}

impl<T: Element> Parts<T> {
    pub const EMPTY: Parts<T> = Parts { size: 0, data: std::ptr::null_mut() };

    /// `size` zeroed elements; none if there is too little memory.
    pub fn zeroed(size: usize) -> Parts<T> {
        // SAFETY: calloc demands nothing.
        Parts::allocated(size, |bytes| unsafe { libc::calloc(bytes, 1) })
    }

    /// `size` elements for the caller to write at once; none if there is too little memory.
    pub fn unwritten(size: usize) -> Parts<T> {
        // SAFETY: malloc demands nothing.
        let parts = Parts::<T>::allocated(size, |bytes| unsafe { libc::malloc(bytes) });
        if !parts.data.is_null() {
            // SAFETY: there is room for this after the elements.
            unsafe { parts.data.add(parts.size).cast::<u8>().write_bytes(0, T::EXTRA) };
        }
        parts
    }

    fn allocated(size: usize, allocate: impl FnOnce(usize) -> *mut libc::c_void) -> Parts<T> {
        if size == 0 && T::EXTRA == 0 {
            return Parts::EMPTY;
        }
        let bytes = size.checked_mul(size_of::<T>()).and_then(|bytes| bytes.checked_add(T::EXTRA));
        // Some allocators align less where less is asked for, see `free_data`.
        let data = bytes.map_or(std::ptr::null_mut(), |bytes| allocate(bytes.max(MALLOC_ALIGNMENT)));
        if data.is_null() {
            let message = format!("no memory for a vector of {size} elements");
            error::record(&Error::new(ErrorKind::Limit, message));
            return Parts::EMPTY;
        }
        Parts { size, data: data.cast() }
    }

    /// Takes the elements over, as they are.
    ///
    /// # Safety
    /// They are valid and owned, and given up.
    pub unsafe fn from_slice(elements: &[T]) -> Parts<T> {
        let parts = Parts::unwritten(elements.len());
        if parts.size == elements.len() {
            // SAFETY: there is room for all elements, and the memory is new.
            unsafe { std::ptr::copy_nonoverlapping(elements.as_ptr(), parts.data, parts.size) };
        } else {
            // SAFETY: the elements are given up, and there is no memory to keep them.
            elements.iter().for_each(|element| unsafe { { *element }.release() });
        }
        parts
    }

    /// # Safety
    /// The vector is valid, or has no data.
    pub unsafe fn elements<'a>(&self) -> &'a [T] {
        if self.data.is_null() || self.size == 0 {
            return &[];
        }
        // SAFETY: a valid vector has `size` elements at `data`.
        unsafe { std::slice::from_raw_parts(self.data, self.size) }
    }

    /// # Safety
    /// As for [`Parts::elements`].
    pub unsafe fn duplicate(&self) -> Parts<T> {
        // SAFETY: this is a valid vector.
        let elements = unsafe { self.elements() };
        let copy = Parts::<T>::unwritten(elements.len());
        for (position, element) in elements.iter().enumerate().take(copy.size) {
            // SAFETY: within the copy; the element is valid.
            unsafe { copy.data.add(position).write(element.duplicate()) };
        }
        copy
    }

    /// # Safety
    /// The vector is valid and owned, and given up; its data came from `malloc`.
    pub unsafe fn release(self) {
        // SAFETY: a valid vector has `size` elements at `data`. They are its own, as is the memory.
        unsafe {
            if !self.data.is_null() {
                T::release_all(self.data, self.size);
            }
            free_data(self.data);
        }
    }
}

/// A vector struct of C.
///
/// C may pass one vector for several parameters, and change or free it in a callback: exported functions that take
/// vectors, or that call C back, have raw pointers to them.
///
/// # Safety
/// `parts` and `from_parts` are each other's inverse. Every vector is valid: there are `size` elements at `data`, unless
/// `data` is NULL. (The library makes vectors of valid [`Parts`] only, and C promises that its vectors are valid.)
pub unsafe trait Vector: Copy {
    type Element: Element;
    fn parts(&self) -> Parts<Self::Element>;
    fn from_parts(parts: Parts<Self::Element>) -> Self;

    fn empty() -> Self {
        Self::from_parts(Parts::EMPTY)
    }

    /// A vector of new boxes.
    fn given<T>(values: impl Iterator<Item = T::Rust>) -> Self
    where
        T: CType<Ownership = Boxed, Rust: Clone>,
        Self: Vector<Element = *mut T>,
    {
        let elements: Vec<_> = values.map(|value| give(value).map_or(std::ptr::null_mut(), Box::into_raw)).collect();
        // SAFETY: the boxes are new.
        Self::from_parts(unsafe { Parts::from_slice(&elements) })
    }

    /// A vector of handles to all exports of an instance.
    fn of_exports<T>(instance: Typed<&Instance>) -> Self
    where
        T: CType<Ownership = Counted, Rust = Object>,
        Self: Vector<Element = *mut T>,
    {
        let parts = Parts::<*mut T>::zeroed(instance.export_count());
        if parts.size > 0 {
            // SAFETY: there is an element for each export.
            instance.exports(|position, export| unsafe { parts.data.add(position).write(give_handle(export)) });
        }
        Self::from_parts(parts)
    }

    /// The elements, as long as C leaves the vector as it is: for the time of a call that calls nothing back.
    fn elements(&self) -> &[Self::Element] {
        // SAFETY: every vector is valid.
        unsafe { self.parts().elements() }
    }

    /// Writes the vector to an out-parameter; for NULL it is released.
    fn write(self, out: Option<&mut MaybeUninit<Self>>) {
        match out {
            Some(out) => drop(out.write(self)),
            // SAFETY: the vector is the library's own.
            None => unsafe { self.parts().release() },
        }
    }

    /// Takes the vector out of an `own` parameter and leaves an empty one. NULL is an empty vector.
    ///
    /// # Safety
    /// `vector` is NULL or what C says is a vector.
    unsafe fn take(vector: *mut Self) -> Taken<Self> {
        // SAFETY: not NULL, so C's vector. It may be that of another parameter, and is then empty already.
        Taken(if vector.is_null() { Self::empty() } else { unsafe { vector.replace(Self::empty()) } })
    }
}

/// A vector that C gave up, released when it goes out of scope.
pub struct Taken<V: Vector>(V);

impl<V: Vector> std::ops::Deref for Taken<V> {
    type Target = V;
    fn deref(&self) -> &V {
        &self.0
    }
}

impl<V: Vector> Drop for Taken<V> {
    fn drop(&mut self) {
        // SAFETY: C gave the vector up, and nobody else has it.
        unsafe { self.0.parts().release() }
    }
}

/// Declares the vector of an element type, and its five functions.
macro_rules! vector {
    ($name:ident, $element:ty, $noun:literal) => {
        pastey::paste! {
            #[doc = " A vector of " $noun ". A vector that is owned owns its elements too."]
            #[doc = ""]
            #[doc = " Functions: `" [<wasm_ $name _vec_new>] "`, `_new_empty`, `_new_uninitialized`, `_copy`, `_delete`."]
            #[repr(C)]
            #[derive(Clone, Copy)]
            pub struct [<wasm_ $name _vec_t>] {
                /// The number of elements.
                pub size: usize,
                /// The elements; not read if `size` is 0.
                pub data: *mut $element,
            }

            // SAFETY: the fields are just passed on.
            unsafe impl $crate::c_api::families::vector::Vector for [<wasm_ $name _vec_t>] {
                type Element = $element;
                #[inline(always)]
                fn parts(&self) -> $crate::c_api::families::vector::Parts<$element> {
                    $crate::c_api::families::vector::Parts { size: self.size, data: self.data }
                }
                #[inline(always)]
                fn from_parts(parts: $crate::c_api::families::vector::Parts<$element>) -> Self {
                    [<wasm_ $name _vec_t>] { size: parts.size, data: parts.data }
                }
            }

            #[doc = " Sets `*out` to an empty vector of " $noun ". [Vectors]"]
            #[doc = ""]
            #[doc = " An empty vector need not be deleted, but may be. Does nothing if `out` is NULL."]
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn [<wasm_ $name _vec_new_empty>](
                out: Option<&mut std::mem::MaybeUninit<[<wasm_ $name _vec_t>]>>,
            ) {
                use $crate::c_api::families::vector::Vector;
                $crate::c_api::guard((), || [<wasm_ $name _vec_t>]::empty().write(out))
            }

            #[doc = " Sets `*out` to a new vector of `size` zeroed " $noun ", for the caller to fill in. Own."]
            #[doc = " [Vectors]"]
            #[doc = ""]
            #[doc = " The vector may be deleted at any time, and must eventually be passed to"]
            #[doc = " `" [<wasm_ $name _vec_delete>] "`. If there is too little memory, it is empty and the"]
            #[doc = " last error is set. Does nothing if `out` is NULL."]
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn [<wasm_ $name _vec_new_uninitialized>](
                out: Option<&mut std::mem::MaybeUninit<[<wasm_ $name _vec_t>]>>,
                size: usize,
            ) {
                use $crate::c_api::families::vector::{Parts, Vector};
                $crate::c_api::guard((), || [<wasm_ $name _vec_t>]::from_parts(Parts::zeroed(size)).write(out))
            }

            #[doc = " Sets `*out` to a new vector of the `size` " $noun " at `data`, own. [Vectors]"]
            #[doc = ""]
            #[doc = " Takes the elements, but not the array, which is copied. NULL for `data` means zeroed"]
            #[doc = " elements. The vector must eventually be passed to `" [<wasm_ $name _vec_delete>] "`."]
            #[doc = ""]
            #[doc = " If there is too little memory, the vector is empty and the last error is set. In that case,"]
            #[doc = " and if `out` is NULL, the elements are released."]
            #[unsafe(no_mangle)]
            #[doc = "cbindgen:ptrs-as-arrays=[[data;]]"]
            pub unsafe extern "C" fn [<wasm_ $name _vec_new>](
                out: *mut [<wasm_ $name _vec_t>],
                size: usize,
                data: *const $element,
            ) {
                use $crate::c_api::families::vector::{Parts, Vector};
                // SAFETY: `data` is NULL or C's array of `size` elements, and `out` NULL or writable.
                $crate::c_api::guard((), || unsafe {
                    let elements = Parts { size, data: data.cast_mut() };
                    let parts = if data.is_null() { Parts::zeroed(size) } else { Parts::from_slice(elements.elements()) };
                    [<wasm_ $name _vec_t>]::from_parts(parts).write(out.cast::<std::mem::MaybeUninit<_>>().as_mut())
                })
            }

            #[doc = " Sets `*out` to a copy of a vector of " $noun ", own. The elements are copied too. [Vectors]"]
            #[doc = ""]
            #[doc = " The copy must eventually be passed to `" [<wasm_ $name _vec_delete>] "`. It is empty if"]
            #[doc = " `source` is NULL. Does nothing if `out` is NULL."]
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn [<wasm_ $name _vec_copy>](
                out: *mut [<wasm_ $name _vec_t>],
                source: *const [<wasm_ $name _vec_t>],
            ) {
                use $crate::c_api::families::vector::Vector;
                // SAFETY: `source` is NULL or C's vector, and `out`, which may be the same, NULL or writable.
                $crate::c_api::guard((), || unsafe {
                    let copy = match source.as_ref() {
                        Some(source) => [<wasm_ $name _vec_t>]::from_parts(source.parts().duplicate()),
                        None => [<wasm_ $name _vec_t>]::empty(),
                    };
                    copy.write(out.cast::<std::mem::MaybeUninit<_>>().as_mut())
                })
            }

            #[doc = " Deletes a vector of " $noun ". [Vectors]"]
            #[doc = ""]
            #[doc = " Releases the elements and their storage, not the struct itself, which is left empty. NULL"]
            #[doc = " elements are skipped. Does nothing for NULL, or if the vector is empty."]
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn [<wasm_ $name _vec_delete>](vector: *mut [<wasm_ $name _vec_t>]) {
                use $crate::c_api::families::vector::Vector;
                // SAFETY: NULL or C's vector.
                $crate::c_api::guard((), || unsafe { drop([<wasm_ $name _vec_t>]::take(vector)) })
            }
        }
    };
}
pub(crate) use vector;
