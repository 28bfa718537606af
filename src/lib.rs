//! `libwasmrt`: the standard WebAssembly C API, `wasm.h`, over engines that are chosen at run time.
//!
//! The house, from the outside in, and the arrows allowed in it (`scripts/check-arrows` holds them):
//!
//! - [`c_api`]: the exported functions, a file for each noun of the standard and for each topic of `wasmrt.h`. They unwrap
//!   arguments, call the runtime and wrap its answer. No engine is named there. Knows `runtime`, `wasi`, and the registry of `backend`.
//! - [`backend`]: the registry of engines, and a folder for each: what makes an engine do what the runtime asks of it. No
//!   function of C is named there. Knows `runtime`.
//! - [`runtime`]: what C's functions mean, engine or no engine: objects and their identity, host info, stores and what they
//!   keep, linking, calls, traps, serialized modules; and what an engine has to do. Knows nothing outside itself.
//! - [`wasi`]: WASI preview 1 as host functions of the runtime, the same on every engine. Knows `runtime`.
//! - `tests`: engines in plain Rust, and the tests that need to see the inside.
//!
//! Ownership: a C pointer is a counted handle to one allocation per object ([`runtime::core::object`]); handles keep their
//! store, and a store keeps what its engine can still hand out ([`runtime::core::store`]).
//!
//! Threads: engines, configurations being given, and shared modules are usable from any thread; a store and all that
//! belongs to it from one thread at a time, except that handles may be copied and deleted anywhere.

// The runtime has what any engine needs: what is dead shows when all engines are there.
#![cfg_attr(not(all(feature = "wasmtime", feature = "wasmi")), allow(dead_code))]

mod backend;
pub mod c_api;
mod runtime;
#[cfg(test)]
mod tests;
mod wasi;

/// The version of the library.
const VERSION: &str = env!("CARGO_PKG_VERSION");
