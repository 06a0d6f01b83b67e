use actix_web::{
    HttpResponse, Responder,
    http::header::ContentType,
    web::{Data, Html, ServiceConfig, get, to},
};

use crate::Settings;

/// Adds the page at `/`, and the answer to a path that no step has.
pub fn page(config: &mut ServiceConfig) {
    config
        .route("/", get().to(index))
        .default_service(to(unknown_path));
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

async fn unknown_path() -> impl Responder {
    HttpResponse::NotFound()
        .content_type(ContentType::plaintext())
        .body("There is no such page. Try /blocking or /non-blocking.")
}
