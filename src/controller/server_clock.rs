//! The API server's clock, by the `Date` of its answers. The clock of the operator's node may be hours away from it.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use kube::{Client, client::Body};
use tokio::time::Instant;
use tower::BoxError;

use crate::time::SaturatingTime;

/// Smaller differences from our own clock are none: `Date` has whole seconds, and a correction would make recorded times jump.
const SMALLEST: SignedDuration = SignedDuration::from_secs(2);

/// A larger difference is not believed: either clock is so wrong that an administrator must set it.
const LARGEST: SignedDuration = SignedDuration::from_hours(24);

/// The API server's clock. Between two answers it goes on by a clock that cannot be set.
#[derive(Clone, Debug, Default)]
pub struct ServerClock(Arc<Mutex<Option<(Timestamp, Instant)>>>);

impl ServerClock {
    /// The API server's time, not later than it is; none before its first answer, or if its answers have no `Date`.
    pub fn now(&self, steady: Instant) -> Option<Timestamp> {
        let (date, at) = (*self.0.lock().unwrap_or_else(PoisonError::into_inner))?;
        Some(date.plus(SignedDuration::try_from(steady.saturating_duration_since(at)).unwrap_or_default()))
    }

    /// How far it is ahead of our clock, which says `local`: for a process that has no answer of the service yet. None before its first
    /// answer, and where the difference cannot be believed.
    pub fn offset(&self, local: Timestamp, steady: Instant) -> Option<SignedDuration> {
        let offset = self.now(steady)?.duration_since(local);
        if offset.abs() > LARGEST {
            return None;
        }
        Some(if offset.abs() < SMALLEST { SignedDuration::ZERO } else { offset })
    }

    fn saw(&self, date: Timestamp, at: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((date, at));
    }

    /// The same client, which reads the clock from every answer.
    pub fn reading(&self, client: Client) -> Client {
        let (namespace, clock) = (client.default_namespace().to_owned(), self.clone());
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let (client, clock) = (client.clone(), clock.clone());
            async move {
                let response = client.send(request).await?;
                let date = response.headers().get(http::header::DATE).and_then(|date| date.to_str().ok());
                if let Some(date) = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok()) {
                    clock.saw(date.timestamp(), Instant::now());
                }
                Ok::<_, BoxError>(response)
            }
        });
        Client::new(service, namespace)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Answers with this `Date`, if any.
    fn answering(date: Option<&'static str>) -> Client {
        let answer = move |_: http::Request<Body>| async move {
            let mut response = http::Response::builder();
            if let Some(date) = date {
                response = response.header("date", date);
            }
            Ok::<_, BoxError>(response.body(Body::empty()).unwrap())
        };
        Client::new(tower::service_fn(answer), "default")
    }

    #[tokio::test(start_paused = true)]
    async fn small_differences_from_our_clock_are_none_and_days_are_not_believed() {
        let at = |millis: i64| Timestamp::from_millisecond(1_800_000_000_000 + millis).unwrap();
        let clock = ServerClock::default();
        assert_eq!(clock.offset(at(0), Instant::now()), None);
        clock.saw(at(0), Instant::now());
        for (local, offset) in [
            (0, Some(0)),
            (1_900, Some(0)),
            (28_800_000, Some(-28_800_000)),
            (-90_000, Some(90_000)),
            (86_400_001, None),
            (-86_400_001, None),
        ] {
            assert_eq!(clock.offset(at(local), Instant::now()), offset.map(SignedDuration::from_millis), "{local}");
        }
        tokio::time::advance(Duration::from_secs(90)).await;
        assert_eq!(clock.offset(at(90_000), Instant::now()), Some(SignedDuration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn the_newest_date_counts_and_goes_on() {
        let clock = ServerClock::default();
        let ask = async |date| {
            let client = clock.reading(answering(date));
            client.send(http::Request::new(Body::empty())).await.unwrap();
        };
        for nonsense in [None, Some("tomorrow")] {
            ask(nonsense).await;
            assert_eq!(clock.now(Instant::now()), None);
        }
        ask(Some("Fri, 15 Jan 2027 08:00:00 GMT")).await;
        tokio::time::advance(Duration::from_secs(90)).await;
        let at = |text: &str| Some(text.parse::<Timestamp>().unwrap());
        assert_eq!(clock.now(Instant::now()), at("2027-01-15T08:01:30Z"));
        ask(None).await;
        assert_eq!(clock.now(Instant::now()), at("2027-01-15T08:01:30Z"), "an answer without a Date changes nothing");
        ask(Some("Fri, 15 Jan 2027 07:00:00 GMT")).await;
        assert_eq!(clock.now(Instant::now()), at("2027-01-15T07:00:00Z"));
    }
}
