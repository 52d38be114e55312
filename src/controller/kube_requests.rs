//! The requests of this process to the API server, counted for the metrics as they pass by.

use http::Method;
use kube::{Client, client::Body};
use prometheus_client::metrics::{counter::Counter, family::Family};
use tower::BoxError;

use crate::no_answer::NoAnswer;

/// What the operator asks for. Anything else counts as `other`.
const RESOURCES: [&str; 9] = [
    "rdsbackups",
    "rdsbackups/status",
    "rdsbackupschedules",
    "rdsbackupschedules/status",
    "secrets",
    "leases",
    "events",
    "namespaces",
    "customresourcedefinitions",
];

/// What a request is counted under: verb, resource, code.
type Labels = [(&'static str, String); 3];

/// How many requests, by verb, resource and code.
#[derive(Clone, Debug, Default)]
pub struct KubeRequests(pub Family<Labels, Counter>);

impl KubeRequests {
    /// The same client, which counts its requests. A watch counts when its answer begins.
    pub fn counting(&self, client: Client) -> Client {
        let (namespace, counts) = (client.default_namespace().to_owned(), self.clone());
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let client = client.clone();
            let (verb, resource) = asked(request.method(), request.uri());
            // Counted where it is dropped without an answer, too: that is how those end that are waited for too long.
            let mut pending = Pending { counts: counts.clone(), verb, resource, code: NoAnswer::Timeout.as_str().to_owned() };
            async move {
                let answer = client.send(request).await;
                pending.code = match &answer {
                    Ok(response) => response.status().as_u16().to_string(),
                    Err(error) => NoAnswer::of(error).as_str().to_owned(),
                };
                drop(pending);
                Ok::<_, BoxError>(answer?)
            }
        });
        Client::new(service, namespace)
    }
}

/// A request under way.
struct Pending {
    counts: KubeRequests,
    verb: &'static str,
    resource: &'static str,
    code: String,
}

impl Drop for Pending {
    fn drop(&mut self) {
        let labels = [("verb", self.verb.to_owned()), ("resource", self.resource.to_owned()), ("code", std::mem::take(&mut self.code))];
        self.counts.0.get_or_create(&labels).inc();
    }
}

/// The verb and the resource, as a role names them.
fn asked(method: &Method, uri: &http::Uri) -> (&'static str, &'static str) {
    let parts: Vec<&str> = uri.path().split('/').filter(|part| !part.is_empty()).collect();
    let below_version = match parts.as_slice() {
        ["api", _, rest @ ..] | ["apis", _, _, rest @ ..] => rest,
        _ => &[],
    };
    let (plural, name, subresource) = match below_version {
        // A namespace itself, and what is in one.
        ["namespaces", name] => ("namespaces", Some(name), None),
        ["namespaces", _, plural] => (*plural, None, None),
        ["namespaces", _, plural, name] => (*plural, Some(name), None),
        ["namespaces", _, plural, name, sub, ..] => (*plural, Some(name), Some(*sub)),
        [plural] => (*plural, None, None),
        [plural, name] => (*plural, Some(name), None),
        [plural, name, sub, ..] => (*plural, Some(name), Some(*sub)),
        [] => ("", None, None),
    };
    let full = subresource.map_or_else(|| plural.to_owned(), |sub| format!("{plural}/{sub}"));
    let resource = RESOURCES.into_iter().find(|known| *known == full).unwrap_or("other");
    let watches = uri.query().is_some_and(|query| query.split('&').any(|pair| pair == "watch=true"));
    let verb = match (method, name) {
        (&Method::GET, _) if watches => "watch",
        (&Method::GET, Some(_)) => "get",
        (&Method::GET, None) => "list",
        (&Method::POST, _) => "create",
        (&Method::PUT, _) => "update",
        (&Method::PATCH, _) => "patch",
        (&Method::DELETE, _) => "delete",
        _ => "other",
    };
    (verb, resource)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_request_is_named_as_a_role_names_it() {
        let group = "/apis/rdsbackup.io/v1alpha1";
        for (method, path, expected) in [
            (Method::GET, format!("{group}/rdsbackups?limit=50"), ("list", "rdsbackups")),
            (Method::GET, format!("{group}/namespaces/a/rdsbackups?watch=true&x=1"), ("watch", "rdsbackups")),
            (Method::GET, format!("{group}/namespaces/a/rdsbackups/b"), ("get", "rdsbackups")),
            (Method::PUT, format!("{group}/namespaces/a/rdsbackups/b/status"), ("update", "rdsbackups/status")),
            (Method::POST, format!("{group}/namespaces/a/rdsbackups"), ("create", "rdsbackups")),
            (Method::DELETE, format!("{group}/namespaces/a/rdsbackups/b"), ("delete", "rdsbackups")),
            (Method::GET, "/api/v1/namespaces/a".to_owned(), ("get", "namespaces")),
            (Method::GET, "/api/v1/namespaces".to_owned(), ("list", "namespaces")),
            (Method::GET, "/api/v1/namespaces/a/secrets/key".to_owned(), ("get", "secrets")),
            (Method::PATCH, "/apis/coordination.k8s.io/v1/namespaces/a/leases/l".to_owned(), ("patch", "leases")),
            (Method::POST, "/apis/events.k8s.io/v1/namespaces/a/events".to_owned(), ("create", "events")),
            (Method::GET, "/version".to_owned(), ("list", "other")),
            (Method::GET, "/apis/x/v1/widgets/1".to_owned(), ("get", "other")),
            (Method::OPTIONS, "/".to_owned(), ("other", "other")),
        ] {
            assert_eq!(asked(&method, &path.parse().unwrap()), expected, "{method} {path}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn answers_and_requests_that_are_given_up_are_counted_once() {
        let answer = |request: http::Request<Body>| async move {
            if request.uri().path().ends_with("/hangs") {
                std::future::pending::<()>().await;
            }
            Ok::<_, BoxError>(http::Response::builder().status(404).body(Body::empty()).unwrap())
        };
        let counts = KubeRequests::default();
        let client = counts.counting(Client::new(tower::service_fn(answer), "default"));
        let get = |name: &str| http::Request::get(format!("/api/v1/namespaces/a/secrets/{name}")).body(Body::empty()).unwrap();
        client.send(get("b")).await.unwrap();
        assert!(tokio::time::timeout(Duration::from_secs(1), client.send(get("hangs"))).await.is_err());
        let count = |code: &str| {
            let labels = [("verb", "get"), ("resource", "secrets"), ("code", code)];
            counts.0.get(&labels.map(|(name, value)| (name, value.to_owned()))).map(|counter| counter.get())
        };
        assert_eq!((count("404"), count("timeout"), count("200")), (Some(1), Some(1), None));
    }
}
