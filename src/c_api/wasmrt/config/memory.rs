//! Configuration: stack and memories

use super::set;
use crate::c_api::wasm::config::wasm_config_t;
use crate::runtime::base::error::Error;
use crate::runtime::base::options::Setting;
use crate::runtime::core::config::stack_size;

/// Sets the maximum size of WebAssembly's stack in bytes, from 1 to 1 GiB. A call beyond it traps
/// with `WASMRT_TRAP_STACK_EXHAUSTED`. Environment: `WASMRT_MAX_WASM_STACK`.
///
/// On wasmtime, where the default is 524,288, it is part of the calling thread's stack, and guests
/// that call each other through host functions share it. The last 128 KiB of the thread's stack, or
/// half of a small one, are always left to the host and the engine. A size that does not fit into
/// the system's limit for stacks (`ulimit -s`) is refused.
///
/// On wasmi, where the default is 1,000,000, the interpreter has a stack of its own. One call may
/// be nested for each 1000 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_config_set_max_wasm_stack(config: Option<&mut wasm_config_t>, bytes: usize) -> bool {
    set("wasmrt_config_set_max_wasm_stack", config, Setting::MaxWasmStack, |config| {
        config.options.max_wasm_stack = Some(stack_size(bytes).map_err(Error::misuse)?);
        Ok(())
    })
}

/// Sets the address space reserved for each memory, in bytes. Environment:
/// `WASMRT_MEMORY_RESERVATION`. Not supported by wasmi.
///
/// A memory that outgrows its reservation moves. The default on 64-bit machines is 4 GiB, where
/// memories never move and the fewest bounds checks are needed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_config_set_memory_reservation(config: Option<&mut wasm_config_t>, bytes: u64) -> bool {
    set("wasmrt_config_set_memory_reservation", config, Setting::MemoryReservation, |config| {
        config.options.memory_reservation = Some(bytes);
        Ok(())
    })
}

/// Sets the size of the inaccessible address space after each memory, in bytes. A larger one saves
/// bounds checks. The default on 64-bit machines is 32 MiB. Not supported by wasmi.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_config_set_memory_guard_size(config: Option<&mut wasm_config_t>, bytes: u64) -> bool {
    set("wasmrt_config_set_memory_guard_size", config, Setting::MemoryGuard, |config| {
        config.options.memory_guard = Some(bytes);
        Ok(())
    })
}

/// Sets whether memories start as copy-on-write images of a module's data, where the operating
/// system can do that. On by default on wasmtime; cannot be turned on on wasmi.
///
/// Images take a file descriptor for each memory with data, as long as the module or an instance of
/// it exists. When fewer than a quarter of the descriptors that the process may have are free,
/// modules are compiled without images, and each instance copies the data. A serialized module
/// keeps what it was compiled with.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_config_set_memory_copy_on_write(
    config: Option<&mut wasm_config_t>,
    enabled: bool,
) -> bool {
    set("wasmrt_config_set_memory_copy_on_write", config, Setting::CopyOnWrite, |config| {
        config.options.copy_on_write = Some(enabled);
        Ok(())
    })
}
