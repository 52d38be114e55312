//! `restore-command`: the call that restores a backup, for whoever may make it.

use clap::ValueEnum;
use jiff::Timestamp;

use super::{
    cluster::{PlaceArgs, at_cluster, object_name},
    exit::{Failure, Printed},
};
use crate::{
    api::RdsBackup,
    clock::Clock,
    kubectl::BACKUPS,
    restore::{CloneCall, Handover, Network, ONE_CLONE, Point, Target, as_cli, as_json, as_terraform, newest_before, notes, usable},
};

pub(super) const EXAMPLES: &str = "\
Examples:
  # The command for the set of one backup; the notes go to standard error, so it can be kept or piped
  rds-backup-operator restore-command before-release-42 -n team-a --vpc-id vpc-drill --vswitch-id vsw-drill

  # The newest usable backup of the same instance from before a mistake, as Terraform
  rds-backup-operator restore-command nightly-202611300200 -n team-a --to-time 2026-11-29T17:40:00Z -o terraform

  # For a program
  rds-backup-operator restore-command before-release-42 -n team-a --same-network -o json | jq .parameters

The exit code is 0 if a call is printed, 1 if the backup cannot be restored, 2 for a wrong command line, and 3 if the cluster could not be
asked. It needs get on rdsbackups, and list with --to-time.";

/// The options of `restore-command`.
#[derive(Debug, clap::Args)]
pub(super) struct RestoreArgs {
    /// The RdsBackup whose set is restored; with --to-time any backup of the instance.
    #[arg(value_name = "BACKUP", value_parser = object_name)]
    backup: String,
    /// Take the newest usable backup of the same instance and account, in the namespace, from before this moment (RFC 3339), and print the
    /// call that restores the moment itself beside it.
    #[arg(long, value_name = "TIME")]
    to_time: Option<Timestamp>,
    /// The form: the command of Alibaba Cloud's program `aliyun`, a resource of Terraform's provider `alicloud`, or the parameters as JSON.
    #[arg(short = 'o', long, value_name = "FORM", default_value = "cli")]
    output: Form,
    /// The VPC of the clone. Without it the command has a variable in its place.
    #[arg(long, value_name = "ID", requires = "vswitch_id", value_parser = cloud_id)]
    vpc_id: Option<String>,
    /// The vSwitch of the clone, in that VPC.
    #[arg(long, value_name = "ID", requires = "vpc_id", value_parser = cloud_id)]
    vswitch_id: Option<String>,
    /// Leave the network out: the clone gets the source's.
    #[arg(long, conflicts_with_all = ["vpc_id", "vswitch_id"])]
    same_network: bool,
    /// The zone of the vSwitch. [default: the source's]
    #[arg(long, value_name = "ID", value_parser = cloud_id)]
    zone_id: Option<String>,
    /// The disk of the clone, such as cloud_essd. [default: the source's; Terraform has no default, so a variable stands there]
    #[arg(long, value_name = "TYPE", value_parser = cloud_id)]
    storage_type: Option<String>,
    /// The name of the clone. The call with another name makes another clone. [default: restore-of-INSTANCE]
    #[arg(long, value_name = "NAME", value_parser = clone_name)]
    name: Option<String>,
    /// Have the service refuse to delete the clone: for one that is kept.
    #[arg(long)]
    deletion_protection: bool,
    #[command(flatten)]
    place: PlaceArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    Cli,
    Terraform,
    Json,
}

/// The call, and what to know before it is made.
pub(super) fn restore_command(args: RestoreArgs) -> Result<Printed, Failure> {
    let RestoreArgs { backup, to_time, output, vpc_id, vswitch_id, same_network, zone_id, storage_type, name, deletion_protection, place } =
        args;
    let network = match vpc_id.zip(vswitch_id) {
        Some((vpc, vswitch)) => Network::Named { vpc, vswitch },
        None if same_network => Network::OfTheSource,
        None if output == Form::Json => {
            return Err(Failure::usage("-o json has no variables: give --vpc-id and --vswitch-id, or --same-network"));
        }
        None => Network::Asked,
    };
    let now = Clock::system().now();
    if let Some(to_time) = to_time.filter(|to_time| *to_time > now) {
        return Err(Failure::usage(format!("--to-time {to_time} is in the future, it is {}", now.strftime("%Y-%m-%dT%H:%M:%SZ"))));
    }
    let target = Target { network, zone: zone_id, storage_type, name, deletion_protection };
    let set = at_cluster(&place, async |session| {
        let api = session.backups();
        let named = session.get_whole(&api, BACKUPS, &backup).await?;
        let Some(to_time) = to_time else { return usable(&named, now).map_err(Failure::not_possible) };
        let fields = format!("spec.dbInstanceId={}", named.spec.db_instance_id);
        let all = session.list(&api, BACKUPS, &fields).await?;
        // One that cannot be read is no candidate.
        let readable: Vec<&RdsBackup> = all.iter().filter_map(|object| object.0.as_deref().ok()).collect();
        newest_before(&named, readable.into_iter(), to_time, now).map_err(Failure::not_possible)
    })?;
    let mut handover = Handover {
        call: CloneCall::new(&set, Point::Set, &target),
        to_time: to_time.map(|to_time| CloneCall::new(&set, Point::Time(to_time), &target)),
        notes: notes(&set, &target, to_time, now),
        set: &set,
    };
    if output != Form::Terraform {
        handover.notes.push(ONE_CLONE.to_owned());
    }
    match output {
        Form::Terraform => Ok(Printed { text: as_terraform(&handover), notes: Vec::new() }),
        Form::Json => Ok(Printed { text: as_json(&handover).map_err(Failure::usage)?, notes: Vec::new() }),
        Form::Cli => {
            let mut notes: Vec<String> = handover.notes.iter().map(|note| format!("# {note}")).collect();
            if let Some(call) = &handover.to_time {
                notes.push("# Instead of the set, the very moment: where the instance keeps log backups back to then.".to_owned());
                notes.extend(as_cli(call).lines().map(|line| format!("#   {line}")));
            }
            Ok(Printed { text: as_cli(&handover.call), notes })
        }
    }
}

fn cloud_id(text: &str) -> Result<String, String> {
    let is_of_an_id = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let good = !text.is_empty() && text.len() <= 64 && text.chars().all(is_of_an_id);
    if good { Ok(text.to_owned()) } else { Err("an id is made of letters, digits, hyphens and underscores".to_owned()) }
}

fn clone_name(text: &str) -> Result<String, String> {
    let is_inner = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let good = (2..=64).contains(&text.len()) && text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(is_inner);
    if good {
        Ok(text.to_owned())
    } else {
        Err("the name of a clone has 2 to 64 letters, digits, hyphens and underscores, and begins with a letter".to_owned())
    }
}
