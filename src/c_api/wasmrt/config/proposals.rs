//! Configuration: proposals
//!
//! A proposal is an extension of WebAssembly; many have become part of the standard. What a backend
//! supports is on by default unless its comment says otherwise. `wasmrt_backend_supports_proposal`
//! tells what that is.

use super::change;
use crate::c_api::answer;
use crate::c_api::wasm::config::wasm_config_t;
use crate::c_api::wasmrt::{backend, static_text, value};
use crate::runtime::base::error::Result;
use crate::runtime::base::options::Proposal;
use std::ffi::c_char;

/// A value of `wasmrt_proposal_enum`.
pub type wasmrt_proposal_t = u32;

named_enum! {
    /// Proposals.
    wasmrt_proposal_enum {
        WASMRT_PROPOSAL_MUTABLE_GLOBAL = 1 c"mutable-global",
        WASMRT_PROPOSAL_SIGN_EXTENSION = 2 c"sign-extension",
        WASMRT_PROPOSAL_SATURATING_FLOAT_TO_INT = 3 c"saturating-float-to-int",
        WASMRT_PROPOSAL_MULTI_VALUE = 4 c"multi-value",
        WASMRT_PROPOSAL_BULK_MEMORY = 5 c"bulk-memory",
        WASMRT_PROPOSAL_REFERENCE_TYPES = 6 c"reference-types",
        /// On wasmtime it can be turned off only together with relaxed-simd.
        WASMRT_PROPOSAL_SIMD = 7 c"simd",
        /// Not supported by Winch.
        WASMRT_PROPOSAL_RELAXED_SIMD = 8 c"relaxed-simd",
        /// Not supported by Winch.
        WASMRT_PROPOSAL_TAIL_CALL = 9 c"tail-call",
        WASMRT_PROPOSAL_EXTENDED_CONST = 10 c"extended-const",
        WASMRT_PROPOSAL_MULTI_MEMORY = 11 c"multi-memory",
        WASMRT_PROPOSAL_MEMORY64 = 12 c"memory64",
        /// Not supported by wasmi and Winch.
        WASMRT_PROPOSAL_FUNCTION_REFERENCES = 13 c"function-references",
        /// Not supported by wasmi and Winch.
        WASMRT_PROPOSAL_GC = 14 c"gc",
        /// Not supported by wasmi and Winch.
        WASMRT_PROPOSAL_EXCEPTIONS = 15 c"exceptions",
        /// Not supported by Winch.
        WASMRT_PROPOSAL_WIDE_ARITHMETIC = 16 c"wide-arithmetic",
        /// Off by default.
        WASMRT_PROPOSAL_CUSTOM_PAGE_SIZES = 17 c"custom-page-sizes",
        /// Atomic instructions and shared memories. Not supported by wasmi and Pulley. A pool has no room
        /// for shared memories that modules define.
        WASMRT_PROPOSAL_THREADS = 18 c"threads",
    }
}

/// Turns a proposal on or off. A module that uses a proposal that is off is invalid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_config_set_proposal(
    config: Option<&mut wasm_config_t>,
    proposal: wasmrt_proposal_t,
    enabled: bool,
) -> bool {
    change("wasmrt_config_set_proposal", config, |config| {
        config.options.set_proposal(self::proposal(proposal)?, enabled);
        Ok(())
    })
}

/// Returns whether a backend can run modules that use a proposal, with at least one of its
/// compilers. Returns false and sets the last error if there is no such backend or proposal.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_backend_supports_proposal(name: *const c_char, proposal: wasmrt_proposal_t) -> bool {
    answer("wasmrt_backend_supports_proposal", false, || {
        // SAFETY: `name` is NULL or a string, which stays as it is during this call.
        let backend = unsafe { backend::named(name) }?;
        Ok(backend.has(self::proposal(proposal)?))
    })
}

/// Returns the name of a proposal, such as "bulk-memory", or NULL if there is none of that number.
/// Static.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_proposal_name(proposal: wasmrt_proposal_t) -> *const c_char {
    static_text(wasmrt_proposal_enum::name_of(proposal))
}

pub fn proposal(number: u32) -> Result<Proposal> {
    value(number, "wasmrt_proposal_enum", Proposal::from_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proposals_have_the_names_that_messages_have() {
        for proposal in Proposal::all() {
            let name = wasmrt_proposal_enum::name_of(proposal as u32).expect("every proposal has a name");
            assert_eq!(name.to_str(), Ok(proposal.name()));
        }
    }
}
