//! What an engine is to be like: the program's wishes, then the operator's, from the environment.

use super::error::{Error, ErrorKind, Result};
use super::log;
use super::module_limits::ModuleLimits;
use crate::backend::{BACKENDS, Backend};
use std::ffi::{CStr, c_char};

/// A configuration: all that `wasmrt_config_*` can set.
#[derive(Default)]
pub struct Config {
    backend: Option<&'static dyn Backend>,
    pub options: Options,
    pub module_limits: ModuleLimits,
    /// The settings that [`Config::resolve`] took from the environment, and the variables they came from.
    from_environment: Vec<(Setting, &'static str)>,
}

/// What a backend is asked to do. What is `None`, `false` or empty is left to the backend.
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
    pub pooling: Option<Pooling>,
    pub parallel_compilation: Option<bool>,
    pub debug_info: bool,
    pub profiling: Option<Profiling>,
    pub deterministic: bool,
    pub target: Option<String>,
    pub cpu_features: Vec<String>,
}

/// The settings that not every backend has: in words, and the function of `wasmrt.h` that makes each.
macro_rules! settings {
    ($($name:ident $what:literal $function:literal,)*) => {
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Setting {
            $($name,)*
        }

        impl Setting {
            const ALL: &[Setting] = &[$(Setting::$name,)*];

            fn describe(self) -> (&'static str, &'static str) {
                match self {
                    $(Setting::$name => ($what, $function),)*
                }
            }
        }
    };
}
settings! {
    Compiler "a choice of compiler" "wasmrt_config_set_compiler",
    Optimization "an optimisation level" "wasmrt_config_set_optimization",
    Fuel "fuel" "wasmrt_config_set_fuel",
    Interruption "interruption" "wasmrt_config_set_interruption",
    MaxWasmStack "a maximum for the stack" "wasmrt_config_set_max_wasm_stack",
    MemoryReservation "a memory reservation" "wasmrt_config_set_memory_reservation",
    MemoryGuard "a memory guard size" "wasmrt_config_set_memory_guard_size",
    CopyOnWrite "copy-on-write initialisation" "wasmrt_config_set_memory_copy_on_write",
    Pooling "pooling" "wasmrt_config_set_pooling",
    ParallelCompilation "parallel compilation" "wasmrt_config_set_parallel_compilation",
    DebugInfo "native debug info" "wasmrt_config_set_debug_info",
    Profiling "profiling" "wasmrt_config_set_profiling",
    Deterministic "deterministic mode" "wasmrt_config_set_deterministic",
    Target "a target" "wasmrt_config_set_target",
    CpuFeatures "CPU features" "wasmrt_config_enable_cpu_feature",
}

/// Enumerations with the numbers of `wasmrt.h` and names for the environment and for messages.
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

                pub fn from_number(number: u8) -> Option<$name> {
                    Self::all().find(|choice| *choice as u8 == number)
                }

                #[allow(dead_code)] // not of every choice
                pub fn all() -> impl Iterator<Item = $name> {
                    Self::ALL.iter().map(|(choice, _)| *choice)
                }

                pub fn name(self) -> &'static str {
                    Self::ALL.iter().find(|(choice, _)| *choice == self).map_or("", |(_, name)| name)
                }

                /// By name, for the environment.
                #[allow(dead_code)] // not every choice can be made there
                fn parse(text: &str) -> Result<$name, String> {
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
    /// How a module becomes something that runs.
    Compiler {
        Cranelift = 1 "cranelift",
        Winch = 2 "winch",
        Pulley = 3 "pulley",
        Eager = 4 "eager",
        LazyTranslation = 5 "lazy-translation",
        Lazy = 6 "lazy",
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
    /// Proposals to WebAssembly, also those that have become part of it.
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

/// Room set aside once for instances, to be used again and again. 0 leaves a number to the engine.
#[derive(Clone, Copy, Debug)]
pub struct Pooling {
    pub instances: u32,
    pub memories: u32,
    pub tables: u32,
    pub memory_bytes: usize,
    pub table_elements: usize,
}

impl Options {
    /// Whether a setting was asked for that is not simply what every engine does anyway.
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
        }
    }

    fn asked(&self) -> impl Iterator<Item = Setting> {
        Setting::ALL.iter().copied().filter(|setting| self.asks_for(*setting))
    }

    /// Whether an engine like this is not known to work without a trial: together, settings may leave none of it. What a guest
    /// runs under goes with everything else.
    pub fn need_trial(&self) -> bool {
        let sure = |setting| matches!(setting, Setting::Fuel | Setting::Interruption | Setting::ParallelCompilation);
        self.asked().any(|setting| !sure(setting)) || !self.proposals.is_empty()
    }

    /// All that was asked for.
    pub fn in_words(&self) -> String {
        let setting = |setting: Setting| {
            let (what, function) = setting.describe();
            let value = match setting {
                Setting::Compiler => self.compiler.map(|compiler| compiler.name().to_string()),
                Setting::Target => self.target.clone(),
                Setting::CpuFeatures => Some(self.cpu_features.join(", ")),
                _ => None,
            };
            let value = value.map_or(String::new(), |value| format!(", \"{value}\""));
            format!("{what}{value} ({function})")
        };
        let proposal = |(proposal, enabled): &(Proposal, bool)| {
            let state = if *enabled { "on" } else { "off" };
            format!("the proposal \"{}\" {state} (wasmrt_config_set_proposal)", proposal.name())
        };
        let asked: Vec<_> = self.asked().map(setting).chain(self.proposals.iter().map(proposal)).collect();
        asked.join(", ")
    }

    /// Turns a proposal on or off; the last word counts.
    pub fn set_proposal(&mut self, proposal: Proposal, enabled: bool) {
        self.proposals.retain(|(other, _)| *other != proposal);
        self.proposals.push((proposal, enabled));
    }
}

impl Config {
    pub fn set_backend(&mut self, name: &str) -> Result<()> {
        self.backend = Some(find_backend(name)?);
        Ok(())
    }

    #[cfg(test)]
    pub fn set_backend_object(&mut self, backend: &'static dyn Backend) {
        self.backend = Some(backend);
    }

    /// Adds what the environment says where the program says nothing, and finds the backend. Fails where that backend cannot do
    /// what is asked.
    pub fn resolve(&mut self) -> Result<&'static dyn Backend> {
        self.read_environment()?;
        let backend = self.backend.or(BACKENDS.first().copied());
        let backend =
            backend.ok_or_else(|| Error::new(ErrorKind::Unsupported, "this library was built without any backend"))?;
        let missing = self.options.asked().find(|setting| !backend.can(*setting));
        if let Some(setting) = missing {
            let (what, function) = setting.describe();
            let variable = self.from_environment.iter().find(|(other, _)| *other == setting).map(|(_, name)| name);
            let by = variable.map_or(function.to_string(), |name| format!("environment variable {name}"));
            return Err(unsupported(backend, &format!("{what} ({by})")));
        }
        Ok(backend)
    }

    fn read_environment(&mut self) -> Result<()> {
        let mut unknown = Vec::new();
        for_each_variable(|name, text| {
            let Some((name, setting, read)) = VARIABLES.iter().find(|(known, ..)| known.as_bytes() == name) else {
                unknown.push(String::from_utf8_lossy(name).into_owned());
                return Ok(());
            };
            if text.is_empty() {
                return Ok(());
            }
            match read(self, &String::from_utf8_lossy(text)) {
                Ok(true) => self.from_environment.extend(setting.map(|setting| (setting, *name))),
                Ok(false) => {}
                Err(problem) => {
                    let message = format!("environment variable {name}: {problem}");
                    return Err(Error::new(ErrorKind::Unsupported, message));
                }
            }
            Ok(())
        })?;
        // Misspelt ones would be ignored in silence otherwise. Only now, as a logger may change the environment.
        for name in unknown {
            let known: Vec<_> = VARIABLES.iter().map(|(known, ..)| *known).collect();
            log::warn(&format!("environment variable {name} is none of those that are read: {}", known.join(", ")));
        }
        Ok(())
    }

    /// Adds to a backend's refusal what the environment may have to do with it.
    pub fn explain(&self, mut error: Error) -> Error {
        if !self.from_environment.is_empty() {
            let names: Vec<_> = self.from_environment.iter().map(|(_, name)| *name).collect();
            error.message.push_str(&format!(" (from the environment: {})", names.join(", ")));
        }
        error
    }
}

/// The refusal of what a backend cannot do.
pub fn unsupported(backend: &dyn Backend, what: &str) -> Error {
    let name = backend.name().to_string_lossy();
    Error::new(ErrorKind::Unsupported, format!("the {name} backend does not have: {what}"))
}

/// Reads a variable of the environment into a configuration; false if the program has decided that itself.
type ReadVariable = fn(&mut Config, &str) -> Result<bool, String>;

/// The environment variables by which an operator sets what programs leave open. docs/wasmrt.md has them as a table.
const VARIABLES: &[(&str, Option<Setting>, ReadVariable)] = &[
    ("WASMRT_BACKEND", None, |config, text| {
        let backend = || find_backend(text).map_err(|error| error.message.clone());
        fill(&mut config.backend, backend)
    }),
    ("WASMRT_COMPILER", Some(Setting::Compiler), |config, text| {
        fill(&mut config.options.compiler, || Compiler::parse(text))
    }),
    ("WASMRT_OPTIMIZATION", Some(Setting::Optimization), |config, text| {
        fill(&mut config.options.optimization, || Optimization::parse(text))
    }),
    ("WASMRT_PROFILING", Some(Setting::Profiling), |config, text| {
        fill(&mut config.options.profiling, || Profiling::parse(text))
    }),
    ("WASMRT_PARALLEL_COMPILATION", Some(Setting::ParallelCompilation), |config, text| {
        fill(&mut config.options.parallel_compilation, || match text {
            "0" => Ok(false),
            "1" => Ok(true),
            _ => Err(format!("expected 0 or 1, got \"{text}\"")),
        })
    }),
    ("WASMRT_MAX_WASM_STACK", Some(Setting::MaxWasmStack), |config, text| {
        fill(&mut config.options.max_wasm_stack, || stack_size(bytes(text)?))
    }),
    ("WASMRT_MEMORY_RESERVATION", Some(Setting::MemoryReservation), |config, text| {
        fill(&mut config.options.memory_reservation, || bytes(text))
    }),
];

/// A size for the stack of WebAssembly that means something.
pub fn stack_size(bytes: usize) -> Result<usize, String> {
    const MOST: usize = 1 << 30;
    if (1..=MOST).contains(&bytes) {
        return Ok(bytes);
    }
    Err(format!("expected a size of the stack, from 1 to {MOST} bytes, got {bytes}"))
}

fn fill<T>(place: &mut Option<T>, value: impl FnOnce() -> Result<T, String>) -> Result<bool, String> {
    if place.is_some() {
        return Ok(false);
    }
    *place = Some(value()?);
    Ok(true)
}

fn bytes<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    // Rust's numbers may have a sign.
    let number = if text.bytes().all(|digit| digit.is_ascii_digit()) { text.parse().ok() } else { None };
    number.ok_or_else(|| format!("expected a number of bytes, got \"{text}\""))
}

/// Calls `visit` with the name and the text of each variable of the environment that is for this library.
///
/// Reads the environment where it is: copying all of it, as [`std::env::vars_os`] does, or searching it for each variable would
/// take longer than making an engine.
fn for_each_variable(mut visit: impl FnMut(&[u8], &[u8]) -> Result<()>) -> Result<()> {
    const PREFIX: &[u8] = b"WASMRT_";
    // SAFETY: a list of strings that ends with NULL, or NULL. As `getenv` demands as well, nobody changes it meanwhile: `visit`
    // does not, and a program with threads must not.
    unsafe {
        let mut entry = environment();
        while !entry.is_null() && !(*entry).is_null() {
            let start = (*entry).cast::<u8>();
            // Byte by byte, up to the first that differs: the string may be shorter.
            if PREFIX.iter().enumerate().all(|(position, byte)| *start.add(position) == *byte) {
                let bytes = CStr::from_ptr(*entry).to_bytes();
                if let Some(equals) = bytes.iter().position(|byte| *byte == b'=') {
                    visit(&bytes[..equals], &bytes[equals + 1..])?;
                }
            }
            entry = entry.add(1);
        }
    }
    Ok(())
}

/// # Safety
/// Nobody changes the environment meanwhile.
#[cfg(not(target_vendor = "apple"))]
unsafe fn environment() -> *const *const c_char {
    unsafe extern "C" {
        static mut environ: *const *const c_char;
    }
    // SAFETY: POSIX has this variable in every program; as promised by the caller, nobody writes to it.
    unsafe { environ }
}

/// Where shared libraries do not see the variable.
///
/// # Safety
/// Likewise.
#[cfg(target_vendor = "apple")]
unsafe fn environment() -> *const *const c_char {
    // SAFETY: the system has this function for the purpose; as promised by the caller, nobody writes to what it points to.
    unsafe { (*libc::_NSGetEnviron()).cast() }
}

fn find_backend(name: &str) -> Result<&'static dyn Backend> {
    BACKENDS.iter().copied().find(|backend| backend.name().to_bytes() == name.as_bytes()).ok_or_else(|| {
        let names: Vec<_> = BACKENDS.iter().map(|backend| backend.name().to_string_lossy()).collect();
        let message = format!("there is no backend \"{name}\" in this library; it has: {}", names.join(", "));
        Error::new(ErrorKind::Unsupported, message)
    })
}
