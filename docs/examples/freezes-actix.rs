//! Freezes of every kind in actix-web, watched: for the tests of watch.rs. Each
//! lasts forever, on a server thread of its own.

#[path = "watch/watch.rs"]
mod watch;
#[path = "watch/actix.rs"]
mod watch_actix;

use std::sync::{Mutex, mpsc};
use std::time::Duration;
use std::{hint, io, thread};

use actix_web::{App, HttpServer, rt, web::get};
use futures::future::join_all;

const FOREVER: Duration = Duration::MAX;

#[actix_web::main]
async fn main() -> io::Result<()> {
    let server = HttpServer::new(|| {
        watch::this_thread();
        App::new()
            .route("/recv", get().to(recv))
            .route("/deadlock", get().to(deadlock))
            .route("/short", get().to(short))
            .route("/timers", get().to(timers))
            .route("/spawned", get().to(spawned))
            .route("/crowded", get().to(crowded))
            .wrap_fn(watch_actix::mark)
    })
    // They take turns, so a request doesn't meet the freeze of another one.
    .workers(16)
    .bind(("127.0.0.1", 0))?;
    println!("freezes-actix listening on http://{}", server.addrs()[0]);
    server.run().await
}

async fn recv() -> &'static str {
    let (_sender, receiver) = mpsc::channel();
    receiver.recv().unwrap_or("nothing")
}

async fn deadlock() -> &'static str {
    static FIRST: Mutex<()> = Mutex::new(());
    static SECOND: Mutex<()> = Mutex::new(());
    let _first = FIRST.lock();
    let (sender, held) = mpsc::channel();
    thread::spawn(move || {
        let _second = SECOND.lock();
        sender.send(()).ok();
        let _first = FIRST.lock();
    });
    held.recv().ok();
    let _mine = SECOND.lock();
    "locked"
}

async fn short() -> &'static str {
    thread::sleep(Duration::from_millis(150));
    "slept"
}

async fn timers() -> &'static str {
    join_all((0..1000).map(|_| rt::time::sleep(Duration::from_millis(300))))
        .await;
    "waited"
}

/// Panics while it has a name. Then a task without a name freezes its thread.
async fn spawned() -> &'static str {
    rt::spawn(async { thread::sleep(FOREVER) });
    panic!("on purpose");
}

/// Computes beside threads that leave it a small share of the cores.
async fn crowded() -> &'static str {
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get());
    for _ in 0..4 * cores {
        thread::spawn(compute);
    }
    compute()
}

fn compute() -> ! {
    loop {
        hint::spin_loop();
    }
}
