//! Row 9: a crash loop.

use std::time::{Duration, Instant};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use super::ground::{Ground, seconds};
use crate::faults::error::FaultsError;
use crate::faults::plan_run::ended;

/// So often 25 instances get two backups each.
const WAVE: Duration = seconds(45);
const WAVES: u32 = 4;

/// 200 objects, and the operator is killed every 1 to 5 s as long as there is something to do, for 5 minutes at most.
pub(super) async fn crash_loop(ground: &mut Ground<'_>) -> Result<(), FaultsError> {
    let mut dice = StdRng::seed_from_u64(9);
    ground.operator().await?;
    let (began, mut waves, mut kills) = (Instant::now(), 0, 0);
    loop {
        if waves < WAVES && began.elapsed() >= WAVE * waves {
            ground.backups(&format!("wave{waves}"), 25, 2).await?;
            waves += 1;
        }
        tokio::time::sleep(Duration::from_millis(dice.random_range(1000..5000))).await;
        ground.stand().operator.kill_9().await?;
        kills += ground.start_those_that_ended()?;
        let over = waves == WAVES && ended(&ground.objects().await?);
        if over || began.elapsed() > seconds(300) {
            break;
        }
    }
    ground.ran.struck += kills;
    let during = ground.objects().await?.iter().filter(|object| object["status"]["phase"] == "Succeeded").count();
    ground.note(format!("{kills} kills; {during} of 200 had succeeded at the last of them, {} s", began.elapsed().as_secs()));
    ground.until_ended(seconds(150)).await;
    Ok(())
}
