//! Durations as people type them.

use std::time::Duration;

/// Reads `10`, `1.5s`, `500ms`, `20us`, `100ns`, `2m`, `1h`; without a unit, seconds.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let digits = text
        .find(|char: char| !char.is_ascii_digit() && char != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let seconds = match unit {
        "" | "s" => 1.0,
        "ns" => 1e-9,
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(format!("unknown unit '{unit}'; use ns, us, ms, s, m or h")),
    };
    let number: f64 = number
        .parse()
        .map_err(|_| "not a duration; try 10, 500ms or 2m".to_owned())?;
    let duration =
        Duration::try_from_secs_f64(number * seconds).map_err(|error| error.to_string())?;
    if duration.is_zero() {
        return Err("must be longer than nothing".to_owned());
    }
    Ok(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, nanos) in [
            ("10", Some(10_000_000_000)),
            ("10s", Some(10_000_000_000)),
            ("1.5s", Some(1_500_000_000)),
            ("500ms", Some(500_000_000)),
            ("10us", Some(10_000)),
            ("2.5µs", Some(2500)),
            ("100ns", Some(100)),
            ("7ns", Some(7)),
            ("0.1ns", None),
            ("2m", Some(120_000_000_000)),
            ("1h", Some(3_600_000_000_000)),
            ("0", None),
            ("", None),
            ("s", None),
            ("-1", None),
            ("1d", None),
            ("1..5", None),
            ("99999999999999999999h", None),
        ] {
            assert_eq!(
                parse(text).ok().map(|read| read.as_nanos()),
                nanos,
                "{text:?}"
            );
        }
    }
}
