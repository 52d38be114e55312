//! What a process does: the shipped pass, driven request by request, so that a crash, a lost answer, another process or time can come
//! between any two requests that can be told apart.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use rds_backup_operator::{
    api::{Phase, RdsBackup},
    backup::{
        decide::Effect,
        observation::{AccountView, Blocker},
        pass::{Decided, Pass, Stage},
        reads::SoFar,
        request::{Answer, CloudRead, Error, InstanceObject, Next, Present, Request, Rest},
    },
    controller::WriteResult,
    rds::{BackupTask, CreateOutcome, Mode, Stamp, TaskAction, Unknown},
};

use crate::model::{
    cloud,
    flaws::Flaw,
    setup::Setup,
    world::{Arrived, Remembered, UnderWay, Work, World, decided, status_of, steady},
};

/// A configuration, and what follows from it.
pub struct System {
    pub setup: Setup,
    pub account: Result<AccountView, Blocker>,
    /// The pause after two intents met, in milliseconds.
    pub pause: AtomicI64,
}

/// How a request to the API server or to the cloud ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    Fine,
    /// It was done, and the answer was lost.
    Unheard,
    /// It was not done. Of a write that is a write which waits: the next pass decides again.
    Failed,
    /// Its client gives up, and it may be done later.
    Late,
    /// The credentials of a read were refused.
    Refused {
        /// Other credentials are at hand.
        renewed: bool,
    },
}

/// What a pass may still do before it is dropped, as a pass may be at any await: what it would do after that belongs to the next pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum May {
    /// Record the answer that it holds.
    Record,
    /// Write once.
    Write,
    /// Read the cloud for one effect after another, and write once.
    Read,
}

/// What no state may ever show.
pub const CIRCLE: &str = "a pass goes round in a circle";
pub const UNCLEARED: &str = "a request was sent before its cleared intent stood";
pub const UNLED: &str = "a request left a process that does not lead";

impl World {
    /// The process looks at an object: for a watch event, or because its time has come. Says whether anything came of it.
    pub fn wake(&mut self, system: &System, process: usize, slot: usize, ending: Ending) -> bool {
        let Some(cached) = self.cached(process, slot).cloned() else { return false };
        let uid = cached.metadata.uid.clone().unwrap_or_default();
        if self.memory(process, slot).uid != uid {
            self.processes[process].memories[slot] = Remembered::new(&uid);
        }
        let (before, writes) = (self.memory(process, slot).print.clone(), self.writes);
        let sends = self.processes[process].sender.is_some();
        let work = Work { slot, pass: Pass::start(cached), locked: false };
        self.run(system, process, work, Answer::Begin, May::Read, ending);
        let process = &self.processes[process];
        process.pass.is_some()
            || process.sender.is_some() != sends
            || self.writes != writes
            || process.memories[slot].print != before
            || self.broken.is_some()
    }

    /// The request that is a step of its own, and what follows from it at once.
    pub fn go_on(&mut self, system: &System, process: usize, ending: Ending) {
        let Some(under_way) = self.processes[process].pass.take() else { return };
        let UnderWay { mut work, pending, arrived, .. } = Arc::unwrap_or_clone(under_way);
        let answer = match arrived {
            Some(Arrived::Written(newest)) => Answer::Written(Ok(WriteResult::Yes(Box::new(Arc::unwrap_or_clone(newest))))),
            _ => match self.perform(system, process, &mut work, &pending, ending) {
                // Anything may happen before the process hears that its cleared intent stands.
                Answer::Written(Ok(WriteResult::Yes(newest))) if sends_next(&work.pass) => {
                    let mut landed = UnderWay::new(work, pending);
                    landed.arrived = Some(Arrived::Written(Arc::new(*newest)));
                    self.processes[process].pass = Some(Arc::new(landed));
                    return;
                }
                answer => answer,
            },
        };
        self.run(system, process, work, answer, May::Write, ending);
    }

    /// The answer to CreateBackup is read, or (not heard) waited for no longer; and recorded.
    pub fn hear(&mut self, system: &System, process: usize, heard: bool) {
        let Some(sender) = self.processes[process].sender.take() else { return };
        let UnderWay { work, arrived, .. } = Arc::unwrap_or_clone(sender);
        let mut outcome = match arrived {
            Some(Arrived::Sent(outcome)) if heard => outcome,
            _ => CreateOutcome::Unknown(Unknown { why: "no answer".into(), api: None }),
        };
        if let Some(flaw) = system.setup.flaw {
            flaw.bend_outcome(&mut outcome);
        }
        self.run(system, process, work, Answer::Sent(outcome), May::Record, Ending::Fine);
    }

    fn run(&mut self, system: &System, process: usize, work: Work, answer: Answer, may: May, ending: Ending) {
        let slot = work.slot;
        self.drive(system, process, work, answer, may, ending);
        self.print_memory(process, slot);
    }

    /// Drives the pass until it rests, is dropped, or asks for what is a step of its own. `ending`: how its next read of the cloud ends.
    fn drive(&mut self, system: &System, process: usize, mut work: Work, mut answer: Answer, mut may: May, mut ending: Ending) {
        loop {
            let request = match self.next(system, process, &mut work, answer) {
                Next::Do(request) => request,
                Next::Rest(Rest::Failed(error)) if matches!(*error, Error::NoRest(_) | Error::Mismatch) => {
                    self.broken = Some(CIRCLE);
                    return;
                }
                Next::Rest(_) => return,
            };
            if is_dropped(system, &work, &request, may) {
                return;
            }
            if let Request::Send { stamp, .. } = &request {
                self.leave(process, &work, stamp);
                self.processes[process].sender = Some(Arc::new(UnderWay::new(work, request)));
                return;
            }
            if is_step(system, &work, &request) {
                self.processes[process].pass = Some(Arc::new(UnderWay::new(work, bent(system, request))));
                return;
            }
            if is_left_out(system, &work, &request) {
                answer = Answer::Written(Ok(WriteResult::Yes(Box::new(copy_with(&work, &request)))));
                continue;
            }
            let ends = if matches!(request, Request::WriteStatus { .. }) { Ending::Fine } else { ending };
            answer = self.perform(system, process, &mut work, &request, ends);
            match request {
                Request::Read { .. } if !matches!(ending, Ending::Refused { .. }) => ending = Ending::Fine,
                Request::RenewCredentials => ending = Ending::Fine,
                Request::WriteStatus { .. } => may = May::Record,
                _ => {}
            }
        }
    }

    fn next(&mut self, system: &System, process: usize, work: &mut Work, answer: Answer) -> Next {
        let leads = self.processes[process].leads || system.has(Flaw::FenceIgnored);
        let present = Present { steady: steady(self.now), leads, is_burst: false };
        let state = &mut Arc::make_mut(&mut self.processes[process].memories[work.slot]).state;
        let next = work.pass.next(state, answer, present);
        // Words may be deferred at any time, and are left out anyway; any object may be looked at at any time, so none needs to be woken.
        state.damping = Default::default();
        state.owes_wake = false;
        next
    }

    /// Step 5. The request leaves.
    fn leave(&mut self, process: usize, work: &Work, stamp: &Stamp) {
        let object = work.pass.object();
        let uid = object.metadata.uid.clone().unwrap_or_default();
        let intent_in = |object: &RdsBackup| status_of(object).submission.filter(|intent| intent.nonce == stamp.nonce);
        let announced = intent_in(object);
        let stands = self.get(work.slot, Some(&uid)).and_then(|stored| intent_in(&stored));
        if !announced.as_ref().is_some_and(|intent| intent.cleared) || stands.is_some_and(|intent| !intent.cleared) {
            self.broken = Some(UNCLEARED);
        }
        if !self.processes[process].leads {
            self.broken = Some(UNLED);
        }
        let (run, attempt) = announced.map_or((0, 0), |intent| (intent.run, intent.attempt));
        let (nonce, signed) = (stamp.nonce.clone(), stamp.timestamp.as_second());
        self.cloud.wire.push(cloud::Request { nonce, uid, run, attempt, signed, used: false });
    }
}

impl System {
    pub fn has(&self, flaw: Flaw) -> bool {
        self.setup.flaw == Some(flaw)
    }

    /// Jobs as the service tells them.
    pub fn as_told(&self, mut tasks: Vec<BackupTask>) -> Vec<BackupTask> {
        if self.setup.nameless {
            tasks.iter_mut().for_each(|task| (task.mode, task.action) = (Mode::Unknown, TaskAction::Unknown));
        }
        if let Some(flaw) = self.setup.flaw {
            flaw.bend_tasks(&mut tasks);
        }
        tasks
    }

    pub fn listed(&self, object: &Arc<RdsBackup>, ended: bool) -> InstanceObject {
        let release_after = self.account.as_ref().expect("an account").protocol.release_after();
        InstanceObject { object: object.clone(), admissible: true, release_after, ended, too_large: false }
    }

    pub fn pause(&self) -> jiff::SignedDuration {
        jiff::SignedDuration::from_millis(self.pause.load(Ordering::Relaxed))
    }

    /// The attempts and runs that are explored were used.
    fn is_beyond(&self, decided: &Decided) -> bool {
        let Some(Effect::Preflight { attempt: (run, attempt), .. }) = &decided.decision.effect else { return false };
        *run > self.setup.runs || *attempt > self.setup.attempts
    }
}

/// Whether the pass is dropped here.
fn is_dropped(system: &System, work: &Work, request: &Request, may: May) -> bool {
    let decided = decided(&work.pass);
    match request {
        Request::Announce(_)
        | Request::NoteEnd
        | Request::NoteTooLarge(_)
        | Request::WakeSiblings
        | Request::Forget
        | Request::PauseRecording { .. } => false,
        Request::Observe { .. } | Request::WriteStatus { unfenced: true, .. } => false,
        Request::ReadObject if !matches!(work.pass.stage(), Stage::Reread(_)) => false,
        _ if may == May::Record || decided.is_some_and(|decided| system.is_beyond(decided)) => true,
        Request::Admit => may < May::Read,
        // With its words only, there is nothing to do.
        Request::WriteStatus { .. } => effect(&work.pass).is_none() && is_left_out(system, work, request),
        _ => false,
    }
}

/// A step of its own is the intent, which is written upon what was read some time ago; the list of the others; what clears the intent; and
/// to hear that this stands, which is when the request leaves. A request that has left may be delivered at any time, so leaving is no step.
///
/// The rest is done at once, because no other process, no crash and no time can tell it from the same thing done later: reads, and the
/// write that follows from them. To read later is to look later, and a write that waits for long is one of a process that is slow to look
/// (or lands late, see `Setup::late_writes`). Tries to record that fail are no steps either: until one succeeds the answer might as well be
/// on its way.
fn is_step(system: &System, work: &Work, request: &Request) -> bool {
    let stage = work.pass.stage();
    let slow_look = system.setup.slow_looks && matches!(stage, Stage::Read(_, reads) if matches!(reads.so_far, SoFar::Look { .. }));
    match request {
        Request::ListInstance => slow_look || matches!(stage, Stage::Clear(_)),
        Request::Read { what: CloudRead::ManualSets(_), .. } => slow_look,
        Request::WriteStatus { unfenced, .. } => {
            !unfenced && (system.setup.slow_writes || sends_next(&work.pass) || writes_intent(&work.pass))
        }
        _ => false,
    }
}

pub fn writes_intent(pass: &Pass) -> bool {
    effect(pass).is_some_and(|effect| matches!(effect, Effect::WriteIntent { .. }))
}

/// The request leaves when the write stands.
pub fn sends_next(pass: &Pass) -> bool {
    effect(pass).is_some_and(|effect| matches!(effect, Effect::Send { .. }))
}

fn effect(pass: &Pass) -> Option<&Effect> {
    decided(pass)?.decision.effect.as_ref()
}

fn bent(system: &System, mut request: Request) -> Request {
    if let (Some(flaw), Request::WriteStatus { status, .. }) = (system.setup.flaw, &mut request) {
        flaw.bend_status(status);
    }
    request
}

/// The pass's copy of its object with the status that it wants to write.
pub fn copy_with(work: &Work, request: &Request) -> RdsBackup {
    let mut copy = work.pass.object().as_ref().clone();
    if let Request::WriteStatus { status, .. } = request {
        copy.status = Some(status.as_ref().clone());
    }
    copy
}

/// Whether a write changes nothing but what people read. Such a write may wait (`backup::flap_damping` lets it wait), and is not made: the
/// pass goes on with a copy of its own, which has the resourceVersion of what stands and the same deeds.
fn is_left_out(system: &System, work: &Work, request: &Request) -> bool {
    if system.setup.slow_writes || !matches!(request, Request::WriteStatus { unfenced: false, .. }) {
        return false;
    }
    let deeds = |object: &RdsBackup| {
        let status = status_of(object);
        let class = match status.phase {
            Phase::Queued => Phase::Pending,
            Phase::Finalizing => Phase::Running,
            phase => phase,
        };
        (class, status.backup_job_id, status.backup_id, status.origin, status.attempts, status.submission)
    };
    let seen_as = |object: &Arc<RdsBackup>| system.listed(object, false).sibling().map(|seen| (seen.blocked, seen.queues));
    let (before, after) = (work.pass.object(), Arc::new(copy_with(work, request)));
    deeds(before) == deeds(&after) && seen_as(before) == seen_as(&after)
}
