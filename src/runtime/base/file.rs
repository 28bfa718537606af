//! Files of the host, each read or written as a whole.

use super::error::{Error, ErrorKind, Result};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::ops::Deref;
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

/// Reads a file.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| failure("read", path, &error))
}

/// Writes a file under a temporary name in the same directory and then gives it its own, so that the file is whole
/// whenever it is there. `mode` is as for `open`.
pub fn write(path: &Path, mode: u32, pieces: &[&[u8]]) -> Result<()> {
    // It would be put in the place of a device or a pipe.
    let written = match fs::metadata(path) {
        Ok(found) if !found.is_file() && !found.is_dir() => Err(not_regular()),
        _ => try_write(path, mode, pieces),
    };
    written.map_err(|error| failure("write", path, &error))
}

/// As [`write`], with the system's own error, and whatever but a directory is in the way.
pub fn try_write(path: &Path, mode: u32, pieces: &[&[u8]]) -> io::Result<()> {
    if path.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let temporary = temporary(path).ok_or(io::ErrorKind::InvalidInput)?;
    let fill = |mut file: File| pieces.iter().try_for_each(|piece| file.write_all(piece));
    let made = OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary)?;
    fill(made).and_then(|()| fs::rename(&temporary, path)).inspect_err(|_| {
        let _ = fs::remove_file(&temporary);
    })
}

/// How names of temporary files end.
pub const TEMPORARY: &str = ".tmp";

/// Returns a name beside `path` that no other writer uses.
fn temporary(path: &Path) -> Option<PathBuf> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    path.file_name()?;
    // Processes in different containers may have the same number.
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
    Some(path.with_file_name(format!(".wasmrt-{}-{number}-{now}{TEMPORARY}", std::process::id())))
}

/// Makes a file in memory, without a name.
pub fn in_memory() -> io::Result<File> {
    // SAFETY: the name is a string that ends with a zero byte.
    let descriptor = unsafe { libc::memfd_create(c"wasmrt".as_ptr(), libc::MFD_CLOEXEC) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new, so nothing else owns it.
    Ok(unsafe { File::from_raw_fd(descriptor) })
}

/// A regular file, mapped to be read.
pub struct Mapped {
    pub file: File,
    start: NonNull<u8>,
    length: usize,
}

impl Mapped {
    /// Maps a file.
    ///
    /// # Safety
    /// Nothing changes the file as long as it is mapped.
    pub unsafe fn open(path: &Path) -> Result<Mapped> {
        // Without waiting for the other end, if it is a pipe.
        let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path);
        // SAFETY: the same contract.
        file.and_then(|file| unsafe { Mapped::of(file) }).map_err(|error| failure("read", path, &error))
    }

    /// # Safety
    /// As for [`Mapped::open`].
    pub unsafe fn of(file: File) -> io::Result<Mapped> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(not_regular());
        }
        let length = usize::try_from(metadata.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
        if length == 0 {
            return Ok(Mapped { file, start: NonNull::dangling(), length });
        }
        let (protection, flags) = (libc::PROT_READ, libc::MAP_PRIVATE | libc::MAP_POPULATE);
        // SAFETY: maps the file at an address that the system chooses.
        let start = unsafe { libc::mmap(ptr::null_mut(), length, protection, flags, file.as_raw_fd(), 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Mapped { file, start, length })
    }
}

impl Deref for Mapped {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        // SAFETY: `length` bytes are mapped there, if any, and the contract of `open` says that they stay as they are.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        if self.length > 0 {
            // SAFETY: `open` has mapped this, and no reference to it is left.
            unsafe { libc::munmap(self.start.as_ptr().cast(), self.length) };
        }
    }
}

fn not_regular() -> io::Error {
    io::Error::other("it is not a regular file")
}

#[cold]
fn failure(what: &str, path: &Path, error: &io::Error) -> Error {
    Error::new(ErrorKind::File, format!("cannot {what} the file \"{}\": {error}", path.display()))
}
