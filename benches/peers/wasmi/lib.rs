//! wasmi's own C API as a shared library: the crate is an rlib only.
pub use wasmi_c_api::*;
