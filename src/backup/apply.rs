//! Does what was decided: the status write, then at most one effect, whose result is the next observation. No rule lives here.

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use kube::{Resource, runtime::controller::Action};
use tokio::time::Instant;
use tracing::{info, warn};

use super::{
    Context, Error,
    decide::{self, Decision, Effect, Requeue},
    desk::Turn,
    effects,
    observation::OwnIntent,
    observe::{Observed, observe},
};
use crate::{
    accounts::Access,
    api::{RdsBackup, RdsBackupStatus, Reason},
    controller::{Cluster, Event, Written},
    rds::{CreateBackup, CreateOutcome, Credentials, Rejection, Stamp},
};

/// Another object of this process is submitting on the instance: its lock is free again within seconds.
const LOCKED_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause between two tries to record an answer. It is the only copy, so there is no last try.
const LONGEST_RECORD_PAUSE: Duration = Duration::from_secs(15);

/// Where a pass is after a step.
#[expect(clippy::large_enum_variant, reason = "it is taken apart at once")]
pub(super) enum Step {
    /// Something was learnt or written: look and decide again.
    Again(Turn),
    /// There is something to wait for.
    Rest(Action),
}

/// Whether a status stands.
enum Stands {
    /// It does; somebody may have to be told.
    Yes,
    /// Somebody wrote in between; the turn has the newest copy.
    Moved,
    /// The object is gone, or another stands under its name.
    Gone,
}

/// Does what was decided.
pub(super) async fn apply(mut turn: Turn, decision: Decision, observed: Observed, context: &Arc<Context>) -> Result<Step, Error> {
    if let Some(until) = decision.hold_until {
        turn.seat.memory.hold_until = Some(until);
    }
    if matches!(decision.effect, Some(Effect::Preflight { .. } | Effect::WriteIntent { .. })) && !holds_instance(&mut turn, context) {
        return Ok(Step::Rest(Action::requeue(LOCKED_PAUSE)));
    }
    if let Some(Effect::WriteIntent { nonce }) = &decision.effect {
        match context.cluster.get(turn.object.as_ref()).await? {
            Some(fresh) if fresh.metadata.resource_version == turn.object.metadata.resource_version => {}
            Some(fresh) => {
                turn.moved_to(fresh);
                return Ok(Step::Again(turn));
            }
            None => return Ok(gone(&turn, context)),
        }
        // Before the write: if its answer is lost, the intent is recognised as ours by its nonce.
        turn.seat.memory.own = Some(OwnIntent::new(nonce));
        turn.seat.intent_written = Some(Instant::now());
    }
    let quiet_for = turn.seat.damping.quiet_for(&turn.status, &decision.status, Instant::now());
    if quiet_for.is_none() {
        match write(&mut turn, &decision, &context.cluster, context).await? {
            Stands::Yes => {}
            Stands::Moved => return Ok(Step::Again(turn)),
            Stands::Gone => return Ok(gone(&turn, context)),
        }
    }
    if let (Some(quiet_for), None) = (quiet_for, &decision.effect) {
        let wait = if let Requeue::After(time) = decision.requeue { time.unsigned_abs().min(quiet_for) } else { quiet_for };
        return Ok(Step::Rest(Action::requeue(wait)));
    }
    match (decision.effect, decision.requeue) {
        (Some(effect), _) => act(turn, effect, observed, context).await,
        (None, Requeue::Now) => Ok(Step::Again(turn)),
        (None, Requeue::After(time)) => {
            settle(&mut turn, context);
            Ok(Step::Rest(Action::requeue(time.unsigned_abs())))
        }
        (None, Requeue::OnChange) => {
            // Once the cache shows the end too, there is nothing left to remember.
            if settle(&mut turn, context) {
                context.desk.forget(turn.uid());
            }
            Ok(Step::Rest(Action::await_change()))
        }
    }
}

/// One effect; its result goes into the memory.
async fn act(mut turn: Turn, effect: Effect, observed: Observed, context: &Arc<Context>) -> Result<Step, Error> {
    let means = observed.means;
    let missing = || Error::Means;
    let _admission = match (&effect, &means) {
        (Effect::Preflight { .. } | Effect::Look { .. } | Effect::Follow { .. }, Some((access, _))) => match access.client.admit() {
            Ok(admission) => Some(admission),
            Err(wait) => return Ok(Step::Rest(Action::requeue(wait))),
        },
        _ => None,
    };
    match effect {
        Effect::WriteIntent { .. } => {}
        Effect::Preflight { instance, attempt } => {
            let (access, credentials) = means.ok_or_else(missing)?;
            let (client, instance, now) = (&access.client, &instance, observed.now);
            let ask = |credentials| async move { effects::preflight(client, &credentials, instance, now).await };
            let result = effects::accepted(&access.account, credentials, ask).await;
            let at = context.clock.now() + access.client.clock_offset();
            turn.seat.memory.absorb_preflight(attempt, at, result);
        }
        Effect::Clear { nonce } => {
            let rival =
                effects::rival(&context.cluster, &context.accounts, &turn.object.spec.db_instance_id, turn.uid(), observed.now).await?;
            turn.seat.memory.absorb_rival(&nonce, rival);
        }
        Effect::Send { request, stamp } => {
            // A pass can be dropped at any await; the request and the record of its answer cannot.
            let detached = context.tasks.spawn(send_and_record(turn, *request, stamp, means, context.clone()));
            return detached.await.map_err(|_| Error::ShuttingDown);
        }
        Effect::Look { instance, from } => {
            let (access, credentials) = means.ok_or_else(missing)?;
            let (through, cluster, instance, now) = (&access, &context.cluster, &instance, observed.now);
            let ask = |credentials| async move { effects::look(cluster, through, &credentials, instance, from, now).await };
            let look = effects::accepted(&access.account, credentials, ask).await?;
            let status = turn.status.clone();
            decide::absorb_look(&mut turn.seat.memory.looks, &status, &access.account.settings.protocol, look);
        }
        Effect::Follow { instance, job, set } => {
            let (access, credentials) = means.ok_or_else(missing)?;
            let (through, instance, job, set) = (&access, &instance, job.as_ref(), set.as_ref());
            let ask = |credentials| async move { effects::follow(through, &credentials, instance, job, set).await };
            let polled = effects::accepted(&access.account, credentials, ask).await;
            let now = context.clock.now() + access.client.clock_offset();
            let key =
                decide::follow_key(turn.status.backup_job_id.as_deref(), turn.status.backup_id.as_deref()).unwrap_or_default().to_owned();
            turn.seat.memory.follow.absorb(&key, now, polled);
        }
    }
    Ok(Step::Again(turn))
}

/// Steps 5 to 7: sends at most once, then records what came of it for as long as the process lives.
async fn send_and_record(
    mut turn: Turn,
    request: CreateBackup,
    stamp: Stamp,
    means: Option<(Access, Credentials)>,
    context: Arc<Context>,
) -> Step {
    let answer = send(&mut turn, &request, &stamp, means, &context).await;
    turn.seat.memory.absorb_answer(&stamp.nonce, answer);
    let mut pause = Duration::from_millis(250);
    loop {
        match record(&mut turn, &context).await {
            Ok(Stands::Yes) => return Step::Again(turn),
            Ok(Stands::Moved) => {}
            Ok(Stands::Gone) => return gone(&turn, &context),
            Err(error) => {
                warn!(uid = turn.uid(), instance = %request.instance, %error, retry_in_s = pause.as_secs_f32(), "the answer to CreateBackup is not recorded yet");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_RECORD_PAUSE);
            }
        }
    }
}

async fn send(
    turn: &mut Turn,
    request: &CreateBackup,
    stamp: &Stamp,
    means: Option<(Access, Credentials)>,
    context: &Context,
) -> CreateOutcome {
    let not_sent = |why: &str| CreateOutcome::Rejected(Rejection::NotSent { why: why.to_owned() });
    let Some((access, credentials)) = means else { return not_sent("the account's credentials could not be read") };
    let since_intent = turn.seat.intent_written.and_then(|written| SignedDuration::try_from(written.elapsed()).ok());
    if let Err(why) = turn.seat.memory.leave(&stamp.nonce, since_intent) {
        return not_sent(why);
    }
    if context.cluster.may_begin().is_err() {
        return not_sent("the lease was not renewed in time, and another replica may lead");
    }
    context.counters.requests_sent.inc();
    let answer = access.client.create_backup(&credentials, request, stamp).await;
    if matches!(answer, CreateOutcome::Unknown(_)) {
        context.counters.outcomes_unknown.inc();
    }
    answer
}

/// Records the answer in the newest copy of the object, if it must be.
async fn record(turn: &mut Turn, context: &Arc<Context>) -> Result<Stands, Error> {
    if !turn.refresh(context).await? {
        return Ok(Stands::Gone);
    }
    let observed = observe(turn, context).await;
    let decision = decide::record(&turn.object.spec, &observed.seen(turn), observed.now);
    match decision {
        // The request was sent while this process led; its record is the end of that, not something new.
        Some(decision) => write(turn, &decision, &context.cluster.unfenced(), context).await,
        None => Ok(Stands::Yes),
    }
}

/// Writes the status if it differs, and tells of it.
async fn write(turn: &mut Turn, decision: &Decision, cluster: &Cluster, context: &Arc<Context>) -> Result<Stands, Error> {
    if decision.status == turn.status {
        return Ok(Stands::Yes);
    }
    match cluster.write_status(turn.object.as_ref(), &decision.status).await {
        Ok(Written::Yes(newest)) => {
            let before = std::mem::replace(&mut turn.status, decision.status.clone());
            turn.moved_to(*newest);
            // As the API server has it: that is what the cache will show.
            let after = turn.status.clone();
            turn.seat.damping.said(&before, &after, Instant::now());
            turn.seat.owes_wake |= decision.wakes;
            if after.phase.is_terminal() {
                context.desk.wrote_end(turn.uid());
            }
            tell(turn, &before, decision, context);
            Ok(Stands::Yes)
        }
        Ok(Written::Gone) => Ok(Stands::Gone),
        Ok(Written::Conflict) => match context.cluster.get(turn.object.as_ref()).await {
            Ok(Some(newest)) => {
                turn.moved_to(newest);
                Ok(Stands::Moved)
            }
            Ok(None) => Ok(Stands::Gone),
            Err(error) => {
                turn.unsure();
                Err(error.into())
            }
        },
        Err(error) => {
            turn.unsure();
            Err(error.into())
        }
    }
}

/// The events of a transition, and its line in the log.
fn tell(turn: &Turn, before: &RdsBackupStatus, decision: &Decision, context: &Arc<Context>) {
    let after = &decision.status;
    if before.phase != after.phase || before.ready_reason() != after.ready_reason() {
        info!(
            namespace = turn.namespace(),
            name = turn.name(),
            uid = turn.uid(),
            instance = %turn.object.spec.db_instance_id,
            phase = after.phase.as_str(),
            reason = after.ready_reason().unwrap_or_default(),
            job_id = after.backup_job_id.as_deref().unwrap_or_default(),
            backup_id = after.backup_id.as_deref().unwrap_or_default(),
            request_id = after.request_id.as_deref().or(after.last_error.as_ref().and_then(|error| error.request_id.as_deref())).unwrap_or_default(),
            "RdsBackup"
        );
    }
    for event in &decision.events {
        publish(turn, event.clone(), context);
    }
}

fn publish(turn: &Turn, event: Event, context: &Arc<Context>) {
    let (cluster, about, now) = (context.cluster.clone(), turn.object.object_ref(&()), context.clock.now());
    context.tasks.spawn(async move { cluster.publish(about, event, now).await });
}

/// The object was deleted, or another stands under its name. What it started is said aloud: nobody follows it any more.
fn gone(turn: &Turn, context: &Arc<Context>) -> Step {
    if let Some(job) = turn.seat.memory.own.as_ref().and_then(unrecorded_job) {
        let note = format!(
            "the RdsBackup was deleted while its request was under way; the service accepted it as job {job}, which nobody follows"
        );
        warn!(namespace = turn.namespace(), name = turn.name(), uid = turn.uid(), instance = %turn.object.spec.db_instance_id, job_id = job, "{note}");
        publish(turn, Event::new(true, Reason::Abandoned, note), context);
    }
    context.desk.forget(turn.uid());
    Step::Rest(Action::await_change())
}

fn unrecorded_job(own: &OwnIntent) -> Option<String> {
    match &own.answer {
        Some(CreateOutcome::Accepted { job_id, .. }) => Some(job_id.to_string()),
        _ => None,
    }
}

/// Takes the instance's lock, if this turn has it not yet.
fn holds_instance(turn: &mut Turn, context: &Context) -> bool {
    if turn.instance.is_none() {
        turn.instance = context.desk.lock_instance(&turn.object.spec.db_instance_id);
    }
    turn.instance.is_some()
}

/// At rest. Says whether the cache is as new as what this process wrote; only then can others see that it is their turn, and are woken.
fn settle(turn: &mut Turn, context: &Context) -> bool {
    let caught_up = turn.is_cached();
    if caught_up && std::mem::take(&mut turn.seat.owes_wake) {
        let (uid, instance) = (turn.uid(), &turn.object.spec.db_instance_id);
        for guarded in context.cached() {
            if let Ok(other) = &guarded.0
                && other.spec.db_instance_id == *instance
                && other.metadata.uid.as_deref() != Some(uid)
                && !other.status.as_ref().is_some_and(|status| status.phase.is_terminal())
            {
                // A closed channel means that the process is about to end.
                let _ = context.wake.unbounded_send(reference(other));
            }
        }
    }
    caught_up
}

fn reference(object: &RdsBackup) -> kube::runtime::reflector::ObjectRef<super::context::Guarded> {
    let name = object.metadata.name.as_deref().unwrap_or_default();
    kube::runtime::reflector::ObjectRef::new(name).within(object.metadata.namespace.as_deref().unwrap_or_default())
}
