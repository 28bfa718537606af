//! Tags, and exceptions that cross the border between WebAssembly and the host.

use super::func::{check_carried, check_func_type, check_value};
use super::object::{Body, Handle, Object, Retained, Tag, Typed};
use super::store::Store;
use super::value::Val;
use crate::runtime::base::error::{Error, Result};
use crate::runtime::base::options::Proposal;
use crate::runtime::base::types::{ExternType, FuncType};

/// An exception: on its way out of WebAssembly, or one that the host throws.
pub struct Exception {
    pub tag: Retained,
    /// An error if a value in it cannot pass through C.
    payload: Result<Carried>,
}

/// The values that an exception carries. What they refer to is kept, but not its store: that is the trap's.
pub struct Carried {
    values: Box<[Val]>,
    _kept: Box<[Retained]>,
}

impl Carried {
    /// # Safety
    /// References in the values are null or live handles. They stay the caller's.
    pub unsafe fn of(values: &[Val]) -> Carried {
        // SAFETY: the contract is the same.
        let kept = values.iter().filter_map(|value| unsafe { value.reference() }).map(Retained::new).collect();
        Carried { values: values.into(), _kept: kept }
    }
}

impl Exception {
    pub fn new(tag: Retained, payload: Result<Carried>) -> Exception {
        Exception { tag, payload }
    }

    /// Makes an exception for a host function to throw.
    ///
    /// # Safety
    /// References in the values are null or live handles.
    pub unsafe fn create(store: &Store, tag: &Object, values: &[Val]) -> Result<Exception> {
        store.check_own(tag, "what was given as a tag")?;
        let Some(Typed { body: Tag { ty, .. }, .. }) = Typed::of(tag, Object::as_tag) else {
            return Err(Error::misuse(format!("expected a tag, got a {}", tag.body.name())));
        };
        let params = &params(ty)?.params;
        if params.len() != values.len() {
            return Err(Error::misuse(format!("the tag is for {} values, not {}", params.len(), values.len())));
        }
        for (position, (value, ty)) in values.iter().zip(params.iter()).enumerate() {
            check_carried(*ty, "an exception's value")?;
            // SAFETY: the contract is the same.
            unsafe { check_value(store, value, *ty, || format!("value {} of the exception", position + 1)) }?;
        }
        // SAFETY: the contract is the same.
        Ok(Exception::new(Retained::new(tag), Ok(unsafe { Carried::of(values) })))
    }

    /// The values, which are borrowed. The error says what cannot pass through C.
    pub fn values(&self) -> Result<&[Val]> {
        match &self.payload {
            Ok(payload) => Ok(&payload.values),
            Err(error) => Err(Error::new(error.kind, format!("an exception's value: {}", error.message))),
        }
    }
}

/// Makes a tag of the host.
pub fn create_tag(store: &Store, ty: &ExternType) -> Result<Handle> {
    let func_type = params(ty)?;
    store.engine().check_has(Proposal::Exceptions, &ExternType::tag(func_type.clone()))?;
    if !func_type.results.is_empty() {
        return Err(Error::misuse(format!("a tag has no results, but its type is {func_type}")));
    }
    func_type.params.iter().try_for_each(|ty| check_carried(*ty, "a tag"))?;
    check_func_type(store, func_type)?;
    let entity = store.backend().new_tag(func_type)?;
    // SAFETY: the entity is of this store.
    let tag = unsafe { store.tag(entity, || ExternType::tag(func_type.clone())) };
    Ok(Handle::new(&tag))
}

/// The function type of a tag, which C's types and the runtime's wrap in different ways.
fn params(ty: &ExternType) -> Result<&FuncType> {
    match ty {
        ExternType::Func(ty) => Ok(ty),
        ExternType::Tag(ty) => params(ty),
        other => Err(Error::misuse(format!("expected the type of a tag, got that of a {}", other.kind().name()))),
    }
}

impl Store {
    /// Returns the object of a tag, which is made the first time.
    ///
    /// # Safety
    /// `entity` is a tag of this store.
    pub unsafe fn tag(&self, entity: super::engine_traits::Entity, ty: impl FnOnce() -> ExternType) -> Retained {
        // SAFETY: the contract is the same.
        let key = unsafe { self.backend().tag_key(&entity) };
        if let Some(known) = self.tag_of_key(key) {
            // SAFETY: the store retains what is in its index.
            return Retained::new(unsafe { known.as_ref() });
        }
        let object = Object::create_retained(self, Body::Tag(Tag { entity, ty: ty() }));
        self.retain(object.clone());
        object
    }
}
