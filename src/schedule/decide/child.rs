//! The backup that a run creates.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use super::times::whole_second;
use crate::{
    api::{
        BLACKOUT_ANNOTATION, NEXT_START_ANNOTATION, RdsBackup, RdsBackupSchedule, RdsBackupSpec, SCHEDULE_NAME_LABEL, SCHEDULE_UID_LABEL,
        SLOT_ANNOTATION, Span,
    },
    schedule::{
        policy::{BEFORE_THE_NEXT, SHORTEST_QUEUE},
        spec::digest,
    },
    time::SaturatingTime,
};

/// `<schedule>-<yyyyMMddHHmm>`, the slot in UTC without the jitter: the name is the lock.
pub(super) fn slot_name(schedule: &str, slot: Timestamp) -> String {
    format!("{schedule}-{}", slot.to_zoned(TimeZone::UTC).strftime("%Y%m%d%H%M"))
}

/// The slot that a backup of that name was created for; none for another name.
pub(super) fn slot_of(schedule: &str, name: &str) -> Option<Timestamp> {
    let rest = name.strip_prefix(schedule)?.strip_prefix('-')?;
    let digits = rest.split_once('-').map_or(rest, |(digits, _)| digits);
    let local = jiff::civil::DateTime::strptime("%Y%m%d%H%M", digits).ok()?;
    local.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// `<schedule>-m<10 digits of the token's SHA-256>`: the backup that a `trigger` makes.
pub fn manual_name(schedule: &str, token: &str) -> String {
    format!("{schedule}-m{}", trigger_hash(token))
}

/// What is remembered of a token: 10 digits of its SHA-256.
pub(super) fn trigger_hash(token: &str) -> String {
    digest(token, 5)
}

/// Whether a schedule of that name gives its backups such a name.
pub(super) fn is_child_name(schedule: &str, name: &str) -> bool {
    let Some(rest) = name.strip_prefix(schedule).and_then(|rest| rest.strip_prefix('-')) else { return false };
    let (first, second) = rest.split_once('-').map_or((rest, None), |(first, second)| (first, Some(second)));
    let is_hash = |text: &str| text.len() == 10 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    let is_slot = first.len() == 12 && first.bytes().all(|digit| digit.is_ascii_digit());
    (is_slot || first.strip_prefix('m').is_some_and(is_hash)) && second.is_none_or(is_hash)
}

/// The name of the same backup where something else has the first: its instance and its account are in it, so that it is another one for
/// every schedule that may have had the first name.
pub(super) fn second_name(first: &str, spec: &RdsBackupSpec) -> String {
    format!("{first}-{}", digest(&format!("{}\n{}", spec.db_instance_id, spec.account), 5))
}

/// When a backup is created for.
#[derive(Clone, Copy)]
pub(super) struct Timing {
    /// The slot that asks for it, and its start.
    pub slot: Option<(Timestamp, Timestamp)>,
    /// When the next one will start.
    pub next_start: Option<Timestamp>,
    /// When a blackout begins that it must not start in, if that is before the next one starts.
    pub blackout: Option<Timestamp>,
}

impl Timing {
    /// How long it may wait to be requested. What the template says is cut where a blackout begins.
    fn queue_timeout(&self, given: Option<Span>, now: Timestamp) -> Option<Span> {
        let until_next = self.next_start.map(|next| next.duration_since(now).saturating_sub(BEFORE_THE_NEXT).max(SHORTEST_QUEUE));
        let until_blackout = self.blackout.map(|begin| {
            let left = begin.duration_since(now);
            // One that is created just before it has half of the time that is left.
            left.saturating_sub(BEFORE_THE_NEXT).max(left / 2).max(SignedDuration::from_secs(1))
        });
        match (given, until_blackout) {
            (Some(given), Some(most)) if given.get().is_ok_and(|given| given > most) => Some(Span::of(most)),
            (Some(given), _) => Some(given),
            (None, most) => until_next.into_iter().chain(most).min().map(Span::of),
        }
    }
}

/// The backup of that name. `server_now` is the API server's time.
///
/// No owner reference: deleting a schedule leaves its backups. No label or annotation of the schedule itself: GitOps tools take those for
/// their own, and prune.
pub(super) fn child(schedule: &RdsBackupSchedule, name: &str, timing: Timing, now: Timestamp, server_now: Option<Timestamp>) -> RdsBackup {
    let template = &schedule.spec.template;
    let mut spec = template.spec.clone();
    let Timing { slot, next_start, blackout } = timing;
    spec.queue_timeout = timing.queue_timeout(spec.queue_timeout.take(), now);
    // A copy that comes back without its status ends unsent. The API server's clock will judge it, and ours may be hours away from that.
    let created_at = server_now.unwrap_or(now);
    let begins = slot.map_or(created_at, |(_, start)| start.max(created_at));
    let ends = begins.plus(spec.queue_timeout());
    spec.not_after = Some(whole_second(blackout.map_or(ends, |blackout| ends.min(blackout))));
    let metadata = template.metadata.clone().unwrap_or_default();
    let mut labels: BTreeMap<String, String> = metadata.labels;
    labels.insert(SCHEDULE_NAME_LABEL.to_owned(), schedule.metadata.name.clone().unwrap_or_default());
    labels.insert(SCHEDULE_UID_LABEL.to_owned(), schedule.metadata.uid.clone().unwrap_or_default());
    let mut annotations = metadata.annotations;
    if let Some((slot, _)) = slot {
        annotations.insert(SLOT_ANNOTATION.to_owned(), slot.to_string());
    }
    if let Some(next) = next_start {
        annotations.insert(NEXT_START_ANNOTATION.to_owned(), next.to_string());
    }
    if let Some(blackout) = blackout {
        annotations.insert(BLACKOUT_ANNOTATION.to_owned(), blackout.to_string());
    }
    let mut child = RdsBackup::new(name, spec);
    child.metadata.namespace.clone_from(&schedule.metadata.namespace);
    child.metadata.labels = Some(labels);
    child.metadata.annotations = (!annotations.is_empty()).then_some(annotations);
    child
}
