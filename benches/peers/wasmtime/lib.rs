//! wasmtime's own C API as a shared library: the crate is an rlib only.
pub use wasmtime_c_api::*;
