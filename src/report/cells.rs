//! How every table and every CSV writes a cell.

use jiff::{SignedDuration, Timestamp};

use crate::api::Span;

/// What stands for what is unknown, or does not apply.
const NOTHING: &str = "-";

/// The lines, each column as wide as its widest cell: a name is never cut. The last line ends with a line break.
pub fn aligned<const COLUMNS: usize>(lines: &[[String; COLUMNS]]) -> String {
    let mut widths = [0; COLUMNS];
    for line in lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    let written = |line: &[String; COLUMNS]| {
        let padded: Vec<String> = line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        format!("{}\n", padded.join("   ").trim_end())
    };
    lines.iter().map(written).collect()
}

/// A cell of a table.
pub fn cell(text: Option<impl AsRef<str>>) -> String {
    let text = text.map(|text| printable(text.as_ref())).unwrap_or_default();
    if text.is_empty() { NOTHING.to_owned() } else { text }
}

/// A line break or an escape of the terminal would make another table of it.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// How long ago that was.
pub fn since(at: Timestamp, now: Timestamp) -> String {
    length(now.duration_since(at).as_secs())
}

/// As specs have it, so that an age compares with its `maxAge` at a glance; without seconds from an hour on.
pub fn length(seconds: i64) -> String {
    Span::for_people(SignedDuration::from_secs(seconds)).to_string()
}

/// The rows as CSV, under a header.
///
/// # Errors
/// The library's, which has none for a buffer in memory.
pub fn csv_text<const COLUMNS: usize>(
    header: [&str; COLUMNS],
    rows: impl Iterator<Item = [String; COLUMNS]>,
) -> Result<String, ::csv::Error> {
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    writer.write_record(header)?;
    for row in rows {
        writer.write_record(row)?;
    }
    writer.flush()?;
    let bytes = writer.into_inner().map_err(|error| error.into_error())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A number, a time or a truth value: ours, so that a spreadsheet reads it as what it is.
pub fn csv_value<T: ToString>(value: Option<T>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// A text that somebody else may have written. A spreadsheet runs a cell that begins like a formula, also one in quotes; behind an
/// apostrophe it is text. Quotes, commas and line breaks are the library's.
pub fn csv_words(text: Option<&String>) -> String {
    let text = text.map(String::as_str).unwrap_or_default();
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    if is_formula { format!("'{text}") } else { text.to_owned() }
}
