//! What a guest has open.

use super::abi::{Errno, FileType, fdflags, rights};
use super::config::{HostCallback, ReadCallback, Stream, WriteCallback, is_terminal};
use rustix::fs::{Mode, OFlags};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::sync::Arc;

pub struct Descriptor {
    pub kind: Kind,
    pub filetype: FileType,
    /// Whether the system waits in reads and writes of it.
    pub waits: bool,
    /// Another opening of the same FIFO or terminal, in which the system does not wait, for reading and writing only:
    /// an opening of a FIFO does not show that the other ends were closed before it.
    unwaiting: Option<File>,
    /// As `fd_fdstat_set_flags` set them.
    pub flags: Cell<u16>,
    /// What may be done with it, and with what is opened through it.
    pub rights: Cell<u64>,
    pub inheriting: Cell<u64>,
}

pub enum Kind {
    /// At its end at once; takes everything.
    Nothing,
    Bytes {
        bytes: Arc<[u8]>,
        position: Cell<usize>,
    },
    Reader(Arc<HostCallback<ReadCallback>>),
    Writer(Arc<HostCallback<WriteCallback>>),
    Capture(Rc<Capture>),
    /// Anything of the host's but a directory.
    File(Arc<File>),
    Directory(Directory),
    /// A directory that only exists in the names of others: the one with this name, without a slash in front.
    Virtual(String),
}

pub struct Directory {
    pub dir: Arc<File>,
    pub writable: bool,
    /// What the guest calls it, if it was given to the guest.
    pub preopen: Option<String>,
}

/// Output that is kept for the host.
pub struct Capture {
    bytes: RefCell<VecDeque<u8>>,
    most: usize,
}

impl Capture {
    pub fn new(most: usize) -> Capture {
        Capture { bytes: RefCell::default(), most }
    }

    pub fn room(&self) -> usize {
        self.most - self.bytes.borrow().len()
    }

    pub fn write(&self, bytes: &[u8]) -> Result<(), Errno> {
        let mut kept = self.bytes.borrow_mut();
        kept.try_reserve(bytes.len()).map_err(|_| Errno::NoMemory)?;
        kept.extend(bytes);
        Ok(())
    }

    /// Moves bytes out; returns how many.
    pub fn drain(&self, to: &mut [std::mem::MaybeUninit<u8>]) -> usize {
        let mut kept = self.bytes.borrow_mut();
        let count = kept.len().min(to.len());
        to.iter_mut().zip(kept.drain(..count)).for_each(|(slot, byte)| _ = slot.write(byte));
        if kept.is_empty() {
            *kept = VecDeque::new();
        }
        count
    }
}

impl Descriptor {
    fn new(kind: Kind, filetype: FileType, rights: u64) -> Descriptor {
        let (flags, inheriting) = (Cell::new(0), Cell::new(0));
        Descriptor { kind, filetype, waits: true, unwaiting: None, flags, rights: Cell::new(rights), inheriting }
    }

    /// A standard stream. What it captures is shared with `capture`.
    pub fn stream(stream: &Stream, input: bool, capture: Option<&Rc<Capture>>) -> Descriptor {
        let access = rights::ANY_FILE | if input { rights::FD_READ } else { rights::FD_WRITE };
        let kind = match (stream, capture) {
            (Stream::File(file), _) => return Descriptor::host_stream(file, input, access),
            (Stream::Bytes(bytes), _) => Kind::Bytes { bytes: bytes.clone(), position: Cell::new(0) },
            (Stream::Reader(reader), _) => Kind::Reader(reader.clone()),
            (Stream::Writer(writer), _) => Kind::Writer(writer.clone()),
            (Stream::Capture(_), Some(capture)) => Kind::Capture(capture.clone()),
            (Stream::Nothing | Stream::Capture(_), _) => Kind::Nothing,
        };
        Descriptor::new(kind, FileType::Unknown, access)
    }

    fn host_stream(file: &Arc<File>, input: bool, access: u64) -> Descriptor {
        let stat = rustix::fs::fstat(file);
        let filetype = stat.map_or(FileType::Unknown, |stat| FileType::of_mode(stat.st_mode));
        let direction = if input { OFlags::RDONLY } else { OFlags::WRONLY };
        let unwaiting = stat.ok().filter(|stat| can_be_opened_again(file, stat, direction)).and_then(|_| {
            // Not by setting a flag: that is shared with the host and its other processes.
            let flags = direction | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
            // It may belong to another user, or /proc may not be there.
            rustix::fs::open(format!("/proc/self/fd/{}", file.as_raw_fd()), flags, Mode::empty()).ok()
        });
        // Guests take a character device that cannot seek for a terminal.
        let seekable = match filetype {
            FileType::CharacterDevice => !is_terminal(file),
            FileType::RegularFile | FileType::BlockDevice => true,
            _ => false,
        };
        let rights = access | if seekable { rights::SEEKABLE } else { 0 };
        let descriptor = Descriptor::new(Kind::File(file.clone()), filetype, rights);
        Descriptor { waits: unwaiting.is_none(), unwaiting: unwaiting.map(File::from), ..descriptor }
    }

    /// What a file is read and written through.
    pub fn io<'a>(&'a self, file: &'a File) -> &'a File {
        self.unwaiting.as_ref().unwrap_or(file)
    }

    /// What the guest opened.
    pub fn file(file: File, filetype: FileType, read: bool, write: bool, parent_writable: bool) -> Descriptor {
        let mut rights = rights::ANY_FILE;
        if matches!(filetype, FileType::RegularFile | FileType::BlockDevice | FileType::CharacterDevice) {
            rights |= rights::SEEKABLE;
        }
        if read {
            rights |= rights::FD_READ;
        }
        if write {
            rights |= rights::FD_WRITE | rights::WRITABLE_FILE;
        } else if parent_writable {
            rights |= rights::FD_FILESTAT_SET_TIMES;
        }
        Descriptor { waits: false, ..Descriptor::new(Kind::File(Arc::new(file)), filetype, rights) }
    }

    pub fn directory(dir: Arc<File>, writable: bool, preopen: Option<String>) -> Descriptor {
        let write = if writable { rights::WRITABLE_DIRECTORY } else { 0 };
        let files = rights::ANY_FILE | rights::SEEKABLE | rights::FD_READ;
        let written = if writable { rights::FD_WRITE | rights::WRITABLE_FILE } else { 0 };
        let own = rights::DIRECTORY | write;
        let kind = Kind::Directory(Directory { dir, writable, preopen });
        let descriptor = Descriptor::new(kind, FileType::Directory, own);
        descriptor.inheriting.set(own | files | written);
        descriptor
    }

    pub fn virtual_directory(name: String) -> Descriptor {
        let descriptor = Descriptor::new(Kind::Virtual(name), FileType::Directory, rights::DIRECTORY);
        descriptor.inheriting.set(rights::DIRECTORY);
        descriptor
    }

    /// What the guest calls it, if it was given to the guest.
    pub fn preopen_name(&self) -> Option<&str> {
        match &self.kind {
            Kind::Directory(directory) => directory.preopen.as_deref(),
            Kind::Virtual(name) if name.is_empty() => Some("/"),
            _ => None,
        }
    }

    pub fn is_nonblocking(&self) -> bool {
        self.flags.get() & fdflags::NONBLOCK != 0
    }

    pub fn has(&self, right: u64) -> bool {
        self.rights.get() & right == right
    }

    /// Fails unless something may be done with it.
    pub fn need(&self, right: u64) -> Result<(), Errno> {
        if self.has(right) { Ok(()) } else { Err(Errno::NotCapable) }
    }

    /// Fails unless it can be read or written.
    pub fn need_access(&self, right: u64) -> Result<(), Errno> {
        if self.has(right) { Ok(()) } else { Err(Errno::BadF) }
    }

    /// The file, for what only files have.
    pub fn as_file(&self) -> Result<&Arc<File>, Errno> {
        match &self.kind {
            Kind::File(file) => Ok(file),
            _ => Err(Errno::BadF),
        }
    }

    pub fn as_directory(&self) -> Result<&Directory, Errno> {
        match &self.kind {
            Kind::Directory(directory) => Ok(directory),
            _ => Err(Errno::NotDir),
        }
    }
}

/// Whether opening a stream by its name in /proc gives the same stream, and no more access than the host gave: that of a
/// terminal's master is another terminal's, and packets are a matter of the opening.
fn can_be_opened_again(file: &File, stat: &rustix::fs::Stat, direction: OFlags) -> bool {
    let flags = rustix::fs::fcntl_getfl(file).unwrap_or(OFlags::DIRECT);
    let access = flags & OFlags::RWMODE;
    if access != direction && access != OFlags::RDWR || flags.contains(OFlags::DIRECT) {
        return false;
    }
    let master = || (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev)) == (5, 2);
    match stat.st_mode & libc::S_IFMT {
        libc::S_IFIFO => true,
        libc::S_IFCHR => is_terminal(file) && !master(),
        _ => false,
    }
}

/// The guest's numbers for them. A descriptor that is in use stays while it is, also if it is closed.
pub struct Table {
    entries: RefCell<Vec<Option<Rc<Descriptor>>>>,
    /// Below this, all are in use.
    first_free: Cell<usize>,
    open: Cell<usize>,
    most: usize,
}

/// The largest number that a descriptor may be given by `fd_renumber` is below this, whatever the limit.
const MAX_NUMBER: usize = 1 << 16;

impl Table {
    pub fn new(most: u64) -> Table {
        let most = usize::try_from(most).unwrap_or(usize::MAX).min(MAX_NUMBER);
        Table { entries: RefCell::default(), first_free: Cell::new(0), open: Cell::new(0), most }
    }

    #[inline]
    pub fn get(&self, number: u32) -> Result<Rc<Descriptor>, Errno> {
        self.entries.borrow().get(number as usize).and_then(Option::clone).ok_or(Errno::BadF)
    }

    /// Whether there is room for another, before it is opened.
    pub fn check_room(&self) -> Result<(), Errno> {
        if self.open.get() < self.most { Ok(()) } else { Err(Errno::TooManyFiles) }
    }

    /// Gives a descriptor the lowest free number.
    pub fn add(&self, descriptor: Descriptor) -> Result<u32, Errno> {
        self.check_room()?;
        let mut entries = self.entries.borrow_mut();
        let from = self.first_free.get();
        let free = entries[from..].iter().position(Option::is_none).map_or(entries.len(), |offset| from + offset);
        if free == entries.len() {
            entries.push(None);
        }
        entries[free] = Some(Rc::new(descriptor));
        self.first_free.set(free + 1);
        self.open.set(self.open.get() + 1);
        Ok(free as u32)
    }

    pub fn remove(&self, number: u32) -> Result<Rc<Descriptor>, Errno> {
        let position = number as usize;
        let removed = self.entries.borrow_mut().get_mut(position).and_then(Option::take).ok_or(Errno::BadF)?;
        self.first_free.set(self.first_free.get().min(position));
        self.open.set(self.open.get() - 1);
        Ok(removed)
    }

    /// Gives a descriptor the number of another, which is closed.
    pub fn renumber(&self, from: u32, to: u32) -> Result<(), Errno> {
        let (descriptor, _) = (self.get(from)?, self.get(to)?);
        if from == to {
            return Ok(());
        }
        let _former = self.entries.borrow_mut()[to as usize].replace(descriptor);
        self.remove(from).map(drop)
    }

    /// All that are open, with their numbers.
    pub fn for_each(&self, mut body: impl FnMut(&Rc<Descriptor>)) {
        // Copied one at a time: nothing is borrowed while `body` runs.
        let mut position = 0;
        while let Some(entry) = { self.entries.borrow().get(position).cloned() } {
            entry.iter().for_each(&mut body);
            position += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing() -> Descriptor {
        Descriptor::stream(&Stream::Nothing, true, None)
    }

    #[test]
    fn numbers_are_the_lowest_free_ones() {
        let table = Table::new(4);
        let add = || table.add(nothing());
        assert_eq!([add(), add(), add()], [Ok(0), Ok(1), Ok(2)]);
        assert!(table.remove(0).is_ok());
        assert_eq!(table.remove(0).err(), Some(Errno::BadF));
        assert_eq!([add(), add(), add()], [Ok(0), Ok(3), Err(Errno::TooManyFiles)]);
    }

    #[test]
    fn renumbering_closes_the_other_and_frees_the_number() {
        let table = Table::new(10);
        (0..3).for_each(|number| assert_eq!(table.add(nothing()), Ok(number)));
        let (moved, closed) = (table.get(2).unwrap(), Rc::downgrade(&table.get(0).unwrap()));
        assert_eq!(table.renumber(2, 0), Ok(()));
        assert!(Rc::ptr_eq(&moved, &table.get(0).unwrap()) && closed.upgrade().is_none());
        assert_eq!(table.renumber(0, 0), Ok(()));
        assert_eq!(table.renumber(0, 2), Err(Errno::BadF));
        assert_eq!(table.renumber(0, u32::MAX), Err(Errno::BadF));
        assert_eq!(table.renumber(2, 0), Err(Errno::BadF));
        assert_eq!(table.add(nothing()), Ok(2));
    }

    #[test]
    fn captured_output_is_bounded() {
        let capture = Capture::new(4);
        assert_eq!((capture.room(), capture.write(b"abc"), capture.room()), (4, Ok(()), 1));
        let mut room = [std::mem::MaybeUninit::uninit(); 2];
        assert_eq!((capture.drain(&mut room), capture.room()), (2, 3));
        assert_eq!((capture.drain(&mut room), capture.drain(&mut room)), (1, 0));
    }
}
