//! `ttl`: an object that has ended is deleted so long after, with its set untouched. Never the newest usable backup of an instance, never one
//! whose set would go with it, and never one that a tool would create again, and a backup with it.

use jiff::{SignedDuration, Timestamp};

use super::{
    decision::{Decision, Effect},
    draft::Draft,
};
use crate::{
    api::{ConditionType, Phase, RdsBackup, Reason},
    backup::{
        policy::{FRESH, LONGEST_TTL_WAIT, TTL_RECHECK},
        request::InstanceObjects,
    },
    time::SaturatingTime,
};

/// An object that has ended, and of which nothing else is to be said: it waits for its end, goes, or stays.
pub(super) fn ended(mut draft: Draft<'_>) -> Decision {
    let Some(due) = due(&draft) else {
        draft.drop_condition(ConditionType::TtlIgnored);
        return draft.settled();
    };
    if let Some(why) = ignored(&draft) {
        say(&mut draft, why);
        return draft.settled();
    }
    // The object is taken for ended by the service's clock, and for old enough by the API server's.
    let now = draft.observed.server_now.unwrap_or(draft.now);
    if !draft.observed.time_is_known || now < due {
        draft.drop_condition(ConditionType::TtlIgnored);
        return draft.wait(due.duration_since(now).clamp(SignedDuration::from_secs(1), LONGEST_TTL_WAIT));
    }
    if draft.observed.status.phase == Phase::Failed {
        return draft.then(Effect::RemoveObject);
    }
    match draft.observed.memory.newer {
        Some((at, true)) if draft.now.duration_since(at) <= FRESH => draft.then(Effect::RemoveObject),
        Some((at, false)) if draft.now.duration_since(at) < TTL_RECHECK => {
            let rest = TTL_RECHECK.saturating_sub(draft.now.duration_since(at));
            say(&mut draft, "it is the newest usable backup of its instance; it is deleted when another has succeeded");
            draft.wait(rest)
        }
        _ => draft.then(Effect::LookForNewer),
    }
}

fn due(draft: &Draft<'_>) -> Option<Timestamp> {
    let ttl = draft.spec.ttl.as_ref()?.get().ok()?;
    Some(draft.observed.status.completed_at.as_ref()?.0.plus(ttl))
}

/// Why the object stays, whatever its `ttl` says.
fn ignored(draft: &Draft<'_>) -> Option<&'static str> {
    let object = draft.observed.object;
    match () {
        () if object.is_held() => Some("the annotation rdsbackup.io/hold: \"true\" keeps the object"),
        () if object.is_tracked() => {
            Some("a GitOps tool tracks the object, and would create it again, and a backup with it: delete it in the tool's repository")
        }
        () if draft.spec.deletes_set() && draft.observed.status.backup_id.is_some() => {
            Some("deletionPolicy: Delete would delete the backup set with the object: delete the object yourself, or set Retain")
        }
        () => None,
    }
}

fn say(draft: &mut Draft<'_>, why: &str) {
    draft.set_condition(
        ConditionType::TtlIgnored,
        "True",
        Reason::TtlIgnored,
        &format!("ttl is over or will be, and the object stays: {why}"),
    );
}

/// Whether another object of the instance has a usable backup that ended later.
pub fn has_newer(object: &RdsBackup, found: &InstanceObjects) -> bool {
    let ended = |object: &RdsBackup| {
        let status = object.status.as_ref()?;
        let is_lost = status.condition(ConditionType::Available).is_some_and(|said| said.status == "False");
        let is_usable =
            status.phase == Phase::Succeeded && status.backup_id.is_some() && !is_lost && object.metadata.deletion_timestamp.is_none();
        is_usable.then(|| (status.completed_at.as_ref().map(|at| at.0), object.metadata.uid.clone()))
    };
    let own = (object.status.as_ref().and_then(|status| status.completed_at.as_ref()).map(|at| at.0), object.metadata.uid.clone());
    found
        .listed
        .iter()
        .filter(|listed| listed.object.metadata.uid != object.metadata.uid)
        .filter_map(|listed| ended(&listed.object))
        .any(|other| other > own)
}
