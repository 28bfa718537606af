//! Memories that the host provides.

use crate::runtime::base::options::MemoryCreator;
use std::ptr::NonNull;
use std::sync::Arc;
use wasmtime::{LinearMemory, MemoryType};

pub struct Creator(pub Arc<MemoryCreator>);

struct HostMemory {
    creator: Arc<MemoryCreator>,
    base: NonNull<u8>,
    size: usize,
    reserved: usize,
    guard: usize,
}

// SAFETY: the host promises memory of its own for each call, which is all zeros and which nobody else writes to, with
// address space behind it that faults. It promises to be called on any thread.
unsafe impl wasmtime::MemoryCreator for Creator {
    fn new_memory(
        &self,
        _ty: MemoryType,
        minimum: usize,
        _maximum: Option<usize>,
        reserved: Option<usize>,
        guard: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        let reserved = reserved.unwrap_or(minimum).max(minimum);
        let base = self.0.reserve(minimum, reserved, guard)?;
        Ok(Box::new(HostMemory { creator: self.0.clone(), base, size: minimum, reserved, guard }))
    }
}

// SAFETY: the host promises that its functions may be called on any thread; what is at `base` is used as the engine does.
unsafe impl Send for HostMemory {}
unsafe impl Sync for HostMemory {}

// SAFETY: as for the creator.
unsafe impl LinearMemory for HostMemory {
    fn byte_size(&self) -> usize {
        self.size
    }

    fn byte_capacity(&self) -> usize {
        self.reserved
    }

    fn grow_to(&mut self, new_size: usize) -> wasmtime::Result<()> {
        let grown = self.creator.grow(self.base, self.size, new_size, self.reserved, self.guard);
        self.base = grown.map_err(wasmtime::Error::msg)?;
        self.size = new_size;
        self.reserved = self.reserved.max(new_size);
        Ok(())
    }

    fn as_ptr(&self) -> *mut u8 {
        self.base.as_ptr()
    }
}

impl Drop for HostMemory {
    fn drop(&mut self) {
        self.creator.free(self.base, self.size, self.reserved, self.guard);
    }
}
