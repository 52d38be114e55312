//! `now`: a backup of a schedule at once, by its `trigger`.

use std::{io::Write as _, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{
    cluster::{PlaceArgs, at_cluster, object_name},
    exit::{Failure, Printed},
};
use crate::{
    api::{Phase, RdsBackup, RdsBackupSchedule, ScheduleCondition, Span},
    clock::Clock,
    kubectl::{AskError, BACKUPS, SCHEDULES, Session, writes_it_back},
    schedule::decide::manual_name,
    time::SaturatingTime,
};

pub(super) const EXAMPLES: &str = "\
Examples:
  rds-backup-operator now nightly -n team-a
  kubectl wait --for=condition=Ready $(rds-backup-operator now nightly -n team-a) -n team-a --timeout=2h
  rds-backup-operator now nightly -n team-a --wait

The exit code is 0 if the backup was asked for, and with --wait if it succeeded; 1 if it was not, 2 for a wrong command line, and 3 if the
cluster could not be asked. It needs get and patch on rdsbackupschedules, and with --wait get on rdsbackups.";

/// How often a backup that is waited for is looked at.
const LOOK: Duration = Duration::from_secs(2);

/// An operator that runs makes the backup within seconds.
const LONGEST_UNMADE: SignedDuration = SignedDuration::from_secs(90);

/// The options of `now`.
#[derive(Debug, clap::Args)]
pub(super) struct NowArgs {
    /// The RdsBackupSchedule.
    #[arg(value_name = "SCHEDULE", value_parser = object_name)]
    schedule: String,
    /// Wait for the end of the backup, and say each stage on standard error.
    #[arg(long)]
    wait: bool,
    /// The longest wait.
    #[arg(long, value_name = "TIME", default_value = "2h", requires = "wait", value_parser = length)]
    timeout: SignedDuration,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Asks for the backup, and prints its name at once.
pub(super) fn now(args: NowArgs) -> Result<Printed, Failure> {
    let NowArgs { schedule: name, wait, timeout, place } = args;
    let clock = Clock::system();
    at_cluster(&place, async |session| {
        let api = session.schedules();
        let schedule = session.get_whole(&api, SCHEDULES, &name).await?;
        let token = token(&schedule, clock.now());
        // The uid keeps it from another schedule that has the name by now.
        let change = json!({ "metadata": { "uid": schedule.metadata.uid }, "spec": { "trigger": token } });
        session.merge(&api, SCHEDULES, &name, &change).await?;
        let child = manual_name(&name, &token);
        let _ = writeln!(std::io::stdout().lock(), "{}/{child}", BACKUPS.resource);
        for note in notes(&schedule) {
            say(&note);
        }
        if wait {
            until_ended(&session, &name, &child, clock.now().plus(timeout), &clock).await?;
        }
        Ok(Printed::default())
    })
}

/// A text that was not in the schedule before, and says where it is from: `by-hand-20261130-192439`.
fn token(schedule: &RdsBackupSchedule, now: Timestamp) -> String {
    let first = now.strftime("by-hand-%Y%m%d-%H%M%S").to_string();
    // Twice in a second: a text that was seen before is never run again.
    if schedule.spec.trigger.as_deref().is_some_and(|old| old.starts_with(&first)) {
        return format!("{}-{:03}", first, now.subsec_millisecond());
    }
    first
}

fn notes(schedule: &RdsBackupSchedule) -> Vec<String> {
    let mut notes = Vec::new();
    let status = schedule.status.as_ref();
    let stalled = status.and_then(|status| {
        status.conditions.iter().find(|condition| condition.type_ == ScheduleCondition::Stalled.as_str() && condition.status == "True")
    });
    if let Some(stalled) = stalled {
        notes.push(format!("note: the schedule is Stalled, and makes no backup until that is mended: {}", stalled.message));
    }
    let handled = status.and_then(|status| status.last_handled_trigger.as_ref());
    if let Some(old) = schedule.spec.trigger.as_ref().filter(|old| handled != Some(old)) {
        notes.push(format!(
            "note: the trigger before, {old:?}, was not handled yet: it is replaced, and makes no backup. Is an operator running?"
        ));
    }
    if schedule.spec.suspend {
        notes.push("note: the schedule is suspended: this one backup is made, and no other".to_owned());
    }
    if let Some(active) = status.map(|status| &status.active).filter(|active| !active.is_empty()) {
        notes.push(format!("note: the new backup waits for those under way: {}", active.join(", ")));
    }
    notes.extend(writes_it_back(&schedule.metadata, "spec.trigger"));
    notes
}

async fn until_ended(session: &Session, schedule: &str, name: &str, ends: Timestamp, clock: &Clock) -> Result<(), Failure> {
    let api = session.backups();
    let asked_at = clock.now();
    let mut told: Option<Phase> = None;
    loop {
        match session.get_whole(&api, BACKUPS, name).await {
            Ok(backup) => {
                let phase = phase(&backup);
                if told != Some(phase) {
                    say(&stage(&backup, phase));
                    told = Some(phase);
                }
                match phase {
                    Phase::Succeeded => return Ok(()),
                    Phase::Failed => return Err(Failure::not_possible(failed(name, &backup))),
                    _ => {}
                }
            }
            Err(AskError::NotFound { .. }) if told.is_some() => {
                return Err(Failure::not_possible(format!("backup {name} was deleted while it was waited for")));
            }
            Err(AskError::NotFound { .. }) if clock.now() < asked_at.plus(LONGEST_UNMADE) => {}
            Err(AskError::NotFound { .. }) => {
                return Err(Failure::not_possible(format!(
                    "no operator has made backup {name} within {}: is one running, and does it watch this namespace? \
                     `kubectl events -n {} --for rdsbackupschedule/{schedule}` may say why",
                    Span::of(LONGEST_UNMADE),
                    session.namespace()
                )));
            }
            Err(error) => return Err(error.into()),
        }
        if clock.now() >= ends {
            return Err(Failure::not_possible(format!(
                "backup {name} has not ended in time: it goes on, and `logs {name}` tells its story"
            )));
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn phase(backup: &RdsBackup) -> Phase {
    backup.status.as_ref().map_or(Phase::Pending, |status| status.phase)
}

fn stage(backup: &RdsBackup, phase: Phase) -> String {
    let status = backup.status.as_ref();
    let job = status.and_then(|status| status.backup_job_id.as_ref()).map(|id| format!(" job={id}")).unwrap_or_default();
    let set = status.and_then(|status| status.backup_id.as_ref()).map(|id| format!(" set={id}")).unwrap_or_default();
    let reason = status.and_then(|status| status.queue.as_ref()).map(|queue| format!(" ({})", queue.reason)).unwrap_or_default();
    format!("{}{reason}{job}{set}", phase.as_str())
}

fn failed(name: &str, backup: &RdsBackup) -> String {
    let ready = backup.status.as_ref().and_then(|status| status.condition(crate::api::ConditionType::Ready));
    let (reason, message) = ready.map_or(("Failed", ""), |ready| (ready.reason.as_str(), ready.message.as_str()));
    format!("backup {name} failed ({reason}): {}", message.replace(char::is_control, " "))
}

/// A line on stderr, at once. A closed stderr takes nothing from the backup.
fn say(line: &str) {
    let line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

fn length(text: &str) -> Result<SignedDuration, String> {
    Span::new(text).get().map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_fresh_also_twice_in_a_second() {
        let at: Timestamp = "2026-11-30T19:24:39.217Z".parse().unwrap();
        let schedule = |trigger: Option<&str>| -> RdsBackupSchedule {
            let spec = json!({ "schedule": "@daily", "trigger": trigger, "template": { "spec": { "dbInstanceId": "rm-1" } } });
            serde_json::from_value(json!({ "metadata": { "name": "nightly" }, "spec": spec })).unwrap()
        };
        assert_eq!(token(&schedule(None), at), "by-hand-20261130-192439");
        assert_eq!(token(&schedule(Some("release-41")), at), "by-hand-20261130-192439");
        assert_eq!(token(&schedule(Some("by-hand-20261130-192439")), at), "by-hand-20261130-192439-217");
    }
}
