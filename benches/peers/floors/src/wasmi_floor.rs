//! wasmi: typed calls, host functions of a Rust signature.

use crate::*;
use std::hint::black_box;
use wasmi::{Caller, Engine, Extern, Func, Instance, Module, Ref, Store, TypedFunc, Val, WasmParams, WasmResults};

struct Objects {
    store: Store<()>,
    instance: Instance,
}

fn objects(text: &str, import: Option<fn(&mut Store<()>) -> Func>) -> Objects {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let module = Module::new(&engine, crate::module(text)).unwrap();
    let imports: Vec<Extern> = import.iter().map(|import| import(&mut store).into()).collect();
    let instance = Instance::new(&mut store, &module, &imports).unwrap();
    Objects { store, instance }
}

fn call<Params: WasmParams + 'static, Results: WasmResults + 'static>(text: &str, arguments: fn(u64) -> Params) -> Floor {
    let Objects { mut store, instance } = objects(text, None);
    let function: TypedFunc<Params, Results> = instance.get_typed_func(&store, "f").unwrap();
    Box::new(move |count| {
        for i in 0..count {
            black_box(function.call(&mut store, arguments(i)).unwrap());
        }
    })
}

fn callback(text: &str, import: fn(&mut Store<()>) -> Func) -> Floor {
    let Objects { mut store, instance } = objects(text, Some(import));
    let function: TypedFunc<i32, ()> = instance.get_typed_func(&store, "f").unwrap();
    Box::new(move |count| function.call(&mut store, count as i32).unwrap())
}

fn instances(text: &str, imports: u64, of_a_store: u64) -> Floor {
    let engine = Engine::default();
    let module = Module::new(&engine, crate::module(text)).unwrap();
    Box::new(move |count| {
        for first in (0..count).step_by(of_a_store as usize) {
            let mut store = Store::new(&engine, ());
            let host = Func::wrap(&mut store, || {});
            let imports = vec![Extern::Func(host); imports as usize];
            for _ in first..count.min(first + of_a_store) {
                Instance::new(&mut store, &module, &imports).unwrap();
            }
        }
    })
}

pub fn prepare(row: &str, parameter: u64) -> Option<Floor> {
    Some(match row {
        "call_nothing" => call::<(), ()>(CALL_NOTHING, |_| ()),
        "call_i32" => call::<i32, i32>(CALL_I32, |i| i as i32),
        "call_mixed" => call::<(i32, i64, f32, f64), i64>(CALL_MIXED, |i| (i as i32, i as i64, 1.5, 2.5)),
        "call_pair" => call::<(), (i32, i64)>(CALL_PAIR, |_| ()),
        "callback_nothing" => callback(CALLBACK_NOTHING, |store| Func::wrap(store, |_: Caller<'_, ()>| {})),
        "callback_i32" => callback(CALLBACK_I32, |store| Func::wrap(store, |_: Caller<'_, ()>, n: i32| n.wrapping_add(1))),
        "global_get" | "global_set" | "memory_data" | "table_get" | "table_set" => {
            let Objects { mut store, instance } = objects(OBJECTS, None);
            let global = instance.get_global(&store, "global").unwrap();
            let memory = instance.get_memory(&store, "memory").unwrap();
            let table = instance.get_table(&store, "table").unwrap();
            match row {
                "global_get" => Box::new(move |count| {
                    for _ in 0..count {
                        black_box(global.get(&store));
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
                        black_box(table.get(&store, 3));
                    }
                }),
                _ => {
                    let reference: Ref = table.get(&store, 0).unwrap();
                    Box::new(move |count| {
                        for _ in 0..count {
                            table.set(&mut store, 4, reference).unwrap();
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
