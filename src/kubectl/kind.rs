//! The kinds that are asked for.

/// A kind, by the names that RBAC and people use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// As in a manifest.
    pub kind: &'static str,
    /// As in a role: plural and group.
    pub resource: &'static str,
}

/// RdsBackup.
pub const BACKUPS: Kind = Kind { kind: "RdsBackup", resource: "rdsbackups.rdsbackup.io" };
/// RdsBackupSchedule.
pub const SCHEDULES: Kind = Kind { kind: "RdsBackupSchedule", resource: "rdsbackupschedules.rdsbackup.io" };
/// Events, as the operator writes them.
pub const EVENTS: Kind = Kind { kind: "Event", resource: "events.events.k8s.io" };
/// Namespaces.
pub const NAMESPACES: Kind = Kind { kind: "Namespace", resource: "namespaces" };
