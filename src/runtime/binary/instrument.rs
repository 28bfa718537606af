//! Instrumentation: rewrites modules so that they ask the host for what their engine does not do.
//!
//! - Payments: code pays for each stretch of instructions that runs as a whole, from a global of the instance. When that is
//!   used up, it asks the host for more, which may stop it there: because there is no more fuel, or for another reason.
//!   An instruction costs what it costs on the engine that is compiled in: see [`cost`]. What instructions move is paid for as
//!   [`bulk`] says.
//! - Growth: instead of `memory.grow` and `table.grow` an added function is called, which asks the host first, and tells it
//!   if the instruction failed.
//!
//! The module gets one import more, a function, after the others. So functions that it defines have an index that is one
//! higher. Everything else is added at the end: nothing else changes its index, and only a module that was invalid could
//! refer to what is added. Therefore modules have to be validated before. Places in the code are translated back by
//! [`Origins`]. Custom sections are left out, because they may refer to places in the code.

use super::bulk::{self, PADDED, Replaced, Rewriting, padded_leb};
use super::declarations::import_kind;
use super::metering::{after_dead, ends_stretch, leaves};
use super::sections::{
    self, A_FUNCTION, A_GLOBAL, CODE, ELEMENTS, EXPORTS, Entries, FUNCTIONS, GLOBALS, I32, I64, IMPORTS, START, TABLES,
    TYPES, write_leb128, write_signed,
};
use crate::runtime::base::error::{Error, ErrorKind, Result};
use crate::runtime::base::types::ExternKind;
use rustc_hash::FxHashSet;
use std::collections::BTreeMap;
use std::ops::Range;
use wasmparser::{
    BinaryReader, BinaryReaderError, ConstExpr, ElementItems, ElementKind, ExternalKind, FunctionBody, Operator,
    Parser, Payload, TableInit, TypeRef,
};

/// What modules are rewritten for, besides growth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Instrumentation {
    pub payments: bool,
    /// Whether what waits for another thread asks as well, now and then.
    pub waits: bool,
}

pub struct Instrumented {
    pub wasm: Vec<u8>,
    /// What may grow. The host is asked for it by its position here.
    pub grown: Vec<Grown>,
    /// The name of the export, the last, that is the instance's account: a mutable i64. Only with payments.
    pub account: Option<String>,
    pub origins: Origins,
}

/// A memory or a table that may grow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Grown {
    /// A memory's page size as a power of two; `None` for a table.
    pub page_log2: Option<u32>,
    /// The most pages or elements that the declared type allows.
    pub most: Option<u64>,
    /// The position among the imports, if it is one of them: then its own type may allow less.
    pub import: Option<usize>,
}

/// What code asks the host for: the first argument of the added import, whose type is (i32, i64, i64) -> i64.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Request {
    /// The second argument is what the account has; what it owes, if that is negative. The answer is what it has then.
    Pay(i64),
    /// What was granted last has failed.
    GrowthFailed,
    /// `number` is about to grow by `delta` from its present size. The answer is 1 if it may.
    Grow { number: usize, size: u64, delta: u64 },
}

impl Request {
    const PAY: i32 = 0;
    const GROWTH_FAILED: i32 = 1;
    const FIRST_GROWN: i32 = 2;

    pub fn of(what: i32, first: i64, second: i64) -> Request {
        match what {
            Request::PAY => Request::Pay(first),
            Request::GROWTH_FAILED => Request::GrowthFailed,
            _ => Request::Grow {
                number: what.wrapping_sub(Request::FIRST_GROWN) as usize,
                size: first as u64,
                delta: second as u64,
            },
        }
    }
}

/// What an instruction costs: the same as on the engine that is compiled in and makes machine code.
fn cost(operator: &Operator) -> u64 {
    use Operator::*;
    let free = matches!(operator, Nop | Drop | Block { .. } | Loop { .. } | Unreachable | Return | Else | End);
    u64::from(!free)
}

/// What the start of a function costs.
const ENTRY: u64 = 1;

/// Translates places in an instrumented module to places in the original.
#[derive(Default)]
pub struct Origins {
    /// The position of the added import among the functions, and how many functions the original has.
    import: usize,
    functions: usize,
    /// Ascending by the first number.
    pieces: Vec<Piece>,
    bulk: bulk::Places,
}

/// What begins at a place in the code, counted from the first function's body.
#[derive(Clone, Copy)]
struct Piece {
    begin: usize,
    /// The place in the original, where it was copied from; or that of the instruction that it stands before or for.
    origin: usize,
    copied: bool,
}

impl Origins {
    /// Returns the index that a function has in the original. `None` for one that was added.
    pub fn function(&self, index: u32) -> Option<u32> {
        let index = index as usize;
        let original = index - usize::from(index > self.import);
        (index != self.import && original < self.functions).then_some(original as u32)
    }

    /// Returns a place in the original: for one that is counted from the first body of the instrumented module, an offset in
    /// the original module.
    pub fn place(&self, place: usize) -> usize {
        let after = self.pieces.partition_point(|piece| piece.begin <= place);
        let Some(piece) = after.checked_sub(1).map(|position| self.pieces[position]) else { return 0 };
        let within = if piece.copied { place - piece.begin } else { 0 };
        self.bulk.original(piece.origin + within)
    }
}

/// Returns the module instrumented, or `None` if there is nothing to do.
///
/// The module must be valid: what is invalid may become valid. It fails for a module with something unknown in it, which
/// could do anything.
pub fn instrument(wasm: &[u8], wanted: Instrumentation) -> Result<Option<Instrumented>> {
    let metered = match wanted.payments {
        true => bulk::rewrite(wasm, Replaced { bulk: true, waits: wanted.waits })?,
        false => Rewriting::Unneeded,
    };
    let (metered, is_known) = match metered {
        Rewriting::Done(metered) => (Some(metered), true),
        Rewriting::Unneeded => (None, true),
        Rewriting::Unknown => (None, false),
    };
    let (binary, places) = match &metered {
        Some(metered) => (&metered.wasm[..], metered.places.clone()),
        None => (wasm, bulk::Places::default()),
    };
    match Module::read(binary).and_then(|module| module.instrument(binary, wanted)) {
        Ok(_) if !is_known => {
            Err(unknown("moves elements of a type that this library does not know, or has too many functions or types"))
        }
        Ok(Some(mut instrumented)) => {
            if u32::try_from(instrumented.wasm.len()).is_err() {
                let message = "the module is too large to be paid for with fuel, or to be interrupted";
                return Err(Error::new(ErrorKind::Limit, message));
            }
            instrumented.origins.functions = places.functions().unwrap_or(instrumented.origins.functions);
            instrumented.origins.bulk = places;
            Ok(Some(instrumented))
        }
        Ok(None) => Ok(None),
        Err(Refusal::Unreadable(offset)) => {
            let at = places.original(offset);
            Err(unknown(&format!("has something at offset {at:#x} that this library does not know")))
        }
        Err(Refusal::Index) => Err(unknown("refers to what it does not have")),
        Err(Refusal::Elements) => {
            Err(unknown("lets a table grow whose elements are of a type that this library does not know"))
        }
    }
}

fn unknown(what: &str) -> Error {
    let message =
        format!("the module {what}, so it cannot be made to ask for fuel, time and growth on an engine that is loaded");
    Error::new(ErrorKind::Unsupported, message)
}

enum Refusal {
    Unreadable(usize),
    Index,
    Elements,
}

impl From<BinaryReaderError> for Refusal {
    fn from(error: BinaryReaderError) -> Refusal {
        Refusal::Unreadable(error.offset())
    }
}

/// A memory or a table.
struct Sized {
    is_64_bit: bool,
    /// The type of the elements, in binary form.
    element: Vec<u8>,
    grown: Grown,
}

/// An index of a function that a module has outside of its code, and what to write in its place.
struct Mention {
    place: Range<usize>,
    /// The opcode before it, if the place includes one.
    opcode: Option<u8>,
    index: u32,
}

#[derive(Default)]
struct Module<'a> {
    sections: Vec<(u8, Range<usize>)>,
    types: (usize, Entries<'a>),
    imports: Entries<'a>,
    imported_functions: usize,
    functions: (usize, Entries<'a>),
    globals: (usize, usize),
    exports: usize,
    names: FxHashSet<&'a str>,
    memories: Vec<Sized>,
    tables: Vec<Sized>,
    /// In the order of the module.
    mentions: Vec<Mention>,
    bodies: Vec<FunctionBody<'a>>,
}

const CALL: u8 = 0x10;
const RETURN_CALL: u8 = 0x12;
const REF_FUNC: u8 = 0xd2;
const END: u8 = 0x0b;
const IF: u8 = 0x04;
const ELSE: u8 = 0x05;
const VOID: u8 = 0x40;
const LOCAL_GET: u8 = 0x20;
const LOCAL_TEE: u8 = 0x22;
const GLOBAL_GET: u8 = 0x23;
const GLOBAL_SET: u8 = 0x24;
const I32_CONST: u8 = 0x41;
const I64_CONST: u8 = 0x42;
const DROP: u8 = 0x1a;
const I32_EQ: u8 = 0x46;
const I64_EQZ: u8 = 0x50;
const I64_EQ: u8 = 0x51;
const I64_LT_S: u8 = 0x53;
const I64_SUB: u8 = 0x7d;
const I64_EXTEND_I32_U: u8 = 0xad;
const MINUS_ONE: u8 = 0x7f;

impl<'a> Module<'a> {
    fn read(wasm: &'a [u8]) -> Result<Module<'a>, Refusal> {
        let mut module = Module::default();
        for payload in Parser::new(0).parse_all(wasm) {
            let payload = payload?;
            if !matches!(payload, Payload::CodeSectionEntry(_) | Payload::CustomSection(_)) {
                module.sections.extend(payload.as_section());
            }
            match payload {
                Payload::TypeSection(section) => {
                    module.types.1 = Entries::of(&section, wasm);
                    for group in section {
                        module.types.0 += group?.types().len();
                    }
                }
                Payload::ImportSection(section) => {
                    module.imports = Entries::of(&section, wasm);
                    for (position, import) in section.into_imports().enumerate() {
                        let ty = import?.ty;
                        match ty {
                            TypeRef::Memory(ty) => module.memory(&ty, Some(position)),
                            TypeRef::Table(ty) => module.table(&ty, Some(position)),
                            TypeRef::Global(_) => module.globals.0 += 1,
                            _ => module.imported_functions += usize::from(import_kind(&ty) == ExternKind::Func),
                        }
                    }
                    module.functions.0 = module.imported_functions;
                }
                Payload::FunctionSection(section) => {
                    module.functions.1 = Entries::of(&section, wasm);
                    module.functions.0 += section.count() as usize;
                }
                Payload::TableSection(section) => {
                    for table in section {
                        let table = table?;
                        module.table(&table.ty, None);
                        if let TableInit::Expr(expression) = &table.init {
                            module.expression(expression)?;
                        }
                    }
                }
                Payload::MemorySection(section) => {
                    for memory in section {
                        module.memory(&memory?, None);
                    }
                }
                Payload::GlobalSection(section) => {
                    module.globals.1 = section.count() as usize;
                    module.globals.0 += module.globals.1;
                    for global in section {
                        module.expression(&global?.init_expr)?;
                    }
                }
                Payload::ExportSection(section) => {
                    module.exports = section.count() as usize;
                    for export in section.into_iter_with_offsets() {
                        let (begin, export) = export?;
                        module.names.insert(export.name);
                        if matches!(export.kind, ExternalKind::Func | ExternalKind::FuncExact) {
                            let mut reader = BinaryReader::new(&wasm[begin..], begin);
                            reader.read_string()?;
                            reader.read_u8()?;
                            module.mention(&mut reader)?;
                        }
                    }
                }
                Payload::StartSection { func, range } => {
                    module.mentions.push(Mention { place: range, opcode: None, index: func });
                }
                Payload::ElementSection(section) => {
                    for element in section {
                        let element = element?;
                        if let ElementKind::Active { offset_expr, .. } = &element.kind {
                            module.expression(offset_expr)?;
                        }
                        match element.items {
                            ElementItems::Functions(items) => {
                                for item in items.into_iter_with_offsets() {
                                    let (begin, _) = item?;
                                    module.mention(&mut BinaryReader::new(&wasm[begin..], begin))?;
                                }
                            }
                            ElementItems::Expressions(_, items) => {
                                for expression in items {
                                    module.expression(&expression?)?;
                                }
                            }
                        }
                    }
                }
                Payload::CodeSectionEntry(body) => module.bodies.push(body),
                _ => {}
            }
        }
        Ok(module)
    }

    fn memory(&mut self, ty: &wasmparser::MemoryType, import: Option<usize>) {
        let page_log2 = ty.page_size_log2.unwrap_or(16);
        let most = ty.maximum.or((!ty.memory64).then(|| 1 << 32_u32.saturating_sub(page_log2)));
        let grown = Grown { page_log2: Some(page_log2), most, import };
        self.memories.push(Sized { is_64_bit: ty.memory64, element: Vec::new(), grown });
    }

    fn table(&mut self, ty: &wasmparser::TableType, import: Option<usize>) {
        let grown = Grown { page_log2: None, most: ty.maximum, import };
        let element = bulk::reference_type(ty.element_type);
        self.tables.push(Sized { is_64_bit: ty.table64, element, grown });
    }

    /// Notes the index that comes next.
    fn mention(&mut self, reader: &mut BinaryReader) -> Result<(), Refusal> {
        let begin = reader.original_position();
        let index = reader.read_var_u32()?;
        self.mentions.push(Mention { place: begin..reader.original_position(), opcode: None, index });
        Ok(())
    }

    fn expression(&mut self, expression: &ConstExpr) -> Result<(), Refusal> {
        let mut reader = expression.get_operators_reader();
        while !reader.eof() {
            let begin = reader.original_position();
            if let Operator::RefFunc { function_index: index } = reader.read()? {
                self.mentions.push(Mention { place: begin..reader.original_position(), opcode: Some(REF_FUNC), index });
            }
        }
        Ok(())
    }

    /// The index that a function has with one more import.
    fn shifted(&self, index: u32) -> Result<usize, Refusal> {
        let index = index as usize;
        if index >= self.functions.0 {
            return Err(Refusal::Index);
        }
        Ok(index + usize::from(index >= self.imported_functions))
    }

    /// Writes a part of the module outside of its code, with the new indices of functions.
    fn copy(&self, wasm: &[u8], part: Range<usize>, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let first = self.mentions.partition_point(|mention| mention.place.start < part.start);
        let mut copied = part.start;
        for mention in self.mentions[first..].iter().take_while(|mention| mention.place.start < part.end) {
            out.extend_from_slice(&wasm[copied..mention.place.start]);
            out.extend(mention.opcode);
            write_leb128(out, self.shifted(mention.index)?);
            copied = mention.place.end;
        }
        out.extend_from_slice(&wasm[copied..part.end]);
        Ok(())
    }

    fn instrument(&self, wasm: &[u8], wanted: Instrumentation) -> Result<Option<Instrumented>, Refusal> {
        let mut code = Code { module: self, wasm, wanted, out: Vec::new(), pieces: Vec::new(), grown: Vec::new() };
        let mut numbers = Numbers { memories: BTreeMap::new(), tables: BTreeMap::new() };
        for body in &self.bodies {
            code.body(body, &mut numbers)?;
        }
        if !wanted.payments && code.grown.is_empty() {
            return Ok(None);
        }
        let mut types = Types { first: self.types.0, indices: BTreeMap::new(), encoded: Vec::new() };
        let host = types.add(&[3, I32, I64, I64], &[1, I64]);
        let mut functions = Vec::new();
        let mut function = |ty: usize| {
            functions.push(Vec::new());
            write_leb128(functions.last_mut().expect("it was pushed"), ty);
        };
        if wanted.payments {
            function(types.add(&[0], &[0]));
            code.sized(|code| code.pay());
        }
        for (position, grown) in code.grown.clone().into_iter().enumerate() {
            let (sized, _) = code.sized_of(grown)?;
            let index_type = bulk::index_type(sized.is_64_bit);
            let params = match grown {
                Growing::Memory(_) => vec![1, index_type],
                Growing::Table(_) if sized.element.is_empty() => {
                    return Err(Refusal::Elements);
                }
                Growing::Table(_) => [&[2], &sized.element[..], &[index_type]].concat(),
            };
            function(types.add(&params, &[1, index_type]));
            code.sized(|code| code.grow(grown, position));
        }
        let import = [&[0, 0, A_FUNCTION][..], &leb(host)].concat();
        let account = wanted.payments.then(|| sections::unused_name("account", |name| self.names.contains(name)));
        let export = account.iter().map(|name| sections::export(name, A_GLOBAL, self.globals.0));
        let (export, global) = (export.collect::<Vec<_>>(), [I64, 1, I64_CONST, 0, END]);
        let global = if wanted.payments { &[&global[..]][..] } else { &[] };
        let grown =
            code.grown.iter().map(|grown| Ok(code.sized_of(*grown)?.0.grown)).collect::<Result<_, Refusal>>()?;
        let bodies = self.bodies.len() + functions.len();
        let Code { out: code, pieces, .. } = code;
        let replaced = [TYPES, IMPORTS, FUNCTIONS, TABLES, GLOBALS, EXPORTS, START, ELEMENTS, CODE];
        let has = |id: u8| self.sections.iter().any(|(other, _)| *other == id);
        let added = [TYPES, IMPORTS, FUNCTIONS, CODE];
        let replaced: Vec<u8> = replaced
            .into_iter()
            .filter(|id| has(*id) || added.contains(id) || wanted.payments && [GLOBALS, EXPORTS].contains(id))
            .collect();
        let contents = |id: u8| self.sections.iter().find(|(other, _)| *other == id).map_or(0..0, |(_, at)| at.clone());
        let mut problem = None;
        let out = sections::replace(wasm, self.sections.iter().cloned(), &replaced, |id, out| {
            let written = match id {
                GLOBALS => self.extended(wasm, contents(id), self.globals.1, global, out),
                EXPORTS => self.extended(wasm, contents(id), self.exports, &export, out),
                TABLES | START | ELEMENTS => self.copy(wasm, contents(id), out),
                _ => {
                    match id {
                        TYPES => self.types.1.write(out, &types.encoded),
                        IMPORTS => self.imports.write(out, &[&import]),
                        FUNCTIONS => self.functions.1.write(out, &functions),
                        _ => {
                            write_leb128(out, bodies);
                            out.extend_from_slice(&code);
                        }
                    }
                    Ok(())
                }
            };
            problem = problem.take().or(written.err());
            Ok(())
        })?;
        if let Some(problem) = problem {
            return Err(problem);
        }
        let origins = Origins {
            import: self.imported_functions,
            functions: self.functions.0,
            pieces,
            bulk: bulk::Places::default(),
        };
        Ok(Some(Instrumented { wasm: out, grown, account, origins }))
    }

    /// Writes a section with `more` entries than it has.
    fn extended(
        &self,
        wasm: &[u8],
        contents: Range<usize>,
        count: usize,
        more: &[impl AsRef<[u8]>],
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        write_leb128(out, count + more.len());
        if !contents.is_empty() {
            let mut reader = BinaryReader::new(&wasm[contents.clone()], contents.start);
            reader.read_var_u32()?;
            self.copy(wasm, reader.original_position()..contents.end, out)?;
        }
        more.iter().for_each(|entry| out.extend_from_slice(entry.as_ref()));
        Ok(())
    }
}

fn leb(number: usize) -> Vec<u8> {
    let mut out = Vec::new();
    write_leb128(&mut out, number);
    out
}

/// Function types that are added.
struct Types {
    first: usize,
    indices: BTreeMap<Vec<u8>, usize>,
    encoded: Vec<Vec<u8>>,
}

impl Types {
    /// Returns the index of a type. The parameters and the results begin with their number.
    fn add(&mut self, params: &[u8], results: &[u8]) -> usize {
        let encoded = [&[0x60], params, results].concat();
        let next = self.first + self.encoded.len();
        *self.indices.entry(encoded).or_insert_with_key(|encoded| {
            self.encoded.push(encoded.clone());
            next
        })
    }
}

#[derive(Clone, Copy)]
enum Growing {
    Memory(u32),
    Table(u32),
}

/// The positions in [`Code::grown`].
struct Numbers {
    memories: BTreeMap<u32, usize>,
    tables: BTreeMap<u32, usize>,
}

/// The code section that is being written, without the number of its functions.
struct Code<'a> {
    module: &'a Module<'a>,
    wasm: &'a [u8],
    wanted: Instrumentation,
    out: Vec<u8>,
    pieces: Vec<Piece>,
    grown: Vec<Growing>,
}

impl Code<'_> {
    fn sized_of(&self, growing: Growing) -> Result<(&Sized, u32), Refusal> {
        let (all, index) = match growing {
            Growing::Memory(index) => (&self.module.memories, index),
            Growing::Table(index) => (&self.module.tables, index),
        };
        all.get(index as usize).map(|sized| (sized, index)).ok_or(Refusal::Index)
    }

    /// Writes what `write` writes, with its length before it.
    fn sized(&mut self, write: impl FnOnce(&mut Self)) {
        let begin = self.out.len();
        padded_leb(&mut self.out, 0);
        write(self);
        let mut length = Vec::with_capacity(PADDED);
        padded_leb(&mut length, self.out.len() - begin - PADDED);
        self.out[begin..begin + PADDED].copy_from_slice(&length);
    }

    fn piece(&mut self, origin: usize, copied: bool) {
        // The first body begins after its length.
        let begin = self.out.len() - PADDED;
        self.pieces.push(Piece { begin, origin, copied });
    }

    fn copy(&mut self, part: Range<usize>) {
        if !part.is_empty() {
            self.piece(part.start, true);
            self.out.extend_from_slice(&self.wasm[part]);
        }
    }

    fn op(&mut self, opcode: u8, index: usize) {
        self.out.push(opcode);
        write_leb128(&mut self.out, index);
    }

    /// The index of the function that pays, the first that is added.
    fn payer(&self) -> usize {
        self.module.functions.0 + 1
    }

    fn grower(&self, position: usize) -> usize {
        self.payer() + usize::from(self.wanted.payments) + position
    }

    fn body(&mut self, body: &FunctionBody, numbers: &mut Numbers) -> Result<(), Refusal> {
        let begin = self.out.len();
        padded_leb(&mut self.out, 0);
        let Instrumentation { payments, waits } = self.wanted;
        let mut reader = body.get_operators_reader()?;
        let (mut copied, mut due) = (body.range().start, ENTRY);
        // In code that cannot run, the number of open blocks in it. It costs nothing: one byte of it would become many.
        let mut dead = None;
        while !reader.eof() {
            let at = reader.original_position();
            let operator = reader.read()?;
            let next = reader.original_position();
            if payments && dead.is_none() {
                due += cost(&operator);
                if due > 0 && ends_stretch(&operator) {
                    self.copy(copied..at);
                    self.piece(at, false);
                    self.payment(due);
                    (copied, due) = (at, 0);
                }
            }
            dead = match dead {
                Some(open) => after_dead(&operator, open),
                None => leaves(&operator).then_some(0),
            };
            let replaced = match operator {
                Operator::Call { function_index } => Some((CALL, self.module.shifted(function_index)?)),
                Operator::ReturnCall { function_index } => Some((RETURN_CALL, self.module.shifted(function_index)?)),
                Operator::RefFunc { function_index } => Some((REF_FUNC, self.module.shifted(function_index)?)),
                Operator::MemoryGrow { mem } => Some((CALL, self.growth(Growing::Memory(mem), numbers))),
                Operator::TableGrow { table } => Some((CALL, self.growth(Growing::Table(table), numbers))),
                Operator::GlobalGet { global_index } | Operator::GlobalSet { global_index }
                    if global_index as usize >= self.module.globals.0 =>
                {
                    return Err(Refusal::Index);
                }
                _ => None,
            };
            if let Some((opcode, index)) = replaced {
                self.copy(copied..at);
                self.piece(at, false);
                self.op(opcode, index);
                copied = next;
            } else if waits
                && matches!(operator, Operator::MemoryAtomicWait32 { .. } | Operator::MemoryAtomicWait64 { .. })
            {
                self.copy(copied..next);
                self.piece(at, false);
                self.op(CALL, self.payer());
                copied = next;
            }
        }
        self.copy(copied..body.range().end);
        let mut length = Vec::with_capacity(PADDED);
        padded_leb(&mut length, self.out.len() - begin - PADDED);
        self.out[begin..begin + PADDED].copy_from_slice(&length);
        Ok(())
    }

    /// Returns the function that asks before something grows.
    fn growth(&mut self, growing: Growing, numbers: &mut Numbers) -> usize {
        let next = self.grown.len();
        let position = *match growing {
            Growing::Memory(index) => numbers.memories.entry(index),
            Growing::Table(index) => numbers.tables.entry(index),
        }
        .or_insert(next);
        if position == next {
            self.grown.push(growing);
        }
        self.grower(position)
    }

    /// Writes code that takes `due` out of the account, and asks for more if there was not so much in it.
    fn payment(&mut self, due: u64) {
        let account = self.module.globals.0;
        self.op(GLOBAL_GET, account);
        self.out.push(I64_CONST);
        write_signed(&mut self.out, due as i64);
        self.out.push(I64_SUB);
        self.op(GLOBAL_SET, account);
        self.op(GLOBAL_GET, account);
        self.out.extend([I64_CONST, 0, I64_LT_S, IF, VOID]);
        self.op(CALL, self.payer());
        self.out.push(END);
    }

    /// Calls the host, for whose answer the arguments are on the stack.
    fn call_host(&mut self) {
        self.op(CALL, self.module.imported_functions);
    }

    /// Writes the function that asks for more. Meanwhile the account is empty, so that it is right also if the host stops.
    fn pay(&mut self) {
        let account = self.module.globals.0;
        self.out.extend([0, I32_CONST, Request::PAY as u8]);
        self.op(GLOBAL_GET, account);
        self.out.extend([I64_CONST, 0]);
        self.op(GLOBAL_SET, account);
        self.out.extend([I64_CONST, 0]);
        self.call_host();
        self.op(GLOBAL_SET, account);
        self.out.push(END);
    }

    /// Writes the function that asks before it executes `memory.grow` or `table.grow`.
    fn grow(&mut self, growing: Growing, position: usize) {
        let Ok((sized, index)) = self.sized_of(growing) else { return };
        let (size, grow, delta): (&[u8], &[u8], u8) = match growing {
            Growing::Memory(_) => (&[0x3f], &[0x40], 0),
            Growing::Table(_) => (&[0xfc, 0x10], &[0xfc, 0x0f], 1),
        };
        let (ty, constant, equal, is_64_bit) = match sized.is_64_bit {
            true => (I64, I64_CONST, I64_EQ, true),
            false => (I32, I32_CONST, I32_EQ, false),
        };
        let (index, answer) = (leb(index as usize), delta + 1);
        let widen = |out: &mut Vec<u8>| out.extend((!is_64_bit).then_some(I64_EXTEND_I32_U));
        let out = &mut self.out;
        out.extend([1, 1, ty, I32_CONST]);
        write_signed(out, i64::from(Request::FIRST_GROWN) + position as i64);
        out.extend([size, &index].concat());
        widen(out);
        out.extend([LOCAL_GET, delta]);
        widen(out);
        self.call_host();
        let out = &mut self.out;
        out.extend([I64_EQZ, IF, ty, constant, MINUS_ONE, ELSE]);
        (0..=delta).for_each(|param| out.extend([LOCAL_GET, param]));
        out.extend([grow, &index].concat());
        out.extend([LOCAL_TEE, answer, constant, MINUS_ONE, equal, IF, VOID]);
        out.extend([I32_CONST, Request::GROWTH_FAILED as u8, I64_CONST, 0, I64_CONST, 0]);
        self.call_host();
        self.out.extend([DROP, END, LOCAL_GET, answer, END, END]);
    }
}

#[cfg(test)]
mod tests {
    use super::super::compile_cost::PAYMENTS_PER_OWN_FUNCTION;
    use super::*;

    const ALL: Instrumentation = Instrumentation { payments: true, waits: true };
    const GROWTH: Instrumentation = Instrumentation { payments: false, waits: false };

    fn binary(text: &str) -> Vec<u8> {
        wat::parse_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// The parser has a validator with one engine only.
    fn validate(_wasm: &[u8]) {
        #[cfg(feature = "wasmtime")]
        wasmparser::Validator::new_with_features(wasmparser::WasmFeatures::all()).validate_all(_wasm).expect("valid");
    }

    fn instrumented(wasm: &[u8], wanted: Instrumentation) -> Option<Instrumented> {
        validate(wasm);
        let instrumented = instrument(wasm, wanted).expect("no error");
        instrumented.iter().for_each(|instrumented| validate(&instrumented.wasm));
        instrumented
    }

    /// Instructions with their offsets, function by function.
    fn operators(wasm: &[u8]) -> Vec<Vec<(String, usize)>> {
        let mut all = Vec::new();
        for payload in Parser::new(0).parse_all(wasm) {
            let Payload::CodeSectionEntry(body) = payload.expect("readable") else { continue };
            let mut operators = body.get_operators_reader().expect("readable");
            let mut function = Vec::new();
            while !operators.eof() {
                let (operator, offset) = operators.read_with_offset().expect("readable");
                function.push((format!("{operator:?}"), offset));
            }
            all.push(function);
        }
        all
    }

    fn first_body(wasm: &[u8]) -> usize {
        let payloads = Parser::new(0).parse_all(wasm).map(|payload| payload.expect("readable"));
        let mut bodies = payloads.filter_map(|payload| match payload {
            Payload::CodeSectionEntry(body) => Some(body.range().start),
            _ => None,
        });
        bodies.next().expect("a function")
    }

    const EVERYTHING: &str = "(module
        (type $t (func (param i32) (result i32))) (type $a (array (mut funcref)))
        (import \"\" \"f\" (func $f (type $t))) (import \"\" \"m\" (memory $m 1 9)) (import \"\" \"t\" (table $imp 1 funcref))
        (import \"\" \"g\" (global $ig i32)) (import \"\" \"h\" (func $h))
        (table $own 3 7 funcref) (table $first 2 (ref func) (ref.func $k)) (table $wide i64 1 externref)
        (memory $big i64 1 5) (tag $e)
        (global $gf funcref (ref.func $h)) (global $gd (mut funcref) (ref.func $k))
        (global $gr (ref $a) (array.new_fixed $a 2 (ref.func $k) (ref.null func)))
        (export \"account\" (func $k)) (export \"account'\" (global $gf)) (export \"f\" (func $f)) (export \"m\" (memory $m))
        (start $h)
        (elem $e1 (table $own) (i32.const 0) func $k $f $h) (elem $e2 funcref (ref.func $k) (ref.null func))
        (elem declare func $l) (elem (table $imp) (offset (global.get $ig)) funcref (ref.func $l))
        (func $k (type $t)
            (local i64 i64)
            (if (result i32) (call $f (local.get 0)) (then (call $k (i32.const 1))) (else (return_call $k (i32.const 2)))))
        (func $l (param i32) (result i32)
            (loop (br_if 0 (memory.grow $m (local.get 0))))
            (drop (memory.grow $big (i64.const 1))) (drop (table.grow $own (ref.func $l) (i32.const 100)))
            (drop (table.grow $wide (ref.null extern) (i64.const 1)))
            (drop (table.grow $imp (ref.func $h) (local.get 0))) (drop (memory.grow $m (i32.const 3)))
            (global.set $gd (ref.func $h)) (block (try_table (catch_all 0) (throw $e)))
            (memory.fill $m (i32.const 0) (i32.const 0) (local.get 0))
            (call_indirect $own (type $t) (i32.const 0) (i32.const 0)) return (call $l (i32.const 1)))
        (@custom \"c\" \"d\") (data (i32.const 0) \"abc\"))";

    #[test]
    fn everything_keeps_its_place() {
        let wasm = binary(EVERYTHING);
        for (wanted, count) in [(ALL, 1), (GROWTH, 0)] {
            let Instrumented { wasm: new, grown, account, origins } = instrumented(&wasm, wanted).expect("it grows");
            let (before, after) = (operators(&wasm), operators(&new));
            assert_eq!(account.as_deref(), (count > 0).then_some("account''"));
            let most = |import, page_log2, most| Grown { page_log2, most, import };
            let expected = [
                most(Some(1), Some(16), Some(9)),
                most(None, Some(16), Some(5)),
                most(None, None, Some(7)),
                most(None, None, None),
                most(Some(2), None, None),
            ];
            assert_eq!(grown.len(), 5);
            assert!(expected.iter().all(|expected| grown.contains(expected)), "{grown:?}");
            // Functions: two that are imported, the host, two of the module, then those that were added.
            let indices: Vec<_> = (0..6).map(|index| origins.function(index)).collect();
            assert_eq!(indices, [Some(0), Some(1), None, Some(2), Some(3), None]);
            let begin = first_body(&new);
            for (before, after) in before.iter().zip(&after) {
                let mut after = after.iter();
                for (operator, offset) in before {
                    let stem = operator.split(' ').next().unwrap_or_default();
                    // What was replaced is a call.
                    let is_same = |new: &str| new.starts_with(stem) || replaced(operator) && new.starts_with("Call {");
                    let (_, place) = after
                        .find(|(new, place)| is_same(new) && origins.place(place - begin) == *offset)
                        .unwrap_or_else(|| panic!("{operator} at {offset:#x}"));
                    assert_eq!(origins.place(place - begin), *offset);
                }
            }
        }
    }

    fn replaced(operator: &str) -> bool {
        operator.contains("Grow") || operator.starts_with("MemoryFill")
    }

    fn payments(code: &str) -> Vec<i64> {
        let text = format!("(module (type (func)) (table 1 funcref) (tag) (elem declare func 0) (func) (func {code}))");
        all_payments(&text).swap_remove(1)
    }

    /// What is paid, function by function.
    fn all_payments(text: &str) -> Vec<Vec<i64>> {
        let Instrumented { wasm, .. } = instrumented(&binary(text), ALL).expect("it pays");
        let mut found = Vec::new();
        for payload in Parser::new(0).parse_all(&wasm) {
            let Payload::CodeSectionEntry(body) = payload.expect("readable") else { continue };
            let operators: Vec<_> =
                body.get_operators_reader().unwrap().into_iter().collect::<wasmparser::Result<_>>().unwrap();
            found.push(
                operators
                    .windows(2)
                    .filter_map(|pair| match pair {
                        [Operator::I64Const { value }, Operator::I64Sub] => Some(*value),
                        _ => None,
                    })
                    .collect(),
            );
        }
        found
    }

    /// What compiling is estimated to cost counts on it.
    #[test]
    fn added_functions_pay_as_often_as_is_estimated() {
        let mut most = 0;
        for code in [
            "(memory.init 0 (i32.const 0) (i32.const 0) (local.get 0))",
            "(table.init 0 (i32.const 0) (i32.const 0) (local.get 0))",
            "(drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1)))",
        ] {
            let text =
                format!("(module (memory 1 1 shared) (table 1 funcref) (data) (elem func) (func (param i32) {code}))");
            let payments = all_payments(&text);
            most = most.max(payments[1].len() as u64);
        }
        assert_eq!(most, PAYMENTS_PER_OWN_FUNCTION);
    }

    #[test]
    fn stretches_are_paid_for() {
        for (code, due) in [
            ("", &[1][..]),
            ("nop (drop (i32.const 1))", &[2]),
            ("(loop (br 0))", &[1, 1]),
            ("(loop (br_if 0 (i32.const 1)))", &[1, 2]),
            ("(if (i32.const 1) (then (nop)) (else (drop (i32.const 1))))", &[3, 1]),
            ("call 0 call 0", &[2, 1]),
            ("unreachable call 0", &[1]),
            ("(block (br 0) (drop (i32.const 1))) (drop (i32.const 1))", &[2, 1]),
        ] {
            assert_eq!(payments(code), due, "{code}");
        }
    }

    #[test]
    fn instrumented_modules_are_not_many_times_as_large() {
        for (code, most) in [
            ("unreachable".to_string() + &" return".repeat(10_000), 1),
            ("unreachable".to_string() + &" loop end".repeat(10_000), 1),
            ("loop i32.const 1 br_if 0 end ".repeat(10_000), 5),
            ("i32.const 1 br_if 0 ".repeat(10_000), 8),
            ("br 0 ".repeat(10_000), 1),
            ("block br 0 end ".repeat(10_000), 6),
            ("memory.size memory.grow drop ".repeat(10_000), 2),
        ] {
            let wasm = binary(&format!("(module (memory 1) (func {code}))"));
            let after = instrumented(&wasm, ALL).expect("it pays").wasm.len();
            assert!(after < most * wasm.len() + 300, "{after} of {}: {}", wasm.len(), &code[..20]);
        }
    }

    #[test]
    fn what_asks_for_nothing_stays() {
        let text = "(module (memory 1) (func (drop (memory.size))))";
        assert!(instrumented(&binary(text), GROWTH).is_none());
        assert!(instrumented(&binary(text), ALL).is_some_and(|all| all.grown.is_empty() && all.account.is_some()));
        assert!(instrumented(&binary("(module)"), ALL).is_some());
        let error = instrument(b"\0asm\x01\0\0\0\x0a\x05", ALL).err().expect("it ends early");
        assert!(error.message.contains("at offset 0xa"), "{}", error.message);
    }

    /// Otherwise it would move them, or wait, without paying.
    #[test]
    fn what_moves_something_unknown_is_refused() {
        let wasm = binary(
            "(module (table 1 (ref null (shared func))) (memory 1) (func (param i32)
            (memory.fill (i32.const 0) (i32.const 1) (local.get 0))
            (table.fill (i32.const 0) (ref.null (shared func)) (local.get 0))))",
        );
        let error = instrument(&wasm, ALL).err().expect("it is not known");
        assert_eq!(error.kind, ErrorKind::Unsupported);
        assert!(
            error.message.contains("moves elements of a type that this library does not know"),
            "{}",
            error.message
        );
        assert!(instrument(&wasm, GROWTH).expect("no error").is_none());
    }

    /// Indices of what is added do not exist in the original.
    #[test]
    fn nothing_reaches_what_is_added() {
        let wasm = binary("(module (global (mut i64) (i64.const 0)) (func (call 0) (drop (global.get 0))))");
        for (operator, replaced) in [([0x10, 0], [0x10, 1]), ([0x10, 0], [0x10, 2]), ([0x23, 0], [0x23, 1])] {
            let mut wasm = wasm.clone();
            let place = wasm.windows(2).rposition(|bytes| bytes == operator).expect("the instruction");
            wasm[place..place + 2].copy_from_slice(&replaced);
            let error = instrument(&wasm, ALL).err().unwrap_or_else(|| panic!("{replaced:?}"));
            assert!(error.message.contains("refers to what it does not have"), "{}", error.message);
        }
        assert!(instrument(&wasm, ALL).expect("no error").is_some());
    }

    #[test]
    fn requests_are_told_apart() {
        assert_eq!(Request::of(0, -5, 0), Request::Pay(-5));
        assert_eq!(Request::of(1, 0, 0), Request::GrowthFailed);
        assert_eq!(Request::of(4, 3, -1), Request::Grow { number: 2, size: 3, delta: u64::MAX });
    }
}
