//! Readers and writers of binaries: what a module's bytes are, declare and cost; how to put sections in place of others;
//! metering; instrumentation for engines that lack something; the envelope of serialized modules; and the module that calls a function for many rows.

pub mod artifact;
pub mod bulk;
pub mod call_loop;
pub mod code;
pub mod compile_cost;
pub mod compile_error;
pub mod declarations;
#[cfg_attr(not(loads_engines), allow(dead_code))] // only engines that are loaded need it
pub mod instrument;
pub mod metering;
pub mod module_limits;
pub mod preamble;
pub mod sections;
pub mod trap_sites;
