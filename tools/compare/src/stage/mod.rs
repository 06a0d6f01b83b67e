//! All servers at once, live, on one page that only this machine can open.
//!
//! | module | what it contains |
//! |---|---|
//! | `lane` | one server: starts it, probes it, sends it requests |
//! | `log` | what happened in the last seconds, for every browser |
//! | `threads` | what a server's threads do, where the system reports it |
//! | `web` | the page, its events and its buttons |

mod lane;
mod log;
mod threads;
mod web;

use std::{
    io::{self, Write},
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

use tokio::{
    sync::mpsc::unbounded_channel,
    task::{AbortHandle, JoinSet, spawn_blocking},
};

use crate::{
    measure::{Failure, programs},
    options::Options,
};
use lane::Lane;
use log::Log;
use web::{Order, To};

/// Shows the servers live until the future is dropped, which kills the servers
/// it has started.
///
/// # Errors
/// When a program can't be built, or the page can't be served.
pub async fn run(options: &Options) -> Result<bool, Failure> {
    let programs = Arc::new(programs::find(options).await?);
    let log = Arc::new(Log::new(options));
    let interval = options.interval();
    let (orders, mut received) = unbounded_channel();
    let in_burst = spawn_blocking(|| rounds_in(lane::IN_BURST)).await?;
    let (address, server) = web::serve(options.live_port, &log, orders)?;
    spawn_blocking(|| [&web::DIFFERENCE, &web::MOVES].map(LazyLock::force));
    let mut running = JoinSet::new();
    let mut lanes = Lanes(Vec::new());
    for subject in options.subjects().iter().enumerate() {
        let lane = Arc::new(Lane::new(subject, &log, options, in_burst));
        let threads = options.threads;
        running.spawn(lane.clone().run(programs.clone(), threads, interval));
        lanes.0.push(lane);
    }
    let line =
        format!("the stage: http://{address} (Ctrl-C stops everything)\n");
    // Standard output may be closed: then the address isn't wanted.
    io::stdout().write_all(line.as_bytes()).ok();
    tokio::pin!(server);
    let mut turns: Option<AbortHandle> = None;
    loop {
        tokio::select! {
            ended = &mut server => return Ok(ended.map(|()| false)?),
            Some(order) = received.recv() => {
                // If one lane is cancelled, it's the next lane's turn.
                let ends = match order.to {
                    To::Lane(_) => false,
                    To::All => order.what.ends_turns(),
                    To::Turns => true,
                };
                turns.take_if(|_| ends).inspect(AbortHandle::abort);
                carry_out(order, &lanes.0, &mut turns);
            }
        }
    }
}

/// All of them; dropping this kills their servers.
struct Lanes(Vec<Arc<Lane>>);

impl Drop for Lanes {
    fn drop(&mut self) {
        self.0.iter().for_each(|lane| lane.kill());
        self.0.iter().for_each(|lane| lane.end());
    }
}

fn carry_out(
    Order { to, what }: Order,
    lanes: &[Arc<Lane>],
    turns: &mut Option<AbortHandle>,
) {
    match to {
        To::Lane(number) => {
            lanes.get(number).inspect(|lane| lane.obey(what));
        }
        To::Turns if !what.ends_turns() => {
            let lanes = lanes.to_vec();
            let turn = tokio::spawn(async move {
                for lane in lanes {
                    lane.obey(what);
                    lane.idle().await;
                }
            });
            *turns = Some(turn.abort_handle());
        }
        To::All | To::Turns => lanes.iter().for_each(|lane| lane.obey(what)),
    }
}

/// How far a core counts in that time.
fn rounds_in(time: Duration) -> u64 {
    const ROUNDS: u64 = 20_000_000;
    let fastest = (0..3).map(|_| {
        let start = Instant::now();
        common::count(ROUNDS);
        start.elapsed()
    });
    let fastest = fastest.min().unwrap_or(time);
    (ROUNDS as f64 * time.as_secs_f64() / fastest.as_secs_f64()) as u64
}
