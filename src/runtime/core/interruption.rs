//! Stopping a guest: at a deadline, or because another thread says so.
//!
//! A store of an engine with interruption has a [`Supervisor`]. The backend asks it now and then, while WebAssembly runs,
//! whether to go on: wasmtime at a change of the engine's epoch, wasmi when a slice of fuel is used up. Epochs change when
//! somebody triggers an interrupt, and with the ticks of [`Ticker`], a thread that is there while any store of such an engine
//! has a deadline, and sleeps while none of them runs.

use super::engine::Engine;
use crate::runtime::base::error::{Error, ErrorKind, Result};
use crate::runtime::base::quiet_thread;
use crate::runtime::base::trap_code::TrapCode;
use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often epochs change. A guest is stopped this much after its deadline at the latest, plus what the scheduler takes.
const TICK: Duration = Duration::from_millis(5);

/// What an interrupt shares with its store. Usable from any thread, and after the store is gone.
pub struct Interrupt {
    engine: Arc<Engine>,
    /// How often it was triggered, and how many of these are over: they stopped a call, or were withdrawn.
    triggered: AtomicU64,
    handled: AtomicU64,
    /// What the ticker wants to know: nothing runs, something ran since it looked last ([`RAN`]), or runs now ([`RUNNING`]).
    activity: AtomicU8,
}

const RAN: u8 = 1;
const RUNNING: u8 = 2;

impl Interrupt {
    /// Stops what the store runs, or else what it will run next.
    pub fn trigger(&self) {
        self.triggered.fetch_add(1, Ordering::Release);
        self.engine.inner.tick();
    }

    /// From now on a guest runs that ticks are to stop; wakes the ticker if it sleeps.
    #[inline]
    fn begin(&self) {
        // It goes to sleep by saying so first, and then looking at what was stored here: of the two, one sees the other.
        self.activity.store(RUNNING, Ordering::SeqCst);
        if ASLEEP.load(Ordering::SeqCst) {
            wake();
        }
    }

    fn end(&self) {
        self.activity.store(RAN, Ordering::Relaxed);
    }

    /// For the ticker: what there is to know, once.
    fn take_activity(&self) -> u8 {
        match self.activity.load(Ordering::SeqCst) {
            // If another guest began meanwhile, that one counts.
            RAN => self.activity.compare_exchange(RAN, 0, Ordering::SeqCst, Ordering::SeqCst).unwrap_or_else(|new| new),
            activity => activity,
        }
    }

    /// Withdraws what was triggered before and has not stopped anything.
    pub fn clear(&self) {
        self.handled.fetch_max(self.triggered.load(Ordering::Acquire), Ordering::AcqRel);
    }
}

/// The store's side of it.
pub struct Supervisor {
    interrupt: Arc<Interrupt>,
    /// For everything in the store.
    deadline: Cell<Option<Instant>>,
    /// For each call from outside.
    call_timeout: Cell<Option<Duration>>,
    /// The two as they are for the call that is running.
    call_deadline: Cell<Option<Instant>>,
    /// Calls that are running, one inside the other.
    depth: Cell<u32>,
    /// The trigger that stopped the call that is running, or the last one.
    reported: Cell<u64>,
    ticking: RefCell<Option<Ticking>>,
}

impl Supervisor {
    pub fn new(engine: &Arc<Engine>) -> Supervisor {
        let interrupt = Interrupt {
            engine: engine.clone(),
            triggered: AtomicU64::new(0),
            handled: AtomicU64::new(0),
            activity: AtomicU8::new(0),
        };
        Supervisor {
            interrupt: Arc::new(interrupt),
            deadline: Cell::new(None),
            call_timeout: Cell::new(None),
            call_deadline: Cell::new(None),
            depth: Cell::new(0),
            reported: Cell::new(0),
            ticking: RefCell::new(None),
        }
    }

    pub fn interrupt(&self) -> Arc<Interrupt> {
        self.interrupt.clone()
    }

    /// Lets everything in the store end `after` from now; `None` lifts that.
    pub fn set_deadline(&self, after: Option<Duration>) -> Result<()> {
        // A time too far away to be named will not come.
        let former = self.deadline.replace(after.and_then(|after| Instant::now().checked_add(after)));
        self.need_ticks().inspect_err(|_| self.deadline.set(former))
    }

    /// Lets each call from outside end that long after it began; the call that is running keeps its own deadline.
    pub fn set_call_timeout(&self, timeout: Option<Duration>) -> Result<()> {
        let former = self.call_timeout.replace(timeout);
        self.need_ticks().inspect_err(|_| self.call_timeout.set(former))
    }

    fn need_ticks(&self) -> Result<()> {
        let timed = self.deadline.get().or(self.call_deadline.get()).is_some() || self.call_timeout.get().is_some();
        let needed = timed && self.interrupt.engine.inner.ticks();
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

    /// Begins a call; it is over when the answer is dropped. Fails if it would have to stop at once.
    pub fn begin_call(&self) -> Result<Supervised<'_>, TrapCode> {
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
        match self.check() {
            None => Ok(supervised),
            Some(code) => Err(code),
        }
    }

    /// Why WebAssembly is to stop now, if it is.
    pub fn check(&self) -> Option<TrapCode> {
        // A callback may have forked, and this be the child.
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
        let deadlines = [self.deadline.get(), self.call_deadline.get()];
        let next = deadlines.into_iter().flatten().min()?;
        (Instant::now() >= next).then_some(TrapCode::Deadline)
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
            // The timeout was lifted during the call. Stopping to tick does not fail.
            let _ = self.0.need_ticks();
        }
    }
}

/// The thread that ticks, and for whom.
pub struct Ticker {
    thread: Option<JoinHandle<()>>,
    /// Counts the threads there have been: one that was told to go must not go on for its successor.
    generation: u64,
    interrupts: Vec<Arc<Interrupt>>,
}

static TICKER: Mutex<Ticker> = Mutex::new(Ticker { thread: None, generation: 0, interrupts: Vec::new() });
static TICKER_CHANGED: Condvar = Condvar::new();

/// Whether the ticker sleeps until a guest wakes it. Changed by whoever has the ticker.
static ASLEEP: AtomicBool = AtomicBool::new(false);

/// Whether this process was forked off one whose ticker it did not inherit.
static ABANDONED: AtomicBool = AtomicBool::new(false);

fn ticker() -> MutexGuard<'static, Ticker> {
    TICKER.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ticker {
    /// Makes sure that somebody ticks.
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

    /// Has all guests with a deadline look at it. Whether there are any, or were since the last time.
    fn tick(&self) -> bool {
        let mut active = false;
        for interrupt in &self.interrupts {
            let activity = interrupt.take_activity();
            active |= activity != 0;
            if activity == RUNNING {
                interrupt.engine.inner.tick();
            }
        }
        active
    }
}

/// Starts the ticker anew in a process that was forked.
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
        // Programs that call often and shortly are not to wake it each time: it waits for a tick without any call.
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

/// Makes the ticks for a store go on while it exists.
struct Ticking(Arc<Interrupt>);

impl Ticking {
    fn start(interrupt: Arc<Interrupt>) -> Result<Ticking> {
        let mut ticker = ticker();
        ticker.run()?;
        ticker.interrupts.push(interrupt.clone());
        Ok(Ticking(interrupt))
    }
}

impl Drop for Ticking {
    fn drop(&mut self) {
        let mut ticker = ticker();
        let position = ticker.interrupts.iter().position(|interrupt| Arc::ptr_eq(interrupt, &self.0));
        let interrupt = position.map(|position| ticker.interrupts.swap_remove(position));
        // Waited for, so that a program which has let go of everything has its threads to itself.
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

/// Keeps all others from the ticker, while the process forks.
pub fn hold() -> Held {
    ticker()
}

/// Makes do without the ticker's thread, which the child of a fork has not.
pub fn abandon(mut held: Held) {
    // There is nothing to join here.
    std::mem::forget(held.thread.take());
    ABANDONED.store(true, Ordering::Relaxed);
}
