//! Expressions written by hand: accepted ones with their next runs, and refused ones with the cure in the message.

use jiff::Timestamp;
use rds_backup_operator::schedule::cron::{Cron, Note, Slot, Slots, zone};

fn next(expression: &str, name: &str, from: &str, count: usize) -> Vec<String> {
    let cron = Cron::parse(expression).unwrap_or_else(|error| panic!("{expression}: {error}"));
    let slots = Slots::new(cron, zone(name).unwrap());
    let from: Timestamp = from.parse().unwrap();
    std::iter::successors(slots.next(from), |slot| slots.next(slot.at))
        .take(count)
        .map(|slot| slot.at.to_string().replace(":00Z", "Z"))
        .collect()
}

/// Expressions and their next runs after the first instant of 2027, a Friday, in UTC.
const ACCEPTED: [(&str, [&str; 2]); 40] = [
    ("* * * * *", ["2027-01-01T00:01Z", "2027-01-01T00:02Z"]),
    ("0 2 * * *", ["2027-01-01T02:00Z", "2027-01-02T02:00Z"]),
    ("00 02 * * *", ["2027-01-01T02:00Z", "2027-01-02T02:00Z"]),
    ("  0   2\t* * *  ", ["2027-01-01T02:00Z", "2027-01-02T02:00Z"]),
    ("30 4 1 * *", ["2027-01-01T04:30Z", "2027-02-01T04:30Z"]),
    ("0 0 1 1 *", ["2028-01-01T00:00Z", "2029-01-01T00:00Z"]),
    ("0 0 29 2 *", ["2028-02-29T00:00Z", "2032-02-29T00:00Z"]),
    ("0 0 31 * *", ["2027-01-31T00:00Z", "2027-03-31T00:00Z"]),
    ("0 0 30 2,4 *", ["2027-04-30T00:00Z", "2028-04-30T00:00Z"]),
    ("*/15 * * * *", ["2027-01-01T00:15Z", "2027-01-01T00:30Z"]),
    ("*/100 * * * *", ["2027-01-01T01:00Z", "2027-01-01T02:00Z"]),
    ("5/20 * * * *", ["2027-01-01T00:05Z", "2027-01-01T00:25Z"]),
    ("50/5 0 * * *", ["2027-01-01T00:50Z", "2027-01-01T00:55Z"]),
    ("10-20/5 0 * * *", ["2027-01-01T00:10Z", "2027-01-01T00:15Z"]),
    ("0 */6 * * *", ["2027-01-01T06:00Z", "2027-01-01T12:00Z"]),
    ("0 20/3 * * *", ["2027-01-01T20:00Z", "2027-01-01T23:00Z"]),
    ("0 22-23,1 * * *", ["2027-01-01T01:00Z", "2027-01-01T22:00Z"]),
    ("1,2,3 0 * * *", ["2027-01-01T00:01Z", "2027-01-01T00:02Z"]),
    ("3,1,2,2 0 * * *", ["2027-01-01T00:01Z", "2027-01-01T00:02Z"]),
    ("59 23 31 12 *", ["2027-12-31T23:59Z", "2028-12-31T23:59Z"]),
    ("0 0 * * 0", ["2027-01-03T00:00Z", "2027-01-10T00:00Z"]),
    ("0 0 * * 7", ["2027-01-03T00:00Z", "2027-01-10T00:00Z"]),
    ("0 0 * * sun", ["2027-01-03T00:00Z", "2027-01-10T00:00Z"]),
    ("0 0 * * 5-7", ["2027-01-02T00:00Z", "2027-01-03T00:00Z"]),
    ("0 0 * * 6-7", ["2027-01-02T00:00Z", "2027-01-03T00:00Z"]),
    ("0 0 * * 1-5", ["2027-01-04T00:00Z", "2027-01-05T00:00Z"]),
    ("0 0 * * Mon-FRI", ["2027-01-04T00:00Z", "2027-01-05T00:00Z"]),
    ("0 0 * * 2/2", ["2027-01-02T00:00Z", "2027-01-05T00:00Z"]),
    ("0 0 * feb,Nov *", ["2027-02-01T00:00Z", "2027-02-02T00:00Z"]),
    ("0 0 1 mar-may *", ["2027-03-01T00:00Z", "2027-04-01T00:00Z"]),
    ("0 0 1 */4 *", ["2027-05-01T00:00Z", "2027-09-01T00:00Z"]),
    ("0 0 1 10/1 *", ["2027-10-01T00:00Z", "2027-11-01T00:00Z"]),
    // Day-of-month and day-of-week are both restricted: a match of either is enough.
    ("0 0 13 * 5", ["2027-01-08T00:00Z", "2027-01-13T00:00Z"]),
    ("0 0 1-7 * 1", ["2027-01-02T00:00Z", "2027-01-03T00:00Z"]),
    ("0 0 30 2 1", ["2027-02-01T00:00Z", "2027-02-08T00:00Z"]),
    ("0 0 */2 * 1", ["2027-01-03T00:00Z", "2027-01-04T00:00Z"]),
    // `*` and `*/1` restrict nothing, also as one of a list.
    ("0 0 */1 * 1", ["2027-01-04T00:00Z", "2027-01-11T00:00Z"]),
    ("0 0 *,15 * 1", ["2027-01-04T00:00Z", "2027-01-11T00:00Z"]),
    ("0 0 13 * */1", ["2027-01-13T00:00Z", "2027-02-13T00:00Z"]),
    ("0 0 1-31 * 1", ["2027-01-02T00:00Z", "2027-01-03T00:00Z"]),
];

const NAMED: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

const REFUSED: [(&str, &str); 38] = [
    ("", "has five fields"),
    ("0 2 * *", "this one has 4"),
    ("0 0 2 * * *", "this one has 6"),
    ("0 0 2 * * * 2027", "this one has 7"),
    ("TZ=Asia/Tokyo 0 2 * * *", "timeZone"),
    ("CRON_TZ=Asia/Tokyo 0 2 * * *", "timeZone"),
    ("@every 5m", "is not known"),
    ("@reboot", "is not known"),
    ("@Daily", "is not known"),
    ("@", "is not known"),
    ("0 0 L * *", "?, L, W and #"),
    ("0 0 15W * *", "?, L, W and #"),
    ("0 0 LW * *", "?, L, W and #"),
    ("0 0 * * 5L", "?, L, W and #"),
    ("0 0 * * 5#2", "?, L, W and #"),
    ("0 0 ? * *", "?, L, W and #"),
    ("0 0 * * ?", "?, L, W and #"),
    ("60 * * * *", "its values are 0 to 59"),
    ("* 24 * * *", "its values are 0 to 23"),
    ("* * 0 * *", "its values are 1 to 31"),
    ("* * 32 * *", "its values are 1 to 31"),
    ("* * * 13 *", "its values are 1 to 12, or names such as jan"),
    ("* * * * 8", "its values are 0 to 7, or names such as sun"),
    ("* * * monday *", "month field"),
    ("* * * * monday", "day-of-week field"),
    ("-1 * * * *", "minute field"),
    ("+1 * * * *", "minute field"),
    ("1.5 * * * *", "minute field"),
    ("99999999999999999999 * * * *", "its values are 0 to 59"),
    ("20-10 * * * *", "runs backwards"),
    ("* * * * fri-mon", "runs backwards"),
    ("*/0 * * * *", "above 0"),
    ("*/ * * * *", "above 0"),
    ("*/-5 * * * *", "above 0"),
    ("1,,2 * * * *", "empty member"),
    (",1 * * * *", "empty member"),
    ("0 0 30 2 *", "no such day exists"),
    ("0 0 31 2,4,6,9,11 *", "no such day exists"),
];

#[test]
fn what_is_accepted_and_when_it_runs() {
    for (expression, runs) in ACCEPTED {
        assert_eq!(next(expression, "Etc/UTC", "2027-01-01T00:00:00Z", 2), runs, "{expression}");
    }
    for (name, fields) in NAMED {
        assert_eq!(Cron::parse(name), Cron::parse(fields), "{name}");
    }
    println!("{} expressions accepted, {} refused", ACCEPTED.len() + NAMED.len(), REFUSED.len());
}

#[test]
fn what_is_refused_and_what_to_write_instead() {
    for (expression, expected) in REFUSED {
        let error = Cron::parse(expression).expect_err(expression).to_string();
        assert!(error.contains(expected) && !error.contains('\n'), "{expression}: {error}");
    }
    for garbage in ["\u{0}", "é * * * *", "* * * * *\n* * * * *", &"1,".repeat(5_000), &"*/".repeat(60)] {
        assert!(Cron::parse(garbage).is_err());
    }
}

#[test]
fn a_run_is_strictly_after_the_instant() {
    assert_eq!(next("0 2 * * *", "Etc/UTC", "2027-01-01T01:59:59.999Z", 1), ["2027-01-01T02:00Z"]);
    assert_eq!(next("0 2 * * *", "Etc/UTC", "2027-01-01T02:00:00Z", 1), ["2027-01-02T02:00Z"]);
    assert_eq!(next("* * * * *", "Asia/Kathmandu", "2027-01-01T02:00:00.001Z", 1), ["2027-01-01T02:01Z"]);
}

#[test]
fn the_clocks_change_and_every_day_has_its_run() {
    for (expression, zone, from, runs) in [
        // The time is skipped: the run is at the first instant after the gap. Two slots that meet there are one run.
        ("30 2 * * *", "Europe/Berlin", "2027-03-28T00:00Z", ["2027-03-28T01:00Z", "2027-03-29T00:30Z"]),
        ("0,15,30,45 2 * * *", "Europe/Berlin", "2027-03-28T00:00Z", ["2027-03-28T01:00Z", "2027-03-29T00:00Z"]),
        ("0 2,3 * * *", "Europe/Berlin", "2027-03-28T00:00Z", ["2027-03-28T01:00Z", "2027-03-29T00:00Z"]),
        // The time comes twice: it runs the first time.
        ("30 2 * * *", "Europe/Berlin", "2027-10-31T00:00Z", ["2027-10-31T00:30Z", "2027-11-01T01:30Z"]),
        ("30 1 * * *", "America/New_York", "2027-11-07T00:00Z", ["2027-11-07T05:30Z", "2027-11-08T06:30Z"]),
        // This schedule names every hour: it runs both times.
        ("30 * * * *", "Europe/Berlin", "2027-10-31T00:00Z", ["2027-10-31T00:30Z", "2027-10-31T01:30Z"]),
        ("0 */2 * * *", "Europe/Berlin", "2027-03-28T00:00Z", ["2027-03-28T02:00Z", "2027-03-28T04:00Z"]),
        // Midnight does not exist.
        ("0 0 * * *", "Africa/Cairo", "2027-04-29T12:00Z", ["2027-04-29T22:00Z", "2027-04-30T21:00Z"]),
        // The clocks change by half an hour.
        ("15 2 * * *", "Australia/Lord_Howe", "2027-10-02T12:00Z", ["2027-10-02T15:30Z", "2027-10-03T15:15Z"]),
        // A whole day is missing.
        ("0 8 * * *", "Pacific/Apia", "2011-12-29T12:00Z", ["2011-12-29T18:00Z", "2011-12-30T10:00Z"]),
    ] {
        assert_eq!(next(expression, zone, &from.replace('Z', ":00Z"), 2), runs, "{expression} in {zone}");
    }
}

#[test]
fn the_newest_slot_is_found_backwards() {
    let slots = |expression| Slots::new(Cron::parse(expression).unwrap(), zone("Etc/UTC").unwrap());
    let latest = |expression, until: &str| slots(expression).latest(until.parse().unwrap()).map(|slot| slot.at.to_string());
    assert_eq!(latest("* * * * *", "2027-01-01T00:00:30Z").as_deref(), Some("2027-01-01T00:00:00Z"));
    assert_eq!(latest("0 2 * * *", "2027-01-01T02:00:00Z").as_deref(), Some("2027-01-01T02:00:00Z"), "the instant itself counts");
    assert_eq!(latest("0 2 * * *", "2027-01-01T01:59:59Z").as_deref(), Some("2026-12-31T02:00:00Z"));
    assert_eq!(latest("0 0 29 2 *", "2027-01-01T00:00:00Z").as_deref(), Some("2024-02-29T00:00:00Z"));
}

#[test]
fn gaps_between_slots() {
    let hours = |gap: Option<jiff::SignedDuration>| gap.unwrap().as_secs_f64() / 3600.0;
    for (expression, name, shortest, longest) in [
        ("* * * * *", "Etc/UTC", 1.0 / 60.0, 1.0 / 60.0),
        ("0 2 * * *", "Etc/UTC", 24.0, 24.0),
        ("0 2 * * *", "Europe/Berlin", 24.0, 25.0),
        ("0 2,6 * * *", "Etc/UTC", 4.0, 20.0),
        ("0 22,2 * * *", "Etc/UTC", 4.0, 20.0),
        ("0 2 * * 1-5", "Etc/UTC", 24.0, 72.0),
        ("0 2 1 * *", "Etc/UTC", 28.0 * 24.0, 31.0 * 24.0),
        ("0 2 29 2 *", "Etc/UTC", 1461.0 * 24.0, 1461.0 * 24.0),
    ] {
        let slots = Slots::new(Cron::parse(expression).unwrap(), zone(name).unwrap());
        let from: Timestamp = "2027-03-01T00:00:00Z".parse().unwrap();
        assert_eq!((hours(slots.shortest_gap()), hours(slots.longest_gap(from))), (shortest, longest), "{expression} in {name}");
    }
}

/// Every local time that the clocks skip or repeat has a note, whatever the schedule does about it.
#[test]
fn what_the_clocks_did_is_noted() {
    let noted = |expression: &str, zone_name: &str, from: &str, count: usize| -> Vec<String> {
        let slots = Slots::new(Cron::parse(expression).unwrap(), zone(zone_name).unwrap());
        let first = slots.next(from.parse().unwrap());
        let runs = std::iter::successors(first, |slot| slots.next(slot.at)).take(count);
        let text = |slot: Slot| {
            let note = match slot.note {
                None => String::new(),
                Some(Note::Skipped(local)) => format!(" skipped {local}"),
                Some(Note::Omitted(local)) => format!(" omitted {local}"),
                Some(Note::FirstOfTwo) => " first".to_owned(),
                Some(Note::SecondOfTwo) => " second".to_owned(),
            };
            format!("{}{note}", slot.at.strftime("%dT%H:%M"))
        };
        runs.map(text).collect()
    };
    for (expression, zone_name, from, runs) in [
        ("0 */2 * * *", "Europe/Berlin", "2027-03-27T22:30:00Z", ["27T23:00", "28T02:00 omitted 2027-03-28T02:00:00", "28T04:00"]),
        ("*/30 * * * *", "Europe/Berlin", "2027-03-28T00:10:00Z", ["28T00:30", "28T01:00 omitted 2027-03-28T02:00:00", "28T01:30"]),
        ("0 * * * *", "Europe/Berlin", "2027-10-30T23:30:00Z", ["31T00:00", "31T01:00 second", "31T02:00"]),
        ("0 */12 * * *", "Africa/Cairo", "2027-04-29T09:30:00Z", ["29T10:00", "30T09:00 omitted 2027-04-30T00:00:00", "30T21:00"]),
        ("0 2 * * *", "Europe/Berlin", "2027-03-27T22:30:00Z", ["28T01:00 skipped 2027-03-28T02:00:00", "29T00:00", "30T00:00"]),
        ("0 2 * * *", "Europe/Berlin", "2027-10-30T12:30:00Z", ["31T00:00 first", "01T01:00", "02T01:00"]),
        // A change of half an hour, and a missing day.
        ("15 */1 * * *", "Australia/Lord_Howe", "2027-10-02T14:50:00Z", ["02T16:15 omitted 2027-10-03T02:15:00", "02T17:15", "02T18:15"]),
        ("0 */12 * * *", "Pacific/Apia", "2011-12-29T20:30:00Z", ["29T22:00", "30T10:00 omitted 2011-12-30T00:00:00", "30T22:00"]),
    ] {
        assert_eq!(noted(expression, zone_name, from, 3), runs, "{expression} in {zone_name}");
    }
}

/// A schedule of every minute of one month: from December the newest slot lies 44,640 slots and eleven months back.
#[test]
fn the_newest_slot_is_found_without_walking_through_all_of_them() {
    let slots = Slots::new(Cron::parse("* * * 1 *").unwrap(), zone("Europe/Berlin").unwrap());
    let (begun, until) = (std::time::Instant::now(), "2027-12-15T00:00:00Z".parse().unwrap());
    for _ in 0..1000 {
        assert_eq!(slots.latest(until).map(|slot| slot.at.to_string()).as_deref(), Some("2027-01-31T22:59:00Z"));
    }
    assert!(begun.elapsed() < std::time::Duration::from_secs(20), "{:?} for a thousand looks", begun.elapsed());
}
