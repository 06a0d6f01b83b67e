//! A learner in a terminal makes mistakes, is killed, and ends with step 4.

use std::{
    fs::{self, File},
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use harness::{STEPS, wait_for, workspace};
use learn::{
    screen,
    task::{self, Files},
};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// Longer than anything takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// `learn` in a terminal of its own.
struct Session {
    terminal: File,
    seen: Arc<Mutex<Vec<u8>>>,
    child: Child,
}

impl Session {
    fn start(folder: &Path, task: &str) -> Self {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let name = ptsname(&terminal, Vec::new()).unwrap();
        let open = || {
            let path = Path::new(name.to_str().unwrap());
            File::options().read(true).write(true).open(path).unwrap()
        };
        let child = Command::new(env!("CARGO_BIN_EXE_learn"))
            .args([task, "--folder"])
            .arg(folder)
            .env("NO_COLOR", "1")
            .stdin(open())
            .stdout(open())
            .stderr(open())
            .spawn()
            .unwrap();
        let terminal = File::from(terminal);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (mut read, shared) = (terminal.try_clone().unwrap(), seen.clone());
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = read.read(&mut bytes) {
                shared.lock().unwrap().extend(&bytes[..count]);
            }
        });
        Self { terminal, seen, child }
    }

    /// Waits until the terminal shows `text`, and forgets everything before it.
    fn wait_for(&mut self, text: &str) -> String {
        let start = Instant::now();
        loop {
            let mut seen = self.seen.lock().unwrap();
            let all = String::from_utf8_lossy(&seen);
            if let Some((before, _)) = all.split_once(text) {
                let before = before.to_owned();
                seen.drain(..before.len() + text.len());
                return before;
            }
            assert!(start.elapsed() < PATIENCE, "no {text:?} in:\n{all}");
            drop(seen);
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn press(&mut self, key: &str) {
        self.terminal.write_all(key.as_bytes()).unwrap();
    }
}

impl Drop for Session {
    /// Kills it with -9.
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Where a test's learner works.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::remove_dir_all(&folder).ok();
    folder
}

fn save(folder: &Path, files: &Files) {
    for (name, text) in files {
        fs::write(folder.join("src").join(name), text).unwrap();
    }
}

/// All copies of the learner's old code, and the code that is there now.
fn kept(folder: &Path) -> Vec<Files> {
    let copies = fs::read_dir(folder.join("kept")).into_iter().flatten();
    let copies = copies.map(|it| it.unwrap().path());
    let all = copies.chain([folder.join("src")]);
    all.map(|it| task::sources(&it).unwrap()).collect()
}

#[test]
fn code_in_a_text_stays_on_one_line() {
    let text = format!("{}`let a = b;`", "word ".repeat(14));
    let shown = screen::paragraphs(&text);
    assert!(shown.contains("`let a = b;`"), "{shown}");
}

#[test]
fn a_learner_makes_mistakes_is_killed_takes_over_and_loses_nothing() {
    let folder = folder("short-learner");
    let moves = task::all().unwrap();
    let after = |number: usize| task::after(&moves, number - 1).unwrap();

    // In a pipe, it prints JSON, and its status says whether it is solved.
    let once = |task: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_learn"))
            .args([task, "--once", "--folder"])
            .arg(&folder)
            .output()
            .unwrap();
        let json = serde_json::from_slice::<serde_json::Value>(&output.stdout);
        let log = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), json.unwrap(), log)
    };
    let other = Files::from([("main.rs".into(), "fn main() {}".into())]);
    fs::create_dir_all(folder.join("src")).unwrap();
    save(&folder, &other);
    let (status, said, log) = once("1");
    assert_eq!((status, &said["solved"]), (Some(1), &false.into()), "{said}");
    assert_eq!(said["seen"]["frozen"], true, "{said}");
    assert!(log.contains("Your old code is kept in "), "{log}");
    assert!(kept(&folder).contains(&other), "the learner's code is lost");

    // In mid-check, its server ends with it.
    #[cfg(target_os = "linux")]
    {
        let is_running = || {
            let all = fs::read_dir("/proc").unwrap().flatten();
            let programs = all.map(|it| fs::read_link(it.path().join("exe")));
            programs.flatten().any(|it| it.ends_with("short-learner"))
        };
        // It begins with the same code, and takes seconds.
        let learn = Session::start(&folder, "e1");
        wait_for("its server runs", is_running);
        drop(learn);
        wait_for("its server has ended", || !is_running());
    }

    let mut learn = Session::start(&folder, "1");
    learn.wait_for("Compiling");
    learn.wait_for("FROZEN for");
    learn.press("h");
    learn.wait_for("Hint: A closure without parameters");
    let in_own_words = after(1)["main.rs"].replace("work =", "later =");
    let in_own_words = in_own_words.replace("work()", "later()");
    save(&folder, &Files::from([("main.rs".into(), in_own_words)]));
    learn.wait_for("Solved.");
    let seen = learn.wait_for("[q]uit");
    assert!(!seen.contains("Hint:"), "{seen}");
    learn.press("n");
    learn.wait_for("Move 2.");
    // Before the first save, nothing gives the prediction away.
    let seen = learn.wait_for("Now it's your turn");
    assert!(!seen.contains("Not yet"), "{seen}");
    drop(learn);

    // It continues from where it was. Only the learner has a copy of this code.
    let own = after(2)["main.rs"].replace("let worker", "let my_worker: u64");
    let own = Files::from([("main.rs".into(), own)]);
    save(&folder, &own);
    let mut learn = Session::start(&folder, "2");
    learn.wait_for("Not yet: it doesn't compile.");
    let seen = learn.wait_for("[n]ext");
    assert!(!seen.contains('\u{1b}') || !seen.contains("[31m"), "{seen}");
    learn.press("s");
    learn.wait_for("+    let worker = thread::spawn(");
    learn.press("t");
    learn.wait_for("Your old code is kept in");
    drop(learn);
    assert!(kept(&folder).contains(&own), "the learner's code is lost");

    // Each file written by then is either the learner's or the book's.
    let mut learn = Session::start(&folder, "2");
    learn.press("t");
    learn.wait_for("Solved.");
    assert_eq!(task::sources(&folder.join("src")).unwrap(), after(2));
    learn.press("q");
    learn.wait_for("Until next time");
    assert!(learn.child.wait().unwrap().success());

    let (status, said, _) = once("2");
    assert_eq!((status, &said["solved"]), (Some(0), &true.into()), "{said}");
}

/// Solves all of it, with the usual mistakes, and is killed after each: a few
/// minutes.
#[test]
#[ignore = "takes minutes: cargo test -p learn -- --ignored"]
fn a_learner_who_is_killed_after_each_move_ends_with_step_4_byte_for_byte() {
    let folder = folder("long-learner");
    let moves = task::all().unwrap();
    let mistakes = [
        ("receiver.await", "receiver.blocking_recv()"),
        ("move ||", "||"),
        ("-> Result<u64>", "-> Result<String>"),
    ];
    for number in 1..=23 {
        let mut learn = Session::start(&folder, &number.to_string());
        learn.wait_for("Now it's your turn");
        learn.wait_for("[q]uit");
        let right = task::after(&moves, number - 1).unwrap();
        for (good, bad) in mistakes {
            let wrong = right["main.rs"].replace(good, bad);
            // From move 11 on, only /failing awaits a receiver by itself.
            let is_seen = number <= 10 || good != mistakes[0].0;
            if wrong == right["main.rs"] || number == 1 || !is_seen {
                continue;
            }
            let mut files = right.clone();
            files.insert("main.rs".into(), wrong);
            save(&folder, &files);
            learn.wait_for("Not yet:");
            learn.wait_for("[q]uit");
        }
        let start = Instant::now();
        save(&folder, &right);
        learn.wait_for("Solved.");
        // With --nocapture.
        println!("{number}: {:.1?} from save to verdict", start.elapsed());
        learn.press("n");
        learn.wait_for(if number == 23 { "byte for byte" } else { "Move " });
    }
    let step = workspace().join(STEPS[3]).join("src");
    assert_eq!(
        task::sources(&folder.join("src")).unwrap(),
        task::sources(&step).unwrap()
    );
}
