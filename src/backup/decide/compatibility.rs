//! What the service would refuse, known before it is asked: engine, disk, role, state and lock of the instance against what is wanted.
//!
//! The rules are those of the API page and of the service's own refusals: <https://help.aliyun.com/document_detail/26272.html>. What they
//! do not name (a new engine, a new kind of disk) is left to the service: a rule that is out of date must not stand in the way of a backup.

use super::text::clip;
use crate::{
    api::Reason,
    backup::spec::ValidatedSpec,
    rds::{CreateBackup, Disk, Engine, Instance},
};

/// What the rules say of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Compatibility {
    /// Nothing against it.
    Allowed,
    /// The instance will never take it.
    Never(String),
    /// It passes by itself, or when a person acts on the instance.
    Waits(Reason, String),
    /// Somebody must act on the account.
    Stalled(Reason, String),
}

/// Judges a request by what the preflight read of the instance.
pub(super) fn check(instance: &Instance, valid: &ValidatedSpec) -> Compatibility {
    let id = &valid.request.instance;
    if let Some(wrong) = role(instance) {
        return Compatibility::Never(format!("{id} is {wrong}"));
    }
    if let Some(wrong) = combination(instance, &valid.request) {
        return Compatibility::Never(format!("{id} is {}: {wrong}", kind(instance)));
    }
    lock(instance).unwrap_or_else(|| {
        if instance.is_running() {
            return Compatibility::Allowed;
        }
        let state = clip(&instance.status);
        Compatibility::Waits(
            Reason::InstanceNotRunning,
            format!("{id} is in state {state}; the service makes backups only of running instances"),
        )
    })
}

/// The method that the backup will have: the one that is asked for, else the service's default; not known for an engine that the rules do
/// not name.
pub(super) fn effective_method<'a>(request: &'a CreateBackup, engine: &Engine) -> Option<&'a str> {
    request.method.as_deref().or_else(|| (!matches!(engine, Engine::Other(_))).then_some(CreateBackup::DEFAULT_METHOD))
}

/// Which methods the instance allows, as the fields of a spec.
pub(super) fn allowed(instance: &Instance) -> &'static str {
    match (&instance.engine, instance.disk()) {
        (Engine::MySql, Disk::Local) => "method: Physical, or method: Logical if it has at least one database",
        (Engine::MySql, Disk::Cloud) => "method: Snapshot",
        (Engine::MySql, Disk::Unknown) => "method: Physical on local disks, or method: Snapshot on cloud disks",
        (Engine::PostgreSql, Disk::Local) => "method: Physical",
        (Engine::PostgreSql, Disk::Cloud | Disk::Unknown) => "method: Snapshot or method: Physical",
        (Engine::SqlServer, Disk::Local) => "method: Physical, with type: FullBackup for single databases",
        (Engine::SqlServer, Disk::Cloud | Disk::Unknown) => {
            "method: Physical, with type: FullBackup for single databases, or method: Snapshot"
        }
        (Engine::MariaDb, _) => "method: Physical (the service makes a snapshot)",
        (Engine::Other(_), _) => "another method",
    }
}

/// `MySQL on cloud disks`
pub(super) fn kind(instance: &Instance) -> String {
    let disks = match instance.disk() {
        Disk::Local => " on local disks",
        Disk::Cloud => " on cloud disks",
        Disk::Unknown => "",
    };
    let engine = match &instance.engine {
        Engine::MySql => "MySQL",
        Engine::PostgreSql => "PostgreSQL",
        Engine::SqlServer => "SQL Server",
        Engine::MariaDb => "MariaDB",
        Engine::Other(name) => return format!("{}{disks}", clip(name)),
    };
    format!("{engine}{disks}")
}

/// The wanted method, type and strategy as the fields of a spec.
pub(super) fn wanted(request: &CreateBackup) -> String {
    match (&request.method, &request.backup_type) {
        (Some(method), Some(kind)) => format!("method: {method} with type: {kind}"),
        (Some(method), None) => format!("method: {method}"),
        (None, Some(kind)) => format!("type: {kind}"),
        (None, None) => format!("the service's default method, {},", CreateBackup::DEFAULT_METHOD),
    }
}

/// Read-only, guard and temporary instances are not backed up; their primary is.
fn role(instance: &Instance) -> Option<String> {
    let name = instance.role_without_backups()?;
    let primary = match &instance.primary_id {
        Some(primary) => format!("its primary, {primary}"),
        None => "its primary".to_owned(),
    };
    Some(format!("a {name}, and the service makes no backups of those. Delete this RdsBackup and create one for {primary}"))
}

/// What of method, type, strategy and retention the engine and the disk do not allow, and what to write instead.
fn combination(instance: &Instance, request: &CreateBackup) -> Option<String> {
    let method = request.method.as_deref().unwrap_or(CreateBackup::DEFAULT_METHOD);
    let disk = instance.disk();
    let impossible = match (&instance.engine, method) {
        (Engine::MySql, "Physical" | "Logical") => disk == Disk::Cloud,
        (Engine::MySql | Engine::PostgreSql | Engine::SqlServer, "Snapshot") => disk == Disk::Local,
        (Engine::PostgreSql | Engine::SqlServer | Engine::MariaDb, "Logical") | (Engine::MariaDb, "Snapshot") => true,
        _ => false,
    };
    let instead = |field: &str| format!("{field} is not possible there. Delete this RdsBackup and create one with {}", allowed(instance));
    if impossible {
        return Some(instead(&wanted(request)));
    }
    let without = |field: &str, why: &str| format!("{field} {why}. Delete this RdsBackup and create one without it");
    if let Some(kind) = &request.backup_type
        && matches!(instance.engine, Engine::MySql | Engine::PostgreSql | Engine::MariaDb)
    {
        return Some(without(&format!("type: {kind}"), "exists only for SQL Server"));
    }
    let full = request.backup_type.as_deref() == Some("FullBackup");
    let single_databases = request.strategy.as_deref() == Some("db");
    let databases_allowed = match &instance.engine {
        Engine::MySql => method == "Logical",
        Engine::SqlServer => method == "Physical" && full,
        Engine::PostgreSql | Engine::MariaDb => false,
        Engine::Other(_) => true,
    };
    if single_databases && !databases_allowed {
        return Some(match &instance.engine {
            Engine::MySql => instead("strategy: db without method: Logical"),
            Engine::SqlServer => instead("strategy: db without type: FullBackup"),
            _ => without("strategy: db", "exists only for MySQL and SQL Server: the whole instance is backed up"),
        });
    }
    let retention_allowed = match &instance.engine {
        Engine::MySql | Engine::Other(_) => true,
        // Full and physical as well: single databases were judged above.
        Engine::SqlServer => single_databases,
        Engine::PostgreSql | Engine::MariaDb => false,
    };
    if request.retention_days.is_some() && !retention_allowed {
        return Some(match &instance.engine {
            Engine::SqlServer => without("retentionDays", "needs method: Physical, type: FullBackup and strategy: db there"),
            _ => without("retentionDays", "exists only for MySQL and SQL Server; the instance's backup policy says how long sets are kept"),
        });
    }
    None
}

/// A lock stops backups, whatever state the instance is in.
fn lock(instance: &Instance) -> Option<Compatibility> {
    let mode = instance.lock_mode.as_deref()?;
    let id = &instance.id;
    let waits = |why: &str| Some(Compatibility::Waits(Reason::InstanceNotRunning, format!("{id} is locked ({}): {why}", clip(mode))));
    match mode.to_ascii_lowercase().as_str() {
        "unlock" => None,
        "lockbyexpiration" => Some(Compatibility::Stalled(
            Reason::AccountProblem,
            format!(
                "{id} is locked because it has expired. The cloud account's owner must renew it; it is looked at again every 5 minutes"
            ),
        )),
        "lockbydiskquota" | "lockreadinstancebydiskquota" => {
            waits("its disk is full. Extend its storage; the backup starts when the lock is gone")
        }
        "lockbyrestoration" => waits("it is being rolled back; the backup starts when that is done"),
        "manuallock" => waits("it was locked by hand. Unlock it in the console; the backup starts when the lock is gone"),
        // A mode that is not documented may allow backups: the service decides.
        _ => None,
    }
}
