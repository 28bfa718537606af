//! The internal abstraction between the C API and the engines: what both know, and the only thing both know.
//!
//! - [`config`], [`engine`], [`trial`]: what an engine is to be like, engines, and whether they work; [`store`]: what a store
//!   keeps and for how long
//! - [`limits`], [`interruption`]: what bounds a guest in space and in time; [`module_limits`], [`compile_cost`]: and what is
//!   compiled
//! - [`quiet_thread`], [`fork`]: threads that take no signals of the host's, and what a child process inherits
//! - [`object`]: what a reference of `wasm.h` points to; identity, counts, host info; [`graveyard`]: what remains of it
//! - [`types`], [`value`]: types and values in the layout of C
//! - [`module`], [`preamble`], [`declarations`], [`artifact`]: modules, how they start, what they declare, their serialized form
//! - [`instance`], [`entry`], [`func`], [`externs`]: linking, calls from C, functions and calls of the host's, globals, tables
//!   and memories; [`guest`], [`float_mode`]: what a guest finds on the thread that it runs on
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
pub mod float_mode;
pub mod fork;
pub mod func;
pub mod graveyard;
pub mod guest;
pub mod instance;
pub mod interruption;
pub mod limits;
pub mod log;
pub mod module;
pub mod module_limits;
pub mod object;
pub mod preamble;
pub mod quiet_thread;
pub mod store;
pub mod trap;
pub mod trap_sites;
mod trial;
pub mod types;
pub mod value;

/// What the process has to know of this library, before anything that takes long or starts a thread.
pub fn prepare_process() {
    // Tests are to print why they fail, and fuzzers have a hook of their own.
    #[cfg(not(any(test, fuzzing)))]
    error::keep_panics_quiet();
    fork::prepare();
}
