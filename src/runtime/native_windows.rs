//! Reads the backup policy of the instances whose own backup window a schedule keeps clear (`notDuring`), and wakes the schedules where the
//! window, or what is known of it, has changed. The passes of schedules themselves call no cloud.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use futures::{StreamExt, channel::mpsc::UnboundedSender, stream};
use jiff::{SignedDuration, Timestamp};
use kube::{Resource, runtime::reflector::ObjectRef};
use tracing::{info, warn};

use crate::{
    api::{NativeWindow, RdsBackupSpec, Weekday},
    audit::Target,
    backup::Context,
    rds::{BackupWindow, CallError, ErrorKind, InstanceId},
    schedule::{
        self,
        native::{Reading, target_of},
    },
    time::SaturatingTime,
};

/// How often it is looked which policy is due: a new schedule waits for its first reading about so long.
const LOOK: Duration = Duration::from_secs(1);

/// How often a policy is read. Up to an eighth of it is taken off, by the instance, so that not all are read at once.
const EVERY: SignedDuration = SignedDuration::from_hours(6);

/// After a reading that failed the next one follows after 1 min, 2 min, 4 min ... up to 10 min: a right that was granted is seen soon.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_mins(1);
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_mins(10);

/// So many policies are read at the same time: backups come first, and one key that hangs holds up few.
const AT_ONCE: usize = 4;

/// A reading with its key takes no longer.
const TIMEOUT: Duration = Duration::from_secs(40);

/// Where schedules are woken.
pub(super) type Waking = UnboundedSender<ObjectRef<schedule::Guarded>>;

/// When a policy is read next, and how often in a row that failed.
#[derive(Clone, Copy, Debug)]
struct Due {
    at: Timestamp,
    failures: u32,
}

/// A policy that is asked for: by this spec, first of all of the same target, and for these schedules.
struct Wanted {
    spec: RdsBackupSpec,
    schedules: Vec<ObjectRef<schedule::Guarded>>,
}

/// Never ends. Only the replica that leads reads.
pub(super) async fn run(context: Arc<Context>, schedules: Arc<schedule::Context>, waking: Waking) {
    let mut replacements = context.accounts.replacements();
    let mut known: BTreeMap<Target, Due> = BTreeMap::new();
    loop {
        if context.cluster.may_begin().is_ok() {
            let wanted = wanted(&schedules);
            known.retain(|target, _| wanted.contains_key(target));
            schedules.native_windows.retain(|target| wanted.contains_key(target));
            let now = context.clock.now();
            let due = wanted.iter().filter(|(target, _)| known.get(target).is_none_or(|due| due.at <= now));
            let reads = due.map(|(target, wanted)| {
                let context = context.clone();
                async move { (target, wanted, read(&context, target, &wanted.spec).await) }
            });
            let mut reads = stream::iter(reads.collect::<Vec<_>>()).buffer_unordered(AT_ONCE);
            while let Some((target, wanted, result)) = reads.next().await {
                let before = known.get(target).map_or(0, |due| due.failures);
                let failures = if result.is_ok() { 0 } else { before.saturating_add(1) };
                known.insert(target.clone(), Due { at: context.clock.now().plus(pause(target, failures)), failures });
                let is_news = match result {
                    Ok(window) => {
                        if before > 0 {
                            info!(target.account, target.namespace, target.instance, "the backup policy is read again");
                        }
                        schedules.native_windows.note(target, Reading::Window(window))
                    }
                    Err(None) => false,
                    Err(Some(why)) => {
                        let is_news = schedules.native_windows.note(target, Reading::Unreadable(why.clone()));
                        if is_news {
                            warn!(target.account, target.namespace, target.instance, %why, "the backup policy cannot be read for notDuring");
                        }
                        is_news
                    }
                };
                // A closed channel means that the process is about to end.
                wanted.schedules.iter().filter(|_| is_news).for_each(|schedule| _ = waking.unbounded_send(schedule.clone()));
            }
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            // Another key may have the right that was missing. The accounts live as long as this task.
            _ = replacements.changed() => known.retain(|_, due| due.failures == 0),
        }
    }
}

/// The policies that the schedules ask for.
fn wanted(schedules: &schedule::Context) -> BTreeMap<Target, Wanted> {
    let mut all: BTreeMap<Target, Wanted> = BTreeMap::new();
    for guarded in schedules.cached() {
        let Ok(schedule) = &guarded.0 else { continue };
        let Some(target) = target_of(schedule).filter(|_| schedule.meta().deletion_timestamp.is_none()) else { continue };
        let spec = || Wanted { spec: schedule.spec.template.spec.clone(), schedules: Vec::new() };
        all.entry(target).or_insert_with(spec).schedules.push(ObjectRef::from_obj(guarded.as_ref()));
    }
    all
}

fn pause(target: &Target, failures: u32) -> SignedDuration {
    match failures {
        0 => {
            let mut hasher = DefaultHasher::new();
            target.hash(&mut hasher);
            let less = i64::try_from(hasher.finish() % u64::try_from(EVERY.as_secs() / 8).unwrap_or(1)).unwrap_or_default();
            EVERY.saturating_sub(SignedDuration::from_secs(less))
        }
        _ => FIRST_PAUSE.saturating_mul(1 << (failures - 1).min(4)).min(LONGEST_PAUSE),
    }
}

/// The window of an instance; why there is none, or nothing where the account's own pace allowed no call.
async fn read(context: &Context, target: &Target, spec: &RdsBackupSpec) -> Result<NativeWindow, Option<String>> {
    let reading = async {
        let Context { accounts, cluster, .. } = context;
        if cluster.watches(&target.namespace) && accounts.asks_for_labels(&target.account) {
            accounts.labels().note(&target.namespace, cluster.labels(&target.namespace).await);
        }
        let access = accounts.access(&target.namespace, spec, None).map_err(|error| Some(error.to_string()))?;
        let credentials = access.credentials().await.map_err(|error| Some(error.to_string()))?;
        let policy = access.client.describe_backup_policy(&credentials, &InstanceId::new(&target.instance)).await;
        let policy = policy.map_err(|error| in_words(&error, target))?;
        let unknown =
            || Some("the service's answer names no window that can be read (PreferredBackupPeriod, PreferredBackupTime)".to_owned());
        policy.value.window.as_ref().map(window_of).ok_or_else(unknown)
    };
    let late = |_| Some(format!("no answer within {} s", TIMEOUT.as_secs()));
    tokio::time::timeout(TIMEOUT, reading).await.unwrap_or_else(|elapsed| Err(late(elapsed)))
}

fn in_words(error: &CallError, target: &Target) -> Option<String> {
    match error {
        CallError::Paused { .. } | CallError::Withdrawn => None,
        CallError::Api(error) if error.kind() == ErrorKind::AccessDenied => Some(format!(
            "the RAM user or role of the account may not call rds:DescribeBackupPolicy on acs:rds:*:*:dbinstance/{}: grant it ({})",
            target.instance, error.code
        )),
        // Its own words may differ from answer to answer, and each difference would be a write of the schedules.
        CallError::Api(error) => Some(format!("the service answered DescribeBackupPolicy with {}. {}", error.code, error.meaning().cure)),
        error => Some(error.to_string()),
    }
}

/// As schedules write windows.
fn window_of(BackupWindow { days, from, to }: &BackupWindow) -> NativeWindow {
    use jiff::civil::Weekday as Day;

    let day = |day: &Day| match day {
        Day::Monday => Weekday::Mon,
        Day::Tuesday => Weekday::Tue,
        Day::Wednesday => Weekday::Wed,
        Day::Thursday => Weekday::Thu,
        Day::Friday => Weekday::Fri,
        Day::Saturday => Weekday::Sat,
        Day::Sunday => Weekday::Sun,
    };
    let time = |minutes: u16| format!("{:02}:{:02}", minutes / 60, minutes % 60);
    NativeWindow { days: days.iter().map(day).collect(), from: time(*from), to: time(*to) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rds::ApiError;

    fn target(instance: &str) -> Target {
        Target { account: "prod".to_owned(), namespace: "team-a".to_owned(), instance: instance.to_owned() }
    }

    #[test]
    fn readings_are_spread_and_failures_are_tried_again_after_growing_pauses() {
        let hours = |instance: &str| pause(&target(instance), 0);
        let pauses: std::collections::BTreeSet<_> = (0..20).map(|number| hours(&format!("rm-{number}"))).collect();
        assert!(pauses.len() > 15 && pauses.iter().all(|pause| *pause <= EVERY && *pause > EVERY * 7 / 8), "{pauses:?}");
        let minutes: Vec<i64> = (1..8).map(|failures| pause(&target("rm-1"), failures).as_mins()).collect();
        assert_eq!(minutes, [1, 2, 4, 8, 10, 10, 10]);
    }

    #[test]
    fn a_reading_that_fails_in_the_same_way_is_told_in_the_same_words() {
        let said = |message: &str| {
            let error = ApiError {
                code: "InternalError".to_owned(),
                message: message.to_owned(),
                request_id: None,
                http_status: 500,
                retry_after: None,
                action: Some("DescribeBackupPolicy"),
            };
            in_words(&CallError::Api(error), &target("rm-1")).unwrap()
        };
        assert_eq!(said("try again, node 17"), said("try again, node 4"));
        assert!(said("").starts_with("the service answered DescribeBackupPolicy with InternalError. "), "{}", said(""));
        assert_eq!(in_words(&CallError::Withdrawn, &target("rm-1")), None, "nothing was asked");
    }

    #[test]
    fn a_window_is_written_as_schedules_write_it() {
        use jiff::civil::Weekday as Day;

        let window = window_of(&BackupWindow { days: vec![Day::Monday, Day::Sunday], from: 23 * 60 + 5, to: 24 * 60 });
        assert_eq!(window.to_string(), "Mon, Sun 23:05 to 24:00 UTC");
    }
}
