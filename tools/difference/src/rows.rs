//! Two files' lines, each beside its counterpart.

use std::ops::Range;

use similar::{Algorithm, DiffTag, capture_diff_slices};

use crate::{
    lexer::{Kind, Word, lex},
    units::{Unit, units},
};

/// How many unchanged lines surround the changed ones.
const CONTEXT: usize = 3;

/// Added for lines that begin with the same three words: `async fn blocking`,
/// however its parameters are wrapped.
const SAME_BEGINNING: f64 = 0.25;

/// Folding fewer lines would save nothing.
const FOLD: usize = 3;

/// The share of their letters that two lines must have in common to be placed
/// side by side. With less than half, changed words are a patchwork.
const ALIKE: f64 = 0.5;

/// A file of two steps.
#[derive(Clone, Debug)]
pub struct File {
    /// Its path below `src`.
    pub name: String,
    /// Whether the earlier step has it.
    pub in_old: bool,
    /// Whether the later step has it.
    pub in_new: bool,
    /// All of both texts, in order.
    pub parts: Vec<Part>,
}

/// Lines that are shown together, or folded together.
#[derive(Clone, Debug)]
pub struct Part {
    /// The function around them, or what is folded.
    pub caption: String,
    /// Whether only `caption` is shown at first.
    pub folded: bool,
    /// The lines.
    pub rows: Vec<Row>,
}

/// A line next to its counterpart.
#[derive(Clone, Debug)]
pub struct Row {
    /// The line in the earlier step.
    pub old: Option<Line>,
    /// The line in the later step.
    pub new: Option<Line>,
}

/// What happened to a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is the same in both steps.
    Same,
    /// Some of its words differ.
    Changed,
    /// The later step doesn't have it.
    Removed,
    /// The earlier step doesn't have it.
    Added,
}

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number, counted from 1.
    pub number: usize,
    /// Its text, including the line break.
    pub pieces: Vec<Piece>,
}

/// A part of a line with one colour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Its text.
    pub text: String,
    /// Its colour.
    pub kind: Kind,
    /// Whether the line's counterpart differs here.
    pub changed: bool,
}

impl Row {
    /// What happened to the line.
    pub fn change(&self) -> Change {
        match (&self.old, &self.new) {
            (Some(old), Some(new)) if old.text() == new.text() => Change::Same,
            (Some(_), Some(_)) => Change::Changed,
            (Some(_), None) => Change::Removed,
            (None, _) => Change::Added,
        }
    }

    /// Whether anything but empty lines has changed.
    fn differs(&self) -> bool {
        self.change() != Change::Same && !self.is_blank()
    }

    fn is_blank(&self) -> bool {
        let mut lines = self.old.iter().chain(&self.new);
        lines.all(|line| line.text().trim().is_empty())
    }
}

impl Part {
    /// Whether it has no text at all, only empty lines.
    pub fn is_blank(&self) -> bool {
        self.rows.iter().all(Row::is_blank)
    }
}

impl Line {
    /// All of its text.
    pub fn text(&self) -> String {
        self.pieces.iter().map(|piece| piece.text.as_str()).collect()
    }
}

impl File {
    /// Compares two texts. A new or removed file has only one, and is shown in
    /// full.
    pub fn new(
        name: impl Into<String>,
        old: Option<&str>,
        new: Option<&str>,
    ) -> Self {
        let (in_old, in_new) = (old.is_some(), new.is_some());
        let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
        let mut parts = parts(old, new);
        if !(in_old && in_new) {
            let rows = parts.into_iter().flat_map(|part| part.rows).collect();
            let caption = if in_new { "A new file" } else { "Gone" };
            parts = vec![Part { caption: caption.into(), folded: false, rows }];
        }
        Self { name: name.into(), in_old, in_new, parts }
    }
}

type Words<'a> = &'a [Word<'a>];

/// Where a line is shown.
#[derive(PartialEq)]
enum Place {
    Preamble,
    Folded,
    Under(String),
}

fn parts(old: &str, new: &str) -> Vec<Part> {
    let (old_words, new_words) = (lex(old), lex(new));
    let is_end = |word: &Word| word.text == "\n";
    let old_lines: Vec<_> = old_words.split_inclusive(is_end).collect();
    let new_lines: Vec<_> = new_words.split_inclusive(is_end).collect();
    let (old_units, new_units) = (units(old), units(new));
    let mut placed = Vec::new();
    for (a, b) in matched(&old_lines, &old_units, &new_lines, &new_units) {
        let range = |unit: Option<&Unit>| unit.map(|unit| unit.lines.clone());
        let (old_range, new_range) = (range(a), range(b));
        let rows = rows(
            &old_lines,
            old_range.unwrap_or_default(),
            &new_lines,
            new_range.unwrap_or_default(),
        );
        let Some(unit) = b.or(a) else { continue };
        let caption = match a {
            Some(a) if a.name != unit.name => {
                format!("{} → {}", a.name, unit.name)
            }
            _ => unit.name.clone(),
        };
        let shown = shown(&rows);
        placed.extend(rows.into_iter().zip(shown).map(|(row, is_shown)| {
            let place = if unit.is_preamble {
                Place::Preamble
            } else if is_shown {
                Place::Under(caption.clone())
            } else {
                Place::Folded
            };
            (place, row)
        }));
    }
    let part = |run: &[(Place, Row)]| {
        let rows: Vec<Row> = run.iter().map(|(_, row)| row.clone()).collect();
        let caption = match &run[0].0 {
            Place::Under(caption) => caption.clone(),
            Place::Preamble => {
                let changed = rows.iter().filter(|row| row.differs()).count();
                match changed {
                    0 => "Header and imports: the same".into(),
                    1 => "Header and imports: 1 line changed".into(),
                    n => format!("Header and imports: {n} lines changed"),
                }
            }
            Place::Folded if rows.len() == 1 => {
                "1 line that is the same".into()
            }
            Place::Folded => format!("{} lines that are the same", rows.len()),
        };
        let folded = !matches!(run[0].0, Place::Under(_));
        Part { caption, folded, rows }
    };
    placed.chunk_by(|a, b| a.0 == b.0).map(part).collect()
}

/// Which lines of a unit are shown: the changed ones, and a few around them.
fn shown(rows: &[Row]) -> Vec<bool> {
    // The empty lines after a unit aren't part of it.
    let end = rows.iter().rposition(|row| !row.is_blank());
    let end = end.map_or(0, |last| last + 1);
    let differs: Vec<_> = (0..end).filter(|&i| rows[i].differs()).collect();
    let near = |i: usize| differs.iter().any(|d| d.abs_diff(i) <= CONTEXT);
    let mut shown: Vec<_> = (0..end).map(near).collect();
    if !differs.is_empty() {
        for run in shown.chunk_by_mut(|a, b| a == b) {
            if run.len() < FOLD {
                run.fill(true);
            }
        }
    }
    shown.resize(rows.len(), false);
    shown
}

/// The units of both files in order, each next to its counterpart: the one with
/// the same name, or otherwise, between two of those, a similar one.
fn matched<'u>(
    old: &[Words],
    old_units: &'u [Unit],
    new: &[Words],
    new_units: &'u [Unit],
) -> Vec<(Option<&'u Unit>, Option<&'u Unit>)> {
    let names = |units: &'u [Unit]| -> Vec<&'u str> {
        units.iter().map(|unit| unit.name.as_str()).collect()
    };
    let (old_names, new_names) = (names(old_units), names(new_units));
    let ops = capture_diff_slices(Algorithm::Myers, &old_names, &new_names);
    let pairs = ops.into_iter().flat_map(|op| {
        let (a, b) = (&old_units[op.old_range()], &new_units[op.new_range()]);
        pairs(op.tag(), a, b, |a, b| {
            let (a, b) = (a.lines.clone(), b.lines.clone());
            likeness(&old[a].concat(), &new[b].concat())
        })
        .into_iter()
        .map(|(i, j)| (i.map(|i| &a[i]), j.map(|j| &b[j])))
    });
    pairs.collect()
}

fn rows(
    old: &[Words],
    old_range: Range<usize>,
    new: &[Words],
    new_range: Range<usize>,
) -> Vec<Row> {
    let (old_start, new_start) = (old_range.start, new_range.start);
    let (old, new) = (&old[old_range], &new[new_range]);
    let ops = capture_diff_slices(Algorithm::Patience, old, new);
    let rows = ops.into_iter().flat_map(|op| {
        let (a, b) = (op.old_range(), op.new_range());
        pairs(op.tag(), &old[a.clone()], &new[b.clone()], |a, b| {
            let begin =
                beginning(a).filter(|begin| beginning(b) == Some(*begin));
            likeness(a, b) + begin.map_or(0.0, |_| SAME_BEGINNING)
        })
        .into_iter()
        .map(move |(i, j)| {
            let (i, j) = (i.map(|i| a.start + i), j.map(|j| b.start + j));
            row(
                i.map(|i| (old_start + i + 1, old[i])),
                j.map(|j| (new_start + j + 1, new[j])),
            )
        })
    });
    rows.collect()
}

/// Pairs of similar elements, in order, chosen so that the pairs are as alike
/// as possible altogether. An element without a partner is alone.
fn pairs<T>(
    tag: DiffTag,
    old: &[T],
    new: &[T],
    likeness: impl Fn(&T, &T) -> f64,
) -> Vec<(Option<usize>, Option<usize>)> {
    if tag == DiffTag::Equal {
        return (0..old.len()).map(|i| (Some(i), Some(i))).collect();
    }
    // From each pair of positions on: the best sum, and the first step towards
    // it.
    let mut best = vec![vec![(0.0, (0, 0)); new.len() + 1]; old.len() + 1];
    for i in (0..=old.len()).rev() {
        for j in (0..=new.len()).rev() {
            let value = |step| match step {
                (1, 1) => Some(likeness(old.get(i)?, new.get(j)?))
                    .filter(|value| *value >= ALIKE),
                (1, _) => old.get(i).map(|_| 0.0),
                _ => new.get(j).map(|_| 0.0),
            };
            let sums =
                [(1, 1), (1, 0), (0, 1)].into_iter().filter_map(|step| {
                    Some((value(step)? + best[i + step.0][j + step.1].0, step))
                });
            let sum = sums.reduce(|a, b| if b.0 > a.0 { b } else { a });
            best[i][j] = sum.unwrap_or_default();
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut pairs = Vec::new();
    while i < old.len() || j < new.len() {
        let (_, (a, b)) = best[i][j];
        pairs.push(((a == 1).then_some(i), (b == 1).then_some(j)));
        (i, j) = (i + a, j + b);
    }
    pairs
}

/// The share of their letters that two texts have in common, in order.
fn likeness(old: &[Word], new: &[Word]) -> f64 {
    let length = |words: &[Word]| -> usize {
        words.iter().map(|word| word.text.trim().len()).sum()
    };
    let common: usize = capture_diff_slices(Algorithm::Myers, old, new)
        .iter()
        .filter(|op| op.tag() == DiffTag::Equal)
        .map(|op| length(&old[op.old_range()]))
        .sum();
    match length(old) + length(new) {
        // Two empty lines.
        0 => 1.0,
        all => 2.0 * common as f64 / all as f64,
    }
}

/// The first three words of a line of code, if it has as many.
fn beginning<'a>(line: &[Word<'a>]) -> Option<[&'a str; 3]> {
    let code = line.iter().filter(|word| word.kind != Kind::Comment);
    let mut words =
        code.map(|word| word.text.trim()).filter(|text| !text.is_empty());
    Some([words.next()?, words.next()?, words.next()?])
}

/// Two lines with their numbers, side by side, and which words differ.
fn row(old: Option<(usize, Words)>, new: Option<(usize, Words)>) -> Row {
    let marks = |side: Option<(usize, Words)>| {
        vec![false; side.map_or(0, |line| line.1.len())]
    };
    let (mut old_marks, mut new_marks) = (marks(old), marks(new));
    if let (Some((_, old)), Some((_, new))) = (old, new) {
        for op in capture_diff_slices(Algorithm::Myers, old, new) {
            if op.tag() != DiffTag::Equal {
                old_marks[op.old_range()].fill(true);
                new_marks[op.new_range()].fill(true);
            }
        }
    }
    let line = |side: Option<(usize, Words)>, marks: &mut [bool]| {
        side.map(|(number, words)| Line {
            number,
            pieces: pieces(words, marks),
        })
    };
    Row { old: line(old, &mut old_marks), new: line(new, &mut new_marks) }
}

fn pieces(words: Words, marks: &mut [bool]) -> Vec<Piece> {
    // A space is marked if both its neighbours are; a line break never is.
    for i in 0..words.len() {
        if words[i].text.trim().is_empty() {
            marks[i] =
                i > 0 && i + 1 < marks.len() && marks[i - 1] && marks[i + 1];
        }
    }
    let words: Vec<_> = words.iter().zip(marks).collect();
    let same = |a: &(&Word, &mut bool), b: &(&Word, &mut bool)| {
        (a.0.kind, &a.1) == (b.0.kind, &b.1)
    };
    let piece = |run: &[(&Word, &mut bool)]| Piece {
        text: run.iter().map(|(word, _)| word.text).collect(),
        kind: run[0].0.kind,
        changed: *run[0].1,
    };
    words.chunk_by(same).map(piece).collect()
}
