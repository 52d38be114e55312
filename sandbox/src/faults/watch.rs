//! A watch on its way through a proxy, as the network conditions change it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, StreamExt as _};
use http_body_util::{BodyExt as _, BodyStream, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::answer::{Body, NoAnswer};
use super::network_conditions::{Distortion, NetworkCondition, NetworkConditions};

/// A watch, as the current condition passes it on. The condition is read anew for each event: a watch that began normally is distorted
/// later.
pub(super) fn watched(network: Arc<NetworkConditions>, body: Incoming) -> Body {
    let watch = Watch { network, body: BodyStream::new(body), half: Vec::new(), lines: VecDeque::new(), began: Instant::now(), end: None };
    let frames = stream::unfold(watch, |mut watch| async move { watch.next().await.map(|next| (next.map(Frame::data), watch)) });
    StreamBody::new(frames).boxed_unsync()
}

/// How a watch ends that a condition ends.
#[derive(Clone, Copy)]
enum End {
    /// The answer is complete.
    Complete,
    /// The connection breaks.
    Broken,
}

struct Watch {
    network: Arc<NetworkConditions>,
    body: BodyStream<Incoming>,
    half: Vec<u8>,
    lines: VecDeque<Bytes>,
    began: Instant,
    /// How it is to end, as soon as the next line is asked for.
    end: Option<End>,
}

/// How soon a change of the condition is noticed.
const POLL: Duration = Duration::from_millis(100);

impl Watch {
    /// The next line, or the end.
    async fn next(&mut self) -> Option<Result<Bytes, NoAnswer>> {
        loop {
            match self.end {
                Some(End::Complete) => return None,
                Some(End::Broken) => return Some(Err(NoAnswer)),
                None => {}
            }
            match self.network.current() {
                NetworkCondition::Watches(Distortion::Cut(after)) if self.began.elapsed() >= after => {
                    self.network.count_applied();
                    self.end = Some(End::Broken);
                    continue;
                }
                NetworkCondition::Watches(Distortion::Expired(after)) if self.began.elapsed() >= after => {
                    self.network.count_applied();
                    self.end = Some(End::Complete);
                    return Some(Ok(expired()));
                }
                NetworkCondition::Silent => {
                    tokio::time::sleep(POLL).await;
                    continue;
                }
                _ => {}
            }
            if let Some(line) = self.lines.pop_front() {
                match self.passed_on(line) {
                    Some(shown) => return Some(Ok(shown)),
                    None => continue,
                }
            }
            let Ok(frame) = tokio::time::timeout(POLL, self.body.next()).await else { continue };
            let Ok(frame) = frame? else { return Some(Err(NoAnswer)) };
            self.half.extend_from_slice(&frame.into_data().unwrap_or_default());
            while let Some(end) = self.half.iter().position(|byte| *byte == b'\n') {
                self.lines.push_back(self.half.drain(..=end).collect::<Vec<u8>>().into());
            }
        }
    }

    /// What is passed on of an event.
    fn passed_on(&mut self, line: Bytes) -> Option<Bytes> {
        let NetworkCondition::Watches(distortion) = self.network.current() else { return Some(line) };
        let event = serde_json::from_slice::<Value>(&line).unwrap_or_default();
        match (distortion, event["type"].as_str()) {
            (Distortion::Without(one_of), Some("MODIFIED")) if self.network.chosen(one_of) => None,
            (Distortion::OnlyBookmarks, kind) if kind != Some("BOOKMARK") => {
                self.network.count_applied();
                None
            }
            (Distortion::Torn(one_of), _) if self.network.chosen(one_of) => {
                self.end = Some(End::Broken);
                Some(line.slice(..line.len() / 2))
            }
            _ => Some(line),
        }
    }
}

/// The answer of a server that no longer has the history after a resourceVersion.
fn expired() -> Bytes {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Expired", "code": 410,
        "message": "too old resource version: by plan", "metadata": {},
    });
    format!("{}\n", json!({ "type": "ERROR", "object": status })).into()
}
