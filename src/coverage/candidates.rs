//! Which instances the service makes backups of.

use serde::Serialize;

use crate::rds::ListedInstance;

/// The instances of an account, parted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidates {
    /// Those that can be backed up, in the order of their ids.
    pub instances: Vec<ListedInstance>,
    /// Those that cannot.
    pub left_out: Vec<LeftOut>,
}

/// An instance that no backup can be made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LeftOut {
    /// The instance.
    pub db_instance_id: String,
    /// What it is, as in `read-only instance of rm-1`.
    pub why: String,
}

/// Parts the instances of a listing. An instance whose role is missing or not documented counts as one that can be backed up: it must not
/// disappear from a report.
pub fn candidates(listed: Vec<ListedInstance>) -> Candidates {
    let mut found = Candidates::default();
    for listed in listed {
        match left_out(&listed) {
            Some(why) => found.left_out.push(LeftOut { db_instance_id: listed.instance.id.as_str().to_owned(), why }),
            None => found.instances.push(listed),
        }
    }
    found.instances.sort_by(|a, b| a.instance.id.as_str().cmp(b.instance.id.as_str()));
    found.left_out.sort_by(|a, b| a.db_instance_id.cmp(&b.db_instance_id));
    found
}

fn left_out(listed: &ListedInstance) -> Option<String> {
    let instance = &listed.instance;
    if let Some(role) = instance.role_without_backups() {
        let of = instance.primary_id.as_ref().map(|primary| format!(" of {primary}")).unwrap_or_default();
        return Some(format!("{role}{of}"));
    }
    let is = |text: Option<&str>, word: &str| text.is_some_and(|text| text.eq_ignore_ascii_case(word));
    let status = Some(instance.status.as_str());
    let ends = is(status, "Deleting") || is(status, "Released") || is(instance.lock_mode.as_deref(), "Released");
    ends.then(|| "it is released".to_owned())
}
