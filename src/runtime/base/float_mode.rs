//! The floating-point mode of the processor: how it rounds, and whether it treats very small numbers as zero.
//!
//! WebAssembly requires one mode, which is also the one that threads begin with. Hosts may have set another: audio
//! code flushes small numbers to zero, interval arithmetic rounds up and down. So guests, and code that computes on
//! their behalf, run between [`for_guest`] and [`for_host`]. Meanwhile the host's mode is kept in a cell.

use std::cell::Cell;

pub use arch::Mode;

/// WebAssembly's mode.
const DEFAULT: Mode = arch::DEFAULT;

impl Default for Mode {
    fn default() -> Mode {
        DEFAULT
    }
}

/// Switches to WebAssembly's mode, and keeps the host's mode in `host`.
#[inline(always)]
pub fn for_guest(host: &Cell<Mode>) {
    if !arch::is_default() {
        change(host, arch::read(), DEFAULT);
    }
}

/// Whether the host has another mode, which is kept in `host`.
#[inline(always)]
pub fn is_kept(host: &Cell<Mode>) -> bool {
    host.get() != DEFAULT
}

/// Switches back to the host's mode.
#[inline(always)]
pub fn for_host(host: &Cell<Mode>) {
    let mode = host.get();
    if mode != DEFAULT {
        change(host, DEFAULT, mode);
    }
}

#[cold]
#[inline(never)]
fn change(host: &Cell<Mode>, kept: Mode, mode: Mode) {
    host.set(kept);
    arch::write(mode);
}

/// Runs `body`, which computes with a guest's floating-point numbers, in WebAssembly's mode.
pub fn with_default<R>(body: impl FnOnce() -> R) -> R {
    struct Back(Cell<Mode>);
    impl Drop for Back {
        fn drop(&mut self) {
            for_host(&self.0);
        }
    }
    let host = Back(Cell::new(DEFAULT));
    // This is not a hot path, so it can read the register.
    if !arch::says_default() {
        change(&host.0, arch::read(), DEFAULT);
    }
    body()
}

#[cfg(target_arch = "x86_64")]
mod arch {
    use std::arch::asm;

    /// The register MXCSR.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Mode(u32);

    /// Exceptions masked, rounding to nearest, nothing flushed to zero.
    pub(super) const DEFAULT: Mode = Mode(0x1f80);

    /// Four pairs of numbers, and their sums in the default mode. One sum is only right if rounded to nearest, one is
    /// wrong if rounded up, one is flushed to zero, and one has operands that are treated as zero.
    #[repr(C, align(16))]
    struct Sums([[f32; 4]; 3]);

    static SUMS: Sums = {
        const STEP: f32 = f32::EPSILON;
        const SMALL: f32 = f32::MIN_POSITIVE;
        Sums([
            [1.0, 1.0, 1.5 * SMALL, SMALL / 2.0],
            [0.75 * STEP, 0.25 * STEP, -SMALL, SMALL / 2.0],
            [1.0 + STEP, 1.0, SMALL / 2.0, SMALL],
        ])
    };

    /// On some processors reading the register takes ten times as long as observing what it does to sums. Sums do not
    /// show whether exceptions are masked, and would raise them if not. But code that unmasks them does so for the
    /// older x87 unit as well, whose register can be read quickly.
    #[inline(always)]
    pub fn is_default() -> bool {
        /// All exceptions, masked.
        const MASKED: u16 = 0x3f;
        let mut older = std::mem::MaybeUninit::<u16>::uninit();
        // SAFETY: writes the x87 control word to a variable of its size.
        let older = unsafe {
            asm!("fnstcw [{}]", in(reg) older.as_mut_ptr(), options(nostack, preserves_flags));
            older.assume_init()
        };
        if older & MASKED == MASKED { sums_are_right() } else { says_default() }
    }

    /// Whether the register says that the mode is the default one.
    pub fn says_default() -> bool {
        read().0 & CONTROL == DEFAULT.0
    }

    /// The control bits; the bits below them record exceptions that have occurred.
    const CONTROL: u32 = 0xffc0;

    #[inline(always)]
    fn sums_are_right() -> bool {
        let equal: u32;
        // SAFETY: reads the table, which is aligned as these instructions require.
        unsafe {
            asm!(
                "movaps {sums}, [rip + {table}]",
                "addps {sums}, [rip + {table} + 16]",
                "pcmpeqd {sums}, [rip + {table} + 32]",
                "movmskps {equal:e}, {sums}",
                table = sym SUMS,
                sums = out(xmm_reg) _,
                equal = out(reg) equal,
                options(readonly, nostack)
            );
        }
        equal == 0b1111
    }

    pub fn read() -> Mode {
        let mut mode = std::mem::MaybeUninit::<Mode>::uninit();
        // SAFETY: writes the register to a variable of its size.
        unsafe {
            asm!("stmxcsr [{}]", in(reg) mode.as_mut_ptr(), options(nostack, preserves_flags));
            mode.assume_init()
        }
    }

    #[cfg(test)]
    pub fn flush_to_zero() -> Mode {
        Mode(DEFAULT.0 | 0x8040)
    }

    #[cfg(test)]
    pub fn flushes_to_zero(mode: Mode) -> bool {
        mode.0 & CONTROL == flush_to_zero().0
    }

    pub fn write(mode: Mode) {
        // SAFETY: the value was read from the register, or is its initial value.
        unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const mode, options(nostack, preserves_flags)) };
    }
}

#[cfg(target_arch = "aarch64")]
mod arch {
    use std::arch::asm;

    /// The register FPCR.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Mode(u64);

    pub(super) const DEFAULT: Mode = Mode(0);

    #[inline(always)]
    pub fn is_default() -> bool {
        read() == DEFAULT
    }

    pub fn says_default() -> bool {
        is_default()
    }

    #[inline(always)]
    pub fn read() -> Mode {
        let mode;
        // SAFETY: reads a register, and nothing else.
        unsafe { asm!("mrs {}, fpcr", out(reg) mode, options(nomem, nostack, preserves_flags)) };
        Mode(mode)
    }

    pub fn write(mode: Mode) {
        // SAFETY: the value was read from the register, or is its initial value.
        unsafe { asm!("msr fpcr, {}", in(reg) mode.0, options(nostack, preserves_flags)) };
    }
}

/// On other processors the mode is left alone.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod arch {
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Mode;

    pub(super) const DEFAULT: Mode = Mode;

    pub fn says_default() -> bool {
        true
    }

    pub fn is_default() -> bool {
        true
    }

    pub fn read() -> Mode {
        DEFAULT
    }

    pub fn write(_mode: Mode) {}
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    #[test]
    fn the_mode_is_the_default_one_for_a_while() {
        let flush_to_zero = arch::flush_to_zero();
        arch::write(flush_to_zero);
        let noticed = !arch::is_default();
        let inside = with_default(arch::is_default);
        let after = arch::read();
        arch::write(DEFAULT);
        assert!(noticed && inside && arch::is_default());
        assert!(arch::flushes_to_zero(after));
    }
}
