//! The instances in which the frames of a trap are.

use super::engine_traits::RawFrame;
use super::instance::Instance;
use super::object::Object;
use super::store::Store;
use super::trap::Frame;
use std::ptr::NonNull;

/// Finds the instance of each frame. An engine knows a frame's module. If the store has one instance of that module,
/// it is this one. If it has several, the calls from frame to frame decide: a function that is called by another one
/// of its module runs in the same instance, unless it may have been imported from another instance of the module; an
/// imported function runs in the instance that exported it. If that does not decide it either, the instance is left
/// out rather than guessed.
pub fn locate(store: &Store, raw: Vec<RawFrame>, outermost: Option<NonNull<Object>>) -> Vec<Frame> {
    let mut caller: Option<NonNull<Object>> = None;
    let mut frames: Vec<Frame> = Vec::with_capacity(raw.len());
    for (position, raw) in raw.into_iter().rev().enumerate() {
        let of_module = |object: &NonNull<Object>| is_instance_of(*object, raw.module);
        let instance = store.only_instance(raw.module).or_else(|| match caller {
            _ if position == 0 => outermost.filter(of_module),
            None => None,
            Some(caller) => {
                // SAFETY: the store retains its instances.
                let body = unsafe { caller.as_ref() }.as_instance()?;
                match (Some(caller).filter(of_module), imported_from(body, raw.func_index, raw.module)) {
                    (own, None) => own,
                    (None, Some(exporter)) => Some(exporter),
                    (Some(_), Some(_)) => None,
                }
            }
        });
        caller = instance;
        frames.push(Frame {
            instance,
            func_index: raw.func_index,
            func_offset: raw.func_offset,
            module_offset: raw.module_offset,
            func_name: raw.func_name,
            module_name: raw.module_name,
        });
    }
    frames.reverse();
    frames
}

fn is_instance_of(object: NonNull<Object>, module: usize) -> bool {
    // SAFETY: the store retains its instances.
    let instance = unsafe { object.as_ref() }.as_instance();
    instance.is_some_and(|instance| instance.module.inner.identity() == module)
}

/// Returns the instance of `module` from which `importer` imports the function with index `func_index` there, if it does.
fn imported_from(importer: &Instance, func_index: u32, module: usize) -> Option<NonNull<Object>> {
    importer.imports.iter().find_map(|import| {
        let (exporter, index) = import.as_func()?.origin()?;
        (index == func_index && is_instance_of(exporter, module)).then_some(exporter)
    })
}
