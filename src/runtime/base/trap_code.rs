//! The reasons for which WebAssembly traps.

/// Why WebAssembly trapped by itself, in the words of the specification, or was stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TrapCode {
    Unreachable,
    MemoryOutOfBounds,
    TableOutOfBounds,
    UndefinedElement,
    UninitializedElement,
    IndirectCallTypeMismatch,
    IntegerDivideByZero,
    IntegerOverflow,
    InvalidConversion,
    StackExhausted,
    UnalignedAtomic,
    NullReference,
    NullFunctionReference,
    NullI31Reference,
    NullStructureReference,
    NullArrayReference,
    ArrayOutOfBounds,
    CastFailure,
    UncaughtException,
    OutOfFuel,
    Timeout,
    Interrupted,
    MemoryLimit,
    TableLimit,
}

impl TrapCode {
    pub fn message(self) -> &'static str {
        match self {
            TrapCode::Unreachable => "unreachable",
            TrapCode::MemoryOutOfBounds => "out of bounds memory access",
            TrapCode::TableOutOfBounds => "out of bounds table access",
            TrapCode::UndefinedElement => "undefined element",
            TrapCode::UninitializedElement => "uninitialized element",
            TrapCode::IndirectCallTypeMismatch => "indirect call type mismatch",
            TrapCode::IntegerDivideByZero => "integer divide by zero",
            TrapCode::IntegerOverflow => "integer overflow",
            TrapCode::InvalidConversion => "invalid conversion to integer",
            TrapCode::StackExhausted => "call stack exhausted",
            TrapCode::UnalignedAtomic => "unaligned atomic",
            TrapCode::NullReference => "null reference",
            TrapCode::NullFunctionReference => "null function reference",
            TrapCode::NullI31Reference => "null i31 reference",
            TrapCode::NullStructureReference => "null structure reference",
            TrapCode::NullArrayReference => "null array reference",
            TrapCode::ArrayOutOfBounds => "out of bounds array access",
            TrapCode::CastFailure => "cast failure",
            TrapCode::UncaughtException => "unhandled exception",
            TrapCode::OutOfFuel => "all fuel consumed",
            TrapCode::Timeout => "timed out",
            TrapCode::Interrupted => "interrupted",
            TrapCode::MemoryLimit => "memory limit exceeded",
            TrapCode::TableLimit => "table limit exceeded",
        }
    }
}
