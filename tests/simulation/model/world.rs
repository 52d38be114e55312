//! What there is: the objects as the API server has them, the processes with what each remembers, the cloud, and the time.
//!
//! Everything that decides is the shipped type: `RdsBackup` with its status, `Pass`, `ObjectState`. A state is told from another by its
//! print (see `print`), which leaves out what can make no difference.

use std::{
    collections::BTreeSet,
    sync::{Arc, LazyLock},
    time::Duration,
};

use jiff::Timestamp;
use rds_backup_operator::{
    api::{RdsBackup, RdsBackupSpec, RdsBackupStatus, Time},
    backup::{
        pass::{Decided, Pass, Stage},
        request::Request,
        state::ObjectState,
    },
    rds::CreateOutcome,
};
use tokio::time::Instant;

use crate::model::{cloud::Cloud, print::Print, setup::Setup};

/// Time passes in minutes: the protocol's own constants (60 s of freshness, a minute of slack) are one of them.
pub const TICK: i64 = 60;

/// Where time begins.
pub const DAWN: i64 = 60 * 30_000_000;

pub const INSTANCE: &str = "rm-1";

pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("within the years that there are")
}

/// The beginning by the clock that cannot be set.
static STEADY_DAWN: LazyLock<Instant> = LazyLock::new(Instant::now);

pub fn steady(second: i64) -> Instant {
    *STEADY_DAWN + Duration::from_secs(u64::try_from(second - DAWN).unwrap_or_default())
}

pub fn second_of(steady: Instant) -> i64 {
    DAWN + i64::try_from(steady.duration_since(*STEADY_DAWN).as_secs()).unwrap_or(i64::MAX)
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
    /// Whether a look may fail in its midst. The same in all states of a configuration.
    pub refused_reads: bool,
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
    /// For each slot, what it remembers of the object.
    pub memories: Vec<Arc<Remembered>>,
    /// For each slot, the version in its history that the cache has.
    pub cache: Vec<usize>,
    /// The uids of the objects whose end it wrote.
    pub ended: BTreeSet<String>,
    /// It holds the lease, as far as it knows. Two may: exactly once must not depend on the election.
    pub leads: bool,
    /// The pass under way. A process works on one object at a time, besides the one whose answer it waits for.
    pub pass: Option<Arc<UnderWay>>,
    /// The pass whose CreateBackup is on its way.
    pub sender: Option<Arc<UnderWay>>,
}

/// What a process remembers of one object.
#[derive(Clone, Debug)]
pub struct Remembered {
    pub uid: String,
    pub state: ObjectState,
    pub print: Print,
}

/// A pass over the object of a slot.
#[derive(Clone, Debug)]
pub struct Work {
    pub slot: usize,
    pub pass: Pass,
    /// It holds the instance's lock.
    pub locked: bool,
}

/// A pass that waits for something that is a step of its own.
#[derive(Clone, Debug)]
pub struct UnderWay {
    pub work: Work,
    pub pending: Request,
    /// What came of the request, where its answer is on its way back.
    pub arrived: Option<Arrived>,
    pub print: Print,
}

#[derive(Clone, Debug)]
pub enum Arrived {
    Written(Arc<RdsBackup>),
    Sent(CreateOutcome),
}

/// A write whose client gave up.
#[derive(Clone, Debug)]
pub struct LateWrite {
    pub slot: usize,
    pub version: Option<String>,
    pub status: RdsBackupStatus,
    pub listed_before: Vec<String>,
    pub print: Print,
}

impl World {
    pub fn new(setup: &Setup) -> Self {
        let slots = (0..setup.objects).map(|slot| Slot { history: vec![Version::new(Some(fresh(setup, slot, 0)), Vec::new())] }).collect();
        let names = ['P', 'Q', 'R'];
        let processes = (0..setup.processes)
            .map(|index| Process {
                name: names[index],
                memories: (0..setup.objects).map(|slot| Remembered::new(&uid(slot, 0))).collect(),
                cache: vec![0; setup.objects],
                ended: BTreeSet::new(),
                leads: true,
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
            refused_reads: setup.refused_reads,
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

    /// The object as the process's cache shows it.
    pub fn cached(&self, process: usize, slot: usize) -> Option<&Arc<RdsBackup>> {
        self.slots[slot].history[self.processes[process].cache[slot]].object.as_ref()
    }

    pub fn memory(&self, process: usize, slot: usize) -> &Remembered {
        &self.processes[process].memories[slot]
    }

    /// What the process remembers may have changed.
    pub fn print_memory(&mut self, process: usize, slot: usize) {
        let memory = Arc::make_mut(&mut self.processes[process].memories[slot]);
        memory.print = Print::of_memory(&memory.uid, &memory.state);
    }
}

impl Version {
    pub fn new(object: Option<RdsBackup>, listed_before: Vec<String>) -> Arc<Self> {
        let print = Print::of_object(object.as_ref(), &listed_before);
        Arc::new(Self { object: object.map(Arc::new), print, listed_before })
    }
}

impl Remembered {
    pub fn new(uid: &str) -> Arc<Self> {
        let state = ObjectState::default();
        let print = Print::of_memory(uid, &state);
        Arc::new(Self { uid: uid.to_owned(), state, print })
    }

    pub fn is_blank(&self) -> bool {
        self.print == Self::new(&self.uid).print
    }
}

impl UnderWay {
    pub fn new(work: Work, pending: Request) -> Self {
        let print = Print::of_pass(&work.pass);
        Self { work, pending, arrived: None, print }
    }
}

/// The decision that a pass carries out.
pub fn decided(pass: &Pass) -> Option<&Decided> {
    match pass.stage() {
        Stage::Lock(decided) | Stage::Reread(decided) | Stage::Write(decided) | Stage::WriteFinalizers(decided) => Some(decided),
        Stage::Admit(decided, _) | Stage::Read(decided, _) | Stage::Clear(decided) | Stage::Send(decided) => Some(decided),
        Stage::Surroundings(decided) | Stage::DeleteSet(decided) | Stage::Newer(decided) | Stage::Reusable(decided) => Some(decided),
        Stage::Begin
        | Stage::Refresh(_)
        | Stage::Observe(_)
        | Stage::Conflict(_)
        | Stage::PauseRecording { .. }
        | Stage::Remove
        | Stage::Over => None,
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
