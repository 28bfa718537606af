//! Configuration and engines.

use super::error::{Error, ErrorKind, Result};
use crate::backend::{self, BACKENDS, Backend};

/// The environment variable by which an operator chooses the backend of programs that do not.
const BACKEND_VARIABLE: &str = "WASMRT_BACKEND";

#[derive(Clone, Default)]
pub struct Config {
    backend: Option<&'static dyn Backend>,
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

    /// The backend that was set, else the environment's choice, else the first one.
    fn backend(&self) -> Result<&'static dyn Backend> {
        if let Some(backend) = self.backend {
            return Ok(backend);
        }
        match std::env::var_os(BACKEND_VARIABLE) {
            Some(name) if !name.is_empty() => find_backend(&name.to_string_lossy()).map_err(|mut error| {
                error.message.insert_str(0, &format!("environment variable {BACKEND_VARIABLE}: "));
                error
            }),
            _ => BACKENDS
                .first()
                .copied()
                .ok_or_else(|| Error::new(ErrorKind::Unsupported, "this library was built without any backend")),
        }
    }
}

fn find_backend(name: &str) -> Result<&'static dyn Backend> {
    BACKENDS.iter().copied().find(|backend| backend.name().to_bytes() == name.as_bytes()).ok_or_else(|| {
        let names: Vec<_> = BACKENDS.iter().map(|backend| backend.name().to_string_lossy()).collect();
        let message = format!("there is no backend \"{name}\" in this library; it has: {}", names.join(", "));
        Error::new(ErrorKind::Unsupported, message)
    })
}

/// An engine: shared by its stores and modules, usable from any thread.
pub struct Engine {
    pub backend: &'static dyn Backend,
    pub inner: Box<dyn backend::Engine>,
}

impl Engine {
    pub fn new(config: &Config) -> Result<Engine> {
        let backend = config.backend()?;
        Ok(Engine { backend, inner: backend.new_engine(config)? })
    }
}
