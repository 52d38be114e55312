//! The deletion of a backup set within a pass: once, for the object as it stands, and only while this process leads.

use std::sync::Arc;

use super::{
    Pass,
    stage::{Decided, Purpose, Stage},
};
use crate::{
    backup::{
        policy::TTL_RECHECK,
        request::{Error, Next, Present, Request, Rest},
        state::ObjectState,
    },
    controller,
    rds::{BackupId, CallError, InstanceId, SetDeletion},
};

impl Pass {
    /// The object was read anew before: somebody may have taken the wish back.
    pub(super) fn delete_set(
        &mut self,
        decided: Arc<Decided>,
        instance: InstanceId,
        set: BackupId,
        present: Present,
    ) -> Result<Next, Error> {
        if !present.leads {
            return Err(controller::Error::NotLeading.into());
        }
        Ok(self.ask(Stage::DeleteSet(decided), Request::DeleteSet { instance, set }))
    }

    /// An object that changed in between is looked at again with that change. One that may not be deleted is tried again later.
    pub(super) fn removed(&mut self, removed: Result<bool, controller::Error>) -> Result<Next, Error> {
        match removed {
            Ok(_) => Ok(self.rest(Rest::AwaitChange)),
            Err(error) if error.is_about_the_object() => Ok(self.rest(Rest::Requeue(TTL_RECHECK.unsigned_abs()))),
            Err(error) => Err(error.into()),
        }
    }

    /// What became of it is kept: if the finalizer cannot be taken off now, the set is not asked for again by this process.
    pub(super) fn deleted(&mut self, state: &mut ObjectState, decided: &Decided, result: Result<SetDeletion, CallError>) -> Next {
        state.memory.deletion.absorb_answer(decided.observed.now, result);
        self.observe(Purpose::Decide)
    }
}
