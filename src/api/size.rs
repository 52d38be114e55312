//! Sizes for people.

/// Bytes as Kubernetes writes quantities, rounded to three digits at most: `260Gi`, `1.5Gi`, `512`.
pub fn human_size(bytes: i64) -> String {
    const UNITS: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    let bytes = bytes.max(0);
    // 1,023.5 would print as 1024: it belongs to the next unit.
    #[expect(clippy::cast_precision_loss, reason = "for humans; the exact number stands beside it")]
    let (mut value, mut unit) = (bytes as f64, 0);
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let text = if value >= 9.95 || unit == 0 { format!("{value:.0}") } else { format!("{value:.1}") };
    format!("{}{}", text.trim_end_matches(".0"), UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::human_size;

    #[test]
    fn sizes_are_short_and_round() {
        for (bytes, text) in [
            (0, "0"),
            (512, "512"),
            (279_236_241_408, "260Gi"),
            (1_610_612_736, "1.5Gi"),
            (1024 * 1024, "1Mi"),
            (-5, "0"),
            (i64::MAX, "8Ei"),
        ] {
            assert_eq!(human_size(bytes), text, "{bytes}");
        }
    }
}
