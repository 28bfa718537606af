//! Arguments, environment, clocks, random bytes, the process, and waiting for several things at once.

use super::abi::{Errno, FileType, Version, rights};
use super::config::{CLOCKS, Random};
use super::context::{Answer, Call, Stop, Strings};
use super::descriptors::Kind;
use super::io::wait;
use super::memory::Guest;
use super::paths::left_to_read;
use super::random;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

fn write_strings(memory: Guest, strings: &Strings, pointers: u32, bytes: u32) -> Answer {
    let array = memory.array(pointers, strings.count, 4)?;
    memory.write(bytes, &strings.bytes)?;
    let mut start = 0;
    for (position, string) in strings.bytes.split_inclusive(|byte| *byte == 0).enumerate() {
        // SAFETY: inside the array, which has as many places as there are strings.
        unsafe { array.add(4 * position).cast::<u32>().write_unaligned((bytes + start).to_le()) };
        start += string.len() as u32;
    }
    Ok(())
}

fn write_sizes(memory: Guest, strings: &Strings, count: u32, size: u32) -> Answer {
    memory.range(size, 4)?;
    memory.write_u32(count, strings.count)?;
    Ok(memory.write_u32(size, strings.bytes.len() as u32)?)
}

pub fn args_get(call: Call, pointers: u32, bytes: u32) -> Answer {
    write_strings(call.memory(), &call.wasi().args, pointers, bytes)
}

pub fn args_sizes_get(call: Call, count: u32, size: u32) -> Answer {
    write_sizes(call.memory(), &call.wasi().args, count, size)
}

pub fn environ_get(call: Call, pointers: u32, bytes: u32) -> Answer {
    write_strings(call.memory(), &call.wasi().env, pointers, bytes)
}

pub fn environ_sizes_get(call: Call, count: u32, size: u32) -> Answer {
    write_sizes(call.memory(), &call.wasi().env, count, size)
}

const REALTIME: u32 = 0;
const MONOTONIC: u32 = 1;

fn host_clock(clock: u32) -> Result<libc::clockid_t, Errno> {
    const HOST: [libc::clockid_t; CLOCKS] =
        [libc::CLOCK_REALTIME, libc::CLOCK_MONOTONIC, libc::CLOCK_PROCESS_CPUTIME_ID, libc::CLOCK_THREAD_CPUTIME_ID];
    HOST.get(clock as usize).copied().ok_or(Errno::Invalid)
}

fn nanoseconds(
    clock: libc::clockid_t,
    ask: unsafe extern "C" fn(libc::clockid_t, *mut libc::timespec) -> i32,
) -> Result<u64, Errno> {
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: writes a time.
    if unsafe { ask(clock, time.as_mut_ptr()) } != 0 {
        return Err(Errno::last());
    }
    // SAFETY: written above.
    let time = unsafe { time.assume_init() };
    let seconds = u64::try_from(time.tv_sec).map_err(|_| Errno::Overflow)?;
    seconds
        .checked_mul(1_000_000_000)
        .and_then(|time_of| time_of.checked_add(time.tv_nsec as u64))
        .ok_or(Errno::Overflow)
}

fn now(call: Call, clock: u32) -> Result<u64, Errno> {
    let host = host_clock(clock)?;
    match &call.wasi().clocks[clock as usize] {
        // SAFETY: the host's function of this shape, with its environment.
        Some(clock) => Ok(unsafe { (clock.function)(clock.env.pointer) }),
        None => nanoseconds(host, libc::clock_gettime),
    }
}

pub fn clock_res_get(call: Call, clock: u32, out: u32) -> Answer {
    let host = host_clock(clock)?;
    let resolution = match call.wasi().clocks[clock as usize].is_some() {
        // The host's own counts in them.
        true => 1,
        false => nanoseconds(host, libc::clock_getres)?,
    };
    Ok(call.memory().write_u64(out, resolution)?)
}

pub fn clock_time_get(call: Call, clock: u32, _precision: u64, out: u32) -> Answer {
    let now = now(call, clock)?;
    Ok(call.memory().write_u64(out, now)?)
}

/// How many random bytes are made before the guest is asked whether it still may go on.
const RANDOM_STEP: u32 = 1 << 16;

pub fn random_get(call: Call, buffer: u32, size: u32) -> Answer {
    call.memory().range(buffer, size)?;
    let mut done = 0;
    while done < size {
        if done > 0 {
            call.check()?;
        }
        match &call.wasi().random {
            Random::System => {
                let step = (size - done).min(RANDOM_STEP);
                let place = call.memory().range(buffer + done, step)?;
                // SAFETY: `range` has checked that the bytes are in the memory.
                if step as usize <= random::MOST && unsafe { random::take(place, step as usize) } {
                    done += step;
                    continue;
                }
                // SAFETY: `range` has checked that the bytes are in the memory.
                let count = unsafe { libc::getrandom(place.cast(), step as usize, 0) };
                match u32::try_from(count) {
                    Ok(count) => done += count,
                    Err(_) if Errno::last() == Errno::Interrupted => {}
                    Err(_) => return Err(Errno::last().into()),
                }
            }
            Random::Callback(callback) => {
                let mut bytes = [0; 256];
                let step = bytes.len().min((size - done) as usize);
                // SAFETY: the host's function of this shape, with its environment; there is so much room.
                if !unsafe { (callback.function)(callback.env.pointer, bytes.as_mut_ptr().cast(), step) } {
                    return Err(Errno::Io.into());
                }
                call.memory().write(buffer + done, &bytes[..step])?;
                done += step as u32;
            }
            Random::Seed(_) => {
                let word = next_random(&call.wasi().random_state).to_le_bytes();
                let step = word.len().min((size - done) as usize);
                call.memory().write(buffer + done, &word[..step])?;
                done += step as u32;
                // Asking costs more than eight bytes.
                if done % RANDOM_STEP != 0 {
                    continue;
                }
            }
        }
    }
    Ok(())
}

/// SplitMix64: numbers that look random and can be told from the seed.
fn next_random(state: &std::cell::Cell<u64>) -> u64 {
    state.set(state.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
    let mixed = state.get();
    let mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

pub fn proc_exit(_call: Call, status: u32) -> Answer {
    Err(Stop::Exit(status as i32))
}

pub fn proc_raise(_call: Call, _signal: u32) -> Answer {
    Err(Errno::NotSupported.into())
}

pub fn sched_yield(call: Call) -> Answer {
    std::thread::yield_now();
    call.check()
}

/// What a guest may wait for at a time.
const MAX_SUBSCRIPTIONS: u32 = 1024;

const CLOCK: u8 = 0;
const FD_READ: u8 = 1;
const FD_WRITE: u8 = 2;

/// A thing that a guest waits for.
struct Subscription {
    userdata: u64,
    kind: u8,
    /// The descriptor, or the clock.
    number: u32,
    timeout: u64,
    absolute: bool,
}

impl Subscription {
    fn size(version: Version) -> u32 {
        if version == Version::Snapshot0 { 56 } else { 48 }
    }

    fn read(memory: Guest, array: u32, position: u32, version: Version) -> Result<Subscription, Errno> {
        let address = array + position * Subscription::size(version);
        let word = |at: u32| Ok::<_, Errno>(u64::from_le_bytes(memory.read(address + at)?));
        let [kind, ..] = memory.read::<8>(address + 8)?;
        // The older version has an identifier of the clock first.
        let clock = if kind == CLOCK && version == Version::Snapshot0 { 24 } else { 16 };
        let [flags, ..] = memory.read::<2>(address + if version == Version::Snapshot0 { 48 } else { 40 })?;
        Ok(Subscription {
            userdata: word(0)?,
            kind,
            number: word(clock)? as u32,
            timeout: word(clock + 8)?,
            absolute: flags & 1 != 0,
        })
    }
}

/// What came of a subscription.
#[derive(Clone, Copy)]
enum Outcome {
    Waiting,
    Ready { bytes: u64, hung_up: bool },
    Failed(Errno),
}

pub fn poll_oneoff(call: Call, subscriptions: u32, events: u32, count: u32, out: u32, version: Version) -> Answer {
    let memory = call.memory();
    memory.array(subscriptions, count, Subscription::size(version))?;
    memory.array(events, count, 32)?;
    memory.range(out, 4)?;
    if count == 0 || count > MAX_SUBSCRIPTIONS {
        return Err(Errno::Invalid.into());
    }
    // For each subscription, what the system is asked: a descriptor, or -1 where it has nothing to say.
    let mut asked = [libc::pollfd { fd: -1, events: 0, revents: 0 }; MAX_SUBSCRIPTIONS as usize];
    let asked = &mut asked[..count as usize];
    let begin = Instant::now();
    let (mut until, mut at_once) = (None::<Instant>, false);
    // When each clock ends. Asked for once: an absolute time is in terms of a clock that goes on meanwhile.
    let mut ends = [Ok::<_, Errno>(begin); MAX_SUBSCRIPTIONS as usize];
    // Clocks first: they may be the host's functions, which may close what is waited for.
    for position in 0..count {
        let subscription = Subscription::read(call.memory(), subscriptions, position, version)?;
        if subscription.kind == CLOCK {
            let end = end_of(call, &subscription, begin);
            match end {
                Ok(end) => until = Some(until.map_or(end, |until| until.min(end))),
                Err(_) => at_once = true,
            }
            ends[position as usize] = end;
        }
    }
    for (position, asked) in asked.iter_mut().enumerate() {
        let subscription = Subscription::read(call.memory(), subscriptions, position as u32, version)?;
        match waits_for(call, &subscription) {
            Some((fd, events)) => (asked.fd, asked.events) = (fd, events),
            None => at_once |= subscription.kind != CLOCK,
        }
    }
    if at_once {
        until = Some(begin);
    }
    wait(call, asked, until)?;
    let now = Instant::now();
    let mut written = 0;
    for (position, (asked, end)) in asked.iter().zip(ends).enumerate() {
        let subscription = Subscription::read(call.memory(), subscriptions, position as u32, version)?;
        let outcome = match (subscription.kind, asked.fd) {
            (CLOCK, _) => match end {
                Ok(end) if end <= now => Outcome::Ready { bytes: 0, hung_up: false },
                Ok(_) => Outcome::Waiting,
                Err(errno) => Outcome::Failed(errno),
            },
            (_, -1) => immediate(call, &subscription),
            (kind, fd) if asked.revents != 0 => happened(kind, fd, asked.revents),
            _ => Outcome::Waiting,
        };
        let (errno, bytes, hung_up) = match outcome {
            Outcome::Waiting => continue,
            Outcome::Ready { bytes, hung_up } => (0, bytes, hung_up),
            Outcome::Failed(errno) => (errno as u16, 0, false),
        };
        let mut event = [0; 32];
        event[0..8].copy_from_slice(&subscription.userdata.to_le_bytes());
        event[8..10].copy_from_slice(&errno.to_le_bytes());
        event[10] = subscription.kind;
        event[16..24].copy_from_slice(&bytes.to_le_bytes());
        event[24] = u8::from(hung_up);
        call.memory().write(events + 32 * written, &event)?;
        written += 1;
    }
    Ok(call.memory().write_u32(out, written)?)
}

/// When a clock's subscription ends; not before its clock shows that.
fn end_of(call: Call, subscription: &Subscription, begin: Instant) -> Result<Instant, Errno> {
    if !matches!(subscription.number, REALTIME | MONOTONIC) {
        return Err(Errno::Invalid);
    }
    let (begin, left) = match subscription.absolute {
        false => (begin, subscription.timeout),
        true => {
            let left = subscription.timeout.saturating_sub(now(call, subscription.number)?);
            (Instant::now(), left)
        }
    };
    // Some hundred years are as good as for ever.
    const LONG: u64 = 1 << 62;
    begin.checked_add(Duration::from_nanos(left.min(LONG))).ok_or(Errno::Overflow)
}

/// The descriptor of a subscription and what it is waited for, if it has to be waited for.
fn waits_for(call: Call, subscription: &Subscription) -> Option<(libc::c_int, libc::c_short)> {
    let descriptor = call.descriptor(subscription.number).ok()?;
    let (right, events) = match subscription.kind {
        FD_READ => (rights::FD_READ, libc::POLLIN),
        FD_WRITE => (rights::FD_WRITE, libc::POLLOUT),
        _ => return None,
    };
    match &descriptor.kind {
        Kind::File(file) if descriptor.filetype != FileType::RegularFile && descriptor.has(right) => {
            Some((file.as_raw_fd(), events))
        }
        _ => None,
    }
}

/// What comes of a subscription that the system need not be asked about.
fn immediate(call: Call, subscription: &Subscription) -> Outcome {
    let right = match subscription.kind {
        FD_READ => rights::FD_READ,
        FD_WRITE => rights::FD_WRITE,
        _ => return Outcome::Failed(Errno::Invalid),
    };
    match call.descriptor(subscription.number) {
        Err(errno) => Outcome::Failed(errno),
        Ok(descriptor) if !descriptor.has(right) => Outcome::Failed(Errno::BadF),
        Ok(descriptor) if subscription.kind == FD_READ => {
            let bytes = left_to_read(&descriptor);
            let hung_up = bytes == 0 && matches!(descriptor.kind, Kind::Nothing | Kind::Bytes { .. });
            Outcome::Ready { bytes, hung_up }
        }
        Ok(_) => Outcome::Ready { bytes: 0, hung_up: false },
    }
}

fn happened(kind: u8, fd: libc::c_int, events: libc::c_short) -> Outcome {
    if events & libc::POLLNVAL != 0 {
        return Outcome::Failed(Errno::BadF);
    }
    let mut bytes: libc::c_int = 0;
    if kind == FD_READ {
        // SAFETY: an open descriptor; where it cannot tell, nothing is written.
        unsafe { libc::ioctl(fd, libc::FIONREAD, &mut bytes) };
    }
    let hung_up = events & (libc::POLLHUP | libc::POLLERR) != 0;
    Outcome::Ready { bytes: u64::try_from(bytes).unwrap_or(0), hung_up }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn seeded_numbers_are_those_of_splitmix64() {
        let state = Cell::new(1_234_567);
        let numbers = [next_random(&state), next_random(&state), next_random(&state)];
        assert_eq!(numbers, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }
}
