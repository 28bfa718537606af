//! What all references have: `copy`, `delete`, `same`, host info, and casts, all on one kind of [`Object`].

use crate::runtime::base::error::Result;
use crate::runtime::core::object::Object;
pub use crate::runtime::core::object::wrong_kind;

/// The object behind any reference pointer, or an error that says what was expected.
///
/// # Safety
/// The pointer is NULL or a handle that was not deleted, or only recently.
#[inline(always)]
pub unsafe fn object<'a, T>(pointer: *const T, what: &str) -> Result<&'a Object> {
    // SAFETY: as promised by the caller.
    let object: &Object = unsafe { crate::c_api::required(pointer, what)? };
    if object.is_deleted() { Err(wrong_kind(object, what)) } else { Ok(object) }
}

/// The opaque type of a reference and the functions that all references have.
macro_rules! reference {
    ($name:ident, $noun:literal, $doc:literal) => {
        pastey::paste! {
            #[doc = $doc]
            pub struct [<wasm_ $name _t>] {
                _object: crate::runtime::core::object::Object,
            }

            // SAFETY: both work on the count of handles.
            unsafe impl crate::c_api::families::vector::Owned for [<wasm_ $name _t>] {
                unsafe fn duplicate(this: *const Self) -> *mut Self {
                    // SAFETY: as promised by the caller.
                    unsafe { crate::c_api::families::vector::duplicate_object(this) }
                }
                unsafe fn release(this: *mut Self) {
                    // SAFETY: as promised by the caller.
                    unsafe { crate::c_api::families::vector::release_object(this) }
                }
            }

            #[doc = " Deletes a handle to " $noun ". [References]"]
            #[doc = ""]
            #[doc = " Takes ownership. The object itself lives on while anything refers to it. NULL: nothing happens. May be"]
            #[doc = " called from any thread."]
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn [<wasm_ $name _delete>](handle: *mut [<wasm_ $name _t>]) {
                use crate::c_api::families::vector::Element;
                // SAFETY: the caller's handle, or NULL.
                crate::c_api::guard((), || unsafe { Element::release(&mut { handle }) })
            }

            #[doc = " Another handle to the same object (" $noun "), own. [References]"]
            #[doc = ""]
            #[doc = " Must be passed to `" [<wasm_ $name _delete>] "` eventually. NULL gives NULL. May be called from any thread."]
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn [<wasm_ $name _copy>](handle: *const [<wasm_ $name _t>]) -> *mut [<wasm_ $name _t>] {
                use crate::c_api::families::vector::Element;
                // SAFETY: the caller's handle, or NULL.
                crate::c_api::guard(std::ptr::null_mut(), || unsafe { handle.cast_mut().duplicate() })
            }

            #[doc = " Whether two handles refer to the same object (" $noun "). [References]"]
            #[doc = ""]
            #[doc = " Both NULL: true; one NULL: false."]
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn [<wasm_ $name _same>](
                one: *const [<wasm_ $name _t>],
                other: *const [<wasm_ $name _t>],
            ) -> bool {
                std::ptr::eq(one, other)
            }

            #[doc = " The host info of an object (" $noun "), borrowed; NULL if none was set. [References]"]
            #[doc = ""]
            #[doc = " Host info belongs to the object, so that every handle to it sees the same. NULL gives NULL."]
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn [<wasm_ $name _get_host_info>](
                handle: *const [<wasm_ $name _t>],
            ) -> *mut std::ffi::c_void {
                let name = stringify!([<wasm_ $name _get_host_info>]);
                crate::c_api::answer(name, std::ptr::null_mut(), || {
                    // SAFETY: the caller's handle, or NULL.
                    Ok(unsafe { crate::c_api::families::reference::object(handle, $noun)? }.host_info())
                })
            }

            #[doc = " Sets the host info of an object (" $noun "): any pointer of the host's. [References]"]
            #[doc = ""]
            #[doc = " As `" [<wasm_ $name _set_host_info_with_finalizer>] "` without a finalizer."]
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn [<wasm_ $name _set_host_info>](
                handle: *mut [<wasm_ $name _t>],
                info: *mut std::ffi::c_void,
            ) {
                // SAFETY: the caller's handle, or NULL.
                crate::c_api::answer(stringify!([<wasm_ $name _set_host_info>]), (), || unsafe {
                    crate::c_api::families::reference::object(handle, $noun)?.set_host_info(info, None);
                    Ok(())
                })
            }

            #[doc = " Sets the host info of an object (" $noun ") and what releases it. [References]"]
            #[doc = ""]
            #[doc = " `finalizer` is called once with `info`: when the info is replaced, or when the object is gone, at the"]
            #[doc = " latest with its store; on the thread that lets go of it. It may call the library, but has no handle to the"]
            #[doc = " object any more, and its store may be gone. NULL for it is fine. NULL for the object: nothing is set, and the"]
            #[doc = " finalizer is not called."]
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn [<wasm_ $name _set_host_info_with_finalizer>](
                handle: *mut [<wasm_ $name _t>],
                info: *mut std::ffi::c_void,
                finalizer: Option<unsafe extern "C" fn(arg1: *mut std::ffi::c_void)>,
            ) {
                // SAFETY: the caller's handle, or NULL.
                crate::c_api::answer(stringify!([<wasm_ $name _set_host_info_with_finalizer>]), (), || unsafe {
                    crate::c_api::families::reference::object(handle, $noun)?.set_host_info(info, finalizer);
                    Ok(())
                })
            }
        }
    };
}
pub(crate) use reference;

/// Casts between a view that fits every object of a family (`wasm_ref_t`, `wasm_extern_t`) and one of its kinds. A view is
/// the same pointer, borrowed.
macro_rules! casts {
    ($name:ident, $noun:literal, $view:ident, $view_type:ident, $test:expr) => {
        pastey::paste! {
            #[doc = " Views " $noun " as a `" $view_type "`: borrowed, the same object. NULL gives NULL. [References]"]
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn [<wasm_ $name _as_ $view>](handle: *mut [<wasm_ $name _t>]) -> *mut $view_type {
                handle.cast()
            }

            #[doc = " Views " $noun " as a `" $view_type "`: borrowed, the same object. NULL gives NULL. [References]"]
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn [<wasm_ $name _as_ $view _const>](
                handle: *const [<wasm_ $name _t>],
            ) -> *const $view_type {
                handle.cast()
            }

            #[doc = " Views a `" $view_type "` as " $noun ": borrowed, the same object. [References]"]
            #[doc = ""]
            #[doc = " NULL if it is something else, or NULL; that is an answer, not an error."]
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn [<wasm_ $view _as_ $name>](view: *mut $view_type) -> *mut [<wasm_ $name _t>] {
                // SAFETY: the caller's handle, or NULL.
                unsafe { [<wasm_ $view _as_ $name _const>](view) }.cast_mut()
            }

            #[doc = " Views a `" $view_type "` as " $noun ": borrowed, the same object. [References]"]
            #[doc = ""]
            #[doc = " NULL if it is something else, or NULL; that is an answer, not an error."]
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn [<wasm_ $view _as_ $name _const>](
                view: *const $view_type,
            ) -> *const [<wasm_ $name _t>] {
                // SAFETY: the caller's handle, or NULL.
                let object: Option<&crate::runtime::core::object::Object> = unsafe { crate::c_api::borrow(view) };
                let test: fn(&crate::runtime::core::object::Object) -> bool = $test;
                match object {
                    Some(object) if test(object) => view.cast(),
                    _ => std::ptr::null(),
                }
            }
        }
    };
}
pub(crate) use casts;
