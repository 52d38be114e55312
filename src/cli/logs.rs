//! `logs`: the story of one backup.

use super::{
    cluster::{PlaceArgs, at_cluster, object_name},
    exit::{Failure, Printed},
};
use crate::{
    api::RdsBackup,
    clock::Clock,
    kubectl::{AskError, BACKUPS, EVENTS, Session},
    story::{self, Line},
};

pub(super) const EXAMPLES: &str = "\
Examples:
  rds-backup-operator logs nightly-202611300200 -n team-a

One line for each thing: the time in UTC, what, and the ids. It reads the object, its Events (which the cluster keeps for an hour), and
while the backup waits the other backups of its instance.
The exit code is 0 if the story is told, 1 if there is no such backup, 2 for a wrong command line, and 3 if the cluster could not be asked.
It needs get on rdsbackups; without list on events.events.k8s.io and on rdsbackups it tells what it can, and says what is missing.";

/// The options of `logs`.
#[derive(Debug, clap::Args)]
pub(super) struct LogsArgs {
    /// The RdsBackup.
    #[arg(value_name = "BACKUP", value_parser = object_name)]
    backup: String,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Tells it.
pub(super) fn logs(args: LogsArgs) -> Result<Printed, Failure> {
    let now = Clock::system().now();
    let LogsArgs { backup: name, place } = args;
    at_cluster(&place, async |session| {
        let backup = session.get_whole(&session.backups(), BACKUPS, &name).await?;
        let mut notes = Vec::new();
        let fields = format!("regarding.uid={}", backup.metadata.uid.as_deref().unwrap_or_default());
        let events = match session.list(&session.events(), EVENTS, &fields).await {
            Ok(events) => events,
            Err(error @ AskError::Forbidden { .. }) => {
                notes.push(format!("note: without the Events: {error}"));
                Vec::new()
            }
            Err(error) => return Err(error.into()),
        };
        let mut lines = story::story(&backup, &events, now);
        if !backup.status.as_ref().is_some_and(|status| status.phase.is_terminal()) {
            lines.extend(waits(&session, &backup, now, &mut notes).await?);
        }
        Ok(Printed { text: story::written(lines), notes })
    })
}

/// Its place in the queue. The queue of an instance goes through all namespaces, of which a person may see one.
async fn waits(session: &Session, backup: &RdsBackup, now: jiff::Timestamp, notes: &mut Vec<String>) -> Result<Option<Line>, Failure> {
    let instance = &backup.spec.db_instance_id;
    let fields = format!("spec.dbInstanceId={instance}");
    let (siblings, scope) = match session.list(&session.all_backups(), BACKUPS, &fields).await {
        Ok(all) => (all, ""),
        Err(AskError::Forbidden { .. }) => match session.list(&session.backups(), BACKUPS, &fields).await {
            Ok(own) => (own, "; counted in this namespace only, others cannot be seen"),
            Err(error @ AskError::Forbidden { .. }) => {
                notes.push(format!("note: without its place in the queue: {error}"));
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        },
        Err(error) => return Err(error.into()),
    };
    let readable = siblings.iter().filter_map(|object| object.0.as_deref().ok());
    Ok(story::place(backup, readable, now).map(|place| Line::now("waits", format!("{}{scope}", place.text(instance)))))
}
