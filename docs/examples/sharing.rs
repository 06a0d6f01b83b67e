//! What sharing costs: the measurements of step 6's example, for the book.

#[path = "../../step6-shared-memory/examples/false_sharing.rs"]
#[allow(dead_code)] // It prints its own table.
mod false_sharing;

mod figures;

use std::thread;

use false_sharing::{ROUNDS, WAYS};
use figures::{medians, print, three_digits};
use serde_json::json;

fn main() {
    let cores = thread::available_parallelism().map_or(2, |cores| cores.get());
    let [one, all] = [1, cores.max(2)].map(|threads| {
        let mut ways = WAYS.map(|(name, count)| {
            move || {
                assert_eq!(count(threads), ROUNDS * threads as u64, "{name}")
            }
        });
        medians(11, ways.each_mut().map(|way| way as &mut dyn FnMut()))
    });
    let local = WAYS.len() - 1;
    let rows = (0..WAYS.len())
        .map(|way| {
            let ratio =
                |times: [f64; 4]| three_digits(times[way] / times[local]);
            json!([WAYS[way].0, ratio(one), ratio(all)])
        })
        .collect();
    let all = format!("{} threads (times the last)", cores.max(2));
    print("sharing", &["way", "1 thread (times the last)", &all], rows);
}
