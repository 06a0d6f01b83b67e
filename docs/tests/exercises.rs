//! The test of each exercise fails before its solution, and passes after it.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Instant,
};

use docs::{files, read, workspace};
use harness::STEPS;
use regex::Regex;
use serde_json::Value;

/// The tests of the exercises, `NN-name.rs`, and their solutions,
/// `NN-name.patch`.
const FOLDER: &str = "docs/exercises";

/// Where the exercises are set.
const PAGE: &str = "docs/chapters/exercises.md";

/// How a test begins its message while the exercise isn't solved.
const NOT_YET: &str = "Not yet";

/// The number in the name of a step.
fn number_of(step: &str) -> &str {
    step[4..].split('-').next().unwrap_or_default()
}

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

    /// What its test is called where all of them are built.
    fn test_target(&self) -> String {
        format!("exercise-{}", self.name)
    }

    /// What its step is called there once it is solved.
    fn solved_target(&self) -> String {
        format!("solved-{}", self.name)
    }
}

/// All exercises, in the order of their steps.
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
    let mut exercises: Vec<_> =
        files(FOLDER, "rs").into_iter().map(exercise).collect();
    let place = |it: &Exercise| STEPS.iter().position(|step| *step == it.step);
    exercises.sort_by_key(place);
    exercises
}

/// Files and what they hold.
type Files = BTreeMap<PathBuf, Vec<u8>>;

/// The files below a folder that aren't hidden and weren't built.
fn sources(root: &Path) -> io::Result<Files> {
    let mut found = Files::new();
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
                continue;
            }
            let bytes = match String::from_utf8(fs::read(entry.path())?) {
                Ok(text) => text.replace("\r\n", "\n").into_bytes(),
                Err(error) => error.into_bytes(),
            };
            found.insert(path, bytes);
        }
    }
    Ok(found)
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(path.parent().expect("it is in a folder"))?;
    fs::write(path, bytes)
}

/// A copy of the workspace in which all exercises are built at once: their
/// tests beside those of the steps, and each step once more for each of its
/// solutions. It is kept, with all that was built in it, so that only the first
/// run takes long, and later only what has changed.
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

    /// The sources of an exercise's step with its solution.
    fn solve(&self, exercise: &Exercise) -> Result<Files, String> {
        let solution = exercise.solution();
        let folder = self.folder.join("solved");
        let step = folder.join(exercise.step);
        let no_copy = |error| format!("no copy of {}: {error}", exercise.step);
        let copy = || {
            for (path, bytes) in sources(&workspace(exercise.step))? {
                write(&step.join(path), &bytes)?;
            }
            io::Result::Ok(())
        };
        fs::remove_dir_all(&folder).ok();
        copy().map_err(no_copy)?;

        let mut command = Command::new("git");
        command
            .arg("apply")
            .arg(workspace(&solution))
            .current_dir(&folder)
            // In a folder of a repository, git would skip all other folders.
            .env("GIT_CEILING_DIRECTORIES", &self.folder)
            .env_remove("GIT_DIR")
            .env_remove("GIT_WORK_TREE")
            .env_remove("GIT_INDEX_FILE");
        let (applied, said) = run(&mut command)?;
        if applied {
            return sources(&step.join("src")).map_err(no_copy);
        }
        Err(format!(
            "{solution} doesn't fit the step as it is now: see CONTRIBUTING.md, \
             *When a step has changed*:\n{said}"
        ))
    }

    /// Makes it hold these files and no others. What is the same already isn't
    /// touched: cargo would build all that depends on it.
    fn renew(&self, files: &Files) -> io::Result<()> {
        let root = self.folder.join("workspace");
        let old = sources(&root)?;
        for (path, bytes) in files {
            if old.get(path) != Some(bytes) {
                write(&root.join(path), bytes)?;
            }
        }
        for path in old.keys().filter(|path| !files.contains_key(*path)) {
            fs::remove_file(root.join(path))?;
        }
        Ok(())
    }

    /// Builds the tests, with all programs of their steps. Returns where each
    /// of them is.
    fn build(
        &self,
        exercises: &[Exercise],
    ) -> Result<BTreeMap<String, PathBuf>, String> {
        let mut command =
            Command::new(env::var_os("CARGO").unwrap_or("cargo".into()));
        command
            .args(["test", "--no-run", "--locked", "--quiet", "--color=never"])
            .arg("--message-format=json-render-diagnostics")
            // What they depend on is taken from where this test was built, with
            // the same features. (A cargo before 1.91 builds it once more.)
            .arg("--workspace")
            .current_dir(self.folder.join("workspace"))
            .env("CARGO_TARGET_DIR", self.folder.join("target"))
            .env("CARGO_BUILD_BUILD_DIR", built_in())
            // Whatever this test itself was built with.
            .env_remove("CARGO_BUILD_TARGET")
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .env_remove("RUSTFLAGS")
            .env_remove("RUSTC_WORKSPACE_WRAPPER")
            // Without it, it is quicker.
            .env("CARGO_INCREMENTAL", "0");
        for exercise in exercises {
            command.args(["--test", &exercise.test_target()]);
        }
        let (built, said) = run(&mut command)?;
        let (artifacts, said): (Vec<_>, Vec<_>) =
            said.lines().partition(|line| line.starts_with('{'));
        // Each error and each warning of the compiler points at a line.
        if !built || said.iter().any(|line| line.contains(" --> ")) {
            let said = said.join("\n");
            return Err(format!("they don't build without a warning:\n{said}"));
        }
        let program = |line: &str| {
            let artifact: Value = serde_json::from_str(line).ok()?;
            let name = artifact["target"]["name"].as_str()?.to_owned();
            Some((name, artifact["executable"].as_str()?.into()))
        };
        Ok(artifacts.into_iter().filter_map(program).collect())
    }
}

/// Gives the packages of the copy another version. With the same one, cargo
/// would put what it builds of the copy in place of the workspace's own, under
/// the same names, and what is built of that later would fail (a doctest of the
/// same `cargo test`). Returns how many files it has changed.
fn as_another_version(files: &mut Files) -> usize {
    // Only what comes from elsewhere has a source between the two lines.
    let places = [
        ("Cargo.toml", "version = \"0.1.0\"\nedition"),
        ("Cargo.lock", "version = \"0.1.0\"\ndependencies"),
    ];
    let change = |(path, from): (&str, &str)| {
        let bytes = files.get_mut(Path::new(path))?;
        let text = String::from_utf8_lossy(bytes).into_owned();
        let to = from.replace("0.1.0", "0.1.0-exercises");
        *bytes = text.replace(from, &to).into_bytes();
        Some(text.contains(from))
    };
    places.into_iter().filter_map(change).filter(|it| *it).count()
}

/// The target folder that this test was built in.
fn built_in() -> PathBuf {
    let test = env::current_exe().unwrap();
    test.ancestors().nth(3).unwrap().to_owned()
}

/// Returns whether it succeeded, and what it printed.
fn run(command: &mut Command) -> Result<(bool, String), String> {
    let output = command.output().map_err(|error| {
        let program = command.get_program().display();
        format!("{program}, which this test needs, can't be run: {error}")
    })?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    Ok((output.status.success(), text))
}

/// Runs a test before the solution and after it: the program that it starts is
/// another then. Returns what was seen, or what should have been.
fn try_out(test: &Path, step: &Path, solved: &Path) -> Result<String, String> {
    let run = || run(Command::new(test).env("RUST_BACKTRACE", "0"));
    let start = Instant::now();
    let (passed, said) = run()?;
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

    let start = Instant::now();
    let (passed, said) =
        in_place_of(step, solved, run).map_err(|error| error.to_string())??;
    if !passed {
        return Err(format!("its test fails after the solution too:\n{said}"));
    }
    let after = start.elapsed();
    Ok(format!("fails ({before:.1?}), solved passes ({after:.1?})"))
}

/// Does something while one program is another.
fn in_place_of<T>(
    program: &Path,
    other: &Path,
    something: impl FnOnce() -> T,
) -> io::Result<T> {
    let aside = program.with_extension("aside");
    fs::rename(program, &aside)?;
    fs::hard_link(other, program)?;
    let done = something();
    // Should this be missed, cargo puts it right before the next run.
    fs::rename(aside, program)?;
    Ok(done)
}

/// With `EXERCISE=12` in the environment, only those that begin so.
#[test]
fn each_exercise_fails_before_its_solution_and_passes_after() {
    let only = env::var("EXERCISE").unwrap_or_default();
    let copy = Copy::open().unwrap();
    let mut files = sources(&workspace("")).unwrap();
    let mut tried = Vec::new();
    let mut mistakes = Vec::new();
    for exercise in exercises() {
        let folder = Path::new(exercise.step);
        match copy.solve(&exercise) {
            Ok(solved) => {
                let place =
                    folder.join("src/bin").join(exercise.solved_target());
                let place = |(path, text)| (place.join(path), text);
                files.extend(solved.into_iter().map(place));
                let test = files[Path::new(&exercise.test())].clone();
                let place = format!("tests/{}.rs", exercise.test_target());
                files.insert(folder.join(place), test);
                if exercise.name.starts_with(&only) {
                    tried.push(exercise);
                }
            }
            Err(mistake) if exercise.name.starts_with(&only) => {
                mistakes.push(format!("{}: {mistake}", exercise.name));
            }
            Err(_) => {}
        }
    }
    assert!(
        !tried.is_empty() || !mistakes.is_empty(),
        "there is no exercise {only}"
    );
    // Without a test to build, all of them would be.
    assert!(!tried.is_empty(), "{}", mistakes.join("\n"));
    let other = as_another_version(&mut files);
    assert_eq!(other, 2, "Cargo.toml and Cargo.lock name the version");
    copy.renew(&files).unwrap();
    let start = Instant::now();
    let programs = copy.build(&tried).unwrap_or_else(|said| panic!("{said}"));
    // Shown while it runs: it takes minutes the first time.
    writeln!(io::stderr(), "built in {:.1?}", start.elapsed()).ok();
    let try_step = |exercises: &[Exercise], step: &str| {
        let mut mistakes = Vec::new();
        for exercise in exercises.iter().filter(|it| it.step == step) {
            let test = &programs[&exercise.test_target()];
            let solved = &programs[&exercise.solved_target()];
            let seen = try_out(test, &programs[step], solved);
            let seen = seen.unwrap_or_else(|mistake| {
                mistakes.push(format!("{}: {mistake}", exercise.name));
                "not as it should be, see below".into()
            });
            writeln!(io::stderr(), "{}: {seen}", exercise.name).ok();
        }
        mistakes
    };
    // The first measures how long it counts: it is alone. Then most of the
    // tests wait most of the time, beside each other.
    let (first, others) = tried.split_at(1);
    let try_step = &try_step;
    mistakes.extend(try_step(first, first[0].step));
    thread::scope(|scope| {
        let steps: Vec<_> = STEPS
            .iter()
            .map(|step| scope.spawn(|| try_step(others, step)))
            .collect();
        mistakes.extend(steps.into_iter().flat_map(|it| it.join().unwrap()));
    });
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}

#[test]
fn each_exercise_is_set_with_a_hint_before_its_solution() {
    let page = read(PAGE).unwrap();
    let mut rest = page.as_str();
    let mut step_before = "";
    let exercises = exercises();
    let mut numbers = BTreeSet::new();
    for exercise in &exercises {
        let Exercise { name, step } = exercise;
        let number: usize = name[..2].parse().expect(name);
        numbers.insert(number);
        let mut parts = Vec::new();
        if *step != step_before {
            step_before = step;
            parts.push(format!("\n## Step {}\n", number_of(step)));
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
            format!("\n<!-- from {} -->\n", exercise.solution()),
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
    let all = (1..=exercises.len()).collect();
    assert_eq!(numbers, all, "each number from 1 on has one exercise");
    let solutions = files(FOLDER, "patch").len();
    assert_eq!(solutions, exercises.len(), "each test has its solution");
}
