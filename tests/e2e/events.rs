//! Events: one on each transition that a person wants to hear of, and none besides.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::site::at_site;

#[test]
fn a_good_backup_says_two_things() {
    at_site(|site| async move {
        let _operator = site.operator().await;
        let instance = site.instance("rm-mysql");
        site.apply("good", json!({ "dbInstanceId": instance, "method": "Physical" })).await;
        let object = site.until_phase("good", "Succeeded").await;
        let begun = Instant::now();
        loop {
            let events = site.world.reader().events(&site.namespace).await.unwrap();
            let mut said: Vec<(String, String)> = events
                .iter()
                .filter(|event| event["regarding"]["uid"] == object["metadata"]["uid"])
                .map(|event| {
                    (event["type"].as_str().unwrap_or_default().to_owned(), event["reason"].as_str().unwrap_or_default().to_owned())
                })
                .collect();
            said.sort();
            if said.len() >= 2 {
                assert_eq!(said, [("Normal".to_owned(), "Running".to_owned()), ("Normal".to_owned(), "Succeeded".to_owned())]);
                let described = site.kubectl().run(&["describe", "rdsbackup", "good", "-n", &site.namespace]).await.unwrap();
                assert!(described.contains("is usable"), "describe shows the events: {described}");
                break;
            }
            assert!(begun.elapsed() < Duration::from_secs(10), "{said:?}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
}
