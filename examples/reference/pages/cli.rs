//! The command line, as clap prints it.

use std::fmt::Write as _;

use clap::CommandFactory as _;
use rds_backup_operator::cli::Cli;

const AFTER: &str = "\
## Exit codes

0: the command is done, or the operator was stopped by a signal. 1: the command cannot go on. 2: the command line or the configuration is wrong,
or `next` refuses the schedule. An error is one line on standard error.

`report`: 0: all objectives are met. 1: one is missed, or cannot be told. 2: the command line is wrong. 3: the cluster could not be asked. See
[guides/report.md](../guides/report.md).

## Environment

| Variable | Meaning |
|---|---|
| `KUBECONFIG` | The kubeconfig of the API server that `run` and `report` use. Default: `~/.kube/config` if it exists, else the cluster that the pod runs in. |
| `RUST_LOG` | The filter of log lines, in the syntax of tracing-subscriber's EnvFilter. Default: `warn,rds_backup_operator=info`. Of libraries nothing below `info` is written, whatever it says. |
| `ALIBABA_CLOUD_ACCESS_KEY_ID`, `ALIBABA_CLOUD_ACCESS_KEY_SECRET`, `ALIBABA_CLOUD_SECURITY_TOKEN` | The access key of accounts with `credentials: { type: Auto }`; see [configuration.md](configuration.md). |
";

pub fn page() -> String {
    let mut out = String::from("# Command line\n\n");
    let mut program = Cli::command().name("rds-backup-operator");
    program.build();
    help(&mut out, "rds-backup-operator", program.clone());
    for command in program.get_subcommands().filter(|command| command.get_name() != "help") {
        help(&mut out, &format!("rds-backup-operator {}", command.get_name()), command.clone());
    }
    out + AFTER
}

fn help(out: &mut String, name: &str, mut command: clap::Command) {
    // Trailing blanks are an editor's to remove, and the drift check's to miss.
    let text: Vec<String> = command.render_long_help().to_string().lines().map(|line| line.trim_end().to_owned()).collect();
    let _ = write!(out, "## {name}\n\n```text\n{}\n```\n\n", text.join("\n").trim_end());
}
