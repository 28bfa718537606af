//! Whether an engine works: it compiles a small module, instantiates it and calls it. Settings that engines accept one by one, and
//! together, may leave nothing that runs; that is better said when the engine is made than by every module.

use super::engine::Engine;
use super::instance::instantiate;
use super::module::Module;
use super::object::{Handle, Object};
use super::store::{Store, StoreHandle};
use super::trap::{Cause, Trap};
use super::value::{Val, ValVec};
use crate::runtime::base::error::{Error, ErrorKind, Result};
use std::sync::Arc;

/// With a memory, a table, a segment for each, and two functions, the second of which calls the first through the table and is
/// exported; as a text in the test below. Uses nothing that a proposal has brought.
const MODULE: &[u8] = b"\0asm\x01\0\0\0\
    \x01\x05\x01\x60\x00\x01\x7f\
    \x03\x03\x02\x00\x00\
    \x04\x04\x01\x70\x00\x01\
    \x05\x03\x01\x00\x01\
    \x07\x05\x01\x01f\x00\x01\
    \x09\x07\x01\x00\x41\x00\x0b\x01\x00\
    \x0a\x11\x02\x07\x00\x41\x00\x2d\x00\x00\x0b\x07\x00\x41\x00\x11\x00\x00\x0b\
    \x0b\x07\x01\x00\x41\x00\x0b\x01\x2a";

/// What the exported function gives: the byte in the memory.
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
                "it fails by a defect of its own".into()
            }
            Some(trap) => String::from_utf8_lossy(&trap.message),
        };
        Error::new(ErrorKind::Unsupported, message)
    })
}

fn call(store: &StoreHandle, module: &Arc<Module>) -> Result<(), Handle> {
    let instance = instantiate(store, module, &[])?;
    let function = instance.as_instance().map(|body| body.export(&instance, 0));
    let mut answer = [Val::i32(0)];
    if let Some(function) = function {
        let mut results = ValVec::of(&answer);
        results.data = answer.as_mut_ptr();
        let function: &Object = &function;
        // SAFETY: the entry is this object's, and the vector valid.
        let trap = unsafe { (function.entry)(function, std::ptr::null(), &mut results) };
        // SAFETY: null, or an owned handle, given up here.
        if let Some(trap) = unsafe { trap.as_ref().map(|trap| Handle::from_raw(trap)) } {
            return Err(trap);
        }
    }
    // SAFETY: a number, of the type that the function has.
    if unsafe { answer[0].of.i32 } != ANSWER {
        return Err(store.error_trap(Error::new(ErrorKind::Internal, "a function gives a wrong result")));
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
