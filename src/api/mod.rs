//! The CRD types of `rdsbackup.io/v1alpha1`, and nothing else: their doc comments are the users' reference, printed by `kubectl explain`.

mod backup;
mod blackout;
mod check;
mod closed;
mod condition;
mod crd;
mod hold;
mod pause;
mod reason;
mod reason_docs;
mod schedule;
mod schedule_status;
mod size;
mod span;
mod status;
mod tracked;

pub use backup::{BackupMethod, BackupStrategy, BackupType, DeletionPolicy, RdsBackup, RdsBackupSpec, RetrySpec};
pub use blackout::{Blackout, BlackoutDates, NativeWindow, NotDuring, Weekday};
pub use condition::{condition, repeated_condition, set_condition};
pub use crd::crds_yaml;
pub use hold::HOLD_ANNOTATION;
pub use pause::{NAMESPACE_SUBMISSIONS_ANNOTATION, PAUSED_ANNOTATION};
pub use reason::{Reason, ReasonGroup};
pub use schedule::{BackupTemplate, FreshnessSpec, RdsBackupSchedule, RdsBackupScheduleSpec, RetentionSpec, TemplateMetadata};
pub use schedule_status::{BackupReference, FinishedBackup, NextRun, RdsBackupScheduleStatus, ScheduleCondition, SlotCount};
pub use size::human_size;
pub use span::{Span, SpanError};
pub use status::{
    Attempt, AttemptOutcome, Baseline, ConditionType, Effective, ExpirySource, LastError, Origin, Phase, Queue, RdsBackupStatus,
    Submission, SubmissionOutcome,
};

pub use reason_docs::EventRule;
pub use tracked::{ARGOCD_HOOK_ANNOTATION, ARGOCD_TRACKING_ANNOTATION, FLUX_LABELS};

pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// The API group of all our kinds.
pub const GROUP: &str = "rdsbackup.io";

/// The label that names the schedule of an RdsBackup.
pub const SCHEDULE_NAME_LABEL: &str = "rdsbackup.io/schedule-name";

/// The label with the uid of that schedule: a schedule that is deleted and created again has another one.
pub const SCHEDULE_UID_LABEL: &str = "rdsbackup.io/schedule-uid";

/// The annotation with the slot of an RdsBackup, without the jitter.
pub const SLOT_ANNOTATION: &str = "rdsbackup.io/slot";

/// The annotation with the time at which the schedule of an RdsBackup starts the next one: a retry does not wait past it.
pub const NEXT_START_ANNOTATION: &str = "rdsbackup.io/next-start";

/// The annotation with the time at which a blackout of the schedule of an RdsBackup begins, if that is before the next start: a retry does
/// not wait past it.
pub const BLACKOUT_ANNOTATION: &str = "rdsbackup.io/blackout-begins";

/// The finalizer of an RdsBackup whose backup set is deleted with it.
pub const FINALIZER: &str = "rdsbackup.io/backup-set";

/// The operator's name as field manager and as reporter of events. If it changed, the old manager would keep its status fields.
pub const FIELD_MANAGER: &str = "rds-backup-operator";
