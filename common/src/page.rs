use actix_web::{
    HttpRequest, HttpResponse, Responder,
    http::{
        StatusCode,
        header::{self, ContentType},
    },
    web::{Data, Html, ServiceConfig, get, to},
};

use crate::Settings;

/// Adds the page at `/`, and the answer to a path or a method that no route
/// has.
pub fn page(config: &mut ServiceConfig) {
    config.route("/", get().to(index)).default_service(to(elsewhere));
}

async fn index(settings: Data<Settings>) -> impl Responder {
    Html::new(format!(
        "<!doctype html>\n<title>{step}</title>\n<h1>{step}</h1>\n\
         <p>{idea}</p>\n<p><a href=/blocking>/blocking</a>, \
         <a href=/non-blocking>/non-blocking</a></p>\n",
        step = settings.step,
        idea = settings.idea,
    ))
}

/// What any other request gets: actix-web asks here also when the path is
/// known and only the method isn't.
async fn elsewhere(request: HttpRequest) -> HttpResponse {
    let mut response = HttpResponse::NotFound();
    let text = if request.resource_map().has_resource(request.path()) {
        response
            .status(StatusCode::METHOD_NOT_ALLOWED)
            .insert_header((header::ALLOW, "GET"));
        "Only GET works here."
    } else {
        "There is no such page. Try /blocking or /non-blocking."
    };
    response.content_type(ContentType::plaintext()).body(text)
}
