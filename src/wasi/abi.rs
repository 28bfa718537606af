//! The numbers and layouts of WASI preview 1, as its specification has them.

/// Why a function failed, as guests get it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub enum Errno {
    TooBig = 1,
    Access = 2,
    AddrInUse = 3,
    AddrNotAvail = 4,
    AfNoSupport = 5,
    Again = 6,
    Already = 7,
    BadF = 8,
    BadMsg = 9,
    Busy = 10,
    Canceled = 11,
    Child = 12,
    ConnAborted = 13,
    ConnRefused = 14,
    ConnReset = 15,
    Deadlock = 16,
    DestAddrReq = 17,
    Domain = 18,
    Quota = 19,
    Exist = 20,
    Fault = 21,
    FileTooBig = 22,
    HostUnreach = 23,
    IlSeq = 25,
    InProgress = 26,
    Interrupted = 27,
    Invalid = 28,
    Io = 29,
    IsConn = 30,
    IsDir = 31,
    Loop = 32,
    TooManyFiles = 33,
    TooManyLinks = 34,
    MsgSize = 35,
    NameTooLong = 37,
    NetDown = 38,
    NetReset = 39,
    NetUnreach = 40,
    FileTableFull = 41,
    NoBufs = 42,
    NoDev = 43,
    NoEntry = 44,
    NoLock = 46,
    NoMemory = 48,
    NoProtoOpt = 50,
    NoSpace = 51,
    NoSys = 52,
    NotConn = 53,
    NotDir = 54,
    NotEmpty = 55,
    NotSock = 57,
    NotSupported = 58,
    NoTty = 59,
    NxIo = 60,
    Overflow = 61,
    Permission = 63,
    Pipe = 64,
    Proto = 65,
    Range = 68,
    ReadOnlyFs = 69,
    SeekPipe = 70,
    Stale = 72,
    TimedOut = 73,
    TextBusy = 74,
    CrossDevice = 75,
    NotCapable = 76,
}

impl Errno {
    /// The errno of a host's error number.
    pub fn of_host(number: i32) -> Errno {
        match number {
            libc::E2BIG => Errno::TooBig,
            libc::EACCES => Errno::Access,
            libc::EADDRINUSE => Errno::AddrInUse,
            libc::EADDRNOTAVAIL => Errno::AddrNotAvail,
            libc::EAFNOSUPPORT => Errno::AfNoSupport,
            libc::EAGAIN => Errno::Again,
            libc::EALREADY => Errno::Already,
            libc::EBADF => Errno::BadF,
            libc::EBADMSG => Errno::BadMsg,
            libc::EBUSY => Errno::Busy,
            libc::ECANCELED => Errno::Canceled,
            libc::ECHILD => Errno::Child,
            libc::ECONNABORTED => Errno::ConnAborted,
            libc::ECONNREFUSED => Errno::ConnRefused,
            libc::ECONNRESET => Errno::ConnReset,
            libc::EDEADLK => Errno::Deadlock,
            libc::EDESTADDRREQ => Errno::DestAddrReq,
            libc::EDOM => Errno::Domain,
            libc::EDQUOT => Errno::Quota,
            libc::EEXIST => Errno::Exist,
            libc::EFAULT => Errno::Fault,
            libc::EFBIG => Errno::FileTooBig,
            libc::EHOSTUNREACH => Errno::HostUnreach,
            libc::EILSEQ => Errno::IlSeq,
            libc::EINPROGRESS => Errno::InProgress,
            libc::EINTR => Errno::Interrupted,
            libc::EINVAL => Errno::Invalid,
            libc::EISCONN => Errno::IsConn,
            libc::EISDIR => Errno::IsDir,
            libc::ELOOP => Errno::Loop,
            libc::EMFILE => Errno::TooManyFiles,
            libc::EMLINK => Errno::TooManyLinks,
            libc::EMSGSIZE => Errno::MsgSize,
            libc::ENAMETOOLONG => Errno::NameTooLong,
            libc::ENETDOWN => Errno::NetDown,
            libc::ENETRESET => Errno::NetReset,
            libc::ENETUNREACH => Errno::NetUnreach,
            libc::ENFILE => Errno::FileTableFull,
            libc::ENOBUFS => Errno::NoBufs,
            libc::ENODEV => Errno::NoDev,
            libc::ENOENT => Errno::NoEntry,
            libc::ENOLCK => Errno::NoLock,
            libc::ENOMEM => Errno::NoMemory,
            libc::ENOPROTOOPT => Errno::NoProtoOpt,
            libc::ENOSPC => Errno::NoSpace,
            libc::ENOSYS => Errno::NoSys,
            libc::ENOTCONN => Errno::NotConn,
            libc::ENOTDIR => Errno::NotDir,
            libc::ENOTEMPTY => Errno::NotEmpty,
            libc::ENOTSOCK => Errno::NotSock,
            libc::EOPNOTSUPP => Errno::NotSupported,
            libc::ENOTTY => Errno::NoTty,
            libc::ENXIO => Errno::NxIo,
            libc::EOVERFLOW => Errno::Overflow,
            libc::EPERM => Errno::Permission,
            libc::EPIPE => Errno::Pipe,
            libc::EPROTO => Errno::Proto,
            libc::ERANGE => Errno::Range,
            libc::EROFS => Errno::ReadOnlyFs,
            libc::ESPIPE => Errno::SeekPipe,
            libc::ESTALE => Errno::Stale,
            libc::ETIMEDOUT => Errno::TimedOut,
            libc::ETXTBSY => Errno::TextBusy,
            libc::EXDEV => Errno::CrossDevice,
            _ => Errno::Io,
        }
    }

    /// Of the last system call of this thread.
    pub fn last() -> Errno {
        Errno::from(std::io::Error::last_os_error())
    }
}

impl From<std::io::Error> for Errno {
    fn from(error: std::io::Error) -> Errno {
        use std::io::ErrorKind;
        match (error.raw_os_error(), error.kind()) {
            (Some(number), _) => Errno::of_host(number),
            (None, ErrorKind::NotFound) => Errno::NoEntry,
            (None, ErrorKind::InvalidInput) => Errno::Invalid,
            // What leads out of a directory.
            (None, ErrorKind::PermissionDenied) => Errno::Permission,
            _ => Errno::Io,
        }
    }
}

impl From<rustix::io::Errno> for Errno {
    fn from(error: rustix::io::Errno) -> Errno {
        Errno::of_host(error.raw_os_error())
    }
}

/// What a file is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum FileType {
    Unknown = 0,
    BlockDevice = 1,
    CharacterDevice = 2,
    Directory = 3,
    RegularFile = 4,
    SocketStream = 6,
    SymbolicLink = 7,
}

impl FileType {
    pub fn of_mode(mode: u32) -> FileType {
        match mode & libc::S_IFMT {
            libc::S_IFBLK => FileType::BlockDevice,
            libc::S_IFCHR => FileType::CharacterDevice,
            libc::S_IFDIR => FileType::Directory,
            libc::S_IFREG => FileType::RegularFile,
            libc::S_IFSOCK => FileType::SocketStream,
            libc::S_IFLNK => FileType::SymbolicLink,
            _ => FileType::Unknown,
        }
    }
}

/// What may be done with a descriptor: bits.
pub mod rights {
    pub const FD_DATASYNC: u64 = 1 << 0;
    pub const FD_READ: u64 = 1 << 1;
    pub const FD_SEEK: u64 = 1 << 2;
    pub const FD_FDSTAT_SET_FLAGS: u64 = 1 << 3;
    pub const FD_SYNC: u64 = 1 << 4;
    pub const FD_TELL: u64 = 1 << 5;
    pub const FD_WRITE: u64 = 1 << 6;
    pub const FD_ADVISE: u64 = 1 << 7;
    pub const FD_ALLOCATE: u64 = 1 << 8;
    pub const PATH_CREATE_DIRECTORY: u64 = 1 << 9;
    pub const PATH_CREATE_FILE: u64 = 1 << 10;
    pub const PATH_LINK_SOURCE: u64 = 1 << 11;
    pub const PATH_LINK_TARGET: u64 = 1 << 12;
    pub const PATH_OPEN: u64 = 1 << 13;
    pub const FD_READDIR: u64 = 1 << 14;
    pub const PATH_READLINK: u64 = 1 << 15;
    pub const PATH_RENAME_SOURCE: u64 = 1 << 16;
    pub const PATH_RENAME_TARGET: u64 = 1 << 17;
    pub const PATH_FILESTAT_GET: u64 = 1 << 18;
    pub const PATH_FILESTAT_SET_SIZE: u64 = 1 << 19;
    pub const PATH_FILESTAT_SET_TIMES: u64 = 1 << 20;
    pub const FD_FILESTAT_GET: u64 = 1 << 21;
    pub const FD_FILESTAT_SET_SIZE: u64 = 1 << 22;
    pub const FD_FILESTAT_SET_TIMES: u64 = 1 << 23;
    pub const PATH_SYMLINK: u64 = 1 << 24;
    pub const PATH_REMOVE_DIRECTORY: u64 = 1 << 25;
    pub const PATH_UNLINK_FILE: u64 = 1 << 26;
    pub const POLL_FD_READWRITE: u64 = 1 << 27;

    /// Of every file and stream.
    pub const ANY_FILE: u64 = FD_FDSTAT_SET_FLAGS | FD_FILESTAT_GET | POLL_FD_READWRITE | FD_DATASYNC | FD_SYNC;
    /// Of what has a position.
    pub const SEEKABLE: u64 = FD_SEEK | FD_TELL | FD_ADVISE;
    /// Beside `FD_WRITE`, of a file in a directory that may be written to.
    pub const WRITABLE_FILE: u64 = FD_ALLOCATE | FD_FILESTAT_SET_SIZE | FD_FILESTAT_SET_TIMES;
    /// Of a directory that may be read.
    pub const DIRECTORY: u64 =
        PATH_OPEN | FD_READDIR | PATH_READLINK | PATH_FILESTAT_GET | FD_FILESTAT_GET | FD_DATASYNC | FD_SYNC;
    /// Of one that may be written to, beside these.
    pub const WRITABLE_DIRECTORY: u64 = PATH_CREATE_DIRECTORY
        | PATH_CREATE_FILE
        | PATH_LINK_SOURCE
        | PATH_LINK_TARGET
        | PATH_RENAME_SOURCE
        | PATH_RENAME_TARGET
        | PATH_FILESTAT_SET_SIZE
        | PATH_FILESTAT_SET_TIMES
        | FD_FILESTAT_SET_TIMES
        | PATH_SYMLINK
        | PATH_REMOVE_DIRECTORY
        | PATH_UNLINK_FILE;
}

pub mod fdflags {
    pub const APPEND: u16 = 1;
    pub const DSYNC: u16 = 2;
    pub const NONBLOCK: u16 = 4;
    pub const RSYNC: u16 = 8;
    pub const SYNC: u16 = 16;
    pub const ALL: u16 = 31;
}

pub mod oflags {
    pub const CREAT: u32 = 1;
    pub const DIRECTORY: u32 = 2;
    pub const EXCL: u32 = 4;
    pub const TRUNC: u32 = 8;
    pub const ALL: u32 = 15;
}

/// The flag of lookups that follow a symbolic link at the path's end.
pub const SYMLINK_FOLLOW: u32 = 1;

pub mod fstflags {
    pub const ATIM: u32 = 1;
    pub const ATIM_NOW: u32 = 2;
    pub const MTIM: u32 = 4;
    pub const MTIM_NOW: u32 = 8;
    pub const ALL: u32 = 15;
}

/// The two versions of the interface.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Version {
    /// `wasi_unstable`, of 2019.
    Snapshot0,
    /// `wasi_snapshot_preview1`.
    Snapshot1,
}

/// What `fd_filestat_get` and `path_filestat_get` tell; times are in nanoseconds.
pub struct FileStat {
    pub dev: u64,
    pub ino: u64,
    pub filetype: FileType,
    pub nlink: u64,
    pub size: u64,
    pub atim: u64,
    pub mtim: u64,
    pub ctim: u64,
}

impl FileStat {
    /// Of what has nothing to tell.
    pub fn of_nothing(filetype: FileType) -> FileStat {
        FileStat { dev: 0, ino: 0, filetype, nlink: 1, size: 0, atim: 0, mtim: 0, ctim: 0 }
    }

    pub fn size(version: Version) -> u32 {
        if version == Version::Snapshot0 { 56 } else { 64 }
    }

    /// As it is in memory; its first [`FileStat::size`] bytes.
    pub fn encode(&self, version: Version) -> [u8; 64] {
        let mut bytes = [0; 64];
        let mut put = |at: usize, value: u64| bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        put(0, self.dev);
        put(8, self.ino);
        put(16, self.filetype as u64);
        let rest = match version {
            Version::Snapshot0 => {
                // The number of links has 32 bits there, just behind the type.
                put(16, self.filetype as u64 | u64::from(u32::try_from(self.nlink).unwrap_or(u32::MAX)) << 32);
                24
            }
            Version::Snapshot1 => {
                put(24, self.nlink);
                32
            }
        };
        for (position, value) in [self.size, self.atim, self.mtim, self.ctim].into_iter().enumerate() {
            put(rest + 8 * position, value);
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_stat_has_two_layouts() {
        let stat =
            FileStat { dev: 1, ino: 2, filetype: FileType::RegularFile, nlink: 3, size: 4, atim: 5, mtim: 6, ctim: 7 };
        let words = |version| {
            let bytes = stat.encode(version);
            std::array::from_fn::<u64, 8, _>(|at| u64::from_le_bytes(bytes[8 * at..8 * at + 8].try_into().unwrap()))
        };
        assert_eq!(words(Version::Snapshot1), [1, 2, 4, 3, 4, 5, 6, 7]);
        assert_eq!(words(Version::Snapshot0), [1, 2, 4 | 3 << 32, 4, 5, 6, 7, 0]);
    }

    #[test]
    fn unknown_errors_of_the_host_are_io() {
        assert_eq!(Errno::of_host(libc::ENOENT), Errno::NoEntry);
        assert_eq!(Errno::of_host(99_999), Errno::Io);
    }
}
