//! What all the steps share. The lessons aren't here: nothing here starts a
//! worker thread or waits for one.
//!
//! | module | what it contains |
//! |---|---|
//! | `count` | the work: [`count`], and [`shares`], its exact division |
//! | `table` | the other work: [`Table`], which summarises lines of a file |
//! | `settings` | [`Settings`] and its larger kinds: flags and environment |
//! | `broker` | [`BrokerSettings`]: what step 9 is started with as well |
//! | `serve` | [`serve`]: runs the server, and prints the start line |
//! | `report` | [`Report`] and [`SummaryReport`]: results as text or JSON |
//! | `timing` | [`milliseconds`] and [`short`]: durations for programs and people |
//! | `request` | [`RequestId`] and [`Upload`]: what a client sends with its request |
//! | `events` | [`events()`] and [`EventStream`]: server-sent events |
//! | `stop` | [`stop_signal`]: Ctrl-C and SIGTERM |
//! | `log` | [`log()`]: lines on standard error |

mod broker;
mod count;
mod events;
mod log;
mod report;
mod request;
mod serve;
mod settings;
mod stop;
mod table;
mod timing;

pub use broker::{BrokerSettings, BrokerUrl, Role};
pub use count::{count, shares};
pub use events::{EventStream, events};
pub use log::log;
pub use report::{Format, Rendered, Report, SummaryReport};
pub use request::{RequestId, Upload, client_left};
pub use serve::{announce, serve};
pub use settings::{
    About, LimitSettings, QueueSettings, Settings, ThreadSettings,
    UploadSettings, about, default_threads, parse_port, parse_threads, parsed,
    read_settings,
};
pub use stop::stop_signal;
pub use table::{BadLine, Summary, Table, TooManyNames, count_lines};
pub use timing::{milliseconds, short};
