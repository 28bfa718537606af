//! wasmtime: unchecked calls, host functions of a Rust signature, instances prepared once.

use crate::*;
use std::hint::black_box;
use wasmtime::{Caller, Engine, Func, Instance, Linker, Module, Store, Val, ValRaw};

struct Objects {
    store: Store<()>,
    instance: Instance,
}

fn objects(text: &str, import: Option<fn(&mut Store<()>) -> Func>) -> Objects {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let module = Module::new(&engine, crate::module(text)).unwrap();
    let imports: Vec<_> = import.iter().map(|import| import(&mut store).into()).collect();
    let instance = Instance::new(&mut store, &module, &imports).unwrap();
    Objects { store, instance }
}

/// Calls, with room for `ROOM` arguments or results.
fn call<const ROOM: usize>(text: &str, arguments: fn(u64) -> [ValRaw; ROOM]) -> Floor {
    let Objects { mut store, instance } = objects(text, None);
    let function = instance.get_func(&mut store, "f").unwrap();
    Box::new(move |count| {
        for i in 0..count {
            let mut values = arguments(i);
            // SAFETY: the values are those of the function's type.
            unsafe { function.call_unchecked(&mut store, &mut values) }.unwrap();
            black_box(&values);
        }
    })
}

fn callback(text: &str, import: fn(&mut Store<()>) -> Func) -> Floor {
    let Objects { mut store, instance } = objects(text, Some(import));
    let function = instance.get_typed_func::<i32, ()>(&mut store, "f").unwrap();
    Box::new(move |count| function.call(&mut store, count as i32).unwrap())
}

fn instances(text: &str, imports: u64, of_a_store: u64) -> Floor {
    let engine = Engine::default();
    let module = Module::new(&engine, crate::module(text)).unwrap();
    let mut linker = Linker::new(&engine);
    for i in 0..imports {
        linker.func_wrap("host", &format!("import_{i}"), || {}).unwrap();
    }
    let prepared = linker.instantiate_pre(&module).unwrap();
    Box::new(move |count| {
        for first in (0..count).step_by(of_a_store as usize) {
            let mut store = Store::new(&engine, ());
            for _ in first..count.min(first + of_a_store) {
                prepared.instantiate(&mut store).unwrap();
            }
        }
    })
}

pub fn prepare(row: &str, parameter: u64) -> Option<Floor> {
    Some(match row {
        "call_nothing" => call::<0>(CALL_NOTHING, |_| []),
        "call_i32" => call(CALL_I32, |i| [ValRaw::i32(i as i32)]),
        "call_mixed" => call(CALL_MIXED, |i| {
            [ValRaw::i32(i as i32), ValRaw::i64(i as i64), ValRaw::f32(1.5f32.to_bits()), ValRaw::f64(2.5f64.to_bits())]
        }),
        "call_pair" => call(CALL_PAIR, |_| [ValRaw::i32(0), ValRaw::i64(0)]),
        "callback_nothing" => callback(CALLBACK_NOTHING, |store| Func::wrap(store, |_: Caller<'_, ()>| {})),
        "callback_i32" => callback(CALLBACK_I32, |store| Func::wrap(store, |_: Caller<'_, ()>, n: i32| n.wrapping_add(1))),
        "global_get" | "global_set" | "memory_data" | "table_get" | "table_set" => {
            let Objects { mut store, instance } = objects(OBJECTS, None);
            let global = instance.get_global(&mut store, "global").unwrap();
            let memory = instance.get_memory(&mut store, "memory").unwrap();
            let table = instance.get_table(&mut store, "table").unwrap();
            match row {
                "global_get" => Box::new(move |count| {
                    for _ in 0..count {
                        black_box(global.get(&mut store));
                    }
                }),
                "global_set" => Box::new(move |count| {
                    for i in 0..count {
                        global.set(&mut store, Val::I32(i as i32)).unwrap();
                    }
                }),
                "memory_data" => Box::new(move |count| {
                    for _ in 0..count {
                        black_box((memory.data_ptr(&store), memory.data_size(&store)));
                    }
                }),
                "table_get" => Box::new(move |count| {
                    for _ in 0..count {
                        black_box(table.get(&mut store, 3));
                    }
                }),
                _ => {
                    let reference = table.get(&mut store, 0).unwrap();
                    Box::new(move |count| {
                        for _ in 0..count {
                            table.set(&mut store, 4, reference.clone()).unwrap();
                        }
                    })
                }
            }
        }
        "store" => {
            let engine = Engine::default();
            Box::new(move |count| (0..count).for_each(|_| drop(black_box(Store::new(&engine, ())))))
        }
        "engine" => Box::new(|count| (0..count).for_each(|_| drop(black_box(Engine::default())))),
        "instance" => instances(CALL_NOTHING, 0, INSTANCES_OF_A_STORE),
        "instance_data" => instances(&with_data(parameter), 0, INSTANCES_WITH_DATA_OF_A_STORE),
        "instance_imports" | "prepared" => instances(&with_imports(parameter), parameter, INSTANCES_OF_A_STORE),
        _ => return None,
    })
}
