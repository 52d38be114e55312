//! Time zones by their IANA names, from the data that is built in: every replica and every machine reads the same.

use std::sync::LazyLock;

use jiff::tz::{TimeZone, TimeZoneDatabase};

static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// Why a time zone is refused, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ZoneError(String);

/// The time zone of that name, written as the database writes it: another spelling could be unknown to the next reader.
pub fn zone(name: &str) -> Result<TimeZone, ZoneError> {
    if name.eq_ignore_ascii_case("local") {
        return Err(ZoneError("Local is not a time zone: write an IANA name such as Asia/Shanghai".to_owned()));
    }
    match ZONES.get(name) {
        Ok(zone) if zone.iana_name() == Some(name) => Ok(zone),
        _ => Err(ZoneError(format!("the time zone {:?} is not known: {}", name.chars().take(64).collect::<String>(), advice(name)))),
    }
}

fn advice(name: &str) -> String {
    let mut near: Vec<(f64, String)> = ZONES
        .available()
        .map(|known| (strsim::jaro_winkler(&known.as_str().to_lowercase(), &name.to_lowercase()), known.to_string()))
        .filter(|(likeness, _)| *likeness > 0.8)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    let names: Vec<String> = near.into_iter().take(3).map(|(_, name)| name).collect();
    match names.as_slice() {
        [] => "write an IANA name such as Asia/Shanghai, or Etc/UTC".to_owned(),
        names => format!("the nearest are {}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_database_are_known() {
        for name in ["Etc/UTC", "UTC", "Asia/Shanghai", "Pacific/Apia", "America/Argentina/Buenos_Aires"] {
            assert_eq!(zone(name).unwrap().iana_name(), Some(name));
        }
    }

    #[test]
    fn anything_else_is_answered_with_the_nearest() {
        for (name, advice) in [
            ("Asia/Shangai", "Asia/Shanghai"),
            ("asia/shanghai", "Asia/Shanghai"),
            ("Europe/Berln", "Europe/Berlin"),
            ("Local", "IANA name"),
            ("local", "IANA name"),
            ("", "Etc/UTC"),
            ("+08:00", "IANA name"),
            ("CST6CDT,M3.2.0,M11.1.0", ""),
            ("../etc/passwd", ""),
        ] {
            let error = zone(name).unwrap_err().to_string();
            assert!(error.contains(advice), "{name}: {error}");
        }
    }
}
