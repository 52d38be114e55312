//! DescribeDBInstances against the simulated endpoint: every page, every quirk, and the methods that the listed instances take.

use rds_backup_operator::rds::{CallError, InstanceId};
use rds_backup_sandbox::rds::{Effect, Engine, Fault, Garbage, InstanceSpec, Nothing, Quirks};

use super::deletable::{World, credentials};

/// So many instances, every tenth of them tagged.
fn define(world: &World, count: usize) {
    for number in 0..count {
        let mut spec = InstanceSpec { description: format!("shop {number}"), ..InstanceSpec::default() };
        if number % 10 == 0 {
            spec.tags.insert("backup".into(), "daily".into());
        }
        world.endpoint.define(&format!("rm-{number:04}"), spec);
    }
}

#[tokio::test]
async fn every_page_is_read_in_every_form_and_the_list_has_the_order_of_the_ids() {
    for quirks in [
        Quirks::default(),
        Quirks { nothing: Nothing::NullText, extra_fields: true, instances_backwards: true, ..Quirks::default() },
        Quirks { nothing: Nothing::Absent, xml_answers: true, single_object: true, ..Quirks::default() },
    ] {
        let world = World::new().await;
        world.endpoint.update(|settings| settings.quirks = quirks.clone());
        for (defined, calls) in [(0, 1), (1, 1), (100, 1), (101, 2), (250, 3)] {
            define(&world, defined);
            let before = world.endpoint.calls().len();
            let found =
                world.client.describe_instances(&credentials(), None).await.unwrap_or_else(|error| panic!("{quirks:?}: {error}")).value;
            assert_eq!((found.len(), world.endpoint.calls().len() - before), (defined, calls), "{quirks:?}");
            let ids: Vec<&str> = found.iter().map(|listed| listed.instance.id.as_str()).collect();
            assert!(ids.is_sorted() && ids.first().is_none_or(|id| *id == "rm-0000"), "{ids:?}");
        }
        let tagged = world.client.describe_instances(&credentials(), Some(("backup", "daily"))).await.expect("a list").value;
        assert_eq!((tagged.len(), tagged[1].description.as_deref()), (25, Some("shop 10")), "{quirks:?}");
    }
}

#[tokio::test]
async fn a_page_that_is_lost_loses_the_whole_list() {
    let world = World::new().await;
    define(&world, 250);
    let effect = Effect::Garbage { body: Garbage::TruncatedJson, executed: true };
    world.endpoint.add_fault(Fault { action: Some("DescribeDBInstances".into()), instance: None, times: Some(1), effect });
    let lost = world.client.describe_instances(&credentials(), None).await;
    assert!(matches!(lost, Err(CallError::Lost { .. })), "{lost:?}");
    assert_eq!(world.client.describe_instances(&credentials(), None).await.map(|answer| answer.value.len()), Ok(250));
}

/// The method that `generate` writes is one that the service takes, for each engine on each of its disks.
#[tokio::test]
async fn the_fitting_method_of_a_listed_instance_is_accepted() {
    let world = World::new().await;
    let kinds = [
        (Engine::MySQL, "local_ssd", "Physical"),
        (Engine::MySQL, "cloud_essd", "Snapshot"),
        (Engine::MySQL, "general_essd", "Snapshot"),
        (Engine::PostgreSQL, "local_ssd", "Physical"),
        (Engine::PostgreSQL, "cloud_essd", "Physical"),
        (Engine::SQLServer, "local_ssd", "Physical"),
        (Engine::SQLServer, "cloud_essd", "Physical"),
        (Engine::MariaDB, "cloud_essd", "Physical"),
    ];
    for (number, (engine, disk, _)) in kinds.iter().enumerate() {
        world.endpoint.define(&format!("rm-{number}"), InstanceSpec::new(*engine, "1", disk));
    }
    let listed = world.client.describe_instances(&credentials(), None).await.expect("a list").value;
    let methods: Vec<Option<&str>> = listed.iter().map(|listed| listed.instance.fitting_method()).collect();
    assert_eq!(methods, kinds.map(|(_, _, method)| Some(method)));
    for (listed, method) in listed.iter().zip(methods.into_iter().flatten()) {
        world.backup(&InstanceId::new(listed.instance.id.as_str()), method).await;
    }
    assert_eq!(world.endpoint.ledger().len(), kinds.len());
}
