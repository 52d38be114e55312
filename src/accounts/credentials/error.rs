use jiff::SignedDuration;

use crate::api::Reason;

/// Why there are no credentials. No variant holds any part of them.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The Secret does not exist yet.
    #[error(
        "the Secret {name} with the account's access key does not exist in namespace {namespace}. Create it with the keys accessKeyId and accessKeySecret; the operator looks for it every minute"
    )]
    Missing {
        /// Its namespace.
        namespace: String,
        /// The Secret's name.
        name: String,
    },
    /// The Secret exists, and one of its keys cannot be used.
    #[error(
        "the Secret {name} in namespace {namespace} has no usable key {key}: it is missing, empty, or has a blank or a line break in it. Give it the keys accessKeyId and accessKeySecret, and securityToken for temporary keys"
    )]
    Incomplete {
        /// Its namespace.
        namespace: String,
        /// The Secret's name.
        name: String,
        /// The key that is missing, empty or no part of an access key.
        key: &'static str,
    },
    /// The environment has no such variable.
    #[error("the operator's environment has no {0}. Set it, or give the account credentials of type Secret")]
    NotInEnvironment(&'static str),
    /// A variable holds what no access key has.
    #[error(
        "{0} in the operator's environment has a blank, a line break or another character in it that no access key has. Correct it and restart the operator"
    )]
    UnusableInEnvironment(&'static str),
    /// The operator may not read the Secret.
    #[error("the operator may not read the Secret {name} in namespace {namespace}. Grant its ServiceAccount get on that Secret")]
    Forbidden {
        /// Its namespace.
        namespace: String,
        /// The Secret's name.
        name: String,
    },
    /// The API server did not answer, or answered with an error.
    #[error("the API server cannot hand out the Secret {name} in namespace {namespace} now: {why}. The operator tries again")]
    Unreadable {
        /// Its namespace.
        namespace: String,
        /// The Secret's name.
        name: String,
        /// Why.
        why: String,
        /// When to try again: the longer it lasts, the later.
        again_in: SignedDuration,
    },
    /// A source of temporary keys gives none.
    #[error(transparent)]
    NotGiven(Box<NotGiven>),
}

/// Why a source of temporary keys gives none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct NotGiven {
    reason: Reason,
    /// Which source was tried, what became of it, and what to check.
    why: String,
    /// When to ask again, if that passes and needs no change by a user.
    again_in: Option<SignedDuration>,
    /// The pause that the service asks for. The refresher makes none that is shorter.
    asked: Option<SignedDuration>,
}

/// When an object asks again that waits for what passes by itself. It is looked at before, as soon as there is a key.
const PASSES: SignedDuration = SignedDuration::from_secs(30);

impl NotGiven {
    /// Somebody has to change something.
    pub(super) fn new(reason: Reason, why: String) -> Self {
        Self { reason, why, again_in: None, asked: None }
    }

    /// It passes by itself.
    pub(super) fn passing(reason: Reason, why: String) -> Self {
        Self { reason, why, again_in: Some(PASSES), asked: None }
    }

    /// It lacks a key for the same reason as the source below it.
    pub(super) fn because_of(below: &CredentialsError, why: String) -> Self {
        Self { reason: below.reason(), why, again_in: below.again_in(), asked: below.asked_pause() }
    }

    /// It passes by itself, and the service wants a pause: this one, if it named it.
    pub(super) fn passing_in(reason: Reason, why: String, pause: Option<SignedDuration>) -> Self {
        let pause = Some(pause.map_or(PASSES, |pause| pause.max(SignedDuration::from_secs(1))));
        Self { reason, why, again_in: pause, asked: pause }
    }
}

impl From<NotGiven> for CredentialsError {
    fn from(error: NotGiven) -> Self {
        Self::NotGiven(Box::new(error))
    }
}

impl CredentialsError {
    /// The reason that the object shows.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Missing { .. } => Reason::CredentialsNotFound,
            Self::Incomplete { .. } | Self::NotInEnvironment(_) | Self::UnusableInEnvironment(_) => Reason::InvalidCredentials,
            Self::Forbidden { .. } => Reason::AccessDenied,
            Self::Unreadable { .. } => Reason::CredentialsNotFound,
            Self::NotGiven(error) => error.reason,
        }
    }

    /// The same, with another sentence. Only a source of temporary keys has more to say.
    pub(super) fn and(self, sentence: &str) -> Self {
        match self {
            Self::NotGiven(mut error) => {
                error.why = format!("{}. {sentence}", error.why);
                Self::NotGiven(error)
            }
            other => other,
        }
    }

    /// Whether it says nothing of the key: the API server does not hand it out now.
    pub(in crate::accounts) fn says_nothing_of_the_key(&self) -> bool {
        matches!(self, Self::Unreadable { .. })
    }

    /// The pause that the service asks for.
    pub(super) fn asked_pause(&self) -> Option<SignedDuration> {
        match self {
            Self::NotGiven(error) => error.asked,
            _ => None,
        }
    }

    /// When to read again, if that passes and needs no change by a user.
    pub fn again_in(&self) -> Option<SignedDuration> {
        match self {
            Self::Unreadable { again_in, .. } => Some(*again_in),
            Self::NotGiven(error) => error.again_in,
            Self::Missing { .. }
            | Self::Incomplete { .. }
            | Self::NotInEnvironment(_)
            | Self::UnusableInEnvironment(_)
            | Self::Forbidden { .. } => None,
        }
    }
}
