//! One pass over a schedule: look, decide, create, write, delete. No rule lives here.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use kube::{Resource, runtime::controller::Action};
use tracing::{info, warn};

use super::{
    Context,
    context::Seat,
    decide::{Decision, decide, settle},
    seen::{Child, Made, Outcome, Seen},
};
use crate::{
    api::{RdsBackup, RdsBackupSchedule, RdsBackupScheduleStatus, SCHEDULE_NAME_LABEL},
    cluster::{self, Creation, Event, Written},
};

/// A good pass has three: create, write, rest.
const MOST_STEPS: usize = 20;

/// How long a status waits while many schedules create backups at the same moment: the backups come first.
const DEFERRAL: Duration = Duration::from_secs(4);

/// Why a pass could not be finished. It is tried again after a growing pause.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Cluster(#[from] cluster::Error),
    /// The steps went round in a circle.
    #[error("no rest after {MOST_STEPS} steps")]
    NoRest,
}

/// One pass over one RdsBackupSchedule, tried again after a growing pause when it cannot be finished.
pub async fn reconcile(schedule: Arc<RdsBackupSchedule>, context: Arc<Context>) -> Action {
    let uid = schedule.metadata.uid.clone().unwrap_or_default();
    match pass(schedule, &uid, &context).await {
        Ok(action) => {
            context.desk.succeeded(&uid);
            action
        }
        Err(error) => {
            let pause = context.desk.failed(&uid);
            warn!(%uid, %error, retry_in_s = pause.as_secs(), "the pass over a schedule could not be finished; it is tried again");
            Action::requeue(pause)
        }
    }
}

async fn pass(cached: Arc<RdsBackupSchedule>, uid: &str, context: &Arc<Context>) -> Result<Action, Error> {
    context.children.listed().await;
    let mut seat = context.desk.seat(uid).await;
    let mut object = seat.newest(cached);
    for _ in 0..MOST_STEPS {
        let now = context.clock.now();
        let decision = look_and_decide(&object, &mut seat, context, now);
        if let Some(child) = &decision.create {
            // Suspended, edited or deleted a moment ago: the cache may not know.
            match context.cluster.get(object.as_ref()).await? {
                None => return Ok(Action::await_change()),
                Some(live) if live.metadata.resource_version != object.metadata.resource_version => {
                    let live = Arc::new(live);
                    seat.moved_to(&object, live.clone());
                    object = live;
                }
                Some(_) => create(child, &object, &mut seat, context).await?,
            }
            continue;
        }
        if decision.status != status_of(&object) {
            if !seat.deferred && context.desk.is_burst() {
                seat.deferred = true;
                return Ok(Action::requeue(DEFERRAL));
            }
            seat.deferred = false;
            match context.cluster.write_status(object.as_ref(), &decision.status).await? {
                Written::Yes(newest) => {
                    let newest = Arc::from(newest);
                    seat.moved_to(&object, newest);
                    settle(&mut seat.memory, |name| is_cached(context, &object, name), true, now);
                    decision.events.iter().for_each(|event| publish(&object, event.clone(), context));
                    if let Some(latest) = seat.latest() {
                        object = latest;
                    }
                    continue;
                }
                Written::Gone => return Ok(Action::await_change()),
                Written::Conflict => match context.cluster.get(object.as_ref()).await? {
                    None => return Ok(Action::await_change()),
                    Some(live) => {
                        let live = Arc::new(live);
                        seat.moved_to(&object, live.clone());
                        object = live;
                        continue;
                    }
                },
            }
        }
        settle(&mut seat.memory, |name| is_cached(context, &object, name), false, now);
        delete(&decision, &object, context).await?;
        return Ok(decision.wait.map_or_else(Action::await_change, |wait| Action::requeue(wait.unsigned_abs())));
    }
    Err(Error::NoRest)
}

fn look_and_decide(object: &RdsBackupSchedule, seat: &mut Seat, context: &Context, now: Timestamp) -> Decision {
    let (namespace, name) = (object.metadata.namespace.as_deref().unwrap_or_default(), object.metadata.name.as_deref().unwrap_or_default());
    let found = context.children.of(namespace, name);
    let children: Vec<Child> =
        found.iter().filter_map(|guarded| guarded.0.as_ref().ok()).map(|child| Child::of(child, &object.spec.template)).collect();
    let plan = seat.plan(object, now).clone();
    let status = status_of(object);
    let seen = Seen { object, status: &status, children: &children, memory: &seat.memory };
    decide(&object.spec, &plan, &seen, now)
}

fn status_of(object: &RdsBackupSchedule) -> RdsBackupScheduleStatus {
    object.status.clone().unwrap_or_else(RdsBackupScheduleStatus::fresh)
}

fn is_cached(context: &Context, object: &RdsBackupSchedule, name: &str) -> bool {
    let (namespace, schedule) =
        (object.metadata.namespace.as_deref().unwrap_or_default(), object.metadata.name.as_deref().unwrap_or_default());
    context.children.of(namespace, schedule).iter().any(|child| child.meta().name.as_deref() == Some(name))
}

/// Creates the backup, and remembers what became of it.
async fn create(child: &RdsBackup, object: &RdsBackupSchedule, seat: &mut Seat, context: &Context) -> Result<(), Error> {
    let name = child.metadata.name.clone().unwrap_or_default();
    let creation = context.cluster.create(child).await?;
    let ours = match creation {
        Creation::AlreadyExists => is_ours(&name, object, context).await?,
        Creation::Created | Creation::Refused(_) => false,
    };
    let outcome = Outcome::of(creation, ours);
    info!(
        namespace = object.metadata.namespace.as_deref().unwrap_or_default(),
        name = object.metadata.name.as_deref().unwrap_or_default(),
        backup = name,
        instance = %child.spec.db_instance_id,
        outcome = ?outcome,
        "RdsBackupSchedule"
    );
    if outcome == Outcome::Created {
        context.desk.created();
    }
    seat.memory.created.insert(name, Made { at: context.clock.now(), outcome });
    Ok(())
}

/// Whether the object of that name carries the schedule's name.
async fn is_ours(name: &str, object: &RdsBackupSchedule, context: &Context) -> Result<bool, Error> {
    let found: Option<RdsBackup> = context.cluster.named(object.metadata.namespace.as_deref().unwrap_or_default(), name).await?;
    let label = found.and_then(|found| found.metadata.labels).and_then(|mut labels| labels.remove(SCHEDULE_NAME_LABEL));
    Ok(label.is_some() && label == object.metadata.name)
}

/// Removes objects beyond the history limits; backup sets in the cloud are not touched.
async fn delete(decision: &Decision, object: &RdsBackupSchedule, context: &Context) -> Result<(), Error> {
    let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
    for deletion in &decision.deletions {
        let deleted = context.cluster.delete::<RdsBackup>(namespace, &deletion.name, &deletion.uid, &deletion.resource_version).await?;
        if deleted {
            info!(namespace, name = deletion.name, "an RdsBackup beyond the history limit was deleted; its backup set was not");
        }
    }
    Ok(())
}

fn publish(object: &RdsBackupSchedule, event: Event, context: &Arc<Context>) {
    let (cluster, about, now) = (context.cluster.clone(), object.object_ref(&()), context.clock.now());
    context.tasks.spawn(async move { cluster.publish(about, event, now).await });
}
