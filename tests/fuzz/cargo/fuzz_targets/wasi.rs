#![no_main]

use libfuzzer_sys::fuzz_target;
use std::ffi::c_int;

unsafe extern "C" {
    fn fuzz_wasi(data: *const u8, size: usize) -> c_int;
}

fuzz_target!(|data: &[u8]| {
    // SAFETY: the fuzzer reads as many bytes as there are, and keeps none.
    unsafe { fuzz_wasi(data.as_ptr(), data.len()) };
});
