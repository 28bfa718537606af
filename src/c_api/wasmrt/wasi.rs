//! WASI
//!
//! WASI preview 1 (`wasi_snapshot_preview1`, and `wasi_unstable` before it), on every backend. A
//! `wasmrt_wasi_config_t` says what guests are given: nothing at first, so no arguments,
//! environment or directories; standard input is at its end, output is discarded; clocks and random
//! bytes are the system's. A `wasmrt_wasi_t` is a context of one store: what a guest has open. Its
//! functions are ordinary host functions.
//!
//! Each set of imports is for one instance: when the instance is made, its memory is bound to them,
//! which is the one that it exports as "memory", or else its only one. Instantiating with the same
//! imports again, with another memory, fails. The memory is bound when a module's own start
//! function calls WASI.
//!
//! The functions that return bool return true on success. Otherwise they return false, set the last
//! error and change nothing. NULL, and numbers that are not values of an enum, are errors. Files
//! and directories are opened, and descriptors duplicated, when they are given; what cannot be
//! opened is an error of kind `WASMRT_ERROR_FILE`.
//!
//! Callbacks are called with `env`, on the threads that run guests, and may use the guest's store.
//! `finalizer`, unless NULL, is called once with `env` when neither the configuration nor a context
//! needs it any more, on the thread that frees the last of them; at once if the function fails.

use super::linker::wasmrt_linker_t;
use super::value;
use crate::c_api::families::vector::{Parts, Vector};
use crate::c_api::ffi::{Argument, c_type, give, give_handle, null, required_mut};
use crate::c_api::wasm::r#extern::{wasm_extern_t, wasm_extern_vec_t};
use crate::c_api::wasm::func::wasm_func_t;
use crate::c_api::wasm::instance::wasm_instance_t;
use crate::c_api::wasm::memory::wasm_memory_t;
use crate::c_api::wasm::module::wasm_module_t;
use crate::c_api::wasm::store::wasm_store_t;
use crate::c_api::wasm::trap::wasm_trap_t;
use crate::c_api::{answer, guard};
use crate::runtime::base::error::{Error, Result};
use crate::runtime::base::host_data::HostData;
use crate::runtime::core::object::Handle;
use crate::runtime::core::store::StoreHandle;
use crate::wasi::{self, Config, HostCallback, Random, Stream, Version, Wasi};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::MaybeUninit;
use std::rc::Rc;
use std::sync::Arc;

c_type!(
    /// What a WASI guest is given.
    ///
    /// Functions: `wasmrt_wasi_config_new`, `_delete`, and those that begin with `wasmrt_wasi_config_`.
    /// Any number of contexts can be made from one, also at the same time by several threads, as long
    /// as it is not changed. Must eventually be passed to `wasmrt_wasi_config_delete`.
    wasmrt_wasi_config_t,
    "a WASI configuration",
    Boxed,
    Config
);

c_type!(
    /// A WASI context: what a guest has open, its arguments, its clocks. It belongs to a store.
    ///
    /// Functions: `wasmrt_wasi_new`, and those that begin with `wasmrt_wasi_` but not with
    /// `wasmrt_wasi_config_`. Used as its store is, which it keeps. Must eventually be passed to
    /// `wasmrt_wasi_delete`.
    wasmrt_wasi_t,
    "a WASI context",
    Boxed,
    Context
);

/// The context goes before the store's handle: what it retains is the store's.
pub struct Context {
    wasi: Arc<Wasi>,
    store: StoreHandle,
}

/// A standard stream: a value of `wasmrt_wasi_stream_enum`.
pub type wasmrt_wasi_stream_t = u32;

/// The standard streams, with the numbers that guests have for them.
#[repr(C)]
pub enum wasmrt_wasi_stream_enum {
    /// Standard input.
    WASMRT_WASI_STDIN = 0,
    /// Standard output.
    WASMRT_WASI_STDOUT = 1,
    /// Standard error.
    WASMRT_WASI_STDERR = 2,
}

/// What a guest may do with a directory: a value of `wasmrt_wasi_access_enum`.
pub type wasmrt_wasi_access_t = u32;

/// What a guest may do with a directory and everything beneath it.
#[repr(C)]
pub enum wasmrt_wasi_access_enum {
    /// Read. Whatever would change something fails with `EPERM`.
    WASMRT_WASI_READ_ONLY = 1,
    /// Read and write.
    WASMRT_WASI_READ_WRITE = 2,
}

/// A clock: a value of `wasmrt_wasi_clock_enum`.
pub type wasmrt_wasi_clock_t = u32;

/// The clocks, with the numbers that guests have for them.
#[repr(C)]
pub enum wasmrt_wasi_clock_enum {
    /// The time of day, since 1970.
    WASMRT_WASI_CLOCK_REALTIME = 0,
    /// One that only goes forward.
    WASMRT_WASI_CLOCK_MONOTONIC = 1,
    /// The processor's time that the process used.
    WASMRT_WASI_CLOCK_PROCESS_CPUTIME = 2,
    /// The processor's time that the thread used.
    WASMRT_WASI_CLOCK_THREAD_CPUTIME = 3,
}

/// A limit of contexts: a value of `wasmrt_wasi_limit_enum`.
pub type wasmrt_wasi_limit_t = u32;

/// The limits of contexts.
#[repr(C)]
pub enum wasmrt_wasi_limit_enum {
    /// Descriptors that are open at a time, streams and directories included: 256 by default, and at
    /// most 65,536. Beyond it is `EMFILE`.
    WASMRT_WASI_LIMIT_DESCRIPTORS = 0,
    /// Bytes that a context's guests write to files in all, and files grow by without: unlimited by
    /// default. Beyond it is `EDQUOT`. The holes that writes behind the end of a file leave take no
    /// room and do not count. To allocate bytes, so many must be left, wherever they are.
    WASMRT_WASI_LIMIT_FILE_BYTES = 1,
}

/// A version of WASI: a value of `wasmrt_wasi_version_enum`.
pub type wasmrt_wasi_version_t = u32;

/// The versions of WASI whose functions the library has.
#[repr(C)]
pub enum wasmrt_wasi_version_enum {
    /// None.
    WASMRT_WASI_NONE = 0,
    /// `wasi_unstable`.
    WASMRT_WASI_UNSTABLE = 1,
    /// `wasi_snapshot_preview1`.
    WASMRT_WASI_PREVIEW1 = 2,
}

/// Reads at most `size` bytes, which is 1 or more, to `to`. Returns the number of bytes, 0 at the
/// end, or a negated error number of the system, such as `-EIO`, which the guest gets. May use the
/// guest's store.
pub type wasmrt_wasi_reader_t = Option<unsafe extern "C" fn(env: *mut c_void, to: *mut c_void, size: usize) -> isize>;

/// Takes at most `size` bytes, which is 1 or more, from `from`. Returns the number of bytes, or a
/// negated error number of the system, such as `-EPIPE`, which the guest gets. May use the guest's
/// store.
pub type wasmrt_wasi_writer_t =
    Option<unsafe extern "C" fn(env: *mut c_void, from: *const c_void, size: usize) -> isize>;

/// Returns the time of a clock, in nanoseconds.
pub type wasmrt_wasi_clock_callback_t = Option<unsafe extern "C" fn(env: *mut c_void) -> u64>;

/// Writes `size` random bytes to `to`. Returns whether it did; the guest gets `EIO` otherwise.
pub type wasmrt_wasi_random_callback_t =
    Option<unsafe extern "C" fn(env: *mut c_void, to: *mut c_void, size: usize) -> bool>;

/// Creates a configuration, own. Must eventually be passed to `wasmrt_wasi_config_delete`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_config_new() -> Option<Box<wasmrt_wasi_config_t>> {
    guard(None, || give(Config::default()))
}

/// Deletes a configuration. Takes ownership. Contexts that were made from it stay as they are. Does
/// nothing for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_config_delete(config: Option<Box<wasmrt_wasi_config_t>>) {
    guard((), || drop(config))
}

/// Adds an argument. The first is the program's name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_config_arg(config: Option<&mut wasmrt_wasi_config_t>, arg: *const c_char) -> bool {
    answer("wasmrt_wasi_config_arg", false, || {
        // SAFETY: NULL or a string of C, which stays as it is during this call.
        let arg = unsafe { string(arg, "an argument")? };
        required_mut(config)?.args.push(arg.to_bytes().to_vec());
        Ok(true)
    })
}

/// Sets an environment variable; a second value replaces the first. Fails if the name is empty or
/// has a `=`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_config_env(
    config: Option<&mut wasmrt_wasi_config_t>,
    name: *const c_char,
    value: *const c_char,
) -> bool {
    answer("wasmrt_wasi_config_env", false, || {
        // SAFETY: each is NULL or a string of C, which stays as it is during this call.
        let (name, value) = unsafe { (string(name, "a name")?, string(value, "a value")?) };
        required_mut(config)?.set_env(name.to_bytes(), value.to_bytes()).map(|()| true)
    })
}

/// Sets the environment variables that this process has now.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_config_inherit_env(config: Option<&mut wasmrt_wasi_config_t>) -> bool {
    answer("wasmrt_wasi_config_inherit_env", false, || {
        required_mut(config)?.inherit_env();
        Ok(true)
    })
}

/// Drops what a configuration had before. Nothing refers to the configuration any more: the finalizer of a callback may
/// change it again.
fn replaced<T>(former: T) -> Result<bool> {
    drop(former);
    Ok(true)
}

/// Connects a stream to the same stream of this process. Fails if that is closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_config_inherit(
    config: Option<&mut wasmrt_wasi_config_t>,
    stream: wasmrt_wasi_stream_t,
) -> bool {
    answer("wasmrt_wasi_config_inherit", false, || replaced(required_mut(config)?.inherit(any_stream(stream)?)?))
}

/// Connects a stream to a file, which is opened now. As standard input it is read; otherwise it is
/// written, from its start, or at its end if `append` is true, and created if it does not exist.
///
/// Contexts of the configuration share its position. Fails if it cannot be opened; the message
/// names it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_config_file(
    config: Option<&mut wasmrt_wasi_config_t>,
    stream: wasmrt_wasi_stream_t,
    path: *const c_char,
    append: bool,
) -> bool {
    answer("wasmrt_wasi_config_file", false, || {
        // SAFETY: NULL or a string of C, which stays as it is during this call.
        let path = unsafe { string(path, "a path")? };
        replaced(required_mut(config)?.set_file(any_stream(stream)?, path, append)?)
    })
}

/// Connects a stream to an open descriptor: a file, pipe, socket or terminal. Duplicates it; `fd`
/// stays the caller's. Fails if it is not open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_config_fd(
    config: Option<&mut wasmrt_wasi_config_t>,
    stream: wasmrt_wasi_stream_t,
    fd: c_int,
) -> bool {
    answer("wasmrt_wasi_config_fd", false, || replaced(required_mut(config)?.set_descriptor(any_stream(stream)?, fd)?))
}

/// Sets what standard input has: the `size` bytes at `bytes`, which are copied. Each context reads
/// them from the start. `bytes` may be NULL if `size` is 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_config_stdin_bytes(
    config: Option<&mut wasmrt_wasi_config_t>,
    bytes: *const c_void,
    size: usize,
) -> bool {
    answer("wasmrt_wasi_config_stdin_bytes", false, || {
        let bytes: &[u8] = match size {
            0 => &[],
            _ if bytes.is_null() => return Err(null("bytes")),
            // SAFETY: there are `size` bytes, which stay as they are during this call.
            _ => unsafe { std::slice::from_raw_parts(bytes.cast(), size) },
        };
        replaced(required_mut(config)?.set_stream(0, Stream::Bytes(bytes.into())))
    })
}

/// Has standard input read from `reader`. Takes `env`, as do the functions below; see above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_config_reader(
    config: Option<&mut wasmrt_wasi_config_t>,
    reader: wasmrt_wasi_reader_t,
    env: *mut c_void,
    finalizer: Option<unsafe extern "C" fn(arg1: *mut c_void)>,
) -> bool {
    answer("wasmrt_wasi_config_reader", false, || {
        let callback = callback(reader, env, finalizer)?;
        replaced(required_mut(config)?.set_stream(0, Stream::Reader(callback)))
    })
}

/// Passes what is written to standard output or standard error to `writer`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_config_writer(
    config: Option<&mut wasmrt_wasi_config_t>,
    stream: wasmrt_wasi_stream_t,
    writer: wasmrt_wasi_writer_t,
    env: *mut c_void,
    finalizer: Option<unsafe extern "C" fn(arg1: *mut c_void)>,
) -> bool {
    answer("wasmrt_wasi_config_writer", false, || {
        let callback = callback(writer, env, finalizer)?;
        replaced(required_mut(config)?.set_stream(output(stream)?, Stream::Writer(callback)))
    })
}

/// Keeps what is written to standard output or standard error for `wasmrt_wasi_read`: at most
/// `size` bytes at a time. A write that finds less room writes less; one that finds none fails with
/// `ENOSPC`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_config_capture(
    config: Option<&mut wasmrt_wasi_config_t>,
    stream: wasmrt_wasi_stream_t,
    size: usize,
) -> bool {
    answer("wasmrt_wasi_config_capture", false, || {
        replaced(required_mut(config)?.set_stream(output(stream)?, Stream::Capture(size)))
    })
}

/// Gives the guest the directory `host` of this system, and everything beneath it. The guest calls
/// it `guest`, such as "/data", or "." for its current directory. It is opened now.
///
/// Paths that lead out of it are refused with `EPERM`: by `..`, as absolute paths, or through
/// symbolic links. Fails if it is not a directory or cannot be opened, in which case the message
/// names it, or if the guest has one of this name already.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_config_preopen(
    config: Option<&mut wasmrt_wasi_config_t>,
    host: *const c_char,
    guest: *const c_char,
    access: wasmrt_wasi_access_t,
) -> bool {
    answer("wasmrt_wasi_config_preopen", false, || {
        // SAFETY: each is NULL or a string of C, which stays as it is during this call.
        let (host, guest) = unsafe { (string(host, "a directory")?, string(guest, "a name for the guest")?) };
        required_mut(config)?.preopen(host, guest, writable(access)?).map(|()| true)
    })
}

/// Gives the guest a directory that is open as `fd`, which stays the caller's; otherwise as
/// `wasmrt_wasi_config_preopen`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_config_preopen_fd(
    config: Option<&mut wasmrt_wasi_config_t>,
    fd: c_int,
    guest: *const c_char,
    access: wasmrt_wasi_access_t,
) -> bool {
    answer("wasmrt_wasi_config_preopen_fd", false, || {
        // SAFETY: NULL or a string of C, which stays as it is during this call.
        let guest = unsafe { string(guest, "a name for the guest")? };
        required_mut(config)?.preopen_descriptor(fd, guest, writable(access)?).map(|()| true)
    })
}

/// Sets whether the guest also gets a directory "/" that lists the directories that it was given.
/// They can be reached through it, but nothing can be created in it. Off by default.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_config_virtual_root(
    config: Option<&mut wasmrt_wasi_config_t>,
    enabled: bool,
) -> bool {
    answer("wasmrt_wasi_config_virtual_root", false, || {
        required_mut(config)?.virtual_root = enabled;
        Ok(true)
    })
}

/// Has a clock read from `callback`. How long a guest sleeps is measured by the system's clock all
/// the same.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_config_clock(
    config: Option<&mut wasmrt_wasi_config_t>,
    clock: wasmrt_wasi_clock_t,
    clock_callback: wasmrt_wasi_clock_callback_t,
    env: *mut c_void,
    finalizer: Option<unsafe extern "C" fn(arg1: *mut c_void)>,
) -> bool {
    answer("wasmrt_wasi_config_clock", false, || {
        let callback = callback(clock_callback, env, finalizer)?;
        let clock = value(clock, "wasmrt_wasi_clock_enum", |clock| (clock < 4).then_some(clock as usize))?;
        replaced(required_mut(config)?.clocks[clock].replace(callback))
    })
}

/// Has random bytes come from `callback`, some at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_config_random(
    config: Option<&mut wasmrt_wasi_config_t>,
    random_callback: wasmrt_wasi_random_callback_t,
    env: *mut c_void,
    finalizer: Option<unsafe extern "C" fn(arg1: *mut c_void)>,
) -> bool {
    answer("wasmrt_wasi_config_random", false, || {
        let callback = callback(random_callback, env, finalizer)?;
        replaced(std::mem::replace(&mut required_mut(config)?.random, Random::Callback(callback)))
    })
}

/// Has random bytes computed from `seed`, the same in each context. From some of them the others
/// can be computed: they are not for secrets.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_config_random_seed(config: Option<&mut wasmrt_wasi_config_t>, seed: u64) -> bool {
    answer("wasmrt_wasi_config_random_seed", false, || {
        replaced(std::mem::replace(&mut required_mut(config)?.random, Random::Seed(seed)))
    })
}

/// Sets a limit of contexts, `WASMRT_UNLIMITED` for none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_config_limit(
    config: Option<&mut wasmrt_wasi_config_t>,
    limit: wasmrt_wasi_limit_t,
    amount: u64,
) -> bool {
    answer("wasmrt_wasi_config_limit", false, || {
        let config = required_mut(config)?;
        *value(limit, "wasmrt_wasi_limit_enum", |limit| match limit {
            0 => Some(&mut config.max_descriptors),
            1 => Some(&mut config.max_file_bytes),
            _ => None,
        })? = amount;
        Ok(true)
    })
}

/// Creates a context for guests of a store, own. Does not take the configuration.
///
/// Returns NULL and sets the last error if the limit on descriptors is too low for what is given,
/// or for NULL. The context must eventually be passed to `wasmrt_wasi_delete`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_new(
    store: Option<&mut wasm_store_t>,
    config: Option<&wasmrt_wasi_config_t>,
) -> Option<Box<wasmrt_wasi_t>> {
    answer("wasmrt_wasi_new", None, || {
        let store = store.required()?;
        let wasi = Wasi::new(store, config.required()?)?;
        Ok(give(Context { wasi, store: StoreHandle::new(store) }))
    })
}

/// Deletes a context. Takes ownership. Its functions keep what they need. Does nothing for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_delete(wasi: Option<Box<wasmrt_wasi_t>>) {
    guard((), || drop(wasi))
}

/// Sets `*out` to a module's imports, own, in declared order: functions where they are WASI's, NULL
/// where they are not, for the caller to fill in.
///
/// They are for one instance; see above. `*out` must be passed to `wasm_extern_vec_delete`. Fails
/// if the module wants a function that WASI does not have; `*out` is then empty.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_imports(
    wasi: Option<&wasmrt_wasi_t>,
    module: Option<&wasm_module_t>,
    out: Option<&mut MaybeUninit<wasm_extern_vec_t>>,
) -> bool {
    let imports = answer("wasmrt_wasi_imports", None, || {
        let (Context { wasi, store }, module) = (wasi.required()?, module.required()?.body);
        if out.is_none() {
            return Err(null("a vector to write to"));
        }
        let imports = wasi::imports(wasi, store, module)?;
        let parts = Parts::<*mut wasm_extern_t>::zeroed(imports.len());
        for (position, import) in imports.into_iter().enumerate().take(parts.size) {
            // SAFETY: the vector has `size` elements.
            unsafe { parts.data.add(position).write(import.map_or(std::ptr::null_mut(), give_extern)) };
        }
        Ok(Some(wasm_extern_vec_t::from_parts(parts)))
    });
    let made = imports.is_some();
    imports.unwrap_or_else(wasm_extern_vec_t::empty).write(out);
    made
}

/// Creates one function of WASI, own: `name` in `module`, which is "wasi_snapshot_preview1" or
/// "wasi_unstable". It is for one instance, as those of `wasmrt_wasi_imports` are.
///
/// Returns NULL and sets the last error if there is no such function, or for NULL. The function
/// must eventually be passed to `wasm_func_delete`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_func(
    wasi: Option<&wasmrt_wasi_t>,
    module: *const c_char,
    name: *const c_char,
) -> *mut wasm_func_t {
    answer("wasmrt_wasi_func", std::ptr::null_mut(), || {
        let Context { wasi, store } = wasi.required()?;
        // SAFETY: each is NULL or a string of C, which stays as it is during this call.
        let (module, name) = unsafe { (string(module, "a module's name")?, string(name, "a name")?) };
        let (module, name) = (module.to_string_lossy(), name.to_string_lossy());
        Ok(give_handle(wasi::function(wasi, store, &module, &name)?))
    })
}

/// Has a linker use a context for functions of WASI that are not defined by name. Does not take the
/// context. The functions are created anew for each instance, also of a prepared one. Replaces the
/// context that was set before.
///
/// Fails if the linker belongs to another store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_linker_define_wasi(
    linker: Option<&mut wasmrt_linker_t>,
    wasi: Option<&wasmrt_wasi_t>,
) -> bool {
    answer("wasmrt_linker_define_wasi", false, || {
        let (linker, Context { wasi, store }) = (linker.required()?.clone(), wasi.required()?);
        if !store.is(linker.store()) {
            return Err(Error::misuse("the linker and the WASI context belong to different stores"));
        }
        linker.set_provider(Rc::new(wasi::Imports(wasi.clone())));
        Ok(true)
    })
}

/// Binds a memory for those of a context's functions that no instance's memory is bound to: before
/// an instance that imports them is made, or where it exports none.
///
/// Fails if another memory was bound before, or if the memory belongs to another store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_bind_memory(
    wasi: Option<&mut wasmrt_wasi_t>,
    memory: Option<&wasm_memory_t>,
) -> bool {
    answer("wasmrt_wasi_bind_memory", false, || {
        let Context { wasi, store } = wasi.required()?;
        let memory = memory.required()?.object;
        store.check_own(memory, "the memory")?;
        wasi.bind_memory(memory).map(|()| true)
    })
}

/// Runs an instance: calls its `_start`, or else its `_initialize`, and writes the exit status to
/// `*out`, unless `out` is NULL: what the guest passed to `proc_exit`, or 0.
///
/// Returns NULL, or a trap, own, if the guest trapped; `*out` is not written then. An instance that
/// exports neither, or that belongs to another store, is refused with a trap, too. If the context
/// or the instance is NULL, nothing happens; the result is NULL, and the last error is set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_start(
    wasi: Option<&mut wasmrt_wasi_t>,
    instance: Option<&wasm_instance_t>,
    out: Option<&mut MaybeUninit<i32>>,
) -> *mut wasm_trap_t {
    answer("wasmrt_wasi_start", std::ptr::null_mut(), || {
        let (context, instance) = (wasi.required()?, instance.required()?.object);
        // The guest may delete the context while it runs. What the context retains is the store's: it is dropped first.
        let store = StoreHandle::new(&context.store);
        let wasi = context.wasi.clone();
        match wasi::start(&wasi, &store, instance) {
            Ok(status) => {
                if let Some(out) = out {
                    out.write(status);
                }
                Ok(std::ptr::null_mut())
            }
            Err(trap) => Ok(give_handle(trap)),
        }
    })
}

/// Gets the status with which a guest of the context exited last, by `proc_exit` or at the end of
/// `wasmrt_wasi_start`. Returns false without a last error if none has yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_exit_status(
    wasi: Option<&wasmrt_wasi_t>,
    out: Option<&mut MaybeUninit<i32>>,
) -> bool {
    answer("wasmrt_wasi_exit_status", false, || {
        let wasi = &wasi.required()?.wasi;
        let out = out.ok_or_else(|| null("a place to write to"))?;
        let Some(status) = wasi.exit_status() else { return Ok(false) };
        out.write(status);
        Ok(true)
    })
}

/// Moves at most `size` bytes of what was captured of a stream to `to`, and writes their number to
/// `*out`: 0 if there are none. May be called while the guest runs, from host functions.
///
/// Fails if the stream is not captured.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_read(
    wasi: Option<&mut wasmrt_wasi_t>,
    stream: wasmrt_wasi_stream_t,
    to: *mut c_void,
    size: usize,
    out: Option<&mut MaybeUninit<usize>>,
) -> bool {
    answer("wasmrt_wasi_read", false, || {
        let missing = || Error::misuse(format!("stream {stream} is not captured; call wasmrt_wasi_config_capture"));
        let capture = wasi.required()?.wasi.capture(any_stream(stream)?).ok_or_else(missing)?;
        let out = out.ok_or_else(|| null("a place to write to"))?;
        let room: &mut [MaybeUninit<u8>] = match size {
            0 => &mut [],
            _ if to.is_null() => return Err(null("a place for bytes")),
            // SAFETY: there is room for `size` bytes, which nobody else uses during this call.
            _ => unsafe { std::slice::from_raw_parts_mut(to.cast(), size) },
        };
        out.write(capture.drain(room));
        Ok(true)
    })
}

/// Gets what WASI a module wants: the newest version that it imports anything of.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_module_wasi(
    module: Option<&wasm_module_t>,
    out: Option<&mut MaybeUninit<wasmrt_wasi_version_t>>,
) -> bool {
    super::get("wasmrt_module_wasi", out, || {
        Ok(match wasi::wanted(module.required()?.body) {
            None => wasmrt_wasi_version_enum::WASMRT_WASI_NONE,
            Some(Version::Snapshot0) => wasmrt_wasi_version_enum::WASMRT_WASI_UNSTABLE,
            Some(Version::Snapshot1) => wasmrt_wasi_version_enum::WASMRT_WASI_PREVIEW1,
        } as u32)
    })
}

fn give_extern(func: Handle) -> *mut wasm_extern_t {
    func.into_raw().cast()
}

/// # Safety
/// The pointer is NULL or a string of C.
unsafe fn string<'a>(text: *const c_char, what: &str) -> Result<&'a CStr> {
    if text.is_null() {
        return Err(null(what));
    }
    // SAFETY: the contract says that it is a string.
    Ok(unsafe { CStr::from_ptr(text) })
}

/// Returns a host function with its environment, whose finalizer runs if there is no function.
fn callback<F>(
    function: Option<F>,
    env: *mut c_void,
    finalizer: Option<unsafe extern "C" fn(*mut c_void)>,
) -> Result<Arc<HostCallback<F>>> {
    let env = HostData { pointer: env, finalizer };
    Ok(Arc::new(HostCallback { function: function.ok_or_else(|| null("a callback"))?, env }))
}

fn any_stream(stream: wasmrt_wasi_stream_t) -> Result<usize> {
    value(stream, "wasmrt_wasi_stream_enum", |stream| (stream < 3).then_some(stream as usize))
}

fn output(stream: wasmrt_wasi_stream_t) -> Result<usize> {
    match any_stream(stream)? {
        0 => Err(Error::misuse("standard input is not written to; use WASMRT_WASI_STDOUT or WASMRT_WASI_STDERR")),
        stream => Ok(stream),
    }
}

fn writable(access: wasmrt_wasi_access_t) -> Result<bool> {
    value(access, "wasmrt_wasi_access_enum", |access| match access {
        1 => Some(false),
        2 => Some(true),
        _ => None,
    })
}
