//! Lets bytes be overwritten with zeros without using memory for them.
//!
//! A window is 2 MiB of zeros, which exist once in the process. While somebody writes zeros, windows are in the place of
//! the bytes, as many as needed, so that the same 2 MiB are written again and again, and stay in the processor's cache.
//! Afterwards the place is mapped anew.
//!
//! Some windows are kept, because it takes time to make a page table for one. A page table has 2 MiB, and the system
//! moves whole ones in one step. What is moved leaves something behind, so that there is no moment in which another
//! thread's mapping could get in its place.

use std::ops::Range;
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

pub const WINDOW: usize = 2 << 20;

/// How many windows are kept. Each that was used counts as resident, though the memory exists once.
const KEPT: usize = u32::BITS as usize;

/// The address of the zeros, with the kept windows after them; or one of these.
static ZEROS: AtomicUsize = AtomicUsize::new(NOT_YET);
const NOT_YET: usize = 0;
const IMPOSSIBLE: usize = 1;

/// How many windows are in the place of other bytes, and how many may be: each is one of the system's mappings, of which a
/// process may have 65530.
static IN_PLACE: AtomicUsize = AtomicUsize::new(0);
const MOST_IN_PLACE: usize = 8192;

/// A bit for each kept window that is in its own place.
static AT_HOME: AtomicU32 = AtomicU32::new(u32::MAX);

/// A bit for each kept window that was in use already, so that it has its page table.
static WAS_USED: AtomicU32 = AtomicU32::new(0);

/// Whether all pages of the zeros were written to.
static ALL_EXIST: AtomicBool = AtomicBool::new(false);

/// How much the system maps around a page that is read: usually this, never more.
const MAPPED_AROUND: usize = 64 << 10;

/// Windows in the place of other bytes.
pub struct Cover {
    zeros: *mut u8,
    /// For each of the kept windows, the piece of one that is in use.
    pieces: [Option<Piece>; KEPT],
    /// How many windows there are.
    count: usize,
}

#[derive(Clone, Copy)]
struct Piece {
    window: usize,
    offset: usize,
    bytes: usize,
    place: *mut u8,
}

/// The system failed to put a window where these bytes are, counted from the start. What is there now is not known: there may
/// be nothing, or what another thread has put there since.
#[derive(Debug)]
pub struct Lost(pub Range<usize>);

impl Cover {
    /// Puts windows in the place of the bytes from `from` to `to`, counted from `start`, where a page table begins. `None` if
    /// the system has no windows, or too many are in use.
    ///
    /// # Safety
    /// The bytes are those of a mapping that belongs to the caller, who maps them anew after [`Cover::end`], and until
    /// then lets nobody write anything but zeros there.
    pub unsafe fn begin(start: NonNull<u8>, from: usize, to: usize) -> Option<Result<Cover, Lost>> {
        let zeros = zeros()?;
        let count = to.div_ceil(WINDOW) - from / WINDOW;
        let more = |in_place: usize| Some(in_place + count).filter(|all| *all <= MOST_IN_PLACE);
        IN_PLACE.try_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        if to - from > WINDOW && !ALL_EXIST.swap(true, Ordering::Relaxed) {
            // Otherwise the page tables of the second window and of all others would be made with few pages in them.
            // SAFETY: this writes to the zeros what they are.
            unsafe { zeros.write_bytes(0, WINDOW) };
        }
        let mut cover = Cover { zeros, pieces: [None; KEPT], count };
        let mut kept = 0..KEPT;
        let mut at = from;
        while at < to {
            let offset = at % WINDOW;
            let bytes = (WINDOW - offset).min(to - at);
            // SAFETY: the place is in the caller's mapping.
            let place = unsafe { start.as_ptr().add(at) };
            let mut new = true;
            let covered = match kept.find(|window| take(*window)) {
                Some(window) => {
                    let piece = Piece { window, offset, bytes, place };
                    new = WAS_USED.fetch_or(1 << window, Ordering::Relaxed) & 1 << window == 0;
                    // SAFETY: the window is nobody else's now, and what it replaces is the caller's.
                    let shifted = unsafe { shift(piece.home(zeros), bytes, place) };
                    // If it was not, nothing is known of either place, so that the window is not used again.
                    cover.pieces[window] = shifted.then_some(piece);
                    shifted
                }
                // SAFETY: what is replaced is the caller's.
                None => unsafe { duplicate(zeros.add(offset), bytes, place) },
            };
            if !covered {
                cover.end();
                return Some(Err(Lost(at..at + bytes)));
            }
            if new {
                make_page_table(place, bytes);
            }
            at += bytes;
        }
        Some(Ok(cover))
    }

    /// Moves the kept windows back. The bytes have to be mapped anew then.
    pub fn end(self) {
        for piece in self.pieces.into_iter().flatten() {
            // SAFETY: both places are of the same size; the window is this cover's, and what is in the other place will be
            // mapped anew.
            if unsafe { shift(piece.place, piece.bytes, piece.home(self.zeros)) } {
                AT_HOME.fetch_or(1 << piece.window, Ordering::Release);
            }
            // Otherwise it is not known what is there now, so that nothing may ever be put there again.
        }
        IN_PLACE.fetch_sub(self.count, Ordering::Relaxed);
    }
}

impl Piece {
    fn home(&self, zeros: *mut u8) -> *mut u8 {
        zeros.wrapping_add((1 + self.window) * WINDOW + self.offset)
    }
}

fn take(window: usize) -> bool {
    AT_HOME.fetch_and(!(1 << window), Ordering::Acquire) & 1 << window != 0
}

fn zeros() -> Option<*mut u8> {
    let mut address = ZEROS.load(Ordering::Acquire);
    if address == NOT_YET {
        let made = make();
        let new = made.map_or(IMPOSSIBLE, |made| made.expose_provenance());
        address = match ZEROS.compare_exchange(NOT_YET, new, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => new,
            Err(others) => {
                if let Some(made) = made {
                    // SAFETY: nobody else knows this mapping.
                    unsafe { libc::munmap(made.cast(), (1 + KEPT) * WINDOW) };
                }
                others
            }
        };
    }
    (address != IMPOSSIBLE).then(|| std::ptr::with_exposed_provenance_mut(address))
}

/// Makes the zeros and the windows. Children of `fork` inherit them, to no harm: zeros are all that anybody ever writes
/// there.
fn make() -> Option<*mut u8> {
    if !HAS_REMAP {
        return None;
    }
    let map = |place: *mut u8, bytes, protection, flags| {
        // SAFETY: this is a new mapping, or one in the place of a part of it.
        let mapped = unsafe { libc::mmap(place.cast(), bytes, protection, flags | libc::MAP_ANON, -1, 0) };
        (mapped != libc::MAP_FAILED).then_some(mapped.cast::<u8>())
    };
    let reserved = map(null_mut(), (2 + KEPT) * WINDOW, libc::PROT_NONE, libc::MAP_PRIVATE)?;
    let zeros = reserved.wrapping_add(reserved.addr().wrapping_neg() % WINDOW);
    map(zeros, WINDOW, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_FIXED)?;
    #[cfg(target_os = "linux")]
    // SAFETY: these are hints: that the bytes need not be in core dumps, and that they may be one page.
    unsafe {
        libc::madvise(zeros.cast(), WINDOW, libc::MADV_DONTDUMP);
        libc::madvise(zeros.cast(), WINDOW, libc::MADV_HUGEPAGE);
    }
    let window = |index: usize| zeros.wrapping_add((1 + index) * WINDOW);
    // SAFETY: all places are in the mapping above. The last line tries whether the system can move windows (Linux 5.13).
    let all = unsafe {
        (0..KEPT).all(|index| duplicate(zeros, WINDOW, window(index))) && shift(window(0), WINDOW, window(1))
    };
    // If not, some address space is lost once.
    all.then_some(zeros)
}

/// Lets the system make the page table of a window, by reading from it: it maps several pages for each that is read, but
/// only one for each that is written to.
fn make_page_table(place: *mut u8, bytes: usize) {
    for at in (0..bytes).step_by(MAPPED_AROUND) {
        // SAFETY: these are bytes of a window, which is there now.
        unsafe { place.add(at).read_volatile() };
    }
}

/// Maps the same memory at another place as well.
///
/// # Safety
/// `from` is in the mapping of the zeros, and what is at `to` is the caller's to replace.
unsafe fn duplicate(from: *mut u8, bytes: usize, to: *mut u8) -> bool {
    // SAFETY: that is the contract. The length 0 is how a shared mapping is duplicated.
    unsafe { remap(from, 0, bytes, to) }
}

/// Moves what is mapped at `from`. A mapping of the same memory stays there, which has no page table.
///
/// # Safety
/// `from` is a window, or a part of one, and what is at `to` is the caller's to replace.
unsafe fn shift(from: *mut u8, bytes: usize, to: *mut u8) -> bool {
    // SAFETY: that is the contract.
    unsafe { remap(from, bytes, bytes, to) }
}

const HAS_REMAP: bool = cfg!(all(target_os = "linux", target_pointer_width = "64", not(miri)));

/// # Safety
/// As for [`duplicate`] if `old_bytes` is 0, else for [`shift`].
#[cfg(target_os = "linux")]
unsafe fn remap(from: *mut u8, old_bytes: usize, bytes: usize, to: *mut u8) -> bool {
    let stays = if old_bytes == 0 { 0 } else { libc::MREMAP_DONTUNMAP };
    let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED | stays;
    // SAFETY: that is the contract.
    unsafe { libc::mremap(from.cast(), old_bytes, bytes, flags, to.cast::<libc::c_void>()) != libc::MAP_FAILED }
}

#[cfg(not(target_os = "linux"))]
unsafe fn remap(_from: *mut u8, _old_bytes: usize, _bytes: usize, _to: *mut u8) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::slice;

    const ANONYMOUS: i32 = libc::MAP_PRIVATE | libc::MAP_ANON;
    const READ_WRITE: i32 = libc::PROT_READ | libc::PROT_WRITE;

    /// Accessible bytes, the first of which begins a page table.
    fn place(bytes: usize) -> NonNull<u8> {
        // SAFETY: this is a new mapping, which the test leaves to the process.
        let mapped = unsafe { libc::mmap(null_mut(), bytes + WINDOW, READ_WRITE, ANONYMOUS, -1, 0) };
        assert_ne!(mapped, libc::MAP_FAILED);
        let start = mapped.cast::<u8>();
        NonNull::new(start.wrapping_add(start.addr().wrapping_neg() % WINDOW)).unwrap()
    }

    /// Writes zeros to a part of the bytes while it is covered, and maps it anew.
    fn write_covered(start: NonNull<u8>, from: usize, to: usize) {
        // SAFETY: the bytes are the test's; they are written and mapped anew here.
        unsafe {
            let cover = Cover::begin(start, from, to).expect("windows").expect("room");
            start.add(from).write_bytes(0, to - from);
            assert!(slice::from_raw_parts(start.add(from).as_ptr(), to - from).iter().all(|byte| *byte == 0));
            cover.end();
            let anew = libc::MAP_FIXED | ANONYMOUS;
            let mapped = libc::mmap(start.add(from).as_ptr().cast(), to - from, READ_WRITE, anew, -1, 0);
            assert_ne!(mapped, libc::MAP_FAILED);
        }
    }

    #[test]
    #[cfg_attr(not(target_os = "linux"), ignore = "there are no windows")]
    #[cfg_attr(miri, ignore = "it does not know mappings")]
    fn only_what_is_covered_changes() {
        const MOST: usize = (KEPT + 2) * WINDOW;
        let start = place(MOST + WINDOW);
        for (from, to) in [(0, WINDOW), (3 << 16, WINDOW), (WINDOW + (1 << 16), 3 * WINDOW), (1 << 16, MOST)] {
            // Again with the same windows, which are whole although parts of them were moved.
            for _ in 0..3 {
                // SAFETY: these are the test's bytes.
                let bytes = unsafe {
                    start.write_bytes(7, to + WINDOW);
                    write_covered(start, from, to);
                    slice::from_raw_parts(start.as_ptr(), to + WINDOW)
                };
                assert!(bytes[..from].iter().chain(&bytes[to..]).all(|byte| *byte == 7));
                assert!(bytes[from..to].iter().all(|byte| *byte == 0));
            }
        }
    }

    #[test]
    #[cfg_attr(not(target_os = "linux"), ignore = "there are no windows")]
    #[cfg_attr(miri, ignore = "it does not know mappings")]
    fn there_are_not_too_many_windows_at_once() {
        let start = place(2 * WINDOW);
        // SAFETY: what would need more windows than there may be is not covered.
        assert!(unsafe { Cover::begin(start, 0, (MOST_IN_PLACE + 1) * WINDOW) }.is_none());
        write_covered(start, 0, 2 * WINDOW);
    }

    #[test]
    #[cfg_attr(not(target_os = "linux"), ignore = "there are no windows")]
    #[cfg_attr(miri, ignore = "it does not know mappings")]
    fn threads_share_the_windows() {
        std::thread::scope(|scope| {
            for thread in 0..4 {
                scope.spawn(move || {
                    let bytes = (2 + 2 * thread) * WINDOW;
                    let start = place(bytes);
                    for round in 0..50 {
                        write_covered(start, (round % 7) << 16, bytes);
                    }
                });
            }
        });
    }
}
