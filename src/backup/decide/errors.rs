//! What the service's refusals mean for an object: its reason, who must act, how long to wait, and the message.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::compatibility;
use crate::{
    api::{LastError, Reason, Time},
    backup::{
        observation::AccountView,
        policy::{self, CHANGED_KEYS, KEY_PAUSE, RECONFIGURED_PAUSE, STALE_TOKENS, THROTTLED_PAUSE, TOKEN_PAUSE},
        spec::ValidatedSpec,
    },
    rds::{ApiError, CallError, Created, ErrorKind, Instance, Meaning},
};

/// What an error asks for.
pub(super) enum Remedy {
    /// Time: try again after this long.
    Wait(SignedDuration),
    /// Somebody: an edit or a grant.
    Stall,
    /// Nothing: it cannot become a backup.
    Fail,
}

/// Where the service was asked, and with which key.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub region: &'a str,
    /// [`AccountView::key_source`]
    pub key_source: &'a str,
}

/// An error, understood.
pub(super) struct Diagnosis {
    pub reason: Reason,
    pub remedy: Remedy,
    pub message: String,
}

/// What a code is about that the service answered earlier.
pub(super) fn kind_of(code: &str) -> ErrorKind {
    ApiError::of_code(code).kind()
}

/// The reason of a refusal.
fn reason_of(kind: ErrorKind) -> Reason {
    match kind {
        ErrorKind::InstanceNotFound => Reason::InstanceNotFound,
        ErrorKind::UnsupportedMethod | ErrorKind::UnsupportedInstance => Reason::UnsupportedMethod,
        ErrorKind::InvalidParameter => Reason::Rejected,
        ErrorKind::AccessDenied => Reason::AccessDenied,
        ErrorKind::InvalidCredentials | ErrorKind::TokenExpired => Reason::InvalidCredentials,
        ErrorKind::AccountProblem => Reason::AccountProblem,
        ErrorKind::RegionUnavailable => Reason::RegionUnavailable,
        ErrorKind::WrongEndpoint => Reason::WrongEndpoint,
        ErrorKind::DeniedByService => Reason::DeniedByService,
        ErrorKind::EncryptionKey => Reason::EncryptionKeyUnusable,
        ErrorKind::BackupJobExists => Reason::InstanceBusy,
        ErrorKind::InstanceNotReady => Reason::InstanceNotRunning,
        ErrorKind::DatabaseNotReady => Reason::DatabaseNotReady,
        ErrorKind::DailyLimit => Reason::QuotaExceeded,
        ErrorKind::Throttled => Reason::Throttled,
        ErrorKind::ClockSkew => Reason::ClockSkew,
        ErrorKind::NonceUsed | ErrorKind::ServiceFault | ErrorKind::Unrecognised => Reason::ServiceUnavailable,
    }
}

/// The reason that an RdsBackup shows when a CreateBackup is answered with an error of that meaning.
pub fn reason_when_submitted(meaning: &Meaning) -> Reason {
    match meaning.created {
        Created::Nothing => reason_of(meaning.kind),
        Created::Unknown => Reason::OutcomeUnknown,
    }
}

/// Understands a refusal of the service. `failures` counts those before it; `instance` is what the preflight saw.
fn refusal(error: &ApiError, failures: u32, valid: &ValidatedSpec, asked: Asked<'_>, instance: Option<&Instance>) -> Diagnosis {
    let Asked { region, key_source } = asked;
    let id = valid.request.instance.as_str();
    let minutes = SignedDuration::from_mins;
    let Meaning { kind, cure, .. } = error.meaning();
    let (remedy, what) = match kind {
        ErrorKind::InstanceNotFound => (Remedy::Stall, format!("the service knows no instance {id} in region {region}")),
        // The rules let the request pass, so what they would advise is what was refused: the code's own cure says what to do.
        ErrorKind::UnsupportedMethod | ErrorKind::UnsupportedInstance => (Remedy::Fail, refused(valid, instance)),
        ErrorKind::InvalidParameter => (Remedy::Fail, format!("the service refuses the request for {id}: {}", spoken(error))),
        ErrorKind::AccessDenied => {
            let call = error.action.map_or_else(|| "do this".to_owned(), |action| format!("call rds:{action}"));
            (Remedy::Stall, format!("the RAM user or role may not {call} on acs:rds:*:*:dbinstance/{id}"))
        }
        ErrorKind::InvalidCredentials => {
            (Remedy::Stall, format!("the service does not accept the account's access key, which is from {key_source}"))
        }
        ErrorKind::TokenExpired => {
            let remedy = if failures <= STALE_TOKENS { Remedy::Wait(TOKEN_PAUSE) } else { Remedy::Stall };
            (remedy, format!("the account's token, which is from {key_source}, has expired"))
        }
        ErrorKind::RegionUnavailable => (Remedy::Stall, format!("the service cannot be used in region {region}: {}", spoken(error))),
        ErrorKind::WrongEndpoint => {
            (Remedy::Stall, format!("what answers at the account's host does not take the call: {}", spoken(error)))
        }
        ErrorKind::DeniedByService => (Remedy::Stall, format!("the service does not allow the call for {id}: {}", spoken(error))),
        ErrorKind::EncryptionKey => (Remedy::Stall, format!("the KMS key that encrypts {id} cannot be used: {}", spoken(error))),
        ErrorKind::AccountProblem => (Remedy::Stall, format!("the cloud account is blocked: {}", spoken(error))),
        ErrorKind::BackupJobExists => (Remedy::Wait(policy::backoff(failures.max(2), minutes(2))), format!("another backup runs on {id}")),
        ErrorKind::InstanceNotReady => {
            (Remedy::Wait(policy::backoff(failures.max(2), minutes(5))), format!("{id} is not in a state that allows a backup"))
        }
        ErrorKind::DatabaseNotReady => (
            Remedy::Wait(policy::backoff(failures.max(2), minutes(5))),
            format!("a database of {id} that was asked for does not exist, or is not ready"),
        ),
        // The day of the limit and whether automatic sets count are not documented: an hour, growing to six.
        ErrorKind::DailyLimit => (
            Remedy::Wait(minutes((60 << failures.saturating_sub(1).min(3)).min(360))),
            format!("{id} has used up the 20 backups that the service allows per day"),
        ),
        // The account's pace is lowered for all its calls; a pause of this object's own, that grows, would only add to it.
        ErrorKind::Throttled => {
            let named = error.retry_after.and_then(|pause| SignedDuration::try_from(pause).ok());
            let pause = named.map_or(THROTTLED_PAUSE, |pause| pause.max(SignedDuration::from_secs(1)));
            (Remedy::Wait(pause), "the account makes more calls than the service allows".to_owned())
        }
        ErrorKind::ClockSkew => {
            (Remedy::Wait(policy::backoff(failures, minutes(5))), "the service says that the request's time is wrong".to_owned())
        }
        // Of a read: it made nothing, and is simply made again.
        ErrorKind::NonceUsed | ErrorKind::ServiceFault | ErrorKind::Unrecognised => {
            let message = format!("the service answered with a fault: {}. It is tried again", spoken(error));
            let remedy = Remedy::Wait(policy::backoff(failures, minutes(5)));
            return Diagnosis { reason: reason_of(kind), remedy, message: with_reference(message, error) };
        }
    };
    Diagnosis { reason: reason_of(kind), remedy, message: with_reference(format!("{what}. {cure}"), error) }
}

/// Understands a refusal of the request itself, the `attempt`th of its run. The reads before it were answered with the same credentials:
/// where those are refused, they were changed within seconds, and the new ones are read for the next attempt.
pub(super) fn refused_request(
    error: &ApiError,
    attempt: u32,
    valid: &ValidatedSpec,
    asked: Asked<'_>,
    instance: Option<&Instance>,
) -> Diagnosis {
    let trouble = refusal(error, attempt, valid, asked, instance);
    match error.kind() {
        ErrorKind::InvalidCredentials if attempt <= CHANGED_KEYS => Diagnosis { remedy: Remedy::Wait(KEY_PAUSE), ..trouble },
        // Unlike a read, each attempt costs three writes of the status.
        ErrorKind::Throttled => Diagnosis { remedy: Remedy::Wait(policy::backoff(attempt, SignedDuration::from_mins(5))), ..trouble },
        _ => trouble,
    }
}

/// The service's own message, to stand within a sentence.
pub(super) fn spoken(error: &ApiError) -> &str {
    match error.message.trim_end_matches(['.', ' ']) {
        "" => &error.code,
        message => message,
    }
}

/// Understands why something could not be read.
pub(super) fn unread(error: &CallError, failures: u32, valid: &ValidatedSpec, account: &AccountView) -> Diagnosis {
    let asked = Asked { region: &account.region_id, key_source: &account.key_source };
    match error {
        CallError::Api(error) => match refusal(error, failures, valid, asked, None) {
            // A refused read proves nothing about the backup: the operator tries again, and the object does not end.
            Diagnosis { remedy: Remedy::Fail, reason: _, message } => {
                Diagnosis { reason: Reason::Rejected, remedy: Remedy::Stall, message }
            }
            trouble => trouble,
        },
        CallError::Paused { wait } => paused(*wait),
        CallError::Withdrawn => Diagnosis {
            reason: Reason::ServiceUnavailable,
            remedy: Remedy::Wait(RECONFIGURED_PAUSE),
            message: "the operator's configuration changed while the service was asked; it is asked again".to_owned(),
        },
        CallError::Unusable { why } => unusable(why, failures, asked.key_source),
        CallError::NoInstance => Diagnosis {
            reason: Reason::InstanceNotFound,
            remedy: Remedy::Stall,
            message: format!(
                "the service knows no instance {} in region {region}: it answered with an empty list. Check dbInstanceId and regionId, and \
                 that the account owns the instance",
                valid.request.instance,
                region = asked.region
            ),
        },
        CallError::NotSent { why } => unavailable(
            failures,
            format!("the service cannot be reached ({why}); it is tried again. Check the network and the account's endpoint"),
        ),
        CallError::Lost { why } => unavailable(
            failures,
            format!("the service gave no answer that can be used ({why}); it is tried again. Check the account's endpoint if it stays"),
        ),
    }
}

/// Understands that no request can carry the credentials. A token that has ended may be replaced within a minute.
pub(super) fn unusable(why: &str, failures: u32, key_source: &str) -> Diagnosis {
    let remedy = if failures <= STALE_TOKENS { Remedy::Wait(TOKEN_PAUSE) } else { Remedy::Stall };
    let message = format!("the account's access key, which is from {key_source}, cannot be used: {why}. Correct or renew it there");
    Diagnosis { reason: Reason::InvalidCredentials, remedy, message }
}

/// Understands that the account's pace allows no call now.
pub(super) fn paused(wait: Duration) -> Diagnosis {
    let wait = SignedDuration::try_from(wait).unwrap_or(THROTTLED_PAUSE).max(SignedDuration::from_secs(1));
    let message =
        "the account's calls are paused: it made more than the service, or its limits in the configuration, allow. It is tried again \
                   when the pause is over"
            .to_owned();
    Diagnosis { reason: Reason::Throttled, remedy: Remedy::Wait(wait), message }
}

fn unavailable(failures: u32, message: String) -> Diagnosis {
    Diagnosis { reason: Reason::ServiceUnavailable, remedy: Remedy::Wait(policy::backoff(failures, SignedDuration::from_mins(2))), message }
}

/// What the instance is, where that is known, and what was refused.
fn refused(valid: &ValidatedSpec, instance: Option<&Instance>) -> String {
    let (id, wanted) = (&valid.request.instance, compatibility::wanted(&valid.request));
    match instance {
        Some(instance) => format!("{id} is {}: the service refuses {wanted} there", compatibility::kind(instance)),
        None => format!("the service refuses {wanted} for {id}"),
    }
}

/// The message for an answer to the request itself that does not say whether a backup was made.
pub(super) fn proves_nothing(error: &ApiError) -> String {
    let answered = format!("the service answered with an error that may hide a backup: {}. {}", spoken(error), error.meaning().cure);
    with_reference(answered, error)
}

/// Adds what the service's support asks for.
fn with_reference(text: String, error: &ApiError) -> String {
    match &error.request_id {
        Some(request) => format!("{text} ({}, request {request})", error.code),
        None => format!("{text} ({})", error.code),
    }
}

/// The error as the status keeps it.
pub(super) fn last_error(error: &ApiError, now: Timestamp) -> LastError {
    LastError {
        code: error.code.chars().take(128).collect(),
        message: error.message.chars().take(512).collect(),
        request_id: error.request_id.as_ref().map(|id| id.chars().take(64).collect()),
        at: Time(now),
    }
}
