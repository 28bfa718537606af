//! Configuration: backend and compiler

use super::{change, set};
use crate::c_api::wasm::config::wasm_config_t;
use crate::c_api::wasmrt::{backend, static_text, value};
use crate::runtime::base::options::{Compiler, Optimization, Setting};
use std::ffi::c_char;

/// Chooses the backend by name. Environment: `WASMRT_BACKEND`. Default: the first backend.
///
/// A name that no backend has is that of a shared library with the functions of wasm.h: its path,
/// if there is a slash in it; "wamr", "wasmer" or "libwasmtime"; or NAME for a file libNAME.so in a
/// folder of the environment variable `WASMRT_ENGINE_PATH`. It is loaded now, for as long as the
/// process lives. Programs with the rights of another user or group ignore that variable, and
/// `WASMRT_BACKEND` where it names a library.
///
/// Returns false and sets the last error, which lists the backends there are or says what is wrong
/// with the library, if there is no such backend.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_config_set_backend(config: Option<&mut wasm_config_t>, name: *const c_char) -> bool {
    change("wasmrt_config_set_backend", config, |config| {
        // SAFETY: `name` is NULL or a string, which stays as it is during this call.
        config.set_backend(unsafe { backend::named(name) }?);
        Ok(())
    })
}

/// A value of `wasmrt_compiler_enum`.
pub type wasmrt_compiler_t = u32;

named_enum! {
    /// How modules are compiled.
    wasmrt_compiler_enum {
        /// The backend's default: Cranelift on wasmtime, eager on wasmi.
        WASMRT_COMPILER_DEFAULT = 0 c"default",
        /// wasmtime, and wasmer where it is loaded: optimised machine code.
        WASMRT_COMPILER_CRANELIFT = 1 c"cranelift",
        /// wasmtime: machine code in a single pass. Compiles several times faster than Cranelift; the
        /// code runs slower. Does not support references other than funcref, the proposals
        /// function-references, gc, exceptions, tail-call, wide-arithmetic and relaxed-simd, and much
        /// of simd.
        WASMRT_COMPILER_WINCH = 2 c"winch",
        /// wasmtime: portable bytecode for an interpreter, for hosts that do not allow machine code to
        /// be generated.
        WASMRT_COMPILER_PULLEY = 3 c"pulley",
        /// wasmi: validates and translates the whole module when it is made.
        WASMRT_COMPILER_EAGER = 4 c"eager",
        /// wasmi: validates the module when it is made, translates each function on its first call.
        /// Modules are made several times faster. For trusted modules only: a defect in wasmi's
        /// translator, which would otherwise fail `wasm_module_new`, ends the process. Not together
        /// with fuel or interruption.
        WASMRT_COMPILER_LAZY_TRANSLATION = 5 c"lazy-translation",
        /// wasmi: validates and translates each function on its first call; an invalid function traps
        /// then. Otherwise like lazy translation.
        WASMRT_COMPILER_LAZY = 6 c"lazy",
        /// wasmer, loaded: machine code that is optimised for long, where the library has LLVM.
        WASMRT_COMPILER_LLVM = 7 c"llvm",
        /// wasmer, loaded: machine code in a single pass, where the library has that compiler.
        WASMRT_COMPILER_SINGLEPASS = 8 c"singlepass",
    }
}

/// Chooses the compiler. Environment: `WASMRT_COMPILER`, with the name of a compiler.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_config_set_compiler(
    config: Option<&mut wasm_config_t>,
    compiler: wasmrt_compiler_t,
) -> bool {
    set("wasmrt_config_set_compiler", config, Setting::Compiler, |config| {
        config.options.compiler = choice(compiler, "wasmrt_compiler_enum", Compiler::from_number)?;
        Ok(())
    })
}

/// Returns the name of a compiler, such as "cranelift", or NULL if there is none of that number.
/// Static.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_compiler_name(compiler: wasmrt_compiler_t) -> *const c_char {
    static_text(wasmrt_compiler_enum::name_of(compiler))
}

/// A value of `wasmrt_optimization_enum`.
pub type wasmrt_optimization_t = u32;

/// What a compiler optimises for.
#[repr(C)]
pub enum wasmrt_optimization_enum {
    /// The backend's default: speed on wasmtime.
    WASMRT_OPTIMIZATION_DEFAULT = 0,
    /// No optimisation.
    WASMRT_OPTIMIZATION_NONE = 1,
    /// Fast code.
    WASMRT_OPTIMIZATION_SPEED = 2,
    /// Fast and small code.
    WASMRT_OPTIMIZATION_SPEED_AND_SIZE = 3,
}

/// Chooses what the compiler optimises for. Environment: `WASMRT_OPTIMIZATION`, one of none, speed,
/// speed-and-size. Not supported by wasmi and Winch.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_config_set_optimization(
    config: Option<&mut wasm_config_t>,
    optimization: wasmrt_optimization_t,
) -> bool {
    set("wasmrt_config_set_optimization", config, Setting::Optimization, |config| {
        config.options.optimization = choice(optimization, "wasmrt_optimization_enum", Optimization::from_number)?;
        Ok(())
    })
}

/// A choice by its number, where 0 leaves it to the backend.
fn choice<T>(
    number: u32,
    enumeration: &str,
    from_number: impl FnOnce(u32) -> Option<T>,
) -> crate::runtime::base::error::Result<Option<T>> {
    if number == 0 {
        return Ok(None);
    }
    value(number, enumeration, from_number).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compilers_have_the_names_that_the_environment_has() {
        for compiler in Compiler::all() {
            let name = wasmrt_compiler_enum::name_of(compiler as u32).expect("every compiler has a name");
            assert_eq!(name.to_str(), Ok(compiler.name()));
        }
    }
}
