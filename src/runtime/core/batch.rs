//! Calls of a function for many rows, whose arguments and results are columns.
//!
//! A call from the host costs an engine more than one from WebAssembly. So where it pays, the rows are called by a
//! [loop](call_loop) that runs in the engine: a module that is compiled once for a type of functions, and of which each
//! store has at most one instance. It belongs to no guest: limits do not count it, and traps do not show it.
//!
//! Elsewhere each row is a call of its own: for a host function, where values are references, and where fuel is counted,
//! of which the loop would use some. It also is where the loop itself waits for the call in which this one was made, and
//! with a pool of instances, which are the guests'.

use super::engine::Engine;
use super::engine_traits::{self, Entity, Failure, RawFrame};
use super::entry::{call_any, call_raw};
use super::func::Func;
use super::object::{Handle, Object};
use super::store::Store;
use super::value::{Raw, Val, ValUnion, with_room};
use crate::runtime::base::error::{Error, ErrorKind, Result};
use crate::runtime::base::float_mode;
use crate::runtime::base::trap_code::TrapCode;
use crate::runtime::base::types::{ExternKind, FuncType, FuncTypeData, Limits, TableType, ValKind, ValType};
use crate::runtime::binary::call_loop::{self, Layout, width};
use std::cell::{Cell, OnceCell, RefCell};
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

/// The values of one parameter or result, one for each row.
#[repr(C)]
pub struct Column {
    pub kind: u8,
    /// The number of values.
    pub size: usize,
    /// The array of values, which need not be aligned; null for results that are not wanted.
    pub data: *mut c_void,
}

/// Calls a function for each row. Returns the number of rows that were done, and the trap of the next one if there is
/// one. The results of the rows that were done are written, and those of no other. Fails if the columns do not match
/// the function; then nothing has run.
///
/// # Safety
/// Columns with data have an array of `size` values of their kind. Arguments of a reference kind are null or live handles. A column of
/// results may be the same array as one of arguments whose values have the same size, but not overlap one in another way.
pub unsafe fn call(
    object: &Object,
    rows: usize,
    args: &[Column],
    results: &[Column],
) -> Result<(usize, Option<Handle>)> {
    let func = object.as_func().ok_or_else(|| super::object::wrong_kind(object, "a function"))?;
    check(&func.ty, rows, args, results)?;
    let mut batch = Batch { object, func, args, results, rows, done: 0 };
    let trap = object.store().run(|store| batch.run(store).err());
    Ok((batch.done, trap))
}

fn check(ty: &FuncType, rows: usize, args: &[Column], results: &[Column]) -> Result<()> {
    if let Some(ty) = ty.uncarried() {
        let message = format!("the function's type has a {ty}, which a column cannot have");
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    for (role, columns, types) in [("argument", args, &ty.params), ("result", results, &ty.results)] {
        if columns.len() != types.len() {
            let (expected, got) = (types.len(), columns.len());
            return Err(Error::misuse(format!("expected {expected} {role} columns {types}, got {got}")));
        }
        for (position, (column, ty)) in columns.iter().zip(types.iter()).enumerate() {
            let name = || format!("{role} column {}", position + 1);
            if column.data.is_null() && (role == "result" || rows == 0) {
                continue;
            }
            if column.kind != ty.kind as u8 {
                let got = Val { kind: column.kind, ..Val::i32(0) }.kind_name();
                return Err(Error::misuse(format!("{}: expected {ty}, got {got}", name())));
            }
            if column.data.is_null() {
                return Err(Error::misuse(format!("{}: expected {rows} values, got NULL", name())));
            }
            if column.size < rows || rows > isize::MAX as usize / width(ty.kind) {
                return Err(Error::misuse(format!("{}: expected {rows} values, got {}", name(), column.size)));
            }
        }
    }
    Ok(())
}

/// A call that is running.
struct Batch<'a> {
    object: &'a Object,
    func: &'a Func,
    args: &'a [Column],
    results: &'a [Column],
    rows: usize,
    done: usize,
}

impl Batch<'_> {
    fn run(&mut self, store: &Store) -> Result<(), Handle> {
        if self.rows == 0 {
            return Ok(());
        }
        // The batch is one call from outside, which a timeout bounds as a whole.
        let supervised = store.begin_call();
        let _supervised = supervised.map_err(|code| self.trap(store, Failure::Trap(code, Vec::new())))?;
        if let Some(looped) = self.find_loop(store) {
            self.run_loop(store, &looped)?;
        }
        self.run_rows(store)
    }

    fn trap(&self, store: &Store, failure: Failure) -> Handle {
        store.trap(failure, self.func.origin())
    }

    fn find_loop(&self, store: &Store) -> Option<Rc<Loop>> {
        let options = &store.engine().options;
        // Columns have the machine's order of bytes, and the loop's memory is in little-endian order.
        let possible = cfg!(target_endian = "little")
            && self.func.ty.numeric
            && !self.func.is_host()
            && !options.fuel
            && options.pooling.is_none();
        possible.then(|| store.call_loops.find(store, &self.func.ty, self.rows)).flatten()
    }

    /// Lets the loop call the rows. Leaves those that it cannot call.
    fn run_loop(&mut self, store: &Store, looped: &Loop) -> Result<(), Handle> {
        let _busy = Busy::begin(&looped.busy);
        let Layout { rows: most, step, params, results } = &looped.code.layout;
        // SAFETY: the table is of this store and of functions, and so is the object.
        if unsafe { store.backend().table_set(&looped.table, &table_type(), 0, Some(self.object)) }.is_err() {
            return Ok(());
        }
        // SAFETY: the memory is of this store.
        let memory = || unsafe { store.backend().memory_bytes(&looped.memory) }.cast::<u8>();
        while self.done < self.rows {
            let count = (self.rows - self.done).min(*most);
            let bytes = memory();
            for ((column, kind), offset) in self.args.iter().zip(&self.func.ty.param_kinds).zip(params) {
                // SAFETY: `check` has found that the column has so many values. The layout is one within the memory,
                // to which nothing else has access.
                unsafe {
                    let (from, length) = (column.at(self.done, *kind), count * width(*kind));
                    std::ptr::copy_nonoverlapping(from, bytes.add(*offset), length);
                }
            }
            // SAFETY: the memory begins with the counter.
            unsafe { bytes.cast::<u32>().write(0) };
            let end = Val::i32((count * step) as i32);
            // SAFETY: the function is of this store's engine, and has one parameter, of type i32, and no result.
            let answer = unsafe { store.backend().call(&looped.func, &[end], &mut []) };
            let bytes = memory();
            let ran = match answer {
                Ok(()) => count,
                // SAFETY: the memory begins with the counter.
                Err(_) => (unsafe { bytes.cast::<u32>().read() } as usize / step).min(count),
            };
            for ((column, kind), offset) in self.results.iter().zip(&self.func.ty.result_kinds).zip(results) {
                if !column.data.is_null() {
                    // SAFETY: as for the arguments.
                    unsafe {
                        let (to, length) = (column.at(self.done, *kind), ran * width(*kind));
                        std::ptr::copy_nonoverlapping(bytes.add(*offset), to, length);
                    }
                }
            }
            self.done += ran;
            match answer.map_err(|failure| *failure) {
                Ok(()) => {}
                Err(Failure::Trap(TrapCode::IndirectCallTypeMismatch, frames)) if looped.is_innermost(&frames) => {
                    // The function's type is not the one that was written for the loop, though it has the same
                    // parameters and results: it is one of a group, or has subtypes.
                    return Ok(());
                }
                Err(failure) => return Err(self.trap(store, failure)),
            }
        }
        Ok(())
    }

    /// Calls the rows that are left, one by one.
    fn run_rows(&mut self, store: &Store) -> Result<(), Handle> {
        let FuncTypeData { param_kinds, result_kinds, numeric, .. } = &*self.func.ty;
        match *numeric {
            true => with_room(param_kinds.len().max(result_kinds.len()), |values| {
                self.run_each(store, |batch| batch.run_row_of_numbers(values))
            }),
            false => with_room(param_kinds.len(), |args| {
                with_room(result_kinds.len(), |results| self.run_each(store, |batch| batch.run_row(args, results)))
            }),
        }
    }

    fn run_each(&mut self, store: &Store, mut run: impl FnMut(&Self) -> Result<(), Handle>) -> Result<(), Handle> {
        while self.done < self.rows {
            // Calls of host functions are not supervised by themselves.
            if self.func.is_host()
                && let Some(code) = store.must_stop()
            {
                return Err(self.trap(store, Failure::Trap(code, Vec::new())));
            }
            run(self)?;
            self.done += 1;
        }
        Ok(())
    }

    /// Calls the next row of a function whose types are numbers. There is room for all of its parameters and results.
    fn run_row_of_numbers(&self, values: &mut [MaybeUninit<Raw>]) -> Result<(), Handle> {
        let ty = &self.func.ty;
        for ((slot, column), kind) in values.iter_mut().zip(self.args).zip(&ty.param_kinds) {
            // SAFETY: `check` has found that the column has a value for this row.
            slot.write(unsafe { column.read_number(self.done, *kind) });
        }
        let place = NonNull::from(&mut *values).cast();
        // SAFETY: the loop above has written all arguments, and there is room for the results.
        unsafe { call_raw(self.object, self.func, place) }?;
        for ((value, column), kind) in values.iter().zip(self.results).zip(&ty.result_kinds) {
            // SAFETY: the call has written the results; `check` has found that the column has room for this row.
            unsafe { column.write_number(self.done, *kind, value.assume_init_ref()) };
        }
        Ok(())
    }

    /// Calls the next row. There is room for exactly the parameters and results.
    fn run_row(&self, args: &mut [MaybeUninit<Val>], results: &mut [MaybeUninit<Val>]) -> Result<(), Handle> {
        let ty = &self.func.ty;
        for ((slot, column), kind) in args.iter_mut().zip(self.args).zip(&ty.param_kinds) {
            // SAFETY: `check` has found that the column has a value for this row.
            unsafe { column.read(self.done, *kind, slot) };
        }
        // SAFETY: the loop above has initialised all arguments; references in columns are null or live handles.
        unsafe { call_any(self.object, &*(std::ptr::from_ref::<[_]>(args) as *const [Val]), results)? };
        for ((value, column), kind) in results.iter_mut().zip(self.results).zip(&ty.result_kinds) {
            // SAFETY: the call has initialised the results, which own their references; `check` has found that the
            // column has room for this row.
            unsafe { column.write(self.done, *kind, value.assume_init_mut()) };
        }
        Ok(())
    }
}

impl Column {
    /// # Safety
    /// There is a value of this row, or room for one.
    unsafe fn at(&self, row: usize, kind: ValKind) -> *mut u8 {
        // SAFETY: the array has more than `row` values of this kind.
        unsafe { self.data.cast::<u8>().add(row * width(kind)) }
    }

    /// # Safety
    /// The column is of this kind, which is a number's, and there is a value of this row.
    unsafe fn read_number(&self, row: usize, kind: ValKind) -> Raw {
        // SAFETY: the contract is the same, and each kind is read in its width.
        unsafe {
            let place = self.at(row, kind);
            match kind.is_narrow() {
                true => Raw { u32: place.cast::<u32>().read_unaligned() },
                false => Raw { u64: place.cast::<u64>().read_unaligned() },
            }
        }
    }

    /// # Safety
    /// The column and the value are of this kind, which is a number's, and there is room for this row, unless there is no
    /// array.
    unsafe fn write_number(&self, row: usize, kind: ValKind, value: &Raw) {
        if self.data.is_null() {
            return;
        }
        // SAFETY: the contract is the same, and each kind is written in its width.
        unsafe {
            let place = self.at(row, kind);
            match kind.is_narrow() {
                true => place.cast::<u32>().write_unaligned(value.u32),
                false => place.cast::<u64>().write_unaligned(value.u64),
            }
        }
    }

    /// # Safety
    /// The column is of this kind, and there is a value of this row.
    unsafe fn read(&self, row: usize, kind: ValKind, slot: &mut MaybeUninit<Val>) {
        // SAFETY: the contract is the same.
        unsafe {
            if !kind.is_reference() {
                return Val::write_bits(slot, kind, self.read_number(row, kind).bits(kind));
            }
            let of = ValUnion { r#ref: self.at(row, kind).cast::<*mut Object>().read_unaligned() };
            slot.write(Val { kind: kind as u8, of });
        }
    }

    /// # Safety
    /// The value is of this kind, which is the column's, and owns its reference, which is given up. There is room for this
    /// row, unless there is no array.
    unsafe fn write(&self, row: usize, kind: ValKind, value: &mut Val) {
        // SAFETY: the contract is the same.
        unsafe {
            if !kind.is_reference() {
                self.write_number(row, kind, &Raw::of_bits(kind, value.bits(false)));
            } else if self.data.is_null() {
                value.release();
            } else {
                self.at(row, kind).cast::<*mut Object>().write_unaligned(value.of.r#ref);
            }
        }
    }
}

/// With fewer rows, it costs more to prepare the loop for a call than it saves.
const FEWEST_ROWS: usize = 8;

/// How many rows are called one by one before a loop is made that would have called them faster. So the time to make it
/// is never more than what has been spent already, about.
const ROWS_TO_COMPILE: usize = 50_000;
const ROWS_TO_TRANSLATE: usize = 4_000;
const ROWS_TO_INSTANTIATE: usize = 2_000;

/// The most types of functions for which a store keeps a loop, and an engine the code of one.
const MOST_TYPES: usize = 32;

/// The loop for functions of a type, as a module of an engine.
struct Code {
    ty: FuncType,
    layout: Layout,
    module: Box<dyn engine_traits::Module>,
}

/// The loops that an engine has compiled.
#[derive(Default)]
pub struct CallLoops(Mutex<Vec<Arc<Code>>>);

impl CallLoops {
    fn find(&self, ty: &FuncType) -> Option<Arc<Code>> {
        let codes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        codes.iter().find(|code| code.ty == *ty).cloned()
    }

    /// Compiles a loop, for one store alone if the engine keeps many already. `None` if the engine cannot.
    fn make(&self, engine: &Engine, ty: &FuncType) -> Option<Arc<Code>> {
        let (wasm, layout) = call_loop::make(ty, engine.inner.has_writable_fixed_tables()).ok()?;
        let module = float_mode::with_default(|| engine.inner.compile(&wasm)).ok()?;
        let mut codes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have made it meanwhile.
        if let Some(known) = codes.iter().find(|code| code.ty == *ty) {
            return Some(known.clone());
        }
        let code = Arc::new(Code { ty: ty.clone(), layout, module });
        if codes.len() < MOST_TYPES {
            codes.push(code.clone());
        }
        Some(code)
    }
}

/// The loops of a store.
#[derive(Default)]
pub struct StoreLoops(RefCell<Vec<Rc<OfType>>>);

struct OfType {
    ty: FuncType,
    /// The rows that were called one by one since a loop was last made, or tried to be made.
    waited: Cell<usize>,
    looped: OnceCell<Rc<Loop>>,
}

impl StoreLoops {
    /// Returns a loop that can call `rows` rows now, if that pays.
    fn find(&self, store: &Store, ty: &FuncType, rows: usize) -> Option<Rc<Loop>> {
        if rows < FEWEST_ROWS {
            return None;
        }
        let of_type = self.of_type(ty)?;
        if let Some(looped) = of_type.looped.get() {
            return (!looped.busy.get()).then(|| looped.clone());
        }
        let engine = store.engine();
        let code = engine.call_loops.find(ty);
        let waited = of_type.waited.get().saturating_add(rows);
        let enough = match code {
            Some(_) => ROWS_TO_INSTANTIATE,
            None if engine.inner.compiles() => ROWS_TO_COMPILE,
            None => ROWS_TO_TRANSLATE,
        };
        if waited < enough {
            of_type.waited.set(waited);
            return None;
        }
        // If it cannot be made, as many rows later it may.
        of_type.waited.set(0);
        let code = code.or_else(|| engine.call_loops.make(engine, ty))?;
        let looped = Rc::new(Loop::new(store, code)?);
        Some(of_type.looped.get_or_init(|| looped).clone())
    }

    fn of_type(&self, ty: &FuncType) -> Option<Rc<OfType>> {
        let mut types = self.0.borrow_mut();
        if let Some(known) = types.iter().find(|known| known.ty == *ty) {
            return Some(known.clone());
        }
        if types.len() == MOST_TYPES {
            return None;
        }
        types.push(Rc::new(OfType { ty: ty.clone(), waited: Cell::new(0), looped: OnceCell::new() }));
        types.last().cloned()
    }

    /// Leaves out the frames of loops, which are not the guests'.
    pub fn without_their_frames(&self, mut frames: Vec<RawFrame>) -> Vec<RawFrame> {
        let types = self.0.borrow();
        let is_of_loop = |frame: &RawFrame| {
            types
                .iter()
                .filter_map(|of_type| of_type.looped.get())
                .any(|looped| looped.code.module.identity() == frame.module)
        };
        frames.retain(|frame| !is_of_loop(frame));
        frames
    }
}

/// An instance of a loop.
struct Loop {
    code: Arc<Code>,
    memory: Entity,
    table: Entity,
    func: Func,
    /// Whether it runs. What it calls may start another batch.
    busy: Cell<bool>,
}

impl Loop {
    fn new(store: &Store, code: Arc<Code>) -> Option<Loop> {
        // SAFETY: the module is of this store's engine, and has no imports.
        let instantiate = || unsafe { store.backend().instantiate(&*code.module, &[], None) };
        let instance = store.limits().uncounted(instantiate).ok()?;
        let [memory, table, entry] = call_loop::EXPORTS;
        // SAFETY: the instance is of this store and this module, which has these exports.
        let export = |name, kind| unsafe { store.backend().export(&instance, &*code.module, name, kind) };
        let (memory, table) = (export(memory, ExternKind::Memory), export(table, ExternKind::Table));
        let ty = FuncType::new(vec![ValType::new(ValKind::I32)], vec![]);
        let func = Func::of_engine(ty, export(entry, ExternKind::Func), None);
        Some(Loop { code, memory, table, func, busy: Cell::new(false) })
    }

    fn is_innermost(&self, frames: &[RawFrame]) -> bool {
        frames.first().is_some_and(|frame| frame.module == self.code.module.identity())
    }
}

/// The type of the loop's table, which may have another maximum.
fn table_type() -> TableType {
    TableType { element: ValType::new(ValKind::FuncRef), limits: Limits::new(1, None), is_64_bit: false }
}

/// Marks a loop that runs, until this is dropped.
struct Busy<'a>(&'a Cell<bool>);

impl Busy<'_> {
    fn begin(busy: &Cell<bool>) -> Busy<'_> {
        busy.set(true);
        Busy(busy)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}
