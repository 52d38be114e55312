//! Every metric there is, with what the reference says of it. Nothing is exported that is not here.

use super::description::{Description, Group, Kind};

macro_rules! catalogue {
    ($($group:ident { $($(#[doc = $help:literal])+ $id:ident: $kind:ident $name:literal [$($label:ident),*];)+ })+) => {
        $($(
            $(#[doc = $help])+
            pub(super) const $id: Description = Description {
                name: $name,
                kind: Kind::$kind,
                labels: &[$(stringify!($label)),*],
                group: Group::$group,
                help: concat!($($help),+).trim_ascii(),
            };
        )+)+

        /// All of them, in the order of the reference.
        pub const ALL: &[Description] = &[$($($id),+),+];
    };
}

catalogue! {
    Schedules {
        /// 1, with what the schedule asks for. Join it by namespace and schedule.
        SCHEDULE_INFO: Gauge "rdsbackup_schedule_info" [namespace, schedule, account, region, db_instance_id, cron, time_zone];
        /// Since when the schedule should have backups: its creation, or the last change of its account.
        SCHEDULE_CREATED: Gauge "rdsbackup_schedule_created_timestamp_seconds" [namespace, schedule];
        /// 1 while the schedule pauses, else 0.
        SCHEDULE_SUSPENDED: Gauge "rdsbackup_schedule_suspended" [namespace, schedule];
        /// 1 while the operator can run the schedule, else 0: it is invalid, or its RdsBackup cannot be created; the condition Ready.
        SCHEDULE_READY: Gauge "rdsbackup_schedule_ready" [namespace, schedule];
        /// When the newest backup ended that succeeded. The condition Fresh counts from it.
        SCHEDULE_LAST_SUCCESS: Gauge "rdsbackup_schedule_last_success_timestamp_seconds" [namespace, schedule];
        /// When that backup began: how old its data is. Absent if its RdsBackup is gone.
        SCHEDULE_LAST_SUCCESS_START: Gauge "rdsbackup_schedule_last_success_start_timestamp_seconds" [namespace, schedule];
        /// When the newest backup ended that failed.
        SCHEDULE_LAST_FAILURE: Gauge "rdsbackup_schedule_last_failure_timestamp_seconds" [namespace, schedule];
        /// How many backups have failed since the newest that succeeded.
        SCHEDULE_CONSECUTIVE_FAILURES: Gauge "rdsbackup_schedule_consecutive_failures" [namespace, schedule];
        /// How old the newest success may become: freshness.maxAge, or the default that follows from the schedule. Absent while the
        /// schedule is invalid and has no freshness.maxAge.
        SCHEDULE_MAX_AGE: Gauge "rdsbackup_schedule_max_age_seconds" [namespace, schedule];
        /// The longest time between two slots of the coming year. Absent while the schedule is invalid.
        SCHEDULE_INTERVAL: Gauge "rdsbackup_schedule_interval_seconds" [namespace, schedule];
        /// When the next backup starts, jitter and blackouts included. It lies in the past while a backup that is due cannot be created.
        /// Absent while the schedule pauses or is invalid.
        SCHEDULE_NEXT_RUN: Gauge "rdsbackup_schedule_next_run_timestamp_seconds" [namespace, schedule];
        /// How many backups of the schedule wait or run, at most 10.
        SCHEDULE_ACTIVE: Gauge "rdsbackup_schedule_active" [namespace, schedule];
        /// Slots that were not run because the operator was down, or too late for startingDeadline.
        SCHEDULE_MISSED_RUNS: Counter "rdsbackup_schedule_missed_runs_total" [namespace, schedule];
        /// Slots that were not run for another reason. SkippedOverlap: an earlier backup of the schedule still waited or ran.
        /// SkippedBlackout: they lie in the blackouts of the schedule; only for a schedule that has, or had, some.
        SCHEDULE_SKIPPED_RUNS: Counter "rdsbackup_schedule_skipped_runs_total" [namespace, schedule, reason];
        /// The size of the backup set of the newest success, as the service reports it. Absent if its RdsBackup is gone.
        SCHEDULE_LAST_SIZE: Gauge "rdsbackup_schedule_last_backup_size_bytes" [namespace, schedule];
        /// From the start of the newest success to its end. Absent if its RdsBackup is gone.
        SCHEDULE_LAST_DURATION: Gauge "rdsbackup_schedule_last_backup_duration_seconds" [namespace, schedule];
        /// 0 while the set of the newest success is less than half as large as those before it, else 1. Absent before the first success.
        SCHEDULE_PLAUSIBLE: Gauge "rdsbackup_schedule_last_backup_plausible" [namespace, schedule];
        /// How many usable backups retention keeps, those that are held apart. Absent without retention.
        SCHEDULE_RETAINED: Gauge "rdsbackup_schedule_retained_backups" [namespace, schedule];
        /// 1 while a backup that retention would remove cannot be, or its rules cannot be applied, else 0. Absent without retention.
        SCHEDULE_RETENTION_BLOCKED: Gauge "rdsbackup_schedule_retention_blocked" [namespace, schedule];
        /// From the planned start (slot and jitter) to the creation of the RdsBackup, over all schedules.
        SCHEDULE_START_DELAY: Histogram "rdsbackup_schedule_start_delay_seconds" [];
    }
    Backups {
        /// RdsBackups by phase. A namespace without any has no series.
        BACKUPS: Gauge "rdsbackup_backups" [namespace, phase];
        /// Unfinished RdsBackups that a person must act on, by the reason of their condition Ready. Absent while there are none.
        BACKUPS_STALLED: Gauge "rdsbackup_backups_stalled" [namespace, reason];
        /// RdsBackups in phase Queued, by what they wait for. Absent while there are none.
        BACKUPS_QUEUED: Gauge "rdsbackup_backups_queued" [account, reason];
        /// Since when an RdsBackup is in that phase: the one that has been in it for longest. Finalizing counts from the start of the job;
        /// where the status says nothing, the creation counts. Absent while there is none.
        OLDEST_UNFINISHED: Gauge "rdsbackup_oldest_unfinished_backup_timestamp_seconds" [account, phase];
        /// RdsBackups whose request was, or may have been, sent, and whose outcome is not recorded yet.
        OUTCOME_UNKNOWN: Gauge "rdsbackup_backups_outcome_unknown" [account];
        /// RdsBackups for which more than one backup may have been made; the condition DuplicateBackup.
        DUPLICATE: Gauge "rdsbackup_backups_duplicate" [namespace];
        /// RdsBackups that are being deleted and wait for the deletion of their sets, by the reason of their condition DeletionSupported:
        /// DeletionBlocked, or NotOldEnough. Absent while there are none.
        DELETIONS_BLOCKED: Gauge "rdsbackup_backup_deletions_blocked" [account, reason];
        /// DeleteBackup calls by their result: deleted, gone (there was no such set any more), refused by the service, or failed.
        DELETIONS: Counter "rdsbackup_backup_deletions_total" [account, result];
        /// RdsBackups whose backup set is gone before its time, or cannot be restored; the condition Available.
        UNAVAILABLE: Gauge "rdsbackup_backups_unavailable" [namespace];
        /// From the start of a backup to its end, of those that succeeded while this process led.
        BACKUP_DURATION: Histogram "rdsbackup_backup_duration_seconds" [engine, method];
        /// From the moment at which a backup began to wait to the service's acceptance, while this process led. A backup whose answer was
        /// lost is not counted.
        QUEUE_WAIT: Histogram "rdsbackup_backup_queue_wait_seconds" [account];
        /// Objects that do not deserialise and are not worked on.
        UNREADABLE: Gauge "rdsbackup_objects_unreadable" [kind];
    }
    Accounts {
        /// Calls to the service by their outcome: OK, an error code of errors.md, timeout, refused or reset where no answer came, or other.
        CLOUD_REQUESTS: Counter "rdsbackup_cloud_requests_total" [account, region, action, code];
        /// How long calls took, whatever became of them, without the wait for the limits.
        CLOUD_DURATION: Histogram "rdsbackup_cloud_request_duration_seconds" [action];
        /// How long calls have waited for the limits of the account, and for pauses that the service asked for.
        CLOUD_LIMIT_WAIT: Counter "rdsbackup_cloud_rate_limit_wait_seconds_total" [account, region];
        /// How far the clock of the service is ahead of ours, by its answers; 0 while they differ by less than 2 s. Absent before the first
        /// answer.
        CLOUD_CLOCK_OFFSET: Gauge "rdsbackup_cloud_clock_offset_seconds" [account, region];
        /// 1 if the access key can be read and the service did not refuse it at its last use, else 0. With credentials of type TenantSecret
        /// each namespace whose RdsBackups use the account has a key and a series of its own; with any other the label namespace is absent.
        CREDENTIALS_USABLE: Gauge "rdsbackup_credentials_usable" [account, namespace];
        /// When the access key of the account ends, or ended if there has been none since. Absent for one that does not end.
        CREDENTIALS_EXPIRY: Gauge "rdsbackup_credentials_expiry_timestamp_seconds" [account, namespace];
        /// Exchanges for a temporary key by their result: OK, or the reason why there was no key. Accounts with the same source share a key,
        /// and each shows its exchanges.
        CREDENTIALS_REFRESHES: Counter "rdsbackup_credentials_refreshes_total" [account, source, result];
        /// 1 while the configuration pauses submissions for the account or for all, else 0.
        SUBMISSIONS_PAUSED: Gauge "rdsbackup_submissions_paused" [account];
        /// Instances of the account that the service makes backups of and that no RdsBackupSchedule names. Only of accounts with coverage in
        /// the configuration; absent while the listing is not known, or older than three of its intervals.
        UNCOVERED_INSTANCES: Gauge "rdsbackup_uncovered_instances" [account];
    }
    Operator {
        /// 1 on the replica that leads, 0 on a standby.
        LEADER: Gauge "rdsbackup_operator_leader" [];
        /// 1, with the version of the operator.
        BUILD_INFO: Gauge "rdsbackup_operator_build_info" [version];
        /// 1 if the configuration file is valid and in force, 0 while it is not valid and the configuration before it stays in force.
        CONFIG_RELOAD_SUCCESSFUL: Gauge "rdsbackup_operator_config_last_reload_successful" [];
        /// When the configuration that is in force was read.
        CONFIG_RELOAD_SUCCESS: Gauge "rdsbackup_operator_config_last_reload_success_timestamp_seconds" [];
        /// How long passes over an object took, the waits for the service included.
        RECONCILE_DURATION: Histogram "rdsbackup_operator_reconcile_duration_seconds" [controller];
        /// Passes over an object that could not be finished and are made again.
        RECONCILE_ERRORS: Counter "rdsbackup_operator_reconcile_errors_total" [controller, reason];
        /// Requests to the API server by their outcome: the HTTP status, or timeout, refused, reset or other where no answer came.
        KUBE_REQUESTS: Counter "rdsbackup_operator_kube_requests_total" [verb, resource, code];
        /// CreateBackup requests whose answer was lost or proved nothing.
        UNKNOWN_OUTCOMES: Counter "rdsbackup_operator_unknown_outcomes_total" [account];
        /// Backups that were found after such an answer and adopted.
        ADOPTIONS: Counter "rdsbackup_operator_adoptions_total" [account];
    }
    Process {
        /// Memory that is not swapped out.
        RESIDENT_MEMORY: Gauge "process_resident_memory_bytes" [];
        /// Processor time, in user and system mode.
        CPU: Counter "process_cpu_seconds_total" [];
        /// When the process started.
        START_TIME: Gauge "process_start_time_seconds" [];
        /// Open file descriptors.
        OPEN_FDS: Gauge "process_open_fds" [];
        /// The largest number of open file descriptors.
        MAX_FDS: Gauge "process_max_fds" [];
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_follow_the_rules() {
        let mut names = BTreeSet::new();
        for Description { name, kind, labels, help, .. } in ALL {
            assert!(names.insert(name), "{name} twice");
            assert!(name.starts_with("rdsbackup_") || name.starts_with("process_"), "{name}");
            assert_eq!(name.ends_with("_total"), *kind == Kind::Counter, "{name}");
            // A scraper sets these labels itself.
            assert!(!labels.iter().any(|label| ["instance", "job", "pod"].contains(label)), "{name}");
            assert_eq!(labels.contains(&"db_instance_id"), *name == "rdsbackup_schedule_info", "{name}");
            // Both formats escape some characters, each its own: there are none of them.
            assert!(help.ends_with('.') && !help.contains(['"', '\\', '\n', '`', '|']) && !help.contains("  "), "{help:?}");
        }
    }

    #[test]
    fn the_library_gets_names_without_what_it_appends() {
        for (description, stem, unit) in [
            (SCHEDULE_INFO, "rdsbackup_schedule_info", None),
            (SCHEDULE_CREATED, "rdsbackup_schedule_created_timestamp", Some("seconds")),
            (SCHEDULE_LAST_SIZE, "rdsbackup_schedule_last_backup_size", Some("bytes")),
            (SCHEDULE_MISSED_RUNS, "rdsbackup_schedule_missed_runs", None),
            (CLOUD_LIMIT_WAIT, "rdsbackup_cloud_rate_limit_wait", Some("seconds")),
        ] {
            assert_eq!((description.stem(), description.unit()), (stem, unit), "{}", description.name);
        }
    }
}
