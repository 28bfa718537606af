//! Types and frames: opaque values that belong to nobody but their owner.

/// Declares a C type that is a Rust value in a box, with its `_delete`, its `_copy` and its vector. `$param` names their
/// parameter, `$section` their section of the header; the rest is as for [`c_type!`](crate::c_api::ffi::c_type).
macro_rules! boxed {
    (
        $(#[$attribute:meta])*
        $name:ident, $param:ident, $section:literal, $noun:literal, $nouns:literal, $($rust:tt)+
    ) => {
        pastey::paste! {
            $crate::c_api::ffi::c_type!($(#[$attribute])* [<wasm_ $name _t>], $noun, Boxed, $($rust)+);

            #[doc = " Deletes " $noun ". Takes ownership. Does nothing for NULL. [" $section "]"]
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn [<wasm_ $name _delete>]($param: Option<Box<[<wasm_ $name _t>]>>) {
                $crate::c_api::guard((), || drop($param))
            }

            #[doc = " Copies " $noun ", own. Returns NULL for NULL. [" $section "]"]
            #[doc = ""]
            #[doc = " The copy must eventually be passed to `" [<wasm_ $name _delete>] "`."]
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn [<wasm_ $name _copy>](
                $param: Option<&[<wasm_ $name _t>]>,
            ) -> Option<Box<[<wasm_ $name _t>]>> {
                use $crate::c_api::ffi::CType;
                $crate::c_api::guard(None, || $crate::c_api::ffi::give($param?.rust().clone()))
            }

            $crate::c_api::families::vector::vector!($name, *mut [<wasm_ $name _t>], $nouns);
        }
    };
}
pub(crate) use boxed;
