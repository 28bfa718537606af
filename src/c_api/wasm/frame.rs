//! Frames of backtraces.

use super::instance::wasm_instance_t;
use crate::c_api::families::boxed::type_object;
use crate::runtime::base::error::Result;
use crate::runtime::core::trap::OwnedFrame;

type_object!(
    frame,
    OwnedFrame,
    "a frame",
    "frames",
    "A frame of a trap's backtrace: where in which function of which instance. It outlives its trap.\n\nFunctions: `wasm_frame_delete`, `_copy`, `_instance`, `_func_index`, `_func_offset`, `_module_offset`, and those\nof its vector. Must eventually be passed to `wasm_frame_delete` if owned."
);

/// The instance that the frame ran in: borrowed, valid as long as the frame. [Frames]
///
/// NULL if it cannot be told: during the start function of an instance, which is not there yet, or where several instances
/// of one module call each other through tables. NULL gives NULL and a last error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_frame_instance(frame: *const wasm_frame_t) -> *mut wasm_instance_t {
    // SAFETY: the caller's frame, or NULL.
    crate::c_api::answer("wasm_frame_instance", std::ptr::null_mut(), || unsafe {
        let instance = from_c(frame)?.frame.instance;
        Ok(instance.map_or(std::ptr::null_mut(), |instance| instance.as_ptr().cast()))
    })
}

/// The index of the frame's function in its module, imported functions first. NULL: 0 and a last error. [Frames]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_frame_func_index(frame: *const wasm_frame_t) -> u32 {
    // SAFETY: the caller's frame, or NULL.
    crate::c_api::answer("wasm_frame_func_index", 0, || unsafe { Ok(from_c(frame)?.frame.func_index) })
}

/// Where in the function, in bytes from the start of its body in the module. NULL: 0 and a last error. [Frames]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_frame_func_offset(frame: *const wasm_frame_t) -> usize {
    // SAFETY: the caller's frame, or NULL.
    crate::c_api::answer("wasm_frame_func_offset", 0, || unsafe { Ok(from_c(frame)?.frame.func_offset) })
}

/// Where in the module, in bytes from its start. NULL: 0 and a last error. [Frames]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_frame_module_offset(frame: *const wasm_frame_t) -> usize {
    // SAFETY: the caller's frame, or NULL.
    crate::c_api::answer("wasm_frame_module_offset", 0, || unsafe { Ok(from_c(frame)?.frame.module_offset) })
}

/// # Safety
/// The pointer is NULL or the caller's frame.
pub unsafe fn from_c<'a>(frame: *const wasm_frame_t) -> Result<&'a OwnedFrame> {
    // SAFETY: as promised by the caller.
    unsafe { crate::c_api::required(frame, "a frame") }
}
