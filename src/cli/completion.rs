//! `completion`: what a shell offers after the Tab key, also through kubectl.

use clap::{Arg, Command, ValueHint};

use super::exit::{Failure, Printed};

pub(super) const EXAMPLES: &str = "\
Examples:
  rds-backup-operator completion bash > /etc/bash_completion.d/rds-backup-operator
  rds-backup-operator completion zsh > \"${fpath[1]}/_rds-backup-operator\"
  rds-backup-operator completion fish > ~/.config/fish/completions/rds-backup-operator.fish

For `kubectl rdsbackup`, kubectl asks the program kubectl_complete-rdsbackup, which is this one under that name:
  ln -s \"$(command -v kubectl-rdsbackup)\" ~/.local/bin/kubectl_complete-rdsbackup";

/// The options of `completion`.
#[derive(Debug, clap::Args)]
pub(super) struct CompletionArgs {
    /// The shell.
    #[arg(value_name = "SHELL")]
    shell: clap_complete::Shell,
}

/// The script, for a program of that name.
pub(super) fn completion(args: &CompletionArgs, mut command: Command, name: &str) -> Result<Printed, Failure> {
    let is_bash = args.shell == clap_complete::Shell::Bash;
    // clap_complete 4.6.12 writes a hyphen in the program's name in two ways into the script for bash, so that it completes nothing after
    // the first word. The name itself stands in no other lines than those that register the script.
    let plain = if is_bash { name.replace('-', "_") } else { name.to_owned() };
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, plain.clone(), &mut script);
    let script = String::from_utf8(script).map_err(|error| Failure::not_possible(error.to_string()))?;
    let registers = |line: &str| is_bash && line.trim_start().starts_with("complete ") && line.ends_with(&plain);
    let named = |line: &str| match line.strip_suffix(&plain) {
        Some(rest) if registers(line) => format!("{rest}{name}\n"),
        _ => format!("{line}\n"),
    };
    Ok(Printed { text: script.lines().map(named).collect(), notes: Vec::new() })
}

/// What kubectl reads from `kubectl_complete-rdsbackup`: candidates, one a line, and cobra's directive after a colon. The last word is the
/// one that is being typed.
pub(super) fn candidates(mut command: Command, words: &[String]) -> String {
    command.build();
    let (typed, before) = words.split_last().map_or(("", [].as_slice()), |(last, before)| (last.as_str(), before));
    let chosen = before.iter().find_map(|word| command.find_subcommand(word));
    let place = chosen.unwrap_or(&command);
    // No files are offered, unless a file is what the option takes.
    let (no_files, files) = (":4", ":0");
    if let Some(option) = before.last().and_then(|word| option_of(place, word)).filter(|option| option.get_action().takes_values()) {
        let values: Vec<String> = option.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
        let is_path = matches!(option.get_value_hint(), ValueHint::AnyPath | ValueHint::FilePath)
            || option.get_value_names().is_some_and(|names| names.iter().any(|name| name.as_str() == "FILE"));
        return answer(values, typed, if is_path { files } else { no_files });
    }
    let subcommands = place.get_subcommands().filter(|command| !command.is_hide_set()).map(|command| command.get_name().to_owned());
    let options = place.get_arguments().filter_map(Arg::get_long).map(|long| format!("--{long}"));
    let values = place.get_positionals().flat_map(Arg::get_possible_values).map(|value| value.get_name().to_owned());
    let all = subcommands.chain(values).chain(options.filter(|_| typed.starts_with('-'))).collect();
    answer(all, typed, no_files)
}

/// The option that a word names.
fn option_of<'a>(command: &'a Command, word: &str) -> Option<&'a Arg> {
    let named = |arg: &&Arg| match word.strip_prefix("--") {
        Some(long) => arg.get_long() == Some(long),
        None => arg.get_short().is_some_and(|short| word == format!("-{short}")),
    };
    command.get_arguments().find(named)
}

fn answer(candidates: Vec<String>, typed: &str, directive: &str) -> String {
    let fitting = candidates.into_iter().filter(|candidate| candidate.starts_with(typed));
    fitting.chain([directive.to_owned()]).map(|line| line + "\n").collect()
}
