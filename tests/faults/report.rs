//! Totals over all worlds: runs, faults, crash points.

use std::{collections::BTreeMap, fmt, time::Duration};

use jiff::Timestamp;

use crate::{
    faults::Point,
    life::Ended,
    step::Step,
    world::{AnyRequest, LogEntry, LogEvent, clock},
};

#[derive(Default)]
pub struct Totals {
    pub worlds: u64,
    pub lives: u64,
    pub virtual_time: Duration,
    pub requests: u64,
    pub accepted: u64,
    pub succeeded: u64,
    pub adopted: u64,
    pub failed: u64,
    injected: BTreeMap<&'static str, u64>,
    hits: BTreeMap<(Step, Point), u64>,
}

impl Totals {
    pub fn add(&mut self, begins: Timestamp, ended: &Ended) {
        self.worlds += 1;
        self.virtual_time += ended.at.duration_since(begins).unsigned_abs();
        ended.world.with(|state, _| {
            self.lives += u64::from(state.life);
            self.requests += state.log.iter().filter(|line| matches!(line.what, LogEvent::Sent(_))).count() as u64;
            self.accepted += state.cloud.jobs.iter().filter(|job| job.nonce.is_some()).count() as u64;
            for object in state.api.backups() {
                let status = &object["status"];
                self.succeeded += u64::from(status["phase"] == "Succeeded");
                self.failed += u64::from(status["phase"] == "Failed");
                self.adopted += u64::from(status["origin"] == "Adopted");
            }
            for (kind, count) in &state.fault_plan.injected {
                *self.injected.entry(kind).or_default() += count;
            }
            for (hit, count) in &state.fault_plan.hits {
                *self.hits.entry(*hit).or_default() += count;
            }
        });
    }

    pub fn merge(&mut self, other: Self) {
        let Self { worlds, lives, virtual_time, requests, accepted, succeeded, adopted, failed, injected, hits } = other;
        self.worlds += worlds;
        self.lives += lives;
        self.virtual_time += virtual_time;
        self.requests += requests;
        self.accepted += accepted;
        self.succeeded += succeeded;
        self.adopted += adopted;
        self.failed += failed;
        for (kind, count) in injected {
            *self.injected.entry(kind).or_default() += count;
        }
        for (hit, count) in hits {
            *self.hits.entry(hit).or_default() += count;
        }
    }

    /// Crash points that no world reached.
    pub fn missed(&self) -> Vec<String> {
        let all = Step::ALL.iter().flat_map(|step| Point::ALL.map(|point| (*step, point)));
        all.filter(|hit| !self.hits.contains_key(hit)).map(|(step, point)| format!("{} {point:?}", step.name())).collect()
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "worlds {}, processes {}, virtual time {} h, requests {}",
            self.worlds,
            self.lives,
            self.virtual_time.as_secs() / 3600,
            self.requests
        )?;
        writeln!(
            f,
            "accepted requests {}, objects: {} succeeded, {} failed, {} adopted",
            self.accepted, self.succeeded, self.failed, self.adopted
        )?;
        writeln!(f, "\nfaults injected")?;
        for (kind, count) in &self.injected {
            writeln!(f, "  {kind:26} {count:7}")?;
        }
        writeln!(f, "\ncrashes and SIGTERM           before  executed  answered   SIGTERM")?;
        for step in Step::ALL {
            let [before, executed, answered, stopped] = Point::ALL.map(|point| self.hits.get(&(step, point)).copied().unwrap_or(0));
            writeln!(f, "  {:26} {before:7} {executed:9} {answered:9} {stopped:9}", step.name())?;
        }
        Ok(())
    }
}

/// The whole log of a world, for people.
pub fn story(log: &[LogEntry], since: Timestamp) -> String {
    let line = |LogEntry { at, life, what }: &LogEntry| {
        let time = clock(*at, since);
        match what {
            LogEvent::Sent(asked) => format!("{time} [{life}]    {asked}"),
            LogEvent::Done(AnyRequest::Api(step, call), reply) => {
                format!("{time} [{life}] <- {} {}: {reply}", step.name(), call.name.as_deref().unwrap_or_default())
            }
            LogEvent::Done(AnyRequest::Cloud(step, _), reply) => format!("{time} [{life}] <- {}: {reply}", step.name()),
            LogEvent::Note(text) => format!("{time} [{life}] ** {text}"),
        }
    };
    let is_shown = |line: &&LogEntry| !matches!(&line.what, LogEvent::Sent(AnyRequest::Api(Step::Watch, _)));
    log.iter().filter(is_shown).map(line).collect::<Vec<_>>().join("\n")
}
