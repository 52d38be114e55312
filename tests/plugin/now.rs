//! `now`.

use std::io::{BufRead as _, BufReader, Read as _};
use std::{path::Path, process::Stdio};

use serde_json::json;
use sha2::{Digest, Sha256};

use super::server::{PROGRAM, Server};

const PATH: &str = "/apis/rdsbackup.io/v1alpha1/namespaces/team-a/rdsbackupschedules/nightly";

#[test]
fn a_fresh_token_is_written_and_the_name_of_its_backup_printed() {
    let server = Server::new().with_schedule(
        "nightly",
        &json!({ "spec": { "trigger": "release-41" }, "status": { "observedGeneration": 1, "lastHandledTrigger": "release-41" } }),
    );
    let done = server.run(&["now", "nightly"]);
    assert_eq!((done.code, done.stderr.as_str()), (0, ""));
    let patches = server.patches();
    let [(path, change)] = patches.as_slice() else { panic!("{patches:?}") };
    let token = change["spec"]["trigger"].as_str().expect("a token");
    assert!(token.starts_with("by-hand-2") && token.len() == "by-hand-20261130-192439".len(), "{token}");
    assert_eq!((path.as_str(), change), (PATH, &json!({ "metadata": { "uid": "uid-of-nightly" }, "spec": { "trigger": token } })));
    // The rule of the documentation, computed here on its own.
    let hash: String = Sha256::digest(token).iter().take(5).map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(done.stdout, format!("rdsbackups.rdsbackup.io/nightly-m{hash}\n"));
    // Twice in a second it is another text.
    let second = server.run(&["now", "nightly"]);
    assert!(second.stderr.contains(&format!("the trigger before, {token:?}, was not handled yet")), "{second:?}");
    server.run(&["now", "nightly"]);
    let tokens: std::collections::BTreeSet<String> =
        server.patches().iter().map(|(_, change)| change["spec"]["trigger"].to_string()).collect();
    assert_eq!(tokens.len(), 3, "{tokens:?}");
}

#[test]
fn what_may_surprise_is_said() {
    let conditions = json!([{ "type": "Stalled", "status": "True", "reason": "InvalidSchedule", "message": "no such day",
        "lastTransitionTime": "2026-11-29T12:00:00Z" }]);
    let server = Server::new().with_schedule(
        "nightly",
        &json!({
            "metadata": { "labels": { "kustomize.toolkit.fluxcd.io/name": "apps" } }, "spec": { "suspend": true },
            "status": { "observedGeneration": 1, "conditions": conditions, "active": ["nightly-202611290200"] },
        }),
    );
    let done = server.run(&["now", "nightly"]);
    let notes: Vec<&str> = done.stderr.lines().collect();
    assert!(notes[0].contains("Stalled") && notes[0].contains("no such day"), "{notes:?}");
    assert!(notes[1].contains("suspended") && notes[2].contains("nightly-202611290200"), "{notes:?}");
    assert!(notes[3].contains("Flux tracks this object") && notes[3].contains("spec.trigger") && notes.len() == 4, "{notes:?}");
}

#[test]
fn it_waits_for_the_end_and_ends_as_the_backup_did() {
    for (phase, code) in [("Succeeded", 0), ("Failed", 1)] {
        let server = Server::new().with_schedule("nightly", &json!({}));
        let mut command = server.command(Path::new(PROGRAM), &["now", "nightly", "--wait", "--timeout", "1m"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
        // The name comes before the wait.
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().expect("stdout")).read_line(&mut line).expect("a line");
        let name = line.trim().split_once('/').expect("a name").1.to_owned();
        let conditions = json!([{ "type": "Ready", "status": "False", "reason": "BackupFailed", "message": "it broke",
            "lastTransitionTime": "2026-11-29T12:00:00Z" }]);
        let object = |phase: &str| {
            json!({
                "metadata": { "namespace": "team-a", "name": name, "uid": "u" }, "spec": { "dbInstanceId": "rm-orders" },
                "status": { "observedGeneration": 1, "phase": phase, "backupJobId": "17", "conditions": conditions },
            })
        };
        server.later(&name, object("Running"));
        std::thread::sleep(std::time::Duration::from_millis(3500));
        server.later(&name, object(phase));
        let status = child.wait().expect("it ends");
        let mut said = String::new();
        child.stderr.take().expect("stderr").read_to_string(&mut said).expect("UTF-8");
        assert_eq!(status.code(), Some(code), "{said}");
        assert!(said.starts_with("Running job=17\n") && said.contains(phase), "{said}");
        assert_eq!(said.contains("failed (BackupFailed): it broke"), phase == "Failed", "{said}");
    }
}

#[test]
fn without_the_right_nothing_is_printed_and_the_right_is_named() {
    let server = Server::new().with_schedule("nightly", &json!({})).forbidding("PATCH", PATH, "patch", "rdsbackupschedules");
    let done = server.run(&["now", "nightly"]);
    assert!(done.code == 3 && done.stdout.is_empty(), "{done:?}");
    assert!(
        done.stderr.contains("may not patch rdsbackupschedules.rdsbackup.io") && done.stderr.contains("rds-backup-operator-edit"),
        "{done:?}"
    );
    let answer = json!({ "kind": "Status", "reason": "Invalid", "message": "the policy says\nno", "code": 422 });
    let server = Server::new().with_schedule("nightly", &json!({})).refusing("PATCH", PATH, 422, answer);
    let done = server.run(&["now", "nightly"]);
    assert!(done.code == 1 && done.stderr.contains("refuses to change the RdsBackupSchedule \"nightly\": the policy says"), "{done:?}");
    let done = Server::new().run(&["now", "nightly"]);
    assert!(done.code == 1 && done.stderr.contains("there is no RdsBackupSchedule \"nightly\""), "{done:?}");
    assert_eq!(Server::new().run(&["now", "nightly", "--timeout", "1m"]).code, 2, "--timeout is of --wait");
    assert_eq!(Server::new().run(&["now", "nightly", "--wait", "--timeout", "soon"]).code, 2);
}
