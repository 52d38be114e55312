//! Why a request has no answer, in a few words that never grow in number: a metric's label has room for no more.

use std::{error::Error, io};

/// Why a request has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NoAnswer {
    /// It was waited for too long.
    Timeout,
    /// Nothing listens at the address.
    Refused,
    /// The connection was closed before the answer was whole.
    Reset,
    /// Anything else: the name of the host, its certificate, the form of the answer.
    Other,
}

impl NoAnswer {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Timeout, Self::Refused, Self::Reset, Self::Other];

    /// As a label says it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::Other => "other",
        }
    }

    /// By the error and its causes: the first that says anything decides.
    pub fn of(error: &(dyn Error + 'static)) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
            if error.is::<tokio::time::error::Elapsed>() {
                return Self::Timeout;
            }
            if let Some(known) = error.downcast_ref::<io::Error>().and_then(|error| Self::of_io(error.kind())) {
                return known;
            }
            if let Some(error) = error.downcast_ref::<hyper::Error>() {
                if error.is_timeout() {
                    return Self::Timeout;
                }
                if error.is_incomplete_message() || error.is_closed() {
                    return Self::Reset;
                }
            }
            // An io::Error that wraps another error hands on the cause of that, and not the error itself.
            let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            next = wrapped.map(|wrapped| wrapped as &(dyn Error + 'static)).or_else(|| error.source());
        }
        Self::Other
    }

    fn of_io(kind: io::ErrorKind) -> Option<Self> {
        match kind {
            io::ErrorKind::TimedOut => Some(Self::Timeout),
            io::ErrorKind::ConnectionRefused => Some(Self::Refused),
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof
            | io::ErrorKind::NotConnected => Some(Self::Reset),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("wrapped")]
    struct Wrapped(#[source] io::Error);

    #[test]
    fn the_cause_decides_however_deep_it_lies() {
        for (kind, expected) in [
            (io::ErrorKind::ConnectionRefused, NoAnswer::Refused),
            (io::ErrorKind::ConnectionReset, NoAnswer::Reset),
            (io::ErrorKind::UnexpectedEof, NoAnswer::Reset),
            (io::ErrorKind::TimedOut, NoAnswer::Timeout),
            (io::ErrorKind::PermissionDenied, NoAnswer::Other),
        ] {
            assert_eq!(NoAnswer::of(&Wrapped(io::Error::from(kind))), expected, "{kind:?}");
            let twice = io::Error::other(Wrapped(io::Error::from(kind)));
            assert_eq!(NoAnswer::of(&twice), expected, "{kind:?} in an error without a kind of its own");
        }
        assert_eq!(NoAnswer::of(&io::Error::other("certificate")), NoAnswer::Other);
    }
}
