//! Tests that need to see the inside of the library, and the engines in plain Rust that they use.

mod counting;
mod mock;
mod ownership;
mod panicking;
mod panics;
