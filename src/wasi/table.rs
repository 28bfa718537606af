//! The functions by name, with their types, and how the runtime calls them.

use super::abi::Version;
use super::context::{Answer, Call, ImportSet, Stop, Wasi};
use super::{files, paths, system};
use crate::runtime::base::error::{self, Result};
use crate::runtime::base::host_data::HostData;
use crate::runtime::base::types::{FuncType, ValKind, ValType};
use crate::runtime::core::func::{Callback, CallbackWithEnv, Func};
use crate::runtime::core::object::{Handle, Object};
use crate::runtime::core::store::Store;
use crate::runtime::core::trap::{Cause, Trap};
use crate::runtime::core::value::{Val, ValVec};
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// A function of the interface.
pub struct Row {
    pub name: &'static str,
    params: &'static [ValKind],
    /// Whether it returns an errno; the only one that does not does not return.
    returns: bool,
    callback: CallbackWithEnv,
}

/// What a function takes.
trait Parameter {
    const KIND: ValKind;
    /// # Safety
    /// The value is of this kind.
    unsafe fn of(value: &Val) -> Self;
}

impl Parameter for u32 {
    const KIND: ValKind = ValKind::I32;
    #[inline(always)]
    unsafe fn of(value: &Val) -> u32 {
        // SAFETY: the contract says that the value is an i32.
        unsafe { value.of.i32 as u32 }
    }
}

impl Parameter for u64 {
    const KIND: ValKind = ValKind::I64;
    #[inline(always)]
    unsafe fn of(value: &Val) -> u64 {
        // SAFETY: the contract says that the value is an i64.
        unsafe { value.of.i64 as u64 }
    }
}

/// Rows: for each, its name, the types of its parameters, and the function that takes the call and these; then, where it differs
/// from version to version, the version.
macro_rules! rows {
    ($($name:ident($($ty:ty),*) $(-> $never:ident)? = $function:path $([$version:expr])?;)*) => {
        &[$(
            Row {
                name: stringify!($name),
                params: &[$(<$ty as Parameter>::KIND),*],
                returns: true $(&& rows!($never))?,
                callback: {
                    unsafe extern "C" fn callback(
                        env: *mut c_void,
                        args: *const ValVec,
                        results: *mut ValVec,
                    ) -> *mut Object {
                        // SAFETY: the runtime calls a row's function with its environment, and with values of its type.
                        unsafe {
                            run(env, args, results, |call, args| {
                                #[allow(unused_mut, unused_variables)] // where there are no parameters
                                let mut args = args.iter();
                                $function(call, $(<$ty as Parameter>::of(args.next().unwrap_unchecked()),)* $($version)?)
                            })
                        }
                    }
                    callback
                },
            },
        )*]
    };
    (never) => { false };
}

/// `wasi_snapshot_preview1`.
const SNAPSHOT1: &[Row] = rows! {
    args_get(u32, u32) = system::args_get;
    args_sizes_get(u32, u32) = system::args_sizes_get;
    clock_res_get(u32, u32) = system::clock_res_get;
    clock_time_get(u32, u64, u32) = system::clock_time_get;
    environ_get(u32, u32) = system::environ_get;
    environ_sizes_get(u32, u32) = system::environ_sizes_get;
    fd_advise(u32, u64, u64, u32) = files::fd_advise;
    fd_allocate(u32, u64, u64) = files::fd_allocate;
    fd_close(u32) = files::fd_close;
    fd_datasync(u32) = files::fd_datasync;
    fd_fdstat_get(u32, u32) = files::fd_fdstat_get;
    fd_fdstat_set_flags(u32, u32) = files::fd_fdstat_set_flags;
    fd_fdstat_set_rights(u32, u64, u64) = files::fd_fdstat_set_rights;
    fd_filestat_get(u32, u32) = files::fd_filestat_get [Version::Snapshot1];
    fd_filestat_set_size(u32, u64) = files::fd_filestat_set_size;
    fd_filestat_set_times(u32, u64, u64, u32) = files::fd_filestat_set_times;
    fd_pread(u32, u32, u32, u64, u32) = files::fd_pread;
    fd_prestat_dir_name(u32, u32, u32) = files::fd_prestat_dir_name;
    fd_prestat_get(u32, u32) = files::fd_prestat_get;
    fd_pwrite(u32, u32, u32, u64, u32) = files::fd_pwrite;
    fd_read(u32, u32, u32, u32) = files::fd_read;
    fd_readdir(u32, u32, u32, u64, u32) = files::fd_readdir;
    fd_renumber(u32, u32) = files::fd_renumber;
    fd_seek(u32, u64, u32, u32) = files::fd_seek [Version::Snapshot1];
    fd_sync(u32) = files::fd_sync;
    fd_tell(u32, u32) = files::fd_tell;
    fd_write(u32, u32, u32, u32) = files::fd_write;
    path_create_directory(u32, u32, u32) = paths::path_create_directory;
    path_filestat_get(u32, u32, u32, u32, u32) = paths::path_filestat_get [Version::Snapshot1];
    path_filestat_set_times(u32, u32, u32, u32, u64, u64, u32) = paths::path_filestat_set_times;
    path_link(u32, u32, u32, u32, u32, u32, u32) = paths::path_link;
    path_open(u32, u32, u32, u32, u32, u64, u64, u32, u32) = paths::path_open;
    path_readlink(u32, u32, u32, u32, u32, u32) = paths::path_readlink;
    path_remove_directory(u32, u32, u32) = paths::path_remove_directory;
    path_rename(u32, u32, u32, u32, u32, u32) = paths::path_rename;
    path_symlink(u32, u32, u32, u32, u32) = paths::path_symlink;
    path_unlink_file(u32, u32, u32) = paths::path_unlink_file;
    poll_oneoff(u32, u32, u32, u32) = system::poll_oneoff [Version::Snapshot1];
    proc_exit(u32) -> never = system::proc_exit;
    proc_raise(u32) = system::proc_raise;
    random_get(u32, u32) = system::random_get;
    sched_yield() = system::sched_yield;
    sock_accept(u32, u32, u32) = files::sock_accept;
    sock_recv(u32, u32, u32, u32, u32, u32) = files::sock_recv;
    sock_send(u32, u32, u32, u32, u32) = files::sock_send;
    sock_shutdown(u32, u32) = files::sock_shutdown;
};

/// What differs in `wasi_unstable`.
const SNAPSHOT0: &[Row] = rows! {
    fd_filestat_get(u32, u32) = files::fd_filestat_get [Version::Snapshot0];
    fd_seek(u32, u64, u32, u32) = files::fd_seek [Version::Snapshot0];
    path_filestat_get(u32, u32, u32, u32, u32) = paths::path_filestat_get [Version::Snapshot0];
    poll_oneoff(u32, u32, u32, u32) = system::poll_oneoff [Version::Snapshot0];
};

/// The version that a module of imports is.
pub fn version(module: &str) -> Option<Version> {
    match module {
        "wasi_snapshot_preview1" => Some(Version::Snapshot1),
        "wasi_unstable" => Some(Version::Snapshot0),
        _ => None,
    }
}

/// The function of a name.
pub fn row(version: Version, name: &str) -> Option<&'static Row> {
    let find = |rows: &'static [Row]| rows.iter().find(|row| row.name == name);
    match version {
        Version::Snapshot1 => find(SNAPSHOT1),
        // It came later.
        Version::Snapshot0 if name == "sock_accept" => None,
        Version::Snapshot0 => find(SNAPSHOT0).or_else(|| find(SNAPSHOT1)),
    }
}

impl Row {
    fn ty(&self) -> FuncType {
        let params: Vec<_> = self.params.iter().map(|kind| ValType::new(*kind)).collect();
        let results = if self.returns { vec![ValType::new(ValKind::I32)] } else { Vec::new() };
        FuncType::new(params, results)
    }

    /// Makes the function for a set of imports.
    pub fn function(&self, store: &Store, set: &Arc<ImportSet>) -> Result<Handle> {
        let env = Arc::into_raw(set.clone()).cast_mut().cast();
        let env = HostData { pointer: env, finalizer: Some(release_set) };
        Func::new_host(store, self.ty(), Callback::Importable(self.callback), env)
    }
}

unsafe extern "C" fn release_set(set: *mut c_void) {
    // SAFETY: from `Row::function`, and called once.
    drop(unsafe { Arc::from_raw(set.cast_const().cast::<ImportSet>()) });
}

/// Runs a function for the guest.
///
/// # Safety
/// `env` is a set of imports, and the vectors are those of a call of the function, which has at most one result.
#[inline(always)]
unsafe fn run(
    env: *mut c_void,
    args: *const ValVec,
    results: *mut ValVec,
    body: impl FnOnce(Call, &[Val]) -> Answer,
) -> *mut Object {
    // SAFETY: the contract says what these are; a function keeps its environment, and the runtime a function that runs.
    let (call, args) = unsafe { (Call { set: &*env.cast::<ImportSet>() }, (*args).values()) };
    // Nothing unwinds into the runtime's caller. What is behind the panic is as after any early return.
    let answer = catch_unwind(AssertUnwindSafe(|| body(call, args)));
    let errno = match answer {
        Ok(Ok(())) => 0,
        Ok(Err(Stop::Errno(errno))) => errno as i32,
        Ok(Err(stop)) => return trap(call, stop),
        Err(panic) => return panicked(call, panic),
    };
    // SAFETY: only a function without results does not come here.
    unsafe { (*results).data.write(Val::i32(errno)) };
    std::ptr::null_mut()
}

#[cold]
fn trap(call: Call, stop: Stop) -> *mut Object {
    let trap = match stop {
        Stop::Exit(status) => {
            let wasi: &Wasi = call.wasi();
            wasi.set_exit_status(Some(status));
            Trap::new(Cause::Exit(status), format!("exit with status {status}").into_bytes())
        }
        Stop::Trap(code) => Trap::of_code(code),
        Stop::Errno(errno) => Trap::new(Cause::Host, format!("errno {}", errno as u16).into_bytes()),
    };
    trap.into_handle(call.store()).into_raw()
}

#[cold]
fn panicked(call: Call, panic: Box<dyn std::any::Any + Send>) -> *mut Object {
    let message = format!("internal error: {}", error::panic_text(&*panic));
    let error = error::Error::new(error::ErrorKind::Internal, message);
    call.store().error_trap(error).into_raw()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_functions_are_there() {
        assert_eq!((SNAPSHOT1.len(), SNAPSHOT0.len()), (46, 4));
        assert!(SNAPSHOT1.windows(2).all(|pair| pair[0].name < pair[1].name));
        let names = SNAPSHOT1.iter().map(|row| row.name);
        assert_eq!(names.filter(|name| row(Version::Snapshot0, name).is_some()).count(), 45);
        assert!(
            SNAPSHOT0.iter().all(|old| row(Version::Snapshot1, old.name).is_some_and(|new| new.params == old.params))
        );
    }
}
