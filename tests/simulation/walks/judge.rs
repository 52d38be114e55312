//! What must hold, judged from outside. No rule is asked of the operator: what is known here is what the documentation says, and what
//! happened.
//!
//! The numbers are those of the properties: 1 no hot loop, 2 first come first served, 3 nobody starves, 4 deadlines, 5 statuses, 6 exactly
//! once, 7 pauses, 8 those that wait are woken, 9 deletions.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    fmt::Write,
};

use rds_backup_operator::{
    api::{AttemptOutcome, ConditionType, Phase, RdsBackup, RdsBackupStatus},
    backup::decide::Requeue,
    rds::{ErrorKind, Stamp},
};

use crate::walks::{
    cloud::LAG,
    decisions::{Judged, Place},
    schema::Schema,
    time::{HOUR, MINUTE, Ms, SECOND, at, told},
    world::uid_of,
};

/// Decisions that are told when something is wrong.
const TOLD: usize = 60;

/// What a look at somebody's cure may take: nothing that waits is looked at less often.
const RECHECK: Ms = 5 * MINUTE;

/// How long a wait counts as fresh, in which a person is likely to work on its cause; and how often it is looked at again meanwhile.
const FRESH: Ms = 10 * MINUTE;
const RECHECK_FRESH: Ms = MINUTE;

/// Processes differ in what time it is, and a call takes a while.
const SLACK: Ms = 5 * SECOND;

pub struct Judge {
    pub lives: BTreeMap<String, Life>,
    /// Whose request it was, by nonce, and of which run.
    pub requests: HashMap<String, (String, i32)>,
    pub worst: Worst,
    wrong: Vec<String>,
    schema: Schema,
    holds: HashMap<(usize, u32, String), Ms>,
    /// When each process began to decide, in each of its lives.
    began: HashMap<(usize, u32), Ms>,
    trail: VecDeque<(Ms, usize, Judged)>,
    /// Instances that are free although somebody waits for them: who, and since when.
    pub idle: BTreeMap<usize, (String, Ms)>,
    pub hour_began: Ms,
    /// Objects that let go of their instance: the process that wrote it, its life, and when. Until it wakes those that wait.
    pub lets_go: BTreeMap<String, (usize, u32, Ms)>,
}

/// The worst that was seen.
#[derive(Clone, Debug, Default)]
pub struct Worst {
    pub wait: Ms,
    pub overtaken: u32,
    pub idle: Ms,
    pub passes: u32,
    pub writes: u32,
    pub steps: usize,
}

/// What is known of one object.
#[derive(Clone, Debug)]
pub struct Life {
    pub slot: usize,
    pub instance: String,
    /// Its place in the queue.
    pub key: (Ms, String),
    pub created: Ms,
    /// The run's wait cannot have begun before.
    pub waits_from: Ms,
    /// Since when a status shows that the run waits.
    pub shown: Option<Ms>,
    /// When its result was recorded, and when that job began and ends.
    pub recorded: Option<(Ms, (Ms, Ms))>,
    /// When the service answered about its job last.
    pub polled: Option<Ms>,
    /// The processes to which it did not answer then.
    pub unanswered: BTreeSet<usize>,
    /// Since when it has been ready to go, with nothing in its own way.
    pub admitted: Option<Ms>,
    /// How many younger ones went first since then.
    pub overtaken: u32,
    pub refused: Option<(ErrorKind, i32, Ms, bool)>,
    pub waited: bool,
    pub edited: Ms,
    /// When it was seen last that its account could not be used: nobody asked about its job then.
    pub unable: Ms,
    pub passes: BTreeMap<usize, u32>,
    pub writes: u32,
}

impl Judge {
    pub fn new() -> Self {
        Self {
            lives: BTreeMap::new(),
            requests: HashMap::new(),
            worst: Worst::default(),
            wrong: Vec::new(),
            schema: Schema::of_status(),
            holds: HashMap::new(),
            began: HashMap::new(),
            trail: VecDeque::new(),
            idle: BTreeMap::new(),
            hour_began: 0,
            lets_go: BTreeMap::new(),
        }
    }

    pub fn is_content(&self) -> bool {
        self.wrong.is_empty()
    }

    pub fn wrong(&mut self, what: String) {
        self.wrong.push(what);
    }

    /// What is wrong, and what led to it; none if nothing is.
    pub fn story(&self) -> Option<String> {
        let mut story = String::new();
        for (now, process, judged) in self.trail.iter().filter(|_| !self.is_content()) {
            let slot = self.lives.get(&judged.uid).map_or(99, |life| life.slot);
            let Judged { before, after, effect, requeue, .. } = judged;
            let next = effect.map_or_else(|| format!("{requeue:?}"), str::to_owned);
            let _ = writeln!(
                story,
                "  {} [{process}] b-{slot} {} {:?} {} -> {:?} {}: {next}",
                told(*now),
                judged.uid,
                before.phase,
                before.reason,
                after.phase,
                after.reason
            );
        }
        for wrong in &self.wrong {
            let _ = writeln!(story, "WRONG: {wrong}");
        }
        (!self.is_content()).then_some(story)
    }

    pub fn created(&mut self, object: &RdsBackup, slot: usize, now: Ms) {
        let uid = uid_of(object).to_owned();
        let second = object.metadata.creation_timestamp.as_ref().map_or(0, |time| crate::walks::time::ms(time.0));
        let life = Life {
            slot,
            instance: object.spec.db_instance_id.clone(),
            key: (second, uid.clone()),
            created: now,
            waits_from: now,
            shown: None,
            recorded: None,
            polled: None,
            unanswered: BTreeSet::new(),
            admitted: None,
            overtaken: 0,
            refused: None,
            waited: false,
            edited: now,
            unable: 0,
            passes: BTreeMap::new(),
            writes: 0,
        };
        self.lives.insert(uid, life);
    }

    pub fn deleted(&mut self, uid: &str) {
        self.lives.remove(uid);
        self.lets_go.remove(uid);
    }

    pub fn edited(&mut self, uid: &str, now: Ms) {
        if let Some(life) = self.lives.get_mut(uid) {
            life.edited = now;
        }
    }

    pub fn pass_begins(&mut self, process: usize, uid: &str) {
        if let Some(life) = self.lives.get_mut(uid) {
            *life.passes.entry(process).or_default() += 1;
        }
    }

    /// The service is asked about its job, and answers or not.
    pub fn polled(&mut self, process: usize, uid: &str, now: Ms, answers: bool) {
        let Some(life) = self.lives.get_mut(uid) else { return };
        if answers {
            life.polled = Some(now);
            life.unanswered.remove(&process);
        } else {
            life.unanswered.insert(process);
        }
    }

    /// A request leaves.
    pub fn sent(&mut self, uid: &str, stamp: &Stamp, run: i32) {
        if self.requests.insert(stamp.nonce.clone(), (uid.to_owned(), run)).is_some() {
            self.wrong(format!("6 nonce {} of {uid} is sent twice", stamp.nonce));
        }
    }

    pub fn decided(&mut self, process: usize, life: u32, judged: &Judged, now: Ms) {
        if self.trail.len() == TOLD {
            self.trail.pop_front();
        }
        self.trail.push_back((now, process, judged.clone()));
        self.no_hot_loop(judged);
        let began = *self.began.entry((process, life)).or_insert(now);
        self.deadlines(process, judged, began);
        self.pauses(process, life, judged);
    }

    fn no_hot_loop(&mut self, judged: &Judged) {
        let Judged { uid, before, after, changed, effect, requeue, deleting, .. } = judged;
        let is_of_its_set =
            effect.is_some_and(|effect| ["ReadSurroundings", "Inspect", "DeleteSet", "LookForNewer", "RemoveObject"].contains(&effect));
        if before.phase.is_terminal() && effect.is_some() && !is_of_its_set {
            self.wrong(format!("5 something is done for {uid} after its end: {effect:?}"));
        }
        if effect.is_some() {
            return;
        }
        match requeue {
            Requeue::Now if !changed => self.wrong(format!("1 {uid} is decided again at once, and nothing was done or changed")),
            Requeue::Now => {}
            Requeue::After(time) if time.as_millis() < 100 => self.wrong(format!("1 {uid} is looked at again after {time:#}")),
            Requeue::After(_) => {}
            Requeue::OnChange if after.phase.is_terminal() || *deleting => {}
            Requeue::OnChange => {
                self.wrong(format!("1 {uid} waits for an event that may never come, in {:?} {}", after.phase, after.reason))
            }
        }
    }

    /// Never before its time, never while an intent is open, and not much later.
    fn deadlines(&mut self, process: usize, judged: &Judged, began: Ms) {
        let Judged { uid, before, after, now, queue_timeout, timeout, .. } = judged;
        let Some(life) = self.lives.get_mut(uid) else { return };
        if !judged.able {
            life.unable = *now;
        }
        let life = life.clone();
        if !before.failed_by("QueueTimeout") && after.failed_by("QueueTimeout") {
            if before.open || before.has_result() {
                self.wrong(format!("4 queueTimeout ends {uid} while its request is open or its job runs"));
            }
            if *now + SLACK < life.waits_from + queue_timeout {
                self.wrong(format!("4 queueTimeout ends {uid} too early: it waits since {} at most", told(life.waits_from)));
            }
        }
        if !before.failed_by("Timeout") && after.failed_by("Timeout") {
            if after.open || after.job != before.job || after.set != before.set || !after.origin {
                self.wrong(format!("4 {uid} timed out, and does not keep its claim"));
            }
            let from = life.recorded.map_or(*now, |(recorded, (began, _))| recorded.min(began));
            if *now + SLACK < from + timeout {
                self.wrong(format!("4 {uid} timed out too early: its job runs since {}", told(from)));
            }
            if life.polled.is_none_or(|polled| polled + SLACK < from + timeout) {
                self.wrong(format!("4 {uid} timed out, and the service has told nobody of its job since its time was over"));
            }
        }
        if after.phase.is_terminal() || judged.deleting {
            return;
        }
        let Some(until) = judged.rests_until() else { return };
        // The wait for a day to turn does not count.
        let day_is_over = before.reason == "QuotaExceeded" && after.reason != "QuotaExceeded";
        let since = if day_is_over { *now } else { life.shown.unwrap_or(*now).max(life.edited) };
        if before.waits() && after.waits() && until > since + queue_timeout + RECHECK + SLACK {
            self.wrong(format!(
                "4 {uid} waits since {}, and will wait until {} for {}: longer than its queueTimeout",
                told(since),
                told(until),
                after.reason
            ));
        }
        let Some((recorded, (_, ends))) = life.recorded else { return };
        // The set of a job that has ended may be listed a lag later; a process that has just started, or could not ask, does not know since when it
        // has ended.
        let over = recorded.max(life.edited) + timeout + judged.longest_poll;
        let late = until > if ends < *now { over.max(began).max(life.unable + RECHECK) + LAG + MINUTE } else { over } + SLACK;
        // A process that was not answered asks again, however late it is.
        let answered = !life.unanswered.contains(&process);
        if after.has_result() && !before.open && !after.open && judged.able && judged.valid && answered && late {
            self.wrong(format!("4 the job of {uid} was recorded at {}, and is waited for until {}", told(recorded), told(until)));
        }
    }

    fn pauses(&mut self, process: usize, life: u32, judged: &Judged) {
        let Judged { uid, effect, now, hold_until, .. } = judged;
        let key = (process, life, uid.clone());
        if *effect == Some("WriteIntent") {
            if judged.paused || !judged.able {
                self.wrong(format!("7 an attempt of {uid} begins although its account may not be used"));
            }
            if self.holds.get(&key).is_some_and(|until| now < until) {
                self.wrong(format!("7 an attempt of {uid} begins before the pause is over"));
            }
        }
        if let Some(until) = hold_until {
            self.holds.insert(key, crate::walks::time::ms(*until));
        }
    }

    /// A status write stands. `job`: when the job that it names began and ends.
    pub fn wrote(
        &mut self,
        object: &RdsBackup,
        statuses: (&RdsBackupStatus, &RdsBackupStatus),
        refused: Option<ErrorKind>,
        job: Option<(Ms, Ms)>,
        now: Ms,
    ) {
        let (before, after) = statuses;
        let uid = uid_of(object).to_owned();
        if let Some(wrong) = self.schema.refuses(after).or_else(|| misshapen(object, before, after)) {
            self.wrong(format!("5 {uid}: {wrong}"));
        }
        let Some(life) = self.lives.get_mut(&uid) else { return };
        life.writes += 1;
        let (was, is) = (Place::of(before), Place::of(after));
        if let Some(kept) = after.attempts.last().filter(|_| was.open && !is.open)
            && kept.outcome == AttemptOutcome::Rejected
        {
            let waits_since = after.submission.as_ref().map_or(now, |last| crate::walks::time::ms(last.waiting_since.0));
            life.refused = refused.map(|kind| (kind, kept.attempt, now, now < waits_since + FRESH + SLACK));
        }
        if is.reason == "RetryBackoff" && was.reason != "RetryBackoff" {
            (life.waits_from, life.shown) = (now, None);
        }
        if was.reason == "QuotaExceeded" && is.reason != "QuotaExceeded" {
            life.shown = None;
        }
        if (is.waits() || is.open) && life.shown.is_none() {
            life.shown = Some(now);
        }
        if (&was.job, &was.set) != (&is.job, &is.set) {
            let first = life.recorded.map_or(now, |(recorded, _)| if was.has_result() && was.job == is.job { recorded } else { now });
            life.recorded = is.has_result().then(|| (first, job.unwrap_or((first, Ms::MAX))));
        }
        if is.has_result() && !life.waited {
            life.waited = true;
            self.worst.wait = self.worst.wait.max(now - life.created);
        }
    }

    /// An intent stands in the API server: whoever was there first and could have gone goes first.
    pub fn intent_stands(&mut self, uid: &str, submission_at: Ms, behind: Ms) {
        let Some(life) = self.lives.get(uid) else { return };
        let first = self.lives.values().find(|other| {
            other.instance == life.instance && other.key < life.key && other.admitted.is_some_and(|since| since < submission_at - behind)
        });
        if let Some(first) = first {
            let since = first.admitted.map_or_else(String::new, told);
            let wrong = format!("2 {uid} begins an attempt before {}, which is older, and ready since {since}", first.key.1);
            self.wrong(wrong);
        }
        let Some((kind, attempt, at, fresh)) = self.lives.get_mut(uid).and_then(|life| life.refused.take()) else { return };
        let least = least_pause(kind, attempt, fresh);
        if submission_at + SLACK < at + least {
            self.wrong(format!(
                "7 {uid} was refused by {kind:?} in its attempt {attempt}, and tries again {} ms later",
                submission_at - at
            ));
        }
    }

    /// A request is accepted: whom it overtook, and whether it is the only one of its run.
    pub fn overtakes(&mut self, uid: &str) {
        let Some(life) = self.lives.get(uid).cloned() else { return };
        for other in self.lives.values_mut() {
            if other.instance == life.instance && other.key < life.key && other.admitted.is_some() {
                other.overtaken += 1;
                self.worst.overtaken = self.worst.overtaken.max(other.overtaken);
                if other.overtaken > 2 {
                    self.wrong.push(format!("2 {} is overtaken for the third time while nothing is in its own way", other.key.1));
                }
            }
        }
    }
}

/// The object held its instance, or went first, and does not any more: the objects that wait may go on.
pub fn lets_go(before: &RdsBackupStatus, after: &RdsBackupStatus) -> bool {
    let waits = |phase| matches!(phase, Phase::Pending | Phase::Queued);
    !before.phase.is_terminal() && (after.phase.is_terminal() || (!waits(before.phase) && waits(after.phase)))
}

/// The pause after a refusal, at least: it grows.
fn least_pause(kind: ErrorKind, attempt: i32, fresh: bool) -> Ms {
    let doubled = |first: Ms, most: Ms| (first << (attempt - 1).clamp(0, 12)).min(most);
    match kind {
        ErrorKind::Throttled | ErrorKind::ClockSkew => doubled(5 * SECOND, 5 * MINUTE),
        ErrorKind::DailyLimit => doubled(HOUR, 6 * HOUR),
        ErrorKind::TokenExpired => 30 * SECOND,
        ErrorKind::InstanceNotReady => doubled(5 * SECOND, 2 * MINUTE),
        ErrorKind::InvalidCredentials if attempt <= 3 => 5 * SECOND,
        ErrorKind::AccessDenied
        | ErrorKind::InvalidCredentials
        | ErrorKind::AccountProblem
        | ErrorKind::RegionUnavailable
        | ErrorKind::WrongEndpoint
        | ErrorKind::DeniedByService
        | ErrorKind::EncryptionKey
        | ErrorKind::InstanceNotFound => {
            if fresh {
                RECHECK_FRESH
            } else {
                RECHECK
            }
        }
        _ => 0,
    }
}

/// What is wrong with a status, by what kstatus and the documentation say.
fn misshapen(object: &RdsBackup, before: &RdsBackupStatus, after: &RdsBackupStatus) -> Option<String> {
    let (was, is) = (Place::of(before), Place::of(after));
    let condition = |kind: ConditionType| after.condition(kind);
    let of_kstatus = [ConditionType::Reconciling, ConditionType::Stalled];
    let generation = object.metadata.generation;
    let reconciling = condition(ConditionType::Reconciling).is_some();
    let stalled = condition(ConditionType::Stalled).is_some();
    let ready = condition(ConditionType::Ready).map(|ready| ready.status.as_str());
    let expected = match after.phase {
        Phase::Succeeded => (Some("True"), false, false),
        Phase::Failed => (Some("False"), false, true),
        _ => (Some("False"), !stalled, stalled),
    };
    let bare = |status: &RdsBackupStatus| RdsBackupStatus {
        attempts: Vec::new(),
        conditions: Vec::new(),
        observed_generation: 0,
        ..status.clone()
    };
    Some(match () {
        () if was.phase.is_terminal() && bare(before) != bare(after) => format!("it was changed after its end: {before:?} {after:?}"),
        () if after.observed_generation == -1 || Some(after.observed_generation) != generation => {
            format!("observedGeneration is {}", after.observed_generation)
        }
        () if after.conditions.iter().any(|condition| condition.observed_generation != generation) => {
            "a condition is of an older generation".to_owned()
        }
        () if of_kstatus.iter().filter_map(|kind| condition(*kind)).any(|condition| condition.status != "True") => {
            "Reconciling or Stalled is there and not True".to_owned()
        }
        () if (ready, reconciling, stalled) != expected => {
            format!("in phase {:?} it is Ready {ready:?}, Reconciling {reconciling}, Stalled {stalled}", after.phase)
        }
        () if after.attempts.len() > 5 => "more than 5 attempts".to_owned(),
        () if after.conditions.iter().any(|condition| condition.message.chars().count() > 1024 || condition.message.is_empty()) => {
            "a message of a condition is empty, or longer than anybody reads".to_owned()
        }
        () if after.queue.is_some() != is.waits() => "queue is there and it does not wait, or the other way round".to_owned(),
        () if says_nothing_new(before, after) => format!("a write says nothing new: {before:?} {after:?}"),
        () if is.has_result() && !is.origin => "a result of no origin".to_owned(),
        () => return None,
    })
}

/// Whether two statuses differ only in an error's words, numbers of requests and times.
fn says_nothing_new(before: &RdsBackupStatus, after: &RdsBackupStatus) -> bool {
    let essence = |status: &RdsBackupStatus| {
        let mut essence = status.clone();
        if let Some(error) = &mut essence.last_error {
            (error.message, error.request_id, error.at.0) = (String::new(), None, at(0));
        }
        for condition in &mut essence.conditions {
            condition.last_transition_time.0 = at(0);
        }
        essence
    };
    essence(before) == essence(after)
}
