//! What kind of trap it was, and what came with it.

use crate::c_api::families::vector::{Vector, wasm_byte_vec_t, wasm_name_t};
use crate::c_api::wasm::frame::{self, wasm_frame_t};
use crate::c_api::wasm::store::{self, wasm_store_t};
use crate::c_api::wasm::trap::{from_c, text, wasm_message_t, wasm_trap_t};
use crate::c_api::{answer, null};
use crate::runtime::base::host_data::HostData;
use crate::runtime::base::trap_code::TrapCode;
use crate::runtime::core::trap::{Cause, Trap};
use std::ffi::c_void;

/// A kind of trap; the numbers are those of `wasmrt_trap_code_enum` and will not change.
pub type wasmrt_trap_code_t = u8;

/// The kinds of traps.
#[repr(C)]
pub enum wasmrt_trap_code_enum {
    /// No trap at all.
    WASMRT_TRAP_NONE = 0,
    /// The instruction `unreachable`.
    WASMRT_TRAP_UNREACHABLE = 1,
    /// An access beyond the end of a memory.
    WASMRT_TRAP_MEMORY_OUT_OF_BOUNDS = 2,
    /// An access beyond the end of a table.
    WASMRT_TRAP_TABLE_OUT_OF_BOUNDS = 3,
    /// An indirect call beyond the end of a table.
    WASMRT_TRAP_UNDEFINED_ELEMENT = 4,
    /// An indirect call of a null element.
    WASMRT_TRAP_UNINITIALIZED_ELEMENT = 5,
    /// An indirect call of a function of another type.
    WASMRT_TRAP_INDIRECT_CALL_TYPE_MISMATCH = 6,
    /// An integer division by zero.
    WASMRT_TRAP_INTEGER_DIVIDE_BY_ZERO = 7,
    /// An integer division or conversion whose result cannot be represented.
    WASMRT_TRAP_INTEGER_OVERFLOW = 8,
    /// A conversion of a float that is no number to an integer.
    WASMRT_TRAP_INVALID_CONVERSION = 9,
    /// Calls nested too deeply.
    WASMRT_TRAP_STACK_EXHAUSTED = 10,
    /// An atomic access to an unaligned address.
    WASMRT_TRAP_UNALIGNED_ATOMIC = 11,
    /// A null reference where an object was needed.
    WASMRT_TRAP_NULL_REFERENCE = 12,
    /// An access beyond the end of an array.
    WASMRT_TRAP_ARRAY_OUT_OF_BOUNDS = 13,
    /// A cast of a reference to a type that it is not of.
    WASMRT_TRAP_CAST_FAILURE = 14,
    /// An exception that nobody caught.
    WASMRT_TRAP_UNCAUGHT_EXCEPTION = 15,
    /// A trap of the engine's own that is none of the others.
    WASMRT_TRAP_OTHER = 16,
    /// The store had no fuel left.
    WASMRT_TRAP_OUT_OF_FUEL = 32,
    /// The deadline of the call or of the store had passed.
    WASMRT_TRAP_DEADLINE = 33,
    /// A `wasmrt_interrupt_t` of the store was triggered.
    WASMRT_TRAP_INTERRUPTED = 34,
    /// The store's limit of memory bytes, where growth beyond it traps, or when it forbade an
    /// instance.
    WASMRT_TRAP_MEMORY_LIMIT = 35,
    /// The store's limit of table elements, likewise.
    WASMRT_TRAP_TABLE_LIMIT = 36,
    /// A host function's trap: `wasm_trap_new`, `wasmrt_trap_new_with_data`.
    WASMRT_TRAP_HOST = 64,
    /// A host function's wish to end the program: `wasmrt_trap_new_exit`.
    WASMRT_TRAP_EXIT = 65,
    /// The call was wrong, not WebAssembly: arguments or imports were, and nothing has run, or a host
    /// function left a wrong result. The last error tells its kind.
    WASMRT_TRAP_ERROR = 66,
}

fn number(cause: Cause) -> wasmrt_trap_code_enum {
    use wasmrt_trap_code_enum::*;
    let code = match cause {
        Cause::Code(code) => code,
        Cause::Other => return WASMRT_TRAP_OTHER,
        Cause::Host => return WASMRT_TRAP_HOST,
        Cause::Exit(_) => return WASMRT_TRAP_EXIT,
        Cause::Error(_) => return WASMRT_TRAP_ERROR,
    };
    match code {
        TrapCode::Unreachable => WASMRT_TRAP_UNREACHABLE,
        TrapCode::MemoryOutOfBounds => WASMRT_TRAP_MEMORY_OUT_OF_BOUNDS,
        TrapCode::TableOutOfBounds => WASMRT_TRAP_TABLE_OUT_OF_BOUNDS,
        TrapCode::UndefinedElement => WASMRT_TRAP_UNDEFINED_ELEMENT,
        TrapCode::UninitializedElement => WASMRT_TRAP_UNINITIALIZED_ELEMENT,
        TrapCode::IndirectCallTypeMismatch => WASMRT_TRAP_INDIRECT_CALL_TYPE_MISMATCH,
        TrapCode::IntegerDivideByZero => WASMRT_TRAP_INTEGER_DIVIDE_BY_ZERO,
        TrapCode::IntegerOverflow => WASMRT_TRAP_INTEGER_OVERFLOW,
        TrapCode::InvalidConversion => WASMRT_TRAP_INVALID_CONVERSION,
        TrapCode::StackExhausted => WASMRT_TRAP_STACK_EXHAUSTED,
        TrapCode::UnalignedAtomic => WASMRT_TRAP_UNALIGNED_ATOMIC,
        TrapCode::NullReference
        | TrapCode::NullFunctionReference
        | TrapCode::NullI31Reference
        | TrapCode::NullStructureReference
        | TrapCode::NullArrayReference => WASMRT_TRAP_NULL_REFERENCE,
        TrapCode::ArrayOutOfBounds => WASMRT_TRAP_ARRAY_OUT_OF_BOUNDS,
        TrapCode::CastFailure => WASMRT_TRAP_CAST_FAILURE,
        TrapCode::UncaughtException => WASMRT_TRAP_UNCAUGHT_EXCEPTION,
        TrapCode::OutOfFuel => WASMRT_TRAP_OUT_OF_FUEL,
        TrapCode::Deadline => WASMRT_TRAP_DEADLINE,
        TrapCode::Interrupted => WASMRT_TRAP_INTERRUPTED,
        TrapCode::MemoryLimit => WASMRT_TRAP_MEMORY_LIMIT,
        TrapCode::TableLimit => WASMRT_TRAP_TABLE_LIMIT,
    }
}

/// What kind of trap this is: a constant of `wasmrt_trap_code_enum`, the same on every backend.
/// NULL: `WASMRT_TRAP_NONE` and a last error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_trap_code(trap: *const wasm_trap_t) -> wasmrt_trap_code_t {
    let none = wasmrt_trap_code_enum::WASMRT_TRAP_NONE as u8;
    // SAFETY: the caller's trap, or NULL.
    answer("wasmrt_trap_code", none, || unsafe { Ok(number(from_c(trap)?.1.cause) as u8) })
}

/// A trap with which a host function ends the program in the guest, own, to be returned from that
/// function. Its code is `WASMRT_TRAP_EXIT`, its message "exit with status" and the number.
///
/// `status` comes back from `wasmrt_trap_exit_status`, to whoever called the guest. NULL for the
/// store gives NULL and a last error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_trap_new_exit(store: *mut wasm_store_t, status: i32) -> *mut wasm_trap_t {
    // SAFETY: the caller's store, or NULL.
    answer("wasmrt_trap_new_exit", std::ptr::null_mut(), || unsafe {
        let message = format!("exit with status {status}").into_bytes();
        Ok(give(store::from_c(store)?, Trap::new(Cause::Exit(status), message)))
    })
}

/// The status of a trap made by `wasmrt_trap_new_exit`, written to `status`.
///
/// True if the trap is one. False if not, with nothing written; that is an answer, not an error.
/// NULL for an argument: false and a last error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_trap_exit_status(trap: *const wasm_trap_t, status: *mut i32) -> bool {
    // SAFETY: the caller's trap, and a place to write to, or NULL.
    answer("wasmrt_trap_exit_status", false, || unsafe {
        let status = status.as_mut().ok_or_else(|| null("a place for the status"))?;
        let Cause::Exit(given) = from_c(trap)?.1.cause else { return Ok(false) };
        *status = given;
        Ok(true)
    })
}

/// A trap with a message that carries data of the host's, own, for a host function to return.
///
/// The message stays the caller's, as for `wasm_trap_new`; NULL is an empty one. Whoever gets the
/// trap, from the call into WebAssembly, gets `data` back with `wasmrt_trap_data`. `finalizer`, if
/// not NULL, is called once with `data` when the last handle to the trap is deleted, or at once if
/// this function fails. Beside it, host info of the trap is free for other use. NULL for the store
/// gives NULL and a last error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_trap_new_with_data(
    store: *mut wasm_store_t,
    message: *const wasm_message_t,
    data: *mut c_void,
    finalizer: Option<unsafe extern "C" fn(arg1: *mut c_void)>,
) -> *mut wasm_trap_t {
    // SAFETY: the caller's, or NULL.
    answer("wasmrt_trap_new_with_data", std::ptr::null_mut(), || unsafe {
        // Made first: it owns the data, also when there is no store.
        let trap = Trap::with_data(Cause::Host, text(message.as_ref()), HostData { pointer: data, finalizer });
        Ok(give(store::from_c(store)?, trap))
    })
}

/// The data of a trap made by `wasmrt_trap_new_with_data`: borrowed, valid as long as the trap.
/// NULL for any other trap. NULL gives NULL and a last error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_trap_data(trap: *const wasm_trap_t) -> *mut c_void {
    // SAFETY: the caller's trap, or NULL.
    answer("wasmrt_trap_data", std::ptr::null_mut(), || unsafe { Ok(from_c(trap)?.1.data()) })
}

fn give(store: &crate::runtime::core::store::Store, trap: Trap) -> *mut wasm_trap_t {
    trap.into_handle(store).into_raw().cast()
}

/// Writes the name of a frame's function to `out`, own: what the module's name section calls it.
///
/// Empty if the module does not say. Must be passed to `wasm_byte_vec_delete`. NULL for the frame:
/// empty, and a last error. NULL for `out`: nothing is written. On wasmi traps have no frames.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_frame_func_name(frame: *const wasm_frame_t, out: *mut wasm_name_t) {
    // SAFETY: the caller's frame, or NULL.
    let name =
        answer("wasmrt_frame_func_name", None, || unsafe { Ok(frame::from_c(frame)?.frame.func_name.as_deref()) });
    // SAFETY: the caller's, writable, or NULL.
    unsafe { write_name(name, out) }
}

/// Writes the name of a frame's module to `out`, own: what its name section calls it.
///
/// Empty if it does not say. Must be passed to `wasm_byte_vec_delete`. NULL for the frame: empty,
/// and a last error. NULL for `out`: nothing is written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_frame_module_name(frame: *const wasm_frame_t, out: *mut wasm_name_t) {
    // SAFETY: the caller's frame, or NULL.
    let name =
        answer("wasmrt_frame_module_name", None, || unsafe { Ok(frame::from_c(frame)?.frame.module_name.as_deref()) });
    // SAFETY: the caller's, writable, or NULL.
    unsafe { write_name(name, out) }
}

/// # Safety
/// `out` is writable, or NULL.
unsafe fn write_name(name: Option<&str>, out: *mut wasm_name_t) {
    let name = name.map_or_else(wasm_byte_vec_t::empty, |name| wasm_byte_vec_t::from_bytes(name.as_bytes()));
    // SAFETY: as promised by the caller.
    unsafe { name.write(out.cast::<std::mem::MaybeUninit<_>>().as_mut()) }
}
