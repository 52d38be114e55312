//! Rows 12 to 17: what the service, or the way to it, does.

use super::ground::{Ground, of_name, seconds};
use crate::faults::error::FaultsError;
use crate::rds::{Delivery, Effect, Fault, Garbage, When};

const CREATE: &str = "CreateBackup";

/// Each effect once, at the request of an instance of its own.
async fn each(ground: &mut Ground<'_>, effects: Vec<Effect>) -> Result<(), FaultsError> {
    ground.operator().await?;
    let mut faults = Vec::new();
    for (number, effect) in effects.into_iter().enumerate() {
        let instance = ground.instance(&format!("effect{number}-0"));
        faults.push(ground.world.rds.add_fault(Fault::on(CREATE, effect).instance(&instance).times(1)));
    }
    for number in 0..faults.len() {
        ground.backups(&format!("effect{number}"), 1, 2).await?;
    }
    ground.until_ended(seconds(120)).await;
    for (number, fault) in faults.into_iter().enumerate() {
        let hits = ground.world.rds.fault_hits(fault);
        ground.expect(hits == 1, format!("effect {number} struck {hits} times"));
        ground.ran.struck += 1;
    }
    Ok(())
}

/// Row 12: the network delivers a request twice, and either answer is the one that comes back.
pub(super) async fn twice(ground: &mut Ground<'_>) -> Result<(), FaultsError> {
    let answers = [Delivery::First, Delivery::Second];
    each(ground, answers.map(|answer| Effect::Duplicate { answer }).to_vec()).await
}

/// Row 13: answers that are none, after a request that was executed and after one that was not.
pub(super) async fn garbage(ground: &mut Ground<'_>) -> Result<(), FaultsError> {
    let bodies = [Garbage::Html, Garbage::TruncatedJson, Garbage::Huge, Garbage::Empty, Garbage::Nested];
    let effects = bodies.into_iter().flat_map(|body| [false, true].map(|executed| Effect::Garbage { body, executed }));
    each(ground, effects.collect()).await
}

/// Rows 10 and 14: a way that breaks, or takes too long.
pub(super) async fn broken(ground: &mut Ground<'_>) -> Result<(), FaultsError> {
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
    each(ground, effects).await
}

/// Row 15: refusals that pass by themselves.
pub(super) async fn refused(ground: &mut Ground<'_>) -> Result<(), FaultsError> {
    let error = |code: &str, http_status| Effect::ApiError { code: code.into(), http_status, message: "by plan".into(), executed: false };
    let effects = vec![
        Effect::Throttle { retry_after_ms: None },
        Effect::Throttle { retry_after_ms: Some(2000) },
        error("InternalError", 500),
        error("ServiceUnavailable", 503),
        error("OperationDenied.DBInstanceStatus", 403),
        error("BackupJobExists", 400),
    ];
    each(ground, effects).await
}

/// Row 17: sets that are deleted in the cloud once their backup has succeeded change nothing.
pub(super) async fn deleted(ground: &mut Ground<'_>) -> Result<(), FaultsError> {
    ground.operator().await?;
    ground.backups("kept", 2, 1).await?;
    ground.until_ended(seconds(60)).await;
    let before = ground.objects().await?;
    for number in 0..2 {
        let status = &of_name(&before, &format!("kept-{number}-0"))["status"];
        let set = status["backupId"].as_str().unwrap_or_default();
        let removed = ground.world.rds.remove_set(&ground.instance(&format!("kept-{number}")), set);
        ground.expect(removed, format!("set {set} is not there to be removed"));
        ground.ran.struck += 1;
    }
    // A new process looks at everything anew.
    ground.stand().operator.kill_9().await?;
    ground.start_those_that_ended()?;
    tokio::time::sleep(seconds(8)).await;
    let statuses = |objects: &[serde_json::Value]| objects.iter().map(|object| object["status"].clone()).collect::<Vec<_>>();
    let same = statuses(&before) == statuses(&ground.objects().await?);
    ground.expect(same, "a status was changed");
    Ok(())
}
