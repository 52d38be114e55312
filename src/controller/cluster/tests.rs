use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use kube::client::Body;
use tokio::time::{Duration, Instant};
use tower::BoxError;

use super::*;
use crate::api::RdsBackup;

/// A cluster whose API server turns everything away, and at whose first request the lease ends.
fn turned_away(fence: &Fence, asked: &Arc<AtomicUsize>) -> Cluster {
    let (shut, asked) = (fence.clone(), asked.clone());
    let service = tower::service_fn(move |_: http::Request<Body>| {
        asked.fetch_add(1, Ordering::Relaxed);
        shut.close();
        let answer = http::Response::builder().status(429).body(Body::from("later".as_bytes().to_vec()));
        async move { Ok::<_, BoxError>(answer?) }
    });
    Cluster::new(Client::new(service, "team-a"), Scope::Cluster, "test".to_owned(), fence.clone())
}

#[tokio::test(start_paused = true)]
async fn a_write_that_was_turned_away_is_not_made_again_when_another_may_lead_by_then() {
    let backup = || RdsBackup::new("b", serde_json::from_value(json!({ "dbInstanceId": "rm-1" })).unwrap());
    let (fence, asked) = (Fence::shut(), Arc::default());
    let cluster = turned_away(&fence, &asked);
    assert!(matches!(cluster.create(&backup()).await, Err(Error::NotLeading)));
    assert_eq!(asked.load(Ordering::Relaxed), 0, "it never led");

    fence.open_until(Instant::now() + Duration::from_secs(60));
    assert!(matches!(cluster.create(&backup()).await, Err(Error::NotLeading)));
    assert_eq!(asked.load(Ordering::Relaxed), 1, "it led the first time only");

    // What must be written to its end is the caller's to try again.
    let unfenced = cluster.unfenced().write_status(&backup(), &json!({})).await;
    assert!(matches!(unfenced.err(), Some(Error::Api { .. })));
    assert_eq!(asked.load(Ordering::Relaxed), 2);

    assert!(matches!(cluster.named::<RdsBackup>("team-a", "b").await, Err(Error::Api { .. })), "reads have no fence");
    assert_eq!(asked.load(Ordering::Relaxed), 5);
}
