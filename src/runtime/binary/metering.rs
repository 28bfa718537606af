//! Metering by rewriting: each instance gets a number of points, which its instructions use up. Each stretch of code
//! that runs as a whole is paid for before it runs.

use super::declarations::import_kind;
use super::sections::{self, A_GLOBAL, CODE, EXPORTS, Entries, GLOBALS, write_leb128, write_signed, write_sized};
use crate::runtime::base::error::{Error, ErrorKind, Result};
use crate::runtime::base::host_data::HostData;
use crate::runtime::base::types::ExternKind;
use std::ffi::c_void;
use wasmparser::{BinaryReader, FunctionBody, Operator, Parser, Payload};

pub type CostCallback = unsafe extern "C" fn(env: *mut c_void, opcode: u32) -> u64;

/// What an engine's instances have, and what it costs to run them.
pub struct Metering {
    pub points: u64,
    pub cost: CostCallback,
    pub env: HostData,
}

// SAFETY: C promises that the callback may be called with its environment on any thread.
unsafe impl Send for Metering {}
// SAFETY: as above.
unsafe impl Sync for Metering {}

/// The exports that a metered module has more: how many points are left, and whether they did not suffice.
const POINTS: &str = "wasmrt_points";
const EXHAUSTED: &str = "wasmrt_points_exhausted";

/// Whether metering adds an export of this name.
pub fn adds(name: &str) -> bool {
    name == POINTS || name == EXHAUSTED
}

impl Metering {
    /// Returns a module that counts points, made of a valid one.
    pub fn apply(&self, wasm: &[u8]) -> Result<Vec<u8>> {
        self.rewrite(wasm).map_err(|error| {
            let message = format!("cannot be metered: {} at offset {:#x}", error.message(), error.offset());
            Error::new(ErrorKind::Compile, message)
        })?
    }

    fn rewrite(&self, wasm: &[u8]) -> wasmparser::Result<Result<Vec<u8>>> {
        let (mut sections, mut bodies) = (Vec::new(), Vec::new());
        let (mut globals, mut exports) = (Entries::default(), Entries::default());
        let mut imported = 0;
        for payload in Parser::new(0).parse_all(wasm) {
            let payload = payload?;
            sections.extend(payload.as_section());
            match payload {
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        imported += usize::from(import_kind(&import?.ty) == ExternKind::Global);
                    }
                }
                Payload::GlobalSection(section) => globals = Entries::of(&section, wasm),
                Payload::ExportSection(section) => {
                    exports = Entries::of(&section, wasm);
                    for export in section {
                        let name = export?.name;
                        if adds(name) {
                            return Ok(Err(taken(name)));
                        }
                    }
                }
                Payload::CodeSectionEntry(body) => bodies.push(body),
                _ => {}
            }
        }
        let first = imported + globals.count;
        let replaced = if bodies.is_empty() { &[GLOBALS, EXPORTS][..] } else { &[GLOBALS, EXPORTS, CODE] };
        let metered = sections::replace(wasm, sections, replaced, |id, out| {
            match id {
                GLOBALS => globals.write(out, &self.globals()),
                EXPORTS => exports.write(out, &exported(first)),
                _ => {
                    write_leb128(out, bodies.len());
                    for body in &bodies {
                        write_sized(out, |out| self.body(body, wasm, first, out))?;
                    }
                }
            }
            Ok(())
        });
        metered.map(Ok)
    }

    fn globals(&self) -> [Vec<u8>; 2] {
        let mut points = vec![0x7e, 1, 0x42]; // mutable i64, i64.const
        write_signed(&mut points, self.points as i64);
        points.push(0x0b);
        [points, vec![0x7f, 1, 0x41, 0, 0x0b]] // mutable i32, i32.const 0
    }

    /// Writes a function's body with payments in it. `points` is the index of the first added global.
    fn body(&self, body: &FunctionBody, wasm: &[u8], points: usize, out: &mut Vec<u8>) -> wasmparser::Result<()> {
        let mut reader = body.get_operators_reader()?;
        let (mut copied, mut due) = (body.range().start, 0u64);
        // In code that cannot run, the number of open blocks in it. That code has no cost: one byte of it would be paid for with
        // many.
        let mut dead = None;
        while !reader.eof() {
            let at = reader.original_position();
            let operator = reader.read()?;
            if let Some(open) = dead {
                dead = after_dead(&operator, open);
                continue;
            }
            let mut bytes = BinaryReader::new(&wasm[at..], at);
            let opcode = match bytes.read_u8()? {
                prefix @ 0xfb..=0xfe => u32::from(prefix) << 16 | bytes.read_var_u32()?,
                opcode => u32::from(opcode),
            };
            // SAFETY: C passed the function to be called with this environment, which `self` keeps.
            let cost = unsafe { (self.cost)(self.env.pointer, opcode) };
            due = due.saturating_add(cost);
            if due > 0 && ends_stretch(&operator) {
                out.extend_from_slice(&wasm[copied..at]);
                write_payment(out, due, points);
                (copied, due) = (at, 0);
            }
            dead = leaves(&operator).then_some(0);
        }
        out.extend_from_slice(&wasm[copied..body.range().end]);
        Ok(())
    }
}

fn taken(name: &str) -> Error {
    let message =
        format!("the module exports \"{name}\", but that name is needed for metering; give the export another name");
    Error::new(ErrorKind::Compile, message)
}

/// Whether what follows an instruction may run without it, or not run after it.
pub(super) fn ends_stretch(operator: &Operator) -> bool {
    use Operator::*;
    matches!(
        operator,
        Loop { .. }
            | If { .. }
            | Else
            | End
            | Br { .. }
            | BrIf { .. }
            | BrTable { .. }
            | Return
            | Unreachable
            | Call { .. }
            | CallIndirect { .. }
            | CallRef { .. }
            | ReturnCall { .. }
            | ReturnCallIndirect { .. }
            | ReturnCallRef { .. }
            | BrOnNull { .. }
            | BrOnNonNull { .. }
            | BrOnCast { .. }
            | BrOnCastFail { .. }
            | BrOnCastDescEq { .. }
            | BrOnCastDescEqFail { .. }
            | Resume { .. }
            | ResumeThrow { .. }
            | ResumeThrowRef { .. }
            | Suspend { .. }
            | Switch { .. }
            | TryTable { .. }
            | Throw { .. }
            | ThrowRef
            | Try { .. }
            | Catch { .. }
            | CatchAll
            | Delegate { .. }
            | Rethrow { .. }
    )
}

/// Whether nothing runs after an instruction, up to the end of its block.
pub(super) fn leaves(operator: &Operator) -> bool {
    use Operator::*;
    matches!(
        operator,
        Br { .. }
            | BrTable { .. }
            | Return
            | Unreachable
            | ReturnCall { .. }
            | ReturnCallIndirect { .. }
            | ReturnCallRef { .. }
            | Throw { .. }
            | ThrowRef
            | Rethrow { .. }
    )
}

/// Returns how many blocks are open in code that cannot run after one of its instructions, before which there are `open`, or
/// `None` if what follows may run.
pub(super) fn after_dead(operator: &Operator, open: usize) -> Option<usize> {
    use Operator::*;
    match operator {
        Block { .. } | Loop { .. } | If { .. } | TryTable { .. } | Try { .. } => Some(open + 1),
        End | Delegate { .. } => open.checked_sub(1),
        Else | Catch { .. } | CatchAll if open == 0 => None,
        _ => Some(open),
    }
}

/// The least that a payment consists of.
pub(super) const PAYMENT_BYTES: u64 = 20;
pub(super) const PAYMENT_INSTRUCTIONS: u64 = 12;

/// Writes code that takes `due` points, or traps if there are not so many.
fn write_payment(out: &mut Vec<u8>, due: u64, points: usize) {
    let global = |out: &mut Vec<u8>, opcode: u8, index: usize| {
        out.push(opcode);
        write_leb128(out, index);
    };
    let due = |out: &mut Vec<u8>| {
        out.push(0x42); // i64.const
        write_signed(out, due as i64);
    };
    const GET: u8 = 0x23;
    const SET: u8 = 0x24;
    global(out, GET, points);
    due(out);
    out.extend_from_slice(&[0x54, 0x04, 0x40, 0x41, 1]); // i64.lt_u, if, i32.const 1
    global(out, SET, points + 1);
    out.extend_from_slice(&[0x00, 0x0b]); // unreachable, end
    global(out, GET, points);
    due(out);
    out.push(0x7d); // i64.sub
    global(out, SET, points);
}

fn exported(points: usize) -> [Vec<u8>; 2] {
    [(POINTS, points), (EXHAUSTED, points + 1)].map(|(name, index)| sections::export(name, A_GLOBAL, index))
}

#[cfg(test)]
mod tests {
    use super::*;

    unsafe extern "C" fn one_for_each(_: *mut c_void, _: u32) -> u64 {
        1
    }

    /// `local.get` 1, `i32.add` 4, `end` and the prefixed `i32.trunc_sat_f32_s` 1000, others nothing.
    unsafe extern "C" fn some(_: *mut c_void, opcode: u32) -> u64 {
        match opcode {
            0x20 => 1,
            0x6a => 4,
            0x0b => 1000,
            0xfc_0000 => 1000,
            _ => 0,
        }
    }

    fn metered(text: &str, cost: CostCallback) -> Vec<u8> {
        let wasm = wat::parse_str(text).unwrap();
        Metering { points: u64::MAX, cost, env: HostData::NONE }.apply(&wasm).unwrap()
    }

    /// The payments in a module, in order.
    fn payments(wasm: &[u8]) -> Vec<i64> {
        let mut found = Vec::new();
        for payload in Parser::new(0).parse_all(wasm) {
            let Payload::CodeSectionEntry(body) = payload.unwrap() else { continue };
            let operators: Vec<_> =
                body.get_operators_reader().unwrap().into_iter().collect::<wasmparser::Result<_>>().unwrap();
            found.extend(operators.windows(2).filter_map(|pair| match pair {
                [Operator::I64Const { value }, Operator::I64LtU] => Some(*value),
                _ => None,
            }));
        }
        found
    }

    #[test]
    fn each_stretch_is_paid_for_before_it_runs() {
        let text = "(module (func (param i32 i32) (result i32)
            (if (local.get 0) (then nop) (else nop nop))
            (loop (br_if 0 (local.get 0)))
            (i32.add (local.get 0) (local.get 1))))";
        // local.get, if | nop, else | nop, nop, end | loop | local.get, br_if | end | two local.get, i32.add, end
        assert_eq!(payments(&metered(text, one_for_each)), [2, 2, 3, 1, 2, 1, 4]);
        assert_eq!(
            payments(&metered("(module (func (param i32) (result i32) (i32.add (local.get 0) (local.get 0))))", some)),
            [1006]
        );
        let prefixed = "(module (func (param f32) (result i32) (i32.trunc_sat_f32_s (local.get 0))))";
        assert_eq!(payments(&metered(prefixed, some)), [2001]);
    }

    #[test]
    fn what_cannot_run_is_not_paid_for() {
        for (code, due) in [
            ("unreachable nop nop block nop end loop end return", &[1][..]),
            ("block br 0 nop end nop", &[2, 2]),
            ("block i32.const 0 br_table 0 0 nop end nop", &[3, 2]),
            ("return nop", &[1]),
            ("return_call 0 nop", &[1]),
            ("i32.const 0 return_call_indirect (type 0) nop", &[2]),
            ("ref.func 0 return_call_ref 0 nop", &[2]),
            ("throw 0 nop", &[1]),
            ("unreachable throw_ref nop", &[1]),
            // An `end` that only jumps reach costs nothing, an `else` neither.
            ("i32.const 0 if return nop else nop end nop", &[2, 1, 2, 2]),
            ("i32.const 0 if nop else return nop end nop", &[2, 2, 1, 2]),
            ("i32.const 0 if unreachable i32.const 0 if nop else nop end nop else nop end nop", &[2, 1, 2, 2]),
            ("block br 0 block block return end nop end nop end nop", &[2, 2]),
            ("block block br 1 end nop end nop", &[3, 2, 2]),
            ("block br 0 block try_table (catch_all 0) nop end nop end nop end nop", &[2, 2]),
        ] {
            let text =
                format!("(module (type (func)) (table 1 funcref) (tag) (elem declare func 0) (func) (func {code}))");
            let paid = payments(&metered(&text, one_for_each));
            assert_eq!(paid[1..], *due, "{code}");
        }
        // The older exception handling, in binary: `try`, `unreachable`, `nop`, `catch_all`, `nop`, `rethrow 0`, `nop`, `end`;
        // and `try`, `unreachable`, `nop`, `delegate 0`, `nop`.
        let wasm = wat::parse_str("(module (func nop nop nop nop nop nop nop nop nop nop))").unwrap();
        for (code, due) in [
            ([0x06, 0x40, 0, 1, 0x19, 1, 9, 0, 1, 0x0b], &[1, 1, 2, 1][..]),
            ([0x06, 0x40, 0, 1, 0x18, 0, 1, 1, 1, 1], &[1, 1, 5]),
        ] {
            let mut wasm = wasm.clone();
            let at = wasm.windows(10).position(|bytes| bytes == [1; 10]).unwrap();
            wasm[at..at + 10].copy_from_slice(&code);
            let metering = Metering { points: 1, cost: one_for_each, env: HostData::NONE };
            assert_eq!(payments(&metering.apply(&wasm).unwrap()), due);
        }
    }

    /// What runs in between may never come back, or take any time.
    #[test]
    fn stretches_end_where_continuations_switch() {
        let module = |code: &str| {
            format!(
                "(module (type $f (func)) (type $c (cont $f)) (type $g (func (param (ref null $c)))) (type $d (cont $g))
                (tag $e) (func (param (ref null $c) (ref null $d)) {code}))"
            )
        };
        for (code, due) in [
            ("suspend $e nop", &[1, 2][..]),
            ("(resume $c (local.get 0)) nop", &[2, 2]),
            ("(resume_throw $c $e (local.get 0)) nop", &[2, 2]),
            ("(switch $d $e (local.get 1)) nop", &[2, 2]),
        ] {
            assert_eq!(payments(&metered(&module(code), one_for_each)), due, "{code}");
        }
    }

    #[test]
    fn metered_modules_are_not_many_times_as_large() {
        for (code, most) in [
            ("unreachable".to_string() + &" return".repeat(10_000), 1),
            ("br 0".to_string() + &" block end".repeat(10_000), 1),
            ("block return end ".repeat(10_000), 7),
            ("loop end ".repeat(10_000), 15),
            ("block br 0 end ".repeat(10_000), 6),
        ] {
            let text = format!("(module (func {code}))");
            let (before, after) = (wat::parse_str(&text).unwrap().len(), metered(&text, one_for_each).len());
            assert!(after < most * before + 200, "{after} of {before}: {}", &code[..20]);
        }
    }

    #[test]
    fn metered_modules_are_valid_and_keep_what_they_had() {
        for text in [
            "(module)",
            "(module (memory 1) (data \"x\"))",
            "(module (import \"a\" \"g\" (global i32)) (func (export \"f\") (drop (global.get 0))) (global i32 (i32.const 7)))",
            "(module (func $f unreachable) (start $f) (table 1 funcref) (elem (i32.const 0) $f))",
            "(module (func (param i64) block br 0 local.get 0 drop end return nop))",
            "(module (memory 1) (func (memory.init 0 (i32.const 0) (i32.const 0) (i32.const 0))) (data \"abc\"))",
        ] {
            let wasm = metered(text, one_for_each);
            // The parser has a validator with this engine only.
            #[cfg(feature = "wasmtime")]
            wasmparser::Validator::new().validate_all(&wasm).unwrap_or_else(|error| panic!("{text}: {error}"));
            let text = wasm.windows(POINTS.len()).filter(|window| *window == POINTS.as_bytes()).count();
            assert_eq!(text, 2); // one is the beginning of the other
        }
    }
}
