//! The internal abstraction between the C API and the engines: what both know, and the only thing both know.
//!
//! - [`config`], [`engine`]: what an engine is to be like, and engines; [`store`]: what a store keeps and for how long
//! - [`limits`], [`interruption`]: what bounds a guest in space and in time; [`module_limits`], [`compile_cost`]: and what is compiled
//! - [`object`]: what a reference of `wasm.h` points to; identity, counts, host info; [`graveyard`]: what remains of it
//! - [`types`], [`value`]: types and values in the layout of C
//! - [`module`], [`declarations`], [`artifact`]: modules, what they declare, their serialized form
//! - [`instance`], [`entry`], [`func`], [`externs`]: linking, calls from C, functions and calls of the host's, globals, tables
//!   and memories
//! - [`trap`], [`trap_sites`], [`error`], [`compile_error`]: what goes wrong inside and outside WebAssembly; [`log`]: what
//!   somebody should know of all the same

pub mod artifact;
pub mod compile_cost;
pub mod compile_error;
pub mod config;
#[cfg(test)]
pub mod counting;
pub mod declarations;
pub mod engine;
pub mod entry;
pub mod error;
pub mod externs;
pub mod func;
pub mod graveyard;
pub mod instance;
pub mod interruption;
pub mod limits;
pub mod log;
pub mod module;
pub mod module_limits;
pub mod object;
pub mod store;
pub mod trap;
pub mod trap_sites;
pub mod types;
pub mod value;
