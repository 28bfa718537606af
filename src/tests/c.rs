//! Declares the functions of `wasm.h` with raw pointers, as C sees them. Tests call these as a C program does, and the
//! linker finds the exported functions. Only functions that tests call are here.

#![allow(dead_code)]
// The pointers are opaque to C, so the types behind them need no layout of C.
#![allow(improper_ctypes)]

use crate::c_api::ffi::give;
pub use crate::c_api::wasm::byte::wasm_byte_vec_t;
pub use crate::c_api::wasm::config::wasm_config_t;
pub use crate::c_api::wasm::engine::wasm_engine_t;
pub use crate::c_api::wasm::exporttype::{wasm_exporttype_t, wasm_exporttype_vec_t};
pub use crate::c_api::wasm::r#extern::{wasm_extern_t, wasm_extern_vec_t};
pub use crate::c_api::wasm::externtype::{wasm_externtype_t, wasm_externtype_vec_t};
pub use crate::c_api::wasm::foreign::wasm_foreign_t;
pub use crate::c_api::wasm::frame::{wasm_frame_t, wasm_frame_vec_t};
pub use crate::c_api::wasm::func::{wasm_func_callback_t, wasm_func_callback_with_env_t, wasm_func_t};
pub use crate::c_api::wasm::functype::{wasm_functype_t, wasm_functype_vec_t};
pub use crate::c_api::wasm::global::wasm_global_t;
pub use crate::c_api::wasm::globaltype::{wasm_globaltype_t, wasm_globaltype_vec_t};
pub use crate::c_api::wasm::importtype::{wasm_importtype_t, wasm_importtype_vec_t};
pub use crate::c_api::wasm::instance::wasm_instance_t;
pub use crate::c_api::wasm::memory::wasm_memory_t;
pub use crate::c_api::wasm::memorytype::{wasm_memorytype_t, wasm_memorytype_vec_t};
pub use crate::c_api::wasm::module::{wasm_module_t, wasm_shared_module_t};
pub use crate::c_api::wasm::r#ref::wasm_ref_t;
pub use crate::c_api::wasm::store::wasm_store_t;
pub use crate::c_api::wasm::table::wasm_table_t;
pub use crate::c_api::wasm::tabletype::{wasm_tabletype_t, wasm_tabletype_vec_t};
pub use crate::c_api::wasm::tagtype::{wasm_tagtype_t, wasm_tagtype_vec_t};
pub use crate::c_api::wasm::trap::wasm_trap_t;
pub use crate::c_api::wasm::val::wasm_val_vec_t;
pub use crate::c_api::wasm::valtype::{wasm_valtype_t, wasm_valtype_vec_t};
pub use crate::c_api::wasmrt::batch::wasmrt_column_t;
pub use crate::c_api::wasmrt::caller::{wasmrt_caller_t, wasmrt_func_callback_with_caller_t};
pub use crate::c_api::wasmrt::unchecked::{wasmrt_func_unchecked_callback_t, wasmrt_raw_t};
use crate::runtime::base::types::Limits32;
use crate::runtime::core::config::Config;
use crate::runtime::core::value::Val;
use std::ffi::{c_char, c_void};

type Finalizer = Option<unsafe extern "C" fn(*mut c_void)>;

macro_rules! vectors {
    ($($name:ident: $element:ty;)*) => {
        pastey::paste! {
            unsafe extern "C" {
                $(
                    pub fn [<wasm_ $name _vec_new_empty>](out: *mut [<wasm_ $name _vec_t>]);
                    pub fn [<wasm_ $name _vec_new_uninitialized>](out: *mut [<wasm_ $name _vec_t>], size: usize);
                    pub fn [<wasm_ $name _vec_new>](
                        out: *mut [<wasm_ $name _vec_t>],
                        size: usize,
                        data: *const $element,
                    );
                    pub fn [<wasm_ $name _vec_copy>](
                        out: *mut [<wasm_ $name _vec_t>],
                        source: *const [<wasm_ $name _vec_t>],
                    );
                    pub fn [<wasm_ $name _vec_delete>](vector: *mut [<wasm_ $name _vec_t>]);
                )*
            }
        }
    };
}
vectors! {
    byte: c_char;
    val: Val;
    valtype: *mut wasm_valtype_t;
    functype: *mut wasm_functype_t;
    globaltype: *mut wasm_globaltype_t;
    tabletype: *mut wasm_tabletype_t;
    memorytype: *mut wasm_memorytype_t;
    tagtype: *mut wasm_tagtype_t;
    externtype: *mut wasm_externtype_t;
    importtype: *mut wasm_importtype_t;
    exporttype: *mut wasm_exporttype_t;
    frame: *mut wasm_frame_t;
    r#extern: *mut wasm_extern_t;
}

macro_rules! boxed {
    ($($name:ident)*) => {
        pastey::paste! {
            unsafe extern "C" {
                $(
                    pub fn [<wasm_ $name _delete>](it: *mut [<wasm_ $name _t>]);
                    pub fn [<wasm_ $name _copy>](it: *const [<wasm_ $name _t>]) -> *mut [<wasm_ $name _t>];
                )*
            }
        }
    };
}
boxed!(functype globaltype tabletype memorytype tagtype externtype importtype exporttype frame);

macro_rules! references {
    ($($name:ident)*) => {
        pastey::paste! {
            boxed!($($name)*);
            unsafe extern "C" {
                $(
                    pub fn [<wasm_ $name _same>](one: *const [<wasm_ $name _t>], other: *const [<wasm_ $name _t>]) -> bool;
                    pub fn [<wasm_ $name _get_host_info>](handle: *const [<wasm_ $name _t>]) -> *mut c_void;
                    pub fn [<wasm_ $name _set_host_info>](handle: *mut [<wasm_ $name _t>], info: *mut c_void);
                    pub fn [<wasm_ $name _set_host_info_with_finalizer>](
                        handle: *mut [<wasm_ $name _t>],
                        info: *mut c_void,
                        finalizer: Finalizer,
                    );
                )*
            }
        }
    };
}
references!(r#ref trap foreign module func global table memory r#extern instance);

unsafe extern "C" {
    pub fn wasm_config_delete(config: *mut wasm_config_t);
    pub fn wasm_config_new() -> *mut wasm_config_t;
    pub fn wasm_engine_delete(engine: *mut wasm_engine_t);
    pub fn wasm_engine_new_with_config(config: *mut wasm_config_t) -> *mut wasm_engine_t;
    pub fn wasm_store_delete(store: *mut wasm_store_t);
    pub fn wasm_store_new(engine: *mut wasm_engine_t) -> *mut wasm_store_t;
    pub fn wasm_valtype_kind(ty: *const wasm_valtype_t) -> u8;
    pub fn wasm_valtype_new(kind: u8) -> *mut wasm_valtype_t;
    pub fn wasm_functype_as_externtype(ty: *mut wasm_functype_t) -> *mut wasm_externtype_t;
    pub fn wasm_functype_new(params: *mut wasm_valtype_vec_t, results: *mut wasm_valtype_vec_t)
    -> *mut wasm_functype_t;
    pub fn wasm_functype_params(ty: *const wasm_functype_t) -> *const wasm_valtype_vec_t;
    pub fn wasm_functype_results(ty: *const wasm_functype_t) -> *const wasm_valtype_vec_t;
    pub fn wasm_globaltype_as_externtype(ty: *mut wasm_globaltype_t) -> *mut wasm_externtype_t;
    pub fn wasm_globaltype_mutability(ty: *const wasm_globaltype_t) -> u8;
    pub fn wasm_globaltype_new(content: *mut wasm_valtype_t, mutability: u8) -> *mut wasm_globaltype_t;
    pub fn wasm_tabletype_new(element: *mut wasm_valtype_t, limits: *const Limits32) -> *mut wasm_tabletype_t;
    pub fn wasm_memorytype_as_externtype(ty: *mut wasm_memorytype_t) -> *mut wasm_externtype_t;
    pub fn wasm_memorytype_new(limits: *const Limits32) -> *mut wasm_memorytype_t;
    pub fn wasm_tagtype_functype(ty: *const wasm_tagtype_t) -> *const wasm_functype_t;
    pub fn wasm_tagtype_new(ty: *mut wasm_functype_t) -> *mut wasm_tagtype_t;
    pub fn wasm_externtype_as_functype(ty: *mut wasm_externtype_t) -> *mut wasm_functype_t;
    pub fn wasm_externtype_as_globaltype(ty: *mut wasm_externtype_t) -> *mut wasm_globaltype_t;
    pub fn wasm_externtype_as_memorytype(ty: *mut wasm_externtype_t) -> *mut wasm_memorytype_t;
    pub fn wasm_importtype_module(ty: *const wasm_importtype_t) -> *const wasm_byte_vec_t;
    pub fn wasm_importtype_name(ty: *const wasm_importtype_t) -> *const wasm_byte_vec_t;
    pub fn wasm_importtype_new(
        module: *mut wasm_byte_vec_t,
        name: *mut wasm_byte_vec_t,
        ty: *mut wasm_externtype_t,
    ) -> *mut wasm_importtype_t;
    pub fn wasm_importtype_type(ty: *const wasm_importtype_t) -> *const wasm_externtype_t;
    pub fn wasm_exporttype_name(ty: *const wasm_exporttype_t) -> *const wasm_byte_vec_t;
    pub fn wasm_exporttype_new(name: *mut wasm_byte_vec_t, ty: *mut wasm_externtype_t) -> *mut wasm_exporttype_t;
    pub fn wasm_val_copy(out: *mut Val, source: *const Val);
    pub fn wasm_val_delete(value: *mut Val);
    pub fn wasm_ref_as_func(view: *mut wasm_ref_t) -> *mut wasm_func_t;
    pub fn wasm_ref_as_trap(view: *mut wasm_ref_t) -> *mut wasm_trap_t;
    pub fn wasm_frame_func_index(frame: *const wasm_frame_t) -> u32;
    pub fn wasm_frame_func_offset(frame: *const wasm_frame_t) -> usize;
    pub fn wasm_frame_instance(frame: *const wasm_frame_t) -> *mut wasm_instance_t;
    pub fn wasm_trap_as_ref(handle: *mut wasm_trap_t) -> *mut wasm_ref_t;
    pub fn wasm_trap_message(trap: *const wasm_trap_t, out: *mut wasm_byte_vec_t);
    pub fn wasm_trap_new(store: *mut wasm_store_t, message: *const wasm_byte_vec_t) -> *mut wasm_trap_t;
    pub fn wasm_trap_origin(trap: *const wasm_trap_t) -> *mut wasm_frame_t;
    pub fn wasm_trap_trace(trap: *const wasm_trap_t, out: *mut wasm_frame_vec_t);
    pub fn wasm_foreign_as_ref(handle: *mut wasm_foreign_t) -> *mut wasm_ref_t;
    pub fn wasm_foreign_new(store: *mut wasm_store_t) -> *mut wasm_foreign_t;
    pub fn wasm_module_as_ref(handle: *mut wasm_module_t) -> *mut wasm_ref_t;
    pub fn wasm_module_deserialize(store: *mut wasm_store_t, bytes: *const wasm_byte_vec_t) -> *mut wasm_module_t;
    pub fn wasm_module_exports(module: *const wasm_module_t, out: *mut wasm_exporttype_vec_t);
    pub fn wasm_module_imports(module: *const wasm_module_t, out: *mut wasm_importtype_vec_t);
    pub fn wasm_module_new(store: *mut wasm_store_t, binary: *const wasm_byte_vec_t) -> *mut wasm_module_t;
    pub fn wasm_module_obtain(store: *mut wasm_store_t, shared: *const wasm_shared_module_t) -> *mut wasm_module_t;
    pub fn wasm_module_serialize(module: *const wasm_module_t, out: *mut wasm_byte_vec_t);
    pub fn wasm_module_share(module: *const wasm_module_t) -> *mut wasm_shared_module_t;
    pub fn wasm_module_validate(store: *mut wasm_store_t, binary: *const wasm_byte_vec_t) -> bool;
    pub fn wasm_shared_module_delete(shared: *mut wasm_shared_module_t);
    pub fn wasm_func_as_extern(handle: *mut wasm_func_t) -> *mut wasm_extern_t;
    pub fn wasm_func_as_ref(handle: *mut wasm_func_t) -> *mut wasm_ref_t;
    pub fn wasmrt_func_call_batch(
        func: *const wasm_func_t,
        rows: usize,
        args: *const wasmrt_column_t,
        arg_count: usize,
        results: *const wasmrt_column_t,
        result_count: usize,
        rows_done: *mut usize,
        trap: *mut *mut wasm_trap_t,
    ) -> bool;
    pub fn wasmrt_func_call_unchecked(func: *const wasm_func_t, values: *mut wasmrt_raw_t) -> *mut wasm_trap_t;
    pub fn wasmrt_func_new_unchecked(
        store: *mut wasm_store_t,
        ty: *const wasm_functype_t,
        callback: wasmrt_func_unchecked_callback_t,
        env: *mut c_void,
        finalizer: Finalizer,
    ) -> *mut wasm_func_t;
    pub fn wasm_func_call(
        func: *const wasm_func_t,
        args: *const wasm_val_vec_t,
        results: *mut wasm_val_vec_t,
    ) -> *mut wasm_trap_t;
    pub fn wasm_func_new(
        store: *mut wasm_store_t,
        ty: *const wasm_functype_t,
        callback: wasm_func_callback_t,
    ) -> *mut wasm_func_t;
    pub fn wasm_func_new_with_env(
        store: *mut wasm_store_t,
        ty: *const wasm_functype_t,
        callback: wasm_func_callback_with_env_t,
        env: *mut c_void,
        finalizer: Finalizer,
    ) -> *mut wasm_func_t;
    pub fn wasm_global_as_extern(handle: *mut wasm_global_t) -> *mut wasm_extern_t;
    pub fn wasm_global_get(global: *const wasm_global_t, out: *mut Val);
    pub fn wasm_global_new(
        store: *mut wasm_store_t,
        ty: *const wasm_globaltype_t,
        value: *const Val,
    ) -> *mut wasm_global_t;
    pub fn wasm_global_set(global: *mut wasm_global_t, value: *const Val);
    pub fn wasm_table_as_extern(handle: *mut wasm_table_t) -> *mut wasm_extern_t;
    pub fn wasm_table_get(table: *const wasm_table_t, index: u32) -> *mut wasm_ref_t;
    pub fn wasm_table_grow(table: *mut wasm_table_t, delta: u32, init: *mut wasm_ref_t) -> bool;
    pub fn wasm_table_new(
        store: *mut wasm_store_t,
        ty: *const wasm_tabletype_t,
        init: *mut wasm_ref_t,
    ) -> *mut wasm_table_t;
    pub fn wasm_table_set(table: *mut wasm_table_t, index: u32, value: *mut wasm_ref_t) -> bool;
    pub fn wasm_memory_as_extern(handle: *mut wasm_memory_t) -> *mut wasm_extern_t;
    pub fn wasm_memory_data(memory: *mut wasm_memory_t) -> *mut c_char;
    pub fn wasm_memory_data_size(memory: *const wasm_memory_t) -> usize;
    pub fn wasm_memory_grow(memory: *mut wasm_memory_t, delta: u32) -> bool;
    pub fn wasm_memory_new(store: *mut wasm_store_t, ty: *const wasm_memorytype_t) -> *mut wasm_memory_t;
    pub fn wasm_memory_size(memory: *const wasm_memory_t) -> u32;
    pub fn wasm_extern_as_func(view: *mut wasm_extern_t) -> *mut wasm_func_t;
    pub fn wasm_extern_as_global(view: *mut wasm_extern_t) -> *mut wasm_global_t;
    pub fn wasm_extern_as_memory(view: *mut wasm_extern_t) -> *mut wasm_memory_t;
    pub fn wasm_extern_as_ref(handle: *mut wasm_extern_t) -> *mut wasm_ref_t;
    pub fn wasm_extern_as_table(view: *mut wasm_extern_t) -> *mut wasm_table_t;
    pub fn wasm_instance_as_ref(handle: *mut wasm_instance_t) -> *mut wasm_ref_t;
    pub fn wasm_instance_exports(instance: *const wasm_instance_t, out: *mut wasm_extern_vec_t);
    pub fn wasm_instance_new(
        store: *mut wasm_store_t,
        module: *const wasm_module_t,
        imports: *const wasm_extern_vec_t,
        trap: *mut *mut wasm_trap_t,
    ) -> *mut wasm_instance_t;
}

unsafe extern "C" {
    pub fn wasmrt_func_new_with_caller(
        store: *mut wasm_store_t,
        ty: *const wasm_functype_t,
        callback: wasmrt_func_callback_with_caller_t,
        env: *mut c_void,
        finalizer: Finalizer,
    ) -> *mut wasm_func_t;
    pub fn wasmrt_caller_instance(caller: *const wasmrt_caller_t) -> *const wasm_instance_t;
    pub fn wasmrt_caller_memory(caller: *const wasmrt_caller_t, size: *mut usize) -> *mut c_char;
    pub fn wasmrt_caller_store(caller: *const wasmrt_caller_t) -> *mut wasm_store_t;
    pub fn wasmrt_store_data(store: *const wasm_store_t) -> *mut c_void;
    pub fn wasmrt_store_set_data(store: *mut wasm_store_t, data: *mut c_void, finalizer: Finalizer) -> bool;
}

/// A configuration that no function of C makes, as C owns it.
pub fn config_of(config: Config) -> *mut wasm_config_t {
    give(config).map_or(std::ptr::null_mut(), Box::into_raw)
}
