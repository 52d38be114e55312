//! What the API server, or the operator, would refuse of the backups that a schedule makes, said before the first slot.

use std::collections::BTreeMap;

use super::problem::Problem;
use crate::api::{BackupTemplate, GROUP, RdsBackupSpec, Reason};

/// All that is wrong with a template.
pub(super) fn problems(template: &BackupTemplate) -> Vec<Problem> {
    let spec = template.spec.check().err().into_iter().chain(not_in_a_template(&template.spec));
    let spec = spec.map(|wrong| format!("template.spec: {wrong}"));
    let metadata = template.metadata.iter().flat_map(|metadata| [check_labels(&metadata.labels), check_annotations(&metadata.annotations)]);
    let metadata = metadata.filter_map(Result::err).map(|wrong| format!("template.metadata: {wrong}"));
    spec.chain(metadata).map(|message| Problem::new(Reason::InvalidTemplate, message)).collect()
}

/// Fields that only a backup without a schedule has.
fn not_in_a_template(spec: &RdsBackupSpec) -> impl Iterator<Item = String> {
    [
        (spec.not_after.is_some(), "remove notAfter: the schedule sets it on each of its backups"),
        (spec.ttl.is_some(), "remove ttl: retention and the history limits say how many backups of a schedule stay"),
        (
            spec.existing_backup_id.is_some() || spec.reuse_if_newer_than.is_some(),
            "remove existingBackupId and reuseIfNewerThan: every slot of a schedule makes a backup of its own",
        ),
    ]
    .into_iter()
    .filter(|(is_there, _)| *is_there)
    .map(|(_, message)| message.to_owned())
}

/// The API server refuses a backup with other labels; here it is said once, and before the first slot.
fn check_labels(labels: &BTreeMap<String, String>) -> Result<(), String> {
    for (name, value) in labels {
        check_name(name, "label")?;
        let whole = |c: char| c.is_ascii_alphanumeric();
        let good = value.is_empty()
            || value.len() <= 63
                && value.chars().all(|c| whole(c) || matches!(c, '-' | '_' | '.'))
                && value.starts_with(whole)
                && value.ends_with(whole);
        if !good {
            return Err(format!(
                "the value of the label {name:?} is not one: at most 63 letters, digits, -, _ and ., with a letter or a digit at both ends"
            ));
        }
    }
    Ok(())
}

fn check_annotations(annotations: &BTreeMap<String, String>) -> Result<(), String> {
    annotations.keys().try_for_each(|name| check_name(name, "annotation"))?;
    let size: usize = annotations.iter().map(|(name, value)| name.len() + value.len()).sum();
    if size > 64 * 1024 {
        return Err(format!("the annotations have {size} bytes: keep them below 64 KiB"));
    }
    Ok(())
}

/// A qualified name: an optional DNS prefix and a slash, then up to 63 characters.
fn check_name(name: &str, what: &str) -> Result<(), String> {
    let (prefix, rest) = name.split_once('/').map_or((None, name), |(prefix, rest)| (Some(prefix), rest));
    if prefix == Some(GROUP) {
        return Err(format!("the {what} {name} is the operator's own: leave it out"));
    }
    let whole = |c: char| c.is_ascii_alphanumeric();
    let part = |part: &str| !part.is_empty() && part.starts_with(whole) && part.ends_with(whole);
    let good_prefix = prefix.is_none_or(|prefix| {
        prefix.len() <= 253
            && prefix.split('.').all(|label| part(label) && label.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'))
    });
    let good_rest = part(rest) && rest.len() <= 63 && rest.chars().all(|c| whole(c) || matches!(c, '-' | '_' | '.'));
    if good_prefix && good_rest {
        return Ok(());
    }
    let shown: String = name.chars().take(80).collect();
    Err(format!("{shown:?} is no name of a {what}: at most 63 letters, digits, -, _ and ., after an optional prefix such as example.com/"))
}
