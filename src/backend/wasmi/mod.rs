//! The `wasmi` backend: a portable interpreter, quick to start and small.

mod calls;
mod store;
mod types;

use super::{Backend, Engine, Module, Store};
use crate::runtime::engine::Config;
use crate::runtime::error::{Error, ErrorKind, Result};
use crate::runtime::store::Store as RuntimeStore;
use std::ffi::CStr;
use std::ptr::NonNull;

pub struct Wasmi;

impl Backend for Wasmi {
    fn name(&self) -> &'static CStr {
        c"wasmi"
    }

    fn new_engine(&self, _config: &Config) -> Result<Box<dyn Engine>> {
        let mut config = wasmi::Config::default();
        config.wasm_wide_arithmetic(true);
        Ok(Box::new(WasmiEngine { engine: wasmi::Engine::new(&config) }))
    }
}

struct WasmiEngine {
    engine: wasmi::Engine,
}

struct WasmiModule {
    module: wasmi::Module,
    /// The module itself: the engine cannot give its code back, so this is what gets serialized.
    wasm: Box<[u8]>,
}

impl Engine for WasmiEngine {
    fn settings(&self) -> String {
        "wasmi".to_string()
    }

    fn compile(&self, wasm: &[u8]) -> Result<Box<dyn Module>> {
        let module = wasmi::Module::new(&self.engine, wasm).map_err(in_words(ErrorKind::Compile))?;
        Ok(Box::new(WasmiModule { module, wasm: wasm.into() }))
    }

    fn validate(&self, wasm: &[u8]) -> Result<()> {
        wasmi::Module::validate(&self.engine, wasm).map_err(in_words(ErrorKind::Compile))
    }

    unsafe fn deserialize(&self, artifact: &[u8]) -> Result<Box<dyn Module>> {
        self.compile(artifact)
    }

    unsafe fn new_store(&self, owner: NonNull<RuntimeStore>) -> Result<Box<dyn Store>> {
        Ok(Box::new(store::WasmiStore::new(&self.engine, owner)))
    }
}

impl Module for WasmiModule {
    fn serialize(&self) -> Result<Vec<u8>> {
        Ok(self.wasm.to_vec())
    }

    fn wasm(&self) -> Option<&[u8]> {
        Some(&self.wasm)
    }

    /// The engine keeps no frames.
    fn identity(&self) -> usize {
        0
    }
}

fn in_words<E: std::fmt::Display>(kind: ErrorKind) -> impl Fn(E) -> Error {
    move |error| Error::new(kind, error.to_string().trim_end())
}
