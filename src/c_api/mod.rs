//! `wasm.h` and `wasmrt.h`, function by function: unwrap the arguments, call the runtime, wrap the answer.
//!
//! One file per noun of the standard. Functions that come in families (vectors, references, casts) are made by the macros
//! of [`families`]. Nothing here knows an engine. The headers are generated from this folder: the comments
//! of exported items are what C programmers read.
//!
//! Conventions
//! - How C pointers become Rust is said in [`ffi`]: the signature of an exported function is its contract.
//! - Every function answers through [`answer`] or [`guard`]: a failure is recorded as the thread's last error and becomes
//!   the fallback, and so does a panic.
//! - `own` parameters are taken before anything can fail, so that they are released in any case.

#![allow(non_camel_case_types)]
// The contract of an exported function is its comment in the header, where C programmers read it.
#![allow(clippy::missing_safety_doc)]

pub mod families;
pub mod ffi;
pub mod wasm;
pub mod wasmrt;

use crate::runtime::base::error::{self, Advice, Error, ErrorKind, Result, record_panic};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `body`; a panic becomes the thread's last error and the answer `fallback`. Nothing unwinds into C.
#[inline(always)]
pub(crate) fn guard<R>(fallback: R, body: impl FnOnce() -> R) -> R {
    // State behind the panic is as after any early return: locks and counts are restored by drops on the way.
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(answer) => answer,
        Err(panic) => {
            record_panic(panic);
            fallback
        }
    }
}

/// Runs `body`; an error becomes the thread's last one and the answer `fallback`. `function` is the name of the C
/// function, for messages about its misuse.
#[inline(always)]
pub(crate) fn answer<R>(function: &str, fallback: R, body: impl FnOnce() -> Result<R>) -> R {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => {
            record_in(function, error);
            fallback
        }
        Err(panic) => {
            record_panic(panic);
            fallback
        }
    }
}

#[cold]
fn record_in(function: &str, mut error: Error) {
    if error.kind == ErrorKind::Misuse {
        error.message.insert_str(0, &format!("{function}: "));
    }
    if let Some(advice) = error.advice {
        error.message.push_str(match advice {
            Advice::Compile => "; compile it with wasm_module_new instead",
            Advice::Deserialize => "; load it with wasm_module_deserialize instead",
            Advice::ConvertText => "; convert it with wasmrt_wat2wasm first",
            Advice::RaiseModuleLimit => "; wasmrt_config_set_module_limit raises it, for modules that can be trusted",
            Advice::TurnProposalOn => "; turn it on with wasmrt_config_set_proposal before the engine is made",
            Advice::ConfigureFuel => "; call wasmrt_config_set_fuel on the configuration before the engine is made",
        });
    }
    error::record(&error);
}
