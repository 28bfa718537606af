//! The engines that are compiled in, and the door for those that are loaded.
//!
//! A backend is a folder here, a line in [`BACKENDS`], and an optional dependency with a cargo feature of the same
//! name. What it has to implement is in [`crate::runtime::core::engine_traits`]. It knows the runtime and its engine,
//! but nothing of C.

use crate::runtime::core::config::Registry;
use crate::runtime::core::engine_traits::Backend;

#[cfg(not(test))]
mod common;
#[cfg(test)]
pub mod common;
#[cfg(loads_engines)]
mod loaded;
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

/// All backends: those that are compiled in, and those that are loaded when somebody asks for them.
pub static REGISTRY: Registry = Registry {
    built_in: BACKENDS,
    #[cfg(loads_engines)]
    loader: Some(loaded::LOADER),
    #[cfg(not(loads_engines))]
    loader: None,
};
