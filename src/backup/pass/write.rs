//! The writes of a pass: the intent over what stands, the status, the finalizers; and conflicts and lost answers.

use std::sync::Arc;

use super::{
    Pass,
    stage::{Decided, Purpose, Stage},
};
use crate::{
    api::RdsBackup,
    backup::{
        decide::{Decision, Effect, Requeue},
        memory::OwnIntent,
        request::{Announcement, Error, Next, Present, Request, Rest},
        state::ObjectState,
    },
    controller::{self, WriteResult},
};

impl Pass {
    pub(super) fn reread_or_write(&mut self, state: &mut ObjectState, decided: Arc<Decided>, present: Present) -> Result<Next, Error> {
        if let Some(Effect::WriteIntent { .. } | Effect::DeleteSet { .. }) = &decided.decision.effect {
            return Ok(self.ask(Stage::Reread(decided), Request::ReadObject));
        }
        self.write(state, decided, present)
    }

    /// Step 3. An intent is written only over what stands, and a set deleted only for it.
    pub(super) fn reread(
        &mut self,
        state: &mut ObjectState,
        decided: Arc<Decided>,
        found: Option<Box<RdsBackup>>,
        present: Present,
    ) -> Result<Next, Error> {
        match found {
            None => Ok(self.gone(state)),
            Some(fresh) if fresh.metadata.resource_version != self.object.metadata.resource_version => {
                self.move_to(state, *fresh);
                Ok(self.observe(Purpose::Decide))
            }
            Some(_) => {
                if let Some(Effect::WriteIntent { nonce }) = &decided.decision.effect {
                    // Before the write: if its answer is lost, the intent is recognised as ours by its nonce.
                    state.memory.own = Some(OwnIntent::new(nonce));
                    state.intent_written = Some(present.steady);
                }
                self.write(state, decided, present)
            }
        }
    }

    /// Writes the status where it differs, unless this process and another one overwrite each other's messages.
    pub(super) fn write(&mut self, state: &mut ObjectState, decided: Arc<Decided>, present: Present) -> Result<Next, Error> {
        let Decision { status, effect, requeue, .. } = &decided.decision;
        if let Some(deferred) = state.damping.defer(&self.status, status, present.steady) {
            if effect.is_none() {
                let wait = if let Requeue::After(time) = requeue { time.unsigned_abs().min(deferred) } else { deferred };
                return Ok(self.rest(Rest::Requeue(wait)));
            }
            return self.act(state, decided, present);
        }
        if *status == self.status {
            return self.after_write(state, decided, present);
        }
        if self.is_projected && self.status.phase.is_terminal() {
            return Ok(self.ask(Stage::Refresh(decided.purpose), Request::ReadObject));
        }
        let request = Request::WriteStatus { status: Box::new(status.clone()), unfenced: decided.purpose != Purpose::Decide };
        Ok(self.ask(Stage::Write(decided), request))
    }

    pub(super) fn written(
        &mut self,
        state: &mut ObjectState,
        decided: Arc<Decided>,
        written: Result<WriteResult<RdsBackup>, controller::Error>,
        present: Present,
    ) -> Result<Next, Error> {
        match (written, decided.purpose) {
            (Ok(WriteResult::Yes(newest)), purpose) => {
                let before = std::mem::replace(&mut self.status, decided.decision.status.clone());
                self.move_to(state, *newest);
                // As the API server has it: that is what the cache will show.
                state.damping.wrote(&before, &self.status, present.steady);
                state.owes_wake |= decided.decision.wakes;
                if self.status.phase.is_terminal() {
                    self.notes.push_back(Request::NoteEnd);
                }
                self.announce(&before, &decided.decision);
                if std::mem::take(&mut state.too_large) {
                    self.notes.push_back(Request::NoteTooLarge(false));
                }
                match purpose {
                    Purpose::Record { .. } => Ok(self.observe(Purpose::Decide)),
                    Purpose::Decide => self.after_write(state, decided, present),
                }
            }
            (Ok(WriteResult::Gone), _) => Ok(self.gone(state)),
            (Ok(WriteResult::Conflict), purpose) => Ok(self.ask(Stage::Conflict(purpose), Request::ReadObject)),
            (Err(error), Purpose::Record { failures }) => {
                state.freshest.lose_sight();
                Ok(self.pause_recording(failures, &error))
            }
            (Err(error), Purpose::Decide) => {
                if error.is_too_large() {
                    self.too_large(state);
                }
                state.freshest.lose_sight();
                // It may stand. To wake an object once too often costs a read of the cache.
                state.owes_wake |= decided.decision.wakes;
                Err(error.into())
            }
        }
    }

    /// Another process, or a person, wrote in between: the pass goes on with what stands now.
    pub(super) fn conflicted(
        &mut self,
        state: &mut ObjectState,
        purpose: Purpose,
        found: Result<Option<Box<RdsBackup>>, controller::Error>,
    ) -> Result<Next, Error> {
        match (found, purpose) {
            (Ok(Some(newest)), _) => {
                self.move_to(state, *newest);
                Ok(self.observe(purpose))
            }
            (Ok(None), _) => Ok(self.gone(state)),
            (Err(error), Purpose::Record { failures }) => {
                state.freshest.lose_sight();
                Ok(self.pause_recording(failures, &error))
            }
            (Err(error), Purpose::Decide) => {
                state.freshest.lose_sight();
                Err(error.into())
            }
        }
    }

    fn after_write(&mut self, state: &mut ObjectState, decided: Arc<Decided>, present: Present) -> Result<Next, Error> {
        if let Some(finalizers) = &decided.decision.finalizers {
            if self.is_projected {
                return Ok(self.ask(Stage::Refresh(decided.purpose), Request::ReadObject));
            }
            let request = Request::WriteFinalizers(finalizers.clone());
            return Ok(self.ask(Stage::WriteFinalizers(decided), request));
        }
        self.act(state, decided, present)
    }

    /// Whatever the decision asked for besides is decided anew: the finalizers that the object has are another now.
    pub(super) fn finalizers_written(
        &mut self,
        state: &mut ObjectState,
        decided: &Decided,
        written: Result<WriteResult<RdsBackup>, controller::Error>,
    ) -> Result<Next, Error> {
        match written {
            Ok(WriteResult::Yes(newest)) => {
                // A status that was written in the same decision has announced them.
                if decided.decision.status == self.status && !decided.decision.events.is_empty() {
                    let events = decided.decision.events.clone();
                    self.notes.push_back(Request::Announce(Box::new(Announcement { transition: None, events })));
                }
                self.move_to(state, *newest);
                Ok(self.observe(decided.purpose))
            }
            Ok(WriteResult::Gone) => Ok(self.gone(state)),
            Ok(WriteResult::Conflict) => Ok(self.ask(Stage::Conflict(decided.purpose), Request::ReadObject)),
            Err(error) => {
                state.freshest.lose_sight();
                Err(error.into())
            }
        }
    }
}
