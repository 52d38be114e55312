//! `retention`: which of the usable backups of a schedule go, and what the status says of it.
//!
//! Only usable successes count: those whose set the newest audit saw. A backup that is held is neither counted nor removed. The floor,
//! `keepAtLeast`, is broken by nothing. Nothing is removed in doubt.

use jiff::{SignedDuration, Timestamp};

use super::{child::is_child_name, draft::Draft, history::ended};
use crate::{
    api::{DeletionPolicy, Phase, Reason, ScheduleCondition},
    controller::Event,
    schedule::{
        observation::{Child, Set},
        policy::{LIVE_AUDIT, OLDEST_AUDIT},
        spec::Retention,
    },
    time::SaturatingTime,
};

/// What the rules come to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan<'a> {
    /// Those that go, oldest first.
    pub removed: Vec<&'a Child>,
    /// How many usable ones stay, held ones apart.
    pub kept: usize,
    /// How many of those that have no set any more go, by `successfulHistoryLimit`: they are records only.
    pub records: Vec<&'a Child>,
    /// Successes that the rules cannot judge: no audit has seen their sets within two days.
    pub unseen: usize,
    /// A set would be deleted, and the newest look at it is not new enough: an audit is asked for.
    pub wants_audit: bool,
}

/// Which backups go. `history` is how many successes without a set are kept as records.
pub(super) fn plan<'a>(rules: &Retention, history: usize, schedule: &str, children: &'a [Child], now: Timestamp) -> Plan<'a> {
    let is_made = |child: &Child| child.has_schedule_uid && is_child_name(schedule, &child.name) && child.same_target;
    let counts = |child: &&Child| is_made(child) && child.phase == Phase::Succeeded && !child.held && !child.is_being_deleted;
    let mut all: Vec<_> = children.iter().filter(counts).filter_map(|child| Some((ended(child)?, child))).collect();
    all.sort_by(|a, b| b.0.cmp(&a.0));
    let seen_since = |age: SignedDuration| move |child: &Child| matches!(child.set, Set::Seen { at } if now <= at.plus(age));
    let (was_seen, is_live) = (seen_since(OLDEST_AUDIT), seen_since(LIVE_AUDIT));
    let usable: Vec<(Timestamp, &Child)> = all.iter().filter(|(_, child)| was_seen(child)).map(|((at, _), child)| (*at, *child)).collect();
    let unseen = all.iter().filter(|(_, child)| matches!(child.set, Set::Seen { .. } | Set::Unseen) && !was_seen(child)).count();
    let goes = |index: usize, at: Timestamp| {
        let too_many = rules.keep_last.is_some_and(|most| index >= most);
        let too_old = rules.max_age.is_some_and(|age| now > at.plus(age));
        index >= rules.keep_at_least && (too_many || too_old)
    };
    let beyond = usable.iter().enumerate().filter(|(index, (at, _))| goes(*index, *at)).map(|(_, (_, child))| *child);
    let mut removed: Vec<&Child> = beyond.collect();
    let kept = usable.len().saturating_sub(removed.len());
    removed.reverse();
    // Where sets go too, the service must have shown the floor a moment ago.
    let floor_is_live = usable.iter().take(rules.keep_at_least).all(|(_, child)| is_live(child));
    let wants_audit = removed.iter().any(|child| child.deletes_set) && !floor_is_live;
    if wants_audit {
        removed.retain(|child| !child.deletes_set);
    }
    let gone = all.iter().filter(|(_, child)| child.set == Set::Gone);
    let mut records: Vec<&Child> = gone.skip(history).map(|(_, child)| *child).collect();
    records.reverse();
    Plan { removed, kept, records, unseen, wants_audit }
}

impl Draft<'_> {
    /// What the status says of the rules; nothing without rules.
    pub fn retention(&mut self, rules: Option<&Retention>, plan: Option<&Plan<'_>>) {
        let (Some(_), Some(plan)) = (rules, plan) else {
            self.drop_condition(ScheduleCondition::Retention);
            self.status.retained = None;
            return;
        };
        self.status.retained = i32::try_from(plan.kept).ok();
        let refused = &self.observed.memory.refused_deletions;
        let refusal = plan.removed.iter().find_map(|child| Some((child.name.as_str(), refused.get(&child.name)?.message.as_str())));
        let blocked = match refusal {
            Some((name, message)) => Some(format!("{name} may not be deleted: {message}")),
            None if plan.unseen > 0 && self.observed.audits_are_due => Some(format!(
                "of {} successful backups nobody has seen the sets for two days; they are neither counted nor removed until an audit has. Look at the operator's log",
                plan.unseen
            )),
            None => None,
        };
        if let Some(why) = blocked {
            let known = self.observed.status.condition(ScheduleCondition::Retention).is_some_and(|said| said.status == "False");
            if !known {
                self.events.push(Event::new(true, Reason::RetentionBlocked, why.clone()));
            }
            return self.set(ScheduleCondition::Retention, "False", Reason::RetentionBlocked, &why);
        }
        let sets_go = self.spec.template.spec.deletion_policy == Some(DeletionPolicy::Delete);
        let (reason, what) = match sets_go {
            true => (Reason::RetentionApplied, "older ones are deleted with their sets, as far as the service deletes sets"),
            false => (
                Reason::ObjectsOnly,
                "of older ones the RdsBackup objects are deleted and the sets stay: nothing is freed in the cloud. retentionDays, or the instance's backup policy, says how long sets stay",
            ),
        };
        self.set(ScheduleCondition::Retention, "True", reason, &format!("{} usable backups are kept; {what}", plan.kept));
    }
}
