use std::{
    collections::VecDeque,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
};

use super::*;
use crate::clock::Clock;

const START: &str = "2026-03-01T12:00:00Z";

/// What the next exchanges do: each gives out a key that lives so many seconds, or fails.
type Script = VecDeque<Result<i64, CredentialsError>>;

/// A service on tokio's clock, whose own is ahead by some seconds.
struct Service {
    clock: Clock,
    ahead: AtomicI64,
    exchanges: AtomicU64,
    script: Mutex<Script>,
    has_no_end: AtomicBool,
    takes: Duration,
}

struct Ours(Arc<Service>);

impl TemporarySource for Ours {
    fn fetch(&self) -> BoxFuture<'_, Result<Credentials, CredentialsError>> {
        Box::pin(async {
            tokio::time::sleep(self.0.takes).await;
            let number = self.0.exchanges.fetch_add(1, Ordering::SeqCst) + 1;
            let mut script = self.0.script.lock().unwrap();
            // The last entry stays.
            let next = if script.len() > 1 { script.pop_front().unwrap() } else { script[0].clone() };
            next.map(|life| Credentials {
                access_key_id: format!("STS.key-{number}"),
                access_key_secret: "secret-of-the-test".to_owned().into(),
                security_token: Some("token-of-the-test".to_owned().into()),
                expires_at: Some(self.now().plus(SignedDuration::from_secs(life))).filter(|_| !self.0.has_no_end.load(Ordering::SeqCst)),
            })
        })
    }

    fn now(&self) -> Timestamp {
        self.0.clock.now().plus(SignedDuration::from_secs(self.0.ahead.load(Ordering::SeqCst)))
    }

    fn name(&self) -> &str {
        "the service of the test"
    }

    fn kind(&self) -> &'static str {
        "RRSA"
    }
}

fn away() -> CredentialsError {
    NotGiven::passing(Reason::ServiceUnavailable, "it is away".to_owned()).into()
}

fn service(script: impl IntoIterator<Item = Result<i64, CredentialsError>>, takes: u64) -> (Arc<Service>, Arc<Refresher>) {
    let service = Arc::new(Service {
        clock: Clock::from_tokio(START.parse().unwrap()),
        ahead: AtomicI64::new(0),
        exchanges: AtomicU64::new(0),
        script: Mutex::new(script.into_iter().collect()),
        has_no_end: AtomicBool::new(false),
        takes: Duration::from_millis(takes),
    });
    let refresher = Refresher::new(Box::new(Ours(service.clone())), Entropy::new(|| 0));
    (service, Arc::new(refresher))
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

impl Service {
    fn exchanges(&self) -> u64 {
        self.exchanges.load(Ordering::SeqCst)
    }
}

async fn id(refresher: &Refresher) -> Result<String, String> {
    refresher.get().await.map(|key| key.access_key_id).map_err(|error| error.to_string())
}

#[test]
fn a_key_is_renewed_15_minutes_before_its_end_and_5_if_its_life_is_short() {
    let now: Timestamp = START.parse().unwrap();
    let plan = |life: i64, earlier: u64| {
        let Plan { refresh_at, serve_until } = Plan::new(now, now.plus(SignedDuration::from_secs(life)), earlier);
        (refresh_at.duration_since(now).as_secs(), serve_until.duration_since(now).as_secs())
    };
    assert_eq!(plan(3600, 0), (2700, 3570));
    assert_eq!(plan(3600, 100), (2430, 3570), "the first one up to a tenth earlier");
    assert_eq!(plan(1201, 0), (301, 1171));
    assert_eq!(plan(1200, 0), (900, 1170));
    assert_eq!(plan(900, 0), (600, 870));
    assert_eq!(plan(20, 0), (10, 15), "shorter than any service gives out");
    assert_eq!(plan(0, 0), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_hundred_callers_share_one_exchange_and_it_is_renewed_without_a_caller() {
    let (service, refresher) = service([Ok(3600)], 2000);
    let callers = (0..100).map(|_| id(&refresher));
    let keys = futures::future::join_all(callers).await;
    assert!(keys.iter().all(|key| key.as_deref() == Ok("STS.key-1")), "{keys:?}");
    assert_eq!(service.exchanges(), 1);
    tokio::time::sleep(seconds(2695)).await;
    assert_eq!(service.exchanges(), 1);
    tokio::time::sleep(seconds(20)).await;
    assert_eq!((service.exchanges(), id(&refresher).await), (2, Ok("STS.key-2".to_owned())));
    tokio::time::sleep(seconds(3 * 3600)).await;
    assert_eq!(service.exchanges(), 6, "one in 45 minutes");
}

#[tokio::test(start_paused = true)]
async fn while_the_service_is_away_the_old_key_is_served_to_its_end_and_no_other_identity_takes_its_place() {
    let (service, refresher) = service([Ok(900), Err(away())], 0);
    assert_eq!(id(&refresher).await.as_deref(), Ok("STS.key-1"));
    tokio::time::sleep(seconds(865)).await;
    assert_eq!(id(&refresher).await.as_deref(), Ok("STS.key-1"), "its renewal has failed for four minutes");
    let tried = service.exchanges();
    assert!((8..=14).contains(&tried), "{tried}: with growing pauses");
    tokio::time::sleep(seconds(6)).await;
    let told = |verb: &str| Err(format!("it is away. The last key of RRSA {verb} at 2026-03-01T12:15:00Z"));
    assert_eq!(id(&refresher).await, told("ends"));
    tokio::time::sleep(seconds(60)).await;
    assert_eq!(id(&refresher).await, told("ended"));
    *service.script.lock().unwrap() = VecDeque::from([Ok(900)]);
    tokio::time::sleep(seconds(61)).await;
    assert!(id(&refresher).await.is_ok(), "it heals within the longest pause");
}

#[tokio::test(start_paused = true)]
async fn a_caller_learns_at_once_why_there_is_no_key_and_its_asking_makes_no_exchange() {
    let (service, refresher) = service([Err(away())], 0);
    let began = Instant::now();
    assert_eq!(id(&refresher).await, Err("it is away".to_owned()));
    for _ in 0..1000 {
        assert!(id(&refresher).await.is_err());
    }
    assert_eq!((began.elapsed(), service.exchanges()), (Duration::ZERO, 1));
    tokio::time::sleep(seconds(600)).await;
    assert!((13..=20).contains(&service.exchanges()), "{}", service.exchanges());
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_away_for_a_moment_costs_seconds_and_one_that_asks_for_a_pause_has_it() {
    let (service, refresher) = service([Err(away()), Err(away()), Ok(3600)], 0);
    assert!(id(&refresher).await.is_err());
    tokio::time::sleep(seconds(4)).await;
    assert_eq!((service.exchanges(), id(&refresher).await.is_ok()), (3, true), "after 1 and 2 s");
    let busy = NotGiven::passing_in(Reason::Throttled, "it is busy".to_owned(), Some(SignedDuration::from_secs(20)));
    let (service, refresher) = self::service([Err(busy.into()), Ok(3600)], 0);
    assert!(id(&refresher).await.is_err());
    tokio::time::sleep(seconds(19)).await;
    assert_eq!(service.exchanges(), 1);
    tokio::time::sleep(seconds(2)).await;
    assert_eq!((service.exchanges(), id(&refresher).await.is_ok()), (2, true));
}

#[tokio::test(start_paused = true)]
async fn a_key_without_an_end_is_read_again_each_minute_and_not_kept_for_ever_when_it_is_gone() {
    let (service, refresher) = service([Ok(0), Ok(0), Err(away())], 0);
    service.has_no_end.store(true, Ordering::SeqCst);
    assert_eq!(id(&refresher).await.as_deref(), Ok("STS.key-1"));
    tokio::time::sleep(seconds(61)).await;
    assert_eq!(id(&refresher).await.as_deref(), Ok("STS.key-2"));
    tokio::time::sleep(seconds(100)).await;
    assert_eq!(id(&refresher).await.as_deref(), Ok("STS.key-2"), "it could not be read for 40 s");
    tokio::time::sleep(seconds(25)).await;
    assert_eq!(id(&refresher).await, Err("it is away".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_refused_key_is_renewed_once_for_all_callers_and_not_again_and_again() {
    let (service, refresher) = service([Ok(3600)], 1000);
    let first = refresher.get().await.unwrap();
    refresher.forget(&first).await;
    assert_eq!(service.exchanges(), 1, "it has just been given out");
    tokio::time::sleep(seconds(60)).await;
    futures::future::join_all((0..50).map(|_| refresher.forget(&first))).await;
    assert_eq!((service.exchanges(), id(&refresher).await), (2, Ok("STS.key-2".to_owned())));
    refresher.forget(&first).await;
    assert_eq!(service.exchanges(), 2, "it is not the one that is held");
    tokio::time::sleep(seconds(60)).await;
    assert_eq!(service.exchanges(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_has_ended_already_is_none() {
    let (_, refresher) = service([Ok(-5)], 0);
    let error = refresher.get().await.unwrap_err();
    assert_eq!(error.reason(), Reason::CredentialsExpired);
    assert!(error.to_string().contains("ended at 2026-03-01T11:59:55Z"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_exchange_that_hangs_is_given_up() {
    let (service, refresher) = service([Ok(3600)], 3_600_000);
    let error = refresher.get().await.unwrap_err();
    assert_eq!(error.reason(), Reason::ServiceUnavailable);
    assert!(error.to_string().contains("no answer within 25 s"), "{error}");
    assert_eq!(service.exchanges(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_forward_brings_the_renewal_forward() {
    let (service, refresher) = service([Ok(3600)], 0);
    id(&refresher).await.unwrap();
    tokio::time::sleep(seconds(30)).await;
    service.ahead.store(7200, Ordering::SeqCst);
    // Nobody is given the key that has ended.
    assert_eq!(id(&refresher).await.as_deref(), Ok("STS.key-2"));
    assert_eq!(service.exchanges(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_work_ends_with_the_value() {
    let (service, refresher) = service([Ok(900)], 0);
    id(&refresher).await.unwrap();
    drop(refresher);
    tokio::time::sleep(seconds(7200)).await;
    assert_eq!(service.exchanges(), 1);
}
