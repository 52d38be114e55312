//! Sets that are there already: what is read before one becomes an object's, and what is never sent.

use super::*;
use crate::{
    api::{Origin, RdsBackupSpec},
    rds::{BackupSet, SetStatus},
};

impl Scene {
    fn of(spec: &str) -> Self {
        let mut scene = Self::new();
        scene.stored.spec = serde_json::from_str::<RdsBackupSpec>(spec).unwrap();
        scene
    }

    /// Runs to rest. The objects of the instance are `others`, from the `nth` LIST on, and each set that is asked for is usable.
    fn beside(&mut self, others: &[RdsBackup], nth: usize) -> Vec<String> {
        let cached = self.stored.clone();
        let mut next = self.begin(&cached);
        let (mut asked, mut lists) = (Vec::new(), 0);
        for _ in 0..200 {
            let request = match next {
                Next::Do(request) => request,
                // The hold after a withdrawn intent.
                Next::Rest(Rest::Requeue(wait)) if !self.status().phase.is_terminal() && asked.len() < 60 => {
                    self.second += wait.as_secs().max(1);
                    let cached = self.stored.clone();
                    next = self.begin(&cached);
                    continue;
                }
                Next::Rest(_) => return asked,
            };
            asked.push(format!("{request:?}").split([' ', '(']).next().unwrap_or_default().to_owned());
            let answer = match &request {
                Request::ListInstance => {
                    lists += 1;
                    let listed = others.iter().filter(|_| lists >= nth).cloned().map(|object| InstanceObject {
                        object: Arc::new(object),
                        admissible: true,
                        release_after: SignedDuration::ZERO,
                        ended: false,
                        too_large: false,
                    });
                    Answer::Instance(Ok(listed.collect::<Vec<_>>().into()))
                }
                Request::Read { what: CloudRead::Set(id), .. } => {
                    let ended_at = Some(at(-60));
                    let set = BackupSet {
                        status: SetStatus::Success,
                        available: Some(true),
                        started_at: Some(at(-90)),
                        ended_at,
                        ..BackupSet::new(id.clone())
                    };
                    let told = rds::Answer { value: vec![set], request_id: None, service_time: None };
                    Answer::Read { at: at(self.now()), result: Ok(CloudFinding::Sets(told)) }
                }
                request => self.answer(request),
            };
            next = self.give(answer);
        }
        panic!("it goes on for ever: {asked:#?}");
    }
}

fn without_looks(asked: &[String]) -> Vec<&str> {
    asked.iter().map(String::as_str).filter(|name| !["Observe", "Announce", "NoteEnd", "WakeSiblings", "Forget"].contains(name)).collect()
}

/// A backup of the same instance that began 90 seconds before the object was created.
fn succeeded() -> RdsBackup {
    let mut other = RdsBackup::new("a", serde_json::from_str(r#"{"dbInstanceId":"rm-1"}"#).unwrap());
    other.metadata.uid = Some("uid-1".into());
    other.metadata.namespace = Some("team-a".into());
    other.status = Some(RdsBackupStatus {
        phase: Phase::Succeeded,
        origin: Some(Origin::Created),
        backup_id: Some("s1".into()),
        started_at: Some(Time(at(-90))),
        completed_at: Some(Time(at(-60))),
        ..RdsBackupStatus::default()
    });
    other
}

const GATE: &str = r#"{"dbInstanceId":"rm-1","method":"Physical","reuseIfNewerThan":"10m"}"#;

#[test]
fn a_set_is_taken_in_by_two_reads_and_one_write_without_the_lock_of_the_instance() {
    let mut scene = Scene::of(r#"{"dbInstanceId":"rm-1","existingBackupId":"s9"}"#);
    let asked = scene.beside(&[], 1);
    assert_eq!(without_looks(&asked), ["Admit", "Read", "Read", "WriteStatus"]);
    assert_eq!((scene.status().phase, scene.status().origin), (Phase::Succeeded, Some(Origin::Existing)));
}

#[test]
fn a_gate_reads_the_objects_of_the_instance_then_the_set_and_writes_once() {
    let mut scene = Scene::of(GATE);
    let asked = scene.beside(&[succeeded()], 1);
    assert_eq!(without_looks(&asked), ["ListInstance", "Admit", "Read", "Read", "WriteStatus"]);
    assert_eq!((scene.status().origin, scene.status().reused_from.as_deref()), (Some(Origin::Reused), Some("a")));
}

#[test]
fn a_backup_that_ended_since_the_gate_looked_withdraws_its_intent_and_is_reused() {
    let mut scene = Scene::of(GATE);
    // The first list finds nothing; the one that clears the intent does.
    let asked = scene.beside(&[succeeded()], 2);
    assert!(!asked.contains(&"Send".to_owned()), "{asked:?}");
    assert_eq!((scene.status().phase, scene.status().origin), (Phase::Succeeded, Some(Origin::Reused)));
    assert_eq!(scene.status().backup_id.as_deref(), Some("s1"));
}

#[test]
fn a_gate_that_finds_no_backup_makes_one() {
    let mut scene = Scene::of(GATE);
    let mut old = succeeded();
    old.status.as_mut().unwrap().started_at = Some(Time(at(-601)));
    let asked = scene.beside(&[old], 1);
    assert_eq!(asked.iter().filter(|name| *name == "Send").count(), 1, "{asked:?}");
}
