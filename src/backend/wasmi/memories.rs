//! Makes memories in address space of their own, in which they grow to their largest size without moving. A page of it
//! costs nothing before it is written to.
//!
//! The engine's own way is to allocate all of a memory when it is made, and to copy all of it when it grows. It can use a
//! buffer of its host's instead. It writes zeros to that as well: to the memory's first size, and to what is added when it
//! grows. While it writes the first, windows are in the memory's place (see [`super::zeros`]), so that no memory is used.
//! Only some bytes are written to as they are. They stay in memory for the next one, because to write takes less time than
//! to get new pages from the system.
//!
//! Where address space is limited, or short, memories are made in the engine's own way, and so are those of stores that have
//! many: the engine does not tell which one grows.

use super::shards::Lease;
use super::types::memory_type;
use super::zeros::{Cover, Lost, WINDOW};
use crate::backend::common::Owner;
use crate::runtime::base::limits::{Resource, StoreLimits};
use crate::runtime::base::types::MemoryType;
use std::cell::{Cell, RefCell};
use std::mem::ManuallyDrop;
use std::ops::Range;
use std::ptr::{NonNull, null_mut};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use wasmi::errors::MemoryError;

/// The largest size of a memory with 32-bit addresses. Memories that may become larger are made in the engine's own way.
const MOST: u64 = 1 << 32;

/// The most bytes at the start of a memory that are kept for the next one. Of larger memories only those are kept that have
/// data, in whole windows.
const MOST_KEPT: usize = 4 << 20;

/// From this number of bytes on, windows take less time than new pages do.
const LEAST_COVERED: usize = 128 << 10;

/// A multiple of every system's page size.
const PAGES: usize = 64 << 10;

/// The most address space that is made accessible before it is needed.
const MOST_AHEAD: usize = 64 << 20;

/// How many memories of a store are in address space of their own. When one grows, all that can be it are prepared.
const MOST_IN_STORE: usize = 16;

/// How many spaces there are, and how many there may be: each takes up to four of the system's mappings, of which a process
/// may have 65530.
static SPACES: AtomicUsize = AtomicUsize::new(0);
const MOST_SPACES: usize = 8192;

/// Address space. It is unmapped when this is dropped.
struct Space {
    mapping: (NonNull<u8>, usize),
    /// Where a page table begins.
    start: NonNull<u8>,
    bytes: usize,
    /// How many bytes can be accessed.
    usable: usize,
    /// How many bytes at the start stay in memory for the next memory when this one is gone.
    kept: usize,
    /// The first and the largest size of the memory that is here.
    first: usize,
    most: usize,
}

// SAFETY: a mapping belongs to the process, and this is its only owner.
unsafe impl Send for Space {}

impl Drop for Space {
    fn drop(&mut self) {
        let (start, bytes) = self.mapping;
        // SAFETY: this is the mapping's owner, and nothing refers to it any more.
        unsafe { libc::munmap(start.as_ptr().cast(), bytes) };
        SPACES.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Space {
    /// Returns `None` if address space is limited, or the system has no more.
    fn new(bytes: usize) -> Option<Space> {
        if is_limited() {
            return None;
        }
        let before = SPACES.fetch_add(1, Ordering::Relaxed);
        let Some(mapping) = map(null_mut(), bytes + WINDOW, 0) else {
            SPACES.fetch_sub(1, Ordering::Relaxed);
            return None;
        };
        // SAFETY: this is in the mapping.
        let start = unsafe { mapping.add(mapping.addr().get().wrapping_neg() % WINDOW) };
        let space = Space { mapping: (mapping, bytes + WINDOW), start, bytes, usable: 0, kept: 0, first: 0, most: 0 };
        (before < most_spaces(start)).then_some(space)
    }

    /// Makes the first bytes accessible. Fails if the system has not so many.
    fn make_usable(&mut self, bytes: usize) -> bool {
        let bytes = bytes.next_multiple_of(PAGES);
        if bytes <= self.usable {
            return true;
        }
        let added = bytes - self.usable;
        // SAFETY: this is a part of a mapping that only `self` has, and changes nothing that can be accessed.
        let answer = unsafe {
            let start = self.start.as_ptr().add(self.usable).cast();
            libc::mprotect(start, added, libc::PROT_READ | libc::PROT_WRITE)
        };
        if answer != 0 {
            return false;
        }
        self.usable = bytes;
        true
    }

    /// The same for bytes all of which are going to be written to. With huge pages that takes a fifth of the time.
    fn make_usable_at_once(&mut self, bytes: usize) -> bool {
        let before = self.usable;
        let is_usable = self.make_usable(bytes);
        #[cfg(target_os = "linux")]
        if self.usable - before >= 2 * WINDOW {
            // SAFETY: this is a hint about a part of the mapping.
            unsafe { libc::madvise(self.start.as_ptr().add(before).cast(), self.usable - before, libc::MADV_HUGEPAGE) };
        }
        is_usable
    }

    /// Prepares the first bytes for somebody who writes zeros to them. With a cover, [`Space::end`] must be called next. Fails
    /// if the system has not so many bytes, which it is asked for before anything is covered.
    fn begin(mut self, bytes: usize) -> Option<(Space, Option<Cover>)> {
        if !self.make_usable_at_once(bytes) {
            return None;
        }
        if bytes < self.kept + LEAST_COVERED {
            return Some((self, None));
        }
        let to = bytes.next_multiple_of(WINDOW);
        // SAFETY: this is a part of the mapping, which is only lent for writing zeros. `end` maps it anew.
        match unsafe { Cover::begin(self.start, self.kept, to) } {
            None => Some((self, None)),
            Some(Ok(cover)) => Some((self, Some(cover))),
            Some(Err(Lost(lost))) => {
                let size = self.bytes;
                self.abandon(lost);
                // There are few mappings left: another place, which takes two.
                let mut other = Space::new(size)?;
                other.make_usable_at_once(bytes).then_some((other, None))
            }
        }
    }

    /// Puts new pages in the place of a cover. Like the cover's, all their bytes are zero. They are not accessible if another
    /// thread has got what the system had when it was asked.
    fn end(self, cover: Cover, bytes: usize) -> Option<Space> {
        cover.end();
        let mut space = self.renew(bytes.next_multiple_of(WINDOW))?;
        space.make_usable(bytes);
        Some(space)
    }

    /// Maps anew all that is not kept, up to some byte at least. So neither pages nor page tables are left there, nor anything
    /// that the system has promised. If that fails, all else is given back.
    fn renew(mut self, to: usize) -> Option<Space> {
        let old = self.kept..to.max(self.usable);
        if !old.is_empty() {
            // SAFETY: this is in the mapping.
            let place = unsafe { self.start.add(old.start) };
            if map(place.as_ptr(), old.len(), libc::MAP_FIXED).is_none() {
                self.abandon(old);
                return None;
            }
            self.usable = self.usable.min(self.kept);
        }
        Some(self)
    }

    /// Unmaps all but some bytes. Where these are there may be nothing now, or mappings of others.
    #[cold]
    fn abandon(self, lost: Range<usize>) {
        let space = ManuallyDrop::new(self);
        let (mapping, bytes) = space.mapping;
        let lost_at = space.start.addr().get() - mapping.addr().get() + lost.start;
        let after = lost_at + lost.len();
        // SAFETY: these are parts of the mapping.
        unsafe {
            libc::munmap(mapping.as_ptr().cast(), lost_at);
            libc::munmap(mapping.add(after).as_ptr().cast(), bytes - after);
        }
        SPACES.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Maps address space that cannot be accessed yet.
fn map(place: *mut u8, bytes: usize, flags: i32) -> Option<NonNull<u8>> {
    let flags = flags | libc::MAP_PRIVATE | libc::MAP_ANON;
    // SAFETY: this is a new mapping, or it replaces a part of one that belongs to the caller.
    let start = unsafe { libc::mmap(place.cast(), bytes, libc::PROT_NONE, flags, -1, 0) };
    if start == libc::MAP_FAILED { None } else { NonNull::new(start.cast()) }
}

/// Whether the process may only have so much address space, which the rest of the program needs then.
fn is_limited() -> bool {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a place for the answer.
    let answer = unsafe { libc::getrlimit(libc::RLIMIT_AS, &raw mut limit) };
    answer != 0 || limit.rlim_cur != libc::RLIM_INFINITY
}

/// Returns how many spaces there may be, where the system maps one at this place. Those of the largest size take up to half of
/// the address space that it gives to processes.
fn most_spaces(place: NonNull<u8>) -> usize {
    // 47 bits, wherever something is mapped.
    if cfg!(target_arch = "x86_64") { MOST_SPACES } else { most_below(place) }
}

/// The same where processes have address space of different sizes. It is mapped from near the end on, or from a third.
fn most_below(place: NonNull<u8>) -> usize {
    let half = place.addr().get().next_power_of_two() / 2;
    MOST_SPACES.min(half / MOST as usize)
}

/// Address space for the next memories of a shard.
#[derive(Default)]
pub struct Spare {
    spaces: Mutex<Vec<Space>>,
    /// How many bytes are kept, those of spaces that have a memory now included: otherwise, where memories come and go, it would
    /// never be the same bytes that are in memory.
    kept: AtomicUsize,
}

impl Spare {
    /// How many spaces there are at most, and how many bytes are kept in all of them.
    const MOST: usize = 64;
    const MOST_KEPT: usize = 16 << 20;

    /// Returns a space for a memory of which so many bytes are to be kept. None are, where there are enough already.
    fn take(&self, bytes: usize, kept: usize) -> Option<Space> {
        let mut space = self.take_spare(bytes, kept).or_else(|| Space::new(bytes))?;
        let before = space.kept;
        self.forget(before);
        let counted = Spare::counted(kept);
        let all = self.kept.fetch_add(counted, Ordering::Relaxed) + counted;
        space.kept = kept;
        if all > Spare::MOST_KEPT {
            self.forget(kept);
            space.kept = 0;
        }
        let kept = space.kept;
        let space = space.renew(0);
        if space.is_none() {
            self.forget(kept);
        }
        space
    }

    /// The smallest memories do not count: to keep address space for them would be of little use otherwise.
    fn counted(kept: usize) -> usize {
        if kept < LEAST_COVERED { 0 } else { kept }
    }

    // Who finds the lock taken does without, so that no thread waits for another, nor for one that is not in this process.
    fn take_spare(&self, bytes: usize, kept: usize) -> Option<Space> {
        let mut spaces = self.spaces.try_lock().ok()?;
        let find = |is_best: &dyn Fn(usize) -> bool| {
            spaces.iter().rposition(|space| space.bytes >= bytes && is_best(space.kept))
        };
        let position = find(&|has| has == kept).or_else(|| find(&|has| has == 0)).or_else(|| find(&|_| true))?;
        Some(spaces.swap_remove(position))
    }

    /// Keeps a space whose memory is gone, or gives it back: most of what a process may have is for memories that exist.
    fn put(&self, space: Space) {
        let kept = space.kept;
        if SPACES.load(Ordering::Relaxed) <= most_spaces(space.start) / 4
            && let Ok(mut spaces) = self.spaces.try_lock()
            && spaces.len() < Spare::MOST
            && let Some(space) = space.renew(0)
        {
            spaces.push(space);
            return;
        }
        self.forget(kept);
    }

    /// So many bytes of a space are not kept any more.
    fn forget(&self, kept: usize) {
        self.kept.fetch_sub(Spare::counted(kept), Ordering::Relaxed);
    }
}

/// What a store's memories are in.
pub struct Memories {
    spaces: RefCell<Vec<Space>>,
    /// Whether a memory is being made, so that it is not an old one that grows.
    making: Cell<bool>,
    pub shard: Lease,
}

impl Memories {
    pub fn new(shard: Lease) -> Memories {
        Memories { spaces: RefCell::default(), making: Cell::new(false), shard }
    }

    /// Prepares a memory to grow. Fails if the system has not so many bytes. The engine does not tell which memory it is:
    /// all are prepared that can be it.
    pub fn may_grow(&self, current: usize, desired: usize, maximum: Option<usize>) -> bool {
        if self.making.get() {
            return true;
        }
        let most = maximum.unwrap_or(MOST as usize);
        let can_be = |space: &&mut Space| {
            space.most == most && desired <= space.most && space.usable >= current && space.usable < desired
        };
        let mut spaces = self.spaces.borrow_mut();
        // Ahead, so that a memory that grows often is seldom prepared.
        let most_ahead = MOST_AHEAD / spaces.iter_mut().filter(can_be).count().max(1);
        spaces.iter_mut().filter(can_be).all(|space| {
            let ahead = desired.max(space.usable + space.usable.min(most_ahead)).min(space.bytes);
            space.make_usable_at_once(ahead) || space.make_usable_at_once(desired)
        })
    }

    /// Returns how many memories are in address space of their own.
    pub fn count(&self) -> usize {
        self.spaces.borrow().len()
    }

    /// Gives back the space of memories that nobody has got: all but the first `count`.
    pub fn give_back(&self, count: usize, limits: &StoreLimits) {
        for space in self.spaces.borrow_mut().drain(count..) {
            limits.memory_gone(space.first as u64);
            self.shard.spare.put(space);
        }
    }
}

impl Drop for Memories {
    fn drop(&mut self) {
        self.spaces.take().into_iter().for_each(|space| self.shard.spare.put(space));
    }
}

/// Makes a memory. `data` is the number of bytes that are likely to be written to it at once.
///
/// # Safety
/// The context is that of the store which has `memories`, and which drops the engine's store before them.
pub unsafe fn make(
    memories: &Memories,
    mut context: wasmi::StoreContextMut<'_, Owner>,
    ty: &MemoryType,
    data: usize,
) -> Result<wasmi::Memory, wasmi::Error> {
    let engine_type = memory_type(ty)?;
    memories.making.set(true);
    let _made = Reset(&memories.making);
    let spare = &memories.shard.spare;
    // What is refused must not take time.
    let place = sizes(ty)
        .filter(|(first, _)| context.data().get().limits().check(Resource::MemoryBytes, *first as u64).is_ok())
        .filter(|_| memories.count() < MOST_IN_STORE)
        .and_then(|sizes| Some((sizes, space_for(spare, sizes, data)?)));
    let Some(((first, most), space)) = place else {
        return wasmi::Memory::new(context, engine_type);
    };
    let kept = space.kept;
    let begun = space.begin(first);
    if begun.as_ref().is_none_or(|(space, _)| space.kept < kept) {
        spare.forget(kept);
    }
    let Some((mut space, cover)) = begun else {
        return wasmi::Memory::new(context, engine_type);
    };
    (space.first, space.most) = (first, most);
    let kept = space.kept;
    // SAFETY: nothing else refers to these bytes, and they stay as long as anybody has the memory. The engine accesses only the
    // memory's size, which is accessible: now the first, and before the memory grows, `Memories::may_grow` makes it so.
    let buffer = unsafe { std::slice::from_raw_parts_mut(space.start.as_ptr(), most) };
    let memory = wasmi::Memory::new_static(&mut context, engine_type, buffer);
    let space = match cover {
        Some(cover) => space.end(cover, first),
        None => Some(space),
    };
    match space {
        Some(space) if memory.is_ok() && space.usable >= first => {
            memories.spaces.borrow_mut().push(space);
            return memory;
        }
        // Nobody gets the memory, so the engine will not access it.
        Some(space) => spare.put(space),
        None => spare.forget(kept),
    }
    memory.and_then(|_| {
        context.data().get().limits().growth_failed();
        Err(MemoryError::OutOfSystemMemory.into())
    })
}

/// Returns a memory's first and its largest size in bytes. `None` for memories that are to be made in the engine's own way.
fn sizes(ty: &MemoryType) -> Option<(usize, usize)> {
    if cfg!(any(not(unix), not(target_pointer_width = "64"), miri)) {
        return None;
    }
    let in_bytes = |pages: u64| pages.checked_mul(1 << ty.page_size_log2).filter(|bytes| *bytes <= MOST);
    let first = in_bytes(ty.limits.min())? as usize;
    let most = match ty.limits.max() {
        Some(most) => in_bytes(most)?,
        None if ty.is_64_bit => return None,
        None => MOST,
    } as usize;
    (first <= most).then_some((first, most))
}

/// Returns address space for a memory of these sizes.
fn space_for(spare: &Spare, (first, most): (usize, usize), data: usize) -> Option<Space> {
    let bytes = most.next_multiple_of(WINDOW).max(WINDOW);
    let kept = if first <= MOST_KEPT {
        first.next_multiple_of(PAGES)
    } else {
        (data.saturating_add(WINDOW * 3 / 4) / WINDOW * WINDOW).min(MOST_KEPT)
    };
    spare.take(bytes, kept)
}

struct Reset<'a>(&'a Cell<bool>);

impl Drop for Reset<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::base::types::Limits;
    use std::slice;

    fn ty(min: u64, max: Option<u64>) -> MemoryType {
        MemoryType::new(Limits::new(min, max))
    }

    /// Makes a memory of so many bytes in a space, as the engine does, and returns what is in it before it writes.
    fn fill(space: Space, bytes: usize) -> (Space, Vec<u8>) {
        let (space, cover) = space.begin(bytes).expect("room");
        let start = space.start.as_ptr();
        // SAFETY: so many bytes are accessible, or covered.
        let before = unsafe {
            let before = slice::from_raw_parts(start, bytes).to_vec();
            start.write_bytes(0, bytes);
            before
        };
        let space = match cover {
            Some(cover) => space.end(cover, bytes).expect("room"),
            None => space,
        };
        // SAFETY: so many bytes are accessible.
        let memory = unsafe { slice::from_raw_parts_mut(start, bytes) };
        assert!(memory.iter().all(|byte| *byte == 0));
        memory.fill(7);
        (space, before)
    }

    fn place_for(spare: &Spare, ty: &MemoryType, data: usize) -> Option<Space> {
        sizes(ty).and_then(|sizes| space_for(spare, sizes, data))
    }

    #[test]
    #[cfg_attr(miri, ignore = "it does not know mappings")]
    fn only_what_is_kept_is_used_again() {
        let mut spare = Spare::default();
        for (first, data, kept) in
            [(1, 0, 1), (16, 99, 16), (64, 0, 64), (65, 0, 0), (65, 1 << 20, 32), (256, 9 << 20, 64)]
        {
            let bytes = (first as usize) << 16;
            assert_eq!(sizes(&ty(first, None)), Some((bytes, MOST as usize)));
            let space = place_for(&spare, &ty(first, None), data).expect("a space");
            assert_eq!(space.kept, kept << 16);
            let (space, _) = fill(space, bytes);
            let start = space.start;
            spare.put(space);
            let space = place_for(&spare, &ty(first, Some(first)), data).expect("a space");
            assert_eq!((space.start, space.kept), (start, kept << 16), "of {first} pages");
            // The system has promised no more.
            assert_eq!(space.usable, kept << 16);
            let (space, before) = fill(space, bytes);
            // What is covered is zero at once.
            assert!(before[..kept << 16].iter().all(|byte| *byte == 7));
            assert!(before[kept << 16..].iter().all(|byte| *byte == 0));
            spare.put(space);
            assert_eq!(spare.kept.load(Ordering::Relaxed), Spare::counted(kept << 16));
            spare = Spare::default();
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "it does not know mappings")]
    fn few_spaces_are_kept() {
        for (first, count, with_kept, others) in [(1, 80, 64, 0), (40, 10, 6, 4), (64, 5, 4, 1), (1025, 1, 0, 1)] {
            let spare = Spare::default();
            let new = |_| place_for(&spare, &ty(first, Some(9999)), 0).expect("a space");
            let spaces: Vec<_> = (0..count).map(new).map(|space| fill(space, (first as usize) << 16).0).collect();
            spaces.into_iter().for_each(|space| spare.put(space));
            let kept = with_kept * first as usize * PAGES;
            assert_eq!(spare.kept.load(Ordering::Relaxed), if first == 1 { 0 } else { kept });
            let spaces = spare.spaces.into_inner().unwrap();
            let empty = spaces.iter().filter(|space| space.kept == 0).count();
            assert_eq!((spaces.len() - empty, empty), (with_kept, others), "of {first} pages");
            assert_eq!(spaces.iter().map(|space| space.kept).sum::<usize>(), kept);
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "it does not know mappings")]
    fn a_space_is_chosen_by_what_is_kept() {
        let spare = Spare::default();
        let take = |first, max| place_for(&spare, &ty(first, max), 0).expect("a space");
        let spaces = [take(1, Some(99)), take(9, Some(99)), take(1, Some(999))];
        let starts = spaces.each_ref().map(|space| space.start);
        spaces.into_iter().for_each(|space| spare.put(fill(space, PAGES).0));
        // One that is too small is left where it is.
        assert!(!starts.contains(&take(1, None).start));
        assert_eq!(take(9, Some(20)).start, starts[1]);
        assert_eq!((take(2, Some(20)).start, take(1, Some(20)).start), (starts[2], starts[0]));
    }

    /// On machines whose processes have less address space, fewer may exist.
    #[test]
    fn the_most_spaces_leave_room() {
        let most = |place| most_below(NonNull::new(std::ptr::without_provenance_mut(place)).expect("a place"));
        assert_eq!([most(0x7fff_f000_0000), most(0xffff_f000_0000), most(0x2aaa_aaaa_b000)], [MOST_SPACES; 3]);
        assert_eq!([most(0x3f_ffff_0000), most(0x7f_ffff_0000)], [32, 64]);
    }

    #[test]
    #[cfg_attr(miri, ignore = "it does not know mappings")]
    fn some_memories_are_made_in_the_engine_s_way() {
        let has_space = |ty: &MemoryType| sizes(ty).is_some();
        assert!(has_space(&ty(0, Some(0))) && has_space(&ty(65536, Some(65536))));
        assert!(!has_space(&ty(3, Some(2))) && !has_space(&ty(65537, None)));
        let wide = |max| MemoryType { is_64_bit: true, ..ty(1, max) };
        assert!(has_space(&wide(Some(65536))) && !has_space(&wide(Some(65537))));
        assert!(!has_space(&wide(None)) && !has_space(&wide(Some(u64::MAX))));
        let fine = |max| MemoryType { page_size_log2: 0, ..ty(1, max) };
        assert!(has_space(&fine(Some(3))) && has_space(&fine(None)));
    }

    #[test]
    #[cfg_attr(miri, ignore = "it does not know mappings")]
    fn address_space_is_given_back_around_what_was_lost() {
        let space = place_for(&Spare::default(), &ty(1, Some(1000)), 0).expect("a space");
        let (start, lost) = (space.start, WINDOW..2 * WINDOW);
        space.abandon(lost.clone());
        let is_mapped = |at: usize| {
            let mut in_memory = 0_u8;
            // SAFETY: the answer is for one page.
            unsafe { libc::mincore(start.as_ptr().wrapping_add(at).cast(), 1, (&raw mut in_memory).cast()) == 0 }
        };
        assert!(is_mapped(lost.start) && is_mapped(lost.end - PAGES));
    }
}
