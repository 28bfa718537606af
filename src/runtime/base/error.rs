//! What goes wrong, and each thread's record of the last thing that did.

use super::host_data::to_c;
use super::log;
use std::cell::Cell;
use std::ffi::{CString, c_char, c_void};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr;
use std::sync::LazyLock;
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
    pub advice: Option<Advice>,
}

/// What to do about an error, where that is a function to call: C's functions have their names at the boundary.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Advice {
    /// Compile it instead.
    Compile,
    /// Deserialize it instead.
    Deserialize,
    /// Convert the text to a binary first.
    ConvertText,
    /// Configure the engine with fuel.
    ConfigureFuel,
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
    /// The thread's last error, or null. What is thread-local and has a destructor is gone when handlers of `exit`, destructors of
    /// C++ and those of `pthread_key_create` run, which want to know what failed as well. So this has none; `free_later` sees
    /// to it that the last one is freed.
    static LAST: Cell<*mut Last> = const { Cell::new(ptr::null_mut()) };
    /// How many rounds of `pthread_key_create`'s destructors the thread's end has come to.
    static ROUNDS: Cell<u8> = const { Cell::new(0) };
    /// Where in the sources this thread panicked last, if nobody has asked yet.
    static PANICKED_AT: Cell<Option<String>> = const { Cell::new(None) };
}

/// The rounds of destructors in which errors stay, out of four. What is recorded after that is freed in the fourth.
const ROUNDS_TO_STAY: u8 = 2;

/// Makes `last` the thread's last error, and frees the former.
fn replace(last: *mut Last) {
    let former = LAST.replace(last);
    free_later(last);
    if !former.is_null() {
        // SAFETY: from `Box::into_raw` in `record`, and it was in no other place than this thread's.
        drop(unsafe { Box::from_raw(former) });
    }
}

/// Has `last`, if it is not null, freed at the end of the thread; of the main thread, only if it ends before the process.
fn free_later(last: *mut Last) {
    static KEY: LazyLock<Option<libc::pthread_key_t>> = LazyLock::new(|| {
        let mut key = 0;
        // SAFETY: writes a key. The library stays loaded, and so does the destructor.
        let made = unsafe { libc::pthread_key_create(&mut key, Some(end_thread)) } == 0;
        made.then_some(key)
    });
    // Without a key, of which a process has some thousand, a thread leaves its last error behind.
    if let Some(key) = *KEY {
        // SAFETY: a key that is never deleted.
        unsafe { libc::pthread_setspecific(key, last.cast()) };
    }
}

/// Runs in each round in which the thread has an error: stays for those who come later, then frees it.
unsafe extern "C" fn end_thread(last: *mut c_void) {
    let round = ROUNDS.get().saturating_add(1);
    ROUNDS.set(round);
    if round <= ROUNDS_TO_STAY {
        free_later(last.cast());
    } else {
        replace(ptr::null_mut());
    }
}

/// Records `error` as the thread's last one. It stays until the next failure or [`clear`].
#[cold]
pub fn record(error: &Error) {
    let last = Last { kind: error.kind, text: to_c(&error.message), offset: error.offset };
    replace(Box::into_raw(Box::new(last)));
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
    log::report(log::Level::Error, &message);
    record(&Error::new(ErrorKind::Internal, message));
}

pub fn clear() {
    replace(ptr::null_mut());
}

fn last<R>(read: impl FnOnce(&Last) -> R) -> Option<R> {
    // SAFETY: null, or from `record`, and freed by this thread only, which is busy here.
    unsafe { LAST.get().as_ref() }.map(read)
}

pub fn last_kind() -> Option<ErrorKind> {
    last(|last| last.kind)
}

pub fn last_offset() -> Option<u64> {
    last(|last| last.offset).flatten()
}

/// The message of the thread's last error, valid until the next failure or [`clear`] on this thread; null if none.
pub fn last_message() -> *const c_char {
    last(|last| last.text.as_ptr()).unwrap_or(ptr::null())
}
