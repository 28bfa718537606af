//! Growth for libraries in which the host cannot make a memory grow: a module exports a function more for each of its
//! memories that the host can see, which does it there.

use crate::runtime::base::types::{ExternKind, ExternType};
use crate::runtime::binary::declarations::{Declarations, Source, import_kind};
use crate::runtime::binary::sections::{
    self, A_FUNCTION, CODE, EXPORTS, Entries, FUNCTIONS, I32, I64, TYPES, unused_name, write_leb128,
};
use rustc_hash::FxHashSet;
use wasmparser::{Payload, Result};

/// A memory that the module defines and exports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Grower {
    /// The position of its first export.
    pub export: usize,
    memory: u32,
    pub is_64_bit: bool,
}

/// Returns the memories for which there are functions.
pub fn of(declarations: &Declarations) -> Vec<Grower> {
    let exports = declarations.exports.iter().enumerate();
    let growers = exports.filter_map(|(position, export)| match (&export.ty, export.source) {
        (ExternType::Memory(ty), Source::Own(first)) if first == position && !ty.shared && ty.page_size_log2 == 16 => {
            Some(Grower { export: position, memory: export.index, is_64_bit: ty.is_64_bit })
        }
        _ => None,
    });
    growers.collect()
}

/// Returns the module with the functions, which are its last exports, in this order.
pub fn add(wasm: &[u8], growers: &[Grower]) -> Result<Vec<u8>> {
    let (mut sections, mut types, mut functions) = (Vec::new(), 0, 0);
    let mut taken = FxHashSet::default();
    let mut entries = [TYPES, FUNCTIONS, EXPORTS, CODE].map(|id| (id, Entries::default()));
    for payload in sections::Payloads::of(wasm).without_code() {
        if let Some((id, contents)) = payload.as_section() {
            if let Some((_, entries)) = entries.iter_mut().find(|(section, _)| *section == id) {
                *entries = Entries::read(&wasm[contents.clone()])?;
            }
            sections.push((id, contents));
        }
        match payload {
            Payload::TypeSection(section) => {
                for group in section {
                    types += group?.types().len();
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    functions += usize::from(import_kind(&import?.ty) == ExternKind::Func);
                }
            }
            Payload::FunctionSection(section) => functions += section.count() as usize,
            Payload::ExportSection(section) => {
                for export in section {
                    taken.insert(export?.name);
                }
            }
            _ => {}
        }
    }
    sections::replace(wasm, sections, &[TYPES, FUNCTIONS, EXPORTS, CODE], |id, out| {
        let added = growers.iter().enumerate().map(|(position, grower)| match id {
            TYPES => of_type(grower),
            FUNCTIONS => number(types + position),
            EXPORTS => {
                let name = unused_name(&format!("grow{position}"), |name| taken.contains(name));
                sections::export(&name, A_FUNCTION, functions + position)
            }
            _ => body(grower),
        });
        let added: Vec<_> = added.collect();
        let (_, entries) = entries.iter().find(|(section, _)| *section == id).expect("one of the four");
        entries.write(out, &added);
        Ok(())
    })
}

fn number(number: usize) -> Vec<u8> {
    let mut out = Vec::new();
    write_leb128(&mut out, number);
    out
}

fn of_type(grower: &Grower) -> Vec<u8> {
    const FUNC: u8 = 0x60;
    let address = if grower.is_64_bit { I64 } else { I32 };
    vec![FUNC, 1, address, 1, address]
}

fn body(grower: &Grower) -> Vec<u8> {
    const NO_LOCALS: u8 = 0;
    const LOCAL_GET: u8 = 0x20;
    const MEMORY_GROW: u8 = 0x40;
    const END: u8 = 0x0b;
    let mut code = vec![NO_LOCALS, LOCAL_GET, 0, MEMORY_GROW];
    write_leb128(&mut code, grower.memory as usize);
    code.push(END);
    let mut out = number(code.len());
    out.extend(code);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grown(text: &str) -> (Vec<Grower>, Vec<String>) {
        let wasm = wat::parse_str(text).expect("valid text");
        let growers = of(&Declarations::parse(&wasm).expect("a valid module"));
        let grown = add(&wasm, &growers).expect("a valid module");
        wasmparser::Validator::new_with_features(wasmparser::WasmFeatures::all()).validate_all(&grown).expect("valid");
        let exports = Declarations::parse(&grown).expect("a valid module").exports;
        (growers, exports.into_iter().map(|export| format!("{} {}", export.name, export.ty)).collect())
    }

    #[test]
    fn memories_that_the_module_defines_and_exports_get_functions() {
        let (growers, exports) = grown(
            "(module (rec (type (func)) (type (func (param i64)))) (import \"\" \"f\" (func)) (import \"\" \"m\" (memory 1))
                (memory 1) (memory 2) (memory i64 3) (func $g (result i32) i32.const 7) (start 0)
                (export \"m\" (memory 0)) (export \"grow1\" (memory 2)) (export \"again\" (memory 2))
                (export \"grow'\" (memory 3)) (export \"g\" (func $g)) (data (memory 1) (i32.const 0) \"a\"))",
        );
        let of = |export, memory, is_64_bit| Grower { export, memory, is_64_bit };
        assert_eq!(growers, [of(1, 2, false), of(3, 3, true)]);
        let added = &exports[exports.len() - 2..];
        assert_eq!(exports.len(), 7);
        assert!(added[0].starts_with("grow0 ") && added[1].starts_with("grow1' "), "{added:?}");
    }

    #[test]
    fn modules_without_functions_get_them() {
        let (growers, exports) = grown("(module (memory (export \"memory\") 1 3))");
        assert_eq!(growers, [Grower { export: 0, memory: 0, is_64_bit: false }]);
        assert!(exports[1].starts_with("grow0 "), "{exports:?}");
    }

    #[test]
    fn other_memories_do_not() {
        for text in [
            "(module (memory 1))",
            "(module (memory (import \"\" \"m\") 1) (export \"m\" (memory 0)))",
            "(module (memory (export \"m\") 1 2 shared))",
        ] {
            let wasm = wat::parse_str(text).expect("valid text");
            assert_eq!(of(&Declarations::parse(&wasm).expect("a valid module")), []);
        }
    }
}
