//! Data that the host passes to the library to keep, and text in the form that the host gets.

use std::ffi::{CString, c_void};

pub type Finalizer = Option<unsafe extern "C" fn(*mut c_void)>;

/// A pointer of the host, and the finalizer to call when its owner is gone.
pub struct HostData {
    pub pointer: *mut c_void,
    pub finalizer: Finalizer,
}

impl HostData {
    pub const NONE: HostData = HostData { pointer: std::ptr::null_mut(), finalizer: None };
}

impl Drop for HostData {
    fn drop(&mut self) {
        if let Some(finalizer) = self.finalizer {
            // SAFETY: C passed this finalizer for this pointer, and it runs once, when the owner of both is dropped.
            unsafe { finalizer(self.pointer) };
        }
    }
}

/// Converts text to a C string.
pub fn to_c(text: &str) -> CString {
    CString::new(text.replace('\0', "\u{fffd}")).unwrap_or_default()
}
