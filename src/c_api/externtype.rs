//! Types of externs: `wasm_externtype_t`, and the macros that the types of each kind share.

use super::functype::wasm_functype_t;
use super::globaltype::wasm_globaltype_t;
use super::memorytype::wasm_memorytype_t;
use super::tabletype::wasm_tabletype_t;
use super::tagtype::wasm_tagtype_t;
use crate::runtime::types::ExternType;

/// An opaque type, its `_delete` and `_copy`, and its vector.
macro_rules! type_object {
    ($name:ident, $rust:ty, $noun:literal, $nouns:literal, $doc:literal) => {
        pastey::paste! {
            #[doc = $doc]
            pub struct [<wasm_ $name _t>] {
                _type: $rust,
            }

            // SAFETY: what is cloned into a box is dropped from one.
            unsafe impl crate::c_api::vector::Owned for [<wasm_ $name _t>] {
                unsafe fn duplicate(this: *const Self) -> *mut Self {
                    // SAFETY: as promised by the caller.
                    crate::c_api::give_box(unsafe { &*this.cast::<$rust>() }.clone())
                }
                unsafe fn release(this: *mut Self) {
                    // SAFETY: as promised by the caller.
                    drop(unsafe { crate::c_api::take_box::<_, $rust>(this) });
                }
            }

            #[doc = " Deletes " $noun ". Takes ownership. NULL: nothing happens. [Types]"]
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn [<wasm_ $name _delete>](ty: *mut [<wasm_ $name _t>]) {
                use crate::c_api::vector::Element;
                // SAFETY: the caller's own, or NULL.
                crate::c_api::guard((), || unsafe { Element::release(&mut { ty }) })
            }

            #[doc = " A copy of " $noun ", own. [Types]"]
            #[doc = ""]
            #[doc = " Must be passed to `" [<wasm_ $name _delete>] "` eventually. NULL gives NULL."]
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn [<wasm_ $name _copy>](ty: *const [<wasm_ $name _t>]) -> *mut [<wasm_ $name _t>] {
                use crate::c_api::vector::Element;
                // SAFETY: the caller's, or NULL.
                crate::c_api::guard(std::ptr::null_mut(), || unsafe { ty.cast_mut().duplicate() })
            }

            crate::c_api::vector::vector!($name, *mut [<wasm_ $name _t>], $nouns);
        }
    };
}
pub(crate) use type_object;

/// Casts between `wasm_externtype_t` and the type of one kind: the same pointer, borrowed.
macro_rules! externtype_casts {
    ($name:ident, $noun:literal, $variant:ident) => {
        pastey::paste! {
            #[doc = " Views " $noun " as an extern type: borrowed, the same object. NULL gives NULL. [Extern Types]"]
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn [<wasm_ $name _as_externtype>](ty: *mut [<wasm_ $name _t>]) -> *mut wasm_externtype_t {
                ty.cast()
            }

            #[doc = " Views " $noun " as an extern type: borrowed, the same object. NULL gives NULL. [Extern Types]"]
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn [<wasm_ $name _as_externtype_const>](
                ty: *const [<wasm_ $name _t>],
            ) -> *const wasm_externtype_t {
                ty.cast()
            }

            #[doc = " Views an extern type as " $noun ": borrowed, the same object. [Extern Types]"]
            #[doc = ""]
            #[doc = " NULL if it is of another kind, or NULL; that is an answer, not an error."]
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn [<wasm_externtype_as_ $name>](ty: *mut wasm_externtype_t) -> *mut [<wasm_ $name _t>] {
                // SAFETY: the caller's, or NULL.
                unsafe { [<wasm_externtype_as_ $name _const>](ty) }.cast_mut()
            }

            #[doc = " Views an extern type as " $noun ": borrowed, the same object. [Extern Types]"]
            #[doc = ""]
            #[doc = " NULL if it is of another kind, or NULL; that is an answer, not an error."]
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn [<wasm_externtype_as_ $name _const>](
                ty: *const wasm_externtype_t,
            ) -> *const [<wasm_ $name _t>] {
                // SAFETY: the caller's, or NULL.
                match unsafe { super::borrow(ty) } {
                    Some(ExternType::$variant(..)) => ty.cast(),
                    _ => std::ptr::null(),
                }
            }
        }
    };
}

type_object!(
    externtype,
    ExternType,
    "an extern type",
    "extern types",
    "The type of something that can be imported or exported: a function, global, table, memory or tag.\n\nA view of, or viewed as, the type of that kind; there is no constructor of its own."
);

/// A kind of extern; the numbers are those of `wasm_externkind_enum`.
pub type wasm_externkind_t = u8;

/// The kinds of externs.
#[repr(C)]
pub enum wasm_externkind_enum {
    WASM_EXTERN_FUNC = 0,
    WASM_EXTERN_GLOBAL = 1,
    WASM_EXTERN_TABLE = 2,
    WASM_EXTERN_MEMORY = 3,
    WASM_EXTERN_TAG = 4,
}

/// The kind of an extern type. NULL: `WASM_EXTERN_FUNC` (0) and a last error. [Extern Types]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_externtype_kind(ty: *const wasm_externtype_t) -> wasm_externkind_t {
    // SAFETY: the caller's, or NULL.
    super::answer("wasm_externtype_kind", 0, || unsafe {
        Ok(super::required::<_, ExternType>(ty, "an extern type")?.kind() as u8)
    })
}

externtype_casts!(functype, "a function type", Func);
externtype_casts!(globaltype, "a global type", Global);
externtype_casts!(tabletype, "a table type", Table);
externtype_casts!(memorytype, "a memory type", Memory);
externtype_casts!(tagtype, "a tag type", Tag);
