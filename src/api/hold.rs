//! The annotation that keeps a backup.

use super::RdsBackup;

/// An RdsBackup with this annotation, and the value `true`, is never deleted by its schedule, and its backup set not with it.
pub const HOLD_ANNOTATION: &str = "rdsbackup.io/hold";

impl RdsBackup {
    /// Whether somebody holds it.
    pub fn is_held(&self) -> bool {
        let annotations = self.metadata.annotations.as_ref();
        annotations.and_then(|annotations| annotations.get(HOLD_ANNOTATION)).is_some_and(|value| value == "true")
    }
}
