use std::{hint::black_box, num::NonZeroUsize};

/// The heavy work of every step: counts to `rounds`, one by one.
///
/// Returns `rounds`, after as many additions. The time it takes grows in
/// proportion; ten billion rounds keep a processor core busy for seconds.
///
/// Each round goes through a [`black_box`], which the optimiser can't see
/// through: without it the whole loop would become the constant `rounds` (as
/// it did in Rust's own documentation: rust-lang/rust#28713).
///
/// ```
/// assert_eq!(common::count(1_000), 1_000);
/// ```
// Never inlined: it stays in this crate, which is optimised in every profile.
#[inline(never)]
pub fn count(rounds: u64) -> u64 {
    let mut result = 0;
    for _ in 0..rounds {
        result = black_box(result + 1);
    }
    result
}

/// Divides `total` into `n` whole shares that differ by at most one.
///
/// Returns the shares, the larger ones first. They add up to `total` exactly,
/// whatever `n` is: the remainder is handed out one round at a time.
///
/// ```
/// use std::num::NonZeroUsize;
///
/// let n = NonZeroUsize::new(3).unwrap();
/// assert!(common::shares(10, n).eq([4, 3, 3]));
/// ```
pub fn shares(total: u64, n: NonZeroUsize) -> impl Iterator<Item = u64> {
    let n = n.get() as u64;
    let (share, remainder) = (total / n, total % n);
    (0..n).map(move |i| share + u64::from(i < remainder))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn each_round_takes_time() {
        let start = Instant::now();
        assert_eq!(count(100_000_000), 100_000_000);
        // No processor makes ten dependent additions in a nanosecond.
        assert!(start.elapsed() > Duration::from_millis(10), "does it loop?");
    }

    #[test]
    fn shares_add_up_to_the_total_and_differ_by_at_most_one() {
        for total in (0..100).chain(u64::MAX - 100..=u64::MAX) {
            for n in (1..150).chain([1_999]) {
                let n = NonZeroUsize::new(n).unwrap();
                let all: Vec<u64> = shares(total, n).collect();
                assert_eq!(all.len(), n.get(), "{total} in {n}");
                assert_eq!(all.iter().sum::<u64>(), total, "{total} in {n}");
                assert!(all[0] - all[n.get() - 1] <= 1, "{total} in {n}");
                assert!(all.is_sorted_by(|a, b| a >= b), "{total} in {n}");
            }
        }
    }
}
