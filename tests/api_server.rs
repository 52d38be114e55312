//! What the answers of the API server mean for an object that is to be created: what stands under its name, and what must be tried again.

use http::{Request, Response};
use kube::client::Body;
use rds_backup_operator::{
    api::RdsBackup,
    controller::{Cluster, Creation, Fence, Scope},
};
use serde_json::json;

/// An API server that answers every request with this.
fn answering(code: u16, reason: &str) -> Cluster {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code,
        "message": format!("in words: {reason}"),
    });
    let service = tower::service_fn(move |_: Request<Body>| {
        let answer = Response::builder().status(code).header("content-type", "application/json");
        let answer = answer.body(Body::from(status.to_string().into_bytes())).expect("an answer");
        async move { Ok::<_, std::convert::Infallible>(answer) }
    });
    Cluster::new(kube::Client::new(service, "team-a"), Scope::Cluster, "test".to_owned(), Fence::none())
}

#[tokio::test]
async fn only_already_exists_says_that_something_stands_under_the_name() {
    let spec = serde_json::from_value(json!({ "dbInstanceId": "rm-1" })).expect("a spec");
    let mut backup = RdsBackup::new("nightly-202701150200", spec);
    backup.metadata.namespace = Some("team-a".to_owned());
    for (code, reason, expected) in [
        (409, "AlreadyExists", Some(Creation::AlreadyExists)),
        // A quota that others use at the same moment: nothing was created, and nothing stands there.
        (409, "Conflict", None),
        (403, "Forbidden", Some(Creation::Refused("in words: Forbidden".to_owned()))),
        (422, "Invalid", Some(Creation::Refused("in words: Invalid".to_owned()))),
        (400, "BadRequest", Some(Creation::Refused("in words: BadRequest".to_owned()))),
        (429, "TooManyRequests", None),
        (500, "InternalError", None),
        (503, "ServiceUnavailable", None),
    ] {
        let creation = answering(code, reason).create(&backup).await;
        match expected {
            Some(expected) => assert_eq!(creation.ok(), Some(expected), "{code} {reason}"),
            None => {
                let words = creation.expect_err("it is tried again").to_string();
                assert!(words.contains(reason), "{code}: {words}");
            }
        }
    }
}
