//! `/metrics` of the real operator: what is described occurs, follows the objects, survives a restart, and costs nobody a request.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use rds_backup_operator::metrics::ALL;
use rds_backup_sandbox::{
    rds::{Effect, Fault},
    world::{Operator, StartOperator},
};
use serde_json::json;

use crate::{
    cron::spec,
    site::{Site, at_site},
};

/// Names that a world without temporary keys cannot have: `credentials::a_backup_is_made_with_keys_of_rrsa_...` sees them.
const OF_TEMPORARY_KEYS: [&str; 2] = ["rdsbackup_credentials_expiry_timestamp_seconds", "rdsbackup_credentials_refreshes_total"];

/// And one that needs a set that the service does not delete: `deletion::phases::a_refused_deletion_keeps_the_object_...` sees it.
const OF_BLOCKED_DELETIONS: [&str; 1] = ["rdsbackup_backup_deletions_blocked"];

/// And one that only an account has that asks for it: `coverage::the_operator_counts_...` sees it.
const OF_COVERAGE: [&str; 1] = ["rdsbackup_uncovered_instances"];

async fn scrape(operator: &Operator) -> String {
    operator.get("/metrics").await.expect("an answer").body
}

fn names(text: &str) -> BTreeSet<String> {
    let typed = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    typed.map(|(name, _)| name.to_owned()).collect()
}

/// Scrapes until the text is as wanted, and notes every name that was seen.
async fn until(operator: &Operator, seen: &Mutex<BTreeSet<String>>, what: &str, wanted: impl Fn(&str) -> bool) -> String {
    let began = Instant::now();
    loop {
        let text = scrape(operator).await;
        seen.lock().expect("no thread panics with it").extend(names(&text));
        if wanted(&text) {
            return text;
        }
        assert!(began.elapsed() < Duration::from_secs(180), "{what} is not told:\n{text}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// What a scrape says of a schedule.
fn of_schedule(site: &Site, text: &str, schedule: &str) -> BTreeSet<String> {
    let labels = format!("{{namespace=\"{}\",schedule=\"{schedule}\"", site.namespace);
    text.lines().filter(|line| line.contains(&labels)).filter_map(|line| line.split_once('{')).map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn metrics_follow_the_objects_across_a_restart_and_a_scrape_asks_nothing() {
    at_site(|site| async move {
        let (kubeconfig, user) = site.account("metrics").await;
        let start = || StartOperator { kubeconfig: Some(kubeconfig.clone()), ..StartOperator::default() };
        let mut operator = site.operator_with(start()).await;
        let seen = Arc::new(Mutex::new(BTreeSet::new()));

        // A schedule of every minute, one that makes its backup now and fails, a backup that a person must act on, two of one instance,
        // and one whose answer is lost.
        site.apply_schedule("minutely", &spec(&site.instance("rm-mysql"), &json!({ "retention": { "keepLast": 20 } }))).await;
        let mut fails = spec(&site.instance("rm-mysqlcloud"), &json!({ "schedule": "0 0 29 2 *", "runOnCreate": true }));
        // Not on cloud disks.
        fails["template"]["spec"]["method"] = json!("Logical");
        site.apply_schedule("fails", &fails).await;
        site.apply("stalled", json!({ "dbInstanceId": site.instance("rm-mysql-stalled"), "account": "missing" })).await;
        let lost = site.instance("rm-mysql-lost");
        site.rds().add_fault(Fault::on("CreateBackup", Effect::LoseAnswer).instance(&lost).times(1));
        site.apply("lost", json!({ "dbInstanceId": lost, "method": "Physical" })).await;
        site.apply("waits", json!({ "dbInstanceId": lost, "method": "Physical" })).await;

        let described = ALL
            .iter()
            .map(|description| description.name)
            .filter(|name| !OF_TEMPORARY_KEYS.contains(name) && !OF_BLOCKED_DELETIONS.contains(name) && !OF_COVERAGE.contains(name));
        let described: BTreeSet<String> = described.map(str::to_owned).collect();
        let all_seen = seen.clone();
        until(&operator, &seen, "everything that can occur", |_| {
            let seen = all_seen.lock().expect("no thread panics with it");
            let missing: Vec<_> = described.difference(&seen).collect();
            println!("not seen yet: {missing:?}");
            missing.is_empty()
        })
        .await;
        let seen_so_far = seen.lock().expect("no thread panics with it").clone();
        assert_eq!(seen_so_far.difference(&described).collect::<Vec<_>>(), Vec::<&String>::new(), "every name is described");

        // A schedule's series are gone with it.
        site.patch_schedule("minutely", &json!({ "spec": { "suspend": true } })).await;
        site.delete_schedule("fails").await;
        until(&operator, &seen, "the deletion", |text| of_schedule(&site, text, "fails").is_empty()).await;
        let quiet = |text: &str| {
            let unfinished = format!("rdsbackup_schedule_active{{namespace=\"{}\",schedule=\"minutely\"}} 0", site.namespace);
            let over = ["Queued", "Submitting", "Resolving", "Running", "Finalizing"]
                .iter()
                .all(|phase| text.contains(&format!("rdsbackup_backups{{namespace=\"{}\",phase=\"{phase}\"}} 0\n", site.namespace)));
            text.contains(&unfinished)
                && over
                && !of_schedule(&site, text, "minutely").contains("rdsbackup_schedule_next_run_timestamp_seconds")
        };
        let before = of_schedule(&site, &until(&operator, &seen, "the end of all work", quiet).await, "minutely");
        assert!(before.contains("rdsbackup_schedule_last_success_start_timestamp_seconds"), "{before:?}");

        // Right after a restart they are all back, and nothing has to happen for it.
        assert!(operator.stop().await.unwrap().success());
        let again = site.operator_with(start()).await;
        let began = Instant::now();
        until(&again, &seen, "the schedule after a restart", |text| of_schedule(&site, text, "minutely") == before).await;
        assert!(began.elapsed() < Duration::from_secs(10), "{:?} after the restart", began.elapsed());

        // What a replica does by itself right after its start is over.
        tokio::time::sleep(Duration::from_secs(3)).await;
        let calls = || site.rds().calls().into_iter().filter(|call| call.instance.ends_with(&site.instance(""))).count();
        let writes = |site: &Site| site.audit().into_iter().filter(|event| event.user == user && event.write().is_some()).count();
        let asked = (calls(), writes(&site));
        for _ in 0..50 {
            scrape(&again).await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!((calls(), writes(&site)), asked, "a scrape wrote, or asked the cloud");
    });
}
