//! `libwasmrt`: the standard WebAssembly C API, `wasm.h`, over engines that are chosen at run time.
//!
//! The house, from the outside in:
//!
//! - [`c_api`]: the exported functions, one file per noun of the standard; `c_api/wasmrt` has those of `wasmrt.h`. They
//!   unwrap arguments, call the runtime and wrap its answer. No engine is named there.
//! - [`runtime`]: what C's functions mean, engine or no engine: objects and their identity, host info, stores and what they
//!   keep, linking, calls, traps, serialized modules.
//! - [`backend`]: what an engine has to do ([`backend::Store`] and its neighbours), and a folder for each. No C is named
//!   there.
//!
//! Ownership: a C pointer is a counted handle to one allocation per object ([`runtime::object`]); handles keep their store,
//! and a store keeps what its engine can still hand out ([`runtime::store`]).
//!
//! Threads: engines, configurations being given, and shared modules are usable from any thread; a store and all that
//! belongs to it from one thread at a time, except that handles may be copied and deleted anywhere.

pub mod backend;
pub mod c_api;
pub mod runtime;

/// The version of the library.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
