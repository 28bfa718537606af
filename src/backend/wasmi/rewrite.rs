//! What is changed in modules before the engine gets them. Nothing else sees the change: the engine keeps no offsets into a
//! module, and what is serialized is the original.
//!
//! - Comparisons with zero before `select`: wasmi 2.0.0 fuses the two, and where the operand is a local forgets to look at it,
//!   so that a wrong value is selected. An `i32.or` with 0 between them, which keeps the value, keeps them apart.
//! - Functions without parameters and locals: when they call one that tail-calls a host function, wasmi 2.0.0 loses its stack
//!   pointer, and writes where it may not. A local that nobody uses keeps it.
//! - Start functions of modules that may be interrupted: the engine runs them as part of instantiation, where a call cannot be
//!   resumed. Such a function becomes an export, to be called afterwards.

use crate::runtime::declarations::write_leb128;
use wasmparser::{BinaryReader, CompositeInnerType, FunctionBody, OperatorsReader, Parser, Payload, Result};

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

/// `None` if nothing has to change. A module that cannot be read fails: as it is, it must not reach the engine either.
pub fn rewrite(wasm: &[u8], export_start: bool) -> Result<Option<Rewritten>> {
    let mut exports = Exports::default();
    let mut start = None;
    let mut sections = Vec::new();
    let mut bodies = Vec::new();
    let mut types = Vec::new();
    let mut functions = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload?;
        sections.extend(payload.as_section());
        match payload {
            Payload::TypeSection(section) => {
                for group in section {
                    types.extend(group?.into_types().map(
                        |ty| matches!(&ty.composite_type.inner, CompositeInnerType::Func(ty) if ty.params().is_empty()),
                    ));
                }
            }
            Payload::FunctionSection(section) => functions = section.into_iter().collect::<Result<Vec<_>>>()?,
            Payload::ExportSection(section) if export_start => {
                exports.entries = &wasm[section.original_position()..section.range().end];
                exports.names = section.into_iter().map(|export| Ok(export?.name)).collect::<Result<Vec<_>>>()?;
            }
            Payload::StartSection { func, .. } if export_start => start = Some(func),
            Payload::CodeSectionEntry(body) => {
                let ty = functions.get(bodies.len()).and_then(|ty| types.get(*ty as usize));
                bodies.push(Body::read(&body, ty == Some(&true))?);
            }
            _ => {}
        }
    }
    if start.is_none() && bodies.iter().all(|body| !body.wants_local && body.insertions.is_empty()) {
        return Ok(None);
    }
    let start = start.map(|func| Start { func, name: unused_name(&exports.names) });
    let mut out = wasm[..8].to_vec();
    let mut to_export = start.as_ref();
    for (id, range) in sections {
        // Where exports are, or should be.
        if id != CUSTOM
            && id != TAGS
            && id >= EXPORTS
            && let Some(start) = to_export.take()
        {
            write_section(&mut out, EXPORTS, &exports.with(start));
        }
        match id {
            EXPORTS | START if start.is_some() => {}
            CODE => write_section(&mut out, id, &code(&bodies)),
            _ => write_section(&mut out, id, &wasm[range]),
        }
    }
    Ok(Some(Rewritten { wasm: out, start: start.map(|start| start.name) }))
}

struct Body<'a> {
    bytes: &'a [u8],
    wants_local: bool,
    /// Where the instructions begin, in bytes from the body's beginning.
    code_at: usize,
    /// Where comparisons are to be kept apart from what follows, in bytes from the body's beginning.
    insertions: Vec<usize>,
}

impl<'a> Body<'a> {
    fn read(body: &FunctionBody<'a>, without_parameters: bool) -> Result<Body<'a>> {
        let bytes = body.as_bytes();
        let code_at = body.get_operators_reader()?.original_position() - body.range().start;
        let mut locals = 0;
        for group in body.get_locals_reader()? {
            locals += u64::from(group?.0);
        }
        // However it is written that there are none.
        let mut wants_local = without_parameters && locals == 0;
        let mut insertions = Vec::new();
        // Looking at every instruction takes a while; many functions have no such bytes.
        if !wants_local && !bytes.iter().any(|byte| SELECTS.contains(byte)) {
            return Ok(Body { bytes, wants_local, code_at, insertions });
        }
        let mut position = code_at;
        let mut previous = None;
        while position < bytes.len() {
            let opcode = bytes[position];
            // A `select` whose condition may come from a comparison with zero.
            if SELECTS.contains(&opcode) && previous.is_some_and(|previous| !makes_its_value(previous)) {
                insertions.push(position);
            }
            // A function that uses a local which it does not have is invalid, and must not become valid.
            wants_local &= !LOCAL_GET_SET_TEE.contains(&opcode);
            previous = Some(opcode);
            position = match after_common(bytes, position) {
                Some(next) => next,
                None => {
                    let rest = BinaryReader::new(&bytes[position..], body.range().start + position);
                    let mut reader = OperatorsReader::new(rest);
                    reader.read()?;
                    reader.original_position() - body.range().start
                }
            };
        }
        Ok(Body { bytes, wants_local, code_at, insertions })
    }
}

const SELECTS: std::ops::RangeInclusive<u8> = 0x1b..=0x1c;
const LOCAL_GET_SET_TEE: std::ops::RangeInclusive<u8> = 0x20..=0x22;

/// Where the instruction after the one at `position` begins, for those that modules consist of: to read them in full would take
/// a fifth of the time to make a module. `None` for others, and for what is malformed.
fn after_common(bytes: &[u8], position: usize) -> Option<usize> {
    let mut next = position + 1;
    let numbers = match bytes[position] {
        // `unreachable`, `nop`, `else`, `end`, `return`, `drop`, `select`, comparisons, arithmetic, conversions.
        0x00 | 0x01 | 0x05 | 0x0b | 0x0f | 0x1a | 0x1b | 0x45..=0xc4 => 0,
        // Branches, `call`, locals, globals, constants of integers.
        0x0c | 0x0d | 0x10 | 0x20..=0x24 | 0x41 | 0x42 => 1,
        // Unless its type is written in the long form of references.
        0x02..=0x04 if !matches!(bytes.get(next)?, 0x63 | 0x64) => 1,
        // Loads and stores, in the first memory.
        0x28..=0x3e if *bytes.get(next)? < 0x40 => 2,
        _ => return None,
    };
    for _ in 0..numbers {
        next += 1 + bytes[next..].iter().position(|byte| *byte < 0x80)?;
    }
    Some(next)
}

struct Start {
    func: u32,
    name: String,
}

/// The exports of a module, by name and as they are written.
#[derive(Default)]
struct Exports<'a> {
    names: Vec<&'a str>,
    entries: &'a [u8],
}

impl Exports<'_> {
    /// The section with the start function as one more.
    fn with(&self, start: &Start) -> Vec<u8> {
        let mut section = Vec::new();
        write_leb128(&mut section, self.names.len() + 1);
        section.extend_from_slice(self.entries);
        write_leb128(&mut section, start.name.len());
        section.extend_from_slice(start.name.as_bytes());
        section.push(0);
        write_leb128(&mut section, start.func as usize);
        section
    }
}

fn unused_name(exports: &[&str]) -> String {
    let mut name = "start".to_string();
    while exports.contains(&name.as_str()) {
        name.push('\'');
    }
    name
}

/// Whether an instruction makes a value that is no comparison with what may be zero: calls, reads of locals, globals and memory,
/// constants, other comparisons and arithmetic. After any other the value may come from farther back.
fn makes_its_value(opcode: u8) -> bool {
    matches!(opcode, 0x10 | 0x11 | 0x20 | 0x23 | 0x28..=0x35 | 0x3f..=0x44 | 0x48..=0xc4)
}

fn code(bodies: &[Body]) -> Vec<u8> {
    /// `i32.const 0`, `i32.or`.
    const APART: [u8; 3] = [0x41, 0, 0x72];
    /// One group of locals: one i32.
    const LOCAL: [u8; 3] = [1, 1, 0x7f];
    let mut section = Vec::with_capacity(bodies.iter().map(|body| body.bytes.len() + 8).sum());
    write_leb128(&mut section, bodies.len());
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
        write_leb128(&mut section, rewritten.len());
        section.extend_from_slice(&rewritten);
    }
    section
}

fn write_section(out: &mut Vec<u8>, id: u8, body: &[u8]) {
    out.push(id);
    write_leb128(out, body.len());
    out.extend_from_slice(body);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewrite(wasm: &[u8], export_start: bool) -> Option<Rewritten> {
        super::rewrite(wasm, export_start).expect("a module that can be read")
    }

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
        assert!(super::rewrite(b"\0asm\x01\0\0\0\x08", true).is_err());
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
    fn common_instructions_are_as_long_as_they_are_read() {
        let text = "(module (memory 1) (memory $second 1) (table 1 funcref) (global $g (mut i64) (i64.const 0))
            (func (param i32) (local f32 f64)
                nop block loop br 0 end end (if (i32.eqz (local.get 0)) (then return) (else unreachable))
                (drop (block (result i32) (br_table 0 0 0 (i32.const -1000000) (local.get 0))))
                (drop (select (i64.const 0x7fffffffffffffff) (i64.const -1) (local.tee 0 (i32.const 63))))
                (drop (select (result i32) (i32.const 64) (i32.const 27) (br_if 0 (i32.const 1) (local.get 0))))
                (local.set 1 (f32.const -0x1p-4)) (local.set 2 (f64.promote_f32 (local.get 1)))
                (global.set $g (i64.load32_u offset=300 (i32.const 1))) (drop (global.get $g))
                (i64.store $second offset=5 (i32.const 1) (i64.extend8_s (i64.trunc_f64_s (f64.const 28))))
                (drop (i32x4.extract_lane 3 (v128.const i64x2 1 2))) (memory.fill (i32.const 1) (i32.const 2) (i32.const 3))
                (drop (memory.grow (memory.size))) (drop (ref.is_null (ref.null func)))
                (call 0 (i32.const 0x12345)) (call_indirect (param i32) (i32.const 1) (i32.const 2))))";
        let mut common = 0;
        for payload in Parser::new(0).parse_all(&binary(text)) {
            let Payload::CodeSectionEntry(body) = payload.expect("valid") else { continue };
            let mut operators = body.get_operators_reader().expect("valid");
            while !operators.eof() {
                let position = operators.original_position() - body.range().start;
                let operator = operators.read().expect("valid");
                if let Some(next) = after_common(body.as_bytes(), position) {
                    assert_eq!(next, operators.original_position() - body.range().start, "{operator:?}");
                    common += 1;
                }
            }
        }
        assert!(common > 40, "{common}");
        // A number that does not end, and an opcode without what belongs to it.
        assert_eq!((after_common(&[0x41, 0x80], 0), after_common(&[0x28], 0)), (None, None));
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
        // What is beside it needs its local all the same: with lazy validation it may run.
        let beside = rewrite(&binary("(module (func nop) (func (result i32) (local.get 0)))"), false);
        assert!(
            wasmi::Module::new(&wasmi::Engine::default(), beside.expect("a function without locals").wasm).is_err()
        );
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
