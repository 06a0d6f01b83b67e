//! How long each part of one picture's work takes, and what two threads bring.

#[path = "thumbnail/bands.rs"]
mod bands;
#[path = "../../docs/examples/figures/mod.rs"]
mod figures;
#[path = "thumbnail/http.rs"]
#[allow(dead_code)] // So are most answers.
mod http;
#[path = "thumbnail/photo.rs"]
mod photo;
#[path = "thumbnail/picture.rs"]
#[allow(dead_code)] // The budget of memory is the server's.
mod picture;

use std::sync::Arc;

use actix_web::web::Bytes;
use bands::in_bands;
use figures::{medians, print, three_digits};
use image::codecs::jpeg::JpegEncoder;
use photo::photo;
use picture::{Picture, Upload};
use serde_json::json;

fn main() {
    let asks = Arc::new(());
    let jpeg = Bytes::from(photo(4000, 3000));
    let decoded = || {
        let picture = Picture::open(Upload::new(jpeg.clone(), &asks));
        picture.and_then(Picture::decode).expect("it is a JPEG").0
    };
    let large = decoded();
    let small = large.thumbnail_exact(400, 300);

    let shrink = |threads| in_bands(&large, 400, 300, threads);
    let encode = || {
        let mut jpeg = Vec::new();
        let encoder = JpegEncoder::new(&mut jpeg);
        small.write_with_encoder(encoder).expect("memory takes it all");
    };
    let [decode, one, two, encode] = medians(
        31,
        [
            &mut || drop(decoded()),
            &mut || drop(shrink(1)),
            &mut || drop(shrink(2)),
            &mut || encode(),
        ],
    );
    let rest = decode + encode;
    let rows = [
        ("decode", decode, decode),
        ("shrink to 400 by 300", one, two),
        ("encode", encode, encode),
        ("all of it", rest + one, rest + two),
    ];
    let rows = rows.map(|(part, one, two)| {
        json!([part, three_digits(one / 1e3), three_digits(two / 1e3)])
    });
    let columns =
        ["12 megapixels", "one thread (ms)", "shrunk in two bands (ms)"];
    print("stages", &columns, rows.into());
}
