//! The command line.

mod account;
mod cluster;
mod completion;
mod coverage;
mod documents;
mod exit;
mod generate;
mod kustomization;
mod logs;
mod next;
mod now;
mod orphans;
mod output;
mod pause;
mod report;
mod restore_command;

use std::{io::Write as _, net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};

use self::exit::{Failure, NO_ANSWER, Printed};
use crate::{api, config::Config, logging, runtime};

/// Backups of Alibaba Cloud ApsaraDB RDS instances, declared in Kubernetes.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 120)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the operator. The API server is found through KUBECONFIG, or as a pod of its cluster.
    Run(RunArgs),
    /// Print the CustomResourceDefinitions as YAML, for `kubectl apply --server-side -f -`.
    Crds,
    /// Print when a schedule will run, without a cluster.
    Next(next::NextArgs),
    /// Print the newest usable backup of each schedule and instance: its age against the objective, its size, the next run, the last
    /// failure. Reads the two kinds, and calls no cloud. With --account: the instances of that account, and which of them have a schedule
    /// and a backup that is young enough.
    ///
    /// The exit code is 0 if all objectives are met, 1 if one is missed or cannot be told, 2 for a wrong command line, and 3 if the cluster
    /// or the cloud could not be asked. With --account it is 1 also if an instance has no schedule.
    Report(report::ReportArgs),
    /// Print an RdsBackupSchedule for each instance of an account, for a Git repository. The cluster is not asked: the output depends on
    /// the instances alone, so it is the same at every run until an instance comes or goes.
    ///
    /// The exit code is 2 for a wrong command line, and 3 if the cloud could not be asked.
    Generate(generate::GenerateArgs),
    /// Print the manual backup sets of an account that no RdsBackup of the cluster names, or the manifests that take them in. Nothing is
    /// written or deleted.
    ///
    /// The exit code is 2 for a wrong command line, and 3 if the cluster or the cloud could not be asked.
    Orphans(orphans::OrphansArgs),
    /// Print the call that restores a backup into a new instance (CloneDBInstance): for Alibaba Cloud's command line, Terraform or a
    /// program. Reads the RdsBackup, calls no cloud, and creates nothing.
    #[command(name = "restore-command", after_help = restore_command::EXAMPLES)]
    Restore(restore_command::RestoreArgs),
    /// Make a backup of a schedule now, by a fresh `spec.trigger`, and print its name.
    #[command(after_help = now::EXAMPLES)]
    Now(now::NowArgs),
    /// Request no new backup: for one RdsBackup, of one schedule, or in a namespace.
    #[command(after_help = pause::EXAMPLES)]
    Pause(pause::PauseArgs),
    /// Take a pause back.
    #[command(after_help = pause::EXAMPLES)]
    Resume(pause::PauseArgs),
    /// Print the story of one backup in order of time: its requests, job, set, conditions, Events, and its place in the queue.
    #[command(after_help = logs::EXAMPLES)]
    Logs(logs::LogsArgs),
    /// Print the script that completes commands and options in a shell.
    #[command(after_help = completion::EXAMPLES)]
    Completion(completion::CompletionArgs),
}

/// The options of `run`. Of an option that is given again the last one counts: the chart's `extraArgs` follow its own.
#[derive(Debug, clap::Args)]
#[command(args_override_self = true)]
struct RunArgs {
    /// The configuration file: accounts, their credentials, and the namespaces that may use them. It is read anew when it changes.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// If the configuration cannot be used, report the mistake on /readyz and wait until the file is valid, instead of ending with exit
    /// code 2. For pods, which Kubernetes would otherwise restart again and again.
    #[arg(long)]
    wait_for_config: bool,
    /// Watch only this namespace; may be given more than once. Without this option the operator watches all namespaces.
    #[arg(long = "watch-namespace", value_name = "NS")]
    watch_namespaces: Vec<String>,
    /// Work only while holding the lease, so that several replicas may run, and of several installs one works. `false` for a single replica
    /// of the cluster's only install.
    #[arg(long, value_name = "BOOL", default_value_t = true, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = clap::ArgAction::Set)]
    leader_elect: bool,
    /// The namespace of the lease. Default: kube-system, or the operator's own namespace with --watch-namespace. Only operators that name
    /// the same one stand by for each other.
    #[arg(long, value_name = "NS", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    lease_namespace: Option<String>,
    /// The address that serves /healthz, /readyz and /metrics; port 0 takes a free port. `[::]` is every address, of IPv6 and IPv4; on a
    /// node without IPv6 it is every address of IPv4.
    #[arg(long, value_name = "ADDR", default_value = "[::]:8080")]
    health_addr: SocketAddr,
    /// The format of log lines.
    #[arg(long, value_name = "FORMAT", default_value = "json")]
    log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    Json,
    Text,
}

/// Runs the command. An error goes to stderr in one line; the exit code is 2 for a wrong command line or configuration, else 1.
pub fn main() -> ExitCode {
    if plugin("kubectl_complete-").is_some() {
        let words: Vec<String> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
        return print(&completion::candidates(Cli::command(), &words));
    }
    match parse().command {
        Command::Run(args) => run(args),
        Command::Crds => match api::crds_yaml() {
            Ok(yaml) => print(&yaml),
            Err(error) => fail(1, &error.to_string()),
        },
        Command::Next(args) => end(next::next(&args).map_err(Failure::usage)),
        Command::Report(args) => match report::report(args) {
            Ok(report) => match print(&report.text) {
                ExitCode::SUCCESS => report.missed.map_or(ExitCode::SUCCESS, |missed| fail(1, &missed)),
                _ => ExitCode::from(NO_ANSWER),
            },
            Err(failure) => fail(failure.code, &failure.message),
        },
        Command::Generate(args) => end(generate::generate(args)),
        Command::Orphans(args) => end(orphans::run(args)),
        Command::Restore(args) => end(restore_command::restore_command(args)),
        Command::Now(args) => end(now::now(args)),
        Command::Pause(args) => end(pause::pause(args, true)),
        Command::Resume(args) => end(pause::pause(args, false)),
        Command::Logs(args) => end(logs::logs(args)),
        Command::Completion(args) => {
            let name = plugin("kubectl-").map_or_else(|| env!("CARGO_PKG_NAME").to_owned(), |plugin| format!("kubectl-{plugin}"));
            end(completion::completion(&args, Cli::command(), &name))
        }
    }
}

/// The names under which kubectl finds the program: for `kubectl rdsbackup`, and as krew installs it.
const PLUGINS: [&str; 2] = ["rdsbackup", "alibaba_rds_backup"];

/// The name by which the program was called, without its folder.
fn called() -> String {
    let path = std::env::args_os().next().map(PathBuf::from);
    path.as_deref().and_then(|path| path.file_stem()).map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The plugin, if the program was called as `kubectl-` and its name, or, with `kubectl_complete-`, to complete it.
fn plugin(prefix: &str) -> Option<&'static str> {
    let called = called();
    let name = called.strip_prefix(prefix)?;
    PLUGINS.into_iter().find(|plugin| *plugin == name)
}

/// The command line. As a plugin of kubectl the program's help says what a user of kubectl types.
fn parse() -> Cli {
    let command = match plugin("kubectl-") {
        // kubectl makes hyphens of the underscores of a plugin's name.
        Some(name) => as_typed(Cli::command(), &format!("kubectl {}", name.replace('_', "-"))),
        None => Cli::command(),
    };
    Cli::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit())
}

/// The same under the name that is typed, in the examples too.
fn as_typed(command: clap::Command, typed: &str) -> clap::Command {
    let examples = |command: clap::Command| {
        let help = command.get_after_help().map(|help| help.to_string().replace("rds-backup-operator ", &format!("{typed} ")));
        match help {
            Some(help) => command.after_help(help),
            None => command,
        }
    };
    command.bin_name(typed.to_owned()).mut_subcommands(examples)
}

/// Prints what a command has to say. A closed stderr takes nothing from its result.
fn end(done: Result<Printed, Failure>) -> ExitCode {
    match done {
        Ok(printed) => {
            let _ = printed.notes.iter().try_for_each(|note| writeln!(std::io::stderr().lock(), "{note}"));
            print(&printed.text)
        }
        Err(failure) => fail(failure.code, &failure.message),
    }
}

fn run(args: RunArgs) -> ExitCode {
    if !args.wait_for_config
        && let Err(error) = Config::read(&args.config)
    {
        return fail(2, &error.to_string());
    }
    log_to_stderr(args.log_format);
    let RunArgs { config, watch_namespaces, leader_elect, lease_namespace, health_addr, .. } = args;
    // Two threads: nearly all of the time is spent waiting for the network, and every thread costs memory.
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(1, &format!("the async runtime does not start: {error}")),
    };
    let work = async {
        let stop = runtime::stop_on_signal()?;
        match runtime::wait_for_config(&config, health_addr, &stop).await? {
            Some((parsed, text)) => {
                let file = runtime::ConfigFile { path: config, text };
                let options = runtime::Options { config: parsed, file, watch_namespaces, leader_elect, lease_namespace, health_addr };
                runtime::run(options, stop).await
            }
            None => Ok(()),
        }
    };
    match runtime.block_on(work) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(1, &error.to_string()),
    }
}

fn print(text: &str) -> ExitCode {
    // A reader may close the pipe early (`crds | head`); that is no error.
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => fail(1, &error.to_string()),
    }
}

/// Each line of the message says by itself where it comes from.
fn fail(code: u8, message: &str) -> ExitCode {
    let _ = message.lines().try_for_each(|line| writeln!(std::io::stderr().lock(), "rds-backup-operator: {line}"));
    ExitCode::from(code)
}

/// Logs what RUST_LOG asks for, as far as it may be written.
fn log_to_stderr(format: LogFormat) {
    use tracing_subscriber::{EnvFilter, util::SubscriberInitExt};

    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(logging::DEFAULT_FILTER));
    let format = match format {
        LogFormat::Json => logging::Format::Json,
        LogFormat::Text => logging::Format::Text,
    };
    logging::subscriber(filter, format, std::io::stderr).init();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_option_that_is_given_again_the_last_one_counts_and_namespaces_add_up() {
        let first = ["operator", "run", "--config=a", "--health-addr=0.0.0.0:8080", "--log-format=json", "--watch-namespace=a"];
        let again = [
            "--health-addr=[::1]:9090",
            "--log-format=text",
            "--config=b",
            "--leader-elect=false",
            "--leader-elect",
            "--watch-namespace=b",
        ];
        let parsed = Cli::try_parse_from(first.iter().chain(&again)).unwrap();
        let Command::Run(RunArgs { config, health_addr, log_format, watch_namespaces, leader_elect, .. }) = parsed.command else {
            panic!("another command");
        };
        assert_eq!((config, health_addr), (PathBuf::from("b"), "[::1]:9090".parse().unwrap()));
        assert_eq!((log_format, leader_elect, watch_namespaces), (LogFormat::Text, true, vec!["a".to_owned(), "b".to_owned()]));
    }
}
