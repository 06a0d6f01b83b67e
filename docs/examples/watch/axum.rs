//! For axum: `Router::new()….layer(from_fn(watch_axum::mark))`.

use axum::extract::{MatchedPath, Request};
use axum::{middleware::Next, response::Response};

use crate::watch::marked;

/// Names each handler by its request's method and route.
pub async fn mark(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or(request.uri().path(), MatchedPath::as_str);
    let name = format!("{} {route}", request.method());
    marked(name.into(), next.run(request)).await
}
