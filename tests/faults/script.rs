//! The script of a world, decided by its seed: objects and instances, how cloud and API server behave, the faults and their times.

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    cloud::{Cloud, Habits},
    faults::{Fault, FaultPlan, PlannedFault, Point},
    people::{Action, Key},
    randomness::Randomness,
    step::Step,
    sts::Sts,
    world::{Beginning, Pace},
};

#[derive(Clone, Debug)]
pub struct Script {
    pub seed: u64,
    pub begins: Timestamp,
    /// In the order of their times.
    pub actions: Vec<(Duration, Action)>,
    pub instances: BTreeMap<String, &'static str>,
    pub habits: Habits,
    pub pace: Pace,
    pub planned: Vec<PlannedFault>,
    pub fault_percent: u64,
    pub faults_until: Duration,
    pub largest_page: usize,
    /// How far the operator's clock is ahead.
    pub skew: SignedDuration,
    /// How far it is ahead after the first crash, if that changes.
    pub skew_after_a_crash: Option<SignedDuration>,
    /// The number of operators that run at the same time.
    pub processes: u32,
    /// Empty: all namespaces.
    pub namespaces: Vec<String>,
    pub signature: &'static str,
    pub expiry: &'static str,
    /// The pause after each crash.
    pub pauses: Vec<Duration>,
    /// The longest time from the last disturbance to rest.
    pub bound: Duration,
    /// The world ends after this time, at rest or not. None: it ends when it is at rest.
    pub lasts: Option<Duration>,
    /// Whether backup sets are looked at once a day. Calls are counted elsewhere without them.
    pub audits: bool,
    /// The accounts of the configuration. None: the usual one.
    pub accounts: Option<String>,
    /// The service that gives out temporary keys.
    pub sts: Sts,
    /// What they are after the first crash, if they change.
    pub accounts_after_a_crash: Option<String>,
    /// Whether the log is recorded at the level trace and searched for secrets.
    pub recorded: bool,
    /// Whether metrics and readiness are asked for at the end of each process.
    pub scraped: bool,
}

const MINUTE: u64 = 60;

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

impl Script {
    /// A world without faults, in which a job lasts that long.
    pub fn calm(lasts: Duration) -> Self {
        let habits = Habits {
            durations: vec![lasts],
            longest_lag: Duration::ZERO,
            shortest_lag: Duration::ZERO,
            failing: 0,
            knows_nonces: true,
            forgets_jobs_after: seconds(30 * 24 * 3600),
            regions: BTreeMap::new(),
            tells_what_began: true,
            date_hours: 0,
            names_sets: true,
            unsettled_for: Duration::ZERO,
        };
        Self {
            seed: 0,
            begins: "2026-03-01T00:00:00Z".parse().expect("a time"),
            actions: vec![(Duration::ZERO, Action::Secret(Key::Right))],
            instances: BTreeMap::from([("rm-1".to_owned(), "local_ssd")]),
            habits,
            pace: Pace { api: (4, 4), cloud: (60, 60), watch_lag: Duration::ZERO, watch_cut: None, list_lag: Duration::ZERO },
            planned: Vec::new(),
            fault_percent: 0,
            faults_until: Duration::ZERO,
            largest_page: 50,
            skew: SignedDuration::ZERO,
            skew_after_a_crash: None,
            processes: 1,
            namespaces: Vec::new(),
            signature: "V3",
            expiry: "15m",
            pauses: Vec::new(),
            bound: lasts + seconds(40 * MINUTE),
            lasts: None,
            audits: false,
            accounts: None,
            sts: Sts::default(),
            accounts_after_a_crash: None,
            recorded: true,
            scraped: false,
        }
    }

    pub fn at(mut self, seconds_in: u64, action: Action) -> Self {
        self.actions.push((seconds(seconds_in), action));
        self.actions.sort_by_key(|(at, _)| *at);
        self
    }

    /// A backup of rm-1 in team-a.
    pub fn backup(self, seconds_in: u64, name: &str) -> Self {
        self.at(seconds_in, create("team-a", name, json!({ "dbInstanceId": "rm-1", "method": "Physical" })))
    }

    pub fn fault(mut self, step: Step, nth: u32, fault: Fault) -> Self {
        self.planned.push(PlannedFault { step, nth, fault });
        self.faults_until = seconds(24 * 3600);
        self
    }

    /// A world in which the seed decides everything.
    pub fn of_seed(seed: u64) -> Self {
        let mut randomness = Randomness::new(seed);
        let d = &mut randomness;
        let mut script = Self::calm(Duration::ZERO);
        script.seed = seed;
        // Writing and searching the log of each of them would take a tenth of the time.
        script.recorded = seed.is_multiple_of(5);
        script.begins = script.begins + seconds(d.in_range(0..=24 * 3600)) + Duration::from_millis(d.in_range(0..=999));
        script.actions.clear();
        script.world(&mut d.fork());
        script.people(&mut d.fork());
        script.trouble(&mut d.fork());
        script.updates(&mut d.fork());
        script.actions.sort_by_key(|(at, _)| *at);
        script
    }

    fn world(&mut self, d: &mut Randomness) {
        let disks = ["local_ssd", "cloud_essd"];
        self.instances = (1..=d.in_range(1..=2)).map(|number| (format!("rm-{number}"), d.pick(&disks))).collect();
        let durations = [20, 3 * MINUTE, 12 * MINUTE, 40 * MINUTE];
        self.habits = Habits {
            durations: vec![seconds(d.pick(&durations)), seconds(d.pick(&durations))],
            longest_lag: seconds(d.pick(&[0, 90, 570])),
            shortest_lag: Duration::ZERO,
            failing: if d.percent(60) { 0 } else { 30 },
            knows_nonces: d.percent(90),
            forgets_jobs_after: seconds(if d.percent(90) { 30 * 24 * 3600 } else { 5 * MINUTE }),
            regions: BTreeMap::new(),
            tells_what_began: true,
            date_hours: 0,
            names_sets: true,
            unsettled_for: Duration::ZERO,
        };
        self.pace = Pace {
            api: (1, d.pick(&[5, 30, 2000])),
            cloud: (20, d.pick(&[100, 300, 4000])),
            watch_lag: seconds(if d.percent(70) { 0 } else { d.pick(&[2, 30, 180]) }),
            watch_cut: (!d.percent(80)).then(|| seconds(d.pick(&[5, 60]))),
            list_lag: seconds(if d.percent(85) { 0 } else { d.pick(&[5, 120]) }),
        };
        self.largest_page = if d.percent(50) { 50 } else { 1 };
        self.skew = SignedDuration::from_secs(if d.percent(75) { 0 } else { d.pick(&[30, -30, 120, -120, 600, -600, 1200, -1200]) });
        self.processes = if d.percent(85) { 1 } else { 2 };
        self.namespaces = if d.percent(75) { Vec::new() } else { vec!["team-a".to_owned(), "team-b".to_owned()] };
        self.signature = if d.percent(88) { "V3" } else { "V1" };
        self.expiry = if d.percent(95) { "15m" } else { "Never" };
        self.habits.tells_what_began = d.percent(90);
        self.habits.names_sets = d.percent(90);
        self.habits.unsettled_for = seconds(if d.percent(90) { 0 } else { 5 * MINUTE });
    }

    fn people(&mut self, d: &mut Randomness) {
        self.actions.push((seconds(if d.percent(93) { 0 } else { d.in_range(10..=300) }), Action::Secret(Key::Right)));
        let instances: Vec<(String, &str)> = self.instances.iter().map(|(id, disk)| (id.clone(), *disk)).collect();
        let any = |d: &mut Randomness| instances[usize::try_from(d.in_range(0..=instances.len() as u64 - 1)).unwrap_or(0)].clone();
        let longest = self.habits.durations.iter().max().copied().unwrap_or_default();
        let mut bound = seconds(60 * MINUTE);
        for number in 1..=d.in_range(1..=3) {
            let (instance, disk) = any(d);
            let method = if disk == "cloud_essd" { Some("Snapshot") } else { d.pick(&[None, Some("Physical"), Some("Logical")]) };
            let mut spec = json!({ "dbInstanceId": instance });
            if let Some(method) = method {
                spec["method"] = json!(method);
            }
            let retries = if d.percent(60) { 0 } else { d.in_range(1..=2) };
            if retries > 0 {
                spec["retry"] = json!({ "limit": retries, "backoff": d.pick(&["1m", "5m"]) });
            }
            let (namespace, name) = (d.pick(&["team-a", "team-b"]), format!("b{number}"));
            let at = if d.percent(50) { 1 } else { d.in_range(0..=10 * MINUTE) };
            self.actions.push((seconds(at), create(namespace, &name, spec.clone())));
            let mut lives = 1;
            if d.percent(25) {
                let far = d.pick(&[3000, 2_400_000]);
                let gone = Duration::from_millis(at * 1000 + d.in_range(0..=far));
                self.actions.push((gone, Action::Delete { namespace: namespace.to_owned(), name: name.clone() }));
                if d.percent(70) {
                    self.actions.push((gone + seconds(d.in_range(0..=60)), create(namespace, &name, spec)));
                    lives = 2;
                }
            }
            if d.percent(30) {
                for _ in 0..d.in_range(1..=4) {
                    let touch = Action::Touch { namespace: namespace.to_owned(), name: name.clone() };
                    self.actions.push((Duration::from_millis(at * 1000 + d.in_range(0..=3_600_000)), touch));
                }
            }
            let runs = u32::try_from(retries + 1).unwrap_or(1);
            bound += (longest + seconds(18 * MINUTE)) * runs * lives + seconds(27 * MINUTE);
        }
        if d.percent(25) {
            let lasts = seconds(d.in_range(2 * MINUTE..=20 * MINUTE));
            bound += lasts;
            let foreign = Action::Foreign { instance: any(d).0, automated: d.percent(50), lasts };
            self.actions.push((seconds(d.in_range(0..=30 * MINUTE)), foreign));
        }
        if d.percent(20) {
            self.actions.push((seconds(d.in_range(0..=60 * MINUTE)), Action::Compact));
        }
        if d.percent(12) {
            let at = d.in_range(0..=40 * MINUTE);
            let trouble = d.pick(&[Key::Rotated, Key::Gone, Key::Emptied, Key::Wrong, Key::Junk, Key::WrongKind, Key::Forbidden]);
            self.actions.push((seconds(at), Action::Secret(trouble)));
            self.actions.push((seconds(at + d.pick(&[5, 70, 600])), Action::Secret(d.pick(&[Key::Right, Key::Rotated]))));
            bound += seconds(10 * MINUTE);
        }
        if d.percent(12) {
            for _ in 0..d.in_range(1..=2) {
                let by = SignedDuration::from_secs(d.pick(&[-1200, -600, -120, -30, 30, 120, 600, 1200]));
                self.actions.push((seconds(d.in_range(0..=60 * MINUTE)), Action::Leap(by)));
            }
            bound += seconds(40 * MINUTE);
        }
        self.bound = bound;
    }

    fn trouble(&mut self, d: &mut Randomness) {
        self.faults_until = seconds(d.pick(&[10, 40, 90]) * MINUTE);
        self.pauses = (0..8).map(|_| seconds(d.pick(&[0, 1, 1, 15, 120, 1500]))).collect();
        if d.percent(4) {
            return;
        }
        if d.percent(60) {
            let fault = Fault::random(Step::Create, d);
            self.planned.push(PlannedFault { step: Step::Create, nth: 1, fault });
        }
        for _ in 0..d.pick(&[0, 1, 2, 3, 5]) {
            let step = d.pick(&Step::ALL);
            let fault = Fault::random(step, d);
            self.planned.push(PlannedFault { step, nth: d.pick(&[1, 1, 1, 2, 3]), fault });
        }
        for _ in 0..d.pick(&[0, 1, 1, 2, 4]) {
            let (step, point) = (d.pick(&Step::ALL), d.pick(&Point::ALL));
            self.planned.push(PlannedFault { step, nth: d.pick(&[1, 1, 1, 2, 3]), fault: Fault::Crash(point) });
        }
        if d.percent(20) {
            let step = d.pick(&Step::ALL);
            let again = d.percent(50);
            let fault = if d.percent(50) { Fault::Deleted { again } } else { Fault::Freeze(seconds(d.pick(&[20, 60, 1200]))) };
            self.planned.push(PlannedFault { step, nth: d.pick(&[1, 1, 2]), fault });
        }
        if d.percent(15) {
            let nth = u32::try_from(d.in_range(1..=9)).unwrap_or(1);
            self.planned.push(PlannedFault { step: Step::Shown, nth, fault: Fault::random(Step::Shown, d) });
        }
        // A fault of one of these writes needs a first request that leads to it.
        let leads = [
            (Step::RefusedWrite, Fault::Refused { code: "IncorrectDBInstanceState", status: 403 }),
            (Step::CloseWrite, Fault::Lost { executed: false }),
            (Step::AdoptWrite, Fault::Lost { executed: true }),
        ];
        for (write, fault) in leads {
            if self.planned.iter().any(|planned| planned.step == write) {
                self.planned.retain(|planned| planned.step != Step::Create);
                self.planned.push(PlannedFault { step: Step::Create, nth: 1, fault });
            }
        }
        self.fault_percent = if d.percent(75) { 0 } else { d.pick(&[3, 10, 25]) };
        if !self.habits.knows_nonces {
            // Without nonces a copy that arrives after the job's end makes a second backup, and no client can prevent that: the protocol
            // assumes that nonces are known. A copy that arrives at once meets the job.
            self.fault_percent = 0;
            for planned in &mut self.planned {
                if let Fault::Twice { gap, .. } = &mut planned.fault {
                    *gap = (*gap).min(seconds(5));
                }
            }
        }
    }

    /// In a tenth of the worlds the operator is replaced, half of the time while the first request may be under way.
    fn updates(&mut self, d: &mut Randomness) {
        if d.percent(10) {
            let latest = d.pick(&[5, 40 * MINUTE]);
            self.actions.push((Duration::from_millis(d.in_range(0..=latest * 1000)), Action::Stop));
        }
    }

    pub fn beginning(&self) -> Beginning {
        let mut randomness = Randomness::new(self.seed ^ 0x00c1_00d0);
        let until = self.begins + self.faults_until;
        let mut cloud = Cloud::new(self.habits.clone(), self.instances.clone(), randomness.fork());
        cloud.sts = self.sts.clone();
        Beginning {
            cloud,
            fault_plan: FaultPlan::new(self.planned.clone(), self.fault_percent, until, randomness.fork()),
            pace: self.pace.clone(),
            randomness: randomness.fork(),
            largest_page: self.largest_page,
            at: self.begins,
        }
    }

    /// The operator's configuration. It names no endpoint: the operator uses the region's host, as in production, and the script answers.
    pub fn configuration(&self, life: u32) -> String {
        let changed = self.accounts_after_a_crash.as_ref().filter(|_| life > 1);
        if let Some(accounts) = changed.or(self.accounts.as_ref()) {
            return accounts.clone();
        }
        let (signature, expiry) = (self.signature, self.expiry);
        format!(
            "accounts:\n  default:\n    regionId: cn-hangzhou\n    credentials: {{ type: Secret, name: rds-key }}\n    signature: {signature}\n    \
             protocol: {{ requestExpiry: {expiry} }}\n    allow: [{{ namespaces: [\"*\"], instances: [\"*\"], regions: [\"*\"] }}]\n"
        )
    }
}

pub fn create(namespace: &str, name: &str, spec: Value) -> Action {
    Action::Create { namespace: namespace.to_owned(), name: name.to_owned(), spec }
}
