//! Traps.

use super::byte::{wasm_byte_vec_t, wasm_name_t};
use super::frame::{wasm_frame_t, wasm_frame_vec_t};
use super::r#ref::wasm_ref_t;
use super::store::wasm_store_t;
use crate::c_api::answer;
use crate::c_api::families::reference::{casts, reference};
use crate::c_api::families::vector::Vector;
use crate::c_api::ffi::{Argument, give, give_handle};
use crate::runtime::core::object::{Object, Typed};
use crate::runtime::core::trap::{Cause, OwnedFrame, Trap};
use std::mem::MaybeUninit;

/// The message of a trap: a name whose `size` counts a terminating zero.
pub type wasm_message_t = wasm_name_t;

reference!(
    /// The reason why a call did not complete: WebAssembly trapped, a host function returned a trap, or
    /// the call itself was wrong.
    ///
    /// Functions: `wasm_trap_new`, `_message`, `_origin`, `_trace`, and those of every reference. Must
    /// eventually be passed to `wasm_trap_delete`, or returned from a host function.
    trap,
    "a trap",
    &'a Trap,
    Object::as_trap
);
casts!(trap, "a trap", r#ref, wasm_ref_t);

/// Creates a trap with a message, own, for a host function to return. [Traps]
///
/// Does not take `message`, which may end with a zero or not; NULL means an empty one. Returns NULL
/// and sets the last error if `store` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_trap_new(
    store: Option<&mut wasm_store_t>,
    message: Option<&wasm_message_t>,
) -> *mut wasm_trap_t {
    answer("wasm_trap_new", std::ptr::null_mut(), || {
        Ok(give_handle(Trap::new(Cause::Host, text(message)).into_handle(store.required()?)))
    })
}

/// Sets `*out` to the message of a trap, own. It ends with exactly one zero, which `size` counts.
/// [Traps]
///
/// If WebAssembly trapped, the message is that of the specification for the cause, on every backend:
/// "unreachable", "integer divide by zero" and so on. The trap of a host function has the message
/// that it was created with. The message must eventually be passed to `wasm_byte_vec_delete`. If
/// `trap` is NULL, it is empty and the last error is set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_trap_message(trap: Option<&wasm_trap_t>, out: Option<&mut MaybeUninit<wasm_message_t>>) {
    let message = answer("wasm_trap_message", wasm_message_t::empty(), || {
        Ok(wasm_byte_vec_t::joined(&trap.required()?.message, b"\0"))
    });
    message.write(out)
}

/// Returns the innermost frame of a trap's backtrace, own: the place where it arose. [Traps]
///
/// Returns NULL if there are no frames: the trap has not passed through WebAssembly, or the backend
/// (wasmi) keeps none. Returns NULL and sets the last error for NULL. The frame must eventually be
/// passed to `wasm_frame_delete`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_trap_origin(trap: Option<&wasm_trap_t>) -> Option<Box<wasm_frame_t>> {
    answer("wasm_trap_origin", None, || {
        let Typed { object, body: trap, .. } = trap.required()?;
        Ok(trap.origin().and_then(|frame| give(OwnedFrame::new(frame, object.store()))))
    })
}

/// Sets `*out` to the backtrace of a trap, own: its frames, the innermost first. [Traps]
///
/// The vector must eventually be passed to `wasm_frame_vec_delete`. It is empty if
/// `wasm_trap_origin` returns NULL. If `trap` is NULL, the last error is set too.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_trap_trace(trap: Option<&wasm_trap_t>, out: Option<&mut MaybeUninit<wasm_frame_vec_t>>) {
    let trace = answer("wasm_trap_trace", wasm_frame_vec_t::empty(), || {
        let Typed { object, body: trap, .. } = trap.required()?;
        let frames = trap.frames().into_iter();
        Ok(wasm_frame_vec_t::given(frames.map(|frame| OwnedFrame::new(frame, object.store()))))
    });
    trace.write(out)
}

/// A message without its final zero; none is an empty one.
pub fn text(message: Option<&wasm_message_t>) -> Vec<u8> {
    let message = message.map_or(&[][..], |message| message.bytes());
    message.strip_suffix(b"\0").unwrap_or(message).to_vec()
}
