//! Which sets can be deleted: the operator's rules, read from the endpoint's own answers, against what the endpoint does when it is asked. It has
//! the rules of the API's page in code of its own.

use std::{fmt::Write, sync::Arc, time::Duration};

use rds_backup_operator::{
    clock::Clock,
    entropy::Entropy,
    rds::{
        BackupSet, CallError, Client, ClientOptions, CreateBackup, CreateOutcome, Deletable, InstanceId, Limits, SetDeletion, SetQuery,
        SetToDelete, deletable,
    },
    rpc::{self, Credentials, Endpoint, SignatureVersion, Stamp},
};
use rds_backup_sandbox::rds::{
    self as simulated, BackupPolicy, Catalogue, Clock as _, Engine, InstanceSpec, Key, ManualClock, Options, Settings,
};

const KEY: &str = "key-of-the-test";
const SECRET: &str = "secret-of-the-test";
const DAY: u64 = 86_400;
const HOUR: u64 = 3600;

const ENGINES: [(Engine, &str, &[&str]); 6] = [
    (Engine::MySQL, "local_ssd", &["Physical", "Logical"]),
    (Engine::MySQL, "cloud_essd", &["Snapshot"]),
    (Engine::PostgreSQL, "local_ssd", &["Physical"]),
    (Engine::PostgreSQL, "cloud_essd", &["Physical", "Snapshot"]),
    (Engine::SQLServer, "cloud_essd", &["Physical", "Snapshot"]),
    (Engine::MariaDB, "cloud_essd", &["Physical"]),
];

/// Every edition that the service names.
const EDITIONS: [&str; 8] =
    ["HighAvailability", "Basic", "cluster", "AlwaysOn", "Finance", "serverless_basic", "serverless_standard", "serverless_ha"];

/// Whether logs are kept, for how long, and for how long sets are.
const POLICIES: [(bool, u32, u32); 7] =
    [(false, 7, 7), (false, 7, 30), (true, 7, 7), (true, 7, 30), (true, 14, 30), (true, 30, 30), (true, 729, 730)];

pub(super) struct World {
    pub endpoint: simulated::Endpoint,
    clock: Arc<ManualClock>,
    pub client: Client,
}

pub(super) fn credentials() -> Credentials {
    Credentials { access_key_id: KEY.into(), access_key_secret: SECRET.into(), security_token: None, expires_at: None }
}

impl World {
    pub async fn new() -> Self {
        let clock = Arc::new(ManualClock::new("2026-03-04T00:30:00Z".parse().expect("a time")));
        let settings = Settings {
            job_time: Duration::from_secs(60),
            job_spread: Duration::ZERO,
            lag: Duration::ZERO,
            latency: Duration::ZERO,
            ..Settings::default()
        };
        let keys = vec![Key::new(KEY, SECRET)];
        let options = Options { keys, catalogue: Catalogue::empty(), settings, clock: clock.clone(), ..Options::default() };
        let endpoint = simulated::Endpoint::start(options).await.expect("a port");
        let (entropy, same_clock) = (Entropy::system(), clock.clone());
        let at = Endpoint::parse(&endpoint.url()).expect("loopback");
        let rpc = rpc::ClientOptions {
            signature: SignatureVersion::V3,
            ..rpc::ClientOptions::new(at, Clock::new(move || same_clock.now()), Arc::new(move || entropy.nonce()))
        };
        let limits = Limits { create_per_second: 100_000, describe_per_second: 100_000 };
        let client = Client::new(ClientOptions { rpc, limits, region_id: Some("cn-hangzhou".into()) }).expect("a client");
        Self { endpoint, clock, client }
    }

    pub async fn backup(&self, instance: &InstanceId, method: &str) -> BackupSet {
        let request = CreateBackup {
            instance: instance.clone(),
            method: Some(method.to_owned()),
            strategy: None,
            databases: Vec::new(),
            backup_type: None,
            retention_days: None,
            resource_group_id: None,
        };
        let stamp = Stamp { nonce: Entropy::system().nonce(), timestamp: self.client.now() };
        let outcome = self.client.create_backup(&credentials(), &request, &stamp).await;
        assert!(matches!(outcome, CreateOutcome::Accepted { .. }), "{instance} {method}: {outcome:?}");
        self.clock.advance(Duration::from_secs(120));
        let listed = self.client.describe_backups(&credentials(), &SetQuery::of(instance.clone())).await.expect("a list").value.sets;
        listed.into_iter().next().expect("a set")
    }

    /// What the rules say now, from what the endpoint tells.
    async fn judge(&self, instance: &InstanceId, set: &BackupSet) -> Deletable {
        let attributes = self.client.describe_instance(&credentials(), instance).await.expect("an instance").value;
        let policy = self.client.describe_backup_policy(&credentials(), instance).await.expect("a policy").value;
        let set = SetToDelete { method: set.method.as_deref(), ended_at: set.ended_at };
        deletable(set, &attributes, Some(&policy), self.client.now())
    }

    async fn delete(&self, instance: &InstanceId, set: &BackupSet) -> Result<SetDeletion, String> {
        let code = |error| if let CallError::Api(error) = error { error.code } else { format!("{error:?}") };
        self.client.delete_backup(&credentials(), instance, &set.backup_id).await.map_err(code)
    }
}

/// The page says "older than" so many days, and the operator waits an hour longer: ages are those of both sides of it.
#[tokio::test]
async fn the_rules_say_of_every_engine_edition_policy_and_age_what_the_service_does() {
    let (mut table, mut rows, mut differences) = (String::new(), 0, Vec::new());
    let _ =
        writeln!(table, "{:<11} {:<20} {:<9} {:<19} {:>9}  {:<36} the service", "engine", "edition", "method", "policy", "age", "verdict");
    for (engine, disk, methods) in ENGINES {
        for edition in EDITIONS {
            for (log_backup, log_retention_days, retention_days) in POLICIES {
                for method in methods {
                    let days = if log_backup { u64::from(log_retention_days) } else { 7 };
                    let world = World::new().await;
                    let instance = InstanceId::new("rm-1");
                    let policy = BackupPolicy { retention_days, log_backup, log_retention_days, ..BackupPolicy::default() };
                    world
                        .endpoint
                        .define("rm-1", InstanceSpec { category: edition.into(), policy, ..InstanceSpec::new(engine, "1", disk) });
                    let set = world.backup(&instance, method).await;
                    let mut age = 120;
                    for until in [HOUR, days * DAY - HOUR, days * DAY + 2 * HOUR, 800 * DAY] {
                        world.clock.advance(Duration::from_secs(until.saturating_sub(age)));
                        age = until.max(age);
                        let verdict = world.judge(&instance, &set).await;
                        let answer = world.delete(&instance, &set).await;
                        rows += 1;
                        let log = if log_backup { format!("log {log_retention_days} d of {retention_days}") } else { "no log".to_owned() };
                        let short = match verdict {
                            Deletable::NotBefore(from) => format!("NotBefore({from})"),
                            other => format!("{other:?}"),
                        };
                        let told = answer.as_ref().map_or_else(String::clone, |deleted| format!("{deleted:?}"));
                        let row = format!(
                            "{:<11} {edition:<20} {method:<9} {log:<19} {:>6} h  {short:<36} {told}",
                            format!("{engine:?}"),
                            age / HOUR
                        );
                        let _ = writeln!(table, "{row}");
                        if (verdict == Deletable::Yes) != answer.is_ok() || matches!(verdict, Deletable::Unsure(_)) {
                            differences.push(row);
                        }
                        if answer == Ok(SetDeletion::Deleted) {
                            assert_eq!(world.delete(&instance, &set).await, Ok(SetDeletion::WasGone));
                            break;
                        }
                    }
                }
            }
        }
    }
    println!("{table}deletable: {rows} rows, {} differences", differences.len());
    assert_eq!(differences, [""; 0], "{}", differences.join("\n"));
}

#[tokio::test]
async fn only_one_set_is_named_in_a_call_and_only_the_services_own_word_counts() {
    let world = World::new().await;
    let instance = InstanceId::new("rm-1");
    let policy = BackupPolicy { log_backup: false, ..BackupPolicy::default() };
    world.endpoint.define("rm-1", InstanceSpec { policy, ..InstanceSpec::default() });
    let set = world.backup(&instance, "Physical").await;
    world.clock.advance(Duration::from_secs(8 * DAY));
    for id in ["", "1,2", &format!("{},9", set.backup_id), "1 2", "*"] {
        let refused = world.client.delete_backup(&credentials(), &instance, &id.into()).await;
        assert!(matches!(refused, Err(CallError::NotSent { .. })), "{id:?}: {refused:?}");
    }
    assert_eq!(world.endpoint.deletions().len(), 0);
    let effect = simulated::Effect::Garbage { body: simulated::Garbage::Html, executed: false };
    world.endpoint.add_fault(simulated::Fault { action: Some("DeleteBackup".into()), instance: None, times: Some(1), effect });
    let unproven = world.client.delete_backup(&credentials(), &instance, &set.backup_id).await;
    assert!(matches!(unproven, Err(CallError::Lost { .. })), "{unproven:?}");
    assert_eq!(world.delete(&instance, &set).await, Ok(SetDeletion::Deleted));
    assert_eq!(world.endpoint.deletions().len(), 1);
}
