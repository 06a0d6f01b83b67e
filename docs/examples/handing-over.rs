//! The cost of handing a hundred megabytes to another thread: moved, shared or
//! copied.

mod figures;

use std::{cell::RefCell, hint::black_box, sync::Arc, thread};

use figures::{medians, print};
use serde_json::json;

const SIZE: usize = 100_000_000;

fn main() {
    let data = RefCell::new(vec![1_u8; SIZE]);
    let shared = Arc::new(vec![1_u8; SIZE]);

    let mut nothing = || {
        thread::spawn(|| ()).join().expect("it does nothing");
    };
    let mut moved = || {
        let mine = data.take();
        let thread = thread::spawn(move || black_box(mine));
        data.replace(thread.join().expect("it returns what it got"));
    };
    let mut share = || {
        let other = Arc::clone(&shared);
        let thread = thread::spawn(move || black_box(other).len());
        assert_eq!(thread.join().expect("it only reads"), SIZE);
    };
    let mut copied = || {
        let copy = Vec::clone(&shared);
        let thread = thread::spawn(move || black_box(copy).len());
        assert_eq!(thread.join().expect("it only reads"), SIZE);
    };
    let [nothing, moved, shared] =
        medians(101, [&mut nothing, &mut moved, &mut share]);
    let [copied] = medians(11, [&mut copied]);
    let rows = vec![
        json!(["nothing, for comparison", nothing]),
        json!(["moved there and back", moved]),
        json!(["shared, with an `Arc`", shared]),
        json!(["copied", copied]),
    ];
    print("handing-over", &["100 MB, to a new thread", "µs"], rows);
}
