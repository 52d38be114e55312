//! One random history: users edit, pause, resume, trigger and delete, the operator looks, is killed and begins again. Then the laws are
//! checked: every slot that is owed was run or counted, once; every trigger was run once or has an event; nothing else was made.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use rds_backup_operator::api::{Reason, SLOT_ANNOTATION, Time};

use super::{
    randomness::Randomness,
    reference::{Asked, BLACKOUTS, EXPRESSIONS, Segment, is_due, owed},
    world::{Deed, NAME, Stored, World, instant, maker, second},
};

/// Six hours, and one more in which users are quiet.
const LASTS: i64 = 6 * 3600;
const QUIET: i64 = 3600;

const TOKENS: [&str; 6] = ["a", "b", "c", "release-1", "release-2", "by-hand"];
const INSTANCES: [&str; 2] = ["rm-1", "rm-2"];

/// How often something happened.
#[derive(Default)]
pub struct Counts {
    edits: u64,
    resumes: u64,
    triggers: u64,
    deletions: u64,
    restarts: u64,
    recreations: u64,
    /// Slots that a blackout skipped, and starts that one moved.
    skipped: u64,
    deferred: u64,
}

impl Counts {
    pub fn add(&mut self, other: &Self) {
        let Self { edits, resumes, triggers, deletions, restarts, recreations, skipped, deferred } = other;
        self.edits += edits;
        self.resumes += resumes;
        self.triggers += triggers;
        self.deletions += deletions;
        self.restarts += restarts;
        self.recreations += recreations;
        self.skipped += skipped;
        self.deferred += deferred;
    }

    pub fn all(&self) -> [u64; 8] {
        let Self { edits, resumes, triggers, deletions, restarts, recreations, skipped, deferred } = self;
        [*edits, *resumes, *triggers, *deletions, *restarts, *recreations, *skipped, *deferred]
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [edits, resumes, triggers, deletions, restarts, recreations, skipped, deferred] = self.all();
        write!(
            f,
            "{edits} edits, {resumes} resumes, {triggers} triggers, {deletions} deletions of backups, {restarts} restarts of the operator, \
             {recreations} schedules deleted and created again, {skipped} slots skipped for a blackout, {deferred} started after one"
        )
    }
}

/// A trigger that a user wrote, until the operator has seen it.
struct Setting {
    token: String,
    /// How many deeds there were before.
    since: usize,
    /// The schedule was created with it, and not edited since.
    is_first: bool,
    /// An event may be lost when the operator is killed between the status and the event.
    was_killed: bool,
}

struct History {
    world: World,
    randomness: Randomness,
    asked: Asked,
    segments: Vec<Segment>,
    setting: Option<Setting>,
    /// Triggers that the operator has seen in this schedule.
    seen_tokens: BTreeSet<String>,
    /// Where the deeds of this schedule begin.
    deeds_from: usize,
    is_seen: bool,
    down_until: Option<i64>,
    look_at: i64,
    counts: Counts,
    broken: Vec<String>,
}

/// Runs the history of a seed. What happened in it, and the laws that were broken.
pub fn run(seed: u64) -> (Counts, Vec<String>) {
    let mut randomness = Randomness::new(seed);
    let asked = any_timing(&mut randomness, false);
    let now = randomness.within(0, 600);
    let world = World::new(now, "rm-1", asked, None);
    let mut history = History {
        world,
        randomness,
        asked,
        segments: Vec::new(),
        setting: None,
        seen_tokens: BTreeSet::new(),
        deeds_from: 0,
        is_seen: false,
        down_until: None,
        look_at: now,
        counts: Counts::default(),
        broken: Vec::new(),
    };
    history.begin_segment();
    history.live();
    (history.counts, history.broken)
}

fn any_timing(randomness: &mut Randomness, suspend: bool) -> Asked {
    let expression = usize::try_from(randomness.within(0, 5)).expect("an index");
    Asked { expression, jitter: *randomness.pick(EXPRESSIONS[expression].jitters), blackouts: any_blackouts(randomness), suspend }
}

fn any_blackouts(randomness: &mut Randomness) -> usize {
    usize::try_from(randomness.within(0, i64::try_from(BLACKOUTS.len()).expect("few") - 1)).expect("an index")
}

impl History {
    fn live(&mut self) {
        let mut acts_at = self.world.now + self.randomness.within(1, 600);
        while self.world.now < LASTS + QUIET {
            let next_end = self.world.backups.iter().map(|stored| stored.ends_at).filter(|at| *at > self.world.now).min();
            let acts = if acts_at < LASTS { acts_at } else { i64::MAX };
            let up = self.down_until.unwrap_or(self.look_at);
            self.world.now = [next_end.unwrap_or(i64::MAX), acts, up].into_iter().min().unwrap_or(i64::MAX).min(LASTS + QUIET);
            let mut has_changed = self.world.let_end();
            if self.world.now == acts {
                has_changed |= self.act();
                let pause = if self.randomness.percent(30) { self.randomness.within(1, 40) } else { self.randomness.within(30, 1500) };
                acts_at = self.world.now + pause;
            }
            if self.down_until.is_some_and(|until| self.world.now >= until) {
                self.down_until = None;
                self.world.restart();
                has_changed = true;
            }
            if self.down_until.is_none() && (has_changed || self.world.now >= self.look_at) {
                self.look();
            }
        }
        self.check_schedule();
    }

    fn look(&mut self) {
        let (may_die, deeds) = (self.world.now < LASTS, self.world.deeds.len());
        match self.world.look(&mut self.randomness, if may_die { 1 } else { 0 }) {
            None => {
                // A status that it wrote before it was killed tells of this look.
                let has_written = self.world.deeds[deeds..].iter().any(|deed| matches!(deed, Deed::Wrote { .. }));
                if let Some(segment) = self.segments.last_mut().filter(|_| has_written) {
                    segment.looked(self.world.now);
                }
                self.kill();
            }
            Some(again) => {
                self.look_at = again.max(self.world.now + 1);
                self.is_seen = true;
                if let Some(segment) = self.segments.last_mut() {
                    segment.looked(self.world.now);
                }
                self.check_setting();
            }
        }
    }

    fn kill(&mut self) {
        self.counts.restarts += 1;
        if let Some(setting) = &mut self.setting {
            setting.was_killed = true;
        }
        let lasts = if self.randomness.percent(50) { self.randomness.within(1, 30) } else { self.randomness.within(60, 5400) };
        self.down_until = Some((self.world.now + lasts).min(LASTS.max(self.world.now + 1)));
    }

    /// A user, or the node, does something. Whether the operator is told.
    fn act(&mut self) -> bool {
        let kind = self.randomness.within(1, 100);
        match kind {
            1..=12 if self.down_until.is_none() => {
                self.kill();
                false
            }
            13..=40 if self.is_seen => self.edit(),
            41..=55 if self.is_seen => {
                self.counts.resumes += u64::from(self.asked.suspend);
                self.ask(Asked { suspend: !self.asked.suspend, ..self.asked })
            }
            // Also before the first look at a schedule: kubectl apply, then kubectl patch.
            56..=80 if self.is_seen || self.world.schedule.status.is_none() => self.set_trigger(),
            81..=94 => self.delete_a_backup(),
            95..=100 if self.is_seen && self.down_until.is_none() => self.recreate(),
            _ => false,
        }
    }

    fn edit(&mut self) -> bool {
        self.counts.edits += 1;
        let other = any_timing(&mut self.randomness, self.asked.suspend);
        let jitter = *self.randomness.pick(EXPRESSIONS[self.asked.expression].jitters);
        let asked = match self.randomness.within(1, 4) {
            1 | 2 => other,
            3 => Asked { jitter, ..self.asked },
            _ => Asked { blackouts: other.blackouts, ..self.asked },
        };
        self.ask(asked)
    }

    fn ask(&mut self, asked: Asked) -> bool {
        if asked == self.asked {
            return false;
        }
        let status = self.world.status();
        let promised = status.next_runs.first().and_then(|run| Some((second(run.slot.as_ref()?.0), second(run.start.0))));
        if status.next_schedule_time != status.next_runs.first().map(|run| run.start.clone()) {
            self.broken.push(format!("nextRuns does not begin at nextScheduleTime: {status:?}"));
        }
        if let Some(segment) = self.segments.last_mut() {
            segment.promised = promised;
        }
        self.asked = asked;
        self.world.ask(asked);
        self.begin_segment();
        true
    }

    fn begin_segment(&mut self) {
        self.is_seen = false;
        self.segments.push(Segment { from: self.world.now, asked: self.asked, last_look: None, last_in_light: None, promised: None });
    }

    fn set_trigger(&mut self) -> bool {
        let token = (*self.randomness.pick(&TOKENS)).to_owned();
        let token = if self.randomness.percent(20) { None } else { Some(token) };
        if self.world.schedule.spec.trigger == token {
            return false;
        }
        self.counts.triggers += 1;
        self.world.trigger(token.as_deref());
        self.expect_trigger(token, false);
        self.is_seen = false;
        true
    }

    fn expect_trigger(&mut self, token: Option<String>, is_first: bool) {
        let since = self.world.deeds.len();
        self.setting = token.map(|token| Setting { token, since, is_first, was_killed: false });
    }

    /// One that the operator has come to rest with; sometimes a finalizer keeps it.
    fn delete_a_backup(&mut self) -> bool {
        if !self.is_seen || self.down_until.is_some() || self.world.backups.is_empty() {
            return false;
        }
        self.counts.deletions += 1;
        let places: Vec<usize> = (0..self.world.backups.len()).collect();
        // The newest ones are the interesting ones.
        let place = *self.randomness.pick(&places[places.len().saturating_sub(4)..]);
        if self.randomness.percent(40) {
            let Stored { object, ends_at, .. } = &mut self.world.backups[place];
            object.metadata.deletion_timestamp = Some(Time(instant(self.world.now)));
            *ends_at = i64::MAX;
        } else {
            self.world.backups.remove(place);
        }
        true
    }

    fn recreate(&mut self) -> bool {
        self.check_schedule();
        self.counts.recreations += 1;
        let instance = *self.randomness.pick(&INSTANCES);
        self.asked = any_timing(&mut self.randomness, false);
        let token = if self.randomness.percent(50) { Some(*self.randomness.pick(&TOKENS)) } else { None };
        self.world.create_schedule(instance, self.asked, token);
        self.segments.clear();
        self.seen_tokens.clear();
        self.deeds_from = self.world.deeds.len();
        self.expect_trigger(token.map(str::to_owned), true);
        self.begin_segment();
        // The operator may be down when it is created.
        if self.randomness.percent(30) {
            self.kill();
        }
        true
    }

    fn uid(&self) -> Option<String> {
        self.world.schedule.metadata.uid.clone()
    }

    /// The backups of the tokens that this schedule made, and how often.
    fn made_by_hand(&self) -> BTreeMap<String, usize> {
        let mut made = BTreeMap::new();
        for deed in &self.world.deeds[self.deeds_from..] {
            if let Deed::Created { backup, of, .. } = deed
                && maker(backup) == self.uid().as_ref()
                && slot_of(deed).is_none()
            {
                *made.entry(of.spec.trigger.clone().unwrap_or_default()).or_default() += 1;
            }
        }
        made
    }

    /// The operator has seen a trigger: it made one backup for it, now or ever, or an event says why not.
    fn check_setting(&mut self) {
        let Some(Setting { token, since, is_first, was_killed }) = self.setting.take() else { return };
        let made = self.made_by_hand().get(&token).copied().unwrap_or_default();
        let is_told = |wanted: Reason| {
            let about =
                |deed: &Deed| matches!(deed, Deed::Announced { reason, trigger } if *reason == wanted && trigger.as_ref() == Some(&token));
            self.world.deeds[since..].iter().any(about)
        };
        let (recorded, used) = (is_told(Reason::TriggerRecorded), is_told(Reason::TriggerUsed));
        let was_seen = !self.seen_tokens.insert(token.clone());
        let created_since = self.world.deeds[since..].iter().any(|deed| matches!(deed, Deed::Created { .. }) && slot_of(deed).is_none());
        let is_edited = self.world.schedule.metadata.generation.is_some_and(|generation| generation > 1);
        let law = if is_first && !is_edited {
            (recorded || was_killed) && made == 0
        } else if was_seen {
            (used || was_killed) && !created_since
        } else {
            made == 1 || made == 0 && (used || was_killed) && self.made_before(&token)
        };
        if !law {
            self.broken.push(format!(
                "the trigger {token:?} at {}: {made} backups, recorded {recorded}, used {used}, first {is_first}, seen before {was_seen}",
                self.world.now
            ));
        }
    }

    /// Whether an earlier schedule of the name made the backup of a slot, of the same instance.
    fn ran_before(&self, slot: i64) -> bool {
        let instance = &self.world.schedule.spec.template.spec.db_instance_id;
        self.world.deeds[..self.deeds_from].iter().any(|deed| {
            slot_of(deed) == Some(slot) && matches!(deed, Deed::Created { backup, .. } if backup.spec.db_instance_id == *instance)
        })
    }

    /// Whether an earlier schedule of the name made a backup of the trigger, of the same instance.
    fn made_before(&self, token: &str) -> bool {
        let instance = &self.world.schedule.spec.template.spec.db_instance_id;
        self.world.deeds[..self.deeds_from].iter().any(|deed| match deed {
            Deed::Created { backup, of, .. } => {
                slot_of(deed).is_none() && of.spec.trigger.as_deref() == Some(token) && backup.spec.db_instance_id == *instance
            }
            _ => false,
        })
    }

    /// What the present schedule owes, against what it did.
    fn check_schedule(&mut self) {
        let (uid, mut owed) = (self.uid(), owed(&self.segments, NAME));
        let mut run = BTreeSet::new();
        let mut broken = Vec::new();
        for deed in &self.world.deeds[self.deeds_from..] {
            match deed {
                Deed::Created { at, backup, of } => {
                    if maker(backup) != uid.as_ref() {
                        continue;
                    }
                    if backup.spec.db_instance_id != of.spec.template.spec.db_instance_id {
                        broken.push(format!("a backup of {} at {at}", backup.spec.db_instance_id));
                    }
                    if let Some(slot) = slot_of(deed) {
                        // Also one that was made just before the operator was killed.
                        owed.extend(is_due(&self.segments, NAME, slot, *at).then_some(slot));
                        let asked = self.segments.iter().rev().find(|segment| segment.from <= *at).map(|segment| segment.asked);
                        if asked.is_some_and(|asked| asked.is_dark(*at)) {
                            broken.push(format!("the slot {slot} was run in a blackout, at {at}"));
                        }
                        if of.spec.suspend {
                            broken.push(format!("the slot {slot} was run while the schedule was suspended"));
                        }
                        if !run.insert(slot) {
                            broken.push(format!("the slot {slot} was run twice"));
                        }
                    }
                }
                Deed::Wrote { before, after, at, holds_up } => {
                    let skipped = |status: &rds_backup_operator::api::RdsBackupScheduleStatus| {
                        status.skipped_overlap.as_ref().map_or(0, |skipped| skipped.count)
                    };
                    if skipped(after) > skipped(before) && !holds_up {
                        broken.push(format!("a slot was skipped at {at} for a backup that held up nothing"));
                    }
                    if let Some(slot) = after.last_backup.as_ref().and_then(|last| last.slot.as_ref()) {
                        run.insert(second(slot.0));
                    }
                }
                Deed::Announced { .. } => {}
            }
        }
        // A backup that an earlier schedule of the name made is found before the end of the blackout that its slot would wait for.
        owed.extend(run.iter().copied().filter(|slot| self.ran_before(*slot)));
        if let Some((token, count)) = self.made_by_hand().iter().find(|(_, count)| **count > 1) {
            broken.push(format!("the trigger {token:?} made {count} backups"));
        }
        if let Some(slot) = run.iter().find(|slot| !owed.contains(slot)) {
            broken.push(format!("the slot {slot} was run and was not owed: {:?}", self.segments));
        }
        let status = self.world.status();
        let at_the_end = |slot: &i64| self.segments.iter().any(|segment| segment.asked.is_dark(slot + segment.asked.offset(NAME)));
        self.counts.deferred += u64::try_from(run.iter().filter(|slot| at_the_end(slot)).count()).expect("few");
        self.counts.skipped += status.skipped_blackout.as_ref().map_or(0, |skipped| u64::try_from(skipped.count).expect("few"));
        let missed = status.missed_runs.map_or(0, |missed| missed.count);
        let skipped = [status.skipped_overlap, status.skipped_blackout].iter().flatten().map(|skipped| skipped.count).sum::<i64>();
        let accounted = i64::try_from(run.len()).expect("few") + missed + skipped;
        // A slot that an earlier schedule of the name has run for the same instance needs no other backup, while that one's object stands.
        let inherited = owed.difference(&run).filter(|slot| self.ran_before(**slot)).count();
        let (most, least) = (owed.len(), owed.len() - inherited);
        if !(i64::try_from(least).expect("few")..=i64::try_from(most).expect("few")).contains(&accounted) {
            let left: Vec<&i64> = owed.difference(&run).collect();
            broken.push(format!(
                "{} slots are owed; {} were run, {missed} missed, {skipped} skipped; not run: {left:?}; {:?}",
                owed.len(),
                run.len(),
                self.segments
            ));
        }
        self.broken.extend(broken);
    }
}

/// The slot that a backup was created for.
fn slot_of(deed: &Deed) -> Option<i64> {
    let Deed::Created { backup, .. } = deed else { return None };
    let slot = backup.metadata.annotations.as_ref()?.get(SLOT_ANNOTATION)?;
    slot.parse().ok().map(second)
}
