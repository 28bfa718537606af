//! WASI preview 1.

use crate::c_api::families::reference::object;
use crate::c_api::families::vector::{Parts, Vector};
use crate::c_api::wasm::r#extern::{wasm_extern_t, wasm_extern_vec_t};
use crate::c_api::wasm::func::wasm_func_t;
use crate::c_api::wasm::instance::wasm_instance_t;
use crate::c_api::wasm::memory::wasm_memory_t;
use crate::c_api::wasm::module::{self, wasm_module_t};
use crate::c_api::wasm::store::{self, wasm_store_t};
use crate::c_api::wasm::trap::wasm_trap_t;
use crate::c_api::{answer, give_box, guard, null, required, take_box};
use crate::runtime::base::error::{Error, Result};
use crate::runtime::base::host_data::HostData;
use crate::runtime::core::object::wrong_kind;
use crate::runtime::core::store::StoreHandle;
use crate::wasi::{self, Config, HostCallback, Random, Stream, Version, Wasi};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::MaybeUninit;
use std::sync::Arc;

/// What a WASI guest is given.
///
/// Functions: `wasmrt_wasi_config_new`, `_delete`, and those that begin with `wasmrt_wasi_config_`.
/// Any number of contexts can be made from one, also at the same time by several threads, as long as
/// it is not changed. Must eventually be passed to `wasmrt_wasi_config_delete`.
pub struct wasmrt_wasi_config_t {
    _config: Config,
}

/// A WASI context: what a guest has open, its arguments, its clocks. It belongs to a store.
///
/// Functions: `wasmrt_wasi_new`, and those that begin with `wasmrt_wasi_` but not with
/// `wasmrt_wasi_config_`. Used as its store is, which it keeps. Must eventually be passed to
/// `wasmrt_wasi_delete`.
pub struct wasmrt_wasi_t {
    _context: Context,
}

/// The context goes before the store's handle: what it retains is the store's.
struct Context {
    wasi: Arc<Wasi>,
    store: StoreHandle,
}

/// A standard stream: a constant of `wasmrt_wasi_stream_enum`.
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

/// What a guest may do with a directory: a constant of `wasmrt_wasi_access_enum`.
pub type wasmrt_wasi_access_t = u32;

/// What a guest may do with a directory and everything beneath it.
#[repr(C)]
pub enum wasmrt_wasi_access_enum {
    /// Read. Whatever would change something fails with `EPERM`.
    WASMRT_WASI_READ_ONLY = 1,
    /// Read and write.
    WASMRT_WASI_READ_WRITE = 2,
}

/// A clock: a constant of `wasmrt_wasi_clock_enum`.
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

/// Something that a context has a limit for: a constant of `wasmrt_wasi_limit_enum`.
pub type wasmrt_wasi_limit_t = u32;

/// What a guest can have too much of.
#[repr(C)]
pub enum wasmrt_wasi_limit_enum {
    /// Descriptors that are open at a time, streams and directories included: 1,024 by default, and
    /// at most 65,536. Beyond it is `EMFILE`.
    WASMRT_WASI_LIMIT_DESCRIPTORS = 0,
    /// Bytes that a context's guests write to files in all, and files grow by without: unlimited by
    /// default. Beyond it is `EDQUOT`.
    WASMRT_WASI_LIMIT_FILE_BYTES = 1,
}

/// A version of WASI: a constant of `wasmrt_wasi_version_enum`.
pub type wasmrt_wasi_version_t = u32;

/// The versions of WASI that there are functions of.
#[repr(C)]
pub enum wasmrt_wasi_version_enum {
    /// None.
    WASMRT_WASI_NONE = 0,
    /// `wasi_unstable`.
    WASMRT_WASI_UNSTABLE = 1,
    /// `wasi_snapshot_preview1`.
    WASMRT_WASI_PREVIEW1 = 2,
}

/// Reads at most `size` bytes, 1 or more, to `to`. Returns how many, 0 at the end, or an error
/// number of the system (`EIO`), negated, which the guest gets. May use the guest's store.
pub type wasmrt_wasi_reader_t = Option<unsafe extern "C" fn(env: *mut c_void, to: *mut c_void, size: usize) -> isize>;

/// Takes at most `size` bytes, 1 or more, from `from`. Returns how many, or an error number of the
/// system (`EPIPE`), negated, which the guest gets. May use the guest's store.
pub type wasmrt_wasi_writer_t =
    Option<unsafe extern "C" fn(env: *mut c_void, from: *const c_void, size: usize) -> isize>;

/// Returns the time of a clock, in nanoseconds.
pub type wasmrt_wasi_clock_callback_t = Option<unsafe extern "C" fn(env: *mut c_void) -> u64>;

/// Writes `size` random bytes to `to`. Returns whether it did; the guest gets `EIO` otherwise.
pub type wasmrt_wasi_random_callback_t =
    Option<unsafe extern "C" fn(env: *mut c_void, to: *mut c_void, size: usize) -> bool>;

/// A configuration of WASI, own: no arguments, environment or directories; standard input is at its
/// end, output is discarded; clocks and random bytes are the system's.
///
/// Must be passed to `wasmrt_wasi_config_delete`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_config_new() -> *mut wasmrt_wasi_config_t {
    guard(std::ptr::null_mut(), || give_box(Config::default()))
}

/// Deletes a configuration. Takes ownership. Contexts that were made from it stay as they are. NULL:
/// nothing happens.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_config_delete(config: *mut wasmrt_wasi_config_t) {
    // SAFETY: the caller's own, or NULL.
    guard((), || drop(unsafe { take_box::<_, Config>(config) }))
}

/// Adds an argument. The first is the program's name. True; false and a last error for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_config_arg(config: *mut wasmrt_wasi_config_t, arg: *const c_char) -> bool {
    // SAFETY: the caller's, or NULL.
    answer("wasmrt_wasi_config_arg", false, || unsafe {
        let arg = string(arg, "an argument")?;
        from_c(config)?.args.push(arg.to_bytes().to_vec());
        Ok(true)
    })
}

/// Sets an environment variable; a second value replaces the first. True; false and a last error if
/// the name is empty or has a `=`, or for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_config_env(
    config: *mut wasmrt_wasi_config_t,
    name: *const c_char,
    value: *const c_char,
) -> bool {
    // SAFETY: the caller's, or NULL.
    answer("wasmrt_wasi_config_env", false, || unsafe {
        let (name, value) = (string(name, "a name")?, string(value, "a value")?);
        from_c(config)?.set_env(name.to_bytes(), value.to_bytes()).map(|()| true)
    })
}

/// Sets all environment variables that this process has now. True; false and a last error for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_config_inherit_env(config: *mut wasmrt_wasi_config_t) -> bool {
    // SAFETY: the caller's, or NULL.
    answer("wasmrt_wasi_config_inherit_env", false, || unsafe {
        from_c(config)?.inherit_env();
        Ok(true)
    })
}

/// Makes a stream this process's own, as it is now. True; false and a last error if it is closed, or
/// for a number that is no stream, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_config_inherit(
    config: *mut wasmrt_wasi_config_t,
    stream: wasmrt_wasi_stream_t,
) -> bool {
    // SAFETY: the caller's, or NULL.
    answer("wasmrt_wasi_config_inherit", false, || unsafe {
        from_c(config)?.inherit(any_stream(stream)?).map(|()| true)
    })
}

/// Makes a stream a file, which is opened now: read as standard input, otherwise written from its
/// start, or at its end if `append`. A file that is written is made if it is not there.
///
/// Contexts of the configuration share its position. True; false and a last error, which names the
/// file, if it cannot be opened, or for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_config_file(
    config: *mut wasmrt_wasi_config_t,
    stream: wasmrt_wasi_stream_t,
    path: *const c_char,
    append: bool,
) -> bool {
    // SAFETY: the caller's, or NULL.
    answer("wasmrt_wasi_config_file", false, || unsafe {
        from_c(config)?.set_file(any_stream(stream)?, string(path, "a path")?, append).map(|()| true)
    })
}

/// Makes a stream an open descriptor: a file, pipe, socket or terminal. It is duplicated, and stays
/// the caller's. True; false and a last error if it is not open, or for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_config_fd(
    config: *mut wasmrt_wasi_config_t,
    stream: wasmrt_wasi_stream_t,
    fd: c_int,
) -> bool {
    // SAFETY: the caller's, or NULL.
    answer("wasmrt_wasi_config_fd", false, || unsafe {
        from_c(config)?.set_descriptor(any_stream(stream)?, fd).map(|()| true)
    })
}

/// Makes standard input `size` bytes at `bytes`, which are copied; each context reads them from the
/// start. True; false and a last error for NULL, unless there are no bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_config_stdin_bytes(
    config: *mut wasmrt_wasi_config_t,
    bytes: *const c_void,
    size: usize,
) -> bool {
    // SAFETY: the caller's, or NULL; so many bytes are there.
    answer("wasmrt_wasi_config_stdin_bytes", false, || unsafe {
        let bytes: &[u8] = match size {
            0 => &[],
            _ => std::slice::from_raw_parts(required::<_, u8>(bytes, "bytes")?, size),
        };
        from_c(config)?.streams[0] = Stream::Bytes(bytes.into());
        Ok(true)
    })
}

/// Makes standard input what `reader` gives.
///
/// It is called with `env`, on the threads that run guests. `finalizer`, if not NULL, is called once
/// with `env` when neither the configuration nor a context needs it any more, on the thread that lets
/// go of it; at once if this function fails. True; false and a last error for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_config_reader(
    config: *mut wasmrt_wasi_config_t,
    reader: wasmrt_wasi_reader_t,
    env: *mut c_void,
    finalizer: Option<unsafe extern "C" fn(arg1: *mut c_void)>,
) -> bool {
    // SAFETY: the caller's, or NULL.
    answer("wasmrt_wasi_config_reader", false, || unsafe {
        let callback = callback(reader, env, finalizer)?;
        from_c(config)?.streams[0] = Stream::Reader(callback);
        Ok(true)
    })
}

/// Gives what is written to a stream, but not standard input, to `writer`; otherwise as
/// `wasmrt_wasi_config_reader`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_config_writer(
    config: *mut wasmrt_wasi_config_t,
    stream: wasmrt_wasi_stream_t,
    writer: wasmrt_wasi_writer_t,
    env: *mut c_void,
    finalizer: Option<unsafe extern "C" fn(arg1: *mut c_void)>,
) -> bool {
    // SAFETY: the caller's, or NULL.
    answer("wasmrt_wasi_config_writer", false, || unsafe {
        let callback = callback(writer, env, finalizer)?;
        from_c(config)?.streams[output(stream)?] = Stream::Writer(callback);
        Ok(true)
    })
}

/// Keeps what is written to a stream, but not standard input, for `wasmrt_wasi_read`: at most `size`
/// bytes at a time. A write that finds less room writes less, one that finds none fails with
/// `ENOSPC`. True; false and a last error for standard input, or for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_config_capture(
    config: *mut wasmrt_wasi_config_t,
    stream: wasmrt_wasi_stream_t,
    size: usize,
) -> bool {
    // SAFETY: the caller's, or NULL.
    answer("wasmrt_wasi_config_capture", false, || unsafe {
        from_c(config)?.streams[output(stream)?] = Stream::Capture(size);
        Ok(true)
    })
}

/// Gives the guest a directory of the host's, `host`, and everything beneath it. The guest calls it
/// `guest`, such as "/data", or "." for its current directory. It is opened now.
///
/// What leads out of it is refused with `EPERM`: `..`, absolute paths, symbolic links with either.
/// True; false and a last error, which names the directory, if it is none or cannot be opened, if
/// the guest has one of this name already, for an unknown `access`, or for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_config_preopen(
    config: *mut wasmrt_wasi_config_t,
    host: *const c_char,
    guest: *const c_char,
    access: wasmrt_wasi_access_t,
) -> bool {
    // SAFETY: the caller's, or NULL.
    answer("wasmrt_wasi_config_preopen", false, || unsafe {
        let (host, guest) = (string(host, "a directory")?, string(guest, "the guest's name of a directory")?);
        from_c(config)?.preopen(host, guest, writable(access)?).map(|()| true)
    })
}

/// Gives the guest a directory that is open as `fd`, which stays the caller's; otherwise as
/// `wasmrt_wasi_config_preopen`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_config_preopen_fd(
    config: *mut wasmrt_wasi_config_t,
    fd: c_int,
    guest: *const c_char,
    access: wasmrt_wasi_access_t,
) -> bool {
    // SAFETY: the caller's, or NULL.
    answer("wasmrt_wasi_config_preopen_fd", false, || unsafe {
        let guest = string(guest, "the guest's name of a directory")?;
        from_c(config)?.preopen_descriptor(fd, guest, writable(access)?).map(|()| true)
    })
}

/// Whether the guest also gets a directory "/" that lists those it was given, and through which they
/// are found; nothing can be made in it. Off by default. True; false and a last error for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_config_virtual_root(config: *mut wasmrt_wasi_config_t, enabled: bool) -> bool {
    // SAFETY: the caller's, or NULL.
    answer("wasmrt_wasi_config_virtual_root", false, || unsafe {
        from_c(config)?.virtual_root = enabled;
        Ok(true)
    })
}

/// Makes a clock what `callback` says; otherwise as `wasmrt_wasi_config_reader`. How long a guest
/// sleeps is the system's affair all the same. False and a last error also for a number that is no
/// clock.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_config_clock(
    config: *mut wasmrt_wasi_config_t,
    clock: wasmrt_wasi_clock_t,
    clock_callback: wasmrt_wasi_clock_callback_t,
    env: *mut c_void,
    finalizer: Option<unsafe extern "C" fn(arg1: *mut c_void)>,
) -> bool {
    // SAFETY: the caller's, or NULL.
    answer("wasmrt_wasi_config_clock", false, || unsafe {
        let callback = callback(clock_callback, env, finalizer)?;
        let unknown = || Error::misuse(format!("expected a clock, got the number {clock}, which is none"));
        let config = from_c(config)?;
        *config.clocks.get_mut(clock as usize).ok_or_else(unknown)? = Some(callback);
        Ok(true)
    })
}

/// Makes random bytes what `callback` gives, some at a time; otherwise as
/// `wasmrt_wasi_config_reader`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_config_random(
    config: *mut wasmrt_wasi_config_t,
    random_callback: wasmrt_wasi_random_callback_t,
    env: *mut c_void,
    finalizer: Option<unsafe extern "C" fn(arg1: *mut c_void)>,
) -> bool {
    // SAFETY: the caller's, or NULL.
    answer("wasmrt_wasi_config_random", false, || unsafe {
        let callback = callback(random_callback, env, finalizer)?;
        from_c(config)?.random = Random::Callback(callback);
        Ok(true)
    })
}

/// Makes random bytes follow from `seed`, the same in each context. Who knows some of them can tell
/// the others: they are not for secrets. True; false and a last error for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_config_random_seed(config: *mut wasmrt_wasi_config_t, seed: u64) -> bool {
    // SAFETY: the caller's, or NULL.
    answer("wasmrt_wasi_config_random_seed", false, || unsafe {
        from_c(config)?.random = Random::Seed(seed);
        Ok(true)
    })
}

/// Sets a limit of contexts, `WASMRT_UNLIMITED` for none. True; false and a last error for a number
/// that is no limit, or for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_config_limit(
    config: *mut wasmrt_wasi_config_t,
    limit: wasmrt_wasi_limit_t,
    value: u64,
) -> bool {
    // SAFETY: the caller's, or NULL.
    answer("wasmrt_wasi_config_limit", false, || unsafe {
        let config = from_c(config)?;
        match limit {
            0 => config.max_descriptors = value,
            1 => config.max_file_bytes = value,
            _ => {
                let message = format!("expected a limit of WASI contexts, got the number {limit}, which is none");
                return Err(Error::misuse(message));
            }
        }
        Ok(true)
    })
}

/// A context, own, for guests of a store. The configuration stays the caller's.
///
/// NULL and a last error if the limit of descriptors is below what is given, or for NULL. Must be
/// passed to `wasmrt_wasi_delete`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_new(
    store: *mut wasm_store_t,
    config: *const wasmrt_wasi_config_t,
) -> *mut wasmrt_wasi_t {
    // SAFETY: the caller's, or NULL.
    answer("wasmrt_wasi_new", std::ptr::null_mut(), || unsafe {
        let store = store::from_c(store)?;
        let wasi = Wasi::new(store, required(config, "a WASI configuration")?)?;
        Ok(give_box(Context { wasi, store: StoreHandle::new(store) }))
    })
}

/// Deletes a context. Takes ownership. Its functions keep what they need. NULL: nothing happens.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_delete(wasi: *mut wasmrt_wasi_t) {
    // SAFETY: the caller's own, or NULL.
    guard((), || drop(unsafe { take_box::<_, Context>(wasi) }))
}

/// Writes a module's imports to `out`, own, in declared order: functions where they are WASI's, NULL
/// where they are not, for the caller to fill in.
///
/// They are for one instance: when it is made, its memory is bound to them, which is the one that it
/// exports as "memory", or else its only one. Instantiating with them again, with another memory, is
/// refused. While the start function of a module runs, a memory that the module defines is not bound
/// yet: functions that need one give `EFAULT`. True; `out` must then be passed to
/// `wasm_extern_vec_delete`. False and a last error if the module wants a function that WASI does not
/// have, or for NULL; `out` is then empty.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_imports(
    wasi: *const wasmrt_wasi_t,
    module: *const wasm_module_t,
    out: *mut wasm_extern_vec_t,
) -> bool {
    // SAFETY: the caller's, or NULL.
    let imports = answer("wasmrt_wasi_imports", None, || unsafe {
        let context = context(wasi)?;
        let (_, module) = module::from_c(module)?;
        if out.is_null() {
            return Err(null("a vector to write to"));
        }
        let imports = wasi::imports(&context.wasi, &context.store, module)?;
        let parts = Parts::<*mut wasm_extern_t>::zeroed(imports.len());
        for (position, import) in imports.into_iter().enumerate().take(parts.size) {
            parts.data.add(position).write(import.map_or(std::ptr::null_mut(), |func| func.into_raw().cast()));
        }
        Ok(Some(wasm_extern_vec_t::from_parts(parts)))
    });
    let made = imports.is_some();
    // SAFETY: `out` is the caller's, writable, or NULL.
    unsafe { imports.unwrap_or_else(wasm_extern_vec_t::empty).write(out) };
    made
}

/// A function of WASI, own: `name` in `module`, which is "wasi_snapshot_preview1" or
/// "wasi_unstable". It is for one instance, as those of `wasmrt_wasi_imports`.
///
/// NULL and a last error if there is no such function, or for NULL. Must be passed to
/// `wasm_func_delete`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_func(
    wasi: *const wasmrt_wasi_t,
    module: *const c_char,
    name: *const c_char,
) -> *mut wasm_func_t {
    // SAFETY: the caller's, or NULL.
    answer("wasmrt_wasi_func", std::ptr::null_mut(), || unsafe {
        let context = context(wasi)?;
        let (module, name) = (string(module, "a module's name")?, string(name, "a name")?);
        let (module, name) = (module.to_string_lossy(), name.to_string_lossy());
        Ok(wasi::function(&context.wasi, &context.store, &module, &name)?.into_raw().cast())
    })
}

/// Binds a memory for those of a context's functions that no instance's memory is bound to: before
/// an instance that imports them is made, or where it exports none.
///
/// True; false and a last error if another memory was bound before, if the memory belongs to another
/// store, or for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_bind_memory(wasi: *mut wasmrt_wasi_t, memory: *const wasm_memory_t) -> bool {
    // SAFETY: the caller's, or NULL.
    answer("wasmrt_wasi_bind_memory", false, || unsafe {
        let context = context(wasi)?;
        let memory = object(memory, "a memory")?;
        if memory.as_memory().is_none() {
            return Err(wrong_kind(memory, "a memory"));
        }
        context.store.check_own(memory, "the memory")?;
        context.wasi.bind_memory(memory).map(|()| true)
    })
}

/// Runs an instance: calls its `_start`, or else its `_initialize`, and writes the exit status to
/// `status`, unless that is NULL: what the guest passed to `proc_exit`, or 0.
///
/// Returns NULL, or a trap, own, if the guest trapped, and `status` is not written. An instance that
/// exports neither, or of another store, is refused with a trap as well. With NULL for the context or
/// the instance: NULL, nothing happens, and there is a last error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_start(
    wasi: *mut wasmrt_wasi_t,
    instance: *const wasm_instance_t,
    status: *mut i32,
) -> *mut wasm_trap_t {
    // SAFETY: the caller's, or NULL.
    answer("wasmrt_wasi_start", std::ptr::null_mut(), || unsafe {
        let context = context(wasi)?;
        // The guest may delete the context while it runs.
        let wasi = context.wasi.clone();
        let store = StoreHandle::new(&context.store);
        match wasi::start(&wasi, &store, object(instance, "an instance")?) {
            Ok(exit) => {
                if let Some(status) = status.as_mut() {
                    *status = exit;
                }
                Ok(std::ptr::null_mut())
            }
            Err(trap) => Ok(trap.into_raw().cast()),
        }
    })
}

/// The status with which a guest of the context exited last, by `proc_exit` or at the end of
/// `wasmrt_wasi_start`, written to `status`. True; false if none has yet, and false and a last error
/// for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_exit_status(wasi: *const wasmrt_wasi_t, status: *mut i32) -> bool {
    // SAFETY: the caller's, or NULL.
    answer("wasmrt_wasi_exit_status", false, || unsafe {
        let exit = context(wasi)?.wasi.exit_status();
        let status = status.as_mut().ok_or_else(|| null("a place for the status"))?;
        *status = exit.unwrap_or(*status);
        Ok(exit.is_some())
    })
}

/// Moves at most `size` bytes of what was captured of a stream to `to`, and writes their number to
/// `count`: 0 if there are none. May be called while the guest runs, from host functions.
///
/// True; false and a last error if the stream is not captured, or for NULL, with nothing written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_wasi_read(
    wasi: *mut wasmrt_wasi_t,
    stream: wasmrt_wasi_stream_t,
    to: *mut c_void,
    size: usize,
    count: *mut usize,
) -> bool {
    // SAFETY: the caller's, or NULL; there is so much room.
    answer("wasmrt_wasi_read", false, || unsafe {
        let missing = || Error::misuse(format!("stream {stream} is not captured; call wasmrt_wasi_config_capture"));
        let capture = context(wasi)?.wasi.capture(any_stream(stream)?).ok_or_else(missing)?;
        let count = count.as_mut().ok_or_else(|| null("a place for the number of bytes"))?;
        let room: &mut [MaybeUninit<u8>] = match size {
            0 => &mut [],
            _ if to.is_null() => return Err(null("a place for bytes")),
            _ => std::slice::from_raw_parts_mut(to.cast(), size),
        };
        *count = capture.drain(room);
        Ok(true)
    })
}

/// What WASI a module wants: the newest version that it imports anything of, a constant of
/// `wasmrt_wasi_version_enum`, written to `version`. True; false and a last error for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_module_wasi(module: *const wasm_module_t, version: *mut wasmrt_wasi_version_t) -> bool {
    // SAFETY: the caller's, or NULL.
    answer("wasmrt_module_wasi", false, || unsafe {
        let (_, module) = module::from_c(module)?;
        *version.as_mut().ok_or_else(|| null("a place for the version"))? = match wasi::wanted(module) {
            None => wasmrt_wasi_version_enum::WASMRT_WASI_NONE,
            Some(Version::Snapshot0) => wasmrt_wasi_version_enum::WASMRT_WASI_UNSTABLE,
            Some(Version::Snapshot1) => wasmrt_wasi_version_enum::WASMRT_WASI_PREVIEW1,
        } as u32;
        Ok(true)
    })
}

/// # Safety
/// The pointer is NULL or the caller's configuration, which nobody else uses.
unsafe fn from_c<'a>(config: *mut wasmrt_wasi_config_t) -> Result<&'a mut Config> {
    // SAFETY: as promised by the caller.
    unsafe { config.cast::<Config>().as_mut() }.ok_or_else(|| null("a WASI configuration"))
}

/// # Safety
/// The pointer is NULL or the caller's context.
unsafe fn context<'a>(wasi: *const wasmrt_wasi_t) -> Result<&'a Context> {
    // SAFETY: as promised by the caller.
    unsafe { required(wasi, "a WASI context") }
}

/// # Safety
/// The pointer is NULL or text of the caller's.
unsafe fn string<'a>(text: *const c_char, what: &str) -> Result<&'a CStr> {
    if text.is_null() {
        return Err(null(what));
    }
    // SAFETY: as promised by the caller.
    Ok(unsafe { CStr::from_ptr(text) })
}

/// The host's function with its environment, whose finalizer runs if there is no function.
fn callback<F>(
    function: Option<F>,
    env: *mut c_void,
    finalizer: Option<unsafe extern "C" fn(*mut c_void)>,
) -> Result<Arc<HostCallback<F>>> {
    let env = HostData { pointer: env, finalizer };
    Ok(Arc::new(HostCallback { function: function.ok_or_else(|| null("a callback"))?, env }))
}

fn any_stream(number: wasmrt_wasi_stream_t) -> Result<usize> {
    match number {
        0..=2 => Ok(number as usize),
        _ => Err(Error::misuse(format!("expected a standard stream, got the number {number}, which is none"))),
    }
}

fn output(number: wasmrt_wasi_stream_t) -> Result<usize> {
    match any_stream(number)? {
        0 => Err(Error::misuse("standard input is not written to; use the stream of standard output or error")),
        stream => Ok(stream),
    }
}

fn writable(access: wasmrt_wasi_access_t) -> Result<bool> {
    match access {
        1 => Ok(false),
        2 => Ok(true),
        _ => Err(Error::misuse(format!("expected an access to directories, got the number {access}, which is none"))),
    }
}
