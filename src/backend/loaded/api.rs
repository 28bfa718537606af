//! The functions that a loaded library has to have, and those that it may have, with the types that they take.
//!
//! Names of symbols are put together here, from a prefix and the name of a field. Every vector crosses the border as a
//! pointer, never by value. So one layout serves all libraries: those whose vectors are shorter use its beginning.

use crate::runtime::base::types::Limits32;
use crate::runtime::core::value::Val;
use std::ffi::{CStr, c_char, c_void};
use std::ptr::{NonNull, null_mut};

macro_rules! opaque {
    ($($name:ident)*) => {
        $(
            #[repr(C)]
            pub struct $name([u8; 0]);
        )*
    };
}
opaque! {
    PeerConfig PeerEngine PeerStore PeerModule PeerShared PeerInstance PeerTrap PeerFrame PeerRef PeerForeign PeerError
    PeerExtern PeerFunc PeerGlobal PeerTable PeerMemory
    PeerExportType PeerImportType PeerExternType PeerValType PeerFuncType PeerGlobalType PeerTableType PeerMemoryType
}

/// A vector. The fields after the second are those of the WebAssembly Micro Runtime.
#[repr(C)]
pub struct Vector<T> {
    pub size: usize,
    pub data: *mut T,
    elements: usize,
    element_size: usize,
    lock: *mut c_void,
}

impl<T> Vector<T> {
    /// A vector for the library to write. Like the standard's empty ones it has no array.
    pub fn empty() -> Vector<T> {
        Vector::at(null_mut(), 0)
    }

    /// A view of a slice, for a library that only reads it.
    #[inline(always)]
    pub fn of(slice: &[T]) -> Vector<T> {
        Vector::at(slice.as_ptr().cast_mut(), slice.len())
    }

    #[inline(always)]
    pub fn at(data: *mut T, size: usize) -> Vector<T> {
        Vector { size, data, elements: size, element_size: size_of::<T>(), lock: null_mut() }
    }

    /// The elements that the library has written, if the vector has an array.
    ///
    /// # Safety
    /// The vector is as the library left it, and not freed.
    pub unsafe fn as_slice(&self) -> &[T] {
        if self.size == 0 || self.data.is_null() {
            return &[];
        }
        // SAFETY: the library says that there are so many elements.
        unsafe { std::slice::from_raw_parts(self.data, self.size) }
    }
}

pub type Callback = unsafe extern "C" fn(*mut c_void, *const Vector<Val>, *mut Vector<Val>) -> *mut PeerTrap;
type Finalizer = Option<unsafe extern "C" fn(*mut c_void)>;

/// A function that this library has and no other.
pub fn is_this_library(symbol: impl Fn(&CStr) -> Option<NonNull<c_void>>) -> bool {
    let name = CStr::from_bytes_with_nul(concat!("wasmrt_", "version", "\0").as_bytes());
    name.is_ok_and(|name| symbol(name).is_some())
}

macro_rules! functions {
    (
        needed { $($name:ident($($arg:ty),*) $(-> $result:ty)?;)* }
        $(optional $prefix:literal { $($may:ident($($may_arg:ty),*) $(-> $may_result:ty)?;)* })*
    ) => {
        /// The functions of a library, by their names in the standard without its prefix. Their signatures are the
        /// standard's, so a function of such a name is taken to have it.
        pub struct Api {
            $(pub $name: unsafe extern "C" fn($($arg),*) $(-> $result)?,)*
            $($(pub $may: Option<unsafe extern "C" fn($($may_arg),*) $(-> $may_result)?>,)*)*
        }

        impl Api {
            /// How many functions are needed.
            pub const NEEDED: usize = [$(stringify!($name)),*].len();

            /// Finds the functions. Fails with the names of those that are missing.
            pub fn find(symbol: impl Fn(&CStr) -> Option<NonNull<c_void>>) -> Result<Api, Vec<&'static str>> {
                let address = |name: &'static str| {
                    symbol(CStr::from_bytes_with_nul(name.as_bytes()).expect("one zero, at the end"))
                };
                let mut missing = Vec::new();
                $(
                    let name = concat!("wasm_", stringify!($name), "\0");
                    let $name = address(name);
                    if $name.is_none() {
                        missing.push(name.trim_end_matches('\0'));
                    }
                )*
                if !missing.is_empty() {
                    return Err(missing);
                }
                // SAFETY: all needed functions are there, and all have the standard's signatures; see above. An
                // optional function is a pointer that may be null.
                unsafe {
                    Ok(Api {
                        $($name: std::mem::transmute::<
                            Option<NonNull<c_void>>,
                            unsafe extern "C" fn($($arg),*) $(-> $result)?,
                        >($name),)*
                        $($($may: std::mem::transmute::<
                            Option<NonNull<c_void>>,
                            Option<unsafe extern "C" fn($($may_arg),*) $(-> $may_result)?>,
                        >(address(concat!($prefix, stringify!($may), "\0"))),)*)*
                    })
                }
            }
        }
    };
}
functions! {
    needed {
    engine_new() -> *mut PeerEngine;
    engine_delete(*mut PeerEngine);
    store_new(*mut PeerEngine) -> *mut PeerStore;
    store_delete(*mut PeerStore);

    byte_vec_delete(*mut Vector<u8>);
    valtype_new(u8) -> *mut PeerValType;
    valtype_vec_new(*mut Vector<*mut PeerValType>, usize, *const *mut PeerValType);
    functype_new(*mut Vector<*mut PeerValType>, *mut Vector<*mut PeerValType>) -> *mut PeerFuncType;
    functype_delete(*mut PeerFuncType);
    globaltype_new(*mut PeerValType, u8) -> *mut PeerGlobalType;
    globaltype_delete(*mut PeerGlobalType);
    tabletype_new(*mut PeerValType, *const Limits32) -> *mut PeerTableType;
    tabletype_delete(*mut PeerTableType);
    memorytype_new(*const Limits32) -> *mut PeerMemoryType;
    memorytype_delete(*mut PeerMemoryType);

    module_new(*mut PeerStore, *const Vector<u8>) -> *mut PeerModule;
    module_validate(*mut PeerStore, *const Vector<u8>) -> bool;
    module_delete(*mut PeerModule);
    instance_new(
        *mut PeerStore, *const PeerModule, *const Vector<*mut PeerExtern>, *mut *mut PeerTrap
    ) -> *mut PeerInstance;
    instance_exports(*const PeerInstance, *mut Vector<*mut PeerExtern>);
    instance_delete(*mut PeerInstance);

    extern_kind(*const PeerExtern) -> u8;
    extern_as_func(*mut PeerExtern) -> *mut PeerFunc;
    extern_as_global(*mut PeerExtern) -> *mut PeerGlobal;
    extern_as_table(*mut PeerExtern) -> *mut PeerTable;
    extern_as_memory(*mut PeerExtern) -> *mut PeerMemory;
    extern_vec_delete(*mut Vector<*mut PeerExtern>);

    func_new_with_env(*mut PeerStore, *const PeerFuncType, Callback, *mut c_void, Finalizer) -> *mut PeerFunc;
    func_call(*const PeerFunc, *const Vector<Val>, *mut Vector<Val>) -> *mut PeerTrap;
    func_as_extern(*mut PeerFunc) -> *mut PeerExtern;
    func_delete(*mut PeerFunc);
    global_new(*mut PeerStore, *const PeerGlobalType, *const Val) -> *mut PeerGlobal;
    global_get(*const PeerGlobal, *mut Val);
    global_set(*mut PeerGlobal, *const Val);
    global_as_extern(*mut PeerGlobal) -> *mut PeerExtern;
    global_delete(*mut PeerGlobal);
    table_new(*mut PeerStore, *const PeerTableType, *mut PeerRef) -> *mut PeerTable;
    table_get(*const PeerTable, u32) -> *mut PeerRef;
    table_set(*mut PeerTable, u32, *mut PeerRef) -> bool;
    table_size(*const PeerTable) -> u32;
    table_grow(*mut PeerTable, u32, *mut PeerRef) -> bool;
    table_as_extern(*mut PeerTable) -> *mut PeerExtern;
    table_delete(*mut PeerTable);
    memory_new(*mut PeerStore, *const PeerMemoryType) -> *mut PeerMemory;
    memory_data(*mut PeerMemory) -> *mut u8;
    memory_data_size(*const PeerMemory) -> usize;
    memory_size(*const PeerMemory) -> u32;
    memory_grow(*mut PeerMemory, u32) -> bool;
    memory_as_extern(*mut PeerMemory) -> *mut PeerExtern;
    memory_delete(*mut PeerMemory);

    trap_new(*mut PeerStore, *const Vector<u8>) -> *mut PeerTrap;
    trap_message(*const PeerTrap, *mut Vector<u8>);
    trap_delete(*mut PeerTrap);
    }
    optional "wasm_" {
        module_exports(*const PeerModule, *mut Vector<*mut PeerExportType>);
        exporttype_name(*const PeerExportType) -> *const Vector<u8>;
        exporttype_vec_delete(*mut Vector<*mut PeerExportType>);
        module_imports(*const PeerModule, *mut Vector<*mut PeerImportType>);
        importtype_module(*const PeerImportType) -> *const Vector<u8>;
        importtype_name(*const PeerImportType) -> *const Vector<u8>;
        importtype_type(*const PeerImportType) -> *const PeerExternType;
        importtype_vec_delete(*mut Vector<*mut PeerImportType>);
        externtype_kind(*const PeerExternType) -> u8;
        trap_trace(*const PeerTrap, *mut Vector<*mut PeerFrame>);
        frame_vec_delete(*mut Vector<*mut PeerFrame>);
        frame_func_index(*const PeerFrame) -> u32;
        frame_func_offset(*const PeerFrame) -> usize;
        frame_module_offset(*const PeerFrame) -> usize;
        ref_copy(*const PeerRef) -> *mut PeerRef;
        ref_delete(*mut PeerRef);
        ref_as_func(*mut PeerRef) -> *mut PeerFunc;
        func_as_ref(*mut PeerFunc) -> *mut PeerRef;
        foreign_new(*mut PeerStore) -> *mut PeerForeign;
        foreign_as_ref(*mut PeerForeign) -> *mut PeerRef;
        foreign_delete(*mut PeerForeign);
        foreign_set_host_info(*mut PeerForeign, *mut c_void);
        ref_get_host_info(*const PeerRef) -> *mut c_void;
        func_type(*const PeerFunc) -> *mut PeerFuncType;
        functype_params(*const PeerFuncType) -> *const Vector<*mut PeerValType>;
        functype_results(*const PeerFuncType) -> *const Vector<*mut PeerValType>;
        valtype_kind(*const PeerValType) -> u8;
        config_new() -> *mut PeerConfig;
        config_set_backend(*mut PeerConfig, u32);
        engine_new_with_config(*mut PeerConfig) -> *mut PeerEngine;
    }
    optional "" {
        wasm_instance_new_with_args(
            *mut PeerStore, *const PeerModule, *const Vector<*mut PeerExtern>, *mut *mut PeerTrap, u32, u32
        ) -> *mut PeerInstance;
        wasm_runtime_init_thread_env() -> bool;
        wasm_runtime_destroy_thread_env();
        wasm_runtime_get_version(*mut u32, *mut u32, *mut u32);
        wasm_runtime_set_log_level(i32);
        wasmtime_trap_code(*const PeerTrap, *mut u8) -> bool;
        wasmtime_module_validate(*mut PeerEngine, *const u8, usize) -> *mut PeerError;
        wasmtime_module_new(*mut PeerEngine, *const u8, usize, *mut *mut PeerShared) -> *mut PeerError;
        wasmtime_module_delete(*mut PeerShared);
        wasmtime_error_message(*const PeerError, *mut Vector<u8>);
        wasmtime_error_delete(*mut PeerError);
        wasmer_is_backend_available(u32) -> bool;
        wasmer_version() -> *const c_char;
        wasmer_last_error_length() -> i32;
        wasmer_last_error_message(*mut c_char, i32) -> i32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_vectors_have_no_array() {
        let empty = Vector::<u64>::empty();
        assert!(empty.data.is_null());
        assert_eq!((empty.size, empty.elements, empty.element_size), (0, 0, 8));
        // SAFETY: there is nothing in it.
        assert!(unsafe { empty.as_slice() }.is_empty());
    }
}
