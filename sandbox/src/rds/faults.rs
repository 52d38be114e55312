//! Faults on demand.

use serde::{Deserialize, Serialize};

use super::catalogue::matches;

/// A fault: what goes wrong, for which requests, and how often.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// The action it meets. Every action if absent.
    #[serde(default)]
    pub action: Option<String>,
    /// The instances it meets, as a pattern. Every instance if absent.
    #[serde(default)]
    pub instance: Option<String>,
    /// How often. For ever if absent.
    #[serde(default)]
    pub times: Option<u32>,
    /// What goes wrong.
    pub effect: Effect,
}

/// What goes wrong. "Executed" means that the service does what it is asked, and that the ledger shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Effect {
    /// The connection is closed; the request is not executed.
    DropBefore,
    /// The request is executed; the connection is closed without an answer.
    LoseAnswer,
    /// The connection is reset (RST), after or without execution.
    Reset {
        /// Whether the request is executed.
        executed: bool,
    },
    /// The request is late, or its answer is. A late request reaches the service even if the client has gone by then.
    Delay {
        /// For so long.
        ms: u64,
        /// Which of the two.
        when: When,
    },
    /// An answer of this status from something in front of the service.
    Status5xx {
        /// The HTTP status.
        status: u16,
        /// Whether the request is executed.
        executed: bool,
    },
    /// An answer that is no answer, with HTTP 200.
    Garbage {
        /// What it is.
        body: Garbage,
        /// Whether the request is executed.
        executed: bool,
    },
    /// `Throttling.User`. The request is not executed, but its nonce is used up.
    Throttle {
        /// Sent as `x-acs-retry-after`.
        #[serde(default)]
        retry_after_ms: Option<u64>,
    },
    /// Any API error. Without execution the request is still verified, and its nonce used up.
    ApiError {
        /// `Code`.
        code: String,
        /// The HTTP status.
        http_status: u16,
        /// `Message`.
        message: String,
        /// Whether the request is executed.
        executed: bool,
    },
    /// There is no answer for so long, then the connection is closed.
    Hold {
        /// For so long.
        ms: u64,
        /// Whether the request is executed, at once.
        executed: bool,
    },
    /// There is never an answer, and the connection stays open.
    Hang {
        /// Whether the request is executed, at once.
        executed: bool,
    },
    /// The network delivers the request twice.
    Duplicate {
        /// Which answer the client gets.
        #[serde(default)]
        answer: Delivery,
    },
    /// The job that the request starts fails at its end. Counted when a job starts, and can meet a request together with another fault.
    FailJob,
    /// The job that the request starts ends with a set that says `Success` and `IsAvail` 0. Counted like [`Effect::FailJob`].
    SpoilJob,
}

/// On which side of the execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum When {
    /// The request is on its way: its timestamp is judged when it arrives.
    Before,
    /// The answer is on its way.
    After,
}

/// An answer that is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Garbage {
    /// A page.
    Html,
    /// JSON that ends in the middle.
    TruncatedJson,
    /// 10 MB of JSON.
    Huge,
    /// Nothing.
    Empty,
    /// JSON nested 100,000 levels deep.
    Nested,
}

/// One of the two deliveries of a duplicated request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Delivery {
    /// The first, which is executed.
    #[default]
    First,
    /// The second, whose nonce has been used.
    Second,
}

/// A fault that was set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FaultId(pub u64);

impl Fault {
    /// A fault of one action, on every instance, for ever.
    pub fn on(action: &str, effect: Effect) -> Self {
        Self { action: Some(action.to_owned()), instance: None, times: None, effect }
    }

    /// A fault of every action, on every instance, for ever.
    pub fn any(effect: Effect) -> Self {
        Self { action: None, instance: None, times: None, effect }
    }

    /// Only on instances of that pattern.
    pub fn instance(self, pattern: &str) -> Self {
        Self { instance: Some(pattern.to_owned()), ..self }
    }

    /// Only so often.
    pub fn times(self, times: u32) -> Self {
        Self { times: Some(times), ..self }
    }

    fn meets(&self, action: &str, instance: &str) -> bool {
        self.action.as_deref().is_none_or(|wanted| wanted == action)
            && self.instance.as_deref().is_none_or(|pattern| matches(pattern, instance))
    }
}

impl Effect {
    /// As the call log names it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::DropBefore => "dropBefore",
            Self::LoseAnswer => "loseAnswer",
            Self::Reset { .. } => "reset",
            Self::Delay { .. } => "delay",
            Self::Status5xx { .. } => "status5xx",
            Self::Garbage { .. } => "garbage",
            Self::Throttle { .. } => "throttle",
            Self::ApiError { .. } => "apiError",
            Self::Hold { .. } => "hold",
            Self::Hang { .. } => "hang",
            Self::Duplicate { .. } => "duplicate",
            Self::FailJob => "failJob",
            Self::SpoilJob => "spoilJob",
        }
    }

    /// Whether it is about the job that a request starts, and not about the request's way.
    pub(super) fn is_of_job(&self) -> bool {
        matches!(self, Self::FailJob | Self::SpoilJob)
    }
}

/// A fault that was set up, and how often it was applied.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FaultRecord {
    /// Its id.
    pub id: FaultId,
    /// What it is.
    pub fault: Fault,
    /// How often it was applied.
    pub hits: u64,
    /// Whether it can be applied again.
    pub active: bool,
}

/// The faults that were set up, oldest first.
#[derive(Debug, Default)]
pub(super) struct Faults {
    records: Vec<FaultRecord>,
}

impl Faults {
    pub(super) fn add(&mut self, fault: Fault) -> FaultId {
        let id = FaultId(self.records.len() as u64 + 1);
        let active = fault.times != Some(0);
        self.records.push(FaultRecord { id, fault, hits: 0, active });
        id
    }

    /// Ends all faults. How often each was applied is still known.
    pub(super) fn clear(&mut self) {
        self.records.iter_mut().for_each(|record| record.active = false);
    }

    pub(super) fn remove(&mut self, id: FaultId) -> bool {
        let found = self.records.iter_mut().find(|record| record.id == id);
        found.map(|record| record.active = false).is_some()
    }

    pub(super) fn hits(&self, id: FaultId) -> u64 {
        self.records.iter().find(|record| record.id == id).map_or(0, |record| record.hits)
    }

    pub(super) fn list(&self) -> &[FaultRecord] {
        &self.records
    }

    /// The oldest active fault that meets the request's way, counted as one hit.
    pub(super) fn next_effect(&mut self, action: &str, instance: &str) -> Option<Effect> {
        self.take(action, instance, false)
    }

    /// The oldest active fault that meets the job a request starts, counted as one hit.
    pub(super) fn strike_job(&mut self, action: &str, instance: &str) -> Option<Effect> {
        self.take(action, instance, true)
    }

    fn take(&mut self, action: &str, instance: &str, of_job: bool) -> Option<Effect> {
        let record = self
            .records
            .iter_mut()
            .find(|record| record.active && record.fault.effect.is_of_job() == of_job && record.fault.meets(action, instance))?;
        record.hits += 1;
        record.active = record.fault.times.is_none_or(|times| record.hits < u64::from(times));
        Some(record.fault.effect.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_strikes_as_often_as_it_says() {
        let mut faults = Faults::default();
        let id = faults.add(Fault::on("CreateBackup", Effect::LoseAnswer).times(2));
        let applied: Vec<_> = (0..3).map(|_| faults.next_effect("CreateBackup", "rm-1").is_some()).collect();
        assert_eq!((applied, faults.hits(id)), (vec![true, true, false], 2));
    }

    #[test]
    fn a_fault_meets_only_its_action_and_its_instances() {
        let mut faults = Faults::default();
        faults.add(Fault::on("CreateBackup", Effect::DropBefore).instance("rm-*"));
        assert_eq!(faults.next_effect("DescribeBackups", "rm-1"), None);
        assert_eq!(faults.next_effect("CreateBackup", "pgm-1"), None);
        assert_eq!(faults.next_effect("CreateBackup", "rm-1"), Some(Effect::DropBefore));
    }

    #[test]
    fn a_fault_of_the_job_leaves_room_for_one_of_the_way() {
        let mut faults = Faults::default();
        faults.add(Fault::any(Effect::FailJob));
        faults.add(Fault::any(Effect::LoseAnswer));
        assert_eq!(faults.next_effect("CreateBackup", "rm-1"), Some(Effect::LoseAnswer));
        assert_eq!(faults.strike_job("CreateBackup", "rm-1"), Some(Effect::FailJob));
    }

    #[test]
    fn cleared_faults_strike_no_more_and_keep_their_count() {
        let mut faults = Faults::default();
        let id = faults.add(Fault::any(Effect::DropBefore));
        faults.next_effect("CreateBackup", "rm-1");
        faults.clear();
        assert_eq!((faults.next_effect("CreateBackup", "rm-1"), faults.hits(id)), (None, 1));
    }
}
