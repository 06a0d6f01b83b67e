//! The page, its events and its buttons.

use std::{
    future::ready,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, LazyLock},
    time::Duration,
};

use actix_web::{
    App, Error, HttpRequest, HttpResponse, HttpServer, Responder,
    dev::Server,
    guard::GuardContext,
    http::header,
    rt::time::sleep,
    web::{Bytes, Data, Path, get, post, scope},
};
use common::EventStream;
use difference::{Difference, html, tasks};
use futures::stream;
use page::file;
use serde::Deserialize;
use tokio::sync::mpsc::UnboundedSender;

use super::log::Log;

/// How often the events are sent to a browser.
const BEAT: Duration = Duration::from_millis(100);

const HTML: &str = "text/html; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Path, content type and text of each of the pages' files.
fn files() -> [(&'static str, &'static str, String); 8] {
    let typeface = "body { font-family: system-ui, sans-serif; }";
    let style = format!("{}\n{typeface}", html::style());
    let script = format!("{}\n{}", html::SCRIPT, include_str!("lesson.js"));
    [
        ("/", HTML, include_str!("stage.html").into()),
        ("/stage.css", STYLE, include_str!("stage.css").into()),
        ("/stage.js", SCRIPT, include_str!("stage.js").into()),
        ("/axis.css", STYLE, page::AXIS_STYLE.into()),
        ("/axis.js", SCRIPT, page::AXIS_SCRIPT.into()),
        ("/favicon.ico", "image/svg+xml", page::ICON.into()),
        ("/difference.css", STYLE, style),
        ("/difference.js", SCRIPT, script),
    ]
}

/// Which lanes.
pub enum To {
    Lane(usize),
    /// At the same time.
    All,
    /// One at a time.
    Turns,
}

/// What a button or a key asks for.
#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum What {
    Blocking,
    Waiting,
    Failing,
    Burst,
    Cancel,
    Restart,
}

type Html = LazyLock<Result<String, String>>;

/// What changed from step to step, as the servers were when the stage began.
/// Making it takes so long that a key would get lost.
pub static DIFFERENCE: Html = LazyLock::new(|| {
    Ok(html::page("From step to step", "", &Difference::all()?))
});
pub static MOVES: Html = LazyLock::new(tasks::moves);

/// Listens on the loopback address only. Returns the address, and the server to
/// be polled.
///
/// # Errors
/// When the port is taken.
pub fn serve(
    port: u16,
    log: &Arc<Log>,
    orders: UnboundedSender<(To, What)>,
) -> io::Result<(SocketAddr, Server)> {
    let (log, orders) = (Data::from(log.clone()), Data::new(orders));
    let server = HttpServer::new(move || {
        let mut shown = scope("").guard(is_this_host);
        for (path, kind, text) in files() {
            let response = move || ready(file(kind, text.clone()));
            shown = shown.route(path, get().to(response));
        }
        App::new()
            .app_data(log.clone())
            .app_data(orders.clone())
            .route("/send/{to}/{what}", post().guard(is_this_page).to(send))
            .service(
                shown
                    .route("/events", get().to(events))
                    .route("/difference.html", get().to(|| page(&DIFFERENCE)))
                    .route("/moves.html", get().to(|| page(&MOVES))),
            )
    })
    .workers(1)
    // Beside the threads of two bursts it may have to wait for a core.
    .client_request_timeout(Duration::ZERO)
    .disable_signals()
    .bind((Ipv4Addr::LOCALHOST, port))
    .map_err(|error| {
        let text = format!(
            "can't listen on port {port}: {error}; choose another with \
             --live-port, or 0 for a free one"
        );
        io::Error::new(error.kind(), text)
    })?;
    let address = server.addrs()[0];
    Ok((address, server.run()))
}

/// Another site's name may resolve to this machine: it isn't ours.
fn is_this_host(context: &GuardContext) -> bool {
    host(context).is_some()
}

fn host<'a>(context: &'a GuardContext) -> Option<&'a str> {
    let host = context.head().headers().get(header::HOST)?.to_str().ok()?;
    let (name, _) = host.rsplit_once(':').unwrap_or((host, ""));
    matches!(name, "127.0.0.1" | "localhost").then_some(host)
}

/// Only the page itself may change something: another site's page can send a
/// POST, but the browser adds its origin.
fn is_this_page(context: &GuardContext) -> bool {
    let origin = context.head().headers().get(header::ORIGIN);
    let origin = origin.and_then(|it| it.to_str().ok());
    let host = host(context).map(|host| format!("http://{host}"));
    host.is_some() && origin == host.as_deref()
}

async fn page(html: &'static Html) -> HttpResponse {
    match &**html {
        Ok(text) => file(HTML, text.as_str()),
        Err(error) => HttpResponse::InternalServerError().body(error.as_str()),
    }
}

async fn events(request: HttpRequest, log: Data<Log>) -> HttpResponse {
    let log = log.into_inner();
    let events = stream::unfold(None, move |cursor| {
        let log = log.clone();
        async move {
            let (cursor, message) = match cursor {
                None => log.hello(),
                Some(cursor) => {
                    sleep(BEAT).await;
                    log.since(cursor)
                }
            };
            let message = Ok::<_, Error>(Bytes::from(message));
            Some((message, Some(cursor)))
        }
    });
    EventStream(events).respond_to(&request)
}

async fn send(
    path: Path<(String, What)>,
    orders: Data<UnboundedSender<(To, What)>>,
) -> HttpResponse {
    let (to, what) = path.into_inner();
    let to = match &*to {
        "all" => To::All,
        "turns" => To::Turns,
        number => match number.parse() {
            Ok(number) => To::Lane(number),
            Err(_) => return HttpResponse::NotFound().finish(),
        },
    };
    // It fails only while the stage ends.
    orders.send((to, what)).ok();
    HttpResponse::NoContent().finish()
}
