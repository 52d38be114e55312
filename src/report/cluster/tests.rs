//! An API server of a few lines.

use std::sync::{Arc, Mutex};

use kube::client::Body;
use serde_json::json;
use tower::BoxError;

use super::*;
use crate::api::RdsBackup;

/// What was asked for, in its order.
type Asked = Arc<Mutex<Vec<String>>>;

/// The objects of `team-a`, or of all namespaces, from an API server that answers so.
fn place(all: bool, answer: impl Fn(usize, &str) -> (u16, Value) + Send + Clone + 'static) -> (Cluster, Asked) {
    let asked = Asked::default();
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
    let namespace = (!all).then(|| "team-a".to_owned());
    (Cluster { client: Client::new(service, "team-a"), server: "https://plane".to_owned(), namespace, needs_all: false }, asked)
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

async fn names(cluster: &Cluster) -> Result<Vec<String>, ReadError> {
    let found = cluster.all::<RdsBackup>("rdsbackups").await?;
    assert!(found.iter().all(|object| object.annotations().is_empty()), "what no report shows is dropped");
    Ok(found.iter().map(ResourceExt::name_any).collect())
}

#[tokio::test]
async fn a_list_is_read_page_by_page() {
    let (place, asked) = place(false, |_, uri| if uri.contains("continue=more") { page(&["c"], "") } else { page(&["a", "b"], "more") });
    assert_eq!(names(&place).await.unwrap(), ["a", "b", "c"]);
    let asked = asked.lock().unwrap();
    assert_eq!(asked.len(), 2);
    assert!(asked.iter().all(|uri| uri.contains("/namespaces/team-a/rdsbackups?") && uri.contains("limit=500")), "{asked:?}");
}

#[tokio::test]
async fn pages_that_expire_are_listed_again_and_counted_once() {
    let (list, _) = place(true, |number, _| match number {
        1 => page(&["a"], "more"),
        2 => refusal(410, "the provided continue parameter is too old"),
        _ => page(&["a", "b"], ""),
    });
    assert_eq!(names(&list).await.unwrap(), ["a", "b"]);
    let (always, asked) = place(true, |_, _| refusal(410, "too old"));
    assert!(matches!(names(&always).await, Err(ReadError::Other { .. })));
    assert_eq!(asked.lock().unwrap().len(), 3, "not for ever");
}

#[tokio::test]
async fn each_refusal_says_in_one_line_what_to_do() {
    let message = "rdsbackups.rdsbackup.io is forbidden: User \"system:serviceaccount:team-a:monitor\" cannot list resource";
    for (all, answer, wanted) in [
        (
            false,
            refusal(403, message),
            "kubectl create rolebinding rds-backup-report -n team-a --clusterrole=rds-backup-operator-view --serviceaccount=team-a:monitor",
        ),
        (
            true,
            refusal(403, message),
            "kubectl create clusterrolebinding rds-backup-report --clusterrole=rds-backup-operator-view --serviceaccount=team-a:monitor",
        ),
        (false, refusal(401, "Unauthorized"), "log in again"),
        (false, refusal(404, "the server could not find the requested resource"), "rds-backup-operator crds | kubectl apply"),
        (false, refusal(500, "etcdserver: leader changed"), "it answers 500, etcdserver: leader changed"),
    ] {
        let (place, _) = place(all, move |_, _| answer.clone());
        let said = names(&place).await.unwrap_err().to_string();
        assert!(said.contains(wanted) && said.lines().count() == 1, "{said}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_does_not_answer_is_given_up_after_half_a_minute() {
    let service = tower::service_fn(|_: http::Request<Body>| std::future::pending::<Result<http::Response<Body>, BoxError>>());
    let place = Cluster { client: Client::new(service, "a"), server: "https://plane".to_owned(), namespace: None, needs_all: false };
    let begun = tokio::time::Instant::now();
    let said = names(&place).await.unwrap_err().to_string();
    assert_eq!(begun.elapsed(), TIMEOUT);
    assert!(said.contains("https://plane did not answer within 30 s"), "{said}");
}

#[test]
fn the_user_is_read_from_the_refusal_and_nothing_that_a_shell_would_run() {
    let refusal = |user: &str| format!("rdsbackups.rdsbackup.io is forbidden: User \"{user}\" cannot list resource \"rdsbackups\"");
    let of = |user: &str| subject_of(user_in(&refusal(user)).as_deref());
    assert_eq!(of("system:serviceaccount:team-a:report"), "--serviceaccount=team-a:report");
    assert_eq!(of("jane@example.com"), "--user=jane@example.com");
    assert_eq!(of("$(reboot)"), "--user=USER");
    assert_eq!(subject_of(user_in("no").as_deref()), "--user=USER");
}

#[test]
fn a_kubeconfig_that_does_not_parse_is_not_repeated() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config");
    std::fs::write(&path, "users: hidden-token\n").unwrap();
    let error = of_kubeconfig(&Kubeconfig::read_from(&path).unwrap_err()).to_string();
    assert!(!error.contains("hidden-token") && error.contains("KUBECONFIG"), "{error}");
}

#[test]
fn the_pods_own_cluster_is_asked_only_where_no_kubeconfig_is() {
    let home = tempfile::tempdir().unwrap();
    let named = |variable: Option<&str>| names_kubeconfig(variable.map(OsStr::new), Some(home.path()));
    assert_eq!((named(None), named(Some("")), named(Some("/nowhere"))), (false, false, true));
    assert!(!names_kubeconfig(None, None));
    std::fs::create_dir(home.path().join(".kube")).unwrap();
    assert!(!named(None));
    std::fs::write(home.path().join(".kube/config"), "broken: [").unwrap();
    assert!(named(None) && named(Some("")));
}
