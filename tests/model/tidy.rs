//! What is forgotten because it can make no difference any more: it keeps the states few.

use std::{collections::BTreeSet, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use rds_backup_operator::{
    api::RdsBackupStatus,
    backup::{
        decide::FRESH,
        seen::{Follow, Looks, Memory},
    },
    cluster::Copies,
    rds::{CreateOutcome, JobState},
};

use crate::{
    cloud::Cloud,
    print::Print,
    setup::Setup,
    world::{Seat, Step, TICK, Waiting, World, at},
};

impl World {
    pub fn tidy(&mut self, setup: &Setup) {
        for slot in 0..self.slots.len() {
            self.trim_history(slot, setup.stale);
        }
        let slots = &self.slots;
        self.late.retain(|late| {
            let present = slots[late.slot].history.last().and_then(|version| version.object.as_ref());
            present.is_some_and(|object| object.metadata.resource_version.as_deref() == Some(&late.version))
        });
        let waits: BTreeSet<String> = self
            .processes
            .iter()
            .filter_map(|process| process.sender.as_ref())
            .filter(|sender| sender.answer == Waiting::ForAnswer)
            .map(|sender| sender.nonce.clone())
            .collect();
        let now = self.now;
        // What the service refuses, or knows already, matters only to whom it answers.
        self.cloud.wire.retain(|request| Cloud::takes(request, now, setup) && (!request.used || waits.contains(&request.nonce)));
        self.forget(setup);
    }

    fn trim_history(&mut self, slot: usize, stale: bool) {
        let newest = self.slots[slot].history.len() - 1;
        let oldest = self.processes.iter().map(|process| if stale { process.cache[slot] } else { newest }).min().unwrap_or(newest);
        for process in &mut self.processes {
            process.cache[slot] = if stale { process.cache[slot] - oldest } else { 0 };
        }
        self.slots[slot].history.drain(..oldest);
    }

    /// The nonces of intents that are open in some copy, or may come to be.
    fn open_nonces(&self) -> BTreeSet<&str> {
        let stored = self.slots.iter().flat_map(|slot| &slot.history).filter_map(|version| version.object.as_ref()?.status.as_ref());
        let passes = self.processes.iter().filter_map(|process| match &process.pass.as_ref()?.step {
            Step::Reread(decided) | Step::Write(decided) | Step::Act(decided) => Some(&decided.decision.status),
            Step::ReadSets(decided, ..) | Step::ReadClaims(decided, ..) => Some(&decided.decision.status),
        });
        let late = self.late.iter().map(|late| &late.decided.decision.status);
        let senders = self.processes.iter().filter_map(|process| process.sender.as_ref()).map(|sender| sender.nonce.as_str());
        stored
            .chain(passes)
            .chain(late)
            .filter_map(|status| status.open_submission())
            .map(|intent| intent.nonce.as_str())
            .chain(senders)
            .collect()
    }

    /// A nonce that nothing in this world knows.
    pub fn unused_nonce(&self) -> String {
        let mut known = self.open_nonces();
        let stored = self.slots.iter().flat_map(|slot| &slot.history).filter_map(|version| version.object.as_ref()?.status.as_ref());
        known.extend(stored.filter_map(|status| status.submission.as_ref()).map(|intent| intent.nonce.as_str()));
        known.extend(self.cloud.wire.iter().map(|request| request.nonce.as_str()));
        for seat in self.processes.iter().flat_map(|process| &process.seats) {
            known.extend(seat.memory.own.as_ref().map(|own| own.nonce.as_str()));
            known.insert(&seat.memory.looks.nonce);
        }
        (1..).map(|number| format!("n{number}")).find(|nonce| !known.contains(nonce.as_str())).expect("numbers do not end")
    }

    fn forget(&mut self, setup: &Setup) {
        let open: BTreeSet<String> = self.open_nonces().into_iter().map(str::to_owned).collect();
        let known_jobs: BTreeSet<String> = self
            .objects()
            .filter_map(|object| object.status.as_ref())
            .flat_map(|status| status.backup_job_id.iter().chain(status.attempts.iter().filter_map(|kept| kept.backup_job_id.as_ref())))
            .cloned()
            .collect();
        for index in 0..self.processes.len() {
            for slot in 0..self.slots.len() {
                let process = &self.processes[index];
                let at_work = process.pass.as_ref().is_some_and(|pass| pass.turn.slot == slot)
                    || process.sender.as_ref().is_some_and(|sender| sender.turn.slot == slot);
                let known = Known {
                    now: self.now,
                    stale: setup.stale,
                    open: &open,
                    jobs: &known_jobs,
                    status: self.object(slot).and_then(|object| object.status.as_ref()),
                    at_work,
                };
                if let Some(seat) = self.seat(index, slot).forgetting(&known) {
                    self.processes[index].seats[slot] = Arc::new(seat);
                }
            }
        }
    }
}

/// What the world knows that bears on a seat.
struct Known<'a> {
    now: i64,
    stale: bool,
    open: &'a BTreeSet<String>,
    /// The jobs that some object shows.
    jobs: &'a BTreeSet<String>,
    status: Option<&'a RdsBackupStatus>,
    /// The process works on the object.
    at_work: bool,
}

impl Seat {
    /// Itself without what makes no difference any more; none if there is nothing of that.
    fn forgetting(&self, known: &Known<'_>) -> Option<Self> {
        let Memory { own, preflight, looks, follow, hold_until } = &self.memory;
        let is_old = |time: Timestamp| at(known.now).duration_since(time) >= SignedDuration::from_secs(TICK);
        let unrecorded = own.as_ref().is_some_and(|own| match &own.answer {
            Some(CreateOutcome::Accepted { job_id, .. }) => !known.jobs.contains(job_id.as_str()),
            _ => false,
        });
        // What a cache that is never behind shows is what stands.
        let stands = known.status.filter(|_| !known.stale);
        if stands.is_some_and(|status| status.phase.is_terminal()) && !unrecorded && !known.at_work {
            // The next pass would forget it all.
            return Some(Self::new(&self.uid)).filter(|blank| blank.print != self.print);
        }
        let drop_own = own.as_ref().is_some_and(|own| !unrecorded && !known.open.contains(&own.nonce));
        // It would be made again before anything came of it; or it was for an attempt that is begun.
        let begun = stands.is_some_and(|status| status.open_submission().is_some() || status.origin.is_some());
        let drop_preflight = !known.at_work
            && preflight.as_ref().is_some_and(|kept| begun || (kept.result.is_ok() && at(known.now).duration_since(kept.at) > FRESH));
        // The next look is due, and this one proves nothing.
        let spent = !known.at_work
            && looks.latest_clean
            && looks.first_clean.is_none()
            && looks.failures + looks.unmapped == 0
            && looks
                .latest
                .as_ref()
                .is_some_and(|look| is_old(look.at) && look.result.as_ref().is_ok_and(|facts| facts.running.is_empty()));
        let drop_looks = !looks.nonce.is_empty() && (spent || !known.open.contains(&looks.nonce));
        // The next poll is due, and this one told nothing.
        let key = known.status.and_then(|status| status.backup_job_id.as_ref().or(status.backup_id.as_ref()));
        let untold = follow.at.is_some_and(is_old)
            && follow.set.is_none()
            && follow.failures + follow.misses == 0
            && follow.task.as_ref().is_some_and(|task| task.state == JobState::Active);
        let drop_follow = follow.at.is_some() && (Some(&follow.key) != key || (untold && !known.at_work));
        let drop_hold = hold_until.is_some_and(|until| until <= at(known.now));
        let drop_copies = !known.stale && (self.copies.is_unsure() || !self.copies.is_cached());
        if !(drop_own || drop_preflight || drop_looks || drop_follow || drop_hold || drop_copies) {
            return None;
        }
        let mut left = self.clone();
        if drop_own {
            (left.memory.own, left.intent_at) = (None, None);
        }
        if drop_preflight {
            left.memory.preflight = None;
        }
        if drop_looks {
            left.memory.looks = Looks::default();
        }
        if drop_follow {
            left.memory.follow = Follow::default();
        }
        if drop_hold {
            left.memory.hold_until = None;
        }
        if drop_copies {
            left.copies = Copies::default();
        }
        left.print = Print::of_seat(&left);
        Some(left)
    }
}
