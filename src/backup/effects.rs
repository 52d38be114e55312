//! What leaves the process besides status writes: reads of the cloud and of the API server, each with its result as the next observation.

use jiff::{SignedDuration, Timestamp};

use super::{
    observation::{Look, Others, PreflightFacts},
    observe::sibling,
    siblings,
};
use crate::{
    accounts::{Access, Account, Accounts},
    api::RdsBackup,
    controller::{self, Cluster},
    rds::{Answer, BackupId, BackupSet, BackupTask, CallError, Client, Credentials, InstanceId, JobId, ModeFilter, SetQuery},
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
        Ok((running, sets))
    };
    Ok(PreflightFacts::of(attributes, backups.await))
}

/// What the service reads out; asked for once more where it refuses the credentials and others have taken their place: a rotation is no matter
/// for anybody. Not for CreateBackup, which is sent once.
pub(super) async fn accepted<T: Told, F: Future<Output = T>>(
    account: &Account,
    credentials: Credentials,
    ask: impl Fn(Credentials) -> F,
) -> T {
    let answer = ask(credentials.clone()).await;
    match answer.trouble() {
        Some(CallError::Api(error)) if error.refuses_credentials() => {}
        _ => return answer,
    }
    match account.instead_of(&credentials).await {
        Some(others) => ask(others).await,
        None => answer,
    }
}

/// What an effect learnt, or what kept it from learning.
pub(super) trait Told {
    /// What went wrong with a call to the service.
    fn trouble(&self) -> Option<&CallError>;
}

impl Told for Result<PreflightFacts, CallError> {
    fn trouble(&self) -> Option<&CallError> {
        match self {
            Ok(facts) => facts.backups.as_ref().err(),
            Err(error) => Some(error),
        }
    }
}

impl Told for Result<Look, controller::Error> {
    fn trouble(&self) -> Option<&CallError> {
        self.as_ref().ok()?.result.as_ref().err()
    }
}

impl Told for Result<(Option<BackupTask>, Option<BackupSet>), CallError> {
    fn trouble(&self) -> Option<&CallError> {
        self.as_ref().err()
    }
}

/// All objects of an instance as the API server has them. One that does not deserialise is left out: its intent, if it has one, cannot be read
/// by anybody.
async fn of_instance(cluster: &Cluster, instance: &str) -> Result<Vec<RdsBackup>, controller::Error> {
    cluster.list(&format!("spec.dbInstanceId={instance}")).await
}

/// Step 4. The uid of another object of the instance with an open intent, by a quorum LIST.
pub(super) async fn rival(
    cluster: &Cluster,
    accounts: &Accounts,
    instance: &str,
    own_uid: &str,
    now: Timestamp,
) -> Result<Option<String>, controller::Error> {
    let listed = of_instance(cluster, instance).await?;
    Ok(siblings::rival(listed.iter().filter_map(|other| sibling(other, accounts)), own_uid, now))
}

/// Step 8. Tasks, then sets, then claims: a job that ends between the first two is seen twice rather than never.
pub(super) async fn look(
    cluster: &Cluster,
    access: &Access,
    credentials: &Credentials,
    instance: &InstanceId,
    from: Timestamp,
    now: Timestamp,
) -> Result<Look, controller::Error> {
    let client = &access.client;
    let read = async {
        let running = client.describe_backup_tasks(credentials, instance, None).await?;
        let sets = manual_sets(client, credentials, instance, from).await?;
        Ok::<_, CallError>((running, sets))
    };
    let (running, sets) = match read.await {
        Ok(read) => read,
        Err(error) => return Ok(Look { at: now, result: Err(error) }),
    };
    let mut others = Others::of(of_instance(cluster, instance.as_str()).await?.iter());
    for claim in &mut others.claims {
        let Some(job) = claim.unmapped_job().map(JobId::new) else { continue };
        // The claim's object may live in another region's account only by mistake; the instance is the same, so any account may ask.
        match client.describe_backup_tasks(credentials, instance, Some(&job)).await {
            Ok(answer) => claim.learn(&answer.value),
            Err(error) => return Ok(Look { at: now, result: Err(error) }),
        }
    }
    Ok(Look::of(running, sets, others, now))
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
