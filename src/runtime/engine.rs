//! Engines.

use super::config::{Config, Options};
use super::error::Result;
use super::module_limits::ModuleLimits;
use crate::backend::{self, Backend};
use std::sync::atomic::{AtomicUsize, Ordering};

/// An engine: shared by its stores and modules, usable from any thread.
pub struct Engine {
    pub backend: &'static dyn Backend,
    pub inner: Box<dyn backend::Engine>,
    pub options: Options,
    pub module_limits: ModuleLimits,
    modules: AtomicUsize,
}

impl Engine {
    pub fn new(mut config: Config) -> Result<Engine> {
        super::prepare_process();
        let backend = config.resolve()?;
        let inner = backend.new_engine(&config.options).map_err(|error| config.explain(error))?;
        let Config { options, module_limits, .. } = config;
        Ok(Engine { backend, inner, options, module_limits, modules: AtomicUsize::new(0) })
    }

    /// How many modules there are.
    pub fn modules(&self) -> usize {
        self.modules.load(Ordering::Relaxed)
    }

    pub(super) fn module_made(&self) {
        self.modules.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn module_gone(&self) {
        self.modules.fetch_sub(1, Ordering::Relaxed);
    }
}
