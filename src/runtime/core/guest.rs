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
    /// The bounds of the thread's own stack; (0, 0) if they were not looked up yet.
    own: Cell<(usize, usize)>,
    /// Whether these lie within the real ones, which were not looked up yet.
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

/// What a guest may use of the stack.
struct Bounds {
    limit: usize,
    floor: usize,
    /// Where the outermost guest was entered.
    base: usize,
    /// What to restore afterwards.
    former: usize,
}

/// Finds what a guest may use that begins `here`, on a stack other than the last one, or on one that has no more than `most`
/// bytes for it.
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
        look_up(thread);
        floor = thread.stack.get().floor;
    }
    Bounds { limit: base.saturating_sub(most).max(floor), floor, base, former }
}

/// Switches to the stack that contains `here`. Returns its floor, what to restore afterwards, and the base for the guest
/// that begins.
#[cold]
#[inline(never)]
fn change_stack(thread: &Thread, here: usize) -> (usize, usize, usize) {
    if thread.estimated.get() {
        // It may be the same stack, of which more is in use than was estimated.
        look_up(thread);
        let Stack { floor, size, base } = thread.stack.get();
        if here.wrapping_sub(floor) < size {
            return (floor, base, base.max(here));
        }
    }
    let bounds = bounds_around(thread, here);
    let floor = bounds.start + RESERVE.min(bounds.len() / 2);
    let stack = Stack { floor, size: bounds.end - floor, base: 0 };
    let former = thread.stack.replace(stack);
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

/// Returns how much is left of the calling thread's stack; `None` on another stack.
pub fn stack_left() -> Option<usize> {
    let (start, end) = THREAD.with(own_bounds_of);
    (start..end).contains(&stack_pointer()).then(|| stack_pointer() - start)
}

/// Returns the bounds of the stack that contains `here`.
fn bounds_around(thread: &Thread, here: usize) -> Range<usize> {
    let (start, end) = own_bounds_of(thread);
    if (start..end).contains(&here) {
        return start..end;
    }
    let (start, end) = mapping_around(here).unwrap_or((here - UNKNOWN, here + 1));
    start..end
}

/// Returns the bounds of the calling thread's stack, or some that lie within them. The system is asked only once, because
/// it has to read files for this.
fn own_bounds_of(thread: &Thread) -> (usize, usize) {
    if thread.own.get().1 == 0 {
        let estimated = estimated_bounds();
        thread.estimated.set(estimated.is_some());
        thread.own.set(estimated.or_else(own_bounds).unwrap_or((0, 1)));
    }
    thread.own.get()
}

/// Looks the bounds of the calling thread's stack up that were estimated before. If that is the stack in use, more of it may
/// be used from now on.
fn look_up(thread: &Thread) {
    let (_, former_end) = thread.own.get();
    let (start, end) = own_bounds().unwrap_or(thread.own.get());
    thread.estimated.set(false);
    thread.own.set((start, end));
    let stack = thread.stack.get();
    let floor = start + RESERVE.min((end - start) / 2);
    if stack.floor + stack.size == former_end && floor < stack.floor {
        thread.stack.set(Stack { floor, size: end - floor, ..stack });
    }
}

/// The most of the main thread's stack that is assumed to be left without asking for it.
#[cfg(any(target_os = "linux", target_os = "android"))]
const MOST_ASSUMED: usize = 4 << 20;

/// Returns bounds that lie within those of the main thread's stack, for the first call of a process: to find the real ones,
/// the C library reads a file with a line for each mapping, which takes longer than to make a small module and call it.
/// `None` where more than a small part of the stack may be in use.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn estimated_bounds() -> Option<(usize, usize)> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a local for the answer; the other calls take no pointers.
    let (name, known) = unsafe {
        let main = libc::gettid() == libc::getpid();
        (libc::getauxval(libc::AT_EXECFN), main && libc::getrlimit(libc::RLIMIT_STACK, &mut limit) == 0)
    };
    known.then(|| estimate(stack_pointer(), name as usize, limit.rlim_cur)).flatten()
}

/// The system puts the program's name at the beginning of the main thread's stack. Even if the arguments and the environment,
/// which have at most a quarter of the stack, came before it, a half would be left below `here`. No mapping lies there:
/// the system leaves 128 MiB free below the beginning.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn estimate(here: usize, name: usize, limit: libc::rlim_t) -> Option<(usize, usize)> {
    let limit = usize::try_from(limit).ok().filter(|limit| (1 << 20..=64 << 20).contains(limit))?;
    let used = name.checked_sub(here)?;
    (used < limit / 8).then(|| (here - (limit / 2).min(MOST_ASSUMED), name))
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
            return own_bounds_by_limit();
        }
        let (mut start, mut size, mut guard) = (std::ptr::null_mut(), 0, 0);
        let told = libc::pthread_attr_getstack(attributes.as_ptr(), &mut start, &mut size) == 0
            && libc::pthread_attr_getguardsize(attributes.as_ptr(), &mut guard) == 0;
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        // Some versions of the C library count the guard as part of the stack.
        told.then(|| (start.addr() + guard.min(size), start.addr() + size))
    }
}

/// Returns bounds that lie within those of the main thread's stack, where the C library cannot read the files that it
/// takes them from: assumes that half of the size that the system allows is left.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn own_bounds_by_limit() -> Option<(usize, usize)> {
    let here = stack_pointer();
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a local for the answer; the other calls take no pointers.
    let known = unsafe { libc::gettid() == libc::getpid() && libc::getrlimit(libc::RLIMIT_STACK, &mut limit) == 0 };
    let half = usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX).min(8 << 20) / 2;
    known.then(|| (here - half, here + half))
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
        let name = 100 * MIB;
        let start = |here: usize, limit: usize| estimate(here, name, limit as libc::rlim_t).map(|(start, _)| start);
        assert_eq!(start(name - 100, 8 * MIB), Some(name - 100 - 4 * MIB));
        assert_eq!(start(name - 100, 2 * MIB), Some(name - 100 - MIB));
        assert_eq!(start(name - 100, 64 * MIB), Some(name - 100 - 4 * MIB));
        // Much of the stack is in use, it is another stack, or the limit is none or unusual.
        for (here, limit) in [(name - MIB, 8 * MIB), (name + 1, 8 * MIB), (name - 100, 65 * MIB), (name - 100, 1 << 19)]
        {
            assert_eq!(start(here, limit), None);
        }
        assert_eq!(estimate(name - 100, name, libc::RLIM_INFINITY), None);
    }

    #[test]
    fn an_estimate_is_replaced_where_it_does_not_suffice() {
        let thread = Thread {
            stack: Cell::new(Stack { floor: 0, size: 0, base: 0 }),
            own: Cell::new((0, 0)),
            estimated: Cell::new(true),
        };
        let (start, end) = own_bounds().expect("the system tells");
        let estimate = stack_pointer() - (stack_pointer() - start) / 4;
        thread.own.set((estimate, end));
        thread.stack.set(Stack { floor: estimate, size: end - estimate, base: 8 });
        let bounds = find_bounds(&thread, end - 100, usize::MAX);
        let Stack { floor, size, base } = thread.stack.get();
        assert!(bounds.floor == floor && bounds.limit == floor && bounds.base == end - 100 && bounds.former == 8);
        assert!(floor < estimate && floor > start && floor + size == end && base == 8);
        assert!(!thread.estimated.get() && thread.own.get() == (start, end));
        // Another stack is as it was.
        thread.estimated.set(true);
        thread.stack.set(Stack { floor: 64, size: 64, base: 0 });
        assert_eq!(find_bounds(&thread, 100, usize::MAX).floor, 64);
    }
}
