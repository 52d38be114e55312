//! Habits of the service that its documentation does not tell, each with the end that a user sees.

use std::time::Duration;

use jiff::SignedDuration;

use crate::{
    faults::{Fault, Point},
    life::Ended,
    people::Action,
    script::Script,
    single::{calm, end, ended},
    step::Step,
    world::{AnyRequest, LogEvent},
};

const MINUTE: u64 = 60;

/// A configuration with one account of this region, which allows team-a the instances of these regions.
fn allowing(region: &str, regions: &str) -> String {
    format!(
        "accounts:\n  default:\n    regionId: {region}\n    credentials: {{ type: Secret, name: rds-key }}\n    \
         allow: [{{ namespaces: [team-a], instances: [\"*\"], regions: {regions} }}]\n"
    )
}

/// The regions that calls named, in order, without repetitions.
fn asked_regions(ended: &Ended) -> Vec<String> {
    ended.world.with(|state, _| {
        let asked = state.log.iter().filter_map(|line| match &line.what {
            LogEvent::Sent(AnyRequest::Cloud(step, call)) if *step != Step::Create => Some(call.param("RegionId").to_owned()),
            _ => None,
        });
        let mut regions: Vec<String> = asked.collect();
        regions.dedup();
        regions
    })
}

/// The hosts of some regions answer for the instances of every region.
#[test]
fn an_instance_of_a_region_that_is_not_allowed_is_not_backed_up_whatever_region_the_object_names() {
    let mut script = calm(5);
    script.accounts = Some(allowing("cn-hangzhou", "[cn-hangzhou]"));
    script.habits.regions.insert("rm-1".to_owned(), "cn-beijing");
    script.lasts = Some(Duration::from_secs(30 * MINUTE));
    let (jobs, statuses) = end(&ended(&script));
    assert_eq!(jobs, 0);
    let ready = statuses[0]["conditions"].as_array().into_iter().flatten().find(|condition| condition["type"] == "Ready");
    assert_eq!(ready.map(|ready| &ready["reason"]), Some(&"RegionNotAllowed".into()), "{:#?}", statuses[0]);
}

#[test]
fn an_instance_of_another_allowed_region_is_asked_for_in_its_own() {
    let mut script = calm(5);
    script.accounts = Some(allowing("cn-hangzhou", "[\"cn-*\"]"));
    script.habits.regions.insert("rm-1".to_owned(), "cn-beijing");
    let ended = ended(&script);
    let (jobs, statuses) = end(&ended);
    assert_eq!((jobs, &statuses[0]["phase"], &statuses[0]["effective"]["regionId"]), (1, &"Succeeded".into(), &"cn-beijing".into()));
    assert_eq!(asked_regions(&ended), ["cn-hangzhou", "cn-beijing"]);
}

/// The operator dies while the job runs, and the account has another region when it is back.
#[test]
fn a_job_is_followed_in_the_region_in_which_it_began_whatever_region_the_account_has_by_then() {
    let mut script = calm(5).fault(Step::TaskById, 1, Fault::Crash(Point::Before));
    script.accounts = Some(allowing("cn-hangzhou", "[\"cn-*\"]"));
    script.accounts_after_a_crash = Some(allowing("cn-shanghai", "[\"cn-*\"]"));
    let ended = ended(&script);
    let (jobs, statuses) = end(&ended);
    assert_eq!((jobs, &statuses[0]["phase"], &statuses[0]["effective"]["regionId"]), (1, &"Succeeded".into(), &"cn-hangzhou".into()));
    assert_eq!(asked_regions(&ended), ["cn-hangzhou"]);
}

/// A job that may be the request's own runs for an hour: nothing is sent meanwhile, and its set is adopted when it is listed.
#[test]
fn a_job_that_does_not_say_what_began_it_may_be_the_requests_own() {
    let mut script = calm(60).fault(Step::Create, 1, Fault::Lost { executed: true });
    script.habits.tells_what_began = false;
    let (jobs, statuses) = end(&ended(&script));
    assert_eq!((jobs, &statuses[0]["phase"], &statuses[0]["origin"]), (1, &"Succeeded".into(), &"Adopted".into()));
}

#[test]
fn a_finished_job_that_names_no_set_succeeds_with_the_one_that_is_listed() {
    for (fault, origin) in [(None, "Created"), (Some(Fault::Lost { executed: true }), "Adopted")] {
        let mut script = calm(40);
        if let Some(fault) = fault {
            script = script.fault(Step::Create, 1, fault);
        }
        script.habits.names_sets = false;
        (script.habits.shortest_lag, script.habits.longest_lag) = (Duration::from_secs(5 * MINUTE), Duration::from_secs(5 * MINUTE));
        let (jobs, statuses) = end(&ended(&script));
        assert_eq!((jobs, &statuses[0]["phase"], &statuses[0]["origin"]), (1, &"Succeeded".into(), &origin.into()));
    }
}

/// For longer than a listing lag.
#[test]
fn a_set_that_is_listed_as_running_after_the_end_of_its_job_is_waited_for() {
    for (fault, origin) in [(None, "Created"), (Some(Fault::Lost { executed: true }), "Adopted")] {
        let mut script = calm(10);
        if let Some(fault) = fault {
            script = script.fault(Step::Create, 1, fault);
        }
        script.habits.unsettled_for = Duration::from_secs(45 * MINUTE);
        script.bound = Duration::from_secs(90 * MINUTE);
        let (jobs, statuses) = end(&ended(&script));
        assert_eq!((jobs, &statuses[0]["phase"], &statuses[0]["origin"]), (1, &"Succeeded".into(), &origin.into()));
    }
}

/// The backup waits for another one. The operator dies, and comes back on a node whose clock is 8 hours off.
#[test]
fn a_wrong_clock_ends_no_wait_before_the_operator_knows_the_time() {
    for hours in [8, -8] {
        let foreign = Action::Foreign { instance: "rm-1".into(), automated: true, lasts: Duration::from_secs(30 * MINUTE) };
        let mut script = Script::calm(Duration::from_secs(5 * MINUTE)).at(0, foreign).backup(1, "b");
        script = script.fault(Step::TasksBefore, 5, Fault::Crash(Point::Before));
        script.skew_after_a_crash = Some(SignedDuration::from_hours(hours));
        let ended = ended(&script);
        let (jobs, statuses) = end(&ended);
        assert_eq!((jobs, &statuses[0]["phase"]), (1, &"Succeeded".into()), "{hours}: {:#?}", statuses[0]);
        let since = statuses[0]["submission"]["waitingSince"].as_str().unwrap_or_default().to_owned();
        assert!(since.starts_with("2026-03-01T00:00:0"), "{hours}: it waits since {since}");
    }
}
