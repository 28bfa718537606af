//! The functions of `wasmrt.h`, a file per topic, in the order of the header.
//!
//! The header is made of these files: a module's `//!` comment is the heading of its section and the contract of its
//! functions, and C programmers read it. See tools/headers.

use crate::c_api::answer;
use crate::c_api::ffi::null;
use crate::runtime::base::error::{Error, Result};
use std::mem::MaybeUninit;

/// An enum of the header whose values have names.
macro_rules! named_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$value_doc:meta])* $value:ident = $number:literal $text:literal,)* }) => {
        $(#[$doc])*
        #[repr(C)]
        pub enum $name {
            $($(#[$value_doc])* $value = $number,)*
        }

        impl $name {
            fn name_of(number: u32) -> Option<&'static std::ffi::CStr> {
                match number {
                    $($number => Some($text),)*
                    _ => None,
                }
            }
        }
    };
}

pub mod version;
pub mod backend;
pub mod config;
pub mod engine;
pub mod module;
pub mod items;
pub mod caller;
pub mod memory;
pub mod linker;
pub mod batch;
pub mod unchecked;
pub mod fuel;
pub mod timeouts;
pub mod store_limits;
pub mod error;
pub mod trap;
pub mod exception;
pub mod gc;
pub mod log;
pub mod text;
pub mod wasi;

/// What a number from C stands for; `enumeration` is the enum of the header that it should be a value of.
fn value<T>(number: u32, enumeration: &str, from_number: impl FnOnce(u32) -> Option<T>) -> Result<T> {
    from_number(number).ok_or_else(|| Error::misuse(format!("{number} is not a value of {enumeration}")))
}

/// A getter: writes what `read` finds to `out`, or nothing if it fails.
fn get<T>(function: &str, out: Option<&mut MaybeUninit<T>>, read: impl FnOnce() -> Result<T>) -> bool {
    answer(function, false, || {
        out.ok_or_else(|| null("a place to write to"))?.write(read()?);
        Ok(true)
    })
}

/// Text of the library for C, which has NULL for none.
fn static_text(text: Option<&'static std::ffi::CStr>) -> *const std::ffi::c_char {
    text.map_or(std::ptr::null(), std::ffi::CStr::as_ptr)
}
