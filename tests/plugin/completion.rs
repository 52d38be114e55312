//! `completion`, and what kubectl asks for.

use std::path::Path;

use super::server::{PROGRAM, Server, called, ended};

#[test]
fn every_shell_gets_a_script_that_names_the_commands() {
    let server = Server::new();
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let done = server.run(&["completion", shell]);
        assert!(
            done.code == 0 && done.stdout.contains("restore-command") && done.stdout.contains("rds-backup-operator"),
            "{shell}: {done:?}"
        );
    }
    assert_eq!(server.run(&["completion", "csh"]).code, 2);
}

#[test]
fn the_script_for_bash_completes_in_bash() {
    let server = Server::new();
    let script = server.run(&["completion", "bash"]).stdout;
    // The function that the script registered, asked as bash asks it.
    let asks = "COMP_WORDS=(rds-backup-operator restore-command --vs); COMP_CWORD=2; set -- $(complete -p rds-backup-operator)
        while [ \"$1\" != -F ]; do shift; done; \"$2\" rds-backup-operator --vs restore-command; echo ${COMPREPLY[@]}";
    let output = server.command(Path::new("/bin/bash"), &["-c", &format!("{script}\n{asks}")]).output().expect("bash");
    assert_eq!(String::from_utf8(output.stdout).expect("UTF-8").trim(), "--vswitch-id", "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn kubectl_gets_candidates_and_a_directive() {
    let server = Server::new();
    let dir = tempfile::tempdir().expect("a directory");
    let completer = called(dir.path(), "kubectl_complete-rdsbackup");
    for (words, wanted) in [
        (&["re"][..], "report\nrestore-command\nresume\n:4\n"),
        (&["restore-command", "b", "--o"], "--output\n:4\n"),
        (&["restore-command", "b", "-o", "t"], "terraform\n:4\n"),
        (&["restore-command", "--output", ""], "cli\nterraform\njson\n:4\n"),
        (&["logs", "--kubeconfig", ""], ":0\n"),
        (&["completion", "f"], "fish\n:4\n"),
        (&["logs", ""], ":4\n"),
        (&["no-such-command", "--ver"], "--version\n:4\n"),
    ] {
        let done = ended(server.command(&completer, words).output().expect("it runs"));
        assert_eq!((done.code, done.stdout.as_str()), (0, wanted), "{words:?}: {done:?}");
    }
    assert!(server.requests().is_empty());
}

#[test]
fn the_help_of_each_command_has_examples_and_its_rights() {
    let server = Server::new();
    let dir = tempfile::tempdir().expect("a directory");
    let plugin = called(dir.path(), "kubectl-rdsbackup");
    for command in ["restore-command", "now", "pause", "resume", "logs"] {
        let done = ended(server.command(Path::new(PROGRAM), &[command, "--help"]).output().expect("it runs"));
        assert!(
            done.stdout.contains("Examples:") && done.stdout.contains("It needs") && done.stdout.contains("exit code"),
            "{command}: {done:?}"
        );
        let done = ended(server.command(&plugin, &[command, "--help"]).output().expect("it runs"));
        assert!(done.stdout.contains(&format!("Usage: kubectl rdsbackup {command}")), "{command}: {done:?}");
    }
    let script = ended(server.command(&plugin, &["completion", "bash"]).output().expect("it runs")).stdout;
    let registered = script.lines().filter(|line| line.trim().starts_with("complete -F"));
    assert!(registered.clone().count() > 0 && registered.clone().all(|line| line.ends_with(" kubectl-rdsbackup")), "{script}");
}
