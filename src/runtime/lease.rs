//! Leader election: one of several replicas leads and works, the other replicas stand by.
//!
//! The crate k8s-controller implements client-go's protocol with its timings: a candidate takes a lease over when it has seen it unchanged
//! for 15 s by its own clock; a leader that could not renew for 10 s gives up. This file adds the fence, which closes 10 s after the last
//! successful renewal was requested, even if the process is frozen meanwhile.
//!
//! All operators of the whole cluster have one lease, in one namespace, also where they belong to different installs: two that lead would
//! write contrary statuses. It excludes them without a setting that both would leave at its default, as the name of a class is.

use std::{future::Future, sync::Arc, time::Duration};

use http::{Method, StatusCode};
use k8s_controller::LeaderElection;
use kube::{Client, client::Body};
use sha2::{Digest, Sha256};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tower::BoxError;
use tracing::{info, warn};

use super::{install::Install, readiness::Readiness};
use crate::{
    api::FIELD_MANAGER,
    controller::{Fence, Scope, answering},
};

/// The defaults of client-go.
const LEASE: Duration = Duration::from_secs(15);
const RENEW_DEADLINE: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_secs(2);

/// Where the lease of operators of the whole cluster is: every cluster has this namespace, and every install knows it.
const CLUSTER_LEASES: &str = "kube-system";

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

/// The lease's namespace, unless a setting names another: that of the operator, where it watches only some namespaces. Two installs for the
/// same namespaces are not told apart then: the right to a lease elsewhere is one outside of these namespaces.
pub(super) fn namespace_of<'a>(scope: &Scope, own: &'a str) -> &'a str {
    match scope {
        Scope::Cluster => CLUSTER_LEASES,
        Scope::Namespaces(_) => own,
    }
}

impl Candidate {
    /// A candidate for the lease in this namespace. `process` must differ from that of every other process of the install, also from the
    /// previous process of the same pod.
    pub fn new(
        client: Client,
        namespace: &str,
        scope: &Scope,
        install: Install,
        process: &str,
        fence: Fence,
        readiness: Arc<Readiness>,
    ) -> Self {
        let name = name_of(scope);
        let lease = format!("{namespace}/{name}");
        let identity = install.identity(process);
        let client = renewing(answering(client), install, fence.clone(), readiness.clone(), lease.clone());
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

/// A client for the lease: it opens the fence at every renewal, logs why a renewal fails, and reports which other install holds the lease.
#[expect(clippy::arithmetic_side_effects, reason = "an instant of this process, and seconds")]
fn renewing(client: Client, install: Install, fence: Fence, readiness: Arc<Readiness>, lease: String) -> Client {
    let namespace = client.default_namespace().to_owned();
    let service = tower::service_fn(move |request: http::Request<Body>| {
        let (client, install, fence, readiness, lease) = (client.clone(), install.clone(), fence.clone(), readiness.clone(), lease.clone());
        async move {
            let writes = *request.method() != Method::GET;
            // The fence counts from the request and not from the answer: other candidates may have seen the renewal before the answer came.
            let asked = Instant::now();
            let mut answer = client.send(request).await;
            match &mut answer {
                Ok(answer) if !writes && answer.status().is_success() => {
                    let body = std::mem::replace(answer.body_mut(), Body::empty()).collect_bytes().await?;
                    report_holder(&readiness, Install::holding(&body), &install, &lease);
                    *answer.body_mut() = Body::from(body);
                }
                // It does not exist: this candidate makes it.
                Ok(answer) if !writes && answer.status() == StatusCode::NOT_FOUND => report_holder(&readiness, None, &install, &lease),
                _ => {}
            }
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

/// Reports, and logs once for each holder, that a replica of another install leads: a standby of an install that never works is of no use
/// and must not look like one that is. A lease that its holder has left behind is taken over as any, after 15 s.
fn report_holder(readiness: &Readiness, holder: Option<Install>, install: &Install, lease: &str) {
    let holder = holder.filter(|holder| holder.is_another_than(install));
    let cure = holder.map(|holder| {
        format!(
            "the install {holder} holds the lease {lease}, so this one, {install}, stands by and does no work: both are for the same objects. \
             Uninstall one of the two, or have each watch namespaces of its own (--watch-namespace; the chart's scope: namespaces). This one \
             leads when the other is gone"
        )
    });
    if readiness.held_by_another_install(cure.clone())
        && let Some(cure) = cure
    {
        warn!("{cure}");
    }
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
            "the operator may not use the lease {lease}: the chart and deploy/install grant it (get, create and update leases in that namespace). Or name another namespace with --lease-namespace, the same for every operator of the cluster"
        )),
        StatusCode::UNAUTHORIZED => Some(
            "the API server does not accept the operator's credentials: check the token of its ServiceAccount, or KUBECONFIG".to_owned(),
        ),
        StatusCode::NOT_FOUND if writes => Some(format!(
            "the lease {lease} cannot be created: its namespace does not exist. Create it, or name another with --lease-namespace"
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
    fn operators_of_the_cluster_have_one_lease_wherever_they_are_installed() {
        assert_eq!((namespace_of(&Scope::Cluster, "ops"), namespace_of(&Scope::Cluster, "dba")), ("kube-system", "kube-system"));
        assert_eq!(namespace_of(&Scope::Namespaces(vec!["team-a".to_owned()]), "ops"), "ops");
    }

    /// What a candidate of `ops/rds` says of itself while its reads of the lease are answered so.
    async fn said_of(answers: &[(u16, &str)]) -> Vec<Option<String>> {
        let install = Install { namespace: "ops".to_owned(), name: Some("rds".to_owned()) };
        let (readiness, mut said) = (Arc::<Readiness>::default(), Vec::new());
        for (status, holder) in answers {
            let (status, body) = (*status, serde_json::json!({ "spec": { "holderIdentity": holder } }).to_string());
            let server = tower::service_fn(move |_: http::Request<Body>| {
                let response = http::Response::builder().status(status).body(Body::from(body.clone().into_bytes()));
                async move { response }
            });
            let client = Client::new(server, "ops");
            let client = renewing(client, install.clone(), Fence::shut(), readiness.clone(), "kube-system/x".to_owned());
            let answer = client.send(http::Request::get("/lease").body(Body::empty()).unwrap()).await.unwrap();
            let read = answer.into_body().collect_bytes().await.unwrap();
            assert!(holder.is_empty() || String::from_utf8_lossy(&read).contains(holder), "the election reads it too");
            said.push(readiness.blocker());
        }
        said
    }

    #[tokio::test(start_paused = true)]
    async fn a_standby_is_not_ready_while_another_install_holds_the_lease() {
        let said = said_of(&[
            (200, "ops/rds/a_nonce"),
            (200, "dba/rds/b_nonce"),
            (200, "ops/second/c_nonce"),
            (200, "ops/d_nonce"),
            (200, "dba/rds/b_nonce"),
            (200, ""),
            (200, "dba/rds/b_nonce"),
            (404, ""),
            (200, "dba/rds/b_nonce"),
            (403, ""),
        ])
        .await;
        let named = |said: &Option<String>, install: &str| {
            said.as_ref().is_some_and(|said| said.starts_with(&format!("the install {install} holds the lease kube-system/x")))
        };
        assert_eq!(said[0], None, "a standby of the same install");
        assert!(named(&said[1], "dba/rds") && named(&said[2], "ops/second"), "{said:?}");
        assert_eq!(said[3], None, "an older pod of the same Deployment, perhaps");
        assert!(named(&said[4], "dba/rds") && said[5].is_none(), "the lease was released: {said:?}");
        assert!(named(&said[6], "dba/rds") && said[7].is_none(), "the lease was deleted: {said:?}");
        assert!(said[9].as_ref().is_some_and(|said| said.contains("may not use the lease")), "{said:?}");
    }

    #[test]
    fn an_answer_that_keeps_a_replica_from_leading_has_a_cure() {
        let said = |status: Option<u16>, writes| cure(status.map(|code| StatusCode::from_u16(code).unwrap()), writes, "ns/lease");
        for (status, writes, expected) in [
            (None, false, "cannot be reached"),
            (Some(403), false, "deploy/install"),
            (Some(401), false, "KUBECONFIG"),
            (Some(404), true, "--lease-namespace"),
            (Some(503), true, "answers 503"),
        ] {
            assert!(said(status, writes).is_some_and(|cure| cure.contains(expected)), "{status:?}");
        }
        // The lease does not exist yet; another candidate wrote it first; success.
        assert_eq!((said(Some(404), false), said(Some(409), true), said(Some(200), false)), (None, None, None));
    }
}
