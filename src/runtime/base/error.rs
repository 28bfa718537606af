//! Errors, and each thread's record of its last one.

use super::host_data::to_c;
use super::log;
use std::cell::Cell;
use std::ffi::{CString, c_char, c_void};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// Coarse classes of errors, with the stable numbers of `wasmrt.h`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum ErrorKind {
    /// The function was called in a way that its documentation rules out.
    Misuse = 1,
    /// A module is malformed, invalid or beyond what the engine can compile.
    Compile = 2,
    /// Imports do not fit the module.
    Link = 3,
    /// WebAssembly or a host function trapped.
    Trap = 4,
    /// A resource ran out or a limit was reached.
    Limit = 5,
    /// The engine does not support what was requested.
    Unsupported = 6,
    /// Bytes to deserialize are not an artifact of this library, backend and configuration.
    Artifact = 8,
    /// A file or directory of the host cannot be read or written.
    File = 10,
    /// A defect of the library itself, which was caught at the C boundary.
    Internal = 9,
}

/// An error. In a box, so that results that carry one stay small.
#[derive(Debug)]
pub struct Error(Box<ErrorData>);

#[derive(Debug)]
pub struct ErrorData {
    pub kind: ErrorKind,
    pub message: String,
    /// The byte of the module that the error is about, if that is known.
    pub offset: Option<u64>,
    pub advice: Option<Advice>,
}

/// What to do about an error, where the remedy is a C function. Its name is added at the C boundary, where functions
/// of C are known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Advice {
    /// Compile the bytes instead.
    Compile,
    /// Deserialize the bytes instead.
    Deserialize,
    /// Convert the text to a binary first.
    ConvertText,
    /// Configure the engine with fuel.
    ConfigureFuel,
    /// Configure the engine to allow larger modules.
    RaiseModuleLimit,
    /// Configure the engine to have a proposal.
    TurnProposalOn,
}

impl Deref for Error {
    type Target = ErrorData;
    fn deref(&self) -> &ErrorData {
        &self.0
    }
}

impl DerefMut for Error {
    fn deref_mut(&mut self) -> &mut ErrorData {
        &mut self.0
    }
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    #[cold]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error(Box::new(ErrorData { kind, message: message.into(), offset: None, advice: None }))
    }

    pub fn with_advice(mut self, advice: Advice) -> Error {
        self.0.advice = Some(advice);
        self
    }

    #[cold]
    pub fn misuse(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Misuse, message)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.message)
    }
}

struct Last {
    kind: ErrorKind,
    text: CString,
    offset: Option<u64>,
}

thread_local! {
    /// The thread's last error, or null. Handlers of `exit`, destructors of C++ and those of `pthread_key_create` may
    /// still want to know what failed, but they run when thread-local values with destructors are gone. So this value
    /// has none; `free_later` makes sure that the last error is freed.
    static LAST: Cell<*mut Last> = const { Cell::new(ptr::null_mut()) };
    /// How many rounds of `pthread_key_create`'s destructors have run at the end of the thread.
    static ROUNDS: Cell<u8> = const { Cell::new(0) };
    /// Where in the sources this thread panicked last, until that is read.
    static PANICKED_AT: Cell<Option<String>> = const { Cell::new(None) };
}

/// How many of the four rounds of destructors keep the error. What is recorded later is freed in the fourth round.
const ROUNDS_TO_STAY: u8 = 2;

/// Makes `last` the thread's last error, and frees the former one.
fn replace(last: *mut Last) {
    let former = LAST.replace(last);
    free_later(last);
    if !former.is_null() {
        // SAFETY: `record` made it with `Box::into_raw`, and no other pointer to it was kept.
        drop(unsafe { Box::from_raw(former) });
    }
}

/// Arranges that `last`, unless it is null, is freed at the end of the thread. For the main thread that happens only
/// if it ends before the process.
fn free_later(last: *mut Last) {
    static KEY: LazyLock<Option<libc::pthread_key_t>> = LazyLock::new(|| {
        let mut key = 0;
        // SAFETY: writes a key. The destructor stays valid, because the library is never unloaded.
        let made = unsafe { libc::pthread_key_create(&mut key, Some(end_thread)) } == 0;
        made.then_some(key)
    });
    // If there is no key, of which a process has about a thousand, the thread's last error is leaked.
    if let Some(key) = *KEY {
        // SAFETY: the key exists, because it is never deleted.
        unsafe { libc::pthread_setspecific(key, last.cast()) };
    }
}

/// Runs in each round of destructors in which the thread has an error. Keeps it for the destructors of later rounds,
/// and then frees it.
unsafe extern "C" fn end_thread(last: *mut c_void) {
    let round = ROUNDS.get().saturating_add(1);
    ROUNDS.set(round);
    if round <= ROUNDS_TO_STAY {
        free_later(last.cast());
    } else {
        replace(ptr::null_mut());
    }
}

/// Records `error` as the thread's last error. It stays until the next failure or [`clear`].
#[cold]
pub fn record(error: &Error) {
    let last = Last { kind: error.kind, text: to_c(&error.message), offset: error.offset };
    replace(Box::into_raw(Box::new(last)));
}

/// Returns the message of a panic.
pub fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("of unknown cause")
}

/// Keeps panics from printing: all panics in this library are caught and recorded, and the standard error stream
/// belongs to the host. The hook belongs to this library's copy of the standard library. A host in Rust has its own,
/// even with the static library, whose symbols link-time optimisation hides.
pub fn keep_panics_quiet() {
    static QUIET: AtomicBool = AtomicBool::new(false);
    if QUIET.load(Ordering::Relaxed) || QUIET.swap(true, Ordering::Relaxed) {
        return;
    }
    std::panic::set_hook(Box::new(|panic| {
        let Some(location) = panic.location() else { return };
        let file = location.file().rsplit(['/', '\\']).next().unwrap_or_default();
        let _ = PANICKED_AT.try_with(|place| place.set(Some(format!(" ({file}:{})", location.line()))));
    }));
}

/// Records a panic that was caught as the thread's last error.
#[cold]
#[inline(never)]
pub fn record_panic(panic: Box<dyn std::any::Any + Send>) {
    let place = PANICKED_AT.try_with(Cell::take).ok().flatten().unwrap_or_default();
    let message = format!("internal error: {}{place}", panic_text(&*panic));
    log::report(log::Level::Error, &message);
    record(&Error::new(ErrorKind::Internal, message));
}

pub fn clear() {
    replace(ptr::null_mut());
}

fn last<R>(read: impl FnOnce(&Last) -> R) -> Option<R> {
    // SAFETY: the pointer is null or was made by `record`. Only this thread frees it, and it is not doing so while
    // `read` runs.
    unsafe { LAST.get().as_ref() }.map(read)
}

pub fn last_kind() -> Option<ErrorKind> {
    last(|last| last.kind)
}

pub fn last_offset() -> Option<u64> {
    last(|last| last.offset).flatten()
}

/// Returns the message of the thread's last error, valid until the next failure or [`clear`] on this thread; null if
/// there is none.
pub fn last_message() -> *const c_char {
    last(|last| last.text.as_ptr()).unwrap_or(ptr::null())
}
