//! Walks over the code of functions. Decoding every instruction takes several times as long as finding where the next one
//! begins, and who walks over code looks for few instructions.

use wasmparser::{BinaryReader, FunctionBody, Operator, OperatorsReader, OperatorsReaderAllocations, Result};

/// For each opcode, what follows it: [`NUMBERS`] and flags.
pub const FOLLOWS: [u8; 256] = {
    let mut follows = [UNCOMMON; 256];
    let mut opcode = 0;
    while opcode < follows.len() {
        follows[opcode] = match opcode {
            // `unreachable`, `nop`, `else`, `end`, `return`, `drop`, `select`, comparisons, arithmetic, conversions.
            0x00 | 0x01 | 0x05 | 0x0b | 0x0f | 0x1a | 0x1b | 0x45..=0xc4 => 0,
            // Branches, `call`, locals, globals, constants of integers.
            0x0c | 0x0d | 0x10 | 0x20..=0x24 | 0x41 | 0x42 => 1,
            0x02..=0x04 => 1 | BLOCK,
            // Loads and stores.
            0x28..=0x3e => 2,
            _ => UNCOMMON,
        };
        opcode += 1;
    }
    follows
};

/// How many numbers follow the opcode.
pub const NUMBERS: u8 = 0b11;
/// The first number is a block's type.
pub const BLOCK: u8 = 1 << 2;
/// The instruction has to be decoded in full.
pub const UNCOMMON: u8 = 1 << 3;

const BLOCK_TYPE: u8 = 1 | BLOCK;

/// Returns where the instruction after the one at `position` begins, whose opcode is followed by what `follows` says. `None`
/// for instructions that are not common, and for malformed ones.
#[inline(always)]
pub fn after_common(bytes: &[u8], position: usize, follows: u8) -> Option<usize> {
    let next = position + 1;
    match follows & (NUMBERS | BLOCK | UNCOMMON) {
        0 => Some(next),
        1 => after_number(bytes, next),
        // In the first memory.
        2 if *bytes.get(next)? < 0x40 => after_number(bytes, next + 1),
        // Except where the type is written in the long form of reference types.
        BLOCK_TYPE if !matches!(bytes.get(next)?, 0x63..=0x65) => after_number(bytes, next),
        _ => None,
    }
}

#[inline(always)]
fn after_number(bytes: &[u8], mut position: usize) -> Option<usize> {
    while *bytes.get(position)? >= 0x80 {
        position += 1;
    }
    Some(position + 1)
}

/// The code of a function.
pub struct Code<'a> {
    pub bytes: &'a [u8],
    /// The offset of the first instruction in `bytes`.
    pub begin: usize,
    /// The number of locals, without parameters.
    pub locals: u64,
    /// Whether there are references among these.
    pub references: bool,
    /// Where `bytes` begin in the module.
    pub offset: usize,
    allocations: OperatorsReaderAllocations,
}

impl<'a> Code<'a> {
    pub fn of(body: &FunctionBody<'a>) -> Result<Code<'a>> {
        let (mut groups, mut locals, mut references) = (body.get_locals_reader()?, 0, false);
        for _ in 0..groups.get_count() {
            let (count, ty) = groups.read()?;
            locals += u64::from(count);
            references |= ty.is_reference_type();
        }
        let offset = body.range().start;
        let begin = groups.original_position() - offset;
        let allocations = OperatorsReaderAllocations::default();
        Ok(Code { bytes: body.as_bytes(), begin, locals, references, offset, allocations })
    }

    /// Decodes the instruction at `position`. Returns it and where the next one begins.
    pub fn decode(&mut self, position: usize) -> Result<(Operator<'a>, usize)> {
        let mut rest = BinaryReader::new(&self.bytes[position..], self.offset + position);
        // The decoder accepts these only after it has seen the block that they are a part of.
        let operator = match self.bytes[position] {
            0x05 => rest.read_u8().map(|_| Operator::Else),
            0x07 => rest.read_u8().and_then(|_| Ok(Operator::Catch { tag_index: rest.read_var_u32()? })),
            0x18 => rest.read_u8().and_then(|_| Ok(Operator::Delegate { relative_depth: rest.read_var_u32()? })),
            0x19 => rest.read_u8().map(|_| Operator::CatchAll),
            _ => {
                let mut reader = OperatorsReader::new_with_allocs(rest, std::mem::take(&mut self.allocations));
                let operator = reader.read()?;
                let next = reader.original_position() - self.offset;
                self.allocations = reader.into_allocations();
                return Ok((operator, next));
            }
        }?;
        Ok((operator, rest.original_position() - self.offset))
    }
}

/// Calls `visit` with each instruction that is not common, and its offset in the module.
pub fn each_uncommon(body: &FunctionBody, mut visit: impl FnMut(&Operator, usize)) -> Result<()> {
    let mut code = Code::of(body)?;
    let mut position = code.begin;
    while position < code.bytes.len() {
        let follows = FOLLOWS[usize::from(code.bytes[position])];
        position = match after_common(code.bytes, position, follows) {
            Some(next) => next,
            None => {
                let (operator, next) = code.decode(position)?;
                visit(&operator, code.offset + position);
                next
            }
        };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmparser::{Parser, Payload};

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
        let after =
            |bytes: &[u8], position: usize| after_common(bytes, position, FOLLOWS[usize::from(bytes[position])]);
        let mut common = 0;
        for payload in Parser::new(0).parse_all(&wat::parse_str(text).expect("valid text")) {
            let Payload::CodeSectionEntry(body) = payload.expect("valid") else { continue };
            let mut operators = body.get_operators_reader().expect("valid");
            while !operators.eof() {
                let position = operators.original_position() - body.range().start;
                let operator = operators.read().expect("valid");
                if let Some(next) = after(body.as_bytes(), position) {
                    assert_eq!(next, operators.original_position() - body.range().start, "{operator:?}");
                    common += 1;
                }
            }
        }
        assert!(common > 40, "{common}");
        // A number that does not end, and an opcode without its operands.
        assert_eq!((after(&[0x41, 0x80], 0), after(&[0x28], 0)), (None, None));
        // Blocks whose types have two bytes.
        for long in 0x63..=0x65 {
            assert_eq!(after(&[0x02, long, 0x70], 0), None);
        }
    }

    #[test]
    fn the_others_are_decoded() {
        let text = "(module (table 1 funcref) (func (local i32 i64)
            (drop (if (result i32) (local.get 0) (then (i32.const 1)) (else (i32.const 2))))
            (table.set (i32.const 1) (table.get (i32.const 0)))))";
        let wasm = wat::parse_str(text).expect("valid text");
        let mut seen = Vec::new();
        for payload in Parser::new(0).parse_all(&wasm) {
            let Payload::CodeSectionEntry(body) = payload.expect("valid") else { continue };
            let code = Code::of(&body).expect("valid");
            assert_eq!((code.locals, code.references), (2, false));
            each_uncommon(&body, |operator, offset| seen.push((format!("{operator:?}"), wasm[offset]))).expect("valid");
        }
        assert_eq!(seen, [("TableGet { table: 0 }".into(), 0x25), ("TableSet { table: 0 }".into(), 0x26)]);
    }

    #[test]
    fn references_among_the_locals_are_seen() {
        for (code, locals) in [(&[2, 1, 0x7f, 2, 0x70, 0x0b][..], 3), (&[1, 2, 0x63, 0x6e, 0x0b], 2)] {
            let code = Code::of(&FunctionBody::new(BinaryReader::new(code, 0))).expect("valid");
            assert_eq!((code.locals, code.references), (locals, true));
        }
    }

    #[test]
    fn parts_of_blocks_are_decoded_without_the_blocks() {
        let body = FunctionBody::new(BinaryReader::new(&[0, 0x05, 0x07, 0x81, 1, 0x19, 0x18, 2, 0x0b, 0x07], 9));
        let mut code = Code::of(&body).expect("valid");
        let (mut position, mut seen) = (code.begin, Vec::new());
        while let Ok((operator, next)) = code.decode(position) {
            seen.push((format!("{operator:?}"), next));
            position = next;
        }
        let expected =
            [("Else", 2), ("Catch { tag_index: 129 }", 5), ("CatchAll", 6), ("Delegate { relative_depth: 2 }", 8)];
        let expected = expected.into_iter().chain([("End", 9)]).map(|(operator, next)| (operator.to_string(), next));
        assert_eq!(seen, expected.collect::<Vec<_>>());
    }
}
