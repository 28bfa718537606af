//! Traps

use super::error::{self, wasmrt_error_kind_enum, wasmrt_error_kind_t};
use super::static_text;
use crate::c_api::answer;
use crate::c_api::families::vector::Vector;
use crate::c_api::ffi::{Argument, give_handle, null};
use crate::c_api::wasm::byte::wasm_name_t;
use crate::c_api::wasm::frame::wasm_frame_t;
use crate::c_api::wasm::store::wasm_store_t;
use crate::c_api::wasm::trap::{text, wasm_message_t, wasm_trap_t};
use crate::runtime::base::host_data::HostData;
use crate::runtime::base::trap_code::TrapCode;
use crate::runtime::core::store::Store;
use crate::runtime::core::trap::{Cause, Trap};
use std::ffi::{c_char, c_void};
use std::mem::MaybeUninit;

/// A value of `wasmrt_trap_code_enum`.
pub type wasmrt_trap_code_t = u32;

named_enum! {
    /// Why a call trapped. The same on every backend.
    wasmrt_trap_code_enum {
        /// There is no trap.
        WASMRT_TRAP_NONE = 0 c"none",
        /// The instruction `unreachable`.
        WASMRT_TRAP_UNREACHABLE = 1 c"unreachable",
        /// An access beyond the end of a memory.
        WASMRT_TRAP_MEMORY_OUT_OF_BOUNDS = 2 c"memory-out-of-bounds",
        /// An access beyond the end of a table.
        WASMRT_TRAP_TABLE_OUT_OF_BOUNDS = 3 c"table-out-of-bounds",
        /// An indirect call beyond the end of a table.
        WASMRT_TRAP_UNDEFINED_ELEMENT = 4 c"undefined-element",
        /// An indirect call of a null element.
        WASMRT_TRAP_UNINITIALIZED_ELEMENT = 5 c"uninitialized-element",
        /// An indirect call of a function of another type.
        WASMRT_TRAP_INDIRECT_CALL_TYPE_MISMATCH = 6 c"indirect-call-type-mismatch",
        /// An integer division by zero.
        WASMRT_TRAP_INTEGER_DIVIDE_BY_ZERO = 7 c"integer-divide-by-zero",
        /// An integer division or conversion whose result cannot be represented.
        WASMRT_TRAP_INTEGER_OVERFLOW = 8 c"integer-overflow",
        /// A conversion of a NaN to an integer.
        WASMRT_TRAP_INVALID_CONVERSION = 9 c"invalid-conversion",
        /// Calls are nested too deeply.
        WASMRT_TRAP_STACK_EXHAUSTED = 10 c"stack-exhausted",
        /// An atomic access to an unaligned address.
        WASMRT_TRAP_UNALIGNED_ATOMIC = 11 c"unaligned-atomic",
        /// A null reference where an object is needed.
        WASMRT_TRAP_NULL_REFERENCE = 12 c"null-reference",
        /// An access beyond the end of an array.
        WASMRT_TRAP_ARRAY_OUT_OF_BOUNDS = 13 c"array-out-of-bounds",
        /// A cast of a reference to a type that it does not have.
        WASMRT_TRAP_CAST_FAILURE = 14 c"cast-failure",
        /// An exception that was not caught: see `wasmrt_trap_exception_tag`.
        WASMRT_TRAP_UNCAUGHT_EXCEPTION = 15 c"uncaught-exception",
        /// A trap of the engine that is none of the others.
        WASMRT_TRAP_OTHER = 16 c"other",
        /// The store ran out of fuel.
        WASMRT_TRAP_OUT_OF_FUEL = 32 c"out-of-fuel",
        /// The timeout of the call or of the store expired.
        WASMRT_TRAP_TIMEOUT = 33 c"timeout",
        /// A `wasmrt_interrupt_t` of the store was triggered.
        WASMRT_TRAP_INTERRUPTED = 34 c"interrupted",
        /// The store's limit of memory bytes was reached, and growth beyond it traps or an instance
        /// needs more.
        WASMRT_TRAP_MEMORY_LIMIT = 35 c"memory-limit",
        /// The same for the store's limit of table elements.
        WASMRT_TRAP_TABLE_LIMIT = 36 c"table-limit",
        /// A host function returned a trap of `wasm_trap_new` or `wasmrt_trap_new_with_data`, or a
        /// linker made the function for an import that is not defined.
        WASMRT_TRAP_HOST = 64 c"host",
        /// A host function ended the guest's program, with a trap of `wasmrt_trap_new_exit`.
        WASMRT_TRAP_EXIT = 65 c"exit",
        /// The call itself failed: arguments or imports were wrong and nothing ran, or a host function
        /// left an invalid result. `wasmrt_trap_error_kind` says more.
        WASMRT_TRAP_ERROR = 66 c"error",
    }
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
        TrapCode::Timeout => WASMRT_TRAP_TIMEOUT,
        TrapCode::Interrupted => WASMRT_TRAP_INTERRUPTED,
        TrapCode::MemoryLimit => WASMRT_TRAP_MEMORY_LIMIT,
        TrapCode::TableLimit => WASMRT_TRAP_TABLE_LIMIT,
    }
}

/// Returns why a call trapped. Returns `WASMRT_TRAP_NONE` and sets the last error for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_trap_code(trap: Option<&wasm_trap_t>) -> wasmrt_trap_code_t {
    let none = wasmrt_trap_code_enum::WASMRT_TRAP_NONE as u32;
    answer("wasmrt_trap_code", none, || Ok(number(trap.required()?.body.cause) as u32))
}

/// Returns the name of a trap code, such as "integer-divide-by-zero", or NULL if there is none of
/// that number. Static.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_trap_code_name(code: wasmrt_trap_code_t) -> *const c_char {
    static_text(wasmrt_trap_code_enum::name_of(code))
}

/// Returns the kind of error that a trap is: the kind of the last error that the failed call left,
/// which another call may have replaced.
///
/// For `WASMRT_TRAP_ERROR` it says what was wrong with the call, for `WASMRT_TRAP_MEMORY_LIMIT` and
/// `WASMRT_TRAP_TABLE_LIMIT` it is `WASMRT_ERROR_LIMIT`, for all others `WASMRT_ERROR_TRAP`.
/// Returns `WASMRT_ERROR_NONE` and sets the last error for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_trap_error_kind(trap: Option<&wasm_trap_t>) -> wasmrt_error_kind_t {
    let none = wasmrt_error_kind_enum::WASMRT_ERROR_NONE as u32;
    answer("wasmrt_trap_error_kind", none, || Ok(error::number(trap.required()?.body.error_kind())))
}

/// Creates a trap with which a host function ends the guest's program, own, for the host function to
/// return. Returns NULL and sets the last error if `store` is NULL.
///
/// Its code is `WASMRT_TRAP_EXIT`, its message "exit with status" and the number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_trap_new_exit(store: Option<&mut wasm_store_t>, status: i32) -> *mut wasm_trap_t {
    answer("wasmrt_trap_new_exit", std::ptr::null_mut(), || {
        let message = format!("exit with status {status}").into_bytes();
        Ok(give(store.required()?, Trap::new(Cause::Exit(status), message)))
    })
}

/// Gets the status of a trap of `wasmrt_trap_new_exit`. Returns false for any other trap; that sets
/// no last error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_trap_exit_status(
    trap: Option<&wasm_trap_t>,
    out: Option<&mut MaybeUninit<i32>>,
) -> bool {
    answer("wasmrt_trap_exit_status", false, || {
        let out = out.ok_or_else(|| null("a place to write to"))?;
        let Cause::Exit(status) = trap.required()?.body.cause else { return Ok(false) };
        out.write(status);
        Ok(true)
    })
}

/// Creates a trap with a message that carries data of the host, own, for a host function to return.
/// Returns NULL and sets the last error if `store` is NULL.
///
/// The message stays the caller's, as in `wasm_trap_new`; NULL is an empty one. Whoever called
/// WebAssembly gets `data` from the trap with `wasmrt_trap_data`. `finalizer`, if not NULL, is
/// called once with `data` when the last handle of the trap is deleted, or immediately if this
/// function fails. The trap's host info remains free for other use.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_trap_new_with_data(
    store: Option<&mut wasm_store_t>,
    message: Option<&wasm_message_t>,
    data: *mut c_void,
    finalizer: Option<unsafe extern "C" fn(data: *mut c_void)>,
) -> *mut wasm_trap_t {
    answer("wasmrt_trap_new_with_data", std::ptr::null_mut(), || {
        // Made first: it owns the data, also when there is no store.
        let trap = Trap::with_data(Cause::Host, text(message), HostData { pointer: data, finalizer });
        Ok(give(store.required()?, trap))
    })
}

/// Returns the data of a trap of `wasmrt_trap_new_with_data`, borrowed, valid as long as the trap.
/// Returns NULL for any other trap. Returns NULL and sets the last error for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_trap_data(trap: Option<&wasm_trap_t>) -> *mut c_void {
    answer("wasmrt_trap_data", std::ptr::null_mut(), || Ok(trap.required()?.body.data()))
}

/// Sets `*out` to the name of a frame's function, own: it must be passed to `wasm_byte_vec_delete`.
///
/// The name is that of the module's name section, empty if the module does not have one. If `frame`
/// is NULL, it is empty and the last error is set. On wasmi traps have no frames.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_frame_func_name(
    frame: Option<&wasm_frame_t>,
    out: Option<&mut MaybeUninit<wasm_name_t>>,
) {
    let name = answer("wasmrt_frame_func_name", None, || Ok(frame.required()?.frame.func_name.as_deref()));
    write_name(name, out)
}

/// Sets `*out` to the name of a frame's module, own, as `wasmrt_frame_func_name` does for functions.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_frame_module_name(
    frame: Option<&wasm_frame_t>,
    out: Option<&mut MaybeUninit<wasm_name_t>>,
) {
    let name = answer("wasmrt_frame_module_name", None, || Ok(frame.required()?.frame.module_name.as_deref()));
    write_name(name, out)
}

fn give(store: &Store, trap: Trap) -> *mut wasm_trap_t {
    give_handle(trap.into_handle(store))
}

fn write_name(name: Option<&str>, out: Option<&mut MaybeUninit<wasm_name_t>>) {
    name.map_or_else(wasm_name_t::empty, |name| wasm_name_t::from_bytes(name.as_bytes())).write(out)
}
