//! A client for watches that is never kept waiting for ever.

use kube::{Client, client::Body};
use tower::BoxError;

use super::error::TIMEOUT;

/// A client for watches: whatever is asked, the answer begins within the timeout, and one that is no watch ends within it too.
///
/// A watch that shows nothing is begun again by kube itself, but its first list and its beginning have no timeout there (kube 5): one
/// answer that never comes, over a connection that only looks alive, and the process works on nothing any more until it is killed.
pub fn answering(client: Client) -> Client {
    let namespace = client.default_namespace().to_owned();
    let service = tower::service_fn(move |request: http::Request<Body>| {
        let client = client.clone();
        let is_watch = request.uri().query().is_some_and(|query| query.split('&').any(|pair| pair == "watch=true"));
        let answer = async move {
            let mut response = client.send(request).await?;
            if !is_watch {
                let body = std::mem::replace(response.body_mut(), Body::empty()).collect_bytes().await?;
                *response.body_mut() = Body::from(body);
            }
            Ok::<_, BoxError>(response)
        };
        async move {
            match tokio::time::timeout(TIMEOUT, answer).await {
                Ok(answer) => answer,
                Err(_) => Err(format!("no answer within {} s", TIMEOUT.as_secs()).into()),
            }
        }
    });
    Client::new(service, namespace)
}
