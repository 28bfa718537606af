//! Readers of binaries: what a module's bytes are, declare and cost; metering; and the envelope of serialized modules.

pub mod artifact;
pub mod compile_cost;
pub mod compile_error;
pub mod declarations;
pub mod metering;
pub mod module_limits;
pub mod preamble;
pub mod trap_sites;
