//! The endpoint as a value: started, changed, queried, stopped.

use std::fs::OpenOptions;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpListener;

use super::auth::Key;
use super::catalogue::{Catalogue, InstanceSpec};
use super::clock::{Clock, Now, SystemClock};
use super::error::ApiError;
use super::faults::{Fault, FaultId};
use super::ledger::{CallRecord, CloneRecord, DeletionRecord, JobKind, LedgerEntry, SetRecord};
use super::settings::Settings;
use super::shared::{OnCall, Shared};
use super::state::State;
use crate::http;
use crate::tasks::Tasks;

/// The options of an endpoint.
pub struct Options {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The access keys it knows.
    pub keys: Vec<Key>,
    /// The instances there are.
    pub catalogue: Catalogue,
    /// How it behaves at first.
    pub settings: Settings,
    /// Decides ids and job times.
    pub seed: u64,
    /// Every call is appended here, as one line of JSON.
    pub call_log_file: Option<PathBuf>,
    /// Its time.
    pub clock: Arc<dyn Clock>,
    /// Receives every call, once it is known whether its answer was delivered.
    pub on_call: Option<OnCall>,
}

impl Default for Options {
    /// On a free port of the loopback interface, with one key `sandbox-key` whose secret is `sandbox-secret`, the default catalogue and
    /// [`Settings::sandbox`].
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            keys: vec![Key::new("sandbox-key", "sandbox-secret")],
            catalogue: Catalogue::default(),
            settings: Settings::sandbox(),
            seed: 1,
            call_log_file: None,
            clock: Arc::new(SystemClock),
            on_call: None,
        }
    }
}

/// A running endpoint. It stops when it is dropped.
pub struct Endpoint {
    addr: SocketAddr,
    shared: Arc<Shared>,
}

impl Endpoint {
    /// Starts one.
    pub async fn start(options: Options) -> io::Result<Self> {
        let Options { listen, keys, catalogue, settings, seed, call_log_file, clock, on_call } = options;
        let log = match call_log_file {
            Some(path) => Some(OpenOptions::new().create(true).append(true).open(path)?),
            None => None,
        };
        let listener = TcpListener::bind(listen).await?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared {
            state: Mutex::new(State::new(keys, catalogue, settings, seed)),
            clock,
            log: log.map(Mutex::new),
            on_call,
            tasks: Tasks::default(),
        });
        shared.tasks.spawn(http::accept(listener, Arc::clone(&shared)));
        Ok(Self { addr, shared })
    }

    /// Its address as a client takes it: `http://127.0.0.1:12345`.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What time it is, on both clocks.
    pub fn now(&self) -> Now {
        self.shared.now(&self.shared.state())
    }

    /// How it behaves now.
    pub fn settings(&self) -> Settings {
        self.shared.state().settings.clone()
    }

    /// Changes how it behaves.
    pub fn update(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.shared.state().settings);
    }

    /// Sets up a fault.
    pub fn add_fault(&self, fault: Fault) -> FaultId {
        self.shared.state().faults.add(fault)
    }

    /// Ends all faults.
    pub fn clear_faults(&self) {
        self.shared.state().faults.clear();
    }

    /// How often the fault was applied.
    pub fn fault_hits(&self, id: FaultId) -> u64 {
        self.shared.state().faults.hits(id)
    }

    /// The access keys it knows from now on.
    pub fn set_keys(&self, keys: Vec<Key>) {
        self.shared.state().gateway.set_keys(keys);
    }

    /// Takes keys that are given out while it runs, as those of STS are.
    pub fn key_sink(&self) -> impl Fn(Key) + Send + Sync + use<> {
        let shared = Arc::clone(&self.shared);
        move |key| {
            let mut state = shared.state();
            let now = shared.now(&state).service;
            state.gateway.add_key(key, now);
        }
    }

    /// Adds instances, or replaces their specification.
    pub fn define(&self, pattern: &str, spec: InstanceSpec) {
        self.shared.state().cloud.catalogue.define(pattern, spec);
    }

    /// Starts a job that no request asked for, and returns its id. Refused like a request if the instance is unknown or busy.
    pub fn start_job(&self, instance: &str, kind: JobKind, length: Duration) -> Result<String, ApiError> {
        self.shared.start_job(instance, kind, length)
    }

    /// Removes a set, as a user in the console can. Whether there was one.
    pub fn remove_set(&self, instance: &str, backup_id: &str) -> bool {
        let mut state = self.shared.state();
        let now = self.shared.now(&state);
        state.cloud.remove_set(instance, backup_id, now)
    }

    /// Every CreateBackup that was accepted.
    pub fn ledger(&self) -> Vec<LedgerEntry> {
        let state = self.shared.state();
        state.cloud.ledger(self.shared.now(&state))
    }

    /// Makes the jobs of an instance, and their sets, so much older.
    pub fn age(&self, instance: &str, by: Duration) {
        self.shared.state().cloud.age(instance, by);
    }

    /// Every set that a DeleteBackup deleted, oldest first.
    pub fn deletions(&self) -> Vec<DeletionRecord> {
        self.shared.state().cloud.deletions().to_vec()
    }

    /// Every instance that a CloneDBInstance made, oldest first.
    pub fn clones(&self) -> Vec<CloneRecord> {
        self.shared.state().cloud.clones.records()
    }

    /// How many CreateBackup calls were accepted for the instance.
    pub fn accepted(&self, instance: &str) -> usize {
        self.shared.state().cloud.accepted(instance)
    }

    /// Every call, in the order in which they were handled.
    pub fn calls(&self) -> Vec<CallRecord> {
        self.shared.state().calls().to_vec()
    }

    /// The instance's sets, listed or not, oldest first.
    pub fn sets(&self, instance: &str) -> Vec<SetRecord> {
        let state = self.shared.state();
        state.cloud.sets(instance, state.settings.lag, self.shared.now(&state))
    }

    /// Stops it and waits until it has.
    pub async fn stop(self) {
        self.shared.tasks.close();
        self.shared.tasks.ended().await;
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.shared.tasks.close();
    }
}
