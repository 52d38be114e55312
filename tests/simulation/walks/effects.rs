//! What leaves a process besides status writes: each effect is carried out when its time has come, and its result goes into the memory.

use jiff::SignedDuration;
use rds_backup_operator::{
    backup::{
        decide::{self, Effect},
        observation::{Look, Others, PreflightFacts},
        siblings,
    },
    rds::{Answer, CallError, CreateOutcome, Rejection, Stamp, Unknown},
};

use crate::walks::{
    cloud::{self, EXPIRY, Request},
    time::{HOUR, MINUTE, SECOND, at, ms},
    world::{Event, World, site_of, status_of, uid_of},
};

impl World {
    pub fn done(&mut self, process: usize, slot: usize) {
        let pass = self.processes[process].passes.get_mut(&slot).expect("a pass");
        let (effect, decided) = (pass.effect.take().expect("an effect"), pass.decided);
        let (object, status, site) = (pass.object.clone(), pass.status.clone(), site_of(&pass.object));
        let uid = uid_of(&object).to_owned();
        let now = self.clock(process);
        match effect {
            Effect::WriteIntent { .. } => {}
            Effect::Preflight { attempt, .. } => {
                let result = self.preflight(site, now);
                self.processes[process].seat(&uid).memory.absorb_preflight(attempt, now, result);
            }
            Effect::Clear { nonce } => {
                if self.dice.permille(self.weather.api) {
                    return self.fail(process, slot);
                }
                let listed: Vec<_> = self
                    .objects()
                    .filter(|other| other.spec.db_instance_id == object.spec.db_instance_id)
                    .filter_map(|other| self.sibling(other))
                    .collect();
                let rival = siblings::rival(listed, &uid, decided);
                self.totals.rivals += u64::from(rival.is_some());
                self.processes[process].seat(&uid).memory.absorb_rival(&nonce, rival);
            }
            Effect::Send { stamp, .. } => return self.send(process, slot, &stamp),
            Effect::Look { from, .. } => {
                let Some(look) = self.look(process, site, from, decided) else { return self.fail(process, slot) };
                let protocol = self.account(&object).protocol.clone();
                decide::absorb_look(&mut self.processes[process].seat(&uid).memory.looks, &status, &protocol, look);
            }
            Effect::Follow { job, set, .. } => {
                let polled = match cloud::unread(&self.weather, &mut self.dice) {
                    Some(error) => Err(error),
                    None => {
                        let task = job.as_ref().and_then(|job| self.cloud.task(job, self.now));
                        let told = task.as_ref().and_then(|task| task.backup_id.clone());
                        let listed = told.as_ref().or(set.as_ref()).and_then(|id| self.cloud.set(id, self.now));
                        Ok((task, listed))
                    }
                };
                self.judge.polled(&uid, self.now);
                let key = status.backup_job_id.or(status.backup_id).unwrap_or_default();
                self.processes[process].seat(&uid).memory.follow.absorb(&key, now, polled);
            }
        }
        self.proceed(process, slot);
    }

    fn preflight(&mut self, site: usize, now: jiff::Timestamp) -> Result<PreflightFacts, CallError> {
        if let Some(error) = cloud::unread(&self.weather, &mut self.dice) {
            return Err(error);
        }
        let backups = match cloud::unread(&self.weather, &mut self.dice) {
            Some(error) => Err(error),
            None => Ok((self.cloud.running(site, self.now), self.cloud.sets(site, now - SignedDuration::from_hours(24), self.now))),
        };
        Ok(PreflightFacts::of(self.cloud.sites[site].instance(), backups))
    }

    /// Step 8; none if the API server could not be asked.
    fn look(&mut self, process: usize, site: usize, from: jiff::Timestamp, decided: jiff::Timestamp) -> Option<Look> {
        if let Some(error) = cloud::unread(&self.weather, &mut self.dice) {
            return Some(Look { at: decided, result: Err(error) });
        }
        let (tasks, sets) = (self.cloud.running(site, self.now), self.cloud.sets(site, from, self.now));
        if self.dice.permille(self.weather.api) {
            return None;
        }
        let id = self.cloud.sites[site].id.clone();
        let listed: Vec<_> = self.objects().filter(|other| other.spec.db_instance_id == id).cloned().collect();
        let mut others = Others::of(listed.iter().map(|object| &**object));
        for claim in &mut others.claims {
            if let Some(job) = claim.unmapped_job().map(rds_backup_operator::rds::JobId::new) {
                let told: Vec<_> = self.cloud.task(&job, self.now).into_iter().collect();
                claim.learn(&told);
            }
        }
        // `Date` has whole seconds.
        let date = at(self.now / SECOND * SECOND);
        let told = |value| Answer { value, request_id: None, service_time: Some(date) };
        Some(Look::of(told(tasks), Answer { value: sets, request_id: None, service_time: Some(date) }, others, self.clock(process)))
    }

    /// Steps 5 to 7: the request leaves once, if it may, and is on its way.
    fn send(&mut self, process: usize, slot: usize, stamp: &Stamp) {
        let uid = self.uid(process, slot);
        let now = self.now;
        let seat = self.processes[process].seat(&uid);
        let since_intent = seat.intent_at.map(|written| SignedDuration::from_millis(now - written));
        let life = self.processes[process].life;
        if let Err(why) = self.processes[process].seat(&uid).memory.leave(&stamp.nonce, since_intent) {
            let answer = CreateOutcome::Rejected(Rejection::NotSent { why: why.to_owned() });
            return self.hear(process, slot, &stamp.nonce, answer, true);
        }
        let object = self.pass(process, slot).object.clone();
        let status = status_of(&object);
        let submission = status.submission.filter(|submission| submission.nonce == stamp.nonce);
        if !submission.as_ref().is_some_and(|submission| submission.cleared && submission.outcome.is_none()) {
            self.judge.wrong(format!("6 a request of {uid} leaves whose cleared intent does not stand"));
        }
        self.judge.sent(&uid, stamp, submission.map_or(0, |submission| submission.run));
        self.processes[process].passes.get_mut(&slot).expect("a pass").sent = Some(stamp.nonce.clone());
        let request = Request {
            nonce: stamp.nonce.clone(),
            site: site_of(&object),
            method: object.spec.method.map(|method| method.as_str().to_owned()),
            signed: ms(stamp.timestamp),
            expires: !self.account(&object).never_expires(),
        };
        let quick = self.dice.between(20, SECOND);
        let lost = self.weather.lost;
        let late = self.dice.between(SECOND, if request.expires { EXPIRY + 2 * MINUTE } else { HOUR });
        let answer_to = Some((process, life, slot));
        match () {
            () if self.dice.permille(lost / 2) => {}
            () if self.dice.permille(lost / 2) => self.plan(now + late, Event::Arrive { request, answer_to }),
            () if self.dice.permille(lost) => self.plan(now + quick, Event::Arrive { request, answer_to: None }),
            () if self.dice.permille(lost) => {
                self.plan(now + quick, Event::Arrive { request: request.clone(), answer_to });
                self.plan(now + late, Event::Arrive { request, answer_to: None });
            }
            () => self.plan(now + quick, Event::Arrive { request, answer_to }),
        }
        let given_up = Box::new(CreateOutcome::Unknown(Unknown { why: "no answer within 30 s".into(), api: None }));
        self.plan(now + 30 * SECOND, Event::Hear { process, life, slot, nonce: stamp.nonce.clone(), answer: given_up });
    }

    pub fn arrive(&mut self, request: &Request, answer_to: Option<(usize, u32, usize)>) {
        let (answer, job) = self.cloud.receive(request, self.now, &self.weather, &mut self.dice);
        if let Some(job) = job {
            let fails = self.cloud.jobs[job].fails;
            self.accepted(&request.nonce, fails);
            self.totals.accepted += 1;
        } else {
            self.totals.refused += 1;
        }
        if let Some((process, life, slot)) = answer_to {
            let takes = self.dice.between(20, SECOND);
            let nonce = request.nonce.clone();
            self.plan(self.now + takes, Event::Hear { process, life, slot, nonce, answer: Box::new(answer) });
        }
    }

    /// An answer, if it is still waited for.
    pub fn hear(&mut self, process: usize, slot: usize, nonce: &str, answer: CreateOutcome, unsent: bool) {
        let Some(pass) = self.processes[process].passes.get_mut(&slot) else { return };
        if !unsent && pass.sent.as_deref() != Some(nonce) {
            return;
        }
        pass.sent = None;
        let uid = self.uid(process, slot);
        self.totals.heard(&answer);
        self.processes[process].seat(&uid).memory.absorb_answer(nonce, answer);
        self.record(process, slot);
    }
}
