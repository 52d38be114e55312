//! Answers one request of a pass from the world: the API server, the cache, the cloud.

use std::sync::Arc;

use rds_backup_operator::{
    accounts::Submissions,
    api::{RdsBackup, RdsBackupStatus},
    backup::{
        observation::Randomness,
        pass::Stage,
        request::{Answer, CloudFinding, CloudRead, InstanceObject, Observed, Request},
    },
    controller::{self, WriteResult},
    rds::{self, CallError},
};

use crate::model::{
    cloud,
    flaws::Flaw,
    print::Print,
    process::{Ending, System, copy_with, writes_intent},
    world::{LateWrite, Remembered, Work, World, at, decided, status_of},
};

impl World {
    /// Does the request, and tells what came of it.
    pub fn perform(&mut self, system: &System, process: usize, work: &mut Work, request: &Request, ending: Ending) -> Answer {
        let uid = work.pass.object().metadata.uid.clone().unwrap_or_default();
        match request {
            Request::Observe { at_rest } => Answer::Observed(Box::new(self.observe(system, process, work, *at_rest))),
            Request::ReadObject => Answer::Object(Ok(self.get(work.slot, Some(&uid)).map(|found| Box::new(found.as_ref().clone())))),
            Request::ListInstance => Answer::Instance(Ok(self.list(system, work).into())),
            Request::LockInstance => {
                work.locked = self.processes[process].sender.as_ref().is_none_or(|sender| !sender.work.locked);
                Answer::Locked(work.locked)
            }
            Request::Admit => Answer::Admitted(Ok(())),
            Request::Read { what, .. } => Answer::Read { at: at(self.now), result: self.read(system, what, ending) },
            Request::RenewCredentials => Answer::Renewed(ending == Ending::Refused { renewed: true }),
            Request::WriteStatus { status, unfenced } => Answer::Written(self.write(system, process, work, status, *unfenced, ending)),
            Request::WriteFinalizers(_) => {
                self.broken = Some("no object of this world has finalizers");
                Answer::Done
            }
            Request::NoteEnd => {
                self.processes[process].ended.insert(uid);
                Answer::Done
            }
            Request::Forget => {
                self.processes[process].ended.remove(&uid);
                self.processes[process].memories[work.slot] = Remembered::new(&uid);
                Answer::Done
            }
            Request::ReadSurroundings | Request::DeleteSet { .. } | Request::RemoveObject => {
                self.broken = Some("no object of this world wants its set deleted");
                Answer::Done
            }
            // A process may look at any object at any time, so it needs no waking; its tries to record do not fail; what it sends is on the
            // wire.
            Request::Announce(_)
            | Request::NoteTooLarge(_)
            | Request::WakeSiblings
            | Request::PauseRecording { .. }
            | Request::Send { .. } => Answer::Done,
        }
    }

    fn observe(&self, system: &System, process: usize, work: &Work, at_rest: bool) -> Observed {
        let shown = (0..self.slots.len()).filter_map(|slot| self.cached(process, slot));
        let ended = &self.processes[process].ended;
        let listed = |object: &Arc<RdsBackup>| system.listed(object, object.metadata.uid.as_ref().is_some_and(|uid| ended.contains(uid)));
        let cached = if at_rest || system.setup.alone { Vec::new() } else { shown.map(listed).collect() };
        let status = status_of(work.pass.object());
        let idle = status.open_submission().is_none() && status.origin.is_none();
        let nonce = if idle { self.unused_nonce(&system.setup) } else { String::new() };
        let randomness = Randomness { nonce, pause: system.pause() };
        Observed {
            now: at(self.now),
            time_is_known: true,
            server_now: None,
            audited: None,
            account: system.account.clone(),
            cached,
            claims: Ok(()),
            namespace: Ok(Submissions::Enabled),
            randomness,
        }
    }

    /// A quorum LIST: for Clear, or for the claims of a look.
    fn list(&self, system: &System, work: &Work) -> Vec<InstanceObject> {
        let clears = matches!(work.pass.stage(), Stage::Clear(_));
        let bend = |object: &Arc<RdsBackup>| {
            let mut object = object.clone();
            if system.has(Flaw::NoClaims) && !clears {
                Arc::make_mut(&mut object).status.iter_mut().for_each(|status| status.origin = None);
            }
            object
        };
        let left_out = system.has(Flaw::NoClear) && clears;
        self.objects().filter(|_| !left_out).map(|object| system.listed(&bend(object), false)).collect()
    }

    fn read(&self, system: &System, what: &CloudRead, ending: Ending) -> Result<CloudFinding, CallError> {
        fn told<T>(value: T, now: i64) -> rds::Answer<T> {
            rds::Answer { value, request_id: None, service_time: Some(at(now)) }
        }
        match ending {
            Ending::Refused { .. } => return Err(CallError::Api(cloud::error("InvalidAccessKeyId.NotFound"))),
            Ending::Failed => return Err(CallError::Lost { why: "reset".into() }),
            Ending::Fine | Ending::Unheard | Ending::Late => {}
        }
        Ok(match what {
            CloudRead::Attributes => CloudFinding::Attributes(Box::new(cloud::instance())),
            CloudRead::Tasks(None) => CloudFinding::Tasks(told(system.as_told(self.cloud.running()), self.now)),
            CloudRead::Tasks(Some(job)) => {
                CloudFinding::Tasks(told(system.as_told(self.cloud.task(job.as_str()).into_iter().collect()), self.now))
            }
            CloudRead::ManualSets(from) => {
                let mut sets = self.cloud.sets(*from);
                if let Some(flaw) = system.setup.flaw {
                    flaw.bend_sets(&mut sets);
                }
                CloudFinding::Sets(told(sets, self.now))
            }
            CloudRead::Policy => return Err(CallError::Lost { why: "no object of this world wants its set deleted".into() }),
            CloudRead::Set(id) => CloudFinding::Sets(told(self.cloud.set(id.as_str()).into_iter().collect(), self.now)),
        })
    }

    /// Steps 3, 4, 7 to 11: the status write, with the resourceVersion of the pass's copy.
    fn write(
        &mut self,
        system: &System,
        process: usize,
        work: &Work,
        status: &RdsBackupStatus,
        unfenced: bool,
        ending: Ending,
    ) -> Result<WriteResult<RdsBackup>, controller::Error> {
        if !unfenced && !self.processes[process].leads {
            return Err(controller::Error::NotLeading);
        }
        let lost = || Err(controller::Error::Timeout { verb: "write", kind: "RdsBackup".into() });
        let (slot, version) = (work.slot, work.pass.object().metadata.resource_version.clone());
        let listed_before = self.listed_before(process, work);
        match ending {
            Ending::Late => {
                let print = Print::of_status(status);
                self.late.push(LateWrite { slot, version, status: status.clone(), listed_before, print });
                return lost();
            }
            Ending::Failed if system.has(Flaw::UnsureIsDone) => {
                let request = Request::WriteStatus { status: Box::new(status.clone()), unfenced };
                return Ok(WriteResult::Yes(Box::new(copy_with(work, &request))));
            }
            Ending::Failed => return lost(),
            Ending::Fine | Ending::Unheard | Ending::Refused { .. } => {}
        }
        let stored = self.object(slot).map(|stored| stored.metadata.resource_version.clone());
        let decision = decided(&work.pass).map(|decided| &decided.decision);
        let bare = system.setup.flaw.zip(decision).is_some_and(|(flaw, decision)| flaw.is_bare(&status_of(work.pass.object()), decision));
        let result = match stored {
            None => WriteResult::Gone,
            Some(stored) if stored != version && !bare => WriteResult::Conflict,
            Some(_) => WriteResult::Yes(Box::new(self.land(slot, status, listed_before))),
        };
        if ending == Ending::Unheard { lost() } else { Ok(result) }
    }

    /// What was listed when the newest intent was written, whatever the intent says.
    fn listed_before(&self, process: usize, work: &Work) -> Vec<String> {
        if !writes_intent(&work.pass) {
            return self.present(work.slot).listed_before.clone();
        }
        let preflight = self.memory(process, work.slot).state.memory.preflight.iter();
        let backups = preflight.flat_map(|preflight| &preflight.result).flat_map(|facts| &facts.backups);
        backups.flat_map(|backups| &backups.sets).map(|set| set.backup_id.to_string()).collect()
    }

    fn land(&mut self, slot: usize, status: &RdsBackupStatus, listed_before: Vec<String>) -> RdsBackup {
        let mut object = self.object(slot).expect("it would land").as_ref().clone();
        let before = status_of(&object).phase;
        if before.is_terminal() && status.phase != before {
            self.broken = Some("what was at its end went on");
        }
        object.status = Some(status.clone());
        self.store(slot, Some(object), listed_before);
        self.object(slot).expect("it was just written").as_ref().clone()
    }

    /// A write whose client gave up lands after all.
    pub fn land_late(&mut self, index: usize) {
        let LateWrite { slot, status, listed_before, .. } = self.late.remove(index);
        self.land(slot, &status, listed_before);
    }
}
