//! The functions of `wasmrt.h`: what the standard leaves to each implementation.

pub mod backend;
pub mod error;
pub mod version;
pub mod wat;
