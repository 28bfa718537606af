//! `wasm_ref_t`: a reference to an object of any kind.

use crate::c_api::families::reference::reference;

reference!(
    r#ref,
    "a reference",
    "A reference to an object of any kind; every handle can be viewed as one (`wasm_func_as_ref` and so on), and back.\n\nAny of them can be passed to WebAssembly as an externref and comes back the same."
);
