//! What was seen on the walks, counted.

use std::{collections::BTreeMap, fmt, time::Duration};

use rds_backup_operator::{
    api::{Phase, RdsBackupStatus, SubmissionOutcome},
    backup::decide::Decision,
    rds::CreateOutcome,
};

use crate::walks::{
    decisions::name,
    deletion::Deletions,
    judge::Worst,
    time::{HOUR, Ms, told},
};

#[derive(Clone, Debug, Default)]
pub struct Totals {
    pub walks: u64,
    pub decisions: u64,
    pub created: u64,
    pub crashes: u64,
    pub accepted: u64,
    pub refused: u64,
    pub rivals: u64,
    pub lost: u64,
    pub events: u64,
    pub virtual_time: Ms,
    pub worst: Worst,
    pub deletions: Deletions,
    effects: BTreeMap<&'static str, u64>,
    ends: BTreeMap<String, u64>,
    waits: BTreeMap<String, u64>,
    writes: u64,
}

impl Totals {
    pub fn decided(&mut self, decision: &Decision) {
        self.decisions += 1;
        *self.effects.entry(decision.effect.as_ref().map_or("none", name)).or_default() += 1;
    }

    pub fn heard(&mut self, answer: &CreateOutcome) {
        self.lost += u64::from(matches!(answer, CreateOutcome::Unknown(_)));
    }

    pub fn wrote(&mut self, before: &RdsBackupStatus, after: &RdsBackupStatus) {
        self.writes += 1;
        let withdrawn = after.submission.as_ref().is_some_and(|last| last.outcome == Some(SubmissionOutcome::Unsent));
        self.rivals += u64::from(withdrawn && before.open_submission().is_some());
        let reason = after.ready_reason().unwrap_or_default();
        if (before.phase, before.ready_reason()) == (after.phase, Some(reason)) {
            return;
        }
        if after.phase.is_terminal() {
            let adopted = after.origin == Some(rds_backup_operator::api::Origin::Adopted) && after.phase == Phase::Succeeded;
            let what = format!("{} {reason}{}", after.phase.as_str(), if adopted { ", adopted" } else { "" });
            *self.ends.entry(what).or_default() += 1;
        } else {
            *self.waits.entry(format!("{} {reason}", after.phase.as_str())).or_default() += 1;
        }
    }

    pub fn merge(&mut self, other: Self) {
        let Self {
            walks,
            decisions,
            created,
            crashes,
            accepted,
            refused,
            rivals,
            lost,
            events,
            virtual_time,
            worst,
            deletions,
            effects,
            ends,
            waits,
            writes,
        } = other;
        self.walks += walks;
        self.decisions += decisions;
        self.created += created;
        self.crashes += crashes;
        self.accepted += accepted;
        self.refused += refused;
        self.rivals += rivals;
        self.lost += lost;
        self.events += events;
        self.virtual_time += virtual_time;
        self.writes += writes;
        self.worst.merge(&worst);
        self.deletions.merge(&deletions);
        effects.into_iter().for_each(|(name, count)| *self.effects.entry(name).or_default() += count);
        ends.into_iter().for_each(|(name, count)| *self.ends.entry(name).or_default() += count);
        waits.into_iter().for_each(|(name, count)| *self.waits.entry(name).or_default() += count);
    }

    /// What every run should have led through; else it proves less than it says.
    pub fn missed(&self) -> Vec<&'static str> {
        const PLACES: [&str; 17] = [
            "Queued WaitingForTurn",
            "Queued InstanceBusy",
            "Queued InstanceNotRunning",
            "Queued QuotaExceeded",
            "Queued Throttled",
            "Queued CredentialsNotFound",
            "Queued SubmissionsPaused",
            "Queued RetryBackoff",
            "Queued ServiceUnavailable",
            "Queued NeverAccepted",
            "Resolving OutcomeUnknown",
            "Pending AccountNotFound",
            "Pending InvalidSpec",
            "Succeeded Succeeded",
            "Succeeded Succeeded, adopted",
            "Failed QueueTimeout",
            "Failed Timeout",
        ];
        let Deletions { asked: _, deleted, refused, let_go, expired } = self.deletions;
        let counted = [
            ("a set that is deleted", deleted),
            ("a deletion that is refused", refused),
            ("an object that is let go of", let_go),
            ("an object whose ttl is over", expired),
        ];
        let places = PLACES.into_iter().filter(|place| !self.ends.contains_key(*place) && !self.waits.contains_key(*place));
        places.chain(counted.into_iter().filter(|(_, count)| *count == 0).map(|(what, _)| what)).collect()
    }

    pub fn told(&self, took: Duration) -> String {
        format!("{self}\nreal time {:.1} s", took.as_secs_f32())
    }
}

impl Worst {
    pub fn merge(&mut self, other: &Self) {
        self.wait = self.wait.max(other.wait);
        self.overtaken = self.overtaken.max(other.overtaken);
        self.idle = self.idle.max(other.idle);
        self.passes = self.passes.max(other.passes);
        self.writes = self.writes.max(other.writes);
        self.steps = self.steps.max(other.steps);
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Worst { wait, overtaken, idle, passes, writes, steps } = &self.worst;
        writeln!(
            f,
            "random walks of `decide`: {} walks, {} decisions, {} h of virtual time, {} objects, {} crashes",
            self.walks,
            self.decisions,
            self.virtual_time / HOUR,
            self.created,
            self.crashes
        )?;
        writeln!(
            f,
            "requests accepted {}, refused {}, answers without proof {}, intents withdrawn {}, status writes {}, events {}",
            self.accepted, self.refused, self.lost, self.rivals, self.writes, self.events
        )?;
        let Deletions { asked, deleted, refused, let_go, expired } = &self.deletions;
        writeln!(
            f,
            "sets asked to be deleted {asked}, deleted {deleted}, refused {refused}; objects let go of {let_go}, deleted by their ttl {expired}"
        )?;
        for (what, counts) in [("ends", &self.ends), ("places on the way", &self.waits)] {
            writeln!(f, "{what}")?;
            for (name, count) in counts {
                writeln!(f, "  {name:32} {count:8}")?;
            }
        }
        writeln!(f, "effects")?;
        for (name, count) in &self.effects {
            writeln!(f, "  {name:32} {count:8}")?;
        }
        write!(
            f,
            "worst: {} from creation to acceptance, overtaken {overtaken} times, an instance free for {} while somebody was ready, \
             {passes} passes and {writes} writes of an object in an hour without faults, {steps} steps in a pass",
            told(*wait),
            told(*idle)
        )
    }
}
