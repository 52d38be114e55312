//! A watch on its way through a proxy, which the weather may distort.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, StreamExt as _};
use http_body_util::{BodyExt as _, BodyStream, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::answer::{Body, NoAnswer};
use super::weather::{Distortion, Sky, Weather};

/// A watch, as the weather lets it through. The weather is that of each moment: a watch that was begun in calm meets what comes.
pub(super) fn watched(sky: Arc<Sky>, body: Incoming) -> Body {
    let watch = Watch { sky, body: BodyStream::new(body), half: Vec::new(), lines: VecDeque::new(), began: Instant::now(), end: None };
    let frames = stream::unfold(watch, |mut watch| async move { watch.next().await.map(|next| (next.map(Frame::data), watch)) });
    StreamBody::new(frames).boxed_unsync()
}

/// How a watch ends that the weather ends.
#[derive(Clone, Copy)]
enum End {
    /// The answer is complete.
    Complete,
    /// The connection breaks.
    Broken,
}

struct Watch {
    sky: Arc<Sky>,
    body: BodyStream<Incoming>,
    half: Vec<u8>,
    lines: VecDeque<Bytes>,
    began: Instant,
    /// It has ended, but for being told.
    end: Option<End>,
}

/// How soon a change of the weather is noticed.
const GLANCE: Duration = Duration::from_millis(100);

impl Watch {
    /// The next line, or the end.
    async fn next(&mut self) -> Option<Result<Bytes, NoAnswer>> {
        loop {
            match self.end {
                Some(End::Complete) => return None,
                Some(End::Broken) => return Some(Err(NoAnswer)),
                None => {}
            }
            match self.sky.weather() {
                Weather::Watches(Distortion::Cut(after)) if self.began.elapsed() >= after => {
                    self.sky.strike();
                    self.end = Some(End::Broken);
                    continue;
                }
                Weather::Watches(Distortion::Expired(after)) if self.began.elapsed() >= after => {
                    self.sky.strike();
                    self.end = Some(End::Complete);
                    return Some(Ok(expired()));
                }
                Weather::Silent => {
                    tokio::time::sleep(GLANCE).await;
                    continue;
                }
                _ => {}
            }
            if let Some(line) = self.lines.pop_front() {
                match self.shown(line) {
                    Some(shown) => return Some(Ok(shown)),
                    None => continue,
                }
            }
            let Ok(frame) = tokio::time::timeout(GLANCE, self.body.next()).await else { continue };
            let Ok(frame) = frame? else { return Some(Err(NoAnswer)) };
            self.half.extend_from_slice(&frame.into_data().unwrap_or_default());
            while let Some(end) = self.half.iter().position(|byte| *byte == b'\n') {
                self.lines.push_back(self.half.drain(..=end).collect::<Vec<u8>>().into());
            }
        }
    }

    /// What is shown of an event.
    fn shown(&mut self, line: Bytes) -> Option<Bytes> {
        let Weather::Watches(distortion) = self.sky.weather() else { return Some(line) };
        let event = serde_json::from_slice::<Value>(&line).unwrap_or_default();
        match (distortion, event["type"].as_str()) {
            (Distortion::Without(one_of), Some("MODIFIED")) if self.sky.turn(one_of) => None,
            (Distortion::OnlyBookmarks, kind) if kind != Some("BOOKMARK") => {
                self.sky.strike();
                None
            }
            (Distortion::Torn(one_of), _) if self.sky.turn(one_of) => {
                self.end = Some(End::Broken);
                Some(line.slice(..line.len() / 2))
            }
            _ => Some(line),
        }
    }
}

/// What the server says when it no longer knows what came after a resourceVersion.
fn expired() -> Bytes {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Expired", "code": 410,
        "message": "too old resource version: by plan", "metadata": {},
    });
    format!("{}\n", json!({ "type": "ERROR", "object": status })).into()
}
