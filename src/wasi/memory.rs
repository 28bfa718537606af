//! A guest's memory, as its pointers see it.

use super::abi::Errno;
use std::mem::MaybeUninit;

/// Where a memory's bytes are now. Not kept across a call of the host's: that may make the memory grow.
#[derive(Clone, Copy)]
pub struct Guest {
    base: *mut u8,
    size: usize,
}

/// How many buffers a call reads or writes at most; those behind are left for the guest's next call.
pub const MAX_BUFFERS: usize = 256;

impl Guest {
    /// # Safety
    /// The bytes are there as long as this is used, and nobody has a reference to them.
    pub unsafe fn new(bytes: *mut [u8]) -> Guest {
        // Addresses have 32 bits: what is behind them in a 64-bit memory cannot be named.
        Guest { base: bytes.cast(), size: bytes.len().min(1 << 32) }
    }

    /// Where `count` bytes at `address` are, if all of them are inside.
    #[inline]
    pub fn range(self, address: u32, count: u32) -> Result<*mut u8, Errno> {
        let (address, count) = (address as usize, count as usize);
        match address <= self.size && count <= self.size - address {
            // SAFETY: inside the memory.
            true => Ok(unsafe { self.base.add(address) }),
            false => Err(Errno::Fault),
        }
    }

    /// Where an array is.
    pub fn array(self, address: u32, count: u32, element: u32) -> Result<*mut u8, Errno> {
        self.range(address, count.checked_mul(element).ok_or(Errno::Fault)?)
    }

    pub fn read<const COUNT: usize>(self, address: u32) -> Result<[u8; COUNT], Errno> {
        let place = self.range(address, COUNT as u32)?;
        // SAFETY: `range` has checked that the bytes are in the memory.
        Ok(unsafe { place.cast::<[u8; COUNT]>().read_unaligned() })
    }

    pub fn write(self, address: u32, bytes: &[u8]) -> Result<(), Errno> {
        let place = self.range(address, u32::try_from(bytes.len()).map_err(|_| Errno::Fault)?)?;
        // SAFETY: `range` has checked that the bytes are in the memory; `bytes` are the host's.
        unsafe { place.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        Ok(())
    }

    pub fn write_u32(self, address: u32, value: u32) -> Result<(), Errno> {
        self.write(address, &value.to_le_bytes())
    }

    pub fn write_u64(self, address: u32, value: u64) -> Result<(), Errno> {
        self.write(address, &value.to_le_bytes())
    }

    /// Text of the guest's. It is looked at before the guest or a callback runs again.
    ///
    /// # Safety
    /// The answer is dropped before anything writes to the memory.
    pub unsafe fn text<'a>(self, address: u32, count: u32, most: u32) -> Result<&'a str, Errno> {
        let place = self.range(address, count)?;
        if count > most {
            return Err(Errno::NameTooLong);
        }
        // SAFETY: `range` has checked that the bytes are in the memory; nothing writes to it while the answer is used.
        let bytes = unsafe { std::slice::from_raw_parts(place, count as usize) };
        std::str::from_utf8(bytes).map_err(|_| Errno::IlSeq)
    }

    /// Puts the buffers that an array of the guest's names into `buffers`, as the host's system calls want them: the first
    /// [`MAX_BUFFERS`], each of them inside the memory.
    pub fn buffers(self, address: u32, count: u32, buffers: &mut Buffers) -> Result<(), Errno> {
        let array = self.array(address, count, 8)?;
        (buffers.count, buffers.size) = (0, 0);
        for position in 0..(count as usize).min(MAX_BUFFERS) {
            // SAFETY: inside the array.
            let [address, size] = unsafe { array.add(8 * position).cast::<[u32; 2]>().read_unaligned() };
            let (address, size) = (u32::from_le(address), u32::from_le(size));
            let base = self.range(address, size)?;
            // The sum is written as 32 bits; the rest is for the next call.
            let size = (size as usize).min(MAX_BYTES - buffers.size);
            if size > 0 {
                buffers.parts[buffers.count].write(libc::iovec { iov_base: base.cast(), iov_len: size });
                buffers.count += 1;
                buffers.size += size;
            }
        }
        Ok(())
    }
}

/// How many bytes a call moves at most, which is what Linux does.
const MAX_BYTES: usize = 0x7fff_f000;

/// Pieces of a guest's memory, none of them empty.
pub struct Buffers {
    /// The first `count` are initialised.
    parts: [MaybeUninit<libc::iovec>; MAX_BUFFERS],
    count: usize,
    size: usize,
}

impl Buffers {
    pub fn new() -> Buffers {
        Buffers { parts: [const { MaybeUninit::uninit() }; MAX_BUFFERS], count: 0, size: 0 }
    }

    pub fn parts(&self) -> &[libc::iovec] {
        // SAFETY: the first `count` parts are initialised.
        unsafe { &*(&raw const self.parts[..self.count] as *const [libc::iovec]) }
    }

    fn parts_mut(&mut self) -> &mut [libc::iovec] {
        // SAFETY: as in `parts`.
        unsafe { &mut *(&raw mut self.parts[..self.count] as *mut [libc::iovec]) }
    }

    /// The bytes of all of them.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Leaves out the first `count` bytes.
    pub fn advance(&mut self, mut count: usize) {
        self.size -= count;
        let mut done = 0;
        for part in self.parts_mut() {
            let step = part.iov_len.min(count);
            // SAFETY: inside of the piece.
            part.iov_base = unsafe { part.iov_base.cast::<u8>().add(step) }.cast();
            part.iov_len -= step;
            count -= step;
            if part.iov_len > 0 {
                break;
            }
            done += 1;
        }
        self.parts.copy_within(done..self.count, 0);
        self.count -= done;
    }

    /// Only the first `size` bytes of them.
    pub fn truncate(&mut self, size: usize) {
        let mut left = size;
        let mut count = 0;
        for part in self.parts_mut() {
            if left == 0 {
                break;
            }
            part.iov_len = part.iov_len.min(left);
            left -= part.iov_len;
            count += 1;
        }
        self.count = count;
        self.size = size - left;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guest(bytes: &mut [u8]) -> Guest {
        // SAFETY: used while the bytes are there.
        unsafe { Guest::new(std::ptr::from_mut(bytes)) }
    }

    #[test]
    fn ranges_end_with_the_memory() {
        let mut bytes = [0; 16];
        let guest = guest(&mut bytes);
        assert!(guest.range(0, 16).is_ok());
        assert!(guest.range(16, 0).is_ok());
        assert_eq!(guest.range(17, 0), Err(Errno::Fault));
        assert_eq!(guest.range(1, 16), Err(Errno::Fault));
        assert_eq!(guest.range(u32::MAX, u32::MAX), Err(Errno::Fault));
        assert_eq!(guest.array(0, 0x2000_0001, 8), Err(Errno::Fault));
    }

    #[test]
    fn buffers_are_cut_at_both_ends() {
        let mut bytes = [0; 64];
        for (position, value) in [32u32, 4, 40, 0, 48, 8].into_iter().enumerate() {
            bytes[4 * position..][..4].copy_from_slice(&value.to_le_bytes());
        }
        let memory = guest(&mut bytes);
        let mut buffers = Buffers::new();
        memory.buffers(0, 3, &mut buffers).unwrap();
        assert_eq!((buffers.parts().len(), buffers.size()), (2, 12));
        buffers.advance(5);
        assert_eq!((buffers.parts().len(), buffers.size()), (1, 7));
        assert_eq!(buffers.parts()[0].iov_base.cast::<u8>(), memory.range(49, 0).unwrap());
        buffers.truncate(3);
        assert_eq!((buffers.parts().len(), buffers.parts()[0].iov_len, buffers.size()), (1, 3, 3));
        buffers.truncate(0);
        assert_eq!(buffers.parts().len(), 0);
    }

    #[test]
    fn many_buffers_cost_no_more_than_some() {
        let mut bytes = vec![0; 1 << 16];
        let memory = guest(&mut bytes);
        let mut buffers = Buffers::new();
        assert_eq!(memory.buffers(0, 1 << 13, &mut buffers), Ok(()));
        assert_eq!(memory.buffers(0, (1 << 13) + 1, &mut buffers), Err(Errno::Fault));
    }
}
