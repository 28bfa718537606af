//! Errors
//!
//! Each thread has a last error: a message for people, a kind for programs and, for most errors in
//! a module, an offset. Every function of wasm.h and of this header that fails sets it, unless the
//! only thing wrong was NULL for a vector to write to. Success does not clear it. It is still there
//! for handlers of `atexit` and for destructors that run at the end of the thread.

use super::static_text;
use crate::runtime::base::error::{self, ErrorKind};
use std::ffi::c_char;
use std::mem::MaybeUninit;

/// A value of `wasmrt_error_kind_enum`.
pub type wasmrt_error_kind_t = u32;

named_enum! {
    /// Kinds of errors.
    wasmrt_error_kind_enum {
        /// There is no error.
        WASMRT_ERROR_NONE = 0 c"none",
        /// A function was called in a way that its documentation does not allow.
        WASMRT_ERROR_MISUSE = 1 c"misuse",
        /// A module is malformed, invalid, or beyond what the engine can compile.
        WASMRT_ERROR_COMPILE = 2 c"compile",
        /// Imports do not match the module.
        WASMRT_ERROR_LINK = 3 c"link",
        /// WebAssembly or a host function trapped.
        WASMRT_ERROR_TRAP = 4 c"trap",
        /// A resource was exhausted, or a limit was reached.
        WASMRT_ERROR_LIMIT = 5 c"limit",
        /// The library or the backend does not support what was asked.
        WASMRT_ERROR_UNSUPPORTED = 6 c"unsupported",
        /// The bytes are not a serialized module of this library, backend and configuration.
        WASMRT_ERROR_ARTIFACT = 8 c"artifact",
        /// A defect in the library.
        WASMRT_ERROR_INTERNAL = 9 c"internal",
        /// A file or a directory could not be read or written.
        WASMRT_ERROR_FILE = 10 c"file",
    }
}

/// The header's number for a kind.
pub fn number(kind: ErrorKind) -> wasmrt_error_kind_t {
    use wasmrt_error_kind_enum::*;
    let number = match kind {
        ErrorKind::Misuse => WASMRT_ERROR_MISUSE,
        ErrorKind::Compile => WASMRT_ERROR_COMPILE,
        ErrorKind::Link => WASMRT_ERROR_LINK,
        ErrorKind::Trap => WASMRT_ERROR_TRAP,
        ErrorKind::Limit => WASMRT_ERROR_LIMIT,
        ErrorKind::Unsupported => WASMRT_ERROR_UNSUPPORTED,
        ErrorKind::Artifact => WASMRT_ERROR_ARTIFACT,
        ErrorKind::Internal => WASMRT_ERROR_INTERNAL,
        ErrorKind::File => WASMRT_ERROR_FILE,
    };
    number as u32
}

/// Returns the message of the thread's last error, in UTF-8, or NULL if there is none. Borrowed,
/// valid until the next failure on this thread or `wasmrt_last_error_clear`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_last_error_message() -> *const c_char {
    error::last_message()
}

/// Returns the kind of the thread's last error, `WASMRT_ERROR_NONE` if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_last_error_kind() -> wasmrt_error_kind_t {
    error::last_kind().map_or(wasmrt_error_kind_enum::WASMRT_ERROR_NONE as u32, number)
}

/// Gets where in a module the thread's last error is, in bytes from the start of the binary.
///
/// Returns true if that is known, as for most errors of kind `WASMRT_ERROR_COMPILE`. Otherwise, or
/// if `out` is NULL, returns false; that sets no last error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_last_error_offset(out: Option<&mut MaybeUninit<u64>>) -> bool {
    let (Some(offset), Some(out)) = (error::last_offset(), out) else { return false };
    out.write(offset);
    true
}

/// Clears the thread's last error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_last_error_clear() {
    error::clear()
}

/// Returns the name of a kind of error, such as "misuse", or NULL if there is none of that number.
/// Static.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_error_kind_name(kind: wasmrt_error_kind_t) -> *const c_char {
    static_text(wasmrt_error_kind_enum::name_of(kind))
}
