//! The English of the book and of the sources: what reads as translated, and
//! what to write instead.

use std::path::PathBuf;

use docs::{files, read};
use harness::STEPS;
use regex::{Captures, Regex, RegexSet};

/// A pattern per line, and what to write instead. A space may also be the end
/// of a line; `START` is where a sentence or a clause begins.
const TABLE: &str = r"
(START|\b(and|or|but|to|for|of|than|refuses|tells) )who [a-z']+[^?.!:;|]*[.!:;,] => a client that, anyone who
\bwho(ever|m)\b => a client that, anyone who
\bwhat (computes|has begun|is left over)\b => a noun: work that computes, requests in progress
STARTto [a-z]+ ([a-z]+ ){0,4}(is|isn't|costs|would be|doesn't)\b => begin with -ing, or: if you refuse early, …
STARTthat (it|they|you|nobody|somebody) [a-z]+ => begin with a noun
\b(is|are|be|was|were) told\b => gets an error, is refused, learns
(^|[^.a-z])(program|server|test|tool|setting|flag|function|method|compiler|system)s? (says?|tells?)\b => prints, checks, shows, sets, returns, rejects
\blets? (each |the |a |an |its |one |two )?[a-z]+ (wait|count|compute|hang|sleep|do|take)\b => makes, has each thread count: to let is to permit
\b(servers?|threads?|runtimes?|workers?|process|language|stack|decoders?|time|handlers?) of (rust|node|tokio|actix-web|rayon|this book|the (book|processor|browser|system|pool|server))\b => a Rust thread, this book's servers, CPU time
\bserver's (own )?thread\b => the server thread
\bworkers? of (actix|the server) => server thread
\bstands? (for|in|at|there|above|below|between|beside|here)\b => is, appears, comes after, means
\b(what|that|which|it|threads?|cores?|steps?|pool|notes) (brings?|brought)\b => adds, gains, buys
\b(is|was|are|be) an? [45]\d\d\b => the answer is 503, you get, fails with 415
\b(threads?|cores?|sentences?|jobs?|slots?|chunks?|probes?|machines?|lanes?|tables?|permits?) an? (thread|core|sentence|line|job|slot|request|chunk|step|share|round|piece|test|worker)\b => one thread per core, a sentence per step
\bonce an? (chunk|round|piece|share|step|job)\b => once per chunk
\blook(s|ed|ing)? at (the|a|its|that|this) (flag|clock|order|port|time|header)s?\b => check the flag
\b(server|process|work|program|others|it|and|they|thread|loop|counting|rest) (goes|go|went) on\b => keeps running, continues
\b(runs|counts|computes|works) on([.,;:]| to )|\b(run|count|compute) on (to|until|in)\b => keeps running, keeps -ing
\bat the (most|least)\b => at most, at least
\bin the end\b => finally
\ball else\b|\ball that (is|was|are|it|they|you|a|he|can|the|has|have|each|changed)\b|\bnothing of (it|that|this)\b => everything, everything else, none of it
\b(no|one|single|clean|such|measured|your) figures?\b => number, measurement; a figure is a picture
\b(is|isn't|are|aren't|not) as (long|many|much|often|large)[.;] => complete the comparison: as many as …
\bfor ever\b => forever
\bdear(er|est|ly)?\b => expensive
\banew\b => again
\bmeanwhile\b[^,] => delete it, or: in the meantime, at the same time
\bmend(s|ed|ing)?\b => fix
\bneedn't\b => don't need to
\b(answered|done|ready|finished|even|isn't|available) sooner\b => faster, earlier
\bbesides\b => as well as, apart from
\bone after (the other|another)\b => one at a time
\bat (an |the |its )?(port|inbox)\b => on port, on the inbox
\b(free|no|(keeps?|gives?|frees?) (its|the|a)|gets? (its|a)|takes? a|has a|whose|their) places?\b( |[.,;:?]) => slot
\b(at|past) the door\b => on admission, before it is queued
\b(that|which) (it is|they are) given\b|\bthat you give (it|them)\b => its work, the closure you pass
\b(allows?|enables?|suggests|recommends) to [a-z]+ => lets you, suggests -ing
\b(is|are|isn't|aren't) to be [a-z]+ed\b => must be, should be
(START|\bif |\bwhen )one (can|could|has to|sees|needs|must|may|wants)\b => you can
\b(some (tens|hundreds)|(is|are|takes?|after) some (milliseconds|seconds|attempts)) => a few tens, a few, a set number of
\b(isn't|aren't|wasn't|weren't) [a-z-]+ but\b => isn't A; it's B
";

/// Prose in code: comments, strings, the names of functions. Then what is space.
const CODE: &str = r#"(?sx) //[/!]?([^\n]*) | '\\?[^\n]'
    | "((?:[^"\\]|\\.)*)" | `([^`]*)` | \bfn\ (\w+) | (\s+)
    | [^\s/'"`]+ | ."#;

/// Not prose in a page. Then what is space.
const PAGE: &str = r"(?msx) <!--\ from\ .*?<!--\ end\ --> | ^\ *```.*?^\ *```$
    | ^\ *>[^\n]* | ()()()() (<[^<>]*> | \]\([^)\s]*\))";

const STOPS: [char; 6] = [' ', '\n', '.', ':', ';', '|'];

/// Where the texts, each with its path, read as translated.
fn mistakes(texts: impl Iterator<Item = (String, String)>) -> Vec<String> {
    let regex = |pattern: &str| Regex::new(pattern).unwrap();
    let [code, page, inline] = [CODE, PAGE, "`[^`\n]*`"].map(regex);
    let marks = regex(r#"(?m)^[ \t]*(#+|[-*]|\d\d?\.) |[*"“”(\[\]]"#);
    let row = |row: &'static str| {
        let (pattern, instead) = row.split_once(" => ").unwrap();
        let spaced = pattern.replace(' ', r"(?:[ \t]+|[ \t]*\n[ \t]*)");
        let begun = spaced.replace("START", r"(?:^[ \t]*|[.:;|]\s+)");
        // The ends of ASCII words are found much faster than all others.
        let pattern = begun.replace(r"\b", r"(?-u:\b)");
        (format!("(?im){pattern}"), instead)
    };
    let (patterns, instead): (Vec<_>, Vec<_>) =
        TABLE.trim().lines().map(row).unzip();
    // Most texts match none of them, and all are tried in one pass.
    let any = RegexSet::new(&patterns).unwrap();
    let prose = |found: &Captures| {
        let group = |i| found.get(i).map(|it| it.as_str());
        let lines = "\n".repeat(found[0].matches('\n').count());
        match (group(1), (2..=4).find_map(group)) {
            (Some(comment), _) if !comment.is_empty() => comment.to_owned(),
            (_, Some(name)) if !name.is_empty() => {
                format!(". {}. ", name.replace(['_', '\\'], " "))
            }
            _ => group(5).map_or(".", |_| " ").to_owned() + &lines,
        }
    };
    let mut mistakes = Vec::new();
    for (path, text) in texts {
        let kind = if path.ends_with('s') { &code } else { &page };
        let text = kind.replace_all(&text, prose);
        let text = inline.replace_all(&text, "_");
        // The end of a title or a paragraph, which may be a question.
        let text = marks.replace_all(&text, " ").replace("\n\n", "\n?\n");
        for row in any.matches(&text) {
            for found in regex(&patterns[row]).find_iter(&text) {
                let words = found.as_str().trim_start_matches(STOPS);
                let before = &text[..found.end() - words.len()];
                let line = 1 + before.matches('\n').count();
                let words: Vec<_> = words.split_whitespace().collect();
                let words = words.join(" ");
                let instead = instead[row];
                mistakes.push(format!("{path}:{line}: “{words}”: {instead}"));
            }
        }
    }
    mistakes
}

#[test]
fn english_reads_as_if_it_were_spoken() {
    let folders = ["common", "docs", "tools"].into_iter().chain(STEPS);
    let kinds = ["md", "html", "svg", "rs", "js", "mjs", "toml"];
    let found = folders.flat_map(|it| kinds.map(|kind| files(it, kind)));
    let more = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"];
    let paths = found
        .flatten()
        .chain(more.map(PathBuf::from))
        .map(|path| path.to_str().unwrap().replace('\\', "/"))
        .filter(|path| !path.ends_with("tests/english.rs"));
    let mistakes =
        mistakes(paths.map(|path| (path.clone(), read(path).unwrap())));
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}

#[test]
fn english_that_is_translated_is_found_except_in_code_and_quotations() {
    let page = "# Who owns it\n\nWho waits, is told so: `meanwhile` [a](anew)\n\
                ```text\nfor ever\n```\n> at the door\n\nOnce a\nchunk.";
    let code = "// In the\n// end.\nlet besides = \"is a \\\n  503\"; // `anew`\n\
                fn at_the_most_once() {}";
    let native = "A client that waits gets an error once per chunk, at most.";
    let texts = [("a.md", page), ("b.rs", code), ("c.md", native)];
    let texts = texts.map(|(path, text)| (path.to_owned(), text.to_owned()));
    let expected = [
        "a.md:3: “Who waits, is told so:”: a client that, anyone who",
        "a.md:3: “is told”: gets an error, is refused, learns",
        "a.md:9: “Once a chunk”: once per chunk",
        "b.rs:3: “is a 503”: the answer is 503, you get, fails with 415",
        "b.rs:5: “at the most”: at most, at least",
        "b.rs:1: “In the end”: finally",
    ];
    assert_eq!(mistakes(texts.into_iter()), expected);
}
