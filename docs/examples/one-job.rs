//! How long one request of real work takes, and what you gain from two cores: if
//! they divide one request, and if each works on its own.

mod figures;

use std::{
    collections::BTreeMap, hint::black_box, io::Cursor, num::NonZeroU32,
    thread, time::Instant,
};

use common::count;
use figures::{medians, print, three_digits};
use image::{DynamicImage, ImageFormat, Rgb, RgbImage, load_from_memory};
use ring::pbkdf2::{PBKDF2_HMAC_SHA256, derive};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How often each is measured.
const RUNS: usize = 21;

const ORDERS: u64 = 200_000;

#[derive(Deserialize, Serialize)]
struct Order {
    customer: u64,
    cents: u64,
    address: String,
    items: Vec<String>,
}

fn main() {
    let mut counting = || assert_eq!(count(300_000_000), 300_000_000);
    let mut password = || _ = black_box(hash("correct horse"));
    let document = document();
    let megabytes = format!("{:.0} MB", document.len() as f64 / 1e6);
    let mut report = || assert_eq!(totals(&read(&document)).len(), 1_000);
    let photo = photo();
    let mut picture = || _ = black_box(encoded(&small(&decoded(&photo))));

    let (orders, pixels) = (read(&document), decoded(&photo));
    let [counted, hashed, reported, added, shrunk, resized] = medians(
        RUNS,
        [
            &mut counting,
            &mut password,
            &mut report,
            &mut || _ = black_box(totals(&orders)),
            &mut picture,
            &mut || _ = black_box(small(&pixels)),
        ],
    );
    let rows = vec![
        row("count", "300 million rounds", counted, 1.0, counting),
        row("hash a password", "600,000 rounds", hashed, 0.0, password),
        row(
            "totals of a JSON document",
            &megabytes,
            reported,
            added / reported,
            report,
        ),
        row(
            "shrink a photograph",
            "12 megapixels",
            shrunk,
            resized / shrunk,
            picture,
        ),
    ];
    let columns = [
        "work",
        "size",
        "one request (ms)",
        "can be divided (%)",
        "speed-up with 2 cores, at most",
        "two requests on 2 cores: times as much done",
    ];
    print("one-job", &columns, rows);
}

fn row(
    work: &str,
    size: &str,
    micros: f64,
    divisible: f64,
    job: impl Fn() + Sync,
) -> Value {
    json!([
        work,
        size,
        three_digits(micros / 1e3),
        three_digits(divisible * 100.0),
        three_digits(1.0 / (1.0 - divisible + divisible / 2.0)),
        three_digits(two_at_a_time(&job)),
    ])
}

/// How many times as much gets done by two threads with a request each as by one:
/// the median of some rounds, each of which measures both.
fn two_at_a_time(job: &(impl Fn() + Sync)) -> f64 {
    let time = |threads: usize| {
        let start = Instant::now();
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| (0..3).for_each(|_| job()));
            }
        });
        start.elapsed().as_secs_f64()
    };
    let mut more = [(); RUNS].map(|()| 2.0 * time(1) / time(2));
    more.sort_by(f64::total_cmp);
    more[RUNS / 2]
}

/// With as many rounds as OWASP recommends for PBKDF2 with SHA-256.
fn hash(password: &str) -> [u8; 32] {
    let rounds = NonZeroU32::new(600_000).expect("it isn't zero");
    let (salt, password) = (b"a salt for each", password.as_bytes());
    let mut hash = [0; 32];
    derive(PBKDF2_HMAC_SHA256, rounds, salt, password, &mut hash);
    hash
}

fn document() -> String {
    let order = |n: u64| Order {
        customer: n * 7919 % 1_000,
        cents: n % 10_000,
        address: format!("{n} High Street, Springfield"),
        items: vec![format!("article {n}"), "a bag".into()],
    };
    let orders: Vec<Order> = (0..ORDERS).map(order).collect();
    serde_json::to_string(&orders).expect("it is plain data")
}

fn read(document: &str) -> Vec<Order> {
    serde_json::from_str(document).expect("it was written here")
}

/// How much each customer has spent: the part that threads could share.
fn totals(orders: &[Order]) -> BTreeMap<u64, u64> {
    let mut totals = BTreeMap::new();
    for order in orders {
        *totals.entry(order.customer).or_default() += order.cents;
    }
    totals
}

/// A JPEG like a camera's: large shapes, small ones, and noise.
fn photo() -> Vec<u8> {
    let mut noise = 1_u32;
    let image = RgbImage::from_fn(4000, 3000, |x, y| {
        noise ^= noise << 13;
        noise ^= noise >> 17;
        noise ^= noise << 5;
        let (x, y) = (x as f32, y as f32);
        let large = (x / 411.0).sin() + (y / 307.0).cos();
        let small = (x / 17.0 + large).sin() * (y / 13.0).cos();
        let grain = (noise >> 28) as f32;
        Rgb([0.0, 1.0, 2.0].map(|colour| {
            (120.0 + 40.0 * (large + colour).sin() + 25.0 * small + grain) as u8
        }))
    });
    encoded(&image.into())
}

fn decoded(jpeg: &[u8]) -> DynamicImage {
    load_from_memory(jpeg).expect("it was written here")
}

/// The part that threads could share: each would make some of the lines.
fn small(image: &DynamicImage) -> DynamicImage {
    image.thumbnail(400, 300)
}

fn encoded(image: &DynamicImage) -> Vec<u8> {
    let mut jpeg = Cursor::new(Vec::new());
    image.write_to(&mut jpeg, ImageFormat::Jpeg).expect("memory takes it all");
    jpeg.into_inner()
}
