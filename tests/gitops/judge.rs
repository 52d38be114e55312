//! The judge: a Go program, since the libraries that decide in Flux and in Argo CD are Go.

use std::{
    path::{Path, PathBuf},
    process::Output,
};

use serde_json::Value;
use tokio::process::Command;

use super::stage::Stage;

pub struct Judge {
    program: PathBuf,
    _dir: tempfile::TempDir,
}

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/gitops/judge");

impl Judge {
    /// Builds it, and runs its own tests.
    pub async fn build() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let program = dir.path().join("judge");
        go(&["build", "-o", &program.display().to_string(), "."]).await;
        go(&["vet", "."]).await;
        go(&["test", "-count=1", "."]).await;
        Self { program, _dir: dir }
    }

    /// Prints the table, fails on every difference, and answers the patches of the actions.
    pub async fn verdicts(&self, stage: &Stage) -> Vec<Value> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut command = Command::new(&self.program);
        command.arg("verdicts").arg("-configmap").arg(stage.config_map()).arg("-scripts").arg(root.join("deploy/argocd"));
        command
            .arg("-recordings")
            .arg(stage.recordings())
            .arg("-history")
            .arg(stage.history())
            .arg("-expected")
            .arg(root.join("tests/gitops/expected.tsv"));
        command.arg("-patches").arg(stage.patches());
        let output = command.kill_on_drop(true).output().await.expect("the judge runs");
        println!("{}", String::from_utf8_lossy(&output.stdout));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let files = std::fs::read_dir(stage.patches()).expect("a directory");
        let read = |file: std::fs::DirEntry| serde_json::from_slice(&std::fs::read(file.path()).expect("a patch")).expect("JSON");
        files.map(|file| read(file.expect("a file"))).collect()
    }
}

async fn go(args: &[&str]) {
    let mut command = Command::new("go");
    command.args(args).current_dir(SOURCE).kill_on_drop(true);
    command.env("GOTOOLCHAIN", "local").env("CGO_ENABLED", "0").env("GOFLAGS", "-mod=readonly -buildvcs=false").env("GOWORK", "off");
    let output = command.output().await;
    let Output { status, stdout, stderr } = output.unwrap_or_else(|error| {
        panic!("go cannot be run ({error}): what judges here is a Go program. Install Go 1.26 or newer and put it into PATH");
    });
    let printed = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "go {}: {status}\n{printed}", args.join(" "));
}
