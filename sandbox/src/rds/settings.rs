//! What can be changed while the endpoint runs.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::fmt::serde::unsigned_duration::friendly::compact as span;
use serde::{Deserialize, Serialize};

/// How the endpoint behaves. [`Settings::default`] has the real service's figures, [`Settings::sandbox`] small ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Settings {
    /// A request whose `x-acs-date` or `Timestamp` is further than this from the service's clock, either way, is refused.
    #[serde(with = "span::required")]
    pub expiry: Duration,
    /// How long a nonce is remembered. Zero switches replay protection off, to see what a client does without it.
    #[serde(with = "span::required")]
    pub nonce_retention: Duration,
    /// The service's clock is so many milliseconds ahead of the machine's.
    pub clock_offset_ms: i64,
    /// A set is listed so long after its job's end.
    #[serde(with = "span::required")]
    pub lag: Duration,
    /// How long a job runs, unless the instance says otherwise.
    #[serde(with = "span::required")]
    pub job_time: Duration,
    /// Up to so much is added to a job's time, at random.
    #[serde(with = "span::required")]
    pub job_spread: Duration,
    /// For so long after its end a job can still be asked for by its id. Forever if absent.
    #[serde(with = "span::optional")]
    pub task_retention: Option<Duration>,
    /// How long an answer takes: half of it before the request is executed, half after.
    #[serde(with = "span::required")]
    pub latency: Duration,
    /// Backups accepted per instance and day, counted by the service's clock in UTC.
    pub daily_limit: u32,
    /// Rate limits by action. An action that is not listed has none.
    pub throttle: BTreeMap<String, Rate>,
    /// Habits of the real service's answers.
    pub quirks: Quirks,
}

/// So many calls in any window of that length, over all access keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rate {
    /// Calls in a window.
    pub calls: u32,
    /// The window.
    #[serde(with = "span::required")]
    pub window: Duration,
}

/// Habits of the real service's answers that a client has to live with, each with its switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Quirks {
    /// `BackupJobId`, `BackupId` and `HostInstanceID` are JSON numbers, as seen in real answers; the documentation says text.
    pub numeric_ids: bool,
    /// Numbers (`BackupSize`, `ConsistentTime`, `IsAvail`) are text.
    pub numbers_as_text: bool,
    /// `PageNumber`, `PageRecordCount` and `TotalRecordCount` are numbers, as in older samples; the documentation says text.
    pub numeric_counters: bool,
    /// What stands where there is nothing to say.
    pub nothing: Nothing,
    /// `Process` is 125 when a job has finished.
    pub process125: bool,
    /// A list of one is written as the one object.
    pub single_object: bool,
    /// Answers have fields that no documentation names.
    pub extra_fields: bool,
    /// `Encryption` is an object, and not text that holds one.
    pub encryption_object: bool,
    /// Throttling is answered with HTTP 400, as the real service does; 429 otherwise.
    pub throttling400: bool,
    /// Every answer is in XML, whatever was asked for, as old gateways do.
    pub xml_answers: bool,
    /// An instance is found whatever `RegionId` a request names, as central hosts do (aliyun/alibaba-cloud-sdk-go#518). Otherwise a region
    /// that is not the instance's own is refused.
    pub central_host: bool,
    /// A set that can be downloaded has two signed addresses for each of so many databases more in `BackupDownloadLinkByDB`.
    pub linked_databases: u32,
    /// `Date` is so many milliseconds ahead of the service's clock; behind, if negative. The clock that judges requests is right.
    pub date_offset_ms: i64,
    /// The HTTP status of errors, by their code, where it is another than the documented one.
    pub statuses: BTreeMap<String, u16>,
    /// A set is listed with `BackupStatus: Running` from the beginning of its job until so long after the job's end. Sets are not listed
    /// before the lag has passed if this is absent.
    #[serde(with = "span::optional")]
    pub running_sets: Option<Duration>,
    /// Jobs that have ended name no `BackupId`.
    pub no_backup_id: bool,
    /// Jobs have no `TaskAction`.
    pub no_task_action: bool,
    /// `MetaStatus` of every set: `OK`, `LARGE` or `EMPTY`. Only logical sets have one if this is absent.
    pub meta_status: Option<String>,
    /// The window of DescribeBackups is compared with the ends of backups, and not with their starts: the documentation does not say.
    pub window_on_end: bool,
    /// A DescribeBackups for one set that is not listed is answered with `InvalidBackupSetID.NotFound`, and not with an empty list.
    pub unlisted_set_is_an_error: bool,
    /// DescribeDBInstances lists the last instance first: no order is documented.
    pub instances_backwards: bool,
}

/// What stands where there is nothing to say, such as the download address of a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Nothing {
    /// Empty text.
    #[default]
    Empty,
    /// JSON null.
    Null,
    /// The word "null" as text, seen with SQL Server.
    NullText,
    /// The field is left out.
    Absent,
}

impl Default for Quirks {
    /// What the real service does, where that is known, and what its documentation says elsewhere.
    fn default() -> Self {
        Self {
            numeric_ids: false,
            numbers_as_text: false,
            numeric_counters: false,
            nothing: Nothing::Empty,
            process125: true,
            single_object: false,
            extra_fields: false,
            encryption_object: false,
            throttling400: true,
            xml_answers: false,
            central_host: false,
            linked_databases: 0,
            date_offset_ms: 0,
            statuses: BTreeMap::new(),
            running_sets: None,
            no_backup_id: false,
            no_task_action: false,
            meta_status: None,
            window_on_end: false,
            unlisted_set_is_an_error: false,
            instances_backwards: false,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            expiry: Duration::from_secs(15 * 60),
            // The longest retention that is documented; it has to outlast the expiry on both sides of the clock, or a replay gets through.
            nonce_retention: Duration::from_secs(31 * 60),
            clock_offset_ms: 0,
            lag: Duration::from_secs(60),
            job_time: Duration::from_secs(5 * 60),
            job_spread: Duration::from_secs(60),
            task_retention: None,
            latency: Duration::from_millis(60),
            daily_limit: 20,
            throttle: BTreeMap::new(),
            quirks: Quirks::default(),
        }
    }
}

impl Settings {
    /// Figures for tests and demonstrations: everything that takes minutes in the cloud takes seconds.
    pub fn sandbox() -> Self {
        Self {
            expiry: Duration::from_secs(5),
            lag: Duration::from_secs(3),
            job_time: Duration::from_secs(6),
            job_spread: Duration::ZERO,
            latency: Duration::from_millis(10),
            quirks: Quirks { numeric_ids: true, process125: true, ..Quirks::default() },
            ..Self::default()
        }
    }

    /// These settings with `patch` (a JSON merge patch, RFC 7396) applied.
    pub fn patched(&self, patch: &serde_json::Value) -> Result<Self, serde_json::Error> {
        let mut value = serde_json::to_value(self)?;
        json_patch::merge(&mut value, patch);
        serde_json::from_value(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_patch_changes_what_it_names_and_nothing_else() {
        let settings = Settings::sandbox();
        let patched = settings.patched(&json!({ "lag": "1m 30s", "quirks": { "nothing": "nullText" } })).unwrap();
        let quirks = Quirks { nothing: Nothing::NullText, ..settings.quirks.clone() };
        assert_eq!(patched, Settings { lag: Duration::from_secs(90), quirks, ..settings });
    }

    #[test]
    fn a_misspelt_setting_is_refused() {
        assert!(Settings::default().patched(&json!({ "lagg": "1s" })).is_err());
        assert!(Settings::default().patched(&json!({ "quirks": { "process": true } })).is_err());
    }

    #[test]
    fn settings_survive_the_way_through_json() {
        let mut settings = Settings { task_retention: Some(Duration::from_millis(1500)), ..Settings::sandbox() };
        settings.throttle.insert("CreateBackup".into(), Rate { calls: 2, window: Duration::from_secs(1) });
        let text = serde_json::to_string(&settings).unwrap();
        assert_eq!(serde_json::from_str::<Settings>(&text).unwrap(), settings, "{text}");
    }
}
