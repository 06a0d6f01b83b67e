/// How many rounds from one addition to the next: milliseconds.
const CHUNK: u64 = 10_000_000;
