//! Modules
//!
//! What `wasm.h` leaves out. A path is a string, relative to the working directory unless it starts
//! with a slash. A file that cannot be read or written is an error of kind `WASMRT_ERROR_FILE`,
//! whose message has the path and the cause.

use super::{get, value};
use crate::c_api::answer;
use crate::c_api::families::vector::Vector;
use crate::c_api::ffi::{Argument, null};
use crate::c_api::wasm::byte::{wasm_byte_vec_t, wasm_name_t};
use crate::c_api::wasm::engine::wasm_engine_t;
use crate::c_api::wasm::module::{bytes, give_module, make_module, wasm_module_t};
use crate::c_api::wasm::store::wasm_store_t;
use crate::runtime::base::error::Result;
use crate::runtime::core::module::Module;
use std::ffi::{CStr, OsStr, c_char};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Creates a module, own, from a file in the binary format. Returns NULL and sets the last error if
/// the file cannot be read, for the reasons of `wasm_module_new`, and for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_module_new_from_file(
    store: Option<&mut wasm_store_t>,
    path: *const c_char,
) -> *mut wasm_module_t {
    answer("wasmrt_module_new_from_file", std::ptr::null_mut(), || {
        let store = store.required()?;
        // SAFETY: NULL or a string, which stays as it is during this call.
        let path = unsafe { self::path(path)? };
        make_module(store, |engine| Module::compile_file(engine, path))
    })
}

/// Serializes a module to a file: writes what `wasm_module_serialize` returns. Returns false and
/// sets the last error if that fails or the file cannot be written, and for NULL.
///
/// A file of that name is replaced once the new one is complete, so it is never there in part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_module_serialize_to_file(module: Option<&wasm_module_t>, path: *const c_char) -> bool {
    answer("wasmrt_module_serialize_to_file", false, || {
        let module = module.required()?;
        // SAFETY: NULL or a string, which stays as it is during this call.
        module.serialize_to_file(unsafe { self::path(path)? }).map(|()| true)
    })
}

/// Creates a module, own, from a file of `wasmrt_module_serialize_to_file`. Returns NULL and sets
/// the last error if the file cannot be read, for the reasons of `wasm_module_deserialize`, and for
/// NULL.
///
/// wasmtime maps the file and runs the code in place, so that little is read and processes share
/// it. While a module or its instances are in use, the file must not be written to or made shorter;
/// it may be removed or replaced, as `wasmrt_module_serialize_to_file` does. Each such module keeps
/// a file descriptor; if the host has few left, the file is copied. As with
/// `wasm_module_deserialize`, read only your own.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_module_deserialize_file(
    store: Option<&mut wasm_store_t>,
    path: *const c_char,
) -> *mut wasm_module_t {
    answer("wasmrt_module_deserialize_file", std::ptr::null_mut(), || {
        let store = store.required()?;
        // SAFETY: NULL or a string, which stays as it is during this call.
        let path = unsafe { self::path(path)? };
        // SAFETY: the comment above says that only the library's own files are to be passed, and that they stay as they
        // are.
        let module = unsafe { Module::deserialize_file(store.engine(), path)? };
        Ok(give_module(store, module))
    })
}

/// Compiles a module without a store: sets `*out` to the bytes, own, that `wasm_module_serialize`
/// would return. Does not take `binary`. They must be passed to `wasm_byte_vec_delete`.
///
/// With an engine that was configured with `wasmrt_config_set_target`, they are for that machine.
/// Returns false and sets the last error for the reasons of `wasm_module_new`, and for NULL; `*out`
/// is empty then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_module_precompile(
    engine: Option<&mut wasm_engine_t>,
    binary: Option<&wasm_byte_vec_t>,
    out: Option<&mut MaybeUninit<wasm_byte_vec_t>>,
) -> bool {
    let has_place = out.is_some();
    let artifact = answer("wasmrt_module_precompile", None, || {
        // A function of the host that changes the module may delete the engine meanwhile.
        let engine = engine.required()?.clone();
        let binary = bytes(binary)?;
        if !has_place {
            return Err(null("a vector to write to"));
        }
        let module = Module::compile(&engine, binary)?;
        let [image, envelope] = module.serialize()?;
        Ok(Some(wasm_byte_vec_t::joined(&image, &envelope)))
    });
    let made = artifact.is_some();
    artifact.unwrap_or_else(wasm_byte_vec_t::empty).write(out);
    made
}

/// Gets the proposals that a module needs: in `*out`, bit n stands for the proposal of number n in
/// `wasmrt_proposal_enum`.
///
/// It is a smallest set of the proposals that the engine's backend supports with which `binary` is
/// valid, whatever the engine was configured with. Returns false and sets the last error if there
/// is no such set, and for NULL. Validates the module about twenty times.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_module_required_proposals(
    engine: Option<&mut wasm_engine_t>,
    binary: Option<&wasm_byte_vec_t>,
    out: Option<&mut MaybeUninit<u64>>,
) -> bool {
    get("wasmrt_module_required_proposals", out, || {
        let required = Module::required_proposals(engine.required()?, bytes(binary)?)?;
        Ok(required.into_iter().fold(0, |bits, proposal| bits | 1 << proposal as u32))
    })
}

/// Sets `*out` to the name of a module, own: the one that it was given last by
/// `wasmrt_module_set_name`, or else the one in its name section. Returns false if it has none, and
/// `*out` is empty; this is no error. Returns false and sets the last error for NULL. May be called
/// from any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_module_name(
    module: Option<&wasm_module_t>,
    out: Option<&mut MaybeUninit<wasm_name_t>>,
) -> bool {
    let has_place = out.is_some();
    let name = answer("wasmrt_module_name", None, || {
        let module = module.required()?;
        if !has_place {
            return Err(null("a vector to write to"));
        }
        Ok(module.name().map(|name| wasm_byte_vec_t::from_bytes(&name)))
    });
    let found = name.is_some();
    name.unwrap_or_else(wasm_byte_vec_t::empty).write(out);
    found
}

/// Gives a module a name, the `length` bytes at `name`, which are copied; NULL takes its name away.
///
/// All handles of the module have it, also those obtained from a shared module. It is not
/// serialized. Returns false and sets the last error if `module` is NULL. May be called from any
/// thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_module_set_name(
    module: Option<&wasm_module_t>,
    name: *const c_char,
    length: usize,
) -> bool {
    answer("wasmrt_module_set_name", false, || {
        // SAFETY: NULL, or there are `length` bytes at `name`, which stay as they are during this call.
        let name = (!name.is_null()).then(|| unsafe { std::slice::from_raw_parts(name.cast::<u8>(), length) });
        module.required()?.set_name(name);
        Ok(true)
    })
}

/// Finds the first custom section whose name is the `length` bytes at `name`: sets `*contents` and
/// `*size` to its contents. Borrowed: valid as long as the module.
///
/// Returns false if there is no such section; this is no error. Returns false and sets the last
/// error for NULL. Sections whose names start with ".debug_" are not kept.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_module_custom_section(
    module: Option<&wasm_module_t>,
    name: *const c_char,
    length: usize,
    contents: Option<&mut MaybeUninit<*const c_char>>,
    size: Option<&mut MaybeUninit<usize>>,
) -> bool {
    answer("wasmrt_module_custom_section", false, || {
        let module = module.required()?;
        if name.is_null() {
            return Err(null("the name of a section"));
        }
        let places = places(contents, size)?;
        // SAFETY: there are `length` bytes at `name`, which stay as they are during this call.
        let name = unsafe { std::slice::from_raw_parts(name.cast::<u8>(), length) };
        let Some(section) = module.declarations.custom_section_named(name) else { return Ok(false) };
        lend(section, places);
        Ok(true)
    })
}

/// Gets the custom section at a position, in the order of the module: sets `*name` and `*length`,
/// and `*contents` and `*size`. Borrowed: valid as long as the module. There are
/// `wasmrt_module_part_count(module, WASMRT_MODULE_CUSTOM_SECTIONS)` of them.
///
/// Returns false if there are not that many; this is no error. Returns false and sets the last
/// error for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_module_custom_section_at(
    module: Option<&wasm_module_t>,
    position: usize,
    name: Option<&mut MaybeUninit<*const c_char>>,
    length: Option<&mut MaybeUninit<usize>>,
    contents: Option<&mut MaybeUninit<*const c_char>>,
    size: Option<&mut MaybeUninit<usize>>,
) -> bool {
    answer("wasmrt_module_custom_section_at", false, || {
        let (name, contents) = (places(name, length)?, places(contents, size)?);
        let Some((named, section)) = module.required()?.declarations.custom_section(position) else {
            return Ok(false);
        };
        lend(named, name);
        lend(section, contents);
        Ok(true)
    })
}

/// A value of `wasmrt_module_part_enum`.
pub type wasmrt_module_part_t = u32;

/// What can be counted in a module. Definitions include those that are imported.
#[repr(C)]
pub enum wasmrt_module_part_enum {
    WASMRT_MODULE_FUNCTIONS = 0,
    WASMRT_MODULE_GLOBALS = 1,
    WASMRT_MODULE_TABLES = 2,
    WASMRT_MODULE_MEMORIES = 3,
    WASMRT_MODULE_TAGS = 4,
    WASMRT_MODULE_CUSTOM_SECTIONS = 5,
    /// The bytes that the engine keeps to run the module: machine code and what belongs to it on
    /// wasmtime, the module itself on wasmi, whose own code takes about as much again.
    WASMRT_MODULE_CODE_BYTES = 6,
}

/// Returns how much of something a module has. Takes the same time for every module. Returns 0 and
/// sets the last error for NULL and for a part that is not known.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_module_part_count(module: Option<&wasm_module_t>, part: wasmrt_module_part_t) -> usize {
    answer("wasmrt_module_part_count", 0, || {
        let module = module.required()?;
        let declarations = &module.declarations;
        let [functions, globals, tables, memories, tags] = declarations.definitions;
        // In the order of the enum's numbers.
        let counts =
            [functions, globals, tables, memories, tags, declarations.custom_sections.len(), module.inner.code_bytes()];
        value(part, "wasmrt_module_part_enum", |part| counts.get(part as usize).copied())
    })
}

/// Gets how many modules an engine has found in its cache, and how many were not there. Both are 0
/// for an engine without one, see `wasmrt_config_set_cache`. Returns false and sets the last error
/// for NULL. May be called from any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_engine_cache_counts(
    engine: Option<&wasm_engine_t>,
    found: Option<&mut MaybeUninit<u64>>,
    missing: Option<&mut MaybeUninit<u64>>,
) -> bool {
    answer("wasmrt_engine_cache_counts", false, || {
        let counts = engine.required()?.cache.as_ref().map_or((0, 0), |cache| cache.counts());
        let place = || null("a place to write to");
        let (found, missing) = (found.ok_or_else(place)?, missing.ok_or_else(place)?);
        found.write(counts.0);
        missing.write(counts.1);
        Ok(true)
    })
}

/// Where C wants to have the address and the size of bytes.
type Places<'a> = (&'a mut MaybeUninit<*const c_char>, &'a mut MaybeUninit<usize>);

fn places<'a>(
    data: Option<&'a mut MaybeUninit<*const c_char>>,
    size: Option<&'a mut MaybeUninit<usize>>,
) -> Result<Places<'a>> {
    let place = || null("a place to write to");
    Ok((data.ok_or_else(place)?, size.ok_or_else(place)?))
}

/// Lends bytes of a module to C.
fn lend(bytes: &[u8], (data, size): Places) {
    data.write(bytes.as_ptr().cast());
    size.write(bytes.len());
}

/// # Safety
/// `path` is NULL or a string, which stays as it is while this is used.
unsafe fn path<'a>(path: *const c_char) -> Result<&'a Path> {
    if path.is_null() {
        return Err(null("a path"));
    }
    // SAFETY: the contract says so.
    Ok(OsStr::from_bytes(unsafe { CStr::from_ptr(path) }.to_bytes()).as_ref())
}
