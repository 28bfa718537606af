//! Adapters: small modules that carry what `wasm_val_t` cannot.
//!
//! A vector crosses the C boundary as two i64, and a reference of the garbage-collection proposal as the answers to the
//! tests that the scripts' expectations are about. An adapter imports the function or global in question with its own
//! type, for which it repeats the types of the module that exports it, and exports a function that converts.

use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{
    AbstractHeapType, BlockType, CodeSection, EntityType, ExportKind, ExportSection, Function, FunctionSection,
    HeapType, ImportSection, Instruction, Module, RefType, TypeSection, ValType,
};
use wasmparser::{CompositeInnerType, ExternalKind, Parser, Payload, TypeRef};

/// The export of every adapter.
pub const EXPORT: &str = "adapted";

/// How a parameter of the adapted function is passed to the adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Param {
    /// Likewise.
    Same,
    /// As two i64, the lower half first.
    Halves,
    /// As an externref, which the adapter internalizes.
    External,
    /// Not at all: it is null.
    Null,
}

/// How the adapter gives a result of the adapted function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResultForm {
    /// Likewise.
    Same,
    /// As two i64, the lower half first.
    Halves,
    /// As an i32 of the bits below, and an externref: null, or the host's reference it is.
    Classified,
    /// As an i32: whether it is null.
    Nullness,
}

pub const IS_NULL: u32 = 1 << 0;
pub const IS_EQ: u32 = 1 << 1;
pub const IS_I31: u32 = 1 << 2;
pub const IS_STRUCT: u32 = 1 << 3;
pub const IS_ARRAY: u32 = 1 << 4;

pub struct Adapter {
    pub wasm: Vec<u8>,
    pub params: Vec<Param>,
    pub results: Vec<ResultForm>,
}

/// An adapter for an export, a function or a global, of the module `wasm`. With `look_inside`, externrefs are told apart
/// too: they may be internal references that were externalized.
pub fn make(wasm: &[u8], export: &str, look_inside: bool) -> Result<Adapter, String> {
    let module = Outline::read(wasm).map_err(|error| error.to_string())?;
    let (_, kind, index) = module.exports.iter().find(|(name, ..)| *name == export).ok_or("there is no such export")?;
    let mut types = TypeSection::new();
    if let Some(section) = &module.type_section {
        RoundtripReencoder.parse_type_section(&mut types, section.clone()).map_err(|error| error.to_string())?;
    }

    let mut imports = ImportSection::new();
    let missing = "the export's index is out of range";
    let (params, results) = match kind {
        ExternalKind::Func => {
            let type_index = *module.functions.get(*index as usize).ok_or(missing)?;
            imports.import("", "", EntityType::Function(type_index));
            module.func_type(type_index).ok_or("the function's type is none of functions")?
        }
        ExternalKind::Global => {
            let ty = *module.globals.get(*index as usize).ok_or(missing)?;
            imports.import("", "", RoundtripReencoder.global_type(ty).map_err(|error| error.to_string())?);
            (vec![], vec![ty.content_type])
        }
        _ => return Err("the export is neither a function nor a global".to_string()),
    };
    let param_forms: Vec<_> = params.iter().map(|ty| module.param_form(*ty)).collect();
    let result_forms: Vec<_> = results.iter().map(|ty| module.result_form(*ty, look_inside)).collect();

    let own_type = module.types.len() as u32;
    let own_params = params.iter().zip(&param_forms).flat_map(|(ty, form)| match form {
        Param::Same => vec![module.plain_type(*ty)],
        Param::Halves => vec![ValType::I64, ValType::I64],
        Param::External => vec![ValType::EXTERNREF],
        Param::Null => vec![],
    });
    let own_params: Vec<_> = own_params.collect();
    let own_results = results.iter().zip(&result_forms).flat_map(|(ty, form)| match form {
        ResultForm::Same => vec![module.plain_type(*ty)],
        ResultForm::Halves => vec![ValType::I64, ValType::I64],
        ResultForm::Classified => vec![ValType::I32, ValType::EXTERNREF],
        ResultForm::Nullness => vec![ValType::I32],
    });
    types.ty().function(own_params.iter().copied(), own_results.collect::<Vec<_>>());

    let mut body = Body { module: &module, first_local: own_params.len() as u32, instructions: vec![] };
    let mut local = 0;
    for (ty, form) in params.iter().zip(&param_forms) {
        body.pass(*ty, *form, &mut local)?;
    }
    body.instructions.push(match kind {
        ExternalKind::Func => Instruction::Call(0),
        _ => Instruction::GlobalGet(0),
    });
    body.answer(&results, &result_forms)?;

    let locals: Result<Vec<_>, _> = results.iter().map(|ty| RoundtripReencoder.val_type(*ty)).collect();
    let mut function = Function::new_with_locals_types(locals.map_err(|error| error.to_string())?);
    body.instructions.iter().for_each(|instruction| _ = function.instruction(instruction));
    function.instruction(&Instruction::End);

    let mut functions = FunctionSection::new();
    functions.function(own_type);
    let mut exports = ExportSection::new();
    exports.export(EXPORT, ExportKind::Func, if *kind == ExternalKind::Func { 1 } else { 0 });
    let mut code = CodeSection::new();
    code.function(&function);
    let mut adapter = Module::new();
    adapter.section(&types).section(&imports).section(&functions).section(&exports).section(&code);
    Ok(Adapter { wasm: adapter.finish(), params: param_forms, results: result_forms })
}

/// The adapter's function, as it is written.
struct Body<'a> {
    module: &'a Outline<'a>,
    /// The index of the first of the locals that hold the results.
    first_local: u32,
    instructions: Vec<Instruction<'static>>,
}

impl Body<'_> {
    /// Puts an argument on the stack; `local` is the index of the parameter that holds it, and advances.
    fn pass(&mut self, ty: wasmparser::ValType, form: Param, local: &mut u32) -> Result<(), String> {
        let mut next = || {
            *local += 1;
            Instruction::LocalGet(*local - 1)
        };
        match form {
            Param::Same => {
                self.instructions.push(next());
                if let wasmparser::ValType::Ref(ty) = ty
                    && self.module.plain_type(wasmparser::ValType::Ref(ty)) != encoded(wasmparser::ValType::Ref(ty))?
                {
                    self.instructions.push(cast(ty)?);
                }
            }
            Param::Halves => {
                self.instructions.extend([next(), Instruction::I64x2Splat, next(), Instruction::I64x2ReplaceLane(1)]);
            }
            Param::External => {
                let wasmparser::ValType::Ref(ty) = ty else { return Err("only references are external".to_string()) };
                self.instructions.extend([next(), Instruction::AnyConvertExtern, cast(ty)?]);
            }
            Param::Null => {
                let wasmparser::ValType::Ref(ty) = ty else { return Err("only references are null".to_string()) };
                let heap = RoundtripReencoder.heap_type(ty.heap_type()).map_err(|error| error.to_string())?;
                self.instructions.push(Instruction::RefNull(heap));
            }
        }
        Ok(())
    }

    /// Converts the results on the stack.
    fn answer(&mut self, results: &[wasmparser::ValType], forms: &[ResultForm]) -> Result<(), String> {
        let last = self.first_local + results.len() as u32;
        self.instructions.extend((self.first_local..last).rev().map(Instruction::LocalSet));
        for (local, (ty, form)) in (self.first_local..).zip(results.iter().zip(forms)) {
            let get = Instruction::LocalGet(local);
            match form {
                ResultForm::Same => self.instructions.push(get),
                ResultForm::Halves => self.instructions.extend([
                    get.clone(),
                    Instruction::I64x2ExtractLane(0),
                    get,
                    Instruction::I64x2ExtractLane(1),
                ]),
                ResultForm::Nullness => self.instructions.extend([get, Instruction::RefIsNull]),
                ResultForm::Classified => self.classify(get, self.module.hierarchy(*ty) == Hierarchy::Extern),
            }
        }
        Ok(())
    }

    fn classify(&mut self, get: Instruction<'static>, is_external: bool) {
        let abstract_type = |ty| HeapType::Abstract { shared: false, ty };
        let internal: Vec<_> =
            [get.clone()].into_iter().chain(is_external.then_some(Instruction::AnyConvertExtern)).collect();
        let tests = [
            (AbstractHeapType::Eq, IS_EQ),
            (AbstractHeapType::I31, IS_I31),
            (AbstractHeapType::Struct, IS_STRUCT),
            (AbstractHeapType::Array, IS_ARRAY),
        ];
        self.instructions.extend([get.clone(), Instruction::RefIsNull]);
        const { assert!(IS_NULL == 1) };
        for (ty, bit) in tests {
            self.instructions.extend(internal.iter().cloned());
            self.instructions.extend([
                Instruction::RefTestNonNull(abstract_type(ty)),
                Instruction::I32Const(bit.trailing_zeros() as i32),
                Instruction::I32Shl,
                Instruction::I32Or,
            ]);
        }
        self.instructions.extend(internal.iter().cloned());
        self.instructions.extend([
            Instruction::RefTestNonNull(abstract_type(AbstractHeapType::Eq)),
            Instruction::If(BlockType::Result(ValType::EXTERNREF)),
            Instruction::RefNull(abstract_type(AbstractHeapType::Extern)),
            Instruction::Else,
            get,
        ]);
        self.instructions.extend((!is_external).then_some(Instruction::ExternConvertAny));
        self.instructions.push(Instruction::End);
    }
}

fn encoded(ty: wasmparser::ValType) -> Result<ValType, String> {
    RoundtripReencoder.val_type(ty).map_err(|error| error.to_string())
}

fn cast(ty: wasmparser::RefType) -> Result<Instruction<'static>, String> {
    let heap = RoundtripReencoder.heap_type(ty.heap_type()).map_err(|error| error.to_string())?;
    Ok(if ty.is_nullable() { Instruction::RefCastNullable(heap) } else { Instruction::RefCastNonNull(heap) })
}

/// The hierarchies of reference types: what one type of a hierarchy is, no type of another is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hierarchy {
    Number,
    Vector,
    Func,
    Extern,
    Any,
    Exn,
}

/// What an adapter has to know of a module.
#[derive(Default)]
struct Outline<'a> {
    type_section: Option<wasmparser::TypeSectionReader<'a>>,
    types: Vec<CompositeInnerType>,
    /// The index of each function's type.
    functions: Vec<u32>,
    globals: Vec<wasmparser::GlobalType>,
    exports: Vec<(&'a str, ExternalKind, u32)>,
}

impl<'a> Outline<'a> {
    fn read(wasm: &'a [u8]) -> wasmparser::Result<Outline<'a>> {
        let mut outline = Outline::default();
        for payload in Parser::new(0).parse_all(wasm) {
            match payload? {
                Payload::TypeSection(section) => {
                    for group in section.clone() {
                        outline.types.extend(group?.into_types().map(|ty| ty.composite_type.inner));
                    }
                    outline.type_section = Some(section);
                }
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        match import?.ty {
                            TypeRef::Func(index) | TypeRef::FuncExact(index) => outline.functions.push(index),
                            TypeRef::Global(ty) => outline.globals.push(ty),
                            _ => {}
                        }
                    }
                }
                Payload::FunctionSection(section) => {
                    for index in section {
                        outline.functions.push(index?);
                    }
                }
                Payload::GlobalSection(section) => {
                    for global in section {
                        outline.globals.push(global?.ty);
                    }
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export?;
                        outline.exports.push((export.name, export.kind, export.index));
                    }
                }
                Payload::CodeSectionStart { .. } => break,
                _ => {}
            }
        }
        Ok(outline)
    }

    fn func_type(&self, index: u32) -> Option<(Vec<wasmparser::ValType>, Vec<wasmparser::ValType>)> {
        match self.types.get(index as usize)? {
            CompositeInnerType::Func(ty) => Some((ty.params().to_vec(), ty.results().to_vec())),
            _ => None,
        }
    }

    fn hierarchy(&self, ty: wasmparser::ValType) -> Hierarchy {
        use wasmparser::AbstractHeapType::*;
        let ty = match ty {
            wasmparser::ValType::V128 => return Hierarchy::Vector,
            wasmparser::ValType::Ref(ty) => ty,
            _ => return Hierarchy::Number,
        };
        match ty.heap_type() {
            wasmparser::HeapType::Abstract { ty: Func | NoFunc, .. } => Hierarchy::Func,
            wasmparser::HeapType::Abstract { ty: Extern | NoExtern, .. } => Hierarchy::Extern,
            wasmparser::HeapType::Abstract { ty: Exn | NoExn, .. } => Hierarchy::Exn,
            wasmparser::HeapType::Abstract { .. } => Hierarchy::Any,
            wasmparser::HeapType::Concrete(index) | wasmparser::HeapType::Exact(index) => {
                let entry = index.as_module_index().and_then(|index| self.types.get(index as usize));
                if matches!(entry, Some(CompositeInnerType::Func(_))) { Hierarchy::Func } else { Hierarchy::Any }
            }
        }
    }

    /// The type as which a value of `ty` crosses the C boundary, if it is one that can.
    fn plain_type(&self, ty: wasmparser::ValType) -> ValType {
        match ty {
            wasmparser::ValType::I32 => ValType::I32,
            wasmparser::ValType::I64 => ValType::I64,
            wasmparser::ValType::F32 => ValType::F32,
            wasmparser::ValType::F64 => ValType::F64,
            _ if self.hierarchy(ty) == Hierarchy::Func => ValType::Ref(RefType::FUNCREF),
            _ => ValType::Ref(RefType::EXTERNREF),
        }
    }

    fn param_form(&self, ty: wasmparser::ValType) -> Param {
        match self.hierarchy(ty) {
            Hierarchy::Vector => Param::Halves,
            Hierarchy::Any => Param::External,
            Hierarchy::Exn => Param::Null,
            _ => Param::Same,
        }
    }

    fn result_form(&self, ty: wasmparser::ValType, look_inside: bool) -> ResultForm {
        match self.hierarchy(ty) {
            Hierarchy::Vector => ResultForm::Halves,
            Hierarchy::Any => ResultForm::Classified,
            Hierarchy::Extern if look_inside => ResultForm::Classified,
            Hierarchy::Exn => ResultForm::Nullness,
            _ => ResultForm::Same,
        }
    }
}
