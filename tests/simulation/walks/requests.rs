//! What a request of a pass comes to: reads of a cache, of the API server and of the service, writes that land or do not, and the one
//! request that starts a backup. What takes time is answered when its time has come.

use std::{io, sync::Arc};

use jiff::SignedDuration;
use rds_backup_operator::{
    accounts::Submissions,
    api::{Phase, RdsBackup, RdsBackupStatus},
    backup::{
        observation::Randomness as PassRandomness,
        pass::Stage,
        reads::SoFar,
        request::{Answer, CloudFinding, CloudRead, InstanceObject, Observed, Request as Asked},
        siblings,
    },
    controller::{self, WriteResult},
    rds::{self, CreateOutcome, Stamp, Unknown},
};

use crate::walks::{
    cloud::{self, EXPIRY, Request},
    happen::Kind,
    judge,
    time::{HOUR, MINUTE, Ms, SECOND, at, ms},
    world::{Event, World, site_of, status_of, uid_of},
};

/// A request leaves within a minute of its intent, whose time has whole seconds; a clock may be wrong by as much as the walks let it be.
const LONGEST_ANNOUNCED: Ms = MINUTE + 2 * SECOND;

impl World {
    /// Answers a request, or says that it takes its time.
    pub fn ask(&mut self, process: usize, slot: usize, request: Asked) -> Option<Answer> {
        let slow = self.conditions.slow;
        let takes = match &request {
            // A call of an effect waits for its turn; the reads after it come soon.
            Asked::Admit | Asked::ListInstance => self.random.between(20, slow),
            Asked::Read { .. } => self.random.between(5, 200),
            // An API server that is slow now and then: what was decided is a minute old when it stands. Two operators that both lead would
            // withdraw each other's intents meanwhile, until their passes are stopped.
            Asked::WriteStatus { status, .. }
                if status.phase == Phase::Submitting
                    && self.kind == Kind::Faulty
                    && self.processes.len() == 1
                    && self.random.permille(50) =>
            {
                self.random.between(0, slow)
            }
            Asked::WriteStatus { .. } | Asked::ReadObject | Asked::WriteFinalizers(_) | Asked::ReadSurroundings => {
                self.random.between(0, 40)
            }
            Asked::DeleteSet { .. } => self.random.between(0, 5),
            Asked::PauseRecording { pause, .. } => Ms::try_from(pause.as_millis()).unwrap_or(Ms::MAX / 2),
            Asked::Send { stamp, .. } => {
                let stamp = stamp.clone();
                self.send(process, slot, &stamp);
                self.processes[process].passes.get_mut(&slot).expect("a pass").pending = Some(request);
                return None;
            }
            _ => return Some(self.answer(process, slot, request)),
        };
        let it = &mut self.processes[process];
        it.passes.get_mut(&slot).expect("a pass").pending = Some(request);
        let life = it.life;
        self.plan(self.now + takes, Event::Done { process, life, slot });
        None
    }

    /// What a request comes to now.
    pub fn answer(&mut self, process: usize, slot: usize, request: Asked) -> Answer {
        let object = self.processes[process].passes[&slot].pass.object().clone();
        match request {
            Asked::Observe { at_rest } => Answer::Observed(Box::new(self.observe(process, &object, at_rest))),
            Asked::ReadObject => Answer::Object(self.get_or_fail(slot, &object).map(|found| found.map(|found| Box::new((*found).clone())))),
            Asked::ListInstance => Answer::Instance(self.list(process, &object).map(Into::into)),
            Asked::LockInstance => {
                let it = &mut self.processes[process];
                let lock = it.locks.lock(&object.spec.db_instance_id);
                let held = lock.is_some();
                it.passes.get_mut(&slot).expect("a pass").lock = lock;
                Answer::Locked(held)
            }
            Asked::Admit => Answer::Admitted(Ok(())),
            Asked::Read { what, .. } => self.read(process, slot, &object, &what),
            // The keys were rotated, or are wrong for everybody.
            Asked::RenewCredentials => Answer::Renewed(self.random.permille(500)),
            Asked::WriteStatus { status, unfenced } => Answer::Written(self.write(process, slot, &object, &status, unfenced)),
            Asked::WriteFinalizers(finalizers) => Answer::Written(self.write_finalizers(slot, &object, &finalizers)),
            Asked::RemoveObject => Answer::Removed(self.remove_object(process, slot, &object)),
            Asked::ReadSurroundings => Answer::Surroundings(self.surroundings(&object)),
            Asked::DeleteSet { set, .. } => Answer::Deleted(self.delete_set(process, slot, &object, &set)),
            Asked::Announce(announcement) => {
                self.totals.events += announcement.events.len() as u64;
                Answer::Done
            }
            Asked::NoteEnd => {
                self.processes[process].ended.insert(uid_of(&object));
                Answer::Done
            }
            Asked::NoteTooLarge(_) => Answer::Done,
            Asked::WakeSiblings => {
                self.wake_siblings(process, &object);
                Answer::Done
            }
            Asked::Forget => {
                let it = &self.processes[process];
                it.tracker.forget(uid_of(&object));
                it.ended.remove(uid_of(&object));
                Answer::Done
            }
            Asked::PauseRecording { .. } => Answer::Done,
            Asked::Send { .. } => Answer::Sent(unheard()),
        }
    }

    fn observe(&mut self, process: usize, object: &RdsBackup, at_rest: bool) -> Observed {
        let randomness = PassRandomness {
            nonce: format!("{:016x}{:016x}", self.random.draw(), self.random.draw()),
            pause: SignedDuration::from_millis(self.random.between(1000, 5000)),
        };
        let instance = &object.spec.db_instance_id;
        let account = self.account(object).view(at_rest, self.now);
        let it = &self.processes[process];
        let cached = if at_rest { Vec::new() } else { it.cache.values().filter(|other| other.spec.db_instance_id == *instance).collect() };
        let cached = cached.into_iter().map(|other| self.listed(process, other)).collect();
        Observed {
            now: self.clock(process),
            time_is_known: true,
            server_now: None,
            audited: None,
            account,
            cached,
            claims: Ok(()),
            namespace: Ok(Submissions::Enabled),
            randomness,
        }
    }

    fn listed(&self, process: usize, object: &Arc<RdsBackup>) -> InstanceObject {
        let account = self.account(object);
        InstanceObject {
            object: object.clone(),
            admissible: account.is_known() && !account.paused,
            release_after: account.protocol.release_after(),
            ended: self.processes[process].ended.contains(uid_of(object)),
            too_large: false,
        }
    }

    fn get_or_fail(&mut self, slot: usize, object: &RdsBackup) -> Result<Option<Arc<RdsBackup>>, controller::Error> {
        if self.random.permille(self.conditions.api) { Err(reset("get")) } else { Ok(self.get(slot, uid_of(object))) }
    }

    fn list(&mut self, process: usize, object: &RdsBackup) -> Result<Vec<InstanceObject>, controller::Error> {
        if self.random.permille(self.conditions.api) {
            return Err(reset("list"));
        }
        let of_instance = |other: &&Arc<RdsBackup>| other.spec.db_instance_id == object.spec.db_instance_id;
        Ok(self.objects().filter(of_instance).map(|other| self.listed(process, other)).collect())
    }

    fn read(&mut self, process: usize, slot: usize, object: &RdsBackup, what: &CloudRead) -> Answer {
        let unread = cloud::unread(&self.conditions, &mut self.random);
        if let Stage::Read(_, reads) = self.processes[process].passes[&slot].pass.stage()
            && matches!(reads.so_far, SoFar::Follow { .. })
        {
            self.judge.polled(process, uid_of(object), self.now, unread.is_none());
        }
        let now = self.clock(process);
        if let Some(error) = unread {
            return Answer::Read { at: now, result: Err(error) };
        }
        // `Date` has whole seconds.
        let date = at(self.now / SECOND * SECOND);
        let site = site_of(object);
        let tasks = |value| CloudFinding::Tasks(rds::Answer { value, request_id: None, service_time: Some(date) });
        let sets = |value| CloudFinding::Sets(rds::Answer { value, request_id: None, service_time: Some(date) });
        let finding = match what {
            CloudRead::Attributes => CloudFinding::Attributes(Box::new(self.cloud.sites[site].instance())),
            CloudRead::Tasks(None) => tasks(self.cloud.running(site, self.now)),
            CloudRead::Tasks(Some(job)) => tasks(self.cloud.task(job, self.now).into_iter().collect()),
            CloudRead::ManualSets(from) => sets(self.cloud.sets(site, *from, self.now)),
            CloudRead::Policy => CloudFinding::Policy(Self::policy(site)),
            CloudRead::Set(id) => sets(self.cloud.set(id, self.now).into_iter().collect()),
        };
        Answer::Read { at: now, result: Ok(finding) }
    }

    /// The write stands only over the version that the pass has. Its answer may be lost, whether it stands or not.
    fn write(
        &mut self,
        process: usize,
        slot: usize,
        object: &Arc<RdsBackup>,
        status: &RdsBackupStatus,
        unfenced: bool,
    ) -> Result<WriteResult<RdsBackup>, controller::Error> {
        if !self.processes[process].leads && !unfenced {
            return Err(controller::Error::NotLeading);
        }
        let fails = self.random.permille(self.conditions.api);
        let lands = !fails || self.random.permille(500);
        let present = self.get(slot, uid_of(object));
        let stands = present.as_ref().is_some_and(|present| present.metadata.resource_version == object.metadata.resource_version);
        if lands && stands {
            let mut newest = object.as_ref().clone();
            newest.status = Some(status.clone());
            self.wrote(process, slot, object, status);
            self.store(slot, Some(newest));
        }
        match present {
            _ if fails => Err(reset("write the status of")),
            None => Ok(WriteResult::Gone),
            Some(_) if !stands => Ok(WriteResult::Conflict),
            Some(_) => Ok(WriteResult::Yes(Box::new(self.slots[slot].as_deref().expect("it was just written").clone()))),
        }
    }

    fn wrote(&mut self, process: usize, slot: usize, object: &RdsBackup, after: &RdsBackupStatus) {
        let before = status_of(object);
        self.totals.wrote(&before, after);
        let nonce = before.submission.as_ref().map_or("", |submission| submission.nonce.as_str());
        let refused = self.cloud.refused.get(nonce).copied();
        let named = |id: Option<&str>| id.and_then(|id| self.cloud.named(id.trim_start_matches('s')));
        let job = named(after.backup_job_id.as_deref()).or(named(after.backup_id.as_deref()));
        let job = job.map(|job| (job.started / MINUTE * MINUTE, job.ends));
        self.judge.wrote(object, (&before, after), refused, job, self.now);
        if judge::lets_go(&before, after) {
            let life = self.processes[process].life;
            self.judge.lets_go.insert(uid_of(object).to_owned(), (process, life, self.now));
        }
        let announces = |status: &RdsBackupStatus| status.open_submission().map(|open| open.nonce.clone());
        if announces(after).is_some() && announces(after) != announces(&before) {
            let decided = self.processes[process].passes[&slot].pass.decided().map(|decided| ms(decided.observed.now));
            let behind = self.furthest_behind() + self.now - decided.unwrap_or(self.now).min(self.now);
            self.judge.intent_stands(uid_of(object), self.now, behind);
        }
    }

    fn wake_siblings(&mut self, process: usize, object: &RdsBackup) {
        self.judge.lets_go.remove(uid_of(object));
        let waits = |other: &RdsBackup| {
            other.spec.db_instance_id == object.spec.db_instance_id && uid_of(other) != uid_of(object) && siblings::is_unfinished(other)
        };
        let woken: Vec<usize> = self.processes[process].cache.iter().filter(|(_, other)| waits(other)).map(|(slot, _)| *slot).collect();
        for other in woken {
            self.schedule(process, other, self.now);
        }
    }

    /// Steps 5 to 7: the request leaves once, and is on its way.
    fn send(&mut self, process: usize, slot: usize, stamp: &Stamp) {
        let (now, it) = (self.now, &self.processes[process]);
        let (life, leads) = (it.life, it.leads);
        let object = it.passes[&slot].pass.object().clone();
        let uid = uid_of(&object).to_owned();
        if !leads {
            self.judge.wrong(format!("6 a request of {uid} leaves a process that does not lead"));
        }
        let submission = status_of(&object).submission.filter(|submission| submission.nonce == stamp.nonce);
        if !submission.as_ref().is_some_and(|submission| submission.cleared && submission.outcome.is_none()) {
            self.judge.wrong(format!("6 a request of {uid} leaves whose cleared intent does not stand"));
        }
        let age = ms(self.clock(process)) - ms(stamp.timestamp);
        if age > LONGEST_ANNOUNCED {
            self.judge.wrong(format!("6 a request of {uid} leaves {age} ms after it was announced"));
        }
        self.judge.sent(&uid, stamp, submission.map_or(0, |submission| submission.run));
        let request = Request {
            nonce: stamp.nonce.clone(),
            site: site_of(&object),
            method: object.spec.method.map(|method| method.as_str().to_owned()),
            signed: ms(stamp.timestamp),
            expires: !self.account(&object).never_expires(),
        };
        let quick = self.random.between(20, SECOND);
        let lost = self.conditions.lost;
        let late = self.random.between(SECOND, if request.expires { EXPIRY + 2 * MINUTE } else { HOUR });
        let answer_to = Some((process, life, slot));
        match () {
            () if self.random.permille(lost / 2) => {}
            () if self.random.permille(lost / 2) => self.plan(now + late, Event::Arrive { request, answer_to }),
            () if self.random.permille(lost) => self.plan(now + quick, Event::Arrive { request, answer_to: None }),
            () if self.random.permille(lost) => {
                self.plan(now + quick, Event::Arrive { request: request.clone(), answer_to });
                self.plan(now + late, Event::Arrive { request, answer_to: None });
            }
            () => self.plan(now + quick, Event::Arrive { request, answer_to }),
        }
        self.plan(now + 30 * SECOND, Event::Hear { process, life, slot, nonce: stamp.nonce.clone(), answer: Box::new(unheard()) });
    }

    pub fn arrive(&mut self, request: &Request, answer_to: Option<(usize, u32, usize)>) {
        let (answer, job) = self.cloud.receive(request, self.now, &self.conditions, &mut self.random);
        if let Some(job) = job {
            let fails = self.cloud.jobs[job].fails;
            self.accepted(&request.nonce, fails);
            self.totals.accepted += 1;
        } else {
            self.totals.refused += 1;
        }
        if let Some((process, life, slot)) = answer_to {
            let takes = self.random.between(20, SECOND);
            let nonce = request.nonce.clone();
            self.plan(self.now + takes, Event::Hear { process, life, slot, nonce, answer: Box::new(answer) });
        }
    }

    /// An answer, if it is still waited for.
    pub fn hear(&mut self, process: usize, slot: usize, nonce: &str, answer: CreateOutcome) {
        let Some(under_way) = self.processes[process].passes.get_mut(&slot) else { return };
        if !matches!(&under_way.pending, Some(Asked::Send { stamp, .. }) if stamp.nonce == nonce) {
            return;
        }
        under_way.pending = None;
        self.totals.heard(&answer);
        self.advance(process, slot, Answer::Sent(answer));
    }
}

fn unheard() -> CreateOutcome {
    CreateOutcome::Unknown(Unknown { why: "no answer within 30 s".into(), api: None })
}

/// A connection that broke: whether the API server did it is not known.
pub fn reset(verb: &'static str) -> controller::Error {
    let source = kube::Error::Service(Box::new(io::Error::from(io::ErrorKind::ConnectionReset)));
    controller::Error::Api { verb, kind: "RdsBackup".into(), source: Box::new(source) }
}
