//! Calls of common signatures in both directions, through the engine's typed interface: its untyped one checks types again
//! under a lock, and allocates whenever it calls a host function.

use super::store::{Context, WasmiStore, engine_func, invoke};
use crate::backend::common::{HostObject, Owner};
use crate::runtime::base::types::{FuncType, ValKind};
use crate::runtime::core::arity::{MAX_PARAMS, MAX_RESULTS};
use crate::runtime::core::func::Func as FuncObject;
use crate::runtime::core::value::{LentRoom, Val, ValUnion};
use std::mem::MaybeUninit;
use wasmi::{Caller, Error, F32, F64, Func, TypedFunc, WasmParams, WasmResults, WasmRet, WasmTy};

// `call` has an arm for each number of parameters and results, and no other.
const _: () = assert!(MAX_PARAMS == 6 && MAX_RESULTS == 2);

/// Calls a function of numeric type with few parameters and results.
///
/// # Safety
/// Its type is one that [`by_arity`](crate::runtime::core::arity::by_arity) knows, the arguments fit, and there is exactly room for the results.
#[inline(always)]
pub unsafe fn call(
    store: &WasmiStore,
    func: &FuncObject,
    args: &[Val],
    results: &mut [MaybeUninit<Val>],
    only_i32: bool,
) -> Result<(), Error> {
    // SAFETY: asked for positions that there are.
    let arg = |position: usize| unsafe { args.get_unchecked(position).bits(only_i32) };
    // SAFETY: likewise.
    let kind = |position: usize| unsafe { func.result_kind(position, only_i32) };
    // SAFETY: as promised by the caller.
    let callee = unsafe { engine_func(func) };
    macro_rules! arms {
        ($($count:literal: $($position:literal)*;)*) => {
            match (args.len(), results) {
                $(
                    // SAFETY: the function has so many parameters and results, all of them numbers.
                    ($count, []) => unsafe { call_typed(store, callee, ($(arg($position),)*)) },
                    ($count, [one]) => {
                        // SAFETY: likewise.
                        let bits: u64 = unsafe { call_typed(store, callee, ($(arg($position),)*))? };
                        Val::write_bits(one, kind(0), bits);
                        Ok(())
                    }
                    ($count, [one, other]) => {
                        // SAFETY: likewise.
                        let bits: (u64, u64) = unsafe { call_typed(store, callee, ($(arg($position),)*))? };
                        Val::write_bits(one, kind(0), bits.0);
                        Val::write_bits(other, kind(1), bits.1);
                        Ok(())
                    }
                )*
                // SAFETY: the function has at most MAX_PARAMS parameters and MAX_RESULTS results, for which there are arms.
                _ => unsafe { std::hint::unreachable_unchecked() },
            }
        };
    }
    arms! {
        0: ;
        1: 0;
        2: 0 1;
        3: 0 1 2;
        4: 0 1 2 3;
        5: 0 1 2 3 4;
        6: 0 1 2 3 4 5;
    }
}

/// Calls a function as if all of its numbers were integers of 64 bits.
///
/// # Safety
/// The function has as many parameters and results, and all of them are numbers. The engine keeps each number in a cell of 64
/// bits, of which the 32-bit ones use the lower half, whatever its type; so their bits can be passed as those of an integer.
#[inline(always)]
unsafe fn call_typed<Params: WasmParams, Results: WasmResults>(
    store: &WasmiStore,
    func: Func,
    params: Params,
) -> Result<Results, Error> {
    const { assert!(size_of::<TypedFunc<Params, Results>>() == size_of::<Func>()) };
    // SAFETY: a typed function is a function and nothing else, transparently; that its type is not quite what it says is
    // what this function's contract is about.
    let typed: TypedFunc<Params, Results> = unsafe { std::mem::transmute_copy(&func) };
    typed.call(store.context(), params)
}

/// A numeric type in the signature of a host function.
trait Number: WasmTy + Copy + 'static {
    fn into_val(self) -> Val;
    fn from_bits(bits: u64) -> Self;
}

macro_rules! number {
    ($ty:ty, $kind:ident, $field:ident, $value:ident => $into:expr, $bits:ident => $from:expr) => {
        impl Number for $ty {
            #[inline(always)]
            fn into_val(self) -> Val {
                let $value = self;
                Val { kind: ValKind::$kind as u8, of: ValUnion { $field: $into } }
            }
            #[inline(always)]
            fn from_bits($bits: u64) -> Self {
                $from
            }
        }
    };
}
// Floats go by their bits: moving them through a floating-point register could change those of a NaN.
number!(i32, I32, i32, value => value, bits => bits as i32);
number!(i64, I64, i64, value => value, bits => bits as i64);
number!(F32, F32, i32, value => value.to_bits() as i32, bits => F32::from_bits(bits as u32));
number!(F64, F64, i64, value => value.to_bits() as i64, bits => F64::from_bits(bits));

/// What a host function gives: nothing, or a number.
trait HostResult: Sized + 'static
where
    Result<Self, Error>: WasmRet,
{
    type Room: AsMut<[MaybeUninit<Val>]>;
    const ROOM: Self::Room;

    /// # Safety
    /// The room holds as many values as it has places, of this type's kind.
    unsafe fn from_room(room: &mut Self::Room) -> Self;
}

impl HostResult for () {
    type Room = LentRoom<0>;
    const ROOM: Self::Room = LentRoom::UNINIT;
    unsafe fn from_room(_room: &mut Self::Room) {}
}

impl<N: Number> HostResult for N {
    type Room = LentRoom<1>;
    const ROOM: Self::Room = LentRoom::UNINIT;
    #[inline(always)]
    unsafe fn from_room(room: &mut Self::Room) -> N {
        // SAFETY: as promised by the caller.
        N::from_bits(unsafe { room.as_mut()[0].assume_init_ref().bits(false) })
    }
}

/// The parameters of a host function.
trait HostParams {
    fn wrap<R: HostResult>(context: Context, host: HostObject) -> Func
    where
        Result<R, Error>: WasmRet;
}

macro_rules! host_params {
    ($($name:ident)*) => {
        impl<$($name: Number),*> HostParams for ($($name,)*) {
            #[allow(non_snake_case)]
            fn wrap<R: HostResult>(context: Context, host: HostObject) -> Func
            where
                Result<R, Error>: WasmRet,
            {
                Func::wrap(context, move |caller: Caller<'_, Owner>, $($name: $name),*| -> Result<R, Error> {
                    let mut room = R::ROOM;
                    // SAFETY: the arguments are those of the function's type, and there is room for its results; they are
                    // there when it succeeds.
                    unsafe {
                        invoke(host.get(), caller, &[$($name.into_val()),*], room.as_mut())?;
                        Ok(R::from_room(&mut room))
                    }
                })
            }
        }
    };
}
host_params!();
host_params!(A);
host_params!(A B);
host_params!(A B C);
host_params!(A B C D);
host_params!(A B C D E);
host_params!(A B C D E F);
host_params!(A B C D E F G);
host_params!(A B C D E F G H);

/// Makes a host function, if its signature is a common one: one result or none, and up to two numbers of any types or up to
/// eight of type i32.
pub fn host_func(context: Context, host: HostObject, ty: &FuncType) -> Option<Func> {
    use ValKind::I32;
    // Chooses a Rust type by a kind, twice where two parameters are to be chosen.
    macro_rules! choose {
        ($kind:expr, $name:ident, $then:expr) => {
            match $kind {
                ValKind::I32 => {
                    type $name = i32;
                    $then
                }
                ValKind::I64 => {
                    type $name = i64;
                    $then
                }
                ValKind::F32 => {
                    type $name = F32;
                    $then
                }
                ValKind::F64 => {
                    type $name = F64;
                    $then
                }
                _ => return None,
            }
        };
    }
    macro_rules! wrap {
        ($params:ty) => {
            match &*ty.result_kinds {
                [] => <$params>::wrap::<()>(context, host),
                [kind] => choose!(*kind, R, <$params>::wrap::<R>(context, host)),
                _ => return None,
            }
        };
    }
    Some(match &*ty.param_kinds {
        [] => wrap!(()),
        [one] => choose!(*one, A, wrap!((A,))),
        [one, other] => choose!(*one, A, choose!(*other, B, wrap!((A, B)))),
        [I32, I32, I32] => wrap!((i32, i32, i32)),
        [I32, I32, I32, I32] => wrap!((i32, i32, i32, i32)),
        [I32, I32, I32, I32, I32] => wrap!((i32, i32, i32, i32, i32)),
        [I32, I32, I32, I32, I32, I32] => wrap!((i32, i32, i32, i32, i32, i32)),
        [I32, I32, I32, I32, I32, I32, I32] => wrap!((i32, i32, i32, i32, i32, i32, i32)),
        [I32, I32, I32, I32, I32, I32, I32, I32] => wrap!((i32, i32, i32, i32, i32, i32, i32, i32)),
        _ => return None,
    })
}
