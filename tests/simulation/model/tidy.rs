//! What is forgotten because it can make no difference any more: it keeps the states few.

use std::{collections::BTreeSet, sync::Arc};

use jiff::SignedDuration;
use rds_backup_operator::{
    api::{RdsBackup, RdsBackupStatus},
    backup::{
        memory::{Follow, Looks},
        request::Request,
        siblings,
    },
    controller::Freshest,
};

use crate::model::{
    cloud::Cloud,
    flaws::Flaw,
    print::Print,
    setup::{LAG, Setup},
    world::{Remembered, UnderWay, World, at, decided},
};

impl World {
    pub fn tidy(&mut self, setup: &Setup) {
        for slot in 0..self.slots.len() {
            self.trim_history(slot, setup.stale);
        }
        let slots = &self.slots;
        self.late.retain(|late| {
            let present = slots[late.slot].history.last().and_then(|version| version.object.as_ref());
            present.is_some_and(|object| object.metadata.resource_version == late.version)
        });
        let waits: BTreeSet<String> =
            self.senders().filter(|(_, sender)| sender.arrived.is_none()).map(|(nonce, _)| nonce.to_owned()).collect();
        let now = self.now;
        // What the service refuses, or knows already, matters only to whom it answers.
        self.cloud.wire.retain(|request| Cloud::takes(request, now, setup) && (!request.used || waits.contains(&request.nonce)));
        self.forget(setup);
        for index in 0..self.processes.len() {
            // That it ended is known by the cache too, unless that is behind.
            let cached: Vec<_> = (0..self.slots.len()).filter_map(|slot| self.cached(index, slot).cloned()).collect();
            self.processes[index].ended.retain(|uid| {
                let shows = |object: &Arc<RdsBackup>| object.metadata.uid.as_ref() == Some(uid) && siblings::is_unfinished(object);
                cached.iter().any(shows)
            });
        }
    }

    /// The passes whose CreateBackup is on its way, with its nonce.
    pub fn senders(&self) -> impl Iterator<Item = (&str, &Arc<UnderWay>)> {
        self.processes.iter().filter_map(|process| {
            let sender = process.sender.as_ref()?;
            Some((sender.nonce()?, sender))
        })
    }

    /// A cache that is too far behind has taken in what it missed.
    fn trim_history(&mut self, slot: usize, stale: usize) {
        let newest = self.slots[slot].history.len() - 1;
        let behind = newest.saturating_sub(stale);
        for process in &mut self.processes {
            process.cache[slot] = process.cache[slot].max(behind);
        }
        let oldest = self.processes.iter().map(|process| process.cache[slot]).min().unwrap_or(newest);
        for process in &mut self.processes {
            process.cache[slot] -= oldest;
        }
        self.slots[slot].history.drain(..oldest);
    }

    /// The nonces of intents that are open in some copy, or may come to be.
    fn open_nonces(&self, setup: &Setup) -> BTreeSet<&str> {
        let bare = matches!(setup.flaw, Some(Flaw::BareIntent | Flaw::BareWithdrawal));
        let stored = self.slots.iter().flat_map(|slot| &slot.history).filter_map(|version| version.object.as_ref()?.status.as_ref());
        let passes =
            self.processes.iter().filter_map(|process| process.pass.as_ref()).filter(|under_way| bare || !self.is_in_vain(under_way));
        let passes = passes.flat_map(|under_way| under_way.statuses());
        let late = self.late.iter().map(|late| &late.status);
        stored
            .chain(passes)
            .chain(late)
            .filter_map(|status| status.open_submission())
            .map(|intent| intent.nonce.as_str())
            .chain(self.senders().map(|(nonce, _)| nonce))
            .collect()
    }

    /// A nonce that nothing in this world asks for. Those of intents that are closed are used again: nobody compares with them.
    pub fn unused_nonce(&self, setup: &Setup) -> String {
        let mut known = self.open_nonces(setup);
        known.extend(self.cloud.wire.iter().map(|request| request.nonce.as_str()));
        for kept in self.processes.iter().flat_map(|process| &process.memories) {
            known.extend(kept.state.memory.own.as_ref().map(|own| own.nonce.as_str()));
            known.insert(&kept.state.memory.looks.nonce);
        }
        (1..).map(|number| format!("n{number}")).find(|nonce| !known.contains(nonce.as_str())).expect("numbers do not end")
    }

    fn forget(&mut self, setup: &Setup) {
        let open: BTreeSet<String> = self.open_nonces(setup).into_iter().map(str::to_owned).collect();
        for index in 0..self.processes.len() {
            for slot in 0..self.slots.len() {
                let process = &self.processes[index];
                let works = |under_way: &Arc<UnderWay>| under_way.work.slot == slot;
                let (passes, waits) = (process.pass.as_ref().is_some_and(works), process.sender.as_ref().is_some_and(works));
                let known = Known { now: self.now, stale: setup.stale > 0, open: &open, passes, waits };
                if let Some(left) = self.memory(index, slot).forgetting(&known) {
                    self.processes[index].memories[slot] = Arc::new(left);
                }
            }
        }
    }
}

/// What the world knows that bears on a memory.
struct Known<'a> {
    now: i64,
    stale: bool,
    open: &'a BTreeSet<String>,
    /// A pass over the object is under way.
    passes: bool,
    /// The answer to its request is waited for.
    waits: bool,
}

impl UnderWay {
    pub fn nonce(&self) -> Option<&str> {
        if let Request::Send { stamp, .. } = &self.pending { Some(&stamp.nonce) } else { None }
    }

    /// What its copy of the object says, and what it decided.
    fn statuses(&self) -> impl Iterator<Item = &RdsBackupStatus> {
        let pass = &self.work.pass;
        pass.object().status.iter().chain(decided(pass).map(|decided| &decided.decision.status))
    }
}

impl Remembered {
    /// Itself without what makes no difference any more; none if there is nothing of that.
    ///
    /// What the next pass would read anew before anything comes of it is forgotten between passes: a preflight, a poll, a look that was not
    /// followed by a write. What was read, and waits for its write, belongs to a pass.
    fn forgetting(&self, known: &Known<'_>) -> Option<Self> {
        let mut left = self.clone();
        let memory = &mut left.state.memory;
        // Once it is sent, only its answer counts, and that is recorded when it is heard.
        memory.own = memory.own.take().filter(|own| known.waits || (!own.sent && known.open.contains(&own.nonce)));
        if memory.own.as_ref().is_none_or(|own| own.sent) {
            left.state.intent_written = None;
        }
        if !known.passes {
            memory.preflight = None;
            memory.follow = Follow::default();
        }
        if !known.open.contains(&memory.looks.nonce) {
            memory.looks = Looks::default();
        }
        if !known.passes && !is_quiet(&memory.looks) {
            let looks = &mut memory.looks;
            (looks.latest, looks.latest_clean) = (None, false);
            if looks.first_clean.is_none() && looks.failures + looks.unmapped == 0 {
                *looks = Looks::default();
            }
        }
        memory.hold_until = memory.hold_until.filter(|until| *until > at(known.now));
        if !known.stale {
            // What a cache that is never behind shows is what stands.
            left.state.freshest = Freshest::default();
        }
        left.print = Print::of_memory(&left.uid, &left.state);
        Some(left).filter(|left| left.print != self.print)
    }
}

/// The looks prove that nothing more can come of the request.
fn is_quiet(looks: &Looks) -> bool {
    let lag = SignedDuration::from_secs(LAG);
    let (Some(first), Some(latest)) = (looks.first_clean, &looks.latest) else { return false };
    looks.latest_clean && latest.at.duration_since(first) > lag
}
