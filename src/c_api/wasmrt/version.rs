//! Version
//!
//! The constants are the version of this header, with which a program is compiled. The functions
//! return the version of the library with which it runs.

use std::ffi::{CStr, c_char};

const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
    Ok(version) => version,
    Err(_) => panic!("the version has a zero in it"),
};

/// One byte for each part: tools/headers writes the same number into the header.
const NUMBER: u32 = part(env!("CARGO_PKG_VERSION_MAJOR")) << 16
    | part(env!("CARGO_PKG_VERSION_MINOR")) << 8
    | part(env!("CARGO_PKG_VERSION_PATCH"));

const fn part(text: &str) -> u32 {
    match u8::from_str_radix(text, 10) {
        Ok(number) => number as u32,
        Err(_) => panic!("a part of the version does not fit into a byte"),
    }
}

/// Returns the version of the library as text, such as "1.2.3". Static.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_version() -> *const c_char {
    VERSION.as_ptr()
}

/// Returns the version of the library as a number: the major version times 65536, plus the minor
/// version times 256, plus the patch level. Later versions have larger numbers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_version_number() -> u32 {
    NUMBER
}
