//! For each kind: one watch, one cache and one controller for each watched namespace, or one for the whole cluster.

use std::{collections::HashMap, convert::Infallible, sync::Arc, time::Duration};

use futures::{
    FutureExt, StreamExt, TryStreamExt,
    channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded},
    future::{BoxFuture, join_all, ready},
    stream::BoxStream,
};
use kube::{
    Api, Client,
    runtime::{
        Controller, WatchStreamExt,
        controller::{Action, Config},
        reflector::{self, ObjectRef},
        utils::{Backoff, ResetTimerBackoff},
        watcher::{self, watcher},
    },
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{readiness::Readiness, unreadable::Unreadables};
use crate::{
    accounts::MOST_CALLERS,
    api::{RdsBackup, RdsBackupSchedule},
    backup,
    controller::{Closed, Cluster, Guarded, InitialSync, Kind, Scope, without_secrets},
    schedule,
};

/// The number of schedules that are reconciled at the same time, over all namespaces. A pass spends nearly all of its time waiting for the
/// API server.
const SCHEDULES: usize = 16;

/// A running controller takes no other limit. So there is room for the callers of so many accounts that come later: where more come, and the
/// service hangs for all of them at once, the objects of other accounts may wait too.
const MORE_ACCOUNTS: usize = 4;

/// The objects in one page of the first list. A page is parsed as a whole, and the allocator never returns that memory to the system.
const LIST_PAGE: u32 = 50;

/// How long a failed watch waits before it is begun again: 0.5 s, 1 s ... 10 s. The library's own backoff goes up to 30 s, which is long
/// for a user who has just installed the CRD and waits.
#[derive(Default)]
struct WatchBackoff(u32);

impl Iterator for WatchBackoff {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let pause = Duration::from_millis(500 << self.0.min(5)).min(Duration::from_secs(10));
        self.0 += 1;
        Some(pause)
    }
}

impl Backoff for WatchBackoff {
    fn reset(&mut self) {
        self.0 = 0;
    }
}

/// Requests to reconcile an object now.
pub(super) type Wake<K> = UnboundedReceiver<ObjectRef<Guarded<K>>>;

/// What the controllers of both kinds have in common.
pub(super) struct Runtime<'a> {
    pub client: Client,
    pub cluster: Cluster,
    pub scope: &'a Scope,
    pub readiness: Arc<Readiness>,
    /// Called when a namespace can be read again.
    pub namespace_opened: Arc<dyn Fn() + Send + Sync>,
    pub stop: CancellationToken,
}

/// Runs until `stop` is cancelled, and then until the passes under way have ended.
pub(super) async fn run(
    runtime: Runtime<'_>,
    backups: Arc<backup::Context>,
    schedules: Arc<schedule::Context>,
    woken_backups: Wake<RdsBackup>,
    woken_schedules: Wake<RdsBackupSchedule>,
) {
    let (children, siblings) = (schedules.clone(), backups.clone());
    let of_backups = runtime.watch::<RdsBackup>(move |event, namespace, cache| {
        children.children.saw(event);
        siblings.unfinished.saw(event, namespace, cache);
    });
    let of_schedules = runtime.watch::<RdsBackupSchedule>(|_, _, _| {});
    // The caches are set once, before the first pass: the controllers are not polled yet.
    let _ = backups.caches.set(of_backups.caches.clone());
    let _ = backups.listed.set(of_backups.listed.clone());
    schedules.children.set_caches(of_backups.caches.clone(), of_backups.listed.clone());
    let _ = schedules.caches.set(of_schedules.caches.clone());
    let _ = schedules.listed.set(of_schedules.listed.clone());
    let (wake_backups, wake_schedules) = (of_backups.wake, of_schedules.wake);
    // Those that work, and those of every account that wait for the service. The controller looks through all that are under way whenever
    // one of them goes on, so there is a limit at all.
    let most_accounts = backups.accounts.count().saturating_add(MORE_ACCOUNTS);
    let most_backups = backup::PASSES.saturating_add(MOST_CALLERS.saturating_mul(most_accounts));
    let most_schedules = (SCHEDULES / of_schedules.watches.len().max(1)).max(2);
    let unreadable_backups = Arc::new(Unreadables::default());
    let unreadable_schedules = unreadable_backups.clone();
    let controllers = runtime
        .controllers(of_backups.watches, most_backups, move |object: Arc<backup::Guarded>| {
            let (context, unreadables) = (backups.clone(), unreadable_backups.clone());
            async move {
                match &object.0 {
                    Ok(backup) => backup::reconcile(backup.clone(), context).await,
                    Err(invalid) => unreadables.leave::<RdsBackup>(invalid),
                }
            }
        })
        .into_iter()
        .chain(runtime.controllers(of_schedules.watches, most_schedules, move |object: Arc<schedule::Guarded>| {
            let (context, unreadables) = (schedules.clone(), unreadable_schedules.clone());
            async move {
                match &object.0 {
                    Ok(schedule) => schedule::reconcile(schedule.clone(), context).await,
                    Err(invalid) => unreadables.leave::<RdsBackupSchedule>(invalid),
                }
            }
        }));
    tokio::select! {
        _ = join_all(controllers) => {}
        () = async { tokio::join!(deliver(woken_backups, wake_backups), deliver(woken_schedules, wake_schedules)); } => {}
    }
}

/// The watches of one kind, one for each namespace of the scope.
struct Watches<K: Kind> {
    watches: Vec<Watch<K>>,
    caches: Vec<reflector::Store<Guarded<K>>>,
    listed: InitialSync,
    wake: WakeSenders<K>,
}

/// Where a request to reconcile an object goes, by the object's namespace.
type WakeSenders<K> = HashMap<Option<String>, UnboundedSender<ObjectRef<Guarded<K>>>>;

/// One watch, its cache, and the requests to reconcile one of its objects.
struct Watch<K: Kind> {
    events: BoxStream<'static, Result<Guarded<K>, watcher::Error>>,
    cache: reflector::Store<Guarded<K>>,
    wake: Wake<K>,
}

impl Runtime<'_> {
    /// Sets up the watches of a kind. `saw` is called with every event, after the cache has taken it in, with the watch's namespace and
    /// cache.
    fn watch<K: Kind>(
        &self,
        saw: impl Fn(&watcher::Event<Guarded<K>>, Option<&str>, &reflector::Store<Guarded<K>>) + Clone + Send + 'static,
    ) -> Watches<K> {
        let namespaces = self.namespaces();
        let listed = InitialSync::none_of(namespaces.clone());
        let plural = K::plural(&()).into_owned();
        self.readiness.awaits(namespaces.iter().map(|namespace| (plural.clone(), namespace.clone())));
        let mut watches = Watches { watches: Vec::new(), caches: Vec::new(), listed: listed.clone(), wake: HashMap::new() };
        for namespace in namespaces {
            let api: Api<Guarded<K>> = match &namespace {
                None => Api::all(self.client.clone()),
                Some(name) => Api::namespaced(self.client.clone(), name),
            };
            let (cache, writer) = reflector::store();
            let (sender, wake) = unbounded();
            watches.caches.push(cache.clone());
            watches.wake.insert(namespace.clone(), sender.clone());
            let (troubles, cluster) = (self.readiness.clone(), self.cluster.clone());
            let (readiness, saw, listed) = (self.readiness.clone(), saw.clone(), listed.clone());
            let (relisted, wake_all) = (cache.clone(), sender);
            let (watch, opened) = ((plural.clone(), namespace.clone()), self.cluster.clone());
            let namespace_opened = self.namespace_opened.clone();
            let events = watcher(api, watcher::Config::default().page_size(LIST_PAGE))
                .backoff(ResetTimerBackoff::new(WatchBackoff::default(), Duration::from_secs(60)))
                .modify(Guarded::<K>::project)
                .reflect(writer)
                .inspect_ok(move |event| {
                    saw(event, watch.1.as_deref(), &relisted);
                    if matches!(event, watcher::Event::InitDone) {
                        for object in relisted.state() {
                            // A controller that has ended needs no waking.
                            let _ = wake_all.unbounded_send(ObjectRef::from_obj(object.as_ref()));
                        }
                        listed.listed(&watch.1);
                        readiness.listed(&watch);
                        if watch.1.as_ref().is_some_and(|namespace| opened.open(namespace)) {
                            namespace_opened();
                        }
                    }
                })
                // Found by tests/faults: an object that was created while the watch was broken, and that is on an early page of the list
                // that follows, was never reconciled. The cache shows a list only when it is complete, and the controller silently drops
                // objects that the cache does not have. So the objects of a list are handed over at its end (InitDone above), not one by
                // one.
                .try_filter_map(|event| {
                    ready(Ok(match event {
                        watcher::Event::Apply(object) => Some(object),
                        watcher::Event::Delete(_) | watcher::Event::Init | watcher::Event::InitApply(_) | watcher::Event::InitDone => None,
                    }))
                })
                .then(move |event| {
                    let (troubles, cluster, namespace) = (troubles.clone(), cluster.clone(), namespace.clone());
                    async move {
                        if let Err(error) = &event {
                            report::<K>(error, &troubles, &cluster, namespace.as_deref()).await;
                        }
                        event
                    }
                });
            watches.watches.push(Watch { events: events.boxed(), cache, wake });
        }
        watches
    }

    /// A controller for each watch, which hands every object to `pass`, `most` at a time.
    fn controllers<K, F>(
        &self,
        watches: Vec<Watch<K>>,
        most: usize,
        pass: impl Fn(Arc<Guarded<K>>) -> F + Clone + Send + Sync + 'static,
    ) -> Vec<BoxFuture<'static, ()>>
    where
        K: Kind,
        F: Future<Output = Action> + Send + 'static,
    {
        let concurrency = u16::try_from(most).unwrap_or(u16::MAX);
        let run = |Watch { events, cache, wake }| {
            let (stopping, pass) = (self.stop.clone(), pass.clone());
            Controller::for_stream(events, cache)
                .with_config(Config::default().concurrency(concurrency))
                .reconcile_on(wake)
                .graceful_shutdown_on(async move { stopping.cancelled().await })
                .run(
                    move |object, _| {
                        let pass = pass(object);
                        async move { Ok::<_, Infallible>(pass.await) }
                    },
                    |_, never: &Infallible, _| match *never {},
                    Arc::new(()),
                )
                .for_each(|_| async {})
                .boxed()
        };
        watches.into_iter().map(run).collect()
    }

    fn namespaces(&self) -> Vec<Option<String>> {
        match self.scope {
            Scope::Cluster => vec![None],
            Scope::Namespaces(names) => names.iter().cloned().map(Some).collect(),
        }
    }
}

/// Hands each request to reconcile an object to the controller of its namespace. Never ends, so that a controller's stream never ends.
async fn deliver<K: Kind>(mut woken: Wake<K>, senders: WakeSenders<K>) {
    while let Some(reference) = woken.next().await {
        if let Some(sender) = senders.get(&reference.namespace).or_else(|| senders.get(&None)) {
            // A controller that has ended needs no waking.
            let _ = sender.unbounded_send(reference);
        }
    }
    std::future::pending().await
}

/// Logs what to do about a watch that fails; the same trouble is logged once. Of a namespace that is refused it is found out whether the
/// namespace still exists.
async fn report<K: Kind>(error: &watcher::Error, readiness: &Readiness, cluster: &Cluster, namespace: Option<&str>) {
    let answer = answer(error);
    let refused = namespace.filter(|_| answer == Some(403));
    let closed = match refused {
        // Where that cannot be told now, the next failure of the watch asks again.
        Some(namespace) => cluster.close(namespace).await.ok(),
        None => None,
    };
    let cure = match (closed, namespace) {
        (Some(Closed::Gone), Some(namespace)) => {
            format!(
                "namespace {namespace} does not exist: take it out of the operator's namespaces, or create it and grant the operator its rights there"
            )
        }
        _ => cure::<K>(answer, namespace),
    };
    if readiness.troubled(refused, cure.clone()) {
        warn!(error = %without_secrets(error), "{cure}");
    }
}

/// The HTTP status of a watch that failed; none without an answer.
fn answer(error: &watcher::Error) -> Option<u16> {
    match error {
        watcher::Error::InitialListFailed(source) | watcher::Error::WatchStartFailed(source) | watcher::Error::WatchFailed(source) => {
            match source {
                kube::Error::Api(status) => Some(status.code),
                _ => None,
            }
        }
        watcher::Error::WatchError(status) => Some(status.code),
        watcher::Error::NoResourceVersion => None,
    }
}

fn cure<K: Kind>(answer: Option<u16>, namespace: Option<&str>) -> String {
    let everywhere = namespace.map_or_else(|| "in all namespaces".to_owned(), |name| format!("in namespace {name}"));
    let plural = K::plural(&());
    match answer {
        Some(404) => format!(
            "the CRD {plural}.{} is not installed: apply crds/, or the output of `rds-backup-operator crds`. The operator waits for the CRD",
            K::group(&())
        ),
        Some(403) => format!(
            "the operator's ServiceAccount may not list and watch {plural} {everywhere}: the chart and deploy/install grant it; or name the namespaces it may watch with --watch-namespace"
        ),
        Some(401) => {
            "the API server does not accept the operator's credentials: check the token of its ServiceAccount, or KUBECONFIG".to_owned()
        }
        Some(410) => "the watch starts again with a new list: its resourceVersion is too old for the API server".to_owned(),
        Some(code) => format!("the API server answers {code} to the watch of {plural}; the operator tries again"),
        None => "the API server cannot be reached; the operator tries again. Check its address and the network".to_owned(),
    }
}
