//! Rows 28 and 42: the operator's clock and the service's differ. Requests expire after 15 minutes in row 28, as in the real service.
//!
//! The service's clock is the one that is moved in row 28, so never while a job runs: its start would contradict the clock. An operator's
//! clock that is set while a job runs is a row of `tests/faults`.

use std::path::PathBuf;
use std::time::Duration;

use super::environment::{Environment, seconds};
use super::replicas;
use crate::faults::error::FaultsError;
use crate::faults::outcome::Times;
use crate::faults::proxied_operator::Setup;

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

/// Longer than every `queueTimeout` of the row's objects.
const AHEAD: Duration = seconds(8 * 3600);

/// Row 42: while backups wait for their instances, the leader is killed, and the next leader runs on a node whose clock is 8 h ahead. It
/// must end none of them by that clock.
pub(super) async fn leader_ahead(env: &mut Environment<'_>) -> Result<(), FaultsError> {
    let library = clock_ahead(env).await?;
    env.jobs_run_for("waits-*", seconds(6));
    env.start_operator_with(replicas::replica()).await?;
    if !replicas::until_it_leads(env, 0).await {
        return Ok(());
    }
    env.backups("waits", 4, 3).await?;
    if !env.until_accepted(4, seconds(60)).await {
        return Ok(());
    }
    env.first_operator().process.kill_9().await?;
    env.outcome.faults += 1;
    let preload = ("LD_PRELOAD".to_owned(), library.display().to_string());
    env.start_operator_with(Setup { env: vec![preload], ..replicas::replica() }).await?;
    if !replicas::until_it_leads(env, 1).await {
        return Ok(());
    }
    let log = std::fs::read_to_string(env.operators[1].process.log())?;
    let tomorrow = env.world.rds.now().service.checked_add(AHEAD - seconds(600)).map_err(std::io::Error::other)?;
    let is_ahead = log.lines().filter_map(timestamp).any(|time| time > tomorrow);
    env.expect(is_ahead, "the second leader's clock is not ahead: the row proves nothing");
    env.until_ended(seconds(120)).await;
    Ok(())
}

/// The time of a line of a log.
fn timestamp(line: &str) -> Option<jiff::Timestamp> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    line["timestamp"].as_str()?.parse().ok()
}

/// The library that puts a process's clock ahead, compiled where the world keeps its files.
async fn clock_ahead(env: &Environment<'_>) -> Result<PathBuf, FaultsError> {
    let source = env.world.write_config(&format!("{}.c", env.name("clock-ahead")), include_str!("clock_ahead.c"))?;
    let library = source.with_extension("so");
    let mut compiler = tokio::process::Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source).arg(format!("-DCLOCK_AHEAD_SECONDS={}", AHEAD.as_secs()));
    let output = compiler.output().await?;
    if !output.status.success() {
        return Err(std::io::Error::other(format!("cc: {}", String::from_utf8_lossy(&output.stderr))).into());
    }
    Ok(library)
}
