//! A number of places, shared by tenants. A caller that finds none is told when to come back, and the place that becomes free then is kept
//! for the tenant whose turn it is.

#![expect(clippy::arithmetic_side_effects, reason = "instants of this process, and pauses of minutes at most")]

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::turns::LastTurns;

/// The longest time after which a caller is told to come back: by then the pace may be another.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A free place is kept for a tenant so long before its caller comes back, and so long after the time at which it should have come. A caller
/// that never comes, because its object was deleted, costs no more.
const KEPT_BEFORE: Duration = Duration::from_secs(1);
const KEPT_AFTER: Duration = Duration::from_secs(2);

/// A number of places.
#[derive(Clone)]
pub struct Places(Arc<Shared>);

struct Shared {
    most: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    taken: usize,
    turns: LastTurns,
    /// The tenants whose callers found no place.
    waiting: HashMap<String, Waiting>,
    /// How many tenants have begun to wait.
    count: u64,
}

/// A tenant whose callers found no place.
#[derive(Default)]
struct Waiting {
    /// Which of the tenants that wait it is: another number for each.
    number: u64,
    /// When its callers were told to come back.
    due: VecDeque<Instant>,
}

/// A place, for as long as it is held.
pub struct Place {
    shared: Arc<Shared>,
    tenant: String,
    /// The tenant's turn before this one.
    before: u64,
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({})", self.tenant)
    }
}

impl Places {
    /// So many.
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Shared { most, state: Mutex::default() }))
    }

    /// Takes a place. Where a caller finds none, callers of one tenant are told to come back one after the other, from `earliest` on and
    /// `apart` from each other, and the more apart the more tenants wait: a thousand callers that all came back at once would find none
    /// again, for ever.
    ///
    /// # Errors
    /// There is no place, or the free ones are kept for other tenants. The error is the time after which to come back.
    pub fn take(&self, tenant: &str, apart: Duration, earliest: Option<Instant>) -> Result<Place, Duration> {
        let now = Instant::now();
        let mut state = self.0.locked();
        state.forget_the_late(now);
        let kept = state.kept_from(tenant, now);
        if state.taken.saturating_add(kept) < self.0.most {
            return Ok(state.takes(&self.0, tenant, now));
        }
        Err(state.waits(tenant, now, apart, earliest))
    }
}

impl Place {
    /// Leaves it unused: it was no turn of the tenant.
    pub fn give_back(self) {
        self.shared.locked().turns.gave_back(&self.tenant, self.before);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.shared.locked();
        state.taken = state.taken.saturating_sub(1);
    }
}

impl Shared {
    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn forget_the_late(&mut self, now: Instant) {
        for waiting in self.waiting.values_mut() {
            waiting.due.retain(|due| *due + KEPT_AFTER > now);
        }
        self.waiting.retain(|_, waiting| !waiting.due.is_empty());
    }

    /// How many places are kept for others: one for each tenant that is due, and whose last turn is longer ago than this one's.
    fn kept_from(&self, tenant: &str, now: Instant) -> usize {
        let order = |tenant: &str| (self.turns.of(tenant), self.waiting.get(tenant).map_or(u64::MAX, |waiting| waiting.number));
        let own = order(tenant);
        let is_due = |waiting: &Waiting| waiting.due.front().is_some_and(|due| *due <= now + KEPT_BEFORE);
        self.waiting.iter().filter(|(other, waiting)| other.as_str() != tenant && is_due(waiting) && order(other) < own).count()
    }

    fn takes(&mut self, shared: &Arc<Shared>, tenant: &str, now: Instant) -> Place {
        self.came_back(tenant, now);
        let before = self.turns.of(tenant);
        self.turns.took(tenant);
        self.taken = self.taken.saturating_add(1);
        Place { shared: shared.clone(), tenant: tenant.to_owned(), before }
    }

    /// One that was told to come back now has come: which of them it was does not matter.
    fn came_back(&mut self, tenant: &str, now: Instant) {
        if let Some(waiting) = self.waiting.get_mut(tenant)
            && waiting.due.front().is_some_and(|due| *due <= now)
        {
            waiting.due.pop_front();
            if waiting.due.is_empty() {
                self.waiting.remove(tenant);
            }
        }
    }

    fn waits(&mut self, tenant: &str, now: Instant, apart: Duration, earliest: Option<Instant>) -> Duration {
        // Before its caller is counted anew, so that a tenant that waits for its turn keeps its number.
        if !self.waiting.contains_key(tenant) {
            self.count = self.count.saturating_add(1);
            self.waiting.insert(tenant.to_owned(), Waiting { number: self.count, due: VecDeque::new() });
        }
        let tenants = u32::try_from(self.waiting.len()).unwrap_or(u32::MAX);
        let Some(waiting) = self.waiting.get_mut(tenant) else { return LONGEST_PAUSE };
        if waiting.due.front().is_some_and(|due| *due <= now) {
            waiting.due.pop_front();
        }
        let last = [Some(now), earliest, waiting.due.back().copied()].into_iter().flatten().max().unwrap_or(now);
        let at = (last + apart.saturating_mul(tenants)).min(now + LONGEST_PAUSE);
        waiting.due.push_back(at);
        at - now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const APART: Duration = Duration::from_millis(200);

    fn take(places: &Places, tenant: &str) -> Result<Place, u128> {
        places.take(tenant, APART, None).map_err(|wait| wait.as_millis())
    }

    async fn pass(millis: u64) {
        tokio::time::advance(Duration::from_millis(millis)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn callers_of_one_tenant_come_back_one_after_another_and_within_a_minute() {
        let places = Places::new(0);
        let waits = |many: usize| (0..many).map(|_| take(&places, "a").unwrap_err()).collect::<Vec<_>>();
        assert_eq!(waits(3), [200, 400, 600]);
        let pause = Instant::now() + Duration::from_secs(7);
        let during_a_pause = |apart| places.take("a", Duration::from_millis(apart), Some(pause)).unwrap_err().as_millis();
        assert_eq!((during_a_pause(400), during_a_pause(400)), (7400, 7800), "after the pause, at half the pace");
        assert_eq!(waits(1000).last(), Some(&60_000));
        pass(300_000).await;
        assert_eq!(waits(1), [200], "what callers were told long ago delays no new one");
    }

    #[tokio::test(start_paused = true)]
    async fn a_free_place_is_kept_for_the_tenant_whose_turn_it_is() {
        let places = Places::new(2);
        let (first, second) = (take(&places, "a").unwrap(), take(&places, "a").unwrap());
        for _ in 0..500 {
            take(&places, "a").unwrap_err();
        }
        // It does not wait for the 500, and comes back within two turns.
        assert_eq!(take(&places, "b").unwrap_err(), 400);
        drop(first);
        pass(200).await;
        assert!(take(&places, "a").is_err(), "it is kept for b");
        pass(200).await;
        let of_b = take(&places, "b").expect("it is the turn of b");
        drop(second);
        let of_a = take(&places, "a").expect("b waits no more");
        // Both wait: they take turns from here on.
        let mut held = VecDeque::from([of_b, of_a]);
        let mut order = String::new();
        for _ in 0..20 {
            let next: Vec<_> = ["a", "b"].into_iter().filter(|tenant| take(&places, tenant).is_err()).collect();
            assert_eq!(next.len(), 2);
            held.pop_front();
            pass(400).await;
            let place = take(&places, "a").or_else(|_| take(&places, "b")).expect("one of the two");
            order += &place.tenant;
            held.push_back(place);
        }
        assert!(!order.contains("aa") && !order.contains("bb"), "{order}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_is_not_kept_for_long_for_one_that_does_not_come() {
        let places = Places::new(1);
        let held = take(&places, "a").unwrap();
        assert_eq!(take(&places, "b").unwrap_err(), 200);
        drop(held);
        assert!(take(&places, "a").is_err());
        pass(200 + 1999).await;
        assert!(take(&places, "a").is_err());
        pass(1).await;
        assert!(take(&places, "a").is_ok(), "the object of b was deleted");
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_that_is_given_back_was_no_turn() {
        let places = Places::new(1);
        take(&places, "b").unwrap().give_back();
        let held = take(&places, "a").unwrap();
        take(&places, "a").unwrap_err();
        take(&places, "b").unwrap_err();
        drop(held);
        pass(400).await;
        assert!(take(&places, "a").is_err() && take(&places, "b").is_ok());
    }
}
