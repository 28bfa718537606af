//! Random bytes of the system's, a few of them made in advance: asking for them costs far more than eight bytes do.

use std::cell::UnsafeCell;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst, compiler_fence};

/// How many are made at a time. Up to so many come all at once, whatever signals arrive.
const MADE: usize = 256;
/// The most that are taken from those at a time.
pub const MOST: usize = 64;

/// In memory that the system fills with zeros in the children of a fork: no byte is handed out twice. A signal handler may
/// fork at any point, and the child return from it.
struct Made {
    /// Set before bytes are made: where it is not, some of them may be zeros.
    whole: AtomicBool,
    /// Those at the start that were not taken yet.
    left: AtomicUsize,
    bytes: UnsafeCell<[u8; MADE]>,
}

struct Pool(NonNull<Made>);

thread_local! {
    /// None where the system has no such memory.
    static POOL: Option<Pool> = Pool::new();
}

/// Writes random bytes, at most [`MOST`]; returns whether it did.
///
/// # Safety
/// There is so much room at `to`, to which nobody has a reference.
pub unsafe fn take(to: *mut u8, size: usize) -> bool {
    // SAFETY: as the contract says.
    POOL.try_with(|pool| pool.as_ref().is_some_and(|pool| unsafe { pool.take(to, size) })).unwrap_or(false)
}

impl Pool {
    fn new() -> Option<Pool> {
        let (size, access, kind) =
            (size_of::<Made>(), libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: new memory, of zeros, which are values of all fields.
        let place = unsafe { libc::mmap(ptr::null_mut(), size, access, kind, -1, 0) };
        if place == libc::MAP_FAILED {
            return None;
        }
        let pool = Pool(NonNull::new(place.cast())?);
        // SAFETY: the memory from above.
        let wiped = unsafe { libc::madvise(place, size, libc::MADV_WIPEONFORK) } == 0;
        wiped.then_some(pool)
    }

    /// # Safety
    /// As for [`take`].
    unsafe fn take(&self, to: *mut u8, size: usize) -> bool {
        debug_assert!(size <= MOST);
        // SAFETY: the memory is there as long as this is.
        let made = unsafe { self.0.as_ref() };
        let bytes = made.bytes.get().cast::<u8>();
        loop {
            let left = made.left.load(Relaxed);
            if left < size {
                made.whole.store(true, Relaxed);
                compiler_fence(SeqCst);
                // SAFETY: there is so much room.
                if unsafe { libc::getrandom(bytes.cast(), MADE, 0) } != MADE as isize {
                    return false;
                }
                made.left.store(MADE, Relaxed);
                continue;
            }
            made.left.store(left - size, Relaxed);
            // SAFETY: `size` bytes are left, and `to` has room for them. They stay in this memory no longer than needed.
            unsafe {
                let taken = bytes.add(left - size);
                to.copy_from_nonoverlapping(taken, size);
                taken.write_bytes(0, size);
            }
            compiler_fence(SeqCst);
            if made.whole.load(Relaxed) {
                return true;
            }
            // In the child of a fork that was a moment ago.
            made.left.store(0, Relaxed);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // SAFETY: the memory from `new`, which nobody uses any more.
        unsafe { libc::munmap(self.0.as_ptr().cast(), size_of::<Made>()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn taken_bytes_do_not_come_again() {
        let mut seen = HashSet::new();
        for size in (16..=MOST).cycle().take(1000) {
            let mut bytes = [0; MOST];
            // SAFETY: so much room is there.
            assert!(unsafe { take(bytes.as_mut_ptr(), size) });
            assert!(seen.insert(<[u8; 16]>::try_from(&bytes[..16]).unwrap()));
            assert!(bytes[size..].iter().all(|byte| *byte == 0));
        }
    }

    #[test]
    fn bytes_that_a_fork_has_wiped_are_not_taken() {
        let pool = Pool::new().expect("Linux has had such memory since 4.14");
        let mut taken = [[0; 16]; 3];
        // SAFETY: so much room is there.
        let mut take = |which: usize| assert!(unsafe { pool.take(taken[which].as_mut_ptr(), 16) });
        take(0);
        // SAFETY: what a fork does to the memory, between two calls or before bytes that were made are counted.
        unsafe { pool.0.write_bytes(0, 1) };
        take(1);
        // SAFETY: as above.
        unsafe { pool.0.write_bytes(0, 1) };
        // SAFETY: the memory is there.
        unsafe { pool.0.as_ref() }.left.store(MADE, Relaxed);
        take(2);
        assert!(taken[0] != taken[1] && taken.iter().all(|bytes| *bytes != [0; 16]));
    }
}
