//! What goes wrong, and each thread's record of the last thing that did.

use std::cell::{Cell, RefCell};
use std::ffi::{CString, c_char};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};

/// Coarse classes of errors, stable numbers of `wasmrt.h`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum ErrorKind {
    /// The function was called in a way its documentation rules out.
    Misuse = 1,
    /// A module is malformed, invalid or beyond what the engine compiles.
    Compile = 2,
    /// Imports do not fit the module.
    Link = 3,
    /// WebAssembly or a host function trapped.
    Trap = 4,
    /// A resource ran out or a limit was reached.
    Limit = 5,
    /// The engine cannot do what was asked.
    Unsupported = 6,
    /// A file could not be read or written.
    Io = 7,
    /// Bytes given to deserialize are no artifact of this library, backend and configuration.
    Artifact = 8,
    /// A defect of the library itself, caught at the C boundary.
    Internal = 9,
}

/// A pointer, so that results which carry it stay small.
#[derive(Debug)]
pub struct Error(Box<ErrorData>);

#[derive(Debug)]
pub struct ErrorData {
    pub kind: ErrorKind,
    pub message: String,
    /// Where in a module's bytes, if that is known.
    pub offset: Option<u64>,
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
        Error(Box::new(ErrorData { kind, message: message.into(), offset: None }))
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
    static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
    /// Where in the sources this thread panicked last, if nobody has asked yet.
    static PANICKED_AT: Cell<Option<String>> = const { Cell::new(None) };
}

/// Text as C gets it.
pub fn to_c(text: &str) -> CString {
    CString::new(text.replace('\0', "\u{fffd}")).unwrap_or_default()
}

/// Records `error` as the thread's last one. It stays until the next failure or [`clear`].
#[cold]
pub fn record(error: &Error) {
    let last = Last { kind: error.kind, text: to_c(&error.message), offset: error.offset };
    // A thread that is going away has no last error any more; there is nobody left to read it.
    let _ = LAST.try_with(|place| *place.borrow_mut() = Some(last));
}

/// What a panic says.
pub fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("of unknown cause")
}

/// Keeps panics from printing: all of ours are caught and recorded, and the standard error stream is the host's. The hook is that
/// of the standard library in this library; a host in Rust has another, also beside the static library, where link-time
/// optimisation hides it.
pub fn keep_panics_quiet() {
    static QUIET: AtomicBool = AtomicBool::new(false);
    if QUIET.swap(true, Ordering::Relaxed) {
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
    super::log::warn(&message);
    record(&Error::new(ErrorKind::Internal, message));
}

pub fn clear() {
    let _ = LAST.try_with(|last| *last.borrow_mut() = None);
}

fn last<R>(read: impl FnOnce(&Last) -> R) -> Option<R> {
    LAST.try_with(|last| last.borrow().as_ref().map(read)).ok().flatten()
}

pub fn last_kind() -> Option<ErrorKind> {
    last(|last| last.kind)
}

pub fn last_offset() -> Option<u64> {
    last(|last| last.offset).flatten()
}

/// The message of the thread's last error, valid until the next failure or [`clear`] on this thread; null if none.
pub fn last_message() -> *const c_char {
    last(|last| last.text.as_ptr()).unwrap_or(std::ptr::null())
}
