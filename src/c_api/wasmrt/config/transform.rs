//! Configuration: modules changed on their way in

use super::change;
use crate::c_api::families::vector::Vector;
use crate::c_api::ffi::null;
use crate::c_api::wasm::byte::wasm_byte_vec_t;
use crate::c_api::wasm::config::wasm_config_t;
use crate::c_api::wasm::trap::wasm_message_t;
use crate::runtime::base::error::{Error, ErrorKind};
use crate::runtime::base::host_data::HostData;
use std::ffi::c_void;

/// Makes another module of `binary`.
///
/// Returns true and sets `*out` to the new binary, own, which must not share memory with `binary`;
/// or leaves `*out` empty to keep the module as it is. Or returns false and may set `*message` to
/// the reason, own. Both are empty at first, and the library deletes them, whatever the answer.
///
/// It runs on the thread that makes the module, possibly on several threads at once. It may call
/// the library.
pub type wasmrt_transform_callback_t = Option<
    unsafe extern "C" fn(
        env: *mut c_void,
        binary: *const wasm_byte_vec_t,
        out: *mut wasm_byte_vec_t,
        message: *mut wasm_message_t,
    ) -> bool,
>;

/// Adds a function that changes each module before it is validated and compiled: to instrument it,
/// to strip it, or to translate it from another form. Several are called in the order in which they
/// were added, each with the result of the one before.
///
/// The engine sees the last result only: that is what is validated, compiled, cached, reflected and
/// serialized, and what the offsets in errors and traps refer to. If the callback fails, so does
/// making the module, with an error of kind `WASMRT_ERROR_COMPILE`; what is refused afterwards
/// fails with its usual error, whose message says that the module was changed.
/// `wasm_module_validate` and `wasmrt_module_precompile` call it as well; `wasm_module_deserialize`
/// does not. The first function may get any bytes at all, not only modules.
///
/// `finalizer`, unless NULL, is called once with `env` when the configuration and the engine made
/// of it are gone; at once if this fails.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_config_push_transform(
    config: Option<&mut wasm_config_t>,
    callback: wasmrt_transform_callback_t,
    env: *mut c_void,
    finalizer: Option<unsafe extern "C" fn(env: *mut c_void)>,
) -> bool {
    let env = HostData { pointer: env, finalizer };
    change("wasmrt_config_push_transform", config, |config| {
        let callback = callback.ok_or_else(|| null("a callback"))?;
        let env = Shared(env);
        config.transforms.push(Box::new(move |binary| {
            let (mut out, mut message) = (wasm_byte_vec_t::empty(), wasm_byte_vec_t::empty());
            let binary = wasm_byte_vec_t::lent(binary);
            // SAFETY: C passed the callback together with this environment, for any thread. The vectors are valid.
            let made = unsafe { callback(env.get(), &binary, &mut out, &mut message) };
            // SAFETY: C has given up what it wrote to these.
            let (out, message) = unsafe { (Vector::take(&mut out), Vector::take(&mut message)) };
            if !made {
                let reason = String::from_utf8_lossy(message.bytes().strip_suffix(b"\0").unwrap_or(message.bytes()));
                let reason = if reason.is_empty() { "it gave no reason".into() } else { reason };
                return Err(Error::new(ErrorKind::Compile, format!("the host's transformation failed: {reason}")));
            }
            Ok((!out.bytes().is_empty()).then(|| out.bytes().to_vec()))
        }));
        Ok(())
    })
}

/// An environment of C's that is used from several threads.
struct Shared(HostData);

// SAFETY: the documentation of the callback says that it runs on any thread, several at once.
unsafe impl Send for Shared {}
unsafe impl Sync for Shared {}

impl Shared {
    fn get(&self) -> *mut c_void {
        self.0.pointer
    }
}
