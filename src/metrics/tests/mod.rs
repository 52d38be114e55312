//! What a scrape says of a world in memory: caches that were filled by hand, and an API server that answers nothing.

mod accounts;
mod backups;
mod catalogue;
mod cost;
mod coverage;
mod schedules;

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use futures::{channel::mpsc, future::BoxFuture};
use kube::runtime::{reflector, watcher};
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;

use super::{ConfigState, Format, Metrics, MetricsSettings, Sources};
use crate::{
    accounts::{AccountSettings, Accounts, ClientDeps, CredentialsSettings, Source, Sources as KeySources},
    backup,
    clock::Clock,
    config::Config,
    controller::{Cluster, CreationBurst, Fence, Guarded, InitialSync, Kind, KubeRequests, ObjectTracker, Scope, ServerClock},
    coverage::Listings,
    entropy::Entropy,
    rpc::{Credentials, Failure, HttpRequest, HttpResponse, HttpTransport},
    schedule,
};

const CONFIG: &str = "\
accounts:
  prod:
    regionId: cn-hangzhou
    endpoint: http://127.0.0.1:1
    credentials: { type: Auto }
    coverage: { every: 1h, tags: { backup: daily } }
    allow: [{ namespaces: [\"*\"], instances: [\"*\"], regions: [\"*\"] }]
  spare:
    regionId: cn-beijing
    credentials: { type: Auto }
    submissions: Paused
    allow: []
  hub:
    regionId: cn-beijing
    credentials: { type: CredentialsURI, uri: \"http://127.0.0.1:1/key\" }
    allow: []
";

struct World {
    backups: Arc<backup::Context>,
    schedules: Arc<schedule::Context>,
    kube_requests: KubeRequests,
    listings: Arc<Listings>,
}

/// Answers every request to the cloud so.
struct Always(fn() -> Result<HttpResponse, Failure>);

impl HttpTransport for Always {
    fn send(&self, _: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, Failure>> {
        Box::pin(std::future::ready((self.0)()))
    }
}

fn no_answer() -> Result<HttpResponse, Failure> {
    Err(Failure::NotSent { why: "refused".to_owned(), cause: crate::no_answer::NoAnswer::Refused })
}

impl World {
    fn of(backups: Vec<Value>, schedules: Vec<Value>) -> Self {
        Self::with(backups, schedules, Fence::none(), no_answer)
    }

    fn with(backups: Vec<Value>, schedules: Vec<Value>, fence: Fence, cloud: fn() -> Result<HttpResponse, Failure>) -> Self {
        let kube_requests = KubeRequests::default();
        let nothing = tower::service_fn(|_: http::Request<kube::client::Body>| async {
            Ok::<_, std::convert::Infallible>(http::Response::new(kube::client::Body::empty()))
        });
        let client = kube_requests.counting(kube::Client::new(nothing, "ops"));
        let cluster = Cluster::new(client.clone(), Scope::Cluster, "test".to_owned(), fence);
        let now = "2026-03-01T12:00:00Z".parse().unwrap();
        let (clock, entropy) = (Clock::new(move || now), Entropy::system());
        let deps = ClientDeps { clock: clock.clone(), entropy: entropy.clone(), transport: Some(Arc::new(Always(cloud))) };
        let Config { submissions, accounts, .. } = Config::parse(CONFIG).unwrap();
        let key = Credentials {
            access_key_id: "id".into(),
            access_key_secret: "secret-of-the-test".to_owned().into(),
            security_token: None,
            expires_at: Some("2026-03-01T13:00:00Z".parse().unwrap()),
        };
        let exchanged = KeySources::new(client, "ops", |_| None, deps.clone());
        let source = move |account: &AccountSettings, tenant: Option<&str>| match &account.credentials {
            CredentialsSettings::CredentialsUri { .. } => exchanged.of(account, tenant),
            _ => Source::Fixed(Ok(key.clone())),
        };
        let accounts = Accounts::new(accounts, submissions, source, deps);
        let counts = backup::Counts::of_accounts(accounts.names());
        let (wake, _) = mpsc::unbounded();
        let (wake_schedule, _) = mpsc::unbounded();
        let (backup_cache, schedule_cache) = (filled(backups), filled(schedules));
        let children = schedule::Children::new(wake_schedule);
        children.set_caches(vec![backup_cache.clone()], listed());
        let tasks = TaskTracker::new();
        let schedules = schedule::Context {
            cluster: cluster.clone(),
            children,
            caches: OnceLock::from(vec![schedule_cache]),
            listed: OnceLock::from(listed()),
            tracker: ObjectTracker::default(),
            burst: CreationBurst::default(),
            objectives: schedule::Objectives::default(),
            counts: schedule::Counts::default(),
            audits: crate::audit::Audits::default(),
            native_windows: schedule::NativeWindows::default(),
            tasks: tasks.clone(),
            clock: clock.clone(),
            server_clock: ServerClock::default(),
        };
        let backups = backup::Context {
            cluster,
            accounts,
            audits: crate::audit::Audits::default(),
            tracker: ObjectTracker::default(),
            locks: backup::InstanceLocks::default(),
            ended: backup::Noted::default(),
            too_large: backup::Noted::default(),
            unfinished: backup::Unfinished::default(),
            caches: OnceLock::from(vec![backup_cache]),
            listed: OnceLock::from(listed()),
            wake,
            tasks,
            clock,
            server_clock: ServerClock::default(),
            burst: CreationBurst::default(),
            entropy,
            counts,
            passes: Arc::new(tokio::sync::Semaphore::new(1)),
        };
        let listings = Arc::default();
        Self { backups: Arc::new(backups), schedules: Arc::new(schedules), kube_requests, listings }
    }

    fn scrape_with(&self, settings: MetricsSettings, format: Format) -> String {
        let (backups, schedules, kube_requests) = (self.backups.clone(), self.schedules.clone(), self.kube_requests.clone());
        let config = Arc::new(ConfigState::new(settings, "2026-03-01T11:00:00Z".parse().unwrap()));
        let listings = self.listings.clone();
        Metrics::new(Sources { backups, schedules, listings, kube_requests, config }).scrape(format).unwrap()
    }

    fn scrape(&self) -> String {
        self.scrape_with(MetricsSettings::default(), Format::OpenMetrics)
    }

    /// The series of this name or name and first labels, each with its value.
    fn series(&self, beginning: &str) -> BTreeMap<String, String> {
        series(&self.scrape(), beginning)
    }
}

fn series(text: &str, beginning: &str) -> BTreeMap<String, String> {
    let of = |line: &&str| line.strip_prefix(beginning).is_some_and(|rest| beginning.contains('{') || rest.starts_with(['{', ' ']));
    let parts = |line: &str| line.rsplit_once(' ').map(|(series, value)| (series.to_owned(), value.to_owned()));
    text.lines().filter(of).filter_map(parts).collect()
}

fn filled<K: Kind>(objects: Vec<Value>) -> reflector::Store<Guarded<K>> {
    let (store, mut writer) = reflector::store();
    writer.apply_watcher_event(&watcher::Event::Init);
    for object in objects {
        let mut object: Guarded<K> = serde_json::from_value(object).unwrap();
        object.project();
        writer.apply_watcher_event(&watcher::Event::InitApply(object));
    }
    writer.apply_watcher_event(&watcher::Event::InitDone);
    store
}

fn listed() -> InitialSync {
    let listed = InitialSync::none_of([None]);
    listed.listed(&None);
    listed
}

/// An RdsBackup of team-a, created at noon.
fn backup(name: &str, account: &str, status: Value) -> Value {
    json!({
        "metadata": { "namespace": "team-a", "name": name, "uid": name, "creationTimestamp": "2026-03-01T12:00:00Z", "generation": 1 },
        "spec": { "dbInstanceId": "rm-1", "account": account },
        "status": status,
    })
}

fn condition(kind: &str, status: &str, reason: &str) -> Value {
    json!({ "type": kind, "status": status, "reason": reason, "message": "m", "lastTransitionTime": "2026-03-01T12:00:00Z" })
}

fn submission(cleared: bool) -> Value {
    let time = "2026-03-01T12:00:00Z";
    json!({
        "run": 1, "attempt": 1, "nonce": "n", "timestamp": time, "cleared": cleared, "baseline": { "at": time },
        "unresolvedSince": time, "waitingSince": time,
    })
}
