//! The configuration file, from the structs that read it.

use rds_backup_operator::config::Config;

use super::fields::{HEAD, Source};

const INTRO: &str = "\
# The configuration file

`rds-backup-operator run --config FILE` reads this YAML file at the start, and anew when it changes
([what a change does](../guides/configuration.md)). It refuses unknown keys and wrong values with their line; the operator does not work with a part
of a configuration.

```yaml
# config.yaml
submissions: Enabled
metrics: { perSchedule: All, instanceIds: true }
accounts:
  default:
    regionId: cn-hangzhou
    credentials: { type: Secret, name: rds-access-key }
    allow:
      - { namespaces: [\"team-a\", \"team-a-*\"], instances: [\"rm-a*\"], regions: [\"cn-hangzhou\"] }
    protocol: { requestExpiry: 15m, clockSkew: 2m, listingLag: 10m }
    poll: { first: 15s, min: 10s, max: 2m }
    limits: { createPerSecond: 5, describePerSecond: 10 }
```

The known regions are in [regions.tsv](../../src/rds/regions.tsv). [configuration.schema.json](configuration.schema.json) is the JSON schema, for
editors and for Helm. Lengths of time are whole numbers with `s`, `m` or `h`: `90s`, `1h30m`.

";

pub fn page() -> String {
    let schema = Config::schema();
    let mut out = format!("{INTRO}{HEAD}");
    Source { root: &schema, values: None, elsewhere: &[] }.rows(&schema, "", &mut out);
    out
}

pub fn schema() -> String {
    let text = serde_json::to_string_pretty(&Config::schema()).expect("JSON");
    format!("{text}\n")
}
