//! The objects that a report is made of.

use super::assess::Objects;
use crate::kubectl::{AskError, BACKUPS, Place, SCHEDULES, Session, connect};

/// All objects there, or of all namespaces; and their namespace, none for all.
///
/// # Errors
/// The cluster could not be asked.
pub async fn read(place: &Place, all_namespaces: bool) -> Result<(Option<String>, Objects), AskError> {
    let session = connect(place).await?;
    let objects = objects(&session, all_namespaces).await.map_err(|error| if all_namespaces { or_one(error) } else { error })?;
    Ok(((!all_namespaces).then(|| session.namespace().to_owned()), objects))
}

async fn objects(session: &Session, all_namespaces: bool) -> Result<Objects, AskError> {
    let (schedules, backups) = match all_namespaces {
        true => (session.all_schedules(), session.all_backups()),
        false => (session.schedules(), session.backups()),
    };
    let schedules = session.list_reduced(&schedules, SCHEDULES).await?;
    let backups = session.list_reduced(&backups, BACKUPS).await?;
    Ok(Objects { schedules, backups })
}

/// One namespace may be readable already.
fn or_one(mut error: AskError) -> AskError {
    if let AskError::Forbidden { cure, .. } = &mut error {
        cure.push_str(", or ask for one namespace with -n");
    }
    error
}
