//! Where a reason is used: in which conditions, and in which events. Both are closed lists that the generated reference prints.

use super::Reason;

/// A kind of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventRule {
    /// The kind of the object: `RdsBackup` or `RdsBackupSchedule`.
    pub about: &'static str,
    /// Whether its type is Warning.
    pub warning: bool,
    /// When it is emitted.
    pub when: &'static str,
}

impl EventRule {
    const fn backup(warning: bool, when: &'static str) -> Self {
        Self { about: "RdsBackup", warning, when }
    }

    const fn schedule(when: &'static str) -> Self {
        Self { about: "RdsBackupSchedule", warning: true, when }
    }
}

const WAITS: EventRule = EventRule::backup(false, "The object begins to wait for this reason.");
const NEEDS: EventRule = EventRule::backup(true, "The object begins to wait for a person to act.");
const ENDS: EventRule = EventRule::backup(true, "The object has failed, for good.");

impl Reason {
    /// The types of the conditions that can have this reason. `LastBackupSucceeded` can have any reason with which a backup ends, and is
    /// not in these lists.
    pub fn conditions(self) -> &'static [&'static str] {
        match self {
            Self::WaitingForTurn
            | Self::InstanceBusy
            | Self::InstanceNotRunning
            | Self::DatabaseNotReady
            | Self::QuotaExceeded
            | Self::Throttled
            | Self::SubmissionsPaused
            | Self::RetryBackoff
            | Self::ServiceUnavailable
            | Self::ClockSkew
            | Self::NeverAccepted
            | Self::Submitting
            | Self::Running
            | Self::Finalizing
            | Self::ChildNotCreated => &["Ready", "Reconciling"],
            Self::CredentialsNotFound | Self::OutcomeUnknown | Self::InvalidCredentials | Self::ClaimsUnreadable => {
                &["Ready", "Reconciling", "Stalled"]
            }
            Self::InvalidSpec
            | Self::AccountNotFound
            | Self::NotAllowed
            | Self::RegionNotAllowed
            | Self::AccessDenied
            | Self::CredentialsExpired
            | Self::AccountProblem
            | Self::DeniedByService
            | Self::EncryptionKeyUnusable
            | Self::RegionUnavailable
            | Self::WrongEndpoint
            | Self::InstanceNotFound
            | Self::BackupSetNotFound
            | Self::UnsupportedMethod
            | Self::Rejected
            | Self::BackupFailed
            | Self::BackupNotUsable
            | Self::QueueTimeout
            | Self::Expired
            | Self::Timeout
            | Self::ResultLost
            | Self::ChildRefused => &["Ready", "Stalled"],
            Self::InvalidSchedule | Self::InvalidTimeZone | Self::InvalidTemplate => &["Ready", "Stalled", "Fresh"],
            Self::Succeeded | Self::Scheduled => &["Ready"],
            Self::Suspended => &["Ready", "Suspended"],
            Self::DeletionRefused => &["CleanupBlocked"],
            Self::TooManySlots => &["TooFrequent"],
            Self::FarSmaller => &["Plausible"],
            Self::PolicyRead | Self::PolicyUnreadable => &["NativeWindowKnown"],
            Self::RetentionApplied | Self::ObjectsOnly | Self::RetentionBlocked => &["Retention"],
            Self::PossibleDuplicate => &["DuplicateBackup"],
            Self::SetDiffers => &["AdoptionMismatch"],
            Self::Fresh | Self::TooOld | Self::NoBackupYet => &["Fresh"],
            Self::Deletable | Self::NotOldEnough | Self::NeverDeletable | Self::DeletionUnknown | Self::DeletionBlocked => {
                &["DeletionSupported"]
            }
            Self::TtlIgnored => &["TtlIgnored"],
            Self::Listed | Self::BackupSetGone | Self::BackupSetUnusable | Self::BackupSetExpired => &["Available"],
            Self::Abandoned
            | Self::BackupSetDeleted
            | Self::BackupSetKept
            | Self::ObjectTooLarge
            | Self::Adopted
            | Self::NameCollision
            | Self::MissedRuns
            | Self::SkippedOverlap
            | Self::SkippedBlackout
            | Self::ClockSetBack
            | Self::TriggerUsed
            | Self::TriggerRecorded => &[],
        }
    }

    /// The events that can have this reason. An event without a rule here cannot be built: see `controller::Event::new`.
    pub fn events(self) -> &'static [EventRule] {
        use EventRule as Rule;

        match self {
            Self::WaitingForTurn
            | Self::InstanceBusy
            | Self::InstanceNotRunning
            | Self::DatabaseNotReady
            | Self::QuotaExceeded
            | Self::Throttled
            | Self::SubmissionsPaused
            | Self::RetryBackoff
            | Self::ServiceUnavailable
            | Self::ClockSkew
            | Self::NeverAccepted => &[WAITS],
            Self::CredentialsNotFound => {
                const { &[WAITS, Rule::backup(true, "The Secret is gone while the operator follows a request or a job of the object.")] }
            }
            Self::ClaimsUnreadable => const { &[Rule::backup(false, "A namespace is being deleted that may use the instance."), NEEDS] },
            Self::InvalidCredentials => {
                const {
                    &[
                        Rule::backup(
                            false,
                            "The token has expired, or the key was changed while the request was under way: the operator tries again three times.",
                        ),
                        NEEDS,
                    ]
                }
            }
            Self::OutcomeUnknown => {
                const { &[Rule::backup(true, "The answer to the request is lost, or an adopted backup turned out not to be this object's.")] }
            }
            Self::Running => {
                const {
                    &[Rule::backup(
                        false,
                        "The service accepted the request, a backup was adopted, or a job that could not be read can be read again.",
                    )]
                }
            }
            Self::Finalizing => {
                const { &[Rule::backup(false, "The job is finished, and its set is still unlisted 2 minutes later, or not final yet.")] }
            }
            Self::Succeeded => const { &[Rule::backup(false, "The backup set exists and is usable.")] },
            Self::Rejected => {
                const {
                    &[
                        ENDS,
                        Rule::backup(true, "The service refuses a read: the operator tries again every minute, after ten minutes every 5."),
                    ]
                }
            }
            Self::InvalidSpec
            | Self::AccountNotFound
            | Self::NotAllowed
            | Self::RegionNotAllowed
            | Self::AccessDenied
            | Self::CredentialsExpired
            | Self::AccountProblem
            | Self::DeniedByService
            | Self::EncryptionKeyUnusable
            | Self::RegionUnavailable
            | Self::WrongEndpoint
            | Self::InstanceNotFound
            | Self::BackupSetNotFound => &[NEEDS],
            Self::UnsupportedMethod
            | Self::BackupFailed
            | Self::BackupNotUsable
            | Self::QueueTimeout
            | Self::Expired
            | Self::Timeout
            | Self::ResultLost => &[ENDS],
            Self::PossibleDuplicate => const { &[Rule::backup(true, "`DuplicateBackup` is raised, or names another backup.")] },
            Self::SetDiffers => const { &[Rule::backup(true, "`AdoptionMismatch` is raised, or names another backup.")] },
            Self::Abandoned => {
                const {
                    &[Rule::backup(
                        true,
                        "The answer to the request came after the object was deleted or replaced, or the object went while its job ran.",
                    )]
                }
            }
            Self::NeverDeletable => {
                const { &[Rule::backup(true, "The backup has succeeded, and its set cannot be deleted with the object.")] }
            }
            Self::DeletionBlocked => {
                const { &[Rule::backup(true, "The set of an object that is being deleted cannot be deleted now: once for each cause.")] }
            }
            Self::BackupSetDeleted => const { &[Rule::backup(false, "The set was deleted with its object, or was gone before.")] },
            Self::BackupSetGone | Self::BackupSetUnusable => {
                const { &[Rule::backup(true, "The daily look found it; or the cause is another than before.")] }
            }
            Self::Listed | Self::BackupSetExpired => const { &[Rule::backup(false, "The daily look found it.")] },
            Self::BackupSetKept => const { &[Rule::backup(true, "The object goes, and its set stays although it was to be deleted.")] },
            Self::ObjectTooLarge => {
                const { &[Rule::backup(true, "The status was refused because of the object's size: once for each time that it becomes so.")] }
            }
            Self::Adopted => const { &[Rule::backup(false, "After a lost answer, a backup was found and adopted.")] },
            Self::NameCollision => {
                const {
                    &[Rule::schedule(
                        "An RdsBackup that is not of the schedule, its instance and its account has the name of the backup that is due.",
                    )]
                }
            }
            Self::MissedRuns => const { &[Rule::schedule("Slots were counted as missed: one event for all that were found together.")] },
            Self::SkippedOverlap => const { &[Rule::schedule("A slot was skipped.")] },
            Self::SkippedBlackout => {
                const {
                    &[Rule {
                        about: "RdsBackupSchedule",
                        warning: false,
                        when: "Slots were skipped: one event for all that were found together.",
                    }]
                }
            }
            Self::DeletionRefused => const { &[Rule::schedule("`CleanupBlocked` is raised.")] },
            Self::FarSmaller => const { &[Rule::schedule("`Plausible` turns False, or is about another set.")] },
            Self::RetentionBlocked => const { &[Rule::schedule("`Retention` turns False.")] },
            Self::ClockSetBack => const { &[Rule::schedule("`status.lastScheduleTime` lies in the future.")] },
            Self::TriggerUsed => {
                const { &[Rule::schedule("`trigger` was changed to a text that was seen before, or whose backup exists.")] }
            }
            Self::TriggerRecorded => {
                const { &[Rule { about: "RdsBackupSchedule", warning: false, when: "A schedule is seen first, and has a `trigger`." }] }
            }
            // Only in conditions: the intent and its clearing are two writes within milliseconds, and conditions show the health of a
            // schedule.
            Self::Submitting
            | Self::Scheduled
            | Self::Suspended
            | Self::InvalidSchedule
            | Self::InvalidTimeZone
            | Self::InvalidTemplate
            | Self::ChildRefused
            | Self::ChildNotCreated
            | Self::Fresh
            | Self::TooOld
            | Self::NoBackupYet
            | Self::RetentionApplied
            | Self::TtlIgnored
            | Self::ObjectsOnly
            | Self::Deletable
            | Self::NotOldEnough
            | Self::DeletionUnknown
            | Self::TooManySlots
            | Self::PolicyRead
            | Self::PolicyUnreadable => &[],
        }
    }
}
