//! Runs a script: each of its directives becomes calls of C functions.

use crate::adapter::{self, Param, ResultForm};
use crate::c_api::*;
use crate::proposals;
use crate::spectest;
use crate::values::{Actual, HostReferences, Val, reference, val32, val64};
use std::cell::RefCell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ffi::CString;
use std::rc::Rc;
use wast::core::{WastArgCore, WastRetCore};
use wast::token::Id;
use wast::{QuoteWat, QuoteWatTest, Wast, WastArg, WastDirective, WastExecute, WastInvoke, WastRet, Wat};

/// Why a directive did not pass.
#[derive(Clone)]
pub enum Stop {
    /// It needs something that the engine lacks: what that is.
    Skipped(String),
    Failed(String),
}

type Result<T, E = Stop> = std::result::Result<T, E>;

fn failed<T>(message: impl Into<String>) -> Result<T> {
    Err(Stop::Failed(message.into()))
}

/// What happened to a directive.
pub struct Report {
    /// Where in the script it is: its byte offset.
    pub offset: usize,
    /// Whether it asserts something; the others only prepare.
    pub asserts: bool,
    pub result: Result<()>,
}

pub type Exports = HashMap<String, Own<wasm_extern_t>>;

struct Instance {
    /// The module, for adapters.
    wasm: Vec<u8>,
    exports: Exports,
    adapters: RefCell<HashMap<(String, bool), Rc<AdapterInstance>>>,
    _handle: Option<Own<wasm_instance_t>>,
}

struct AdapterInstance {
    params: Vec<Param>,
    results: Vec<ResultForm>,
    instance: Instance,
}

/// A module and its bytes.
struct Definition {
    module: Own<wasm_module_t>,
    wasm: Vec<u8>,
}

/// An instance, or why there is none: the engine lacks something that its module needs, or it failed.
type Target<T> = std::result::Result<Rc<T>, Stop>;

struct Foreigns(HashMap<u32, Own<wasm_foreign_t>>);

pub struct Script {
    // Dropped in this order: the store goes before what is in it, which the library allows.
    _engine: Own<wasm_engine_t>,
    store: Own<wasm_store_t>,
    registry: HashMap<String, Target<Instance>>,
    instances: HashMap<Option<String>, Target<Instance>>,
    definitions: HashMap<Option<String>, Target<Definition>>,
    foreigns: Foreigns,
    /// What this engine cannot give the scripts of the host module `spectest`, and why.
    absent: HashMap<String, Stop>,
    /// The script is of a version of the specification before 3.0, or of a proposal.
    is_old: bool,
}

enum Answer {
    Values(Vec<Actual>),
    Trap(String),
}

/// Converts a module from the text format, by the library.
pub fn text_to_binary(text: &[u8]) -> std::result::Result<Vec<u8>, String> {
    let mut out = Vector::empty();
    // SAFETY: the text has this length; the vector is ours until it is deleted.
    unsafe {
        if !(api().wasmrt_wat2wasm)(text.as_ptr().cast(), text.len(), &mut out) {
            return Err(last_error().1);
        }
        let bytes = out.elements().to_vec();
        (api().wasm_byte_vec_delete)(&mut out);
        Ok(bytes)
    }
}

impl Script {
    pub fn new(backend: &str, is_old: bool) -> std::result::Result<Script, String> {
        let api = api();
        let name = CString::new(backend).map_err(|error| error.to_string())?;
        // SAFETY: objects are passed on or taken by an Own.
        unsafe {
            let config = (api.wasm_config_new)();
            if !(api.wasmrt_config_set_backend)(config, name.as_ptr()) {
                return Err(last_error().1);
            }
            let engine = Own::new((api.wasm_engine_new_with_config)(config))?;
            let store = Own::new((api.wasm_store_new)(engine.get()))?;
            let mut script = Script {
                _engine: engine,
                store,
                registry: HashMap::new(),
                instances: HashMap::new(),
                definitions: HashMap::new(),
                foreigns: Foreigns(HashMap::new()),
                absent: HashMap::new(),
                is_old,
            };
            script.register_spectest()?;
            Ok(script)
        }
    }

    fn register_spectest(&mut self) -> std::result::Result<(), String> {
        let mut exports = spectest::make(self.store.get())?;
        for (name, text) in spectest::BY_MODULE {
            let wasm = text_to_binary(text.as_bytes())?;
            match self.compile(&wasm).and_then(|module| self.instantiate(&Definition { module, wasm })) {
                Ok(Ok(instance)) => exports.extend(instance.exports),
                Ok(Err(message)) | Err(Stop::Failed(message)) => return Err(message),
                Err(stop) => _ = self.absent.insert(name.to_string(), stop),
            }
        }
        let instance = Instance { wasm: vec![], exports, adapters: Default::default(), _handle: None };
        self.registry.insert("spectest".to_string(), Ok(Rc::new(instance)));
        Ok(())
    }

    /// Runs all directives in turn.
    pub fn run(&mut self, script: Wast<'_>, mut before: impl FnMut(usize), mut after: impl FnMut(Report)) {
        for directive in script.directives {
            let offset = directive.span().offset();
            before(offset);
            let asserts = is_assertion(&directive);
            let result = self.run_directive(directive);
            after(Report { offset, asserts, result });
        }
    }

    fn run_directive(&mut self, directive: WastDirective<'_>) -> Result<()> {
        // SAFETY: no preconditions.
        unsafe { (api().wasmrt_last_error_clear)() };
        match directive {
            WastDirective::Module(module) => {
                let name = id(module.name());
                let definition = self.define(module);
                let instance = match &definition {
                    Ok(definition) => self.instantiate_target(definition),
                    Err(stop) => Err(stop.clone()),
                };
                self.definitions.insert(None, definition);
                self.name_instance(name, instance)
            }
            WastDirective::ModuleDefinition(module) => {
                let name = id(module.name());
                let definition = self.define(module);
                let result = definition.as_ref().map(drop).map_err(Stop::clone);
                self.definitions.insert(None, definition.clone());
                self.definitions.insert(name, definition);
                result
            }
            WastDirective::ModuleInstance { instance, module, .. } => {
                let made = match self.definitions.get(&id(module)) {
                    Some(Ok(definition)) => self.instantiate_target(&definition.clone()),
                    Some(Err(stop)) => Err(stop.clone()),
                    None => failed("there is no such module"),
                };
                self.name_instance(id(instance), made)
            }
            WastDirective::Register { name, module, .. } => {
                let target = self.instances.get(&id(module)).cloned();
                let target = target.unwrap_or_else(|| failed("there is no such instance"));
                self.registry.insert(name.to_string(), target.clone());
                target.map(drop)
            }
            WastDirective::Invoke(invoke) => match self.invoke(&invoke, &[])? {
                Answer::Values(_) => Ok(()),
                Answer::Trap(message) => failed(format!("trapped: {message}")),
            },
            WastDirective::AssertReturn { exec, results, .. } => self.assert_return(exec, &results),
            WastDirective::AssertTrap { exec, message, .. } => match self.execute(exec, &[])? {
                Answer::Values(values) => failed(format!("no trap, but {}", self.describe(&values))),
                Answer::Trap(actual) => compare_messages(&actual, message),
            },
            WastDirective::AssertExhaustion { call, message, .. } => match self.invoke(&call, &[])? {
                Answer::Values(values) => failed(format!("no trap, but {}", self.describe(&values))),
                Answer::Trap(actual) => compare_messages(&actual, message),
            },
            WastDirective::AssertException { exec, .. } => match self.execute(exec, &[])? {
                Answer::Values(values) => failed(format!("no exception, but {}", self.describe(&values))),
                Answer::Trap(actual) => compare_messages(&actual, "unhandled exception"),
            },
            WastDirective::AssertInvalid { module, message, .. }
            | WastDirective::AssertMalformed { module, message, .. } => self.assert_refused(module, message),
            WastDirective::AssertUnlinkable { module, .. } => self.assert_unlinkable(module),
            WastDirective::AssertMalformedCustom { .. } | WastDirective::AssertInvalidCustom { .. } => {
                skipped("assertions about custom sections, which engines do not read")
            }
            WastDirective::AssertSuspension { .. } => skipped("stack switching"),
            WastDirective::Thread(_) | WastDirective::Wait { .. } => skipped("threads that a script starts"),
        }
    }

    fn name_instance(&mut self, name: Option<String>, instance: Target<Instance>) -> Result<()> {
        let result = instance.as_ref().map(drop).map_err(Stop::clone);
        if name.is_some() {
            self.instances.insert(name, instance.clone());
        }
        self.instances.insert(None, instance);
        result
    }

    fn define(&self, module: QuoteWat<'_>) -> Target<Definition> {
        let wasm = to_binary(module).map_err(Stop::Failed)?;
        let module = self.compile(&wasm)?;
        Ok(Rc::new(Definition { module, wasm }))
    }

    fn instantiate_target(&self, definition: &Definition) -> Target<Instance> {
        match self.instantiate(definition)? {
            Ok(instance) => Ok(Rc::new(instance)),
            Err(message) => failed(format!("cannot be instantiated: {message}")),
        }
    }

    fn compile(&self, wasm: &[u8]) -> Result<Own<wasm_module_t>> {
        let bytes = Vector { size: wasm.len(), data: wasm.as_ptr().cast_mut() };
        // SAFETY: the bytes are only read; the module is ours.
        let module = unsafe { Own::new((api().wasm_module_new)(self.store.get(), &bytes)) };
        module.map_err(|message| match proposals::lacking(&message) {
            Some(proposal) => Stop::Skipped(proposal.to_string()),
            None => Stop::Failed(format!("refused: {message}")),
        })
    }

    /// The instance, or the trap's message.
    fn instantiate(&self, definition: &Definition) -> Result<std::result::Result<Instance, String>> {
        let api = api();
        let mut imports = self.find_imports(&definition.module)?;
        let mut trap = std::ptr::null_mut();
        // SAFETY: what the library gives is ours.
        unsafe {
            let handle = (api.wasm_instance_new)(
                self.store.get(),
                definition.module.get(),
                &Vector::of(&mut imports),
                &mut trap,
            );
            if handle.is_null() {
                let message = match Own::new(trap) {
                    Ok(trap) => trap_message(&trap),
                    Err(message) => return failed(format!("neither an instance nor a trap, but the error {message}")),
                };
                return proposals::lacking(&message).map_or(Ok(Err(message)), skipped);
            }
            if !trap.is_null() {
                return failed("an instance and a trap");
            }
            let handle = Own::new(handle).map_err(Stop::Failed)?;
            let exports = exports(&definition.module, &handle)?;
            let wasm = definition.wasm.clone();
            Ok(Ok(Instance { wasm, exports, adapters: Default::default(), _handle: Some(handle) }))
        }
    }

    /// What a module imports, in its order; NULL stands for what is not there.
    fn find_imports(&self, module: &Own<wasm_module_t>) -> Result<Vec<*mut wasm_extern_t>> {
        let api = api();
        let mut types = Vector::empty();
        let mut imports = Vec::new();
        let mut missing = None;
        // SAFETY: names belong to their import types, which live until the vector is deleted.
        unsafe {
            (api.wasm_module_imports)(module.get(), &mut types);
            for ty in types.elements() {
                let from = name(&*(api.wasm_importtype_module)(*ty));
                let what = name(&*(api.wasm_importtype_name)(*ty));
                let exporter = self.registry.get(&from);
                if let Some(Err(stop)) = exporter {
                    missing = Some(stop.clone());
                } else if from == "spectest" && self.absent.contains_key(&what) {
                    missing = self.absent.get(&what).cloned();
                }
                let exporter = exporter.and_then(|exporter| exporter.as_ref().ok());
                let import = exporter.and_then(|exporter| exporter.exports.get(&what));
                imports.push(import.map_or(std::ptr::null_mut(), Own::get));
            }
            (api.wasm_importtype_vec_delete)(&mut types);
        }
        missing.map_or(Ok(imports), Err)
    }

    fn instance(&self, name: Option<Id<'_>>) -> Result<Rc<Instance>> {
        match self.instances.get(&id(name)) {
            Some(target) => target.clone(),
            None => failed("there is no such instance"),
        }
    }

    fn execute(&mut self, exec: WastExecute<'_>, expected: &[WastRetCore<'_>]) -> Result<Answer> {
        match exec {
            WastExecute::Invoke(invoke) => self.invoke(&invoke, expected),
            WastExecute::Get { module, global, .. } => self.get(&*self.instance(module)?, global),
            WastExecute::Wat(mut module) => {
                let wasm = module.encode().map_err(|error| Stop::Failed(error.message()))?;
                let module = self.compile(&wasm)?;
                match self.instantiate(&Definition { module, wasm })? {
                    Ok(_) => Ok(Answer::Values(vec![])),
                    Err(message) => Ok(Answer::Trap(message)),
                }
            }
        }
    }

    fn get(&self, instance: &Instance, global: &str) -> Result<Answer> {
        let api = api();
        let export = find(instance, global)?;
        // SAFETY: views of the instance's export; the value is ours.
        unsafe {
            let view = (api.wasm_extern_as_global)(export.get());
            if view.is_null() {
                return failed("the export is no global");
            }
            let ty = Own::new((api.wasm_global_type)(view)).map_err(Stop::Failed)?;
            let kind = (api.wasm_valtype_kind)((api.wasm_globaltype_content)(ty.get()));
            if kind == WASMRT_V128 || kind >= WASMRT_ANYREF {
                return self.call_adapted(instance, global, &[], false);
            }
            let mut value = unwritten();
            (api.wasm_global_get)(view, &mut value);
            Ok(Answer::Values(vec![Actual::Value(Val(value))]))
        }
    }

    fn invoke(&mut self, invoke: &WastInvoke<'_>, expected: &[WastRetCore<'_>]) -> Result<Answer> {
        let api = api();
        let instance = self.instance(invoke.module)?;
        let export = find(&instance, invoke.name)?;
        let mut args = Vec::new();
        for arg in &invoke.args {
            let WastArg::Core(arg) = arg else { return failed("an argument that is no core value") };
            if let WastArgCore::RefExtern(number) | WastArgCore::RefHost(number) = arg {
                self.foreigns.ensure(*number, &self.store)?;
            }
            args.push(arg);
        }
        // SAFETY: views of the instance's export; the type is ours.
        let (params, results) = unsafe {
            let func = (api.wasm_extern_as_func)(export.get());
            if func.is_null() {
                return failed("the export is no function");
            }
            let ty = Own::new((api.wasm_func_type)(func)).map_err(Stop::Failed)?;
            (kinds((api.wasm_functype_params)(ty.get())), kinds((api.wasm_functype_results)(ty.get())))
        };
        let vector = |kinds: &[u8]| kinds.contains(&WASMRT_V128);
        let internal_arg =
            |(kind, arg): (&u8, &&WastArgCore)| *kind >= WASMRT_ANYREF && !matches!(arg, WastArgCore::RefNull(_));
        let internal_result = results.iter().any(|kind| *kind >= WASMRT_ANYREF);
        // An externref can be internal within, but only the expectation of one that is not numbered says so.
        let look_inside = expected.iter().any(|result| matches!(result, WastRetCore::RefExtern(None)))
            && results.contains(&WASM_EXTERNREF);
        if vector(&params)
            || vector(&results)
            || internal_result
            || look_inside
            || params.iter().zip(&args).any(internal_arg)
        {
            return self.call_adapted(&instance, invoke.name, &args, look_inside);
        }
        let args: Result<Vec<_>> = args.iter().map(|arg| self.plain(arg)).collect();
        let answer = self.call(export, &mut args?, results.len())?;
        Ok(match answer {
            Ok(values) => Answer::Values(values.into_iter().map(Actual::Value).collect()),
            Err(message) => Answer::Trap(message),
        })
    }

    /// An argument that `wasm_val_t` can carry.
    fn plain(&self, arg: &WastArgCore<'_>) -> Result<wasm_val_t> {
        Ok(match arg {
            WastArgCore::I32(value) => val32(WASM_I32, *value as u32),
            WastArgCore::I64(value) => val64(WASM_I64, *value as u64),
            WastArgCore::F32(value) => val32(WASM_F32, value.bits),
            WastArgCore::F64(value) => val64(WASM_F64, value.bits),
            WastArgCore::RefNull(_) => reference(WASM_EXTERNREF, std::ptr::null_mut()),
            WastArgCore::RefExtern(number) | WastArgCore::RefHost(number) => {
                reference(WASM_EXTERNREF, self.foreigns.reference(*number))
            }
            WastArgCore::V128(_) => return failed("a vector where the function takes none"),
        })
    }

    /// Calls a function with as many results.
    fn call(
        &self,
        export: &Own<wasm_extern_t>,
        args: &mut [wasm_val_t],
        results: usize,
    ) -> Result<std::result::Result<Vec<Val>, String>> {
        let api = api();
        let mut values = vec![unwritten(); results];
        // SAFETY: the arguments are valid; the results are ours if there is no trap.
        unsafe {
            let func = (api.wasm_extern_as_func)(export.get());
            let trap = (api.wasm_func_call)(func, &Vector::of(args), &mut Vector::of(&mut values));
            if !trap.is_null() {
                let trap = Own::new(trap).map_err(Stop::Failed)?;
                return Ok(Err(trap_message(&trap)));
            }
        }
        Ok(Ok(values.into_iter().map(Val).collect()))
    }

    /// Calls a function, or gets a global, through an adapter.
    fn call_adapted(
        &self,
        instance: &Instance,
        name: &str,
        args: &[&WastArgCore<'_>],
        look_inside: bool,
    ) -> Result<Answer> {
        let adapter = self.adapter(instance, name, look_inside)?;
        if adapter.params.len() != args.len() {
            return failed(format!("{} arguments for {} parameters", args.len(), adapter.params.len()));
        }
        let mut passed = Vec::new();
        for (param, arg) in adapter.params.iter().zip(args) {
            match (param, arg) {
                (Param::Halves, WastArgCore::V128(value)) => {
                    let bits = u128::from_le_bytes(value.to_le_bytes());
                    passed.extend([val64(WASM_I64, bits as u64), val64(WASM_I64, (bits >> 64) as u64)]);
                }
                (Param::Null, _) => {}
                (_, arg) => passed.push(self.plain(arg)?),
            }
        }
        let count = |form: &ResultForm| if matches!(form, ResultForm::Same | ResultForm::Nullness) { 1 } else { 2 };
        let results = adapter.results.iter().map(count).sum();
        let export = find(&adapter.instance, adapter::EXPORT)?;
        let values = match self.call(export, &mut passed, results)? {
            Ok(values) => values,
            Err(message) => return Ok(Answer::Trap(message)),
        };
        let mut values = values.into_iter();
        let mut next = || values.next().ok_or(Stop::Failed("too few results".to_string()));
        let mut actual = Vec::new();
        for form in &adapter.results {
            let first = next()?;
            // SAFETY: these results are numbers.
            actual.push(unsafe {
                match form {
                    ResultForm::Same => Actual::Value(first),
                    ResultForm::Nullness => Actual::Nullness(first.0.of.bits32 != 0),
                    ResultForm::Classified => Actual::Classified(first.0.of.bits32, next()?),
                    ResultForm::Halves => {
                        Actual::Vector(u128::from(first.0.of.bits64) | u128::from(next()?.0.of.bits64) << 64)
                    }
                }
            });
        }
        Ok(Answer::Values(actual))
    }

    fn adapter(&self, instance: &Instance, name: &str, look_inside: bool) -> Result<Rc<AdapterInstance>> {
        let key = (name.to_string(), look_inside);
        if let Some(adapter) = instance.adapters.borrow().get(&key) {
            return Ok(adapter.clone());
        }
        let adapter = adapter::make(&instance.wasm, name, look_inside)
            .map_err(|message| Stop::Failed(format!("no adapter: {message}")))?;
        let made = self.instantiate_adapter(&adapter.wasm, find(instance, name)?.get()).map_err(|stop| match stop {
            Stop::Failed(message) => Stop::Failed(format!("the adapter: {message}")),
            skipped => skipped,
        });
        let adapter = Rc::new(AdapterInstance { params: adapter.params, results: adapter.results, instance: made? });
        instance.adapters.borrow_mut().insert(key, adapter.clone());
        Ok(adapter)
    }

    fn instantiate_adapter(&self, wasm: &[u8], import: *mut wasm_extern_t) -> Result<Instance> {
        let module = self.compile(wasm)?;
        let mut trap = std::ptr::null_mut();
        // SAFETY: what the library gives is ours.
        unsafe {
            let mut imports = [import];
            let handle =
                (api().wasm_instance_new)(self.store.get(), module.get(), &Vector::of(&mut imports), &mut trap);
            let trap = Own::new(trap);
            let handle =
                Own::new(handle).map_err(|error| Stop::Failed(trap.map_or(error, |trap| trap_message(&trap))))?;
            let exports = exports(&module, &handle)?;
            Ok(Instance { wasm: vec![], exports, adapters: Default::default(), _handle: Some(handle) })
        }
    }

    fn assert_return(&mut self, exec: WastExecute<'_>, expected: &[WastRet<'_>]) -> Result<()> {
        let mut core = Vec::new();
        for expected in expected {
            let WastRet::Core(expected) = expected else { return failed("a result that is no core value") };
            core.push(expected);
        }
        let is_external = core.iter().any(|expected| matches!(expected, WastRetCore::RefExtern(None)));
        let hint: &[WastRetCore] = if is_external { &[WastRetCore::RefExtern(None)] } else { &[] };
        let values = match self.execute(exec, hint)? {
            Answer::Values(values) => values,
            Answer::Trap(message) => return failed(format!("trapped: {message}")),
        };
        let same_length = values.len() == core.len();
        if same_length && values.iter().zip(&core).all(|(actual, expected)| actual.matches(expected, &self.foreigns)) {
            return Ok(());
        }
        failed(format!("expected {core:?}, got {}", self.describe(&values)))
    }

    fn describe(&self, values: &[Actual]) -> String {
        let values: Vec<_> = values.iter().map(|value| value.describe(&self.foreigns)).collect();
        format!("[{}]", values.join(", "))
    }

    /// A malformed or invalid module: the library must refuse it, by validation and by compilation.
    fn assert_refused(&self, module: QuoteWat<'_>, why: &str) -> Result<()> {
        let Ok(wasm) = to_binary(module) else { return Ok(()) };
        let bytes = Vector { size: wasm.len(), data: wasm.as_ptr().cast_mut() };
        // SAFETY: the bytes are only read.
        let valid = unsafe { (api().wasm_module_validate)(self.store.get(), &bytes) };
        let compiled = self.compile(&wasm);
        if valid != compiled.is_ok() {
            return failed(format!("validated: {valid}, compiled: {}", compiled.is_ok()));
        }
        match compiled {
            Ok(_) => match proposals::superseded(why).filter(|_| self.is_old) {
                Some(reason) => skipped(reason),
                None => failed(format!("accepted a module with: {why}")),
            },
            Err(Stop::Skipped(proposal)) => Err(Stop::Skipped(proposal)),
            Err(Stop::Failed(message)) => match last_error() {
                (WASMRT_ERROR_COMPILE, text) if !text.is_empty() => Ok(()),
                (kind, _) => failed(format!("{message}, with an error of kind {kind}")),
            },
        }
    }

    fn assert_unlinkable(&self, mut module: Wat<'_>) -> Result<()> {
        let wasm = module.encode().map_err(|error| Stop::Failed(error.message()))?;
        let module = self.compile(&wasm)?;
        match self.instantiate(&Definition { module, wasm })? {
            Ok(_) => failed("linked"),
            Err(message) => match last_error() {
                (WASMRT_ERROR_LINK, text) if text == message => Ok(()),
                (kind, text) => failed(format!("trap {message:?}, with an error of kind {kind}, {text:?}")),
            },
        }
    }
}

impl Foreigns {
    fn ensure(&mut self, number: u32, store: &Own<wasm_store_t>) -> Result<()> {
        if let Entry::Vacant(entry) = self.0.entry(number) {
            // SAFETY: the store is alive; the object is ours.
            let foreign = unsafe { Own::new((api().wasm_foreign_new)(store.get())) };
            entry.insert(foreign.map_err(Stop::Failed)?);
        }
        Ok(())
    }

    fn reference(&self, number: u32) -> *mut wasm_ref_t {
        // SAFETY: a view of an object of ours.
        self.0
            .get(&number)
            .map_or(std::ptr::null_mut(), |foreign| unsafe { (api().wasm_foreign_as_ref)(foreign.get()) })
    }
}

impl HostReferences for Foreigns {
    fn number(&self, reference: *mut wasm_ref_t) -> Option<u32> {
        if reference.is_null() {
            return None;
        }
        // SAFETY: both are alive.
        let same = |number: &u32| unsafe { (api().wasm_ref_same)(reference, self.reference(*number)) };
        self.0.keys().copied().find(same)
    }
}

fn skipped<T>(reason: &str) -> Result<T> {
    Err(Stop::Skipped(reason.to_string()))
}

fn is_assertion(directive: &WastDirective<'_>) -> bool {
    !matches!(
        directive,
        WastDirective::Module(_)
            | WastDirective::ModuleDefinition(_)
            | WastDirective::ModuleInstance { .. }
            | WastDirective::Register { .. }
            | WastDirective::Invoke(_)
            | WastDirective::Thread(_)
            | WastDirective::Wait { .. }
    )
}

/// The specification's interpreter compares like this: its own message is a prefix of the expected one, or the reverse.
fn compare_messages(actual: &str, expected: &str) -> Result<()> {
    if !actual.is_empty() && (actual.starts_with(expected) || expected.starts_with(actual)) {
        return Ok(());
    }
    failed(format!("expected the trap {expected:?}, got {actual:?}"))
}

/// A module in binary form. Text in quotes is for the library to convert; the rest came with the script.
fn to_binary(mut module: QuoteWat<'_>) -> std::result::Result<Vec<u8>, String> {
    match module.to_test().map_err(|error| error.message())? {
        QuoteWatTest::Binary(bytes) => Ok(bytes),
        QuoteWatTest::Text(text) => text_to_binary(&text),
    }
}

fn id(id: Option<Id<'_>>) -> Option<String> {
    id.map(|id| id.name().to_string())
}

/// A name, which is UTF-8 wherever the engine accepted the module.
///
/// # Safety
/// The vector's bytes are there.
unsafe fn name(bytes: &wasm_byte_vec_t) -> String {
    // SAFETY: as promised by the caller.
    String::from_utf8_lossy(unsafe { bytes.elements() }).into_owned()
}

fn find<'a>(instance: &'a Instance, export: &str) -> Result<&'a Own<wasm_extern_t>> {
    instance.exports.get(export).ok_or_else(|| Stop::Failed(format!("there is no export {export:?}")))
}

/// An instance's exports by name.
fn exports(module: &Own<wasm_module_t>, instance: &Own<wasm_instance_t>) -> Result<Exports> {
    let api = api();
    let (mut types, mut externs) = (Vector::empty(), Vector::empty());
    // SAFETY: the vectors are ours; each extern is taken out by an Own, and the array alone remains to be deleted.
    unsafe {
        (api.wasm_module_exports)(module.get(), &mut types);
        (api.wasm_instance_exports)(instance.get(), &mut externs);
        let names: Vec<_> = types.elements().iter().map(|ty| name(&*(api.wasm_exporttype_name)(*ty))).collect();
        (api.wasm_exporttype_vec_delete)(&mut types);
        let mut exports = Exports::new();
        let count = externs.size;
        for (name, slot) in names.iter().zip(0..count) {
            let slot = &mut *externs.data.add(slot);
            let export = std::mem::replace(slot, std::ptr::null_mut());
            exports.insert(name.clone(), Own::new(export).map_err(Stop::Failed)?);
        }
        (api.wasm_extern_vec_delete)(&mut externs);
        if names.len() != count || exports.len() != count {
            return failed(format!("{count} exports with {} names", names.len()));
        }
        Ok(exports)
    }
}

/// # Safety
/// The vector's types are there.
unsafe fn kinds(types: *const wasm_valtype_vec_t) -> Vec<u8> {
    // SAFETY: as promised by the caller.
    unsafe { (*types).elements().iter().map(|ty| (api().wasm_valtype_kind)(*ty)).collect() }
}

fn trap_message(trap: &Own<wasm_trap_t>) -> String {
    let mut message = Vector::empty();
    // SAFETY: the vector is ours until it is deleted.
    unsafe {
        (api().wasm_trap_message)(trap.get(), &mut message);
        let text = String::from_utf8_lossy(message.elements().strip_suffix(&[0]).unwrap_or_default()).into_owned();
        (api().wasm_byte_vec_delete)(&mut message);
        text
    }
}

/// Room for a result, which holds no value: the library must not look at it before it has written it.
fn unwritten() -> wasm_val_t {
    val64(77, 0x7777_7777_7777_7777)
}
