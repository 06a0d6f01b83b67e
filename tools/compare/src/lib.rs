//! Runs the steps and measures what their users feel.
//!
//! Data flows one way, from the top of this table to its end. `results` and
//! `format` use no other module, and `show` only these two.
//!
//! | module | what it contains |
//! |---|---|
//! | [`options`] | the command line: what is measured, and with what |
//! | [`measure`] | starts the servers and probes them |
//! | [`results`] | facts: the content of `results.json` |
//! | [`show`] | the terminal, the report and its charts, from results only |
//! | [`stage`] | all servers at once, live, on one page |
//! | [`format`](mod@format) | measurements and other programs' output as text |

pub mod format;
pub mod measure;
pub mod options;
pub mod results;
#[cfg(test)]
mod samples;
pub mod show;
pub mod stage;
