//! Exercise 6: a text to count.

use harness::Server;

fn words(text: impl AsRef<[u8]>) -> (u16, String) {
    let program = env!("CARGO_BIN_EXE_step2-single-worker");
    let server = Server::start(&mut harness::command(program)).unwrap();
    let response = server.post("/words", "text/plain; charset=utf-8", text);
    assert_eq!(server.get("/non-blocking").status(), 200);
    (response.status().as_u16(), response.into_body())
}

#[test]
fn the_words_of_a_text_are_counted() {
    for (text, answer) in [
        ("to be or not to be", "6 words"),
        (" Straße\n\tdéjà  vu ", "3 words"),
        ("", "0 words"),
    ] {
        assert_eq!(words(text), (200, answer.into()), "Not yet: {text:?}");
    }
}

#[test]
fn a_book_of_five_megabytes_is_taken() {
    assert_eq!(words("word").0, 200, "Not yet: a short text");
    let book = "word ".repeat(1_000_000);
    let answer = words(book);
    assert_eq!(answer, (200, "1000000 words".into()), "Not yet: a long text");
}

#[test]
fn what_is_no_text_is_a_400() {
    let (status, _) = words([0xff, 0xfe]);
    assert_eq!(status, 400, "Not yet: bytes that aren't UTF-8");
}
