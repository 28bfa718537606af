//! The functions that begin with `path_`, and the directories that only exist in the names of others.

use super::abi::{Errno, FileStat, FileType, SYMLINK_FOLLOW, Version, fdflags, oflags, rights};
use super::context::{Answer, Call};
use super::descriptors::{Descriptor, Directory, Kind};
use super::files::{file_stat, times};
use super::sandbox::{self, Open};
use std::fs::File;
use std::rc::Rc;
use std::sync::Arc;

/// Where a path leads to.
enum Place<'a> {
    /// To something beneath a directory of the host's.
    Beneath(Rc<Descriptor>, &'a str),
    /// To a directory that only exists in the names of others.
    Virtual(String),
}

impl Place<'_> {
    /// The directory, if something may be done in it.
    fn allowing(&self, right: u64) -> Result<(&File, &str), Errno> {
        match self {
            Place::Virtual(_) => Err(Errno::Permission),
            Place::Beneath(descriptor, path) => {
                let Directory { dir, writable, .. } = descriptor.as_directory()?;
                if !writable && right & rights::WRITABLE_DIRECTORY != 0 {
                    return Err(Errno::Permission);
                }
                descriptor.need(right)?;
                Ok((dir, path))
            }
        }
    }
}

/// Finds where a path leads to from a directory of the guest's.
fn place(call: Call<'_>, fd: u32, address: u32, size: u32) -> Result<Place<'_>, Errno> {
    let descriptor = call.descriptor(fd)?;
    let path = call.path(address, size)?;
    match &descriptor.kind {
        Kind::Directory(_) => Ok(Place::Beneath(descriptor, path)),
        Kind::Virtual(name) => beneath_virtual(call, name, path),
        _ => Err(Errno::NotDir),
    }
}

/// The name of a directory of the guest's, without slashes around it; none if it is not beneath "/".
fn beneath_root(descriptor: &Descriptor) -> Option<&str> {
    let name = descriptor.preopen_name()?.trim_start_matches("./").trim_matches('/');
    (!name.is_empty() && name != ".").then_some(name)
}

fn beneath_virtual<'a>(call: Call, name: &str, path: &'a str) -> Result<Place<'a>, Errno> {
    if path.is_empty() {
        return Err(Errno::NoEntry);
    }
    if path.starts_with('/') {
        return Err(Errno::Permission);
    }
    let mut name = name.to_string();
    let mut rest = path;
    loop {
        let (step, after) = rest.split_once('/').unwrap_or((rest, ""));
        match step {
            "" | "." => {}
            ".." => match name.rfind('/') {
                Some(end) => name.truncate(end),
                None if name.is_empty() => return Err(Errno::Permission),
                None => name.clear(),
            },
            step => {
                if !name.is_empty() {
                    name.push('/');
                }
                name.push_str(step);
                let (mut found, mut leads_there) = (None, false);
                call.wasi().descriptors.for_each(|descriptor| {
                    if let Some(other) = beneath_root(descriptor) {
                        if other == name {
                            found = Some(descriptor.clone());
                        }
                        leads_there |= other.strip_prefix(&name).is_some_and(|rest| rest.starts_with('/'));
                    }
                });
                if let Some(descriptor) = found {
                    let after = after.trim_start_matches('/');
                    return Ok(Place::Beneath(descriptor, if after.is_empty() { "." } else { after }));
                }
                if !leads_there {
                    return Err(Errno::NoEntry);
                }
            }
        }
        if after.is_empty() {
            return Ok(Place::Virtual(name));
        }
        rest = after;
    }
}

/// Hands the entries of a virtual directory from a position on to `add`, until it has no more room.
pub fn list_virtual(
    call: Call,
    name: &str,
    cookie: u64,
    mut add: impl FnMut(u64, u64, &str) -> Result<bool, Errno>,
) -> Result<(), Errno> {
    let mut entries = vec![".".to_string(), "..".to_string()];
    call.wasi().descriptors.for_each(|descriptor| {
        let below = beneath_root(descriptor).and_then(|other| match name.is_empty() {
            true => Some(other),
            false => other.strip_prefix(name)?.strip_prefix('/'),
        });
        if let Some(entry) = below.and_then(|below| below.split('/').next())
            && !entries.iter().any(|other| other == entry)
        {
            entries.push(entry.to_string());
        }
    });
    for (position, entry) in entries.iter().enumerate().skip(usize::try_from(cookie).unwrap_or(usize::MAX)) {
        let number = position as u64 + 1;
        if !add(number, number, entry)? {
            break;
        }
    }
    Ok(())
}

pub fn path_create_directory(call: Call, fd: u32, path: u32, size: u32) -> Answer {
    let place = place(call, fd, path, size)?;
    let (dir, path) = place.allowing(rights::PATH_CREATE_DIRECTORY)?;
    Ok(sandbox::create_directory(dir, path)?)
}

/// Whether a lookup follows a symbolic link at the path's end.
fn follows(flags: u32) -> Result<bool, Errno> {
    if flags & !SYMLINK_FOLLOW == 0 { Ok(flags != 0) } else { Err(Errno::Invalid) }
}

pub fn path_filestat_get(call: Call, fd: u32, flags: u32, path: u32, size: u32, out: u32, version: Version) -> Answer {
    let place = place(call, fd, path, size)?;
    let follow = follows(flags)?;
    let stat = match &place {
        Place::Virtual(_) => FileStat::of_nothing(FileType::Directory),
        place => {
            let (dir, path) = place.allowing(rights::PATH_FILESTAT_GET)?;
            sandbox::stat(dir, path, follow)?
        }
    };
    Ok(call.memory().write(out, &stat.encode(version)[..FileStat::size(version) as usize])?)
}

#[allow(clippy::too_many_arguments)] // as specified
pub fn path_filestat_set_times(
    call: Call,
    fd: u32,
    flags: u32,
    path: u32,
    size: u32,
    access: u64,
    modification: u64,
    which: u32,
) -> Answer {
    let place = place(call, fd, path, size)?;
    let follow = follows(flags)?;
    let (access, modification) = times(access, modification, which)?;
    let (dir, path) = place.allowing(rights::PATH_FILESTAT_SET_TIMES)?;
    Ok(sandbox::set_times(dir, path, follow, access, modification)?)
}

#[allow(clippy::too_many_arguments)] // as specified
pub fn path_link(
    call: Call,
    fd: u32,
    flags: u32,
    path: u32,
    size: u32,
    new_fd: u32,
    new_path: u32,
    new_size: u32,
) -> Answer {
    let (old, new) = (place(call, fd, path, size)?, place(call, new_fd, new_path, new_size)?);
    // The link is to what the path names; to follow it is not possible without a window in which it changes.
    if follows(flags)? {
        return Err(Errno::Invalid.into());
    }
    // Both: through the new name, what is in the old directory could be written.
    let (dir, path) = old.allowing(rights::PATH_LINK_SOURCE)?;
    let (new_dir, new_path) = new.allowing(rights::PATH_LINK_TARGET)?;
    Ok(sandbox::link(dir, path, new_dir, new_path)?)
}

#[allow(clippy::too_many_arguments)] // as specified
pub fn path_open(
    call: Call,
    fd: u32,
    lookup: u32,
    path: u32,
    size: u32,
    how: u32,
    base: u64,
    inheriting: u64,
    flags: u32,
    out: u32,
) -> Answer {
    call.memory().range(out, 4)?;
    let place = place(call, fd, path, size)?;
    let flags = u16::try_from(flags).ok().filter(|flags| flags & !fdflags::ALL == 0).ok_or(Errno::Invalid)?;
    let has = |flag: u32| how & flag != 0;
    let open = Open {
        read: base & rights::FD_READ != 0,
        write: base & rights::FD_WRITE != 0,
        create: has(oflags::CREAT),
        exclusive: has(oflags::EXCL),
        truncate: has(oflags::TRUNC),
        directory: has(oflags::DIRECTORY),
        follow: follows(lookup)?,
        sync: flags & (fdflags::SYNC | fdflags::RSYNC) != 0,
        dsync: flags & fdflags::DSYNC != 0,
    };
    if how & !oflags::ALL != 0 || open.directory && (open.create || open.exclusive || open.truncate) {
        return Err(Errno::Invalid.into());
    }
    call.wasi().descriptors.check_room()?;
    let descriptor = match place {
        Place::Virtual(_) if open.write || open.create || open.exclusive || open.truncate => {
            return Err(Errno::Permission.into());
        }
        Place::Virtual(name) => Descriptor::virtual_directory(name),
        place => {
            let mut right = rights::PATH_OPEN;
            if open.create {
                right |= rights::PATH_CREATE_FILE;
            }
            if open.truncate {
                right |= rights::PATH_FILESTAT_SET_SIZE;
            }
            let (dir, path) = place.allowing(right)?;
            let Place::Beneath(parent, _) = &place else { return Err(Errno::BadF.into()) };
            let writable = parent.as_directory()?.writable;
            if !writable && (open.write || open.exclusive) {
                return Err(Errno::Permission.into());
            }
            // What the directory's rights to hand on have lost is not to be had through it.
            let lost = !parent.inheriting.get();
            if lost & rights::FD_WRITE != 0 && open.write || lost & rights::FD_READ != 0 && open.read {
                return Err(Errno::NotCapable.into());
            }
            opened(sandbox::open(dir, path, open)?, open, writable, parent.inheriting.get(), inheriting)?
        }
    };
    descriptor.flags.set(flags);
    let number = call.wasi().descriptors.add(descriptor)?;
    Ok(call.memory().write_u32(out, number)?)
}

fn opened(file: File, open: Open, writable: bool, most: u64, inheriting: u64) -> Result<Descriptor, Errno> {
    let filetype = FileType::of_mode(rustix::fs::fstat(&file)?.st_mode);
    let descriptor = match filetype {
        FileType::Directory => {
            let descriptor = Descriptor::directory(Arc::new(file), writable, None);
            descriptor.inheriting.set(descriptor.inheriting.get() & most);
            descriptor
        }
        _ => Descriptor::file(file, filetype, open.read, open.write, writable),
    };
    // What a directory hands on is asked for by few guests, and then all of it; it is bounded by its parent's.
    let _ = inheriting;
    descriptor.rights.set(descriptor.rights.get() & most);
    Ok(descriptor)
}

pub fn path_readlink(call: Call, fd: u32, path: u32, size: u32, buffer: u32, room: u32, out: u32) -> Answer {
    let place = place(call, fd, path, size)?;
    call.memory().range(buffer, room)?;
    call.memory().range(out, 4)?;
    if matches!(place, Place::Virtual(_)) {
        return Err(Errno::Invalid.into());
    }
    let (dir, path) = place.allowing(rights::PATH_READLINK)?;
    let contents = sandbox::read_link(dir, path)?;
    let used = contents.len().min(room as usize);
    call.memory().write(buffer, &contents[..used])?;
    Ok(call.memory().write_u32(out, used as u32)?)
}

pub fn path_remove_directory(call: Call, fd: u32, path: u32, size: u32) -> Answer {
    let place = place(call, fd, path, size)?;
    let (dir, path) = place.allowing(rights::PATH_REMOVE_DIRECTORY)?;
    Ok(sandbox::remove_directory(dir, path)?)
}

pub fn path_rename(call: Call, fd: u32, path: u32, size: u32, new_fd: u32, new_path: u32, new_size: u32) -> Answer {
    let (old, new) = (place(call, fd, path, size)?, place(call, new_fd, new_path, new_size)?);
    let (dir, path) = old.allowing(rights::PATH_RENAME_SOURCE)?;
    let (new_dir, new_path) = new.allowing(rights::PATH_RENAME_TARGET)?;
    Ok(sandbox::rename(dir, path, new_dir, new_path)?)
}

pub fn path_symlink(call: Call, contents: u32, contents_size: u32, fd: u32, path: u32, size: u32) -> Answer {
    let contents = call.path(contents, contents_size)?;
    let place = place(call, fd, path, size)?;
    let (dir, path) = place.allowing(rights::PATH_SYMLINK)?;
    Ok(sandbox::symlink(contents, dir, path)?)
}

pub fn path_unlink_file(call: Call, fd: u32, path: u32, size: u32) -> Answer {
    let place = place(call, fd, path, size)?;
    let (dir, path) = place.allowing(rights::PATH_UNLINK_FILE)?;
    Ok(sandbox::remove_file(dir, path)?)
}

/// How much of a file is left to read.
pub fn left_to_read(descriptor: &Descriptor) -> u64 {
    match &descriptor.kind {
        Kind::File(file) if descriptor.filetype == FileType::RegularFile => {
            let size = file_stat(descriptor).map_or(0, |stat| stat.size);
            size.saturating_sub(rustix::fs::tell(file).unwrap_or(0))
        }
        Kind::Bytes { bytes, position } => (bytes.len() - position.get()) as u64,
        _ => 0,
    }
}
