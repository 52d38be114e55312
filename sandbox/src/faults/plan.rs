//! Plans: which fault is injected at which request.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::scenario::Scenario;

/// A fault that is injected at a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RequestFault {
    /// The operator is killed (SIGKILL), and the request never arrives.
    KillBefore,
    /// The operator is killed when the request was executed, before its answer leaves.
    KillExecuted,
    /// The operator is killed when it has the answer.
    KillAnswered,
    /// The operator is asked to end (SIGTERM) as the request arrives, which is answered as usual.
    Terminate,
    /// The operator is stopped (SIGSTOP) when the request was executed, before its answer leaves. The row with this plan continues it.
    Freeze,
    /// The request is executed, and the connection closed without an answer.
    DropAnswer,
    /// It is not forwarded, and answered with this status; 429 with `Retry-After: 1`.
    Answer(u16),
    /// It is held for [`HELD`], then forwarded.
    Hold,
}

/// How long a request is held: longer than the operator waits for the API server, shorter than for the cloud.
pub(super) const HELD: Duration = Duration::from_secs(20);

impl RequestFault {
    /// The faults that are injected, each at every request that it suits.
    pub(super) const ALL: [Self; 9] = [
        Self::KillBefore,
        Self::KillExecuted,
        Self::KillAnswered,
        Self::Terminate,
        Self::DropAnswer,
        Self::Answer(409),
        Self::Answer(429),
        Self::Answer(500),
        Self::Hold,
    ];

    /// Whether it ends the operator, which is then started again.
    pub(super) fn ends_it(self) -> bool {
        matches!(self, Self::KillBefore | Self::KillExecuted | Self::KillAnswered | Self::Terminate)
    }

    /// Only writes to the API server can conflict. Throttling by the cloud is an effect of the simulated endpoint, and is tested there.
    fn suits(self, request: &str) -> bool {
        match self {
            Self::Answer(409) => ["kube patch", "kube create", "kube update"].iter().any(|verb| request.starts_with(verb)),
            Self::Answer(429) => request.starts_with("kube"),
            _ => true,
        }
    }
}

impl fmt::Display for RequestFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KillBefore => f.write_str("kill-before"),
            Self::KillExecuted => f.write_str("kill-executed"),
            Self::KillAnswered => f.write_str("kill-answered"),
            Self::Terminate => f.write_str("terminate"),
            Self::Freeze => f.write_str("freeze"),
            Self::DropAnswer => f.write_str("drop-answer"),
            Self::Answer(status) => write!(f, "answer-{status}"),
            Self::Hold => f.write_str("hold"),
        }
    }
}

/// One fault at one request of one scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    pub scenario: Scenario,
    /// The name of the request.
    pub request: String,
    /// Which of the requests of that name, from 1.
    pub number: usize,
    pub fault: RequestFault,
}

impl Plan {
    /// `one-shot/kube.update.rdsbackups-status.2/kill-executed`
    pub(super) fn id(&self) -> String {
        let request = self.request.replace('/', "-").replace(' ', ".");
        format!("{}/{request}.{}/{}", self.scenario, self.number, self.fault)
    }
}

/// How many requests of this name every run makes. Polls repeat until the job has ended or its set is listed: a slow machine makes more of
/// them.
fn in_every_run(request: &str) -> usize {
    match request {
        // One before the request is sent, and those of the first two polls.
        "kube list rdsbackups of the instance" => 3,
        _ if request.starts_with("cloud Describe") => 2,
        _ => usize::MAX,
    }
}

/// A plan for each request that was recorded and each fault that suits it.
pub(super) fn all(scenario: Scenario, requests: &[String]) -> Vec<Plan> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut plans = Vec::new();
    for request in requests {
        let number = counts.entry(request).or_default();
        *number += 1;
        if *number > in_every_run(request) {
            continue;
        }
        let suited = RequestFault::ALL.into_iter().filter(|fault| fault.suits(request));
        plans.extend(suited.map(|fault| Plan { scenario, request: request.clone(), number: *number, fault }));
    }
    plans
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_planned_at_every_request_that_it_suits() {
        let requests = ["kube update rdsbackups/status", "cloud DescribeBackups", "cloud DescribeBackups", "cloud DescribeBackups"];
        let plans = all(Scenario::OneShot, &requests.map(str::to_owned));
        assert_eq!(plans.len(), 9 + 2 * 7, "the third read is one poll too many, and reads do not conflict");
        assert_eq!(plans[1].id(), "one-shot/kube.update.rdsbackups-status.1/kill-executed");
    }
}
