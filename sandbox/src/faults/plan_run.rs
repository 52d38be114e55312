//! One plan: an operator behind two proxies, a namespace and an instance of its own, until all is quiet.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::error::FaultsError;
use super::plan::{Blow, Plan};
use super::ran::{Asked, Expected, Ran};
use super::scenario::Scenario;
use super::stand::{Setup, Stand};
use super::upstream::Upstream;
use crate::world::World;

/// Nothing is asked for so long: the work is over. A held request is asked for before, and answered later.
const QUIET: Duration = Duration::from_secs(3);

/// For the whole of it. A lost answer takes 12 s, a held request 20 s more.
const LIMIT: Duration = Duration::from_secs(150);

/// How often the objects are looked at; each look is a process.
const LOOK: Duration = Duration::from_millis(1000);

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
    let (id, group) = match &plan {
        Some(plan) => (plan.id(), (scenario.to_string(), plan.blow.to_string())),
        None => (scenario.to_string(), (scenario.to_string(), "undisturbed".to_owned())),
    };
    let mut ran = Ran::new(id, group, namespace.clone(), Expected::As(scenario));
    ran.asked.push(Asked { instance: instance.clone(), backups: 1..=1 });

    let setup = Setup { plan: plan.clone(), ..Setup::default() };
    let mut stand = Stand::start(world, upstream, &namespace, &namespace, setup).await?;
    while !stand.is_ready().await && !stand.strike.fired() && began.elapsed() < LIMIT {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    kubectl.run_with_input(&["create", "--filename=-"], &scenario.object(&namespace, &instance).to_string()).await?;
    let mut looked = Instant::now();
    loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
        if !goes_on(&mut stand, world, plan.as_ref(), &mut ran)? {
            break;
        }
        if looked.elapsed() >= LOOK {
            looked = Instant::now();
            ran.objects = objects(world, &namespace).await?;
        }
        let waits_for_its_end = plan.as_ref().is_some_and(|plan| plan.blow.ends_it()) && stand.strike.fired() && !was_started_again(&stand);
        if plan.is_none() && ran.objects.iter().any(|object| object["status"]["phase"] == "Failed") {
            ran.trouble("its backup failed: what others are compared with must be good");
            break;
        }
        if ended(&ran.objects) && stand.strike.quiet_for() > QUIET && !waits_for_its_end {
            if plan.is_some() && !stand.strike.fired() {
                ran.trouble("the request never came: nothing was struck");
            }
            break;
        }
        if began.elapsed() > LIMIT {
            ran.trouble(format!("not quiet after {} s", LIMIT.as_secs()));
            break;
        }
    }
    stand.operator.stop().await?;
    ran.objects = objects(world, &namespace).await?;
    ran.requests = stand.strike.requests();
    ran.struck = usize::from(stand.strike.fired());
    ran.took = began.elapsed();
    ran.logs = stand.logs;
    Ok(ran)
}

/// All objects of ours in a namespace.
pub(super) async fn objects(world: &World, namespace: &str) -> Result<Vec<Value>, FaultsError> {
    let list = world.kubectl().json(&["get", "rdsbackups,rdsbackupschedules", "--namespace", namespace]).await?;
    Ok(list["items"].as_array().cloned().unwrap_or_default())
}

/// There is a backup, and every one is at its end.
pub(super) fn ended(objects: &[Value]) -> bool {
    let backups: Vec<&Value> = objects.iter().filter(|object| object["kind"] == "RdsBackup").collect();
    !backups.is_empty() && backups.iter().all(|backup| matches!(backup["status"]["phase"].as_str(), Some("Succeeded" | "Failed")))
}

fn was_started_again(stand: &Stand) -> bool {
    stand.logs.len() > 1
}

/// Starts it again if the plan ended it, once. Whether there is an operator.
fn goes_on(stand: &mut Stand, world: &World, plan: Option<&Plan>, ran: &mut Ran) -> Result<bool, FaultsError> {
    let Some(status) = stand.operator.ended_already()? else { return Ok(true) };
    if !stand.strike.ended() || was_started_again(stand) {
        ran.trouble(format!("the operator ended by itself ({status}):\n{}", stand.operator.log_tail()));
        return Ok(false);
    }
    if plan.is_some_and(|plan| plan.blow == Blow::Terminate) && !status.success() {
        ran.trouble(format!("told to end, it ended with {status}:\n{}", stand.operator.log_tail()));
    }
    stand.again(world)?;
    Ok(true)
}
