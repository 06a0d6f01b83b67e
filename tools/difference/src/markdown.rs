use crate::{Change, Difference, Line, Part, Row};

/// A difference as a fenced block: everything that differs, with the lines around
/// it, under the name of its function.
pub fn markdown(difference: &Difference) -> String {
    let (old, new) = difference.steps;
    let mut text = "```diff\n".to_owned();
    for file in &difference.files {
        let path = |step, is_there| match is_there {
            true => format!("{step}/src/{}", file.name),
            false => "/dev/null".into(),
        };
        text += &format!("--- {}\n", path(old, file.in_old));
        text += &format!("+++ {}\n", path(new, file.in_new));
        let parts = file.parts.iter().filter(|part| !part.is_blank());
        for part in parts.filter(|part| !part.rows.iter().all(is_same)) {
            add(&mut text, part);
        }
    }
    text + "```\n"
}

fn add(text: &mut String, part: &Part) {
    text.push_str(&format!("@@ {} @@\n", part.caption));
    for run in part.rows.chunk_by(|a, b| is_same(a) == is_same(b)) {
        if is_same(&run[0]) {
            let shown = run.iter().filter(|_| !part.folded);
            lines(text, ' ', shown.filter_map(|row| row.new.as_ref()));
        } else {
            lines(text, '-', run.iter().filter_map(|row| row.old.as_ref()));
            lines(text, '+', run.iter().filter_map(|row| row.new.as_ref()));
        }
    }
}

fn is_same(row: &Row) -> bool {
    row.change() == Change::Same
}

fn lines<'a>(
    text: &mut String,
    sign: char,
    lines: impl Iterator<Item = &'a Line>,
) {
    for line in lines {
        let line = format!("{sign}{}", line.text());
        text.push_str(line.trim_end());
        text.push('\n');
    }
}
