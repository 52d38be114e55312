//! One plan: an operator behind two proxies, a namespace and an instance of its own, until the operator is at rest.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::error::FaultsError;
use super::outcome::{Asked, Expected, Outcome};
use super::plan::{Plan, RequestFault};
use super::proxied_operator::{ProxiedOperator, Setup};
use super::scenario::Scenario;
use super::upstream::Upstream;
use crate::world::World;

/// The work is over when no request came for so long. A request that is held counts until it is answered.
const AT_REST: Duration = Duration::from_secs(3);

/// For the whole run. A lost answer takes 12 s, a held request 20 s more.
const LIMIT: Duration = Duration::from_secs(150);

/// How often the objects are read.
const READ_OBJECTS: Duration = Duration::from_millis(500);

/// Runs a plan; without one, records the requests of the scenario.
pub(super) async fn run(
    world: &World,
    upstream: &Upstream,
    number: usize,
    scenario: Scenario,
    plan: Option<Plan>,
) -> Result<Outcome, FaultsError> {
    let began = Instant::now();
    let (namespace, instance) = (format!("plan-{number}"), format!("rm-mysql-plan{number}"));
    let kubectl = world.kubectl();
    kubectl.run(&["create", "namespace", &namespace]).await?;
    if let Some(fault) = scenario.fault(&instance) {
        world.rds.add_fault(fault);
    }
    if let Some(spec) = scenario.instance() {
        world.rds.define(&instance, spec);
    }
    let (id, group) = match &plan {
        Some(plan) => (plan.id(), (scenario.to_string(), plan.fault.to_string())),
        None => (scenario.to_string(), (scenario.to_string(), "undisturbed".to_owned())),
    };
    let mut outcome = Outcome::new(id, group, namespace.clone(), Expected::As(scenario));
    outcome.asked.push(Asked { instance: instance.clone(), backups: 1..=1 });

    let setup = Setup { plan: plan.clone(), ..Setup::default() };
    let mut operator = ProxiedOperator::start(world, upstream, &namespace, &namespace, setup).await?;
    while !operator.is_ready().await && !operator.injector.injected() && began.elapsed() < LIMIT {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    kubectl.run_with_input(&["create", "--filename=-"], &scenario.object(&namespace, &instance).to_string()).await?;
    let mut looked = Instant::now();
    let mut deleted = false;
    loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
        if !goes_on(&mut operator, world, plan.as_ref(), &mut outcome)? {
            break;
        }
        if looked.elapsed() >= READ_OBJECTS {
            looked = Instant::now();
            outcome.objects = objects(world, &namespace).await?;
            if scenario == Scenario::Deletion && !deleted && ended(&outcome.objects) {
                kubectl.run(&["delete", "rdsbackups", "sample", "--namespace", &namespace, "--wait=false"]).await?;
                deleted = true;
            }
        }
        let over = if scenario == Scenario::Deletion { deleted && outcome.objects.is_empty() } else { ended(&outcome.objects) };
        let waits_for_its_end =
            plan.as_ref().is_some_and(|plan| plan.fault.ends_it()) && operator.injector.injected() && !was_started_again(&operator);
        if plan.is_none() && outcome.objects.iter().any(|object| object["status"]["phase"] == "Failed") {
            outcome.trouble("its backup failed: no plan can be compared with this run");
            break;
        }
        if over && operator.injector.idle_for() > AT_REST && !waits_for_its_end {
            if plan.is_some() && !operator.injector.injected() {
                outcome.trouble("the request never came: no fault was injected");
            }
            break;
        }
        if began.elapsed() > LIMIT {
            outcome.trouble(format!("not at rest after {} s", LIMIT.as_secs()));
            break;
        }
    }
    operator.process.stop().await?;
    outcome.objects = objects(world, &namespace).await?;
    outcome.requests = operator.injector.requests();
    outcome.faults = usize::from(operator.injector.injected());
    outcome.took = began.elapsed();
    outcome.logs = operator.logs;
    Ok(outcome)
}

/// All objects of ours in a namespace.
pub(super) async fn objects(world: &World, namespace: &str) -> Result<Vec<Value>, FaultsError> {
    let reader = world.reader();
    let mut objects = reader.objects("rdsbackups", namespace).await?;
    objects.append(&mut reader.objects("rdsbackupschedules", namespace).await?);
    Ok(objects)
}

/// Whether there is a backup, and every one is at its end.
pub(super) fn ended(objects: &[Value]) -> bool {
    let backups: Vec<&Value> = objects.iter().filter(|object| object["kind"] == "RdsBackup").collect();
    !backups.is_empty() && backups.iter().all(|backup| matches!(backup["status"]["phase"].as_str(), Some("Succeeded" | "Failed")))
}

fn was_started_again(operator: &ProxiedOperator) -> bool {
    operator.logs.len() > 1
}

/// Starts the operator again if the plan ended it, once. Whether an operator runs now.
fn goes_on(operator: &mut ProxiedOperator, world: &World, plan: Option<&Plan>, outcome: &mut Outcome) -> Result<bool, FaultsError> {
    let Some(status) = operator.process.ended_already()? else { return Ok(true) };
    if !operator.injector.process_ended() || was_started_again(operator) {
        outcome.trouble(format!("the operator ended by itself ({status}):\n{}", operator.process.log_tail()));
        return Ok(false);
    }
    if plan.is_some_and(|plan| plan.fault == RequestFault::Terminate) && !status.success() {
        outcome.trouble(format!("asked to end, it ended with {status}:\n{}", operator.process.log_tail()));
    }
    operator.restart(world)?;
    Ok(true)
}
