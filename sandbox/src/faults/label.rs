//! The name of a request: its verb and resource, or its action.

use hyper::Method;
use hyper::http::request::Parts;

/// Which of the two servers a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Server {
    Kube,
    Cloud,
}

/// `kube update rdsbackups/status`, `cloud CreateBackup`: the same for every namespace, instance and name.
pub(super) fn of(server: Server, parts: &Parts) -> String {
    match server {
        Server::Cloud => {
            let action = parts.headers.get("x-acs-action").and_then(|value| value.to_str().ok());
            format!("cloud {}", action.unwrap_or("of no action"))
        }
        Server::Kube => format!("kube {}", resource(&parts.method, parts.uri.path(), parts.uri.query().unwrap_or_default())),
    }
}

fn resource(method: &Method, path: &str, query: &str) -> String {
    let mut rest: Vec<&str> = path.trim_matches('/').split('/').collect();
    // api/VERSION or apis/GROUP/VERSION.
    let prefix = if rest.first() == Some(&"apis") { 3 } else { 2 };
    rest.drain(..prefix.min(rest.len()));
    if rest.first() == Some(&"namespaces") && rest.len() > 2 {
        rest.drain(..2);
    }
    let (kind, name, sub) = (rest.first().copied().unwrap_or("nothing"), rest.get(1), rest.get(2));
    let asks = |key: &str| query.split('&').any(|pair| pair.split('=').next() == Some(key));
    let verb = match (method.as_str(), name) {
        ("GET", Some(_)) => "get",
        ("GET", None) if asks("watch") => "watch",
        ("GET", None) => "list",
        ("POST", _) => "create",
        ("PUT", _) => "update",
        ("PATCH", _) => "patch",
        ("DELETE", _) => "delete",
        (other, _) => other,
    };
    let sub = sub.map(|sub| format!("/{sub}")).unwrap_or_default();
    let of_one = if asks("fieldSelector") { " of the instance" } else { "" };
    format!("{verb} {kind}{sub}{of_one}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_named_by_its_verb_and_resource() {
        let group = "/apis/rdsbackup.io/v1alpha1";
        for (method, path, query, expected) in [
            (Method::GET, format!("{group}/namespaces/a/rdsbackups"), "limit=50", "list rdsbackups"),
            (Method::GET, format!("{group}/namespaces/a/rdsbackups"), "watch=true&x=y", "watch rdsbackups"),
            (Method::GET, format!("{group}/rdsbackups"), "fieldSelector=spec.dbInstanceId%3Drm-1", "list rdsbackups of the instance"),
            (Method::GET, format!("{group}/namespaces/a/rdsbackups/one"), "", "get rdsbackups"),
            (Method::PUT, format!("{group}/namespaces/a/rdsbackups/one/status"), "fieldManager=x", "update rdsbackups/status"),
            (Method::POST, "/apis/events.k8s.io/v1/namespaces/a/events".to_owned(), "", "create events"),
            (Method::GET, "/api/v1/namespaces/rds/secrets/key".to_owned(), "", "get secrets"),
        ] {
            assert_eq!(resource(&method, &path, query), expected);
        }
    }
}
