//! The annotations that pause new requests.

use super::RdsBackup;

/// For an RdsBackup with this annotation, and the value `true`, no new request is sent. What has begun goes on.
pub const PAUSED_ANNOTATION: &str = "rdsbackup.io/paused";

/// For the RdsBackups of a Namespace with this annotation, and the value `Paused`, no new request is sent. What has begun goes on.
pub const NAMESPACE_SUBMISSIONS_ANNOTATION: &str = "rdsbackup.io/submissions";

impl RdsBackup {
    /// Whether its author paused it.
    pub fn is_paused(&self) -> bool {
        let annotations = self.metadata.annotations.as_ref();
        annotations.and_then(|annotations| annotations.get(PAUSED_ANNOTATION)).is_some_and(|value| value == "true")
    }
}
