//! Leader election: one of several replicas leads and works, the other replicas stand by.
//!
//! The crate k8s-controller implements client-go's protocol with its timings: a candidate takes a lease over when it has seen it unchanged
//! for 15 s by its own clock; a leader that could not renew for 10 s gives up. This file adds the fence, which closes 10 s after the last
//! successful renewal was requested, even if the process is frozen meanwhile.

use std::{future::Future, sync::Arc, time::Duration};

use http::{Method, StatusCode};
use k8s_controller::LeaderElection;
use kube::{Client, client::Body};
use sha2::{Digest, Sha256};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tower::BoxError;
use tracing::{info, warn};

use super::readiness::Readiness;
use crate::{
    api::FIELD_MANAGER,
    controller::{Fence, Scope, answering},
};

/// The defaults of client-go.
const LEASE: Duration = Duration::from_secs(15);
const RENEW_DEADLINE: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_secs(2);

/// A candidate for the lease.
pub(super) struct Candidate {
    election: LeaderElection,
    fence: Fence,
    readiness: Arc<Readiness>,
    lease: String,
    identity: String,
}

/// How a candidate's term ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The work ended, and the lease was released.
    Done,
    /// The candidate was stopped before it led.
    NeverLed,
    /// The lease was lost, and the work was dropped.
    Lost,
}

/// The lease's name: `rds-backup-operator`, for an operator that watches only some namespaces followed by a hash of their names. So
/// operators for different namespaces can run in one namespace without standing by for each other.
fn name_of(scope: &Scope) -> String {
    match scope {
        Scope::Cluster => FIELD_MANAGER.to_owned(),
        Scope::Namespaces(names) => {
            let digest = Sha256::digest(names.join(","));
            let suffix = base16ct::lower::encode_string(&digest[..4]);
            format!("{FIELD_MANAGER}-{suffix}")
        }
    }
}

impl Candidate {
    /// `identity` must differ from that of every other process, also from the previous process of the same pod.
    pub fn new(client: Client, namespace: &str, scope: &Scope, identity: String, fence: Fence, readiness: Arc<Readiness>) -> Self {
        let name = name_of(scope);
        let lease = format!("{namespace}/{name}");
        let client = renewing(answering(client), fence.clone(), readiness.clone(), lease.clone());
        let election = LeaderElection::new(client, namespace, &name, &identity)
            .with_lease_duration(LEASE)
            .with_renew_deadline(RENEW_DEADLINE)
            .with_retry_period(RETRY);
        Self { election, fence, readiness, lease, identity }
    }

    /// The lease, as namespace/name.
    pub fn lease(&self) -> String {
        self.lease.clone()
    }

    /// Waits for the lease, then works for as long as it is held. `work` ends by itself when `stop` is cancelled, and the lease is released
    /// only after that: nothing is under way when the next leader takes it.
    pub async fn lead(self, work: impl Future<Output = ()>, stop: &CancellationToken) -> Ended {
        let Self { election, fence, readiness, lease, identity } = self;
        info!(%lease, %identity, "standing by");
        let leads = CancellationToken::new();
        let work = async {
            leads.cancel();
            readiness.leads();
            info!(%lease, %identity, "leading");
            work.await;
            // The release is a write to the lease as well, and must not open the fence.
            fence.close();
        };
        let stopped_before_it_led = async {
            stop.cancelled().await;
            if leads.is_cancelled() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            led = election.with_lease(work) => match led {
                Some(()) => Ended::Done,
                None => {
                    fence.close();
                    warn!(%lease, %identity, "the lease was lost: the operator begins nothing new");
                    Ended::Lost
                }
            },
            () = stopped_before_it_led => {
                fence.close();
                // The lease may have been granted at this very moment.
                election.release().await;
                Ended::NeverLed
            }
        }
    }
}

/// A client for the lease: it opens the fence at every renewal, and logs why a renewal fails.
#[expect(clippy::arithmetic_side_effects, reason = "an instant of this process, and seconds")]
fn renewing(client: Client, fence: Fence, readiness: Arc<Readiness>, lease: String) -> Client {
    let namespace = client.default_namespace().to_owned();
    let service = tower::service_fn(move |request: http::Request<Body>| {
        let (client, fence, readiness, lease) = (client.clone(), fence.clone(), readiness.clone(), lease.clone());
        async move {
            let writes = *request.method() != Method::GET;
            // The fence counts from the request and not from the answer: other candidates may have seen the renewal before the answer came.
            let asked = Instant::now();
            let answer = client.send(request).await;
            match answer.as_ref().map(http::Response::status) {
                Ok(status) if writes && status.is_success() => fence.open_until(asked + RENEW_DEADLINE),
                other => match cure(other.ok(), writes, &lease) {
                    Some(cure) if readiness.troubled(None, cure.clone()) => warn!("{cure}"),
                    Some(_) => {}
                    None => readiness.stands_by(),
                },
            }
            Ok::<_, BoxError>(answer?)
        }
    });
    Client::new(service, namespace)
}

/// What to do about an answer that keeps a replica from leading; None if there is nothing to do. `status` is None without an answer.
fn cure(status: Option<StatusCode>, writes: bool, lease: &str) -> Option<String> {
    let Some(status) = status else {
        return Some(format!(
            "the API server cannot be reached for the lease {lease}; the operator tries again. Check its address and the network"
        ));
    };
    match status {
        StatusCode::FORBIDDEN => Some(format!(
            "the operator may not use the lease {lease}: the chart and deploy/install grant it (get, create and update leases), or run one replica with --leader-elect=false"
        )),
        StatusCode::UNAUTHORIZED => Some(
            "the API server does not accept the operator's credentials: check the token of its ServiceAccount, or KUBECONFIG".to_owned(),
        ),
        StatusCode::NOT_FOUND if writes => Some(format!(
            "the lease {lease} cannot be created: its namespace does not exist. Create it, or set POD_NAMESPACE to the operator's namespace"
        )),
        status if status.is_server_error() => {
            Some(format!("the API server answers {} for the lease {lease}; the operator tries again", status.as_u16()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_for_different_namespaces_do_not_stand_by_for_each_other() {
        let of = |names: &[&str]| name_of(&Scope::Namespaces(names.iter().map(|name| (*name).to_owned()).collect()));
        assert_eq!(name_of(&Scope::Cluster), "rds-backup-operator");
        // As the chart's `rds.lease` writes it into the Role.
        assert_eq!(of(&["team-a", "team-b"]), "rds-backup-operator-183efbe2");
        assert_eq!(of(&["a", "b"]), of(&["a", "b"]));
        assert!(of(&["a"]).starts_with("rds-backup-operator-") && of(&["a"]) != of(&["b"]));
    }

    #[test]
    fn an_answer_that_keeps_a_replica_from_leading_has_a_cure() {
        let said = |status: Option<u16>, writes| cure(status.map(|code| StatusCode::from_u16(code).unwrap()), writes, "ns/lease");
        for (status, writes, expected) in [
            (None, false, "cannot be reached"),
            (Some(403), false, "deploy/install"),
            (Some(401), false, "KUBECONFIG"),
            (Some(404), true, "POD_NAMESPACE"),
            (Some(503), true, "answers 503"),
        ] {
            assert!(said(status, writes).is_some_and(|cure| cure.contains(expected)), "{status:?}");
        }
        // The lease does not exist yet; another candidate wrote it first; success.
        assert_eq!((said(Some(404), false), said(Some(409), true), said(Some(200), false)), (None, None, None));
    }
}
