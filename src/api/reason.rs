use std::fmt;

macro_rules! reasons {
    ($($group:ident, $title:literal, $about:literal => { $($(#[doc = $doc:literal])+ $name:ident,)+ })+) => {
        /// The closed list of reasons of conditions, queue entries and events, each with its cure.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason {
            $($($(#[doc = $doc])+ $name,)+)+
        }

        /// The groups of reasons in the generated reference.
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

            /// The meaning and the cure, for the generated reference.
            pub fn explanation(self) -> &'static str {
                match self {
                    $($(Self::$name => concat!($($doc),+).trim_ascii(),)+)+
                }
            }

            /// The group that it belongs to.
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

            /// The text below the heading: a statement about all reasons of the group.
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
        "It waits for time to pass or for another object, and goes on by itself. `queueTimeout` ends the wait." => {
        /// Another RdsBackup of the same instance was created earlier and goes first, or others of the same account do: a limited number
        /// of them call the service at a time. The message says which. Nothing to do.
        WaitingForTurn,
        /// Another backup runs on the instance: an automatic one, or one that the console or another client started; the message says
        /// which. One that is listed and has not begun is waited for 15 minutes at most. Nothing to do.
        InstanceBusy,
        /// The instance is not in state Running, or is locked; the message names the lock. Start it, unlock it, or extend its storage.
        InstanceNotRunning,
        /// The service says that a database of `databases` does not exist or is not ready; it has one error for both. The operator tries
        /// again with growing pauses. Correct the name, or wait until the database is there.
        DatabaseNotReady,
        /// The instance has used up the 20 backups per day that the service allows: it lists 20 manual sets of today, or the service says
        /// so. The operator tries again when the day turns, or after one to six hours. `queueTimeout` ends the wait; without one, it lasts
        /// until the day has turned, 26 hours at most. Request fewer backups.
        QuotaExceeded,
        /// The account makes more calls than the service allows. The operator tries again later. Lower the account's `limits` if this
        /// lasts.
        Throttled,
        /// The Secret with the account's access key does not exist: create it, the operator looks for it every minute. Or the API server
        /// cannot return it now: nothing to do, the operator tries again. Or the file with the token of RRSA, or any key that `Auto` looks for,
        /// is not there. The message says which.
        CredentialsNotFound,
        /// New requests are paused, and the message says by what. By `submissions: Paused` in the operator's configuration: an administrator
        /// sets `Enabled`. By the annotation `rdsbackup.io/submissions: Paused` of the Namespace, or `rdsbackup.io/paused: "true"` of the
        /// RdsBackup: remove it. Or whether the Namespace has that annotation cannot be read now: nothing to do, the operator tries again.
        SubmissionsPaused,
        /// The job of the previous run failed, and `retry` allows another run: it starts after `retry.backoff`.
        RetryBackoff,
        /// The service, or the one that gives out the account's temporary keys, cannot be reached or answers with a server error; the
        /// message says which. The operator tries again with growing pauses. Check the network and the endpoint.
        ServiceUnavailable,
        /// The service refuses the request's time. The operator corrects its clock by the service's answers. Check the clocks of the nodes.
        ClockSkew,
        /// It is proven that the service never accepted the earlier request of this backup. The next request is about to start. Nothing to
        /// do.
        NeverAccepted,
    }
    Goes, "An RdsBackup is on its way",
        "The request is written, sent or accepted, or the backup is running or made." => {
        /// The request is about to be sent.
        Submitting,
        /// The request was or may have been sent, and its answer was lost. The operator looks for the backup and adopts it, or proves that
        /// there is none. With `requestExpiry: Never` there is no such proof: see the message.
        OutcomeUnknown,
        /// The service works on the backup.
        Running,
        /// The job is finished. The backup set is not listed or not confirmed yet.
        Finalizing,
        /// The backup set exists and is usable.
        Succeeded,
    }
    Needs, "An RdsBackup needs action",
        "A person must correct or grant something; until then the operator sends nothing new. It checks again every minute, after ten minutes every 5, and at once when an access key or a namespace that it waits for is there; it goes on by itself. While no backup was requested, `queueTimeout` ends the wait." => {
        /// A field of the spec is wrong; the message names it. Correct the field. If it cannot be changed, delete the object and create
        /// another.
        InvalidSpec,
        /// The account is not in the operator's configuration. Correct `spec.account`, or ask an administrator to add the account.
        AccountNotFound,
        /// The account's allow-list does not contain this namespace, instance or region. Ask an administrator to add it.
        NotAllowed,
        /// The instance is in a region that the account's allow-list does not open to this namespace and instance, whichever region the
        /// object names. Ask an administrator to add the region, or correct `dbInstanceId`.
        RegionNotAllowed,
        /// The RAM user or role may not make this call: grant the permission; the message contains the policy statement. Or the role's
        /// trust policy does not let the operator assume it: the message says which role and whom it must trust.
        AccessDenied,
        /// The access key, its secret or its token is wrong, the Secret is incomplete, or the source of temporary keys is not set up as it
        /// must be. The message says which Secret, variable, file, role or provider. Correct it there.
        InvalidCredentials,
        /// The token that is exchanged for a temporary key, or that key itself, has expired, and there is no newer one. The message says
        /// which. Check what renews it (the kubelet, for the token of RRSA), and the clocks.
        CredentialsExpired,
        /// The cloud account itself is blocked: billing, identity or risk control. The account's owner must act.
        AccountProblem,
        /// Something that may use the instance cannot be read, so it may have a request under way: the RdsBackups of a namespace, or one
        /// RdsBackup. The message says which. Grant the operator its rights there, or correct or delete the RdsBackup. A namespace that is
        /// being deleted needs nothing.
        ClaimsUnreadable,
        /// The service does not allow the call for this account or instance, and does not publish why. It is no permission of RAM. Ask the
        /// service's support, with the request id of the message.
        DeniedByService,
        /// The KMS key that encrypts the instance is disabled, gone, or RDS may not use it; the message says which. Enable or authorize it.
        EncryptionKeyUnusable,
        /// The service knows no such region, or the account's host does not serve it, or the region closes. Check `regionId`; an
        /// administrator checks the account's `endpoint`.
        RegionUnavailable,
        /// What answers at the account's host is not ApsaraDB RDS. An administrator checks the account's `endpoint` and what stands
        /// between.
        WrongEndpoint,
        /// The service knows no such instance in this region. Check `dbInstanceId`, `regionId` and `account`.
        InstanceNotFound,
        /// The service lists no set `existingBackupId` of the instance. Create another RdsBackup with the right instance and set. The operator
        /// looks for the set until `queueTimeout`.
        BackupSetNotFound,
    }
    Ends, "An RdsBackup has failed",
        "The end: the operator changes the object no more. Create another RdsBackup for another backup." => {
        /// The instance's engine, disk or role does not allow this kind of backup. Create an RdsBackup with the method or the instance that
        /// the message names.
        UnsupportedMethod,
        /// The service refused the request; the message contains the service's error. Create an RdsBackup that avoids the error.
        Rejected,
        /// The service reports that the job failed, and `retry` allows no other run. Look at the instance's events in the console.
        BackupFailed,
        /// The job finished, but its set is not usable: the service does not mark it as available, or says that it is empty or has size 0.
        /// Look at the set in the console.
        BackupNotUsable,
        /// The service did not accept the backup within `queueTimeout`. The message contains the last reason.
        QueueTimeout,
        /// Nothing was requested by `notAfter`, and nothing will be. Most likely the object is a copy of an earlier backup that was
        /// restored without its status: delete it. A schedule does not count it as a failure. For a backup now, create another RdsBackup.
        Expired,
        /// The job did not end within `timeout`. It may still be running; the console shows it.
        Timeout,
        /// The service no longer knows the job, and no backup set can be matched with it. Look in the console.
        ResultLost,
    }
    Warns, "An RdsBackup warns",
        "A warning has a condition of its own or is only an event, and does not decide how the backup ends." => {
        /// More than one backup may have been made for this object. `status.attempts` lists them; nothing was deleted.
        PossibleDuplicate,
        /// The operator adopted a backup, but its set shows that it is not this object's. It is not the result any more.
        SetDiffers,
        /// The object was deleted or replaced while its request or its job was under way. The event holds the job's id.
        Abandoned,
        /// The API server does not take the object's status, because the object would become larger than its store allows. Take labels,
        /// annotations or finalizers off it. Until then it does not go on, and others of its instance go first.
        ObjectTooLarge,
        /// The answer to the request was lost. The operator found a backup and adopted it as the outcome of the request.
        Adopted,
    }
    Stays, "An RdsBackup stays",
        "Only with `ttl`." => {
        /// The object stays although its `ttl` is over, or will be: somebody holds it, a GitOps tool tracks it, its backup set would be deleted
        /// with it, or it is the newest usable backup of its instance. The message says which.
        TtlIgnored,
    }
    Deletes, "The backup set of an RdsBackup is deleted with it",
        "Only with `deletionPolicy: Delete`. The condition `DeletionSupported` has these reasons from the end of the backup on." => {
        /// The service deletes the set when the object is deleted.
        Deletable,
        /// The service deletes the set, and not before the time in the message. An object that is deleted earlier stays until then, if that
        /// is within `cleanupDeadline`.
        NotOldEnough,
        /// The service never deletes this set on request; the message says why. When the object is deleted, it goes and the set stays, for
        /// as long as the service keeps it. Set `deletionPolicy: Retain`; where the engine has `retentionDays`, that limits how long the set
        /// is kept.
        NeverDeletable,
        /// Whether the service deletes the set cannot be told; the message says why. When the object is deleted, the service is asked.
        DeletionUnknown,
        /// The object is being deleted, and its set cannot be deleted now; the message says why, and when the operator lets go of it. The
        /// operator tries again. To let go of the object at once and keep the set, set `deletionPolicy: Retain`.
        DeletionBlocked,
        /// The service has deleted the set, or has none of this id any more.
        BackupSetDeleted,
        /// The object goes, and its set stays in the cloud, although `deletionPolicy` is `Delete`. The message says why.
        BackupSetKept,
    }
    Audits, "The backup set of an RdsBackup is looked at",
        "Once a day, by one list of the instance's sets. The condition `Available` has these reasons." => {
        /// The set is usable again, after it was not.
        Listed,
        /// The service does not list the set any more, although its retention is not over. Make another backup, and find out who deleted it.
        BackupSetGone,
        /// The service lists the set as not available, empty or of size 0. Make another backup, and look at the set in the console.
        BackupSetUnusable,
        /// The service has removed the set, as its retention said. Nothing to do: the object is the record of the backup.
        BackupSetExpired,
    }
    Schedule, "An RdsBackupSchedule",
        "Reasons of the schedule itself. Its condition `LastBackupSucceeded` has the reason with which the backup ended." => {
        /// The schedule is valid; `nextScheduleTime` says when it runs next.
        Scheduled,
        /// The schedule pauses: slots are neither run nor missed until `suspend` is false again.
        Suspended,
        /// The schedule, its jitter or one of its times is wrong; the message says what to write instead. The schedule runs nothing until
        /// it is corrected.
        InvalidSchedule,
        /// The time zone is not known; the message names similar ones. The schedule runs nothing until it is corrected.
        InvalidTimeZone,
        /// A label, an annotation or the spec of the template is wrong; the message names it. The schedule runs nothing until it is
        /// corrected.
        InvalidTemplate,
        /// The API server refuses the RdsBackup that is due; the message contains its error. The operator tries again until the slot is too
        /// old.
        ChildRefused,
        /// The API server cannot create the RdsBackup that is due; the message contains its error. The operator tries again until the slot
        /// is too old. Check the API server and its admission webhooks.
        ChildNotCreated,
        /// An object that is not a backup of this schedule with its instance and its account already has the name of the backup that is
        /// due. The backup is made under a second name, which the event tells. If that is taken too, the slot counts as missed: delete or
        /// rename one of the objects.
        NameCollision,
        /// Slots were not run because the operator was down, or could only have run later than `startingDeadline`. If the deadline allowed
        /// it, one backup was made for the newest of them.
        MissedRuns,
        /// A slot was not run because an earlier backup of the schedule still waits or runs. If this happens often, let the schedule run
        /// less often.
        SkippedOverlap,
        /// Slots were not run because they lie in `blackouts`, or in the window of `notDuring`: the windows ended later than
        /// `startingDeadline` allows, or the next slot took their place.
        SkippedBlackout,
        /// The instance's backup policy was read, and its window is kept clear.
        PolicyRead,
        /// The instance's backup policy cannot be read, so its window may be another by now, or is not known; the message says why, and which
        /// window is in use. Most often the key lacks `rds:DescribeBackupPolicy`: grant it. The operator tries again by itself.
        PolicyUnreadable,
        /// The newest settled slot (`status.lastScheduleTime`) lies in the future: the clock of the operator's node was ahead and was set
        /// back. The schedule goes on from now. Check the clocks of the nodes.
        ClockSetBack,
        /// This `trigger` was run or recorded before, or its backup exists: it makes no other backup. Write another text.
        TriggerUsed,
        /// The schedule was created with this `trigger`: it is only recorded, so that a repository that is applied again makes no backups.
        /// To make a backup, write another text.
        TriggerRecorded,
        /// The API server refuses to delete an RdsBackup object beyond the history limits; the message names it and contains the server's
        /// error. The other objects are deleted, and this one is tried again every 10 minutes. Change the admission policy or the role that
        /// forbids it, or raise the limit.
        DeletionRefused,
        /// The set of the newest successful backup is less than half as large as the median of the newest five before it of its type. Find out
        /// whether data was deleted, or is missing in the set, before the older sets go.
        FarSmaller,
        /// The rules of `retention` are kept, and sets are deleted with their RdsBackups, where the service does that.
        RetentionApplied,
        /// The rules of `retention` are kept for RdsBackup objects; their sets stay, and nothing is freed in the cloud. For sets that go by
        /// themselves use `retentionDays`, or the instance's backup policy; for sets that go with their objects, `deletionPolicy: Delete`.
        ObjectsOnly,
        /// A backup that `retention` would remove cannot be removed, or the rules cannot be applied, because no audit has seen the sets for two
        /// days. The message says which. Nothing is removed in doubt.
        RetentionBlocked,
        /// A day of the schedule has more than 20 slots, and the service makes at most 20 manual backup sets of an instance a day. The
        /// backups beyond them wait with `QuotaExceeded`, and fail at the end of their `queueTimeout`; the slots that come meanwhile are
        /// skipped. Write a schedule with longer intervals.
        TooManySlots,
        /// The newest successful backup is young enough.
        Fresh,
        /// No successful backup is young enough: look at the newest RdsBackups of the schedule.
        TooOld,
        /// There is no successful backup yet, and the time by which there should be one has not come.
        NoBackupYet,
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
