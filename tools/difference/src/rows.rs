//! Two files' lines, each beside its counterpart.

use similar::{Algorithm, DiffTag, TextDiff, capture_diff_slices};

use crate::{
    items::items,
    lexer::{Kind, Word, lex},
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

/// The caption of what comes before a file's first item.
const PREAMBLE: &str = "Header and imports";

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

fn parts(old: &str, new: &str) -> Vec<Part> {
    let (old_words, new_words) = (lex(old), lex(new));
    let (old, new) = (units(old, &old_words), units(new, &new_words));
    let (old_keys, new_keys) = (keys(&old), keys(&new));
    let diff = TextDiff::from_slices(&old_keys, &new_keys);
    let none = Unit::default();
    let mut placed = Vec::new();
    for unit in diff.iter_all_changes() {
        let old = unit.old_index().map_or(&none, |i| &old[i]);
        let new = unit.new_index().map_or(&none, |i| &new[i]);
        let name = if new.lines.is_empty() { &old.name } else { &new.name };
        let rows = rows(&old.lines, &new.lines);
        let shown = shown(&rows);
        placed.extend(rows.into_iter().zip(shown).map(|(row, is_shown)| {
            let is_named = is_shown || name == PREAMBLE;
            (is_named.then_some(name.as_str()), row)
        }));
    }
    let old_lines = placed.iter_mut().flat_map(|(_, row)| &mut row.old);
    old_lines.zip(1..).for_each(|(line, number)| line.number = number);
    let new_lines = placed.iter_mut().flat_map(|(_, row)| &mut row.new);
    new_lines.zip(1..).for_each(|(line, number)| line.number = number);
    let part = |run: &[(Option<&str>, Row)]| {
        let rows: Vec<Row> = run.iter().map(|(_, row)| row.clone()).collect();
        let name = run[0].0;
        let caption = match name {
            Some(PREAMBLE) => {
                match rows.iter().filter(|row| row.differs()).count() {
                    0 => format!("{PREAMBLE}: the same"),
                    1 => format!("{PREAMBLE}: 1 line changed"),
                    n => format!("{PREAMBLE}: {n} lines changed"),
                }
            }
            Some(name) => name.into(),
            None if rows.len() == 1 => "1 line that is the same".into(),
            None => format!("{} lines that are the same", rows.len()),
        };
        let folded = name.is_none_or(|name| name == PREAMBLE);
        Part { caption, folded, rows }
    };
    placed.chunk_by(|a, b| a.0 == b.0).map(part).collect()
}

/// A function, a type or another item, or a part of one.
#[derive(Default)]
struct Unit<'a> {
    name: String,
    lines: Vec<Words<'a>>,
}

/// Divides all the lines of a file.
fn units<'a>(source: &str, words: Words<'a>) -> Vec<Unit<'a>> {
    let is_end = |word: &Word| word.text == "\n";
    let lines: Vec<_> = words.split_inclusive(is_end).collect();
    let mut names = vec![PREAMBLE.to_owned(); lines.len()];
    for item in items(source) {
        names[item.lines].fill(item.name);
    }
    let named: Vec<_> = names.into_iter().zip(lines).collect();
    let units = named.chunk_by(|a, b| a.0 == b.0);
    let unit = |lines: &[(String, Words<'a>)]| Unit {
        name: lines[0].0.clone(),
        lines: lines.iter().map(|(_, words)| *words).collect(),
    };
    units.map(unit).collect()
}

/// What has the same in both files is the same unit, even if a function has
/// become a method.
fn keys<'u>(units: &'u [Unit]) -> Vec<&'u str> {
    let key = |unit: &'u Unit| unit.name.rsplit("::").next().unwrap_or("");
    units.iter().map(key).collect()
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

fn rows(old: &[Words], new: &[Words]) -> Vec<Row> {
    let mut rows = Vec::new();
    for op in capture_diff_slices(Algorithm::Patience, old, new) {
        let (old, new) = (&old[op.old_range()], &new[op.new_range()]);
        if op.tag() == DiffTag::Equal {
            let both = old.iter().zip(new);
            rows.extend(both.map(|(old, new)| row(Some(old), Some(new))));
        } else {
            pair(old, new, &mut rows);
        }
    }
    rows
}

/// Places the two lines side by side that are most alike; then, in the same way,
/// the ones before them and the ones after them. What is like no other is alone.
fn pair(old: &[Words], new: &[Words], rows: &mut Vec<Row>) {
    let all = (0..old.len()).flat_map(|i| (0..new.len()).map(move |j| (i, j)));
    let all = all.map(|(i, j)| (likeness(old[i], new[j]), i, j));
    let alike = all.filter(|pair| pair.0 >= ALIKE);
    if let Some((_, i, j)) = alike.reduce(|a, b| if b.0 > a.0 { b } else { a })
    {
        pair(&old[..i], &new[..j], rows);
        rows.push(row(Some(old[i]), Some(new[j])));
        pair(&old[i + 1..], &new[j + 1..], rows);
    } else {
        rows.extend(old.iter().map(|line| row(Some(line), None)));
        rows.extend(new.iter().map(|line| row(None, Some(line))));
    }
}

/// The share of their letters that two lines have in common, in order.
fn likeness(old: Words, new: Words) -> f64 {
    let length = |words: Words| -> usize {
        words.iter().map(|word| word.text.trim().len()).sum()
    };
    let ops = capture_diff_slices(Algorithm::Myers, old, new);
    let same = ops.iter().filter(|op| op.tag() == DiffTag::Equal);
    let common: usize = same.map(|op| length(&old[op.old_range()])).sum();
    // Two empty lines have no letters.
    let share = 2.0 * common as f64 / (length(old) + length(new)).max(1) as f64;
    let [old, new] = [old, new].map(|line| -> Vec<_> {
        let code = line.iter().filter(|word| word.kind != Kind::Comment);
        code.filter(|word| !word.text.trim().is_empty()).take(3).collect()
    });
    let bonus = if old.len() == 3 && old == new { SAME_BEGINNING } else { 0.0 };
    share + bonus
}

/// Two lines side by side, and which of their words differ.
fn row(old: Option<Words>, new: Option<Words>) -> Row {
    let mut old_marks = vec![false; old.map_or(0, <[_]>::len)];
    let mut new_marks = vec![false; new.map_or(0, <[_]>::len)];
    if let (Some(old), Some(new)) = (old, new) {
        for op in capture_diff_slices(Algorithm::Myers, old, new) {
            if op.tag() != DiffTag::Equal {
                old_marks[op.old_range()].fill(true);
                new_marks[op.new_range()].fill(true);
            }
        }
    }
    let line = |words, marks| Line { number: 0, pieces: pieces(words, marks) };
    Row {
        old: old.map(|words| line(words, old_marks)),
        new: new.map(|words| line(words, new_marks)),
    }
}

fn pieces(words: Words, mut marks: Vec<bool>) -> Vec<Piece> {
    // A space is marked if both its neighbours are; a line break never is.
    for i in 0..words.len() {
        if words[i].text.trim().is_empty() {
            marks[i] =
                i > 0 && i + 1 < marks.len() && marks[i - 1] && marks[i + 1];
        }
    }
    let words: Vec<_> = words.iter().zip(marks).collect();
    let runs = words.chunk_by(|a, b| (a.0.kind, a.1) == (b.0.kind, b.1));
    let piece = |run: &[(&Word, bool)]| Piece {
        text: run.iter().map(|(word, _)| word.text).collect(),
        kind: run[0].0.kind,
        changed: run[0].1,
    };
    runs.map(piece).collect()
}
