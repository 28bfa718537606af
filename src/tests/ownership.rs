//! Calls the C functions with an engine in plain Rust ([`Mock`]), for tools that have to see all code that runs:
//! Miri, and sanitizers that watch Rust code. `tests/c` tests the behaviour; this tests ownership: every test takes
//! objects through their lives in some uncommon order, and counts what is finalized.

use crate::c_api::families::vector::{Parts, Vector};
use crate::c_api::wasmrt::error::*;
use crate::runtime::base::error::Result;
use crate::runtime::base::types::{Limits32, ValKind};
use crate::runtime::core::config::Config;
use crate::runtime::core::object::{Body, NewHandles, Object};
use crate::runtime::core::store::Store;
use crate::runtime::core::value::{Val, ValUnion};
use crate::tests::c::*;
use crate::tests::mock::Mock;
use std::ffi::{CStr, c_void};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

const I32: u8 = ValKind::I32 as u8;
const EXTERNREF: u8 = ValKind::ExternRef as u8;
const FUNCREF: u8 = ValKind::FuncRef as u8;

/// An engine and a store.
struct World {
    engine: *mut wasm_engine_t,
    store: *mut wasm_store_t,
}

// SAFETY (here and in the tests): the functions are used as the header says, or wrongly in a way for which it states
// the answer.
impl World {
    fn new() -> World {
        let mut config = Config::default();
        config.set_backend(&Mock);
        unsafe {
            let engine = wasm_engine_new_with_config(config_of(config));
            World { engine, store: wasm_store_new(engine) }
        }
    }

    fn module(&self, text: &str) -> *mut wasm_module_t {
        let wasm = Bytes::of(&wat::parse_str(text).expect("valid text"));
        let module = unsafe { wasm_module_new(self.store, &wasm.0) };
        assert!(!module.is_null(), "{}", last_error());
        module
    }

    fn instance(&self, text: &str, imports: &[*mut wasm_extern_t]) -> *mut wasm_instance_t {
        let module = self.module(text);
        let instance = self.instance_of(module, imports);
        unsafe { wasm_module_delete(module) };
        instance.unwrap_or_else(|_| panic!("{}", last_error()))
    }

    fn instance_of(
        &self,
        module: *mut wasm_module_t,
        imports: &[*mut wasm_extern_t],
    ) -> Result<*mut wasm_instance_t, *mut wasm_trap_t> {
        let imports = wasm_extern_vec_t { size: imports.len(), data: imports.as_ptr().cast_mut() };
        let mut trap = null_mut();
        let instance = unsafe { wasm_instance_new(self.store, module, &imports, &mut trap) };
        if instance.is_null() { Err(trap) } else { Ok(instance) }
    }

    fn func(&self, params: &[u8], results: &[u8], callback: wasm_func_callback_t) -> *mut wasm_func_t {
        let ty = functype(params, results);
        unsafe {
            let func = wasm_func_new(self.store, ty, callback);
            wasm_functype_delete(ty);
            func
        }
    }

    fn func_with_env(
        &self,
        params: &[u8],
        results: &[u8],
        callback: wasm_func_callback_with_env_t,
        env: *mut c_void,
        finalizer: Option<unsafe extern "C" fn(*mut c_void)>,
    ) -> *mut wasm_func_t {
        let ty = functype(params, results);
        unsafe {
            let func = wasm_func_new_with_env(self.store, ty, callback, env, finalizer);
            wasm_functype_delete(ty);
            func
        }
    }

    fn trap(&self, message: &str) -> *mut wasm_trap_t {
        unsafe { wasm_trap_new(self.store, &Bytes::of(message.as_bytes()).0) }
    }

    fn delete(self) {
        unsafe {
            wasm_store_delete(self.store);
            wasm_engine_delete(self.engine);
        }
    }
}

/// An owned byte vector.
struct Bytes(wasm_byte_vec_t);

impl Bytes {
    fn of(bytes: &[u8]) -> Bytes {
        Bytes(wasm_byte_vec_t::from_bytes(bytes))
    }

    fn written_by(write: impl FnOnce(*mut wasm_byte_vec_t)) -> Bytes {
        let mut bytes = wasm_byte_vec_t { size: 99, data: null_mut() };
        write(&mut bytes);
        Bytes(bytes)
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(self.0.bytes()).trim_end_matches('\0').to_string()
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        unsafe { wasm_byte_vec_delete(&mut self.0) };
    }
}

/// The exports of an instance.
struct Exports(wasm_extern_vec_t);

impl Exports {
    fn of(instance: *const wasm_instance_t) -> Exports {
        let mut exports = wasm_extern_vec_t::empty();
        unsafe { wasm_instance_exports(instance, &mut exports) };
        Exports(exports)
    }

    fn get(&self, position: usize) -> *mut wasm_extern_t {
        self.0.elements()[position]
    }

    fn func(&self, position: usize) -> *mut wasm_func_t {
        unsafe { wasm_extern_as_func(self.get(position)) }
    }
}

impl Drop for Exports {
    fn drop(&mut self) {
        unsafe { wasm_extern_vec_delete(&mut self.0) };
    }
}

fn valtypes(kinds: &[u8]) -> wasm_valtype_vec_t {
    let types: Vec<_> = kinds.iter().map(|kind| unsafe { wasm_valtype_new(*kind) }).collect();
    Vector::from_parts(unsafe { Parts::from_slice(&types) })
}

fn functype(params: &[u8], results: &[u8]) -> *mut wasm_functype_t {
    let (mut params, mut results) = (valtypes(params), valtypes(results));
    let ty = unsafe { wasm_functype_new(&mut params, &mut results) };
    assert!(params.data.is_null() && results.data.is_null(), "taken");
    ty
}

fn reference<T>(kind: u8, object: *mut T) -> Val {
    Val { kind, of: ValUnion { r#ref: object.cast() } }
}

/// Calls a function and returns its results, or the message of its trap.
fn call<const N: usize>(func: *const wasm_func_t, args: &[Val]) -> Result<[Val; N], String> {
    let args = wasm_val_vec_t { size: args.len(), data: args.as_ptr().cast_mut() };
    let mut results = [Val::i32(-1); N];
    let mut vector = wasm_val_vec_t { size: N, data: results.as_mut_ptr() };
    let trap = unsafe { wasm_func_call(func, &args, &mut vector) };
    if trap.is_null() { Ok(results) } else { Err(message_of(trap)) }
}

/// Calls a function that traps, and returns the trap's message.
fn trap_of(func: *const wasm_func_t, args: &[Val]) -> String {
    call::<2>(func, args).err().expect("a trap")
}

fn call_i32(func: *const wasm_func_t, args: &[i32]) -> Result<i32, String> {
    let args: Vec<_> = args.iter().copied().map(Val::i32).collect();
    call::<1>(func, &args).map(|[result]| i32_of(&result))
}

fn i32_of(value: &Val) -> i32 {
    assert_eq!(value.kind, I32);
    unsafe { value.of.i32 }
}

/// Returns the message of a trap, and deletes the trap.
fn message_of(trap: *mut wasm_trap_t) -> String {
    unsafe {
        let message = Bytes::written_by(|out| wasm_trap_message(trap, out));
        wasm_trap_delete(trap);
        message.text()
    }
}

fn last_error() -> String {
    unsafe {
        let message = wasmrt_last_error_message();
        if message.is_null() { String::new() } else { CStr::from_ptr(message).to_string_lossy().into_owned() }
    }
}

/// Counts finalized objects: the pointer that is passed to C is the counter.
struct Count(AtomicUsize);

impl Count {
    const fn new() -> Count {
        Count(AtomicUsize::new(0))
    }
    fn info(&self) -> *mut c_void {
        std::ptr::from_ref(self).cast_mut().cast()
    }
    fn get(&self) -> usize {
        self.0.load(SeqCst)
    }
}

unsafe extern "C" fn count(info: *mut c_void) {
    unsafe { &*info.cast::<Count>() }.0.fetch_add(1, SeqCst);
}

unsafe fn args<'a>(args: *const wasm_val_vec_t) -> &'a [Val] {
    unsafe { (*args).elements() }
}

unsafe fn results<'a>(results: *mut wasm_val_vec_t) -> &'a mut [Val] {
    unsafe { std::slice::from_raw_parts_mut((*results).data, (*results).size) }
}

unsafe extern "C" fn nothing(_: *const wasm_val_vec_t, _: *mut wasm_val_vec_t) -> *mut wasm_trap_t {
    null_mut()
}

/// Returns copies of its arguments.
unsafe extern "C" fn identity(given: *const wasm_val_vec_t, out: *mut wasm_val_vec_t) -> *mut wasm_trap_t {
    unsafe {
        for (result, arg) in results(out).iter_mut().zip(args(given)) {
            wasm_val_copy(result, arg);
        }
    }
    null_mut()
}

// Vectors and types

/// Tests the five functions of a vector type, with elements that `make` makes.
macro_rules! vector_test {
    ($name:ident, $make:expr) => {
        pastey::paste! {
            #[test]
            fn [<vectors_of_ $name>]() {
                unsafe {
                    let mut vector = std::mem::MaybeUninit::<[<wasm_ $name _vec_t>]>::uninit();
                    [<wasm_ $name _vec_new_empty>](vector.as_mut_ptr());
                    let mut vector = vector.assume_init();
                    [<wasm_ $name _vec_delete>](&mut vector);

                    [<wasm_ $name _vec_new_uninitialized>](&mut vector, 3);
                    assert_eq!(vector.size, 3);
                    vector.data.add(1).write($make);
                    let mut copy = [<wasm_ $name _vec_t>]::empty();
                    [<wasm_ $name _vec_copy>](&mut copy, &vector);
                    [<wasm_ $name _vec_delete>](&mut vector);
                    [<wasm_ $name _vec_delete>](&mut vector);
                    assert_eq!((vector.size, copy.size), (0, 3));
                    [<wasm_ $name _vec_delete>](&mut copy);

                    let elements = [$make, $make];
                    [<wasm_ $name _vec_new>](&mut vector, 2, elements.as_ptr());
                    [<wasm_ $name _vec_copy>](&mut copy, &vector);
                    [<wasm_ $name _vec_delete>](&mut copy);
                    [<wasm_ $name _vec_delete>](&mut vector);

                    // Nothing takes ownership of these, so they are released.
                    let elements = [$make, $make];
                    [<wasm_ $name _vec_new>](null_mut(), 2, elements.as_ptr());
                    [<wasm_ $name _vec_new_uninitialized>](&mut vector, usize::MAX / 2);
                    assert_eq!(vector.size, 0);
                    [<wasm_ $name _vec_delete>](&mut vector);
                    [<wasm_ $name _vec_copy>](&mut vector, null());
                    assert_eq!(vector.size, 0);
                    [<wasm_ $name _vec_delete>](&mut vector);
                    [<wasm_ $name _vec_delete>](null_mut());
                }
            }
        }
    };
}

const LIMITS: Limits32 = Limits32 { min: 1, max: 3 };

fn globaltype(kind: u8, mutability: u8) -> *mut wasm_globaltype_t {
    unsafe { wasm_globaltype_new(wasm_valtype_new(kind), mutability) }
}

fn tabletype(kind: u8) -> *mut wasm_tabletype_t {
    unsafe { wasm_tabletype_new(wasm_valtype_new(kind), &LIMITS) }
}

fn importtype() -> *mut wasm_importtype_t {
    let (mut module, mut name) = (wasm_byte_vec_t::from_bytes(b"module\0"), wasm_byte_vec_t::from_bytes(b"name"));
    unsafe { wasm_importtype_new(&mut module, &mut name, wasm_globaltype_as_externtype(globaltype(I32, 1))) }
}

fn exporttype() -> *mut wasm_exporttype_t {
    let mut name = wasm_byte_vec_t::from_bytes(b"");
    unsafe { wasm_exporttype_new(&mut name, wasm_functype_as_externtype(functype(&[I32], &[]))) }
}

vector_test!(byte, b'x' as std::ffi::c_char);
vector_test!(val, Val::i32(5));
vector_test!(valtype, wasm_valtype_new(FUNCREF));
vector_test!(functype, functype(&[I32, I32], &[EXTERNREF]));
vector_test!(globaltype, globaltype(I32, 0));
vector_test!(tabletype, tabletype(FUNCREF));
vector_test!(memorytype, wasm_memorytype_new(&LIMITS));
vector_test!(tagtype, wasm_tagtype_new(functype(&[I32], &[])));
vector_test!(externtype, wasm_memorytype_as_externtype(wasm_memorytype_new(&LIMITS)));
vector_test!(importtype, importtype());
vector_test!(exporttype, exporttype());

#[test]
fn vectors_of_references_own_them() {
    let (world, finalized) = (World::new(), Count::new());
    unsafe {
        let foreign = wasm_foreign_new(world.store);
        wasm_foreign_set_host_info_with_finalizer(foreign, finalized.info(), Some(count));
        let values = [Val::i32(1), reference(EXTERNREF, foreign), reference::<()>(EXTERNREF, null_mut())];
        let mut vector = wasm_val_vec_t::empty();
        wasm_val_vec_new(&mut vector, values.len(), values.as_ptr());
        let mut copy = wasm_val_vec_t::empty();
        wasm_val_vec_copy(&mut copy, &vector);
        wasm_val_vec_delete(&mut vector);
        assert_eq!(finalized.get(), 0);
        wasm_val_vec_delete(&mut copy);
        assert_eq!(finalized.get(), 1);

        let externs = [wasm_func_as_extern(world.func(&[], &[], Some(nothing))), null_mut()];
        let (mut vector, mut copy) = (wasm_extern_vec_t::empty(), wasm_extern_vec_t::empty());
        wasm_extern_vec_new(&mut vector, 2, externs.as_ptr());
        wasm_extern_vec_copy(&mut copy, &vector);
        wasm_extern_vec_delete(&mut vector);
        assert!(call::<0>(wasm_extern_as_func(copy.elements()[0]), &[]).is_ok());
        wasm_extern_vec_delete(&mut copy);
        world.delete();
    }
}

#[test]
fn types_outlive_what_they_were_copied_from() {
    unsafe {
        let ty = functype(&[I32, FUNCREF], &[EXTERNREF]);
        let copy = wasm_functype_copy(ty);
        wasm_functype_delete(ty);
        let params = &*wasm_functype_params(copy);
        assert_eq!(params.size, 2);
        assert_eq!(wasm_valtype_kind(params.elements()[1]), FUNCREF);
        let view = wasm_functype_as_externtype(copy);
        assert!(wasm_externtype_as_memorytype(view).is_null());
        assert_eq!(wasm_externtype_as_functype(view), copy);
        let tag = wasm_tagtype_new(copy);
        let carried = wasm_functype_copy(wasm_tagtype_functype(tag));
        wasm_tagtype_delete(tag);
        assert_eq!((*wasm_functype_results(carried)).size, 1);
        wasm_functype_delete(carried);

        let import = importtype();
        let copy = wasm_importtype_copy(import);
        wasm_importtype_delete(import);
        assert_eq!((*wasm_importtype_module(copy)).bytes(), b"module");
        // There is a zero byte after the end.
        assert_eq!(CStr::from_ptr((*wasm_importtype_name(copy)).data), c"name");
        let ty = wasm_externtype_copy(wasm_importtype_type(copy));
        wasm_importtype_delete(copy);
        assert_eq!(wasm_globaltype_mutability(wasm_externtype_as_globaltype(ty)), 1);
        wasm_externtype_delete(ty);

        // Arguments that are taken are released even if the function fails.
        let (mut params, mut results) = (valtypes(&[I32]), wasm_valtype_vec_t::empty());
        wasm_valtype_vec_new_uninitialized(&mut results, 2);
        assert!(wasm_functype_new(&mut params, &mut results).is_null());
        assert!(wasm_tagtype_new(wasm_memorytype_as_externtype(wasm_memorytype_new(&LIMITS)).cast()).is_null());
        let mut name = wasm_byte_vec_t::from_bytes(b"name");
        assert!(wasm_exporttype_new(&mut name, null_mut()).is_null() && name.data.is_null());
    }
}

// Modules and instances

const EVERYTHING: &str = r#"(module
    (import "host" "f" (func $host (param i32) (result i32)))
    (import "host" "g" (global $from (mut externref)))
    (import "host" "t" (table $funcs 1 funcref))
    (import "host" "m" (memory $imported 1))
    (func $twice (export "twice") (param i32) (result i32)
        (i32.add (call $host (local.get 0)) (call $host (local.get 0))))
    (export "host" (func $host))
    (global (export "g") (mut i32) (i32.const 7))
    (table $externs (export "externs") 2 4 externref)
    (export "funcs" (table $funcs))
    (export "twice too" (func $twice))
    (elem (table $funcs) (i32.const 0) func $twice)
    (data (memory $imported) (i32.const 3) "bytes"))"#;

#[test]
fn an_instance_lives_on_what_it_imports() {
    let world = World::new();
    unsafe {
        let func = world.func(&[I32], &[I32], Some(identity));
        let ty = globaltype(EXTERNREF, 1);
        let foreign = wasm_foreign_new(world.store);
        let global = wasm_global_new(world.store, ty, &reference(EXTERNREF, foreign));
        wasm_globaltype_delete(ty);
        let ty = tabletype(FUNCREF);
        let table = wasm_table_new(world.store, ty, null_mut());
        wasm_tabletype_delete(ty);
        let ty = wasm_memorytype_new(&LIMITS);
        let memory = wasm_memory_new(world.store, ty);
        wasm_memorytype_delete(ty);
        let imports = [
            wasm_func_as_extern(func),
            wasm_global_as_extern(global),
            wasm_table_as_extern(table),
            wasm_memory_as_extern(memory),
        ];
        let instance = world.instance(EVERYTHING, &imports);
        assert_eq!(*wasm_memory_data(memory).add(4), b'y' as std::ffi::c_char);
        wasm_memory_delete(memory);
        wasm_global_delete(global);
        wasm_foreign_delete(foreign);
        wasm_table_delete(table);

        let exports = Exports::of(instance);
        assert!(wasm_extern_same(exports.get(1), wasm_func_as_extern(func)), "the import's own object");
        assert!(wasm_extern_same(exports.get(0), exports.get(5)), "one thing exported twice");
        wasm_func_delete(func);
        wasm_instance_delete(instance);
        // The element of the table is the same object as the exported function.
        let element = wasm_table_get(wasm_extern_as_table(exports.get(4)), 0);
        assert!(wasm_ref_same(element, wasm_extern_as_ref(exports.get(0))));
        world.delete();
        assert_eq!(call_i32(wasm_ref_as_func(element), &[21]), Ok(42));
        drop(exports);
        assert_eq!(call_i32(wasm_ref_as_func(element), &[4]), Ok(8));
        wasm_ref_delete(element);
    }
}

#[test]
fn instantiations_that_fail_leave_nothing() {
    let (world, finalized) = (World::new(), Count::new());
    unsafe {
        let module = world.module(EVERYTHING);
        let message = message_of(world.instance_of(module, &[]).unwrap_err());
        assert!(message.contains("\"host\" \"f\""), "{message}");
        let wrong = world.func_with_env(&[], &[], Some(env_count), finalized.info(), Some(count));
        let message = message_of(world.instance_of(module, &[wasm_func_as_extern(wrong)]).unwrap_err());
        assert!(message.contains("was given"), "{message}");
        wasm_func_delete(wrong);
        wasm_module_delete(module);

        // A start function that traps, after the instance has put one of its functions into a table of the store.
        let ty = tabletype(FUNCREF);
        let table = wasm_table_new(world.store, ty, null_mut());
        wasm_tabletype_delete(ty);
        let module = world.module(
            r#"(module (import "" "" (table 1 funcref)) (func $f unreachable) (elem (i32.const 0) func $f) (start $f))"#,
        );
        let trap = world.instance_of(module, &[wasm_table_as_extern(table)]).unwrap_err();
        assert_eq!(message_of(trap), "unreachable");
        wasm_module_delete(module);
        let left = wasm_table_get(table, 0);
        assert_eq!(trap_of(wasm_ref_as_func(left), &[]), "unreachable");
        wasm_ref_delete(left);
        wasm_table_delete(table);
        world.delete();
        assert_eq!(finalized.get(), 1);
    }
}

#[test]
fn modules_go_through_bytes_and_other_stores() {
    let world = World::new();
    unsafe {
        let module = world.module(EVERYTHING);
        let mut imports = wasm_importtype_vec_t::empty();
        wasm_module_imports(module, &mut imports);
        assert_eq!(imports.size, 4);
        wasm_importtype_vec_delete(&mut imports);
        let mut exports = wasm_exporttype_vec_t::empty();
        wasm_module_exports(module, &mut exports);
        let names = exports.elements().iter();
        let names: Vec<_> = names.map(|ty| (*wasm_exporttype_name(*ty)).bytes()).collect();
        assert_eq!(names, [b"twice" as &[u8], b"host", b"g", b"externs", b"funcs", b"twice too"]);
        wasm_exporttype_vec_delete(&mut exports);

        let bytes = Bytes::written_by(|out| wasm_module_serialize(module, out));
        let again = wasm_module_deserialize(world.store, &bytes.0);
        let shared = wasm_module_share(again);
        wasm_module_delete(again);
        let other = wasm_store_new(world.engine);
        let obtained = wasm_module_obtain(other, shared);
        wasm_shared_module_delete(shared);
        assert!(wasm_module_same(obtained, obtained) && !wasm_module_same(obtained, module));
        wasm_store_delete(other);
        wasm_module_delete(obtained);
        wasm_module_delete(module);

        let stranger = World::new();
        let strange = stranger.module("(module)");
        let shared = wasm_module_share(strange);
        assert!(wasm_module_obtain(world.store, shared).is_null(), "of another engine");
        wasm_shared_module_delete(shared);
        let damaged = Bytes::of(&bytes.0.bytes()[..40]);
        assert!(wasm_module_deserialize(world.store, &damaged.0).is_null());
        stranger.delete();
        wasm_module_delete(strange);
        world.delete();
    }
}

// References, host info, finalizers

#[test]
fn host_info_goes_with_its_object() {
    let world = World::new();
    unsafe {
        let instance = world.instance(r#"(module (func (export "f")) (memory (export "m") 1))"#, &[]);
        let exports = Exports::of(instance);
        let foreign = wasm_foreign_new(world.store);
        let trap = world.trap("message");
        let module = world.module("(module)");
        let func = world.func(&[], &[], Some(nothing));
        // The first three are retained by their store, the others only kept by their handle.
        let counts: [Count; 7] = [const { Count::new() }; 7];
        let refs = [
            wasm_instance_as_ref(instance),
            wasm_extern_as_ref(exports.get(0)),
            wasm_extern_as_ref(exports.get(1)),
            wasm_foreign_as_ref(foreign),
            wasm_trap_as_ref(trap),
            wasm_module_as_ref(module),
            wasm_func_as_ref(func),
        ];
        for (r#ref, finalized) in refs.iter().zip(&counts) {
            wasm_ref_set_host_info_with_finalizer(*r#ref, finalized.info(), Some(count));
            wasm_ref_set_host_info_with_finalizer(*r#ref, finalized.info(), Some(count));
            assert_eq!(finalized.get(), 1, "replaced");
            let copy = wasm_ref_copy(*r#ref);
            assert_eq!(wasm_ref_get_host_info(copy), finalized.info());
            wasm_ref_delete(copy);
        }
        assert!(wasm_ref_as_func(refs[3]).is_null() && wasm_ref_as_trap(refs[4]) == trap);
        wasm_instance_delete(instance);
        drop(exports);
        for r#ref in &refs[3..] {
            wasm_ref_delete(*r#ref);
        }
        let finalized: Vec<_> = counts.iter().map(Count::get).collect();
        assert_eq!(finalized, [1, 1, 1, 2, 2, 2, 2]);
        world.delete();
        let finalized: Vec<_> = counts.iter().map(Count::get).collect();
        assert_eq!(finalized, [2; 7]);
    }
}

/// A finalizer that makes and deletes objects, and uses the object that it was told about.
unsafe extern "C" fn busy_finalizer(info: *mut c_void) {
    unsafe {
        let neighbour = info.cast::<wasm_foreign_t>();
        let finalized = wasm_foreign_get_host_info(neighbour).cast::<Count>();
        let copy = wasm_foreign_copy(neighbour);
        wasm_foreign_delete(copy);
        count(finalized.cast());
    }
}

#[test]
fn finalizers_may_call_the_library() {
    let (world, finalized) = (World::new(), Count::new());
    unsafe {
        let neighbour = wasm_foreign_new(world.store);
        wasm_foreign_set_host_info(neighbour, finalized.info());
        let ty = globaltype(EXTERNREF, 1);
        let null = reference::<()>(EXTERNREF, null_mut());
        let global = wasm_global_new(world.store, ty, &null);
        wasm_globaltype_delete(ty);
        for _ in 0..3 {
            let foreign = wasm_foreign_new(world.store);
            wasm_foreign_set_host_info_with_finalizer(foreign, neighbour.cast(), Some(busy_finalizer));
            wasm_global_set(global, &reference(EXTERNREF, foreign));
            wasm_foreign_delete(foreign);
        }
        // The engine released two of them in the middle of a write.
        assert_eq!(finalized.get(), 2);
        wasm_global_set(global, &null);
        assert_eq!(finalized.get(), 3);

        // The last one is released while the store is closed.
        let foreign = wasm_foreign_new(world.store);
        wasm_foreign_set_host_info_with_finalizer(foreign, finalized.info(), Some(count));
        wasm_global_set(global, &reference(EXTERNREF, foreign));
        wasm_foreign_delete(foreign);
        wasm_global_delete(global);
        wasm_foreign_delete(neighbour);
        world.delete();
        assert_eq!(finalized.get(), 4);
    }
}

#[test]
fn references_come_back_the_same() {
    let world = World::new();
    unsafe {
        let passing = world.func(&[EXTERNREF, FUNCREF], &[EXTERNREF, FUNCREF], Some(identity));
        let instance = world.instance(
            r#"(module
                (import "" "f" (func $host (param externref funcref) (result externref funcref)))
                (func $pass (export "pass") (param externref funcref) (result externref funcref)
                    (call $host (local.get 0) (local.get 1)))
                (table (export "t") 1 externref))"#,
            &[wasm_func_as_extern(passing)],
        );
        wasm_func_delete(passing);
        let exports = Exports::of(instance);
        let host = world.func(&[I32], &[I32], Some(identity));
        let objects = [wasm_instance_as_ref(instance), wasm_func_as_ref(host), wasm_extern_as_ref(exports.get(0))];
        for object in objects {
            let given = [reference(EXTERNREF, object), reference(FUNCREF, host)];
            let [external, mut function] = call::<2>(exports.func(0), &given).expect("no trap");
            assert_eq!((external.of.r#ref.cast(), function.of.r#ref.cast()), (object, host));
            wasm_val_delete(&mut function);
            wasm_val_delete(&mut { external });
            // Results for which there is no room are released.
            assert!(call::<0>(exports.func(0), &given).is_ok());

            let table = wasm_extern_as_table(exports.get(1));
            assert!(wasm_table_set(table, 0, object));
            let element = wasm_table_get(table, 0);
            assert!(wasm_ref_same(element, object));
            wasm_ref_delete(element);
            assert!(wasm_table_grow(table, 1, object));
            assert!(!wasm_table_set(table, 99, object));
        }
        let nulls = [reference::<()>(EXTERNREF, null_mut()), reference::<()>(FUNCREF, null_mut())];
        let [external, function] = call::<2>(exports.func(0), &nulls).expect("no trap");
        assert!(external.of.r#ref.is_null() && function.of.r#ref.is_null());
        wasm_func_delete(host);
        wasm_instance_delete(instance);
        world.delete();
        drop(exports);
    }
}

// Calls

#[test]
fn calls_with_many_values_take_the_heap() {
    let world = World::new();
    unsafe {
        let kinds = [I32; 40];
        let func = world.func(&kinds, &kinds, Some(identity));
        let given: [Val; 40] = std::array::from_fn(|position| Val::i32(position as i32));
        let got = call::<40>(func, &given).expect("no trap");
        assert!(got.iter().enumerate().all(|(position, value)| i32_of(value) == position as i32));
        // In place: arguments and results are the same vector.
        let mut values = given;
        let arguments = wasm_val_vec_t { size: 40, data: values.as_mut_ptr() };
        let mut same = arguments;
        assert!(wasm_func_call(func, &arguments, &mut same).is_null());
        assert_eq!(i32_of(&*arguments.data.add(39)), 39);
        assert!(call::<3>(func, &given[..2]).is_err());
        wasm_func_delete(func);
        world.delete();
    }
}

unsafe extern "C" fn env_count(env: *mut c_void, _: *const wasm_val_vec_t, _: *mut wasm_val_vec_t) -> *mut wasm_trap_t {
    unsafe { count(env) };
    null_mut()
}

#[test]
fn environments_are_finalized_once() {
    let (world, counted) = (World::new(), Count::new());
    unsafe {
        let func = world.func_with_env(&[], &[], Some(env_count), counted.info(), Some(count));
        assert!(call::<0>(func, &[]).is_ok());
        assert_eq!(counted.get(), 1);
        wasm_func_delete(func);
        assert_eq!(counted.get(), 2);
        // When it has been passed to WebAssembly, it lives as long as the store.
        let func = world.func_with_env(&[], &[], Some(env_count), counted.info(), Some(count));
        let instance = world.instance(
            r#"(module (import "" "" (func $f)) (func (export "f") (call $f)))"#,
            &[wasm_func_as_extern(func)],
        );
        wasm_func_delete(func);
        let exports = Exports::of(instance);
        wasm_instance_delete(instance);
        assert!(call::<0>(exports.func(0), &[]).is_ok());
        assert_eq!(counted.get(), 3);
        drop(exports);
        // A function that could not be made also finalizes its environment.
        assert!(wasm_func_new_with_env(world.store, null(), Some(env_count), counted.info(), Some(count)).is_null());
        assert_eq!(counted.get(), 4);
        world.delete();
        assert_eq!(counted.get(), 5);
    }
}

/// Calls the function in the environment with its argument less one, down to zero. Each level makes and deletes
/// handles.
unsafe extern "C" fn descend(
    env: *mut c_void,
    given: *const wasm_val_vec_t,
    out: *mut wasm_val_vec_t,
) -> *mut wasm_trap_t {
    unsafe {
        let (exports, left) = (&*env.cast::<Exports>(), i32_of(&args(given)[0]));
        let copy = wasm_func_copy(exports.func(0));
        let answer = if left == 0 { Ok(0) } else { call_i32(copy, &[left - 1]) };
        wasm_func_delete(copy);
        match answer {
            Ok(depth) => {
                results(out)[0] = Val::i32(depth + 1);
                null_mut()
            }
            Err(message) => {
                let bytes = Bytes::of(message.as_bytes());
                let store = std::ptr::from_ref((*exports.get(0).cast::<Object>()).store());
                wasm_trap_new(store.cast_mut().cast(), &bytes.0)
            }
        }
    }
}

#[test]
fn calls_nest_and_exhaust_the_stack() {
    let world = World::new();
    let mut exports = Exports(wasm_extern_vec_t::empty());
    unsafe {
        let env = (&raw mut exports).cast();
        let host = world.func_with_env(&[I32], &[I32], Some(descend), env, None);
        let instance = world.instance(
            r#"(module (import "" "" (func $f (param i32) (result i32)))
                (func (export "f") (param i32) (result i32) (call $f (local.get 0))))"#,
            &[wasm_func_as_extern(host)],
        );
        env.cast::<Exports>().write(Exports::of(instance));
        let func = (*env.cast::<Exports>()).func(0);
        assert_eq!(call_i32(func, &[9]), Ok(10));
        assert_eq!(call_i32(func, &[1000]), Err("call stack exhausted".to_string()));
        assert_eq!(call_i32(func, &[3]), Ok(4), "and all is well afterwards");
        wasm_instance_delete(instance);
        wasm_func_delete(host);
        world.delete();
    }
}

// Deleting what is running

/// Handles that a callback deletes while the objects that they refer to are running.
struct Doomed {
    func: *mut wasm_func_t,
    module: *mut wasm_module_t,
    store: *mut wasm_store_t,
    engine: *mut wasm_engine_t,
    finalized: Count,
}

unsafe extern "C" fn delete_everything(
    env: *mut c_void,
    _: *const wasm_val_vec_t,
    out: *mut wasm_val_vec_t,
) -> *mut wasm_trap_t {
    unsafe {
        let doomed = env.cast::<Doomed>();
        wasm_func_delete((*doomed).func);
        wasm_module_delete((*doomed).module);
        let late = wasm_foreign_new((*doomed).store);
        wasm_foreign_set_host_info_with_finalizer(late, (*doomed).finalized.info(), Some(count));
        wasm_store_delete((*doomed).store);
        wasm_engine_delete((*doomed).engine);
        wasm_foreign_delete(late);
        assert_eq!((*doomed).finalized.get(), 1, "an object that does not run goes at once");
        results(out)[0] = Val::i32(11);
        null_mut()
    }
}

fn doomed(world: &World) -> Box<Doomed> {
    let (func, module) = (null_mut(), null_mut());
    let doomed = Doomed { func, module, store: world.store, engine: world.engine, finalized: Count::new() };
    Box::new(doomed)
}

#[test]
fn a_host_function_deletes_itself_and_its_store() {
    let world = World::new();
    let doomed = Box::into_raw(doomed(&world));
    unsafe {
        let info = (*doomed).finalized.info();
        (*doomed).func = world.func_with_env(&[], &[I32], Some(delete_everything), doomed.cast(), None);
        wasm_func_set_host_info_with_finalizer((*doomed).func, info, Some(count));
        assert_eq!(call_i32((*doomed).func, &[]), Ok(11));
        assert_eq!((*doomed).finalized.get(), 2);
        drop(Box::from_raw(doomed));
    }
}

#[test]
fn webassembly_that_runs_is_deleted_with_its_store() {
    let world = World::new();
    let doomed = Box::into_raw(doomed(&world));
    unsafe {
        let info = (*doomed).finalized.info();
        let host = world.func_with_env(&[], &[I32], Some(delete_everything), doomed.cast(), Some(finalize_doomed));
        let instance = world.instance(
            r#"(module (import "" "" (func $f (result i32))) (func (export "f") (result i32) (call $f)))"#,
            &[wasm_func_as_extern(host)],
        );
        wasm_func_delete(host);
        let exports = Exports::of(instance);
        (*doomed).func = wasm_func_copy(exports.func(0));
        wasm_func_set_host_info_with_finalizer((*doomed).func, info, Some(count));
        wasm_instance_delete(instance);
        drop(exports);
        assert_eq!(call_i32((*doomed).func, &[]), Ok(11));
        assert_eq!((*doomed).finalized.get(), 3, "the object, the host info and the environment");
        drop(Box::from_raw(doomed));
    }
}

unsafe extern "C" fn finalize_doomed(env: *mut c_void) {
    unsafe { count((*env.cast::<Doomed>()).finalized.info()) };
}

#[test]
fn a_start_function_deletes_its_module_and_store() {
    let world = World::new();
    let doomed = Box::into_raw(doomed(&world));
    unsafe {
        let host = world.func_with_env(&[], &[I32], Some(delete_everything), doomed.cast(), None);
        let module = world.module(
            r#"(module (import "" "" (func $f (result i32))) (func $s (drop (call $f))) (start $s) (export "s" (func $s)))"#,
        );
        (*doomed).module = module;
        let instance = world.instance_of(module, &[wasm_func_as_extern(host)]).expect("no trap");
        wasm_func_delete(host);
        let exports = Exports::of(instance);
        wasm_instance_delete(instance);
        assert_eq!(exports.0.size, 1);
        drop(exports);
        drop(Box::from_raw(doomed));
    }
}

#[test]
fn a_second_delete_does_nothing() {
    let world = World::new();
    unsafe {
        let func = world.func(&[], &[], Some(nothing));
        let copy = wasm_func_copy(func);
        wasm_func_delete(copy);
        wasm_func_delete(func);
        wasm_func_delete(func);
        assert!(last_error().contains("deleted before"), "{}", last_error());
        assert!(call::<0>(func, &[]).is_ok(), "no trap: there is no store for one");
        assert!(wasm_func_copy(func).is_null());
        // Valid until so many others were deleted that the quarantine frees it.
        for _ in 0..300 {
            wasm_foreign_delete(wasm_foreign_new(world.store));
        }
        wasm_store_delete(world.store);
        wasm_store_delete(world.store);
        assert!(wasm_foreign_new(world.store).is_null());
        for _ in 0..20 {
            let store = wasm_store_new(world.engine);
            wasm_store_delete(store);
            wasm_store_delete(store);
        }
        wasm_engine_delete(world.engine);
    }
}

#[test]
fn what_was_deleted_outlives_the_thread_that_deleted_it() {
    let world = World::new();
    unsafe {
        let foreign = wasm_foreign_new(world.store);
        let store = wasm_store_new(world.engine);
        let (other_foreign, other_store) = (Carried(foreign), Carried(store));
        std::thread::scope(|scope| {
            let delete = move || {
                wasm_foreign_delete(other_foreign.get());
                wasm_store_delete(other_store.get());
            };
            join([scope.spawn(delete)]);
        });
        wasm_foreign_delete(foreign);
        assert!(last_error().contains("deleted before"), "{}", last_error());
        wasm_store_delete(store);
        assert!(last_error().contains("deleted before"), "{}", last_error());
        wasm_store_delete(world.store);
        wasm_engine_delete(world.engine);
    }
}

// Traps and frames

#[test]
fn frames_outlive_everything() {
    let world = World::new();
    unsafe {
        let instance =
            world.instance(r#"(module (func $inner unreachable) (func (export "outer") (call $inner)))"#, &[]);
        let exports = Exports::of(instance);
        let trap = wasm_func_call(exports.func(0), null(), null_mut());
        let mut trace = wasm_frame_vec_t::empty();
        wasm_trap_trace(trap, &mut trace);
        let indices: Vec<_> = trace.elements().iter().map(|frame| wasm_frame_func_index(*frame)).collect();
        assert_eq!(indices, [0, 1]);
        let mut copy = wasm_frame_vec_t::empty();
        wasm_frame_vec_copy(&mut copy, &trace);
        let origin = wasm_trap_origin(trap);
        assert_eq!(message_of(trap), "unreachable");
        wasm_frame_vec_delete(&mut trace);
        drop(exports);
        world.delete();
        assert_eq!(wasm_frame_instance(origin), instance);
        wasm_instance_delete(instance);
        assert!(wasm_frame_func_offset(origin) > 0 && !wasm_frame_instance(origin).is_null());
        wasm_frame_delete(origin);
        wasm_frame_vec_delete(&mut copy);
    }
}

/// The trap that a host function returns, and whether it deletes the trap before that.
struct Trapping {
    trap: *mut wasm_trap_t,
    delete_first: bool,
}

unsafe extern "C" fn return_trap(
    env: *mut c_void,
    _: *const wasm_val_vec_t,
    _: *mut wasm_val_vec_t,
) -> *mut wasm_trap_t {
    unsafe {
        let Trapping { trap, delete_first } = *env.cast::<Trapping>();
        if delete_first {
            wasm_trap_delete(trap);
        }
        trap
    }
}

#[test]
fn a_trap_of_the_host_comes_out_as_it_is() {
    let (world, finalized) = (World::new(), Count::new());
    unsafe {
        let mut trapping = Trapping { trap: null_mut(), delete_first: false };
        let env = &raw mut trapping;
        let host = world.func_with_env(&[], &[], Some(return_trap), env.cast(), None);
        let instance = world.instance(
            r#"(module (import "" "" (func $f)) (func (export "f") (call $f)))"#,
            &[wasm_func_as_extern(host)],
        );
        let exports = Exports::of(instance);
        wasm_instance_delete(instance);
        for func in [host, exports.func(0)] {
            let given = world.trap("of the host's own");
            wasm_trap_set_host_info_with_finalizer(given, finalized.info(), Some(count));
            (*env).trap = given;
            let trap = wasm_func_call(func, null(), null_mut());
            assert!(wasm_trap_same(trap, given));
            assert_eq!(message_of(trap), "of the host's own");
            (*env).trap = world.trap("gone");
            (*env).delete_first = true;
            assert!(trap_of(func, &[]).contains("deleted"));
            (*env).delete_first = false;
            // An object that is not a trap.
            (*env).trap = wasm_foreign_new(world.store).cast();
            assert!(trap_of(func, &[]).contains("not a trap"));
        }
        assert_eq!(finalized.get(), 2);
        // A trap of another store passes through, and keeps that store alive.
        let other = World::new();
        (*env).trap = other.trap("from afar");
        other.delete();
        assert_eq!(trap_of(exports.func(0), &[]), "from afar");
        wasm_func_delete(host);
        drop(exports);
        world.delete();
    }
}

/// Writes an owned reference, and then a value of the wrong kind.
unsafe extern "C" fn wrong_results(
    env: *mut c_void,
    _: *const wasm_val_vec_t,
    out: *mut wasm_val_vec_t,
) -> *mut wasm_trap_t {
    unsafe {
        results(out)[0] = reference(EXTERNREF, wasm_foreign_copy(env.cast()));
        results(out)[1] = Val { kind: 77, of: ValUnion { i64: 0 } };
    }
    null_mut()
}

#[test]
fn results_of_the_wrong_kind_are_released() {
    let (world, finalized) = (World::new(), Count::new());
    unsafe {
        let foreign = wasm_foreign_new(world.store);
        wasm_foreign_set_host_info_with_finalizer(foreign, finalized.info(), Some(count));
        let func = world.func_with_env(&[], &[EXTERNREF, I32], Some(wrong_results), foreign.cast(), None);
        assert!(trap_of(func, &[]).contains("unknown kind 77"));
        wasm_foreign_delete(foreign);
        assert_eq!(finalized.get(), 1);
        wasm_func_delete(func);
        world.delete();
    }
}

#[test]
fn calls_through_tables_trap_otherwise_than_accesses() {
    let world = World::new();
    unsafe {
        let instance = world.instance(
            r#"(module (type $t (func)) (table 1 funcref)
                (func (export "call") (param i32) (call_indirect (type $t) (local.get 0)))
                (func (export "get") (drop (table.get (i32.const 9)))))"#,
            &[],
        );
        let exports = Exports::of(instance);
        wasm_instance_delete(instance);
        let message = |func, args: &[Val]| trap_of(func, args);
        assert_eq!(message(exports.func(0), &[Val::i32(9)]), "undefined element");
        assert_eq!(message(exports.func(0), &[Val::i32(0)]), "uninitialized element");
        assert_eq!(message(exports.func(1), &[]), "out of bounds table access");
        drop(exports);
        world.delete();
    }
}

// Memories

#[test]
fn memories_move_or_stay() {
    let world = World::new();
    unsafe {
        for (max, stays) in [(3, true), (Limits32::NO_MAX, false)] {
            let ty = wasm_memorytype_new(&Limits32 { min: 1, max });
            let memory = wasm_memory_new(world.store, ty);
            wasm_memorytype_delete(ty);
            let data = wasm_memory_data(memory);
            data.add(100).write(5);
            assert!(wasm_memory_grow(memory, 2));
            assert_eq!(stays, stays && wasm_memory_data(memory) == data);
            assert_eq!(*wasm_memory_data(memory).add(100), 5);
            wasm_memory_data(memory).add(wasm_memory_data_size(memory) - 1).write(6);
            assert_eq!((wasm_memory_size(memory), wasm_memory_grow(memory, 100)), (3, false));
            wasm_memory_delete(memory);
        }
        world.delete();
    }
}

// Several stores

#[test]
fn objects_do_not_cross_stores() {
    let (world, other) = (World::new(), World::new());
    unsafe {
        let stranger = wasm_foreign_new(other.store);
        let ty = tabletype(EXTERNREF);
        let table = wasm_table_new(world.store, ty, null_mut());
        assert!(wasm_table_new(world.store, ty, wasm_foreign_as_ref(stranger)).is_null());
        wasm_tabletype_delete(ty);
        assert!(!wasm_table_set(table, 0, wasm_foreign_as_ref(stranger)));
        let func = world.func(&[EXTERNREF], &[EXTERNREF], Some(identity));
        let message = trap_of(func, &[reference(EXTERNREF, stranger)]);
        assert!(message.contains("another store"), "{message}");
        let module = other.module(r#"(module (import "" "" (func (param externref) (result externref))))"#);
        let message = message_of(other.instance_of(module, &[wasm_func_as_extern(func)]).unwrap_err());
        assert!(message.contains("another store"), "{message}");
        let message = message_of(world.instance_of(module, &[]).unwrap_err());
        assert!(message.contains("different engines"), "{message}");
        wasm_module_delete(module);
        wasm_func_delete(func);
        wasm_table_delete(table);
        wasm_foreign_delete(stranger);
        world.delete();
        other.delete();
    }
}

// Threads

/// A pointer that is passed to another thread, where the header allows that.
struct Carried<T>(*mut T);
// SAFETY: the header allows handles to be copied and deleted, and engines and shared modules to be used, on any
// thread.
unsafe impl<T> Send for Carried<T> {}

impl<T> Carried<T> {
    fn get(&self) -> *mut T {
        self.0
    }
}

/// Waits for threads in a way that ThreadSanitizer understands, which it does not for the end of a scope.
fn join<const N: usize>(threads: [std::thread::ScopedJoinHandle<()>; N]) {
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
}

#[test]
fn handles_are_copied_and_deleted_from_other_threads() {
    let (world, finalized) = (World::new(), Count::new());
    unsafe {
        let instance = world.instance(r#"(module (func (export "f") (param i32) (result i32) (local.get 0)))"#, &[]);
        let exports = Exports::of(instance);
        let foreign = wasm_foreign_new(world.store);
        wasm_foreign_set_host_info_with_finalizer(foreign, finalized.info(), Some(count));
        std::thread::scope(|scope| {
            let threads = [(); 3].map(|()| {
                let foreign = Carried(wasm_foreign_copy(foreign));
                let instance = Carried(wasm_instance_copy(instance));
                let func = Carried(wasm_func_copy(exports.func(0)));
                scope.spawn(move || {
                    for _ in 0..10 {
                        wasm_foreign_delete(wasm_foreign_copy(foreign.get()));
                        wasm_instance_delete(wasm_instance_copy(instance.get()));
                        wasm_func_delete(wasm_func_copy(func.get()));
                    }
                    wasm_foreign_delete(foreign.get());
                    wasm_instance_delete(instance.get());
                    wasm_func_delete(func.get());
                })
            });
            // The store is in use at the same time.
            for round in 0..20 {
                assert_eq!(call_i32(exports.func(0), &[round]), Ok(round));
                wasm_foreign_delete(wasm_foreign_new(world.store));
            }
            wasm_foreign_delete(foreign);
            join(threads);
        });
        assert_eq!(finalized.get(), 1);
        wasm_instance_delete(instance);
        drop(exports);
        world.delete();
    }
}

#[test]
fn the_last_handle_goes_on_another_thread() {
    let finalized = Count::new();
    for _ in 0..5 {
        let world = World::new();
        unsafe {
            let instance = world.instance(r#"(module (memory (export "m") 1 2))"#, &[]);
            wasm_instance_set_host_info_with_finalizer(instance, finalized.info(), Some(count));
            let exports = Exports::of(instance);
            let handles = [Carried(wasm_extern_copy(exports.get(0))), Carried(wasm_extern_copy(exports.get(0)))];
            wasm_instance_delete(instance);
            drop(exports);
            world.delete();
            std::thread::scope(|scope| {
                join(handles.map(|handle| scope.spawn(move || wasm_extern_delete(handle.get()))));
            });
        }
    }
    assert_eq!(finalized.get(), 5);
}

/// What a callback deletes while another thread deletes the rest.
struct Parting {
    func: *mut wasm_func_t,
    store: *mut wasm_store_t,
    go: AtomicUsize,
}

unsafe extern "C" fn part(env: *mut c_void, _: *const wasm_val_vec_t, _: *mut wasm_val_vec_t) -> *mut wasm_trap_t {
    unsafe {
        let parting = &*env.cast::<Parting>();
        wasm_store_delete(parting.store);
        wasm_func_delete(parting.func);
        parting.go.store(1, SeqCst);
    }
    null_mut()
}

/// A callback deletes its thread's last handles to the running function and store, while another thread deletes the
/// very last handle.
#[test]
fn two_threads_race_to_let_go_of_a_running_store() {
    let rounds = if cfg!(miri) { 10 } else { 5000 };
    let finalized = Count::new();
    for round in 0..rounds {
        let world = World::new();
        unsafe {
            let parting = Parting { func: null_mut(), store: world.store, go: AtomicUsize::new(0) };
            let parting = Box::into_raw(Box::new(parting));
            let func = world.func_with_env(&[], &[], Some(part), parting.cast(), Some(ignore));
            (*parting).func = func;
            wasm_func_set_host_info_with_finalizer(func, finalized.info(), Some(count));
            // Either another object, or another handle to the running function.
            let last = match round % 2 {
                0 => wasm_foreign_as_ref(wasm_foreign_new(world.store)),
                _ => wasm_func_as_ref(wasm_func_copy(func)),
            };
            let (last, signal) = (Carried(last), Carried(parting));
            std::thread::scope(|scope| {
                let thread = scope.spawn(move || {
                    let signal = &*signal.get();
                    while signal.go.load(SeqCst) == 0 {
                        std::hint::spin_loop();
                    }
                    // At a varying point around the end of the call.
                    (0..round % 200).for_each(|_| std::hint::spin_loop());
                    wasm_ref_delete(last.get());
                });
                assert!(call::<0>(func, &[]).is_ok());
                join([thread]);
            });
            wasm_engine_delete(world.engine);
            drop(Box::from_raw(parting));
        }
        assert_eq!(finalized.get(), round + 1);
    }
}

unsafe extern "C" fn ignore(_: *mut c_void) {}

#[test]
fn engines_and_shared_modules_serve_many_threads() {
    let world = World::new();
    unsafe {
        let module = world.module(r#"(module (func (export "f") (result i32) (i32.const 6)))"#);
        let shared = wasm_module_share(module);
        std::thread::scope(|scope| {
            let threads = [(); 3].map(|()| {
                let (engine, shared) = (Carried(world.engine), Carried(shared));
                scope.spawn(move || {
                    let store = wasm_store_new(engine.get());
                    let module = wasm_module_obtain(store, shared.get());
                    let instance = wasm_instance_new(store, module, null(), null_mut());
                    let exports = Exports::of(instance);
                    assert_eq!(call_i32(exports.func(0), &[]), Ok(6));
                    assert!(wasm_module_new(store, null()).is_null());
                    assert!(last_error().contains("NULL"), "of this thread alone");
                    drop(exports);
                    wasm_instance_delete(instance);
                    wasm_module_delete(module);
                    wasm_store_delete(store);
                })
            });
            join(threads);
        });
        wasm_shared_module_delete(shared);
        wasm_module_delete(module);
        wasm_config_delete(wasm_config_new());
        world.delete();
    }
}

// Callers

/// What a callback is to find: its caller's instance, by the host info that this points to, and a byte of its memory.
struct Expected {
    caller: *const wasmrt_caller_t,
    instances: Vec<*mut wasm_instance_t>,
    bytes: Vec<u8>,
}

unsafe extern "C" fn look(
    env: *mut c_void,
    caller: *const wasmrt_caller_t,
    _: *const wasm_val_vec_t,
    _: *mut wasm_val_vec_t,
) -> *mut wasm_trap_t {
    unsafe {
        let store = wasmrt_caller_store(caller);
        let seen = &mut *wasmrt_store_data(store).cast::<Expected>();
        assert!(!env.is_null());
        seen.caller = caller;
        seen.instances.push(wasm_instance_copy(wasmrt_caller_instance(caller)));
        let mut size = 0;
        let memory = wasmrt_caller_memory(caller, &mut size);
        if !memory.is_null() {
            assert_eq!(size, 65_536);
            seen.bytes.push(memory.read() as u8);
        }
    }
    null_mut()
}

#[test]
fn callbacks_find_their_callers_while_these_start_and_when_all_handles_are_gone() {
    let (world, finalized) = (World::new(), Count::new());
    let mut seen = Expected { caller: null(), instances: Vec::new(), bytes: Vec::new() };
    unsafe {
        assert!(wasmrt_store_set_data(world.store, (&raw mut seen).cast(), None));
        let ty = functype(&[], &[]);
        let func = wasmrt_func_new_with_caller(world.store, ty, Some(look), finalized.info(), Some(count));
        wasm_functype_delete(ty);
        let text = |byte: u8| {
            format!(
                "(module (import \"m\" \"f\" (func $f)) (memory (export \"memory\") 1)
                    (data (i32.const 0) \"\\{byte:02x}\") (table (export \"t\") 1 funcref)
                    (elem (i32.const 0) $f) (func $start (call $f)) (start $start)
                    (func (export \"f\") (call_indirect (i32.const 0))))"
            )
        };
        let import = [wasm_func_as_extern(func)];
        let instances = [world.instance(&text(3), &import), world.instance(&text(4), &import)];
        for (instance, found) in instances.iter().zip(&seen.instances) {
            assert!(wasm_instance_same(*instance, *found));
        }
        assert_eq!(seen.bytes, [3, 4]);
        // The host calls: there is no instance.
        assert!(call::<0>(func, &[]).is_ok());
        assert!(seen.instances[2].is_null() && seen.bytes.len() == 2);
        // In a table it is the function itself, which comes out as the object that went in.
        let mut exports = wasm_extern_vec_t::empty();
        wasm_instance_exports(instances[1], &mut exports);
        let element = wasm_table_get(wasm_extern_as_table(exports.elements()[1]), 0);
        assert_eq!(element, wasm_func_as_ref(func));
        wasm_ref_delete(element);
        instances.iter().for_each(|instance| wasm_instance_delete(*instance));
        seen.instances.drain(..).for_each(|instance| wasm_instance_delete(instance));
        wasm_func_delete(func);
        assert!(call::<0>(wasm_extern_as_func(exports.elements()[2]), &[]).is_ok());
        assert_eq!(seen.bytes, [3, 4, 4]);
        seen.instances.drain(..).for_each(|instance| wasm_instance_delete(instance));
        // The call is over, which the caller says as long as its function exists.
        assert!(wasmrt_caller_instance(seen.caller).is_null());
        assert!(last_error().contains("has returned"));
        assert_eq!(finalized.get(), 0);
        wasm_extern_vec_delete(&mut exports);
        world.delete();
        assert_eq!(finalized.get(), 1);
    }
}

/// Doubles its argument, counts, and traps at the number 4,444.
unsafe extern "C" fn double(env: *mut c_void, values: *mut wasmrt_raw_t) -> *mut wasm_trap_t {
    unsafe {
        let world = &*env.cast::<World>();
        if (*values).i32 == 4444 {
            return world.trap("no further");
        }
        (*values).i32 *= 2;
    }
    null_mut()
}

#[test]
fn many_rows_and_unchecked_calls() {
    let world = World::new();
    const F64: u8 = ValKind::F64 as u8;
    unsafe {
        let ty = functype(&[I32], &[I32]);
        let func = wasmrt_func_new_unchecked(world.store, ty, Some(double), (&raw const world).cast_mut().cast(), None);
        wasm_functype_delete(ty);
        let instance = world.instance(
            "(module (import \"\" \"f\" (func $f (param i32) (result i32)))
                (func (export \"g\") (param i32 f64) (result f64 i32)
                    local.get 1 (i32.add (call $f (local.get 0)) (i32.const 1)))
                (func (export \"h\") (param i32) (result i32) (i32.add (local.get 0) (i32.const 3))))",
            &[wasm_func_as_extern(func)],
        );
        let exports = Exports::of(instance);

        const ROWS: usize = 4500;
        let mut numbers: Vec<i32> = (0..ROWS as i32).collect();
        let mut halves: Vec<f64> = (0..ROWS).map(|row| row as f64 / 2.0).collect();
        let (mut same, mut doubled) = (vec![0.0; ROWS], vec![0; ROWS]);
        let column = |kind, data: *mut c_void| wasmrt_column_t { kind, size: ROWS, data };
        let args = [column(I32, numbers.as_mut_ptr().cast()), column(F64, halves.as_mut_ptr().cast())];
        let results = [column(F64, same.as_mut_ptr().cast()), column(I32, doubled.as_mut_ptr().cast())];
        // So many rows that the engine is given a loop for them, few that it calls in one go, and very few.
        for rows in [ROWS, 100, 3] {
            let (mut done, mut trap) = (0, null_mut());
            let (a, r) = (args.as_ptr(), results.as_ptr());
            let whole = wasmrt_func_call_batch(exports.func(0), rows, a, 2, r, 2, &mut done, &mut trap);
            assert_eq!((whole, done), (rows < ROWS, rows.min(4444)));
            assert!((0..done).all(|row| doubled[row] == 2 * row as i32 + 1 && same[row] == row as f64 / 2.0));
            assert!(rows < ROWS || doubled[4444..].iter().all(|result| *result == 0));
            if !trap.is_null() {
                let mut frames = wasm_frame_vec_t::empty();
                wasm_trap_trace(trap, &mut frames);
                assert_eq!(frames.elements().len(), 1, "the loop's frame is not the guest's");
                wasm_frame_vec_delete(&mut frames);
                assert_eq!(message_of(trap), "no further");
            }
            doubled.fill(0);
            same.fill(0.0);
        }
        let mut values = [wasmrt_raw_t { i32: 20 }];
        assert!(wasmrt_func_call_unchecked(exports.func(1), values.as_mut_ptr()).is_null());
        assert_eq!(values[0].i32, 23);
        assert!(wasmrt_func_call_unchecked(func, values.as_mut_ptr()).is_null());
        assert_eq!(values[0].i32, 46);
        drop(exports);
        wasm_instance_delete(instance);
        wasm_func_delete(func);
        world.delete();
    }
}

#[test]
fn new_handles_may_be_given_up_at_once() {
    let world = World::new();
    // SAFETY: the world has the store's handle until its end.
    let store = unsafe { &*world.store.cast::<Store>() };
    let (first, second) =
        (Object::create_retained(store, Body::Foreign), Object::create_retained(store, Body::Foreign));
    // More than there are objects, as many, and fewer.
    for most in [5, 2, 0] {
        let mut handles = NewHandles::of(store, most);
        drop(handles.add(&first));
        let kept = [handles.add(&second), handles.add(&second)];
        drop(handles);
        assert!(!store.is_closed());
        drop(kept);
        assert!(!store.is_closed(), "{most}");
    }
    drop((first, second));
    world.delete();
    assert!(store.is_closed());
}
