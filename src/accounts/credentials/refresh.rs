//! The one place that renews credentials that end: one exchange at a time, in the background, well before the end. The old key is served
//! until shortly before its true end, however often its renewal fails. A source that fails is never replaced by another.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use super::error::{CredentialsError, NotGiven};
use crate::{api::Reason, entropy::Entropy, rpc::Credentials, time::SaturatingTime};

/// A key is renewed so long before its end, and one of a short life less long before.
const LEAD: SignedDuration = SignedDuration::from_mins(15);
const SHORT_LEAD: SignedDuration = SignedDuration::from_mins(5);

/// The longest life that counts as short.
const SHORT_LIFE: SignedDuration = SignedDuration::from_mins(20);

/// A key is not served any more so long before its end: a request that is signed with it is under way for a while.
const MARGIN: SignedDuration = SignedDuration::from_secs(30);

/// The first renewal comes earlier by up to so many thousandths of its time, at random: operators that started in one second would
/// otherwise ask in one second for ever.
const FIRST_JITTER: u64 = 100;

/// The longest time of one exchange. Every request in it has a shorter one.
const LONGEST_EXCHANGE: Duration = Duration::from_secs(25);

/// How long a caller waits for an exchange, at most.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The longest pause after an exchange that failed; the first is a second, and each is twice as long as the one before.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// So long after an exchange a refused key causes no other one: a key that the service refuses for ever must not be renewed for ever.
const SHORTEST_PAUSE: Duration = Duration::from_secs(10);

/// A key without an end, of a file, is read again so often, and served so much longer if it cannot be read.
const REREAD: SignedDuration = SignedDuration::from_secs(60);

/// How often the clock is looked at while a key lives. It may be set, and a machine may sleep.
const LOOK: Duration = Duration::from_secs(20);

/// A source of credentials that end.
pub(in crate::accounts) trait TemporarySource: Send + Sync {
    /// A new key. The end is part of it.
    fn fetch(&self) -> BoxFuture<'_, Result<Credentials, CredentialsError>>;

    /// The time by which the end of its keys is judged: the clock of the service that gives them out, as far as it is known.
    fn now(&self) -> Timestamp;

    /// As messages name it, for example `RRSA (role acs:ram::1:role/backup)`.
    fn name(&self) -> &str;

    /// Its type, as the configuration and the metrics name it.
    fn kind(&self) -> &'static str;
}

/// How many exchanges of a source had the same result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshCount {
    /// The type of the source.
    pub source: &'static str,
    /// `OK`, or the reason why there was no key.
    pub result: &'static str,
    /// How many.
    pub count: u64,
}

/// Credentials that are renewed before they end. The work begins with the first caller and ends with this value.
pub struct Refresher {
    shared: Arc<Shared>,
    task: OnceLock<AbortOnDropHandle<()>>,
}

struct Shared {
    source: Box<dyn TemporarySource>,
    entropy: Entropy,
    state: watch::Sender<State>,
    /// A caller needs another key now.
    wanted: Notify,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    /// Why the newest exchange failed; none if it succeeded.
    failure: Option<CredentialsError>,
    exchanges: u64,
    /// How many of them had which result.
    results: BTreeMap<&'static str, u64>,
    /// When the newest exchange ended.
    at: Option<Instant>,
}

/// A key and its times.
#[derive(Clone, Debug)]
struct Held {
    credentials: Credentials,
    plan: Plan,
}

/// When a key is renewed, and until when it is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Plan {
    refresh_at: Timestamp,
    serve_until: Timestamp,
}

impl Plan {
    /// The times of a key that is had at `now` and ends at `end`. Of a life that is shorter than any that a service gives out, the lead is
    /// at most a half and the margin at most a quarter. `earlier`: by how many thousandths the renewal comes earlier.
    fn new(now: Timestamp, end: Timestamp, earlier: u64) -> Self {
        let life = end.duration_since(now).max(SignedDuration::ZERO);
        let lead = if life > SHORT_LIFE { LEAD } else { SHORT_LEAD.min(life / 2) };
        let wait = life.saturating_sub(lead);
        let thousandth = wait / 1000;
        let wait = wait.saturating_sub(thousandth.saturating_mul(i32::try_from(earlier).unwrap_or(0)));
        Self { refresh_at: now.plus(wait), serve_until: end.minus(MARGIN.min(life / 4)) }
    }
}

impl Plan {
    fn without_end(now: Timestamp) -> Self {
        let refresh_at = now.plus(REREAD);
        Self { refresh_at, serve_until: refresh_at.plus(REREAD) }
    }
}

impl Refresher {
    pub(super) fn new(source: Box<dyn TemporarySource>, entropy: Entropy) -> Self {
        let shared = Shared { source, entropy, state: watch::Sender::new(State::default()), wanted: Notify::new() };
        Self { shared: Arc::new(shared), task: OnceLock::new() }
    }

    /// A key that has not ended, or why there is none.
    pub(super) async fn get(&self) -> Result<Credentials, CredentialsError> {
        self.begin();
        let shared = &self.shared;
        if shared.has_overslept() {
            shared.wanted.notify_one();
        }
        let mut state = shared.state.subscribe();
        let settled = |state: &State| state.failure.is_some() || state.serves(shared.source.now()).is_some();
        match tokio::time::timeout(LONGEST_WAIT, state.wait_for(settled)).await {
            Ok(Ok(state)) => match (state.serves(shared.source.now()), &state.failure) {
                (Some(credentials), _) => Ok(credentials.clone()),
                (None, Some(failure)) => Err(state.told(failure, shared.source.as_ref())),
                (None, None) => Err(no_answer(shared.source.name())),
            },
            Ok(Err(_)) | Err(_) => Err(no_answer(shared.source.name())),
        }
    }

    /// Has another key fetched, if `refused` is the one that is held, and waits for it. It was held too short a time for that if its
    /// exchange was a moment ago.
    pub(super) async fn forget(&self, refused: &Credentials) {
        let mut state = self.shared.state.subscribe();
        let exchanges = {
            let known = state.borrow_and_update();
            let is_held = known.held.as_ref().is_some_and(|held| held.credentials.is(refused));
            if !is_held || known.is_recent() {
                return;
            }
            known.exchanges
        };
        self.begin();
        self.shared.wanted.notify_one();
        let _ = tokio::time::timeout(LONGEST_WAIT, state.wait_for(|state| state.exchanges > exchanges)).await;
    }

    /// What became of its exchanges so far.
    pub(super) fn counts(&self) -> Vec<RefreshCount> {
        let source = self.shared.source.kind();
        let state = self.shared.state.borrow();
        state.results.iter().map(|(result, count)| RefreshCount { source, result, count: *count }).collect()
    }

    #[expect(clippy::disallowed_methods, reason = "it ends with this value")]
    fn begin(&self) {
        self.task.get_or_init(|| AbortOnDropHandle::new(tokio::spawn(Shared::renew(self.shared.clone()))));
    }
}

impl State {
    /// The key that is held, unless it ends now.
    fn serves(&self, now: Timestamp) -> Option<&Credentials> {
        self.held.as_ref().filter(|held| now < held.plan.serve_until).map(|held| &held.credentials)
    }

    /// The failure, and since when there is no key because of it.
    fn told(&self, failure: &CredentialsError, source: &dyn TemporarySource) -> CredentialsError {
        let end = self.held.as_ref().and_then(|held| held.credentials.expires_at);
        let Some(end) = end else { return failure.clone() };
        let verb = if source.now() < end { "ends" } else { "ended" };
        failure.clone().and(&format!("The last key of {} {verb} at {end}", source.kind()))
    }

    fn is_recent(&self) -> bool {
        self.at.is_some_and(|at| at.elapsed() < SHORTEST_PAUSE)
    }
}

impl Shared {
    /// Whether the key ended although its renewal was not due yet: the machine slept, or its clock was set.
    fn has_overslept(&self) -> bool {
        let state = self.state.borrow();
        state.failure.is_none() && state.serves(self.source.now()).is_none()
    }

    /// Never ends.
    async fn renew(self: Arc<Self>) {
        let mut is_first = true;
        let mut failures = 0_u32;
        loop {
            let name = self.source.name();
            let fetched = tokio::time::timeout(LONGEST_EXCHANGE, self.source.fetch()).await;
            let fetched = fetched.unwrap_or_else(|_| Err(no_answer(name)));
            let earlier = if is_first { self.entropy.below(FIRST_JITTER + 1) } else { 0 };
            match fetched.and_then(|credentials| self.held(credentials, earlier)) {
                Ok(held) => {
                    if failures > 0 {
                        info!("{name} gives out keys again");
                    }
                    (is_first, failures) = (false, 0);
                    self.publish(Some(held.clone()), None);
                    self.rest_until(held.plan.refresh_at).await;
                }
                Err(failure) => {
                    failures = failures.saturating_add(1);
                    if failures == 1 {
                        warn!("{failure}");
                    }
                    let pause = self.pause(failures, failure.asked_pause());
                    self.publish(None, Some(failure));
                    self.rest(pause).await;
                }
            }
        }
    }

    fn held(&self, credentials: Credentials, earlier: u64) -> Result<Held, CredentialsError> {
        let (now, name) = (self.source.now(), self.source.name());
        let Some(end) = credentials.expires_at else {
            return Ok(Held { credentials, plan: Plan::without_end(now) });
        };
        if end <= now {
            let why =
                format!("{name}: the key that was given out ended at {end}, and it is {now}. Check what gives it out, and the clocks");
            return Err(NotGiven::new(Reason::CredentialsExpired, why).into());
        }
        Ok(Held { credentials, plan: Plan::new(now, end, earlier) })
    }

    /// A failure leaves the old key as it is.
    fn publish(&self, held: Option<Held>, failure: Option<CredentialsError>) {
        self.state.send_modify(|state| {
            let count = state.results.entry(failure.as_ref().map_or("OK", |failure| failure.reason().as_str())).or_default();
            *count = count.saturating_add(1);
            state.held = held.or(state.held.take());
            state.failure = failure;
            state.exchanges = state.exchanges.saturating_add(1);
            state.at = Some(Instant::now());
        });
    }

    /// 1 to 60 s, and not less than the service asks for, up to that.
    fn pause(&self, failures: u32, asked: Option<SignedDuration>) -> Duration {
        let doubled = Duration::from_secs(1_u64 << failures.saturating_sub(1).min(6)).min(LONGEST_PAUSE);
        let least = asked.and_then(|pause| Duration::try_from(pause).ok()).unwrap_or_default().min(LONGEST_PAUSE);
        // From three quarters to the whole of it.
        let less = doubled / 4000 * u32::try_from(self.entropy.below(1001)).unwrap_or(0);
        doubled.saturating_sub(less).max(least).max(Duration::from_secs(1))
    }

    async fn rest_until(&self, at: Timestamp) {
        loop {
            let left = Duration::try_from(at.duration_since(self.source.now())).unwrap_or_default();
            if left.is_zero() || self.rest(left.min(LOOK)).await {
                return;
            }
        }
    }

    /// Whether a caller needs another key.
    async fn rest(&self, pause: Duration) -> bool {
        let over = tokio::time::sleep(pause);
        tokio::pin!(over);
        loop {
            tokio::select! {
                () = &mut over => return false,
                () = self.wanted.notified() => {
                    // A second caller that waited for the exchange that has just ended, or one that has learned of its failure.
                    if !self.state.borrow().is_recent() {
                        return true;
                    }
                }
            }
        }
    }
}

fn no_answer(name: &str) -> CredentialsError {
    let why = format!("{name}: there is no answer within {} s. It is asked again", LONGEST_EXCHANGE.as_secs());
    NotGiven::passing(Reason::ServiceUnavailable, why).into()
}

#[cfg(test)]
mod tests;
