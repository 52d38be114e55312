//! What people, administrators and the service do meanwhile.

use rds_backup_operator::api::{RdsBackup, RdsBackupSpec, RdsBackupStatus, Time};
use serde_json::json;

use crate::walks::{
    accounts::Keys,
    cloud::Owner,
    network_conditions::NetworkConditions,
    time::{HOUR, MINUTE, Ms, SECOND, at},
    world::{Event, SITES, SLOTS, World, status_of, uid_of},
};

/// What a walk leads through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// No faults at any time, one process.
    Calm,
    /// Calm and faults in turns.
    Faulty,
}

impl World {
    pub fn begin(&mut self) {
        for process in 0..self.processes.len() {
            self.plan(0, Event::Start { process });
        }
        for slot in 0..SLOTS {
            if self.random.permille(600) {
                self.create(slot);
            }
        }
        self.plan(5 * SECOND, Event::Happening);
        self.plan(NetworkConditions::lasts(&mut self.random.clone()), Event::ChangeConditions);
        self.plan(10 * SECOND, Event::Inspect);
    }

    pub fn change_conditions(&mut self) {
        if self.finale || self.kind == Kind::Calm {
            return;
        }
        if self.calm_since.take().is_some() {
            self.conditions = NetworkConditions::faulty(&mut self.random);
        } else {
            self.conditions = NetworkConditions::calm();
            self.calm_since = Some(self.now);
        }
        let lasts = NetworkConditions::lasts(&mut self.random);
        self.plan(self.now + lasts, Event::ChangeConditions);
    }

    /// The end of the walk: faults stop, nothing new is begun. One account stays paused, and one without its keys.
    pub fn end_begins(&mut self) {
        (self.finale, self.finale_began) = (true, self.now);
        self.conditions = NetworkConditions::fair();
        self.calm_since = Some(self.calm_since.unwrap_or(self.now));
        for account in &mut self.accounts {
            (account.exists, account.allowed, account.paused, account.keys) = (true, true, false, Keys::There);
        }
        match self.random.index(3) {
            0 => self.accounts[0].paused = true,
            1 => self.accounts[1].keys = Keys::Missing,
            _ => self.accounts[1].exists = false,
        }
        for site in &mut self.cloud.sites {
            (site.state, site.lock) = ("Running", "Unlock");
        }
        self.judge.queues_changed(&self.slots, &self.accounts, self.now);
    }

    /// Something happens, now and then.
    pub fn happening(&mut self) {
        if self.finale {
            return;
        }
        let pause = self.random.between(SECOND, 40 * SECOND);
        self.plan(self.now + pause, Event::Happening);
        for process in 0..self.processes.len() {
            if self.processes[process].up && self.random.permille(self.conditions.crashes) {
                self.totals.crashes += 1;
                if self.random.permille(300) {
                    // It loses its lease first, and ends when what is under way has ended, or after a while.
                    self.processes[process].leads = false;
                    let (life, after) = (self.processes[process].life, self.random.between(SECOND, 20 * SECOND));
                    self.plan(self.now + after, Event::Lose { process, life });
                } else {
                    self.crash(process);
                }
            }
        }
        match self.random.index(100) {
            0..30 => self.create_some(),
            30..45 => self.delete_one(),
            45..48 => self.edit_one(),
            48..51 => self.foreign(Owner::Foreign),
            51..54 => self.foreign(Owner::Automated),
            54..58 => self.administer(),
            58..62 => self.operate(),
            62 if self.random.permille(100) => self.delete_many(),
            _ => {}
        }
    }

    /// Up to six at once, some of them within the same second.
    fn create_some(&mut self) {
        for _ in 0..self.random.between(1, 6) {
            let slot = self.random.index(SLOTS);
            if self.slots[slot].is_none() {
                self.create(slot);
            }
        }
    }

    fn create(&mut self, slot: usize) {
        let spec = self.spec();
        let spec: RdsBackupSpec = serde_json::from_value(spec).expect("a spec");
        let mut object = RdsBackup::new(&format!("b-{slot}"), spec);
        object.metadata.uid = Some(format!("{:08x}-{slot}-{}", self.random.draw() >> 32, self.versions));
        object.metadata.namespace = Some(["team-a", "team-b", "team-c", "shop"][slot % 4].into());
        object.metadata.generation = Some(1);
        object.metadata.creation_timestamp = Some(Time(at(self.now.div_euclid(SECOND) * SECOND)));
        object.status = Some(RdsBackupStatus::fresh());
        if self.is_going(&object) {
            return;
        }
        self.judge.created(&object, slot, self.now);
        self.totals.created += 1;
        self.store(slot, Some(object));
    }

    fn spec(&mut self) -> serde_json::Value {
        let random = &mut self.random;
        let site = if random.permille(400) { random.index(2) } else { random.index(SITES) };
        let account = match random.index(10) {
            0..6 => "default",
            6..9 => "brisk",
            _ => "never",
        };
        let mut spec = json!({ "dbInstanceId": format!("rm-{}", site + 1), "account": account });
        let mut put = |field: &str, value: serde_json::Value| spec[field] = value;
        match (random.index(20), site) {
            (0..4, 0..4) => put("method", json!("Logical")),
            (4..12, site) if site != 4 => put("method", json!("Physical")),
            (12, _) => put("method", json!("Snapshot")),
            _ => {}
        }
        if random.permille(600) {
            put("queueTimeout", json!(random.pick(&["10m", "20m", "45m", "90m", "4h", "5h"])));
        }
        if random.permille(500) {
            put("timeout", json!(random.pick(&["2m", "15m", "1h", "3h", "6h"])));
        }
        if random.permille(400) {
            put("retry", json!({ "limit": random.between(1, 3), "backoff": random.pick(&["10s", "2m", "20m"]) }));
        }
        if random.permille(250) && spec["timeout"].is_null() {
            spec["ttl"] = json!(random.pick(&["1m", "20m", "2h"]));
        }
        if random.permille(400) && spec["method"] != "Logical" {
            spec["deletionPolicy"] = json!("Delete");
            spec["cleanupDeadline"] = json!(random.pick(&["5m", "2h", "12h", "30h"]));
        }
        spec
    }

    fn delete_one(&mut self) {
        let slot = self.random.index(SLOTS);
        let Some(object) = self.slots[slot].clone() else { return };
        let finished = status_of(&object).phase.is_terminal();
        if !finished && !self.random.permille(60) {
            return;
        }
        if !finished && object.metadata.deletion_timestamp.is_none() && self.random.permille(400) {
            return self.delete_slowly(&object, slot);
        }
        self.delete(&object, slot);
    }

    pub fn remove(&mut self, slot: usize, uid: &str) {
        if self.get(slot, uid).is_some() {
            self.judge.deleted(uid);
            self.store(slot, None);
        }
    }

    /// The times may be edited; sometimes into what the CRD of an older operator would have let through.
    fn edit_one(&mut self) {
        let slot = self.random.index(SLOTS);
        let Some(object) = self.slots[slot].clone() else { return };
        let mut edited = object.as_ref().clone();
        if self.random.permille(300) {
            return self.edit_wish(slot, edited);
        }
        let text = self.random.pick(&["30m", "2h", "5h", "soon"]);
        let span = serde_json::from_value(json!(text)).expect("a text");
        if self.random.permille(500) || text == "soon" {
            edited.spec.queue_timeout = Some(span)
        } else {
            edited.spec.timeout = Some(span)
        }
        edited.metadata.generation = edited.metadata.generation.map(|generation| generation + 1);
        self.judge.edited(uid_of(&object), self.now);
        self.store(slot, Some(edited));
    }

    fn foreign(&mut self, owner: Owner) {
        let site = self.random.index(SITES);
        if self.cloud.busy(site, self.now).is_some() || !self.cloud.sites[site].is_open() {
            return;
        }
        let method = self.random.pick(&["Physical", "Logical", "Snapshot"]).to_owned();
        self.cloud.start(site, owner, method, self.now, &self.conditions, &mut self.random);
    }

    /// An administrator does something to an account, or undoes it.
    fn administer(&mut self) {
        let random = &mut self.random;
        let broken = self.accounts.iter().position(|account| !account.is_usable());
        let index = broken.unwrap_or_else(|| random.index(self.accounts.len()));
        let account = &mut self.accounts[index];
        if account.is_usable() {
            match random.index(6) {
                0..2 => account.paused = true,
                2 => account.keys = Keys::Missing,
                3 => account.keys = Keys::Unread { since: self.now },
                4 => account.keys = Keys::Wrong,
                _ if random.permille(500) => account.exists = false,
                _ => account.allowed = false,
            }
        } else {
            (account.exists, account.allowed, account.paused, account.keys) = (true, true, false, Keys::There);
        }
        self.judge.queues_changed(&self.slots, &self.accounts, self.now);
    }

    /// An instance is restarted or locked, or is well again.
    fn operate(&mut self) {
        let site = self.random.index(SITES);
        let site = &mut self.cloud.sites[site];
        if !site.is_open() || self.random.permille(500) {
            (site.state, site.lock) = ("Running", "Unlock");
        } else if self.random.permille(500) {
            site.state = self.random.pick(&["Rebooting", "Transing"]);
        } else {
            site.lock = self.random.pick(&["LockByExpiration", "LockByDiskQuota", "ManualLock"]);
        }
    }

    /// The longest that anything may still take once nothing goes wrong any more.
    pub fn longest() -> Ms {
        // The longest job, the longest wait for one's turn, the resolution of a lost request, and the rest of a day whose backups are used
        // up.
        4 * HOUR + 5 * HOUR + 2 * HOUR + 30 * MINUTE + 24 * HOUR
    }
}
