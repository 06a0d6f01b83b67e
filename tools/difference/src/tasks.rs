//! Moves and exercises: what to do, hints, and the solution as a difference.

use std::{collections::BTreeMap, fs, path::Path};

use harness::{STEPS, workspace};

use crate::{Difference, File, html};

/// A server's source files, by their names in `src`.
pub type Files = BTreeMap<String, String>;

/// The folders with the moves and the exercises, one Markdown file each.
const FOLDERS: [&str; 2] = ["tools/learn/moves", "docs/exercises"];

/// A move or an exercise.
#[derive(Clone, Debug)]
pub struct Task {
    /// Its file's name without the extension, which begins with its number.
    pub name: String,
    /// Its heading.
    pub title: String,
    /// What its check expects; for an exercise, the step it begins with.
    pub check: String,
    /// Why, what to do, and what to predict.
    pub text: String,
    /// The vaguest first.
    pub hints: Vec<String>,
    /// The solution.
    pub difference: String,
    /// What there was to see, shown once it's solved.
    pub seen: String,
}

impl Task {
    /// Whether it is an exercise, which begins with a step.
    pub fn step(&self) -> Option<&'static str> {
        STEPS.into_iter().find(|step| *step == self.check)
    }

    fn read(path: &Path) -> Result<Self, String> {
        let markdown = fs::read_to_string(path)
            .map_err(|error| format!("{}: {error}", path.display()))?
            .replace("\r\n", "\n");
        let parsed = Self::parse(&markdown).ok_or_else(|| {
            format!("{} isn't structured like the other tasks", path.display())
        })?;
        let name = path.file_stem().unwrap_or_default();
        Ok(Self { name: name.to_string_lossy().into(), ..parsed })
    }

    fn parse(markdown: &str) -> Option<Self> {
        let (title, rest) =
            markdown.strip_prefix("### ")?.split_once("\n\n<!-- check: ")?;
        let (check, rest) = rest.split_once(" -->\n\n")?;
        let mut parts = rest.split("<details>\n<summary>");
        let text = parts.next()?;
        let mut hints: Vec<_> = parts
            .map(|it| Some(it.split_once("</summary>")?.1.trim()))
            .collect::<Option<_>>()?;
        let (_, solution) = hints.pop()?.split_once("```diff\n")?;
        let (difference, seen) = solution.split_once("\n```\n")?;
        let inner = |text: &str| text.replace("</details>", "").trim().into();
        Some(Self {
            name: String::new(),
            title: title.into(),
            check: check.into(),
            text: text.trim().into(),
            hints: hints.into_iter().map(inner).collect(),
            difference: difference.into(),
            seen: inner(seen),
        })
    }
}

/// All moves, then all exercises.
///
/// # Errors
/// When a file can't be read: which, and why.
pub fn all() -> Result<Vec<Task>, String> {
    let mut tasks = Vec::new();
    for folder in FOLDERS {
        let folder = workspace().join(folder);
        let entries = fs::read_dir(&folder)
            .map_err(|error| format!("{}: {error}", folder.display()))?;
        let mut paths: Vec<_> =
            entries.filter_map(|it| Some(it.ok()?.path())).collect();
        paths.retain(|it| it.extension().is_some_and(|it| it == "md"));
        paths.sort();
        for path in paths {
            tasks.push(Task::read(&path)?);
        }
    }
    Ok(tasks)
}

/// A folder's source files; none if there is no such folder.
///
/// # Errors
/// When a file can't be read: why.
pub fn sources(folder: &Path) -> Result<Files, String> {
    let mut files = Files::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".rs") && !name.starts_with('.') {
            let text = fs::read_to_string(entry.path())
                .map_err(|error| format!("{name}: {error}"))?;
            files.insert(name, text.replace("\r\n", "\n"));
        }
    }
    Ok(files)
}

/// The book's server before a task: the exercise's step, or step 1 after all
/// the earlier moves.
///
/// # Errors
/// When a move doesn't fit the one before it.
pub fn before(tasks: &[Task], task: usize) -> Result<Files, String> {
    let step = |step| sources(&workspace().join(step).join("src"));
    if let Some(exercise) = tasks[task].step() {
        return step(exercise);
    }
    let moves = tasks[..task].iter();
    moves.fold(step(STEPS[0]), |files, it| apply(files?, it))
}

/// The server after a task.
///
/// # Errors
/// As for [`before`].
pub fn after(tasks: &[Task], task: usize) -> Result<Files, String> {
    apply(before(tasks, task)?, &tasks[task])
}

/// Applies a task's difference: each hunk's old lines become its new ones,
/// wherever they are.
fn apply(mut files: Files, task: &Task) -> Result<Files, String> {
    for part in format!("\n{}", task.difference).split("\n--- ").skip(1) {
        let (name, hunks) = part.split_once('\n').unwrap_or((part, ""));
        let file = files.entry(name.into()).or_default();
        for hunk in format!("\n{hunks}").split("\n@@").skip(1) {
            // The function's name may follow `@@`.
            let lines = hunk.lines().skip(1);
            let side = |other| {
                let lines =
                    lines.clone().filter(move |it| !it.starts_with(other));
                lines.map(|it| format!("{}\n", it.get(1..).unwrap_or_default()))
            };
            let (old, new): (String, String) =
                (side('+').collect(), side('-').collect());
            match file.matches(&old).count() {
                1 => *file = file.replacen(&old, &new, 1),
                _ if old.is_empty() && file.is_empty() => *file = new,
                times => {
                    return Err(format!(
                        "{}: these lines should be in one place in {name}, not \
                         in {times}:\n{old}",
                        task.name
                    ));
                }
            }
        }
    }
    Ok(files)
}

/// The name of the page with the [`moves`].
pub const PAGE: &str = "moves.html";

/// The moves for the projector, each with its verdict: a page like
/// [`html::page`], with the same keys. Its `#diff-6-7` is move 7.
///
/// # Errors
/// When a move can't be read, or doesn't fit the one before it.
pub fn moves() -> Result<String, String> {
    let mut tasks = all()?;
    tasks.retain(|task| task.step().is_none());
    let difference = |number| {
        let (old, new) = (before(&tasks, number)?, after(&tasks, number)?);
        let text = |files: &Files, name| files.get(name).cloned();
        let mut files = Vec::new();
        for name in new.keys() {
            // Even a new file is shown function by function, as it is typed.
            let old = text(&old, name).unwrap_or_default();
            if old != new[name] {
                files.push(File::new(name, Some(&old), Some(&new[name])));
            }
        }
        let (numbers, steps) =
            ((number, number + 1), ("my-server", "my-server"));
        Ok(Difference { numbers, steps, files })
    };
    let differences = (0..tasks.len()).map(difference);
    let differences = differences.collect::<Result<Vec<_>, String>>()?;
    let mut page = html::page("Move by move", "moves", &differences);
    let anonymous = html::title("my-server → my-server");
    for Task { title, check, .. } in tasks {
        let verdict =
            if check.starts_with("alive") { "alive" } else { "frozen" };
        let title = title.replace('`', "");
        let title = format!("{title}: {}", verdict.to_uppercase());
        page = page.replacen(&anonymous, &html::title(&title), 1);
    }
    Ok(page)
}
