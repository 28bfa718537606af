//! Distinguishes traps that the specification tells apart and engines do not, by the instruction that trapped.
//!
//! A call through a table beyond its end is an "undefined element", any other access beyond it an "out of bounds
//! table access". And which kind of reference was null depends on the instruction that used it. Where an engine
//! reports the place of a trap, the instruction there decides.

use super::code::each_uncommon;
use super::sections::Payloads;
use crate::runtime::base::trap_code::TrapCode;
use wasmparser::{Operator, Payload};

/// What an instruction accesses, where a trap depends on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Site {
    Table = 0,
    Function = 1,
    I31 = 2,
    Struct = 3,
    Array = 4,
}

impl Site {
    fn of(operator: &Operator) -> Option<Site> {
        use Operator::*;
        Some(match operator {
            TableGet { .. } | TableSet { .. } | TableInit { .. } | TableCopy { .. } | TableFill { .. } => Site::Table,
            CallRef { .. } | ReturnCallRef { .. } => Site::Function,
            I31GetS | I31GetU => Site::I31,
            StructGet { .. } | StructGetS { .. } | StructGetU { .. } | StructSet { .. } => Site::Struct,
            ArrayGet { .. } | ArrayGetS { .. } | ArrayGetU { .. } | ArraySet { .. } | ArrayLen => Site::Array,
            ArrayFill { .. } | ArrayCopy { .. } | ArrayInitData { .. } => Site::Array,
            ArrayNewElem { .. } | ArrayInitElem { .. } => Site::Array,
            _ => return None,
        })
    }

    fn from_number(number: u8) -> Option<Site> {
        [Site::Table, Site::Function, Site::I31, Site::Struct, Site::Array]
            .into_iter()
            .find(|site| *site as u8 == number)
    }
}

/// The module offsets of all such instructions, ascending. Most modules have none.
#[derive(Default)]
pub struct TrapSites(Vec<(u32, Site)>);

impl TrapSites {
    pub fn of(wasm: &[u8]) -> TrapSites {
        let mut sites = TrapSites::default();
        for payload in Payloads::of(wasm) {
            let Payload::CodeSectionEntry(body) = payload else { continue };
            // An error means that the module is invalid, which the engine reports with a better message.
            let _ = each_uncommon(&body, |operator, offset| {
                sites.0.extend(Site::of(operator).map(|site| (offset as u32, site)));
            });
        }
        sites
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the exact code of a trap at `offset` that the engine reports as `code`.
    pub fn refine(&self, code: TrapCode, offset: usize) -> TrapCode {
        let position = self.0.binary_search_by_key(&offset, |(offset, _)| *offset as usize);
        let site = position.ok().map(|position| self.0[position].1);
        match (code, site) {
            // `Array` stands for arrays that are made from an element segment, which counts as a table.
            (TrapCode::TableOutOfBounds, Some(Site::Table | Site::Array)) => TrapCode::TableOutOfBounds,
            (TrapCode::TableOutOfBounds, _) => TrapCode::UndefinedElement,
            (TrapCode::NullReference, Some(Site::Function)) => TrapCode::NullFunctionReference,
            (TrapCode::NullReference, Some(Site::I31)) => TrapCode::NullI31Reference,
            (TrapCode::NullReference, Some(Site::Struct)) => TrapCode::NullStructureReference,
            (TrapCode::NullReference, Some(Site::Array)) => TrapCode::NullArrayReference,
            _ => code,
        }
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let site = |(offset, site): &(u32, Site)| {
            let [a, b, c, d] = offset.to_le_bytes();
            [a, b, c, d, *site as u8]
        };
        self.0.iter().flat_map(site).collect()
    }

    pub fn from_bytes(bytes: &[u8]) -> Option<TrapSites> {
        let site =
            |[a, b, c, d, site]: &[u8; 5]| Some((u32::from_le_bytes([*a, *b, *c, *d]), Site::from_number(*site)?));
        let (sites, rest) = bytes.as_chunks::<5>();
        rest.is_empty().then(|| sites.iter().map(site).collect::<Option<_>>().map(TrapSites)).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sites(text: &str) -> TrapSites {
        TrapSites::of(&wat::parse_str(text).expect("valid text"))
    }

    #[test]
    fn accesses_are_sites_and_calls_are_not() {
        let accesses = sites("(module (table 1 funcref) (func (drop (table.get 0 (i32.const 9)))))");
        let [(offset, Site::Table)] = accesses.0[..] else { panic!("{:?}", accesses.0) };
        assert_eq!(accesses.refine(TrapCode::TableOutOfBounds, offset as usize), TrapCode::TableOutOfBounds);
        assert_eq!(accesses.refine(TrapCode::TableOutOfBounds, 3), TrapCode::UndefinedElement);
        let calls = sites("(module (type (func)) (table 1 funcref) (func (call_indirect (type 0) (i32.const 9))))");
        assert!(calls.is_empty());
    }

    #[test]
    fn bytes_give_the_same_sites() {
        let accesses =
            sites("(module (table 1 funcref) (func (table.fill (i32.const 0) (ref.null func) (i32.const 1))))");
        let again = TrapSites::from_bytes(&accesses.to_bytes()).expect("the same format");
        assert_eq!(again.0, accesses.0);
        assert!(TrapSites::from_bytes(&[1, 2, 3]).is_none());
        assert!(TrapSites::from_bytes(&[0, 0, 0, 0, 99]).is_none());
    }
}
