//! The floors: the same operations as the rows of the benchmark, by the cheapest way that each engine's public Rust interface
//! offers. No implementation of wasm.h over these engines can do with less, as long as it does not know more than the engine.
//!
//! The benchmark loads this as it loads implementations of wasm.h, and calls the two functions below instead.

use std::ffi::{CStr, c_char};

mod wasmi_floor;
mod wasmtime_floor;

/// Does the operation so many times.
type Floor = Box<dyn FnMut(u64)>;

/// What a row works on, or NULL if there is no such row; `WASMRT_BACKEND` says of which engine.
///
/// # Safety
/// `row` is a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn floor_prepare(row: *const c_char, parameter: u64) -> *mut Floor {
    // SAFETY: as promised by the caller.
    let row = unsafe { CStr::from_ptr(row) }.to_str().unwrap();
    let floor = match std::env::var("WASMRT_BACKEND").as_deref() {
        Ok("wasmi") => wasmi_floor::prepare(row, parameter),
        _ => wasmtime_floor::prepare(row, parameter),
    };
    floor.map_or(std::ptr::null_mut(), |floor| Box::into_raw(Box::new(floor)))
}

/// # Safety
/// `floor` is from `floor_prepare`, and not NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn floor_run(floor: *mut Floor, count: u64) {
    // SAFETY: as promised by the caller.
    unsafe { (*floor)(count) }
}

/// Instances stay until their store goes; as many share one as in the benchmark.
const INSTANCES_OF_A_STORE: u64 = 100;
const INSTANCES_WITH_DATA_OF_A_STORE: u64 = 10;

fn module(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

const CALL_NOTHING: &str = r#"(module (func (export "f")))"#;
const CALL_I32: &str = r#"(module (func (export "f") (param i32) (result i32) local.get 0))"#;
const CALL_MIXED: &str = r#"(module (func (export "f") (param i32 i64 f32 f64) (result i64) local.get 1))"#;
const CALL_PAIR: &str = r#"(module (func (export "f") (result i32 i64) i32.const 1 i64.const 2))"#;

const CALLBACK_NOTHING: &str = r#"(module
  (import "host" "f" (func $f))
  (func (export "f") (param i32)
    loop
      call $f
      (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))
    end))"#;

const CALLBACK_I32: &str = r#"(module
  (import "host" "f" (func $f (param i32) (result i32)))
  (func (export "f") (param i32)
    loop
      (drop (call $f (local.get 0)))
      (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))
    end))"#;

const OBJECTS: &str = r#"(module
  (func $f)
  (global (export "global") (mut i32) (i32.const 42))
  (memory (export "memory") 1)
  (table (export "table") 10 funcref)
  (elem (i32.const 0) $f $f $f $f $f $f $f $f $f $f))"#;

fn with_data(kilobytes: u64) -> String {
    format!(
        r#"(module (memory (export "memory") {}) (data (i32.const 0) "{}"))"#,
        kilobytes / 64 + 1,
        "data".repeat(kilobytes as usize * 256)
    )
}

fn with_imports(count: u64) -> String {
    let imports: String = (0..count).map(|i| format!(r#"(import "host" "import_{i}" (func))"#)).collect();
    let exports: String = (0..count).map(|i| format!(r#"(func (export "export_{i}"))"#)).collect();
    format!("(module {imports} {exports})")
}
