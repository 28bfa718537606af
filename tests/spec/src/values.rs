//! Values: arguments for C, and results against what a script expects.

use crate::adapter::{IS_ARRAY, IS_EQ, IS_I31, IS_NULL, IS_STRUCT};
use crate::c_api::*;
use wast::core::{NanPattern, V128Pattern, WastRetCore};
use wast::token::{F32, F64};

pub fn val32(kind: u8, bits: u32) -> wasm_val_t {
    // Both halves are defined, although the library reads the lower one only.
    wasm_val_t { kind, of: wasm_val_union { bits64: bits.into() } }
}

pub fn val64(kind: u8, bits: u64) -> wasm_val_t {
    wasm_val_t { kind, of: wasm_val_union { bits64: bits } }
}

pub fn reference(kind: u8, reference: *mut wasm_ref_t) -> wasm_val_t {
    wasm_val_t { kind, of: wasm_val_union { reference } }
}

/// A value that the library gave, whose reference is released when it is dropped.
pub struct Val(pub wasm_val_t);

impl Drop for Val {
    fn drop(&mut self) {
        // SAFETY: owned.
        unsafe { (api().wasm_val_delete)(&mut self.0) }
    }
}

/// A result, put together again from what an adapter made of it.
pub enum Actual {
    Value(Val),
    Vector(u128),
    /// The bits of [`crate::adapter`], and the host's reference that it is, if it is one.
    Classified(u32, Val),
    /// Whether it is null.
    Nullness(bool),
}

/// References of the host's, as scripts number them.
pub trait HostReferences {
    fn number(&self, reference: *mut wasm_ref_t) -> Option<u32>;
}

impl Actual {
    pub fn matches(&self, expected: &WastRetCore, host: &impl HostReferences) -> bool {
        if let WastRetCore::Either(choices) = expected {
            return choices.iter().any(|choice| self.matches(choice, host));
        }
        match self {
            Actual::Value(value) => value.matches(expected, host),
            Actual::Vector(bits) => match expected {
                WastRetCore::V128(pattern) => vector_matches(*bits, pattern),
                _ => false,
            },
            Actual::Nullness(null) => matches!(expected, WastRetCore::RefNull(_)) == *null,
            Actual::Classified(class, reference) => {
                let is = |bit| class & bit != 0;
                match expected {
                    WastRetCore::RefNull(_) => is(IS_NULL),
                    WastRetCore::RefAny | WastRetCore::RefExtern(None) => !is(IS_NULL),
                    WastRetCore::RefEq => is(IS_EQ),
                    WastRetCore::RefI31 => is(IS_I31),
                    WastRetCore::RefStruct => is(IS_STRUCT),
                    WastRetCore::RefArray => is(IS_ARRAY),
                    WastRetCore::RefHost(_) | WastRetCore::RefExtern(_) => reference.matches(expected, host),
                    _ => false,
                }
            }
        }
    }

    pub fn describe(&self, host: &impl HostReferences) -> String {
        match self {
            Actual::Value(value) => value.describe(host),
            Actual::Vector(bits) => format!("v128 {bits:#034x}"),
            Actual::Classified(class, reference) => {
                format!("reference of class {class:#07b} {}", reference.describe(host))
            }
            Actual::Nullness(true) => "null".to_string(),
            Actual::Nullness(false) => "not null".to_string(),
        }
    }
}

impl Val {
    fn bits32(&self) -> u32 {
        // SAFETY: any value's lower half is initialised, and made of plain bits.
        unsafe { self.0.of.bits32 }
    }

    fn bits64(&self) -> u64 {
        // SAFETY: as above; only called for kinds of 64 bits.
        unsafe { self.0.of.bits64 }
    }

    fn reference(&self) -> *mut wasm_ref_t {
        // SAFETY: only called for reference kinds.
        unsafe { self.0.of.reference }
    }

    fn matches(&self, expected: &WastRetCore, host: &impl HostReferences) -> bool {
        let kind = self.0.kind;
        match expected {
            WastRetCore::I32(value) => kind == WASM_I32 && self.bits32() == *value as u32,
            WastRetCore::I64(value) => kind == WASM_I64 && self.bits64() == *value as u64,
            WastRetCore::F32(pattern) => kind == WASM_F32 && f32_matches(self.bits32(), pattern),
            WastRetCore::F64(pattern) => kind == WASM_F64 && f64_matches(self.bits64(), pattern),
            WastRetCore::RefNull(_) => kind >= WASM_EXTERNREF && self.reference().is_null(),
            WastRetCore::RefExtern(None) => kind == WASM_EXTERNREF && !self.reference().is_null(),
            WastRetCore::RefExtern(Some(number)) | WastRetCore::RefHost(number) => {
                kind == WASM_EXTERNREF && host.number(self.reference()) == Some(*number)
            }
            // SAFETY: a reference that the library gave.
            WastRetCore::RefFunc(_) => unsafe {
                kind == WASM_FUNCREF
                    && !self.reference().is_null()
                    && !(api().wasm_ref_as_func)(self.reference()).is_null()
            },
            _ => false,
        }
    }

    fn describe(&self, host: &impl HostReferences) -> String {
        match self.0.kind {
            WASM_I32 => format!("i32 {:#x}", self.bits32()),
            WASM_I64 => format!("i64 {:#x}", self.bits64()),
            WASM_F32 => format!("f32 {} ({:#x})", f32::from_bits(self.bits32()), self.bits32()),
            WASM_F64 => format!("f64 {} ({:#x})", f64::from_bits(self.bits64()), self.bits64()),
            kind if kind >= WASM_EXTERNREF => match (self.reference().is_null(), host.number(self.reference())) {
                (true, _) => format!("null of kind {kind}"),
                (false, Some(number)) => format!("reference of kind {kind} to the host's object {number}"),
                (false, None) => format!("reference of kind {kind}"),
            },
            kind => format!("a value of kind {kind}"),
        }
    }
}

fn f32_matches(bits: u32, pattern: &NanPattern<F32>) -> bool {
    match pattern {
        NanPattern::CanonicalNan => bits & 0x7fff_ffff == 0x7fc0_0000,
        NanPattern::ArithmeticNan => bits & 0x7fc0_0000 == 0x7fc0_0000,
        NanPattern::Value(value) => bits == value.bits,
    }
}

fn f64_matches(bits: u64, pattern: &NanPattern<F64>) -> bool {
    match pattern {
        NanPattern::CanonicalNan => bits & 0x7fff_ffff_ffff_ffff == 0x7ff8_0000_0000_0000,
        NanPattern::ArithmeticNan => bits & 0x7ff8_0000_0000_0000 == 0x7ff8_0000_0000_0000,
        NanPattern::Value(value) => bits == value.bits,
    }
}

fn vector_matches(bits: u128, pattern: &V128Pattern) -> bool {
    let lane = |index: usize, width: u32| (bits >> (index as u32 * width)) as u64 & (u64::MAX >> (64 - width));
    match pattern {
        V128Pattern::I8x16(lanes) => lanes.iter().enumerate().all(|(i, value)| lane(i, 8) == u64::from(*value as u8)),
        V128Pattern::I16x8(lanes) => lanes.iter().enumerate().all(|(i, value)| lane(i, 16) == u64::from(*value as u16)),
        V128Pattern::I32x4(lanes) => lanes.iter().enumerate().all(|(i, value)| lane(i, 32) == u64::from(*value as u32)),
        V128Pattern::I64x2(lanes) => lanes.iter().enumerate().all(|(i, value)| lane(i, 64) == *value as u64),
        V128Pattern::F32x4(lanes) => lanes.iter().enumerate().all(|(i, value)| f32_matches(lane(i, 32) as u32, value)),
        V128Pattern::F64x2(lanes) => lanes.iter().enumerate().all(|(i, value)| f64_matches(lane(i, 64), value)),
    }
}
