//! Where a time of day lies that the clocks skip or show twice.

use jiff::{
    Timestamp,
    civil::DateTime,
    tz::{AmbiguousOffset, Offset, TimeZone},
};

/// The first instant at which the clocks have reached the local time: the end of the gap if they skip it, the first of two.
pub fn first_instant(zone: &TimeZone, local: DateTime) -> Option<Timestamp> {
    match zone.to_ambiguous_timestamp(local).offset() {
        AmbiguousOffset::Unambiguous { offset } | AmbiguousOffset::Fold { before: offset, .. } => offset.to_timestamp(local).ok(),
        AmbiguousOffset::Gap { before, after } => end_of_gap(zone, local, before, after),
    }
}

/// The last instant at which the clocks reach the local time: the end of the gap if they skip it, the second of two.
pub fn last_instant(zone: &TimeZone, local: DateTime) -> Option<Timestamp> {
    match zone.to_ambiguous_timestamp(local).offset() {
        AmbiguousOffset::Unambiguous { offset } | AmbiguousOffset::Fold { after: offset, .. } => offset.to_timestamp(local).ok(),
        AmbiguousOffset::Gap { before, after } => end_of_gap(zone, local, before, after),
    }
}

/// The first instant after the gap in which the local time lies.
pub(super) fn end_of_gap(zone: &TimeZone, local: DateTime, before: Offset, after: Offset) -> Option<Timestamp> {
    // The change lies between the two readings of a time that it skips.
    let mut changes = zone.following(after.to_timestamp(local).ok()?);
    changes.find(|change| change.offset() != before).map(|change| change.timestamp())
}
