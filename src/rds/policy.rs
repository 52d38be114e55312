//! What DescribeBackupPolicy tells of how an instance backs itself up.

use jiff::civil::Weekday;
use serde_json::Value;

use super::{
    model::{BackupPolicy, BackupWindow},
    wire::{is, number},
};
use crate::rpc::text;

/// The policy of DescribeBackupPolicy. None if it says nothing of what is read here.
pub(super) fn policy(body: &Value) -> Option<BackupPolicy> {
    let days = |key| number(body, key).and_then(|days| u32::try_from(days).ok()).filter(|days| *days > 0);
    let enabled = number(body, "EnableBackupLog").and_then(|enabled| match enabled {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    });
    let words = text(body, "BackupLog");
    let told = match () {
        () if is(words.as_deref(), "Enable") => Some(true),
        () if is(words.as_deref(), "Disabled") || is(words.as_deref(), "Disable") => Some(false),
        () => None,
    };
    let policy = BackupPolicy {
        retention_days: days("BackupRetentionPeriod"),
        log_backup: match (enabled, told) {
            (Some(enabled), Some(told)) if enabled != told => None,
            _ => enabled.or(told),
        },
        log_retention_days: days("LogBackupRetentionPeriod"),
        window: window(text(body, "PreferredBackupPeriod").as_deref(), text(body, "PreferredBackupTime").as_deref()),
    };
    (policy != BackupPolicy::default()).then_some(policy)
}

/// `Monday,Wednesday` and `02:00Z-03:00Z`. One word that is not known makes the whole window unknown: half of it would be a guess.
fn window(period: Option<&str>, time: Option<&str>) -> Option<BackupWindow> {
    const DAYS: [(&str, Weekday); 7] = [
        ("monday", Weekday::Monday),
        ("tuesday", Weekday::Tuesday),
        ("wednesday", Weekday::Wednesday),
        ("thursday", Weekday::Thursday),
        ("friday", Weekday::Friday),
        ("saturday", Weekday::Saturday),
        ("sunday", Weekday::Sunday),
    ];
    let named: Vec<String> = period?.split(',').map(|day| day.trim().to_ascii_lowercase()).filter(|day| !day.is_empty()).collect();
    let is_known = named.iter().all(|day| DAYS.iter().any(|(name, _)| name == day));
    let days: Vec<Weekday> = DAYS.iter().filter(|(name, _)| named.iter().any(|day| day == name)).map(|(_, day)| *day).collect();
    let (from, to) = time?.split_once('-')?;
    let (from, to) = (minutes(from)?, minutes(to)?);
    (is_known && !days.is_empty() && from < 24 * 60 && from != to).then_some(BackupWindow { days, from, to })
}

/// `02:00Z`, up to `24:00Z`, as minutes of the day.
fn minutes(text: &str) -> Option<u16> {
    let text = text.trim();
    let (hour, minute) = text.strip_suffix(['Z', 'z'])?.split_once(':')?;
    let number = |text: &str| text.parse::<u16>().ok().filter(|_| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit()));
    let (hour, minute) = (number(hour)?, number(minute)?);
    let minutes = hour * 60 + minute;
    (minute < 60 && minutes <= 24 * 60).then_some(minutes)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_policy_is_read_in_every_form_and_says_nothing_where_its_two_words_for_the_log_differ() {
        let read = |days, log_backup, log_days| {
            Some(BackupPolicy { retention_days: days, log_backup, log_retention_days: log_days, ..BackupPolicy::default() })
        };
        for (wire, told) in [
            (
                json!({"BackupRetentionPeriod": "7", "EnableBackupLog": "1", "BackupLog": "Enable", "LogBackupRetentionPeriod": 7}),
                read(Some(7), Some(true), Some(7)),
            ),
            (json!({"BackupRetentionPeriod": 30, "EnableBackupLog": 0, "BackupLog": "disabled"}), read(Some(30), Some(false), None)),
            (json!({"BackupLog": "Disable", "LogBackupRetentionPeriod": "-1"}), read(None, Some(false), None)),
            (json!({"EnableBackupLog": "0", "BackupLog": "Enable", "BackupRetentionPeriod": 7}), read(Some(7), None, None)),
            (json!({"EnableBackupLog": "2", "BackupRetentionPeriod": "many"}), None),
            (json!({"RequestId": "R"}), None),
            (json!([]), None),
        ] {
            assert_eq!(policy(&wire), told, "{wire}");
        }
    }

    #[test]
    fn the_window_of_a_policy_is_read_whole_or_not_at_all() {
        use Weekday::{Friday, Monday, Saturday, Sunday, Thursday, Tuesday, Wednesday};

        let read = |days: &[Weekday], from, to| Some(BackupWindow { days: days.to_vec(), from, to });
        let week = [Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday];
        for (period, time, window) in [
            ("Monday,Wednesday,Sunday", "02:00Z-03:00Z", read(&[Monday, Wednesday, Sunday], 120, 180)),
            ("sunday, MONDAY,Sunday,", "23:30Z-00:30Z", read(&[Monday, Sunday], 23 * 60 + 30, 30)),
            ("Tuesday", "23:00z - 24:00z", read(&[Tuesday], 23 * 60, 24 * 60)),
            ("Tuesday", "23:00Z-00:00Z", read(&[Tuesday], 23 * 60, 0)),
            ("Sunday,Saturday,Friday,Thursday,Wednesday,Tuesday,Monday", "00:00Z-01:00Z", read(&week, 0, 60)),
            ("Monday,Someday", "02:00Z-03:00Z", None),
            ("", "02:00Z-03:00Z", None),
            (",", "02:00Z-03:00Z", None),
            ("Monday", "02:00-03:00", None),
            ("Monday", "02:00Z", None),
            ("Monday", "2:00Z-3:00Z", None),
            ("Monday", "02:60Z-03:00Z", None),
            ("Monday", "24:00Z-01:00Z", None),
            ("Monday", "02:00Z-24:01Z", None),
            ("Monday", "+2:00Z-03:00Z", None),
            ("Monday", "02:00Z-02:00Z", None),
        ] {
            let wire = json!({"BackupRetentionPeriod": 7, "PreferredBackupPeriod": period, "PreferredBackupTime": time});
            assert_eq!(policy(&wire).expect("a policy").window, window, "{wire}");
        }
        let wire = json!({"PreferredBackupPeriod": "Monday", "PreferredBackupTime": "02:00Z-03:00Z"});
        assert_eq!(policy(&wire).expect("the window alone is a policy").window, read(&[Monday], 120, 180));
        assert_eq!(policy(&json!({"BackupRetentionPeriod": 7, "PreferredBackupPeriod": ["Monday"]})).expect("a policy").window, None);
    }
}
