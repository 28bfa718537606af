//! The library's version.

use std::ffi::{CStr, c_char};

const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
    Ok(version) => version,
    Err(_) => panic!("the version has a zero in it"),
};

/// The version of the library, as in "1.2.3": static. Compare with `WASMRT_VERSION`, the version of
/// the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_version() -> *const c_char {
    VERSION.as_ptr()
}
