use std::{
    collections::BTreeMap,
    env, io,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Mutex,
};

use crate::{locked, missing};

/// The steps, in order. A new step is included everywhere once it has a line
/// here.
pub const STEPS: [&str; 9] = [
    "step1-blocking",
    "step2-single-worker",
    "step3-multi-worker",
    "step4-worker-pool",
    "step5-back-pressure",
    "step6-shared-memory",
    "step7-cancellation",
    "step8-data-processing",
    "step9-many-machines",
];

/// The profile that this crate, and therefore the steps, were built with.
pub const PROFILE: &str =
    if cfg!(debug_assertions) { "dev" } else { "release" };

/// The folder of the workspace.
pub fn workspace() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).unwrap_or(package)
}

/// A command that builds steps, in this crate's profile. Add `--quiet` and the
/// like; its output is for [`programs`].
pub fn build<'a>(steps: impl IntoIterator<Item = &'a str>) -> Command {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(workspace())
        .args(["build", "--message-format=json-render-diagnostics"])
        .args(["--profile", PROFILE])
        .stdin(Stdio::null());
    // Cargo sets these for a program that it runs. If they reached the build
    // script of a dependency that reads them, such as ring's, the dependency
    // and all that uses it would be compiled again.
    let variables = env::vars_os().map(|(name, _)| name);
    for name in variables.filter(|name| is_cargos(&name.to_string_lossy())) {
        command.env_remove(name);
    }
    for step in steps {
        command.args(["--package", step, "--bin", step]);
    }
    command
}

fn is_cargos(variable: &str) -> bool {
    ["CARGO_MANIFEST_", "CARGO_PKG_"].iter().any(|it| variable.starts_with(it))
}

/// A process and everything it starts in turn, as cargo starts compilers. They
/// are killed when this is dropped.
#[derive(Debug)]
pub struct Group(Option<u32>);

impl Group {
    /// Runs [`build`]'s command.
    ///
    /// # Errors
    /// If it can't be run: why.
    pub fn spawn(cargo: &mut Command) -> Result<(Child, Self), String> {
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(cargo, 0);
        let child =
            cargo.spawn().map_err(|error| cannot_run(workspace(), &error))?;
        let group = Self(Some(child.id()));
        Ok((child, group))
    }

    /// Nothing is left to kill.
    pub fn has_ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(id) = self.0.and_then(|id| id.try_into().ok()) {
            use rustix::process::{Pid, Signal, kill_process_group};
            let group = Pid::from_raw(id);
            group.map(|group| kill_process_group(group, Signal::KILL));
        }
    }
}

/// Why cargo can't be run in a folder.
fn cannot_run(folder: &Path, error: &io::Error) -> String {
    if folder.is_dir() {
        return format!("can't run cargo: {error}");
    }
    format!(
        "the steps were in {} when this was built; build it again where they \
         are now",
        folder.display(),
    )
}

/// Where the programs are that [`build`] has built, by name, from its standard
/// output
/// (<https://doc.rust-lang.org/cargo/reference/external-tools.html>).
pub fn programs(built: &[u8]) -> BTreeMap<String, PathBuf> {
    let line = |line: &str| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let name = message["target"]["name"].as_str()?;
        let path = message["executable"].as_str()?;
        Some((name.to_owned(), path.into()))
    };
    String::from_utf8_lossy(built).lines().filter_map(line).collect()
}

/// Whether Node.js is installed. If it isn't, its tests are skipped, and this
/// prints that.
///
/// # Panics
/// When it isn't, and `REQUIRE_NODE` is `1`.
pub fn has_node() -> bool {
    let version = Command::new("node").arg("--version").output();
    let is_there = version.is_ok_and(|output| output.status.success());
    if !is_there {
        let text = "Node.js isn't tested: there is no node here; install it";
        missing("REQUIRE_NODE", text);
    }
    is_there
}

/// The path of a step's program, or of an example of any package, built once per
/// process. One call of cargo builds all steps.
///
/// # Errors
/// When cargo can't be run, or can't build it: with its message.
pub fn program(name: &str) -> Result<PathBuf, String> {
    static BUILT: Mutex<BTreeMap<String, PathBuf>> =
        Mutex::new(BTreeMap::new());
    let mut built = locked(&BUILT);
    if let Some(program) = built.get(name) {
        return Ok(program.clone());
    }
    let is_step = STEPS.contains(&name);
    let mut command = build(STEPS.into_iter().filter(|_| is_step));
    if !is_step {
        // In the whole workspace, it has the features it has in all tests.
        command.args(["--workspace", "--example", name]);
    }
    let output = command.arg("--quiet").output();
    let output = output.map_err(|error| cannot_run(workspace(), &error))?;
    built.append(&mut programs(&output.stdout));
    built.get(name).cloned().ok_or_else(|| {
        let error = String::from_utf8_lossy(&output.stderr);
        format!("{name} can't be built: {error}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkout_that_has_moved_is_named_with_the_remedy() {
        let error = io::Error::from(io::ErrorKind::NotFound);
        let text = cannot_run(Path::new("/no/longer/here"), &error);
        assert!(text.contains("/no/longer/here"), "{text}");
        assert!(text.contains("build it again where they are now"), "{text}");
        let text = cannot_run(workspace(), &error);
        assert!(text.starts_with("can't run cargo: "), "{text}");
    }
}
