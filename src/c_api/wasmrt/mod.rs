//! The functions of `wasmrt.h`: what the standard leaves to each implementation.

// In the order of the header: choosing and setting up an engine, bounding a guest, knowing what went wrong, giving it a system.
pub mod version;
pub mod backend;
pub mod config;
pub mod fuel;
pub mod interruption;
pub mod limits;
pub mod error;
pub mod trap;
pub mod log;
pub mod wat;
pub mod wasi;
