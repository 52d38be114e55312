//! Asks the service about the sets of each instance when that is due, and wakes the objects whose status says otherwise. It writes nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use kube::runtime::reflector::ObjectRef;
use tracing::{debug, info};

use super::{context::Context, decide::is_news, recorded};
use crate::{
    accounts::Access,
    api::{Phase, RdsBackup},
    audit::{Audited, Finding, Listed, Pace, Schedule, Target, verdict},
    rds::{Answer, BackupId, BackupSet, CallError, Credentials, ErrorKind, InstanceId, ModeFilter, SetList, SetQuery},
    time::SaturatingTime,
};

/// How often it is looked what is due.
const TICK: Duration = Duration::from_secs(1);

/// The service lists the starts of sets in minutes.
const MINUTE: jiff::SignedDuration = jiff::SignedDuration::from_secs(60);

/// The succeeded objects of each target.
type ByTarget = BTreeMap<Target, Vec<Arc<RdsBackup>>>;

/// Looks for ever.
pub async fn run(context: Arc<Context>) {
    let mut schedule = Schedule::default();
    context.audits.begin(context.clock.now());
    loop {
        tokio::time::sleep(TICK).await;
        let now = context.clock.now();
        let pace = |account: &str| pace_of(&context, account);
        let all = targets(&context);
        for target in context.audits.take_hurried() {
            schedule.hurry(&target, now);
        }
        let names: BTreeSet<Target> = all.keys().cloned().collect();
        for target in schedule.due(&names, pace, now) {
            let objects = all.get(&target).map(Vec::as_slice).unwrap_or_default();
            let looked = look(&context, &target, objects).await;
            let whole = looked.result.is_ok();
            if let Err(why) = &looked.result {
                info!(account = target.account, namespace = target.namespace, instance = target.instance, %why, "backup sets could not be looked at; that is tried again");
            }
            schedule.looked(&target, pace(&target.account), looked.calls, whole, context.clock.now());
        }
    }
}

fn pace_of(context: &Context, account: &str) -> Pace {
    let settings = context.accounts.audit(account);
    Pace { every: settings.every, calls_per_hour: settings.calls_per_hour }
}

fn targets(context: &Context) -> ByTarget {
    let mut all = ByTarget::new();
    for guarded in context.cached() {
        let Ok(object) = &guarded.0 else { continue };
        if let Some(target) = target_of(object) {
            all.entry(target).or_default().push(object.clone());
        }
    }
    all
}

/// What an object's set is looked at with; none where there is no set to look for.
fn target_of(object: &RdsBackup) -> Option<Target> {
    let status = object.status.as_ref()?;
    let has_set = status.phase == Phase::Succeeded && status.backup_id.is_some() && object.metadata.deletion_timestamp.is_none();
    has_set.then(|| Target {
        account: object.spec.account.clone(),
        namespace: object.metadata.namespace.clone().unwrap_or_default(),
        instance: object.spec.db_instance_id.clone(),
    })
}

/// What a look came to.
struct Looked {
    calls: u32,
    result: Result<(), String>,
}

async fn look(context: &Context, target: &Target, objects: &[Arc<RdsBackup>]) -> Looked {
    let mut service = match Service::of(context, target, objects).await {
        Ok(service) => service,
        Err(why) => return Looked { calls: 0, result: Err(why) },
    };
    let result = service.compare(context, objects).await.map_err(|error| error.to_string());
    debug!(account = target.account, instance = target.instance, calls = service.calls, objects = objects.len(), "looked at backup sets");
    Looked { calls: service.calls, result }
}

/// The service, as the objects of a target may ask it.
struct Service {
    access: Access,
    credentials: Credentials,
    instance: InstanceId,
    calls: u32,
    /// The retention of the instance's policy, once it was asked for.
    retention: Option<Option<u32>>,
}

impl Service {
    async fn of(context: &Context, target: &Target, objects: &[Arc<RdsBackup>]) -> Result<Self, String> {
        let Some(object) = objects.first() else { return Err("there is nothing to look for".to_owned()) };
        let access =
            context.accounts.access(&target.namespace, &object.spec, recorded::region(object)).map_err(|error| error.to_string())?;
        let credentials = access.credentials().await.map_err(|error| error.to_string())?;
        Ok(Self { access, credentials, instance: InstanceId::new(&target.instance), calls: 0, retention: None })
    }

    async fn compare(&mut self, context: &Context, objects: &[Arc<RdsBackup>]) -> Result<(), CallError> {
        let starts = objects.iter().filter_map(|object| Some(object.status.as_ref()?.started_at.as_ref()?.0));
        let from = starts.min().map(|oldest| oldest.minus(MINUTE));
        let query = SetQuery { mode: Some(ModeFilter::Manual), from, ..SetQuery::of(self.instance.clone()) };
        let (listed, at) = match self.sets(&query).await {
            // Asked in the recorded region, it is gone, or not the account's any more.
            Err(error) if is_of_a_missing_instance(&error) => return self.compare_detached(context, objects, &query).await,
            listed => listed?,
        };
        let by_id: BTreeMap<&str, &BackupSet> = listed.iter().map(|set| (set.backup_id.as_str(), set)).collect();
        for object in objects {
            let Some(status) = &object.status else { continue };
            let Some(id) = recorded::result(status).set else { continue };
            let finding = match by_id.get(id.as_str()) {
                Some(set) => verdict(status, Listed::As(set), at),
                None => self.missing(object, id, at).await?,
            };
            note(context, object, Audited { at, finding });
        }
        Ok(())
    }

    /// An instance takes its sets with it, but for those that its policy keeps.
    async fn compare_detached(&mut self, context: &Context, objects: &[Arc<RdsBackup>], query: &SetQuery) -> Result<(), CallError> {
        let told = self.access.client.describe_detached_backups(&self.credentials, query, &self.access.region_id).await;
        let told = match self.counted(told, query) {
            Err(error) if will_not_be_told(&error) => None,
            told => Some(told?),
        };
        let (kept, at) = told.unwrap_or_else(|| (Vec::new(), self.access.client.now()));
        for object in objects {
            let Some(status) = &object.status else { continue };
            let id = recorded::result(status).set;
            let listed = match kept.iter().find(|set| Some(&set.backup_id) == id.as_ref()) {
                Some(set) => Listed::As(set),
                None => Listed::Nowhere { retention_days: None },
            };
            note(context, object, Audited { at, finding: verdict(status, listed, at) });
        }
        Ok(())
    }

    /// A set that is not in the list is asked for by its id before it counts as gone.
    async fn missing(&mut self, object: &RdsBackup, id: BackupId, at: Timestamp) -> Result<Finding, CallError> {
        let status = object.status.clone().unwrap_or_default();
        let query = SetQuery { backup_id: Some(id.clone()), ..SetQuery::of(self.instance.clone()) };
        let (found, _) = self.sets(&query).await?;
        if let Some(set) = found.iter().find(|set| set.backup_id == id) {
            return Ok(verdict(&status, Listed::As(set), at));
        }
        let retention_days = self.retention().await?;
        Ok(verdict(&status, Listed::Nowhere { retention_days }, at))
    }

    async fn retention(&mut self) -> Result<Option<u32>, CallError> {
        if let Some(known) = self.retention {
            return Ok(known);
        }
        self.calls = self.calls.saturating_add(1);
        let days = match self.access.client.describe_backup_policy(&self.credentials, &self.instance).await {
            Ok(policy) => policy.value.retention_days,
            // Nobody says when sets go.
            Err(error) if will_not_be_told(&error) => None,
            Err(error) => return Err(error),
        };
        self.retention = Some(days);
        Ok(days)
    }

    async fn sets(&mut self, query: &SetQuery) -> Result<(Vec<BackupSet>, Timestamp), CallError> {
        let told = self.access.client.describe_backups(&self.credentials, query).await;
        self.counted(told, query)
    }

    /// Counts the calls of a listing.
    fn counted(&mut self, told: Result<Answer<SetList>, CallError>, query: &SetQuery) -> Result<(Vec<BackupSet>, Timestamp), CallError> {
        let pages = told.as_ref().map_or(1, |told| told.value.sets.len().div_ceil(query.page_size.rows()).max(1));
        self.calls = self.calls.saturating_add(u32::try_from(pages).unwrap_or(u32::MAX));
        let told = told?;
        Ok((told.value.sets, told.service_time.unwrap_or_else(|| self.access.client.now())))
    }
}

/// Whether the service does not say it, however often it is asked: without the right, or where it does not know the call.
fn will_not_be_told(error: &CallError) -> bool {
    let CallError::Api(error) = error else { return false };
    matches!(
        error.kind(),
        ErrorKind::AccessDenied
            | ErrorKind::DeniedByService
            | ErrorKind::UnsupportedInstance
            | ErrorKind::UnsupportedMethod
            | ErrorKind::InvalidParameter
            | ErrorKind::InstanceNotFound
            | ErrorKind::WrongEndpoint
    )
}

fn is_of_a_missing_instance(error: &CallError) -> bool {
    match error {
        CallError::NoInstance => true,
        CallError::Api(error) => error.kind() == ErrorKind::InstanceNotFound,
        _ => false,
    }
}

/// Keeps what was found, and has the object's own pass write it where its status says otherwise.
fn note(context: &Context, object: &RdsBackup, audited: Audited) {
    let Some(status) = &object.status else { return };
    let is_news = is_news(status, &audited);
    context.audits.note(object.metadata.uid.as_deref().unwrap_or_default(), audited);
    if is_news {
        let (name, namespace) =
            (object.metadata.name.as_deref().unwrap_or_default(), object.metadata.namespace.as_deref().unwrap_or_default());
        // A closed channel means that the process is about to end.
        let _ = context.wake.unbounded_send(ObjectRef::new(name).within(namespace));
    }
}
