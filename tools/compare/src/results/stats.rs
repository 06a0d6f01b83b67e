//! Percentiles, median, spread. All times are in milliseconds.

use serde::{Deserialize, Serialize};

/// Median, least and greatest of several times.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The median.
    pub median_ms: f64,
    /// The shortest.
    pub min_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

impl Spread {
    /// `None` when there are no times.
    pub fn new(times: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut times: Vec<f64> = times.into_iter().collect();
        times.sort_by(f64::total_cmp);
        let (min_ms, max_ms) = (*times.first()?, *times.last()?);
        // The same one if their number is odd.
        let middle = [times[(times.len() - 1) / 2], times[times.len() / 2]];
        let median_ms = f64::midpoint(middle[0], middle[1]);
        Some(Self { median_ms, min_ms, max_ms })
    }
}

/// How long many things took, as percentiles by the nearest rank: the 99th is
/// the least sample that 99 of 100 samples don't exceed. So each is a sample,
/// and the worst is the largest; a histogram would round it up.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Percentiles {
    /// Half of them took no longer than this.
    pub p50_ms: f64,
    /// 99 out of a hundred took no longer than this.
    pub p99_ms: f64,
    /// None took longer than this.
    pub worst_ms: f64,
}

impl Percentiles {
    /// `None` when there are no times.
    pub fn new(times: impl IntoIterator<Item = f64>) -> Option<Self> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_two_in_the_middle() {
        let spread = Spread::new([4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!(spread.median_ms, 2.5);
        assert_eq!((spread.min_ms, spread.max_ms), (1.0, 4.0));
        assert_eq!(Spread::new([]), None);
    }

    #[test]
    fn a_percentile_is_the_sample_of_the_nearest_rank() {
        let up_to = |n: u32| Percentiles::new((1..=n).rev().map(f64::from));
        let three = |p50_ms, p99_ms, worst_ms| {
            Some(Percentiles { p50_ms, p99_ms, worst_ms })
        };
        assert_eq!(up_to(1_000), three(500.0, 990.0, 1_000.0));
        assert_eq!(up_to(101), three(51.0, 100.0, 101.0));
        assert_eq!(up_to(100), three(50.0, 99.0, 100.0));
        assert_eq!(up_to(5), three(3.0, 5.0, 5.0));
        assert_eq!(up_to(1), three(1.0, 1.0, 1.0));
        assert_eq!(up_to(0), None);
    }
}
