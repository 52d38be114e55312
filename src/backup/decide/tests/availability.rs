//! What the audits find of the set of a backup that has succeeded.

use super::*;
use crate::{api::ExpirySource, audit::Finding, backup::decide::is_news};

fn succeeded() -> Case {
    let mut case = Case::new().intent(0, true, true).answered(accepted("77"));
    case.step(1);
    case.poll(200, Some(finished("77", "s7")), Some(set("s7", 2)));
    case.step(201);
    case
}

/// Status and reason of the condition.
type Said = Option<(String, String)>;

/// What is said, and the events, each with whether it warns.
fn found(case: &mut Case, finding: Finding) -> (Said, Vec<(Reason, bool)>) {
    let audited = Audited { at: at(1000), finding };
    let (news, before) = (is_news(&case.status, &audited), case.status.clone());
    case.audited = Some(audited);
    let decision = case.step(1000);
    assert_eq!(news, case.status != before, "{:?}", case.audited);
    assert_eq!((decision.effect, decision.requeue), (None, Requeue::OnChange));
    let said = case.status.condition(ConditionType::Available).map(|said| (said.status.clone(), said.reason.clone()));
    (said, decision.events.iter().map(|event| (event.reason(), event.is_warning())).collect())
}

fn says(status: &str, reason: &str) -> Said {
    Some((status.to_owned(), reason.to_owned()))
}

const USABLE: Finding = Finding::Usable { expires_at: None };

#[test]
fn a_set_that_is_lost_is_said_once_and_one_that_is_back_heals() {
    let mut case = succeeded();
    let place = case.kstatus();
    let ended: (Option<String>, bool, bool) = (place.0.map(str::to_owned), place.1, place.2);
    assert_eq!(found(&mut case, USABLE), (None, Vec::new()), "nothing is written of a set that has always been there");
    for (finding, reason) in [(Finding::Gone, Reason::BackupSetGone), (Finding::Unusable("its size is 0"), Reason::BackupSetUnusable)] {
        assert_eq!(found(&mut case, finding.clone()), (says("False", reason.as_str()), vec![(reason, true)]));
        assert_eq!(found(&mut case, finding), (says("False", reason.as_str()), Vec::new()), "once");
    }
    let kstatus = case.kstatus();
    assert_eq!((kstatus.0.map(str::to_owned), kstatus.1, kstatus.2), ended, "the backup has succeeded all the same");
    assert_eq!(found(&mut case, USABLE), (says("True", "Listed"), vec![(Reason::Listed, false)]));
    assert_eq!(found(&mut case, USABLE), (says("True", "Listed"), Vec::new()));
    assert_eq!(found(&mut case, Finding::Expired), (says("False", "BackupSetExpired"), vec![(Reason::BackupSetExpired, false)]));
}

#[test]
fn the_end_of_the_set_is_the_services_as_soon_as_it_tells_one() {
    let mut case = succeeded();
    assert_eq!(case.status.expires_at, None);
    for told in [at(90_000), at(180_000)] {
        let (said, events) = found(&mut case, Finding::Usable { expires_at: Some(told) });
        assert_eq!((said, events), (None, Vec::new()));
        assert_eq!((case.status.expires_at.as_ref().map(|at| at.0), case.status.expiry_source), (Some(told), Some(ExpirySource::Service)));
    }
}

#[test]
fn of_a_backup_that_has_no_set_nothing_is_said() {
    let mut case = Case::new();
    let audited = Audited { at: at(0), finding: Finding::Gone };
    assert!(!is_news(&case.status, &audited));
    case.audited = Some(audited);
    assert_eq!(case.decide(1).status.condition(ConditionType::Available), None);
}
