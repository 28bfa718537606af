//! Vectors: `{ size, data }` structs that own their elements.
//!
//! Their memory comes from `malloc`, so that data a C program allocated itself can be taken over and released here.

use crate::runtime::core::object::{Handle, Object};
use crate::runtime::core::value::{MALLOC_ALIGNMENT, Val, free_data};

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
        // SAFETY: as promised by the caller.
        unsafe { Val::duplicate(self) }
    }
    unsafe fn release(&mut self) {
        // SAFETY: as promised by the caller.
        unsafe { Val::release(self) }
    }
}

/// A C type that is reached by pointer, and what its `_copy` and `_delete` do.
///
/// # Safety
/// `duplicate` makes what `release` releases.
pub unsafe trait Owned {
    /// # Safety
    /// `this` is a live pointer of this type.
    unsafe fn duplicate(this: *const Self) -> *mut Self;

    /// # Safety
    /// `this` is a live pointer of this type, owned, and given up.
    unsafe fn release(this: *mut Self);
}

// SAFETY: a zeroed pointer is NULL and owns nothing.
unsafe impl<T: Owned> Element for *mut T {
    unsafe fn duplicate(&self) -> Self {
        // SAFETY: as promised by the caller.
        if self.is_null() { *self } else { unsafe { T::duplicate(*self) } }
    }
    unsafe fn release(&mut self) {
        if !self.is_null() {
            // SAFETY: as promised by the caller.
            unsafe { T::release(*self) }
        }
    }
}

/// Copies a handle to any kind of object.
///
/// # Safety
/// `pointer` is a live handle.
pub unsafe fn duplicate_object<T>(pointer: *const T) -> *mut T {
    // SAFETY: as promised by the caller.
    let object = unsafe { &*pointer.cast::<Object>() };
    Handle::duplicate(object).map_or(std::ptr::null_mut(), Handle::into_raw).cast()
}

/// Releases a handle to any kind of object; a second time, nothing happens.
///
/// # Safety
/// `pointer` is a handle, given up; if it has been deleted already, then not long ago.
pub unsafe fn release_object<T>(pointer: *mut T) {
    // SAFETY: as promised by the caller.
    unsafe { (*pointer.cast::<Object>()).release_handle() }
}

/// The two fields of every vector type.
pub struct Parts<T> {
    pub size: usize,
    pub data: *mut T,
}

impl<T: Element> Parts<T> {
    pub const EMPTY: Parts<T> = Parts { size: 0, data: std::ptr::null_mut() };

    /// Zeroed elements; none at all if there is no memory for so many.
    pub fn zeroed(size: usize) -> Parts<T> {
        // SAFETY: calloc demands nothing.
        Parts::allocated(size, |bytes| unsafe { libc::calloc(bytes, 1) })
    }

    /// Elements that are to be written at once; none at all if there is no memory for so many.
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
            crate::runtime::base::error::record(&crate::runtime::base::error::Error::new(
                crate::runtime::base::error::ErrorKind::Limit,
                message,
            ));
            return Parts::EMPTY;
        }
        Parts { size, data: data.cast() }
    }

    /// Takes the elements over, as they are.
    pub fn from_slice(elements: &[T]) -> Parts<T> {
        let parts = Parts::unwritten(elements.len());
        if parts.size == elements.len() {
            // SAFETY: there is room for so many, and the memory is new.
            unsafe { std::ptr::copy_nonoverlapping(elements.as_ptr(), parts.data, parts.size) };
        } else {
            // SAFETY: the elements were taken, and there is no place for them.
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
        // SAFETY: as promised by the caller.
        unsafe { std::slice::from_raw_parts(self.data, self.size) }
    }

    /// # Safety
    /// As for [`Parts::elements`].
    pub unsafe fn duplicate(&self) -> Parts<T> {
        // SAFETY: as promised by the caller.
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
        // SAFETY: as promised by the caller.
        unsafe {
            if !self.data.is_null() {
                (0..self.size).for_each(|position| (*self.data.add(position)).release());
            }
            free_data(self.data);
        }
    }
}

/// A vector struct of C.
///
/// # Safety
/// `parts` and `from_parts` are each other's inverse.
pub unsafe trait Vector: Copy {
    type Element: Element;
    fn parts(&self) -> Parts<Self::Element>;
    fn from_parts(parts: Parts<Self::Element>) -> Self;

    fn empty() -> Self {
        Self::from_parts(Parts::EMPTY)
    }

    /// Writes to an out-parameter without looking at what it held.
    ///
    /// # Safety
    /// `out` is NULL or writable; if it is NULL the vector is released.
    unsafe fn write(self, out: *mut Self) {
        // SAFETY: as promised by the caller; the vector is our own.
        unsafe {
            match out.is_null() {
                true => self.parts().release(),
                false => out.write(self),
            }
        }
    }

    /// Takes the vector out of an `own` parameter and leaves an empty one. NULL is an empty vector.
    ///
    /// # Safety
    /// `vector` is NULL or valid.
    unsafe fn take(vector: *mut Self) -> Taken<Self> {
        // SAFETY: as promised by the caller.
        Taken(unsafe {
            match vector.is_null() {
                true => Self::empty(),
                false => vector.replace(Self::empty()),
            }
        })
    }
}

/// A vector that C gave up, released when it goes out of scope.
pub struct Taken<V: Vector>(V);

impl<V: Vector> Taken<V> {
    pub fn elements(&self) -> &[V::Element] {
        // SAFETY: the vector is valid, and lives as long as this.
        unsafe { self.0.parts().elements() }
    }

    /// The vector itself, still owned by this.
    pub fn vector(&self) -> V {
        self.0
    }
}

impl<V: Vector> Drop for Taken<V> {
    fn drop(&mut self) {
        // SAFETY: C gave the vector up.
        unsafe { self.0.parts().release() }
    }
}

/// The vector type of an element type, and its five functions.
macro_rules! vector {
    ($name:ident, $element:ty, $noun:literal) => {
        pastey::paste! {
            #[doc = " A vector of " $noun ". A vector that is owned owns its elements too."]
            #[doc = ""]
            #[doc = " Functions: `" [<wasm_ $name _vec_new>] "`, `_new_empty`, `_new_uninitialized`, `_copy`, `_delete`."]
            #[repr(C)]
            #[derive(Clone, Copy)]
            pub struct [<wasm_ $name _vec_t>] {
                /// Number of elements.
                pub size: usize,
                /// The elements; not looked at if there are none.
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

            #[doc = " Writes an empty vector of " $noun " to `out`, without looking at what was there. [Vectors]"]
            #[doc = ""]
            #[doc = " An empty vector need not be deleted, but may be. NULL for `out`: nothing happens."]
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn [<wasm_ $name _vec_new_empty>](out: *mut [<wasm_ $name _vec_t>]) {
                use $crate::c_api::families::vector::Vector;
                // SAFETY: `out` is the caller's, writable.
                $crate::c_api::guard((), || unsafe { [<wasm_ $name _vec_t>]::empty().write(out) })
            }

            #[doc = " Writes a vector of `size` elements (" $noun ") for the caller to fill to `out`, own. [Vectors]"]
            #[doc = ""]
            #[doc = " The elements are zeroed, so that the vector can be deleted at any time. If there is no memory for so"]
            #[doc = " many, the vector is empty and the last error says so. Must be passed to `" [<wasm_ $name _vec_delete>] "`"]
            #[doc = " eventually. NULL for `out`: nothing happens."]
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn [<wasm_ $name _vec_new_uninitialized>](
                out: *mut [<wasm_ $name _vec_t>],
                size: usize,
            ) {
                use $crate::c_api::families::vector::{Parts, Vector};
                // SAFETY: `out` is the caller's, writable.
                $crate::c_api::guard((), || unsafe {
                    [<wasm_ $name _vec_t>]::from_parts(Parts::zeroed(size)).write(out)
                })
            }

            #[doc = " Writes a vector with the `size` elements (" $noun ") at `data` to `out`, own. [Vectors]"]
            #[doc = ""]
            #[doc = " The array is copied; what its elements refer to belongs to the vector from now on. NULL for `data`: as"]
            #[doc = " `" [<wasm_ $name _vec_new_uninitialized>] "`. Must be passed to `" [<wasm_ $name _vec_delete>] "` eventually. NULL for"]
            #[doc = " `out`, or no memory for so many: what the elements refer to is released."]
            #[unsafe(no_mangle)]
            #[doc = "cbindgen:ptrs-as-arrays=[[data;]]"]
            pub unsafe extern "C" fn [<wasm_ $name _vec_new>](
                out: *mut [<wasm_ $name _vec_t>],
                size: usize,
                data: *const $element,
            ) {
                use $crate::c_api::families::vector::{Parts, Vector};
                // SAFETY: the caller's array has so many elements, and `out` is writable.
                $crate::c_api::guard((), || unsafe {
                    let parts = match data.is_null() {
                        true => Parts::zeroed(size),
                        false => Parts::from_slice(std::slice::from_raw_parts(data, size)),
                    };
                    [<wasm_ $name _vec_t>]::from_parts(parts).write(out)
                })
            }

            #[doc = " Writes a copy of the vector `source` (" $noun ") to `out`, own; its elements are copied too. [Vectors]"]
            #[doc = ""]
            #[doc = " NULL for `source`: the copy is empty. Must be passed to `" [<wasm_ $name _vec_delete>] "` eventually."]
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn [<wasm_ $name _vec_copy>](
                out: *mut [<wasm_ $name _vec_t>],
                source: *const [<wasm_ $name _vec_t>],
            ) {
                use $crate::c_api::families::vector::Vector;
                // SAFETY: the caller's vector is valid or NULL, and `out` is writable.
                $crate::c_api::guard((), || unsafe {
                    let copy = match source.as_ref() {
                        Some(source) => [<wasm_ $name _vec_t>]::from_parts(source.parts().duplicate()),
                        None => [<wasm_ $name _vec_t>]::empty(),
                    };
                    copy.write(out)
                })
            }

            #[doc = " Deletes a vector of " $noun " and its elements, and leaves it empty. [Vectors]"]
            #[doc = ""]
            #[doc = " Takes ownership of what is in the struct, not of the struct. NULL, an empty vector and one that was"]
            #[doc = " deleted before: nothing happens. Elements that are NULL are passed over."]
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn [<wasm_ $name _vec_delete>](vector: *mut [<wasm_ $name _vec_t>]) {
                use $crate::c_api::families::vector::Vector;
                // SAFETY: the caller's vector is valid or NULL.
                $crate::c_api::guard((), || unsafe { drop([<wasm_ $name _vec_t>]::take(vector)) })
            }
        }
    };
}
pub(crate) use vector;

/// A byte: `char`, as strings are.
pub type wasm_byte_t = std::ffi::c_char;

vector!(byte, wasm_byte_t, "bytes");

/// Names are vectors of bytes, in UTF-8, without a terminating zero in `size`. Every byte vector that the library
/// allocates has one more zero byte after its end, so that `data` can be read as a string.
pub type wasm_name_t = wasm_byte_vec_t;

impl wasm_byte_vec_t {
    pub fn from_bytes(bytes: &[u8]) -> wasm_byte_vec_t {
        // SAFETY: u8 and c_char have the same size and no invalid values.
        let bytes = unsafe { &*(std::ptr::from_ref(bytes) as *const [wasm_byte_t]) };
        wasm_byte_vec_t::from_parts(Parts::from_slice(bytes))
    }

    /// The bytes of a caller's vector; NULL is empty.
    ///
    /// # Safety
    /// `vector` is NULL or valid.
    pub unsafe fn bytes<'a>(vector: *const wasm_byte_vec_t) -> &'a [u8] {
        // SAFETY: as promised by the caller; c_char and u8 have the same size.
        unsafe { &*(vector.as_ref().map_or(&[][..], |vector| vector.parts().elements()) as *const [_] as *const [u8]) }
    }
}
