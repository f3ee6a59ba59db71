//! What a person looks at: pure functions of the profile, the names and a query.
//!
//! Views own merging and naming, so that a screen and a file agree to the last count. They know no
//! styles, formats, clocks or files.

mod account;
mod answer;
pub mod calls;
mod calltree;
mod flame;
mod folded;
mod functions;
mod heatmap;
mod label;
mod latency;
mod name;
mod pages;
mod processes;
mod quality;
mod query;
mod select;
mod timeline;
mod tree;
mod truncation;
mod unnamed;

pub use account::account;
pub use answer::{Answer, Answers, Content, LeftOut, Question, Span, Topic, window};
pub use calltree::{
    Base, CallRow, CallTree, Direction, Expansion, PathKey, call_tree, caller_tree,
};
pub use flame::{Block, Flame, flame};
pub use folded::{Folded, folded};
pub use functions::{Focus, FunctionKey, FunctionRow, Functions, Order, focus, functions};
pub use heatmap::Heatmap;
pub use label::{Kind, Label};
pub use latency::{
    LatencyGroup, LatencyLabel, LatencyLine, LatencyPlace, LatencyQuery, LatencyRow, LatencyRows,
    call_count, latency_lines, latency_rows, nanoseconds, percentiles, rate, reached, span_account,
    stars,
};
pub use name::{clean, clean_bytes, printable};
pub use processes::{ProcessRow, Processes, ThreadRow, processes};
pub use quality::{PlaceQuality, Quality, quality};
pub use query::{Filter, Group, Mode, Pattern, Query};
pub use timeline::{Bar, timeline};
pub use tree::{Node, Tree, tree};
pub use truncation::Place;
pub use unnamed::{Unnamed, UnnamedCount, unnamed};
