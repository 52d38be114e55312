//! What the judge sees when it looks around: who is ready to go, which instances stand idle, how busy everybody is, and the end.

use std::sync::Arc;

use rds_backup_operator::api::{Phase, RdsBackup, Span};

use crate::walks::{
    accounts::Account,
    decisions::Place,
    happen::Kind,
    judge::Judge,
    network_conditions::FURTHEST_BEHIND,
    time::{HOUR, MINUTE, Ms, SECOND, ms, told},
    world::{Event, World, status_of, uid_of},
};

/// The judge looks around this often.
const ROUND: Ms = 10 * SECOND;

/// After a time with faults everything may need so long until it is as if there had been none.
const AFTERMATH: Ms = 3 * MINUTE;

/// Passes over one object, by one process, in an hour without faults: one every 30 s for whoever waits, and some for what happens.
const MOST_PASSES: u32 = 250;
const MOST_WRITES: u32 = 70;

/// A pass that goes on in between may wait for its turn at the account, and for a few reads.
const WAKES_WITHIN: Ms = 2 * MINUTE;

/// So long an intent that cannot be resolved may hold its instance: 15 min until the request expires, 2 min of skew, 10 min of listing lag.
const RELEASE: Ms = 27 * MINUTE;

impl Judge {
    /// Who is ready to go, with nothing in its own way, and since when.
    pub fn queues_changed(&mut self, slots: &[Option<Arc<RdsBackup>>], accounts: &[Account], now: Ms) {
        for object in slots.iter().flatten() {
            let usable = accounts.iter().any(|account| account.name == object.spec.account && account.is_usable());
            let ready = usable && is_ready(object);
            let Some(life) = self.lives.get_mut(uid_of(object)) else { continue };
            match (life.admitted, ready) {
                (None, true) => (life.admitted, life.overtaken) = (Some(now), 0),
                (Some(_), false) => life.admitted = None,
                _ => {}
            }
        }
    }
}

/// As it stands in the API server: admitted, and not in a backoff.
fn is_ready(object: &RdsBackup) -> bool {
    let place = Place::of(&status_of(object));
    let spans = [object.spec.queue_timeout.as_ref(), object.spec.timeout.as_ref()];
    let valid = spans.into_iter().flatten().map(Span::get).all(|span| span.is_ok());
    let in_turn = ["", "WaitingForTurn", "InstanceBusy", "InstanceNotRunning", "NeverAccepted"].contains(&place.reason.as_str());
    object.metadata.deletion_timestamp.is_none() && valid && place.waits() && !place.stalled && in_turn
}

impl World {
    /// How far any cache may be behind.
    pub fn furthest_behind(&self) -> Ms {
        if self.kind == Kind::Calm { SECOND } else { FURTHEST_BEHIND + SECOND }
    }

    pub fn inspect(&mut self) {
        self.plan(self.now + ROUND, Event::Inspect);
        self.inspect_deletions();
        for site in 0..self.cloud.sites.len() {
            self.inspect_site(site);
        }
        if self.kind == Kind::Calm {
            self.inspect_wakes();
        }
        if self.now - self.judge.hour_began >= HOUR {
            self.inspect_hour();
        }
    }

    /// Without faults the cache shows within a second that an instance is free, and then those that wait for it are woken.
    fn inspect_wakes(&mut self) {
        let late = self
            .judge
            .lets_go
            .iter()
            .find(|(_, (process, life, at))| self.processes[*process].life == *life && self.now - at > WAKES_WITHIN);
        if let Some((uid, (_, _, at))) = late {
            let wrong = format!("8 {uid} let go of its instance at {}, and the objects that wait for it were not woken", told(*at));
            self.judge.wrong(wrong);
        }
    }

    /// An instance that is free does not stay so while somebody is ready.
    fn inspect_site(&mut self, site: usize) {
        let id = self.cloud.sites[site].id.clone();
        let holds = |object: &&Arc<RdsBackup>| object.spec.db_instance_id == id && self.is_held_by(object);
        let free =
            self.cloud.sites[site].is_open() && self.cloud.busy(site, self.now).is_none() && !self.objects().any(|object| holds(&object));
        let head = self.judge.lives.values().filter(|life| life.instance == id && life.admitted.is_some()).min_by(|a, b| a.key.cmp(&b.key));
        // A process that crashed among the last faults may be down for ten minutes of the calm after them.
        let is_served = self.processes.iter().any(|process| process.up);
        let Some(head) = head.filter(|_| free && is_served) else {
            self.judge.idle.remove(&site);
            return;
        };
        let (uid, slot) = (head.key.1.clone(), head.slot);
        let since = match self.judge.idle.get(&site) {
            Some((first, since)) if *first == uid => *since,
            _ => self.now,
        };
        self.judge.idle.insert(site, (uid.clone(), since));
        let Some(calm) = self.calm_since else { return };
        let Some(object) = self.slots[slot].clone() else { return };
        let idle = self.now - since.max(calm + AFTERMATH);
        // Who goes first and cannot any more, for its account lost its credentials, finds out at its own pace.
        let here = self.objects().filter(|object| object.spec.db_instance_id == id);
        let longest_poll = here.map(|object| Ms::try_from(self.account(object).poll.max.as_millis()).unwrap_or(Ms::MAX)).max().unwrap_or(0);
        let refused = status_of(&object).ready_reason() == Some("InstanceNotRunning");
        let most = ROUND + longest_poll + 30 * SECOND + if refused { 5 * MINUTE } else { 0 } + 5 * SECOND;
        self.judge.worst.idle = self.judge.worst.idle.max(idle);
        if idle > most {
            self.judge.wrong(format!("3 {id} is free since {}, {uid} is ready, and nothing happens", told(since)));
        }
    }

    /// Whether an object holds its instance: a job, or a request that may still become one.
    fn is_held_by(&self, object: &RdsBackup) -> bool {
        let status = status_of(object);
        let place = Place::of(&status);
        match status.open_submission() {
            Some(intent) => {
                let blocked = place.stalled || (place.phase == Phase::Resolving && place.reason != "OutcomeUnknown");
                !(blocked && self.now > ms(intent.signed_at()) + RELEASE + SECOND)
            }
            None => matches!(place.phase, Phase::Running | Phase::Finalizing),
        }
    }

    fn inspect_hour(&mut self) {
        let calm = self.calm_since.is_some_and(|since| since + AFTERMATH < self.judge.hour_began);
        let judge = &mut self.judge;
        let (mut passes, mut writes) = (0, 0);
        let mut busiest = String::new();
        for (uid, life) in &mut judge.lives {
            let most = life.passes.values().copied().max().unwrap_or(0);
            if most > passes || life.writes > writes {
                busiest.clone_from(uid);
            }
            (passes, writes) = (most.max(passes), life.writes.max(writes));
            life.passes.clear();
            life.writes = 0;
        }
        judge.hour_began = self.now;
        if !calm {
            return;
        }
        judge.worst.passes = judge.worst.passes.max(passes);
        judge.worst.writes = judge.worst.writes.max(writes);
        if passes > MOST_PASSES || writes > MOST_WRITES {
            judge.wrong(format!("1 {passes} passes over {busiest}, and {writes} writes of an object, in an hour without faults"));
        }
        if self.finale && self.now > self.ends_at() + HOUR && writes > 0 {
            self.judge.wrong(format!("1 at rest, and {busiest} is written"));
        }
    }

    /// The end: everything came to its end, or waits for somebody, and says so.
    pub fn inspect_end(&mut self) {
        let mut wrong = Vec::new();
        for object in self.objects() {
            let (status, account) = (status_of(object), self.account(object));
            let place = Place::of(&status);
            let begun = place.open || place.has_result();
            let unknown = place.reason == "OutcomeUnknown" && account.never_expires();
            let own_cause =
                place.stalled && begun && (unknown || place.reason == "InvalidSpec" || (!account.is_usable() && !account.paused));
            let leaves = object.metadata.deletion_timestamp.is_some();
            if !place.phase.is_terminal() && !own_cause && !leaves {
                wrong.push(format!("3 {} is not at its end: {place:?}", uid_of(object)));
            }
        }
        for job in &self.cloud.jobs {
            let is = |own: &Option<String>, id: &str| own.as_deref() == Some(id);
            let names = |object: &&Arc<RdsBackup>| {
                let status = status_of(object);
                is(&status.backup_job_id, &job.id) || is(&status.backup_id, &job.set)
            };
            let results = self.objects().filter(names).count();
            if results > 1 {
                wrong.push(format!("6 job {} is the result of {results} objects", job.id));
            }
            let crate::walks::cloud::Owner::Ours(nonce) = &job.owner else { continue };
            let Some((uid, _)) = self.judge.requests.get(nonce) else { continue };
            let Some(object) = self.objects().find(|object| uid_of(object) == uid) else { continue };
            let remembered =
                status_of(object).attempts.iter().any(|kept| is(&kept.backup_job_id, &job.id) || is(&kept.backup_id, &job.set));
            let open = status_of(object).open_submission().is_some_and(|intent| intent.nonce == *nonce);
            if results == 0 && !remembered && !job.fails && !open {
                wrong.push(format!("6 job {} of {uid} is recorded nowhere", job.id));
            }
        }
        wrong.into_iter().for_each(|wrong| self.judge.wrong(wrong));
    }

    pub fn ends_at(&self) -> Ms {
        self.finale_began + Self::longest()
    }

    /// A request was accepted: at most one of a run whose job does not fail.
    pub fn accepted(&mut self, nonce: &str, fails: bool) {
        let Some((uid, run)) = self.judge.requests.get(nonce).cloned() else {
            return self.judge.wrong("6 a request is accepted that nobody sent".to_owned());
        };
        self.judge.overtakes(&uid);
        let others = self.cloud.jobs.iter().filter(|job| {
            let crate::walks::cloud::Owner::Ours(other) = &job.owner else { return false };
            !job.fails && self.judge.requests.get(other).is_some_and(|(whose, which)| *whose == uid && *which == run)
        });
        let count = others.count();
        if count > 1 && !fails {
            self.judge.wrong(format!("6 run {run} of {uid} has {count} accepted requests whose jobs do not fail"));
        }
    }
}
