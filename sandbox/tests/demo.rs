//! What the demo shows and how it judges, on objects as the API server gives them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rds_backup_sandbox::demo::board::{Board, Verdict, change_line, refusal};
use rds_backup_sandbox::demo::observation::Observation;
use rds_backup_sandbox::demo::samples::{Expected, Sample, Samples};
use rds_backup_sandbox::rds::{Catalogue, Settings};
use rds_backup_sandbox::world::{Signature, operator_config};
use serde_json::{Value, json};

fn sample(name: &str, expected: Expected) -> Sample {
    Sample { file: PathBuf::from(format!("{name}.yaml")), name: format!("shop/{name}"), instance: "rm-mysql-1".into(), expected }
}

fn object(name: &str, phase: &str, ready: &str, reason: &str) -> Value {
    json!({
        "metadata": { "namespace": "shop", "name": name },
        "status": {
            "observedGeneration": 1,
            "phase": phase,
            "conditions": [
                { "type": "Reconciling", "status": "True", "reason": "Other", "message": "not this one" },
                { "type": "Ready", "status": ready, "reason": reason, "message": "because" },
            ],
        },
    })
}

fn seen(name: &str, phase: &str, ready: &str, reason: &str) -> Observation {
    Observation::read(&object(name, phase, ready, reason)).expect("an object")
}

fn with_job(name: &str, phase: &str, ready: &str, job: &str) -> Observation {
    Observation { job_id: job.into(), ..seen(name, phase, ready, phase) }
}

/// One of each kind.
fn three() -> Board {
    Board::new(&[sample("good", Expected::Succeeded), sample("bad", Expected::Failed), sample("wrong", Expected::Refused)])
}

#[test]
fn a_change_of_phase_or_reason_is_news_and_anything_else_is_not() {
    let mut board = three();
    let unseen = |status: Value| json!({ "metadata": { "namespace": "shop", "name": "good" }, "status": status });
    for status in [json!(null), json!({ "observedGeneration": -1 }), json!({ "observedGeneration": -1, "phase": "Pending" })] {
        assert_eq!(board.update(Observation::read(&unseen(status)).expect("an object")), None, "the operator has not seen it");
    }
    assert!(board.update(seen("good", "Queued", "False", "InstanceBusy")).is_some());
    assert!(board.update(seen("good", "Queued", "False", "InstanceBusy")).is_none());
    assert!(board.update(Observation { message: "another".into(), ..seen("good", "Queued", "False", "InstanceBusy") }).is_none());
    assert!(board.update(seen("good", "Queued", "False", "Throttled")).is_some());
    assert!(board.update(seen("good", "Running", "False", "Running")).is_some());
    assert!(board.update(seen("unknown", "Running", "False", "Running")).is_none());
}

#[test]
fn a_change_is_one_line_whatever_the_message_holds() {
    let at = Duration::from_millis(12_340);
    let running = Observation { job_id: "4711".into(), ..seen("good", "Running", "False", "Running") };
    assert_eq!(change_line(at, &running), "  12.3s  shop/good                             Running     Running             job 4711");
    let done =
        Observation { backup_id: "77".into(), size: "4Gi".into(), duration: "5s".into(), ..seen("good", "Succeeded", "True", "Succeeded") };
    assert!(change_line(at, &done).ends_with("Succeeded           set 77, 4Gi, in 5s"), "{}", change_line(at, &done));
    let mut with_control_bytes = object("bad", "Failed", "False", "Rejected");
    with_control_bytes["status"]["conditions"][1]["message"] = json!("two\nlines \u{1b}[2J");
    let line = change_line(at, &Observation::read(&with_control_bytes).expect("an object"));
    assert!(line.ends_with("Rejected            two lines  [2J"), "{line:?}");
}

#[test]
fn the_table_has_a_line_for_every_sample_that_was_taken_and_none_that_wraps() {
    let mut board = three();
    board.refused("shop/wrong", "no");
    board.update(Observation { message: "a very long explanation".repeat(20), ..seen("bad", "Failed", "False", "Rejected") });
    let table = board.table(Duration::from_secs(7), 60);
    assert_eq!(table.len(), 3, "{table:#?}");
    assert!(table[0].starts_with("NAME") && table[0].ends_with("7 s"), "{table:#?}");
    assert!(table[1].starts_with("shop/good  -"), "not seen yet: {table:#?}");
    assert!(table[2].starts_with("shop/bad   Failed") && table[2].ends_with('…'), "{table:#?}");
    assert!(table.iter().all(|line| line.chars().count() <= 60), "{table:#?}");
}

#[test]
fn the_demo_ends_when_every_sample_has_and_only_expected_ends_are_right() {
    let mut board = three();
    board.refused("shop/wrong", "databases and strategy: db belong together");
    board.update(seen("bad", "Failed", "False", "UnsupportedMethod"));
    board.update(seen("good", "Running", "False", "Running"));
    assert_eq!(board.verdict(), Verdict::Open(vec!["shop/good is Running (Running): because".into()]));
    assert_eq!(board.summary(true), "demo: 2 backups, 0 Succeeded, 1 Failed as expected, 1 manifest refused as expected, 1 not at its end");
    board.update(seen("good", "Succeeded", "False", "Succeeded"));
    assert!(matches!(board.verdict(), Verdict::Open(_)), "a phase without its condition is no end: pipelines wait for the condition");
    board.update(seen("good", "Succeeded", "True", "Succeeded"));
    assert_eq!(board.verdict(), Verdict::Ended { wrong: vec![] });
    assert_eq!(board.summary(true), "demo: 2 backups, 1 Succeeded, 1 Failed as expected, 1 manifest refused as expected");
}

#[test]
fn an_unexpected_end_is_named_and_counted_apart() {
    let mut board = three();
    board.update(seen("good", "Failed", "False", "BackupFailed"));
    board.update(seen("bad", "Succeeded", "True", "Succeeded"));
    board.update(seen("wrong", "Succeeded", "True", "Succeeded"));
    let Verdict::Ended { wrong } = board.verdict() else { panic!("all have ended") };
    assert_eq!(wrong.len(), 3, "{wrong:#?}");
    assert_eq!(wrong[0], "shop/good is Failed (BackupFailed): because; expected Succeeded");
    assert_eq!(board.summary(true), "demo: 3 backups, 0 Succeeded, 2 Succeeded unexpectedly, 1 Failed unexpectedly");
}

#[test]
fn every_backup_has_a_job_of_its_own_in_the_ledger_and_the_ledger_has_no_other() {
    let board = |good: &str, bad: &str| {
        let mut board = three();
        board.update(with_job("good", "Succeeded", "True", good));
        board.update(with_job("bad", "Failed", "False", bad));
        board
    };
    assert_eq!(board("1", "").against_ledger(&["1"]), [""; 0], "one that was refused by the service never had a job");
    assert_eq!(board("1", "2").against_ledger(&["1", "2"]), [""; 0]);
    assert_eq!(board("1", "").against_ledger(&["1", "9"]), ["the accepted job 9 belongs to no object"], "a second backup was made");
    assert_eq!(board("1", "").against_ledger(&[]), ["shop/good names job 1, which was never accepted"]);
    assert_eq!(board("", "").against_ledger(&[]), ["shop/good names no job"]);
    assert_eq!(board("1", "1").against_ledger(&["1"]).len(), 2, "two objects take the same job for theirs");
    assert!(board("1", "").summary(false).ends_with("the ledger disagrees"));
}

#[test]
fn a_refusal_is_shown_in_the_api_servers_own_words() {
    let stderr =
        "The RdsBackup \"invalid-retention-days\" is invalid: spec.retentionDays: Invalid value: 3: retentionDays is 7 to 730,\n or -1";
    assert_eq!(refusal(stderr), "spec.retentionDays: Invalid value: 3: retentionDays is 7 to 730, or -1");
    assert_eq!(refusal("something else"), "something else");
}

fn samples() -> Samples {
    Samples::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/samples")).expect("the samples")
}

#[test]
fn the_samples_of_the_repository_are_eight_backups_and_two_refused_manifests() {
    let Samples { namespace, backups } = samples();
    assert!(namespace.ends_with("namespace.yaml"));
    let count = |expected| backups.iter().filter(|sample| sample.expected == expected).count();
    assert_eq!([Expected::Succeeded, Expected::Failed, Expected::Refused].map(count), [7, 1, 2]);
    let catalogue = Catalogue::default();
    for Sample { file, name, instance, .. } in &backups {
        assert!(catalogue.find(instance).is_some(), "{name}: the endpoint has no {instance}");
        let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        assert_eq!(*name, format!("team-a/{stem}"), "a sample is found by the name of its object");
    }
}

#[test]
fn a_sample_that_does_not_say_how_it_ends_is_refused_with_its_file() {
    let dir = tempfile::tempdir().expect("a directory");
    let error = |text: &str| {
        std::fs::write(dir.path().join("a.yaml"), text).expect("a file");
        Samples::read(dir.path()).expect_err("refused").to_string()
    };
    let silent = error("{ kind: RdsBackup, metadata: { name: a, namespace: b }, spec: { dbInstanceId: rm-1 } }");
    assert!(silent.contains("a.yaml") && silent.contains("sandbox.rdsbackup.io/expected must be"), "{silent}");
    assert!(error("kind: Pod").contains("kind Pod"));
    assert!(error("a: 1\n---\nb: 1\n").contains("not one YAML document"));
    assert!(error("{ kind: Namespace").contains("a.yaml"));
}

#[test]
fn the_operators_configuration_has_the_endpoints_own_figures() {
    let settings = Settings { expiry: Duration::from_secs(5), lag: Duration::from_millis(2500), ..Settings::sandbox() };
    let text = operator_config("http://127.0.0.1:4000", Signature::V1, &settings, "  second: { regionId: cn-beijing }\nextra: [1]\n");
    let config: Value = serde_saphyr::from_str(&text).expect("YAML");
    let account = &config["accounts"]["default"];
    assert_eq!(config["submissions"], "Enabled");
    assert_eq!((&account["regionId"], &account["endpoint"]), (&json!("cn-hangzhou"), &json!("http://127.0.0.1:4000")));
    assert_eq!(account["credentials"], json!({ "type": "Secret", "name": "rds-access-key" }));
    // 2.5 s rounded up, and one second more for the whole seconds of the `Date` header.
    assert_eq!(account["protocol"], json!({ "requestExpiry": "5s", "clockSkew": "2s", "listingLag": "4s" }));
    assert_eq!(account["poll"], json!({ "first": "1s", "min": "1s", "max": "2s" }));
    assert_eq!(account["allow"], json!([{ "namespaces": ["*"], "instances": ["*"], "regions": ["*"] }]));
    assert_eq!((&config["accounts"]["second"]["regionId"], &config["extra"]), (&json!("cn-beijing"), &json!([1])));
}
