//! How many calls per second a client makes. The account's console and all its other clients share the service's limits, so ours are
//! lower, and are lowered further when the service complains.

#![expect(clippy::arithmetic_side_effects, reason = "instants of this process, and pauses of minutes at most")]

use std::{
    num::NonZeroU32,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::{Clock as _, Reference as _},
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::{InMemoryState, NotKeyed},
};
use tokio::time::Instant;

use super::turns::Queue;

/// After a complaint the pace is halved, down to an eighth at most. After this time without a complaint it doubles again.
const RECOVERY: Duration = Duration::from_secs(60);

const LARGEST_DIVISOR: u32 = 8;

/// The service may ask for a pause. The official client follows it up to this long.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(120);

/// tokio's time, so that tests can pause it.
#[derive(Clone, Debug)]
struct TokioClock(Instant);

impl governor::clock::Clock for TokioClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::from(self.0.elapsed())
    }
}

type Bucket = RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Nanos>>;

/// One token bucket with a queue: tenants take turns, and callers of one tenant go in the order in which they came.
pub struct Limiter {
    per_second: u32,
    clock: TokioClock,
    queue: Queue,
    state: Mutex<State>,
    waited_ms: AtomicU64,
}

struct State {
    bucket: Bucket,
    divisor: u32,
    /// When the pace was halved last.
    slowed: Option<Instant>,
    /// The newest complaint, or the last step of the recovery from it.
    complained: Option<Instant>,
    paused_until: Option<Instant>,
}

impl Limiter {
    /// A limit of calls per second; 0 counts as 1.
    pub fn new(per_second: u32) -> Self {
        let clock = TokioClock(Instant::now());
        let state = State { bucket: bucket(per_second, 1, &clock), divisor: 1, slowed: None, complained: None, paused_until: None };
        Self { per_second, clock, queue: Queue::default(), state: Mutex::new(state), waited_ms: AtomicU64::new(0) }
    }

    /// Waits until a call of the tenant may be made.
    ///
    /// # Errors
    /// That would take longer than `longest`. The error is the whole wait, or a lower bound of it.
    pub async fn acquire(&self, tenant: &str, longest: Duration) -> Result<(), Duration> {
        let begun = Instant::now();
        let acquired = self.acquire_from(tenant, begun, longest).await;
        self.waited_ms.fetch_add(u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        acquired
    }

    /// How long all callers together have waited so far.
    pub fn waited(&self) -> Duration {
        Duration::from_millis(self.waited_ms.load(Ordering::Relaxed))
    }

    async fn acquire_from(&self, tenant: &str, begun: Instant, longest: Duration) -> Result<(), Duration> {
        let Ok(_entered) = tokio::time::timeout(longest, self.queue.enter(tenant)).await else { return Err(longest) };
        loop {
            let Some(wait) = self.try_acquire() else { return Ok(()) };
            if begun.elapsed() + wait > longest {
                return Err(begun.elapsed() + wait);
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// Lowers the pace: the service complained about it, and may have asked for a pause.
    pub fn slow_down(&self, pause: Option<Duration>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        // Complaints within one second are one: they answer calls that were made at the same time.
        let is_new = state.slowed.is_none_or(|at| now.duration_since(at) >= Duration::from_secs(1));
        state.complained = Some(now);
        if is_new && state.divisor < LARGEST_DIVISOR {
            state.slowed = Some(now);
            state.divisor *= 2;
            state.bucket = bucket(self.per_second, state.divisor, &self.clock);
        }
        if let Some(pause) = pause {
            let until = now + pause.min(LONGEST_PAUSE);
            state.paused_until = Some(state.paused_until.map_or(until, |known| known.max(until)));
        }
    }

    /// The time that two calls take at the present pace, and the end of the pause that the service asked for: so far apart, and from then on,
    /// callers come back that found no place.
    pub fn spacing(&self) -> (Duration, Option<Instant>) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        (Duration::from_secs(2) * state.divisor / self.per_second.max(1), state.paused_until)
    }

    /// Takes a token; without one, the time until the next.
    fn try_acquire(&self) -> Option<Duration> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if let Some(until) = state.paused_until {
            if until > now {
                return Some(until - now);
            }
            state.paused_until = None;
        }
        if let Some(at) = state.complained
            && now.duration_since(at) >= RECOVERY
        {
            state.divisor = (state.divisor / 2).max(1);
            state.complained = (state.divisor > 1).then_some(now);
            state.bucket = bucket(self.per_second, state.divisor, &self.clock);
        }
        match state.bucket.check() {
            Ok(()) => None,
            Err(not_yet) => {
                Some(Duration::from(not_yet.earliest_possible().duration_since(self.clock.now())).max(Duration::from_millis(1)))
            }
        }
    }
}

fn bucket(per_second: u32, divisor: u32, clock: &TokioClock) -> Bucket {
    let per_second = NonZeroU32::new(per_second).unwrap_or(NonZeroU32::MIN);
    let period = Duration::from_secs(1) * divisor / per_second.get();
    // A new bucket is full. After a complaint it holds one call, so that there is no burst.
    let burst = if divisor == 1 { per_second } else { NonZeroU32::MIN };
    // governor refuses only a period of zero, and no u32 leads to one.
    let quota = Quota::with_period(period).unwrap_or(Quota::per_second(per_second)).allow_burst(burst);
    RateLimiter::direct_with_clock(quota, clock.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn calls_within(limiter: &Limiter, span: Duration) -> u32 {
        let begun = Instant::now();
        let mut calls = 0;
        loop {
            limiter.acquire("a", Duration::from_secs(3600)).await.unwrap();
            if begun.elapsed() > span {
                return calls;
            }
            calls += 1;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_pace_is_kept_and_halved_by_a_complaint_and_comes_back() {
        let limiter = Limiter::new(10);
        let calls = calls_within(&limiter, Duration::from_secs(20)).await;
        assert!((200..=211).contains(&calls), "{calls}: 10 a second, and the burst");
        limiter.slow_down(None);
        limiter.slow_down(None);
        let calls = calls_within(&limiter, Duration::from_secs(20)).await;
        assert!((100..=106).contains(&calls), "{calls}: one complaint, half the pace");
        tokio::time::advance(RECOVERY).await;
        let calls = calls_within(&limiter, Duration::from_secs(20)).await;
        assert!((200..=211).contains(&calls), "{calls}: as before");
        for _ in 0..30 {
            limiter.slow_down(None);
            tokio::time::advance(Duration::from_millis(400)).await;
        }
        let calls = calls_within(&limiter, Duration::from_secs(40)).await;
        assert!((49..=52).contains(&calls), "{calls}: an eighth of the pace, and no less");
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_that_the_service_names_is_kept_up_to_two_minutes() {
        let limiter = Limiter::new(10);
        limiter.slow_down(Some(Duration::from_secs(7)));
        assert!(limiter.acquire("a", Duration::from_secs(5)).await.is_err(), "it does not wait longer than allowed");
        let begun = Instant::now();
        limiter.acquire("a", Duration::from_secs(10)).await.unwrap();
        assert!(begun.elapsed() >= Duration::from_secs(7), "{:?}", begun.elapsed());
        limiter.slow_down(Some(Duration::from_secs(86_400)));
        let begun = Instant::now();
        limiter.acquire("a", Duration::from_secs(200)).await.unwrap();
        assert_eq!(begun.elapsed().as_secs(), 120);
    }

    #[tokio::test(start_paused = true)]
    async fn callers_come_back_at_the_present_pace_and_after_the_pause() {
        let limiter = Limiter::new(10);
        assert_eq!(limiter.spacing(), (Duration::from_millis(200), None), "two calls");
        limiter.slow_down(Some(Duration::from_secs(7)));
        assert_eq!(limiter.spacing(), (Duration::from_millis(400), Some(Instant::now() + Duration::from_secs(7))), "at half the pace");
    }

    #[tokio::test(start_paused = true)]
    async fn a_tenant_with_many_callers_delays_anothers_first_by_one_call() {
        let limiter = Limiter::new(1);
        limiter.acquire("a", Duration::ZERO).await.unwrap();
        let begun = Instant::now();
        let call = |tenant: &'static str, after: u64| {
            let limiter = &limiter;
            async move {
                tokio::time::sleep(Duration::from_millis(after)).await;
                limiter.acquire(tenant, Duration::from_secs(60)).await.unwrap();
                (tenant, begun.elapsed().as_millis())
            }
        };
        let calls = (0..6).map(|number| call("a", number)).chain([call("b", 1500), call("b", 1600)]);
        let mut calls = futures::future::join_all(calls).await;
        calls.sort_by_key(|(_, at)| *at);
        let order: Vec<_> = calls.into_iter().map(|(tenant, at)| format!("{tenant} {at}")).collect();
        assert_eq!(order, ["a 1000", "a 2000", "b 3000", "a 4000", "b 5000", "a 6000", "a 7000", "a 8000"]);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_complaint_there_is_no_burst() {
        let limiter = Limiter::new(10);
        limiter.slow_down(None);
        limiter.acquire("a", Duration::ZERO).await.unwrap();
        assert_eq!(limiter.acquire("a", Duration::ZERO).await, Err(Duration::from_millis(200)));
    }

    #[tokio::test(start_paused = true)]
    async fn calls_go_in_order_and_none_waits_longer_than_allowed() {
        let limiter = Limiter::new(1);
        limiter.acquire("a", Duration::ZERO).await.unwrap();
        let begun = Instant::now();
        let wait = |longest: u64| {
            let limiter = &limiter;
            async move { (limiter.acquire("a", Duration::from_millis(longest)).await.is_ok(), begun.elapsed().as_millis()) }
        };
        let (first, second, third, fourth) = tokio::join!(wait(10_000), wait(10_000), wait(1500), wait(10_000));
        assert_eq!((first, second, third, fourth), ((true, 1000), (true, 2000), (false, 1500), (true, 3000)));
    }

    #[tokio::test(start_paused = true)]
    async fn the_waits_of_all_callers_add_up_and_a_refusal_at_once_is_none() {
        let limiter = Limiter::new(1);
        limiter.acquire("a", Duration::ZERO).await.unwrap();
        assert_eq!(limiter.waited(), Duration::ZERO);
        let (first, second) = tokio::join!(limiter.acquire("a", Duration::from_secs(9)), limiter.acquire("a", Duration::from_secs(9)));
        assert_eq!((first, second, limiter.waited()), (Ok(()), Ok(()), Duration::from_secs(1 + 2)));
        assert!(limiter.acquire("a", Duration::from_millis(100)).await.is_err());
        assert_eq!(limiter.waited(), Duration::from_secs(3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_is_too_long_is_refused_at_once() {
        let limiter = Limiter::new(1);
        limiter.acquire("a", Duration::ZERO).await.unwrap();
        let begun = Instant::now();
        assert!(limiter.acquire("a", Duration::from_millis(500)).await.is_err());
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }
}
