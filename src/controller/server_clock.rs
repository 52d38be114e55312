//! The API server's clock, by the `Date` of its answers. The clock of the operator's node may be hours away from it.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use kube::{Client, client::Body};
use tokio::time::Instant;
use tower::BoxError;

use crate::time::SaturatingTime;

/// The API server's clock. Between two answers it goes on by a clock that cannot be set.
#[derive(Clone, Debug, Default)]
pub struct ServerClock(Arc<Mutex<Option<(Timestamp, Instant)>>>);

impl ServerClock {
    /// The API server's time, not later than it is; none before its first answer, or if its answers have no `Date`.
    pub fn now(&self, steady: Instant) -> Option<Timestamp> {
        let (date, at) = (*self.0.lock().unwrap_or_else(PoisonError::into_inner))?;
        Some(date.plus(SignedDuration::try_from(steady.saturating_duration_since(at)).unwrap_or_default()))
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
