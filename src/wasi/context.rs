//! A context: what a guest has, and what its functions are called with.

use super::abi::Errno;
use super::config::{CLOCKS, ClockCallback, Config, HostCallback, Preopen, Random, Stream};
use super::descriptors::{Capture, Descriptor, Table};
use super::memory::Guest;
use super::sandbox;
use crate::runtime::base::error::{Error, ErrorKind, Result};
use crate::runtime::base::log;
use crate::runtime::base::trap_code::TrapCode;
use crate::runtime::base::types::{ExternKind, ExternType};
use crate::runtime::binary::declarations::Source;
use crate::runtime::core::func::{Importable, Linking};
use crate::runtime::core::interruption::Supervisor;
use crate::runtime::core::object::{Object, Retained, Typed};
use crate::runtime::core::store::Store;
use std::cell::{Cell, OnceCell};
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::Arc;

/// What belongs to a guest, however many instances it consists of. Its functions keep it; used by the store's thread.
pub struct Wasi {
    /// Its functions belong to this store, so that it is there when one of them is called.
    store: NonNull<Store>,
    pub args: Strings,
    pub env: Strings,
    pub descriptors: Table,
    captures: [Option<Rc<Capture>>; 3],
    pub clocks: [Option<Arc<HostCallback<ClockCallback>>>; CLOCKS],
    pub random: Random,
    /// The state of a seeded generator.
    pub random_state: Cell<u64>,
    /// What it was given to keep, beside the directories that it lists.
    file_bytes_left: Cell<u64>,
    exit_status: Cell<Option<i32>>,
    /// For functions that no instance's memory was bound to.
    memory: OnceCell<Retained>,
    warned: Cell<bool>,
}

/// Strings as a guest gets them: one after the other, each with a zero at its end.
#[derive(Default)]
pub struct Strings {
    pub bytes: Vec<u8>,
    pub count: u32,
}

impl Strings {
    fn of(strings: &[Vec<u8>]) -> Result<Strings> {
        let bytes: Vec<u8> = strings.iter().flat_map(|string| string.iter().copied().chain([0])).collect();
        match (u32::try_from(bytes.len()), u32::try_from(strings.len())) {
            (Ok(_), Ok(count)) => Ok(Strings { bytes, count }),
            _ => Err(Error::new(ErrorKind::Limit, "the arguments, or the environment, are larger than 4 GB")),
        }
    }
}

impl Wasi {
    pub fn new(store: &Store, config: &Config) -> Result<Arc<Wasi>> {
        let capture = |stream: &Stream| match stream {
            Stream::Capture(most) => Some(Rc::new(Capture::new(*most))),
            _ => None,
        };
        let captures = std::array::from_fn(|position| capture(&config.streams[position]));
        let descriptors = Table::new(config.max_descriptors);
        let streams = config.streams.iter().zip(&captures).enumerate();
        let streams =
            streams.map(|(number, (stream, capture))| Descriptor::stream(stream, number == 0, capture.as_ref()));
        let mut preopens = Vec::new();
        for Preopen { dir, name, writable } in &config.preopens {
            // Opened anew: listing moves its position, which other contexts, maybe on other threads, move as well.
            let dir = sandbox::reopen_directory(dir).map_err(|error| {
                Error::new(ErrorKind::Limit, format!("the guest's directory \"{name}\" cannot be opened: {error}"))
            })?;
            preopens.push(Descriptor::directory(Arc::new(dir), *writable, Some(name.clone())));
        }
        let root = config.virtual_root.then(|| Descriptor::virtual_directory(String::new()));
        for descriptor in streams.chain(preopens).chain(root) {
            descriptors.add(descriptor).map_err(|_| {
                let message = format!(
                    "the limit of {} descriptors does not suffice for three streams and {} directories",
                    config.max_descriptors,
                    config.preopens.len() + usize::from(config.virtual_root)
                );
                Error::new(ErrorKind::Limit, message)
            })?;
        }
        let seed = if let Random::Seed(seed) = config.random { seed } else { 0 };
        // Not used by two threads at a time; counted atomically because functions may be deleted on any thread.
        #[allow(clippy::arc_with_non_send_sync)]
        Ok(Arc::new(Wasi {
            store: NonNull::from(store),
            args: Strings::of(&config.args)?,
            env: Strings::of(&config.env)?,
            descriptors,
            captures,
            clocks: config.clocks.clone(),
            random: config.random.clone(),
            random_state: Cell::new(seed),
            file_bytes_left: Cell::new(config.max_file_bytes),
            exit_status: Cell::new(None),
            memory: OnceCell::new(),
            warned: Cell::new(false),
        }))
    }

    pub fn exit_status(&self) -> Option<i32> {
        self.exit_status.get()
    }

    pub fn set_exit_status(&self, status: Option<i32>) {
        self.exit_status.set(status);
    }

    pub fn capture(&self, stream: usize) -> Option<&Rc<Capture>> {
        self.captures[stream].as_ref()
    }

    /// Counts bytes that are about to be written to files; the answer is how many may be.
    pub fn take_file_bytes(&self, wanted: u64) -> Result<u64, Errno> {
        let left = self.file_bytes_left.get();
        let taken = wanted.min(left);
        if wanted > 0 && taken == 0 {
            return Err(Errno::Quota);
        }
        if left != u64::MAX {
            self.file_bytes_left.set(left - taken);
        }
        Ok(taken)
    }

    /// Gives back what was counted and not written.
    pub fn return_file_bytes(&self, count: u64) {
        self.file_bytes_left.set(self.file_bytes_left.get().saturating_add(count));
    }

    /// Binds a memory for functions that no instance's memory is bound to.
    pub fn bind_memory(&self, memory: &Object) -> Result<()> {
        bind(&self.memory, memory)
    }
}

fn bind(place: &OnceCell<Retained>, memory: &Object) -> Result<()> {
    if memory.as_memory().is_some_and(|memory| memory.ty.shared) {
        return Err(shared());
    }
    let bound = place.get_or_init(|| Retained::new(memory));
    if std::ptr::eq::<Object>(&**bound, memory) { Ok(()) } else { Err(bound_already()) }
}

/// Other threads could write to what is being looked at.
fn shared() -> Error {
    Error::new(ErrorKind::Link, "WASI's functions cannot work on a memory that threads share")
}

fn bound_already() -> Error {
    let message = "these WASI imports work on the memory of another instance; get imports of its own for each instance";
    Error::new(ErrorKind::Link, message)
}

/// The environment of a function: a context, and the memory of the instance that imports the function.
#[repr(C)]
pub struct ImportSet {
    /// First, as the runtime wants it.
    importable: Importable,
    pub wasi: Arc<Wasi>,
    memory: OnceCell<Retained>,
}

impl ImportSet {
    #[allow(clippy::arc_with_non_send_sync)] // as for `Wasi`
    pub fn new(wasi: &Arc<Wasi>) -> Arc<ImportSet> {
        let importable = Importable { imported };
        Arc::new(ImportSet { importable, wasi: wasi.clone(), memory: OnceCell::new() })
    }

    /// Binds the memory of an instance: that which it exports as "memory", or else the only one that it exports or imports. Before
    /// there is an instance, an imported memory is bound already, and what cannot be bound is refused.
    fn link(&self, linking: &Linking) -> Result<()> {
        let declarations = &linking.module.declarations;
        let is_memory = |ty: &ExternType| ty.kind() == ExternKind::Memory;
        let mut exported = declarations.exports.iter().enumerate().filter(|(_, export)| is_memory(&export.ty));
        let named = exported.clone().find(|(_, export)| export.name == "memory");
        let only = || exported.next().filter(|_| exported.next().is_none());
        let Some((position, export)) = named.or_else(only) else {
            let mut imported =
                declarations.imports.iter().zip(linking.imports).filter(|(import, _)| is_memory(&import.ty));
            return match (imported.next(), imported.next()) {
                (Some((_, memory)), None) => bind(&self.memory, memory),
                _ => Ok(()),
            };
        };
        match (export.source, linking.instance) {
            (Source::Import(position), _) => bind(&self.memory, &linking.imports[position]),
            // The instance will have a memory of its own.
            (Source::Own(_), None) if self.memory.get().is_some() => Err(bound_already()),
            (Source::Own(_), None) if matches!(&export.ty, ExternType::Memory(ty) if ty.shared) => Err(shared()),
            (Source::Own(_), None) => Ok(()),
            (Source::Own(_), Some(object)) => match Typed::of(object, Object::as_instance) {
                Some(instance) => bind(&self.memory, &instance.export(position)),
                None => Ok(()),
            },
        }
    }
}

/// # Safety
/// `this` is the first field of an [`ImportSet`], through a pointer to all of it.
unsafe fn imported(this: NonNull<Importable>, linking: &Linking) -> Result<()> {
    // SAFETY: the contract says that an `ImportSet` begins here; an imported function keeps its environment.
    unsafe { this.cast::<ImportSet>().as_ref() }.link(linking)
}

/// Why a function does not return a success.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stop {
    Errno(Errno),
    /// The guest is to stop now.
    Trap(TrapCode),
    Exit(i32),
}

impl From<Errno> for Stop {
    fn from(errno: Errno) -> Stop {
        Stop::Errno(errno)
    }
}

impl From<rustix::io::Errno> for Stop {
    fn from(error: rustix::io::Errno) -> Stop {
        Stop::Errno(error.into())
    }
}

pub type Answer<T = ()> = std::result::Result<T, Stop>;

/// A call of one of the functions.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    pub set: &'a ImportSet,
}

impl<'a> Call<'a> {
    pub fn wasi(self) -> &'a Wasi {
        &self.set.wasi
    }

    /// The memory as it is now: to be asked for again after a callback, which may make it grow.
    #[inline]
    pub fn memory(self) -> Guest {
        let Some(object) = self.set.memory.get().or_else(|| self.wasi().memory.get()) else { return self.no_memory() };
        let bytes = Typed::of(object, Object::as_memory).map(Typed::bytes);
        // SAFETY: the memory is retained; its bytes are there until it grows, which is not before a callback or the guest runs.
        bytes.map_or(self.no_memory(), |bytes| unsafe { Guest::new(bytes) })
    }

    #[cold]
    fn no_memory(self) -> Guest {
        if !self.wasi().warned.replace(true) {
            log::warn(
                "a WASI function was called that has no memory: the instance exports none, or does not exist yet",
            );
        }
        // SAFETY: no bytes are anywhere.
        unsafe { Guest::new(std::ptr::slice_from_raw_parts_mut(NonNull::dangling().as_ptr(), 0)) }
    }

    pub fn store(self) -> &'a Store {
        // SAFETY: the function that is called belongs to it.
        unsafe { self.wasi().store.as_ref() }
    }

    pub fn supervisor(self) -> Option<&'a Supervisor> {
        self.store().supervisor()
    }

    /// Whether the guest has to stop.
    pub fn check(self) -> Answer {
        match self.store().must_stop() {
            Some(code) => Err(Stop::Trap(code)),
            None => Ok(()),
        }
    }

    pub fn descriptor(self, number: u32) -> Result<Rc<Descriptor>, Errno> {
        self.wasi().descriptors.get(number)
    }

    /// The guest's path, which is looked at before anything writes to the memory.
    pub fn path(self, address: u32, size: u32) -> Result<&'a str, Errno> {
        // SAFETY: functions that take a path look at it first, and call the system only; the system does not write to it.
        let path = unsafe { self.memory().text(address, size, sandbox::MAX_PATH)? };
        if path.contains('\0') { Err(Errno::Invalid) } else { Ok(path) }
    }
}
