//! What it was measured on.

use std::{env::consts, fs, process::Command, thread};

use harness::PROFILE;

use crate::results::Machine;

/// This one.
pub fn this() -> Machine {
    let name = if cfg!(target_os = "linux") {
        value_in("/proc/cpuinfo", "model name", ':')
    } else if cfg!(target_os = "macos") {
        let mut command = Command::new("sysctl");
        let output = command.args(["-n", "machdep.cpu.brand_string"]).output();
        output.ok().and_then(|output| String::from_utf8(output.stdout).ok())
    } else {
        std::env::var("PROCESSOR_IDENTIFIER").ok()
    };
    let cpu = name.as_deref().map(str::trim).filter(|name| !name.is_empty());
    let os = value_in("/etc/os-release", "PRETTY_NAME", '=');
    let os =
        os.map_or(consts::OS.into(), |os| format!("{os} ({})", consts::OS));
    Machine {
        cpu: cpu.unwrap_or("an unknown CPU").to_owned(),
        cores: thread::available_parallelism().map_or(1, Into::into),
        os: format!("{os}, {}", consts::ARCH),
        profile: PROFILE.into(),
    }
}

/// The value of the first line in a file that begins with this name.
fn value_in(file: &str, name: &str, separator: char) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    let (_, value) = line.split_once(separator)?;
    Some(value.trim().trim_matches('"').to_owned())
}
