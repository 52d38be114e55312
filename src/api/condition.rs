use super::{Condition, Reason, ScheduleCondition, Time};

/// The CRD and the API server allow 32 KiB; nobody reads more than this.
const LONGEST_MESSAGE: usize = 1024;

/// Writes a condition; the time of its last transition stays while its status does.
pub fn set_condition(conditions: &mut Vec<Condition>, mut fresh: Condition) {
    match conditions.iter_mut().find(|condition| condition.type_ == fresh.type_) {
        Some(old) => {
            if old.status == fresh.status {
                fresh.last_transition_time = old.last_transition_time.clone();
            }
            *old = fresh;
        }
        None => conditions.push(fresh),
    }
}

/// A condition as it is now. A reason where the documentation does not have it stops every test, and the sandbox, but no release.
pub fn condition(kind: &str, status: &str, reason: Reason, message: &str, generation: i64, now: Time) -> Condition {
    let listed = kind == ScheduleCondition::LastBackupSucceeded.as_str() || reason.conditions().contains(&kind);
    debug_assert!(listed, "a condition {kind} with reason {reason} is not in Reason::conditions");
    Condition {
        type_: kind.to_owned(),
        status: status.to_owned(),
        reason: reason.as_str().to_owned(),
        message: message.chars().take(LONGEST_MESSAGE).collect(),
        last_transition_time: now,
        observed_generation: Some(generation),
    }
}
