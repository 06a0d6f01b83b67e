//! Prints measurements, always the same ones:
//!
//! ```sh
//! cargo run --release -p step8-data-processing --example measurements -- \
//!     20_000_000 > target/measurements.txt
//! ```

use std::{
    env,
    io::{self, BufWriter, ErrorKind, Write},
    process::exit,
};

/// As many as in the best-known files of this kind.
const NAMES: usize = 413;

const SYLLABLES: [&str; 16] = [
    "an", "bér", "chi", "dao", "el", "fo", "gora", "hav", "is", "jok", "ka",
    "lün", "mar", "nov", "ø", "sta",
];

/// The numbers of `SplitMix64` (Steele, Lea and Flood, 2014).
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((u128::from(x ^ (x >> 31)) * u128::from(n)) >> 64) as u64
    }
}

fn main() -> io::Result<()> {
    let rows = env::args().nth(1);
    let Some(rows) = rows.and_then(|it| it.replace('_', "").parse().ok())
    else {
        eprintln!("expected how many rows, for instance 20_000_000");
        exit(2);
    };
    match print(rows, Random(1)) {
        // The reader has had enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

fn print(rows: u64, mut random: Random) -> io::Result<()> {
    let names: Vec<(String, i64)> = (1..=NAMES)
        .map(|number| {
            let syllables = 2 + random.below(6);
            let word: String = (0..syllables)
                .map(|_| SYLLABLES[random.below(16) as usize])
                .collect();
            // Its mean, in tenths.
            (format!("{word} {number}"), random.below(600) as i64 - 200)
        })
        .collect();
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    for _ in 0..rows {
        let (name, mean) = &names[random.below(NAMES as u64) as usize];
        let tenths = mean + random.below(400) as i64 - 200;
        let sign = if tenths < 0 { "-" } else { "" };
        let tenths = tenths.unsigned_abs();
        writeln!(out, "{name};{sign}{}.{}", tenths / 10, tenths % 10)?;
    }
    out.flush()
}
