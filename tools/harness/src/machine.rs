//! The machine that something is measured on.

use std::{env, fs, process::Command};

/// The processor's name.
pub fn cpu() -> String {
    let name = if cfg!(target_os = "linux") {
        value_in("/proc/cpuinfo", "model name", ':')
    } else if cfg!(target_os = "macos") {
        let mut command = Command::new("sysctl");
        let output = command.args(["-n", "machdep.cpu.brand_string"]).output();
        output.ok().and_then(|output| String::from_utf8(output.stdout).ok())
    } else {
        env::var("PROCESSOR_IDENTIFIER").ok()
    };
    let cpu = name.as_deref().map(str::trim).filter(|name| !name.is_empty());
    cpu.unwrap_or("an unknown CPU").to_owned()
}

/// The operating system's name, and the architecture.
pub fn os() -> String {
    let os = value_in("/etc/os-release", "PRETTY_NAME", '=');
    let os = os.map_or(env::consts::OS.into(), |os| {
        format!("{os} ({})", env::consts::OS)
    });
    format!("{os}, {}", env::consts::ARCH)
}

/// The value of the first line in a file that begins with this name.
fn value_in(file: &str, name: &str, separator: char) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    let (_, value) = line.split_once(separator)?;
    Some(value.trim().trim_matches('"').to_owned())
}
