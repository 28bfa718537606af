//! Charges fuel for the bytes and elements that instructions move, where instructions are charged one by one. Charging
//! before an instruction runs would be wrong: one that traps, or returns -1, would run out of fuel instead. So each
//! instruction that moves bytes or elements is replaced by a call of a function that is added at the module's end. That
//! function executes the instruction and then spends a unit for every 64 bytes or elements, in a loop.
//!
//! Instructions that wait for another thread are replaced in the same way, where there is interruption, because nobody asks
//! whether to go on while one waits. So the added function waits for a while, and then again, in a loop, where that is
//! asked.
//!
//! Functions keep their indices, and code its order. But a call can be longer than the instruction that it replaces,
//! and then everything behind it lies at a higher offset than in the original; [`Places`] translates offsets back.

use super::declarations::import_kind;
use super::sections::{CODE, FUNCTIONS, TYPES, write_leb128, write_signed};
use crate::runtime::base::error::{Error, ErrorKind, Result};
use crate::runtime::base::types::ExternKind;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::ops::Range;
use wasmparser::{
    AbstractHeapType, BinaryReader, CompositeInnerType, HeapType, Operator, Parser, Payload, RefType, StorageType,
    TypeRef, UnpackedIndex, ValType,
};

/// Bytes or elements per unit of fuel.
const PER_UNIT: i64 = 64;

/// The fuel that one iteration of the loop in `spend` uses: all instructions in it except `loop`.
const ROUND: i64 = 9;

/// Amounts below this cost no more than the instruction itself.
const FREE: i32 = PER_UNIT as i32;

/// The largest number of functions, and of types, that engines accept.
const MAX_DEFINITIONS: usize = 1_000_000;

/// The longest time that a guest waits at once, in nanoseconds.
const SLICE: i64 = 10_000_000;

/// What instructions are replaced for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Replaced {
    /// Those that move bytes or elements, to be charged for that.
    pub bulk: bool,
    /// Those that wait, to be interrupted.
    pub waits: bool,
}

pub struct Metered {
    pub wasm: Vec<u8>,
    pub places: Places,
}

/// What came of an attempt to rewrite a module.
pub enum Rewriting {
    Done(Metered),
    /// There is nothing to replace.
    Unneeded,
    /// The module is invalid, or has something that is not known here. Nothing was replaced.
    Unknown,
}

impl Rewriting {
    pub fn done(self) -> Option<Metered> {
        match self {
            Rewriting::Done(metered) => Some(metered),
            Rewriting::Unneeded | Rewriting::Unknown => None,
        }
    }
}

/// Translates places in a rewritten module to places in the original.
#[derive(Clone, Default)]
pub struct Places {
    /// The number of functions in the original; functions with higher indices were added. `None` if nothing was
    /// rewritten.
    functions: Option<u32>,
    /// Pairs of an offset in the rewritten module and a distance, ascending: from that offset on, everything is that
    /// much further on than in the original.
    shifts: Vec<(u32, u32)>,
}

impl Places {
    /// How many functions the original has; `None` if nothing was rewritten.
    pub fn functions(&self) -> Option<usize> {
        self.functions.map(|functions| functions as usize)
    }

    /// Whether the function was added by the rewriting.
    pub fn is_added(&self, function: u32) -> bool {
        self.functions.is_some_and(|functions| function >= functions)
    }

    pub fn original(&self, offset: usize) -> usize {
        let after = self.shifts.partition_point(|(from, _)| *from as usize <= offset);
        let shift = after.checked_sub(1).map_or(0, |position| self.shifts[position].1);
        offset.saturating_sub(shift as usize)
    }

    pub fn is_empty(&self) -> bool {
        self.functions.is_none()
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let Some(functions) = self.functions else { return Vec::new() };
        let numbers = self.shifts.iter().flat_map(|(from, shift)| [*from, *shift]);
        [functions].into_iter().chain(numbers).flat_map(u32::to_le_bytes).collect()
    }

    pub fn from_bytes(bytes: &[u8]) -> Option<Places> {
        let (numbers, rest) = bytes.as_chunks::<4>();
        let numbers: Vec<_> = numbers.iter().map(|number| u32::from_le_bytes(*number)).collect();
        let Some((functions, shifts)) = numbers.split_first() else {
            return rest.is_empty().then(Places::default);
        };
        let (shifts, odd) = shifts.as_chunks::<2>();
        let whole = rest.is_empty() && odd.is_empty();
        whole.then(|| Places {
            functions: Some(*functions),
            shifts: shifts.iter().map(|[from, shift]| (*from, *shift)).collect(),
        })
    }
}

/// An instruction that moves bytes or elements, with its immediates.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Bulk {
    MemoryFill(u32),
    MemoryCopy(u32, u32),
    MemoryInit(u32, u32),
    TableFill(u32),
    TableCopy(u32, u32),
    TableInit(u32, u32),
    TableGrow(u32),
    ArrayNew(u32),
    ArrayNewDefault(u32),
    ArrayNewData(u32, u32),
    ArrayNewElem(u32, u32),
    ArrayFill(u32),
    ArrayCopy(u32, u32),
    ArrayInitData(u32, u32),
    ArrayInitElem(u32, u32),
    /// Not one that moves anything: `memory.atomic.wait32`. The memory, the alignment and the offset.
    Wait32(u32, u8, u64),
    Wait64(u32, u8, u64),
}

impl Bulk {
    fn is_wait(self) -> bool {
        matches!(self, Bulk::Wait32(..) | Bulk::Wait64(..))
    }

    fn of(operator: &Operator) -> Option<Bulk> {
        Some(match *operator {
            Operator::MemoryFill { mem } => Bulk::MemoryFill(mem),
            Operator::MemoryCopy { dst_mem, src_mem } => Bulk::MemoryCopy(dst_mem, src_mem),
            Operator::MemoryInit { data_index, mem } => Bulk::MemoryInit(data_index, mem),
            Operator::TableFill { table } => Bulk::TableFill(table),
            Operator::TableCopy { dst_table, src_table } => Bulk::TableCopy(dst_table, src_table),
            Operator::TableInit { elem_index, table } => Bulk::TableInit(elem_index, table),
            Operator::TableGrow { table } => Bulk::TableGrow(table),
            Operator::ArrayNew { array_type_index } => Bulk::ArrayNew(array_type_index),
            Operator::ArrayNewDefault { array_type_index } => Bulk::ArrayNewDefault(array_type_index),
            Operator::ArrayNewData { array_type_index, array_data_index } => {
                Bulk::ArrayNewData(array_type_index, array_data_index)
            }
            Operator::ArrayNewElem { array_type_index, array_elem_index } => {
                Bulk::ArrayNewElem(array_type_index, array_elem_index)
            }
            Operator::ArrayFill { array_type_index } => Bulk::ArrayFill(array_type_index),
            Operator::ArrayCopy { array_type_index_dst, array_type_index_src } => {
                Bulk::ArrayCopy(array_type_index_dst, array_type_index_src)
            }
            Operator::ArrayInitData { array_type_index, array_data_index } => {
                Bulk::ArrayInitData(array_type_index, array_data_index)
            }
            Operator::ArrayInitElem { array_type_index, array_elem_index } => {
                Bulk::ArrayInitElem(array_type_index, array_elem_index)
            }
            Operator::MemoryAtomicWait32 { memarg } => Bulk::Wait32(memarg.memory, memarg.align, memarg.offset),
            Operator::MemoryAtomicWait64 { memarg } => Bulk::Wait64(memarg.memory, memarg.align, memarg.offset),
            _ => return None,
        })
    }

    /// Appends the instruction in binary form.
    fn encode(self, out: &mut Vec<u8>) {
        const BULK: u8 = 0xfc;
        const GC: u8 = 0xfb;
        let (prefix, code, indices): (u8, u8, &[u32]) = match self {
            Bulk::Wait32(memory, align, offset) => return encode_wait(1, memory, align, offset, out),
            Bulk::Wait64(memory, align, offset) => return encode_wait(2, memory, align, offset, out),
            Bulk::MemoryInit(data, memory) => (BULK, 8, &[data, memory]),
            Bulk::MemoryCopy(to, from) => (BULK, 10, &[to, from]),
            Bulk::MemoryFill(memory) => (BULK, 11, &[memory]),
            Bulk::TableInit(elements, table) => (BULK, 12, &[elements, table]),
            Bulk::TableCopy(to, from) => (BULK, 14, &[to, from]),
            Bulk::TableGrow(table) => (BULK, 15, &[table]),
            Bulk::TableFill(table) => (BULK, 17, &[table]),
            Bulk::ArrayNew(ty) => (GC, 6, &[ty]),
            Bulk::ArrayNewDefault(ty) => (GC, 7, &[ty]),
            Bulk::ArrayNewData(ty, data) => (GC, 9, &[ty, data]),
            Bulk::ArrayNewElem(ty, elements) => (GC, 10, &[ty, elements]),
            Bulk::ArrayFill(ty) => (GC, 16, &[ty]),
            Bulk::ArrayCopy(to, from) => (GC, 17, &[to, from]),
            Bulk::ArrayInitData(ty, data) => (GC, 18, &[ty, data]),
            Bulk::ArrayInitElem(ty, elements) => (GC, 19, &[ty, elements]),
        };
        out.extend([prefix, code]);
        indices.iter().for_each(|index| write_leb128(out, *index as usize));
    }
}

fn encode_wait(code: u8, memory: u32, align: u8, offset: u64, out: &mut Vec<u8>) {
    const ATOMIC: u8 = 0xfe;
    /// Says that the index of a memory follows.
    const MEMORY_FOLLOWS: u8 = 0x40;
    match memory {
        0 => out.extend([ATOMIC, code, align]),
        _ => {
            out.extend([ATOMIC, code, align | MEMORY_FOLLOWS]);
            write_leb128(out, memory as usize);
        }
    }
    write_leb128(out, offset as usize);
}

const I32: u8 = 0x7f;
const I64: u8 = 0x7e;
const NULLABLE: u8 = 0x63;
const NOT_NULL: u8 = 0x64;

/// What the rewriting has to know about a module.
#[derive(Default)]
struct Module {
    types: usize,
    /// For each array type, by its index: the type of an element when it is a value, in binary form. Empty if it is
    /// of a kind that is not supported here.
    arrays: FxHashMap<u32, Vec<u8>>,
    functions: usize,
    /// For each memory, the type of its indices.
    memories: Vec<u8>,
    /// For each table, the type of its indices and the type of its elements.
    tables: Vec<(u8, Vec<u8>)>,
    sections: Vec<(u8, Range<usize>)>,
    /// Whether it has a memory that threads share. Only then may anything wait.
    shared: bool,
    bodies: Vec<Range<usize>>,
    sites: Vec<(Range<usize>, Bulk)>,
}

impl Module {
    fn parse(wasm: &[u8], replaced: Replaced) -> wasmparser::Result<Module> {
        let mut module = Module::default();
        for payload in Parser::new(0).parse_all(wasm) {
            let payload = payload?;
            if let Some((id, range)) = payload.as_section() {
                module.sections.push((id, range));
            }
            match payload {
                Payload::TypeSection(section) => {
                    for group in section {
                        for ty in group?.types() {
                            if let CompositeInnerType::Array(array) = &ty.composite_type.inner {
                                module.arrays.insert(module.types as u32, element_type(array.0.element_type));
                            }
                            module.types += 1;
                        }
                    }
                }
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        let ty = import?.ty;
                        match ty {
                            TypeRef::Memory(ty) => module.memory_type(&ty),
                            TypeRef::Table(ty) => module.table(&ty),
                            _ => module.functions += usize::from(import_kind(&ty) == ExternKind::Func),
                        }
                    }
                }
                Payload::FunctionSection(section) => module.functions += section.count() as usize,
                Payload::TableSection(section) => {
                    for table in section {
                        module.table(&table?.ty);
                    }
                }
                Payload::MemorySection(section) => {
                    for memory in section {
                        module.memory_type(&memory?);
                    }
                }
                Payload::CodeSectionStart { .. } if !replaced.bulk && !module.shared => break,
                Payload::CodeSectionEntry(body) => {
                    module.bodies.push(body.range());
                    let mut operators = body.get_operators_reader()?;
                    let mut little = false;
                    while !operators.eof() {
                        let (operator, offset) = operators.read_with_offset()?;
                        if let Some(bulk) = Bulk::of(&operator)
                            && (if bulk.is_wait() { replaced.waits } else { replaced.bulk && !little })
                        {
                            module.sites.push((offset..operators.original_position(), bulk));
                        }
                        little = matches!(operator, Operator::I32Const { value } if (0..FREE).contains(&value));
                    }
                }
                _ => {}
            }
        }
        Ok(module)
    }

    fn table(&mut self, ty: &wasmparser::TableType) {
        self.tables.push((index_type(ty.table64), reference_type(ty.element_type)));
    }

    fn memory_type(&mut self, ty: &wasmparser::MemoryType) {
        self.memories.push(index_type(ty.memory64));
        self.shared |= ty.shared;
    }

    fn memory(&self, index: u32) -> Option<u8> {
        self.memories.get(index as usize).copied()
    }

    /// Returns the type of the function that executes an instruction.
    fn signature(&self, bulk: Bulk) -> Option<Signature> {
        let table = |index: u32| self.tables.get(index as usize).filter(|(_, element)| !element.is_empty());
        let element = |ty: u32| self.arrays.get(&ty).filter(|element| !element.is_empty());
        // The amount has the smaller of the two index types, as the specification says for copies.
        let both = |to: u8, from: u8| vec![vec![to], vec![from], vec![if to == I64 { from } else { I32 }]];
        let i32 = || vec![I32];
        let wait = |memory, ty| Some((vec![vec![self.memory(memory)?], vec![ty], vec![I64]], Some(i32())));
        let (params, result) = match bulk {
            Bulk::MemoryFill(memory) => (vec![vec![self.memory(memory)?], i32(), vec![self.memory(memory)?]], None),
            Bulk::MemoryCopy(to, from) => (both(self.memory(to)?, self.memory(from)?), None),
            Bulk::MemoryInit(_, memory) => (vec![vec![self.memory(memory)?], i32(), i32()], None),
            Bulk::TableInit(_, index) => (vec![vec![table(index)?.0], i32(), i32()], None),
            Bulk::TableCopy(to, from) => (both(table(to)?.0, table(from)?.0), None),
            Bulk::TableGrow(index) => {
                let (ty, element) = table(index)?;
                (vec![element.clone(), vec![*ty]], Some(vec![*ty]))
            }
            Bulk::TableFill(index) => {
                let (ty, element) = table(index)?;
                (vec![vec![*ty], element.clone(), vec![*ty]], None)
            }
            Bulk::ArrayNew(ty) => (vec![element(ty)?.clone(), i32()], Some(array(ty, false))),
            Bulk::ArrayNewDefault(ty) => (vec![i32()], Some(array(ty, false))),
            Bulk::ArrayNewData(ty, _) | Bulk::ArrayNewElem(ty, _) => (vec![i32(), i32()], Some(array(ty, false))),
            Bulk::ArrayFill(ty) => (vec![array(ty, true), i32(), element(ty)?.clone(), i32()], None),
            Bulk::ArrayCopy(to, from) => (vec![array(to, true), i32(), array(from, true), i32(), i32()], None),
            Bulk::ArrayInitData(ty, _) | Bulk::ArrayInitElem(ty, _) => {
                (vec![array(ty, true), i32(), i32(), i32()], None)
            }
            Bulk::Wait32(memory, ..) => wait(memory, I32)?,
            Bulk::Wait64(memory, ..) => wait(memory, I64)?,
        };
        Some(Signature { params, result })
    }
}

/// A function that is added for an instruction. `ty` is the index of its type.
struct Added {
    bulk: Bulk,
    signature: Signature,
    ty: usize,
}

/// The type of an added function, in binary form. Its last parameter is the amount that is moved.
struct Signature {
    params: Vec<Vec<u8>>,
    result: Option<Vec<u8>>,
}

impl Signature {
    fn encoded(&self) -> Vec<u8> {
        let mut out = vec![0x60, self.params.len() as u8];
        self.params.iter().for_each(|param| out.extend(param));
        out.push(u8::from(self.result.is_some()));
        out.extend(self.result.iter().flatten());
        out
    }

    /// Appends the body of the function, which executes the instruction and then spends fuel, or waits.
    fn encode_body(&self, bulk: Bulk, out: &mut Vec<u8>) {
        if bulk.is_wait() {
            return wait_in_slices(bulk, out);
        }
        let last = self.params.len() as u8 - 1;
        let amount = self.params[usize::from(last)][0];
        match bulk {
            Bulk::TableGrow(_) => out.extend([1, 1, amount]),
            _ => out.push(0),
        }
        (0..=last).for_each(|param| out.extend([LOCAL_GET, param]));
        bulk.encode(out);
        match bulk {
            // A table that did not grow has moved nothing.
            Bulk::TableGrow(_) => {
                let grown = last + 1;
                out.extend([LOCAL_TEE, grown]);
                out.extend(if amount == I64 { [I64_CONST, MINUS_ONE, I64_NE] } else { [I32_CONST, MINUS_ONE, I32_NE] });
                out.extend([IF, VOID]);
                spend(last, amount, out);
                out.extend([END, LOCAL_GET, grown]);
            }
            _ => spend(last, amount, out),
        }
        out.push(END);
    }
}

fn array(ty: u32, nullable: bool) -> Vec<u8> {
    let mut out = vec![if nullable { NULLABLE } else { NOT_NULL }];
    write_signed(&mut out, ty.into());
    out
}

/// Returns the type that an element of an array has as a value.
fn element_type(ty: StorageType) -> Vec<u8> {
    vec![match ty {
        StorageType::I8 | StorageType::I16 | StorageType::Val(ValType::I32) => I32,
        StorageType::Val(ValType::I64) => I64,
        StorageType::Val(ValType::F32) => 0x7d,
        StorageType::Val(ValType::F64) => 0x7c,
        StorageType::Val(ValType::V128) => 0x7b,
        StorageType::Val(ValType::Ref(ty)) => return reference_type(ty),
    }]
}

pub(super) fn index_type(is_64_bit: bool) -> u8 {
    if is_64_bit { I64 } else { I32 }
}

/// Returns a reference type in binary form, or nothing for one that is not supported here. Engines without the garbage
/// collector's proposal know the short form only.
pub(super) fn reference_type(ty: RefType) -> Vec<u8> {
    let mut out = match ty.heap_type() {
        HeapType::Abstract { .. } if ty.is_nullable() => Vec::new(),
        _ => vec![if ty.is_nullable() { NULLABLE } else { NOT_NULL }],
    };
    match ty.heap_type() {
        HeapType::Abstract { shared: false, ty } => out.push(match ty {
            AbstractHeapType::Func => 0x70,
            AbstractHeapType::Extern => 0x6f,
            AbstractHeapType::Any => 0x6e,
            AbstractHeapType::None => 0x71,
            AbstractHeapType::NoExtern => 0x72,
            AbstractHeapType::NoFunc => 0x73,
            AbstractHeapType::Eq => 0x6d,
            AbstractHeapType::Struct => 0x6b,
            AbstractHeapType::Array => 0x6a,
            AbstractHeapType::I31 => 0x6c,
            AbstractHeapType::Exn => 0x69,
            AbstractHeapType::NoExn => 0x74,
            _ => return Vec::new(),
        }),
        HeapType::Concrete(UnpackedIndex::Module(index)) => write_signed(&mut out, index.into()),
        _ => return Vec::new(),
    }
    out
}

/// Returns the module with calls in place of instructions.
pub fn rewrite(wasm: &[u8], replaced: Replaced) -> Result<Rewriting> {
    if !replaced.bulk && !replaced.waits {
        return Ok(Rewriting::Unneeded);
    }
    let Ok(module) = Module::parse(wasm, replaced) else { return Ok(Rewriting::Unknown) };
    // No hashes: a guest chooses the offsets.
    let mut added: BTreeMap<Bulk, usize> = BTreeMap::new();
    let mut functions = Vec::new();
    // The types that are added, in binary form, and their indices.
    let mut types = Vec::new();
    let mut indices: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    for (_, bulk) in &module.sites {
        if added.contains_key(bulk) {
            continue;
        }
        let Some(signature) = module.signature(*bulk) else { return Ok(Rewriting::Unknown) };
        let next = module.types + indices.len();
        let ty = *indices.entry(signature.encoded()).or_insert_with_key(|encoded| {
            types.extend_from_slice(encoded);
            next
        });
        added.insert(*bulk, module.functions + functions.len());
        functions.push(Added { bulk: *bulk, signature, ty });
    }
    if functions.is_empty() {
        return Ok(Rewriting::Unneeded);
    }
    if module.functions.max(module.types) > MAX_DEFINITIONS {
        return Ok(Rewriting::Unknown);
    }
    let definitions = (module.functions + functions.len()).max(module.types + indices.len());
    if definitions > MAX_DEFINITIONS || u32::try_from(wasm.len()).is_err() {
        let message = "the module is too large for its instructions that move bytes or elements to be paid for with fuel, or for those that wait to be interrupted";
        return Err(Error::new(ErrorKind::Limit, message));
    }
    let mut rewriter = Rewriter { wasm, out: Vec::with_capacity(wasm.len() + 64 * functions.len()), shifts: vec![] };
    let mut end = 8;
    rewriter.copy(0..end);
    for (id, contents) in &module.sections {
        match *id {
            TYPES => rewriter.section(TYPES, contents.clone(), indices.len(), |out| out.extend_from_slice(&types)),
            FUNCTIONS => rewriter.section(FUNCTIONS, contents.clone(), functions.len(), |out| {
                functions.iter().for_each(|function| write_leb128(out, function.ty));
            }),
            CODE => rewriter.code(contents.clone(), &module, &added, &functions),
            // Starts at `end`, so that the section's header, which lies before its contents, is copied as well.
            _ => rewriter.copy(end..contents.end),
        }
        end = contents.end;
    }
    let places = Places { functions: Some(module.functions as u32), shifts: rewriter.shifts };
    Ok(Rewriting::Done(Metered { wasm: rewriter.out, places }))
}

struct Rewriter<'a> {
    wasm: &'a [u8],
    out: Vec<u8>,
    shifts: Vec<(u32, u32)>,
}

impl Rewriter<'_> {
    /// Copies a part of the original, and notes how far it has moved.
    fn copy(&mut self, range: Range<usize>) {
        // This does not underflow: numbers are written with at least as many bytes as in the original, so nothing
        // moves to a lower offset.
        let shift = (self.out.len() - range.start) as u32;
        if self.shifts.last().map_or(0, |(_, last)| *last) != shift {
            self.shifts.push((self.out.len() as u32, shift));
        }
        self.out.extend_from_slice(&self.wasm[range]);
    }

    /// Begins a section with `more` entries than the original has. Returns the position of its size, which `end`
    /// writes, and where the entries begin in the original.
    fn begin(&mut self, id: u8, contents: Range<usize>, more: usize) -> (usize, usize) {
        let mut reader = BinaryReader::new(&self.wasm[contents.clone()], 0);
        // `Module::parse` has read this number, so it is well-formed.
        let count = reader.read_var_u32().unwrap_or(0) as usize;
        self.out.push(id);
        let size = self.out.len();
        padded_leb(&mut self.out, 0);
        padded_leb(&mut self.out, count + more);
        (size, contents.start + reader.original_position())
    }

    /// Writes the size of everything after the size field at `size`.
    fn end(&mut self, size: usize) {
        let mut bytes = Vec::with_capacity(PADDED);
        padded_leb(&mut bytes, self.out.len() - size - PADDED);
        self.out[size..size + PADDED].copy_from_slice(&bytes);
    }

    fn section(&mut self, id: u8, contents: Range<usize>, more: usize, add: impl FnOnce(&mut Vec<u8>)) {
        let (size, entries) = self.begin(id, contents.clone(), more);
        self.copy(entries..contents.end);
        add(&mut self.out);
        self.end(size);
    }

    fn code(&mut self, contents: Range<usize>, module: &Module, added: &BTreeMap<Bulk, usize>, functions: &[Added]) {
        let (section, mut copied) = self.begin(CODE, contents.clone(), functions.len());
        let mut sites = module.sites.iter().peekable();
        for body in &module.bodies {
            if sites.peek().is_none_or(|(site, _)| site.start >= body.end) {
                continue;
            }
            let before = self.wasm[copied..body.start].len() - leb_length(body.len(), &self.wasm[..body.start]);
            self.copy(copied..copied + before);
            let size = self.out.len();
            padded_leb(&mut self.out, 0);
            copied = body.start;
            while let Some((site, bulk)) = sites.next_if(|(site, _)| site.start < body.end) {
                self.copy(copied..site.start);
                self.call(added[bulk], site.len());
                copied = site.end;
            }
            self.copy(copied..body.end);
            copied = body.end;
            self.end(size);
        }
        self.copy(copied..contents.end);
        for Added { bulk, signature, .. } in functions {
            let size = self.out.len();
            padded_leb(&mut self.out, 0);
            signature.encode_body(*bulk, &mut self.out);
            self.end(size);
        }
        self.end(section);
    }

    /// Appends a call that is, if possible, exactly as long as the instruction that it replaces.
    fn call(&mut self, function: usize, length: usize) {
        let start = self.out.len();
        self.out.push(0x10);
        write_leb128(&mut self.out, function);
        // The encoding of a number may be padded, up to the length of the largest number.
        while self.out.len() - start < length.min(1 + PADDED) {
            if let Some(last) = self.out.last_mut() {
                *last |= 0x80;
            }
            self.out.push(0);
        }
        const NOP: u8 = 0x01;
        self.out.resize(self.out.len().max(start + length), NOP);
    }
}

/// Returns the length of the LEB128 number at the end of `bytes` whose value is `value`. It may be padded.
fn leb_length(value: usize, bytes: &[u8]) -> usize {
    let ends_with = |length: &usize| {
        let mut reader = BinaryReader::new(&bytes[bytes.len() - length..], 0);
        let number = reader.read_var_u32();
        number.is_ok_and(|number| number as usize == value) && reader.eof()
    };
    (1..=PADDED).rev().find(ends_with).unwrap_or(1)
}

const BLOCK: u8 = 0x02;
const LOOP: u8 = 0x03;
const IF: u8 = 0x04;
const END: u8 = 0x0b;
const BR: u8 = 0x0c;
const BR_IF: u8 = 0x0d;
const LOCAL_GET: u8 = 0x20;
const LOCAL_SET: u8 = 0x21;
const LOCAL_TEE: u8 = 0x22;
const I32_CONST: u8 = 0x41;
const I64_CONST: u8 = 0x42;
const I32_EQ: u8 = 0x46;
const I32_NE: u8 = 0x47;
const I32_LT_U: u8 = 0x49;
const I64_NE: u8 = 0x52;
const I64_LT_U: u8 = 0x54;
const I64_GT_U: u8 = 0x56;
const I64_GE_S: u8 = 0x59;
const I32_SUB: u8 = 0x6b;
const I32_AND: u8 = 0x71;
const SELECT: u8 = 0x1b;
const I64_SUB: u8 = 0x7d;
const VOID: u8 = 0x40;
const MINUS_ONE: u8 = 0x7f;

/// Appends code that spends fuel for the amount in a local, and destroys the local's value.
fn spend(local: u8, ty: u8, out: &mut Vec<u8>) {
    let (constant, less, minus) =
        if ty == I64 { (I64_CONST, I64_LT_U, I64_SUB) } else { (I32_CONST, I32_LT_U, I32_SUB) };
    out.extend([BLOCK, VOID, LOOP, VOID]);
    out.extend([LOCAL_GET, local, constant]);
    write_signed(out, ROUND * PER_UNIT);
    out.extend([less, BR_IF, 1, LOCAL_GET, local, constant]);
    write_signed(out, ROUND * PER_UNIT);
    out.extend([minus, LOCAL_SET, local, BR, 0, END, END]);
}

/// Appends the body of a function that waits, with the parameters of the instruction: an address, the value that is
/// expected there, and a time, which has no end if it is negative.
///
/// When it waits again and the value has changed meanwhile, the answer is that it was woken, as it is for a guest that has
/// waited all the time: who changes the value wakes those who wait for it.
fn wait_in_slices(wait: Bulk, out: &mut Vec<u8>) {
    const TIME: u8 = 2;
    const ANSWER: u8 = 3;
    const WAITED: u8 = 4;
    const NOT_EQUAL: u8 = 1;
    const TIMED_OUT: u8 = 2;
    let slice = |out: &mut Vec<u8>| {
        out.push(I64_CONST);
        write_signed(out, SLICE);
    };
    // The two locals.
    out.extend([1, 2, I32]);
    out.extend([LOOP, VOID, LOCAL_GET, 0, LOCAL_GET, 1]);
    // Compared without a sign, a time without end is longer than a slice.
    out.extend([LOCAL_GET, TIME]);
    slice(out);
    out.extend([LOCAL_GET, TIME]);
    slice(out);
    out.extend([I64_LT_U, SELECT]);
    wait.encode(out);
    out.extend([LOCAL_TEE, ANSWER, I32_CONST, TIMED_OUT, I32_EQ, LOCAL_GET, TIME]);
    slice(out);
    out.extend([I64_GT_U, I32_AND, IF, VOID]);
    out.extend([I32_CONST, 1, LOCAL_SET, WAITED, LOCAL_GET, TIME]);
    slice(out);
    out.extend([I64_CONST, 0, LOCAL_GET, TIME, I64_CONST, 0, I64_GE_S, SELECT, I64_SUB, LOCAL_SET, TIME]);
    out.extend([BR, 1, END, END]);
    out.extend([
        LOCAL_GET, ANSWER, LOCAL_GET, ANSWER, I32_CONST, NOT_EQUAL, I32_EQ, LOCAL_GET, WAITED, I32_AND, I32_SUB,
    ]);
    out.push(END);
}

/// The longest encoding of a 32-bit number.
pub(super) const PADDED: usize = 5;

pub(super) fn padded_leb(out: &mut Vec<u8>, number: usize) {
    (0..PADDED).for_each(|position| {
        let more = if position + 1 < PADDED { 0x80 } else { 0 };
        out.push((number >> (7 * position)) as u8 & 0x7f | more);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Replaced = Replaced { bulk: true, waits: true };

    const BULK: &str = "(module
        (import \"\" \"\" (func (param i32)))
        (memory 1) (memory $wide i64 1) (table $t 5 funcref) (table $x i64 5 externref) (table $own 3 (ref null $ty))
        (type $ty (func)) (data \"abc\") (elem funcref (ref.null func)) (elem (ref null $ty) (ref.null $ty))
        (func (export \"a\") (param i32 i64) (result i32)
            (memory.fill (i32.const 0) (i32.const 1) (local.get 0))
            (memory.fill (i32.const 0) (i32.const 1) (i32.const 63))
            (memory.fill $wide (i64.const 0) (i32.const 1) (local.get 1))
            (memory.copy (i32.const 0) (i32.const 1) (local.get 0))
            (memory.copy $wide $wide (i64.const 0) (i64.const 1) (local.get 1))
            (memory.copy $wide 0 (i64.const 0) (i32.const 1) (local.get 0))
            (memory.copy 0 $wide (i32.const 0) (i64.const 1) (local.get 0))
            (memory.init 0 (i32.const 0) (i32.const 1) (local.get 0))
            (memory.init $wide 0 (i64.const 0) (i32.const 1) (local.get 0))
            (i32.load8_u (i32.const 7)))
        (func (export \"b\") (param i32 i64) (result i32)
            (table.fill $t (i32.const 0) (ref.null func) (local.get 0))
            (table.fill $x (i64.const 0) (ref.null extern) (local.get 1))
            (table.fill $own (i32.const 0) (ref.null $ty) (local.get 0))
            (table.copy $t $t (i32.const 0) (i32.const 1) (local.get 0))
            (table.copy $x $x (i64.const 0) (i64.const 1) (local.get 1))
            (table.init $t 0 (i32.const 0) (i32.const 0) (local.get 0))
            (table.init $own 1 (i32.const 0) (i32.const 0) (local.get 0))
            (drop (table.grow $t (ref.null func) (local.get 0)))
            (drop (table.grow $x (ref.null extern) (local.get 1)))
            (drop (table.grow $own (ref.null $ty) (local.get 0)))
            (table.fill $t (i32.const 0) (ref.null func) (local.get 0))
            (i32.const 8))
        (type $bytes (array (mut i8))) (type $refs (array (mut (ref null $bytes)))) (type $funcs (array (mut funcref)))
        (type $floats (array (mut f64)))
        (func (export \"arrays\") (param i32)
            (local $b (ref null $bytes)) (local $r (ref null $refs)) (local $f (ref null $funcs))
            (local.set $b (array.new $bytes (i32.const 1) (local.get 0)))
            (local.set $r (array.new_default $refs (local.get 0)))
            (local.set $b (array.new_data $bytes 0 (i32.const 0) (local.get 0)))
            (local.set $f (array.new_elem $funcs 0 (i32.const 0) (local.get 0)))
            (array.fill $bytes (local.get $b) (i32.const 0) (i32.const 1) (local.get 0))
            (array.fill $refs (local.get $r) (i32.const 0) (local.get $b) (local.get 0))
            (array.copy $bytes $bytes (local.get $b) (i32.const 0) (local.get $b) (i32.const 0) (local.get 0))
            (array.init_data $bytes 0 (local.get $b) (i32.const 0) (i32.const 0) (local.get 0))
            (array.init_elem $funcs 0 (local.get $f) (i32.const 0) (i32.const 0) (local.get 0))
            (drop (array.new $floats (f64.const 1) (local.get 0))))
        FUNCTIONS
        (func (export \"c\") (param i32) (unreachable) (memory.fill (i32.const 0) (i32.const 1) (local.get 0))))";

    fn operators(wasm: &[u8]) -> Vec<(String, usize)> {
        let mut all = Vec::new();
        for payload in Parser::new(0).parse_all(wasm) {
            let Payload::CodeSectionEntry(body) = payload.expect("readable") else { continue };
            let mut operators = body.get_operators_reader().expect("readable");
            while !operators.eof() {
                let (operator, offset) = operators.read_with_offset().expect("readable");
                all.push((format!("{operator:?}"), offset));
            }
        }
        all
    }

    /// The parser has a validator with one engine only.
    fn validate(_wasm: &[u8]) {
        #[cfg(feature = "wasmtime")]
        wasmparser::Validator::new_with_features(wasmparser::WasmFeatures::all()).validate_all(_wasm).expect("valid");
    }

    /// Checks that every instruction is where `places` says, up to the functions that were added.
    fn check(text: &str, small: bool) {
        let wasm = wat::parse_str(text).expect("valid text");
        let metered = rewrite(&wasm, ALL).expect("no error").done().expect("something to do");
        validate(&wasm);
        validate(&metered.wasm);
        let (before, after) = (operators(&wasm), operators(&metered.wasm));
        assert!(after.len() > before.len());
        let mut after = after.iter();
        let mut calls = 0;
        for (operator, offset) in &before {
            let (new, place) = after.by_ref().find(|(new, _)| small || new != "Nop").expect("as many instructions");
            assert_eq!(metered.places.original(*place), *offset, "{operator}");
            let replaced = new != operator;
            assert!(!replaced || new.starts_with("Call {"), "{operator} {new}");
            calls += usize::from(replaced);
        }
        assert_eq!(calls, 30);
        if small {
            assert_eq!(metered.places.shifts.windows(2).filter(|pair| pair[1].1 < pair[0].1).count(), 0);
        }
        let bytes = metered.places.to_bytes();
        let read = Places::from_bytes(&bytes).expect("as written");
        assert_eq!((read.functions, &read.shifts), (metered.places.functions, &metered.places.shifts));
        assert!(Places::from_bytes(&bytes[1..]).is_none());
    }

    #[test]
    fn every_instruction_is_called_and_found_again() {
        check(&BULK.replace("FUNCTIONS", ""), true);
        // With so many functions, their indices need more bytes than the instructions that are replaced.
        check(&BULK.replace("FUNCTIONS", &"(func)".repeat(17_000)), false);
    }

    #[test]
    fn each_type_is_added_once() {
        let waits: String = (0..100)
            .map(|number| {
                format!("(drop (memory.atomic.wait32 offset={number} (local.get 0) (local.get 0) (i64.const 1)))")
            })
            .collect();
        let fills = "(memory.fill (i32.const 0) (i32.const 0) (local.get 0)) (memory.copy (i32.const 0) (i32.const 0) (local.get 0))";
        let text = format!("(module (memory 1 1 shared) (func (param i32) {waits} {fills}))");
        let Metered { wasm, .. } = rewrite(&wat::parse_str(&text).expect("valid text"), ALL)
            .expect("no error")
            .done()
            .expect("something to do");
        validate(&wasm);
        let module = Module::parse(&wasm, ALL).expect("readable");
        assert_eq!((module.types, module.functions), (1 + 2, 1 + 102));
    }

    #[test]
    fn types_of_references_are_short() {
        let text = "(module (table $f 1 funcref) (table $e 1 externref) (table $n 1 (ref func) (ref.func 0))
            (func (param i32) (drop (table.grow $f (ref.null func) (local.get 0)))
            (drop (table.grow $e (ref.null extern) (local.get 0)))
            (table.fill $f (i32.const 0) (ref.null func) (local.get 0))
            (table.fill $e (i32.const 0) (ref.null extern) (local.get 0)) GROW))";
        let long = |text: &str| {
            let Metered { wasm, .. } = rewrite(&wat::parse_str(text).expect("valid text"), ALL)
                .expect("no error")
                .done()
                .expect("something to do");
            validate(&wasm);
            let module = Module::parse(&wasm, ALL).expect("readable");
            let types = module.sections.iter().find(|(id, _)| *id == TYPES).expect("types");
            wasm[types.1.clone()].iter().filter(|byte| [NULLABLE, NOT_NULL].contains(byte)).count()
        };
        assert_eq!(long(&text.replace("GROW", "")), 0);
        assert_eq!(long(&text.replace("GROW", "(drop (table.grow $n (ref.func 0) (local.get 0)))")), 1);
    }

    #[test]
    fn what_waits_is_called() {
        let text = "(module (memory 1 1 shared) (memory $wide i64 1 1 shared) (func (param i32 i64) (result i32)
            (drop (memory.atomic.wait32 offset=8 (local.get 0) (local.get 0) (i64.const -1)))
            (drop (memory.atomic.wait32 $wide offset=0x100000000 (local.get 1) (local.get 0) (i64.const 5)))
            (drop (memory.atomic.notify (local.get 0) (i32.const 1)))
            (memory.fill (i32.const 0) (i32.const 0) (local.get 0))
            (memory.atomic.wait64 offset=8 (local.get 0) (local.get 1) (i64.const -1))))";
        let wasm = wat::parse_str(text).expect("valid text");
        let calls = |replaced| {
            let metered = rewrite(&wasm, replaced).expect("no error").done();
            let Some(Metered { wasm, .. }) = metered else { return 0 };
            validate(&wasm);
            operators(&wasm).iter().filter(|(operator, _)| operator.starts_with("Call {")).count()
        };
        assert_eq!(calls(ALL), 4);
        assert_eq!(calls(Replaced { bulk: false, waits: true }), 3);
        assert_eq!(calls(Replaced { bulk: true, waits: false }), 1);
        assert_eq!(calls(Replaced { bulk: false, waits: false }), 0);
    }

    #[test]
    fn what_is_not_known_is_told_apart() {
        for text in [
            "(module (table 1 (ref null (shared func))) (func (param i32)
                (table.fill (i32.const 0) (ref.null (shared func)) (local.get 0))))",
            "(module (type $a (array (mut (ref null (shared any))))) (func (param i32)
                (drop (array.new $a (ref.null (shared any)) (local.get 0)))))",
        ] {
            let rewriting = rewrite(&wat::parse_str(text).expect("valid text"), ALL).expect("no error");
            assert!(matches!(rewriting, Rewriting::Unknown), "{text}");
        }
        let cut = b"\0asm\x01\0\0\0\x0a\x05";
        assert!(matches!(rewrite(cut, ALL), Ok(Rewriting::Unknown)));
        let many = "(module (memory 1) (func (param i32) (memory.fill (i32.const 0) (i32.const 0) (local.get 0))))";
        let mut wasm = wat::parse_str(many).expect("valid text");
        // A section of very many types that are as small as types get.
        let mut types = Vec::new();
        write_leb128(&mut types, MAX_DEFINITIONS + 1);
        types.extend([0x60, 1, I32, 0]);
        types.extend([0x5f, 0].repeat(MAX_DEFINITIONS));
        let section = Module::parse(&wasm, ALL).expect("readable").sections[0].1.clone();
        let mut length = Vec::new();
        write_leb128(&mut length, types.len());
        wasm.splice(section.start - 1..section.end, [length, types].concat());
        assert_eq!(Module::parse(&wasm, ALL).expect("readable").types, MAX_DEFINITIONS + 1);
        assert!(matches!(rewrite(&wasm, ALL), Ok(Rewriting::Unknown)));
    }

    #[test]
    fn what_needs_nothing_stays() {
        for text in [
            "(module)",
            "(module (memory 1) (func (drop (memory.atomic.notify (i32.const 0) (i32.const 1)))))",
            "(module (memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 63))))",
        ] {
            let rewriting = rewrite(&wat::parse_str(text).expect("valid text"), ALL).expect("no error");
            assert!(matches!(rewriting, Rewriting::Unneeded), "{text}");
        }
        assert!(Places::from_bytes(&[]).is_some_and(|places| places.is_empty()));
        assert_eq!(Places::default().original(77), 77);
    }
}
