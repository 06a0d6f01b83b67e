//! Prints measurements; the same seed gives the same ones:
//!
//! ```sh
//! cargo run --release -p step8-data-processing --example measurements -- \
//!     20_000_000 > target/measurements.txt
//! ```
//!
//! The first argument is how many rows, the second the seed (1 if not given).

use std::{
    env,
    io::{self, BufWriter, ErrorKind, Write},
    process::ExitCode,
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

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args_os()
        .skip(1)
        .map(|it| it.to_string_lossy().into_owned())
        .collect();
    let numbers: Option<Vec<u64>> =
        arguments.iter().map(|it| it.replace('_', "").parse().ok()).collect();
    let (rows, seed) = match numbers.as_deref() {
        Some([rows]) => (*rows, 1),
        Some([rows, seed]) => (*rows, *seed),
        _ => {
            eprintln!(
                "{arguments:?}: expected how many rows, as 20_000_000, and a \
                 seed if you like"
            );
            return ExitCode::from(2);
        }
    };
    match print(rows, Random(seed)) {
        // The reader has had enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        Err(error) => {
            eprintln!("can't print the measurements: {error}");
            return ExitCode::FAILURE;
        }
        Ok(()) => {}
    }
    ExitCode::SUCCESS
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
