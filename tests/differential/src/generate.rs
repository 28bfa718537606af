//! Modules made from a seed.

use arbitrary::Unstructured;
use wasm_encoder::reencode::{Error, Reencode, utils};
use wasm_encoder::{CodeSection, ExportKind, ExportSection, Instruction, Module};
use wasm_smith::{Config, MemoryOffsetChoices};
use wasmparser::{Parser, Payload};

/// The export by which a module lets itself be given fuel, an i32: it traps when there is none left.
pub const FUEL: &str = "differential fuel";
/// How much a call gets.
pub const FUEL_PER_CALL: u32 = 1000;

/// What is done with a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// It is instantiated and its exports are used.
    Run,
    /// It is only compiled: it may be invalid, and running it might never end.
    Compile,
}

/// A sequence of numbers that looks random, determined by where it starts (splitmix64).
pub struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// One of `0..count`.
    pub fn below(&mut self, count: usize) -> usize {
        (self.next() % count as u64) as usize
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }
}

fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}

/// The module of a seed.
pub fn module(seed: u64) -> Result<(Task, Vec<u8>), String> {
    // Neighbouring seeds have nothing in common.
    let mut numbers = Numbers(mix(seed));
    let task = if numbers.one_in(8) { Task::Compile } else { Task::Run };
    let random_bodies = task == Task::Compile && numbers.one_in(2);
    // Not every input leads to a module.
    let mut module = loop {
        let length = 2048 << numbers.below(6);
        let input: Vec<u8> = (0..length).map(|_| numbers.next() as u8).collect();
        let config = Config { allow_invalid_funcs: random_bodies, ..config(&mut numbers) };
        if let Ok(module) = wasm_smith::Module::new(config, &mut Unstructured::new(&input)) {
            break module;
        }
    };
    if task == Task::Run {
        let fuel = module.ensure_termination(FUEL_PER_CALL).map_err(|error| error.to_string())?;
        let wasm = finish(&module.to_bytes(), fuel).map_err(|error| error.to_string())?;
        return Ok((task, wasm));
    }
    let mut wasm = module.to_bytes();
    if !random_bodies {
        for _ in 0..1 + numbers.below(3) {
            let place = 8 + numbers.below(wasm.len().saturating_sub(8).max(1));
            if let Some(byte) = wasm.get_mut(place) {
                *byte = if numbers.one_in(2) { numbers.next() as u8 } else { *byte ^ 1 << numbers.below(8) };
            }
        }
    }
    Ok((task, wasm))
}

/// What both engines have, of moderate size, some of it left out by chance: what remains then comes up more often.
fn config(numbers: &mut Numbers) -> Config {
    let mut mostly = || !numbers.one_in(5);
    let mut config = Config {
        bulk_memory_enabled: mostly(),
        extended_const_enabled: mostly(),
        memory64_enabled: mostly(),
        multi_value_enabled: mostly(),
        reference_types_enabled: mostly(),
        saturating_float_to_int_enabled: mostly(),
        sign_extension_ops_enabled: mostly(),
        simd_enabled: mostly(),
        tail_call_enabled: mostly(),
        wide_arithmetic_enabled: mostly(),
        allow_floats: mostly(),
        ..Config::default()
    };
    // What one of the engines lacks, what is not deterministic, or what C has no way to provide.
    config.compact_imports_enabled = false;
    config.custom_page_sizes_enabled = false;
    config.exceptions_enabled = false;
    config.gc_enabled = false;
    config.relaxed_simd_enabled = false;
    config.shared_everything_threads_enabled = false;
    config.threads_enabled = false;
    config.canonicalize_nans = true;

    config.disallow_traps = numbers.one_in(2);
    config.export_everything = true;
    config.allow_start_export = numbers.one_in(4);
    config.min_funcs = 2 + numbers.below(8);
    config.max_funcs = 20;
    config.max_instructions = 50 << numbers.below(4);
    config.max_imports = 4 << numbers.below(3);
    config.min_imports = numbers.below(5);
    config.max_globals = 10;
    config.max_types = 20;
    config.max_elements = 20;
    config.max_element_segments = 8;
    config.max_data_segments = 8;
    config.max_memories = 1 + if numbers.one_in(2) { numbers.below(3) } else { 0 };
    config.min_memories = numbers.below(2) as u32;
    config.max_tables = 1 + if config.reference_types_enabled { numbers.below(3) } else { 0 };
    config.min_tables = numbers.below(2) as u32;
    config.max_memory32_bytes = 8 * 65_536;
    config.max_memory64_bytes = 8 * 65_536;
    config.memory_max_size_required = true;
    config.max_table_elements = 40;
    config.table_max_size_required = true;
    config.memory_offset_choices = MemoryOffsetChoices(95, 4, 1);
    config
}

/// Exports the fuel, which `ensure_termination` does not, and leaves out what an engine is known to get wrong: see the
/// folder `known`.
struct Finisher {
    fuel: u32,
    types: Vec<wasmparser::FuncType>,
    /// The type of each function that is defined, the next one last.
    functions: Vec<u32>,
}

impl Finisher {
    /// Whether a branch to such a label carries more than one number or reference.
    fn carries_much(&self, block: wasmparser::BlockType, is_loop: bool) -> bool {
        use wasmparser::{BlockType, ValType};
        match block {
            BlockType::Empty => false,
            BlockType::Type(ty) => !is_loop && ty == ValType::V128,
            BlockType::FuncType(index) => self.types.get(index as usize).is_some_and(|ty| {
                let carried = if is_loop { ty.params() } else { ty.results() };
                carried.len() > 1 || carried.contains(&ValType::V128)
            }),
        }
    }
}

impl Reencode for Finisher {
    type Error = std::convert::Infallible;

    fn parse_export_section(
        &mut self,
        exports: &mut ExportSection,
        section: wasmparser::ExportSectionReader<'_>,
    ) -> Result<(), Error> {
        utils::parse_export_section(self, exports, section)?;
        exports.export(FUEL, ExportKind::Global, self.fuel);
        Ok(())
    }

    fn parse_function_body(&mut self, code: &mut CodeSection, body: wasmparser::FunctionBody<'_>) -> Result<(), Error> {
        use wasmparser::{BlockType, Operator};
        let own_type = self.functions.pop().unwrap_or(0);
        let mut function = self.new_function_with_parsed_locals(&body)?;
        let mut labels = vec![self.carries_much(BlockType::FuncType(own_type), false)];
        let mut after_local = false;
        let mut reader = body.get_operators_reader()?;
        while !reader.eof() {
            let operator = reader.clone().read()?;
            let instruction = self.parse_instruction(&mut reader)?;
            match &operator {
                Operator::Block { blockty } | Operator::If { blockty } => {
                    labels.push(self.carries_much(*blockty, false));
                }
                Operator::Loop { blockty } => labels.push(self.carries_much(*blockty, true)),
                Operator::End => drop(labels.pop()),
                // known/br-table-with-values.wat: there is only one way to go.
                Operator::BrTable { targets } => {
                    let default = targets.default();
                    if labels.iter().rev().nth(default as usize).is_some_and(|much| *much) {
                        function.instruction(&Instruction::Drop).instruction(&Instruction::Br(default));
                        continue;
                    }
                }
                // known/store-of-its-address.wat: what is stored is no local.
                Operator::I32Store { memarg } | Operator::I32Store8 { memarg } | Operator::I32Store16 { memarg }
                    if after_local && is_far(memarg) =>
                {
                    function.instruction(&Instruction::I32Clz);
                }
                Operator::I64Store { memarg }
                | Operator::I64Store8 { memarg }
                | Operator::I64Store16 { memarg }
                | Operator::I64Store32 { memarg }
                    if after_local && is_far(memarg) =>
                {
                    function.instruction(&Instruction::I64Clz);
                }
                _ => {}
            }
            after_local = matches!(operator, Operator::LocalGet { .. });
            function.instruction(&instruction);
        }
        code.function(&function);
        Ok(())
    }
}

fn is_far(memarg: &wasmparser::MemArg) -> bool {
    memarg.target != wasmparser::MemArgTarget::Memory(0) || memarg.offset > u16::MAX.into()
}

fn finish(wasm: &[u8], fuel: u32) -> Result<Vec<u8>, Error> {
    let (mut types, mut functions) = (Vec::new(), Vec::new());
    for payload in Parser::new(0).parse_all(wasm) {
        match payload? {
            Payload::TypeSection(section) => {
                types = section.into_iter_err_on_gc_types().collect::<Result<_, _>>()?;
            }
            Payload::FunctionSection(section) => functions = section.into_iter().collect::<Result<_, _>>()?,
            _ => {}
        }
    }
    functions.reverse();
    let mut module = Module::new();
    Finisher { fuel, types, functions }.parse_core_module(&mut module, Parser::new(0), wasm)?;
    Ok(module.finish())
}
