//! The reads that an effect takes, one after the other, and what they add up to.

use jiff::Timestamp;

use super::{
    decide::Effect,
    memory::{Findings, Look, Other, PreflightFacts, VerifiedSet},
    policy::BASELINE,
    recorded,
    request::{Answer, CloudFinding, CloudRead, Error, InstanceObjects, Request},
    siblings::Commitments,
};
use crate::{
    api::RdsBackup,
    rds::{self, BackupId, BackupPolicy, BackupRef, BackupSet, BackupTask, CallError, ErrorKind, Instance, InstanceId},
    time::SaturatingTime,
};

/// The reads of one effect: which of them were made, and what they found.
#[derive(Clone, Debug)]
pub struct Reads {
    /// The instance that is read.
    pub instance: InstanceId,
    /// The service's time of the decision.
    pub decided_at: Timestamp,
    /// What was read so far.
    pub so_far: SoFar,
    /// The uid of the object that they are for.
    pub uid: String,
    /// What was refused for its credentials. They are read anew once for each effect.
    pub refused: Option<Box<Finding>>,
}

/// What was read so far.
#[derive(Clone, Debug)]
pub enum SoFar {
    /// Step 2. The instance comes first: what it is may be why the service refuses the rest, and is what there is to say then.
    Preflight {
        /// The run and attempt that it is for.
        attempt: (i32, i32),
        /// The first read.
        attributes: Option<Box<Instance>>,
        /// The second. The third are the sets, and end it.
        running: Option<Vec<BackupTask>>,
    },
    /// Step 8. Tasks, then sets, then claims: a job that ends between the first two is seen twice rather than never.
    Look {
        /// Sets that started before this cannot be ours.
        from: Timestamp,
        /// The first read.
        running: Option<rds::Answer<Vec<BackupTask>>>,
        /// The second.
        sets: Option<rds::Answer<Vec<BackupSet>>>,
        /// The third; then the job of each claim in it that names no set.
        commitments: Option<Commitments>,
        /// How many of the claims were dealt with.
        mapped: usize,
    },
    /// For a set that is there already.
    Verify {
        /// The set. The second read, and ends it.
        set: BackupId,
        /// The first read.
        instance: Option<Box<Instance>>,
    },
    /// For the deletion of a set. The other objects come last: what names the set by then is seen.
    Inspect {
        /// The set, where it is to be deleted.
        to_delete: Option<BackupId>,
        /// The first read.
        instance: Option<Box<Instance>>,
        /// The second; an error of it stands in no way.
        policy: Option<Result<BackupPolicy, CallError>>,
        /// The third.
        set: Option<Option<BackupSet>>,
    },
    /// Step 11. The job by its id, and its set once its id is known.
    Follow {
        /// Its job, unless a set was adopted or the job has ended and named its set; its set, where it is known.
        backup: BackupRef,
        /// The first read, where it was made.
        task: Option<BackupTask>,
    },
}

/// What the reads of an effect add up to.
#[derive(Clone, Debug)]
pub enum Finding {
    /// The instance before a request.
    Preflight {
        /// The run and attempt that it is for.
        attempt: (i32, i32),
        /// When.
        at: Timestamp,
        /// An error only where the instance itself could not be read.
        result: Result<PreflightFacts, CallError>,
    },
    /// The instance after a request whose answer was lost.
    Look(Look),
    /// A set that is there already.
    Verified {
        /// Which.
        set: BackupId,
        /// When.
        at: Timestamp,
        /// What the service says of it.
        result: Result<Box<VerifiedSet>, CallError>,
    },
    /// What decides on the deletion of a set.
    Inspection {
        /// When.
        at: Timestamp,
        /// What was found.
        findings: Box<Findings>,
    },
    /// The job and its set.
    Follow {
        /// When.
        at: Timestamp,
        /// What the service says of them.
        result: Result<(Option<BackupTask>, Option<BackupSet>), CallError>,
    },
}

/// What the reads need next.
pub(super) enum Step {
    Ask(Request),
    Found(Box<Finding>),
}

impl Reads {
    /// The reads of an effect; none if it reads nothing of the service.
    pub(super) fn of(effect: &Effect, uid: &str, decided_at: Timestamp) -> Option<Self> {
        let (instance, so_far) = match effect {
            Effect::Preflight { instance, attempt } => (instance, SoFar::Preflight { attempt: *attempt, attributes: None, running: None }),
            Effect::Look { instance, from } => {
                (instance, SoFar::Look { from: *from, running: None, sets: None, commitments: None, mapped: 0 })
            }
            Effect::Follow { instance, backup } => (instance, SoFar::Follow { backup: backup.clone(), task: None }),
            Effect::Inspect { instance, to_delete } => {
                (instance, SoFar::Inspect { to_delete: to_delete.clone(), instance: None, policy: None, set: None })
            }
            Effect::VerifySet { instance, set } => (instance, SoFar::Verify { set: set.clone(), instance: None }),
            Effect::WriteIntent { .. }
            | Effect::LookForReusable
            | Effect::Clear { .. }
            | Effect::Send { .. }
            | Effect::ReadSurroundings
            | Effect::LookForNewer
            | Effect::RemoveObject
            | Effect::DeleteSet { .. } => return None,
        };
        Some(Self { instance: instance.clone(), decided_at, so_far, uid: uid.to_owned(), refused: None })
    }

    /// The first read. Only a followed set without a job has another first one than its kind.
    pub(super) fn first(&self) -> Step {
        match &self.so_far {
            SoFar::Preflight { .. } | SoFar::Inspect { .. } | SoFar::Verify { .. } => self.read(CloudRead::Attributes),
            SoFar::Look { .. } => self.read(CloudRead::Tasks(None)),
            SoFar::Follow { backup: BackupRef { job: Some(job), .. }, .. } => self.read(CloudRead::Tasks(Some(job.clone()))),
            SoFar::Follow { backup: BackupRef { job: None, set: Some(set) }, .. } => self.read(CloudRead::Set(set.clone())),
            SoFar::Follow { backup: BackupRef { job: None, set: None }, .. } => {
                Step::Found(Box::new(Finding::Follow { at: self.decided_at, result: Ok((None, None)) }))
            }
        }
    }

    /// Takes in an answer.
    pub(super) fn take(&mut self, answer: Answer) -> Result<Step, Error> {
        match answer {
            Answer::Renewed(true) => {
                self.start_again();
                Ok(self.first())
            }
            Answer::Renewed(false) => self.refused.take().map(Step::Found).ok_or(Error::Mismatch),
            Answer::Read { at, result: Ok(finding) } => self.learn(at, finding),
            Answer::Read { at, result: Err(error) } => match &mut self.so_far {
                // The set of that claim is not known, as when the service tells nothing of its job. Otherwise a job of which the service
                // tells nothing but an error keeps the intent open for ever.
                SoFar::Look { commitments: Some(_), mapped, .. } if is_of_one_job(&error) => {
                    *mapped = mapped.saturating_add(1);
                    self.next_claim()
                }
                SoFar::Inspect { instance: Some(_), policy: policy @ None, .. } if !refuses_credentials(&error) => {
                    *policy = Some(Err(error));
                    Ok(self.after_policy(at))
                }
                _ => Ok(self.failed(at, error)),
            },
            Answer::Instance(listed) => {
                let found = listed?;
                if let SoFar::Inspect { to_delete: Some(set), .. } = &self.so_far {
                    let others = others(set, &self.uid, &found);
                    return Ok(self.inspected(self.decided_at, Some(others)));
                }
                let SoFar::Look { commitments, .. } = &mut self.so_far else { return Err(Error::Mismatch) };
                // What cannot be read may own whatever the look found.
                if let Some(unreadable) = found.unreadable.first() {
                    let error = CallError::NotSent { why: format!("what {unreadable} has as its result cannot be read") };
                    return Ok(Step::Found(Box::new(Finding::Look(Look { at: self.decided_at, result: Err(error) }))));
                }
                let mut known = Commitments::of(found.listed.iter().map(|listed| &*listed.object));
                known.claims.extend(found.claims);
                *commitments = Some(known);
                self.next_claim()
            }
            _ => Err(Error::Mismatch),
        }
    }

    fn learn(&mut self, at: Timestamp, finding: CloudFinding) -> Result<Step, Error> {
        let decided_at = self.decided_at;
        match (&mut self.so_far, finding) {
            (SoFar::Preflight { attributes, .. }, CloudFinding::Attributes(told)) => {
                *attributes = Some(told);
                Ok(self.read(CloudRead::Tasks(None)))
            }
            (SoFar::Preflight { running, .. }, CloudFinding::Tasks(told)) => {
                *running = Some(told.value);
                Ok(self.read(CloudRead::ManualSets(decided_at.minus(BASELINE))))
            }
            (SoFar::Preflight { attempt, attributes: Some(instance), running: Some(running) }, CloudFinding::Sets(sets)) => {
                let backups = Ok((std::mem::take(running), sets.value));
                let facts = PreflightFacts::of((**instance).clone(), backups);
                Ok(Step::Found(Box::new(Finding::Preflight { attempt: *attempt, at, result: Ok(facts) })))
            }
            (SoFar::Verify { instance, set }, CloudFinding::Attributes(told)) => {
                *instance = Some(told);
                let what = CloudRead::Set(set.clone());
                Ok(self.read(what))
            }
            (SoFar::Verify { instance: Some(instance), set }, CloudFinding::Sets(told)) => {
                let listed = told.value.into_iter().find(|listed| listed.backup_id == *set);
                let facts = Box::new(VerifiedSet { instance: (**instance).clone(), set: listed });
                Ok(Step::Found(Box::new(Finding::Verified { set: set.clone(), at, result: Ok(facts) })))
            }
            (SoFar::Inspect { instance, .. }, CloudFinding::Attributes(told)) => {
                *instance = Some(told);
                Ok(self.read(CloudRead::Policy))
            }
            (SoFar::Inspect { policy, .. }, CloudFinding::Policy(told)) => {
                *policy = Some(Ok(told));
                Ok(self.after_policy(at))
            }
            (SoFar::Inspect { to_delete: Some(id), set, .. }, CloudFinding::Sets(told)) => {
                *set = Some(told.value.into_iter().find(|listed| listed.backup_id == *id));
                Ok(Step::Ask(Request::ListInstance))
            }
            (SoFar::Look { from, running: running @ None, .. }, CloudFinding::Tasks(told)) => {
                *running = Some(told);
                let from = *from;
                Ok(self.read(CloudRead::ManualSets(from)))
            }
            (SoFar::Look { sets: sets @ None, .. }, CloudFinding::Sets(told)) => {
                *sets = Some(told);
                Ok(Step::Ask(Request::ListInstance))
            }
            (SoFar::Look { commitments: Some(commitments), mapped, .. }, CloudFinding::Tasks(told)) => {
                if let Some(claim) = commitments.claims.get_mut(*mapped) {
                    claim.learn(&told.value);
                }
                *mapped = mapped.saturating_add(1);
                self.next_claim()
            }
            (SoFar::Follow { backup: BackupRef { job: Some(job), set }, task }, CloudFinding::Tasks(told)) => {
                *task = told.value.into_iter().find(|task| task.job_id == *job);
                let known = task.as_ref().and_then(|task| task.backup_id.clone()).or_else(|| set.clone());
                match known {
                    Some(id) => Ok(self.read(CloudRead::Set(id))),
                    None => Ok(Step::Found(Box::new(Finding::Follow { at, result: Ok((task.take(), None)) }))),
                }
            }
            (SoFar::Follow { backup: BackupRef { set, .. }, task }, CloudFinding::Sets(told)) => {
                let wanted = task.as_ref().and_then(|task| task.backup_id.clone()).or_else(|| set.clone());
                let listed = told.value.into_iter().find(|listed| Some(&listed.backup_id) == wanted.as_ref());
                Ok(Step::Found(Box::new(Finding::Follow { at, result: Ok((task.take(), listed)) })))
            }
            _ => Err(Error::Mismatch),
        }
    }

    /// Asks for the job of the next claim that names no set. An account of any region may ask: the instance is the same.
    fn next_claim(&mut self) -> Result<Step, Error> {
        let decided_at = self.decided_at;
        let SoFar::Look { from, running, sets, commitments: Some(commitments), mapped } = &mut self.so_far else {
            return Err(Error::Mismatch);
        };
        while let Some(claim) = commitments.claims.get_mut(*mapped) {
            claim.look_from(*from);
            if let Some(job) = claim.unmapped_job() {
                let what = CloudRead::Tasks(Some(job.clone()));
                return Ok(self.read(what));
            }
            *mapped = mapped.saturating_add(1);
        }
        let (Some(running), Some(sets)) = (running.take(), sets.take()) else { return Err(Error::Mismatch) };
        Ok(Step::Found(Box::new(Finding::Look(Look::of(running, sets, std::mem::take(commitments), decided_at)))))
    }

    /// The set, where it is to be deleted.
    fn after_policy(&mut self, at: Timestamp) -> Step {
        match &self.so_far {
            SoFar::Inspect { to_delete: Some(set), .. } => self.read(CloudRead::Set(set.clone())),
            _ => self.inspected(at, None),
        }
    }

    /// All that was asked for.
    fn inspected(&mut self, at: Timestamp, others: Option<Vec<Other>>) -> Step {
        let SoFar::Inspect { instance, policy, set, .. } = &mut self.so_far else { return self.failed(at, CallError::NoInstance) };
        let instance = instance.take().map(|instance| *instance).ok_or(CallError::NoInstance);
        let findings = Findings { instance, policy: policy.take(), set: set.take().map(Ok), others };
        Step::Found(Box::new(Finding::Inspection { at, findings: Box::new(findings) }))
    }

    /// A read failed, so the effect is over, unless other credentials may be at hand.
    fn failed(&mut self, at: Timestamp, error: CallError) -> Step {
        let refused = refuses_credentials(&error);
        let finding = match &mut self.so_far {
            SoFar::Preflight { attempt, attributes: None, .. } => Finding::Preflight { attempt: *attempt, at, result: Err(error) },
            SoFar::Preflight { attempt, attributes: Some(instance), .. } => {
                Finding::Preflight { attempt: *attempt, at, result: Ok(PreflightFacts::of((**instance).clone(), Err(error))) }
            }
            SoFar::Look { .. } => Finding::Look(Look { at: self.decided_at, result: Err(error) }),
            SoFar::Inspect { instance, policy, .. } => {
                let (instance, set) = match instance.as_deref() {
                    None => (Err(error), None),
                    Some(instance) => (Ok(instance.clone()), Some(Err(error))),
                };
                let findings = Findings { instance, policy: policy.clone(), set, others: None };
                Finding::Inspection { at, findings: Box::new(findings) }
            }
            SoFar::Verify { set, .. } => Finding::Verified { set: set.clone(), at, result: Err(error) },
            SoFar::Follow { .. } => Finding::Follow { at, result: Err(error) },
        };
        if !refused || self.refused.is_some() {
            return Step::Found(Box::new(finding));
        }
        self.refused = Some(Box::new(finding));
        Step::Ask(Request::RenewCredentials)
    }

    /// With other credentials everything is read again.
    fn start_again(&mut self) {
        match &mut self.so_far {
            SoFar::Preflight { attributes, running, .. } => (*attributes, *running) = (None, None),
            SoFar::Look { running, sets, commitments, mapped, .. } => (*running, *sets, *commitments, *mapped) = (None, None, None, 0),
            SoFar::Follow { task, .. } => *task = None,
            SoFar::Verify { instance, .. } => *instance = None,
            SoFar::Inspect { instance, policy, set, .. } => (*instance, *policy, *set) = (None, None, None),
        }
    }

    fn read(&self, what: CloudRead) -> Step {
        Step::Ask(Request::Read { instance: self.instance.clone(), what })
    }
}

/// Whether other credentials may help.
fn refuses_credentials(error: &CallError) -> bool {
    match error {
        CallError::Api(error) => error.refuses_credentials(),
        CallError::Unusable { .. } => true,
        CallError::NotSent { .. } | CallError::Paused { .. } | CallError::Withdrawn | CallError::NoInstance | CallError::Lost { .. } => {
            false
        }
    }
}

/// What else names the set, or may.
fn others(set: &BackupId, own_uid: &str, found: &InstanceObjects) -> Vec<Other> {
    let names = |object: &RdsBackup| {
        let status = object.status.as_ref();
        let attempts = status.iter().flat_map(|status| &status.attempts).map(recorded::of_attempt);
        let named = status.map(recorded::result).into_iter().chain(attempts).any(|backup| backup.set.as_ref() == Some(set));
        let wanted = object.spec.existing_backup_id.as_deref() == Some(set.as_str());
        (named || wanted) && object.metadata.uid.as_deref() != Some(own_uid)
    };
    let named = found.listed.iter().filter(|listed| names(&listed.object)).map(|listed| {
        let metadata = &listed.object.metadata;
        let (namespace, name) = (metadata.namespace.as_deref().unwrap_or_default(), metadata.name.as_deref().unwrap_or_default());
        Other::Names(format!("{namespace}/{name}"))
    });
    let claimed = found.claims.iter().filter(|claim| claim.backup.set.as_ref() == Some(set) && claim.uid != own_uid);
    let claimed = claimed.map(|claim| Other::Names(format!("with uid {}", claim.uid)));
    named.chain(claimed).chain(found.unreadable.iter().cloned().map(Other::Unreadable)).collect()
}

/// Whether an error may be about the job that was asked for. The rest is about the account or the connection, and meets every call.
fn is_of_one_job(error: &CallError) -> bool {
    let CallError::Api(error) = error else { return false };
    match error.kind() {
        ErrorKind::InstanceNotFound
        | ErrorKind::UnsupportedMethod
        | ErrorKind::UnsupportedInstance
        | ErrorKind::InvalidParameter
        | ErrorKind::BackupJobExists
        | ErrorKind::InstanceNotReady
        | ErrorKind::DatabaseNotReady
        | ErrorKind::DailyLimit
        | ErrorKind::NonceUsed
        | ErrorKind::ServiceFault
        | ErrorKind::Unrecognised => true,
        ErrorKind::AccessDenied
        | ErrorKind::InvalidCredentials
        | ErrorKind::TokenExpired
        | ErrorKind::AccountProblem
        | ErrorKind::RegionUnavailable
        | ErrorKind::WrongEndpoint
        | ErrorKind::DeniedByService
        | ErrorKind::EncryptionKey
        | ErrorKind::Throttled
        | ErrorKind::ClockSkew => false,
    }
}

#[cfg(test)]
mod tests;
