//! A set that is deleted with its object: what is read before, and what a wish that is taken back comes to.

use super::*;
use crate::{
    api::DeletionPolicy,
    rds::{BackupSet, Mode, SetStatus},
};

/// A success that is being deleted with its set, as the cache shows it.
fn leaving() -> Scene {
    let mut scene = Scene::new();
    let ended = Time(at(-40 * 86_400));
    scene.stored.spec.deletion_policy = Some(DeletionPolicy::Delete);
    scene.stored.metadata.finalizers = Some(vec![FINALIZER.to_owned(), "example.org/keep".to_owned()]);
    scene.stored.metadata.deletion_timestamp = Some(Time(at(0)));
    scene.stored.status = Some(RdsBackupStatus {
        observed_generation: 1,
        phase: Phase::Succeeded,
        origin: Some(crate::api::Origin::Created),
        backup_id: Some("s7".into()),
        started_at: Some(ended.clone()),
        completed_at: Some(ended),
        ..RdsBackupStatus::default()
    });
    scene
}

impl Scene {
    /// As [`Scene::answer`]; the set is there.
    fn answer_of_set(&mut self, request: &Request) -> Answer {
        let Request::Read { what: CloudRead::Set(id), .. } = request else { return self.answer(request) };
        let set = BackupSet {
            status: SetStatus::Success,
            mode: Mode::Manual,
            started_at: self.status().started_at.as_ref().map(|time| time.0),
            ..BackupSet::new(id.clone())
        };
        Answer::Read {
            at: at(self.now()),
            result: Ok(CloudFinding::Sets(rds::Answer { value: vec![set], request_id: None, service_time: None })),
        }
    }

    fn until_it_rests(&mut self, mut next: Next, mut before: impl FnMut(&mut Self, &Request)) -> (Vec<String>, Rest) {
        let mut asked = Vec::new();
        for _ in 0..200 {
            match next {
                Next::Do(request) => {
                    asked.push(format!("{request:?}").split([' ', '(']).next().unwrap_or_default().to_owned());
                    before(self, &request);
                    let answer = self.answer_of_set(&request);
                    next = self.give(answer);
                }
                Next::Rest(rest) => return (asked, rest),
            }
        }
        panic!("it goes on for ever: {asked:#?}");
    }
}

#[test]
fn a_set_is_deleted_once_after_all_reads_and_then_the_finalizer_is_taken_off_and_nothing_else_is_written() {
    let mut scene = leaving();
    let cached = scene.stored.clone();
    let before = scene.status().clone();
    let next = scene.begin(&cached);
    let (asked, _) = scene.until_it_rests(next, |_, _| {});
    let named: Vec<&str> = asked.iter().map(String::as_str).filter(|name| *name != "Observe").collect();
    // The copy of the cache is short; then what is around, the instance, its policy, its set, the other objects, and the object once more.
    assert_eq!(
        named,
        [
            "ReadObject",
            "ReadSurroundings",
            "Admit",
            "Read",
            "Read",
            "Read",
            "ListInstance",
            "ReadObject",
            "DeleteSet",
            "WriteFinalizers",
            "Announce"
        ]
    );
    assert_eq!(scene.stored.metadata.finalizers, Some(vec!["example.org/keep".to_owned()]));
    assert_eq!(*scene.status(), before);
}

#[test]
fn a_wish_that_is_taken_back_while_the_reads_are_made_deletes_nothing() {
    let mut scene = leaving();
    let cached = scene.stored.clone();
    let next = scene.begin(&cached);
    let (asked, _) = scene.until_it_rests(next, |scene, request| {
        if matches!(request, Request::ListInstance) {
            scene.stored.spec.deletion_policy = Some(DeletionPolicy::Retain);
            scene.moves_on();
        }
    });
    assert!(!asked.contains(&"DeleteSet".to_owned()), "{asked:?}");
    assert_eq!(scene.stored.metadata.finalizers, Some(vec!["example.org/keep".to_owned()]), "it is let go of");
}

#[test]
fn a_process_that_does_not_lead_deletes_nothing() {
    let mut scene = leaving();
    let cached = scene.stored.clone();
    let next = scene.begin(&cached);
    let (asked, rest) = scene.until_it_rests(next, |scene, request| {
        scene.leads &= !matches!(request, Request::ListInstance);
    });
    assert!(!asked.contains(&"DeleteSet".to_owned()), "{asked:?}");
    assert!(matches!(rest, Rest::Failed(error) if matches!(*error, Error::Cluster(controller::Error::NotLeading))));
}

#[test]
fn a_set_that_is_deleted_is_not_asked_for_again_while_its_finalizer_cannot_be_taken_off() {
    let mut scene = leaving();
    let cached = scene.stored.clone();
    let next = scene.begin(&cached);
    let (asked, _) = scene.until_it_rests(next, |scene, request| {
        // Another controller writes at the same moment.
        if matches!(request, Request::WriteFinalizers(_)) && scene.stored.metadata.labels.is_none() {
            scene.stored.metadata.labels = Some([("a".to_owned(), "b".to_owned())].into());
            scene.moves_on();
        }
    });
    assert_eq!(asked.iter().filter(|name| *name == "DeleteSet").count(), 1, "{asked:?}");
    assert_eq!(scene.stored.metadata.finalizers, Some(vec!["example.org/keep".to_owned()]));
}
