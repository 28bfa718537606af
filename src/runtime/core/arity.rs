//! Code that is generated for each small number of parameters and results.
//!
//! Most functions have a few numbers as parameters and results. Code that is generated for exact numbers of them has
//! no loops, and where all of them are of type i32, it looks up no kinds.

use crate::runtime::base::types::FuncType;

/// Something that can be made for given numbers of parameters and results, and for types with `ONLY_I32` or others.
pub trait ByArity {
    type Out;
    fn make<const ONLY_I32: bool, const PARAMS: usize, const RESULTS: usize>(self) -> Self::Out;
}

/// Defines `by_arity`, and the largest numbers of parameters and results that it supports, from one list.
macro_rules! arities {
    ($($params:literal)*) => {
        pub const MAX_PARAMS: usize = [$($params),*].len() - 1;
        pub const MAX_RESULTS: usize = 2;

        /// Makes `what` for functions of a type. `None` if the type has more parameters or results than supported, or
        /// types that are not numbers.
        #[inline]
        pub fn by_arity<A: ByArity>(ty: &FuncType, what: A) -> Option<A::Out> {
            Some(match (ty.numeric, ty.only_i32, ty.params.len(), ty.results.len()) {
                $(
                    (true, true, $params, 0) => what.make::<true, $params, 0>(),
                    (true, true, $params, 1) => what.make::<true, $params, 1>(),
                    (true, true, $params, 2) => what.make::<true, $params, 2>(),
                    (true, false, $params, 0) => what.make::<false, $params, 0>(),
                    (true, false, $params, 1) => what.make::<false, $params, 1>(),
                    (true, false, $params, 2) => what.make::<false, $params, 2>(),
                )*
                _ => return None,
            })
        }
    };
}
arities!(0 1 2 3 4 5 6);

/// Whether [`by_arity`] makes something for a type.
#[inline(always)]
pub fn supports(ty: &FuncType) -> bool {
    ty.numeric && ty.param_kinds.len() <= MAX_PARAMS && ty.result_kinds.len() <= MAX_RESULTS
}
