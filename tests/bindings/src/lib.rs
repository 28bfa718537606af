//! The C functions of the library, found in it by name when a test program starts.
//!
//! Only those that the test programs call are here, declared by hand.

#![allow(non_camel_case_types)]
#![allow(clippy::missing_safety_doc)] // What C's functions ask for stands in the headers.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::Path;
use std::ptr::NonNull;
use std::sync::OnceLock;

macro_rules! opaque {
    ($($name:ident)*) => {
        $(
            #[repr(C)]
            pub struct $name([u8; 0]);
        )*
    };
}

opaque!(
    wasm_config_t wasm_engine_t wasm_exporttype_t wasm_extern_t wasm_externtype_t wasm_foreign_t wasm_func_t
    wasm_functype_t wasm_global_t wasm_globaltype_t wasm_importtype_t wasm_instance_t wasm_memory_t wasm_memorytype_t
    wasm_module_t wasm_ref_t wasm_store_t wasm_table_t wasm_tabletype_t wasm_trap_t wasm_valtype_t
);

#[repr(C)]
pub struct Vector<T> {
    pub size: usize,
    pub data: *mut T,
}

pub type wasm_byte_vec_t = Vector<u8>;
pub type wasm_val_vec_t = Vector<wasm_val_t>;
pub type wasm_valtype_vec_t = Vector<*mut wasm_valtype_t>;
pub type wasm_importtype_vec_t = Vector<*mut wasm_importtype_t>;
pub type wasm_exporttype_vec_t = Vector<*mut wasm_exporttype_t>;
pub type wasm_extern_vec_t = Vector<*mut wasm_extern_t>;

impl<T> Vector<T> {
    pub fn empty() -> Vector<T> {
        Vector { size: 0, data: std::ptr::null_mut() }
    }

    /// # Safety
    /// The vector's elements are there.
    pub unsafe fn elements(&self) -> &[T] {
        if self.size == 0 {
            return &[];
        }
        // SAFETY: as promised by the caller.
        unsafe { std::slice::from_raw_parts(self.data, self.size) }
    }

    /// A vector that borrows its elements.
    pub fn of(elements: &mut [T]) -> Vector<T> {
        Vector { size: elements.len(), data: elements.as_mut_ptr() }
    }
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct wasm_val_t {
    pub kind: u8,
    pub of: wasm_val_union,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub union wasm_val_union {
    pub bits32: u32,
    pub bits64: u64,
    pub reference: *mut wasm_ref_t,
}

#[repr(C)]
pub struct wasm_limits_t {
    pub min: u32,
    pub max: u32,
}

pub const WASM_I32: u8 = 0;
pub const WASM_I64: u8 = 1;
pub const WASM_F32: u8 = 2;
pub const WASM_F64: u8 = 3;
pub const WASM_EXTERNREF: u8 = 128;
pub const WASM_FUNCREF: u8 = 129;
pub const WASM_EXTERN_FUNC: u8 = 0;
pub const WASM_EXTERN_GLOBAL: u8 = 1;
pub const WASM_EXTERN_TABLE: u8 = 2;
pub const WASM_EXTERN_MEMORY: u8 = 3;

pub const WASMRT_V128: u8 = 4;
pub const WASMRT_ANYREF: u8 = 130;

pub const WASMRT_ERROR_COMPILE: u32 = 2;
pub const WASMRT_ERROR_LINK: u32 = 3;

pub type wasm_func_callback_t = unsafe extern "C" fn(*const wasm_val_vec_t, *mut wasm_val_vec_t) -> *mut wasm_trap_t;

pub type wasm_func_callback_with_env_t =
    unsafe extern "C" fn(*mut c_void, *const wasm_val_vec_t, *mut wasm_val_vec_t) -> *mut wasm_trap_t;

macro_rules! functions {
    ($(fn $name:ident($($param:ty),*) $(-> $result:ty)?;)*) => {
        pub struct Functions {
            $(pub $name: unsafe extern "C" fn($($param),*) $(-> $result)?,)*
        }

        impl Functions {
            /// # Safety
            /// `library` is a handle to libwasmrt, which stays loaded.
            unsafe fn find(library: *mut c_void) -> Result<Functions, String> {
                // SAFETY: these are the functions' types, as the headers declare them.
                unsafe {
                    Ok(Functions {
                        $($name: std::mem::transmute::<*mut c_void, unsafe extern "C" fn($($param),*) $(-> $result)?>(
                            symbol(library, stringify!($name))?,
                        ),)*
                    })
                }
            }
        }
    };
}

functions! {
    fn wasm_config_new() -> *mut wasm_config_t;
    fn wasm_engine_new_with_config(*mut wasm_config_t) -> *mut wasm_engine_t;
    fn wasm_engine_delete(*mut wasm_engine_t);
    fn wasm_store_new(*mut wasm_engine_t) -> *mut wasm_store_t;
    fn wasm_store_delete(*mut wasm_store_t);

    fn wasm_byte_vec_delete(*mut wasm_byte_vec_t);
    fn wasm_valtype_vec_new(*mut wasm_valtype_vec_t, usize, *const *mut wasm_valtype_t);
    fn wasm_importtype_vec_delete(*mut wasm_importtype_vec_t);
    fn wasm_exporttype_vec_delete(*mut wasm_exporttype_vec_t);

    fn wasm_valtype_new(u8) -> *mut wasm_valtype_t;
    fn wasm_valtype_kind(*const wasm_valtype_t) -> u8;
    fn wasm_functype_new(*mut wasm_valtype_vec_t, *mut wasm_valtype_vec_t) -> *mut wasm_functype_t;
    fn wasm_functype_delete(*mut wasm_functype_t);
    fn wasm_functype_params(*const wasm_functype_t) -> *const wasm_valtype_vec_t;
    fn wasm_functype_results(*const wasm_functype_t) -> *const wasm_valtype_vec_t;
    fn wasm_globaltype_new(*mut wasm_valtype_t, u8) -> *mut wasm_globaltype_t;
    fn wasm_globaltype_delete(*mut wasm_globaltype_t);
    fn wasm_globaltype_content(*const wasm_globaltype_t) -> *const wasm_valtype_t;
    fn wasm_globaltype_mutability(*const wasm_globaltype_t) -> u8;
    fn wasm_tabletype_new(*mut wasm_valtype_t, *const wasm_limits_t) -> *mut wasm_tabletype_t;
    fn wasm_tabletype_delete(*mut wasm_tabletype_t);
    fn wasm_tabletype_element(*const wasm_tabletype_t) -> *const wasm_valtype_t;
    fn wasm_tabletype_limits(*const wasm_tabletype_t) -> *const wasm_limits_t;
    fn wasm_memorytype_new(*const wasm_limits_t) -> *mut wasm_memorytype_t;
    fn wasm_memorytype_delete(*mut wasm_memorytype_t);
    fn wasm_memorytype_limits(*const wasm_memorytype_t) -> *const wasm_limits_t;
    fn wasm_externtype_kind(*const wasm_externtype_t) -> u8;
    fn wasm_externtype_as_functype_const(*const wasm_externtype_t) -> *const wasm_functype_t;
    fn wasm_externtype_as_globaltype_const(*const wasm_externtype_t) -> *const wasm_globaltype_t;
    fn wasm_externtype_as_tabletype_const(*const wasm_externtype_t) -> *const wasm_tabletype_t;
    fn wasm_externtype_as_memorytype_const(*const wasm_externtype_t) -> *const wasm_memorytype_t;
    fn wasm_importtype_module(*const wasm_importtype_t) -> *const wasm_byte_vec_t;
    fn wasm_importtype_name(*const wasm_importtype_t) -> *const wasm_byte_vec_t;
    fn wasm_importtype_type(*const wasm_importtype_t) -> *const wasm_externtype_t;
    fn wasm_exporttype_name(*const wasm_exporttype_t) -> *const wasm_byte_vec_t;
    fn wasm_exporttype_type(*const wasm_exporttype_t) -> *const wasm_externtype_t;

    fn wasm_val_delete(*mut wasm_val_t);
    fn wasm_ref_same(*const wasm_ref_t, *const wasm_ref_t) -> bool;
    fn wasm_ref_copy(*const wasm_ref_t) -> *mut wasm_ref_t;
    fn wasm_ref_delete(*mut wasm_ref_t);
    fn wasm_ref_as_func(*mut wasm_ref_t) -> *mut wasm_func_t;
    fn wasm_foreign_new(*mut wasm_store_t) -> *mut wasm_foreign_t;
    fn wasm_foreign_delete(*mut wasm_foreign_t);
    fn wasm_foreign_as_ref(*mut wasm_foreign_t) -> *mut wasm_ref_t;
    fn wasm_trap_message(*const wasm_trap_t, *mut wasm_byte_vec_t);
    fn wasm_trap_new(*mut wasm_store_t, *const wasm_byte_vec_t) -> *mut wasm_trap_t;
    fn wasm_trap_delete(*mut wasm_trap_t);

    fn wasm_module_validate(*mut wasm_store_t, *const wasm_byte_vec_t) -> bool;
    fn wasm_module_new(*mut wasm_store_t, *const wasm_byte_vec_t) -> *mut wasm_module_t;
    fn wasm_module_delete(*mut wasm_module_t);
    fn wasm_module_imports(*const wasm_module_t, *mut wasm_importtype_vec_t);
    fn wasm_module_exports(*const wasm_module_t, *mut wasm_exporttype_vec_t);

    fn wasm_instance_new(
        *mut wasm_store_t, *const wasm_module_t, *const wasm_extern_vec_t, *mut *mut wasm_trap_t
    ) -> *mut wasm_instance_t;
    fn wasm_instance_delete(*mut wasm_instance_t);
    fn wasm_instance_exports(*const wasm_instance_t, *mut wasm_extern_vec_t);

    fn wasm_extern_vec_delete(*mut wasm_extern_vec_t);
    fn wasm_extern_delete(*mut wasm_extern_t);
    fn wasm_extern_as_func(*mut wasm_extern_t) -> *mut wasm_func_t;
    fn wasm_extern_as_global(*mut wasm_extern_t) -> *mut wasm_global_t;
    fn wasm_extern_as_table(*mut wasm_extern_t) -> *mut wasm_table_t;
    fn wasm_extern_as_memory(*mut wasm_extern_t) -> *mut wasm_memory_t;
    fn wasm_extern_as_ref(*mut wasm_extern_t) -> *mut wasm_ref_t;
    fn wasm_extern_kind(*const wasm_extern_t) -> u8;
    fn wasm_func_new(*mut wasm_store_t, *const wasm_functype_t, wasm_func_callback_t) -> *mut wasm_func_t;
    fn wasm_func_new_with_env(
        *mut wasm_store_t, *const wasm_functype_t, wasm_func_callback_with_env_t, *mut c_void,
        Option<unsafe extern "C" fn(*mut c_void)>
    ) -> *mut wasm_func_t;
    fn wasm_func_type(*const wasm_func_t) -> *mut wasm_functype_t;
    fn wasm_func_as_extern(*mut wasm_func_t) -> *mut wasm_extern_t;
    fn wasm_func_call(*const wasm_func_t, *const wasm_val_vec_t, *mut wasm_val_vec_t) -> *mut wasm_trap_t;
    fn wasm_global_new(*mut wasm_store_t, *const wasm_globaltype_t, *const wasm_val_t) -> *mut wasm_global_t;
    fn wasm_global_type(*const wasm_global_t) -> *mut wasm_globaltype_t;
    fn wasm_global_as_extern(*mut wasm_global_t) -> *mut wasm_extern_t;
    fn wasm_global_get(*const wasm_global_t, *mut wasm_val_t);
    fn wasm_global_set(*mut wasm_global_t, *const wasm_val_t);
    fn wasm_table_new(*mut wasm_store_t, *const wasm_tabletype_t, *mut wasm_ref_t) -> *mut wasm_table_t;
    fn wasm_table_as_extern(*mut wasm_table_t) -> *mut wasm_extern_t;
    fn wasm_table_type(*const wasm_table_t) -> *mut wasm_tabletype_t;
    fn wasm_table_get(*const wasm_table_t, u32) -> *mut wasm_ref_t;
    fn wasm_table_set(*mut wasm_table_t, u32, *mut wasm_ref_t) -> bool;
    fn wasm_table_size(*const wasm_table_t) -> u32;
    fn wasm_table_grow(*mut wasm_table_t, u32, *mut wasm_ref_t) -> bool;
    fn wasm_memory_new(*mut wasm_store_t, *const wasm_memorytype_t) -> *mut wasm_memory_t;
    fn wasm_memory_as_extern(*mut wasm_memory_t) -> *mut wasm_extern_t;
    fn wasm_memory_data(*mut wasm_memory_t) -> *mut u8;
    fn wasm_memory_data_size(*const wasm_memory_t) -> usize;
    fn wasm_memory_size(*const wasm_memory_t) -> u32;
    fn wasm_memory_grow(*mut wasm_memory_t, u32) -> bool;

    fn wasmrt_backend_count() -> usize;
    fn wasmrt_backend_name(usize) -> *const c_char;
    fn wasmrt_config_set_backend(*mut wasm_config_t, *const c_char) -> bool;
    fn wasmrt_config_set_fuel(*mut wasm_config_t, bool) -> bool;
    fn wasmrt_config_set_interruption(*mut wasm_config_t, bool) -> bool;
    fn wasmrt_store_set_fuel(*mut wasm_store_t, u64) -> bool;
    fn wasmrt_last_error_clear();
    fn wasmrt_last_error_kind() -> u32;
    fn wasmrt_last_error_message() -> *const c_char;
    fn wasmrt_wat2wasm(*const c_char, usize, *mut wasm_byte_vec_t) -> bool;
}

static FUNCTIONS: OnceLock<Functions> = OnceLock::new();

/// The library's functions; [`load`] comes first.
pub fn api() -> &'static Functions {
    FUNCTIONS.get().expect("the library has been loaded")
}

/// Loads the library.
pub fn load(path: &Path) -> Result<(), String> {
    let name = CString::new(path.as_os_str().as_encoded_bytes()).map_err(|error| error.to_string())?;
    // SAFETY: the library is loaded for good, and what runs on loading it is its own affair.
    let functions = unsafe {
        let library = libc::dlopen(name.as_ptr(), libc::RTLD_NOW as c_int);
        if library.is_null() {
            return Err(loader_error());
        }
        Functions::find(library)?
    };
    FUNCTIONS.set(functions).map_err(|_| "the library is loaded already".to_string())
}

/// # Safety
/// `library` is a handle from dlopen.
unsafe fn symbol(library: *mut c_void, name: &str) -> Result<*mut c_void, String> {
    let c_name = CString::new(name).map_err(|error| error.to_string())?;
    // SAFETY: as promised by the caller.
    let address = unsafe { libc::dlsym(library, c_name.as_ptr()) };
    if address.is_null() { Err(loader_error()) } else { Ok(address) }
}

fn loader_error() -> String {
    // SAFETY: dlerror gives NULL or a string that stays until the next call.
    unsafe {
        let message = libc::dlerror();
        if message.is_null() { "unknown error of dlopen".to_string() } else { text(message) }
    }
}

/// # Safety
/// `string` is NULL or zero-terminated.
pub unsafe fn text(string: *const c_char) -> String {
    if string.is_null() {
        return String::new();
    }
    // SAFETY: as promised by the caller.
    unsafe { CStr::from_ptr(string) }.to_string_lossy().into_owned()
}

/// The thread's last error: kind and message.
pub fn last_error() -> (u32, String) {
    let api = api();
    // SAFETY: no preconditions; the message stays until the next failure.
    unsafe { ((api.wasmrt_last_error_kind)(), text((api.wasmrt_last_error_message)())) }
}

/// An object of the library that somebody must delete.
pub trait Deleted: Sized {
    fn delete(functions: &Functions) -> unsafe extern "C" fn(*mut Self);
}

macro_rules! deleted {
    ($($name:ident by $delete:ident)*) => {
        $(
            impl Deleted for $name {
                fn delete(functions: &Functions) -> unsafe extern "C" fn(*mut $name) {
                    functions.$delete
                }
            }
        )*
    };
}

deleted!(
    wasm_engine_t by wasm_engine_delete
    wasm_extern_t by wasm_extern_delete
    wasm_foreign_t by wasm_foreign_delete
    wasm_functype_t by wasm_functype_delete
    wasm_globaltype_t by wasm_globaltype_delete
    wasm_instance_t by wasm_instance_delete
    wasm_memorytype_t by wasm_memorytype_delete
    wasm_module_t by wasm_module_delete
    wasm_ref_t by wasm_ref_delete
    wasm_store_t by wasm_store_delete
    wasm_tabletype_t by wasm_tabletype_delete
    wasm_trap_t by wasm_trap_delete
);

/// An owned object, deleted when dropped.
pub struct Own<T: Deleted>(NonNull<T>);

impl<T: Deleted> Own<T> {
    /// Takes an object that the library gave up; an error, in the library's words, if it gave none.
    ///
    /// # Safety
    /// The pointer is NULL or owned by the caller.
    pub unsafe fn new(pointer: *mut T) -> Result<Own<T>, String> {
        NonNull::new(pointer).map(Own).ok_or_else(|| last_error().1)
    }

    pub fn get(&self) -> *mut T {
        self.0.as_ptr()
    }

    /// Gives the object to somebody else.
    pub fn give(self) -> *mut T {
        std::mem::ManuallyDrop::new(self).get()
    }
}

impl<T: Deleted> Drop for Own<T> {
    fn drop(&mut self) {
        // SAFETY: owned.
        unsafe { T::delete(api())(self.0.as_ptr()) }
    }
}

/// The names of the library's backends, the default first.
pub fn backends() -> Vec<String> {
    let api = api();
    // SAFETY: names are static strings.
    unsafe {
        let count = (api.wasmrt_backend_count)();
        (0..count).map(|index| text((api.wasmrt_backend_name)(index))).collect()
    }
}

/// The binary of a module in the text format.
pub fn wat2wasm(source: &[u8]) -> Result<Vec<u8>, String> {
    let mut wasm = Vector::empty();
    // SAFETY: the source is only read; the bytes are there until they are deleted.
    unsafe {
        if !(api().wasmrt_wat2wasm)(source.as_ptr().cast(), source.len(), &mut wasm) {
            return Err(last_error().1);
        }
        let bytes = wasm.elements().to_vec();
        (api().wasm_byte_vec_delete)(&mut wasm);
        Ok(bytes)
    }
}
