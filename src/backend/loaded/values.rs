//! Types and values in a library's form. Numbers are in the same form everywhere.

use super::Peer;
use super::api::{PeerFunc, PeerFuncType, PeerRef, PeerValType, Vector};
use super::dialect::References;
use super::store::LoadedStore;
use crate::runtime::base::error::Result;
use crate::runtime::base::types::{FuncType, ValKind, ValType};
use crate::runtime::core::engine_traits::Entity;
use crate::runtime::core::object::{Handle, Object, Retained, Typed};
use crate::runtime::core::value::{Val, ValUnion};
use std::ptr::{NonNull, null_mut};

impl Peer {
    /// Makes a type of values. The library knows the kind.
    pub fn val_type(&self, kind: ValKind) -> *mut PeerValType {
        // SAFETY: the function takes a number, which is one of the standard's.
        unsafe { (self.api.valtype_new)(kind as u8) }
    }

    fn val_types(&self, types: &[ValType]) -> Vector<*mut PeerValType> {
        let types: Vec<_> = types.iter().map(|ty| self.val_type(ty.kind)).collect();
        let mut vector = Vector::empty();
        // SAFETY: there are as many types as the number says, and the vector takes them over.
        unsafe { (self.api.valtype_vec_new)(&mut vector, types.len(), types.as_ptr()) };
        vector
    }

    /// Runs `body` with a function type, which is deleted afterwards.
    pub fn with_func_type<R>(&self, ty: &FuncType, body: impl FnOnce(*const PeerFuncType) -> R) -> R {
        let (mut params, mut results) = (self.val_types(&ty.params), self.val_types(&ty.results));
        // SAFETY: the vectors are the library's, which takes them over; the type is deleted once.
        unsafe {
            let ty = (self.api.functype_new)(&mut params, &mut results);
            let answer = body(ty);
            (self.api.functype_delete)(ty);
            answer
        }
    }

    /// Returns the type of a function that came out of WebAssembly, if the library tells.
    ///
    /// # Safety
    /// The function is alive, and its type is one that the library can describe.
    pub unsafe fn func_type(&self, func: *const PeerFunc) -> Option<FuncType> {
        let api = &self.api;
        let (params, results) = (api.functype_params?, api.functype_results?);
        let kind = api.valtype_kind?;
        // SAFETY: the function is alive; the type is deleted once, and its parts belong to it.
        unsafe {
            let ty = NonNull::new(api.func_type?(func))?.as_ptr();
            let types = |types: *const Vector<*mut PeerValType>| {
                let kinds = (*types).as_slice().iter().map(|ty| ValKind::from_number(kind(*ty)).map(ValType::new));
                kinds.collect::<Option<Vec<_>>>()
            };
            let both = types(params(ty)).zip(types(results(ty)));
            (api.functype_delete)(ty);
            both.map(|(params, results)| FuncType::new(params, results))
        }
    }
}

impl LoadedStore {
    /// Returns the first kind of a function type that cannot be passed.
    pub fn unpassable(&self, ty: &FuncType) -> Option<ValKind> {
        let kinds = ty.param_kinds.iter().chain(&ty.result_kinds);
        if ty.numeric { None } else { kinds.copied().find(|kind| !self.peer.carries(*kind)) }
    }

    /// Converts a reference to the library's form, which it only borrows.
    ///
    /// # Safety
    /// The object is of this store, and may be referred to by values of this kind.
    pub unsafe fn reference_to(&self, kind: ValKind, object: Option<&Object>) -> Result<*mut PeerRef> {
        let Some(object) = object else { return Ok(null_mut()) };
        match self.peer.references(kind) {
            References::Functions | References::Opaque => {
                if let Some(func) = Typed::of(object, Object::as_func) {
                    // SAFETY: entities of functions of this store are made from such pointers.
                    let entity: *mut PeerFunc = unsafe { func.in_engine().get() };
                    if entity.is_null() {
                        return Err(self.no_host_func(object, &func.ty));
                    }
                    // SAFETY: the function is one of this store, of this type.
                    return unsafe { self.reference_to_func(entity, &func.ty, func.is_host()) };
                }
            }
            References::Foreign => {
                if let Some(reference) = self.reference_to_foreign(object) {
                    return Ok(reference);
                }
            }
            _ => {}
        }
        let name = kind.name();
        Err(self.peer.lacks(format_args!("cannot take a {name} from the host; only null can be passed")))
    }

    /// Returns a reference to an object of the library that stands for one of ours, which stays as long as the store. `None`
    /// if the library has no such objects.
    fn reference_to_foreign(&self, object: &Object) -> Option<*mut PeerRef> {
        let address = NonNull::from(object);
        if let Some(known) = self.foreign.borrow().get(&address) {
            return Some(*known);
        }
        let api = &self.peer.api;
        // Without the last one nothing comes back.
        let (new, set_info, as_ref, _) =
            (api.foreign_new?, api.foreign_set_host_info?, api.foreign_as_ref?, api.ref_get_host_info?);
        // SAFETY: the store is alive; what is made is kept until it is not.
        let reference = unsafe {
            let foreign = NonNull::new(new(self.peer_store()))?;
            set_info(foreign.as_ptr(), address.as_ptr().cast());
            self.keep_foreign(foreign);
            as_ref(foreign.as_ptr())
        };
        self.owner().retain(Retained::new(object));
        self.foreign.borrow_mut().insert(address, reference);
        Some(reference)
    }

    /// Makes a reference that the library may keep of one that it borrows.
    ///
    /// # Safety
    /// The reference is null or alive.
    unsafe fn owned(&self, reference: *mut PeerRef) -> *mut PeerRef {
        match self.peer.api.ref_copy {
            // SAFETY: the reference is alive, as the contract says.
            Some(copy) if !reference.is_null() => unsafe { copy(reference) },
            _ => reference,
        }
    }

    /// Converts a reference of the library, which gives it up. The answer is an owned handle.
    ///
    /// # Safety
    /// The reference is null or an owned one of this store, of this kind.
    pub unsafe fn reference_from(&self, kind: ValKind, reference: *mut PeerRef) -> Result<Option<Handle>> {
        let Some(reference) = NonNull::new(reference) else { return Ok(None) };
        let found = match (self.peer.references(kind), self.peer.api.ref_get_host_info) {
            (References::Foreign, Some(info)) => {
                // SAFETY: the reference is owned. Its host info is the address of an object that the store retains, or null.
                unsafe {
                    let object = NonNull::new(info(reference.as_ptr()).cast::<Object>());
                    self.delete_reference(reference);
                    object.map(|object| Handle::new(object.as_ref()))
                }
            }
            _ => {
                // SAFETY: the reference is owned, and the function one of this store.
                unsafe {
                    let func = self.func_from(reference, None)?;
                    func.map(|func| self.owner().function_reference(Entity::new(func)))
                }
            }
        };
        let name = kind.name();
        let unknown = || self.peer.lacks(format_args!("does not say what a {name} refers to; only null can be passed"));
        found.map(Some).ok_or_else(unknown)
    }

    /// Returns the function that a reference refers to, whose type may be known. `None` if that cannot be found.
    ///
    /// # Safety
    /// The reference is an owned one of this store, which is given up.
    pub unsafe fn func_from(
        &self,
        reference: NonNull<PeerRef>,
        ty: Option<&FuncType>,
    ) -> Result<Option<*mut PeerFunc>> {
        match (self.peer.references(ValKind::FuncRef), self.peer.api.ref_as_func) {
            (References::Functions, Some(as_func)) if ty.is_some() || self.has_described_types() => {
                // SAFETY: the reference is owned, and from now on the store's.
                let func = unsafe { as_func(reference.as_ptr()) };
                self.keep_reference(reference);
                if self.peer.dialect.owns_casts {
                    NonNull::new(func).into_iter().for_each(|func| self.keep_func(func));
                }
                // SAFETY: the function is one of this store, whose types can be described.
                let is_known = |func| ty.is_some() || unsafe { self.peer.func_type(func) }.is_some();
                let func = Some(func).filter(|func| !func.is_null() && is_known(*func));
                func.zip(ty).into_iter().for_each(|(func, ty)| self.note_type(func, ty.clone()));
                Ok(func)
            }
            // SAFETY: the contract is the same.
            (References::Opaque, _) => unsafe { self.func_of_reference(reference, ty) },
            _ => {
                // SAFETY: the reference is owned, and not used afterwards.
                unsafe { self.delete_reference(reference) };
                Ok(None)
            }
        }
    }

    /// # Safety
    /// The reference is owned, and not used afterwards.
    unsafe fn delete_reference(&self, reference: NonNull<PeerRef>) {
        if let Some(delete) = self.peer.api.ref_delete {
            // SAFETY: the contract is the same.
            unsafe { delete(reference.as_ptr()) };
        }
    }

    /// Converts a value to the library's form, which borrows it.
    ///
    /// # Safety
    /// The value fits the kind, which the library carries, and belongs to this store.
    pub unsafe fn to_peer(&self, kind: ValKind, value: &Val) -> Result<Val> {
        if kind.is_number() {
            return Ok(*value);
        }
        // SAFETY: the contract says that the reference is null or alive.
        let object = unsafe { value.reference() };
        if self.boxes(kind) {
            return Ok(self.number_of(object));
        }
        // SAFETY: the contract says that the object is of this store and fits.
        let reference = unsafe { self.reference_to(kind, object) }?;
        Ok(Val { kind: kind as u8, of: ValUnion { r#ref: reference.cast() } })
    }

    /// Converts a value of the library, which gives it up. A reference in the answer is an owned handle.
    ///
    /// # Safety
    /// The value is an owned one of this kind, of this store.
    pub unsafe fn receive(&self, kind: ValKind, value: &Val) -> Result<Val> {
        if kind.is_number() {
            return Ok(Val { kind: kind as u8, ..*value });
        }
        // SAFETY: the contract is the same; a value of a kind of reference holds one, or a number.
        let handle = unsafe {
            match self.boxes(kind) {
                true => self.object_of(value.of.i32)?,
                false => self.reference_from(kind, value.of.r#ref.cast())?,
            }
        };
        Ok(Val::owned(kind, handle))
    }

    /// Converts an argument of a callback, which stays the library's.
    ///
    /// # Safety
    /// The value is of this kind, of this store, and alive.
    pub unsafe fn receive_borrowed(&self, kind: ValKind, value: &Val) -> Result<Val> {
        if self.boxes(kind) {
            // SAFETY: the contract is the same.
            return unsafe { self.receive(kind, value) };
        }
        // SAFETY: the contract is the same; a value of a kind of reference holds one.
        unsafe {
            let reference: *mut PeerRef = if kind.is_number() { null_mut() } else { value.of.r#ref.cast() };
            match reference.is_null() {
                true => Ok(Val { kind: kind as u8, ..*value }),
                false => {
                    let owned = Val { kind: kind as u8, of: ValUnion { r#ref: self.owned(reference).cast() } };
                    self.receive(kind, &owned)
                }
            }
        }
    }

    /// Converts a result of a callback, which becomes the library's.
    ///
    /// # Safety
    /// As for [`LoadedStore::to_peer`].
    pub unsafe fn to_owned_peer(&self, kind: ValKind, value: &Val) -> Result<Val> {
        // SAFETY: the contract is the same.
        unsafe {
            let mut value = self.to_peer(kind, value)?;
            if kind.is_reference() && !self.boxes(kind) {
                value.of.r#ref = self.owned(value.of.r#ref.cast()).cast();
            }
            Ok(value)
        }
    }

    /// Deletes what [`LoadedStore::to_owned_peer`] has made.
    ///
    /// # Safety
    /// The value is null or such a one, of this kind, and not used afterwards.
    pub unsafe fn delete_owned_peer(&self, kind: ValKind, value: &Val) {
        if kind.is_reference() && !self.boxes(kind) {
            // SAFETY: the contract is the same; a value of a kind of reference holds one.
            let reference = NonNull::new(unsafe { value.of.r#ref.cast::<PeerRef>() });
            // SAFETY: the same. Without a function that copies, what is there is borrowed.
            reference
                .filter(|_| self.peer.api.ref_copy.is_some())
                .into_iter()
                .for_each(|reference| unsafe { self.delete_reference(reference) });
        }
    }
}
