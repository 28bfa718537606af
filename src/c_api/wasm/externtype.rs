//! Types of externs: `wasm_externtype_t`, and its casts from and to the types of each kind.

use super::functype::wasm_functype_t;
use super::globaltype::wasm_globaltype_t;
use super::memorytype::wasm_memorytype_t;
use super::tabletype::wasm_tabletype_t;
use super::tagtype::wasm_tagtype_t;
use crate::c_api::answer;
use crate::c_api::families::boxed::boxed;
use crate::c_api::ffi::{Argument, CType};
use crate::runtime::base::error::Error;
use crate::runtime::base::types::ExternType;

/// Casts between `wasm_externtype_t` and the type of one kind: the same pointer, borrowed.
macro_rules! externtype_casts {
    ($name:ident, $noun:literal, $variant:ident) => {
        pastey::paste! {
            #[doc = " Views " $noun " as an extern type: the same object, borrowed. [Extern Types]"]
            #[doc = ""]
            #[doc = " Returns NULL for NULL."]
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn [<wasm_ $name _as_externtype>](ty: *mut [<wasm_ $name _t>]) -> *mut wasm_externtype_t {
                ty.cast()
            }

            #[doc = " Views " $noun " as an extern type: the same object, borrowed. [Extern Types]"]
            #[doc = ""]
            #[doc = " Returns NULL for NULL."]
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn [<wasm_ $name _as_externtype_const>](
                ty: *const [<wasm_ $name _t>],
            ) -> *const wasm_externtype_t {
                ty.cast()
            }

            #[doc = " Views an extern type as " $noun ": the same object, borrowed. [Extern Types]"]
            #[doc = ""]
            #[doc = " Returns NULL if it is of another kind or NULL; that is an answer, not an error."]
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn [<wasm_externtype_as_ $name>](
                ty: Option<&mut wasm_externtype_t>,
            ) -> *mut [<wasm_ $name _t>] {
                match ty {
                    Some(ty) if matches!(ty.rust(), ExternType::$variant(..)) => std::ptr::from_mut(ty).cast(),
                    _ => std::ptr::null_mut(),
                }
            }

            #[doc = " Views an extern type as " $noun ": the same object, borrowed. [Extern Types]"]
            #[doc = ""]
            #[doc = " Returns NULL if it is of another kind or NULL; that is an answer, not an error."]
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn [<wasm_externtype_as_ $name _const>](
                ty: Option<&wasm_externtype_t>,
            ) -> *const [<wasm_ $name _t>] {
                match ty {
                    Some(ty) if matches!(ty.rust(), ExternType::$variant(..)) => std::ptr::from_ref(ty).cast(),
                    _ => std::ptr::null(),
                }
            }
        }
    };
}

/// For the type of something else than what was expected. C casts types between their C types.
#[cold]
pub fn wrong_type(ty: &ExternType, expected: &str) -> Error {
    Error::misuse(format!("expected {expected}, got the type of a {}", ty.kind().name()))
}

boxed!(
    /// The type of an extern: of a function, global, table, memory or tag.
    ///
    /// It is a view of the type of that kind, and has no constructor of its own. Functions:
    /// `wasm_externtype_kind`, `_delete`, `_copy`, those of its vector, and the casts.
    externtype, ty, "Extern Types", "an extern type", "extern types", ExternType
);

/// A kind of extern: a constant of `wasm_externkind_enum`.
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

/// Returns the kind of an extern type. Returns `WASM_EXTERN_FUNC` (0) and sets the last error for
/// NULL. [Extern Types]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_externtype_kind(ty: Option<&wasm_externtype_t>) -> wasm_externkind_t {
    answer("wasm_externtype_kind", 0, || Ok(ty.required()?.kind() as u8))
}

externtype_casts!(functype, "a function type", Func);
externtype_casts!(globaltype, "a global type", Global);
externtype_casts!(tabletype, "a table type", Table);
externtype_casts!(memorytype, "a memory type", Memory);
externtype_casts!(tagtype, "a tag type", Tag);
