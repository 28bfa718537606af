//! A module that calls a function of a given type for many rows.
//!
//! The arguments are columns in the module's own memory, and so are the results. The host writes some rows there, puts
//! the function into the module's table, and calls the loop.

use crate::runtime::base::error::{Error, ErrorKind, Result};
use crate::runtime::base::types::{FuncType, ValKind};
use std::fmt::Write;

/// The bytes of the memory, which is one page: a row of the largest type that is possible has 16,000.
pub const MEMORY: usize = 65_536;

/// The most rows for one call of the loop: enough that the call costs nothing by comparison, and few enough that the
/// columns of most types stay in the processor's nearest cache.
const MOST_ROWS: usize = 2_048;

/// The bytes at the beginning of the memory, in which the loop counts.
const COUNTER: usize = 8;

/// The exports, in this order.
pub const EXPORTS: [&str; 3] = ["memory", "table", "loop"];

/// Where the columns are.
pub struct Layout {
    /// The most rows for one call of the loop.
    pub rows: usize,
    /// By how much the loop counts for each row. Its argument is the number of rows times that, and the first 32 bits
    /// of the memory are how far it has come.
    pub step: usize,
    pub params: Box<[usize]>,
    pub results: Box<[usize]>,
}

/// The bytes of a value in a column.
pub fn width(kind: ValKind) -> usize {
    match kind {
        ValKind::I32 | ValKind::F32 => 4,
        ValKind::I64 | ValKind::F64 => 8,
        ValKind::V128 => 16,
        _ => size_of::<usize>(),
    }
}

/// Makes the module for functions of a type that has only numbers. Calls through a table that `is_fixed`, that is cannot
/// grow, may be faster.
pub fn make(ty: &FuncType, is_fixed: bool) -> Result<(Vec<u8>, Layout)> {
    let kinds = || ty.param_kinds.iter().chain(&ty.result_kinds).map(|kind| width(*kind));
    // Each column may have to be aligned.
    let room = MEMORY - COUNTER - size_of::<u64>() * kinds().count();
    let rows = (room / kinds().sum::<usize>().max(1)).min(MOST_ROWS);
    let mut end = COUNTER;
    let mut columns: Vec<usize> = kinds()
        .map(|width| {
            let start = end.next_multiple_of(width);
            end = start + width * rows;
            start
        })
        .collect();
    let results = columns.split_off(ty.param_kinds.len()).into();
    let layout = Layout { rows, step: kinds().min().unwrap_or(1), params: columns.into(), results };
    let internal = |error: wat::Error| Error::new(ErrorKind::Internal, error.to_string());
    Ok((wat::parse_str(text(ty, &layout, is_fixed)).map_err(internal)?, layout))
}

fn text(ty: &FuncType, Layout { step, params, results, .. }: &Layout, is_fixed: bool) -> String {
    let most = if is_fixed { 1 } else { 2 };
    let names = |kinds: &[ValKind]| kinds.iter().map(|kind| format!(" {}", kind.name())).collect::<String>();
    let address = |kind| match width(kind) > *step {
        true => "(i32.shl (local.get $at) (i32.const 1))",
        false => "(local.get $at)",
    };
    let (param_names, result_names) = (names(&ty.param_kinds), names(&ty.result_kinds));
    let [memory, table, entry] = EXPORTS;
    let mut text = format!(
        "(module (type $callee (func (param{param_names}) (result{result_names})))
        (memory (export \"{memory}\") 1 1) (table (export \"{table}\") 1 {most} funcref)
        (func (export \"{entry}\") (param $end i32) (local $at i32) (local{result_names})
        (loop $row "
    );
    // The address of the first result lies under the arguments, those of the others are needed later.
    if let Some(first) = ty.result_kinds.first() {
        text.push_str(address(*first));
    }
    for (kind, offset) in ty.param_kinds.iter().zip(params) {
        let _ = write!(text, "({}.load offset={offset} {})", kind.name(), address(*kind));
    }
    text.push_str("(call_indirect (type $callee) (i32.const 0))");
    let results = || ty.result_kinds.iter().zip(results).enumerate();
    for (position, _) in results().skip(1).rev() {
        let _ = write!(text, "(local.set {})", position + 2);
    }
    for (position, (kind, offset)) in results() {
        let (name, address) = (kind.name(), address(*kind));
        let _ = match position {
            0 => write!(text, "({name}.store offset={offset})"),
            _ => write!(text, "({name}.store offset={offset} {address} (local.get {}))", position + 2),
        };
    }
    let _ = write!(
        text,
        "(i32.store (i32.const 0) (local.tee $at (i32.add (local.get $at) (i32.const {step}))))
        (br_if $row (i32.lt_u (local.get $at) (local.get $end))))))"
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::base::types::ValType;

    #[test]
    fn columns_fit_and_do_not_overlap() {
        use ValKind::{F32, F64, I32, I64};
        let cases: [(&[ValKind], &[ValKind]); 6] = [
            (&[], &[]),
            (&[I32], &[I32]),
            (&[I32, I64, F32, F64], &[F64, F32, I64, I32]),
            (&[I64], &[]),
            (&[F32; 999], &[I64; 1000]),
            (&[F64; 1000], &[F64; 1000]),
        ];
        for (params, results) in cases {
            let types = |kinds: &[ValKind]| kinds.iter().map(|kind| ValType::new(*kind)).collect::<Vec<_>>();
            let (wasm, layout) = make(&FuncType::new(types(params), types(results)), true).expect("valid text");
            let declarations = crate::runtime::binary::declarations::Declarations::parse(&wasm).expect("a module");
            assert!(declarations.imports.is_empty());
            assert!(declarations.exports.iter().map(|export| &*export.name).eq(EXPORTS));
            assert!(layout.rows > 0);
            let mut end = COUNTER;
            let columns = params.iter().zip(&layout.params).chain(results.iter().zip(&layout.results));
            for (kind, start) in columns {
                assert!(*start >= end && start.is_multiple_of(width(*kind)));
                end = start + layout.rows * width(*kind);
            }
            assert!(end <= MEMORY);
        }
    }
}
