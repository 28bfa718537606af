//! What compiling will cost, told from a module's bytes in one pass, before a compiler sees them.
//!
//! Compilers to machine code spend time and memory that grow with more than a module's size: a value for each local that changes
//! where control flow meets, one for each value that a branch carries, one for each argument and result of a call. A few bytes can
//! ask for thousands of those. This counts them, without making any, in units of what a plain instruction costs: on a present
//! machine some two microseconds and 250 bytes.

use wasmparser::{
    BlockType, Catch, CompositeInnerType, ConstExpr, FunctionBody, Operator, StorageType, SubType, TypeRef, ValType,
};

/// What makes a function dear to compile.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub enum Part {
    /// Instructions, those of proposals that take much code more than others.
    Instructions,
    /// Locals times blocks: compilers keep a table of that size.
    Locals,
    /// Locals that change where control flow meets, once for each place and each way to it.
    Joins,
    /// Values that blocks and branches carry.
    Values,
    /// Arguments and results of calls, fields of structures, elements of arrays.
    Calls,
    /// Handlers around calls.
    Handlers,
}

const PARTS: usize = 6;

/// The cost of a function, by what it is for.
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

    /// What most of it is for.
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

/// What a pass over a function's body finds.
#[derive(Clone, Copy, Default)]
pub struct Found {
    pub cost: Cost,
    /// The deepest nesting of blocks.
    pub nesting: u64,
}

/// A type as far as it matters here.
#[derive(Clone, Copy, Default)]
struct Shape {
    params: u32,
    results: u32,
    /// What one that is made from scratch costs.
    new: u32,
    /// Whether there are references among the parameters, and among the results.
    references: bool,
    gives_references: bool,
}

impl Shape {
    fn values(&self) -> u64 {
        u64::from(self.params) + u64::from(self.results)
    }
}

/// Counts what functions cost. Wants to be told of the sections before the code, in their order.
#[derive(Default)]
pub struct Meter {
    types: Vec<Shape>,
    /// Types of functions, imported and own, and of tags.
    functions: Vec<u32>,
    tags: Vec<u32>,
    /// Whether the globals are references.
    globals: Vec<bool>,
    imported: usize,
    /// Whether functions can be called from outside of the module.
    escapes: Vec<bool>,
    locals: Vec<Local>,
    frames: Vec<Frame>,
    /// Where the open loops begin.
    loops: Vec<usize>,
}

/// Where a local was last seen, as an offset in the module. What is before the function says that it was not.
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
    /// The values on the operand stack below its own.
    height: u64,
    /// How often it is branched to.
    branches: u64,
    /// Where the last branch table is that names it.
    table: usize,
    /// Its handlers of exceptions.
    handlers: u64,
    /// The locals that change in it, less those that do in a block around it and in one before it in that block: summed up over
    /// all blocks within it these are the locals that change in it or within, each counted once.
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
    /// How many values a branch to it carries.
    fn carried(&self) -> u64 {
        match self.kind {
            Kind::Loop => self.params.into(),
            _ => self.results.into(),
        }
    }

    /// Whether control flow meets where it ends, or for a loop where it begins.
    fn joins(&self) -> bool {
        self.branches > 0 || self.kind == Kind::If
    }
}

/// Units for instructions whose code is long: those of the garbage collector with its barriers and checks, those that call into the
/// engine.
const LONG: u64 = 40;
const CALLS_ENGINE: u64 = 10;
/// Units for an element that is written where an array is made, besides what a field costs.
const ELEMENT: u64 = 30;
/// Units for an instruction that reads a segment, which is a function of its own where fuel is counted.
const SEGMENT: u64 = 80;
/// What such a function, or one that moves something, takes and gives.
const MOVES: Shape = Shape { params: 3, results: 0, new: 0, references: false, gives_references: false };
/// Units for a value that is passed to a call or comes from one.
const PASSED: u64 = 3;
/// Units for a function, its entry from the host, and an element or a global that is not known before instantiation.
const FUNCTION: u64 = 28;
const ENTRY: u64 = 20;
pub(super) const INITIALIZED: u64 = 10;
/// Units for an object that a constant expression makes: all are made by one function.
const MADE: u64 = 100;
/// Units for code that converts between the host's and the guest's values, of a signature with so many of them.
fn converted(values: u64) -> u64 {
    20 + 2 * values + values * values / 256
}
/// Units for a value that a block or a branch carries.
const CARRIED: u64 = 2;
/// Units for a local that changes where control flow meets, besides one for each branch to there.
const JOINED: u64 = 4;
/// Units for a handler that a call may go to.
const HANDLED: u64 = 2;
/// How much dearer it gets where there are more joins, or handlers of calls, than bytes of code: allocating registers takes time that
/// grows with the square of them. Real code has fewer than one for each byte.
const CROWDED: u64 = 4;
/// The locals of a function, parameters included, that engines allow.
const MAX_LOCALS: usize = 50_000;

impl Meter {
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

    /// A function that can be called from outside of the module: one that is exported, or an element.
    pub fn add_entry(&mut self, function: u32) {
        let function = function as usize;
        if self.escapes.len() < self.functions.len() {
            self.escapes.resize(self.functions.len(), false);
        }
        if let Some(escapes) = self.escapes.get_mut(function) {
            *escapes = true;
        }
    }

    /// What the code costs that goes with each type.
    pub fn types(&self) -> Cost {
        let mut cost = Cost::default();
        cost.add(Part::Calls, self.types.iter().map(|ty| converted(ty.values())).sum());
        cost
    }

    /// What a constant expression costs, and how many terms it has. Those of plain constants are known before instantiation.
    pub fn expression(&mut self, expression: &ConstExpr) -> (Cost, u64) {
        let mut cost = Cost::default();
        let mut terms = 0;
        let mut operators = expression.get_operators_reader();
        while let Ok(operator) = operators.read() {
            match operator {
                Operator::End => break,
                Operator::GlobalGet { .. } => cost.add(Part::Instructions, INITIALIZED),
                Operator::RefFunc { function_index } => {
                    cost.add(Part::Instructions, INITIALIZED);
                    self.add_entry(function_index);
                }
                Operator::RefI31 => cost.add(Part::Instructions, MADE),
                Operator::StructNew { struct_type_index } | Operator::StructNewDefault { struct_type_index } => {
                    cost.add(Part::Instructions, MADE);
                    cost.add(Part::Calls, self.shape(struct_type_index).new.into());
                }
                Operator::ArrayNewFixed { array_type_index, array_size } => {
                    let each = ELEMENT + u64::from(self.shape(array_type_index).new);
                    cost.add(Part::Instructions, MADE);
                    cost.add(Part::Calls, each.saturating_mul(array_size.into()));
                }
                Operator::ArrayNew { .. } | Operator::ArrayNewDefault { .. } => cost.add(Part::Instructions, MADE),
                _ => {}
            }
            terms += 1;
        }
        (cost, terms)
    }

    /// The most values that a function, a block or a branch has.
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

    /// Reads the code of the function with this index. What is malformed ends it.
    pub fn read(&mut self, index: u32, body: &FunctionBody) -> Found {
        let mut pass = Pass { blocks: 1, ..Pass::default() };
        let shape = self.function(index);
        pass.add(Part::Instructions, FUNCTION);
        pass.add(Part::Calls, shape.values());
        if self.escapes.get(index as usize) == Some(&true) {
            pass.add(Part::Calls, ENTRY + converted(shape.values()));
        }
        pass.references = shape.references;
        let mut declared = 0;
        for (count, ty) in body.get_locals_reader().into_iter().flatten().map_while(|group| group.ok()) {
            declared += u64::from(count);
            pass.references |= ty.is_reference_type();
        }
        // Beyond the number of locals that engines allow there is nothing to measure.
        let locals = usize::try_from(declared).unwrap_or(usize::MAX).saturating_add(shape.params as usize);
        if locals > MAX_LOCALS {
            return pass.found;
        }
        pass.add(Part::Instructions, declared / 16);
        if self.locals.len() < locals {
            self.locals.resize(locals, Local::default());
        }
        // What was seen before is of functions before.
        let begin = body.range().start;
        let bytes = body.as_bytes();
        self.frames.clear();
        self.loops.clear();
        self.frames.push(Frame { begin, results: shape.results, ..Frame::default() });
        let Ok(mut operators) = body.get_operators_reader() else { return pass.found };
        while !operators.eof() {
            let at = operators.original_position();
            let Ok(operator) = operators.read() else { break };
            let opcode = bytes.get(at - begin).copied().unwrap_or(0);
            pass.height = pass.height.saturating_add_signed(i64::from(PUSHED[usize::from(opcode)]));
            pass.held |= matches!(opcode, TABLE_GET | REF_NULL | REF_FUNC | GC);
            let blocks = pass.blocks;
            self.step(&mut pass, at, &operator, locals);
            pass.waiting = pass.waiting.saturating_add((pass.blocks - blocks).saturating_mul(pass.height));
        }
        pass.add(Part::Locals, pass.touched.saturating_mul(pass.blocks) / 32);
        // Values that wait on the operand stack are in that table as well. References are noted at each call, too, in lists.
        pass.add(Part::Locals, pass.waiting / if pass.held { 2 } else { 32 });
        if pass.held {
            pass.add(Part::Calls, pass.outlived / 4);
        }
        // Where there are references, those that live are looked for again in each loop.
        if pass.references {
            let again = pass.touched.saturating_mul(pass.blocks).saturating_mul(pass.loops as u64);
            pass.add(Part::Locals, again / 64);
        }
        pass.add(Part::Instructions, pass.long.saturating_mul(pass.long) / 32);
        // Each value that is carried is looked at again at other places that carry some, and each result in other blocks.
        let carried = pass.found.cost.0[Part::Values as usize] / CARRIED;
        pass.add(Part::Values, carried.saturating_mul(carried) >> 16);
        pass.add(Part::Values, pass.results.saturating_mul(pass.blocks) / 256);
        pass.add(Part::Joins, pass.joins.saturating_mul(pass.blocks) / 4096);
        let bytes = (bytes.len() as u64).max(1);
        for (part, count) in [(Part::Joins, pass.joins), (Part::Handlers, pass.handled)] {
            pass.add(part, CROWDED.saturating_mul(count).saturating_mul(count) / bytes);
        }
        pass.found
    }
}

const TABLE_GET: u8 = 0x25;
const REF_NULL: u8 = 0xd0;
const REF_FUNC: u8 = 0xd2;
/// The first byte of the garbage collector's instructions.
const GC: u8 = 0xfb;

/// By first byte of an instruction: how many more values there are on the operand stack after it.
const PUSHED: [i8; 256] = {
    let mut pushed = [0; 256];
    let mut opcode = 0;
    while opcode < 256 {
        pushed[opcode] = match opcode {
            // Constants, locals and globals that are read, `memory.size`, `ref.null`, `ref.func`.
            0x20 | 0x23 | 0x3f | 0x41..=0x44 | 0xd0 | 0xd2 => 1,
            // `if`, `br_if`, `br_table`, `drop`, `local.set`, `global.set`.
            0x04 | 0x0d | 0x0e | 0x1a | 0x21 | 0x24 => -1,
            // `call_indirect` and the like take what is called.
            0x11 | 0x13..=0x15 => -1,
            // `select`, `table.set`, stores.
            0x1b | 0x1c | 0x26 | 0x36..=0x3e => -2,
            // Comparisons and arithmetic of two values.
            0x46..=0x4f | 0x51..=0x66 | 0x6a..=0x78 | 0x7c..=0x8a | 0x92..=0x98 | 0xa0..=0xa6 => -1,
            _ => 0,
        };
        opcode += 1;
    }
    pushed
};

/// What is counted of one function.
#[derive(Default)]
struct Pass {
    found: Found,
    /// Blocks as a compiler makes them: stretches without branches.
    blocks: u64,
    /// Locals that are used at all.
    touched: u64,
    /// Handlers around the present place.
    handlers: u64,
    /// Values on the operand stack, about: instructions whose number of operands varies are taken to leave as many as they find.
    height: u64,
    /// For each block, the values that wait on the operand stack meanwhile; and for each call.
    waiting: u64,
    outlived: u64,
    /// Whether there may be references on the operand stack.
    held: bool,
    /// Results of loops, and of blocks where control flow meets.
    results: u64,
    /// Instructions that make much code.
    long: u64,
    /// The deepest nesting of loops.
    loops: usize,
    /// Whether there are references among parameters and locals.
    references: bool,
    /// Pairs of a join and a local that changes there, and of a call and a handler around it.
    joins: u64,
    handled: u64,
}

impl Pass {
    fn add(&mut self, part: Part, units: u64) {
        self.found.cost.add(part, units);
    }

    /// An instruction that makes so much code, and blocks in it.
    fn long(&mut self, units: u64) {
        self.add(Part::Instructions, units);
        self.blocks += 4;
        self.long += 1;
    }
}

impl Meter {
    #[inline]
    fn step(&mut self, pass: &mut Pass, at: usize, operator: &Operator, locals: usize) {
        use Operator::*;
        pass.add(Part::Instructions, 1);
        match operator {
            LocalGet { local_index } => self.touch(pass, at, *local_index, locals, false),
            LocalSet { local_index } | LocalTee { local_index } => self.touch(pass, at, *local_index, locals, true),
            Block { blockty } => self.open(pass, at, Kind::Block, self.block(*blockty)),
            Loop { blockty } => self.open(pass, at, Kind::Loop, self.block(*blockty)),
            If { blockty } => self.open(pass, at, Kind::If, self.block(*blockty)),
            TryTable { try_table } => {
                self.open(pass, at, Kind::Block, self.block(try_table.ty));
                for catch in &try_table.catches {
                    // Labels are counted from outside of the block.
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
            End => self.close(pass),
            Br { relative_depth }
            | BrIf { relative_depth }
            | BrOnNull { relative_depth }
            | BrOnNonNull { relative_depth } => {
                pass.blocks += 1;
                self.branch(pass, *relative_depth);
            }
            BrOnCast { relative_depth, .. } | BrOnCastFail { relative_depth, .. } => {
                pass.long(LONG);
                self.branch(pass, *relative_depth);
            }
            BrTable { targets } => {
                pass.blocks += 1;
                pass.add(Part::Instructions, u64::from(targets.len()) / 8);
                for target in targets.targets().flatten().chain([targets.default()]) {
                    let Some(frame) = self.frames.iter_mut().nth_back(target as usize) else { continue };
                    // All entries of one target are one branch.
                    if frame.table != at {
                        frame.table = at;
                        self.branch(pass, target);
                    }
                }
            }
            Return => self.branch(pass, self.frames.len().saturating_sub(1) as u32),
            Call { function_index } | ReturnCall { function_index } => self.call(pass, self.function(*function_index)),
            CallIndirect { type_index, .. } | ReturnCallIndirect { type_index, .. } => {
                pass.long(CALLS_ENGINE);
                self.call(pass, self.shape(*type_index));
            }
            CallRef { type_index } | ReturnCallRef { type_index } => self.call(pass, self.shape(*type_index)),
            Throw { tag_index } => {
                pass.long(CALLS_ENGINE);
                self.call(pass, self.tag(*tag_index));
            }
            ThrowRef => self.call(pass, Shape::default()),
            GlobalGet { global_index } | GlobalSet { global_index }
                if self.globals.get(*global_index as usize) == Some(&true) =>
            {
                pass.long(LONG)
            }
            TableGet { .. } | TableSet { .. } => pass.long(LONG),
            // Calls of functions, where fuel is counted; those of segments are of a function for each.
            MemoryCopy { .. } | MemoryFill { .. } => self.call(pass, MOVES),
            MemoryInit { .. } => {
                pass.add(Part::Instructions, SEGMENT);
                self.call(pass, MOVES);
            }
            MemoryGrow { .. } => pass.long(CALLS_ENGINE),
            DataDrop { .. } | ElemDrop { .. } => pass.add(Part::Instructions, CALLS_ENGINE / 2),
            TableCopy { .. } | TableFill { .. } | TableGrow { .. } => {
                pass.long(CALLS_ENGINE);
                self.call(pass, MOVES);
            }
            TableInit { .. } => {
                pass.long(CALLS_ENGINE + SEGMENT);
                self.call(pass, MOVES);
            }
            ArrayNewData { .. } | ArrayNewElem { .. } | ArrayInitData { .. } | ArrayInitElem { .. } => {
                pass.long(LONG + SEGMENT);
                self.call(pass, MOVES);
            }
            ArrayCopy { .. } | ArrayFill { .. } => {
                pass.long(LONG);
                self.call(pass, MOVES);
            }
            StructNew { struct_type_index } | StructNewDefault { struct_type_index } => {
                pass.long(LONG);
                pass.add(Part::Calls, self.shape(*struct_type_index).new.into());
            }
            ArrayNewFixed { array_type_index, array_size } => {
                pass.long(LONG);
                let each = ELEMENT + u64::from(self.shape(*array_type_index).new);
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
            | RefCastNullable { .. } => pass.long(LONG),
            _ => {}
        }
    }

    fn touch(&mut self, pass: &mut Pass, at: usize, index: u32, locals: usize, changed: bool) {
        let index = index as usize;
        let (Some(function), true) = (self.frames.first(), index < locals) else { return };
        let local = &mut self.locals[index];
        pass.touched += u64::from(local.seen < function.begin);
        // One for each loop in which it was not seen before.
        if self.loops.last().is_some_and(|begin| local.seen < *begin) {
            let known = self.loops.partition_point(|begin| *begin <= local.seen);
            pass.add(Part::Joins, (self.loops.len() - known) as u64);
        }
        local.seen = at;
        let innermost = self.frames.len() - 1;
        if changed && local.changed < self.frames[innermost].begin {
            // It changes in all blocks from here out to the one in which it has changed before.
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
        pass.blocks += if kind == Kind::If { 3 } else { 1 };
        let values = shape.values();
        if values > 0 {
            // Values on the operand stack are looked at again in each block within.
            let depth = self.frames.len() as u64;
            pass.add(Part::Values, values.saturating_mul(CARRIED + depth / 64));
        }
        if kind == Kind::Loop {
            self.loops.push(begin);
            pass.loops = pass.loops.max(self.loops.len());
            // In each loop all loops around it are looked at again, several times.
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
            pass.add(Part::Joins, changed.saturating_mul(JOINED + frame.branches));
        }
    }

    /// A branch out of so many blocks.
    fn branch(&mut self, pass: &mut Pass, depth: u32) {
        pass.add(Part::Instructions, 1);
        let Some(frame) = self.frames.iter_mut().nth_back(depth as usize) else { return };
        frame.branches += 1;
        let carried = frame.carried();
        pass.add(Part::Values, carried.saturating_mul(CARRIED));
    }

    fn call(&mut self, pass: &mut Pass, shape: Shape) {
        pass.height = pass.height.saturating_sub(shape.params.into());
        // What stays on the operand stack has to outlive the call.
        pass.add(Part::Calls, PASSED * shape.values() + pass.height / 128);
        pass.outlived = pass.outlived.saturating_add(pass.height);
        pass.held |= shape.gives_references;
        pass.height += u64::from(shape.results);
        if pass.handlers > 0 {
            pass.blocks += 1;
            pass.handled = pass.handled.saturating_add(pass.handlers);
            pass.add(Part::Handlers, pass.handlers.saturating_mul(HANDLED));
        }
    }
}

/// Where a handler of exceptions goes.
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
    use wasmparser::{Parser, Payload};

    /// What the functions of a module cost.
    fn found(text: &str) -> Vec<Found> {
        let wasm = wat::parse_str(text).expect("valid text");
        let mut meter = Meter::default();
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
                Payload::CodeSectionEntry(body) => found.push(meter.read(found.len() as u32, &body)),
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
    fn locals_that_change_are_counted_once_for_each_join() {
        let set = "local.get 0 local.set 1";
        // Nothing meets where nothing branches.
        for body in [set.to_string(), format!("block {set} end"), format!("loop {set} end")] {
            assert_eq!(part(&body, Part::Joins), if body.starts_with("loop") { 2 } else { 0 }, "{body}");
        }
        let once = part(&format!("block local.get 0 br_if 0 {set} end"), Part::Joins);
        assert_eq!(once, JOINED + 1);
        for (body, joins) in [
            (format!("block local.get 0 br_if 0 {set} {set} end"), once),
            (format!("block local.get 0 br_if 0 {set} end block local.get 0 br_if 0 {set} end"), 2 * once),
            (format!("block local.get 0 br_if 0 block local.get 0 br_if 0 {set} end {set} end"), 2 * once),
            (format!("block local.get 0 br_if 0 {set} local.get 0 local.set 2 end"), 2 * once),
            (format!("block local.get 0 br_if 0 local.get 0 br_if 0 {set} end"), once + 1),
            // Entries of a branch table that say the same are one.
            (format!("block local.get 0 br_table 0 0 0 {set} end"), once),
            (format!("local.get 0 if {set} end"), JOINED),
            (format!("local.get 0 if {set} else {set} end"), JOINED),
        ] {
            assert_eq!(part(&body, Part::Joins), joins, "{body}");
        }
    }

    #[test]
    fn values_are_counted_where_they_go() {
        for (body, of, units) in [
            ("block (result i32) i32.const 1 end drop", Part::Values, CARRIED),
            ("block (result i32) i32.const 1 local.get 0 br_if 0 end drop", Part::Values, 2 * CARRIED),
            ("loop (result i32) i32.const 1 local.get 0 br_if 0 end drop", Part::Values, CARRIED),
            ("call $two drop drop", Part::Calls, 1 + 2 * PASSED),
            ("struct.new_default $s drop", Part::Calls, 1 + 6),
            ("block try_table (catch_all 0) call $two drop drop end end", Part::Handlers, HANDLED),
            ("block try_table (catch_all 0) end call $two drop drop end", Part::Handlers, 0),
        ] {
            assert_eq!(part(body, of), units, "{body}");
        }
        // Results that wait for the end while calls are made.
        let waiting =
            |count: usize| part(&format!("{} {}", "call $two ".repeat(count), "drop ".repeat(2 * count)), Part::Calls);
        assert!(waiting(2000) > 4 * waiting(1000) / 2 + 1000, "{} {}", waiting(2000), waiting(1000));
    }

    #[test]
    fn nesting_is_the_deepest() {
        let deep = found("(module (func) (func block loop end end block end) (func i32.const 0 if else end))");
        assert_eq!(deep.iter().map(|found| found.nesting).collect::<Vec<_>>(), [0, 2, 1]);
    }

    #[test]
    fn what_is_malformed_is_no_harm() {
        // Ends without beginnings, branches to nowhere, locals that are not there, a table that does not end.
        for code in
            [&[0, 0x0b, 0x0b, 0x0b][..], &[0, 0x0c, 9, 0x0b], &[0, 0x20, 99, 0x0b], &[0, 0x0e, 0xff], &[0xff], &[]]
        {
            let body = FunctionBody::new(wasmparser::BinaryReader::new(code, 0));
            Meter::default().read(7, &body);
        }
    }
}
