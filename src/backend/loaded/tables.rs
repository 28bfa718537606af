//! What is known of the elements of tables. Libraries do not say which function an element is, so that is remembered, as
//! long as WebAssembly cannot change the table: only instructions of modules that have it could, and most modules have none.

use super::api::{PeerFunc, PeerTable};
use super::module::ModuleData;
use super::store::LoadedStore;
use crate::runtime::base::error::Result;
use crate::runtime::core::engine_traits::Entity;
use crate::runtime::core::object::{Body, Handle, Object, Retained};
use rustc_hash::FxHashMap;
use std::cell::RefCell;
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::Arc;
use wasmparser::{ElementItems, ElementKind, ElementSectionReader, FunctionBody, Operator};

/// What a module does with its tables, if others can have one of them.
#[derive(Default)]
pub struct TableUse {
    /// For each imported function and table, its position among the imports.
    pub imported_funcs: Vec<usize>,
    pub imported_tables: Vec<usize>,
    /// For each table that the module defines, whether its elements are null at first.
    pub defined: Vec<bool>,
    /// For each export of a table, its position among the exports, and the table.
    pub exported: Vec<(usize, u32)>,
    /// The tables that instructions change.
    written: Vec<bool>,
    segments: Vec<Segment>,
}

struct Segment {
    table: u32,
    /// `None` if the place or the contents are not plain.
    contents: Option<(u32, Vec<Option<u32>>)>,
}

/// What is known of a table.
pub struct Known {
    /// `None` if that is not known.
    elements: RefCell<Option<Elements>>,
    /// Whether the host has made it.
    by_host: bool,
}

#[derive(Default)]
struct Elements {
    /// Those that are not null.
    elements: FxHashMap<u32, Element>,
    /// Segments that have been written since. They are looked at when an element is asked for.
    written: Vec<Written>,
}

/// A segment of an instance, by its position in the module, with the module's imports.
struct Written {
    data: Arc<ModuleData>,
    segment: usize,
    instance: usize,
    imports: Rc<[NonNull<Object>]>,
}

#[derive(Clone, Copy)]
enum Element {
    /// An object that the store retains.
    Object(NonNull<Object>),
    /// A function that an instance defines, by the instance's position in the store's list.
    Defined(usize, u32),
}

/// What WebAssembly may call in a store, of tables.
#[derive(Default)]
pub struct Tables {
    known: RefCell<FxHashMap<*mut PeerTable, Rc<Known>>>,
    /// The functions that were found in tables and are not exported.
    funcs: RefCell<FxHashMap<(usize, u32), *mut PeerFunc>>,
    /// The modules of instances whose functions are in tables.
    modules: RefCell<FxHashMap<usize, Arc<ModuleData>>>,
}

/// More elements than this are not remembered one by one.
const MOST_REMEMBERED: u64 = 100_000;

impl Known {
    fn new(is_known: bool, by_host: bool) -> Rc<Known> {
        Rc::new(Known { elements: RefCell::new(is_known.then(Elements::default)), by_host })
    }

    fn forget(&self) {
        self.elements.take();
    }

    fn set(&self, index: u64, element: Option<Element>) {
        if let (Some(elements), Ok(index)) = (&mut *self.elements.borrow_mut(), u32::try_from(index)) {
            elements.settle();
            elements.set(index, element);
        }
    }

    /// Returns an element; `None` if it is not known.
    fn get(&self, index: u64) -> Option<Option<Element>> {
        let mut elements = self.elements.borrow_mut();
        let elements = elements.as_mut()?;
        elements.settle();
        Some(elements.elements.get(&u32::try_from(index).ok()?).copied())
    }
}

impl Elements {
    fn set(&mut self, index: u32, element: Option<Element>) {
        match element {
            Some(element) => self.elements.insert(index, element),
            None => self.elements.remove(&index),
        };
    }

    /// Looks at the segments that have been written.
    fn settle(&mut self) {
        for Written { data, segment, instance, imports } in std::mem::take(&mut self.written) {
            let Some(tables) = &data.table_use else { continue };
            let Some((offset, items)) = &tables.segments[segment].contents else { continue };
            for (item, index) in items.iter().zip(*offset..) {
                let element = item.map(|func| match tables.imported_funcs.get(func as usize) {
                    // The store retains it, because it was imported.
                    Some(import) => Element::Object(imports[*import]),
                    None => Element::Defined(instance, func),
                });
                self.set(index, element);
            }
        }
    }
}

impl TableUse {
    /// Whether another one can have a table of the module.
    pub fn is_shared(&self) -> bool {
        !self.imported_tables.is_empty() || !self.exported.is_empty()
    }

    #[cfg(test)]
    pub fn writes(&self) -> bool {
        self.written.contains(&true)
    }

    fn count(&self) -> usize {
        self.imported_tables.len() + self.defined.len()
    }

    /// Reads what a function does.
    pub fn read_body(&mut self, body: &FunctionBody) {
        let read = self.read_operators(body);
        self.write_all_unless(read);
    }

    pub fn read_segments(&mut self, section: ElementSectionReader) {
        let read = section.into_iter().try_for_each(|segment| self.read_segment(segment?));
        self.write_all_unless(read);
    }

    /// The library may know instructions that are not known here, and do anything.
    fn write_all_unless(&mut self, read: wasmparser::Result<()>) {
        if read.is_err() {
            self.written = vec![true; self.count()];
        }
    }

    fn read_operators(&mut self, body: &FunctionBody) -> wasmparser::Result<()> {
        for operator in body.get_operators_reader()? {
            let table = match operator? {
                Operator::TableSet { table } | Operator::TableFill { table } | Operator::TableGrow { table } => table,
                Operator::TableInit { table, .. } => table,
                Operator::TableAtomicSet { table_index, .. }
                | Operator::TableAtomicRmwXchg { table_index, .. }
                | Operator::TableAtomicRmwCmpxchg { table_index, .. } => table_index,
                Operator::TableCopy { dst_table, .. } => dst_table,
                _ => continue,
            };
            self.written.resize(self.count(), false);
            self.written.get_mut(table as usize).into_iter().for_each(|written| *written = true);
        }
        Ok(())
    }

    fn read_segment(&mut self, segment: wasmparser::Element) -> wasmparser::Result<()> {
        let ElementKind::Active { table_index, offset_expr } = segment.kind else { return Ok(()) };
        let mut operators = offset_expr.get_operators_reader();
        let offset = match (operators.read()?, operators.read()?) {
            (Operator::I32Const { value }, Operator::End) => Some(value as u32),
            _ => None,
        };
        let items = match segment.items {
            ElementItems::Functions(funcs) => {
                funcs.into_iter().map(|func| func.map(Some)).collect::<wasmparser::Result<Vec<_>>>().map(Some)?
            }
            ElementItems::Expressions(_, expressions) => {
                let mut items = Some(Vec::new());
                for expression in expressions {
                    let mut operators = expression?.get_operators_reader();
                    let item = match (operators.read()?, operators.read()?) {
                        (Operator::RefNull { .. }, Operator::End) => Some(None),
                        (Operator::RefFunc { function_index }, Operator::End) => Some(Some(function_index)),
                        _ => None,
                    };
                    items = items.zip(item).map(|(mut items, item)| {
                        items.push(item);
                        items
                    });
                }
                items
            }
        };
        self.segments.push(Segment { table: table_index.unwrap_or(0), contents: offset.zip(items) });
        Ok(())
    }
}

impl LoadedStore {
    /// Begins to remember the elements of a table that the host makes.
    pub fn remember_table(&self, table: *mut PeerTable, size: u64, init: Option<&Object>) {
        let known = Known::new(true, true);
        self.tables.known.borrow_mut().insert(table, known.clone());
        self.remember_grown(&known, 0, size, init);
    }

    fn known_of(&self, table: *mut PeerTable) -> Option<Rc<Known>> {
        self.tables.known.borrow().get(&table).cloned()
    }

    /// Whether the host has made a table.
    pub fn is_of_host(&self, table: *mut PeerTable) -> bool {
        self.known_of(table).is_some_and(|known| known.by_host)
    }

    /// Remembers an element that the host has set.
    pub fn remember_element(&self, table: *mut PeerTable, index: u64, object: Option<&Object>) {
        if let Some(known) = self.known_of(table) {
            known.set(index, object.map(|object| Element::Object(NonNull::from(object))));
        }
    }

    /// Remembers the elements that the host has added.
    pub fn remember_growth(&self, table: *mut PeerTable, former: u64, delta: u64, init: Option<&Object>) {
        if let Some(known) = self.known_of(table) {
            self.remember_grown(&known, former, delta, init);
        }
    }

    fn remember_grown(&self, known: &Known, former: u64, delta: u64, init: Option<&Object>) {
        let Some(object) = init else { return };
        if delta > MOST_REMEMBERED {
            return known.forget();
        }
        (former..former + delta).for_each(|index| known.set(index, Some(Element::Object(NonNull::from(object)))));
    }

    /// Returns what is known of the tables that an instance will have: of each of the module's tables, the imported ones
    /// first. What WebAssembly may change from now on is forgotten.
    pub fn tables_of(&self, data: &ModuleData, imports: &[Retained]) -> Vec<Rc<Known>> {
        let Some(tables) = &data.table_use else { return Vec::new() };
        let imported = tables.imported_tables.iter().map(|position| match &imports[*position].body {
            // SAFETY: entities of tables are made from such a pointer.
            Body::Table(table) => self.known_of(unsafe { table.entity.get() }),
            _ => None,
        });
        let imported = imported.map(|known| known.unwrap_or_else(|| Known::new(false, false)));
        let all: Vec<_> = imported.chain(tables.defined.iter().map(|are_null| Known::new(*are_null, false))).collect();
        let written = all.iter().zip(&tables.written).filter(|(_, written)| **written);
        written.for_each(|(known, _)| known.forget());
        all
    }

    /// Notes that an instance with these tables could not be made: some of its segments may have been written.
    pub fn forget_segments(&self, data: &ModuleData, tables: &[Rc<Known>]) {
        let segments = data.table_use.iter().flat_map(|tables| &tables.segments);
        segments.filter_map(|segment| tables.get(segment.table as usize)).for_each(|known| known.forget());
    }

    /// Remembers what the segments of an instance have written.
    pub fn remember_segments(
        &self,
        data: &Arc<ModuleData>,
        imports: &[Retained],
        tables: Vec<Rc<Known>>,
        instance: usize,
    ) {
        let Some(TableUse { exported, segments, .. }) = &data.table_use else { return };
        let imports: Rc<[_]> = imports.iter().map(Retained::as_ptr).collect();
        for (segment, Segment { table, contents }) in segments.iter().enumerate() {
            let Some(known) = tables.get(*table as usize) else { continue };
            if contents.is_none() {
                known.forget();
            } else if let Some(elements) = &mut *known.elements.borrow_mut() {
                elements.written.push(Written { data: data.clone(), segment, instance, imports: imports.clone() });
            }
        }
        for (position, table) in exported {
            let export = self.export_at(instance, *position);
            // SAFETY: the export is a table of the instance, as its kind was checked.
            let table_of = unsafe { (self.peer.api.extern_as_table)(export) };
            let known = tables.get(*table as usize).cloned();
            known.into_iter().for_each(|known| _ = self.tables.known.borrow_mut().insert(table_of, known));
        }
        if !segments.is_empty() {
            self.tables.modules.borrow_mut().insert(instance, data.clone());
        }
    }

    /// Returns an element of a table, if it is known which one that is: `None` if not.
    ///
    /// # Safety
    /// The table is one of this store, and has this element.
    pub unsafe fn known_element(&self, table: *mut PeerTable, index: u64) -> Option<Result<Option<Handle>>> {
        Some(match self.known_of(table)?.get(index)? {
            None => Ok(None),
            // SAFETY: the store retains the object.
            Some(Element::Object(object)) => Ok(Some(Handle::new(unsafe { object.as_ref() }))),
            Some(Element::Defined(instance, func)) => {
                // SAFETY: the contract is the same.
                let func = match unsafe { self.defined(table, index, instance, func) }? {
                    Ok(func) => func,
                    Err(error) => return Some(Err(error)),
                };
                // SAFETY: the function is one of this store.
                Ok(Some(unsafe { self.owner().function_reference(Entity::new(func)) }))
            }
        })
    }

    /// Returns a function that an instance defines: what it exports, or one that is made of the element. `None` if that
    /// cannot be.
    ///
    /// # Safety
    /// As for [`LoadedStore::known_element`].
    unsafe fn defined(
        &self,
        table: *mut PeerTable,
        index: u64,
        instance: usize,
        func: u32,
    ) -> Option<Result<*mut PeerFunc>> {
        if let Some(known) = self.tables.funcs.borrow().get(&(instance, func)) {
            return Some(Ok(*known));
        }
        let data = self.tables.modules.borrow().get(&instance)?.clone();
        let (position, ty) = data.defined_func(func)?;
        let api = &self.peer.api;
        let made = match position {
            Some(position) => {
                // SAFETY: the export is a function, as its kind was checked.
                let made = unsafe { (api.extern_as_func)(self.export_at(instance, position)) };
                self.note_type(made, ty);
                made
            }
            None => {
                // SAFETY: the contract says that there is such an element; the reference is owned.
                let found = unsafe {
                    let reference = NonNull::new((api.table_get)(table, index as u32))?;
                    self.func_from(reference, Some(&ty))
                };
                match found {
                    Ok(found) => found?,
                    Err(error) => return Some(Err(error)),
                }
            }
        };
        self.tables.funcs.borrow_mut().insert((instance, func), made);
        Some(Ok(made))
    }
}
