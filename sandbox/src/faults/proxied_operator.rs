//! An operator behind two proxies of its own.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};

use super::error::FaultsError;
use super::injector::FaultInjector;
use super::label::Server;
use super::network_conditions::{NetworkCondition, NetworkConditions};
use super::plan::Plan;
use super::proxy::Proxy;
use super::upstream::Upstream;
use crate::world::{Operator, StartOperator, World};

/// How an operator is started.
#[derive(Default)]
pub(super) struct Setup {
    /// The fault at one of its requests, if there is to be one.
    pub plan: Option<Plan>,
    /// Whether it stands by until it has the lease.
    pub leader_elect: bool,
    /// Whether it watches all namespaces, in a world of its own, and not the row's.
    pub everywhere: bool,
    /// Namespaces that it watches besides the row's.
    pub also_watches: Vec<String>,
    /// Whether it is of an install that stands by for another, and so is not waited for until it is ready.
    pub stands_by_for_another_install: bool,
    /// The condition of its network to the API server, from its first request on.
    pub network: Option<NetworkCondition>,
    /// Texts of its configuration that are replaced.
    pub changes: Vec<(String, String)>,
    /// What is added to the environment of its process.
    pub env: Vec<(String, String)>,
}

/// A running operator. It is killed when this is dropped.
pub(super) struct ProxiedOperator {
    pub process: Operator,
    pub injector: Arc<FaultInjector>,
    /// The conditions of its network to the API server.
    pub network: Arc<NetworkConditions>,
    /// The logs of its processes.
    pub logs: Vec<PathBuf>,
    start: StartOperator,
    _proxies: [Proxy; 2],
}

impl ProxiedOperator {
    /// Starts an operator that watches a namespace, or all of them. `name` is the name of its files.
    pub(super) async fn start(world: &World, upstream: &Upstream, name: &str, namespace: &str, setup: Setup) -> Result<Self, FaultsError> {
        let (injector, network) = (Arc::new(FaultInjector::new(setup.plan)), Arc::<NetworkConditions>::default());
        if let Some(condition) = setup.network {
            network.set(condition);
        }
        let kube = Proxy::start(Server::Kube, upstream.clone(), Arc::clone(&injector), Arc::clone(&network)).await?;
        let to_cloud = Upstream::Plain(world.rds.addr());
        let cloud = Proxy::start(Server::Cloud, to_cloud, Arc::clone(&injector), Arc::default()).await?;
        let mut config = world.operator_config("").replace(&world.rds.url(), &cloud.url());
        for (from, to) in &setup.changes {
            config = config.replace(from, to);
        }
        let start = StartOperator {
            config: Some(world.write_config(&format!("{name}.yaml"), &config)?),
            kubeconfig: Some(world.write_config(&format!("{name}.kubeconfig"), &through(world, &kube)?)?),
            leader_elect: setup.leader_elect,
            args: if setup.everywhere { Vec::new() } else { watched(namespace, &setup.also_watches) },
            env: setup.env,
            ..StartOperator::default()
        };
        let process = world.start_operator(start.clone())?;
        let mut operator = Self { process, injector, network, logs: Vec::new(), start, _proxies: [kube, cloud] };
        operator.note_process();
        Ok(operator)
    }

    /// Starts it again after it has ended.
    pub(super) fn restart(&mut self, world: &World) -> Result<(), FaultsError> {
        self.process = world.start_operator(self.start.clone())?;
        self.note_process();
        Ok(())
    }

    fn note_process(&mut self) {
        self.injector.set_process(self.process.pid());
        self.logs.push(self.process.log().to_owned());
    }

    pub(super) async fn is_ready(&self) -> bool {
        self.process.get("/readyz").await.is_ok_and(|answer| answer.status == 200)
    }

    /// Whether its process has said that it leads.
    pub(super) fn leads(&self) -> bool {
        std::fs::read_to_string(self.process.log()).is_ok_and(|log| log.contains(r#""message":"leading""#))
    }

    /// Its requests since then that change something, and when each came; without those of events and leases.
    pub(super) fn changes_since(&self, since: Instant) -> Vec<(String, Instant)> {
        let changes = |request: &str| {
            let writes = ["kube patch", "kube create", "kube update", "kube delete"].iter().any(|verb| request.starts_with(verb));
            request == "cloud CreateBackup" || writes && !request.ends_with(" leases") && !request.ends_with(" events")
        };
        self.injector.requests_since(Some(since)).into_iter().filter(|(request, _)| changes(request)).collect()
    }
}

/// The arguments that name the namespaces.
fn watched(namespace: &str, more: &[String]) -> Vec<String> {
    let namespaces = std::iter::once(namespace).chain(more.iter().map(String::as_str));
    namespaces.map(|namespace| format!("--watch-namespace={namespace}")).collect()
}

/// A kubeconfig like the operator's own, through the proxy.
fn through(world: &World, proxy: &Proxy) -> Result<String, FaultsError> {
    let text = std::fs::read_to_string(world.operator_kubeconfig())?;
    let mut config: Value = serde_json::from_str(&text).map_err(std::io::Error::from)?;
    config["clusters"][0]["cluster"] = json!({ "server": proxy.url() });
    Ok(config.to_string())
}
