//! Schedules for the instances of an account, as manifests for a repository. They are told from the instances alone: what the cluster has
//! changes nothing, so two runs differ only where the instances do.

use jiff::Timestamp;
use kube::Resource;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::{
    api::{RdsBackupSchedule, RdsBackupScheduleSpec},
    rds::{InstanceId, ListedInstance},
    schedule::spec::ValidatedSpec,
};

/// The longest name of a schedule: its runs append a time to it.
const LONGEST_SCHEDULE: usize = 50;

/// The longest name of an RdsBackup that also fits into a label.
const LONGEST_LABEL: usize = 63;

/// Hexadecimal digits of the hash that tells apart names which had to be changed.
const DIGITS: usize = 10;

/// What all schedules have in common.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The account.
    pub account: String,
    /// The region of the listing.
    pub region_id: String,
    /// `spec.schedule`
    pub schedule: String,
    /// `spec.timeZone`
    pub time_zone: Option<String>,
    /// `spec.jitter`
    pub jitter: Option<String>,
    /// `metadata.namespace`
    pub namespace: Option<String>,
}

impl Plan {
    /// Whether the operator would run such a schedule.
    ///
    /// # Errors
    /// It would not; the error names the field and says what to write.
    pub fn check(&self, now: Timestamp) -> Result<(), String> {
        let probe: RdsBackupScheduleSpec =
            serde_json::from_value(self.spec("rm-probe", &self.region_id, None)).map_err(|error| error.to_string())?;
        ValidatedSpec::new(self.namespace.as_deref().unwrap_or("default"), "rm-probe", &probe, now)
            .map(|_| ())
            .map_err(|problem| problem.message)
    }

    fn spec(&self, instance: &str, region: &str, method: Option<&str>) -> Value {
        let mut template = Map::new();
        template.insert("account".into(), json!(self.account));
        template.insert("dbInstanceId".into(), json!(instance));
        template.insert("regionId".into(), json!(region));
        template.extend(method.map(|method| ("method".to_owned(), json!(method))));
        let mut spec = Map::new();
        spec.insert("schedule".into(), json!(self.schedule));
        spec.extend(self.time_zone.as_ref().map(|zone| ("timeZone".to_owned(), json!(zone))));
        spec.extend(self.jitter.as_ref().map(|jitter| ("jitter".to_owned(), json!(jitter))));
        spec.insert("template".into(), json!({ "spec": template }));
        Value::Object(spec)
    }

    /// The name and the spec of the schedule of each instance, in the order of the names.
    fn schedules(&self, instances: &[ListedInstance]) -> Vec<(String, Value)> {
        let of = |listed: &ListedInstance| {
            let instance = &listed.instance;
            let region = instance.region_id.as_deref().unwrap_or(&self.region_id);
            (name(&[instance.id.as_str()], LONGEST_SCHEDULE), self.spec(instance.id.as_str(), region, instance.fitting_method()))
        };
        let mut schedules: Vec<_> = instances.iter().map(of).collect();
        schedules.sort_by(|a, b| a.0.cmp(&b.0));
        schedules
    }
}

/// One RdsBackupSchedule for each instance.
pub fn manifests(plan: &Plan, instances: &[ListedInstance]) -> Vec<Value> {
    let object = |(name, spec): (String, Value)| {
        let mut metadata = Map::from_iter([("name".to_owned(), json!(name))]);
        metadata.extend(plan.namespace.as_ref().map(|namespace| ("namespace".to_owned(), json!(namespace))));
        json!({ "apiVersion": RdsBackupSchedule::api_version(&()), "kind": "RdsBackupSchedule", "metadata": metadata, "spec": spec })
    };
    plan.schedules(instances).into_iter().map(object).collect()
}

/// The same as values for a Helm chart of one's own: the specs by name, under `rdsBackupSchedules`.
pub fn values(plan: &Plan, instances: &[ListedInstance]) -> Value {
    json!({ "rdsBackupSchedules": plan.schedules(instances).into_iter().collect::<Map<_, _>>() })
}

/// A name of Kubernetes, always the same for the same ids: the ids themselves, joined by hyphens. Where that is no name, or too long, a
/// hash of the ids tells it apart from others that look like it.
pub(super) fn name(ids: &[&str], longest: usize) -> String {
    let joined = ids.join("-");
    let is_kept = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let plain: String = joined.to_ascii_lowercase().chars().map(|c| if is_kept(c) { c } else { '-' }).collect();
    let plain = plain.trim_matches('-');
    // `a-b` and `c` must not have the name of `a` and `b-c`.
    let parts = ids.iter().skip(1).all(|id| !id.contains('-'));
    if plain == joined && parts && !plain.is_empty() && plain.len() <= longest {
        return joined;
    }
    let hash = base16ct::lower::encode_string(&Sha256::digest(ids.join("\0")));
    let head: String = plain.chars().take(longest.saturating_sub(DIGITS + 1)).collect();
    let head = head.trim_end_matches('-');
    let hash: String = hash.chars().take(DIGITS).collect();
    if head.is_empty() { format!("rds-{hash}") } else { format!("{head}-{hash}") }
}

/// The name of the RdsBackup that takes in a set.
pub(super) fn name_of_set(instance: &InstanceId, set: &str) -> String {
    name(&[instance.as_str(), set], LONGEST_LABEL)
}
