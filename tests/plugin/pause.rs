//! `pause` and `resume`.

use serde_json::{Value, json};

use super::server::Server;

const OURS: &str = "/apis/rdsbackup.io/v1alpha1/namespaces/team-a";

#[test]
fn each_kind_is_paused_and_resumed_by_its_own_field() {
    let server = Server::new()
        .with_backup("b", &json!({}))
        .with_schedule("nightly", &json!({}))
        .with_namespace("team-a", &json!({ "owner": "ann" }));
    for (what, path, paused, resumed) in [
        (
            "b",
            format!("{OURS}/rdsbackups/b"),
            json!({ "metadata": { "annotations": { "rdsbackup.io/paused": "true" } } }),
            json!({ "metadata": { "annotations": { "rdsbackup.io/paused": null } } }),
        ),
        (
            "schedule/nightly",
            format!("{OURS}/rdsbackupschedules/nightly"),
            json!({ "spec": { "suspend": true } }),
            json!({ "spec": { "suspend": false } }),
        ),
        (
            "namespace",
            "/api/v1/namespaces/team-a".to_owned(),
            json!({ "metadata": { "annotations": { "rdsbackup.io/submissions": "Paused" } } }),
            json!({ "metadata": { "annotations": { "rdsbackup.io/submissions": null } } }),
        ),
    ] {
        let before = server.patches().len();
        let said: Vec<String> = ["pause", "pause", "resume", "resume"]
            .iter()
            .map(|command| {
                let done = server.run(&[command, what]);
                assert_eq!((done.code, done.stderr.as_str(), done.stdout.lines().count()), (0, "", 1), "{command} {what}: {done:?}");
                done.stdout
            })
            .collect();
        assert!(
            said[1].contains("paused already: nothing is changed") && said[3].contains("is not paused: nothing is changed"),
            "{said:?}"
        );
        let written: Vec<(String, Value)> = server.patches().split_off(before);
        // What is said twice is written once.
        let wanted = [paused, resumed].map(|mut change| {
            change["metadata"]["uid"] = json!(format!("uid-of-{}", path.rsplit('/').next().unwrap_or_default()));
            (path.clone(), change)
        });
        assert_eq!(written, wanted, "{what}");
    }
}

#[test]
fn a_tool_that_will_write_it_back_is_named() {
    let tracked = json!({ "metadata": { "annotations": { "argocd.argoproj.io/tracking-id": "apps:x" } } });
    let server = Server::new().with_schedule("nightly", &tracked);
    let done = server.run(&["pause", "schedule/nightly"]);
    assert!(done.code == 0 && done.stdout.contains("is suspended"), "{done:?}");
    assert!(done.stderr.contains("Argo CD tracks this object") && done.stderr.contains("spec.suspend"), "{done:?}");
}

#[test]
fn what_has_ended_or_was_replaced_is_left_alone() {
    let server = Server::new().with_backup("b", &json!({ "status": { "observedGeneration": 1, "phase": "Succeeded" } }));
    let done = server.run(&["pause", "b"]);
    assert!(done.code == 1 && done.stderr.contains("backup team-a/b has ended (Succeeded)") && server.patches().is_empty(), "{done:?}");
    let conflict = json!({ "kind": "Status", "reason": "Conflict", "message": "uid", "code": 409 });
    let server = Server::new().with_backup("b", &json!({})).refusing("PATCH", OURS, 409, conflict);
    let done = server.run(&["pause", "backup/b"]);
    assert!(done.code == 1 && done.stderr.contains("was deleted and created again in this moment"), "{done:?}");
    assert_eq!(Server::new().run(&["pause", "pod/b"]).code, 2);
}

#[test]
fn the_right_to_a_namespace_is_spelt_out() {
    let server = Server::new().forbidding("GET", "/api/v1/namespaces", "get", "namespaces");
    let done = server.run(&["pause", "ns/team-b"]);
    assert!(done.code == 3 && done.stderr.contains("may not get namespaces in the cluster"), "{done:?}");
    assert!(
        done.stderr.contains("--verb=get,patch --resource=namespaces --resource-name=team-b")
            && done.stderr.contains("--user=ann@example.org"),
        "{done:?}"
    );
}
