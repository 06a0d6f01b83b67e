//! Starts the servers, probes them, and says how far it is.

mod machine;
pub(crate) mod probe;
pub(crate) mod programs;
mod progress;
mod ready;
mod scaling;
mod server;

use tokio::task::spawn_blocking;

use crate::{plan::Plan, results::Results};
pub use probe::Failure;
use progress::Progress;
pub use ready::ready;

/// Carries the plan out. What is said meanwhile goes to standard error, unless
/// it is to be quiet. To drop this future ends all that it has started.
///
/// # Errors
/// When the steps can't be built. A server that can't be measured is among the
/// results, with the reason.
pub async fn measure(plan: &Plan, quiet: bool) -> Result<Results, Failure> {
    if !quiet {
        common::log(plan.sentence());
    }
    let programs = programs::find(plan, quiet).await?;
    let mut progress = Progress::start(plan, quiet);
    let mut servers = Vec::new();
    for subject in &plan.subjects {
        let server = server::measure(subject, plan, &programs, &mut progress);
        servers.push(server.await);
    }
    let scaling = scaling::measure(plan, &programs, &mut progress).await;
    progress.finish();
    let machine = spawn_blocking(machine::this).await?;
    Ok(Results::new(machine, plan.settings.clone(), servers, scaling))
}
