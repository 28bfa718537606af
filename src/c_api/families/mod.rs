//! Functions that many nouns have, made by macros: vectors, references with host info and casts, and boxed values.

pub mod boxed;
pub mod reference;
pub mod vector;
