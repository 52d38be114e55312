//! One watch, one cache and one controller for each watched namespace, or one for the whole cluster.

use std::{collections::HashMap, convert::Infallible, sync::Arc, time::Duration};

use futures::{
    StreamExt,
    channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded},
    future::join_all,
};
use kube::{
    Api, Client, Resource,
    runtime::{
        Controller, WatchStreamExt,
        controller::{Action, Config},
        reflector::{self, ObjectRef},
        utils::{Backoff, ResetTimerBackoff},
        watcher::{self, watcher},
    },
};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::readiness::Readiness;
use crate::{
    api::RdsBackup,
    backup::{Context, Guarded, reconcile},
    cluster::{Scope, prune},
};

/// Objects that are worked on at the same time, over all namespaces. A pass waits for the network nearly all of its time.
const CONCURRENCY: u16 = 16;

/// Objects of one page of the first list. A page is parsed as a whole, and what that took is never given back to the system.
const LIST_PAGE: u32 = 50;

/// How long a failed watch waits before it is begun again: 0.5 s, 1 s ... 10 s. The library's own goes to 30 s, which is long for somebody who
/// has just installed the CRD and waits.
#[derive(Default)]
struct Patience(u32);

impl Iterator for Patience {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let pause = Duration::from_millis(500 << self.0.min(5)).min(Duration::from_secs(10));
        self.0 += 1;
        Some(pause)
    }
}

impl Backoff for Patience {
    fn reset(&mut self) {
        self.0 = 0;
    }
}

/// Runs until `stop`, and then until the passes under way have ended.
pub(super) async fn run(
    client: Client,
    scope: &Scope,
    context: Arc<Context>,
    readiness: Arc<Readiness>,
    woken: UnboundedReceiver<ObjectRef<Guarded>>,
    stop: CancellationToken,
) {
    let namespaces: Vec<Option<String>> = match scope {
        Scope::Cluster => vec![None],
        Scope::Namespaces(names) => names.iter().cloned().map(Some).collect(),
    };
    let share = (usize::from(CONCURRENCY) / namespaces.len()).max(2);
    let concurrency = u16::try_from(share).unwrap_or(CONCURRENCY);
    let mut caches = Vec::new();
    let mut alarms = HashMap::new();
    let mut controllers = Vec::new();
    for namespace in namespaces {
        let api: Api<Guarded> = match &namespace {
            None => Api::all(client.clone()),
            Some(name) => Api::namespaced(client.clone(), name),
        };
        let (cache, writer) = reflector::store();
        let (alarm, alarms_of_namespace) = unbounded();
        caches.push(cache.clone());
        alarms.insert(namespace.clone(), alarm);
        let troubles = readiness.clone();
        let watch = watcher(api, watcher::Config::default().page_size(LIST_PAGE))
            .backoff(ResetTimerBackoff::new(Patience::default(), Duration::from_secs(60)))
            .modify(|object: &mut Guarded| prune(object))
            .reflect(writer)
            .applied_objects()
            .inspect(move |event| {
                if let Err(error) = event {
                    report(error, &troubles, namespace.as_deref());
                }
            });
        let stopping = stop.clone();
        let controller = Controller::for_stream(watch, cache)
            .with_config(Config::default().concurrency(concurrency))
            .reconcile_on(alarms_of_namespace)
            .graceful_shutdown_on(async move { stopping.cancelled().await })
            .run(one, |_, never: &Infallible, _| match *never {}, context.clone())
            .for_each(|_| async {});
        controllers.push(controller);
    }
    // Set once, before the first pass: nothing polls the controllers yet.
    let _ = context.caches.set(caches.clone());
    let ready = async {
        for cache in &caches {
            if cache.wait_until_ready().await.is_err() {
                return;
            }
        }
        readiness.listed();
    };
    tokio::select! {
        _ = join_all(controllers) => {}
        () = async { tokio::join!(ready, deliver(woken, alarms)); } => {}
    }
}

/// One pass over one object. One that does not deserialise is said aloud, and left as it is: nobody else waits for it.
async fn one(object: Arc<Guarded>, context: Arc<Context>) -> Result<Action, Infallible> {
    match &object.0 {
        Ok(backup) => Ok(reconcile(Arc::new(backup.clone()), context).await),
        Err(invalid) => {
            error!(
                namespace = invalid.metadata.namespace.as_deref().unwrap_or_default(),
                name = invalid.metadata.name.as_deref().unwrap_or_default(),
                uid = invalid.metadata.uid.as_deref().unwrap_or_default(),
                error = %invalid.error,
                "this RdsBackup cannot be read and is not worked on: a CRD of another version may be installed, or its status was edited. Correct it, or delete it"
            );
            Ok(Action::await_change())
        }
    }
}

/// Hands each waking call to the controller of its namespace; never ends, so that a controller's stream of calls never does.
async fn deliver(mut woken: UnboundedReceiver<ObjectRef<Guarded>>, alarms: HashMap<Option<String>, UnboundedSender<ObjectRef<Guarded>>>) {
    while let Some(reference) = woken.next().await {
        if let Some(alarm) = alarms.get(&reference.namespace).or_else(|| alarms.get(&None)) {
            // A controller that has ended needs no waking.
            let _ = alarm.unbounded_send(reference);
        }
    }
    std::future::pending().await
}

/// Says what to do about a watch that fails; the same trouble is said once.
fn report(error: &watcher::Error, readiness: &Readiness, namespace: Option<&str>) {
    let cure = cure(error, namespace);
    if readiness.troubled(cure.clone()) {
        warn!(%error, "{cure}");
    }
}

fn cure(error: &watcher::Error, namespace: Option<&str>) -> String {
    let answer = match error {
        watcher::Error::InitialListFailed(source) | watcher::Error::WatchStartFailed(source) | watcher::Error::WatchFailed(source) => {
            match source {
                kube::Error::Api(status) => Some(status.code),
                _ => None,
            }
        }
        watcher::Error::WatchError(status) => Some(status.code),
        watcher::Error::NoResourceVersion => None,
    };
    let everywhere = namespace.map_or_else(|| "in all namespaces".to_owned(), |name| format!("in namespace {name}"));
    let plural = RdsBackup::plural(&());
    match answer {
        Some(404) => format!(
            "the CRD {plural}.{} is not installed: apply crds/, or the output of `rds-backup-operator crds`. The operator waits for it",
            RdsBackup::group(&())
        ),
        Some(403) => format!(
            "the operator's ServiceAccount may not list and watch {plural} {everywhere}: apply deploy/operator/, or name what it may watch with --watch-namespace"
        ),
        Some(401) => {
            "the API server does not accept the operator's credentials: look at its ServiceAccount's token, or at KUBECONFIG".to_owned()
        }
        Some(410) => "the watch is begun again: what it knew is too old for the API server".to_owned(),
        Some(code) => format!("the API server answers {code} to the watch of {plural}; it is tried again"),
        None => "the API server cannot be reached; it is tried again. Look at its address and at the network".to_owned(),
    }
}
