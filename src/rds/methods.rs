//! The backup method that fits an engine and a disk.

use super::model::{Disk, Engine, Instance};

impl Instance {
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
