//! A call that the API server does not serve is made again within the same pass: a pass makes up to seven calls, so one refusal out of five
//! would fail nearly every pass, and the pauses between passes grow to a minute.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};

use super::error::{Error, TIMEOUT};

/// After 0.25 and 0.5 s. More tries would be more requests from all objects to an API server that is down for minutes.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
pub(super) const MORE_TRIES: usize = 2;

/// The API server asks for a second at least, in a header that kube does not hand on.
const TOO_MANY: Duration = Duration::from_secs(1);

/// Whoever is asked to wait for longer makes another pass later.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What is asked of the API server.
#[derive(Clone, Copy)]
pub(super) enum Call {
    /// It changes nothing.
    Read(&'static str),
    /// Unless it is known not to have been carried out, it is not made again here: an answer that was lost is the caller's to resolve.
    Write(&'static str),
}

impl Call {
    pub(super) fn verb(self) -> &'static str {
        match self {
            Self::Read(verb) | Self::Write(verb) => verb,
        }
    }

    /// The pause before another try, where one may succeed.
    fn again_after(self, error: &Error, pause: Duration) -> Option<Duration> {
        let Error::Api { source, .. } = error else { return None };
        match (source.as_ref(), self) {
            (kube::Error::Api(status), _) if status.code == 429 => {
                let asked = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
                let pause = pause.max(TOO_MANY).max(Duration::from_secs(u64::from(asked)));
                (pause <= LONGEST_PAUSE).then_some(pause)
            }
            (kube::Error::Api(status), Self::Read(_)) => (status.code >= 500).then_some(pause),
            (kube::Error::Service(_) | kube::Error::HyperError(_), Self::Read(_)) => Some(pause),
            _ => None,
        }
    }
}

/// Makes a call, and makes it again where another try may succeed; all tries share one timeout.
pub(super) async fn tried<T, F>(call: Call, kind: &str, more_tries: usize, once: impl FnMut() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let pauses = ExponentialBuilder::default().with_min_delay(FIRST_PAUSE).with_max_times(more_tries);
    let tries = once
        .retry(pauses)
        .when(|error| call.again_after(error, Duration::ZERO).is_some())
        .adjust(|error, pause| pause.and_then(|pause| call.again_after(error, pause)));
    let timeout = |_| Err(Error::Timeout { verb: call.verb(), kind: kind.to_owned() });
    tokio::time::timeout(TIMEOUT, tries).await.unwrap_or_else(timeout)
}

#[cfg(test)]
mod tests {
    use std::{
        cell::Cell,
        io::{self, ErrorKind},
    };

    use kube::core::{Status, response::StatusDetails};
    use tokio::time::Instant;

    use super::*;

    fn answer(code: u16, retry_after_seconds: u32) -> kube::Error {
        let details = StatusDetails {
            name: String::new(),
            group: String::new(),
            kind: String::new(),
            uid: String::new(),
            causes: Vec::new(),
            retry_after_seconds,
        };
        kube::Error::Api(Status::failure("no", "No").with_code(code).with_details(details).boxed())
    }

    fn reset() -> kube::Error {
        kube::Error::Service(Box::new(io::Error::from(ErrorKind::ConnectionReset)))
    }

    /// How often it was made, and for how long, where it fails so at first.
    async fn made(call: Call, failures: usize, failure: impl Fn() -> kube::Error) -> (usize, Duration, bool) {
        let (times, began) = (Cell::new(0), Instant::now());
        let once = || async {
            times.set(times.get() + 1);
            let failed = || Error::Api { verb: call.verb(), kind: "RdsBackup".to_owned(), source: Box::new(failure()) };
            if times.get() <= failures { Err(failed()) } else { Ok(()) }
        };
        let result = tried(call, "RdsBackup", MORE_TRIES, once).await;
        (times.get(), began.elapsed(), result.is_ok())
    }

    const READ: Call = Call::Read("get");
    const WRITE: Call = Call::Write("create");

    #[tokio::test(start_paused = true)]
    async fn a_read_is_made_three_times_within_a_second() {
        for failure in [|| answer(500, 0), || answer(503, 0), || answer(504, 0), reset] {
            assert_eq!(made(READ, 2, failure).await, (3, Duration::from_millis(750), true));
            assert_eq!(made(READ, 9, failure).await, (3, Duration::from_millis(750), false));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_is_made_again_only_where_it_was_turned_away() {
        for failure in [|| answer(500, 0), || answer(503, 0), || answer(409, 0), reset] {
            assert_eq!(made(WRITE, 1, failure).await, (1, Duration::ZERO, false));
        }
        assert_eq!(made(WRITE, 2, || answer(429, 0)).await, (3, Duration::from_secs(2), true));
    }

    #[tokio::test(start_paused = true)]
    async fn the_api_servers_own_pause_is_kept_and_a_long_one_is_for_the_next_pass() {
        assert_eq!(made(READ, 1, || answer(429, 2)).await, (2, Duration::from_secs(2), true));
        assert_eq!(made(READ, 1, || answer(429, 30)).await, (1, Duration::ZERO, false));
    }

    #[tokio::test(start_paused = true)]
    async fn what_will_not_change_is_not_asked_again() {
        for code in [400, 403, 404, 410, 422] {
            assert_eq!(made(READ, 1, || answer(code, 0)).await, (1, Duration::ZERO, false), "{code}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn all_tries_together_have_one_timeout() {
        let began = Instant::now();
        let times = Cell::new(0);
        let once = || async {
            times.set(times.get() + 1);
            if times.get() == 1 {
                return Err::<(), _>(Error::Api { verb: "get", kind: "RdsBackup".to_owned(), source: Box::new(reset()) });
            }
            std::future::pending().await
        };
        assert!(matches!(tried(READ, "RdsBackup", MORE_TRIES, once).await, Err(Error::Timeout { verb: "get", .. })));
        assert_eq!(began.elapsed(), TIMEOUT);
    }
}
