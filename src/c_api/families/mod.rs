//! What every noun has: vectors, references with host info and casts, type objects.

pub mod boxed;
pub mod reference;
pub mod vector;
