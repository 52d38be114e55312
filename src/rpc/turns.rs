//! Turns between the tenants of one client: of those that wait, the one goes on whose last turn is longest ago. So a tenant with hundreds of
//! callers delays another's first by one turn, not by hundreds.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

/// Whose turn was when. A tenant that is not remembered has never had one.
#[derive(Debug, Default)]
pub(super) struct LastTurns {
    last: HashMap<String, u64>,
    count: u64,
}

/// So many tenants are remembered. Then the half is forgotten whose turns are longest ago: they go first anyway.
const MOST_REMEMBERED: usize = 4096;

impl LastTurns {
    /// The number of the tenant's last turn; 0 before its first.
    pub fn of(&self, tenant: &str) -> u64 {
        self.last.get(tenant).copied().unwrap_or(0)
    }

    /// It has its turn now.
    pub fn took(&mut self, tenant: &str) {
        self.count = self.count.saturating_add(1);
        if let Some(last) = self.last.get_mut(tenant) {
            *last = self.count;
            return;
        }
        if self.last.len() >= MOST_REMEMBERED {
            let mut turns: Vec<u64> = self.last.values().copied().collect();
            let (_, middle, _) = turns.select_nth_unstable(MOST_REMEMBERED / 2);
            let middle = *middle;
            self.last.retain(|_, last| *last > middle);
        }
        self.last.insert(tenant.to_owned(), self.count);
    }

    /// It did not use its turn: its last one is this again.
    pub fn gave_back(&mut self, tenant: &str, last: u64) {
        if last == 0 {
            self.last.remove(tenant);
        } else {
            self.last.insert(tenant.to_owned(), last);
        }
    }
}

/// A place for one. Callers of one tenant enter in the order in which they came.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// Somebody left, or waits no more.
    moved: Notify,
}

#[derive(Default)]
struct State {
    is_taken: bool,
    turns: LastTurns,
    /// Those that wait, in the order in which they came, by the number of each.
    waiting: Vec<(u64, String)>,
    count: u64,
}

/// The place, for as long as it is held.
pub(super) struct Entered<'a>(&'a Queue);

/// One that waits. It leaves the queue when it is dropped.
struct Waiting<'a> {
    queue: &'a Queue,
    number: u64,
}

impl Queue {
    /// Waits for the place.
    pub async fn enter(&self, tenant: &str) -> Entered<'_> {
        let waiting = self.join(tenant);
        loop {
            let moved = self.moved.notified();
            tokio::pin!(moved);
            // From here on no move is missed.
            moved.as_mut().enable();
            if self.locked().admits(waiting.number) {
                return Entered(self);
            }
            moved.await;
        }
    }

    fn join(&self, tenant: &str) -> Waiting<'_> {
        let mut state = self.locked();
        state.count = state.count.saturating_add(1);
        let number = state.count;
        state.waiting.push((number, tenant.to_owned()));
        Waiting { queue: self, number }
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether the place is free and it is the turn of this one, which takes it then.
    fn admits(&mut self, number: u64) -> bool {
        let next = self.waiting.iter().min_by_key(|(number, tenant)| (self.turns.of(tenant), *number));
        if self.is_taken || next.is_none_or(|(next, _)| *next != number) {
            return false;
        }
        if let Some(at) = self.waiting.iter().position(|(waiting, _)| *waiting == number) {
            let (_, tenant) = self.waiting.remove(at);
            self.turns.took(&tenant);
        }
        self.is_taken = true;
        true
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.0.locked().is_taken = false;
        self.0.moved.notify_waiters();
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.queue.locked();
        let before = state.waiting.len();
        state.waiting.retain(|(number, _)| *number != self.number);
        if state.waiting.len() < before {
            self.queue.moved.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, time::Duration};

    use futures::future::join_all;
    use tokio::time::{sleep, timeout};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn tenants_take_turns_and_callers_of_one_go_in_order() {
        let (queue, order) = (Queue::default(), RefCell::new(Vec::new()));
        let caller = async |name: &'static str, after: u64| {
            sleep(Duration::from_millis(after)).await;
            let _entered = queue.enter(&name[..1]).await;
            order.borrow_mut().push(name);
            sleep(Duration::from_secs(1)).await;
        };
        let callers = [("a1", 0), ("a2", 1), ("a3", 2), ("a4", 3), ("b1", 500), ("c1", 600), ("b2", 700), ("c2", 5500)];
        join_all(callers.map(|(name, after)| caller(name, after))).await;
        assert_eq!(order.into_inner(), ["a1", "b1", "c1", "a2", "b2", "a3", "c2", "a4"]);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_waits_no_more_holds_up_no_other() {
        let queue = Queue::default();
        let first = queue.enter("a").await;
        let gone = async { timeout(Duration::from_secs(1), queue.enter("b")).await.is_err() };
        let next = async { timeout(Duration::from_secs(9), queue.enter("a")).await.is_ok() };
        let leaves = async {
            sleep(Duration::from_secs(2)).await;
            drop(first);
        };
        assert_eq!(tokio::join!(gone, next, leaves), (true, true, ()));
        // It is dropped between its turn and its next look.
        let held = queue.enter("a").await;
        let mut turn = Box::pin(queue.enter("b"));
        assert!(futures::poll!(turn.as_mut()).is_pending());
        drop(held);
        drop(turn);
        assert!(timeout(Duration::from_secs(1), queue.enter("a")).await.is_ok());
    }

    #[test]
    fn what_is_remembered_of_tenants_has_a_bound_and_who_waited_longest_still_goes_first() {
        let mut turns = LastTurns::default();
        let names: Vec<String> = (0..=MOST_REMEMBERED).map(|number| format!("team-{number}")).collect();
        for name in &names {
            turns.took(name);
        }
        assert!(turns.last.len() <= MOST_REMEMBERED / 2 + 1, "{}", turns.last.len());
        assert!(turns.of(&names[0]) < turns.of(&names[MOST_REMEMBERED - 1]));
        assert!(turns.of(&names[MOST_REMEMBERED - 1]) < turns.of(&names[MOST_REMEMBERED]));
    }
}
