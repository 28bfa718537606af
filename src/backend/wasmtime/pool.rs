//! Chooses the threads on which the engine compiles and validates a module.
//!
//! The engine works in parallel with rayon, in the thread pool of the calling thread. Rayon's global pool would stay
//! for the life of the process: its threads take the host's signals, it is dead in every child of a fork, and it
//! never works if its threads could not be created the first time. So each module gets a pool of its own while the
//! engine works on it, and nothing is left behind. If a module is too small to be worth threads, or none can be
//! created, the calling thread does the work.

use crate::backend::common::processors;
use crate::runtime::base::quiet_thread::Quiet;
use crate::runtime::core::guest;
use rayon::{ThreadBuilder, ThreadPoolBuilder};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

/// The bytes of a module that are worth one more thread: they take the compiler some milliseconds, and starting a
/// thread takes some dozen microseconds.
const BYTES_FOR_A_THREAD: usize = 4 << 10;

/// Runs `body`, which uses rayon and takes as long as compiling `bytes` bytes of a module. A panic in it is passed
/// on.
pub fn run<R: Send>(bytes: usize, body: impl FnOnce() -> R + Send) -> R {
    if rayon::current_thread_index().is_some() {
        return body();
    }
    let reserved = Reserved::up_to(bytes / BYTES_FOR_A_THREAD);
    let threads = match reserved.0 {
        // One additional thread would be no faster than this one.
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
        // Not all of the threads could be created, and `body` has not run.
        (_, Some(body)) => in_this_thread(body),
        (_, None) => unreachable!("a body that has run gives something"),
    }
}

/// Runs `body` with this thread as the only one of a pool.
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
    // SAFETY: only the lifetime changes. What the job borrows outlives it: `thread.run()` below returns only when the
    // pool has no job left.
    let job = unsafe { std::mem::transmute::<Box<dyn FnOnce() + Send + '_>, Box<dyn FnOnce() + Send>>(job) };
    pool.spawn(job);
    // The pool ends when its job is done, and then `thread.run()` returns.
    drop(pool);
    thread.run();
    outcome.expect("the job has run").unwrap_or_else(|panic| resume_unwind(panic))
}

/// Twice the stack that compilers were seen to use: Cranelift uses 160 KiB and Winch 320 KiB, whatever the module.
const STACK: usize = 640 << 10;

/// Whether this thread has enough stack left to compile on. On a coroutine's stack that is unknown, so the answer is
/// no.
fn stack_suffices() -> bool {
    guest::has_left(STACK)
}

/// A number of threads that work on a module. All together there are no more in the process than processors.
struct Reserved(usize);

/// The number of reserved threads, with the process's id in the upper half: a child of a fork has none of its
/// parent's threads.
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

/// Returns how many threads of this process a state counts.
fn reserved(state: u64, process: u32) -> usize {
    if state >> 32 == u64::from(process) { state as u32 as usize } else { 0 }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        RESERVED.fetch_sub(self.0 as u64, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rayon::prelude::*;
    use std::thread::{current, spawn};

    const LARGE: usize = 1 << 20;

    /// Runs something in parallel. Returns the number of threads in the pool, and whether the caller's thread was the
    /// one that ran it.
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
        // Tests run side by side: others may have reserved some of the processors.
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
