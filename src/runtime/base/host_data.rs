//! What the host gives to the library to keep, and text as the host gets it.

use std::ffi::{CString, c_void};

pub type Finalizer = Option<unsafe extern "C" fn(*mut c_void)>;

/// A pointer of the host's, and what is called for it when its owner is gone.
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
            // SAFETY: C gave this function for this pointer, and the owner of both is gone.
            unsafe { finalizer(self.pointer) };
        }
    }
}

/// Text as C gets it.
pub fn to_c(text: &str) -> CString {
    CString::new(text.replace('\0', "\u{fffd}")).unwrap_or_default()
}
