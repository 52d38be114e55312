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
    if let Some(advice) = abbreviation(name).or_else(|| city(name)).or_else(|| offset(name)) {
        return advice;
    }
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

/// Letters that stand for several zones: the nearest name (`CST6CDT` for `CST`) would be hours away from the one that is meant.
fn abbreviation(name: &str) -> Option<String> {
    let means = match name.to_ascii_uppercase().as_str() {
        "CST" => "China, Cuba and central North America use it; China's is Asia/Shanghai",
        "IST" => "India, Ireland and Israel use it; India's is Asia/Kolkata",
        "BST" => "it is only the summer time of Europe/London",
        "SGT" => "Singapore's is Asia/Singapore",
        "JST" => "Japan's is Asia/Tokyo",
        "KST" => "Korea's is Asia/Seoul",
        "HKT" => "Hong Kong's is Asia/Hong_Kong",
        "PST" | "PDT" => "the Pacific coast of North America is America/Los_Angeles",
        "EDT" => "the east coast of North America is America/New_York",
        "CDT" => "central North America is America/Chicago",
        "CEST" => "write the city, for example Europe/Berlin",
        _ => return None,
    };
    Some(format!("an abbreviation names no zone: {means}"))
}

/// Cities of China that the database does not have, where its nearest name is in another country (`Asia/Brunei` for `Asia/Beijing`).
fn city(name: &str) -> Option<String> {
    const CITIES: [&str; 8] = ["beijing", "peking", "shenzhen", "guangzhou", "hangzhou", "chengdu", "nanjing", "wuhan"];
    let city = name.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    CITIES.contains(&city.as_str()).then(|| "all of China's cities have the time of Asia/Shanghai".to_owned())
}

/// `UTC+8`, `GMT+08:00`, `+0800`: the database has names of whole hours only, with the sign the other way round.
fn offset(name: &str) -> Option<String> {
    let upper = name.trim().to_ascii_uppercase();
    let text = upper.strip_prefix("ETC/").unwrap_or(&upper);
    let text = ["UTC", "GMT", "Z"].iter().find_map(|prefix| text.strip_prefix(prefix)).unwrap_or(text).trim();
    let (sign, digits) = [('-', '+'), ('+', '-')].iter().find_map(|(sign, given)| Some((sign, text.strip_prefix(*given)?)))?;
    let (hours, minutes) = match digits.split_once(':') {
        Some(both) => both,
        None if digits.len() == 4 && digits.is_ascii() => digits.split_at(2),
        None => (digits, "0"),
    };
    let (hours, minutes) = (hours.parse::<u8>().ok()?, minutes.parse::<u8>().ok()?);
    let known = format!("Etc/GMT{sign}{hours}");
    if minutes != 0 || ZONES.get(&known).is_err() {
        return Some("write the IANA name of a place with that offset".to_owned());
    }
    Some(match hours {
        8 if *sign == '-' => format!("write Asia/Shanghai, or {known}: in these names the sign is the other way round"),
        _ => format!("write the IANA name of the place, or {known}: in these names the sign is the other way round"),
    })
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
            ("+08:00", "Etc/GMT-8"),
            ("UTC+8", "Etc/GMT-8"),
            ("GMT+0800", "Asia/Shanghai"),
            ("utc-3", "Etc/GMT+3"),
            ("UTC+5:30", "a place with that offset"),
            ("UTC+99", "a place with that offset"),
            ("CST", "China's is Asia/Shanghai"),
            ("Asia/Beijing", "Asia/Shanghai"),
            ("beijing", "Asia/Shanghai"),
            ("CST6CDT,M3.2.0,M11.1.0", ""),
            ("../etc/passwd", ""),
        ] {
            let error = zone(name).unwrap_err().to_string();
            assert!(error.contains(advice), "{name}: {error}");
        }
    }
}
