//! Tries whether an engine works: compiles a small module, instantiates it and calls it. Settings that an engine
//! accepts one by one, or even together, may leave it unable to run anything. It is better to report that when the
//! engine is made than for each module.

use super::engine::Engine;
use super::instance::instantiate;
use super::module::Module;
use super::object::{Handle, Object, Typed};
use super::store::{Store, StoreHandle};
use super::trap::{Cause, Trap};
use super::value::{Val, ValVec};
use crate::runtime::base::error::{Error, ErrorKind, Result};
use std::sync::Arc;

/// A module with a memory, a table, a segment for each, and two functions. The second function is exported and calls
/// the first one through the table. The test below has it as text. It uses nothing that a proposal has added to
/// WebAssembly.
const MODULE: &[u8] = b"\0asm\x01\0\0\0\
    \x01\x05\x01\x60\x00\x01\x7f\
    \x03\x03\x02\x00\x00\
    \x04\x04\x01\x70\x00\x01\
    \x05\x03\x01\x00\x01\
    \x07\x05\x01\x01f\x00\x01\
    \x09\x07\x01\x00\x41\x00\x0b\x01\x00\
    \x0a\x11\x02\x07\x00\x41\x00\x2d\x00\x00\x0b\x07\x00\x41\x00\x11\x00\x00\x0b\
    \x0b\x07\x01\x00\x41\x00\x0b\x01\x2a";

/// What the exported function returns: the byte in the memory.
const ANSWER: i32 = 42;

pub fn run(engine: &Arc<Engine>) -> Result<()> {
    let module = Module::compile_unbounded(engine, MODULE)?;
    if !engine.inner.runs_here() {
        return Ok(());
    }
    let store = Store::create(engine.clone())?;
    if engine.options.fuel {
        store.set_fuel(u64::MAX)?;
    }
    call(&store, &module).map_err(|trap| {
        let message = match trap.as_trap() {
            Some(Trap { cause: Cause::Error(ErrorKind::Internal), .. }) | None => {
                "an internal error occurred while it was tried".into()
            }
            Some(trap) => String::from_utf8_lossy(&trap.message),
        };
        Error::new(ErrorKind::Unsupported, message)
    })
}

fn call(store: &StoreHandle, module: &Arc<Module>) -> Result<(), Handle> {
    let instance = instantiate(store, module, &[])?;
    let function = Typed::of(&instance, Object::as_instance).map(|instance| instance.export(0));
    let mut answer = [Val::i32(0)];
    if let Some(function) = function {
        let mut results = ValVec::of(&answer);
        results.data = answer.as_mut_ptr();
        let function: &Object = &function;
        // SAFETY: the entry is this object's, the null vector stands for no arguments, and the other is valid.
        let trap = unsafe { (function.entry)(function, std::ptr::null(), &mut results) };
        // SAFETY: an entry returns null or an owned handle, which is given up here.
        if let Some(trap) = unsafe { trap.as_ref().map(|trap| Handle::from_raw(trap)) } {
            return Err(trap);
        }
    }
    // SAFETY: the function's result is an i32, and the array was initialised as one.
    if unsafe { answer[0].of.i32 } != ANSWER {
        return Err(store.error_trap(Error::new(ErrorKind::Internal, "a function returned a wrong result")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_is_what_it_should_be() {
        let text = "(module (memory 1) (table 1 funcref) (elem (i32.const 0) 0) (data (i32.const 0) \"*\")
            (func (result i32) (i32.load8_u (i32.const 0)))
            (func (export \"f\") (result i32) (call_indirect (result i32) (i32.const 0))))";
        assert_eq!(wat::parse_str(text).expect("valid text"), MODULE);
    }
}
