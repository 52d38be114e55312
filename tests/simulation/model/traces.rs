//! The ways in which earlier texts of the protocol failed, each walked again with the shipped decision, and each to a good end.

use std::sync::atomic::Ordering;

use rds_backup_operator::{
    api::{AttemptOutcome, ConditionType, Origin, Phase, RdsBackupStatus, Reason, SubmissionOutcome},
    backup::observation::Blocker,
};
use stateright::Model;

use crate::model::{
    cloud::Owner,
    laws,
    process::{Ending, System},
    setup::{EXPIRY, LAG, SKEW, Setup},
    system::Action,
    world::{TICK, World, status_of},
};

const P: usize = 0;
const Q: usize = 1;
const A: usize = 0;
const B: usize = 1;

/// A world to which things happen one after the other. Every law is checked after each.
pub struct Story {
    pub system: System,
    pub world: World,
}

impl Story {
    pub fn of(change: impl FnOnce(&mut Setup)) -> Self {
        let mut setup = Setup::base("a trace");
        (setup.attempts, setup.runs, setup.slow_writes) = (9, 1, true);
        change(&mut setup);
        let system = System::new(setup);
        system.pause.store(1000, Ordering::Relaxed);
        let world = system.init_states().remove(0);
        Self { system, world }
    }

    pub fn happens(&mut self, action: Action) {
        self.world = self.system.next_state(&self.world, action.clone()).unwrap_or_else(|| panic!("{action:?} changes nothing"));
        for law in self.system.properties().iter().filter(|law| laws::ALWAYS.contains(&law.name)) {
            assert!((law.condition)(&self.system, &self.world), "{} after {action:?}: {:#?}", law.name, self.world);
        }
    }

    /// The process works on the object until it rests, or is about to `write` or `send` what is said.
    fn pass_until(&mut self, process: usize, slot: usize, what: &str) {
        for _ in 0..30 {
            match &self.world.processes[process].pass {
                Some(pass) if !what.is_empty() && pass.told().starts_with(what) => return,
                Some(_) => self.happens(Action::GoOn { process, ending: Ending::Fine }),
                None => match self.system.next_state(&self.world, Action::Wake { process, slot, ending: Ending::Fine }) {
                    Some(next) => self.world = next,
                    None => break,
                },
            }
        }
        assert!(what.is_empty(), "it never {what}: {:#?}", self.status(slot));
    }

    pub fn pass(&mut self, process: usize, slot: usize) {
        self.pass_until(process, slot, "");
    }

    /// The intent is written, and nothing after it.
    fn announce(&mut self, process: usize, slot: usize) {
        self.pass_until(process, slot, "writes [Submitting");
        self.happens(Action::GoOn { process, ending: Ending::Fine });
    }

    /// A request leaves, and is on the wire.
    fn send(&mut self, process: usize, slot: usize) {
        self.pass_until(process, slot, "sends");
        self.happens(Action::GoOn { process, ending: Ending::Fine });
    }

    /// What was sent is waited for no longer.
    fn give_up(&mut self, process: usize) {
        self.happens(Action::Hear { process, heard: false });
    }

    fn accept(&mut self, process: usize) {
        self.happens(Action::Deliver { index: 0 });
        self.happens(Action::Hear { process, heard: true });
    }

    fn end(&mut self, job: usize) {
        self.happens(Action::End { job, well: true });
    }

    fn minutes(&mut self, seconds: i64) {
        for _ in 0..seconds / TICK {
            self.happens(Action::Tick);
        }
    }

    pub fn status(&self, slot: usize) -> RdsBackupStatus {
        status_of(self.world.object(slot).expect("it exists"))
    }

    fn outcome(&self, slot: usize) -> Option<SubmissionOutcome> {
        self.status(slot).submission.expect("an intent").outcome
    }

    /// How many requests of the object were accepted.
    pub fn accepted(&self, slot: usize) -> usize {
        let object = self.world.object(slot).and_then(|object| object.metadata.uid.clone()).expect("it exists");
        self.world.cloud.jobs.iter().filter(|job| matches!(&job.owner, Owner::Ours { uid, .. } if *uid == object)).count()
    }

    /// Minutes pass, and at each the process works on the object, until it is at its end.
    fn finish(&mut self, process: usize, slot: usize) {
        for _ in 0..30 {
            for job in 0..self.world.cloud.jobs.len() {
                let kept = &self.world.cloud.jobs[job];
                if kept.state != crate::model::cloud::State::Running && !kept.listed {
                    self.happens(Action::List { job });
                }
            }
            self.pass(process, slot);
            if self.status(slot).phase.is_terminal() {
                return;
            }
            self.happens(Action::Tick);
        }
        panic!("it does not end: {:#?}", self.status(slot));
    }
}

/// Trace 1. Lag counts from the job's end: the job ended a moment before the first look that counts.
#[test]
fn a_job_that_ends_while_the_operator_is_down_is_not_taken_for_one_that_never_began() {
    let mut story = Story::of(|_| {});
    story.send(P, A);
    story.happens(Action::Deliver { index: 0 });
    story.happens(Action::Crash { process: P });
    story.minutes(EXPIRY + SKEW + LAG);
    story.end(0);
    story.pass(P, A);
    story.minutes(TICK);
    story.pass(P, A);
    assert_eq!(story.outcome(A), None, "two clean looks a minute apart prove nothing");
    story.finish(P, A);
    assert_eq!((story.status(A).origin, story.accepted(A)), (Some(Origin::Adopted), 1));
}

/// Trace 2. No two open intents on an instance: that is what Clear is for.
#[test]
fn of_two_intents_the_later_is_withdrawn_and_the_one_of_a_crashed_process_adopts_nothing() {
    let mut story = Story::of(|setup| (setup.objects, setup.alone) = (2, true));
    story.announce(P, A);
    story.announce(Q, B);
    story.happens(Action::Crash { process: P });
    story.pass(Q, B);
    assert_eq!(story.outcome(B), Some(SubmissionOutcome::Unsent));
    story.minutes(TICK);
    story.pass_until(P, A, "writes [Queued");
    story.happens(Action::GoOn { process: P, ending: Ending::Fine });
    assert_eq!(story.outcome(A), Some(SubmissionOutcome::Unsent), "it is proven that nobody sent it");
    story.minutes(TICK);
    story.send(Q, B);
    story.accept(Q);
    story.pass(P, A);
    assert_eq!((story.status(A).origin, story.status(A).phase), (None, Phase::Queued));
    assert_eq!(story.status(B).origin, Some(Origin::Created));
    assert_eq!((story.accepted(A), story.accepted(B)), (0, 1));
}

/// Trace 3. An adoption leaves the intent open, so nobody else can have one meanwhile.
#[test]
fn giving_back_an_adoption_meets_no_other_open_intent() {
    let mut story = Story::of(|setup| {
        (setup.objects, setup.alone, setup.foreign, setup.foreign_method) = (2, true, 1, "Logical");
    });
    story.send(P, A);
    story.give_up(P);
    story.happens(Action::Foreign);
    story.pass(P, A);
    assert_eq!(story.status(A).origin, Some(Origin::Adopted));
    story.end(0);
    story.pass(Q, B);
    assert_eq!(story.outcome(B), Some(SubmissionOutcome::Unsent), "another intent is open");
    story.happens(Action::List { job: 0 });
    story.minutes(TICK);
    story.pass(P, A);
    assert!(story.status(A).is_true(ConditionType::AdoptionMismatch));
    assert_eq!((story.status(A).origin, story.outcome(A)), (None, None));
    story.minutes(TICK);
    story.pass(Q, B);
    assert_eq!(story.outcome(B), Some(SubmissionOutcome::Unsent), "it is open again");
    assert_eq!(story.accepted(B), 0);
}

/// Trace 4. Whoever holds only a job's id has a set that looks like nobody's.
#[test]
fn the_set_of_an_object_that_knows_only_its_job_is_not_adopted_by_another() {
    let mut story = Story::of(|setup| (setup.objects, setup.alone) = (2, true));
    story.send(P, A);
    story.accept(P);
    story.end(0);
    story.send(Q, B);
    story.give_up(Q);
    story.happens(Action::List { job: 0 });
    assert_eq!(story.status(A).backup_id, None);
    story.pass(Q, B);
    assert_eq!((story.status(B).phase, story.status(B).origin), (Phase::Resolving, None));
    story.finish(P, A);
    assert_eq!(story.status(A).phase, Phase::Succeeded);
}

/// Trace 5. An adoption is final only when nothing can come of the request any more.
#[test]
fn a_request_that_is_accepted_after_another_job_was_adopted_is_reported() {
    let mut story = Story::of(|setup| setup.foreign = 1);
    story.send(P, A);
    story.give_up(P);
    story.happens(Action::Foreign);
    story.pass(P, A);
    assert_eq!(story.status(A).origin, Some(Origin::Adopted));
    story.end(0);
    story.happens(Action::List { job: 0 });
    story.minutes(TICK);
    story.pass(P, A);
    assert_eq!(story.status(A).phase, Phase::Finalizing, "not final");
    story.happens(Action::Deliver { index: 0 });
    story.end(1);
    story.finish(P, A);
    assert_eq!((story.status(A).phase, story.accepted(A)), (Phase::Succeeded, 1));
    let beside: Vec<_> = story.status(A).attempts.iter().map(|kept| (kept.outcome, kept.backup_id.clone())).collect();
    assert_eq!(beside, [(AttemptOutcome::PossibleDuplicate, Some("s2".to_owned()))]);
}

/// Trace 6. What failed is the outcome of the run that failed.
#[test]
fn the_failed_set_of_the_first_run_is_not_the_outcome_of_the_second() {
    let mut story = Story::of(|setup| (setup.failures, setup.runs) = (1, 2));
    story.send(P, A);
    story.accept(P);
    story.happens(Action::End { job: 0, well: false });
    story.pass(P, A);
    assert_eq!(story.status(A).ready_reason(), Some(Reason::RetryBackoff.as_str()));
    story.minutes(TICK);
    story.send(P, A);
    story.give_up(P);
    story.happens(Action::List { job: 0 });
    story.pass(P, A);
    assert_eq!(story.status(A).origin, None);
    story.happens(Action::Deliver { index: 0 });
    story.end(1);
    story.finish(P, A);
    assert_eq!((story.status(A).phase, story.status(A).backup_id.as_deref()), (Phase::Succeeded, Some("s2")));
}

/// Trace 7. What cannot be resolved lets go of its instance once nothing can come of it unseen.
#[test]
fn an_object_that_is_stalled_for_ever_does_not_hold_its_instance_for_ever() {
    let mut story = Story::of(|setup| setup.objects = 2);
    story.send(P, A);
    story.give_up(P);
    let credentials = Err(Blocker { reason: Reason::CredentialsNotFound, message: "no such secret".into(), again_in: None });
    let mut bare = story.system.setup.account();
    bare.credentials = credentials;
    let account = std::mem::replace(&mut story.system.account, Ok(bare));
    story.pass(P, A);
    assert!(story.status(A).is_true(ConditionType::Stalled));
    story.system.account = account;
    story.minutes(EXPIRY + SKEW + LAG);
    story.pass(Q, B);
    assert_eq!(story.status(B).ready_reason(), Some(Reason::WaitingForTurn.as_str()));
    story.minutes(TICK);
    story.send(Q, B);
    story.accept(Q);
    assert_eq!(story.accepted(B), 1);
}

/// The fence: what was begun while a process led is recorded, and nothing is begun by one that leads no longer.
#[test]
fn a_process_that_lost_its_lease_records_its_answer_and_sends_nothing() {
    let mut story = Story::of(|setup| setup.loses = true);
    story.send(P, A);
    story.happens(Action::Lose { process: P });
    story.accept(P);
    assert_eq!((story.status(A).phase, story.status(A).origin), (Phase::Running, Some(Origin::Created)));

    let mut story = Story::of(|setup| setup.loses = true);
    story.pass_until(P, A, "sends");
    story.happens(Action::Lose { process: P });
    story.happens(Action::GoOn { process: P, ending: Ending::Fine });
    assert!(story.world.cloud.wire.is_empty());
    assert_eq!((story.status(A).phase, story.outcome(A)), (Phase::Queued, Some(SubmissionOutcome::Rejected)));
    story.minutes(TICK);
    story.pass(P, A);
    assert_eq!(story.status(A).submission.expect("an intent").attempt, 1, "it writes no other intent");
    story.pass_until(Q, A, "sends");
}
