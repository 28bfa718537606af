//! Limits on what a store may have, and counts of what it has.

use super::error::{Error, ErrorKind, Result};
use super::log;
use crate::runtime::base::trap_code::TrapCode;
use std::cell::Cell;

/// What a store can have too much of. The numbers are those of `wasmrt.h`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Resource {
    MemoryBytes = 0,
    TableElements = 1,
    Instances = 2,
    Tables = 3,
    Memories = 4,
}

impl Resource {
    const ALL: [Resource; 5] =
        [Resource::MemoryBytes, Resource::TableElements, Resource::Instances, Resource::Tables, Resource::Memories];

    pub fn from_number(number: u32) -> Option<Resource> {
        Resource::ALL.into_iter().find(|resource| *resource as u32 == number)
    }

    fn name(self) -> &'static str {
        match self {
            Resource::MemoryBytes => "bytes of linear memory",
            Resource::TableElements => "table elements",
            Resource::Instances => "instances",
            Resource::Tables => "tables",
            Resource::Memories => "memories",
        }
    }
}

/// The largest number of elements in a table, on every backend: the limit that browsers agreed on. Without it engines
/// would try to allocate four billion.
pub const MAX_TABLE_ELEMENTS: usize = 10_000_000;

/// No memory can be larger: a program has at most half of the address space. Engines report a size beyond the address
/// space as one just below its end, or do not ask about it.
const MAX_MEMORY_BYTES: usize = isize::MAX as usize;

/// How much there is of each resource.
pub type Counts = [u64; Resource::ALL.len()];

pub struct StoreLimits {
    most: [Cell<u64>; Resource::ALL.len()],
    used: Cell<Counts>,
    /// Whether growth beyond a limit traps in the guest, instead of returning -1.
    pub growth_traps: Cell<bool>,
    /// How many times memories, and tables, were allowed to be made or to grow since [`StoreLimits::watch`].
    granted: [Cell<u64>; 2],
    /// The last growth that was counted. `growth_failed` takes it back if the engine could not allocate it.
    last: Cell<(Resource, u64)>,
    /// The last growth, if it was denied.
    denial: Cell<Option<Denial>>,
    warned: Cell<bool>,
    /// Whether what is made now is not the guests', see [`StoreLimits::uncounted`].
    uncounted: Cell<bool>,
}

#[derive(Clone, Copy)]
struct Denial {
    resource: Resource,
    asked: u64,
}

/// The answer when a memory or table is about to grow.
pub enum Growth {
    Allowed,
    Denied,
    Trap(TrapCode),
}

impl Default for StoreLimits {
    fn default() -> StoreLimits {
        StoreLimits {
            most: [const { Cell::new(u64::MAX) }; Resource::ALL.len()],
            used: Cell::default(),
            growth_traps: Cell::new(false),
            granted: [const { Cell::new(0) }; 2],
            last: Cell::new((Resource::MemoryBytes, 0)),
            denial: Cell::new(None),
            warned: Cell::new(false),
            uncounted: Cell::new(false),
        }
    }
}

impl StoreLimits {
    pub fn set(&self, resource: Resource, most: u64) {
        self.most[resource as usize].set(most);
    }

    pub fn get(&self, resource: Resource) -> u64 {
        self.most[resource as usize].get()
    }

    pub fn used(&self, resource: Resource) -> u64 {
        self.used_cell(resource).get()
    }

    fn used_cell(&self, resource: Resource) -> &Cell<u64> {
        &self.used.as_array_of_cells()[resource as usize]
    }

    /// Checks whether `more` can be added. Counts nothing.
    #[inline]
    pub fn check(&self, resource: Resource, more: u64) -> Result<()> {
        if self.is_room(resource, more) {
            return Ok(());
        }
        Err(self.refusal(Denial { resource, asked: more }))
    }

    /// Adding nothing is always allowed, even where a limit was lowered below what is in use.
    fn is_room(&self, resource: Resource, more: u64) -> bool {
        more == 0 || self.used(resource).saturating_add(more) <= self.get(resource)
    }

    /// Runs `body`, which makes something that does not belong to the guests: it is neither limited nor counted.
    pub fn uncounted<R>(&self, body: impl FnOnce() -> R) -> R {
        struct Counted<'a>(&'a Cell<bool>);
        impl Drop for Counted<'_> {
            fn drop(&mut self) {
                self.0.set(false);
            }
        }
        self.uncounted.set(true);
        let _counted = Counted(&self.uncounted);
        body()
    }

    pub fn add(&self, resource: Resource, more: u64) {
        self.used_cell(resource).update(|used| used.saturating_add(more));
    }

    pub fn remove(&self, resource: Resource, less: u64) {
        self.used_cell(resource).update(|used| used.saturating_sub(less));
    }

    /// Answers a memory that is about to grow from `current` to `desired` bytes, or to be made with `desired` bytes.
    /// The engine will refuse itself what is beyond `maximum`, the memory's own limit.
    pub fn memory_growing(&self, current: usize, desired: usize, maximum: Option<usize>) -> Growth {
        if desired > MAX_MEMORY_BYTES {
            // No machine can allocate that, so no limit of the store has to forbid it.
            self.last.set((Resource::MemoryBytes, 0));
            self.denial.set(None);
            return Growth::Denied;
        }
        self.growing(Resource::MemoryBytes, current, desired, maximum)
    }

    /// Answers a table, as `memory_growing` answers a memory; the numbers are elements.
    pub fn table_growing(&self, current: usize, desired: usize, maximum: Option<usize>) -> Growth {
        if desired > u32::MAX as usize {
            // The table's index type forbids it; engines report that themselves, before or after they ask.
            self.last.set((Resource::TableElements, 0));
            self.denial.set(None);
            return Growth::Denied;
        }
        let growth = self.growing(Resource::TableElements, current, desired, maximum);
        let (_, added) = self.last.get();
        if desired <= MAX_TABLE_ELEMENTS || added == 0 {
            return growth;
        }
        // Takes the growth back. It is within the store's limit, so it is denied without a trap.
        self.growth_failed();
        let denial = Denial { resource: Resource::TableElements, asked: desired as u64 };
        self.note(denial);
        Growth::Denied
    }

    fn growing(&self, resource: Resource, current: usize, desired: usize, maximum: Option<usize>) -> Growth {
        let more = desired.saturating_sub(current) as u64;
        self.last.set((resource, 0));
        self.denial.set(None);
        if self.uncounted.get() || maximum.is_some_and(|maximum| desired > maximum) {
            return Growth::Allowed;
        }
        if !self.is_room(resource, more) {
            return self.deny(Denial { resource, asked: more });
        }
        self.add(resource, more);
        self.last.set((resource, more));
        self.granted[resource as usize].update(|granted| granted + 1);
        Growth::Allowed
    }

    #[cold]
    fn deny(&self, denial: Denial) -> Growth {
        self.note(denial);
        match denial.resource {
            _ if !self.growth_traps.get() => Growth::Denied,
            Resource::TableElements => Growth::Trap(TrapCode::TableLimit),
            _ => Growth::Trap(TrapCode::MemoryLimit),
        }
    }

    fn note(&self, denial: Denial) {
        self.denial.set(Some(denial));
        if !self.warned.replace(true) {
            log::warn(&self.describe(denial));
        }
    }

    /// Takes back the growth that was allowed last, because it did not happen.
    pub fn growth_failed(&self) {
        let (resource, more) = self.last.replace((Resource::MemoryBytes, 0));
        self.remove(resource, more);
        self.granted[resource as usize].update(|granted| granted.saturating_sub(u64::from(more > 0)));
    }

    /// Takes back a memory of `bytes` bytes that was allowed since [`StoreLimits::watch`], because it is gone again.
    pub fn memory_gone(&self, bytes: u64) {
        if !self.uncounted.get() {
            self.remove(Resource::MemoryBytes, bytes);
            self.granted[Resource::MemoryBytes as usize].update(|granted| granted.saturating_sub(1));
        }
    }

    /// The allocation of `bytes` bytes for a table failed. Takes back the growth that was allowed last, if it is a
    /// table's and not too large to be the one that needed them.
    pub fn elements_failed(&self, bytes: usize) {
        const LEAST_ELEMENT: u64 = 4;
        let (resource, more) = self.last.get();
        if resource == Resource::TableElements && bytes as u64 >= more.saturating_mul(LEAST_ELEMENT) {
            self.growth_failed();
        }
    }

    /// Returns all counters, for `restore` after an operation that failed and freed what it had made.
    pub fn snapshot(&self) -> Counts {
        self.used.get()
    }

    pub fn restore(&self, snapshot: Counts) {
        self.used.set(snapshot);
    }

    /// Forgets earlier growth, so that [`StoreLimits::granted`] and [`StoreLimits::denied`] only report what follows.
    pub fn watch(&self) {
        self.denial.set(None);
        self.granted.iter().for_each(|granted| granted.set(0));
    }

    /// Returns how many memories or tables were made since [`StoreLimits::watch`]. Only meaningful if none grew.
    pub fn granted(&self, resource: Resource) -> u64 {
        match resource {
            Resource::Memories => self.granted[Resource::MemoryBytes as usize].get(),
            Resource::Tables => self.granted[Resource::TableElements as usize].get(),
            _ => 0,
        }
    }

    /// If the last growth since [`StoreLimits::watch`] was denied, returns the code of the trap and the reason.
    pub fn denied(&self) -> Option<(TrapCode, Error)> {
        let denial = self.denial.get()?;
        let code = match denial.resource {
            Resource::TableElements => TrapCode::TableLimit,
            _ => TrapCode::MemoryLimit,
        };
        Some((code, self.refusal(denial)))
    }

    #[cold]
    fn refusal(&self, denial: Denial) -> Error {
        Error::new(ErrorKind::Limit, self.describe(denial))
    }

    fn describe(&self, Denial { resource, asked }: Denial) -> String {
        let (most, used, name) = (self.get(resource), self.used(resource), resource.name());
        if resource == Resource::TableElements && asked > MAX_TABLE_ELEMENTS as u64 && asked <= most {
            return format!(
                "a table cannot have {asked} elements: the largest possible number is {MAX_TABLE_ELEMENTS}"
            );
        }
        format!("the store's limit is {most} {name}; {used} are in use, and {asked} more were asked for")
    }
}
