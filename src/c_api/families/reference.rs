//! What all references have: `copy`, `delete`, `same`, host info, and casts, all on one kind of [`Object`].

use crate::c_api::ffi::{CType, null};
use crate::runtime::base::error::Result;
use crate::runtime::base::host_data::{Finalizer, HostData};
use crate::runtime::core::object::Object;
pub use crate::runtime::core::object::wrong_kind;
use std::ffi::c_void;

/// A C type whose pointers are handles to objects, all of one kind or of several.
pub trait Reference: CType<Rust = Object> {
    /// What an object of this kind has.
    type Body<'a>;

    /// `None` if the object is not of this kind.
    fn body(object: &Object) -> Option<Self::Body<'_>>;
}

/// The object behind a handle, whatever its kind. C casts handles between their types.
fn object<T: Reference>(handle: Option<&T>) -> Result<&Object> {
    let object = handle.ok_or_else(|| null(T::NOUN))?.rust();
    if object.is_deleted() { Err(wrong_kind(object, T::NOUN)) } else { Ok(object) }
}

pub fn host_info<T: Reference>(handle: Option<&T>) -> Result<*mut c_void> {
    object(handle).map(Object::host_info)
}

/// The finalizer runs at once if there is no object to keep the info.
pub fn set_host_info<T: Reference>(handle: Option<&T>, info: *mut c_void, finalizer: Finalizer) -> Result<()> {
    match object(handle) {
        Ok(object) => {
            object.set_host_info(info, finalizer);
            Ok(())
        }
        Err(error) => {
            drop(HostData { pointer: info, finalizer });
            Err(error)
        }
    }
}

/// The same handle as a pointer of type `T`; NULL if its object is not of that kind.
#[inline]
pub fn cast<T: Reference>(handle: Option<&impl Reference>) -> *const T {
    match handle {
        Some(handle) if T::body(handle.rust()).is_some() => std::ptr::from_ref(handle).cast(),
        _ => std::ptr::null(),
    }
}

/// Declares the C type of a reference, and the functions that all references have. `$body` and `$get` say what an object of
/// this kind has, see [`Reference`]; functions see it together with its object.
macro_rules! reference {
    ($(#[$attribute:meta])* $name:ident, $noun:literal, $body:ty, $get:expr) => {
        pastey::paste! {
            $crate::c_api::ffi::c_type!(
                $(#[$attribute])*
                [<wasm_ $name _t>],
                $noun,
                Counted,
                $crate::runtime::core::object::Object,
                $crate::runtime::core::object::Typed<'a, $body>,
                |object| {
                    use $crate::c_api::families::reference::{Reference, wrong_kind};
                    $crate::runtime::core::object::Typed::of(object, [<wasm_ $name _t>]::body)
                        .ok_or_else(|| wrong_kind(object, $noun))
                }
            );

            impl $crate::c_api::families::reference::Reference for [<wasm_ $name _t>] {
                type Body<'a> = $body;
                #[inline(always)]
                fn body(object: &$crate::runtime::core::object::Object) -> Option<Self::Body<'_>> {
                    $get(object)
                }
            }

            #[doc = " Deletes a handle to " $noun ". Takes ownership. Does nothing for NULL. [References]"]
            #[doc = ""]
            #[doc = " The object itself lives as long as anything refers to it. May be called from any thread."]
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn [<wasm_ $name _delete>](handle: Option<&mut [<wasm_ $name _t>]>) {
                use $crate::c_api::ffi::{Counted, Ownership};
                $crate::c_api::guard((), || {
                    if let Some(handle) = handle {
                        // SAFETY: a handle from `give_handle`, given up here; a second time, the quarantine has it.
                        unsafe { Counted::release(std::ptr::NonNull::from(handle)) };
                    }
                })
            }

            #[doc = " Creates another handle to " $noun ", own. Returns NULL for NULL. [References]"]
            #[doc = ""]
            #[doc = " Both handles refer to the same object. The new one must eventually be passed to"]
            #[doc = " `" [<wasm_ $name _delete>] "`. May be called from any thread."]
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn [<wasm_ $name _copy>](
                handle: Option<&[<wasm_ $name _t>]>,
            ) -> *mut [<wasm_ $name _t>] {
                use $crate::c_api::ffi::{Counted, Ownership};
                $crate::c_api::guard(std::ptr::null_mut(), || handle.map_or(std::ptr::null_mut(), Counted::copy))
            }

            #[doc = " Returns whether two handles refer to the same object (" $noun "). [References]"]
            #[doc = ""]
            #[doc = " True if both are NULL, false if one is."]
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn [<wasm_ $name _same>](
                one: *const [<wasm_ $name _t>],
                other: *const [<wasm_ $name _t>],
            ) -> bool {
                std::ptr::eq(one, other)
            }

            #[doc = " Returns the host info of " $noun ", borrowed; NULL if none was set. [References]"]
            #[doc = ""]
            #[doc = " Host info belongs to the object: all handles to the object share it. Returns NULL and sets"]
            #[doc = " the last error for NULL."]
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn [<wasm_ $name _get_host_info>](
                handle: Option<&[<wasm_ $name _t>]>,
            ) -> *mut std::ffi::c_void {
                $crate::c_api::answer(stringify!([<wasm_ $name _get_host_info>]), std::ptr::null_mut(), || {
                    $crate::c_api::families::reference::host_info(handle)
                })
            }

            #[doc = " Sets the host info of " $noun " to any pointer. [References]"]
            #[doc = ""]
            #[doc = " Same as `" [<wasm_ $name _set_host_info_with_finalizer>] "` without a finalizer."]
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn [<wasm_ $name _set_host_info>](
                handle: Option<&mut [<wasm_ $name _t>]>,
                info: *mut std::ffi::c_void,
            ) {
                $crate::c_api::answer(stringify!([<wasm_ $name _set_host_info>]), (), || {
                    $crate::c_api::families::reference::set_host_info(handle.as_deref(), info, None)
                })
            }

            #[doc = " Sets the host info of " $noun ", and the function that releases it. [References]"]
            #[doc = ""]
            #[doc = " Takes `info`. `finalizer`, unless NULL, is called once with `info`: when other info is set,"]
            #[doc = " or when the object is freed, at the latest with its store. It runs on the thread that sets"]
            #[doc = " or frees, and may call the library; but an object that is freed has no handles any more,"]
            #[doc = " and its store may be gone."]
            #[doc = ""]
            #[doc = " If `handle` is NULL or was deleted, the finalizer is called at once, and the last error is"]
            #[doc = " set."]
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn [<wasm_ $name _set_host_info_with_finalizer>](
                handle: Option<&mut [<wasm_ $name _t>]>,
                info: *mut std::ffi::c_void,
                finalizer: Option<unsafe extern "C" fn(arg1: *mut std::ffi::c_void)>,
            ) {
                $crate::c_api::answer(stringify!([<wasm_ $name _set_host_info_with_finalizer>]), (), || {
                    $crate::c_api::families::reference::set_host_info(handle.as_deref(), info, finalizer)
                })
            }
        }
    };
}
pub(crate) use reference;

/// Casts between a view that fits every object of a family (`wasm_ref_t`, `wasm_extern_t`) and one of its kinds. A view is
/// the same pointer, borrowed.
macro_rules! casts {
    ($name:ident, $noun:literal, $view:ident, $view_type:ident) => {
        pastey::paste! {
            #[doc = " Views " $noun " as a `" $view_type "`: the same handle, borrowed. [References]"]
            #[doc = ""]
            #[doc = " Returns NULL for NULL."]
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn [<wasm_ $name _as_ $view>](handle: *mut [<wasm_ $name _t>]) -> *mut $view_type {
                handle.cast()
            }

            #[doc = " Views " $noun " as a `" $view_type "`: the same handle, borrowed. [References]"]
            #[doc = ""]
            #[doc = " Returns NULL for NULL."]
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn [<wasm_ $name _as_ $view _const>](
                handle: *const [<wasm_ $name _t>],
            ) -> *const $view_type {
                handle.cast()
            }

            #[doc = " Views a `" $view_type "` as " $noun ": the same handle, borrowed. [References]"]
            #[doc = ""]
            #[doc = " Returns NULL if it is something else or NULL; that is an answer, not an error."]
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn [<wasm_ $view _as_ $name>](
                view: Option<&mut $view_type>,
            ) -> *mut [<wasm_ $name _t>] {
                $crate::c_api::families::reference::cast::<[<wasm_ $name _t>]>(view.as_deref()).cast_mut()
            }

            #[doc = " Views a `" $view_type "` as " $noun ": the same handle, borrowed. [References]"]
            #[doc = ""]
            #[doc = " Returns NULL if it is something else or NULL; that is an answer, not an error."]
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn [<wasm_ $view _as_ $name _const>](
                view: Option<&$view_type>,
            ) -> *const [<wasm_ $name _t>] {
                $crate::c_api::families::reference::cast(view)
            }
        }
    };
}
pub(crate) use casts;
