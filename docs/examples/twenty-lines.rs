//! A server of twenty lines, with the loop in sight: it freezes.

use std::hint::black_box;

use actix_web::{App, HttpServer, web::get};

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let app = || {
        App::new()
            .route("/non-blocking", get().to(non_blocking))
            .route("/blocking", get().to(blocking))
    };
    HttpServer::new(app).workers(1).bind("127.0.0.1:3000")?.run().await
}

async fn non_blocking() -> &'static str {
    "This page is non-blocking."
}

async fn blocking() -> String {
    let mut n: u64 = 0;
    while n < 1_000_000_000 {
        n = black_box(n + 1);
    }
    format!("Result is {n}")
}
