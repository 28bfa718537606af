//! Engines.

use super::batch;
use super::cache::Cache;
use super::config::{Config, Registry};
use super::engine_traits::{self, Backend};
use super::module::Transform;
use super::trial;
use crate::runtime::base::error::{Advice, Error, ErrorKind, Result, panic_text};
use crate::runtime::base::options::{Options, Proposal, unsupported};
use crate::runtime::binary::compile_cost::Payments;
use crate::runtime::binary::metering::Metering;
use crate::runtime::binary::module_limits::ModuleLimits;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// An engine: shared by its stores and modules, and usable from any thread.
pub struct Engine {
    pub backend: &'static dyn Backend,
    pub inner: Box<dyn engine_traits::Engine>,
    pub options: Options,
    pub module_limits: ModuleLimits,
    pub cache: Option<Cache>,
    pub transforms: Vec<Transform>,
    pub metering: Option<Metering>,
    modules: AtomicUsize,
    /// The proposals that were found to be on, a bit each.
    admitted: AtomicU64,
    pub(super) call_loops: batch::CallLoops,
}

impl Engine {
    pub fn new(mut config: Config, registry: Registry) -> Result<Arc<Engine>> {
        prepare_process();
        let backend = config.resolve(registry)?;
        let made = match config.options.need_trial() {
            true => Engine::make_and_try(backend, &mut config),
            false => Engine::make(backend, &mut config),
        };
        made.map_err(|error| config.explain(error))
    }

    fn make(backend: &'static dyn Backend, config: &mut Config) -> Result<Arc<Engine>> {
        let inner = backend.new_engine(&config.options)?;
        let (options, mut module_limits) =
            (std::mem::take(&mut config.options), std::mem::take(&mut config.module_limits));
        let (cache, modules) = (config.cache.take().flatten(), AtomicUsize::new(0));
        let metering = config.metering.take();
        module_limits.payments = Payments { inline: metering.is_some(), calling: inner.adds_payments() };
        let call_loops = batch::CallLoops::default();
        let transforms = std::mem::take(&mut config.transforms);
        Ok(Arc::new(Engine {
            backend,
            inner,
            options,
            module_limits,
            cache,
            transforms,
            metering,
            modules,
            admitted: AtomicU64::new(0),
            call_loops,
        }))
    }

    /// Makes an engine and tries it, because it may be unable to run anything. That is reported as a refusal of the
    /// configuration.
    fn make_and_try(backend: &'static dyn Backend, config: &mut Config) -> Result<Arc<Engine>> {
        let asked = config.options.in_words();
        let Options { pooling, memory_reservation, memory_guard, max_wasm_stack, .. } = &config.options;
        let asks_for_space =
            pooling.is_some() || memory_reservation.is_some() || memory_guard.is_some() || max_wasm_stack.is_some();
        let refusal = |cause: &str| {
            let name = backend.name().to_string_lossy();
            let message = format!("the {name} backend cannot run anything with this configuration ({asked}): {cause}");
            Error::new(ErrorKind::Unsupported, message)
        };
        let made = catch_unwind(AssertUnwindSafe(|| {
            let engine = Engine::make(backend, config)?;
            trial::run(&engine).map_err(|error| match error.kind {
                // If the configuration does not ask for much, the system lacks something at the moment.
                ErrorKind::Limit if !asks_for_space => error,
                _ => refusal(&error.message),
            })?;
            Ok(engine)
        }));
        made.unwrap_or_else(|panic| Err(refusal(panic_text(&*panic))))
    }

    /// Checks that the engine has a proposal, which something that a host makes needs: `what` it is.
    pub fn check_has(&self, proposal: Proposal, what: &dyn std::fmt::Display) -> Result<()> {
        let (backend, name) = (self.backend.name(), proposal.name());
        if !self.backend.has(proposal) {
            return Err(unsupported(backend, &format!("the proposal {name}, which a {what} needs")));
        }
        // What is on by default, and what belongs to what, differs between engines and their compilers. So they are asked.
        let text = match proposal {
            Proposal::Memory64 => "(module (memory i64 0))",
            Proposal::Threads => "(module (memory 0 0 shared))",
            Proposal::CustomPageSizes => "(module (memory 0 (pagesize 1)))",
            Proposal::Exceptions => "(module (tag))",
            Proposal::FunctionReferences => "(module (type (func)) (func (param (ref 0))))",
            Proposal::Simd => "(module (func (param v128)))",
            Proposal::Gc => "(module (func (param anyref)))",
            _ => return Ok(()),
        };
        let admitted = 1_u64 << proposal as u32;
        if self.admitted.load(Ordering::Relaxed) & admitted != 0 {
            return Ok(());
        }
        let probe = wat::parse_str(text).map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
        let answer = self.inner.validate(&probe).map_err(|_| {
            let message = format!(
                "a {what} needs the proposal {name}, which is off in this {} engine",
                backend.to_string_lossy()
            );
            Error::new(ErrorKind::Unsupported, message).with_advice(Advice::TurnProposalOn)
        });
        answer.inspect(|()| _ = self.admitted.fetch_or(admitted, Ordering::Relaxed))
    }

    /// Returns how many modules there are.
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

/// Prepares the process for this library, before anything that takes long or starts a thread.
pub fn prepare_process() {
    // Tests have to print why they fail, and fuzzers have a hook of their own.
    #[cfg(not(any(test, fuzzing)))]
    crate::runtime::base::error::keep_panics_quiet();
    super::fork::prepare();
}
