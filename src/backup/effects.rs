//! What leaves the process besides status writes: reads of the cloud and of the API server, each with its result as the next observation.

use jiff::{SignedDuration, Timestamp};

use super::{
    decide::occupies,
    observe::neighbour,
    seen::{Backups, Claim, Look, LookFacts, PreflightFacts},
};
use crate::{
    accounts::{Access, Accounts},
    api::{Phase, RdsBackup, Reason},
    cluster::{self, Cluster},
    rds::{Answer, BackupId, BackupSet, BackupTask, CallError, Client, Credentials, InstanceId, JobId, JobState, ModeFilter, SetQuery},
};

/// How far back a baseline reaches: older sets started before any request that could still be under way.
const BASELINE: SignedDuration = SignedDuration::from_hours(24);

/// Step 2. Three reads. The instance comes first: what it is may be why the service refuses the others, and is what there is to say then.
///
/// # Errors
/// Only where the instance itself could not be read.
pub async fn preflight(
    client: &Client,
    credentials: &Credentials,
    instance: &InstanceId,
    now: Timestamp,
) -> Result<PreflightFacts, CallError> {
    let attributes = client.describe_instance(credentials, instance).await?.value;
    let backups = async {
        let running = client.describe_backup_tasks(credentials, instance, None).await?.value;
        let sets = manual_sets(client, credentials, instance, now - BASELINE).await?.value;
        let running = running.into_iter().filter(|task| !matches!(task.state, JobState::Finished | JobState::Failed)).collect();
        Ok(Backups { running, sets })
    };
    Ok(PreflightFacts { instance: attributes, backups: backups.await })
}

/// All objects of an instance as the API server has them. One that does not deserialise is left out: its intent, if it has one, cannot be read
/// by anybody.
async fn of_instance(cluster: &Cluster, instance: &str) -> Result<Vec<RdsBackup>, cluster::Error> {
    cluster.list(&format!("spec.dbInstanceId={instance}")).await
}

/// Step 4. The uid of another object of the instance with an open intent, by a quorum LIST.
pub(super) async fn rival(
    cluster: &Cluster,
    accounts: &Accounts,
    instance: &str,
    own_uid: &str,
    now: Timestamp,
) -> Result<Option<String>, cluster::Error> {
    let others = of_instance(cluster, instance).await?;
    Ok(others
        .iter()
        .filter(|other| other.metadata.uid.as_deref() != Some(own_uid))
        .filter_map(|other| neighbour(other, accounts))
        .find(|other| other.open_since.is_some() && occupies(other, now))
        .map(|other| other.uid))
}

/// Step 8. Tasks, then sets, then claims: a job that ends between the first two is seen twice rather than never.
pub(super) async fn look(
    cluster: &Cluster,
    access: &Access,
    credentials: &Credentials,
    instance: &InstanceId,
    from: Timestamp,
    now: Timestamp,
) -> Result<Look, cluster::Error> {
    let client = &access.client;
    let read = async {
        let running = client.describe_backup_tasks(credentials, instance, None).await?;
        let sets = manual_sets(client, credentials, instance, from).await?;
        Ok::<_, CallError>((running.value, sets.value, sets.service_time))
    };
    let (running, sets, service_time) = match read.await {
        Ok(read) => read,
        Err(error) => return Ok(Look { at: now, result: Err(error) }),
    };
    let mut claims: Vec<Claim> = of_instance(cluster, instance.as_str()).await?.iter().filter_map(claim).collect();
    for claim in claims.iter_mut().filter(|claim| claim.backup_id.is_none() && !claim.without_set) {
        let Some(job) = claim.job_id.as_deref().map(JobId::new) else { continue };
        // The claim's object may live in another region's account only by mistake; the instance is the same, so any account may ask.
        match client.describe_backup_tasks(credentials, instance, Some(&job)).await {
            Ok(answer) => {
                if let Some(task) = answer.value.into_iter().find(|task| task.job_id == job) {
                    claim.without_set = !matches!(task.state, JobState::Finished);
                    claim.backup_id = task.backup_id.map(|id| id.to_string());
                }
            }
            Err(error) => return Ok(Look { at: now, result: Err(error) }),
        }
    }
    Ok(Look { at: service_time.unwrap_or(now), result: Ok(LookFacts { running, sets, claims }) })
}

/// Step 11. The job by its id, and its set once its id is known.
pub(super) async fn follow(
    access: &Access,
    credentials: &Credentials,
    instance: &InstanceId,
    job: Option<&JobId>,
    set: Option<&BackupId>,
) -> Result<(Option<BackupTask>, Option<BackupSet>), CallError> {
    let client = &access.client;
    let task = match job {
        Some(job) => {
            client.describe_backup_tasks(credentials, instance, Some(job)).await?.value.into_iter().find(|task| task.job_id == *job)
        }
        None => None,
    };
    let told = task.as_ref().and_then(|task| task.backup_id.clone());
    let listed = match told.as_ref().or(set) {
        Some(id) => {
            let query = SetQuery { backup_id: Some(id.clone()), ..SetQuery::of(instance.clone()) };
            let sets = client.describe_backups(credentials, &query).await?.value.sets;
            sets.into_iter().map(BackupSet::without_details).find(|set| set.backup_id == *id)
        }
        None => None,
    };
    Ok((task, listed))
}

/// The sets that somebody asked for since `from`, without what describes them: they stay in memory while an object waits.
async fn manual_sets(
    client: &Client,
    credentials: &Credentials,
    instance: &InstanceId,
    from: Timestamp,
) -> Result<Answer<Vec<BackupSet>>, CallError> {
    let query = SetQuery { mode: Some(ModeFilter::Manual), from: Some(from), ..SetQuery::of(instance.clone()) };
    let Answer { value, request_id, service_time } = client.describe_backups(credentials, &query).await?;
    Ok(Answer { value: value.sets.into_iter().map(BackupSet::without_details).collect(), request_id, service_time })
}

/// What an object claims: its recorded job and set.
fn claim(object: &RdsBackup) -> Option<Claim> {
    let status = object.status.as_ref()?;
    let origin = status.origin?;
    if status.backup_job_id.is_none() && status.backup_id.is_none() {
        return None;
    }
    // Of a job that is known to have failed there is nothing to ask.
    let failed = status.phase == Phase::Failed && status.ready_reason() == Some(Reason::BackupFailed.as_str());
    Some(Claim {
        uid: object.metadata.uid.clone().unwrap_or_default(),
        origin,
        job_id: status.backup_job_id.clone(),
        backup_id: status.backup_id.clone(),
        without_set: failed,
    })
}
