//! Ten minutes of everything at once, for each step from 4 on:
//!
//! ```sh
//! cargo run --release -p harness --example soak > docs/results/soak.json
//! ```
//!
//! Each step runs twice. One server goes through all of it and is measured, the
//! other is stopped and started again and again while it has requests.
//! `SOAK_MINUTES` sets the time. The exit status is 0 only when no request was
//! lost and nothing has grown.

#[path = "../../../../docs/examples/figures/mod.rs"]
#[allow(dead_code)] // Some of it is for measurements of time.
mod figures;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
#[path = "../../../../step9-many-machines/tests/nats/mod.rs"]
#[allow(dead_code)] // Some of it is for tests.
mod nats;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    linux::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("only Linux shows what a server uses");
}
