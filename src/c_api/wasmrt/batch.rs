//! Calls for many rows
//!
//! A function is called for each row of a table whose columns are arrays: a column of values for
//! each of its parameters, and one for each of its results. That takes a fraction of the time of as
//! many calls of `wasm_func_call`, and does the same.

use crate::c_api::answer;
use crate::c_api::ffi::{CType, give_handle, null};
use crate::c_api::wasm::func::wasm_func_t;
use crate::c_api::wasm::trap::wasm_trap_t;
use crate::c_api::wasm::valtype::wasm_valkind_t;
use crate::runtime::base::error::{Error, Result};
use crate::runtime::core::batch::{self, Column};
use std::ffi::c_void;

/// The values of one parameter or result, one for each row.
#[repr(C)]
pub struct wasmrt_column_t {
    /// What `data` is an array of.
    pub kind: wasm_valkind_t,
    /// The number of values that the array has, or has room for: at least that of the rows.
    pub size: usize,
    /// An array of `int32_t`, `int64_t`, `float`, `double` or `wasm_ref_t*`, at any address.
    pub data: *mut c_void,
}

// The runtime's type has the same fields.
const _: () = assert!(
    size_of::<wasmrt_column_t>() == size_of::<Column>()
        && std::mem::offset_of!(wasmrt_column_t, kind) == std::mem::offset_of!(Column, kind)
        && std::mem::offset_of!(wasmrt_column_t, size) == std::mem::offset_of!(Column, size)
        && std::mem::offset_of!(wasmrt_column_t, data) == std::mem::offset_of!(Column, data)
);

/// Calls a function for each of `rows` rows, in order. Returns whether all of them were done.
///
/// `args` has a column for each parameter, and `results` one for each result, with the kinds of the
/// function's type. The `data` of a column of results may be NULL if they are not wanted. References
/// in `args` are not taken; those in `results` are own, and what was there before is not read. A
/// column of results may have the same array as one of `args` whose values are as wide; otherwise
/// the arrays must not overlap. Nothing else may use them during the call.
///
/// If a row traps, no later one is called: returns false and sets `*trap`, own. If the columns do
/// not match the function, no row is called: returns false, sets the last error, and `*trap` to
/// NULL, as it also is on success. `*rows_done` is the number of rows that were done before: their
/// results are written, and no others. Either pointer may be NULL.
///
/// Fuel is used as by single calls. A timeout for calls counts for the batch as a whole, and an
/// interrupt stops it. A function may be called in this way by a host function that it has called.
///
/// Large batches of a function of WebAssembly are called from inside the engine, unless the type has
/// references or the engine has fuel or a pool. What the engine needs for that is made once for a
/// type of functions, when enough rows have been called, and kept until the store is deleted: 64 KB
/// of memory, for at most 32 types. Limits of the store do not count it.
#[unsafe(no_mangle)]
#[allow(clippy::too_many_arguments)] // columns, and where to put what happened
pub unsafe extern "C" fn wasmrt_func_call_batch(
    func: Option<&wasm_func_t>,
    rows: usize,
    args: *const wasmrt_column_t,
    arg_count: usize,
    results: *const wasmrt_column_t,
    result_count: usize,
    rows_done: *mut usize,
    trap: *mut *mut wasm_trap_t,
) -> bool {
    let (mut done, mut failure) = (0, std::ptr::null_mut());
    let whole = answer("wasmrt_func_call_batch", false, || {
        let func = func.ok_or_else(|| null(wasm_func_t::NOUN))?;
        // SAFETY: C says how many columns there are, with what arrays, and that nothing else uses them.
        let (done_rows, stopped) = unsafe {
            let (args, results) = (columns(args, arg_count)?, columns(results, result_count)?);
            batch::call(func.rust(), rows, args, results)?
        };
        done = done_rows;
        Ok(match stopped {
            None => true,
            // Without a place for it, it is deleted here.
            Some(handle) => {
                if !trap.is_null() {
                    failure = give_handle(handle);
                }
                false
            }
        })
    });
    // SAFETY: each is NULL or C's to write to.
    unsafe {
        if !rows_done.is_null() {
            rows_done.write(done);
        }
        if !trap.is_null() {
            trap.write(failure);
        }
    }
    whole
}

/// # Safety
/// The pointer is NULL, or there are `count` columns, which do not change while the answer is used.
unsafe fn columns<'a>(columns: *const wasmrt_column_t, count: usize) -> Result<&'a [Column]> {
    match columns.is_null() {
        _ if count == 0 => Ok(&[]),
        true => Err(Error::misuse(format!("expected {count} columns, got NULL"))),
        // SAFETY: there are `count` columns, as the caller says, and the runtime's type has the same layout.
        false => Ok(unsafe { std::slice::from_raw_parts(columns.cast(), count) }),
    }
}
