//! Two files' lines, each beside its counterpart.

use std::{mem, ops::Range};

use similar::{Algorithm, DiffTag, capture_diff_slices};

use crate::{
    units::{Unit, units},
    words::{Kind, Word, words},
};

/// How many lines that are the same stand around what differs.
const CONTEXT: usize = 3;

/// What lines have in common that begin with the same three words: `async fn
/// blocking`, however its parameters are wrapped.
const SAME_BEGINNING: f64 = 0.25;

/// A fold of fewer lines would save nothing.
const FOLD: usize = 3;

/// The share of their letters that two lines must have in common to stand
/// beside each other. By less than half, changed words are a patchwork.
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

/// Some lines that are shown together, or folded together.
#[derive(Clone, Debug)]
pub struct Part {
    /// The function that this is in, or what is folded.
    pub caption: String,
    /// Whether a line that says `caption` stands for it.
    pub folded: bool,
    /// The lines.
    pub rows: Vec<Row>,
}

/// A line beside its counterpart.
#[derive(Clone, Debug)]
pub struct Row {
    /// The line in the earlier step.
    pub old: Option<Line>,
    /// The line in the later step.
    pub new: Option<Line>,
}

/// What has become of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is the same in both steps.
    Same,
    /// Some of its words are others.
    Changed,
    /// The later step doesn't have it.
    Removed,
    /// The earlier step doesn't have it.
    Added,
}

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number, from 1 on.
    pub number: usize,
    /// Its text, the end of the line included.
    pub pieces: Vec<Piece>,
}

/// A part of a line with one colour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// What it says.
    pub text: String,
    /// Its colour.
    pub kind: Kind,
    /// Whether the line's counterpart says something else here.
    pub changed: bool,
}

impl Row {
    /// What has become of the line.
    pub fn change(&self) -> Change {
        match (&self.old, &self.new) {
            (Some(old), Some(new)) if old.text() == new.text() => Change::Same,
            (Some(_), Some(_)) => Change::Changed,
            (Some(_), None) => Change::Removed,
            (None, _) => Change::Added,
        }
    }

    /// Whether more has changed than empty lines.
    fn differs(&self) -> bool {
        self.change() != Change::Same && !self.is_blank()
    }

    fn is_blank(&self) -> bool {
        let mut lines = self.old.iter().chain(&self.new);
        lines.all(|it| it.text().trim().is_empty())
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
        self.pieces.iter().map(|it| it.text.as_str()).collect()
    }
}

impl File {
    /// Compares two texts; a file that isn't there has none.
    pub fn new(
        name: impl Into<String>,
        old: Option<&str>,
        new: Option<&str>,
    ) -> Self {
        let parts = parts(
            &lines(&words(old.unwrap_or_default())),
            &lines(&words(new.unwrap_or_default())),
        );
        let parts = match (old, new) {
            (Some(_), Some(_)) => parts,
            // In full, and as one.
            _ => {
                let rows = parts.into_iter().flat_map(|it| it.rows).collect();
                let caption = if old.is_none() { "A new file" } else { "Gone" };
                vec![Part { caption: caption.into(), folded: false, rows }]
            }
        };
        let (in_old, in_new) = (old.is_some(), new.is_some());
        Self { name: name.into(), in_old, in_new, parts }
    }
}

type Words<'a> = [Vec<Word<'a>>];

/// The words of each line.
pub(crate) fn lines<'a>(words: &[Word<'a>]) -> Vec<Vec<Word<'a>>> {
    words.split_inclusive(|it| it.text == "\n").map(<[_]>::to_vec).collect()
}

fn parts(old: &Words, new: &Words) -> Vec<Part> {
    let mut parts = Parts::default();
    let (old_units, new_units) = (units(old), units(new));
    for (a, b) in matched(old, &old_units, new, &new_units) {
        let of =
            |unit: &Option<&Unit>| unit.map_or(0..0, |it| it.lines.clone());
        let rows = rows(old, of(&a), new, of(&b));
        let unit = b.or(a);
        if unit.is_some_and(|it| it.is_preamble) {
            parts.preamble(rows);
            continue;
        }
        let caption = match (a, b) {
            (Some(a), Some(b)) if a.name != b.name => {
                format!("{} → {}", a.name, b.name)
            }
            _ => unit.map(|it| it.name.clone()).unwrap_or_default(),
        };
        parts.add(&caption, rows);
    }
    parts.finish()
}

/// The units of both files in order, each beside its counterpart: that of the
/// same name, or else, between two such, one that is alike.
fn matched<'u>(
    old: &Words,
    old_units: &'u [Unit],
    new: &Words,
    new_units: &'u [Unit],
) -> Vec<(Option<&'u Unit>, Option<&'u Unit>)> {
    let names = |units: &'u [Unit]| -> Vec<&'u str> {
        units.iter().map(|it| it.name.as_str()).collect()
    };
    let (old_names, new_names) = (names(old_units), names(new_units));
    let ops = capture_diff_slices(Algorithm::Myers, &old_names, &new_names);
    let mut matched = Vec::new();
    for op in ops {
        let (a, b) = (&old_units[op.old_range()], &new_units[op.new_range()]);
        if op.tag() == DiffTag::Equal {
            matched.extend(a.iter().map(Some).zip(b.iter().map(Some)));
            continue;
        }
        let pairs = pair(a, b, |a, b| {
            let (a, b) = (a.lines.clone(), b.lines.clone());
            likeness(&old[a].concat(), &new[b].concat())
        });
        let side = |units: &'u [Unit], i: Option<usize>| i.map(|i| &units[i]);
        matched
            .extend(pairs.into_iter().map(|(i, j)| (side(a, i), side(b, j))));
    }
    matched
}

fn rows(
    old: &Words,
    old_range: Range<usize>,
    new: &Words,
    new_range: Range<usize>,
) -> Vec<Row> {
    let mut rows = Vec::new();
    let (old_start, new_start) = (old_range.start, new_range.start);
    let (old, new) = (&old[old_range], &new[new_range]);
    for op in capture_diff_slices(Algorithm::Patience, old, new) {
        let (a, b) = (op.old_range(), op.new_range());
        let pairs = if op.tag() == DiffTag::Equal {
            (0..a.len()).map(|i| (Some(i), Some(i))).collect()
        } else {
            pair(&old[a.clone()], &new[b.clone()], |a, b| {
                let begin = beginning(a).zip(beginning(b));
                let begin = begin.is_some_and(|(a, b)| a == b);
                likeness(a, b) + if begin { SAME_BEGINNING } else { 0.0 }
            })
        };
        for (i, j) in pairs {
            let old_line = i.map(|i| &old[a.start + i]);
            let new_line = j.map(|j| &new[b.start + j]);
            let (old_marks, new_marks) = marks(old_line, new_line);
            let line = |words: &Vec<Word>, at: usize, marks: &[bool]| Line {
                number: at + 1,
                pieces: pieces(words, marks),
            };
            let old_at = old_start + a.start + i.unwrap_or(0);
            let new_at = new_start + b.start + j.unwrap_or(0);
            rows.push(Row {
                old: old_line.map(|it| line(it, old_at, &old_marks)),
                new: new_line.map(|it| line(it, new_at, &new_marks)),
            });
        }
    }
    rows
}

/// Pairs of what is alike, in order, so that all pairs together are as alike
/// as can be; what has no partner stands alone.
fn pair<T>(
    old: &[T],
    new: &[T],
    likeness: impl Fn(&T, &T) -> f64,
) -> Vec<(Option<usize>, Option<usize>)> {
    let width = new.len() + 1;
    let alike: Vec<f64> = old
        .iter()
        .flat_map(|a| new.iter().map(|b| likeness(a, b)).collect::<Vec<_>>())
        .collect();
    let alike = |i: usize, j: usize| {
        Some(alike[i * new.len() + j]).filter(|it| *it >= ALIKE)
    };
    // The best sum of what follows, from each pair of places on.
    let mut best = vec![0.0_f64; (old.len() + 1) * width];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            let alone = best[(i + 1) * width + j].max(best[i * width + j + 1]);
            let both = alike(i, j).map(|it| it + best[(i + 1) * width + j + 1]);
            best[i * width + j] = both.map_or(alone, |both| both.max(alone));
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut pairs = Vec::new();
    while i < old.len() || j < new.len() {
        let here = |i: usize, j: usize| best[i * width + j];
        let both = i < old.len()
            && j < new.len()
            && alike(i, j)
                .is_some_and(|it| it + here(i + 1, j + 1) >= here(i, j));
        if both {
            pairs.push((Some(i), Some(j)));
            (i, j) = (i + 1, j + 1);
        } else if i < old.len()
            && (j == new.len() || here(i + 1, j) >= here(i, j + 1))
        {
            pairs.push((Some(i), None));
            i += 1;
        } else {
            pairs.push((None, Some(j)));
            j += 1;
        }
    }
    pairs
}

/// The share of their letters that two texts have in common, in order.
fn likeness(old: &[Word], new: &[Word]) -> f64 {
    let length = |words: &[Word]| -> usize {
        words.iter().map(|it| it.text.trim().len()).sum()
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
    let code = line.iter().filter(|it| it.kind != Kind::Comment);
    let mut words = code.map(|it| it.text.trim());
    let mut next = || words.find(|it| !it.is_empty());
    Some([next()?, next()?, next()?])
}

/// Which words of two lines are others in the counterpart.
fn marks(
    old: Option<&Vec<Word>>,
    new: Option<&Vec<Word>>,
) -> (Vec<bool>, Vec<bool>) {
    let (Some(old), Some(new)) = (old, new) else {
        // There is no counterpart to point at words in.
        let none =
            |words: Option<&Vec<Word>>| vec![false; words.map_or(0, Vec::len)];
        return (none(old), none(new));
    };
    let mut marks = (vec![false; old.len()], vec![false; new.len()]);
    for op in capture_diff_slices(Algorithm::Myers, old, new) {
        if op.tag() != DiffTag::Equal {
            marks.0[op.old_range()].fill(true);
            marks.1[op.new_range()].fill(true);
        }
    }
    join(old, &mut marks.0);
    join(new, &mut marks.1);
    marks
}

/// Marks the space between two marked words, and no end of a line.
fn join(words: &[Word], marks: &mut [bool]) {
    for i in 0..words.len() {
        if words[i].text.trim().is_empty() {
            marks[i] =
                i > 0 && i + 1 < marks.len() && marks[i - 1] && marks[i + 1];
        }
    }
}

fn pieces(words: &[Word], marks: &[bool]) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    for (word, &changed) in words.iter().zip(marks) {
        match pieces.last_mut() {
            Some(it) if (it.kind, it.changed) == (word.kind, changed) => {
                it.text.push_str(word.text);
            }
            _ => pieces.push(Piece {
                text: word.text.into(),
                kind: word.kind,
                changed,
            }),
        }
    }
    pieces
}

/// Collects parts, and folds what doesn't matter.
#[derive(Default)]
struct Parts {
    parts: Vec<Part>,
    /// What is the same and waits to be folded.
    same: Vec<Row>,
}

impl Parts {
    fn push(&mut self, caption: String, folded: bool, rows: Vec<Row>) {
        self.flush();
        self.parts.push(Part { caption, folded, rows });
    }

    fn preamble(&mut self, rows: Vec<Row>) {
        let changed = match rows.iter().filter(|it| it.differs()).count() {
            0 => "the same".to_owned(),
            n => format!("{} changed", lines_of(n)),
        };
        self.push(format!("Header and imports: {changed}"), true, rows);
    }

    /// Shows what differs in a unit and a little around it.
    fn add(&mut self, caption: &str, mut rows: Vec<Row>) {
        // Empty lines between units belong to nobody.
        let end = rows.iter().rposition(|it| !it.is_blank());
        let blank = rows.split_off(end.map_or(0, |it| it + 1));
        let differs: Vec<usize> =
            (0..rows.len()).filter(|&i| rows[i].differs()).collect();
        let near =
            |i: usize| differs.iter().any(|it| it.abs_diff(i) <= CONTEXT);
        let mut shown: Vec<bool> = (0..rows.len()).map(near).collect();
        if !differs.is_empty() {
            for run in runs(&shown) {
                if !shown[run.start] && run.len() < FOLD {
                    shown[run].fill(true);
                }
            }
        }
        let runs = runs(&shown);
        let mut rows = rows.into_iter();
        for run in runs {
            let is_shown = shown[run.start];
            let rows = rows.by_ref().take(run.len());
            match is_shown {
                true => self.push(caption.into(), false, rows.collect()),
                false => self.same.extend(rows),
            }
        }
        self.same.extend(blank);
    }

    fn flush(&mut self) {
        let rows = mem::take(&mut self.same);
        if rows.is_empty() {
            return;
        }
        let are = if rows.len() == 1 { "is" } else { "are" };
        let caption = format!("{} that {are} the same", lines_of(rows.len()));
        self.parts.push(Part { caption, folded: true, rows });
    }

    fn finish(mut self) -> Vec<Part> {
        self.flush();
        self.parts
    }
}

fn lines_of(n: usize) -> String {
    if n == 1 { "1 line".into() } else { format!("{n} lines") }
}

/// The ranges in which all values are the same.
fn runs(values: &[bool]) -> Vec<Range<usize>> {
    let mut runs = Vec::new();
    let mut start = 0;
    for run in values.chunk_by(|a, b| a == b) {
        runs.push(start..start + run.len());
        start += run.len();
    }
    runs
}
