//! Threads that the library starts. The process belongs to the host, so they take no signals that are meant for it.

use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::thread::{Builder, JoinHandle};

/// Starts a thread that blocks all signals.
pub fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
    let _quiet = Quiet::begin();
    Builder::new().name(name.to_string()).spawn(body)
}

/// Blocks all signals in this thread until it is dropped. Threads that are started meanwhile block them from their
/// first moment.
pub struct Quiet {
    former: MaybeUninit<libc::sigset_t>,
    /// The mask belongs to this thread.
    _not_send: PhantomData<*const ()>,
}

impl Quiet {
    pub fn begin() -> Quiet {
        let mut all = MaybeUninit::uninit();
        let mut former = MaybeUninit::uninit();
        // SAFETY: both pointers are to locals of the right type, and the first is written before it is read. Neither
        // call fails with these arguments.
        unsafe {
            libc::sigfillset(all.as_mut_ptr());
            libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), former.as_mut_ptr());
        }
        Quiet { former, _not_send: PhantomData }
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // SAFETY: `begin` has written the mask, in this thread.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, self.former.as_ptr(), std::ptr::null_mut()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the signals that this thread blocks.
    fn blocked() -> Vec<i32> {
        let mut mask = MaybeUninit::uninit();
        // SAFETY: a null mask changes nothing, and the other is written before it is read.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, std::ptr::null(), mask.as_mut_ptr());
            (1..=libc::SIGRTMAX()).filter(|signal| libc::sigismember(mask.as_ptr(), *signal) == 1).collect()
        }
    }

    #[test]
    fn a_quiet_thread_blocks_all_signals_and_its_maker_what_it_did_before() {
        let before = blocked();
        let (sender, receiver) = std::sync::mpsc::channel();
        let thread = spawn("quiet", move || sender.send(blocked()).expect("somebody listens")).expect("a thread");
        let there = receiver.recv().expect("the thread tells");
        thread.join().expect("it is done");
        // Two signals cannot be blocked, and the ones between the standard and the real-time signals belong to the C
        // library.
        let can_be =
            |signal: &i32| ![libc::SIGKILL, libc::SIGSTOP].contains(signal) && !(32..libc::SIGRTMIN()).contains(signal);
        assert_eq!(there, (1..=libc::SIGRTMAX()).filter(can_be).collect::<Vec<_>>());
        assert_eq!(blocked(), before);
    }
}
