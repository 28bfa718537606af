//! Calls functions of common signatures, in both directions, through the engine's typed interface. The untyped one
//! checks types again while holding a lock, and allocates for each call of a host function.

use super::store::{Context, WasmiStore, engine_func, invoke, invoke_raw};
use crate::backend::common::{HostObject, Owner};
use crate::runtime::base::types::{FuncType, ValKind};
use crate::runtime::core::arity::{MAX_PARAMS, MAX_RESULTS};
use crate::runtime::core::func::Func as FuncObject;
use crate::runtime::core::value::{LentRoom, Raw, Val, ValUnion};
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use wasmi::{Caller, Error, F32, F64, Func, TypedFunc, WasmParams, WasmResults, WasmRet, WasmTy};

// `call` has match arms for exactly these numbers of parameters and results.
const _: () = assert!(MAX_PARAMS == 6 && MAX_RESULTS == 2);

/// Calls a function of a numeric type with few parameters and results.
///
/// # Safety
/// The function belongs to `store`'s engine, and [`by_arity`](crate::runtime::core::arity::by_arity) has a case for
/// its type. The arguments match the type, and `results` has exactly as many places as the type has results.
#[inline(always)]
pub unsafe fn call(
    store: &WasmiStore,
    func: &FuncObject,
    args: &[Val],
    results: &mut [MaybeUninit<Val>],
    only_i32: bool,
) -> Result<(), Error> {
    let (param_count, result_count) = (args.len(), results.len());
    // SAFETY: `call_counted` asks for positions below the number of arguments, and the contract says that they match.
    let arg = |position: usize| unsafe { args.get_unchecked(position).bits(only_i32) };
    // SAFETY: `call_counted` asks for positions below the number of results.
    let result = |position: usize, bits: u64| unsafe {
        Val::write_bits(results.get_unchecked_mut(position), func.result_kind(position, only_i32), bits);
    };
    // SAFETY: the numbers are those of the type, and the rest is the contract.
    unsafe { call_counted(store, func, param_count, result_count, arg, result) }
}

/// Calls a function whose arguments and results are raw.
///
/// # Safety
/// As for [`call`]; the arguments are in `values`, and there is room for the results.
#[inline(always)]
pub unsafe fn call_raw(store: &WasmiStore, func: &FuncObject, values: NonNull<Raw>) -> Result<(), Error> {
    let (params, results) = (func.ty.param_kinds.len(), func.ty.result_kinds.len());
    // SAFETY: `call_counted` asks for positions of parameters, for which there are values.
    let arg =
        |position: usize| unsafe { values.add(position).as_ref().bits(func.param_kind(results, position, false)) };
    // SAFETY: `call_counted` asks for positions of results, for which there is room.
    let result = |position: usize, bits: u64| unsafe {
        values.add(position).write(Raw::of_bits(func.result_kind(position, false), bits));
    };
    // SAFETY: the numbers are those of the type, and the rest is the contract.
    unsafe { call_counted(store, func, params, results, arg, result) }
}

/// Calls a function with the arguments that `arg` returns the bits of, and passes the bits of its results to `result`.
///
/// # Safety
/// The function belongs to `store`'s engine, has so many parameters and results, and `by_arity` has a case for its type.
#[inline(always)]
unsafe fn call_counted(
    store: &WasmiStore,
    func: &FuncObject,
    params: usize,
    results: usize,
    arg: impl Fn(usize) -> u64,
    mut result: impl FnMut(usize, u64),
) -> Result<(), Error> {
    // SAFETY: an entity of a function in a store of wasmi was made from a `wasmi::Func`.
    let callee = unsafe { engine_func(func) };
    macro_rules! arms {
        ($($count:literal: $($position:literal)*;)*) => {
            match (params, results) {
                $(
                    // SAFETY: the arm has matched the number of parameters and results, and the contract says that
                    // all are numbers.
                    ($count, 0) => unsafe { call_typed(store, callee, ($(arg($position),)*)) },
                    ($count, 1) => {
                        // SAFETY: the numbers of parameters and results are matched, and all of them are numbers.
                        let bits: u64 = unsafe { call_typed(store, callee, ($(arg($position),)*))? };
                        result(0, bits);
                        Ok(())
                    }
                    ($count, 2) => {
                        // SAFETY: the numbers of parameters and results are matched, and all of them are numbers.
                        let bits: (u64, u64) = unsafe { call_typed(store, callee, ($(arg($position),)*))? };
                        result(0, bits.0);
                        result(1, bits.1);
                        Ok(())
                    }
                )*
                // SAFETY: the function has at most MAX_PARAMS parameters and MAX_RESULTS results, and there are arms
                // for all of these.
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

/// Calls a function as if all of its numbers were 64-bit integers.
///
/// # Safety
/// The function has the given number of parameters and results, and all of them are numbers. The engine keeps each
/// number in a 64-bit cell, whatever its type, and uses the lower half of the cell for 32-bit numbers; so the bits of
/// any number can be passed as an integer.
#[inline(always)]
unsafe fn call_typed<Params: WasmParams, Results: WasmResults>(
    store: &WasmiStore,
    func: Func,
    params: Params,
) -> Result<Results, Error> {
    const { assert!(size_of::<TypedFunc<Params, Results>>() == size_of::<Func>()) };
    // SAFETY: a `TypedFunc` is a transparent wrapper of a `Func`, of the same size. Its types are not quite the
    // function's; the contract of this function says why that is sound.
    let typed: TypedFunc<Params, Results> = unsafe { std::mem::transmute_copy(&func) };
    typed.call(store.context(), params)
}

/// A numeric type in the signature of a host function.
trait Number: WasmTy + Copy + 'static {
    const KIND: ValKind;
    fn into_val(self) -> Val;
    fn into_raw(self) -> Raw;
    fn from_bits(bits: u64) -> Self;
}

macro_rules! number {
    ($ty:ty, $kind:ident, $field:ident, $value:ident => $into:expr, $bits:ident => $from:expr) => {
        impl Number for $ty {
            const KIND: ValKind = ValKind::$kind;
            #[inline(always)]
            fn into_val(self) -> Val {
                let $value = self;
                Val { kind: ValKind::$kind as u8, of: ValUnion { $field: $into } }
            }
            #[inline(always)]
            fn into_raw(self) -> Raw {
                let $value = self;
                Raw::of_bits(ValKind::$kind, $into as u64)
            }
            #[inline(always)]
            fn from_bits($bits: u64) -> Self {
                $from
            }
        }
    };
}
// Floats are passed by their bits: a floating-point register could change the bits of a NaN.
number!(i32, I32, i32, value => value, bits => bits as i32);
number!(i64, I64, i64, value => value, bits => bits as i64);
number!(F32, F32, i32, value => value.to_bits() as i32, bits => F32::from_bits(bits as u32));
number!(F64, F64, i64, value => value.to_bits() as i64, bits => F64::from_bits(bits));

/// The results of a host function: none, or one number.
trait HostResult: Sized + 'static
where
    Result<Self, Error>: WasmRet,
{
    type Room: AsMut<[MaybeUninit<Val>]>;
    const ROOM: Self::Room;

    /// # Safety
    /// All places of the room are initialised with values of this type's kind.
    unsafe fn from_room(room: &mut Self::Room) -> Self;

    /// # Safety
    /// A result of this type's kind is at the beginning of `values`.
    unsafe fn from_raw(values: *const Raw) -> Self;
}

impl HostResult for () {
    type Room = LentRoom<0>;
    const ROOM: Self::Room = LentRoom::UNINIT;
    unsafe fn from_room(_room: &mut Self::Room) {}
    unsafe fn from_raw(_values: *const Raw) {}
}

impl<N: Number> HostResult for N {
    type Room = LentRoom<1>;
    const ROOM: Self::Room = LentRoom::UNINIT;
    #[inline(always)]
    unsafe fn from_room(room: &mut Self::Room) -> N {
        // SAFETY: the room has one place, which is initialised, as the contract says.
        N::from_bits(unsafe { room.as_mut()[0].assume_init_ref().bits(false) })
    }
    #[inline(always)]
    unsafe fn from_raw(values: *const Raw) -> N {
        // SAFETY: the contract says that there is a result.
        N::from_bits(unsafe { (*values).bits(N::KIND) })
    }
}

/// The parameters of a host function.
trait HostParams {
    /// Makes a host function, whose callback gets raw values if `RAW`.
    fn wrap<R: HostResult, const RAW: bool>(context: Context, host: HostObject) -> Func
    where
        Result<R, Error>: WasmRet;
}

macro_rules! host_params {
    ($($name:ident)*) => {
        impl<$($name: Number),*> HostParams for ($($name,)*) {
            #[allow(non_snake_case)]
            fn wrap<R: HostResult, const RAW: bool>(context: Context, host: HostObject) -> Func
            where
                Result<R, Error>: WasmRet,
            {
                Func::wrap(context, move |caller: Caller<'_, Owner>, $($name: $name),*| -> Result<R, Error> {
                    if RAW {
                        // With room for the result.
                        let mut values = [$($name.into_raw(),)* Raw { u64: 0 }];
                        // SAFETY: the engine calls this with arguments of the function's type, and there is room for one
                        // result, which `invoke_raw` writes.
                        return unsafe {
                            invoke_raw(host.get(), caller, values.as_mut_ptr())?;
                            Ok(R::from_raw(values.as_ptr()))
                        };
                    }
                    let mut room = R::ROOM;
                    // SAFETY: the engine calls this with arguments of the function's type, and the room has a place
                    // for each result. When `invoke` succeeds it has initialised all of them.
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

/// Makes a host function if its signature is a common one: at most one result, and up to two parameters of any
/// numeric type or up to eight of type i32; or if it is that of a function of WASI that a guest may call often.
pub fn host_func<const RAW: bool>(context: Context, host: HostObject, ty: &FuncType) -> Option<Func> {
    use ValKind::{I32, I64};
    // Chooses a Rust type for a kind. Used inside itself where two types have to be chosen.
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
                [] => <$params>::wrap::<(), RAW>(context, host),
                [kind] => choose!(*kind, R, <$params>::wrap::<R, RAW>(context, host)),
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
        // Clocks, seeking, and reading and writing at a position or from a cookie on.
        _ if *ty.result_kinds != [I32] => return None,
        [I32, I64, I32] => <(i32, i64, i32)>::wrap::<i32, RAW>(context, host),
        [I32, I64, I32, I32] => <(i32, i64, i32, i32)>::wrap::<i32, RAW>(context, host),
        [I32, I32, I32, I64, I32] => <(i32, i32, i32, i64, i32)>::wrap::<i32, RAW>(context, host),
        _ => return None,
    })
}
