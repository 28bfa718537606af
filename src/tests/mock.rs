//! A backend for tests: a small engine in plain Rust, without unsafe tricks of its own. If a test with it fails, the
//! runtime or the C layer is at fault; and tools that see only Rust (Miri, sanitizers) see everything.
//!
//! It interprets constants, locals, globals, tables, memories, calls and simple loops. That is enough for objects,
//! references, re-entrancy and batches. It has no blocks, and hardly any arithmetic.

use crate::backend::common::{Arguments, HostObject, Owner};
use crate::runtime::base::error::{Error, ErrorKind, Result};
use crate::runtime::base::options::{Options, Proposal, Setting};
use crate::runtime::base::trap_code::TrapCode;
use crate::runtime::base::types::{ExternKind, FuncType, GlobalType, Limits, MemoryType, TableType, ValKind, ValType};
use crate::runtime::binary::artifact;
use crate::runtime::binary::declarations::Declarations;
use crate::runtime::core::engine_traits::{
    Backend, CallNumeric, Engine, Entity, Failure, FuncKey, Module, Prepared, RawFrame, Store,
};
use crate::runtime::core::entry::{Entry, RawEntry, engine_entry, enter_raw_engine};
use crate::runtime::core::func::{Func as FuncObject, invoke_host};
use crate::runtime::core::object::{Body, ExternPayload, Handle, Object, Retained, Typed};
use crate::runtime::core::store::Store as RuntimeStore;
use crate::runtime::core::value::{Val, with_room};
use std::any::Any;
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::Arc;
use wasmparser::{
    BinaryReader, CompositeInnerType, ConstExpr, DataKind, ElementItems, ElementKind, FunctionBody, Operator,
    OperatorsReader, Parser, Payload, TableInit,
};

pub struct Mock;

const PAGE: usize = 65_536;

/// A memory that cannot grow beyond this many pages gets all of its room at once and never moves.
const RESERVED_PAGES: u64 = 4;

/// The number of nested calls at which the stack counts as exhausted.
const MAX_DEPTH: u32 = 50;

impl Backend for Mock {
    fn name(&self) -> &'static CStr {
        c"mock"
    }
    fn version(&self) -> &'static CStr {
        c"0"
    }
    fn has(&self, _proposal: Proposal) -> bool {
        false
    }
    fn can(&self, _setting: Setting) -> bool {
        false
    }
    fn new_engine(&self, _options: &Options) -> Result<Box<dyn Engine>> {
        Ok(Box::new(Mock))
    }
}

impl Engine for Mock {
    fn settings(&self) -> String {
        "none".to_string()
    }
    fn compile(&self, wasm: &[u8]) -> Result<Box<dyn Module>> {
        self.validate(wasm)?;
        Ok(Box::new(MockModule(wasm.into())))
    }
    fn validate(&self, wasm: &[u8]) -> Result<()> {
        Declarations::parse(wasm).map(drop)
    }
    unsafe fn deserialize(&self, _image: &[u8], rest: &[u8]) -> Result<Box<dyn Module>> {
        self.compile(rest)
    }
    unsafe fn new_store(&self, owner: NonNull<RuntimeStore>) -> Result<Box<dyn Store>> {
        Ok(Box::new(MockStore { owner: Owner(owner), things: RefCell::default(), depth: Cell::new(0) }))
    }
}

struct MockModule(Arc<[u8]>);

fn identity(wasm: &Arc<[u8]>) -> usize {
    wasm.as_ptr().addr()
}

impl Module for MockModule {
    fn serialize(&self) -> Result<artifact::Payload<'_>> {
        Ok(artifact::Payload { image: Cow::Borrowed(&[]), rest: Cow::Borrowed(&self.0) })
    }
    fn code_bytes(&self) -> usize {
        self.0.len()
    }
    fn identity(&self) -> usize {
        identity(&self.0)
    }
}

struct MockStore {
    owner: Owner,
    things: RefCell<Things>,
    depth: Cell<u32>,
}

/// Entities are positions in these lists.
#[derive(Default)]
struct Things {
    funcs: Vec<Rc<Func>>,
    globals: Vec<Value>,
    tables: Vec<Table>,
    memories: Vec<Memory>,
    instances: Vec<Rc<Instance>>,
}

struct Func {
    ty: FuncType,
    code: Code,
}

enum Code {
    Host(HostObject),
    Wasm { instance: usize, index: u32, body: RefCell<Range<usize>> },
}

struct Table {
    elements: Vec<Value>,
    limits: Limits,
    kind: ValKind,
}

struct Memory {
    bytes: Vec<u8>,
    limits: Limits,
}

/// The index spaces of an instance.
struct Instance {
    wasm: Arc<[u8]>,
    types: Vec<FuncType>,
    funcs: Vec<usize>,
    globals: Vec<usize>,
    tables: Vec<usize>,
    memories: Vec<usize>,
}

impl Instance {
    fn new(wasm: &Arc<[u8]>) -> Instance {
        let wasm = wasm.clone();
        let (types, funcs, globals) = (Vec::new(), Vec::new(), Vec::new());
        Instance { wasm, types, funcs, globals, tables: Vec::new(), memories: Vec::new() }
    }
}

/// A value of WebAssembly. External references share their payload, as in an engine with garbage collection.
#[derive(Clone)]
enum Value {
    Number(u64),
    Func(Option<usize>),
    Extern(Option<Rc<ExternPayload>>),
}

impl Value {
    fn zero(kind: ValKind) -> Value {
        match kind {
            ValKind::FuncRef => Value::Func(None),
            ValKind::ExternRef => Value::Extern(None),
            _ => Value::Number(0),
        }
    }

    fn number(&self) -> u64 {
        match self {
            Value::Number(bits) => *bits,
            _ => panic!("expected a number"),
        }
    }
}

fn position(entity: &Entity) -> usize {
    // SAFETY: this backend makes all of its entities from a `usize`.
    unsafe { entity.get() }
}

fn val_kind(ty: wasmparser::ValType) -> ValKind {
    match ty {
        wasmparser::ValType::I32 => ValKind::I32,
        wasmparser::ValType::I64 => ValKind::I64,
        wasmparser::ValType::F32 => ValKind::F32,
        wasmparser::ValType::F64 => ValKind::F64,
        wasmparser::ValType::V128 => ValKind::V128,
        wasmparser::ValType::Ref(ty) if ty.is_extern_ref() => ValKind::ExternRef,
        wasmparser::ValType::Ref(_) => ValKind::FuncRef,
    }
}

fn malformed(error: wasmparser::BinaryReaderError) -> Box<Failure> {
    Failure::Error(Error::new(ErrorKind::Compile, error.message())).into()
}

fn limit(message: &str) -> Error {
    Error::new(ErrorKind::Limit, message)
}

/// Returns a trap without frames, which are added on the way out.
fn trap(code: TrapCode) -> Box<Failure> {
    Failure::Trap(code, Vec::new()).into()
}

impl Table {
    fn grow(&mut self, delta: u64, init: &Value) -> Result<()> {
        let size = self.elements.len() + usize::try_from(delta).map_err(|_| limit("too many elements"))?;
        if self.limits.max().is_some_and(|max| size as u64 > max) {
            return Err(limit("the table has reached its maximum"));
        }
        self.elements.resize(size, init.clone());
        Ok(())
    }
}

impl Memory {
    fn new(limits: Limits) -> Memory {
        let mut bytes = Vec::new();
        if let Some(max) = limits.max().filter(|max| *max <= RESERVED_PAGES) {
            bytes.reserve_exact(max as usize * PAGE);
        }
        bytes.resize(limits.min() as usize * PAGE, 0);
        Memory { bytes, limits }
    }

    fn grow(&mut self, delta: u64) -> Result<u64> {
        let former = (self.bytes.len() / PAGE) as u64;
        let pages = former.saturating_add(delta);
        if pages > self.limits.max().unwrap_or(16) {
            return Err(limit("the memory has reached its maximum"));
        }
        self.bytes.resize(pages as usize * PAGE, 0);
        Ok(former)
    }
}

impl MockStore {
    fn value(&self, kind: ValKind, value: &Val) -> Value {
        if !kind.is_reference() {
            // SAFETY: the runtime has checked that the value is of this kind.
            return Value::Number(unsafe { value.bits(false) });
        }
        // SAFETY: the runtime has checked that the value holds null or a live handle.
        self.reference(kind, unsafe { value.reference() })
    }

    fn reference(&self, kind: ValKind, object: Option<&Object>) -> Value {
        match kind {
            ValKind::FuncRef => {
                let func = object.map(|object| Typed::of(object, Object::as_func).expect("a function").in_engine());
                Value::Func(func.map(|entity| position(&entity)))
            }
            _ => Value::Extern(object.map(|object| Rc::new(ExternPayload::new(object)))),
        }
    }

    fn val(&self, kind: ValKind, value: &Value) -> Val {
        let owner = self.owner.get();
        match value {
            Value::Number(bits) => {
                let mut val = MaybeUninit::uninit();
                Val::write_bits(&mut val, kind, *bits);
                // SAFETY: `write_bits` has initialised it.
                unsafe { val.assume_init() }
            }
            // SAFETY: the function is in a value of this store, so it belongs to this store.
            Value::Func(func) => {
                Val::owned(kind, func.map(|func| unsafe { owner.function_reference(Entity::new(func)) }))
            }
            Value::Extern(payload) => Val::owned(kind, payload.as_ref().map(|payload| Handle::new(payload.object()))),
        }
    }

    fn call_func(&self, func: usize, args: Vec<Value>) -> Result<Vec<Value>, Box<Failure>> {
        if self.depth.get() == MAX_DEPTH {
            return Err(trap(TrapCode::StackExhausted));
        }
        self.depth.set(self.depth.get() + 1);
        // A destructor, so that it also runs when a callback panics.
        struct Leave<'a>(&'a Cell<u32>);
        impl Drop for Leave<'_> {
            fn drop(&mut self) {
                self.0.set(self.0.get() - 1);
            }
        }
        let _leave = Leave(&self.depth);
        let func = self.things.borrow().funcs[func].clone();
        match &func.code {
            Code::Host(object) => self.call_host(object.get(), &func.ty, args),
            Code::Wasm { instance, index, body } => {
                let instance = self.things.borrow().instances[*instance].clone();
                let body = body.borrow().clone();
                self.call_body(&instance, *index, body, &func.ty, args)
            }
        }
    }

    fn call_host(&self, object: &Object, ty: &FuncType, args: Vec<Value>) -> Result<Vec<Value>, Box<Failure>> {
        let args: Vec<_> = ty.param_kinds.iter().copied().zip(args).collect();
        with_room(args.len(), |room| {
            let fill = Arguments::fill(room, &args, |(kind, value)| Ok::<_, Infallible>(self.val(*kind, value)));
            let Ok(args) = fill;
            with_room(ty.result_kinds.len(), |results| {
                // SAFETY: the arguments are of the function's type, and there is room for exactly its results.
                unsafe { invoke_host::<false>(object, args.as_slice(), results, false) }
                    .map_err(|_| Failure::Host(Vec::new()))?;
                let taken = ty.result_kinds.iter().zip(results).map(|(kind, result)| {
                    // SAFETY: the call succeeded, so the result is initialised and owns its reference.
                    let result = unsafe { result.assume_init_mut() };
                    let value = self.value(*kind, result);
                    // SAFETY: the result owns its reference, and is not used afterwards.
                    unsafe { result.release() };
                    value
                });
                Ok(taken.collect())
            })
        })
    }

    fn call_body(
        &self,
        instance: &Rc<Instance>,
        index: u32,
        body: Range<usize>,
        ty: &FuncType,
        mut locals: Vec<Value>,
    ) -> Result<Vec<Value>, Box<Failure>> {
        let start = body.start;
        let body = FunctionBody::new(BinaryReader::new(&instance.wasm[body], start));
        for local in body.get_locals_reader().map_err(malformed)? {
            let (count, ty) = local.map_err(malformed)?;
            locals.extend((0..count).map(|_| Value::zero(val_kind(ty))));
        }
        let mut offset = start;
        let operators = body.get_operators_reader().map_err(malformed)?;
        let mut stack = self.run(instance, operators, &mut locals, &mut offset).map_err(|mut failure| {
            if let Failure::Trap(_, frames) | Failure::Host(frames) = &mut *failure {
                let module = identity(&instance.wasm);
                let func_offset = offset - start;
                frames.push(RawFrame {
                    module,
                    func_index: index,
                    func_offset,
                    module_offset: offset,
                    func_name: None,
                    module_name: None,
                });
            }
            failure
        })?;
        Ok(stack.split_off(stack.len() - ty.results.len()))
    }

    fn constant(&self, instance: &Rc<Instance>, expression: &ConstExpr) -> Result<Value, Box<Failure>> {
        let stack = self.run(instance, expression.get_operators_reader(), &mut Vec::new(), &mut 0)?;
        Ok(stack.into_iter().next_back().expect("a constant"))
    }

    /// Runs straight-line code and returns the values that are on its stack at the end.
    fn run(
        &self,
        instance: &Rc<Instance>,
        mut operators: OperatorsReader,
        locals: &mut [Value],
        offset: &mut usize,
    ) -> Result<Vec<Value>, Box<Failure>> {
        let mut stack: Vec<Value> = Vec::new();
        let mut loops = Vec::new();
        let bits = |value: u64| Value::Number(value);
        while !operators.eof() {
            let (operator, at) = operators.read_with_offset().map_err(malformed)?;
            *offset = at;
            let mut pop = || stack.pop().expect("a valid module");
            let result = match operator {
                Operator::I32Const { value } => Value::Number(value as u32 as u64),
                Operator::I64Const { value } => Value::Number(value as u64),
                Operator::I32Add => {
                    Value::Number(u64::from((pop().number() as u32).wrapping_add(pop().number() as u32)))
                }
                Operator::I32Shl => {
                    let (by, value) = (pop().number() as u32, pop().number() as u32);
                    bits(u64::from(value.wrapping_shl(by)))
                }
                Operator::I32LtU => {
                    let (other, one) = (pop().number() as u32, pop().number() as u32);
                    bits(u64::from(one < other))
                }
                Operator::Loop { .. } => {
                    loops.push(operators.clone());
                    continue;
                }
                Operator::BrIf { relative_depth: 0 } => {
                    if pop().number() as u32 != 0 {
                        operators = loops.last().expect("a loop").clone();
                    }
                    continue;
                }
                Operator::Drop => {
                    pop();
                    continue;
                }
                Operator::LocalTee { local_index } => {
                    let value = pop();
                    locals[local_index as usize] = value.clone();
                    value
                }
                Operator::LocalGet { local_index } => locals[local_index as usize].clone(),
                Operator::LocalSet { local_index } => {
                    locals[local_index as usize] = pop();
                    continue;
                }
                Operator::GlobalGet { global_index } => {
                    self.things.borrow().globals[instance.globals[global_index as usize]].clone()
                }
                Operator::GlobalSet { global_index } => {
                    self.things.borrow_mut().globals[instance.globals[global_index as usize]] = pop();
                    continue;
                }
                Operator::RefNull { hty: wasmparser::HeapType::EXTERN } => Value::Extern(None),
                Operator::RefNull { .. } => Value::Func(None),
                Operator::RefFunc { function_index } => Value::Func(Some(instance.funcs[function_index as usize])),
                Operator::TableGet { table } => {
                    let index = pop().number() as usize;
                    let things = self.things.borrow();
                    things.tables[instance.tables[table as usize]]
                        .elements
                        .get(index)
                        .ok_or_else(|| trap(TrapCode::TableOutOfBounds))?
                        .clone()
                }
                Operator::TableSet { table } => {
                    let (value, index) = (pop(), pop().number() as usize);
                    let mut things = self.things.borrow_mut();
                    let elements = &mut things.tables[instance.tables[table as usize]].elements;
                    *elements.get_mut(index).ok_or_else(|| trap(TrapCode::TableOutOfBounds))? = value;
                    continue;
                }
                Operator::MemorySize { mem } => Value::Number(
                    (self.things.borrow().memories[instance.memories[mem as usize]].bytes.len() / PAGE) as u64,
                ),
                Operator::MemoryGrow { mem } => {
                    self.owner.get().memory_will_grow();
                    let memory = &mut self.things.borrow_mut().memories[instance.memories[mem as usize]];
                    Value::Number(memory.grow(pop().number()).unwrap_or(u32::MAX.into()))
                }
                Operator::I32Load { memarg } | Operator::F32Load { memarg } => {
                    bits(u64::from(u32::from_le_bytes(self.load(instance, memarg, pop().number())?)))
                }
                Operator::I64Load { memarg } | Operator::F64Load { memarg } => {
                    bits(u64::from_le_bytes(self.load(instance, memarg, pop().number())?))
                }
                Operator::I32Store { memarg } | Operator::F32Store { memarg } => {
                    let (value, address) = (pop().number() as u32, pop().number());
                    self.store(instance, memarg, address, value.to_le_bytes())?;
                    continue;
                }
                Operator::I64Store { memarg } | Operator::F64Store { memarg } => {
                    let (value, address) = (pop().number(), pop().number());
                    self.store(instance, memarg, address, value.to_le_bytes())?;
                    continue;
                }
                Operator::I32Load8U { memarg } => {
                    let address = pop().number() as usize + memarg.offset as usize;
                    let things = self.things.borrow();
                    let bytes = &things.memories[instance.memories[memarg.memory as usize]].bytes;
                    Value::Number(u64::from(*bytes.get(address).ok_or_else(|| trap(TrapCode::MemoryOutOfBounds))?))
                }
                Operator::Call { function_index } => {
                    self.call_from_stack(&mut stack, instance.funcs[function_index as usize])?;
                    continue;
                }
                Operator::CallIndirect { type_index, table_index } => {
                    let index = pop().number() as usize;
                    let table = instance.tables[table_index as usize];
                    let element = self.things.borrow().tables[table].elements.get(index).cloned();
                    let element = element.ok_or_else(|| trap(TrapCode::UndefinedElement))?;
                    let Value::Func(func) = element else { panic!("a table of functions") };
                    let func = func.ok_or_else(|| trap(TrapCode::UninitializedElement))?;
                    if self.things.borrow().funcs[func].ty != instance.types[type_index as usize] {
                        return Err(trap(TrapCode::IndirectCallTypeMismatch));
                    }
                    self.call_from_stack(&mut stack, func)?;
                    continue;
                }
                Operator::Unreachable => return Err(trap(TrapCode::Unreachable)),
                Operator::End => {
                    loops.pop();
                    continue;
                }
                other => panic!("the mock engine has no {other:?}"),
            };
            stack.push(result);
        }
        Ok(stack)
    }

    /// Runs `access` on as many bytes as it wants at an address.
    fn access<R, const SIZE: usize>(
        &self,
        instance: &Instance,
        memarg: wasmparser::MemArg,
        address: u64,
        access: impl FnOnce(&mut [u8; SIZE]) -> R,
    ) -> Result<R, Box<Failure>> {
        let start = address as usize + memarg.offset as usize;
        let mut things = self.things.borrow_mut();
        let bytes = &mut things.memories[instance.memories[memarg.memory as usize]].bytes;
        let place = bytes.get_mut(start..).and_then(|bytes| bytes.first_chunk_mut());
        place.map(access).ok_or_else(|| trap(TrapCode::MemoryOutOfBounds))
    }

    fn load<const SIZE: usize>(
        &self,
        instance: &Instance,
        memarg: wasmparser::MemArg,
        address: u64,
    ) -> Result<[u8; SIZE], Box<Failure>> {
        self.access(instance, memarg, address, |place| *place)
    }

    fn store<const SIZE: usize>(
        &self,
        instance: &Instance,
        memarg: wasmparser::MemArg,
        address: u64,
        bytes: [u8; SIZE],
    ) -> Result<(), Box<Failure>> {
        self.access(instance, memarg, address, |place| *place = bytes)
    }

    fn call_from_stack(&self, stack: &mut Vec<Value>, func: usize) -> Result<(), Box<Failure>> {
        let params = self.things.borrow().funcs[func].ty.params.len();
        let args = stack.split_off(stack.len() - params);
        stack.extend(self.call_func(func, args)?);
        Ok(())
    }

    fn push<T>(&self, list: impl FnOnce(&mut Things) -> &mut Vec<T>, thing: T) -> usize {
        let mut things = self.things.borrow_mut();
        let list = list(&mut things);
        list.push(thing);
        list.len() - 1
    }

    fn instantiate_module(&self, wasm: &Arc<[u8]>, imports: &[Retained]) -> Result<usize, Box<Failure>> {
        let mut instance = Instance::new(wasm);
        for import in imports {
            match &import.body {
                Body::Func(_) => {
                    let func = Typed::of(import, Object::as_func).expect("a function");
                    instance.funcs.push(position(&func.in_engine()));
                }
                Body::Global(global) => instance.globals.push(position(&global.entity)),
                Body::Table(table) => instance.tables.push(position(&table.entity)),
                Body::Memory(memory) => instance.memories.push(position(&memory.entity)),
                _ => {}
            }
        }
        // A function knows its instance by this position, where the complete instance is put at the end.
        let place = self.push(|things| &mut things.instances, Rc::new(Instance::new(wasm)));
        let mut bodies = instance.funcs.len();
        let mut start = None;
        let mut segments = Vec::new();
        for payload in Parser::new(0).parse_all(wasm) {
            match payload.map_err(malformed)? {
                Payload::TypeSection(section) => {
                    for group in section {
                        for ty in group.map_err(malformed)?.into_types() {
                            let CompositeInnerType::Func(ty) = &ty.composite_type.inner else { continue };
                            let types = |types: &[wasmparser::ValType]| -> Vec<ValType> {
                                types.iter().map(|ty| ValType::new(val_kind(*ty))).collect()
                            };
                            instance.types.push(FuncType::new(types(ty.params()), types(ty.results())));
                        }
                    }
                }
                Payload::FunctionSection(section) => {
                    for ty in section {
                        let ty = instance.types[ty.map_err(malformed)? as usize].clone();
                        let index = instance.funcs.len() as u32;
                        let code = Code::Wasm { instance: place, index, body: RefCell::new(0..0) };
                        instance.funcs.push(self.push(|things| &mut things.funcs, Rc::new(Func { ty, code })));
                    }
                }
                Payload::TableSection(section) => {
                    for table in section {
                        let table = table.map_err(malformed)?;
                        assert!(matches!(table.init, TableInit::RefNull), "the mock engine has no table initialisers");
                        let kind = val_kind(wasmparser::ValType::Ref(table.ty.element_type));
                        let limits = Limits::new(table.ty.initial, table.ty.maximum);
                        let elements = vec![Value::zero(kind); limits.min() as usize];
                        let table = Table { elements, limits, kind };
                        instance.tables.push(self.push(|things| &mut things.tables, table));
                    }
                }
                Payload::MemorySection(section) => {
                    for ty in section {
                        let ty = ty.map_err(malformed)?;
                        let memory = Memory::new(Limits::new(ty.initial, ty.maximum));
                        instance.memories.push(self.push(|things| &mut things.memories, memory));
                    }
                }
                Payload::GlobalSection(section) => {
                    for global in section {
                        let expression = global.map_err(malformed)?.init_expr;
                        let so_far = Rc::new(instance);
                        let value = self.constant(&so_far, &expression)?;
                        instance = Rc::into_inner(so_far).expect("nobody keeps it");
                        instance.globals.push(self.push(|things| &mut things.globals, value));
                    }
                }
                Payload::StartSection { func, .. } => start = Some(func),
                Payload::CodeSectionEntry(body) => {
                    let func = self.things.borrow().funcs[instance.funcs[bodies]].clone();
                    if let Code::Wasm { body: range, .. } = &func.code {
                        *range.borrow_mut() = body.range();
                    }
                    bodies += 1;
                }
                payload @ (Payload::ElementSection(_) | Payload::DataSection(_)) => segments.push(payload),
                _ => {}
            }
        }
        let instance = Rc::new(instance);
        self.things.borrow_mut().instances[place] = instance.clone();
        for segment in segments {
            self.apply(&instance, segment)?;
        }
        if let Some(start) = start {
            let told = self.owner.get().before_start(Entity::new(place));
            told.map_err(|error| Box::new(Failure::NotInstantiated(error)))?;
            self.call_func(instance.funcs[start as usize], Vec::new())?;
        }
        Ok(place)
    }

    fn apply(&self, instance: &Rc<Instance>, segments: Payload) -> Result<(), Box<Failure>> {
        match segments {
            Payload::ElementSection(section) => {
                for element in section {
                    let element = element.map_err(malformed)?;
                    let (ElementKind::Active { table_index, offset_expr }, ElementItems::Functions(items)) =
                        (element.kind, element.items)
                    else {
                        continue;
                    };
                    let start = self.constant(instance, &offset_expr)?.number() as usize;
                    for (place, func) in (start..).zip(items) {
                        let func = instance.funcs[func.map_err(malformed)? as usize];
                        let mut things = self.things.borrow_mut();
                        let table = &mut things.tables[instance.tables[table_index.unwrap_or(0) as usize]];
                        let slot = table.elements.get_mut(place).ok_or_else(|| trap(TrapCode::TableOutOfBounds))?;
                        *slot = Value::Func(Some(func));
                    }
                }
            }
            Payload::DataSection(section) => {
                for data in section {
                    let data = data.map_err(malformed)?;
                    let DataKind::Active { memory_index, offset_expr } = data.kind else { continue };
                    let start = self.constant(instance, &offset_expr)?.number() as usize;
                    let mut things = self.things.borrow_mut();
                    let bytes = &mut things.memories[instance.memories[memory_index as usize]].bytes;
                    let place = bytes.get_mut(start..start + data.data.len());
                    place.ok_or_else(|| trap(TrapCode::MemoryOutOfBounds))?.copy_from_slice(data.data);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl Store for MockStore {
    unsafe fn instantiate(
        &self,
        module: &dyn Module,
        imports: &[Retained],
        _prepared: Option<&Prepared>,
    ) -> Result<Entity, Box<Failure>> {
        let module = (module as &dyn Any).downcast_ref::<MockModule>().expect("a module of this backend");
        let instance = self.instantiate_module(&module.0, imports);
        instance
            .map(Entity::new)
            .map_err(|failure| Box::new(failure.of_instantiation(|message| message.contains("import"))))
    }

    unsafe fn export(&self, instance: &Entity, module: &dyn Module, name: &str, kind: ExternKind) -> Entity {
        let module = (module as &dyn Any).downcast_ref::<MockModule>().expect("a module of this backend");
        let exports = Declarations::parse(&module.0).expect("parsed before").exports;
        let export = exports.iter().find(|export| export.name == name).expect("declared");
        let instance = self.things.borrow().instances[position(instance)].clone();
        let space = match kind {
            ExternKind::Func => &instance.funcs,
            ExternKind::Global => &instance.globals,
            ExternKind::Table => &instance.tables,
            ExternKind::Memory => &instance.memories,
            ExternKind::Tag => return Entity::new(export.index as usize),
        };
        Entity::new(space[export.index as usize])
    }

    unsafe fn new_func(&self, func: NonNull<Object>, ty: &FuncType) -> Entity {
        let func = Func { ty: ty.clone(), code: Code::Host(HostObject(func)) };
        Entity::new(self.push(|things| &mut things.funcs, Rc::new(func)))
    }

    unsafe fn func_key(&self, func: &Entity) -> FuncKey {
        (position(func), 0)
    }

    unsafe fn func_type(&self, func: &Entity) -> FuncType {
        self.things.borrow().funcs[position(func)].ty.clone()
    }

    fn entry(&self, ty: &FuncType) -> Entry {
        engine_entry::<MockStore>(ty)
    }

    fn raw_entry(&self) -> RawEntry {
        enter_raw_engine::<MockStore>
    }

    unsafe fn call(
        &self,
        func: &FuncObject,
        args: &[Val],
        results: &mut [MaybeUninit<Val>],
    ) -> Result<(), Box<Failure>> {
        let (func, ty) = (func.entity.get().expect("the engine's"), &func.ty);
        let args = ty.param_kinds.iter().zip(args).map(|(kind, arg)| self.value(*kind, arg)).collect();
        let values = self.call_func(position(func), args)?;
        for ((slot, kind), value) in results.iter_mut().zip(&ty.result_kinds).zip(&values) {
            slot.write(self.val(*kind, value));
        }
        Ok(())
    }

    unsafe fn new_global(&self, ty: &GlobalType, value: &Val) -> Result<Entity> {
        let value = self.value(ty.content.kind, value);
        Ok(Entity::new(self.push(|things| &mut things.globals, value)))
    }

    unsafe fn global_get(&self, global: &Entity, ty: &GlobalType, out: &mut MaybeUninit<Val>) -> Result<()> {
        let value = self.things.borrow().globals[position(global)].clone();
        out.write(self.val(ty.content.kind, &value));
        Ok(())
    }

    unsafe fn global_set(&self, global: &Entity, ty: &GlobalType, value: &Val) -> Result<()> {
        let value = self.value(ty.content.kind, value);
        self.things.borrow_mut().globals[position(global)] = value;
        Ok(())
    }

    unsafe fn new_table(&self, ty: &TableType, init: Option<&Object>) -> Result<Entity> {
        let kind = ty.element.kind;
        let elements = vec![self.reference(kind, init); ty.limits.min() as usize];
        let table = Table { elements, limits: ty.limits, kind };
        Ok(Entity::new(self.push(|things| &mut things.tables, table)))
    }

    unsafe fn table_get(&self, table: &Entity, _ty: &TableType, index: u64) -> Option<Result<Option<Handle>>> {
        let things = self.things.borrow();
        let table = &things.tables[position(table)];
        let (kind, element) = (table.kind, table.elements.get(index as usize).cloned());
        drop(things);
        let element = self.val(kind, &element?);
        // SAFETY: the value owns its reference, which moves to the handle.
        Some(Ok(unsafe { element.reference().map(|object| Handle::from_raw(object)) }))
    }

    unsafe fn table_set(&self, table: &Entity, ty: &TableType, index: u64, value: Option<&Object>) -> Result<()> {
        let value = self.reference(ty.element.kind, value);
        let mut things = self.things.borrow_mut();
        let slot = things.tables[position(table)].elements.get_mut(index as usize);
        *slot.ok_or_else(|| limit("beyond the end"))? = value;
        Ok(())
    }

    unsafe fn table_size(&self, table: &Entity) -> u64 {
        self.things.borrow().tables[position(table)].elements.len() as u64
    }

    unsafe fn table_grow(&self, table: &Entity, ty: &TableType, delta: u64, init: Option<&Object>) -> Result<()> {
        let init = self.reference(ty.element.kind, init);
        self.things.borrow_mut().tables[position(table)].grow(delta, &init)
    }

    unsafe fn new_memory(&self, ty: &MemoryType) -> Result<Entity> {
        Ok(Entity::new(self.push(|things| &mut things.memories, Memory::new(ty.limits))))
    }

    unsafe fn memory_bytes(&self, memory: &Entity) -> *mut [u8] {
        &raw mut self.things.borrow_mut().memories[position(memory)].bytes[..]
    }

    unsafe fn memory_size(&self, memory: &Entity) -> u64 {
        (self.things.borrow().memories[position(memory)].bytes.len() / PAGE) as u64
    }

    unsafe fn memory_grow(&self, memory: &Entity, delta: u64) -> Result<u64> {
        self.owner.get().memory_will_grow();
        self.things.borrow_mut().memories[position(memory)].grow(delta)
    }

    fn fuel(&self) -> u64 {
        unreachable!("no engine of this backend has fuel")
    }

    fn set_fuel(&self, _fuel: u64) {
        unreachable!("no engine of this backend has fuel")
    }
}

impl CallNumeric for MockStore {
    type Error = Box<Failure>;

    unsafe fn call_numeric(
        &self,
        func: &FuncObject,
        args: &[Val],
        results: &mut [MaybeUninit<Val>],
        _only_i32: bool,
    ) -> Result<(), Box<Failure>> {
        // SAFETY: both functions have the contract of `Store`.
        unsafe { self.call(func, args, results) }
    }

    fn explain(&self, error: Box<Failure>) -> Failure {
        *error
    }
}
