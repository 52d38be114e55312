//! The objects that a report is made of.

use super::{
    assess::Objects,
    cluster::{Cluster, ReadError, Source, connect},
};
use crate::api::{RdsBackup, RdsBackupSchedule};

/// All objects there, and their namespace; none for all.
///
/// # Errors
/// The cluster could not be asked.
pub async fn read(source: &Source) -> Result<(Option<String>, Objects), ReadError> {
    let cluster = connect(source).await?;
    let objects = read_from(&cluster).await?;
    Ok((cluster.namespace().map(str::to_owned), objects))
}

/// All objects of a cluster that is connected already.
///
/// # Errors
/// The cluster could not be asked.
pub async fn read_from(cluster: &Cluster) -> Result<Objects, ReadError> {
    let schedules = cluster.all::<RdsBackupSchedule>("rdsbackupschedules").await?;
    let backups = cluster.all::<RdsBackup>("rdsbackups").await?;
    Ok(Objects { schedules, backups })
}
