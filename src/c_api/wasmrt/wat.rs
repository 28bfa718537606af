//! WebAssembly's text format.

use crate::c_api::families::vector::{Vector, wasm_byte_vec_t};
use crate::c_api::{answer, null};
use crate::runtime::base::float_mode::with_default;
use crate::runtime::binary::preamble;
use crate::runtime::core::engine::prepare_process;
use std::ffi::c_char;

/// Converts a module from the text format, `length` bytes at `text`, to the binary format, written
/// to `out`, own.
///
/// A binary is passed through. True; `out` must then be passed to `wasm_byte_vec_delete`. False and
/// a last error, which names line and column, if the text is wrong, or NULL; `out` is then empty.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wat2wasm(text: *const c_char, length: usize, out: *mut wasm_byte_vec_t) -> bool {
    let binary = answer("wasmrt_wat2wasm", None, || {
        prepare_process();
        if text.is_null() {
            return Err(null("text"));
        }
        if out.is_null() {
            return Err(null("a vector to write to"));
        }
        // SAFETY: the caller's text, of that length.
        let text = unsafe { std::slice::from_raw_parts(text.cast::<u8>(), length) };
        let text = preamble::without_mark(text);
        let binary = with_default(|| wat::parse_bytes(text));
        let binary = binary.map_err(|error| preamble::text_error(text, error.to_string()))?;
        Ok(Some(wasm_byte_vec_t::from_bytes(&binary)))
    });
    let found = binary.is_some();
    // SAFETY: `out` is the caller's, writable, or NULL.
    unsafe { binary.unwrap_or_else(wasm_byte_vec_t::empty).write(out.cast::<std::mem::MaybeUninit<_>>().as_mut()) };
    found
}
