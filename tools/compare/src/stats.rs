//! Percentiles, median, spread. All times are in milliseconds.

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

/// How long many things took, as percentiles by the nearest rank: the 99th is
/// the least sample that 99 of 100 samples don't exceed. So each is a sample,
/// and the worst is the largest; a histogram would round it up.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Percentiles {
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub worst_ms: f64,
}

impl Percentiles {
    /// `None` when there are no times.
    pub fn of(times: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut times: Vec<f64> = times.into_iter().collect();
        times.sort_by(f64::total_cmp);
        let at = |percent| nearest_rank(&times, percent);
        Some(Self { p50_ms: at(50)?, p99_ms: at(99)?, worst_ms: at(100)? })
    }
}

fn nearest_rank(sorted: &[f64], percent: usize) -> Option<f64> {
    let rank = (percent * sorted.len()).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
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
    fn a_percentile_is_the_sample_of_the_nearest_rank() {
        let of = |n: u32| Percentiles::of((1..=n).rev().map(f64::from));
        let are = |p50_ms, p99_ms, worst_ms| {
            Some(Percentiles { p50_ms, p99_ms, worst_ms })
        };
        assert_eq!(of(1_000), are(500.0, 990.0, 1_000.0));
        assert_eq!(of(101), are(51.0, 100.0, 101.0));
        assert_eq!(of(100), are(50.0, 99.0, 100.0));
        assert_eq!(of(5), are(3.0, 5.0, 5.0));
        assert_eq!(of(1), are(1.0, 1.0, 1.0));
        assert_eq!(of(0), None);
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
