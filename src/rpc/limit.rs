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

/// After a complaint the pace is halved, down to an eighth at most. After this time without a complaint it doubles again.
const RECOVERY: Duration = Duration::from_secs(60);

const LARGEST_DIVISOR: u32 = 8;

/// The service may ask for a pause. The official client follows it up to this long.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(120);

/// The longest hint of [`Limiter::retry_hint`]: the pace may have recovered by then.
const LONGEST_HINT: Duration = Duration::from_secs(60);

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

/// One token bucket with a queue: callers go in the order in which they came.
pub struct Limiter {
    per_second: u32,
    clock: TokioClock,
    queue: tokio::sync::Mutex<()>,
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
    /// The latest moment at which a rejected caller was told to come back.
    hinted: Option<Instant>,
}

impl Limiter {
    /// A limit of calls per second; 0 counts as 1.
    pub fn new(per_second: u32) -> Self {
        let clock = TokioClock(Instant::now());
        let state =
            State { bucket: bucket(per_second, 1, &clock), divisor: 1, slowed: None, complained: None, paused_until: None, hinted: None };
        Self { per_second, clock, queue: tokio::sync::Mutex::new(()), state: Mutex::new(state), waited_ms: AtomicU64::new(0) }
    }

    /// Waits until a call may be made.
    ///
    /// # Errors
    /// That would take longer than `longest`. The error is the whole wait, or a lower bound of it.
    pub async fn acquire(&self, longest: Duration) -> Result<(), Duration> {
        let begun = Instant::now();
        let acquired = self.acquire_from(begun, longest).await;
        self.waited_ms.fetch_add(u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        acquired
    }

    /// How long all callers together have waited so far.
    pub fn waited(&self) -> Duration {
        Duration::from_millis(self.waited_ms.load(Ordering::Relaxed))
    }

    async fn acquire_from(&self, begun: Instant, longest: Duration) -> Result<(), Duration> {
        let Ok(_queue) = tokio::time::timeout(longest, self.queue.lock()).await else { return Err(longest) };
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

    /// When a rejected caller should come back. Callers are spread out, two calls' time apart: a thousand callers that all came back at
    /// once would be rejected again, for ever.
    pub fn retry_hint(&self) -> Duration {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let two_calls = Duration::from_secs(2) * state.divisor / self.per_second.max(1);
        let last = [Some(now), state.paused_until, state.hinted].into_iter().flatten().max().unwrap_or(now);
        let at = (last + two_calls).min(now + LONGEST_HINT);
        state.hinted = Some(at);
        at - now
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
            limiter.acquire(Duration::from_secs(3600)).await.unwrap();
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
        assert!(limiter.acquire(Duration::from_secs(5)).await.is_err(), "it does not wait longer than allowed");
        let begun = Instant::now();
        limiter.acquire(Duration::from_secs(10)).await.unwrap();
        assert!(begun.elapsed() >= Duration::from_secs(7), "{:?}", begun.elapsed());
        limiter.slow_down(Some(Duration::from_secs(86_400)));
        let begun = Instant::now();
        limiter.acquire(Duration::from_secs(200)).await.unwrap();
        assert_eq!(begun.elapsed().as_secs(), 120);
    }

    #[tokio::test(start_paused = true)]
    async fn rejected_callers_come_back_one_after_another_and_within_a_minute() {
        let limiter = Limiter::new(10);
        let hints = |many: usize| (0..many).map(|_| limiter.retry_hint().as_millis()).collect::<Vec<_>>();
        assert_eq!(hints(3), [200, 400, 600], "two calls each");
        limiter.slow_down(Some(Duration::from_secs(7)));
        assert_eq!(hints(2), [7400, 7800], "after the pause, at half the pace");
        assert_eq!(hints(1000).last(), Some(&60_000));
        tokio::time::advance(Duration::from_secs(300)).await;
        assert_eq!(hints(1), [400], "an old hint delays no new caller");
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_complaint_there_is_no_burst() {
        let limiter = Limiter::new(10);
        limiter.slow_down(None);
        limiter.acquire(Duration::ZERO).await.unwrap();
        assert_eq!(limiter.acquire(Duration::ZERO).await, Err(Duration::from_millis(200)));
    }

    #[tokio::test(start_paused = true)]
    async fn calls_go_in_order_and_none_waits_longer_than_allowed() {
        let limiter = Limiter::new(1);
        limiter.acquire(Duration::ZERO).await.unwrap();
        let begun = Instant::now();
        let wait = |longest: u64| {
            let limiter = &limiter;
            async move { (limiter.acquire(Duration::from_millis(longest)).await.is_ok(), begun.elapsed().as_millis()) }
        };
        let (first, second, third, fourth) = tokio::join!(wait(10_000), wait(10_000), wait(1500), wait(10_000));
        assert_eq!((first, second, third, fourth), ((true, 1000), (true, 2000), (false, 1500), (true, 3000)));
    }

    #[tokio::test(start_paused = true)]
    async fn the_waits_of_all_callers_add_up_and_a_refusal_at_once_is_none() {
        let limiter = Limiter::new(1);
        limiter.acquire(Duration::ZERO).await.unwrap();
        assert_eq!(limiter.waited(), Duration::ZERO);
        let (first, second) = tokio::join!(limiter.acquire(Duration::from_secs(9)), limiter.acquire(Duration::from_secs(9)));
        assert_eq!((first, second, limiter.waited()), (Ok(()), Ok(()), Duration::from_secs(1 + 2)));
        assert!(limiter.acquire(Duration::from_millis(100)).await.is_err());
        assert_eq!(limiter.waited(), Duration::from_secs(3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_is_too_long_is_refused_at_once() {
        let limiter = Limiter::new(1);
        limiter.acquire(Duration::ZERO).await.unwrap();
        let begun = Instant::now();
        assert!(limiter.acquire(Duration::from_millis(500)).await.is_err());
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }
}
