//! Readers of binaries: what a module's bytes are, say and cost, and the envelope of a serialized one.

pub mod artifact;
pub mod compile_cost;
pub mod compile_error;
pub mod declarations;
pub mod module_limits;
pub mod preamble;
pub mod trap_sites;
