//! Stops guests: at a deadline, or because another thread asks for it.
//!
//! A store of an engine with interruption has a [`Supervisor`]. While WebAssembly runs, the backend asks it now and
//! then whether to go on: wasmtime when the engine's epoch changes, wasmi when a slice of fuel is used up. Epochs
//! change when an interrupt is triggered, and with each tick of the [`Ticker`]. That is a thread that exists while
//! any store of such an engine has a deadline, or one of any engine a host that wants to be asked ([`Poll`]), and
//! sleeps while none of these stores runs.

use super::engine::Engine;
use crate::runtime::base::error::{Error, ErrorKind, Result};
use crate::runtime::base::float_mode;
use crate::runtime::base::host_data::HostData;
use crate::runtime::base::quiet_thread;
use crate::runtime::base::trap_code::TrapCode;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often epochs change. A guest is stopped at most this long after its deadline, plus the delay of the scheduler.
const TICK: Duration = Duration::from_millis(5);

/// How many ticks pass before a host is asked again whether its guest may go on: 50 ms.
const POLL_TICKS: u32 = 10;

/// The part of a store's supervisor that interrupts share. Can be used from any thread, and after the store is gone.
pub struct Interrupt {
    engine: Arc<Engine>,
    /// How often it was triggered, and (in `handled`) how many of these triggers are over: they stopped a call or
    /// were cleared.
    triggered: AtomicU64,
    handled: AtomicU64,
    /// What the ticker needs to know: 0 if nothing runs, [`RAN`] if something ran since the ticker last looked,
    /// [`RUNNING`] if something runs now.
    activity: AtomicU8,
    /// How many ticks found something running.
    ticks: AtomicU32,
    /// The position among the interrupts of the ticker. Used only by a thread that holds `TICKER`.
    place: AtomicUsize,
}

const RAN: u8 = 1;
const RUNNING: u8 = 2;

impl Interrupt {
    /// Stops what the store is running or, if nothing runs, what it runs next.
    pub fn trigger(&self) {
        self.triggered.fetch_add(1, Ordering::Release);
        self.engine.inner.tick();
    }

    /// Notes that a guest is running that ticks may have to stop; wakes the ticker if it sleeps.
    #[inline]
    fn begin(&self) {
        // Before the ticker sleeps, it sets `ASLEEP` and then looks at `activity`. Here it is the other way round.
        // Both orders are sequentially consistent, so at least one side sees the other's store.
        self.activity.store(RUNNING, Ordering::SeqCst);
        if ASLEEP.load(Ordering::SeqCst) {
            wake();
        }
    }

    fn end(&self) {
        self.activity.store(RAN, Ordering::Relaxed);
    }

    /// Returns the activity, for the ticker, and resets `RAN`.
    fn take_activity(&self) -> u8 {
        match self.activity.load(Ordering::SeqCst) {
            // If another guest began in the meantime, its `RUNNING` is the answer.
            RAN => self.activity.compare_exchange(RAN, 0, Ordering::SeqCst, Ordering::SeqCst).unwrap_or_else(|new| new),
            activity => activity,
        }
    }

    /// Clears the triggers that have not stopped anything yet.
    pub fn clear(&self) {
        self.handled.fetch_max(self.triggered.load(Ordering::Acquire), Ordering::AcqRel);
    }
}

/// A host that is asked now and then whether its guest may go on.
pub struct Poll {
    pub callback: Box<dyn Fn(&HostData) -> bool>,
    pub env: HostData,
}

/// The part of interruption that belongs to the store's thread.
pub struct Supervisor {
    interrupt: Arc<Interrupt>,
    /// The deadline of everything in the store.
    deadline: Cell<Option<Instant>>,
    /// The timeout of each call from outside.
    call_timeout: Cell<Option<Duration>>,
    /// The deadline that `call_timeout` gives to the running call.
    call_deadline: Cell<Option<Instant>>,
    /// The number of running calls, which are nested.
    depth: Cell<u32>,
    /// The count of triggers when one stopped the running call, or the last one.
    reported: Cell<u64>,
    poll: RefCell<Option<Rc<Poll>>>,
    /// The count of ticks when the host was last asked.
    polled: Cell<u32>,
    ticking: RefCell<Option<Ticking>>,
}

impl Supervisor {
    pub fn new(engine: &Arc<Engine>) -> Supervisor {
        let interrupt = Interrupt {
            engine: engine.clone(),
            triggered: AtomicU64::new(0),
            handled: AtomicU64::new(0),
            activity: AtomicU8::new(0),
            ticks: AtomicU32::new(0),
            place: AtomicUsize::new(0),
        };
        Supervisor {
            interrupt: Arc::new(interrupt),
            deadline: Cell::new(None),
            call_timeout: Cell::new(None),
            call_deadline: Cell::new(None),
            depth: Cell::new(0),
            reported: Cell::new(0),
            poll: RefCell::new(None),
            polled: Cell::new(0),
            ticking: RefCell::new(None),
        }
    }

    pub fn interrupt(&self) -> Arc<Interrupt> {
        self.interrupt.clone()
    }

    /// Sets a deadline for everything in the store, `after` from now; `None` removes it.
    pub fn set_deadline(&self, after: Option<Duration>) -> Result<()> {
        // A deadline that is too far away to be represented never comes.
        let former = self.deadline.replace(after.and_then(|after| Instant::now().checked_add(after)));
        self.need_ticks().inspect_err(|_| self.deadline.set(former))
    }

    /// Sets the timeout of each call from outside. A call that is running keeps its deadline.
    pub fn set_call_timeout(&self, timeout: Option<Duration>) -> Result<()> {
        let former = self.call_timeout.replace(timeout);
        self.need_ticks().inspect_err(|_| self.call_timeout.set(former))
    }

    /// Sets the host that is asked whether guests may go on; `None` removes it.
    pub fn set_poll(&self, poll: Option<Poll>) -> Result<()> {
        // Whatever is dropped runs a finalizer of the host, with nothing borrowed.
        let former = self.poll.replace(poll.map(Rc::new));
        if let Err(error) = self.need_ticks() {
            let refused = self.poll.replace(former);
            drop(refused);
            return Err(error);
        }
        Ok(())
    }

    fn need_ticks(&self) -> Result<()> {
        let timed = self.deadline.get().or(self.call_deadline.get()).is_some() || self.call_timeout.get().is_some();
        let needed = timed && self.interrupt.engine.inner.ticks() || self.poll.borrow().is_some();
        if ABANDONED.load(Ordering::Relaxed) {
            revive()?;
        }
        let mut ticking = self.ticking.borrow_mut();
        if needed != ticking.is_some() {
            *ticking = needed.then(|| Ticking::start(self.interrupt.clone())).transpose()?;
            if !needed {
                self.interrupt.end();
            } else if self.depth.get() > 0 {
                self.interrupt.begin();
            }
        }
        Ok(())
    }

    /// Begins a call, which ends when the answer is dropped. Fails if it would have to stop at once.
    /// `host_float_mode` is the store's.
    pub fn begin_call(&self, host_float_mode: &Cell<float_mode::Mode>) -> Result<Supervised<'_>, TrapCode> {
        if self.depth.get() == 0 {
            if ABANDONED.load(Ordering::Relaxed)
                && let Err(error) = revive()
            {
                crate::runtime::base::log::warn(&error.message);
            }
            self.interrupt.handled.fetch_max(self.reported.get(), Ordering::AcqRel);
            let timeout = self.call_timeout.get();
            self.call_deadline.set(timeout.and_then(|timeout| Instant::now().checked_add(timeout)));
            if self.ticking.borrow().is_some() {
                self.interrupt.begin();
            }
        }
        self.depth.set(self.depth.get() + 1);
        let supervised = Supervised(self);
        match self.check(host_float_mode) {
            None => Ok(supervised),
            Some(code) => Err(code),
        }
    }

    /// Returns why WebAssembly has to stop now, if it does.
    /// `host_float_mode` is the store's.
    pub fn check(&self, host_float_mode: &Cell<float_mode::Mode>) -> Option<TrapCode> {
        // A callback may have forked, and this may be the child.
        if ABANDONED.load(Ordering::Relaxed)
            && let Err(error) = revive()
        {
            crate::runtime::base::log::warn(&error.message);
        }
        let triggered = self.interrupt.triggered.load(Ordering::Acquire);
        if triggered > self.interrupt.handled.load(Ordering::Acquire) {
            self.reported.set(triggered);
            return Some(TrapCode::Interrupted);
        }
        let ticks = self.interrupt.ticks.load(Ordering::Relaxed);
        if ticks.wrapping_sub(self.polled.get()) >= POLL_TICKS {
            self.polled.set(ticks);
            // The callback may replace itself.
            let poll = self.poll.borrow().clone();
            if let Some(poll) = poll {
                let changes = float_mode::is_kept(host_float_mode);
                float_mode::for_host(host_float_mode);
                let goes_on = (poll.callback)(&poll.env);
                // In a host function and before a call the thread has the host's mode already.
                if changes {
                    float_mode::for_guest(host_float_mode);
                }
                if !goes_on {
                    return Some(TrapCode::Interrupted);
                }
            }
        }
        let deadlines = [self.deadline.get(), self.call_deadline.get()];
        let next = deadlines.into_iter().flatten().min()?;
        (Instant::now() >= next).then_some(TrapCode::Timeout)
    }
}

pub struct Supervised<'a>(&'a Supervisor);

impl Drop for Supervised<'_> {
    fn drop(&mut self) {
        let depth = self.0.depth.get() - 1;
        self.0.depth.set(depth);
        if depth == 0 && self.0.ticking.borrow().is_some() {
            self.0.interrupt.end();
        }
        if depth == 0 && self.0.call_deadline.take().is_some() && self.0.call_timeout.get().is_none() {
            // The timeout was removed during the call. Stopping the ticks cannot fail.
            let _ = self.0.need_ticks();
        }
    }
}

/// The thread that ticks, and the interrupts that it ticks for.
pub struct Ticker {
    thread: Option<JoinHandle<()>>,
    /// The number of threads so far. A thread that was told to stop compares it, so that it does not work in its
    /// successor's place.
    generation: u64,
    interrupts: Vec<Arc<Interrupt>>,
}

static TICKER: Mutex<Ticker> = Mutex::new(Ticker { thread: None, generation: 0, interrupts: Vec::new() });
static TICKER_CHANGED: Condvar = Condvar::new();

/// Whether the ticker sleeps until a guest wakes it. Changed only by a thread that holds `TICKER`.
static ASLEEP: AtomicBool = AtomicBool::new(false);

/// Whether this process was forked from one whose ticker it did not inherit.
static ABANDONED: AtomicBool = AtomicBool::new(false);

fn ticker() -> MutexGuard<'static, Ticker> {
    TICKER.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ticker {
    /// Starts the thread if there is none.
    fn run(&mut self) -> Result<()> {
        if self.thread.is_some() {
            return Ok(());
        }
        self.generation += 1;
        let generation = self.generation;
        ASLEEP.store(false, Ordering::SeqCst);
        let thread = quiet_thread::spawn("wasmrt-ticker", move || tick(generation)).map_err(|error| {
            Error::new(ErrorKind::Limit, format!("cannot start the thread that timeouts need: {error}"))
        })?;
        self.thread = Some(thread);
        Ok(())
    }

    /// Makes all running guests with a deadline check it. Returns whether any runs, or ran since the last tick.
    fn tick(&self) -> bool {
        let mut active = false;
        for interrupt in &self.interrupts {
            let activity = interrupt.take_activity();
            active |= activity != 0;
            if activity == RUNNING {
                interrupt.ticks.fetch_add(1, Ordering::Relaxed);
                interrupt.engine.inner.tick();
            }
        }
        active
    }
}

/// Starts the ticker again in a process that was forked.
#[cold]
fn revive() -> Result<()> {
    let mut ticker = ticker();
    if !ticker.interrupts.is_empty() {
        ticker.run()?;
    }
    ABANDONED.store(false, Ordering::Relaxed);
    Ok(())
}

fn tick(generation: u64) {
    let mut ticker = ticker();
    while ticker.generation == generation {
        // A program that makes many short calls should not have to wake the ticker each time, so it sleeps only after
        // a tick in which no call ran.
        let mut active = ticker.tick();
        if !active {
            ASLEEP.store(true, Ordering::SeqCst);
            active = ticker.tick();
        }
        if active {
            ASLEEP.store(false, Ordering::SeqCst);
            ticker = TICKER_CHANGED.wait_timeout(ticker, TICK).unwrap_or_else(PoisonError::into_inner).0;
        } else {
            let idle = |ticker: &mut Ticker| ticker.generation == generation && ASLEEP.load(Ordering::SeqCst);
            ticker = TICKER_CHANGED.wait_while(ticker, idle).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

#[cold]
fn wake() {
    let _ticker = ticker();
    ASLEEP.store(false, Ordering::SeqCst);
    TICKER_CHANGED.notify_all();
}

/// Keeps the ticks for a store going while it exists.
struct Ticking(Arc<Interrupt>);

impl Ticking {
    fn start(interrupt: Arc<Interrupt>) -> Result<Ticking> {
        let mut ticker = ticker();
        ticker.run()?;
        interrupt.place.store(ticker.interrupts.len(), Ordering::Relaxed);
        ticker.interrupts.push(interrupt.clone());
        Ok(Ticking(interrupt))
    }
}

impl Drop for Ticking {
    fn drop(&mut self) {
        let mut ticker = ticker();
        let place = self.0.place.load(Ordering::Relaxed);
        let interrupt = ticker.interrupts.swap_remove(place);
        if let Some(moved) = ticker.interrupts.get(place) {
            moved.place.store(place, Ordering::Relaxed);
        }
        // The thread is joined, so that a program that has deleted everything has no thread of this library left.
        let thread = if ticker.interrupts.is_empty() { ticker.thread.take() } else { None };
        ticker.generation += u64::from(thread.is_some());
        drop(ticker);
        drop(interrupt);
        if let Some(thread) = thread {
            TICKER_CHANGED.notify_all();
            let _ = thread.join();
        }
    }
}

pub type Held = MutexGuard<'static, Ticker>;

/// Locks the ticker while the process forks.
pub fn hold() -> Held {
    ticker()
}

/// Forgets the ticker's thread, which does not exist in the child of a fork.
pub fn abandon(mut held: Held) {
    // Joining is impossible: the thread is not in this process.
    std::mem::forget(held.thread.take());
    ABANDONED.store(true, Ordering::Relaxed);
}
