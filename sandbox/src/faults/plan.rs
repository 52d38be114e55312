//! What is done to which request.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::scenario::Scenario;

/// What is done to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blow {
    /// The operator is killed (SIGKILL), and the request never arrives.
    KillBefore,
    /// The operator is killed when the request was executed, before its answer leaves.
    KillExecuted,
    /// The operator is killed when it has the answer.
    KillAnswered,
    /// The operator is told to end (SIGTERM) as the request arrives, which is answered as ever.
    Terminate,
    /// The operator is stopped (SIGSTOP) when the request was executed, before its answer leaves. Whoever plans it lets it go on.
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

impl Blow {
    /// What every request meets that it suits.
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

    /// The operator ends, and is started again.
    pub(super) fn ends_it(self) -> bool {
        matches!(self, Self::KillBefore | Self::KillExecuted | Self::KillAnswered | Self::Terminate)
    }

    /// Only writes to the API server meet conflicts; that the cloud throttles is an answer of its own, which its simulation gives.
    fn suits(self, request: &str) -> bool {
        match self {
            Self::Answer(409) => ["kube patch", "kube create", "kube update"].iter().any(|verb| request.starts_with(verb)),
            Self::Answer(429) => request.starts_with("kube"),
            _ => true,
        }
    }
}

impl fmt::Display for Blow {
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

/// One blow at one request of one scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    pub scenario: Scenario,
    /// What it is called.
    pub request: String,
    /// Which of those that are called so, from 1.
    pub number: usize,
    pub blow: Blow,
}

impl Plan {
    /// `one-shot/kube.patch.rdsbackups-status.2/kill-executed`
    pub(super) fn id(&self) -> String {
        let request = self.request.replace('/', "-").replace(' ', ".");
        format!("{}/{request}.{}/{}", self.scenario, self.number, self.blow)
    }
}

/// Looks repeat until the job has ended or its set is listed, as often as the machine is slow. So many of each are there at any speed.
fn at_any_speed(request: &str) -> usize {
    match request {
        // One before the request is sent, and those of the first two looks.
        "kube list rdsbackups of the instance" => 3,
        _ if request.starts_with("cloud Describe") => 2,
        _ => usize::MAX,
    }
}

/// Every blow at every request of what was learnt.
pub(super) fn all(scenario: Scenario, requests: &[String]) -> Vec<Plan> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut plans = Vec::new();
    for request in requests {
        let number = counts.entry(request).or_default();
        *number += 1;
        if *number > at_any_speed(request) {
            continue;
        }
        let suited = Blow::ALL.into_iter().filter(|blow| blow.suits(request));
        plans.extend(suited.map(|blow| Plan { scenario, request: request.clone(), number: *number, blow }));
    }
    plans
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_meets_every_blow_that_suits_it() {
        let requests = ["kube patch rdsbackups/status", "cloud DescribeBackups", "cloud DescribeBackups", "cloud DescribeBackups"];
        let plans = all(Scenario::OneShot, &requests.map(str::to_owned));
        assert_eq!(plans.len(), 9 + 2 * 7, "the third read is one poll too many, and reads meet no conflict");
        assert_eq!(plans[1].id(), "one-shot/kube.patch.rdsbackups-status.1/kill-executed");
    }
}
