//! An operator behind two proxies of its own.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};

use super::error::FaultsError;
use super::label::Server;
use super::plan::Plan;
use super::proxy::Proxy;
use super::strike::Strike;
use super::upstream::Upstream;
use super::weather::{Sky, Weather};
use crate::world::{Operator, StartOperator, World};

/// How one is to be.
#[derive(Default)]
pub(super) struct Setup {
    /// What is done to which of its requests.
    pub plan: Option<Plan>,
    /// Whether it stands by until it has the lease.
    pub leader_elect: bool,
    /// The weather over its way to the API server, from its first request on.
    pub weather: Option<Weather>,
    /// Texts of its configuration that are replaced.
    pub changes: Vec<(String, String)>,
}

/// A running operator. It is killed when this is dropped.
pub(super) struct Stand {
    pub operator: Operator,
    pub strike: Arc<Strike>,
    /// Over its way to the API server.
    pub sky: Arc<Sky>,
    /// The logs of its processes.
    pub logs: Vec<PathBuf>,
    start: StartOperator,
    _proxies: [Proxy; 2],
}

impl Stand {
    /// Starts one that watches a namespace. `name` is what its files are called.
    pub(super) async fn start(world: &World, upstream: &Upstream, name: &str, namespace: &str, setup: Setup) -> Result<Self, FaultsError> {
        let (strike, sky) = (Arc::new(Strike::new(setup.plan)), Arc::<Sky>::default());
        if let Some(weather) = setup.weather {
            sky.change(weather);
        }
        let kube = Proxy::start(Server::Kube, upstream.clone(), Arc::clone(&strike), Arc::clone(&sky)).await?;
        let to_cloud = Upstream::Plain(world.rds.addr());
        let cloud = Proxy::start(Server::Cloud, to_cloud, Arc::clone(&strike), Arc::default()).await?;
        let mut config = world.operator_config("").replace(&world.rds.url(), &cloud.url());
        for (from, to) in &setup.changes {
            config = config.replace(from, to);
        }
        let start = StartOperator {
            config: Some(world.write_config(&format!("{name}.yaml"), &config)?),
            kubeconfig: Some(world.write_config(&format!("{name}.kubeconfig"), &through(world, &kube)?)?),
            leader_elect: setup.leader_elect,
            args: vec!["--watch-namespace".to_owned(), namespace.to_owned()],
            ..StartOperator::default()
        };
        let operator = world.start_operator(start.clone())?;
        let mut stand = Self { operator, strike, sky, logs: Vec::new(), start, _proxies: [kube, cloud] };
        stand.took_over();
        Ok(stand)
    }

    /// Starts it again after it has ended.
    pub(super) fn again(&mut self, world: &World) -> Result<(), FaultsError> {
        self.operator = world.start_operator(self.start.clone())?;
        self.took_over();
        Ok(())
    }

    fn took_over(&mut self) {
        self.strike.aim_at(self.operator.pid());
        self.logs.push(self.operator.log().to_owned());
    }

    pub(super) async fn is_ready(&self) -> bool {
        self.operator.get("/readyz").await.is_ok_and(|answer| answer.status == 200)
    }

    /// Whether its process has said that it leads.
    pub(super) fn leads(&self) -> bool {
        std::fs::read_to_string(self.operator.log()).is_ok_and(|log| log.contains(r#""message":"leading""#))
    }

    /// What it asked for since then that changes something, and when; events and leases apart.
    pub(super) fn changes_since(&self, since: Instant) -> Vec<(String, Instant)> {
        let changes = |request: &str| {
            let writes = ["kube patch", "kube create", "kube update", "kube delete"].iter().any(|verb| request.starts_with(verb));
            request == "cloud CreateBackup" || writes && !request.ends_with(" leases") && !request.ends_with(" events")
        };
        self.strike.requests_since(Some(since)).into_iter().filter(|(request, _)| changes(request)).collect()
    }
}

/// A kubeconfig like the operator's own, through the proxy.
fn through(world: &World, proxy: &Proxy) -> Result<String, FaultsError> {
    let text = std::fs::read_to_string(world.operator_kubeconfig())?;
    let mut config: Value = serde_json::from_str(&text).map_err(std::io::Error::from)?;
    config["clusters"][0]["cluster"] = json!({ "server": proxy.url() });
    Ok(config.to_string())
}
