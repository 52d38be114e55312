//! What one decision about an RdsBackupSchedule is made of, besides the validated spec and the present. Plain data: the pass fills it,
//! `decide` reads it.

use jiff::Timestamp;

use super::{memory::Memory, native::Reading, ownership, stalled::Stalled};
use crate::{
    api::{ConditionType, NativeWindow, Phase, RdsBackup, RdsBackupSchedule, RdsBackupScheduleStatus, Reason, SCHEDULE_UID_LABEL},
    audit::{Audited, Finding},
};

/// Everything that a decision is made of, besides the validated spec and the present.
#[derive(Clone, Debug)]
pub struct Observation<'a> {
    /// The newest copy of the schedule that this process has.
    pub object: &'a RdsBackupSchedule,
    /// Its status; [`RdsBackupScheduleStatus::fresh`] where it has none.
    pub status: &'a RdsBackupScheduleStatus,
    /// The backups that carry its name, from the cache.
    pub children: &'a [Child],
    /// What this process has just done.
    pub memory: &'a Memory,
    /// The API server's time; none before its first answer.
    pub server_now: Option<Timestamp>,
    /// This process has run for so long that every set should have been looked at.
    pub audits_are_due: bool,
    /// The newest reading of the instance's own backup window.
    pub native: &'a Reading,
    /// The window that is kept clear: [`native_window`].
    pub native_window: Option<&'a NativeWindow>,
}

/// The instance's own backup window that the schedule keeps clear: as it was read last, by this process or, as the status says, by one before
/// it. None without `notDuring`, and until it was read once.
pub fn native_window<'a>(
    object: &RdsBackupSchedule,
    status: &'a RdsBackupScheduleStatus,
    reading: &'a Reading,
) -> Option<&'a NativeWindow> {
    object.spec.not_during?;
    match reading {
        Reading::Window(window) => Some(window),
        Reading::Unread | Reading::Unreadable(_) => status.native_window.as_ref(),
    }
}

impl Observation<'_> {
    /// Whether the schedule is being deleted; it is there for as long as it has finalizers.
    pub fn is_being_deleted(&self) -> bool {
        self.object.metadata.deletion_timestamp.is_some()
    }
}

/// An RdsBackup that carries the schedule's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Its version, for a deletion that must not meet another one.
    pub resource_version: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// Where it is.
    pub phase: Phase,
    /// Why it is there.
    pub reason: Option<String>,
    /// Why a person must act for it before it goes on; none once it has ended.
    pub stalled: Option<Stalled>,
    /// When it was over.
    pub completed_at: Option<Timestamp>,
    /// Its backup set.
    pub backup_id: Option<String>,
    /// How large its set is.
    pub size_bytes: Option<i64>,
    /// The type of its set, for example `FullBackup`.
    pub kind: Option<String>,
    /// Whether it is of the instance that the template names: the service runs one backup of an instance at a time.
    pub same_instance: bool,
    /// Whether it is of the instance and the account that the template names: only then it is the schedule's own, and says something of
    /// the schedule's health.
    pub same_target: bool,
    /// Whether it carries the uid of a schedule.
    pub has_schedule_uid: bool,
    /// Whether this very schedule made it, and not an earlier one of its name.
    pub of_this_schedule: bool,
    /// Whether an annotation keeps it from being deleted.
    pub held: bool,
    /// Whether its backup set is deleted with it.
    pub deletes_set: bool,
    /// What is known of its backup set.
    pub set: Set,
    /// Whether it was created after its own `notAfter` and nothing was begun for it: a restored copy, which is about to end.
    pub came_too_late: bool,
    /// Whether it is being deleted: it is there only for as long as another program's finalizer keeps it.
    pub is_being_deleted: bool,
}

/// What is known of the backup set of a child that has succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Set {
    /// Nobody has looked yet.
    Unseen,
    /// An audit saw it, or the end of its backup did, and it was usable.
    Seen {
        /// By the service's time.
        at: Timestamp,
    },
    /// It cannot be restored.
    Unusable,
    /// The service has it no more.
    Gone,
}

impl Set {
    /// As the newest audit found it, else as the status says.
    fn of(object: &RdsBackup, audited: Option<&Audited>) -> Self {
        match audited {
            Some(Audited { at, finding: Finding::Usable { .. } }) => return Self::Seen { at: *at },
            Some(Audited { finding: Finding::Unusable(_), .. }) => return Self::Unusable,
            Some(Audited { finding: Finding::Gone | Finding::Expired, .. }) => return Self::Gone,
            None => {}
        }
        let status = object.status.as_ref();
        let said = status.and_then(|status| status.condition(ConditionType::Available));
        match said.filter(|said| said.status == "False").map(|said| said.reason.as_str()) {
            // The end of the backup is a look as well: it was listed and usable then.
            None => status.and_then(|status| status.completed_at.as_ref()).map_or(Self::Unseen, |at| Self::Seen { at: at.0 }),
            Some(reason) if reason == Reason::BackupSetUnusable.as_str() => Self::Unusable,
            Some(_) => Self::Gone,
        }
    }

    /// Whether it is known that nothing can be restored from it.
    pub fn is_lost(self) -> bool {
        matches!(self, Self::Unusable | Self::Gone)
    }
}

impl Child {
    /// A child as it stands.
    pub fn of(object: &RdsBackup, schedule: &RdsBackupSchedule, audited: Option<&Audited>) -> Self {
        let (status, template) = (object.status.as_ref(), &schedule.spec.template);
        let uid = object.metadata.labels.as_ref().and_then(|labels| labels.get(SCHEDULE_UID_LABEL));
        Self {
            name: object.metadata.name.clone().unwrap_or_default(),
            uid: object.metadata.uid.clone().unwrap_or_default(),
            resource_version: object.metadata.resource_version.clone().unwrap_or_default(),
            created_at: object.metadata.creation_timestamp.as_ref().map_or(Timestamp::UNIX_EPOCH, |time| time.0),
            phase: status.map(|status| status.phase).unwrap_or_default(),
            reason: status.and_then(|status| status.ready_reason()).map(str::to_owned),
            stalled: Stalled::of(object),
            completed_at: status.and_then(|status| status.completed_at.as_ref()).map(|time| time.0),
            backup_id: status.and_then(|status| status.backup_id.clone()),
            size_bytes: status.and_then(|status| status.size_bytes),
            kind: status.and_then(|status| status.effective.as_ref()?.backup_type.clone()),
            same_instance: object.spec.db_instance_id == template.spec.db_instance_id,
            same_target: ownership::is_same_target(object, template),
            has_schedule_uid: uid.is_some(),
            of_this_schedule: uid.is_some() && uid == schedule.metadata.uid.as_ref(),
            held: object.is_held(),
            deletes_set: object.spec.deletes_set(),
            set: Set::of(object, audited),
            came_too_late: came_too_late(object),
            is_being_deleted: object.metadata.deletion_timestamp.is_some(),
        }
    }

    /// Whether it waits or runs, and so holds up the schedule. One that is being deleted does not: the operator begins nothing more for it,
    /// and a job that it has already is seen by the next backup before its request.
    pub fn is_active(&self) -> bool {
        self.same_instance && !self.phase.is_terminal() && !self.is_being_deleted && !self.came_too_late
    }

    /// Whether it ended without a request because its time was over: no failure of the schedule.
    pub fn is_expired(&self) -> bool {
        self.phase == Phase::Failed && self.reason.as_deref() == Some(Reason::Expired.as_str())
    }
}

fn came_too_late(object: &RdsBackup) -> bool {
    let created_at = object.metadata.creation_timestamp.as_ref();
    let late = object.spec.not_after.as_ref().zip(created_at).is_some_and(|(not_after, created_at)| created_at.0 > not_after.0);
    late && object.status.as_ref().is_none_or(|status| status.submission.is_none() && status.queue.is_none())
}
