//! DescribeBackups page by page. If a listing is cut short, a backup seems not to exist, and the operator makes a second one. So a listing
//! is complete, or it is an error.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use super::{
    call::{PageSize, SetQuery},
    ids::BackupId,
    model::SetList,
    wire::SetPage,
};
use crate::time::SaturatingTime;

/// 10,000 sets with the largest pages: more than 20 a day for a year.
pub(super) const MOST_PAGES: usize = 100;

/// The same limit for sets: a service that ignores the page size must not fill the memory.
const MOST_SETS: usize = 10_000;

/// The pages that have been read so far.
pub(super) struct Listing {
    list: SetList,
    /// Rows of a full page.
    full: usize,
    ids: HashSet<BackupId>,
    total: Option<usize>,
    rows: usize,
    pages: usize,
}

impl Listing {
    /// Nothing has been read.
    pub fn new(page_size: PageSize) -> Self {
        Self { list: SetList::default(), full: page_size.rows(), ids: HashSet::new(), total: None, rows: 0, pages: 0 }
    }

    /// Takes the next page, and returns whether it was the last.
    ///
    /// # Errors
    /// The listing may miss sets. The error says why.
    pub fn take(&mut self, page: SetPage) -> Result<bool, String> {
        let SetPage { sets, total, snapshot_bytes } = page;
        self.pages += 1;
        let rows = sets.len();
        self.rows += rows;
        if self.rows > MOST_SETS {
            return Err(format!("the listing has more than {MOST_SETS} sets"));
        }
        // Rows move from page to page when a set is added or removed in between, and one of them may slip through.
        if self.pages > 1 && total != self.total {
            return Err("the listing changed while it was read".to_owned());
        }
        self.total = total;
        self.list.snapshot_bytes = self.list.snapshot_bytes.or(snapshot_bytes);
        // One page may name a set twice. If two pages name it, rows have moved, or the service ignores the page number.
        if sets.iter().any(|set| self.ids.contains(&set.backup_id)) {
            return Err(format!("page {} of the listing repeats earlier ones", self.pages));
        }
        for set in sets {
            if self.ids.insert(set.backup_id.clone()) {
                self.list.sets.push(set);
            }
        }
        // The service may answer with smaller pages than asked for, so a short page is the last one only if the total agrees.
        let last = match total {
            Some(total) => self.rows >= total && (rows < self.full || self.rows == total),
            None => rows < self.full,
        };
        if !last && rows == 0 {
            return Err(format!("the listing ends after {} of {} sets", self.rows, total.unwrap_or_default()));
        }
        Ok(last)
    }

    pub fn into_list(self) -> SetList {
        self.list
    }
}

/// `StartTime` and `EndTime`, if the query has them. The service takes whole minutes, and refuses an end that is not after the start.
pub(super) fn window(query: &SetQuery, now: Timestamp) -> Vec<(&'static str, String)> {
    let from = query.from.map(|from| minute(from, false));
    let to = query.to.or_else(|| from.is_some().then(|| now.plus(SignedDuration::from_hours(1)))).map(|to| minute(to, true));
    let to = to.map(|to| from.map_or(to, |from| to.max(from.plus(SignedDuration::from_mins(1)))));
    let text = |time: Timestamp| time.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%MZ").to_string();
    [("StartTime", from), ("EndTime", to)].into_iter().filter_map(|(name, time)| Some((name, text(time?)))).collect()
}

/// The whole minute before or, with `up`, after. The first and the last instant of time stay as they are.
fn minute(time: Timestamp, up: bool) -> Timestamp {
    let mut second = time.as_second() - time.as_second().rem_euclid(60);
    let is_whole = time.as_second() == second && time.subsec_nanosecond() == 0;
    if up && !is_whole {
        second += 60;
    }
    Timestamp::from_second(second).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rds::{BackupSet, InstanceId};

    fn page(ids: std::ops::Range<usize>, total: Option<usize>) -> SetPage {
        let set = |id: usize| BackupSet::new(BackupId::new(id.to_string()));
        SetPage { sets: ids.map(set).collect(), total, snapshot_bytes: None }
    }

    /// The number of sets in these pages, or the error; `None` if more pages are expected.
    fn read(pages: Vec<SetPage>) -> Option<Result<usize, String>> {
        let mut listing = Listing::new(PageSize::Hundred);
        for page in pages {
            match listing.take(page) {
                Ok(true) => return Some(Ok(listing.into_list().sets.len())),
                Ok(false) => {}
                Err(wrong) => return Some(Err(wrong)),
            }
        }
        None
    }

    #[test]
    fn a_listing_ends_where_its_total_says() {
        for (pages, sets) in [
            (vec![page(0..0, Some(0))], 0),
            (vec![page(0..3, Some(3))], 3),
            (vec![page(0..100, Some(100))], 100),
            (vec![page(0..100, Some(150)), page(100..150, Some(150))], 150),
            // The service answers with pages of 30.
            (vec![page(0..30, Some(70)), page(30..60, Some(70)), page(60..70, Some(70))], 70),
            (vec![page(0..3, None)], 3),
            (vec![page(0..100, None), page(100..110, None)], 110),
            // A total that is too small does not end a full page.
            (vec![page(0..100, Some(30)), page(100..120, Some(30))], 120),
        ] {
            assert_eq!(read(pages), Some(Ok(sets)));
        }
    }

    #[test]
    fn a_listing_that_may_miss_sets_is_an_error() {
        for (pages, words) in [
            (vec![page(0..100, Some(150)), page(0..100, Some(150))], "page 2 of the listing repeats"),
            (vec![page(0..30, Some(70)), page(0..0, Some(70))], "after 30 of 70"),
            (vec![page(0..0, Some(5))], "after 0 of 5"),
            (vec![page(0..100, None), page(0..100, None)], "repeats"),
            (vec![page(0..100, Some(150)), page(101..150, Some(149))], "changed"),
            (vec![page(0..100, Some(150)), page(99..150, Some(151))], "changed"),
            (vec![page(0..10_001, None)], "more than 10000"),
            (vec![page(0..9_950, Some(20_000)), page(9_950..10_050, Some(20_000))], "more than 10000"),
            // One set was added and one removed.
            (vec![page(0..100, Some(150)), page(99..149, Some(150))], "repeats"),
        ] {
            let found = read(pages);
            assert!(found.clone().is_some_and(|found| found.is_err_and(|wrong| wrong.contains(words))), "{words}: {found:?}");
        }
        assert_eq!(read(vec![page(0..100, Some(150))]), None, "it goes on");
        assert_eq!(read(vec![page(0..30, Some(70))]), None, "it goes on although the page is short");
    }

    #[test]
    fn windows_have_whole_minutes_and_lose_nothing() {
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        for (from, to, start, end) in [
            (Some("2026-01-02T03:04:59.9Z"), Some("2026-01-02T03:06:00Z"), Some("2026-01-02T03:04Z"), Some("2026-01-02T03:06Z")),
            (Some("2026-01-02T03:04:00Z"), Some("2026-01-02T03:06:00.001Z"), Some("2026-01-02T03:04Z"), Some("2026-01-02T03:07Z")),
            (Some("2026-01-02T03:04:00Z"), Some("2026-01-02T03:04:00Z"), Some("2026-01-02T03:04Z"), Some("2026-01-02T03:05Z")),
            (Some("2026-01-02T03:04:05Z"), None, Some("2026-01-02T03:04Z"), Some("2026-01-02T11:01Z")),
            (None, Some("2026-12-31T23:59:59Z"), None, Some("2027-01-01T00:00Z")),
            (None, None, None, None),
        ] {
            let query = SetQuery { from: from.map(time), to: to.map(time), ..SetQuery::of(InstanceId::new("rm-1")) };
            let expected: Vec<_> =
                [("StartTime", start), ("EndTime", end)].into_iter().filter_map(|(name, text)| Some((name, text?.to_owned()))).collect();
            assert_eq!(window(&query, time("2026-01-02T10:00:30Z")), expected);
        }
    }
}
