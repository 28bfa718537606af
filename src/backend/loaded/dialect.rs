//! What libraries do differently: a table with an entry for each that is known, and a careful one for all others.
//!
//! A library is asked for nothing that its entry does not grant, because many functions of the standard end the process
//! there. docs/engines.md says how to write an entry.

use super::api::{Api, PeerTrap};
use super::module::last_cause;
use crate::runtime::base::trap_code::TrapCode;
use crate::runtime::base::types::ValKind;
use std::ffi::CStr;

pub struct Dialect {
    /// For messages and for artifacts.
    pub name: &'static str,
    /// Tells by its functions whether a library is one of these.
    is: fn(&Api) -> bool,
    /// Whether functions and globals may have values of a kind of reference, and what can be done with them.
    pub externrefs: References,
    pub funcrefs: References,
    /// Whether a trap's frames may be asked for.
    pub frames: bool,
    /// Whether a module may be instantiated in other stores than the one that it was made in.
    pub shares_modules: bool,
    /// Whether an instance's exports come in the module's order, and its imports are taken in that order. If not, the library
    /// is asked for the names of both.
    pub keeps_order: bool,
    /// Whether the host can make memories and tables that instances import, or import those of another instance.
    pub links_memories: bool,
    /// Whether the host can make memories and tables grow. If not, modules get functions that make their memories grow; this
    /// needs a library that keeps the order of exports.
    pub grows: bool,
    /// Whether a memory's size is told in pages of the standard.
    pub counts_pages: bool,
    /// Whether an instance may import a function that another one exports. If not, a host function forwards the calls.
    pub links_functions: bool,
    /// Whether a host function can be an element of a table.
    pub refers_to_host_functions: bool,
    /// Whether an instance sees what others write to a table that it defines and that cannot grow.
    pub writes_fixed_tables: bool,
    /// Whether `table.init` may be used for something else than functions.
    pub initialises_other_tables: bool,
    /// Whether a function that is made of a reference, or the other way round, is an object of its own to be deleted.
    pub owns_casts: bool,
    /// What the library says of an exception that is not caught; which one it is cannot be asked.
    pub thrown: Option<&'static str>,
    /// Where the library tells a trap's code.
    code: fn(&Api, *const PeerTrap, &str) -> Option<Cause>,
}

/// What can be done with references of a kind.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum References {
    /// Nothing: a function whose type has one cannot be called, and no global be read.
    No,
    /// Null may be in tables.
    NullInTables,
    /// Every function of WebAssembly passes through, and comes back as a function.
    Functions,
    /// Every function passes through, as something that cannot be asked what it is.
    Opaque,
    /// Objects of the library pass through, and keep their host info.
    Foreign,
    /// Numbers pass, and modules of our own make references of them, where there is garbage collection.
    Boxed,
}

/// Why WebAssembly trapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cause {
    pub code: TrapCode,
    /// Whether the library says the same of a call through a table beyond its end as of other accesses there.
    pub unsure: bool,
}

/// The first of these that a library is; the last is for any.
static DIALECTS: [Dialect; 4] = [
    Dialect {
        name: "wamr",
        is: |api| api.wasm_runtime_init_thread_env.is_some(),
        // Any pointer would pass; the library keeps nothing that it refers to.
        externrefs: References::No,
        // Functions come out as something that is no pointer.
        funcrefs: References::No,
        frames: false,
        shares_modules: true,
        keeps_order: true,
        links_memories: false,
        grows: false,
        // A memory that no instruction makes grow is one large page.
        counts_pages: false,
        links_functions: false,
        refers_to_host_functions: false,
        writes_fixed_tables: true,
        initialises_other_tables: true,
        owns_casts: false,
        thrown: None,
        code: |_, _, message| cause_in_words(message),
    },
    Dialect {
        name: "wasmer",
        is: |api| api.wasmer_version.is_some(),
        externrefs: References::Foreign,
        funcrefs: References::Functions,
        frames: true,
        shares_modules: true,
        keeps_order: true,
        links_memories: true,
        grows: true,
        counts_pages: true,
        links_functions: true,
        refers_to_host_functions: false,
        writes_fixed_tables: false,
        initialises_other_tables: false,
        owns_casts: true,
        thrown: Some("uncaught exception"),
        code: |_, _, message| cause_in_words(message),
    },
    Dialect {
        name: "wasmtime",
        is: |api| api.wasmtime_error_message.is_some(),
        // In a call even null ends the process.
        externrefs: References::Boxed,
        funcrefs: References::Opaque,
        frames: true,
        shares_modules: true,
        keeps_order: true,
        links_memories: true,
        grows: true,
        counts_pages: true,
        links_functions: true,
        refers_to_host_functions: true,
        writes_fixed_tables: true,
        initialises_other_tables: true,
        owns_casts: false,
        thrown: Some("thrown Wasm exception"),
        code: |api, trap, message| {
            let mut number = 0;
            // SAFETY: the trap is alive, and the number a local.
            let known = unsafe { api.wasmtime_trap_code?(trap, &mut number) };
            if known { wasmtime_cause(number, message) } else { None }
        },
    },
    Dialect {
        name: "plain",
        is: |_| true,
        externrefs: References::NullInTables,
        funcrefs: References::NullInTables,
        frames: false,
        shares_modules: false,
        keeps_order: false,
        links_memories: true,
        grows: true,
        counts_pages: true,
        links_functions: true,
        refers_to_host_functions: false,
        writes_fixed_tables: true,
        initialises_other_tables: true,
        owns_casts: false,
        thrown: None,
        code: |_, _, message| cause_in_words(message),
    },
];

impl Dialect {
    pub fn of(api: &Api) -> &'static Dialect {
        DIALECTS.iter().find(|dialect| (dialect.is)(api)).expect("the last is for any")
    }

    pub fn references(&self, kind: ValKind) -> References {
        match kind {
            ValKind::FuncRef => self.funcrefs,
            ValKind::ExternRef => self.externrefs,
            _ => References::No,
        }
    }

    /// Returns why WebAssembly trapped, if the library tells.
    ///
    /// # Safety
    /// The trap is alive, and of a library of this dialect.
    pub unsafe fn cause(&self, api: &Api, trap: *const PeerTrap, message: &str) -> Option<Cause> {
        (self.code)(api, trap, message)
    }
}

/// The version of a library, in its own words.
pub fn version(api: &Api) -> Option<String> {
    if let Some(version) = api.wasmer_version {
        // SAFETY: it takes nothing, and returns a static string.
        let text = unsafe { version() };
        // SAFETY: it is a string, unless it is null.
        return (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned());
    }
    let (mut major, mut minor, mut patch) = (0, 0, 0);
    // SAFETY: it writes three numbers.
    unsafe { api.wasm_runtime_get_version?(&mut major, &mut minor, &mut patch) };
    Some(format!("{major}.{minor}.{patch}"))
}

/// The number of `wasmtime_trap_code_enum`. The first ten are the same in all versions. The others are told apart by the
/// words at the end of the message: in front of them are the names of functions, which the guest chooses.
fn wasmtime_cause(number: u8, message: &str) -> Option<Cause> {
    let code = match number {
        0 => TrapCode::StackExhausted,
        1 => TrapCode::MemoryOutOfBounds,
        2 => TrapCode::UnalignedAtomic,
        3 => return Some(Cause { code: TrapCode::TableOutOfBounds, unsure: true }),
        4 => TrapCode::UninitializedElement,
        5 => TrapCode::IndirectCallTypeMismatch,
        6 => TrapCode::IntegerOverflow,
        7 => TrapCode::IntegerDivideByZero,
        8 => TrapCode::InvalidConversion,
        9 => TrapCode::Unreachable,
        _ => match last_cause(message).strip_prefix("wasm trap: ")? {
            "null reference" => TrapCode::NullReference,
            "out of bounds array access" => TrapCode::ArrayOutOfBounds,
            "cast failure" => TrapCode::CastFailure,
            _ => return None,
        },
    };
    Some(Cause { code, unsure: false })
}

/// The beginnings of messages, in the words of the specification or a little longer.
const PHRASES: [(&str, TrapCode); 26] = [
    ("unreachable", TrapCode::Unreachable),
    ("wasm `unreachable` instruction executed", TrapCode::Unreachable),
    ("out of bounds memory access", TrapCode::MemoryOutOfBounds),
    ("undefined element", TrapCode::UndefinedElement),
    ("out of bounds table access", TrapCode::TableOutOfBounds),
    ("uninitialized element", TrapCode::UninitializedElement),
    ("indirect call type mismatch", TrapCode::IndirectCallTypeMismatch),
    ("integer divide by zero", TrapCode::IntegerDivideByZero),
    ("integer overflow", TrapCode::IntegerOverflow),
    ("invalid conversion to integer", TrapCode::InvalidConversion),
    ("call stack exhausted", TrapCode::StackExhausted),
    ("native stack overflow", TrapCode::StackExhausted),
    ("wasm operand stack overflow", TrapCode::StackExhausted),
    ("unaligned atomic", TrapCode::UnalignedAtomic),
    ("uninitialized exnref", TrapCode::NullReference),
    // Names, as wasmi's own functions give them.
    ("UnreachableCodeReached", TrapCode::Unreachable),
    ("MemoryOutOfBounds", TrapCode::MemoryOutOfBounds),
    ("TableOutOfBounds", TrapCode::UndefinedElement),
    ("IndirectCallToNull", TrapCode::UninitializedElement),
    ("BadSignature", TrapCode::IndirectCallTypeMismatch),
    ("IntegerDivisionByZero", TrapCode::IntegerDivideByZero),
    ("IntegerOverflow", TrapCode::IntegerOverflow),
    ("BadConversionToInteger", TrapCode::InvalidConversion),
    ("StackOverflow", TrapCode::StackExhausted),
    ("Memory(OutOfBoundsAccess)", TrapCode::MemoryOutOfBounds),
    ("Instantiation(ElementSegmentDoesNotFit", TrapCode::TableOutOfBounds),
];

/// What libraries put before a trap's cause; the last two are the beginning of something that ends after it.
const PREFIXES: [&str; 5] = ["Exception: ", "RuntimeError: ", "wasm trap: ", "Error { kind: ", "TrapCode("];

/// Removes from the cause of a trap what says that it is one.
pub fn without_prefix(cause: &str) -> &str {
    PREFIXES[..3].iter().find_map(|prefix| cause.strip_prefix(prefix)).unwrap_or(cause)
}

/// Finds the cause at the beginning of a message's first line. A guest chooses what may stand elsewhere: the names of its
/// functions.
fn cause_in_words(message: &str) -> Option<Cause> {
    let line = message.lines().next()?;
    let line = PREFIXES.iter().fold(line, |line, prefix| line.strip_prefix(prefix).unwrap_or(line));
    let (_, code) = PHRASES.iter().find(|(phrase, _)| line.starts_with(phrase))?;
    let both = line.contains("out of bounds table access") || line.starts_with("TableOutOfBounds");
    let unsure = *code == TrapCode::UndefinedElement && both;
    Some(Cause { code: if unsure { TrapCode::TableOutOfBounds } else { *code }, unsure })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_read_where_the_library_writes_them() {
        let sure = |code| Some(Cause { code, unsure: false });
        assert_eq!(cause_in_words("Exception: unreachable"), sure(TrapCode::Unreachable));
        assert_eq!(cause_in_words("RuntimeError: integer overflow\n  at f"), sure(TrapCode::IntegerOverflow));
        assert_eq!(cause_in_words("wasm trap: out of bounds table access"), sure(TrapCode::TableOutOfBounds));
        assert_eq!(cause_in_words("undefined element"), sure(TrapCode::UndefinedElement));
        let unsure = Some(Cause { code: TrapCode::TableOutOfBounds, unsure: true });
        assert_eq!(cause_in_words("undefined element: out of bounds table access"), unsure);
        assert_eq!(cause_in_words("Error { kind: TrapCode(StackOverflow) }"), sure(TrapCode::StackExhausted));
        assert_eq!(cause_in_words("Error { kind: TrapCode(TableOutOfBounds) }"), unsure);
        assert_eq!(cause_in_words("Error { kind: Memory(OutOfBoundsAccess) }"), sure(TrapCode::MemoryOutOfBounds));
        assert_eq!(cause_in_words("something\nunreachable"), None);
        assert_eq!(cause_in_words("in the function unreachable"), None);
        assert_eq!(cause_in_words(""), None);
    }

    #[test]
    fn numbers_of_codes() {
        let sure = |code| Some(Cause { code, unsure: false });
        assert_eq!(wasmtime_cause(9, "wasm trap: null reference"), sure(TrapCode::Unreachable));
        assert!(wasmtime_cause(3, "").is_some_and(|cause| cause.unsure));
        assert_eq!(wasmtime_cause(10, ""), None);
        let message = |cause: &str| format!("at:\n  0: 0x1 - !cast failure\n\nCaused by:\n    wasm trap: {cause}");
        // Once the first of these was 14, and what is 13 now another.
        assert_eq!(wasmtime_cause(13, &message("null reference")), sure(TrapCode::NullReference));
        assert_eq!(wasmtime_cause(14, &message("null reference")), sure(TrapCode::NullReference));
        assert_eq!(wasmtime_cause(13, &message("atomic wait on non-shared memory")), None);
        assert_eq!(wasmtime_cause(14, &message("out of bounds array access")), sure(TrapCode::ArrayOutOfBounds));
        assert_eq!(wasmtime_cause(16, &message("cast failure")), sure(TrapCode::CastFailure));
    }
}
