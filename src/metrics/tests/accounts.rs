use jiff::SignedDuration;

use super::{CONFIG, World, no_answer};
use crate::{
    accounts::{AccountFacts, ClientFacts},
    api::RdsBackupSpec,
    config::Config,
    controller::Fence,
    rds::InstanceId,
    rpc::{Failure, HttpResponse},
};

pub(super) fn refused() -> Result<HttpResponse, Failure> {
    let headers = [(http::header::DATE, http::HeaderValue::from_static("Sun, 01 Mar 2026 12:05:00 GMT"))];
    Ok(HttpResponse {
        status: 403,
        headers: headers.into_iter().collect(),
        body: br#"{"RequestId":"R","Code":"InvalidAccessKeyId.NotFound","Message":"no"}"#.to_vec(),
        received: "2026-03-01T12:00:00Z".parse().unwrap(),
    })
}

/// Asks the cloud once, as a pass does.
pub(super) async fn ask(world: &World) {
    ask_in(world, "cn-hangzhou").await;
}

/// Adds an account of which each namespace has its own key, and reads that of team-a.
pub(super) async fn read_the_key_of_a_tenant(world: &World) {
    let teams = "  teams: { regionId: cn-hangzhou, credentials: { type: TenantSecret, name: k }, allow: [{ namespaces: [team-a], instances: [\"*\"], \
                 regions: [\"*\"] }] }\n";
    let Config { submissions, accounts, .. } = Config::parse(&format!("{CONFIG}{teams}")).unwrap();
    world.backups.accounts.replace(accounts, submissions);
    let spec: RdsBackupSpec = serde_json::from_value(serde_json::json!({ "dbInstanceId": "rm-1", "account": "teams" })).unwrap();
    world.backups.accounts.access("team-a", &spec, None).unwrap().credentials().await.unwrap();
}

async fn ask_in(world: &World, region: &str) {
    let spec = serde_json::json!({ "dbInstanceId": "rm-1", "account": "prod", "regionId": region });
    let spec: RdsBackupSpec = serde_json::from_value(spec).unwrap();
    let access = world.backups.accounts.access("team-a", &spec, None).unwrap();
    let credentials = access.credentials().await.unwrap();
    let instance: InstanceId = InstanceId::new("rm-1");
    assert!(access.client.describe_instance(&credentials, &instance).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_call_is_counted_by_its_outcome_and_a_refused_key_is_not_usable() {
    let world = World::with(Vec::new(), Vec::new(), Fence::none(), refused);
    assert_eq!(world.series("rdsbackup_credentials_usable").len(), 0, "the key was not read yet");
    assert_eq!(world.series("rdsbackup_cloud_clock_offset_seconds").len(), 0);
    ask(&world).await;
    let text = world.scrape();
    for line in [
        r#"rdsbackup_cloud_requests_total{account="prod",region="cn-hangzhou",action="DescribeDBInstanceAttribute",code="InvalidAccessKeyId.NotFound"} 1"#,
        r#"rdsbackup_cloud_request_duration_seconds_count{action="DescribeDBInstanceAttribute"} 1"#,
        r#"rdsbackup_cloud_rate_limit_wait_seconds_total{account="prod",region="cn-hangzhou"} 0"#,
        r#"rdsbackup_cloud_clock_offset_seconds{account="prod",region="cn-hangzhou"} 300.5"#,
        r#"rdsbackup_credentials_usable{account="prod"} 0"#,
        r#"rdsbackup_credentials_expiry_timestamp_seconds{account="prod"} 1772370000"#,
        r#"rdsbackup_submissions_paused{account="prod"} 0"#,
        r#"rdsbackup_submissions_paused{account="spare"} 1"#,
    ] {
        assert!(text.lines().any(|found| found == line), "no {line} in\n{text}");
    }
    assert!(!text.contains(r#"rdsbackup_credentials_usable{account="spare"}"#), "it was never used");
    let silent = World::with(Vec::new(), Vec::new(), Fence::none(), no_answer);
    ask(&silent).await;
    let requests = silent.series("rdsbackup_cloud_requests_total");
    assert!(requests.len() == 1 && requests.keys().all(|series| series.ends_with(r#"code="refused"}"#)), "{requests:?}");
    assert_eq!(silent.series("rdsbackup_credentials_usable").values().collect::<Vec<_>>(), ["1"], "no answer says nothing of the key");
}

#[tokio::test(start_paused = true)]
async fn the_exchanges_of_an_account_are_counted_by_their_result_and_gone_with_it() {
    let world = World::with(Vec::new(), Vec::new(), Fence::none(), refused);
    assert_eq!(world.series("rdsbackup_credentials_refreshes_total").len(), 0, "nothing was asked yet");
    let exchanges = |world: &World| world.series("rdsbackup_credentials_refreshes_total").into_iter().collect::<Vec<_>>();
    let accounts = &world.backups.accounts;
    accounts.credentials().await;
    let series = r#"rdsbackup_credentials_refreshes_total{account="hub",source="CredentialsURI",result="AccessDenied"}"#;
    assert_eq!(exchanges(&world), [(series.to_owned(), "1".to_owned())], "accounts with a key of their own have no exchanges");
    tokio::time::sleep(std::time::Duration::from_secs(10)).await;
    let Some(count) = world.series("rdsbackup_credentials_refreshes_total").remove(series) else { panic!("it is gone") };
    assert!(matches!(count.parse(), Ok(4..=6)), "{count}: after 1, 2 and 4 s or a little less");
    let Config { submissions, accounts: mut left, .. } = Config::parse(CONFIG).unwrap();
    left.remove("hub");
    accounts.replace(left, submissions);
    assert_eq!(exchanges(&world), []);
}

/// The account has an endpoint, so any text that looks like a region is taken.
#[tokio::test(start_paused = true)]
async fn regions_that_a_tenant_invents_make_one_series() {
    let world = World::with(Vec::new(), Vec::new(), Fence::none(), refused);
    for region in ["cn-hangzhou", "ap-southeast-1", "cn-made-up-1", "cn-made-up-2", "cn-made-up-3"] {
        ask_in(&world, region).await;
    }
    for (name, of_other) in [
        ("rdsbackup_cloud_requests_total", "3"),
        ("rdsbackup_cloud_rate_limit_wait_seconds_total", "0"),
        ("rdsbackup_cloud_clock_offset_seconds", "300.5"),
    ] {
        let text = world.scrape();
        let lines: Vec<&str> = text.lines().filter(|line| line.starts_with(&format!("{name}{{"))).collect();
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(lines.iter().any(|line| line.contains(r#"region="other""#) && line.ends_with(&format!(" {of_other}"))), "{lines:?}");
        assert!(["cn-hangzhou", "ap-southeast-1"].iter().all(|known| lines.iter().any(|line| line.contains(known))), "{lines:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_key_of_each_tenant_has_a_series_of_its_own() {
    let world = World::with(Vec::new(), Vec::new(), Fence::none(), refused);
    read_the_key_of_a_tenant(&world).await;
    let usable = world.series("rdsbackup_credentials_usable");
    let line = r#"rdsbackup_credentials_usable{account="teams",namespace="team-a"}"#;
    assert_eq!(usable.iter().map(|(series, value)| (series.as_str(), value.as_str())).collect::<Vec<_>>(), [(line, "1")]);
}

#[test]
fn the_facts_of_an_account_have_no_place_for_a_secret() {
    // Taken apart without `..`: a new field does not compile until somebody has decided that it may be shown.
    let client = ClientFacts { region: "r".into(), clock_offset: None, waited_for_limits: std::time::Duration::ZERO };
    let AccountFacts { name: _, paused: _, keys: _, refreshes, clients, calls: _ } =
        AccountFacts { name: "a".into(), paused: false, keys: Vec::new(), refreshes: Vec::new(), clients: vec![client], calls: Vec::new() };
    assert!(refreshes.is_empty());
    let ClientFacts { region: _, clock_offset, waited_for_limits: _ } = &clients[0];
    assert_eq!(*clock_offset, None::<SignedDuration>);
}
