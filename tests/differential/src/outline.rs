//! What a module imports and exports, read from its bytes.

use wasmparser::{ExternalKind, FuncType, Parser, Payload, TypeRef, ValType};

#[derive(Clone)]
pub enum Type {
    Func(FuncType),
    Global(wasmparser::GlobalType),
    Table(wasmparser::TableType),
    Memory(wasmparser::MemoryType),
}

impl Type {
    /// Whether C cannot make such a thing, or cannot look into it: `wasm_val_t` has no vectors, limits have 32 bits.
    pub fn is_beyond_c(&self) -> bool {
        match self {
            Type::Func(ty) => ty.params().iter().chain(ty.results()).any(|ty| *ty == ValType::V128),
            Type::Global(ty) => ty.content_type == ValType::V128,
            Type::Table(ty) => ty.table64,
            Type::Memory(ty) => ty.memory64,
        }
    }
}

#[derive(Default)]
pub struct Outline {
    pub imports: Vec<Type>,
    pub exports: Vec<(String, Type)>,
}

impl Outline {
    pub fn read(wasm: &[u8]) -> Result<Outline, String> {
        let mut outline = Outline::default();
        let (mut types, mut functions, mut globals, mut tables, mut memories) =
            (vec![], vec![], vec![], vec![], vec![]);
        for payload in Parser::new(0).parse_all(wasm) {
            match payload.map_err(text)? {
                Payload::TypeSection(section) => {
                    for ty in section.into_iter_err_on_gc_types() {
                        types.push(ty.map_err(text)?);
                    }
                }
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        outline.imports.push(match import.map_err(text)?.ty {
                            TypeRef::Func(index) | TypeRef::FuncExact(index) => {
                                functions.push(index);
                                Type::Func(found(&types, index)?)
                            }
                            TypeRef::Global(ty) => {
                                globals.push(ty);
                                Type::Global(ty)
                            }
                            TypeRef::Table(ty) => {
                                tables.push(ty);
                                Type::Table(ty)
                            }
                            TypeRef::Memory(ty) => {
                                memories.push(ty);
                                Type::Memory(ty)
                            }
                            TypeRef::Tag(_) => return Err("tags are not generated".to_string()),
                        });
                    }
                }
                Payload::FunctionSection(section) => {
                    for index in section {
                        functions.push(index.map_err(text)?);
                    }
                }
                Payload::GlobalSection(section) => {
                    for global in section {
                        globals.push(global.map_err(text)?.ty);
                    }
                }
                Payload::TableSection(section) => {
                    for table in section {
                        tables.push(table.map_err(text)?.ty);
                    }
                }
                Payload::MemorySection(section) => {
                    for memory in section {
                        memories.push(memory.map_err(text)?);
                    }
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export.map_err(text)?;
                        let ty = match export.kind {
                            ExternalKind::Func | ExternalKind::FuncExact => {
                                Type::Func(found(&types, found(&functions, export.index)?)?)
                            }
                            ExternalKind::Global => Type::Global(found(&globals, export.index)?),
                            ExternalKind::Table => Type::Table(found(&tables, export.index)?),
                            ExternalKind::Memory => Type::Memory(found(&memories, export.index)?),
                            ExternalKind::Tag => return Err("tags are not generated".to_string()),
                        };
                        outline.exports.push((export.name.to_string(), ty));
                    }
                }
                Payload::CodeSectionStart { .. } => break,
                _ => {}
            }
        }
        Ok(outline)
    }
}

fn found<T: Clone>(items: &[T], index: u32) -> Result<T, String> {
    items.get(index as usize).cloned().ok_or_else(|| "an index is out of range".to_string())
}

fn text(error: wasmparser::BinaryReaderError) -> String {
    error.to_string()
}
