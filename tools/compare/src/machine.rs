//! What it was measured on.

use std::thread;

use serde::Serialize;
use sysinfo::{CpuRefreshKind, RefreshKind, System};

use harness::PROFILE;

/// A machine, and the build that ran on it.
#[derive(Debug, Serialize)]
pub struct Machine {
    pub cpu: String,
    /// How many cores this process may use.
    pub cores: Option<usize>,
    pub os: String,
    /// The build profile of this program and of the steps.
    pub profile: &'static str,
}

impl Machine {
    /// This one.
    pub fn this() -> Self {
        let cpu = RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing());
        let system = System::new_with_specifics(cpu);
        let brand = system.cpus().first().map(|cpu| cpu.brand().trim());
        let os = System::long_os_version();
        Self {
            cpu: brand
                .filter(|brand| !brand.is_empty())
                .unwrap_or("an unknown CPU")
                .to_owned(),
            cores: thread::available_parallelism().ok().map(Into::into),
            os: format!(
                "{}, {}",
                os.as_deref().unwrap_or("an unknown system"),
                System::cpu_arch(),
            ),
            profile: PROFILE,
        }
    }
}
