//! Tests that need to see the inside of the library, and the engines in plain Rust that they run on.

mod counting;
mod mock;
mod ownership;
mod panicking;
mod panics;
