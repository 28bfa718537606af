//! Writes modules: numbers, and sections in place of others.

use std::ops::Range;
use wasmparser::{BinaryReader, Chunk, FromReader, Parser, Payload, Result, SectionLimited};

pub const TYPES: u8 = 1;
pub const IMPORTS: u8 = 2;
pub const FUNCTIONS: u8 = 3;
pub const TABLES: u8 = 4;
pub const MEMORIES: u8 = 5;
pub const GLOBALS: u8 = 6;
pub const EXPORTS: u8 = 7;
pub const START: u8 = 8;
pub const ELEMENTS: u8 = 9;
pub const CODE: u8 = 10;
pub const DATA: u8 = 11;
pub const DATA_COUNT: u8 = 12;

/// The order of the sections in a module, by id.
const ORDER: [u8; 13] =
    [TYPES, IMPORTS, FUNCTIONS, TABLES, MEMORIES, 13, GLOBALS, EXPORTS, START, ELEMENTS, DATA_COUNT, CODE, DATA];

fn place(id: u8) -> Option<usize> {
    ORDER.iter().position(|other| *other == id)
}

/// Returns a module with new sections in place of those with the ids `replaced`, or where they belong if it has none. `write`
/// writes what is in them. `sections` are those of the original that stay or are replaced, by their contents.
pub fn replace(
    wasm: &[u8],
    sections: impl IntoIterator<Item = (u8, Range<usize>)>,
    replaced: &[u8],
    mut write: impl FnMut(u8, &mut Vec<u8>) -> Result<()>,
) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(wasm.len() + wasm.len() / 8);
    out.extend_from_slice(&wasm[..8]);
    let mut new = ORDER.into_iter().filter(|id| replaced.contains(id)).peekable();
    let mut write = |id: u8, out: &mut Vec<u8>| {
        out.push(id);
        write_sized(out, |out| write(id, out))
    };
    for (id, contents) in sections {
        while let Some(new) = new.next_if(|new| place(id) >= place(*new)) {
            write(new, &mut out)?;
        }
        if !replaced.contains(&id) {
            write_section(&mut out, id, &wasm[contents]);
        }
    }
    new.try_for_each(|new| write(new, &mut out))?;
    Ok(out)
}

pub fn write_section(out: &mut Vec<u8>, id: u8, contents: &[u8]) {
    out.push(id);
    write_leb128(out, contents.len());
    out.extend_from_slice(contents);
}

/// Writes what `write` writes, with its length before it.
pub fn write_sized(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> Result<()>) -> Result<()> {
    let begin = out.len();
    write(out)?;
    let mut length = Vec::new();
    write_leb128(&mut length, out.len() - begin);
    out.splice(begin..begin, length);
    Ok(())
}

/// Writes a number in LEB128, the encoding of numbers in modules.
pub fn write_leb128(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Writes a signed number in LEB128.
pub fn write_signed(out: &mut Vec<u8>, mut value: i64) {
    while !(-0x40..0x40).contains(&value) {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8 & 0x7f);
}

/// The number of a section's entries, and their bytes.
#[derive(Default)]
pub struct Entries<'a> {
    pub count: usize,
    bytes: &'a [u8],
}

impl<'a> Entries<'a> {
    pub fn of<T: FromReader<'a>>(section: &SectionLimited<'a, T>, wasm: &'a [u8]) -> Entries<'a> {
        Entries { count: section.count() as usize, bytes: &wasm[section.original_position()..section.range().end] }
    }

    /// Reads the contents of a section.
    pub fn read(contents: &'a [u8]) -> Result<Entries<'a>> {
        let mut reader = BinaryReader::new(contents, 0);
        let count = reader.read_var_u32()? as usize;
        Ok(Entries { count, bytes: &contents[reader.original_position()..] })
    }

    /// Writes what is in the section, with more entries.
    pub fn write(&self, out: &mut Vec<u8>, more: &[impl AsRef<[u8]>]) {
        write_leb128(out, self.count + more.len());
        out.extend_from_slice(self.bytes);
        more.iter().for_each(|entry| out.extend_from_slice(entry.as_ref()));
    }
}

/// Returns a name that is not taken: `base`, or longer.
pub fn unused_name(base: &str, taken: impl Fn(&str) -> bool) -> String {
    let mut name = base.to_string();
    while taken(&name) {
        name.push('\'');
    }
    name
}

/// Types of values.
pub const I32: u8 = 0x7f;
pub const I64: u8 = 0x7e;

/// The kinds of imports and exports.
pub const A_FUNCTION: u8 = 0;
pub const A_GLOBAL: u8 = 3;

/// Returns the entry of an export.
pub fn export(name: &str, kind: u8, index: usize) -> Vec<u8> {
    let mut entry = Vec::new();
    write_leb128(&mut entry, name.len());
    entry.extend_from_slice(name.as_bytes());
    entry.push(kind);
    write_leb128(&mut entry, index);
    entry
}

/// What a module consists of, up to what cannot be read. Unlike the parser's own iterator, this can leave out functions:
/// a module may have many thousands, and there are several who do not look at them.
pub struct Payloads<'a> {
    parser: Parser,
    rest: Option<&'a [u8]>,
}

impl<'a> Payloads<'a> {
    pub fn of(wasm: &'a [u8]) -> Payloads<'a> {
        Payloads { parser: Parser::new(0), rest: Some(wasm) }
    }

    /// Leaves out the functions. May be called when the last payload was the start of the code section.
    pub fn skip_code(&mut self, size: u32) {
        self.parser.skip_section();
        self.rest = self.rest.and_then(|rest| rest.get(size as usize..));
    }

    /// The same without functions.
    pub fn without_code(mut self) -> impl Iterator<Item = Payload<'a>> {
        std::iter::from_fn(move || {
            let payload = self.next()?;
            if let Payload::CodeSectionStart { size, .. } = payload {
                self.skip_code(size);
            }
            Some(payload)
        })
    }
}

impl<'a> Iterator for Payloads<'a> {
    type Item = Payload<'a>;
    fn next(&mut self) -> Option<Payload<'a>> {
        let rest = self.rest.take()?;
        let Ok(Chunk::Parsed { payload, consumed }) = self.parser.parse(rest, true) else { return None };
        if !matches!(payload, Payload::End(_)) {
            self.rest = Some(&rest[consumed..]);
        }
        Some(payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_they_are_read() {
        for value in [0, 1, 63, 64, -1, -64, -65, 8191, 8192, i64::MAX, i64::MIN] {
            let mut bytes = Vec::new();
            write_signed(&mut bytes, value);
            let mut reader = BinaryReader::new(&bytes, 0);
            assert_eq!(reader.read_var_i64().unwrap(), value);
            assert!(reader.eof());
        }
        for value in [0, 1, 127, 128, 16_383, 16_384, u64::MAX] {
            let mut bytes = Vec::new();
            write_leb128(&mut bytes, value as usize);
            let mut reader = BinaryReader::new(&bytes, 0);
            assert_eq!(reader.read_var_u64().unwrap(), value);
            assert!(reader.eof());
        }
    }

    #[test]
    fn sections_are_put_where_they_belong() {
        let wasm = wat::parse_str(
            "(module (@custom \"c\" (after func) \"1\") (type (func)) (func) (start 0) (memory 1) (data \"x\"))",
        )
        .unwrap();
        let sections = |wasm: &[u8]| -> Vec<(u8, Range<usize>)> {
            let payloads = Parser::new(0).parse_all(wasm).map(|payload| payload.unwrap());
            payloads.filter_map(|payload: Payload| payload.as_section()).collect()
        };
        let kept = sections(&wasm).into_iter().filter(|(id, _)| *id != START);
        let changed = replace(&wasm, kept, &[DATA_COUNT, EXPORTS, TYPES], |id, out| {
            out.extend_from_slice(match id {
                TYPES => &[2, 0x60, 0, 0, 0x60, 0, 0],
                EXPORTS => &[0],
                _ => &[1],
            });
            Ok(())
        });
        let changed = changed.unwrap();
        let ids: Vec<_> = sections(&changed).into_iter().map(|(id, _)| id).collect();
        assert_eq!(ids, [TYPES, FUNCTIONS, 0, 5, EXPORTS, DATA_COUNT, CODE, DATA]);
        let same = replace(&wasm, sections(&wasm), &[], |_, _| Ok(())).unwrap();
        assert_eq!(same, wasm);
    }

    #[test]
    fn functions_can_be_left_out() {
        let wasm = wat::parse_str("(module (func) (func (result i32) i32.const 1) (memory 1) (data \"x\"))").unwrap();
        let count = |payloads: &mut dyn Iterator<Item = Payload>, wanted: fn(&Payload) -> bool| {
            payloads.filter(|payload| wanted(payload)).count()
        };
        let is_code = |payload: &Payload| matches!(payload, Payload::CodeSectionEntry(_));
        let is_later = |payload: &Payload| matches!(payload, Payload::DataSection(_) | Payload::End(_));
        assert_eq!(count(&mut Payloads::of(&wasm), is_code), 2);
        assert_eq!(count(&mut Payloads::of(&wasm).without_code(), is_code), 0);
        assert_eq!(count(&mut Payloads::of(&wasm).without_code(), is_later), 2);
        // A module that ends too early, or is none.
        for length in 0..wasm.len() {
            assert!(count(&mut Payloads::of(&wasm[..length]).without_code(), |_| true) < 9);
        }
    }

    #[test]
    fn lengths_come_before_what_they_count() {
        for length in [0, 1, 127, 128, 20_000] {
            let mut out = vec![9];
            write_sized(&mut out, |out| {
                out.resize(out.len() + length, 7);
                Ok(())
            })
            .unwrap();
            let mut reader = BinaryReader::new(&out[1..], 0);
            assert_eq!(reader.read_var_u32().unwrap() as usize, length);
            assert_eq!(reader.read_bytes(length).unwrap(), vec![7; length]);
            assert!(out[0] == 9 && reader.eof());
        }
    }
}
