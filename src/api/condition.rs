use super::{Condition, Reason, ScheduleCondition, Time};

/// Messages are cut to so many characters. The CRD and the API server allow 32 KiB, far more than a person reads.
const LONGEST_MESSAGE: usize = 1024;

/// Sets a condition. `lastTransitionTime` changes only with the status of the condition.
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

/// A condition as of `now`. A reason that is not documented for this condition panics in debug builds (all tests and the sandbox), not in a
/// release build.
pub fn condition(kind: &str, status: &str, reason: Reason, message: &str, generation: i64, now: Time) -> Condition {
    let listed = kind == ScheduleCondition::LastBackupSucceeded.as_str() || reason.conditions().contains(&kind);
    debug_assert!(listed, "a condition {kind} with reason {reason} is not in Reason::conditions");
    repeated_condition(kind, status, reason.as_str(), message, generation, now)
}

/// A condition that repeats the reason of another object's: also one that a newer release wrote, and that this one does not know.
pub fn repeated_condition(kind: &str, status: &str, reason: &str, message: &str, generation: i64, now: Time) -> Condition {
    Condition {
        type_: kind.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message: message.chars().take(LONGEST_MESSAGE).collect(),
        last_transition_time: now,
        observed_generation: Some(generation),
    }
}
