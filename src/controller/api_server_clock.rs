//! The API server's time, by the `Date` of its answers: for a process that has no answer of the service yet. A node's clock may be hours
//! off, and a wait must not end by it.

use std::sync::{Arc, Mutex, PoisonError};

use http::header::DATE;
use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use kube::{Client, client::Body};
use tower::BoxError;

use crate::clock::Clock;

/// Smaller differences are not corrected: `Date` has whole seconds, and a correction would make recorded times jump.
const SMALLEST: SignedDuration = SignedDuration::from_secs(2);

/// A larger difference is not believed: either clock is so wrong that an administrator must set it.
const LARGEST: SignedDuration = SignedDuration::from_hours(24);

/// How far the API server's clock is ahead of ours; not known before its first answer.
#[derive(Clone, Debug, Default)]
pub struct ApiServerClock(Arc<Mutex<Option<SignedDuration>>>);

impl ApiServerClock {
    /// How far it is ahead, by its newest answer; none before the first.
    pub fn offset(&self) -> Option<SignedDuration> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same client; the clock learns from every answer that it gets.
    pub fn listening(&self, client: Client, clock: Clock) -> Client {
        let (namespace, learns) = (client.default_namespace().to_owned(), self.clone());
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let (client, clock, learns) = (client.clone(), clock.clone(), learns.clone());
            async move {
                let sent = clock.now();
                let response = client.send(request).await.map_err(BoxError::from)?;
                let date = response.headers().get(DATE).and_then(|date| rfc2822::parse(date.to_str().ok()?).ok());
                if let Some(date) = date {
                    learns.learn(sent, clock.now(), date.timestamp());
                }
                Ok::<_, BoxError>(response)
            }
        });
        Client::new(service, namespace)
    }

    /// `Date` was written at some moment between `sent` and `received`. What is known stays while it lies within that interval, however slow
    /// the answer was.
    fn learn(&self, sent: Timestamp, received: Timestamp, date: Timestamp) {
        let least = date.duration_since(received);
        let most = date.duration_since(sent).saturating_add(SignedDuration::from_secs(1));
        let middle = least.saturating_add(most.saturating_sub(least) / 2);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Our own clock was set back between the two, or one of the clocks cannot be believed.
        if most < least || middle.abs() > LARGEST || known.is_some_and(|known| (least..=most).contains(&known)) {
            return;
        }
        *known = Some(if middle.abs() < SMALLEST { SignedDuration::ZERO } else { middle });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_answer_tells_and_small_differences_are_none() {
        let at = |millis: i64| Timestamp::from_millisecond(1_800_000_000_000 + millis).unwrap();
        let known = ApiServerClock::default();
        for (sent, received, date, offset) in [
            // A day and more is not believed: nothing is known yet.
            (0, 100, 100_000_000, None),
            (0, 100, 0, Some(0)),
            // Our clock is 8 hours ahead now.
            (28_800_000, 28_800_100, 0, Some(-28_799_550)),
            // A slow answer gives a wide interval, with what is known in it.
            (28_900_000, 28_960_000, 120_000, Some(-28_799_550)),
            // It was set right; and set back while a request was under way.
            (500_000, 500_100, 500_000, Some(0)),
            (560_000, 500_000, 900_000, Some(0)),
        ] {
            known.learn(at(sent), at(received), at(date));
            assert_eq!(known.offset(), offset.map(SignedDuration::from_millis), "sent {sent}, received {received}, date {date}");
        }
    }
}
