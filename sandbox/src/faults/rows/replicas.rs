//! Rows 25 to 27: two replicas and their lease.

use std::time::{Duration, Instant};

use super::environment::{Environment, seconds};
use crate::faults::error::FaultsError;
use crate::faults::network_conditions::NetworkCondition;
use crate::faults::plan::{Plan, RequestFault};
use crate::faults::proxied_operator::Setup;
use crate::faults::scenario::Scenario;
use crate::plane::Signal;
use crate::rds::{Effect, Fault};

/// A lease lasts 15 s and is read every 2 to 3 s; the rest is for a busy machine.
const TAKEN_OVER: Duration = seconds(60);

pub(super) fn replica() -> Setup {
    Setup { leader_elect: true, ..Setup::default() }
}

pub(super) async fn until_it_leads(env: &mut Environment<'_>, which: usize) -> bool {
    let began = Instant::now();
    while !env.operators[which].leads() {
        if began.elapsed() > TAKEN_OVER {
            env.outcome.trouble(format!("replica {which} does not lead after {} s", TAKEN_OVER.as_secs()));
            return false;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    true
}

/// Row 25: of two replicas the leader is killed when so many of a burst of 200 were accepted.
pub(super) async fn killed(env: &mut Environment<'_>, accepted: usize) -> Result<(), FaultsError> {
    env.start_operator_with(replica()).await?;
    if !until_it_leads(env, 0).await {
        return Ok(());
    }
    env.start_operator_with(replica()).await?;
    env.backups("burst", 200, 1).await?;
    if !env.until_accepted(accepted, seconds(120)).await {
        return Ok(());
    }
    let (killed, at) = (Instant::now(), env.accepted());
    env.first_operator().process.kill_9().await?;
    env.outcome.faults += 1;
    if !until_it_leads(env, 1).await {
        return Ok(());
    }
    let led = killed.elapsed();
    let changed = loop {
        if let Some((_, at)) = env.operators[1].changes_since(killed).into_iter().next() {
            break at.duration_since(killed);
        }
        if killed.elapsed() > TAKEN_OVER {
            env.outcome.trouble("the new leader changes nothing");
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let early = changed < seconds(10);
    env.expect(!early, "it changed something while the lease of the killed one was in force");
    env.until_ended(seconds(180)).await;
    let (led, changed, all, all_after) = (led.as_secs_f64(), changed.as_secs_f64(), env.accepted(), killed.elapsed().as_secs_f64());
    env.note(format!(
        "killed at {at} accepted; the other led after {led:.1} s, its first mutation came after {changed:.1} s; \
         {all} accepted of 200, all at their ends after {all_after:.0} s"
    ));
    Ok(())
}

/// The last call about the instance before an intent is written. An operator that continues here has an answer that stays valid for a
/// minute.
pub(super) const PREFLIGHT: (&str, usize) = ("cloud DescribeBackups", 1);
/// The first status write is the intent, the second clears it, and then the request is sent.
pub(super) const CLEAR: (&str, usize) = ("kube update rdsbackups/status", 2);

/// Row 25: the leader is stopped (SIGSTOP) after a request was executed, for longer than its lease, and continued.
pub(super) async fn frozen(env: &mut Environment<'_>, (request, number): (&str, usize), still: Duration) -> Result<(), FaultsError> {
    let plan = Plan { scenario: Scenario::OneShot, request: request.to_owned(), number, fault: RequestFault::Freeze };
    env.start_operator_with(Setup { plan: Some(plan), ..replica() }).await?;
    if !until_it_leads(env, 0).await {
        return Ok(());
    }
    env.start_operator_with(replica()).await?;
    env.backups("due", 1, 3).await?;
    let began = Instant::now();
    while !env.first_operator().injector.injected() {
        if began.elapsed() > seconds(30) {
            env.outcome.trouble("the request never came");
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    env.outcome.faults += 1;
    tokio::time::sleep(still).await;
    let continued = Instant::now();
    let had_led = env.operators[1].leads();
    env.first_operator().process.signal(Signal::Cont)?;
    while env.first_operator().process.ended_already()?.is_none() {
        if continued.elapsed() > seconds(30) {
            env.outcome.trouble("it keeps running without its lease");
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let changes = env.first_operator().changes_since(continued);
    env.expect(changes.is_empty(), format!("continued, it asked for {changes:?}"));
    let ended = continued.elapsed().as_secs_f64();
    until_it_leads(env, 1).await;
    env.until_ended(seconds(90)).await;
    env.note(format!("it ended {ended:.1} s after it was continued, without a mutation; the other led by then: {had_led}"));
    Ok(())
}

/// Row 26: each of two replicas is told that it has the lease.
pub(super) async fn both(env: &mut Environment<'_>) -> Result<(), FaultsError> {
    for _ in 0..2 {
        // From its start: a replica that has the real lease would think that it lost it, and end.
        env.start_operator_with(Setup { network: Some(NetworkCondition::SeparateLeases), ..replica() }).await?;
    }
    if !until_it_leads(env, 0).await || !until_it_leads(env, 1).await {
        return Ok(());
    }
    // The first answer is lost for every other instance, so both replicas find a job that either may have started.
    for number in (0..20).step_by(2) {
        let instance = env.instance(&format!("both-{number}"));
        env.world.rds.add_fault(Fault::on("CreateBackup", Effect::LoseAnswer).instance(&instance).times(1));
    }
    env.backups("both", 20, 2).await?;
    env.until_ended(seconds(180)).await;
    for which in 0..2 {
        let changes = env.operators[which].injector.requests().iter().filter(|request| *request == "cloud CreateBackup").count();
        env.expect(changes > 0, format!("replica {which} did nothing: there were no two leaders"));
        env.note(format!("replica {which} sent {changes} requests"));
    }
    Ok(())
}

/// Row 27: for 30 s no lease can be written. The leader ends; the process after it waits, and leads when it can.
pub(super) async fn refused(env: &mut Environment<'_>) -> Result<(), FaultsError> {
    env.start_operator_with(replica()).await?;
    if !until_it_leads(env, 0).await {
        return Ok(());
    }
    env.backups("through", 4, 3).await?;
    if !env.until_accepted(2, seconds(60)).await {
        return Ok(());
    }
    let began = Instant::now();
    env.first_operator().network.set(NetworkCondition::Answers { to: " leases", one_of: 1, status: 500 });
    let mut ended = None;
    while began.elapsed() < seconds(30) {
        if env.restart_ended()? > 0 && ended.is_none() {
            ended = Some(Instant::now());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // 10 s after the last renewal, which was up to 3 s before, it may begin nothing.
    let fenced = began + seconds(12);
    let changes = env.first_operator().changes_since(fenced);
    let over = Instant::now();
    env.first_operator().network.set(NetworkCondition::Normal);
    env.expect(changes.is_empty(), format!("without a lease it asked for {changes:?}"));
    env.expect(ended.is_some(), "it did not end when its lease was lost");
    until_it_leads(env, 0).await;
    let again = over.elapsed().as_secs_f64();
    env.until_ended(seconds(90)).await;
    let ended = ended.map(|at| at.duration_since(began).as_secs_f64()).unwrap_or_default();
    env.note(format!("it ended {ended:.1} s after the first refusal, and led again {again:.1} s after the last"));
    Ok(())
}
