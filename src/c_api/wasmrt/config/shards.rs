//! Configuration: shards

use super::change;
use crate::c_api::wasm::config::wasm_config_t;
use crate::runtime::base::error::Error;
use crate::runtime::core::config::shards;

/// Sets how many shards an engine may have, from 1 to 1024: so many threads can run guests on wasmi
/// at the same time without waiting for each other. By default as many as there are processors.
/// wasmtime needs no shards and never has more than one. Environment: `WASMRT_MAX_SHARDS`.
///
/// A shard is an interpreter of its own, in which modules are translated again. Another one is made
/// when a thread first makes something in a store while all shards have stores of other threads: so
/// there is only one while only one thread uses the engine. A module is translated in a shard when
/// it is first instantiated there, and that code stays until the engine is gone. With 1, each module
/// is translated once, and threads that call at the same time wait for each other.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_config_set_max_shards(config: Option<&mut wasm_config_t>, max: u32) -> bool {
    change("wasmrt_config_set_max_shards", config, |config| {
        config.options.max_shards = Some(shards(max).map_err(Error::misuse)?);
        Ok(())
    })
}
