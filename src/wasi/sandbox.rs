//! Paths of guests, each beneath a directory that the guest was given. Nothing else in the library resolves them.
//!
//! The work is done by cap-primitives: `openat2` with `RESOLVE_BENEATH` and `RESOLVE_NO_MAGICLINKS` where the kernel has it,
//! otherwise a walk from directory to directory. What leads out is refused with [`Errno::Permission`]: `..` above the
//! directory, absolute paths, symbolic links with either. The magic links of /proc are refused with it or [`Errno::Loop`].
//! Only [`stat`] asks the system itself, about names that cannot lead out.

use super::abi::{Errno, FileStat, FileType};
use cap_primitives::fs::{
    self as cap, DirOptions, FollowSymlinks, MetadataExt, OpenOptions, OpenOptionsExt, SystemTimeSpec,
};
use cap_primitives::time::SystemTime;
use rustix::fs::{AtFlags, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

/// The longest path, which is what Linux has. Longer ones are refused before anything is done with them.
pub const MAX_PATH: u32 = 4095;

type Result<T> = std::result::Result<T, Errno>;

/// Opens a directory of the host's.
pub fn open_host_directory(path: &Path) -> io::Result<File> {
    File::options().read(true).custom_flags(libc::O_DIRECTORY).open(path)
}

/// Opens a directory of the host's again.
pub fn reopen_directory(dir: &File) -> io::Result<File> {
    let flags = rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC;
    Ok(rustix::fs::openat(dir, c".", flags, rustix::fs::Mode::empty())?.into())
}

/// How a path is opened.
#[derive(Clone, Copy, Default)]
pub struct Open {
    pub read: bool,
    pub write: bool,
    pub create: bool,
    pub exclusive: bool,
    pub truncate: bool,
    pub directory: bool,
    pub follow: bool,
    pub sync: bool,
    pub dsync: bool,
}

/// Opens a file or directory. Does not wait for the other end of a FIFO, and makes no terminal the process's own.
pub fn open(dir: &File, path: &str, how: Open) -> Result<File> {
    if how.directory {
        return open_directory(dir, path, how);
    }
    if how.create && !(how.exclusive || how.write || how.truncate) {
        // What is there may be readable only, and creating opens for writing.
        match open(dir, path, Open { create: false, ..how }) {
            Ok(file) if FileType::of_mode(rustix::fs::fstat(&file)?.st_mode) == FileType::Directory => {
                return Err(Errno::IsDir);
            }
            Err(Errno::NoEntry) => {}
            answer => return answer,
        }
    }
    // Creating and truncating need a file that can be written.
    let write = how.write || how.create || how.truncate;
    let mut options = OpenOptions::new();
    options
        .read(how.read || !write)
        .write(write)
        .create(how.create)
        .create_new(how.create && how.exclusive)
        .truncate(how.truncate)
        ._cap_fs_ext_follow(FollowSymlinks::follow(how.follow))
        ._cap_fs_ext_sync(how.sync)
        ._cap_fs_ext_dsync(how.dsync)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    Ok(cap::open(dir, Path::new(path), &options)?)
}

fn open_directory(dir: &File, path: &str, how: Open) -> Result<File> {
    let path = Path::new(path);
    let place = if how.follow { cap::open_dir(dir, path)? } else { cap::open_dir_nofollow(dir, path)? };
    if how.write {
        return Err(Errno::IsDir);
    }
    // That is a place only, which cannot be listed.
    Ok(reopen_directory(&place)?)
}

pub fn stat(dir: &File, path: &str, follow: bool) -> Result<FileStat> {
    // A name in the directory itself cannot lead out, unless it is a symbolic link that is followed. Asking about it by its
    // name needs no descriptor of it.
    if !matches!(path, "" | "." | "..") && !path.contains('/') {
        let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
        let stat = file_stat(&rustix::fs::statat(dir, path, flags)?);
        if !follow || stat.filetype != FileType::SymbolicLink {
            return Ok(stat);
        }
    }
    let metadata = cap::stat(dir, Path::new(path), FollowSymlinks::follow(follow))?;
    Ok(FileStat {
        dev: metadata.dev(),
        ino: metadata.ino(),
        filetype: FileType::of_mode(metadata.mode()),
        nlink: metadata.nlink(),
        size: metadata.size(),
        atim: nanoseconds(metadata.atime(), metadata.atime_nsec()),
        mtim: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
        ctim: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
    })
}

/// What the system tells of a file.
// The fields' widths are not the same on all machines.
#[allow(clippy::unnecessary_cast)]
pub fn file_stat(stat: &rustix::fs::Stat) -> FileStat {
    FileStat {
        dev: stat.st_dev as u64,
        ino: stat.st_ino as u64,
        filetype: FileType::of_mode(stat.st_mode),
        nlink: stat.st_nlink as u64,
        size: u64::try_from(stat.st_size).unwrap_or(0),
        atim: nanoseconds(stat.st_atime as i64, stat.st_atime_nsec as i64),
        mtim: nanoseconds(stat.st_mtime as i64, stat.st_mtime_nsec as i64),
        ctim: nanoseconds(stat.st_ctime as i64, stat.st_ctime_nsec as i64),
    }
}

/// A time of a file. Times before 1970 cannot be told, and are 0.
fn nanoseconds(seconds: i64, nanoseconds: i64) -> u64 {
    let seconds = u64::try_from(seconds).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(nanoseconds).unwrap_or(0))
}

/// A time to set.
#[derive(Clone, Copy)]
pub enum Time {
    Keep,
    Now,
    Nanoseconds(u64),
}

pub fn timestamps(access: Time, modification: Time) -> Timestamps {
    let spec = |time| match time {
        Time::Keep => Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        Time::Now => Timespec { tv_sec: 0, tv_nsec: UTIME_NOW },
        Time::Nanoseconds(time) => {
            Timespec { tv_sec: (time / 1_000_000_000) as i64, tv_nsec: (time % 1_000_000_000) as _ }
        }
    };
    Timestamps { last_access: spec(access), last_modification: spec(modification) }
}

pub fn set_times(dir: &File, path: &str, follow: bool, access: Time, modification: Time) -> Result<()> {
    let path = Path::new(path);
    if !follow {
        let spec = |time| match time {
            Time::Keep => None,
            Time::Now => Some(SystemTimeSpec::SymbolicNow),
            Time::Nanoseconds(time) => {
                let time = SystemTime::from_std(UNIX_EPOCH + Duration::from_nanos(time));
                Some(SystemTimeSpec::Absolute(time))
            }
        };
        return Ok(cap::set_times_nofollow(dir, path, spec(access), spec(modification))?);
    }
    // Opened as a place only: cap-primitives would open it for writing, which waits where it is a FIFO.
    let place = cap::open(dir, path, OpenOptions::new().read(true).custom_flags(libc::O_PATH))?;
    let times = timestamps(access, modification);
    match rustix::fs::utimensat(&place, c"", &times, AtFlags::EMPTY_PATH) {
        // Linux before 5.8: by way of the descriptor's own name.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOENT) => {
            let name = format!("/proc/self/fd/{}", place.as_raw_fd());
            Ok(rustix::fs::utimensat(rustix::fs::CWD, name, &times, AtFlags::empty())?)
        }
        answer => Ok(answer?),
    }
}

pub fn create_directory(dir: &File, path: &str) -> Result<()> {
    Ok(cap::create_dir(dir, Path::new(path), &DirOptions::new())?)
}

pub fn remove_directory(dir: &File, path: &str) -> Result<()> {
    // cap-primitives takes `name/` for `name/.`, which cannot be removed.
    let name = path.trim_end_matches('/');
    Ok(cap::remove_dir(dir, Path::new(if name.is_empty() { path } else { name }))?)
}

pub fn remove_file(dir: &File, path: &str) -> Result<()> {
    Ok(cap::remove_file(dir, Path::new(path))?)
}

pub fn rename(dir: &File, path: &str, new_dir: &File, new_path: &str) -> Result<()> {
    Ok(cap::rename(dir, Path::new(path), new_dir, Path::new(new_path))?)
}

pub fn link(dir: &File, path: &str, new_dir: &File, new_path: &str) -> Result<()> {
    Ok(cap::hard_link(dir, Path::new(path), new_dir, Path::new(new_path))?)
}

pub fn symlink(contents: &str, dir: &File, path: &str) -> Result<()> {
    Ok(cap::symlink(Path::new(contents), dir, Path::new(path))?)
}

/// Returns what a symbolic link has in it.
pub fn read_link(dir: &File, path: &str) -> Result<Vec<u8>> {
    Ok(cap::read_link(dir, Path::new(path))?.into_os_string().into_vec())
}
