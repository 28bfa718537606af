//! The host module `spectest`, which the scripts import from.

use crate::c_api::*;
use crate::script::Exports;
use crate::values::{val32, val64};

/// What the standard API has no way to make: exports of modules, for engines that have such things.
pub const BY_MODULE: [(&str, &str); 2] = [
    ("table64", "(module (table (export \"table64\") i64 10 20 funcref))"),
    ("shared_memory", "(module (memory (export \"shared_memory\") 1 2 shared))"),
];

/// All functions only print, and nobody reads it.
unsafe extern "C" fn print(_args: *const wasm_val_vec_t, _results: *mut wasm_val_vec_t) -> *mut wasm_trap_t {
    std::ptr::null_mut()
}

/// The exports, for a store.
pub fn make(store: *mut wasm_store_t) -> Result<Exports, String> {
    let mut exports = Exports::new();
    let functions: [(&str, &[u8]); 7] = [
        ("print", &[]),
        ("print_i32", &[WASM_I32]),
        ("print_i64", &[WASM_I64]),
        ("print_f32", &[WASM_F32]),
        ("print_f64", &[WASM_F64]),
        ("print_i32_f32", &[WASM_I32, WASM_F32]),
        ("print_f64_f64", &[WASM_F64, WASM_F64]),
    ];
    let globals = [
        ("global_i32", val32(WASM_I32, 666)),
        ("global_i64", val64(WASM_I64, 666)),
        ("global_f32", val32(WASM_F32, 666.6f32.to_bits())),
        ("global_f64", val64(WASM_F64, 666.6f64.to_bits())),
    ];
    let api = api();
    // SAFETY: each function gets what its declaration asks for; what is owned is taken by an Own or passed on.
    unsafe {
        for (name, params) in functions {
            let mut params: Vec<_> = params.iter().map(|kind| (api.wasm_valtype_new)(*kind)).collect();
            let mut params_vec = Vector::empty();
            (api.wasm_valtype_vec_new)(&mut params_vec, params.len(), params.as_mut_ptr());
            let ty = Own::new((api.wasm_functype_new)(&mut params_vec, &mut Vector::empty()))?;
            let func = (api.wasm_func_new)(store, ty.get(), print);
            exports.insert(name.to_string(), Own::new((api.wasm_func_as_extern)(func))?);
        }
        for (name, value) in globals {
            let ty = Own::new((api.wasm_globaltype_new)((api.wasm_valtype_new)(value.kind), 0))?;
            let global = (api.wasm_global_new)(store, ty.get(), &value);
            exports.insert(name.to_string(), Own::new((api.wasm_global_as_extern)(global))?);
        }
        let limits = wasm_limits_t { min: 10, max: 20 };
        let ty = Own::new((api.wasm_tabletype_new)((api.wasm_valtype_new)(WASM_FUNCREF), &limits))?;
        let table = (api.wasm_table_new)(store, ty.get(), std::ptr::null_mut());
        exports.insert("table".to_string(), Own::new((api.wasm_table_as_extern)(table))?);
        let limits = wasm_limits_t { min: 1, max: 2 };
        let ty = Own::new((api.wasm_memorytype_new)(&limits))?;
        let memory = (api.wasm_memory_new)(store, ty.get());
        exports.insert("memory".to_string(), Own::new((api.wasm_memory_as_extern)(memory))?);
    }
    Ok(exports)
}
