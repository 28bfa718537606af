//! Limits on modules, checked before an engine sees the module: compilers take time and memory that grow with what is
//! limited here.

use super::code::Code;
use super::compile_cost::{COST_PER_INITIALIZER, Cost, Found, Meter, Part, Payments};
use super::declarations::import_kind;
use super::sections::Payloads;
use crate::runtime::base::error::{Advice, Error, ErrorKind, Result};
use crate::runtime::base::types::ExternKind;
use wasmparser::{ConstExpr, DataKind, ElementItems, ElementKind, ExternalKind, Payload, TableInit};

/// A limit on modules. The numbers are those of `wasmrt.h`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum ModuleLimit {
    Bytes = 0,
    Functions = 1,
    Types = 2,
    Locals = 3,
    FunctionBytes = 4,
    Nesting = 5,
    FunctionCost = 6,
    CostPerByte = 7,
    ConstantTerms = 8,
}

impl ModuleLimit {
    const ALL: [ModuleLimit; 9] = [
        ModuleLimit::Bytes,
        ModuleLimit::Functions,
        ModuleLimit::Types,
        ModuleLimit::Locals,
        ModuleLimit::FunctionBytes,
        ModuleLimit::Nesting,
        ModuleLimit::FunctionCost,
        ModuleLimit::CostPerByte,
        ModuleLimit::ConstantTerms,
    ];

    pub fn from_number(number: u32) -> Option<ModuleLimit> {
        ModuleLimit::ALL.into_iter().find(|limit| *limit as u32 == number)
    }
}

#[derive(Debug)]
pub struct ModuleLimits {
    values: [u64; ModuleLimit::ALL.len()],
    /// Whether the program has set the limit, for each.
    chosen: [bool; ModuleLimit::ALL.len()],
    /// What modules will pay with. It counts as cost, and as bytes for it, but not as the module's size.
    pub payments: Payments,
}

/// The default for the number of types, for each of which a compiler makes code: several times what real compilers
/// emit, and still compiled within seconds.
const DEFAULT_TYPES: u64 = 100_000;
const DEFAULT_NESTING: u64 = 17_000;
const DEFAULT_FUNCTION_COST: u64 = 20_000_000;
const DEFAULT_COST_PER_BYTE: u64 = 8;
const DEFAULT_CONSTANT_TERMS: u64 = 20_000;

/// Modules count as having at least this many bytes.
const LEAST_BYTES: u64 = 128 << 10;

/// Signatures with more values than this are expensive on any engine.
const WIDE: u64 = 64;

impl Default for ModuleLimits {
    fn default() -> ModuleLimits {
        let mut values = [u64::MAX; ModuleLimit::ALL.len()];
        values[ModuleLimit::Types as usize] = DEFAULT_TYPES;
        values[ModuleLimit::Nesting as usize] = DEFAULT_NESTING;
        values[ModuleLimit::FunctionCost as usize] = DEFAULT_FUNCTION_COST;
        values[ModuleLimit::CostPerByte as usize] = DEFAULT_COST_PER_BYTE;
        values[ModuleLimit::ConstantTerms as usize] = DEFAULT_CONSTANT_TERMS;
        ModuleLimits { values, chosen: [false; ModuleLimit::ALL.len()], payments: Payments::default() }
    }
}

impl ModuleLimits {
    pub fn set(&mut self, limit: ModuleLimit, value: u64) {
        self.values[limit as usize] = value;
        self.chosen[limit as usize] = true;
    }

    /// Fails if `wasm` is beyond a limit. Leaves it to the engine to report malformed modules. For an engine that
    /// `compiles` to machine code, this counts [`compile_cost`](super::compile_cost). For other engines it does so
    /// only if the program has set a limit on that, or if some signature is so wide that it is expensive on any
    /// engine.
    pub fn check(&self, wasm: &[u8], compiles: bool) -> Result<()> {
        let bytes = wasm.len() as u64;
        self.admit(ModuleLimit::Bytes, bytes, || "the module has".to_string(), "bytes")?;
        let mut meter = Meter::new(self.payments);
        let costs = [ModuleLimit::Nesting, ModuleLimit::FunctionCost, ModuleLimit::CostPerByte];
        let mut costs = costs
            .into_iter()
            .any(|limit| self.values[limit as usize] != u64::MAX && (compiles || self.chosen[limit as usize]));
        let default_costs = self.values[ModuleLimit::CostPerByte as usize] != u64::MAX;
        let code = [ModuleLimit::Locals, ModuleLimit::FunctionBytes];
        let code = code.into_iter().any(|limit| self.values[limit as usize] != u64::MAX);
        let mut functions = 0;
        let mut function = 0;
        let mut start = Cost::default();
        let mut total = Cost::default();
        let mut added = 0;
        let module = || "the module has".to_string();
        let mut payloads = Payloads::of(wasm);
        while let Some(payload) = payloads.next() {
            match payload {
                Payload::TypeSection(section) => {
                    // The section's count of groups costs nothing to read and is not larger than the number of types,
                    // so it is checked before the section is read.
                    self.admit(ModuleLimit::Types, section.count().into(), module, "types")?;
                    let mut types = 0;
                    for group in section.into_iter().flatten() {
                        types += group.types().len() as u64;
                        self.admit(ModuleLimit::Types, types, module, "types")?;
                        group.types().for_each(|ty| meter.add_type(ty));
                    }
                    costs |= default_costs && meter.widest() > WIDE;
                    total.join(&meter.types());
                }
                Payload::ImportSection(section) => {
                    for import in section.into_imports().flatten() {
                        functions += u64::from(import_kind(&import.ty) == ExternKind::Func);
                        meter.add_import(&import.ty);
                    }
                    function = functions;
                    self.admit(ModuleLimit::Functions, functions, module, "functions")?;
                }
                Payload::FunctionSection(section) => {
                    functions += u64::from(section.count());
                    self.admit(ModuleLimit::Functions, functions, module, "functions")?;
                    if costs {
                        section.into_iter().flatten().for_each(|ty| meter.add_function(ty));
                    }
                }
                Payload::TagSection(section) => {
                    section.into_iter().flatten().for_each(|tag| meter.add_tag(tag.func_type_idx));
                }
                Payload::TableSection(section) => {
                    for table in section.into_iter().flatten() {
                        start.add(Part::Instructions, table.ty.initial.min(1 << 20) / 32);
                        if let TableInit::Expr(expression) = &table.init {
                            self.admit_expression(&mut meter, &mut start, expression)?;
                        }
                    }
                }
                Payload::GlobalSection(section) => {
                    for global in section.into_iter().flatten() {
                        meter.add_global(global.ty.content_type);
                        self.admit_expression(&mut meter, &mut start, &global.init_expr)?;
                    }
                }
                Payload::ExportSection(section) if costs => {
                    for export in section.into_iter().flatten() {
                        start.add(Part::Instructions, 1);
                        if matches!(export.kind, ExternalKind::Func | ExternalKind::FuncExact) {
                            meter.add_entry(export.index);
                        }
                    }
                }
                Payload::ElementSection(section) => {
                    for element in section.into_iter().flatten() {
                        start.add(Part::Instructions, COST_PER_INITIALIZER);
                        let mut known = false;
                        if let ElementKind::Active { offset_expr, .. } = &element.kind {
                            self.admit_expression(&mut meter, &mut start, offset_expr)?;
                            known = true;
                        }
                        match element.items {
                            ElementItems::Functions(items) if costs => {
                                // If the segment's offset is known, a table with up to this many elements is filled
                                // at compile time.
                                if !known || items.count() > 1 << 20 {
                                    start.add(Part::Instructions, COST_PER_INITIALIZER * u64::from(items.count()));
                                }
                                items.into_iter().flatten().for_each(|function| meter.add_entry(function));
                            }
                            ElementItems::Functions(_) => {}
                            ElementItems::Expressions(_, items) => {
                                for expression in items.into_iter().flatten() {
                                    start.add(Part::Instructions, COST_PER_INITIALIZER);
                                    self.admit_expression(&mut meter, &mut start, &expression)?;
                                }
                            }
                        }
                    }
                }
                Payload::DataSection(section) => {
                    for data in section.into_iter().flatten() {
                        if let DataKind::Active { offset_expr, .. } = &data.kind {
                            start.add(Part::Instructions, 2 * COST_PER_INITIALIZER);
                            self.admit_expression(&mut meter, &mut start, offset_expr)?;
                        }
                    }
                }
                Payload::CodeSectionStart { size, .. } if !(costs || code) => payloads.skip_code(size),
                Payload::CodeSectionEntry(body) => {
                    let name = || format!("function {function} has");
                    self.admit(ModuleLimit::FunctionBytes, body.range().len() as u64, name, "bytes of code")?;
                    let code = Code::of(&body).ok();
                    if let Some(code) = &code {
                        self.admit(ModuleLimit::Locals, code.locals, name, "locals")?;
                    }
                    // An engine may compile other functions before it comes to one that is malformed.
                    if let Some(mut code) = code.filter(|_| costs) {
                        let Found { cost, nesting, added: in_function } = meter.read(function as u32, &mut code);
                        self.admit(ModuleLimit::Nesting, nesting, name, "blocks within each other")?;
                        let name = || format!("function {function} (mostly {}) has", cost.reason());
                        self.admit(ModuleLimit::FunctionCost, cost.total(), name, "units of compile cost")?;
                        total.join(&cost);
                        added += in_function;
                    }
                    function += 1;
                }
                _ => {}
            }
        }
        if costs {
            let name = || format!("the module's initialisation (mostly {}) has", start.reason());
            self.admit(ModuleLimit::FunctionCost, start.total(), name, "units of compile cost")?;
            total.join(&start);
            let allowed = self.values[ModuleLimit::CostPerByte as usize];
            let counted = (bytes + added).max(LEAST_BYTES);
            if total.total() > allowed.saturating_mul(counted) {
                let message = format!(
                    "the module has {} units of compile cost (mostly {}) for its {bytes} bytes, but the engine's \
                     configuration allows {allowed} for each byte",
                    total.total(),
                    total.reason()
                );
                return Err(Error::new(ErrorKind::Limit, message).with_advice(Advice::RaiseModuleLimit));
            }
        }
        Ok(())
    }

    fn admit_expression(&self, meter: &mut Meter, start: &mut Cost, expression: &ConstExpr) -> Result<()> {
        let (cost, terms) = meter.expression(expression);
        let name = || "a constant expression of the module has".to_string();
        self.admit(ModuleLimit::ConstantTerms, terms, name, "terms")?;
        start.join(&cost);
        Ok(())
    }

    fn admit(&self, limit: ModuleLimit, count: u64, who: impl Fn() -> String, what: &str) -> Result<()> {
        let allowed = self.values[limit as usize];
        if count <= allowed {
            return Ok(());
        }
        let message = format!("{} {count} {what}, but the engine's configuration allows {allowed}", who());
        Err(Error::new(ErrorKind::Limit, message).with_advice(Advice::RaiseModuleLimit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::binary::metering::PAYMENT_INSTRUCTIONS;

    const TEXT: &str =
        "(module (import \"a\" \"b\" (func)) (type (func (param i32))) (func) (func (local i32 i64 f32) nop))";

    fn check(limit: ModuleLimit, value: u64) -> Result<()> {
        let mut limits = ModuleLimits::default();
        limits.set(limit, value);
        limits.check(&wat::parse_str(TEXT).expect("valid text"), true)
    }

    #[test]
    fn each_limit_is_kept() {
        for (limit, count) in [
            (ModuleLimit::Functions, 3),
            (ModuleLimit::Types, 2),
            (ModuleLimit::Locals, 3),
            (ModuleLimit::FunctionBytes, 9),
        ] {
            assert!(check(limit, count).is_ok(), "{limit:?}");
            let error = check(limit, count - 1).expect_err("beyond the limit");
            assert_eq!(error.kind, ErrorKind::Limit);
            assert!(error.message.contains(&format!("{count} ")), "{}", error.message);
        }
        assert!(check(ModuleLimit::Bytes, 8).is_err());
    }

    fn refusal(limits: &ModuleLimits, text: &str, compiles: bool) -> Option<String> {
        let error = limits.check(&wat::parse_str(text).expect("valid text"), compiles).err()?;
        assert_eq!(error.kind, ErrorKind::Limit);
        Some(error.message.clone())
    }

    /// Concatenates the text for each number below `count`.
    fn each(count: usize, text: impl Fn(usize) -> String) -> String {
        (0..count).map(text).collect()
    }

    fn valued(count: usize) -> String {
        "i32 ".repeat(count)
    }

    /// Modules that would take a compiler minutes or gigabytes, and a part of the refusal's message.
    fn bombs() -> Vec<(&'static str, String)> {
        let values = valued(1000);
        let zeros = "i32.const 0 ".repeat(1000);
        vec![
            (
                "function 0 (mostly locals that change in loops and branches",
                format!(
                    "(func (local {}) {} {})",
                    valued(1000),
                    each(1000, |local| format!("loop local.get {local} i32.const 1 i32.add local.set {local} ")),
                    each(1000, |local| format!("local.get {local} br_if 0 end "))
                ),
            ),
            (
                "mostly locals that change in loops and branches",
                format!(
                    "(func (param i32) (local {}) {} local.get 0 br_table {} {})",
                    valued(500),
                    "block ".repeat(500),
                    each(500, |label| format!("{label} ")),
                    each(500, |local| format!("end local.get 0 local.set {} ", local + 1))
                ),
            ),
            ("function 0 has 40000 blocks", format!("(func {} {})", "block ".repeat(40_000), "end ".repeat(40_000))),
            (
                "values that blocks and branches carry",
                format!(
                    "(type $t (func (param {values}) (result {values}))) (func {zeros} {} {})",
                    "loop (type $t) end ".repeat(1000),
                    "drop ".repeat(1000)
                ),
            ),
            (
                "values that blocks and branches carry",
                format!(
                    "(func (param i32) block (result {values}) {zeros} {} end {})",
                    "local.get 0 br_if 0 ".repeat(2000),
                    "drop ".repeat(1000)
                ),
            ),
            (
                "arguments and results of calls",
                format!(
                    "(type $t (func (param {values}) (result {values}))) (func $f (type $t) unreachable)
                     (func {zeros} {} {})",
                    "call $f ".repeat(1000),
                    "drop ".repeat(1000)
                ),
            ),
            (
                "locals times blocks",
                format!(
                    "(func (local {}) {} {})",
                    valued(5000),
                    "i32.const 0 if end ".repeat(5000),
                    each(5000, |local| format!("local.get {local} drop "))
                ),
            ),
            (
                "exception handlers around calls",
                format!(
                    "(func $f block {} {} {} end)",
                    "try_table (catch_all 0) ".repeat(300),
                    "call $f ".repeat(300),
                    "end ".repeat(300)
                ),
            ),
            ("instructions", format!("(table 1 funcref) (func {})", "i32.const 0 call_indirect ".repeat(30_000))),
            (
                "instructions",
                format!(
                    "(memory 1 1 shared) (func i32.const 0 {} drop)",
                    each(20_000, |number| format!(
                        "i32.const 0 i64.const 0 memory.atomic.wait32 offset={} ",
                        4 * number
                    ))
                ),
            ),
            (
                "arguments and results of calls",
                format!(
                    "(type $s (struct {})) (func {})",
                    "(field anyref) ".repeat(1000),
                    "struct.new_default $s drop ".repeat(1000)
                ),
            ),
            ("the module has", format!("(func $f) (elem func {})", "$f ".repeat(200_000))),
            (
                "a constant expression of the module has 20001 terms",
                format!("(global i32 i32.const 0 {})", "i32.const 1 i32.add ".repeat(10_000)),
            ),
        ]
    }

    #[test]
    fn bombs_are_refused_by_default() {
        let limits = ModuleLimits::default();
        for (reason, fields) in bombs().into_iter() {
            let message = refusal(&limits, &format!("(module {fields})"), true);
            let message = message.unwrap_or_else(|| panic!("nothing refused; expected \"{reason}\""));
            assert!(message.contains(reason), "{message} where {reason} was expected");
        }
    }

    /// Engines that do not make machine code take time in proportion to the size, except for values that they copy.
    #[test]
    fn costs_count_where_they_matter() {
        let mut refused = 0;
        for (reason, fields) in bombs() {
            let text = format!("(module {fields})");
            let wide = fields.contains("(type $t");
            let always = wide || reason.contains("constant") || fields.contains("(field");
            if let Some(message) = refusal(&ModuleLimits::default(), &text, false) {
                assert!(message.contains(reason), "{message}");
                assert!(always || fields.contains("(result i32 i32"), "{message}");
                refused += 1;
            } else {
                assert!(!wide, "{reason}");
            }
            // A program that sets a limit gets it with any engine.
            let mut limits = ModuleLimits::default();
            limits.set(ModuleLimit::CostPerByte, DEFAULT_COST_PER_BYTE);
            assert!(refusal(&limits, &text, false).is_some(), "{reason}");
        }
        assert!(refused >= 4, "{refused}");
    }

    #[test]
    fn what_is_lifted_is_not_refused() {
        let mut limits = ModuleLimits::default();
        for limit in
            [ModuleLimit::Nesting, ModuleLimit::FunctionCost, ModuleLimit::CostPerByte, ModuleLimit::ConstantTerms]
        {
            limits.set(limit, u64::MAX);
        }
        for (reason, fields) in bombs() {
            assert!(refusal(&limits, &format!("(module {fields})"), true).is_none(), "{reason}");
        }
    }

    #[test]
    fn what_metering_adds_is_a_cost_but_not_size() {
        let text = format!("(module (func {}))", "loop end ".repeat(10_000));
        let bytes = wat::parse_str(&text).expect("valid text").len() as u64;
        for (inline, calling) in [(false, false), (true, false), (false, true)] {
            let payments = Payments { inline, calling };
            let mut limits = ModuleLimits { payments, ..ModuleLimits::default() };
            limits.set(ModuleLimit::Bytes, bytes);
            limits.set(ModuleLimit::Nesting, 1);
            assert_eq!(refusal(&limits, &text, true), None);
            limits.set(ModuleLimit::FunctionCost, 20_000 * PAYMENT_INSTRUCTIONS);
            assert_eq!(refusal(&limits, &text, true).is_some(), inline || calling);
        }
    }

    #[test]
    fn payments_that_call_are_refused_within_handlers() {
        let (open, close) = ("block try_table (catch_all 0) ".repeat(300), "end end ".repeat(300));
        let text = format!("(module (func {open} {} {close}))", "loop end ".repeat(2000));
        for (inline, calling) in [(false, false), (true, false), (false, true)] {
            let limits = ModuleLimits { payments: Payments { inline, calling }, ..ModuleLimits::default() };
            let refused = refusal(&limits, &text, true);
            assert_eq!(refused.is_some(), calling, "{refused:?}");
            assert!(refused.is_none_or(|message| message.contains("exception handlers around calls")));
        }
    }

    #[test]
    fn costs_are_exact() {
        let text = "(module (func (param i32) loop local.get 0 local.tee 0 br_if 0 end))";
        let allowing = |limit, value| {
            let mut limits = ModuleLimits::default();
            limits.set(limit, value);
            refusal(&limits, text, true)
        };
        let message = allowing(ModuleLimit::FunctionCost, 0).expect("beyond the limit");
        let cost: u64 = message.split(' ').find_map(|word| word.parse().ok().filter(|cost| *cost > 1)).expect("a cost");
        assert!(allowing(ModuleLimit::FunctionCost, cost).is_none(), "{message}");
        assert!(allowing(ModuleLimit::FunctionCost, cost - 1).is_some(), "{message}");
        assert!(allowing(ModuleLimit::Nesting, 1).is_none());
        assert!(allowing(ModuleLimit::Nesting, 0).is_some_and(|message| message.contains("function 0 has 1 blocks")));
        assert!(allowing(ModuleLimit::CostPerByte, 0).is_some_and(|message| message.contains("for each byte")));
    }
}
