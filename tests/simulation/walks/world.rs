//! What there is: objects, processes, the service, the time, and what comes next.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    sync::Arc,
};

use rds_backup_operator::{
    api::{RdsBackup, RdsBackupStatus},
    rds::CreateOutcome,
};

use tokio::time::Instant;

use crate::walks::{
    accounts::Account,
    cloud::{Cloud, Request},
    deletion::Going,
    happen::Kind,
    judge::Judge,
    network_conditions::NetworkConditions,
    process::Process,
    randomness::Randomness,
    report::Totals,
    time::Ms,
};

/// Names of objects: under each stands one at a time.
pub const SLOTS: usize = 40;
pub const SITES: usize = 8;

/// What comes at its time.
pub enum Event {
    /// The controller says that an object is due.
    Due {
        process: usize,
        life: u32,
        slot: usize,
    },
    /// A request of a pass is done.
    Done {
        process: usize,
        life: u32,
        slot: usize,
    },
    /// A watch brings a version.
    See {
        process: usize,
        life: u32,
        slot: usize,
        object: Option<Arc<RdsBackup>>,
    },
    /// A request reaches the service.
    Arrive {
        request: Request,
        answer_to: Option<(usize, u32, usize)>,
    },
    /// Its answer arrives, or is waited for no longer.
    Hear {
        process: usize,
        life: u32,
        slot: usize,
        nonce: String,
        answer: Box<CreateOutcome>,
    },
    /// A process that has lost its lease ends.
    Lose {
        process: usize,
        life: u32,
    },
    Start {
        process: usize,
    },
    /// Somebody does something.
    Happening,
    /// The network conditions change.
    ChangeConditions,
    /// The judge looks around.
    Inspect,
    /// Another program lets go of an object.
    Gone {
        slot: usize,
        uid: String,
    },
}

pub struct World {
    pub kind: Kind,
    pub now: Ms,
    pub random: Randomness,
    pub conditions: NetworkConditions,
    /// Since when there were no faults.
    pub calm_since: Option<Ms>,
    /// The end of the walk: nothing new is begun, nothing goes wrong.
    pub finale: bool,
    pub finale_began: Ms,
    pub slots: Vec<Option<Arc<RdsBackup>>>,
    pub versions: u64,
    pub accounts: Vec<Account>,
    pub cloud: Cloud,
    pub processes: Vec<Process>,
    pub judge: Judge,
    pub totals: Totals,
    pub going: Going,
    events: BinaryHeap<Reverse<(Ms, u64)>>,
    kept: BTreeMap<u64, Event>,
    count: u64,
}

impl World {
    pub fn new(seed: u64, kind: Kind, processes: usize) -> Self {
        Self {
            kind,
            now: 0,
            random: Randomness::new(seed),
            conditions: NetworkConditions::calm(),
            calm_since: Some(0),
            finale: false,
            finale_began: 0,
            slots: vec![None; SLOTS],
            versions: 0,
            accounts: Account::all(),
            cloud: Cloud::new(SITES),
            processes: (0..processes).map(|_| Process::new(0, Instant::now())).collect(),
            judge: Judge::new(),
            totals: Totals::default(),
            going: Going::default(),
            events: BinaryHeap::new(),
            kept: BTreeMap::new(),
            count: 0,
        }
    }

    pub fn plan(&mut self, at: Ms, event: Event) {
        self.count += 1;
        self.events.push(Reverse((at.max(self.now), self.count)));
        self.kept.insert(self.count, event);
    }

    /// The next event; the time is its time.
    pub fn next(&mut self) -> Option<Event> {
        let Reverse((at, number)) = self.events.pop()?;
        self.now = at;
        self.kept.remove(&number)
    }

    pub fn objects(&self) -> impl Iterator<Item = &Arc<RdsBackup>> {
        self.slots.iter().flatten()
    }

    pub fn account(&self, object: &RdsBackup) -> &Account {
        self.accounts.iter().find(|account| account.name == object.spec.account).unwrap_or(&self.accounts[0])
    }

    /// A new version stands under a name, or none; the watches will tell.
    pub fn store(&mut self, slot: usize, object: Option<RdsBackup>) {
        self.versions += 1;
        let version = self.versions.to_string();
        let object = object.map(|mut object| {
            object.metadata.resource_version = Some(version);
            Arc::new(object)
        });
        self.slots[slot] = object.clone();
        for process in 0..self.processes.len() {
            let behind = self.random.between(5, self.conditions.behind);
            let it = &mut self.processes[process];
            if !it.up {
                continue;
            }
            // A watch tells in order.
            it.watch_is_at = it.watch_is_at.max(self.now + behind);
            let (at, life) = (it.watch_is_at, it.life);
            self.plan(at, Event::See { process, life, slot, object: object.clone() });
        }
        self.judge.queues_changed(&self.slots, &self.accounts, self.now);
    }

    /// The object, if the one of that uid still stands there: a quorum GET.
    pub fn get(&self, slot: usize, uid: &str) -> Option<Arc<RdsBackup>> {
        self.slots[slot].clone().filter(|object| uid_of(object) == uid)
    }
}

pub fn uid_of(object: &RdsBackup) -> &str {
    object.metadata.uid.as_deref().unwrap_or_default()
}

pub fn status_of(object: &RdsBackup) -> RdsBackupStatus {
    object.status.clone().unwrap_or_else(RdsBackupStatus::fresh)
}

pub fn site_of(object: &RdsBackup) -> usize {
    object.spec.db_instance_id.strip_prefix("rm-").and_then(|number| number.parse::<usize>().ok()).map_or(0, |number| number - 1)
}
