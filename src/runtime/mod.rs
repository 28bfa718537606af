//! The internal abstraction between the C API and the engines: what both know, and the only thing both know.
//!
//! - [`engine`]: configuration and engine; [`store`]: what a store keeps and for how long
//! - [`object`]: what a reference of `wasm.h` points to; identity, counts, host info
//! - [`types`], [`value`]: types and values in the layout of C
//! - [`module`], [`declarations`], [`artifact`]: modules, what they declare, their serialized form
//! - [`instance`], [`func`], [`externs`]: linking, calls in both directions, globals, tables and memories
//! - [`trap`], [`trap_sites`], [`error`]: what goes wrong inside and outside WebAssembly

pub mod artifact;
pub mod declarations;
pub mod engine;
pub mod error;
pub mod externs;
pub mod func;
pub mod instance;
pub mod module;
pub mod object;
pub mod store;
pub mod trap;
pub mod trap_sites;
pub mod types;
pub mod value;
