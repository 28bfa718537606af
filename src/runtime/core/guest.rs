//! Prepares a thread for running a guest: how much of the stack the guest may use, and IEEE arithmetic.
//!
//! The stack belongs to the thread, not to a store: the outermost guest of a thread sets the bound for all guests
//! inside it, whatever their stores and engines, and no guest comes near the end of the stack. A guest on a stack
//! that is not the thread's own, such as a coroutine's, gets the bounds of the memory mapping that contains this
//! stack.

use super::store::Store;
use crate::runtime::base::float_mode;
use crate::runtime::base::trap_code::TrapCode;
use std::cell::Cell;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::ptr::NonNull;

/// The bytes of a stack that are kept for host functions, the engine and this library when guests have used up their
/// part. On a small stack it is half of the stack.
const RESERVE: usize = 128 << 10;

/// The size that is assumed for a stack whose bounds the system does not report.
const UNKNOWN: usize = 64 << 10;

/// The stack that guests run on.
#[derive(Clone, Copy)]
struct Stack {
    /// The lowest address that guests may use.
    floor: usize,
    /// The bytes from `floor` to the stack's beginning; 0 before the thread's first guest.
    size: usize,
    /// Where the outermost guest on this stack was entered, an even number; 0 if none is running.
    base: usize,
}

struct Thread {
    /// The stack that was used last.
    stack: Cell<Stack>,
    /// Bounds of the thread's own stack; (0, 0) if nothing is known yet.
    own: Cell<(usize, usize)>,
    /// Whether these are an estimate, which lies within the real ones, and those were not looked up yet.
    estimated: Cell<bool>,
}

thread_local! {
    static THREAD: Thread = const {
        Thread {
            stack: Cell::new(Stack { floor: 0, size: 0, base: 0 }),
            own: Cell::new((0, 0)),
            estimated: Cell::new(false),
        }
    };
}

/// A running guest. It ends when this is dropped, on the same thread.
pub struct Guest<'a> {
    store: &'a Store,
    /// This thread's `THREAD`. It has no destructor, so it lives as long as the thread.
    thread: NonNull<Thread>,
    /// The value of `base` to restore. If it is odd, it is instead the address of a boxed [`Stack`] to restore.
    former: usize,
}

/// The lowest address of the stack that this guest may use, and the lowest that any guest may use.
pub struct StackLimit {
    pub limit: usize,
    pub floor: usize,
}

const BOXED: usize = 1;

impl<'a> Guest<'a> {
    /// Begins to run a guest of `store`, in which the outermost guest may use `most` bytes of the stack. Fails if
    /// they are used up.
    #[inline(always)]
    pub fn begin(store: &'a Store, most: usize) -> Result<(Guest<'a>, StackLimit), TrapCode> {
        let begun = Guest::begin_in_default_mode(store, most)?;
        float_mode::for_guest(&store.host_float_mode);
        Ok(begun)
    }

    /// The same for a thread that is in the default floating-point mode.
    #[inline(always)]
    pub fn begin_in_default_mode(store: &'a Store, most: usize) -> Result<(Guest<'a>, StackLimit), TrapCode> {
        let here = stack_pointer();
        let place = THREAD.with(|thread| NonNull::from(thread));
        // SAFETY: `THREAD` is the calling thread's and has no destructor, so it lives as long as the thread.
        let thread = unsafe { place.as_ref() };
        let Stack { floor, size, base: former } = thread.stack.get();
        let base = former.max(here);
        let Bounds { limit, floor, base, former } = match here.wrapping_sub(floor) < size && base - floor > most {
            true => Bounds { limit: base - most, floor, base, former },
            false => find_bounds(thread, here, most),
        };
        if here <= limit {
            go_back(thread, former);
            return Err(TrapCode::StackExhausted);
        }
        // SAFETY: `THREAD` is used by its own thread only, and no reference into the cell exists.
        unsafe { (*thread.stack.as_ptr()).base = base };
        Ok((Guest { store, thread: place, former }, StackLimit { limit, floor }))
    }
}

impl Drop for Guest<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        float_mode::for_host(&self.store.host_float_mode);
        // SAFETY: a guest stays on its thread, and `THREAD` lives as long as that.
        go_back(unsafe { self.thread.as_ref() }, self.former);
    }
}

/// What a guest that begins may use, and what to restore afterwards.
struct Bounds {
    limit: usize,
    floor: usize,
    base: usize,
    former: usize,
}

/// The bounds of a guest that begins on another stack, or that may use all of this one.
#[cold]
#[inline(never)]
fn find_bounds(thread: &Thread, here: usize, most: usize) -> Bounds {
    let Stack { mut floor, size, base: mut former } = thread.stack.get();
    let mut base = former.max(here);
    if here.wrapping_sub(floor) >= size {
        (floor, former, base) = change_stack(thread, here);
    }
    // `base` is not below the floor in either case, so this does not underflow.
    if base - floor <= most && thread.estimated.get() {
        floor = final_floor(thread);
    }
    Bounds { limit: base.saturating_sub(most).max(floor), floor, base, former }
}

/// Switches to the stack that contains `here`. Returns its floor, what to restore afterwards, and the base for the guest
/// that begins.
#[cold]
#[inline(never)]
fn change_stack(thread: &Thread, here: usize) -> (usize, usize, usize) {
    // First, because this may change the record of the stack in use.
    let bounds = bounds_around(thread, here);
    let floor = floor_of(&bounds);
    let stack = Stack { floor, size: bounds.end - floor, base: 0 };
    let former = thread.stack.get();
    if (former.floor, former.size) == (floor, stack.size) {
        // The stack is the same. Either more of it may be used than was estimated, or `here` is below the floor.
        return (floor, former.base, former.base.max(here).max(floor));
    }
    thread.stack.set(stack);
    // The thread's own stack stays recorded afterwards. Any other is looked up again for each outermost guest on it,
    // since it may have become smaller by then; so its record is dropped when that guest ends.
    let stays = former.base == 0 && bounds.end == thread.own.get().1;
    (floor, if stays { 0 } else { Box::into_raw(Box::new(former)).expose_provenance() | BOXED }, here.max(floor))
}

#[inline(always)]
fn go_back(thread: &Thread, former: usize) {
    if former & BOXED != 0 {
        return change_stack_back(thread, former);
    }
    // SAFETY: `THREAD` is used by its own thread only, and no reference into the cell exists.
    unsafe { (*thread.stack.as_ptr()).base = former };
}

#[cold]
#[inline(never)]
fn change_stack_back(thread: &Thread, former: usize) {
    // SAFETY: the odd number is the address of the box that `change_stack` made for this guest, which ends only once.
    thread.stack.set(*unsafe { Box::from_raw(std::ptr::with_exposed_provenance_mut::<Stack>(former & !BOXED)) });
}

/// Returns the lowest address of a stack that guests may use.
fn floor_of(bounds: &Range<usize>) -> usize {
    bounds.start + RESERVE.min(bounds.len() / 2)
}

/// Whether at least `least` bytes of the calling thread's stack are left; false on another stack.
pub fn has_left(least: usize) -> bool {
    THREAD.with(|thread| has_left_of(thread, least))
}

fn has_left_of(thread: &Thread, least: usize) -> bool {
    let here = stack_pointer();
    let suffices = |bounds: &Range<usize>| bounds.contains(&here) && here - bounds.start >= least;
    suffices(&own_bounds_of(thread, suffices))
}

/// Returns the bounds of the stack that contains `here`.
fn bounds_around(thread: &Thread, here: usize) -> Range<usize> {
    let own = own_bounds_of(thread, |bounds| (floor_of(bounds)..bounds.end).contains(&here));
    if own.contains(&here) {
        return own;
    }
    let (start, end) = mapping_around(here).unwrap_or((here - UNKNOWN, here + 1));
    start..end
}

/// Returns bounds of the calling thread's stack: estimated ones if they suffice, otherwise what the C library tells.
fn own_bounds_of(thread: &Thread, suffice: impl FnOnce(&Range<usize>) -> bool) -> Range<usize> {
    if thread.own.get().1 == 0 {
        thread.own.set(estimated_bounds().unwrap_or((0, 1)));
        thread.estimated.set(true);
    }
    let own = || thread.own.get().0..thread.own.get().1;
    if thread.estimated.get() && !suffice(&own()) {
        look_up(thread);
    }
    own()
}

/// Looks up the bounds of the calling thread's stack, and corrects its record if it is the stack in use. If the C library
/// does not tell them, the estimate stays. This asks only once, because the C library has to read files for the answer.
fn look_up(thread: &Thread) {
    thread.estimated.set(false);
    let Some((start, end)) = own_bounds() else { return };
    // The C library's end may lie below the estimated one: it leaves out the program's arguments.
    let (_, former_end) = thread.own.replace((start, end));
    let stack = thread.stack.get();
    if stack.floor + stack.size == former_end {
        let floor = floor_of(&(start..end));
        thread.stack.set(Stack { floor, size: end - floor, ..stack });
    }
}

/// Returns the floor of the stack in use, which was only estimated, for a guest that may use all of the stack.
#[cold]
#[inline(never)]
fn final_floor(thread: &Thread) -> usize {
    look_up(thread);
    thread.stack.get().floor
}

/// Returns bounds that lie within those of the main thread's stack: the C library finds the real ones in a file with a line
/// for each mapping, and to read that takes longer than to make a small module and call it. `None` on other threads.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn estimated_bounds() -> Option<(usize, usize)> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a local for the answer; the other calls take no pointers.
    let (name, known) = unsafe {
        let main = libc::gettid() == libc::getpid();
        (libc::getauxval(libc::AT_EXECFN), main && libc::getrlimit(libc::RLIMIT_STACK, &mut limit) == 0)
    };
    known.then(|| estimate(name as usize, limit.rlim_cur)).flatten()
}

/// The system puts the program's name at the beginning of the main thread's stack, and lets the stack grow from there to the
/// limit. It keeps mappings out of what the limit was when the program began, and out of a gap below that. The program may
/// have raised the limit since; so this assumes no more than half of the usual 8 MiB.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn estimate(name: usize, limit: libc::rlim_t) -> Option<(usize, usize)> {
    const MOST: usize = 4 << 20;
    let half = usize::try_from(limit / 2).unwrap_or(usize::MAX).min(MOST);
    name.checked_sub(half).map(|start| (start, name))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn estimated_bounds() -> Option<(usize, usize)> {
    None
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn own_bounds() -> Option<(usize, usize)> {
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: the attributes are initialised by the first call, before they are read, and freed last. The other
    // pointers are to locals.
    unsafe {
        if libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) != 0 {
            return None;
        }
        let (mut start, mut size, mut guard) = (std::ptr::null_mut(), 0, 0);
        let told = libc::pthread_attr_getstack(attributes.as_ptr(), &mut start, &mut size) == 0
            && libc::pthread_attr_getguardsize(attributes.as_ptr(), &mut guard) == 0;
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        // Some versions of the C library count the guard as part of the stack.
        told.then(|| (start.addr() + guard.min(size), start.addr() + size))
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn own_bounds() -> Option<(usize, usize)> {
    None
}

/// Returns the bounds of the memory mapping that contains an address.
fn mapping_around(address: usize) -> Option<(usize, usize)> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    maps.lines().find_map(|line| {
        let (start, rest) = line.split_once('-')?;
        let (end, _) = rest.split_once(' ')?;
        let bounds = (usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?);
        (bounds.0..bounds.1).contains(&address).then_some(bounds)
    })
}

/// Whether nothing is left of the stack in use, on which a guest is running. For engines that do not look themselves.
pub fn is_exhausted() -> bool {
    let here = stack_pointer();
    THREAD.with(|thread| {
        let floor = thread.stack.get().floor;
        here <= floor && (!thread.estimated.get() || here <= final_floor(thread))
    })
}

/// Returns the stack pointer or, on other processors, an address near it.
#[inline(always)]
pub fn stack_pointer() -> usize {
    let here: usize;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: copies the stack pointer to a register, and touches neither memory nor flags.
    unsafe {
        std::arch::asm!("mov {}, rsp", out(reg) here, options(nomem, nostack, preserves_flags));
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: copies the stack pointer to a register, and touches neither memory nor flags.
    unsafe {
        std::arch::asm!("mov {}, sp", out(reg) here, options(nomem, nostack, preserves_flags));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        let marker = 0u8;
        here = std::hint::black_box(std::ptr::from_ref(&marker)).addr();
    }
    here
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_has_bounds() {
        let here = stack_pointer();
        let (start, end) = own_bounds().expect("the system tells");
        assert!((start..end).contains(&here));
        let (start, end) = mapping_around(here).expect("the system tells");
        assert!((start..end).contains(&here));
        assert_eq!(mapping_around(1), None);
    }

    #[test]
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn an_estimate_lies_within_the_stack() {
        const MIB: usize = 1 << 20;
        let start = |limit: usize| estimate(100 * MIB, limit as libc::rlim_t);
        assert_eq!(start(8 * MIB), Some((96 * MIB, 100 * MIB)));
        assert_eq!(start(MIB), Some((100 * MIB - MIB / 2, 100 * MIB)));
        assert_eq!(start(64 * MIB), Some((96 * MIB, 100 * MIB)));
        assert_eq!(estimate(100 * MIB, libc::RLIM_INFINITY), Some((96 * MIB, 100 * MIB)));
        // The system does not tell where the stack begins.
        assert_eq!(estimate(0, 8 << 20), None);
    }

    /// A thread that assumes that the calling thread's stack ends `left` bytes below.
    fn with_estimate(left: usize) -> Thread {
        let (_, end) = own_bounds().expect("the system tells");
        Thread {
            stack: Cell::new(Stack { floor: 0, size: 0, base: 0 }),
            own: Cell::new((stack_pointer() - left, end + 8192)),
            estimated: Cell::new(true),
        }
    }

    /// Runs `body` on a thread with a stack of 2 MiB.
    fn on_a_thread(body: impl FnOnce() + Send + 'static) {
        let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(body).expect("a thread");
        thread.join().expect("no panic");
    }

    #[test]
    fn an_estimate_is_kept_while_it_suffices() {
        on_a_thread(|| {
            let thread = with_estimate(1 << 20);
            let (start, end) = thread.own.get();
            assert!(has_left_of(&thread, 512 << 10));
            let here = stack_pointer();
            assert_eq!(change_stack(&thread, here), (start + RESERVE, 0, here));
            assert!(thread.estimated.get());
            let Stack { floor, size, .. } = thread.stack.get();
            assert_eq!((floor, floor + size), (start + RESERVE, end));
        });
    }

    #[test]
    fn an_estimate_is_replaced_where_it_does_not_suffice() {
        let replaced = |thread: &Thread| {
            let own = own_bounds().expect("the system tells");
            assert!(!thread.estimated.get() && thread.own.get() == own);
            let Stack { floor, size, base } = thread.stack.get();
            assert!(size == 0 || (floor, floor + size, base) == (own.0 + RESERVE, own.1, 8));
        };
        on_a_thread(move || {
            // More is needed than was estimated, or more is in use.
            for left in [256 << 10, 0] {
                let thread = with_estimate(left);
                assert!(has_left_of(&thread, 1 << 20) && !has_left_of(&thread, 2 << 20));
                replaced(&thread);
            }
            // A guest runs on the stack whose bounds were estimated, and another begins inside it.
            for left in [256 << 10, 64 << 10] {
                let thread = with_estimate(left);
                let (start, end) = thread.own.get();
                let floor = floor_of(&(start..end));
                thread.stack.set(Stack { floor, size: end - floor, base: 8 });
                assert!(final_floor(&thread) < floor);
                replaced(&thread);
                thread.own.set((start, end));
                thread.estimated.set(true);
                thread.stack.set(Stack { floor, size: end - floor, base: 8 });
                let deeper = floor - 1;
                assert_eq!(change_stack(&thread, deeper), (own_bounds().expect("still").0 + RESERVE, 8, deeper));
                replaced(&thread);
            }
            // Another stack is as it was.
            let thread = with_estimate(0);
            thread.stack.set(Stack { floor: 64, size: 64, base: 0 });
            assert_eq!(final_floor(&thread), 64);
        });
    }
}
