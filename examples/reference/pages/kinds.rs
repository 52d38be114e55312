//! The two kinds, from their CustomResourceDefinitions.

use std::fmt::Write as _;

use kube::CustomResourceExt as _;
use rds_backup_operator::api::{RdsBackup, RdsBackupSchedule};
use schemars::schema_for;
use serde_json::Value;

use super::fields::{HEAD, Source, rules};

const BACKUP: &str = "\
apiVersion: rdsbackup.io/v1alpha1
kind: RdsBackup
metadata: { name: before-release-42, namespace: team-a }
spec:
  dbInstanceId: rm-uf6wjk5xxxx
  method: Physical
";

const SCHEDULE: &str = "\
apiVersion: rdsbackup.io/v1alpha1
kind: RdsBackupSchedule
metadata: { name: nightly, namespace: team-a }
spec:
  schedule: \"0 2 * * *\"
  timeZone: Asia/Shanghai
  template:
    spec:
      dbInstanceId: rm-uf6wjk5xxxx
      method: Physical
";

const CONDITIONS: &str = "See [conditions.md](conditions.md).";

/// The fields of a template have the descriptions of an RdsBackup's fields, but in a template they can be changed.
const TEMPLATE: &str = "Its fields are those of the [spec of an RdsBackup](rdsbackup.md#spec). Here all of them but `dbInstanceId` can be changed: \
                        the next backup uses the changed template.";

pub fn rdsbackup() -> String {
    let guide = "How to use it: [guides/one-shot.md](../guides/one-shot.md).";
    let crd = json(&RdsBackup::crd());
    let values = json(&schema_for!(RdsBackup));
    page(&crd, &values, BACKUP, guide, &[("status.conditions", CONDITIONS)])
}

pub fn rdsbackupschedule() -> String {
    let spec = |crd: &Value, path: &str| schema(crd).pointer(path).cloned().unwrap_or_else(|| panic!("{path} is not in the CRD"));
    let (backup, crd) = (json(&RdsBackup::crd()), json(&RdsBackupSchedule::crd()));
    let own = spec(&backup, "/properties/spec");
    let template = spec(&crd, "/properties/spec/properties/template/properties/spec");
    for part in ["properties", "required", "x-kubernetes-validations"] {
        assert_eq!(own[part], template[part], "the template's spec is documented as that of an RdsBackup, and differs from it");
    }
    let guide = "How it behaves in each situation: [guides/schedule.md](../guides/schedule.md).";
    let values = json(&schema_for!(RdsBackupSchedule));
    page(&crd, &values, SCHEDULE, guide, &[("status.conditions", CONDITIONS), ("spec.template.spec", TEMPLATE)])
}

fn json(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).expect("JSON")
}

fn schema(crd: &Value) -> &Value {
    &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
}

fn page(crd: &Value, values: &Value, example: &str, guide: &str, elsewhere: &[(&str, &str)]) -> String {
    let (names, version, schema) = (&crd["spec"]["names"], &crd["spec"]["versions"][0], schema(crd));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let kind = text(&names["kind"]);
    let mut out = format!("# {kind}\n\n{}\n\n", text(&schema["description"]));
    let _ = write!(
        out,
        "`{}/{}`, {}. `kubectl get {}`, short `{}`; the category `{}` selects both kinds. {guide}\n\n```yaml\n{example}```\n\n",
        text(&crd["spec"]["group"]),
        text(&version["name"]),
        text(&crd["spec"]["scope"]).to_lowercase(),
        text(&names["plural"]),
        text(&names["shortNames"][0]),
        text(&names["categories"][0])
    );
    let source = Source { root: schema, values: Some(values), elsewhere };
    for (title, key) in [("Spec", "spec"), ("Status", "status")] {
        let part = &schema["properties"][key];
        let _ = write!(out, "## {title}\n\n{}\n\n{HEAD}", text(&part["description"]));
        source.rows(part, key, &mut out);
        out.push('\n');
        list(&mut out, "The API server also refuses an object against one of these rules:", rules(part));
    }
    let all = schema["x-kubernetes-validations"].as_array().into_iter().flatten();
    let fixed = all.clone().filter(|rule| rule["rule"].as_str().is_some_and(|rule| rule.contains("oldSelf")));
    out.push_str("## What cannot be changed\n\n");
    list(&mut out, "The API server refuses such a change with one of these messages:", fixed.filter_map(|rule| rule["message"].as_str()));
    let name = all.filter(|rule| rule["rule"].as_str().is_some_and(|rule| !rule.contains("oldSelf")));
    list(&mut out, "The API server refuses a new object with this message:", name.filter_map(|rule| rule["message"].as_str()));
    columns(&mut out, version);
    out
}

fn list<'a>(out: &mut String, heading: &str, lines: impl Iterator<Item = &'a str>) {
    let lines: Vec<String> = lines.map(|line| format!("- {line}\n")).collect();
    if !lines.is_empty() {
        let _ = write!(out, "{heading}\n\n{}\n", lines.concat());
    }
}

fn columns(out: &mut String, version: &Value) {
    out.push_str("## Columns of kubectl get\n\n| Column | Shown | From |\n|---|---|---|\n");
    for column in version["additionalPrinterColumns"].as_array().into_iter().flatten() {
        let shown = if column["priority"].as_i64().unwrap_or_default() == 0 { "always" } else { "with `-o wide`" };
        let (name, path) = (column["name"].as_str().unwrap_or_default(), column["jsonPath"].as_str().unwrap_or_default());
        let _ = writeln!(out, "| {} | {shown} | `{path}` |", name.to_uppercase());
    }
    for field in version["selectableFields"].as_array().into_iter().flatten() {
        let path = field["jsonPath"].as_str().unwrap_or_default().trim_start_matches('.');
        let _ = write!(out, "\nThe API server selects by `{path}`: `kubectl get ... --field-selector={path}=VALUE`.\n");
    }
}
