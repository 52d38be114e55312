//! What happens to backups in this process, for the metrics.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;
use prometheus_client::metrics::{counter::Counter, family::Family, histogram::Histogram};

use crate::{
    api::{Origin, Phase, RdsBackup, RdsBackupStatus},
    controller::PassCounts,
    rds::{CallError, SetDeletion},
};

/// The upper bounds of the buckets, in seconds: a minute to a day.
const DURATIONS: [f64; 10] = [60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 14_400.0, 28_800.0, 57_600.0, 86_400.0];

/// The upper bounds of the buckets, in seconds: a second to two hours, the default of `queueTimeout`.
const WAITS: [f64; 7] = [1.0, 10.0, 60.0, 300.0, 900.0, 3600.0, 7200.0];

/// The engines and methods that a label may name.
const ENGINES: [&str; 4] = ["MySQL", "PostgreSQL", "SQLServer", "MariaDB"];
const METHODS: [&str; 3] = ["Physical", "Logical", "Snapshot"];

/// Anything else.
const OTHER: &str = "other";

/// By account.
type AccountLabels = [(&'static str, String); 1];

/// By account and by what came of it.
type DeletionLabels = [(&'static str, String); 2];

/// What a DeleteBackup can come to.
const DELETION_RESULTS: [&str; 4] = ["deleted", "gone", "refused", "failed"];

/// By engine and method.
type KindLabels = [(&'static str, &'static str); 2];

/// What cannot be computed from the objects: counted since the process started. The series of an account go with it.
#[derive(Clone, Debug)]
pub struct Counts {
    /// The passes over RdsBackups.
    pub passes: PassCounts,
    /// How long backups took that succeeded.
    pub durations: Family<KindLabels, Histogram, fn() -> Histogram>,
    /// How long backups waited until the service accepted them.
    pub queue_waits: Family<AccountLabels, Histogram, fn() -> Histogram>,
    /// Answers to CreateBackup that were lost, or proved nothing.
    pub unknown_outcomes: Family<AccountLabels, Counter>,
    /// Backups that were found after that and adopted.
    pub adoptions: Family<AccountLabels, Counter>,
    /// What became of the deletions of backup sets.
    pub deletions: Family<DeletionLabels, Counter>,
    /// The accounts of the configuration.
    accounts: Arc<Mutex<BTreeSet<String>>>,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            passes: PassCounts::default(),
            durations: Family::new_with_constructor(|| Histogram::new(DURATIONS)),
            queue_waits: Family::new_with_constructor(|| Histogram::new(WAITS)),
            unknown_outcomes: Family::default(),
            adoptions: Family::default(),
            deletions: Family::default(),
            accounts: Arc::default(),
        }
    }
}

impl Counts {
    /// The counts of these accounts.
    pub fn of_accounts(names: impl IntoIterator<Item = String>) -> Self {
        let counts = Self::default();
        counts.accounts_are(names);
        counts
    }

    /// From here on these are the accounts. What counts from its first event on seems not to grow at that event: `increase()` would miss it.
    pub fn accounts_are(&self, names: impl IntoIterator<Item = String>) {
        let mut accounts = self.locked();
        let before = std::mem::replace(&mut *accounts, names.into_iter().collect());
        for name in accounts.iter() {
            let labels = [("account", name.clone())];
            self.unknown_outcomes.get_or_create(&labels).inc_by(0);
            self.adoptions.get_or_create(&labels).inc_by(0);
            for result in DELETION_RESULTS {
                self.deletions.get_or_create(&deletion_labels(name, result)).inc_by(0);
            }
        }
        for name in before.difference(&accounts) {
            let labels = [("account", name.clone())];
            self.queue_waits.remove(&labels);
            self.unknown_outcomes.remove(&labels);
            self.adoptions.remove(&labels);
            for result in DELETION_RESULTS {
                self.deletions.remove(&deletion_labels(name, result));
            }
        }
    }

    /// Counts for the account of the object, unless it is gone: an answer may come after that.
    fn count(&self, object: &RdsBackup, count: impl FnOnce(&AccountLabels)) {
        let accounts = self.locked();
        if accounts.contains(&object.spec.account) {
            count(&[("account", object.spec.account.clone())]);
        }
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The service accepted the request of the object: at this time, by the service's clock.
    pub fn accepted(&self, object: &RdsBackup, at: Timestamp) {
        let Some(submission) = object.status.as_ref().and_then(|status| status.submission.as_ref()) else { return };
        let waited = at.duration_since(submission.waiting_since.0).as_secs_f64().max(0.0);
        self.count(object, |account| self.queue_waits.get_or_create(account).observe(waited));
    }

    /// The answer to the request of the object was lost, or proves nothing.
    pub fn outcome_unknown(&self, object: &RdsBackup) {
        self.count(object, |account| _ = self.unknown_outcomes.get_or_create(account).inc());
    }

    /// A backup was found and adopted for the object.
    pub fn adopted(&self, object: &RdsBackup) {
        self.count(object, |account| _ = self.adoptions.get_or_create(account).inc());
    }

    /// The service was asked to delete the set of the object.
    pub fn deletion(&self, object: &RdsBackup, result: &Result<SetDeletion, CallError>) {
        let result = match result {
            Ok(SetDeletion::Deleted) => "deleted",
            Ok(SetDeletion::WasGone) => "gone",
            Err(CallError::Api(_)) => "refused",
            Err(_) => "failed",
        };
        self.count(object, |_| _ = self.deletions.get_or_create(&deletion_labels(&object.spec.account, result)).inc());
    }

    /// The object has this status now, and had another phase or reason before.
    pub fn moved_to(&self, status: &RdsBackupStatus) {
        // A set that was there already took no time.
        if matches!(status.origin, Some(Origin::Existing | Origin::Reused)) {
            return;
        }
        let (Phase::Succeeded, Some(started), Some(completed)) = (status.phase, &status.started_at, &status.completed_at) else { return };
        let effective = |of: fn(&crate::api::Effective) -> &Option<String>| status.effective.as_ref().and_then(|all| of(all).as_deref());
        let engine = known(&ENGINES, effective(|all| &all.engine));
        let method = known(&METHODS, effective(|all| &all.method));
        let took = completed.0.duration_since(started.0).as_secs_f64().max(0.0);
        self.durations.get_or_create(&[("engine", engine), ("method", method)]).observe(took);
    }
}

fn deletion_labels(account: &str, result: &str) -> DeletionLabels {
    [("account", account.to_owned()), ("result", result.to_owned())]
}

/// The service's own text is no label.
fn known(all: &[&'static str], text: Option<&str>) -> &'static str {
    let is = |known: &&str| text.is_some_and(|text| text.eq_ignore_ascii_case(known));
    all.iter().copied().find(is).unwrap_or(OTHER)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ended(phase: &str, engine: &str, method: &str) -> RdsBackupStatus {
        serde_json::from_value(json!({
            "phase": phase, "startedAt": "2026-03-01T02:00:00Z", "completedAt": "2026-03-01T02:10:00Z",
            "effective": { "engine": engine, "method": method },
        }))
        .unwrap()
    }

    /// The number of observations and their sum, from what is exported.
    fn observed(counts: &Counts, series: &str) -> Vec<String> {
        let mut registry = prometheus_client::registry::Registry::default();
        registry.register("d", "d", counts.durations.clone());
        registry.register("w", "w", counts.queue_waits.clone());
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        let mut found: Vec<String> = text.lines().filter(|line| line.starts_with(series)).map(str::to_owned).collect();
        found.sort();
        found
    }

    #[test]
    fn only_a_success_has_a_duration_and_no_text_of_the_service_is_a_label() {
        let counts = Counts::default();
        counts.moved_to(&ended("Succeeded", "MySQL", "Physical"));
        counts.moved_to(&ended("Succeeded", "mysql", "Physical"));
        counts.moved_to(&ended("Failed", "MySQL", "Physical"));
        for number in 0..50 {
            counts.moved_to(&ended("Succeeded", &format!("Engine{number}"), "Odd"));
        }
        let expected = [r#"d_count{engine="MySQL",method="Physical"} 2"#, r#"d_count{engine="other",method="other"} 50"#];
        assert_eq!(observed(&counts, "d_count"), expected);
        assert_eq!(observed(&counts, r#"d_sum{engine="MySQL""#), [r#"d_sum{engine="MySQL",method="Physical"} 1200.0"#]);
    }

    #[test]
    fn a_backup_waits_from_the_first_attempt_of_its_run_until_it_is_accepted() {
        let (counts, time) = (Counts::of_accounts(["prod".to_owned()]), "2026-03-01T02:00:00Z");
        let object: RdsBackup = serde_json::from_value(json!({
            "metadata": { "name": "b", "namespace": "team-a" }, "spec": { "dbInstanceId": "rm-1", "account": "prod" },
            "status": { "phase": "Submitting", "submission": {
                "run": 1, "attempt": 2, "nonce": "n", "timestamp": "2026-03-01T02:00:40Z", "baseline": { "at": time },
                "unresolvedSince": time, "waitingSince": time,
            } },
        }))
        .unwrap();
        counts.accepted(&object, "2026-03-01T02:00:41Z".parse().unwrap());
        assert_eq!(observed(&counts, "w_sum"), [r#"w_sum{account="prod"} 41.0"#]);

        counts.accounts_are(["other".to_owned()]);
        counts.accepted(&object, "2026-03-01T02:00:41Z".parse().unwrap());
        counts.outcome_unknown(&object);
        let series = |counter: &Family<AccountLabels, Counter>, name: &str| counter.get(&[("account", name.to_owned())]).is_some();
        assert_eq!(observed(&counts, "w_sum"), [""; 0], "its account is gone, although its answer came later");
        assert!(series(&counts.unknown_outcomes, "other") && !series(&counts.unknown_outcomes, "prod"));
    }
}
