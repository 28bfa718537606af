//! Makes a module smaller while two engines still differ about it: parts are left out, one kind after the other, until
//! nothing more can be.

use wasm_encoder::reencode::{Error, Reencode, utils};
use wasm_encoder::{
    CodeSection, CoreTypeEncoder, DataSection, ElementSection, ExportSection, Function, FunctionSection, GlobalSection,
    ImportSection, Instruction, MemorySection, Module, TableSection,
};
use wasmparser::{ExternalKind, Parser, Payload, TypeRef, Validator, WasmFeatures};

/// What may be left out by its index.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Space {
    Type,
    Func,
    Table,
    Memory,
    Global,
    Element,
    Data,
    Export,
}

/// How a run of a function's instructions is replaced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Replacement {
    Nothing,
    Unreachable,
    Drop,
    I32,
    I64,
}

#[derive(Clone, Copy, Debug)]
enum Edit {
    /// Without these of a space.
    Without(Space, u32),
    WithoutStart,
    /// Instructions of the function with that position among those defined.
    Instructions {
        function: u32,
        from: usize,
        to: usize,
        by: Replacement,
    },
    /// A block's first and last instruction; what is between stays.
    WithoutBlock {
        function: u32,
        from: usize,
        to: usize,
    },
    WithoutLocals(u32),
    EmptyData(u32),
}

/// A smaller module for which `is_interesting` still holds; it is asked at most `attempts` times.
pub fn minimise(wasm: Vec<u8>, attempts: usize, mut is_interesting: impl FnMut(&[u8]) -> bool) -> Vec<u8> {
    let (mut best, mut left) = (wasm, attempts);
    // Only valid modules are tried, unless the first is invalid: then that may be what it is about.
    let must_be_valid = is_valid(&best);
    let mut try_edit = |best: &mut Vec<u8>, edit: Edit| {
        let Some(smaller) = edit.apply(best).filter(|smaller| !must_be_valid || is_valid(smaller)) else {
            return false;
        };
        if left == 0 || smaller.len() > best.len() || smaller == *best {
            return false;
        }
        left -= 1;
        let better = is_interesting(&smaller);
        if better {
            *best = smaller;
        }
        better
    };
    loop {
        let before = best.len();
        try_edit(&mut best, Edit::WithoutStart);
        // From the last: what comes later uses what comes before. All exports of a module are calls, so they go first.
        for space in [
            Space::Export,
            Space::Func,
            Space::Element,
            Space::Data,
            Space::Table,
            Space::Memory,
            Space::Global,
            Space::Type,
        ] {
            for index in (0..count(&best, space)).rev() {
                try_edit(&mut best, Edit::Without(space, index));
            }
        }
        for index in 0..count(&best, Space::Data) {
            try_edit(&mut best, Edit::EmptyData(index));
        }
        for function in (0..bodies(&best).len() as u32).rev() {
            minimise_body(&mut best, function, &mut try_edit);
            try_edit(&mut best, Edit::WithoutLocals(function));
        }
        if best.len() >= before {
            return best;
        }
    }
}

fn minimise_body(best: &mut Vec<u8>, function: u32, try_edit: &mut impl FnMut(&mut Vec<u8>, Edit) -> bool) {
    let length = |best: &[u8]| bodies(best).get(function as usize).copied().unwrap_or(0).saturating_sub(1);
    let mut size = length(best).max(1);
    loop {
        let mut from = 0;
        while from < length(best) {
            let to = (from + size).min(length(best));
            let replacements: &[Replacement] = match size {
                1 => &[Replacement::Nothing, Replacement::Drop, Replacement::I32, Replacement::I64],
                _ => &[Replacement::Nothing, Replacement::Unreachable, Replacement::I32, Replacement::Drop],
            };
            let before = best.len();
            let by = |by: &Replacement| Edit::Instructions { function, from, to, by: *by };
            let replaced = replacements.iter().any(|replacement| try_edit(best, by(replacement)));
            if !replaced || best.len() == before {
                // Half overlapping runs for the blocks that begin in one and end in the next.
                from += size.div_ceil(2);
            }
        }
        if size == 1 {
            break;
        }
        size /= 2;
    }
    let mut from = 0;
    while from < length(best) {
        let unwrapped = match end_of_block(best, function, from) {
            Some(to) => {
                let whole = |by| Edit::Instructions { function, from, to: to + 1, by };
                try_edit(best, whole(Replacement::Nothing))
                    || try_edit(best, whole(Replacement::Unreachable))
                    || try_edit(best, Edit::WithoutBlock { function, from, to })
            }
            None => false,
        };
        if !unwrapped {
            from += 1;
        }
    }
}

/// Where the block ends that begins at an instruction, if one does.
fn end_of_block(wasm: &[u8], function: u32, from: usize) -> Option<usize> {
    use wasmparser::Operator::{Block, End, If, Loop};
    let entries = Parser::new(0).parse_all(wasm).map_while(Result::ok);
    let mut bodies = entries.filter_map(|payload| match payload {
        Payload::CodeSectionEntry(body) => Some(body),
        _ => None,
    });
    let mut depth = 0;
    let operators = bodies.nth(function as usize)?.get_operators_reader().ok()?;
    for (position, operator) in operators.into_iter().enumerate().skip(from) {
        match operator.ok()? {
            Block { .. } | Loop { .. } | If { .. } => depth += 1,
            End => depth -= 1,
            _ => {}
        }
        if depth <= 0 {
            return (position > from).then_some(position);
        }
    }
    None
}

fn is_valid(wasm: &[u8]) -> bool {
    Validator::new_with_features(WasmFeatures::all()).validate_all(wasm).is_ok()
}

/// How many instructions each defined function has.
fn bodies(wasm: &[u8]) -> Vec<usize> {
    let entries = Parser::new(0).parse_all(wasm).map_while(Result::ok);
    let bodies = entries.filter_map(|payload| match payload {
        Payload::CodeSectionEntry(body) => {
            Some(body.get_operators_reader().map_or(0, |reader| reader.into_iter().count()))
        }
        _ => None,
    });
    bodies.collect()
}

fn count(wasm: &[u8], space: Space) -> u32 {
    let mut count = 0;
    for payload in Parser::new(0).parse_all(wasm).map_while(Result::ok) {
        count += match (payload, space) {
            (Payload::TypeSection(section), Space::Type) => section.count(),
            (Payload::ImportSection(section), _) => {
                let imports = section.into_imports().map_while(Result::ok);
                imports.filter(|import| space_of(import.ty) == Some(space)).count() as u32
            }
            (Payload::FunctionSection(section), Space::Func) => section.count(),
            (Payload::TableSection(section), Space::Table) => section.count(),
            (Payload::MemorySection(section), Space::Memory) => section.count(),
            (Payload::GlobalSection(section), Space::Global) => section.count(),
            (Payload::ElementSection(section), Space::Element) => section.count(),
            (Payload::DataSection(section), Space::Data) => section.count(),
            (Payload::ExportSection(section), Space::Export) => section.count(),
            _ => 0,
        };
    }
    count
}

fn space_of(ty: TypeRef) -> Option<Space> {
    match ty {
        TypeRef::Func(_) | TypeRef::FuncExact(_) => Some(Space::Func),
        TypeRef::Global(_) => Some(Space::Global),
        TypeRef::Table(_) => Some(Space::Table),
        TypeRef::Memory(_) => Some(Space::Memory),
        TypeRef::Tag(_) => None,
    }
}

impl Edit {
    /// `None` if what it removes is used, or is not there.
    fn apply(self, wasm: &[u8]) -> Option<Vec<u8>> {
        let mut module = Module::new();
        let mut editor = Editor { edit: self, next: [0; 8], body: 0, datum: 0 };
        if let Edit::WithoutStart = self {
            editor.without_start(&mut module, wasm)?;
        } else {
            editor.parse_core_module(&mut module, Parser::new(0), wasm).ok()?;
        }
        Some(module.finish())
    }
}

/// What is removed is used somewhere.
#[derive(Debug)]
struct InUse;

struct Editor {
    edit: Edit,
    /// The index that comes next, of each space.
    next: [u32; 8],
    body: u32,
    datum: u32,
}

impl Editor {
    /// Whether the next one of the space is kept.
    fn keeps(&mut self, space: Space) -> bool {
        let index = self.next[space as usize];
        self.next[space as usize] += 1;
        !matches!(self.edit, Edit::Without(without, removed) if without == space && removed == index)
    }

    fn renumber(&self, space: Space, index: u32) -> Result<u32, Error<InUse>> {
        match self.edit {
            Edit::Without(without, removed) if without == space => match index.cmp(&removed) {
                std::cmp::Ordering::Less => Ok(index),
                std::cmp::Ordering::Equal => Err(Error::UserError(InUse)),
                std::cmp::Ordering::Greater => Ok(index - 1),
            },
            _ => Ok(index),
        }
    }

    fn without_start(&mut self, module: &mut Module, wasm: &[u8]) -> Option<()> {
        let mut found = false;
        for payload in Parser::new(0).parse_all(wasm) {
            let payload = payload.ok()?;
            found |= matches!(payload, Payload::StartSection { .. });
            if let (Some((id, range)), false) = (payload.as_section(), matches!(payload, Payload::StartSection { .. }))
            {
                let data = wasm.get(range.start as usize..range.end as usize)?;
                module.section(&wasm_encoder::RawSection { id, data });
            }
        }
        found.then_some(())
    }
}

impl Reencode for Editor {
    type Error = InUse;

    fn type_index(&mut self, index: u32) -> Result<u32, Error<InUse>> {
        self.renumber(Space::Type, index)
    }

    fn function_index(&mut self, index: u32) -> Result<u32, Error<InUse>> {
        self.renumber(Space::Func, index)
    }

    fn table_index(&mut self, index: u32) -> Result<u32, Error<InUse>> {
        self.renumber(Space::Table, index)
    }

    fn memory_index(&mut self, index: u32) -> Result<u32, Error<InUse>> {
        self.renumber(Space::Memory, index)
    }

    fn global_index(&mut self, index: u32) -> Result<u32, Error<InUse>> {
        self.renumber(Space::Global, index)
    }

    fn element_index(&mut self, index: u32) -> Result<u32, Error<InUse>> {
        self.renumber(Space::Element, index)
    }

    fn data_index(&mut self, index: u32) -> Result<u32, Error<InUse>> {
        self.renumber(Space::Data, index)
    }

    fn data_count(&mut self, count: u32) -> Result<u32, Error<InUse>> {
        Ok(count - u32::from(matches!(self.edit, Edit::Without(Space::Data, _))))
    }

    fn parse_recursive_type_group(
        &mut self,
        encoder: CoreTypeEncoder,
        group: wasmparser::RecGroup,
    ) -> Result<(), Error<InUse>> {
        if self.keeps(Space::Type) { utils::parse_recursive_type_group(self, encoder, group) } else { Ok(()) }
    }

    fn parse_imports(
        &mut self,
        section: &mut ImportSection,
        imports: wasmparser::Imports<'_>,
    ) -> Result<(), Error<InUse>> {
        if let wasmparser::Imports::Single(_, import) = &imports
            && space_of(import.ty).is_some_and(|space| !self.keeps(space))
        {
            return Ok(());
        }
        utils::parse_imports(self, section, imports)
    }

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        section: wasmparser::FunctionSectionReader<'_>,
    ) -> Result<(), Error<InUse>> {
        // The bodies come later; their positions start where the imports end.
        self.body = self.next[Space::Func as usize];
        for ty in section {
            let ty = ty?;
            if self.keeps(Space::Func) {
                functions.function(self.type_index(ty)?);
            }
        }
        self.next[Space::Func as usize] = self.body;
        self.body = 0;
        Ok(())
    }

    fn parse_table(&mut self, tables: &mut TableSection, table: wasmparser::Table<'_>) -> Result<(), Error<InUse>> {
        if self.keeps(Space::Table) { utils::parse_table(self, tables, table) } else { Ok(()) }
    }

    fn parse_memory_section(
        &mut self,
        memories: &mut MemorySection,
        section: wasmparser::MemorySectionReader<'_>,
    ) -> Result<(), Error<InUse>> {
        for memory in section {
            let memory = memory?;
            if self.keeps(Space::Memory) {
                memories.memory(self.memory_type(memory)?);
            }
        }
        Ok(())
    }

    fn parse_global(
        &mut self,
        globals: &mut GlobalSection,
        global: wasmparser::Global<'_>,
    ) -> Result<(), Error<InUse>> {
        if self.keeps(Space::Global) { utils::parse_global(self, globals, global) } else { Ok(()) }
    }

    fn parse_export(
        &mut self,
        exports: &mut ExportSection,
        export: wasmparser::Export<'_>,
    ) -> Result<(), Error<InUse>> {
        let space = match export.kind {
            ExternalKind::Func | ExternalKind::FuncExact => Space::Func,
            ExternalKind::Table => Space::Table,
            ExternalKind::Memory => Space::Memory,
            ExternalKind::Global => Space::Global,
            ExternalKind::Tag => return utils::parse_export(self, exports, export),
        };
        // An export goes with what it exports.
        if self.keeps(Space::Export) && self.renumber(space, export.index).is_ok() {
            utils::parse_export(self, exports, export)?;
        }
        Ok(())
    }

    fn parse_element(
        &mut self,
        elements: &mut ElementSection,
        element: wasmparser::Element<'_>,
    ) -> Result<(), Error<InUse>> {
        if self.keeps(Space::Element) { utils::parse_element(self, elements, element) } else { Ok(()) }
    }

    fn parse_data(&mut self, data: &mut DataSection, mut datum: wasmparser::Data<'_>) -> Result<(), Error<InUse>> {
        if !self.keeps(Space::Data) {
            return Ok(());
        }
        if matches!(self.edit, Edit::EmptyData(index) if index == self.datum) {
            datum.data = &[];
        }
        self.datum += 1;
        utils::parse_data(self, data, datum)
    }

    fn parse_function_body(
        &mut self,
        code: &mut CodeSection,
        body: wasmparser::FunctionBody<'_>,
    ) -> Result<(), Error<InUse>> {
        let position = self.body;
        self.body += 1;
        if !self.keeps(Space::Func) {
            return Ok(());
        }
        let mut function = match self.edit {
            Edit::WithoutLocals(edited) if edited == position => Function::new([]),
            _ => self.new_function_with_parsed_locals(&body)?,
        };
        let mut reader = body.get_operators_reader()?;
        let mut instruction = 0;
        while !reader.eof() {
            let parsed = self.parse_instruction(&mut reader)?;
            match self.edit {
                Edit::Instructions { function: edited, from, to, by }
                    if edited == position && (from..to).contains(&instruction) =>
                {
                    if instruction == from {
                        match by {
                            Replacement::Nothing => {}
                            Replacement::Unreachable => drop(function.instruction(&Instruction::Unreachable)),
                            Replacement::Drop => drop(function.instruction(&Instruction::Drop)),
                            Replacement::I32 => drop(function.instruction(&Instruction::I32Const(0))),
                            Replacement::I64 => drop(function.instruction(&Instruction::I64Const(0))),
                        }
                    }
                }
                Edit::WithoutBlock { function: edited, from, to }
                    if edited == position && (instruction == from || instruction == to) => {}
                _ => drop(function.instruction(&parsed)),
            }
            instruction += 1;
        }
        code.function(&function);
        Ok(())
    }

    fn parse_custom_section(
        &mut self,
        _module: &mut Module,
        _section: wasmparser::CustomSectionReader<'_>,
    ) -> Result<(), Error<InUse>> {
        Ok(())
    }
}
