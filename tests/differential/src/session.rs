//! A module's life on one engine, and a record of everything about it that can be seen.
//!
//! What the host does depends on nothing but the module and what has happened before, so two engines that agree so far
//! are asked the same next.

use crate::bridge;
use crate::generate::{FUEL, FUEL_PER_CALL, Numbers};
use crate::outline::{Outline, Type};
use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use wasmrt_c_api::*;

/// Something that happened; both engines should give the same ones, in the same order.
pub struct Event {
    /// One of a few words.
    pub kind: &'static str,
    pub text: String,
    /// A memory's contents.
    pub bytes: Vec<u8>,
}

/// A difference that is made on purpose, to see that it is found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Plant {
    HostResult,
    HostTrap,
    Argument,
    Memory,
    Global,
    Table,
}

impl Plant {
    pub const ALL: [(&str, Plant); 6] = [
        ("host-result", Plant::HostResult),
        ("host-trap", Plant::HostTrap),
        ("argument", Plant::Argument),
        ("memory", Plant::Memory),
        ("global", Plant::Global),
        ("table", Plant::Table),
    ];
}

/// Each export is called so many times, with other arguments.
const ROUNDS: u64 = 2;
/// A host function that has been called so often only traps: a module may call it in every turn of its loops.
const MAX_HOST_CALLS: u64 = 2000;
/// How deep the host calls the module back.
const MAX_DEPTH: u32 = 2;
/// Elements of a table that are looked at.
const MAX_ELEMENTS: u32 = 200;

/// The kind of error.
const UNSUPPORTED: u32 = 6;

struct Session {
    store: Own<wasm_store_t>,
    plant: Option<Plant>,
    foreigns: Vec<Own<wasm_foreign_t>>,
    imports: RefCell<Vec<Own<wasm_extern_t>>>,
    exports: RefCell<Exports>,
    events: RefCell<Vec<Event>>,
    host_calls: Cell<u64>,
    calls: Cell<u64>,
    depth: Cell<u32>,
}

/// What the module exports, by kind, in order. The vectors own what the others point to.
#[derive(Default)]
struct Exports {
    functions: Vec<Callable>,
    globals: Vec<Global>,
    tables: Vec<(String, *mut wasm_table_t, String)>,
    memories: Vec<(String, *mut wasm_memory_t, Vec<u8>)>,
    owners: Vec<ExternVector>,
}

struct ExternVector(wasm_extern_vec_t);

impl Drop for ExternVector {
    fn drop(&mut self) {
        // SAFETY: owned.
        unsafe { (api().wasm_extern_vec_delete)(&mut self.0) }
    }
}

#[derive(Clone)]
struct Callable {
    name: String,
    /// The export itself.
    reference: *mut wasm_ref_t,
    /// What is called: the export, or a bridge to it.
    func: *mut wasm_func_t,
    params: Vec<u8>,
    results: Vec<u8>,
}

struct Global {
    name: String,
    global: *mut wasm_global_t,
    kind: u8,
    /// What gives the value if it is a vector.
    reader: Option<*mut wasm_func_t>,
    last: String,
}

/// The environment of a host function.
struct HostFunction {
    session: *const Session,
    index: usize,
    results: Vec<u8>,
}

/// Runs a module. An error is one of this program, or of the library where no module is involved.
pub fn run(engine: *mut wasm_engine_t, wasm: &[u8], plant: Option<Plant>) -> Result<Vec<Event>, String> {
    let outline = Outline::read(wasm)?;
    let api = api();
    // SAFETY: the engine is alive; what is owned is taken by an Own.
    let session = unsafe {
        let store = Own::new((api.wasm_store_new)(engine))?;
        // Fails where the engine counts none.
        (api.wasmrt_store_set_fuel)(store.get(), u64::MAX);
        let foreigns = (0..3).map(|_| Own::new((api.wasm_foreign_new)(store.get()))).collect::<Result<_, _>>()?;
        Box::new(Session {
            store,
            plant,
            foreigns,
            imports: RefCell::default(),
            exports: RefCell::default(),
            events: RefCell::default(),
            host_calls: Cell::new(0),
            calls: Cell::new(0),
            depth: Cell::new(0),
        })
    };
    session.live(wasm, &outline)?;
    Ok(session.events.take())
}

impl Session {
    fn record(&self, kind: &'static str, text: String) {
        self.events.borrow_mut().push(Event { kind, text, bytes: Vec::new() });
    }

    fn live(&self, wasm: &[u8], outline: &Outline) -> Result<(), String> {
        let module = match self.compile(wasm) {
            Ok(module) => module,
            Err(message) => {
                self.record("refused", format!("the module is refused: {message}"));
                return Ok(());
            }
        };
        self.reflect(&module);
        let instance = match self.instantiate(&module, outline) {
            Ok(Some(instance)) => instance,
            Ok(None) => return Ok(()),
            // Engines that are loaded do not have everything for the host.
            Err(message) if last_error().0 == UNSUPPORTED => {
                self.record("refused", format!("an import is refused: {message}"));
                return Ok(());
            }
            Err(message) => return Err(message),
        };
        self.take_exports(&instance, outline)?;
        self.observe();
        let functions = self.exports.borrow().functions.len();
        for round in 0..ROUNDS {
            for position in 0..functions {
                let mut numbers = Numbers(round << 32 | position as u64);
                self.refuel();
                self.call(position, &mut numbers).inspect(|trap| self.record("trap", trap_text(trap)));
                self.plant_in_state();
                self.observe();
                if round > 0 {
                    self.change(&mut numbers);
                    self.observe();
                }
            }
        }
        Ok(())
    }

    fn compile(&self, wasm: &[u8]) -> Result<Own<wasm_module_t>, String> {
        let bytes = wasm_byte_vec_t { size: wasm.len(), data: wasm.as_ptr().cast_mut() };
        // SAFETY: the bytes are only read; the module is owned.
        unsafe { Own::new((api().wasm_module_new)(self.store.get(), &bytes)) }
    }

    /// What the library says of the module's imports and exports.
    fn reflect(&self, module: &Own<wasm_module_t>) {
        let api = api();
        let (mut imports, mut exports) = (Vector::empty(), Vector::empty());
        // SAFETY: the vectors and all that is in them live until they are deleted.
        unsafe {
            (api.wasm_module_imports)(module.get(), &mut imports);
            for import in imports.elements() {
                let (module, name) = ((api.wasm_importtype_module)(*import), (api.wasm_importtype_name)(*import));
                let ty = describe_type((api.wasm_importtype_type)(*import));
                self.record("import", format!("import {:?} {:?}: {ty}", string(module), string(name)));
            }
            (api.wasm_importtype_vec_delete)(&mut imports);
            (api.wasm_module_exports)(module.get(), &mut exports);
            for export in exports.elements() {
                let name = string((api.wasm_exporttype_name)(*export));
                self.record(
                    "export",
                    format!("export {name:?}: {}", describe_type((api.wasm_exporttype_type)(*export))),
                );
            }
            (api.wasm_exporttype_vec_delete)(&mut exports);
        }
    }

    /// Instantiates the module with imports made for it; `None` if it traps.
    fn instantiate(
        &self,
        module: &Own<wasm_module_t>,
        outline: &Outline,
    ) -> Result<Option<Own<wasm_instance_t>>, String> {
        let api = api();
        let provided = match bridge::provider(outline).map_err(|error| error.to_string())? {
            None => Vec::new(),
            Some(wasm) => {
                let provider = self.compile(&wasm)?;
                let functions = outline.imports.iter().enumerate();
                let functions = functions.filter(|(_, ty)| ty.is_beyond_c() && matches!(ty, Type::Func(_)));
                let imports = self.make_imports(&provider, &functions.map(|(index, _)| index).collect::<Vec<_>>())?;
                let instance = self.link(&provider, &imports).map_err(|trap| trap_text(&trap))?;
                self.imports.borrow_mut().extend(imports);
                let mut exports = ExternVector(Vector::empty());
                // SAFETY: as above.
                unsafe {
                    (api.wasm_instance_exports)(instance.get(), &mut exports.0);
                    let provided = exports.0.elements().to_vec();
                    self.exports.borrow_mut().owners.push(exports);
                    provided
                }
            }
        };
        let mut provided = provided.into_iter();
        let plain: Vec<_> = (0..outline.imports.len()).filter(|index| !outline.imports[*index].is_beyond_c()).collect();
        let mut made = self.make_plain_imports(module, &plain)?.into_iter();
        let mut imports = Vec::new();
        for ty in &outline.imports {
            imports.push(if ty.is_beyond_c() {
                provided.next().ok_or("the provider lacks an export")?
            } else {
                let import = made.next().ok_or("an import has not been made")?;
                let pointer = import.get();
                self.imports.borrow_mut().push(import);
                pointer
            });
        }
        match self.link_all(module, &mut imports) {
            Ok(instance) => {
                self.record("instance", "instantiated".to_string());
                Ok(Some(instance))
            }
            Err(trap) => {
                self.record("instantiation trap", trap_text(&trap));
                Ok(None)
            }
        }
    }

    fn link(
        &self,
        module: &Own<wasm_module_t>,
        imports: &[Own<wasm_extern_t>],
    ) -> Result<Own<wasm_instance_t>, Own<wasm_trap_t>> {
        self.link_all(module, &mut imports.iter().map(Own::get).collect::<Vec<_>>())
    }

    fn link_all(
        &self,
        module: &Own<wasm_module_t>,
        imports: &mut [*mut wasm_extern_t],
    ) -> Result<Own<wasm_instance_t>, Own<wasm_trap_t>> {
        let mut trap = std::ptr::null_mut();
        // SAFETY: all are alive; instance and trap are owned, one of them is there.
        unsafe {
            let imports = Vector::of(imports);
            let instance = (api().wasm_instance_new)(self.store.get(), module.get(), &imports, &mut trap);
            Own::new(instance).map_err(|_| Own::new(trap).expect("no instance, so there is a trap"))
        }
    }

    /// Host functions for all imports of a bridge; `indices` are the module's imports that they stand for.
    fn make_imports(&self, module: &Own<wasm_module_t>, indices: &[usize]) -> Result<Vec<Own<wasm_extern_t>>, String> {
        self.make(module, |position| indices.get(position).copied())
    }

    /// What the module wants to import at these positions.
    fn make_plain_imports(
        &self,
        module: &Own<wasm_module_t>,
        indices: &[usize],
    ) -> Result<Vec<Own<wasm_extern_t>>, String> {
        self.make(module, |position| indices.contains(&position).then_some(position))
    }

    fn make(
        &self,
        module: &Own<wasm_module_t>,
        index_of: impl Fn(usize) -> Option<usize>,
    ) -> Result<Vec<Own<wasm_extern_t>>, String> {
        let api = api();
        let mut wanted = Vector::empty();
        // SAFETY: the vector lives until it is deleted; `make_one` gets types in it.
        unsafe {
            (api.wasm_module_imports)(module.get(), &mut wanted);
            let made = wanted.elements().iter().enumerate().filter_map(|(position, import)| {
                Some(self.make_one(index_of(position)?, (api.wasm_importtype_type)(*import)))
            });
            let made = made.collect();
            (api.wasm_importtype_vec_delete)(&mut wanted);
            made
        }
    }

    /// # Safety
    /// The type is alive.
    unsafe fn make_one(&self, index: usize, ty: *const wasm_externtype_t) -> Result<Own<wasm_extern_t>, String> {
        let api = api();
        let mut numbers = Numbers(index as u64);
        // SAFETY: types are borrowed from `ty`; each cast is to the kind that it is; a view owns what it is a view of.
        unsafe {
            Own::new(match (api.wasm_externtype_kind)(ty) {
                WASM_EXTERN_FUNC => {
                    let ty = (api.wasm_externtype_as_functype_const)(ty);
                    let results = kinds((api.wasm_functype_results)(ty));
                    let env = Box::into_raw(Box::new(HostFunction { session: self, index, results }));
                    let store = self.store.get();
                    (api.wasm_func_as_extern)((api.wasm_func_new_with_env)(
                        store,
                        ty,
                        call_host,
                        env.cast(),
                        Some(drop_host),
                    ))
                }
                WASM_EXTERN_GLOBAL => {
                    let ty = (api.wasm_externtype_as_globaltype_const)(ty);
                    let kind = (api.wasm_valtype_kind)((api.wasm_globaltype_content)(ty));
                    let value = Val(self.value(kind, &mut numbers));
                    (api.wasm_global_as_extern)((api.wasm_global_new)(self.store.get(), ty, &value.0))
                }
                WASM_EXTERN_TABLE => {
                    let ty = (api.wasm_externtype_as_tabletype_const)(ty);
                    let kind = (api.wasm_valtype_kind)((api.wasm_tabletype_element)(ty));
                    let value = Val(self.value(kind, &mut numbers));
                    (api.wasm_table_as_extern)((api.wasm_table_new)(self.store.get(), ty, value.reference()))
                }
                _ => {
                    let ty = (api.wasm_externtype_as_memorytype_const)(ty);
                    (api.wasm_memory_as_extern)((api.wasm_memory_new)(self.store.get(), ty))
                }
            })
        }
    }

    fn take_exports(&self, instance: &Own<wasm_instance_t>, outline: &Outline) -> Result<(), String> {
        let api = api();
        // SAFETY: each cast is to the kind that it is; what the vectors own stays in `owners`.
        unsafe {
            let mut exports = ExternVector(Vector::empty());
            (api.wasm_instance_exports)(instance.get(), &mut exports.0);
            let mut readers = ExternVector(Vector::empty());
            if let Some(wasm) = bridge::reader(outline).map_err(|error| error.to_string())? {
                let pairs = exports.0.elements().iter().zip(&outline.exports);
                let mut vectors: Vec<_> =
                    pairs.filter(|(_, (_, ty))| bridge::has_vectors(ty)).map(|(export, _)| *export).collect();
                let reader = self.compile(&wasm)?;
                let reader = self.link_all(&reader, &mut vectors).map_err(|trap| trap_text(&trap))?;
                (api.wasm_instance_exports)(reader.get(), &mut readers.0);
            }
            let mut next_reader = readers.0.elements().iter().map(|reader| (api.wasm_extern_as_func)(*reader));
            let mut all = self.exports.borrow_mut();
            for (export, (name, ty)) in exports.0.elements().iter().zip(&outline.exports) {
                let (export, name) = (*export, name.clone());
                let reader = if bridge::has_vectors(ty) { next_reader.next() } else { None };
                match (api.wasm_extern_kind)(export) {
                    WASM_EXTERN_FUNC => {
                        let func = reader.unwrap_or((api.wasm_extern_as_func)(export));
                        let ty = Own::new((api.wasm_func_type)(func))?;
                        let params = kinds((api.wasm_functype_params)(ty.get()));
                        let results = kinds((api.wasm_functype_results)(ty.get()));
                        let reference = (api.wasm_extern_as_ref)(export);
                        all.functions.push(Callable { name, reference, func, params, results });
                    }
                    WASM_EXTERN_GLOBAL => {
                        let global = (api.wasm_extern_as_global)(export);
                        let ty = Own::new((api.wasm_global_type)(global))?;
                        let kind = (api.wasm_valtype_kind)((api.wasm_globaltype_content)(ty.get()));
                        all.globals.push(Global { name, global, kind, reader, last: String::new() });
                    }
                    WASM_EXTERN_TABLE => all.tables.push((name, (api.wasm_extern_as_table)(export), String::new())),
                    _ => all.memories.push((name, (api.wasm_extern_as_memory)(export), Vec::new())),
                }
            }
            drop(next_reader);
            all.owners.extend([exports, readers]);
        }
        Ok(())
    }

    fn refuel(&self) {
        for global in self.exports.borrow().globals.iter().filter(|global| global.name == FUEL) {
            let value = number(WASM_I32, FUEL_PER_CALL.into());
            // SAFETY: the global is alive.
            unsafe { (api().wasm_global_set)(global.global, &value) };
        }
    }

    /// Calls an exported function. The trap is not recorded.
    fn call(&self, position: usize, numbers: &mut Numbers) -> Option<Own<wasm_trap_t>> {
        let function = self.exports.borrow().functions[position].clone();
        let mut args: Vec<_> = function.params.iter().map(|kind| Val(self.value(*kind, numbers))).collect();
        let text = self.describe_all(&args);
        self.record("call", format!("call {:?} ({text})", function.name));
        self.calls.set(self.calls.get() + 1);
        if self.plant == Some(Plant::Argument)
            && self.calls.get() == 2
            && let Some(value) = args.iter_mut().find(|value| value.0.kind < WASM_F32)
        {
            value.0 = number(value.0.kind, value.bits() ^ 1);
        }
        let mut raw: Vec<_> = args.iter().map(|value| value.0).collect();
        let mut results = vec![number(WASM_I32, 0); function.results.len()];
        // SAFETY: arguments are borrowed, results are owned once they are written.
        unsafe {
            let mut results = Vector::of(&mut results);
            let trap = (api().wasm_func_call)(function.func, &Vector::of(&mut raw), &mut results);
            if let Ok(trap) = Own::new(trap) {
                return Some(trap);
            }
        }
        let results: Vec<_> = results.into_iter().map(Val).collect();
        self.record("results", format!("results ({})", self.describe_all(&results)));
        None
    }

    /// The host does something to what the module exports.
    fn change(&self, numbers: &mut Numbers) {
        let api = api();
        let exports = self.exports.borrow();
        let (memories, tables, globals) = (&exports.memories, &exports.tables, &exports.globals);
        let amount = numbers.below(3) as u32;
        // SAFETY: all are alive; bytes are written within bounds.
        unsafe {
            match numbers.below(6) {
                0 if !memories.is_empty() => {
                    let (name, memory, _) = &memories[numbers.below(memories.len())];
                    let grown = (api.wasm_memory_grow)(*memory, amount);
                    self.record("change", format!("memory {name:?} grows by {amount} pages: {grown}"));
                }
                1 if !memories.is_empty() => {
                    let (_, memory, _) = &memories[numbers.below(memories.len())];
                    let size = (api.wasm_memory_data_size)(*memory);
                    if size > 0 {
                        *(api.wasm_memory_data)(*memory).add(numbers.below(size)) = numbers.next() as u8;
                    }
                }
                2 | 3 if !tables.is_empty() => {
                    let (name, table, _) = &tables[numbers.below(tables.len())];
                    let Ok(ty) = Own::new((api.wasm_table_type)(*table)) else { return };
                    let kind = (api.wasm_valtype_kind)((api.wasm_tabletype_element)(ty.get()));
                    let value = Val(self.value(kind, numbers));
                    let text = self.describe(&value);
                    if numbers.below(2) == 0 {
                        let grown = (api.wasm_table_grow)(*table, amount, value.reference());
                        self.record("change", format!("table {name:?} grows by {amount} with {text}: {grown}"));
                    } else {
                        let place = numbers.below((api.wasm_table_size)(*table) as usize + 2) as u32;
                        let set = (api.wasm_table_set)(*table, place, value.reference());
                        self.record("change", format!("table {name:?} at {place} becomes {text}: {set}"));
                    }
                }
                4 | 5 if !globals.is_empty() => {
                    let global = &globals[numbers.below(globals.len())];
                    if global.name != FUEL && global.kind != WASMRT_V128 {
                        let value = Val(self.value(global.kind, numbers));
                        (api.wasmrt_last_error_clear)();
                        (api.wasm_global_set)(global.global, &value.0);
                        let (text, error) = (self.describe(&value), last_error().0);
                        self.record("change", format!("global {:?} becomes {text}: error {error}", global.name));
                    }
                }
                _ => {}
            }
        }
    }

    /// Records what exported globals, tables and memories hold, where that has changed.
    fn observe(&self) {
        let api = api();
        let mut exports = std::mem::take(&mut *self.exports.borrow_mut());
        let mut texts = Vec::new();
        // References are named by the exports.
        let mut observe = |kind, last: &mut String, text: String| {
            if text != *last {
                *last = text.clone();
                texts.push((kind, text));
            }
        };
        // SAFETY: all are alive; what is handed out is owned by a Val.
        unsafe {
            for global in &mut exports.globals {
                let mut values = [number(WASM_I64, 0); 2];
                let count = match global.reader {
                    None => {
                        (api.wasm_global_get)(global.global, &mut values[0]);
                        1
                    }
                    Some(reader) => {
                        let trap = (api.wasm_func_call)(reader, &Vector::empty(), &mut Vector::of(&mut values));
                        assert!(trap.is_null(), "reading a global does not trap");
                        2
                    }
                };
                let values: Vec<_> = values.into_iter().take(count).map(Val).collect();
                let values: Vec<_> =
                    values.iter().map(|value| describe(value, &exports.functions, &self.foreigns)).collect();
                observe("global", &mut global.last, format!("global {:?} is {}", global.name, values.join(" ")));
            }
            for (name, table, last) in &mut exports.tables {
                let size = (api.wasm_table_size)(*table);
                let elements = (0..size.min(MAX_ELEMENTS)).map(|place| {
                    let reference = (api.wasm_table_get)(*table, place);
                    describe(&Val(reference_value(WASM_FUNCREF, reference)), &exports.functions, &self.foreigns)
                });
                let elements = elements.collect::<Vec<_>>().join(" ");
                observe("table", last, format!("table {name:?} has {size} elements: {elements}"));
            }
        }
        for (kind, text) in texts {
            self.record(kind, text);
        }
        for (name, memory, last) in &mut exports.memories {
            // SAFETY: the contents are there until the memory grows.
            let bytes = unsafe {
                let size = (api.wasm_memory_data_size)(*memory);
                Vector { size, data: (api.wasm_memory_data)(*memory) }.elements().to_vec()
            };
            if bytes != *last {
                // SAFETY: alive.
                let pages = unsafe { (api.wasm_memory_size)(*memory) };
                let text = format!("memory {name:?} of {pages} pages, {} bytes, has changed", bytes.len());
                self.events.borrow_mut().push(Event { kind: "memory", text, bytes: bytes.clone() });
                *last = bytes;
            }
        }
        self.exports.replace(exports);
    }

    fn plant_in_state(&self) {
        if self.calls.get() != 2 {
            return;
        }
        let (api, exports) = (api(), self.exports.borrow());
        // SAFETY: all are alive; the byte is within bounds.
        unsafe {
            match self.plant {
                Some(Plant::Memory) => {
                    let all = exports.memories.iter().map(|(_, memory, _)| *memory);
                    if let Some(memory) = all.into_iter().find(|memory| (api.wasm_memory_data_size)(*memory) > 0) {
                        let last = (api.wasm_memory_data)(memory).add((api.wasm_memory_data_size)(memory) - 1);
                        *last ^= 1;
                    }
                }
                Some(Plant::Global) => {
                    if let Some(global) = exports.globals.iter().find(|global| global.kind == WASM_I64) {
                        let mut value = number(WASM_I64, 0);
                        (api.wasm_global_get)(global.global, &mut value);
                        value.of.bits64 ^= 1;
                        (api.wasm_global_set)(global.global, &value);
                    }
                }
                Some(Plant::Table) => {
                    if let Some((_, table, _)) = exports.tables.first() {
                        (api.wasm_table_grow)(*table, 1, std::ptr::null_mut());
                    }
                }
                _ => {}
            }
        }
    }

    /// A value for the module, owned.
    fn value(&self, kind: u8, numbers: &mut Numbers) -> wasm_val_t {
        let api = api();
        let copy = |reference: *mut wasm_ref_t| {
            // SAFETY: alive.
            reference_value(kind, unsafe { (api.wasm_ref_copy)(reference) })
        };
        let wide = kind == WASM_I64 || kind == WASM_F64;
        match kind {
            WASM_I32 | WASM_I64 => {
                let bits = match numbers.below(4) {
                    0 => numbers.next(),
                    1 => numbers.next() % 256,
                    2 => 1 << numbers.below(64),
                    _ => [0, 1, u64::MAX, i64::MAX as u64, i32::MAX as u64, u32::MAX.into()][numbers.below(6)],
                };
                number(kind, bits)
            }
            WASM_F32 | WASM_F64 => {
                let value =
                    [0.0, -0.0, 1.0, -1.5, 1e9, -1e19, 3e38, 1e-40, f64::INFINITY, f64::NAN, 0.1][numbers.below(11)];
                number(kind, if wide { value.to_bits() } else { (value as f32).to_bits().into() })
            }
            WASM_EXTERNREF => match numbers.below(self.foreigns.len() + 1) {
                0 => reference_value(kind, std::ptr::null_mut()),
                // SAFETY: alive.
                index => copy(unsafe { (api.wasm_foreign_as_ref)(self.foreigns[index - 1].get()) }),
            },
            _ => {
                let exports = self.exports.borrow();
                match numbers.below(exports.functions.len() + 1) {
                    0 => reference_value(kind, std::ptr::null_mut()),
                    index => copy(exports.functions[index - 1].reference),
                }
            }
        }
    }

    fn describe(&self, value: &Val) -> String {
        describe(value, &self.exports.borrow().functions, &self.foreigns)
    }

    fn describe_all(&self, values: &[Val]) -> String {
        values.iter().map(|value| self.describe(value)).collect::<Vec<_>>().join(", ")
    }

    fn host_trap(&self, text: &str) -> *mut wasm_trap_t {
        let message = format!("{text}\0");
        let message = wasm_byte_vec_t { size: message.len(), data: message.as_ptr().cast_mut() };
        // SAFETY: the message is only read.
        unsafe { (api().wasm_trap_new)(self.store.get(), &message) }
    }
}

unsafe extern "C" fn drop_host(env: *mut c_void) {
    // SAFETY: made by `make_one`, and this comes once.
    drop(unsafe { Box::from_raw(env.cast::<HostFunction>()) });
}

unsafe extern "C" fn call_host(
    env: *mut c_void,
    args: *const wasm_val_vec_t,
    results: *mut wasm_val_vec_t,
) -> *mut wasm_trap_t {
    // SAFETY: the session outlives all calls; arguments are borrowed, so their Vals are not dropped.
    let (function, session, args) = unsafe {
        let function = &*env.cast::<HostFunction>();
        let args = (*args).elements().iter().map(|value| std::mem::ManuallyDrop::new(Val(*value)));
        (function, &*function.session, args.collect::<Vec<_>>())
    };
    let index = function.index;
    let count = session.host_calls.get() + 1;
    session.host_calls.set(count);
    let text = args.iter().map(|value| session.describe(value)).collect::<Vec<_>>().join(", ");
    session.record("host call", format!("host function {index} ({text})"));
    let mut numbers = Numbers((index as u64) << 32 | count);
    let planted = |plant| session.plant == Some(plant) && count == 2;
    if count > MAX_HOST_CALLS {
        return session.host_trap("the host has been called too often");
    }
    match numbers.below(16) {
        0 if planted(Plant::HostTrap) => return session.host_trap("the host traps otherwise"),
        0 => return session.host_trap(&format!("the host traps in call {count}")),
        1 | 2 => session.change(&mut numbers),
        3 if session.depth.get() < MAX_DEPTH => {
            let callable = session.exports.borrow().functions.len();
            if callable > 0 {
                session.depth.set(session.depth.get() + 1);
                let trap = session.call(numbers.below(callable), &mut numbers);
                session.depth.set(session.depth.get() - 1);
                if let Some(trap) = trap {
                    session.record("trap", trap_text(&trap));
                    if numbers.below(2) == 0 {
                        return trap.give();
                    }
                }
            }
        }
        _ => {}
    }
    if planted(Plant::HostTrap) {
        return session.host_trap("the host traps");
    }
    let mut values: Vec<_> = function.results.iter().map(|kind| Val(session.value(*kind, &mut numbers))).collect();
    session.record("host results", format!("host results ({})", session.describe_all(&values)));
    if planted(Plant::HostResult)
        && let Some(value) = values.iter_mut().find(|value| value.0.kind < WASM_EXTERNREF)
    {
        value.0 = number(value.0.kind, value.bits() ^ 1);
    }
    for (position, value) in values.into_iter().enumerate() {
        // SAFETY: there is a place for each result, which takes the value over.
        unsafe { *(*results).data.add(position) = std::mem::ManuallyDrop::new(value).0 };
    }
    std::ptr::null_mut()
}

/// A value that is released when it is dropped.
struct Val(wasm_val_t);

impl Drop for Val {
    fn drop(&mut self) {
        // SAFETY: owned.
        unsafe { (api().wasm_val_delete)(&mut self.0) }
    }
}

impl Val {
    fn bits(&self) -> u64 {
        // SAFETY: plain bits; of 32-bit values the lower half counts, and is what the library writes.
        unsafe {
            match self.0.kind {
                WASM_I32 | WASM_F32 => self.0.of.bits32.into(),
                _ => self.0.of.bits64,
            }
        }
    }

    /// NULL for what is no reference.
    fn reference(&self) -> *mut wasm_ref_t {
        // SAFETY: as the kind says.
        if self.0.kind >= WASM_EXTERNREF { unsafe { self.0.of.reference } } else { std::ptr::null_mut() }
    }
}

fn number(kind: u8, bits: u64) -> wasm_val_t {
    let bits = if kind == WASM_I32 || kind == WASM_F32 { bits & 0xffff_ffff } else { bits };
    wasm_val_t { kind, of: wasm_val_union { bits64: bits } }
}

fn reference_value(kind: u8, reference: *mut wasm_ref_t) -> wasm_val_t {
    wasm_val_t { kind, of: wasm_val_union { reference } }
}

fn describe(value: &Val, functions: &[Callable], foreigns: &[Own<wasm_foreign_t>]) -> String {
    let bits = value.bits();
    match value.0.kind {
        WASM_I32 => format!("i32 {:#x}", bits),
        WASM_I64 => format!("i64 {bits:#x}"),
        WASM_F32 => format!("f32 {bits:#x} = {}", f32::from_bits(bits as u32)),
        WASM_F64 => format!("f64 {bits:#x} = {}", f64::from_bits(bits)),
        kind if kind < WASM_EXTERNREF => format!("a value of kind {kind}"),
        _ if value.reference().is_null() => "null".to_string(),
        _ => {
            let api = api();
            // SAFETY: all references are alive.
            let is = |other| unsafe { (api.wasm_ref_same)(value.reference(), other) };
            // SAFETY: as above.
            let foreign = |foreign: &Own<_>| is(unsafe { (api.wasm_foreign_as_ref)(foreign.get()) });
            if let Some(index) = foreigns.iter().position(foreign) {
                format!("object {index}")
            } else if let Some(function) = functions.iter().find(|function| is(function.reference)) {
                format!("function {:?}", function.name)
            } else {
                "another reference".to_string()
            }
        }
    }
}

/// # Safety
/// The type is alive.
unsafe fn describe_type(ty: *const wasm_externtype_t) -> String {
    let api = api();
    // SAFETY: each cast is to the kind that it is; what is borrowed lives as long as the type.
    unsafe {
        let limits = |limits: *const wasm_limits_t| format!("{}..{}", (*limits).min, (*limits).max);
        match (api.wasm_externtype_kind)(ty) {
            WASM_EXTERN_FUNC => {
                let ty = (api.wasm_externtype_as_functype_const)(ty);
                let (params, results) = ((api.wasm_functype_params)(ty), (api.wasm_functype_results)(ty));
                format!("function {:?} -> {:?}", kinds(params), kinds(results))
            }
            WASM_EXTERN_GLOBAL => {
                let ty = (api.wasm_externtype_as_globaltype_const)(ty);
                let kind = (api.wasm_valtype_kind)((api.wasm_globaltype_content)(ty));
                format!("global {kind}, mutability {}", (api.wasm_globaltype_mutability)(ty))
            }
            WASM_EXTERN_TABLE => {
                let ty = (api.wasm_externtype_as_tabletype_const)(ty);
                let kind = (api.wasm_valtype_kind)((api.wasm_tabletype_element)(ty));
                format!("table {kind}, {}", limits((api.wasm_tabletype_limits)(ty)))
            }
            WASM_EXTERN_MEMORY => {
                let ty = (api.wasm_externtype_as_memorytype_const)(ty);
                format!("memory {}", limits((api.wasm_memorytype_limits)(ty)))
            }
            kind => format!("extern of kind {kind}"),
        }
    }
}

/// # Safety
/// The vector is alive.
unsafe fn kinds(types: *const wasm_valtype_vec_t) -> Vec<u8> {
    // SAFETY: as promised by the caller.
    unsafe { (*types).elements().iter().map(|ty| (api().wasm_valtype_kind)(*ty)).collect() }
}

/// # Safety
/// The vector is alive.
unsafe fn string(bytes: *const wasm_byte_vec_t) -> String {
    // SAFETY: as promised by the caller.
    String::from_utf8_lossy(unsafe { (*bytes).elements() }).into_owned()
}

fn trap_text(trap: &Own<wasm_trap_t>) -> String {
    let mut message = Vector::empty();
    // SAFETY: the message is owned, and deleted here.
    unsafe {
        (api().wasm_trap_message)(trap.get(), &mut message);
        let text = string(&message);
        (api().wasm_byte_vec_delete)(&mut message);
        format!("trap: {}", text.trim_end_matches('\0'))
    }
}
