//! A store's fuel.

use super::Store;
use crate::runtime::base::error::{Advice, Error, Result};
use std::cell::Cell;

/// The amount that was set last, and what had been consumed before that: engines only know what is left.
#[derive(Default)]
pub(super) struct Account {
    set: Cell<u64>,
    consumed_before: Cell<u64>,
}

impl Store {
    /// Returns how much fuel is left.
    pub fn fuel(&self) -> Result<u64> {
        self.check_has_fuel()?;
        Ok(self.backend().fuel())
    }

    pub fn set_fuel(&self, fuel: u64) -> Result<()> {
        let consumed = self.fuel_consumed()?;
        self.backend().set_fuel(fuel);
        self.fuel.consumed_before.set(consumed);
        self.fuel.set.set(fuel);
        Ok(())
    }

    /// Returns how much fuel was used up since the store was made.
    pub fn fuel_consumed(&self) -> Result<u64> {
        let since = self.fuel.set.get().saturating_sub(self.fuel()?);
        Ok(self.fuel.consumed_before.get().saturating_add(since))
    }

    fn check_has_fuel(&self) -> Result<()> {
        if self.engine.options.fuel {
            return Ok(());
        }
        let message = "the store's engine was configured without fuel";
        Err(Error::misuse(message).with_advice(Advice::ConfigureFuel))
    }
}
