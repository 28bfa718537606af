//! What is changed in modules before the engine gets them. Nothing else sees the change: the engine keeps no offsets into a
//! module, and what is serialized is the original.
//!
//! - Comparisons with zero before `select`: wasmi 2.0.0 fuses the two, and where the operand is a local forgets to look at it,
//!   so that a wrong value is selected. An `i32.or` with 0 between them, which keeps the value, keeps them apart.
//! - Functions without parameters and locals: when they call one that tail-calls a host function, wasmi 2.0.0 loses its stack
//!   pointer, and writes where it may not. A local that nobody uses keeps it.
//! - Start functions of modules that may be interrupted: the engine runs them as part of instantiation, where a call cannot be
//!   resumed. Such a function becomes an export, to be called afterwards.

use wasmparser::{CompositeInnerType, FunctionBody, Operator, Parser, Payload};

/// A module for the engine, where it is not the original.
pub struct Rewritten {
    pub wasm: Vec<u8>,
    /// The name under which the start function is exported, if it was asked for and there is one.
    pub start: Option<String>,
}

const CUSTOM: u8 = 0;
const EXPORTS: u8 = 7;
const START: u8 = 8;
const CODE: u8 = 10;
const TAGS: u8 = 13;

/// `None` if nothing has to change, or if the module is malformed, which the engine says better.
pub fn rewrite(wasm: &[u8], export_start: bool) -> Option<Rewritten> {
    let mut exports = Vec::new();
    let mut start = None;
    let mut bodies = Vec::new();
    let mut types = Vec::new();
    let mut functions = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.ok()? {
            Payload::TypeSection(section) => {
                for group in section {
                    let types_of_group = group.ok()?.into_types();
                    types.extend(types_of_group.map(|ty| {
                        matches!(&ty.composite_type.inner,
                        CompositeInnerType::Func(ty) if ty.params().is_empty())
                    }));
                }
            }
            Payload::FunctionSection(section) => {
                functions = section.into_iter().collect::<Result<Vec<_>, _>>().ok()?;
            }
            Payload::ExportSection(section) if export_start => {
                exports = section.into_iter().map(|export| Some(export.ok()?.name)).collect::<Option<Vec<_>>>()?;
            }
            Payload::StartSection { func, .. } if export_start => start = Some(func),
            Payload::CodeSectionEntry(body) => {
                let ty = functions.get(bodies.len()).and_then(|ty| types.get(*ty as usize));
                let bytes = body.as_bytes();
                let code_at = body.get_operators_reader().ok()?.original_position() - body.range().start;
                let groups = body.get_locals_reader().ok()?;
                let locals = groups.into_iter().try_fold(0, |sum, group| Some(sum + u64::from(group.ok()?.0)))?;
                // However it is written that there are none.
                let wants_local = ty == Some(&true) && locals == 0;
                if wants_local && uses_locals(&body)? {
                    // Of which there are none: the module is invalid, and must not become valid.
                    return None;
                }
                bodies.push(Body { bytes, wants_local, code_at, insertions: insertions(&body)? });
            }
            _ => {}
        }
    }
    if start.is_none() && bodies.iter().all(|body| !body.wants_local && body.insertions.is_empty()) {
        return None;
    }
    let start = start.map(|func| Start { func, name: unused_name(&exports), exports: exports.len() });
    let wasm = write(wasm, start.as_ref(), &bodies)?;
    Some(Rewritten { wasm, start: start.map(|start| start.name) })
}

struct Body<'a> {
    bytes: &'a [u8],
    wants_local: bool,
    /// Where the instructions begin, in bytes from the body's beginning.
    code_at: usize,
    /// Where comparisons are to be kept apart from what follows, in bytes from the body's beginning.
    insertions: Vec<usize>,
}

struct Start {
    func: u32,
    name: String,
    /// How many exports there are without it.
    exports: usize,
}

fn unused_name(exports: &[&str]) -> String {
    let mut name = "start".to_string();
    while exports.contains(&name.as_str()) {
        name.push('\'');
    }
    name
}

fn uses_locals(body: &FunctionBody) -> Option<bool> {
    const LOCAL_GET_SET_TEE: std::ops::RangeInclusive<u8> = 0x20..=0x22;
    // As below.
    if !body.as_bytes().iter().any(|byte| LOCAL_GET_SET_TEE.contains(byte)) {
        return Some(false);
    }
    let mut operators = body.get_operators_reader().ok()?;
    while !operators.eof() {
        use Operator::{LocalGet, LocalSet, LocalTee};
        if matches!(operators.read().ok()?, LocalGet { .. } | LocalSet { .. } | LocalTee { .. }) {
            return Some(true);
        }
    }
    Some(false)
}

/// Where in a body, in bytes from its beginning, there is a `select` whose condition may come from a comparison with zero.
fn insertions(body: &FunctionBody) -> Option<Vec<usize>> {
    const SELECTS: [u8; 2] = [0x1b, 0x1c];
    let bytes = body.as_bytes();
    // Reading instructions takes a while; many functions have no such bytes.
    if !bytes.iter().any(|byte| SELECTS.contains(byte)) {
        return Some(Vec::new());
    }
    let mut found = Vec::new();
    let mut settled = true;
    let mut operators = body.get_operators_reader().ok()?;
    while !operators.eof() {
        let (operator, offset) = operators.read_with_offset().ok()?;
        let position = offset - body.range().start;
        if matches!(operator, Operator::Select | Operator::TypedSelect { .. }) && !settled {
            found.push(position);
        }
        settled = makes_its_value(*bytes.get(position)?);
    }
    Some(found)
}

/// Whether an instruction makes a value that is no comparison with what may be zero: calls, reads of locals, globals and memory,
/// constants, other comparisons and arithmetic. After any other the value may come from farther back.
fn makes_its_value(opcode: u8) -> bool {
    matches!(opcode, 0x10 | 0x11 | 0x20 | 0x23 | 0x28..=0x35 | 0x3f..=0x44 | 0x48..=0xc4)
}

fn write(wasm: &[u8], start: Option<&Start>, bodies: &[Body]) -> Option<Vec<u8>> {
    let (header, mut rest) = wasm.split_at_checked(8)?;
    let mut out = header.to_vec();
    let mut to_export = start;
    while let Some((&id, after)) = rest.split_first() {
        let (length, after) = read_number(after)?;
        let (section, after) = after.split_at_checked(length)?;
        rest = after;
        // Where exports are, or should be.
        if id != CUSTOM
            && id != TAGS
            && id >= EXPORTS
            && let Some(start) = to_export.take()
        {
            let former = if id == EXPORTS { read_number(section)?.1 } else { &[] };
            write_section(&mut out, EXPORTS, &with_export(former, start));
        }
        match id {
            EXPORTS | START if start.is_some() => {}
            CODE => write_section(&mut out, id, &code(bodies)),
            _ => write_section(&mut out, id, section),
        }
    }
    Some(out)
}

fn with_export(former: &[u8], start: &Start) -> Vec<u8> {
    let mut section = Vec::new();
    write_number(&mut section, start.exports + 1);
    section.extend_from_slice(former);
    write_number(&mut section, start.name.len());
    section.extend_from_slice(start.name.as_bytes());
    section.push(0);
    write_number(&mut section, start.func as usize);
    section
}

fn code(bodies: &[Body]) -> Vec<u8> {
    /// `i32.const 0`, `i32.or`.
    const APART: [u8; 3] = [0x41, 0, 0x72];
    /// One group of locals: one i32.
    const LOCAL: [u8; 3] = [1, 1, 0x7f];
    let mut section = Vec::with_capacity(bodies.iter().map(|body| body.bytes.len() + 8).sum());
    write_number(&mut section, bodies.len());
    for body in bodies {
        let mut rewritten = Vec::with_capacity(body.bytes.len() + 8);
        let mut done = 0;
        if body.wants_local {
            rewritten.extend_from_slice(&LOCAL);
            done = body.code_at;
        }
        for position in &body.insertions {
            rewritten.extend_from_slice(&body.bytes[done..*position]);
            rewritten.extend_from_slice(&APART);
            done = *position;
        }
        rewritten.extend_from_slice(&body.bytes[done..]);
        write_number(&mut section, rewritten.len());
        section.extend_from_slice(&rewritten);
    }
    section
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

    fn binary(text: &str) -> Vec<u8> {
        wat::parse_str(text).expect("valid text")
    }

    #[test]
    fn the_start_function_is_exported() {
        let engine = wasmi::Engine::default();
        for text in [
            "(module (func $s) (start $s))",
            "(module (func $s) (start $s) (export \"start\" (func $s)) (memory 1) (data (i32.const 0) \"a\"))",
            "(module (import \"a\" \"b\" (func $s)) (memory 1) (start $s) (data $d \"a\") (func (data.drop $d)))",
        ] {
            let Rewritten { wasm, start } = rewrite(&binary(text), true).expect("a start function");
            let name = start.expect("the start function's name");
            let module = wasmi::Module::new(&engine, &wasm).expect("a valid module");
            assert!(module.exports().any(|export| export.name() == name && export.ty().func().is_some()), "{text}");
            assert!(rewrite(&wasm, true).is_none(), "{text}");
            assert!(rewrite(&binary(text), false).is_none_or(|rewritten| rewritten.start.is_none()), "{text}");
        }
        assert!(rewrite(&binary("(module (func (param i32)))"), true).is_none());
        assert!(rewrite(b"\0asm\x01\0\0\0\x08", true).is_none());
    }

    const SELECTS: &str = "(module
        (func (export \"eqz\") (param i32) (result i32)
            (select (i32.const 7) (i32.const 5) (i32.eqz (local.get 0))))
        (func (export \"ne\") (param i32) (result i32)
            i32.const 5 i32.const 7 local.get 0 i32.const 0 i32.ne nop select (result i32))
        (func (export \"null\") (param i32) (result i32) (local funcref)
            (if (local.get 0) (then (local.set 1 (ref.func 0))))
            (select (i32.const 7) (i32.const 5) (ref.is_null (local.get 1))))
        (func (export \"loop\") (param i32) (result i32)
            (select (i32.const 7) (i32.const 5) (loop (result i32) (i32.eqz (local.get 0)))))
        (func (export \"br_if\") (param i32) (result i32)
            (block $b (result i32)
                (select (i32.const 7) (i32.const 5) (br_if $b (i32.eqz (local.get 0)) (i32.const 0)))))
        (func (export \"other\") (param i32) (result i32)
            (select (i32.const 5) (i32.const 7) (local.get 0))))";

    /// Should this fail, the engine has been mended, and there is something to delete here.
    #[test]
    fn the_engine_still_needs_it() {
        assert_eq!(call(&binary(SELECTS), "other", 3), 5);
        assert_ne!(call(&binary(SELECTS), "eqz", 3), 5);
    }

    #[test]
    fn comparisons_before_select_are_kept_apart() {
        let Rewritten { wasm, start } = rewrite(&binary(SELECTS), true).expect("something to keep apart");
        assert!(start.is_none());
        for name in ["eqz", "ne", "null", "loop", "br_if", "other"] {
            assert_eq!((call(&wasm, name, 0), call(&wasm, name, 3)), (7, 5), "{name}");
        }
    }

    #[test]
    fn every_function_has_a_parameter_or_a_local() {
        let text = "(module (func (export \"f\") (param i32) (result i32) (call 1)) (func (result i32) i32.const 4))";
        let Rewritten { wasm, .. } = rewrite(&binary(text), false).expect("a function without both");
        assert_eq!(wasm.len(), binary(text).len() + 2);
        assert_eq!(call(&wasm, "f", 0), 4);
        assert!(rewrite(&wasm, false).is_none());
    }

    #[test]
    fn there_are_several_ways_to_write_that_there_are_no_locals() {
        let plain = binary("(module (func nop))");
        let body = plain.windows(4).position(|bytes| bytes == [3, 0, 1, 0x0b]).expect("the body");
        for locals in [&[1, 0, 0x7f][..], &[0x80, 0]] {
            let mut wasm = plain.clone();
            let added = locals.len() as u8 - 1;
            wasm.splice(body + 1..body + 2, locals.iter().copied());
            wasm[body] += added;
            wasm[body - 2] += added;
            let Rewritten { wasm, .. } = rewrite(&wasm, false).expect("a function without locals");
            assert!(rewrite(&wasm, false).is_none());
            assert!(wasmi::Module::new(&wasmi::Engine::default(), &wasm).is_ok());
        }
    }

    #[test]
    fn what_is_invalid_stays_so() {
        assert!(rewrite(&binary("(module (func (result i32) (local.get 0)))"), false).is_none());
    }

    fn call(wasm: &[u8], name: &str, argument: i32) -> i32 {
        let engine = wasmi::Engine::default();
        let module = wasmi::Module::new(&engine, wasm).expect("a valid module");
        let mut store = wasmi::Store::new(&engine, ());
        let instance = wasmi::Instance::new(&mut store, &module, &[]).expect("an instance");
        let func = instance.get_typed_func::<i32, i32>(&store, name).expect("an export");
        func.call(&mut store, argument).expect("no trap")
    }
}
