//! What this process remembers about one RdsBackupSchedule between passes.

use jiff::Timestamp;

use super::{
    memory::Memory,
    objectives::Objective,
    spec::{Problem, ValidatedSpec},
};
use crate::{api::RdsBackupSchedule, controller::Freshest};

/// The state of one object; lost in a crash, and nothing is lost with it.
#[derive(Clone, Debug, Default)]
pub struct ObjectState {
    /// What became of the backups that were to be created.
    pub memory: Memory,
    /// Which copy of the object is the newest that this process knows.
    pub freshest: Freshest<RdsBackupSchedule>,
    /// When there is something to do, as it was decided last. A pass that fails is made again by then.
    pub due: Option<Timestamp>,
    /// A status waits for the end of a burst.
    pub deferred: bool,
    /// What the spec asks for, as it was worked out last.
    validated: Option<Validated>,
}

/// The validated spec of a generation, and the day on which it was made: the default of `freshness` looks a year ahead.
#[derive(Clone, Debug)]
struct Validated {
    generation: i64,
    day: i64,
    spec: Result<ValidatedSpec, Problem>,
}

impl ObjectState {
    /// What the schedule promises, as its spec was worked out last; none where it is invalid, or was not looked at yet.
    pub fn objective(&self) -> Option<Objective> {
        let valid = self.validated.as_ref()?.spec.as_ref().ok()?;
        Some(Objective { max_age: valid.max_age, longest_gap: valid.longest_gap })
    }

    /// What the spec asks for, worked out once for each generation and day.
    pub fn validated(&mut self, object: &RdsBackupSchedule, now: Timestamp) -> &Result<ValidatedSpec, Problem> {
        let (generation, day) = (object.metadata.generation.unwrap_or_default(), now.as_second().div_euclid(86_400));
        if self.validated.as_ref().is_some_and(|known| (known.generation, known.day) != (generation, day)) {
            self.validated = None;
        }
        let validated = self.validated.get_or_insert_with(|| {
            let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
            let name = object.metadata.name.as_deref().unwrap_or_default();
            Validated { generation, day, spec: ValidatedSpec::new(namespace, name, &object.spec, now) }
        });
        &validated.spec
    }
}
