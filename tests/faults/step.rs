//! The steps of a backup, seen from outside: every request of the operator belongs to one of them.

use serde_json::Value;

/// The purpose of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    List,
    Watch,
    Secret,
    WaitWrite,
    Instance,
    TasksBefore,
    SetsBefore,
    Reread,
    IntentWrite,
    ClearList,
    ClearWrite,
    Create,
    RecordWrite,
    RefusedWrite,
    LostWrite,
    TasksLook,
    SetsLook,
    ClaimsList,
    AdoptWrite,
    CloseWrite,
    TaskById,
    SetById,
    ProgressWrite,
    EndWrite,
    Event,
    /// A look at sets: how long the instance keeps them.
    Policy,
    /// The schedule is read before its backup is created.
    ScheduleGet,
    ChildCreate,
    /// The object that has the name of a backup already.
    Namesake,
    ScheduleWrite,
    ChildDelete,
    /// Whether a namespace exists that cannot be read.
    NamespaceGet,
    /// Not a request: a watch shows an event.
    Shown,
}

impl Step {
    /// The steps of a schedule, in their order.
    pub const OF_SCHEDULES: [Self; 5] = [Self::ScheduleGet, Self::ChildCreate, Self::Namesake, Self::ScheduleWrite, Self::ChildDelete];

    /// The steps of a backup.
    pub const ALL: [Self; 25] = [
        Self::List,
        Self::Watch,
        Self::Secret,
        Self::WaitWrite,
        Self::Instance,
        Self::TasksBefore,
        Self::SetsBefore,
        Self::Reread,
        Self::IntentWrite,
        Self::ClearList,
        Self::ClearWrite,
        Self::Create,
        Self::RecordWrite,
        Self::RefusedWrite,
        Self::LostWrite,
        Self::TasksLook,
        Self::SetsLook,
        Self::ClaimsList,
        Self::AdoptWrite,
        Self::CloseWrite,
        Self::TaskById,
        Self::SetById,
        Self::ProgressWrite,
        Self::EndWrite,
        Self::Event,
    ];

    /// The phase of the protocol to which it belongs, and its action there.
    pub fn name(self) -> &'static str {
        match self {
            Self::List => "start: list",
            Self::Watch => "start: watch",
            Self::Secret => "admit: read the Secret",
            Self::WaitWrite => "admit: write why it waits",
            Self::Instance => "preflight: instance",
            Self::TasksBefore => "preflight: running jobs",
            Self::SetsBefore => "preflight: sets",
            Self::Reread => "intent or record: re-read",
            Self::IntentWrite => "intent: write",
            Self::ClearList => "clear: quorum list",
            Self::ClearWrite => "clear: write",
            Self::Create => "send: CreateBackup",
            Self::RecordWrite => "record: job id",
            Self::RefusedWrite => "record: refusal",
            Self::LostWrite => "record: answer lost",
            Self::TasksLook => "look: running jobs",
            Self::SetsLook => "look: sets",
            Self::ClaimsList => "look: claims",
            Self::AdoptWrite => "adopt: write or take back",
            Self::CloseWrite => "close: write",
            Self::TaskById => "follow: job",
            Self::SetById => "follow: set",
            Self::ProgressWrite => "follow: write",
            Self::EndWrite => "end: write",
            Self::Event => "event",
            Self::Policy => "audit: backup policy",
            Self::ScheduleGet => "schedule: read live",
            Self::ChildCreate => "schedule: create a backup",
            Self::Namesake => "schedule: read what has the name",
            Self::ScheduleWrite => "schedule: write",
            Self::ChildDelete => "schedule: delete a backup",
            Self::NamespaceGet => "read a namespace",
            Self::Shown => "watch: event",
        }
    }

    pub fn is_cloud(self) -> bool {
        matches!(
            self,
            Self::Policy
                | Self::Instance
                | Self::TasksBefore
                | Self::SetsBefore
                | Self::Create
                | Self::TasksLook
                | Self::SetsLook
                | Self::TaskById
                | Self::SetById
        )
    }

    /// The step of a status write, by the fields that it changes.
    pub fn of_write(before: &Value, after: &Value) -> Self {
        let nonce = |status: &Value| status["submission"]["nonce"].as_str().map(str::to_owned);
        let outcome = |status: &Value| status["submission"]["outcome"].as_str().map(str::to_owned);
        let has_job = |status: &Value| status["backupJobId"].is_string() || status["backupId"].is_string();
        if nonce(after) != nonce(before) {
            return Self::IntentWrite;
        }
        if matches!(after["phase"].as_str(), Some("Succeeded" | "Failed")) {
            return Self::EndWrite;
        }
        match (outcome(before), outcome(after).as_deref()) {
            (None, Some("Accepted")) => return Self::RecordWrite,
            (None, Some("Rejected")) => return Self::RefusedWrite,
            (None, Some(_)) => return Self::CloseWrite,
            _ => {}
        }
        if before["submission"]["cleared"] == false && after["submission"]["cleared"] == true {
            return Self::ClearWrite;
        }
        if has_job(before) != has_job(after) && outcome(after).is_none() {
            return Self::AdoptWrite;
        }
        match after["phase"].as_str() {
            Some("Resolving") => Self::LostWrite,
            Some("Running" | "Finalizing") => Self::ProgressWrite,
            _ => Self::WaitWrite,
        }
    }
}
