//! A large account: how many calls it takes, and how long. `cargo test --test fleet thousand -- --nocapture` prints the figures.

use std::{collections::BTreeMap, time::Instant};

use rds_backup_sandbox::rds::{Catalogue, Engine};
use serde_json::json;

use crate::world::{World, daily, schedule, success};

/// The calls since `before`, by action.
fn calls(world: &World, before: usize) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for call in world.endpoint.calls().into_iter().skip(before) {
        *counts.entry(call.action).or_default() += 1;
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_instances_take_ten_calls_and_their_sets_one_more_each() {
    let mut catalogue = Catalogue::empty();
    for number in 0..1000 {
        catalogue = catalogue.with(&format!("rm-{number:04}"), daily(Engine::MySQL, "8.0", "local_ssd"));
    }
    let world = World::new(catalogue).await;
    world.has(|objects| {
        for number in 0..990 {
            let (name, instance) = (format!("s-{number:04}"), format!("rm-{number:04}"));
            objects.schedules.push(schedule(&name, &instance, &json!({})));
            objects.backups.push(success(&name, &instance, if number < 900 { 3 } else { 60 }, &number.to_string()));
        }
    });
    for (command, args, first_line, wanted) in [
        ("report", &["-A"][..], "1000 instances: 900 fresh, 90 stale, 10 not covered", &[("DescribeDBInstances", 10)][..]),
        ("generate", &["--schedule", "0 2 * * *"], "---", &[("DescribeDBInstances", 10)]),
        (
            "orphans",
            &[],
            "0 of 0 manual backup sets of 1000 instances have no RdsBackup",
            &[("DescribeBackups", 1000), ("DescribeDBInstances", 10)],
        ),
    ] {
        let before = world.endpoint.calls().len();
        let began = Instant::now();
        let said = world.run(command, args).await;
        println!("{command}: {} ms, {:?}", began.elapsed().as_millis(), calls(&world, before));
        assert_eq!(said.out.lines().next(), Some(first_line), "{}", said.err);
        let wanted: BTreeMap<String, usize> = wanted.iter().map(|(action, count)| ((*action).to_owned(), *count)).collect();
        assert_eq!(calls(&world, before), wanted, "{command}");
    }
}
