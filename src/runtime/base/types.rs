//! Types of values and of externs (functions, globals, tables, memories, tags).
//!
//! Their layout is chosen so that the C API can return views of them without a conversion: a [`ValType`] is the
//! pointer that C knows as `wasm_valtype_t*`, a [`ValTypes`] is laid out as a `wasm_valtype_vec_t`, and a [`Limits32`]
//! as a `wasm_limits_t`.

use super::options::Proposal;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// The kind of a value. The numbers are those of the standard; those of V128, ANYREF and EXNREF are additions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum ValKind {
    I32 = 0,
    I64 = 1,
    F32 = 2,
    F64 = 3,
    V128 = 4,
    ExternRef = 128,
    FuncRef = 129,
    /// Any reference of the garbage-collection proposal.
    AnyRef = 130,
    /// An exception reference.
    ExnRef = 131,
}

impl ValKind {
    /// Returns the kind with a number of C, or `None` if no kind has it.
    pub fn from_number(number: u8) -> Option<ValKind> {
        Some(match number {
            0 => ValKind::I32,
            1 => ValKind::I64,
            2 => ValKind::F32,
            3 => ValKind::F64,
            4 => ValKind::V128,
            128 => ValKind::ExternRef,
            129 => ValKind::FuncRef,
            130 => ValKind::AnyRef,
            131 => ValKind::ExnRef,
            _ => return None,
        })
    }

    /// Whether values of this kind are numbers that `wasm_val_t` can carry.
    #[inline]
    pub fn is_number(self) -> bool {
        (self as u8) < ValKind::V128 as u8
    }

    #[inline]
    pub fn is_reference(self) -> bool {
        self as u8 >= ValKind::ExternRef as u8
    }

    pub fn name(self) -> &'static str {
        match self {
            ValKind::I32 => "i32",
            ValKind::I64 => "i64",
            ValKind::F32 => "f32",
            ValKind::F64 => "f64",
            ValKind::V128 => "v128",
            ValKind::ExternRef => "externref",
            ValKind::FuncRef => "funcref",
            ValKind::AnyRef => "anyref",
            ValKind::ExnRef => "exnref",
        }
    }
}

/// Which references of their kind a reference type has, apart from what modules define: the abstract heap types.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Heap {
    Extern = 0,
    Func = 1,
    Any = 2,
    Exn = 3,
    Eq = 4,
    I31 = 5,
    Struct = 6,
    Array = 7,
    None = 8,
    NoExtern = 9,
    NoFunc = 10,
    NoExn = 11,
}

impl Heap {
    const ALL: [Heap; 12] = {
        use Heap::*;
        [Extern, Func, Any, Exn, Eq, I31, Struct, Array, None, NoExtern, NoFunc, NoExn]
    };

    pub fn from_number(number: u32) -> Option<Heap> {
        Heap::ALL.get(number as usize).copied()
    }

    pub const fn kind(self) -> ValKind {
        match self {
            Heap::Extern | Heap::NoExtern => ValKind::ExternRef,
            Heap::Func | Heap::NoFunc => ValKind::FuncRef,
            Heap::Exn | Heap::NoExn => ValKind::ExnRef,
            _ => ValKind::AnyRef,
        }
    }

    /// Whether it has all references of its kind.
    const fn is_top(self) -> bool {
        (self as u8) < Heap::Eq as u8
    }

    pub fn name(self) -> &'static str {
        match self {
            Heap::Extern => "extern",
            Heap::Func => "func",
            Heap::Any => "any",
            Heap::Exn => "exn",
            Heap::Eq => "eq",
            Heap::I31 => "i31",
            Heap::Struct => "struct",
            Heap::Array => "array",
            Heap::None => "none",
            Heap::NoExtern => "noextern",
            Heap::NoFunc => "nofunc",
            Heap::NoExn => "noexn",
        }
    }
}

/// The identity of a type that a module defines: among the types that an engine knows, or, as long as no engine has said
/// which it is, the index in its module.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Defined {
    /// The engine's number, see [`Defined::new_engine`]; 0 for an index in a module.
    pub engine: u64,
    pub index: u32,
}

impl Defined {
    /// Returns a number for an engine that has types of its own.
    pub fn new_engine() -> u64 {
        static LAST: AtomicU64 = AtomicU64::new(0);
        LAST.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// A description of a value type. It never changes, so all users of a type share one description, which is never freed:
/// C may keep it.
#[derive(Debug)]
pub struct ValTypeInfo {
    pub kind: ValKind,
    /// False for `(ref ...)`, of which null is not a value.
    pub nullable: bool,
    /// False if the type is narrower than its kind, as `(ref $type)` is. Then only the engine can tell whether
    /// something is a value of it.
    pub exact: bool,
    /// For a reference. If the type is a module's own, the narrowest one that it is part of.
    pub heap: Option<Heap>,
    /// For a type that a module defines.
    pub defined: Option<Defined>,
    /// What the module's type is, in WebAssembly's text.
    text: &'static str,
}

/// A value type: a pointer that can be copied and is never released.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct ValType(&'static ValTypeInfo);

impl ValType {
    pub fn new(kind: ValKind) -> ValType {
        ValType(match kind {
            ValKind::ExternRef => &REFERENCES[Heap::Extern as usize][1],
            ValKind::FuncRef => &REFERENCES[Heap::Func as usize][1],
            ValKind::AnyRef => &REFERENCES[Heap::Any as usize][1],
            ValKind::ExnRef => &REFERENCES[Heap::Exn as usize][1],
            number => &NUMBERS[number as usize],
        })
    }

    pub fn reference(heap: Heap, nullable: bool) -> ValType {
        ValType(&REFERENCES[heap as usize][usize::from(nullable)])
    }

    /// Returns a type that a module defines. `text` describes it; it is only asked for the first time.
    pub fn defined(heap: Heap, nullable: bool, defined: Defined, text: impl FnOnce() -> String) -> ValType {
        type Key = (u64, u32, u8, bool);
        static KNOWN: RwLock<BTreeMap<Key, &'static ValTypeInfo>> = RwLock::new(BTreeMap::new());
        let key = (defined.engine, defined.index, heap as u8, nullable);
        // Usually it is known: threads that look at their types do not wait for each other.
        if let Some(known) = KNOWN.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return ValType(known);
        }
        ValType(KNOWN.write().unwrap_or_else(PoisonError::into_inner).entry(key).or_insert_with(|| {
            let text = text();
            let text = if text.is_empty() { "" } else { text.leak() };
            let ty = ValTypeInfo { exact: false, defined: Some(defined), text, ..ValTypeInfo::of(heap, nullable) };
            Box::leak(Box::new(ty))
        }))
    }

    /// The same type with or without null.
    pub fn with_null(self, nullable: bool) -> ValType {
        match (self.heap, self.defined) {
            (Some(heap), Some(defined)) => ValType::defined(heap, nullable, defined, || self.text.to_string()),
            (Some(heap), None) => ValType::reference(heap, nullable),
            _ => self,
        }
    }

    pub fn as_ptr(self) -> *const ValTypeInfo {
        self.0
    }

    /// The type that is described at an address which C has.
    pub fn of(info: &ValTypeInfo) -> ValType {
        // SAFETY: descriptions are never freed.
        ValType(unsafe { &*std::ptr::from_ref(info) })
    }

    /// Whether every engine has the type: a number, or all references of a kind of the standard.
    pub fn is_plain(self) -> bool {
        self.kind.is_number() || (self.exact && self.nullable && self.kind as u8 <= ValKind::FuncRef as u8)
    }
}

impl ValTypeInfo {
    const fn of(heap: Heap, nullable: bool) -> ValTypeInfo {
        ValTypeInfo { kind: heap.kind(), nullable, exact: heap.is_top(), heap: Some(heap), defined: None, text: "" }
    }

    const fn number(kind: ValKind) -> ValTypeInfo {
        ValTypeInfo { kind, nullable: true, exact: true, heap: None, defined: None, text: "" }
    }
}

/// By their kinds.
static NUMBERS: [ValTypeInfo; 5] = [
    ValTypeInfo::number(ValKind::I32),
    ValTypeInfo::number(ValKind::I64),
    ValTypeInfo::number(ValKind::F32),
    ValTypeInfo::number(ValKind::F64),
    ValTypeInfo::number(ValKind::V128),
];

/// The references that no module defines, without null and with it, by what they are.
static REFERENCES: [[ValTypeInfo; 2]; 12] = {
    let mut all = [const { [ValTypeInfo::of(Heap::Extern, false), ValTypeInfo::of(Heap::Extern, true)] }; 12];
    let mut position = 0;
    while position < all.len() {
        let heap = Heap::ALL[position];
        all[position] = [ValTypeInfo::of(heap, false), ValTypeInfo::of(heap, true)];
        position += 1;
    }
    all
};

impl Deref for ValType {
    type Target = ValTypeInfo;
    #[inline]
    fn deref(&self) -> &ValTypeInfo {
        self.0
    }
}

impl Eq for ValType {}

impl PartialEq for ValType {
    #[inline]
    fn eq(&self, other: &ValType) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl fmt::Display for ValType {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Some(heap) = self.heap else { return f.write_str(self.kind.name()) };
        let null = if self.nullable { "null " } else { "" };
        match (self.text, self.defined) {
            ("", Some(_)) => write!(f, "(ref {null}...: {})", self.kind.name()),
            (text, Some(_)) => write!(f, "(ref {null}{text})"),
            (_, None) if self.nullable && self.exact => f.write_str(self.kind.name()),
            (_, None) => write!(f, "(ref {null}{})", heap.name()),
        }
    }
}

impl fmt::Debug for ValType {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A list of value types, laid out as C's `wasm_valtype_vec_t`.
#[repr(C)]
pub struct ValTypes {
    size: usize,
    data: NonNull<ValType>,
}

// SAFETY: a list owns its memory and never changes, and its elements are references to statics.
unsafe impl Send for ValTypes {}
unsafe impl Sync for ValTypes {}

impl From<Vec<ValType>> for ValTypes {
    fn from(types: Vec<ValType>) -> ValTypes {
        let size = types.len();
        let data = NonNull::from(Box::leak(types.into_boxed_slice())).cast();
        ValTypes { size, data }
    }
}

impl Deref for ValTypes {
    type Target = [ValType];
    #[inline]
    fn deref(&self) -> &[ValType] {
        // SAFETY: `size` and `data` come from a boxed slice (see `from`), which this list owns.
        unsafe { std::slice::from_raw_parts(self.data.as_ptr(), self.size) }
    }
}

impl Drop for ValTypes {
    fn drop(&mut self) {
        let slice = std::ptr::slice_from_raw_parts_mut(self.data.as_ptr(), self.size);
        // SAFETY: `from` made these with `Box::leak`, and this list owns them and is dropped once.
        drop(unsafe { Box::from_raw(slice) });
    }
}

impl fmt::Display for ValTypes {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("(")?;
        for (position, ty) in self.iter().enumerate() {
            let separator = if position == 0 { "" } else { ", " };
            write!(f, "{separator}{ty}")?;
        }
        f.write_str(")")
    }
}

/// The signature of a function. Clones share it.
#[derive(Clone)]
pub struct FuncType(Arc<FuncTypeData>);

pub struct FuncTypeData {
    pub params: ValTypes,
    pub results: ValTypes,
    /// The kinds of the parameters and of the results, in arrays for the checks of every call.
    pub param_kinds: Box<[ValKind]>,
    pub result_kinds: Box<[ValKind]>,
    /// Whether all types are i32, i64, f32 or f64: then calls convert nothing and pass no references.
    pub numeric: bool,
    /// Whether all types are i32.
    pub only_i32: bool,
    /// Whether all types are [exact](ValTypeInfo::exact), and the type is the only one with these.
    pub exact: bool,
    /// For a type that a module defines, if it is not the one that its parameters and results alone make.
    pub defined: Option<Defined>,
}

impl FuncType {
    pub fn new(params: impl Into<ValTypes>, results: impl Into<ValTypes>) -> FuncType {
        FuncType::defined(params, results, None)
    }

    pub fn defined(params: impl Into<ValTypes>, results: impl Into<ValTypes>, defined: Option<Defined>) -> FuncType {
        let (params, results) = (params.into(), results.into());
        let all = |test: fn(&ValType) -> bool| params.iter().chain(results.iter()).all(test);
        let numeric = all(|ty| ty.kind.is_number());
        let only_i32 = all(|ty| ty.kind == ValKind::I32);
        let exact = all(|ty| ty.exact) && defined.is_none();
        let kinds = |types: &[ValType]| types.iter().map(|ty| ty.kind).collect();
        let (param_kinds, result_kinds) = (kinds(&params), kinds(&results));
        FuncType(Arc::new(FuncTypeData {
            params,
            results,
            param_kinds,
            result_kinds,
            numeric,
            only_i32,
            exact,
            defined,
        }))
    }

    /// The types of the parameters and of the results.
    pub fn types(&self) -> impl Iterator<Item = ValType> {
        self.params.iter().chain(self.results.iter()).copied()
    }

    /// Returns the first type that `wasm_val_t` cannot carry, if there is one.
    pub fn uncarried(&self) -> Option<ValType> {
        self.types().find(|ty| ty.kind == ValKind::V128)
    }
}

impl Deref for FuncType {
    type Target = FuncTypeData;
    #[inline]
    fn deref(&self) -> &FuncTypeData {
        &self.0
    }
}

impl PartialEq for FuncType {
    fn eq(&self, other: &FuncType) -> bool {
        let same = || *self.params == *other.params && *self.results == *other.results && self.defined == other.defined;
        Arc::ptr_eq(&self.0, &other.0) || same()
    }
}

impl fmt::Display for FuncType {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} -> {}", self.params, self.results)
    }
}

/// Limits of a size: of a table in elements, of a memory in pages.
///
/// Sizes beyond 32 bits, which 64-bit tables and memories may have, are reported as 0xffffffff.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct Limits32 {
    /// The smallest size.
    pub min: u32,
    /// The largest size; `wasm_limits_max_default` if there is none.
    pub max: u32,
}

impl Limits32 {
    pub(crate) const NO_MAX: u32 = u32::MAX;

    pub fn max(&self) -> Option<u32> {
        (self.max != Limits32::NO_MAX).then_some(self.max)
    }
}

/// Limits of a size, as they are, and as C can look at them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    min: u64,
    max: Option<u64>,
    in_c: Limits32,
}

impl Limits {
    pub fn new(min: u64, max: Option<u64>) -> Limits {
        let in_c = Limits32 { min: saturate(min), max: max.map_or(Limits32::NO_MAX, saturate) };
        Limits { min, max, in_c }
    }

    pub fn min(&self) -> u64 {
        self.min
    }

    pub fn max(&self) -> Option<u64> {
        self.max
    }

    pub fn in_c(&self) -> &Limits32 {
        &self.in_c
    }

    /// The same with another minimum: the current size of something that has grown.
    pub fn from(&self, min: u64) -> Limits {
        Limits::new(min, self.max)
    }

    /// Whether something with these limits may be used where `expected` is required.
    pub fn fit(&self, expected: &Limits) -> bool {
        let within = |most| self.max.is_some_and(|max| max <= most);
        self.min >= expected.min && expected.max.is_none_or(within)
    }
}

/// A size as C has it that knows 32 bits only.
pub fn saturate(size: u64) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

impl From<Limits32> for Limits {
    fn from(limits: Limits32) -> Limits {
        Limits::new(limits.min.into(), limits.max().map(u64::from))
    }
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.max {
            Some(max) => write!(f, "{} to {max}", self.min),
            None => write!(f, "{} or more", self.min),
        }
    }
}

#[derive(Clone, PartialEq)]
pub struct GlobalType {
    pub content: ValType,
    pub mutable: bool,
}

#[derive(Clone, PartialEq)]
pub struct TableType {
    pub element: ValType,
    pub limits: Limits,
    /// Has 64-bit indices (the memory64 proposal).
    pub is_64_bit: bool,
}

#[derive(Clone, PartialEq)]
pub struct MemoryType {
    pub limits: Limits,
    /// Has 64-bit addresses (the memory64 proposal).
    pub is_64_bit: bool,
    /// Shared between threads (the threads proposal).
    pub shared: bool,
    /// The size of a page in bytes, as a power of two. 16, unless the custom-page-sizes proposal is used.
    pub page_size_log2: u8,
}

impl MemoryType {
    pub fn new(limits: Limits) -> MemoryType {
        MemoryType { limits, is_64_bit: false, shared: false, page_size_log2: 16 }
    }

    /// How many bytes such a memory may grow by without the store that made it seeing that: any store that shares it may
    /// grow it. So it counts as if it had its largest size from the beginning.
    pub fn room_to_grow_unseen(&self) -> u64 {
        let pages = self.limits.max().unwrap_or(self.limits.min()).saturating_sub(self.limits.min());
        if self.shared { pages.saturating_mul(1 << self.page_size_log2) } else { 0 }
    }

    pub fn minimum_bytes(&self) -> u64 {
        self.limits.min().saturating_mul(1 << self.page_size_log2)
    }

    /// The proposals that such a memory needs.
    pub fn proposals(&self) -> impl Iterator<Item = Proposal> {
        let needed = [
            (self.is_64_bit, Proposal::Memory64),
            (self.shared, Proposal::Threads),
            (self.page_size_log2 != 16, Proposal::CustomPageSizes),
        ];
        needed.into_iter().filter_map(|(needed, proposal)| needed.then_some(proposal))
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum ExternKind {
    Func = 0,
    Global = 1,
    Table = 2,
    Memory = 3,
    Tag = 4,
}

impl ExternKind {
    pub fn name(self) -> &'static str {
        match self {
            ExternKind::Func => "function",
            ExternKind::Global => "global",
            ExternKind::Table => "table",
            ExternKind::Memory => "memory",
            ExternKind::Tag => "tag",
        }
    }
}

#[derive(Clone)]
pub enum ExternType {
    Func(FuncType),
    Global(GlobalType),
    Table(TableType),
    Memory(MemoryType),
    /// Always contains an `ExternType::Func`, because the C API returns it as a function type.
    Tag(Box<ExternType>),
}

impl ExternType {
    pub fn tag(ty: FuncType) -> ExternType {
        ExternType::Tag(Box::new(ExternType::Func(ty)))
    }

    pub fn kind(&self) -> ExternKind {
        match self {
            ExternType::Func(_) => ExternKind::Func,
            ExternType::Global(_) => ExternKind::Global,
            ExternType::Table(_) => ExternKind::Table,
            ExternType::Memory(_) => ExternKind::Memory,
            ExternType::Tag(_) => ExternKind::Tag,
        }
    }

    /// Whether the type says all, so that it is the same in every engine.
    pub fn is_exact(&self) -> bool {
        match self {
            ExternType::Func(ty) => ty.exact,
            ExternType::Global(ty) => ty.content.exact,
            ExternType::Table(ty) => ty.element.exact,
            ExternType::Memory(_) => true,
            ExternType::Tag(ty) => ty.is_exact(),
        }
    }

    /// Whether something of this type may be imported where `expected` is required; `None` if only the engine can
    /// tell.
    pub fn matches(&self, expected: &ExternType) -> Option<bool> {
        let inexact = |given: bool, expected: bool| !(given && expected);
        Some(match (self, expected) {
            (ExternType::Func(given), ExternType::Func(expected)) => {
                if inexact(given.exact, expected.exact) {
                    return None;
                }
                given == expected
            }
            (ExternType::Global(given), ExternType::Global(expected)) => {
                let (content, wanted) = (given.content, expected.content);
                if inexact(content.exact, wanted.exact) {
                    return None;
                }
                let subtype = content == wanted || (!given.mutable && content.kind == wanted.kind && wanted.nullable);
                given.mutable == expected.mutable && subtype
            }
            (ExternType::Table(given), ExternType::Table(expected)) => {
                if inexact(given.element.exact, expected.element.exact) {
                    return None;
                }
                given.element == expected.element
                    && given.is_64_bit == expected.is_64_bit
                    && given.limits.fit(&expected.limits)
            }
            (ExternType::Memory(given), ExternType::Memory(expected)) => {
                (given.is_64_bit, given.shared, given.page_size_log2)
                    == (expected.is_64_bit, expected.shared, expected.page_size_log2)
                    && given.limits.fit(&expected.limits)
            }
            (ExternType::Tag(given), ExternType::Tag(expected)) => return given.matches(expected),
            _ => false,
        })
    }
}

impl fmt::Display for ExternType {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            ExternType::Func(ty) => write!(f, "function {ty}"),
            ExternType::Global(ty) => {
                write!(f, "{} global {}", if ty.mutable { "mutable" } else { "constant" }, ty.content)
            }
            ExternType::Table(ty) => {
                let wide = if ty.is_64_bit { "64-bit " } else { "" };
                write!(f, "{wide}table of {}, {} elements", ty.element, ty.limits)
            }
            ExternType::Memory(ty) => {
                let wide = if ty.is_64_bit { "64-bit " } else { "" };
                let shared = if ty.shared { "shared " } else { "" };
                write!(f, "{wide}{shared}memory, {} pages", ty.limits)?;
                match ty.page_size_log2 {
                    16 => Ok(()),
                    log2 => write!(f, " of {} bytes", 1u64 << log2),
                }
            }
            ExternType::Tag(ty) => match &**ty {
                ExternType::Func(ty) => write!(f, "tag {}", ty.params),
                other => write!(f, "tag of {other}"),
            },
        }
    }
}
