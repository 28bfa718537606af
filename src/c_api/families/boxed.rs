//! What is opaque and belongs to nobody but its owner: types and frames. A Rust value in a box.

/// An opaque type, its `_delete` and `_copy`, and its vector.
macro_rules! type_object {
    ($name:ident, $rust:ty, $noun:literal, $nouns:literal, $doc:literal) => {
        pastey::paste! {
            #[doc = $doc]
            pub struct [<wasm_ $name _t>] {
                _type: $rust,
            }

            // SAFETY: what is cloned into a box is dropped from one.
            unsafe impl crate::c_api::families::vector::Owned for [<wasm_ $name _t>] {
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
                use crate::c_api::families::vector::Element;
                // SAFETY: the caller's own, or NULL.
                crate::c_api::guard((), || unsafe { Element::release(&mut { ty }) })
            }

            #[doc = " A copy of " $noun ", own. [Types]"]
            #[doc = ""]
            #[doc = " Must be passed to `" [<wasm_ $name _delete>] "` eventually. NULL gives NULL."]
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn [<wasm_ $name _copy>](ty: *const [<wasm_ $name _t>]) -> *mut [<wasm_ $name _t>] {
                use crate::c_api::families::vector::Element;
                // SAFETY: the caller's, or NULL.
                crate::c_api::guard(std::ptr::null_mut(), || unsafe { ty.cast_mut().duplicate() })
            }

            crate::c_api::families::vector::vector!($name, *mut [<wasm_ $name _t>], $nouns);
        }
    };
}
pub(crate) use type_object;
