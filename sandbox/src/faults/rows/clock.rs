//! Row 28: the operator's clock and the service's differ. Requests expire after 15 minutes here, as in the real service.
//!
//! The service's clock is the one that is moved, so never while a job runs: its start would contradict the clock. An operator's clock that
//! is set while a job runs is a row of `tests/faults`.

use super::environment::{Environment, seconds};
use crate::faults::error::FaultsError;
use crate::faults::outcome::Times;

const MINUTE: i64 = 60_000;

/// By 2, 10 and 20 minutes, either way: each with an operator that has just started, so that it knows nothing of it.
pub(super) async fn off(env: &mut Environment<'_>) -> Result<(), FaultsError> {
    env.outcome.times = Times::OfTwoClocks;
    for minutes in [-20, -10, -2, 2, 10, 20] {
        env.world.rds.update(|settings| settings.clock_offset_ms = minutes * MINUTE);
        env.start_operator().await?;
        let name = format!("by{}{}", if minutes < 0 { "minus" } else { "plus" }, minutes.abs());
        env.backups(&name, 2, 2).await?;
        env.until_ended(seconds(90)).await;
        if let Some(operator) = env.operators.last_mut() {
            operator.process.stop().await?;
        }
        env.outcome.faults += 1;
    }
    Ok(())
}
