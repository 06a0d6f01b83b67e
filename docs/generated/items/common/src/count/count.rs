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
