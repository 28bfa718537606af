//! Limits of tables and memories.

use crate::c_api::ffi::null;
use crate::runtime::base::error::{Error, Result};
use crate::runtime::base::types::{Limits, Limits32};

/// Limits as C gave them, checked.
pub fn from_c(limits: Option<&Limits32>) -> Result<Limits> {
    let limits = *limits.ok_or_else(|| null("limits"))?;
    if limits.min > limits.max {
        let Limits32 { min, max } = limits;
        return Err(Error::misuse(format!("the limits' minimum {min} is above their maximum {max}")));
    }
    Ok(limits.into())
}
