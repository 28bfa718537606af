//! Bytes, and names, which are bytes.

use crate::c_api::families::vector::{Parts, Taken, Vector, vector};

/// A byte: `char`, as in strings.
pub type wasm_byte_t = std::ffi::c_char;

vector!(byte, wasm_byte_t, "bytes");

/// Names are vectors of bytes, in UTF-8, without a terminating zero in `size`. Every byte vector
/// that the library allocates has one more zero byte after its end, so that `data` can be read as a
/// string.
pub type wasm_name_t = wasm_byte_vec_t;

impl wasm_byte_vec_t {
    pub fn from_bytes(bytes: &[u8]) -> wasm_byte_vec_t {
        wasm_byte_vec_t::joined(bytes, &[])
    }

    /// A vector for C to read, which is not owned.
    pub fn lent(bytes: &[u8]) -> wasm_byte_vec_t {
        Vector::from_parts(Parts { size: bytes.len(), data: bytes.as_ptr().cast_mut().cast() })
    }

    /// Two pieces in one vector.
    pub fn joined(head: &[u8], rest: &[u8]) -> wasm_byte_vec_t {
        let size = head.len() + rest.len();
        let bytes = Parts::<wasm_byte_t>::unwritten(size);
        if bytes.size == size {
            let data = bytes.data.cast::<u8>();
            // SAFETY: there is room for both pieces.
            unsafe {
                data.copy_from_nonoverlapping(head.as_ptr(), head.len());
                data.add(head.len()).copy_from_nonoverlapping(rest.as_ptr(), rest.len());
            }
        }
        Vector::from_parts(bytes)
    }

    pub fn bytes(&self) -> &[u8] {
        // SAFETY: c_char and u8 have the same size and no invalid values.
        unsafe { &*(std::ptr::from_ref(self.elements()) as *const [u8]) }
    }
}

/// A name that a type object owns.
pub struct Name(wasm_name_t);

impl Name {
    pub fn new(name: &str) -> Name {
        Name(wasm_name_t::from_bytes(name.as_bytes()))
    }

    /// Takes a name that C gave. One terminating zero, as `wasm_name_new_from_string_nt` leaves, is not
    /// part of it.
    ///
    /// It is copied rather than kept: a vector that C made itself has no zero behind its end.
    pub fn from_c(name: &Taken<wasm_name_t>) -> Name {
        let bytes = name.bytes();
        Name(wasm_name_t::from_bytes(bytes.strip_suffix(b"\0").unwrap_or(bytes)))
    }

    pub fn as_c(&self) -> *const wasm_name_t {
        &self.0
    }
}

impl Clone for Name {
    fn clone(&self) -> Name {
        Name(wasm_name_t::from_bytes(self.0.bytes()))
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        // SAFETY: a name owns its vector.
        unsafe { self.0.parts().release() }
    }
}
