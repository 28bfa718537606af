//! A folder that keeps compiled modules, shared by engines, threads and processes.
//!
//! An entry is an artifact, named by a hash of everything that it depends on. Entries are copied to files in memory
//! before they are checked and used, because something may write to the folder meanwhile. They are replaced as a whole, so
//! no lock is needed.

use super::engine::Engine;
use super::module::maker;
use crate::runtime::base::error::{Error, ErrorKind, Result};
use crate::runtime::base::file::{self, Mapped};
use crate::runtime::base::log;
use crate::runtime::binary::artifact::Maker;
use sha2::{Digest, Sha256};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// How much a folder may hold if the program does not say.
pub const DEFAULT_MAX_BYTES: u64 = 1 << 30;

/// How names of entries end.
const ENTRY: &str = ".wasmrt";

/// After this time a temporary file is what a process left that was killed.
const ABANDONED: Duration = Duration::from_secs(3600);

/// A file takes whole blocks.
const BLOCK: u64 = 4096;

/// What a cache is opened for.
const PURPOSE: &str = "as a cache of compiled modules";

pub struct Cache {
    folder: PathBuf,
    max_bytes: u64,
    usage: Mutex<Usage>,
    hits: AtomicU64,
    misses: AtomicU64,
    warned: AtomicBool,
}

/// What is known of the bytes in the folder: how many this engine found there, and how many it has added since.
struct Usage {
    found: u64,
    added: u64,
}

impl Cache {
    /// Opens a folder, which is made if it is not there.
    pub fn open(folder: &Path, max_bytes: u64) -> Result<Cache> {
        let refusal = |cause: &dyn std::fmt::Display| {
            let message = format!("the directory \"{}\" cannot be used {PURPOSE}: {cause}", folder.display());
            Error::new(ErrorKind::File, message)
        };
        // Later changes of the working directory do not matter.
        let folder = std::path::absolute(folder).map_err(|error| refusal(&error))?;
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(|error| refusal(&error))?;
        let metadata = fs::metadata(&folder).map_err(|error| refusal(&error))?;
        if metadata.mode() & 0o002 != 0 {
            return Err(refusal(&"everybody may write to it, and so could choose what code runs here; use chmod o-w"));
        }
        let trial = folder.join(".trial");
        match file::try_write(&trial, 0o600, &[]) {
            // There may be room later, and entries can be read.
            Err(error) if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {}
            tried => tried.map_err(|error| refusal(&error))?,
        }
        let _ = fs::remove_file(&trial);
        Ok(Cache {
            folder,
            max_bytes,
            // So that the folder is measured before anything is added.
            usage: Mutex::new(Usage { found: u64::MAX, added: 0 }),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            warned: AtomicBool::new(false),
        })
    }

    /// Returns how many modules were found in the folder, and how many had to be compiled.
    pub fn counts(&self) -> (u64, u64) {
        (self.hits.load(Ordering::Relaxed), self.misses.load(Ordering::Relaxed))
    }

    /// Returns the entry for `wasm` in an engine whose code depends on `settings`.
    pub fn entry(&self, engine: &Engine, settings: &str, wasm: &[u8]) -> Entry<'_> {
        let mut hash = Sha256::new();
        let Maker { backend, settings: made_for } = maker(engine);
        let (backend, limits) = (backend.to_string_lossy(), format!("{:?}", engine.module_limits));
        for part in [crate::VERSION, &backend, &made_for, settings, &limits] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        hash.update(wasm);
        let name: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Entry { cache: self, path: self.folder.join(name + ENTRY) }
    }

    /// Makes room for an entry. Returns whether there can be room.
    fn make_room(&self, bytes: u64) -> io::Result<bool> {
        if bytes > self.max_bytes {
            return Ok(false);
        }
        // If another thread is measuring, or was when this process was forked, that has to do.
        let Ok(mut usage) = self.usage.try_lock() else { return Ok(true) };
        // What others add is seen when the folder is measured again.
        let known = usage.found.saturating_add(usage.added).saturating_add(bytes);
        if known > self.max_bytes || usage.added > self.max_bytes / 64 {
            *usage = Usage { found: self.measure(bytes)?, added: 0 };
            // What others are writing cannot be removed.
            if usage.found.saturating_add(bytes) > self.max_bytes {
                return Ok(false);
            }
        }
        usage.added += bytes;
        Ok(true)
    }

    /// Measures the folder. If `more` bytes do not fit, removes the entries that have not been used for the longest
    /// time, and an eighth more than needed, so that this is rare. Returns how many bytes are left.
    fn measure(&self, more: u64) -> io::Result<u64> {
        let mut entries = Vec::new();
        let mut total = 0;
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.as_encoded_bytes();
            let temporary = name.ends_with(file::TEMPORARY.as_bytes());
            if !temporary && !name.ends_with(ENTRY.as_bytes()) {
                continue;
            }
            // Another process may have removed it by now.
            let Ok(metadata) = entry.metadata() else { continue };
            let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            if temporary && used.elapsed().is_ok_and(|age| age > ABANDONED) {
                let _ = fs::remove_file(entry.path());
                continue;
            }
            let bytes = blocks(metadata.len());
            total += bytes;
            if !temporary {
                entries.push((used, bytes, entry.path()));
            }
        }
        let removable: u64 = entries.iter().map(|(_, bytes, _)| bytes).sum();
        if total + more > self.max_bytes && total - removable + more <= self.max_bytes {
            entries.sort();
            let enough = (self.max_bytes - self.max_bytes / 8).saturating_sub(more);
            for (_, bytes, path) in entries {
                if total <= enough {
                    break;
                }
                if fs::remove_file(path).is_ok() {
                    total -= bytes;
                }
            }
        }
        Ok(total)
    }

    /// Warns that nothing can be kept; once, because it may be the same for every module.
    fn warn(&self, error: &io::Error) {
        if !self.warned.swap(true, Ordering::Relaxed) {
            let folder = self.folder.display();
            log::warn(&format!("compiled modules cannot be kept in the directory \"{folder}\": {error}"));
        }
    }
}

fn blocks(bytes: u64) -> u64 {
    bytes.div_ceil(BLOCK).max(1) * BLOCK
}

/// A copy of an entry: a file in memory, which an engine can map, or just the bytes where the system has no such file.
pub enum Copy {
    File(Mapped),
    Bytes(Vec<u8>),
}

pub struct Entry<'a> {
    cache: &'a Cache,
    path: PathBuf,
}

impl Entry<'_> {
    /// Reads the entry, and lets `read` make a module of it. Returns `None` if there is no entry, or a damaged one.
    pub fn load<T>(&self, read: impl FnOnce(Copy) -> Result<T>) -> Option<T> {
        let loaded = self.copy().ok().and_then(|copy| match read(copy) {
            Ok(module) => Some(module),
            Err(error) => {
                let path = self.path.display();
                log::warn(&format!("the cached module \"{path}\" is compiled again: {error}"));
                None
            }
        });
        let count = if loaded.is_some() { &self.cache.hits } else { &self.cache.misses };
        count.fetch_add(1, Ordering::Relaxed);
        loaded
    }

    fn copy(&self) -> io::Result<Copy> {
        // The file may be anything, if somebody put it there.
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let file: File = OpenOptions::new().read(true).custom_flags(flags).open(&self.path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() || metadata.len() > self.cache.max_bytes {
            return Err(io::ErrorKind::InvalidData.into());
        }
        // The oldest entries are those that are dropped.
        let _ = file.set_modified(SystemTime::now());
        let mut contents = (&file).take(metadata.len());
        let Ok(mut copy) = file::in_memory() else {
            let mut bytes = Vec::new();
            bytes.try_reserve_exact(metadata.len() as usize).map_err(|_| io::ErrorKind::OutOfMemory)?;
            contents.read_to_end(&mut bytes)?;
            return Ok(Copy::Bytes(bytes));
        };
        io::copy(&mut contents, &mut copy)?;
        // SAFETY: nobody else has the copy.
        unsafe { Mapped::of(copy) }.map(Copy::File)
    }

    /// Keeps a module's artifact, if there is room.
    pub fn keep(&self, pieces: &[&[u8]]) {
        let bytes = blocks(pieces.iter().map(|piece| piece.len() as u64).sum());
        let kept = self.cache.make_room(bytes).and_then(|room| match room {
            true => file::try_write(&self.path, 0o600, pieces),
            false => Ok(()),
        });
        if let Err(error) = kept {
            self.cache.warn(&error);
        }
    }
}
