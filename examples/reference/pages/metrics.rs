//! Every metric, from the catalogue that the operator exports from.

use std::fmt::Write as _;

use rds_backup_operator::metrics::{ALL, Description, FRESHNESS, Group};

use super::cell;

const INTRO: &str = "\
# Metrics

What `/metrics` says, at the address of `--health-addr`. A scraper that asks for OpenMetrics gets it, any other the text format 0.0.4 of
Prometheus; the names are the same.

- Series of objects are computed from the operator's caches at each scrape: they are there right after a restart, and gone with the object.
  Only the replica that leads has them. While another replica takes over, they are absent for some seconds: a rule reads
  `max by (namespace, schedule) (last_over_time(NAME[5m]))`.
- What is not known has no series. 0 is always a value.
- No label is called `instance`, `job` or `pod`: scrapers set those. `namespace` is the object's own, so a scraper must keep it
  (`honorLabels: true`).
- Labels such as `code` and `reason` come from closed lists. Anything else is `other`.
- A scrape writes nothing, and asks neither the API server nor the cloud.

```sh
kubectl get --raw \"/api/v1/namespaces/rds-backup-system/services/rds-backup-operator-metrics:http/proxy/metrics\"
```

";

const COST: &str = "\
With `metrics.perSchedule: Freshness` (see [configuration.md](configuration.md#metrics.perschedule)) a schedule has only the series that are
marked with a star, and with `None` it has none of its own. With 2,000 schedules and 10,000 backups a scrape has about 34,000 series in
3.4 MB (`All`), 16,000 in 1.5 MB (`Freshness`), or 70 in 7 KB (`None`).

";

pub fn page() -> String {
    let mut out = INTRO.to_owned();
    for group in Group::ALL {
        let _ = write!(out, "## {}\n\n{}", title(group), about(group));
        out.push_str("| Name | Type | Labels | Unit | Meaning |\n|---|---|---|---|---|\n");
        for description in ALL.iter().filter(|description| description.group == group) {
            row(description, &mut out);
        }
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out + "\n"
}

fn row(description: &Description, out: &mut String) {
    let Description { name, kind, labels, help, .. } = description;
    let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
    let star = if FRESHNESS.contains(description) { " \\*" } else { "" };
    let anchor = format!("<a id=\"{name}\"></a>");
    let unit = if name.ends_with("_timestamp_seconds") || *name == "process_start_time_seconds" {
        "Unix time"
    } else {
        description.unit().unwrap_or_default()
    };
    let _ = writeln!(out, "| {anchor}`{name}`{star} | {} | {} | {unit} | {} |", kind.as_str(), labels.join(", "), cell(help));
}

fn title(group: Group) -> &'static str {
    match group {
        Group::Schedules => "Schedules",
        Group::Backups => "Backups",
        Group::Accounts => "Accounts and calls to the service",
        Group::Operator => "The operator",
        Group::Process => "The process",
    }
}

fn about(group: Group) -> &'static str {
    match group {
        Group::Schedules => COST,
        Group::Backups => "",
        Group::Accounts => "Every replica has those of its own calls; a standby makes none, but reads the access keys.\n\n",
        Group::Operator => "Every replica has its own.\n\n",
        Group::Process => "Every replica has its own. They come from `/proc`: absent on a system without it.\n\n",
    }
}
