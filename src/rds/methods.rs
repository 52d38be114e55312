//! Of which instances the service makes backups, and by which method.

use super::model::{Disk, Engine, Instance};

impl Instance {
    /// What the instance is, if its role keeps the service from making backups of it: their primary is backed up. A role that is missing or
    /// not documented does not.
    pub fn role_without_backups(&self) -> Option<&'static str> {
        match self.instance_type.as_deref()?.to_ascii_lowercase().as_str() {
            "readonly" => Some("read-only instance"),
            "guard" => Some("disaster recovery instance"),
            "temp" => Some("temporary instance"),
            _ => None,
        }
    }

    /// The method that a backup of this instance is asked for where nobody chose one; none where the service's own default should decide:
    /// an engine that its documentation does not name, or MySQL on a kind of disk that it does not.
    ///
    /// MySQL on cloud disks takes snapshots only; every other engine takes a physical backup on every disk.
    /// <https://help.aliyun.com/document_detail/26272.html>
    pub fn fitting_method(&self) -> Option<&'static str> {
        match (&self.engine, self.disk()) {
            (Engine::MySql, Disk::Cloud) => Some("Snapshot"),
            (Engine::MySql, Disk::Unknown) | (Engine::Other(_), _) => None,
            (Engine::MySql, Disk::Local) | (Engine::PostgreSql | Engine::SqlServer | Engine::MariaDb, _) => Some("Physical"),
        }
    }
}
