//! The time of a walk: milliseconds since its dawn.

use jiff::Timestamp;

pub type Ms = i64;

pub const SECOND: Ms = 1000;
pub const MINUTE: Ms = 60 * SECOND;
pub const HOUR: Ms = 60 * MINUTE;

/// Where time begins: at a full minute.
const DAWN: Ms = 1_800_000_000_000;

pub fn at(ms: Ms) -> Timestamp {
    Timestamp::from_millisecond(DAWN + ms).expect("within the years that there are")
}

pub fn ms(at: Timestamp) -> Ms {
    at.as_millisecond() - DAWN
}

/// `3:07:12.250`
pub fn told(ms: Ms) -> String {
    format!("{}:{:02}:{:02}.{:03}", ms / HOUR, ms / MINUTE % 60, ms / SECOND % 60, ms % SECOND)
}
