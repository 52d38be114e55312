//! The command line, as clap prints it.

use std::fmt::Write as _;

use clap::CommandFactory as _;
use rds_backup_operator::cli::Cli;

const AFTER: &str = "\
## Exit codes

0: the command is done, or the operator was stopped by a signal. 1: the command cannot go on. 2: the command line or the configuration is wrong,
or `next` refuses the schedule. An error is one line on standard error.

`report`: 0: all objectives are met. 1: one is missed, or cannot be told. 2: the command line is wrong. 3: the cluster could not be asked, or
with `--account` the cloud. See [guides/report.md](../guides/report.md) and [guides/coverage.md](../guides/coverage.md).

`generate` and `orphans`: 0: printed, also if it is nothing. 1: the output or a file could not be written. 2: the command line is wrong, for
`generate` also a schedule that the operator would refuse. 3: the cloud or the cluster could not be asked.

`restore-command`, `now`, `pause`, `resume`, `logs`: 0: done. 1: the cluster answered, and it is not what was wanted: no such object, a backup that
cannot be restored, a change that is refused, and with `now --wait` a backup that did not succeed. 2: the command line is wrong. 3: the cluster could
not be asked. See [guides/kubectl-plugin.md](../guides/kubectl-plugin.md) and [guides/restore.md](../guides/restore.md).

## Environment

| Variable | Meaning |
|---|---|
| `KUBECONFIG` | The kubeconfig of the API server that `run`, `report`, `orphans` and the commands of the kubectl plugin use, and every command for an access key in a Secret. Default: `~/.kube/config` if it exists, else the cluster that the pod runs in. |
| `RUST_LOG` | The filter of log lines, in the syntax of tracing-subscriber's EnvFilter. Default: `warn,rds_backup_operator=info`. Of libraries nothing below `info` is written, whatever it says. |
| `ALIBABA_CLOUD_ACCESS_KEY_ID`, `ALIBABA_CLOUD_ACCESS_KEY_SECRET`, `ALIBABA_CLOUD_SECURITY_TOKEN` | The access key of accounts with `credentials: { type: Auto }`; see [configuration.md](configuration.md). |
| `ALIBABA_CLOUD_CONFIG_FILE`, `ALIBABA_CLOUD_CREDENTIALS_FILE`, `ALIBABA_CLOUD_PROFILE`, `ALIBABA_CLOUD_CLI_PROFILE_DISABLED`, `HOME` | The files with profiles that such accounts look for, and which profile; see [guides/accounts.md](../guides/accounts.md#profiles-auto). |
| `ALIBABA_CLOUD_ROLE_ARN`, `ALIBABA_CLOUD_OIDC_PROVIDER_ARN`, `ALIBABA_CLOUD_OIDC_TOKEN_FILE`, `ALIBABA_CLOUD_ROLE_SESSION_NAME` | RRSA: set by the webhook of ACK, or by the chart. |
| `ALIBABA_CLOUD_STS_ENDPOINT`, `ALIBABA_CLOUD_STS_REGION`, `ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED` | Where STS is, unless the account has `stsEndpoint`; set by the webhook of ACK. |
| `ALIBABA_CLOUD_ECS_METADATA`, `ALIBABA_CLOUD_ECS_METADATA_DISABLED`, `ALIBABA_CLOUD_IMDSV1_DISABLED` | The role of the node for accounts of type `EcsRamRole`; `true` forbids the metadata service, or its version 1. |
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
