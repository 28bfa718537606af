//! A static library of Rust that has nothing to do with wasmrt but the language.

use std::collections::HashMap;

/// The square of `number`, through allocation, hashing and a thread; -1 if one of them panics, as they do for negative ones.
#[unsafe(no_mangle)]
pub extern "C" fn other_square(number: i32) -> i32 {
    let square = move || {
        assert!(number >= 0, "negative");
        let squares: HashMap<i32, i32> = (0..=number).map(|number| (number, number * number)).collect();
        squares[&number]
    };
    std::thread::spawn(square).join().unwrap_or(-1)
}
