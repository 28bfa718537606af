//! Types of externs: `wasm_externtype_t`, and its casts from and to the types of each kind.

use super::functype::wasm_functype_t;
use super::globaltype::wasm_globaltype_t;
use super::memorytype::wasm_memorytype_t;
use super::tabletype::wasm_tabletype_t;
use super::tagtype::wasm_tagtype_t;
use crate::c_api::families::boxed::type_object;
use crate::runtime::base::types::ExternType;

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
                match unsafe { crate::c_api::borrow(ty) } {
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
    crate::c_api::answer("wasm_externtype_kind", 0, || unsafe {
        Ok(crate::c_api::required::<_, ExternType>(ty, "an extern type")?.kind() as u8)
    })
}

externtype_casts!(functype, "a function type", Func);
externtype_casts!(globaltype, "a global type", Global);
externtype_casts!(tabletype, "a table type", Table);
externtype_casts!(memorytype, "a memory type", Memory);
externtype_casts!(tagtype, "a tag type", Tag);
