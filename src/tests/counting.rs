//! Counts live objects and stores from the inside: after ten thousand cycles through the C functions none is left, on
//! any engine.

use crate::backend::BACKENDS;
use crate::c_api::families::vector::{Parts, Vector};
use crate::runtime::base::counting;
use crate::runtime::core::config::Config;
use crate::runtime::core::engine_traits::Backend;
use crate::runtime::core::object::Object;
use crate::runtime::core::value::Val;
use crate::tests::c::*;
use std::ffi::c_void;
use std::ptr::{null, null_mut};

const CYCLES: usize = 10_000;

const MODULE: &str = r#"(module
    (import "" "" (func $host (param externref) (result externref)))
    (func (export "call") (param externref) (result externref) (call $host (local.get 0)))
    (func (export "trap") unreachable)
    (global (export "global") (mut i32) (i32.const 7))
    (table (export "table") 2 funcref) (elem (i32.const 0) 1)
    (memory (export "memory") 1))"#;

fn live() -> (isize, isize) {
    (counting::OBJECTS.get(), counting::STORES.get())
}

unsafe extern "C" fn count(counter: *mut c_void) {
    // SAFETY: the tests pass a pointer to a counter.
    unsafe { *counter.cast::<usize>() += 1 };
}

/// A host function that returns its argument.
unsafe extern "C" fn hand_back(
    _env: *mut c_void,
    arguments: *const wasm_val_vec_t,
    results: *mut wasm_val_vec_t,
) -> *mut wasm_trap_t {
    // SAFETY: both vectors have one value, as the function's type says.
    unsafe { (*results).data.write((*(*arguments).data).duplicate()) };
    null_mut()
}

unsafe fn host_function(store: *mut wasm_store_t, finalized: *mut usize) -> *mut wasm_func_t {
    // SAFETY: the functions are called as `wasm.h` allows.
    unsafe {
        let types = || {
            let types = [wasm_valtype_new(128)];
            wasm_valtype_vec_t::from_parts(Parts::from_slice(&types))
        };
        let ty = wasm_functype_new(&mut types(), &mut types());
        let function = wasm_func_new_with_env(store, ty, Some(hand_back), finalized.cast(), Some(count));
        wasm_functype_delete(ty);
        function
    }
}

unsafe fn engine(backend: &'static dyn Backend) -> *mut wasm_engine_t {
    let mut config = Config::default();
    config.set_backend(backend);
    // SAFETY: `config_of` makes a configuration that the call takes over.
    unsafe { wasm_engine_new_with_config(config_of(config)) }
}

unsafe fn pass_foreign(store: *mut wasm_store_t, function: *const wasm_func_t, finalized: *mut usize) {
    // SAFETY: the functions are called as `wasm.h` allows.
    unsafe {
        let foreign = wasm_foreign_new(store);
        wasm_foreign_set_host_info_with_finalizer(foreign, finalized.cast(), Some(count));
        let mut argument = Val::null(crate::runtime::base::types::ValKind::ExternRef);
        argument.of.r#ref = foreign.cast::<Object>();
        let mut result = Val::i32(0);
        let arguments = wasm_val_vec_t { size: 1, data: &mut argument };
        let mut results = wasm_val_vec_t { size: 1, data: &mut result };
        assert!(wasm_func_call(function, &arguments, &mut results).is_null());
        assert_eq!(result.of.r#ref, foreign.cast());
        wasm_val_delete(&mut result);
        wasm_foreign_delete(foreign);
    }
}

#[test]
fn no_store_is_left_nor_anything_in_it() {
    let before = live();
    let mut finalized = 0;
    for backend in BACKENDS.iter().copied() {
        // SAFETY: the functions are called as `wasm.h` allows.
        unsafe {
            let engine = engine(backend);
            let first = wasm_store_new(engine);
            let wasm = wasm_byte_vec_t::from_bytes(&wat::parse_str(MODULE).expect("valid text"));
            let module = wasm_module_new(first, &wasm);
            let shared = wasm_module_share(module);
            wasm_module_delete(module);
            wasm_store_delete(first);
            assert_eq!(live(), before);

            for _ in 0..CYCLES {
                let store = wasm_store_new(engine);
                let module = wasm_module_obtain(store, shared);
                let mut host = host_function(store, &mut finalized);
                let imports = wasm_extern_vec_t { size: 1, data: (&raw mut host).cast() };
                let instance = wasm_instance_new(store, module, &imports, null_mut());
                let mut exports = wasm_extern_vec_t::empty();
                wasm_instance_exports(instance, &mut exports);
                let exported = std::slice::from_raw_parts(exports.data, exports.size);
                pass_foreign(store, wasm_extern_as_func(exported[0]), &mut finalized);
                let trap = wasm_func_call(wasm_extern_as_func(exported[1]), null(), null_mut());
                assert!(!trap.is_null());
                let element = wasm_table_get(wasm_extern_as_table(exported[3]), 0);
                // A module, a function, an instance, its five exports and a trap; and the foreign object, if the
                // engine has not collected it.
                let (objects, stores) = live();
                assert_eq!(stores, before.1 + 1);
                assert!((9..=10).contains(&(objects - before.0)), "{objects} objects");

                // The store is deleted before some of the objects in it.
                wasm_ref_delete(element);
                wasm_instance_delete(instance);
                wasm_store_delete(store);
                wasm_module_delete(module);
                wasm_func_delete(host);
                wasm_extern_vec_delete(&mut exports);
                assert_eq!(live().1, before.1 + 1, "a trap keeps its store");
                wasm_trap_delete(trap);
                assert_eq!(live(), before);
            }
            wasm_shared_module_delete(shared);
            wasm_engine_delete(engine);
            drop(wasm_byte_vec_t::take(&mut { wasm }));
        }
    }
    assert_eq!(finalized, BACKENDS.len() * CYCLES * 2);
}

#[test]
fn no_object_is_left_in_a_store_that_lives() {
    let before = live();
    for backend in BACKENDS.iter().copied() {
        let mut finalized = 0;
        // SAFETY: the functions are called as `wasm.h` allows.
        unsafe {
            let engine = engine(backend);
            let store = wasm_store_new(engine);
            for _ in 0..CYCLES {
                let function = host_function(store, &mut finalized);
                pass_foreign(store, function, &mut finalized);
                wasm_func_delete(wasm_func_copy(function));
                assert_eq!(live().0, before.0 + 1);
                wasm_func_delete(function);

                let mut message = wasm_byte_vec_t::from_bytes(b"made by the host\0");
                let trap = wasm_trap_new(store, &message);
                wasm_trap_set_host_info_with_finalizer(trap, (&raw mut finalized).cast(), Some(count));
                wasm_trap_delete(trap);
                drop(wasm_byte_vec_t::take(&mut message));
                assert_eq!(live(), (before.0, before.1 + 1));
            }
            wasm_store_delete(store);
            wasm_engine_delete(engine);
        }
        assert_eq!(finalized, CYCLES * 3);
    }
    assert_eq!(live(), before);
}
