//! The stage of deletion: reached before every other one when the object has a deletionTimestamp, for ended objects too.
//!
//! An object that is being deleted exists only for as long as a finalizer keeps it. With `deletionPolicy: Delete` ours does, until the
//! set is deleted or it is known that it will not be, and never longer than `cleanupDeadline`. It is taken off without any other write. In
//! doubt no set is deleted.

use std::ops::ControlFlow::{self, Break, Continue};

use jiff::{SignedDuration, Timestamp};

use super::{
    availability, begun,
    decision::{Decision, Effect, Requeue},
    deletable::{self, in_words, not_ours},
    draft::Draft,
    end::close,
    errors, ttl,
};
use crate::{
    api::{ConditionType, FINALIZER, Phase, RdsBackup, RdsBackupStatus, Reason, Span, SubmissionOutcome},
    backup::{
        memory::{Findings, Inspection, Other},
        observation::Observation,
        policy::{CLEANUP_RECHECK, CREDENTIALS_RECHECK, FRESH, PAUSED_RECHECK, SLACK, STALLED_RECHECK, backoff, refused_deletion_pause},
        recorded,
    },
    controller::Surroundings,
    rds::{BackupId, BackupSet, CallError, Deletable, ErrorKind, InstanceId, Mode, SetDeletion},
    time::SaturatingTime,
};

/// Whether our finalizer keeps the object.
pub(super) fn is_kept(object: &RdsBackup) -> bool {
    object.metadata.finalizers.iter().flatten().any(|name| name == FINALIZER)
}

/// The finalizers that the object should have, if it has others: ours is there only where a set may have to be deleted. `submits`: its
/// request is about to be announced.
pub(super) fn other_finalizers(draft: &Draft<'_>, submits: bool) -> Option<Vec<String>> {
    let (object, status) = (draft.observed.object, draft.observed.status);
    let may_have_a_set = submits || status.phase == Phase::Succeeded || !status.phase.is_terminal() && begun::has_begun(status);
    let wanted = draft.spec.deletes_set() && may_have_a_set;
    let kept = is_kept(object);
    // An object that is being deleted takes no new ones.
    if draft.observed.is_being_deleted() || wanted == kept || (kept && draft.spec.deletes_set() && !status.phase.is_terminal()) {
        return None;
    }
    let mut finalizers = without_ours(object);
    finalizers.extend(wanted.then(|| FINALIZER.to_owned()));
    Some(finalizers)
}

fn without_ours(object: &RdsBackup) -> Vec<String> {
    object.metadata.finalizers.iter().flatten().filter(|name| *name != FINALIZER).cloned().collect()
}

/// Whether an ended object asks something of the service: its set is to be deleted, or nothing says yet whether it could be.
pub fn asks_of_its_set(object: &RdsBackup, status: &RdsBackupStatus) -> bool {
    let is_said = status.condition(ConditionType::DeletionSupported).is_some();
    let deleting = object.metadata.deletion_timestamp.is_some();
    status.phase == Phase::Succeeded && object.spec.deletes_set() && if deleting { is_kept(object) } else { !is_said }
}

/// An ended object that is not being deleted: what is said of its set follows the audits and `deletionPolicy`.
pub(super) fn ended(mut draft: Draft<'_>) -> Decision {
    let status = draft.observed.status;
    availability::say(&mut draft);
    let is_said = status.condition(ConditionType::DeletionSupported).is_some();
    let wanted = draft.spec.deletes_set() && status.phase == Phase::Succeeded;
    if draft.observed.is_being_deleted() {
        return draft.settled();
    }
    if wanted == is_said {
        return ttl::ended(draft);
    }
    if wanted
        && draft.observed.account.as_ref().is_ok_and(|account| account.credentials.is_ok())
        && let Some(read) = deletable::unread(&draft)
    {
        return draft.then(read);
    }
    deletable::say(&mut draft);
    ttl::ended(draft)
}

/// Deletes what is to be deleted, and lets go of the object; goes on where a job or a request of it is followed.
pub(super) fn stage(draft: Draft<'_>) -> ControlFlow<Decision, Draft<'_>> {
    let (observed, status) = (draft.observed, draft.observed.status);
    if !is_kept(observed.object) {
        return of_others(draft);
    }
    let under_way = !status.phase.is_terminal() && may_have_left(status);
    let set = recorded::result(status).set.filter(|_| status.phase == Phase::Succeeded);
    match set {
        None if !under_way => Break(let_go(draft, None)),
        None => follow(draft),
        Some(set) => Break(match wanted(&draft) {
            Err(Gone::Unwanted) => let_go(draft, None),
            Err(Gone::Kept(why)) => keep(draft, &set, &why),
            Ok(()) => delete(draft, &set),
        }),
    }
}

/// Without our finalizer: an ended object, and one that asked for nothing yet, need nothing; what is under way is followed for as long as the
/// object is there.
fn of_others(mut draft: Draft<'_>) -> ControlFlow<Decision, Draft<'_>> {
    let status = draft.observed.status;
    if status.phase.is_terminal() {
        return Break(draft.settled());
    }
    if status.has_result() {
        return Continue(draft);
    }
    match status.open_submission() {
        None if begun::lacks_its_job(status) => Continue(draft),
        None => Break(draft.settled()),
        Some(intent) if intent.cleared => Continue(draft),
        // It was never sent, and will not be: it must not hold the instance.
        Some(_) => {
            close(&mut draft, SubmissionOutcome::Unsent);
            draft.queue(Reason::NeverAccepted, "the object is being deleted; its request was withdrawn before it was sent");
            Break(draft.again())
        }
    }
}

/// Whether a request of the object may have reached the service.
fn may_have_left(status: &RdsBackupStatus) -> bool {
    status.has_result() || status.open_submission().is_some_and(|intent| intent.cleared) || begun::lacks_its_job(status)
}

/// Why the set is not deleted.
enum Gone {
    /// Nobody asks for it any more.
    Unwanted,
    /// It was asked for, and will not be.
    Kept(String),
}

/// Whether the object itself wants its set deleted.
fn wanted(draft: &Draft<'_>) -> Result<(), Gone> {
    if !draft.spec.deletes_set() {
        return Err(Gone::Unwanted);
    }
    if draft.observed.object.is_held() {
        return Err(Gone::Kept("the annotation rdsbackup.io/hold: \"true\" keeps it".to_owned()));
    }
    if let Some(why) = not_ours(draft.observed.status.origin) {
        return Err(Gone::Kept(why.to_owned()));
    }
    Ok(())
}

/// A job or a request is under way: with `Delete` it is followed to its set, which is deleted then. Nobody waits for it where everything
/// around it goes.
fn follow(draft: Draft<'_>) -> ControlFlow<Decision, Draft<'_>> {
    if !draft.spec.deletes_set() {
        return Break(abandon(draft, "deletionPolicy is Retain"));
    }
    if let Some(ends) = ends(draft.observed).filter(|ends| is_over(&draft, *ends)) {
        return Break(abandon(draft, &format!("its cleanupDeadline was {ends}")));
    }
    match around(&draft) {
        Around::Unread(read) => Break(draft.without_write(Some(read), Requeue::Now)),
        Around::Read(Surroundings { kind_is_going: true, .. }) => Break(abandon(draft, "the CustomResourceDefinition is being deleted")),
        Around::Read(Surroundings { namespace_is_going: true, .. }) => Break(abandon(draft, "its namespace is being deleted")),
        Around::Read(_) | Around::Failed { .. } => Continue(draft),
    }
}

/// When the object is let go of at the latest.
pub(super) fn ends(observed: &Observation<'_>) -> Option<Timestamp> {
    let deleted_at = observed.object.metadata.deletion_timestamp.as_ref()?.0;
    is_kept(observed.object).then(|| deleted_at.plus(observed.object.spec.cleanup_deadline()))
}

/// The API server took the object for deleted by its own clock.
fn is_over(draft: &Draft<'_>, ends: Timestamp) -> bool {
    draft.observed.time_is_known && draft.observed.server_now.unwrap_or(draft.now) >= ends
}

/// What is known of what the object stands in.
enum Around {
    /// Nothing that is new enough.
    Unread(Effect),
    Failed {
        why: String,
        pause: SignedDuration,
    },
    Read(Surroundings),
}

fn around(draft: &Draft<'_>) -> Around {
    let Some(known) = &draft.observed.memory.deletion.surroundings else { return Around::Unread(Effect::ReadSurroundings) };
    let age = draft.now.duration_since(known.at);
    match &known.result {
        Ok(surroundings) if age <= FRESH => Around::Read(*surroundings),
        Ok(_) => Around::Unread(Effect::ReadSurroundings),
        Err(why) => {
            let pause = backoff(known.failures, STALLED_RECHECK);
            if age >= pause {
                Around::Unread(Effect::ReadSurroundings)
            } else {
                Around::Failed { why: why.clone(), pause: pause.saturating_sub(age) }
            }
        }
    }
}

/// The set of an ended object is to be deleted.
fn delete(draft: Draft<'_>, set: &BackupId) -> Decision {
    let answer = draft.observed.memory.deletion.answer.as_ref();
    match answer.map(|answer| &answer.result) {
        Some(Ok(SetDeletion::Deleted)) => {
            return let_go(draft, Some((Reason::BackupSetDeleted, format!("the service deleted backup set {set}"))));
        }
        Some(Ok(SetDeletion::WasGone)) => return was_gone(draft, set),
        Some(Err(_)) | None => {}
    }
    if let Some(ends) = ends(draft.observed).filter(|ends| is_over(&draft, *ends)) {
        let last = draft.observed.status.condition(ConditionType::DeletionSupported);
        let last = last.filter(|last| last.reason == Reason::DeletionBlocked.as_str()).map(|last| format!(". {}", last.message));
        let why = format!(
            "it could not be deleted within cleanupDeadline ({}), which ended {ends}{}",
            Span::of(draft.spec.cleanup_deadline()),
            last.unwrap_or_default()
        );
        return keep(draft, set, &why);
    }
    let surroundings = match around(&draft) {
        Around::Unread(read) => return draft.without_write(Some(read), Requeue::Now),
        Around::Failed { why, pause } => return blocked(draft, set, &why, pause),
        Around::Read(surroundings) => surroundings,
    };
    if surroundings.kind_is_going {
        return keep(draft, set, "the CustomResourceDefinition is being deleted, and that deletes no backup set");
    }
    let attempt = Attempt { set, last: surroundings.namespace_is_going };
    if draft.observed.object.is_paused() || surroundings.is_paused {
        return attempt.fails(draft, "an annotation of the object or of its namespace pauses it", PAUSED_RECHECK);
    }
    let account = match draft.observed.account {
        Ok(account) => account,
        Err(blocker) => return attempt.fails(draft, &blocker.message, STALLED_RECHECK),
    };
    if account.paused {
        return attempt.fails(
            draft,
            "an administrator paused submissions in the operator's configuration, and deletions with them",
            PAUSED_RECHECK,
        );
    }
    if let Err(blocker) = &account.credentials {
        return attempt.fails(draft, &blocker.message, blocker.again_in.unwrap_or(CREDENTIALS_RECHECK));
    }
    let memory = &draft.observed.memory.deletion;
    if let Some(answer) = &memory.answer
        && let Err(error) = &answer.result
    {
        let (why, pause) = refusal(&draft, error, answer.failures);
        let left = answer.at.plus(pause).duration_since(draft.now);
        if left > SignedDuration::ZERO || attempt.last {
            return attempt.fails(draft, &why, left);
        }
    }
    let read = Effect::Inspect { instance: InstanceId::new(&draft.spec.db_instance_id), to_delete: Some(set.clone()) };
    match memory.inspection.as_ref().filter(|inspection| inspection.findings.others.is_some() || inspection.findings.trouble().is_some()) {
        Some(inspection) => attempt.inspected(draft, inspection, read),
        None => draft.without_write(Some(read), Requeue::Now),
    }
}

/// One try to delete a set.
struct Attempt<'s> {
    set: &'s BackupId,
    /// There is no other one: the namespace is being deleted, and must not wait.
    last: bool,
}

impl Attempt<'_> {
    fn fails(&self, draft: Draft<'_>, why: &str, again_in: SignedDuration) -> Decision {
        if self.last {
            return keep(
                draft,
                self.set,
                &format!("its namespace is being deleted, and the one try to delete the set came to nothing: {why}"),
            );
        }
        blocked(draft, self.set, why, again_in)
    }

    /// The set, its instance and the other objects of the instance were read.
    fn inspected(&self, draft: Draft<'_>, inspection: &Inspection, read: Effect) -> Decision {
        let Inspection { at, failures, findings } = inspection;
        let age = draft.now.duration_since(*at);
        if let Some(error) = findings.trouble() {
            if is_of_a_missing_instance(error) {
                let id = &draft.spec.db_instance_id;
                return keep(
                    draft,
                    self.set,
                    &format!("the service knows no instance {id} any more, and an instance takes its sets with it"),
                );
            }
            let (why, pause) = refusal(&draft, error, *failures);
            let pause = pause.saturating_sub(age);
            return if pause > SignedDuration::ZERO {
                self.fails(draft, &why, pause)
            } else {
                draft.without_write(Some(read), Requeue::Now)
            };
        }
        if age > FRESH {
            return draft.without_write(Some(read), Requeue::Now);
        }
        let Findings { instance: Ok(instance), set: Some(Ok(found)), others: Some(others), .. } = findings else {
            return draft.without_write(Some(read), Requeue::Now);
        };
        match others.first() {
            Some(Other::Names(name)) => return keep(draft, self.set, &format!("RdsBackup {name} names the same set")),
            Some(Other::Unreadable(name)) => {
                return self.fails(draft, &format!("{name} cannot be read, and may name the same set"), CLEANUP_RECHECK);
            }
            None => {}
        }
        let Some(found) = found else { return was_gone(draft, self.set) };
        if let Some(why) = is_another(&draft, found) {
            return keep(draft, self.set, why);
        }
        match deletable::judge(draft.observed.status, findings, instance, &draft) {
            Deletable::Never(why) => keep(draft, self.set, &in_words(why, instance)),
            Deletable::NotBefore(from) => self.not_before(draft, from),
            Deletable::Yes | Deletable::Unsure(_) => {
                let instance = instance.id.clone();
                draft.without_write(Some(Effect::DeleteSet { instance, set: self.set.clone() }), Requeue::Now)
            }
        }
    }

    /// The set is not old enough yet.
    fn not_before(&self, mut draft: Draft<'_>, from: Timestamp) -> Decision {
        let set = self.set;
        let why = format!("the service deletes it from {from} on");
        let ends = ends(draft.observed).unwrap_or(from);
        if from > ends {
            return keep(draft, set, &format!("{why}, and cleanupDeadline ends {ends}"));
        }
        if self.last {
            return self.fails(draft, &why, CLEANUP_RECHECK);
        }
        let message =
            format!("the object is being deleted; the service deletes backup set {set} from {from} on, and the object stays until then");
        draft.set_condition(ConditionType::DeletionSupported, "True", Reason::NotOldEnough, &message);
        let wait = from.duration_since(draft.now).clamp(SignedDuration::from_secs(1), CLEANUP_RECHECK);
        draft.wait(wait)
    }
}

/// Why a listed set is not the one that the object made; none if it is. The status may have been edited.
fn is_another(draft: &Draft<'_>, found: &BackupSet) -> Option<&'static str> {
    let recorded = draft.observed.status.started_at.as_ref().map(|time| time.0);
    let apart = found.started_at.zip(recorded).map(|(listed, recorded)| listed.duration_since(recorded).abs());
    match () {
        () if found.mode == Mode::Automated || !found.by_user => Some("the service lists it as one of the instance's own backups"),
        () if apart.is_none_or(|apart| apart > SLACK) => {
            Some("the set that the service lists under its id began at another time than this backup")
        }
        () => None,
    }
}

fn is_of_a_missing_instance(error: &CallError) -> bool {
    match error {
        CallError::NoInstance => true,
        CallError::Api(error) => error.kind() == ErrorKind::InstanceNotFound,
        _ => false,
    }
}

/// Why a call came to nothing, in words that stay the same while it does, and the pause before the next one.
fn refusal(draft: &Draft<'_>, error: &CallError, failures: u32) -> (String, SignedDuration) {
    let CallError::Api(error) = error else { return (error.to_string(), backoff(failures, STALLED_RECHECK)) };
    let action = error.action.unwrap_or("the call");
    let id = &draft.spec.db_instance_id;
    let why = match error.kind() {
        ErrorKind::AccessDenied => format!(
            "the RAM user or role may not call rds:{action} on acs:rds:*:*:dbinstance/{id}. {} ({})",
            error.meaning().cure,
            error.code
        ),
        _ => format!("the service answered {action} with {}: {}", error.code, errors::spoken(error)),
    };
    (why, refused_deletion_pause(error.kind(), failures))
}

/// The service has no such set.
fn was_gone(draft: Draft<'_>, set: &BackupId) -> Decision {
    let_go(draft, Some((Reason::BackupSetDeleted, format!("the service has no backup set {set} any more: there was nothing to delete"))))
}

/// The object goes, and its set stays.
fn keep(draft: Draft<'_>, set: &BackupId, why: &str) -> Decision {
    let note = format!("the RdsBackup goes, and backup set {set} stays: {why}");
    let_go(draft, Some((Reason::BackupSetKept, note)))
}

/// The object goes while its job runs, or while it is not known whether its request made one.
fn abandon(draft: Draft<'_>, why: &str) -> Decision {
    let job = recorded::result(draft.observed.status);
    let what = match job.key() {
        Some(job) => format!("job {job} goes on, and its backup set stays"),
        None => "its request may still make a backup, whose set stays".to_owned(),
    };
    let_go(draft, Some((Reason::Abandoned, format!("the RdsBackup goes while its backup is made ({why}); {what}"))))
}

/// Takes our finalizer off. Nothing else is written: what stands in the way of another write must not keep the object.
fn let_go(mut draft: Draft<'_>, event: Option<(Reason, String)>) -> Decision {
    if let Some((reason, note)) = event {
        draft.event(reason != Reason::BackupSetDeleted, reason, note);
    }
    let finalizers = without_ours(draft.observed.object);
    draft.set_finalizers(finalizers);
    draft.without_write(None, Requeue::Now)
}

/// The set cannot be deleted now.
fn blocked(mut draft: Draft<'_>, set: &BackupId, why: &str, again_in: SignedDuration) -> Decision {
    let ends = ends(draft.observed).unwrap_or(draft.now);
    let message = format!(
        "backup set {set} cannot be deleted now: {why}. It is tried again, and the object goes without it at {ends}, or when deletionPolicy is set to Retain"
    );
    let before = draft.observed.status.condition(ConditionType::DeletionSupported);
    if before.is_none_or(|before| before.message != message) {
        draft.event(true, Reason::DeletionBlocked, message.clone());
    }
    draft.set_condition(ConditionType::DeletionSupported, "False", Reason::DeletionBlocked, &message);
    let left = ends.duration_since(draft.observed.server_now.unwrap_or(draft.now));
    draft.wait(again_in.min(left).max(SignedDuration::from_secs(1)))
}
