//! Reading and writing, and waiting for either.

use super::abi::{Errno, FileType, fdflags, rights};
use super::context::{Answer, Call, Stop};
use super::descriptors::{Descriptor, Kind};
use super::memory::Buffers;
use std::fs::File;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::ptr;
use std::time::{Duration, Instant};

/// How long a guest waits before it is asked whether it still may.
const SLICE: Duration = Duration::from_millis(20);

/// What a callback gets, or fills, at a time.
const COPY: usize = 8192;

/// How much a pipe takes without waiting when it takes anything.
const PIPE_STEP: usize = libc::PIPE_BUF;

/// Where a guest's buffers are named.
#[derive(Clone, Copy)]
pub struct Vectors {
    pub address: u32,
    pub count: u32,
}

/// Waits until something happens to one of the descriptors, or until a time; returns whether something did.
pub fn wait(call: Call, descriptors: &mut [libc::pollfd], until: Option<Instant>) -> Answer<bool> {
    loop {
        call.check()?;
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        let slice = call.supervisor().map(|_| SLICE);
        let timeout = left.into_iter().chain(slice).min().map(|timeout| libc::timespec {
            tv_sec: timeout.as_secs().min(i32::MAX as u64) as libc::time_t,
            tv_nsec: timeout.subsec_nanos().into(),
        });
        let timeout = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
        // SAFETY: an array of descriptors, and a time or null.
        let ready =
            unsafe { libc::ppoll(descriptors.as_mut_ptr(), descriptors.len() as libc::nfds_t, timeout, ptr::null()) };
        match ready {
            0 if left.is_some_and(|left| left.is_zero()) => return Ok(false),
            0 => {}
            1.. => return Ok(true),
            _ => match Errno::last() {
                Errno::Interrupted => {}
                errno => return Err(errno.into()),
            },
        }
    }
}

/// Waits for a file; fails with `Again` instead where the guest does not want to wait.
fn wait_for(call: Call, file: &File, events: libc::c_short, nonblocking: bool) -> Answer {
    let mut descriptor = [libc::pollfd { fd: file.as_raw_fd(), events, revents: 0 }];
    match wait(call, &mut descriptor, nonblocking.then(Instant::now))? {
        true => Ok(()),
        false => Err(Errno::Again.into()),
    }
}

/// Whether reading and writing may have to wait for somebody else.
fn may_wait(descriptor: &Descriptor) -> bool {
    !matches!(descriptor.filetype, FileType::RegularFile | FileType::BlockDevice | FileType::Directory)
}

/// Reads to the guest's buffers; returns how many bytes.
pub fn read(call: Call, descriptor: &Descriptor, vectors: Vectors) -> Answer<usize> {
    let mut buffers = Buffers::new();
    call.memory().buffers(vectors.address, vectors.count, &mut buffers)?;
    descriptor.need_access(rights::FD_READ)?;
    match &descriptor.kind {
        // Nothing to wait for.
        Kind::File(_) if buffers.size() == 0 => Ok(0),
        Kind::File(file) => read_file(call, descriptor, file, &buffers),
        Kind::Bytes { bytes, position } => {
            let count = scatter(&buffers, &bytes[position.get()..]);
            position.set(position.get() + count);
            Ok(count)
        }
        Kind::Reader(reader) => {
            let mut copy = [MaybeUninit::<u8>::uninit(); COPY];
            let most = buffers.size().min(COPY);
            if most == 0 {
                return Ok(0);
            }
            // SAFETY: the host's function of this shape, with its environment; there is so much room.
            let count = unsafe { (reader.function)(reader.env.pointer, copy.as_mut_ptr().cast(), most) };
            let count = host_count(count, most)?;
            // The callback may have moved the memory.
            call.memory().buffers(vectors.address, vectors.count, &mut buffers)?;
            // SAFETY: the callback reports that it has written `count` bytes, which is at most the size of the room.
            Ok(scatter(&buffers, unsafe { std::slice::from_raw_parts(copy.as_ptr().cast(), count) }))
        }
        Kind::Nothing => Ok(0),
        Kind::Writer(_) | Kind::Capture(_) | Kind::Directory(_) | Kind::Virtual(_) => Err(Errno::BadF.into()),
    }
}

/// Returns what a callback returned: a number of bytes, or a negative error number.
fn host_count(count: isize, most: usize) -> Result<usize, Errno> {
    match usize::try_from(count) {
        Ok(count) if count <= most => Ok(count),
        Ok(_) => Err(Errno::Io),
        Err(_) => Err(Errno::of_host(i32::try_from(count.unsigned_abs()).unwrap_or(0))),
    }
}

/// Copies bytes to the buffers until they are full. Returns the number of bytes.
fn scatter(buffers: &Buffers, bytes: &[u8]) -> usize {
    let mut left = bytes;
    for part in buffers.parts() {
        let (now, rest) = left.split_at(left.len().min(part.iov_len));
        // SAFETY: the buffer is inside the guest's memory, which these bytes are not.
        unsafe { part.iov_base.cast::<u8>().copy_from_nonoverlapping(now.as_ptr(), now.len()) };
        left = rest;
    }
    bytes.len() - left.len()
}

/// Copies bytes from the buffers until the room is full. Returns the bytes.
fn gather<'a>(buffers: &Buffers, room: &'a mut [MaybeUninit<u8>]) -> &'a [u8] {
    let mut count = 0;
    for part in buffers.parts() {
        let size = part.iov_len.min(room.len() - count);
        // SAFETY: the buffer is inside the guest's memory, which the room is not.
        unsafe { part.iov_base.cast::<u8>().copy_to_nonoverlapping(room.as_mut_ptr().add(count).cast(), size) };
        count += size;
    }
    // SAFETY: the loop has written `count` bytes.
    unsafe { std::slice::from_raw_parts(room.as_ptr().cast(), count) }
}

/// Reads to the pieces of memory, as the system does.
///
/// # Safety
/// Nobody has a reference to them.
unsafe fn read_parts(fd: libc::c_int, parts: &[libc::iovec]) -> isize {
    // SAFETY: so much memory is there, as the contract says.
    unsafe {
        match parts {
            // As nearly all guests have it; that is cheaper for the system.
            [part] => libc::read(fd, part.iov_base, part.iov_len),
            parts => libc::readv(fd, parts.as_ptr(), parts.len() as libc::c_int),
        }
    }
}

/// Writes the pieces of memory, as the system does.
///
/// # Safety
/// Nobody changes them meanwhile.
unsafe fn write_parts(fd: libc::c_int, parts: &[libc::iovec]) -> isize {
    // SAFETY: so much memory is there, as the contract says.
    unsafe {
        match parts {
            // As above.
            [part] => libc::write(fd, part.iov_base, part.iov_len),
            parts => libc::writev(fd, parts.as_ptr(), parts.len() as libc::c_int),
        }
    }
}

fn read_file(call: Call, descriptor: &Descriptor, file: &File, buffers: &Buffers) -> Answer<usize> {
    let nonblocking = descriptor.is_nonblocking();
    // Where nothing can stop the guest, the system waits as well.
    let waits = may_wait(descriptor) && descriptor.waits;
    let mut wait_first = waits && (nonblocking || call.supervisor().is_some());
    loop {
        if wait_first {
            wait_for(call, file, libc::POLLIN, nonblocking)?;
        }
        let parts = buffers.parts();
        let count = match descriptor.filetype {
            // What was there may be somebody else's by now.
            FileType::SocketStream if wait_first => {
                // SAFETY: the buffers are in the guest's memory, which stays where it is during the call.
                unsafe { libc::recvmsg(file.as_raw_fd(), &mut message(parts), libc::MSG_DONTWAIT) }
            }
            _ => {
                let fd = descriptor.io(file).as_raw_fd();
                // SAFETY: the buffers are in the guest's memory, which stays where it is during the call.
                unsafe { read_parts(fd, parts) }
            }
        };
        if let Ok(count) = usize::try_from(count) {
            return Ok(count);
        }
        match Errno::last() {
            Errno::Interrupted => call.check()?,
            Errno::Again if !nonblocking => wait_first = true,
            errno => return Err(errno.into()),
        }
    }
}

/// Writes the guest's buffers; returns how many bytes.
pub fn write(call: Call, descriptor: &Descriptor, vectors: Vectors) -> Answer<usize> {
    let mut buffers = Buffers::new();
    call.memory().buffers(vectors.address, vectors.count, &mut buffers)?;
    descriptor.need_access(rights::FD_WRITE)?;
    match &descriptor.kind {
        Kind::File(_) if buffers.size() == 0 => Ok(0),
        Kind::File(file) if may_wait(descriptor) => write_stream(call, descriptor, file, &mut buffers),
        Kind::File(file) => {
            let append = descriptor.flags.get() & fdflags::APPEND != 0;
            limited(call, descriptor, &mut buffers, |parts| write_file(file, parts, append))
        }
        Kind::Capture(capture) => {
            let room = capture.room();
            if room == 0 && buffers.size() > 0 {
                return Err(Errno::NoSpace.into());
            }
            buffers.truncate(room);
            for part in buffers.parts() {
                // SAFETY: the buffer is inside the guest's memory, and nothing writes to it meanwhile.
                capture.write(unsafe { std::slice::from_raw_parts(part.iov_base.cast(), part.iov_len) })?;
            }
            Ok(buffers.size())
        }
        Kind::Writer(writer) => {
            let mut done = 0;
            loop {
                let mut copy = [MaybeUninit::<u8>::uninit(); COPY];
                let bytes = gather(&buffers, &mut copy);
                if bytes.is_empty() {
                    return Ok(done);
                }
                // SAFETY: the host's function of this shape, with its environment, and bytes that are there.
                let count = unsafe { (writer.function)(writer.env.pointer, bytes.as_ptr().cast(), bytes.len()) };
                match host_count(count, bytes.len()) {
                    Ok(count) => done += count,
                    Err(errno) if done == 0 => return Err(errno.into()),
                    Err(_) => return Ok(done),
                }
                if (count as usize) < bytes.len() {
                    return Ok(done);
                }
                call.check()?;
                // The callback may have moved the memory, and changed what is in it.
                if call.memory().buffers(vectors.address, vectors.count, &mut buffers).is_err() || buffers.size() < done
                {
                    return Ok(done);
                }
                buffers.advance(done);
            }
        }
        Kind::Nothing => Ok(buffers.size()),
        Kind::Bytes { .. } | Kind::Reader(_) | Kind::Directory(_) | Kind::Virtual(_) => Err(Errno::BadF.into()),
    }
}

/// Writes to a file, up to the number of bytes that the context's limit allows.
fn limited(
    call: Call,
    descriptor: &Descriptor,
    buffers: &mut Buffers,
    write: impl FnOnce(&[libc::iovec]) -> Result<usize, Errno>,
) -> Answer<usize> {
    if descriptor.filetype != FileType::RegularFile {
        return Ok(write(buffers.parts())?);
    }
    let taken = call.wasi().take_file_bytes(buffers.size() as u64)?;
    buffers.truncate(taken as usize);
    let answer = write(buffers.parts());
    call.wasi().return_file_bytes(taken - answer.unwrap_or(0) as u64);
    Ok(answer?)
}

fn write_file(file: &File, parts: &[libc::iovec], append: bool) -> Result<usize, Errno> {
    let fd = file.as_raw_fd();
    loop {
        // SAFETY: the buffers are in the guest's memory, which stays where it is during the call.
        let mut written = match append {
            false => unsafe { write_parts(fd, parts) },
            true => unsafe { libc::pwritev2(fd, parts.as_ptr(), parts.len() as libc::c_int, -1, libc::RWF_APPEND) },
        };
        if written < 0 && append && matches!(Errno::last(), Errno::NotSupported | Errno::NoSys) {
            // SAFETY: the buffers are in the guest's memory, which stays where it is during the call.
            written = unsafe {
                libc::lseek(fd, 0, libc::SEEK_END);
                write_parts(fd, parts)
            };
        }
        match usize::try_from(written) {
            Ok(written) => return Ok(written),
            Err(_) if Errno::last() == Errno::Interrupted => {}
            Err(_) => return Err(Errno::last()),
        }
    }
}

/// Writes to what may have to wait, and whose other end may be gone: that is an error, and no signal.
fn write_stream(call: Call, descriptor: &Descriptor, file: &File, buffers: &mut Buffers) -> Answer<usize> {
    let nonblocking = descriptor.is_nonblocking();
    let mut wait_first = descriptor.waits && (nonblocking || call.supervisor().is_some());
    let mut done = 0;
    loop {
        let answer = (|| {
            if wait_first {
                wait_for(call, file, libc::POLLOUT, nonblocking)?;
            }
            let step = if wait_first { buffers.size().min(PIPE_STEP) } else { buffers.size() };
            Ok(write_without_signal(descriptor.filetype, descriptor.io(file), buffers.parts(), step, wait_first)?)
        })();
        match answer {
            Ok(count) => {
                done += count;
                buffers.advance(count);
                if buffers.size() == 0 || count == 0 {
                    return Ok(done);
                }
            }
            Err(Stop::Errno(Errno::Interrupted)) => call.check()?,
            Err(Stop::Errno(Errno::Again)) if !nonblocking => wait_first = true,
            Err(Stop::Errno(_)) if done > 0 => return Ok(done),
            Err(stop) => return Err(stop),
        }
    }
}

/// The buffers as a message without an address and control data.
fn message(parts: &[libc::iovec]) -> libc::msghdr {
    // SAFETY: numbers and pointers, all of which may be 0.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = parts.as_ptr().cast_mut();
    message.msg_iovlen = parts.len() as _;
    message
}

/// Writes at most `step` bytes of the buffers.
fn write_without_signal(
    ty: FileType,
    file: &File,
    parts: &[libc::iovec],
    step: usize,
    at_once: bool,
) -> Result<usize, Errno> {
    let fd = file.as_raw_fd();
    // One part alone where not all of them are to be written.
    let total: usize = parts.iter().map(|part| part.iov_len).sum();
    let first;
    let parts = match parts {
        [part, ..] if step < total => {
            first = libc::iovec { iov_len: part.iov_len.min(step), ..*part };
            std::slice::from_ref(&first)
        }
        all => all,
    };
    let written = match ty {
        FileType::SocketStream => {
            let flags = libc::MSG_NOSIGNAL | if at_once { libc::MSG_DONTWAIT } else { 0 };
            // SAFETY: the buffers are in the guest's memory, which stays where it is during the call.
            unsafe { libc::sendmsg(fd, &message(parts), flags) }
        }
        // SAFETY: the buffers are in the guest's memory, which stays where it is during the call.
        FileType::CharacterDevice => unsafe { write_parts(fd, parts) },
        // SAFETY: the buffers are in the guest's memory, which stays where it is during the call.
        _ => without_sigpipe(step.min(total), || unsafe { write_parts(fd, parts) }),
    };
    usize::try_from(written).map_err(|_| Errno::last())
}

/// Calls the system so that it does not signal a closed pipe. It does that also where it writes less than `total` bytes,
/// because the pipe was closed meanwhile.
fn without_sigpipe(total: usize, write: impl FnOnce() -> isize) -> isize {
    // SAFETY: sets of signals that are initialised before they are read, and functions for this thread's own.
    unsafe {
        let [mut pipe, mut former, mut pending] = std::mem::zeroed::<[libc::sigset_t; 3]>();
        libc::sigemptyset(&mut pipe);
        libc::sigaddset(&mut pipe, libc::SIGPIPE);
        libc::pthread_sigmask(libc::SIG_BLOCK, &pipe, &mut former);
        let blocked = libc::sigismember(&former, libc::SIGPIPE) == 1;
        // One that was waiting before is the host's.
        let waiting = blocked && libc::sigpending(&mut pending) == 0 && libc::sigismember(&pending, libc::SIGPIPE) == 1;
        let written = write();
        let error = *libc::__errno_location();
        let short = usize::try_from(written).map_or(error == libc::EPIPE, |written| written < total);
        if short && !waiting {
            let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
            while libc::sigtimedwait(&pipe, ptr::null_mut(), &at_once) < 0 && *libc::__errno_location() == libc::EINTR {
            }
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, &former, ptr::null_mut());
        *libc::__errno_location() = error;
        written
    }
}

/// Reads from a place in a file; does not move its position.
pub fn read_at(call: Call, descriptor: &Descriptor, vectors: Vectors, offset: u64) -> Answer<usize> {
    let mut buffers = Buffers::new();
    call.memory().buffers(vectors.address, vectors.count, &mut buffers)?;
    descriptor.need_access(rights::FD_READ)?;
    let (file, offset) = positioned(descriptor, offset)?;
    let parts = buffers.parts();
    // SAFETY: the buffers are in the guest's memory, which stays where it is during the call.
    let read = || unsafe { libc::preadv(file.as_raw_fd(), parts.as_ptr(), parts.len() as libc::c_int, offset) };
    Ok(uninterrupted(read)?)
}

/// Writes to a place in a file; does not move its position.
pub fn write_at(call: Call, descriptor: &Descriptor, vectors: Vectors, offset: u64) -> Answer<usize> {
    let mut buffers = Buffers::new();
    call.memory().buffers(vectors.address, vectors.count, &mut buffers)?;
    descriptor.need_access(rights::FD_WRITE)?;
    let (file, offset) = positioned(descriptor, offset)?;
    limited(call, descriptor, &mut buffers, |parts| {
        // SAFETY: the buffers are in the guest's memory, which stays where it is during the call.
        uninterrupted(|| unsafe { libc::pwritev(file.as_raw_fd(), parts.as_ptr(), parts.len() as libc::c_int, offset) })
    })
}

/// The file of a descriptor that has positions.
fn positioned(descriptor: &Descriptor, offset: u64) -> Result<(&File, i64), Errno> {
    let offset = i64::try_from(offset).map_err(|_| Errno::Invalid)?;
    match &descriptor.kind {
        Kind::File(file) if descriptor.filetype == FileType::RegularFile || descriptor.has(rights::FD_SEEK) => {
            Ok((file, offset))
        }
        Kind::Directory(_) | Kind::Virtual(_) => Err(Errno::BadF),
        _ => Err(Errno::SeekPipe),
    }
}

fn uninterrupted(mut call: impl FnMut() -> isize) -> Result<usize, Errno> {
    loop {
        match usize::try_from(call()) {
            Ok(count) => return Ok(count),
            Err(_) if Errno::last() == Errno::Interrupted => {}
            Err(_) => return Err(Errno::last()),
        }
    }
}
