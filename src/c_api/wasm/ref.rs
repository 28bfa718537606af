//! `wasm_ref_t`: a reference to an object of any kind.

use crate::c_api::families::reference::reference;
use crate::runtime::core::object::Object;

reference!(
    /// A reference to an object of any kind. Every handle can be viewed as one, by `wasm_func_as_ref`
    /// and its like, and back.
    ///
    /// Any reference can be passed to WebAssembly as an externref, and comes back the same.
    r#ref,
    "a reference",
    (),
    |object: &Object| (!object.is_deleted()).then_some(())
);
