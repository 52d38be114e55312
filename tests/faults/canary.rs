//! The canary: whatever goes wrong, no key, token, signature or pre-signed address comes to light. Servers and proxies repeat what they were
//! sent, as it is, percent-encoded, in base64 and cut off; and everything that the operator writes is searched for it in each of these forms.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
    time::Duration,
};

use rds_backup_sandbox::marks::{FORMS, Hit, Marks};

use crate::{
    check,
    faults::{Fault, Point},
    life::{self, Ended},
    people::{Action, Key},
    report::story,
    script::Script,
    single::calm,
    step::Step,
    world::{AnyRequest, CANARY, LogEvent},
};

/// What a search went through, and what it found.
#[derive(Default)]
pub struct Searched {
    pub hits: Vec<Hit>,
    pub marks: usize,
    /// Bytes by place.
    pub places: BTreeMap<&'static str, usize>,
    pub injected: BTreeMap<&'static str, u64>,
}

impl Searched {
    fn add(&mut self, other: Self) {
        self.hits.extend(other.hits);
        self.marks += other.marks;
        for (place, bytes) in other.places {
            *self.places.entry(place).or_default() += bytes;
        }
        for (kind, times) in other.injected {
            *self.injected.entry(kind).or_default() += times;
        }
    }
}

/// The secrets of every world.
fn planted() -> Marks {
    let mut marks = Marks::new();
    for number in 1..=3 {
        marks.plant("an access key's id", &format!("id{number}-{CANARY}"));
    }
    marks.plant("an access key's secret", &format!("secret-{CANARY}"));
    marks.plant("a security token", &format!("token-{CANARY}"));
    marks.plant("a pre-signed address", &format!("Signature={CANARY}"));
    marks
}

/// Searches everything that the operator wrote in a world: its requests to the API server, its log, its metrics, its readiness.
pub fn search(ended: &Ended) -> Searched {
    let mut marks = planted();
    let mut texts: BTreeMap<&'static str, Vec<u8>> = BTreeMap::new();
    let mut injected = BTreeMap::new();
    ended.world.with(|state, _| {
        injected = state.fault_plan.injected.clone();
        for entry in &state.log {
            match &entry.what {
                LogEvent::Sent(AnyRequest::Cloud(_, call)) if !call.signature.is_empty() => marks.plant("a signature", &call.signature),
                LogEvent::Sent(AnyRequest::Api(step, call)) => {
                    let place = match step {
                        Step::Event => "an event",
                        _ if call.is_status_write() => "a status",
                        _ => "another request to the API server",
                    };
                    let text = texts.entry(place).or_default();
                    for part in [&call.path, "?", &format!("{:?}", call.query), " ", &call.body, "\n"] {
                        text.extend_from_slice(part.as_bytes());
                    }
                }
                _ => {}
            }
        }
    });
    for (place, text) in &ended.told {
        texts.entry(place).or_default().extend_from_slice(text);
    }
    let hits = texts.iter().flat_map(|(place, text)| marks.search(place, text)).collect();
    let places = texts.into_iter().map(|(place, text)| (place, text.len())).collect();
    Searched { hits, marks: marks.planted(), places, injected }
}

const CLOUD: [Step; 8] =
    [Step::Instance, Step::TasksBefore, Step::SetsBefore, Step::Create, Step::TasksLook, Step::SetsLook, Step::TaskById, Step::SetById];

/// Answers of the cloud that hold what they should not.
fn repeating() -> Vec<Fault> {
    let refused = [
        ("OperationDenied.ApiForbidden", 403),
        ("SignatureDoesNotMatch", 400),
        ("InvalidSecurityToken.Expired", 400),
        ("SomethingNew", 400),
        ("SomethingNew", 200),
    ];
    let broken = [Fault::Broken { status: 500, executed: false }, Fault::Broken { status: 503, executed: true }];
    let refused = refused.map(|(code, status)| Fault::Refused { code, status });
    let garbage = (0..=6).map(|which| Fault::Garbage { which, executed: true });
    let odd = (0..=2).map(|which| Fault::Odd { which });
    broken.into_iter().chain(refused).chain(garbage).chain(odd).chain([Fault::Throttled { pause_ms: 1500 }]).collect()
}

/// Answers to the read of the Secret, and what happens instead of one.
fn of_the_secret() -> Vec<Fault> {
    let points = [Point::Before, Point::Executed, Point::Answered, Point::Stopped].map(Fault::Crash);
    let garbled = (0..=6).map(|which| Fault::Garbled { which });
    let statuses = [429, 500, 503].map(|code| Fault::Status { code, executed: true });
    let more = [Fault::Hang { executed: true }, Fault::Lost { executed: true }, Fault::Late(Duration::from_secs(12))];
    garbled.chain(points).chain(statuses).chain(more).collect()
}

/// All other kinds of fault, each where it hurts.
fn others() -> Vec<(Step, Fault)> {
    let seconds = Duration::from_secs;
    vec![
        (Step::Create, Fault::Crash(Point::Before)),
        (Step::Create, Fault::Crash(Point::Executed)),
        (Step::Create, Fault::Crash(Point::Answered)),
        (Step::Create, Fault::Crash(Point::Stopped)),
        (Step::Create, Fault::Hang { executed: false }),
        (Step::Create, Fault::Hang { executed: true }),
        (Step::Create, Fault::Lost { executed: false }),
        (Step::Create, Fault::Lost { executed: true }),
        (Step::Create, Fault::Late(seconds(20))),
        (Step::Create, Fault::Late(seconds(300))),
        (Step::Create, Fault::Late(seconds(960))),
        (Step::Create, Fault::Unreachable),
        (Step::Create, Fault::Twice { second_answers: true, gap: seconds(2) }),
        (Step::Create, Fault::Dated { hours: 30 }),
        (Step::Create, Fault::Freeze(seconds(60))),
        (Step::Instance, Fault::Deleted { again: false }),
        (Step::Instance, Fault::Deleted { again: true }),
        (Step::IntentWrite, Fault::Conflict),
        (Step::IntentWrite, Fault::Status { code: 500, executed: false }),
        (Step::RecordWrite, Fault::Status { code: 503, executed: true }),
        (Step::List, Fault::Status { code: 410, executed: false }),
        (Step::Event, Fault::Status { code: 429, executed: false }),
        (Step::Shown, Fault::Dropped),
        (Step::Shown, Fault::Torn),
        (Step::Shown, Fault::Mute),
    ]
}

/// One script for each fault.
fn scripts() -> Vec<Script> {
    let after_a_lost_answer = |step: Step| {
        let script = calm(2);
        if matches!(step, Step::TasksLook | Step::SetsLook) {
            script.fault(Step::Create, 1, Fault::Lost { executed: true })
        } else {
            script
        }
    };
    let mut scripts = Vec::new();
    for step in CLOUD {
        scripts.extend(repeating().into_iter().map(|fault| after_a_lost_answer(step).fault(step, 1, fault)));
    }
    for (step, fault) in [Step::Instance, Step::Create].into_iter().flat_map(|step| repeating().into_iter().map(move |fault| (step, fault)))
    {
        let mut script = calm(2).fault(step, 1, fault);
        script.signature = "V1";
        scripts.push(script);
    }
    scripts.extend(of_the_secret().into_iter().map(|fault| calm(2).fault(Step::Secret, 1, fault)));
    // An answer that is damaged once is asked for again, and nothing is told of it: so each of the first is, too.
    let damaged = of_the_secret().into_iter().filter(|fault| matches!(fault, Fault::Garbled { .. }));
    scripts.extend(damaged.map(|fault| (1..=8).fold(calm(2), |script, nth| script.fault(Step::Secret, nth, fault))));
    scripts.extend(others().into_iter().map(|(step, fault)| calm(2).fault(step, 1, fault)));
    for key in [Key::Right, Key::Rotated, Key::Gone, Key::Emptied, Key::Wrong, Key::Junk, Key::WrongKind, Key::Forbidden] {
        for at in [0, 90] {
            let mut script = calm(5).at(at, Action::Secret(key)).at(240, Action::Secret(Key::Right));
            script.bound = Duration::from_secs(3600);
            scripts.push(script);
        }
    }
    for script in &mut scripts {
        script.scraped = true;
    }
    scripts
}

#[test]
fn no_fault_brings_a_secret_to_light() {
    let scripts = scripts();
    let (next, total) = (Mutex::new(scripts.iter()), Mutex::new(Searched::default()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(4);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(script) = { next.lock().expect("whole").next() } {
                    let ended = life::run(script);
                    let searched = search(&ended);
                    let is_worse = |wrong: &String| !wrong.starts_with("I12");
                    let wrong: Vec<String> = check::violations(script, &ended).into_iter().filter(is_worse).collect();
                    let story = || ended.world.with(|state, _| story(&state.log, script.begins));
                    assert!(wrong.is_empty(), "{:?}: {wrong:#?}\n{}", script.planned, story());
                    total.lock().expect("whole").add(searched);
                }
            });
        }
    });
    let Searched { hits, marks, places, injected } = total.into_inner().expect("whole");
    let bytes: usize = places.values().sum();
    println!(
        "canary (scripted servers): {marks} marks in {FORMS} forms, {} places ({}), {} faults of {} kinds in {} worlds, {:.1} MB searched; hits: {}",
        places.len(),
        places.iter().map(|(place, bytes)| format!("{place} {:.1} MB", *bytes as f64 / 1e6)).collect::<Vec<_>>().join(", "),
        injected.values().sum::<u64>(),
        injected.len(),
        scripts.len(),
        bytes as f64 / 1e6,
        hits.len(),
    );
    let shown: BTreeSet<String> = hits.iter().map(ToString::to_string).collect();
    assert!(shown.is_empty(), "{shown:#?}");
    assert_eq!(
        places.keys().copied().collect::<Vec<_>>(),
        ["/metrics", "/readyz?verbose", "a status", "an event", "another request to the API server", "the log"]
    );
    let kinds: BTreeSet<&str> = scripts.iter().flat_map(|script| &script.planned).map(|planned| planned.fault.kind()).collect();
    let missed: Vec<_> = kinds.iter().filter(|kind| !injected.contains_key(**kind)).collect();
    assert!(missed.is_empty(), "faults that no request met: {missed:?}");
    assert!(kinds.len() >= 28, "{kinds:?}");
}

/// Otherwise the search above proves nothing.
#[test]
fn the_marks_are_in_what_the_servers_repeat_and_the_log_is_recorded() {
    for signature in ["V3", "V1"] {
        let mut script = calm(2).fault(Step::Instance, 1, Fault::Refused { code: "SomethingNew", status: 400 });
        script.signature = signature;
        let ended = life::run(&script);
        let echo = ended.world.with(|state, _| state.cloud.echo.clone());
        let forms: BTreeSet<(String, &str)> =
            planted().search("the echo", echo.as_bytes()).into_iter().map(|hit| (hit.mark, hit.form)).collect();
        let (id, token) = ("an access key's id", "a security token");
        for (mark, form) in [(id, "plain"), (id, "percent-encoded"), (id, "base64"), (token, "plain"), (token, "base64")] {
            assert!(forms.contains(&(mark.to_owned(), form)), "{mark} {form}: {forms:?}");
        }
        let log = ended.told.iter().find(|(place, _)| *place == "the log").map(|(_, text)| String::from_utf8_lossy(text).into_owned());
        let log = log.expect("a log");
        assert!(log.contains("DEBUG") && log.contains("http_status=400") && log.contains("SomethingNew"), "{log}");
    }
}
