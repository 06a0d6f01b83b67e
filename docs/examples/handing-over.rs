//! What it costs to hand a hundred megabytes to another thread: moved, shared
//! or copied.

mod figures;

use std::{cell::RefCell, hint::black_box, sync::Arc, thread};

use figures::{median_micros, print};
use serde_json::json;

const SIZE: usize = 100_000_000;

fn main() {
    let nothing = median_micros(51, || {
        thread::spawn(|| ()).join().expect("it does nothing");
    });
    let data = RefCell::new(vec![1_u8; SIZE]);
    let moved = median_micros(51, || {
        let mine = data.take();
        let thread = thread::spawn(move || black_box(mine));
        data.replace(thread.join().expect("it returns what it got"));
    });
    let shared = Arc::new(data.into_inner());
    let shared_one = median_micros(51, || {
        let other = Arc::clone(&shared);
        let thread = thread::spawn(move || black_box(other).len());
        assert_eq!(thread.join().expect("it looks"), SIZE);
    });
    let copied = median_micros(11, || {
        let copy = Vec::clone(&shared);
        let thread = thread::spawn(move || black_box(copy).len());
        assert_eq!(thread.join().expect("it looks"), SIZE);
    });
    let rows = vec![
        json!(["nothing, for comparison", nothing]),
        json!(["moved there and back", moved]),
        json!(["shared, with an `Arc`", shared_one]),
        json!(["copied", copied]),
    ];
    print("handing-over", &["100 MB, to a new thread", "µs"], rows);
}
