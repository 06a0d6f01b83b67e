//! `my-server/`: the learner's own package. The learner's work is never lost:
//! everything is copied before it is replaced, and each file is replaced in one
//! go or not at all.

use std::{
    env,
    fmt::Display,
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use harness::{STEPS, programs, workspace};
use serde::{Deserialize, Serialize};

use crate::{
    look::guarded,
    task::{Files, Task, sources},
};

/// How far the learner is.
#[derive(Default, Deserialize, Serialize)]
pub struct Progress {
    /// The name of the task at hand.
    pub task: String,
    /// The tasks that the learner's own code has solved.
    pub solved: Vec<String>,
    /// The tasks whose solution was taken over.
    pub taken: Vec<String>,
    /// The code that the task at hand began with.
    #[serde(default)]
    pub begun: Files,
    /// What the learner expects to see in the task at hand.
    pub prediction: String,
    /// How long the learner's servers have been frozen, in total.
    pub frozen_ms: f64,
}

impl Progress {
    /// Whether a task is solved, or its solution was taken over.
    pub fn is_done(&self, task: &Task) -> bool {
        self.solved.contains(&task.name) || self.taken.contains(&task.name)
    }
}

/// The package.
#[derive(Clone)]
pub struct Server {
    folder: PathBuf,
}

/// The result of building it.
pub struct Built {
    /// Where the program is, unless there is an error.
    pub program: Option<PathBuf>,
    /// The compiler's messages.
    pub messages: String,
}

fn told<E: Display>(path: &Path) -> impl Fn(E) -> String {
    move |error| format!("{}: {error}", path.display())
}

/// Replaces a file. Killed at any moment, this leaves the old or the new one.
fn replace(path: &Path, text: &str) -> Result<(), String> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = folder.join(format!(".{name}.new"));
    let write = || {
        fs::create_dir_all(folder)?;
        let mut file = fs::File::create(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    write().map_err(told(path))
}

/// The manifest of a package with the workspace's versions and profiles, and
/// with the dependencies of the last step that a task begins with.
fn manifest(name: &str) -> Result<String, String> {
    let part = |folder: &str, begin: &str, end: &str| {
        let path = workspace().join(folder).join("Cargo.toml");
        let text = fs::read_to_string(&path).map_err(told(&path))?;
        let part = text.split_once(begin).and_then(|it| it.1.split_once(end));
        let part = part.map(|it| it.0.to_owned());
        part.ok_or_else(|| format!("{}: no {begin}", path.display()))
    };
    let dependencies =
        part(STEPS[6], "[dependencies]", "\n[dev-dependencies]")?;
    // Cargo would warn that the release profile names other packages.
    let shared = part("", "[workspace.dependencies]", "[profile.release")?;
    let paths = format!("path = \"{}/", workspace().display());
    let shared = shared.replace("path = \"", &paths.replace('\\', "/"));
    Ok(format!(
        "# Made by `cargo run -p learn`.\n[package]\nname = \"{name}\"\n\
         version = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\
         {dependencies}\n[workspace]\n\n[workspace.dependencies]{shared}"
    ))
}

/// The target folder that this program was built in.
fn target() -> PathBuf {
    let program = env::current_exe().unwrap_or_default();
    // Cargo marks each of them with that file.
    let is_target = |it: &&Path| it.join("CACHEDIR.TAG").exists();
    let built = program.ancestors().find(is_target);
    built.map_or_else(|| workspace().join("target"), Path::to_owned)
}

impl Server {
    /// Makes the package, or brings it up to date with the workspace.
    pub fn open(folder: &Path) -> Result<Self, String> {
        let server = Self { folder: folder.into() };
        // Named after its folder, so that each folder has its own program.
        replace(&folder.join("Cargo.toml"), &manifest(&server.name())?)?;
        // Cargo adds the package to it, and changes no version.
        let lock = workspace().join("Cargo.lock");
        let lock = fs::read_to_string(&lock).map_err(told(&lock))?;
        replace(&folder.join("Cargo.lock"), &lock)?;
        let target = target().display().to_string().replace('\\', "/");
        replace(
            &folder.join(".cargo/config.toml"),
            &format!("[build]\ntarget-dir = \"{target}\"\n"),
        )?;
        Ok(server)
    }

    fn name(&self) -> String {
        let name = self.folder.file_name().unwrap_or_default();
        name.to_string_lossy().replace(|it: char| !it.is_alphanumeric(), "-")
    }

    /// Where the learner types.
    pub fn src(&self) -> PathBuf {
        self.folder.join("src")
    }

    /// The learner's progress so far.
    pub fn progress(&self) -> Result<Progress, String> {
        let path = self.folder.join("progress.json");
        if !path.exists() {
            return Ok(Progress::default());
        }
        let text = fs::read_to_string(&path).map_err(told(&path))?;
        serde_json::from_str(&text).map_err(told(&path))
    }

    /// Saves the learner's progress.
    pub fn save(&self, progress: &Progress) -> Result<(), String> {
        let text = serde_json::to_string_pretty(progress)
            .map_err(|it| it.to_string())?;
        replace(&self.folder.join("progress.json"), &text)
    }

    /// Copies the sources. Returns where the copies are.
    fn keep(&self, sources: &Files) -> Result<PathBuf, String> {
        let kept = self.folder.join("kept");
        let copies = fs::read_dir(&kept).into_iter().flatten().flatten();
        let number =
            |copy: fs::DirEntry| copy.file_name().to_str()?.parse::<u32>().ok();
        let last = copies.filter_map(number).max().unwrap_or(0);
        let place = kept.join(format!("{:03}", last + 1));
        for (name, text) in sources {
            replace(&place.join(name), text)?;
        }
        Ok(place)
    }

    /// Replaces the sources. Returns where the old ones are kept, if there were
    /// any, and they were different.
    pub fn put(&self, files: &Files) -> Result<Option<PathBuf>, String> {
        let old = sources(&self.src())?;
        if old == *files {
            return Ok(None);
        }
        let is_new = old.is_empty();
        let kept = (!is_new).then(|| self.keep(&old)).transpose()?;
        for (name, text) in files {
            if old.get(name) != Some(text) {
                replace(&self.src().join(name), text)?;
            }
        }
        for name in old.keys().filter(|it| !files.contains_key(*it)) {
            let path = self.src().join(name);
            fs::remove_file(&path).map_err(told(&path))?;
        }
        Ok(kept)
    }

    /// Compiles it in the workspace's target folder.
    pub fn build(&self, colour: bool) -> Result<Built, String> {
        let colour = if colour { "always" } else { "never" };
        let output = guarded(&mut harness::build(None))
            .current_dir(&self.folder)
            // From save to save, little changes: it takes half the time.
            .env("CARGO_INCREMENTAL", "1")
            .args(["--quiet", "--color", colour, "--target-dir"])
            .arg(target())
            .output()
            .map_err(|error| format!("can't run cargo: {error}"))?;
        Ok(Built {
            program: programs(&output.stdout).remove(&self.name()),
            messages: String::from_utf8_lossy(&output.stderr).into(),
        })
    }
}
