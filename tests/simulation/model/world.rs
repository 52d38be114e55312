//! What there is: the objects as the API server has them, the processes with what each remembers, the cloud, and the time.
//!
//! Everything that decides is the shipped type: `RdsBackup` with its status, `Memory`, `Freshest`. A state is told from another by its print
//! (see `print`), which leaves out what can make no difference.

use std::sync::Arc;

use jiff::Timestamp;
use rds_backup_operator::{
    api::{RdsBackup, RdsBackupSpec, RdsBackupStatus, Time},
    backup::{
        decide::{Decision, Effect},
        observation::Memory,
    },
    controller::Freshest,
    rds::{BackupSet, BackupTask, CreateOutcome},
};

use crate::model::{cloud::Cloud, print::Print, setup::Setup};

/// Time passes in minutes: the protocol's own constants (60 s of freshness, a minute of slack) are one of them.
pub const TICK: i64 = 60;

/// Where time begins.
pub const DAWN: i64 = 60 * 30_000_000;

pub const INSTANCE: &str = "rm-1";

pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("within the years that there are")
}

/// All there is.
#[derive(Clone, Debug)]
pub struct World {
    pub now: i64,
    /// The newest resourceVersion.
    pub writes: u32,
    pub slots: Vec<Slot>,
    pub processes: Vec<Process>,
    pub cloud: Cloud,
    /// Status writes whose client gave up waiting, and which may still land.
    pub late: Vec<LateWrite>,
    /// How many objects may still be deleted and made again.
    pub deletions: u8,
    /// What no state may ever show, noticed when it happened.
    pub broken: Option<&'static str>,
    /// The age from which on it makes no difference how old an open intent is. The same in all states of a configuration.
    pub intent_limit: i64,
    /// Whether words are written too. The same in all states of a configuration.
    pub words: bool,
}

/// A name, and what stood under it since the oldest copy that a cache has.
#[derive(Clone, Debug)]
pub struct Slot {
    /// The last is the present.
    pub history: Vec<Arc<Version>>,
}

/// One version of an object; none where it was deleted.
#[derive(Debug)]
pub struct Version {
    pub object: Option<Arc<RdsBackup>>,
    pub print: Print,
    /// What was listed when the newest intent was written, whatever the intent says.
    pub listed_before: Vec<String>,
}

/// One operator process.
#[derive(Clone, Debug)]
pub struct Process {
    pub name: char,
    pub seats: Vec<Arc<Seat>>,
    /// For each slot, the version in its history that the cache has.
    pub cache: Vec<usize>,
    /// The pass under way. A process works on one object at a time, besides the one whose answer it waits for.
    pub pass: Option<Pass>,
    pub sender: Option<Sender>,
}

/// What a process remembers of one object.
#[derive(Clone, Debug)]
pub struct Seat {
    pub uid: String,
    pub memory: Memory,
    pub freshest: Freshest<RdsBackup>,
    pub intent_at: Option<i64>,
    pub print: Print,
}

/// The object that a pass or a sender works on.
#[derive(Clone, Debug)]
pub struct Turn {
    pub slot: usize,
    pub object: Arc<RdsBackup>,
}

#[derive(Clone, Debug)]
pub struct Pass {
    pub turn: Turn,
    pub step: Step,
}

/// What a pass does next.
#[derive(Clone, Debug)]
pub enum Step {
    /// Reads the object again; only where the write that follows carries no resourceVersion.
    Reread(Arc<Decided>),
    Write(Arc<Decided>),
    Act(Arc<Decided>),
    /// A look has read the tasks.
    ReadSets(Arc<Decided>, Vec<BackupTask>, i64),
    /// A look has read the tasks and the sets.
    ReadClaims(Arc<Decided>, Vec<BackupTask>, i64, Vec<BackupSet>, i64),
}

/// A decision on its way, and when it was made.
#[derive(Debug)]
pub struct Decided {
    pub decision: Decision,
    pub print: Print,
    pub now: i64,
}

impl Decided {
    /// Its effect reads the service, and nothing else: it is done when it is thought of.
    pub fn reads_only(&self) -> bool {
        matches!(self.decision.effect, Some(Effect::Preflight { .. } | Effect::Look { .. } | Effect::Follow { .. }))
    }

    /// Its write is one that a request stands upon.
    pub fn announces(&self) -> bool {
        matches!(self.decision.effect, Some(Effect::WriteIntent { .. } | Effect::Send { .. }))
    }
}

/// The detached task that sends and records.
#[derive(Clone, Debug)]
pub struct Sender {
    pub turn: Turn,
    pub nonce: String,
    pub answer: Waiting,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Waiting {
    /// Nothing was heard.
    ForAnswer,
    /// It has arrived, and was not read.
    Arrived(CreateOutcome),
}

#[derive(Clone, Debug)]
pub struct LateWrite {
    pub slot: usize,
    pub version: String,
    pub decided: Arc<Decided>,
}

impl World {
    pub fn new(setup: &Setup) -> Self {
        let slots = (0..setup.objects).map(|slot| Slot { history: vec![Version::new(Some(fresh(setup, slot, 0)), Vec::new())] }).collect();
        let names = ['P', 'Q', 'R'];
        let processes = (0..setup.processes)
            .map(|index| Process {
                name: names[index],
                seats: (0..setup.objects).map(|slot| Arc::new(Seat::new(&uid(slot, 0)))).collect(),
                cache: vec![0; setup.objects],
                pass: None,
                sender: None,
            })
            .collect();
        let mut world = Self {
            now: DAWN,
            writes: 0,
            slots,
            processes,
            cloud: Cloud::new(setup),
            late: Vec::new(),
            deletions: setup.deletions,
            broken: None,
            intent_limit: setup.intent_limit(),
            words: setup.slow_writes,
        };
        for slot in 0..setup.objects {
            let object = world.slots[slot].history[0].object.as_ref().expect("just made").as_ref().clone();
            world.slots[slot].history.clear();
            // A cache that may be behind does not have the object yet.
            if setup.stale > 0 {
                world.store(slot, None, Vec::new());
            }
            world.store(slot, Some(object), Vec::new());
        }
        world
    }

    /// What stands under the name.
    pub fn present(&self, slot: usize) -> &Version {
        self.slots[slot].history.last().expect("a history is never empty")
    }

    pub fn object(&self, slot: usize) -> Option<&Arc<RdsBackup>> {
        self.present(slot).object.as_ref()
    }

    /// The objects that exist.
    pub fn objects(&self) -> impl Iterator<Item = &Arc<RdsBackup>> {
        (0..self.slots.len()).filter_map(|slot| self.object(slot))
    }

    /// A write lands: a new version stands.
    pub fn store(&mut self, slot: usize, object: Option<RdsBackup>, listed_before: Vec<String>) {
        self.writes += 1;
        let version = self.writes.to_string();
        let object = object.map(|mut object| {
            object.metadata.resource_version = Some(version);
            object
        });
        self.slots[slot].history.push(Version::new(object, listed_before));
    }

    /// A quorum GET: the object, if it is still the one with that uid.
    pub fn get(&self, slot: usize, uid: Option<&str>) -> Option<Arc<RdsBackup>> {
        self.object(slot).filter(|object| object.metadata.uid.as_deref() == uid).cloned()
    }

    pub fn seat(&self, process: usize, slot: usize) -> &Seat {
        &self.processes[process].seats[slot]
    }

    pub fn change_seat(&mut self, process: usize, slot: usize, change: impl FnOnce(&mut Seat)) {
        let seat = Arc::make_mut(&mut self.processes[process].seats[slot]);
        change(seat);
        seat.print = Print::of_seat(seat);
    }
}

impl Version {
    pub fn new(object: Option<RdsBackup>, listed_before: Vec<String>) -> Arc<Self> {
        let print = Print::of_object(object.as_ref(), &listed_before);
        Arc::new(Self { object: object.map(Arc::new), print, listed_before })
    }
}

impl Seat {
    pub fn new(uid: &str) -> Self {
        let mut seat = Self {
            uid: uid.to_owned(),
            memory: Memory::default(),
            freshest: Freshest::default(),
            intent_at: None,
            print: Print::default(),
        };
        seat.print = Print::of_seat(&seat);
        seat
    }
}

pub fn status_of(object: &RdsBackup) -> RdsBackupStatus {
    object.status.clone().unwrap_or_else(RdsBackupStatus::fresh)
}

/// The uid of the object that stood under a name after so many deletions. Names are a and b; the order of the queue is that of the names.
pub fn uid(slot: usize, generation: u8) -> String {
    format!("{}{generation}", ["a", "b", "c"][slot])
}

/// An object as a user creates it.
pub fn fresh(setup: &Setup, slot: usize, generation: u8) -> RdsBackup {
    let spec = format!(
        r#"{{"dbInstanceId":"{INSTANCE}","method":"Physical","queueTimeout":"900000h","timeout":"900000h","retry":{{"limit":{},"backoff":"1s"}}}}"#,
        setup.runs - 1
    );
    let spec: RdsBackupSpec = serde_json::from_str(&spec).expect("a spec");
    let mut object = RdsBackup::new(["a", "b", "c"][slot], spec);
    object.metadata.uid = Some(uid(slot, generation));
    object.metadata.namespace = Some("team-a".into());
    object.metadata.generation = Some(1);
    let age = i64::from(generation) * 10 + i64::try_from(slot).unwrap_or_default();
    object.metadata.creation_timestamp = Some(Time(at(DAWN - 100 + age)));
    object
}
