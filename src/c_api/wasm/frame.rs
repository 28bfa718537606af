//! Frames of backtraces.

use super::instance::wasm_instance_t;
use crate::c_api::answer;
use crate::c_api::families::boxed::boxed;
use crate::c_api::ffi::Argument;
use crate::runtime::core::trap::OwnedFrame;

boxed!(
    /// A frame of a trap's backtrace: a place in a function of an instance. It outlives its trap.
    ///
    /// Functions: `wasm_frame_delete`, `_copy`, `_instance`, `_func_index`, `_func_offset`,
    /// `_module_offset`, and those of its vector. Must eventually be passed to `wasm_frame_delete` if
    /// owned.
    frame, frame, "Frames", "a frame", "frames", OwnedFrame
);

/// Returns the instance that a frame ran in: borrowed, valid as long as the frame. [Frames]
///
/// Returns NULL if the instance is not known: during its start function, when it does not exist yet,
/// or if several instances of one module call each other through tables. Returns NULL and sets the
/// last error for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_frame_instance(frame: Option<&wasm_frame_t>) -> *mut wasm_instance_t {
    answer("wasm_frame_instance", std::ptr::null_mut(), || {
        let instance = frame.required()?.frame.instance;
        Ok(instance.map_or(std::ptr::null_mut(), |instance| instance.as_ptr().cast()))
    })
}

/// Returns the index of a frame's function in its module, where imported functions come first.
/// [Frames]
///
/// Returns 0 and sets the last error for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_frame_func_index(frame: Option<&wasm_frame_t>) -> u32 {
    answer("wasm_frame_func_index", 0, || Ok(frame.required()?.frame.func_index))
}

/// Returns where in its function a frame is, in bytes from the start of the function's body in the
/// binary. [Frames]
///
/// Returns 0 and sets the last error for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_frame_func_offset(frame: Option<&wasm_frame_t>) -> usize {
    answer("wasm_frame_func_offset", 0, || Ok(frame.required()?.frame.func_offset))
}

/// Returns where in its module a frame is, in bytes from the start of the binary. [Frames]
///
/// Returns 0 and sets the last error for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_frame_module_offset(frame: Option<&wasm_frame_t>) -> usize {
    answer("wasm_frame_module_offset", 0, || Ok(frame.required()?.frame.module_offset))
}
