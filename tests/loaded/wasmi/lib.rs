//! Every function of wasm.h that wasmi has.
pub use wasmi_c_api::*;
