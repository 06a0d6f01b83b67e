//! All servers at once, live, on one page that only this machine can use.
//!
//! | module | what it holds |
//! |---|---|
//! | `lane` | one server: it is started, probed, and sent requests |
//! | `log` | what has happened in the last seconds, for every browser |
//! | `threads` | which threads of a server run, where the system tells |
//! | `web` | the page, its events and its buttons |

mod lane;
mod log;
mod threads;
mod web;

use std::{
    io::{self, Write},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::mpsc::unbounded_channel,
    task::{AbortHandle, JoinSet},
};

use crate::{
    measure::{Failure, programs},
    options::Options,
    plan::Plan,
};
use lane::Lane;
use log::Log;
use web::{Order, To, What};

/// Shows the servers live until the future is dropped, which kills those that
/// it has started.
///
/// # Errors
/// When a program can't be had, or the page can't be served.
pub async fn run(options: &Options) -> Result<bool, Failure> {
    let plan = Plan::new(options);
    let programs = Arc::new(programs::find(&plan, options.quiet).await?);
    let log = Arc::new(Log::new(&plan));
    let interval = Duration::from_millis(plan.settings.interval_ms as u64);
    let (orders, mut received) = unbounded_channel();
    let (address, server) = web::serve(options.live_port, &log, orders)?;
    // To drop it is to kill the servers.
    let mut running = JoinSet::new();
    let mut lanes = Vec::new();
    for (number, subject) in plan.subjects.iter().enumerate() {
        let lane = Arc::new(Lane::new(number, log.clone(), plan.patience()));
        let (programs, settings) = (programs.clone(), plan.settings.clone());
        let run =
            lane.clone().run(subject.clone(), programs, settings, interval);
        running.spawn(run);
        lanes.push(lane);
    }
    let line = format!("the stage: http://{address} (Ctrl-C stops all)\n");
    // Who has closed standard output doesn't want to know.
    io::stdout().write_all(line.as_bytes()).ok();
    tokio::pin!(server);
    let mut turns: Option<AbortHandle> = None;
    loop {
        tokio::select! {
            ended = &mut server => return Ok(ended.map(|()| false)?),
            Some(order) = received.recv() => {
                // To cancel one lane gives the turn to the next.
                let ends = match order.to {
                    To::Lane(_) => false,
                    To::All => order.what == What::Cancel,
                    To::Turns => true,
                };
                turns.take_if(|_| ends).inspect(AbortHandle::abort);
                carry_out(order, &lanes, &mut turns);
            }
        }
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
        To::Turns if what != What::Cancel => {
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
