use jiff::Timestamp;

use crate::api::Time;

/// Times in a status, and in the spec of a backup, have whole seconds.
pub(super) fn whole_second(at: Timestamp) -> Time {
    Time(Timestamp::from_second(at.as_second()).unwrap_or(at))
}
