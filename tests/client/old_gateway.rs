//! Private clouds and old gateways: all samples of the demo, with V1 signatures and answers in XML.

use std::collections::BTreeSet;

use rds_backup_sandbox::{
    demo::{self, DemoArgs},
    world::{Signature, cli::WorldArgs},
};
use serde_json::Value;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_sample_reaches_its_end_with_v1_signatures_and_answers_in_xml() {
    let kept = tempfile::tempdir().expect("a directory");
    let dir = kept.path().join("world");
    let world = WorldArgs {
        keep: true,
        dir: Some(dir.clone()),
        operator: Some(env!("CARGO_BIN_EXE_rds-backup-operator").into()),
        repository: Some(env!("CARGO_MANIFEST_DIR").into()),
        signature: Signature::V1,
        xml: true,
    };
    let code = demo::run(DemoArgs { world }).await.unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(code, 0, "a sample did not end as it should");

    let log = std::fs::read_to_string(dir.join("logs").join("rds-calls.jsonl")).expect("the endpoint's log");
    let calls: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let values = |field: &str| calls.iter().map(|call| call[field].as_str().unwrap_or("").to_owned()).collect::<BTreeSet<_>>();
    println!("{} calls: signatures {:?}, answers {:?}, actions {:?}", calls.len(), values("signature"), values("answer"), values("action"));
    assert!(calls.len() > 30, "{}", calls.len());
    assert_eq!(values("signature"), BTreeSet::from(["V1".to_owned()]));
    assert_eq!(values("answer"), BTreeSet::from(["XML".to_owned()]));
    assert_eq!(values("action").len(), 4, "{:?}", values("action"));
}
