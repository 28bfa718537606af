//! What a guest is given: a configuration, from which any number of contexts are made.

use super::sandbox;
use crate::runtime::base::error::{Error, ErrorKind, Result};
use crate::runtime::base::host_data::HostData;
use std::ffi::{CStr, OsStr, c_void};
use std::fs::File;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;

/// Reads up to `size` bytes to `to`. Returns their number, 0 at the end, or a negative error number.
pub type ReadCallback = unsafe extern "C" fn(env: *mut c_void, to: *mut c_void, size: usize) -> isize;
/// Writes up to `size` bytes. Returns their number, or a negative error number.
pub type WriteCallback = unsafe extern "C" fn(env: *mut c_void, from: *const c_void, size: usize) -> isize;
/// Tells the time in nanoseconds.
pub type ClockCallback = unsafe extern "C" fn(env: *mut c_void) -> u64;
/// Fills a place with random bytes; returns whether it did.
pub type RandomCallback = unsafe extern "C" fn(env: *mut c_void, to: *mut c_void, size: usize) -> bool;

/// A host function and its environment, shared by the configuration and its contexts.
pub struct HostCallback<F> {
    pub function: F,
    pub env: HostData,
}

// SAFETY: C promises, when it sets a callback, that all threads that use contexts of the configuration may call it.
unsafe impl<F> Send for HostCallback<F> {}
unsafe impl<F> Sync for HostCallback<F> {}

/// Where a standard stream comes from, or goes to.
#[derive(Clone)]
pub enum Stream {
    /// Is at its end; output is discarded.
    Nothing,
    File(Arc<File>),
    Bytes(Arc<[u8]>),
    Reader(Arc<HostCallback<ReadCallback>>),
    Writer(Arc<HostCallback<WriteCallback>>),
    /// Kept for the host, up to this number of bytes.
    Capture(usize),
}

#[derive(Clone)]
pub struct Preopen {
    pub dir: Arc<File>,
    /// What the guest calls it.
    pub name: String,
    pub writable: bool,
}

#[derive(Clone)]
pub enum Random {
    System,
    Callback(Arc<HostCallback<RandomCallback>>),
    Seed(u64),
}

pub const CLOCKS: usize = 4;

#[derive(Clone)]
pub struct Config {
    pub args: Vec<Vec<u8>>,
    /// Each `NAME=value`.
    pub env: Vec<Vec<u8>>,
    pub streams: [Stream; 3],
    pub preopens: Vec<Preopen>,
    pub virtual_root: bool,
    pub clocks: [Option<Arc<HostCallback<ClockCallback>>>; CLOCKS],
    pub random: Random,
    /// The most descriptors that a guest may have open at a time.
    pub max_descriptors: u64,
    /// How many bytes it may write to files.
    pub max_file_bytes: u64,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            args: Vec::new(),
            env: Vec::new(),
            streams: [Stream::Nothing, Stream::Nothing, Stream::Nothing],
            preopens: Vec::new(),
            virtual_root: false,
            clocks: [const { None }; CLOCKS],
            random: Random::System,
            // Many programs may only open 1,024.
            max_descriptors: 256,
            max_file_bytes: u64::MAX,
        }
    }
}

impl Config {
    /// Adds a variable, or replaces it.
    pub fn set_env(&mut self, name: &[u8], value: &[u8]) -> Result<()> {
        if name.is_empty() || name.contains(&b'=') {
            let name = String::from_utf8_lossy(name);
            let message = format!("a variable's name is not empty and has no '=', unlike \"{name}\"");
            return Err(Error::misuse(message));
        }
        let variable = [name, b"=", value].concat();
        match self.env.iter_mut().find(|former| former.starts_with(&variable[..=name.len()])) {
            Some(former) => *former = variable,
            None => self.env.push(variable),
        }
        Ok(())
    }

    /// Adds the variables of this process.
    pub fn inherit_env(&mut self) {
        for (name, value) in std::env::vars_os() {
            // The system allows names that nobody can look up.
            let _ = self.set_env(&name.into_vec(), &value.into_vec());
        }
    }

    /// Makes a stream this process's own.
    pub fn inherit(&mut self, stream: usize) -> Result<Stream> {
        self.set_descriptor(stream, stream as RawFd)
    }

    /// Returns what it was; so do the functions below. The finalizer of a former callback may change the configuration.
    #[must_use]
    pub fn set_stream(&mut self, stream: usize, to: Stream) -> Stream {
        std::mem::replace(&mut self.streams[stream], to)
    }

    /// Makes a stream a duplicate of a descriptor.
    pub fn set_descriptor(&mut self, stream: usize, descriptor: RawFd) -> Result<Stream> {
        Ok(self.set_stream(stream, Stream::File(Arc::new(duplicate(descriptor)?))))
    }

    /// Makes a stream a file: standard input reads it, the others write it from its start, or to its end.
    pub fn set_file(&mut self, stream: usize, path: &CStr, append: bool) -> Result<Stream> {
        let mut options = File::options();
        match stream {
            0 => options.read(true),
            _ => options.create(true).write(true).append(append).truncate(!append),
        };
        // Without waiting for somebody at the other end.
        options.custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK);
        let file = options.open(OsStr::from_bytes(path.to_bytes())).map_err(|error| unusable("file", path, &error))?;
        Ok(self.set_stream(stream, Stream::File(Arc::new(file))))
    }

    /// Gives the guest a directory.
    pub fn preopen(&mut self, host: &CStr, guest: &CStr, writable: bool) -> Result<()> {
        let path = OsStr::from_bytes(host.to_bytes());
        let dir = sandbox::open_host_directory(path.as_ref()).map_err(|error| unusable("directory", host, &error))?;
        self.add_preopen(dir, guest, writable)
    }

    /// Gives the guest a directory that the host has opened.
    pub fn preopen_descriptor(&mut self, descriptor: RawFd, guest: &CStr, writable: bool) -> Result<()> {
        let dir = duplicate(descriptor)?;
        // Opened anew, so that it can be listed whatever it was opened for.
        let dir = sandbox::reopen_directory(&dir).map_err(|error| {
            let message = format!("the descriptor {descriptor} is not a directory that can be used: {error}");
            Error::new(ErrorKind::Misuse, message)
        })?;
        self.add_preopen(dir, guest, writable)
    }

    fn add_preopen(&mut self, dir: File, guest: &CStr, writable: bool) -> Result<()> {
        let name = guest.to_str().ok().filter(|name| !name.is_empty() && name.len() <= sandbox::MAX_PATH as usize);
        let Some(name) = name else {
            let message = "the guest's name of a directory is UTF-8, not empty, and no longer than a path";
            return Err(Error::misuse(message));
        };
        if self.preopens.iter().any(|preopen| preopen.name == name) {
            return Err(Error::misuse(format!("the guest has a directory \"{name}\" already")));
        }
        self.preopens.push(Preopen { dir: Arc::new(dir), name: name.to_string(), writable });
        Ok(())
    }
}

fn duplicate(descriptor: RawFd) -> Result<File> {
    let unusable =
        |error: std::io::Error| Error::misuse(format!("the descriptor {descriptor} cannot be used: {error}"));
    if descriptor < 0 {
        return Err(unusable(std::io::Error::from_raw_os_error(libc::EBADF)));
    }
    // SAFETY: borrowed for this call; whether it is open, the call says.
    let descriptor = unsafe { BorrowedFd::borrow_raw(descriptor) };
    descriptor.try_clone_to_owned().map(File::from).map_err(unusable)
}

fn unusable(what: &str, path: &CStr, error: &std::io::Error) -> Error {
    let message = format!("the {what} \"{}\" cannot be opened: {error}", path.to_string_lossy());
    Error::new(ErrorKind::File, message)
}

/// Whether a stream of the host's is a terminal.
pub fn is_terminal(file: &File) -> bool {
    // SAFETY: an open descriptor.
    unsafe { libc::isatty(file.as_raw_fd()) == 1 }
}
