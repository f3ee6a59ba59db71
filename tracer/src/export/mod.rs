//! What can be written to a file: one format per file, and the list of them.
//!
//! Formats own notation and nothing else: what is written is what the views say. They know neither
//! where the bytes go nor what was typed to choose them.

mod folded;
mod json;
mod latency;
mod ledger;
mod svg;
mod text;

use std::{fmt, io, path::Path};

use crate::{
    profile::{Ledger, Profile, Window},
    symbol::Symbols,
    view::{self, Quality, Query},
};

pub use latency::{
    LATENCY_FORMATS, LatencyExport, LatencyFormat, Pace, latency_format, latency_format_of,
};
pub use svg::{Script, write as write_svg};

/// Everything that a format may write.
#[derive(Clone, Copy, Debug)]
pub struct Export<'a> {
    /// What was observed.
    pub profile: &'a Profile,
    /// What the frames are called.
    pub symbols: &'a Symbols,
    /// Which part of it is wanted.
    pub query: &'a Query,
    /// How it was observed.
    pub header: &'a Header,
    /// What observing cost.
    pub overhead: Overhead,
}

impl Export<'_> {
    /// The account of what is written: that of the whole measuring, or of the query's window.
    pub fn ledger(&self) -> Ledger {
        match self.query.window {
            Window::ALL => self.profile.ledger().clone(),
            window => self.profile.ledger_of(window),
        }
    }

    /// The stacks of that account: those of everything in the window.
    pub(super) fn quality(&self) -> Quality {
        let everything = Query {
            window: self.query.window,
            ..Query::default()
        };
        view::quality(self.profile, self.symbols, &everything)
    }
}

/// How a profile came about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The machine's name.
    pub host: String,
    /// What was measured: a command line, processes, everything.
    pub target: String,
    /// The source and its event.
    pub source: String,
    /// What a weight counts.
    pub unit: String,
    /// Samples per second and CPU, where there is such a thing.
    pub frequency_hz: Option<u64>,
    /// How long was measured.
    pub duration_ns: u64,
}

/// What the measuring itself cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overhead {
    /// Time in BPF programs; `None` where the kernel does not tell.
    pub bpf_ns: Option<u64>,
    /// CPU time of tracer's own processes.
    pub user_cpu_ns: u64,
    /// Wall time of the measuring.
    pub wall_ns: u64,
}

impl fmt::Display for Overhead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cost = self.user_cpu_ns.saturating_add(self.bpf_ns.unwrap_or(0));
        let seconds = cost as f64 / 1e9;
        let known = if self.bpf_ns.is_some() {
            ""
        } else {
            " without its BPF programs"
        };
        write!(f, "tracer's own cost {seconds:.2} s of CPU{known}")
    }
}

/// A way to write a profile.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// What it is called on the command line.
    pub name: &'static str,
    /// Ends of file names that ask for it, each with its dot.
    pub extensions: &'static [&'static str],
    /// What it is for, in a few words.
    pub doc: &'static str,
    /// Where it can go.
    pub medium: Medium,
    /// Writes it.
    pub write: fn(&Export<'_>, &mut dyn io::Write) -> io::Result<()>,
}

/// Where the bytes of a format make sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// Anywhere: lines that people read.
    Text,
    /// In a file or a pipe, and not on a terminal.
    File,
}

/// Every format.
pub static FORMATS: &[Format] = &[
    svg::FORMAT,
    folded::FORMAT,
    json::FORMAT,
    text::FORMAT,
    ledger::FORMAT,
];

/// No format has this name, or this end of a file name; what there is comes second.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownFormat {
    /// Asked for by name.
    #[error("no format is called {0:?}; there are: {1}")]
    Name(String, String),
    /// Asked for by a file's name.
    #[error("the name of the file {0:?} does not end like that of any format; known are: {1}")]
    Extension(String, String),
}

/// The format of a name.
pub fn by_name(name: &str) -> Result<&'static Format, UnknownFormat> {
    let found = FORMATS.iter().find(|format| format.name == name);
    found.ok_or_else(|| UnknownFormat::Name(name.to_owned(), known(|format| vec![format.name])))
}

/// The format that a file's name asks for.
pub fn by_path(path: &Path) -> Result<&'static Format, UnknownFormat> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let ends = FORMATS.iter().flat_map(|format| {
        let ends = format.extensions.iter().filter(|end| name.ends_with(*end));
        ends.map(move |end| (end.len(), format))
    });
    let longest = ends.max_by_key(|(length, _)| *length);
    longest
        // A name that is nothing but the extension is that of a hidden file.
        .filter(|(length, _)| *length < name.len())
        .map(|(_, format)| format)
        .ok_or_else(|| {
            UnknownFormat::Extension(
                name.into_owned(),
                known(|format| format.extensions.to_vec()),
            )
        })
}

fn known(names: impl Fn(&Format) -> Vec<&'static str>) -> String {
    FORMATS.iter().flat_map(names).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_found() {
        for format in FORMATS {
            assert_eq!(
                by_name(format.name).map(|found| found.name),
                Ok(format.name)
            );
            for extension in format.extensions {
                let path = Path::new("some.dir/my.profile").with_added_extension(&extension[1..]);
                assert_eq!(by_path(&path).map(|found| found.name), Ok(format.name));
                assert!(by_path(Path::new(extension)).is_err());
            }
        }
    }

    #[test]
    fn what_is_unknown_is_answered_with_what_is_known() {
        let by_path = by_path(Path::new("out/profile.png")).map(|found| found.name);
        assert_eq!(
            by_path.map_err(|error| error.to_string()),
            Err(
                "the name of the file \"profile.png\" does not end like that of any format; \
                 known are: .svg .folded .json .txt .ledger.json"
                    .to_owned()
            )
        );
        let by_name = by_name("png").map(|found| found.name);
        assert_eq!(
            by_name.map_err(|error| error.to_string()),
            Err("no format is called \"png\"; there are: svg folded json text ledger".to_owned())
        );
    }
}
