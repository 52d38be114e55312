//! One pass over a schedule: look, decide, create, write, delete. No rule lives here.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use kube::{Resource, runtime::controller::Action};
use tracing::{info, warn};

use super::{
    Context,
    context::Seat,
    decide::{Decision, Deletion, decide, settle},
    observation::{Child, Made, Observation, Outcome},
};
use crate::{
    api::{RdsBackup, RdsBackupSchedule, RdsBackupScheduleStatus, SCHEDULE_NAME_LABEL},
    controller::{self, Creation, Event, WriteResult},
};

/// A good pass has three: create, write, rest.
const MOST_STEPS: usize = 20;

/// A pass that failed is never tried again sooner.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

/// How long a status waits while many schedules create backups at the same moment: the backups come first.
const DEFERRAL: Duration = Duration::from_secs(4);

/// Why a pass could not be finished. It is tried again after a growing pause.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Cluster(#[from] controller::Error),
    /// The steps went round in a circle.
    #[error("no rest after {MOST_STEPS} steps")]
    NoRest,
}

/// One pass over one RdsBackupSchedule, tried again after a growing pause when it cannot be finished.
pub async fn reconcile(schedule: Arc<RdsBackupSchedule>, context: Arc<Context>) -> Action {
    let uid = schedule.metadata.uid.clone().unwrap_or_default();
    let mut due = None;
    match pass(schedule, &uid, &context, &mut due).await {
        Ok(action) => {
            context.desk.succeeded(&uid);
            action
        }
        Err(error) => {
            // The next slot does not wait for what went wrong with this one.
            let pause = context.desk.failed(&uid);
            let pause = due.map_or(pause, |due: SignedDuration| pause.min(due.unsigned_abs().max(SHORTEST_PAUSE)));
            warn!(%uid, %error, retry_in_s = pause.as_secs(), "the pass over a schedule could not be finished; it is tried again");
            Action::requeue(pause)
        }
    }
}

/// `due` is how long until there is something to do, as far as it was decided.
async fn pass(
    cached: Arc<RdsBackupSchedule>,
    uid: &str,
    context: &Arc<Context>,
    due: &mut Option<SignedDuration>,
) -> Result<Action, Error> {
    context.children.listed().await;
    let mut seat = context.desk.seat(uid).await;
    let mut object = seat.freshest.newest(cached);
    for _ in 0..MOST_STEPS {
        let now = context.clock.now();
        let decision = look_and_decide(&object, &mut seat, context, now);
        *due = decision.wait.or(*due);
        if let Some(child) = &decision.create {
            // Suspended, edited or deleted a moment ago: the cache may not know.
            match context.cluster.get(object.as_ref()).await? {
                None => return Ok(Action::await_change()),
                Some(live) if live.metadata.resource_version != object.metadata.resource_version => {
                    let live = Arc::new(live);
                    seat.freshest.moved(&object, live.clone());
                    object = live;
                }
                Some(_) if last_still_runs(child, &object, &mut seat, context).await? => {}
                Some(_) => create(child, &object, &mut seat, context).await,
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
                WriteResult::Yes(newest) => {
                    let newest: Arc<RdsBackupSchedule> = Arc::from(newest);
                    seat.freshest.moved(&object, newest.clone());
                    settle(&mut seat.memory, |name| is_cached(context, &object, name), true, now);
                    decision.events.iter().for_each(|event| publish(&object, event.clone(), context));
                    object = newest;
                    continue;
                }
                WriteResult::Gone => return Ok(Action::await_change()),
                WriteResult::Conflict => match context.cluster.get(object.as_ref()).await? {
                    None => return Ok(Action::await_change()),
                    Some(live) => {
                        let live = Arc::new(live);
                        seat.freshest.moved(&object, live.clone());
                        object = live;
                        continue;
                    }
                },
            }
        }
        settle(&mut seat.memory, |name| is_cached(context, &object, name), false, now);
        delete(&decision, &object, &mut seat, context);
        return Ok(decision.wait.map_or_else(Action::await_change, |wait| Action::requeue(wait.unsigned_abs())));
    }
    Err(Error::NoRest)
}

fn look_and_decide(object: &RdsBackupSchedule, seat: &mut Seat, context: &Context, now: Timestamp) -> Decision {
    let (namespace, name) = (object.metadata.namespace.as_deref().unwrap_or_default(), object.metadata.name.as_deref().unwrap_or_default());
    let found = context.children.of(namespace, name);
    let children: Vec<Child> =
        found.iter().filter_map(|guarded| guarded.0.as_ref().ok()).map(|child| Child::of(child, &object.spec.template)).collect();
    let valid = seat.plan(object, now).clone();
    let status = status_of(object);
    let observed = Observation { object, status: &status, children: &children, memory: &seat.memory };
    decide(&object.spec, &valid, &observed, now)
}

fn status_of(object: &RdsBackupSchedule) -> RdsBackupScheduleStatus {
    object.status.clone().unwrap_or_else(RdsBackupScheduleStatus::fresh)
}

fn is_cached(context: &Context, object: &RdsBackupSchedule, name: &str) -> bool {
    let (namespace, schedule) =
        (object.metadata.namespace.as_deref().unwrap_or_default(), object.metadata.name.as_deref().unwrap_or_default());
    context.children.of(namespace, schedule).iter().any(|child| child.meta().name.as_deref() == Some(name))
}

/// The newest backup is not in the cache: it was deleted, or the watch does not bring it. The API server knows which, and one that still runs
/// is remembered.
async fn last_still_runs(child: &RdsBackup, object: &RdsBackupSchedule, seat: &mut Seat, context: &Context) -> Result<bool, Error> {
    let Some(last) = object.status.as_ref().and_then(|status| status.last_backup.as_ref()).map(|last| last.name.clone()) else {
        return Ok(false);
    };
    let known = seat.memory.created.contains_key(&last) || is_cached(context, object, &last);
    if known || child.metadata.name.as_ref() == Some(&last) {
        return Ok(false);
    }
    let found: Option<RdsBackup> = context.cluster.named(object.metadata.namespace.as_deref().unwrap_or_default(), &last).await?;
    let runs = found.is_some_and(|found| {
        let of_schedule =
            found.metadata.labels.as_ref().and_then(|labels| labels.get(SCHEDULE_NAME_LABEL)) == object.metadata.name.as_ref();
        of_schedule && !found.status.as_ref().is_some_and(|status| status.phase.is_terminal())
    });
    if runs {
        seat.memory.created.insert(last, Made { at: context.clock.now(), outcome: Outcome::Created });
    }
    Ok(runs)
}

/// Creates the backup, and remembers what became of it.
async fn create(child: &RdsBackup, object: &RdsBackupSchedule, seat: &mut Seat, context: &Context) {
    let name = child.metadata.name.clone().unwrap_or_default();
    let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
    let now = context.clock.now();
    match create_or_find(child, object, context).await {
        Ok(outcome) => {
            info!(
                namespace,
                name = object.metadata.name.as_deref().unwrap_or_default(),
                backup = name,
                instance = %child.spec.db_instance_id,
                outcome = ?outcome,
                "RdsBackupSchedule"
            );
            if outcome == Outcome::Created {
                context.desk.created();
            }
            seat.memory.created.insert(name, Made { at: now, outcome });
        }
        Err(error) => {
            warn!(namespace, backup = name, %error, "the backup that is due could not be created; it is tried again");
            seat.memory.unanswered(&name, error.to_string(), now);
        }
    }
}

async fn create_or_find(child: &RdsBackup, object: &RdsBackupSchedule, context: &Context) -> Result<Outcome, controller::Error> {
    match context.cluster.create(child).await? {
        Creation::Created => Ok(Outcome::Created),
        Creation::Refused(words) => Ok(Outcome::Refused(words)),
        Creation::AlreadyExists => {
            let (namespace, name) =
                (object.metadata.namespace.as_deref().unwrap_or_default(), child.metadata.name.as_deref().unwrap_or_default());
            let Some(labels) = context.cluster.labels::<RdsBackup>(namespace, name).await? else {
                return Ok(Outcome::Unanswered {
                    words: format!("an RdsBackup {name} existed, and was deleted a moment later"),
                    tries: 1,
                    since: context.clock.now(),
                });
            };
            let ours = labels.get(SCHEDULE_NAME_LABEL).is_some_and(|label| Some(label) == object.metadata.name.as_ref());
            Ok(if ours { Outcome::Ours } else { Outcome::Foreign })
        }
    }
}

/// Removes objects beyond the history limits; backup sets in the cloud are not touched. It is done beside the passes, since an API server that
/// takes its time over ten deletions would delay the next slot by as much. One that cannot be deleted holds up nothing: the next pass tries
/// again.
fn delete(decision: &Decision, object: &RdsBackupSchedule, seat: &mut Seat, context: &Arc<Context>) {
    if decision.deletions.is_empty() || seat.deleting.as_ref().is_some_and(|task| !task.is_finished()) {
        return;
    }
    let (deletions, cluster) = (decision.deletions.clone(), context.cluster.clone());
    let namespace = object.metadata.namespace.clone().unwrap_or_default();
    seat.deleting = Some(context.tasks.spawn(async move {
        for Deletion { name, uid, resource_version } in deletions {
            match cluster.delete::<RdsBackup>(&namespace, &name, &uid, &resource_version).await {
                Ok(true) => info!(namespace, name, "an RdsBackup beyond the history limit was deleted; its backup set was not"),
                // Somebody was faster, or it has changed.
                Ok(false) => {}
                Err(error) => {
                    warn!(namespace, name, %error, "an RdsBackup beyond the history limit could not be deleted; it is tried again");
                    return;
                }
            }
        }
    }));
}

fn publish(object: &RdsBackupSchedule, event: Event, context: &Arc<Context>) {
    let (cluster, about, now) = (context.cluster.clone(), object.object_ref(&()), context.clock.now());
    context.tasks.spawn(async move { cluster.publish(about, event, now).await });
}
