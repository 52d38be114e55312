//! Sets that are there already: that of `existingBackupId` becomes the object's own record, and with `reuseIfNewerThan` the set of an equal
//! backup that is young enough is this object's too. Nothing is requested for either. A set counts only once the service was asked for it.

use std::ops::ControlFlow::{self, Break, Continue};

use jiff::{SignedDuration, Timestamp};

use super::{
    decision::{Decision, Effect},
    draft::Draft,
    end::{self, waits_for_somebody},
    preflight::{self, Unread},
    text::clip,
};
use crate::{
    api::{BackupType, ConditionType, Effective, Origin, Phase, RdsBackup, RdsBackupSpec, Reason, Span},
    backup::{
        memory::{Candidate, TakingIn, Verified, VerifiedSet},
        observation::AccountView,
        policy::{FRESH, UNUSABLE_AFTER},
        request::InstanceObjects,
        spec::ValidatedSpec,
    },
    rds::{BackupId, BackupRef, BackupSet, CreateBackup, SetStatus},
};

/// `existingBackupId`: the object is the record of that set as soon as the service lists it as usable.
pub(super) fn existing(draft: Draft<'_>, valid: &ValidatedSpec, account: &AccountView, id: &BackupId) -> Decision {
    let read = verify(valid, id);
    let told = match told(draft, valid, account, id) {
        Break(decision) => return decision,
        Continue(told) => told,
    };
    let Told { mut draft, verified, facts } = told;
    let age = draft.now.duration_since(verified.at);
    let instance = &valid.request.instance;
    let Some(set) = &facts.set else {
        let message = format!(
            "the service lists no backup set {id} of {instance}. Correct dbInstanceId or existingBackupId in another RdsBackup; a set whose retention is over is gone"
        );
        let pause = draft.stalled_recheck();
        if age >= pause {
            return draft.then(read);
        }
        draft.stall(Phase::Pending, Reason::BackupSetNotFound, &message);
        return waits_for_somebody(draft, valid.queue_timeout, pause.saturating_sub(age));
    };
    if is_usable(set) {
        record(&mut draft, account, &facts, Origin::Existing);
        end::succeed_as(&mut draft, set, &format!("backup set {id} was taken in: it exists and is usable"));
        return draft.again();
    }
    let why = match (set.status, set.unusable()) {
        (SetStatus::Failed, _) => format!("backup set {id} is of a backup that failed: there is nothing to restore"),
        (SetStatus::Success, Some(why)) => format!("backup set {id} cannot be restored: {why}. Look at it in the console"),
        (SetStatus::Success | SetStatus::Unknown, _) if age >= account.poll.max => return draft.then(read),
        (SetStatus::Success | SetStatus::Unknown, _) => {
            draft.queue(Reason::Finalizing, &format!("the service lists backup set {id} as not finished yet"));
            return draft.wait(account.poll.max.saturating_sub(age));
        }
    };
    if !draft.observed.memory.taking_in.is_unusable(id) {
        return ask_again(draft, id, read, age);
    }
    draft.fail(Reason::BackupNotUsable, &why);
    draft.again()
}

/// One answer that speaks against a set is not enough.
fn ask_again(mut draft: Draft<'_>, id: &BackupId, read: Effect, age: SignedDuration) -> Decision {
    if age >= UNUSABLE_AFTER {
        return draft.then(read);
    }
    draft.queue(Reason::Finalizing, &format!("the service does not list backup set {id} as usable; it is asked once more"));
    draft.wait(UNUSABLE_AFTER.saturating_sub(age))
}

/// `reuseIfNewerThan`: the object ends with the set of an equal backup, or goes on to make one of its own. `held_for`: what was found so long
/// ago still counts.
pub(super) fn reused<'a>(
    draft: Draft<'a>,
    valid: &ValidatedSpec,
    account: &AccountView,
    held_for: SignedDuration,
) -> ControlFlow<Decision, Draft<'a>> {
    let Some(age) = valid.reuse_if_newer_than else { return Continue(draft) };
    let memory = &draft.observed.memory.taking_in;
    let looked = memory.reusable.as_ref().filter(|looked| draft.now.duration_since(looked.at) <= held_for);
    let Some(looked) = looked else { return Break(draft.then(Effect::LookForReusable)) };
    let is_enough =
        |candidate: &&Candidate| candidate.is_young(draft.observed.created_at(), draft.now, age) && !memory.is_unusable(&candidate.set);
    let Some(candidate) = looked.candidates.iter().find(is_enough).cloned() else { return Continue(draft) };
    let Told { mut draft, verified, facts } = told(draft, valid, account, &candidate.set)?;
    let read = verify(valid, &candidate.set);
    let verified_for = draft.now.duration_since(verified.at);
    let Some(set) = facts.set.as_ref().filter(|set| is_usable(set)) else {
        return Break(ask_again(draft, &candidate.set, read, verified_for));
    };
    if verified_for > FRESH {
        return Break(draft.then(read));
    }
    record(&mut draft, account, &facts, Origin::Reused);
    draft.status.reused_from = Some(candidate.name.clone());
    let ago = Span::for_people(draft.now.duration_since(candidate.started_at));
    end::succeed_as(
        &mut draft,
        set,
        &format!("no other backup was made: backup set {} of RdsBackup {} is usable and began {ago} ago", candidate.set, candidate.name),
    );
    Break(draft.again())
}

/// Whether a listed set may stand for a backup.
pub fn is_usable(set: &BackupSet) -> bool {
    set.status == SetStatus::Success && set.unusable().is_none()
}

/// What the service says of a set, and the decision that goes on with it.
struct Told<'a> {
    draft: Draft<'a>,
    verified: Verified,
    facts: VerifiedSet,
}

/// Asks the service for a set, where that is not done yet, in the region of its instance.
fn told<'a>(mut draft: Draft<'a>, valid: &ValidatedSpec, account: &AccountView, id: &BackupId) -> ControlFlow<Decision, Told<'a>> {
    let read = verify(valid, id);
    let known = draft.observed.memory.taking_in.verified.as_ref();
    let Some(verified) = known.filter(|known| known.set == *id && known.region == account.region_id).cloned() else {
        return Break(draft.then(read));
    };
    let facts = match &verified.result {
        Ok(facts) => facts.clone(),
        Err(error) => {
            let unread = Unread { at: verified.at, failures: verified.failures, error };
            return Break(preflight::unread(draft, valid, account, &unread, read));
        }
    };
    let own_region = facts.instance.region_id.as_deref();
    if let Some(why) = preflight::forbidden_region(&draft, account, own_region) {
        let (age, pause) = (draft.now.duration_since(verified.at), draft.stalled_recheck());
        if age >= pause {
            return Break(draft.then(read));
        }
        draft.stall(Phase::Pending, Reason::RegionNotAllowed, &why);
        return Break(waits_for_somebody(draft, valid.queue_timeout, pause.saturating_sub(age)));
    }
    if own_region.is_some_and(|own| preflight::is_elsewhere(&draft, account, own)) {
        draft.set_region(own_region.unwrap_or_default());
        return Break(draft.again());
    }
    Continue(Told { draft, verified, facts })
}

fn verify(valid: &ValidatedSpec, set: &BackupId) -> Effect {
    Effect::VerifySet { instance: valid.request.instance.clone(), set: set.clone() }
}

/// Records the set as the object's result, with what is known of its instance.
fn record(draft: &mut Draft<'_>, account: &AccountView, facts: &VerifiedSet, origin: Origin) {
    let region = draft.status.effective.as_ref().and_then(|effective| effective.region_id.clone());
    draft.status.effective = Some(Effective {
        region_id: region.or_else(|| Some(account.region_id.clone())),
        engine: Some(clip(facts.instance.engine.as_str())),
        engine_version: facts.instance.engine_version.as_deref().map(clip),
        ..Effective::default()
    });
    draft.status.origin = Some(origin);
    draft.set_result(&facts.set.as_ref().map(|set| BackupRef::of_set(set.backup_id.clone())).unwrap_or_default());
}

/// The backups that may stand for that of the object, the youngest first: of the same namespace, and equal in what they hold. How young they
/// must be is decided later.
pub fn reusable(object: &RdsBackup, found: &InstanceObjects) -> Vec<Candidate> {
    if object.spec.reuse_if_newer_than.is_none() {
        return Vec::new();
    }
    let mut candidates: Vec<Candidate> =
        found.listed.iter().map(|listed| listed.object.as_ref()).filter(|other| is_equal(object, other)).filter_map(candidate).collect();
    candidates.sort_by(|a, b| (b.started_at, &a.name).cmp(&(a.started_at, &b.name)));
    candidates
}

/// The backup that is enough for the object, if one has ended by now: its name. An intent that is not cleared is withdrawn then.
pub fn is_enough(object: &RdsBackup, found: &InstanceObjects, memory: &TakingIn, now: Timestamp) -> Option<String> {
    let age = object.spec.reuse_if_newer_than.as_ref()?.get().ok()?;
    let created_at = object.metadata.creation_timestamp.as_ref().map_or(Timestamp::UNIX_EPOCH, |time| time.0);
    let is_enough = |candidate: &Candidate| candidate.is_young(created_at, now, age) && !memory.is_unusable(&candidate.set);
    reusable(object, found).into_iter().find(is_enough).map(|candidate| candidate.name)
}

impl Candidate {
    /// Whether the backup began less than `age` before `now`; one that was under way when the object was created, less than that before its
    /// creation. Otherwise of two gates that are applied together during a long backup the second would make another one.
    ///
    /// A backup that began earlier before the creation is never young, whatever `now` is: a node's clock may be behind.
    fn is_young(&self, created_at: Timestamp, now: Timestamp, age: SignedDuration) -> bool {
        let at_creation = created_at.duration_since(self.started_at) < age;
        let was_under_way = self.completed_at >= created_at;
        at_creation && (was_under_way || now.duration_since(self.started_at) < age)
    }
}

fn candidate(other: &RdsBackup) -> Option<Candidate> {
    let status = other.status.as_ref()?;
    Some(Candidate {
        name: other.metadata.name.clone()?,
        set: BackupId::new(status.backup_id.as_ref()?),
        started_at: status.started_at.as_ref()?.0,
        completed_at: status.completed_at.as_ref()?.0,
    })
}

/// Whether another object has succeeded, with a set that is still there as far as is known, and asked for the same.
fn is_equal(object: &RdsBackup, other: &RdsBackup) -> bool {
    let metadata = |of: &RdsBackup| (of.metadata.namespace.clone(), of.metadata.uid.clone());
    let ((namespace, uid), (other_namespace, other_uid)) = (metadata(object), metadata(other));
    let Some(status) = &other.status else { return false };
    let is_lost = status.condition(ConditionType::Available).is_some_and(|said| said.status == "False");
    namespace == other_namespace
        && uid != other_uid
        && other.metadata.deletion_timestamp.is_none()
        && status.phase == Phase::Succeeded
        && !is_lost
        // What a set holds that was only taken in nobody asked for here.
        && matches!(status.origin, Some(Origin::Created | Origin::Adopted | Origin::Reused))
        && asks_for_the_same(&object.spec, &other.spec)
        && (object.spec.backup_type != Some(BackupType::FullBackup) || is_full(other))
}

fn is_full(other: &RdsBackup) -> bool {
    let made = other.status.as_ref().and_then(|status| status.effective.as_ref()?.backup_type.as_deref());
    made.is_some_and(|made| made.eq_ignore_ascii_case("FullBackup"))
}

fn asks_for_the_same(spec: &RdsBackupSpec, other: &RdsBackupSpec) -> bool {
    let method = |of: &RdsBackupSpec| of.method.map_or(CreateBackup::DEFAULT_METHOD, |method| method.as_str());
    let databases = |of: &RdsBackupSpec| {
        let mut names = of.databases.clone();
        names.sort();
        names.dedup();
        names
    };
    spec.db_instance_id == other.db_instance_id
        && spec.account == other.account
        && method(spec) == method(other)
        && databases(spec) == databases(other)
        // One that the service removes earlier than it was asked to here is not equal.
        && (spec.retention_days.is_none() || spec.retention_days == other.retention_days)
}
