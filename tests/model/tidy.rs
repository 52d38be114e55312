//! What is forgotten because it can make no difference any more: it keeps the states few.

use std::{collections::BTreeSet, sync::Arc};

use rds_backup_operator::{
    backup::decide::FRESH,
    backup::seen::{Follow, Looks},
    rds::CreateOutcome,
};

use crate::{
    cloud::Cloud,
    print::Print,
    setup::Setup,
    world::{Seat, Step, Waiting, World, at},
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
        self.forget();
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
        stored.chain(passes).chain(late).filter_map(|status| status.open_submission()).map(|intent| intent.nonce.as_str()).chain(senders).collect()
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

    fn forget(&mut self) {
        let open: BTreeSet<String> = self.open_nonces().into_iter().map(str::to_owned).collect();
        let known_jobs: BTreeSet<String> = self
            .objects()
            .filter_map(|object| object.status.as_ref())
            .flat_map(|status| status.backup_job_id.iter().chain(status.attempts.iter().filter_map(|kept| kept.backup_job_id.as_ref())))
            .cloned()
            .collect();
        for index in 0..self.processes.len() {
            for slot in 0..self.slots.len() {
                let key = self
                    .object(slot)
                    .and_then(|object| object.status.as_ref())
                    .and_then(|status| status.backup_job_id.as_ref().or(status.backup_id.as_ref()));
                if let Some(seat) = self.seat(index, slot).forgetting(self.now, &open, &known_jobs, key) {
                    self.processes[index].seats[slot] = Arc::new(seat);
                }
            }
        }
    }
}

impl Seat {
    /// Itself without what makes no difference any more; none if there is nothing of that.
    fn forgetting(&self, now: i64, open: &BTreeSet<String>, known_jobs: &BTreeSet<String>, key: Option<&String>) -> Option<Self> {
        let memory = &self.memory;
        let own = memory.own.as_ref().is_some_and(|own| {
            let unrecorded = match &own.answer {
                Some(CreateOutcome::Accepted { job_id, .. }) => !known_jobs.contains(job_id.as_str()),
                _ => false,
            };
            !unrecorded && !open.contains(&own.nonce)
        });
        // It would be made again before anything came of it.
        let preflight = memory.preflight.as_ref().is_some_and(|preflight| {
            preflight.result.is_ok() && at(now).duration_since(preflight.at) > FRESH
        });
        let looks = !memory.looks.nonce.is_empty() && !open.contains(&memory.looks.nonce);
        let follow = memory.follow.at.is_some() && Some(&memory.follow.key) != key;
        let hold = memory.hold_until.is_some_and(|until| until <= at(now));
        if !(own || preflight || looks || follow || hold) {
            return None;
        }
        let mut left = self.clone();
        if own {
            (left.memory.own, left.intent_at) = (None, None);
        }
        if preflight {
            left.memory.preflight = None;
        }
        if looks {
            left.memory.looks = Looks::default();
        }
        if follow {
            left.memory.follow = Follow::default();
        }
        if hold {
            left.memory.hold_until = None;
        }
        left.print = Print::of_seat(&left);
        Some(left)
    }
}
