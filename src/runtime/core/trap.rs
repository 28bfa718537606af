//! Traps, and the frames in which they arose.

use super::engine_traits::{Failure, RawFrame};
use super::func::Origin;
use super::instance::Instance;
use super::object::{Body, Handle, Object};
use super::store::{Store, StoreHandle};
use crate::runtime::base::error::{self, Error, ErrorKind};
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
}

#[derive(Clone)]
pub struct Frame {
    /// Retained by its store; `None` if it cannot be determined (see [`locate`]).
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
        Trap { cause, message, frames: RefCell::default(), data }
    }

    pub fn of_code(code: TrapCode) -> Trap {
        Trap::new(Cause::Code(code), code.message().as_bytes().to_vec())
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

    pub fn origin(&self) -> Option<Frame> {
        self.frames.borrow().first().cloned()
    }

    pub fn frames(&self) -> Vec<Frame> {
        self.frames.borrow().clone()
    }
}

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
            Failure::Refused(code) => (Trap::of_code(code).into_handle(self), Vec::new()),
            Failure::Host(frames) => match self.take_pending_trap() {
                Some(trap) => (trap, frames),
                None => {
                    let message = "a host function failed without leaving a trap";
                    return self.error_trap(Error::new(ErrorKind::Internal, message));
                }
            },
        };
        self.pass_on(trap, |body| {
            // A trap that passes through several calls keeps the frames of the innermost one, which is where it
            // arose.
            if body.frames.borrow().is_empty() {
                *body.frames.borrow_mut() = locate(self, frames, origin.map(|(instance, _)| instance));
            }
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
}

/// Finds the instance of each frame. An engine knows a frame's module. If the store has one instance of that module,
/// it is this one. If it has several, the calls from frame to frame decide: a function that is called by another one
/// of its module runs in the same instance, unless it may have been imported from another instance of the module; an
/// imported function runs in the instance that exported it. If that does not decide it either, the instance is left
/// out rather than guessed.
fn locate(store: &Store, raw: Vec<RawFrame>, outermost: Option<NonNull<Object>>) -> Vec<Frame> {
    let mut caller: Option<NonNull<Object>> = None;
    let mut frames: Vec<Frame> = Vec::with_capacity(raw.len());
    for (position, raw) in raw.into_iter().rev().enumerate() {
        let of_module = |object: &NonNull<Object>| is_instance_of(*object, raw.module);
        let instance = store.only_instance(raw.module).or_else(|| match caller {
            _ if position == 0 => outermost.filter(of_module),
            None => None,
            Some(caller) => {
                // SAFETY: the store retains its instances.
                let body = unsafe { caller.as_ref() }.as_instance()?;
                match (Some(caller).filter(of_module), body.imported_from(raw.func_index, raw.module)) {
                    (own, None) => own,
                    (None, Some(exporter)) => Some(exporter),
                    (Some(_), Some(_)) => None,
                }
            }
        });
        caller = instance;
        frames.push(Frame {
            instance,
            func_index: raw.func_index,
            func_offset: raw.func_offset,
            module_offset: raw.module_offset,
            func_name: raw.func_name,
            module_name: raw.module_name,
        });
    }
    frames.reverse();
    frames
}

fn is_instance_of(object: NonNull<Object>, module: usize) -> bool {
    // SAFETY: the store retains its instances.
    let instance = unsafe { object.as_ref() }.as_instance();
    instance.is_some_and(|instance| instance.module.inner.identity() == module)
}

impl Instance {
    /// Returns the instance of `module` from which this one imports the function with index `func_index` there, if it
    /// does.
    fn imported_from(&self, func_index: u32, module: usize) -> Option<NonNull<Object>> {
        self.imports.iter().find_map(|import| {
            let (exporter, index) = import.as_func()?.origin()?;
            (index == func_index && is_instance_of(exporter, module)).then_some(exporter)
        })
    }
}
