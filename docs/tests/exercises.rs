//! The test of each exercise fails before its solution, and passes after it.

use std::{
    collections::BTreeSet,
    env,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use docs::book::{files, read, workspace};
use harness::STEPS;
use regex::Regex;

/// The tests of the exercises, `NN-name.rs`, and their solutions,
/// `NN-name.patch`.
const FOLDER: &str = "docs/solutions";

/// Where the exercises are set.
const PAGE: &str = "docs/src/exercises.md";

/// How a test begins its message while the exercise isn't solved.
const NOT_YET: &str = "Not yet";

struct Exercise {
    name: String,
    step: &'static str,
}

impl Exercise {
    fn test(&self) -> String {
        format!("{FOLDER}/{}.rs", self.name)
    }

    fn solution(&self) -> String {
        format!("{FOLDER}/{}.patch", self.name)
    }

    /// Where a learner puts the test.
    fn place(&self) -> String {
        format!("{}/tests/exercise.rs", self.step)
    }
}

/// All exercises, in order.
fn exercises() -> Vec<Exercise> {
    let binary = Regex::new(r#"env!\("CARGO_BIN_EXE_([^"]+)"\)"#).unwrap();
    let exercise = |path: PathBuf| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let test = read(&path).unwrap();
        let named = binary.captures(&test).map(|it| it[1].to_owned());
        let step = STEPS.into_iter().find(|it| Some(*it) == named.as_deref());
        let step = step.unwrap_or_else(|| panic!("{name} runs no step"));
        Exercise { name, step }
    };
    files(FOLDER, "rs").into_iter().map(exercise).collect()
}

/// The files below a folder that aren't hidden and weren't built.
fn sources(root: &Path) -> io::Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder))? {
            let entry = entry?;
            let name = entry.file_name();
            if name == "target" || name.to_string_lossy().starts_with('.') {
                continue;
            }
            let path = folder.join(name);
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else {
                found.insert(path);
            }
        }
    }
    Ok(found)
}

/// A copy of the workspace in which solutions are tried. It is kept, with all
/// that was built in it, so that only the first run takes long.
struct Copy {
    folder: PathBuf,
    _lock: File,
}

impl Copy {
    /// Waits until nobody else uses it.
    fn open() -> io::Result<Self> {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("exercises");
        fs::create_dir_all(folder.join("workspace"))?;
        let lock = File::create(folder.join("lock"))?;
        lock.lock()?;
        Ok(Self { folder, _lock: lock })
    }

    fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.folder.join("workspace").join(path)
    }

    /// Makes it the same as the workspace, and puts the test of an exercise in
    /// its place. What is the same already isn't touched: cargo would build
    /// all that depends on it.
    fn renew(&self, exercise: &Exercise) -> io::Result<()> {
        let sources = sources(&workspace(""))?;
        for path in &sources {
            let bytes = match String::from_utf8(fs::read(workspace(path))?) {
                Ok(text) => text.replace("\r\n", "\n").into_bytes(),
                Err(error) => error.into_bytes(),
            };
            let to = self.path(path);
            if !fs::read(&to).is_ok_and(|old| old == bytes) {
                fs::create_dir_all(to.parent().expect("it is in the copy"))?;
                fs::write(to, bytes)?;
            }
        }
        for old in self::sources(&self.path(""))?.difference(&sources) {
            fs::remove_file(self.path(old))?;
        }
        let place = self.path(exercise.place());
        fs::copy(workspace(exercise.test()), place).map(drop)
    }

    /// Builds the test of an exercise and runs it, as a learner does. Returns
    /// whether it passed, and what it printed.
    fn test(&self, exercise: &Exercise) -> Result<(bool, String), String> {
        let cargo = |last: &str| {
            let mut command =
                Command::new(env::var_os("CARGO").unwrap_or("cargo".into()));
            command
                .args(["test", "--locked", "--quiet", "--color=never"])
                .args(["-p", exercise.step, "--test", "exercise", last])
                .env("CARGO_TARGET_DIR", self.folder.join("target"))
                // Whatever this test itself was built with.
                .env_remove("CARGO_BUILD_TARGET")
                .env_remove("CARGO_ENCODED_RUSTFLAGS")
                .env_remove("RUSTFLAGS")
                .env_remove("RUSTC_WORKSPACE_WRAPPER")
                // Without it, linking is quicker.
                .env("CARGO_PROFILE_DEV_DEBUG", "none")
                .env("RUST_BACKTRACE", "0");
            self.run(&mut command)
        };
        let (built, said) = cargo("--no-run")?;
        // Each error and each warning of the compiler points at a line.
        if !built || said.contains(" --> ") {
            return Err(format!("it doesn't build without a warning:\n{said}"));
        }
        cargo("--no-fail-fast")
    }

    fn apply(&self, solution: &str) -> Result<(), String> {
        let mut command = Command::new("git");
        command
            .arg("apply")
            .arg(workspace(solution))
            // In a folder of a repository, git would skip all other folders.
            .env("GIT_CEILING_DIRECTORIES", &self.folder)
            .env_remove("GIT_DIR")
            .env_remove("GIT_WORK_TREE")
            .env_remove("GIT_INDEX_FILE");
        let (applied, said) = self.run(&mut command)?;
        if applied {
            return Ok(());
        }
        Err(format!(
            "the solution doesn't apply to the step as it is now. Make its \
             change by hand, then `git diff --no-color > {solution}`, and take \
             the change back:\n{said}"
        ))
    }

    fn run(&self, command: &mut Command) -> Result<(bool, String), String> {
        let output = command.current_dir(self.path("")).output();
        let output = output.map_err(|error| {
            let program = command.get_program().display();
            format!("{program}, which this test needs, can't be run: {error}")
        })?;
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        Ok((output.status.success(), text))
    }

    /// Returns what was seen, or what should have been.
    fn try_out(&self, exercise: &Exercise) -> Result<String, String> {
        self.renew(exercise).map_err(|error| format!("no copy: {error}"))?;
        let start = Instant::now();
        let (passed, said) =
            self.test(exercise).map_err(|error| format!("before, {error}"))?;
        if passed && said.contains("running 0 tests") {
            return Ok("can't be seen on this system".into());
        }
        if passed {
            return Err("its test passes before the solution".into());
        }
        let panics = said.matches("panicked at ").count();
        if panics == 0 || said.matches(NOT_YET).count() != panics {
            return Err(format!("before, not only `{NOT_YET}`:\n{said}"));
        }
        let before = start.elapsed();

        self.apply(&exercise.solution())?;
        let start = Instant::now();
        let (passed, said) =
            self.test(exercise).map_err(|error| format!("after, {error}"))?;
        if !passed {
            return Err(format!(
                "its test fails after the solution too:\n{said}"
            ));
        }
        let after = start.elapsed();
        Ok(format!("fails ({before:.1?}), solved passes ({after:.1?})"))
    }
}

/// With `EXERCISE=12` in the environment, only those that begin so.
#[test]
fn each_exercise_fails_before_its_solution_and_passes_after() {
    let only = env::var("EXERCISE").unwrap_or_default();
    let copy = Copy::open().unwrap();
    let mut tried = 0;
    let mut mistakes = Vec::new();
    for exercise in exercises() {
        if !exercise.name.starts_with(&only) {
            continue;
        }
        tried += 1;
        let seen = copy.try_out(&exercise).unwrap_or_else(|mistake| {
            mistakes.push(format!("{}: {mistake}", exercise.name));
            "not as it should be, see below".into()
        });
        // Shown while it runs: it takes minutes the first time.
        writeln!(io::stderr(), "{}: {seen}", exercise.name).ok();
    }
    assert!(tried > 0, "there is no exercise {only}");
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}

#[test]
fn each_exercise_is_set_with_a_hint_before_its_solution() {
    let page = read(PAGE).unwrap();
    let mut rest = page.as_str();
    let mut step_before = "";
    let exercises = exercises();
    assert!(exercises.len() >= 12);
    for (index, exercise) in exercises.iter().enumerate() {
        let Exercise { name, step } = exercise;
        let number = index + 1;
        assert!(name.starts_with(&format!("{number:02}-")), "{name}");
        let mut parts = Vec::new();
        if *step != step_before {
            step_before = step;
            parts.push(format!("\n## Step {}\n", &step[4..5]));
        }
        parts.extend([
            format!("\n### {number}. "),
            "\n**Do:** ".into(),
            "\n**Predict:** ".into(),
            "\n**See:** ".into(),
            format!("\ncp {} {}\n", exercise.test(), exercise.place()),
            format!("\ncargo test -p {step} --test exercise\n"),
            "\n<summary>Hint</summary>\n".into(),
            "\n<summary>Solution</summary>\n".into(),
            format!("\ngit apply {}\n", exercise.solution()),
            format!("\n{{{{#include ../solutions/{name}.patch}}}}\n"),
        ]);
        for part in parts {
            let at = rest.find(&part);
            let at = at.unwrap_or_else(|| {
                panic!(
                    "{PAGE}, exercise {number}: no {part:?} where it belongs"
                )
            });
            // The line break is also that before the next part.
            rest = &rest[at + part.trim_end().len()..];
        }
    }
    assert!(!rest.contains("\n### "), "an exercise that has no test: {rest}");
    let solutions = files(FOLDER, "patch").len();
    assert_eq!(solutions, exercises.len(), "each test has its solution");
}
