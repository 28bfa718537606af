//! `wasm.h` and `wasmrt.h`, function by function: unwrap the arguments, call the runtime, wrap the answer.
//!
//! One file per noun of the standard. Functions that come in families (vectors, references, casts) are made by the macros
//! of [`vector`] and [`reference`]. Nothing here knows an engine. The headers are generated from this folder: the comments
//! of exported items are what C programmers read.
//!
//! Conventions
//! - What C owns is a raw pointer from a `Box`, an `Arc` or a [`Handle`](crate::runtime::object::Handle); `take_*` gets it
//!   back, [`borrow`] looks at it.
//! - Every function answers through [`answer`] or [`guard`]: a failure is recorded as the thread's last error and becomes
//!   the fallback, and so does a panic.
//! - `own` parameters are taken before anything can fail, so that they are released in any case.

#![allow(non_camel_case_types)]
// The contract of an exported function is its comment in the header, where C programmers read it.
#![allow(clippy::missing_safety_doc)]

pub mod reference;
pub mod vector;

// In the order of the standard, which is the order of the header.
pub mod config;
pub mod engine;
pub mod store;
pub mod valtype;
pub mod functype;
pub mod globaltype;
pub mod tabletype;
pub mod memorytype;
pub mod tagtype;
pub mod externtype;
pub mod importtype;
pub mod exporttype;
pub mod val;
pub mod r#ref;
pub mod frame;
pub mod trap;
pub mod foreign;
pub mod module;
pub mod func;
pub mod global;
pub mod table;
pub mod memory;
pub mod r#extern;
pub mod instance;

pub mod wasmrt;

use crate::runtime::error::{self, Error, ErrorKind, Result, record_panic};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `body`; a panic becomes the thread's last error and the answer `fallback`. Nothing unwinds into C.
#[inline(always)]
fn guard<R>(fallback: R, body: impl FnOnce() -> R) -> R {
    // State behind the panic is as after any early return: locks and counts are restored by drops on the way.
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(answer) => answer,
        Err(panic) => {
            record_panic(panic);
            fallback
        }
    }
}

/// Runs `body`; an error becomes the thread's last one and the answer `fallback`. `function` is the name of the C
/// function, for messages about its misuse.
#[inline(always)]
fn answer<R>(function: &str, fallback: R, body: impl FnOnce() -> Result<R>) -> R {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => {
            record_in(function, error);
            fallback
        }
        Err(panic) => {
            record_panic(panic);
            fallback
        }
    }
}

#[cold]
fn record_in(function: &str, mut error: Error) {
    if error.kind == ErrorKind::Misuse {
        error.message.insert_str(0, &format!("{function}: "));
    }
    error::record(&error);
}

/// Looks at what a C pointer points to; the two types are the C and the Rust name of one thing.
///
/// # Safety
/// The pointer is NULL, or came from the library as this type and is not deleted while the answer is used.
#[inline(always)]
unsafe fn borrow<'a, T, U>(pointer: *const T) -> Option<&'a U> {
    // SAFETY: as promised by the caller.
    unsafe { pointer.cast::<U>().as_ref() }
}

/// Like [`borrow`], where NULL is a mistake.
///
/// # Safety
/// As for [`borrow`].
#[inline(always)]
unsafe fn required<'a, T, U>(pointer: *const T, what: &str) -> Result<&'a U> {
    // SAFETY: as promised by the caller.
    unsafe { borrow(pointer) }.ok_or_else(|| null(what))
}

#[cold]
fn null(what: &str) -> Error {
    Error::misuse(format!("expected {what}, got NULL"))
}

/// Takes back what a `Box` gave to C.
///
/// # Safety
/// The pointer is NULL, or came from `Box::into_raw` as a `U` and is given up here.
unsafe fn take_box<T, U>(pointer: *mut T) -> Option<Box<U>> {
    // SAFETY: as promised by the caller.
    (!pointer.is_null()).then(|| unsafe { Box::from_raw(pointer.cast()) })
}

/// Gives a value to C, in a box.
fn give_box<T, U>(value: T) -> *mut U {
    Box::into_raw(Box::new(value)).cast()
}

#[cfg(test)]
mod counting_tests;
#[cfg(test)]
mod panic_tests;
#[cfg(test)]
mod miri_tests;
