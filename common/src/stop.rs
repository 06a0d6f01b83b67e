use std::{
    future::poll_fn,
    io, process,
    task::{Context, Poll},
};

use actix_web::rt::spawn;
use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};

use crate::log;

/// Is ready when someone has asked the process to end. Clones of it, in any
/// number and on any thread, are ready at the same time.
pub type StopSignal = Shared<BoxFuture<'static, ()>>;

/// Waits until someone asks the process to end: Ctrl-C, or SIGTERM where the
/// system has it.
///
/// It listens from the call on, so a signal that comes before the first poll
/// isn't lost. actix-web's own handling drops requests at a Ctrl-C; given to
/// `HttpServer::shutdown_signal`, this one lets them be answered. A second
/// signal ends the process at once, with exit status 130.
///
/// # Errors
/// When the system doesn't let the process listen for signals.
///
/// # Panics
/// Outside an actix-web runtime.
pub fn stop_signal() -> io::Result<StopSignal> {
    let mut signalled = signals()?;
    // One task listens: whoever waits only looks whether it has heard.
    let heard = spawn(async move {
        poll_fn(&mut signalled).await;
        log("stopping once every accepted request is answered \
             (Ctrl-C again: at once)");
        spawn(async move {
            poll_fn(signalled).await;
            process::exit(130);
        });
    });
    Ok(heard.map(drop).boxed().shared())
}

#[cfg(unix)]
fn signals() -> io::Result<impl FnMut(&mut Context) -> Poll<()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(move |context: &mut Context| {
        if interrupt.poll_recv(context).is_ready() {
            return Poll::Ready(());
        }
        terminate.poll_recv(context).map(drop)
    })
}

#[cfg(windows)]
fn signals() -> io::Result<impl FnMut(&mut Context) -> Poll<()>> {
    let mut ctrl_c = tokio::signal::windows::ctrl_c()?;
    Ok(move |context: &mut Context| ctrl_c.poll_recv(context).map(drop))
}
