//! Rows 12 to 17: a service, or a network in front of it, that misbehaves.

use super::environment::{Environment, of_name, seconds};
use crate::faults::error::FaultsError;
use crate::rds::{Delivery, Effect, Fault, Garbage, When};

const CREATE: &str = "CreateBackup";

/// Applies each effect once, at the request of an instance of its own.
async fn each(env: &mut Environment<'_>, effects: Vec<Effect>) -> Result<(), FaultsError> {
    env.start_operator().await?;
    let mut faults = Vec::new();
    for (number, effect) in effects.into_iter().enumerate() {
        let instance = env.instance(&format!("effect{number}-0"));
        faults.push(env.world.rds.add_fault(Fault::on(CREATE, effect).instance(&instance).times(1)));
    }
    for number in 0..faults.len() {
        env.backups(&format!("effect{number}"), 1, 2).await?;
    }
    env.until_ended(seconds(120)).await;
    for (number, fault) in faults.into_iter().enumerate() {
        let hits = env.world.rds.fault_hits(fault);
        env.expect(hits == 1, format!("effect {number} was applied {hits} times"));
        env.outcome.faults += 1;
    }
    Ok(())
}

/// Row 12: the network delivers a request twice, and either answer is the one that comes back.
pub(super) async fn twice(env: &mut Environment<'_>) -> Result<(), FaultsError> {
    let answers = [Delivery::First, Delivery::Second];
    each(env, answers.map(|answer| Effect::Duplicate { answer }).to_vec()).await
}

/// Row 13: answers that cannot be parsed, after a request that was executed and after one that was not.
pub(super) async fn garbage(env: &mut Environment<'_>) -> Result<(), FaultsError> {
    let bodies = [Garbage::Html, Garbage::TruncatedJson, Garbage::Huge, Garbage::Empty, Garbage::Nested];
    let effects = bodies.into_iter().flat_map(|body| [false, true].map(|executed| Effect::Garbage { body, executed }));
    each(env, effects.collect()).await
}

/// Rows 10 and 14: a connection that breaks, or takes too long.
pub(super) async fn broken(env: &mut Environment<'_>) -> Result<(), FaultsError> {
    let mut effects = vec![Effect::DropBefore, Effect::LoseAnswer];
    for executed in [false, true] {
        effects.push(Effect::Reset { executed });
        effects.push(Effect::Hang { executed });
        effects.push(Effect::Status5xx { status: 502, executed });
        effects.push(Effect::Hold { ms: 8000, executed });
    }
    for when in [When::Before, When::After] {
        effects.push(Effect::Delay { ms: 8000, when });
    }
    // An error of the service itself, with its request id, after the job began.
    effects.push(Effect::ApiError { code: "InternalError".into(), http_status: 500, message: "by plan".into(), executed: true });
    each(env, effects).await
}

/// Row 15: refusals that pass by themselves.
pub(super) async fn refused(env: &mut Environment<'_>) -> Result<(), FaultsError> {
    let error = |code: &str, http_status| Effect::ApiError { code: code.into(), http_status, message: "by plan".into(), executed: false };
    let effects = vec![
        Effect::Throttle { retry_after_ms: None },
        Effect::Throttle { retry_after_ms: Some(2000) },
        error("InternalError", 500),
        error("ServiceUnavailable", 503),
        error("OperationDenied.DBInstanceStatus", 403),
        error("BackupJobExists", 400),
    ];
    each(env, effects).await
}

/// Row 17: sets that are deleted in the cloud once their backup has succeeded change nothing.
pub(super) async fn deleted(env: &mut Environment<'_>) -> Result<(), FaultsError> {
    env.start_operator().await?;
    env.backups("kept", 2, 1).await?;
    env.until_ended(seconds(60)).await;
    let before = env.objects().await?;
    for number in 0..2 {
        let status = &of_name(&before, &format!("kept-{number}-0"))["status"];
        let set = status["backupId"].as_str().unwrap_or_default();
        let removed = env.world.rds.remove_set(&env.instance(&format!("kept-{number}")), set);
        env.expect(removed, format!("set {set} is not there to be removed"));
        env.outcome.faults += 1;
    }
    // A new process reads everything again.
    env.first_operator().process.kill_9().await?;
    env.restart_ended()?;
    tokio::time::sleep(seconds(8)).await;
    let statuses = |objects: &[serde_json::Value]| objects.iter().map(|object| object["status"].clone()).collect::<Vec<_>>();
    let same = statuses(&before) == statuses(&env.objects().await?);
    env.expect(same, "a status was changed");
    Ok(())
}
