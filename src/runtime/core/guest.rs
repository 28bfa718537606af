//! What a guest finds on the thread that it runs on: how much of the stack it may use, and IEEE arithmetic.
//!
//! Stack belongs to threads, not to stores: the outermost guest of a thread sets the bound for all that it calls, whatever the
//! stores and engines, and no guest comes near the end of the stack. Who runs on a stack that is not the thread's own, such as
//! a coroutine's, gets the bounds of the mapping that this stack lies in.

use super::store::Store;
use crate::runtime::base::float_mode;
use crate::runtime::base::trap_code::TrapCode;
use std::cell::Cell;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::ptr::NonNull;

/// What is left of a stack for host functions, the engine and this library, when guests have used up their part. Of small
/// stacks half is.
const RESERVE: usize = 128 << 10;

/// What a stack has, at least, whose bounds the system does not tell.
const UNKNOWN: usize = 64 << 10;

/// The stack that guests run on.
#[derive(Clone, Copy)]
struct Stack {
    /// The lowest address that guests may use.
    floor: usize,
    /// The bytes from there to the stack's beginning; 0 before the thread's first guest.
    size: usize,
    /// Where the outermost guest was entered that is running on this stack, an even number; 0 if none is.
    base: usize,
}

struct Thread {
    /// The stack that was used last.
    stack: Cell<Stack>,
    /// The thread's own.
    own: Cell<(usize, usize)>,
}

thread_local! {
    static THREAD: Thread = const {
        Thread {
            stack: Cell::new(Stack { floor: 0, size: 0, base: 0 }),
            own: Cell::new((0, 0)),
        }
    };
}

/// A guest that runs, until this is dropped, on the same thread.
pub struct Guest<'a> {
    store: &'a Store,
    /// This thread's. It has no destructor, so it is there as long as the thread.
    thread: NonNull<Thread>,
    /// The base to go back to; an odd one stands for another [`Stack`], boxed.
    former: usize,
}

/// The lowest address of the stack that a guest may use, and that any may.
pub struct StackLimit {
    pub limit: usize,
    pub floor: usize,
}

const BOXED: usize = 1;

impl<'a> Guest<'a> {
    /// Begins to run a guest of `store`, for which the outermost guest may use `most` bytes of the stack. Fails where they are used
    /// up.
    #[inline(always)]
    pub fn begin(store: &'a Store, most: usize) -> Result<(Guest<'a>, StackLimit), TrapCode> {
        let here = stack_pointer();
        let place = THREAD.with(|thread| NonNull::from(thread));
        // SAFETY: this thread's, as said above.
        let thread = unsafe { place.as_ref() };
        let Stack { mut floor, size, base: mut former } = thread.stack.get();
        let mut base = former.max(here);
        if here.wrapping_sub(floor) >= size {
            (floor, former) = change_stack(thread, here);
            base = here.max(floor);
        }
        // Nothing here is below the floor.
        let limit = if base - floor > most { base - most } else { floor };
        if here <= limit {
            go_back(thread, former);
            return Err(TrapCode::StackExhausted);
        }
        // SAFETY: only this thread looks at it, and never while it is written to.
        unsafe { (*thread.stack.as_ptr()).base = base };
        float_mode::for_guest(&store.host_float_mode);
        Ok((Guest { store, thread: place, former }, StackLimit { limit, floor }))
    }
}

impl Drop for Guest<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        float_mode::for_host(&self.store.host_float_mode);
        // SAFETY: this thread's.
        go_back(unsafe { self.thread.as_ref() }, self.former);
    }
}

/// Goes over to the stack that `here` is in. Gives its floor, and what to go back to.
#[cold]
#[inline(never)]
fn change_stack(thread: &Thread, here: usize) -> (usize, usize) {
    let bounds = bounds_around(thread, here);
    let floor = bounds.start + RESERVE.min(bounds.len() / 2);
    let stack = Stack { floor, size: bounds.end - floor, base: 0 };
    let former = thread.stack.replace(stack);
    // The thread's own stack stays as it is. Another is looked up whenever a first guest comes to it, since it may have become
    // smaller by then; so it is left for good when that guest is over.
    let stays = former.base == 0 && bounds.end == thread.own.get().1;
    (floor, if stays { 0 } else { Box::into_raw(Box::new(former)).expose_provenance() | BOXED })
}

#[inline(always)]
fn go_back(thread: &Thread, former: usize) {
    if former & BOXED != 0 {
        return change_stack_back(thread, former);
    }
    // SAFETY: only this thread looks at it, and never while it is written to.
    unsafe { (*thread.stack.as_ptr()).base = former };
}

#[cold]
#[inline(never)]
fn change_stack_back(thread: &Thread, former: usize) {
    // SAFETY: made by `change_stack`, for the guest that is over.
    thread.stack.set(*unsafe { Box::from_raw(std::ptr::with_exposed_provenance_mut::<Stack>(former & !BOXED)) });
}

/// How much is left of the calling thread's stack; `None` on another stack.
pub fn stack_left() -> Option<usize> {
    let (start, end) = THREAD.with(own_bounds_of);
    (start..end).contains(&stack_pointer()).then(|| stack_pointer() - start)
}

/// The bounds of the stack that `here` is in.
fn bounds_around(thread: &Thread, here: usize) -> Range<usize> {
    let (start, end) = own_bounds_of(thread);
    if (start..end).contains(&here) {
        return start..end;
    }
    let (start, end) = mapping_around(here).unwrap_or((here - UNKNOWN, here + 1));
    start..end
}

/// The bounds of the calling thread's stack; the system is asked once, since it tells in files.
fn own_bounds_of(thread: &Thread) -> (usize, usize) {
    if thread.own.get().1 == 0 {
        thread.own.set(own_bounds().unwrap_or((0, 1)));
    }
    thread.own.get()
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn own_bounds() -> Option<(usize, usize)> {
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: the attributes are written before they are read, and freed after; the other places are to be written to.
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

/// Bounds within those of the main thread's stack, which the C library reads from files that may not be there: half of what the system
/// allows is taken to be left.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn own_bounds_by_limit() -> Option<(usize, usize)> {
    let here = stack_pointer();
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: asks for numbers, and gives a place to write to.
    let known = unsafe { libc::gettid() == libc::getpid() && libc::getrlimit(libc::RLIMIT_STACK, &mut limit) == 0 };
    let half = usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX).min(8 << 20) / 2;
    known.then(|| (here - half, here + half))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn own_bounds() -> Option<(usize, usize)> {
    None
}

/// The memory mapping that an address is in.
fn mapping_around(address: usize) -> Option<(usize, usize)> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    maps.lines().find_map(|line| {
        let (start, rest) = line.split_once('-')?;
        let (end, _) = rest.split_once(' ')?;
        let bounds = (usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?);
        (bounds.0..bounds.1).contains(&address).then_some(bounds)
    })
}

/// Where the stack is now, or near it.
#[inline(always)]
pub fn stack_pointer() -> usize {
    let here: usize;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: reads a register.
    unsafe {
        std::arch::asm!("mov {}, rsp", out(reg) here, options(nomem, nostack, preserves_flags));
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: reads a register.
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
}
