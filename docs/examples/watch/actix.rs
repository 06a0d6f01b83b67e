//! For actix-web: `App::new()….wrap_fn(watch_actix::mark)`.

use std::future::Future;

use actix_web::Error;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse};

use crate::watch::marked;

/// Names each handler by its request's method and path.
pub fn mark<S, B>(
    request: ServiceRequest,
    next: &S,
) -> impl Future<Output = Result<ServiceResponse<B>, Error>> + use<S, B>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
{
    let name = [request.method().as_str(), " ", request.path()].concat();
    marked(name, next.call(request))
}
