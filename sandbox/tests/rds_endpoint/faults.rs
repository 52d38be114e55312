//! Faults: what the client sees, and what the ledger shows.

use std::time::{Duration, Instant};

use rds_backup_sandbox::rds::{CallRecord, Delivery, Effect, Fault, Garbage, NOT_EXECUTED, When};

use super::client::{Lost, Response, send};
use super::world::{KEY, PATIENCE, SECRET, World};

const ONE: &str = "rm-mysql-1";

/// What one CreateBackup meets: the answer, how many were accepted, and the log of calls.
async fn meets(effect: Effect) -> (Result<Response, Lost>, usize, Vec<CallRecord>) {
    let world = World::new().await;
    let id = world.endpoint.add_fault(Fault::on("CreateBackup", effect).times(1));
    let answer = world.send(&world.request("CreateBackup", &[("DBInstanceId", ONE)])).await;
    assert_eq!(world.endpoint.fault_hits(id), 1);
    (answer, world.endpoint.accepted(ONE), world.endpoint.calls())
}

#[tokio::test]
async fn a_dropped_request_is_not_executed() {
    let (answer, accepted, calls) = meets(Effect::DropBefore).await;
    assert_eq!((answer, accepted), (Err(Lost::Closed), 0));
    assert_eq!((calls[0].outcome.as_str(), calls[0].delivered, calls[0].status), (NOT_EXECUTED, false, None));
    assert_eq!(calls[0].fault.as_deref(), Some("dropBefore"));
}

#[tokio::test]
async fn a_lost_answer_belongs_to_an_accepted_backup() {
    let (answer, accepted, calls) = meets(Effect::LoseAnswer).await;
    assert_eq!((answer, accepted), (Err(Lost::Closed), 1));
    assert_eq!((calls[0].outcome.as_str(), calls[0].delivered), ("OK", false));
}

#[tokio::test]
async fn a_reset_comes_before_or_after_the_execution() {
    for executed in [false, true] {
        let (answer, accepted, _) = meets(Effect::Reset { executed }).await;
        assert_eq!((answer, accepted), (Err(Lost::Reset), usize::from(executed)));
    }
}

#[tokio::test]
async fn a_delayed_answer_comes() {
    for when in [When::Before, When::After] {
        let begin = Instant::now();
        let (answer, accepted, _) = meets(Effect::Delay { ms: 150, when }).await;
        assert_eq!((answer.unwrap().verdict().as_str(), accepted), ("OK", 1));
        assert!(begin.elapsed() >= Duration::from_millis(150));
    }
}

#[tokio::test]
async fn a_late_request_arrives_although_its_sender_has_gone() {
    let world = World::new().await;
    world.endpoint.add_fault(Fault::any(Effect::Delay { ms: 200, when: When::Before }).times(1));
    let request = world.request("CreateBackup", &[("DBInstanceId", ONE)]);
    let answer = send(world.addr(), &request.signed(KEY, SECRET), Duration::from_millis(50)).await;
    assert_eq!((answer, world.endpoint.accepted(ONE)), (Err(Lost::TimedOut), 0));
    settled(&world, 1).await;
    assert_eq!(world.endpoint.accepted(ONE), 1);
    assert_eq!((world.endpoint.calls()[0].outcome.as_str(), world.endpoint.calls()[0].delivered), ("OK", false));
}

#[tokio::test]
async fn a_request_that_is_late_by_more_than_the_expiry_is_refused_when_it_arrives() {
    let world = World::new().await;
    world.endpoint.add_fault(Fault::any(Effect::Delay { ms: 200, when: When::Before }).times(1));
    let request = world.request("CreateBackup", &[("DBInstanceId", ONE)]).signed(KEY, SECRET);
    let sending = send(world.addr(), &request, PATIENCE);
    let passing = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        world.wait(6);
    };
    let (answer, ()) = tokio::join!(sending, passing);
    assert_eq!((answer.unwrap().verdict().as_str(), world.endpoint.accepted(ONE)), ("400 InvalidTimeStamp.Expired", 0));
}

#[tokio::test]
async fn a_server_error_says_nothing_about_the_execution() {
    for (status, executed) in [(500, false), (500, true), (502, true), (503, false), (504, true)] {
        let (answer, accepted, calls) = meets(Effect::Status5xx { status, executed }).await;
        let answer = answer.unwrap();
        assert_eq!((answer.status, accepted), (status, usize::from(executed)));
        assert!(!String::from_utf8_lossy(&answer.body).contains("BackupJobId"));
        assert_eq!((calls[0].status, calls[0].delivered), (Some(status), true));
    }
}

#[tokio::test]
async fn garbage_comes_with_status_200() {
    for body in [Garbage::Html, Garbage::TruncatedJson, Garbage::Huge, Garbage::Empty, Garbage::Nested] {
        for executed in [false, true] {
            let (answer, accepted, _) = meets(Effect::Garbage { body, executed }).await;
            let answer = answer.unwrap();
            assert_eq!((answer.status, accepted), (200, usize::from(executed)), "{body:?}");
            let parsed = serde_json::from_slice::<serde_json::Value>(&answer.body);
            match body {
                Garbage::Html => assert!(answer.body.starts_with(b"<!doctype html>")),
                Garbage::TruncatedJson => assert!(answer.body.starts_with(b"{") && parsed.unwrap_err().is_eof()),
                Garbage::Huge => assert!(answer.body.len() > 10_000_000 && parsed.is_ok()),
                Garbage::Empty => assert!(answer.body.is_empty()),
                Garbage::Nested => assert!(parsed.is_err() && answer.body.len() == 200_000),
            }
        }
    }
}

#[tokio::test]
async fn a_throttled_request_is_not_executed_and_has_used_up_its_nonce() {
    let world = World::new().await;
    world.endpoint.add_fault(Fault::on("CreateBackup", Effect::Throttle { retry_after_ms: Some(1500) }).times(1));
    let request = world.request("CreateBackup", &[("DBInstanceId", ONE)]);
    let answer = world.send(&request).await.unwrap();
    assert_eq!((answer.verdict().as_str(), answer.headers["x-acs-retry-after"].as_str()), ("400 Throttling.User", "1500"));
    assert_eq!(world.send(&request).await.unwrap().verdict(), "400 SignatureNonceUsed");
    assert_eq!(world.endpoint.accepted(ONE), 0);
}

#[tokio::test]
async fn any_error_of_the_service_can_be_had() {
    for executed in [false, true] {
        let effect = Effect::ApiError { code: "InternalFailure".into(), http_status: 400, message: "later".into(), executed };
        let (answer, accepted, _) = meets(effect).await;
        let answer = answer.unwrap();
        assert_eq!((answer.verdict().as_str(), accepted), ("400 InternalFailure", usize::from(executed)));
        assert_eq!(answer.json()["Message"], "later");
    }
}

#[tokio::test]
async fn an_error_on_demand_does_not_hide_a_bad_signature() {
    let world = World::new().await;
    let effect = Effect::ApiError { code: "InternalFailure".into(), http_status: 400, message: String::new(), executed: false };
    world.endpoint.add_fault(Fault::any(effect));
    let bytes = world.request("CreateBackup", &[("DBInstanceId", ONE)]).signed(KEY, "wrong");
    assert_eq!(send(world.addr(), &bytes, PATIENCE).await.unwrap().verdict(), "400 SignatureDoesNotMatch");
}

#[tokio::test]
async fn a_held_request_is_closed_in_the_end() {
    for executed in [false, true] {
        let begin = Instant::now();
        let (answer, accepted, _) = meets(Effect::Hold { ms: 150, executed }).await;
        assert_eq!((answer, accepted), (Err(Lost::Closed), usize::from(executed)));
        assert!(begin.elapsed() >= Duration::from_millis(150));
    }
}

#[tokio::test]
async fn a_hanging_request_is_never_answered() {
    for executed in [false, true] {
        let world = World::new().await;
        world.endpoint.add_fault(Fault::any(Effect::Hang { executed }));
        let bytes = world.request("CreateBackup", &[("DBInstanceId", ONE)]).signed(KEY, SECRET);
        assert_eq!(send(world.addr(), &bytes, Duration::from_millis(200)).await, Err(Lost::TimedOut));
        assert_eq!(world.endpoint.accepted(ONE), usize::from(executed));
        assert!(!world.endpoint.calls()[0].delivered);
        // A request that hangs does not keep the endpoint from stopping.
        let hanging = send(world.addr(), &bytes, PATIENCE);
        let stopping = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            world.endpoint.stop().await;
        };
        assert_ne!(tokio::join!(hanging, stopping).0, Err(Lost::TimedOut));
    }
}

#[tokio::test]
async fn a_duplicated_request_is_executed_once() {
    for (delivery, verdict) in [(Delivery::First, "OK"), (Delivery::Second, "400 SignatureNonceUsed")] {
        let (answer, accepted, calls) = meets(Effect::Duplicate { answer: delivery }).await;
        assert_eq!((answer.unwrap().verdict().as_str(), accepted), (verdict, 1));
        let outcomes: Vec<_> = calls.iter().map(|call| (call.outcome.as_str(), call.delivered)).collect();
        let first = delivery == Delivery::First;
        assert_eq!(outcomes, [("OK", first), ("SignatureNonceUsed", !first)]);
    }
}

#[tokio::test]
async fn a_fault_meets_what_it_names_and_nothing_else() {
    let world = World::new().await;
    let id = world.endpoint.add_fault(Fault::on("CreateBackup", Effect::DropBefore).instance("rm-mysql-*").times(2));
    assert_eq!(world.verdict("DescribeBackups", &[("DBInstanceId", ONE)]).await, "OK");
    world.create("pgm-1", &[]).await;
    for _ in 0..2 {
        assert_eq!(world.send(&world.request("CreateBackup", &[("DBInstanceId", ONE)])).await, Err(Lost::Closed));
    }
    world.create(ONE, &[]).await;
    assert_eq!(world.endpoint.fault_hits(id), 2);
    world.endpoint.add_fault(Fault::any(Effect::DropBefore));
    world.endpoint.clear_faults();
    assert_eq!(world.verdict("DescribeBackups", &[("DBInstanceId", ONE)]).await, "OK");
}

#[tokio::test]
async fn a_failed_job_and_a_lost_answer_can_meet_one_request() {
    let world = World::new().await;
    world.endpoint.add_fault(Fault::any(Effect::FailJob).times(1));
    world.endpoint.add_fault(Fault::any(Effect::LoseAnswer).times(1));
    assert_eq!(world.send(&world.request("CreateBackup", &[("DBInstanceId", ONE)])).await, Err(Lost::Closed));
    world.wait(110);
    assert_eq!(world.sets(ONE, &[]).await[0]["BackupStatus"], "Failed");
}

#[tokio::test]
async fn latency_is_spent_on_every_answer() {
    let world = World::with(|options| options.settings.latency = Duration::from_millis(100)).await;
    let begin = Instant::now();
    world.create(ONE, &[]).await;
    assert!(begin.elapsed() >= Duration::from_millis(100));
}

/// Waits until so many calls are in the log.
async fn settled(world: &World, calls: usize) {
    let begin = Instant::now();
    while world.endpoint.calls().len() < calls || world.endpoint.calls().iter().any(|call| call.delivered) {
        assert!(begin.elapsed() < PATIENCE, "{:?}", world.endpoint.calls());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
