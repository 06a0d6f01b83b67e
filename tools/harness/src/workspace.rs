use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::LazyLock,
};

/// The steps, in order. A new one takes part everywhere by its line here.
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

/// The profile that this crate was built with, and so the steps.
pub const PROFILE: &str =
    if cfg!(debug_assertions) { "dev" } else { "release" };

/// The folder of the workspace.
pub fn workspace() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).unwrap_or(package)
}

/// A command that builds packages of the workspace, in the profile of this
/// crate. Add `--package`, and `--example` where it isn't the package's own
/// program; what it prints is for [`programs`].
pub fn build() -> Command {
    let mut command = cargo("build");
    command.args(["--profile", PROFILE]);
    command
}

fn cargo(command: &str) -> Command {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut cargo = Command::new(cargo);
    cargo
        .current_dir(workspace())
        .args([command, "--message-format=json-render-diagnostics"])
        .stdin(Stdio::null());
    cargo
}

/// Where the programs are that [`build`] has built, by name: its standard
/// output says so
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

/// Whether a step's program lies beside this one: then [`build`] has little to
/// do.
pub fn is_built(step: &str) -> bool {
    let beside = |program: PathBuf| program.with_file_name(step);
    let name = env::current_exe().map(beside).unwrap_or_default();
    name.with_extension(env::consts::EXE_EXTENSION).is_file()
}

/// Builds a step, or an example of it. Returns where its program is.
///
/// In the profile of tests an example must have been built, as `cargo test` does
/// with those of its package.
///
/// # Errors
/// When cargo can't be run, or can't build it: what it said.
pub fn program(step: &str, example: Option<&str>) -> Result<PathBuf, String> {
    static TESTED: LazyLock<Result<BTreeMap<String, PathBuf>, String>> =
        LazyLock::new(|| {
            // As `cargo test --workspace` has built them. For one package alone
            // cargo would choose other features, and build most of what it
            // depends on once more.
            let mut command = cargo("test");
            run(command.args(["--no-run", "--workspace", "--test", "contract"]))
        });
    let name = example.unwrap_or(step);
    let built = match example {
        Some(example) if PROFILE == "dev" => {
            return built_example(example).ok_or_else(|| {
                format!("first: cargo build --package {step} --examples")
            });
        }
        None if PROFILE == "dev" => TESTED.clone()?,
        _ => {
            let mut command = build();
            command.args(["--package", step]);
            command.args(example.iter().flat_map(|it| ["--example", it]));
            run(&mut command)?
        }
    };
    let program = built.get(name).cloned();
    program.ok_or_else(|| format!("cargo has built no {name}"))
}

/// Where the program of an example is, seen from one that was built with it.
fn built_example(name: &str) -> Option<PathBuf> {
    let name = Path::new("examples").join(name);
    let name = name.with_extension(env::consts::EXE_EXTENSION);
    let this = env::current_exe().ok()?;
    let mut places = this.ancestors().map(|it| it.join(&name));
    places.find(|it| it.is_file())
}

/// Has cargo build. Returns what [`programs`] does.
fn run(command: &mut Command) -> Result<BTreeMap<String, PathBuf>, String> {
    let output = command.arg("--quiet").output();
    let output = output.map_err(|error| format!("cargo: {error}"))?;
    match output.status.success() {
        true => Ok(programs(&output.stdout)),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}
