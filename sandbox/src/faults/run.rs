//! One plan: an operator behind two proxies, a namespace and an instance of its own, until all is quiet.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::FaultsError;
use super::label::Server;
use super::plan::Plan;
use super::proxy::{Proxy, Upstream};
use super::scenario::Scenario;
use super::strike::Strike;
use crate::world::{Operator, StartOperator, World};

/// Nothing is asked for so long: the work is over. A held request is asked for before, and answered later.
const QUIET: Duration = Duration::from_secs(3);

/// For the whole of it. A lost answer takes 12 s, a held request 20 s more.
const LIMIT: Duration = Duration::from_secs(150);

/// How often the objects are looked at; each look is a process.
const LOOK: Duration = Duration::from_millis(1000);

/// What came of a plan.
pub(super) struct Ran {
    pub scenario: Scenario,
    /// None for the learning run.
    pub plan: Option<Plan>,
    pub namespace: String,
    pub instance: String,
    /// What the requests were called.
    pub requests: Vec<String>,
    /// All objects of ours in the namespace, at the end.
    pub objects: Vec<Value>,
    /// What went wrong before there was anything to judge.
    pub troubles: Vec<String>,
    pub took: Duration,
    /// The logs of its operators.
    pub logs: Vec<PathBuf>,
}

/// Runs a plan, or learns.
pub(super) async fn run(
    world: &World,
    upstream: &Upstream,
    number: usize,
    scenario: Scenario,
    plan: Option<Plan>,
) -> Result<Ran, FaultsError> {
    let began = Instant::now();
    let (namespace, instance) = (format!("plan-{number}"), format!("rm-mysql-plan{number}"));
    let kubectl = world.kubectl();
    kubectl.run(&["create", "namespace", &namespace]).await?;
    if let Some(fault) = scenario.fault(&instance) {
        world.rds.add_fault(fault);
    }
    let strike = Arc::new(Strike::new(plan.clone()));
    let kube = Proxy::start(Server::Kube, upstream.clone(), Arc::clone(&strike)).await?;
    let cloud = Proxy::start(Server::Cloud, Upstream::Plain(world.rds.addr()), Arc::clone(&strike)).await?;
    let config = world.write_config(&format!("{namespace}.yaml"), &world.operator_config("").replace(&world.rds.url(), &cloud.url()))?;
    let kubeconfig = world.write_config(&format!("{namespace}.kubeconfig"), &through(world, &kube)?)?;
    let start = || StartOperator {
        config: Some(config.clone()),
        kubeconfig: Some(kubeconfig.clone()),
        args: vec!["--watch-namespace".to_owned(), namespace.clone()],
        ..StartOperator::default()
    };

    let mut struck = Struck { world, strike: &strike, operator: world.start_operator(start())?, logs: Vec::new(), troubles: Vec::new() };
    struck.took_over();
    while !struck.is_ready().await && !strike.fired() && began.elapsed() < LIMIT {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    kubectl.run_with_input(&["create", "--filename=-"], &scenario.object(&namespace, &instance).to_string()).await?;
    let mut looked = Instant::now();
    let mut objects = Vec::new();
    loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
        if !struck.goes_on(start)? {
            break;
        }
        if looked.elapsed() >= LOOK {
            looked = Instant::now();
            let list = kubectl.json(&["get", "rdsbackups,rdsbackupschedules", "--namespace", &namespace]).await?;
            objects = list["items"].as_array().cloned().unwrap_or_default();
        }
        let waits_for_a_death = plan.as_ref().is_some_and(|plan| plan.blow.kills()) && strike.fired() && !struck.was_killed();
        if plan.is_none() && objects.iter().any(|object| object["status"]["phase"] == "Failed") {
            struck.troubles.push("its backup failed: what others are compared with must be good".to_owned());
            break;
        }
        if ended(&objects) && strike.quiet_for() > QUIET && !waits_for_a_death {
            if plan.is_some() && !strike.fired() {
                struck.troubles.push("the request never came: nothing was struck".to_owned());
            }
            break;
        }
        if began.elapsed() > LIMIT {
            struck.troubles.push(format!("not quiet after {} s", LIMIT.as_secs()));
            break;
        }
    }
    let Struck { mut operator, logs, troubles, .. } = struck;
    operator.stop().await?;
    let list = kubectl.json(&["get", "rdsbackups,rdsbackupschedules", "--namespace", &namespace]).await?;
    objects = list["items"].as_array().cloned().unwrap_or_default();
    let requests = strike.requests();
    Ok(Ran { scenario, plan, namespace, instance, requests, objects, troubles, took: began.elapsed(), logs })
}

/// A kubeconfig like the operator's own, through the proxy.
fn through(world: &World, proxy: &Proxy) -> Result<String, FaultsError> {
    let text = std::fs::read_to_string(world.operator_kubeconfig())?;
    let mut config: Value = serde_json::from_str(&text).map_err(std::io::Error::from)?;
    config["clusters"][0]["cluster"] = json!({ "server": proxy.url() });
    Ok(config.to_string())
}

/// There is a backup, and every one is at its end.
fn ended(objects: &[Value]) -> bool {
    let backups: Vec<&Value> = objects.iter().filter(|object| object["kind"] == "RdsBackup").collect();
    !backups.is_empty() && backups.iter().all(|backup| matches!(backup["status"]["phase"].as_str(), Some("Succeeded" | "Failed")))
}

/// The operator, killed at most once.
struct Struck<'a> {
    world: &'a World,
    strike: &'a Strike,
    operator: Operator,
    logs: Vec<PathBuf>,
    troubles: Vec<String>,
}

impl Struck<'_> {
    fn took_over(&mut self) {
        self.strike.aim_at(self.operator.pid());
        self.logs.push(self.operator.log().to_owned());
    }

    async fn is_ready(&self) -> bool {
        self.operator.get("/readyz").await.is_ok_and(|answer| answer.status == 200)
    }

    fn was_killed(&self) -> bool {
        self.logs.len() > 1
    }

    /// Starts it again if the plan killed it. Whether there is an operator.
    fn goes_on(&mut self, start: impl Fn() -> StartOperator) -> Result<bool, FaultsError> {
        let Some(status) = self.operator.ended_already()? else { return Ok(true) };
        if !self.strike.killed() || self.was_killed() {
            self.troubles.push(format!("the operator ended by itself ({status}):\n{}", self.operator.log_tail()));
            return Ok(false);
        }
        self.operator = self.world.start_operator(start())?;
        self.took_over();
        Ok(true)
    }
}
