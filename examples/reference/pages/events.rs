//! Every event, from `Reason::events`.

use std::fmt::Write as _;

use rds_backup_operator::api::{FIELD_MANAGER, Reason};

use super::reason_link;

pub fn page() -> String {
    let mut out = format!(
        "\
# Events

All events that the operator emits, in the API `events.k8s.io`, with the reporter `{FIELD_MANAGER}`. The list is closed. An event reports a
transition: it is not repeated while nothing changes, and an event that cannot be published is lost. The status of the object has the same facts.

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
