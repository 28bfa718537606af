//! Traps, and the frames in which they arose.

use super::exception::Exception;
use super::object::{Body, Handle, Object};
use super::store::{Store, StoreHandle};
use crate::runtime::base::error::ErrorKind;
use crate::runtime::base::host_data::HostData;
use crate::runtime::base::trap_code::TrapCode;
use std::cell::RefCell;
use std::ffi::c_void;
use std::ptr::NonNull;

/// What caused a trap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cause {
    Code(TrapCode),
    /// A trap of the engine that has no code here.
    Other,
    /// A host function.
    Host,
    /// A host function that asks to end the program with this status.
    Exit(i32),
    /// An error outside WebAssembly: the call was wrong or could not be made.
    Error(ErrorKind),
}

pub struct Trap {
    pub cause: Cause,
    /// Not terminated by a zero byte.
    pub message: Vec<u8>,
    frames: RefCell<Vec<Frame>>,
    /// Data that a host function attaches to its trap, for the code that gets it.
    data: HostData,
    exception: Option<Exception>,
}

#[derive(Clone)]
pub struct Frame {
    /// Retained by its store; `None` if it cannot be determined (see [`locate`](super::backtrace::locate)).
    pub instance: Option<NonNull<Object>>,
    pub func_index: u32,
    pub func_offset: usize,
    pub module_offset: usize,
    /// From the module's name section.
    pub func_name: Option<String>,
    pub module_name: Option<String>,
}

/// A frame that C owns: it keeps the store alive, and so the instance.
pub struct OwnedFrame {
    pub frame: Frame,
    store: StoreHandle,
}

impl OwnedFrame {
    pub fn new(frame: Frame, store: &Store) -> OwnedFrame {
        OwnedFrame { frame, store: StoreHandle::new(store) }
    }
}

impl Clone for OwnedFrame {
    fn clone(&self) -> OwnedFrame {
        OwnedFrame::new(self.frame.clone(), &self.store)
    }
}

impl Trap {
    pub fn new(cause: Cause, message: Vec<u8>) -> Trap {
        Trap::with_data(cause, message, HostData::NONE)
    }

    /// Passes the trap to C, as an object of `store`.
    pub fn into_handle(self, store: &Store) -> Handle {
        Object::create(store, Body::Trap(Box::new(self)))
    }

    /// Makes a trap that owns `data`.
    pub fn with_data(cause: Cause, message: Vec<u8>, data: HostData) -> Trap {
        Trap { cause, message, frames: RefCell::default(), data, exception: None }
    }

    pub fn of_code(code: TrapCode) -> Trap {
        Trap::new(Cause::Code(code), code.message().as_bytes().to_vec())
    }

    /// Makes the trap for an exception that was not caught, or is to be thrown.
    pub fn of_exception(exception: Option<Exception>) -> Trap {
        Trap { exception, ..Trap::of_code(TrapCode::UncaughtException) }
    }

    pub fn exception(&self) -> Option<&Exception> {
        self.exception.as_ref()
    }

    /// Returns the kind of the last error that a call leaves which ends with this trap.
    pub fn error_kind(&self) -> ErrorKind {
        match self.cause {
            Cause::Error(kind) => kind,
            Cause::Code(TrapCode::MemoryLimit | TrapCode::TableLimit) => ErrorKind::Limit,
            _ => ErrorKind::Trap,
        }
    }

    pub fn data(&self) -> *mut c_void {
        self.data.pointer
    }

    /// Sets the frames, unless it has some: a trap that passes through several calls keeps those of the innermost one, which is
    /// where it arose.
    pub fn set_frames(&self, frames: impl FnOnce() -> Vec<Frame>) {
        if self.frames.borrow().is_empty() {
            *self.frames.borrow_mut() = frames();
        }
    }

    pub fn origin(&self) -> Option<Frame> {
        self.frames.borrow().first().cloned()
    }

    pub fn frames(&self) -> Vec<Frame> {
        self.frames.borrow().clone()
    }
}
