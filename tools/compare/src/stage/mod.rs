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
    future::pending,
    io::{self, Write},
    sync::{Arc, LazyLock},
};

use futures::{StreamExt, future::LocalBoxFuture, stream::FuturesUnordered};
use tokio::{
    sync::{
        mpsc::{UnboundedSender, unbounded_channel},
        oneshot,
    },
    task::spawn_blocking,
};

use crate::{
    measure::{Failure, programs},
    options::Options,
};
use lane::{Lane, Order};
use log::Log;
use web::{To, What};

/// Shows the servers live until the future is dropped, which kills the servers
/// it has started.
///
/// # Errors
/// When a program can't be built, or the page can't be served.
pub async fn run(options: &Options) -> Result<bool, Failure> {
    let (subjects, programs) =
        (options.subjects(), programs::find(options).await?);
    let log = Arc::new(Log::new(options));
    let (sender, mut orders) = unbounded_channel();
    let (address, server) = web::serve(options.live_port, &log, sender)?;
    spawn_blocking(|| [&web::DIFFERENCE, &web::MOVES].map(LazyLock::force));
    let mut running = FuturesUnordered::new();
    let mut lanes = Vec::new();
    for subject in subjects.iter().enumerate() {
        let (sender, orders) = unbounded_channel();
        let lane = Lane::new(subject, options, &programs, &log);
        running.push(lane.run(orders));
        lanes.push(sender);
    }
    let line =
        format!("the stage: http://{address} (Ctrl-C stops everything)\n");
    // Standard output may be closed: then the address isn't wanted.
    io::stdout().write_all(line.as_bytes()).ok();
    tokio::pin!(server);
    let mut turns: LocalBoxFuture<()> = Box::pin(pending());
    loop {
        tokio::select! {
            ended = &mut server => return Ok(ended.map(|()| false)?),
            Some(()) = running.next() => (),
            () = &mut turns => turns = Box::pin(pending()),
            Some((to, what)) = orders.recv() => {
                let ends_turns = matches!(what, What::Cancel | What::Restart);
                let chosen = match to {
                    // If it's cancelled, it's the next lane's turn.
                    To::Lane(number) => lanes.get(number..=number),
                    To::Turns if !ends_turns => {
                        turns = Box::pin(in_turns(what, &lanes));
                        None
                    }
                    To::All | To::Turns => {
                        if ends_turns {
                            turns = Box::pin(pending());
                        }
                        Some(&*lanes)
                    }
                };
                for lane in chosen.unwrap_or_default() {
                    lane.send((what, None)).ok();
                }
            }
        }
    }
}

/// One lane after the other.
async fn in_turns(what: What, lanes: &[UnboundedSender<Order>]) {
    for lane in lanes {
        let (turn, ended) = oneshot::channel();
        lane.send((what, Some(turn))).ok();
        ended.await.ok();
    }
}
