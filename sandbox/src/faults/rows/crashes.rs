//! Row 9: a crash loop.

use std::time::{Duration, Instant};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use super::environment::{Environment, seconds};
use crate::faults::error::FaultsError;
use crate::faults::plan_run::ended;

/// After this time 25 more instances get two backups each.
const WAVE: Duration = seconds(45);
const WAVES: u32 = 4;

/// 200 objects, and the operator is killed every 1 to 5 s as long as a backup is open, for 5 minutes at most.
pub(super) async fn crash_loop(env: &mut Environment<'_>) -> Result<(), FaultsError> {
    let mut randomness = StdRng::seed_from_u64(9);
    env.start_operator().await?;
    let (began, mut waves, mut kills) = (Instant::now(), 0, 0);
    loop {
        if waves < WAVES && began.elapsed() >= WAVE * waves {
            env.backups(&format!("wave{waves}"), 25, 2).await?;
            waves += 1;
        }
        tokio::time::sleep(Duration::from_millis(randomness.random_range(1000..5000))).await;
        env.first_operator().process.kill_9().await?;
        kills += env.restart_ended()?;
        let over = waves == WAVES && ended(&env.objects().await?);
        if over || began.elapsed() > seconds(300) {
            break;
        }
    }
    env.outcome.faults += kills;
    let during = env.objects().await?.iter().filter(|object| object["status"]["phase"] == "Succeeded").count();
    env.note(format!("{kills} kills; {during} of 200 had succeeded at the last of them, {} s", began.elapsed().as_secs()));
    env.until_ended(seconds(150)).await;
    Ok(())
}
