//! Bad input: every setting, request and upload that is of no use, sent to the
//! real steps. What it gets stands in the book.
#![cfg(target_os = "linux")] // Elsewhere the system says it in other words.

use std::{
    ffi::OsString,
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
    thread,
    time::Duration,
};

use harness::{
    Inputs, Outcome, STEPS, Server, build, command, program, programs,
};

/// Longer than step 7 waits for the head of a request.
const PATIENCE: Duration = Duration::from_secs(6);

static PROGRAMS: LazyLock<Vec<PathBuf>> = LazyLock::new(|| {
    let built = build(STEPS).output().unwrap();
    let mut built = programs(&built.stdout);
    STEPS.iter().map(|step| built.remove(*step).unwrap()).collect()
});

/// Calls that for each of these on a thread of its own, and waits for all.
fn each<T: Sync, U: Send>(
    list: &[T],
    of: impl Fn(&T) -> U + Copy + Sync + Send,
) -> Vec<U> {
    thread::scope(|scope| {
        let all: Vec<_> =
            list.iter().map(|it| scope.spawn(move || of(it))).collect();
        all.into_iter().map(|it| it.join().unwrap()).collect()
    })
}

/// A row for each different outcome, with the steps whose it is.
fn add(inputs: &mut Inputs, input: &str, all: Vec<(usize, Outcome)>) {
    let mut rest = all.as_slice();
    let of_all = all.len() == STEPS.len();
    while let Some((first, outcome)) = rest.first() {
        let same = rest.iter().take_while(|it| it.1 == *outcome).count();
        let last = rest[same - 1].0;
        let whose = match (first, last) {
            _ if of_all && same == all.len() => String::new(),
            // A new step changes no row that it has too.
            (first, last) if last == STEPS.len() => format!("from {first}"),
            (first, last) if *first == last => first.to_string(),
            (first, last) => format!("{first} to {last}"),
        };
        inputs.add(input, &whose, outcome);
        rest = &rest[same..];
    }
}

/// Bytes as they are written in a shell.
fn shown(value: &[u8]) -> String {
    value.utf8_chunks().fold(String::new(), |text, chunk| {
        let bytes = chunk.invalid().iter().map(|it| format!("\\x{it:02x}"));
        text + chunk.valid() + &bytes.collect::<String>()
    })
}

/// The flags that have no use for these values, and the first step of each.
const SETTINGS: &[(&str, usize, &[&[u8]])] = &[
    (
        "host",
        1,
        &[
            b"",
            b"-1",
            b"256.0.0.1",
            b"127.0.0.1:3000",
            b"http://127.0.0.1",
            b"[::1",
            b"192.0.2.1",
            b"no-such-name.invalid",
            b"\xff",
        ],
    ),
    (
        "port",
        1,
        &[
            b"",
            b"0",
            b"-1",
            b"65536",
            b"99999999999999999999",
            b"http",
            b"3_000",
            b"3000 ",
            b"3000.5",
            b"3000/tcp",
            b"0x10",
            b"\xff",
        ],
    ),
    (
        "iterations",
        1,
        &[
            b"",
            b"0",
            b"-1",
            b"18446744073709551616",
            b"ten",
            b"1_000",
            b"_",
            b"1e10",
            b"1.5",
            b"+7",
            b"10 billion",
            b"\xff",
        ],
    ),
    ("threads", 3, NUMBERS),
    ("queue", 5, NUMBERS),
    (
        "priority",
        5,
        &[b"", b"0", b"-1", b"high", b"LOW", b"low ", b"low,normal", b"\xff"],
    ),
    ("timeout", 7, SECONDS),
    ("shutdown-timeout", 7, SECONDS),
    ("body-timeout", 8, SECONDS),
];

const NUMBERS: &[&[u8]] = &[
    b"",
    b"0",
    b"-1",
    b"10001",
    b"four",
    b"1_0",
    b"1.5",
    b"+2",
    b"2 threads",
    b"\xff",
];

const SECONDS: &[&[u8]] = &[
    b"", b"0", b"-1", b"86401", b"soon", b"1_0", b"1.5", b"5s", b"500ms",
    b"inf", b"\xff",
];

#[test]
fn every_bad_setting_gets_what_the_book_says() {
    let all = (1..=STEPS.len()).collect::<Vec<_>>();
    let mut inputs = Inputs::default();
    let rows = each(SETTINGS, |&(flag, first, values)| {
        let variable = flag.to_uppercase().replace('-', "_");
        let (before, with) = all.split_at(first - 1);
        let mut rows = Vec::new();
        for value in values {
            let value = OsString::from_vec(value.to_vec());
            let by_flag = |command: &mut Command| {
                command.arg(format!("--{flag}")).arg(&value);
            };
            let got = outcomes(with, flag, by_flag);
            let by_variable =
                outcomes(&all[all.len() - 1..], flag, |command| {
                    command.env(&variable, &value);
                });
            assert_eq!(got.last(), by_variable.last(), "{flag} {value:?}");
            let value = shown(value.as_encoded_bytes());
            let input = format!("{variable}='{value}' or --{flag} '{value}'");
            rows.push((input, got));
        }
        for input in [
            format!("--{flag}"),
            format!("--{flag} low --{flag} low"),
            format!("--{flag}=low=low"),
        ] {
            let got = outcomes(with, flag, |it| arguments(it, &input));
            rows.push((input, got));
        }
        for input in [format!("--{flag} 1"), format!("--{flag}=nonsense")] {
            let got = outcomes(before, flag, |it| arguments(it, &input));
            rows.push((input, got));
        }
        let got = outcomes(before, flag, |it| {
            it.env(&variable, "nonsense");
        });
        rows.push((format!("{variable}=nonsense"), got));
        rows
    });
    for (input, got) in rows.into_iter().flatten() {
        add(&mut inputs, &input, got);
    }
    for input in
        ["3000", "--prot 3000", "-p 3000", "--version", "--help=yes", "-- 3000"]
    {
        let got = outcomes(&all, "", |it| arguments(it, input));
        add(&mut inputs, input, got);
    }
    let taken = Server::start(&mut command(&PROGRAMS[0])).unwrap();
    let (_, port) = taken.address().split_once(':').unwrap();
    let mut got = outcomes(&all, "", |it| {
        it.env("PORT", port);
    });
    for (_, outcome) in &mut got {
        outcome.says = outcome.says.replace(port, "3000");
    }
    add(&mut inputs, "PORT=3000, where another step listens", got);
    inputs.check("settings.md", 100);
}

fn arguments(command: &mut Command, line: &str) {
    command.args(line.split(' '));
}

/// What each of these steps gets from its command line and its environment,
/// and if it serves, what it says of that flag.
fn outcomes(
    steps: &[usize],
    flag: &str,
    prepare: impl Fn(&mut Command),
) -> Vec<(usize, Outcome)> {
    let outcome = |&step: &usize| {
        let mut command = command(&PROGRAMS[step - 1]);
        prepare(&mut command);
        let mut outcome = Outcome::of_start(Server::start(&mut command));
        outcome.says = outcome.says.replace(STEPS[step - 1], "STEP");
        (step, of(outcome, flag))
    };
    steps.iter().map(outcome).collect()
}

/// Of the line of a step that serves, what it says of that setting; and of what
/// the resolver says, what is the same everywhere.
fn of(mut outcome: Outcome, flag: &str) -> Outcome {
    if outcome.gets == "serves" {
        let flag = flag.replace('-', " ");
        let (_, settings) = outcome.says.split_once('(').unwrap();
        let mut settings = settings.trim_end_matches(')').split(", ");
        let said = settings.find(|it| it.starts_with(&flag));
        outcome.says = said.unwrap_or("as without it").into();
    }
    if let Some((before, after)) = outcome.says.split_once(" information: ") {
        let (_, hint) = after.split_once('\n').unwrap();
        outcome.says = format!("{before} information: …\n{hint}");
    }
    outcome
}

/// What is sent in one go, and is no use, or looks as if it were none. A `⏎` is
/// the end of a line.
const REQUESTS: &[&str] = &[
    // Methods.
    "POST /blocking",
    "PUT /non-blocking",
    "DELETE /",
    "PATCH /waiting",
    "OPTIONS /blocking",
    "OPTIONS *",
    "TRACE /blocking",
    "CONNECT localhost:80",
    "BREW /blocking",
    "get /non-blocking",
    "POST /failing",
    "POST /pool",
    "POST /progress",
    "GET /summary",
    "HEAD /summary",
    "PUT /summary",
    "POST /page.js",
    // Paths.
    "GET /nothing",
    "GET /blocking/",
    "GET //blocking",
    "GET /Blocking",
    "GET /blocking%2f",
    "GET /block%69ng",
    "GET /%",
    "GET /blocking%00",
    "GET /../../etc/passwd",
    "GET /%2e%2e/%2e%2e/etc/passwd",
    "GET /<script>alert(1)</script>",
    "GET /naïve",
    "GET blocking",
    "GET http://elsewhere.example/blocking",
    "GET /two words",
    "GET",
    // Queries.
    "GET /blocking?",
    "GET /blocking?id=",
    "GET /blocking?id",
    "GET /blocking?id=one&id=two",
    "GET /blocking?ID=one",
    "GET /blocking?iterations=5",
    "GET /blocking?id=two%20words",
    "GET /blocking?id=%3Cscript%3E",
    "GET /blocking?id=..%2F..",
    "GET /blocking?id=na%C3%AFve",
    "GET /blocking?id=%FF",
    "GET /blocking?id=%",
    "GET /blocking?id=a%00b",
    "GET /blocking?id=1234567890123456789012345678901234567890",
    "GET /blocking?id=12345678901234567890123456789012345678901",
    "GET /blocking?&&&===",
    // Headers.
    "GET /blocking⏎Accept: nonsense",
    "GET /blocking⏎Accept:",
    "GET /blocking⏎Accept: application/json;q=2",
    "GET /blocking⏎Accept: application/json;q=nonsense",
    "GET /blocking⏎Accept: text/html",
    "GET /blocking⏎Content-Length: -1",
    "GET /blocking⏎Content-Length: ten",
    "GET /blocking⏎Content-Length:",
    "GET /blocking⏎Content-Length: 99999999999999999999",
    "GET /blocking⏎Content-Length: 1⏎Content-Length: 2",
    "GET /blocking⏎Content-Length: 5⏎⏎hello",
    "GET /non-blocking⏎Content-Length: 5⏎⏎hello",
    "GET /blocking⏎Transfer-Encoding: chunked⏎⏎0⏎⏎",
    "GET /waiting⏎Transfer-Encoding: chunked⏎⏎nonsense⏎",
    "GET /blocking⏎Transfer-Encoding: gzip",
    "GET /blocking⏎Transfer-Encoding: chunked⏎Content-Length: 5⏎⏎0⏎⏎",
    "GET /blocking⏎Expect: 100-continue",
    "GET /blocking⏎Expect: nonsense",
    "GET /blocking⏎Upgrade: websocket⏎Connection: Upgrade, close",
    "GET /blocking⏎Range: bytes=0-1",
    "GET /blocking⏎no colon",
    "GET /blocking⏎two words: value",
    "GET /blocking⏎: no name",
    "GET /blocking⏎Value: with \u{1}",
    "GET /blocking⏎Host: two",
];

/// What isn't even HTTP/1.1, and what it is.
const OTHERS: [(&str, &[u8]); 10] = [
    ("GET /blocking HTTP/1.1, without a Host", b"GET /blocking HTTP/1.1\r\nConnection: close\r\n\r\n"),
    ("GET /blocking HTTP/1.0", b"GET /blocking HTTP/1.0\r\n\r\n"),
    ("GET /blocking HTTP/1.0, with a body in chunks", b"GET /blocking HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("GET /blocking HTTP/0.9", b"GET /blocking\r\n\r\n"),
    ("GET /blocking HTTP/3.0", b"GET /blocking HTTP/3.0\r\n\r\n"),
    ("HTTP/2, at once", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ("TLS, as from https://", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    ("HELLO", b"HELLO\r\n\r\n"),
    ("empty lines", b"\r\n\r\n\r\n\r\n"),
    ("the head without its end", b"GET /blocking HTTP/1.1\r\nHost: x\r\n"),
];

#[test]
fn every_bad_request_gets_what_the_book_says() {
    let mut inputs = Inputs::default();
    let servers: Vec<Server> = PROGRAMS.iter().map(serve).collect();
    let mut requests: Vec<(String, Vec<u8>)> =
        REQUESTS.iter().map(|it| request(it)).collect();
    let many: String = (0..200).map(|it| format!("⏎X-{it}: x")).collect();
    for (name, text) in [
        ("GET / with a path of 70,000 characters", "x".repeat(70_000)),
        (
            "GET /blocking?id= with 70,000 characters",
            format!("blocking?id={}", "x".repeat(70_000)),
        ),
        (
            "GET /blocking, one header of 70,000 characters",
            format!("blocking⏎X: {}", "x".repeat(70_000)),
        ),
        (
            "GET /blocking, one header of a megabyte",
            format!("blocking⏎X: {}", "x".repeat(1 << 20)),
        ),
        ("GET /blocking, 200 headers", format!("blocking{many}")),
    ] {
        requests.push((name.into(), request(&format!("GET /{text}")).1));
    }
    let all = each(&servers, |server| {
        let requests =
            requests.iter().map(|it| exchange(server, &it.1, 10 * PATIENCE));
        let mut all: Vec<_> = requests.collect();
        // Some of these are waited for.
        all.extend(each(&OTHERS, |it| exchange(server, it.1, PATIENCE)));
        all
    });
    let names = requests.iter().map(|it| &*it.0);
    for (at, name) in names.chain(OTHERS.map(|it| it.0)).enumerate() {
        let of_step = all.iter().enumerate();
        let got = of_step.map(|(step, all)| (step + 1, all[at].clone()));
        add(&mut inputs, name, got.collect());
    }
    for server in servers {
        unharmed(server);
    }
    inputs.check("requests.md", 80);
}

/// Whether as much of the body is here as the head says. Its connection may stay.
fn is_whole(answer: &str) -> bool {
    answer.split_once("\r\n\r\n").is_some_and(|(head, body)| {
        let mut lines = head.lines();
        let length = lines.find_map(|it| it.strip_prefix("content-length: "));
        length.is_some_and(|it| it.parse() == Ok(body.len()))
    })
}

/// Bodies for `/summary`, each with its headers.
const UPLOADS: &[&str] = &[
    "⏎",
    "Oslo",
    "Oslo;",
    ";1.0",
    "Oslo;1",
    "Oslo;1.25",
    "Oslo;+1.0",
    "Oslo;1e3",
    "Oslo;NaN",
    "Oslo;100.0",
    "Oslo;-100.0",
    "Oslo;1,0",
    "Oslo; 1.0",
    "Oslo;1.0;2.0",
    "Oslo;1.0⏎",
    "\u{feff}Oslo;1.0",
    "{\"Oslo\":1.0}",
    "\u{1b}[2J;1",
];

#[test]
fn every_bad_upload_gets_what_the_book_says() {
    let server = serve(PROGRAMS.last().unwrap());
    let mut inputs = Inputs::default();
    let mut send = |name: &str, line: &str, headers: &str, body: &[u8]| {
        let mut raw = request(&format!("POST {line}{headers}")).1;
        raw.extend(body);
        let got = exchange(&server, &raw, 10 * PATIENCE);
        inputs.add(name, "from 8", &got);
    };
    let length = |length: usize| format!("⏎Content-Length: {length}");
    for body in UPLOADS {
        let sent = body.replace('⏎', "\r\n");
        let name = body.escape_debug().to_string();
        send(&name, "/summary", &length(sent.len()), sent.as_bytes());
    }
    let names: String = (0..10_001).map(|it| format!("{it};1.0\n")).collect();
    let long = |bytes: usize| [vec![b'x'; bytes], b";1.0".to_vec()].concat();
    for (name, body) in [
        ("Oslo;1.0, an empty line, Oslo;1.0", b"Oslo;1.0\n\nOslo;1.0".to_vec()),
        ("\\xff;1.0", b"\xff;1.0".to_vec()),
        ("\\x00;1.0", b"\0;1.0".to_vec()),
        ("a name of 101 bytes", long(101)),
        ("a line of 100,000 bytes", long(100_000)),
        ("10,001 names", names.into_bytes()),
        ("a file in gzip", b"\x1f\x8b\x08\x00\x00\x00\x00\x00".to_vec()),
    ] {
        send(name, "/summary", &length(body.len()), &body);
    }
    let body = b"Oslo;1.0";
    for (name, line, headers) in [
        ("?id=two%20words", "/summary?id=two%20words", ""),
        ("?id=%3Cscript%3E", "/summary?id=%3Cscript%3E", ""),
        ("Content-Encoding: gzip", "/summary", "⏎Content-Encoding: gzip"),
        (
            "Content-Encoding: nonsense",
            "/summary",
            "⏎Content-Encoding: nonsense",
        ),
        ("Content-Type: nonsense", "/summary", "⏎Content-Type: nonsense"),
        ("Accept: image/png", "/summary", "⏎Accept: image/png"),
    ] {
        send(name, line, &(length(body.len()) + headers), body);
    }
    for (name, headers, body) in [
        ("nothing, and no Content-Length", "", ""),
        ("less than its Content-Length", "⏎Content-Length: 9", "Oslo;1.0"),
        ("more than its Content-Length", "⏎Content-Length: 8", "Oslo;1.0123"),
        (
            "chunks without a last one",
            "⏎Transfer-Encoding: chunked",
            "8\r\nOslo;1.0\r\n",
        ),
        ("no chunk but the last", "⏎Transfer-Encoding: chunked", "0\r\n\r\n"),
        (
            "a form with a file, as of curl -F",
            "⏎Content-Length: 12⏎Content-Type: multipart/form-data; boundary=x",
            "--x\r\n\r\n--x--",
        ),
    ] {
        send(name, "/summary", headers, body.as_bytes());
    }
    unharmed(server);
    inputs.check("uploads.md", 35);
}

/// Requests to step 7's example with pictures, each with a JPEG of one pixel
/// where it has no body.
const PICTURES: &[&str] = &[
    "POST /thumbnail",
    "POST /thumbnail?",
    "POST /thumbnail?width",
    "POST /thumbnail?width=",
    "POST /thumbnail?width=abc",
    "POST /thumbnail?width=0",
    "POST /thumbnail?width=-1",
    "POST /thumbnail?width=1.5",
    "POST /thumbnail?width=65536",
    "POST /thumbnail?width=99999999",
    "POST /thumbnail?width=4&width=5",
    "POST /thumbnail?Width=4",
    "POST /thumbnail?width=%FF",
    "POST /thumbnail?width=4%00",
    "POST /thumbnail?height=4",
    "POST /thumbnail?width=4&height=5",
    "GET /thumbnail?width=4",
    "HEAD /thumbnail?width=4",
    "PUT /thumbnail?width=4",
    "DELETE /thumbnail",
    "OPTIONS /thumbnail",
    "POST /thumbnail/?width=4",
    "POST /Thumbnail?width=4",
    "POST /?width=4",
    "POST /pool",
    "GET /",
    "POST /thumbnail?width=4⏎Content-Type: nonsense",
    "POST /thumbnail?width=4⏎Content-Type: image/webp",
    "POST /thumbnail?width=4⏎Content-Encoding: gzip",
    "POST /thumbnail?width=4⏎Accept: text/html",
    "POST /thumbnail?width=4⏎Expect: 100-continue",
    "POST /thumbnail?width=4⏎Content-Length: 0⏎⏎",
    "POST /thumbnail?width=4⏎Content-Length: 9⏎⏎nonsense.",
    "POST /thumbnail?width=4⏎Content-Length: 9⏎⏎%PDF-1.7⏎",
    "POST /thumbnail?width=4⏎Content-Length: 6⏎⏎GIF89a",
    "POST /thumbnail?width=4⏎Content-Length: 9⏎⏎GIF",
    "POST /thumbnail?width=4⏎Content-Length: -1⏎⏎GIF",
    "POST /thumbnail?width=4⏎Transfer-Encoding: chunked⏎⏎0⏎⏎",
    "POST /thumbnail?width=4⏎Transfer-Encoding: chunked⏎⏎nonsense⏎",
    "POST /thumbnail?width=4⏎Transfer-Encoding: chunked⏎⏎3⏎GIF⏎",
    "POST /thumbnail?width=4⏎Content-Type: multipart/form-data; boundary=x\
     ⏎Content-Length: 5⏎⏎--x--",
];

/// Settings of that example.
const OF_PICTURES: [(&str, &str); 8] = [
    ("MEMORY_MIB", ""),
    ("MEMORY_MIB", "0"),
    ("MEMORY_MIB", "65536"),
    ("MEMORY_MIB", "1 GiB"),
    ("SILENCE", "0"),
    ("SILENCE", "10s"),
    ("BANDS", "0"),
    ("BANDS", "two"),
];

#[test]
fn every_bad_picture_gets_what_the_book_says() {
    let program = program(STEPS[6], Some("thumbnail")).unwrap();
    let mut inputs = Inputs::default();
    for (name, value) in OF_PICTURES {
        let started = Server::start(command(&program).env(name, value));
        let input = format!("{name}='{value}'");
        inputs.add(&input, "", &Outcome::of_start(started));
    }
    let mut command = command(&program);
    // Else its threads come last on a busy machine.
    command.env("PRIORITY", "normal");
    let server = Server::start(command.env("SILENCE", "1")).unwrap();
    let picture = one_pixel();
    let mut send = |name: &str, head: &str, body: &[u8]| {
        let raw = [&request(head).1, body].concat();
        let got = exchange(&server, &raw, 10 * PATIENCE);
        // A picture isn't for a table.
        let is_jpeg = got.gets == "200" && got.says.contains('\u{fffd}');
        let says = if is_jpeg { "a JPEG" } else { &got.says }.to_owned();
        inputs.add(name, "", &Outcome { says, ..got });
    };
    for text in PICTURES {
        let name = text.escape_debug().to_string();
        if text.contains("⏎⏎") || text.starts_with("GET") {
            send(&name, text, b"");
        } else {
            let length = picture.len();
            send(&name, &format!("{text}⏎Content-Length: {length}"), &picture);
        }
    }
    let with_length = |bytes: usize| {
        format!("POST /thumbnail?width=4⏎Content-Length: {bytes}")
    };
    let cut = &picture[..picture.len() / 2];
    for (name, body) in [
        ("half of a JPEG", cut),
        ("the first three bytes of a JPEG", &picture[..3]),
        ("the first eight bytes of a PNG", b"\x89PNG\r\n\x1a\n"),
        ("a JPEG, and something behind it", &[&picture, &b"PK"[..]].concat()),
    ] {
        send(name, &with_length(body.len()), body);
    }
    let name = "half of a JPEG, and nothing more";
    send(name, &with_length(picture.len()), cut);
    let most = 20 << 20;
    send("20 MiB and a byte", &with_length(most + 1), &vec![0; most + 1]);
    assert_eq!(server.get("/non-blocking").status(), 200);
    assert_eq!(server.kill().stderr, "");
    inputs.check("pictures.md", 50);
}

/// A grey JPEG of one pixel.
fn one_pixel() -> Vec<u8> {
    // One code, of two bits.
    let code = [0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    [
        &b"\xff\xd8\xff\xdb\0\x43\0"[..],
        &[1; 64],
        b"\xff\xc0\0\x0b\x08\0\x01\0\x01\x01\x01\x11\0",
        b"\xff\xc4\0\x14\0",
        &code,
        &[0],
        b"\xff\xc4\0\x14\x10",
        &code,
        &[0],
        b"\xff\xda\0\x08\x01\x01\0\0\x3f\0\0\xff\xd9",
    ]
    .concat()
}

#[test]
fn every_bad_command_line_gets_what_the_book_says() {
    let mut inputs = Inputs::default();
    let step8 = STEPS[7];
    let measurements = program(step8, Some("measurements")).unwrap();
    let mut run = |name: &str, program: &Path, lines: &[&[&[u8]]]| {
        for arguments in lines {
            let arguments = arguments.iter().map(|it| it.to_vec());
            let arguments: Vec<_> = arguments.map(OsString::from_vec).collect();
            let output = Command::new(program).args(&arguments).output();
            let shown = arguments.iter().map(|it| shown(it.as_encoded_bytes()));
            let input = [name.to_owned()].into_iter().chain(shown);
            let input = input.collect::<Vec<_>>().join(" ");
            inputs.add(&input, "", &Outcome::of(&output.unwrap()));
        }
    };
    let book = Path::new(env!("CARGO_BIN_EXE_docs"));
    let lines: &[&[&[u8]]] =
        &[&[b""], &[b"new"], &[b"--help"], &[b"renew", b"all"], &[b"\xff"]];
    run("cargo run -p docs --", book, lines);
    let lines: &[&[&[u8]]] = &[
        &[],
        &[b""],
        &[b"-1"],
        &[b"many"],
        &[b"1e6"],
        &[b"1", b"2", b"3"],
        &[b"1", b"seed"],
        &[b"99999999999999999999"],
        &[b"\xff"],
    ];
    run("measurements", &measurements, lines);
    inputs.check("commands.md", 10);
}

fn serve(program: &PathBuf) -> Server {
    let mut command = command(program);
    command.env("ITERATIONS", "1000").env("THREADS", "2");
    // Else its threads come last on a busy machine.
    command.env("PRIORITY", "normal");
    Server::start(command.env("BODY_TIMEOUT", "1")).unwrap()
}

/// It goes on, and has complained of nothing.
fn unharmed(server: Server) {
    assert_eq!(server.get("/blocking").body(), "Result is 1000");
    assert_eq!(server.kill().stderr, "");
}

/// A request of a line, headers, and a body, as it is shown and as it is sent.
fn request(text: &str) -> (String, Vec<u8>) {
    let (head, body) = text.split_once("⏎⏎").unwrap_or((text, ""));
    let (line, headers) = head.split_once('⏎').unwrap_or((head, ""));
    let headers = headers.split_terminator('⏎');
    let headers: String = headers.map(|it| format!("{it}\r\n")).collect();
    let body = body.replace('⏎', "\r\n");
    let raw = format!(
        "{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n{body}"
    );
    (text.escape_debug().to_string(), raw.into_bytes())
}

/// What a request on a connection of its own gets: its status, and the first
/// line of the body.
fn exchange(server: &Server, request: &[u8], patience: Duration) -> Outcome {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(patience)).unwrap();
    // It may be refused before all of it is sent.
    stream.write_all(request).ok();
    let mut answer = Vec::new();
    let mut part = [0; 4096];
    let closed = loop {
        match stream.read(&mut part) {
            Ok(0) => break true,
            Ok(read) => answer.extend(&part[..read]),
            Err(error) => break error.kind() == ErrorKind::ConnectionReset,
        }
        if is_whole(&String::from_utf8_lossy(&answer)) {
            break true;
        }
    };
    let answer = String::from_utf8_lossy(&answer);
    // To go on isn't the answer yet.
    let goes_on = "HTTP/1.1 100 Continue\r\n\r\n";
    let answer = answer.strip_prefix(goes_on).unwrap_or(&answer);
    let outcome = |gets: &str, says: &str| Outcome {
        gets: gets.into(),
        says: says.into(),
    };
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) => {
            let (status, reason) = head.split_at(head.len().min(12));
            let reason = reason.lines().next().unwrap_or_default().trim();
            let line = body.lines().next().unwrap_or(reason);
            outcome(status.get(9..).unwrap_or(head), line)
        }
        None if closed => outcome("nothing", "the connection is closed"),
        None => outcome("nothing", "the server waits on"),
    }
}
