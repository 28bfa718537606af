//! Panics behind every kind of function: it returns, records an error, and the library goes on working.

use crate::c_api::families::vector::Vector;
use crate::c_api::guard;
use crate::runtime::base::error::{self, ErrorKind};
use crate::runtime::core::config::Config;
use crate::runtime::core::value::Val;
use crate::tests::c::*;
use crate::tests::panicking::Panicking;
use std::ptr::{null, null_mut};

const MODULE: &str = r#"(module (func (export "f")) (global (export "g") i32 (i32.const 0))
    (memory (export "m") 1) (table (export "t") 1 funcref)
    (func (export "h") (result i32) (i32.const 0)))"#;

/// Returns the message that a caught panic leaves, and clears it.
fn message() -> String {
    assert_eq!(error::last_kind(), Some(ErrorKind::Internal));
    // SAFETY: an error was recorded just now, so there is a message until the next failure of this thread.
    let text = unsafe { std::ffi::CStr::from_ptr(error::last_message()) }.to_string_lossy().into_owned();
    error::clear();
    text
}

#[test]
fn a_panic_becomes_the_fallback_and_an_error() {
    assert_eq!(guard(7, || panic!("a {} panic", "provoked")), 7);
    assert_eq!(message(), "internal error: a provoked panic");
}

/// Runs in a process of its own, because it checks what the process prints.
#[test]
fn a_caught_panic_prints_nothing_and_says_where_it_was() {
    const CHILD: &str = "CHILD_THAT_PANICS";
    if std::env::var_os(CHILD).is_some() {
        error::keep_panics_quiet();
        assert_eq!(guard(7, || panic!("a provoked panic")), 7);
        let message = message();
        assert!(message.starts_with("internal error: a provoked panic (panics.rs:"), "{message}");
        std::thread::spawn(|| panic!("another")).join().expect_err("it panics");
        return;
    }
    let mut child = std::process::Command::new(std::env::current_exe().expect("this program"));
    let name = "tests::panics::a_caught_panic_prints_nothing_and_says_where_it_was";
    let output = child.args(["--exact", name, "--nocapture"]).env(CHILD, "1").output().expect("a child");
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && printed.is_empty(), "{}: {printed}", output.status);
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "no such test: {name}");
}

#[test]
fn the_library_survives_panics_behind_its_functions() {
    let mut config = Config::default();
    config.set_backend(&Panicking);
    // SAFETY: the functions are called as `wasm.h` allows.
    unsafe {
        let engine = wasm_engine_new_with_config(config_of(config));
        let store = wasm_store_new(engine);
        let wasm = wasm_byte_vec_t::from_bytes(&wat::parse_str(MODULE).expect("valid text"));
        assert!(!wasm_module_validate(store, &wasm));
        assert_eq!(message(), "internal error: validate");
        let module = wasm_module_new(store, &wasm);
        let mut bytes = wasm_byte_vec_t { size: 5, data: null_mut() };
        wasm_module_serialize(module, &mut bytes);
        assert_eq!((bytes.size, message().as_str()), (0, "internal error: serialize"));

        // Three times, because nothing may stay locked or half done.
        for _ in 0..3 {
            let instance = wasm_instance_new(store, module, null(), null_mut());
            assert!(!instance.is_null());
            let mut exports = wasm_extern_vec_t::empty();
            wasm_instance_exports(instance, &mut exports);
            let exported = std::slice::from_raw_parts(exports.data, exports.size);

            // The first function panics itself. For the other one, turning its failure into a trap panics.
            for (position, text) in [(0, "internal error: call"), (4, "internal error: explain")] {
                let function = wasm_extern_as_func(exported[position]);
                let mut value = Val::i32(0);
                let mut results = wasm_val_vec_t { size: 1, data: &mut value };
                let trap = wasm_func_call(function, null(), &mut results);
                assert!(!trap.is_null(), "a call that did not end must not look like one that did");
                assert_eq!(message(), text);
                wasm_trap_delete(trap);
            }

            let mut value = Val::i32(7);
            wasm_global_get(wasm_extern_as_global(exported[1]), &mut value);
            assert_eq!((value.kind, message().as_str()), (128, "internal error: global_get"));
            assert_eq!(wasm_memory_size(wasm_extern_as_memory(exported[2])), 0);
            assert_eq!(message(), "internal error: memory_size");
            assert!(wasm_table_get(wasm_extern_as_table(exported[3]), 0).is_null());
            assert_eq!(message(), "internal error: table_get");

            wasm_extern_vec_delete(&mut exports);
            wasm_instance_delete(instance);
        }
        wasm_module_delete(module);
        wasm_store_delete(store);
        wasm_engine_delete(engine);
        drop(wasm_byte_vec_t::take(&mut { wasm }));
    }
}
