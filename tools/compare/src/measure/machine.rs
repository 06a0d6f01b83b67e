//! What it was measured on.

use sysinfo::{CpuRefreshKind, RefreshKind, System};

use harness::PROFILE;

use crate::{plan::cores, results::Machine};

/// This one.
pub fn this() -> Machine {
    let cpu = RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing());
    let system = System::new_with_specifics(cpu);
    let brand = system.cpus().first().map(|cpu| cpu.brand().trim());
    let os = System::long_os_version();
    Machine {
        cpu: brand
            .filter(|brand| !brand.is_empty())
            .unwrap_or("an unknown CPU")
            .to_owned(),
        cores: cores(),
        os: format!(
            "{}, {}",
            os.as_deref().unwrap_or("an unknown system"),
            System::cpu_arch(),
        ),
        profile: PROFILE.into(),
    }
}
