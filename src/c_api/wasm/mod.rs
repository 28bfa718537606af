//! The functions of `wasm.h`, a file for each noun, in the order of the standard, which is the order of the header.

pub mod byte;
pub mod config;
pub mod engine;
pub mod store;
pub mod valtype;
pub mod functype;
pub mod globaltype;
pub mod limits;
pub mod tabletype;
pub mod memorytype;
pub mod tagtype;
pub mod externtype;
pub mod importtype;
pub mod exporttype;
pub mod val;
pub mod r#ref;
pub mod frame;
pub mod trap;
pub mod foreign;
pub mod module;
pub mod func;
pub mod global;
pub mod table;
pub mod memory;
pub mod r#extern;
pub mod instance;
