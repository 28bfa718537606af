//! What the functions of C mean, whichever engine runs the code. Uses nothing outside itself: no engine, and no
//! function of C.
//!
//! Three floors, each of which uses only those below it:
//!
//! - [`base`]: errors, the log, types, trap codes, options and limits, the host's data, threads
//! - [`binary`]: readers of modules
//! - [`core`]: objects, stores, functions, instances, modules, traps, interruption; and [`core::engine_traits`], what
//!   an engine has to implement

pub mod base;
pub mod binary;
pub mod core;
