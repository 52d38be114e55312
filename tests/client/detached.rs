//! Sets that outlive their instance: what the endpoint lists of them, and what the client reads.

use rds_backup_operator::rds::{CallError, ErrorKind, InstanceId, ModeFilter, SetQuery};
use rds_backup_sandbox::rds::{BackupPolicy, Engine, InstanceSpec, ReleasedKeep};

use super::deletable::{World, credentials};

const REGION: &str = "cn-hangzhou";

async fn listed(world: &World, query: &SetQuery, region: &str) -> Vec<String> {
    let answer = world.client.describe_detached_backups(&credentials(), query, region).await.expect("a list").value;
    answer.sets.into_iter().map(|set| set.backup_id.as_str().to_owned()).collect()
}

#[tokio::test]
async fn only_what_the_policy_of_a_local_disk_keeps_outlives_the_instance() {
    for (engine, disk, method, keep, expected) in [
        (Engine::MySQL, "local_ssd", "Physical", ReleasedKeep::All, 2),
        (Engine::MySQL, "local_ssd", "Physical", ReleasedKeep::Lastest, 1),
        (Engine::MySQL, "local_ssd", "Physical", ReleasedKeep::None, 0),
        (Engine::MySQL, "cloud_essd", "Snapshot", ReleasedKeep::All, 0),
        (Engine::PostgreSQL, "local_ssd", "Physical", ReleasedKeep::All, 0),
    ] {
        let world = World::new().await;
        let instance = InstanceId::new("rm-1");
        let policy = BackupPolicy { released_keep: keep, ..BackupPolicy::default() };
        let spec = |status: &str| InstanceSpec { status: status.into(), policy, ..InstanceSpec::new(engine, "8.0", disk) };
        world.endpoint.define("rm-1", spec("Running"));
        let older = world.backup(&instance, method).await;
        let newer = world.backup(&instance, method).await;
        let query = SetQuery { mode: Some(ModeFilter::Manual), from: older.started_at, ..SetQuery::of(instance.clone()) };
        assert_eq!(listed(&world, &query, REGION).await, [""; 0], "{engine:?} {disk}: the instance is there");

        world.endpoint.define("rm-1", spec("Released"));
        let gone = world.client.describe_backups(&credentials(), &query).await;
        assert!(matches!(&gone, Err(CallError::Api(error)) if error.kind() == ErrorKind::InstanceNotFound), "{gone:?}");
        let kept = listed(&world, &query, REGION).await;
        let ids = [newer.backup_id.as_str(), older.backup_id.as_str()];
        assert_eq!(kept, ids[..expected], "{engine:?} {disk} {keep:?}");
        assert_eq!(listed(&world, &query, "cn-beijing").await, [""; 0], "{engine:?} {disk}: in another region");
    }
}

#[tokio::test]
async fn the_region_is_sent() {
    let world = World::new().await;
    world.endpoint.define("rm-1", InstanceSpec { status: "Released".into(), ..InstanceSpec::default() });
    listed(&world, &SetQuery::of(InstanceId::new("rm-1")), REGION).await;
    let calls = world.endpoint.calls();
    assert_eq!(calls[0].parameters.get("Region").map(String::as_str), Some(REGION), "{calls:?}");
}
