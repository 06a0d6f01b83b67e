//! Everything that is compared is shown, down to the last byte.

use difference::{Change, File, Line, Row};
use fastrand::Rng;

/// Both columns of a file, put together again.
fn columns(file: &File) -> (String, String) {
    let rows = || file.parts.iter().flat_map(|part| &part.rows);
    let text = |line: Option<&Line>| line.map(Line::text).unwrap_or_default();
    (
        rows().map(|row| text(row.old.as_ref())).collect(),
        rows().map(|row| text(row.new.as_ref())).collect(),
    )
}

fn assert_whole(old: &str, new: &str) {
    let file = File::new("main.rs", Some(old), Some(new));
    assert_eq!(columns(&file), (old.to_owned(), new.to_owned()));
    let rows = || file.parts.iter().flat_map(|part| &part.rows);
    let old = rows().filter_map(|row| row.old.as_ref());
    let new = rows().filter_map(|row| row.new.as_ref());
    assert!(old.zip(1..).all(|(line, number)| line.number == number));
    assert!(new.zip(1..).all(|(line, number)| line.number == number));
}

/// Lines of a step, in any order, among which there is any text at all.
fn source(random: &mut Rng) -> String {
    let step = include_str!("../../../step1-blocking/src/main.rs");
    let lines: Vec<_> = step.split_inclusive('\n').collect();
    let any: Vec<char> = "abcr{}/*\"'#\\\n\r\t é☃\u{1f600}\0".chars().collect();
    let mut source = String::new();
    for _ in 0..random.usize(..30) {
        if random.u8(..3) > 0 {
            source += random.choice(&lines).unwrap();
        } else {
            let length = random.usize(..12);
            source.extend((0..length).map(|_| random.choice(&any).unwrap()));
        }
    }
    source
}

#[test]
fn both_columns_put_together_are_the_files() {
    for seed in 0..500 {
        println!("seed {seed}");
        let mut random = Rng::with_seed(seed);
        assert_whole(&source(&mut random), &source(&mut random));
    }
}

#[test]
fn a_file_with_itself_has_nothing_that_differs() {
    for seed in 0..500 {
        println!("seed {seed}");
        let source = source(&mut Rng::with_seed(seed));
        let file = File::new("main.rs", Some(&source), Some(&source));
        for part in &file.parts {
            assert!(part.folded, "{}", part.caption);
            let same = |row: &Row| row.change() == Change::Same;
            assert!(part.rows.iter().all(same), "{}", part.caption);
        }
    }
}

#[test]
fn the_words_that_changed_are_marked_and_no_others() {
    let (old, new) = ("let n = count(10);\n", "let n = count_all(10);\n");
    let file = File::new("main.rs", Some(old), Some(new));
    let row = &file.parts[0].rows[0];
    assert_eq!(row.change(), Change::Changed);
    let changed = |line: &Option<Line>| -> Vec<String> {
        let pieces = line.iter().flat_map(|line| &line.pieces);
        pieces
            .filter(|piece| piece.changed)
            .map(|piece| piece.text.clone())
            .collect()
    };
    assert_eq!(changed(&row.old), ["count"]);
    assert_eq!(changed(&row.new), ["count_all"]);
}

#[test]
fn a_function_is_beside_its_namesake_even_if_that_is_a_method() {
    let old = "fn a() {\n    one(1);\n}\n\nfn b() {\n    two(2);\n}\n";
    let new = "impl C {\n    fn b() {\n        two(3);\n    }\n}\n";
    let file = File::new("main.rs", Some(old), Some(new));
    let shown: Vec<_> = file.parts.iter().filter(|it| !it.folded).collect();
    let captions: Vec<_> = shown.iter().map(|part| &*part.caption).collect();
    assert_eq!(captions, ["a", "impl C", "C::b", "impl C"]);
    let changed = |row: &Row| row.change() == Change::Changed;
    assert!(shown[2].rows.iter().all(changed), "{file:?}");
}
