//! What a module declares: the types of its imports and exports, in the declared order, and which of these are the
//! same thing.
//!
//! Engines order imports and exports in their own way and forget their indices, so this is read from the module
//! itself.

use super::sections::{write_leb128, write_section};
use crate::runtime::base::error::{Error, ErrorKind, Result};
use crate::runtime::base::limits::Resource;
use crate::runtime::base::types::{
    Defined, ExternKind, ExternType, FuncType, GlobalType, Heap, Limits, MemoryType, TableType, ValKind, ValType,
};
use std::ops::Range;
use std::sync::OnceLock;
use wasmparser::{AbstractHeapType, BinaryReader, CompositeInnerType, ExternalKind, HeapType, Payload, TypeRef};

pub struct Declarations {
    pub imports: Vec<Import>,
    pub exports: Vec<Export>,
    /// The positions of the exports in the order of their names. Made when a name is first looked up.
    by_name: OnceLock<Box<[u32]>>,
    /// The memory that is exported as "memory", the name that toolchains give it.
    pub memory: Option<Source>,
    /// What an instance of the module adds to the counts of its store, when it is made. The bytes are those by which
    /// the shared memories that the module defines may grow. Nothing that is 0.
    pub resources: Vec<(Resource, u64)>,
    /// How many definitions of each kind the module has, imported ones included.
    pub definitions: [usize; 5],
    /// The custom sections, in the outline.
    pub custom_sections: Vec<CustomSection>,
    /// The sections of the module that this was read from, without code and data and without the custom sections for
    /// debuggers. An artifact keeps them.
    pub outline: Vec<u8>,
}

/// A custom section, by the places of its name and its contents in the outline.
pub struct CustomSection {
    name: Range<usize>,
    contents: Range<usize>,
}

pub struct Import {
    pub module: String,
    pub name: String,
    pub ty: ExternType,
}

pub struct Export {
    pub name: String,
    pub ty: ExternType,
    /// The index among all definitions of this kind, imported ones first.
    pub index: u32,
    pub source: Source,
}

/// Where an export comes from.
#[derive(Clone, Copy)]
pub enum Source {
    /// An import that is exported again, by its position among the imports.
    Import(usize),
    /// A definition of the module, by the position of the first export of it, which often is this export.
    Own(usize),
}

#[derive(Clone)]
enum TypeEntry {
    Func(FuncType),
    Struct,
    Array,
}

/// All definitions of a kind, in the order of their indices. Each has its type in the parser's form, because few are
/// ever needed, and the source of its exports, which is known once it is imported or exported.
type Space = Vec<(TypeRef, Option<Source>)>;

impl Declarations {
    /// Reads what a module declares. An engine has accepted `wasm` or is about to see it, so this validates no more
    /// than it needs for reading.
    pub fn parse(wasm: &[u8]) -> Result<Declarations> {
        let mut reader = Reader::default();
        let declarations = reader.read(wasm).map_err(|error| {
            Error::new(ErrorKind::Compile, format!("{} at offset {:#x}", error.message(), error.offset()))
        })?;
        if reader.imports_exactly {
            // Validators accept this, but engines do not.
            let message = "the module imports a function of an exact type, which is not supported";
            return Err(Error::new(ErrorKind::Compile, message));
        }
        Ok(declarations)
    }

    /// Whether the engine has to say which types some imports or exports have.
    pub fn are_inexact(&self) -> bool {
        self.imports.iter().any(|import| !import.ty.is_exact())
            || self.exports.iter().any(|export| !export.ty.is_exact())
    }

    /// Replaces the types that are not exact by what the engine says of them.
    pub fn refine(&mut self, imports: Option<Vec<ExternType>>, export: impl Fn(&str) -> Option<ExternType>) {
        if let Some(types) = imports.filter(|types| types.len() == self.imports.len()) {
            self.imports
                .iter_mut()
                .zip(types)
                .filter(|(import, _)| !import.ty.is_exact())
                .for_each(|(import, ty)| import.ty = ty);
        }
        for Export { name, ty, .. } in self.exports.iter_mut().filter(|export| !export.ty.is_exact()) {
            if let Some(known) = export(name) {
                *ty = known;
            }
        }
    }

    /// Returns the position of the export with this name, if there is one. Names of exports are unique.
    pub fn export_named(&self, name: &[u8]) -> Option<usize> {
        let name_at = |position: &u32| self.exports[*position as usize].name.as_bytes();
        let by_name = self.by_name.get_or_init(|| {
            let mut positions: Box<[u32]> = (0..self.exports.len() as u32).collect();
            positions.sort_unstable_by_key(name_at);
            positions
        });
        by_name.binary_search_by_key(&name, name_at).ok().map(|found| by_name[found] as usize)
    }

    /// Returns the name and the contents of a custom section.
    pub fn custom_section(&self, position: usize) -> Option<(&[u8], &[u8])> {
        let section = self.custom_sections.get(position)?;
        Some((&self.outline[section.name.clone()], &self.outline[section.contents.clone()]))
    }

    /// Returns the contents of the first custom section with this name.
    pub fn custom_section_named(&self, name: &[u8]) -> Option<&[u8]> {
        let sections = (0..self.custom_sections.len()).filter_map(|position| self.custom_section(position));
        sections.into_iter().find(|(other, _)| *other == name).map(|(_, contents)| contents)
    }

    /// Returns the name that the module gives itself.
    pub fn module_name(&self) -> Option<&str> {
        let contents = self.custom_section_named(b"name")?;
        let names = wasmparser::NameSectionReader::new(BinaryReader::new(contents, 0));
        names.into_iter().map_while(|part| part.ok()).find_map(|part| match part {
            wasmparser::Name::Module { name, .. } => Some(name),
            _ => None,
        })
    }
}

#[derive(Default)]
struct Reader {
    types: Vec<TypeEntry>,
    /// What the types of the group are that is being read.
    coming: Vec<Heap>,
    group_begin: usize,
    spaces: [Space; 5],
    imports: Vec<Import>,
    imports_exactly: bool,
    custom_sections: Vec<CustomSection>,
    outline: Vec<u8>,
}

impl Reader {
    fn read(&mut self, wasm: &[u8]) -> wasmparser::Result<Declarations> {
        let mut exports = Vec::new();
        for payload in wasmparser::Parser::new(0).parse_all(wasm) {
            let payload = payload?;
            match &payload {
                Payload::Version { range, .. } => self.outline.extend_from_slice(&wasm[range.clone()]),
                Payload::TypeSection(section) => {
                    for group in section.clone() {
                        let group = group?;
                        self.group_begin = self.types.len();
                        // Types of a group may refer to later ones of it.
                        self.coming = group.types().map(|ty| heap_of(&ty.composite_type.inner)).collect();
                        let alone = self.coming.len() == 1;
                        for (position, ty) in group.into_types().enumerate() {
                            // Other types are told apart by more than their parameters and results.
                            let simple = alone && ty.is_final && ty.supertype_idx.is_none();
                            let index = (self.group_begin + position) as u32;
                            let entry = match &ty.composite_type.inner {
                                CompositeInnerType::Func(ty) => TypeEntry::Func(FuncType::defined(
                                    self.val_types(ty.params()),
                                    self.val_types(ty.results()),
                                    (!simple).then_some(Defined { engine: 0, index }),
                                )),
                                CompositeInnerType::Array(_) => TypeEntry::Array,
                                _ => TypeEntry::Struct,
                            };
                            self.types.push(entry);
                        }
                    }
                }
                Payload::ImportSection(section) => {
                    for import in section.clone().into_imports() {
                        let import = import?;
                        self.imports_exactly |= matches!(import.ty, TypeRef::FuncExact(_));
                        self.define(import.ty, Some(Source::Import(self.imports.len())));
                        self.imports.push(Import {
                            module: import.module.to_string(),
                            name: import.name.to_string(),
                            ty: self.extern_type(&import.ty),
                        });
                    }
                }
                Payload::FunctionSection(section) => {
                    for index in section.clone() {
                        self.define(TypeRef::Func(index?), None);
                    }
                }
                Payload::TableSection(section) => {
                    for table in section.clone() {
                        self.define(TypeRef::Table(table?.ty), None);
                    }
                }
                Payload::MemorySection(section) => {
                    for memory in section.clone() {
                        self.define(TypeRef::Memory(memory?), None);
                    }
                }
                Payload::TagSection(section) => {
                    for tag in section.clone() {
                        self.define(TypeRef::Tag(tag?), None);
                    }
                }
                Payload::GlobalSection(section) => {
                    for global in section.clone() {
                        self.define(TypeRef::Global(global?.ty), None);
                    }
                }
                Payload::ExportSection(section) => {
                    for export in section.clone() {
                        let export = export?;
                        let (kind, index) = (extern_kind(export.kind), export.index);
                        let declared = self.spaces[kind as usize].get_mut(index as usize);
                        let Some((ty, source)) = declared else { continue };
                        let source = *source.get_or_insert(Source::Own(exports.len()));
                        let (name, ty) = (export.name.to_string(), *ty);
                        exports.push(Export { name, ty: self.extern_type(&ty), index, source });
                    }
                }
                Payload::CustomSection(section) => self.keep_custom(wasm, section.range()),
                _ => {}
            }
            let Some((id, range)) = payload.as_section() else { continue };
            // The types of exports come from these sections. The other sections hold bodies and data, and may be
            // large.
            if (1..=7).contains(&id) | (id == 13) {
                write_section(&mut self.outline, id, &wasm[range.clone()]);
            }
            // The remaining sections declare nothing. Reading on would also make the parser check that an outline has
            // code, which it has not.
            if (8..=12).contains(&id) || range.end == wasm.len() {
                self.keep_later_customs(wasm, range.end);
                break;
            }
        }
        let is_memory = |export: &&Export| export.name == "memory" && export.ty.kind() == ExternKind::Memory;
        let memory = exports.iter().find(is_memory).map(|export: &Export| export.source);
        let is_own = |(_, source): &&(TypeRef, _)| !matches!(source, Some(Source::Import(_)));
        let own = |kind: ExternKind| self.spaces[kind as usize].iter().filter(is_own).count() as u64;
        let room =
            self.spaces[ExternKind::Memory as usize].iter().filter(is_own).map(|(ty, _)| match self.extern_type(ty) {
                ExternType::Memory(ty) => ty.room_to_grow_unseen(),
                _ => 0,
            });
        let mut resources = vec![
            (Resource::Instances, 1),
            (Resource::Tables, own(ExternKind::Table)),
            (Resource::Memories, own(ExternKind::Memory)),
            (Resource::MemoryBytes, room.fold(0, u64::saturating_add)),
        ];
        resources.retain(|(_, count)| *count > 0);
        let definitions = std::array::from_fn(|kind| self.spaces[kind].len());
        let (imports, outline) = (std::mem::take(&mut self.imports), std::mem::take(&mut self.outline));
        Ok(Declarations {
            imports,
            exports,
            definitions,
            custom_sections: std::mem::take(&mut self.custom_sections),
            by_name: OnceLock::new(),
            memory,
            resources,
            outline,
        })
    }

    /// Keeps a custom section, whose name and contents are at `range`, unless it is for debuggers: these sections may
    /// be many times as large as the rest.
    fn keep_custom(&mut self, wasm: &[u8], range: Range<usize>) {
        let mut reader = BinaryReader::new(&wasm[range.clone()], 0);
        let Ok(name) = reader.read_string() else { return };
        if name.starts_with(".debug_") {
            return;
        }
        self.outline.push(0);
        write_leb128(&mut self.outline, range.len());
        let begin = self.outline.len();
        self.outline.extend_from_slice(&wasm[range]);
        let (named, contents) = (begin + reader.original_position(), self.outline.len());
        self.custom_sections.push(CustomSection { name: named - name.len()..named, contents: named..contents });
    }

    /// Keeps the custom sections from `begin` on, without looking into the other sections. An engine has accepted them
    /// or is about to see them, so this ends where it finds nothing that it can read.
    fn keep_later_customs(&mut self, wasm: &[u8], begin: usize) {
        let mut reader = BinaryReader::new(&wasm[begin..], begin);
        while let (Ok(id), Ok(size)) = (reader.read_u8(), reader.read_var_u32()) {
            let begin = reader.original_position();
            if reader.read_bytes(size as usize).is_err() {
                break;
            }
            if id == 0 {
                self.keep_custom(wasm, begin..begin + size as usize);
            }
        }
    }

    fn define(&mut self, ty: TypeRef, source: Option<Source>) {
        self.spaces[import_kind(&ty) as usize].push((ty, source));
    }

    fn func_type(&self, index: u32) -> FuncType {
        match self.types.get(index as usize) {
            Some(TypeEntry::Func(ty)) => ty.clone(),
            // Only reached for an invalid module, which the engine refuses.
            _ => FuncType::new(vec![], vec![]),
        }
    }

    fn extern_type(&self, ty: &TypeRef) -> ExternType {
        match ty {
            TypeRef::Func(index) | TypeRef::FuncExact(index) => ExternType::Func(self.func_type(*index)),
            TypeRef::Table(ty) => ExternType::Table(TableType {
                element: self.val_type(wasmparser::ValType::Ref(ty.element_type)),
                limits: Limits::new(ty.initial, ty.maximum),
                is_64_bit: ty.table64,
            }),
            TypeRef::Memory(ty) => ExternType::Memory(memory_type(ty)),
            TypeRef::Global(ty) => {
                ExternType::Global(GlobalType { content: self.val_type(ty.content_type), mutable: ty.mutable })
            }
            TypeRef::Tag(ty) => ExternType::tag(self.func_type(ty.func_type_idx)),
        }
    }

    fn val_types(&self, types: &[wasmparser::ValType]) -> Vec<ValType> {
        types.iter().map(|ty| self.val_type(*ty)).collect()
    }

    fn val_type(&self, ty: wasmparser::ValType) -> ValType {
        use wasmparser::ValType as Parsed;
        let reference = match ty {
            Parsed::I32 => return ValType::new(ValKind::I32),
            Parsed::I64 => return ValType::new(ValKind::I64),
            Parsed::F32 => return ValType::new(ValKind::F32),
            Parsed::F64 => return ValType::new(ValKind::F64),
            Parsed::V128 => return ValType::new(ValKind::V128),
            Parsed::Ref(reference) => reference,
        };
        match reference.heap_type() {
            HeapType::Abstract { ty, .. } => {
                let heap = match ty {
                    AbstractHeapType::Func => Heap::Func,
                    AbstractHeapType::Extern => Heap::Extern,
                    AbstractHeapType::NoFunc => Heap::NoFunc,
                    AbstractHeapType::NoExtern => Heap::NoExtern,
                    AbstractHeapType::Exn => Heap::Exn,
                    AbstractHeapType::NoExn => Heap::NoExn,
                    AbstractHeapType::Eq => Heap::Eq,
                    AbstractHeapType::I31 => Heap::I31,
                    AbstractHeapType::Struct => Heap::Struct,
                    AbstractHeapType::Array => Heap::Array,
                    AbstractHeapType::None => Heap::None,
                    // Any, and those of proposals that no engine here has.
                    _ => Heap::Any,
                };
                ValType::reference(heap, reference.is_nullable())
            }
            HeapType::Concrete(index) | HeapType::Exact(index) => {
                let index = index.as_module_index().unwrap_or(u32::MAX);
                let heap = match self.types.get(index as usize) {
                    Some(TypeEntry::Func(_)) => Heap::Func,
                    Some(TypeEntry::Array) => Heap::Array,
                    Some(TypeEntry::Struct) => Heap::Struct,
                    None => {
                        let position = (index as usize).wrapping_sub(self.group_begin);
                        self.coming.get(position).copied().unwrap_or(Heap::Func)
                    }
                };
                ValType::defined(heap, reference.is_nullable(), Defined { engine: 0, index }, String::new)
            }
        }
    }
}

fn heap_of(ty: &CompositeInnerType) -> Heap {
    match ty {
        CompositeInnerType::Func(_) => Heap::Func,
        CompositeInnerType::Array(_) => Heap::Array,
        _ => Heap::Struct,
    }
}

pub fn memory_type(ty: &wasmparser::MemoryType) -> MemoryType {
    MemoryType {
        limits: Limits::new(ty.initial, ty.maximum),
        is_64_bit: ty.memory64,
        shared: ty.shared,
        page_size_log2: ty.page_size_log2.map_or(16, |log2| log2 as u8),
    }
}

/// Returns the kind of an import.
pub fn import_kind(ty: &TypeRef) -> ExternKind {
    match ty {
        TypeRef::Func(_) | TypeRef::FuncExact(_) => ExternKind::Func,
        TypeRef::Table(_) => ExternKind::Table,
        TypeRef::Memory(_) => ExternKind::Memory,
        TypeRef::Global(_) => ExternKind::Global,
        TypeRef::Tag(_) => ExternKind::Tag,
    }
}

fn extern_kind(kind: ExternalKind) -> ExternKind {
    match kind {
        ExternalKind::Func | ExternalKind::FuncExact => ExternKind::Func,
        ExternalKind::Table => ExternKind::Table,
        ExternalKind::Memory => ExternKind::Memory,
        ExternalKind::Global => ExternKind::Global,
        ExternalKind::Tag => ExternKind::Tag,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Declarations {
        Declarations::parse(&wat::parse_str(text).unwrap()).unwrap()
    }

    const MIXED: &str = r#"(module
        (import "a" "memory" (memory 1 2))
        (import "a" "function" (func (param i32 v128) (result externref)))
        (import "b" "global" (global (mut i64)))
        (table $t 3 funcref)
        (func $f (result f32) f32.const 1)
        (export "again" (func 0))
        (export "table" (table $t))
        (export "f" (func $f))
        (export "f too" (func $f))
        (export "memory" (memory 0)))"#;

    #[test]
    fn order_is_as_declared() {
        let declarations = parse(MIXED);
        let imports: Vec<_> =
            declarations.imports.iter().map(|i| format!("{}.{}: {}", i.module, i.name, i.ty)).collect();
        assert_eq!(
            imports,
            [
                "a.memory: memory, 1 to 2 pages",
                "a.function: function (i32, v128) -> (externref)",
                "b.global: mutable global i64",
            ]
        );
        let exports: Vec<_> = declarations.exports.iter().map(|e| e.name.as_str()).collect();
        assert_eq!(exports, ["again", "table", "f", "f too", "memory"]);
    }

    #[test]
    fn exports_are_found_by_name() {
        let declarations = parse(MIXED);
        for (position, export) in declarations.exports.iter().enumerate() {
            assert_eq!(declarations.export_named(export.name.as_bytes()), Some(position));
        }
        for name in ["", "g", "agai", "again!", "f to\0", "zz"] {
            assert_eq!(declarations.export_named(name.as_bytes()), None);
        }
        assert_eq!(declarations.export_named(b"\xff"), None);
        assert_eq!(parse("(module)").export_named(b""), None);
    }

    #[test]
    fn the_same_thing_exported_twice_is_known_as_such() {
        let declarations = parse(MIXED);
        let sources: Vec<_> = declarations
            .exports
            .iter()
            .map(|export| match export.source {
                Source::Import(position) => format!("import {position}"),
                Source::Own(position) => format!("own {position}"),
            })
            .collect();
        assert_eq!(sources, ["import 1", "own 1", "own 2", "own 2", "import 0"]);
    }

    #[test]
    fn custom_sections_are_found_wherever_they_are() {
        let declarations = parse(
            r#"(module $itself
                (@custom "one" (before first) "1")
                (import "" "" (func))
                (@custom ".debug_info" "much")
                (@custom "two" (after func) "22")
                (func)
                (@custom "two" (after code) "333")
                (data "")
                (@custom "" (after last) ""))"#,
        );
        let sections = |declarations: &Declarations| -> Vec<(String, usize)> {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let all = (0..).map_while(|position| declarations.custom_section(position));
            all.map(|(name, contents)| (text(name), contents.len())).collect()
        };
        let expected = [("one", 1), ("two", 2), ("two", 3), ("", 0), ("name", 9)];
        assert_eq!(sections(&declarations), expected.map(|(name, length)| (name.to_string(), length)));
        assert_eq!(declarations.custom_section_named(b"two"), Some(&b"22"[..]));
        assert_eq!(declarations.custom_section_named(b".debug_info"), None);
        assert_eq!(declarations.module_name(), Some("itself"));
        assert_eq!(declarations.definitions, [2, 0, 0, 0, 0]);
        let again = Declarations::parse(&declarations.outline).unwrap();
        assert_eq!(sections(&again), sections(&declarations));
        assert_eq!(again.module_name(), Some("itself"));
        assert_eq!(parse("(module)").module_name(), None);
    }

    #[test]
    fn types_of_the_module_are_not_exact() {
        let declarations = parse(
            r#"(module
                (rec (type $list (struct (field (ref null $next)))) (type $next (array (ref null $list))))
                (type $open (sub (func)))
                (type $closed (func))
                (import "" "list" (global (ref null $list)))
                (import "" "array" (func (param (ref $next))))
                (import "" "open" (func (type $open)))
                (import "" "closed" (func (type $closed)))
                (import "" "any" (global anyref))
                (import "" "i31" (global (ref i31))))"#,
        );
        let heap = |position: usize| match &declarations.imports[position].ty {
            ExternType::Global(ty) => ty.content.heap,
            ExternType::Func(ty) => ty.params.first().and_then(|ty| ty.heap),
            _ => None,
        };
        assert_eq!([heap(0), heap(1), heap(5)], [Some(Heap::Struct), Some(Heap::Array), Some(Heap::I31)]);
        let exact: Vec<_> = declarations.imports.iter().map(|import| import.ty.is_exact()).collect();
        assert_eq!(exact, [false, false, false, true, true, false]);
        assert!(declarations.are_inexact() && !parse(MIXED).are_inexact());
    }

    #[test]
    fn what_an_engine_says_replaces_types_that_are_not_exact() {
        let mut declarations = parse(
            r#"(module (type $s (struct)) (import "" "s" (global (ref $s))) (import "" "i" (global i32))
                (func (export "f") (param (ref $s))) (func (export "g") (param i32)))"#,
        );
        let narrow = ValType::reference(Heap::Struct, false);
        let global = ExternType::Global(GlobalType { content: narrow, mutable: false });
        declarations.refine(Some(vec![global.clone(), global]), |_| {
            Some(ExternType::Func(FuncType::new(vec![narrow], vec![])))
        });
        let types = declarations.imports.iter().map(|import| import.ty.to_string());
        let types: Vec<_> = types.chain(declarations.exports.iter().map(|export| export.ty.to_string())).collect();
        let expected = ["constant global (ref struct)", "constant global i32"];
        assert_eq!(types[..2], expected);
        assert_eq!(types[2..], ["function ((ref struct)) -> ()", "function (i32) -> ()"]);
    }

    #[test]
    fn an_outline_declares_the_same() {
        let declarations = parse(MIXED);
        let again = Declarations::parse(&declarations.outline).unwrap();
        assert_eq!(again.outline, declarations.outline);
        assert_eq!(again.exports.len(), declarations.exports.len());
        for (one, other) in declarations.exports.iter().zip(&again.exports) {
            assert_eq!((&one.name, one.ty.to_string()), (&other.name, other.ty.to_string()));
        }
    }
}
