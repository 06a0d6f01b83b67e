//! Exercise 5: which thread?

use std::collections::HashSet;

use harness::Server;

#[test]
fn each_answer_names_the_thread_that_counted() {
    let mut command =
        harness::command(env!("CARGO_BIN_EXE_step2-single-worker"));
    let server = Server::start(command.env("ITERATIONS", "1000")).unwrap();
    let threads: HashSet<String> = (0..3)
        .map(|_| {
            let response = server.get("/blocking");
            assert_eq!(response.body(), "Result is 1000");
            let header = response.headers().get("counted-by");
            let header = header.expect("Not yet: no header Counted-By");
            header.to_str().unwrap().to_owned()
        })
        .collect();
    assert!(
        threads.iter().all(|it| it.starts_with("ThreadId(")),
        "Not yet: {threads:?} aren't the ids of threads"
    );
    assert_eq!(
        threads.len(),
        3,
        "Not yet: {threads:?}. Who asks for the id? Each request has a thread \
         of its own, so three requests have three ids."
    );
}
