//! The reads of a look.

use std::sync::Arc;

use jiff::SignedDuration;

use super::*;
use crate::{
    api::{Origin, RdsBackup, RdsBackupStatus, Time},
    backup::request::InstanceObject,
    rds::{ApiError, BackupId, JobId, JobState, Mode, TaskAction},
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

/// An object whose result is a job of which the set is not known.
fn claims(job: &str, began: Timestamp) -> InstanceObject {
    let mut object = RdsBackup::new(job, serde_json::from_str(r#"{"dbInstanceId":"rm-1"}"#).unwrap());
    object.metadata.uid = Some(format!("uid-{job}"));
    let status = RdsBackupStatus {
        backup_job_id: Some(job.into()),
        origin: Some(Origin::Created),
        started_at: Some(Time(began)),
        ..RdsBackupStatus::fresh()
    };
    object.status = Some(status);
    InstanceObject {
        object: Arc::new(object),
        admissible: true,
        release_after: SignedDuration::from_mins(27),
        ended: true,
        too_large: false,
    }
}

fn told<T>(value: T) -> rds::Answer<T> {
    rds::Answer { value, request_id: None, service_time: Some(at(100)) }
}

fn finished(job: &str, set: &str) -> BackupTask {
    BackupTask {
        job_id: JobId::new(job),
        state: JobState::Finished,
        progress: None,
        mode: Mode::Manual,
        action: TaskAction::OnDemand,
        backup_id: Some(set.into()),
    }
}

/// Answers the reads of a look for sets since second 0; `job` answers for a claimed job.
fn look(listed: Vec<InstanceObject>, job: impl Fn(&str) -> Result<Vec<BackupTask>, CallError>) -> (Vec<String>, Look) {
    let mut reads = Reads::of(&Effect::Look { instance: "rm-1".into(), from: at(0) }, "uid-5", at(100)).unwrap();
    let (mut asked, mut listed, mut step) = (Vec::new(), Some(listed), reads.first());
    loop {
        let answer = match step {
            Step::Found(finding) => {
                let Finding::Look(look) = *finding else { panic!("{finding:?}") };
                return (asked, look);
            }
            Step::Ask(Request::ListInstance) => Answer::Instance(Ok(listed.take().unwrap().into())),
            Step::Ask(Request::Read { what, .. }) => {
                let result = match what {
                    CloudRead::Tasks(None) => Ok(CloudFinding::Tasks(told(Vec::new()))),
                    CloudRead::ManualSets(_) => Ok(CloudFinding::Sets(told(Vec::new()))),
                    CloudRead::Tasks(Some(id)) => {
                        asked.push(id.to_string());
                        job(id.as_str()).map(|tasks| CloudFinding::Tasks(told(tasks)))
                    }
                    other => panic!("{other:?}"),
                };
                Answer::Read { at: at(100), result }
            }
            Step::Ask(other) => panic!("{other:?}"),
        };
        step = reads.take(answer).unwrap();
    }
}

#[test]
fn only_claims_whose_sets_may_be_among_those_that_are_listed_are_asked_for() {
    let day = 24 * 3600;
    let listed = vec![claims("1", at(-day - 1)), claims("2", at(-day)), claims("3", at(50))];
    let (asked, look) = look(listed, |job| Ok(vec![finished(job, &format!("s{job}"))]));
    assert_eq!(asked, ["2", "3"]);
    let claims = look.result.unwrap().claims;
    let sets: Vec<Option<&str>> = claims.iter().map(|claim| claim.backup.set.as_ref().map(BackupId::as_str)).collect();
    assert_eq!(sets, [None, Some("s2"), Some("s3")]);
    assert!(claims.iter().all(|claim| claim.unmapped_job().is_none()), "{claims:?}");
}

/// Otherwise one job that the service cannot tell of would keep the intent open for ever.
#[test]
fn a_claimed_job_of_which_the_service_tells_nothing_but_an_error_is_one_without_a_known_set() {
    let error = |code: &str| {
        CallError::Api(ApiError {
            action: None,
            code: code.into(),
            message: String::new(),
            request_id: None,
            http_status: 400,
            retry_after: None,
        })
    };
    for (failure, is_whole) in [
        (error("InvalidParameters.Format"), true),
        (error("InternalFailure"), true),
        (error("SomethingNew"), true),
        (error("Throttling.User"), false),
        (error("Forbidden.RAM"), false),
        (CallError::Lost { why: "reset".into() }, false),
        (CallError::NotSent { why: "refused".into() }, false),
    ] {
        let (asked, look) = look(vec![claims("1", at(10)), claims("2", at(20))], |job| match job {
            "1" => Err(failure.clone()),
            job => Ok(vec![finished(job, "s2")]),
        });
        assert_eq!(asked.len(), if is_whole { 2 } else { 1 }, "{failure:?}");
        match look.result {
            Ok(facts) => {
                assert!(is_whole && facts.claims[0].unmapped_job().is_some() && facts.claims[1].unmapped_job().is_none(), "{failure:?}")
            }
            Err(_) => assert!(!is_whole, "{failure:?}"),
        }
    }
}

/// An object that records a set which it took in.
fn took_in(set: &str, status: Option<RdsBackupStatus>) -> InstanceObject {
    let spec = format!(r#"{{"dbInstanceId":"rm-1","existingBackupId":"{set}"}}"#);
    let mut object = RdsBackup::new("taken", serde_json::from_str(&spec).unwrap());
    object.metadata.uid = Some("uid-taken".into());
    object.metadata.namespace = Some("team-a".into());
    object.status = status;
    InstanceObject { object: Arc::new(object), ..claims("0", at(0)) }
}

#[test]
fn a_set_that_was_taken_in_is_still_a_candidate_for_the_object_whose_answer_was_lost() {
    let status = RdsBackupStatus {
        origin: Some(Origin::Existing),
        backup_id: Some("s1".into()),
        started_at: Some(Time(at(10))),
        ..RdsBackupStatus::fresh()
    };
    let (_, seen) = look(vec![took_in("s1", Some(status.clone()))], |_| Ok(Vec::new()));
    assert!(seen.result.unwrap().claims.is_empty(), "a person may have named the very set that is looked for");
    let reused = RdsBackupStatus { origin: Some(Origin::Reused), ..status };
    let (_, seen) = look(vec![took_in("s1", Some(reused))], |_| Ok(Vec::new()));
    assert_eq!(seen.result.unwrap().claims.len(), 1, "that one is known to be another object's");
}

#[test]
fn a_set_that_is_about_to_be_taken_in_is_named_before_its_status_says_so() {
    let found: InstanceObjects = vec![took_in("s1", None)].into();
    assert_eq!(others(&BackupId::new("s1"), "uid-5", &found), [Other::Names("team-a/taken".into())]);
    assert_eq!(others(&BackupId::new("s2"), "uid-5", &found), []);
    assert_eq!(others(&BackupId::new("s1"), "uid-taken", &found), [], "itself");
}

#[test]
fn what_takes_in_a_set_holds_no_instance_and_waits_for_none() {
    assert!(took_in("s1", None).sibling().is_none());
}
