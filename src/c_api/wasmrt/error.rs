//! The thread's last error.

use crate::runtime::base::error;
use std::ffi::c_char;

/// A kind of error; the numbers are those of `wasmrt_error_kind_enum` and will not change.
pub type wasmrt_error_kind_t = u8;

/// The kinds of errors.
#[repr(C)]
pub enum wasmrt_error_kind_enum {
    /// There is none.
    WASMRT_ERROR_NONE = 0,
    /// A function was called in a way its documentation rules out.
    WASMRT_ERROR_MISUSE = 1,
    /// A module is malformed, invalid, or beyond what the engine compiles.
    WASMRT_ERROR_COMPILE = 2,
    /// Imports do not fit the module.
    WASMRT_ERROR_LINK = 3,
    /// WebAssembly or a host function trapped.
    WASMRT_ERROR_TRAP = 4,
    /// A resource ran out, or a limit was reached.
    WASMRT_ERROR_LIMIT = 5,
    /// The library or the engine cannot do what was asked.
    WASMRT_ERROR_UNSUPPORTED = 6,
    /// Bytes are no serialized module of this library, backend and configuration.
    WASMRT_ERROR_ARTIFACT = 8,
    /// A defect of the library.
    WASMRT_ERROR_INTERNAL = 9,
}

/// What went wrong last on this thread, in words, in UTF-8; NULL if nothing did.
///
/// Every function of wasm.h and of this header that fails sets it, but for those that have nowhere
/// to write to, NULL for `out`. NULL as an answer, such as for a null element, sets nothing.
/// Success does not clear it, `wasmrt_last_error_clear` does. Borrowed, valid until the next
/// failure or `wasmrt_last_error_clear` on this thread. Handlers of `atexit` and destructors that
/// run at the end of a thread find it as well.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_last_error_message() -> *const c_char {
    error::last_message()
}

/// What kind of thing went wrong last on this thread: a constant of `wasmrt_error_kind_enum`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_last_error_kind() -> wasmrt_error_kind_t {
    error::last_kind().map_or(wasmrt_error_kind_enum::WASMRT_ERROR_NONE as u8, |kind| kind as u8)
}

/// Where in a module the thread's last error is, if it was about one: the offset in bytes from the
/// start of the binary, written to `offset`.
///
/// True if that is known, as for most errors of `wasm_module_new` and `wasm_module_validate` of
/// kind `WASMRT_ERROR_COMPILE`. False otherwise, or if `offset` is NULL; nothing is written then.
/// Sets no error of its own.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_last_error_offset(offset: *mut u64) -> bool {
    // SAFETY: the caller's, writable, or NULL.
    match (error::last_offset(), unsafe { offset.as_mut() }) {
        (Some(known), Some(offset)) => {
            *offset = known;
            true
        }
        _ => false,
    }
}

/// Forgets the thread's last error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_last_error_clear() {
    error::clear()
}
