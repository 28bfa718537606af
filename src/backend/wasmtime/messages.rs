//! Information that the engine gives only in words. Each phrase on which something depends has a test, here unless
//! noted otherwise, which fails with a version of the engine that words it differently.

use crate::runtime::base::error::{Error, ErrorKind};

/// The error for a memory that cannot grow so far because of its type. The engine asks about other sizes before it
/// tries.
const BEYOND_TYPE: &str = "memory type's limits";

/// The error for a new table that was not allowed, before and after the number of its elements.
const NO_TABLE: (&str, &str) = ("table minimum size of ", " elements exceeds table limits");

/// The error when there is no file for the image of a module's data. The C test `process` checks it.
const NO_IMAGE: &str = "cannot create a memfd";

/// A word in errors about imports that do not fit a module.
const IMPORTS: &str = "import";

/// Converts an error of the engine. Keeps its words where they are right here.
pub fn in_words(kind: ErrorKind, error: &wasmtime::Error) -> Error {
    let message = format!("{error:#}");
    match exhausted(&message) {
        Some(message) => Error::new(ErrorKind::Limit, message),
        None => Error::new(kind, plain(message)),
    }
}

/// Whether an instantiation failed because of its imports.
pub fn is_about_imports(message: &str) -> bool {
    message.contains(IMPORTS)
}

/// Whether a memory did not grow because its type forbids it.
pub fn is_beyond_type(error: &wasmtime::Error) -> bool {
    error.to_string().contains(BEYOND_TYPE)
}

/// Returns the engine's words, except where they are wrong here. (If a limit of the store forbids a table, the
/// runtime reports that.)
fn plain(text: String) -> String {
    let elements = text.strip_prefix(NO_TABLE.0).and_then(|rest| rest.strip_suffix(NO_TABLE.1));
    match elements {
        Some(elements) => format!("not enough memory for a table of {elements} elements"),
        None => text,
    }
}

/// Describes what the process ran out of, and what to do about it; `None` if the error is about something else.
fn exhausted(message: &str) -> Option<String> {
    if message.contains(NO_IMAGE) {
        let errno = crate::runtime::base::file::in_memory().err().map_or(String::new(), |errno| format!(": {errno}"));
        return Some(format!(
            "no file descriptor for the image of a module's data{errno}; allow more of them (ulimit -n), or turn \
             copy-on-write off in the configuration"
        ));
    }
    // The engine wraps these errors, so their types cannot be found.
    message.contains(&std::io::Error::from_raw_os_error(libc::ENOMEM).to_string()).then(|| {
        format!(
            "{message}; the process has no address space left (ulimit -v) or too many mappings (sysctl \
             vm.max_map_count; each memory takes two or three): delete stores, or configure a smaller memory reservation"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmtime::{AsContext, Config, Engine, Instance, MemoryType, Module, ResourceLimiter, Store};

    /// A limiter that allows memories but no tables.
    #[derive(Default)]
    struct Limiter {
        failure: Option<wasmtime::Error>,
    }

    impl ResourceLimiter for Limiter {
        fn memory_growing(&mut self, _: usize, _: usize, _: Option<usize>) -> wasmtime::Result<bool> {
            Ok(true)
        }
        fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
            self.failure = Some(error);
            Ok(())
        }
        fn table_growing(&mut self, _: usize, _: usize, _: Option<usize>) -> wasmtime::Result<bool> {
            Ok(false)
        }
    }

    fn store() -> Store<Limiter> {
        let mut config = Config::new();
        config.wasm_custom_page_sizes(true);
        let engine = Engine::new(&config).expect("an engine");
        let mut store = Store::new(&engine, Limiter::default());
        store.limiter(|limiter| limiter);
        store
    }

    #[test]
    fn a_size_that_the_type_forbids() {
        let mut store = store();
        let bytes = MemoryType::builder().page_size_log2(0).build().expect("a type");
        let memory = wasmtime::Memory::new(&mut store, bytes).expect("a memory");
        assert!(memory.grow(&mut store, 1 << 32).is_err());
        assert!(is_beyond_type(store.as_context().data().failure.as_ref().expect("a failure")));
        let pages = wasmtime::Memory::new(&mut store, MemoryType::new(1, Some(2))).expect("a memory");
        assert!(pages.grow(&mut store, 5).is_err());
        assert!(!is_beyond_type(store.as_context().data().failure.as_ref().expect("a failure")));
    }

    #[test]
    fn an_import_that_does_not_fit() {
        let mut store = store();
        let wasm = wat::parse_str(r#"(module (import "m" "f" (func)))"#).expect("valid text");
        let module = Module::from_binary(store.engine(), &wasm).expect("a valid module");
        let global = wasmtime::GlobalType::new(wasmtime::ValType::I32, wasmtime::Mutability::Const);
        let global = wasmtime::Global::new(&mut store, global, wasmtime::Val::I32(0)).expect("a global");
        for imports in [&[][..], &[global.into()]] {
            let error = Instance::new(&mut store, &module, imports).expect_err("no instance");
            assert!(is_about_imports(&format!("{error:#}")), "{error:#}");
        }
    }

    #[test]
    fn a_table_that_is_not_allowed() {
        let mut store = store();
        let wasm = wat::parse_str("(module (table 123 funcref))").expect("valid text");
        let module = Module::from_binary(store.engine(), &wasm).expect("a valid module");
        let error = Instance::new(&mut store, &module, &[]).expect_err("no table");
        assert_eq!(plain(format!("{error:#}")), "not enough memory for a table of 123 elements");
        assert_eq!(plain("anything else".to_string()), "anything else");
    }
}
