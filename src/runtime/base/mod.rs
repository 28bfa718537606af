//! The ground floor, which everything else may use and which uses nothing else.

#[cfg(test)]
pub mod counting;
pub mod error;
pub mod file;
pub mod float_mode;
pub mod host_data;
pub mod limits;
pub mod log;
pub mod options;
pub mod quarantine;
pub mod quiet_thread;
pub mod trap_code;
pub mod types;
