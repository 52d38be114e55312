//! Every phase, condition and reason, from `src/api/`.

use std::fmt::Write as _;

use rds_backup_operator::api::{ConditionType, Phase, Reason, ReasonGroup, ScheduleCondition};

use super::cell;

const INTRO: &str = "\
# Phases, conditions and reasons

Tools read conditions. `Ready`, `Reconciling` and `Stalled` follow kstatus, which Flux and other tools evaluate
([how Flux and Argo CD read them](../explain/kstatus.md)). `Reconciling` and `Stalled` are present only while they are True. A new object has
`status.observedGeneration: -1`, so that no tool takes it for done before the operator has seen it. Every condition carries the
`observedGeneration` of the spec that it describes. The reason of `Ready` says why, its message what to do.

| kstatus | Meaning for a gate |
|---|---|
| InProgress | Wait: the operator works on the object, or has not seen it yet |
| Current | Done |
| Failed | Stop waiting. If the table says \"recovers\", the object goes on by itself after a person has acted |

";

pub fn page() -> String {
    let mut out = String::from(INTRO);
    out.push_str("## RdsBackup\n\n| Phase | Ready | Reconciling | Stalled | kstatus | Meaning |\n|---|---|---|---|---|---|\n");
    out.push_str("| (not seen) | | | | InProgress | `observedGeneration` is -1 |\n");
    for phase in Phase::ALL {
        let _ = writeln!(out, "| `{}` | {} |", phase.as_str(), phase_row(phase));
    }
    out.push_str("\n| Condition | Meaning |\n|---|---|\n");
    for condition in ConditionType::ALL {
        let _ = writeln!(out, "| `{}` | {} |", condition.as_str(), cell(condition.explanation()));
    }
    out.push_str("\n## RdsBackupSchedule\n\n| Condition | Meaning | True | False | Unknown | Absent |\n|---|---|---|---|---|---|\n");
    for condition in ScheduleCondition::ALL {
        let _ = writeln!(out, "| `{}` | {} | {} |", condition.as_str(), cell(condition.explanation()), schedule_row(*condition));
    }
    out.push_str(
        "\nkstatus: Current while `Ready` is True, InProgress while `Reconciling` is True, Failed while `Stalled` is True. A failed backup changes \
         none of the three.\n",
    );
    out.push_str(
        "\n## Reasons\n\nThe reasons of conditions, of `status.queue` and of [events](events.md). The list is closed. \
         The reason for each error code of the service is in [errors.md](errors.md).\n",
    );
    for group in ReasonGroup::ALL {
        let _ = write!(out, "\n### {}\n\n{}\n\n", group.title(), group.about());
        out.push_str("| Reason | Conditions | Event | Meaning, and what to do |\n|---|---|---|---|\n");
        for reason in Reason::ALL.iter().filter(|reason| reason.group() == *group) {
            let id = reason.as_str().to_lowercase();
            let _ = writeln!(
                out,
                "| <a id=\"{id}\"></a>`{reason}` | {} | {} | {} |",
                reason.conditions().join(", "),
                events(*reason),
                cell(reason.explanation())
            );
        }
    }
    out
}

fn events(reason: Reason) -> String {
    let mut types: Vec<&str> = reason.events().iter().map(|rule| if rule.warning { "Warning" } else { "Normal" }).collect();
    types.dedup();
    types.join(", ")
}

/// The columns Ready, Reconciling, Stalled, kstatus and Meaning.
fn phase_row(phase: Phase) -> &'static str {
    match phase {
        Phase::Pending => {
            "False | | True | Failed, recovers | It needs a permission, or an edit of the configuration; the operator checks again every 5 minutes until `queueTimeout`"
        }
        Phase::Queued => "False | True | | InProgress | It waits for time to pass or for another object; `queue` says why and since when",
        Phase::Submitting => "False | True | | InProgress | The request is being sent",
        Phase::Resolving => {
            "False | True, or Stalled | True, or Reconciling | InProgress, or Failed, recovers | The answer was lost; the operator finds out whether the request made a backup"
        }
        Phase::Running => {
            "False | True, or Stalled | True, or Reconciling | InProgress, or Failed, recovers | The service makes the backup; Stalled: the operator cannot read the job"
        }
        Phase::Finalizing => {
            "False | True, or Stalled | True, or Reconciling | InProgress, or Failed, recovers | The job is over; its set is not confirmed yet"
        }
        Phase::Succeeded => "True | | | Current | The end: the backup set exists and is usable",
        Phase::Failed => "False | | True | Failed | The end: no usable backup set, and no run left",
    }
}

/// The columns True, False, Unknown and Absent.
fn schedule_row(condition: ScheduleCondition) -> &'static str {
    match condition {
        ScheduleCondition::Ready => "valid and armed, or suspended | see `Stalled` and `Reconciling` | | not seen yet",
        ScheduleCondition::Stalled => "a person must act | | | all is well",
        ScheduleCondition::Reconciling => {
            "a backup that is due could not be created for a minute; the operator tries again | | | all is well"
        }
        ScheduleCondition::LastBackupSucceeded => "the newest backup that ended succeeded | it failed | | no backup has ended",
        ScheduleCondition::Fresh => {
            "a young enough backup exists | no such backup exists | none could exist yet, or the schedule is invalid | not seen yet"
        }
        ScheduleCondition::Suspended => "`suspend` is true | | | `suspend` is false",
        ScheduleCondition::CleanupBlocked => {
            "the API server refuses to delete an object beyond the history limits | | | all of them may be deleted"
        }
        ScheduleCondition::BackupStalled => {
            "a backup of the schedule that waits or runs is `Stalled`; the reason is that of the backup | | | no such backup"
        }
        ScheduleCondition::Retention => {
            "the rules of `retention` are kept; the message says what is deleted | a backup that is to be removed cannot be, or nothing is known of the sets | | no `retention`"
        }
        ScheduleCondition::Plausible => {
            " | the newest set is less than half as large as those before it | | the newest set is as large as usual, or there are fewer than two before it"
        }
        ScheduleCondition::NativeWindowKnown => {
            "the instance's backup policy was read | it cannot be read: the message says why, and which window is in use | | no `notDuring`, or not asked yet"
        }
        ScheduleCondition::TooFrequent => "the schedule is valid, and a day has more than 20 slots | | | no day has so many",
    }
}
