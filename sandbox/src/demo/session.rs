//! One run of the demo, from its first line to its last.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::mpsc;

use crate::plane::{Kubectl, KubectlError};
use crate::rds::{Quirks, Settings};
use crate::world::cli::WorldArgs;
use crate::world::{LogFormat, Operator, StartOperator, World, WorldOptions};

use super::board::{Board, Verdict, change_line, refusal};
use super::error::DemoError;
use super::observation::Observation;
use super::samples::{Sample, Samples};
use super::screen::Screen;

/// How long all samples may take. The slowest waits 20 s for its instance, so they take about 35 s; compilers beside them may double that.
const LIMIT: Duration = Duration::from_secs(180);

/// How long the operator may take to become ready.
const READY: Duration = Duration::from_secs(60);

/// Every event of every `RdsBackup`, beginning with those that are there.
const WATCH: &str = "/apis/rdsbackup.io/v1alpha1/rdsbackups?watch=1";

/// Whether every sample ended as expected.
pub(super) async fn run(args: &WorldArgs) -> Result<bool, DemoError> {
    // Before anything is built: a broken sample should not cost minutes.
    let samples = Samples::read(&args.repository()?.join("deploy").join("samples"))?;
    let settings = Settings {
        job_time: Duration::from_secs(2),
        job_spread: Duration::from_secs(4),
        lag: Duration::from_secs(3),
        quirks: Quirks { numeric_ids: true, process125: true, ..Quirks::default() },
        ..Settings::sandbox()
    };
    let mut world = World::start(WorldOptions { settings: args.dialect(settings), ..args.prepare().await? }).await?;
    let mut operator =
        world.start_operator(StartOperator { log_format: LogFormat::Text, leader_elect: true, ..StartOperator::default() })?;
    operator.wait_ready(READY).await?;
    eprintln!("the operator is ready");

    let mut screen = Screen::stdout();
    let board = show(&mut world, &mut operator, &samples, &mut screen).await?;
    let (as_expected, summary) = conclude(&world, &operator, &board, &mut screen).await?;
    operator.stop().await?;
    world.stop().await;
    screen.line("")?;
    screen.line(&summary)?;
    Ok(as_expected)
}

/// Applies the samples and shows their changes, until all have ended or the time is up.
async fn show(world: &mut World, operator: &mut Operator, samples: &Samples, screen: &mut Screen) -> Result<Board, DemoError> {
    let kubectl = world.kubectl();
    kubectl.run(&["apply", "--server-side", "--filename", &samples.namespace.display().to_string()]).await?;
    let mut board = Board::new(&samples.backups);
    let table_width = screen.table_width(samples.backups.len() + 1);
    let began = Instant::now();
    let (refused, mut refusals) = mpsc::unbounded_channel();
    let mut applying = std::pin::pin!(apply(&kubectl, &samples.backups, refused));
    let mut applied = false;
    let mut watch = kubectl.stream(&["get", "--raw", WATCH])?;
    let mut ends_of_watch = 0;
    let mut redraw = tokio::time::interval(Duration::from_millis(250));
    while began.elapsed() < LIMIT && !(applied && matches!(board.verdict(), Verdict::Ended { .. })) {
        tokio::select! {
            ended = &mut applying, if !applied => {
                ended?;
                applied = true;
            }
            Some((sample, message)) = refusals.recv() => {
                screen.line(&format!("{:>6.1}s  {:<36}  refused by the API server: {message}", began.elapsed().as_secs_f64(), sample.name))?;
                board.refused(&sample.name, &message);
            }
            line = watch.line() => match line {
                Some(line) => {
                    if let Some(news) = event(&line).and_then(|seen| board.update(seen)) && table_width.is_none() {
                        screen.line(&change_line(began.elapsed(), news))?;
                    }
                }
                // The server ends a watch now and then; it begins again with all there is.
                None => {
                    ends_of_watch += 1;
                    if ends_of_watch > 10 {
                        return Err(DemoError::Watch(ends_of_watch));
                    }
                    tokio::time::sleep(Duration::from_millis(500)).await;
                    watch = kubectl.stream(&["get", "--raw", WATCH])?;
                }
            },
            _ = redraw.tick() => {}
            error = operator.broken() => return Err(error.into()),
            error = world.plane.broken() => return Err(error.into()),
        }
        if let Some(width) = table_width {
            screen.draw(&board.table(began.elapsed(), width))?;
        }
    }
    screen.leave();
    Ok(board)
}

/// Applies the samples one by one, and reports those that the API server refuses.
async fn apply(kubectl: &Kubectl, samples: &[Sample], refused: mpsc::UnboundedSender<(Sample, String)>) -> Result<(), KubectlError> {
    for sample in samples {
        match kubectl.run(&["apply", "--server-side", "--filename", &sample.file.display().to_string()]).await {
            Ok(_) => {}
            // Any other failure is not a refusal of the manifest.
            Err(error) if error.stderr().contains("is invalid") => {
                let _ = refused.send((sample.clone(), refusal(error.stderr())));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// An event of the watch: `{"type": "MODIFIED", "object": {...}}`.
fn event(line: &str) -> Option<Observation> {
    let event: Value = serde_json::from_str(line).ok()?;
    Observation::read(&event["object"])
}

/// Prints the result. Returns whether that is what was expected, and the last line.
async fn conclude(world: &World, operator: &Operator, board: &Board, screen: &mut Screen) -> Result<(bool, String), DemoError> {
    screen.line("\n$ kubectl get rdsbackups --all-namespaces --output wide")?;
    screen.line(world.kubectl().run(&["get", "rdsbackups", "--all-namespaces", "--output", "wide"]).await?.trim_end())?;
    screen.line("\n$ kubectl get rdsbackupschedules --all-namespaces")?;
    screen.line(world.kubectl().run(&["get", "rdsbackupschedules", "--all-namespaces"]).await?.trim_end())?;
    screen.line("")?;
    for failed in board.failed() {
        screen.line(&format!("{} is Failed ({}): {}", failed.name, failed.reason, failed.message))?;
    }
    let ledger = world.rds.ledger();
    let accepted: Vec<&str> = ledger.iter().map(|entry| entry.job_id.as_str()).collect();
    screen.line(&format!("ledger: {} CreateBackup accepted for {} backups", accepted.len(), board.jobs().len()))?;
    let mut wrong = board.against_ledger(&accepted);
    let summary = board.summary(wrong.is_empty());
    match board.verdict() {
        Verdict::Open(open) => wrong.extend(open.iter().map(|open| format!("after {} s: {open}", LIMIT.as_secs()))),
        Verdict::Ended { wrong: ended } => wrong.extend(ended),
    }
    wrong.iter().try_for_each(|wrong| screen.line(wrong))?;
    let as_expected = wrong.is_empty();
    match as_expected {
        true => screen.line("next: cargo sandbox up    the same world, left running, with a kubeconfig")?,
        false => screen.line(&format!("the end of the operator's log (all of it with --keep):\n{}", operator.log_tail()))?,
    }
    Ok((as_expected, summary))
}
