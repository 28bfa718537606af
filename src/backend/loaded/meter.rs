//! What instrumented modules ask for: fuel, whether to go on, and whether something may grow.
//!
//! The fuel of a store is where the code can take it: in the account of the instance that asked last. When another
//! instance has used up its own, the rest comes back from there. So all of it is in one place, and calls between instances
//! cost a request each time another one pays. Where time counts, an account gets a slice only, so that it asks again.

use super::api::{PeerFunc, PeerGlobal, PeerTrap, Vector};
use super::store::LoadedStore;
use crate::backend::common::Owner;
use crate::runtime::base::error::{Error, ErrorKind, Result, panic_text};
use crate::runtime::base::limits::Growth;
use crate::runtime::base::trap_code::TrapCode;
use crate::runtime::base::types::{FuncType, ValKind, ValType};
use crate::runtime::binary::instrument::{Grown, Request};
use crate::runtime::core::object::{Body, Retained};
use crate::runtime::core::value::Val;
use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{NonNull, null_mut};
use std::rc::Rc;

/// What an account gets where time counts: about as many instructions as an engine runs in a tenth of a millisecond, an
/// interpreter in a few milliseconds.
const SLICE: u64 = 100_000;

/// What the instances of a store have in common.
pub struct Meters {
    /// Whether fuel is counted; if not, there is always enough.
    fuel: bool,
    /// Whether time counts.
    sliced: bool,
    /// The fuel that is in no account.
    reserve: Cell<u64>,
    /// The only one whose account may have something.
    holder: Cell<Option<NonNull<Meter>>>,
    /// Why the code that runs has to stop, until its trap comes back.
    stopped: Cell<Option<TrapCode>>,
    all: RefCell<Vec<Rc<Meter>>>,
}

/// The part of an instance, which is the environment of the function that it asks.
pub struct Meter {
    owner: Owner,
    /// The account; null before there is an instance, and if there was none in the end. Functions of such an instance may
    /// be called nevertheless, through a table. They get no more than they owe, so there is nothing to take back.
    account: Cell<*mut PeerGlobal>,
    bounds: Vec<Grown>,
}

impl Meter {
    /// Must be called when the instance is made, and before anything of it runs.
    pub fn set_account(&self, account: *mut PeerGlobal) {
        self.account.set(account);
    }
}

impl Meters {
    pub fn new(fuel: bool, interruption: bool) -> Meters {
        Meters {
            fuel,
            sliced: interruption,
            reserve: Cell::new(0),
            holder: Cell::new(None),
            stopped: Cell::new(None),
            all: RefCell::default(),
        }
    }

    /// Returns why code was stopped, once.
    pub fn take_stopped(&self) -> Option<TrapCode> {
        self.stopped.take()
    }
}

impl LoadedStore {
    /// Makes what an instance of an instrumented module needs: its part, and the function that it imports. Both are the
    /// store's.
    pub(super) fn new_meter(&self, grown: &[Grown], imports: &[Retained]) -> Result<(NonNull<Meter>, *mut PeerFunc)> {
        let bounds = grown.iter().map(|grown| {
            // What is imported may have a smaller maximum than the module asks for.
            let own = grown.import.and_then(|position| match &imports.get(position)?.body {
                Body::Memory(memory) => memory.ty.limits.max(),
                Body::Table(table) => table.ty.limits.max(),
                _ => None,
            });
            Grown { most: [own, grown.most].into_iter().flatten().min(), ..*grown }
        });
        let meter =
            Meter { owner: Owner(self.owner().into()), account: Cell::new(null_mut()), bounds: bounds.collect() };
        let meter = Rc::new(meter);
        let at = NonNull::from(&*meter);
        self.meters.all.borrow_mut().push(meter);
        let numbers = |kinds: &[ValKind]| kinds.iter().map(|kind| ValType::new(*kind)).collect::<Vec<_>>();
        let ty = FuncType::new(numbers(&[ValKind::I32, ValKind::I64, ValKind::I64]), numbers(&[ValKind::I64]));
        // SAFETY: the environment lives as long as the store.
        let func = unsafe { self.new_host_func(&ty, answer, at.as_ptr().cast()) };
        match func.is_null() {
            false => Ok((at, func)),
            true => Err(Error::new(ErrorKind::Limit, format!("{} makes no host function", self.peer.label()))),
        }
    }

    /// Returns how much fuel is left.
    pub(super) fn fuel_left(&self) -> u64 {
        let held = self.meters.holder.get().map_or(0, |holder| self.held(holder));
        self.meters.reserve.get().saturating_add(held)
    }

    pub(super) fn set_fuel_left(&self, fuel: u64) {
        self.take_back();
        self.meters.reserve.set(fuel);
    }

    /// Returns what is in an account.
    fn held(&self, holder: NonNull<Meter>) -> u64 {
        let mut value = Val::i64(0);
        // SAFETY: the part lives as long as the store, and so does the account, which a holder has.
        unsafe {
            (self.peer.api.global_get)(holder.as_ref().account.get(), &mut value);
            u64::try_from(value.of.i64).unwrap_or(0)
        }
    }

    /// Empties the account that has something.
    fn take_back(&self) {
        let Some(holder) = self.meters.holder.take() else { return };
        let held = self.held(holder);
        // SAFETY: as above.
        unsafe { (self.peer.api.global_set)(holder.as_ref().account.get(), &Val::i64(0)) };
        self.meters.reserve.set(self.meters.reserve.get().saturating_add(held));
    }

    fn serve(&self, meter: NonNull<Meter>, request: Request) -> Result<i64, TrapCode> {
        let limits = self.owner().limits();
        match request {
            Request::Pay(balance) => self.pay(meter, balance),
            Request::GrowthFailed => {
                limits.growth_failed();
                Ok(0)
            }
            Request::Grow { number, size, delta } => {
                // SAFETY: the part lives as long as the store.
                let bounds = unsafe { meter.as_ref() }.bounds.get(number).copied();
                let Some(Grown { page_log2, most, .. }) = bounds else { return Ok(0) };
                let bytes = |pages: u64| {
                    let bytes = u128::from(pages) << page_log2.unwrap_or(0);
                    usize::try_from(bytes).unwrap_or(usize::MAX)
                };
                let (size, wanted, most) = (bytes(size), bytes(size.saturating_add(delta)), most.map(bytes));
                let growth = match page_log2 {
                    Some(_) => limits.memory_growing(size, wanted, most),
                    None => limits.table_growing(size, wanted, most),
                };
                match growth {
                    Growth::Allowed => Ok(1),
                    Growth::Denied => Ok(0),
                    Growth::Trap(code) => Err(code),
                }
            }
        }
    }

    /// Pays what an instance owes, and returns what it gets. Its account is empty meanwhile; what was in it is `balance`,
    /// unless that is negative.
    fn pay(&self, meter: NonNull<Meter>, balance: i64) -> Result<i64, TrapCode> {
        let Meters { fuel, sliced, reserve, holder, .. } = &self.meters;
        self.take_back();
        if *fuel {
            reserve.set(reserve.get().saturating_add(u64::try_from(balance).unwrap_or(0)));
            let owed = balance.min(0).unsigned_abs();
            let Some(left) = reserve.get().checked_sub(owed) else {
                reserve.set(0);
                return Err(TrapCode::OutOfFuel);
            };
            reserve.set(left);
        }
        if let Some(code) = self.owner().must_stop() {
            return Err(code);
        }
        // The host that was asked may have called another instance.
        self.take_back();
        // SAFETY: the part lives as long as the store.
        if unsafe { meter.as_ref() }.account.get().is_null() {
            return Ok(0);
        }
        let most = if *sliced { SLICE } else { i64::MAX as u64 };
        let slice = if *fuel { reserve.get().min(most) } else { most };
        if *fuel {
            reserve.set(reserve.get() - slice);
        } else {
            // So that what comes back does not add up.
            reserve.set(0);
        }
        holder.set(Some(meter));
        Ok(slice as i64)
    }

    /// After a host function, which may take any time, asks whether the caller has to stop. Sets the reason if so.
    #[inline(always)]
    pub(super) fn stops_after_host(&self) -> bool {
        self.meters.sliced && self.stops_now()
    }

    #[inline(never)]
    fn stops_now(&self) -> bool {
        let code = self.owner().must_stop();
        self.meters.stopped.set(code);
        code.is_some()
    }
}

/// Called by the library: the function that instrumented modules import.
unsafe extern "C" fn answer(env: *mut c_void, args: *const Vector<Val>, results: *mut Vector<Val>) -> *mut PeerTrap {
    let Some(meter) = NonNull::new(env.cast::<Meter>()) else { return null_mut() };
    // SAFETY: the environment of these functions lives as long as its store, which is one of this backend. The library gives
    // arguments of the function's type, and room for its result.
    let (store, args, result) = unsafe {
        let store = meter.as_ref().owner.get().backend_as::<LoadedStore>();
        (store, std::slice::from_raw_parts((*args).data, 3), (*results).data)
    };
    // The memory may have grown since the host last saw it, and the host may be asked.
    store.owner().memory_will_grow();
    // SAFETY: they are of these kinds.
    let request = unsafe { Request::of(args[0].of.i32, args[1].of.i64, args[2].of.i64) };
    // A library looks at the result even then if it has no memory for a trap. It means: nothing more, and no growth.
    // SAFETY: there is room for one result.
    unsafe { result.write(Val::i64(0)) };
    match catch_unwind(AssertUnwindSafe(|| store.serve(meter, request))) {
        Ok(Ok(answer)) => {
            // SAFETY: there is room for one result.
            unsafe { result.write(Val::i64(answer)) };
            null_mut()
        }
        Ok(Err(code)) => {
            store.meters.stopped.set(Some(code));
            store.placeholder()
        }
        Err(panic) => {
            let error = Error::new(ErrorKind::Internal, panic_text(&*panic));
            store.owner().set_pending_trap(store.owner().error_trap(error));
            store.placeholder()
        }
    }
}
