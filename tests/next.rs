//! `rds-backup-operator next`: what it prints, and what it refuses with one line and exit 2.

use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};

fn next(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rds-backup-operator")).arg("next").args(args).output().expect("it runs")
}

fn printed(args: &[&str]) -> String {
    let output = next(args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn refused(args: &[&str]) -> String {
    let output = next(args);
    let error = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{args:?}: {error}");
    assert_eq!(error.trim_end().lines().count(), 1, "{args:?}: {error}");
    error
}

fn file(text: &str) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("schedule.yaml");
    std::fs::write(&path, text).expect("a file");
    let path = path.to_str().expect("UTF-8").to_owned();
    (dir, path)
}

#[test]
fn json_has_the_instant_the_local_time_and_what_the_clocks_did() {
    let json_of = |zone: &str, from: &str, count: &str| -> Value {
        let (zone, from, count) = (format!("--time-zone={zone}"), format!("--from={from}"), format!("--count={count}"));
        serde_json::from_str(&printed(&["--schedule=30 2 * * *", &zone, &from, &count, "--output=json"])).expect("JSON")
    };
    assert_eq!(
        json_of("Europe/Berlin", "2027-03-27T00:00:00Z", "3"),
        json!([
            { "at": "2027-03-27T01:30:00Z", "local": "2027-03-27T02:30:00+01:00", "start": "2027-03-27T01:30:00Z", "note": null },
            { "at": "2027-03-28T01:00:00Z", "local": "2027-03-28T03:00:00+02:00", "start": "2027-03-28T01:00:00Z",
              "note": "the clocks skip 2027-03-28 02:30: it runs at the first instant after the gap" },
            { "at": "2027-03-29T00:30:00Z", "local": "2027-03-29T02:30:00+02:00", "start": "2027-03-29T00:30:00Z", "note": null },
        ])
    );
    assert_eq!(
        json_of("Europe/Berlin", "2027-10-30T12:00:00Z", "2"),
        json!([
            { "at": "2027-10-31T00:30:00Z", "local": "2027-10-31T02:30:00+02:00", "start": "2027-10-31T00:30:00Z",
              "note": "this local time comes twice: it runs the first time" },
            { "at": "2027-11-01T01:30:00Z", "local": "2027-11-01T02:30:00+01:00", "start": "2027-11-01T01:30:00Z", "note": null },
        ])
    );
    assert_eq!(json_of("America/New_York", "2027-03-14T00:00:00Z", "1")[0]["at"], "2027-03-14T07:00:00Z");
    assert_eq!(json_of("Etc/UTC", "2027-01-01T02:30:00Z", "1")[0]["at"], "2027-01-02T02:30:00Z", "strictly after");
}

#[test]
fn text_has_a_heading_and_a_line_for_each_run() {
    let text = printed(&["--schedule=@daily", "--from=2027-01-01T00:00:00Z", "--count=2"]);
    let lines: Vec<&str> = text.lines().collect();
    let [heading, first, second] = lines[..] else { panic!("{text}") };
    assert_eq!(heading, "@daily in Etc/UTC");
    assert!(first.starts_with("2027-01-02T00:00:00Z  Sat 2027-01-02 00:00 UTC"), "{first}");
    assert!(second.starts_with("2027-01-03T00:00:00Z"), "{second}");
}

#[test]
fn a_file_is_read_as_it_is_applied() {
    let manifest = "apiVersion: rdsbackup.io/v1alpha1\nkind: RdsBackupSchedule\nmetadata: { name: nightly, namespace: team-a }\nspec:\n  schedule: \"0 2 * * *\"\n  timeZone: Asia/Shanghai\n  suspend: true\n  template: { spec: { dbInstanceId: rm-1, method: Physical } }\n";
    let (_dir, path) = file(&format!("kind: Namespace\nmetadata: {{ name: team-a }}\n---\n{manifest}"));
    let text = printed(&["-f", &path, "--from=2027-01-01T00:00:00Z", "--count=1"]);
    assert!(
        text.starts_with("team-a/nightly: 0 2 * * * in Asia/Shanghai; suspended: none of these will run\n2027-01-01T18:00:00Z"),
        "{text}"
    );

    for (change, words) in [
        (("timeZone:", "timezone:"), "there is no field spec.timezone"),
        (("method:", "methode:"), "there is no field spec.template.spec.methode"),
        (("0 2 * * *", "0 2 * *"), "five fields"),
        (("Asia/Shanghai", "Asia/Shanghia"), "the nearest are Asia/Shanghai"),
        (("method: Physical", "databases: [a]"), "databases and strategy: db belong together"),
        (("kind: RdsBackupSchedule", "kind: RdsBackup"), "there is no RdsBackupSchedule in it"),
        (("spec:\n", "spec: [\n"), "schedule.yaml"),
    ] {
        let (_dir, path) = file(&manifest.replacen(change.0, change.1, 1));
        let error = refused(&["-f", &path]);
        assert!(error.contains(words), "{change:?}: {error}");
    }
    assert!(refused(&["-f", "nowhere.yaml"]).contains("nowhere.yaml"));
}

/// Nightly at noon and at 21:00; Monday to Friday no backup starts from nine to six, and none at all on the 9th.
#[test]
fn slots_in_a_blackout_are_printed_with_what_becomes_of_them() {
    let manifest = json!({
        "apiVersion": "rdsbackup.io/v1alpha1", "kind": "RdsBackupSchedule", "metadata": { "name": "noon", "namespace": "team-a" },
        "spec": {
            "schedule": "0 12,21 * * *", "timeZone": "Asia/Shanghai", "startingDeadline": "8h",
            "blackouts": [
                { "days": ["Mon", "Tue", "Wed", "Thu", "Fri"], "from": "09:00", "to": "18:00" },
                { "dates": { "from": "2027-01-09", "to": "2027-01-09" } },
            ],
            "template": { "spec": { "dbInstanceId": "rm-1" } },
        },
    });
    let (_dir, path) = file(&manifest.to_string());
    // 2027-01-08 is a Friday.
    let args = ["-f", &path, "--from=2027-01-08T00:00:00Z", "--count=5"];
    let expected = "team-a/noon: 0 12,21 * * * in Asia/Shanghai\n\
        2027-01-08T04:00:00Z  Fri 2027-01-08 12:00 CST  a blackout covers its start: it starts at the end, Fri 2027-01-08 18:00 CST\n\
        2027-01-08T13:00:00Z  Fri 2027-01-08 21:00 CST\n\
        2027-01-09T04:00:00Z  Sat 2027-01-09 12:00 CST  not run: a blackout covers its start until Sun 2027-01-10 00:00 CST\n\
        2027-01-09T13:00:00Z  Sat 2027-01-09 21:00 CST  a blackout covers its start: it starts at the end, Sun 2027-01-10 00:00 CST\n\
        2027-01-10T04:00:00Z  Sun 2027-01-10 12:00 CST\n";
    assert_eq!(printed(&args), expected);
    let json: Value = serde_json::from_str(&printed(&[&args[..], &["--output=json"]].concat())).expect("JSON");
    let starts: Vec<(&Value, &Value)> = json.as_array().expect("a list").iter().map(|slot| (&slot["at"], &slot["start"])).collect();
    assert_eq!(
        starts,
        [
            (&json!("2027-01-08T04:00:00Z"), &json!("2027-01-08T10:00:00Z")),
            (&json!("2027-01-08T13:00:00Z"), &json!("2027-01-08T13:00:00Z")),
            (&json!("2027-01-09T04:00:00Z"), &Value::Null),
            (&json!("2027-01-09T13:00:00Z"), &json!("2027-01-09T16:00:00Z")),
            (&json!("2027-01-10T04:00:00Z"), &json!("2027-01-10T04:00:00Z")),
        ]
    );
    assert_eq!(json[2]["note"], "not run: a blackout covers its start until Sun 2027-01-10 00:00 CST");
    // What the operator would refuse is refused here.
    for (blackouts, words) in [
        (json!([{ "from": "09:00" }]), "blackouts: window 1: from and to belong together"),
        (json!([{ "from": "00:00", "to": "24:00" }]), "blackouts: they leave no run within a year"),
        (json!([{ "weekdays": ["Mon"] }]), "there is no field spec.blackouts.weekdays"),
    ] {
        let mut wrong = manifest.clone();
        wrong["spec"]["blackouts"] = blackouts;
        let (_dir, path) = file(&wrong.to_string());
        let error = refused(&["-f", &path]);
        assert!(error.contains(words), "{error}");
    }
}

/// Whatever kubectl takes: several documents, Lists, standard input, a namespace for the objects that name none.
#[test]
fn a_file_is_read_as_kubectl_reads_it() {
    let schedule = |name: &str, namespace: &str, hour: u8| {
        json!({
            "apiVersion": "rdsbackup.io/v1alpha1", "kind": "RdsBackupSchedule", "metadata": { "name": name, "namespace": namespace },
            "spec": { "schedule": format!("0 {hour} * * *"), "template": { "spec": { "dbInstanceId": "rm-1" } } },
        })
    };
    let mut without = schedule("c", "", 4);
    without["metadata"].as_object_mut().expect("metadata").remove("namespace");
    let list =
        json!({ "apiVersion": "v1", "kind": "List", "items": [schedule("a", "x", 2), { "kind": "Namespace" }, schedule("b", "x", 3)] });
    let text = format!("just a text\n---\n{list}\n---\n{without}\n");
    let (_dir, path) = file(&text);
    let printed = printed(&["-f", &path, "-n", "team-b", "--from=2027-01-01T00:00:00Z", "--count=1"]);
    let runs = "x/a: 0 2 * * * in Etc/UTC\n2027-01-01T02:00:00Z  Fri 2027-01-01 02:00 UTC\n\n\
                x/b: 0 3 * * * in Etc/UTC\n2027-01-01T03:00:00Z  Fri 2027-01-01 03:00 UTC\n\n\
                team-b/c: 0 4 * * * in Etc/UTC\n2027-01-01T04:00:00Z  Fri 2027-01-01 04:00 UTC\n";
    assert_eq!(printed, runs);

    let mut command = Command::new(env!("CARGO_BIN_EXE_rds-backup-operator"));
    command.args(["next", "-f", "-", "--from=2027-01-01T00:00:00Z", "--count=1", "--output=json"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it runs");
    child.stdin.take().expect("standard input").write_all(text.as_bytes()).expect("it reads");
    let json: Value = serde_json::from_slice(&child.wait_with_output().expect("it ends").stdout).expect("JSON");
    let named: Vec<(&Value, &Value)> = json.as_array().expect("a list").iter().map(|run| (&run["schedule"], &run["at"])).collect();
    assert_eq!(
        named,
        [
            (&json!("x/a"), &json!("2027-01-01T02:00:00Z")),
            (&json!("x/b"), &json!("2027-01-01T03:00:00Z")),
            (&json!("default/c"), &json!("2027-01-01T04:00:00Z")),
        ]
    );
}

/// What never matches is refused without looking for it: hours of days would be walked through otherwise.
#[test]
fn what_is_refused_gets_one_line() {
    for (args, words) in [
        (vec!["--schedule=0 0 30 2 *"], "no such day exists"),
        (vec!["--schedule=0 0 31 2,4,6,9,11 *"], "no such day exists"),
        (vec!["--schedule=0 0 2 * * *"], "five fields"),
        (vec!["--schedule=TZ=Asia/Shanghai 0 2 * * *"], "timeZone"),
        (vec!["--schedule=@every 1h"], "@hourly"),
        (vec!["--schedule=0 0 L * *"], "L, W"),
        (vec!["--schedule=0 2 * * *", "--time-zone=Local"], "Local is not a time zone"),
        (vec!["--schedule=0 2 * * *", "--time-zone=Mars/Olympus"], "is not known"),
        (vec!["--schedule=0 2 * * *", "--from=tomorrow"], "2027-03-27T00:00:00Z"),
        (vec!["--schedule=0 2 * * *", "--count=0"], "--count is 1 to 10000"),
        (vec![], "give --schedule or --filename"),
    ] {
        let error = refused(&args);
        assert!(error.contains(words), "{args:?}: {error}");
    }
}

/// Only the operator reads the instance's own backup window.
#[test]
fn a_schedule_whose_starts_the_instances_own_window_may_move_has_a_note_on_stderr() {
    let manifest = |not_during: &str| {
        file(&format!(
            "{{apiVersion: rdsbackup.io/v1alpha1, kind: RdsBackupSchedule, metadata: {{name: nightly, namespace: team-a}}, \
             spec: {{schedule: '0 2 * * *', {not_during}template: {{spec: {{dbInstanceId: rm-1}}}}}}}}"
        ))
    };
    for output in ["--output=text", "--output=json"] {
        let (_dir, path) = manifest("notDuring: NativeBackupWindow, ");
        let with = next(&["--filename", &path, output]);
        let note = String::from_utf8(with.stderr).expect("UTF-8");
        assert!(with.status.success() && note.starts_with("note: team-a/nightly: notDuring: "), "{note:?}");
        assert!(note.contains("status.nextRuns") && note.trim_end().lines().count() == 1, "{note:?}");
        let (_dir, path) = manifest("");
        let without = next(&["--filename", &path, output]);
        assert_eq!((String::from_utf8_lossy(&without.stderr).as_ref(), without.stdout), ("", with.stdout));
    }
}

/// The service makes 20 backup sets of an instance a day. The warning goes to stderr, so that a program still reads only runs.
#[test]
fn more_slots_in_a_day_than_the_service_makes_backup_sets_are_warned_of_on_stderr() {
    let with = |schedule: &str, output: &str| next(&[&format!("--schedule={schedule}"), &format!("--output={output}"), "--count=2"]);
    for output in ["text", "json"] {
        let hourly = with("0 * * * *", output);
        let warning = String::from_utf8(hourly.stderr).expect("UTF-8");
        assert!(hourly.status.success() && warning.starts_with("warning: "), "{output}: {warning:?}");
        assert!(warning.contains("more than 20 slots in a day") && warning.trim_end().lines().count() == 1, "{output}: {warning:?}");
        let stdout = String::from_utf8(hourly.stdout).expect("UTF-8");
        assert!(!stdout.contains("warning"), "{output}: {stdout}");
        if output == "json" {
            let runs: Value = serde_json::from_str(&stdout).expect("JSON");
            assert!(runs.as_array().is_some_and(|runs| runs.len() == 2 && runs.iter().all(|run| run["at"].is_string())), "{runs}");
        }
        assert_eq!(String::from_utf8_lossy(&with("0 0-19 * * *", output).stderr), "", "{output}: 20 a day");
    }
    let (_dir, path) = file(
        "{apiVersion: rdsbackup.io/v1alpha1, kind: RdsBackupSchedule, metadata: {name: often, namespace: team-a}, \
         spec: {schedule: '*/30 * * * *', template: {spec: {dbInstanceId: rm-1}}}}",
    );
    let warning = String::from_utf8(next(&["--filename", &path]).stderr).expect("UTF-8");
    assert!(warning.starts_with("warning: team-a/often: "), "{warning:?}");
}
