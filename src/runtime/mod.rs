//! What the functions of C mean, whichever engine runs the code. Knows nothing outside itself: no engine, and no function of C.
//!
//! Three floors, each of which knows only those below it:
//!
//! - [`base`]: errors, the log, types, codes of traps, options and limits, the host's data, threads
//! - [`binary`]: readers of modules
//! - [`core`]: objects, stores, functions, instances, modules, traps, interruption; and [`core::engine_traits`], what an
//!   engine has to do

pub mod base;
pub mod binary;
pub mod core;
