//! One thing that happened.

use jiff::Timestamp;

/// One thing that happened, or stands now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When; none for what stands now.
    pub at: Option<Timestamp>,
    /// What, in a word or two.
    pub what: String,
    /// The rest: ids, reasons, messages.
    pub detail: String,
}

impl Line {
    /// What happened then.
    pub fn at(at: Timestamp, what: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { at: Some(at), what: what.into(), detail: detail.into() }
    }

    /// What stands now.
    pub fn now(what: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { at: None, what: what.into(), detail: detail.into() }
    }
}

/// The lines in order of time, one each, times in UTC; what stands now is last.
pub fn written(mut lines: Vec<Line>) -> String {
    // Stable: of one second, the order in which they were told.
    lines.sort_by_key(|line| line.at.map_or((true, Timestamp::MAX), |at| (false, at)));
    let width = lines.iter().map(|line| line.what.chars().count()).max().unwrap_or(0);
    let one = |line: &Line| {
        let at = line.at.map_or_else(|| format!("{:20}", "now"), |at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
        format!("{}\n", printable(format!("{at}  {:width$}  {}", line.what, line.detail).trim_end()))
    };
    lines.iter().map(one).collect()
}

/// A line break or an escape of the terminal would tell another story.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
