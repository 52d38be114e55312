use std::fmt;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A window of a schedule's time zone in which it starts no backup. One that begins before the window goes on in it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.days) || has(self.dates) || has(self.from) || has(self.to)")
    .message("write days, dates, or from and to: a window without any of them would never end"))]
#[x_kube(validation = Rule::new("has(self.from) == has(self.to)")
    .message("from and to belong together: write both, or neither for whole days"))]
#[x_kube(validation = Rule::new("!has(self.from) || !has(self.to) || self.from != self.to")
    .message("from and to are the same time: write another time, or remove both for whole days"))]
pub struct Blackout {
    /// The days of the week on which the window begins. Default: every day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 7))]
    pub days: Vec<Weekday>,

    /// The dates on which the window begins. With `days`, only those of these dates that are one of the days. Default: every date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "BlackoutDates")]
    pub dates: Option<BlackoutDates>,

    /// The time of day at which the window begins, `"00:00"` to `"23:59"`, in quotes. Default, without `to`: whole days. A time that the
    /// clocks skip is the first instant after the gap; of one that comes twice it is the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 5))]
    #[x_kube(validation = Rule::new("self.matches('^([01][0-9]|2[0-3]):[0-5][0-9]$')").message("write a time of day like \"09:00\", 00:00 to 23:59"))]
    pub from: Option<String>,

    /// The time of day at which the window has ended, up to `"24:00"`, the end of the day: a backup may start at it. One that is not after
    /// `from` is of the next day. A time that the clocks skip is the first instant after the gap; of one that comes twice it is the second, so
    /// no window is shorter than it is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 5))]
    #[x_kube(validation = Rule::new("self.matches('^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$')").message("write a time of day like \"18:00\", 00:00 to 24:00"))]
    pub to: Option<String>,
}

/// Days of the calendar, the first and the last included.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.from <= self.to").message("dates.to is before dates.from: write the first day in from and the last in to"))]
pub struct BlackoutDates {
    /// The first day, for example `2026-11-10`.
    #[schemars(length(max = 10))]
    #[x_kube(validation = Rule::new("self.matches('^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$')").message("write a date like 2026-11-10"))]
    pub from: String,
    /// The last day; for a single day, the same as `from`.
    #[schemars(length(max = 10))]
    #[x_kube(validation = Rule::new("self.matches('^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$')").message("write a date like 2026-11-10"))]
    pub to: String,
}

/// A window that the operator finds out by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum NotDuring {
    /// When the instance makes its own backups.
    NativeBackupWindow,
}

/// When an instance makes its own backups, in UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NativeWindow {
    /// The days of the week on which it begins.
    #[schemars(length(min = 1, max = 7))]
    pub days: Vec<Weekday>,
    /// The time of day at which it begins, in UTC.
    #[schemars(length(max = 5))]
    pub from: String,
    /// The time of day at which it ends, in UTC. One that is not after `from` is of the next day.
    #[schemars(length(max = 5))]
    pub to: String,
}

impl NativeWindow {
    /// As a blackout of UTC.
    pub fn blackout(&self) -> Blackout {
        Blackout { days: self.days.clone(), dates: None, from: Some(self.from.clone()), to: Some(self.to.clone()) }
    }
}

impl fmt::Display for NativeWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, day) in self.days.iter().enumerate() {
            write!(f, "{}{day:?}", if number == 0 { "" } else { ", " })?;
        }
        write!(f, " {} to {} UTC", self.from, self.to)
    }
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Weekday {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}
