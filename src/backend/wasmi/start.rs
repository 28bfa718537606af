//! Start functions of modules that may be interrupted. The engine runs them as part of instantiation, where a call cannot be
//! resumed; so it gets such a module without one, and with the function as an export more.

use wasmparser::{Parser, Payload};

const START: u8 = 8;
const EXPORTS: u8 = 7;
const CUSTOM: u8 = 0;

/// The module with its start function exported instead, and the export's name. `None` if it has no start function, or is
/// malformed, which the engine says better.
pub fn exported(wasm: &[u8]) -> Option<(Vec<u8>, String)> {
    let mut start = None;
    let mut names = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.ok()? {
            Payload::StartSection { func, .. } => start = Some(func),
            Payload::ExportSection(section) => {
                for export in section {
                    names.push(export.ok()?.name.to_string());
                }
            }
            _ => {}
        }
    }
    let start = start?;
    let mut name = "start".to_string();
    while names.contains(&name) {
        name.push('\'');
    }
    let mut entry = Vec::new();
    write_number(&mut entry, name.len());
    entry.extend_from_slice(name.as_bytes());
    entry.push(0);
    write_number(&mut entry, start as usize);

    let mut out = wasm.get(..8)?.to_vec();
    let mut exports = Some((names.len() + 1, entry));
    let mut rest = wasm.get(8..)?;
    while let Some((&id, after)) = rest.split_first() {
        let (length, after) = read_number(after)?;
        let (body, after) = after.split_at_checked(length)?;
        rest = after;
        // Exports come before the start function, so before anything that comes after exports.
        if id != CUSTOM
            && id >= EXPORTS
            && !matches!(id, 12 | 13)
            && let Some((count, entry)) = exports.take()
        {
            let former = if id == EXPORTS { read_number(body)?.1 } else { &[] };
            let mut section = Vec::new();
            write_number(&mut section, count);
            section.extend_from_slice(former);
            section.extend_from_slice(&entry);
            write_section(&mut out, EXPORTS, &section);
        }
        if id != EXPORTS && id != START {
            write_section(&mut out, id, body);
        }
    }
    Some((out, name))
}

fn write_section(out: &mut Vec<u8>, id: u8, body: &[u8]) {
    out.push(id);
    write_number(out, body.len());
    out.extend_from_slice(body);
}

/// LEB128, as everywhere in a module.
fn write_number(out: &mut Vec<u8>, mut value: usize) {
    while value > 0x7f {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn read_number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0usize;
    for (position, byte) in bytes.iter().take(5).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * position);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[position + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewrite(text: &str) -> Option<(Vec<u8>, String)> {
        exported(&wat::parse_str(text).expect("valid text"))
    }

    #[test]
    fn the_start_function_is_exported() {
        let engine = wasmi::Engine::default();
        for text in [
            "(module (func $s) (start $s))",
            "(module (func $s) (start $s) (export \"start\" (func $s)) (memory 1) (data (i32.const 0) \"a\"))",
            "(module (import \"a\" \"b\" (func $s)) (memory 1) (start $s) (data $d \"a\") (func (data.drop $d)))",
        ] {
            let (wasm, name) = rewrite(text).expect("a start function");
            let module = wasmi::Module::new(&engine, &wasm).expect("a valid module");
            assert!(module.exports().any(|export| export.name() == name && export.ty().func().is_some()), "{text}");
            assert!(exported(&wasm).is_none(), "{text}");
        }
        assert!(rewrite("(module (func))").is_none());
        assert!(exported(b"\0asm\x01\0\0\0\x08").is_none());
    }
}
