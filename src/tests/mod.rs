//! Tests that need to see the inside of the library, and the engines in plain Rust that they use.

mod c;
mod counting;
mod mock;
mod names;
mod ownership;
mod panicking;
mod panics;
