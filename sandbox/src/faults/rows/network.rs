//! Rows 18 to 24: an API server, or a network in front of it, that misbehaves.

use std::time::{Duration, Instant};

use super::environment::{Environment, seconds};
use crate::faults::error::FaultsError;
use crate::faults::network_conditions::{Distortion, NetworkCondition};

/// Requests per second of one operator, over the whole row: an operator that does not wait makes hundreds.
const PACE: f64 = 30.0;

/// The condition holds from before the first object to the end of the last.
pub(super) async fn throughout(env: &mut Environment<'_>, condition: NetworkCondition) -> Result<(), FaultsError> {
    env.start_operator().await?;
    let began = Instant::now();
    env.first_operator().network.set(condition);
    env.backups("backup", 4, 3).await?;
    env.until_ended(seconds(180)).await;
    judge_pace(env, began, condition);
    Ok(())
}

/// The condition holds for a while after the first requests were accepted.
pub(super) async fn for_a_while(env: &mut Environment<'_>, condition: NetworkCondition, long: Duration) -> Result<(), FaultsError> {
    env.start_operator().await?;
    let began = Instant::now();
    env.backups("backup", 4, 3).await?;
    if !env.until_accepted(2, seconds(60)).await {
        return Ok(());
    }
    env.first_operator().network.set(condition);
    tokio::time::sleep(long).await;
    judge_pace(env, began, condition);
    env.first_operator().network.set(NetworkCondition::Normal);
    env.until_ended(seconds(120)).await;
    Ok(())
}

fn judge_pace(env: &mut Environment<'_>, began: Instant, condition: NetworkCondition) {
    let requests = env.first_operator().injector.requests();
    let pace = requests.len() as f64 / began.elapsed().as_secs_f64();
    env.expect(pace < PACE, format!("{pace:.0} requests a second"));
    let applied = env.first_operator().network.applied();
    env.expect(applied > 0, "the condition changed nothing");
    if let NetworkCondition::Watches(Distortion::Expired(_)) = condition {
        // One watch of each kind, and the list that begins it.
        let lists = requests.iter().filter(|request| request.starts_with("kube list") && !request.ends_with("of the instance")).count();
        env.expect(lists <= applied + 4, format!("{lists} lists after {applied} times 410"));
        env.note(format!("{applied} times 410, {lists} lists"));
    }
}

/// Row 18: the operator is killed again and again, and the first lists after each start are older than its own writes.
pub(super) async fn old_lists(env: &mut Environment<'_>) -> Result<(), FaultsError> {
    env.start_operator().await?;
    env.first_operator().network.set(NetworkCondition::OldLists(seconds(3)));
    env.backups("old", 6, 1).await?;
    for accepted in [0, 1, 3, 5, 6] {
        if !env.until_accepted(accepted, seconds(60)).await {
            return Ok(());
        }
        env.first_operator().process.kill_9().await?;
        env.restart_ended()?;
        tokio::time::sleep(seconds(2)).await;
    }
    env.until_ended(seconds(120)).await;
    let applied = env.first_operator().network.applied();
    env.expect(applied > 0, "no list was old");
    Ok(())
}
