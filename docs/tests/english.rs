//! The English of the pages: what reads as translated, and what to write instead.

use std::{path::PathBuf, sync::OnceLock};

use docs::{files, read};
use regex::{Regex, RegexSet};

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

/// Not prose: what is shown or quoted, tags, and where links lead.
const NO_PROSE: &str = r"(?msx) <!--\ from\ .*?<!--\ end\ --> | ^\ *```.*?^\ *```$
    | ^\ *>[^\n]* | <[^<>]*> | \]\([^)\s]*\)";

/// What in a page reads as translated.
fn mistakes(page: &str) -> Vec<String> {
    let regex = |pattern: &str| Regex::new(pattern).unwrap();
    let row = |row: &'static str| {
        let (pattern, instead) = row.split_once(" => ").unwrap();
        let spaced = pattern.replace(' ', r"(?:[ \t]+|[ \t]*\n[ \t]*)");
        let begun = spaced.replace("START", r"(?:^[ \t]*|[.:;|]\s+)");
        // The ends of ASCII words are found much faster than all others.
        let pattern = begun.replace(r"\b", r"(?-u:\b)");
        (format!("(?im){pattern}"), instead)
    };
    let rows: Vec<_> = TABLE.trim().lines().map(row).collect();
    // Most pages match none of them, and all are tried in one pass.
    static ANY: OnceLock<RegexSet> = OnceLock::new();
    let patterns = rows.iter().map(|(pattern, _)| pattern);
    let any = ANY.get_or_init(|| RegexSet::new(patterns).unwrap());

    let text = regex(NO_PROSE).replace_all(page, " ");
    let text = regex("`[^`\n]*`").replace_all(&text, "_");
    let marks = regex(r#"(?m)^[ \t]*(#+|[-*]|\d\d?\.) |[*"“”(\[\]]"#);
    // The end of a title or a paragraph, which may be a question.
    let text = marks.replace_all(&text, " ").replace("\n\n", "\n?\n");
    let mut mistakes = Vec::new();
    for (pattern, instead) in any.matches(&text).iter().map(|row| &rows[row]) {
        for found in regex(pattern).find_iter(&text) {
            let words: Vec<_> = found.as_str().split_whitespace().collect();
            mistakes.push(format!("“{}”: {instead}", words.join(" ")));
        }
    }
    mistakes
}

#[test]
fn english_reads_as_if_it_were_spoken() {
    let folders = ["docs/chapters", "docs/exercises", "tools/learn/moves"];
    let pages = folders.into_iter().flat_map(|it| files(it, "md"));
    let more = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"];
    for path in pages.chain(more.map(PathBuf::from)) {
        let mistakes = mistakes(&read(&path).unwrap());
        let path = path.display();
        assert!(mistakes.is_empty(), "{path}: {}", mistakes.join("\n"));
    }
}

#[test]
fn english_that_is_translated_is_found_except_in_code_and_quotations() {
    let page = "# Who owns it\n\nWho waits, is told so: `meanwhile` [a](anew)\n\
                ```text\nfor ever\n```\n> at the door\n\nOnce a\nchunk.\n\n\
                A client that waits gets an error once per chunk, at most.";
    let expected = [
        "“Who waits, is told so:”: a client that, anyone who",
        "“is told”: gets an error, is refused, learns",
        "“Once a chunk”: once per chunk",
    ];
    assert_eq!(mistakes(page), expected);
}
