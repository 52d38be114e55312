//! What the API server would refuse of a status, by the CRD that the operator prints.

use kube::CustomResourceExt;
use rds_backup_operator::api::{RdsBackup, RdsBackupStatus};
use serde_json::Value;

pub struct Schema(Value);

impl Schema {
    pub fn of_status() -> Self {
        let crd = serde_json::to_value(RdsBackup::crd()).expect("a CRD");
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"];
        assert!(schema["properties"]["attempts"]["maxItems"].is_u64(), "the CRD bounds its lists");
        Self(schema.clone())
    }

    /// What is wrong with a status, if anything.
    pub fn refuses(&self, status: &RdsBackupStatus) -> Option<String> {
        let status = serde_json::to_value(status).expect("a status");
        refuses("status", &status, &self.0)
    }
}

fn refuses(path: &str, value: &Value, schema: &Value) -> Option<String> {
    let limit = |name: &str| schema[name].as_u64().and_then(|limit| usize::try_from(limit).ok());
    let wrong = |what: &str| Some(format!("{path}: {what}"));
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        return wrong(&format!("{value} is not in the list"));
    }
    match value {
        Value::Object(fields) => {
            if let Some(missing) =
                schema["required"].as_array().and_then(|all| all.iter().find(|name| value.get(name.as_str().unwrap_or("")).is_none()))
            {
                return wrong(&format!("{missing} is missing"));
            }
            fields.iter().find_map(|(name, field)| match schema["properties"].get(name) {
                Some(schema) => refuses(&format!("{path}.{name}"), field, schema),
                None => wrong(&format!("{name} is pruned")),
            })
        }
        Value::Array(items) => {
            if limit("maxItems").is_some_and(|most| items.len() > most) {
                return wrong(&format!("{} items", items.len()));
            }
            items.iter().enumerate().find_map(|(index, item)| refuses(&format!("{path}[{index}]"), item, &schema["items"]))
        }
        Value::String(text) => {
            let length = text.chars().count();
            let fits = limit("maxLength").is_none_or(|most| length <= most) && limit("minLength").is_none_or(|least| length >= least);
            if !fits || schema["type"] != "string" { wrong(&format!("a text of {length} characters")) } else { None }
        }
        Value::Number(number) => {
            let number = number.as_f64().unwrap_or_default();
            let fits = schema["minimum"].as_f64().is_none_or(|least| number >= least)
                && schema["maximum"].as_f64().is_none_or(|most| number <= most);
            if !fits || schema["type"] != "integer" { wrong(&format!("{number}")) } else { None }
        }
        Value::Bool(_) => (schema["type"] != "boolean").then(|| format!("{path}: a boolean")),
        Value::Null => wrong("null"),
    }
}
