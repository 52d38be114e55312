//! `rds-backup-operator report` where there is no cluster to ask: one line, and an exit code that no monitor takes for a missed objective.
//! What it says of a cluster is tested in `tests/e2e/report.rs`.

use std::{
    io::{Read, Write},
    path::Path,
    process::{Command, Output},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_rds-backup-operator");

fn report(program: &Path, args: &[&str], kubeconfig: Option<&Path>) -> Output {
    let mut command = Command::new(program);
    command.arg("report").args(args).env_clear().env("HOME", "/nowhere");
    if let Some(kubeconfig) = kubeconfig {
        command.env("KUBECONFIG", kubeconfig);
    }
    command.output().expect("it runs")
}

/// The exit code and the only line on stderr.
fn refused(args: &[&str], kubeconfig: Option<&Path>) -> (i32, String) {
    let output = report(Path::new(PROGRAM), args, kubeconfig);
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(output.stdout.is_empty(), "{args:?}");
    assert_eq!(said.lines().count(), 1, "{args:?}: {said}");
    (output.status.code().expect("a code"), said)
}

/// A kubeconfig for a port of this machine on which no server listens.
fn kubeconfig(dir: &Path) -> std::path::PathBuf {
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address").port();
    let path = dir.join("config");
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: here\nclusters: [{{ name: c, cluster: {{ server: 'http://127.0.0.1:{port}' }} }}]\n\
         users: [{{ name: u, user: {{ token: hidden-token }} }}]\ncontexts: [{{ name: here, context: {{ cluster: c, user: u }} }}]\n"
    );
    std::fs::write(&path, text).expect("a file");
    path
}

#[test]
fn without_a_cluster_it_ends_with_3_and_says_what_to_do() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = kubeconfig(dir.path());
    let shown = path.display().to_string();
    for (args, kubeconfig, wanted) in [
        (&[][..], None, "Set KUBECONFIG or --kubeconfig, or run it in a pod"),
        (&["--kubeconfig=/nowhere/config"], None, "Set KUBECONFIG or --kubeconfig, or run it in a pod"),
        (&["--context=elsewhere"], Some(path.as_path()), "elsewhere. `kubectl config get-contexts` lists the contexts for --context"),
        (&["--context=elsewhere", "--kubeconfig", &shown], None, "elsewhere. `kubectl config get-contexts` lists"),
        (&["-A"], Some(path.as_path()), "Connection refused"),
        (&["-A", "--context=here"], Some(path.as_path()), "try `kubectl cluster-info`"),
    ] {
        let (code, said) = refused(args, kubeconfig);
        assert!(code == 3 && said.contains(wanted) && !said.contains("hidden-token"), "{args:?}: {code}, {said}");
    }
}

/// A kubeconfig whose credentials come from this shell script, with a secret in its environment.
fn kubeconfig_of_a_program(dir: &Path, script: &str) -> std::path::PathBuf {
    let path = kubeconfig(dir);
    let text = std::fs::read_to_string(&path).expect("its text");
    let exec = format!(
        "exec: {{ apiVersion: client.authentication.k8s.io/v1, command: /bin/sh, args: ['-c', '{script}'], interactiveMode: Never, \
         env: [{{ name: SECRET, value: hidden-value }}] }}"
    );
    std::fs::write(&path, text.replace("token: hidden-token", &exec)).expect("a file");
    path
}

#[test]
fn nothing_that_the_program_for_credentials_knows_or_prints_is_shown() {
    let dir = tempfile::tempdir().expect("a directory");
    for (script, wanted) in [
        ("echo hidden-token; echo hidden-noise >&2; exit 7", "the program for the credentials ended with exit status: 7"),
        ("echo \"hidden-token: [hidden-token\"", "the program for the credentials printed no ExecCredential"),
    ] {
        let (code, said) = refused(&["-A"], Some(&kubeconfig_of_a_program(dir.path(), script)));
        assert!(code == 3 && said.contains(wanted) && !said.contains("hidden"), "{script}: {code}, {said}");
    }
}

#[test]
fn an_api_server_that_is_overloaded_is_told_as_that_and_at_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let server = listener.local_addr().expect("its address");
    std::thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let _ = connection.read(&mut [0; 4096]);
            let body = r#"{"kind":"Status","apiVersion":"v1","status":"Failure","message":"apiserver is shutting down","code":503}"#;
            let head = "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nconnection: close";
            let _ = write!(connection, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        }
    });
    let path = kubeconfig(dir.path());
    let text = std::fs::read_to_string(&path).expect("its text");
    let (before, rest) = text.split_once("http://").expect("an address");
    let (_, after) = rest.split_once('\'').expect("its end");
    std::fs::write(&path, format!("{before}http://{server}'{after}")).expect("a file");
    let (code, said) = refused(&["-A"], Some(&path));
    assert!(code == 3 && said.contains("it answers 503, apiserver is shutting down"), "{code}, {said}");
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    for args in
        [&["-n", "a", "-A"][..], &["--output=yaml"], &["-n", ""], &["-n", "a/b"], &["team-a"], &["--tag", "a=b"], &["--config", "/nowhere"]]
    {
        let output = report(Path::new(PROGRAM), args, None);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
    }
}

#[test]
fn as_a_plugin_its_help_says_what_is_typed() {
    let dir = tempfile::tempdir().expect("a directory");
    let plugin = dir.path().join("kubectl-rdsbackup");
    std::os::unix::fs::symlink(PROGRAM, &plugin).expect("a link");
    let usage = |program: &Path| String::from_utf8(report(program, &["--help"], None).stdout).expect("UTF-8");
    assert!(usage(&plugin).contains("Usage: kubectl rdsbackup report [OPTIONS]"), "{}", usage(&plugin));
    assert!(usage(Path::new(PROGRAM)).contains("Usage: rds-backup-operator report [OPTIONS]"));
}
