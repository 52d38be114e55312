//! Which requests are accepted: signatures, keys and policies.

use std::time::Duration;

use rds_backup_sandbox::rds::Key;

use super::client::{Request, send};
use super::world::{KEY, PATIENCE, SECRET, World};

const INSTANCE: (&str, &str) = ("DBInstanceId", "rm-mysql-1");

async fn verdict_as(world: &World, request: &Request, id: &str, secret: &str) -> String {
    send(world.addr(), &request.signed(id, secret), PATIENCE).await.unwrap().verdict()
}

#[tokio::test]
async fn a_signed_request_is_answered_by_get_and_by_post() {
    let world = World::new().await;
    for method in ["GET", "POST"] {
        let mut request = world.request("DescribeBackups", &[INSTANCE]);
        request.method = method.to_owned();
        assert_eq!(verdict_as(&world, &request, KEY, SECRET).await, "OK", "{method}");
    }
    let mut request = world.request("DescribeBackups", &[INSTANCE]);
    request.method = "PUT".to_owned();
    assert_eq!(verdict_as(&world, &request, KEY, SECRET).await, "404 InvalidAction.NotFound");
}

#[tokio::test]
async fn names_and_values_of_every_script_are_verified() {
    let world = World::new().await;
    for name in ["a b*~", "北京", "a+b/c=d&e", "%41", "🦀"] {
        let parameters = [INSTANCE, ("BackupMethod", "Logical"), ("BackupStrategy", "db"), ("DBName", name)];
        // Past the gateway: the rule for names refuses them, not the signature.
        assert_eq!(world.verdict("CreateBackup", &parameters).await, "400 InvalidDBName.Format", "{name}");
    }
}

#[tokio::test]
async fn a_request_altered_on_its_way_is_refused() {
    let world = World::new().await;
    let bytes = world.request("CreateBackup", &[INSTANCE]).signed(KEY, SECRET);
    for (from, to) in [("rm-mysql-1", "rm-mysql-2"), ("x-acs-action: CreateBackup", "x-acs-action: DescribeBackups"), ("POST", "GET")] {
        let altered = bytes.replacen(from, to, 1);
        assert_ne!(altered, bytes);
        let answer = send(world.addr(), &altered, PATIENCE).await.unwrap();
        assert_eq!(answer.verdict(), "400 SignatureDoesNotMatch", "{from}");
        assert!(answer.json()["Message"].as_str().unwrap().contains("ACS3-HMAC-SHA256\n"), "the message echoes the string to sign");
    }
    assert_eq!(world.endpoint.ledger(), []);
}

#[tokio::test]
async fn the_hash_of_the_body_is_the_bodys_own() {
    let world = World::new().await;
    // Signed like any header, over a request whose canonical form has the right hash: only the header itself is wrong.
    let request = world.request("CreateBackup", &[INSTANCE]).header("x-acs-content-sha256", &"0".repeat(64));
    assert_eq!(verdict_as(&world, &request, KEY, SECRET).await, "400 SignatureDoesNotMatch");
    let mut request = world.request("CreateBackup", &[INSTANCE]);
    request.body = "DBInstanceId=rm-mysql-2".to_owned();
    assert_eq!(verdict_as(&world, &request, KEY, SECRET).await, "400 SignatureDoesNotMatch");
    assert_eq!(world.endpoint.ledger(), []);
}

#[tokio::test]
async fn an_expired_request_is_refused_and_its_nonce_is_not_used_up() {
    let world = World::new().await;
    let request = world.request("CreateBackup", &[INSTANCE]);
    world.wait(6);
    assert_eq!(verdict_as(&world, &request, KEY, SECRET).await, "400 InvalidTimeStamp.Expired");
    world.endpoint.update(|settings| settings.expiry = Duration::from_secs(60));
    assert_eq!(verdict_as(&world, &request, KEY, SECRET).await, "OK");
}

#[tokio::test]
async fn a_request_from_the_future_is_refused() {
    let world = World::new().await;
    let request = world.request("CreateBackup", &[INSTANCE]);
    world.endpoint.update(|settings| settings.clock_offset_ms = -6_000);
    assert_eq!(verdict_as(&world, &request, KEY, SECRET).await, "400 InvalidTimeStamp.Expired");
}

#[tokio::test]
async fn a_replayed_request_is_refused() {
    let world = World::new().await;
    let request = world.request("CreateBackup", &[INSTANCE]);
    assert_eq!(verdict_as(&world, &request, KEY, SECRET).await, "OK");
    assert_eq!(verdict_as(&world, &request, KEY, SECRET).await, "400 SignatureNonceUsed");
    assert_eq!(world.endpoint.accepted("rm-mysql-1"), 1);
}

#[tokio::test]
async fn a_refused_or_throttled_request_has_used_up_its_nonce() {
    let world = World::new().await;
    let refused = world.request("CreateBackup", &[("DBInstanceId", "rm-unknown")]);
    assert_eq!(verdict_as(&world, &refused, KEY, SECRET).await, "404 InvalidDBInstanceName.NotFound");
    assert_eq!(verdict_as(&world, &refused, KEY, SECRET).await, "400 SignatureNonceUsed");
    world.throttle("CreateBackup", 0, 1);
    let throttled = world.request("CreateBackup", &[INSTANCE]);
    assert_eq!(verdict_as(&world, &throttled, KEY, SECRET).await, "400 Throttling.User");
    assert_eq!(verdict_as(&world, &throttled, KEY, SECRET).await, "400 SignatureNonceUsed");
}

#[tokio::test]
async fn an_unverified_request_leaves_the_nonce_alone() {
    let world = World::new().await;
    let request = world.request("CreateBackup", &[INSTANCE]);
    assert_eq!(verdict_as(&world, &request, KEY, "wrong").await, "400 SignatureDoesNotMatch");
    assert_eq!(verdict_as(&world, &request, "nobody", SECRET).await, "404 InvalidAccessKeyId.NotFound");
    assert_eq!(verdict_as(&world, &request, KEY, SECRET).await, "OK");
}

#[tokio::test]
async fn without_nonce_retention_a_replay_makes_a_second_backup() {
    let world = World::with(|options| options.settings.nonce_retention = Duration::ZERO).await;
    world.endpoint.update(|settings| settings.job_time = Duration::ZERO);
    let request = world.request("CreateBackup", &[INSTANCE]);
    for _ in 0..2 {
        assert_eq!(verdict_as(&world, &request, KEY, SECRET).await, "OK");
    }
    assert_eq!(world.endpoint.accepted("rm-mysql-1"), 2);
}

#[tokio::test]
async fn a_temporary_key_needs_its_token() {
    let world = World::with(|options| options.keys = vec![Key::new("STS.k", "s").token("the-token")]).await;
    let request = world.request("DescribeBackups", &[INSTANCE]);
    assert_eq!(verdict_as(&world, &request, "STS.k", "s").await, "400 MissingSecurityToken");
    let wrong = request.clone().header("x-acs-security-token", "another");
    assert_eq!(verdict_as(&world, &wrong, "STS.k", "s").await, "400 InvalidSecurityToken.Malformed");
    let right = request.header("x-acs-security-token", "the-token");
    assert_eq!(verdict_as(&world, &right, "STS.k", "s").await, "OK");
}

#[tokio::test]
async fn keys_are_rotated_while_it_runs() {
    let world = World::new().await;
    world.endpoint.set_keys(vec![Key::new(KEY, "new")]);
    let request = world.request("DescribeBackups", &[INSTANCE]);
    assert_eq!(verdict_as(&world, &request, KEY, SECRET).await, "400 SignatureDoesNotMatch");
    assert_eq!(verdict_as(&world, &request, KEY, "new").await, "OK");
}

#[tokio::test]
async fn a_denied_action_says_which_and_why() {
    let world = World::with(|options| options.keys = vec![Key::new(KEY, SECRET).deny("CreateBackup")]).await;
    let answer = world.call("CreateBackup", &[INSTANCE]).await;
    assert_eq!(answer.verdict(), "403 Forbidden.RAM");
    assert_eq!(answer.json()["AccessDeniedDetail"]["AuthAction"], "rds:CreateBackup");
    assert_eq!(world.verdict("DescribeBackups", &[INSTANCE]).await, "OK");
    assert_eq!(world.endpoint.ledger(), []);
}

#[tokio::test]
async fn what_the_service_does_not_know_is_refused() {
    let world = World::new().await;
    assert_eq!(world.verdict("DeleteDBInstance", &[INSTANCE]).await, "404 InvalidAction.NotFound");
    assert_eq!(world.verdict("CreateBackup", &[INSTANCE, ("ClientToken", "x")]).await, "400 UnsupportedParameter");
    assert_eq!(world.verdict("DescribeBackups", &[INSTANCE, ("Pagesize", "30")]).await, "400 UnsupportedParameter");
    assert_eq!(world.verdict("DescribeBackupTasks", &[INSTANCE, ("OwnerAccount", "x")]).await, "400 InvalidParameter.OwnerAccount");
    assert_eq!(world.verdict("DescribeBackups", &[]).await, "400 MissingParameter");
    let version = world.request("DescribeBackups", &[INSTANCE]).header("x-acs-version", "2014-08-16");
    assert_eq!(verdict_as(&world, &version, KEY, SECRET).await, "400 InvalidVersion");
}

#[tokio::test]
async fn parameters_are_read_once() {
    let world = World::new().await;
    let request = world.request("CreateBackup", &[INSTANCE]).signed(KEY, SECRET);
    let twice = request.replacen("DBInstanceId=rm-mysql-1", "DBInstanceId=rm-mysql-1&DBInstanceId=rm-mysql-1", 1);
    assert_eq!(send(world.addr(), &twice, PATIENCE).await.unwrap().verdict(), "400 SignatureDoesNotMatch");
    assert_eq!(world.endpoint.ledger(), []);
}

#[tokio::test]
async fn a_region_has_to_be_the_instances_own() {
    let world = World::new().await;
    for action in ["CreateBackup", "DescribeBackups", "DescribeBackupTasks", "DescribeDBInstanceAttribute"] {
        assert_eq!(world.verdict(action, &[INSTANCE, ("RegionId", "us-east-1")]).await, "400 InvalidDBInstanceId.NotFound", "{action}");
        assert_eq!(world.verdict(action, &[INSTANCE, ("RegionId", "cn-hangzhou"), ("SourceIp", "")]).await, "OK", "{action}");
    }
}

#[tokio::test]
async fn a_rate_is_limited_per_action_and_says_when_to_come_back() {
    let world = World::new().await;
    world.throttle("DescribeBackups", 2, 10);
    assert_eq!(world.verdict("DescribeBackups", &[INSTANCE]).await, "OK");
    world.wait(4);
    assert_eq!(world.verdict("DescribeBackups", &[INSTANCE]).await, "OK");
    let answer = world.call("DescribeBackups", &[INSTANCE]).await;
    assert_eq!((answer.verdict().as_str(), answer.headers["x-acs-retry-after"].as_str()), ("400 Throttling.User", "6000"));
    assert_eq!(world.verdict("DescribeBackupTasks", &[INSTANCE]).await, "OK", "another action");
    world.wait(6);
    assert_eq!(world.verdict("DescribeBackups", &[INSTANCE]).await, "OK");
}

#[tokio::test]
async fn every_answer_carries_the_date_of_the_service() {
    let world = World::new().await;
    let date = |answer: super::client::Response| answer.headers["date"].clone();
    assert_eq!(date(world.call("DescribeBackups", &[INSTANCE]).await), "Wed, 04 Mar 2026 12:00:00 GMT");
    world.endpoint.update(|settings| settings.clock_offset_ms = 3_600_000);
    assert_eq!(date(world.call("Nonsense", &[]).await), "Wed, 04 Mar 2026 13:00:00 GMT");
}
