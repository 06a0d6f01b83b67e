use std::{
    collections::{BTreeMap, HashMap},
    fmt::{self, Display, Formatter},
    str,
};

use foldhash::fast::RandomState;
use memchr::memchr_iter;
use serde::{Deserialize, Serialize, Serializer};

/// The most names that a file may have.
const MOST_NAMES: usize = 10_000;

/// The longest name, in bytes.
const LONGEST_NAME: usize = 100;

/// How much of a bad line is shown, in characters.
const SHOWN: usize = 40;

/// The statistics of each name in the lines of a file, or in some of them.
///
/// A line is `name;value`, as in the *One Billion Row Challenge*
/// (<https://github.com/gunnarmorling/1brc>): a name of 1 to 100 bytes of UTF-8
/// without `;`, and a value from -99.9 to 99.9 with one decimal. The last line
/// may lack its line break. A carriage return isn't part of one.
///
/// The tables of a file's parts can be [merged](Self::merge) in any order into the
/// table of the whole: values are added as whole tenths, because a sum of
/// floating-point numbers depends on the order.
///
/// ```
/// let (mut table, mut other) = <(common::Table, common::Table)>::default();
/// assert_eq!(table.add(b"Oslo;-3.4\nAbha;18.0\n").unwrap(), 2);
/// assert_eq!(other.add(b"Oslo;0.9").unwrap(), 1);
/// let summary = table.merge(other).summary().unwrap();
/// assert_eq!(summary.to_string(), "{Abha=18.0/18.0/18.0, Oslo=-3.4/-1.2/0.9}");
/// ```
///
/// It can be sent to another process, and is checked when it arrives.
#[derive(Debug, Default, Deserialize)]
#[serde(try_from = "(bool, Vec<(String, Figures)>)")]
pub struct Table {
    // Each has its own seed, so that nobody can guess names that collide.
    names: HashMap<Box<[u8]>, Figures, RandomState>,
    too_many: bool,
}

/// A [`Table`] in the order of the bytes of its names.
///
/// As text it is `{Abha=-23.0/18.0/59.2, …}`: minimum, mean and maximum, the
/// mean rounded to the nearest tenth, halves upwards. As JSON it is a list of
/// objects with `name`, `min`, `mean`, `max` and `count`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Summary(BTreeMap<String, Figures>);

/// The first bad line of a piece.
///
/// It, too, can be sent to another process, and is checked when it arrives.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(try_from = "(u64, String)")]
#[error(
    "expected NAME;VALUE, with a name of 1 to 100 bytes of UTF-8 and a value \
     from -99.9 to 99.9 with one decimal, but it begins with: {begins}"
)]
pub struct BadLine {
    /// Its number in the piece, from 1.
    pub number: u64,
    begins: String,
}

/// There are more than 10,000 names.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected at most {MOST_NAMES} names, but there are more")]
pub struct TooManyNames;

/// In tenths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Figures {
    count: i64,
    sum: i64,
    min: i64,
    max: i64,
}

impl Table {
    /// Adds the lines of a piece, and returns their number. After an error, the
    /// lines before the bad one have been added.
    ///
    /// Too many names aren't an error here but in [`summary`](Self::summary), so
    /// that a file's error doesn't depend on how the file was divided.
    ///
    /// # Errors
    /// If a line is bad.
    pub fn add(&mut self, piece: &[u8]) -> Result<u64, BadLine> {
        let piece = without_last_break(piece);
        let (mut lines, mut begin) = (0, 0);
        for end in memchr_iter(b'\n', piece).chain([piece.len()]) {
            let line = &piece[begin..end];
            lines += 1;
            self.add_line(line).ok_or_else(|| BadLine::new(lines, line))?;
            begin = end + 1;
        }
        Ok(lines)
    }

    fn add_line(&mut self, line: &[u8]) -> Option<()> {
        let (name, tenths) = read_line(line)?;
        let one = Figures { count: 1, sum: tenths, min: tenths, max: tenths };
        if let Some(figures) = self.names.get_mut(name) {
            figures.merge(one);
            return Some(());
        }
        // Checked once for all the lines with that name.
        if !is_name(name) {
            return None;
        }
        if self.names.len() < MOST_NAMES {
            self.names.insert(name.into(), one);
        } else {
            self.too_many = true;
        }
        Some(())
    }

    /// The table of the lines of both.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.too_many |= other.too_many;
        for (name, figures) in other.names {
            self.names
                .entry(name)
                .and_modify(|known| known.merge(figures))
                .or_insert(figures);
        }
        self
    }

    /// The statistics of all the lines.
    ///
    /// # Errors
    /// If there are too many names.
    pub fn summary(self) -> Result<Summary, TooManyNames> {
        if self.too_many || self.names.len() > MOST_NAMES {
            return Err(TooManyNames);
        }
        let text = |name: Box<[u8]>| String::from_utf8_lossy(&name).into();
        let names = self.names.into_iter();
        Ok(Summary(names.map(|(name, all)| (text(name), all)).collect()))
    }
}

impl Serialize for Table {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let names = self.names.iter();
        let text = |name| String::from_utf8_lossy(name);
        let names: Vec<_> = names.map(|(name, it)| (text(name), it)).collect();
        (self.too_many, names).serialize(to)
    }
}

impl TryFrom<(bool, Vec<(String, Figures)>)> for Table {
    type Error = &'static str;

    fn try_from(
        (too_many, names): (bool, Vec<(String, Figures)>),
    ) -> Result<Self, Self::Error> {
        let valid = |(name, figures): &(String, Figures)| {
            let Figures { count, sum, min, max } = *figures;
            is_name(name.as_bytes())
                // In one message, so that sums of counts can't overflow.
                && (1..1 << 32).contains(&count)
                && -999 <= min
                && min <= max
                && max <= 999
                && (count * min..=count * max).contains(&sum)
        };
        if names.len() > MOST_NAMES || !names.iter().all(valid) {
            return Err("not a table of measurements");
        }
        let names = names.into_iter();
        let names = names.map(|(name, it)| (name.into_bytes().into(), it));
        Ok(Self { names: names.collect(), too_many })
    }
}

/// How many lines a piece has: as many as [`Table::add`] returns.
#[must_use]
pub fn count_lines(piece: &[u8]) -> u64 {
    1 + memchr_iter(b'\n', without_last_break(piece)).count() as u64
}

fn without_last_break(piece: &[u8]) -> &[u8] {
    piece.strip_suffix(b"\n").unwrap_or(piece)
}

fn is_name(name: &[u8]) -> bool {
    (1..=LONGEST_NAME).contains(&name.len())
        && !name.contains(&b';')
        && str::from_utf8(name).is_ok()
}

/// The name of a line, unchecked, and its value in tenths.
fn read_line(line: &[u8]) -> Option<(&[u8], i64)> {
    let (name, sign, digits) = match line {
        [name @ .., b';', b'-', a, b, b'.', c] => (name, -1, [*a, *b, *c]),
        [name @ .., b';', b'-', b, b'.', c] => (name, -1, [b'0', *b, *c]),
        [name @ .., b';', a, b, b'.', c] => (name, 1, [*a, *b, *c]),
        [name @ .., b';', b, b'.', c] => (name, 1, [b'0', *b, *c]),
        _ => return None,
    };
    let valid = digits.iter().all(u8::is_ascii_digit);
    let [a, b, c] = digits.map(|digit| i64::from(digit) - i64::from(b'0'));
    valid.then_some((name, sign * (100 * a + 10 * b + c)))
}

impl Figures {
    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// Minimum, mean and maximum. The mean is rounded to the nearest tenth,
    /// halves upwards.
    fn shown(self) -> [f64; 3] {
        let mean = (2 * self.sum + self.count).div_euclid(2 * self.count);
        [self.min, mean, self.max].map(|tenths| tenths as f64 / 10.0)
    }
}

impl BadLine {
    fn new(number: u64, line: &[u8]) -> Self {
        // No character has more than four bytes.
        let line = &line[..line.len().min(4 * SHOWN)];
        let printable = |character: char| {
            if character.is_control() { '\u{fffd}' } else { character }
        };
        let text = String::from_utf8_lossy(line);
        let begins = text.chars().take(SHOWN).map(printable).collect();
        Self { number, begins }
    }
}

impl Display for Summary {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let all = self.0.iter().map(|(name, figures)| {
            let [min, mean, max] = figures.shown();
            format!("{name}={min:.1}/{mean:.1}/{max:.1}")
        });
        write!(f, "{{{}}}", all.collect::<Vec<_>>().join(", "))
    }
}

impl Serialize for Summary {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Named<'a> {
            name: &'a str,
            min: f64,
            mean: f64,
            max: f64,
            count: i64,
        }

        to.collect_seq(self.0.iter().map(|(name, figures)| {
            let [min, mean, max] = figures.shown();
            Named { name, min, mean, max, count: figures.count }
        }))
    }
}

impl TryFrom<(u64, String)> for BadLine {
    type Error = &'static str;

    fn try_from((number, begins): (u64, String)) -> Result<Self, Self::Error> {
        let bad = Self::new(number, begins.as_bytes());
        let valid = number > 0 && bad.begins == begins;
        if valid { Ok(bad) } else { Err("not how a line begins") }
    }
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;

    use super::*;

    /// What the pieces of a file come to, in several tables, or the number of
    /// the file's first bad line.
    fn summarise(
        pieces: &[impl AsRef<[u8]>],
        tables: usize,
    ) -> Result<String, u64> {
        let mut all: Vec<_> = (0..tables).map(|_| Table::default()).collect();
        let mut lines = 0;
        for (i, piece) in pieces.iter().enumerate() {
            let added = all[i % tables].add(piece.as_ref());
            lines += added.map_err(|bad| lines + bad.number)?;
        }
        let whole = all.into_iter().reduce(Table::merge).unwrap();
        Ok(whole.summary().unwrap().to_string())
    }

    /// Up to `most` of these characters, at random.
    fn some(random: &mut Rng, of: &str, most: usize) -> String {
        let of: Vec<char> = of.chars().collect();
        let length = random.usize(..=most);
        (0..length).map(|_| *random.choice(&of).unwrap()).collect()
    }

    #[test]
    fn any_division_gives_the_same_result() {
        for seed in 0..2_000 {
            let mut random = Rng::with_seed(seed);
            let mut lines = Vec::new();
            for _ in 0..random.usize(..40) {
                let name = some(&mut random, "abé☃", 1);
                let value = f64::from(random.i32(-999..1000)) / 10.0;
                lines.push(format!("a{name};{value:.1}\n"));
            }
            if random.bool() {
                lines.push(some(&mut random, "a;-.0\n", 6) + "\n");
            }
            let tables = random.usize(1..5);
            let size = random.usize(1..9);
            let pieces = lines.chunks(size).map(<[_]>::concat);
            let divided = summarise(&pieces.collect::<Vec<_>>(), tables);
            let file = lines.concat();
            let whole: &[_] = if file.is_empty() { &[] } else { &[&file] };
            assert_eq!(divided, summarise(whole, 1), "seed {seed}: {file:?}");
        }
    }

    #[test]
    fn an_error_shows_little_of_any_bytes_and_nothing_that_a_terminal_obeys() {
        for seed in 0..2_000 {
            let mut random = Rng::with_seed(seed);
            let mut piece = vec![0; random.usize(1..100)];
            random.fill(&mut piece);
            let bad = Table::default().add(&piece).unwrap_err().to_string();
            let (_, shown) = bad.split_once("begins with: ").unwrap();
            assert!(shown.chars().count() <= SHOWN, "seed {seed}: {bad}");
            assert!(!shown.chars().any(char::is_control), "seed {seed}: {bad}");
        }
    }

    #[test]
    fn the_mean_is_rounded_with_a_half_upwards_and_names_are_in_byte_order() {
        for (file, summary) in [
            ("a;0.0\na;-0.1\n", "{a=-0.1/0.0/0.0}"),
            ("a;0.0\na;0.1", "{a=0.0/0.1/0.1}"),
            ("a;-0.2\na;-0.1", "{a=-0.2/-0.1/-0.1}"),
            ("a;1.0\na;2.0\na;-99.9\na;99.9", "{a=-99.9/0.8/99.9}"),
            ("a;-0.0", "{a=0.0/0.0/0.0}"),
            // In UTF-16 these two would change places.
            (
                "\u{1f600};1.0\n\u{ff5e};1.0\nB;1.0\n a;1.0",
                "{ a=1.0/1.0/1.0, B=1.0/1.0/1.0, \u{ff5e}=1.0/1.0/1.0, \
                 \u{1f600}=1.0/1.0/1.0}",
            ),
        ] {
            assert_eq!(summarise(&[file], 1).unwrap(), summary);
        }
    }

    #[test]
    fn a_line_is_as_it_should_be_or_it_is_bad() {
        let long = |n: usize| format!("{};1.0", "n".repeat(n));
        assert!(summarise(&[long(100)], 1).is_ok());
        let bad = "|\n|;1.0|a|a;|a;1|a;1.|a;.1|a;1.00|a;100.0|a;-100.0|a;+1.0|\
                   a;1,0|a; 1.0|a;1.0 |a;1.0\r|a;1.0\r\n|a;--1.0|a;-|a;1e1|\
                   a;b;1.0|a;;1.0|a;NaN|a\t1.0|\0|a;1.0;|";
        let bad = bad.to_owned() + &long(101);
        let not_utf_8 = [b"\xff;1.0".as_slice(), b"a\xc3;1.0"];
        for bad in bad.split('|').map(str::as_bytes).chain(not_utf_8) {
            let shown = bad.escape_ascii();
            assert_eq!(summarise(&[bad], 1), Err(1), "{shown}");
            let second = summarise(&[b"a;1.0\n", bad], 1);
            assert_eq!(second, Err(2), "{shown}");
        }
    }

    #[test]
    fn a_table_from_another_process_has_figures_that_lines_can_have() {
        let arrives = |name: &str, [count, sum, min, max]: [i64; 4]| {
            let figures = Figures { count, sum, min, max };
            let sent = serde_json::to_string(&(false, [(name, figures)]));
            serde_json::from_str::<Table>(&sent.unwrap()).is_ok()
        };
        assert!(arrives("a", [2, 3, 1, 2]));
        assert!(!arrives("", [2, 3, 1, 2]));
        for impossible in [
            [0, 0, 0, 0],
            [2, 5, 1, 2],
            [2, 3, 2, 1],
            [1, 1_000, 1_000, 1_000],
            [i64::MAX, 0, -1, 1],
        ] {
            assert!(!arrives("a", impossible), "{impossible:?}");
        }
        let bad = |number: u64, begins: &str| {
            let sent = serde_json::to_string(&(number, begins)).unwrap();
            serde_json::from_str::<BadLine>(&sent).is_ok()
        };
        assert!(bad(1, "a;b"));
        assert!(!bad(0, "a;b"));
        assert!(!bad(1, "\x1b[2J") && !bad(1, &"a".repeat(SHOWN + 1)));
    }

    #[test]
    fn ten_thousand_names_are_enough() {
        let table = |names: std::ops::Range<u32>| {
            let mut table = Table::default();
            for name in names {
                table.add(format!("{name};1.0\n").as_bytes()).unwrap();
            }
            table
        };
        let all = || table(0..10_000);
        assert!(all().merge(all()).summary().is_ok());

        let mut too_many = table(0..10_001);
        let bad = too_many.add(b"bad\n").unwrap_err();
        assert_eq!(bad.number, 1, "a bad line comes first");
        assert_eq!(all().merge(too_many).summary(), Err(TooManyNames));
        assert_eq!(all().merge(table(1..10_001)).summary(), Err(TooManyNames));
    }
}
