//! Child processes that end when this process ends, however it ends.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::{self, PipeWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Pid;
use tokio::process::{Child, Command};

/// A shell script that ends a program when this process ends, without unsafe code.
///
/// The shell leaves a watcher behind, which reads from a pipe that only we can write to, and then becomes the program itself: so the
/// program has the pid and the exit status that we see, without a process in between. When we end, even by `kill -9`, the kernel closes our
/// side of the pipe, `read` fails, and the watcher kills the program (`$$` stays the program's pid in the subshell). When the program ends
/// first we write a word, so that the watcher ends and never signals a pid that may by then be that of another process.
const LEASH: &str = r#"exec 3<&0 </dev/null
{ trap "" HUP INT TERM; read -r word <&3 || kill -KILL $$; } >/dev/null 2>&1 &
exec "$@" 3<&-"#;

/// The signals that can be sent to a supervised process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Ends it, with time to finish (SIGTERM).
    Term,
    /// Ends it at once (SIGKILL).
    Kill,
    /// Stops it (SIGSTOP): the process keeps its connections and does not answer.
    Stop,
    /// Continues it after [`Signal::Stop`] (SIGCONT).
    Cont,
}

/// A running program that ends at the latest when we do.
///
/// It has a process group of its own, so that Ctrl-C reaches only us and we can stop things in order; an environment of exactly what it was
/// given, so that a developer's cloud credentials or proxies never reach it; no standard input; and its output in a file. Dropping it kills
/// it.
#[derive(Debug)]
pub struct Supervised {
    name: String,
    pid: u32,
    log: PathBuf,
    child: Child,
    leash: Option<PipeWriter>,
}

impl Supervised {
    /// Starts `program`, a path and not a name to look up, and appends all it prints to `log_file`. Needs a tokio runtime around it.
    pub fn spawn<A, K, V>(
        name: &str,
        program: &Path,
        args: impl IntoIterator<Item = A>,
        envs: impl IntoIterator<Item = (K, V)>,
        log_file: &Path,
    ) -> io::Result<Self>
    where
        A: AsRef<OsStr>,
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        // The shell would report a missing program only as exit code 127, after we said that it started.
        let program = program.canonicalize().map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", program.display())))?;
        let log = OpenOptions::new().create(true).append(true).mode(0o600).open(log_file)?;
        let (watched, leash) = io::pipe()?;
        let child = Command::new("/bin/sh")
            .args(["-c", LEASH, name])
            .arg(&program)
            .args(args)
            .env_clear()
            .envs(envs)
            .stdin(Stdio::from(watched))
            .stdout(Stdio::from(log.try_clone()?))
            .stderr(Stdio::from(log))
            .process_group(0)
            .spawn()?;
        let pid = child.id().ok_or_else(|| io::Error::other(format!("{name} ended before it began")))?;
        Ok(Self { name: name.to_owned(), pid, log: log_file.to_owned(), child, leash: Some(leash) })
    }

    /// The name it was started under.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The pid of the program itself; of an ended one, the pid that it had.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The file that holds its output.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Sends a signal. An error if the program has ended: its pid may be another process's by now.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        let signal = match signal {
            Signal::Term => rustix::process::Signal::TERM,
            Signal::Kill => rustix::process::Signal::KILL,
            Signal::Stop => rustix::process::Signal::STOP,
            Signal::Cont => rustix::process::Signal::CONT,
        };
        // `id` is None once the exit status was collected; until then the kernel keeps the pid for us, as a zombie at worst.
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("{} has ended", self.name)))?;
        Ok(rustix::process::kill_process(pid, signal)?)
    }

    /// Waits until it ends by itself. Put a timeout around it.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await?;
        self.let_go();
        Ok(status)
    }

    /// How it ended, if it has.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        let status = self.child.try_wait()?;
        if status.is_some() {
            self.let_go();
        }
        Ok(status)
    }

    /// Asks it to end, and kills it if it has not done so within `grace`. An ended process stays as it ended.
    pub async fn stop(&mut self, grace: Duration) -> io::Result<ExitStatus> {
        if let Some(status) = self.try_wait()? {
            return Ok(status);
        }
        self.signal(Signal::Term)?;
        match tokio::time::timeout(grace, self.wait()).await {
            Ok(status) => status,
            Err(_) => {
                self.signal(Signal::Kill)?;
                self.wait().await
            }
        }
    }

    /// The last lines of its output, for an error message.
    pub fn log_tail(&self) -> String {
        log_tail(&self.log)
    }

    fn let_go(&mut self) {
        if let Some(mut leash) = self.leash.take() {
            // Fails only if the watcher is gone already, which is what we want.
            let _ = leash.write_all(b"ended\n");
        }
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        // Killing takes a millisecond or two. Waiting for it means that nothing still writes into a directory that is about to be removed.
        let began = Instant::now();
        while let Ok(None) = self.try_wait() {
            let _ = self.signal(Signal::Kill);
            if began.elapsed() > Duration::from_secs(2) {
                break;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        self.let_go();
    }
}

/// The last 20 lines of a log: enough to show why a component ended, and few enough to stay on the screen.
pub(super) fn log_tail(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    const NO_ENVIRONMENT: [(&str, &str); 0] = [];

    fn shell(dir: &Path, script: &str) -> Supervised {
        let args = ["-c", script];
        Supervised::spawn("test", Path::new("/bin/sh"), args, [("GIVEN", "yes")], &dir.join("log")).expect("sh starts")
    }

    async fn log_says(process: &Supervised, what: &str) {
        let said = async {
            while !process.log_tail().contains(what) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), said).await.expect("the log says it");
    }

    #[tokio::test]
    async fn the_program_has_the_pid_the_exit_status_and_only_the_environment_it_was_given() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut process = shell(dir.path(), "echo $$; env; exit 7");
        let status = tokio::time::timeout(Duration::from_secs(10), process.wait()).await.expect("in time").expect("a status");
        assert_eq!(status.code(), Some(7));
        let printed = process.log_tail();
        assert_eq!(printed.lines().next(), Some(process.pid().to_string().as_str()));
        assert!(printed.contains("GIVEN=yes") && !printed.contains("HOME="), "{printed}");
    }

    #[tokio::test]
    async fn a_process_that_ignores_the_request_to_end_is_killed_after_its_grace() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut stubborn = shell(dir.path(), "trap '' TERM; echo ready; while :; do sleep 0.05; done");
        log_says(&stubborn, "ready").await;
        let status = stubborn.stop(Duration::from_millis(200)).await.expect("a status");
        assert_eq!(status.signal(), Some(9));
    }

    #[tokio::test]
    async fn a_process_that_ends_when_asked_is_not_killed() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut polite = shell(dir.path(), "trap 'exit 3' TERM; echo ready; while :; do sleep 0.05; done");
        log_says(&polite, "ready").await;
        let status = polite.stop(Duration::from_secs(10)).await.expect("a status");
        assert_eq!(status.code(), Some(3));
        assert!(polite.signal(Signal::Kill).is_err(), "an ended process is never signalled: its pid may be another process's");
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let missing = dir.path().join("nowhere");
        let error = Supervised::spawn("test", &missing, [""], NO_ENVIRONMENT, &dir.path().join("log")).expect_err("no program");
        assert!(error.kind() == io::ErrorKind::NotFound && error.to_string().contains("nowhere"), "{error}");
    }
}
