use std::time::Duration;

/// A duration in milliseconds, to the microsecond: for JSON and for
/// `Server-Timing`.
///
/// ```
/// use std::time::Duration;
///
/// assert_eq!(common::milliseconds(Duration::from_micros(1_500)), 1.5);
/// ```
pub fn milliseconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1_000.0
}

/// A duration for people: three digits and a unit.
///
/// ```
/// use std::time::Duration;
///
/// assert_eq!(common::short(Duration::from_micros(417)), "417 µs");
/// assert_eq!(common::short(Duration::from_micros(2_340)), "2.34 ms");
/// assert_eq!(common::short(Duration::from_millis(3_021)), "3.02 s");
/// assert_eq!(common::short(Duration::from_secs(120)), "120 s");
/// ```
pub fn short(duration: Duration) -> String {
    let micros = duration.as_micros() as f64;
    // The next unit takes over where rounding would give a fourth digit.
    let (value, unit) = match micros {
        ..999.5 => (micros, "µs"),
        ..999_500.0 => (micros / 1e3, "ms"),
        _ => (micros / 1e6, "s"),
    };
    let decimals = match value {
        _ if unit == "µs" => 0,
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_never_gives_a_fourth_digit() {
        let short = |micros| short(Duration::from_micros(micros));
        assert_eq!(short(0), "0 µs");
        assert_eq!(short(999), "999 µs");
        assert_eq!(short(1_000), "1.00 ms");
        assert_eq!(short(9_996), "10.0 ms");
        assert_eq!(short(99_960), "100 ms");
        assert_eq!(short(999_600), "1.00 s");
        assert_eq!(short(99_960_000), "100 s");
    }
}
