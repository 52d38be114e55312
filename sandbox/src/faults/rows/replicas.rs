//! Rows 25 to 27: two replicas and their lease.

use std::time::{Duration, Instant};

use super::ground::{Ground, seconds};
use crate::faults::error::FaultsError;
use crate::faults::plan::{Blow, Plan};
use crate::faults::scenario::Scenario;
use crate::faults::stand::Setup;
use crate::faults::weather::Weather;
use crate::plane::Signal;
use crate::rds::{Effect, Fault};

/// A lease lasts 15 s and is looked at every 2 to 3 s; the rest is for a busy machine.
const TAKEN_OVER: Duration = seconds(60);

fn replica() -> Setup {
    Setup { leader_elect: true, ..Setup::default() }
}

async fn until_it_leads(ground: &mut Ground<'_>, which: usize) -> bool {
    let began = Instant::now();
    while !ground.stands[which].leads() {
        if began.elapsed() > TAKEN_OVER {
            ground.ran.trouble(format!("replica {which} does not lead after {} s", TAKEN_OVER.as_secs()));
            return false;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    true
}

/// Row 25: of two replicas the leader is killed when so many of a burst of 200 were accepted.
pub(super) async fn killed(ground: &mut Ground<'_>, accepted: usize) -> Result<(), FaultsError> {
    ground.operator_with(replica()).await?;
    if !until_it_leads(ground, 0).await {
        return Ok(());
    }
    ground.operator_with(replica()).await?;
    ground.backups("burst", 200, 1).await?;
    if !ground.until_accepted(accepted, seconds(120)).await {
        return Ok(());
    }
    let (killed, at) = (Instant::now(), ground.accepted());
    ground.stand().operator.kill_9().await?;
    ground.ran.struck += 1;
    if !until_it_leads(ground, 1).await {
        return Ok(());
    }
    let led = killed.elapsed();
    let changed = loop {
        if let Some((_, at)) = ground.stands[1].changes_since(killed).into_iter().next() {
            break at.duration_since(killed);
        }
        if killed.elapsed() > TAKEN_OVER {
            ground.ran.trouble("the new leader changes nothing");
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let early = changed < seconds(10);
    ground.expect(!early, "it changed something while the lease of the killed one was in force");
    ground.until_ended(seconds(180)).await;
    let (led, changed, all, all_after) = (led.as_secs_f64(), changed.as_secs_f64(), ground.accepted(), killed.elapsed().as_secs_f64());
    ground.note(format!(
        "killed at {at} accepted; the other led after {led:.1} s, its first mutation came after {changed:.1} s; \
         {all} accepted of 200, all at their ends after {all_after:.0} s"
    ));
    Ok(())
}

/// The last look at the instance before an intent is written. Who goes on here has an answer that is good for a minute.
pub(super) const PREFLIGHT: (&str, usize) = ("cloud DescribeBackups", 1);
/// The first status write is the intent, the second clears it, and then the request is sent.
pub(super) const CLEAR: (&str, usize) = ("kube patch rdsbackups/status", 2);

/// Row 25: the leader stands still when a request was executed, for longer than its lease, and goes on.
pub(super) async fn frozen(ground: &mut Ground<'_>, (request, number): (&str, usize), still: Duration) -> Result<(), FaultsError> {
    let plan = Plan { scenario: Scenario::OneShot, request: request.to_owned(), number, blow: Blow::Freeze };
    ground.operator_with(Setup { plan: Some(plan), ..replica() }).await?;
    if !until_it_leads(ground, 0).await {
        return Ok(());
    }
    ground.operator_with(replica()).await?;
    ground.backups("due", 1, 3).await?;
    let began = Instant::now();
    while !ground.stand().strike.fired() {
        if began.elapsed() > seconds(30) {
            ground.ran.trouble("nothing was asked for");
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    ground.ran.struck += 1;
    tokio::time::sleep(still).await;
    let woken = Instant::now();
    let had_led = ground.stands[1].leads();
    ground.stand().operator.signal(Signal::Cont)?;
    while ground.stand().operator.ended_already()?.is_none() {
        if woken.elapsed() > seconds(30) {
            ground.ran.trouble("it goes on, without its lease");
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let changes = ground.stand().changes_since(woken);
    ground.expect(changes.is_empty(), format!("woken, it asked for {changes:?}"));
    let ended = woken.elapsed().as_secs_f64();
    until_it_leads(ground, 1).await;
    ground.until_ended(seconds(90)).await;
    ground.note(format!("it ended {ended:.1} s after it went on, without a mutation; the other led by then: {had_led}"));
    Ok(())
}

/// Row 26: everybody is told that he has the lease.
pub(super) async fn both(ground: &mut Ground<'_>) -> Result<(), FaultsError> {
    for _ in 0..2 {
        // From its start: who has a real lease takes the lie for a loss, and ends.
        ground.operator_with(Setup { weather: Some(Weather::LeasesLie), ..replica() }).await?;
    }
    if !until_it_leads(ground, 0).await || !until_it_leads(ground, 1).await {
        return Ok(());
    }
    // Of every other instance the first answer is lost: whose is the job that is found?
    for number in (0..20).step_by(2) {
        let instance = ground.instance(&format!("both-{number}"));
        ground.world.rds.add_fault(Fault::on("CreateBackup", Effect::LoseAnswer).instance(&instance).times(1));
    }
    ground.backups("both", 20, 2).await?;
    ground.until_ended(seconds(180)).await;
    for which in 0..2 {
        let changes = ground.stands[which].strike.requests().iter().filter(|request| *request == "cloud CreateBackup").count();
        ground.expect(changes > 0, format!("replica {which} did nothing: there were no two leaders"));
        ground.note(format!("replica {which} sent {changes} requests"));
    }
    Ok(())
}

/// Row 27: for 30 s no lease can be written. The leader ends, what is started in its place stands by, and leads when it can.
pub(super) async fn refused(ground: &mut Ground<'_>) -> Result<(), FaultsError> {
    ground.operator_with(replica()).await?;
    if !until_it_leads(ground, 0).await {
        return Ok(());
    }
    ground.backups("through", 4, 3).await?;
    if !ground.until_accepted(2, seconds(60)).await {
        return Ok(());
    }
    let began = Instant::now();
    ground.stand().sky.change(Weather::Answers { to: " leases", one_of: 1, status: 500 });
    let mut ended = None;
    while began.elapsed() < seconds(30) {
        if ground.start_those_that_ended()? > 0 && ended.is_none() {
            ended = Some(Instant::now());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // 10 s after the last renewal, which was up to 3 s before, nothing is begun.
    let fenced = began + seconds(12);
    let changes = ground.stand().changes_since(fenced);
    let over = Instant::now();
    ground.stand().sky.change(Weather::Calm);
    ground.expect(changes.is_empty(), format!("without a lease it asked for {changes:?}"));
    ground.expect(ended.is_some(), "it did not end when its lease was lost");
    until_it_leads(ground, 0).await;
    let again = over.elapsed().as_secs_f64();
    ground.until_ended(seconds(90)).await;
    let ended = ended.map(|at| at.duration_since(began).as_secs_f64()).unwrap_or_default();
    ground.note(format!("it ended {ended:.1} s after the first refusal, and led again {again:.1} s after the last"));
    Ok(())
}
