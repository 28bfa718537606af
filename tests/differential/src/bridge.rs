//! Small modules between C and the generated one, for what C cannot make or read: vectors, which cross as two i64, the
//! lower half first, and memories and tables with 64-bit indices, of which C can make none.

use crate::outline::{Outline, Type};
use wasm_encoder::reencode::{Error, Reencode, RoundtripReencoder};
use wasm_encoder::{
    CodeSection, ConstExpr, EntityType, ExportKind, ExportSection, Function, FunctionSection, GlobalSection,
    ImportSection, Instruction, MemorySection, Module, TableSection, TypeSection, ValType,
};

/// What the host's vectors are, as globals.
const VECTOR: i128 = 0x0f0e_0d0c_0b0a_0908_0706_0504_0302_0100;

#[derive(Clone, Copy, PartialEq)]
enum Direction {
    Split,
    Join,
}

/// A module that exports, in their order, those of the imports that are beyond C. Its own imports are functions of the
/// same order, with vectors split. `None` if there is no such import.
pub fn provider(outline: &Outline) -> Result<Option<Vec<u8>>, Error> {
    let mut bridge = Bridge::default();
    let beyond: Vec<_> = outline.imports.iter().filter(|ty| ty.is_beyond_c()).collect();
    let functions = beyond.iter().filter(|ty| matches!(ty, Type::Func(_))).count() as u32;
    let mut imported = 0;
    for ty in &beyond {
        let name = bridge.exports.len().to_string();
        match ty {
            Type::Func(ty) => {
                let (params, results) = signature(ty)?;
                let flat = bridge.add_type(&split(&params), &split(&results));
                bridge.imports.import("host", &imported.to_string(), EntityType::Function(flat));
                let code = converter(imported, &params, Direction::Split, &results, Direction::Join);
                let own = bridge.add_type(&params, &results);
                bridge.functions.function(own);
                bridge.code.function(&code);
                bridge.exports.export(&name, ExportKind::Func, functions + imported);
                imported += 1;
            }
            Type::Global(ty) => {
                bridge.exports.export(&name, ExportKind::Global, bridge.globals.len());
                bridge.globals.global(RoundtripReencoder.global_type(*ty)?, &ConstExpr::v128_const(VECTOR));
            }
            Type::Table(ty) => {
                bridge.exports.export(&name, ExportKind::Table, bridge.tables.len());
                bridge.tables.table(RoundtripReencoder.table_type(*ty)?);
            }
            Type::Memory(ty) => {
                bridge.exports.export(&name, ExportKind::Memory, bridge.memories.len());
                bridge.memories.memory(RoundtripReencoder.memory_type(*ty)?);
            }
        }
    }
    Ok((!beyond.is_empty()).then(|| bridge.finish()))
}

/// A module that imports those exports whose values are vectors, and exports a function for each of them, in the same
/// order: the function with vectors split, or one that gives the global's value. `None` if there is no such export.
pub fn reader(outline: &Outline) -> Result<Option<Vec<u8>>, Error> {
    let mut bridge = Bridge::default();
    let vectors: Vec<_> = outline.exports.iter().map(|(_, ty)| ty).filter(|ty| has_vectors(ty)).collect();
    let functions = vectors.iter().filter(|ty| matches!(ty, Type::Func(_))).count() as u32;
    let (mut imported_functions, mut imported_globals) = (0, 0);
    for (position, ty) in vectors.iter().enumerate() {
        let name = position.to_string();
        let (own, code) = match ty {
            Type::Func(ty) => {
                let (params, results) = signature(ty)?;
                let inner = bridge.add_type(&params, &results);
                bridge.imports.import("guest", &name, EntityType::Function(inner));
                let code = converter(imported_functions, &params, Direction::Join, &results, Direction::Split);
                imported_functions += 1;
                (bridge.add_type(&split(&params), &split(&results)), code)
            }
            Type::Global(ty) => {
                bridge.imports.import("guest", &name, RoundtripReencoder.global_type(*ty)?);
                let mut code = Function::new([]);
                for lane in 0..2 {
                    code.instruction(&Instruction::GlobalGet(imported_globals));
                    code.instruction(&Instruction::I64x2ExtractLane(lane));
                }
                code.instruction(&Instruction::End);
                imported_globals += 1;
                (bridge.add_type(&[], &[ValType::I64, ValType::I64]), code)
            }
            Type::Table(_) | Type::Memory(_) => unreachable!("neither holds vectors as values"),
        };
        bridge.functions.function(own);
        bridge.code.function(&code);
        bridge.exports.export(&name, ExportKind::Func, functions + position as u32);
    }
    Ok((!vectors.is_empty()).then(|| bridge.finish()))
}

pub fn has_vectors(ty: &Type) -> bool {
    ty.is_beyond_c() && matches!(ty, Type::Func(_) | Type::Global(_))
}

#[derive(Default)]
struct Bridge {
    types: TypeSection,
    imports: ImportSection,
    functions: FunctionSection,
    tables: TableSection,
    memories: MemorySection,
    globals: GlobalSection,
    exports: ExportSection,
    code: CodeSection,
}

impl Bridge {
    fn add_type(&mut self, params: &[ValType], results: &[ValType]) -> u32 {
        self.types.ty().function(params.iter().copied(), results.iter().copied());
        self.types.len() - 1
    }

    fn finish(self) -> Vec<u8> {
        let mut module = Module::new();
        module.section(&self.types).section(&self.imports).section(&self.functions).section(&self.tables);
        module.section(&self.memories).section(&self.globals).section(&self.exports).section(&self.code);
        module.finish()
    }
}

fn signature(ty: &wasmparser::FuncType) -> Result<(Vec<ValType>, Vec<ValType>), Error> {
    let convert = |types: &[wasmparser::ValType]| {
        types.iter().map(|ty| RoundtripReencoder.val_type(*ty)).collect::<Result<Vec<_>, _>>()
    };
    Ok((convert(ty.params())?, convert(ty.results())?))
}

fn split(types: &[ValType]) -> Vec<ValType> {
    let halves = |ty: &ValType| if *ty == ValType::V128 { vec![ValType::I64; 2] } else { vec![*ty] };
    types.iter().flat_map(halves).collect()
}

/// A function that calls another one with its converted parameters, and returns its converted results.
fn converter(
    callee: u32,
    params: &[ValType],
    params_direction: Direction,
    results: &[ValType],
    results_direction: Direction,
) -> Function {
    let on_entry = |types: &[ValType], direction| match direction {
        Direction::Split => types.to_vec(),
        Direction::Join => split(types),
    };
    let own_params = on_entry(params, params_direction).len() as u32;
    let returned = on_entry(results, results_direction);
    let mut code = Function::new_with_locals_types(returned.iter().copied());
    convert(&mut code, 0, params, params_direction);
    code.instruction(&Instruction::Call(callee));
    for local in (0..returned.len() as u32).rev() {
        code.instruction(&Instruction::LocalSet(own_params + local));
    }
    convert(&mut code, own_params, results, results_direction);
    code.instruction(&Instruction::End);
    code
}

/// Pushes values that are in locals, converted.
fn convert(code: &mut Function, first_local: u32, types: &[ValType], direction: Direction) {
    let mut local = first_local;
    for ty in types {
        code.instruction(&Instruction::LocalGet(local));
        if *ty == ValType::V128 {
            if direction == Direction::Split {
                code.instruction(&Instruction::I64x2ExtractLane(0));
                code.instruction(&Instruction::LocalGet(local));
                code.instruction(&Instruction::I64x2ExtractLane(1));
            } else {
                code.instruction(&Instruction::I64x2Splat);
                local += 1;
                code.instruction(&Instruction::LocalGet(local));
                code.instruction(&Instruction::I64x2ReplaceLane(1));
            }
        }
        local += 1;
    }
}
