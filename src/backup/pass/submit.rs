//! Steps 4 to 7 within a pass: the intent is cleared, the request sent once, its answer kept and recorded.

use std::sync::Arc;

use jiff::SignedDuration;
use tokio::time::Instant;

use super::{
    Pass,
    stage::{Decided, Purpose, Stage},
};
use crate::{
    backup::{
        decide::{Effect, is_enough},
        policy::RECORD_BACKOFF,
        request::{Error, InstanceObject, InstanceObjects, Next, Present, Request},
        siblings,
        state::ObjectState,
    },
    controller,
    rds::{CreateBackup, CreateOutcome, Rejection, Stamp},
};

impl Pass {
    /// Step 4. Whether another object of the instance has an open intent. What cannot be read may have one.
    pub(super) fn listed(&mut self, state: &mut ObjectState, decided: &Decided, found: InstanceObjects) -> Result<Next, Error> {
        let Some(Effect::Clear { nonce }) = &decided.decision.effect else { return Err(Error::Mismatch) };
        let rival = siblings::rival(found.listed.iter().filter_map(InstanceObject::sibling), self.uid(), decided.observed.now);
        // What ended since the last look may be enough for this object too.
        let enough = is_enough(&self.object, &found, &state.memory.taking_in, decided.observed.now);
        if enough.is_some() {
            state.memory.taking_in.list_again();
        }
        let rival = rival.or(enough).or_else(|| found.unreadable.into_iter().next());
        state.memory.absorb_rival(nonce, rival);
        Ok(self.observe(Purpose::Decide))
    }

    /// Step 5. Sends at most once, and only while this process leads.
    pub(super) fn send(
        &mut self,
        state: &mut ObjectState,
        decided: Arc<Decided>,
        request: Box<CreateBackup>,
        stamp: Stamp,
        present: Present,
    ) -> Next {
        let since_intent = state.intent_written.map(|written| since(written, present.steady));
        let refused = match state.memory.leave(&stamp.nonce, since_intent) {
            Err(why) => Some(why),
            Ok(()) if !present.leads => Some("the lease was not renewed in time, and another replica may lead"),
            Ok(()) => None,
        };
        match refused {
            None => self.ask(Stage::Send(decided), Request::Send { request, stamp }),
            Some(why) => self.sent(state, &decided, CreateOutcome::Rejected(Rejection::NotSent { why: why.to_owned() })),
        }
    }

    /// Steps 6 and 7. The answer is kept, then recorded.
    pub(super) fn sent(&mut self, state: &mut ObjectState, decided: &Decided, outcome: CreateOutcome) -> Next {
        if let Some(Effect::Send { stamp, .. }) = &decided.decision.effect {
            state.memory.absorb_answer(&stamp.nonce, outcome);
        }
        self.refresh(state, Purpose::Record { failures: 0 })
    }

    pub(super) fn pause_recording(&mut self, failures: u32, error: &controller::Error) -> Next {
        let failures = failures.saturating_add(1);
        let request = Request::PauseRecording { pause: RECORD_BACKOFF.pause(failures), why: error.to_string() };
        self.ask(Stage::PauseRecording { failures }, request)
    }
}

fn since(earlier: Instant, now: Instant) -> SignedDuration {
    SignedDuration::try_from(now.saturating_duration_since(earlier)).unwrap_or(SignedDuration::MAX)
}
