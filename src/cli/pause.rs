//! `pause` and `resume`: no new request for one backup, of one schedule, or for a whole namespace.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};

use super::{
    cluster::{PlaceArgs, at_cluster, object_name},
    exit::{Failure, Printed},
};
use crate::{
    api::{NAMESPACE_SUBMISSIONS_ANNOTATION, PAUSED_ANNOTATION},
    kubectl::{BACKUPS, NAMESPACES, SCHEDULES, Session, writes_it_back},
};

pub(super) const EXAMPLES: &str = "\
Examples:
  rds-backup-operator pause before-release-42 -n team-a      # or backup/before-release-42
  rds-backup-operator pause schedule/nightly -n team-a
  rds-backup-operator pause namespace -n team-a              # or namespace/team-a
  rds-backup-operator resume namespace -n team-a

A backup: the annotation rdsbackup.io/paused. A schedule: spec.suspend. A namespace: the annotation rdsbackup.io/submissions. What has begun
goes on; nothing is deleted.
The exit code is 0 if it is so now, also if it was so before; 1 if there is no such object, or it cannot be changed; 2 for a wrong command
line; 3 if the cluster could not be asked. It needs get and patch on rdsbackups, rdsbackupschedules or namespaces.";

/// The options of `pause` and `resume`.
#[derive(Debug, clap::Args)]
pub(super) struct PauseArgs {
    /// What: BACKUP or backup/BACKUP, schedule/SCHEDULE, namespace or namespace/NAMESPACE. The resources' own names and short names are
    /// taken too.
    #[arg(value_name = "WHAT", value_parser = what)]
    what: What,
    #[command(flatten)]
    place: PlaceArgs,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Backup(String),
    Schedule(String),
    /// The one of -n, or this one.
    Namespace(Option<String>),
}

/// Pauses it, or with `false` lets it go on.
pub(super) fn pause(args: PauseArgs, paused: bool) -> Result<Printed, Failure> {
    let PauseArgs { what, place } = args;
    at_cluster(&place, async |session| match what {
        What::Backup(name) => backup(&session, &name, paused).await,
        What::Schedule(name) => schedule(&session, &name, paused).await,
        What::Namespace(name) => {
            let name = name.unwrap_or_else(|| session.namespace().to_owned());
            namespace(&session, &name, paused).await
        }
    })
}

async fn backup(session: &Session, name: &str, paused: bool) -> Result<Printed, Failure> {
    let api = session.backups();
    let found = session.get_whole(&api, BACKUPS, name).await?;
    let shown = format!("backup {}/{name}", session.namespace());
    if let Some(phase) = found.status.as_ref().map(|status| status.phase).filter(|phase| phase.is_terminal()) {
        return Err(Failure::not_possible(format!("{shown} has ended ({}): there is nothing to pause or to resume", phase.as_str())));
    }
    if found.is_paused() == paused {
        return Ok(unchanged(&shown, paused));
    }
    session.merge(&api, BACKUPS, name, &annotation(&found.metadata, PAUSED_ANNOTATION, paused.then_some("true"))).await?;
    let begun = found.status.as_ref().is_some_and(|status| status.open_submission().is_some() || status.has_result());
    let effect = match (paused, begun) {
        (true, true) => "is paused: the request that was made goes on to its end, and no other is made",
        (true, false) => "is paused: nothing is requested for it. Its queueTimeout goes on",
        (false, _) => "goes on",
    };
    Ok(changed(&shown, effect, &found.metadata, PAUSED_ANNOTATION))
}

async fn schedule(session: &Session, name: &str, paused: bool) -> Result<Printed, Failure> {
    let api = session.schedules();
    let found = session.get_whole(&api, SCHEDULES, name).await?;
    let shown = format!("schedule {}/{name}", session.namespace());
    if found.spec.suspend == paused {
        return Ok(unchanged(&shown, paused));
    }
    let change = json!({ "metadata": { "uid": found.metadata.uid }, "spec": { "suspend": paused } });
    session.merge(&api, SCHEDULES, name, &change).await?;
    let effect = match paused {
        true => {
            "is suspended: slots during the pause are neither run nor counted as missed. Backups under way go on, and `now` still works"
        }
        false => "goes on: slots of the pause are not made up for",
    };
    Ok(changed(&shown, effect, &found.metadata, "spec.suspend"))
}

async fn namespace(session: &Session, name: &str, paused: bool) -> Result<Printed, Failure> {
    let api = session.namespaces();
    let found = session.get(&api, NAMESPACES, name).await?;
    let value = found.metadata.annotations.as_ref().and_then(|all| all.get(NAMESPACE_SUBMISSIONS_ANNOTATION)).map(String::as_str);
    let shown = format!("namespace {name}");
    if (value == Some("Paused")) == paused {
        return Ok(unchanged(&shown, paused));
    }
    let change = annotation(&found.metadata, NAMESPACE_SUBMISSIONS_ANNOTATION, paused.then_some("Paused"));
    session.merge(&api, NAMESPACES, name, &change).await?;
    let effect = match paused {
        true => "is paused: no backup is requested in it. Slots of its schedules still make RdsBackups, which wait and time out",
        false => "goes on",
    };
    Ok(changed(&shown, effect, &found.metadata, NAMESPACE_SUBMISSIONS_ANNOTATION))
}

/// With the uid, so that an object that has the name by now, and is another one, is left alone.
fn annotation(meta: &ObjectMeta, name: &str, value: Option<&str>) -> Value {
    json!({ "metadata": { "uid": meta.uid, "annotations": { name: value } } })
}

fn changed(shown: &str, effect: &str, meta: &ObjectMeta, field: &str) -> Printed {
    Printed { text: format!("{shown} {effect}\n"), notes: writes_it_back(meta, field).into_iter().collect() }
}

fn unchanged(shown: &str, paused: bool) -> Printed {
    let state = if paused { "is paused already" } else { "is not paused" };
    Printed { text: format!("{shown} {state}: nothing is changed\n"), notes: Vec::new() }
}

fn what(text: &str) -> Result<What, String> {
    let Some((kind, name)) = text.split_once('/') else {
        return match text {
            "namespace" | "ns" => Ok(What::Namespace(None)),
            name => object_name(name).map(What::Backup),
        };
    };
    let name = object_name(name)?;
    let plain = kind.strip_suffix(".rdsbackup.io").unwrap_or(kind);
    match plain {
        "backup" | "rdsbackup" | "rdsbackups" | "rdsb" => Ok(What::Backup(name)),
        "schedule" | "rdsbackupschedule" | "rdsbackupschedules" | "rdsbs" => Ok(What::Schedule(name)),
        "namespace" | "namespaces" | "ns" => Ok(What::Namespace(Some(name))),
        _ => Err(format!("{kind:?} is no kind: write backup/NAME, schedule/NAME or namespace/NAME")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_paused_is_written_as_kubectl_writes_it() {
        for (text, wanted) in [
            ("nightly-202611300200", What::Backup("nightly-202611300200".into())),
            ("backup/namespace", What::Backup("namespace".into())),
            ("rdsbackup.rdsbackup.io/b", What::Backup("b".into())),
            ("rdsb/b", What::Backup("b".into())),
            ("schedule/nightly", What::Schedule("nightly".into())),
            ("rdsbackupschedules.rdsbackup.io/nightly", What::Schedule("nightly".into())),
            ("namespace", What::Namespace(None)),
            ("ns/team-a", What::Namespace(Some("team-a".into()))),
        ] {
            assert_eq!(what(text), Ok(wanted), "{text}");
        }
        for text in ["", "pod/x", "schedule/", "schedule/a/b", "/x", "Backup"] {
            assert!(what(text).is_err(), "{text}");
        }
    }
}
