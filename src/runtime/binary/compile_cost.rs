//! Estimates what it will cost to compile a module, from one pass over its bytes, before a compiler sees them.
//!
//! The time and memory that a compiler to machine code needs can grow faster than the size of the module: it makes a
//! value for each local that changes where control flow meets, one for each value that a branch carries, one for each
//! argument and result of a call. A few bytes can ask for thousands of those. This module counts them without making
//! any. The unit is the cost of a plain instruction: on today's machines some two microseconds and 250 bytes.

use super::code::{Code, FOLLOWS, after_common};
use super::metering::{PAYMENT_BYTES, PAYMENT_INSTRUCTIONS, ends_stretch};
use wasmparser::{BlockType, Catch, CompositeInnerType, ConstExpr, Operator, StorageType, SubType, TypeRef, ValType};

/// What can make a function expensive to compile.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub enum Part {
    /// Instructions. Those of some proposals need much more code than others, and count for more.
    Instructions,
    /// Locals times blocks: compilers keep a table of that size.
    Locals,
    /// Locals that change where control flow meets, once for each such place and each way to reach it.
    Joins,
    /// Values that blocks and branches carry.
    Values,
    /// Arguments and results of calls, fields of structures, elements of arrays.
    Calls,
    /// Exception handlers around calls.
    Handlers,
}

const PARTS: usize = 6;

/// The cost of a function, split by what causes it.
#[derive(Clone, Copy, Default)]
pub struct Cost([u64; PARTS]);

impl Cost {
    pub fn add(&mut self, part: Part, units: u64) {
        let sum = &mut self.0[part as usize];
        *sum = sum.saturating_add(units);
    }

    pub fn join(&mut self, other: &Cost) {
        for (sum, units) in self.0.iter_mut().zip(&other.0) {
            *sum = sum.saturating_add(*units);
        }
    }

    pub fn total(&self) -> u64 {
        self.0.iter().fold(0, |sum, units| sum.saturating_add(*units))
    }

    /// Names the part that costs most.
    pub fn reason(&self) -> &'static str {
        const REASONS: [(Part, &str); PARTS] = [
            (Part::Instructions, "instructions"),
            (Part::Locals, "locals times blocks"),
            (Part::Joins, "locals that change in loops and branches"),
            (Part::Values, "values that blocks and branches carry"),
            (Part::Calls, "arguments and results of calls"),
            (Part::Handlers, "exception handlers around calls"),
        ];
        let most = REASONS.into_iter().max_by_key(|(part, _)| self.0[*part as usize]);
        most.map_or("", |(_, reason)| reason)
    }
}

/// What a pass over a function's body has found.
#[derive(Clone, Copy, Default)]
pub struct Found {
    pub cost: Cost,
    /// The deepest nesting of blocks.
    pub nesting: u64,
    /// The bytes of the payments that are added at most. Their cost is counted.
    pub added: u64,
}

/// A type, reduced to what the cost depends on.
#[derive(Clone, Copy, Default)]
struct Shape {
    params: u32,
    results: u32,
    /// The cost of making a structure, or one element of an array, of this type.
    new: u32,
    /// Whether there are references among the parameters and, for `gives_references`, among the results.
    references: bool,
    gives_references: bool,
}

impl Shape {
    fn values(&self) -> u64 {
        u64::from(self.params) + u64::from(self.results)
    }
}

/// What will be added to each stretch of code.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Payments {
    /// Metering's, which call nothing.
    pub inline: bool,
    /// Those of instrumentation, which call a function when the account is used up. They are in the functions, too, that
    /// are added for instructions.
    pub calling: bool,
}

/// Counts what functions cost. The sections before the code must be passed to it first, in their order.
#[derive(Default)]
pub struct Meter {
    payments: Payments,
    types: Vec<Shape>,
    /// The types of the functions, imported ones first, and (in `tags`) of the tags.
    functions: Vec<u32>,
    tags: Vec<u32>,
    /// For each global, whether it is a reference.
    globals: Vec<bool>,
    imported: usize,
    /// For each function, whether it can be called from outside the module.
    escapes: Vec<bool>,
    locals: Vec<Local>,
    frames: Vec<Frame>,
    /// Where the loops that are open begin.
    loops: Vec<usize>,
}

/// Where a local was last seen and last changed, as offsets in the module. An offset before the function's beginning
/// means: not yet in this function.
#[derive(Clone, Copy, Default)]
struct Local {
    seen: usize,
    changed: usize,
}

/// A block that is open.
#[derive(Clone, Copy, Default)]
struct Frame {
    begin: usize,
    params: u32,
    results: u32,
    kind: Kind,
    /// The number of values on the operand stack below the block's own.
    height: u64,
    /// The number of branches to it.
    branches: u64,
    /// The offset of the last branch table that names it.
    table: usize,
    /// The number of its exception handlers.
    handlers: u64,
    /// The number of locals that change in this block, less those that were already counted: a local that changed
    /// before in the same enclosing block is added here and subtracted there. So the sum over a block and all blocks
    /// within it is the number of locals that change anywhere in it, each counted once.
    changed: i64,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Block,
    Loop,
    If,
}

impl Frame {
    /// Returns how many values a branch to it carries.
    fn carried(&self) -> u64 {
        match self.kind {
            Kind::Loop => self.params.into(),
            _ => self.results.into(),
        }
    }

    /// Whether control flow meets at its end or, for a loop, at its beginning.
    fn joins(&self) -> bool {
        self.branches > 0 || self.kind == Kind::If
    }
}

/// Instructions whose code is long: those of the garbage collector, with its barriers and checks, and those that call
/// into the engine.
const COST_PER_LONG_INSTRUCTION: u64 = 40;
const COST_PER_ENGINE_CALL: u64 = 10;
/// An element that is written where an array is made, in addition to the cost of a field.
const COST_PER_ARRAY_ELEMENT: u64 = 30;
/// An instruction that reads a segment, or waits. Where fuel is counted, or a guest that waits may be interrupted, each is
/// rewritten as a function of its own.
const COST_PER_OWN_FUNCTION: u64 = 80;
/// The payments in one, of those that call.
pub(super) const PAYMENTS_PER_OWN_FUNCTION: u64 = 4;
/// The signature of such a function, and of one that moves bytes or elements.
const BULK_SIGNATURE: Shape = Shape { params: 3, results: 0, new: 0, references: false, gives_references: false };
const WAIT_SIGNATURE: Shape = Shape { results: 1, ..BULK_SIGNATURE };
/// A value that is passed to a call or returned from it.
const COST_PER_ARGUMENT: u64 = 3;
/// A function; its entry from the host; and an element or a global whose value is not known before instantiation.
const COST_PER_FUNCTION: u64 = 28;
const COST_PER_ENTRY: u64 = 20;
pub(super) const COST_PER_INITIALIZER: u64 = 10;
/// An object that a constant expression makes. One function makes all objects of a module.
const COST_PER_CONST_OBJECT: u64 = 100;
/// The cost of the code that converts `values` values, those of a signature, between the host's form and the guest's.
fn conversion_cost(values: u64) -> u64 {
    20 + 2 * values + values * values / 256
}
/// A value that a block or a branch carries.
const COST_PER_CARRIED_VALUE: u64 = 2;
/// A local that changes where control flow meets, in addition to one unit for each branch to that place.
const COST_PER_JOINED_LOCAL: u64 = 4;
/// What a compiler makes of an `if`: two ways, and where they meet.
const BLOCKS_PER_IF: u64 = 3;
/// An exception handler that a call may go to.
const COST_PER_HANDLER: u64 = 2;
/// A factor for functions that have more joins, or more handlers around calls, than bytes of code: the time to
/// allocate registers grows with their square. Real code has fewer than one for each byte.
const CROWDING_FACTOR: u64 = 4;
/// The largest number of locals in a function, parameters included, that engines allow.
const MAX_LOCALS: usize = 50_000;

impl Meter {
    pub fn new(payments: Payments) -> Meter {
        Meter { payments, ..Meter::default() }
    }

    pub fn add_type(&mut self, ty: &SubType) {
        let field = |ty: &StorageType| if matches!(ty, StorageType::Val(ValType::Ref(_))) { 16 } else { 3 };
        self.types.push(match &ty.composite_type.inner {
            CompositeInnerType::Func(ty) => {
                let references = ty.params().iter().any(ValType::is_reference_type);
                let gives_references = ty.results().iter().any(ValType::is_reference_type);
                let (params, results) = (ty.params().len() as u32, ty.results().len() as u32);
                Shape { params, results, new: 0, references, gives_references }
            }
            CompositeInnerType::Struct(ty) => {
                let new = ty.fields.iter().map(|field_type| field(&field_type.element_type)).sum();
                Shape { new, ..Shape::default() }
            }
            CompositeInnerType::Array(ty) => Shape { new: field(&ty.0.element_type), ..Shape::default() },
            CompositeInnerType::Cont(_) => Shape::default(),
        });
    }

    pub fn add_import(&mut self, ty: &TypeRef) {
        match ty {
            TypeRef::Func(index) | TypeRef::FuncExact(index) => {
                self.functions.push(*index);
                self.imported += 1;
            }
            TypeRef::Tag(ty) => self.tags.push(ty.func_type_idx),
            TypeRef::Global(ty) => self.globals.push(matches!(ty.content_type, ValType::Ref(_))),
            TypeRef::Memory(_) | TypeRef::Table(_) => {}
        }
    }

    pub fn add_function(&mut self, ty: u32) {
        self.functions.push(ty);
    }

    pub fn add_tag(&mut self, ty: u32) {
        self.tags.push(ty);
    }

    pub fn add_global(&mut self, ty: ValType) {
        self.globals.push(matches!(ty, ValType::Ref(_)));
    }

    /// Notes that a function can be called from outside the module: it is exported, or an element of a table.
    pub fn add_entry(&mut self, function: u32) {
        let function = function as usize;
        if self.escapes.len() < self.functions.len() {
            self.escapes.resize(self.functions.len(), false);
        }
        if let Some(escapes) = self.escapes.get_mut(function) {
            *escapes = true;
        }
    }

    /// Returns the cost of the code that belongs to the types.
    pub fn types(&self) -> Cost {
        let mut cost = Cost::default();
        cost.add(Part::Calls, self.types.iter().map(|ty| conversion_cost(ty.values())).sum());
        cost
    }

    /// Returns the cost of a constant expression and the number of its terms. Plain constants cost nothing here: they
    /// are known before instantiation.
    pub fn expression(&mut self, expression: &ConstExpr) -> (Cost, u64) {
        let mut cost = Cost::default();
        let mut terms = 0;
        let mut operators = expression.get_operators_reader();
        while let Ok(operator) = operators.read() {
            match operator {
                Operator::End => break,
                Operator::GlobalGet { .. } => cost.add(Part::Instructions, COST_PER_INITIALIZER),
                Operator::RefFunc { function_index } => {
                    cost.add(Part::Instructions, COST_PER_INITIALIZER);
                    self.add_entry(function_index);
                }
                Operator::RefI31 => cost.add(Part::Instructions, COST_PER_CONST_OBJECT),
                Operator::StructNew { struct_type_index } | Operator::StructNewDefault { struct_type_index } => {
                    cost.add(Part::Instructions, COST_PER_CONST_OBJECT);
                    cost.add(Part::Calls, self.shape(struct_type_index).new.into());
                }
                Operator::ArrayNewFixed { array_type_index, array_size } => {
                    let each = COST_PER_ARRAY_ELEMENT + u64::from(self.shape(array_type_index).new);
                    cost.add(Part::Instructions, COST_PER_CONST_OBJECT);
                    cost.add(Part::Calls, each.saturating_mul(array_size.into()));
                }
                Operator::ArrayNew { .. } | Operator::ArrayNewDefault { .. } => {
                    cost.add(Part::Instructions, COST_PER_CONST_OBJECT)
                }
                _ => {}
            }
            terms += 1;
        }
        (cost, terms)
    }

    /// Returns the largest number of values that a function, a block or a branch has.
    pub fn widest(&self) -> u64 {
        self.types.iter().map(Shape::values).max().unwrap_or(0)
    }

    fn shape(&self, ty: u32) -> Shape {
        self.types.get(ty as usize).copied().unwrap_or_default()
    }

    fn function(&self, index: u32) -> Shape {
        self.functions.get(index as usize).map_or(Shape::default(), |ty| self.shape(*ty))
    }

    fn tag(&self, index: u32) -> Shape {
        self.tags.get(index as usize).map_or(Shape::default(), |ty| self.shape(*ty))
    }

    fn block(&self, ty: BlockType) -> Shape {
        match ty {
            BlockType::Empty => Shape::default(),
            BlockType::Type(_) => Shape { results: 1, ..Shape::default() },
            BlockType::FuncType(ty) => self.shape(ty),
        }
    }

    /// Reads the code of the function with this index, up to the first byte that is malformed.
    pub fn read(&mut self, index: u32, code: &mut Code) -> Found {
        let mut pass = Pass { blocks: 1, ..Pass::default() };
        let shape = self.function(index);
        pass.add(Part::Instructions, COST_PER_FUNCTION);
        pass.add(Part::Calls, shape.values());
        if self.escapes.get(index as usize) == Some(&true) {
            pass.add(Part::Calls, COST_PER_ENTRY + conversion_cost(shape.values()));
        }
        pass.references = shape.references || code.references;
        let declared = code.locals;
        // Engines refuse functions with more locals than that, so there is nothing to measure.
        let locals = usize::try_from(declared).unwrap_or(usize::MAX).saturating_add(shape.params as usize);
        if locals > MAX_LOCALS {
            return pass.found;
        }
        pass.add(Part::Instructions, declared / 16);
        if self.locals.len() < locals {
            self.locals.resize(locals, Local::default());
        }
        // Offsets that were noted for earlier functions lie before this one's beginning, so they need no reset.
        let (begin, bytes) = (code.offset, code.bytes);
        self.frames.clear();
        self.loops.clear();
        self.frames.push(Frame { begin, results: shape.results, ..Frame::default() });
        let mut position = code.begin;
        while let Some(opcode) = bytes.get(position).copied() {
            let at = begin + position;
            pass.height = pass.height.saturating_add_signed(i64::from(STACK_CHANGE[usize::from(opcode)]));
            if let Some(length) = self.plain_step(&mut pass, at, &bytes[position..], locals) {
                position += length;
                continue;
            }
            let Ok((operator, next)) = code.decode(position) else { break };
            position = next;
            pass.held |= matches!(opcode, TABLE_GET | REF_NULL | REF_FUNC | GC);
            let blocks = pass.blocks;
            if ends_stretch(&operator) {
                self.pay(&mut pass);
            }
            self.step(&mut pass, at, &operator, locals);
            pass.waiting = pass.waiting.saturating_add((pass.blocks - blocks).saturating_mul(pass.height));
        }
        pass.add(Part::Locals, pass.touched.saturating_mul(pass.blocks) / 32);
        // Compilers keep values that wait on the operand stack in the same table as locals. References are also
        // listed at each call.
        pass.add(Part::Locals, pass.waiting / if pass.held { 2 } else { 32 });
        if pass.held {
            pass.add(Part::Calls, pass.outlived / 4);
        }
        // Where there are references, the compiler searches for the live ones again in each loop.
        if pass.references {
            let again = pass.touched.saturating_mul(pass.blocks).saturating_mul(pass.loops as u64);
            pass.add(Part::Locals, again / 64);
        }
        pass.add(Part::Instructions, pass.long.saturating_mul(pass.long) / 32);
        // The compiler looks at each carried value again at other places that carry values, and at each result in
        // other blocks.
        let carried = pass.found.cost.0[Part::Values as usize] / COST_PER_CARRIED_VALUE;
        pass.add(Part::Values, carried.saturating_mul(carried) >> 16);
        pass.add(Part::Values, pass.results.saturating_mul(pass.blocks) / 256);
        pass.add(Part::Joins, pass.joins.saturating_mul(pass.blocks) / 4096);
        let bytes = (bytes.len() as u64).max(1);
        for (part, count) in [(Part::Joins, pass.joins), (Part::Handlers, pass.handled)] {
            pass.add(part, CROWDING_FACTOR.saturating_mul(count).saturating_mul(count) / bytes);
        }
        pass.found
    }
}

const TABLE_GET: u8 = 0x25;
const REF_NULL: u8 = 0xd0;
const REF_FUNC: u8 = 0xd2;
/// The prefix of the garbage collector's instructions.
const GC: u8 = 0xfb;

/// For the first byte of each instruction, the change in the number of values on the operand stack.
const STACK_CHANGE: [i8; 256] = {
    let mut pushed = [0; 256];
    let mut opcode = 0;
    while opcode < 256 {
        pushed[opcode] = match opcode {
            // Constants, reads of locals and globals, `memory.size`, `ref.null`, `ref.func`.
            0x20 | 0x23 | 0x3f | 0x41..=0x44 | 0xd0 | 0xd2 => 1,
            // `if`, `br_if`, `br_table`, `drop`, `local.set`, `global.set`.
            0x04 | 0x0d | 0x0e | 0x1a | 0x21 | 0x24 => -1,
            // `call_indirect` and similar calls pop the callee.
            0x11 | 0x13..=0x15 => -1,
            // `select`, `table.set`, stores.
            0x1b | 0x1c | 0x26 | 0x36..=0x3e => -2,
            // Comparisons of two values and arithmetic with two operands.
            0x46..=0x4f | 0x51..=0x66 | 0x6a..=0x78 | 0x7c..=0x8a | 0x92..=0x98 | 0xa0..=0xa6 => -1,
            _ => 0,
        };
        opcode += 1;
    }
    pushed
};

/// What is counted for one function.
#[derive(Default)]
struct Pass {
    found: Found,
    /// Blocks in the compiler's sense: sequences without branches.
    blocks: u64,
    /// Locals that the code uses.
    touched: u64,
    /// Exception handlers around the current instruction.
    handlers: u64,
    /// Values on the operand stack, estimated: an instruction whose number of operands varies is assumed to leave the
    /// number as it is.
    height: u64,
    /// The sum, over all blocks, of the values that wait on the operand stack at that point; `outlived` is the sum
    /// over all calls.
    waiting: u64,
    outlived: u64,
    /// Whether there may be references on the operand stack.
    held: bool,
    /// The number of results of loops, and of blocks where control flow meets.
    results: u64,
    /// The number of instructions with long code.
    long: u64,
    /// The deepest nesting of loops.
    loops: usize,
    /// Whether there are references among parameters and locals.
    references: bool,
    /// The number of pairs of a join and a local that changes there; `handled` counts pairs of a call and a handler
    /// around it.
    joins: u64,
    handled: u64,
}

impl Pass {
    fn add(&mut self, part: Part, units: u64) {
        self.found.cost.add(part, units);
    }

    fn pay(&mut self) {
        self.found.added += PAYMENT_BYTES;
        self.add(Part::Instructions, PAYMENT_INSTRUCTIONS);
        self.blocks += BLOCKS_PER_IF;
    }

    /// Adds an instruction whose long code costs `units` and contains blocks.
    fn long(&mut self, units: u64) {
        self.add(Part::Instructions, units);
        self.blocks += 4;
        self.long += 1;
    }
}

impl Meter {
    /// Does what `step` does for the most frequent instructions, which neither branch nor call. Returns how long the
    /// instruction is; `None` for others.
    #[inline(always)]
    fn plain_step(&mut self, pass: &mut Pass, at: usize, bytes: &[u8], locals: usize) -> Option<usize> {
        let length = match bytes[0] {
            // `nop`, `drop`, `select`, loads and stores, constants of integers, comparisons, arithmetic, conversions.
            opcode @ (0x01 | 0x1a | 0x1b | 0x28..=0x3e | 0x41 | 0x42 | 0x45..=0xc4) => {
                after_common(bytes, 0, FOLLOWS[usize::from(opcode)])?
            }
            // Locals with low indices.
            opcode @ 0x20..=0x22 => {
                let index = *bytes.get(1).filter(|byte| **byte < 0x80)?;
                self.touch(pass, at, index.into(), locals, opcode != 0x20);
                2
            }
            _ => return None,
        };
        pass.add(Part::Instructions, 1);
        Some(length)
    }

    #[inline]
    fn step(&mut self, pass: &mut Pass, at: usize, operator: &Operator, locals: usize) {
        use Operator::*;
        pass.add(Part::Instructions, 1);
        match operator {
            LocalGet { local_index } => self.touch(pass, at, *local_index, locals, false),
            LocalSet { local_index } | LocalTee { local_index } => self.touch(pass, at, *local_index, locals, true),
            Block { blockty } | Try { blockty } => self.open(pass, at, Kind::Block, self.block(*blockty)),
            Loop { blockty } => self.open(pass, at, Kind::Loop, self.block(*blockty)),
            If { blockty } => self.open(pass, at, Kind::If, self.block(*blockty)),
            TryTable { try_table } => {
                self.open(pass, at, Kind::Block, self.block(try_table.ty));
                for catch in &try_table.catches {
                    // A handler's label is counted from outside the block.
                    self.branch(pass, label(catch).saturating_add(1));
                    pass.blocks += 1;
                }
                let handlers = try_table.catches.len() as u64;
                pass.handlers += handlers;
                if let Some(frame) = self.frames.last_mut() {
                    frame.handlers = handlers;
                }
            }
            Else => {
                pass.blocks += 1;
                if let Some(frame) = self.frames.last() {
                    pass.height = frame.height + u64::from(frame.params);
                }
            }
            End | Delegate { .. } => self.close(pass),
            Br { relative_depth }
            | BrIf { relative_depth }
            | BrOnNull { relative_depth }
            | BrOnNonNull { relative_depth } => {
                pass.blocks += 1;
                self.branch(pass, *relative_depth);
            }
            BrOnCast { relative_depth, .. } | BrOnCastFail { relative_depth, .. } => {
                pass.long(COST_PER_LONG_INSTRUCTION);
                self.branch(pass, *relative_depth);
            }
            BrTable { targets } => {
                pass.blocks += 1;
                pass.add(Part::Instructions, u64::from(targets.len()) / 8);
                for target in targets.targets().flatten().chain([targets.default()]) {
                    let Some(frame) = self.frames.iter_mut().nth_back(target as usize) else { continue };
                    // All entries with the same target are one branch.
                    if frame.table != at {
                        frame.table = at;
                        self.branch(pass, target);
                    }
                }
            }
            Return => self.branch(pass, self.frames.len().saturating_sub(1) as u32),
            Call { function_index } | ReturnCall { function_index } => self.call(pass, self.function(*function_index)),
            CallIndirect { type_index, .. } | ReturnCallIndirect { type_index, .. } => {
                pass.long(COST_PER_ENGINE_CALL);
                self.call(pass, self.shape(*type_index));
            }
            CallRef { type_index } | ReturnCallRef { type_index } => self.call(pass, self.shape(*type_index)),
            Throw { tag_index } => {
                pass.long(COST_PER_ENGINE_CALL);
                self.call(pass, self.tag(*tag_index));
            }
            ThrowRef => self.call(pass, Shape::default()),
            GlobalGet { global_index } | GlobalSet { global_index }
                if self.globals.get(*global_index as usize) == Some(&true) =>
            {
                pass.long(COST_PER_LONG_INSTRUCTION)
            }
            TableGet { .. } | TableSet { .. } => pass.long(COST_PER_LONG_INSTRUCTION),
            // These may become calls of functions; for instructions on segments, and for those that wait, there is one
            // function for each.
            MemoryCopy { .. } | MemoryFill { .. } => self.call(pass, BULK_SIGNATURE),
            MemoryInit { .. } => {
                self.own_function(pass);
                self.call(pass, BULK_SIGNATURE);
            }
            MemoryAtomicWait32 { .. } | MemoryAtomicWait64 { .. } => {
                self.own_function(pass);
                self.call(pass, WAIT_SIGNATURE);
            }
            MemoryGrow { .. } => pass.long(COST_PER_ENGINE_CALL),
            DataDrop { .. } | ElemDrop { .. } => pass.add(Part::Instructions, COST_PER_ENGINE_CALL / 2),
            TableCopy { .. } | TableFill { .. } | TableGrow { .. } => {
                pass.long(COST_PER_ENGINE_CALL);
                self.call(pass, BULK_SIGNATURE);
            }
            TableInit { .. } => {
                pass.long(COST_PER_ENGINE_CALL);
                self.own_function(pass);
                self.call(pass, BULK_SIGNATURE);
            }
            ArrayNewData { .. } | ArrayNewElem { .. } | ArrayInitData { .. } | ArrayInitElem { .. } => {
                pass.long(COST_PER_LONG_INSTRUCTION);
                self.own_function(pass);
                self.call(pass, BULK_SIGNATURE);
            }
            ArrayCopy { .. } | ArrayFill { .. } => {
                pass.long(COST_PER_LONG_INSTRUCTION);
                self.call(pass, BULK_SIGNATURE);
            }
            StructNew { struct_type_index } | StructNewDefault { struct_type_index } => {
                pass.long(COST_PER_LONG_INSTRUCTION);
                pass.add(Part::Calls, self.shape(*struct_type_index).new.into());
            }
            ArrayNewFixed { array_type_index, array_size } => {
                pass.long(COST_PER_LONG_INSTRUCTION);
                let each = COST_PER_ARRAY_ELEMENT + u64::from(self.shape(*array_type_index).new);
                pass.add(Part::Calls, each.saturating_mul((*array_size).into()));
            }
            StructGet { .. }
            | StructGetS { .. }
            | StructGetU { .. }
            | StructSet { .. }
            | ArrayGet { .. }
            | ArrayGetS { .. }
            | ArrayGetU { .. }
            | ArraySet { .. }
            | ArrayNew { .. }
            | ArrayNewDefault { .. }
            | RefTestNonNull { .. }
            | RefTestNullable { .. }
            | RefCastNonNull { .. }
            | RefCastNullable { .. } => pass.long(COST_PER_LONG_INSTRUCTION),
            _ => {}
        }
    }

    fn touch(&mut self, pass: &mut Pass, at: usize, index: u32, locals: usize, changed: bool) {
        let index = index as usize;
        let (Some(function), true) = (self.frames.first(), index < locals) else { return };
        let local = &mut self.locals[index];
        pass.touched += u64::from(local.seen < function.begin);
        // Adds one for each open loop in which the local was not seen yet.
        if self.loops.last().is_some_and(|begin| local.seen < *begin) {
            let known = self.loops.partition_point(|begin| *begin <= local.seen);
            pass.add(Part::Joins, (self.loops.len() - known) as u64);
        }
        local.seen = at;
        let innermost = self.frames.len() - 1;
        if changed && local.changed < self.frames[innermost].begin {
            // The local changes in all blocks from this one outwards, up to the one in which it has changed before.
            let known = self.frames.partition_point(|frame| frame.begin <= local.changed);
            self.frames[innermost].changed += 1;
            if let Some(known) = known.checked_sub(1) {
                self.frames[known].changed -= 1;
            }
        }
        if changed {
            local.changed = at;
        }
    }

    fn open(&mut self, pass: &mut Pass, begin: usize, kind: Kind, shape: Shape) {
        let Shape { params, results, .. } = shape;
        pass.blocks += if kind == Kind::If { BLOCKS_PER_IF } else { 1 };
        let values = shape.values();
        if values > 0 {
            // The compiler looks at values on the operand stack again in each nested block.
            let depth = self.frames.len() as u64;
            pass.add(Part::Values, values.saturating_mul(COST_PER_CARRIED_VALUE + depth / 64));
        }
        if kind == Kind::Loop {
            self.loops.push(begin);
            pass.loops = pass.loops.max(self.loops.len());
            // For each loop the compiler looks at all enclosing loops again, several times.
            let around = self.loops.len() as u64;
            pass.add(Part::Joins, around * around / 2000);
        }
        let height = pass.height.saturating_sub(params.into());
        self.frames.push(Frame { begin, kind, params, results, height, ..Frame::default() });
        pass.found.nesting = pass.found.nesting.max(self.frames.len() as u64 - 1);
    }

    fn close(&mut self, pass: &mut Pass) {
        let Some(frame) = self.frames.pop() else { return };
        if frame.kind == Kind::Loop {
            self.loops.pop();
        }
        pass.handlers -= frame.handlers;
        pass.height = frame.height + u64::from(frame.results);
        let Some(around) = self.frames.last_mut() else { return };
        around.changed += frame.changed;
        if frame.kind == Kind::Loop || frame.joins() {
            pass.results += u64::from(frame.results);
        }
        if frame.joins() {
            let changed = frame.changed.max(0) as u64;
            pass.joins = pass.joins.saturating_add(changed);
            pass.add(Part::Joins, changed.saturating_mul(COST_PER_JOINED_LOCAL + frame.branches));
        }
    }

    /// Adds a branch out of `depth` blocks.
    fn branch(&mut self, pass: &mut Pass, depth: u32) {
        pass.add(Part::Instructions, 1);
        let Some(frame) = self.frames.iter_mut().nth_back(depth as usize) else { return };
        frame.branches += 1;
        let carried = frame.carried();
        pass.add(Part::Values, carried.saturating_mul(COST_PER_CARRIED_VALUE));
    }

    /// Adds the payments at the end of a stretch.
    #[inline]
    fn pay(&mut self, pass: &mut Pass) {
        let Payments { inline, calling } = self.payments;
        if inline {
            pass.pay();
        }
        if calling {
            pass.pay();
            self.call(pass, Shape::default());
        }
    }

    /// Adds a function for the current instruction.
    fn own_function(&mut self, pass: &mut Pass) {
        pass.add(Part::Instructions, COST_PER_OWN_FUNCTION);
        if self.payments.calling {
            pass.add(Part::Instructions, PAYMENTS_PER_OWN_FUNCTION * PAYMENT_INSTRUCTIONS);
        }
    }

    fn call(&mut self, pass: &mut Pass, shape: Shape) {
        pass.height = pass.height.saturating_sub(shape.params.into());
        // Values that stay on the operand stack must be kept across the call.
        pass.add(Part::Calls, COST_PER_ARGUMENT * shape.values() + pass.height / 128);
        pass.outlived = pass.outlived.saturating_add(pass.height);
        pass.held |= shape.gives_references;
        pass.height += u64::from(shape.results);
        if pass.handlers > 0 {
            pass.blocks += 1;
            pass.handled = pass.handled.saturating_add(pass.handlers);
            pass.add(Part::Handlers, pass.handlers.saturating_mul(COST_PER_HANDLER));
        }
    }
}

/// Returns where an exception handler goes.
fn label(catch: &Catch) -> u32 {
    match *catch {
        Catch::One { label, .. } | Catch::OneRef { label, .. } | Catch::All { label } | Catch::AllRef { label } => {
            label
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmparser::{FunctionBody, Parser, Payload};

    /// Returns the costs of a module's functions.
    fn found(text: &str) -> Vec<Found> {
        found_with(Payments::default(), text)
    }

    fn found_with(payments: Payments, text: &str) -> Vec<Found> {
        let wasm = wat::parse_str(text).expect("valid text");
        let mut meter = Meter::new(payments);
        let mut found = Vec::new();
        for payload in Parser::new(0).parse_all(&wasm) {
            match payload.expect("valid") {
                Payload::TypeSection(section) => {
                    section.into_iter().flatten().for_each(|group| group.types().for_each(|ty| meter.add_type(ty)));
                }
                Payload::FunctionSection(section) => {
                    section.into_iter().flatten().for_each(|ty| meter.add_function(ty))
                }
                Payload::TagSection(section) => {
                    section.into_iter().flatten().for_each(|tag| meter.add_tag(tag.func_type_idx));
                }
                Payload::GlobalSection(section) => {
                    section.into_iter().flatten().for_each(|global| meter.add_global(global.ty.content_type));
                }
                Payload::CodeSectionEntry(body) => {
                    found.push(meter.read(found.len() as u32, &mut Code::of(&body).expect("valid")))
                }
                _ => {}
            }
        }
        found
    }

    fn part(body: &str, part: Part) -> u64 {
        let text = format!(
            "(module (type $s (struct (field i32 i32))) (tag $t (param i32)) (func $two (result i32 i32) unreachable)
            (func $f (param i32) (local i32 i32) {body}))"
        );
        found(&text)[1].cost.0[part as usize]
    }

    #[test]
    fn plain_instructions_cost_what_others_do() {
        let meter = || {
            let mut meter = Meter { locals: vec![Local::default(); 4], ..Meter::default() };
            meter.frames.push(Frame { begin: 10, ..Frame::default() });
            meter.loops.push(11);
            meter
        };
        let counted = |pass: &Pass, meter: &Meter| {
            let changed: i64 = meter.frames.iter().map(|frame| frame.changed).sum();
            (pass.found.cost.0, pass.blocks, pass.touched, pass.held, pass.long, pass.outlived, changed)
        };
        let mut plain = 0;
        for opcode in 0..=u8::MAX {
            let bytes = [opcode, 2, 2, 2];
            let (mut one, mut pass) = (meter(), Pass::default());
            let Some(length) = one.plain_step(&mut pass, 12, &bytes, 4) else { continue };
            let mut reader = wasmparser::OperatorsReader::new(wasmparser::BinaryReader::new(&bytes, 0));
            let operator = reader.read().expect("a valid instruction");
            let (mut other, mut full) = (meter(), Pass::default());
            assert!(!ends_stretch(&operator) && !matches!(opcode, TABLE_GET | REF_NULL | REF_FUNC | GC));
            other.step(&mut full, 12, &operator, 4);
            assert_eq!(
                (length, counted(&pass, &one)),
                (reader.original_position(), counted(&full, &other)),
                "{operator:?}"
            );
            plain += 1;
        }
        assert_eq!(plain, 159);
    }

    #[test]
    fn locals_that_change_are_counted_once_for_each_join() {
        let set = "local.get 0 local.set 1";
        // Without branches nothing meets.
        for body in [set.to_string(), format!("block {set} end"), format!("loop {set} end")] {
            assert_eq!(part(&body, Part::Joins), if body.starts_with("loop") { 2 } else { 0 }, "{body}");
        }
        let once = part(&format!("block local.get 0 br_if 0 {set} end"), Part::Joins);
        assert_eq!(once, COST_PER_JOINED_LOCAL + 1);
        for (body, joins) in [
            (format!("block local.get 0 br_if 0 {set} {set} end"), once),
            (format!("block local.get 0 br_if 0 {set} end block local.get 0 br_if 0 {set} end"), 2 * once),
            (format!("block local.get 0 br_if 0 block local.get 0 br_if 0 {set} end {set} end"), 2 * once),
            (format!("block local.get 0 br_if 0 {set} local.get 0 local.set 2 end"), 2 * once),
            (format!("block local.get 0 br_if 0 local.get 0 br_if 0 {set} end"), once + 1),
            // Entries of a branch table with the same target count once.
            (format!("block local.get 0 br_table 0 0 0 {set} end"), once),
            (format!("local.get 0 if {set} end"), COST_PER_JOINED_LOCAL),
            (format!("local.get 0 if {set} else {set} end"), COST_PER_JOINED_LOCAL),
        ] {
            assert_eq!(part(&body, Part::Joins), joins, "{body}");
        }
    }

    #[test]
    fn values_are_counted_where_they_go() {
        for (body, of, units) in [
            ("block (result i32) i32.const 1 end drop", Part::Values, COST_PER_CARRIED_VALUE),
            ("block (result i32) i32.const 1 local.get 0 br_if 0 end drop", Part::Values, 2 * COST_PER_CARRIED_VALUE),
            ("loop (result i32) i32.const 1 local.get 0 br_if 0 end drop", Part::Values, COST_PER_CARRIED_VALUE),
            ("call $two drop drop", Part::Calls, 1 + 2 * COST_PER_ARGUMENT),
            ("struct.new_default $s drop", Part::Calls, 1 + 6),
            ("block try_table (catch_all 0) call $two drop drop end end", Part::Handlers, COST_PER_HANDLER),
            ("block try_table (catch_all 0) end call $two drop drop end", Part::Handlers, 0),
        ] {
            assert_eq!(part(body, of), units, "{body}");
        }
        // Results that stay on the stack while further calls are made.
        let waiting =
            |count: usize| part(&format!("{} {}", "call $two ".repeat(count), "drop ".repeat(2 * count)), Part::Calls);
        assert!(waiting(2000) > 4 * waiting(1000) / 2 + 1000, "{} {}", waiting(2000), waiting(1000));
    }

    #[test]
    fn what_may_be_a_function_of_its_own_costs_one() {
        for instruction in ["memory.init 0", "memory.atomic.wait32 offset=4", "memory.atomic.wait64 offset=8"] {
            let body = format!("local.get 0 local.get 0 local.get 0 {instruction}");
            assert_eq!(part(&body, Part::Instructions), COST_PER_FUNCTION + COST_PER_OWN_FUNCTION + 5, "{body}");
        }
    }

    #[test]
    fn payments_that_call_are_calls() {
        let cost = |calling: bool, part: Part, before: &str, after: &str| {
            let payments = Payments { inline: !calling, calling };
            let text = format!("(module (func {before} {} {after}))", "loop end ".repeat(1000));
            found_with(payments, &text)[0].cost.0[part as usize]
        };
        // Calls to which handlers may go.
        let handlers = |calling| cost(calling, Part::Handlers, "block try_table (catch_all 0)", "end end");
        assert_eq!(handlers(false), 0);
        assert!(handlers(true) >= 2000 * COST_PER_HANDLER);
        // Values, and references, that are kept across calls.
        let values = |calling| cost(calling, Part::Calls, &"i32.const 0 ".repeat(1280), &"drop ".repeat(1280));
        assert_eq!(values(false), 0);
        assert!(values(true) >= 2000 * 10);
        let references = |calling| cost(calling, Part::Calls, &"ref.null any ".repeat(1280), &"drop ".repeat(1280));
        assert_eq!(references(false), 0);
        assert!(references(true) >= 2000 * (10 + 1280 / 4));
    }

    #[test]
    fn functions_of_their_own_pay_where_payments_call() {
        let cost = |payments| {
            let mut meter = Meter::new(payments);
            let mut pass = Pass::default();
            meter.step(&mut pass, 1, &Operator::MemoryInit { data_index: 0, mem: 0 }, 0);
            pass.found.cost.0[Part::Instructions as usize]
        };
        let inline = cost(Payments { inline: true, calling: false });
        assert_eq!(inline, 1 + COST_PER_OWN_FUNCTION);
        let calling = cost(Payments { inline: false, calling: true });
        assert_eq!(calling, inline + PAYMENTS_PER_OWN_FUNCTION * PAYMENT_INSTRUCTIONS);
    }

    #[test]
    fn nesting_is_the_deepest() {
        let deep = found("(module (func) (func block loop end end block end) (func i32.const 0 if else end))");
        assert_eq!(deep.iter().map(|found| found.nesting).collect::<Vec<_>>(), [0, 2, 1]);
    }

    #[test]
    fn what_comes_after_a_former_handler_is_counted() {
        // `try catch catch_all end`, `try delegate`, then blocks.
        let code = [0, 6, 0x40, 7, 0, 0x19, 0x0b, 6, 0x40, 0x18, 0, 2, 0x40, 2, 0x40, 2, 0x40, 0x0b, 0x0b, 0x0b, 0x0b];
        let body = FunctionBody::new(wasmparser::BinaryReader::new(&code, 0));
        assert_eq!(Meter::default().read(0, &mut Code::of(&body).expect("valid")).nesting, 3);
    }

    #[test]
    fn what_is_malformed_is_no_harm() {
        // `end`s without a beginning, branches to nowhere, locals that do not exist, a table that does not end.
        for code in
            [&[0, 0x0b, 0x0b, 0x0b][..], &[0, 0x0c, 9, 0x0b], &[0, 0x20, 99, 0x0b], &[0, 0x0e, 0xff], &[0xff], &[]]
        {
            if let Ok(mut code) = Code::of(&FunctionBody::new(wasmparser::BinaryReader::new(code, 0))) {
                Meter::default().read(7, &mut code);
            }
        }
    }
}
