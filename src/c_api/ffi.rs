//! How C pointers become Rust, and back.
//!
//! Each type of C is a struct around its Rust type. [`c_type!`] declares it once, beside its functions: its name in
//! messages, who owns it, and what functions see of it. The rest follows from the signatures of the exported functions:
//! they carry the contract with C, and bodies are safe Rust.
//!
//! | parameter or result          | in the header | what C promises, or gets                                    |
//! |------------------------------|---------------|-------------------------------------------------------------|
//! | `Option<&T>`                 | `const T*`    | NULL, or a pointer from the library, valid for the call     |
//! | `Option<&mut T>`             | `T*`          | the same; it need not be the only pointer, see below        |
//! | `Option<Box<T>>`             | `T*`, own     | NULL, or a pointer that is given up (or given)              |
//! | `*mut T`, as a result        | `T*`, own     | NULL, or a handle to an object or store: [`give_handle`]    |
//! | `Option<&V>`                 | `const V*`    | NULL, or a value, or a vector of bytes, valid for the call  |
//! | `Option<&mut MaybeUninit<V>>` | `V*`         | NULL, or memory to write to, which is not read              |
//! | `*const V`, `*mut V`         | `V*`          | a vector that callbacks may change or two parameters share  |
//!
//! A `&mut` to a C type only says that C's pointer is not const. Several may exist at a time: two threads pass the same
//! engine, a callback passes the store that is calling it. C types are therefore not `Unpin`: of a `&mut` to such a type
//! the compiler assumes no more than of a raw pointer. Functions look through it by a shared reference only, and what
//! they change is in cells. (The exception is a configuration, see [`required_mut`].)
//!
//! A handle that was deleted remains valid in this sense for a while: its object or store is emptied, and the memory is
//! kept in a [quarantine](crate::runtime::base::quarantine).

use crate::runtime::base::error::{Error, Result};
use crate::runtime::core::object::{Handle, Object, OldHandles};
use std::ptr::NonNull;

/// A type of C, made by [`c_type!`].
pub trait CType: Sized {
    /// Its Rust type, at the same address.
    type Rust;

    /// Its name in messages, with its article.
    const NOUN: &'static str;

    /// Who owns it: [`Boxed`], [`Counted`] or [`Static`].
    type Ownership;

    /// What functions see of it.
    type Seen<'a>
    where
        Self: 'a;

    /// Fails if it is not what its C type says, or was deleted.
    fn see(&self) -> Result<Self::Seen<'_>>;

    fn rust(&self) -> &Self::Rust;

    fn rust_mut(&mut self) -> &mut Self::Rust;

    fn into_rust(self) -> Self::Rust;

    fn from_rust(rust: Self::Rust) -> Self;
}

/// The owner has the only pointer, which is that of a box.
pub struct Boxed;

/// Counted by what is behind it, so that C may delete one pointer as often as it was given: objects and stores.
pub struct Counted;

/// Never released.
pub struct Static;

/// Declares a type of C: `c_type!(name, "its noun", Ownership, RustType)` if functions see the Rust type; if they see a
/// part of it, or if it may have to be refused, `c_type!(name, "its noun", Ownership, RustType, &'a Part, |rust| ...)`.
macro_rules! c_type {
    ($(#[$attribute:meta])* $name:ident, $noun:literal, $ownership:ident, $rust:ty) => {
        $crate::c_api::ffi::c_type!($(#[$attribute])* $name, $noun, $ownership, $rust, &'a $rust, |rust| Ok(rust));
    };
    ($(#[$attribute:meta])* $name:ident, $noun:literal, $ownership:ident, $rust:ty, $seen:ty, $see:expr) => {
        $(#[$attribute])*
        pub struct $name {
            // In a cell: C may change or free what a function was given while that runs, by way of a callback.
            rust: std::cell::UnsafeCell<$rust>,
            _shared: std::marker::PhantomPinned,
        }

        // What `#[repr(transparent)]` would promise; the header would then show what is inside.
        const _: () = assert!(std::mem::offset_of!($name, rust) == 0 && size_of::<$name>() == size_of::<$rust>());

        impl $crate::c_api::ffi::CType for $name {
            type Rust = $rust;
            const NOUN: &'static str = $noun;
            type Ownership = $crate::c_api::ffi::$ownership;
            type Seen<'a> = $seen;
            #[inline(always)]
            fn see(&self) -> $crate::runtime::base::error::Result<Self::Seen<'_>> {
                let see: for<'a> fn(&'a $rust) -> $crate::runtime::base::error::Result<$seen> = $see;
                see(self.rust())
            }
            #[inline(always)]
            fn rust(&self) -> &$rust {
                // SAFETY: C promises that the pointer is valid for the call. What is behind a C type changes in cells of its own,
                // but for a configuration: C uses it from one thread, and no function has a reference to it while it calls C.
                unsafe { &*self.rust.get() }
            }
            fn rust_mut(&mut self) -> &mut $rust {
                self.rust.get_mut()
            }
            fn into_rust(self) -> $rust {
                self.rust.into_inner()
            }
            fn from_rust(rust: $rust) -> Self {
                Self { rust: std::cell::UnsafeCell::new(rust), _shared: std::marker::PhantomPinned }
            }
        }
    };
}
pub(crate) use c_type;

/// An argument of an exported function that is a pointer to a C type.
pub trait Argument {
    type Seen;

    /// What the function sees of it; NULL is a mistake.
    fn required(self) -> Result<Self::Seen>;
}

impl<'a, T: CType> Argument for Option<&'a T> {
    type Seen = T::Seen<'a>;
    #[inline(always)]
    fn required(self) -> Result<T::Seen<'a>> {
        match self {
            Some(this) => this.see(),
            None => Err(null(T::NOUN)),
        }
    }
}

impl<'a, T: CType> Argument for Option<&'a mut T> {
    type Seen = T::Seen<'a>;
    #[inline(always)]
    fn required(self) -> Result<T::Seen<'a>> {
        self.map(|this| &*this).required()
    }
}

/// Takes the Rust value out of the box that C gives up.
impl<T: CType<Ownership = Boxed>> Argument for Option<Box<T>> {
    type Seen = T::Rust;
    fn required(self) -> Result<T::Rust> {
        let this = self.ok_or_else(|| null(T::NOUN))?;
        this.see()?;
        Ok(this.into_rust())
    }
}

/// A thing that C uses from one thread at a time, to change it.
pub fn required_mut<T: CType<Ownership = Boxed>>(this: Option<&mut T>) -> Result<&mut T::Rust> {
    this.map(CType::rust_mut).ok_or_else(|| null(T::NOUN))
}

#[cold]
pub fn null(what: &str) -> Error {
    Error::misuse(format!("expected {what}, got NULL"))
}

/// Gives a value to C, in a box.
pub fn give<T: CType<Ownership = Boxed>>(rust: T::Rust) -> Option<Box<T>> {
    Some(Box::new(T::from_rust(rust)))
}

/// Gives a handle to C.
#[inline(always)]
pub fn give_handle<T: CType<Rust = Object>>(handle: Handle) -> *mut T {
    handle.into_raw().cast()
}

/// What copying and deleting mean for a C type, by its ownership.
///
/// # Safety
/// `copy` makes what `release` releases, or NULL.
pub unsafe trait Ownership<T> {
    /// Another pointer for C to own; NULL if there is nothing left to refer to.
    fn copy(this: &T) -> *mut T;

    /// # Safety
    /// C owns the pointer and gives it up. If it is [`Counted`], it may have done so before, not long ago.
    unsafe fn release(this: NonNull<T>);

    /// Releases many.
    ///
    /// # Safety
    /// As for [`Ownership::release`], for each.
    unsafe fn release_all(these: impl Iterator<Item = NonNull<T>>) {
        // SAFETY: the contract is the same.
        these.for_each(|this| unsafe { Self::release(this) });
    }
}

// SAFETY: what is cloned into a box is dropped from one.
unsafe impl<T: CType<Ownership = Boxed, Rust: Clone>> Ownership<T> for Boxed {
    fn copy(this: &T) -> *mut T {
        Box::into_raw(Box::new(T::from_rust(this.rust().clone())))
    }
    unsafe fn release(this: NonNull<T>) {
        // SAFETY: C owns what `give` or `copy` gave, each a box's pointer, and gives it up.
        drop(unsafe { Box::from_raw(this.as_ptr()) });
    }
}

// SAFETY: both work on the object's count of handles.
unsafe impl<T: CType<Ownership = Counted, Rust = Object>> Ownership<T> for Counted {
    fn copy(this: &T) -> *mut T {
        Handle::duplicate(this.rust()).map_or(std::ptr::null_mut(), give_handle)
    }
    #[inline(always)]
    unsafe fn release(this: NonNull<T>) {
        // SAFETY: a handle keeps its object, and the quarantine one that was deleted not long ago; C owned a handle.
        unsafe { this.as_ref().rust().release_handle() };
    }
    unsafe fn release_all(these: impl Iterator<Item = NonNull<T>>) {
        let mut handles = OldHandles::default();
        // SAFETY: as above. What this comes to later still has its handle, and so its store.
        these.for_each(|this| unsafe { handles.release(this.as_ref().rust()) });
    }
}

// SAFETY: nothing is released.
unsafe impl<T: CType<Ownership = Static>> Ownership<T> for Static {
    fn copy(this: &T) -> *mut T {
        std::ptr::from_ref(this).cast_mut()
    }
    unsafe fn release(_: NonNull<T>) {}
}
