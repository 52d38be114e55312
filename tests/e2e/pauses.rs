//! A namespace and a single object are paused by an annotation: what runs goes on, and nothing new is sent.

use std::time::Duration;

use serde_json::json;

use crate::site::{at_site, message};

#[test]
fn an_annotation_pauses_one_object_or_all_of_a_namespace_and_lets_go_on_what_runs() {
    at_site(|site| async move {
        let operator = site.operator().await;
        let kubectl = site.kubectl();
        let (one, other, runs) = (site.instance("rm-mysql-one"), site.instance("rm-mysql-other"), site.instance("rm-mysql-runs"));
        let object = json!({
            "apiVersion": "rdsbackup.io/v1alpha1", "kind": "RdsBackup",
            "metadata": { "name": "one", "namespace": site.namespace, "annotations": { "rdsbackup.io/paused": "true" } },
            "spec": { "dbInstanceId": one, "method": "Physical" },
        });
        kubectl.run_with_input(&["create", "-f", "-"], &object.to_string()).await.unwrap();
        let paused = site.until_reason("one", "SubmissionsPaused").await;
        assert!(message(&paused).contains("rdsbackup.io/paused"), "{}", message(&paused));
        assert_eq!(site.calls(&one).len(), 0, "nothing was asked either");
        kubectl.run(&["annotate", "rdsbackup", "one", "-n", &site.namespace, "rdsbackup.io/paused-"]).await.unwrap();
        site.until_phase("one", "Succeeded").await;

        site.apply("runs", json!({ "dbInstanceId": runs, "method": "Physical" })).await;
        site.until_accepted(&runs).await;
        kubectl.run(&["annotate", "namespace", &site.namespace, "rdsbackup.io/submissions=Paused"]).await.unwrap();
        // What the operator knows of a namespace is at most 10 s old.
        tokio::time::sleep(Duration::from_secs(11)).await;
        site.apply("other", json!({ "dbInstanceId": other, "method": "Physical" })).await;
        let paused = site.until_reason("other", "SubmissionsPaused").await;
        assert!(message(&paused).contains(&format!("of namespace {:?}", site.namespace)), "{}", message(&paused));
        site.until_phase("runs", "Succeeded").await;
        assert_eq!((site.calls(&other).len(), site.rds().accepted(&runs)), (0, 1));
        let ready = operator.get("/readyz?verbose").await.expect("an answer").body;
        assert!(ready.starts_with("ok\n") && !ready.contains("rdsbackup.io/submissions"), "it may read the Namespace: {ready}");

        kubectl.run(&["annotate", "namespace", &site.namespace, "rdsbackup.io/submissions-"]).await.unwrap();
        site.until_phase("other", "Succeeded").await;
        assert_eq!(site.rds().accepted(&other), 1);
    });
}
