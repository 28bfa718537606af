//! The options of an engine, whichever backend makes it.

use super::error::{Error, ErrorKind};
use super::host_data::HostData;
use super::log::{self, Level};
use std::ffi::{CStr, c_void};
use std::ptr::NonNull;
use std::sync::Arc;

/// What a backend is asked for. Options that are `None`, `false` or empty are left to the backend.
#[derive(Default)]
pub struct Options {
    pub compiler: Option<Compiler>,
    pub optimization: Option<Optimization>,
    pub proposals: Vec<(Proposal, bool)>,
    pub fuel: bool,
    pub interruption: bool,
    /// In bytes.
    pub max_wasm_stack: Option<usize>,
    /// In bytes.
    pub memory_reservation: Option<u64>,
    /// In bytes.
    pub memory_guard: Option<u64>,
    pub copy_on_write: Option<bool>,
    pub memory_creator: Option<Arc<MemoryCreator>>,
    pub pooling: Option<Pooling>,
    pub parallel_compilation: Option<bool>,
    /// How many times an engine may exist, so that threads do not wait for each other in it; not 0.
    pub max_shards: Option<usize>,
    pub debug_info: bool,
    pub profiling: Option<Profiling>,
    pub deterministic: bool,
    pub target: Option<String>,
    pub cpu_features: Vec<String>,
    /// For messages: the function or the environment variable that set each setting, by name.
    pub origins: Vec<(Setting, &'static str)>,
}

/// The settings that not every backend supports, and their names in messages.
macro_rules! settings {
    ($($name:ident $what:literal,)*) => {
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Setting {
            $($name,)*
        }

        impl Setting {
            pub const ALL: &[Setting] = &[$(Setting::$name,)*];

            const fn bit(self) -> u32 {
                1 << self as u32
            }

            /// Returns the bits of those for which `has` is true.
            #[inline(always)]
            fn bits(has: impl Fn(Setting) -> bool) -> u32 {
                0 $(| (has(Setting::$name) as u32) << Setting::$name as u32)*
            }

            pub fn name(self) -> &'static str {
                match self {
                    $(Setting::$name => $what,)*
                }
            }
        }
    };
}
settings! {
    Compiler "a choice of compiler",
    Optimization "an optimisation level",
    Fuel "fuel",
    Interruption "interruption",
    MaxWasmStack "a maximum for the stack",
    MemoryReservation "a memory reservation",
    MemoryGuard "a memory guard size",
    CopyOnWrite "copy-on-write initialisation",
    Pooling "pooling",
    ParallelCompilation "parallel compilation",
    DebugInfo "native debug info",
    Profiling "profiling",
    Deterministic "deterministic mode",
    Target "a target",
    CpuFeatures "CPU features",
    MemoryCreator "memories of the host",
}

/// Enumerations that have the numbers of `wasmrt.h`, and names for the environment and for messages.
macro_rules! choices {
    ($($(#[$doc:meta])* $name:ident { $($variant:ident = $number:literal $text:literal,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, PartialEq, Eq, Debug)]
            #[repr(u8)]
            pub enum $name {
                $($variant = $number,)*
            }

            impl $name {
                const ALL: &[($name, &str)] = &[$(($name::$variant, $text),)*];

                pub fn from_number(number: u32) -> Option<$name> {
                    Self::all().find(|choice| *choice as u32 == number)
                }

                #[allow(dead_code)] // not used for every enumeration
                pub fn all() -> impl Iterator<Item = $name> {
                    Self::ALL.iter().map(|(choice, _)| *choice)
                }

                pub fn name(self) -> &'static str {
                    Self::ALL.iter().find(|(choice, _)| *choice == self).map_or("", |(_, name)| name)
                }

                /// Finds a choice by its name in the environment.
                #[allow(dead_code)] // not every enumeration can be set there
                pub fn parse(text: &str) -> Result<$name, String> {
                    let found = Self::ALL.iter().find(|(_, name)| *name == text);
                    found.map(|(choice, _)| *choice).ok_or_else(|| {
                        let names: Vec<_> = Self::ALL.iter().map(|(_, name)| *name).collect();
                        format!("expected one of {}, got \"{text}\"", names.join(", "))
                    })
                }
            }
        )*
    };
}
choices! {
    /// How a module is made ready to run.
    Compiler {
        Cranelift = 1 "cranelift",
        Winch = 2 "winch",
        Pulley = 3 "pulley",
        Eager = 4 "eager",
        LazyTranslation = 5 "lazy-translation",
        Lazy = 6 "lazy",
        Llvm = 7 "llvm",
        Singlepass = 8 "singlepass",
    }
    Optimization {
        None = 1 "none",
        Speed = 2 "speed",
        SpeedAndSize = 3 "speed-and-size",
    }
    Profiling {
        None = 0 "none",
        PerfMap = 1 "perfmap",
        JitDump = 2 "jitdump",
    }
    /// Proposals to WebAssembly, including those that are part of it by now.
    Proposal {
        MutableGlobal = 1 "mutable-global",
        SignExtension = 2 "sign-extension",
        SaturatingFloatToInt = 3 "saturating-float-to-int",
        MultiValue = 4 "multi-value",
        BulkMemory = 5 "bulk-memory",
        ReferenceTypes = 6 "reference-types",
        Simd = 7 "simd",
        RelaxedSimd = 8 "relaxed-simd",
        TailCall = 9 "tail-call",
        ExtendedConst = 10 "extended-const",
        MultiMemory = 11 "multi-memory",
        Memory64 = 12 "memory64",
        FunctionReferences = 13 "function-references",
        Gc = 14 "gc",
        Exceptions = 15 "exceptions",
        WideArithmetic = 16 "wide-arithmetic",
        CustomPageSizes = 17 "custom-page-sizes",
        Threads = 18 "threads",
    }
}

/// Room that is reserved once, for instances to use again and again. For 0 the engine chooses a number.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pooling {
    pub instances: u32,
    pub memories: u32,
    pub tables: u32,
    pub memory_bytes: usize,
    pub table_elements: usize,
}

/// Functions of the host that provide memories.
pub struct MemoryCreator {
    pub reserve: unsafe extern "C" fn(env: *mut c_void, size: usize, reserved: usize, guard: usize) -> *mut c_void,
    pub grow: unsafe extern "C" fn(
        env: *mut c_void,
        memory: *mut c_void,
        size: usize,
        new_size: usize,
        reserved: usize,
        guard: usize,
    ) -> *mut c_void,
    pub free: unsafe extern "C" fn(env: *mut c_void, memory: *mut c_void, size: usize, reserved: usize, guard: usize),
    pub env: HostData,
}

// SAFETY: C promises that the functions may be called with the environment on any thread, several at once.
unsafe impl Send for MemoryCreator {}
unsafe impl Sync for MemoryCreator {}

/// How memories are aligned: to pages of the processors that there are engines for.
const PAGE: usize = 4096;

impl MemoryCreator {
    pub fn reserve(&self, size: usize, reserved: usize, guard: usize) -> Result<NonNull<u8>, String> {
        // SAFETY: C passed this function with this environment.
        let memory = unsafe { (self.reserve)(self.env.pointer, size, reserved, guard) };
        let refusal = || format!("the host did not reserve a memory of {size} bytes");
        let memory = NonNull::new(memory).ok_or_else(refusal)?;
        if memory.addr().get() % PAGE != 0 {
            self.free(memory.cast(), size, reserved, guard);
            return Err("the host reserved a memory that does not begin with a page".to_string());
        }
        Ok(memory.cast())
    }

    /// Returns where the memory is now.
    pub fn grow(
        &self,
        memory: NonNull<u8>,
        size: usize,
        new_size: usize,
        reserved: usize,
        guard: usize,
    ) -> Result<NonNull<u8>, String> {
        // SAFETY: C passed this function with this environment; the memory came from it.
        let grown = unsafe { (self.grow)(self.env.pointer, memory.as_ptr().cast(), size, new_size, reserved, guard) };
        let grown = NonNull::new(grown).ok_or_else(|| format!("the host refused a memory of {new_size} bytes"))?;
        if grown.addr().get() % PAGE != 0 || new_size <= reserved && grown.cast() != memory {
            // The memory that guests would go on to use may be gone, and there is no way back.
            log::report(Level::Error, "the host's memory creator moved a memory that must not move, or to no page");
            std::process::abort();
        }
        Ok(grown.cast())
    }

    pub fn free(&self, memory: NonNull<u8>, size: usize, reserved: usize, guard: usize) {
        // SAFETY: C passed this function with this environment; the memory came from it, and is not used any more.
        unsafe { (self.free)(self.env.pointer, memory.as_ptr().cast(), size, reserved, guard) }
    }
}

impl Options {
    /// The settings that ask for something that not every engine does anyway.
    pub fn asked(&self) -> impl Iterator<Item = Setting> {
        let asked = self.asked_bits();
        Setting::ALL.iter().copied().filter(move |setting| asked & setting.bit() != 0)
    }

    /// The same, a bit for each. Usually there are none: then an engine that is made has no list to go through.
    fn asked_bits(&self) -> u32 {
        Setting::bits(|setting| self.asks_for(setting))
    }

    /// Whether a setting asks for something that not every engine does anyway.
    #[inline(always)]
    fn asks_for(&self, setting: Setting) -> bool {
        match setting {
            Setting::Compiler => self.compiler.is_some(),
            Setting::Optimization => self.optimization.is_some(),
            Setting::Fuel => self.fuel,
            Setting::Interruption => self.interruption,
            Setting::MaxWasmStack => self.max_wasm_stack.is_some(),
            Setting::MemoryReservation => self.memory_reservation.is_some(),
            Setting::MemoryGuard => self.memory_guard.is_some(),
            Setting::CopyOnWrite => self.copy_on_write == Some(true),
            Setting::Pooling => self.pooling.is_some(),
            Setting::ParallelCompilation => self.parallel_compilation == Some(true),
            Setting::DebugInfo => self.debug_info,
            Setting::Profiling => !matches!(self.profiling, None | Some(Profiling::None)),
            Setting::Deterministic => self.deterministic,
            Setting::Target => self.target.is_some(),
            Setting::CpuFeatures => !self.cpu_features.is_empty(),
            Setting::MemoryCreator => self.memory_creator.is_some(),
        }
    }

    /// Whether only settings of `these` ask for something.
    pub fn asks_only_for(&self, these: &[Setting]) -> bool {
        self.asked_bits() & !these.iter().fold(0, |bits, setting| bits | setting.bit()) == 0
    }

    /// Returns what set a setting last.
    pub fn origin(&self, setting: Setting) -> Option<&'static str> {
        self.origins.iter().rev().find(|(other, _)| *other == setting).map(|(_, origin)| *origin)
    }

    /// Whether an engine with these options has to be tried, because together settings may leave it unable to run
    /// anything. Settings that only control how guests run do not conflict with others.
    pub fn need_trial(&self) -> bool {
        let sure = [Setting::Fuel, Setting::Interruption, Setting::ParallelCompilation];
        !self.asks_only_for(&sure) || !self.proposals.is_empty()
    }

    /// Describes all options that were set.
    pub fn in_words(&self) -> String {
        let setting = |setting: Setting| {
            let value = match setting {
                Setting::Compiler => self.compiler.map(|compiler| compiler.name().to_string()),
                Setting::Target => self.target.clone(),
                Setting::CpuFeatures => Some(self.cpu_features.join(", ")),
                _ => None,
            };
            let value = value.map_or(String::new(), |value| format!(", \"{value}\""));
            let origin = self.origin(setting).map_or(String::new(), |origin| format!(" ({origin})"));
            format!("{}{value}{origin}", setting.name())
        };
        let proposal = |(proposal, enabled): &(Proposal, bool)| {
            let state = if *enabled { "on" } else { "off" };
            format!("the proposal \"{}\" {state}", proposal.name())
        };
        let asked: Vec<_> = self.asked().map(setting).chain(self.proposals.iter().map(proposal)).collect();
        asked.join(", ")
    }

    /// Turns a proposal on or off. The last call for a proposal counts.
    pub fn set_proposal(&mut self, proposal: Proposal, enabled: bool) {
        self.proposals.retain(|(other, _)| *other != proposal);
        self.proposals.push((proposal, enabled));
    }
}

/// Returns the error for what a backend does not support.
pub fn unsupported(backend: &CStr, what: &str) -> Error {
    let name = backend.to_string_lossy();
    Error::new(ErrorKind::Unsupported, format!("the {name} backend does not support {what}"))
}
