//! The object graph: stores and everything in them, what they are made from, and what an engine has to do for them.
//! The files refer to each other in a circle, as the objects do.

pub mod arity;
pub mod backtrace;
pub mod batch;
pub mod cache;
pub mod caller;
pub mod config;
pub mod engine;
pub mod engine_traits;
pub mod exception;
pub mod entry;
pub mod fork;
pub mod func;
pub mod gc;
pub mod global;
pub mod guest;
pub mod instance;
pub mod interruption;
pub mod linker;
pub mod memory;
pub mod module;
pub mod object;
pub mod store;
pub mod table;
pub mod trap;
mod trial;
pub mod value;
