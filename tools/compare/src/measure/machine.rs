//! What it was measured on.

use std::thread;

use harness::PROFILE;

use crate::results::Machine;

/// This one.
pub fn this() -> Machine {
    Machine {
        cpu: harness::cpu(),
        cores: thread::available_parallelism().map_or(1, Into::into),
        os: harness::os(),
        profile: PROFILE.into(),
    }
}
