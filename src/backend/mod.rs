//! The engines that are compiled in, and nothing else.
//!
//! A backend is a folder here, a line in [`BACKENDS`], and an optional dependency with a cargo feature of the same
//! name. What it has to implement is in [`crate::runtime::core::engine_traits`]. It knows the runtime and its engine,
//! but nothing of C.

use crate::runtime::core::engine_traits::Backend;

#[cfg(not(test))]
mod common;
#[cfg(test)]
pub mod common;
#[cfg(feature = "wasmi")]
mod wasmi;
#[cfg(feature = "wasmtime")]
mod wasmtime;

/// The backends that are compiled in; the first is the default.
pub static BACKENDS: &[&dyn Backend] = &[
    #[cfg(feature = "wasmtime")]
    &wasmtime::Wasmtime,
    #[cfg(feature = "wasmi")]
    &wasmi::Wasmi,
];
