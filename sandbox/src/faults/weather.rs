//! What happens to all the requests of one operator, until it is changed.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::stream::{self, StreamExt as _};
use http_body_util::{BodyExt as _, BodyStream, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::proxy::{Body, NoAnswer};

/// What the API server, or the way to it, does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weather {
    /// Nothing.
    Calm,
    /// One of so many requests of those that have this in their names, at random, is answered so, and not forwarded.
    Answers { to: &'static str, one_of: u32, status: u16 },
    /// Every request takes longer.
    Slow(Duration),
    /// No request is answered, or arrives.
    Silent,
    /// Every watch of our kinds shows something else than the server sent.
    Watches(Distortion),
    /// The first list of a kind is the answer to every later one, and the watch that follows begins so late.
    OldLists(Duration),
    /// Everybody has a lease of his own, and is its holder.
    LeasesLie,
}

/// What is done to a watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Distortion {
    /// The connection ends after so long.
    Cut(Duration),
    /// Of what was modified, one of so many is left out.
    Without(u32),
    /// One of so many events ends in the middle, and so does the connection.
    Torn(u32),
    /// Nothing but bookmarks.
    OnlyBookmarks,
    /// After so long the history is forgotten: 410.
    Expired(Duration),
}

/// The weather over one operator, and how often it has struck.
pub(super) struct Sky {
    now: Mutex<(Weather, StdRng)>,
    struck: AtomicUsize,
}

impl Default for Sky {
    fn default() -> Self {
        Self { now: Mutex::new((Weather::Calm, StdRng::seed_from_u64(1))), struck: AtomicUsize::new(0) }
    }
}

impl Sky {
    pub(super) fn change(&self, weather: Weather) {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).0 = weather;
    }

    pub(super) fn weather(&self) -> Weather {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    /// Whether it is this one's turn. By dice: of a strict order, whoever is alone and always fails at the same step never gets through.
    pub(super) fn turn(&self, one_of: u32) -> bool {
        let turn = self.now.lock().unwrap_or_else(PoisonError::into_inner).1.random_ratio(1, one_of);
        if turn {
            self.strike();
        }
        turn
    }

    pub(super) fn strike(&self) {
        self.struck.fetch_add(1, Ordering::Relaxed);
    }

    /// How often something was done to a request or an event.
    pub(super) fn struck(&self) -> usize {
        self.struck.load(Ordering::Relaxed)
    }
}

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
