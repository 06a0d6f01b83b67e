use std::{
    collections::{BTreeMap, HashMap},
    fmt::{self, Display, Formatter},
    str,
};

use foldhash::fast::RandomState;
use memchr::memchr_iter;
use serde::{Deserialize, Serialize, Serializer, ser::SerializeStruct};

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
                .and_modify(|it| it.merge(figures))
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
        Ok(Summary(names.map(|(name, it)| (text(name), it)).collect()))
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

    /// Rounded to the nearest tenth, halves upwards.
    fn mean(self) -> i64 {
        (2 * self.sum + self.count).div_euclid(2 * self.count)
    }
}

impl BadLine {
    fn new(number: u64, line: &[u8]) -> Self {
        // No character has more than four bytes.
        let line = &line[..line.len().min(4 * SHOWN)];
        let printable =
            |it: char| if it.is_control() { '\u{fffd}' } else { it };
        let text = String::from_utf8_lossy(line);
        let begins = text.chars().take(SHOWN).map(printable).collect();
        Self { number, begins }
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

/// Tenths as a number with one decimal.
struct Tenths(i64);

impl Display for Tenths {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let tenths = self.0.unsigned_abs();
        write!(f, "{sign}{}.{}", tenths / 10, tenths % 10)
    }
}

impl Display for Summary {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{{")?;
        for (at, (name, figures)) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            let [min, mean, max] =
                [figures.min, figures.mean(), figures.max].map(Tenths);
            write!(f, "{comma}{name}={min}/{mean}/{max}")?;
        }
        write!(f, "}}")
    }
}

impl Serialize for Summary {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.0.iter().map(|(name, it)| Named(name, it)))
    }
}

struct Named<'a>(&'a str, &'a Figures);

impl Serialize for Named<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Self(name, figures) = self;
        let number = |tenths: i64| tenths as f64 / 10.0;
        let mut object = to.serialize_struct("Named", 5)?;
        object.serialize_field("name", name)?;
        object.serialize_field("min", &number(figures.min))?;
        object.serialize_field("mean", &number(figures.mean()))?;
        object.serialize_field("max", &number(figures.max))?;
        object.serialize_field("count", &figures.count)?;
        object.end()
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::Index};

    use super::*;

    /// What a table must do, as simply as possible. Returns the summary, or the
    /// number of the first bad line.
    fn reference(file: &str) -> Result<String, u64> {
        let mut names = BTreeMap::<&str, Vec<i64>>::new();
        for (number, line) in (1..).zip(file.trim_end_matches('\n').split('\n'))
        {
            let (name, value) = line.split_once(';').ok_or(number)?;
            let shape = value.trim_start_matches('-').len() + 1 >= value.len()
                && matches!(value.trim_start_matches('-').len(), 3..=4)
                && value.as_bytes()[value.len() - 2] == b'.'
                && value.bytes().filter(u8::is_ascii_digit).count()
                    == value.trim_start_matches('-').len() - 1;
            if !shape || !(1..=100).contains(&name.len()) {
                return Err(number);
            }
            let tenths = value.replace('.', "").parse().map_err(|_| number)?;
            names.entry(name).or_default().push(tenths);
        }
        let decimal = |tenths: i64| {
            let sign = if tenths < 0 { "-" } else { "" };
            format!("{sign}{}.{}", tenths.abs() / 10, tenths.abs() % 10)
        };
        let name = |(name, values): (&&str, &Vec<i64>)| {
            let mean = values.iter().sum::<i64>() as f64 / values.len() as f64;
            let [min, mean, max] = [
                *values.iter().min().unwrap(),
                (mean + 0.5).floor() as i64,
                *values.iter().max().unwrap(),
            ]
            .map(decimal);
            format!("{name}={min}/{mean}/{max}")
        };
        let all: Vec<String> = names.iter().map(name).collect();
        Ok(format!("{{{}}}", all.join(", ")))
    }

    /// Divides a file as a server might, after any of its lines. The pieces go
    /// to the tables in turn.
    fn divided(
        file: &str,
        cuts: &[Index],
        tables: usize,
    ) -> Result<String, u64> {
        let mut ends: Vec<usize> =
            file.match_indices('\n').map(|(at, _)| at + 1).collect();
        let chosen: std::collections::BTreeSet<usize> = cuts
            .iter()
            .filter(|_| !ends.is_empty())
            .map(|cut| *cut.get(&ends))
            .collect();
        ends.clear();
        let mut all: Vec<Table> = Vec::new();
        all.resize_with(tables, Table::default);
        let (mut begin, mut lines) = (0, 0);
        for (at, end) in chosen.into_iter().chain([file.len()]).enumerate() {
            if end > begin {
                let piece = &file.as_bytes()[begin..end];
                lines += all[at % tables]
                    .add(piece)
                    .map_err(|bad| lines + bad.number)?;
                begin = end;
            }
        }
        let mut whole = Table::default();
        for table in all {
            whole = whole.merge(table);
        }
        Ok(whole.summary().unwrap().to_string())
    }

    #[test]
    fn a_table_that_travels_arrives_as_it_was_or_not_at_all() {
        let mut table = Table::default();
        table.add("Zürich;-3.4\nOslo;99.9\nOslo;1.0".as_bytes()).unwrap();
        let json = serde_json::to_string(&table).unwrap();
        let arrived: Table = serde_json::from_str(&json).unwrap();
        assert_eq!(arrived.summary(), table.summary());

        let one = |name: &str, figures: [i64; 4]| {
            let [count, sum, min, max] = figures;
            let json = format!(
                "[false, [[{name:?}, {{\"count\": {count}, \"sum\": {sum}, \
                 \"min\": {min}, \"max\": {max}}}]]]"
            );
            serde_json::from_str::<Table>(&json).is_ok()
        };
        assert!(one("Oslo", [2, 10, 4, 6]));
        assert!(!one("", [2, 10, 4, 6]));
        assert!(!one("O;lo", [2, 10, 4, 6]));
        assert!(!one(&"o".repeat(101), [2, 10, 4, 6]));
        assert!(!one("Oslo", [0, 0, 0, 0]));
        assert!(!one("Oslo", [i64::MAX, 0, 0, 0]));
        assert!(!one("Oslo", [2, 13, 4, 6]));
        assert!(!one("Oslo", [1, 1000, 1000, 1000]));
        assert!(!one("Oslo", [1, 5, 6, 4]));
    }

    proptest! {
        #[test]
        fn a_well_formed_file_has_the_same_summary_however_it_is_divided(
            lines in vec(("[a-cé☃]{1,3}", -999_i64..=999), 1..60),
            cuts in vec(any::<Index>(), 0..8),
            tables in 1_usize..5,
            ends: bool,
        ) {
            let lines = lines.into_iter().map(|(name, tenths)| {
                format!("{name};{}", Tenths(tenths))
            });
            let mut file = lines.collect::<Vec<_>>().join("\n");
            if ends {
                file.push('\n');
            }
            let expected = reference(&file);
            prop_assert!(expected.is_ok());
            prop_assert_eq!(divided(&file, &cuts, tables), expected);
        }

        #[test]
        fn the_first_bad_line_is_the_same_for_any_division(
            lines in vec("[a;]{0,2};?-?[0-9;]{0,2}[.]?[0-9-]{0,2}", 1..6),
            good in vec("[a-c]{1,2};-?[0-9]{1,2}[.][0-9]", 0..20),
            cuts in vec(any::<Index>(), 0..8),
            tables in 1_usize..5,
        ) {
            let file = [good, lines].concat().join("\n") + "x\n";
            prop_assert_eq!(divided(&file, &cuts, tables), reference(&file));
        }

        #[test]
        fn random_bytes_harm_nobody(piece: Vec<u8>) {
            let mut table = Table::default();
            if let Err(bad) = table.add(&piece) {
                let text = bad.to_string();
                let (_, shown) = text.split_once("begins with: ").unwrap();
                prop_assert!(shown.chars().count() <= SHOWN);
                prop_assert!(!shown.chars().any(char::is_control));
            }
        }
    }

    /// A file's summary, or the number of its first bad line.
    fn of(file: &[u8]) -> Result<String, u64> {
        let mut table = Table::default();
        table.add(file).map_err(|bad| bad.number)?;
        Ok(table.summary().unwrap().to_string())
    }

    #[test]
    fn a_half_is_rounded_upwards() {
        assert_eq!(of(b"a;0.0\na;-0.1\n").unwrap(), "{a=-0.1/0.0/0.0}");
        assert_eq!(of(b"a;0.0\na;0.1").unwrap(), "{a=0.0/0.1/0.1}");
        assert_eq!(of(b"a;-0.2\na;-0.1").unwrap(), "{a=-0.2/-0.1/-0.1}");
        assert_eq!(of(b"a;-99.9\na;99.9").unwrap(), "{a=-99.9/0.0/99.9}");
        assert_eq!(of(b"a;-0.0").unwrap(), "{a=0.0/0.0/0.0}");
    }

    #[test]
    fn names_are_in_the_order_of_their_bytes() {
        // In UTF-16 the last two would change places.
        let file = "\u{1f600};1.0\n\u{ff5e};1.0\nb;1.0\nB;1.0\n a;1.0\n";
        assert_eq!(
            of(file.as_bytes()).unwrap(),
            "{ a=1.0/1.0/1.0, B=1.0/1.0/1.0, b=1.0/1.0/1.0, \
             \u{ff5e}=1.0/1.0/1.0, \u{1f600}=1.0/1.0/1.0}"
        );
    }

    #[test]
    fn a_line_is_well_formed_or_bad() {
        let long = |n: usize| ["n".repeat(n).as_bytes(), b";1.0"].concat();
        assert!(of(&long(100)).is_ok());
        for bad in [
            b"".as_slice(),
            b"\n",
            b";1.0",
            b"a",
            b"a;",
            b"a;1",
            b"a;1.",
            b"a;.1",
            b"a;1.00",
            b"a;100.0",
            b"a;-100.0",
            b"a;+1.0",
            b"a;1,0",
            b"a; 1.0",
            b"a;1.0 ",
            b"a;1.0\r",
            b"a;1.0\r\n",
            b"a;--1.0",
            b"a;-",
            b"a;1e1",
            b"a;b;1.0",
            b"a;;1.0",
            b"a;NaN",
            b"\xff;1.0",
            b"a\xc3;1.0",
            b"a\t1.0",
            b"\0",
            b"a;1.0;",
            &long(101),
        ] {
            assert_eq!(of(bad), Err(1), "{:?}", bad.escape_ascii().to_string());
            let second = [b"a;1.0\n", bad].concat();
            if !bad.is_empty() {
                assert_eq!(of(&second), Err(2));
            }
        }
    }

    #[test]
    fn ten_thousand_names_are_enough() {
        let add = |table: &mut Table, names: std::ops::Range<u32>| {
            for name in names {
                table.add(format!("{name};1.0\n").as_bytes()).unwrap();
            }
        };
        let mut one = Table::default();
        add(&mut one, 0..10_000);
        add(&mut one, 0..10_000);
        assert!(one.summary().is_ok());

        let mut one = Table::default();
        add(&mut one, 0..10_001);
        assert_eq!(
            one.add(b"bad\n").unwrap_err().number,
            1,
            "the bad line comes first"
        );
        assert_eq!(one.summary(), Err(TooManyNames));

        let (mut one, mut other) = <(Table, Table)>::default();
        add(&mut one, 0..6_000);
        add(&mut other, 5_000..10_001);
        assert_eq!(one.merge(other).summary(), Err(TooManyNames));
    }
}
