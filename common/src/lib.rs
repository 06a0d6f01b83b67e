//! What every step shares, and nothing of any lesson: no thread starts here,
//! nothing here waits for one.
//!
//! | module | what it holds |
//! |---|---|
//! | `count` | the work: [`count`], and [`shares`], its exact division |
//! | `settings` | [`Settings`]: flags and environment; the start line |
//! | `report` | [`Report`]: what `/blocking` answers, as text or JSON |
//! | `timing` | [`milliseconds`] and [`short`]: durations for people |
//! | `page` | [`page()`]: the page at `/`, and what an unknown path gets |
//! | `stop` | [`stop_signal`]: Ctrl-C and SIGTERM |

mod count;
mod page;
mod report;
mod settings;
mod stop;
mod timing;

pub use count::{count, shares};
pub use page::page;
pub use report::Report;
pub use settings::{Priority, Settings};
pub use stop::stop_signal;
pub use timing::{milliseconds, short};
