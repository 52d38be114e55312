//! Row 28: the operator's clock and the service's differ. Requests expire after 15 minutes here, as in the real service.
//!
//! It is the service's clock that is moved, so not while anything is under way: what the service had noted would contradict its clock. A clock
//! of the operator that is set under way is a row of `tests/faults`.

use super::ground::{Ground, seconds};
use crate::faults::error::FaultsError;
use crate::faults::ran::Times;

const MINUTE: i64 = 60_000;

/// By 2, 10 and 20 minutes, either way: each with an operator that has just started, so that it knows nothing of it.
pub(super) async fn off(ground: &mut Ground<'_>) -> Result<(), FaultsError> {
    ground.ran.times = Times::OfTwoClocks;
    for minutes in [-20, -10, -2, 2, 10, 20] {
        ground.world.rds.update(|settings| settings.clock_offset_ms = minutes * MINUTE);
        ground.operator().await?;
        let name = format!("by{}{}", if minutes < 0 { "minus" } else { "plus" }, minutes.abs());
        ground.backups(&name, 2, 2).await?;
        ground.until_ended(seconds(90)).await;
        if let Some(stand) = ground.stands.last_mut() {
            stand.operator.stop().await?;
        }
        ground.ran.struck += 1;
    }
    Ok(())
}
