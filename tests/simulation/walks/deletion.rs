//! Sets that are deleted with their objects: who asks for it, what the API server and the service say, and what must hold.

use std::collections::BTreeSet;

use rds_backup_operator::{
    api::{BackupMethod, DeletionPolicy, FINALIZER, HOLD_ANNOTATION, Origin, Phase, RdsBackup, Time},
    controller::{self, Surroundings, WriteResult},
    rds::{ApiError, BackupId, BackupPolicy, CallError, SetDeletion},
};

use crate::walks::{
    cloud::{self, Owner},
    time::{HOUR, MINUTE, Ms, SECOND, at, ms, told},
    world::{Event, World, status_of, uid_of},
};

/// Another program's.
const KEEP: &str = "example.org/keep";

/// An object that is let go of is gone within this time after its deadline, while nothing fails: nothing that waits is looked at less often.
const LATE: Ms = 6 * MINUTE;

/// What is being deleted altogether.
#[derive(Default)]
pub struct Going {
    /// Namespaces that are being deleted.
    pub namespaces: BTreeSet<String>,
    /// The CustomResourceDefinition is being deleted.
    pub kind: bool,
}

/// What was asked of the service, and what became of it.
#[derive(Clone, Debug, Default)]
pub struct Deletions {
    pub asked: u64,
    pub deleted: u64,
    pub refused: u64,
    pub let_go: u64,
    /// Objects whose `ttl` was over.
    pub expired: u64,
}

impl Deletions {
    pub fn merge(&mut self, other: &Self) {
        self.asked += other.asked;
        self.deleted += other.deleted;
        self.refused += other.refused;
        self.let_go += other.let_go;
        self.expired += other.expired;
    }
}

impl World {
    /// The service lets some sets of the first instance go, says of the second that it is too early, and keeps all others.
    pub fn edition(site: usize) -> Option<String> {
        match site {
            0 => None,
            1 => Some("HighAvailability".into()),
            _ => Some("Basic".into()),
        }
    }

    pub fn policy(site: usize) -> BackupPolicy {
        BackupPolicy { retention_days: Some(30), log_backup: Some(site == 1), log_retention_days: Some(7), window: None }
    }

    /// Somebody deletes an object. Answers whether finalizers keep it.
    pub fn delete(&mut self, object: &RdsBackup, slot: usize) -> bool {
        if object.metadata.finalizers.as_ref().is_none_or(Vec::is_empty) {
            self.remove(slot, uid_of(object));
            return false;
        }
        if object.metadata.deletion_timestamp.is_none() {
            let mut leaving = object.clone();
            leaving.metadata.deletion_timestamp = Some(Time(at(self.now / SECOND * SECOND)));
            leaving.metadata.generation = leaving.metadata.generation.map(|generation| generation + 1);
            self.store(slot, Some(leaving));
        }
        true
    }

    /// Somebody deletes an object that another program keeps for a while.
    pub fn delete_slowly(&mut self, object: &RdsBackup, slot: usize) {
        let mut kept = object.clone();
        kept.metadata.finalizers.get_or_insert_default().push(KEEP.to_owned());
        self.delete(&kept, slot);
        let after = self.random.between(SECOND, HOUR);
        self.plan(self.now + after, Event::Gone { slot, uid: uid_of(object).to_owned() });
    }

    /// The other program lets go.
    pub fn other_lets_go(&mut self, slot: usize, uid: &str) {
        let Some(object) = self.get(slot, uid) else { return };
        let mut left = object.as_ref().clone();
        left.metadata.finalizers.get_or_insert_default().retain(|name| name != KEEP);
        self.put_finalizers(slot, left);
    }

    fn put_finalizers(&mut self, slot: usize, object: RdsBackup) {
        let is_free = object.metadata.finalizers.as_ref().is_none_or(Vec::is_empty);
        if is_free && object.metadata.deletion_timestamp.is_some() {
            return self.remove(slot, uid_of(&object));
        }
        self.store(slot, Some(object));
    }

    /// The operator writes finalizers.
    pub fn write_finalizers(
        &mut self,
        slot: usize,
        object: &RdsBackup,
        finalizers: &[String],
    ) -> Result<WriteResult<RdsBackup>, controller::Error> {
        let uid = uid_of(object);
        let Some(present) = self.get(slot, uid) else { return Ok(WriteResult::Gone) };
        if present.metadata.resource_version != object.metadata.resource_version {
            return Ok(WriteResult::Conflict);
        }
        let others = |names: &[String]| names.iter().filter(|name| *name != FINALIZER).cloned().collect::<Vec<_>>();
        let before = present.metadata.finalizers.clone().unwrap_or_default();
        let adds = finalizers.iter().any(|name| !before.contains(name));
        if others(finalizers) != others(&before) || (adds && present.metadata.deletion_timestamp.is_some()) {
            self.judge.wrong(format!("9 the finalizers of {uid} are {before:?}, and {finalizers:?} is written"));
        }
        if present.metadata.deletion_timestamp.is_some() {
            self.totals.deletions.let_go += 1;
        }
        let mut newest = present.as_ref().clone();
        newest.metadata.finalizers = Some(finalizers.to_vec());
        self.put_finalizers(slot, newest.clone());
        if self.random.permille(self.conditions.api) {
            return Err(super::requests::reset("write the finalizers of"));
        }
        Ok(WriteResult::Yes(Box::new(self.get(slot, uid).map_or(newest, |stands| stands.as_ref().clone()))))
    }

    /// The operator deletes an object whose time is over.
    pub fn remove_object(&mut self, process: usize, slot: usize, object: &RdsBackup) -> Result<bool, controller::Error> {
        if !self.processes[process].leads {
            return Err(controller::Error::NotLeading);
        }
        if self.random.permille(self.conditions.api) {
            return Err(super::requests::reset("delete"));
        }
        let uid = uid_of(object);
        let Some(stands) = self.get(slot, uid).filter(|stands| stands.metadata.resource_version == object.metadata.resource_version) else {
            return Ok(false);
        };
        let status = status_of(&stands);
        let ttl = stands.spec.ttl.as_ref().and_then(|ttl| ttl.get().ok()).map(|ttl| Ms::try_from(ttl.as_millis()).unwrap_or(Ms::MAX / 2));
        let ended = status.completed_at.as_ref().map(|at| ms(at.0));
        let is_held = stands.metadata.annotations.as_ref().is_some_and(|all| all.contains_key(HOLD_ANNOTATION));
        let newer = |other: &RdsBackup| {
            let theirs = status_of(other);
            other.spec.db_instance_id == stands.spec.db_instance_id
                && theirs.phase == Phase::Succeeded
                && (theirs.completed_at.as_ref().map(|at| ms(at.0)), uid_of(other)) > (ended, uid)
        };
        let wrong = match (ttl, ended) {
            _ if !status.phase.is_terminal() => Some("it has not ended"),
            (Some(ttl), Some(ended)) if self.now + SECOND < ended + ttl => Some("its ttl is not over"),
            (None, _) | (_, None) => Some("it has no ttl, or no end"),
            _ if is_held => Some("it is held"),
            _ if stands.spec.deletion_policy == Some(DeletionPolicy::Delete) && status.backup_id.is_some() => {
                Some("its set would go with it")
            }
            _ if status.phase == Phase::Succeeded && !self.objects().any(|other| newer(other)) => {
                Some("it is the newest backup of its instance")
            }
            _ => None,
        };
        if let Some(wrong) = wrong {
            self.judge.wrong(format!("9 {uid} is deleted by its ttl: {wrong}"));
        }
        self.totals.deletions.expired += 1;
        self.delete(&stands, slot);
        Ok(true)
    }

    /// What an object stands in, as the API server tells.
    pub fn surroundings(&mut self, object: &RdsBackup) -> Result<Surroundings, String> {
        if self.random.permille(self.conditions.api) {
            return Err("connection reset".to_owned());
        }
        Ok(self.around(object))
    }

    fn around(&self, object: &RdsBackup) -> Surroundings {
        let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
        Surroundings { kind_is_going: self.going.kind, namespace_is_going: self.going.namespaces.contains(namespace), is_paused: false }
    }

    /// DeleteBackup leaves: it must be for what stands, and for a set that the object made.
    pub fn delete_set(&mut self, process: usize, slot: usize, object: &RdsBackup, id: &BackupId) -> Result<SetDeletion, CallError> {
        self.totals.deletions.asked += 1;
        if let Some(wrong) = self.is_wrongly_deleted(process, slot, object, id) {
            self.judge.wrong(format!("9 set {id} is to be deleted for {}: {wrong}", uid_of(object)));
        }
        let lost = || CallError::Lost { why: "connection reset".to_owned() };
        if self.random.permille(self.conditions.lost) {
            return Err(lost());
        }
        if let Some(error) = cloud::unread(&self.conditions, &mut self.random) {
            return Err(error);
        }
        let answer = self.cloud.delete(id, self.now, &mut self.random);
        match &answer {
            Ok(SetDeletion::Deleted) => self.totals.deletions.deleted += 1,
            Ok(SetDeletion::WasGone) => {}
            Err(_) => self.totals.deletions.refused += 1,
        }
        if self.random.permille(self.conditions.lost) { Err(lost()) } else { answer.map_err(CallError::Api) }
    }

    fn is_wrongly_deleted(&self, process: usize, slot: usize, object: &RdsBackup, id: &BackupId) -> Option<&'static str> {
        let Some(stands) = self.get(slot, uid_of(object)) else {
            // It may be gone since it was read, within the moment that the call takes to leave.
            return None;
        };
        let (status, around) = (status_of(&stands), self.around(&stands));
        let is_held = stands.metadata.annotations.as_ref().is_some_and(|all| all.contains_key(HOLD_ANNOTATION));
        let owner = self.cloud.named(id.as_str().trim_start_matches('s')).map(|job| &job.owner);
        let is_own =
            matches!(owner, Some(Owner::Ours(nonce)) if self.judge.requests.get(nonce).is_some_and(|(whose, _)| whose == uid_of(object)));
        let named_by = |other: &RdsBackup| status_of(other).backup_id.as_deref() == Some(id.as_str()) && uid_of(other) != uid_of(object);
        match () {
            () if !self.processes[process].leads => Some("by a process that does not lead"),
            () if stands.metadata.deletion_timestamp.is_none() => Some("it is not being deleted"),
            () if stands.spec.deletion_policy != Some(DeletionPolicy::Delete) => Some("its deletionPolicy is Retain"),
            () if is_held => Some("it is held"),
            () if status.phase != Phase::Succeeded || status.backup_id.as_deref() != Some(id.as_str()) => {
                Some("it is not its recorded set")
            }
            () if status.origin != Some(Origin::Created) || !is_own => Some("its own request did not make it"),
            () if around.kind_is_going => Some("the kind is being deleted"),
            () if self.objects().any(|other| named_by(other)) => Some("another object names it"),
            () => None,
        }
    }

    /// Somebody takes the wish to delete the set back, or holds the object, or the other way round.
    pub fn edit_wish(&mut self, slot: usize, mut object: RdsBackup) {
        if self.random.permille(500) {
            let annotations = object.metadata.annotations.get_or_insert_default();
            if annotations.remove(HOLD_ANNOTATION).is_none() {
                annotations.insert(HOLD_ANNOTATION.to_owned(), "true".to_owned());
            }
        } else {
            let wants = object.spec.deletion_policy == Some(DeletionPolicy::Delete) || object.spec.method == Some(BackupMethod::Logical);
            object.spec.deletion_policy = Some(if wants { DeletionPolicy::Retain } else { DeletionPolicy::Delete });
            object.metadata.generation = object.metadata.generation.map(|generation| generation + 1);
        }
        self.judge.edited(uid_of(&object), self.now);
        self.store(slot, Some(object));
    }

    /// A namespace is deleted, or the kind, and with it every object in it; and made again when it is empty.
    pub fn delete_many(&mut self) {
        let namespaces = ["team-a", "team-b", "team-c", "shop"];
        if self.random.permille(100) {
            self.going.kind = true;
        } else {
            let namespace = self.random.pick(&namespaces);
            self.going.namespaces.insert(namespace.to_owned());
        }
        for slot in 0..self.slots.len() {
            if let Some(object) = self.slots[slot].clone()
                && self.is_going(&object)
            {
                self.delete(&object, slot);
            }
        }
    }

    pub fn is_going(&self, object: &RdsBackup) -> bool {
        let around = self.around(object);
        around.kind_is_going || around.namespace_is_going
    }

    /// What is empty is gone, and made again.
    pub fn make_again(&mut self) {
        let full: BTreeSet<String> = self.objects().filter_map(|object| object.metadata.namespace.clone()).collect();
        self.going.namespaces.retain(|namespace| full.contains(namespace));
        self.going.kind &= !full.is_empty();
    }

    /// Nothing is kept beyond its time by our finalizer while nothing fails.
    pub fn inspect_deletions(&mut self) {
        self.make_again();
        let Some(calm) = self.calm_since else { return };
        let late = self.objects().find_map(|object| {
            let deleted = ms(object.metadata.deletion_timestamp.as_ref()?.0);
            let ours = object.metadata.finalizers.iter().flatten().any(|name| name == FINALIZER);
            let deadline = deleted + Ms::try_from(object.spec.cleanup_deadline().as_millis()).unwrap_or(Ms::MAX / 2);
            let up = self.processes.iter().any(|process| process.up);
            (ours && up && self.now > deadline.max(calm + 10 * MINUTE) + LATE).then(|| (uid_of(object).to_owned(), deadline))
        });
        if let Some((uid, deadline)) = late {
            self.judge.wrong(format!("9 {uid} was to be gone by {}, and is there", told(deadline)));
        }
    }
}

/// What the service refuses a DeleteBackup with.
pub fn refusal(code: &str) -> ApiError {
    ApiError {
        action: Some("DeleteBackup"),
        code: code.to_owned(),
        message: "The Specified backup does not support this operation.".to_owned(),
        request_id: Some("REQ-D".to_owned()),
        http_status: 403,
        retry_after: None,
    }
}
