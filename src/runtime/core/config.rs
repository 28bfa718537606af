//! The configuration of an engine: what the program sets and, where it sets nothing, what the environment says.

use super::cache::{self, Cache};
use super::engine_traits::Backend;
use super::module::Transform;
use crate::runtime::base::error::{Error, ErrorKind, Result};
use crate::runtime::base::log;
use crate::runtime::base::options::{Compiler, Optimization, Options, Profiling, Setting, unsupported};
use crate::runtime::binary::metering::Metering;
use crate::runtime::binary::module_limits::ModuleLimits;
use std::ffi::{CStr, c_char};

/// The backends that there are.
#[derive(Clone, Copy)]
pub struct Registry {
    /// Those that are compiled in. The first is the default.
    pub built_in: &'static [&'static dyn Backend],
    pub loader: Option<Loader>,
}

/// Where other backends come from.
#[derive(Clone, Copy)]
pub struct Loader {
    /// Loads the backend of a name or path; `None` if there is nothing of that name.
    pub find: fn(&str) -> Result<Option<&'static dyn Backend>>,
    /// Returns those that were loaded, by their position.
    pub loaded: fn(usize) -> Option<&'static dyn Backend>,
    pub count: fn() -> usize,
}

impl Registry {
    /// Returns the backend at a position: those that are compiled in, then those that were loaded.
    pub fn get(&self, position: usize) -> Option<&'static dyn Backend> {
        match position.checked_sub(self.built_in.len()) {
            None => Some(self.built_in[position]),
            Some(position) => (self.loader?.loaded)(position),
        }
    }

    pub fn count(&self) -> usize {
        self.built_in.len() + self.loader.map_or(0, |loader| (loader.count)())
    }

    /// Says which of those that are compiled in have a setting.
    fn others_with(&self, setting: Setting) -> String {
        let able = self.built_in.iter().filter(|backend| backend.can(setting));
        let names: Vec<_> = able.map(|backend| backend.name().to_string_lossy()).collect();
        if names.is_empty() { String::new() } else { format!("; these backends do: {}", names.join(", ")) }
    }

    fn built_in(&self, name: &str) -> Option<&'static dyn Backend> {
        self.built_in.iter().copied().find(|backend| backend.name().to_bytes() == name.as_bytes())
    }
}

/// A configuration: everything that C can set before an engine exists.
#[derive(Default)]
pub struct Config {
    backend: Option<&'static dyn Backend>,
    /// The one that the environment names, if it is not compiled in.
    backend_name: Option<String>,
    pub options: Options,
    pub module_limits: ModuleLimits,
    /// `None` if the program leaves it to the environment, `Some(None)` if there is to be none.
    pub cache: Option<Option<Cache>>,
    pub transforms: Vec<Transform>,
    pub metering: Option<Metering>,
    /// The environment variables whose settings [`Config::resolve`] has used.
    from_environment: Vec<&'static str>,
}

impl Config {
    pub fn set_backend(&mut self, backend: &'static dyn Backend) {
        self.backend = Some(backend);
    }

    /// Adds what the environment says where the program has set nothing, and chooses the backend. The default is the
    /// first of `registry`. Fails if the backend does not support a setting.
    pub fn resolve(&mut self, registry: Registry) -> Result<&'static dyn Backend> {
        self.read_environment(registry)?;
        let backend = self.backend.or(registry.built_in.first().copied());
        let backend =
            backend.ok_or_else(|| Error::new(ErrorKind::Unsupported, "this library was built without any backend"))?;
        if !self.options.asks_only_for(&[])
            && let Some(setting) = self.options.asked().find(|setting| !backend.can(*setting))
        {
            let origin = self.options.origin(setting).unwrap_or("the configuration");
            let what = format!("{} (requested by {origin})", setting.name());
            return Err(unsupported(backend.name(), &(what + &registry.others_with(setting))));
        }
        Ok(backend)
    }

    fn read_environment(&mut self, registry: Registry) -> Result<()> {
        let mut unknown = Vec::new();
        for_each_variable(|name, text| {
            let Some((name, setting, read)) = VARIABLES.iter().find(|(known, ..)| known.as_bytes() == name) else {
                unknown.push(String::from_utf8_lossy(name).into_owned());
                return Ok(());
            };
            if text.is_empty() {
                return Ok(());
            }
            let text = std::str::from_utf8(text).map_err(|_| {
                let message =
                    format!("environment variable {name}: \"{}\" is not UTF-8", String::from_utf8_lossy(text));
                Error::new(ErrorKind::Unsupported, message)
            })?;
            match read(self, registry, text) {
                Ok(true) => {
                    if let Some(setting) = setting {
                        self.from_environment.push(name);
                        self.options.origins.push((*setting, name));
                    }
                }
                Ok(false) => {}
                Err(problem) => return Err(wrong_variable(name, &problem)),
            }
            Ok(())
        })?;
        // Only after the loop, because a library that is loaded may change the environment.
        if let Some(name) = self.backend_name.take() {
            let backend =
                find_backend(registry, &name).map_err(|error| wrong_variable("WASMRT_BACKEND", &error.message))?;
            self.backend = Some(backend);
        }
        // Warns about misspelt variables, which would otherwise be ignored silently. Only after the loop, because a
        // logger may change the environment.
        for name in unknown {
            let known: Vec<_> = VARIABLES.iter().map(|(known, ..)| *known).collect();
            log::warn(&format!(
                "environment variable {name} is unknown and ignored; these are known: {}",
                known.join(", ")
            ));
        }
        Ok(())
    }

    /// Adds to an error the environment variables that may have caused it.
    pub fn explain(&self, mut error: Error) -> Error {
        if !self.from_environment.is_empty() {
            error.message.push_str(&format!(" (from the environment: {})", self.from_environment.join(", ")));
        }
        error
    }
}

fn wrong_variable(name: &str, problem: &str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("environment variable {name}: {problem}"))
}

/// Reads the text of an environment variable into a configuration. Returns false if the program has set the value
/// itself.
type ReadVariable = fn(&mut Config, Registry, &str) -> Result<bool, String>;

/// The environment variables by which an operator sets what a program leaves open. docs/wasmrt.md lists them in a
/// table.
const VARIABLES: &[(&str, Option<Setting>, ReadVariable)] = &[
    ("WASMRT_BACKEND", None, |config, registry, text| {
        if config.backend.is_none() {
            config.backend = registry.built_in(text);
        }
        // A library that is loaded can do anything, so it must not be chosen by who starts a program that has more rights.
        if config.backend.is_none() && !runs_with_other_rights() {
            config.backend_name = Some(text.to_string());
        }
        Ok(false)
    }),
    // Read where a library is looked for.
    ("WASMRT_ENGINE_PATH", None, |_, _, _| Ok(false)),
    ("WASMRT_COMPILER", Some(Setting::Compiler), |config, _, text| {
        fill(&mut config.options.compiler, || Compiler::parse(text))
    }),
    ("WASMRT_OPTIMIZATION", Some(Setting::Optimization), |config, _, text| {
        fill(&mut config.options.optimization, || Optimization::parse(text))
    }),
    ("WASMRT_PROFILING", Some(Setting::Profiling), |config, _, text| {
        fill(&mut config.options.profiling, || Profiling::parse(text))
    }),
    ("WASMRT_PARALLEL_COMPILATION", Some(Setting::ParallelCompilation), |config, _, text| {
        fill(&mut config.options.parallel_compilation, || match text {
            "0" => Ok(false),
            "1" => Ok(true),
            _ => Err(format!("expected 0 or 1, got \"{text}\"")),
        })
    }),
    ("WASMRT_MAX_WASM_STACK", Some(Setting::MaxWasmStack), |config, _, text| {
        fill(&mut config.options.max_wasm_stack, || stack_size(bytes(text)?))
    }),
    ("WASMRT_MAX_SHARDS", None, |config, _, text| {
        fill(&mut config.options.max_shards, || shards(number(text, "a number of shards")?))
    }),
    ("WASMRT_CACHE_DIR", None, |config, _, text| {
        // Code from this directory is run, so it must not be chosen by who starts a program that has more rights.
        if runs_with_other_rights() {
            return Ok(false);
        }
        let open = || Cache::open(text.as_ref(), cache::DEFAULT_MAX_BYTES).map_err(|error| error.message.clone());
        fill(&mut config.cache, || open().map(Some))
    }),
    ("WASMRT_MEMORY_RESERVATION", Some(Setting::MemoryReservation), |config, _, text| {
        fill(&mut config.options.memory_reservation, || bytes(text))
    }),
];

/// Whether the program has rights that those who started it lack, as set-user-ID programs have.
pub fn runs_with_other_rights() -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    // SAFETY: reads a number that the system gave the program.
    return unsafe { libc::getauxval(libc::AT_SECURE) } != 0;
    #[cfg(target_vendor = "apple")]
    // SAFETY: asks the system, and takes nothing.
    return unsafe { libc::issetugid() } != 0;
    #[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
    false
}

/// Checks a size for the stack of WebAssembly.
pub fn stack_size(bytes: usize) -> Result<usize, String> {
    const MAX_STACK: usize = 1 << 30;
    if (1..=MAX_STACK).contains(&bytes) {
        return Ok(bytes);
    }
    Err(format!("expected a stack size from 1 to {MAX_STACK} bytes, got {bytes}"))
}

/// Checks how many shards an engine may have.
pub fn shards(most: u32) -> Result<usize, String> {
    const MOST: u32 = 1024;
    if (1..=MOST).contains(&most) {
        return Ok(most as usize);
    }
    Err(format!("expected a number of shards from 1 to {MOST}, got {most}"))
}

fn fill<T>(place: &mut Option<T>, value: impl FnOnce() -> Result<T, String>) -> Result<bool, String> {
    if place.is_some() {
        return Ok(false);
    }
    *place = Some(value()?);
    Ok(true)
}

fn bytes<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    number(text, "a number of bytes")
}

fn number<T: std::str::FromStr>(text: &str, what: &str) -> Result<T, String> {
    // Rust would accept a sign.
    let number = if text.bytes().all(|digit| digit.is_ascii_digit()) { text.parse().ok() } else { None };
    number.ok_or_else(|| format!("expected {what}, got \"{text}\""))
}

/// Calls `visit` with the name and the text of each environment variable that is meant for this library.
///
/// Reads the environment in place: copying all of it, as [`std::env::vars_os`] does, or searching it for each
/// variable would take longer than making an engine.
fn for_each_variable(mut visit: impl FnMut(&[u8], &[u8]) -> Result<()>) -> Result<()> {
    const PREFIX: &[u8] = b"WASMRT_";
    // SAFETY: `environ` is null or a list of strings that ends with null. Nothing changes it meanwhile, which
    // `getenv` requires as well: `visit` does not, and a program with several threads must not.
    unsafe {
        let mut entry = environment();
        while !entry.is_null() && !(*entry).is_null() {
            let start = (*entry).cast::<u8>();
            // Byte by byte, up to the first difference, because the string may be shorter than the prefix.
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
/// Nothing changes the environment meanwhile.
#[cfg(not(target_vendor = "apple"))]
unsafe fn environment() -> *const *const c_char {
    unsafe extern "C" {
        static mut environ: *const *const c_char;
    }
    // SAFETY: POSIX defines this variable in every program, and the contract says that nothing writes to it.
    unsafe { environ }
}

/// The environment on systems whose shared libraries cannot refer to the variable.
///
/// # Safety
/// Nothing changes the environment meanwhile.
#[cfg(target_vendor = "apple")]
unsafe fn environment() -> *const *const c_char {
    // SAFETY: the system has this function for this purpose, and the contract says that nothing writes to what it
    // points to.
    unsafe { (*libc::_NSGetEnviron()).cast() }
}

/// Finds the backend with a name. If none that is compiled in has it, it is the name or the path of a library.
pub fn find_backend(registry: Registry, name: &str) -> Result<&'static dyn Backend> {
    if let Some(backend) = registry.built_in(name) {
        return Ok(backend);
    }
    if let Some(loader) = registry.loader
        && let Some(backend) = (loader.find)(name)?
    {
        return Ok(backend);
    }
    let names: Vec<_> = (0..registry.count()).filter_map(|position| registry.get(position)).collect();
    let names: Vec<_> = names.iter().map(|backend| backend.name().to_string_lossy()).collect();
    let loads = match registry.loader {
        None if name.contains('/') => {
            "; it loads no engines, because it was built without that or for a system without"
        }
        _ => "",
    };
    let message = format!("there is no backend \"{name}\" in this library; it has: {}{loads}", names.join(", "));
    Err(Error::new(ErrorKind::Unsupported, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_loads_no_engines_says_so() {
        let refusal = |name| {
            let found = find_backend(Registry { built_in: &[], loader: None }, name);
            found.err().map(|error| error.message.clone()).unwrap_or_default()
        };
        assert!(refusal("/opt/libengine.so").contains("it loads no engines"));
        assert!(!refusal("nonsense").contains("it loads no engines"));
        assert!(refusal("nonsense").contains("there is no backend \"nonsense\""));
    }
}
