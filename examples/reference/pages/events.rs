//! Every event, from `Reason::events`.

use std::fmt::Write as _;

use rds_backup_operator::api::{FIELD_MANAGER, Reason};

use super::reason_link;

pub fn page() -> String {
    let mut out = format!(
        "\
# Events

Every event that the operator emits, of the API `events.k8s.io`, reported by `{FIELD_MANAGER}`. The list is closed. An event tells of a transition:
none is repeated while nothing changes, and one that cannot be published is lost. The status of the object says the same.

```sh
kubectl events -n team-a --for rdsbackup/before-release-42
kubectl get events --all-namespaces --field-selector=type=Warning,reportingComponent={FIELD_MANAGER}
```
"
    );
    for kind in ["RdsBackup", "RdsBackupSchedule"] {
        let _ = write!(out, "\n## {kind}\n\n| Reason | Type | When |\n|---|---|---|\n");
        for reason in Reason::ALL {
            for rule in reason.events().iter().filter(|rule| rule.about == kind) {
                let kind = if rule.warning { "Warning" } else { "Normal" };
                let _ = writeln!(out, "| {} | {kind} | {} |", reason_link(*reason), rule.when);
            }
        }
    }
    out
}
