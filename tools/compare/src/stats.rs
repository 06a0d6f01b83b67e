//! Percentiles, median, spread. All times are in milliseconds.

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::results::Probe;

/// An answer within this time is in time: nobody notices that it took any.
pub const IN_TIME_MS: f64 = 10.0;

/// Median, least and greatest of several times.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    pub median_ms: f64,
    pub min_ms: f64,
    pub max_ms: f64,
}

impl Spread {
    /// `None` when there are no times.
    pub fn of(times: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut times: Vec<f64> = times.into_iter().collect();
        times.sort_by(f64::total_cmp);
        let (min_ms, max_ms) = (*times.first()?, *times.last()?);
        let middle = times.len() / 2;
        let median_ms = if times.len() % 2 == 1 {
            times[middle]
        } else {
            f64::midpoint(times[middle - 1], times[middle])
        };
        Some(Self { median_ms, min_ms, max_ms })
    }
}

/// How long many things took, as percentiles.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Percentiles {
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub worst_ms: f64,
}

impl Percentiles {
    /// `None` when there are no times.
    pub fn of(times: impl IntoIterator<Item = f64>) -> Option<Self> {
        // Microseconds, with three digits; it grows as it has to.
        let mut histogram = Histogram::<u64>::new(3).ok()?;
        for time in times {
            histogram.record((time * 1e3) as u64).ok()?;
        }
        let at = |q| histogram.value_at_quantile(q) as f64 / 1e3;
        (!histogram.is_empty()).then(|| Self {
            p50_ms: at(0.50),
            p99_ms: at(0.99),
            worst_ms: at(1.0),
        })
    }
}

/// How a set of probes was answered.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Latencies {
    pub probes: usize,
    pub failed: usize,
    /// How many were answered in time.
    pub in_time: usize,
    /// Of those that were answered; none when none was.
    #[serde(flatten)]
    pub answered: Option<Percentiles>,
    /// How late the prober itself was to send them.
    pub late: Percentiles,
}

impl Latencies {
    /// `None` when there are no probes.
    pub fn of<'a>(
        probes: impl Iterator<Item = &'a Probe> + Clone,
    ) -> Option<Self> {
        let answered = probes.clone().filter_map(|probe| probe.latency_ms);
        Some(Self {
            probes: probes.clone().count(),
            failed: probes.clone().count() - answered.clone().count(),
            in_time: answered.clone().filter(|ms| *ms < IN_TIME_MS).count(),
            answered: Percentiles::of(answered),
            late: Percentiles::of(probes.map(|probe| probe.late_ms))?,
        })
    }

    /// The share that was answered in time, from 0 to 1.
    pub fn in_time_share(&self) -> f64 {
        self.in_time as f64 / self.probes as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{frozen, run, server};

    #[test]
    fn the_median_of_an_even_number_lies_between_the_two_in_the_middle() {
        let spread = Spread::of([4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!(spread.median_ms, 2.5);
        assert_eq!((spread.min_ms, spread.max_ms), (1.0, 4.0));
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn percentiles_are_exact_to_three_digits() {
        let times = (1..=1_000).map(f64::from);
        let percentiles = Percentiles::of(times).unwrap();
        let near = |is: f64, should: f64| (is / should - 1.0).abs() < 1e-3;
        assert!(near(percentiles.p50_ms, 500.0), "{percentiles:?}");
        assert!(near(percentiles.p99_ms, 990.0), "{percentiles:?}");
        assert!(near(percentiles.worst_ms, 1_000.0), "{percentiles:?}");
        assert_eq!(Percentiles::of([]), None);
    }

    #[test]
    fn a_freeze_shows_in_every_percentile() {
        let server = server("frozen", vec![frozen(3_000.0)]);
        let during = server.during.unwrap();
        let answered = during.answered.unwrap();
        assert_eq!(during.in_time, 0);
        // Who comes during a freeze waits for half of it, on the average.
        assert!((1_490.0..1_510.0).contains(&answered.p50_ms), "{during:?}");
        assert!(answered.p99_ms > 2_900.0, "{during:?}");
        let idle = server.idle.unwrap();
        assert_eq!(idle.in_time, idle.probes);
    }

    #[test]
    fn a_probe_that_failed_is_not_in_time() {
        let fails = run(1_000.0, |at| (at < 500.0).then_some(1.0));
        let during = server("fails", vec![fails]).during.unwrap();
        assert_eq!(during.in_time + during.failed, during.probes);
        assert!((0.4..0.6).contains(&during.in_time_share()), "{during:?}");
        assert_eq!(during.answered.unwrap().worst_ms, 1.0);
    }
}
