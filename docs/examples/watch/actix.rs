//! For actix-web: `App::new().wrap_fn(watch_actix::mark)`.

use actix_web::Error;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse};

use crate::watch::marked;

/// Names each handler by its request's method and route.
pub fn mark<S, B>(
    request: ServiceRequest,
    next: &S,
) -> impl Future<Output = Result<ServiceResponse<B>, Error>> + use<S, B>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
{
    let route = request.match_pattern();
    let route = route.as_deref().unwrap_or(request.path());
    let name = format!("{} {route}", request.method());
    marked(name.into(), next.call(request))
}
