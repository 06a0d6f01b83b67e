//! For axum: `Router::new()….layer(from_fn(watch_axum::mark))`.

use axum::{extract::Request, middleware::Next, response::Response};

use crate::watch::marked;

/// Names each handler by its request's method and path.
pub async fn mark(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let name = [request.method().as_str(), " ", path].concat();
    marked(name, next.run(request)).await
}
