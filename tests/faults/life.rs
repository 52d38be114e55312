//! Runs the operator as it ships in a world, one process life after another, until the world is at rest.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::Timestamp;
use rds_backup_operator::{
    accounts::ClientDeps,
    clock::Clock,
    config::Config,
    controller::{Fence, KubeRequests, Scope},
    entropy::Entropy,
    metrics::Format,
    runtime::{Deps, Operator, Served},
};
use serde_json::Value;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    people::{Action, act},
    randomness::Randomness,
    recording::Recording,
    script::Script,
    serve::serve,
    transport::ScriptedTransport,
    world::World,
};

/// The events of an end may be published for so long; after this the operator must be at rest.
const SETTLING: Duration = Duration::from_secs(60);

/// With two operators, one may not know of an end yet, or may still want to write an older observation. It observes again after 5 minutes
/// at most, and delays a write that contradicts the other operator for 16 minutes at most.
const SETTLING_OF_TWO: Duration = Duration::from_secs(22 * 60);

/// How long the world is watched at rest.
pub const REST: Duration = Duration::from_secs(300);

/// How a world ended.
pub struct Ended {
    pub world: Arc<World>,
    /// Since when the operator should have been at rest; an error if it never was.
    pub rested: Result<Timestamp, String>,
    pub at: Timestamp,
    /// What it told besides its requests: the place, and the text.
    pub told: Vec<(&'static str, Vec<u8>)>,
}

enum End {
    Died,
    Rested(Timestamp),
    Stuck(String),
}

/// Runs a world to its end.
pub fn run(script: &Script) -> Ended {
    let world = Arc::new(World::new(script.beginning()));
    let recording = script.recorded.then(Recording::begin);
    let mut told = Vec::new();
    let mut actions: VecDeque<(Timestamp, Action)> =
        script.actions.iter().map(|(at, action)| (script.begins + *at, action.clone())).collect();
    for life in 0.. {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime without sockets");
        let mut served = Vec::new();
        let end = runtime.block_on(live(&world, script, &mut actions, &mut served));
        let at = runtime.block_on(async { world.now() });
        told.extend(served.iter().flat_map(|served| runtime.block_on(async { scrape(served) })));
        let pause = script.pauses.get(life).copied().unwrap_or(Duration::from_secs(1));
        {
            let _inside = runtime.enter();
            let pause = if matches!(end, End::Died) { pause } else { Duration::ZERO };
            // Users act while no process runs, too.
            while actions.front().is_some_and(|(due, _)| *due > at && *due < at + pause) {
                let (due, action) = actions.pop_front().expect("it is there");
                world.end_life(due.duration_since(world.now()).unsigned_abs());
                act(&world, action);
            }
            world.end_life((at + pause).duration_since(world.now()).unsigned_abs());
        }
        let rested = match end {
            End::Died => continue,
            End::Rested(since) => Ok(since),
            End::Stuck(why) => Err(why),
        };
        drop(runtime);
        told.extend(recording.map(|recording| ("the log", recording.end())));
        return Ended { world, rested, at, told };
    }
    unreachable!("a fault plan has a finite number of crashes")
}

/// What a process says of itself.
fn scrape(served: &Served) -> [(&'static str, Vec<u8>); 3] {
    let metrics = |format| served.metrics(format).expect("memory takes it").into_bytes();
    [
        ("/readyz?verbose", served.readiness(true).1.into_bytes()),
        ("/metrics", metrics(Format::of_accept(None))),
        ("/metrics", metrics(Format::of_accept(Some("application/openmetrics-text")))),
    ]
}

/// One process, or several at once, from their start to their death or to the end of the world.
async fn live(world: &Arc<World>, script: &Script, actions: &mut VecDeque<(Timestamp, Action)>, served: &mut Vec<Served>) -> End {
    let life = world.begin_life();
    let tasks = TaskTracker::new();
    for process in 0..script.processes {
        let (operator, world) = (operator(world, script, life, process), world.clone());
        if script.scraped {
            served.push(operator.served(KubeRequests::default()));
        }
        tasks.spawn(async move {
            operator.run().await;
            world.has_ended(process);
        });
    }
    tasks.close();
    let mut last = world.now();
    let mut rests_since = None;
    loop {
        let now = world.now();
        while actions.front().is_some_and(|(at, _)| *at <= now) {
            let (_, action) = actions.pop_front().expect("it is there");
            act(world, action);
            last = now;
        }
        if let Some(lasts) = script.lasts
            && now >= script.begins + lasts
        {
            return End::Rested(now);
        }
        let (restless, over, silent_until) = world.with(|state, _| {
            let restless: Vec<String> = state.api.backups().filter(|object| !rests(object, script)).map(describe).collect();
            (
                if restless.is_empty() && !state.is_settled() { vec!["something is under way".to_owned()] } else { restless },
                state.fault_plan.over,
                state.fault_plan.silent_until,
            )
        });
        if script.lasts.is_some() {
            // It ends at its time, at rest or not.
        } else if restless.is_empty() && actions.is_empty() {
            let since = (*rests_since.get_or_insert(now)).max(silent_until);
            // A watch that lags shows an end that much later.
            let settling = if script.processes > 1 { SETTLING_OF_TWO } else { SETTLING };
            let moves_until = since + settling + script.pace.watch_lag + script.pace.list_lag;
            if now > moves_until + REST {
                return End::Rested(moves_until);
            }
        } else {
            rests_since = None;
            let end = last.max(over) + script.bound;
            if now > end {
                return End::Stuck(format!(
                    "no rest {} after the last trouble: {}",
                    crate::world::whole(now.duration_since(last.max(over))),
                    restless.join("; ")
                ));
            }
        }
        let next =
            actions.front().map_or(Duration::from_secs(20), |(at, _)| at.duration_since(now).unsigned_abs()).min(Duration::from_secs(20));
        tokio::select! {
            biased;
            () = world.died.notified() => return End::Died,
            () = tasks.wait() => return End::Died,
            () = tokio::time::sleep(next.max(Duration::from_millis(1))) => {}
        }
    }
}

/// Terminal, or in a documented waiting state that only a person ends.
fn rests(object: &Value, script: &Script) -> bool {
    let status = &object["status"];
    let terminal = matches!(status["phase"].as_str(), Some("Succeeded" | "Failed"));
    let condition = |kind: &str, reason: &str| {
        status["conditions"].as_array().is_some_and(|all| {
            all.iter().any(|one| one["type"] == kind && one["status"] == "True" && (reason.is_empty() || one["reason"] == reason))
        })
    };
    terminal || (script.expiry == "Never" && condition("Stalled", "OutcomeUnknown"))
}

fn describe(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let ready = object["status"]["conditions"].as_array().and_then(|all| all.iter().find(|one| one["type"] == "Ready")).cloned();
    let ready = ready.unwrap_or_default();
    format!(
        "{} is {} ({}: {})",
        text(&object["metadata"]["name"]),
        text(&object["status"]["phase"]),
        text(&ready["reason"]),
        text(&ready["message"])
    )
}

/// Makes the operator that `run` makes in production, with the client, clock, randomness and transport of this world.
fn operator(world: &Arc<World>, script: &Script, life: u32, process: u32) -> Operator {
    let skew = script.skew_after_a_crash.filter(|_| life > 1).unwrap_or(script.skew);
    let node = world.clone();
    let clock = Clock::new(move || node.node_time() + skew);
    let randomness = Mutex::new(Randomness::new(script.seed ^ (u64::from(life) << 32) ^ (u64::from(process) << 48)));
    let entropy = Entropy::new(move || {
        let mut randomness = randomness.lock().expect("no thread panics while it holds this lock");
        u128::from(randomness.next()) << 64 | u128::from(randomness.next())
    });
    let transport = ScriptedTransport { world: world.clone(), life, process, clock: clock.clone() };
    let served = world.clone();
    let stop = CancellationToken::new();
    world.with(|state, _| state.stops.push(stop.clone()));
    let client = kube::Client::new(tower::service_fn(move |request| serve(served.clone(), life, process, request)), "default");
    let scope = if script.namespaces.is_empty() { Scope::Cluster } else { Scope::Namespaces(script.namespaces.clone()) };
    let deps = Deps {
        client,
        scope,
        namespace: "rds-system".to_owned(),
        instance: format!("operator-{process}"),
        client_deps: ClientDeps { clock, entropy, transport: Some(Arc::new(transport)) },
        fence: Fence::none(),
        stop,
    };
    let mut config = Config::parse(&script.configuration(life)).expect("a good configuration");
    if !script.audits {
        config.accounts.values_mut().for_each(|account| account.audit.every = None);
    }
    Operator::new(config, deps, |_| None)
}
