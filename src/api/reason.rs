use std::fmt;

macro_rules! reasons {
    ($($group:ident, $title:literal, $about:literal => { $($(#[doc = $doc:literal])+ $name:ident,)+ })+) => {
        /// Why an object is where it is: the closed list of reasons of conditions, queue entries and events, each with its cure.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason {
            $($($(#[doc = $doc])+ $name,)+)+
        }

        /// What the reasons are divided into, for who reads them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ReasonGroup {
            $(#[doc = $title] $group,)+
        }

        impl Reason {
            /// Every reason there is.
            pub const ALL: &[Self] = &[$($(Self::$name,)+)+];

            /// As it is written in conditions and events.
            pub fn as_str(self) -> &'static str {
                match self {
                    $($(Self::$name => stringify!($name),)+)+
                }
            }

            /// What it means and what to do, for the generated reference.
            pub fn explanation(self) -> &'static str {
                match self {
                    $($(Self::$name => concat!($($doc),+).trim_ascii(),)+)+
                }
            }

            /// The group that it stands in.
            pub fn group(self) -> ReasonGroup {
                match self {
                    $($(Self::$name)|+ => ReasonGroup::$group,)+
                }
            }
        }

        impl ReasonGroup {
            /// Every group there is.
            pub const ALL: &[Self] = &[$(Self::$group,)+];

            /// Its heading.
            pub fn title(self) -> &'static str {
                match self {
                    $(Self::$group => $title,)+
                }
            }

            /// What its reasons have in common.
            pub fn about(self) -> &'static str {
                match self {
                    $(Self::$group => $about,)+
                }
            }
        }
    };
}

reasons! {
    Waits, "An RdsBackup waits",
        "It waits on time or on another object, and goes on by itself, until `queueTimeout`." => {
        /// Another RdsBackup of the same instance was created earlier and goes first. Nothing to do.
        WaitingForTurn,
        /// Another backup runs on the instance: an automatic one, one from the console, or another client's. Nothing to do.
        InstanceBusy,
        /// The instance is not in state Running, or is locked; the message names the lock. Start it, unlock it, or extend its storage.
        InstanceNotRunning,
        /// The service allows 20 backups per instance and day. It is tried again later; ask for fewer.
        QuotaExceeded,
        /// The account makes more calls than the service allows. It is tried again later; lower `limits` if it stays.
        Throttled,
        /// The Secret with the account's access key does not exist: create it, it is looked for every minute. Or the API server cannot hand it out now: nothing to do, it is tried again. The message says which.
        CredentialsNotFound,
        /// An administrator paused submissions in the operator's configuration. Set `submissions: Enabled` to go on.
        SubmissionsPaused,
        /// The job of the previous run failed and `retry` allows another: it starts after `retry.backoff`.
        RetryBackoff,
        /// The service cannot be reached, or answers with faults of its own. It is tried again with growing pauses; check the network and the endpoint.
        ServiceUnavailable,
        /// The service says that the request's time is wrong. The operator corrects its clock from the answers; check the clocks of the nodes.
        ClockSkew,
        /// An earlier request of this backup is proven to have never been accepted; the next one is about to start. Nothing to do.
        NeverAccepted,
    }
    Goes, "An RdsBackup is on its way",
        "The request is written, sent or accepted, or the backup is made." => {
        /// The request is about to be sent.
        Submitting,
        /// The request was sent, or may have been, and its answer was lost. The operator looks for the backup and adopts it, or proves that there is none. Where `requestExpiry` is Never it cannot be proven: see the message.
        OutcomeUnknown,
        /// The service works on the backup.
        Running,
        /// The job is finished; the backup set is not listed or not confirmed yet.
        Finalizing,
        /// The backup set exists and is usable.
        Succeeded,
    }
    Needs, "An RdsBackup needs somebody",
        "Nothing new is sent until somebody edits or grants something. It is looked at again every 5 minutes, and goes on by itself then. Before anything was asked for, `queueTimeout` ends the wait." => {
        /// A field of the spec is wrong; the message names it. Correct it, or create the object again where it cannot be changed.
        InvalidSpec,
        /// The account is not in the operator's configuration. Correct `spec.account`, or ask an administrator to add the account.
        AccountNotFound,
        /// The account's allow-list does not contain this namespace, instance or region. Ask an administrator.
        NotAllowed,
        /// The RAM user or role may not make this call. Grant it; the message holds the statement.
        AccessDenied,
        /// The access key, its secret or its token is wrong, or the Secret is incomplete. Correct the Secret.
        InvalidCredentials,
        /// The cloud account itself is blocked: billing, identity or risk control. The account's owner must act.
        AccountProblem,
        /// The service knows no such instance in this region. Check dbInstanceId, regionId and the account.
        InstanceNotFound,
    }
    Ends, "An RdsBackup has failed",
        "The end: nothing changes the object any more. Create another for another backup." => {
        /// The instance's engine, disk or role does not allow this kind of backup. Create an RdsBackup with the method, or for the instance, that the message names.
        UnsupportedMethod,
        /// The service refuses the request; the message holds its words. Create an RdsBackup that avoids it.
        Rejected,
        /// The service reports that the job failed, and `retry` allows no other run. Look at the instance's events in the console.
        BackupFailed,
        /// The job finished, but the service does not mark its set as usable.
        BackupNotUsable,
        /// It was not accepted within `queueTimeout`. The message holds the last reason.
        QueueTimeout,
        /// The job did not end within `timeout`. It may still end; the console shows it.
        Timeout,
        /// The service no longer knows the job, and no backup set can be matched with it. Look in the console.
        ResultLost,
    }
    Warns, "An RdsBackup warns",
        "Beside its way to the end: in a condition of its own, or only in an event." => {
        /// More than one backup may have been made for this object. The attempts in the status list them; nothing was deleted.
        PossibleDuplicate,
        /// A backup that was taken for this object's turned out to be another's, and was given back.
        SetDiffers,
        /// The object was deleted or replaced while its request was under way. The event holds the job's id.
        Abandoned,
        /// A job was found and taken as the outcome of the request whose answer was lost.
        Adopted,
    }
    Schedule, "An RdsBackupSchedule",
        "Of the schedule itself. The reason of its condition `LastBackupSucceeded` is the one that the backup ended with." => {
        /// The schedule is valid; `nextScheduleTime` says when it runs next.
        Scheduled,
        /// The schedule pauses: slots are neither run nor missed until `suspend` is false again.
        Suspended,
        /// The schedule, its jitter or one of its times is wrong; the message says what to write instead. Nothing is run until it is corrected.
        InvalidSchedule,
        /// The time zone is not known; the message names the nearest ones. Nothing is run until it is corrected.
        InvalidTimeZone,
        /// A label, an annotation or the spec of the template is wrong; the message names it. Nothing is run until it is corrected.
        InvalidTemplate,
        /// The API server refuses the RdsBackup that is to be created; the message holds its words. It is tried again until the slot is too old.
        ChildRefused,
        /// The API server cannot create the RdsBackup that is due; the message holds its words. It is tried again by itself until the slot is too old. Look at the API server and at its admission webhooks.
        ChildNotCreated,
        /// An object that is not of this schedule stands under the name of the backup that was to be created. The slot counts as missed. Delete or rename one of them.
        NameCollision,
        /// Slots were not run because the operator was down, or later than `startingDeadline`. One backup was made for the newest of them where the deadline allowed it.
        MissedRuns,
        /// A slot was not run because an earlier backup of the schedule still waits or runs. If it happens often, the schedule is too dense.
        SkippedOverlap,
        /// Slots of the schedule are settled that lie in the future: the clock of the operator's node was ahead, and was set back. The schedule goes on from now. Check the clocks of the nodes.
        ClockSetBack,
        /// This `trigger` was used before, and its backup still exists. Write another text.
        TriggerUsed,
        /// The newest successful backup is young enough.
        Fresh,
        /// No successful backup is young enough: look at the newest RdsBackups of the schedule.
        TooOld,
        /// There was no successful backup yet, and there could not have been one.
        NoBackupYet,
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
