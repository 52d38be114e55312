use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{World, no_answer};
use crate::{
    accounts::CoverageSettings,
    controller::Fence,
    coverage::candidates,
    rds::{Engine, Instance, InstanceId, ListedInstance},
};

const NAME: &str = "rdsbackup_uncovered_instances";

/// Notes these instances for the account `prod`, as listed at that time.
pub(super) fn list(world: &World, ids: &[&str], change: impl FnOnce(&mut CoverageSettings), at: &str) {
    let of = |id: &&str| ListedInstance {
        instance: Instance {
            id: InstanceId::new(*id),
            engine: Engine::MySql,
            engine_version: None,
            status: "Running".into(),
            storage_type: None,
            instance_type: Some(if id.starts_with("rr-") { "Readonly" } else { "Primary" }.into()),
            primary_id: None,
            lock_mode: None,
            category: None,
            region_id: None,
        },
        description: None,
        zone_id: None,
        expires_at: None,
    };
    let (_, region, mut settings) = world.backups.accounts.coverage().into_iter().find(|(account, ..)| account == "prod").unwrap();
    change(&mut settings);
    world.listings.note("prod", &region, &settings, &candidates(ids.iter().map(of).collect()), at.parse().unwrap());
}

fn schedule(name: &str, account: &str, instance: &str) -> Value {
    json!({
        "metadata": { "namespace": "team-a", "name": name, "uid": name, "creationTimestamp": "2026-03-01T00:00:00Z" },
        "spec": { "schedule": "0 2 * * *", "template": { "spec": { "dbInstanceId": instance, "account": account } } },
    })
}

fn told(world: &World) -> BTreeMap<String, String> {
    world.series(NAME)
}

fn is(count: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(format!("{NAME}{{account=\"prod\"}}"), count.to_owned())])
}

#[tokio::test]
async fn an_instance_that_no_schedule_of_its_account_names_is_uncovered() {
    let broken = json!({ "metadata": { "namespace": "team-a", "name": "broken", "uid": "b" }, "spec": { "schedule": 7 } });
    let schedules = vec![schedule("a", "prod", "RM-1"), schedule("b", "spare", "rm-2"), schedule("c", "prod", "rm-9"), broken];
    let world = World::with(Vec::new(), schedules, Fence::none(), no_answer);
    list(&world, &["rm-1", "rm-2", "rm-3", "rr-1"], |_| {}, "2026-03-01T11:30:00Z");
    assert_eq!(told(&world), is("2"), "rm-2, which only another account's schedule names, and rm-3; not the replica");
    list(&world, &["rm-1"], |_| {}, "2026-03-01T11:30:00Z");
    assert_eq!(told(&world), is("0"), "that it is none is known");
}

/// The clock of the world stands at 12:00, and the interval is an hour.
#[tokio::test]
async fn what_is_not_known_has_no_series() {
    let world = World::of(Vec::new(), Vec::new());
    assert_eq!(told(&world), BTreeMap::new(), "before the first listing");
    list(&world, &["rm-1"], |_| {}, "2026-03-01T09:00:00Z");
    assert_eq!(told(&world), is("1"), "two listings may fail");
    list(&world, &["rm-1"], |_| {}, "2026-03-01T08:59:59Z");
    assert_eq!(told(&world), BTreeMap::new(), "too long ago");
    list(&world, &["rm-1"], |settings| settings.tags.clear(), "2026-03-01T11:30:00Z");
    assert_eq!(told(&world), BTreeMap::new(), "it was listed with other tags than are asked for now");
}

#[tokio::test]
async fn a_standby_and_an_account_that_does_not_ask_for_it_have_none() {
    let standby = World::with(Vec::new(), Vec::new(), Fence::shut(), no_answer);
    list(&standby, &["rm-1"], |_| {}, "2026-03-01T11:30:00Z");
    assert_eq!(told(&standby), BTreeMap::new());
    let world = World::of(Vec::new(), Vec::new());
    list(&world, &["rm-1"], |_| {}, "2026-03-01T11:30:00Z");
    let text = super::CONFIG.replace("    coverage: { every: 1h, tags: { backup: daily } }\n", "");
    let crate::config::Config { submissions, accounts, .. } = crate::config::Config::parse(&text).unwrap();
    world.backups.accounts.replace(accounts, submissions);
    assert_eq!(told(&world), BTreeMap::new());
}
