//! Rows 18 to 24: an API server, or a way to it, that does not do what it should.

use std::time::{Duration, Instant};

use super::ground::{Ground, seconds};
use crate::faults::error::FaultsError;
use crate::faults::weather::{Distortion, Weather};

/// Requests per second of one operator, over the whole row: an operator that does not wait makes hundreds.
const PACE: f64 = 30.0;

/// From before the first object to the end of the last.
pub(super) async fn weather(ground: &mut Ground<'_>, weather: Weather) -> Result<(), FaultsError> {
    ground.operator().await?;
    let began = Instant::now();
    ground.stand().sky.change(weather);
    ground.backups("rough", 4, 3).await?;
    ground.until_ended(seconds(180)).await;
    judge_pace(ground, began, weather);
    Ok(())
}

/// From when the first are accepted, for so long.
pub(super) async fn for_a_while(ground: &mut Ground<'_>, weather: Weather, long: Duration) -> Result<(), FaultsError> {
    ground.operator().await?;
    let began = Instant::now();
    ground.backups("rough", 4, 3).await?;
    if !ground.until_accepted(2, seconds(60)).await {
        return Ok(());
    }
    ground.stand().sky.change(weather);
    tokio::time::sleep(long).await;
    judge_pace(ground, began, weather);
    ground.stand().sky.change(Weather::Calm);
    ground.until_ended(seconds(120)).await;
    Ok(())
}

fn judge_pace(ground: &mut Ground<'_>, began: Instant, weather: Weather) {
    let requests = ground.stand().strike.requests();
    let pace = requests.len() as f64 / began.elapsed().as_secs_f64();
    ground.expect(pace < PACE, format!("{pace:.0} requests a second"));
    let struck = ground.stand().sky.struck();
    ground.expect(struck > 0, "nothing was struck");
    if let Weather::Watches(Distortion::Expired(_)) = weather {
        // One watch of each kind, and the list that begins it.
        let lists = requests.iter().filter(|request| request.starts_with("kube list") && !request.ends_with("of the instance")).count();
        ground.expect(lists <= struck + 4, format!("{lists} lists after {struck} times 410"));
        ground.note(format!("{struck} times 410, {lists} lists"));
    }
}

/// Row 18: the operator is killed again and again, and what it first sees when it starts is older than what it did.
pub(super) async fn old_lists(ground: &mut Ground<'_>) -> Result<(), FaultsError> {
    ground.operator().await?;
    ground.stand().sky.change(Weather::OldLists(seconds(3)));
    ground.backups("old", 6, 1).await?;
    for accepted in [0, 1, 3, 5, 6] {
        if !ground.until_accepted(accepted, seconds(60)).await {
            return Ok(());
        }
        ground.stand().operator.kill_9().await?;
        ground.start_those_that_ended()?;
        tokio::time::sleep(seconds(2)).await;
    }
    ground.until_ended(seconds(120)).await;
    let struck = ground.stand().sky.struck();
    ground.expect(struck > 0, "no list was old");
    Ok(())
}
