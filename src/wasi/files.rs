//! The functions that begin with `fd_`, and those of sockets.

use super::abi::{Errno, FileStat, FileType, Version, fdflags, fstflags, rights};
use super::context::{Answer, Call};
use super::descriptors::{Descriptor, Kind};
use super::io::{self, Vectors};
use super::paths;
use super::sandbox::{self, Time};
use rustix::fs::{Advice, FallocateFlags, SeekFrom};
use std::fs::File;
use std::mem::MaybeUninit;
use std::num::NonZeroU64;
use std::os::fd::AsRawFd;

pub fn fd_advise(call: Call, fd: u32, offset: u64, size: u64, advice: u32) -> Answer {
    let descriptor = call.descriptor(fd)?;
    let advice = match advice {
        0 => Advice::Normal,
        1 => Advice::Sequential,
        2 => Advice::Random,
        3 => Advice::WillNeed,
        4 => Advice::DontNeed,
        5 => Advice::NoReuse,
        _ => return Err(Errno::Invalid.into()),
    };
    let file = descriptor.as_file()?;
    if i64::try_from(offset).is_err() || i64::try_from(size).is_err() {
        return Err(Errno::Invalid.into());
    }
    descriptor.need(rights::FD_ADVISE).map_err(|_| Errno::SeekPipe)?;
    Ok(rustix::fs::fadvise(file, offset, NonZeroU64::new(size), advice)?)
}

pub fn fd_allocate(call: Call, fd: u32, offset: u64, size: u64) -> Answer {
    let descriptor = call.descriptor(fd)?;
    let file = descriptor.as_file()?;
    descriptor.need_access(rights::FD_WRITE)?;
    descriptor.need(rights::FD_ALLOCATE)?;
    let end = offset.checked_add(size).filter(|end| i64::try_from(*end).is_ok());
    let end = end.filter(|_| size > 0).ok_or(Errno::Invalid)?;
    // All of it could be in holes, which take no room until now, inside the file or behind its end.
    let before = rustix::fs::fstat(file)?;
    let growth = size.max(end.saturating_sub(before.st_size as u64));
    grow(call, growth, || {
        let allocate = || rustix::fs::fallocate(file, FallocateFlags::empty(), offset, size);
        Ok(rustix::io::retry_on_intr(allocate)?)
    })?;
    let after = rustix::fs::fstat(file)?;
    let blocks = after.st_blocks.saturating_sub(before.st_blocks).max(0) as u64;
    let grown = after.st_size.saturating_sub(before.st_size).max(0) as u64;
    call.wasi().return_file_bytes(growth.saturating_sub(grown.max(blocks.saturating_mul(512))));
    Ok(())
}

/// Makes a file larger, if the context's limit allows it.
fn grow(call: Call, growth: u64, change: impl FnOnce() -> Answer) -> Answer {
    let taken = call.wasi().take_file_bytes(growth)?;
    let answer = if taken < growth { Err(Errno::Quota.into()) } else { change() };
    if answer.is_err() {
        call.wasi().return_file_bytes(taken);
    }
    answer
}

pub fn fd_close(call: Call, fd: u32) -> Answer {
    call.wasi().descriptors.remove(fd)?;
    Ok(())
}

pub fn fd_datasync(call: Call, fd: u32) -> Answer {
    let descriptor = call.descriptor(fd)?;
    let file = synced(&descriptor, rights::FD_DATASYNC)?;
    Ok(rustix::io::retry_on_intr(|| rustix::fs::fdatasync(file))?)
}

pub fn fd_sync(call: Call, fd: u32) -> Answer {
    let descriptor = call.descriptor(fd)?;
    let file = synced(&descriptor, rights::FD_SYNC)?;
    Ok(rustix::io::retry_on_intr(|| rustix::fs::fsync(file))?)
}

fn synced(descriptor: &Descriptor, right: u64) -> Result<&File, Errno> {
    // What cannot be synced, such as a stream, is an error of the system's.
    let file = match &descriptor.kind {
        Kind::File(file) => file,
        // For the names in it: that is how a file that was renamed is made to last.
        Kind::Directory(directory) => &directory.dir,
        _ => return Err(Errno::BadF),
    };
    descriptor.need(right)?;
    Ok(file)
}

pub fn fd_fdstat_get(call: Call, fd: u32, out: u32) -> Answer {
    let descriptor = call.descriptor(fd)?;
    let mut bytes = [0; 24];
    bytes[0] = descriptor.filetype as u8;
    bytes[2..4].copy_from_slice(&descriptor.flags.get().to_le_bytes());
    bytes[8..16].copy_from_slice(&descriptor.rights.get().to_le_bytes());
    bytes[16..24].copy_from_slice(&descriptor.inheriting.get().to_le_bytes());
    Ok(call.memory().write(out, &bytes)?)
}

pub fn fd_fdstat_set_flags(call: Call, fd: u32, flags: u32) -> Answer {
    let descriptor = call.descriptor(fd)?;
    if matches!(descriptor.kind, Kind::Directory(_) | Kind::Virtual(_)) {
        return Err(Errno::BadF.into());
    }
    descriptor.need(rights::FD_FDSTAT_SET_FLAGS)?;
    // Syncing is decided when a file is opened.
    let changeable = fdflags::APPEND | fdflags::NONBLOCK;
    let flags = u16::try_from(flags).ok().filter(|flags| flags & !fdflags::ALL == 0).ok_or(Errno::Invalid)?;
    if (flags ^ descriptor.flags.get()) & !changeable != 0 {
        return Err(Errno::NotSupported.into());
    }
    descriptor.flags.set(flags);
    Ok(())
}

pub fn fd_fdstat_set_rights(call: Call, fd: u32, base: u64, inheriting: u64) -> Answer {
    let descriptor = call.descriptor(fd)?;
    // Rights can be given up, not taken.
    if base & !descriptor.rights.get() != 0 || inheriting & !descriptor.inheriting.get() != 0 {
        return Err(Errno::NotCapable.into());
    }
    descriptor.rights.set(base);
    descriptor.inheriting.set(inheriting);
    Ok(())
}

/// What a descriptor's file is now.
pub fn file_stat(descriptor: &Descriptor) -> Result<FileStat, Errno> {
    let file = match &descriptor.kind {
        Kind::File(file) => file,
        Kind::Directory(directory) => &directory.dir,
        _ => return Ok(FileStat::of_nothing(descriptor.filetype)),
    };
    Ok(sandbox::file_stat(&rustix::fs::fstat(file)?))
}

pub fn fd_filestat_get(call: Call, fd: u32, out: u32, version: Version) -> Answer {
    let descriptor = call.descriptor(fd)?;
    descriptor.need(rights::FD_FILESTAT_GET)?;
    let stat = file_stat(&descriptor)?.encode(version);
    Ok(call.memory().write(out, &stat[..FileStat::size(version) as usize])?)
}

pub fn fd_filestat_set_size(call: Call, fd: u32, size: u64) -> Answer {
    let descriptor = call.descriptor(fd)?;
    let file = descriptor.as_file()?;
    descriptor.need_access(rights::FD_WRITE)?;
    descriptor.need(rights::FD_FILESTAT_SET_SIZE)?;
    if i64::try_from(size).is_err() {
        return Err(Errno::Invalid.into());
    }
    let growth = size.saturating_sub(rustix::fs::fstat(file)?.st_size as u64);
    grow(call, growth, || Ok(rustix::io::retry_on_intr(|| rustix::fs::ftruncate(file, size))?))
}

/// The times that a guest wants to set.
pub fn times(access: u64, modification: u64, flags: u32) -> Result<(Time, Time), Errno> {
    let time = |time, given: u32, now: u32| match (flags & given != 0, flags & now != 0) {
        (true, true) => Err(Errno::Invalid),
        (true, false) => Ok(Time::Nanoseconds(time)),
        (false, true) => Ok(Time::Now),
        (false, false) => Ok(Time::Keep),
    };
    if flags & !fstflags::ALL != 0 {
        return Err(Errno::Invalid);
    }
    let access = time(access, fstflags::ATIM, fstflags::ATIM_NOW)?;
    Ok((access, time(modification, fstflags::MTIM, fstflags::MTIM_NOW)?))
}

pub fn fd_filestat_set_times(call: Call, fd: u32, access: u64, modification: u64, flags: u32) -> Answer {
    let descriptor = call.descriptor(fd)?;
    let (access, modification) = times(access, modification, flags)?;
    let file = match &descriptor.kind {
        Kind::File(file) => file,
        Kind::Directory(directory) => &directory.dir,
        _ => return Err(Errno::BadF.into()),
    };
    // Of what the guest was given, or opened in a directory that it may not write to.
    descriptor.need(rights::FD_FILESTAT_SET_TIMES).map_err(|_| Errno::Permission)?;
    Ok(rustix::fs::futimens(file, &sandbox::timestamps(access, modification))?)
}

/// Hands the number of bytes that were moved to the guest, at a place that was looked at before.
fn count(call: Call, out: u32, moved: impl FnOnce() -> Answer<usize>) -> Answer {
    call.memory().range(out, 4)?;
    let moved = moved()?;
    Ok(call.memory().write_u32(out, u32::try_from(moved).map_err(|_| Errno::Overflow)?)?)
}

pub fn fd_read(call: Call, fd: u32, address: u32, buffers: u32, out: u32) -> Answer {
    let descriptor = call.descriptor(fd)?;
    count(call, out, || io::read(call, &descriptor, Vectors { address, count: buffers }))
}

pub fn fd_write(call: Call, fd: u32, address: u32, buffers: u32, out: u32) -> Answer {
    let descriptor = call.descriptor(fd)?;
    count(call, out, || io::write(call, &descriptor, Vectors { address, count: buffers }))
}

pub fn fd_pread(call: Call, fd: u32, address: u32, buffers: u32, offset: u64, out: u32) -> Answer {
    let descriptor = call.descriptor(fd)?;
    count(call, out, || io::read_at(call, &descriptor, Vectors { address, count: buffers }, offset))
}

pub fn fd_pwrite(call: Call, fd: u32, address: u32, buffers: u32, offset: u64, out: u32) -> Answer {
    let descriptor = call.descriptor(fd)?;
    count(call, out, || io::write_at(call, &descriptor, Vectors { address, count: buffers }, offset))
}

pub fn fd_prestat_get(call: Call, fd: u32, out: u32) -> Answer {
    let descriptor = call.descriptor(fd)?;
    let name = descriptor.preopen_name().ok_or(Errno::BadF)?;
    // The kind, of which there is one, and the length of the name.
    Ok(call.memory().write_u64(out, (name.len() as u64) << 32)?)
}

pub fn fd_prestat_dir_name(call: Call, fd: u32, out: u32, room: u32) -> Answer {
    let descriptor = call.descriptor(fd)?;
    let name = descriptor.preopen_name().ok_or(Errno::BadF)?;
    if name.len() > room as usize {
        return Err(Errno::NameTooLong.into());
    }
    Ok(call.memory().write(out, name.as_bytes())?)
}

/// Room for what the system tells of a directory at a time.
const ENTRIES: usize = 4096;

/// Writes entries of a directory to a guest's buffer, the last one as far as there is room.
struct Listing<'a> {
    call: Call<'a>,
    out: u32,
    room: u32,
    used: u32,
}

impl Listing<'_> {
    /// Adds an entry; returns whether there is room for more.
    fn add(&mut self, next: u64, ino: u64, filetype: FileType, name: &[u8]) -> Result<bool, Errno> {
        let mut head = [0; 24];
        head[0..8].copy_from_slice(&next.to_le_bytes());
        head[8..16].copy_from_slice(&ino.to_le_bytes());
        head[16..20].copy_from_slice(&(name.len() as u32).to_le_bytes());
        head[20] = filetype as u8;
        for bytes in [&head[..], name] {
            let part = bytes.len().min((self.room - self.used) as usize);
            // Where the memory ends with the last address, nothing is left to write at the first.
            self.call.memory().write(self.out.wrapping_add(self.used), &bytes[..part])?;
            self.used += part as u32;
        }
        Ok(self.used < self.room)
    }
}

pub fn fd_readdir(call: Call, fd: u32, buffer: u32, room: u32, cookie: u64, out: u32) -> Answer {
    let descriptor = call.descriptor(fd)?;
    call.memory().range(buffer, room)?;
    call.memory().range(out, 4)?;
    let mut listing = Listing { call, out: buffer, room, used: 0 };
    match &descriptor.kind {
        Kind::Directory(directory) => {
            descriptor.need(rights::FD_READDIR)?;
            list(&mut listing, &directory.dir, &descriptor, cookie)?;
        }
        Kind::Virtual(name) => paths::list_virtual(call, name, cookie, |next, ino, entry| {
            listing.add(next, ino, FileType::Directory, entry.as_bytes())
        })?,
        _ => return Err(Errno::NotDir.into()),
    }
    Ok(call.memory().write_u32(out, listing.used)?)
}

fn list(listing: &mut Listing, dir: &File, descriptor: &Descriptor, cookie: u64) -> Answer {
    if listing.room == 0 {
        return Ok(());
    }
    let cookie = i64::try_from(cookie).map_err(|_| Errno::Invalid)?;
    // Cookies are positions.
    rustix::fs::seek(dir, SeekFrom::Start(cookie as u64))?;
    let mut room = Entries([MaybeUninit::uninit(); ENTRIES]);
    loop {
        // SAFETY: an open directory, and so much room.
        let filled = unsafe {
            libc::syscall(libc::SYS_getdents64, dir.as_raw_fd(), room.0.as_mut_ptr(), ENTRIES as libc::c_uint)
        };
        let filled = usize::try_from(filled).map_err(|_| Errno::last())?;
        if filled == 0 {
            return Ok(());
        }
        listing.call.check()?;
        // SAFETY: the system has written `filled` bytes.
        let mut rest = unsafe { std::slice::from_raw_parts(room.0.as_ptr().cast::<u8>(), filled) };
        while rest.len() > NAME {
            let word = |at: usize| u64::from_ne_bytes(std::array::from_fn(|byte| rest[at + byte]));
            let (ino, next) = (word(0), word(8));
            let size = usize::from(u16::from_ne_bytes([rest[16], rest[17]])).clamp(NAME + 1, rest.len());
            let (entry, others) = rest.split_at(size);
            let name = entry[NAME..].split(|byte| *byte == 0).next().unwrap_or_default();
            let filetype = match entry[18] {
                libc::DT_BLK => FileType::BlockDevice,
                libc::DT_CHR => FileType::CharacterDevice,
                libc::DT_DIR => FileType::Directory,
                libc::DT_REG => FileType::RegularFile,
                libc::DT_SOCK => FileType::SocketStream,
                libc::DT_LNK => FileType::SymbolicLink,
                _ => FileType::Unknown,
            };
            // What is above the guest's directory is not its business.
            let ino = if name == b".." { file_stat(descriptor)?.ino } else { ino };
            if !listing.add(next, ino, filetype, name)? {
                return Ok(());
            }
            rest = others;
        }
    }
}

/// As the system aligns what it writes there.
#[repr(align(8))]
struct Entries([MaybeUninit<u8>; ENTRIES]);

/// Where the name is in what the system writes of an entry.
const NAME: usize = 19;

pub fn fd_renumber(call: Call, from: u32, to: u32) -> Answer {
    Ok(call.wasi().descriptors.renumber(from, to)?)
}

/// Makes a position of an offset.
type ToPosition = fn(i64) -> Result<SeekFrom, Errno>;

/// Where a seek is counted from, as each version numbers it.
pub fn whence(number: u32, version: Version) -> Result<ToPosition, Errno> {
    const START: fn(i64) -> Result<SeekFrom, Errno> =
        |offset| u64::try_from(offset).map(SeekFrom::Start).map_err(|_| Errno::Invalid);
    const CURRENT: fn(i64) -> Result<SeekFrom, Errno> = |offset| Ok(SeekFrom::Current(offset));
    const END: fn(i64) -> Result<SeekFrom, Errno> = |offset| Ok(SeekFrom::End(offset));
    let order = match version {
        Version::Snapshot0 => [CURRENT, END, START],
        Version::Snapshot1 => [START, CURRENT, END],
    };
    order.get(number as usize).copied().ok_or(Errno::Invalid)
}

pub fn fd_seek(call: Call, fd: u32, offset: u64, from: u32, out: u32, version: Version) -> Answer {
    let descriptor = call.descriptor(fd)?;
    call.memory().range(out, 8)?;
    let from = whence(from, version)?(offset as i64)?;
    let position = seek(&descriptor, from)?;
    Ok(call.memory().write_u64(out, position)?)
}

pub fn fd_tell(call: Call, fd: u32, out: u32) -> Answer {
    let descriptor = call.descriptor(fd)?;
    call.memory().range(out, 8)?;
    let position = seek(&descriptor, SeekFrom::Current(0))?;
    Ok(call.memory().write_u64(out, position)?)
}

fn seek(descriptor: &Descriptor, to: SeekFrom) -> Result<u64, Errno> {
    // To tell is to seek nowhere, and the right to seek is one to do that.
    let tells = to == SeekFrom::Current(0) && descriptor.has(rights::FD_TELL);
    match &descriptor.kind {
        Kind::Directory(_) | Kind::Virtual(_) => Err(Errno::BadF),
        Kind::File(file) if tells || descriptor.has(rights::FD_SEEK) => Ok(rustix::fs::seek(file, to)?),
        _ => Err(Errno::SeekPipe),
    }
}

/// Sockets, of which there are none but streams that the host gave: those are read and written.
pub fn socket(call: Call, fd: u32) -> Answer {
    match call.descriptor(fd)?.filetype {
        FileType::SocketStream => Err(Errno::NotSupported.into()),
        _ => Err(Errno::NotSock.into()),
    }
}

pub fn sock_accept(call: Call, fd: u32, _flags: u32, _out: u32) -> Answer {
    socket(call, fd)
}

pub fn sock_recv(call: Call, fd: u32, _data: u32, _buffers: u32, _flags: u32, _count: u32, _out: u32) -> Answer {
    socket(call, fd)
}

pub fn sock_send(call: Call, fd: u32, _data: u32, _buffers: u32, _flags: u32, _count: u32) -> Answer {
    socket(call, fd)
}

pub fn sock_shutdown(call: Call, fd: u32, _how: u32) -> Answer {
    socket(call, fd)
}
