//! An API server of a few lines.

use std::sync::{Arc, Mutex};

use kube::client::Body;
use serde_json::json;
use tower::BoxError;

use super::*;

/// What was asked for, in its order.
type Requests = Arc<Mutex<Vec<String>>>;

/// A person whose API server answers so.
fn session(answer: impl Fn(usize, &str) -> (u16, Value) + Send + Clone + 'static) -> (Session, Requests) {
    let asked = Requests::default();
    let noted = asked.clone();
    let service = tower::service_fn(move |request: http::Request<Body>| {
        let uri = request.uri().to_string();
        let number = {
            let mut noted = noted.lock().unwrap();
            noted.push(uri.clone());
            noted.len()
        };
        let (status, body) = answer(number, &uri);
        async move { Ok::<_, BoxError>(http::Response::builder().status(status).body(Body::from(body.to_string().into_bytes()))?) }
    });
    (Session::new(Client::new(service, "team-a"), "https://plane".to_owned(), "team-a".to_owned()), asked)
}

/// A page with these backups.
fn page(names: &[&str], next: &str) -> (u16, Value) {
    let item = |name: &&str| {
        json!({
            "metadata": { "name": name, "namespace": "team-a", "annotations": { "a": "b" } },
            "spec": { "dbInstanceId": "rm-1" }, "status": { "observedGeneration": -1 },
        })
    };
    (200, json!({ "kind": "RdsBackupList", "metadata": { "continue": next }, "items": names.iter().map(item).collect::<Vec<_>>() }))
}

fn refusal(code: u16, message: &str) -> (u16, Value) {
    (code, json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": "Because", "message": message }))
}

async fn names(session: &Session) -> Result<Vec<String>, AskError> {
    named(session, &session.backups()).await
}

async fn named(session: &Session, api: &Api<Guarded<RdsBackup>>) -> Result<Vec<String>, AskError> {
    let found = session.list_reduced(api, BACKUPS).await?;
    assert!(found.iter().all(|object| object.annotations().is_empty()), "what is not shown is dropped");
    Ok(found.iter().map(ResourceExt::name_any).collect())
}

#[tokio::test]
async fn a_list_is_read_page_by_page() {
    let (session, asked) = session(|_, uri| if uri.contains("continue=more") { page(&["c"], "") } else { page(&["a", "b"], "more") });
    assert_eq!(names(&session).await.unwrap(), ["a", "b", "c"]);
    let asked = asked.lock().unwrap();
    assert_eq!(asked.len(), 2);
    assert!(asked.iter().all(|uri| uri.contains("/namespaces/team-a/rdsbackups?") && uri.contains("limit=500")), "{asked:?}");
}

#[tokio::test]
async fn pages_that_expire_are_listed_again_and_counted_once() {
    let (list, _) = session(|number, _| match number {
        1 => page(&["a"], "more"),
        2 => refusal(410, "the provided continue parameter is too old"),
        _ => page(&["a", "b"], ""),
    });
    assert_eq!(names(&list).await.unwrap(), ["a", "b"]);
    let (always, asked) = session(|_, _| refusal(410, "too old"));
    assert!(matches!(names(&always).await, Err(AskError::Other { .. })));
    assert_eq!(asked.lock().unwrap().len(), 3, "not for ever");
}

#[tokio::test]
async fn a_raw_backup_keeps_the_fields_that_this_release_does_not_know() {
    let (session, asked) = session(|_, _| {
        let item = json!({ "metadata": { "name": "a", "annotations": { "a": "b" } }, "spec": 7, "status": { "ofTomorrow": true } });
        (200, json!({ "kind": "RdsBackupList", "metadata": {}, "items": [item] }))
    });
    let found = session.raw_backups().await.unwrap();
    assert_eq!((&found[0]["spec"], &found[0]["status"]), (&json!(7), &json!({ "ofTomorrow": true })));
    assert_eq!((&found[0]["metadata"]["name"], &found[0]["metadata"]["annotations"]), (&json!("a"), &json!({})));
    assert!(asked.lock().unwrap()[0].starts_with("/apis/rdsbackup.io/v1alpha1/rdsbackups?"), "of all namespaces");
}

#[tokio::test]
async fn each_refusal_says_in_one_line_what_to_do() {
    let message = "rdsbackups.rdsbackup.io is forbidden: User \"system:serviceaccount:team-a:monitor\" cannot list resource";
    for (all, answer, wanted) in [
        (
            false,
            refusal(403, message),
            "kubectl create rolebinding rds-backup-operator-view-by-hand -n team-a \
             --clusterrole=rds-backup-operator-view --serviceaccount=team-a:monitor",
        ),
        (
            true,
            refusal(403, message),
            "kubectl create clusterrolebinding rds-backup-operator-view-by-hand \
             --clusterrole=rds-backup-operator-view --serviceaccount=team-a:monitor",
        ),
        (false, refusal(401, "Unauthorized"), "log in again"),
        (false, refusal(404, "the server could not find the requested resource"), "rds-backup-operator crds | kubectl apply"),
        (false, refusal(500, "etcdserver: leader changed"), "it answers 500, etcdserver: leader changed"),
    ] {
        let (session, _) = session(move |_, _| answer.clone());
        let api = if all { session.all_backups() } else { session.backups() };
        let said = named(&session, &api).await.unwrap_err().to_string();
        assert!(said.contains(wanted) && said.lines().count() == 1, "{said}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_does_not_answer_is_given_up_after_half_a_minute() {
    let service = tower::service_fn(|_: http::Request<Body>| std::future::pending::<Result<http::Response<Body>, BoxError>>());
    let session = Session::new(Client::new(service, "a"), "https://plane".to_owned(), "a".to_owned());
    let begun = tokio::time::Instant::now();
    let said = names(&session).await.unwrap_err().to_string();
    assert_eq!(begun.elapsed(), TIMEOUT);
    assert!(said.contains("https://plane did not answer within 30 s"), "{said}");
}
