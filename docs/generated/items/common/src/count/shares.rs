/// Divides `total` into `n` whole shares that differ by one at the most.
///
/// Returns the shares, the larger ones first. They add up to `total` exactly,
/// whatever `n` is: the remainder is handed out, a round each.
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
