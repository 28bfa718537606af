//! Traps.

use super::frame::{wasm_frame_t, wasm_frame_vec_t};
use super::r#ref::wasm_ref_t;
use super::store::{self, wasm_store_t};
use crate::c_api::families::reference::{casts, object, reference, wrong_kind};
use crate::c_api::families::vector::{Parts, Vector, wasm_byte_vec_t, wasm_name_t};
use crate::runtime::base::error::Result;
use crate::runtime::core::object::Object;
use crate::runtime::core::trap::{Cause, OwnedFrame, Trap};

/// A message: a name whose `size` counts a terminating zero.
pub type wasm_message_t = wasm_name_t;

reference!(
    trap,
    "a trap",
    "Why a call did not come to its end: WebAssembly trapped, a host function returned a trap, or the call itself\nwas wrong.\n\nFunctions: `wasm_trap_new`, `_message`, `_origin`, `_trace`, and those of every reference. Must eventually be\npassed to `wasm_trap_delete`, or returned from a host function."
);
casts!(trap, "a trap", r#ref, wasm_ref_t, |object| object.as_trap().is_some());

/// A trap with a message, own, for a host function to return. [Traps]
///
/// The message stays the caller's; it may end with a zero or not, and be empty; NULL is empty. NULL for the store gives
/// NULL and a last error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_trap_new(store: *mut wasm_store_t, message: *const wasm_message_t) -> *mut wasm_trap_t {
    // SAFETY: the caller's, or NULL.
    crate::c_api::answer("wasm_trap_new", std::ptr::null_mut(), || unsafe {
        let store = store::from_c(store)?;
        Ok(Trap::new(Cause::Host, text(message)).into_handle(store).into_raw().cast())
    })
}

/// Writes a trap's message to `out`, own: zero-terminated, with exactly one zero, which `size` counts. [Traps]
///
/// A trap of WebAssembly's has the words of the specification for its cause, on every backend ("unreachable", "integer
/// divide by zero", ...); a host function's trap the message it was made with. Must be passed to `wasm_byte_vec_delete`.
/// NULL for the trap: `out` is empty, and there is a last error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_trap_message(trap: *const wasm_trap_t, out: *mut wasm_message_t) {
    // SAFETY: the caller's trap, or NULL; `out` is writable.
    let message = crate::c_api::answer("wasm_trap_message", wasm_message_t::empty(), || unsafe {
        let mut message = from_c(trap)?.1.message.clone();
        message.push(0);
        Ok(wasm_byte_vec_t::from_bytes(&message))
    });
    // SAFETY: as above.
    unsafe { message.write(out) }
}

/// The innermost frame of a trap's backtrace, own: where it arose. [Traps]
///
/// NULL if there are no frames: the trap has not been through WebAssembly, or the backend keeps none, as wasmi. NULL gives
/// NULL and a last error. Must be passed to `wasm_frame_delete`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_trap_origin(trap: *const wasm_trap_t) -> *mut wasm_frame_t {
    // SAFETY: the caller's trap, or NULL.
    crate::c_api::answer("wasm_trap_origin", std::ptr::null_mut(), || unsafe {
        let (object, trap) = from_c(trap)?;
        let frame = trap.origin().map(|frame| crate::c_api::give_box(OwnedFrame::new(frame, object.store())));
        Ok(frame.unwrap_or(std::ptr::null_mut()))
    })
}

/// Writes a trap's backtrace to `out`, own: its frames, innermost first. [Traps]
///
/// Empty where `wasm_trap_origin` is NULL. Must be passed to `wasm_frame_vec_delete`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_trap_trace(trap: *const wasm_trap_t, out: *mut wasm_frame_vec_t) {
    // SAFETY: the caller's trap, or NULL; `out` is writable.
    let trace = crate::c_api::answer("wasm_trap_trace", wasm_frame_vec_t::empty(), || unsafe {
        let (object, trap) = from_c(trap)?;
        let frames = trap.frames().into_iter();
        let frames: Vec<_> =
            frames.map(|frame| crate::c_api::give_box(OwnedFrame::new(frame, object.store()))).collect();
        Ok(Vector::from_parts(Parts::from_slice(&frames)))
    });
    // SAFETY: as above.
    unsafe { trace.write(out) }
}

/// A message without its final zero.
///
/// # Safety
/// The pointer is NULL or the caller's message.
pub unsafe fn text(message: *const wasm_message_t) -> Vec<u8> {
    // SAFETY: as promised by the caller.
    let message = unsafe { wasm_byte_vec_t::bytes(message) };
    message.strip_suffix(b"\0").unwrap_or(message).to_vec()
}

/// # Safety
/// The pointer is NULL or the caller's handle.
pub unsafe fn from_c<'a>(trap: *const wasm_trap_t) -> Result<(&'a Object, &'a Trap)> {
    // SAFETY: as promised by the caller.
    let object = unsafe { object(trap, "a trap")? };
    Ok((object, object.as_trap().ok_or_else(|| wrong_kind(object, "a trap"))?))
}
