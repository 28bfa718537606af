//! In which threads the engine works on a module.
//!
//! The engine compiles and validates in parallel with rayon, in whatever pool it is called. Rayon's own one would stay for the
//! process: it takes the host's signals, is dead in every child of a fork, and never works again if its threads could not be
//! made once. So each module gets a pool of its own while it is worked on, which leaves nothing behind. A module that is too
//! small to be worth threads, or for which none can be had, is worked on by the thread that brings it.

use crate::runtime::base::quiet_thread::Quiet;
use crate::runtime::core::guest;
use rayon::{ThreadBuilder, ThreadPoolBuilder};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// How many bytes of a module are worth one thread more: some milliseconds of the compiler, and some dozen microseconds for
/// the thread.
const BYTES_FOR_A_THREAD: usize = 4 << 10;

/// Runs `body`, which uses rayon and takes as long as compiling so many bytes of a module. A panic comes back as a panic.
pub fn run<R: Send>(bytes: usize, body: impl FnOnce() -> R + Send) -> R {
    if rayon::current_thread_index().is_some() {
        return body();
    }
    let reserved = Reserved::up_to(bytes / BYTES_FOR_A_THREAD);
    let threads = match reserved.0 {
        // One alone would be no faster than this thread.
        0 | 1 if stack_suffices() => return in_this_thread(body),
        0 => 1,
        threads => threads,
    };
    let mut body = Some(body);
    let quiet = Quiet::begin();
    let pool = ThreadPoolBuilder::new().num_threads(threads).thread_name(|_| "wasmrt-compiler".to_string());
    let done = pool.build_scoped(ThreadBuilder::run, |pool| {
        drop(quiet);
        body.take().map(|body| pool.install(body))
    });
    match (done, body) {
        (Ok(Some(done)), _) => done,
        // Not all of the threads could be made.
        (_, Some(body)) => in_this_thread(body),
        (_, None) => unreachable!("a body that has run gives something"),
    }
}

/// Runs `body` with this thread for a pool, as long as that takes.
fn in_this_thread<R: Send>(body: impl FnOnce() -> R + Send) -> R {
    let mut thread = None;
    let pool = ThreadPoolBuilder::new().num_threads(1).spawn_handler(|builder| {
        thread = Some(builder);
        Ok(())
    });
    let pool = pool.build().expect("no thread is made");
    let thread = thread.expect("the pool has one");
    let mut outcome = None;
    let job: Box<dyn FnOnce() + Send + '_> = Box::new(|| outcome = Some(catch_unwind(AssertUnwindSafe(body))));
    // SAFETY: only the lifetime is another. `run` below does not return before the pool has no job any more.
    let job = unsafe { std::mem::transmute::<Box<dyn FnOnce() + Send + '_>, Box<dyn FnOnce() + Send>>(job) };
    pool.spawn(job);
    // The pool ends when its job is done, and then `run` returns.
    drop(pool);
    thread.run();
    outcome.expect("the job has run").unwrap_or_else(|panic| resume_unwind(panic))
}

/// Twice what the compilers were seen to take of the stack: Cranelift takes 160 KiB, Winch 320, whatever the module.
const STACK: usize = 640 << 10;

/// Whether this thread has stack enough left to compile on. How large a coroutine's is nobody knows.
fn stack_suffices() -> bool {
    guest::stack_left().is_some_and(|left| left >= STACK)
}

/// Threads that work for the process's modules at the moment, together no more than there are processors.
struct Reserved(usize);

/// How many there are, below the number of the process: a child of a fork has none of its parent's.
static RESERVED: AtomicU64 = AtomicU64::new(0);

impl Reserved {
    fn up_to(wanted: usize) -> Reserved {
        if wanted < 2 {
            return Reserved(0);
        }
        let (process, processors) = (std::process::id(), processors());
        let mut got = 0;
        let reserve = |state| {
            let others = reserved(state, process);
            got = wanted.min(processors.saturating_sub(others));
            Some((u64::from(process) << 32) | (others + got) as u64)
        };
        let _ = RESERVED.try_update(Ordering::Relaxed, Ordering::Relaxed, reserve);
        Reserved(got)
    }
}

/// How many threads a state says that this process has.
fn reserved(state: u64, process: u32) -> usize {
    if state >> 32 == u64::from(process) { state as u32 as usize } else { 0 }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        RESERVED.fetch_sub(self.0 as u64, Ordering::Relaxed);
    }
}

/// How many processors there are for this process. The system is asked once, since it tells in files.
fn processors() -> usize {
    static PROCESSORS: AtomicUsize = AtomicUsize::new(0);
    match PROCESSORS.load(Ordering::Relaxed) {
        0 => {
            let processors = std::thread::available_parallelism().map_or(1, usize::from);
            PROCESSORS.store(processors, Ordering::Relaxed);
            processors
        }
        processors => processors,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rayon::prelude::*;
    use std::thread::{current, spawn};

    const LARGE: usize = 1 << 20;

    /// Runs something in parallel, and tells in how many threads it may have run, and whether in the one that called.
    fn work(bytes: usize) -> (usize, bool) {
        let caller = current().id();
        run(bytes, || {
            let sum: usize = (0..1000).into_par_iter().map(|number| number * 2).collect::<Vec<_>>().iter().sum();
            assert_eq!(sum, 999_000);
            (rayon::current_num_threads(), current().id() == caller)
        })
    }

    #[test]
    fn small_modules_are_worked_on_by_the_thread_that_brings_them() {
        for _ in 0..3 {
            assert_eq!(work(100), (1, true));
            assert_eq!(rayon::current_thread_index(), None, "it is nobody's worker afterwards");
        }
    }

    #[test]
    fn large_ones_by_as_many_threads_as_there_are_processors() {
        // Tests run side by side: others may have some of them.
        let (threads, here) = work(LARGE);
        assert!(threads <= processors() && here == (threads == 1));
        let all: Vec<_> = (0..8).map(|_| spawn(|| work(LARGE))).collect();
        for thread in all {
            let (threads, here) = thread.join().expect("no panic");
            assert!(threads <= processors() && here == (threads == 1));
        }
    }

    #[test]
    fn a_child_of_a_fork_has_none_of_its_parents_threads() {
        let state = (7 << 32) | 1000;
        assert_eq!((reserved(state, 7), reserved(state, 8)), (1000, 0));
        assert!(Reserved::up_to(usize::MAX).0 <= processors());
        assert_eq!(Reserved::up_to(1).0, 0);
    }

    #[test]
    fn panics_come_back() {
        for bytes in [100, LARGE] {
            let panic =
                catch_unwind(|| run(bytes, || (0..1000).into_par_iter().for_each(|number| assert!(number < 500))));
            assert!(panic.is_err());
            assert!(work(bytes).0 > 0);
        }
    }

    #[test]
    fn what_runs_may_run_something_itself() {
        for bytes in [100, LARGE] {
            assert_eq!(run(bytes, || run(LARGE, || run(100, || 7))), 7);
        }
    }

    #[test]
    fn a_thread_with_little_stack_gets_one_with_more() {
        let builder = std::thread::Builder::new().stack_size(128 << 10);
        let thread = builder.spawn(|| (work(100), stack_suffices())).expect("a thread");
        assert_eq!(thread.join().expect("no panic"), ((1, false), false));
        assert!(stack_suffices());
    }
}
