//! Where there is no cluster to ask, or it does not answer as one: one line, and an exit code that is not that of a missing object.

use std::path::Path;

use serde_json::json;

use super::server::{PROGRAM, Server, ended};

const COMMANDS: [&[&str]; 4] = [&["restore-command", "b"], &["now", "s"], &["pause", "ns"], &["logs", "b"]];

#[test]
fn without_a_cluster_each_command_ends_with_3_and_says_what_to_do() {
    let server = Server::new();
    for command in COMMANDS {
        for (args, variable, wanted) in [
            (&[][..], "", "Set KUBECONFIG or --kubeconfig, or run it in a pod"),
            (&["--kubeconfig", "/nowhere/config"], "", "Set KUBECONFIG or --kubeconfig, or run it in a pod"),
            (&["--context", "elsewhere"], "kept", "`kubectl config get-contexts` lists the contexts"),
        ] {
            let mut process = server.command(Path::new(PROGRAM), &[command, args].concat());
            if variable.is_empty() {
                process.env_remove("KUBECONFIG");
            }
            let done = ended(process.output().expect("it runs"));
            assert!(done.code == 3 && done.stdout.is_empty() && done.stderr.contains(wanted), "{command:?} {args:?}: {done:?}");
            assert_eq!(done.stderr.lines().count(), 1, "{command:?} {args:?}: {done:?}");
        }
    }
    assert!(server.requests().is_empty());
}

#[test]
fn an_api_server_that_refuses_the_user_or_is_overloaded_is_told_as_that_and_asked_once() {
    let status = |code: u16, message: &str| json!({ "kind": "Status", "status": "Failure", "message": message, "code": code });
    for (code, wanted) in [(401, "does not accept the credentials: log in again"), (503, "it answers 503, not now")] {
        for command in COMMANDS {
            let server = Server::new().refusing("GET", "/", code, status(code, "not now"));
            let done = server.run(command);
            assert!(done.code == 3 && done.stdout.is_empty() && done.stderr.contains(wanted), "{command:?}: {done:?}");
            assert_eq!(server.requests().len(), 1, "{command:?}");
        }
    }
}
