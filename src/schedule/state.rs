//! What this process remembers about one RdsBackupSchedule between passes.

use jiff::{SignedDuration, Timestamp};

use super::{
    memory::Memory,
    objectives::Objective,
    problem::Problem,
    spec::{ValidatedSpec, given_max_age},
};
use crate::{
    api::{NativeWindow, RdsBackupSchedule},
    controller::Freshest,
};

/// The state of one object; lost in a crash, and nothing is lost with it.
#[derive(Clone, Debug, Default)]
pub struct ObjectState {
    /// What became of the backups that were to be created.
    pub memory: Memory,
    /// Which copy of the object is the newest that this process knows.
    pub freshest: Freshest<RdsBackupSchedule>,
    /// When there is something to do, as it was decided last. A pass that fails is made again by then.
    pub due: Option<Timestamp>,
    /// Since when a status waits for the end of a burst.
    pub deferred_since: Option<Timestamp>,
    /// What the spec asks for, as it was worked out last.
    validated: Option<Validated>,
}

/// The validated spec of a generation with the instance's own window, and the day on which it was made: the default of `freshness` looks a
/// year ahead.
#[derive(Clone, Debug)]
struct Validated {
    generation: i64,
    day: i64,
    native: Option<NativeWindow>,
    spec: Result<ValidatedSpec, Problem>,
    /// `freshness.maxAge`: also an invalid schedule promises it.
    given_max_age: Option<SignedDuration>,
}

impl ObjectState {
    /// What the schedule promises, as its spec was worked out last; of an invalid one, the age that it gives. None where it gives none, or
    /// was not looked at yet.
    pub fn objective(&self) -> Option<Objective> {
        let validated = self.validated.as_ref()?;
        match &validated.spec {
            Ok(valid) => Some(Objective { max_age: valid.max_age, longest_gap: valid.longest_gap }),
            Err(_) => validated.given_max_age.map(|max_age| Objective { max_age, longest_gap: None }),
        }
    }

    /// What the spec asks for, worked out once for each generation, window of the instance, and day.
    pub fn validated(
        &mut self,
        object: &RdsBackupSchedule,
        native: Option<&NativeWindow>,
        now: Timestamp,
    ) -> &Result<ValidatedSpec, Problem> {
        let (generation, day) = (object.metadata.generation.unwrap_or_default(), now.as_second().div_euclid(86_400));
        if self.validated.as_ref().is_some_and(|known| (known.generation, known.day, known.native.as_ref()) != (generation, day, native)) {
            self.validated = None;
        }
        let validated = self.validated.get_or_insert_with(|| {
            let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
            let name = object.metadata.name.as_deref().unwrap_or_default();
            Validated {
                generation,
                day,
                native: native.cloned(),
                spec: ValidatedSpec::with_native_window(namespace, name, &object.spec, native, now),
                given_max_age: given_max_age(&object.spec),
            }
        });
        &validated.spec
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn an_invalid_schedule_promises_no_more_than_the_age_that_it_gives() {
        let objective = |schedule: &str, freshness: Value| {
            let object: RdsBackupSchedule = serde_json::from_value(json!({
                "metadata": { "name": "nightly", "namespace": "team-a", "generation": 1 },
                "spec": {
                    "schedule": schedule, "timeZone": "Etc/UTC", "freshness": freshness,
                    "template": { "spec": { "dbInstanceId": "rm-1", "account": "prod" } },
                },
            }))
            .unwrap();
            let mut state = ObjectState::default();
            assert_eq!(state.objective(), None, "it was not looked at yet");
            _ = state.validated(&object, None, "2026-03-01T00:00:00Z".parse().unwrap());
            state.objective()
        };
        let (max_age, day) = (SignedDuration::from_hours(30), SignedDuration::from_hours(24));
        let given = json!({ "maxAge": "30h" });
        assert_eq!(objective("0 2 * * *", given.clone()), Some(Objective { max_age, longest_gap: Some(day) }));
        assert_eq!(objective("0 0 30 2 *", given), Some(Objective { max_age, longest_gap: None }));
        assert_eq!(objective("0 0 30 2 *", Value::Null), None);
    }
}
