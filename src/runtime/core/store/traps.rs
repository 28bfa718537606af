//! The traps that a store's operations end with.

use super::Store;
use crate::runtime::base::error::{self, Error, ErrorKind};
use crate::runtime::base::trap_code::TrapCode;
use crate::runtime::base::types::ExternType;
use crate::runtime::core::backtrace;
use crate::runtime::core::engine_traits::{Failure, Thrown};
use crate::runtime::core::exception::Exception;
use crate::runtime::core::func::Origin;
use crate::runtime::core::object::Handle;
use crate::runtime::core::trap::{Cause, Trap};

impl Store {
    /// Makes the trap to return for an operation that failed, and records it as the thread's last error. `origin` is
    /// that of the called function, if it is known.
    #[cold]
    pub fn trap(&self, failure: Failure, origin: Origin) -> Handle {
        let (trap, frames) = match failure {
            Failure::Error(error) | Failure::NotInstantiated(error) => return self.error_trap(error),
            Failure::Limit(code, error) => {
                error::record(&error);
                let trap = Trap::new(Cause::Code(code), error.message.clone().into_bytes());
                return trap.into_handle(self);
            }
            Failure::Trap(code @ (TrapCode::MemoryLimit | TrapCode::TableLimit), frames) => {
                let message = self.limits().denied().map_or(code.message().to_string(), |(_, e)| e.message.clone());
                let trap = Trap::new(Cause::Code(code), message.into_bytes());
                (trap.into_handle(self), frames)
            }
            Failure::Trap(code, frames) => (Trap::of_code(code).into_handle(self), frames),
            Failure::Exception(thrown, frames) => {
                let exception = thrown.and_then(|Thrown { tag, payload }| {
                    // SAFETY: the exception came from this store's engine.
                    let tag = unsafe {
                        let ty = self.backend().tag_type(&tag).ok()?;
                        self.tag(tag, || ExternType::tag(ty))
                    };
                    Some(Exception::new(tag, payload))
                });
                (Trap::of_exception(exception).into_handle(self), frames)
            }
            Failure::Refused(code) => (Trap::of_code(code).into_handle(self), Vec::new()),
            Failure::Host(frames) => match self.take_pending_trap() {
                Some(trap) => (trap, frames),
                None => {
                    let message = "a host function failed without leaving a trap";
                    return self.error_trap(Error::new(ErrorKind::Internal, message));
                }
            },
        };
        let frames = self.call_loops.without_their_frames(frames);
        self.pass_on(trap, |body| {
            body.set_frames(|| backtrace::locate(self, frames, origin.map(|(instance, _)| instance)));
        })
    }

    /// Passes on a trap that a host function returned or WebAssembly made, and records it as the thread's last error.
    /// `complete` adds to the trap, if it belongs to this store.
    #[cold]
    pub fn pass_on(&self, trap: Handle, complete: impl FnOnce(&Trap)) -> Handle {
        let Some(body) = trap.as_trap() else {
            return self.error_trap(Error::misuse("a host function returned a pointer that is not a trap"));
        };
        error::record(&Error::new(body.error_kind(), String::from_utf8_lossy(&body.message)));
        if self.is(trap.store()) {
            complete(body);
        }
        trap
    }

    pub fn set_pending_trap(&self, trap: Handle) {
        self.pending_trap.set(Some(trap));
    }

    pub fn take_pending_trap(&self) -> Option<Handle> {
        self.pending_trap.take()
    }

    /// Makes a trap for something that went wrong outside WebAssembly, and records it as the thread's last error.
    #[cold]
    pub fn error_trap(&self, error: Error) -> Handle {
        error::record(&error);
        let cause = if error.kind == ErrorKind::Trap { Cause::Other } else { Cause::Error(error.kind) };
        Trap::new(cause, error.message.clone().into_bytes()).into_handle(self)
    }
}
