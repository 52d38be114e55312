//! A backup without faults, request by request.

use std::time::Duration;

use crate::{
    check, life,
    report::story,
    script::Script,
    step::Step,
    world::{AnyRequest, LogEvent, clock},
};

/// The requests of one world with their times, without those of the watches.
fn requests(script: &Script, ended: &life::Ended) -> Vec<(String, AnyRequest)> {
    let of_a_watch = |asked: &AnyRequest| matches!(asked, AnyRequest::Api(Step::List | Step::Watch, _));
    ended.world.with(|state, _| {
        let sent = state.log.iter().filter_map(|line| match &line.what {
            LogEvent::Sent(asked) if !of_a_watch(asked) => Some((clock(line.at, script.begins), asked.clone())),
            _ => None,
        });
        sent.collect()
    })
}

#[test]
fn a_good_backup_of_half_an_hour_costs_7_status_writes_and_26_calls_at_most() {
    let script = Script::calm(Duration::from_secs(30 * 60)).backup(1, "nightly");
    let ended = life::run(&script);
    let requests = requests(&script, &ended);
    for (at, asked) in &requests {
        println!("{at}  {asked}");
    }
    let wrong = check::violations(&script, &ended);
    ended.world.with(|state, _| {
        assert!(wrong.is_empty(), "{wrong:?}\n{}", story(&state.log, script.begins));
        let phases: Vec<_> = state.api.backups().map(|object| object["status"]["phase"].clone()).collect();
        assert_eq!(phases, ["Succeeded"]);
    });
    let count = |wanted: fn(&Step) -> bool| {
        let step = |asked: &AnyRequest| match asked {
            AnyRequest::Api(step, _) | AnyRequest::Cloud(step, _) => *step,
        };
        requests.iter().filter(|(_, asked)| wanted(&step(asked))).count()
    };
    let writes = count(|step| {
        matches!(step, Step::IntentWrite | Step::ClearWrite | Step::RecordWrite | Step::ProgressWrite | Step::EndWrite | Step::WaitWrite)
    });
    let progress = count(|step| *step == Step::ProgressWrite);
    let calls = count(|step| step.is_cloud());
    println!("{writes} status writes, {progress} of them for progress; {calls} calls of the cloud");
    assert!(progress <= 3 && writes - progress <= 4, "{writes} status writes, {progress} of them for progress");
    assert!(calls <= 26, "{calls} calls");
}
