//! Text format

use crate::c_api::answer;
use crate::c_api::families::vector::Vector;
use crate::c_api::ffi::null;
use crate::c_api::wasm::byte::wasm_byte_vec_t;
use crate::runtime::base::float_mode::with_default;
use crate::runtime::binary::preamble;
use crate::runtime::core::engine::prepare_process;
use std::ffi::c_char;
use std::mem::MaybeUninit;

/// Converts a module from the text format, the `length` bytes at `text`, to the binary format.
///
/// Sets `*out` to the binary, own: it must be passed to `wasm_byte_vec_delete`. A text that is a
/// binary already is copied unchanged.
///
/// Returns false and sets the last error if the text is invalid, in which case the message has line
/// and column, or if an argument is NULL. `*out` is empty then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wat2wasm(
    text: *const c_char,
    length: usize,
    out: Option<&mut MaybeUninit<wasm_byte_vec_t>>,
) -> bool {
    let binary = answer("wasmrt_wat2wasm", None, || {
        prepare_process();
        if text.is_null() {
            return Err(null("a text"));
        }
        if out.is_none() {
            return Err(null("a vector to write to"));
        }
        // SAFETY: there are `length` bytes at `text`, which stay as they are during this call.
        let text = unsafe { std::slice::from_raw_parts(text.cast::<u8>(), length) };
        let text = preamble::without_mark(text);
        let binary = with_default(|| wat::parse_bytes(text));
        let binary = binary.map_err(|error| preamble::text_error(text, error.to_string()))?;
        Ok(Some(wasm_byte_vec_t::from_bytes(&binary)))
    });
    let found = binary.is_some();
    binary.unwrap_or_else(wasm_byte_vec_t::empty).write(out);
    found
}
