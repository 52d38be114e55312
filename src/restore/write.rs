//! The call, written for a shell, for Terraform and for programs.

use serde::Serialize;
use serde_json::{Map, json};

use super::{
    choose::UsableSet,
    clone::{CloneCall, Parameter, Value},
};

/// The version of the JSON format.
const FORMAT_VERSION: u32 = 1;

/// The version of the API that has the call.
const API_VERSION: &str = "2014-08-15";

/// What is handed over.
#[derive(Clone, Debug)]
pub struct Handover<'a> {
    /// The set.
    pub set: &'a UsableSet,
    /// The call that restores it.
    pub call: CloneCall,
    /// The call that restores the moment that was asked for, from the log.
    pub to_time: Option<CloneCall>,
    /// What to know before.
    pub notes: Vec<String>,
}

/// The command of the cloud's own program `aliyun`: one command in several lines, and nothing else, so that it can be pasted into any
/// shell. What the person fills in is a variable of the shell; while it is not set the shell says so and runs nothing.
pub fn as_cli(call: &CloneCall) -> String {
    // The one decides which endpoint is called, the other is the parameter of the call.
    let mut lines = vec!["aliyun rds CloneDBInstance".to_owned(), format!("--region {}", shell_word(&call.region))];
    lines.extend(call.parameters.iter().map(|Parameter { name, value }| match value {
        Value::Text(text) => format!("--{name} {}", shell_word(text)),
        Value::Flag(flag) => format!("--{name} {flag}"),
        Value::Asked { variable, what } => format!("--{name} \"${{{}:?set it to {what}}}\"", variable.to_uppercase()),
    }));
    lines.join(" \\\n  ") + "\n"
}

/// A resource of Terraform's provider alicloud, with the notes as comments. What the person fills in is a variable.
pub fn as_terraform(handover: &Handover<'_>) -> String {
    let call = &handover.call;
    let mut text: String = handover.notes.iter().map(|note| format!("# {note}\n")).collect();
    text.push_str(&format!(
        "# The provider's region must be {}. The resource takes no ClientToken: Terraform's state keeps it from a second clone.\n",
        call.region
    ));
    let mut variables = String::new();
    let mut arguments: Vec<(&str, String)> = Vec::new();
    let mut asked = |variable: &str, what: &str| {
        variables.push_str(&format!("variable {variable:?} {{\n  type        = string\n  description = {}\n}}\n\n", hcl_text(what)));
        format!("var.{variable}")
    };
    for Parameter { name, value } in &call.parameters {
        let Some(argument) = argument(name) else { continue };
        let value = match value {
            Value::Text(text) if *name == "PayType" => hcl_text(if text == "Postpaid" { "PayAsYouGo" } else { text }),
            Value::Text(text) => hcl_text(text),
            Value::Flag(flag) => flag.to_string(),
            Value::Asked { variable, what } => asked(variable, what),
        };
        arguments.push((argument, value));
    }
    // The resource has no default for it.
    if call.value("DBInstanceStorageType").is_none() {
        let what =
            "the disk of the clone, as the source has it: local_ssd, cloud_essd, cloud_essd2, cloud_essd3, cloud_ssd or general_essd";
        arguments.push(("db_instance_storage_type", asked("db_instance_storage_type", what)));
    }
    if let Some(Value::Text(time)) = handover.to_time.as_ref().and_then(|call| call.value("RestoreTime")) {
        text.push_str(&format!(
            "# Where the instance keeps log backups back to then, the very moment: restore_time = {} in place of backup_id.\n",
            hcl_text(time)
        ));
    }
    let width = arguments.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let body: String = arguments.iter().map(|(name, value)| format!("  {name:width$} = {value}\n")).collect();
    let label: String = handover.set.instance.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    format!("{text}\n{variables}resource \"alicloud_rds_clone_db_instance\" \"restore_of_{label}\" {{\n{body}}}\n")
}

/// The argument of the resource for a parameter of the API; none where the provider sets it.
fn argument(parameter: &str) -> Option<&'static str> {
    Some(match parameter {
        "DBInstanceId" => "source_db_instance_id",
        "BackupId" => "backup_id",
        "RestoreTime" => "restore_time",
        "DbNames" => "db_names",
        "PayType" => "payment_type",
        "InstanceNetworkType" => "instance_network_type",
        "VPCId" => "vpc_id",
        "VSwitchId" => "vswitch_id",
        "ZoneId" => "zone_id",
        "DBInstanceStorageType" => "db_instance_storage_type",
        "DBInstanceDescription" => "db_instance_description",
        "DeletionProtection" => "deletion_protection",
        // RegionId is the provider's own, and so is the token.
        _ => return None,
    })
}

/// One object: the parameters as a client library takes them.
///
/// # Errors
/// A parameter is to be filled in by a person, which a program cannot do: the text says what to give.
pub fn as_json(handover: &Handover<'_>) -> Result<String, String> {
    let set = handover.set;
    let backup = Backup {
        namespace: &set.namespace,
        name: &set.name,
        db_instance_id: &set.instance,
        backup_id: &set.backup_id,
        engine: set.engine.as_deref(),
        engine_version: set.engine_version.as_deref(),
        method: set.method.as_deref(),
        started_at: set.started_at.map(|at| at.to_string()),
        completed_at: set.completed_at.map(|at| at.to_string()),
        data_as_of: set.data_as_of.map(|at| at.to_string()),
        expires_at: set.expires_at.map(|at| at.to_string()),
    };
    let mut object = json!({
        "formatVersion": FORMAT_VERSION,
        "product": "Rds",
        "version": API_VERSION,
        "action": "CloneDBInstance",
        "regionId": handover.call.region,
        "parameters": parameters(&handover.call)?,
        "backup": backup,
        "notes": handover.notes,
    });
    if let Some(call) = &handover.to_time
        && let Some(fields) = object.as_object_mut()
    {
        fields.insert("toTime".to_owned(), json!({ "parameters": parameters(call)? }));
    }
    serde_json::to_string_pretty(&object).map(|text| text + "\n").map_err(|error| error.to_string())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Backup<'a> {
    namespace: &'a str,
    name: &'a str,
    db_instance_id: &'a str,
    backup_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    engine: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    engine_version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_as_of: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
}

fn parameters(call: &CloneCall) -> Result<Map<String, serde_json::Value>, String> {
    let value = |Parameter { name, value }: &Parameter| match value {
        Value::Text(text) => Ok(((*name).to_owned(), json!(text))),
        Value::Flag(flag) => Ok(((*name).to_owned(), json!(flag))),
        Value::Asked { .. } => Err("-o json has no variables: give --vpc-id and --vswitch-id, or --same-network".to_owned()),
    };
    call.parameters.iter().map(value).collect()
}

/// As one word of a POSIX shell.
fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.,:/@".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// As a text of HCL: neither a quote nor a template of Terraform is in it.
fn hcl_text(text: &str) -> String {
    let escaped = text.replace('\\', r"\\").replace('"', "\\\"").replace("${", "$${").replace("%{", "%%{");
    format!("\"{escaped}\"")
}
