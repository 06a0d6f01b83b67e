//! What every step shares, and nothing of any lesson: no thread that works
//! starts here, nothing here waits for one.
//!
//! | module | what it holds |
//! |---|---|
//! | `count` | the work: [`count`], and [`shares`], its exact division |
//! | `measurements` | the other work: [`Table`], what lines of a file come to |
//! | `settings` | [`Settings`]: flags and environment; the start line |
//! | `rehearsal` | whether the system gives what a server needs |
//! | `report` | [`Report`] and [`SummaryReport`]: answers as text or JSON |
//! | `timing` | [`milliseconds`] and [`short`]: durations for people |
//! | `page` | [`page()`]: the page at `/`, HEAD, and what an unknown path gets |
//! | `request` | [`RequestId`] and [`Upload`]: what a client sends with its request |
//! | `events` | [`EventStream`]: server-sent events as a response |
//! | `stop` | [`stop_signal`]: Ctrl-C and SIGTERM |
//! | `log` | [`log()`]: what is said on standard error |

mod count;
mod events;
mod log;
mod measurements;
mod page;
mod rehearsal;
mod report;
mod request;
mod settings;
mod stop;
mod timing;

pub use count::{count, shares};
pub use events::EventStream;
pub use log::log;
pub use measurements::{BadLine, Summary, Table, TooManyNames};
pub use page::page;
pub use report::{Report, SummaryReport};
pub use request::{RequestId, Upload};
pub use settings::{Priority, Role, Settings, parsed};
pub use stop::{StopSignal, stop_signal};
pub use timing::{milliseconds, short};
