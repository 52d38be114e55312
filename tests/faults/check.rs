//! The rules that hold in every world, checked from outside: by the log of the API server and of the cloud, by the cloud's jobs, and by the
//! objects at the end. Nothing here asks the operator.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::{
    api::{Call, Written},
    canary::search,
    cloud::Job,
    life::Ended,
    script::Script,
    step::Step,
    transport::pause_of,
    world::{AnyRequest, CANARY, LogEntry, LogEvent, Reply, State},
};

/// The intent that a status announces.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Intent {
    uid: String,
    run: i64,
    attempt: i64,
}

/// All violations; empty if there is none.
pub fn violations(script: &Script, ended: &Ended) -> Vec<String> {
    let mut wrong = Vec::new();
    let since = match &ended.rested {
        Ok(since) => Some(*since),
        Err(why) => {
            wrong.push(format!("I6 {why}"));
            None
        }
    };
    ended.world.with(|state, _| {
        let judge = Judge::new(state);
        judge.one_backup_each(&mut wrong);
        if since.is_some() {
            judge.nothing_is_lost(&mut wrong);
        }
        judge.cleared_before_sent(&mut wrong);
        judge.history(&mut wrong);
        judge.conditions_of_writes(&mut wrong);
        if !script.recorded {
            judge.no_secrets(&mut wrong);
        }
        judge.ends_in_time(&mut wrong);
        // With more than one account, pace.rs checks each of them.
        if script.accounts.is_none() {
            judge.pace(script, &mut wrong);
        }
        if let Some(since) = since {
            judge.rest(since, script, &mut wrong);
        }
    });
    if script.recorded {
        wrong.extend(search(ended).hits.into_iter().map(|hit| format!("I12 {hit}")));
    }
    wrong
}

struct Judge<'a> {
    state: &'a State,
    /// The intents by the nonce of their request.
    intents: BTreeMap<String, Intent>,
    deleted: BTreeSet<String>,
}

impl<'a> Judge<'a> {
    fn new(state: &'a State) -> Self {
        let mut intents = BTreeMap::new();
        for (_, written) in writes(state) {
            let submission = &written.after["submission"];
            if let Some(nonce) = submission["nonce"].as_str() {
                let number = |name: &str| submission[name].as_i64().unwrap_or_default();
                let intent = Intent { uid: written.uid.clone(), run: number("run"), attempt: number("attempt") };
                intents.insert(nonce.to_owned(), intent);
            }
        }
        let deleted = state.log.iter().filter_map(|line| match &line.what {
            LogEvent::Note(text) => text.strip_prefix("deleted ").map(str::to_owned),
            _ => None,
        });
        Self { state, intents, deleted: deleted.collect() }
    }

    /// The operator's own jobs, each with its intent.
    fn own_jobs(&self) -> impl Iterator<Item = (&'a Job, Option<&Intent>)> {
        let own = self.state.cloud.jobs.iter().filter_map(|job| Some((job, job.nonce.as_ref()?)));
        own.map(|(job, nonce)| (job, self.intents.get(nonce)))
    }

    /// I1: at most one accepted CreateBackup for each (uid, run) whose job did not fail, and at most one successful set for each uid.
    fn one_backup_each(&self, wrong: &mut Vec<String>) {
        let mut runs: BTreeMap<(&str, i64), Vec<u64>> = BTreeMap::new();
        let mut objects: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        for (job, intent) in self.own_jobs() {
            let Some(intent) = intent else {
                wrong.push(format!("I3 job {} was begun by a request that no object announced", job.id));
                continue;
            };
            if !job.fails {
                runs.entry((intent.uid.as_str(), intent.run)).or_default().push(job.id);
                objects.entry(intent.uid.as_str()).or_default().push(job.id);
            }
        }
        wrong.extend(
            runs.iter()
                .filter(|(_, jobs)| jobs.len() > 1)
                .map(|((uid, run), jobs)| format!("I1 run {run} of {uid} had more than one accepted request: jobs {jobs:?}")),
        );
        wrong.extend(
            objects
                .iter()
                .filter(|(_, jobs)| jobs.len() > 1)
                .map(|(uid, jobs)| format!("I1 {uid} has more than one successful backup: jobs {jobs:?}")),
        );
    }

    /// I2: every accepted job is recorded in an object, as its result or in its attempts, and is the result of one object at most. A job of
    /// a deleted object needs no record; neither does a job that failed, because it left no backup that could be lost.
    fn nothing_is_lost(&self, wrong: &mut Vec<String>) {
        let names = |job: &Job, value: &Value| is(&value["backupJobId"], job.id) || is(&value["backupId"], job.backup_id);
        for job in &self.state.cloud.jobs {
            // One that has the set of another by `reuseIfNewerThan` or `existingBackupId` says so.
            let made = |object: &&Value| !matches!(object["status"]["origin"].as_str(), Some("Reused" | "Existing"));
            let results = self.state.api.backups().filter(made).filter(|object| names(job, &object["status"])).collect::<Vec<_>>();
            if results.len() > 1 {
                let owners: Vec<_> = results.iter().map(|object| object["metadata"]["name"].to_string()).collect();
                wrong.push(format!("I2 job {} is the result of more than one object: {owners:?}", job.id));
            }
            let Some(intent) = job.nonce.as_ref().and_then(|nonce| self.intents.get(nonce)) else { continue };
            let remembered = self
                .state
                .api
                .backups()
                .any(|object| object["status"]["attempts"].as_array().is_some_and(|all| all.iter().any(|attempt| names(job, attempt))));
            if results.is_empty() && !remembered && !job.fails && !self.deleted.contains(&intent.uid) {
                wrong.push(format!("I2 job {} of {} is recorded nowhere", job.id, intent.uid));
            }
        }
    }

    /// I3: the intent of every CreateBackup on the wire was written and cleared before; the request left soon after it, equal to it, and
    /// once.
    fn cleared_before_sent(&self, wrong: &mut Vec<String>) {
        let mut announced: BTreeMap<&str, (Timestamp, &Value)> = BTreeMap::new();
        let mut sent: BTreeMap<&str, u32> = BTreeMap::new();
        for line in &self.state.log {
            match &line.what {
                LogEvent::Done(_, Reply::Api(answer)) => {
                    if let Some(written) = &answer.written
                        && let Some(nonce) = written.after["submission"]["nonce"].as_str()
                    {
                        let first = announced.get(nonce).map_or(line.at, |(first, _)| *first);
                        announced.insert(nonce, (first, &written.after["submission"]));
                    }
                }
                LogEvent::Sent(AnyRequest::Cloud(Step::Create, call)) => {
                    let nonce = call.nonce.as_str();
                    match announced.get(nonce) {
                        Some((first, intent)) if intent["cleared"] == true && intent["outcome"].is_null() => {
                            // The limiter may have held it for 5 s.
                            if line.at > *first + SignedDuration::from_secs(66) {
                                wrong.push(format!("I3 nonce {nonce} was announced at {first} and sent at {}", line.at));
                            }
                            if intent["timestamp"].as_str().and_then(|signed| signed.parse().ok()) != call.signed_at {
                                wrong.push(format!(
                                    "I3 nonce {nonce} was signed for {:?}, and {} announced",
                                    call.signed_at, intent["timestamp"]
                                ));
                            }
                        }
                        _ => wrong.push(format!("I3 a request was sent whose intent was not cleared and open: nonce {nonce}")),
                    }
                    let times = sent.entry(nonce).or_default();
                    *times += 1;
                    if *times > 1 {
                        wrong.push(format!("I3 nonce {nonce} was sent {times} times"));
                    }
                }
                _ => {}
            }
        }
    }

    /// I4 and I5: an ended object does not change, a job's id is replaced only if it stays in the attempts, an object succeeds only if the
    /// job did, and a set that existed before the request or was made by the instance's own policy is never adopted.
    fn history(&self, wrong: &mut Vec<String>) {
        for (at, Written { uid, before, after }) in writes(self.state) {
            let terminal = |status: &Value| matches!(status["phase"].as_str(), Some("Succeeded" | "Failed"));
            if terminal(before) && before != after {
                // A late answer of a request may still be added to the attempts after the end.
                let bare = |status: &Value| {
                    let mut fields = status.as_object().cloned().unwrap_or_default();
                    ["attempts", "conditions", "observedGeneration"].iter().for_each(|field| drop(fields.remove(*field)));
                    fields
                };
                if bare(before) != bare(after) {
                    wrong.push(format!("I4 {uid} was changed after its end at {at}"));
                }
            }
            for (field, other) in [("backupJobId", "backupJobId"), ("backupId", "backupId")] {
                let (Some(old), new) = (before[field].as_str(), &after[field]) else { continue };
                let remembered = after["attempts"].as_array().is_some_and(|all| all.iter().any(|attempt| attempt[other] == old));
                if new != old && !remembered {
                    wrong.push(format!("I4 {field} {old} of {uid} was forgotten at {at}"));
                }
            }
            if after["phase"] == "Succeeded" && before["phase"] != "Succeeded" {
                let set = after["backupId"].as_str().unwrap_or_default();
                match self.state.cloud.of_set(set) {
                    Some(job) if !job.fails && job.listed_at <= at => {}
                    _ => wrong.push(format!("I5 {uid} succeeded at {at} with set {set:?}, and the cloud says otherwise")),
                }
            }
            if after["origin"] == "Adopted" && before["origin"] != "Adopted" {
                let text = |name: &str| after[name].as_str().unwrap_or_default();
                let job = self.state.cloud.of_set(text("backupId")).or_else(|| self.state.cloud.of_id(text("backupJobId")));
                let baseline = after["submission"]["baseline"]["backupIds"].as_array().cloned().unwrap_or_default();
                match job {
                    None => wrong.push(format!("I2 {uid} adopted what the cloud does not know at {at}")),
                    Some(job) if job.automated => wrong.push(format!("I2 {uid} adopted the instance's own job {} at {at}", job.id)),
                    Some(job) if baseline.iter().any(|id| is(id, job.backup_id)) => {
                        wrong.push(format!("I2 {uid} adopted set {} of its baseline at {at}", job.backup_id));
                    }
                    Some(_) => {}
                }
            }
        }
    }

    /// Every status write has the resourceVersion of the object on which it builds.
    fn conditions_of_writes(&self, wrong: &mut Vec<String>) {
        for call in self.api_calls().filter(|call| call.is_status_write()) {
            let body: Value = serde_json::from_str(&call.body).unwrap_or_default();
            if !body["metadata"]["resourceVersion"].is_string() {
                wrong.push(format!("a status of {} was written without a resourceVersion", call.path));
                return;
            }
        }
    }

    /// A process has ended 21 s after the signal, unless it dies before or is frozen; Kubernetes kills after 30 s.
    fn ends_in_time(&self, wrong: &mut Vec<String>) {
        let mut signalled: BTreeMap<(u32, &str), Timestamp> = BTreeMap::new();
        for line in &self.state.log {
            let LogEvent::Note(text) = &line.what else { continue };
            let Some((process, what)) = text.strip_prefix("process ").and_then(|text| text.split_once(' ')) else { continue };
            if what.starts_with("is told to end") {
                signalled.entry((line.life, process)).or_insert(line.at);
            } else if let Some(at) = signalled.get(&(line.life, process))
                && line.at > *at + SignedDuration::from_secs(21)
            {
                wrong.push(format!("process {process} was told to end at {at}, and ended at {}", line.at));
            }
        }
    }

    /// I12: no request to the API server contains a secret or a pre-signed address.
    fn no_secrets(&self, wrong: &mut Vec<String>) {
        for call in self.api_calls().filter(|call| call.body.contains(CANARY) || call.path.contains(CANARY)) {
            wrong.push(format!("I12 a secret is in {} {}", call.method, call.path));
        }
    }

    fn api_calls(&self) -> impl Iterator<Item = &'a Call> {
        self.state.log.iter().filter_map(|line| match &line.what {
            LogEvent::Sent(AnyRequest::Api(_, call)) => Some(call),
            _ => None,
        })
    }

    /// I8: no more calls in any second than the limits allow, no call while the cloud asks for a pause, and writes and calls within a
    /// bound.
    fn pace(&self, script: &Script, wrong: &mut Vec<String>) {
        let mut reads: Vec<Timestamp> = Vec::new();
        let mut creates: Vec<Timestamp> = Vec::new();
        let mut pause: Option<(u32, Timestamp, Timestamp)> = None;
        let mut writes: BTreeMap<&str, u64> = BTreeMap::new();
        for LogEntry { at, life, what } in &self.state.log {
            match what {
                LogEvent::Sent(AnyRequest::Cloud(step, _)) => {
                    if *step == Step::Create {
                        creates.push(*at)
                    } else {
                        reads.push(*at)
                    }
                    // A call may have left while the answer was under way; two processes do not know of each other's pauses.
                    if let Some((begun, from, until)) = pause
                        && begun == *life
                        && script.processes == 1
                        && *at > from + SignedDuration::from_secs(4)
                        && *at < until
                    {
                        wrong.push(format!("I8 the cloud was called at {at}, and had asked for a pause until {until}"));
                    }
                }
                LogEvent::Note(text) => {
                    if let Some(until) = pause_of(text) {
                        pause = Some((*life, *at, until));
                    }
                }
                LogEvent::Done(_, Reply::Api(answer)) => {
                    if let Some(written) = &answer.written {
                        *writes.entry(&written.uid).or_default() += 1;
                    }
                }
                LogEvent::Sent(_) | LogEvent::Done(..) => {}
            }
        }
        let processes = usize::try_from(script.processes).unwrap_or(1);
        // Each life begins with a full bucket.
        let lives = usize::try_from(self.state.life).unwrap_or(1);
        for (name, calls, most) in [("reads", reads, 21), ("CreateBackups", creates, 11)] {
            let most = most * processes * lives;
            let busiest = calls.windows(most + 1).any(|window| window[most].duration_since(window[0]) < SignedDuration::from_secs(1));
            if busiest {
                wrong.push(format!("I8 more than {most} {name} within a second"));
            }
        }
        let faults: u64 = self.state.fault_plan.injected.values().sum();
        for (uid, count) in writes {
            let most = 60 + 4 * faults * u64::from(script.processes);
            if count > most {
                wrong.push(format!("I7 {count} status writes for {uid}, with {faults} faults"));
            }
        }
    }

    /// I6 and I7: at rest the operator sends no request.
    fn rest(&self, since: Timestamp, script: &Script, wrong: &mut Vec<String>) {
        for LogEntry { at, what, .. } in self.state.log.iter().filter(|line| line.at > since) {
            match what {
                LogEvent::Sent(AnyRequest::Api(step, call)) if !matches!(step, Step::List | Step::Watch) => {
                    let reads = call.method == "GET";
                    if !(reads && script.expiry == "Never") {
                        wrong.push(format!("I7 at rest since {since}, and at {at}: {} {}", call.method, call.path));
                    }
                }
                // With requestExpiry: Never, the operator keeps looking while the object waits for a person.
                LogEvent::Sent(AnyRequest::Cloud(_, call)) if script.expiry != "Never" => {
                    wrong.push(format!("I7 at rest since {since}, and at {at}: {}", call.action));
                }
                _ => {}
            }
        }
    }
}

/// All status writes that were carried out, in order.
fn writes(state: &State) -> impl Iterator<Item = (Timestamp, &Written)> {
    state.log.iter().filter_map(|line| match &line.what {
        LogEvent::Done(_, Reply::Api(answer)) => Some((line.at, answer.written.as_ref()?)),
        _ => None,
    })
}

fn is(value: &Value, id: u64) -> bool {
    value.as_str().is_some_and(|text| text == id.to_string())
}
