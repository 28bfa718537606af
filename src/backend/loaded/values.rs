//! Types and values in a library's form. Numbers are in the same form everywhere.

use super::Peer;
use super::api::{PeerFunc, PeerFuncType, PeerRef, PeerValType, Vector};
use super::dialect::References;
use super::store::LoadedStore;
use crate::runtime::base::error::Result;
use crate::runtime::base::types::{FuncType, ValKind, ValType};
use crate::runtime::core::engine_traits::Entity;
use crate::runtime::core::object::{Handle, Object, Typed};
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
        if ty.numeric { None } else { kinds.copied().find(|kind| !self.peer.dialect.carries(*kind)) }
    }

    /// Converts a reference to the library's form, which it only borrows.
    ///
    /// # Safety
    /// The object is of this store, and may be referred to by values of this kind.
    pub unsafe fn reference_to(&self, kind: ValKind, object: Option<&Object>) -> Result<*mut PeerRef> {
        let Some(object) = object else { return Ok(null_mut()) };
        if self.peer.dialect.references(kind) == References::Functions
            && let (Some(func), Some(as_ref)) = (Typed::of(object, Object::as_func), self.peer.api.func_as_ref)
        {
            if func.is_host() {
                let what =
                    "cannot take a host function as a value; let a function of WebAssembly call it, and take that";
                return Err(self.peer.lacks(what));
            }
            // SAFETY: entities of functions of this store are made from such pointers.
            let func: *mut PeerFunc = unsafe { func.in_engine().get() };
            // SAFETY: the function is alive as long as the store.
            return Ok(unsafe { as_ref(func) });
        }
        let name = kind.name();
        Err(self.peer.lacks(format_args!("cannot take a {name} from the host; only null can be passed")))
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
        if self.peer.dialect.references(kind) == References::Functions
            && self.has_described_types()
            && let Some(as_func) = self.peer.api.ref_as_func
        {
            // SAFETY: the reference is owned, and from now on the store's.
            let func = unsafe { as_func(reference.as_ptr()) };
            self.keep_reference(reference);
            // SAFETY: the function is one of this store, whose types can be described.
            if !func.is_null() && unsafe { self.peer.func_type(func) }.is_some() {
                // SAFETY: the function is one of this store.
                return Ok(Some(unsafe { self.owner().function_reference(Entity::new(func)) }));
            }
        } else if let Some(delete) = self.peer.api.ref_delete {
            // SAFETY: the reference is owned, and not used afterwards.
            unsafe { delete(reference.as_ptr()) };
        }
        Err(self.peer.lacks(format_args!("does not say what a {} refers to; only null can be passed", kind.name())))
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
        let reference = unsafe { self.reference_to(kind, value.reference()) }?;
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
        // SAFETY: the contract is the same; a value of a kind of reference holds one.
        let handle = unsafe { self.reference_from(kind, value.of.r#ref.cast()) }?;
        Ok(Val::owned(kind, handle))
    }

    /// Converts an argument of a callback, which stays the library's.
    ///
    /// # Safety
    /// The value is of this kind, of this store, and alive.
    pub unsafe fn receive_borrowed(&self, kind: ValKind, value: &Val) -> Result<Val> {
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
            if kind.is_reference() {
                value.of.r#ref = self.owned(value.of.r#ref.cast()).cast();
            }
            Ok(value)
        }
    }
}
