//! A backend for tests that panics in everything except making engines, stores, modules and instances.

use crate::runtime::base::error::Result;
use crate::runtime::base::options::{Options, Proposal, Setting};
use crate::runtime::base::types::{ExternKind, FuncType, GlobalType, MemoryType, TableType};
use crate::runtime::binary::artifact::Payload;
use crate::runtime::core::engine_traits::{
    Backend, CallNumeric, Engine, Entity, Failure, FuncKey, Module, Prepared, Store,
};
use crate::runtime::core::entry::{Entry, engine_entry};
use crate::runtime::core::func::Func;
use crate::runtime::core::object::{Handle, Object, Retained};
use crate::runtime::core::store::Store as RuntimeStore;
use crate::runtime::core::value::Val;
use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

pub struct Panicking;

impl Backend for Panicking {
    fn name(&self) -> &'static CStr {
        c"panicking"
    }
    fn version(&self) -> &'static CStr {
        c"0"
    }
    fn has(&self, _proposal: Proposal) -> bool {
        false
    }
    fn can(&self, _setting: Setting) -> bool {
        false
    }
    fn new_engine(&self, _options: &Options) -> Result<Box<dyn Engine>> {
        Ok(Box::new(Panicking))
    }
}

impl Engine for Panicking {
    fn settings(&self) -> String {
        String::new()
    }
    fn compile(&self, _wasm: &[u8]) -> Result<Box<dyn Module>> {
        Ok(Box::new(Panicking))
    }
    fn validate(&self, _wasm: &[u8]) -> Result<()> {
        panic!("validate")
    }
    unsafe fn deserialize(&self, _image: &[u8], _rest: &[u8]) -> Result<Box<dyn Module>> {
        panic!("deserialize")
    }
    unsafe fn new_store(&self, _owner: NonNull<RuntimeStore>) -> Result<Box<dyn Store>> {
        Ok(Box::new(Panicking))
    }
}

impl Module for Panicking {
    fn serialize(&self) -> Result<Payload<'_>> {
        panic!("serialize")
    }
    fn code_bytes(&self) -> usize {
        0
    }
    fn identity(&self) -> usize {
        0
    }
}

impl Store for Panicking {
    unsafe fn instantiate(&self, _: &dyn Module, _: &[Retained], _: Option<&Prepared>) -> Result<Entity, Box<Failure>> {
        Ok(Entity::new(()))
    }
    unsafe fn export(&self, _: &Entity, _: &dyn Module, _: &str, _: ExternKind) -> Entity {
        Entity::new(())
    }
    unsafe fn new_func(&self, _: NonNull<Object>, _: &FuncType) -> Entity {
        panic!("new_func")
    }
    unsafe fn func_key(&self, _: &Entity) -> FuncKey {
        panic!("func_key")
    }
    unsafe fn func_type(&self, _: &Entity) -> FuncType {
        panic!("func_type")
    }
    fn entry(&self, ty: &FuncType) -> Entry {
        engine_entry::<Panicking>(ty)
    }
    unsafe fn call(&self, _: &Func, _: &[Val], _: &mut [MaybeUninit<Val>]) -> Result<(), Box<Failure>> {
        panic!("call")
    }
    unsafe fn new_global(&self, _: &GlobalType, _: &Val) -> Result<Entity> {
        panic!("new_global")
    }
    unsafe fn global_get(&self, _: &Entity, _: &GlobalType, _: &mut MaybeUninit<Val>) -> Result<()> {
        panic!("global_get")
    }
    unsafe fn global_set(&self, _: &Entity, _: &GlobalType, _: &Val) -> Result<()> {
        panic!("global_set")
    }
    unsafe fn new_table(&self, _: &TableType, _: Option<&Object>) -> Result<Entity> {
        panic!("new_table")
    }
    unsafe fn table_get(&self, _: &Entity, _: &TableType, _: u64) -> Option<Result<Option<Handle>>> {
        panic!("table_get")
    }
    unsafe fn table_set(&self, _: &Entity, _: &TableType, _: u64, _: Option<&Object>) -> Result<()> {
        panic!("table_set")
    }
    unsafe fn table_size(&self, _: &Entity) -> u64 {
        panic!("table_size")
    }
    unsafe fn table_grow(&self, _: &Entity, _: &TableType, _: u64, _: Option<&Object>) -> Result<()> {
        panic!("table_grow")
    }
    unsafe fn new_memory(&self, _: &MemoryType) -> Result<Entity> {
        panic!("new_memory")
    }
    unsafe fn memory_bytes(&self, _: &Entity) -> *mut [u8] {
        panic!("memory_bytes")
    }
    unsafe fn memory_size(&self, _: &Entity) -> u64 {
        panic!("memory_size")
    }
    unsafe fn memory_grow(&self, _: &Entity, _: u64) -> Result<u64> {
        panic!("memory_grow")
    }
    fn fuel(&self) -> u64 {
        panic!("fuel")
    }
    fn set_fuel(&self, _: u64) {
        panic!("set_fuel")
    }
}

impl CallNumeric for Panicking {
    type Error = ();

    unsafe fn call_numeric(&self, func: &Func, _: &[Val], _: &mut [MaybeUninit<Val>], _: bool) -> Result<(), ()> {
        if func.ty.results.is_empty() { panic!("call") } else { Err(()) }
    }
    fn explain(&self, _: ()) -> Failure {
        panic!("explain")
    }
}
